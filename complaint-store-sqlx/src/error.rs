//! What a database's error means for the caller, the same on every engine.

use complaint_core::store::StoreError;

/// What an engine's error code says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Busy, full, interrupted: the same may succeed later.
    Passing,
    /// Wrong schema, read-only, not a database: somebody must act first.
    Lasting,
}

/// The error of a statement that did not commit anything.
pub(crate) fn nothing_happened(
    error: sqlx::Error,
    classify: fn(&dyn sqlx::error::DatabaseError) -> Fault,
) -> StoreError {
    let fault = match &error {
        sqlx::Error::Database(database) => classify(database.as_ref()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Fault::Passing,
        _ => Fault::Lasting,
    };
    match fault {
        Fault::Passing => StoreError::Unavailable(Box::new(error)),
        Fault::Lasting => StoreError::Unusable(error.to_string()),
    }
}
