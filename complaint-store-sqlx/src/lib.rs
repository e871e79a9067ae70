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
