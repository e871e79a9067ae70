//! The state machine: one table, from which decisions, available commands, charts and the API are derived.
//!
//! A **command** is what somebody asks for ([`Command`]), a **guard** a condition of it ([`Guard`]); a [`Rule`] is a row of
//! the [`TABLE`]: the command, from which [`Status`] to which, who may, under which guards. [`decide`] answers a command
//! with entries or with a [`Refusal`] that names every guard that failed; [`evolve`] turns entries into state. A
//! [`Lifecycle`] draws what a policy makes of the table.
//!
//! A complaint that was joined with consent to another customer's stays one of its own in everything that its
//! customer sees: receipt, dates of the law, log, letters. What the end of the other one means for it is decided with
//! that end, as entries of its own log.
//!
//! Examples: [`decide`], [`Rule`], [`Refusal`], [`Lifecycle`].

mod command;
mod context;
mod decide;
pub(crate) mod diagram;
mod evolve;
mod guards;
mod refusal;
mod status;
mod table;

pub use command::{Command, CommandName, Field, Input, InvalidInput};
pub use context::Context;
pub(crate) use decide::refusal;
pub use decide::{Availability, decide, submit};
pub use diagram::{Lifecycle, SvgOptions, Trail, Visit};
pub use evolve::{ReplayError, begin, evolve, replay};
pub use guards::{FILE_SIZE_MAX, FILES_MAX, MEDIA_TYPES, REMEDIES_MAX};
pub use refusal::{FailedGuard, Refusal, RefusalCategory};
pub use status::Status;
pub use table::{Guard, LevelChange, Permit, Rule, TABLE, To, Who, rule};
