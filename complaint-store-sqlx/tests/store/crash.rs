//! A writing process is killed, or its database is, at any moment: what was acknowledged is there, once, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::books::{Books, Engine, Fate, Record};
#[cfg(feature = "postgres")]
use crate::process::SCHEMA;
use crate::process::{Process, STORE, say, told};
use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id, both, under_key, within};
use complaint_core::store::Change;
use complaint_store_sqlx::SqliteStore;
use rand::random_range;

/// Tasks of the writing process, so that changes are grouped.
const WRITERS: u32 = 8;
/// What one of them does at most, so that none goes on for ever.
const CHANGES: u32 = 3_000;
const AGENTS: [&str; 3] = ["asha", "ben", "cho"];

fn rounds() -> u32 {
    std::env::var("COMPLAINT_KILLS").map_or(15, |kills| kills.parse().expect("COMPLAINT_KILLS is a number"))
}

/// The store that a process was told to open.
async fn told_store() -> Option<Engine> {
    let store = told(STORE)?;
    #[cfg(feature = "postgres")]
    if let Some(schema) = told(SCHEMA) {
        let options = complaint_store_sqlx::postgres::PostgresOptions::new(&store).unwrap().in_schema(&schema).unwrap();
        return Some(Engine::Postgres(options.open().await.unwrap()));
    }
    Some(Engine::Sqlite(SqliteStore::open(&store).await.unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that others start and kill"]
async fn writing_process() {
    let Some(engine) = told_store().await else { return };
    let told = Arc::new(Told::default());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, told) = (engine.clone(), Arc::clone(&told));
        writers.spawn(async move {
            write(&engine, writer, &told).await;
            told.trouble.store(true, Ordering::SeqCst);
        });
    }
    writers.join_all().await;
}

/// What the writers have in common.
#[derive(Default)]
struct Told {
    changes: AtomicU64,
    /// Whether one of them had to end, so that the others end, too.
    trouble: AtomicBool,
}

/// Goes on with the complaints of this writer, saying of each change that it is tried and what came of it, until the
/// store is in trouble.
async fn write(engine: &Engine, writer: u32, told: &Told) {
    let mut stories: Vec<Story> = Vec::new();
    let opening = |nth: usize| Opening::numbered(writer * 10_000 + u32::try_from(nth).unwrap());
    loop {
        let (story, _) = Story::open(&opening(stories.len()));
        let Ok(log) = engine.store().log(story.id(), 0, u32::MAX).await else { return };
        if log.is_empty() {
            break;
        }
        stories.push(Story::resumed(log).unwrap());
    }
    for _ in 0..CHANGES {
        if told.trouble.load(Ordering::SeqCst) {
            return;
        }
        let (change, planned) = plan(&stories, &opening(stories.len()));
        let this = told.changes.fetch_add(1, Ordering::SeqCst);
        say(&format!("{this} try {}", serde_json::to_string(&Record::of(&change)).unwrap()));
        let result = engine.store().commit(&change).await;
        match (&result, Fate::told(&result)) {
            (_, Fate::Committed) => say(&format!("{this} committed")),
            (_, Fate::Refused) => say(&format!("{this} refused")),
            (_, Fate::Unknown) => return,
        }
        match result {
            Ok(()) => {
                for (at, story) in planned {
                    if at == stories.len() { stories.push(story) } else { stories[at] = story }
                }
            }
            Err(trouble) if trouble.is_transient() => return,
            Err(_) => {}
        }
    }
}

/// A change of one complaint or of two, at random, and what they are after it.
fn plan(stories: &[Story], opening: &Opening) -> (Change, Vec<(usize, Story)>) {
    if stories.len() < 2 || random_range(0..12) == 0 {
        let (story, change) = Story::open(opening);
        let customer = story.state().customer.clone();
        let key = format!("form-{}", opening.number);
        let change = within(under_key(change, "customer:john", &key, "digest"), &customer, 100_000);
        return (change, vec![(stories.len(), story)]);
    }
    let first = random_range(0..stories.len());
    let (change, after) = go_on(&stories[first]);
    if random_range(0..5) != 0 {
        return (change, vec![(first, after)]);
    }
    let second = (first + random_range(1..stories.len())) % stories.len();
    let (other, other_after) = go_on(&stories[second]);
    (both(&change, &other), vec![(first, after), (second, other_after)])
}

fn go_on(story: &Story) -> (Change, Story) {
    let mut story = story.clone();
    let agent = agent_id(AGENTS[random_range(0..AGENTS.len())]);
    let change = match random_range(0..9) {
        // Refused whenever the agent has more already.
        0 | 1 => story.assign(&agent, Some(random_range(0..60))),
        2 => story.triage("late-delivery", random_range(1..9)),
        3 => story.release(),
        4 => story.acknowledge(),
        5 => story.withdraw(),
        6 => story.reinstate(),
        _ => story.note(&format!("Rang, and heard {}.", random_range(0..u64::MAX))),
    };
    (change, story)
}

/// Reads what a writing process says until it is struck, and then whatever it still said.
fn record(process: &mut Process, books: &mut Books, strike: impl FnOnce(&mut Process)) {
    let mut tried: BTreeMap<u64, Record> = BTreeMap::new();
    let mut left = random_range(1..150);
    let mut strike = Some(strike);
    while let Some(line) = process.line() {
        let (number, said) = line.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        match said.split_once(' ').unwrap_or((said, "")) {
            // Cut off in the middle, and so not tried yet.
            ("try", record) => match serde_json::from_str(record) {
                Ok(record) => drop(tried.insert(number, record)),
                Err(_) => break,
            },
            ("committed", _) => books.enter(tried.remove(&number).unwrap(), Fate::Committed),
            ("refused", _) => books.enter(tried.remove(&number).unwrap(), Fate::Refused),
            _ => break,
        }
        left -= 1;
        if left == 0
            && let Some(strike) = strike.take()
        {
            strike(process);
        }
    }
    assert!(strike.is_none(), "the process ended before it was struck");
    for (_, record) in tried {
        books.enter(record, Fate::Unknown);
    }
}

async fn staff(engine: &Engine) {
    engine.migrate().await.unwrap();
    for name in AGENTS {
        engine.store().save(&Agent::named(name, "Agent").unwrap().with_capacity(60)).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_made_up_on_sqlite_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let open = async || Engine::Sqlite(SqliteStore::open(&url).await.unwrap());
    let engine = open().await;
    staff(&engine).await;
    engine.close().await;
    let mut books = Books::default();
    for _ in 0..rounds() {
        let mut process = Process::start("crash::writing_process", &[(STORE, url.clone())]);
        record(&mut process, &mut books, Process::kill);
        assert!(!process.end().success());
        let engine = open().await;
        books.expect(&engine).await;
        engine.close().await;
    }
    assert!(books.committed() > rounds() as usize, "hardly anything was ever committed");
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_made_up_on_postgresql_when_it_or_the_process_is_killed() {
    use complaint_store_sqlx::postgres::PostgresOptions;

    let Some(cluster) = crate::cluster::Cluster::start_new() else { return };
    let open = async || {
        let options = PostgresOptions::new(&cluster.url()).unwrap().in_schema("complaints").unwrap();
        Engine::Postgres(options.open().await.unwrap())
    };
    staff(&open().await).await;
    let mut books = Books::default();
    for round in 0..rounds() {
        let told = [(STORE, cluster.url()), (SCHEMA, "complaints".to_owned())];
        let mut process = Process::start("crash::writing_process", &told);
        let backend = if round % 3 == 1 { backend_of(&cluster).await } else { 0 };
        record(&mut process, &mut books, |process| match round % 3 {
            0 => process.kill(),
            // The server ends all others with it, for it may have left anything in what they share.
            1 => kill(backend),
            _ => {
                cluster.stop_at_once();
                process.kill();
            }
        });
        process.end();
        if round % 3 == 2 {
            cluster.start();
        }
        wait_until_quiet(&cluster).await;
        let engine = open().await;
        books.expect(&engine).await;
        engine.close().await;
    }
    assert!(books.committed() > rounds() as usize, "hardly anything was ever committed");
}

/// A server process that serves the store.
#[cfg(feature = "postgres")]
async fn backend_of(cluster: &crate::cluster::Cluster) -> i32 {
    let mut connection = cluster.connection().await;
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%complaint_commit%' AND pid <> pg_backend_pid() LIMIT 1";
    loop {
        if let Some(pid) = sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap() {
            return pid;
        }
    }
}

/// Waits until the server is there and has nobody left to serve: it finishes what a killed process had asked for.
#[cfg(feature = "postgres")]
async fn wait_until_quiet(cluster: &crate::cluster::Cluster) {
    let mut connection = cluster.connection().await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.unwrap() > 0 {}
}

#[cfg(feature = "postgres")]
fn kill(process: i32) {
    assert!(std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
}
