//! Remedies one by one: offered, accepted or declined, delivered, failed and made good; and who decides about how much.

use chrono::TimeDelta;
use complaint_core::complaint::{Entry, Event, Outcome, RemedyKind, RemedyState as S};
use complaint_core::deadline::ClockKind;
use complaint_core::id::CauseKey;
use complaint_core::lifecycle::{Command, CommandName as C, Context, Field, Input, Status, evolve};
use complaint_core::money::Money;
use complaint_core::notice::{Notice, NoticeKind as K, announce};
use complaint_core::policy::Cause;
use complaint_core::{Actor, Complaint, Policy, Remedy, Resolution};

use crate::house::{House, World, agent, agent_id, customer, decision, input, policy};

fn two() -> Vec<Remedy> {
    vec![Remedy::of(RemedyKind::Replacement), Remedy::refund("5.00 EUR").unwrap()]
}

fn of(name: C, remedy: u32) -> Command {
    input(name, Input { remedy: Some(remedy), ..Input::default() })
}

fn fails(remedy: u32) -> Command {
    let reason = Some("It is out of stock.".into());
    input(C::FailRemedy, Input { remedy: Some(remedy), reason, ..Input::default() })
}

fn delivered(remedy: u32) -> Command {
    let evidence = Some("Parcel 17".into());
    input(C::FulfilRemedy, Input { remedy: Some(remedy), evidence, ..Input::default() })
}

fn states(complaint: &Complaint) -> Vec<S> {
    complaint.remedies.iter().map(|promise| complaint.remedy_state(promise)).collect()
}

fn resolved(world: &mut World, at: u8, remedies: Vec<Remedy>) -> Complaint {
    let begun = world.begun_at(at);
    world.resolved(&begun, remedies)
}

fn code(world: &World, complaint: &Complaint, actor: &Actor, command: &Command) -> &'static str {
    world.decide(complaint, actor, command, None).expect_err("refused").code()
}

/// The letter would promise what is broken as it is written.
#[test]
fn a_proposal_for_a_day_that_has_passed_is_not_approved() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let day = world.now.date_naive();
    let remedies = vec![Remedy::replacement().due_on(day), Remedy::of(RemedyKind::Apology)];
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, remedies));
    let (mia, approve) = (agent("mia"), Command::plain(C::Approve));
    assert!(world.decide(&proposed, &mia, &approve, None).is_ok(), "the day is not over");
    world.later(TimeDelta::days(1));
    let refusal = world.decide(&proposed, &mia, &approve, None).unwrap_err();
    assert_eq!(refusal.code(), "promised_day_passed");
    assert_eq!(refusal.failed[0].message, "a remedy is proposed for a day that has passed: 23 November 2026");
    let offered = proposed.available_commands(&mia, &Context::new(&world.policy, world.now));
    assert!(offered.iter().any(|it| it.command == C::Approve && !it.allowed));
    let back = input(C::SendBack, Input { comment: Some("That day is over.".into()), ..Input::default() });
    assert_eq!(world.act(&proposed, &mia, &back).status, Status::InProgress);
}

#[test]
fn agreeing_with_the_decision_accepts_what_is_still_offered() {
    let mut world = World::new(policy());
    let mut remedies = two();
    remedies.push(Remedy::of(RemedyKind::Apology));
    let it = resolved(&mut world, 1, remedies);
    assert_eq!(states(&it), [S::Offered, S::Offered, S::Fulfilled], "words are given with the decision");
    let john = customer("john");
    let it = world.act(&it, &john, &of(C::DeclineRemedy, 1));
    let it = world.plain(&it, &john, C::Accept);
    assert_eq!((it.status, states(&it)), (Status::Resolved, vec![S::Declined, S::Accepted, S::Fulfilled]));
    assert!(matches!(&world.log.last().unwrap().event, Event::Accepted { remedies } if *remedies == [2]));
    assert_eq!(it.outstanding_remedies().map(|promise| promise.number).collect::<Vec<_>>(), [2]);
    let step = it.remedies[1].accepted.clone().unwrap();
    assert_eq!((step.at, &step.by), (world.now, john.party()));
    let it = world.act(&it, &agent("sarah"), &delivered(2));
    assert_eq!((it.status, states(&it)), (Status::Closed, vec![S::Declined, S::Fulfilled, S::Fulfilled]));
    let step = it.remedies[1].fulfilled.clone().unwrap();
    assert_eq!((step.text.as_deref(), it.remedies[1].fulfilled_on), (Some("Parcel 17"), Some(world.now.date_naive())));
}

#[test]
fn a_remedy_can_be_wanted_without_agreeing_with_the_decision() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let john = customer("john");
    assert_eq!(code(&world, &it, &john, &Command::plain(C::AcceptRemedy)), "missing", "there are two");
    let it = world.act(&it, &john, &of(C::AcceptRemedy, 2));
    assert_eq!(states(&it), [S::Offered, S::Accepted]);
    assert_eq!(code(&world, &it, &john, &of(C::AcceptRemedy, 2)), "unknown_value", "once");
    let it = world.plain(&it, &john, C::AcceptRemedy);
    assert_eq!((it.status, states(&it)), (Status::Resolved, vec![S::Accepted, S::Accepted]));
    assert_eq!(code(&world, &it, &john, &of(C::AcceptRemedy, 1)), "no_remedy_offered");
    assert!(it.resolution().unwrap().accepted_at.is_none());
    let it = world.reason(&it, &john, C::Contest);
    assert_eq!(states(&it), [S::Lapsed, S::Lapsed], "what was promised fell with the decision");
    assert_eq!(it.outstanding_remedies().count(), 0);
}

#[test]
fn the_last_remedy_declined_after_agreeing_is_the_end() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let john = customer("john");
    let it = world.plain(&it, &john, C::Accept);
    let it = world.act(&it, &agent("sarah"), &delivered(1));
    let decline = Input { reason: Some("Keep it.".into()), ..Input::default() };
    let it = world.act(&it, &john, &input(C::DeclineRemedy, decline));
    assert_eq!((it.status, states(&it)), (Status::Closed, vec![S::Fulfilled, S::Declined]));
    assert_eq!(it.remedies[1].declined.as_ref().unwrap().text.as_deref(), Some("Keep it."));
    assert!(it.deadlines.iter().filter(|clock| clock.clock == ClockKind::Remedy).all(|clock| clock.ended.is_some()));
}

#[test]
fn a_failed_promise_is_told_stays_owed_and_is_not_closed_over() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, vec![Remedy::of(RemedyKind::Replacement)]);
    let (john, sarah, mia) = (customer("john"), agent("sarah"), agent("mia"));
    let it = world.plain(&it, &john, C::Accept);
    assert_eq!(code(&world, &it, &mia, &Command::with_reason(C::Reopen, "Hm.")), "nothing_failed");
    let it = world.act(&it, &sarah, &fails(1));
    assert_eq!((it.status, states(&it)), (Status::Resolved, vec![S::Failed]));
    assert_eq!(code(&world, &it, &sarah, &fails(1)), "no_outstanding_remedy", "it fails once");
    assert_eq!(code(&world, &it, &mia, &Command::plain(C::Close)), "outstanding_remedy");
    let clock = it.deadline(ClockKind::Remedy).unwrap();
    assert!(clock.due_at.is_some(), "what is owed still has its day");
    let mut silent = it.clone();
    for _ in 0..20 {
        world.later(TimeDelta::days(30));
        silent = world.tick(silent);
    }
    assert_eq!(silent.status, Status::Resolved, "nobody's silence ends it");
    // Each of the ways on.
    let good = world.act(&silent, &sarah, &delivered(1));
    assert_eq!((good.status, states(&good)), (Status::Closed, vec![S::Fulfilled]));
    assert!(good.remedies[0].failed.is_some(), "that it failed first is not forgotten");
    let waived = world.plain(&silent, &john, C::DeclineRemedy);
    assert_eq!((waived.status, states(&waived)), (Status::Closed, vec![S::Declined]));
    let reopened = world.reason(&silent, &mia, C::Reopen);
    assert_eq!((reopened.status, reopened.level.get(), states(&reopened)), (Status::Queued, 1, vec![S::Failed]));
    assert_eq!(reopened.outstanding_remedies().count(), 0, "it is decided anew");
    let given = world.given(&reopened, "ben");
    let begun = world.plain(&given, &agent("ben"), C::Begin);
    let again = world.resolved(&begun, vec![Remedy::refund("19.00 EUR").unwrap()]);
    assert_eq!(states(&again), [S::Failed, S::Offered]);
    assert!(!again.has_failed_remedy());
}

#[test]
fn a_failed_remedy_opens_the_contest_window_anew_from_the_failure() {
    let mut world = World::new(policy());
    let late = Remedy::of(RemedyKind::Replacement).due_on((world.now + TimeDelta::days(90)).date_naive());
    let it = resolved(&mut world, 1, vec![late]);
    let john = customer("john");
    let contest = Command::with_reason(C::Contest, "Then I want the money.");
    world.later(TimeDelta::days(60));
    assert_eq!(code(&world, &it, &john, &contest), "contest_window_over");
    let failed = world.act(&it, &agent("sarah"), &fails(1));
    let end = failed.deadline(ClockKind::ContestWindow).unwrap().due_at.unwrap();
    assert_eq!(end, world.now + TimeDelta::days(30), "the span of the policy, from the failure");
    world.now = end;
    let contested = world.act(&failed, &john, &contest);
    assert_eq!((contested.status, contested.level.get()), (Status::Queued, 2));
    assert!(contested.is_barred(&agent_id("sarah")));
    world.later(TimeDelta::microseconds(1));
    assert_eq!(code(&world, &failed, &john, &contest), "contest_window_over");
}

#[test]
fn a_window_that_opens_anew_takes_no_time_from_the_customer() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let end = it.deadline(ClockKind::ContestWindow).unwrap().due_at;
    world.policy.targets.contest_window = "15 days".parse().unwrap();
    world.later(TimeDelta::days(5));
    let failed = world.act(&it, &agent("sarah"), &fails(1));
    assert_eq!(failed.deadline(ClockKind::ContestWindow).unwrap().due_at, end, "what they were told they have");
    world.later(TimeDelta::days(20));
    let again = world.act(&failed, &agent("sarah"), &fails(2));
    let windows = again.deadlines.iter().filter(|it| it.clock == ClockKind::ContestWindow);
    let running: Vec<_> = windows.filter(|it| it.ended.is_none()).map(|it| it.due_at).collect();
    assert_eq!(running, [Some(world.now + TimeDelta::days(15))], "one window, from the latest failure");
}

#[test]
fn the_last_level_is_final_about_what_it_decided_and_not_about_what_it_did_not_keep() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 3, two());
    let (john, omar) = (customer("john"), agent("omar"));
    let contest = Command::with_reason(C::Contest, "And now?");
    assert_eq!(code(&world, &it, &john, &contest), "final_authority_reached");
    let failed = world.act(&it, &omar, &fails(1));
    assert_eq!(world.act(&failed, &john, &contest).level.get(), 3);
    let good = world.act(&failed, &omar, &delivered(1));
    assert_eq!(code(&world, &good, &john, &contest), "final_authority_reached");
}

#[test]
fn only_those_concerned_speak_for_the_customer_or_the_organisation() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    for (actor, name) in [
        (customer("jane"), C::AcceptRemedy),
        (customer("jane"), C::DeclineRemedy),
        (Actor::system(), C::FailRemedy),
        (agent("ben"), C::DeclineRemedy),
    ] {
        let command = if name == C::FailRemedy { fails(1) } else { of(name, 1) };
        let refusal = world.decide(&it, &actor, &command, None).unwrap_err();
        let unseen = actor.agent_id().is_some();
        assert_eq!(refusal.code(), if unseen { "out_of_sight" } else { "not_permitted" }, "{name}: {refusal}");
    }
    let without = world.decide(&it, &agent("sarah"), &of(C::FailRemedy, 1), None).unwrap_err();
    assert_eq!((without.code(), without.failed[0].field.as_deref()), ("missing", Some("reason")));
}

fn notices(before: &Complaint, entries: &[Entry], policy: &Policy) -> Vec<Notice> {
    let after = entries.iter().fold(before.clone(), evolve);
    announce(Some(before), &after, entries, policy)
}

#[test]
fn of_remedies_that_are_late_at_one_sweep_one_letter_names_all() {
    let mut world = World::new(policy());
    let day = (world.now + TimeDelta::days(14)).date_naive();
    let own_day = Remedy { due_on: Some(day - TimeDelta::days(1)), ..Remedy::refund("5.00 EUR").unwrap() };
    let mut it = resolved(&mut world, 1, vec![own_day, Remedy::refund("5.00 EUR").unwrap(), Remedy::replacement()]);
    it = world.act(&it, &agent("sarah"), &delivered(3));
    let mut told: Vec<Notice> = Vec::new();
    for hours in [13 * 24, 2 * 24] {
        world.later(TimeDelta::hours(hours));
        let (earlier, before) = (it.clone(), world.log.len());
        it = world.tick(it);
        told.extend(notices(&earlier, &world.log[before..], &world.policy));
    }
    let written = |day: chrono::NaiveDate| day.format("%-d %B %Y").to_string();
    let both = format!(
        "1. Refund of 5.00 EUR, by {}\n\n2. Refund of 5.00 EUR, by {}",
        written(day - TimeDelta::days(1)),
        written(day)
    );
    let said: Vec<_> = told.iter().map(|it| (it.kind, it.text.as_deref(), it.due_at, it.due_on)).collect();
    // One warning to the handler; one alarm each to customer, supervisor and handler.
    let expected = |kind| (kind, Some(both.as_str()), None, None);
    let missed = expected(K::Missed(ClockKind::Remedy));
    assert_eq!(said, [expected(K::Warning(ClockKind::Remedy)), missed, missed, missed]);
    let recipients: std::collections::BTreeSet<_> = told[1..].iter().map(|it| it.recipient.clone()).collect();
    assert_eq!(recipients.len(), 3);
    let late: Vec<u32> = it.remedies.iter().filter(|promise| it.is_late(promise)).map(|it| it.number).collect();
    assert_eq!(late, [1, 2]);
}

#[test]
fn the_customer_hears_why_a_promise_failed_and_until_when_they_can_contest() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 3, two());
    let entries = world.decide(&it, &agent("omar"), &fails(2), None).unwrap();
    let told = notices(&it, &entries, &world.policy);
    let mail = told.iter().find(|notice| notice.kind == K::RemedyFailedCustomer).unwrap();
    assert_eq!(mail.text.as_deref(), Some("2. Refund of 5.00 EUR\n\nIt is out of stock."));
    assert_eq!(mail.due_at, Some(world.now + TimeDelta::days(30)), "at the last level too");
}

#[test]
fn a_cause_is_one_of_the_policy_s_and_asked_for_where_the_policy_says_so() {
    let mut rules = policy();
    let key = |name: &str| CauseKey::new(name).unwrap();
    rules.causes = vec![
        Cause { key: key("packaging"), name: "Packaging".into(), active: true },
        Cause { key: key("old"), name: "An old one".into(), active: false },
    ];
    let mut world = World::new(rules);
    let begun = world.begun("sarah");
    let sarah = agent("sarah");
    let by = |name: C, cause: Option<&str>| {
        let given = decision(C::Resolve, Vec::new()).input().clone();
        let given = match name {
            C::ResolveAtSource => Input { explanation: given.explanation, ..Input::default() },
            _ => given,
        };
        input(name, Input { cause: cause.map(key), ..given })
    };
    for name in [C::Resolve, C::Propose, C::ResolveAtSource] {
        world.policy.cause_required = false;
        for wrong in ["courier", "old"] {
            let refusal = world.decide(&begun, &sarah, &by(name, Some(wrong)), None).unwrap_err();
            assert_eq!((refusal.code(), refusal.failed.len()), ("unknown_cause", 1), "{name}: {refusal}");
            assert!(refusal.failed[0].message.contains("packaging") && !refusal.failed[0].message.contains("old"));
        }
        assert!(world.decide(&begun, &sarah, &by(name, None), None).is_ok(), "{name}");
        world.policy.cause_required = true;
        let refusal = world.decide(&begun, &sarah, &by(name, None), None).unwrap_err();
        assert_eq!((refusal.code(), refusal.failed[0].field.as_deref()), ("missing", Some("cause")), "{name}");
    }
    let proposed = world.act(&begun, &sarah, &by(C::Propose, Some("packaging")));
    let approved = world.plain(&proposed, &agent("mia"), C::Approve);
    assert_eq!(approved.resolutions[0].cause, Some(key("packaging")));
    world.policy.causes.clear();
    let refusal = world.decide(&begun, &sarah, &by(C::Resolve, Some("packaging")), None).unwrap_err();
    assert!(refusal.failed[0].message.contains("no causes"), "{refusal}");
}

/// What one person may decide alone: per currency the sum, a currency without a limit none, the last level everything;
/// a second person needs the authority themself.
#[test]
fn money_is_decided_by_whoever_has_the_authority_over_the_sum() {
    let mut world = World::new(policy());
    let money = |amounts: &[&str]| -> Vec<Remedy> {
        amounts.iter().map(|amount| Remedy::compensation(amount).unwrap()).collect()
    };
    for (at, amounts, allowed) in [
        (1, &["100.00 EUR"][..], true),
        (1, &["100.01 EUR"], false),
        (1, &["99.99 EUR", "0.01 EUR"], true),
        (1, &["99.99 EUR", "0.02 EUR"], false),
        (1, &["100.00 EUR", "100.00 USD", "100.00 GBP"], true),
        (1, &["100.00 EUR", "100.01 USD"], false),
        (1, &["1 JPY"], false),
        (1, &["0.001 KWD"], false),
        (2, &["1000.00 EUR"], true),
        (2, &["600.00 EUR", "400.01 EUR"], false),
        (3, &["90071992547409.91 EUR", "90071992547409.91 EUR", "9007199254740991 JPY"], true),
    ] {
        let begun = world.begun_at(at);
        let holder = agent(begun.handler.as_ref().unwrap().as_str());
        let result = world.decide(&begun, &holder, &decision(C::Resolve, money(amounts)), None);
        assert_eq!(result.is_ok(), allowed, "level {at}: {amounts:?}: {result:?}");
        assert!(allowed || result.unwrap_err().has("over_authority"));
        if !allowed && at == 1 {
            let proposed = world.act(&begun, &holder, &decision(C::Propose, money(amounts)));
            let by = |who: &str| world.decide(&proposed, &agent(who), &Command::plain(C::Approve), None);
            let within = amounts.iter().all(|amount| !amount.ends_with("JPY") && !amount.ends_with("KWD"));
            assert_eq!(by("mia").is_ok(), within, "{amounts:?}");
            assert!(by("omar").is_ok(), "{amounts:?}");
            assert!(by("sarah").is_err(), "nobody approves their own");
        }
    }
    // The amounts at both ends; more than the most is none at all.
    let currency = complaint_core::money::Currency::new("EUR").unwrap();
    let begun = world.begun_at(3);
    for (minor_units, allowed) in [(Money::MAX, true), (0, false)] {
        let amount = Some(Money::new(minor_units, currency).unwrap());
        let remedy = Remedy { amount, ..Remedy::of(RemedyKind::Refund) };
        let result = world.decide(&begun, &agent("omar"), &decision(C::Resolve, vec![remedy]), None);
        assert_eq!(result.is_ok(), allowed, "{minor_units}: {result:?}");
        assert!(allowed || result.unwrap_err().code() == "out_of_range");
    }
    // Where four eyes are asked for, nobody decides alone, whatever it costs; not even at the last level.
    world.policy.four_eyes = true;
    for at in 1..=3 {
        let begun = world.begun_at(at);
        let holder = agent(begun.handler.as_ref().unwrap().as_str());
        assert_eq!(code(&world, &begun, &holder, &decision(C::Resolve, Vec::new())), "second_person_needed");
        let proposed = world.act(&begun, &holder, &decision(C::Propose, money(&["0.01 EUR"])));
        assert!(world.decide(&proposed, &holder, &Command::plain(C::Approve), None).is_err(), "level {at}");
        assert_eq!(world.plain(&proposed, &agent("olga"), C::Approve).status, Status::Resolved, "level {at}");
    }
}

#[test]
fn goodwill_and_money_with_a_not_upheld_decision_are_told_apart() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let with = |outcome| {
        let given = decision(C::Resolve, vec![Remedy::refund("5.00 EUR").unwrap()]).input().clone();
        input(C::Resolve, Input { outcome: Some(outcome), ..given })
    };
    assert_eq!(code(&world, &begun, &agent("sarah"), &with(Outcome::NotUpheld)), "contradiction");
    assert!(world.decide(&begun, &agent("sarah"), &with(Outcome::Goodwill), None).is_ok());
}

#[test]
fn the_days_of_a_remedy_are_ahead_when_promised_and_behind_when_delivered() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.later(TimeDelta::days(3));
    let sarah = agent("sarah");
    let today = world.now.date_naive();
    let promised = |world: &World, days: i64| {
        let remedy = Remedy::of(RemedyKind::Replacement).due_on(today + TimeDelta::days(days));
        let refusal = world.decide(&begun, &sarah, &decision(C::Resolve, vec![remedy]), None).err();
        refusal
            .map(|refusal| refusal.failed.iter().map(|failed| (failed.code, failed.field.clone())).collect::<Vec<_>>())
    };
    let due_on = || Some("remedies.0.due_on".to_owned());
    assert_eq!(promised(&world, -1), Some(vec![("in_the_past", due_on())]), "after the complaint, before the decision");
    assert_eq!(promised(&world, 0), None);
    assert_eq!(promised(&world, 5 * 366), None);
    assert_eq!(promised(&world, 5 * 366 + 1), Some(vec![("out_of_range", due_on())]));
    let it = world.resolved(&begun, two());
    let on = |days: i64| {
        let (evidence, on) = (Some("Parcel 17".into()), Some(today + TimeDelta::days(days)));
        input(C::FulfilRemedy, Input { remedy: Some(1), evidence, on, ..Input::default() })
    };
    assert_eq!(code(&world, &it, &sarah, &on(-5)), "in_the_past");
    assert_eq!(code(&world, &it, &sarah, &on(2)), "in_the_future");
    assert!(world.decide(&it, &sarah, &on(-3), None).is_ok(), "on the day of the complaint");
}

fn because(name: C, remedy: Option<u32>) -> Command {
    input(name, Input { remedy, reason: Some("He said so on the phone.".into()), ..Input::default() })
}

/// Whoever speaks for the customer says on what ground, is named for it, and closes nothing by it.
#[test]
fn what_staff_record_for_the_customer_needs_a_ground_and_closes_nothing_at_once() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let (john, sarah) = (customer("john"), agent("sarah"));
    for command in [Command::plain(C::Accept), of(C::AcceptRemedy, 1), of(C::DeclineRemedy, 1)] {
        let refusal = world.decide(&it, &sarah, &command, None).unwrap_err();
        assert_eq!((refusal.code(), refusal.failed[0].field.as_deref()), ("missing", Some("reason")), "{command:?}");
        assert!(world.decide(&it, &john, &command, None).is_ok(), "their own word is ground enough: {command:?}");
        let context = complaint_core::lifecycle::Context::new(&world.policy, world.now);
        for (actor, wanted) in [(&john, false), (&sarah, true)] {
            let offers = it.available_commands(actor, &context);
            let offer = offers.iter().find(|offer| offer.command == command.name()).unwrap();
            let asks = offer.required.iter().any(|field| field.name() == "reason");
            assert_eq!(asks, wanted, "{command:?} of {actor:?}");
        }
    }
    let plain = resolved(&mut world, 1, Vec::new());
    let accepted = world.act(&plain, &sarah, &because(C::Accept, None));
    assert_eq!(accepted.status, Status::Resolved);
    assert_eq!(accepted.resolution().unwrap().recorded_by.as_ref(), Some(sarah.party()));
    assert_eq!(world.log.last().unwrap().words.get("reason"), Some("He said so on the phone."));
    assert_eq!(code(&world, &accepted, &sarah, &because(C::Accept, None)), "already_accepted");
    let own = world.plain(&accepted, &john, C::Accept);
    assert_eq!(
        (own.status, own.resolution().unwrap().recorded_by.clone()),
        (Status::Closed, None),
        "his own word does"
    );
    let due = accepted.deadline(ClockKind::AutoClose).unwrap().due_at.unwrap();
    world.now = due - TimeDelta::microseconds(1);
    assert_eq!(world.tick(accepted.clone()).status, Status::Resolved, "until then he can object");
    assert!(world.decide(&accepted, &john, &Command::with_reason(C::Contest, "I did not."), None).is_ok());
    world.now = due;
    assert_eq!(world.tick(accepted).status, Status::Closed);
}

/// Nobody of the house ends what the house alone has said: not by closing, and not by delivering what else was promised.
#[test]
fn nothing_closes_over_what_staff_recorded_while_the_customer_can_object() {
    let mut world = World::new(policy());
    let (john, sarah, mia) = (customer("john"), agent("sarah"), agent("mia"));
    let close = Command::plain(C::Close);
    let plain = resolved(&mut world, 1, Vec::new());
    assert!(world.decide(&plain, &mia, &close, None).is_ok(), "over silence a supervisor may");
    let accepted = world.act(&plain, &sarah, &because(C::Accept, None));
    let it = resolved(&mut world, 1, vec![Remedy::replacement()]);
    let it = world.act(&it, &sarah, &delivered(1));
    let after_all = world.act(&it, &sarah, &because(C::Accept, None));
    let it = resolved(&mut world, 1, vec![Remedy::replacement()]);
    let declined = world.act(&it, &sarah, &because(C::DeclineRemedy, Some(1)));
    let agreed = world.plain(&declined, &john, C::Accept);
    assert_eq!(agreed.status, Status::Resolved, "he agrees with the decision, of which he may want the remedy");
    let it = resolved(&mut world, 1, two());
    let it = world.act(&it, &sarah, &because(C::DeclineRemedy, Some(1)));
    let it = world.plain(&it, &john, C::Accept);
    let rest = world.act(&it, &sarah, &delivered(2));
    assert_eq!(rest.status, Status::Resolved, "the rest is delivered");
    for (case, it) in [("accepted", accepted), ("after all", after_all), ("declined", declined), ("rest", rest)] {
        assert_eq!(code(&world, &it, &mia, &close), "can_be_contradicted", "{case}");
        let mut later = world.clone();
        later.now = it.deadline(ClockKind::AutoClose).unwrap().due_at.unwrap();
        assert!(later.decide(&it, &mia, &close, None).is_ok(), "{case}");
        assert_eq!(later.tick(it).status, Status::Closed, "{case}");
    }
}

/// What staff wrote down as declined is his again with a word, and only his silence ends it.
#[test]
fn a_remedy_that_staff_declined_for_the_customer_can_be_wanted_after_all() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, vec![Remedy::refund("5.00 EUR").unwrap()]);
    let (john, sarah) = (customer("john"), agent("sarah"));
    let declined = world.act(&it, &sarah, &because(C::DeclineRemedy, Some(1)));
    let declined = world.plain(&declined, &john, C::Accept);
    assert_eq!((declined.status, states(&declined)), (Status::Resolved, vec![S::Declined]));
    let wanted = world.plain(&declined, &john, C::AcceptRemedy);
    assert_eq!((wanted.status, states(&wanted)), (Status::Resolved, vec![S::Accepted]));
    assert!(wanted.deadline(ClockKind::Remedy).is_some(), "and has its day");
    assert_eq!(world.act(&wanted, &sarah, &delivered(1)).status, Status::Closed);
    world.now = declined.deadline(ClockKind::AutoClose).unwrap().due_at.unwrap();
    assert_eq!(world.tick(declined).status, Status::Closed);
    let it = world.plain(&it, &john, C::Accept);
    let own = world.plain(&it, &john, C::DeclineRemedy);
    assert_eq!(code(&world, &own, &john, &Command::plain(C::AcceptRemedy)), "wrong_status", "his own word stands");
}

/// Whether said of the remedy or with the whole decision, and whatever staff wrote before.
#[test]
fn what_the_customer_said_themself_that_they_want_nobody_declines_for_them() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let it = resolved(&mut world, 1, two());
    let no = |remedy| because(C::DeclineRemedy, Some(remedy));
    let theirs = world.act(&it, &john, &of(C::AcceptRemedy, 1));
    assert_eq!(code(&world, &theirs, &sarah, &no(1)), "accepted_by_customer");
    assert_eq!(states(&world.act(&theirs, &sarah, &no(2))), [S::Accepted, S::Declined], "of that they said nothing");
    assert_eq!(states(&world.act(&theirs, &john, &no(1))), [S::Declined, S::Offered], "they may change their mind");
    let again = world.act(&it, &sarah, &no(1));
    let again = world.act(&again, &john, &of(C::AcceptRemedy, 1));
    assert_eq!(code(&world, &again, &sarah, &no(1)), "accepted_by_customer");
    let recorded = world.act(&it, &sarah, &because(C::AcceptRemedy, Some(1)));
    assert_eq!(states(&world.act(&recorded, &sarah, &no(1))), [S::Declined, S::Offered], "staff put their own right");
    let whole = world.plain(&it, &john, C::Accept);
    for command in [no(2), because(C::DeclineRemedy, None)] {
        assert_eq!(code(&world, &whole, &sarah, &command), "accepted_by_customer");
    }
    let confirmed = world.act(&it, &sarah, &because(C::Accept, None));
    assert!(confirmed.remedies.iter().all(|promise| promise.recorded_by() == Some(sarah.party())));
    let confirmed = world.plain(&confirmed, &john, C::Accept);
    assert!(confirmed.remedies.iter().all(|promise| promise.recorded_by().is_none()), "now it is their own word");
    assert_eq!(code(&world, &confirmed, &sarah, &no(1)), "accepted_by_customer");
    let context = complaint_core::lifecycle::Context::new(&world.policy, world.now);
    let offers = whole.available_commands(&sarah, &context);
    let offer = offers.iter().find(|offer| offer.command == C::DeclineRemedy).unwrap();
    assert_eq!(offer.failed.iter().map(|failed| failed.code).collect::<Vec<_>>(), ["accepted_by_customer"]);
}

#[test]
fn the_letter_about_what_staff_recorded_names_who_and_on_what_ground_and_until_when() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let ground = "He said so on the phone.";
    for (command, said) in [
        (
            because(C::Accept, None),
            format!("You accept the decision.\n\n1. Replacement\n\n2. Refund of 5.00 EUR\n\n{ground}"),
        ),
        (because(C::AcceptRemedy, Some(2)), format!("You want this: 2. Refund of 5.00 EUR\n\n{ground}")),
        (because(C::DeclineRemedy, Some(1)), format!("You do not want this: 1. Replacement\n\n{ground}")),
    ] {
        let entries = world.decide(&it, &agent("mia"), &command, None).unwrap();
        let told = notices(&it, &entries, &world.policy);
        let mail = told.iter().find(|notice| notice.kind == K::RecordedForCustomer).unwrap();
        assert_eq!(mail.text.as_deref(), Some(said.as_str()));
        assert_eq!(mail.handler, Some(agent_id("mia")), "whose hand it was");
        // What is owed keeps it open; were all delivered at once, so long would be left.
        assert_eq!(mail.due_at, Some(world.now + TimeDelta::days(14)));
        let recorded = entries.iter().fold(it.clone(), evolve);
        let mut later = world.clone();
        later.later(TimeDelta::days(3));
        let owed: Vec<u32> = recorded.outstanding_remedies().map(|promise| promise.number).collect();
        let kept = owed.into_iter().fold(recorded, |it, number| later.act(&it, &agent("sarah"), &delivered(number)));
        let closes = kept.deadline(ClockKind::AutoClose).unwrap().due_at;
        assert!(closes >= mail.due_at, "it closes on {closes:?}, and the letter said {:?}", mail.due_at);
        let heard: Vec<&Notice> = told
            .iter()
            .filter(|notice| {
                matches!(notice.kind, K::AcceptedHandler | K::RemedyAcceptedHandler | K::RemedyDeclinedHandler)
            })
            .collect();
        assert!(heard[0].text.as_deref().unwrap().ends_with(&format!("Recorded in the customer's name: {ground}")));
    }
    let it = resolved(&mut world, 1, Vec::new());
    let entries = world.decide(&it, &agent("mia"), &because(C::Accept, None), None).unwrap();
    let told = notices(&it, &entries, &world.policy);
    let closes = it.deadline(ClockKind::AutoClose).unwrap().due_at;
    assert_eq!(told.iter().find(|notice| notice.kind == K::RecordedForCustomer).unwrap().due_at, closes);
}

/// A record of a delivery is the organisation's word; the customer's stands against it while they may contest.
#[test]
fn what_is_recorded_as_delivered_and_did_not_arrive_is_owed_again() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let missing = because(C::FailRemedy, Some(1));
    for accepted in [true, false] {
        let mut it = resolved(&mut world, 1, vec![Remedy::replacement()]);
        assert_eq!(code(&world, &it, &john, &missing), "no_delivered_remedy", "nobody said that it was");
        if accepted {
            it = world.plain(&it, &john, C::Accept);
        }
        world.later(TimeDelta::days(10));
        it = world.tick(it);
        let mut it = world.act(&it, &sarah, &delivered(1));
        let entries = world.log[world.log.len() - if accepted { 2 } else { 1 }..].to_vec();
        let letter = announce(None, &it, &entries, &world.policy);
        let letter = letter.iter().find(|notice| notice.kind == K::RemedyFulfilled).unwrap();
        assert_eq!(letter.due_at, Some(world.now + TimeDelta::days(30)), "longer than he can contest");
        // As often as it does not arrive.
        for time in 1..=3 {
            if !accepted {
                world.later(TimeDelta::days(14));
                it = world.tick(it);
            }
            assert_eq!(it.status, Status::Closed, "time {time}");
            let again = world.act(&it, &john, &missing);
            assert_eq!((again.status, states(&again)), (Status::Resolved, vec![S::Failed]), "time {time}");
            assert_eq!((again.handler.clone(), again.remedies[0].fulfilled_on), (Some(agent_id("sarah")), None));
            let window = again.deadline(ClockKind::ContestWindow).unwrap().due_at;
            assert_eq!(window, Some(world.now + TimeDelta::days(30)), "anew, time {time}");
            assert!(again.deadline(ClockKind::Remedy).unwrap().due_at > Some(world.now), "it has its day, time {time}");
            assert_eq!(code(&world, &again, &john, &missing), "no_delivered_remedy");
            it = world.act(&again, &sarah, &delivered(1));
            assert_eq!(it.status, if accepted { Status::Closed } else { Status::Resolved }, "time {time}");
        }
        assert_eq!(
            complaint_core::lifecycle::replay(world.log.iter().filter(|entry| entry.complaint == it.id)),
            Ok(it.clone())
        );
        world.later(TimeDelta::days(30) + TimeDelta::microseconds(1));
        assert_eq!(code(&world, &world.clone().tick(it), &john, &missing), "delivery_window_over");
    }
    // Words are delivered by the decision itself.
    let it = resolved(&mut world, 1, vec![Remedy::of(RemedyKind::Apology)]);
    assert_eq!(code(&world, &it, &john, &missing), "no_delivered_remedy");
}

/// However late it is recorded as delivered, there is time to say that it was not; of each as long.
#[test]
fn whoever_is_told_late_that_it_was_delivered_can_still_say_that_it_did_not_arrive() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let missing = |remedy| because(C::FailRemedy, Some(remedy));
    let it = resolved(&mut world, 1, two());
    let it = world.plain(&it, &john, C::Accept);
    let it = world.act(&it, &sarah, &delivered(1));
    let window = it.deadline(ClockKind::ContestWindow).unwrap().due_at.unwrap();
    assert_eq!(it.deniable_until(&it.remedies[0], &world.policy), Some(window));
    world.later(TimeDelta::days(90));
    assert_eq!(code(&world, &it, &john, &missing(1)), "delivery_window_over");
    let entries = world.decide(&it, &sarah, &delivered(2), None).unwrap();
    let told = notices(&it, &entries, &world.policy);
    let until = world.now + TimeDelta::days(30);
    assert_eq!(told.iter().find(|notice| notice.kind == K::RemedyFulfilled).unwrap().due_at, Some(until));
    let it = world.act(&it, &sarah, &delivered(2));
    assert_eq!(
        (it.status, code(&world, &it, &john, &missing(1))),
        (Status::Closed, "delivery_window_over"),
        "not that"
    );
    assert_eq!(code(&world, &it, &john, &Command::with_reason(C::Contest, "No.")), "contest_window_over");
    let offers = |world: &World| {
        let context = complaint_core::lifecycle::Context::new(&world.policy, world.now);
        let offers = it.available_commands(&john, &context);
        offers.iter().find(|offer| offer.command == C::FailRemedy).unwrap().allowed
    };
    // Nobody takes time from them that they were told they have.
    world.policy.targets.contest_window = "1 day".parse().unwrap();
    world.now = until;
    assert!(offers(&world));
    let again = world.act(&it, &john, &missing(2));
    assert_eq!((again.status, states(&again)), (Status::Resolved, vec![S::Fulfilled, S::Failed]));
    world.later(TimeDelta::microseconds(1));
    assert_eq!(code(&world, &it, &john, &missing(2)), "delivery_window_over");
    assert!(!offers(&world));
}

/// What is owed again has another day than it had, and a time to accept that began anew.
#[test]
fn letters_about_what_is_owed_again_give_the_dates_that_run() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let it = resolved(&mut world, 1, vec![Remedy::replacement()]);
    let first = it.deadline(ClockKind::Remedy).unwrap().due_at;
    let it = world.act(&it, &sarah, &delivered(1));
    let it = world.plain(&it, &john, C::Accept);
    world.later(TimeDelta::days(5));
    let mut it = world.act(&it, &john, &because(C::FailRemedy, Some(1)));
    let due = it.deadline(ClockKind::Remedy).unwrap().due_at;
    assert!(due > first, "it runs again");
    let mut told = 0;
    for hours in 0..30 * 24 {
        world.later(TimeDelta::hours(1));
        let (before, from) = (it.clone(), world.log.len());
        it = world.tick(it);
        for notice in notices(&before, &world.log[from..], &world.policy) {
            assert!(
                matches!(notice.kind, K::Warning(ClockKind::Remedy) | K::Missed(ClockKind::Remedy)),
                "hour {hours}: {notice:?}"
            );
            assert_eq!(notice.due_at, due, "hour {hours}: {:?}", notice.kind);
            told += 1;
        }
    }
    assert_eq!(told, 5, "two warnings, and three who are told that it is late");
    let it = world.act(&it, &sarah, &delivered(1));
    assert_eq!(it.status, Status::Closed);
}

#[tokio::test]
async fn a_decision_is_kept_as_it_was_written() {
    let mut rules = policy();
    let cause = CauseKey::new("packaging").unwrap();
    rules.causes = vec![Cause { key: cause.clone(), name: "Packaging".into(), active: true }];
    let house = House::new(rules).await;
    let id = house.submit().await.id;
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    let written = Resolution::new(Outcome::PartlyUpheld, "The box was thin.")
        .with_apology("We are sorry.")
        .next_steps("The boxes are looked at.")
        .caused_by(cause.clone())
        .with(Remedy::replacement());
    let it = handler.resolve(id, written).await.unwrap();
    let kept = it.resolution().unwrap();
    assert_eq!((kept.outcome, kept.explanation.as_str()), (Outcome::PartlyUpheld, "The box was thin."));
    let said = (kept.apology.as_deref(), kept.next_steps.as_deref());
    assert_eq!(said, (Some("We are sorry."), Some("The boxes are looked at.")));
    assert_eq!((&kept.cause, it.remedies.len()), (&Some(cause), 1));
}

#[test]
fn a_named_day_holds_again_only_while_it_is_still_to_come() {
    for (later, holds) in [(1, true), (5, false)] {
        let mut world = World::new(policy());
        let day = world.now.date_naive() + TimeDelta::days(3);
        let it = resolved(&mut world, 1, vec![Remedy::replacement().due_on(day)]);
        let named = it.deadline(ClockKind::Remedy).unwrap().due_at;
        let it = world.act(&it, &agent("sarah"), &delivered(1));
        world.later(TimeDelta::days(later));
        let it = world.act(&it, &customer("john"), &because(C::FailRemedy, Some(1)));
        let again = it.deadline(ClockKind::Remedy).unwrap().due_at;
        assert_eq!(again == named, holds, "after {later} days it is owed until {again:?}");
        assert!(again > Some(world.now));
    }
}

#[test]
fn nothing_closes_over_what_the_customer_wrote() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    for command in [C::Accept, C::DeclineRemedy, C::FulfilRemedy] {
        let remedies = if command == C::Accept { Vec::new() } else { vec![Remedy::replacement()] };
        let it = resolved(&mut world, 1, remedies);
        let it = if command == C::Accept { it } else { world.plain(&it, &john, C::Accept) };
        let written = world.text(&it, &john, C::Post);
        let it = match command {
            C::FulfilRemedy => world.act(&written, &sarah, &delivered(1)),
            _ => world.plain(&written, &john, command),
        };
        assert_eq!(it.status, Status::Resolved, "{command}");
        world.later(TimeDelta::days(60));
        let it = world.tick(it);
        assert_eq!(it.status, Status::Resolved, "{command}: nobody has read it");
        let read = world.plain(&it, &sarah, C::Read);
        assert_eq!(read.status, Status::Resolved, "{command}: whoever read it can still answer");
        world.later(TimeDelta::days(14));
        assert_eq!(world.tick(read).status, Status::Closed, "{command}");
    }
}

#[test]
fn what_falls_with_a_contested_decision_is_named_to_who_promised_it_and_to_who_decides_anew() {
    let mut world = World::new(policy());
    let mut remedies = two();
    remedies.push(Remedy::of(RemedyKind::Apology));
    let it = resolved(&mut world, 1, remedies);
    let it = world.act(&it, &agent("sarah"), &delivered(1));
    let before = world.act(&it, &agent("sarah"), &fails(2));
    let contested = world.decide(&before, &customer("john"), &Command::with_reason(C::Contest, "No."), None).unwrap();
    let queued = contested.iter().fold(before.clone(), evolve);
    let given = input(C::Assign, Input { agent: Some(agent_id("maria")), ..Input::default() });
    let assigned = world.decide(&queued, &crate::house::admin(), &given, None).unwrap();
    let at_once: Vec<Entry> = contested.iter().chain(&assigned).cloned().collect();
    let text = |told: Vec<Notice>, kind: K| told.into_iter().find(|notice| notice.kind == kind).unwrap();
    let former = text(notices(&before, &at_once, &world.policy), K::ContestedHandler);
    assert_eq!((former.text.as_deref(), former.out_of_sight), (Some("2. Refund of 5.00 EUR"), true));
    let to_john = text(notices(&before, &at_once, &world.policy), K::ContestedCustomer);
    assert_eq!(to_john.text.as_deref(), Some("2. Refund of 5.00 EUR"), "it is taken from him");
    let fell = "What was promised and not delivered fell with the decision:\n\n2. Refund of 5.00 EUR";
    for told in [notices(&before, &at_once, &world.policy), notices(&queued, &assigned, &world.policy)] {
        let new = text(told, K::AssignedHandler).text.unwrap();
        assert!(new.contains(fell) && !new.contains("Replacement"), "{new}");
    }
    // Whoever decided at the last level still sees it there, and can leave a note.
    let last = resolved(&mut world, 3, Vec::new());
    let evidence = Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
    let contested = world.decide(&last, &customer("john"), &input(C::Contest, evidence), None).unwrap();
    let former = text(notices(&last, &contested, &world.policy), K::ContestedHandler);
    assert_eq!((former.text, former.out_of_sight), (None, false));
    // As the table of who sees what has it.
    assert!(world.decide(&queued, &agent("sarah"), &Command::with_text(C::Note, "It is packed."), None).is_err());
}

/// It is taken from the customer, too, however well it is meant.
#[test]
fn what_falls_when_it_is_opened_again_is_named_to_the_customer_and_to_who_lost_it() {
    let mut world = World::new(policy());
    let mut remedies = two();
    remedies.push(Remedy::replacement());
    let it = resolved(&mut world, 1, remedies);
    let it = world.act(&it, &agent("sarah"), &delivered(1));
    let before = world.act(&it, &agent("sarah"), &fails(2));
    let reopened = world.decide(&before, &agent("mia"), &Command::with_reason(C::Reopen, "INTERNAL"), None).unwrap();
    let queued = reopened.iter().fold(before.clone(), evolve);
    let kinds = |told: &[Notice], to: &str| -> Vec<K> {
        let theirs = |it: &&Notice| it.recipient == complaint_core::notice::Recipient::Agent(agent_id(to));
        told.iter().filter(theirs).map(|notice| notice.kind).collect()
    };
    for (to, sarah_hears) in [("sarah", K::AssignedHandler), ("ben", K::TakenAway)] {
        let given = input(C::Assign, Input { agent: Some(agent_id(to)), ..Input::default() });
        let assigned = world.decide(&queued, &crate::house::admin(), &given, None).unwrap();
        let at_once: Vec<Entry> = reopened.iter().chain(&assigned).cloned().collect();
        let told = notices(&before, &at_once, &world.policy);
        assert_eq!((kinds(&told, "sarah"), kinds(&told, to)), (vec![sarah_hears], vec![K::AssignedHandler]));
        let letter = told.iter().find(|notice| notice.kind == K::Reopened).unwrap();
        assert_eq!(letter.text.as_deref(), Some("2. Refund of 5.00 EUR\n\n3. Replacement"));
    }
    // What fell once falls no second time.
    let input_of = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let dismissed = world.act(&queued, &agent("mia"), &input(C::Dismiss, input_of));
    let again = world.decide(&dismissed, &agent("mia"), &Command::with_reason(C::Reopen, "INTERNAL"), None).unwrap();
    let told = notices(&dismissed, &again, &world.policy);
    assert_eq!(told.iter().map(|notice| (notice.kind, notice.text.clone())).collect::<Vec<_>>(), [(K::Reopened, None)]);
}

fn in_zone(zone: &str) -> Policy {
    let mut rules = policy();
    let office = rules.calendar.clone();
    let spec =
        complaint_core::deadline::CalendarSpec { zone: zone.to_owned(), ..rules.calendars[&office].clone().into() };
    rules.calendars.insert(office, complaint_core::deadline::Calendar::new(&spec).unwrap());
    rules
}

/// Wherever on Earth it is tomorrow already: what counts is the day of the organisation.
#[test]
fn nothing_was_delivered_tomorrow_where_the_organisation_is() {
    // Of the same instant, the day there.
    for (zone, today) in [("UTC", 23), ("Pacific/Honolulu", 22), ("Pacific/Kiritimati", 23)] {
        let mut world = World::new(in_zone(zone));
        let it = resolved(&mut world, 1, two());
        let sarah = agent("sarah");
        let day = |day: u32| chrono::NaiveDate::from_ymd_opt(2026, 11, day);
        let on = |on| input(C::FulfilRemedy, Input { on, ..delivered(1).input().clone() });
        let refusal = world.decide(&it, &sarah, &on(day(today + 1)), None).unwrap_err();
        let failed = &refusal.failed[0];
        assert_eq!((failed.code, failed.field.as_deref()), ("in_the_future", Some("on")), "{zone}");
        assert_eq!(failed.message, "must not be in the future", "{zone}");
        for given in [day(today), None] {
            let it = world.act(&it, &sarah, &on(given));
            assert_eq!(it.remedies[0].fulfilled_on, day(today), "{zone}, {given:?}");
        }
    }
}

/// An apology is delivered on the day that everything is delivered on: that of the organisation, which has its Tuesday when it
/// is still Monday in UTC. What was stored without that day keeps the one in UTC.
#[test]
fn words_are_given_on_the_day_of_the_organisation() {
    let day = |day: u32| chrono::NaiveDate::from_ymd_opt(2026, 11, day);
    let words = [RemedyKind::Apology, RemedyKind::Explanation].map(Remedy::of);
    let remedies: Vec<Remedy> = words.into_iter().chain([Remedy::replacement()]).collect();
    for by_proposal in [false, true] {
        let mut world = World::new(in_zone("Pacific/Auckland"));
        world.now = "2026-11-23T22:30:00Z".parse().unwrap();
        let begun = world.begun("sarah");
        let it = if by_proposal {
            let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, remedies.clone()));
            world.plain(&proposed, &agent("mia"), C::Approve)
        } else {
            world.resolved(&begun, remedies.clone())
        };
        let it = world.act(&it, &agent("sarah"), &delivered(3));
        let days = |it: &Complaint| it.remedies.iter().map(|promise| promise.fulfilled_on).collect::<Vec<_>>();
        assert_eq!(days(&it), [day(24); 3], "by proposal: {by_proposal}");

        let mut log = world.log.clone();
        for entry in &mut log {
            if let Event::Resolved { given_on, .. } = &mut entry.event {
                *given_on = None;
            }
        }
        let before = complaint_core::lifecycle::replay(&log).unwrap();
        assert_eq!(days(&before), [day(23), day(23), day(24)], "by proposal: {by_proposal}");
    }
    // Of what is delivered later the decision says no day.
    let mut world = World::new(in_zone("Pacific/Auckland"));
    resolved(&mut world, 1, two());
    assert!(world.log.iter().any(|entry| matches!(entry.event, Event::Resolved { given_on: None, .. })));
}

#[test]
fn a_promised_day_is_over_at_midnight_where_the_organisation_is() {
    for (zone, over) in [
        ("UTC", "2026-12-25T00:00:00Z"),
        ("America/New_York", "2026-12-25T05:00:00Z"),
        ("Asia/Kolkata", "2026-12-24T18:30:00Z"),
        ("Pacific/Kiritimati", "2026-12-24T10:00:00Z"),
    ] {
        let mut world = World::new(in_zone(zone));
        let day = "2026-12-24".parse().unwrap();
        let it = resolved(&mut world, 1, vec![Remedy::replacement().due_on(day)]);
        let due = it.deadline(ClockKind::Remedy).unwrap().due_at;
        assert_eq!(due, over.parse().ok(), "{zone}");
        let entries = world.decide(&it, &customer("john"), &Command::plain(C::Accept), None).unwrap();
        let told = notices(&it, &entries, &world.policy);
        assert_eq!((told[0].due_at, told[0].due_on), (due, Some(day)), "{zone}: the letter names the day itself");
    }
}

#[test]
fn a_currency_without_a_limit_is_named() {
    let mut world = World::new(policy());
    let begun = world.begun_at(1);
    let holder = agent(begun.handler.as_ref().unwrap().as_str());
    for (amount, says, other) in
        [("700 JPY", "no limit set for JPY", "more than"), ("700 EUR", "more than", "no limit")]
    {
        let resolve = decision(C::Resolve, vec![Remedy::compensation(amount).unwrap()]);
        let refusal = world.decide(&begun, &holder, &resolve, None).unwrap_err();
        let said = &refusal.failed[0].message;
        assert!(refusal.has("over_authority") && said.contains(says) && !said.contains(other), "{amount}: {said}");
    }
}

#[test]
fn of_several_remedies_one_must_be_named() {
    let mut world = World::new(policy());
    let it = resolved(&mut world, 1, two());
    let requires = |it: &Complaint| it.requires(C::DeclineRemedy, Field::Remedy, &customer("john"), &policy());
    assert!(requires(&it));
    assert_eq!(code(&world, &it, &customer("john"), &Command::plain(C::DeclineRemedy)), "missing");
    let it = world.act(&it, &customer("john"), &of(C::DeclineRemedy, 1));
    assert!(!requires(&it));
    world.plain(&it, &customer("john"), C::DeclineRemedy);
}

/// Whoever accepts the decision accepts what is still open of it; what they took before stays as they took it.
#[test]
fn accepting_the_decision_takes_what_was_not_taken_before() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, two());
    let john = customer("john");
    let one = world.act(&resolved, &john, &of(C::AcceptRemedy, 1));
    for actor in [john, agent("mia")] {
        let accept = input(C::Accept, Input { reason: Some("On the phone.".into()), ..Input::default() });
        let entries = world.decide(&one, &actor, &accept, None).unwrap();
        let Event::Accepted { remedies } = &entries[0].event else { panic!("{entries:?}") };
        assert_eq!(remedies, &[2]);
    }
}
