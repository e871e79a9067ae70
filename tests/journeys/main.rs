//! Journeys: the real binary on a fresh data folder, driven over HTTP and in a browser, with its real mail folder read.

mod browser;
mod http;
mod kept;
mod mailbox;
mod mailing;
mod outbox;
#[path = "../../reference-server/tests/postgres/mod.rs"]
mod postgres;
mod replicas;
#[path = "../../complaint-notify/tests/scripted/mod.rs"]
mod scripted;
mod server;
