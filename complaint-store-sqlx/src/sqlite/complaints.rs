//! Complaints and their logs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::complaint::{Complaint, Entry};
use complaint_core::id::ComplaintId;
use complaint_core::reference::Reference;
use complaint_core::store::{
    Change, ComplaintStore, IdempotencyKey, Page, Query, Recalled, Scope, StoreError, Summary, WorkloadDelta,
};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{SqliteStore, fault, migrate, statements as sql};
use crate::chain::{BEGINNING, EntryColumns, Hash, link};
use crate::codec::{CODEC, LOG_ENTRY, Place, STATE, StateColumns};
use crate::read::{complaint, complaint_id, entry, get, recalled, version};
use crate::rows::{PartRows, Rows};
use crate::{counts, list};

#[async_trait]
impl ComplaintStore for SqliteStore {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        let row = sqlx::query(sql::LOAD).bind(id.as_uuid()).fetch_optional(self.reading().await?).await;
        row.map_err(fault::meaning)?.as_ref().map(complaint).transpose()
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        let row =
            sqlx::query(sql::BY_REFERENCE).bind(reference.to_string()).fetch_optional(self.reading().await?).await;
        row.map_err(fault::meaning)?.as_ref().map(complaint).transpose()
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        // Everything that needs no lock is done before it is taken.
        let rows = Rows::of(change)?;
        self.line.commit(self, rows).await
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(sql::LOG)
            .bind(id.as_uuid())
            .bind(i64::from(after))
            .bind(i64::from(limit))
            .fetch_all(self.reading().await?)
            .await;
        rows.map_err(fault::meaning)?.iter().map(entry).collect()
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        list::search(self.reading().await?, query).await
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        let mut reader = self.reading().await?.acquire().await.map_err(fault::meaning)?;
        // Asked regularly, also where nobody writes.
        self.expect_none(migrate::later(&mut reader, sql::LATER).await)?;
        let rows =
            sqlx::query(sql::DUE).bind(at.timestamp_micros()).bind(i64::from(limit)).fetch_all(&mut *reader).await;
        rows.map_err(fault::meaning)?.iter().map(complaint_id).collect()
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        let row =
            sqlx::query(sql::RECALL).bind(key.owner()).bind(key.key()).fetch_optional(self.reading().await?).await;
        row.map_err(fault::meaning)?.as_ref().map(recalled).transpose()
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        counts::summary(self.reading().await?, scope).await
    }
}

/// Commits a change inside the host's own transaction, which must have been begun with [`IMMEDIATE`](super::IMMEDIATE)
/// on [`SqliteStore::writer`] (or another connection to a migrated file). It lasts once the host commits. Several changes go into
/// one transaction in any order: nobody else writes meanwhile, so nobody waits in a circle.
///
/// # Errors
/// As [`ComplaintStore::commit`]. Nothing of the change is left in the transaction then, and the host may go on with
/// it, unless the engine itself rolled it back (disk full, I/O error): then its commit fails too.
pub async fn commit_in(tx: &mut Transaction<'_, Sqlite>, change: &Change) -> Result<(), StoreError> {
    let rows = Rows::of(change)?;
    migrate::is_known(migrate::later(tx, sql::LATER).await)?;
    write_whole(tx, &rows).await
}

/// Writes a change into a transaction that goes on whatever becomes of it.
pub(super) async fn write_whole(tx: &mut Transaction<'_, Sqlite>, rows: &Rows) -> Result<(), StoreError> {
    let mut savepoint = sqlx::Acquire::begin(tx).await.map_err(fault::meaning)?;
    match write(&mut savepoint, rows).await {
        Ok(()) => savepoint.commit().await.map_err(fault::meaning),
        Err(refused) => {
            savepoint.rollback().await.map_err(fault::meaning)?;
            Err(refused)
        }
    }
}

const STATE_VERSION: Place = Place { column: "version", ..STATE };
const HASH: Place = Place { column: "hash", ..LOG_ENTRY };
const WORKLOAD: Place = Place { table: "complaint_agents", column: "workload" };

/// Writes a change. What was written before it was refused is left to be rolled back.
pub(super) async fn write(connection: &mut SqliteConnection, rows: &Rows) -> Result<(), StoreError> {
    // First of all: a repeated request is also out of date, and must be told the former.
    if let Some(key) = &rows.key {
        let known = sqlx::query(sql::RECALL).bind(&key.owner).bind(&key.key).fetch_optional(&mut *connection).await;
        if known.map_err(fault::meaning)?.is_some() {
            return Err(StoreError::KeyUsed);
        }
    }
    for part in &rows.parts {
        write_state(connection, part).await?;
        let first = part.entries.first().map_or(0, |entry| entry.facts.seq);
        let mut head = head(connection, part.id().as_uuid(), first).await?;
        for entry in &part.entries {
            head = insert_entry(connection, None, entry, &head).await?;
        }
    }
    // After the states, so that those of this change are counted by the same statement.
    if let Some(limit) = &rows.limit {
        let beyond = sqlx::query(sql::OPEN_BEYOND)
            .bind(limit.customer.as_str())
            .bind(i64::from(limit.most))
            .fetch_optional(&mut *connection)
            .await
            .map_err(fault::meaning)?;
        if beyond.is_some() {
            return Err(StoreError::OpenLimitReached { customer: limit.customer.clone() });
        }
    }
    for delta in &rows.workload {
        add_workload(connection, delta).await?;
    }
    for notice in &rows.notices {
        sqlx::query(sql::INSERT_NOTICE)
            .bind(notice.id)
            .bind(notice.complaint)
            .bind(notice.planned_at)
            .bind(CODEC)
            .bind(&notice.notice)
            .execute(&mut *connection)
            .await
            .map_err(fault::meaning)?;
    }
    if let Some(key) = &rows.key {
        sqlx::query(sql::INSERT_KEY)
            .bind(&key.owner)
            .bind(&key.key)
            .bind(&key.fingerprint)
            .bind(key.complaint)
            .bind(key.version)
            .bind(key.committed_at)
            .execute(&mut *connection)
            .await
            .map_err(fault::meaning)?;
    }
    Ok(())
}

/// The hash that the entry at this place follows.
pub(super) async fn head(connection: &mut SqliteConnection, complaint: Uuid, seq: i64) -> Result<Hash, StoreError> {
    if seq <= 1 {
        return Ok(BEGINNING);
    }
    let row = sqlx::query(sql::HEAD).bind(complaint).bind(seq - 1).fetch_optional(connection).await;
    match row.map_err(fault::meaning)? {
        Some(row) => get::<Vec<u8>, _>(&row, 0, HASH)?.try_into().map_err(|_| HASH.corrupt("not 32 bytes")),
        None => Ok(BEGINNING),
    }
}

/// Adds a line to the log, at a row of the whole log if one is named, and gives its hash.
pub(super) async fn insert_entry(
    connection: &mut SqliteConnection,
    row: Option<i64>,
    entry: &EntryColumns,
    head: &Hash,
) -> Result<Hash, StoreError> {
    let hash = link(head, &entry.digest);
    let sealed = entry.words.as_ref();
    sqlx::query(sql::INSERT_ENTRY)
        .bind(row)
        .bind(entry.facts.complaint)
        .bind(entry.facts.seq)
        .bind(entry.facts.version)
        .bind(entry.facts.at)
        .bind(entry.facts.codec)
        .bind(&entry.facts.entry)
        .bind(sealed.map(|sealed| sealed.words.as_str()))
        .bind(sealed.map(|sealed| &sealed.salt[..]))
        .bind(sealed.map(|sealed| &sealed.digest[..]))
        .bind(&hash[..])
        .execute(connection)
        .await
        .map_err(fault::meaning)?;
    Ok(hash)
}

async fn write_state(connection: &mut SqliteConnection, part: &PartRows) -> Result<(), StoreError> {
    if part.expected == 0 {
        return insert_state(connection, &part.state).await;
    }
    let stored = stored(connection, part.id()).await?;
    let current: i64 = match &stored {
        Some(row) => get(row, 1, STATE_VERSION)?,
        None => 0,
    };
    let conflict = || Ok(StoreError::Conflict { complaint: part.id(), current: version(current, STATE_VERSION)? });
    let Some(row) = stored.filter(|_| current == part.expected) else { return Err(conflict()?) };
    let changed = bound(sql::UPDATE_STATE, &part.state)
        .bind(part.expected)
        .execute(&mut *connection)
        .await
        .map_err(fault::meaning)?;
    if changed.rows_affected() != 1 {
        return Err(conflict()?);
    }
    if get::<i64, _>(&row, 2, Place { column: "words_hash", ..STATE })? != part.state.words_hash {
        let at: i64 = get(&row, 0, Place { column: "row", ..STATE })?;
        reindex(connection, at, &part.state.words).await?;
    }
    Ok(())
}

async fn stored(connection: &mut SqliteConnection, id: ComplaintId) -> Result<Option<SqliteRow>, StoreError> {
    sqlx::query(sql::STORED).bind(id.as_uuid()).fetch_optional(connection).await.map_err(fault::meaning)
}

pub(super) async fn insert_state(connection: &mut SqliteConnection, state: &StateColumns) -> Result<(), StoreError> {
    let inserted = bound(sql::INSERT_STATE, state).fetch_optional(&mut *connection).await.map_err(fault::meaning)?;
    let Some(row) = inserted else {
        // Only now it matters which of the two was there already.
        return Err(match stored(connection, state.id).await? {
            Some(row) => StoreError::Conflict {
                complaint: state.id,
                current: version(get(&row, 1, STATE_VERSION)?, STATE_VERSION)?,
            },
            None => StoreError::ReferenceTaken,
        });
    };
    insert_words(connection, get(&row, 0, Place { column: "row", ..STATE })?, &state.words).await
}

/// Puts words in the place of those that are indexed.
pub(super) async fn reindex(connection: &mut SqliteConnection, at: i64, words: &str) -> Result<(), StoreError> {
    sqlx::query(sql::DELETE_WORDS).bind(at).execute(&mut *connection).await.map_err(fault::meaning)?;
    insert_words(connection, at, words).await
}

async fn insert_words(connection: &mut SqliteConnection, at: i64, words: &str) -> Result<(), StoreError> {
    sqlx::query(sql::INSERT_WORDS).bind(at).bind(words).execute(connection).await.map_err(fault::meaning)?;
    Ok(())
}

fn bound<'q>(
    statement: &'static str,
    state: &'q StateColumns,
) -> sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(statement)
        .bind(state.id.as_uuid())
        .bind(&state.reference)
        .bind(state.version)
        .bind(&state.customer)
        .bind(&state.against)
        .bind(&state.category)
        .bind(&*state.status)
        .bind(state.is_open)
        .bind(state.level)
        .bind(&state.handler)
        .bind(state.weight)
        .bind(state.received_at)
        .bind(state.promised_at)
        .bind(state.next_action_at)
        .bind(state.has_missed_deadline)
        .bind(&state.ratings)
        .bind(state.words_hash)
        .bind(CODEC)
        .bind(&state.state)
}

async fn add_workload(connection: &mut SqliteConnection, delta: &WorkloadDelta) -> Result<(), StoreError> {
    let changed = sqlx::query(sql::ADD_WORKLOAD)
        .bind(delta.agent.as_str().to_owned())
        .bind(delta.delta)
        .bind(delta.assigned_at.map(|at| at.timestamp_micros()))
        .bind(delta.ceiling.map(i64::from))
        .execute(&mut *connection)
        .await
        .map_err(|error| match &error {
            // Only a workload that had gone wrong before can be brought below nothing.
            sqlx::Error::Database(database) if database.is_check_violation() => WORKLOAD.corrupt(error),
            _ => fault::meaning(error),
        })?;
    if changed.rows_affected() == 1 {
        return Ok(());
    }
    let known = sqlx::query(sql::AGENT_EXISTS)
        .bind(delta.agent.as_str().to_owned())
        .fetch_optional(&mut *connection)
        .await
        .map_err(fault::meaning)?;
    match known {
        Some(_) => Err(StoreError::CapacityExceeded { agent: delta.agent.clone() }),
        None if delta.delta > 0 => Err(StoreError::UnknownAgent { agent: delta.agent.clone() }),
        // Nothing is kept of an agent never saved, so there is nothing to take from.
        None => Ok(()),
    }
}
