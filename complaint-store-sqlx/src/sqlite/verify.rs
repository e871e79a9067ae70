//! The walk along the chain.

use complaint_core::id::ComplaintId;
use complaint_core::store::StoreError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::complaints::get;
use super::{SqliteStore, fault, statements as sql};
use crate::chain::EntryFacts;
use crate::codec::{LOG_ENTRY, Place, STATE, StateColumns};
use crate::verify::{StoredEntry, StoredState, Verified, Walk};

/// How much is looked at in one read transaction: while one lasts, the write-ahead log cannot be folded in.
const PORTION: u32 = 500;

impl SqliteStore {
    /// Whether state and log of one complaint are as they were committed. Of one that was never committed nothing is
    /// found and nothing is broken.
    pub async fn verify(&self, id: ComplaintId) -> Result<Verified, StoreError> {
        self.walk(id.as_uuid(), id.as_uuid()).await
    }

    /// Whether states and logs of all complaints are as they were committed. Goes on beside writers.
    pub async fn verify_all(&self) -> Result<Verified, StoreError> {
        self.walk(Uuid::nil(), Uuid::max()).await
    }

    async fn walk(&self, first: Uuid, last: Uuid) -> Result<Verified, StoreError> {
        let mut walk = Walk::default();
        let mut next = Some(first);
        while let Some(first) = next {
            // One transaction, so that a complaint and its log are of one moment.
            let mut tx = self.reading().await?.begin().await.map_err(fault::meaning)?;
            let states = states(&mut tx, first, last).await?;
            let full = states.len() == PORTION as usize;
            let end = states.last().filter(|_| full).map_or(last, |state| state.columns.id.as_uuid());
            walk.states(states);
            let mut behind = (first, i64::MIN);
            loop {
                let entries = entries(&mut tx, behind, end).await?;
                let Some(at) = entries.last().map(|entry| (entry.facts.complaint, entry.facts.seq)) else { break };
                behind = at;
                for entry in &entries {
                    walk.entry(entry)?;
                }
            }
            walk.end_of_portion()?;
            next = if full { end.as_u128().checked_add(1).map(Uuid::from_u128) } else { None };
        }
        Ok(walk.result())
    }
}

async fn states(connection: &mut SqliteConnection, first: Uuid, last: Uuid) -> Result<Vec<StoredState>, StoreError> {
    let query = sqlx::query(sql::STATES_FROM).bind(first).bind(last).bind(i64::from(PORTION));
    query.fetch_all(connection).await.map_err(fault::meaning)?.iter().map(state).collect()
}

async fn entries(
    connection: &mut SqliteConnection,
    behind: (Uuid, i64),
    last: Uuid,
) -> Result<Vec<StoredEntry>, StoreError> {
    let query = sqlx::query(sql::LOGS_BEHIND).bind(behind.0).bind(behind.1).bind(last).bind(i64::from(PORTION));
    query.fetch_all(connection).await.map_err(fault::meaning)?.iter().map(entry).collect()
}

fn state(row: &SqliteRow) -> Result<StoredState, StoreError> {
    let column = |column| Place { column, ..STATE };
    let columns = StateColumns {
        id: ComplaintId::from_uuid(get(row, 0, column("id"))?),
        reference: get(row, 1, column("reference"))?,
        version: get(row, 2, column("version"))?,
        customer: get(row, 3, column("customer"))?,
        against: get(row, 4, column("against"))?,
        category: get(row, 5, column("category"))?,
        status: get::<String>(row, 6, column("status"))?.into(),
        is_open: get(row, 7, column("is_open"))?,
        level: get(row, 8, column("level"))?,
        handler: get(row, 9, column("handler"))?,
        weight: get(row, 10, column("weight"))?,
        received_at: get(row, 11, column("received_at"))?,
        promised_at: get(row, 12, column("promised_at"))?,
        next_action_at: get(row, 13, column("next_action_at"))?,
        has_missed_deadline: get(row, 14, column("has_missed_deadline"))?,
        ratings: get(row, 15, column("ratings"))?,
        words: String::new(),
        words_hash: get(row, 16, column("words_hash"))?,
        state: get(row, 18, STATE)?,
    };
    Ok(StoredState { columns, codec: get(row, 17, column("codec"))? })
}

fn entry(row: &SqliteRow) -> Result<StoredEntry, StoreError> {
    let column = |column| Place { column, ..LOG_ENTRY };
    let facts = EntryFacts {
        complaint: get(row, 0, column("complaint"))?,
        seq: get(row, 1, column("seq"))?,
        version: get(row, 2, column("version"))?,
        at: get(row, 3, column("at"))?,
        codec: get(row, 4, column("codec"))?,
        entry: get(row, 5, LOG_ENTRY)?,
    };
    Ok(StoredEntry {
        facts,
        words: get(row, 6, column("words"))?,
        salt: get(row, 7, column("salt"))?,
        words_digest: get(row, 8, column("words_digest"))?,
        hash: get(row, 9, column("hash"))?,
    })
}
