//! What a list is: each filter by itself, at its bounds.

use complaint_core::conformance::{Opening, Story, agent_id, second};
use complaint_core::store::{Query, Scope};

fn everything() -> Query {
    Query::within(Scope::All)
}

#[test]
fn instants_bound_a_list_from_and_before() {
    let opening = Opening { received_at: second(10), due_at: Some(second(60)), ..Opening::numbered(1) };
    let complaint = Story::open(&opening).0.state().clone();
    let unpromised = Story::open(&Opening { due_at: None, ..Opening::numbered(2) }).0.state().clone();
    for (at, from, before) in [(9, true, false), (10, true, false), (11, false, true)] {
        let received_from = Query { received_from: Some(second(at)), ..everything() };
        let received_before = Query { received_before: Some(second(at)), ..everything() };
        assert_eq!((received_from.matches(&complaint), received_before.matches(&complaint)), (from, before), "{at}");
    }
    for (at, expected) in [(59, false), (60, false), (61, true)] {
        let promised = Query { promised_before: Some(second(at)), ..everything() };
        assert_eq!(promised.matches(&complaint), expected, "{at}");
        assert!(!promised.matches(&unpromised), "nothing is promised of it");
    }
    // Stores keep whole microseconds, so a list must not tell finer ones apart.
    let finer = second(10) + chrono::TimeDelta::nanoseconds(1);
    assert!(!Query { received_before: Some(finer), ..everything() }.matches(&complaint));
    assert!(Query { received_from: Some(finer), ..everything() }.matches(&complaint));
}

#[test]
fn a_list_is_of_one_handler_or_of_a_team() {
    let mut held = Story::open(&Opening::numbered(1)).0;
    held.assign(&agent_id("asha"), None);
    let waiting = Story::open(&Opening::numbered(2)).0;
    let team = |names: &[&str]| Query { handlers: names.iter().map(|name| agent_id(name)).collect(), ..everything() };
    for (names, expected) in [(&["asha"][..], true), (&["ben", "asha"], true), (&["ben"], false), (&[], true)] {
        assert_eq!(team(names).matches(held.state()), expected, "{names:?}");
    }
    assert!(!team(&["asha", "ben"]).matches(waiting.state()), "nobody holds it");
}

#[test]
fn what_missed_a_deadline_stays_in_its_list_while_that_runs() {
    let (mut story, _) = Story::open(&Opening { due_at: Some(second(60)), ..Opening::numbered(1) });
    let missed = Query { missed: true, ..everything() };
    assert!(!missed.matches(story.state()));
    story.escalate();
    assert!(missed.matches(story.state()));
    story.assign(&agent_id("asha"), None);
    story.begin();
    story.resolve();
    assert!(!missed.matches(story.state()), "its clock has ended");
}
