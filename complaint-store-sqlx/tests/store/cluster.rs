//! The PostgreSQL that `tests/run` starts, a schema of its own for each test, and a cluster of their own for those that
//! stop it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::PostgresOptions;
use sqlx::Executor;

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

/// The URL of a database of this test's own, made with such options: what is done there concerns nobody else.
pub(crate) async fn database(with: &str) -> Option<String> {
    let (url, name) = (url()?, name());
    let store = options_of(&url, "public").open().await.unwrap();
    let make = format!("CREATE DATABASE {name} TEMPLATE template0 {with}");
    store.pool().execute(sqlx::AssertSqlSafe(make)).await.unwrap();
    store.close().await;
    Some(url.replacen("/postgres?", &format!("/{name}?"), 1))
}

/// A PostgreSQL of this test's own, as durable as it comes, that can be stopped and started again.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    programs: PathBuf,
    /// A port of this machine that it listens on, beside its socket.
    port: Option<u16>,
}

impl Cluster {
    /// A new one that runs, where there is the throwaway one as well.
    pub(crate) fn start_new() -> Option<Self> {
        let cluster = Self::make(None)?;
        cluster.start();
        Some(cluster)
    }

    /// A new one that lets people in by its socket, and by a port of this machine only encrypted and with their password. Its
    /// certificate is for `localhost`, by the authority of the file [`root`](Self::root).
    pub(crate) fn start_new_secured() -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self::make(Some(free))?;
        let home = cluster.home();
        cluster.certify("root", &["-addext", "basicConstraints=critical,CA:TRUE"]);
        let by = ["-CA", "root.crt", "-CAkey", "root.key", "-addext", "subjectAltName=DNS:localhost"];
        cluster.certify("server", &[&by[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat());
        cluster.certify("other", &["-addext", "basicConstraints=critical,CA:TRUE"]);
        let doors = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(home.join("data/pg_hba.conf"), doors).unwrap();
        cluster.start();
        Some(cluster)
    }

    /// The certificate of the authority that stands behind the server's; and one of another authority.
    pub(crate) fn root(&self) -> PathBuf {
        self.home().join("root.crt")
    }

    pub(crate) fn other_root(&self) -> PathBuf {
        self.home().join("other.crt")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.expect("it listens")
    }

    /// A key and a certificate for it, in files of this name.
    fn certify(&self, name: &str, more: &[&str]) {
        let (key, certificate, subject) = (format!("{name}.key"), format!("{name}.crt"), format!("/CN={name}"));
        let request =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let files = ["-keyout", &key, "-out", &certificate, "-subj", &subject];
        self.run_at(Path::new("openssl"), &[&request[..], &files, more].concat());
    }

    fn make(port: Option<u16>) -> Option<Self> {
        url()?;
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { programs: programs(), folder, port };
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
        Some(cluster)
    }

    pub(crate) fn url(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!("&port={port}"));
        format!("postgres://app@localhost/postgres?host={}{port}", self.home().display())
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
        let door = self.port.map_or("-c listen_addresses=''".to_owned(), |port| {
            let certificate = format!("-c ssl_cert_file={home}/server.crt -c ssl_key_file={home}/server.key");
            format!("-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on {certificate}")
        });
        let options = format!("{door} -c unix_socket_directories={home}");
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
        self.run_at(&self.programs.join(program), arguments);
    }

    fn run_at(&self, program: &Path, arguments: &[&str]) {
        let mut command = if self.is_roots() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
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
