//! SQL storage for `complaint-core`.
//!
//! [`SqliteStore`] keeps complaints, their logs, agents' workloads and the outbox in one `SQLite` file; `PostgresStore`
//! (feature `postgres`) keeps them in a schema of a PostgreSQL database, for any number of servers. Both keep the same
//! promises, tried by the same tests. All tables begin with `complaint_`, so they can live beside a host's own, and
//! [`commit_in`](sqlite::commit_in) commits a change inside the host's own transaction. What was tampered with is found
//! by [`verify`].
//!
//! ```no_run
//! # async fn f() -> Result<(), complaint_core::store::StoreError> {
//! use complaint_store_sqlx::SqliteStore;
//!
//! let store = SqliteStore::open("sqlite:complaints.db").await?;
//! store.migrate().await?;
//! # Ok(()) }
//! ```
//!
//! The engines stand side by side, with the same file names, in `sqlite` (one writer, many readers) and `postgres`
//! (many servers; a commit is one call of a function in the database). What they share stands beside them: `codec`
//! and `read` say what rows hold, `list` makes every list one statement, `counts` says what triggers count, `chain`
//! hashes the append-only log, `verify` walks along it, and `backup` writes files that are whole or not there.

#[cfg(test)]
extern crate self as complaint_store_sqlx;

mod backup;
mod chain;
mod codec;
mod counts;
mod error;
mod list;
#[cfg(feature = "postgres")]
pub mod postgres;
mod read;
mod rows;
mod schema;
pub mod sqlite;
pub mod verify;

pub use backup::Scratch;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
