//! Counts are what there is: one that was tampered with is named, and on PostgreSQL no change waits for another's.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use complaint_core::Agent;
use complaint_core::conformance::{Opening, Story, agent_id};
use complaint_core::store::{Change, ComplaintStore, Store};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::verify::{Miscount, Verified};
use sqlx::Executor;

fn opened(number: u32) -> Change {
    Story::open(&Opening::numbered(number)).1
}

/// Two complaints that wait, the second still to be committed, and one that Asha resolved and the customer gave five stars.
async fn three_complaints(store: &dyn Store) -> Change {
    store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
    let (mut story, first) = Story::open(&Opening::numbered(1));
    let steps = [first, story.assign(&agent_id("asha"), None), story.begin(), story.resolve(), story.rate(5)];
    for step in steps {
        store.commit(&step).await.unwrap();
    }
    store.commit(&opened(2)).await.unwrap();
    opened(3)
}

/// What is done to the counts, and what is wrong then: whose, of which status, how many complaints and fives too many.
type Tampering = (&'static str, &'static [(Option<&'static str>, &'static str, i64, i64)]);

const TAMPERINGS: [Tampering; 5] = [
    ("UPDATE complaint_counts SET complaints = 5 WHERE handler = '' AND status = 'queued'", &[(None, "queued", 3, 0)]),
    (
        "UPDATE complaint_counts SET rated_5 = 0 WHERE handler = 'asha' AND status = 'resolved'",
        &[(Some("asha"), "resolved", 0, -1)],
    ),
    (
        "DELETE FROM complaint_counts WHERE status = 'resolved'",
        &[(None, "resolved", -1, -1), (Some("asha"), "resolved", -1, -1)],
    ),
    (
        "UPDATE complaint_counts SET status = 'closed' WHERE handler = '' AND status = 'queued'",
        &[(None, "closed", 2, 0), (None, "queued", -2, 0)],
    ),
    (
        "UPDATE complaint_counts SET handler = 'ben' WHERE handler = 'asha' AND status = 'resolved'",
        &[(Some("asha"), "resolved", -1, -1), (Some("ben"), "resolved", 1, 1)],
    ),
];

fn expect_named(verified: &Verified, tampering: &str, wrong: &[(Option<&str>, &str, i64, i64)]) {
    let told = |it: &Miscount| (it.handler.clone(), it.status.clone(), it.complaints, it.ratings[4]);
    let told: Vec<_> = verified.miscounts.iter().map(told).collect();
    let wrong =
        wrong.iter().map(|(whose, status, n, fives)| (whose.map(String::from), (*status).to_owned(), *n, *fives));
    assert_eq!(told, wrong.collect::<Vec<_>>(), "{tampering}");
    assert!(!verified.is_intact() && verified.broken == 0, "{tampering}");
    let line = verified.miscounts[0].to_string();
    assert!(line.starts_with("complaint_counts") && line.contains(&told[0].1), "{line}");
}

#[tokio::test]
async fn a_count_that_was_tampered_with_is_named_on_sqlite() {
    for (tampering, wrong) in TAMPERINGS {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let last = three_complaints(&store).await;
        store.commit(&last).await.unwrap();
        assert!(store.verify_all().await.unwrap().is_intact());
        store.writer().execute(tampering).await.unwrap();
        expect_named(&store.verify_all().await.unwrap(), tampering, wrong);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;

    use complaint_core::lifecycle::Status;
    use complaint_core::store::Scope;
    use complaint_store_sqlx::PostgresStore;
    use sqlx::AssertSqlSafe;

    use super::{ComplaintStore, Executor, Opening, Story, TAMPERINGS, expect_named, opened, three_complaints};

    fn within(store: &PostgresStore, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("complaint_", &format!("{}.complaint_", store.schema())))
    }

    /// Lets the next change be one that folds.
    async fn due_to_fold(store: &PostgresStore, place: i64) {
        let sequence = format!("{}.complaint_count_changes", store.schema());
        let set = sqlx::query("SELECT setval(pg_get_serial_sequence($1, 'place'), $2)").bind(sequence).bind(place - 1);
        set.execute(store.pool()).await.unwrap();
    }

    async fn unfolded(store: &PostgresStore) -> i64 {
        let count = within(store, "SELECT count(*) FROM complaint_count_changes");
        sqlx::query_scalar(count).fetch_one(store.pool()).await.unwrap()
    }

    async fn queued(store: &PostgresStore) -> u64 {
        let summary = store.summary(&Scope::All).await.unwrap();
        summary.by_status.get(&Status::Queued).copied().unwrap_or_default()
    }

    #[tokio::test]
    async fn a_count_that_was_tampered_with_is_named() {
        for (tampering, wrong) in TAMPERINGS {
            let Some(store) = crate::cluster::fresh().await else { return };
            let last = three_complaints(&*store).await;
            due_to_fold(&store, 256).await;
            store.commit(&last).await.unwrap();
            assert_eq!(unfolded(&store).await, 0);
            assert!(store.verify_all().await.unwrap().is_intact());
            store.pool().execute(within(&store, tampering)).await.unwrap();
            expect_named(&store.verify_all().await.unwrap(), tampering, wrong);
        }
    }

    #[tokio::test]
    async fn changes_are_folded_as_they_come() {
        let Some(store) = crate::cluster::fresh().await else { return };
        for number in 1..=700 {
            store.commit(&opened(number)).await.unwrap();
            assert!(unfolded(&store).await < 256, "after {number}");
        }
        assert_eq!(queued(&store).await, 700);
        assert_eq!(store.verify_all().await.unwrap().miscounts, []);
    }

    #[tokio::test]
    async fn no_change_waits_for_one_of_the_same_kind() {
        let Some(store) = crate::cluster::fresh().await else { return };
        for number in 1..=3 {
            store.commit(&opened(number)).await.unwrap();
        }
        // The host's transaction folds, and goes on; so would the next one.
        due_to_fold(&store, 256).await;
        let mut tx = store.pool().begin().await.unwrap();
        store.commit_in(&mut tx, &opened(4)).await.unwrap();
        due_to_fold(&store, 512).await;
        for number in 5..=7 {
            store.commit(&opened(number)).await.unwrap();
        }
        assert_eq!(queued(&store).await, 6, "what is not committed is not counted");
        tx.rollback().await.unwrap();
        assert_eq!(queued(&store).await, 6);
        assert_eq!(unfolded(&store).await, 6, "nothing was folded, for who would have was undone or not alone");
        due_to_fold(&store, 768).await;
        store.commit(&opened(4)).await.unwrap();
        assert_eq!((queued(&store).await, unfolded(&store).await), (7, 0));
        assert_eq!(store.verify_all().await.unwrap().miscounts, []);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn counts_are_exact_whoever_commits_and_folds_at_once() {
        let Some(store) = crate::cluster::fresh().await else { return };
        let store = Arc::new(*store);
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4_u32 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                for number in 1..=60 {
                    let (mut story, opened) = Story::open(&Opening::numbered(writer * 1_000 + number));
                    for change in [opened, story.escalate(), story.withdraw(), story.reinstate()] {
                        store.commit(&change).await.unwrap();
                        // Never between two places: what is committed is always counted once.
                        let summary = store.summary(&Scope::All).await.unwrap();
                        assert!(summary.total() >= u64::from(number) && summary.total() <= 240, "{summary:?}");
                    }
                }
            });
        }
        writers.join_all().await;
        assert_eq!(queued(&store).await, 240);
        assert_eq!(store.verify_all().await.unwrap().miscounts, []);
    }
}
