//! What `SQLite` result codes mean (<https://sqlite.org/rescode.html>).

use complaint_core::store::StoreError;
use sqlx::error::DatabaseError;

use crate::error::{Fault, nothing_happened};

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const NO_MEMORY: u32 = 7;
const READ_ONLY: u32 = 8;
const INTERRUPTED: u32 = 9;
const IO: u32 = 10;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;

/// The meaning of an error before COMMIT: nothing happened.
pub(super) fn meaning(error: sqlx::Error) -> StoreError {
    nothing_happened(error, classify)
}

/// The meaning of an error of COMMIT itself.
pub(super) fn commit_meaning(error: sqlx::Error) -> StoreError {
    match &error {
        // The only error after which the transaction is known to be still open; dropping it rolls it back.
        sqlx::Error::Database(database) if is_busy(database.as_ref()) => meaning(error),
        _ => StoreError::OutcomeUnknown(Box::new(error)),
    }
}

/// Whether another connection held the lock for too long.
pub(super) fn is_busy(error: &dyn DatabaseError) -> bool {
    primary_code(error) == Some(BUSY)
}

/// Whether the file was write-protected when the connection was made, or is.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if primary_code(database.as_ref()) == Some(READ_ONLY))
}

fn classify(error: &dyn DatabaseError) -> Fault {
    match primary_code(error) {
        Some(BUSY | LOCKED | NO_MEMORY | INTERRUPTED | IO | FULL | CANNOT_OPEN) => Fault::Passing,
        _ => Fault::Lasting,
    }
}

fn primary_code(error: &dyn DatabaseError) -> Option<u32> {
    // The driver gives extended codes; the lowest byte is the primary one.
    error.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}
