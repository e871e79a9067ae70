//! Many write to one complaint at once: each version is one accepted change, and whoever loses is told the version that won.

use std::time::{Duration, Instant};

use crate::books::Engine;
use complaint_core::complaint::Entry;
use complaint_core::conformance::{Opening, Story};
use complaint_core::id::Version;
use complaint_core::store::StoreError;
use complaint_store_sqlx::SqliteStore;

const WRITERS: usize = 16;

fn time() -> Duration {
    let seconds = std::env::var("COMPLAINT_SECONDS").map_or(3, |seconds| seconds.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

/// The writers share out the engines: each has connections of its own, as another process has them.
async fn increments_equal_accepted_writes(engines: Vec<Engine>) {
    let (story, opened) = Story::open(&Opening::numbered(1));
    engines[0].store().commit(&opened).await.unwrap();
    let id = story.id();
    let ends = Instant::now() + time();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, mut story) = (engines[writer % engines.len()].clone(), story.clone());
        writers.spawn(async move {
            let (mut accepted, mut refused) = (Vec::new(), 0);
            while Instant::now() < ends {
                let mut next = story.clone();
                match engine.store().commit(&next.note(&format!("Writer {writer}, {refused}"))).await {
                    Ok(()) => {
                        accepted.push(next.log().last().unwrap().clone());
                        story = next;
                    }
                    Err(StoreError::Conflict { complaint, current }) => {
                        let seen = story.state().version;
                        assert!(complaint == id && current > seen, "a loser was told {current} having seen {seen}");
                        refused += 1;
                        let known = u32::try_from(story.log().len()).unwrap();
                        let missed = engine.store().log(id, known, u32::MAX).await.unwrap();
                        story = Story::resumed([story.log(), missed.as_slice()].concat()).unwrap();
                        assert!(story.state().version >= current, "a loser was told a version that is not there");
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            (accepted, refused)
        });
    }
    let (accepted, refused): (Vec<Vec<Entry>>, Vec<u32>) = writers.join_all().await.into_iter().unzip();
    assert!(refused.iter().sum::<u32>() > 0, "the writers never met");
    let mut accepted = accepted.concat();
    assert!(accepted.len() > WRITERS, "hardly anything was accepted");
    accepted.sort_by_key(|entry| entry.seq);
    let stored = engines[0].store().load(id).await.unwrap().unwrap();
    assert_eq!(stored.version, Version::new(1 + accepted.len() as u64));
    let log = engines[0].store().log(id, 0, u32::MAX).await.unwrap();
    // Not only as many: none was written over by another.
    assert_eq!(log[1..], accepted);
    assert_eq!(Story::resumed(log).unwrap().state(), &stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_equal_accepted_writes_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let stores = [SqliteStore::open(&url).await.unwrap(), SqliteStore::open(&url).await.unwrap()];
    stores[0].migrate().await.unwrap();
    increments_equal_accepted_writes(stores.map(Engine::Sqlite).into()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_equal_accepted_writes_on_postgresql() {
    let Some(options) = crate::cluster::options() else { return };
    let stores = [options.clone().open().await.unwrap(), options.open().await.unwrap()];
    stores[0].migrate().await.unwrap();
    increments_equal_accepted_writes(stores.map(Engine::Postgres).into()).await;
}
