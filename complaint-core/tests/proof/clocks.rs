//! Clocks: pausing, warnings, what follows when one runs out.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::{Channel, Event, Outcome, Priority, ReleaseCause, Remedy};
use complaint_core::deadline::{ClockKind as K, Deadline, Ending, Milestone, due_commands, next_action_at};
use complaint_core::id::{ComplaintId, PromiseKey};
use complaint_core::lifecycle::{
    Command, CommandName as C, Context, Guard, Input, Status, begin, decide, evolve, submit,
};
use complaint_core::notice::{Recipient, announce};
use complaint_core::policy::{DayZero, StatutoryPromise};
use complaint_core::reference::Reference;
use complaint_core::{Actor, Complaint, Policy};

use crate::house::{
    World, admin, agent, agent_id, customer, decision, input, john, level, policy, replacement, submission, tag, uuid,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn due(complaint: &Complaint, clock: K) -> Option<DateTime<Utc>> {
    complaint.deadline(clock).and_then(|deadline| deadline.due_at)
}

fn explained(deadline: &Deadline, until: DateTime<Utc>) {
    assert_eq!(deadline.segments.first().unwrap().from, deadline.started_at);
    for pair in deadline.segments.windows(2) {
        assert_eq!(pair[0].to, Some(pair[1].from), "{deadline:?}");
        assert_ne!(pair[0].ran, pair[1].ran, "{deadline:?}");
    }
    let end = deadline.segments.last().unwrap().to;
    assert_eq!(end, deadline.ended.map(|ended| ended.at));
    let total: TimeDelta = deadline.segments.iter().map(|it| it.to.unwrap_or(until) - it.from).sum();
    assert_eq!(total, end.unwrap_or(until) - deadline.started_at);
}

#[test]
fn service_clocks_pause_while_the_customer_is_asked_and_the_law_does_not() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let before: Vec<_> = [K::Resolution, K::Level, K::Statutory].map(|clock| due(&begun, clock).unwrap()).into();
    // First response: the question itself is one.
    world.now = at("2026-11-24T10:00:00Z");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    assert_eq!(asked.deadlines.iter().find(|it| it.clock == K::FirstResponse).unwrap().ended.unwrap().how, Ending::Met);
    for clock in [K::Resolution, K::Level] {
        assert_eq!(due(&asked, clock), None, "{clock:?} runs on");
        assert_eq!(asked.deadline(clock).unwrap().next_action(), None);
    }
    assert_eq!(due(&asked, K::Statutory), Some(before[2]));
    assert_eq!(due(&asked, K::Silence), Some(at("2026-12-08T10:00:00Z")));

    // Asked on Tuesday at ten, answered on Thursday at ten: sixteen working hours do not count.
    world.now = at("2026-11-26T10:00:00Z");
    let answered = world.act(&asked, &customer("john"), &Command::with_text(C::Answer, "Yes."));
    assert_eq!(answered.status, Status::InProgress);
    let later = |due: DateTime<Utc>| due + TimeDelta::days(2);
    // The level had until Monday evening: two working days more are Wednesday evening.
    assert_eq!(before[1], at("2026-11-30T17:00:00Z"));
    assert_eq!(due(&answered, K::Level), Some(later(before[1])));
    assert_eq!(due(&answered, K::Resolution), Some(at("2026-12-23T17:00:00Z")));
    assert_eq!(due(&answered, K::Statutory), Some(before[2]));
    assert_eq!(due(&answered, K::Silence), None);
    for deadline in &answered.deadlines {
        explained(deadline, world.now);
    }
    let level_clock = answered.deadline(K::Level).unwrap();
    assert_eq!(level_clock.segments.iter().map(|it| it.ran).collect::<Vec<_>>(), [true, false, true]);
}

trait NextAction {
    fn next_action(&self) -> Option<DateTime<Utc>>;
}

impl NextAction for Deadline {
    /// As the store sees it: through a complaint with this clock alone.
    fn next_action(&self) -> Option<DateTime<Utc>> {
        let mut world = World::new(policy());
        let mut alone = world.submitted();
        alone.deadlines = vec![Arc::new(self.clone())];
        next_action_at(&alone)
    }
}

#[test]
fn a_third_party_pauses_only_if_the_policy_says_so() {
    for pauses in [false, true] {
        let mut policy = policy();
        policy.third_party_pauses = pauses;
        let mut world = World::new(policy);
        let begun = world.begun("sarah");
        let until = Some(world.now.date_naive() + TimeDelta::days(9));
        let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
        let waiting = world.act(&begun, &agent("sarah"), &input(C::Hold, hold));
        for clock in [K::FirstResponse, K::Resolution, K::Level] {
            assert_eq!(due(&waiting, clock).is_none(), pauses, "{clock:?}");
        }
        assert!(due(&waiting, K::Statutory).is_some());
    }
}

#[test]
fn each_warning_is_given_once() {
    let mut world = World::new(policy());
    let mut complaint = world.begun("sarah");
    let clock = complaint.deadline(K::Statutory).unwrap().clone();
    let [early, late] = clock.warn_at.unwrap();
    assert_eq!(early, clock.started_at + TimeDelta::weeks(6));
    assert_eq!(late, clock.started_at + TimeDelta::minutes(56 * 24 * 60 / 10 * 9));
    let count = |world: &World, percent: u8| {
        let wanted = Event::Warned { clock: K::Statutory, percent };
        world.log.iter().filter(|entry| entry.event == wanted).count()
    };
    world.now = early - TimeDelta::microseconds(1);
    complaint = world.tick(complaint);
    assert_eq!((count(&world, 75), count(&world, 90)), (0, 0), "too early");
    let asked = due_commands(&complaint, &world.policy, early).remove(0);
    let refused = world.decide(&complaint, &Actor::system(), &asked, None).unwrap_err();
    assert_eq!((asked.name(), refused.code()), (C::Warn, "warning_not_due"));
    world.now = early;
    for _ in 0..3 {
        complaint = world.tick(complaint);
    }
    assert_eq!((count(&world, 75), count(&world, 90)), (1, 0));
    world.now = late;
    for _ in 0..3 {
        complaint = world.tick(complaint);
    }
    assert_eq!((count(&world, 75), count(&world, 90)), (1, 1));
    assert!(due_commands(&complaint, &world.policy, world.now).is_empty());
}

#[test]
fn a_warning_that_was_given_is_not_asked_for_again() {
    let begun = World::new(policy()).begun("sarah");
    let law = begun.deadline(K::Statutory).unwrap();
    let [early, late] = law.warn_at.unwrap();
    for (warned, now, asked) in [(0, early, Some(75)), (75, early, None), (75, late, Some(90)), (90, late, None)] {
        let alone = Complaint { deadlines: vec![Arc::new(Deadline { warned, ..law.clone() })], ..begun.clone() };
        let percents: Vec<_> = due_commands(&alone, &policy(), now).iter().map(|it| it.input().percent).collect();
        assert_eq!(percents, asked.into_iter().collect::<Vec<u8>>(), "after {warned} % at {now}");
    }
}

#[test]
fn a_late_sweep_gives_only_the_last_warning_and_none_after_the_end() {
    let mut world = World::new(policy());
    let complaint = world.begun("sarah");
    let clock = complaint.deadline(K::Statutory).unwrap().clone();
    world.now = clock.warn_at.unwrap()[1];
    let warned = world.tick(complaint.clone());
    assert_eq!(warned.deadline(K::Statutory).unwrap().warned, 90);
    let told = world.log.iter().filter(|it| matches!(it.event, Event::Warned { clock: K::Statutory, .. })).count();
    assert_eq!(told, 1);
    world.now = clock.due_at.unwrap();
    let before = world.log.len();
    world.tick(complaint);
    let warned_again =
        world.log[before..].iter().any(|it| matches!(it.event, Event::Warned { clock: K::Statutory, .. }));
    assert!(!warned_again, "the alarm says it all");
}

#[test]
fn who_does_not_begin_loses_it_and_the_second_time_it_goes_up() {
    let mut world = World::new(policy());
    let assigned = world.assigned("sarah");
    assert_eq!(due(&assigned, K::Acceptance), Some(at("2026-11-24T09:30:00Z")), "eight working hours");
    world.now = at("2026-11-24T09:30:00Z");
    let released = world.tick(assigned);
    let last = world.log.last().unwrap();
    assert!(matches!(&last.event, Event::Released { cause: ReleaseCause::NotBegun, .. }), "{:?}", last.event);
    assert_eq!((released.status, released.level), (Status::Queued, level(1)));
    assert!(released.exclusion(&agent_id("sarah")).is_some(), "not to the same agent again");

    let again = world.given(&released, "ben");
    world.now = at("2026-11-25T09:30:00Z");
    let escalated = world.tick(again);
    assert_eq!((escalated.status, escalated.level), (Status::Queued, level(2)));
    assert!(
        escalated.escalations[0].causes.contains(&complaint_core::complaint::EscalationCause::Clock(K::Acceptance))
    );
    // The exclusion was for level 1 alone.
    assert!(escalated.exclusion(&agent_id("sarah")).is_none());
}

#[test]
fn at_the_last_level_nobody_is_barred_for_not_having_begun() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let complaint = world.reason(&begun, &agent("ora"), C::Release);
    let given = world.given(&complaint, "olga");
    world.now = due(&given, K::Acceptance).unwrap();
    let late = world.tick(given);
    // There may be nobody else who could decide: it stays, and the alarm is raised once.
    assert_eq!((late.status, late.level), (Status::Assigned, level(3)));
    assert_eq!(late.exclusion(&agent_id("olga")), None);
    assert!(late.deadline(K::Acceptance).unwrap().missed_at.is_some());
    assert_eq!(world.tick(late.clone()), late);
}

#[test]
fn what_a_clock_asks_for_is_refused_before_its_time_and_a_second_time() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let mut due_now = world.clone();
    due_now.now = due(&begun, K::FirstResponse).unwrap();
    let asked = due_commands(&begun, &due_now.policy, due_now.now);
    assert_eq!(asked[0].name(), C::Escalate);
    for command in &asked {
        let refused = world.decide(&begun, &Actor::system(), command, None).unwrap_err();
        assert!(["clock_not_run_out", "warning_not_due"].contains(&refused.code()), "{}: {refused}", command.name());
    }
    let moved = due_now.act(&begun, &Actor::system(), &asked[0]);
    let again = due_now.decide(&moved, &Actor::system(), &asked[0], None).unwrap_err();
    assert_eq!(again.code(), "clock_not_run_out");
}

#[test]
fn silence_reminds_the_customer_and_then_tells_the_handler_who_decides() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let clock = asked.deadline(K::Silence).unwrap().clone();
    world.now = clock.warn_at.unwrap()[0];
    let reminded = world.tick(asked);
    assert!(world.log.iter().any(|it| it.event == Event::Warned { clock: K::Silence, percent: 75 }));
    world.now = clock.due_at.unwrap();
    let alarmed = world.tick(reminded);
    let alarms = |world: &World| world.log.iter().filter(|it| it.event == Event::Alarmed { clock: K::Silence }).count();
    assert_eq!((alarms(&world), alarmed.status), (1, Status::AwaitingCustomer), "nothing moves by itself");
    world.later(TimeDelta::hours(1));
    let still = world.tick(alarmed);
    assert_eq!(alarms(&world), 1);
    // The handler goes on without the answer.
    let resumed = world.reason(&still, &agent("sarah"), C::Resume);
    assert_eq!((resumed.status, &resumed.question), (Status::InProgress, &None));
}

fn resolved_with(world: &mut World, remedies: Vec<Remedy>) -> Complaint {
    let begun = world.begun("sarah");
    world.resolved(&begun, remedies)
}

#[test]
fn auto_close_waits_for_an_unread_message_and_for_a_remedy() {
    let mut world = World::new(policy());
    let resolved = resolved_with(&mut world, Vec::new());
    let promised = due(&resolved, K::AutoClose).unwrap();
    assert_eq!(promised, world.now + TimeDelta::days(14));
    world.later(TimeDelta::days(4));
    let written = world.text(&resolved, &customer("john"), C::Post);
    assert_eq!(due(&written, K::AutoClose), None, "a message is unread");
    world.later(TimeDelta::days(20));
    assert_eq!(world.tick(written.clone()).status, Status::Resolved);
    let read = world.plain(&written, &agent("sarah"), C::Read);
    assert_eq!(due(&read, K::AutoClose), Some(promised + TimeDelta::days(20)));
    world.now = promised + TimeDelta::days(20);
    assert_eq!(world.tick(read).status, Status::Closed);

    let mut world = World::new(policy());
    let owing = resolved_with(&mut world, replacement());
    assert_eq!(due(&owing, K::AutoClose), None, "a remedy is outstanding");
    assert_eq!(due(&owing, K::Remedy), Some(world.now + TimeDelta::days(14)));
    world.later(TimeDelta::days(100));
    let late = world.tick(owing);
    assert_eq!(late.status, Status::Resolved);
    assert_eq!(world.log.iter().filter(|it| it.event == Event::Alarmed { clock: K::Remedy }).count(), 1);
    let given = input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() });
    let fulfilled = world.act(&late, &agent("sarah"), &given);
    assert_eq!(due(&fulfilled, K::AutoClose), Some(world.now + TimeDelta::days(14)));
    let remedy = fulfilled.deadlines.iter().find(|it| it.clock == K::Remedy).unwrap();
    assert_eq!(remedy.ended.unwrap().how, Ending::Late);
}

#[test]
fn a_window_that_ran_out_unnoticed_still_waits_for_what_the_customer_wrote() {
    let mut world = World::new(policy());
    let resolved = resolved_with(&mut world, Vec::new());
    world.later(TimeDelta::days(15));
    let written = world.text(&resolved, &customer("john"), C::Post);
    assert_eq!(world.tick(written.clone()).status, Status::Resolved);
    let by_hand = world.decide(&written, &agent("mia"), &Command::plain(C::Close), None).unwrap_err();
    assert_eq!(by_hand.code(), "unread_message");
    let answered = world.text(&written, &agent("sarah"), C::Post);
    assert_eq!(world.tick(answered).status, Status::Closed);
}

#[test]
fn approval_that_does_not_come_is_an_alarm_and_a_late_level_takes_the_proposal_along() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    world.now = due(&proposed, K::Approval).unwrap();
    let alarmed = world.tick(proposed);
    assert_eq!(alarmed.status, Status::PendingApproval);
    assert!(world.log.iter().any(|it| it.event == Event::Alarmed { clock: K::Approval }));
    world.now = due(&alarmed, K::Level).unwrap();
    let escalated = world.tick(alarmed);
    assert_eq!((escalated.status, escalated.level, &escalated.proposal), (Status::Queued, level(2), &None));
    let approval = escalated.deadlines.iter().find(|it| it.clock == K::Approval).unwrap();
    assert_eq!(approval.ended.unwrap().how, Ending::Cancelled);
}

#[test]
fn the_statutory_end_is_an_alarm_and_moves_nothing() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    world.now = due(&begun, K::Statutory).unwrap();
    let after = world.tick(begun);
    assert_eq!((after.status, after.level), (Status::InProgress, level(3)));
    assert_eq!(world.log.iter().filter(|it| it.event == Event::Alarmed { clock: K::Statutory }).count(), 1);
    assert_eq!(world.tick(after.clone()), after);
}

#[test]
fn a_new_description_promises_anew_and_a_mere_weight_does_not() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.later(TimeDelta::hours(2));
    let triage = |given| input(C::Triage, given);
    let mut newer = world.clone();
    newer.policy.version = 2;
    newer.policy.targets.resolution = "40 working days".parse().unwrap();
    let weighed = newer.act(&begun, &agent("sarah"), &triage(Input { weight: Some(3), ..Input::default() }));
    assert_eq!(weighed.deadlines, begun.deadlines, "no other promise applies");
    let urgent = Input { priority: Some(Priority::Urgent), ..Input::default() };
    let raised = world.act(&begun, &agent("sarah"), &triage(urgent));
    assert_eq!(due(&raised, K::Resolution), Some(at("2026-11-30T17:00:00Z")), "five working days from receipt");
    assert_eq!(due(&raised, K::Level), Some(at("2026-11-24T17:00:00Z")), "one working day at this level");
    assert_eq!(due(&raised, K::Statutory), due(&begun, K::Statutory));
    for deadline in &raised.deadlines {
        explained(deadline, world.now);
    }
}

#[test]
fn a_clock_that_became_longer_warns_anew() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let triage = |priority| input(C::Triage, Input { priority: Some(priority), ..Input::default() });
    let urgent = world.act(&begun, &agent("sarah"), &triage(Priority::Urgent));
    let answered = world.text(&urgent, &agent("sarah"), C::Post);
    let warnings = |complaint: &Complaint| complaint.deadline(K::Level).unwrap().warn_at.unwrap();
    world.now = warnings(&answered)[1];
    let warned = world.tick(answered);
    assert_eq!(warned.deadline(K::Level).unwrap().warned, 90);
    let calmer = world.act(&warned, &agent("sarah"), &triage(Priority::Normal));
    assert_eq!(calmer.deadline(K::Level).unwrap().warned, 0, "both are ahead again");
    world.now = warnings(&calmer)[0];
    let again = world.tick(calmer);
    assert_eq!(again.deadline(K::Level).unwrap().warned, 75);
    let same = world.act(&again, &agent("sarah"), &triage(Priority::High));
    assert_eq!(
        same.deadline(K::Level).unwrap().warned,
        75,
        "given once, and what was not given is not taken for given"
    );
}

#[test]
fn a_clock_that_became_a_little_longer_gives_only_the_last_warning_anew() {
    let mut policy = policy();
    for (priority, target) in [(Priority::Urgent, "10 working hours"), (Priority::High, "11 working hours")] {
        policy.levels[0].priorities.insert(priority, target.parse().unwrap());
    }
    let mut world = World::new(policy);
    let begun = world.begun("sarah");
    let triage = |priority| input(C::Triage, Input { priority: Some(priority), ..Input::default() });
    let urgent = world.act(&begun, &agent("sarah"), &triage(Priority::Urgent));
    let answered = world.text(&urgent, &agent("sarah"), C::Post);
    world.now = answered.deadline(K::Level).unwrap().warn_at.unwrap()[1];
    let warned = world.tick(answered);
    let longer = world.act(&warned, &agent("sarah"), &triage(Priority::High));
    let [early, late] = longer.deadline(K::Level).unwrap().warn_at.unwrap();
    assert!(early < world.now && world.now < late);
    assert_eq!([&warned, &longer].map(|it| it.deadline(K::Level).unwrap().warned), [90, 75]);
    world.now = late;
    assert_eq!(world.tick(longer).deadline(K::Level).unwrap().warned, 90);
}

/// A warning is given again only where it lies ahead again: what is due at this very instant was given.
#[test]
fn a_warning_that_is_still_behind_is_not_given_anew() {
    for (before, after_hours, hours, given, kept) in [
        // 75 % of 48 hours are 36, and 90 % are ahead.
        (40, 36, 48, 90, 75),
        // 90 % of 40 hours are 36 as well.
        (38, 36, 40, 90, 90),
        (38, 37, 40, 90, 90),
        // 75 % of 40 hours are ahead.
        (32, 29, 40, 90, 0),
    ] {
        let span = |hours: i64| format!("{hours} hours").parse().unwrap();
        let mut policy = policy();
        policy.targets.resolution = span(before);
        let mut world = World::new(policy);
        let start = world.now;
        let begun = world.begun("sarah");
        world.now = start + TimeDelta::hours(after_hours);
        let warned = world.tick(begun);
        assert_eq!(warned.deadline(K::Resolution).unwrap().warned, given, "{before} h after {after_hours}");
        world.policy.targets.resolution = span(hours);
        let rebased = world.reason(&warned, &admin(), C::Rebase);
        assert_eq!(due(&rebased, K::Resolution), Some(start + TimeDelta::hours(hours)));
        assert_eq!(rebased.deadline(K::Resolution).unwrap().warned, kept, "{hours} h after {after_hours}");
    }
}

#[test]
fn the_next_look_is_at_the_next_warning_and_then_at_the_end() {
    let begun = World::new(policy()).begun("sarah");
    let law = begun.deadline(K::Statutory).unwrap();
    let [early, late] = law.warn_at.unwrap();
    for (warned, look) in [(0, early), (75, late), (90, law.due_at.unwrap())] {
        let alone = Complaint { deadlines: vec![Arc::new(Deadline { warned, ..law.clone() })], ..begun.clone() };
        assert_eq!(next_action_at(&alone), Some(look), "after {warned} %");
    }
}

#[test]
fn what_was_broken_before_a_pause_stays_broken_whether_it_was_noticed_or_not() {
    for noticed in [true, false] {
        let mut world = World::new(policy());
        let begun = world.begun_at(3);
        let answered = world.text(&begun, &agent("omar"), C::Post);
        world.now = due(&answered, K::Level).unwrap();
        let late = if noticed { world.tick(answered.clone()) } else { answered.clone() };
        assert_eq!(late.deadline(K::Level).unwrap().missed_at.is_some(), noticed);
        let asked = world.text(&late, &agent("omar"), C::Ask);
        assert_eq!(due(&asked, K::Level), due(&answered, K::Level), "noticed: {noticed}");
    }
}

#[test]
fn a_promise_kept_too_late_is_late_though_no_sweep_came_in_between() {
    for (after, how) in [(0, Ending::Met), (1, Ending::Late)] {
        let mut world = World::new(policy());
        let begun = world.begun("sarah");
        world.now = due(&begun, K::Resolution).unwrap() + TimeDelta::microseconds(after);
        let resolved = world.resolved(&begun, Vec::new());
        let promise = resolved.deadlines.iter().find(|it| it.clock == K::Resolution).unwrap();
        assert_eq!((promise.missed_at, promise.ended.map(|it| it.how)), (None, Some(how)));
    }
}

#[test]
fn a_new_description_never_moves_the_law_later() {
    let mut policy = policy();
    let late = policy.categories[1].key.clone();
    let key = PromiseKey::new("final-response").unwrap();
    let mut other = policy.statutory[&key].clone();
    policy.statutory.get_mut(&key).unwrap().except.insert(late.clone());
    other.categories.insert(late);
    other.within = "20 weeks".parse().unwrap();
    let other_key = PromiseKey::new("of-late-delivery").unwrap();
    policy.statutory.insert(other_key.clone(), other);
    let mut slower = World::new(policy.clone());
    let late = Input { category: Some(policy.categories[1].key.clone()), ..Input::default() };
    let begun = slower.begun("sarah");
    let same = slower.act(&begun, &agent("sarah"), &input(C::Triage, late.clone()));
    assert_eq!(due(&same, K::Statutory), due(&begun, K::Statutory));
    assert_eq!(same.promise(&other_key).unwrap().due_at, Some(begun.received_at + TimeDelta::weeks(20)));
    policy.statutory.get_mut(&other_key).unwrap().within = "2 weeks".parse().unwrap();
    let mut faster = World::new(policy);
    let begun = faster.begun("sarah");
    let sooner = faster.act(&begun, &agent("sarah"), &input(C::Triage, late));
    assert_eq!(due(&sooner, K::Statutory), Some(begun.received_at + TimeDelta::weeks(2)));
}

#[test]
fn another_policy_moves_no_running_clock_and_ends_none() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let mut other: Policy = world.policy.clone();
    other.version = 2;
    other.statutory.clear();
    other.targets.resolution = "1 working day".parse().unwrap();
    other.levels[0].target = "1 working hour".parse().unwrap();
    let calendar = other.calendars.remove("office").unwrap();
    other.calendars.insert("new".into(), calendar);
    other.calendar = "new".into();
    world.policy = other;
    world.later(TimeDelta::hours(1));
    let noted = world.text(&begun, &agent("sarah"), C::Note);
    assert_eq!(noted.deadlines, begun.deadlines);
    let asked = world.text(&noted, &agent("sarah"), C::Ask);
    let answered = world.text(&asked, &customer("john"), C::Answer);
    for clock in [K::Resolution, K::Level, K::Statutory] {
        assert_eq!(due(&answered, clock), due(&begun, clock), "{clock:?}: asked and answered in one instant");
    }
    assert_eq!(answered.deadline(K::Statutory).unwrap().policy_version, 1);
}

/// Away and back again.
type Road<'a> = &'a dyn Fn(&mut World, &Complaint) -> Complaint;

#[test]
fn what_comes_back_is_promised_again() {
    let body = || Input { body: Some("The city".into()), text: Some("Not ours.".into()), ..Input::default() };
    let roads: [(&str, Road<'_>); 2] = [
        ("withdrawn", &|world, complaint| {
            let gone = world.plain(complaint, &customer("john"), C::Withdraw);
            world.later(TimeDelta::days(10));
            world.plain(&gone, &customer("john"), C::Reinstate)
        }),
        ("referred", &|world, complaint| {
            let gone = world.act(complaint, &agent("mia"), &input(C::Refer, body()));
            assert!(gone.deadlines.iter().all(|deadline| deadline.ended.is_some()));
            world.later(TimeDelta::days(10));
            world.reason(&gone, &agent("mia"), C::ReturnReferral)
        }),
    ];
    for (road, go) in roads {
        let mut world = World::new(policy());
        let begun = world.begun("sarah");
        let back = go(&mut world, &begun);
        assert_eq!(back.status, Status::Queued, "{road}");
        assert_eq!(due(&back, K::Statutory), due(&begun, K::Statutory), "{road}: day zero is the receipt");
        for clock in [K::FirstResponse, K::Resolution, K::Level] {
            let deadline = back.deadline(clock).unwrap_or_else(|| panic!("{road}: {clock:?} does not run"));
            assert_eq!((deadline.started_at, deadline.instance), (world.now, 2), "{road}: {clock:?}");
        }
        for deadline in &back.deadlines {
            explained(deadline, world.now);
        }
        // And once more: each time is another instance.
        let again = go(&mut world, &back);
        assert_eq!(again.deadline(K::Statutory).unwrap().instance, 3, "{road}");
    }
}

#[test]
fn the_law_s_kept_promise_is_not_made_again_by_opening_the_complaint_but_a_new_decision_is_promised() {
    let mut world = World::new(policy());
    let resolved = resolved_with(&mut world, Vec::new());
    let closed = world.plain(&resolved, &customer("john"), C::Accept);
    let reopened = world.reason(&closed, &agent("mia"), C::Reopen);
    assert!(reopened.deadline(K::Statutory).is_none() && reopened.deadline(K::FirstResponse).is_none());
    assert!(reopened.deadline(K::Level).is_some());
    let kept = reopened.deadlines.iter().find(|it| it.clock == K::Resolution).unwrap();
    assert_eq!((kept.instance, kept.ended.unwrap().how), (1, Ending::Met));
    let anew = reopened.deadline(K::Resolution).unwrap();
    assert_eq!((anew.instance, anew.started_at), (2, world.now));
    assert_eq!(reopened.promised_at(), anew.due_at, "whoever waits is told a date");
}

#[test]
fn an_earlier_receipt_moves_the_law_of_the_survivor_earlier() {
    let mut world = World::new(policy());
    let first = world.begun("sarah");
    world.later(TimeDelta::days(7));
    let second = world.begun("ben");
    let into = input(C::Merge, Input { into: Some(second.reference.to_string()), ..Input::default() });
    let entries = world.decide(&first, &agent("mia"), &into, Some(&second)).unwrap();
    let tags: Vec<String> = entries.iter().map(|entry| tag(&entry.event)).collect();
    assert_eq!(tags, ["merged", "absorbed", "revised"], "the customer is told of the earlier date");
    let survivor = evolve(second.clone(), &entries[1]);
    assert_eq!(survivor.received_at, first.received_at);
    assert_eq!(survivor.version, second.version.next());
    let statutory = survivor.deadline(K::Statutory).unwrap();
    assert_eq!((statutory.due_at, statutory.started_at), (due(&first, K::Statutory), first.received_at));
    assert_eq!(due(&survivor, K::Resolution), due(&second, K::Resolution), "what we promise ourselves stays");
    explained(statutory, world.now);
    // Joined the other way round, nothing moves; not even where the same promise would end earlier by now.
    let into = input(C::Merge, Input { into: Some(first.reference.to_string()), ..Input::default() });
    for day_zero in [DayZero::Receipt, DayZero::NextOpening] {
        let mut policy = world.policy.clone();
        policy.statutory.values_mut().for_each(|promise| promise.day_zero = day_zero);
        let mut world = World::new(policy);
        world.now = at("2026-11-21T12:00:00Z");
        let first = world.begun("sarah");
        world.policy.statutory.values_mut().for_each(|promise| promise.day_zero = DayZero::Receipt);
        world.later(TimeDelta::days(7));
        let second = world.begun("ben");
        let entries = world.decide(&second, &agent("mia"), &into, Some(&first)).unwrap();
        assert_eq!(evolve(first.clone(), &entries[1]).deadlines, first.deadlines, "{day_zero:?}");
    }
}

#[test]
fn what_the_law_promised_two_customers_runs_for_each_of_them() {
    let mut world = World::new(policy());
    let first = world.begun("sarah");
    world.later(TimeDelta::days(7));
    let second = Complaint { customer: "jane".parse().unwrap(), ..world.begun("ben") };
    let consent = Some("On the phone.".to_owned());
    let into = input(C::Merge, Input { into: Some(second.reference.to_string()), consent, ..Input::default() });
    let entries = world.decide(&first, &agent("mia"), &into, Some(&second)).unwrap();
    let tags: Vec<String> = entries.iter().map(|entry| tag(&entry.event)).collect();
    assert_eq!(tags, ["merged", "absorbed"], "nothing that the other customer was told changes");
    let survivor = evolve(second.clone(), &entries[1]);
    assert_eq!((survivor.received_at, &survivor.deadlines), (second.received_at, &second.deadlines));
    let joined = evolve(first.clone(), &entries[0]);
    let running: Vec<K> = joined.deadlines.iter().filter(|it| it.ended.is_none()).map(|it| it.clock).collect();
    assert_eq!(
        (running.as_slice(), due(&joined, K::Statutory)),
        ([K::Statutory].as_slice(), due(&first, K::Statutory))
    );

    // Late, whoever waits is told of their rights, and those who can still turn it; not who held it before.
    world.now = due(&joined, K::Statutory).unwrap();
    let asks = |it: &Command| it.name() == C::Alarm;
    let alarm = due_commands(&joined, &world.policy, world.now).into_iter().find(asks).unwrap();
    let entries = world.decide(&joined, &Actor::system(), &alarm, None).unwrap();
    let late = entries.iter().fold(joined.clone(), evolve);
    let notices = announce(Some(&joined), &late, &entries, &world.policy);
    let told: Vec<&Recipient> = notices.iter().map(|notice| &notice.recipient).collect();
    assert!(matches!(told[..], [Recipient::Customer(_), Recipient::Level { .. }]), "{told:?}");
    assert!(!due_commands(&late, &world.policy, world.now).iter().any(asks));

    // The decision keeps it; what is not taken up or passed on lets it fall.
    world.now = first.received_at + TimeDelta::days(8);
    let all = [joined.clone()];
    let there = |actor: &Actor, command: &Command| -> Vec<_> {
        let context = Context::new(&world.policy, world.now).joined(&all);
        let entries = decide(&survivor, command, actor, &context).unwrap();
        entries.into_iter().filter(|entry| entry.complaint == joined.id).collect()
    };
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let body = Input { body: Some("The city".into()), text: Some("It is theirs.".into()), ..Input::default() };
    for (by, command, how) in [
        ("ben", decision(C::Resolve, Vec::new()), Ending::Met),
        ("mia", input(C::Dismiss, ground), Ending::Cancelled),
        ("mia", input(C::Refer, body), Ending::Cancelled),
    ] {
        let entries = there(&agent(by), &command);
        assert!(entries.iter().all(|entry| entry.by == *agent(by).party()));
        let ended = entries.iter().fold(joined.clone(), evolve);
        let law = ended.deadlines.iter().find(|it| it.clock == K::Statutory).unwrap();
        assert_eq!(law.ended.map(|it| it.how), Some(how));
    }
    // Who takes back what is theirs is not named in the log of the other customer.
    let entries = there(&customer("jane"), &Command::with_reason(C::Withdraw, "It came."));
    let told: Vec<_> = entries.iter().map(|entry| (tag(&entry.event), entry.by.clone())).collect();
    assert_eq!(told, [("unmerged".to_owned(), Actor::system().party().clone())]);
}

#[test]
fn an_earlier_receipt_counts_for_a_promise_that_the_joined_complaint_never_had() {
    let mut policy = policy();
    let late = policy.categories[1].key.clone();
    policy.statutory.get_mut(&PromiseKey::new("final-response").unwrap()).unwrap().except.insert(late);
    let mut world = World::new(policy);
    let about = Complaint::about("Late delivery", "Nothing came", "I wait.").unwrap().against(agent_id("zoe"));
    let first = world.submitted_with(&about);
    assert_eq!(due(&first, K::Statutory), None);
    world.later(TimeDelta::days(7));
    let second = world.begun("ben");
    // What we promise ourselves stays as it is, though the policy is another one meanwhile.
    world.policy.version += 1;
    let into = input(C::Merge, Input { into: Some(second.reference.to_string()), ..Input::default() });
    let entries = world.decide(&first, &agent("mia"), &into, Some(&second)).unwrap();
    let survivor = evolve(second.clone(), &entries[1]);
    assert_eq!(due(&survivor, K::Statutory), Some(first.received_at + TimeDelta::weeks(8)));
    assert_eq!(survivor.deadline(K::Resolution), second.deadline(K::Resolution));
}

#[test]
fn a_question_that_stays_open_keeps_its_clock_whoever_holds_the_complaint() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let silence = asked.deadline(K::Silence).unwrap().clone();
    world.later(TimeDelta::hours(1));
    let escalated = world.reason(&asked, &agent("sarah"), C::Escalate);
    assert_eq!(escalated.deadline(K::Silence), Some(&silence), "the question is with the customer all the same");
    let answered = world.text(&escalated, &customer("john"), C::Post);
    let ended = answered.deadlines.iter().find(|it| it.clock == K::Silence).unwrap().ended.unwrap();
    assert_eq!(ended.how, Ending::Met);

    // Nobody holds it when the time is over: those who look after the queue hear of it, once.
    world.now = silence.due_at.unwrap();
    let is_its = |it: &Command| it.input().clocks.iter().any(|(clock, _)| *clock == K::Silence);
    let alarm = due_commands(&escalated, &world.policy, world.now).into_iter().find(is_its).unwrap();
    let entries = world.decide(&escalated, &Actor::system(), &alarm, None).unwrap();
    let after = entries.iter().fold(escalated.clone(), evolve);
    let notices = announce(Some(&escalated), &after, &entries, &world.policy);
    assert!(matches!(notices[0].recipient, Recipient::Level { .. }) && notices.len() == 1, "{notices:?}");
    assert!(!due_commands(&after, &world.policy, world.now).iter().any(is_its));
}

/// Whoever sent it to where it comes from was told there that it has arrived.
#[test]
fn what_was_brought_over_needs_no_acknowledgement_not_even_by_the_law() {
    let mut policy = policy();
    let receipt = PromiseKey::new("receipt").unwrap();
    let mut promise = policy.statutory[&PromiseKey::new("final-response").unwrap()].clone();
    promise.kept_by = Milestone::Acknowledgement;
    policy.statutory.insert(receipt.clone(), promise);
    let mut world = World::new(policy);
    for (channel, runs) in [(Channel::Phone, true), (Channel::Import, false)] {
        world.drawn += 1;
        let (id, reference) = (ComplaintId::from_uuid(uuid(world.drawn)), Reference::from_entropy(world.drawn));
        let about = submission().on_behalf_of(john(), channel);
        let entry = submit(id, reference, &about, &Actor::system(), &Context::new(&world.policy, world.now)).unwrap();
        let fresh = begin(&entry).unwrap();
        assert_eq!(fresh.promise(&receipt).is_some(), runs, "{channel:?}");
        assert_eq!(fresh.deadline(K::Acknowledgement).is_some(), runs, "{channel:?}");
        assert!(fresh.deadline(K::Statutory).is_some(), "the final response is owed all the same");
        if runs {
            let told = world.plain(&fresh, &agent("mia"), C::Acknowledge);
            assert!(told.promise(&receipt).is_none(), "kept");
        }
    }
}

#[test]
fn joining_loses_no_promise_of_the_law() {
    // Late deliveries have the eight weeks of all, and a fortnight of their own.
    let mut policy = policy();
    let (all, own) = (PromiseKey::new("final-response").unwrap(), PromiseKey::new("a-fortnight").unwrap());
    let mut promise = policy.statutory[&all].clone();
    promise.within = "2 weeks".parse().unwrap();
    promise.categories = BTreeSet::from(["late-delivery".parse().unwrap()]);
    policy.statutory.insert(own.clone(), promise);
    let mut world = World::new(policy);
    let ordinary = world.begun("sarah");
    world.later(TimeDelta::days(1));
    let mut about = submission();
    about.category = "late-delivery".parse().unwrap();
    let late = world.submitted_with(&about);
    let due = |complaint: &Complaint, key| complaint.promise(key).and_then(|it: &Deadline| it.due_at);
    assert!(due(&late, &own) < due(&late, &all) && due(&ordinary, &own).is_none());

    let into =
        |other: &Complaint| input(C::Merge, Input { into: Some(other.reference.to_string()), ..Input::default() });
    let entries = world.decide(&late, &agent("mia"), &into(&ordinary), Some(&ordinary)).unwrap();
    let tags: Vec<String> = entries.iter().map(|entry| tag(&entry.event)).collect();
    assert_eq!(tags, ["merged", "absorbed", "revised"], "the customer is told of the date");
    let joined = entries[1..].iter().fold(ordinary.clone(), evolve);
    assert_eq!(due(&joined, &own), due(&late, &own), "what only the other one promised");
    assert_eq!(due(&joined, &all), due(&ordinary, &all), "of both the earlier");
    explained(joined.promise(&own).unwrap(), world.now);
    // It goes on as any other, under a number of its own, though there both had the first: warned, kept.
    let instances: Vec<u32> =
        joined.deadlines.iter().filter(|it| it.clock == K::Statutory).map(|it| it.instance).collect();
    assert_eq!(instances, [1, 2]);
    world.now = joined.promise(&own).unwrap().warn_at.unwrap()[0];
    assert_eq!(world.tick(joined.clone()).promise(&own).unwrap().warned, 75);
    let resolved = world.resolved(&joined, Vec::new());
    assert!(resolved.deadlines.iter().filter(|it| it.clock == K::Statutory).all(|it| it.ended.is_some()));

    // What was missed there is not missed a second time.
    world.now = due(&late, &own).unwrap();
    let asks = |it: &Command| it.input().clocks.iter().any(|(clock, _)| *clock == K::Statutory);
    let alarm = due_commands(&late, &world.policy, world.now).into_iter().find(asks).unwrap();
    let missed = world.act(&late, &Actor::system(), &alarm);
    assert!(missed.promise(&own).unwrap().missed_at.is_some());
    let entries = world.decide(&missed, &agent("mia"), &into(&ordinary), Some(&ordinary)).unwrap();
    let joined = entries[1..].iter().fold(ordinary.clone(), evolve);
    assert_eq!(joined.promise(&own).unwrap().missed_at, missed.promise(&own).unwrap().missed_at);
    assert!(!due_commands(&joined, &world.policy, world.now).iter().any(asks));
}

/// An opportunity is the house's own: the joined complaint's is none of the survivor's. Nor is what was kept there.
#[test]
fn joining_brings_neither_an_opportunity_nor_what_was_kept() {
    let mut policy = policy();
    let (summary, greeting) = (PromiseKey::new("summary").unwrap(), PromiseKey::new("a-first-word").unwrap());
    let mut own = policy.statutory[&PromiseKey::new("final-response").unwrap()].clone();
    own.categories = BTreeSet::from(["late-delivery".parse().unwrap()]);
    policy.statutory.insert(summary.clone(), StatutoryPromise { lapses: true, ..own.clone() });
    policy.statutory.insert(greeting.clone(), StatutoryPromise { kept_by: Milestone::FirstResponse, ..own });
    let mut world = World::new(policy);
    let survivor = world.begun("sarah");
    let mut about = submission();
    about.category = "late-delivery".parse().unwrap();
    let late = world.submitted_with(&about);
    let late = world.given(&late, "ben");
    let late = world.plain(&late, &agent("ben"), C::Begin);
    let told = world.text(&late, &agent("ben"), C::Post);
    assert!(told.promise(&summary).is_some() && told.promise(&greeting).is_none());
    assert!(survivor.first_response_at.is_none());
    let into = input(C::Merge, Input { into: Some(survivor.reference.to_string()), ..Input::default() });
    let entries = world.decide(&told, &agent("mia"), &into, Some(&survivor)).unwrap();
    let joined = entries[1..].iter().fold(survivor.clone(), evolve);
    assert_eq!(joined.deadlines, survivor.deadlines);
}

#[test]
fn who_is_taken_apart_again_was_received_when_it_was() {
    let mut world = World::new(policy());
    let [first, second, third] = [0, 1, 2].map(|_| {
        let begun = world.begun("ben");
        world.later(TimeDelta::days(1));
        begun
    });
    let into = input(C::Merge, Input { into: Some(third.reference.to_string()), ..Input::default() });
    let join = |world: &World, survivor: Complaint, other: &Complaint| {
        let entries = world.decide(other, &agent("mia"), &into, Some(&survivor)).unwrap();
        let merged = evolve(other.clone(), &entries[0]);
        (merged, entries[1..].iter().fold(survivor, evolve))
    };
    let (first, survivor) = join(&world, third.clone(), &first);
    let (second, survivor) = join(&world, survivor, &second);
    assert_eq!(survivor.received_at, first.received_at);
    let apart = |world: &World, survivor: Complaint, other: &Complaint| {
        let entries = world.decide(other, &agent("mia"), &Command::plain(C::Unmerge), Some(&survivor)).unwrap();
        entries.iter().filter(|entry| entry.complaint == survivor.id).fold(survivor.clone(), evolve)
    };
    let survivor = apart(&world, survivor, &first);
    assert_eq!(survivor.received_at, second.received_at);
    let survivor = apart(&world, survivor, &second);
    assert_eq!(survivor.received_at, third.received_at);
    let law = survivor.deadline(K::Statutory).unwrap();
    assert_eq!(
        law.due_at,
        first.deadlines.iter().find(|it| it.clock == K::Statutory).unwrap().due_at,
        "promised is promised"
    );
}

/// Each promise has a number of its own in each complaint.
#[test]
fn an_earlier_end_that_is_taken_over_replaces_that_promise_and_no_other() {
    let mut policy = policy();
    let (all, own) = (PromiseKey::new("final-response").unwrap(), PromiseKey::new("a-month").unwrap());
    let mut promise = policy.statutory[&all].clone();
    promise.within = "30 days".parse().unwrap();
    promise.categories = BTreeSet::from(["late-delivery".parse().unwrap()]);
    policy.statutory.insert(own.clone(), promise);
    let mut world = World::new(policy);
    let mut about = submission();
    about.category = "late-delivery".parse().unwrap();
    let survivor = world.submitted_with(&about);
    // Whoever comes later is promised more.
    world.policy.statutory.get_mut(&all).unwrap().within = "4 weeks".parse().unwrap();
    world.later(TimeDelta::days(1));
    let joined = world.begun("ben");
    let due = |complaint: &Complaint, key| complaint.promise(key).and_then(|it: &Deadline| it.due_at);
    assert!(due(&joined, &all) < due(&survivor, &all) && due(&joined, &own).is_none());
    let into = input(C::Merge, Input { into: Some(survivor.reference.to_string()), ..Input::default() });
    let entries = world.decide(&joined, &agent("mia"), &into, Some(&survivor)).unwrap();
    let after = entries[1..].iter().fold(survivor.clone(), evolve);
    assert_eq!(due(&after, &all), due(&joined, &all));
    assert_eq!(after.promise(&own), survivor.promise(&own));
    assert_eq!(after.deadlines.len(), survivor.deadlines.len());
}

#[test]
fn all_that_stands_against_joining_is_named_at_once() {
    let mut world = World::new(policy());
    let escalated = world.begun_at(2);
    let finished = {
        let begun = world.begun("sarah");
        let resolved = world.resolved(&begun, Vec::new());
        world.plain(&resolved, &customer("john"), C::Accept)
    };
    let into = input(C::Merge, Input { into: Some(finished.reference.to_string()), ..Input::default() });
    let refused = world.decide(&escalated, &agent("mia"), &into, Some(&finished)).unwrap_err();
    let codes: Vec<&str> = refused.failed.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["not_open", "lower_level"]);
}

#[test]
fn a_promised_day_is_kept_until_it_is_over() {
    let mut world = World::new(policy());
    let day = world.now.date_naive() + TimeDelta::days(3);
    let begun = world.begun("sarah");
    let decided = Input {
        outcome: Some(Outcome::Goodwill),
        explanation: Some("As a courtesy.".into()),
        remedies: vec![Remedy::replacement().due_on(day)],
        ..Input::default()
    };
    let resolved = world.act(&begun, &agent("sarah"), &input(C::Resolve, decided));
    let remedy = resolved.deadline(K::Remedy).unwrap();
    assert_eq!((remedy.due_at, &remedy.calendar), (Some(at("2026-11-27T00:00:00Z")), &None));
}

/// The day is the customer's, not the office's: neither its hours nor the time that a remedy has otherwise count.
#[test]
fn a_promised_day_is_measured_by_the_clock_on_the_wall_and_counts_once() {
    let mut policy = policy();
    policy.targets.remedy = "10 working days".parse().unwrap();
    let mut world = World::new(policy);
    world.now = at("2026-11-24T10:00:00Z");
    let begun = world.begun("sarah");
    let on = |day: &str| vec![Remedy::replacement().due_on(day.parse().unwrap())];
    let today = world.resolved(&begun, on("2026-11-24"));
    assert_eq!(due(&today, K::Remedy), Some(at("2026-11-25T00:00:00Z")), "not the ten days of any other");

    let resolved = world.resolved(&begun, on("2026-11-26"));
    let remedy = resolved.deadline(K::Remedy).unwrap();
    let end = at("2026-11-27T00:00:00Z");
    assert_eq!((remedy.due_at, &remedy.calendar), (Some(end), &None));
    assert_eq!(i64::try_from(remedy.total_micros).ok(), (end - world.now).num_microseconds());

    // It was brought, and taken back as never arrived when the day was just over: what is owed again is owed anew.
    let delivered = Input {
        remedy: Some(1),
        evidence: Some("Parcel 17".into()),
        on: Some(world.now.date_naive()),
        ..Input::default()
    };
    let delivered = world.act(&resolved, &agent("sarah"), &input(C::FulfilRemedy, delivered));
    world.now = end;
    let never_came = Input { remedy: Some(1), reason: Some("It never came.".into()), ..Input::default() };
    let owed = world.act(&delivered, &customer("john"), &input(C::FailRemedy, never_came));
    assert_eq!(due(&owed, K::Remedy), Some(at("2026-12-11T17:00:00Z")));
}

#[test]
fn a_customer_may_escalate_once_a_promise_was_broken_and_once_per_level() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let up = Command::with_reason(C::Escalate, "You promised.");
    let john = customer("john");
    assert_eq!(world.decide(&begun, &john, &up, None).unwrap_err().code(), "no_deadline_missed");
    // A warning is no broken promise.
    world.now = begun.deadline(K::FirstResponse).unwrap().warn_at.unwrap()[1];
    assert!(world.decide(&begun, &john, &up, None).is_err());
    world.now = due(&begun, K::FirstResponse).unwrap();
    assert!(world.decide(&begun, &john, &up, None).is_err(), "the last instant is still in time");
    world.later(TimeDelta::microseconds(1));
    let escalated = world.act(&begun, &john, &up);
    assert_eq!(escalated.level, level(2));
    // The same broken promise does not carry it through level 2 as well; another one does.
    let given = world.given(&escalated, "maria");
    world.later(TimeDelta::minutes(1));
    assert_eq!(world.decide(&given, &john, &up, None).unwrap_err().code(), "no_deadline_missed");
    world.now = due(&given, K::Level).unwrap() + TimeDelta::seconds(1);
    assert_eq!(world.act(&given, &john, &up).level, level(3));
    // Nor does one that moved it up by itself, in the very instant in which it was broken.
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.now = due(&begun, K::FirstResponse).unwrap();
    let moved = world.tick(begun);
    assert_eq!(moved.level, level(2));
    world.later(TimeDelta::minutes(1));
    assert_eq!(world.decide(&moved, &john, &up, None).unwrap_err().code(), "no_deadline_missed");
    // What lists call missed was missed all the same.
    assert!(moved.has_missed_deadline());
    assert!(Guard::DeadlineMissed.meaning().contains("since it reached this level"), "what the table says of it");
}

#[test]
fn clocks_that_ask_for_nothing_are_not_due() {
    let mut world = World::new(policy());
    let resolved = resolved_with(&mut world, Vec::new());
    let closed = world.plain(&resolved, &customer("john"), C::Accept);
    assert!(closed.deadline(K::ContestWindow).is_some());
    assert_eq!(next_action_at(&closed), None, "a closed complaint is never due");
    let withdrawn = world.begun("sarah");
    let withdrawn = world.plain(&withdrawn, &customer("john"), C::Withdraw);
    assert_eq!(next_action_at(&withdrawn), None);
    assert!(withdrawn.deadlines.iter().all(|deadline| deadline.ended.is_some()));
}

#[test]
fn an_answer_to_an_open_question_finds_the_next_handler() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let released = world.reason(&asked, &agent("mia"), C::Release);
    assert_eq!(released.status, Status::Queued);
    assert!(released.question.is_some(), "the question stays open");
    let answered = world.text(&released, &customer("john"), C::Post);
    assert_eq!(tag(&world.log.last().unwrap().event), "answered");
    assert_eq!((answered.status, &answered.question), (Status::Queued, &None));
    assert!(answered.unread_since.is_some(), "whoever gets it sees that something waits to be read");
}

#[test]
fn a_proposal_of_somebody_who_is_gone_goes_back_to_the_queue() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    let back = input(C::SendBack, Input { comment: Some("More reasons.".into()), ..Input::default() });
    let there = world.act(&proposed, &agent("maria"), &back);
    assert_eq!((there.status, there.handler.as_ref()), (Status::InProgress, Some(&agent_id("sarah"))));
    world.handler_available = false;
    let gone = world.act(&proposed, &agent("maria"), &back);
    assert_eq!((gone.status, &gone.handler, &gone.proposal), (Status::Queued, &None, &None));
}

#[test]
fn one_step_up_answers_for_a_promise_that_moved_it_up_from_here_before() {
    let mut world = World::new(policy());
    let begun = world.assigned("sarah");
    world.now = due(&begun, K::FirstResponse).unwrap();
    let up = world.tick(begun);
    assert_eq!(up.level, level(2));
    let given = world.given(&up, "maria");
    let taken = world.plain(&given, &agent("maria"), C::Begin);
    let instruction = input(C::HandBack, Input { instruction: Some("Yours.".into()), ..Input::default() });
    let back = world.act(&taken, &agent("maria"), &instruction);
    let gone = world.plain(&back, &customer("john"), C::Withdraw);
    let again = world.plain(&gone, &customer("john"), C::Reinstate);
    // All that was promised anew is broken at once, as after an outage.
    world.now = again.deadlines.iter().filter(|it| it.ended.is_none()).filter_map(|it| it.due_at).max().unwrap();
    assert!(due(&again, K::FirstResponse) <= Some(world.now), "it is promised again, where it was broken before");
    let ticked = world.tick(again);
    assert_eq!(ticked.level, level(2), "and not at the level after it");
}

/// An opportunity that lapsed was neither kept nor broken, also where the decision comes before anybody looks.
#[test]
fn a_decision_after_an_opportunity_is_no_late_one() {
    let british = policy().under(&Policy::pack("uk-fca-disp").unwrap()).unwrap();
    let summary = PromiseKey::new("summary-resolution").unwrap();
    for (late, how) in [(0, Ending::Met), (1, Ending::Cancelled)] {
        let mut world = World::new(british.clone());
        let begun = world.begun("sarah");
        let promise = begun.promise(&summary).unwrap().clone();
        world.now = promise.due_at.unwrap() + TimeDelta::seconds(late);
        let begun = if late == 0 { world.text(&begun, &agent("sarah"), C::Post) } else { begun };
        let resolved = world.resolved(&begun, Vec::new());
        let ended = resolved.deadlines.iter().rev().find(|it| it.promise.is_some() && it.instance == promise.instance);
        assert_eq!(ended.unwrap().ended.map(|it| it.how), Some(how), "{late} s after it");
    }
}

/// A window that opens anew takes nothing from the one that is open, whatever the policy says meanwhile.
#[test]
fn a_window_that_opens_anew_is_never_the_shorter_one() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, replacement());
    let accepted = world.plain(&resolved, &john, C::Accept);
    let given = input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() });
    let closed = world.act(&accepted, &sarah, &given);
    let end = closed.deadline(K::ContestWindow).unwrap().due_at;
    world.policy.targets.contest_window = "1 day".parse().unwrap();
    let failed = input(C::FailRemedy, Input { reason: Some("Nothing came.".into()), ..Input::default() });
    let again = world.act(&closed, &john, &failed);
    assert!(again.deadline(K::ContestWindow).unwrap().due_at >= end);
}

/// Also for whoever embeds the rules without a desk: the command is plain, and why is seen from the facts.
#[test]
fn what_the_system_takes_from_a_handler_says_why() {
    let mut world = World::new(policy());
    let assigned = world.assigned("sarah");
    let (system, release) = (Actor::system(), Command::plain(C::Release));
    let early = world.decide(&assigned, &system, &release, None).unwrap_err();
    assert_eq!(early.code(), "release_not_due");
    let cause = |entries: &[complaint_core::complaint::Entry]| match entries[0].event {
        Event::Released { cause, .. } => cause,
        ref other => panic!("{other:?}"),
    };
    world.now = due(&assigned, K::Acceptance).unwrap();
    let late = world.decide(&assigned, &system, &release, None).unwrap();
    let after = late.iter().fold(assigned.clone(), evolve);
    assert_eq!(cause(&late), ReleaseCause::NotBegun);
    let missed = after.deadlines.iter().any(|it| it.clock == K::Acceptance && it.missed_at.is_some());
    assert!(missed, "the miss is kept");
    assert!(after.exclusion(&agent_id("sarah")).is_some());
    world.handler_available = false;
    let gone = world.decide(&assigned, &system, &release, None).unwrap();
    let after = gone.iter().fold(assigned.clone(), evolve);
    assert_eq!((cause(&gone), after.exclusion(&agent_id("sarah"))), (ReleaseCause::HandlerGone, None));
    let by_hand = Command::with_reason(C::Release, "Too much.");
    assert_eq!(cause(&world.decide(&assigned, &agent("mia"), &by_hand, None).unwrap()), ReleaseCause::ByHand);
}
