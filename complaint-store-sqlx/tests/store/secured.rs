//! PostgreSQL behind TLS and passwords: the right ones open it, and of the wrong ones it is said what is wrong, but never what
//! they are.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::Once;

use crate::cluster::Cluster;
use complaint_core::conformance::{Opening, Story};
use complaint_core::store::{ComplaintStore, StoreError};
use complaint_store_sqlx::postgres::PostgresOptions;
use sqlx::Executor;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

const PASSWORD: &str = "kettle-orbit-saddle-91";
const WRONG: &str = "plum-lantern-rivers-7";

thread_local! {
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Hears whatever is logged on a thread that listens, at whatever level and by whatever library. There is one for the whole
/// process: where a thread that nobody listens on comes first to a line that logs, that line would never be heard again.
struct Listener;

/// From now on what this thread logs is kept.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
    HEARD.set(Some(String::new()));
}

/// What this thread logged since it listens.
fn heard() -> String {
    HEARD.take().unwrap()
}

struct Fields(String);

impl Fields {
    fn hear(self) {
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.push_str(&self.0)));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        HEARD.with_borrow(Option::is_some)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        fields.hear();
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        fields.hear();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        fields.hear();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// All that an error says, to whoever asks.
fn told(error: &StoreError) -> String {
    let mut told = format!("{error} {error:?}");
    let mut next: Option<&dyn Error> = error.source();
    while let Some(source) = next {
        write!(told, " {source} {source:?}").unwrap();
        next = source.source();
    }
    told
}

fn url(cluster: &Cluster, user: &str, host: &str, parameters: &str) -> String {
    format!("postgres://{user}@{host}:{}/postgres?{parameters}", cluster.port())
}

fn verified(root: &Path) -> String {
    format!("sslmode=verify-full&sslrootcert={}", root.display())
}

fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url).unwrap().in_schema("complaints").unwrap()
}

async fn secured() -> Option<Cluster> {
    let cluster = Cluster::start_new_secured()?;
    let role =
        format!("CREATE ROLE care LOGIN CREATEDB PASSWORD '{PASSWORD}'; GRANT CREATE ON DATABASE postgres TO care");
    cluster.connection().await.execute(sqlx::AssertSqlSafe(role)).await.unwrap();
    Some(cluster)
}

#[tokio::test]
async fn the_right_certificate_and_password_open_it() {
    let Some(cluster) = secured().await else { return };
    listen();
    let user = format!("care:{PASSWORD}");
    let options = options(&url(&cluster, &user, "localhost", &verified(&cluster.root())));
    let store = options.clone().announcing().open().await.unwrap();
    store.migrate().await.unwrap();
    let (mut kettle, opened) = Story::open(&Opening::numbered(1));
    store.commit(&opened).await.unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(sqlx::query_scalar::<_, bool>(encrypted).fetch_one(store.pool()).await.unwrap());
    // What listens has a connection of its own.
    let mut changes = options.clone().open().await.unwrap().changes().await.unwrap();
    store.commit(&kettle.note("Rang twice.")).await.unwrap();
    changes.next().await.unwrap();
    // The programs of PostgreSQL get there, too.
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("complaints.dump");
    options.back_up(&backup).await.unwrap();
    assert_eq!(options.drill(&backup).await.unwrap().complaints, 1);
    assert_eq!(store.load(kettle.id()).await.unwrap().as_ref(), Some(kettle.state()));
    let shown = format!("{options:?} {store:?} {changes:?} {}", heard());
    assert!(shown.contains("localhost") && shown.contains("migrated"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_password() {
    let Some(cluster) = secured().await else { return };
    listen();
    let (root, other) = (verified(&cluster.root()), verified(&cluster.other_root()));
    let (right, wrong) = (format!("care:{PASSWORD}"), format!("care:{WRONG}"));
    let nowhere = verified(Path::new("/nowhere/root.crt"));
    let cases = [
        (url(&cluster, &right, "127.0.0.1", &root), "not valid for name \"127.0.0.1\""),
        (url(&cluster, &right, "localhost", &other), "UnknownIssuer"),
        (url(&cluster, &right, "localhost", "sslmode=verify-full"), "UnknownIssuer"),
        (url(&cluster, &right, "localhost", &nowhere), "sslrootcert: cannot read /nowhere/root.crt"),
        (url(&cluster, &right, "localhost", "sslmode=disable"), "no encryption"),
        (url(&cluster, &wrong, "localhost", &root), "password authentication failed for user \"care\""),
        (url(&cluster, "care", "localhost", &root), "the URL names no password"),
        (url(&cluster, "nobody:x", "localhost", &root), "password authentication failed for user \"nobody\""),
    ];
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("complaints.dump");
    std::fs::write(&backup, "no dump").unwrap();
    for (url, expected) in cases {
        let options = options(&url);
        let opened = options.clone().open().await.unwrap_err();
        let restored = options.restore(&backup).await.unwrap_err();
        for refused in [opened, restored] {
            assert!(matches!(&refused, StoreError::Unusable(why) if why.contains(expected)), "{expected}: {refused:?}");
            let told = told(&refused);
            assert!(!told.contains(PASSWORD) && !told.contains(WRONG), "{told}");
        }
        // What pg_dump says is its own; it must only keep the secret.
        let told = told(&options.back_up(&folder.path().join("other.dump")).await.unwrap_err());
        assert!(!told.contains(PASSWORD) && !told.contains(WRONG), "{told}");
    }
    // A server without encryption is not spoken to as if it had it.
    let Some(plain) = Cluster::start_new() else { return };
    let refused = options(&format!("{}&sslmode=require", plain.url())).open().await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unusable(why) if why.contains("does not support TLS")), "{refused:?}");
    let logged = heard();
    assert!(!logged.contains(PASSWORD) && !logged.contains(WRONG), "{logged}");
}
