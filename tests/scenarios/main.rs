//! The scenarios of the core again, unchanged: on the SQLite and the PostgreSQL store, and through the HTTP interface of the server
//! on either.

mod http;
#[path = "../../reference-server/tests/postgres/mod.rs"]
mod postgres;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use complaint_core::testing::{DeskWorld, Scenario, World};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::postgres::PostgresOptions;
use http::HttpWorld;
use postgres::postgres;

#[tokio::test]
async fn every_scenario_plays_on_sqlite() {
    every_scenario_plays(async |folder: &Path| {
        let file = format!("sqlite:{}", folder.join("complaints.db").display());
        let store = SqliteStore::open(&file).await.expect("the store opens");
        store.migrate().await.expect("the tables are made");
        Box::new(DeskWorld::over(Arc::new(store))) as Box<dyn World>
    })
    .await;
}

#[tokio::test]
async fn every_scenario_plays_on_postgresql() {
    if postgres().is_none() {
        return;
    }
    every_scenario_plays(async |_: &Path| {
        let url = postgres().expect("it was there");
        let (database, schema) = url.rsplit_once("schema=").expect("a schema of its own");
        let options = PostgresOptions::new(database.trim_end_matches(['&', '?'])).expect("a URL");
        let options = options.in_schema(schema).expect("a name").not_durable().with_connections(2);
        let store = options.open().await.expect("the store opens");
        store.migrate().await.expect("the tables are made");
        Box::new(DeskWorld::over(Arc::new(store))) as Box<dyn World>
    })
    .await;
}

#[tokio::test]
async fn every_scenario_plays_over_http() {
    every_scenario_plays(async |folder: &Path| Box::new(HttpWorld::new(folder, None)) as Box<dyn World>).await;
}

#[tokio::test]
async fn every_scenario_plays_over_http_on_postgresql() {
    if postgres().is_none() {
        return;
    }
    every_scenario_plays(async |folder: &Path| Box::new(HttpWorld::new(folder, postgres())) as Box<dyn World>).await;
}

/// Plays each in a world of its own on a scratch folder of its own.
async fn every_scenario_plays(world: impl AsyncFn(&Path) -> Box<dyn World>) {
    let (mut played, mut expectations) = (0, 0);
    let mut failed = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a text");
        let scenario = Scenario::parse(&path.display().to_string(), &text).expect("a scenario");
        let folder = tempfile::tempdir().expect("a scratch folder");
        match scenario.play(world(folder.path()).await.as_mut()).await {
            Ok(done) => expectations += done.expectations,
            Err(error) => failed.push(error.to_string()),
        }
        played += 1;
    }
    println!("{played} scenarios, {expectations} expectations");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(played >= 20, "only {played} scenarios");
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("complaint-core/tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "scenario"))
        .collect();
    files.sort();
    files
}
