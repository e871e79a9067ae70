//! The throwaway PostgreSQL, for every test program that runs the server on it.

use std::hash::{BuildHasher, RandomState};

/// The URL of a schema of its own in the PostgreSQL that `tests/run` starts; or nothing and a line that says so. With
/// `COMPLAINT_REQUIRE_POSTGRES=1` the want of one is a failure.
pub(crate) fn postgres() -> Option<String> {
    let url = std::env::var("COMPLAINT_TEST_POSTGRES").ok();
    if url.is_none() {
        let why = "COMPLAINT_TEST_POSTGRES names no PostgreSQL; tests/run starts one";
        assert!(std::env::var("COMPLAINT_REQUIRE_POSTGRES").as_deref() != Ok("1"), "{why}");
        eprintln!("skipped: {why}");
    }
    let joined = |url: &str| if url.contains('?') { '&' } else { '?' };
    // Keys of the standard library's hashers are drawn at random.
    let [one, other] = [(); 2].map(|()| RandomState::new().hash_one(std::process::id()));
    url.map(|url| format!("{url}{}schema=t{one:016x}{other:016x}", joined(&url)))
}
