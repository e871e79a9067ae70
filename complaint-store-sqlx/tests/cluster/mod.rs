//! The PostgreSQL that `tests/run` starts, and a schema of its own for each test.

use std::time::Duration;

use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::PostgresOptions;

/// The URL of a throwaway cluster, or nothing and a line that says so. With `COMPLAINT_REQUIRE_POSTGRES=1` nothing fails.
pub(crate) fn url() -> Option<String> {
    let url = std::env::var("COMPLAINT_TEST_POSTGRES").ok();
    if url.is_none() {
        assert!(
            std::env::var("COMPLAINT_REQUIRE_POSTGRES").as_deref() != Ok("1"),
            "COMPLAINT_TEST_POSTGRES names no PostgreSQL; tests/run starts one"
        );
        eprintln!("skipped: COMPLAINT_TEST_POSTGRES names no PostgreSQL; tests/run starts one");
    }
    url
}

/// Options for a schema that nobody else has.
pub(crate) fn options() -> Option<PostgresOptions> {
    let schema = format!("t{:032x}", rand::random::<u128>());
    let options = PostgresOptions::new(&url()?).unwrap().in_schema(&schema).unwrap();
    Some(options.not_durable().with_connections(5).with_statement_timeout(Duration::from_secs(20)))
}

/// A migrated store in a schema of its own.
#[allow(dead_code, reason = "not every test binary needs a store as it comes")]
pub(crate) async fn fresh() -> Option<Box<PostgresStore>> {
    let store = options()?.open().await.unwrap();
    store.migrate().await.unwrap();
    Some(Box::new(store))
}
