//! Copies by the programs that come with PostgreSQL, made while others write.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use complaint_core::store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::process::Command;

use super::{PostgresOptions, fault};
use crate::backup::{Aside, cannot, damaged, text};
use crate::verify::Verified;

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
        let mut dump = program("pg_dump", &self.connect)?;
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
    ///
    /// # Errors
    /// As [`restore`](Self::restore), and [`StoreError::Unusable`] if the role may not make databases.
    pub async fn drill(&self, backup: &Path) -> Result<Verified, StoreError> {
        let name = format!("complaint_drill_{:016x}", rand::random::<u64>());
        let mut connection = self.connect.connect().await.map_err(fault::meaning)?;
        let make = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.map_err(|error| match error {
            sqlx::Error::Database(said) => StoreError::Unusable(format!(
                "a drill needs a role that may make databases (ALTER ROLE … CREATEDB): {said}"
            )),
            other => fault::meaning(other),
        })?;
        let mut scratch = self.clone();
        scratch.connect = scratch.connect.database(&name);
        let verified = scratch.verified(backup).await;
        let dropped =
            sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut connection).await;
        let verified = verified?;
        dropped.map_err(fault::meaning)?;
        connection.close().await.map_err(fault::meaning)?;
        Ok(verified)
    }

    async fn verified(self, backup: &Path) -> Result<Verified, StoreError> {
        self.restore_to(backup, &self.connect).await?;
        let store = self.not_durable().open().await?;
        // It may be of an earlier version.
        store.migrate().await?;
        let verified = store.verify_all().await;
        store.close().await;
        verified
    }

    async fn restore_to(&self, backup: &Path, database: &PgConnectOptions) -> Result<(), StoreError> {
        std::fs::File::open(backup).map_err(|fault| cannot("read", backup, &fault))?;
        let mut connection = database.connect().await.map_err(fault::meaning)?;
        if self.tables(&mut connection, "%").await? > 0 {
            return Err(StoreError::Unusable(format!("the schema {} is not empty", self.schema)));
        }
        // Not part of what is restored: `public` is there in every database.
        let make = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", self.schema);
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut connection).await.map_err(fault::meaning)?;
        let mut restore = program("pg_restore", database)?;
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
}

/// A program of PostgreSQL that goes to a database. The password is in its environment: arguments can be read by
/// every user of a machine.
fn program(name: &str, database: &PgConnectOptions) -> Result<Command, StoreError> {
    let url = database.to_url_lossy();
    let mut program = Command::new(name);
    program.arg("--no-password").stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let socket = database.get_socket().map(|folder| folder.as_os_str());
    program.env("PGHOST", socket.unwrap_or(OsStr::new(database.get_host())));
    program.env("PGPORT", database.get_port().to_string());
    program.env("PGUSER", database.get_username());
    program.env("PGDATABASE", database.get_database().unwrap_or(database.get_username()));
    program.env_remove("PGPASSWORD").env_remove("PGOPTIONS");
    if let Some(password) = url.password() {
        program.env("PGPASSWORD", decoded(password)?);
    }
    for (name, value) in url.query_pairs().filter(|(name, _)| name.starts_with("ssl")) {
        program.env(format!("PG{}", name.to_uppercase()), value.as_ref());
    }
    Ok(program)
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

/// A password as the URL has it, byte by byte.
fn decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).map_err(|_| StoreError::Unusable("the password is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_given_as_it_is_and_not_among_the_arguments() {
        let options = PostgresOptions::new("postgres://u:p%40%2F%25%20%C3%A4@db.example.org/c").unwrap();
        let program = program("pg_dump", &options.connect).unwrap();
        let value = |name| program.as_std().get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value(OsStr::new("PGPASSWORD")), Some(OsStr::new("p@/% ä")));
        assert_eq!(value(OsStr::new("PGHOST")), Some(OsStr::new("db.example.org")));
        assert_eq!(value(OsStr::new("PGSSLMODE")), Some(OsStr::new("prefer")));
        assert_eq!(program.as_std().get_args().collect::<Vec<_>>(), ["--no-password"]);
    }
}
