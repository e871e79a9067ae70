//! What is done with and may go.

use chrono::{DateTime, Utc};
use complaint_core::store::StoreError;
use sqlx::SqlStr;

use super::PostgresStore;
use crate::codec::Place;
use crate::read::get;

impl PostgresStore {
    /// Removes notices that were delivered before an instant, the oldest first, at most `limit`; returns how many. Those that wait and
    /// those that were given up stay. Several servers may do so at once.
    ///
    /// ```no_run
    /// # async fn f(store: complaint_store_sqlx::PostgresStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let (a_year_ago, a_month_ago) = ("2025-04-01T09:00:00Z".parse()?, "2026-03-02T09:00:00Z".parse()?);
    /// while store.purge_delivered(a_month_ago, 500).await? == 500 {}
    /// while store.purge_keys(a_year_ago, 500).await? == 500 {}
    /// # Ok(()) }
    /// ```
    pub async fn purge_delivered(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge(&self.sql.purge_delivered, before, limit, "complaint_outbox").await
    }

    /// Removes idempotency keys under which something was committed before an instant, the oldest first, at most `limit`; returns how
    /// many. Several servers may do so at once.
    ///
    /// A request that is repeated under a key that is gone is a new one and done again; so is an import that relied on its keys. Nobody
    /// but the host knows for how long its callers repeat, so none is ever removed unasked.
    ///
    /// Example: [`purge_delivered`](Self::purge_delivered).
    pub async fn purge_keys(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge(&self.sql.purge_keys, before, limit, "complaint_idempotency").await
    }

    async fn purge(
        &self,
        purge: &SqlStr,
        before: DateTime<Utc>,
        limit: u32,
        table: &'static str,
    ) -> Result<u64, StoreError> {
        let purge = sqlx::query(purge.clone()).bind(before.timestamp_micros()).bind(i64::from(limit));
        let rows = self.write(purge).await?;
        let place = Place { table, column: "count" };
        let purged: i64 = rows.first().map_or(Ok(0), |row| get(row, 0, place))?;
        u64::try_from(purged).map_err(|fault| place.corrupt(fault))
    }
}
