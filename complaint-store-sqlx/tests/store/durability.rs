//! What happens when writers meet, requests are dropped, the disk is full, or a host brings its own transaction.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use complaint_core::agent::Agent;
use complaint_core::clock::IdSource;
use complaint_core::conformance::{Opening, Story, agent_id};
use complaint_core::id::Version;
use complaint_core::notice::Settlement;
use complaint_core::policy::Category;
use complaint_core::store::{AgentStore, Change, ComplaintStore, Outbox, Query, Scope, StoreError};
use complaint_core::testing::CountedIds;
use complaint_core::{Actor, Complaint, Desk, DeskError, Policy};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::sqlite::{IMMEDIATE, commit_in};
use sqlx::Executor;

struct Scratch {
    store: SqliteStore,
    folder: tempfile::TempDir,
}

impl Scratch {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder, "").await;
        store.migrate().await.unwrap();
        Self { store, folder }
    }

    /// What another process would find.
    async fn elsewhere(&self) -> SqliteStore {
        open(&self.folder, "").await
    }

    async fn opened(&self, number: u32) -> Story {
        let (story, submitted) = Story::open(&Opening::numbered(number));
        self.store.commit(&submitted).await.unwrap();
        story
    }
}

async fn open(folder: &tempfile::TempDir, parameters: &str) -> SqliteStore {
    let url = format!("sqlite:{}{parameters}", folder.path().join("complaints.db").display());
    SqliteStore::open(&url).await.unwrap()
}

async fn expect_stored(store: &SqliteStore, story: &Story) {
    assert_eq!(store.load(story.id()).await.unwrap().as_ref(), Some(story.state()));
    assert_eq!(store.log(story.id(), 0, 10_000).await.unwrap(), story.log());
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let scratch = Scratch::new().await;
    let mut story = scratch.opened(1).await;
    let before = story.state().clone();
    let mut tx = scratch.store.writer().begin_with(IMMEDIATE).await.unwrap();
    commit_in(&mut tx, &story.note("Not yet committed.")).await.unwrap();
    let reading = async {
        assert_eq!(scratch.store.load(before.id).await.unwrap(), Some(before.clone()));
        let page = scratch.store.search(&Query::within(Scope::All)).await.unwrap();
        assert_eq!(page.items, std::slice::from_ref(&before));
        assert_eq!(scratch.store.summary(&Scope::All).await.unwrap().total(), 1);
    };
    tokio::time::timeout(Duration::from_mins(1), reading).await.expect("a reader waited for the writer");
    tx.commit().await.unwrap();
    expect_stored(&scratch.store, &story).await;
}

#[tokio::test]
async fn a_dropped_request_leaves_no_half_change_and_no_lost_connection() {
    let scratch = Scratch::new().await;
    let mut story = scratch.opened(1).await;
    let (mut done, mut undone) = (0, 0);
    for patience in 0..300 {
        let mut next = story.clone();
        let change = next.acknowledge();
        tokio::select! {
            biased;
            result = scratch.store.commit(&change) => result.unwrap(),
            () = yields(patience % 60) => {}
        }
        let stored = scratch.elsewhere_version(&story).await;
        if stored == next.state().version {
            story = next;
            done += 1;
        } else {
            assert_eq!(stored, story.state().version);
            undone += 1;
        }
        expect_stored(&scratch.store, &story).await;
    }
    assert!(undone > 0, "no request was dropped in time: {done} done");
    let last = story.note("After all that.");
    scratch.store.commit(&last).await.unwrap();
    expect_stored(&scratch.elsewhere().await, &story).await;
}

impl Scratch {
    /// The version once the writer has come to rest: a transaction of a dropped request is rolled back behind it.
    async fn elsewhere_version(&self, story: &Story) -> Version {
        drop(self.store.writer().acquire().await.unwrap());
        self.store.load(story.id()).await.unwrap().unwrap().version
    }
}

async fn yields(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    let scratch = Scratch::new().await;
    scratch.store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    let mut story = scratch.opened(1).await;
    for round in 0..3 {
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(scratch.store.writer()).await.unwrap();
        limit_pages(&scratch.store, pages + 20).await;
        let text = "The basement is full of water. ".repeat(200);
        let mut accepted = 0;
        let refused = loop {
            let mut next = story.clone();
            match scratch.store.commit(&next.note(&text)).await {
                Ok(()) => story = next,
                Err(error) => break error,
            }
            accepted += 1;
            assert!(accepted < 1_000, "the disk is never full");
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert!(refused.is_transient());
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("full"), "{cause}");
        expect_stored(&scratch.store, &story).await;
        expect_stored(&scratch.elsewhere().await, &story).await;

        limit_pages(&scratch.store, 1_000_000).await;
        let more = story.note(&format!("There is room again, round {round}."));
        scratch.store.commit(&more).await.unwrap();
        expect_stored(&scratch.store, &story).await;
    }
    let notices = scratch
        .store
        .claim(complaint_core::conformance::second(1_000_000), complaint_core::conformance::second(1_000_001), 1_000)
        .await
        .unwrap();
    assert_eq!(notices.len() as u64, story.state().version.get(), "one notice per committed change");
}

#[tokio::test]
async fn a_transaction_that_the_engine_itself_rolled_back_spoils_no_connection() {
    let scratch = Scratch::new().await;
    let mut story = scratch.opened(1).await;
    let change = story.note("Once the trouble is over.");
    // As an I/O error does it: the engine rolls back and the driver is not told.
    let trouble =
        "CREATE TRIGGER trouble BEFORE INSERT ON complaint_outbox BEGIN SELECT RAISE(ROLLBACK, 'trouble'); END";
    scratch.store.writer().execute(trouble).await.unwrap();
    for _ in 0..3 {
        scratch.store.commit(&change).await.unwrap_err();
    }
    scratch.store.writer().execute("DROP TRIGGER trouble").await.unwrap();
    scratch.store.commit(&change).await.unwrap();
    expect_stored(&scratch.elsewhere().await, &story).await;
}

async fn limit_pages(store: &SqliteStore, pages: i64) {
    let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    store.writer().execute(sqlx::query(sql)).await.unwrap();
}

#[tokio::test]
async fn a_commit_into_a_read_only_file_says_so() {
    let scratch = Scratch::new().await;
    let mut story = scratch.opened(1).await;
    let read_only = open(&scratch.folder, "?mode=ro").await;
    expect_stored(&read_only, &story).await;
    match read_only.commit(&story.note("Cannot be kept.")).await {
        Err(StoreError::Unusable(why)) => assert!(why.contains("readonly"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_goes_into_the_transaction_of_the_host() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    store.writer().execute("CREATE TABLE server_orders (id TEXT PRIMARY KEY) STRICT").await.unwrap();
    let orders = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM server_orders").fetch_one(store.readers()).await.unwrap()
    };
    let mut story = scratch.opened(1).await;
    let stale = story.clone();

    // Rolled back together.
    let mut next = story.clone();
    let change: Change = next.note("With an order.");
    let mut tx = store.writer().begin_with(IMMEDIATE).await.unwrap();
    tx.execute("INSERT INTO server_orders VALUES ('A-1')").await.unwrap();
    commit_in(&mut tx, &change).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(orders().await, 0);
    expect_stored(store, &story).await;

    // Committed together.
    let mut tx = store.writer().begin_with(IMMEDIATE).await.unwrap();
    tx.execute("INSERT INTO server_orders VALUES ('A-1')").await.unwrap();
    commit_in(&mut tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    story = next;
    assert_eq!(orders().await, 1);
    expect_stored(store, &story).await;

    // A refusal leaves nothing of the change, and the host goes on.
    let unknown = story.clone().assign(&agent_id("nobody"), None);
    let mut tx = store.writer().begin_with(IMMEDIATE).await.unwrap();
    let refused = commit_in(&mut tx, &stale.clone().note("Too late.")).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    // Refused after its state and entries were written.
    let refused = commit_in(&mut tx, &unknown).await;
    assert!(matches!(refused, Err(StoreError::UnknownAgent { .. })), "{refused:?}");
    tx.execute("INSERT INTO server_orders VALUES ('A-2')").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(orders().await, 2);
    expect_stored(store, &story).await;
}

#[tokio::test]
async fn a_locked_file_is_a_passing_trouble() {
    let scratch = Scratch::new().await;
    let mut story = scratch.opened(1).await;
    let other = scratch.elsewhere().await;
    let held = other.writer().begin_with(IMMEDIATE).await.unwrap();
    let change = story.note("While another process writes.");
    let refused = scratch.store.commit(&change).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    held.rollback().await.unwrap();
    scratch.store.commit(&change).await.unwrap();
    expect_stored(&other, &story).await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let scratch = Scratch::new().await;
    let story = scratch.opened(1).await;
    let store = Arc::new(scratch.store);
    store.close().await;
    assert!(store.load(story.id()).await.unwrap_err().is_transient());
    expect_stored(&open(&scratch.folder, "").await, &story).await;
    let left: Vec<_> =
        std::fs::read_dir(scratch.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().any(|name| name == "complaints.db"), "{left:?}");
}

/// How many transactions the write-ahead log holds: each ends with a frame that names the size of the database.
fn transactions(folder: &tempfile::TempDir) -> usize {
    let log = std::fs::read(folder.path().join("complaints.db-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salts) = (number(8) as usize, [number(16), number(20)]);
    let frames = (32..log.len()).step_by(24 + page).filter(|at| at + 24 + page <= log.len());
    // Frames with other salts are left over from before the last checkpoint.
    frames.filter(|at| [number(at + 8), number(at + 12)] == salts && number(at + 4) != 0).count()
}

/// Starts all of these in order while the writer is held, so that they have to wait in line.
async fn at_once(scratch: &Scratch, changes: &[Change]) -> Vec<Result<(), StoreError>> {
    let held = scratch.store.writer().acquire().await.unwrap();
    let mut waiting: Vec<_> = changes.iter().map(|change| Box::pin(scratch.store.commit(change))).collect();
    for commit in &mut waiting {
        assert!(waits(commit.as_mut()).await, "a commit did not wait for the writer");
    }
    drop(held);
    let mut results = Vec::new();
    for commit in waiting {
        results.push(commit.await);
    }
    results
}

/// Polls once; whether it is still pending.
async fn waits<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn changes_at_once_share_a_transaction_and_no_refusal_sinks_another() {
    let scratch = Scratch::new().await;
    scratch.store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    let mut known = scratch.opened(100).await;
    let stale = known.clone().note("Too late.");
    let mut stories: Vec<(Story, Change)> = (1..=20).map(|number| Story::open(&Opening::numbered(number))).collect();
    let unknown = known.clone().assign(&agent_id("nobody"), None);
    let first = known.note("In time.");
    let over = known.clone().assign(&agent_id("asha"), Some(0));
    let second = known.note("Behind the first in the same transaction.");
    let mut changes: Vec<Change> = stories.iter().map(|(_, opened)| opened.clone()).collect();
    changes.splice(10..10, [unknown, first, stale, over, second]);

    let before = transactions(&scratch.folder);
    let results = at_once(&scratch, &changes).await;
    assert_eq!(transactions(&scratch.folder) - before, 1, "{} changes were not put together", changes.len());
    for (at, result) in results.iter().enumerate() {
        let fits = match at {
            10 => matches!(result, Err(StoreError::UnknownAgent { .. })),
            12 => matches!(result, Err(StoreError::Conflict { current, .. }) if *current == Version::new(2)),
            13 => matches!(result, Err(StoreError::CapacityExceeded { .. })),
            _ => result.is_ok(),
        };
        assert!(fits, "{at}: {result:?}");
    }
    stories.push((known, changes[14].clone()));
    let elsewhere = scratch.elsewhere().await;
    for (story, _) in &stories {
        expect_stored(&elsewhere, story).await;
    }
    assert!(elsewhere.verify_all().await.unwrap().is_intact());
}

#[tokio::test]
async fn deliveries_settled_at_once_share_a_transaction_with_changes() {
    let scratch = Scratch::new().await;
    let policy = Policy::standard().with_category(Category::named("Damaged goods").unwrap());
    let desk = Desk::new(scratch.store.clone(), policy);
    let kettle = Complaint::about("Damaged goods", "Kettle", "Cracked.").unwrap();
    for number in 0..20 {
        let customer = Actor::customer(format!("john{number}")).unwrap();
        desk.acting_as(customer).submit(kettle.clone()).await.unwrap();
    }
    let now = desk.now() + chrono::TimeDelta::hours(1);
    let claimed = scratch.store.claim(now, now + chrono::TimeDelta::hours(1), 100).await.unwrap();
    assert!(claimed.len() >= 20, "{}", claimed.len());
    let (story, opened) = Story::open(&Opening::numbered(1));

    let before = transactions(&scratch.folder);
    let held = scratch.store.writer().acquire().await.unwrap();
    let mut settling: Vec<_> =
        claimed.iter().map(|claimed| Box::pin(scratch.store.settle(claimed, Settlement::Delivered, now))).collect();
    for settle in &mut settling {
        assert!(waits(settle.as_mut()).await, "a settlement did not wait for the writer");
    }
    let mut commit = Box::pin(scratch.store.commit(&opened));
    assert!(waits(commit.as_mut()).await, "a commit did not wait for the writer");
    drop(held);
    for settle in settling {
        settle.await.unwrap();
    }
    commit.await.unwrap();
    assert_eq!(transactions(&scratch.folder) - before, 1, "{} settlements were not put together", claimed.len());
    let elsewhere = scratch.elsewhere().await;
    let waiting = elsewhere.waiting(None, 100).await.unwrap();
    assert!(waiting.iter().all(|notice| claimed.iter().all(|claimed| claimed.notice.id != notice.id)), "{waiting:?}");
    expect_stored(&elsewhere, &story).await;
}

#[tokio::test]
async fn the_trouble_of_one_is_told_to_that_one_alone() {
    let scratch = Scratch::new().await;
    // As a full disk does it: the engine rolls back whatever is in the transaction.
    let trouble = "CREATE TRIGGER trouble BEFORE INSERT ON complaint_state WHEN NEW.level = 1 AND NEW.weight = 13 \
                   BEGIN SELECT RAISE(ROLLBACK, 'trouble'); END";
    scratch.store.writer().execute(trouble).await.unwrap();
    let stories: Vec<(Story, Change)> = (1..=9)
        .map(|number| Story::open(&Opening { weight: if number == 5 { 13 } else { 1 }, ..Opening::numbered(number) }))
        .collect();
    let changes: Vec<Change> = stories.iter().map(|(_, opened)| opened.clone()).collect();
    let results = at_once(&scratch, &changes).await;
    for (at, (result, (story, _))) in results.iter().zip(&stories).enumerate() {
        assert_eq!(result.is_err(), at == 4, "{at}: {result:?}");
        if at == 4 {
            assert_eq!(scratch.store.load(story.id()).await.unwrap(), None);
        } else {
            expect_stored(&scratch.store, story).await;
        }
    }
}

#[tokio::test]
async fn a_way_to_the_disk_that_fails_is_told_to_all_who_were_on_it() {
    let scratch = Scratch::new().await;
    let mut known = scratch.opened(100).await;
    let (first, stale) = (known.clone().note("In time."), known.clone().note("Too late."));
    // What is only looked at when the transaction ends, and is wrong then.
    let trouble = "CREATE TABLE server_parents (id INTEGER PRIMARY KEY) STRICT; \
                   CREATE TABLE server_children (id INTEGER REFERENCES server_parents (id) DEFERRABLE INITIALLY DEFERRED) STRICT; \
                   CREATE TRIGGER trouble AFTER INSERT ON complaint_log BEGIN INSERT INTO server_children VALUES (7); END";
    scratch.store.writer().execute(sqlx::raw_sql(trouble)).await.unwrap();
    let (opened, submitted) = Story::open(&Opening::numbered(1));
    let results = at_once(&scratch, &[first.clone(), submitted.clone(), first, stale]).await;
    for (at, result) in results.iter().enumerate() {
        let fits = match at {
            // Refused behind the first, which may not be there.
            2 | 3 => matches!(result, Err(StoreError::Unavailable(_))),
            _ => matches!(result, Err(StoreError::OutcomeUnknown(_))),
        };
        assert!(fits, "{at}: {result:?}");
    }
    assert_eq!(scratch.store.load(opened.id()).await.unwrap(), None);
    expect_stored(&scratch.store, &known).await;
    scratch.store.writer().execute("DROP TRIGGER trouble").await.unwrap();
    scratch.store.commit(&submitted).await.unwrap();
    scratch.store.commit(&known.note("After the trouble.")).await.unwrap();
    expect_stored(&scratch.elsewhere().await, &known).await;
}

#[tokio::test]
async fn who_leaves_the_line_is_not_waited_for_and_not_committed() {
    let scratch = Scratch::new().await;
    let stories: Vec<(Story, Change)> = (1..=12).map(|number| Story::open(&Opening::numbered(number))).collect();
    let held = scratch.store.writer().acquire().await.unwrap();
    let mut waiting: Vec<_> = stories.iter().map(|(_, opened)| Some(Box::pin(scratch.store.commit(opened)))).collect();
    for commit in waiting.iter_mut().flatten() {
        waits(commit.as_mut()).await;
    }
    for commit in waiting.iter_mut().step_by(2) {
        drop(commit.take());
    }
    drop(held);
    for commit in waiting.into_iter().flatten() {
        commit.await.unwrap();
    }
    for (at, (story, _)) in stories.iter().enumerate() {
        let stored = scratch.store.load(story.id()).await.unwrap();
        assert_eq!(stored.is_some(), at % 2 == 1, "{at}");
    }
}

#[test]
fn a_store_outlives_the_runtime_that_served_its_line() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let scratch = first.block_on(Scratch::new());
    let (mut story, opened) = Story::open(&Opening::numbered(1));
    first.block_on(async {
        // In line, and nobody moves on: the runtime ends with it.
        let held = scratch.store.writer().acquire().await.unwrap();
        let mut commit = Box::pin(scratch.store.commit(&opened));
        assert!(waits(commit.as_mut()).await);
        drop((commit, held));
    });
    drop(first);
    second.block_on(async {
        let store = scratch.elsewhere().await;
        if store.load(story.id()).await.unwrap().is_none() {
            scratch.store.commit(&opened).await.unwrap();
        }
        scratch.store.commit(&story.note("With another runtime.")).await.unwrap();
        expect_stored(&store, &story).await;
    });
}

/// Lets the first sixteen pass together: when they draw an id, all of them have counted and none has committed.
struct Gate {
    ids: CountedIds,
    all: Barrier,
    passed: AtomicUsize,
}

impl IdSource for Gate {
    fn next_id(&self, now: chrono::DateTime<chrono::Utc>) -> uuid::Uuid {
        if self.passed.fetch_add(1, Ordering::SeqCst) < 16 {
            self.all.wait();
        }
        self.ids.next_id(now)
    }

    fn next_reference(&self) -> complaint_core::reference::Reference {
        self.ids.next_reference()
    }
}

#[test]
fn sixteen_submissions_at_once_leave_a_customer_with_five_open_complaints() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    let scratch = runtime.block_on(Scratch::new());
    let store = Arc::new(scratch.store.clone());
    let mut policy = Policy::standard().with_category(Category::named("Damaged goods").unwrap());
    policy.open_complaints_per_customer = 5;
    let gate = Gate { ids: CountedIds::default(), all: Barrier::new(16), passed: AtomicUsize::default() };
    let desk = Desk::over(store, policy).with_ids(Arc::new(gate));
    let john = desk.acting_as(Actor::customer("john").unwrap());
    // Each on a thread of its own: a task that waits at the gate must not keep another from getting there.
    let results: Vec<Result<_, DeskError>> = std::thread::scope(|scope| {
        let submit = |number: usize| {
            let (john, runtime) = (&john, &runtime);
            scope.spawn(move || {
                let kettle = Complaint::about("Damaged goods", format!("Kettle {number}"), "Cracked.").unwrap();
                runtime.block_on(john.submit(kettle))
            })
        };
        let threads: Vec<_> = (0..16).map(submit).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5, "{results:?}");
    for refused in results.into_iter().filter_map(Result::err) {
        let DeskError::Refused(refusal) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.code(), "too_many_open_complaints");
    }
    let summary = runtime.block_on(john.summary()).unwrap();
    assert_eq!((summary.open(), summary.total()), (5, 5));
}
