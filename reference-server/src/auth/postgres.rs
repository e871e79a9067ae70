//! Accounts in the PostgreSQL database of the servers, beside the complaint store's tables and on its connections.

#[path = "sql.rs"]
#[expect(clippy::duplicate_mod, reason = "what it says is compiled once for each engine")]
mod sql;

use complaint_store_sqlx::PostgresStore;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{Executor as _, Postgres, Row as _, Transaction};

use super::accounts::AccountsError;
use sql::Turn;

type Kept = PostgresAccounts;
type Connection = PgConnection;
type Row = PgRow;

/// What another server claims or settles at the moment is passed over: it is in good hands.
const CLAIM_MAIL: &str = "WITH due AS MATERIALIZED (
        SELECT id FROM server_mail_outbox WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= $1
        ORDER BY next_try_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
    UPDATE server_mail_outbox AS mail SET next_try_at = $2 FROM due WHERE mail.id = due.id
    RETURNING mail.id, mail.account_id, mail.kind, mail.attempts, mail.created_at";

/// Lasts for the transaction: one that lasts for a session is lost behind a proxy that pools transactions.
const TAKE_TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' server ' || $1, 0))";

const SCHEMA: &str = "SELECT current_schema()::text, to_regclass('server_schema') IS NOT NULL";
const CREATE_SCHEMA: &str = "CREATE TABLE server_schema (
        version bigint PRIMARY KEY, name text NOT NULL, hash bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const APPLIED: &str = "SELECT version, hash FROM server_schema ORDER BY version";
const RECORD: &str = "INSERT INTO server_schema (version, name, hash) VALUES ($1, $2, $3)";

/// Numbered from 1, in order; one that was released is never edited.
const MIGRATIONS: [(&str, &str); 1] = [("accounts", include_str!("../../migrations/postgres/0001_accounts.sql"))];

/// Accounts and policy versions in a schema of a PostgreSQL database, beside the complaint store's tables.
#[derive(Clone)]
pub struct PostgresAccounts {
    pool: PgPool,
}

impl PostgresAccounts {
    /// Accounts in the schema of a store that is migrated, on its connections; brings their tables up to date. Safe to call
    /// from several servers at once.
    pub async fn beside(store: &PostgresStore) -> Result<Self, AccountsError> {
        let accounts = Self { pool: store.pool().clone() };
        accounts.migrate(store.schema()).await?;
        Ok(accounts)
    }

    /// A transaction that takes its turn among those of its kind, of all servers.
    async fn begin(&self, turn: Turn) -> Result<Transaction<'static, Postgres>, AccountsError> {
        let mut tx = self.pool.begin().await.map_err(fault)?;
        let turn = match turn {
            Turn::Accounts => "accounts",
            Turn::Attempts => "attempts",
            Turn::Policy => "policy",
            Turn::Free => return Ok(tx),
        };
        sqlx::query(TAKE_TURN).bind(turn).execute(&mut *tx).await.map_err(fault)?;
        Ok(tx)
    }

    async fn migrate(&self, schema: &str) -> Result<(), AccountsError> {
        loop {
            let mut tx = self.pool.begin().await.map_err(fault)?;
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
