//! Drives the real router, without a socket, over the whole API: each door with its right and its wrong keys.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod access;
mod apart;
mod bad_input;
mod batch;
mod catalogue;
mod command_line;
mod consent;
mod database;
mod description;
mod documents;
mod doors;
mod files;
#[cfg(feature = "oidc")]
mod foreign_provider;
mod forgotten;
mod guests;
mod headers;
mod house;
mod intake;
mod keeping;
mod large;
mod link_pages;
mod lists;
mod logging_in;
mod mailbox;
mod making;
mod open311;
mod own_account;
mod portions;
#[path = "../postgres/mod.rs"]
mod postgres;
mod preferences;
#[cfg(feature = "oidc")]
mod provider;
#[cfg(feature = "oidc")]
mod providers;
#[allow(dead_code, reason = "the store is tried with more of it")]
#[path = "../../../complaint-store-sqlx/tests/store/proxy.rs"]
mod proxy;
mod redress;
mod second_factor;
mod secrets;
mod signing_up;
mod staff;
mod store;
mod story;
mod streams;
mod support;
mod texts;
mod webhooks;
