//! Drives the real router as a browser without script would: opens pages, fills in their forms as they stand, presses their buttons.
//! Every page that is opened on the way is checked for what makes it usable and safe.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod bad_input;
mod browser;
mod guests;
mod house;
mod inert;
mod long;
mod mail;
mod own_account;
#[cfg(feature = "oidc")]
mod providers;
mod roles;
mod second_factor;
mod story;
mod told;
mod truth;
