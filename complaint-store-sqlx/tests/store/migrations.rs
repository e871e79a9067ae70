//! A migration is killed at every statement and run again, and several processes migrate at once: it ends as if one had
//! done it undisturbed.

use crate::books::{Books, Engine};
#[cfg(feature = "postgres")]
use crate::process::SCHEMA;
use crate::process::{Process, STORE, ready, told};
use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::notice::{ClaimedNotice, Settlement};
use complaint_core::store::StoreError;
use complaint_store_sqlx::SqliteStore;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

/// Set in a migrating process on SQLite: at which step of the engine it dies.
const DIES_AT: &str = "COMPLAINT_PROCESS_DIES_AT";

/// How often several processes migrate one database at once.
const MEETINGS: u32 = 4;

/// A population with logs, notices and agents.
async fn fill(engine: &Engine) -> (Books, Story) {
    engine.migrate().await.unwrap();
    engine.store().save(&Agent::named("asha", "Asha").unwrap().with_capacity(1_000)).await.unwrap();
    let mut books = Books::default();
    let mut last = None;
    for number in 1..=8 {
        let (mut story, opened) = Story::open(&Opening::numbered(number));
        books.commit(engine, &opened).await.unwrap();
        books.commit(engine, &story.assign(&agent_id("asha"), None)).await.unwrap();
        books.commit(engine, &story.acknowledge()).await.unwrap();
        last = Some(story);
    }
    (books, last.unwrap())
}

/// What was there is there, and it goes on from there.
async fn expect_to_go_on(engine: &Engine, books: &Books, story: &Story) {
    let (mut books, mut story) = (books.clone(), story.clone());
    books.expect(engine).await;
    books.commit(engine, &story.note("After the migration.")).await.unwrap();
    books.expect(engine).await;
}

/// As the library records it.
fn migration(version: i64, name: &'static str, text: &'static str) -> Migration {
    Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
}

/// The statements of each migration of an engine that make or change something, from one migration on. What belongs to a statement
/// is indented or begins with another word.
fn statements(engine: &str, from: usize) -> Vec<Vec<String>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut migrations = Vec::new();
    for file in &files[from..] {
        let mut statements: Vec<String> = Vec::new();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            if ["CREATE ", "ALTER ", "DROP ", "INSERT "].iter().any(|word| line.starts_with(word)) {
                statements.push(String::new());
            }
            if let Some(statement) = statements.last_mut() {
                statement.push_str(line);
                statement.push('\n');
            }
        }
        migrations.push(statements);
    }
    migrations
}

#[tokio::test]
#[ignore = "the process that others start, and that dies"]
async fn migrating_process() {
    let Some(url) = told(STORE) else { return };
    #[cfg(feature = "postgres")]
    if let Some(schema) = told(SCHEMA) {
        let options = complaint_store_sqlx::postgres::PostgresOptions::new(&url).unwrap().in_schema(&schema).unwrap();
        let store = options.not_durable().with_connections(1).open().await.unwrap();
        ready();
        return store.migrate().await.unwrap();
    }
    let store = SqliteStore::open(&url).await.unwrap();
    if let Some(at) = told(DIES_AT) {
        let (at, mut seen) = (at.parse::<u32>().unwrap(), 0);
        let mut connection = store.writer().acquire().await.unwrap();
        // What is written is not lost by dying.
        sqlx::query("PRAGMA synchronous = OFF").execute(&mut *connection).await.unwrap();
        connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
            seen += 1;
            // Here and now: nothing is rolled back, closed or dropped.
            if seen == at { std::process::exit(9) } else { true }
        });
    } else {
        ready();
    }
    store.migrate().await.unwrap();
}

/// All of them at once.
fn meet(told: &[(&str, String)]) {
    let mut processes: Vec<Process> = (0..3).map(|_| Process::start("migrations::migrating_process", told)).collect();
    processes.iter_mut().for_each(Process::wait_until_ready);
    for process in &mut processes {
        process.tell("migrate");
    }
    for process in &mut processes {
        assert!(process.end().success());
    }
}

/// Another process brings the schema further than this library knows, while a store runs: it finds out by itself, refuses what it
/// can no longer be sure of, and goes on without being opened again when the schema is put back.
async fn a_running_store_finds_out(engine: &Engine, run: impl AsyncFn(&str)) {
    engine.migrate().await.unwrap();
    let store = engine.store();
    let (known, opened) = Story::open(&Opening::numbered(1));
    store.commit(&opened).await.unwrap();
    let (coming, opened) = Story::open(&Opening::numbered(2));
    let refused = |what: &str, answer: Result<(), StoreError>| match answer {
        Err(StoreError::Unusable(why)) => {
            assert!(why.contains("is at version 99") && why.contains("use a newer one"), "{what}: {why}");
        }
        other => panic!("{what}: {other:?} instead of unusable"),
    };
    for found_out_by in ["a commit", "a look at what is due"] {
        run("INSERT INTO complaint_schema (version, name, hash, applied_at) VALUES (99, 'later', {hash}, 0)").await;
        let found_out = if found_out_by == "a commit" {
            store.commit(&opened).await
        } else {
            store.due(second(0), 1).await.map(drop)
        };
        refused(found_out_by, found_out);
        refused("load", store.load(known.id()).await.map(drop));
        refused("commit", store.commit(&opened).await);
        refused("save", store.save(&Agent::named("asha", "Asha").unwrap()).await);
        let notice = opened.notices()[0].clone();
        let claimed = ClaimedNotice { notice, attempt: 1, until: second(60) };
        refused("settle", store.settle(&claimed, Settlement::Delivered, second(1)).await);
        run("DELETE FROM complaint_schema WHERE version = 99").await;
        assert_eq!(store.load(coming.id()).await.unwrap(), None, "{found_out_by}: nothing of it was committed");
        assert_eq!(store.load(known.id()).await.unwrap().as_ref(), Some(known.state()));
    }
    store.commit(&opened).await.unwrap();
    assert_eq!(store.load(coming.id()).await.unwrap().as_ref(), Some(coming.state()));
}

mod sqlite {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use complaint_store_sqlx::sqlite::{IMMEDIATE, commit_in};
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
    use sqlx::{ConnectOptions, Connection, Executor};

    use super::*;

    /// A process dies after so many steps of the engine, the next one after twice as many, and so on: no statement of a migration takes
    /// fewer, so that none is left out.
    const STRIDE: u32 = 50;

    fn url(folder: &Path) -> String {
        format!("sqlite:{}", folder.join("complaints.db").display())
    }

    async fn open(folder: &Path) -> SqliteStore {
        SqliteStore::open(&url(folder)).await.unwrap()
    }

    /// A file of the library as it was before the chain, with what one of today holds.
    async fn from_before_the_chain(old: &Path) -> (Books, Story) {
        let new = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite(open(new.path()).await);
        let filled = fill(&engine).await;
        engine.close().await;

        let options = SqliteConnectOptions::new().filename(old.join("complaints.db")).create_if_missing(true);
        let mut connection = options.journal_mode(SqliteJournalMode::Wal).foreign_keys(false).connect().await.unwrap();
        let attach = format!("ATTACH '{}' AS new", new.path().join("complaints.db").display());
        connection.execute(AssertSqlSafe(attach)).await.unwrap();
        let mut tx = connection.begin_with(IMMEDIATE).await.unwrap();
        let bookkeeping = "CREATE TABLE complaint_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL, \
                           hash BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";
        tx.execute(bookkeeping).await.unwrap();
        for migration in [
            migration(1, "init", include_str!("../../migrations/sqlite/0001_init.sql")),
            migration(2, "open_by_customer", include_str!("../../migrations/sqlite/0002_open_by_customer.sql")),
        ] {
            tx.execute(sqlx::raw_sql(migration.sql.clone())).await.unwrap();
            let record = sqlx::query("INSERT INTO complaint_schema VALUES ($1, $2, $3, 0)");
            let record = record.bind(migration.version).bind(&*migration.description).bind(&*migration.checksum);
            record.execute(&mut *tx).await.unwrap();
        }
        for table in ["state", "agents", "outbox", "idempotency"] {
            let columns = format!("SELECT group_concat(name) FROM pragma_table_info('complaint_{table}', 'main')");
            let columns: String = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&mut *tx).await.unwrap();
            let copy =
                format!("INSERT INTO main.complaint_{table} ({columns}) SELECT {columns} FROM new.complaint_{table}");
            tx.execute(AssertSqlSafe(copy)).await.unwrap();
        }
        let words =
            "INSERT INTO main.complaint_search (rowid, words) SELECT row, 'parcel late' FROM main.complaint_state";
        tx.execute(words).await.unwrap();
        // The words stood among the facts.
        let log = "INSERT INTO main.complaint_log (row, complaint, seq, version, at, codec, entry) \
                   SELECT row, complaint, seq, version, at, codec, \
                   iif(words IS NULL, entry, json_set(entry, '$.words', json(words))) FROM new.complaint_log ORDER BY row";
        tx.execute(log).await.unwrap();
        tx.commit().await.unwrap();
        connection.close().await.unwrap();
        filled
    }

    async fn schema(store: &SqliteStore) -> Vec<(String, String)> {
        let made = "SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY 1, 2";
        let mut made: Vec<_> = sqlx::query_as(made).fetch_all(store.readers()).await.unwrap();
        if made.iter().any(|(name, _)| name == "complaint_schema") {
            let recorded = "SELECT version || name, hex(hash) FROM complaint_schema ORDER BY 1";
            made.extend(sqlx::query_as(recorded).fetch_all(store.readers()).await.unwrap());
        }
        made
    }

    /// How many migrations a file has.
    async fn applied(folder: &Path) -> i64 {
        let store = open(folder).await;
        let recorded = sqlx::query_scalar("SELECT count(*) FROM complaint_schema").fetch_one(store.readers()).await;
        store.close().await;
        // Without bookkeeping, none.
        recorded.unwrap_or(0)
    }

    fn copy(from: &Path) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        if from.join("complaints.db").exists() {
            std::fs::copy(from.join("complaints.db"), folder.path().join("complaints.db")).unwrap();
        }
        folder
    }

    /// Every statement takes as many steps as lie between two kills, or more.
    async fn expect_none_is_left_out(old: &Path, migrations: &[Vec<String>]) {
        let folder = copy(old);
        let options = SqliteConnectOptions::new().filename(folder.path().join("complaints.db")).create_if_missing(true);
        let mut connection = options.foreign_keys(false).connect().await.unwrap();
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        for statement in migrations.iter().flatten() {
            steps.store(0, Ordering::Relaxed);
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.clone()))).await.unwrap();
            let taken = steps.load(Ordering::Relaxed);
            assert!(taken >= STRIDE, "only {taken} steps: {statement}");
        }
    }

    /// Kills each migration at one step after the other, on what the kills before left behind, until it ends.
    async fn killed_at_every_statement(old: &Path, filled: Option<(Books, Story)>) {
        let undisturbed = copy(old);
        let store = open(undisturbed.path()).await;
        store.migrate().await.unwrap();
        let expected = schema(&store).await;
        store.close().await;
        let folder = copy(old);
        let (mut dies_at, mut kills) = (1, 0);
        let mut before = (applied(folder.path()).await, None);
        loop {
            let told = [(STORE, url(folder.path())), (DIES_AT, dies_at.to_string())];
            let ended = Process::start("migrations::migrating_process", &told).end();
            if ended.success() {
                break;
            }
            assert_eq!(ended.code(), Some(9));
            kills += 1;
            let done = applied(folder.path()).await;
            let store = open(folder.path()).await;
            let left = schema(&store).await;
            store.close().await;
            if done == before.0 {
                let undone = before.1.get_or_insert_with(|| left.clone());
                assert_eq!(left, *undone, "after kill {kills} something of a migration is left");
                dies_at += STRIDE;
            } else {
                assert_eq!(done, before.0 + 1, "after kill {kills}");
                before = (done, Some(left));
                dies_at = 1;
            }
        }
        let store = open(folder.path()).await;
        assert_eq!(schema(&store).await, expected, "after {kills} kills");
        assert!(kills > 100, "only {kills} kills");
        if let Some((books, story)) = &filled {
            expect_to_go_on(&Engine::Sqlite(store), books, story).await;
        }
    }

    #[tokio::test]
    async fn a_new_file_is_migrated_whenever_the_process_was_killed() {
        let none = tempfile::tempdir().unwrap();
        // The others are looked at where there is something in the tables.
        expect_none_is_left_out(none.path(), &statements("sqlite", 0)[..2]).await;
        killed_at_every_statement(none.path(), None).await;
    }

    #[tokio::test]
    async fn an_old_file_is_migrated_whenever_the_process_was_killed() {
        let old = tempfile::tempdir().unwrap();
        let filled = from_before_the_chain(old.path()).await;
        expect_none_is_left_out(old.path(), &statements("sqlite", 2)).await;
        killed_at_every_statement(old.path(), Some(filled)).await;
    }

    #[tokio::test]
    async fn a_running_store_finds_out_about_a_later_schema() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let other = open(folder.path()).await;
        let run = async |sql: &str| {
            let sql = AssertSqlSafe(sql.replace("{hash}", "x'00'"));
            sqlx::raw_sql(sql).execute(other.writer()).await.unwrap();
        };
        a_running_store_finds_out(&Engine::Sqlite(store.clone()), run).await;
        run("INSERT INTO complaint_schema (version, name, hash, applied_at) VALUES (99, 'later', {hash}, 0)").await;
        let mut tx = store.writer().begin_with(IMMEDIATE).await.unwrap();
        let refused = commit_in(&mut tx, &Story::open(&Opening::numbered(3)).1).await;
        assert!(matches!(refused, Err(StoreError::Unusable(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn processes_that_migrate_at_once_do_it_once() {
        let (none, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let filled = from_before_the_chain(old.path()).await;
        for _ in 0..MEETINGS {
            for (from, filled) in [(&none, None), (&old, Some(&filled))] {
                let folder = copy(from.path());
                meet(&[(STORE, url(folder.path()))]);
                let store = open(folder.path()).await;
                let applied: Vec<(i64,)> =
                    sqlx::query_as("SELECT version FROM complaint_schema").fetch_all(store.readers()).await.unwrap();
                let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap();
                assert_eq!(applied.len(), files.count());
                if let Some((books, story)) = filled {
                    expect_to_go_on(&Engine::Sqlite(store), books, story).await;
                }
            }
        }
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::time::Duration;

    use complaint_store_sqlx::PostgresStore;
    use complaint_store_sqlx::postgres::PostgresOptions;
    use sqlx::Executor;

    use super::*;

    /// Ends the connection before or after the so-manieth statement that changes a schema or what is in its tables. The count is a
    /// sequence, which goes on when a transaction is gone.
    const TRAP: &str = "
        CREATE SCHEMA trap;
        CREATE SEQUENCE trap.seen;
        CREATE TABLE trap.armed (at bigint NOT NULL);
        INSERT INTO trap.armed VALUES (0);
        CREATE FUNCTION trap.spring() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('trap.seen') = (SELECT at FROM trap.armed) THEN
                PERFORM pg_terminate_backend(pg_backend_pid());
            END IF;
        END $$;
        CREATE FUNCTION trap.at_rows() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM trap.spring();
            RETURN NULL;
        END $$;
        CREATE FUNCTION trap.at_schema() RETURNS event_trigger LANGUAGE plpgsql AS $$
        DECLARE
            made record;
        BEGIN
            -- Its own triggers are no statements of a migration.
            IF current_setting('trap.is_being_set', true) = 'yes' THEN RETURN; END IF;
            PERFORM trap.spring();
            IF tg_event <> 'ddl_command_end' THEN RETURN; END IF;
            PERFORM set_config('trap.is_being_set', 'yes', true);
            FOR made IN SELECT object_identity AS name FROM pg_event_trigger_ddl_commands()
                WHERE command_tag = 'CREATE TABLE' AND schema_name = 'complaints'
            LOOP
                EXECUTE format('CREATE TRIGGER trap_before BEFORE INSERT OR UPDATE OR DELETE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION trap.at_rows()', made.name);
                EXECUTE format('CREATE TRIGGER trap_after AFTER INSERT OR UPDATE OR DELETE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION trap.at_rows()', made.name);
            END LOOP;
            PERFORM set_config('trap.is_being_set', 'no', true);
        END $$;
        CREATE EVENT TRIGGER trap_before ON ddl_command_start EXECUTE FUNCTION trap.at_schema();
        CREATE EVENT TRIGGER trap_after ON ddl_command_end EXECUTE FUNCTION trap.at_schema();";

    const SCHEMA_OF: &str = "
        SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
            FROM information_schema.columns WHERE table_schema = 'complaints'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'complaints'
        UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'complaints'::regnamespace
        UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'complaints'::regnamespace
        UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE c.relnamespace = 'complaints'::regnamespace AND NOT t.tgisinternal AND t.tgname NOT LIKE 'trap%'
        UNION ALL SELECT concat_ws(' ', version, name, hash) FROM complaints.complaint_schema
        ORDER BY 1";

    async fn open(url: &str, schema: &str) -> PostgresStore {
        let options = PostgresOptions::new(url).unwrap().in_schema(schema).unwrap();
        options.not_durable().with_connections(2).open().await.unwrap()
    }

    async fn run(store: &PostgresStore, sql: &str) {
        store.pool().execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// The schema of the first library, with what one of today holds in the schema `filled`.
    async fn make_old(store: &PostgresStore) {
        let first = migration(1, "init", include_str!("../../migrations/postgres/0001_init.sql"));
        let mut tx = store.pool().begin().await.unwrap();
        let bookkeeping = "CREATE SCHEMA complaints; SET LOCAL search_path = complaints; \
                           CREATE TABLE complaint_schema (version bigint PRIMARY KEY, name text NOT NULL, \
                           hash bytea NOT NULL, applied_at bigint NOT NULL)";
        tx.execute(sqlx::raw_sql(bookkeeping)).await.unwrap();
        tx.execute(sqlx::raw_sql(first.sql.clone())).await.unwrap();
        let record = sqlx::query("INSERT INTO complaint_schema VALUES ($1, $2, $3, 0)");
        let record = record.bind(first.version).bind(&*first.description).bind(&*first.checksum);
        record.execute(&mut *tx).await.unwrap();
        for table in ["state", "search", "log", "agents", "outbox", "idempotency"] {
            let columns = "SELECT string_agg(column_name, ', ') FROM information_schema.columns \
                           WHERE table_schema = 'complaints' AND table_name = $1";
            let columns = sqlx::query_scalar(columns).bind(format!("complaint_{table}"));
            let columns: String = columns.fetch_one(&mut *tx).await.unwrap();
            let copy = format!(
                "INSERT INTO complaint_{table} ({columns}) OVERRIDING SYSTEM VALUE \
                 SELECT {columns} FROM filled.complaint_{table}; \
                 SELECT setval(pg_get_serial_sequence('complaint_outbox', 'place'), 1000)"
            );
            tx.execute(sqlx::raw_sql(AssertSqlSafe(copy))).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn arm(store: &PostgresStore, at: usize) {
        run(store, &format!("UPDATE trap.armed SET at = {at}; SELECT setval('trap.seen', 1, false)")).await;
    }

    /// How many statements the migrations have, with what is done beside each: bookkeeping is made if it is missing, and kept. A table
    /// is only locked by others, which changes nothing; the next statement begins behind that.
    fn to_cut(from: usize) -> usize {
        statements("postgres", from).iter().map(|statements| statements.len() + 2).sum()
    }

    async fn schema(store: &PostgresStore) -> (i64, Vec<String>) {
        let known = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'complaints' AND tablename = 'complaint_schema'",
        );
        if known.fetch_one(store.pool()).await.unwrap() == 0_i64 {
            return (0, Vec::new());
        }
        let applied = "SELECT count(*) FROM complaints.complaint_schema";
        let applied = sqlx::query_scalar(applied).fetch_one(store.pool()).await.unwrap();
        (applied, sqlx::query_scalar(SCHEMA_OF).fetch_all(store.pool()).await.unwrap())
    }

    /// Cuts each migration at one statement after the other, on what the cuts before left behind, until it ends.
    async fn cut_at_every_statement(is_old: bool, statements: usize) {
        let Some(url) = crate::cluster::database("").await else { return };
        let store = open(&url, "complaints").await;
        let filled = if is_old { Some(fill(&Engine::Postgres(open(&url, "filled").await)).await) } else { None };
        if is_old {
            make_old(&store).await;
        }
        store.migrate().await.unwrap();
        let expected = schema(&store).await;
        run(&store, TRAP).await;
        run(&store, "DROP SCHEMA complaints CASCADE").await;
        if is_old {
            make_old(&store).await;
        }
        let (mut at, mut cuts) = (1, 0);
        let mut before = schema(&store).await;
        loop {
            arm(&store, at).await;
            let migrated = store.migrate().await;
            arm(&store, 0).await;
            if migrated.is_ok() {
                break;
            }
            cuts += 1;
            let left = schema(&store).await;
            if left.0 == before.0 {
                assert_eq!(left, before, "after cut {cuts} something of a migration is left");
                at += 1;
            } else {
                // All of the one before had been cut: this was the beginning of the next.
                assert_eq!(left.0, before.0 + 1, "after cut {cuts}");
                (before, at) = (left, 2);
            }
        }
        assert_eq!(schema(&store).await, expected, "after {cuts} cuts");
        // Before it and behind it.
        assert!(cuts >= 2 * statements, "{cuts} cuts, but {statements} statements");
        if let Some((books, story)) = &filled {
            expect_to_go_on(&Engine::Postgres(store.clone()), books, story).await;
        }
    }

    #[tokio::test]
    async fn a_new_schema_is_migrated_wherever_the_connection_was_cut() {
        cut_at_every_statement(false, to_cut(0)).await;
    }

    #[tokio::test]
    async fn an_old_schema_is_migrated_wherever_the_connection_was_cut() {
        cut_at_every_statement(true, to_cut(1)).await;
    }

    #[tokio::test]
    async fn a_running_store_finds_out_about_a_later_schema() {
        let Some(options) = crate::cluster::options() else { return };
        // With one connection: nobody may need a second one while they hold it.
        let store = options.with_connections(1).with_statement_timeout(Duration::from_secs(2)).open().await.unwrap();
        let run = async |sql: &str| super::postgres::run(&store, &sql.replace("{hash}", "'later'")).await;
        a_running_store_finds_out(&Engine::Postgres(store.clone()), run).await;
        run("INSERT INTO complaint_schema (version, name, hash, applied_at) VALUES (99, 'later', {hash}, 0)").await;
        let mut tx = store.pool().begin().await.unwrap();
        let refused = store.commit_in(&mut tx, &Story::open(&Opening::numbered(3)).1).await;
        assert!(matches!(refused, Err(StoreError::Unusable(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn processes_that_migrate_at_once_do_it_once() {
        let Some(url) = crate::cluster::database("").await else { return };
        let store = open(&url, "complaints").await;
        let filled = fill(&Engine::Postgres(open(&url, "filled").await)).await;
        for _ in 0..MEETINGS {
            for is_old in [false, true] {
                run(&store, "DROP SCHEMA IF EXISTS complaints CASCADE").await;
                if is_old {
                    make_old(&store).await;
                }
                meet(&[(STORE, url.clone()), (SCHEMA, "complaints".to_owned())]);
                let store = open(&url, "complaints").await;
                let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM complaints.complaint_schema")
                    .fetch_one(store.pool())
                    .await
                    .unwrap();
                let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap();
                assert_eq!(usize::try_from(applied), Ok(files.count()));
                if is_old {
                    expect_to_go_on(&Engine::Postgres(store), &filled.0, &filled.1).await;
                }
            }
        }
    }
}
