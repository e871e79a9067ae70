//! Complaint handling as a library.
pub mod actor;
pub mod agent;
pub mod clock;
pub mod complaint;
pub mod deadline;
pub mod id;
pub mod lifecycle;
pub mod money;
pub mod notice;
mod notifier;
pub mod reference;
pub mod routing;
pub mod store;
pub mod text;
pub use notifier::{Notifier, NotifyError};
