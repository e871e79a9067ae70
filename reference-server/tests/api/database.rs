//! The server on PostgreSQL: what comes to two of them at once, and a database in trouble. On SQLite there is neither.

use std::time::{Duration, Instant};

use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::PostgresOptions;
use reference_server::config::DatabaseUrl;
use serde_json::json;

use crate::making::doors;
use crate::postgres::postgres;
use crate::proxy::{Mode, Proxy};
use crate::support::{Harness, PASSWORD, With};

const FOUND_WITHIN: Duration = Duration::from_mins(1);

async fn on(url: &str, opened: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Harness {
    let named = |args: &mut reference_server::config::ServeArgs| args.database = Some(url.to_owned());
    Harness::with(named, |mut config| {
        if let DatabaseUrl::Postgres(url) = &mut config.database {
            url.options = opened(url.options.clone());
        }
        config
    })
    .await
}

async fn store_of(server: &Harness) -> PostgresStore {
    let DatabaseUrl::Postgres(url) = &server.server.state().config.database else { panic!("on SQLite") };
    url.options.clone().not_durable().open().await.expect("opens")
}

/// How many wait for one of these turns.
async fn waiting(store: &PostgresStore, turns: &[String]) -> i64 {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND (classid::bigint << 32 | objid::bigint)
        IN (SELECT hashtextextended(current_schema() || ' server ' || turn, 0) FROM unnest($1::text[]) AS turn)";
    sqlx::query_scalar(waiting).bind(turns).fetch_one(store.pool()).await.expect("counts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_comes_to_two_servers_at_once_makes_one_thing() {
    let Some(url) = postgres() else { return };
    let patient = |options: PostgresOptions| options.with_statement_timeout(Duration::from_mins(2));
    let here = on(&url, patient).await;
    let admin = With::bearer(&here.admin().await);
    let there = on(&url, patient).await;
    let store = store_of(&here).await;
    let ada = here.get("/api/v1/me", &admin).await.json()["id"].as_str().expect("an id").to_owned();
    for (at, (path, body, _)) in doors().into_iter().enumerate() {
        let key = format!("key-{at}");
        let keyed = admin.clone().header("idempotency-key", &key);
        // Held, so that whoever comes to the last step waits for the other.
        let mut held = store.pool().begin().await.expect("begins");
        for turn in ["accounts", "policy"] {
            let take_turn = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' server ' || $1, 0))";
            sqlx::query(take_turn).bind(turn).execute(&mut *held).await.expect("holds");
        }
        let turns = ["accounts".to_owned(), "policy".to_owned(), format!("made {ada} {key}")];
        let both_wait = async {
            while waiting(&store, &turns).await < 2 {}
            held.commit().await.expect("lets go");
        };
        let (one, other, ()) = tokio::join!(
            here.post_with(path, body.clone(), &keyed),
            there.post_with(path, body.clone(), &keyed),
            both_wait
        );
        assert_eq!((one.status.as_u16(), &one.text), (201, &other.text), "{path}");
        assert_eq!((other.status, other.header("location")), (one.status, one.header("location")), "{path}");
    }
}

#[tokio::test]
async fn a_database_that_is_silent_gone_or_slow_is_said_in_time_and_found_again() {
    let Some(url) = postgres() else { return };
    let proxy = Proxy::before(&url);
    let (_, schema) = url.split_once("schema=").expect("a schema");
    let url = format!("{}&schema={schema}", proxy.url());
    let it = on(&url, |options| options.with_connections(2).with_statement_timeout(Duration::from_millis(500))).await;
    let bearer = With::bearer(&it.admin().await);
    let ada = json!({"email": "ada@example.org", "password": PASSWORD});
    for mode in [Mode::Silent, Mode::Cut, Mode::Late] {
        // A connection is at hand that was used just now.
        assert_eq!(it.get("/api/v1/me", &bearer).await.status, 200);
        proxy.turn(mode);
        for _ in 0..3 {
            // One statement, and a transaction.
            let answers = [it.get("/api/v1/me", &bearer).await, it.post("/api/v1/tokens", ada.clone()).await];
            for answer in answers {
                assert_eq!(answer.problem().0, 503, "{mode:?}: {}", answer.text);
                // That is what is said when everything else has failed to end it.
                assert!(!answer.text.contains("took too long"), "{mode:?}: {}", answer.text);
            }
        }
        proxy.turn(Mode::Through);
        let begun = Instant::now();
        // By each connection: one that rested a moment only is taken for alive, and costs whoever uses it an error.
        loop {
            let (one, other) = tokio::join!(it.get("/api/v1/me", &bearer), it.get("/api/v1/me", &bearer));
            if one.status == 200 && other.status == 200 {
                break;
            }
            assert!(begun.elapsed() < FOUND_WITHIN, "{mode:?}: {} {}", one.text, other.text);
        }
        assert_eq!(it.post("/api/v1/tokens", ada.clone()).await.status, 201);
    }
}
