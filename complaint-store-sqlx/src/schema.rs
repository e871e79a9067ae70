//! What a schema's bookkeeping says, the same on every engine: migrations are embedded, forward only, never edited once
//! released, and each is recorded with the hash of its text.

use std::borrow::Cow;

use complaint_core::store::StoreError;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType};

/// Where a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Fit for use.
    Current,
    /// `migrate` has to be called; so many migrations are applied.
    Behind(usize),
}

impl Standing {
    /// Compares what is recorded, version and hash in order, with the migrations this library knows.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a schema of a later library, or of another one.
    pub(crate) fn of(known: &[Migration], recorded: &[(i64, Vec<u8>)]) -> Result<Self, StoreError> {
        for (at, (version, hash)) in recorded.iter().enumerate() {
            match known.get(at) {
                Some(migration) if migration.version == *version && *migration.checksum == **hash => {}
                Some(migration) if migration.version == *version => {
                    return Err(StoreError::Unusable(format!(
                        "migration {version} of the complaint schema is not the one this library knows"
                    )));
                }
                _ => return Err(Self::newer(*version, known.len())),
            }
        }
        Ok(if recorded.len() == known.len() { Self::Current } else { Self::Behind(recorded.len()) })
    }

    /// What to say of a schema that a later library has brought further.
    pub(crate) fn newer(version: i64, known: usize) -> StoreError {
        StoreError::Unusable(format!(
            "the complaint schema is at version {version}, this library knows up to {known}: use a newer one"
        ))
    }

    /// What to say to whoever uses a store that is not migrated.
    pub(crate) fn behind(applied: usize) -> StoreError {
        StoreError::Unusable(format!(
            "the complaint schema is at version {applied}, older than this library: call migrate"
        ))
    }
}

/// Migrations from their names and texts, numbered from 1.
pub(crate) fn in_order(texts: &[(&'static str, &'static str)]) -> Vec<Migration> {
    texts
        .iter()
        .zip(1..)
        .map(|((name, sql), version)| {
            Migration::new(version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}
