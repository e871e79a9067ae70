//! Several servers sweep at once, each with connections of its own: every clock fires once.

#[cfg(feature = "postgres")]
mod cluster;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::Actor;
use complaint_core::complaint::Complaint;
use complaint_core::policy::Category;
use complaint_core::store::Store;
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Desk, Policy};
use complaint_store_sqlx::SqliteStore;
use sqlx::Executor;

const DUE: usize = 500;

async fn each_clock_fires_once(stores: Vec<Arc<dyn Store>>) {
    // A Monday morning.
    let begun: DateTime<Utc> = "2026-03-02T09:00:00Z".parse().unwrap();
    let clock = ManualClock::at(begun);
    let mut policy = Policy::standard().with_category(Category::named("Water supply").unwrap());
    policy.open_complaints_per_customer = 1_000;
    let desks: Vec<Desk> = stores
        .into_iter()
        .zip(0..)
        .map(|(store, number)| {
            Desk::over(store, policy.clone())
                .with_clock(Arc::new(clock.clone()))
                .with_ids(Arc::new(CountedIds::from(1_000_000 * number)))
        })
        .collect();
    let john = desks[0].acting_as(Actor::customer("john").unwrap());
    let mut ids = Vec::new();
    for number in 0..DUE {
        let submission = Complaint::about("Water supply", format!("No water {number}"), "Since Monday.").unwrap();
        ids.push(john.submit(submission).await.unwrap().id());
    }

    for days in [4, 14, 40] {
        clock.set(begun + TimeDelta::days(days));
        let mut sweepers = tokio::task::JoinSet::new();
        for desk in desks.clone() {
            sweepers.spawn(async move { desk.sweep_clocks().await.unwrap() });
        }
        let swept = sweepers.join_all().await;
        let fired: u32 = swept.iter().map(|swept| swept.clocked).sum();
        assert_eq!(fired as usize, DUE, "after {days} days: {swept:?}");
        assert!(swept.iter().filter(|swept| swept.clocked > 0).count() > 1, "only one ever swept: {swept:?}");
    }
    // All are alike, so their logs are: none has an entry too few or too many.
    let story = async |id| -> Vec<String> {
        let log = desks[0].whole_log(id).await.unwrap();
        log.iter().map(|entry| format!("{:?} {:?} {}", entry.place, entry.event, entry.at)).skip(1).collect()
    };
    let first = story(ids[0]).await;
    assert!(first.len() > 3, "nothing fired: {first:#?}");
    for id in ids {
        assert_eq!(story(id).await, first);
        assert!(desks[0].replays(id).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_clock_fires_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..4 {
        let store = SqliteStore::open(&url).await.unwrap();
        store.writer().execute("PRAGMA synchronous = OFF").await.unwrap();
        store.migrate().await.unwrap();
        stores.push(Arc::new(store));
    }
    each_clock_fires_once(stores).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_clock_fires_once_on_postgresql() {
    let Some(options) = cluster::options() else { return };
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..4 {
        let store = options.clone().open().await.unwrap();
        store.migrate().await.unwrap();
        stores.push(Arc::new(store));
    }
    each_clock_fires_once(stores).await;
}
