//! Copies by the programs that come with PostgreSQL, made while others write.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use complaint_core::store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::process::Command;

use super::{PostgresOptions, fault};
use crate::backup::{Aside, cannot, damaged, text};
use crate::verify::{Heads, Verified};

impl PostgresOptions {
    /// Copies the schema, with the host's own tables in it, to a file where nothing is, by `pg_dump`. The copy is of one
    /// moment; writers go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if something is there or it cannot be written, if `pg_dump` is not in the search path or
    /// older than the server, and with what it says otherwise. Nothing is left then.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), complaint_core::store::StoreError> {
    /// use std::path::Path;
    /// use complaint_store_sqlx::postgres::PostgresOptions;
    ///
    /// let options = PostgresOptions::new("postgres://app@db.example.org/app?sslmode=verify-full")?;
    /// options.back_up(Path::new("complaints.dump")).await?;
    /// assert!(options.drill(Path::new("complaints.dump")).await?.is_intact());
    /// # Ok(()) }
    /// ```
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let aside = Aside::of(to)?;
        let mut dump = self.program("pg_dump", &self.connect)?;
        // A lock that is not given must not keep a backup waiting for ever.
        dump.args(["--format=custom", "--lock-wait-timeout=60s"]).arg(format!("--schema={}", self.schema));
        dump.arg(format!("--file={}", text(aside.path())?));
        run("pg_dump", dump).await.map_err(|why| why.into_error(|said| format!("pg_dump: {said}")))?;
        aside.keep().await
    }

    /// Puts a backup in the database and the schema of these options, by `pg_restore`, all of it or nothing. The schema may
    /// be there, but nothing in it; its name is that of the backup's.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if something is there, or the backup is missing, damaged or of another schema;
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub async fn restore(&self, backup: &Path) -> Result<(), StoreError> {
        self.restore_to(backup, &self.connect).await
    }

    /// Restores a backup into a database made for that on the same server, walks along all logs there and drops it again.
    /// What an earlier drill of this role and database left because it was killed is dropped as well.
    ///
    /// # Errors
    /// As [`restore`](Self::restore), and [`StoreError::Unusable`] if the role may not make databases.
    pub async fn drill(&self, backup: &Path) -> Result<Verified, StoreError> {
        self.drill_with(backup, Heads::default()).await
    }

    /// As [`drill`](Self::drill), with [heads](Heads) to look for in the backup and to keep of it.
    ///
    /// # Errors
    /// As [`drill`](Self::drill) and [`PostgresStore::verify_with`](super::PostgresStore::verify_with).
    pub async fn drill_with(&self, backup: &Path, heads: Heads<'_>) -> Result<Verified, StoreError> {
        let mut connection = self.connected(&self.connect).await?;
        let kind: String =
            sqlx::query_scalar(DRILLS_OF_THIS).fetch_one(&mut connection).await.map_err(fault::meaning)?;
        drop_left(&mut connection, &kind).await?;
        let name = format!("{kind}{:016x}", rand::random::<u64>());
        // First, so that no other drill ever finds it without.
        held_by_us(&mut connection, &name).await?;
        let make = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.map_err(|error| match error {
            sqlx::Error::Database(said) => StoreError::Unusable(format!(
                "a drill needs a role that may make databases (ALTER ROLE … CREATEDB): {said}"
            )),
            other => fault::meaning(other),
        })?;
        let mut scratch = self.clone();
        scratch.connect = scratch.connect.database(&name);
        let verified = scratch.verified(backup, heads).await;
        let dropped = drop_database(&mut connection, &name).await;
        let verified = verified?;
        dropped?;
        connection.close().await.map_err(fault::meaning)?;
        Ok(verified)
    }

    async fn verified(self, backup: &Path, heads: Heads<'_>) -> Result<Verified, StoreError> {
        self.restore_to(backup, &self.connect).await?;
        let store = self.not_durable().open().await?;
        // It may be of an earlier version.
        store.migrate().await?;
        let verified = store.verify_with(heads).await;
        store.close().await;
        verified
    }

    async fn restore_to(&self, backup: &Path, database: &PgConnectOptions) -> Result<(), StoreError> {
        std::fs::File::open(backup).map_err(|fault| cannot("read", backup, &fault))?;
        let mut connection = self.connected(database).await?;
        if self.tables(&mut connection, "%").await? > 0 {
            return Err(StoreError::Unusable(format!("the schema {} is not empty", self.schema)));
        }
        // Not part of what is restored: `public` is there in every database.
        let make = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", self.schema);
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.map_err(fault::meaning)?;
        let mut restore = self.program("pg_restore", database)?;
        restore.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]);
        restore
            .arg(format!("--schema={}", self.schema))
            .arg("--dbname")
            .arg(database.get_database().unwrap_or_default());
        restore.arg(text(backup)?);
        run("pg_restore", restore).await.map_err(|why| match why {
            Failed::Missing(..) => why.into_error(|said| said),
            Failed::Said(said) => damaged(backup, &said),
        })?;
        let ours = self.tables(&mut connection, "complaint\\_schema").await?;
        connection.close().await.map_err(fault::meaning)?;
        if ours == 0 {
            return Err(StoreError::Unusable(format!(
                "{} holds no complaints in a schema {}",
                backup.display(),
                self.schema
            )));
        }
        Ok(())
    }

    async fn tables(&self, connection: &mut PgConnection, like: &str) -> Result<i64, StoreError> {
        let tables = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename LIKE $2";
        let row = sqlx::query(tables).bind(&self.schema).bind(like).fetch_one(connection).await;
        row.and_then(|row| row.try_get(0)).map_err(fault::meaning)
    }

    /// A program of PostgreSQL that goes to a database.
    fn program(&self, name: &str, database: &PgConnectOptions) -> Result<Command, StoreError> {
        let mut program = Command::new(name);
        program.arg("--no-password").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let socket = database.get_socket().map(|folder| folder.as_os_str());
        program.env("PGHOST", socket.unwrap_or(OsStr::new(database.get_host())));
        program.env("PGPORT", database.get_port().to_string());
        program.env("PGUSER", database.get_username());
        program.env("PGDATABASE", database.get_database().unwrap_or(database.get_username()));
        program.env(
            "PGSSLMODE",
            match database.get_ssl_mode() {
                PgSslMode::Disable => "disable",
                PgSslMode::Allow => "allow",
                PgSslMode::Prefer => "prefer",
                PgSslMode::Require => "require",
                PgSslMode::VerifyCa => "verify-ca",
                PgSslMode::VerifyFull => "verify-full",
            },
        );
        program.env_remove("PGOPTIONS");
        self.given.tell(&mut program)?;
        Ok(program)
    }
}

/// What the databases of drills begin with that were begun from this one: locks of one database are not seen in another.
const DRILLS_OF_THIS: &str =
    "SELECT format('complaint_drill_%s_', oid) FROM pg_database WHERE datname = current_database()";
const LEFT: &str = "SELECT datname::text FROM pg_database WHERE datname ~ ('^' || $1 || '[0-9a-f]{16}$') \
                    AND pg_get_userbyid(datdba) = current_user";
/// Lasts as long as the connection, so as long as the drill is alive.
const HOLD: &str = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";

/// Drops what drills left that are no more.
async fn drop_left(connection: &mut PgConnection, kind: &str) -> Result<(), StoreError> {
    let left: Vec<String> =
        sqlx::query_scalar(LEFT).bind(kind).fetch_all(&mut *connection).await.map_err(fault::meaning)?;
    for name in left {
        if !held_by_us(connection, &name).await? {
            continue;
        }
        // It is in nobody's way, so it is no reason to fail either.
        if let Err(trouble) = drop_database(connection, &name).await {
            tracing::warn!(name, error = &trouble as &dyn std::error::Error, "what a drill left cannot be dropped");
        }
    }
    Ok(())
}

async fn held_by_us(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar(HOLD).bind(name).fetch_one(connection).await.map_err(fault::meaning)
}

/// A name of these has nothing in it that would have to be quoted.
async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    sqlx::raw_sql(drop).execute(connection).await.map(|_| ()).map_err(fault::meaning)
}

enum Failed {
    Missing(String),
    Said(String),
}

impl Failed {
    fn into_error(self, told: impl FnOnce(String) -> String) -> StoreError {
        StoreError::Unusable(match self {
            Self::Missing(why) => why,
            Self::Said(said) => told(said),
        })
    }
}

async fn run(name: &str, mut program: Command) -> Result<(), Failed> {
    let ended = program.output().await.map_err(|fault| {
        Failed::Missing(format!(
            "{name} cannot be started ({fault}): the client programs of PostgreSQL must be in the search path, of the server's \
             version or a later one"
        ))
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = said.trim().lines().next().map_or_else(|| ended.status.to_string(), str::to_owned);
    Err(Failed::Said(said.strip_prefix(&format!("{name}: ")).unwrap_or(&said).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_given_as_it_is_and_not_among_the_arguments() {
        let url = "postgres://u:p%40%2F%25%20%C3%A4@db.example.org/c?sslmode=verify-full&sslrootcert=%2Fca.crt";
        let options = PostgresOptions::new(url).unwrap();
        let program = options.program("pg_dump", &options.connect).unwrap();
        let value = |name| program.as_std().get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        for (name, expected) in [
            ("PGPASSWORD", "p@/% ä"),
            ("PGHOST", "db.example.org"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.crt"),
        ] {
            assert_eq!(value(name), Some(OsStr::new(expected)), "{name}");
        }
        assert_eq!(program.as_std().get_args().collect::<Vec<_>>(), ["--no-password"]);
    }

    #[test]
    fn a_program_is_not_given_a_certificate_for_a_path() {
        let options = PostgresOptions::new("postgres://u@db/c?sslrootcert=-----BEGIN+CERTIFICATE-----").unwrap();
        let refused = options.program("pg_dump", &options.connect).unwrap_err().to_string();
        assert!(refused.contains("sslrootcert holds a certificate"), "{refused}");
    }
}
