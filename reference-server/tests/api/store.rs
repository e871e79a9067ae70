use reference_server::auth::SqliteAccounts;
use reference_server::config::DatabaseUrl;
use sqlx::Row as _;

use crate::support::{Harness, PASSWORD, With};

/// Tables of the store begin with `complaint_`, so ours must not.
fn is_ours_or_the_stores(table: &str) -> bool {
    table.starts_with("server_") || table.starts_with("complaint_") || table == "sqlite_sequence"
}

/// Reads every value of every table as text.
async fn everything(database: &DatabaseUrl) -> String {
    let mut all = String::new();
    match database {
        DatabaseUrl::Sqlite(url) => {
            let pool = sqlx::SqlitePool::connect(url).await.expect("opens");
            let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&pool).await.expect("lists");
            for table in tables {
                assert!(is_ours_or_the_stores(&table), "{table} could clash with a table of the store");
                let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(&pool).await;
                for row in rows.expect("reads") {
                    for column in 0..row.len() {
                        let value: Option<Vec<u8>> = row.try_get_unchecked(column).unwrap_or_default();
                        all.push_str(&String::from_utf8_lossy(&value.unwrap_or_default()));
                        all.push('\n');
                    }
                }
            }
            pool.close().await;
        }
        DatabaseUrl::Postgres(url) => {
            let store = url.options.clone().not_durable().open().await.expect("opens");
            let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(store.pool()).await.expect("lists");
            for table in tables {
                assert!(is_ours_or_the_stores(&table), "{table} could clash with a table of the store");
                let rows = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} AS t"));
                let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(store.pool()).await.expect("reads");
                all.extend(rows);
            }
        }
    }
    all
}

#[tokio::test]
async fn no_secret_rests_in_the_database() {
    let it = Harness::new().await;
    let setup = crate::support::token_in(it.server.setup_link().expect("a link"));
    it.sign_up("john@example.org").await;
    let confirm = it.mailed_token().await;
    it.post("/api/v1/accounts/verify", serde_json::json!({"token": confirm})).await;
    let cookie = it.log_in("john@example.org").await.cookie();
    let bearer = it.token("john@example.org").await;
    assert_eq!(it.get("/api/v1/me", &With::bearer(&bearer)).await.status, 200);
    let all = everything(&it.server.state().config.database).await;
    assert!(all.contains("john@example.org") && all.contains("$argon2id$"), "the reader sees what is there");
    for secret in [setup.as_str(), &confirm, cookie.split_once('=').expect("a pair").1, &bearer, PASSWORD] {
        // Its beginning is enough: a cut secret is no hash.
        assert!(!all.contains(&secret[..16]), "{secret}");
    }
}

#[tokio::test]
async fn opening_twice_migrates_once_and_lives_beside_other_migrations() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.expect("opens");
    let other = vec![sqlx::migrate::Migration::new(
        1,
        "somebody else's".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlStr::from_static("CREATE TABLE theirs (id INTEGER PRIMARY KEY)"),
        false,
    )];
    sqlx::migrate::Migrator::with_migrations(other).run(&pool).await.expect("migrates");
    for _ in 0..2 {
        SqliteAccounts::open_file(&path, true).await.expect("opens").close().await;
    }
    let applied: i64 = sqlx::query("SELECT count(*) FROM server_schema").fetch_one(&pool).await.expect("counts").get(0);
    let ours = std::fs::read_dir("migrations/sqlite").expect("the folder of migrations").count();
    assert_eq!(usize::try_from(applied), Ok(ours));
    let full: i64 = sqlx::query("PRAGMA synchronous").fetch_one(&pool).await.expect("asks").get(0);
    assert_eq!(full, 2, "SQLite's own default; ours is asked for explicitly");
}

#[tokio::test]
async fn what_has_expired_is_removed() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    it.log_in("john@example.org").await;
    it.token("john@example.org").await;
    let accounts = &it.server.state().accounts;
    assert_eq!(accounts.purge().await.expect("purges"), 0);
    it.clock.advance(chrono::TimeDelta::days(40));
    // Set-up link, confirmation, session, API token, the sign-up's try, the mail.
    assert_eq!(accounts.purge().await.expect("purges"), 6);
    assert_eq!(it.log_in("john@example.org").await.status, 200, "the account stays");
}
