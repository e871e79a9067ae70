//! The schema.
//!
//! An own runner, for its bookkeeping is `complaint_schema`, so that a host's migrations can live in the same schema,
//! and its lock lasts for a transaction: one that lasts for a session is lost behind a proxy that pools transactions.

use std::time::Duration;

use complaint_core::complaint::Complaint;
use complaint_core::store::StoreError;
use sqlx::migrate::Migration;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use super::complaints::{indexed_words, lock_key};
use super::statements::within;
use super::{PostgresStore, fault};
use crate::codec::{self, STATE};
use crate::read::{applied_migration, complaint, get};
use crate::schema::{Standing, in_order};

const CREATE_SCHEMA: &str = "CREATE TABLE IF NOT EXISTS complaint_schema (version bigint PRIMARY KEY, \
                             name text NOT NULL, hash bytea NOT NULL, applied_at bigint NOT NULL)";
const APPLIED: &str = "SELECT version, hash FROM complaint_schema ORDER BY version";
const RECORD: &str = "INSERT INTO complaint_schema (version, name, hash, applied_at) \
                      VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

/// How long to wait for another server that migrates, and for whoever holds the tables.
const WAIT: Duration = Duration::from_mins(5);

/// The steps that have a part in code.
const HEADINGS: &str = "headings";
const FOLDING: &str = "folding";
const UNMARKED: &str = "SELECT codec, state, id FROM complaint_state WHERE id > $1 ORDER BY id LIMIT 500";
const MARK: &str = "UPDATE complaint_search AS s SET words = array_to_tsvector(string_to_array(marked.words, ' ')) \
                    FROM unnest($1::uuid[], $2::text[]) AS marked (id, words) WHERE s.complaint = marked.id";
const MARKED: &str = "UPDATE complaint_state AS s SET words_hash = marked.hash \
                      FROM unnest($1::uuid[], $2::bigint[]) AS marked (id, hash) WHERE s.id = marked.id";

const TEXTS: [(&str, &str); 10] = [
    ("init", include_str!("../../migrations/postgres/0001_init.sql")),
    ("lists", include_str!("../../migrations/postgres/0002_lists.sql")),
    ("counts", include_str!("../../migrations/postgres/0003_counts.sql")),
    (HEADINGS, include_str!("../../migrations/postgres/0004_headings.sql")),
    ("against", include_str!("../../migrations/postgres/0005_against.sql")),
    (FOLDING, include_str!("../../migrations/postgres/0006_folding.sql")),
    ("dead_letters", include_str!("../../migrations/postgres/0007_dead_letters.sql")),
    ("kinds", include_str!("../../migrations/postgres/0008_kinds.sql")),
    ("agents", include_str!("../../migrations/postgres/0009_agents.sql")),
    ("purging", include_str!("../../migrations/postgres/0010_purging.sql")),
];

/// The version of the schema that this library knows.
pub(super) fn known() -> i64 {
    i64::try_from(TEXTS.len()).unwrap_or(i64::MAX)
}

pub(super) fn migrations() -> Vec<Migration> {
    in_order(&TEXTS)
}

/// Applies what is missing, each migration in its own transaction. Safe to call from several servers at once.
pub(super) async fn run(store: &PostgresStore) -> Result<(), StoreError> {
    run_up_to(store, migrations().len(), WAIT).await
}

/// Applies what is missing up to a version, as an earlier library did.
pub(super) async fn run_up_to(store: &PostgresStore, version: usize, wait: Duration) -> Result<(), StoreError> {
    let migrations = migrations();
    let schema = &store.schema;
    loop {
        let mut tx = store.pool.begin().await.map_err(fault::meaning)?;
        // Building an index may take longer than any daily statement; so may waiting for a server that does, but not for ever.
        let patient = format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}", wait.as_millis());
        tx.execute(AssertSqlSafe(patient)).await.map_err(fault::meaning)?;
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock_key(schema, "migration", ""));
        lock.execute(&mut *tx).await.map_err(|error| waited(error, wait))?;
        // Asked under the lock, because another server may have been faster.
        let Standing::Behind(applied) = standing(store, &mut tx).await? else {
            return Ok(());
        };
        if applied >= version {
            return Ok(());
        }
        let migration = &migrations[applied];
        let known = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1").bind(&**schema);
        if known.fetch_optional(&mut *tx).await.map_err(fault::meaning)?.is_none() {
            tx.execute(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\""))).await.map_err(fault::meaning)?;
        }
        let path = AssertSqlSafe(format!("SET LOCAL search_path = \"{schema}\""));
        tx.execute(path).await.map_err(fault::meaning)?;
        tx.execute(CREATE_SCHEMA).await.map_err(fault::meaning)?;
        let done = sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx).await;
        done.map_err(|error| waited(error, wait))?;
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

/// What to say when a lock could not be had.
fn waited(error: sqlx::Error, wait: Duration) -> StoreError {
    if !fault::is_lock_not_had(&error) {
        return fault::meaning(error);
    }
    StoreError::Unavailable(
        format!(
            "the complaint schema could not be migrated within {} seconds: another server migrates it, or something holds its tables, \
             as a backup does",
            wait.as_secs()
        )
        .into(),
    )
}

/// The part of `0004_headings.sql` and `0006_folding.sql` that needs the core.
async fn index_the_words_anew(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut last = Uuid::nil();
    loop {
        let rows = sqlx::query(UNMARKED).bind(last).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = get(end, 2, STATE)?;
        // One that cannot be read stays as it is: `verify` says so, and it must not keep a schema from being migrated.
        let read: Vec<Complaint> = rows.iter().filter_map(|row| complaint(row).ok()).collect();
        let ids: Vec<Uuid> = read.iter().map(|complaint| complaint.id.as_uuid()).collect();
        let words: Vec<String> = read.iter().map(codec::indexed_words).collect();
        let hashes: Vec<i64> = words.iter().map(|words| codec::fnv(words)).collect();
        let words: Vec<String> = words.iter().map(|words| indexed_words(words)).collect();
        let mark = sqlx::query(MARK).bind(&ids).bind(words);
        mark.execute(&mut *connection).await.map_err(fault::meaning)?;
        let marked = sqlx::query(MARKED).bind(&ids).bind(hashes);
        marked.execute(&mut *connection).await.map_err(fault::meaning)?;
    }
}

/// Compares a database with the migrations this library knows.
pub(super) async fn standing(store: &PostgresStore, connection: &mut PgConnection) -> Result<Standing, StoreError> {
    let exists = sqlx::query("SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'complaint_schema'")
        .bind(&*store.schema);
    if store.fetch(connection, exists).await.map_err(fault::meaning)?.is_empty() {
        return Ok(Standing::Behind(0));
    }
    let applied = sqlx::query(AssertSqlSafe(within(&store.schema, APPLIED)));
    let rows = store.fetch(connection, applied).await.map_err(fault::meaning)?;
    let recorded: Result<Vec<_>, StoreError> = rows.iter().map(applied_migration).collect();
    Standing::of(&migrations(), &recorded?)
}
