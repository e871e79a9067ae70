//! What is done with and may go.

use chrono::{DateTime, Utc};
use complaint_core::store::StoreError;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, query};

use super::{SqliteStore, fault, statements as sql};

impl SqliteStore {
    /// Removes notices that were delivered before an instant, the oldest first, at most `limit`; returns how many. Those that wait and
    /// those that were given up stay.
    ///
    /// ```
    /// # use complaint_store_sqlx::SqliteStore;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await?;
    /// # store.migrate().await?;
    /// let (a_year_ago, a_month_ago) = ("2025-04-01T09:00:00Z".parse()?, "2026-03-02T09:00:00Z".parse()?);
    /// // In batches, so that no writer waits for long behind one.
    /// while store.purge_delivered(a_month_ago, 500).await? == 500 {}
    /// while store.purge_keys(a_year_ago, 500).await? == 500 {}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn purge_delivered(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge(query(sql::PURGE_DELIVERED), before, limit).await
    }

    /// Removes idempotency keys under which something was committed before an instant, the oldest first, at most `limit`; returns how
    /// many.
    ///
    /// A request that is repeated under a key that is gone is a new one and done again; so is an import that relied on its keys. Nobody
    /// but the host knows for how long its callers repeat, so none is ever removed unasked.
    ///
    /// Example: [`purge_delivered`](Self::purge_delivered).
    pub async fn purge_keys(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
        self.purge(query(sql::PURGE_KEYS), before, limit).await
    }

    async fn purge(
        &self,
        purge: Query<'static, Sqlite, SqliteArguments>,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let purge = purge.bind(before.timestamp_micros()).bind(i64::from(limit));
        let purged = purge.execute(&mut *tx).await.map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)?;
        Ok(purged.rows_affected())
    }
}
