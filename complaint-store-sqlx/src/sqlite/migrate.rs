//! The schema.
//!
//! An own runner, because the driver's begins deferred transactions: two replicas that migrate at once would step on
//! each other. Its bookkeeping is `complaint_schema`, so that a host's migrations can live in the same file.

use complaint_core::store::StoreError;
use sqlx::migrate::Migration;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::complaints::{head, insert_entry, reindex};
use super::{begin, fault};
use crate::chain::{EntryColumns, EntryFacts};
use crate::codec::{LOG_ENTRY, Place, STATE, fnv, indexed_words};
use crate::read::{applied_migration, complaint, facts, get};
use crate::schema::{Standing, in_order};

pub(super) const SCHEMA_EXISTS: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'complaint_schema'";
const CREATE_SCHEMA: &str = "CREATE TABLE IF NOT EXISTS complaint_schema (version INTEGER PRIMARY KEY, \
                             name TEXT NOT NULL, hash BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";
const APPLIED: &str = "SELECT version, hash FROM complaint_schema ORDER BY version";
const RECORD: &str = "INSERT INTO complaint_schema (version, name, hash, applied_at) \
                      VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

const ROW: Place = Place { column: "row", ..LOG_ENTRY };
const VERSION: Place = Place { table: "complaint_schema", column: "version" };
const STATE_ROW: Place = Place { column: "row", ..STATE };

/// The steps that have a part in code.
const CHAIN: &str = "chain";
const HEADINGS: &str = "headings";
const FOLDING: &str = "folding";
const UNCHAINED: &str = "SELECT row, complaint, seq, version, at, codec, entry FROM complaint_log_unchained \
                         WHERE row > $1 ORDER BY row LIMIT 500";
const UNMARKED: &str = "SELECT codec, state, row FROM complaint_state WHERE row > $1 ORDER BY row LIMIT 500";
const MARKED: &str = "UPDATE complaint_state SET words_hash = $2 WHERE row = $1";

const TEXTS: [(&str, &str); 11] = [
    ("init", include_str!("../../migrations/sqlite/0001_init.sql")),
    ("open_by_customer", include_str!("../../migrations/sqlite/0002_open_by_customer.sql")),
    (CHAIN, include_str!("../../migrations/sqlite/0003_chain.sql")),
    ("lists", include_str!("../../migrations/sqlite/0004_lists.sql")),
    ("counts", include_str!("../../migrations/sqlite/0005_counts.sql")),
    (HEADINGS, include_str!("../../migrations/sqlite/0006_headings.sql")),
    ("against", include_str!("../../migrations/sqlite/0007_against.sql")),
    (FOLDING, include_str!("../../migrations/sqlite/0008_folding.sql")),
    ("dead_letters", include_str!("../../migrations/sqlite/0009_dead_letters.sql")),
    ("kinds", include_str!("../../migrations/sqlite/0010_kinds.sql")),
    ("purging", include_str!("../../migrations/sqlite/0011_purging.sql")),
];

pub(super) fn migrations() -> Vec<Migration> {
    in_order(&TEXTS)
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
        if [HEADINGS, FOLDING].contains(&&*migration.description) {
            index_the_words_anew(&mut tx).await?;
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
        last = get(end, 0, ROW)?;
        for row in &rows {
            let facts = facts(row, 1)?;
            let head = head(connection, facts.complaint, facts.seq).await?;
            let (entry, words) = split(facts.entry);
            let entry = EntryColumns::new(EntryFacts { entry, ..facts }, words);
            insert_entry(connection, Some(get(row, 0, ROW)?), &entry, &head).await?;
        }
    }
    sqlx::query("DROP TABLE complaint_log_unchained").execute(connection).await.map_err(fault::meaning)?;
    Ok(())
}

/// The part of `0006_headings.sql` and `0008_folding.sql` that needs the core.
async fn index_the_words_anew(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query(UNMARKED).bind(last).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = get(end, 2, STATE_ROW)?;
        for row in &rows {
            // One that cannot be read stays as it is: `verify` says so, and it must not keep a file from being migrated.
            let Ok(complaint) = complaint(row) else { continue };
            let (at, words) = (get(row, 2, STATE_ROW)?, indexed_words(&complaint));
            let hash = fnv(&words);
            reindex(connection, at, &words).await?;
            let marked = sqlx::query(MARKED).bind(at).bind(hash).execute(&mut *connection).await;
            marked.map_err(fault::meaning)?;
        }
    }
}

/// The document of an entry without its words, and the words. One that is no such document stays as it is: `verify`
/// says so, and it must not keep a whole file from being migrated.
fn split(document: String) -> (String, Option<String>) {
    let Ok(serde_json::Value::Object(mut facts)) = serde_json::from_str(&document) else { return (document, None) };
    let words = facts.remove("words").map(|words| words.to_string());
    (serde_json::Value::Object(facts).to_string(), words)
}

/// What a later library has done to the file of a running store, asked by one of the two statements for that.
pub(super) async fn later(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<Option<SqliteRow>, sqlx::Error> {
    sqlx::query(statement).bind(i64::try_from(TEXTS.len()).unwrap_or(i64::MAX)).fetch_optional(connection).await
}

/// Whether that is nothing.
///
/// # Errors
/// [`StoreError::Unusable`] if it is something.
pub(super) fn is_known(later: Result<Option<SqliteRow>, sqlx::Error>) -> Result<(), StoreError> {
    match later.map_err(fault::meaning)? {
        Some(row) => Err(Standing::newer(get(&row, 0, VERSION)?, TEXTS.len())),
        None => Ok(()),
    }
}

/// Compares a file with the migrations this library knows.
pub(super) async fn standing(connection: &mut SqliteConnection) -> Result<Standing, StoreError> {
    let exists = sqlx::query(SCHEMA_EXISTS).fetch_optional(&mut *connection).await.map_err(fault::meaning)?;
    if exists.is_none() {
        return Ok(Standing::Behind(0));
    }
    let rows = sqlx::query(APPLIED).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
    let recorded: Result<Vec<_>, StoreError> = rows.iter().map(applied_migration).collect();
    Standing::of(&migrations(), &recorded?)
}
