//! What `verify` finds: every way of tampering with a log or a state by somebody who has the database in their hands.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::id::ComplaintId;
use complaint_core::store::Store;
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::verify::{Breach, Tampering, Verified};
use sqlx::{AssertSqlSafe, Executor};

/// What both engines have beside the traits.
trait Tampered {
    fn store(&self) -> &dyn Store;
    async fn verify(&self, id: ComplaintId) -> Verified;
    async fn verify_all(&self) -> Verified;
    /// As somebody does it who may do everything: triggers and foreign keys are out of the way.
    async fn tamper(&self, sql: &str);
}

/// Two complaints of six entries each, told alike, and one more.
struct Two {
    first: Story,
    second: Story,
}

impl Two {
    async fn in_store(store: &dyn Store) -> Self {
        store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
        let mut stories = Vec::new();
        for number in 1..=3 {
            let opening = Opening { due_at: Some(second(90_000)), ..Opening::numbered(number) };
            let (mut story, opened) = Story::open(&opening);
            store.commit(&opened).await.unwrap();
            store.commit(&story.acknowledge()).await.unwrap();
            store.commit(&story.assign(&agent_id("asha"), None)).await.unwrap();
            store.commit(&story.begin()).await.unwrap();
            store.commit(&story.note("Rang twice, nobody there.")).await.unwrap();
            stories.push(story);
        }
        stories.sort_by_key(Story::id);
        let [first, second, _] = stories.try_into().unwrap();
        Self { first, second }
    }
}

/// What is done to the first complaint, and what is found. `{1}` and `{2}` stand for the two complaints.
const TAMPERINGS: &[(&str, &str, i64, Tampering)] = &[
    (
        "facts edited",
        "UPDATE complaint_log SET entry = replace(entry, '\"noted\"', '\"posted\"') WHERE complaint = \
         {1} AND seq = 6",
        6,
        Tampering::Altered,
    ),
    (
        "actor swapped",
        "UPDATE complaint_log SET entry = replace(entry, '\"system\"', '\"sysadm\"') WHERE complaint \
         = {1} AND seq = 4",
        4,
        Tampering::Altered,
    ),
    (
        "clock rewritten in the column",
        "UPDATE complaint_log SET at = at - 60000000 WHERE complaint = {1} AND seq = 2",
        2,
        Tampering::Altered,
    ),
    (
        "clock rewritten in the facts",
        "UPDATE complaint_log SET entry = replace(entry, '\"at\":\"2026', '\"at\":\"2025') WHERE \
         complaint = {1} AND seq = 1",
        1,
        Tampering::Altered,
    ),
    (
        "version renumbered",
        "UPDATE complaint_log SET version = version - 1 WHERE complaint = {1} AND seq = 5",
        5,
        Tampering::Altered,
    ),
    ("first entry deleted", "DELETE FROM complaint_log WHERE complaint = {1} AND seq = 1", 1, Tampering::Missing),
    ("entry deleted in between", "DELETE FROM complaint_log WHERE complaint = {1} AND seq = 3", 3, Tampering::Missing),
    (
        "entry deleted and the gap closed",
        "DELETE FROM complaint_log WHERE complaint = {1} AND seq = 5; UPDATE complaint_log SET seq = \
         5 WHERE complaint = {1} AND seq = 6",
        5,
        Tampering::Altered,
    ),
    ("last entry deleted", "DELETE FROM complaint_log WHERE complaint = {1} AND seq = 6", 6, Tampering::Missing),
    ("whole log deleted", "DELETE FROM complaint_log WHERE complaint = {1}", 1, Tampering::Missing),
    (
        "entry inserted at the end",
        "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, words, salt, \
         words_digest, hash) SELECT complaint, 7, version, at, codec, entry, words, salt, \
         words_digest, hash FROM complaint_log WHERE complaint = {1} AND seq = 6",
        7,
        Tampering::Altered,
    ),
    (
        "entry inserted before the first",
        "INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, words, salt, \
         words_digest, hash) SELECT complaint, 0, version, at, codec, entry, words, salt, \
         words_digest, hash FROM complaint_log WHERE complaint = {1} AND seq = 1",
        1,
        Tampering::Missing,
    ),
    (
        "entries reordered",
        "UPDATE complaint_log SET seq = -4 WHERE complaint = {1} AND seq = 4; UPDATE complaint_log \
         SET seq = 4 WHERE complaint = {1} AND seq = 5; UPDATE complaint_log SET seq = 5 WHERE \
         complaint = {1} AND seq = -4",
        4,
        Tampering::Altered,
    ),
    (
        "entry of another complaint put in its place",
        "DELETE FROM complaint_log WHERE complaint = {1} AND seq = 6; INSERT INTO complaint_log \
         (complaint, seq, version, at, codec, entry, words, salt, words_digest, hash) SELECT {1}, \
         seq, version, at, codec, entry, words, salt, words_digest, hash FROM complaint_log WHERE \
         complaint = {2} AND seq = 6",
        6,
        Tampering::Altered,
    ),
    (
        "words edited",
        "UPDATE complaint_log SET words = replace(words, 'twice', 'never') WHERE complaint = {1} AND \
         seq = 6",
        6,
        Tampering::Words,
    ),
    (
        "words edited under a digest of their own",
        "UPDATE complaint_log SET words = (SELECT words FROM complaint_log WHERE complaint = {1} AND \
         seq = 3), salt = (SELECT salt FROM complaint_log WHERE complaint = {1} AND seq = 3), \
         words_digest = (SELECT words_digest FROM complaint_log WHERE complaint = {1} AND seq = 3) \
         WHERE complaint = {1} AND seq = 6",
        6,
        Tampering::Altered,
    ),
    (
        "words put where none were typed",
        "UPDATE complaint_log SET words = '{\"text\":\"Done.\"}', salt = (SELECT salt FROM \
         complaint_log WHERE complaint = {1} AND seq = 6) WHERE complaint = {1} AND seq = 5",
        5,
        Tampering::Words,
    ),
    (
        "words erased, their salt kept",
        "UPDATE complaint_log SET words = NULL WHERE complaint = {1} AND seq = 6",
        6,
        Tampering::Words,
    ),
    (
        "words erased in the log alone",
        "UPDATE complaint_log SET words = NULL, salt = NULL WHERE complaint = {1} AND seq = 1",
        6,
        Tampering::State("state"),
    ),
    (
        "state rewritten",
        "UPDATE complaint_state SET state = replace(state, 'asha', 'ben') WHERE id = {1}",
        6,
        Tampering::State("state"),
    ),
    (
        "state column rewritten",
        "UPDATE complaint_state SET handler = 'ben' WHERE id = {1}",
        6,
        Tampering::State("handler"),
    ),
    (
        "promise moved",
        "UPDATE complaint_state SET promised_at = promised_at + 1 WHERE id = {1}",
        6,
        Tampering::State("promised_at"),
    ),
    (
        "next look put off",
        "UPDATE complaint_state SET next_action_at = NULL WHERE id = {1}",
        6,
        Tampering::State("next_action_at"),
    ),
    ("state gone", "DELETE FROM complaint_state WHERE id = {1}", 6, Tampering::NoState),
];

async fn each_tampering_is_found_and_named<T: Tampered>(
    fresh: impl AsyncFn() -> Option<T>,
    id: fn(ComplaintId) -> String,
) {
    for (name, sql, seq, what) in TAMPERINGS {
        let Some(tampered) = fresh().await else { return };
        let two = Two::in_store(tampered.store()).await;
        let before = tampered.verify_all().await;
        assert_eq!((before.complaints, before.entries, before.broken, before.erased), (3, 18, 0, 0), "{name}");

        tampered.tamper(&sql.replace("{1}", &id(two.first.id())).replace("{2}", &id(two.second.id()))).await;
        let expected = Breach { complaint: two.first.id(), seq: *seq, what: *what };
        let found = tampered.verify_all().await;
        assert_eq!((found.broken, found.breaches), (1, vec![expected.clone()]), "{name}");
        assert_eq!(tampered.verify(two.first.id()).await.breaches, [expected], "{name}");
        assert!(tampered.verify(two.second.id()).await.is_intact(), "{name}");
    }
}

/// Words erased together with what the state repeats of them leave a chain that holds.
async fn erased_words_break_nothing<T: Tampered>(fresh: impl AsyncFn() -> Option<T>, id: fn(ComplaintId) -> String) {
    let Some(tampered) = fresh().await else { return };
    let two = Two::in_store(tampered.store()).await;
    let sql = "UPDATE complaint_log SET words = NULL, salt = NULL WHERE complaint = {1} AND seq IN (3, 6)";
    tampered.tamper(&sql.replace("{1}", &id(two.first.id()))).await;
    let found = tampered.verify_all().await;
    assert_eq!((found.broken, found.erased, found.entries), (0, 2, 18), "{found:?}");
    let log = tampered.store().log(two.first.id(), 0, 100).await.unwrap();
    assert!(log[2].words.is_empty() && log[5].words.is_empty());
    assert_eq!(log[5].event, two.first.log()[5].event);
}

/// More complaints than are looked at in one portion, each with its own log, and a breach beyond the first portion.
async fn portions_are_put_together<T: Tampered>(fresh: impl AsyncFn() -> Option<T>, id: fn(ComplaintId) -> String) {
    let Some(tampered) = fresh().await else { return };
    let mut last = Story::open(&Opening::numbered(1)).0;
    for number in 1..=1_003 {
        let (mut story, opened) = Story::open(&Opening::numbered(number));
        tampered.store().commit(&opened).await.unwrap();
        if number % 100 == 0 {
            tampered.store().commit(&story.acknowledge()).await.unwrap();
        }
        last = if story.id() > last.id() { story } else { last };
    }
    let found = tampered.verify_all().await;
    assert_eq!((found.complaints, found.entries, found.broken), (1_003, 1_023, 0), "{found:?}");
    tampered.tamper(&format!("DELETE FROM complaint_state WHERE id = {}", id(last.id()))).await;
    let found = tampered.verify_all().await;
    assert_eq!((found.complaints, found.entries, found.broken), (1_003, 1_023, 1), "{found:?}");
    assert_eq!(found.breaches[0].what, Tampering::NoState);
}

mod sqlite {
    use super::*;

    struct InFolder {
        store: SqliteStore,
        _folder: tempfile::TempDir,
    }

    async fn fresh() -> Option<InFolder> {
        let folder = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&format!("sqlite:{}", folder.path().join("complaints.db").display())).await.unwrap();
        store.migrate().await.unwrap();
        store.writer().execute("PRAGMA synchronous = OFF").await.unwrap();
        Some(InFolder { store, _folder: folder })
    }

    fn id(id: ComplaintId) -> String {
        format!("x'{}'", id.as_uuid().simple())
    }

    impl Tampered for InFolder {
        fn store(&self) -> &dyn Store {
            &self.store
        }

        async fn verify(&self, id: ComplaintId) -> Verified {
            self.store.verify(id).await.unwrap()
        }

        async fn verify_all(&self) -> Verified {
            self.store.verify_all().await.unwrap()
        }

        async fn tamper(&self, sql: &str) {
            let free = "PRAGMA foreign_keys = OFF; DROP TRIGGER IF EXISTS complaint_log_no_update; \
                        DROP TRIGGER IF EXISTS complaint_log_no_delete; DROP TRIGGER IF EXISTS complaint_log_no_replace;";
            sqlx::raw_sql(AssertSqlSafe(format!("{free}{sql}"))).execute(self.store.writer()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn each_tampering_is_found_and_named() {
        super::each_tampering_is_found_and_named(fresh, id).await;
    }

    #[tokio::test]
    async fn erased_words_break_nothing() {
        super::erased_words_break_nothing(fresh, id).await;
    }

    #[tokio::test]
    async fn portions_are_put_together() {
        super::portions_are_put_together(fresh, id).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use complaint_store_sqlx::PostgresStore;

    use super::*;

    async fn fresh() -> Option<PostgresStore> {
        crate::cluster::fresh().await.map(|store| *store)
    }

    fn id(id: ComplaintId) -> String {
        format!("'{}'", id.as_uuid())
    }

    impl Tampered for PostgresStore {
        fn store(&self) -> &dyn Store {
            self
        }

        async fn verify(&self, id: ComplaintId) -> Verified {
            self.verify(id).await.unwrap()
        }

        async fn verify_all(&self) -> Verified {
            self.verify_all().await.unwrap()
        }

        async fn tamper(&self, sql: &str) {
            let mut tx = self.pool().begin().await.unwrap();
            let free =
                format!("SET LOCAL search_path = {}; SET LOCAL session_replication_role = replica;", self.schema());
            tx.execute(sqlx::raw_sql(AssertSqlSafe(format!("{free}{sql}")))).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn each_tampering_is_found_and_named() {
        super::each_tampering_is_found_and_named(fresh, id).await;
    }

    #[tokio::test]
    async fn erased_words_break_nothing() {
        super::erased_words_break_nothing(fresh, id).await;
    }

    #[tokio::test]
    async fn portions_are_put_together() {
        super::portions_are_put_together(fresh, id).await;
    }
}
