//! Several servers sweep at once, each a process of its own: every clock fires once. Several couriers claim at once:
//! each notice is held by one.

use std::sync::Arc;

use crate::books::Engine;
#[cfg(feature = "postgres")]
use crate::process::SCHEMA;
use crate::process::{Process, STORE, ready, say, told};
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::conformance::{Opening, Story, second};
use complaint_core::policy::Category;
use complaint_core::store::Store;
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Actor, Desk, Policy};
use complaint_store_sqlx::SqliteStore;
use sqlx::Executor;

const SWEEPERS: u64 = 4;
const DUE: usize = 500;

/// Set in a sweeping process: which one it is.
const NUMBER: &str = "COMPLAINT_PROCESS_NUMBER";

/// A Monday morning.
fn begun() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn desk(store: Arc<dyn Store>, clock: &ManualClock, number: u64) -> Desk {
    let mut policy = Policy::standard().with_category(Category::named("Water supply").unwrap());
    policy.open_complaints_per_customer = 1_000;
    let ids = Arc::new(CountedIds::from(1_000_000 * number));
    Desk::over(store, policy).with_clock(Arc::new(clock.clone())).with_ids(ids)
}

async fn open(url: &str) -> SqliteStore {
    let store = SqliteStore::open(url).await.unwrap();
    // Neither power nor process is lost here.
    store.writer().execute("PRAGMA synchronous = OFF").await.unwrap();
    store
}

#[tokio::test]
#[ignore = "the process that others start"]
async fn sweeping_process() {
    let Some((url, number)) = told(STORE).zip(told(NUMBER)) else { return };
    #[cfg(feature = "postgres")]
    let store: Arc<dyn Store> = match told(SCHEMA) {
        Some(schema) => Arc::new(crate::cluster::options_of(&url, &schema).open().await.unwrap()),
        None => Arc::new(open(&url).await),
    };
    #[cfg(not(feature = "postgres"))]
    let store: Arc<dyn Store> = Arc::new(open(&url).await);
    let clock = ManualClock::at(begun());
    let desk = desk(store, &clock, number.parse().unwrap());
    while let Some(now) = ready() {
        clock.set(now.parse().unwrap());
        say(&desk.sweep_clocks().await.unwrap().clocked.to_string());
    }
}

async fn each_clock_fires_once(store: Arc<dyn Store>, told: &[(&str, String)]) {
    let desk = desk(store, &ManualClock::at(begun()), 0);
    let john = desk.acting_as(Actor::customer("john").unwrap());
    let mut ids = Vec::new();
    for number in 0..DUE {
        let submission = Complaint::about("Water supply", format!("No water {number}"), "Since Monday.").unwrap();
        ids.push(john.submit(submission).await.unwrap().id());
    }

    let start = |number: u64| {
        let mut told = told.to_vec();
        told.push((NUMBER, number.to_string()));
        Process::start("sweepers::sweeping_process", &told)
    };
    let mut sweepers: Vec<Process> = (1..=SWEEPERS).map(start).collect();
    for days in [4, 14, 40] {
        sweepers.iter_mut().for_each(Process::wait_until_ready);
        let now = (begun() + TimeDelta::days(days)).to_rfc3339();
        for sweeper in &mut sweepers {
            sweeper.tell(&now);
        }
        let fired: Vec<usize> = sweepers.iter_mut().map(|sweeper| sweeper.line().unwrap().parse().unwrap()).collect();
        assert_eq!(fired.iter().sum::<usize>(), DUE, "after {days} days: {fired:?}");
        assert!(fired.iter().filter(|fired| **fired > 0).count() > 1, "only one ever swept: {fired:?}");
    }
    // All are alike, so their logs are: none has an entry too few or too many.
    let told = async |id| -> Vec<String> {
        let log = desk.whole_log(id).await.unwrap();
        log.iter().map(|entry| format!("{:?} {:?} {}", entry.place, entry.event, entry.at)).skip(1).collect()
    };
    let first = told(ids[0]).await;
    assert!(first.len() > 3, "nothing fired: {first:#?}");
    for id in ids {
        assert_eq!(told(id).await, first);
        assert!(desk.replays(id).await.unwrap());
    }
}

#[tokio::test]
async fn each_clock_fires_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = open(&url).await;
    store.migrate().await.unwrap();
    each_clock_fires_once(Arc::new(store), &[(STORE, url)]).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn each_clock_fires_once_on_postgresql() {
    let Some(store) = crate::cluster::fresh().await else { return };
    let told = [(STORE, crate::cluster::url().unwrap()), (SCHEMA, store.schema().to_owned())];
    each_clock_fires_once(Arc::from(store as Box<dyn Store>), &told).await;
}

/// Each through connections of its own, as another server has them.
async fn couriers_never_hold_one_notice(engines: [Engine; 2]) {
    const NOTICES: u32 = 300;
    for number in 1..=NOTICES {
        engines[0].store().commit(&Story::open(&Opening::numbered(number)).1).await.unwrap();
    }
    let mut couriers = tokio::task::JoinSet::new();
    for courier in 0..8 {
        let engine = engines[courier % 2].clone();
        couriers.spawn(async move {
            let mut held = Vec::new();
            loop {
                let claimed = engine.store().claim(second(1_000), second(2_000), 10).await.unwrap();
                if claimed.is_empty() {
                    return held;
                }
                held.extend(claimed.into_iter().map(|claimed| claimed.notice.id));
            }
        });
    }
    let held = couriers.join_all().await;
    assert!(held.iter().filter(|held| !held.is_empty()).count() > 1, "only one ever claimed");
    let mut held = held.concat();
    assert_eq!(held.len(), NOTICES as usize);
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), NOTICES as usize, "a notice was held twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn couriers_never_hold_one_notice_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let stores = [open(&url).await, open(&url).await];
    stores[0].migrate().await.unwrap();
    couriers_never_hold_one_notice(stores.map(Engine::Sqlite)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn couriers_never_hold_one_notice_on_postgresql() {
    let Some(options) = crate::cluster::options() else { return };
    let stores = [options.clone().open().await.unwrap(), options.open().await.unwrap()];
    stores[0].migrate().await.unwrap();
    couriers_never_hold_one_notice(stores.map(Engine::Postgres)).await;
}
