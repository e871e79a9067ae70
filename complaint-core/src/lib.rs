//! Complaint handling as a library.
pub mod actor;
pub mod agent;
pub mod clock;
pub mod complaint;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod deadline;
pub mod desk;
pub mod id;
pub mod lifecycle;
pub mod money;
pub mod notice;
mod notifier;
pub mod policy;
pub mod reference;
pub mod routing;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
mod visibility;

pub use actor::{Actor, Party};
pub use agent::Agent;
pub use complaint::{Complaint, Rating, Remedy};
pub use desk::{Desk, DeskError, Resolution};
pub use notifier::{Notifier, NotifyError};
pub use policy::Policy;
