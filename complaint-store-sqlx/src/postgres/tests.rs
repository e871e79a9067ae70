#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use std::time::Duration;

use complaint_core::agent::Agent;
use complaint_core::complaint::Complaint;
use complaint_core::conformance::{Opening, Story, agent_id, under_key, within};
use complaint_core::id::CustomerId;
use complaint_core::lifecycle::Status;
use complaint_core::store::{AgentStore, ComplaintStore, IdempotencyKey, Outbox, Query, Scope, StoreError};
use proptest::test_runner::TestRunner;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::{PostgresStore, migrate, statements};
use crate::codec::{CODEC, StateColumns};
use crate::list::trials;

#[allow(dead_code, reason = "what is tried from outside needs more of it")]
#[path = "../../tests/store/cluster.rs"]
mod cluster;

use cluster::{fresh, options};

fn complaint(number: u32) -> Complaint {
    Story::open(&Opening::numbered(number)).0.state().clone()
}

fn unusable<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unusable(why)) => why,
        Err(other) => panic!("{other:?} instead of unusable"),
        Ok(_) => panic!("done instead of unusable"),
    }
}

async fn execute(store: &PostgresStore, sql: &str) -> Result<(), sqlx::Error> {
    let sql = statements::within(store.schema(), sql);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(store.pool()).await.map(drop)
}

/// States that no change made.
async fn insert(store: &PostgresStore, complaints: &[Complaint]) {
    let state = "INSERT INTO complaint_state (id, reference, version, customer, against, category, status, is_open, \
                 level, handler, weight, received_at, promised_at, next_action_at, has_missed_deadline, ratings, \
                 words_hash, codec, state) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    let words = "INSERT INTO complaint_search VALUES ($1, array_to_tsvector(string_to_array($2, ' ')))";
    let mut tx = store.pool().begin().await.unwrap();
    for complaint in complaints {
        let row = StateColumns::of(complaint, None).unwrap();
        let found_by = super::complaints::indexed_words(&row.words);
        sqlx::query(AssertSqlSafe(statements::within(store.schema(), state)))
            .bind(row.id.as_uuid())
            .bind(row.reference)
            .bind(row.version)
            .bind(row.customer)
            .bind(row.against)
            .bind(row.category)
            .bind(&*row.status)
            .bind(row.is_open)
            .bind(row.level)
            .bind(row.handler)
            .bind(row.weight)
            .bind(row.received_at)
            .bind(row.promised_at)
            .bind(row.next_action_at)
            .bind(row.has_missed_deadline)
            .bind(row.ratings)
            .bind(row.words_hash)
            .bind(CODEC)
            .bind(row.state)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(AssertSqlSafe(statements::within(store.schema(), words)))
            .bind(row.id.as_uuid())
            .bind(found_by)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_schema_that_was_not_migrated_is_refused_and_not_made() {
    let Some(options) = options() else { return };
    let store = options.clone().open().await.unwrap();
    let why = unusable(store.load(complaint(1).id).await);
    assert!(why.contains("call migrate"), "{why}");
    unusable(store.save(&Agent::named("asha", "Asha").unwrap()).await);
    let schemas = sqlx::query("SELECT 1 FROM pg_namespace WHERE nspname = $1").bind(store.schema());
    assert!(schemas.fetch_optional(store.pool()).await.unwrap().is_none(), "opening made a schema");

    // What another server migrates is seen without opening again.
    options.open().await.unwrap().migrate().await.unwrap();
    assert_eq!(store.load(complaint(1).id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_migrate_at_once_do_not_meet() {
    for _ in 0..5 {
        let Some(options) = options() else { return };
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let options = options.clone();
            tasks.spawn(async move { options.open().await?.migrate().await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        let store = options.open().await.unwrap();
        let applied = AssertSqlSafe(statements::within(store.schema(), "SELECT count(*) FROM complaint_schema"));
        let applied: i64 = sqlx::query_scalar(applied).fetch_one(store.pool()).await.unwrap();
        assert_eq!(usize::try_from(applied), Ok(migrate::migrations().len()));
    }
}

#[tokio::test]
async fn a_newer_schema_and_an_edited_one_are_refused() {
    let Some(options) = options() else { return };
    let store = options.clone().open().await.unwrap();
    store.migrate().await.unwrap();
    let newer = "INSERT INTO complaint_schema SELECT max(version) + 1, 'later', '', 0 FROM complaint_schema";
    execute(&store, newer).await.unwrap();
    let why = unusable(options.clone().open().await);
    assert!(why.contains("use a newer one"), "{why}");
    unusable(store.migrate().await);

    execute(&store, "DELETE FROM complaint_schema WHERE name = 'later'").await.unwrap();
    options.clone().open().await.unwrap();
    execute(&store, "UPDATE complaint_schema SET hash = ''").await.unwrap();
    let why = unusable(options.open().await);
    assert!(why.contains("not the one this library knows"), "{why}");
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let Some(url) = cluster::url() else { return };
    // The throwaway cluster is one: nothing in it is worth keeping.
    let why = unusable(PostgresStore::open(&url).await);
    let all = "may lose what it acknowledged: fsync, full_page_writes, synchronous_commit off";
    assert!(why.contains(all), "{why}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_letter_is_refused() {
    let Some(url) = cluster::database("ENCODING 'LATIN1' LOCALE 'C'").await else { return };
    let why = unusable(cluster::options_of(&url, "complaints").open().await);
    assert!(why.contains("encoded as LATIN1"), "{why}");
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let Some(store) = fresh().await else { return };
    let all = store.sql.all();
    assert!(all.len() > 15);
    for (name, sql) in all {
        if let Err(fault) = store.pool().prepare(sql).await {
            panic!("{name}: {fault}");
        }
    }
}

#[tokio::test]
async fn the_log_takes_additions_only() {
    let Some(store) = fresh().await else { return };
    insert(&store, &[complaint(1)]).await;
    let add = "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, hash) \
               SELECT id, 1, 1, 0, 1, '{}', decode(repeat('00', 32), 'hex') FROM complaint_state";
    execute(&store, add).await.unwrap();
    let again = format!("{add} ON CONFLICT (complaint, seq) DO UPDATE SET entry = '[]'");
    for tampering in
        ["UPDATE complaint_log SET entry = '[]'", "DELETE FROM complaint_log", "TRUNCATE complaint_log", &again]
    {
        let fault = execute(&store, tampering).await.unwrap_err().to_string();
        assert!(fault.contains("append-only"), "{tampering}: {fault}");
    }
    // Nor through what the log belongs to.
    execute(&store, "TRUNCATE complaint_state CASCADE").await.unwrap_err();
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_named() {
    let Some(store) = fresh().await else { return };
    let (story, opened) = Story::open(&Opening::numbered(1));
    store.commit(&opened).await.unwrap();
    store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    execute(&store, "UPDATE complaint_agents SET workload = 99999999999").await.unwrap();
    let error = store.roster().await.unwrap_err().to_string();
    assert_eq!(error, "complaint_agents.workload holds a value that cannot be read");
    execute(&store, "UPDATE complaint_state SET codec = 99").await.unwrap();
    let error = store.load(story.id()).await.unwrap_err().to_string();
    assert_eq!(error, "complaint_state.state holds a value that cannot be read");
}

#[tokio::test]
async fn a_workload_that_had_gone_wrong_is_named() {
    let Some(store) = fresh().await else { return };
    let (mut story, opened) = Story::open(&Opening::numbered(1));
    store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    store.commit(&opened).await.unwrap();
    store.commit(&story.assign(&agent_id("asha"), None)).await.unwrap();
    execute(&store, "UPDATE complaint_agents SET workload = 0").await.unwrap();
    let error = store.commit(&story.clone().release()).await.unwrap_err().to_string();
    assert_eq!(error, "complaint_agents.workload holds a value that cannot be read");
    assert_eq!(store.load(story.id()).await.unwrap().as_ref(), Some(story.state()));
}

#[tokio::test]
async fn a_notice_that_cannot_be_read_holds_up_no_other() {
    let Some(store) = fresh().await else { return };
    let (_, opened) = Story::open(&Opening::numbered(1));
    store.commit(&opened).await.unwrap();
    let add = "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
               SELECT gen_random_uuid(), complaint, 'waiting', 0, 0, 1, '{}' FROM complaint_outbox";
    execute(&store, add).await.unwrap();
    let now = opened.notices()[0].planned_at;
    let claimed = store.claim(now, now + chrono::TimeDelta::seconds(60), 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| &claimed.notice).collect::<Vec<_>>(), [&opened.notices()[0]]);
    store.settle(&claimed[0], complaint_core::notice::Settlement::Delivered, now).await.unwrap();

    let outbox = "SELECT state, coalesce(last_error, ''), notice FROM complaint_outbox ORDER BY available_at";
    let rows = AssertSqlSafe(statements::within(store.schema(), outbox));
    let rows = sqlx::query(rows).fetch_all(store.pool()).await.unwrap();
    let text = |row: usize, column: usize| rows[row].get::<String, _>(column);
    let by_state = |state: &str| (0..2).find(|row| text(*row, 0) == state).unwrap();
    assert_eq!(text(by_state("dead"), 1), "complaint_outbox.notice holds a value that cannot be read");
    let kept = text(by_state("delivered"), 2);
    assert!(!kept.contains("Words for the customer") && !kept.contains("Parcel"), "{kept}");
    let kept: complaint_core::notice::Notice = serde_json::from_str(&kept).unwrap();
    assert_eq!((kept.id, kept.text), (opened.notices()[0].id, None));
}

#[tokio::test]
async fn an_agent_saved_late_gets_what_they_hold() {
    let Some(store) = fresh().await else { return };
    let held = |number, status, weight| {
        let mut held = complaint(number);
        (held.handler, held.status, held.weight) = (Some(agent_id("asha")), status, weight);
        held
    };
    insert(&store, &[held(1, Status::InProgress, 3), held(2, Status::Assigned, 4), held(3, Status::Closed, 9)]).await;
    store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    assert_eq!(store.find(&agent_id("asha")).await.unwrap().unwrap().workload, 7);
}

/// Where a change is under way that takes from them what they hold.
#[tokio::test]
async fn an_agent_saved_late_waits_for_who_changes_what_they_hold() {
    let Some(store) = fresh().await else { return };
    let asha = Agent::named("asha", "Asha").unwrap();
    let (mut story, opened) = Story::open(&Opening::numbered(1));
    store.save(&asha).await.unwrap();
    store.commit(&opened).await.unwrap();
    store.commit(&story.assign(&asha.id, None)).await.unwrap();
    execute(&store, "DELETE FROM complaint_agents").await.unwrap();
    let mut tx = store.pool().begin().await.unwrap();
    store.commit_in(&mut tx, &story.release()).await.unwrap();
    let lock = super::complaints::lock_key(store.schema(), "agent", "asha");
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                 AND (classid::bigint << 32 | objid::bigint) = $1";
    let one_waits =
        async { while sqlx::query_scalar::<_, i64>(waits).bind(lock).fetch_one(store.pool()).await.unwrap() == 0 {} };
    let mut saving = std::pin::pin!(store.save(&asha));
    tokio::select! {
        saved = &mut saving => panic!("they are saved with what they are about to lose: {saved:?}"),
        () = one_waits => {}
    }
    tx.commit().await.unwrap();
    saving.await.unwrap();
    assert_eq!(store.find(&asha.id).await.unwrap().unwrap().workload, 0);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped_by_the_server() {
    let Some(options) = options() else { return };
    let options = options.with_connections(1).with_statement_timeout(Duration::from_millis(500));
    let store = options.open().await.unwrap();
    store.migrate().await.unwrap();
    let key = IdempotencyKey::new("customer:john", "form-1").unwrap();
    let opened = under_key(Story::open(&Opening::numbered(1)).1, key.owner(), key.key(), "digest");
    store.commit(&opened).await.unwrap();
    let slow = "ALTER TABLE complaint_idempotency RENAME TO kept_at_once; CREATE VIEW complaint_idempotency AS \
                WITH slow AS MATERIALIZED (SELECT pg_sleep(600)) SELECT kept_at_once.* FROM kept_at_once, slow";
    execute(&store, slow).await.unwrap();
    let served_by =
        async || -> i32 { sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(store.pool()).await.unwrap() };
    let before = served_by().await;
    let stopped = store.recall(&key).await.unwrap_err();
    let why = std::error::Error::source(&stopped).unwrap().to_string();
    assert!(stopped.is_transient() && why.contains("statement timeout"), "{stopped:?}");
    assert_eq!(served_by().await, before, "the connection is as good as before");
}

#[tokio::test]
async fn what_was_stored_before_the_counts_is_counted() {
    let Some(options) = options() else { return };
    let store = options.open().await.unwrap();
    migrate::run_up_to(&store, 2, Duration::from_mins(1)).await.unwrap();
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    let (before, after) = population.split_at(100);
    insert(&store, before).await;
    store.migrate().await.unwrap();
    trials::counts_are_what_there_is(&store, before).await;
    insert(&store, after).await;
    trials::counts_are_what_there_is(&store, &population).await;
    let ids: Vec<String> = after.iter().map(|gone| format!("'{}'", gone.id)).collect();
    let delete = "DELETE FROM complaint_search WHERE complaint IN (IDS); DELETE FROM complaint_state WHERE id IN (IDS)";
    execute(&store, &delete.replace("IDS", &ids.join(", "))).await.unwrap();
    trials::counts_are_what_there_is(&store, before).await;
    assert_eq!(store.verify_all().await.unwrap().miscounts, []);
}

#[tokio::test]
async fn what_an_earlier_library_indexed_is_indexed_anew() {
    // Without headings, and with letters that were not folded.
    for before in [3, 5] {
        let Some(options) = options() else { return };
        let store = options.open().await.unwrap();
        migrate::run_up_to(&store, before, Duration::from_mins(1)).await.unwrap();
        let population = trials::population(&mut TestRunner::deterministic(), 60);
        let damaged = complaint(900);
        insert(&store, &population).await;
        insert(&store, std::slice::from_ref(&damaged)).await;
        // As an earlier library left it, and one that cannot be read.
        let before = "UPDATE complaint_state SET words_hash = 0; UPDATE complaint_search SET words = '';
                      UPDATE complaint_state SET state = 'no JSON' WHERE id = 'ID'";
        execute(&store, &before.replace("ID", &damaged.id.to_string())).await.unwrap();
        store.migrate().await.unwrap();
        let gone = "DELETE FROM complaint_search WHERE complaint = 'ID'; DELETE FROM complaint_state WHERE id = 'ID'";
        execute(&store, &gone.replace("ID", &damaged.id.to_string())).await.unwrap();
        trials::a_list_is_what_matches_in_every_scope_order_and_page(&store, &population).await;
        let stale = statements::within(store.schema(), "SELECT count(*) FROM complaint_state WHERE words_hash = 0");
        let stale: i64 = sqlx::query_scalar(AssertSqlSafe(stale)).fetch_one(store.pool()).await.unwrap();
        assert_eq!(stale, 0);
    }
}

#[tokio::test]
async fn a_list_is_what_matches_in_every_scope_order_and_page() {
    let Some(store) = fresh().await else { return };
    let population = trials::population(&mut TestRunner::deterministic(), 120);
    insert(&store, &population).await;
    trials::a_list_is_what_matches_in_every_scope_order_and_page(&*store, &population).await;
}

#[tokio::test]
async fn a_search_finds_the_words_that_the_core_sees() {
    let Some(store) = fresh().await else { return };
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    insert(&store, &population).await;
    trials::a_search_finds_the_words_that_the_core_sees(&*store, &population).await;
}

#[tokio::test]
async fn a_search_is_in_its_order_on_every_page() {
    let Some(store) = fresh().await else { return };
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    insert(&store, &population).await;
    trials::a_search_is_in_its_order_on_every_page(&*store, &population).await;
}

#[tokio::test]
async fn words_beyond_what_the_index_keeps_are_told_apart() {
    let Some(store) = fresh().await else { return };
    let population = trials::long_words();
    insert(&store, &population).await;
    trials::words_beyond_what_the_index_keeps_are_told_apart(&*store, &population).await;
}

#[tokio::test]
async fn words_that_are_not_the_indexed_ones_are_indexed_anew() {
    let Some(store) = fresh().await else { return };
    let (mut story, opened) = Story::open(&Opening::numbered(1));
    store.commit(&opened).await.unwrap();
    execute(&store, "UPDATE complaint_search SET words = 'kettle'; UPDATE complaint_state SET words_hash = 0")
        .await
        .unwrap();
    store.commit(&story.note("Anything.")).await.unwrap();
    for (text, expected) in [("parc", 1), ("kettle", 0)] {
        let query = Query { text: Some(text.into()), ..Query::within(Scope::All) };
        assert_eq!(store.search(&query).await.unwrap().items.len(), expected, "{text}");
    }
}

/// Twenty thousand complaints, of which one in twenty is open, with all that belongs to them, and what the server knows of
/// it by itself sooner or later.
const FILLED: &str = "
    INSERT INTO complaint_state (id, reference, version, customer, against, category, status, is_open, level, handler, weight,
        received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state)
    SELECT id, 'C-' || n, 1, CASE WHEN n % 4000 = 1 THEN 'john@example.org' ELSE 'customer-' || n / 5 END,
        CASE WHEN n % 997 = 0 THEN 'asha' END,
        CASE WHEN is_open OR chance % 10 < 7 THEN 'damaged' ELSE 'late' END,
        CASE WHEN is_open THEN (ARRAY['queued', 'assigned', 'in_progress'])[1 + n / 20 % 3]
            ELSE (ARRAY['closed', 'closed', 'closed', 'closed', 'resolved', 'withdrawn'])[1 + chance % 6] END,
        is_open, CASE WHEN n % 10 < 9 THEN 1 WHEN n % 2000 <> 1999 THEN 2 ELSE 3 END,
        CASE WHEN NOT is_open OR n / 20 % 3 > 0 THEN (ARRAY['asha', 'ben', 'cho', 'dee', 'eve', 'fay', 'gil', 'hal'])[1 + chance % 8] END,
        1, n * 1000000::bigint,
        CASE WHEN is_open THEN (n + 1000000) * 1000000::bigint ELSE 9223372036854775807 END,
        CASE WHEN is_open THEN n * 1000000::bigint END, is_open AND n % 100 = 0, '', 0, 1, repeat(md5(n::text), 20)
    FROM (SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, n % 20 = 0 AS is_open,
        ('x' || substr(md5(n::text), 1, 7))::bit(28)::int AS chance FROM generate_series(1, 20000) AS n) AS numbered;
    INSERT INTO complaint_search SELECT id, array_to_tsvector(CASE WHEN received_at % 400000000 = 0
        THEN ARRAY['kettle', '¶kettle', reference] ELSE ARRAY['lamp', reference] END) FROM complaint_state;
    INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, hash)
        SELECT id, seq, 1, 0, 1, '{}', decode(repeat('00', 32), 'hex') FROM complaint_state, generate_series(1, 2) AS seq;
    INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice)
        SELECT id, id, CASE WHEN is_open THEN 'waiting' WHEN level = 3 THEN 'dead' ELSE 'delivered' END, received_at, received_at, 1,
        '{}' FROM complaint_state;
    INSERT INTO complaint_idempotency (owner, key, fingerprint, complaint, version, committed_at)
        SELECT customer, reference, '', id, 1, 0 FROM complaint_state;
    INSERT INTO complaint_agents (id, workload, codec, agent) SELECT 'agent-' || n, 0, 1, '{}' FROM generate_series(1, 2000) AS n";
/// How many rows of all these a statement may read: those that are open, and pages of kinds. A kind of which the planner believes
/// that it is small is sorted, which is no more than what two of the eight handlers have settled; so may be what some days have.
const READ_MOST: f64 = 6_000.0;

async fn filled() -> Option<Box<PostgresStore>> {
    let store = fresh().await?;
    execute(&store, FILLED).await.unwrap();
    for table in ["state", "search", "log", "outbox", "idempotency", "agents", "counts", "count_changes"] {
        execute(&store, &format!("VACUUM ANALYZE complaint_{table}")).await.unwrap();
    }
    Some(store)
}

/// Of what stands in functions and triggers the server tells what it read.
#[tokio::test]
async fn what_changes_something_scans_no_table() {
    let Some(store) = filled().await else { return };
    // On connections that have read nothing yet: it is told with what was read just before.
    let store = cluster::options_of(&cluster::url().unwrap(), store.schema()).open().await.unwrap();
    let asha = Agent::named("asha", "Asha").unwrap().with_capacity(1_000);
    store.save(&asha).await.unwrap();
    let john = CustomerId::new("john@example.org").unwrap();
    for (number, mode) in [(1, "force_custom_plan"), (2, "force_generic_plan")] {
        let (mut story, opened) = Story::open(&Opening::numbered(number));
        let (mut other, besides) = Story::open(&Opening::numbered(100 + number));
        let changes = [
            ("opened", within(under_key(opened, "customer:john", &format!("form-{number}"), "digest"), &john, 1_000)),
            ("opened as well", besides),
            ("assigned", story.assign(&asha.id, Some(1_000))),
            ("worded anew", story.triage("damaged", 2)),
            ("noted", story.note("Kettle.")),
            ("resolved", story.resolve()),
            ("rated", story.rate(4)),
            ("closed", story.close()),
            ("merged", other.merge(&mut story)),
        ];
        for (what, change) in &changes {
            let mut tx = store.pool().begin().await.unwrap();
            tx.execute(AssertSqlSafe(format!("SET LOCAL plan_cache_mode = {mode}"))).await.unwrap();
            // The next change of a count is one by which they are folded.
            let fold = "SELECT setval(pg_get_serial_sequence('complaint_count_changes', 'place'), \
                        (SELECT max(place) / 256 * 256 + 511 FROM complaint_count_changes))";
            tx.execute(AssertSqlSafe(statements::within(store.schema(), fold))).await.unwrap();
            store.commit_in(&mut tx, change).await.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
            expect_no_scan(&mut tx, store.schema(), &format!("{what}, {mode}")).await;
            tx.commit().await.unwrap();
        }
        let mut tx = store.pool().begin().await.unwrap();
        tx.execute(AssertSqlSafe(format!("SET LOCAL plan_cache_mode = {mode}"))).await.unwrap();
        let save = sqlx::query(store.sql.save_agent.clone());
        save.bind(1_i64).bind("asha").bind(1_i64).bind("{}").execute(&mut *tx).await.unwrap();
        expect_no_scan(&mut tx, store.schema(), &format!("an agent, {mode}")).await;
    }
}

/// How many rows of a table a change may look up: an agent may hold a hundred of these complaints.
const LOOKED_UP_MOST: i64 = 500;

async fn expect_no_scan(tx: &mut PgConnection, schema: &str, what: &str) {
    let read = "SELECT relname::text, seq_scan, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables \
                WHERE schemaname = $1 AND seq_scan + coalesce(idx_scan, 0) > 0";
    let read: Vec<(String, i64, i64, i64)> = sqlx::query_as(read).bind(schema).fetch_all(tx).await.unwrap();
    assert!(!read.is_empty(), "{what}: the server tells nothing");
    for (table, scans, scanned, looked_up) in &read {
        // One has a row for each migration; of the other all that was not folded yet may be wanted, which is never much.
        let is_small = table == "complaint_schema" || table == "complaint_count_changes" && scanned + looked_up < 4_000;
        let is_range = *scans == 0 && *looked_up <= LOOKED_UP_MOST;
        assert!(is_range || is_small, "{what} reads {table} whole: {read:?}");
    }
}

#[tokio::test]
async fn daily_work_reads_a_range_however_much_is_settled() {
    use crate::list::{Statement, Value};

    let Some(store) = filled().await else { return };
    let told = |(name, sql): (&str, String)| (name.to_owned(), Statement { sql, values: Vec::new() });
    let mut statements = trials::daily_work(&store.dialect);
    // The roster is read whole; of a function no plan shows what is inside.
    let all = store.sql.all().into_iter().filter(|(name, _)| !["roster", "commit", "save_agent"].contains(name));
    statements.extend(all.map(|(name, sql)| told((name, sql.as_str().to_owned()))));
    let mut tx = store.pool().begin().await.unwrap();
    // A driver's statements are planned for what is asked, and after some time for whatever may be asked.
    for mode in ["force_custom_plan", "force_generic_plan"] {
        tx.execute(AssertSqlSafe(format!("SET LOCAL plan_cache_mode = {mode}"))).await.unwrap();
        for (name, Statement { sql, values }) in &statements {
            let prepare = AssertSqlSafe(format!("PREPARE explained AS {sql}"));
            tx.execute(sqlx::raw_sql(prepare)).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let parameters = (1..100).take_while(|at| sql.contains(&format!("${at}"))).count();
            let mut given: Vec<String> = values
                .iter()
                .map(|value| match value {
                    Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
                    Value::Number(number) => number.to_string(),
                    Value::Id(id) => format!("'{id}'"),
                })
                .collect();
            // What writes is not carried out; of what it is given nothing is known.
            let analyze = if given.len() == parameters { "ANALYZE, TIMING OFF, " } else { "" };
            given.resize(parameters, "NULL".to_owned());
            let given = if parameters == 0 { String::new() } else { format!("({})", given.join(", ")) };
            let explain = format!("EXPLAIN ({analyze}FORMAT JSON) EXECUTE explained{given}");
            let plan: serde_json::Value = sqlx::raw_sql(AssertSqlSafe(explain))
                .fetch_one(&mut *tx)
                .await
                .unwrap_or_else(|fault| panic!("{name}: {fault}"))
                .get(0);
            let mut steps = Vec::new();
            steps_of(&plan[0]["Plan"], &mut steps);
            // What was not folded into the counts yet is a few hundred rows, and all of them are wanted.
            let scans = |step: &&serde_json::Value| {
                step["Node Type"] == "Seq Scan" && step["Relation Name"] != "complaint_count_changes"
            };
            assert!(!steps.iter().any(scans), "{name}, {mode}: {plan:#}\n{sql}");
            let number = |step: &serde_json::Value, what: &str| step[what].as_f64().unwrap_or(0.0);
            let read: f64 = steps
                .iter()
                .filter(|step| step["Relation Name"].is_string())
                .map(|step| {
                    (number(step, "Actual Rows") + number(step, "Rows Removed by Filter"))
                        * number(step, "Actual Loops")
                })
                .sum();
            assert!(read <= READ_MOST, "{name}, {mode} reads {read}: {plan:#}\n{sql}");
            tx.execute("DEALLOCATE explained").await.unwrap();
        }
    }
}

fn steps_of<'p>(plan: &'p serde_json::Value, into: &mut Vec<&'p serde_json::Value>) {
    into.push(plan);
    for part in plan["Plans"].as_array().into_iter().flatten() {
        steps_of(part, into);
    }
}

#[tokio::test]
async fn a_migration_does_not_wait_for_ever() {
    let Some(options) = options() else { return };
    let store = options.open().await.unwrap();
    let lock = super::complaints::lock_key(store.schema(), "migration", "");
    let mut other = store.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut *other).await.unwrap();
    let waited = migrate::run_up_to(&store, 1, Duration::from_millis(1)).await.unwrap_err();
    let why = std::error::Error::source(&waited).unwrap().to_string();
    assert!(waited.is_transient() && why.contains("another server migrates it"), "{waited:?}");
    other.rollback().await.unwrap();
    store.migrate().await.unwrap();
}

/// Counting everything has a time of its own, and leaves the daily one as it was.
#[tokio::test]
async fn counting_everything_may_take_longer_than_daily_work() {
    let Some(store) = fresh().await else { return };
    store.commit(&Story::open(&Opening::numbered(1)).1).await.unwrap();
    // Counts nothing in less time than that.
    let hasty = "ALTER VIEW complaint_countable RENAME TO countable_at_all; CREATE VIEW complaint_countable AS \
                 SELECT * FROM countable_at_all WHERE current_setting('statement_timeout') = '1h'";
    execute(&store, hasty).await.unwrap();
    assert_eq!(store.verify_all().await.unwrap().miscounts, []);
    let shown: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(store.pool()).await.unwrap();
    assert_eq!(shown, "1min");
}

#[tokio::test]
async fn a_change_is_not_committed_in_a_fixed_snapshot() {
    let Some(store) = fresh().await else { return };
    let (story, opened) = Story::open(&Opening::numbered(1));
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = AssertSqlSafe(format!("BEGIN ISOLATION LEVEL {isolation}"));
        let mut tx = store.pool().begin_with(begin).await.unwrap();
        let why = unusable(store.commit_in(&mut tx, &opened).await);
        assert!(why.contains("READ COMMITTED"), "{why}");
    }
    assert_eq!(store.load(story.id()).await.unwrap(), None);
}

#[tokio::test]
async fn the_default_isolation_of_a_database_does_not_matter() {
    let Some(options) = options() else { return };
    let store = options.open().await.unwrap();
    let shown: String = sqlx::query_scalar("SHOW default_transaction_isolation").fetch_one(store.pool()).await.unwrap();
    assert_eq!(shown, "read committed");
    let shown: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(store.pool()).await.unwrap();
    assert_eq!(shown, "1min", "as the tests ask for");
}
