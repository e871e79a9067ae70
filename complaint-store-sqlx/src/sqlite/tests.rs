use chrono::{DateTime, Utc};
use complaint_core::agent::Agent;
use complaint_core::complaint::Complaint;
use complaint_core::conformance::{Opening, Story, second};
use complaint_core::id::AgentId;
use complaint_core::lifecycle::Status;
use complaint_core::notice::Settlement;
use complaint_core::store::{AgentStore, ComplaintStore, Outbox, Scope, StoreError};
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr};
use uuid::Uuid;

use super::complaints::insert_state;
use super::{IMMEDIATE, SqliteStore, list, migrate, statements};
use crate::codec::StateColumns;
use crate::list::trials;
use crate::verify::Tampering;

struct Scratch {
    folder: tempfile::TempDir,
    store: SqliteStore,
}

impl Scratch {
    async fn new() -> Self {
        let scratch = Self::unmigrated().await;
        scratch.store.migrate().await.unwrap();
        scratch
    }

    async fn unmigrated() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&url(&folder, "")).await.unwrap();
        Self { folder, store }
    }

    async fn again(&self, parameters: &str) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&url(&self.folder, parameters)).await
    }

    async fn insert(&self, complaints: &[Complaint]) {
        let mut tx = self.store.writer().begin_with(IMMEDIATE).await.unwrap();
        for complaint in complaints {
            insert_state(&mut tx, &StateColumns::of(complaint, None).unwrap()).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn execute(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.store.writer().execute(sql).await.map(|_| ())
    }
}

fn url(folder: &tempfile::TempDir, parameters: &str) -> String {
    format!("sqlite:{}{parameters}", folder.path().join("complaints.db").display())
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000 + seconds, 0).unwrap()
}

fn complaint(number: u32) -> Complaint {
    Story::open(&Opening::numbered(number)).0.state().clone()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn unusable(error: StoreError) -> String {
    match error {
        StoreError::Unusable(why) => why,
        other => panic!("{other:?} instead of unusable"),
    }
}

#[tokio::test]
async fn a_file_that_was_not_migrated_is_refused_and_not_changed() {
    let scratch = Scratch::unmigrated().await;
    let why = unusable(scratch.store.load(complaint(1).id).await.unwrap_err());
    assert!(why.contains("call migrate"), "{why}");
    unusable(scratch.store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap_err());
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(scratch.store.readers()).await.unwrap();
    assert_eq!(tables, 0, "opening made tables");

    // What another process migrates is seen without opening again.
    scratch.again("").await.unwrap().migrate().await.unwrap();
    assert_eq!(scratch.store.load(complaint(1).id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opening_and_migrating_is_safe_to_repeat_and_at_once() {
    for _ in 0..15 {
        let folder = tempfile::tempdir().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let url = url(&folder, "");
            tasks.spawn(async move { SqliteStore::open(&url).await?.migrate().await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        let again = SqliteStore::open(&url(&folder, "")).await.unwrap();
        again.migrate().await.unwrap();
        let applied: i64 =
            sqlx::query_scalar("SELECT count(*) FROM complaint_schema").fetch_one(again.readers()).await.unwrap();
        assert_eq!(usize::try_from(applied), Ok(migrate::migrations().len()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_waited_for() {
    use sqlx::{ConnectOptions, Connection};

    let folder = tempfile::tempdir().unwrap();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("complaints.db")).create_if_missing(true);
    let mut maker = options.connect().await.unwrap();
    let held = maker.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let url = url(&folder, "");
    let mut opening = tokio::spawn(async move { SqliteStore::open(&url).await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), &mut opening).await;
    assert!(early.is_err(), "did not wait: {early:?}");
    held.rollback().await.unwrap();
    opening.await.unwrap().unwrap().migrate().await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_and_an_edited_one_are_refused() {
    let scratch = Scratch::new().await;
    let known = migrate::migrations().len();
    let newer = "INSERT INTO complaint_schema (version, name, hash, applied_at) \
                 SELECT max(version) + 1, 'later', x'00', 0 FROM complaint_schema";
    scratch.execute(newer).await.unwrap();
    let why = unusable(scratch.again("").await.unwrap_err());
    let expected = [format!("version {}", known + 1), format!("up to {known}:")];
    assert!(expected.iter().all(|part| why.contains(part)), "{why}");
    unusable(scratch.store.migrate().await.unwrap_err());

    scratch.execute("DELETE FROM complaint_schema WHERE name = 'later'").await.unwrap();
    scratch.again("").await.unwrap();
    scratch.execute("UPDATE complaint_schema SET hash = x'00'").await.unwrap();
    let why = unusable(scratch.again("").await.unwrap_err());
    assert!(why.contains("not the one this library knows"), "{why}");
}

#[tokio::test]
async fn the_migrations_of_a_host_live_in_the_same_file() {
    use sqlx::migrate::{Migration, MigrationType, Migrator};

    let scratch = Scratch::unmigrated().await;
    let host = Migrator::with_migrations(vec![Migration::new(
        1,
        "host".into(),
        MigrationType::Simple,
        "CREATE TABLE server_accounts (id TEXT PRIMARY KEY) STRICT".into_sql_str(),
        false,
    )]);
    host.run(scratch.store.writer()).await.unwrap();
    scratch.store.migrate().await.unwrap();
    host.run(scratch.store.writer()).await.unwrap();
    scratch.again("").await.unwrap().load(complaint(1).id).await.unwrap();
}

#[tokio::test]
async fn every_connection_is_durable_and_readers_cannot_write() {
    let scratch = Scratch::new().await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(scratch.store.readers().acquire().await.unwrap());
    }
    readers.push(scratch.store.writer().acquire().await.unwrap());
    for connection in &mut readers {
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut **connection).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut **connection).await.unwrap();
        let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut **connection).await.unwrap();
        assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
    }
    drop(readers);
    assert!(scratch.store.readers().execute("DELETE FROM complaint_agents").await.is_err());
}

#[tokio::test]
async fn a_read_only_store_reads_and_says_that_it_cannot_write() {
    let scratch = Scratch::new().await;
    let asha = Agent::named("asha", "Asha").unwrap();
    scratch.store.save(&asha).await.unwrap();
    let (_, opened) = Story::open(&Opening::numbered(1));
    scratch.store.commit(&opened).await.unwrap();
    let claimed = scratch.store.claim(second(9), second(60), 1).await.unwrap().remove(0);
    let store = scratch.again("?mode=ro").await.unwrap();
    assert_eq!(store.find(&asha.id).await.unwrap().unwrap().agent, asha);
    let why = unusable(store.save(&asha).await.unwrap_err());
    assert!(why.contains("readonly"), "{why}");
    unusable(store.settle(&claimed, Settlement::Delivered, second(10)).await.unwrap_err());
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused() {
    let scratch = Scratch::unmigrated().await;
    let folder = scratch.folder.path();
    std::fs::write(folder.join("text.db"), "A letter, and no database at all. ".repeat(100)).unwrap();
    for name in ["missing/complaints.db", "missing.db?mode=rw", "text.db"] {
        unusable(SqliteStore::open(&format!("sqlite:{}", folder.join(name).display())).await.unwrap_err());
    }
    assert!(!folder.join("missing.db").exists());
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let scratch = Scratch::new().await;
    assert!(statements::ALL.len() > 20);
    for (name, sql) in statements::ALL {
        if let Err(fault) = scratch.store.writer().prepare(sql.into_sql_str()).await {
            panic!("{name}: {fault}");
        }
    }
}

#[tokio::test]
async fn the_log_takes_additions_only() {
    let scratch = Scratch::new().await;
    scratch.insert(&[complaint(1)]).await;
    let insert = "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, hash) \
                  SELECT id, 1, 1, 0, 1, '{}', zeroblob(32) FROM complaint_state";
    scratch.execute(insert).await.unwrap();
    for tampering in [
        "UPDATE complaint_log SET entry = '[]'",
        "DELETE FROM complaint_log",
        "INSERT OR REPLACE INTO complaint_log (complaint, seq, version, at, codec, entry, hash) \
         SELECT id, 1, 1, 0, 1, '[]', zeroblob(32) FROM complaint_state",
        "REPLACE INTO complaint_log (row, complaint, seq, version, at, codec, entry, hash) \
         SELECT 1, id, 2, 1, 0, 1, '[]', zeroblob(32) FROM complaint_state",
    ] {
        let fault = scratch.execute(tampering).await.unwrap_err().to_string();
        assert!(fault.contains("append-only"), "{tampering}: {fault}");
    }
    let entry: String =
        sqlx::query_scalar("SELECT entry FROM complaint_log").fetch_one(scratch.store.readers()).await.unwrap();
    assert_eq!(entry, "{}");
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_named() {
    let scratch = Scratch::new().await;
    scratch.insert(&[complaint(1)]).await;
    scratch.store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    for (tampering, named) in [
        ("UPDATE complaint_state SET state = '{}'", "complaint_state.state"),
        ("UPDATE complaint_state SET codec = 99", "complaint_state.state"),
        ("UPDATE complaint_counts SET status = 'lost'", "complaint_counts.status"),
        ("UPDATE complaint_counts SET status = 'queued', complaints = -1", "complaint_counts.complaints"),
        ("UPDATE complaint_agents SET workload = 99999999999", "complaint_agents.workload"),
    ] {
        scratch.execute(tampering).await.unwrap();
        let store = &scratch.store;
        let error = match store.load(complaint(1).id).await.err() {
            Some(error) if named.ends_with("state") => error,
            _ if named.starts_with("complaint_agents") => store.roster().await.unwrap_err(),
            _ => store.summary(&Scope::All).await.unwrap_err(),
        };
        assert_eq!(error.to_string(), format!("{named} holds a value that cannot be read"));
    }
}

#[tokio::test]
async fn a_notice_that_cannot_be_read_holds_up_no_other() {
    let scratch = Scratch::new().await;
    scratch.insert(&[complaint(1)]).await;
    let id = Uuid::from_u128(7);
    let notice = serde_json::json!({
        "id": id, "recipient": {"role": "agent", "id": "asha"}, "channel": "email", "kind": {"kind": "answer"},
        "complaint": complaint(1).id, "reference": complaint(1).reference, "subject": "Broken", "status": "queued",
        "level": 1, "text": "Secret", "planned_at": instant(0),
    });
    let insert = "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
                  SELECT $1, id, 'waiting', $2, $2, 1, $3 FROM complaint_state";
    for (id, at, document) in [(Uuid::from_u128(6), 0, "{}".to_owned()), (id, 1, notice.to_string())] {
        sqlx::query(insert).bind(id).bind(at).bind(document).execute(scratch.store.writer()).await.unwrap();
    }
    let claimed = scratch.store.claim(instant(0), instant(60), 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let id = claimed[0].notice.id;
    scratch.store.settle(&claimed[0], Settlement::Delivered, instant(1)).await.unwrap();

    let dead = Settlement::Dead { why: "told too late".into() };
    scratch.store.settle(&claimed[0], dead, instant(2)).await.unwrap();

    let rows = sqlx::query("SELECT state, coalesce(last_error, ''), notice FROM complaint_outbox ORDER BY row")
        .fetch_all(scratch.store.readers())
        .await
        .unwrap();
    let text = |row: usize, column: usize| rows[row].get::<String, _>(column);
    assert_eq!((text(0, 0).as_str(), text(1, 0).as_str()), ("dead", "delivered"));
    assert_eq!(text(0, 1), "complaint_outbox.notice holds a value that cannot be read");
    assert!(!text(1, 2).contains("Secret") && !text(1, 2).contains("Broken"), "{}", text(1, 2));
    let kept: complaint_core::notice::Notice = serde_json::from_str(&text(1, 2)).unwrap();
    assert_eq!((kept.id, kept.text), (id, None));
}

#[tokio::test]
async fn what_a_courier_held_when_it_was_killed_is_let_go_and_nothing_else() {
    let scratch = Scratch::new().await;
    let mut opened = Vec::new();
    for number in 1..=3 {
        let (_, change) = Story::open(&Opening::numbered(number));
        opened.push(change.notices()[0].id);
        scratch.store.commit(&change).await.unwrap();
    }
    let claim = async |now, until| scratch.store.claim(second(now), second(until), 9).await.unwrap();
    let why = || "busy".to_owned();
    let claimed = claim(1_000, 1_060).await;
    assert_eq!(claimed.len(), 3);
    let settled = [
        Settlement::Retry { at: second(1_030), why: why() },
        Settlement::Retry { at: second(1_090), why: why() },
        Settlement::Held { until: second(5_000), why: why() },
    ];
    for (claim, settlement) in claimed.iter().zip(settled) {
        scratch.store.settle(claim, settlement, second(1_001)).await.unwrap();
    }
    // The first is claimed once more, and whoever has it is gone.
    let again = claim(1_030, 1_800).await;
    assert_eq!((again.len(), again[0].attempt), (1, 2));
    assert!(claim(1_040, 1_800).await.is_empty());
    assert_eq!(scratch.store.release_claims(second(1_040)).await.unwrap(), 1);
    let taken = claim(1_040, 1_050).await;
    assert_eq!((taken.len(), taken[0].notice.id, taken[0].attempt), (1, again[0].notice.id, 3), "every try counts");
    // A lease that has ended is nobody's.
    assert_eq!(scratch.store.release_claims(second(1_050)).await.unwrap(), 0);
}

#[tokio::test]
async fn an_agent_saved_late_gets_what_they_hold() {
    let scratch = Scratch::new().await;
    let held = |number, status, weight| {
        let mut held = complaint(number);
        (held.handler, held.status, held.weight) = (Some(agent("asha")), status, weight);
        held
    };
    scratch.insert(&[held(1, Status::InProgress, 3), held(2, Status::Assigned, 4), held(3, Status::Closed, 9)]).await;
    scratch.store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    assert_eq!(scratch.store.find(&agent("asha")).await.unwrap().unwrap().workload, 7);
}

#[tokio::test]
async fn a_log_from_before_the_chain_is_taken_over_whole() {
    let scratch = Scratch::unmigrated().await;
    migrate::run_up_to(scratch.store.writer(), 2).await.unwrap();
    let mut stories: Vec<Story> = (1..=3).map(|number| Story::open(&Opening::numbered(number)).0).collect();
    for story in &mut stories {
        story.acknowledge();
    }
    scratch.insert(&stories.iter().map(|story| story.state().clone()).collect::<Vec<_>>()).await;
    // Entries of different complaints in turn, as they were committed, and one that was damaged long ago.
    for place in 0..3 {
        for story in &stories {
            let entry = &story.log()[place];
            sqlx::query(
                "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry) VALUES ($1, $2, $3, $4, 1, $5)",
            )
            .bind(entry.complaint.as_uuid())
            .bind(entry.seq)
            .bind(i64::try_from(entry.version.get()).unwrap())
            .bind(entry.at.timestamp_micros())
            .bind(serde_json::to_string(entry).unwrap())
            .execute(scratch.store.writer())
            .await
            .unwrap();
        }
    }
    let damaged = complaint(9);
    scratch.insert(std::slice::from_ref(&damaged)).await;
    scratch
        .execute(
            "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry) \
             SELECT id, 1, 1, 0, 1, 'no JSON' FROM complaint_state ORDER BY row DESC LIMIT 1",
        )
        .await
        .unwrap();
    let order = "SELECT group_concat(row || ':' || hex(complaint) || ':' || seq) FROM complaint_log";
    let before: String = sqlx::query_scalar(order).fetch_one(scratch.store.readers()).await.unwrap();

    scratch.store.migrate().await.unwrap();
    for story in &stories {
        assert_eq!(scratch.store.log(story.id(), 0, 100).await.unwrap(), story.log());
        assert!(scratch.store.verify(story.id()).await.unwrap().is_intact());
    }
    let after: String = sqlx::query_scalar(order).fetch_one(scratch.store.readers()).await.unwrap();
    assert_eq!(after, before);
    let verified = scratch.store.verify_all().await.unwrap();
    assert_eq!((verified.complaints, verified.entries, verified.broken), (4, 10, 1));
    let breach = &verified.breaches[0];
    assert_eq!((breach.complaint, breach.seq, breach.what), (damaged.id, 1, Tampering::Unreadable));
    // And it goes on from there.
    for story in &mut stories {
        scratch.store.commit(&story.note("After the chain.")).await.unwrap();
        assert!(scratch.store.verify(story.id()).await.unwrap().is_intact());
    }
}

#[tokio::test]
async fn what_was_stored_before_the_counts_is_counted() {
    let scratch = Scratch::unmigrated().await;
    migrate::run_up_to(scratch.store.writer(), 4).await.unwrap();
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    let (before, after) = population.split_at(100);
    scratch.insert(before).await;
    scratch.store.migrate().await.unwrap();
    trials::counts_are_what_there_is(&scratch.store, before).await;
    scratch.insert(after).await;
    trials::counts_are_what_there_is(&scratch.store, &population).await;
    scratch.execute("DELETE FROM complaint_state WHERE row > 100").await.unwrap();
    trials::counts_are_what_there_is(&scratch.store, before).await;
    assert_eq!(scratch.store.verify_all().await.unwrap().miscounts, []);
}

#[tokio::test]
async fn what_an_earlier_library_indexed_is_indexed_anew() {
    // Without headings, and with letters that were not folded.
    for before in [5, 7] {
        let scratch = Scratch::unmigrated().await;
        migrate::run_up_to(scratch.store.writer(), before).await.unwrap();
        let population = trials::population(&mut TestRunner::deterministic(), 60);
        scratch.insert(&population).await;
        // As an earlier library left it, and one that cannot be read.
        scratch.insert(&[complaint(900)]).await;
        scratch.execute("UPDATE complaint_state SET state = 'no JSON', words_hash = 0 WHERE row = 61").await.unwrap();
        scratch.execute("UPDATE complaint_state SET words_hash = 0").await.unwrap();
        scratch.execute("DELETE FROM complaint_search").await.unwrap();
        scratch.store.migrate().await.unwrap();
        scratch.execute("DELETE FROM complaint_state WHERE row = 61").await.unwrap();
        trials::a_list_is_what_matches_in_every_scope_order_and_page(&scratch.store, &population).await;
        let stale = "SELECT count(*) FROM complaint_state WHERE words_hash = 0";
        let stale: i64 = sqlx::query_scalar(stale).fetch_one(scratch.store.readers()).await.unwrap();
        assert_eq!(stale, 0);
    }
}

#[tokio::test]
async fn a_list_is_what_matches_in_every_scope_order_and_page() {
    let scratch = Scratch::new().await;
    let population = trials::population(&mut TestRunner::deterministic(), 120);
    scratch.insert(&population).await;
    trials::a_list_is_what_matches_in_every_scope_order_and_page(&scratch.store, &population).await;
}

#[tokio::test]
async fn a_search_finds_the_words_that_the_core_sees() {
    let scratch = Scratch::new().await;
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    scratch.insert(&population).await;
    trials::a_search_finds_the_words_that_the_core_sees(&scratch.store, &population).await;
}

#[tokio::test]
async fn a_search_is_in_its_order_on_every_page() {
    let scratch = Scratch::new().await;
    let population = trials::population(&mut TestRunner::deterministic(), 150);
    scratch.insert(&population).await;
    trials::a_search_is_in_its_order_on_every_page(&scratch.store, &population).await;
}

#[tokio::test]
async fn words_beyond_what_the_index_keeps_are_told_apart() {
    let scratch = Scratch::new().await;
    let population = trials::long_words();
    scratch.insert(&population).await;
    trials::words_beyond_what_the_index_keeps_are_told_apart(&scratch.store, &population).await;
}

/// What is scanned in plans and is no table: parts of lists, each cut to a page, and single rows.
const NO_TABLES: [&str; 6] = ["found", "seen", "arms", "part", "kind", "CONSTANT ROW"];

#[tokio::test]
async fn daily_work_scans_no_table() {
    let scratch = Scratch::new().await;
    let daily = trials::daily_work(&list::DIALECT);
    let mut statements: Vec<_> = daily.into_iter().map(|(name, statement)| (name, statement.sql)).collect();
    // The roster is read whole.
    let fixed = statements::ALL.iter().filter(|(name, _)| *name != "ROSTER");
    statements.extend(fixed.map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())));
    for (name, sql) in statements {
        let mut explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
        for _ in 0..sql.matches('$').count().max(sql.matches('?').count()).min(40) {
            explained = explained.bind(1_i64);
        }
        let rows = explained.fetch_all(scratch.store.writer()).await.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        // Of no table, but of what was cut already; FTS5 goes to one row (`0:=`) or to those that match (`0:M`). Whatever else is
        // scanned may be a table under another name.
        let scans = |step: &String| {
            step.strip_prefix("SCAN ").is_some_and(|what| {
                !NO_TABLES.iter().any(|none| what == *none || what.starts_with(&format!("{none} ")))
                    && !what.contains("VIRTUAL TABLE INDEX 0:=")
                    && !what.contains("VIRTUAL TABLE INDEX 0:M")
            })
        };
        assert!(!plan.iter().any(scans), "{name}: {plan:#?}\n{sql}");
        // Between the first and the last of a stretch.
        assert!(
            !name.ends_with("walked") || plan.iter().any(|step| step.contains("0:M1><")),
            "{name}: {plan:#?}\n{sql}"
        );
        // What is received in one microsecond is sorted among itself; an index that is read backwards has it backwards.
        // Pages are merged. What is few is sorted, and what a search finds.
        let parents: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
        let steps = || parents.iter().zip(&plan);
        let reads = |of: &i64| steps().any(|(parent, step)| parent == of && step.starts_with("SEARCH complaint_state"));
        let is_few = ["missed", "my ", "promised", "work", "a team's", "of a customer"];
        assert!(
            is_few.iter().any(|few| name.starts_with(few))
                || sql.contains("MATCH")
                || !steps().any(|(parent, step)| step.ends_with("TEMP B-TREE FOR ORDER BY") && reads(parent)),
            "{name} sorts more than its page: {plan:#?}\n{sql}"
        );
    }
}
