//! Who is told what: one table of all events.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use complaint_core::agent::Absence;
use complaint_core::complaint::{Entry, Event, Remedy, RemedyKind, Submission};
use complaint_core::deadline::ClockKind;
use complaint_core::id::{CategoryKey, Level};
use complaint_core::lifecycle::{Command, CommandName as C, Context, Input, decide, evolve};
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind as K, Recipient, announce};
use complaint_core::{Actor, Agent, Complaint, Policy};

use crate::house::{
    House, World, admin, agent, agent_id, agents, customer, decision, file, input, john, level, policy, submission, tag,
};

/// What was told of one command: event, to whom, which kind.
type Told = Vec<(String, String, K)>;

struct Ear {
    world: World,
    complaint: Complaint,
    told: Told,
    events: BTreeSet<String>,
}

impl Ear {
    fn at(mut world: World, complaint: Complaint) -> Self {
        world.log.clear();
        Self { world, complaint, told: Vec::new(), events: BTreeSet::new() }
    }

    fn hears(&mut self, actor: &Actor, command: &Command) -> Vec<(String, K)> {
        self.hears_with(actor, command, None)
    }

    fn hears_with(&mut self, actor: &Actor, command: &Command, other: Option<&Complaint>) -> Vec<(String, K)> {
        let entries = self.world.decide(&self.complaint, actor, command, other).unwrap_or_else(|it| panic!("{it}"));
        let before = self.complaint.clone();
        let own: Vec<&Entry> = entries.iter().filter(|entry| entry.complaint == before.id).collect();
        self.complaint = own.iter().fold(before.clone(), |state, entry| evolve(state, entry));
        self.events.extend(entries.iter().map(|entry| tag(&entry.event)));
        told_is_seen(&before, &own, &self.world.policy);
        let notices = announce(Some(&before), &self.complaint, &entries, &self.world.policy);
        looks_ahead(&before, &own, &self.world.policy);
        self.told.extend(notices.iter().map(|it| (String::new(), to(it), it.kind)));
        unrepeated(&notices);
        notices.iter().map(|notice| (to(notice), notice.kind)).collect()
    }
}

fn to(notice: &Notice) -> String {
    match &notice.recipient {
        Recipient::Customer(id) => format!("customer {id}"),
        Recipient::Agent(id) => id.to_string(),
        Recipient::Level { level, .. } => format!("level {level}"),
        Recipient::Admins => "admins".to_owned(),
        Recipient::Endpoint(id) => format!("endpoint {id}"),
    }
}

/// What a customer sees without being told, and why not.
const UNTOLD: [(&str, &str); 2] = [
    ("begun", "who handles it was told when they were given it"),
    ("resumed", "that it goes on by itself was told with the question or the wait"),
];

/// Whatever is mailed to the customer stands in the log as they see it; of whatever stands there by others they are told, or it
/// says above why not.
fn told_is_seen(before: &Complaint, entries: &[&Entry], policy: &Policy) {
    let mut state = before.clone();
    for entry in entries {
        // By itself: the entries of one change are one version.
        let alone = Entry { version: state.version.next(), ..(*entry).clone() };
        let after = evolve(state.clone(), &alone);
        let seen = after.public_version > state.public_version;
        let notices = announce(Some(&state), &after, std::slice::from_ref(&alone), policy);
        let told = notices.iter().any(|notice| matches!(notice.recipient, Recipient::Customer(_)));
        let name = tag(&entry.event);
        assert!(seen || !told, "`{name}` is mailed and stands nowhere");
        let excused =
            matches!(entry.by, complaint_core::Party::Customer(_)) || UNTOLD.iter().any(|(it, _)| *it == name);
        assert!(told || !seen || excused, "`{name}` is seen and not told");
        state = after;
    }
}

/// The same, had it happened when every date was over: only what was missed is told with its date then.
fn looks_ahead(before: &Complaint, entries: &[&Entry], policy: &Policy) {
    let late = |entry: &&Entry| Entry { at: entry.at + TimeDelta::days(9999), ..(*entry).clone() };
    let late: Vec<Entry> = entries.iter().map(late).collect();
    let after = late.iter().fold(before.clone(), evolve);
    for notice in announce(Some(before), &after, &late, policy) {
        let looks_back = matches!(notice.kind, K::Missed(_));
        let ahead = |due: Option<_>| due.is_none_or(|due| due > notice.planned_at);
        assert!(looks_back || ahead(notice.due_at), "{:?}: {:?}", notice.kind, notice.due_at);
        assert!(ahead(notice.next_at), "{:?}", notice.kind);
    }
}

fn unrepeated(notices: &[Notice]) {
    let ids: BTreeSet<_> = notices.iter().map(|notice| notice.id).collect();
    assert_eq!(ids.len(), notices.len());
}

fn told(list: &[(&str, K)]) -> Vec<(String, K)> {
    list.iter().map(|(who, kind)| ((*who).to_owned(), *kind)).collect()
}

const JOHN: &str = "customer john";

fn text(name: C) -> Command {
    Command::with_text(name, "Some words.")
}

fn why(name: C) -> Command {
    Command::with_reason(name, "INTERNAL reason.")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one block per event")]
fn each_event_is_told_to_those_concerned_and_nobody_else() {
    let (sarah, maria, mia, omar) = (agent("sarah"), agent("maria"), agent("mia"), agent("omar"));
    let me = customer("john");
    let mut events = BTreeSet::new();

    let mut world = World::new(policy());
    let fresh = world.submitted();
    let mut ear = Ear::at(world, fresh);
    assert_eq!(ear.hears(&Actor::system(), &Command::plain(C::Acknowledge)), told(&[(JOHN, K::Acknowledged)]));
    let triage = input(C::Triage, Input { weight: Some(2), ..Input::default() });
    assert_eq!(ear.hears(&mia, &triage), [], "how much work it is, is internal");
    let late = input(C::Triage, Input { category: CategoryKey::new("late delivery").ok(), ..Input::default() });
    assert_eq!(ear.hears(&mia, &late), told(&[(JOHN, K::Revised)]));
    assert_eq!(ear.hears(&admin(), &why(C::Rebase)), [], "a matter of the house");
    let assign = |to: &str| input(C::Assign, Input { agent: Some(agent_id(to)), ..Input::default() });
    assert_eq!(
        ear.hears(&admin(), &assign("sarah")),
        told(&[("sarah", K::AssignedHandler), (JOHN, K::AssignedCustomer)])
    );
    assert_eq!(ear.hears(&me, &Command::attach(vec![file(1)])), [], "read with the rest");
    assert_eq!(ear.hears(&sarah, &why(C::Decline)), told(&[(JOHN, K::BackInQueue)]));
    ear.hears(&admin(), &assign("ben"));
    assert_eq!(ear.hears(&mia, &why(C::Release)), told(&[(JOHN, K::BackInQueue), ("ben", K::TakenAway)]));
    // Who takes for themself needs no mail about it.
    assert_eq!(ear.hears(&agent("sue"), &assign("sue")), told(&[(JOHN, K::AssignedCustomer)]));
    let reassign = Input { agent: Some(agent_id("ben")), reason: Some("INTERNAL".into()), ..Input::default() };
    assert_eq!(
        ear.hears(&mia, &input(C::Reassign, reassign)),
        told(&[("ben", K::AssignedHandler), ("sue", K::TakenAway), (JOHN, K::AssignedCustomer)])
    );
    let ben = agent("ben");
    assert_eq!(ear.hears(&ben, &Command::plain(C::Begin)), []);
    assert_eq!(ear.hears(&ben, &text(C::Ask)), told(&[(JOHN, K::Question)]));
    assert_eq!(ear.hears(&me, &text(C::Answer)), told(&[("ben", K::Answer)]));
    assert_eq!(ear.hears(&ben, &Command::plain(C::Read)), []);
    assert_eq!(ear.hears(&me, &text(C::Post)), told(&[("ben", K::Message)]));
    assert_eq!(ear.hears(&ben, &text(C::Post)), told(&[(JOHN, K::Message)]));
    assert_eq!(ear.hears(&me, &Command::attach(vec![file(2)])), told(&[("ben", K::Message)]));
    assert_eq!(ear.hears(&ben, &Command::attach(vec![file(3)])), told(&[(JOHN, K::Message)]));
    assert_eq!(ear.hears(&ben, &text(C::Note)), [], "a note is nobody else's");
    let until = Some(ear.world.now.date_naive() + TimeDelta::days(3));
    let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
    assert_eq!(ear.hears(&ben, &input(C::Hold, hold)), told(&[(JOHN, K::OnHold)]));
    assert_eq!(ear.hears(&ben, &Command::plain(C::Resume)), []);
    assert_eq!(ear.hears(&ben, &decision(C::Propose, Vec::new())), told(&[("level 2", K::ApprovalWanted)]));
    let back = input(C::SendBack, Input { comment: Some("More reasons.".into()), ..Input::default() });
    assert_eq!(ear.hears(&mia, &back), told(&[("ben", K::SentBack)]));
    assert_eq!(ear.hears(&ben, &why(C::Escalate)), told(&[(JOHN, K::EscalatedCustomer)]), "ben knows");
    ear.hears(&admin(), &assign("maria"));
    ear.hears(&maria, &Command::plain(C::Begin));
    let instruction = Input { instruction: Some("INTERNAL".into()), ..Input::default() };
    assert_eq!(ear.hears(&maria, &input(C::HandBack, instruction)), told(&[(JOHN, K::BackInQueue)]));
    ear.hears(&admin(), &assign("sue"));
    assert_eq!(ear.hears(&mia, &why(C::Escalate)), told(&[(JOHN, K::EscalatedCustomer), ("sue", K::EscalatedHandler)]));
    ear.hears(&admin(), &assign("maria"));
    ear.hears(&maria, &Command::plain(C::Begin));
    let remedies = [RemedyKind::Replacement, RemedyKind::Repair, RemedyKind::Correction].map(Remedy::of);
    ear.hears(&maria, &decision(C::Propose, remedies.to_vec()));
    assert_eq!(ear.hears(&mia, &Command::plain(C::Approve)), told(&[(JOHN, K::Decision), ("maria", K::Approved)]));
    let of = |remedy| Input { remedy: Some(remedy), ..Input::default() };
    assert_eq!(ear.hears(&me, &input(C::AcceptRemedy, of(1))), told(&[("maria", K::RemedyAcceptedHandler)]));
    let ground = Input { reason: Some("He said so on the phone.".into()), ..of(2) };
    assert_eq!(
        ear.hears(&mia, &input(C::DeclineRemedy, ground.clone())),
        told(&[(JOHN, K::RecordedForCustomer), ("maria", K::RemedyDeclinedHandler)])
    );
    assert_eq!(
        ear.hears(&mia, &input(C::AcceptRemedy, ground.clone())),
        told(&[(JOHN, K::RecordedForCustomer), ("maria", K::RemedyAcceptedHandler)])
    );
    assert_eq!(
        ear.hears(&me, &input(C::DeclineRemedy, of(2))),
        told(&[(JOHN, K::RemedyDeclinedCustomer), ("maria", K::RemedyDeclinedHandler)])
    );
    let failed = Input { reason: Some("Nobody keeps that record.".into()), ..of(3) };
    assert_eq!(
        ear.hears(&maria, &input(C::FailRemedy, failed)),
        told(&[(JOHN, K::RemedyFailedCustomer), ("level 3", K::RemedyFailedHandler)])
    );
    ear.hears(&me, &input(C::DeclineRemedy, of(3)));
    assert_eq!(
        ear.hears(&mia, &Command::with_reason(C::Accept, "He said so on the phone.")),
        told(&[(JOHN, K::RecordedForCustomer), ("maria", K::AcceptedHandler)])
    );
    assert_eq!(ear.hears(&me, &Command::plain(C::Accept)), told(&[("maria", K::AcceptedHandler)]));
    let given = input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() });
    assert_eq!(ear.hears(&maria, &given), told(&[(JOHN, K::RemedyFulfilled), (JOHN, K::Closed)]));
    let missing = input(C::FailRemedy, Input { reason: Some("Nothing came.".into()), ..Input::default() });
    assert_eq!(
        ear.hears(&me, &missing),
        told(&[
            (JOHN, K::RemedyFailedCustomer),
            ("level 3", K::RemedyFailedHandler),
            ("maria", K::RemedyFailedHandler)
        ])
    );
    ear.hears(&maria, &given);
    let rate = input(C::Rate, Input { score: Some(1), ..Input::default() });
    assert_eq!(ear.hears(&me, &rate), []);
    assert_eq!(ear.hears(&me, &Command::plain(C::AnonymiseRating)), []);
    assert_eq!(
        ear.hears(&me, &why(C::Contest)),
        told(&[(JOHN, K::ContestedCustomer), ("maria", K::ContestedHandler), ("mia", K::ContestedHandler)])
    );
    assert_eq!(ear.hears(&me, &Command::plain(C::Withdraw)), told(&[(JOHN, K::WithdrawnCustomer)]));
    assert_eq!(ear.hears(&me, &Command::plain(C::Reinstate)), told(&[(JOHN, K::Reinstated)]));
    ear.hears(&admin(), &assign("omar"));
    assert_eq!(
        ear.hears(&me, &Command::plain(C::Withdraw)),
        told(&[(JOHN, K::WithdrawnCustomer), ("omar", K::WithdrawnHandler)])
    );
    ear.hears(&me, &Command::plain(C::Reinstate));
    let body =
        input(C::Refer, Input { body: Some("The city".into()), text: Some("Not ours.".into()), ..Input::default() });
    assert_eq!(ear.hears(&omar, &body), told(&[(JOHN, K::Referred)]));
    assert_eq!(ear.hears(&omar, &why(C::ReturnReferral)), told(&[(JOHN, K::ReferralReturned)]));
    ear.hears(&admin(), &assign("omar"));
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    assert_eq!(
        ear.hears(&agent("olga"), &input(C::Dismiss, ground)),
        told(&[(JOHN, K::Dismissed), ("omar", K::TakenAway)])
    );
    assert_eq!(ear.hears(&agent("olga"), &why(C::Reopen)), told(&[(JOHN, K::Reopened)]));
    events.extend(ear.events.clone());

    let mut world = World::new(policy());
    let survivor = world.begun("ben");
    let begun = world.begun("sarah");
    let mut ear = Ear::at(world, begun);
    let into = input(C::Merge, Input { into: Some(survivor.reference.to_string()), ..Input::default() });
    assert_eq!(
        ear.hears_with(&mia, &into, Some(&survivor)),
        told(&[(JOHN, K::Merged), ("sarah", K::TakenAway)]),
        "one notice to the customer"
    );
    assert_eq!(ear.hears_with(&mia, &Command::plain(C::Unmerge), Some(&survivor)), told(&[(JOHN, K::Unmerged)]));
    events.extend(ear.events);

    let mut world = World::new(policy());
    let survivor = Complaint { customer: "jane".parse().unwrap(), ..world.begun("ben") };
    let begun = world.begun("sarah");
    let mut ear = Ear::at(world, begun);
    let consent = Some("On the phone.".to_owned());
    let into = input(C::Merge, Input { into: Some(survivor.reference.to_string()), consent, ..Input::default() });
    let entries = ear.world.decide(&ear.complaint, &mia, &into, Some(&survivor)).unwrap();
    assert_eq!(
        ear.hears_with(&mia, &into, Some(&survivor)),
        told(&[(JOHN, K::MergedByConsent), ("sarah", K::TakenAway)]),
        "and the other customer nothing"
    );
    let of_hers = entries.iter().filter(|entry| entry.complaint == survivor.id);
    let survivor = of_hers.fold(survivor.clone(), evolve);
    for (by, command, kind) in [
        (agent("ben"), decision(C::Resolve, Vec::new()), K::EndedElsewhere),
        (customer("jane"), Command::plain(C::Withdraw), K::Unmerged),
    ] {
        let joined = [ear.complaint.clone()];
        let context = Context::new(&ear.world.policy, ear.world.now).joined(&joined);
        let entries = decide(&survivor, &command, &by, &context).unwrap();
        let own: Vec<&Entry> = entries.iter().filter(|entry| entry.complaint == joined[0].id).collect();
        let after = own.iter().fold(joined[0].clone(), |state, entry| evolve(state, entry));
        told_is_seen(&joined[0], &own, &ear.world.policy);
        looks_ahead(&joined[0], &own, &ear.world.policy);
        let notices = announce(Some(&joined[0]), &after, &entries, &ear.world.policy);
        assert_eq!(notices.iter().map(|it| (to(it), it.kind)).collect::<Vec<_>>(), told(&[(JOHN, kind)]));
        assert_eq!(notices[0].reference, joined[0].reference);
        events.extend(own.iter().map(|entry| tag(&entry.event)));
    }

    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let mut ear = Ear::at(world, begun);
    let settled = input(C::ResolveAtSource, Input { explanation: Some("Settled.".into()), ..Input::default() });
    assert_eq!(ear.hears(&mia, &settled), told(&[(JOHN, K::Decision), ("sarah", K::TakenAway)]));
    events.extend(ear.events);

    // Submitted comes first of all, warnings and alarms have a table of their own.
    events.extend(["submitted", "warned", "alarmed"].map(str::to_owned));
    let source = include_str!("../../src/complaint/event.rs");
    let body = source.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap();
    let declared = body.lines().filter(|line| line.starts_with("    ") && line.as_bytes()[4].is_ascii_uppercase());
    assert_eq!(events.len(), declared.count(), "an event was not tried: {events:?}");
}

#[test]
fn the_receipt_is_one_mail_and_says_both() {
    let mut world = World::new(policy());
    let fresh = world.submitted();
    let first = world.log.clone();
    let alone = announce(None, &fresh, &first, &world.policy);
    assert_eq!(alone.iter().map(|it| (to(it), it.kind)).collect::<Vec<_>>(), told(&[(JOHN, K::Received)]));
    assert_eq!(alone[0].recipient, Recipient::Customer(john()));
    assert_eq!(alone[0].address.as_deref(), Some("john@example.org"));
    let acknowledged = world.plain(&fresh, &Actor::system(), C::Acknowledge);
    let both = announce(None, &acknowledged, &world.log, &world.policy);
    assert_eq!(both.iter().map(|it| (to(it), it.kind)).collect::<Vec<_>>(), told(&[(JOHN, K::Acknowledged)]));
}

fn warned(clock: ClockKind, percent: u8) -> Vec<(String, K)> {
    clocked(clock, Some(percent), policy())
}

fn clocked(clock: ClockKind, percent: Option<u8>, policy: Policy) -> Vec<(String, K)> {
    let mut world = World::new(policy);
    let begun = world.begun("sarah");
    let noted = world.text(&begun, &agent("sarah"), C::Note);
    let event = match percent {
        Some(percent) => Event::Warned { clock, percent },
        None => Event::Alarmed { clock },
    };
    let by = Actor::system().party().clone();
    let entry = Entry { event, by, seq: noted.entries + 1, ..world.log.last().unwrap().clone() };
    told_is_seen(&noted, &[&entry], &world.policy);
    looks_ahead(&noted, &[&entry], &world.policy);
    announce(Some(&noted), &noted, &[entry], &world.policy).iter().map(|it| (to(it), it.kind)).collect()
}

#[test]
fn warnings_and_alarms_reach_whoever_keeps_the_promise() {
    use ClockKind as Clock;
    let warning = |clock, who| told(&[(who, K::Warning(clock))]);
    let cases = [
        (Clock::Acknowledgement, "level 2", "level 2"),
        (Clock::FirstResponse, "sarah", "sarah"),
        (Clock::Resolution, "sarah", "level 2"),
        (Clock::Level, "sarah", "sarah"),
        (Clock::Acceptance, "sarah", "sarah"),
        (Clock::Approval, "level 2", "level 2"),
        (Clock::Silence, JOHN, JOHN),
        (Clock::AutoClose, JOHN, JOHN),
        (Clock::Remedy, "sarah", "sarah"),
        (Clock::Statutory, "level 2", "level 3"),
    ];
    for (clock, early, late) in cases {
        assert_eq!(warned(clock, 75), warning(clock, early), "{clock:?} at 75");
        assert_eq!(warned(clock, 90), warning(clock, late), "{clock:?} at 90");
    }
    let missed = |clock, who: &[&str]| who.iter().map(|it| ((*it).to_owned(), K::Missed(clock))).collect::<Vec<_>>();
    let cases: [(Clock, &[&str]); 8] = [
        (Clock::Acknowledgement, &["level 2", "sarah"]),
        (Clock::FirstResponse, &[JOHN, "level 2", "sarah"]),
        (Clock::Resolution, &[JOHN, "level 2", "sarah"]),
        (Clock::Level, &["level 2", "sarah"]),
        (Clock::Approval, &["level 3", "sarah"]),
        (Clock::Silence, &["sarah"]),
        (Clock::Remedy, &[JOHN, "level 2", "sarah"]),
        (Clock::Statutory, &[JOHN, "level 2", "sarah"]),
    ];
    for (clock, who) in cases {
        assert_eq!(clocked(clock, None, policy()), missed(clock, who), "{clock:?} ran out");
    }
    // Of every clock, what the customer is told stands in their log.
    for clock in Clock::ALL {
        for percent in [Some(75), Some(90), None] {
            clocked(clock, percent, policy());
        }
    }
}

#[test]
fn beyond_the_last_level_is_the_last_level() {
    let mut alone = policy();
    alone.levels.truncate(1);
    assert_eq!(
        clocked(ClockKind::Approval, None, alone),
        told(&[("level 1", K::Missed(ClockKind::Approval))]),
        "the holder is one of that level and is told once"
    );
}

#[test]
fn a_text_message_only_for_what_cannot_wait() {
    let mut policy = policy();
    policy.channels.insert(NoticeChannel::Sms);
    let mut world = World::new(policy);
    let assigned = world.assigned("sarah");
    let entries = &world.log[2..];
    let notices = announce(Some(&assigned), &assigned, entries, &world.policy);
    let by: Vec<_> = notices.iter().map(|it| (to(it), it.channel)).collect();
    let sarah = || "sarah".to_owned();
    assert_eq!(
        by,
        [(sarah(), NoticeChannel::Email), (sarah(), NoticeChannel::Sms), (JOHN.to_owned(), NoticeChannel::Email)]
    );
    unrepeated(&notices);
    assert_eq!(notices, announce(Some(&assigned), &assigned, entries, &world.policy), "the same again");
}

#[test]
fn whoever_held_what_goes_up_hears_by_text_message_too() {
    let mut policy = policy();
    policy.channels.insert(NoticeChannel::Sms);
    let mut world = World::new(policy);
    let begun = world.begun("sarah");
    let up = world.decide(&begun, &agent("mia"), &why(C::Escalate), None).unwrap();
    let after = up.iter().fold(begun.clone(), evolve);
    let notices = announce(Some(&begun), &after, &up, &world.policy);
    let by: BTreeSet<_> = notices.iter().map(|it| (to(it), it.kind, it.channel)).collect();
    let sarah = |channel| ("sarah".to_owned(), K::EscalatedHandler, channel);
    let john = (JOHN.to_owned(), K::EscalatedCustomer, NoticeChannel::Email);
    assert_eq!(by, BTreeSet::from([sarah(NoticeChannel::Email), sarah(NoticeChannel::Sms), john]));
}

/// Whoever takes notices may say when to come again; what they say is bounded on either side.
#[tokio::test]
async fn the_courier_waits_as_long_as_it_is_asked_to() {
    use complaint_core::desk::Delivered;
    use complaint_core::{Notifier, NotifyError};
    struct Busy(TimeDelta);
    #[async_trait::async_trait]
    impl Notifier for Busy {
        async fn deliver(&self, _: &Notice) -> Result<(), NotifyError> {
            Err(NotifyError::NotBefore { wait: self.0, why: "busy".into() })
        }
    }
    // The first pause of its own is 30 seconds, the longest six hours.
    for (asked, waits) in [(-5, 30), (0, 30), (29, 30), (31, 31), (900, 900), (21_600, 21_600), (99_999_999, 21_600)] {
        let house = House::with(policy(), agents()).await;
        let desk = house.desk.clone().notifying(Busy(TimeDelta::seconds(asked)));
        house.submit().await;
        let first = desk.deliver().await.unwrap();
        assert!(first.postponed > 0 && first.dead == 0, "{first:?}");
        house.clock.advance(TimeDelta::seconds(waits - 1));
        assert_eq!(desk.deliver().await.unwrap(), Delivered::default(), "asked {asked}: not yet");
        house.clock.advance(TimeDelta::seconds(1));
        assert_eq!(desk.deliver().await.unwrap().postponed, first.postponed, "asked {asked}: now");
    }
}

/// Operators read why a notice was given up, down to what lies beneath.
#[tokio::test]
async fn a_dead_letter_says_what_was_the_matter_and_why() {
    use complaint_core::{Notifier, NotifyError};
    #[derive(Debug, thiserror::Error)]
    #[error("the relay hung up")]
    struct HungUp(#[source] std::io::Error);
    struct Broken;
    #[async_trait::async_trait]
    impl Notifier for Broken {
        async fn deliver(&self, _: &Notice) -> Result<(), NotifyError> {
            Err(NotifyError::Later(HungUp(std::io::Error::other("the cable is cut")).into()))
        }
    }
    let house = House::with(policy(), agents()).await;
    let desk = house.desk.clone().notifying(Broken);
    house.submit().await;
    for _ in 0..64 {
        desk.deliver().await.unwrap();
        house.clock.advance(TimeDelta::hours(6));
    }
    let dead = complaint_core::store::Outbox::dead(&*house.store, None, 10).await.unwrap();
    assert!(!dead.is_empty());
    for letter in &dead {
        assert_eq!(letter.why, "the notice could not be delivered now: the relay hung up: the cable is cut");
    }
}

#[test]
fn no_notice_to_a_customer_carries_internal_words() {
    let secret = "SECRET";
    let mut world = World::new(policy());
    let mut texts = Vec::new();
    let mut complaint = world.begun("sarah");
    let mut say = |world: &mut World, complaint: &Complaint, actor: &Actor, command: Command| {
        let entries = world.decide(complaint, actor, &command, None).unwrap_or_else(|it| panic!("{it}"));
        let after = entries.iter().fold(complaint.clone(), evolve);
        for notice in announce(Some(complaint), &after, &entries, &world.policy) {
            if matches!(notice.recipient, Recipient::Customer(_)) {
                texts.push(serde_json::to_string(&notice).unwrap());
            }
        }
        after
    };
    let reason = |name| Command::with_reason(name, secret);
    complaint = say(&mut world, &complaint, &agent("sarah"), Command::with_text(C::Note, secret));
    complaint = say(&mut world, &complaint, &agent("sarah"), Command::with_text(C::Ask, "Which colour?"));
    complaint = say(&mut world, &complaint, &agent("sarah"), reason(C::Resume));
    complaint = say(&mut world, &complaint, &agent("sarah"), reason(C::Escalate));
    complaint = world.given(&complaint, "maria");
    let reassign = Input { agent: Some(agent_id("max")), reason: Some(secret.into()), ..Input::default() };
    complaint = say(&mut world, &complaint, &agent("mia"), input(C::Reassign, reassign));
    complaint = world.plain(&complaint, &agent("max"), C::Begin);
    let proposal = decision(C::Propose, vec![Remedy::replacement().with_instructions("Keep the old one.")]);
    complaint = say(&mut world, &complaint, &agent("max"), proposal);
    let approve = input(C::Approve, Input { comment: Some(secret.into()), ..Input::default() });
    complaint = say(&mut world, &complaint, &agent("mia"), approve);
    complaint = say(&mut world, &complaint, &agent("max"), {
        input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() })
    });
    complaint = world.plain(&complaint, &customer("john"), C::Accept);
    complaint = say(&mut world, &complaint, &agent("mia"), reason(C::Reopen));
    assert_eq!(complaint.level, level(2));
    assert!(texts.len() >= 6, "{texts:?}");
    for text in &texts {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(texts.iter().any(|text| text.contains("Keep the old one.")), "public words are told");
}

#[test]
fn an_answer_that_a_colleague_takes_down_is_news_to_the_handler() {
    for (by, to_handler) in [("sarah", false), ("mia", true)] {
        let mut world = World::new(policy());
        let begun = world.begun("sarah");
        let asked = world.text(&begun, &agent("sarah"), C::Ask);
        let mut ear = Ear::at(world, asked);
        let mut expected = told(&[(JOHN, K::Message)]);
        expected.extend(to_handler.then(|| ("sarah".to_owned(), K::Answer)));
        assert_eq!(ear.hears(&agent(by), &text(C::Answer)), expected, "{by}");
        assert_eq!(ear.complaint.unread_since.is_some(), to_handler, "{by}");
    }
}

#[test]
fn a_proposal_that_comes_back_to_nobody_is_told_to_the_customer_without_the_comment() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    world.handler_available = false;
    let back = input(C::SendBack, Input { comment: Some("INTERNAL".into()), ..Input::default() });
    let entries = world.decide(&proposed, &agent("mia"), &back, None).unwrap();
    let after = entries.iter().fold(proposed.clone(), evolve);
    let notices = announce(Some(&proposed), &after, &entries, &world.policy);
    let said: Vec<_> = notices.iter().map(|it| (to(it), it.kind, it.text.as_deref())).collect();
    let away = Some("You are away, take no complaints any more, or work at a lower level now.");
    let expected = [
        ("sarah".to_owned(), K::SentBack, Some("INTERNAL")),
        (JOHN.to_owned(), K::BackInQueue, None),
        ("sarah".to_owned(), K::TakenAway, away),
    ];
    assert_eq!(said, expected);
    told_is_seen(&proposed, &entries.iter().collect::<Vec<_>>(), &world.policy);
    assert!(notices[1].due_at.is_some(), "what was promised stands");
}

/// Every way in which a handler goes away, with somebody who follows in the same change and with nobody.
#[tokio::test]
async fn the_customer_is_told_once_whether_somebody_follows_or_nobody() {
    for way in ["decline", "release", "hand back", "disabled", "not begun"] {
        for followed in [false, true] {
            let case = format!("{way}, followed: {followed}");
            let level_1: &[&str] = if followed { &["sarah", "ben"] } else { &["sarah"] };
            let staff = agents().into_iter().filter(|it| level_1.contains(&it.id.as_str()) || it.id.as_str() == "mia");
            let house = House::with(policy(), staff.collect()).await;
            let id = house.submit().await.id;
            let mia = house.as_actor(agent("mia"));
            if way == "hand back" {
                mia.escalate(id, "For me.").await.unwrap();
                mia.begin(id).await.unwrap();
            }
            let mut gone = agents().into_iter().find(|it| it.id.as_str() == "sarah").unwrap();
            if way == "hand back" && !followed {
                let away = Absence { from: house.desk.now(), until: house.desk.now() + TimeDelta::days(9) };
                house.desk.enrol(Agent { absence: Some(away), ..gone.clone() }).await.unwrap();
            }
            gone.enabled = false;
            let before = house.changes.0.lock().unwrap().len();
            let holder = house.handler(id).await;
            match way {
                "decline" => drop(holder.perform(id, why(C::Decline)).await.unwrap()),
                "release" => drop(mia.perform(id, why(C::Release)).await.unwrap()),
                "hand back" => {
                    let instruction = Input { instruction: Some("Ask again.".into()), ..Input::default() };
                    mia.perform(id, input(C::HandBack, instruction)).await.unwrap();
                }
                "disabled" => {
                    gone.id = holder.actor().agent_id().unwrap().clone();
                    house.desk.enrol(gone).await.unwrap();
                    house.desk.release_from_absent().await.unwrap();
                }
                _ => {
                    house.clock.advance(TimeDelta::hours(24));
                    house.desk.sweep_clocks().await.unwrap();
                }
            }
            let changes = house.changes.0.lock().unwrap()[before..].to_vec();
            let notices = changes.iter().flat_map(complaint_core::store::Change::notices);
            let kinds: Vec<K> = notices.filter(|it| to(it) == JOHN).map(|it| it.kind).collect();
            assert_eq!(kinds, [if followed { K::AssignedCustomer } else { K::BackInQueue }], "{case}");
            assert_eq!(house.state(id).await.handler.is_some(), followed, "{case}");
        }
    }
}

#[test]
fn no_letter_promises_a_date_that_is_past() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let promised = begun.promised_at().unwrap();
    world.now = promised + TimeDelta::seconds(1);
    let up = Command::with_reason(C::Escalate, "You promised.");
    let entries = world.decide(&begun, &customer("john"), &up, None).unwrap();
    let after = entries.iter().fold(begun.clone(), evolve);
    let notices = announce(Some(&begun), &after, &entries, &world.policy);
    let to_john: Vec<_> = notices.iter().filter(|it| matches!(it.recipient, Recipient::Customer(_))).collect();
    assert!(to_john.iter().any(|it| it.kind == K::EscalatedCustomer), "{to_john:?}");
    assert!(to_john.iter().all(|it| it.due_at.is_some_and(|due| due > world.now)), "{to_john:?}");
    assert_eq!(after.promised_at(), Some(promised), "the broken promise stands as such");
}

/// Whoever loses a complaint is told why, also where nobody but a clock did it.
#[test]
fn no_longer_yours_says_why() {
    use complaint_core::deadline::due_commands;
    let why = |before: &Complaint, entries: &[Entry], policy: &Policy| -> Option<String> {
        let after = entries.iter().fold(before.clone(), evolve);
        let notices = announce(Some(before), &after, entries, policy);
        notices.into_iter().find(|notice| notice.kind == K::TakenAway).unwrap().text
    };
    let mut world = World::new(policy());
    let assigned = world.assigned("sarah");
    let by = |actor: &Actor, command: &Command| {
        let entries = world.decide(&assigned, actor, command, None).unwrap();
        why(&assigned, &entries, &world.policy)
    };
    let mia = agent("mia");
    assert_eq!(by(&mia, &Command::with_reason(C::Release, "Her holiday.")).as_deref(), Some("Her holiday."));
    let reassign = Input { agent: Some(agent_id("ben")), reason: Some("He knows it.".into()), ..Input::default() };
    assert_eq!(by(&mia, &input(C::Reassign, reassign)).as_deref(), Some("He knows it."));
    let ground = Input { reason: Some("spam".into()), text: Some("To you.".into()), ..Input::default() };
    assert_eq!(by(&mia, &input(C::Dismiss, ground)).as_deref(), Some("It was not taken up."));
    let settled = Input { explanation: Some("Settled.".into()), ..Input::default() };
    let settled = by(&mia, &input(C::ResolveAtSource, settled));
    assert_eq!(settled.as_deref(), Some("A colleague has settled it with the customer."));
    let refer = Input { body: Some("The city".into()), text: Some("It is theirs.".into()), ..Input::default() };
    let referred = by(&mia, &input(C::Refer, refer));
    assert_eq!(referred.as_deref(), Some("It was passed to the body that is responsible."));
    let other = world.clone().submitted();
    let into = Input { into: Some(other.reference.to_string()), ..Input::default() };
    let joined = world.decide(&assigned, &mia, &input(C::Merge, into), Some(&other)).unwrap();
    let joined = why(&assigned, &joined[..1], &world.policy);
    assert_eq!(joined.as_deref(), Some("It was joined to another complaint."));
    world.now = assigned.deadline(ClockKind::Acceptance).unwrap().due_at.unwrap();
    let released = due_commands(&assigned, &world.policy, world.now).remove(0);
    let entries = world.decide(&assigned, &Actor::system(), &released, None).unwrap();
    assert_eq!(why(&assigned, &entries, &world.policy).as_deref(), Some("You did not begin with it in time."));
}

/// The time of a level is no promise; that it took too long is what the customer can understand.
#[test]
fn what_a_clock_sends_up_says_so_to_either_side_in_their_words() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Post);
    world.now = asked.deadline(ClockKind::Level).unwrap().due_at.unwrap();
    let escalate = complaint_core::deadline::due_commands(&asked, &world.policy, world.now).remove(0);
    let entries = world.decide(&asked, &Actor::system(), &escalate, None).unwrap();
    let after = entries.iter().fold(asked.clone(), evolve);
    let notices = announce(Some(&asked), &after, &entries, &world.policy);
    let said: Vec<_> = notices.iter().map(|it| (it.kind, it.text.as_deref())).collect();
    let expected = [
        (K::EscalatedCustomer, Some("It was passed up because it took us too long.")),
        (K::EscalatedHandler, Some("Time ran out: this level.")),
    ];
    assert_eq!(said, expected);
}

/// What a command makes the customer or staff read.
fn read_of(world: &World, before: &Complaint, actor: &Actor, command: &Command, kind: K) -> Notice {
    let entries = world.decide(before, actor, command, None).unwrap_or_else(|it| panic!("{it}"));
    let after = entries.iter().filter(|it| it.complaint == before.id).fold(before.clone(), evolve);
    let notices = announce(Some(before), &after, &entries, &world.policy);
    notices.into_iter().find(|notice| notice.kind == kind).unwrap()
}

#[test]
fn letters_repeat_the_words_that_they_are_about() {
    let mut world = World::new(policy());
    let (sarah, mia, john) = (agent("sarah"), agent("mia"), customer("john"));
    let begun = world.begun("sarah");
    let told = |world: &World, it: &Complaint, actor: &Actor, command: &Command, kind| {
        read_of(world, it, actor, command, kind).text.unwrap_or_default()
    };
    assert_eq!(told(&world, &begun, &sarah, &text(C::Ask), K::Question), "Some words.");
    let ground = Input { reason: Some("spam".into()), text: Some("It is not for us.".into()), ..Input::default() };
    assert_eq!(told(&world, &begun, &mia, &input(C::Dismiss, ground), K::Dismissed), "It is not for us.");
    let until = Some(world.now.date_naive() + TimeDelta::days(9));
    let hold = input(C::Hold, Input { party: Some("The courier".into()), until, ..Input::default() });
    assert_eq!(told(&world, &begun, &sarah, &hold, K::OnHold), "The courier");

    let owing = world.resolved(&begun, vec![Remedy::replacement()]);
    let given = Input { remedy: Some(1), evidence: Some("Parcel 17".into()), ..Input::default() };
    let given = input(C::FulfilRemedy, given);
    assert_eq!(told(&world, &owing, &sarah, &given, K::RemedyFulfilled), "Replacement. Parcel 17");
    let withdraw = Command::plain(C::Withdraw);
    assert!(told(&world, &owing, &john, &withdraw, K::WithdrawnCustomer).contains("Replacement"));
    assert_eq!(
        told(&world, &owing, &john, &withdraw, K::WithdrawnHandler),
        "",
        "what fell is theirs to know, not to read"
    );

    // Whose word it is stands beside what was typed.
    let delivered = world.act(&owing, &sarah, &given);
    let fails = Input { remedy: Some(1), reason: Some("Nothing came.".into()), ..Input::default() };
    let fails = input(C::FailRemedy, fails);
    let by_john = told(&world, &delivered, &john, &fails, K::RemedyFailedHandler);
    assert!(by_john.ends_with("The customer says that it did not arrive: Nothing came."), "{by_john}");
    let by_mia = told(&world, &owing, &mia, &fails, K::RemedyFailedHandler);
    assert!(by_mia.ends_with("\n\nNothing came."), "{by_mia}");
    let accept = input(C::Accept, Input { reason: Some("On the phone.".into()), ..Input::default() });
    let recorded = told(&world, &owing, &mia, &accept, K::AcceptedHandler);
    assert_eq!(recorded, "Recorded in the customer's name: On the phone.");
    let own = told(&world, &owing, &john, &accept, K::AcceptedHandler);
    assert_eq!(own, "On the phone.");
}

#[test]
fn a_remedy_that_is_late_is_named_to_whoever_owes_it() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let owing = world.resolved(&begun, vec![Remedy::replacement()]);
    let clock = owing.deadline(ClockKind::Remedy).unwrap().clone();
    for (now, name, kind) in [
        (clock.warn_at.unwrap()[0], C::Warn, K::Warning(ClockKind::Remedy)),
        (clock.due_at.unwrap(), C::Alarm, K::Missed(ClockKind::Remedy)),
    ] {
        world.now = now;
        let mut asked = complaint_core::deadline::due_commands(&owing, &world.policy, now).into_iter();
        let of_it =
            |it: &Command| it.name() == name && it.input().clocks.iter().any(|(of, _)| *of == ClockKind::Remedy);
        let notice = read_of(&world, &owing, &Actor::system(), &asked.find(of_it).unwrap(), kind);
        assert!(notice.text.as_deref().is_some_and(|text| text.contains("Replacement")), "{notice:?}");
        assert!(notice.due_on.is_some() && notice.next_at.is_none(), "{notice:?}");
    }
}

/// How long a level has is no promise: nothing is held out in its stead.
#[test]
fn what_was_no_promise_is_not_followed_by_another_date() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let begun = world.text(&begun, &agent("omar"), C::Post);
    world.now = begun.deadline(ClockKind::Level).unwrap().due_at.unwrap();
    let mut asked = complaint_core::deadline::due_commands(&begun, &world.policy, world.now).into_iter();
    let alarm = asked.find(|it| it.input().clocks.iter().any(|(clock, _)| *clock == ClockKind::Level)).unwrap();
    let missed = read_of(&world, &begun, &Actor::system(), &alarm, K::Missed(ClockKind::Level));
    assert!(begun.promised(world.now).is_some() && missed.next_at.is_none(), "{missed:?}");
}

#[test]
fn a_promise_that_was_broken_is_said_to_be_one() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.now = begun.deadline(ClockKind::FirstResponse).unwrap().due_at.unwrap();
    let up = complaint_core::deadline::due_commands(&begun, &world.policy, world.now).remove(0);
    let notice = read_of(&world, &begun, &Actor::system(), &up, K::EscalatedCustomer);
    let sorry = "We did not keep the time that we promised you. We are sorry about that.";
    assert_eq!((up.name(), notice.text.as_deref()), (C::Escalate, Some(sorry)));
}

/// Until when the answer is waited for, the work is to be begun, and the proposal to be decided on: the dates of their own clocks,
/// and no days that anybody named.
#[test]
fn what_is_asked_of_somebody_has_the_date_of_its_own_clock() {
    let mut world = World::new(policy());
    let (sarah, mia) = (agent("sarah"), agent("mia"));
    let begun = world.begun("sarah");
    let clock = |it: &Complaint, clock| it.deadline(clock).unwrap().due_at;
    let asked = read_of(&world, &begun, &sarah, &text(C::Ask), K::Question);
    assert_eq!(
        (asked.due_at, asked.due_on),
        (clock(&world.clone().text(&begun, &sarah, C::Ask), ClockKind::Silence), None)
    );
    let propose = decision(C::Propose, Vec::new());
    let wanted = read_of(&world, &begun, &sarah, &propose, K::ApprovalWanted);
    assert_eq!(
        (wanted.due_at, wanted.due_on),
        (clock(&world.clone().act(&begun, &sarah, &propose), ClockKind::Approval), None)
    );
    let queued = world.submitted();
    let assign = input(C::Assign, Input { agent: Some(agent_id("sarah")), ..Input::default() });
    let given = read_of(&world, &queued, &mia, &assign, K::AssignedHandler);
    assert_eq!((given.due_at, given.due_on), (clock(&world.act(&queued, &mia, &assign), ClockKind::Acceptance), None));
}

#[test]
fn a_referral_names_the_body() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let refer = Input { body: Some("The city".into()), text: Some("It is theirs.".into()), ..Input::default() };
    let notice = read_of(&world, &begun, &agent("mia"), &input(C::Refer, refer), K::Referred);
    assert_eq!(notice.text.as_deref(), Some("The city\n\nIt is theirs."));
}

#[test]
fn letters_give_the_day_until_which_the_customer_waits_or_may_come_back() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let day = world.now.date_naive() + TimeDelta::days(9);
    let hold = |until| input(C::Hold, Input { party: Some("DHL".into()), until: Some(until), ..Input::default() });
    let waiting = read_of(&world, &begun, &agent("sarah"), &hold(day), K::OnHold);
    assert_eq!(waiting.due_at.unwrap().to_rfc3339(), "2026-12-03T00:00:00+00:00", "until the day is over");
    for (days, allowed) in [(366, true), (367, false)] {
        let until = hold(world.now.date_naive() + TimeDelta::days(days));
        let refusal = world.decide(&begun, &agent("sarah"), &until, None).err();
        assert_eq!(refusal.map(|it| it.code()), (!allowed).then_some("out_of_range"), "{days}");
    }
    let withdrawn = read_of(&world, &begun, &customer("john"), &Command::plain(C::Withdraw), K::WithdrawnCustomer);
    assert_eq!(withdrawn.due_at, Some(world.now + TimeDelta::days(30)));
}

#[test]
fn a_decision_says_whether_it_promises_something() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    for remedies in [Vec::new(), vec![Remedy::replacement()]] {
        let owed = !remedies.is_empty();
        let notice = read_of(&world, &begun, &agent("sarah"), &decision(C::Resolve, remedies), K::Decision);
        assert_eq!(notice.owed, owed);
    }
}

#[test]
fn the_closing_letter_asks_for_no_second_rating_and_gives_no_date_that_is_over() {
    let mut world = World::new(policy());
    let john = customer("john");
    let rate = input(C::Rate, Input { score: Some(4), ..Input::default() });
    for rated in [false, true] {
        let begun = world.begun("sarah");
        let mut it = world.resolved(&begun, vec![Remedy::replacement()]);
        if rated {
            it = world.act(&it, &john, &rate);
        }
        it = world.plain(&it, &john, C::Accept);
        let given = input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() });
        let soon = read_of(&world, &it, &agent("sarah"), &given, K::Closed);
        assert_eq!((soon.rated, soon.due_at), (rated, it.deadline(ClockKind::ContestWindow).unwrap().due_at));
        world.later(TimeDelta::days(60));
        let late = read_of(&world, &it, &agent("sarah"), &given, K::Closed);
        assert_eq!((late.rated, late.due_at), (rated, None));
    }
}

/// Nothing is over for whoever still owes it.
#[test]
fn what_is_late_when_the_customer_accepts_is_owed_without_a_date() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    for (remedies, owed) in [(Vec::new(), false), (vec![Remedy::replacement()], true)] {
        let it = world.resolved(&begun, remedies);
        let mut late = world.clone();
        late.later(TimeDelta::days(60));
        let told = read_of(&late, &it, &customer("john"), &Command::plain(C::Accept), K::AcceptedHandler);
        assert_eq!((told.owed, told.due_at), (owed, None));
    }
}

#[test]
fn the_letter_about_joined_complaints_gives_the_reference_of_the_one_that_goes_on() {
    let mut world = World::new(policy());
    let other = world.submitted();
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let into = Input { into: Some(other.reference.to_string()), ..Input::default() };
    for (before, question) in [(&begun, ""), (&asked, "Our question to you needs no answer any more")] {
        let entries = world.decide(before, &agent("mia"), &input(C::Merge, into.clone()), Some(&other)).unwrap();
        let after = evolve(before.clone(), &entries[0]);
        let notices = announce(Some(before), &after, &entries, &world.policy);
        let merged = notices.iter().find(|notice| notice.kind == K::Merged).unwrap();
        let text = merged.text.as_deref().unwrap();
        let rest = text.strip_prefix(&other.reference.to_string()).expect("the reference first");
        assert_eq!((rest.is_empty(), rest.trim().starts_with(question)), (question.is_empty(), true), "{rest}");
        let unanswered = matches!(entries[0].event, Event::Merged { unanswered: true, .. });
        assert_eq!(unanswered, !question.is_empty(), "the log says it, too");
    }
}

/// In the change that brings it, and later, when it waited in the queue in between.
#[tokio::test]
async fn a_handler_is_told_why_it_comes_to_them() {
    let house = House::with(policy(), agents()).await;
    let given = |house: &House| -> Option<String> {
        let changes = house.changes.0.lock().unwrap();
        let mut notices = changes.iter().rev().flat_map(|it| it.notices().to_vec());
        notices.find(|notice| notice.kind == K::AssignedHandler).unwrap().text
    };
    let id = house.submit().await.id;
    assert_eq!(given(&house), None, "there is nothing to say of the first time");
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.escalate(id, "Too big for me.").await.unwrap();
    let escalated = "It was escalated from level 1 by whoever handled it.\n\nToo big for me.";
    assert_eq!(given(&house).as_deref(), Some(escalated));
    house.handler(id).await.begin(id).await.unwrap();
    let back = Input { instruction: Some("Ask her again.".into()), ..Input::default() };
    house.handler(id).await.perform(id, input(C::HandBack, back)).await.unwrap();
    assert_eq!(given(&house).as_deref(), Some("It was handed back from level 2.\n\nAsk her again."));
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    let contest = Command::with_reason(C::Contest, "Still broken.");
    house.as_actor(customer("john")).perform(id, contest).await.unwrap();
    let contested = "The customer contested the decision. Nobody who took part in it acts on it any more.";
    assert_eq!(given(&house), Some(format!("{contested}\n\nStill broken.")));
    let holder = house.handler(id).await;
    holder.perform(id, Command::with_reason(C::Decline, "No time.")).await.unwrap();
    assert_eq!(given(&house).as_deref(), Some(contested));

    // By others than whoever handled it, and opened again.
    let id = house.submit().await.id;
    let mia = house.as_actor(agent("mia"));
    mia.escalate(id, "It is one for us.").await.unwrap();
    let by_mia = "It was escalated from level 1 by a supervisor.\n\nIt is one for us.";
    assert_eq!(given(&house).as_deref(), Some(by_mia));
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    mia.perform(id, input(C::Dismiss, ground)).await.unwrap();
    mia.perform(id, Command::with_reason(C::Reopen, "It was none.")).await.unwrap();
    assert_eq!(given(&house).as_deref(), Some("It was opened again.\n\nIt was none."));
    let id = house.submit().await.id;
    house.clock.set(house.state(id).await.promised_at().unwrap() + TimeDelta::seconds(1));
    let late = Command::with_reason(C::Escalate, "You promised.");
    house.as_actor(customer("john")).perform(id, late).await.unwrap();
    let by_john = "It was escalated from level 1 by the customer.\n\nYou promised.";
    assert_eq!(given(&house).as_deref(), Some(by_john));
    let id = house.submit().await.id;
    house.clock.set(house.state(id).await.deadline(ClockKind::FirstResponse).unwrap().due_at.unwrap());
    house.desk.sweep().await.unwrap();
    let changes = house.changes.0.lock().unwrap();
    let mut notices = changes.iter().rev().flat_map(|it| it.notices().to_vec());
    let of_it = notices.find(|it| it.kind == K::AssignedHandler && it.complaint == id).unwrap();
    let text = of_it.text.unwrap();
    assert!(text.starts_with("It was escalated from level 1 because time ran out: first response"), "{text}");
}

#[test]
fn a_broken_promise_is_told_with_the_next_date_that_holds() {
    let mut world = World::new(policy());
    let mut begun = world.begun_at(3);
    for deadline in &mut begun.deadlines {
        // As if nobody had written yet.
        if deadline.clock == ClockKind::FirstResponse {
            Arc::make_mut(deadline).ended = None;
        }
    }
    let response = begun.deadline(ClockKind::FirstResponse).unwrap().due_at.unwrap();
    let resolution = begun.deadline(ClockKind::Resolution).unwrap().due_at.unwrap();
    assert_eq!(begun.promised(world.now).unwrap().clock, ClockKind::FirstResponse);
    assert_eq!(begun.broken_promise(world.now), None);
    world.now = response;
    assert_eq!(begun.promised(world.now).unwrap().due_at, Some(resolution), "it looks ahead");
    assert_eq!(begun.broken_promise(world.now).unwrap().due_at, Some(response));
    assert_eq!(begun.promised_at(), Some(response), "and what is late is the most pressing");
    let alarms = complaint_core::deadline::due_commands(&begun, &world.policy, world.now);
    let alarm = alarms.iter().find(|it| it.name() == C::Alarm).unwrap();
    let kind = K::Missed(ClockKind::FirstResponse);
    let notice = read_of(&world, &begun, &Actor::system(), alarm, kind);
    assert_eq!(notice.recipient, Recipient::Customer(john()));
    assert_eq!((notice.due_at, notice.next_at), (Some(response), Some(resolution)));
    world.now = [ClockKind::Resolution, ClockKind::Statutory]
        .into_iter()
        .filter_map(|clock| begun.deadline(clock).and_then(|deadline| deadline.due_at))
        .max()
        .unwrap();
    assert_eq!(begun.promised(world.now), None);
    assert_eq!(begun.broken_promise(world.now).unwrap().due_at, Some(world.now), "the latest");
}

/// A colleague who neither holds it nor supervises can do nothing about it.
#[test]
fn where_nobody_is_above_the_holder_answers_alone() {
    let mut alone = policy();
    alone.levels.truncate(1);
    for clock in [ClockKind::Resolution, ClockKind::Level, ClockKind::Acceptance] {
        let told_of = clocked(clock, None, alone.clone());
        let staff: Vec<&String> = told_of.iter().map(|(who, _)| who).filter(|who| *who != JOHN).collect();
        assert_eq!(staff, ["sarah"], "{clock:?}");
    }
    let down_to = |complaint: &Complaint, entry: &Entry| {
        let notices = announce(Some(complaint), complaint, std::slice::from_ref(entry), &policy());
        notices.into_iter().find_map(|it| match it.recipient {
            Recipient::Level { level, down_to, .. } => Some((level.get(), down_to.get())),
            _ => None,
        })
    };
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let event = complaint_core::complaint::Event::Alarmed { clock: ClockKind::Resolution };
    let mut entry = Entry { event, by: complaint_core::Party::System, ..world.log.last().unwrap().clone() };
    assert_eq!(down_to(&begun, &entry), Some((2, 2)), "not her colleagues");
    (entry.place.status, entry.place.handler) = (complaint_core::lifecycle::Status::Queued, None);
    assert_eq!(down_to(&begun, &entry), Some((2, 1)), "nobody holds it: whoever works there");
    // Nobody is told of what they cannot open: from level 2 on only who sees that far.
    let mut above = begun.clone();
    for at in [2, 3] {
        (above.level, entry.place.level) = (level(at), level(at));
        assert_eq!(down_to(&above, &entry), Some((3, at)), "in the queue of level {at}");
    }
    (entry.place.status, entry.place.level) = (complaint_core::lifecycle::Status::InProgress, level(1));
    assert_eq!(down_to(&begun, &entry), Some((2, 2)), "what is not in the queue is not for colleagues");
}

#[tokio::test]
async fn what_was_taken_over_from_elsewhere_is_no_news() {
    use complaint_core::complaint::Channel;
    for staff in [agents(), Vec::new()] {
        let routed = !staff.is_empty();
        let house = House::with(policy(), staff).await;
        let submission = crate::house::submission().on_behalf_of("import-7".parse().unwrap(), Channel::Import);
        let receipt = house.as_actor(Actor::system()).submit(submission).await.unwrap();
        let told = |house: &House| -> Vec<K> {
            let changes = house.changes.0.lock().unwrap();
            changes.iter().flat_map(complaint_core::store::Change::notices).map(|notice| notice.kind).collect()
        };
        assert_eq!(told(&house), [], "routed: {routed}");
        // Nothing says that it was confirmed here, and no clock waits for that.
        let log = house.desk.whole_log(receipt.id()).await.unwrap();
        assert!(log.iter().all(|entry| tag(&entry.event) != "acknowledged"));
        assert!(receipt.complaint().deadlines.iter().all(|it| it.clock != ClockKind::Acknowledgement));
        if !routed {
            for agent in agents() {
                house.desk.enrol(agent).await.unwrap();
            }
            assert!(house.state(receipt.id()).await.handler.is_some());
            assert_eq!(told(&house), [], "it waited in the queue");
        }
        house.handler(receipt.id()).await.begin(receipt.id()).await.unwrap();
        house.handler(receipt.id()).await.escalate(receipt.id(), "Too big.").await.unwrap();
        assert!(told(&house).contains(&K::AssignedHandler), "what happens here is");
        let holder = house.handler(receipt.id()).await;
        holder.perform(receipt.id(), Command::plain(C::Acknowledge)).await.unwrap();
        assert!(told(&house).contains(&K::Acknowledged), "and what somebody confirms by hand is confirmed");
    }
}

/// A customer without an address is nobody's fault; somebody of the house without one is.
#[tokio::test]
async fn a_notice_that_nobody_can_have_is_settled_and_no_dead_letter() {
    use complaint_core::{Notifier, NotifyError};
    struct Without;
    #[async_trait::async_trait]
    impl Notifier for Without {
        async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
            Err(match notice.recipient {
                Recipient::Customer(_) => NotifyError::Nobody("no address".to_owned()),
                _ => NotifyError::Never("no address".to_owned()),
            })
        }
    }
    let house = House::with(policy(), agents()).await;
    let desk = house.desk.clone().notifying(Without);
    house.submit().await;
    let done = desk.deliver().await.unwrap();
    assert!(done.unaddressed > 0 && done.dead > 0, "{done:?}");
    assert_eq!((done.delivered, done.postponed), (0, 0));
    assert_eq!(desk.deliver().await.unwrap(), complaint_core::desk::Delivered::default(), "none waits");
}

/// Not who held it then, nor who decided what was contested before.
#[test]
fn whoever_decided_what_is_contested_hears_of_it() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let dismiss = input(C::Dismiss, ground);
    let dismissed = world.act(&begun, &agent("mia"), &dismiss);
    let contest = why(C::Contest);
    let mut ear = Ear::at(world, dismissed);
    let john = customer("john");
    assert_eq!(ear.hears(&john, &contest), told(&[(JOHN, K::ContestedCustomer), ("mia", K::ContestedHandler)]));
    for name in ["maria", "omar"] {
        let given = input(C::Assign, Input { agent: Some(agent_id(name)), ..Input::default() });
        ear.hears(&admin(), &given);
        ear.hears(&agent(name), &Command::plain(C::Begin));
        ear.hears(&agent(name), &decision(C::Resolve, Vec::new()));
        let contest =
            Input { reason: Some("No.".into()), new_evidence: Some("A photograph.".into()), ..Input::default() };
        assert_eq!(
            ear.hears(&john, &input(C::Contest, contest)),
            told(&[(JOHN, K::ContestedCustomer), (name, K::ContestedHandler)])
        );
    }
}

/// What waited for a second person falls when it goes up: neither side is left to wonder what became of it.
#[test]
fn a_proposal_that_falls_when_the_clock_sends_it_up_is_named_to_either_side() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    world.now = proposed.deadline(ClockKind::Level).unwrap().due_at.unwrap();
    let due = complaint_core::deadline::due_commands(&proposed, &world.policy, world.now);
    let escalate = due.into_iter().find(|it| it.name() == C::Escalate).unwrap();
    let up = world.decide(&proposed, &Actor::system(), &escalate, None).unwrap();
    let queued = up.iter().fold(proposed.clone(), evolve);
    let give = input(C::Assign, Input { agent: Some(agent_id("maria")), ..Input::default() });
    let given = world.decide(&queued, &admin(), &give, None).unwrap();
    let after = given.iter().fold(queued.clone(), evolve);
    let both: Vec<Entry> = up.iter().chain(&given).cloned().collect();
    // In the change that sends it up, and where it waits in the queue in between.
    let at_once = announce(Some(&proposed), &after, &both, &world.policy);
    let later = announce(Some(&queued), &after, &given, &world.policy);
    for notices in [&at_once, &later] {
        let letter = notices.iter().find(|it| it.kind == K::AssignedHandler).unwrap();
        assert_eq!(letter.handler, Some(agent_id("sarah")), "by whom");
        let fell = "A decision had been proposed, waited for approval and fell with that: Upheld.";
        assert!(letter.text.as_ref().unwrap().ends_with(fell), "{letter:?}");
    }
    let to_sarah = at_once.iter().find(|it| it.kind == K::EscalatedHandler).unwrap();
    assert_eq!(to_sarah.recipient, Recipient::Agent(agent_id("sarah")));
    let said = to_sarah.text.as_ref().unwrap();
    assert!(said.starts_with("Time ran out: "), "{said}");
    assert!(said.ends_with("Your proposal had not been decided on, and fell with that: Upheld."), "{said}");
    // Of that the customer knows nothing.
    let to_john = at_once.iter().chain(&later).filter(|it| matches!(it.recipient, Recipient::Customer(_)));
    assert!(to_john.clone().count() > 0);
    assert!(to_john.into_iter().all(|it| !it.text.clone().unwrap_or_default().contains("Upheld")));
    // Without a proposal nobody is named.
    let begun = world.begun("sarah");
    let up = world.decide(&begun, &agent("sarah"), &why(C::Escalate), None).unwrap();
    let queued = up.iter().fold(begun, evolve);
    let letter = read_of(&world, &queued, &admin(), &give, K::AssignedHandler);
    assert_eq!(letter.handler, None);
    assert!(!letter.text.unwrap().contains("proposed"));
}

/// One letter must not look for somebody while the other says who it is.
#[tokio::test]
async fn letters_of_one_change_tell_the_customer_of_one_place() {
    let house = House::with(policy(), agents()).await;
    let john = house.as_actor(customer("john"));
    let id = house.submit().await.id;
    house.clock.advance(TimeDelta::days(60));
    house.desk.sweep_clocks().await.unwrap();
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    john.contest(id, "Still broken.").await.unwrap();
    john.perform(id, Command::plain(C::Withdraw)).await.unwrap();
    john.perform(id, Command::plain(C::Reinstate)).await.unwrap();
    let mut with_handler = BTreeSet::new();
    for change in house.changes.0.lock().unwrap().iter() {
        let now = change.parts()[0].after();
        for letter in change.notices().iter().filter(|it| matches!(it.recipient, Recipient::Customer(_))) {
            let told = (letter.status, letter.level, letter.handler.clone());
            assert_eq!(told, (now.status, now.level, now.handler.clone()), "{:?}", letter.kind);
            if letter.handler.is_some() {
                with_handler.insert(letter.kind);
            }
        }
    }
    for kind in [K::Acknowledged, K::EscalatedCustomer, K::ContestedCustomer, K::Reinstated] {
        assert!(with_handler.contains(&kind), "{kind:?} came with nobody: {with_handler:?}");
    }
}

#[tokio::test]
async fn the_reminder_of_a_question_repeats_it() {
    let house = House::with(policy(), agents()).await;
    let id = house.submit().await.id;
    house.handler(id).await.begin(id).await.unwrap();
    let asked = house.handler(id).await.ask(id, "Which colour?").await.unwrap();
    for (at, percent) in [(0, 75), (1, 90)] {
        let warnings = asked.deadline(ClockKind::Silence).unwrap().warn_at.unwrap();
        house.clock.set(warnings[at]);
        house.desk.sweep_clocks().await.unwrap();
        let change = house.changes.0.lock().unwrap().last().unwrap().clone();
        let reminder = change.notices().iter().find(|it| it.kind == K::Warning(ClockKind::Silence)).unwrap();
        assert_eq!(to(reminder), JOHN);
        assert_eq!(reminder.text.as_deref(), Some("Which colour?"), "at {percent}");
    }
}

/// Of each remedy as long as can be said of all of them.
#[test]
fn the_closing_letter_says_until_when_a_delivery_can_be_denied() {
    let (john, sarah) = (customer("john"), agent("sarah"));
    let given = |remedy| {
        let evidence = Some("Parcel 17".into());
        input(C::FulfilRemedy, Input { evidence, remedy: Some(remedy), ..Input::default() })
    };
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let it = world.resolved(&begun, vec![Remedy::of(RemedyKind::Apology)]);
    let letter = read_of(&world, &it, &john, &Command::plain(C::Accept), K::Closed);
    assert_eq!(letter.deniable_until, None, "words are delivered by the decision");

    let it = world.resolved(&begun, vec![Remedy::replacement(), Remedy::of(RemedyKind::Repair)]);
    let it = world.plain(&it, &john, C::Accept);
    world.later(TimeDelta::days(20));
    let it = world.act(&it, &sarah, &given(1));
    let first = world.now + TimeDelta::days(30);
    world.later(TimeDelta::days(25));
    let letter = read_of(&world, &it, &sarah, &given(2), K::Closed);
    assert_eq!((letter.due_at, letter.deniable_until), (None, Some(first)));
    world.later(TimeDelta::days(25));
    let letter = read_of(&world, &it, &sarah, &given(2), K::Closed);
    assert_eq!(
        letter.deniable_until,
        Some(world.now + TimeDelta::days(30)),
        "what is over is no date to look forward to"
    );
}

/// What is decided is not taken from a handler who is away: somebody who is there must hear what comes in.
#[tokio::test]
async fn of_what_is_decided_those_above_hear_while_the_handler_is_away() {
    for (away, told) in [(None, &["HANDLER"][..]), (Some(true), &["HANDLER", "level 2"]), (Some(false), &["level 2"])] {
        let house = House::with(policy(), agents()).await;
        let id = house.submit().await.id;
        let handler = house.state(id).await.handler.unwrap();
        house.handler(id).await.begin(id).await.unwrap();
        let resolved = decision(C::Resolve, vec![Remedy::replacement()]);
        house.handler(id).await.perform(id, resolved).await.unwrap();
        let mut agent = agents().into_iter().find(|agent| agent.id == handler).unwrap();
        match away {
            Some(true) => {
                let from = house.desk.now();
                agent.absence = Some(Absence { from, until: from + TimeDelta::days(30) });
            }
            Some(false) => agent.enabled = false,
            None => {}
        }
        house.desk.enrol(agent).await.unwrap();
        let john = house.as_actor(customer("john"));
        let said = [Command::with_text(C::Post, "It broke again."), Command::plain(C::Accept)];
        for (command, kind) in said.into_iter().zip([K::Message, K::AcceptedHandler]) {
            john.perform(id, command).await.unwrap();
            let change = house.changes.0.lock().unwrap().last().unwrap().clone();
            let heard = change.notices().iter().filter(|notice| notice.kind == kind).map(to);
            let heard: Vec<String> = heard.map(|to| to.replace(handler.as_str(), "HANDLER")).collect();
            assert_eq!(heard, told, "{kind:?}, away: {away:?}");
        }
    }
}

/// They could do nothing about what they were told.
#[tokio::test]
async fn of_what_is_decided_those_above_hear_once_the_handler_works_below_its_level() {
    let house = House::with(policy(), agents()).await;
    let id = house.submit().await.id;
    house.handler(id).await.perform(id, Command::with_reason(C::Escalate, "Beyond me.")).await.unwrap();
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, vec![Remedy::replacement()])).await.unwrap();
    let handler = house.state(id).await.handler.unwrap();
    let agent = agents().into_iter().find(|agent| agent.id == handler).unwrap();
    house.desk.enrol(agent.at_level(Level::FIRST)).await.unwrap();
    let john = house.as_actor(customer("john"));
    john.perform(id, Command::with_text(C::Post, "Where is it?")).await.unwrap();
    let change = house.changes.0.lock().unwrap().last().unwrap().clone();
    let heard: Vec<String> = change.notices().iter().filter(|notice| notice.kind == K::Message).map(to).collect();
    assert_eq!(heard, ["level 3"]);
}

#[test]
fn whoever_withdraws_reads_what_falls_with_it() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, vec![Remedy::refund("12.50 EUR").unwrap()]);
    let accepted = world.plain(&resolved, &customer("john"), C::Accept);
    let withdraw = Command::plain(C::Withdraw);
    let letter = read_of(&world, &accepted, &customer("john"), &withdraw, K::WithdrawnCustomer);
    assert_eq!(letter.text.as_deref(), Some("1. Refund of 12.50 EUR"));
    let unread = world.text(&begun, &customer("john"), C::Post);
    assert!(unread.unread_since.is_some());
    let withdrawn = world.plain(&unread, &customer("john"), C::Withdraw);
    assert_eq!(withdrawn.unread_since, None, "nobody could mark it as read");
}

#[tokio::test]
async fn where_nobody_is_there_at_the_next_level_either_the_one_above_hears() {
    let house = House::with(policy(), agents()).await;
    let id = house.submit().await.id;
    let handler = house.state(id).await.handler.unwrap();
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    for agent in agents().into_iter().filter(|it| it.id == handler || it.level == level(2)) {
        house.desk.enrol(Agent { enabled: false, ..agent }).await.unwrap();
    }
    house.as_actor(customer("john")).perform(id, Command::with_text(C::Post, "It broke again.")).await.unwrap();
    let change = house.changes.0.lock().unwrap().last().unwrap().clone();
    assert_eq!(change.notices().iter().map(to).collect::<Vec<_>>(), ["level 3"]);
}

/// Whom a complaint is about reads nothing of it, and hears of it no more than whoever is not there.
#[tokio::test]
async fn whom_it_is_about_does_not_hear_for_whoever_is_away() {
    let house = House::with(policy(), agents()).await;
    let about = Submission { against: Some(agent_id("max")), ..submission() };
    let id = house.as_actor(customer("john")).submit(about).await.unwrap().id();
    let handler = house.state(id).await.handler.unwrap();
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    let max = agent_id("max");
    for agent in agents().into_iter().filter(|it| it.id == handler || (it.level == level(2) && it.id != max)) {
        house.desk.enrol(Agent { enabled: false, ..agent }).await.unwrap();
    }
    house.as_actor(customer("john")).perform(id, Command::with_text(C::Post, "It broke again.")).await.unwrap();
    let change = house.changes.0.lock().unwrap().last().unwrap().clone();
    assert_eq!(change.notices().iter().map(to).collect::<Vec<_>>(), ["level 3"]);
}

/// What ends in this very moment is no date to look forward to.
#[test]
fn a_date_that_is_now_is_given_to_nobody() {
    let mut world = World::new(policy());
    let (john, sarah) = (customer("john"), agent("sarah"));
    let given = |remedy| {
        let evidence = Some("Parcel 17".into());
        input(C::FulfilRemedy, Input { evidence, remedy: Some(remedy), ..Input::default() })
    };
    let begun = world.begun("sarah");
    let it = world.resolved(&begun, vec![Remedy::replacement(), Remedy::of(RemedyKind::Repair)]);
    let it = world.plain(&it, &john, C::Accept);
    let window = it.deadline(ClockKind::ContestWindow).unwrap().due_at.unwrap();
    let it = world.act(&it, &sarah, &given(1));
    let month = TimeDelta::days(30);
    assert_eq!(window, world.now + month, "as long as a delivery can be denied");
    for (now, due_at, deniable_until) in
        [(window - TimeDelta::seconds(1), Some(window), window), (window, None, window + month)]
    {
        world.now = now;
        let letter = read_of(&world, &it, &sarah, &given(2), K::Closed);
        assert_eq!((letter.due_at, letter.deniable_until), (due_at, Some(deniable_until)), "{now}");
    }
}

/// Of the last level, contesting takes new evidence: these letters give no date for it.
#[test]
fn the_letter_that_closes_at_the_last_level_gives_no_date_to_contest() {
    for (at, dated) in [(1, true), (2, true), (3, false)] {
        let mut world = World::new(policy());
        let begun = world.begun_at(at);
        let resolved = world.resolved(&begun, Vec::new());
        let letter = read_of(&world, &resolved, &customer("john"), &Command::plain(C::Accept), K::Closed);
        assert_eq!(letter.due_at.is_some(), dated, "level {at}: {letter:?}");
        let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
        let letter = read_of(&world, &begun, &agent("omar"), &input(C::Dismiss, ground), K::Dismissed);
        assert_eq!(letter.due_at.is_some(), dated, "level {at}: {letter:?}");
    }
}

/// Only whoever decided below may have lost sight of what is contested; the customer never does.
#[test]
fn what_is_contested_is_out_of_sight_of_whoever_decided_below_alone() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let contest = why(C::Contest);
    let of = |kind| read_of(&world, &resolved, &customer("john"), &contest, kind).out_of_sight;
    assert_eq!((of(K::ContestedCustomer), of(K::ContestedHandler)), (false, true));
}

/// Whose proposal fell on the way up is named to whoever follows, and not any more to whoever gets it opened again.
#[tokio::test]
async fn whose_proposal_fell_is_named_to_the_next_one_alone() {
    let house = House::with(policy(), agents()).await;
    let id = house.submit().await.id;
    house.handler(id).await.begin(id).await.unwrap();
    let proposer = house.state(id).await.handler;
    let dear = decision(C::Propose, vec![Remedy::refund("500.00 EUR").unwrap()]);
    house.handler(id).await.perform(id, dear).await.unwrap();
    let named = |house: &House| {
        let changes = house.changes.0.lock().unwrap();
        let mut notices = changes.iter().rev().flat_map(|it| it.notices().to_vec());
        notices.find(|notice| notice.kind == K::AssignedHandler).unwrap().handler
    };
    house.clock.set(house.state(id).await.deadline(ClockKind::Level).unwrap().due_at.unwrap());
    house.desk.sweep_clocks().await.unwrap();
    house.desk.route_waiting().await.unwrap();
    assert_eq!((house.state(id).await.level, named(&house)), (level(2), proposer));
    let mia = house.as_actor(agent("mia"));
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    mia.perform(id, input(C::Dismiss, ground)).await.unwrap();
    mia.perform(id, Command::with_reason(C::Reopen, "It was none.")).await.unwrap();
    assert!(house.state(id).await.handler.is_some());
    assert_eq!(named(&house), None);
}
