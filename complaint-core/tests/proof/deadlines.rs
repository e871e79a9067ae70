//! Deadlines beyond single clocks: golden vectors, explanations, promises of the law, rule packs, rebasing, and who
//! used how much.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::agent::Absence;
use complaint_core::complaint::{Event, Remedy};
use complaint_core::deadline::{
    Calendar, ClockChange, ClockKind as K, Deadline, Ending, Explanation, LevelUsage, PauseCause, Span, SpanUnit,
    StretchKind, usage,
};
use complaint_core::id::{CategoryKey, PromiseKey};
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status, replay};
use complaint_core::notice::{NoticeKind, Recipient, announce};
use complaint_core::policy::{DayZero, PackError, RulePack};
use complaint_core::routing::waits_for;
use complaint_core::{Actor, Agent, Complaint, Policy};
use proptest::prelude::*;

use crate::faults::with_holidays;
use crate::house::{World, admin, agent, agent_id, agents, customer, input, level, policy, replacement};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key(text: &str) -> PromiseKey {
    PromiseKey::new(text).unwrap()
}

fn calendars() -> BTreeMap<String, Calendar> {
    toml::from_str(include_str!("vectors/calendars.toml")).unwrap()
}

fn due(complaint: &Complaint, clock: K) -> Option<DateTime<Utc>> {
    complaint.deadline(clock).and_then(|deadline| deadline.due_at)
}

/// The expectations were worked out by a program of another language that reads the wall clock minute by minute.
#[test]
fn every_golden_vector_holds() {
    let calendars = calendars();
    let mut lines = include_str!("vectors/deadlines.csv").lines();
    assert_eq!(lines.next(), Some("calendar,from,span,due"));
    let (mut held, mut wrong, mut zones, mut spans) = (0, Vec::new(), BTreeSet::new(), BTreeSet::new());
    for line in lines.filter(|line| !line.starts_with('#')) {
        let [calendar, from, span, expected] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let calendar = &calendars[calendar];
        let span: Span = span.parse().unwrap();
        let due = span.due(calendar, at(from));
        zones.insert(calendar.zone().to_owned());
        spans.insert(span.to_string());
        if due == at(expected) { held += 1 } else { wrong.push(format!("{line}, but {due}")) }
    }
    println!("{held} vectors in {} zones, {} spans", zones.len(), spans.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held >= 300 && zones.len() >= 7, "{held} in {zones:?}");
}

/// A policy of a British office: clock changes, a lunch break, bank holidays, half days.
fn british() -> Policy {
    let mut policy = policy();
    policy.calendars.insert("office".into(), calendars()["london"].clone());
    policy.third_party_pauses = true;
    policy
}

fn is_sound(deadline: &Deadline, explained: &Explanation, now: DateTime<Utc>) {
    let stretches = &explained.stretches;
    assert!(!explained.cut, "{deadline:?}");
    assert_eq!(explained.total, Duration::from_micros(deadline.total_micros));
    let mut end = deadline.started_at;
    let mut ran = Duration::ZERO;
    for stretch in stretches {
        assert!(stretch.from == end && stretch.from < stretch.to, "a gap or nothing at {end}: {deadline:?}");
        end = stretch.to;
        if stretch.kind == StretchKind::Ran {
            ran += (stretch.to - stretch.from).to_std().unwrap();
        }
    }
    for pair in stretches.windows(2) {
        assert_ne!(pair[0].kind, pair[1].kind, "{pair:?}");
    }
    assert_eq!(end, explained.until, "{deadline:?}");
    assert_eq!(ran, explained.counted, "what ran is not what is counted: {deadline:?}");
    match (deadline.ended, deadline.due_at, deadline.left_micros) {
        (Some(ended), ..) => assert_eq!(explained.until, ended.at),
        (None, Some(due), _) => {
            assert_eq!(explained.counted, explained.total, "{deadline:?}");
            assert_eq!(explained.until, due.max(now));
        }
        (None, None, left) => {
            assert_eq!(explained.counted + Duration::from_micros(left.unwrap()), explained.total, "{deadline:?}");
            assert_eq!(explained.until, now.max(deadline.segments.last().unwrap().from));
        }
    }
    // 6: ran + paused = elapsed, in the stored segments as well.
    let stored: TimeDelta = deadline.segments.iter().map(|it| it.to.unwrap_or(now) - it.from).sum();
    assert_eq!(stored, deadline.ended.map_or(now, |ended| ended.at) - deadline.started_at);
    for segment in &deadline.segments {
        assert_eq!(segment.cause.is_some(), !segment.ran, "a pause says why: {deadline:?}");
    }
}

fn all_sound(complaint: &Complaint, policy: &Policy, now: DateTime<Utc>) {
    for deadline in &complaint.deadlines {
        is_sound(deadline, &deadline.explain(&policy.working_calendar(), now, 100_000), now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Begins near a clock change or Christmas as often as not; asks, holds, promises remedies, writes, hands on.
    #[test]
    fn every_explanation_adds_up(
        begin in 0_usize..5,
        minute in 0_i64..20_000,
        steps in proptest::collection::vec((0_usize..8, prop_oneof![0_i64..540_000, 0_i64..100]), 1..14),
    ) {
        let begins = ["2026-03-20T09:00:00Z", "2026-10-15T09:00:00Z", "2026-12-18T09:00:00Z", "2026-06-01T00:00:00Z",
            "2027-12-20T22:00:00Z"];
        let mut world = World::new(british());
        world.now = at(begins[begin]) + TimeDelta::minutes(minute);
        let mut it = world.begun("sarah");
        all_sound(&it, &world.policy, world.now);
        for (step, wait) in steps {
            world.later(TimeDelta::seconds(wait));
            let sarah = agent("sarah");
            let until = Some(world.now.date_naive() + TimeDelta::days(9));
            it = match (step, it.status) {
                (0, Status::InProgress) => world.text(&it, &sarah, C::Ask),
                (1, Status::InProgress) => {
                    let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
                    world.act(&it, &sarah, &input(C::Hold, hold))
                }
                (2, Status::InProgress) => world.resolved(&it, replacement()),
                (3, Status::InProgress) => world.resolved(&it, Vec::<Remedy>::new()),
                (_, Status::AwaitingCustomer) => world.text(&it, &customer("john"), C::Answer),
                (_, Status::AwaitingThirdParty) => world.plain(&it, &sarah, C::Resume),
                (4, Status::InProgress | Status::Resolved) => world.text(&it, &customer("john"), C::Post),
                (5, Status::Resolved) if it.unread_since.is_some() => world.plain(&it, &sarah, C::Read),
                (6, _) => {
                    world.policy.version += 1;
                    let days = u32::try_from(wait % 9).unwrap() + 3;
                    world.policy.targets.resolution = Span::new(days, SpanUnit::WorkingDays);
                    world.reason(&it, &admin(), C::Rebase)
                }
                _ => it,
            };
            all_sound(&it, &world.policy, world.now);
        }
        prop_assert_eq!(replay(&world.log).unwrap(), it);
    }

    /// A pause moves what is due by the whole minutes of it that would have counted: by nothing where it was a moment.
    #[test]
    fn a_pause_counts_in_whole_minutes(
        minute in 0_i64..20_000,
        paused in prop_oneof![0_i64..60_000_000, 0_i64..500_000_000_000],
        again in 0_i64..60_000_000,
    ) {
        let mut world = World::new(british());
        world.now = at("2026-03-20T09:00:00Z") + TimeDelta::minutes(minute);
        let begun = world.begun("sarah");
        let calendar = world.policy.working_calendar();
        let mut it = begun;
        for lasted in [paused, again] {
            world.later(TimeDelta::seconds(1_234));
            let before = it.clone();
            let asked_at = world.now;
            it = world.text(&it, &agent("sarah"), C::Ask);
            world.later(TimeDelta::microseconds(lasted));
            it = world.text(&it, &customer("john"), C::Answer);
            let counted = calendar.between(asked_at, world.now).as_secs() / 60 * 60;
            for clock in [K::Resolution, K::Level] {
                let (was, is) = (due(&before, clock).unwrap(), due(&it, clock).unwrap());
                if was > asked_at {
                    prop_assert_eq!(calendar.between(was, is), Duration::from_secs(counted), "{:?}", clock);
                    prop_assert!(counted > 0 || was == is, "{:?}: {} became {}", clock, was, is);
                } else {
                    prop_assert_eq!(was, is, "{:?}: broken before the pause", clock);
                }
            }
            all_sound(&it, &world.policy, world.now);
        }
        prop_assert_eq!(replay(&world.log).unwrap(), it);
    }
}

/// Due at closing time, it does not wait for the next opening because somebody asked and had the answer at once.
#[test]
fn a_moment_s_pause_moves_nothing_over_a_closing() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let promised = due(&begun, K::Resolution).unwrap();
    assert_eq!(promised, at("2026-12-21T17:00:00Z"));
    world.now = at("2026-11-24T10:00:00Z");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    world.later(TimeDelta::milliseconds(11));
    let answered = world.text(&asked, &customer("john"), C::Answer);
    assert_eq!(due(&answered, K::Resolution), Some(promised));
    assert_eq!(answered.deadline(K::Resolution).unwrap().segments.len(), 1, "it leaves no trace");
    let asked = world.text(&answered, &agent("sarah"), C::Ask);
    world.later(TimeDelta::milliseconds(60_500));
    let answered = world.text(&asked, &customer("john"), C::Answer);
    assert_eq!(due(&answered, K::Resolution), Some(at("2026-12-22T09:01:00Z")), "a minute is a minute");
}

#[test]
fn an_explanation_tells_why_this_instant() {
    let mut world = World::new(british());
    // Wednesday before Christmas, after lunch.
    world.now = at("2026-12-23T14:00:00Z");
    let begun = world.begun("sarah");
    let level_clock = |complaint: &Complaint| complaint.deadline(K::Level).unwrap().clone();
    world.now = at("2026-12-23T16:00:00Z");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    world.now = at("2026-12-24T10:00:00Z");
    let answered = world.text(&asked, &customer("john"), C::Answer);
    let calendar = world.policy.working_calendar();
    let clock = level_clock(&answered);
    let explained = clock.explain(&calendar, world.now, 6);
    let told: Vec<_> = explained.stretches.iter().map(|it| (it.from, it.to, it.kind)).collect();
    let expected = [
        ("2026-12-23T14:00:00Z", "2026-12-23T16:00:00Z", StretchKind::Ran),
        ("2026-12-23T16:00:00Z", "2026-12-24T10:00:00Z", StretchKind::Paused(Some(PauseCause::AwaitingCustomer))),
        ("2026-12-24T10:00:00Z", "2026-12-24T12:00:00Z", StretchKind::Ran),
        ("2026-12-24T12:00:00Z", "2026-12-29T09:00:00Z", StretchKind::Closed),
        ("2026-12-29T09:00:00Z", "2026-12-29T12:30:00Z", StretchKind::Ran),
        ("2026-12-29T12:30:00Z", "2026-12-29T13:30:00Z", StretchKind::Closed),
    ];
    assert_eq!(told, expected.map(|(from, to, kind)| (at(from), at(to), kind)));
    assert!(explained.cut, "six were asked for");
    // The sum does not depend on how much is listed.
    assert_eq!((explained.counted, explained.until), (explained.total, clock.due_at.unwrap()));
    is_sound(&clock, &clock.explain(&calendar, world.now, 1_000), world.now);
    assert!(clock.explain(&calendar, world.now, 0).stretches.is_empty());

    // Nobody acts: what comes after the end is told apart.
    world.now = clock.due_at.unwrap() + TimeDelta::days(3);
    let late = clock.explain(&calendar, world.now, 1_000);
    let last = late.stretches.last().unwrap();
    assert_eq!((last.from, last.to, last.kind), (clock.due_at.unwrap(), world.now, StretchKind::Over));
    assert_eq!(late.counted, late.total);
}

#[test]
fn a_calendar_that_is_changed_later_moves_the_end_of_no_explanation() {
    let changed = with_holidays(&["2026-11-26".parse().unwrap()]);
    let as_it_was = policy().working_calendar();
    for (promised_on, explained_on, due_at) in
        [(&as_it_was, &changed, "2026-12-21T17:00:00Z"), (&changed, &as_it_was, "2026-12-22T17:00:00Z")]
    {
        let mut world = World::new(policy());
        world.policy.calendars.insert("office".into(), promised_on.clone());
        let begun = world.begun("sarah");
        let (clock, due_at) = (begun.deadline(K::Resolution).unwrap(), at(due_at));
        assert_eq!(clock.due_at, Some(due_at));
        let explained = clock.explain(explained_on, world.now, 1_000);
        assert_eq!((explained.until, explained.counted), (due_at, explained.total));
        assert_eq!(explained.stretches.last().map(|it| (it.to, it.kind)), Some((due_at, StretchKind::Ran)));
        let now = due_at + TimeDelta::days(19);
        let late = clock.explain(explained_on, now, 1_000);
        assert_eq!((late.until, late.counted), (now, late.total));
        assert_eq!(late.stretches.last().map(|it| (it.from, it.kind)), Some((due_at, StretchKind::Over)));
    }
}

#[test]
fn a_pause_says_why() {
    let mut world = World::new(british());
    let begun = world.begun("sarah");
    let until = Some(world.now.date_naive() + TimeDelta::days(9));
    let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
    let waiting = world.act(&begun, &agent("sarah"), &input(C::Hold, hold));
    let cause = |complaint: &Complaint, clock| complaint.deadline(clock).unwrap().segments.last().unwrap().cause;
    assert_eq!(cause(&waiting, K::Level), Some(PauseCause::AwaitingThirdParty));
    let resumed = world.plain(&waiting, &agent("sarah"), C::Resume);
    assert_eq!(cause(&resumed, K::Level), None);
    let owing = world.resolved(&resumed, replacement());
    assert_eq!(cause(&owing, K::AutoClose), Some(PauseCause::OutstandingRemedy));
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let written = world.text(&resolved, &customer("john"), C::Post);
    assert_eq!(cause(&written, K::AutoClose), Some(PauseCause::UnreadMessage));
}

fn under(pack: &str) -> Policy {
    british().under(&Policy::pack(pack).unwrap()).unwrap()
}

fn payments(policy: &mut Policy) -> CategoryKey {
    policy.categories[1].groups.insert(CategoryKey::new("payment-services").unwrap());
    policy.categories[1].key.clone()
}

/// The running promises of the law, with their due instants.
fn promises(complaint: &Complaint) -> Vec<(String, DateTime<Utc>)> {
    let running = complaint.deadlines.iter().filter(|it| it.clock == K::Statutory && it.ended.is_none());
    running.map(|it| (it.promise.as_ref().unwrap().key.to_string(), it.due_at.unwrap())).collect()
}

fn named(list: &[(&str, &str)]) -> Vec<(String, DateTime<Utc>)> {
    list.iter().map(|(name, due)| ((*name).to_owned(), at(due))).collect()
}

#[test]
fn a_british_firm_has_three_days_for_a_summary_and_eight_weeks_for_a_final_response() {
    let mut policy = under("uk-fca-disp");
    policy.targets.first_response = "30 working days".parse().unwrap();
    let mut world = World::new(policy);
    world.now = at("2026-03-02T15:00:00Z");
    let fresh = world.submitted();
    // Monday 2 March; the eighth week ends in summer time, at midnight.
    let expected = [("final-response", "2026-04-27T23:00:00Z"), ("summary-resolution", "2026-03-05T17:00:00Z")];
    assert_eq!(promises(&fresh), named(&expected));
    assert_eq!(due(&fresh, K::Statutory), Some(at("2026-04-27T23:00:00Z")), "what lapses is no duty");
    let written = world.clone().text(&fresh, &agent("mia"), C::Post);
    let promised = written.promised(world.now).unwrap();
    assert!(!promised.lapses() && written.promised_at() == promised.due_at, "nor told as a promise: {promised:?}");
    assert_eq!(due(&fresh, K::Acknowledgement), Some(at("2026-03-03T17:00:00Z")));
    let fresh = world.plain(&fresh, &agent("mia"), C::Acknowledge);

    // At its last instant it is there.
    world.now = at("2026-03-05T17:00:00Z");
    assert_eq!(promises(&world.clone().text(&fresh, &agent("mia"), C::Note)), named(&expected));
    // The opportunity lapses without a word: no warning, no alarm, no escalation, nothing broken.
    world.now = at("2026-03-05T17:00:01Z");
    let asked = world.decide(&fresh, &customer("john"), &Command::with_reason(C::Escalate, "Late."), None);
    assert!(asked.is_err(), "no promise was broken");
    let mia = |hours| {
        let back = world.now + TimeDelta::hours(hours);
        let absence = Some(Absence { from: world.now, until: back });
        Agent { absence, ..agents().into_iter().find(|agent| agent.id.as_str() == "mia").unwrap() }
    };
    assert!(waits_for(&fresh, &mia(1), world.now), "what lapsed is nothing that is overdue");
    let ticked = world.tick(fresh);
    let about_law = |entry: &&complaint_core::complaint::Entry| {
        matches!(entry.event, Event::Warned { clock: K::Statutory, .. } | Event::Alarmed { clock: K::Statutory })
    };
    assert_eq!(world.log.iter().filter(about_law).count(), 0);
    let noted = world.text(&ticked, &agent("mia"), C::Note);
    let summary = noted.deadlines.iter().find(|it| it.lapses()).unwrap();
    assert_eq!(summary.ended.unwrap().how, Ending::Cancelled);
    assert_eq!(promises(&noted), named(&expected[..1]));
    // It does not come back with a complaint that was away.
    let away = world.plain(&noted, &customer("john"), C::Withdraw);
    let back = world.plain(&away, &customer("john"), C::Reinstate);
    assert_eq!(promises(&back), named(&expected[..1]));

    // Settled in time: the summary is the answer, and the right to an ombudsman is told with it.
    let mut world = World::new(under("uk-fca-disp"));
    world.now = at("2026-03-02T15:00:00Z");
    let begun = world.begun("sarah");
    world.now = at("2026-03-05T17:00:00Z");
    let settle = input(C::ResolveAtSource, Input { explanation: Some("Settled.".into()), ..Input::default() });
    let settled = world.act(&begun, &agent("sarah"), &settle);
    let how = |lapses: bool| {
        let law = settled.deadlines.iter().find(|it| it.clock == K::Statutory && it.lapses() == lapses);
        law.unwrap().ended.unwrap().how
    };
    assert_eq!((how(true), how(false)), (Ending::Met, Ending::Met));
    // A second later the opportunity is over, and was not missed: it was never a duty.
    let mut late = world.clone();
    late.now = at("2026-03-05T17:00:01Z");
    let settled = late.act(&begun, &agent("sarah"), &settle);
    let of_law = |lapses| settled.deadlines.iter().find(move |it| it.clock == K::Statutory && it.lapses() == lapses);
    let how = [true, false].map(|lapses| of_law(lapses).unwrap().ended.unwrap().how);
    assert_eq!(how, [Ending::Cancelled, Ending::Met]);
    let letter = announce(Some(&begun), &settled, &world.log[world.log.len() - 1..], &world.policy);
    let text = letter.iter().find(|it| it.kind == NoticeKind::Decision).unwrap().text.clone().unwrap();
    assert!(text.contains("We consider your complaint resolved") && text.contains("Financial Ombudsman"), "{text}");
}

#[test]
fn payment_complaints_have_fifteen_business_days_or_with_a_holding_reply_thirty_five() {
    let mut policy = under("uk-fca-disp");
    let category = payments(&mut policy);
    let mut world = World::new(policy);
    world.now = at("2026-03-20T10:00:00Z");
    let mut about = crate::house::submission();
    about.category = category;
    let fresh = world.submitted_with(&about);
    let reply = ("payment-reply", "2026-04-14T16:00:00Z");
    let last = ("payment-final-response", "2026-05-13T16:00:00Z");
    assert_eq!(promises(&fresh), named(&[last, reply, ("summary-resolution", "2026-03-25T17:00:00Z")]));
    assert_eq!(due(&fresh, K::Statutory), Some(at(reply.1)), "the first duty");

    let given = world.given(&fresh, "sarah");
    let begun = world.plain(&given, &agent("sarah"), C::Begin);
    world.later(TimeDelta::days(10));
    let told = world.text(&begun, &agent("sarah"), C::Post);
    assert_eq!(due(&told, K::Statutory), Some(at(reply.1)), "a message is no holding reply");
    let until = Some(world.now.date_naive() + TimeDelta::days(20));
    let hold = Input { party: Some("The card scheme".into()), until, ..Input::default() };
    let waiting = world.act(&told, &agent("sarah"), &input(C::Hold, hold));
    let kept =
        waiting.deadlines.iter().find(|it| it.promise.as_ref().is_some_and(|it| it.key == key(reply.0))).unwrap();
    assert_eq!(kept.ended.unwrap().how, Ending::Met);
    assert_eq!(due(&waiting, K::Statutory), Some(at(last.1)));
    let resumed = world.plain(&waiting, &agent("sarah"), C::Resume);
    assert_eq!(promises(&resumed), named(&[last]), "the reply is not asked for again");

    // Without it, the alarm is about the reply: the customer learns which instant passed and where to turn.
    let mut world = World { now: at(reply.1), ..world };
    let late = world.tick(begun.clone());
    let alarm = world.log.iter().rposition(|it| it.event == Event::Alarmed { clock: K::Statutory }).unwrap();
    let missed = ClockChange::Missed { clock: K::Statutory, instance: kept.instance };
    assert!(world.log[alarm].clocks.contains(&missed), "{:?}", world.log[alarm].clocks);
    let notices = announce(Some(&begun), &late, &world.log[alarm..=alarm], &world.policy);
    let to_john = notices.iter().find(|it| matches!(it.recipient, Recipient::Customer(_))).unwrap();
    assert_eq!((to_john.kind, to_john.due_at), (NoticeKind::Missed(K::Statutory), Some(at(reply.1))));
    assert!(to_john.text.as_ref().unwrap().contains("You may refer your complaint to the Financial Ombudsman"));
    assert_eq!(late.promise(&key(last.0)).unwrap().missed_at, None);
    all_sound(&late, &world.policy, world.now);
    // The next alarm is about the next promise, although the first is still waited for.
    world.now = at(last.1);
    let before = world.log.len();
    let later = world.tick(late.clone());
    let alarm = world.log[before..].iter().position(|it| it.event == Event::Alarmed { clock: K::Statutory }).unwrap();
    let alarm = before + alarm;
    let notices = announce(Some(&late), &later, &world.log[alarm..=alarm], &world.policy);
    assert!(!notices.is_empty() && notices.iter().all(|it| it.due_at == Some(at(last.1))), "{notices:?}");
}

#[test]
fn a_company_under_the_cfpb_responds_in_fifteen_days_and_finally_in_sixty() {
    let mut policy = under("us-cfpb");
    policy.calendars.insert("office".into(), calendars()["new-york"].clone());
    let mut world = World::new(policy);
    world.now = at("2026-10-20T15:00:00Z");
    let begun = world.begun("sarah");
    let expected = [("final-response", "2026-12-20T05:00:00Z"), ("response", "2026-11-05T05:00:00Z")];
    assert_eq!(promises(&begun), named(&expected));
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    assert_eq!(promises(&asked), named(&expected[..1]), "a first response by a person; the law does not pause");
    world.now = at("2026-12-20T05:00:00Z");
    let late = world.tick(asked);
    assert!(late.promise(&key("final-response")).unwrap().missed_at.is_some());
}

#[test]
fn day_zero_is_the_receipt_or_the_next_opening() {
    let mut policy = under("uk-fca-disp");
    let strict = policy.statutory[&key("summary-resolution")].clone();
    let calendar = policy.working_calendar();
    let mut lenient = strict.clone();
    lenient.day_zero = DayZero::NextOpening;
    for (received, by_receipt, by_opening) in [
        // Monday, open; Monday before opening; Monday after closing; Saturday; Good Friday.
        ("2026-07-06T10:00:00Z", "2026-07-09T16:00:00Z", "2026-07-09T16:00:00Z"),
        ("2026-07-06T05:00:00Z", "2026-07-09T16:00:00Z", "2026-07-09T16:00:00Z"),
        ("2026-07-06T17:00:00Z", "2026-07-09T16:00:00Z", "2026-07-10T16:00:00Z"),
        ("2026-07-11T10:00:00Z", "2026-07-15T16:00:00Z", "2026-07-16T16:00:00Z"),
        ("2026-04-03T10:00:00Z", "2026-04-09T16:00:00Z", "2026-04-10T16:00:00Z"),
    ] {
        assert_eq!(strict.due(&calendar, at(received)), at(by_receipt), "{received}");
        assert_eq!(lenient.due(&calendar, at(received)), at(by_opening), "{received}");
        policy.statutory.insert(key("lenient"), lenient.clone());
        let mut world = World::new(policy.clone());
        world.now = at(received);
        let complaint = world.submitted();
        assert_eq!(complaint.promise(&key("lenient")).unwrap().due_at, Some(at(by_opening)));
        all_sound(&complaint, &world.policy, world.now);
    }
}

#[test]
fn a_promise_is_for_its_days_of_receipt_and_its_categories() {
    let mut policy = british();
    policy.statutory.clear();
    let promise = |from: Option<&str>, until: Option<&str>| {
        let mut promise = Policy::standard().statutory[&key("final-response")].clone();
        promise.from = from.map(|day| day.parse().unwrap());
        promise.until = until.map(|day| day.parse().unwrap());
        promise
    };
    policy.statutory.insert(key("old"), promise(None, Some("2026-06-30")));
    policy.statutory.insert(key("new"), promise(Some("2026-07-01"), None));
    let category = payments(&mut policy);
    let mut only = promise(None, None);
    only.categories.insert(CategoryKey::new("payment-services").unwrap());
    policy.statutory.insert(key("payments"), only);
    let of = |category: &CategoryKey, received: &str| {
        policy.promises_for(category, at(received)).map(|(key, _)| key.to_string()).collect::<Vec<_>>()
    };
    let other = policy.categories[0].key.clone();
    // 23:30 in London is July already by the clock of UTC plus one.
    assert_eq!(of(&other, "2026-06-30T22:59:59Z"), ["old"]);
    assert_eq!(of(&other, "2026-06-30T23:00:00Z"), ["new"]);
    assert_eq!(of(&category, "2026-07-01T12:00:00Z"), ["new", "payments"]);
}

#[test]
fn a_policy_that_promises_more_does_so_for_new_complaints_and_rebased_ones() {
    let mut world = World::new(british());
    let begun = world.begun("sarah");
    world.policy = Policy { version: 2, ..under("us-cfpb") };
    let noted = world.text(&begun, &agent("sarah"), C::Note);
    assert_eq!(noted.deadlines, begun.deadlines, "another policy starts nothing on its own");
    let rebased = world.reason(&noted, &admin(), C::Rebase);
    let promised: Vec<String> = promises(&rebased).into_iter().map(|(name, _)| name).collect();
    assert_eq!(promised, ["final-response", "response"]);
    let response = rebased.promise(&key("response")).unwrap();
    assert_eq!((response.started_at, response.policy_version), (begun.received_at, 2));
    // Sixty days would be later than eight weeks.
    let final_response = rebased.promise(&key("final-response")).unwrap();
    assert_eq!((final_response.due_at, final_response.policy_version), (due(&begun, K::Statutory), 1));
}

#[test]
fn rebasing_moves_what_runs_and_is_on_record() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    world.later(TimeDelta::hours(24));
    let answered = world.text(&asked, &customer("john"), C::Answer);
    world.policy.version = 7;
    world.policy.targets.resolution = "3 working days".parse().unwrap();
    world.policy.levels[0].target = "12 working hours".parse().unwrap();
    let rebased = world.reason(&answered, &admin(), C::Rebase);
    let [.., entry, revised] = &world.log[..] else { panic!("{:?}", world.log) };
    // The time at a level is no business of the customer's.
    assert_eq!(revised.event, Event::Revised { category: None, clocks: vec![K::Resolution] });
    assert_eq!((&entry.event, entry.by.clone()), (&Event::Rebased { policy_version: 7 }, admin().party().clone()));
    assert_eq!(entry.words.get("reason"), Some("Because."));
    // From Tuesday 09:30 on, for until then the customer was asked: 47 and a half hours, then twelve.
    assert_eq!(due(&answered, K::Level), Some(at("2026-12-01T17:00:00Z")));
    assert_eq!(due(&rebased, K::Level), Some(at("2026-11-25T13:30:00Z")));
    assert_eq!(due(&rebased, K::Resolution), Some(at("2026-11-27T17:00:00Z")));
    for clock in [K::Level, K::Resolution] {
        assert_eq!(rebased.deadline(clock).unwrap().policy_version, 7, "{clock:?}");
        assert_eq!(rebased.deadline(clock).unwrap().segments, answered.deadline(clock).unwrap().segments);
    }
    // The last quarter and the last tenth of twelve hours.
    let warnings = ["2026-11-25T10:30:00Z", "2026-11-25T12:18:00Z"].map(at);
    assert_eq!(rebased.deadline(K::Level).unwrap().warn_at, Some(warnings));
    assert_eq!(rebased.deadline(K::Statutory), answered.deadline(K::Statutory), "what does not move is not made anew");
    all_sound(&rebased, &world.policy, world.now);
    // Once more changes no clock.
    let again = world.reason(&rebased, &Actor::system(), C::Rebase);
    assert_eq!(again.deadlines, rebased.deadlines);
    assert_eq!(replay(&world.log).unwrap(), again);

    // Who may, and with what.
    let refused = |world: &World, actor: &Actor, command: &Command| {
        world.decide(&again, actor, command, None).unwrap_err().failed.into_iter().map(|it| it.code).collect::<Vec<_>>()
    };
    let why = Command::with_reason(C::Rebase, "A new policy.");
    for actor in [customer("john"), agent("sarah"), agent("omar")] {
        assert_eq!(refused(&world, &actor, &why), ["not_permitted"]);
    }
    assert_eq!(refused(&world, &admin(), &Command::plain(C::Rebase)), ["missing"]);
}

#[test]
fn rebasing_a_paused_clock_leaves_it_paused_with_what_is_left() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.now = at("2026-11-23T13:30:00Z");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    world.policy.levels[0].target = "6 working hours".parse().unwrap();
    let rebased = world.reason(&asked, &admin(), C::Rebase);
    let clock = rebased.deadline(K::Level).unwrap();
    assert_eq!((clock.due_at, clock.warn_at), (None, None));
    assert_eq!(clock.left_micros, Some(2 * 3_600_000_000), "four of six hours are used");
    all_sound(&rebased, &world.policy, world.now);
    // Less than what is used: nothing is left, and it has run out as soon as it goes on.
    world.policy.levels[0].target = "3 working hours".parse().unwrap();
    let used_up = world.reason(&rebased, &admin(), C::Rebase);
    assert_eq!(used_up.deadline(K::Level).unwrap().left_micros, Some(0));
    let mut running = world.clone();
    let answered = running.text(&used_up, &customer("john"), C::Answer);
    assert_eq!(due(&answered, K::Level), Some(running.now));
    // While it runs, it ran out when the time was used up.
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let answered = world.text(&asked, &customer("john"), C::Answer);
    world.now = at("2026-11-23T16:30:00Z");
    world.policy.levels[0].target = "3 working hours".parse().unwrap();
    let over = world.reason(&answered, &admin(), C::Rebase);
    assert_eq!(due(&over, K::Level), Some(at("2026-11-23T12:30:00Z")));
    all_sound(&over, &world.policy, world.now);
}

#[test]
fn rebasing_never_takes_time_from_the_customer_nor_gives_any_to_the_house_against_the_law() {
    let spans = |world: &mut World, days: u32| {
        let span: Span = format!("{days} days").parse().unwrap();
        let targets = &mut world.policy.targets;
        (targets.silence, targets.auto_close, targets.contest_window) = (span, span, span);
        world.policy.statutory.values_mut().for_each(|promise| promise.within = span);
    };
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let mut other = world.clone();
    let begun = other.begun("ben");
    let resolved = other.resolved(&begun, Vec::new());
    for (days, longer) in [(3, false), (100, true)] {
        spans(&mut world, days);
        spans(&mut other, days);
        let silence = world.clone().reason(&asked, &admin(), C::Rebase);
        assert_eq!(due(&silence, K::Silence) > due(&asked, K::Silence), longer, "{days} days");
        assert_eq!(due(&silence, K::Statutory) < due(&asked, K::Statutory), !longer, "{days} days");
        assert!(due(&silence, K::Silence) >= due(&asked, K::Silence));
        assert!(due(&silence, K::Statutory) <= due(&asked, K::Statutory));
        let promise = |complaint: &Complaint| complaint.deadline(K::Statutory).unwrap().promise.clone();
        assert_eq!(promise(&silence), promise(&asked));
        let windows = other.clone().reason(&resolved, &admin(), C::Rebase);
        for clock in [K::AutoClose, K::ContestWindow] {
            assert_eq!(due(&windows, clock) > due(&resolved, clock), longer, "{clock:?} {days} days");
            assert!(due(&windows, clock) >= due(&resolved, clock), "{clock:?} {days} days");
        }
    }
}

#[test]
fn rebasing_leaves_what_was_missed_as_it_was() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    world.now = due(&begun, K::Statutory).unwrap();
    let late = world.tick(begun);
    let missed: Vec<_> = late.deadlines.iter().filter(|it| it.missed_at.is_some()).cloned().collect();
    assert!(missed.iter().any(|it| it.ended.is_none()), "something is missed and still waited for");
    world.policy.version = 2;
    world.policy.statutory.values_mut().for_each(|promise| promise.within = "1 week".parse().unwrap());
    world.policy.levels[2].target = "90 working days".parse().unwrap();
    world.policy.targets.resolution = "90 working days".parse().unwrap();
    let rebased = world.reason(&late, &admin(), C::Rebase);
    for deadline in missed {
        assert!(rebased.deadlines.contains(&deadline), "{deadline:?} moved");
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours)
}

fn shares(usage: &LevelUsage) -> Vec<(Option<String>, Duration)> {
    usage.holders.iter().map(|it| (it.holder.as_ref().map(ToString::to_string), it.used)).collect()
}

#[test]
fn blame_is_kept_per_level_and_holder() {
    let mut policy = policy();
    policy.levels[0].target = "8 working hours".parse().unwrap();
    let mut world = World::new(policy);
    // Monday 09:30 it comes in; sarah has it from 10:00, ben from 12:00, and asks from 13:00 to 15:00.
    let fresh = world.submitted();
    world.now = at("2026-11-23T10:00:00Z");
    let given = world.given(&fresh, "sarah");
    let begun = world.plain(&given, &agent("sarah"), C::Begin);
    world.now = at("2026-11-23T12:00:00Z");
    let to_ben = Input { agent: Some(agent_id("ben")), reason: Some("Holiday.".into()), ..Input::default() };
    let moved = world.act(&begun, &agent("mia"), &input(C::Reassign, to_ben));
    let moved = world.plain(&moved, &agent("ben"), C::Begin);
    world.now = at("2026-11-23T13:00:00Z");
    let asked = world.text(&moved, &agent("ben"), C::Ask);
    world.now = at("2026-11-23T15:00:00Z");
    let answered = world.text(&asked, &customer("john"), C::Answer);
    // Ben keeps it over night and escalates on Tuesday at 09:30.
    world.now = at("2026-11-24T09:30:00Z");
    let up = world.reason(&answered, &agent("ben"), C::Escalate);
    let used = usage(&world.log, &world.policy, world.now);
    assert_eq!(used.len(), 2);
    assert_eq!(used[0].to_string(), "level 1 used 6 of 8 working hours");
    assert_eq!((used[0].level, used[0].total, used[0].used), (level(1), hours(8), hours(6)));
    let half = Duration::from_mins(30);
    let expected = [(None, half), (Some("sarah".into()), hours(2)), (Some("ben".into()), hours(3) + half)];
    assert_eq!(shares(&used[0]), expected);
    assert_eq!((used[1].level, used[1].used, used[1].to), (level(2), Duration::ZERO, None));

    // Level 2 counts on its own; its time so far runs until now.
    world.now = at("2026-11-24T11:30:00Z");
    let given = world.given(&up, "maria");
    let begun = world.plain(&given, &agent("maria"), C::Begin);
    world.now = at("2026-11-24T14:30:00Z");
    let used = usage(&world.log, &world.policy, world.now);
    assert_eq!(shares(&used[1]), [(None, hours(2)), (Some("maria".into()), hours(3))]);
    assert_eq!(used[1].to_string(), "level 2 used 5 h of 47 h 30 min (5 working days)");
    // Handed back, level 1 begins anew; the first stay is untouched.
    let back = input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() });
    world.act(&begun, &agent("maria"), &back);
    let again = usage(&world.log, &world.policy, world.now + TimeDelta::minutes(90));
    assert_eq!(again.iter().map(|it| (it.level.get(), it.stay)).collect::<Vec<_>>(), [(1, 1), (2, 2), (1, 3)]);
    assert_eq!(again[0].used, hours(6));
    assert_eq!(again[2].to_string(), "level 1 used 1 h 30 min of 8 working hours");
    assert!(usage(&[], &world.policy, world.now).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever held it when: the shares add up to what the level used, and that is what its clock explains.
    #[test]
    fn shares_add_up(steps in proptest::collection::vec((0_usize..7, 0_i64..2_000), 1..20)) {
        let mut world = World::new(british());
        let mut it = world.submitted();
        for (step, wait) in steps {
            world.later(TimeDelta::minutes(wait));
            let holder = it.handler.clone().map(|id| agent(id.as_str()));
            let (free, other) = if it.level == level(1) { ("sarah", "ben") } else { ("maria", "max") };
            it = match (step, it.status, holder) {
                (0..=2, Status::Queued, _) => {
                    let to = input(C::Assign, Input { agent: Some(agent_id(free)), ..Input::default() });
                    let fits = world.decide(&it, &admin(), &to, None).is_ok();
                    if fits { world.act(&it, &admin(), &to) } else { it }
                }
                (_, Status::Assigned, Some(holder)) => world.plain(&it, &holder, C::Begin),
                (1, Status::InProgress, Some(holder)) => world.text(&it, &holder, C::Ask),
                (2, Status::InProgress, Some(holder)) if it.level < level(2) => world.reason(&it, &holder, C::Escalate),
                (3, Status::InProgress, Some(holder)) => {
                    let next = if holder == agent(free) { other } else { free };
                    let to = Input { agent: Some(agent_id(next)), reason: Some("x".into()), ..Input::default() };
                    world.act(&it, &agent("ora"), &input(C::Reassign, to))
                }
                (4, Status::InProgress, _) => world.reason(&it, &agent("ora"), C::Release),
                (_, Status::AwaitingCustomer, _) => world.text(&it, &customer("john"), C::Answer),
                _ => it,
            };
            let used = usage(&world.log, &world.policy, world.now);
            let clocks: Vec<_> = it.deadlines.iter().filter(|it| it.clock == K::Level).collect();
            prop_assert_eq!(used.len(), clocks.len());
            for (used, clock) in used.iter().zip(clocks) {
                prop_assert_eq!(used.used, used.holders.iter().map(|it| it.used).sum::<Duration>());
                let explained = clock.explain(&world.policy.working_calendar(), used.to.unwrap_or(world.now), 100_000);
                let to_now = explained.stretches.iter().filter(|it| it.kind == StretchKind::Ran)
                    .map(|it| (it.to.min(world.now) - it.from).to_std().unwrap_or_default()).sum::<Duration>();
                prop_assert_eq!(used.used.min(used.total), to_now);
            }
        }
    }
}

/// What a pack makes of the standard house rules. A file that is missing is written by `COMPLAINT_GOLDEN=write`.
#[test]
fn every_rule_pack_resolves_to_what_it_ever_did() {
    for name in RulePack::NAMES {
        let pack = Policy::pack(name).unwrap();
        assert_eq!(pack.name(), name);
        assert!(
            !pack.title().is_empty()
                && !pack.notes().is_empty()
                && pack.as_of() < at("2027-01-01T00:00:00Z").date_naive()
        );
        let resolved = Policy::standard().under(&pack).unwrap();
        let now = resolved.to_toml().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/proof/packs/{name}.toml"));
        if !path.exists() && std::env::var("COMPLAINT_GOLDEN").as_deref() == Ok("write") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no golden file for `{name}`"));
        assert_eq!(stored, now, "{name} resolves to something else");
        assert_eq!(Policy::from_toml(&stored).unwrap(), resolved, "{name}");
        // Over itself it changes nothing.
        assert_eq!(resolved.under(&pack).unwrap(), resolved, "{name}");
    }
}

#[test]
fn a_pack_brings_nothing_to_complain_about() {
    let found = |policy: &Policy| policy.lint().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    for house in [Policy::standard(), british()] {
        for name in ["iso-10002", "uk-fca-disp", "us-cfpb", "municipal"] {
            let Ok(under) = house.under(&Policy::pack(name).unwrap()) else { continue };
            let new: Vec<String> = found(&under).difference(&found(&house)).cloned().collect();
            assert!(new.is_empty(), "{name}: {new:#?}");
        }
    }
}

#[test]
fn a_pack_leaves_to_the_house_what_it_does_not_say() {
    let house = british();
    let municipal = house.under(&Policy::pack("municipal").unwrap()).unwrap();
    let limits =
        |policy: &Policy| policy.levels.iter().map(|it| (it.name.clone(), it.authority.clone())).collect::<Vec<_>>();
    assert_eq!(limits(&municipal), limits(&house), "authority stays");
    let targets: Vec<String> = municipal.levels.iter().map(|it| it.target.to_string()).collect();
    assert_eq!(targets, ["1 working hour", "4 working hours", "24 working hours"]);
    assert_eq!((&municipal.calendars, &municipal.categories), (&house.calendars, &house.categories));
    assert_eq!(municipal.statutory, house.statutory);
    // One pack over another.
    let both = municipal.under(&Policy::pack("us-cfpb").unwrap()).unwrap();
    assert_eq!(both.statutory[&key("final-response")].within.to_string(), "60 calendar days");
    assert_eq!(both.levels, municipal.levels);
    // A ladder longer than that of the house grows it.
    let mut short = house.clone();
    short.levels.truncate(1);
    let named = "[pack]\nname = 'x'\ntitle = 'X'\nas_of = '2026-01-01'\nnotes = 'x'\n[pack.sources]\n";
    let text = format!(
        "{named}levels = 'us'\n[[levels]]\nname = 'One'\ntarget = '1 hour'\n[[levels]]\nname = 'Two'\ntarget = '2 hours'\n"
    );
    let longer = short.under(&RulePack::from_toml(&text).unwrap()).unwrap();
    assert_eq!(longer.levels.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["One", "Two"]);
}

/// A law that a house is under is not weakened by the next pack: it is refused by name, and nothing is mixed.
#[test]
fn a_pack_does_not_replace_what_another_law_says() {
    let pack = |name: &str| Policy::pack(name).unwrap();
    let refused = |house: &Policy, pack: &RulePack| -> (String, String) {
        match house.under(pack).unwrap_err() {
            PackError::OtherLaw { path, other, .. } => (path, other),
            error => panic!("{error}"),
        }
    };
    let (both, rights) = ("statutory.final-response", "rights");
    for (first, then) in [("uk-fca-disp", "us-cfpb"), ("us-cfpb", "uk-fca-disp")] {
        let house = british().under(&pack(first)).unwrap();
        assert_eq!(refused(&house, &pack(then)), (both.to_owned(), first.to_owned()), "{then} over {first}");
        // A guideline goes below a law, and not over it: it has other words about rights.
        for guideline in ["iso-10002", "municipal"] {
            assert_eq!(refused(&house, &pack(guideline)), (rights.to_owned(), first.to_owned()));
            let below = british().under(&pack(guideline)).unwrap().under(&pack(first)).unwrap();
            assert_eq!((&below.statutory, &below.rights.decision), (&house.statutory, &house.rights.decision));
        }
    }
    assert!(british().under(&pack("iso-10002")).unwrap().under(&pack("municipal")).is_ok(), "no law in either");
}

/// What the house says itself, it says as a draft: a pack replaces the promise, and all of it. What other packs promise
/// stands beside it.
#[test]
fn a_promise_has_one_source_and_stands_beside_those_of_other_packs() {
    let pack = |name: &str| Policy::pack(name).unwrap();
    let mut house = british();
    house.statutory.get_mut(&key("final-response")).unwrap().day_zero = DayZero::NextOpening;
    let american = house.under(&pack("us-cfpb")).unwrap();
    let promise = &american.statutory[&key("final-response")];
    assert_eq!((promise.day_zero, promise.pack.as_deref()), (DayZero::Receipt, Some("us-cfpb")));
    // Packs with keys of their own stand side by side.
    let text = |name: &str, weeks: u8| {
        format!(
            "[pack]\nname = '{name}'\ntitle = 'X'\nas_of = '2026-01-01'\nnotes = 'x'\n[statutory.ours]\n\
             label = 'Ours'\nwithin = '{weeks} weeks'\nsource = 'A law'\n"
        )
    };
    let own = |name: &str, weeks| RulePack::from_toml(&text(name, weeks)).unwrap();
    let beside = american.under(&own("ours", 6)).unwrap();
    assert_eq!(beside.statutory[&key("final-response")], *promise);
    assert_eq!(beside.statutory[&key("ours")].within.to_string(), "6 weeks");
    // A newer edition, of either, replaces the older one.
    let newer = beside.under(&own("ours", 4)).unwrap();
    assert_eq!(newer.statutory[&key("ours")].within.to_string(), "4 weeks");
    assert_eq!(newer.under(&pack("us-cfpb")).unwrap(), newer);
    let theirs = newer.under(&own("theirs", 9)).unwrap_err();
    assert!(matches!(&theirs, PackError::OtherLaw { path, other, .. } if path == "statutory.ours" && other == "ours"));
}

/// The times of a level say nothing where there is no such level.
#[test]
fn a_pack_with_times_for_more_levels_than_there_are_says_so() {
    let municipal = Policy::pack("municipal").unwrap();
    for has in [1, 2] {
        let mut house = british();
        house.levels.truncate(has);
        let refused = house.under(&municipal).unwrap_err();
        assert!(matches!(refused, PackError::ShortLadder { needs: 3, has: known, .. } if known == has), "{refused}");
        let told = format!("`municipal` sets times of 3 levels, and the ladder has {has}: ");
        assert!(refused.to_string().contains(&told), "{refused}");
    }
    assert!(municipal.notes().contains("at least three levels"), "{}", municipal.notes());
    let mut tall = british();
    tall.levels.push(tall.levels[2].clone());
    assert_eq!(tall.under(&municipal).unwrap().levels[3], tall.levels[3]);
}

/// A list of tables is laid over item by item; any other list is replaced as a whole, and an empty one empties it.
#[test]
fn a_list_of_a_pack_replaces_the_one_of_the_house() {
    let header = "[pack]\nname = 'x'\ntitle = 'X'\nas_of = '2026-01-01'\nnotes = 'x'\n[pack.sources]\n";
    let hours = format!("{header}calendars = 'us'\n[calendars.office.hours]\nmon = ['10:00-12:00']\n");
    let house = Policy::standard();
    let resolved = house.under(&RulePack::from_toml(&hours).unwrap()).unwrap().to_toml().unwrap();
    let of_monday: Vec<&str> = resolved.lines().filter(|line| line.starts_with("mon = ")).collect();
    assert_eq!(of_monday, ["mon = [\"10:00-12:00\"]"]);
    let house = british();
    assert!(!house.categories.is_empty());
    let header = header.replace("[pack]", "categories = []\n[pack]");
    let none = house.under(&RulePack::from_toml(&format!("{header}categories = 'us'\n")).unwrap()).unwrap();
    assert_eq!(none.categories, []);
}

/// What a value without a source is called: a list of values by its own path, one of tables by that of each value.
#[test]
fn a_value_without_a_source_is_named_by_its_path() {
    let header = "[pack]\nname = 'x'\ntitle = 'X'\nas_of = '2026-01-01'\nnotes = 'x'\n";
    for (text, named) in [
        ("[calendars.office.hours]\nmon = ['10:00-12:00']\n", "calendars.office.hours.mon"),
        ("[[levels]]\nname = 'One'\n", "levels.0.name"),
    ] {
        let refused = RulePack::from_toml(&format!("{header}{text}")).unwrap_err();
        assert!(matches!(&refused, PackError::Unsourced { path } if path == named), "{refused}");
    }
}

#[test]
fn a_pack_that_cannot_be_used_says_why() {
    let header = "[pack]\nname = 'x'\ntitle = 'X'\nas_of = '2026-01-01'\nnotes = 'x'\n";
    let read = |text: &str| RulePack::from_toml(&format!("{header}{text}")).unwrap_err();
    assert!(matches!(Policy::pack("uk-fca").unwrap_err(), PackError::Unknown { name } if name == "uk-fca"));
    assert!(Policy::pack("uk-fca").unwrap_err().to_string().contains("uk-fca-disp"));
    assert!(matches!(RulePack::from_toml("= 1").unwrap_err(), PackError::Unreadable(_)));
    assert!(matches!(RulePack::from_toml("four_eyes = true").unwrap_err(), PackError::Unreadable(_)), "no header");
    let unsourced = read("[targets]\nremedy = '1 day'\n");
    assert!(matches!(unsourced, PackError::Unsourced { path } if path == "targets.remedy"));
    let unused = read("[pack.sources]\n'targets.silence' = 'nowhere'\n");
    assert!(matches!(unused, PackError::UnusedSource { path } if path == "targets.silence"));
    let promise = "[statutory.a]\nlabel = 'A'\nwithin = '1 day'\n";
    assert!(matches!(read(promise), PackError::Policy { .. }), "a promise without source");
    let empty = read(&format!("{promise}source = ''\n"));
    let PackError::Policy { error, .. } = empty else { panic!("{empty}") };
    assert!(
        error.to_string().contains("together: statutory.a.source: "),
        "no line of a text that nobody sees: {error}"
    );
    let never = read(&format!("{promise}source = 'x'\nfrom = '2026-02-01'\nuntil = '2026-01-01'\n"));
    let PackError::Policy { error, .. } = never else { panic!("{never}") };
    assert!(error.to_string().contains("statutory.a.until"), "{error}");
    let slot = read("[pack.sources]\nrights = 'us'\n[rights]\nmissed = 'Turn to {ombudsman}.'\n");
    let PackError::Policy { error, .. } = slot else { panic!("{slot}") };
    assert!(error.to_string().contains("rights.slots.ombudsman"), "{error}");
    let foreign = RulePack::from_toml(&format!("colour = 'red'\n{header}[pack.sources]\ncolour = 'us'\n")).unwrap_err();
    let PackError::Policy { error, .. } = foreign else { panic!("{foreign}") };
    assert!(matches!(*error, complaint_core::policy::PolicyError::Unreadable(_)), "no part of a policy");
}

#[test]
fn every_value_of_a_pack_names_the_rule_it_comes_from() {
    let cites =
        [("uk-fca-disp", "DISP 1."), ("us-cfpb", "CFPB Company Portal Manual"), ("iso-10002", "ISO 10002:2018, 7.")];
    for (name, cited) in cites {
        let pack = Policy::pack(name).unwrap();
        let resolved = Policy::standard().under(&pack).unwrap();
        assert!(pack.source("rights.decision").is_some_and(|source| source.contains(cited)), "{name}");
        let house = Policy::standard().statutory;
        let own: Vec<_> =
            resolved.statutory.iter().filter(|(key, promise)| house.get(*key) != Some(*promise)).collect();
        assert!(own.iter().all(|(_, promise)| promise.source.contains(cited)), "{name}: {own:?}");
        assert_eq!(own.is_empty(), name == "iso-10002", "{name}");
    }
    assert_eq!(Policy::pack("iso-10002").unwrap().source("targets.silence"), None);
}

#[test]
fn each_cause_of_a_pause_is_told_in_words() {
    let told = [
        (PauseCause::AwaitingCustomer, "a question is with the customer"),
        (PauseCause::AwaitingThirdParty, "a third party must act"),
        (PauseCause::UnreadMessage, "a message of the customer is unread"),
        (PauseCause::OutstandingRemedy, "a promised remedy is outstanding"),
    ];
    for (cause, words) in told {
        assert_eq!(cause.label(), words);
    }
}

/// What is as it is for everybody is not written down; what is not, comes back.
#[test]
fn a_promise_that_counts_from_the_next_opening_is_written_and_read_as_such() {
    let mut policy = policy();
    let promise = policy.statutory.values_mut().next().unwrap();
    let plain = serde_json::to_value(&*promise).unwrap();
    assert!(plain.get("day_zero").is_none(), "{plain}");
    promise.day_zero = DayZero::NextOpening;
    let written = serde_json::to_value(&*promise).unwrap();
    assert_eq!(written["day_zero"], "next_opening");
    let read: complaint_core::policy::StatutoryPromise = serde_json::from_value(written).unwrap();
    assert_eq!(&read, promise);
    let house = serde_json::to_value(&policy).unwrap();
    assert!(house.get("rights").is_none(), "nothing is said of rights where there are none: {house}");
}

#[test]
fn a_pack_says_what_it_is_as_of_which_day_and_what_it_leaves_to_the_house() {
    let pack = Policy::pack("uk-fca-disp").unwrap();
    assert_eq!((pack.name(), pack.as_of().to_string().as_str()), ("uk-fca-disp", "2026-06-01"));
    assert!(pack.title().starts_with("United Kingdom: FCA Handbook"), "{}", pack.title());
    assert!(pack.notes().contains("`payment-services`"), "{}", pack.notes());
}
