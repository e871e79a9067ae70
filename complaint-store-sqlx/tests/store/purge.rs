//! What is done with is removed when the host says so, oldest first and as much as it says, and nothing else ever is.

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::conformance::{Opening, Story, second, under_key};
use complaint_core::notice::Settlement;
use complaint_core::store::{IdempotencyKey, StoreError};

use crate::books::Engine;

async fn purge_delivered(engine: &Engine, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
    match engine {
        Engine::Sqlite(store) => store.purge_delivered(before, limit).await,
        #[cfg(feature = "postgres")]
        Engine::Postgres(store) => store.purge_delivered(before, limit).await,
    }
}

async fn purge_keys(engine: &Engine, before: DateTime<Utc>, limit: u32) -> Result<u64, StoreError> {
    match engine {
        Engine::Sqlite(store) => store.purge_keys(before, limit).await,
        #[cfg(feature = "postgres")]
        Engine::Postgres(store) => store.purge_keys(before, limit).await,
    }
}

async fn what_is_done_with_goes_oldest_first(engine: &Engine) {
    engine.migrate().await.unwrap();
    let store = engine.store();
    let mut notices = Vec::new();
    let mut committed_at = Vec::new();
    for number in 1..=5 {
        let (_, opened) = Story::open(&Opening::numbered(number));
        let opened = under_key(opened, "customer:john", &format!("form-{number}"), "digest");
        store.commit(&opened).await.unwrap();
        committed_at.push(opened.parts()[0].entries().last().unwrap().at);
        notices.push(opened.notices()[0].id);
    }
    let [first, last] = [committed_at[0], committed_at[4]];
    assert!(committed_at.is_sorted() && first < last);
    let recalled = async || {
        let mut recalled = Vec::new();
        for number in 1..=5 {
            let key = IdempotencyKey::new("customer:john", format!("form-{number}")).unwrap();
            if store.recall(&key).await.unwrap().is_some() {
                recalled.push(number);
            }
        }
        recalled
    };

    // Delivered in another order than they were planned; one waits for another try, one was given up.
    let (retry, dead) =
        (Settlement::Retry { at: second(999), why: "busy".into() }, Settlement::Dead { why: "no such address".into() });
    let settled = [
        (2, Settlement::Delivered, 10),
        (0, Settlement::Delivered, 20),
        (1, Settlement::Delivered, 30),
        (3, retry, 5),
        (4, dead, 5),
    ];
    let claimed = store.claim(second(1_000_000), second(1_000_060), 9).await.unwrap();
    for (at, settlement, when) in settled {
        let claim = claimed.iter().find(|claim| claim.notice.id == notices[at]).unwrap();
        store.settle(claim, settlement, second(when)).await.unwrap();
    }
    let left = async || engine.ids("id", "complaint_outbox").await.len();
    assert_eq!(purge_delivered(engine, second(10), 9).await.unwrap(), 0, "not before that instant");
    assert_eq!(purge_delivered(engine, second(30), 0).await.unwrap(), 0);
    assert_eq!((purge_delivered(engine, second(30), 1).await.unwrap(), left().await), (1, 4));
    let mut expected: Vec<_> = [0, 1, 3, 4].map(|at: usize| notices[at].as_uuid()).into();
    expected.sort_unstable();
    assert_eq!(engine.ids("id", "complaint_outbox").await, expected, "the one that was delivered first is gone");
    assert_eq!(purge_delivered(engine, second(30), 9).await.unwrap(), 1);
    assert_eq!((purge_delivered(engine, second(99_999), 9).await.unwrap(), left().await), (1, 2));
    assert_eq!(store.waiting(None, 9).await.unwrap().len(), 1);
    assert_eq!(store.dead(None, 9).await.unwrap().len(), 1);
    assert_eq!(recalled().await, [1, 2, 3, 4, 5], "keys are another matter");

    assert_eq!(purge_keys(engine, first, 9).await.unwrap(), 0, "not before that instant");
    assert_eq!((purge_keys(engine, last, 2).await.unwrap(), recalled().await), (2, vec![3, 4, 5]));
    assert_eq!((purge_keys(engine, last, 9).await.unwrap(), recalled().await), (2, vec![5]));
    assert_eq!(purge_keys(engine, last + TimeDelta::microseconds(1), 9).await.unwrap(), 1);
    // It is a key like any other again.
    let again = under_key(Story::open(&Opening::numbered(6)).1, "customer:john", "form-1", "digest");
    store.commit(&again).await.unwrap();
    assert_eq!(recalled().await, [1]);
}

#[tokio::test]
async fn on_sqlite_what_is_done_with_goes_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = complaint_store_sqlx::SqliteStore::open(&url).await.unwrap();
    what_is_done_with_goes_oldest_first(&Engine::Sqlite(store)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn on_postgres_what_is_done_with_goes_oldest_first() {
    let Some(options) = crate::cluster::options() else { return };
    what_is_done_with_goes_oldest_first(&Engine::Postgres(options.open().await.unwrap())).await;
}
