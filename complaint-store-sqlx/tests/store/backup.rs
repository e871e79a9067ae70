//! Backups: made beside a writer, tried, put back, and found out when they are damaged.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id};
use complaint_core::store::{ComplaintStore, Store, StoreError};
use complaint_store_sqlx::SqliteStore;

/// Begins complaints, each changed a few times, until it is told to stop; how many are acknowledged is counted.
async fn write_on(store: &dyn Store, written: &AtomicU32, stop: &AtomicBool) {
    store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let (mut story, opened) = Story::open(&Opening::numbered(number));
        store.commit(&opened).await.unwrap();
        store.commit(&story.assign(&agent_id("asha"), None)).await.unwrap();
        store.commit(&story.note("Rang twice.")).await.unwrap();
        written.store(number, Ordering::Relaxed);
    }
}

async fn until_written(written: &AtomicU32, many: u32) {
    while written.load(Ordering::Relaxed) < many {
        tokio::task::yield_now().await;
    }
}

fn unusable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer.unwrap_err() {
        StoreError::Unusable(why) => why,
        other => panic!("{other:?} instead of unusable"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

async fn open(folder: &Path, name: &str) -> SqliteStore {
    SqliteStore::open(&format!("sqlite:{}", folder.join(name).display())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_backed_up_beside_a_writer_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), "c.db").await;
    store.migrate().await.unwrap();
    sqlx::raw_sql("CREATE TABLE hosts (name TEXT); INSERT INTO hosts VALUES ('kept')")
        .execute(store.writer())
        .await
        .unwrap();
    let backups = tempfile::tempdir().unwrap();
    let backup = backups.path().join("b.db");
    let (written, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let ((), before) = tokio::join!(write_on(&store, &written, &stop), async {
        until_written(&written, 20).await;
        let before = written.load(Ordering::Relaxed);
        let backed_up = store.back_up(&backup).await;
        until_written(&written, before + 5).await;
        stop.store(true, Ordering::Relaxed);
        backed_up.unwrap();
        before
    });
    assert_eq!(names(backups.path()), ["b.db"], "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let drilled = SqliteStore::drill(&backup, backups.path()).await.unwrap();
    assert!(drilled.is_intact() && drilled.complaints >= u64::from(before), "{before}: {drilled:?}");
    assert_eq!(names(backups.path()), ["b.db"], "a drill leaves nothing");

    let why = unusable(store.back_up(&backup).await);
    assert!(why.contains("b.db is there already"), "{why}");
    SqliteStore::restore(&backup, &folder.path().join("r.db")).await.unwrap();
    let restored = open(folder.path(), "r.db").await;
    assert_eq!(restored.verify_all().await.unwrap(), drilled);
    let kept: String = sqlx::query_scalar("SELECT name FROM hosts").fetch_one(restored.readers()).await.unwrap();
    assert_eq!(kept, "kept", "the host's own tables are part of it");
    restored.commit(&Story::open(&Opening::numbered(100_000)).1).await.unwrap();
    let why = unusable(SqliteStore::restore(&backup, &folder.path().join("c.db")).await);
    assert!(why.contains("c.db-wal is there already"), "{why}");
    std::fs::write(folder.path().join("x.db"), "").unwrap();
    let why = unusable(SqliteStore::restore(&backup, &folder.path().join("x.db")).await);
    assert!(why.contains("x.db is there already"), "{why}");
}

/// Of two backups, or two that are put back, that are for one place, one gets there and the other hears of it; what a killed one left
/// goes; and a folder may have any name.
#[tokio::test]
async fn a_place_is_taken_once_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), "c.db").await;
    store.migrate().await.unwrap();
    store.commit(&Story::open(&Opening::numbered(1)).1).await.unwrap();
    let backups = tempfile::tempdir().unwrap();
    let left = backups.path().join("complaint-scratch-0123456789abcdef");
    std::fs::create_dir(&left).unwrap();
    for name in ["alive", "b.db"] {
        std::fs::write(left.join(name), "half of it").unwrap();
    }
    let refused = |one: Result<(), StoreError>, other: Result<(), StoreError>| {
        assert!(one.is_ok() != other.is_ok(), "{one:?} and {other:?}");
        let why = unusable(one.and(other));
        assert!(why.contains("is there already"), "{why}");
    };
    let backup = backups.path().join("b.db");
    let (one, other) = tokio::join!(store.back_up(&backup), store.back_up(&backup));
    refused(one, other);
    let restored = backups.path().join("r.db");
    let (one, other) = tokio::join!(SqliteStore::restore(&backup, &restored), SqliteStore::restore(&backup, &restored));
    refused(one, other);
    assert_eq!(names(backups.path()), ["b.db", "r.db"]);

    let strange = folder.path().join("a%41b?mode=memory");
    std::fs::create_dir(&strange).unwrap();
    let drilled = SqliteStore::drill(&backup, &strange).await.unwrap();
    assert_eq!((drilled.complaints, drilled.is_intact()), (1, true));
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), "c.db").await;
    store.migrate().await.unwrap();
    for number in 1..=50 {
        store.commit(&Story::open(&Opening::numbered(number)).1).await.unwrap();
    }
    let scratch = tempfile::tempdir().unwrap();
    let backup = folder.path().join("b.db");
    store.back_up(&backup).await.unwrap();
    let good = std::fs::read(&backup).unwrap();
    let refused = async |name: &str, bytes: &[u8]| {
        let bad = folder.path().join(name);
        std::fs::write(&bad, bytes).unwrap();
        let why = unusable(SqliteStore::drill(&bad, scratch.path()).await);
        assert!(why.contains(name), "{why}");
        assert_eq!(names(scratch.path()), [""; 0], "{name} leaves nothing");
        why
    };
    assert!(refused("cut.db", &good[..good.len() / 2]).await.contains("is damaged"));
    assert!(refused("other.db", "no database. ".repeat(500).as_bytes()).await.contains("is damaged"));
    assert!(refused("empty.db", b"").await.contains("holds no complaints"));
    let mut torn = good.clone();
    // Where a complaint is and no table is named, so that it must be looked for.
    let words = b"Parcel 30 is late";
    let at = torn.windows(words.len()).position(|bytes| bytes == words).unwrap();
    torn[at / 4096 * 4096..][..64].fill(0xff);
    assert!(refused("torn.db", &torn).await.contains("is damaged"));
    let why = unusable(SqliteStore::drill(&folder.path().join("none.db"), scratch.path()).await);
    assert!(why.contains("cannot read") && why.contains("none.db"), "{why}");

    // A sound file in which somebody wrote is found by the chain.
    let rewritten = folder.path().join("rewritten.db");
    std::fs::write(&rewritten, &good).unwrap();
    let other = open(folder.path(), "rewritten.db").await;
    sqlx::raw_sql("UPDATE complaint_state SET level = 2 WHERE row = 7").execute(other.writer()).await.unwrap();
    other.close().await;
    let drilled = SqliteStore::drill(&rewritten, scratch.path()).await.unwrap();
    assert_eq!((drilled.broken, drilled.complaints), (1, 50), "{drilled:?}");
}

#[cfg(feature = "postgres")]
mod postgres {
    use complaint_store_sqlx::postgres::PostgresOptions;
    use sqlx::AssertSqlSafe;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_schema_is_backed_up_beside_a_writer_and_put_back() {
        // In a database of its own: those of drills are named after it.
        let Some(url) = crate::cluster::database("").await else { return };
        let options = crate::cluster::options_of(&url, "complaints");
        let store = options.clone().open().await.unwrap();
        store.migrate().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("b.dump");
        let (written, stop) = (AtomicU32::new(0), AtomicBool::new(false));
        let ((), before) = tokio::join!(write_on(&store, &written, &stop), async {
            until_written(&written, 20).await;
            let before = written.load(Ordering::Relaxed);
            let backed_up = options.back_up(&backup).await;
            until_written(&written, before + 5).await;
            stop.store(true, Ordering::Relaxed);
            backed_up.unwrap();
            before
        });
        assert_eq!(names(folder.path()), ["b.dump"]);
        let drilled = options.drill(&backup).await.unwrap();
        assert!(drilled.is_intact() && drilled.complaints >= u64::from(before), "{before}: {drilled:?}");
        let left = "SELECT count(*) FROM pg_database WHERE datname ~ ('^complaint_drill_' || \
                    (SELECT oid FROM pg_database WHERE datname = current_database()) || '_')";
        let left: i64 = sqlx::query_scalar(left).fetch_one(store.pool()).await.unwrap();
        assert_eq!(left, 0, "a drill leaves no database");

        let why = unusable(options.restore(&backup).await);
        assert!(why.contains("is not empty"), "{why}");
        let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", store.schema()));
        sqlx::raw_sql(drop).execute(store.pool()).await.unwrap();
        options.restore(&backup).await.unwrap();
        let restored = options.clone().open().await.unwrap();
        assert_eq!(restored.verify_all().await.unwrap(), drilled);
        restored.commit(&Story::open(&Opening::numbered(100_000)).1).await.unwrap();
    }

    #[tokio::test]
    async fn a_damaged_or_strange_dump_is_named() {
        let Some(options) = crate::cluster::options() else { return };
        let store = options.clone().open().await.unwrap();
        store.migrate().await.unwrap();
        for number in 1..=50 {
            store.commit(&Story::open(&Opening::numbered(number)).1).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("b.dump");
        options.back_up(&backup).await.unwrap();
        let good = std::fs::read(&backup).unwrap();
        for (name, bytes) in [("cut.dump", &good[..good.len() / 2]), ("other.dump", &b"no dump"[..])] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            let why = unusable(options.drill(&folder.path().join(name)).await);
            assert!(why.contains(name) && why.contains("is damaged"), "{why}");
        }
        let another = crate::cluster::options().unwrap();
        let why = unusable(another.drill(&backup).await);
        assert!(why.contains("b.dump holds no complaints in a schema"), "{why}");
        let why = unusable(options.drill(&folder.path().join("none.dump")).await);
        assert!(why.contains("cannot read") && why.contains("none.dump"), "{why}");

        let role = format!("r{:016x}", rand::random::<u64>());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN"))).execute(store.pool()).await.unwrap();
        let url = crate::cluster::url().unwrap().replace("app@", &format!("{role}@"));
        let why = unusable(PostgresOptions::new(&url).unwrap().drill(&backup).await);
        assert!(why.contains("may make databases"), "{why}");
    }
}
