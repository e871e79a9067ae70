use reference_server::auth::SqliteAccounts;
use sqlx::Row as _;

use crate::support::{Harness, PASSWORD, With};

/// Reads every value of every table of the file as text.
async fn everything(path: &std::path::Path) -> String {
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
    let tables =
        sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&pool).await.expect("lists");
    let mut all = String::new();
    for table in tables {
        let name: String = table.get(0);
        // Tables of the store begin with `complaint_`, so ours must not.
        assert!(
            name.starts_with("server_") || name.starts_with("complaint_") || name == "sqlite_sequence",
            "{name} could clash with a table of the store"
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {name}"))).fetch_all(&pool).await.expect("reads");
        for row in rows {
            for column in 0..row.len() {
                let value: Option<Vec<u8>> = row.try_get_unchecked(column).unwrap_or_default();
                all.push_str(&String::from_utf8_lossy(&value.unwrap_or_default()));
                all.push('\n');
            }
        }
    }
    pool.close().await;
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
    let all = everything(&it.folder.path().join("data/complaints.db")).await;
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
    assert_eq!(applied, 3);
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
