//! How connections are made: what must hold on every one of them is set and then asked for.

use std::str::FromStr;
use std::time::Duration;

use complaint_core::store::StoreError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::{IMMEDIATE, fault};

/// How long a writer waits for another process to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a new file is tried while other processes make it, too.
const FIRST_ATTEMPTS: u32 = 50;
/// Connections that read. More do not read faster than there are cores, and each has its own cache of pages.
const READERS: u32 = 8;
/// What the write-ahead log is cut back to after a checkpoint.
const WAL_BYTES_KEPT: u32 = 64 * 1024 * 1024;

/// How much of the file a connection keeps in memory at most.
const CACHE_KIB: u32 = 16 * 1024;

/// The options of a database file.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let unusable = |why: String| StoreError::Unusable(format!("{url:?}: {why}"));
    let parsed = SqliteConnectOptions::from_str(url).map_err(|fault| unusable(fault.to_string()))?;
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    if parsed.get_filename().as_os_str().is_empty() || url.contains(":memory:") || parameters.contains("mode=memory") {
        return Err(unusable(
            "names no file; in memory nothing is durable and readers would wait for the writer: \
             use complaint_core::store::MemoryStore"
                .into(),
        ));
    }
    if parameters.contains("immutable") || parameters.contains("cache=shared") {
        return Err(unusable("immutable and cache=shared break what the store promises".into()));
    }
    Ok(kept(if parameters.contains("mode=") { parsed } else { parsed.create_if_missing(true) }))
}

/// What every connection to a file must be told.
pub(super) fn kept(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // Elsewhere these do nothing; macOS otherwise answers an fsync before the disk has the data.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .pragma("journal_size_limit", WAL_BYTES_KEPT.to_string())
        // The upper pages of every tree of a million complaints; with the usual 2 MB they are read again and again.
        .pragma("cache_size", format!("-{CACHE_KIB}"))
}

/// Makes sure, on a connection of its own, that the file and the engine can keep the store's promises. A pool would
/// go on trying until a caller's patience ends.
pub(super) async fn probe(options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = first_connection(options).await.map_err(|error| match &error {
        // A lock passes; anything else at the door is for the operator: no folder, no rights, no database.
        sqlx::Error::Database(database) if !fault::is_busy(database.as_ref()) => {
            StoreError::Unusable(database.to_string())
        }
        _ => fault::meaning(error),
    })?;
    check_durability(&mut connection).await.map_err(fault::meaning)?;
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await.map_err(fault::meaning)?;
    engine(&version)?;
    connection.close().await.map_err(fault::meaning)
}

/// The one connection that writes.
pub(super) fn writer(options: SqliteConnectOptions) -> SqlitePool {
    pool_options().max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options)
}

/// Connections that only read.
pub(super) fn readers(options: SqliteConnectOptions) -> SqlitePool {
    pool_options()
        .max_connections(READERS)
        .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"))
}

/// Turning a new file to WAL wants it alone and does not wait for it, so two processes that start together would meet
/// there. Waiting for the right to write does wait.
async fn first_connection(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    for _ in 0..FIRST_ATTEMPTS {
        match options.connect().await {
            Err(sqlx::Error::Database(database)) if fault::is_busy(database.as_ref()) => {}
            other => return other,
        }
        let waiting = SqliteConnectOptions::new().filename(options.get_filename()).busy_timeout(BUSY_TIMEOUT);
        let mut connection = waiting.connect().await?;
        connection.begin_with(IMMEDIATE).await?.rollback().await?;
    }
    options.connect().await
}

/// Up to 3.51.2 a reader that resets the write-ahead log can race with a writer and damage the file; 3.52.0 was
/// withdrawn.
fn engine(version: &str) -> Result<(), StoreError> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found >= (3, 51, 3) && found != (3, 52, 0) {
        Ok(())
    } else {
        Err(StoreError::Unusable(format!("SQLite {version} may damage data; 3.51.3 or later is needed, not 3.52.0")))
    }
}

fn pool_options() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(check_durability(connection)))
        // When the engine itself rolls back (disk full, I/O error), the driver goes on counting a transaction that is
        // gone, and every later one on that connection would fail. Such a connection is replaced.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// A pragma that could not be set is silently kept as it was, e.g. on a file system without shared memory.
async fn check_durability(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *connection).await?;
    if journal == "wal" && synchronous == 2 && foreign_keys == 1 {
        Ok(())
    } else {
        let found = format!("journal_mode {journal}, synchronous {synchronous}, foreign_keys {foreign_keys}");
        Err(sqlx::Error::Configuration(format!("the file does not take WAL, FULL and foreign keys: {found}").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_with_known_faults_are_refused() {
        for good in ["3.51.3", "3.51.10", "3.52.1", "3.53.0", "4.0.0"] {
            assert!(engine(good).is_ok(), "{good}");
        }
        for bad in ["3.51.2", "3.45.1", "3.52.0", "", "2.8.17"] {
            assert!(matches!(engine(bad), Err(StoreError::Unusable(_))), "{bad}");
        }
    }

    #[test]
    fn only_files_are_opened() {
        for good in ["sqlite:complaints.db", "sqlite:///var/lib/c.db", "complaints.db", "sqlite:c.db?mode=ro"] {
            assert!(options(good).is_ok(), "{good}");
        }
        let bad = [
            "sqlite::memory:",
            "sqlite:",
            "",
            "sqlite:x?mode=memory",
            "sqlite:x?immutable=1",
            "x?cache=shared",
            "x?mode=y",
        ];
        for bad in bad {
            assert!(matches!(options(bad), Err(StoreError::Unusable(_))), "{bad}");
        }
    }
}
