//! The walk along the chain.

use std::time::Duration;

use complaint_core::id::ComplaintId;
use complaint_core::store::StoreError;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::list::bound;
use super::{PostgresStore, fault};
use crate::counts;
use crate::list::{Answers, Dialect, Statement};
use crate::read::{stored_entry, stored_state};
use crate::verify::{Heads, StoredEntry, StoredState, Verified, Walk};

/// How much is looked at in one read transaction: while one lasts, the server cannot clear away old versions of rows.
const PORTION: u32 = 500;

/// How long counting everything may take: with millions of complaints longer than any daily statement may.
const COUNTING: Duration = Duration::from_hours(1);

/// The store for a statement that looks at everything.
struct Unhurried<'a>(&'a PostgresStore);

impl Answers for Unhurried<'_> {
    type Row = PgRow;

    fn dialect(&self) -> &Dialect {
        self.0.dialect()
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.0.ready_connection().await?;
        let patience = COUNTING + connection.patience();
        let read = async {
            let mut tx = connection.begin().await?;
            let limit = format!("SET LOCAL statement_timeout = {}", COUNTING.as_millis());
            sqlx::query(AssertSqlSafe(limit)).execute(&mut *tx).await?;
            bound(statement).fetch_all(&mut *tx).await
        };
        let rows = tokio::time::timeout(patience, read).await.unwrap_or_else(|_| Err(fault::no_answer()));
        connection.learn(&rows);
        rows.map_err(fault::meaning)
    }
}

impl PostgresStore {
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
        let miscounts = counts::miscounts(&Unhurried(self)).await?;
        Ok(Verified { miscounts, ..self.walk(Uuid::nil(), Uuid::max(), heads).await? })
    }

    async fn walk(&self, first: Uuid, last: Uuid, heads: Heads<'_>) -> Result<Verified, StoreError> {
        let mut walk = Walk::with(heads)?;
        let mut next = Some(first);
        while let Some(first) = next {
            // One transaction, so that a complaint and its log are of one moment.
            let mut connection = self.ready_connection().await?;
            let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
            let begun = tokio::time::timeout(self.patience, connection.begin_with(snapshot)).await;
            let mut tx = begun.unwrap_or_else(|_| Err(fault::no_answer())).map_err(fault::meaning)?;
            let states = self.states(&mut tx, first, last).await?;
            let full = states.len() == PORTION as usize;
            let end = states.last().filter(|_| full).map_or(last, |state| state.columns.id.as_uuid());
            walk.states(states);
            let mut behind = (first, i64::MIN);
            loop {
                let entries = self.entries(&mut tx, behind, end).await?;
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

    async fn states(
        &self,
        connection: &mut PgConnection,
        first: Uuid,
        last: Uuid,
    ) -> Result<Vec<StoredState>, StoreError> {
        let query = sqlx::query(self.sql.states_from.clone()).bind(first).bind(last).bind(i64::from(PORTION));
        self.fetch(connection, query).await.map_err(fault::meaning)?.iter().map(stored_state).collect()
    }

    async fn entries(
        &self,
        connection: &mut PgConnection,
        (complaint, seq): (Uuid, i64),
        last: Uuid,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let query = sqlx::query(self.sql.logs_behind.clone());
        let query = query.bind(complaint).bind(seq).bind(last).bind(i64::from(PORTION));
        self.fetch(connection, query).await.map_err(fault::meaning)?.iter().map(stored_entry).collect()
    }
}
