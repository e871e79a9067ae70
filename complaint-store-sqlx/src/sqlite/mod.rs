//! The store on `SQLite`: one file, one writer, many readers.

mod agents;
mod backup;
mod complaints;
mod fault;
mod line;
mod list;
mod migrate;
mod outbox;
mod purge;
mod settings;
mod statements;
#[cfg(test)]
mod tests;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use complaint_core::store::StoreError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqliteRow};
use sqlx::{Sqlite, Transaction};

use crate::schema::Standing;
pub use complaints::commit_in;
use line::Line;
use statements as sql;

/// Begins a transaction that writes. A deferred one that turns to writing later is refused at once when another
/// writer was faster, however long the busy timeout is.
pub const IMMEDIATE: &str = "BEGIN IMMEDIATE";

/// Complaints in one `SQLite` file.
///
/// One connection writes, others read; with the write-ahead log a reader never waits for the writer. Changes that come
/// at once share a transaction and its way to the disk, and none is sunk by the refusal of another. Every acknowledged
/// commit survives a killed process and power loss (`synchronous=FULL`). Several processes may use one
/// file on one machine. Cloning is cheap and shares the connections.
///
/// Every table, index, view and trigger is called `complaint_…`, so that a host's own tables fit beside them. That prefix is not to be
/// chosen: a change in a [transaction of the host](commit_in) is asked of its connection, which knows of no store. A host that has
/// such names already gives complaints a file of their own, and reads both in one statement after `ATTACH 'complaints.db' AS
/// complaints`; on PostgreSQL it names a schema.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    ready: Arc<AtomicBool>,
    line: Arc<Line>,
}

impl SqliteStore {
    /// Opens a file, and creates an empty one if there is none. Never migrates: call [`migrate`](Self::migrate).
    ///
    /// The URL is `sqlite:complaints.db`, `sqlite:///var/lib/complaints.db` or a path. With `?mode=rw` a missing file
    /// is refused; with `?mode=ro` everything that writes is.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a database in memory, a file that cannot be opened or does not take the durable
    /// settings, an engine with known faults, or a schema newer than this library.
    /// [`StoreError::Unavailable`] while another process holds the file.
    ///
    /// Later, too: once a newer library has migrated the file, every call is refused as this one would be. A file that was
    /// write-protected is written to again as soon as it is not.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_as(settings::options(url)?).await
    }

    async fn open_as(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        settings::probe(&options).await?;
        let store = Self {
            writer: settings::writer(options.clone()),
            readers: settings::readers(options),
            ready: Arc::new(AtomicBool::new(false)),
            line: Arc::default(),
        };
        store.look_at_schema().await?;
        Ok(store)
    }

    /// Brings the schema up to date, each step in one transaction. Does nothing if it is; safe to call from several
    /// processes at once.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a schema newer than this library, or a file that is read-only.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if let Err(error) = migrate::run(&self.writer).await {
            // Tried again, it finds the file as it is then, and not as it was when the connection was made.
            self.open_anew().await;
            return Err(error);
        }
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The one connection that writes, for a host that keeps its own tables in the same file. Begin with
    /// [`IMMEDIATE`], hold it shortly: every other writer waits meanwhile.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// The connections that read; a statement that writes is refused there.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Closes all connections and folds the write-ahead log into the file. Calls after it fail as unavailable.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The readers, once the schema is known to be fit.
    async fn reading(&self) -> Result<&SqlitePool, StoreError> {
        self.ready().await?;
        Ok(&self.readers)
    }

    /// Begins a transaction that writes, under a schema that is known to be fit.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.ready().await?;
        let mut tx = begin(&self.writer).await?;
        let mut later = migrate::later(&mut tx, sql::LATER_TO_WRITE).await;
        if later.as_ref().is_err_and(fault::is_read_only) {
            drop(tx);
            self.open_anew().await;
            tx = begin(&self.writer).await?;
            later = migrate::later(&mut tx, sql::LATER_TO_WRITE).await;
        }
        self.expect_none(later)?;
        Ok(tx)
    }

    /// A running store finds out as well that a newer library has migrated the file: from then on it refuses everything, as
    /// [`open`](Self::open) would.
    fn expect_none(&self, later: Result<Option<SqliteRow>, sqlx::Error>) -> Result<(), StoreError> {
        let known = migrate::is_known(later);
        if matches!(known, Err(StoreError::Unusable(_))) {
            // If it was something else, the next call finds the schema fit.
            self.ready.store(false, Ordering::Release);
        }
        known
    }

    /// Closes every connection, for others to be made: one that was made while the file was write-protected would say so for ever.
    /// All of them, because they share what the engine knows of the write-ahead log. The writer's, of which there is one, is held
    /// until the readers' are closed: two that did this at once would each wait for what the other holds.
    async fn open_anew(&self) {
        let mut held = Vec::new();
        for pool in [&self.writer, &self.readers] {
            let before = held.len();
            while held.len() - before < pool.size() as usize {
                let Ok(connection) = pool.acquire().await else { break };
                held.push(connection);
            }
        }
        for connection in held.into_iter().rev() {
            let _ = connection.close().await;
        }
        backup::as_open_as_the_file(self.writer.connect_options().get_filename());
    }

    /// One statement in a transaction of its own, so that its failure can be told from that of COMMIT.
    async fn write(&self, statement: Query<'static, Sqlite, SqliteArguments>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        statement.execute(&mut *tx).await.map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        if self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        // Another process may have migrated meanwhile.
        match self.look_at_schema().await? {
            Standing::Current => Ok(()),
            Standing::Behind(applied) => Err(Standing::behind(applied)),
        }
    }

    async fn look_at_schema(&self) -> Result<Standing, StoreError> {
        let mut connection = self.writer.acquire().await.map_err(fault::meaning)?;
        let standing = migrate::standing(&mut connection).await?;
        if standing == Standing::Current {
            self.ready.store(true, Ordering::Release);
        }
        Ok(standing)
    }
}

/// Begins a transaction that writes.
async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, StoreError> {
    match writer.begin_with(IMMEDIATE).await {
        Err(sqlx::Error::Database(error)) if !fault::is_busy(error.as_ref()) => {
            // The engine may have begun all the same, and the driver does not know: nothing could be begun any more on
            // that connection, and it is the only one.
            if let Ok(mut connection) = writer.acquire().await {
                connection.close_on_drop();
            }
            Err(fault::meaning(sqlx::Error::Database(error)))
        }
        begun => begun.map_err(fault::meaning),
    }
}
