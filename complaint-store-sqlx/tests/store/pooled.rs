//! Behind a `PgBouncer` that pools transactions: what works there, and what it has to be told.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster;
use complaint_core::conformance::{Opening, Story};
use complaint_core::store::{ComplaintStore, StoreError};
use complaint_store_sqlx::postgres::PostgresOptions;

/// From this version on it keeps prepared statements.
const KEEPS: (u32, u32) = (1, 21);

/// One of this test's own before the throwaway cluster, with two connections to it.
struct Bouncer {
    folder: tempfile::TempDir,
    child: Child,
}

impl Bouncer {
    /// Where there is the program.
    fn start(more: &str) -> Option<Self> {
        let url = cluster::url()?;
        if version().is_none() {
            assert!(
                std::env::var("COMPLAINT_REQUIRE_POSTGRES").as_deref() != Ok("1"),
                "PgBouncer is missing; tests/run installs it"
            );
            eprintln!("skipped: PgBouncer is missing; tests/run installs it");
            return None;
        }
        let server =
            url.split_once("host=").expect("a cluster behind a socket").1.split('&').next().unwrap_or_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let settings = format!(
            "[databases]\npostgres = host={server} dbname=postgres user=app\n[pgbouncer]\nunix_socket_dir = {path}\n\
             listen_port = 5432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1\n{more}\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let child = program(folder.path()).arg(folder.path().join("pgbouncer.ini")).spawn().unwrap();
        let bouncer = Self { folder, child };
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(bouncer.folder.path().join(".s.PGSQL.5432")).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "PgBouncer does not listen");
            std::thread::yield_now();
        }
        Some(bouncer)
    }

    fn options(&self, schema: &str) -> PostgresOptions {
        cluster::options_of(&format!("postgres://app@localhost/postgres?host={}", self.folder.path().display()), schema)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian does not put it in the path of everybody.
fn found() -> PathBuf {
    ["/usr/sbin/pgbouncer"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .unwrap_or_else(|| "pgbouncer".into())
}

fn version() -> Option<(u32, u32)> {
    let said = Command::new(found()).arg("--version").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let mut numbers = said.lines().next()?.strip_prefix("PgBouncer ")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// It refuses root, and its user has to reach its folder.
fn program(folder: &Path) -> Command {
    use std::os::unix::fs::MetadataExt;

    let mut command = if folder.metadata().unwrap().uid() == 0 {
        assert!(Command::new("chown").arg("-R").arg("postgres").arg(folder).status().unwrap().success());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(found());
        command
    } else {
        Command::new(found())
    };
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn unusable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unusable(why)) => why,
        other => panic!("{other:?} instead of unusable"),
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_what_a_connection_begins_with_is_told_what_to_set() {
    let Some(bouncer) = Bouncer::start("") else { return };
    let why = unusable(bouncer.options(&cluster::name()).open().await);
    assert!(why.contains("ignore_startup_parameters"), "{why}");
}

#[tokio::test]
async fn a_proxy_that_pools_transactions_keeps_statements_or_is_told_to() {
    let more = "ignore_startup_parameters = options, extra_float_digits\nmax_prepared_statements = 100";
    let keeps = version().is_some_and(|version| version >= KEEPS);
    let more = if keeps { more } else { more.split_once('\n').expect("two lines").0 };
    let Some(bouncer) = Bouncer::start(more) else { return };
    let schema = cluster::name();
    // Steps of its own are longer than any exchange, and many at once meet every connection of the proxy.
    let direct = cluster::options_of(&cluster::url().expect("there is one"), &schema).open().await.unwrap();
    direct.migrate().await.unwrap();
    let worked = async {
        let store = bouncer.options(&schema).open().await?;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 1..=40 {
            let store = store.clone();
            tasks.spawn(async move {
                let (mut told, opened) = Story::open(&Opening::numbered(number));
                store.commit(&opened).await?;
                store.commit(&told.note("Behind a proxy.")).await?;
                assert_eq!(store.load(told.id()).await?.as_ref(), Some(told.state()));
                Ok::<_, StoreError>(())
            });
        }
        let mut worked = Ok(());
        while let Some(done) = tasks.join_next().await {
            worked = worked.and(done.unwrap());
        }
        worked
    };
    let worked = worked.await;
    if keeps {
        worked.unwrap();
    } else {
        let why = unusable(worked);
        assert!(why.contains("max_prepared_statements"), "{why}");
    }
    assert!(direct.verify_all().await.unwrap().is_intact());
}
