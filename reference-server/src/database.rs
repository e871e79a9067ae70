//! The database: which engine keeps complaints and accounts.

use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use complaint_core::store::{Store, StoreError};
use complaint_store_sqlx::postgres::PostgresOptions;
use complaint_store_sqlx::verify::{Heads, Verified};
use complaint_store_sqlx::{PostgresStore, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use thiserror::Error;

use crate::auth::accounts::{Accounts, PolicyVersions};
use crate::auth::{PostgresAccounts, SqliteAccounts};
use crate::config::DatabaseUrl;
use crate::identities::kept::Identities;
use crate::intake::kept::Inbox;
use crate::preferences::kept::KeptPreferences;
use crate::webhooks::kept::Endpoints;

/// Why the database could not be opened.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// There is none; only looking must not make one.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// Whether there is one cannot be seen, e.g. in a folder of somebody else.
    #[error("the database {} cannot be looked at", .0.display())]
    OutOfSight(PathBuf, #[source] std::io::Error),
    /// It cannot be opened, brought up to date or read.
    #[error("the database {database} cannot be used")]
    Unusable {
        /// Which, without a password.
        database: String,
        /// Why: what keeps complaints or what keeps accounts says.
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
}

impl DatabaseError {
    pub(crate) fn of(url: &DatabaseUrl, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unusable { database: url.to_string(), why: why.into() }
    }
}

/// An open database, brought up to date. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    /// Accounts, sessions, tokens and their mail.
    pub accounts: Arc<dyn Accounts>,
    /// Every version of the policy.
    pub policies: Arc<dyn PolicyVersions>,
    /// Endpoints of webhooks, and what was sent there.
    pub webhooks: Arc<dyn Endpoints>,
    /// Mail that came in.
    pub inbox: Arc<dyn Inbox>,
    /// What people chose about the notices to them.
    pub preferences: Arc<dyn KeptPreferences>,
    /// Who customers are at providers.
    pub identities: Arc<dyn Identities>,
    /// Complaints.
    pub store: Arc<dyn Store>,
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(SqliteAccounts, SqliteStore),
    Postgres(PostgresStore),
}

impl Database {
    /// Opens what a URL names. `durable`: what was answered survives power loss; a server that could lose it is refused.
    pub async fn open(url: &DatabaseUrl, durable: bool) -> Result<Self, DatabaseError> {
        Self::opened(url, durable).await.map_err(|why| DatabaseError::of(url, why))
    }

    async fn opened(url: &DatabaseUrl, durable: bool) -> Result<Self, Box<dyn Error + Send + Sync>> {
        match url {
            DatabaseUrl::Sqlite(url) => {
                let accounts = SqliteAccounts::open(url, durable).await?;
                let store = SqliteStore::open(url).await?;
                store.migrate().await?;
                Ok(Self {
                    accounts: Arc::new(accounts.clone()),
                    policies: Arc::new(accounts.clone()),
                    webhooks: Arc::new(accounts.clone()),
                    inbox: Arc::new(accounts.clone()),
                    preferences: Arc::new(accounts.clone()),
                    identities: Arc::new(accounts.clone()),
                    store: Arc::new(store.clone()),
                    engine: Engine::Sqlite(accounts, store),
                })
            }
            DatabaseUrl::Postgres(url) => {
                let store = opened(url.options.clone().announcing(), durable).await?;
                store.migrate().await?;
                let accounts = Arc::new(PostgresAccounts::beside(&store).await?);
                Ok(Self {
                    accounts: Arc::clone(&accounts) as _,
                    policies: Arc::clone(&accounts) as _,
                    webhooks: Arc::clone(&accounts) as _,
                    inbox: Arc::clone(&accounts) as _,
                    preferences: Arc::clone(&accounts) as _,
                    identities: accounts,
                    store: Arc::new(store.clone()),
                    engine: Engine::Postgres(store),
                })
            }
        }
    }

    /// Lets go what a courier of an earlier run held when it was killed. Whoever has locked the file knows that nobody is at it; on a
    /// PostgreSQL another server may be, and the lease has to end.
    pub(crate) async fn release_claims(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Engine::Sqlite(_, store) = &self.engine {
            let released = store.release_claims(now).await?;
            if released > 0 {
                tracing::info!(released, "notices that an earlier run had claimed go out now");
            }
        }
        Ok(())
    }

    /// The store that tells what other servers commit, where there can be others.
    pub(crate) fn shared(&self) -> Option<&PostgresStore> {
        match &self.engine {
            Engine::Sqlite(..) => None,
            Engine::Postgres(store) => Some(store),
        }
    }

    /// Closes every connection; what is under way is finished first.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(accounts, store) => {
                accounts.close().await;
                store.close().await;
            }
            Engine::Postgres(store) => store.close().await,
        }
    }
}

/// Whether states and logs of all complaints in a database are as they were committed. Changes nothing, not even an old schema.
///
/// `heads` are those that were kept elsewhere, and where to keep those of now.
pub async fn verify(url: &DatabaseUrl, heads: Heads<'_>) -> Result<Verified, DatabaseError> {
    let verified = match url {
        DatabaseUrl::Sqlite(file) => {
            existing(file)?;
            async { SqliteStore::open(file).await?.verify_with(heads).await }.await
        }
        // Whether the server could lose something is no matter for whoever only reads.
        DatabaseUrl::Postgres(server) => {
            async { opened(server.options.clone(), false).await?.verify_with(heads).await }.await
        }
    };
    verified.map_err(|why| DatabaseError::of(url, why))
}

/// What `verify` found, for programs.
pub fn verified_json(verified: &Verified) -> serde_json::Value {
    serde_json::json!({
        "intact": verified.is_intact(),
        "complaints": verified.complaints,
        "entries": verified.entries,
        "erased": verified.erased,
        "broken": verified.broken,
        "breaches": verified.breaches.iter().map(|breach| serde_json::json!({
            "complaint": breach.complaint, "entry": breach.seq, "told": breach.to_string(),
        })).collect::<Vec<_>>(),
        "miscounts": verified.miscounts.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The complaints of a database that is there, to be read. Changes nothing, not even an old schema.
pub async fn as_it_is(url: &DatabaseUrl) -> Result<Arc<dyn Store>, DatabaseError> {
    let opened: Result<Arc<dyn Store>, StoreError> = match url {
        DatabaseUrl::Sqlite(file) => {
            existing(file)?;
            SqliteStore::open(file).await.map(|store| Arc::new(store) as _)
        }
        DatabaseUrl::Postgres(server) => opened(server.options.clone(), false).await.map(|store| Arc::new(store) as _),
    };
    opened.map_err(|why| DatabaseError::of(url, why))
}

/// The file that a `sqlite:` URL names.
pub fn file_of(url: &str) -> Result<PathBuf, DatabaseError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|why| DatabaseError::Unusable { database: url.to_owned(), why: why.into() })?;
    Ok(options.get_filename().to_owned())
}

/// Refuses a file that is not there, which opening would make.
pub fn existing(url: &str) -> Result<(), DatabaseError> {
    let file = file_of(url)?;
    match std::fs::metadata(&file) {
        Ok(known) if known.is_file() => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(DatabaseError::OutOfSight(file, error)),
        _ => Err(DatabaseError::Missing(file)),
    }
}

async fn opened(options: PostgresOptions, durable: bool) -> Result<PostgresStore, StoreError> {
    if durable { options.open().await } else { options.not_durable().open().await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_not_called_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |inner: &str| format!("sqlite:{}/{inner}", folder.path().display());
        std::fs::write(folder.path().join("file"), "").expect("written");
        assert!(existing(&at("file")).is_ok());
        assert!(matches!(existing(&at("none")), Err(DatabaseError::Missing(_))));
        // As in a folder of somebody else, which tests that run as root may look into.
        let error = existing(&at("file/complaints.db")).expect_err("a file is no folder");
        assert!(matches!(error, DatabaseError::OutOfSight(..)), "{error}");
    }
}
