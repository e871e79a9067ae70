//! Accounts in the `SQLite` file of the server.

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

use std::fs::File;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{SqlStr, Sqlite, Transaction};

use super::accounts::{AccountsError, HeldKey};
use sql::Turn;

type Kept = SqliteAccounts;
type Connection = SqliteConnection;
type Row = SqliteRow;

/// Own bookkeeping, so that these migrations and the store's can number themselves in one file.
const SCHEMA_TABLE: &str = "server_schema";
/// Writers take turns, so nobody else claims in between.
const CLAIM_MAIL: &str = "UPDATE server_mail_outbox SET next_try_at = $2 WHERE id IN (
        SELECT id FROM server_mail_outbox WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= $1 ORDER BY next_try_at, id LIMIT $3)
    RETURNING id, account_id, kind, sent_to, about, attempts, created_at";

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        migration(1, "accounts", include_str!("../../migrations/sqlite/0001_accounts.sql")),
        migration(2, "sign ups", include_str!("../../migrations/sqlite/0002_sign_ups.sql")),
        migration(3, "made under keys", include_str!("../../migrations/sqlite/0003_made_under_keys.sql")),
        migration(4, "phone codes", include_str!("../../migrations/sqlite/0004_phone_codes.sql")),
        migration(5, "webhooks", include_str!("../../migrations/sqlite/0005_webhooks.sql")),
        migration(6, "inbound mail", include_str!("../../migrations/sqlite/0006_inbound_mail.sql")),
        migration(7, "preferences", include_str!("../../migrations/sqlite/0007_preferences.sql")),
        migration(8, "links and codes", include_str!("../../migrations/sqlite/0008_links_and_codes.sql")),
        migration(9, "people", include_str!("../../migrations/sqlite/0009_people.sql")),
        migration(10, "acceptances", include_str!("../../migrations/sqlite/0010_acceptances.sql")),
        migration(11, "guests", include_str!("../../migrations/sqlite/0011_guests.sql")),
        migration(12, "second factor", include_str!("../../migrations/sqlite/0012_second_factor.sql")),
        migration(13, "codes for guests", include_str!("../../migrations/sqlite/0013_codes_for_guests.sql")),
        migration(14, "identities", include_str!("../../migrations/sqlite/0014_identities.sql")),
    ]);
    migrator.dangerous_set_table_name(SCHEMA_TABLE);
    migrator
});

/// Makes an empty file where there is none: the engine gives what it puts beside it the same mode. What is in the way is told on opening.
fn make_private(file: &Path) {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(file);
}

/// Accounts and policy versions in one `SQLite` file, beside the complaint store's tables.
#[derive(Clone)]
pub struct SqliteAccounts {
    pool: SqlitePool,
}

impl SqliteAccounts {
    /// Opens (or makes) the file behind a `sqlite:` URL and brings its tables up to date.
    ///
    /// `durable` asks for `synchronous=FULL`: what was answered survives power loss. A file that is made is its owner's alone to read, whatever
    /// folder it lies in, and so are the two beside it.
    pub async fn open(url: &str, durable: bool) -> Result<Self, AccountsError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(fault)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if durable { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        make_private(options.get_filename());
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .before_acquire(|_, its| Box::pin(async move { Ok(!is_bound(its.age)) }))
            .connect_with(options)
            .await
            .map_err(fault)?;
        MIGRATIONS.run(&pool).await.map_err(|error| AccountsError::Failed(Box::new(error)))?;
        Ok(Self { pool })
    }

    /// As [`SqliteAccounts::open`], by path.
    pub async fn open_file(path: &Path, durable: bool) -> Result<Self, AccountsError> {
        Self::open(&format!("sqlite:{}", path.display()), durable).await
    }

    /// Closes every connection; what is under way is finished first.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A write transaction: `IMMEDIATE`, because a read that turns into a write is refused at once when another writer is at work.
    /// All writers of a file take one turn.
    async fn begin(&self, _turn: Turn) -> Result<Transaction<'static, Sqlite>, AccountsError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(fault)
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>, AccountsError> {
        self.pool.acquire().await.map_err(fault)
    }

    /// There is no other server on this file.
    #[expect(clippy::unused_async, reason = "as on the other engine")]
    async fn hold(&self, _account_id: &str, _key: &str) -> Result<HeldKey, AccountsError> {
        Ok(Box::new(()))
    }
}

/// When a file was last found to be write-protected. A connection that was made before says so for ever, also when it is not any more.
static PROTECTED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether a connection of this age may still be bound by a protection that is over.
fn is_bound(age: Duration) -> bool {
    let protected = *PROTECTED.lock().unwrap_or_else(PoisonError::into_inner);
    protected.is_some_and(|at| at.elapsed() <= age)
}

/// Can trying again help? Locked, busy, full disks and lost connections pass; everything else is ours to mend.
fn fault(error: sqlx::Error) -> AccountsError {
    // Primary result codes of SQLite: 5 BUSY, 6 LOCKED, 10 IOERR, 13 FULL, 14 CANTOPEN; the extended code carries them in its low byte.
    let code = match &error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    // 8 READONLY.
    if code.is_some_and(|code| code & 0xff == 8) {
        *PROTECTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
    let passing = match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => true,
        sqlx::Error::Database(_) => code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14)),
        _ => false,
    };
    if passing { AccountsError::Unavailable(Box::new(error)) } else { AccountsError::Failed(Box::new(error)) }
}
