//! How many changes a second become durable, against the same rows written by hand, and how fast a chain is verified.
//!
//! By hand is what checks nothing and counts nothing: the same rows in tables with the same columns, keys and indexes, but without
//! triggers. Both are as durable, have as many connections, and have used them before they are measured.
//!
//! And what daily lists and counts cost as closed complaints pile up: see `lists/mod.rs`.
//!
//! Run it with `cargo bench --bench store`, or one part with `-- changes` or `-- lists`; with `--features postgres` and `COMPLAINT_TEST_POSTGRES` naming a server it
//! measures PostgreSQL, too, beside `pgbench` and one statement for many submissions, and says whether that server is durable.
//! `COMPLAINT_BENCH_SUBMISSIONS` and `COMPLAINT_BENCH_ENTRIES` make it smaller or larger. It ends with lines
//! `figure NAME VALUE UNIT`. Nothing is asserted: a slow machine is not a fault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use complaint_core::conformance::{Opening, Story};
use complaint_core::desk::Observer;
use complaint_core::policy::Category;
use complaint_core::store::{Change, ComplaintStore, MemoryStore, Store};
use complaint_core::{Actor, Agent, Complaint, Desk, Policy};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::sqlite::IMMEDIATE;
use measure::{figure, median};
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};

mod lists;
mod measure;

const CLIENTS: [usize; 4] = [1, 8, 32, 128];
/// Submissions of one measurement, and how often it is repeated.
const SUBMISSIONS: u32 = 1_500;
const REPEATS: usize = 3;
/// What each client has written before it is measured: a new connection has everything to learn.
const WARM: usize = 2;
/// Entries of the chain that is verified.
const ENTRIES: u32 = 100_000;

fn sized(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).map_or(usual, |size| size.parse().expect("a number"))
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
        if part.as_deref() == Some("opened") {
            return lists::opened().await;
        }
        let wanted = |name| part.as_deref().is_none_or(|part| part == name);
        if wanted("changes") {
            let changes = submissions(sized("COMPLAINT_BENCH_SUBMISSIONS", SUBMISSIONS)).await;
            sqlite(&changes).await;
            #[cfg(feature = "postgres")]
            postgres::measure(&changes).await;
        }
        if wanted("lists") {
            lists::sqlite().await;
            #[cfg(feature = "postgres")]
            postgres::measure_lists().await;
        }
    });
}

/// Submissions as the desk plans them: acknowledged, routed and assigned in one change.
async fn submissions(count: u32) -> Arc<Vec<Change>> {
    #[derive(Default)]
    struct Keep(Mutex<Vec<Change>>);
    impl Observer for Keep {
        fn committed(&self, change: &Change) {
            self.0.lock().expect("lock").push(change.clone());
        }
    }
    let kept = Arc::new(Keep::default());
    let policy = Policy::standard().with_category(Category::named("Water supply").expect("a name"));
    let desk = Desk::new(MemoryStore::new(), policy).watched_by(Arc::clone(&kept) as Arc<dyn Observer>);
    for agent in agents() {
        desk.enrol(agent).await.expect("an agent");
    }
    for number in 0..count {
        let customer = desk.acting_as(Actor::customer(format!("customer-{number}")).expect("an id"));
        let text = "No water since Monday, on the whole of Canal Street. Nobody answers the telephone.";
        customer
            .submit(Complaint::about("Water supply", "No water", text).expect("in bounds"))
            .await
            .expect("accepted");
    }
    Arc::new(kept.0.lock().expect("lock").clone())
}

fn agents() -> Vec<Agent> {
    (0..32)
        .map(|number| {
            let agent = Agent::named(format!("agent-{number}"), "Agent").expect("a name");
            agent.skilled_in(["water supply"]).with_capacity(1_000_000)
        })
        .collect()
}

async fn enrol(store: &dyn Store) {
    for agent in agents() {
        store.save(&agent).await.expect("save");
    }
}

/// Submissions a second by so many clients, each of which waits for its answer.
async fn rate<W, F>(clients: usize, changes: &Arc<Vec<Change>>, write: W) -> f64
where
    W: Fn(usize) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let warm = WARM * clients;
    let next = Arc::new(AtomicUsize::new(0));
    let run = async |up_to: usize| {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let (next, write) = (Arc::clone(&next), write.clone());
            tasks.spawn(async move {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= up_to {
                        return;
                    }
                    write(at).await;
                }
            });
        }
        tasks.join_all().await;
    };
    run(warm).await;
    next.store(warm, Ordering::Relaxed);
    let begun = Instant::now();
    run(changes.len()).await;
    per_second(changes.len() - warm, begun)
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn per_second(many: usize, since: Instant) -> f64 {
    many as f64 / since.elapsed().as_secs_f64()
}

/// The rows of a change, as whoever writes them by hand has them.
struct ByHand {
    state: String,
    entries: Vec<String>,
    notices: Vec<String>,
}

fn by_hand(changes: &[Change]) -> Arc<Vec<ByHand>> {
    let rows = changes.iter().map(|change| ByHand {
        state: json(change.parts()[0].after()),
        entries: change.parts()[0].entries().iter().map(json).collect(),
        notices: change.notices().iter().map(json).collect(),
    });
    Arc::new(rows.collect())
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a document")
}

struct Folder {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

async fn on_file() -> Folder {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.expect("open");
    store.migrate().await.expect("migrate");
    enrol(&store).await;
    Folder { store, _folder: folder }
}

/// A file whose tables do nothing by themselves.
async fn bare() -> Folder {
    let place = on_file().await;
    let triggers = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
    let triggers: Vec<String> = triggers.fetch_all(place.store.writer()).await.expect("read");
    for trigger in triggers {
        let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
        sqlx::raw_sql(drop).execute(place.store.writer()).await.expect("drop");
    }
    place
}

async fn sqlite(changes: &Arc<Vec<Change>>) {
    let rows = by_hand(changes);
    let mut loops = Vec::new();
    for _ in 0..REPEATS {
        let place = bare().await;
        let mut begun = Instant::now();
        let mut writer = place.store.writer().acquire().await.expect("the writer");
        for (at, (change, rows)) in changes.iter().zip(rows.iter()).enumerate() {
            if at == WARM {
                begun = Instant::now();
            }
            let mut tx = writer.begin_with(IMMEDIATE).await.expect("begin");
            hand_written(&mut tx, change, rows).await;
            tx.commit().await.expect("commit");
        }
        loops.push(per_second(changes.len() - WARM, begun));
    }
    figure("sqlite_floor_plain_loop", median(loops), "submissions/s");
    for clients in CLIENTS {
        // Floor and ours in turn, so that what the machine does beside it meets both.
        let (mut floors, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..REPEATS {
            floors.push(grouping_floor(clients, changes, &rows).await);
            let place = Arc::new(on_file().await);
            let (store, all) = (place.store.clone(), Arc::clone(changes));
            ours.push(
                rate(clients, changes, move |at| {
                    let (store, all) = (store.clone(), Arc::clone(&all));
                    async move { store.commit(&all[at]).await.expect("commit") }
                })
                .await,
            );
        }
        let (floor, ours) = (median(floors), median(ours));
        figure(&format!("sqlite_floor_grouping_{clients}"), floor, "submissions/s");
        figure(&format!("sqlite_ours_{clients}"), ours, "submissions/s");
        figure(&format!("sqlite_ratio_{clients}"), ours / floor, "x");
    }
    let place = on_file().await;
    verified("sqlite", Arc::new(place.store.clone()), async || {
        let found = place.store.verify_all().await.expect("verify");
        (found.entries, found.is_intact())
    })
    .await;
}

/// A bare writer that takes whatever waits into one transaction and checks nothing.
async fn grouping_floor(clients: usize, changes: &Arc<Vec<Change>>, rows: &Arc<Vec<ByHand>>) -> f64 {
    let place = bare().await;
    let (line, mut waiting) = mpsc::unbounded_channel::<(usize, oneshot::Sender<()>)>();
    let (store, all, by_hand) = (place.store.clone(), Arc::clone(changes), Arc::clone(rows));
    let writer = tokio::spawn(async move {
        let mut writer = store.writer().acquire().await.expect("the writer");
        let mut together = Vec::new();
        while waiting.recv_many(&mut together, 128).await > 0 {
            let mut tx = writer.begin_with(IMMEDIATE).await.expect("begin");
            for (at, _) in &together {
                hand_written(&mut tx, &all[*at], &by_hand[*at]).await;
            }
            tx.commit().await.expect("commit");
            for (_, done) in together.drain(..) {
                done.send(()).ok();
            }
        }
    });
    let rate = rate(clients, changes, move |at| {
        let line = line.clone();
        async move {
            let (done, told) = oneshot::channel();
            line.send((at, done)).expect("a writer");
            told.await.expect("an answer");
        }
    })
    .await;
    writer.await.expect("the writer ends");
    rate
}

async fn hand_written(connection: &mut sqlx::SqliteConnection, change: &Change, rows: &ByHand) {
    let part = &change.parts()[0];
    let (id, state) = (part.id().as_uuid(), part.after());
    let row: i64 = sqlx::query_scalar(
        "INSERT INTO complaint_state (id, reference, version, customer, category, status, is_open, level, handler, weight, \
         received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state) \
         VALUES ($1, $2, 1, $3, $4, $5, 1, 1, $6, 1, $7, $8, $8, 0, '', 0, 1, $9) RETURNING row",
    )
    .bind(id)
    .bind(state.reference.to_string())
    .bind(state.customer.as_str())
    .bind(state.category.as_str())
    .bind(state.status.name())
    .bind(state.handler.as_ref().map(|handler| handler.as_str().to_owned()))
    .bind(state.received_at.timestamp_micros())
    .bind(state.promised_at().map_or(0, |at| at.timestamp_micros()))
    .bind(&rows.state)
    .fetch_one(&mut *connection)
    .await
    .expect("insert");
    sqlx::query("INSERT INTO complaint_search (rowid, words) VALUES ($1, $2)")
        .bind(row)
        .bind(state.searchable().to_lowercase())
        .execute(&mut *connection)
        .await
        .expect("insert");
    for (entry, document) in part.entries().iter().zip(&rows.entries) {
        sqlx::query(
            "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, hash) \
             VALUES ($1, $2, 1, $3, 1, $4, zeroblob(32))",
        )
        .bind(id)
        .bind(entry.seq)
        .bind(entry.at.timestamp_micros())
        .bind(document)
        .execute(&mut *connection)
        .await
        .expect("insert");
    }
    for (notice, document) in change.notices().iter().zip(&rows.notices) {
        sqlx::query(
            "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
             VALUES ($1, $2, 'waiting', $3, $3, 1, $4)",
        )
        .bind(notice.id.as_uuid())
        .bind(id)
        .bind(notice.planned_at.timestamp_micros())
        .bind(document)
        .execute(&mut *connection)
        .await
        .expect("insert");
    }
    for delta in change.workload() {
        sqlx::query("UPDATE complaint_agents SET workload = workload + $2 WHERE id = $1")
            .bind(delta.agent.as_str())
            .bind(delta.delta)
            .execute(&mut *connection)
            .await
            .expect("update");
    }
}

/// Complaints of five entries each, and how long the walk along all of them takes.
async fn verified(engine: &str, store: Arc<dyn Store>, verify: impl AsyncFn() -> (u64, bool)) {
    let entries = sized("COMPLAINT_BENCH_ENTRIES", ENTRIES);
    let next = Arc::new(AtomicUsize::new(1));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = u32::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("small");
                if number > entries / 5 {
                    return;
                }
                let (mut told, opened) = Story::open(&Opening::numbered(number));
                for change in [opened, told.acknowledge(), told.note("Rang twice."), told.note("Nobody there.")] {
                    store.commit(&change).await.expect("commit");
                }
            }
        });
    }
    tasks.join_all().await;
    let begun = Instant::now();
    let (entries, intact) = verify().await;
    let took = begun.elapsed().as_secs_f64();
    println!("{engine}: {entries} entries verified, {}", if intact { "all as committed" } else { "BROKEN" });
    figure(&format!("{engine}_verify_{entries}_entries"), took, "s");
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use complaint_store_sqlx::PostgresStore;
    use complaint_store_sqlx::postgres::PostgresOptions;
    use sqlx::{AssertSqlSafe, Executor};

    use super::{
        Arc, ByHand, CLIENTS, Change, ComplaintStore, Desk, Instant, MemoryStore, Policy, REPEATS, WARM, by_hand,
        enrol, figure, lists, median, per_second, rate, verified,
    };

    /// Submissions of one statement.
    const TOGETHER: usize = 64;

    async fn fresh(url: &str, connections: usize) -> PostgresStore {
        let schema = format!("b{}", Desk::new(MemoryStore::new(), Policy::standard()).draw_id().simple());
        let options = PostgresOptions::new(url).and_then(|options| options.in_schema(&schema)).expect("a URL");
        let connections = u32::try_from(connections).expect("small");
        let store = options.with_connections(connections).not_durable().open().await.expect("open");
        store.migrate().await.expect("migrate");
        enrol(&store).await;
        store
    }

    /// Tables that do nothing by themselves.
    async fn bare(url: &str) -> PostgresStore {
        let store = fresh(url, 1).await;
        for table in ["state", "log", "count_changes"] {
            let still = format!("ALTER TABLE {}.complaint_{table} DISABLE TRIGGER USER", store.schema());
            store.pool().execute(AssertSqlSafe(still)).await.expect("alter");
        }
        store
    }

    async fn removed(store: PostgresStore) {
        let drop = format!("DROP SCHEMA {} CASCADE", store.schema());
        store.pool().execute(AssertSqlSafe(drop)).await.expect("drop");
        store.close().await;
    }

    pub(crate) async fn measure(changes: &Arc<Vec<Change>>) {
        let Ok(url) = std::env::var("COMPLAINT_TEST_POSTGRES") else {
            println!("COMPLAINT_TEST_POSTGRES names no PostgreSQL: not measured");
            return;
        };
        let rows = by_hand(changes);
        let store = fresh(&url, 1).await;
        for setting in ["fsync", "synchronous_commit"] {
            let show = AssertSqlSafe(format!("SHOW {setting}"));
            let value: String = sqlx::query_scalar(show).fetch_one(store.pool()).await.expect("show");
            println!("postgres: {setting} {value}");
        }
        let most: i32 = sqlx::query_scalar("SELECT current_setting('max_connections')::int - 10")
            .fetch_one(store.pool())
            .await
            .expect("show");
        let most = usize::try_from(most).expect("some connections");
        println!("postgres: at most {most} connections, for pgbench as for ours: more the server does not take");
        removed(store).await;
        for clients in CLIENTS {
            let (mut floors, mut groups, mut ours) = (Vec::new(), Vec::new(), Vec::new());
            // In turn, so that what the machine does beside it meets all three.
            for _ in 0..REPEATS {
                let store = bare(&url).await;
                let script = script(store.schema(), &changes[0], &rows[0]);
                floors.push(pgbench(&url, &script, clients.min(most), changes.len()));
                removed(store).await;

                let store = bare(&url).await;
                groups.push(in_groups(&store, changes, &rows).await);
                removed(store).await;

                let store = fresh(&url, clients.min(most)).await;
                let (all, place) = (Arc::clone(changes), store.clone());
                ours.push(
                    rate(clients, changes, move |at| {
                        let (all, place) = (Arc::clone(&all), place.clone());
                        async move { place.commit(&all[at]).await.expect("commit") }
                    })
                    .await,
                );
                removed(store).await;
            }
            let (floor, group, ours) = (median(floors), median(groups), median(ours));
            figure(&format!("postgres_floor_pgbench_{clients}"), floor, "submissions/s");
            figure(&format!("postgres_floor_{TOGETHER}_in_one_statement_{clients}"), group, "submissions/s");
            figure(&format!("postgres_ours_{clients}"), ours, "submissions/s");
            figure(&format!("postgres_ratio_to_pgbench_{clients}"), ours / floor, "x");
            figure(&format!("postgres_ratio_to_one_statement_{clients}"), ours / group, "x");
        }
        let store = fresh(&url, 32).await;
        verified("postgres", Arc::new(store.clone()), async || {
            let found = store.verify_all().await.expect("verify");
            (found.entries, found.is_intact())
        })
        .await;
        removed(store).await;
    }

    pub(crate) async fn measure_lists() {
        let Ok(url) = std::env::var("COMPLAINT_TEST_POSTGRES") else {
            println!("COMPLAINT_TEST_POSTGRES names no PostgreSQL: not measured");
            return;
        };
        let store = fresh(&url, 4).await;
        let fill = async |changes: Vec<Change>| {
            let mut tx = store.pool().begin().await.expect("begin");
            for change in &changes {
                store.commit_in(&mut tx, change).await.expect("commit");
            }
            tx.commit().await.expect("commit");
        };
        let rest = async |_| {
            // As the server does by itself, sooner or later.
            for table in ["state", "search", "log", "counts", "count_changes"] {
                let vacuum = format!("VACUUM ANALYZE {}.complaint_{table}", store.schema());
                store.pool().execute(AssertSqlSafe(vacuum)).await.expect("vacuum");
            }
        };
        lists::measure("postgres", &store, fill, rest).await;
        removed(store).await;
    }

    /// A value as it stands in a script of `pgbench`, which takes a name behind a colon for one of its variables.
    fn literal(text: &str) -> String {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace(':', "\\x3A"))
    }

    /// The rows of a submission in one transaction, by statements that check nothing: each submission with an id and for an
    /// agent of its own.
    fn script(schema: &str, change: &Change, rows: &ByHand) -> String {
        let state = change.parts()[0].after();
        let (received, promised) = (state.received_at.timestamp_micros(), state.promised_at().expect("a promise"));
        let (promised, status, category) = (promised.timestamp_micros(), state.status.name(), state.category.as_str());
        let words = complaint_core::store::search_words(&state.searchable());
        let words: Vec<String> = words.iter().map(|word| literal(word)).collect();
        let id = "lpad(to_hex(:number::bigint), 32, '0')::uuid";
        let mut script = format!(
            "\\set number random(1, 9000000000000000000)\n\\set agent random(0, 31)\nBEGIN;\n\
             INSERT INTO {schema}.complaint_state (id, reference, version, customer, category, status, is_open, level, \
             handler, weight, received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, \
             state) VALUES ({id}, 'C-' || :number::bigint, 1, 'customer-' || :number::bigint, '{category}', '{status}', \
             true, 1, 'agent-' || :agent::bigint, 1, {received}, {promised}, {promised}, false, '', 0, 1, {});\n\
             INSERT INTO {schema}.complaint_search VALUES ({id}, array_to_tsvector(ARRAY[{}]));\n",
            literal(&rows.state),
            words.join(", "),
        );
        for (seq, document) in (1..).zip(&rows.entries) {
            let _ = writeln!(
                script,
                "INSERT INTO {schema}.complaint_log (complaint, seq, version, at, codec, entry, hash) VALUES ({id}, {seq}, \
                 1, {received}, 1, {}, decode(repeat('00', 32), 'hex'));",
                literal(document),
            );
        }
        for (number, document) in rows.notices.iter().enumerate() {
            let _ = writeln!(
                script,
                "INSERT INTO {schema}.complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
                 VALUES ((lpad(to_hex(:number::bigint), 31, '0') || '{number}')::uuid, {id}, 'waiting', {received}, \
                 {received}, 1, {});",
                literal(document),
            );
        }
        let _ = writeln!(
            script,
            "UPDATE {schema}.complaint_agents SET workload = workload + 1 WHERE id = 'agent-' || :agent::bigint;\nEND;"
        );
        script
    }

    /// Transactions a second of the program that comes with PostgreSQL, once each client is warm.
    fn pgbench(url: &str, script: &str, clients: usize, submissions: usize) -> f64 {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("submission.sql");
        std::fs::write(&file, script).expect("written");
        let each = submissions.div_ceil(clients).max(WARM + 1).to_string();
        let (clients, threads) = (clients.to_string(), clients.min(2).to_string());
        let mut pgbench = Command::new(program());
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--client", &clients, "--jobs", &threads]);
        pgbench.args(["--transactions", &each, "--log", "--log-prefix=done", "--file"]).arg(&file).arg(url);
        pgbench.current_dir(folder.path());
        let ran = pgbench.stdin(Stdio::null()).output().expect("pgbench runs");
        assert!(ran.status.success(), "pgbench: {}", String::from_utf8_lossy(&ran.stderr));
        warm_rate(folder.path()).expect("pgbench logs its transactions")
    }

    /// Each transaction is a line in a log of its thread: the client, its number, how long it took, the script, and when it had ended, in
    /// seconds and microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand, and seconds")]
    fn warm_rate(folder: &Path) -> Option<f64> {
        let mut ends: Vec<(u64, String)> = Vec::new();
        for file in std::fs::read_dir(folder).ok()?.flatten() {
            if !file.file_name().to_string_lossy().starts_with("done") {
                continue;
            }
            for line in std::fs::read_to_string(file.path()).ok()?.lines() {
                let columns: Vec<&str> = line.split(' ').collect();
                let &[client, _, _, _, seconds, micros, ..] = columns.as_slice() else { return None };
                ends.push((seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?, client.to_owned()));
            }
        }
        ends.sort_unstable();
        let mut done: BTreeMap<&str, usize> = BTreeMap::new();
        let mut warm_at = 0;
        for (end, client) in &ends {
            let done = done.entry(client).or_default();
            *done += 1;
            if *done == WARM {
                warm_at = *end;
            }
        }
        let last = ends.last()?.0;
        let counted = ends.iter().filter(|(end, _)| *end > warm_at).count();
        Some(counted as f64 * 1e6 / (last - warm_at).max(1) as f64)
    }

    /// Debian does not put the programs of a server in the path.
    fn program() -> PathBuf {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let found = versions.map(|version| version.path().join("bin/pgbench")).filter(|program| program.exists());
        found.max().unwrap_or_else(|| "pgbench".into())
    }

    /// Submissions a second when each statement writes the rows of many and checks nothing.
    async fn in_groups(store: &PostgresStore, changes: &[Change], rows: &[ByHand]) -> f64 {
        let sql = "WITH \
            states AS (INSERT INTO complaint_state (id, reference, version, customer, category, status, is_open, level, handler, \
                weight, received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state) \
                SELECT s.id, s.reference, 1, s.customer, s.category, s.status, true, 1, s.handler, 1, s.received, s.promised, \
                s.promised, false, '', 0, 1, s.state FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], \
                $6::text[], $7::bigint[], $8::bigint[], $9::text[]) \
                AS s (id, reference, customer, category, status, handler, received, promised, state)), \
            words AS (INSERT INTO complaint_search SELECT w.id, array_to_tsvector(string_to_array(w.words, ' ')) \
                FROM unnest($1::uuid[], $10::text[]) AS w (id, words)), \
            log AS (INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, hash) \
                SELECT l.complaint, l.seq, 1, l.at, 1, l.entry, decode(repeat('00', 32), 'hex') \
                FROM unnest($11::uuid[], $12::bigint[], $13::bigint[], $14::text[]) AS l (complaint, seq, at, entry)), \
            notices AS (INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
                SELECT n.id, n.complaint, 'waiting', n.at, n.at, 1, n.notice \
                FROM unnest($15::uuid[], $16::uuid[], $17::bigint[], $18::text[]) AS n (id, complaint, at, notice)) \
            UPDATE complaint_agents AS a SET workload = a.workload + w.delta \
                FROM (SELECT agent, sum(delta)::bigint AS delta FROM unnest($19::text[], $20::bigint[]) AS w (agent, delta) \
                GROUP BY agent) AS w WHERE a.id = w.agent";
        let sql = sql.replace("complaint_", &format!("{}.complaint_", store.schema()));
        let mut connection = store.pool().acquire().await.expect("a connection");
        let mut begun = Instant::now();
        let mut counted = 0;
        for (at, (changes, rows)) in changes.chunks(TOGETHER).zip(rows.chunks(TOGETHER)).enumerate() {
            if at == 1 {
                begun = Instant::now();
                counted = 0;
            }
            counted += changes.len();
            let states: Vec<_> = changes.iter().map(|change| change.parts()[0].after()).collect();
            let entries: Vec<_> = changes.iter().flat_map(|change| change.parts()[0].entries()).collect();
            let notices: Vec<_> = changes.iter().flat_map(Change::notices).collect();
            let deltas: Vec<_> = changes.iter().flat_map(Change::workload).collect();
            let words = |words: Vec<String>| words.join(" ");
            let handler = |state: &complaint_core::Complaint| state.handler.as_ref().map(ToString::to_string);
            let promised =
                |state: &complaint_core::Complaint| state.promised_at().map_or(0, |at| at.timestamp_micros());
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(each(&states, |state| state.id.as_uuid()))
                .bind(each(&states, |state| state.reference.to_string()))
                .bind(each(&states, |state| state.customer.to_string()))
                .bind(each(&states, |state| state.category.to_string()))
                .bind(each(&states, |state| state.status.name().to_owned()))
                .bind(each(&states, |state| handler(state)))
                .bind(each(&states, |state| state.received_at.timestamp_micros()))
                .bind(each(&states, |state| promised(state)))
                .bind(each(rows, |row| row.state.clone()))
                .bind(each(&states, |state| words(complaint_core::store::search_words(&state.searchable()))))
                .bind(each(&entries, |entry| entry.complaint.as_uuid()))
                .bind(each(&entries, |entry| i64::from(entry.seq)))
                .bind(each(&entries, |entry| entry.at.timestamp_micros()))
                .bind(rows.iter().flat_map(|row| row.entries.clone()).collect::<Vec<_>>())
                .bind(each(&notices, |notice| notice.id.as_uuid()))
                .bind(each(&notices, |notice| notice.complaint.as_uuid()))
                .bind(each(&notices, |notice| notice.planned_at.timestamp_micros()))
                .bind(rows.iter().flat_map(|row| row.notices.clone()).collect::<Vec<_>>())
                .bind(each(&deltas, |delta| delta.agent.to_string()))
                .bind(each(&deltas, |delta| delta.delta))
                .execute(&mut *connection)
                .await
                .expect("written");
        }
        per_second(counted, begun)
    }

    fn each<T, V>(rows: &[T], column: impl Fn(&T) -> V) -> Vec<V> {
        rows.iter().map(column).collect()
    }
}
