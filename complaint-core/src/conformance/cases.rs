//! How each promise is tried. The names are those of the list in `mod.rs`.

#![expect(clippy::similar_names, reason = "a store and the story it keeps: both are the words for it")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use chrono::{DateTime, Utc};

use super::chronicle::{HANDLERS, chronicle};
use super::story::{Opening, Step, Story, agent_id, both, second, under_key, within};
use crate::agent::{Absence, Agent, Concern, Member};
use crate::complaint::{Complaint, Entry, Event, Item, Outcome, Place, ReleaseCause};
use crate::id::{AgentId, Area, CategoryKey, ComplaintId, CustomerId, Language, Level, NoticeId, Version};
use crate::lifecycle::{Status, replay};
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::routing::Routing;
use crate::store::{
    Change, IdempotencyKey, PAGE_MAX, Query, Reach, Scope, Sort, Store, StoreError, Summary, search_words,
};
use crate::text::{FIELD_MAX, SUBJECT_MAX, TEXT_MAX};

/// More than any of these trials makes.
const ALL: u32 = 1_000;

pub(super) async fn what_is_committed_is_loaded(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    assert_eq!(load(store, &story).await, None, "a complaint never committed was loaded");
    let reference = story.state().reference;
    assert_eq!(store.by_reference(reference).await.expect("by_reference"), None);
    let mut change = submitted;
    for round in 0..5 {
        store.commit(&change).await.expect("commit");
        assert_eq!(load(store, &story).await.as_ref(), Some(story.state()));
        assert_eq!(store.by_reference(reference).await.expect("by_reference").as_ref(), Some(story.state()));
        change = story.note(&format!("Note {round}: \u{1d11e} e\u{301} \"quoted\" \\ 'and' \t\n more"));
    }
    store.commit(&change).await.expect("commit");
    let steps: [fn(&mut Story) -> Change; 5] =
        [Story::resolve, Story::close, Story::reinstate, Story::withdraw, Story::reinstate];
    for step in steps {
        store.commit(&step(&mut story)).await.expect("commit");
        let status = story.state().status;
        assert_eq!(load(store, &story).await.as_ref(), Some(story.state()), "{status:?}");
        let found = store.by_reference(reference).await.expect("by_reference");
        assert_eq!(found.as_ref(), Some(story.state()), "{status:?}");
    }
    let (other, _) = Story::open(&Opening::numbered(2));
    assert_eq!(load(store, &other).await, None);
    assert_eq!(store.by_reference(other.state().reference).await.expect("by_reference"), None);

    enrol(store, &HANDLERS).await;
    for change in chronicle() {
        store.commit(&change).await.expect("commit");
        for part in change.parts() {
            let (after, last) = (part.after(), part.entries().last().map(|entry| entry.event.name()));
            assert_eq!(store.load(part.id()).await.expect("load").as_ref(), Some(after), "{last:?}");
            let found = store.by_reference(after.reference).await.expect("by_reference");
            assert_eq!(found.as_ref(), Some(after), "{last:?}");
        }
    }
}

pub(super) async fn words_come_back_to_the_last_character(store: &dyn Store) {
    let longest = longest_text();
    let widest = "\u{20bb7}".repeat(SUBJECT_MAX.min(FIELD_MAX));
    let opening = Opening {
        subject: widest.clone(),
        description: longest.clone(),
        product: Some(widest.clone()),
        order_number: Some(widest),
        ..Opening::numbered(1)
    };
    let (mut story, submitted) = Story::open(&opening);
    let mut notices = submitted.notices().to_vec();
    notices[0].text = Some(longest.clone());
    let submitted = Change::new(submitted.parts().to_vec(), notices.clone(), Vec::new());
    let noted = story.note(&longest);
    let decided = Event::Resolved {
        outcome: Outcome::NotUpheld,
        cause: None,
        remedies: Vec::new(),
        by: agent_id("asha"),
        approved_by: None,
        given_on: None,
    };
    let decided = Step::to(Place { status: Status::Resolved, ..story.place() }, decided)
        .saying("explanation", &longest)
        .saying("next_steps", &longest);
    let decided = story.then(vec![decided], None);
    for change in [submitted, noted, decided] {
        store.commit(&change).await.expect("commit");
    }
    // Compared without being printed: they are long.
    let state = story.state();
    assert!(load(store, &story).await.as_ref() == Some(state), "loaded with other words");
    let found = store.by_reference(state.reference).await.expect("by_reference");
    assert!(found.as_ref() == Some(state), "found by reference with other words");
    assert!(store.log(story.id(), 0, ALL).await.expect("log") == story.log(), "logged with other words");
    let page = store.search(&Query::within(Scope::All)).await.expect("search");
    assert!(page.items == [state.clone()], "listed with other words");
    let claimed = claim(store, ALL).await;
    let first = claimed.iter().find(|claimed| claimed.notice.id == notices[0].id);
    assert!(first.is_some_and(|first| first.notice == notices[0]), "claimed with other words");
}

/// As long as a text may be, with blanks around it, a character that is composed of two and one that UTF-16 has no single unit for.
fn longest_text() -> String {
    let (before, word, after) = (" \n\t", "cafe\u{301} \u{1f4f7} ", "\t \n\n");
    let mut text = before.to_owned();
    while text.len() + word.len() + after.len() <= TEXT_MAX {
        text.push_str(word);
    }
    text.push_str(&"x".repeat(TEXT_MAX - text.len() - after.len()));
    text.push_str(after);
    assert!(crate::text::text(&text).as_ref() == Ok(&text), "no customer could write this");
    text
}

pub(super) async fn a_change_is_committed_whole(store: &dyn Store) {
    enrol(store, &["asha", "ben"]).await;
    let (mut first, submitted) = Story::open(&Opening { weight: 3, ..Opening::numbered(1) });
    store.commit(&submitted).await.expect("commit");
    let (mut second_story, submitted) = Story::open(&Opening { weight: 4, ..Opening::numbered(2) });
    store.commit(&submitted).await.expect("commit");
    settle_all(store).await;

    let joined = both(&first.assign(&agent_id("asha"), None), &second_story.assign(&agent_id("ben"), None));
    let joined = under_key(joined, "john", "k1", "print");
    store.commit(&joined).await.expect("commit of two parts");
    for story in [&first, &second_story] {
        assert_eq!(load(store, story).await.as_ref(), Some(story.state()));
        assert_eq!(store.log(story.id(), 0, ALL).await.expect("log"), story.log());
    }
    let claimed: BTreeSet<NoticeId> = claim(store, ALL).await.iter().map(|c| c.notice.id).collect();
    assert_eq!(claimed, joined.notices().iter().map(|notice| notice.id).collect());
    assert_eq!((workload(store, "asha").await, workload(store, "ben").await), (3, 4));
    assert!(store.recall(&key("john", "k1")).await.expect("recall").is_some(), "the key was not stored");

    // What comes out of the outbox is what went in, word for word.
    let (_, submitted) = Story::open(&Opening::numbered(3));
    store.commit(&submitted).await.expect("commit");
    let claimed = claim(store, ALL).await;
    assert_eq!(claimed.iter().map(|c| &c.notice).collect::<Vec<_>>(), submitted.notices().iter().collect::<Vec<_>>());
}

pub(super) async fn a_refused_change_leaves_nothing(store: &dyn Store) {
    enrol(store, &["asha", "ben"]).await;
    let (stored, submitted) = Story::open(&Opening::numbered(1));
    store.commit(&submitted).await.expect("commit");
    settle_all(store).await;
    let before = members(store).await;

    let (fresh, opened) = Story::open(&Opening::numbered(2));
    let assigned = {
        let mut story = stored.clone();
        let first = story.assign(&agent_id("asha"), None);
        let late = story.note("The part before it was never committed.");
        (first, late)
    };
    let twin = Story::open(&Opening { subject: "Another with the same id".into(), ..Opening::numbered(1) }).1;
    let over = {
        let (mut story, _) = Story::open(&Opening { weight: 9, ..Opening::numbered(1) });
        story.assign(&agent_id("ben"), Some(8))
    };
    let unknown = stored.clone().assign(&agent_id("nobody"), None);
    let refused: [(&str, Change); 7] = [
        ("the second part is stale", both(&opened, &assigned.1)),
        ("the first part is stale", both(&assigned.1, &opened)),
        ("the second part is stored already", both(&opened, &twin)),
        ("the workload is over its ceiling", both(&opened, &over)),
        ("the agent is unknown", both(&opened, &unknown)),
        ("the customer has no room", within(both(&opened, &assigned.0), &stored.state().customer, 1)),
        ("the reference is taken", both(&assigned.0, &same_reference(3, 1))),
    ];
    for (why, change) in refused {
        let change = under_key(change, "john", "k1", "print");
        store.commit(&change).await.expect_err(why);
        assert_eq!(load(store, &fresh).await, None, "{why}: a state was left");
        assert_eq!(load(store, &stored).await.as_ref(), Some(stored.state()), "{why}: a state was changed");
        assert_eq!(store.log(fresh.id(), 0, ALL).await.expect("log"), [], "{why}: an entry was left");
        assert_eq!(store.log(stored.id(), 0, ALL).await.expect("log"), stored.log(), "{why}: an entry was left");
        assert_eq!(claim(store, ALL).await, [], "{why}: a notice was left");
        assert_eq!(members(store).await, before, "{why}: a workload was changed");
        assert_eq!(store.recall(&key("john", "k1")).await.expect("recall"), None, "{why}: the key was left");
        let text = Query { text: Some("parcel".into()), ..Query::within(Scope::All) };
        assert_eq!(list(store, &text).await, [stored.id()], "{why}: it can be found");
    }
    // And nothing stands in the way of the next one.
    store.commit(&opened).await.expect("commit after refusals");
}

pub(super) async fn a_stale_version_is_a_conflict(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    let early = story.clone().note("Nothing is stored yet.");
    expect_conflict(store, &early, Version::NONE).await;
    store.commit(&submitted).await.expect("commit");
    expect_conflict(store, &submitted, Version::new(1)).await;

    let stale = story.clone().note("Too late.");
    let mut ahead = story.clone();
    store.commit(&story.note("First.")).await.expect("commit");
    expect_conflict(store, &stale, Version::new(2)).await;
    ahead.note("Never committed.");
    ahead.note("Never committed.");
    expect_conflict(store, &ahead.note("Too early."), Version::new(2)).await;
    assert_eq!(load(store, &story).await.as_ref(), Some(story.state()));
    assert_eq!(store.log(story.id(), 0, ALL).await.expect("log"), story.log());
}

pub(super) async fn one_of_many_writers_wins(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    store.commit(&submitted).await.expect("commit");
    for round in 0..5_u64 {
        let writers: Vec<(Story, Change)> = (0..16)
            .map(|writer| {
                let mut copy = story.clone();
                let change = copy.note(&format!("Round {round}, writer {writer}"));
                (copy, change)
            })
            .collect();
        let results = at_once(writers.iter().map(|(_, change)| store.commit(change))).await;
        let mut winners = Vec::new();
        for (result, (copy, _)) in results.into_iter().zip(&writers) {
            match result {
                Ok(()) => winners.push(copy),
                Err(StoreError::Conflict { complaint, current }) => {
                    assert_eq!((complaint, current), (story.id(), Version::new(round + 2)), "a loser was told wrong");
                }
                Err(other) => panic!("a loser was told {other:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "writers who won");
        story = winners[0].clone();
        assert_eq!(load(store, &story).await.as_ref(), Some(story.state()), "what is stored is not the winner's");
        assert_eq!(store.log(story.id(), 0, ALL).await.expect("log"), story.log());
    }
}

pub(super) async fn a_taken_reference_is_refused(store: &dyn Store) {
    let (_, submitted) = Story::open(&Opening::numbered(1));
    store.commit(&submitted).await.expect("commit");
    let refused = store.commit(&same_reference(2, 1)).await;
    assert!(matches!(refused, Err(StoreError::ReferenceTaken)), "{refused:?}");
    let (_, other) = Story::open(&Opening::numbered(2));
    store.commit(&other).await.expect("commit under a free reference");
    // By the part before it, in the same change.
    let (third, submitted) = Story::open(&Opening::numbered(3));
    let refused = store.commit(&both(&submitted, &same_reference(4, 3))).await;
    assert!(matches!(refused, Err(StoreError::ReferenceTaken)), "two of one change: {refused:?}");
    assert_eq!(load(store, &third).await, None, "a refused change left its first part");
}

pub(super) async fn a_reference_is_given_once_among_many_writers(store: &dyn Store) {
    let writers: Vec<Change> = (1..=16).map(|number| same_reference(number, 20)).collect();
    let results = at_once(writers.iter().map(|change| store.commit(change))).await;
    let taken = results.iter().filter(|result| matches!(result, Err(StoreError::ReferenceTaken))).count();
    assert_eq!((results.iter().filter(|result| result.is_ok()).count(), taken), (1, 15), "{results:?}");
    let reference = Story::open(&Opening::numbered(20)).0.state().reference;
    let found = store.by_reference(reference).await.expect("by_reference").map(|found| found.id);
    let winner = writers.iter().zip(&results).find(|(_, result)| result.is_ok());
    assert_eq!(found, winner.map(|(change, _)| change.parts()[0].id()));
}

pub(super) async fn a_ceiling_is_not_exceeded(store: &dyn Store) {
    enrol(store, &["asha"]).await;
    let asha = agent_id("asha");
    let mut held = Vec::new();
    for (number, weight, ceiling, fits) in [
        (1, 6, Some(10), true),
        (2, 5, Some(10), false),
        (3, 4, Some(10), true),
        (4, 1, Some(10), false),
        (5, 7, None, true),
    ] {
        let (mut story, submitted) = Story::open(&Opening { weight, ..Opening::numbered(number) });
        store.commit(&submitted).await.expect("commit");
        let before = workload(store, "asha").await;
        match store.commit(&story.assign(&asha, ceiling)).await {
            Ok(()) if fits => held.push(story),
            Err(StoreError::CapacityExceeded { agent }) if !fits => {
                assert_eq!(agent, asha);
                assert_eq!(workload(store, "asha").await, before, "a refused delta was applied");
            }
            other => panic!("weight {weight} on {before} with ceiling {ceiling:?}: {other:?}"),
        }
    }
    assert_eq!(workload(store, "asha").await, 17);
    // Seventeen is more than any ceiling above; what falls is never refused.
    for story in &mut held {
        store.commit(&story.release()).await.expect("a falling workload");
    }
    assert_eq!(workload(store, "asha").await, 0);
}

pub(super) async fn a_ceiling_holds_against_many_writers(store: &dyn Store) {
    enrol(store, &["asha"]).await;
    let asha = agent_id("asha");
    let mut assignments = Vec::new();
    for number in 1..=16 {
        let (mut story, submitted) = Story::open(&Opening { weight: 2, ..Opening::numbered(number) });
        store.commit(&submitted).await.expect("commit");
        assignments.push(story.assign(&asha, Some(11)));
    }
    let results = at_once(assignments.iter().map(|change| store.commit(change))).await;
    let given = results.iter().filter(|result| result.is_ok()).count();
    let refused = results.iter().filter(|result| matches!(result, Err(StoreError::CapacityExceeded { .. }))).count();
    assert_eq!((given, refused, workload(store, "asha").await), (5, 11, 10));
}

pub(super) async fn a_limit_of_open_complaints_is_kept(store: &dyn Store) {
    let (john, jane) = (Opening::numbered(1).customer, CustomerId::new("jane@example.org").expect("constant"));
    let open = |number, customer: &CustomerId, most| {
        let (story, change) = Story::open(&Opening { customer: customer.clone(), ..Opening::numbered(number) });
        (story, within(change, customer, most))
    };
    for number in 1..=3 {
        store.commit(&open(number, &jane, 3).1).await.expect("commit within the limit");
    }
    let (mut first, change) = open(11, &john, 2);
    store.commit(&change).await.expect("what others have does not count");
    let (mut second, change) = open(12, &john, 2);
    store.commit(&change).await.expect("exactly the limit");
    let (third, change) = open(13, &john, 2);
    for limit in [0, 1, 2] {
        match store.commit(&within(change.clone(), &john, limit)).await {
            Err(StoreError::OpenLimitReached { customer }) => assert_eq!(customer, john),
            other => panic!("a third one with a limit of {limit}: {other:?}"),
        }
        assert_eq!(load(store, &third).await, None, "a refused submission was kept");
    }
    store.commit(&first.withdraw()).await.expect("commit");
    store.commit(&change).await.expect("a finished one makes room");
    store.commit(&second.resolve()).await.expect("commit");
    store.commit(&open(14, &john, 2).1).await.expect("a settled one makes room");
    let again = first.clone().reinstate();
    let refused = store.commit(&within(again.clone(), &john, 2)).await;
    assert!(matches!(refused, Err(StoreError::OpenLimitReached { .. })), "taken up again: {refused:?}");
    assert_eq!(load(store, &first).await.as_ref(), Some(first.state()), "a refused one was taken up again");
    store.commit(&within(again, &john, 3)).await.expect("one taken up again is counted once");
    let (_, unlimited) = Story::open(&Opening::numbered(15));
    store.commit(&unlimited).await.expect("without a limit there is room");
}

pub(super) async fn a_limit_of_open_complaints_holds_against_many_writers(store: &dyn Store) {
    let john = Opening::numbered(1).customer;
    let submitted: Vec<Change> =
        (1..=16).map(|number| within(Story::open(&Opening::numbered(number)).1, &john, 5)).collect();
    let results = at_once(submitted.iter().map(|change| store.commit(change))).await;
    let kept = results.iter().filter(|result| result.is_ok()).count();
    let refused = results.iter().filter(|result| matches!(result, Err(StoreError::OpenLimitReached { .. }))).count();
    assert_eq!((kept, refused), (5, 11), "{results:?}");
    assert_eq!(store.summary(&Scope::Customer(john.clone())).await.expect("summary").open(), 5);

    // Two that are taken up again at once, with room for one.
    let mut again = Vec::new();
    for number in 21..=22 {
        let (mut story, change) = Story::open(&Opening::numbered(number));
        store.commit(&change).await.expect("commit");
        store.commit(&story.withdraw()).await.expect("commit");
        again.push(within(story.reinstate(), &john, 6));
    }
    let results = at_once(again.iter().map(|change| store.commit(change))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(store.summary(&Scope::Customer(john)).await.expect("summary").open(), 6);
}

pub(super) async fn an_agent_never_saved_is_given_nothing(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    store.commit(&submitted).await.expect("commit");
    for ceiling in [None, Some(10)] {
        match store.commit(&story.clone().assign(&agent_id("asha"), ceiling)).await {
            Err(StoreError::UnknownAgent { agent }) => assert_eq!(agent, agent_id("asha")),
            other => panic!("{other:?}"),
        }
        assert_eq!(load(store, &story).await.as_ref(), Some(story.state()));
    }
    assert_eq!(store.find(&agent_id("asha")).await.expect("find"), None);
    enrol(store, &["asha"]).await;
    store.commit(&story.assign(&agent_id("asha"), None)).await.expect("commit for an agent who was saved");
}

pub(super) async fn a_used_key_is_refused_first(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    let submitted = under_key(submitted, "john", "k1", "print");
    store.commit(&submitted).await.expect("commit");
    settle_all(store).await;
    // The request itself again: its version is out of date as well, and the key must be told.
    expect_key_used(store, &submitted).await;
    // Another one under the same key, which would be fine without it.
    let other = under_key(story.clone().note("Under a used key."), "john", "k1", "other print");
    expect_key_used(store, &other).await;
    assert_eq!(load(store, &story).await.as_ref(), Some(story.state()), "something happened under a used key");
    assert_eq!(claim(store, ALL).await, [], "a notice was planned under a used key");
    let recalled = store.recall(&key("john", "k1")).await.expect("recall").expect("the first one");
    assert_eq!(recalled.fingerprint, "print");
    store.commit(&story.note("Without a key.")).await.expect("commit");

    // Two at once under one key.
    let twins: Vec<Change> =
        (0..8).map(|writer| under_key(Story::open(&Opening::numbered(10 + writer)).1, "john", "k2", "print")).collect();
    let results = at_once(twins.iter().map(|change| store.commit(change))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| matches!(result, Err(StoreError::KeyUsed))).count(), 7, "{results:?}");
}

pub(super) async fn a_key_recalls_what_was_committed(store: &dyn Store) {
    let (mut story, submitted) = Story::open(&Opening::numbered(1));
    let used = [
        ("john", "k1"),
        ("john", "K1"),
        ("jo", "hnk1"),
        ("mary", "k1"),
        ("staff:john", "k1"),
        ("staff", "john:k1"),
        ("staff", "john/k1"),
        ("staff/john", "k1"),
    ];
    for (owner, name) in used {
        assert_eq!(store.recall(&key(owner, name)).await.expect("recall"), None, "{owner} {name}");
    }
    store.commit(&submitted).await.expect("commit");
    for (owner, name) in used {
        let change = story.note("Under a key.");
        store.commit(&under_key(change, owner, name, &format!("{owner}/{name}"))).await.expect("commit");
        let version = story.state().version;
        for _ in 0..2 {
            let recalled = store.recall(&key(owner, name)).await.expect("recall").expect("committed under it");
            assert_eq!(recalled.fingerprint, format!("{owner}/{name}"));
            assert_eq!((recalled.complaint, recalled.version), (story.id(), version));
        }
    }
    let first = store.recall(&key("john", "k1")).await.expect("recall").expect("committed under it");
    assert_eq!(first.version, Version::new(2), "later changes moved what a key recalls");
}

pub(super) async fn the_log_is_in_order_without_gaps(store: &dyn Store) {
    let story = long_story(store, 1).await;
    // A neighbour, so that a log that mixes complaints is found out.
    long_story(store, 2).await;
    let whole = story.log();
    let length = u32::try_from(whole.len()).expect("a short log");
    for limit in [1, 2, 3, length, ALL] {
        let mut read = Vec::new();
        loop {
            let after = u32::try_from(read.len()).expect("a short log");
            let portion = store.log(story.id(), after, limit).await.expect("log");
            assert!(portion.len() <= limit as usize, "more than {limit} entries at once");
            if portion.is_empty() {
                break;
            }
            read.extend(portion);
            assert!(read.len() <= whole.len(), "more entries than were committed");
        }
        assert_eq!(read, whole, "in portions of {limit}");
    }
    assert_eq!(store.log(story.id(), 2, ALL).await.expect("log"), whole[2..]);
    assert_eq!(store.log(story.id(), length, ALL).await.expect("log"), []);
    assert_eq!(store.log(story.id(), u32::MAX, ALL).await.expect("log"), []);
    assert_eq!(store.log(story.id(), 0, 0).await.expect("log"), []);
    let (never, _) = Story::open(&Opening::numbered(3));
    assert_eq!(store.log(never.id(), 0, ALL).await.expect("log"), []);

    // All of a long one at once: whoever asks for it rebuilds the state from it.
    let (mut long, submitted) = Story::open(&Opening::numbered(4));
    store.commit(&submitted).await.expect("commit");
    let notes =
        |story: &mut Story| (0..40).map(|_| Step::to(story.place(), Event::Noted).saying("text", "Again.")).collect();
    for _ in 0..4 {
        let notes = notes(&mut long);
        store.commit(&long.then(notes, None)).await.expect("commit");
    }
    assert_eq!(store.log(long.id(), 0, ALL).await.expect("log"), long.log());
}

pub(super) async fn the_log_never_changes(store: &dyn Store) {
    let mut story = long_story(store, 1).await;
    let before = store.log(story.id(), 0, ALL).await.expect("log");
    let stale = story.clone().note("Refused later.");
    for _ in 0..3 {
        store.commit(&story.acknowledge()).await.expect("commit");
    }
    store.commit(&story.withdraw()).await.expect("commit");
    store.commit(&stale).await.expect_err("a stale change");
    let after = store.log(story.id(), 0, ALL).await.expect("log");
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 7);
}

pub(super) async fn the_log_rebuilds_the_state(store: &dyn Store) {
    for story in populate(store).await {
        let stored = load(store, &story).await.expect("committed");
        let log = store.log(story.id(), 0, ALL).await.expect("log");
        let rebuilt = replay(&log).expect("a whole log");
        assert_eq!(rebuilt, stored);
        let bytes = |complaint: &Complaint| serde_json::to_vec(complaint).expect("a complaint is JSON");
        assert_eq!(bytes(&rebuilt), bytes(&stored));
    }
    let mut logs: BTreeMap<ComplaintId, Vec<Entry>> = BTreeMap::new();
    for change in chronicle() {
        store.commit(&change).await.expect("commit");
        for part in change.parts() {
            logs.entry(part.id()).or_default().extend(part.entries().iter().cloned());
        }
    }
    for (id, told) in logs {
        let log = store.log(id, 0, ALL).await.expect("log");
        assert_eq!(log, told);
        assert_eq!(replay(&log).ok(), store.load(id).await.expect("load"));
    }
}

pub(super) async fn a_list_is_what_matches(store: &dyn Store) {
    let population = states(&populate(store).await);
    let mut found = 0;
    for scope in scopes() {
        for sort in SORTS {
            for filtered in filters(&Query { sort, limit: PAGE_MAX, ..Query::within(scope.clone()) }) {
                let expected = matching(&population, &filtered);
                found += expected.len();
                assert_eq!(list(store, &filtered).await, expected, "{filtered:?}");
            }
        }
    }
    assert!(found > 200, "the population does not tell queries apart: {found}");
    // What changed most, as it was promised last; and each whole.
    let mut population = population;
    population.extend(chronicled(store).await);
    for query in filters(&Query { sort: Sort::Deadline, limit: PAGE_MAX, ..Query::within(Scope::All) }) {
        assert_eq!(list(store, &query).await, matching(&population, &query), "{query:?}");
    }
    let page = store.search(&Query { limit: PAGE_MAX, ..Query::within(Scope::All) }).await.expect("search");
    assert!(page.items.iter().all(|item| population.contains(item)), "not as it was committed");
}

pub(super) async fn pages_give_each_complaint_once(store: &dyn Store) {
    let population = states(&populate(store).await);
    for scope in scopes() {
        for sort in SORTS {
            for limit in [1, 2, 3, 7, PAGE_MAX] {
                let query = Query { sort, limit, ..Query::within(scope.clone()) };
                assert_eq!(list(store, &query).await, matching(&population, &query), "{query:?}");
            }
        }
    }
    // A cursor is good on another day: in its text form, and after the complaint it names was changed.
    let query = Query { limit: 5, sort: Sort::Oldest, ..Query::within(Scope::All) };
    let first = store.search(&query).await.expect("search");
    let next = first.next.expect("more than five");
    let query = Query { after: Some(next.to_string().parse().expect("a cursor reads itself")), ..query };
    let second_page = store.search(&query).await.expect("search");
    let seen: Vec<ComplaintId> = first.items.iter().chain(&second_page.items).map(|item| item.id).collect();
    let all = matching(&population, &Query { after: None, ..query });
    assert_eq!(seen, all[..seen.len()]);
    // A whole page is not a reason to promise another one.
    let last = Query { limit: PAGE_MAX, ..Query::within(Scope::All) };
    assert_eq!(store.search(&last).await.expect("search").next, None);
    let exact = Query { limit: u16::try_from(population.len()).expect("few"), ..last };
    assert_eq!(store.search(&exact).await.expect("search").next, None, "a page that ends exactly promised another");
}

pub(super) async fn words_are_found_by_their_beginnings(store: &dyn Store) {
    let subjects = [
        "Wasser\u{ad}schaden in der Küche",
        "İstanbul'da ısıtma",
        "ΟΔΥΣΣΕΥΣ and ὀδυσσεύς",
        "水道が止まりました",
        "Zahlung_nicht-erhalten",
        "order no. A-1009/77",
        "e\u{301}clair Éclair",
        "🙂 smile🙂smile",
        "ﬁre Straße STRASSE",
        "\"quoted\" AND OR NOT NEAR(x)",
        "a* b^ c: col:umn",
        "ﷺ العربية",
        "ไม่มีน้ำ",
        "x\u{0}y",
        "naïve NAÏVE",
        "Smørrebrød, Łódź, œuvre, Đorđe, ſ, ẞ",
        "١٢٣ ½ ² Ⅷ",
        "𝔘𝔫𝔦 𞤀𞤁 ꮳꮃꭹ",
    ];
    let mut population = Vec::new();
    for (number, subject) in (1..).zip(subjects) {
        let order_number = (number % 2 == 0).then(|| format!("A-{number}"));
        let product = (number % 3 == 0).then(|| format!("Geyser {number}"));
        let opening = Opening { subject: subject.into(), product, order_number, ..Opening::numbered(number) };
        let (story, submitted) = Story::open(&opening);
        store.commit(&submitted).await.expect("commit");
        population.push(story.state().clone());
    }
    let mut texts: BTreeSet<String> =
        ["", " ", "-_-", "*", "\"", "'", "a OR b", "NOT", "100 %", "monday promised", "smorrebrod lodz", "zzz"]
            .map(str::to_owned)
            .into();
    for complaint in &population {
        texts.insert(complaint.reference.to_string());
        texts.insert(complaint.subject.clone());
        for word in search_words(&complaint.searchable()) {
            let half: String = word.chars().take(word.chars().count().div_ceil(2)).collect();
            texts.extend([word.to_uppercase(), half, format!("{word}x"), word]);
        }
    }
    for text in texts {
        let query = Query { text: Some(text), limit: PAGE_MAX, ..Query::within(Scope::All) };
        assert_eq!(list(store, &query).await, matching(&population, &query), "{query:?}");
    }
    for (typed, meant) in [("smorrebrod lodz", "Smørrebrød"), ("istanbul isitma", "İstanbul"), ("strasse", "Straße")]
    {
        let query = Query { text: Some(typed.into()), ..Query::within(Scope::All) };
        let found = list(store, &query).await;
        let meant = population.iter().filter(|it| it.subject.contains(meant)).map(|it| it.id);
        assert!(meant.eq(found), "{typed}");
    }
}

pub(super) async fn what_matches_better_comes_first(store: &dyn Store) {
    let told = [
        ("Kettle broken", "It leaks.", None),
        ("Kettles broken", "They leak.", None),
        ("Late parcel", "The kettle and its lid were in it.", None),
        ("Late parcel", "Broken kettles were in it.", None),
        ("My kettle", "Broken since Monday.", None),
        ("Late parcel", "Where is it?", Some("kettle-seventy")),
        ("Late parcel", "Where is it?", None),
    ];
    let mut ids = Vec::new();
    for (number, (subject, description, order_number)) in (1..).zip(told) {
        let opening = Opening {
            subject: subject.into(),
            description: description.into(),
            order_number: order_number.map(str::to_owned),
            // The first and the fifth at once: of these the smaller id.
            received_at: second(if number == 5 { 1 } else { i64::from(number) }),
            ..Opening::numbered(number)
        };
        let (story, submitted) = Story::open(&opening);
        store.commit(&submitted).await.expect("commit");
        ids.push(story.id());
    }
    let equals: &[usize] = if ids[0] < ids[4] { &[1, 5] } else { &[5, 1] };
    let expected = [
        // In the heading, then begun there, then anywhere, then begun anywhere; the latest first among equals.
        ("kettle", [&[6], equals, &[2, 3, 4]].concat()),
        ("KETTLE, broken", vec![1, 2, 5, 4]),
        ("kettle brok", vec![2, 1, 4, 5]),
        ("kettle-seven", vec![6]),
        ("no such thing", vec![]),
        ("", [&[7, 6, 4, 3, 2], equals].concat()),
    ];
    for (text, numbers) in expected {
        for limit in [1, 2, 3, PAGE_MAX] {
            let text = Some(text.to_owned());
            let query = Query { text, sort: Sort::Relevance, limit, ..Query::within(Scope::All) };
            let expected: Vec<ComplaintId> = numbers.iter().map(|number| ids[number - 1]).collect();
            assert_eq!(list(store, &query).await, expected, "{query:?}");
        }
    }
}

pub(super) async fn due_work_is_complete_and_oldest_first(store: &dyn Store) {
    let mut expected = BTreeSet::new();
    let mut stories = BTreeMap::new();
    for number in 1..=12_u32 {
        let due_at = (number % 4 != 0).then(|| second(1_000 + i64::from(number * 7 % 5)));
        let (story, submitted) = Story::open(&Opening { due_at, ..Opening::numbered(number) });
        store.commit(&submitted).await.expect("commit");
        expected.extend(due_at.map(|at| (at, story.id())));
        stories.insert(story.id(), story);
    }
    assert_eq!(store.due(second(999), ALL).await.expect("due"), [], "something was due too early");
    for at in [second(1_000), second(1_002), second(9_999)] {
        let due: Vec<ComplaintId> = expected.iter().filter(|(due, _)| *due <= at).map(|(_, id)| *id).collect();
        let answer = store.due(at, ALL).await.expect("due");
        let instants = |ids: &[ComplaintId]| -> Vec<_> {
            ids.iter().map(|id| expected.iter().find(|(_, known)| known == id).map(|(due, _)| *due)).collect()
        };
        assert_eq!(instants(&answer), instants(&due), "not the oldest first");
        assert_eq!(answer.iter().collect::<BTreeSet<_>>(), due.iter().collect(), "not complete");
        assert_eq!(instants(&store.due(at, 2).await.expect("due")), instants(&due[..2]), "not the oldest two");
    }
    let mut worked_off = BTreeSet::new();
    loop {
        let batch = store.due(second(9_999), 2).await.expect("due");
        assert!(batch.len() <= 2);
        if batch.is_empty() {
            break;
        }
        for id in batch {
            assert!(worked_off.insert(id), "worked off and due again");
            store.commit(&stories.get_mut(&id).expect("a known one").escalate()).await.expect("commit");
        }
    }
    assert_eq!(worked_off.len(), expected.len());

    // It moves with every change of the clocks.
    enrol(store, &HANDLERS).await;
    assert_eq!(store.due(second(90_000_000), ALL).await.expect("due"), [], "something was due again");
    for change in chronicle() {
        store.commit(&change).await.expect("commit");
        for part in change.parts() {
            let expected = part.next_action_at().is_some();
            let before = part.next_action_at().map(|at| at - chrono::TimeDelta::microseconds(1));
            for (at, expected) in
                [(part.next_action_at(), expected), (before, false), (Some(second(90_000_000)), expected)]
            {
                let Some(at) = at else { continue };
                let due = store.due(at, ALL).await.expect("due");
                assert_eq!(due.contains(&part.id()), expected, "{:?} at {at}", part.entries().last());
            }
        }
    }
}

pub(super) async fn a_summary_counts_what_a_search_finds(store: &dyn Store) {
    let mut population = states(&populate(store).await);
    population.extend(chronicled(store).await);
    for scope in scopes() {
        let mut counted = Summary::default();
        population.iter().filter(|complaint| scope.admits(complaint)).for_each(|complaint| counted.add(complaint));
        assert_eq!(store.summary(&scope).await.expect("summary"), counted, "{scope:?}");
    }
    let everything = store.summary(&Scope::All).await.expect("summary");
    assert!(everything.open_with_missed_deadline > 0 && everything.ratings.len() > 2, "{everything:?}");
}

pub(super) async fn an_agent_comes_back_whole(store: &dyn Store) {
    let (asha, ben) = (whole_agent("asha"), Agent::named("ben", "Ben").expect("an agent"));
    let (mut story, submitted) = Story::open(&Opening { weight: 3, ..Opening::numbered(1) });
    store.commit(&submitted).await.expect("commit");
    store.save(&ben).await.expect("save");
    // New, with less, with other things, and whole again.
    let poorer = Agent { name: "Asha".into(), ..Agent { id: asha.id.clone(), ..ben.clone() } };
    let other = Agent { absence: None, enabled: true, level: Level::FIRST.above(), ..asha.clone() };
    for agent in [&asha, &poorer, &other, &asha] {
        store.save(agent).await.expect("save");
        expect_member(store, agent, 0, None).await;
        expect_member(store, &ben, 0, None).await;
    }
    store.commit(&story.assign(&asha.id, None)).await.expect("commit");
    let at = story.log().last().map(|entry| entry.at);
    expect_member(store, &asha, 3, at).await;
    expect_member(store, &ben, 0, None).await;
}

async fn expect_member(store: &dyn Store, agent: &Agent, workload: u32, last_assigned_at: Option<DateTime<Utc>>) {
    let expected = Member { agent: agent.clone(), workload, last_assigned_at };
    assert_eq!(store.find(&agent.id).await.expect("find").as_ref(), Some(&expected), "as they are found");
    let roster = members(store).await;
    let listed: Vec<&Member> = roster.iter().filter(|member| member.agent.id == agent.id).collect();
    assert_eq!(listed, [&expected], "as they stand in the roster");
}

/// An agent of whom everything is recorded, and nothing is what it is without being said.
pub(super) fn whole_agent(name: &str) -> Agent {
    let item = |key: &str| Item { kind: "supplier \"S\"".into(), key: key.into() };
    Agent {
        level: Level::new(3).expect("constant"),
        areas: ["north", "old town"].map(|area| Area::new(area).expect("constant")).into(),
        languages: ["de", "pt-BR"].map(|language| Language::new(language).expect("constant")).into(),
        enabled: false,
        absence: Some(Absence { from: second(-3_600), until: second(86_400) }),
        conflicts: [
            Concern::Customer(CustomerId::new("john@example.org").expect("constant")),
            Concern::Item(item("7")),
            Concern::Item(item("\u{4e2d}")),
        ]
        .into(),
        ..Agent::named(name, "Zo\u{eb} \"O'Neil\" \u{1d11e}").expect("an agent")
    }
    .skilled_in(["water", "gas and heat"])
    .with_capacity(u32::from(u16::MAX))
    .reporting_to(agent_id("maria"))
    .on_shift("early")
}

pub(super) async fn saving_an_agent_keeps_what_they_hold(store: &dyn Store) {
    enrol(store, &["asha"]).await;
    let asha = agent_id("asha");
    let (mut story, submitted) = Story::open(&Opening { weight: 3, ..Opening::numbered(1) });
    store.commit(&submitted).await.expect("commit");
    store.commit(&story.assign(&asha, Some(10))).await.expect("commit");
    let before = store.find(&asha).await.expect("find").expect("saved");
    assert_eq!((before.workload, before.last_assigned_at), (3, story.log().last().map(|entry| entry.at)));

    let mut changed = Agent::named("asha", "Asha Rao-Müller").expect("an agent").skilled_in(["water"]).with_capacity(1);
    changed.enabled = false;
    changed.reports_to = Some(agent_id("maria"));
    store.save(&changed).await.expect("save");
    let after = store.find(&asha).await.expect("find").expect("saved");
    assert_eq!(after.agent, changed, "the agent was not kept as saved");
    assert_eq!((after.workload, after.last_assigned_at), (before.workload, before.last_assigned_at));
    assert_eq!(store.find(&agent_id("maria")).await.expect("find"), None);

    // Taken from them and given back in one change, which leaves the sum as it was.
    let released = Step::to(
        Place { status: Status::Queued, handler: None, ..story.place() },
        Event::Released { agent: asha.clone(), cause: ReleaseCause::ByHand },
    );
    let given = Step::to(
        Place { status: Status::Assigned, handler: Some(asha.clone()), ..story.place() },
        Event::Assigned { agent: asha.clone(), routing: Routing::default() },
    );
    store.commit(&story.then(vec![released, given], Some(10))).await.expect("commit");
    let again = store.find(&asha).await.expect("find").expect("saved");
    assert_eq!((again.workload, again.last_assigned_at), (3, story.log().last().map(|entry| entry.at)));
    let before = again;

    // What falls away is no assignment.
    store.commit(&story.release()).await.expect("commit");
    let released = store.find(&asha).await.expect("find").expect("saved");
    assert_eq!((released.workload, released.last_assigned_at), (0, before.last_assigned_at));

    // Whoever saves meanwhile writes nothing of it back.
    let mut given = Vec::new();
    for number in 2..=9 {
        let (mut story, submitted) = Story::open(&Opening::numbered(number));
        store.commit(&submitted).await.expect("commit");
        given.push(story.assign(&asha, None));
    }
    let changed = &changed;
    let steps = given.iter().flat_map(|change| [None, Some(change)]).map(|change| async move {
        match change {
            Some(change) => store.commit(change).await,
            None => store.save(changed).await,
        }
    });
    assert!(at_once(steps).await.iter().all(Result::is_ok));
    let held = store.find(&asha).await.expect("find").expect("saved");
    assert_eq!((held.workload, &held.agent), (8, changed), "what was given while they were saved is lost");
}

pub(super) async fn a_workload_is_the_sum_of_open_weights(store: &dyn Store) {
    let mut stories = populate(store).await;
    expect_sums(store, &stories).await;
    for story in &mut stories {
        match story.state().status {
            Status::Assigned => store.commit(&story.triage("damaged-goods", 8)).await.expect("commit"),
            Status::InProgress => store.commit(&story.assign(&agent_id("cho"), None)).await.expect("commit"),
            Status::Queued => store.commit(&story.withdraw()).await.expect("commit"),
            _ => {}
        }
    }
    expect_sums(store, &stories).await;
}

pub(super) async fn the_roster_is_in_the_order_of_ids(store: &dyn Store) {
    assert_eq!(store.roster().await.expect("roster"), []);
    let names = ["zoe", "asha", "Ben", "asha2", "10", "9", "asha-1", "ASHA"];
    enrol(store, &names).await;
    enrol(store, &["asha"]).await;
    // To whom nothing is given; the desk still names them, and says why not.
    let disabled = Agent { enabled: false, ..Agent::named("mia", "Mia").expect("an agent") };
    let away = Some(Absence { from: second(0), until: second(1_000_000) });
    let absent = Agent { absence: away, ..Agent::named("noa", "Noa").expect("an agent") };
    for agent in [&disabled, &absent] {
        store.save(agent).await.expect("save");
    }
    let roster = store.roster().await.expect("roster");
    let ids: Vec<AgentId> = roster.iter().map(|member| member.agent.id.clone()).collect();
    let mut sorted: Vec<AgentId> = names.into_iter().chain(["mia", "noa"]).map(agent_id).collect();
    sorted.sort();
    assert_eq!(ids, sorted);
    for member in roster {
        assert_eq!(store.find(&member.agent.id).await.expect("find"), Some(member));
    }
}

pub(super) async fn a_notice_is_held_by_one_courier(store: &dyn Store) {
    // Not in the order in which they are kept.
    let mut opened: Vec<Change> = (1..=20).map(|number| Story::open(&Opening::numbered(number)).1).collect();
    opened.swap(2, 17);
    opened.swap(0, 9);
    for submitted in &opened {
        store.commit(submitted).await.expect("commit");
    }
    let mut planned: Vec<&Notice> = opened.iter().flat_map(Change::notices).collect();
    planned.sort_by_key(|notice| notice.planned_at);
    let planned: Vec<NoticeId> = planned.iter().map(|notice| notice.id).collect();
    let now = second(10_000);
    let until = second(10_060);
    assert_eq!(claim_at(store, second(0), until, ALL).await, [], "a notice was claimed before it was planned");
    let first = claim_at(store, now, until, 3).await;
    assert_eq!(first.iter().map(|c| c.notice.id).collect::<Vec<_>>(), planned[..3], "not the three oldest");
    assert!(first.iter().all(|claimed| claimed.attempt == 1));
    assert_eq!(claim_at(store, now, until, 0).await, []);

    let couriers = at_once((0..10).map(|_| store.claim(now, until, 4))).await;
    let mut held: BTreeSet<NoticeId> = first.iter().map(|c| c.notice.id).collect();
    for claimed in couriers {
        let claimed = claimed.expect("claim");
        assert!(claimed.len() <= 4, "more than was asked for");
        for notice in claimed {
            assert!(held.insert(notice.notice.id), "held by two couriers");
        }
    }
    assert_eq!(held, planned.into_iter().collect(), "not every notice was claimed");
    assert_eq!(claim_at(store, second(10_059), second(10_119), ALL).await, [], "claimed while its lease lasts");
}

pub(super) async fn an_unsettled_notice_returns(store: &dyn Store) {
    let planned = plan_notices(store, 3).await;
    for attempt in 1..=3_u32 {
        let now = second(10_000 + i64::from(attempt) * 60);
        let claimed = claim_at(store, now, now + chrono::TimeDelta::seconds(60), ALL).await;
        assert_eq!(claimed.iter().map(|c| c.notice.id).collect::<BTreeSet<_>>(), planned.iter().copied().collect());
        assert!(claimed.iter().all(|claimed| claimed.attempt == attempt), "attempts are not counted");
    }
}

pub(super) async fn a_retry_waits_for_its_instant(store: &dyn Store) {
    let planned = plan_notices(store, 2).await;
    let claimed = claim_at(store, second(10_000), second(10_060), ALL).await;
    let later = Settlement::Retry { at: second(20_000), why: "relay said 451".into() };
    store.settle(&claimed[0], later, second(10_001)).await.expect("settle");
    let returned = claim_at(store, second(10_060), second(10_120), ALL).await;
    assert_eq!(returned.iter().map(|c| c.notice.id).collect::<Vec<_>>(), planned[1..], "not only the unsettled one");
    store.settle(&returned[0], Settlement::Delivered, second(10_061)).await.expect("settle");
    assert_eq!(claim_at(store, second(19_999), second(20_059), ALL).await, [], "a retry came too early");
    let returned = claim_at(store, second(20_000), second(20_060), ALL).await;
    assert_eq!(returned.iter().map(|c| (c.notice.id, c.attempt)).collect::<Vec<_>>(), [(planned[0], 2)]);
    // An instant before the end of the lease ends the lease: the courier gave it back.
    let soon = Settlement::Retry { at: second(20_010), why: "relay said 450".into() };
    store.settle(&returned[0], soon, second(20_001)).await.expect("settle");
    assert_eq!(claim_at(store, second(20_010), second(20_070), ALL).await.len(), 1);
}

pub(super) async fn delivered_and_dead_are_final(store: &dyn Store) {
    let planned = plan_notices(store, 3).await;
    let claimed = claim_at(store, second(10_000), second(10_060), ALL).await;
    let dead = || Settlement::Dead { why: "no such mailbox".into() };
    let retry = || Settlement::Retry { at: second(10_010), why: "too late".into() };
    store.settle(&claimed[0], Settlement::Delivered, second(10_001)).await.expect("settle");
    store.settle(&claimed[1], dead(), second(10_001)).await.expect("settle");
    // Before anything else is said of them.
    let returned = claim_at(store, second(10_060), second(10_061), ALL).await;
    assert_eq!(returned.iter().map(|c| c.notice.id).collect::<Vec<_>>(), planned[2..], "a settled notice came back");
    for settled in &claimed[..2] {
        for again in [Settlement::Delivered, dead(), retry()] {
            store.settle(settled, again, second(10_002)).await.expect("settling again");
        }
    }
    let never = Notice { id: NoticeId::from_uuid(uuid::Uuid::from_u128(77)), ..claimed[0].notice.clone() };
    let never = ClaimedNotice { notice: never, ..claimed[0].clone() };
    store.settle(&never, Settlement::Delivered, second(10_002)).await.expect("settling what is not there");
    for now in [second(10_010), second(99_999)] {
        let claimed = claim_at(store, now, now, ALL).await;
        let ids: Vec<NoticeId> = claimed.iter().map(|c| c.notice.id).collect();
        assert!(!ids.contains(&planned[0]) && !ids.contains(&planned[1]), "a settled notice came back");
    }
    // The third was never settled, so the outbox still works.
    assert_eq!(claim_at(store, second(100_000), second(100_060), ALL).await.len(), 1);
}

pub(super) async fn whoever_comes_late_settles_nothing(store: &dyn Store) {
    let planned = plan_notices(store, 5).await;
    let late = claim_at(store, second(10_000), second(10_060), ALL).await;
    // Nobody else has it yet: it is better known as delivered than sent again.
    store.settle(&late[4], Settlement::Delivered, second(10_060)).await.expect("settle");
    let held = claim_at(store, second(10_060), second(10_120), ALL).await;
    assert_eq!(held.iter().map(|c| c.notice.id).collect::<Vec<_>>(), planned[..4], "delivered late and sent again");
    let settlements = [
        Settlement::Delivered,
        Settlement::Dead { why: "no such mailbox".into() },
        Settlement::Retry { at: second(10_062), why: "relay said 451".into() },
        Settlement::Held { until: second(10_062), why: "it is quiet".into() },
    ];
    for (late, settlement) in late.iter().zip(settlements) {
        store.settle(late, settlement, second(10_061)).await.expect("settle");
    }
    assert_eq!(store.dead(None, ALL).await.expect("dead"), [], "given up under the hands of another courier");
    assert_eq!(
        store.waiting(None, ALL).await.expect("waiting").len(),
        4,
        "delivered under the hands of another courier"
    );
    assert_eq!(
        claim_at(store, second(10_070), second(10_130), ALL).await,
        [],
        "the lease of another courier was ended"
    );
    // Theirs is still to be settled.
    store.settle(&held[0], Settlement::Delivered, second(10_071)).await.expect("settle");
    let returned = claim_at(store, second(10_120), second(10_180), ALL).await;
    let returned: Vec<_> = returned.iter().map(|claimed| (claimed.notice.id, claimed.attempt)).collect();
    assert_eq!(returned, [(planned[1], 3), (planned[2], 3), (planned[3], 3)]);
}

pub(super) async fn what_waits_is_listed_in_the_order_of_ids(store: &dyn Store) {
    assert_eq!(store.waiting(None, ALL).await.expect("waiting"), [], "a notice of nobody");
    let mut planned = plan_notices(store, 9).await;
    let claimed = claim_at(store, second(10_000), second(10_060), 4).await;
    let retry = Settlement::Retry { at: second(20_000), why: "no route to the relay".into() };
    for (settlement, claimed) in
        [Settlement::Delivered, Settlement::Dead { why: "no such mailbox".into() }, retry].into_iter().zip(&claimed)
    {
        store.settle(claimed, settlement, second(10_001)).await.expect("settle");
    }
    planned.retain(|id| claimed[..2].iter().all(|settled| settled.notice.id != *id));
    planned.sort_unstable();
    for portion in [1, 3, ALL] {
        let mut listed: Vec<Notice> = Vec::new();
        loop {
            let more = store.waiting(listed.last().map(|notice| notice.id), portion).await.expect("waiting");
            assert!(more.len() <= portion as usize && listed.len() <= planned.len(), "more than there is");
            if more.is_empty() {
                break;
            }
            listed.extend(more);
        }
        assert_eq!(listed.iter().map(|notice| notice.id).collect::<Vec<_>>(), planned, "in portions of {portion}");
        let held = listed.iter().find(|notice| notice.id == claimed[3].notice.id);
        assert_eq!(held, Some(&claimed[3].notice), "not as it was planned");
    }
    assert_eq!(claim_at(store, second(10_002), second(10_060), ALL).await.len(), 5, "looking at them took some");
}

pub(super) async fn what_is_held_back_keeps_its_tries(store: &dyn Store) {
    let planned = plan_notices(store, 1).await;
    let hold = |until| Settlement::Held { until, why: "it is quiet".into() };
    for night in 1..=3_i64 {
        let now = second(10_000 * night);
        let claimed = claim_at(store, now, now + chrono::TimeDelta::seconds(60), ALL).await;
        assert_eq!(claimed.iter().map(|c| (c.notice.id, c.attempt)).collect::<Vec<_>>(), [(planned[0], 1)]);
        store.settle(&claimed[0], hold(second(10_000 * (night + 1))), now).await.expect("settle");
        let early = second(10_000 * (night + 1) - 1);
        assert_eq!(claim_at(store, early, early, ALL).await, [], "what is held back came too early");
    }
    let claimed = claim_at(store, second(40_000), second(40_060), ALL).await;
    store.settle(&claimed[0], Settlement::Delivered, second(40_001)).await.expect("settle");
    store.settle(&claimed[0], hold(second(40_002)), second(40_001)).await.expect("settling again");
    assert_eq!(claim_at(store, second(90_000), second(90_060), ALL).await, [], "a settled notice came back");
}

pub(super) async fn what_was_given_up_is_listed(store: &dyn Store) {
    assert_eq!(store.dead(None, ALL).await.expect("dead"), [], "a notice of nobody");
    let planned = plan_notices(store, 7).await;
    let claimed = claim_at(store, second(10_000), second(10_060), ALL).await;
    store.settle(&claimed[0], Settlement::Delivered, second(10_001)).await.expect("settle");
    let retry = Settlement::Retry { at: second(20_000), why: "no route to the relay".into() };
    store.settle(&claimed[1], retry, second(10_001)).await.expect("settle");
    let mut buried: Vec<DeadNotice> = Vec::new();
    for (at, claimed) in (10_010..).zip(claimed.into_iter().filter(|it| planned[3..].contains(&it.notice.id))) {
        let why = format!("no such mailbox, {at}");
        let dead = Settlement::Dead { why: why.clone() };
        store.settle(&claimed, dead, second(at)).await.expect("settle");
        buried.push(DeadNotice { notice: claimed.notice, attempts: 1, given_up_at: second(at), why });
    }
    buried.sort_by_key(|dead| std::cmp::Reverse(dead.notice.id));
    for portion in [1, 3, ALL] {
        let mut listed: Vec<DeadNotice> = Vec::new();
        loop {
            let more = store.dead(listed.last().map(|dead| dead.notice.id), portion).await.expect("dead");
            assert!(more.len() <= portion as usize && listed.len() <= buried.len(), "more than there is");
            if more.is_empty() {
                break;
            }
            listed.extend(more);
        }
        assert_eq!(listed, buried, "in portions of {portion}");
    }
}

pub(super) async fn what_was_given_up_can_be_revived(store: &dyn Store) {
    let planned = plan_notices(store, 3).await;
    claim_at(store, second(10_000), second(10_060), ALL).await;
    let claimed = claim_at(store, second(10_060), second(10_120), ALL).await;
    let dead = Settlement::Dead { why: "no such mailbox".into() };
    store.settle(&claimed[0], dead, second(10_061)).await.expect("settle");
    store.settle(&claimed[1], Settlement::Delivered, second(10_061)).await.expect("settle");
    let whole = store.dead(None, ALL).await.expect("dead").remove(0).notice;
    let never = NoticeId::from_uuid(uuid::Uuid::from_u128(77));
    for (id, expected) in
        [(never, false), (planned[1], false), (planned[2], false), (planned[0], true), (planned[0], false)]
    {
        assert_eq!(store.revive(id, second(10_070)).await.expect("revive"), expected, "whether it was given up");
    }
    assert_eq!(store.dead(None, ALL).await.expect("dead"), [], "revived and still given up");
    assert_eq!(claim_at(store, second(10_069), second(10_069), ALL).await, [], "before it was revived");
    let claimed = claim_at(store, second(10_070), second(10_080), ALL).await;
    assert_eq!(
        claimed,
        [ClaimedNotice { notice: whole, attempt: 1, until: second(10_080) }],
        "not as a new one, or not it alone"
    );
}

pub(super) async fn what_was_given_up_elsewhere_is_kept(store: &dyn Store) {
    let planned = plan_notices(store, 2).await;
    let claimed = claim_at(store, second(10_000), second(10_060), ALL).await;
    store.settle(&claimed[0], Settlement::Delivered, second(10_001)).await.expect("settle");
    let notice = Notice { id: NoticeId::from_uuid(uuid::Uuid::from_u128(77)), ..claimed[1].notice.clone() };
    let elsewhere = DeadNotice { notice, attempts: 9, given_up_at: second(5), why: "No such mailbox.".into() };
    assert!(store.bury(&elsewhere).await.expect("bury"), "it was not taken over");
    assert_eq!(store.dead(None, ALL).await.expect("dead"), std::slice::from_ref(&elsewhere), "not as it was given up");
    let of =
        |notice: &Notice| DeadNotice { notice: notice.clone(), why: "Another reason.".into(), ..elsewhere.clone() };
    for here in claimed.iter().map(|claimed| &claimed.notice).chain([&elsewhere.notice]) {
        assert!(!store.bury(&of(here)).await.expect("bury"), "one that is here was taken over");
    }
    assert_eq!(
        store.dead(None, ALL).await.expect("dead"),
        std::slice::from_ref(&elsewhere),
        "what is here was changed"
    );
    assert!(store.revive(elsewhere.notice.id, second(10_070)).await.expect("revive"));
    let claimed = claim_at(store, second(10_070), second(10_080), ALL).await;
    let claimed: Vec<NoticeId> = claimed.iter().map(|claimed| claimed.notice.id).collect();
    assert!(
        claimed.len() == 2 && claimed.contains(&planned[1]) && claimed.contains(&elsewhere.notice.id),
        "{claimed:?}"
    );
}

/// Commits the chronicle and gives how it ends.
async fn chronicled(store: &dyn Store) -> Vec<Complaint> {
    let mut last: BTreeMap<ComplaintId, Complaint> = BTreeMap::new();
    for change in chronicle() {
        store.commit(&change).await.expect("commit");
        last.extend(change.parts().iter().map(|part| (part.id(), part.after().clone())));
    }
    last.into_values().collect()
}

const SORTS: [Sort; 4] = [Sort::Newest, Sort::Oldest, Sort::Deadline, Sort::Relevance];

async fn load(store: &dyn Store, story: &Story) -> Option<Complaint> {
    store.load(story.id()).await.expect("load")
}

async fn enrol(store: &dyn Store, names: &[&str]) {
    for name in names {
        store.save(&Agent::named(*name, name).expect("an agent")).await.expect("save");
    }
}

async fn workload(store: &dyn Store, name: &str) -> u32 {
    store.find(&agent_id(name)).await.expect("find").expect("saved").workload
}

async fn members(store: &dyn Store) -> Vec<Member> {
    store.roster().await.expect("roster")
}

fn key(owner: &str, key: &str) -> IdempotencyKey {
    IdempotencyKey::new(owner, key).expect("a key")
}

async fn claim(store: &dyn Store, limit: u32) -> Vec<ClaimedNotice> {
    claim_at(store, second(900_000), second(900_060), limit).await
}

async fn claim_at(
    store: &dyn Store,
    now: chrono::DateTime<chrono::Utc>,
    until: chrono::DateTime<chrono::Utc>,
    limit: u32,
) -> Vec<ClaimedNotice> {
    store.claim(now, until, limit).await.expect("claim")
}

async fn settle_all(store: &dyn Store) {
    for claimed in claim(store, ALL).await {
        store.settle(&claimed, Settlement::Delivered, second(900_001)).await.expect("settle");
    }
}

/// Commits so many complaints with a notice each, and gives the notices, oldest first.
async fn plan_notices(store: &dyn Store, count: u32) -> Vec<NoticeId> {
    let mut planned = Vec::new();
    for number in 1..=count {
        let (_, submitted) = Story::open(&Opening::numbered(number));
        store.commit(&submitted).await.expect("commit");
        planned.extend(submitted.notices().iter().map(|notice| notice.id));
    }
    planned
}

async fn expect_conflict(store: &dyn Store, change: &Change, stored: Version) {
    match store.commit(change).await {
        Err(StoreError::Conflict { complaint, current }) => {
            assert_eq!((complaint, current), (change.parts()[0].id(), stored));
        }
        other => panic!("{other:?} instead of a conflict"),
    }
}

async fn expect_key_used(store: &dyn Store, change: &Change) {
    let refused = store.commit(change).await;
    assert!(matches!(refused, Err(StoreError::KeyUsed)), "{refused:?} instead of a used key");
}

/// A new complaint with the id of one number and the reference of another.
pub(super) fn same_reference(id: u32, reference: u32) -> Change {
    let (_, ours) = Story::open(&Opening::numbered(id));
    let (theirs, _) = Story::open(&Opening::numbered(reference));
    let part = &ours.parts()[0];
    let mut entry = part.entries()[0].clone();
    if let crate::complaint::Event::Submitted { reference, .. } = &mut entry.event {
        *reference = theirs.state().reference;
    }
    let state = crate::lifecycle::begin(&entry).expect("a submission begins a complaint");
    let part = crate::store::Part::new(part.expected(), state, vec![entry]);
    Change::new(vec![part], ours.notices().to_vec(), Vec::new())
}

async fn long_story(store: &dyn Store, number: u32) -> Story {
    enrol(store, &["asha"]).await;
    let (mut story, submitted) = Story::open(&Opening::numbered(number));
    store.commit(&submitted).await.expect("commit");
    store.commit(&story.acknowledge()).await.expect("commit");
    store.commit(&story.assign(&agent_id("asha"), None)).await.expect("commit");
    store.commit(&story.begin()).await.expect("commit");
    store.commit(&story.acknowledge()).await.expect("commit");
    story
}

/// Forty complaints of three customers in all places that lists tell apart, several with the same instants.
async fn populate(store: &dyn Store) -> Vec<Story> {
    enrol(store, &["asha", "ben", "cho"]).await;
    let agents = ["asha", "ben", "cho"].map(agent_id);
    let mut stories = Vec::new();
    for number in 1..=40_u32 {
        let pick = |of: u32| number.wrapping_mul(2_654_435_761).rotate_left(of * 5) / 7;
        let opening = Opening {
            // Two of them differ in a letter that is large with one and small with the other.
            customer: CustomerId::new(["customer-0", "customer-1", "Customer-1"][pick(1) as usize % 3])
                .expect("a customer"),
            category: CategoryKey::new(["late-delivery", "damaged-goods"][pick(2) as usize % 2]).expect("a category"),
            weight: 1 + pick(3) % 4,
            against: (pick(4) % 4 == 0).then(|| agents[pick(5) as usize % 3].clone()),
            due_at: (pick(6) % 3 != 0).then(|| second(5_000 + i64::from(pick(1) % 4))),
            received_at: second(i64::from(pick(2) % 9)),
            ..Opening::numbered(number)
        };
        let (mut story, submitted) = Story::open(&opening);
        store.commit(&submitted).await.expect("commit");
        let mut steps = Vec::new();
        let agent = &agents[pick(3) as usize % 3];
        if pick(5) % 4 == 0 {
            steps.push(story.escalate());
            if pick(6) % 2 == 0 {
                steps.push(story.escalate());
            }
        }
        let last = number % 14;
        if last >= 2 {
            steps.push(story.assign(agent, None));
        }
        if last >= 3 {
            steps.push(story.begin());
        }
        if (4..=7).contains(&last) {
            steps.push(story.resolve());
        }
        if (5..=7).contains(&last) {
            steps.push(story.rate(1 + u8::try_from(pick(4) % 5).expect("small")));
        }
        match last {
            6 => steps.push(story.close()),
            7 => steps.push(story.withdraw()),
            8 => steps.push(story.ask()),
            9 => steps.push(story.hold()),
            10 => steps.push(story.propose()),
            11 => steps.push(story.dismiss()),
            12 => steps.push(story.refer()),
            13 => steps.push(story.merge(&mut stories[0])),
            _ => {}
        }
        for step in steps {
            store.commit(&step).await.expect("commit");
        }
        stories.push(story);
    }
    stories
}

fn states(stories: &[Story]) -> Vec<Complaint> {
    stories.iter().map(|story| story.state().clone()).collect()
}

fn scopes() -> Vec<Scope> {
    let level = |number| Level::new(number).expect("a level");
    let mut scopes = vec![Scope::All, Scope::Customer(CustomerId::new("customer-1").expect("a customer"))];
    let reaches =
        [Reach::Own, Reach::Queue(level(1)), Reach::Queue(level(2)), Reach::UpTo(level(2)), Reach::Everything];
    for reach in reaches {
        scopes.push(Scope::Agent { id: agent_id("asha"), reach });
    }
    scopes
}

/// A query by itself, and with each filter alone and some together.
fn filters(query: &Query) -> Vec<Query> {
    let damaged = CategoryKey::new("damaged-goods").ok();
    let open = Status::OPEN.to_vec();
    let mut filtered = vec![
        query.clone(),
        Query { statuses: open.clone(), ..query.clone() },
        Query { statuses: vec![Status::Closed, Status::Queued], ..query.clone() },
        Query { statuses: vec![Status::Merged, Status::AwaitingCustomer], ..query.clone() },
        Query { category: damaged.clone(), ..query.clone() },
        Query { customer: CustomerId::new("Customer-1").ok(), ..query.clone() },
        Query { level: Level::new(2).ok(), ..query.clone() },
        Query { text: Some("parcel 1".into()), ..query.clone() },
        Query { statuses: open.clone(), category: damaged, text: Some("late is".into()), ..query.clone() },
    ];
    for handlers in [&["asha"][..], &["ben"], &["cho", "asha", "cho"], &["nobody"]] {
        filtered.push(Query { handlers: handlers.iter().map(|id| agent_id(id)).collect(), ..query.clone() });
    }
    // Both sides of instants that several complaints have, and what lies between two of them.
    for at in [3, 5] {
        let (from, before) = (Some(second(at)), Some(second(at)));
        filtered.push(Query { received_from: from, ..query.clone() });
        filtered.push(Query { received_before: before, ..query.clone() });
        filtered.push(Query { received_from: from, received_before: Some(second(at + 2)), ..query.clone() });
        filtered.push(Query { promised_before: Some(second(4_998 + at)), ..query.clone() });
    }
    let late = Query { missed: true, ..query.clone() };
    filtered.push(Query { promised_before: Some(second(9_000)), missed: true, statuses: open, ..query.clone() });
    filtered.push(late);
    filtered
}

fn matching(population: &[Complaint], query: &Query) -> Vec<ComplaintId> {
    let mut matching: Vec<_> = population
        .iter()
        .filter(|complaint| query.matches(complaint))
        .map(|complaint| (query.key(complaint), complaint.id))
        .collect();
    matching.sort_unstable();
    matching.into_iter().map(|(_, id)| id).collect()
}

async fn list(store: &dyn Store, query: &Query) -> Vec<ComplaintId> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.search(&query).await.expect("search");
        assert!(page.items.len() <= usize::from(query.limit), "a page larger than asked for");
        found.extend(page.items.iter().map(|item| item.id));
        assert!(found.len() <= 1_000, "the pages never end");
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

async fn expect_sums(store: &dyn Store, stories: &[Story]) {
    let mut sums: BTreeMap<AgentId, u32> = BTreeMap::new();
    for story in stories {
        if let Some((agent, weight)) = story.state().workload() {
            *sums.entry(agent.clone()).or_default() += weight;
        }
    }
    assert!(sums.len() > 1, "nobody holds anything");
    for member in members(store).await {
        assert_eq!(member.workload, sums.get(&member.agent.id).copied().unwrap_or(0), "{}", member.agent.id);
    }
}

/// Runs futures side by side in this task: the core has no runtime to spawn them on.
async fn at_once<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, done) in running.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
