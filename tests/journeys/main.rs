//! Journeys: the real binary on a fresh data folder, driven over HTTP and in a browser, with its real mail folder read.

mod browser;
mod http;
mod mailbox;
mod replicas;
mod server;
