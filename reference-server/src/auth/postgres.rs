//! Accounts in the PostgreSQL database of the servers, beside the complaint store's tables and on its connections.
//!
//! For a server that has fallen silent nobody waits longer here than in the store.

#[path = "../identities/sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod identities;
#[path = "../intake/sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod intake;
#[path = "../preferences/sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod preferences;
#[path = "second_factor/sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod second_factor;
#[path = "sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod sql;
#[path = "../webhooks/sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod webhooks;

use std::io;
use std::ops::{Deref, DerefMut};

use complaint_core::store::StoreError;
use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::Held;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, iter};
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, Row as _, SqlStr};

use super::accounts::{AccountsError, HeldKey};
use sql::Turn;

type Kept = PostgresAccounts;
type Connection = InTime;
type Row = PgRow;

/// What another server claims or settles at the moment is passed over: it is in good hands.
const CLAIM_MAIL: &str = "WITH due AS MATERIALIZED (
        SELECT id FROM server_mail_outbox WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= $1
        ORDER BY next_try_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
    UPDATE server_mail_outbox AS mail SET next_try_at = $2 FROM due WHERE mail.id = due.id
    RETURNING mail.id, mail.account_id, mail.kind, mail.sent_to, mail.about, mail.attempts, mail.created_at";

/// Lasts for the transaction: one that lasts for a session is lost behind a proxy that pools transactions.
const TAKE_TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' server ' || $1, 0))";

const SCHEMA: &str = "SELECT current_schema()::text, to_regclass('server_schema') IS NOT NULL";
const CREATE_SCHEMA: &str = "CREATE TABLE server_schema (
        version bigint PRIMARY KEY, name text NOT NULL, hash bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const APPLIED: &str = "SELECT version, hash FROM server_schema ORDER BY version";
const RECORD: &str = "INSERT INTO server_schema (version, name, hash) VALUES ($1, $2, $3)";

/// Numbered from 1, in order; one that was released is never edited.
const MIGRATIONS: [(&str, &str); 12] = [
    ("accounts", include_str!("../../migrations/postgres/0001_accounts.sql")),
    ("phone codes", include_str!("../../migrations/postgres/0002_phone_codes.sql")),
    ("webhooks", include_str!("../../migrations/postgres/0003_webhooks.sql")),
    ("inbound mail", include_str!("../../migrations/postgres/0004_inbound_mail.sql")),
    ("preferences", include_str!("../../migrations/postgres/0005_preferences.sql")),
    ("links and codes", include_str!("../../migrations/postgres/0006_links_and_codes.sql")),
    ("people", include_str!("../../migrations/postgres/0007_people.sql")),
    ("acceptances", include_str!("../../migrations/postgres/0008_acceptances.sql")),
    ("guests", include_str!("../../migrations/postgres/0009_guests.sql")),
    ("second factor", include_str!("../../migrations/postgres/0010_second_factor.sql")),
    ("codes for guests", include_str!("../../migrations/postgres/0011_codes_for_guests.sql")),
    ("identities", include_str!("../../migrations/postgres/0012_identities.sql")),
];

/// Accounts and policy versions in a schema of a PostgreSQL database, beside the complaint store's tables.
#[derive(Clone)]
pub struct PostgresAccounts {
    store: PostgresStore,
}

impl PostgresAccounts {
    /// Accounts in the schema of a store that is migrated, on its connections; brings their tables up to date. Safe to call
    /// from several servers at once.
    pub async fn beside(store: &PostgresStore) -> Result<Self, AccountsError> {
        let accounts = Self { store: store.clone() };
        accounts.migrate(store.schema()).await?;
        Ok(accounts)
    }

    async fn connection(&self) -> Result<Lent, AccountsError> {
        let held = self.store.hold().await.map_err(|trouble| match trouble {
            StoreError::Unavailable(source) => AccountsError::Unavailable(source),
            other => AccountsError::Failed(Box::new(other)),
        })?;
        Ok(Lent { connection: Some(InTime(held)), in_transaction: false })
    }

    /// A transaction that takes its turn among those of its kind, of all servers.
    async fn begin(&self, turn: Turn) -> Result<Lent, AccountsError> {
        match turn {
            Turn::Accounts => self.begin_alone("accounts").await,
            Turn::Attempts => self.begin_alone("attempts").await,
            Turn::Policy => self.begin_alone("policy").await,
            Turn::Mail => self.begin_alone("mail").await,
            Turn::Free => self.begin_freely().await,
        }
    }

    async fn begin_alone(&self, turn: &str) -> Result<Lent, AccountsError> {
        let mut lent = self.begin_freely().await?;
        sqlx::query(TAKE_TURN).bind(turn).execute(&mut *lent).await.map_err(fault)?;
        Ok(lent)
    }

    async fn begin_freely(&self) -> Result<Lent, AccountsError> {
        let mut lent = self.connection().await?;
        lent.begin().await.map_err(fault)?;
        Ok(lent)
    }

    async fn hold(&self, account_id: &str, key: &str) -> Result<HeldKey, AccountsError> {
        Ok(Box::new(self.begin_alone(&format!("made {account_id} {key}")).await?))
    }

    async fn migrate(&self, schema: &str) -> Result<(), AccountsError> {
        loop {
            let mut tx = self.store.pool().begin().await.map_err(fault)?;
            // Waiting for a server that migrates may take longer than any daily statement.
            tx.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await.map_err(fault)?;
            sqlx::query(TAKE_TURN).bind("migration").execute(&mut *tx).await.map_err(fault)?;
            // Asked under the lock, because another server may have been faster.
            let Some((version, name, text)) = missing(&applied(&mut tx, schema).await?)? else { return Ok(()) };
            if version == 1 {
                tx.execute(CREATE_SCHEMA).await.map_err(fault)?;
            }
            sqlx::raw_sql(text).execute(&mut *tx).await.map_err(fault)?;
            let record = sqlx::query(RECORD).bind(version).bind(name).bind(hash(text));
            record.execute(&mut *tx).await.map_err(fault)?;
            tx.commit().await.map_err(fault)?;
            tracing::info!(version, name, "migrated the accounts");
        }
    }
}

/// A connection on which no statement is waited for longer than the store does.
#[derive(Debug)]
pub struct InTime(Held);

impl InTime {
    fn answered<T>(&mut self, asked: Result<Result<T, sqlx::Error>, io::Error>) -> Result<T, sqlx::Error> {
        let answer = asked.unwrap_or_else(|silent| Err(sqlx::Error::Io(silent)));
        self.0.learn(&answer);
        answer
    }
}

impl<'c> Executor<'c> for &'c mut InTime {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let patience = self.0.patience();
        let asked = async move {
            let steps: Result<Vec<_>, _> = {
                let steps = (*self.0).fetch_many(query).try_collect();
                let asked = tokio::time::timeout(patience, steps).await;
                self.answered(asked.map_err(io::Error::from))
            };
            steps.map(|steps| iter(steps).map(Ok))
        };
        asked.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let patience = self.0.patience();
        async move {
            let asked = tokio::time::timeout(patience, (*self.0).fetch_optional(query)).await;
            self.answered(asked.map_err(io::Error::from))
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let patience = self.0.patience();
        async move {
            let asked = tokio::time::timeout(patience, (*self.0).prepare_with(sql, parameters)).await;
            self.answered(asked.map_err(io::Error::from))
        }
        .boxed()
    }
}

/// A connection, and whether a transaction was begun on it: unless that is committed, it is rolled back.
pub struct Lent {
    /// Until it is dropped.
    connection: Option<InTime>,
    in_transaction: bool,
}

impl Lent {
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        // Before it is known to have begun: given up while it is waited for, it may begin still.
        self.in_transaction = true;
        self.execute("BEGIN").await.map(drop)
    }

    async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take().filter(|_| self.in_transaction)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                if let Err(trouble) = connection.execute("ROLLBACK").await {
                    tracing::warn!(error = &trouble as &dyn std::error::Error, "a transaction was not rolled back");
                }
            });
        }
    }
}

impl Deref for Lent {
    type Target = InTime;

    fn deref(&self) -> &InTime {
        self.connection.as_ref().expect("it is taken when this is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut InTime {
        self.connection.as_mut().expect("it is taken when this is dropped")
    }
}

/// Versions and hashes of the migrations that were applied, in order.
async fn applied(tx: &mut PgConnection, schema: &str) -> Result<Vec<(i64, Vec<u8>)>, AccountsError> {
    let row = sqlx::query(SCHEMA).fetch_one(&mut *tx).await.map_err(fault)?;
    let found: Option<String> = row.try_get(0).map_err(fault)?;
    if found.as_deref() != Some(schema) {
        // A proxy kept the path from the server that was asked for.
        let found = found.unwrap_or_else(|| "no schema".to_owned());
        return Err(unfit(format!(
            "tables are looked for in {found}, not in {schema}: set the search_path of the role"
        )));
    }
    if !row.try_get::<bool, _>(1).map_err(fault)? {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(APPLIED).fetch_all(tx).await.map_err(fault)?;
    rows.iter().map(|row| Ok((row.try_get(0).map_err(fault)?, row.try_get(1).map_err(fault)?))).collect()
}

/// The next migration: its version, name and text.
fn missing(applied: &[(i64, Vec<u8>)]) -> Result<Option<(i64, &'static str, &'static str)>, AccountsError> {
    let mut known = (1..).zip(MIGRATIONS);
    for (version, its_hash) in applied {
        match known.next() {
            Some((number, (_, text))) if number == *version && hash(text) == *its_hash => {}
            Some((number, _)) if number == *version => {
                return Err(unfit(format!("migration {version} of the accounts is not the one this server knows")));
            }
            _ => {
                let known = MIGRATIONS.len();
                return Err(unfit(format!(
                    "the accounts are at version {version}, this server knows up to {known}: use a newer one"
                )));
            }
        }
    }
    Ok(known.next().map(|(version, (name, text))| (version, name, text)))
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

fn unfit(why: String) -> AccountsError {
    AccountsError::Failed(why.into())
}

/// Can trying again help? What the server could not do at the moment passes; everything else is ours to mend
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn fault(error: sqlx::Error) -> AccountsError {
    // Connection lost, transaction rolled back, too few resources, lock not to be had, stopped or timed out, I/O.
    const PASSING: [&str; 6] = ["08", "40", "53", "55P03", "57", "58"];
    const NOT_IN_THIS_ENCODING: &str = "22021";
    let code = match &error {
        sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
        _ => String::new(),
    };
    let passing = match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::Tls(_)
        | sqlx::Error::Io(_) => true,
        _ => PASSING.iter().any(|class| code.starts_with(class)),
    };
    if passing {
        AccountsError::Unavailable(Box::new(error))
    } else if code == NOT_IN_THIS_ENCODING {
        AccountsError::Unstorable
    } else {
        AccountsError::Failed(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_applied_is_compared_with_what_is_known() {
        let next = |applied: &[(i64, Vec<u8>)]| missing(applied).map(|next| next.map(|(version, ..)| version));
        let all: Vec<_> = (1..).zip(MIGRATIONS).map(|(version, (_, text))| (version, hash(text))).collect();
        assert_eq!(next(&[]).expect("fine"), Some(1));
        assert_eq!(next(&all).expect("fine"), None);
        let newer = [all.as_slice(), &[(99, vec![0])]].concat();
        let refused = crate::error::chain(&next(&newer).expect_err("newer"));
        assert!(refused.contains("at version 99") && refused.contains("use a newer one"), "{refused}");
        let refused = crate::error::chain(&next(&[(1, vec![0])]).expect_err("another"));
        assert!(refused.contains("migration 1 of the accounts is not the one"), "{refused}");
    }
}
