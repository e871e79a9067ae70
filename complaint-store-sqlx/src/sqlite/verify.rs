//! The walk along the chain.

use complaint_core::id::ComplaintId;
use complaint_core::store::StoreError;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::{SqliteStore, fault, statements as sql};
use crate::counts;
use crate::read::{stored_entry, stored_state};
use crate::verify::{Heads, StoredEntry, StoredState, Verified, Walk};

/// How much is looked at in one read transaction: while one lasts, the write-ahead log cannot be folded in.
const PORTION: u32 = 500;

impl SqliteStore {
    /// Whether state and log of one complaint are as they were committed. Of one that was never committed nothing is
    /// found and nothing is broken.
    pub async fn verify(&self, id: ComplaintId) -> Result<Verified, StoreError> {
        self.walk(id.as_uuid(), id.as_uuid(), Heads::default()).await
    }

    /// Whether states and logs of all complaints are as they were committed, and the counts what there is. Goes on
    /// beside writers.
    pub async fn verify_all(&self) -> Result<Verified, StoreError> {
        self.verify_with(Heads::default()).await
    }

    /// As [`verify_all`](Self::verify_all), and whether every head that was kept elsewhere is still on its chain; keeps those of
    /// now.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] as well for heads that cannot be read or written. What was kept of them by then is of no use.
    pub async fn verify_with(&self, heads: Heads<'_>) -> Result<Verified, StoreError> {
        let miscounts = counts::miscounts(self.reading().await?).await?;
        Ok(Verified { miscounts, ..self.walk(Uuid::nil(), Uuid::max(), heads).await? })
    }

    async fn walk(&self, first: Uuid, last: Uuid, heads: Heads<'_>) -> Result<Verified, StoreError> {
        let mut walk = Walk::with(heads)?;
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
        walk.result()
    }
}

async fn states(connection: &mut SqliteConnection, first: Uuid, last: Uuid) -> Result<Vec<StoredState>, StoreError> {
    let query = sqlx::query(sql::STATES_FROM).bind(first).bind(last).bind(i64::from(PORTION));
    query.fetch_all(connection).await.map_err(fault::meaning)?.iter().map(stored_state).collect()
}

async fn entries(
    connection: &mut SqliteConnection,
    behind: (Uuid, i64),
    last: Uuid,
) -> Result<Vec<StoredEntry>, StoreError> {
    let query = sqlx::query(sql::LOGS_BEHIND).bind(behind.0).bind(behind.1).bind(last).bind(i64::from(PORTION));
    query.fetch_all(connection).await.map_err(fault::meaning)?.iter().map(stored_entry).collect()
}
