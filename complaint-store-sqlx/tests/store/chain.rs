//! What `verify` finds: every way of tampering with a log or a state by somebody who has the database in their hands.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use complaint_core::agent::Agent;
use complaint_core::complaint::{Entry, Words};
use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::id::ComplaintId;
use complaint_core::store::{Store, StoreError};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::verify::{Breach, Heads, Tampering, Verified};
use sqlx::{AssertSqlSafe, Executor};

/// What both engines have beside the traits.
trait Tampered {
    fn store(&self) -> &dyn Store;
    async fn verify(&self, id: ComplaintId) -> Verified;
    async fn verify_all(&self) -> Verified;
    async fn verify_with(&self, heads: Heads<'_>) -> Result<Verified, StoreError>;
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

/// Takes a complaint out with everything that belongs to it, so that nothing in the database misses it. The triggers that
/// count go on counting.
fn wipe(id: &str, words: &str) -> String {
    format!(
        "DELETE FROM complaint_search WHERE {words}; DELETE FROM complaint_outbox WHERE complaint = {id}; \
         DELETE FROM complaint_log WHERE complaint = {id}; DELETE FROM complaint_state WHERE id = {id}"
    )
}

/// What the database alone cannot tell is told by heads that were kept elsewhere; what came later is left in peace.
async fn what_no_chain_shows_is_shown_by_heads<T: Tampered>(
    fresh: impl AsyncFn() -> Option<T>,
    wiped: impl AsyncFn(&T, ComplaintId),
) {
    /// What becomes of the complaint that was wiped out.
    type Then = fn(&[Entry]) -> Option<Story>;
    let gone: Then = |_| None;
    let cut: Then = |log| Story::resumed(log[..5].to_vec()).ok();
    let retold: Then = |log| {
        let mut log = log.to_vec();
        log[5].words = Words::of("note", "Another story.");
        Story::resumed(log).ok()
    };
    let told: [(Then, i64, Tampering); 3] =
        [(gone, 1, Tampering::Gone), (cut, 6, Tampering::Missing), (retold, 6, Tampering::NotKept)];
    for (then, seq, what) in told {
        let Some(tampered) = fresh().await else { return };
        let mut two = Two::in_store(tampered.store()).await;
        let mut kept = Vec::new();
        assert!(tampered.verify_with(Heads::default().kept_in(&mut kept)).await.unwrap().is_intact());
        assert_eq!(String::from_utf8(kept.clone()).unwrap().lines().count(), 5, "{what:?}");

        tampered.store().commit(&two.second.note("After the heads were kept.")).await.unwrap();
        tampered.store().commit(&Story::open(&Opening::numbered(9)).1).await.unwrap();
        let known = || Heads::default().known_from(kept.as_slice());
        assert!(tampered.verify_with(known()).await.unwrap().is_intact(), "{what:?}");

        wiped(&tampered, two.first.id()).await;
        if let Some(story) = then(two.first.log()) {
            tampered.store().commit(&story.told()).await.unwrap();
        }
        assert!(tampered.verify_all().await.is_intact(), "{what:?}: the database alone shows nothing");
        let expected = Breach { complaint: two.first.id(), seq, what };
        let mut again = Vec::new();
        let found = tampered.verify_with(known().kept_in(&mut again)).await.unwrap();
        assert_eq!((found.broken, found.breaches), (1, vec![expected.clone()]));
        // What is missed is not forgotten by keeping heads anew.
        let found = tampered.verify_with(Heads::default().known_from(again.as_slice())).await.unwrap();
        assert_eq!(found.breaches, [expected]);
    }
}

/// Heads that are not whole must not pass for few.
async fn heads_that_are_damaged_are_refused<T: Tampered>(fresh: impl AsyncFn() -> Option<T>) {
    let Some(tampered) = fresh().await else { return };
    Two::in_store(tampered.store()).await;
    let mut kept = Vec::new();
    tampered.verify_with(Heads::default().kept_in(&mut kept)).await.unwrap();
    let kept = String::from_utf8(kept).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    let swapped = [lines[0], lines[2], lines[1], lines[3], lines[4]].join("\n");
    let fewer = [lines[0], lines[1], lines[3], lines[4]].join("\n");
    for (damaged, line, why) in [
        (lines[..3].join("\n"), 4, "cut off"),
        (swapped, 3, "order of ids"),
        (fewer, 4, "3 heads were kept, and 2 are here"),
        (kept.replace("\"entries\":6", "\"entries\":0"), 2, "at least one entry"),
        (kept.replace("\"hash\":\"", "\"hash\":\"0"), 2, "64 hexadecimal digits"),
        (kept.replace("\"version\":1", "\"version\":2"), 1, "of version 2"),
        (lines[1..].join("\n"), 1, "first line"),
        ("no heads".into(), 1, "expected"),
        (String::new(), 1, "cut off"),
    ] {
        let refused = tampered.verify_with(Heads::default().known_from(damaged.as_bytes())).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains(&format!("line {line}: ")) && told.contains(why), "{why}: {told}");
    }
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

        async fn verify_with(&self, heads: Heads<'_>) -> Result<Verified, StoreError> {
            self.store.verify_with(heads).await
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
    async fn what_no_chain_shows_is_shown_by_heads() {
        let wiped = async |tampered: &InFolder, complaint: ComplaintId| {
            let id = id(complaint);
            let words = format!("rowid = (SELECT row FROM complaint_state WHERE id = {id})");
            tampered.tamper(&wipe(&id, &words)).await;
        };
        super::what_no_chain_shows_is_shown_by_heads(fresh, wiped).await;
    }

    #[tokio::test]
    async fn heads_that_are_damaged_are_refused() {
        super::heads_that_are_damaged_are_refused(fresh).await;
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

        async fn verify_with(&self, heads: Heads<'_>) -> Result<Verified, StoreError> {
            self.verify_with(heads).await
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
    async fn what_no_chain_shows_is_shown_by_heads() {
        let wiped = async |store: &PostgresStore, complaint: ComplaintId| {
            let (id, schema) = (id(complaint), store.schema());
            let wipe = wipe(&id, &format!("complaint = {id}"));
            let wipe = format!(
                "SET LOCAL search_path = {schema}; ALTER TABLE complaint_log DISABLE TRIGGER USER; {wipe}; \
                 ALTER TABLE complaint_log ENABLE TRIGGER USER"
            );
            let mut tx = store.pool().begin().await.unwrap();
            tx.execute(sqlx::raw_sql(AssertSqlSafe(wipe))).await.unwrap();
            tx.commit().await.unwrap();
        };
        super::what_no_chain_shows_is_shown_by_heads(fresh, wiped).await;
    }

    #[tokio::test]
    async fn heads_that_are_damaged_are_refused() {
        super::heads_that_are_damaged_are_refused(fresh).await;
    }

    #[tokio::test]
    async fn portions_are_put_together() {
        super::portions_are_put_together(fresh, id).await;
    }
}
