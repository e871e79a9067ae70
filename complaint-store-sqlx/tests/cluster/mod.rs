//! The PostgreSQL that `tests/run` starts, a schema of its own for each test, and a cluster of their own for those that
//! stop it.

#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::PostgresOptions;

/// The URL of a throwaway cluster, or nothing and a line that says so. With `COMPLAINT_REQUIRE_POSTGRES=1` nothing fails.
pub(crate) fn url() -> Option<String> {
    let url = std::env::var("COMPLAINT_TEST_POSTGRES").ok();
    if url.is_none() {
        assert!(
            std::env::var("COMPLAINT_REQUIRE_POSTGRES").as_deref() != Ok("1"),
            "COMPLAINT_TEST_POSTGRES names no PostgreSQL; tests/run starts one"
        );
        eprintln!("skipped: COMPLAINT_TEST_POSTGRES names no PostgreSQL; tests/run starts one");
    }
    url
}

/// A name that no other schema or database has.
pub(crate) fn name() -> String {
    format!("t{:032x}", rand::random::<u128>())
}

/// Options for a schema that nobody else has.
pub(crate) fn options() -> Option<PostgresOptions> {
    Some(options_of(&url()?, &name()))
}

/// Options for a schema that others may have as well.
pub(crate) fn options_of(url: &str, schema: &str) -> PostgresOptions {
    let options = PostgresOptions::new(url).unwrap().in_schema(schema).unwrap();
    options.not_durable().with_connections(5).with_statement_timeout(Duration::from_mins(1))
}

/// A migrated store in a schema of its own.
pub(crate) async fn fresh() -> Option<Box<PostgresStore>> {
    let store = options()?.open().await.unwrap();
    store.migrate().await.unwrap();
    Some(Box::new(store))
}

/// A PostgreSQL of this test's own, as durable as it comes, that can be stopped and started again.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl Cluster {
    /// A new one that runs, where there is the throwaway one as well.
    pub(crate) fn start_new() -> Option<Self> {
        url()?;
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { programs: programs(), folder };
        // The server refuses root, and its user has to reach its folder.
        std::fs::set_permissions(cluster.folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        std::fs::create_dir(cluster.home()).unwrap();
        if cluster.is_roots() {
            let owned = Command::new("chown").arg("postgres").arg(cluster.home()).status().unwrap();
            assert!(owned.success());
        }
        let data = cluster.data();
        let made = ["-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", &data];
        cluster.run("initdb", &made);
        cluster.start();
        Some(cluster)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://app@localhost/postgres?host={}", self.home().display())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home().join(".s.PGSQL.5432")
    }

    /// A connection, as soon as the server takes any.
    pub(crate) async fn connection(&self) -> sqlx::PgConnection {
        use sqlx::ConnectOptions;

        let options: sqlx::postgres::PgConnectOptions = self.url().parse().unwrap();
        let begun = Instant::now();
        loop {
            match options.connect().await {
                Ok(connection) => return connection,
                Err(error) => assert!(begun.elapsed() < Duration::from_mins(1), "{error}"),
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn start(&self) {
        let home = self.home().display().to_string();
        let options = format!("-c listen_addresses='' -c unix_socket_directories={home}");
        self.run("pg_ctl", &["-w", "-s", "-D", &self.data(), "-l", &format!("{home}/log"), "-o", &options, "start"]);
    }

    /// As a power cut does it: nothing is brought to an end.
    pub(crate) fn stop_at_once(&self) {
        self.run("pg_ctl", &["-w", "-s", "-D", &self.data(), "-m", "immediate", "stop"]);
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("postgres")
    }

    fn data(&self) -> String {
        self.home().join("data").display().to_string()
    }

    fn is_roots(&self) -> bool {
        self.folder.path().metadata().unwrap().uid() == 0
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if self.is_roots() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        // A server keeps what its starter had open: a pipe would never end.
        command
            .args(arguments)
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().unwrap();
        assert!(status.success(), "{} {arguments:?}: {status}", program.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if Path::new(&self.data()).join("postmaster.pid").exists() {
            self.stop_at_once();
        }
    }
}

/// Where the programs of the newest server are; Debian does not put them in the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions.filter_map(|version| {
        let version = version.ok()?;
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        let folder = version.path().join("bin");
        folder.join("initdb").exists().then_some((number, folder))
    });
    found.max().map(|(_, folder)| folder).unwrap_or_default()
}
