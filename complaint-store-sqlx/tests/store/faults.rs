//! Each statement of a commit fails, once or for ever, and the disk fills: what is there agrees, and it goes on
//! afterwards.

use crate::books::{Books, Engine};
use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id, both, under_key, within};
use complaint_core::store::{Change, StoreError};

/// How often a commit is tried while the trouble lasts.
const TRIES: u32 = 3;

/// Of the steps of the engine, which are many within one statement, every so many-th is tried; with `COMPLAINT_STRIDE=1`
/// each.
fn after(step: u32) -> u32 {
    let stride = std::env::var("COMPLAINT_STRIDE").map_or(17, |stride| stride.parse().expect("a number of steps"));
    // Where the transaction begins, each.
    if step < 20 { step + 1 } else { step + stride }
}

/// Complaints that agents hold, and what was done to get there.
#[derive(Clone)]
struct House {
    stories: Vec<Story>,
    books: Books,
}

impl House {
    async fn within(engine: &Engine) -> Self {
        engine.migrate().await.unwrap();
        for name in ["asha", "ben"] {
            engine.store().save(&Agent::named(name, "Agent").unwrap().with_capacity(1_000)).await.unwrap();
        }
        let mut house = Self { stories: Vec::new(), books: Books::default() };
        for (number, name) in [(1, "asha"), (2, "ben")] {
            let (mut story, opened) = Story::open(&Opening::numbered(number));
            house.books.commit(engine, &opened).await.unwrap();
            house.books.commit(engine, &story.assign(&agent_id(name), None)).await.unwrap();
            house.stories.push(story);
        }
        house
    }

    /// Something of everything that a commit writes, all in one: a complaint comes in, one gets another handler and one
    /// another weight, under a limit and a key. And the complaints after it.
    fn plan(&self) -> (Change, Vec<Story>) {
        let number = u32::try_from(self.stories.len()).unwrap() + 1;
        let mut stories = self.stories.clone();
        let new_handler = if number % 2 == 0 { "asha" } else { "ben" };
        let first = stories[0].assign(&agent_id(new_handler), Some(900));
        let second = stories[1].triage(if number % 2 == 0 { "late-delivery" } else { "damaged-goods" }, 1 + number % 7);
        let (new, opened) = Story::open(&Opening::numbered(number));
        let change = under_key(both(&both(&first, &second), &opened), "customer:john", &format!("form-{number}"), "d");
        let change = within(change, &new.state().customer, 100_000);
        stories.push(new);
        (change, stories)
    }

    /// The same once more, now that there is no trouble: it is committed, unless it was so already.
    async fn recover(&mut self, engine: &Engine, change: &Change, after: Vec<Story>) {
        let committed = self.books.committed();
        self.books.expect(engine).await;
        if self.books.committed() == committed {
            self.books.commit(engine, change).await.expect("there is no trouble any more");
        } else {
            let again = engine.store().commit(change).await;
            assert!(matches!(again, Err(StoreError::KeyUsed)), "{again:?}");
        }
        self.stories = after;
        self.books.expect(engine).await;
    }
}

fn is_trouble(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_))
}

mod sqlite {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use complaint_store_sqlx::SqliteStore;
    use sqlx::Executor;

    use super::*;

    /// A store with a house in it, to be copied.
    struct Template {
        folder: tempfile::TempDir,
        house: House,
    }

    impl Template {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let engine = Engine::Sqlite(open(&folder).await);
            let house = House::within(&engine).await;
            engine.close().await;
            Self { folder, house }
        }

        async fn copy(&self) -> (SqliteStore, House, tempfile::TempDir) {
            let folder = tempfile::tempdir().unwrap();
            std::fs::copy(self.folder.path().join("complaints.db"), folder.path().join("complaints.db")).unwrap();
            let store = open(&folder).await;
            // Neither power nor process is lost here.
            store.writer().execute("PRAGMA synchronous = OFF").await.unwrap();
            (store, self.house.clone(), folder)
        }
    }

    async fn open(folder: &tempfile::TempDir) -> SqliteStore {
        SqliteStore::open(&format!("sqlite:{}", folder.path().join("complaints.db").display())).await.unwrap()
    }

    /// Interrupts the writer at its so-manieth step from now on, and at all that follow if the trouble is to last. The
    /// engine asks several times within each statement. Says whether it came to that.
    async fn interrupt(store: &SqliteStore, at: u32, lasting: bool) -> Arc<AtomicBool> {
        let mut connection = store.writer().acquire().await.unwrap();
        let interrupted = Arc::new(AtomicBool::default());
        let mut seen = 0;
        let told = Arc::clone(&interrupted);
        connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
            seen += 1;
            let trouble = seen == at || lasting && seen > at;
            told.fetch_or(trouble, Ordering::SeqCst);
            !trouble
        });
        interrupted
    }

    async fn let_be(store: &SqliteStore) {
        store.writer().acquire().await.unwrap().lock_handle().await.unwrap().remove_progress_handler();
    }

    #[tokio::test]
    async fn a_commit_that_is_interrupted_once_anywhere_is_whole_or_not_there() {
        let template = Template::new().await;
        let mut steps = 0;
        loop {
            let (store, mut house, _folder) = template.copy().await;
            let engine = Engine::Sqlite(store.clone());
            let (change, after) = house.plan();
            steps = super::after(steps);
            let interrupted = interrupt(&store, steps, false).await;
            let result = house.books.commit(&engine, &change).await;
            let_be(&store).await;
            match result {
                Err(error) => assert!(is_trouble(&error), "at step {steps}: {error:?}"),
                Ok(()) if !interrupted.load(Ordering::SeqCst) => break,
                Ok(()) => {}
            }
            house.recover(&engine, &change, after).await;
            engine.close().await;
        }
        assert!(steps > 500, "there are {steps} steps only");
    }

    #[tokio::test]
    async fn a_commit_that_is_interrupted_for_ever_leaves_nothing_and_goes_on_afterwards() {
        let template = Template::new().await;
        let mut steps = 0;
        loop {
            let (store, mut house, _folder) = template.copy().await;
            let engine = Engine::Sqlite(store.clone());
            let (change, after) = house.plan();
            steps = super::after(steps);
            let mut interrupted = false;
            for _ in 0..TRIES {
                let trouble = interrupt(&store, steps, true).await;
                let result = house.books.commit(&engine, &change).await;
                interrupted |= trouble.load(Ordering::SeqCst);
                match result {
                    // Committed, and the trouble came when that was to be told.
                    Ok(()) | Err(StoreError::KeyUsed) => break,
                    Err(error) => assert!(is_trouble(&error), "at step {steps}: {error:?}"),
                }
            }
            let_be(&store).await;
            if !interrupted {
                break;
            }
            house.recover(&engine, &change, after).await;
            engine.close().await;
        }
        assert!(steps > 500, "there are {steps} steps only");
    }

    #[tokio::test]
    async fn trouble_of_changes_that_go_together_parts_none_of_them() {
        let template = Template::new().await;
        let mut steps = 0;
        loop {
            let (store, mut house, _folder) = template.copy().await;
            let engine = Engine::Sqlite(store.clone());
            let (rich, after) = house.plan();
            let (_, opened) = Story::open(&Opening::numbered(50));
            let stale = house.stories[1].clone().note("Behind the first, and too late.");
            let changes = [rich.clone(), stale, opened];
            steps = super::after(steps);
            let interrupted = interrupt(&store, steps, false).await;
            // While the writer is held, all come to stand in line.
            let held = store.writer().acquire().await.unwrap();
            let mut waiting = tokio::task::JoinSet::new();
            for (at, change) in changes.iter().enumerate() {
                let (store, change) = (engine.clone(), change.clone());
                waiting.spawn(async move { (at, store.store().commit(&change).await) });
            }
            tokio::task::yield_now().await;
            drop(held);
            let mut results = waiting.join_all().await;
            let_be(&store).await;
            results.sort_by_key(|(at, _)| *at);
            for (change, (at, result)) in changes.iter().zip(&results) {
                house.books.enter(crate::books::Record::of(change), crate::books::Fate::told(result));
                let refused = matches!(result, Err(StoreError::Conflict { .. }));
                let fits = result.as_ref().map_or_else(is_trouble, |()| true) || refused && *at == 1;
                assert!(fits, "at step {steps}, {at}: {result:?}");
            }
            if !interrupted.load(Ordering::SeqCst) {
                break;
            }
            house.books.expect(&engine).await;
            if engine.store().load(after[2].id()).await.unwrap().is_none() && results[1].1.is_err() {
                house.recover(&engine, &rich, after).await;
            }
            engine.close().await;
        }
        assert!(steps > 500, "there are {steps} steps only");
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use complaint_store_sqlx::PostgresStore;
    use sqlx::{AssertSqlSafe, Executor};

    use super::*;

    /// Something goes wrong at the so-manieth row that a commit writes, told by a sequence: that goes on counting when a
    /// transaction is rolled back.
    const TRAP: &str = "
        CREATE SEQUENCE trap_seen;
        CREATE TABLE trap (at bigint NOT NULL, lasting boolean NOT NULL, what text NOT NULL);
        INSERT INTO trap VALUES (0, false, '');
        CREATE FUNCTION trap_spring() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            seen bigint := nextval('trap_seen');
            armed trap;
        BEGIN
            SELECT * INTO armed FROM trap;
            IF armed.at > 0 AND (seen = armed.at OR armed.lasting AND seen > armed.at) THEN
                IF armed.what = 'cut' THEN
                    PERFORM pg_terminate_backend(pg_backend_pid());
                ELSE
                    RAISE EXCEPTION 'trouble at row %', seen USING ERRCODE = armed.what;
                END IF;
            END IF;
            RETURN NEW;
        END $$;
        CREATE CONSTRAINT TRIGGER trap_at_commit AFTER INSERT OR UPDATE ON complaint_state
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap_spring();
        DO $$
        DECLARE
            name text;
        BEGIN
            FOR name IN SELECT tablename FROM pg_tables
                WHERE schemaname = current_schema AND starts_with(tablename, 'complaint_') AND tablename <> 'complaint_schema'
            LOOP
                EXECUTE format('CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION trap_spring()', name);
            END LOOP;
        END $$;";

    async fn run(store: &PostgresStore, sql: &str) {
        let mut tx = store.pool().begin().await.unwrap();
        let sql = format!("SET LOCAL search_path = {}; {sql}", store.schema());
        tx.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn arm(store: &PostgresStore, at: u32, lasting: bool, what: &str) {
        let sql = format!(
            "UPDATE trap SET at = {at}, lasting = {lasting}, what = '{what}'; SELECT setval('trap_seen', 1, false)"
        );
        run(store, &sql).await;
    }

    /// Whether as many rows as that were written, or tried.
    async fn came_to(store: &PostgresStore, at: u32) -> bool {
        let sql = AssertSqlSafe(format!("SELECT is_called AND last_value >= {at} FROM {}.trap_seen", store.schema()));
        sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap()
    }

    async fn each_row_fails(what: &str, lasting: bool, check: impl Fn(&StoreError)) {
        let Some(store) = crate::cluster::fresh().await else { return };
        let engine = Engine::Postgres((*store).clone());
        let mut house = House::within(&engine).await;
        run(&store, TRAP).await;
        let mut rows = 0;
        loop {
            rows += 1;
            let (change, after) = house.plan();
            arm(&store, rows, lasting, what).await;
            let mut failed = false;
            for _ in 0..if lasting { TRIES } else { 1 } {
                match house.books.commit(&engine, &change).await {
                    Ok(()) => break,
                    Err(error) => {
                        check(&error);
                        failed = true;
                    }
                }
            }
            let reached = came_to(&store, rows).await;
            arm(&store, 0, false, "").await;
            if !reached {
                break;
            }
            assert!(failed || what == "40001" && !lasting, "row {rows}: nobody was told of {what}");
            if failed {
                house.recover(&engine, &change, after).await;
            } else {
                house.stories = after;
                house.books.expect(&engine).await;
            }
        }
        assert!(rows > 15, "there are {rows} rows only");
    }

    #[tokio::test]
    async fn a_full_disk_anywhere_in_a_commit_is_said_and_survived() {
        for lasting in [false, true] {
            each_row_fails("53100", lasting, |error| {
                assert!(error.is_transient(), "{error:?}");
                let cause = std::error::Error::source(error).unwrap().to_string();
                assert!(cause.contains("trouble at row"), "{cause}");
            })
            .await;
        }
    }

    #[tokio::test]
    async fn a_tie_anywhere_in_a_commit_is_tried_again_and_not_for_ever() {
        each_row_fails("40001", false, |error| panic!("{error:?}")).await;
        each_row_fails("40001", true, |error| assert!(error.is_transient(), "{error:?}")).await;
    }

    #[tokio::test]
    async fn a_connection_that_ends_anywhere_in_a_commit_leaves_all_or_nothing() {
        each_row_fails("cut", false, |error| assert!(is_trouble(error), "{error:?}")).await;
        each_row_fails("cut", true, |error| assert!(is_trouble(error), "{error:?}")).await;
    }

    /// A file system of a few megabytes, where this process may have one.
    struct Small(tempfile::TempDir);

    impl Small {
        fn mount() -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
            std::fs::create_dir(folder.path().join("disk")).unwrap();
            let small = Self(folder);
            small.run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).then(|| {
                assert!(small.run("chown", &["postgres"]));
                small
            })
        }

        fn path(&self) -> std::path::PathBuf {
            self.0.path().join("disk")
        }

        fn enlarge(&self) {
            assert!(self.run("mount", &["-o", "remount,size=64m"]));
        }

        fn run(&self, program: &str, arguments: &[&str]) -> bool {
            let ran = std::process::Command::new(program).args(arguments).arg(self.path()).output();
            ran.is_ok_and(|output| output.status.success())
        }
    }

    impl Drop for Small {
        fn drop(&mut self) {
            self.run("umount", &["--lazy"]);
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_full_is_said_and_survived() {
        if crate::cluster::url().is_none() {
            return;
        }
        let Some(disk) = Small::mount() else {
            eprintln!(
                "skipped: no small file system can be mounted here; the error of a full one is raised by another test"
            );
            return;
        };
        // Of its own: a server misses a disk that is gone when this fails.
        let Some(cluster) = crate::cluster::Cluster::start_new() else { return };
        let options = complaint_store_sqlx::postgres::PostgresOptions::new(&cluster.url()).unwrap();
        let store = options.in_schema("complaints").unwrap().open().await.unwrap();
        let engine = Engine::Postgres(store.clone());
        let mut house = House::within(&engine).await;
        let create = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
        store.pool().execute(AssertSqlSafe(create)).await.unwrap();
        run(&store, "ALTER TABLE complaint_log SET TABLESPACE small").await;

        let text = "The basement is full of water. ".repeat(100);
        // Written as it is: what is compressed would never fill anything.
        run(&store, "ALTER TABLE complaint_log ALTER words SET STORAGE EXTERNAL").await;
        let mut accepted = 0;
        let refused = loop {
            let mut next = house.stories[0].clone();
            match house.books.commit(&engine, &next.note(&text)).await {
                Ok(()) => house.stories[0] = next,
                Err(error) => break error,
            }
            accepted += 1;
            assert!(accepted < 2_000, "the disk is never full");
        };
        assert!(accepted > 0 && refused.is_transient(), "after {accepted}: {refused:?}");
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("No space left"), "{cause}");
        // Others are served meanwhile, as far as they need no room.
        house.books.expect(&engine).await;

        disk.enlarge();
        let change = house.stories[0].note(&text);
        house.books.commit(&engine, &change).await.unwrap();
        house.books.expect(&engine).await;
    }
}
