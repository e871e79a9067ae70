//! Drives the real router, without a socket, over everything about accounts: each door with its right and its wrong keys.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod bad_input;
mod headers;
mod link_pages;
mod logging_in;
mod signing_up;
mod staff;
mod store;
mod support;
