//! The schema.
//!
//! An own runner, because the driver's begins deferred transactions: two replicas that migrate at once would step on
//! each other. Its bookkeeping is `complaint_schema`, so that a host's migrations can live in the same file.

use complaint_core::store::StoreError;
use sqlx::migrate::Migration;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::complaints::{get, head, insert_entry};
use super::{begin, fault};
use crate::chain::{EntryColumns, EntryFacts};
use crate::codec::{LOG_ENTRY, Place};
use crate::schema::{Standing, in_order};

const SCHEMA_EXISTS: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'complaint_schema'";
const CREATE_SCHEMA: &str = "CREATE TABLE IF NOT EXISTS complaint_schema (version INTEGER PRIMARY KEY, \
                             name TEXT NOT NULL, hash BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";
const APPLIED: &str = "SELECT version, hash FROM complaint_schema ORDER BY version";
const RECORD: &str = "INSERT INTO complaint_schema (version, name, hash, applied_at) \
                      VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

/// The step that has a part in code.
const CHAIN: &str = "chain";
const UNCHAINED: &str = "SELECT row, complaint, seq, version, at, codec, entry FROM complaint_log_unchained \
                         WHERE row > $1 ORDER BY row LIMIT 500";

pub(super) fn migrations() -> Vec<Migration> {
    in_order(&[
        ("init", include_str!("../../migrations/sqlite/0001_init.sql")),
        ("open_by_customer", include_str!("../../migrations/sqlite/0002_open_by_customer.sql")),
        (CHAIN, include_str!("../../migrations/sqlite/0003_chain.sql")),
    ])
}

/// Applies what is missing, each migration in its own transaction. Safe to call from several processes at once.
pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    run_up_to(writer, migrations().len()).await
}

/// Applies what is missing up to a version, as an earlier library did.
pub(super) async fn run_up_to(writer: &SqlitePool, version: usize) -> Result<(), StoreError> {
    let migrations = migrations();
    loop {
        // Asked again under the lock, because another process may have been faster.
        let mut tx = begin(writer).await?;
        let Standing::Behind(applied) = standing(&mut tx).await? else {
            return Ok(());
        };
        if applied >= version {
            return Ok(());
        }
        let migration = &migrations[applied];
        sqlx::query(CREATE_SCHEMA).execute(&mut *tx).await.map_err(fault::meaning)?;
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await.map_err(fault::meaning)?;
        if migration.description == CHAIN {
            take_over_the_log(&mut tx).await?;
        }
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

/// The part of `0003_chain.sql` that needs SHA-256: moves the log into its new table, in the order of commits.
async fn take_over_the_log(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut last = 0;
    loop {
        let rows = sqlx::query(UNCHAINED).bind(last).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
        let Some(end) = rows.last() else { break };
        last = get(end, 0, Place { column: "row", ..LOG_ENTRY })?;
        for row in &rows {
            let column = |column| Place { column, ..LOG_ENTRY };
            let facts = EntryFacts {
                complaint: get(row, 1, column("complaint"))?,
                seq: get(row, 2, column("seq"))?,
                version: get(row, 3, column("version"))?,
                at: get(row, 4, column("at"))?,
                codec: get(row, 5, column("codec"))?,
                entry: get(row, 6, LOG_ENTRY)?,
            };
            let head = head(connection, facts.complaint, facts.seq).await?;
            let (entry, words) = split(facts.entry);
            let entry = EntryColumns::new(EntryFacts { entry, ..facts }, words);
            insert_entry(connection, Some(get(row, 0, column("row"))?), &entry, &head).await?;
        }
    }
    sqlx::query("DROP TABLE complaint_log_unchained").execute(connection).await.map_err(fault::meaning)?;
    Ok(())
}

/// The document of an entry without its words, and the words. One that is no such document stays as it is: `verify`
/// says so, and it must not keep a whole file from being migrated.
fn split(document: String) -> (String, Option<String>) {
    let Ok(serde_json::Value::Object(mut facts)) = serde_json::from_str(&document) else { return (document, None) };
    let words = facts.remove("words").map(|words| words.to_string());
    (serde_json::Value::Object(facts).to_string(), words)
}

/// Compares a file with the migrations this library knows.
pub(super) async fn standing(connection: &mut SqliteConnection) -> Result<Standing, StoreError> {
    let exists = sqlx::query(SCHEMA_EXISTS).fetch_optional(&mut *connection).await.map_err(fault::meaning)?;
    if exists.is_none() {
        return Ok(Standing::Behind(0));
    }
    let place = |column| Place { table: "complaint_schema", column };
    let rows = sqlx::query(APPLIED).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
    let recorded: Result<Vec<_>, StoreError> =
        rows.iter().map(|row| Ok((get(row, 0, place("version"))?, get(row, 1, place("hash"))?))).collect();
    Standing::of(&migrations(), &recorded?)
}
