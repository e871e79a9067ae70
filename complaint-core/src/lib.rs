//! Complaint handling as a library: each complaint numbered, held by the right person, answered in time, escalated when
//! late, decided by someone with authority, remedied, and provable afterwards.
//!
//! The rules are pure. [`lifecycle::decide`] takes a complaint, a command, an actor and the circumstances, and answers
//! with the entries to be logged or with every guard that refused; [`lifecycle::evolve`] turns entries into state.
//! Neither reads a clock, draws a number or waits. [`Desk`] is the shell around them: it loads, decides and commits through the
//! traits of [`store`] and delivers through [`Notifier`].
//!
//! ```
//! use complaint_core::policy::Category;
//! use complaint_core::store::MemoryStore;
//! use complaint_core::{Actor, Agent, Complaint, Desk, Policy, Resolution};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let policy = Policy::standard().with_category(Category::named("Water supply")?);
//! let desk = Desk::new(MemoryStore::new(), policy);
//! let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
//!
//! let john = desk.acting_as(Actor::customer("john")?);
//! let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
//! assert_eq!(receipt.complaint().handler.as_ref(), Some(&asha.id));
//!
//! let asha = desk.acting_as(Actor::agent(&asha));
//! asha.begin(receipt.id()).await?;
//! asha.resolve(receipt.id(), Resolution::upheld("Valve 14 was stuck.").apologising()).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # Where things are
//!
//! | you want to know | look at |
//! |---|---|
//! | which statuses and commands there are, who may do what | [`lifecycle::TABLE`] |
//! | why something is refused | [`lifecycle::Refusal`] |
//! | what is stored | [`complaint::Complaint`], [`complaint::Entry`] |
//! | who gets a complaint, and why | [`routing::route`] |
//! | which category it may belong to | [`triage::Classifier`] |
//! | when something is due | [`deadline::Deadline`], [`deadline::Calendar`] |
//! | who is told what | [`notice::announce`] |
//! | what was promised and kept, what customers say | [`redress::Ledger`], [`satisfaction::Satisfaction`] |
//! | what can be configured | [`policy::Policy`] |
//! | how to read JSON from outside | [`lifecycle::Command::from_json`], [`json::Described`] |
//! | how to write a store | [`store::ComplaintStore`], [`store::AgentStore`], [`store::Outbox`] |
//!
//! # Features
//!
//! `testing`: a clock moved by hand, counted identifiers, samples, scenarios told in virtual time, and stores and
//! notifiers that fail on purpose. `conformance`: one test per promise of the storage
//! traits, for adapter authors. `mock`: mockall's mocks of a store and a notifier. A feature adds; none changes what happens.

pub mod actor;
pub mod agent;
pub mod clock;
pub mod complaint;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deadline;
pub mod desk;
pub mod id;
pub mod json;
pub mod lifecycle;
pub mod money;
pub mod notice;
mod notifier;
pub mod policy;
pub mod redress;
pub mod reference;
pub mod routing;
pub mod satisfaction;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod triage;
mod visibility;

pub use actor::{Actor, Party};
pub use agent::Agent;
pub use complaint::{Complaint, Rating, Remedy};
pub use desk::{Desk, DeskError, Resolution};
pub use notifier::{Notifier, NotifyError};
pub use policy::Policy;
