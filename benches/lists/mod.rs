//! What daily lists and counts cost as closed complaints pile up.
//!
//! A store grows from one size to the next and is measured at each: medians, and ratios to those at 10 000 complaints in
//! the same run. 95 of 100 complaints are closed; the open ones are shared by 32 agents, and a customer has five. One in 128 is of a
//! category that is never open, and one in 1 024 was escalated. Each
//! complaint is one change with its whole log, committed by the store's own `commit_in`, two hundred to a transaction: state,
//! chain, words, workloads and counts are what they would be had each step been committed when it happened. What differs is
//! that nothing waits for the disk meanwhile.

use std::collections::BTreeMap;
use std::time::Instant;

use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::id::{CategoryKey, CustomerId, Level};
use complaint_core::lifecycle::Status;
use complaint_core::store::{Change, ComplaintStore as _, Query, Reach, Scope, Sort, Store, StoreError};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::sqlite::{IMMEDIATE, commit_in};
use sqlx::Executor;

use crate::measure::{ROUNDS, figure, median};

/// How many complaints, one size after the other.
const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// What ratios are to.
const BASE: u32 = 10_000;
/// Changes of a transaction.
const TOGETHER: u32 = 200;
const AGENTS: u32 = 32;

/// The sizes of this run: `COMPLAINT_BENCH_COMPLAINTS=1000,10000,1000000`.
pub(crate) fn sizes() -> Vec<u32> {
    match std::env::var("COMPLAINT_BENCH_COMPLAINTS") {
        Ok(sizes) => sizes.split(',').map(|size| size.trim().parse().expect("numbers with commas between")).collect(),
        Err(_) => SIZES.to_vec(),
    }
}

fn agent(number: u32) -> String {
    format!("agent-{}", number % AGENTS)
}

fn is_open(number: u32) -> bool {
    number.is_multiple_of(20)
}

fn category(key: &str) -> CategoryKey {
    CategoryKey::new(key).expect("a key")
}

/// The complaint of a number.
fn told(number: u32) -> Change {
    const WORDS: [&str; 7] = ["kettle", "parcel", "invoice", "courier", "lamp", "refund", "bicycle"];
    let word = |shift: u32| WORDS[(number.wrapping_mul(2_654_435_761) >> shift) as usize % WORDS.len()];
    let (mut story, _) = Story::open(&Opening {
        customer: CustomerId::new(format!("customer-{}", number / 5)).expect("an id"),
        subject: format!("No {} came, only a {}", word(3), word(9)),
        description: format!("I wait for the {} since Monday, and nobody answers about the {}.", word(15), word(21)),
        order_number: Some(format!("order{number}")),
        received_at: second(i64::from(number)),
        due_at: Some(second(i64::from(number) + 1_000_000)),
        category: category(if is_open(number) || !number.is_multiple_of(128) { "damaged" } else { "late" }),
        against: number.is_multiple_of(997).then(|| agent_id(&agent(number / 997))),
        ..Opening::numbered(number)
    });
    let handler = agent_id(&agent(number / 20));
    match number % 60 {
        0 => {}
        20 => drop(story.assign(&handler, None)),
        40 => {
            story.assign(&handler, None);
            story.begin();
        }
        other => {
            if number % 1_024 == 1 {
                story.escalate();
            }
            story.assign(&handler, None);
            story.begin();
            story.resolve();
            if other % 3 == 0 {
                story.rate(1 + u8::try_from(number % 5).expect("small"));
            }
            story.close();
        }
    }
    story.told()
}

/// What is asked of a store, and how a round asks it.
async fn measured(store: &dyn Store, size: u32) -> BTreeMap<&'static str, f64> {
    let mut medians = BTreeMap::new();
    let me = |round: u32, reach| Scope::Agent { id: agent_id(&agent(round)), reach };
    let found = |text: String| Query { text: Some(text), sort: Sort::Relevance, ..Query::within(Scope::All) };
    let (all, late) = (|| Query::within(Scope::All), || Some(category("late")));
    for name in [
        "agents_queue",
        "my_complaints",
        "due",
        "search_rare",
        "search_common",
        "search_newest",
        "level",
        "rare_level",
        "promised",
        "category_by_deadline",
        "queued_in_no_category",
        "handler_by_deadline",
        "handler_in_category",
        "closed_in_category",
        "oldest",
        "counts_all",
        "counts_of_an_agent",
        "counts_but_against",
    ] {
        let mut times = Vec::new();
        // The first ones are not counted: a new connection has everything to learn.
        for round in 0..u32::try_from(ROUNDS).expect("few") + 5 {
            // Another one each time, in no order.
            let number = round.wrapping_mul(2_654_435_761) % size;
            let begun = Instant::now();
            let some = match name {
                "agents_queue" => {
                    let (scope, statuses) = (me(round, Reach::Queue(Level::FIRST)), Status::OPEN.to_vec());
                    search(store, Query { statuses, sort: Sort::Deadline, ..Query::within(scope) }).await
                }
                "my_complaints" => {
                    let customer = CustomerId::new(format!("customer-{}", number / 5)).expect("an id");
                    search(store, Query::within(Scope::Customer(customer))).await
                }
                "due" => Ok(store.due(second(10_000_000), 100).await.expect("due").len()),
                "search_rare" => search(store, found(format!("order{number}"))).await,
                "search_common" => search(store, found("kettle".into())).await,
                "search_newest" => search(store, Query { sort: Sort::Newest, ..found("par".into()) }).await,
                "level" => search(store, Query { level: Some(Level::FIRST), ..all() }).await,
                "rare_level" => search(store, Query { level: Level::new(2).ok(), ..all() }).await,
                "promised" => search(store, Query { promised_before: Some(second(1_000_100)), ..all() }).await,
                "category_by_deadline" => {
                    search(store, Query { category: late(), sort: Sort::Deadline, ..all() }).await
                }
                "queued_in_no_category" => {
                    let query = Query { category: late(), statuses: vec![Status::Queued], ..all() };
                    search(store, query).await.map(|found| found + 1)
                }
                "handler_by_deadline" => {
                    let handlers = vec![agent_id(&agent(round))];
                    search(store, Query { handlers, sort: Sort::Deadline, ..all() }).await
                }
                "handler_in_category" => {
                    let handlers = vec![agent_id(&agent(round))];
                    search(store, Query { handlers, category: late(), ..all() }).await.map(|found| found + 1)
                }
                "closed_in_category" => {
                    search(store, Query { category: late(), statuses: vec![Status::Closed], ..all() }).await
                }
                "oldest" => search(store, Query { sort: Sort::Oldest, ..all() }).await,
                "counts_all" => count(store, Scope::All).await,
                "counts_of_an_agent" => count(store, me(round, Reach::Queue(Level::FIRST))).await,
                _ => count(store, me(round, Reach::Everything)).await,
            };
            assert!(some.expect("an answer") > 0 || number == 0, "{name} found nothing");
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        medians.insert(name, median(times.split_off(5)));
    }
    medians
}

async fn search(store: &dyn Store, query: Query) -> Result<usize, StoreError> {
    Ok(store.search(&query).await?.items.len())
}

async fn count(store: &dyn Store, scope: Scope) -> Result<usize, StoreError> {
    Ok(usize::try_from(store.summary(&scope).await?.total()).unwrap_or(usize::MAX))
}

/// Grows a store from size to size and tells what it costs at each. `fill` commits changes together; `rest` does what an
/// engine does when it has time.
pub(crate) async fn measure(engine: &str, store: &dyn Store, fill: impl AsyncFn(Vec<Change>), rest: impl AsyncFn(u32)) {
    for number in 0..AGENTS {
        let agent = complaint_core::Agent::named(agent(number), "Agent").expect("a name");
        store.save(&agent).await.expect("save");
    }
    let (mut filled, mut figures) = (0, BTreeMap::new());
    for size in sizes() {
        let begun = Instant::now();
        while filled < size {
            let up_to = (filled + TOGETHER).min(size);
            fill((filled + 1..=up_to).map(told).collect()).await;
            filled = up_to;
        }
        rest(size).await;
        figure(&format!("{engine}_filled_{size}"), begun.elapsed().as_secs_f64(), "s");
        let medians = measured(store, size).await;
        for (name, micros) in &medians {
            figure(&format!("{engine}_{name}_{size}"), *micros, "us");
        }
        figures.insert(size, medians);
    }
    let Some(base) = figures.get(&BASE) else { return };
    for (size, medians) in figures.iter().filter(|(size, _)| **size > BASE) {
        for (name, micros) in medians {
            figure(&format!("{engine}_{name}_{size}_to_{BASE}"), micros / base[name], "x");
        }
    }
}

pub(crate) async fn sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.expect("open");
    store.migrate().await.expect("migrate");
    store.writer().execute("PRAGMA synchronous = OFF").await.expect("set");
    measure(
        "sqlite",
        &store,
        async |changes| {
            let mut tx = store.writer().begin_with(IMMEDIATE).await.expect("begin");
            for change in &changes {
                commit_in(&mut tx, change).await.expect("commit");
            }
            tx.commit().await.expect("commit");
        },
        async |size| {
            if let Some(mebibytes) = peak_of_opening(&url) {
                figure(&format!("sqlite_peak_memory_of_opening_{size}"), mebibytes, "MiB");
            }
        },
    )
    .await;
}

/// Set in a process of its own: which store it opens.
const OPENED: &str = "COMPLAINT_BENCH_OPENED";

/// The most memory in MiB that a process has had once it has opened the store and looked at what is due; this one has had more
/// for filling it. Where the system does not say it, nothing.
fn peak_of_opening(url: &str) -> Option<f64> {
    let this = std::env::current_exe().expect("a path");
    let ended = std::process::Command::new(this).arg("opened").env(OPENED, url).output().expect("starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let kibibytes: f64 = String::from_utf8(ended.stdout).expect("UTF-8").trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// What that process does: says its peak in KiB.
pub(crate) async fn opened() {
    let url = std::env::var(OPENED).expect("the one who started it names a store");
    let store = SqliteStore::open(&url).await.expect("open");
    store.due(second(10_000_000), 100).await.expect("due");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    println!("{}", peak.unwrap_or_default());
}
