//! Complaints and their logs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::complaint::{Complaint, Entry};
use complaint_core::id::{ComplaintId, Version};
use complaint_core::reference::Reference;
use complaint_core::store::{
    Change, ComplaintStore, IdempotencyKey, Page, Part, Query, Recalled, Scope, StoreError, Summary, WorkloadDelta,
};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite, Transaction};
use uuid::Uuid;

use super::{IMMEDIATE, SqliteStore, fault, list, statements as sql};
use crate::chain::{BEGINNING, EntryColumns, Hash, link};
use crate::codec::{CODEC, LOG_ENTRY, Place, STATE, StateColumns, decode, decode_entry, number};
use crate::rows::Rows;

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
        let mut tx = self.writing().await?.begin_with(IMMEDIATE).await.map_err(fault::meaning)?;
        write(&mut tx, change, rows).await?;
        tx.commit().await.map_err(fault::commit_meaning)
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
        let rows = sqlx::query(sql::DUE)
            .bind(at.timestamp_micros())
            .bind(i64::from(limit))
            .fetch_all(self.reading().await?)
            .await;
        rows.map_err(fault::meaning)?
            .iter()
            .map(|row| Ok(ComplaintId::from_uuid(get::<Uuid>(row, 0, STATE_ID)?)))
            .collect()
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        let row =
            sqlx::query(sql::RECALL).bind(key.owner()).bind(key.key()).fetch_optional(self.reading().await?).await;
        row.map_err(fault::meaning)?.as_ref().map(recalled).transpose()
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        list::summary(self.reading().await?, scope).await
    }
}

/// Commits a change inside the host's own transaction, which must have been begun with
/// [`IMMEDIATE`] on [`SqliteStore::writer`] (or another connection to a migrated file). It lasts once the host commits.
///
/// # Errors
/// As [`ComplaintStore::commit`]. Nothing of the change is left in the transaction then, and the host may go on with
/// it, unless the engine itself rolled it back (disk full, I/O error): then its commit fails too.
pub async fn commit_in(tx: &mut Transaction<'_, Sqlite>, change: &Change) -> Result<(), StoreError> {
    let rows = Rows::of(change)?;
    let mut savepoint = sqlx::Acquire::begin(tx).await.map_err(fault::meaning)?;
    match write(&mut savepoint, change, rows).await {
        Ok(()) => savepoint.commit().await.map_err(fault::meaning),
        Err(refused) => {
            savepoint.rollback().await.map_err(fault::meaning)?;
            Err(refused)
        }
    }
}

const STATE_ID: Place = Place { table: "complaint_state", column: "id" };
const STATE_VERSION: Place = Place { table: "complaint_state", column: "version" };
const HASH: Place = Place { column: "hash", ..LOG_ENTRY };
const RECALLED: Place = Place { table: "complaint_idempotency", column: "fingerprint" };
const WORKLOAD: Place = Place { table: "complaint_agents", column: "workload" };

/// A column of a row.
pub(super) fn get<'r, T>(row: &'r SqliteRow, at: usize, place: Place) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(at).map_err(|fault| place.corrupt(fault))
}

/// A complaint from its `codec` and `state`, the first two columns.
pub(super) fn complaint(row: &SqliteRow) -> Result<Complaint, StoreError> {
    decode(get(row, 0, Place { column: "codec", ..STATE })?, get(row, 1, STATE)?, STATE)
}

fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let column = |column| Place { column, ..LOG_ENTRY };
    decode_entry(get(row, 0, column("codec"))?, get(row, 1, LOG_ENTRY)?, get(row, 2, column("words"))?, LOG_ENTRY)
}

fn recalled(row: &SqliteRow) -> Result<Recalled, StoreError> {
    Ok(Recalled {
        fingerprint: get(row, 0, RECALLED)?,
        complaint: ComplaintId::from_uuid(get(row, 1, Place { column: "complaint", ..RECALLED })?),
        version: version(get(row, 2, Place { column: "version", ..RECALLED })?)?,
    })
}

fn version(number: i64) -> Result<Version, StoreError> {
    u64::try_from(number).map(Version::new).map_err(|fault| STATE_VERSION.corrupt(fault))
}

async fn write(connection: &mut SqliteConnection, change: &Change, rows: Rows) -> Result<(), StoreError> {
    // First of all: a repeated request is also out of date, and must be told the former.
    if let Some((key, _)) = change.idempotency() {
        let known = sqlx::query(sql::RECALL).bind(key.owner()).bind(key.key()).fetch_optional(&mut *connection).await;
        if known.map_err(fault::meaning)?.is_some() {
            return Err(StoreError::KeyUsed);
        }
    }
    let mut entries = rows.entries.into_iter();
    for (part, columns) in change.parts().iter().zip(rows.states) {
        write_state(connection, part, columns).await?;
        let first = part.entries().first().map_or(0, |entry| i64::from(entry.seq));
        let mut head = head(connection, part.id().as_uuid(), first).await?;
        for entry in entries.by_ref().take(part.entries().len()) {
            head = insert_entry(connection, None, entry, &head).await?;
        }
    }
    // After the states, so that those of this change are counted by the same statement.
    if let Some(limit) = change.open_limit() {
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
    for delta in change.workload() {
        add_workload(connection, delta).await?;
    }
    for (notice, document) in change.notices().iter().zip(rows.notices) {
        sqlx::query(sql::INSERT_NOTICE)
            .bind(notice.id.as_uuid())
            .bind(notice.complaint.as_uuid())
            .bind(notice.planned_at.timestamp_micros())
            .bind(CODEC)
            .bind(document)
            .execute(&mut *connection)
            .await
            .map_err(fault::meaning)?;
    }
    if let Some((key, recalled)) = change.idempotency() {
        let committed_at = change.parts().first().and_then(|part| part.entries().last()).map(|entry| entry.at);
        sqlx::query(sql::INSERT_KEY)
            .bind(key.owner())
            .bind(key.key())
            .bind(recalled.fingerprint)
            .bind(recalled.complaint.as_uuid())
            .bind(number(recalled.version.get())?)
            .bind(committed_at.map_or(0, |at| at.timestamp_micros()))
            .execute(&mut *connection)
            .await
            .map_err(fault::meaning)?;
    }
    Ok(())
}

/// The hash that the entry at this place follows.
pub(super) async fn head(connection: &mut SqliteConnection, complaint: Uuid, seq: i64) -> Result<Hash, StoreError> {
    let row = sqlx::query(sql::HEAD).bind(complaint).bind(seq - 1).fetch_optional(connection).await;
    match row.map_err(fault::meaning)? {
        Some(row) => {
            get::<&[u8]>(&row, 0, HASH)?.try_into().map_err(|fault: std::array::TryFromSliceError| HASH.corrupt(fault))
        }
        None => Ok(BEGINNING),
    }
}

/// Adds a line to the log, at a row of the whole log if one is named, and gives its hash.
pub(super) async fn insert_entry(
    connection: &mut SqliteConnection,
    row: Option<i64>,
    entry: EntryColumns,
    head: &Hash,
) -> Result<Hash, StoreError> {
    let hash = link(head, &entry.digest);
    let (words, salt, words_digest) = match entry.words {
        Some(sealed) => (Some(sealed.words), Some(sealed.salt.to_vec()), Some(sealed.digest.to_vec())),
        None => (None, None, None),
    };
    sqlx::query(sql::INSERT_ENTRY)
        .bind(row)
        .bind(entry.facts.complaint)
        .bind(entry.facts.seq)
        .bind(entry.facts.version)
        .bind(entry.facts.at)
        .bind(entry.facts.codec)
        .bind(entry.facts.entry)
        .bind(words)
        .bind(salt)
        .bind(words_digest)
        .bind(hash.to_vec())
        .execute(connection)
        .await
        .map_err(fault::meaning)?;
    Ok(hash)
}

async fn write_state(connection: &mut SqliteConnection, part: &Part, columns: StateColumns) -> Result<(), StoreError> {
    let stored = sqlx::query(sql::STORED)
        .bind(part.id().as_uuid())
        .fetch_optional(&mut *connection)
        .await
        .map_err(fault::meaning)?;
    let current = match &stored {
        Some(row) => version(get(row, 1, STATE_VERSION)?)?,
        None => Version::NONE,
    };
    if current != part.expected() {
        return Err(StoreError::Conflict { complaint: part.id(), current });
    }
    if let Some(row) = stored {
        let (words, words_hash) = (columns.words.clone(), columns.words_hash);
        let changed = bound(sql::UPDATE_STATE, columns)
            .bind(number(part.expected().get())?)
            .execute(&mut *connection)
            .await
            .map_err(fault::meaning)?;
        if changed.rows_affected() != 1 {
            return Err(StoreError::Conflict { complaint: part.id(), current });
        }
        if get::<i64>(&row, 2, Place { column: "words_hash", ..STATE })? != words_hash {
            let at: i64 = get(&row, 0, Place { column: "row", ..STATE })?;
            sqlx::query(sql::DELETE_WORDS).bind(at).execute(&mut *connection).await.map_err(fault::meaning)?;
            insert_words(connection, at, words).await?;
        }
        Ok(())
    } else {
        insert_state(connection, columns).await
    }
}

pub(super) async fn insert_state(connection: &mut SqliteConnection, columns: StateColumns) -> Result<(), StoreError> {
    let words = columns.words.clone();
    let inserted = bound(sql::INSERT_STATE, columns).fetch_optional(&mut *connection).await.map_err(fault::meaning)?;
    let row = inserted.ok_or(StoreError::ReferenceTaken)?;
    insert_words(connection, get(&row, 0, Place { column: "row", ..STATE })?, words).await
}

async fn insert_words(connection: &mut SqliteConnection, at: i64, words: String) -> Result<(), StoreError> {
    sqlx::query(sql::INSERT_WORDS).bind(at).bind(words).execute(connection).await.map_err(fault::meaning)?;
    Ok(())
}

fn bound(
    statement: &'static str,
    columns: StateColumns,
) -> sqlx::query::Query<'static, Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(statement)
        .bind(columns.id.as_uuid())
        .bind(columns.reference)
        .bind(columns.version)
        .bind(columns.customer)
        .bind(columns.against)
        .bind(columns.category)
        .bind(columns.status)
        .bind(columns.is_open)
        .bind(columns.level)
        .bind(columns.handler)
        .bind(columns.weight)
        .bind(columns.received_at)
        .bind(columns.promised_at)
        .bind(columns.next_action_at)
        .bind(columns.has_missed_deadline)
        .bind(columns.ratings)
        .bind(columns.words_hash)
        .bind(CODEC)
        .bind(columns.state)
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
