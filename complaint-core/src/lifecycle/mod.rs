//! The lifecycle.
mod status;
pub use status::Status;
