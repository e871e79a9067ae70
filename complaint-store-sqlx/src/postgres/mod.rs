//! The store on PostgreSQL: many servers, one database.

mod agents;
mod backup;
mod changes;
mod complaints;
mod fault;
mod given;
mod list;
mod migrate;
mod outbox;
mod purge;
mod settings;
mod statements;
#[cfg(test)]
mod tests;
mod verify;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use complaint_core::store::StoreError;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::query::Query;

use crate::list::Dialect;
use crate::schema::Standing;
use changes::Announcer;
pub use changes::{Changes, Heard};
pub use settings::PostgresOptions;
use statements::Statements;

/// Complaints in one schema of a PostgreSQL database.
///
/// Any number of servers may use it at once. Every acknowledged commit is as durable as the server makes it; one that
/// could lose it is refused unless that was [asked for](PostgresOptions::not_durable). A commit is one round trip.
/// Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    schema: Arc<str>,
    sql: Arc<Statements>,
    dialect: Arc<Dialect>,
    patience: Duration,
    ready: Arc<AtomicBool>,
    /// If others are to be told.
    announcer: Option<Arc<Announcer>>,
}

impl PostgresStore {
    /// Opens a database as [`PostgresOptions`] has it unless told otherwise. Never migrates: call
    /// [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// As [`PostgresOptions::new`] and [`PostgresOptions::open`].
    ///
    /// Later, too: once a newer library has migrated the schema, the next commit and the next look at what is due find it out, and
    /// from then on every call is refused as opening would be.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        PostgresOptions::new(url)?.open().await
    }

    fn over(pool: PgPool, schema: &str, patience: Duration) -> Self {
        Self {
            pool,
            schema: schema.into(),
            sql: Arc::new(Statements::within(schema)),
            dialect: Arc::new(list::dialect(schema)),
            patience,
            ready: Arc::new(AtomicBool::new(false)),
            announcer: None,
        }
    }

    /// Brings the schema up to date, each step in one transaction. Does nothing if it is; safe to call from several
    /// servers at once.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a schema newer than this library, or a role that may not make tables;
    /// [`StoreError::Unavailable`] if another server migrates, or something holds the tables, for more than five minutes.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(self).await?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The connections, for a host that keeps its own tables in the same database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The schema that holds the tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Closes all connections. Calls after it fail as unavailable.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// One of the connections, for a host's own statements.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if none can be had in time.
    ///
    /// Example: [`Held`].
    pub async fn hold(&self) -> Result<Held, StoreError> {
        let connection = self.pool.acquire().await.map_err(fault::meaning)?;
        Ok(Held { connection, patience: self.patience, is_lost: false })
    }

    /// A connection, once the schema is known to be fit.
    async fn ready_connection(&self) -> Result<Held, StoreError> {
        let mut connection = self.hold().await?;
        if !self.ready.load(Ordering::Acquire) {
            // Another server may have migrated meanwhile.
            if let Standing::Behind(applied) = self.look_at_schema(&mut connection).await? {
                return Err(Standing::behind(applied));
            }
        }
        Ok(connection)
    }

    /// A running store finds out as well that a newer library has migrated the schema: from then on it refuses everything, as
    /// opening it would.
    async fn look_for_later(&self, connection: &mut Held) -> Result<(), StoreError> {
        let later = sqlx::query(self.sql.later.clone()).bind(migrate::known());
        if self.fetch_on(connection, later).await.map_err(fault::meaning)?.is_empty() {
            return Ok(());
        }
        self.ready.store(false, Ordering::Release);
        self.look_at_schema(connection).await.map(drop)
    }

    /// On the connection that the caller has: another one may never be free as long as they hold it.
    async fn look_at_schema(&self, connection: &mut PgConnection) -> Result<Standing, StoreError> {
        let standing = migrate::standing(self, connection).await?;
        if standing == Standing::Current {
            self.ready.store(true, Ordering::Release);
        }
        Ok(standing)
    }

    /// The rows of a statement that only reads.
    async fn read(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.ready_connection().await?;
        self.fetch_on(&mut connection, query).await.map_err(fault::meaning)
    }

    /// The rows of a statement that commits by itself.
    async fn write(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = self.ready_connection().await?;
        self.fetch_on(&mut connection, query).await.map_err(fault::commit_meaning)
    }

    /// The server stops a statement that takes too long; one whose server is gone is given up here, and its connection
    /// with it: waiting for the answer would keep its place among the connections.
    async fn fetch_on(
        &self,
        connection: &mut Held,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        let fetched = self.fetch(connection, query).await;
        connection.learn(&fetched);
        fetched
    }

    async fn fetch(
        &self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        tokio::time::timeout(self.patience, query.fetch_all(connection))
            .await
            .unwrap_or_else(|_| Err(fault::no_answer()))
    }
}

/// A connection of the store, until it is dropped.
///
/// A server stops a statement that takes too long; for one that has fallen silent whoever waits has to stop, and say so. A
/// pool asks a connection that comes back whether it still answers, and waits for that as long as the network lets it: one
/// that is silent would keep its place among the connections for many minutes. This one is given up in time.
///
/// ```no_run
/// # async fn f(store: complaint_store_sqlx::PostgresStore) -> Result<(), Box<dyn std::error::Error>> {
/// let mut held = store.hold().await?;
/// let asked = tokio::time::timeout(held.patience(), sqlx::query("SELECT 1 FROM orders").fetch_all(&mut *held)).await;
/// let rows = asked.unwrap_or_else(|silent| Err(sqlx::Error::Io(silent.into())));
/// held.learn(&rows);
/// println!("{} orders", rows?.len());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Held {
    connection: PoolConnection<Postgres>,
    patience: Duration,
    is_lost: bool,
}

impl Held {
    /// How long to wait for the answer to a statement: a little longer than the server works on one.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Learns from the answer to a statement whether the server is still there; if it is not, this connection is of no use
    /// to anybody.
    pub fn learn<T>(&mut self, answer: &Result<T, sqlx::Error>) {
        self.is_lost |= matches!(answer, Err(sqlx::Error::Io(_)));
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_lost {
            self.connection.close_on_drop();
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(self.patience, self.connection.return_to_pool()));
        }
    }
}
