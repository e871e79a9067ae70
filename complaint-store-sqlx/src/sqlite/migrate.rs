//! The schema: embedded, forward only, never edited once released.
//!
//! An own runner, because the driver's begins deferred transactions: two replicas that migrate at once would step on
//! each other. Its bookkeeping is `complaint_schema`, so that a host's migrations can live in the same file.

use std::borrow::Cow;

use complaint_core::store::StoreError;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Row, SqlSafeStr};

use super::{IMMEDIATE, fault};
use crate::codec::Place;

const SCHEMA_EXISTS: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'complaint_schema'";
const CREATE_SCHEMA: &str = "CREATE TABLE IF NOT EXISTS complaint_schema (version INTEGER PRIMARY KEY, \
                             name TEXT NOT NULL, hash BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";
const APPLIED: &str = "SELECT version, hash FROM complaint_schema ORDER BY version";
const RECORD: &str = "INSERT INTO complaint_schema (version, name, hash, applied_at) \
                      VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Fit for use.
    Current,
    /// `migrate` has to be called; so many migrations are applied.
    Behind(usize),
}

pub(super) fn migrations() -> Vec<Migration> {
    let in_order = [
        ("init", include_str!("../../migrations/sqlite/0001_init.sql")),
        ("open_by_customer", include_str!("../../migrations/sqlite/0002_open_by_customer.sql")),
    ];
    in_order
        .into_iter()
        .zip(1..)
        .map(|((name, sql), version)| {
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}

/// Applies what is missing, each migration in its own transaction. Safe to call from several processes at once.
pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    let migrations = migrations();
    loop {
        // Asked again under the lock, because another process may have been faster.
        let mut tx = writer.begin_with(IMMEDIATE).await.map_err(fault::meaning)?;
        let Standing::Behind(applied) = standing(&mut tx).await? else {
            return Ok(());
        };
        let migration = &migrations[applied];
        sqlx::query(CREATE_SCHEMA).execute(&mut *tx).await.map_err(fault::meaning)?;
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await.map_err(fault::meaning)?;
        sqlx::query(RECORD)
            .bind(migration.version)
            .bind(&*migration.description)
            .bind(&*migration.checksum)
            .execute(&mut *tx)
            .await
            .map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)?;
        tracing::info!(version = migration.version, name = %migration.description, "migrated the complaint schema");
    }
}

/// Compares a file with the migrations this library knows.
///
/// # Errors
/// [`StoreError::Unusable`] for a schema of a later library, or of another one.
pub(super) async fn standing(connection: &mut SqliteConnection) -> Result<Standing, StoreError> {
    let known = migrations();
    let exists = sqlx::query(SCHEMA_EXISTS).fetch_optional(&mut *connection).await.map_err(fault::meaning)?;
    if exists.is_none() {
        return Ok(Standing::Behind(0));
    }
    let applied = sqlx::query(APPLIED).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
    for (at, row) in applied.iter().enumerate() {
        let place = |column| Place { table: "complaint_schema", column };
        let version: i64 = row.try_get(0).map_err(|fault| place("version").corrupt(fault))?;
        let hash: Vec<u8> = row.try_get(1).map_err(|fault| place("hash").corrupt(fault))?;
        match known.get(at) {
            Some(migration) if migration.version == version && *migration.checksum == *hash => {}
            Some(migration) if migration.version == version => {
                return Err(StoreError::Unusable(format!(
                    "migration {version} of the complaint schema is not the one this library knows"
                )));
            }
            _ => {
                return Err(StoreError::Unusable(format!(
                    "the complaint schema is at version {version}, this library knows up to {}: use a newer one",
                    known.len()
                )));
            }
        }
    }
    Ok(if applied.len() == known.len() { Standing::Current } else { Standing::Behind(applied.len()) })
}
