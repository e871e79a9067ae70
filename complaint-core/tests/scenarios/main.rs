//! Every scenario of this folder, against the core: a desk over a store in memory; and John's story with each call failing once.

mod faults;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use complaint_core::store::{ComplaintStore, MemoryStore, PAGE_MAX, Query, Scope};
use complaint_core::testing::{DeskWorld, Failed, Scenario, ScenarioError};

#[tokio::test]
async fn every_scenario_plays_in_the_core() {
    let (mut played, mut actions, mut expectations) = (0, 0, 0);
    let mut failed = Vec::new();
    for (name, text) in texts() {
        match play(&name, &text).await {
            Ok(done) => {
                actions += done.actions;
                expectations += done.expectations;
            }
            Err(error) => failed.push(error),
        }
        played += 1;
    }
    println!("{played} scenarios: {actions} actions, {expectations} expectations");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(played >= 20, "only {played} scenarios");
}

#[tokio::test]
async fn a_scenario_always_makes_the_same_log() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let mut written = String::new();
        for (name, text) in texts() {
            let store = Arc::new(MemoryStore::new());
            let scenario = Scenario::parse(&name, &text).expect("a scenario");
            scenario.play(&mut DeskWorld::over(store.clone())).await.expect("plays");
            let everything = Query { limit: PAGE_MAX, ..Query::within(Scope::All) };
            for complaint in store.search(&everything).await.expect("a page").items {
                let log = store.log(complaint.id, 0, 1000).await.expect("a log");
                written += &serde_json::to_string(&log).expect("JSON");
            }
        }
        logs.push(written);
    }
    assert!(logs[0].len() > 10_000 && logs[0] == logs[1], "the same story, another log");
}

/// Each expectation, and the end, can fail; the failure says file, line, what was expected and what was there.
#[tokio::test]
async fn a_failure_says_where_and_what() {
    const STORY: &str = "\
customer John
category \"Glass\"
agent Sarah skilled \"glass\"
agent Maria level 2
at Mon 2026-11-23 09:30 UTC John submits \"Cracked lid\" about \"Glass\" as C1
Sarah begins C1
";
    for (line, message) in [
        (
            "expect C1 closed with Maria at level 2",
            "expected C1 closed with Maria at level 2, but it is in progress with Sarah at level 1",
        ),
        (
            "expect C1 resolution due Mon 2026-11-23 17:00",
            "expected the resolution clock of C1 due Mon 2026-11-23 17:00 UTC, but it is due Mon 2026-12-21 17:00 UTC",
        ),
        ("expect C1 level paused", "expected the level clock of C1 paused, but it is due Mon 2026-11-30 17:00 UTC"),
        (
            "expect C1 acceptance late",
            "expected the acceptance clock of C1 ended: late, but it is due Tue 2026-11-24 09:30 UTC, ended: met",
        ),
        ("expect C1 approval running", "expected the approval clock of C1 running, but it is absent"),
        ("expect notices to John: closed", "expected notices to John: closed, but it is acknowledged, assigned"),
        ("expect no notices to Sarah", "expected notices to Sarah: none, but it is assigned"),
        (
            "expect log of C1: submitted, begun",
            "expected the log of C1: submitted, begun, but it is submitted, acknowledged, assigned, begun",
        ),
        (
            "expect log of C1 has begun never",
            "expected begun in the log of C1 0 times, but it is 1 in: submitted, acknowledged, assigned, begun",
        ),
        ("expect Sarah holds 2", "expected Sarah to hold 2, but it is 1"),
        ("expect John sees C1 as \"Closed\"", "expected John to see C1 as `Closed`, but it is `In progress`"),
        ("expect John cannot see C1", "expected John not to see C1, but they see `In progress`"),
        (
            "expect refused with wrong_status: John posts C1 \"Well?\"",
            "expected a refusal with wrong_status, but it was done",
        ),
        (
            "expect refused with wrong_status: Maria begins C1",
            "expected a refusal with wrong_status, but it was refused with wrong_status, ",
        ),
        (
            "Sarah accepts C1",
            "refused with wrong_status, missing: “Accept the decision” is refused: it is “In progress”",
        ),
        (
            "Sarah is absent until Mon 2026-11-23 09:30",
            "it is Mon 2026-11-23 09:30 UTC already: an absence until Mon 2026-11-23 09:30 UTC is over",
        ),
        (
            "at Mon 2026-11-23 09:00",
            "it is Mon 2026-11-23 09:30 UTC already: time does not run back to Mon 2026-11-23 09:00 UTC",
        ),
    ] {
        let text = format!("{STORY}{line}\nexpect C1 in progress\n");
        let failed = play("f", &text).await;
        if line.contains("Maria begins") {
            assert!(failed.is_ok(), "one of several codes is enough");
            continue;
        }
        let failed = failed.expect_err(line);
        assert!(failed.starts_with(&format!("f:7: {message}")), "`{line}` gave\n{failed}");
    }
}

async fn play(name: &str, text: &str) -> Result<complaint_core::testing::Played, String> {
    let scenario = Scenario::parse(name, text).map_err(|error: ScenarioError| error.to_string())?;
    scenario.play(&mut DeskWorld::in_memory()).await.map_err(|error: Failed| error.to_string())
}

/// Names and texts, in the order of the names.
fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "scenario"))
        .collect();
    files.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a text"))
    };
    files.into_iter().map(named).collect()
}
