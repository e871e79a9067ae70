//! What happens on PostgreSQL when writers meet, requests are dropped, the server goes away, or a host brings its own
//! transaction.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use std::time::{Duration, Instant};

use crate::books::{Books, Engine};
use crate::cluster::{fresh, options};
use crate::proxy::{Mode, Proxy};
use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id, both};
use complaint_core::id::Version;
use complaint_core::notice::Settlement;
use complaint_core::store::{AgentStore, ComplaintStore, Outbox, StoreError};
use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::{Changes, Heard, PostgresOptions};
use sqlx::Executor;

async fn expect_stored(store: &PostgresStore, story: &Story) {
    assert_eq!(store.load(story.id()).await.unwrap().as_ref(), Some(story.state()));
    assert_eq!(store.log(story.id(), 0, 10_000).await.unwrap(), story.log());
    assert!(store.verify(story.id()).await.unwrap().is_intact());
}

async fn opened(store: &PostgresStore, number: u32) -> Story {
    let (story, submitted) = Story::open(&Opening::numbered(number));
    store.commit(&submitted).await.unwrap();
    story
}

/// Changes of two complaints each, and of two agents, in every order: nobody waits in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_that_cross_do_not_block_each_other() {
    let Some(options) = options() else { return };
    let store = options.with_connections(12).open().await.unwrap();
    store.migrate().await.unwrap();
    for name in ["asha", "ben"] {
        store.save(&Agent::named(name, "Agent").unwrap().with_capacity(1_000)).await.unwrap();
    }
    let mut stories = [opened(&store, 1).await, opened(&store, 2).await];
    for round in 0..20 {
        let [first, second] = &stories;
        let names = if round % 2 == 0 { ["asha", "ben"] } else { ["ben", "asha"] };
        let writers: Vec<(Story, Story, _)> = (0..8)
            .map(|writer| {
                let (mut first, mut second) = (first.clone(), second.clone());
                let changes = [first.assign(&agent_id(names[0]), None), second.assign(&agent_id(names[1]), None)];
                let [one, other] = &changes;
                let change = if writer % 2 == 0 { both(one, other) } else { both(other, one) };
                (first, second, change)
            })
            .collect();
        let mut tasks = tokio::task::JoinSet::new();
        for (at, (_, _, change)) in writers.iter().enumerate() {
            let (store, change) = (store.clone(), change.clone());
            tasks.spawn(async move { (at, store.commit(&change).await) });
        }
        let mut winner = None;
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                (at, Ok(())) => assert!(winner.replace(at).is_none(), "two won"),
                (_, Err(StoreError::Conflict { .. })) => {}
                (_, Err(other)) => panic!("{other:?}"),
            }
        }
        let (first, second, _) = writers.into_iter().nth(winner.expect("one wins")).unwrap();
        stories = [first, second];
    }
    for story in &stories {
        expect_stored(&store, story).await;
    }
    let workload = async |name| store.find(&agent_id(name)).await.unwrap().unwrap().workload;
    assert_eq!((workload("asha").await, workload("ben").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_sent_twice_at_once_is_kept_once() {
    let Some(store) = fresh().await else { return };
    let submissions: Vec<_> = (1..=8).map(|number| Story::open(&Opening::numbered(number)).1).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for submission in submissions {
        for _ in 0..2 {
            let (store, submission) = (store.clone(), submission.clone());
            tasks.spawn(async move { store.commit(&submission).await });
        }
    }
    let (mut kept, mut late) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok(()) => kept += 1,
            Err(StoreError::Conflict { current, .. }) if current == Version::new(1) => late += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((kept, late), (8, 8));
}

#[tokio::test]
async fn a_dropped_request_leaves_no_half_change_and_no_lost_connection() {
    let Some(options) = options() else { return };
    let store = options.with_connections(2).open().await.unwrap();
    store.migrate().await.unwrap();
    let mut story = opened(&store, 1).await;
    let (mut done, mut undone) = (0, 0);
    for patience in 0..150 {
        let mut next = story.clone();
        let change = next.acknowledge();
        // Every third is dropped while it waits for a connection, so before it was sent; the others wherever they are by then.
        let busy = if patience % 3 == 0 {
            vec![store.pool().acquire().await.unwrap(), store.pool().acquire().await.unwrap()]
        } else {
            Vec::new()
        };
        let asked = tokio::select! {
            biased;
            result = store.commit(&change) => { result.unwrap(); true }
            () = yields(patience % 30) => false,
        };
        drop(busy);
        // What was dropped may still be under way on the server: the same change again is the way to find out.
        match store.commit(&change).await {
            Ok(()) => {
                assert!(!asked, "a change was committed twice");
                undone += 1;
            }
            Err(StoreError::Conflict { current, .. }) => {
                assert_eq!(current, next.state().version);
                done += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
        story = next;
        expect_stored(&store, &story).await;
    }
    assert!(undone >= 50 && done > 0, "{undone} were dropped in time, {done} done");
}

async fn yields(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_change_goes_into_the_transaction_of_the_host() {
    let Some(store) = fresh().await else { return };
    let table = format!("{}.server_orders", store.schema());
    let sql = |sql: &str| sqlx::AssertSqlSafe(sql.replace("server_orders", &table));
    store.pool().execute(sql("CREATE TABLE server_orders (id text PRIMARY KEY)")).await.unwrap();
    let orders = async || {
        sqlx::query_scalar::<_, i64>(sql("SELECT count(*) FROM server_orders")).fetch_one(store.pool()).await.unwrap()
    };
    let mut story = opened(&store, 1).await;
    let stale = story.clone();

    // Rolled back together.
    let mut next = story.clone();
    let change = next.note("With an order.");
    let mut tx = store.pool().begin().await.unwrap();
    tx.execute(sql("INSERT INTO server_orders VALUES ('A-1')")).await.unwrap();
    store.commit_in(&mut tx, &change).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(orders().await, 0);
    expect_stored(&store, &story).await;

    // Committed together.
    let mut tx = store.pool().begin().await.unwrap();
    tx.execute(sql("INSERT INTO server_orders VALUES ('A-1')")).await.unwrap();
    store.commit_in(&mut tx, &change).await.unwrap();
    tx.commit().await.unwrap();
    story = next;
    assert_eq!(orders().await, 1);
    expect_stored(&store, &story).await;

    // A refusal leaves nothing of the change, and the host goes on.
    let unknown = story.clone().assign(&agent_id("nobody"), None);
    let mut tx = store.pool().begin().await.unwrap();
    let refused = store.commit_in(&mut tx, &stale.clone().note("Too late.")).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let refused = store.commit_in(&mut tx, &unknown).await;
    assert!(matches!(refused, Err(StoreError::UnknownAgent { .. })), "{refused:?}");
    tx.execute(sql("INSERT INTO server_orders VALUES ('A-2')")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(orders().await, 2);
    expect_stored(&store, &story).await;
}

/// Each wants what the other holds.
#[tokio::test]
async fn of_two_transactions_of_a_host_that_cross_one_goes_on_and_one_begins_again() {
    let Some(store) = fresh().await else { return };
    let stories = [opened(&store, 1).await, opened(&store, 2).await];
    let note = |at: usize, text: &str| stories[at].clone().note(text);
    let (mut here, mut there) = (store.pool().begin().await.unwrap(), store.pool().begin().await.unwrap());
    store.commit_in(&mut here, &note(0, "Here.")).await.unwrap();
    store.commit_in(&mut there, &note(1, "There.")).await.unwrap();
    let (first, second) = (note(1, "Here."), note(0, "There."));
    let crossed = tokio::join!(store.commit_in(&mut here, &first), store.commit_in(&mut there, &second));
    let (winner, loser, text) = match crossed {
        (Ok(()), Err(ended)) => (here, (there, ended), "Here."),
        (Err(ended), Ok(())) => (there, (here, ended), "There."),
        both => panic!("{both:?} instead of one that goes on"),
    };
    let (ended, why) = loser;
    assert!(matches!(why, StoreError::Unavailable(_)), "{why:?}");
    winner.commit().await.unwrap();
    ended.rollback().await.unwrap();
    let mut stories = stories;
    for story in &mut stories {
        story.note(text);
        expect_stored(&store, story).await;
    }
    // From the start, with what is stored by now.
    let mut again = store.pool().begin().await.unwrap();
    for story in stories.iter_mut().rev() {
        store.commit_in(&mut again, &story.note("Again.")).await.unwrap();
    }
    again.commit().await.unwrap();
    for story in &stories {
        expect_stored(&store, story).await;
    }
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_a_passing_trouble() {
    let Some(options) = options() else { return };
    let store = options.with_statement_timeout(Duration::from_millis(200)).open().await.unwrap();
    store.migrate().await.unwrap();
    let mut story = opened(&store, 1).await;
    let (mut held, mut waiting) = (story.clone(), story.clone());
    let mut tx = store.pool().begin().await.unwrap();
    store.commit_in(&mut tx, &held.note("Held.")).await.unwrap();
    // Readers do not wait.
    expect_stored(&store, &story).await;
    let refused = store.commit(&waiting.note("Behind it.")).await.unwrap_err();
    assert!(refused.is_transient(), "{refused:?}");
    tx.rollback().await.unwrap();
    store.commit(&story.note("After it.")).await.unwrap();
    expect_stored(&store, &story).await;
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let Some(options) = options() else { return };
    let store = options.with_connections(3).open().await.unwrap();
    store.migrate().await.unwrap();
    let mut story = opened(&store, 1).await;
    for round in 0..3 {
        // As a restart does it: each open connection ends without having been asked.
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(store.pool().acquire().await.unwrap());
        }
        let mut killer = held.pop().unwrap();
        for connection in &mut held {
            let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **connection).await.unwrap();
            sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut *killer).await.unwrap();
        }
        drop(held);
        drop(killer);
        let note = story.clone().note(&format!("Round {round}"));
        let mut tries = 0;
        loop {
            match store.commit(&note).await {
                Ok(()) | Err(StoreError::Conflict { .. }) => break,
                Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)) => tries += 1,
                Err(other) => panic!("{other:?}"),
            }
            assert!(tries < 4, "no connection is ever replaced");
        }
        story.note(&format!("Round {round}"));
        expect_stored(&store, &story).await;
    }
}

/// Options that reach the server through the proxy.
fn through(proxy: &Proxy, schema: &str) -> PostgresOptions {
    let options = PostgresOptions::new(&proxy.url()).unwrap().in_schema(schema).unwrap().not_durable();
    options.with_connections(2).with_statement_timeout(STATEMENT)
}

/// What the stores below allow a statement.
const STATEMENT: Duration = Duration::from_millis(500);
/// As long for a connection, and two seconds more for the answer; and a second more for whatever else the machine does.
const TOLD_WITHIN: Duration = Duration::from_secs(4);
const FOUND_WITHIN: Duration = Duration::from_secs(3);
/// How often that is tried: a machine that stands still for a moment misses it now and then, what is wrong every time.
const TRIES: usize = 3;
/// How long anything may take at all.
const AT_LAST: Duration = Duration::from_mins(1);

/// While the server is in trouble everybody is told so in time; when it is not any more, it is found at once.
async fn is_told_in_time_and_found_again(
    engine: &Engine,
    books: &mut Books,
    story: &mut Story,
    trouble: impl Fn(),
    end: impl Fn(),
) {
    let mut tries = Vec::new();
    while tries.len() < TRIES {
        let (told, found) = told_and_found_after(engine, books, story, &trouble, &end).await;
        // Seen with `--nocapture`.
        println!("told after {told:.1?} at most, found again after {found:.1?}");
        if told < TOLD_WITHIN && found < FOUND_WITHIN {
            return;
        }
        tries.push((told, found));
    }
    panic!("not told within {TOLD_WITHIN:?} or not found again within {FOUND_WITHIN:?} a single time: {tries:.1?}");
}

/// How long it took at most to be told, and how long to find it again.
async fn told_and_found_after(
    engine: &Engine,
    books: &mut Books,
    story: &mut Story,
    trouble: impl FnOnce(),
    end: impl FnOnce(),
) -> (Duration, Duration) {
    // All connections have just been used, and the pool is about to ask them whether they are fit to be used again.
    let (one, other) = tokio::join!(engine.store().load(story.id()), engine.store().load(story.id()));
    assert_eq!(one.unwrap(), other.unwrap());
    trouble();
    let mut told = Duration::ZERO;
    for _ in 0..3 {
        let begun = Instant::now();
        let refused = engine.store().load(story.id()).await.unwrap_err();
        assert!(refused.is_transient(), "{refused:?}");
        told = told.max(begun.elapsed());
        let begun = Instant::now();
        let refused = books.commit(engine, &story.clone().note("Into the void.")).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)), "{refused:?}");
        told = told.max(begun.elapsed());
        assert!(told < AT_LAST, "told after {told:?}");
    }
    end();
    let begun = Instant::now();
    // By each connection: one that rested a moment only is taken for alive, and costs whoever uses it an error.
    loop {
        match tokio::join!(engine.store().load(story.id()), engine.store().load(story.id())) {
            (Ok(_), Ok(_)) => break,
            trouble => assert!(begun.elapsed() < AT_LAST, "not found again: {trouble:?}"),
        }
    }
    let found = begun.elapsed();
    books.expect(engine).await;
    *story = Story::resumed(engine.store().log(story.id(), 0, u32::MAX).await.unwrap()).unwrap();
    books.commit(engine, &story.note("There again.")).await.unwrap();
    books.expect(engine).await;
    (told, found)
}

async fn opened_in_books(engine: &Engine) -> (Books, Story) {
    engine.migrate().await.unwrap();
    let mut books = Books::default();
    let (story, submitted) = Story::open(&Opening::numbered(1));
    books.commit(engine, &submitted).await.unwrap();
    (books, story)
}

#[tokio::test]
async fn a_server_that_is_silent_gone_or_slow_is_told_in_time_and_found_again() {
    let Some(url) = crate::cluster::url() else { return };
    let proxy = Proxy::before(&url);
    let engine = Engine::Postgres(through(&proxy, &crate::cluster::name()).open().await.unwrap());
    let (mut books, mut story) = opened_in_books(&engine).await;
    for mode in [Mode::Silent, Mode::Cut, Mode::Late] {
        let (begin, end) = (|| proxy.turn(mode), || proxy.turn(Mode::Through));
        is_told_in_time_and_found_again(&engine, &mut books, &mut story, begin, end).await;
    }
    // Late, but not too late.
    for _ in 0..5 {
        // One permit may be left of an answer that was held before.
        let _ = tokio::time::timeout(Duration::ZERO, proxy.an_answer_is_held()).await;
        proxy.turn(Mode::Late);
        let change = story.note("It takes its time.");
        let passes = async {
            proxy.an_answer_is_held().await;
            proxy.turn(Mode::Through);
        };
        tokio::join!(books.commit(&engine, &change), passes).0.unwrap();
    }
    books.expect(&engine).await;
}

#[tokio::test]
async fn a_server_that_is_stopped_is_told_in_time_and_found_again() {
    let Some(cluster) = crate::cluster::Cluster::start_new() else { return };
    let options = PostgresOptions::new(&cluster.url()).unwrap().in_schema("complaints").unwrap();
    let store = options.with_connections(2).with_statement_timeout(STATEMENT).open().await.unwrap();
    let engine = Engine::Postgres(store);
    let (mut books, mut story) = opened_in_books(&engine).await;
    for _ in 0..2 {
        let (stop, start) = (|| cluster.stop_at_once(), || cluster.start());
        is_told_in_time_and_found_again(&engine, &mut books, &mut story, stop, start).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_not_reach_the_server_is_told_of_the_gap() {
    let Some((url, options)) = crate::cluster::url().zip(options()) else { return };
    let here = options.announcing().open().await.unwrap();
    here.migrate().await.unwrap();
    let proxy = Proxy::before(&url);
    let there = through(&proxy, here.schema()).open().await.unwrap();
    let mut changes = there.changes().await.unwrap();
    proxy.turn(Mode::Cut);
    for _ in 0..2 {
        let trouble = changes.next().await.unwrap_err();
        assert!(trouble.is_transient(), "{trouble:?}");
    }
    let mut story = opened(&here, 1).await;
    proxy.turn(Mode::Through);
    assert_eq!(changes.next().await.unwrap(), Heard::Gap);
    here.commit(&story.note("After the gap.")).await.unwrap();
    let expected = Heard::Changed { complaint: story.id(), version: story.state().version };
    let heard = async {
        // What was told while the line was cut may still be under way.
        while changes.next().await.unwrap() != expected {}
    };
    tokio::time::timeout(AT_LAST, heard).await.expect("nothing is heard");
}

#[tokio::test]
async fn who_listens_to_a_silent_network_is_told_of_the_gap() {
    let Some((url, options)) = crate::cluster::url().zip(options()) else { return };
    let here = options.announcing().open().await.unwrap();
    here.migrate().await.unwrap();
    let proxy = Proxy::before(&url);
    let there = through(&proxy, here.schema()).open().await.unwrap();
    let mut changes = there.changes().await.unwrap();
    let mut story = opened(&here, 1).await;
    let heard = changes.next().await.unwrap();
    assert_eq!(heard, Heard::Changed { complaint: story.id(), version: story.state().version });

    proxy.turn(Mode::Silent);
    here.commit(&story.note("Nobody hears of it.")).await.unwrap();
    let trouble = tokio::time::timeout(AT_LAST, changes.next()).await.expect("nothing is told").unwrap_err();
    assert!(trouble.is_transient(), "{trouble:?}");
    proxy.turn(Mode::Through);
    assert_eq!(changes.next().await.unwrap(), Heard::Gap);
    here.commit(&story.note("After the gap.")).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), Heard::Changed { complaint: story.id(), version: story.state().version });
}

#[tokio::test]
async fn a_silence_while_others_are_told_passes() {
    let Some(url) = crate::cluster::url() else { return };
    let proxy = Proxy::before(&url);
    let here = through(&proxy, &crate::cluster::name()).announcing().open().await.unwrap();
    here.migrate().await.unwrap();
    let there = crate::cluster::options_of(&url, here.schema()).open().await.unwrap();
    let mut changes = there.changes().await.unwrap();
    let mut story = opened(&here, 1).await;
    // A second connection, on which others are told while the first comes back.
    let (one, other) = tokio::join!(here.load(story.id()), here.load(story.id()));
    assert_eq!(one.unwrap(), other.unwrap());
    here.commit(&story.note("Nobody is told of it yet.")).await.unwrap();
    proxy.turn(Mode::Silent);
    // Who tells has to come before who asks.
    yields(1).await;
    here.load(story.id()).await.unwrap_err();
    proxy.turn(Mode::Through);
    let change = story.note("There again.");
    let begun = Instant::now();
    while here.commit(&change).await.is_err() {
        assert!(begun.elapsed() < AT_LAST, "not found again");
    }
    // Of what could not be told, and of all that came meanwhile.
    let gap = async { while changes.next().await.unwrap() != Heard::Gap {} };
    tokio::time::timeout(AT_LAST, gap).await.expect("nothing is told of what was missed");
    here.commit(&story.note("And further.")).await.unwrap();
    let expected = Heard::Changed { complaint: story.id(), version: story.state().version };
    let heard = async { while changes.next().await.unwrap() != expected {} };
    tokio::time::timeout(AT_LAST, heard).await.expect("nothing is heard any more");
}

#[tokio::test]
async fn a_relay_that_says_a_nul_is_no_reason_to_send_again_and_again() {
    let Some(options) = options() else { return };
    let store = options.open().await.unwrap();
    store.migrate().await.unwrap();
    opened(&store, 1).await;
    let (now, until) = ("2100-01-01T00:00:00Z".parse().unwrap(), "2100-01-01T00:01:00Z".parse().unwrap());
    let notices = store.claim(now, until, 9).await.unwrap();
    for notice in &notices {
        let why = "550 no\0such user".to_owned();
        // Due again at the end of the lease, so that the claim is still theirs.
        store.settle(notice, Settlement::Retry { at: until, why: why.clone() }, now).await.unwrap();
        store.settle(notice, Settlement::Dead { why }, now).await.unwrap();
    }
    assert!(!notices.is_empty());
    assert!(store.claim(now, until, 9).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_commits_is_heard_by_another() {
    let Some(options) = options() else { return };
    let (here, there) = (options.clone().announcing().open().await.unwrap(), options.open().await.unwrap());
    here.migrate().await.unwrap();
    let (mut changes, mut own) = (there.changes().await.unwrap(), here.changes().await.unwrap());
    let mut stories = [opened(&here, 1).await, opened(&here, 2).await];
    let next =
        async |changes: &mut Changes| tokio::time::timeout(AT_LAST, changes.next()).await.expect("nothing is heard");
    let expect = async |changes: &mut Changes, story: &Story| {
        let heard = next(changes).await;
        let expected = Heard::Changed { complaint: story.id(), version: story.state().version };
        assert_eq!(heard.unwrap(), expected);
    };
    for story in &stories {
        expect(&mut changes, story).await;
    }
    // What was refused is not told, and what the host rolled back is not, either.
    here.commit(&stories[0].clone().assign(&agent_id("nobody"), None)).await.unwrap_err();
    let mut tx = here.pool().begin().await.unwrap();
    here.commit_in(&mut tx, &stories[0].clone().note("Taken back.")).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = here.pool().begin().await.unwrap();
    here.commit_in(&mut tx, &stories[1].note("By the host.")).await.unwrap();
    tx.commit().await.unwrap();
    expect(&mut changes, &stories[1]).await;
    // What it commits itself, a store knows; what its host commits, it hears as well.
    expect(&mut own, &stories[1]).await;

    // One who could not listen for a while is told so, and hears again.
    let listener = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1";
    let query = format!("LISTEN \"complaint_changed_{}\"", here.schema());
    sqlx::query(listener).bind(query).execute(here.pool()).await.unwrap();
    let gap = match next(&mut changes).await {
        Err(trouble) => {
            assert!(trouble.is_transient(), "{trouble:?}");
            next(&mut changes).await.unwrap()
        }
        Ok(heard) => heard,
    };
    assert_eq!(gap, Heard::Gap);
    here.commit(&stories[0].note("After the gap.")).await.unwrap();
    expect(&mut changes, &stories[0]).await;
}
