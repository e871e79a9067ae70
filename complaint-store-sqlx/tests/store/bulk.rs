//! Everything at once: exports as lines, and copies between stores of every kind.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use complaint_core::agent::Agent;
use complaint_core::complaint::Event;
use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::notice::Settlement;
use complaint_core::store::{
    ComplaintStore as _, Copied, Difference, Exported, MemoryStore, Outbox as _, Scope, Store, copy, export,
};
use complaint_store_sqlx::SqliteStore;
use serde_json::Value;

/// Of every kind of record some, and of complaints more than a page.
const COMPLAINTS: u32 = 230;

async fn populate(store: &dyn Store) -> Vec<Story> {
    for name in ["asha", "ben", "cleo"] {
        store.save(&Agent::named(name, name).unwrap()).await.unwrap();
    }
    let mut stories = Vec::new();
    for number in 1..=COMPLAINTS {
        let (mut story, opened) = Story::open(&Opening { weight: number % 4 + 1, ..Opening::numbered(number) });
        store.commit(&opened).await.unwrap();
        if number % 3 == 0 {
            store.commit(&story.acknowledge()).await.unwrap();
            let agent = agent_id(if number % 2 == 0 { "asha" } else { "ben" });
            store.commit(&story.assign(&agent, None)).await.unwrap();
            store.commit(&story.note("\u{4e2d} \"quoted\"\n\u{0}")).await.unwrap();
        }
        if number % 15 == 0 {
            store.commit(&story.begin()).await.unwrap();
            store.commit(&story.resolve()).await.unwrap();
            store.commit(&story.rate(4)).await.unwrap();
        }
        stories.push(story);
    }
    // One was given everything long ago and holds nothing now.
    let (mut story, opened) = Story::open(&Opening::numbered(COMPLAINTS + 1));
    store.commit(&opened).await.unwrap();
    store.commit(&story.assign(&agent_id("cleo"), None)).await.unwrap();
    store.commit(&story.release()).await.unwrap();
    stories.push(story);
    for claimed in store.claim(second(1_000_000), second(1_000_060), 40).await.unwrap() {
        store.settle(&claimed, Settlement::Delivered, second(1_000_001)).await.unwrap();
    }
    for claimed in store.claim(second(1_000_000), second(1_000_060), 7).await.unwrap() {
        let dead = Settlement::Dead { why: format!("No such mailbox: {}", claimed.notice.id) };
        store.settle(&claimed, dead, second(1_000_002)).await.unwrap();
    }
    stories
}

async fn lines(store: &dyn Store) -> (Exported, Vec<Value>) {
    let mut written = Vec::new();
    let mut pages = 0;
    let exported = export(store, second(7), &mut written, |_| pages += 1).await.unwrap();
    assert_eq!(pages, 3, "it is told of each page");
    let text = String::from_utf8(written).unwrap();
    assert!(text.ends_with('\n'));
    (exported, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

async fn same(ours: &dyn Store, theirs: &dyn Store, stories: &[Story]) {
    assert_eq!(ours.roster().await.unwrap(), theirs.roster().await.unwrap());
    assert_eq!(ours.summary(&Scope::All).await.unwrap(), theirs.summary(&Scope::All).await.unwrap());
    assert_eq!(ours.waiting(None, 10_000).await.unwrap(), theirs.waiting(None, 10_000).await.unwrap());
    assert_eq!(ours.dead(None, 10_000).await.unwrap(), theirs.dead(None, 10_000).await.unwrap());
    for story in stories {
        assert_eq!(theirs.load(story.id()).await.unwrap().as_ref(), Some(story.state()));
        assert_eq!(theirs.log(story.id(), 0, 1_000).await.unwrap(), story.log());
    }
    assert_eq!(lines(ours).await, lines(theirs).await, "what is exported of both");
}

/// From one store to another: whole, again, and when the target has something else.
async fn carried_over(from: &dyn Store, to: &dyn Store) {
    let mut stories = populate(from).await;
    let mut pages = 0;
    let copied = copy(from, to, |_| pages += 1).await.unwrap();
    let whole = Copied {
        seen: u64::from(COMPLAINTS) + 1,
        complaints: u64::from(COMPLAINTS) + 1,
        entries: stories.iter().map(|story| story.log().len() as u64).sum(),
        notices: from.waiting(None, 10_000).await.unwrap().len() as u64,
        given_up: 7,
        agents: 3,
        ..Copied::default()
    };
    assert_eq!((&copied, pages), (&whole, 3));
    assert!(copied.is_whole() && copied.notices > 0);
    same(from, to, &stories).await;

    let again = copy(from, to, |_| ()).await.unwrap();
    let there = Copied { seen: whole.seen, there: whole.seen, ..Copied::default() };
    assert_eq!(again, there, "nothing is carried over twice");
    same(from, to, &stories).await;

    // Changed at the target, and one that only the target has.
    to.commit(&stories[4].note("Not at the source.")).await.unwrap();
    let (_, other) = Story::open(&Opening::numbered(COMPLAINTS + 2));
    to.commit(&other).await.unwrap();
    to.save(&Agent::named("ben", "Ben Another").unwrap()).await.unwrap();
    let differs = copy(from, to, |_| ()).await.unwrap();
    let seq = u32::try_from(stories[4].log().len()).unwrap();
    let expected = [
        Difference::Agent { agent: agent_id("ben") },
        Difference::Log { complaint: stories[4].id(), seq },
        Difference::Counts,
    ];
    assert_eq!((differs.there, differs.complaints, differs.differing), (whole.seen - 1, 0, 3));
    assert_eq!(differs.differences, expected);
    assert!(!differs.is_whole());
}

/// Half of it is there, as after a copy that was given up, and so is a reference that the source has too.
async fn taken_up_again(from: &dyn Store, to: &dyn Store) {
    let stories = populate(from).await;
    to.save(&Agent::named("ben", "ben").unwrap()).await.unwrap();
    to.save(&Agent::named("asha", "asha").unwrap()).await.unwrap();
    for story in stories.iter().step_by(2) {
        let mut there = Story::open(&Opening::numbered(1)).0;
        if story.id() != there.id() {
            there = Story::resumed(story.log().to_vec()).unwrap();
            to.commit(&there.told()).await.unwrap();
        }
    }
    let copied = copy(from, to, |_| ()).await.unwrap();
    assert_eq!((copied.there, copied.complaints, copied.differing), (115, 116, 0), "{copied:?}");
    for story in &stories {
        assert_eq!(to.log(story.id(), 0, 1_000).await.unwrap(), story.log());
    }
    let workloads = async |store: &dyn Store| {
        store.roster().await.unwrap().into_iter().map(|it| (it.agent.id, it.workload)).collect::<Vec<_>>()
    };
    assert_eq!(workloads(from).await, workloads(to).await);
}

#[tokio::test]
async fn an_export_has_its_kinds_in_order_and_says_that_it_ended() {
    let store = MemoryStore::new();
    let stories = populate(&store).await;
    let (exported, lines) = lines(&store).await;
    assert_eq!(lines[0], serde_json::json!({"kind": "export", "version": 1, "at": second(7)}));
    let entries: usize = stories.iter().map(|story| story.log().len()).sum();
    let notices = store.waiting(None, 10_000).await.unwrap().len();
    let end = serde_json::json!({
        "kind": "end", "agents": 3, "complaints": COMPLAINTS + 1, "entries": entries, "notices": notices,
        "given_up": 7,
    });
    assert_eq!(lines.last(), Some(&end));
    assert_eq!(exported.entries, entries as u64);
    assert_eq!(lines.len(), 2 + 3 + stories.len() + entries + notices + 7);

    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..7], ["export", "agent", "agent", "agent", "complaint", "entry", "complaint"]);
    let names = |kind: &str| {
        let line = lines.iter().find(|line| line["kind"] == kind).unwrap();
        let mut names: Vec<&String> = line.as_object().unwrap().keys().collect();
        names.sort();
        names.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("agent"), ["agent", "kind", "last_assigned_at", "workload"]);
    assert_eq!(names("complaint"), ["complaint", "kind"]);
    assert_eq!(names("entry"), ["entry", "kind"]);
    assert_eq!(names("notice"), ["kind", "notice"]);
    assert_eq!(names("given_up"), ["attempts", "given_up_at", "kind", "notice", "why"]);
    let waiting = store.waiting(None, 1).await.unwrap();
    assert_eq!(lines.iter().find(|line| line["kind"] == "notice").unwrap()["notice"], serde_json::json!(waiting[0]));
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line["kind"] == "entry") {
        let before = &lines[at - 1];
        let of = if before["kind"] == "complaint" { &before["complaint"]["id"] } else { &before["entry"]["complaint"] };
        assert_eq!(&line["entry"]["complaint"], of, "a log stands behind its complaint");
    }
}

struct InFolder {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

async fn file() -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await.unwrap();
    store.migrate().await.unwrap();
    sqlx::raw_sql("PRAGMA synchronous = OFF").execute(store.writer()).await.unwrap();
    InFolder { store, _folder: folder }
}

#[tokio::test]
async fn from_file_to_file() {
    let (from, to) = (file().await, file().await);
    carried_over(&from.store, &to.store).await;
    assert!(to.store.verify_all().await.unwrap().is_intact());
}

#[tokio::test]
async fn a_copy_is_taken_up_again() {
    let (from, to) = (file().await, file().await);
    taken_up_again(&from.store, &to.store).await;
    let verified = to.store.verify_all().await.unwrap();
    assert!(verified.is_intact() && verified.complaints == 231, "{verified:?}");
}

/// A log that leads elsewhere must not be given a new chain that holds.
#[tokio::test]
async fn what_was_tampered_with_is_named_and_left() {
    let (from, to) = (file().await, file().await);
    let stories = populate(&from.store).await;
    let id = stories[2].id().as_uuid().simple().to_string();
    let rewrite = "DROP TRIGGER complaint_log_no_update; \
                   UPDATE complaint_log SET words = replace(words, 'Parcel', 'Letter') WHERE seq = 1 AND complaint = x";
    let rewrite = sqlx::AssertSqlSafe(format!("{rewrite}'{id}'"));
    sqlx::raw_sql(rewrite).execute(from.store.writer()).await.unwrap();
    let of_it = async |store: &SqliteStore| {
        let dead = store.dead(None, 10_000).await.unwrap();
        dead.iter().filter(|dead| dead.notice.complaint == stories[2].id()).count()
    };
    let mut dead = from.store.dead(None, 1).await.unwrap().remove(0);
    dead.notice.id = "01900000-0000-7000-8000-00000000dead".parse().unwrap();
    dead.notice.complaint = stories[2].id();
    assert!(from.store.bury(&dead).await.unwrap());
    assert_eq!(of_it(&from.store).await, 1);
    let copied = copy(&from.store, &to.store, |_| ()).await.unwrap();
    assert_eq!(copied.differences, [Difference::Broken { complaint: stories[2].id() }, Difference::Counts]);
    assert_eq!(of_it(&to.store).await, 0, "nothing is told of a complaint that is not there");
    assert_eq!(to.store.load(stories[2].id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_reference_that_is_taken_sinks_no_other_complaint() {
    let (from, to) = (file().await, file().await);
    let stories = populate(&from.store).await;
    let mut log = Story::open(&Opening::numbered(999)).0.log().to_vec();
    if let Event::Submitted { reference, .. } = &mut log[0].event {
        *reference = stories[7].state().reference;
    }
    to.store.commit(&Story::resumed(log).unwrap().told()).await.unwrap();
    let copied = copy(&from.store, &to.store, |_| ()).await.unwrap();
    assert_eq!((copied.complaints, copied.differing), (230, 1), "{copied:?}");
    assert_eq!(copied.differences, [Difference::Reference { complaint: stories[7].id() }]);
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;

    #[tokio::test]
    async fn from_a_file_to_postgresql_and_back() {
        let Some(there) = crate::cluster::fresh().await else { return };
        let (from, back) = (file().await, file().await);
        carried_over(&from.store, &*there).await;
        assert!(there.verify_all().await.unwrap().is_intact());

        let Some(there) = crate::cluster::fresh().await else { return };
        carried_over(&*there, &back.store).await;
        assert!(back.store.verify_all().await.unwrap().is_intact());
    }

    #[tokio::test]
    async fn a_copy_is_taken_up_again() {
        let Some(to) = crate::cluster::fresh().await else { return };
        let from = file().await;
        taken_up_again(&from.store, &*to).await;
        assert!(to.verify_all().await.unwrap().is_intact());
    }
}
