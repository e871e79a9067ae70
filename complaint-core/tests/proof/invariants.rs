//! The invariants of the specification over random histories: many people, a moving clock, sweeps in between.
//!
//! `COMPLAINT_SEQUENCES` sets how many histories are tried, `COMPLAINT_SEED` which. One that fails is shrunk and printed as a line of
//! JSON: kept under `histories/`, it is tried first from then on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use complaint_core::complaint::{
    Channel, CloseCause, EndElsewhere, Entry, EscalationCause, Event, ExclusionCause, Outcome, Priority, Remedy,
};
use complaint_core::deadline::{ClockKind, Ending};
use complaint_core::id::{AgentId, ComplaintId, CustomerId, NoticeId};
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status, replay, rule};
use complaint_core::notice::{NoticeChannel, NoticeKind, Recipient};
use complaint_core::store::{Change, Part};
use complaint_core::{Actor, Agent, Complaint, DeskError, Party};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::ends::{Way, way_to_an_end};
use crate::house::{
    House, World, admin, agent, agent_id, agents, auditor, customer, decision, file, input, policy, submission,
};

/// How long a history is.
const STEPS: usize = 40;

/// One thing that happens. Numbers choose among what there is, so that a shrunk history stays meaningful.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    actor: usize,
    command: usize,
    complaint: usize,
    choice: usize,
    minutes: i64,
    sweep: bool,
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly short waits; now and then days or weeks, so that clocks run out.
    let minutes = prop_oneof![6 => 0..60_i64, 3 => 60..3_000_i64, 2 => 3_000..30_000_i64, 1 => 30_000..90_000_i64];
    (0..1_000_usize, 0..1_000_usize, 0..100_usize, 0..100_usize, minutes, proptest::bool::weighted(0.3)).prop_map(
        |(actor, command, complaint, choice, minutes, sweep)| Step {
            actor,
            command,
            complaint,
            choice,
            minutes,
            sweep,
        },
    )
}

fn actors() -> Vec<Actor> {
    let mut actors = vec![
        customer("john"),
        customer("john"),
        customer("john"),
        customer("jane"),
        customer("jane"),
        admin(),
        auditor(),
    ];
    actors.extend(agents().iter().map(|known| agent(known.id.as_str())));
    actors
}

/// Some input, right more often than not.
fn some_input(name: C, step: &Step, complaint: &Complaint, other: Option<&Complaint>) -> Command {
    let text = || Some(format!("Words {}.", step.choice));
    let given = Input::default();
    let today = complaint.received_at.date_naive() + TimeDelta::days(i64::try_from(step.choice).unwrap());
    match name {
        C::Ask | C::Answer | C::Post | C::Note => Command::with_text(name, "Some words."),
        C::Decline | C::Release | C::Escalate | C::Rebase | C::Reopen | C::ReturnReferral | C::Withdraw => {
            Command::with_reason(name, "Because.")
        }
        C::Contest => input(
            name,
            Input {
                reason: text(),
                new_evidence: step.choice.is_multiple_of(3).then(|| "A film.".to_owned()),
                ..given
            },
        ),
        C::Assign if step.choice.is_multiple_of(2) => Command::plain(name),
        C::Assign | C::Reassign => {
            let agents = agents();
            let chosen = agents[step.choice % agents.len()].id.clone();
            let over_capacity = step.choice.is_multiple_of(5);
            input(name, Input { agent: Some(chosen), over_capacity, reason: text(), ..given })
        }
        C::Triage => {
            let priority = Some(Priority::ALL[step.choice % Priority::ALL.len()]);
            let weight = u32::try_from(step.choice % 4 + 1).ok();
            input(name, Input { priority, weight, ..given })
        }
        C::Hold => input(name, Input { party: text(), until: Some(today + TimeDelta::days(360)), ..given }),
        C::Resume => input(name, Input { reason: text(), ..given }),
        C::HandBack => input(name, Input { instruction: text(), ..given }),
        C::Propose | C::Resolve => {
            let remedies = match step.choice % 4 {
                0 => vec![Remedy::replacement()],
                1 => vec![Remedy::refund("500.00 EUR").unwrap(), Remedy::replacement()],
                _ => Vec::new(),
            };
            decision(name, remedies)
        }
        C::SendBack => input(name, Input { comment: text(), ..given }),
        C::ResolveAtSource => input(name, Input { explanation: text(), ..given }),
        C::FulfilRemedy => {
            let number = complaint.outstanding_remedies().next().map(|promise| promise.number);
            input(name, Input { evidence: text(), remedy: number, ..given })
        }
        C::Accept => input(name, Input { reason: text(), ..given }),
        C::AcceptRemedy | C::DeclineRemedy | C::FailRemedy => {
            let number = complaint.remedies.iter().rev().nth(step.choice % 2).map(|promise| promise.number);
            input(name, Input { reason: text(), remedy: number, ..given })
        }
        C::Rate => input(name, Input { score: u8::try_from(step.choice % 5 + 1).ok(), ..given }),
        C::Dismiss => input(name, Input { reason: Some("spam".into()), text: text(), ..given }),
        C::Merge => {
            let foreign = other.is_some_and(|other| other.customer != complaint.customer);
            let consent = text().filter(|_| foreign && !step.choice.is_multiple_of(5));
            input(name, Input { into: other.map(|other| other.reference.to_string()), consent, ..given })
        }
        C::Refer => input(name, Input { body: text(), text: text(), ..given }),
        C::Attach => Command::attach(vec![file(step.choice as u128)]),
        _ => Command::plain(name),
    }
}

struct History {
    house: House,
    ids: Vec<ComplaintId>,
    /// The state of each complaint as last checked.
    known: BTreeMap<ComplaintId, Complaint>,
    checked: usize,
    notices: BTreeSet<NoticeId>,
    accepted: u32,
    refused: u32,
    statuses: BTreeSet<Status>,
    /// How often it was carried over to another store.
    moves: u64,
    /// How often one command was given to all complaints at once.
    bulks: u32,
    /// How many notices to the customer were demanded, and came.
    told: u32,
    /// How often what ended a complaint was told to somebody else who had let theirs join it, or set theirs free.
    elsewhere: u32,
    /// From which places an end was looked for, and what was needed.
    ends: BTreeMap<String, Way>,
}

impl History {
    async fn new() -> Self {
        let mut policy = policy();
        // Small enough for the random walk to feel it.
        policy.categories[0].weight = 2;
        policy.log_entries_per_complaint = 30;
        policy.channels = [NoticeChannel::Email, NoticeChannel::Sms].into();
        let few: Vec<Agent> = agents().into_iter().map(|agent| agent.with_capacity(5)).collect();
        let house = House::with(policy, few).await;
        Self {
            house,
            ids: Vec::new(),
            known: BTreeMap::new(),
            checked: 0,
            notices: BTreeSet::new(),
            accepted: 0,
            refused: 0,
            statuses: BTreeSet::new(),
            moves: 0,
            bulks: 0,
            told: 0,
            elsewhere: 0,
            ends: BTreeMap::new(),
        }
    }

    async fn go(&mut self, step: &Step) {
        self.house.clock.advance(TimeDelta::minutes(step.minutes));
        if self.ids.is_empty() || (step.command.is_multiple_of(12) && self.ids.len() < 4) {
            let mut submission = submission();
            let owner = if step.actor.is_multiple_of(3) { "jane" } else { "john" };
            submission.contact.email = Some(format!("{owner}@example.org"));
            submission.against = agents().get(step.choice % 12).map(|agent| agent.id.clone());
            // By themself, by telephone, or brought over from another system.
            let (by, submission) = match step.choice % 5 {
                0 => (Actor::system(), submission.on_behalf_of(CustomerId::new(owner).unwrap(), Channel::Import)),
                1 => (
                    agent(if submission.against == Some(agent_id("sue")) { "ben" } else { "sue" }),
                    submission.on_behalf_of(CustomerId::new(owner).unwrap(), Channel::Phone),
                ),
                _ => (customer(owner), submission),
            };
            let receipt = self.house.as_actor(by).submit(submission).await.unwrap();
            self.ids.push(receipt.id());
        } else if step.choice.is_multiple_of(19) {
            // The same by the same person to all that there are.
            self.bulks += 1;
            for complaint in 0..self.ids.len() {
                self.perform(&Step { complaint, ..step.clone() }).await;
            }
        } else {
            self.perform(step).await;
        }
        if step.sweep {
            if step.choice.is_multiple_of(7) {
                self.toggle(step).await;
            }
            self.house.desk.sweep().await.unwrap();
            let left = self.house.desk.store().due(self.house.desk.now(), 10).await.unwrap();
            if let Some(id) = left.first() {
                let complaint = self.house.state(*id).await;
                panic!("a sweep at {} leaves work that is due: {complaint:#?}", self.house.desk.now());
            }
        }
        // The whole log of each complaint over and over would take most of the time.
        self.check(step.choice.is_multiple_of(9)).await;
        if step.choice.is_multiple_of(47) {
            self.carry_over().await;
        }
    }

    /// 2: another store goes on with everything as it was.
    async fn carry_over(&mut self) {
        self.moves += 1;
        let moved = self.house.moved(self.moves * 1_000_000).await;
        for (id, known) in &self.known {
            assert_eq!(moved.state(*id).await, *known, "2: what was carried over is another complaint");
            log_leads_to(&moved.desk.whole_log(*id).await.unwrap(), known);
        }
        moved.workloads_add_up().await;
        self.house = moved;
    }

    /// Somebody leaves, or comes back.
    async fn toggle(&self, step: &Step) {
        let agents = self.house.desk.store().roster().await.unwrap();
        let mut changed = agents[step.actor % agents.len()].agent.clone();
        changed.enabled = !changed.enabled;
        self.house.desk.enrol(changed).await.unwrap();
    }

    async fn perform(&mut self, step: &Step) {
        let id = self.ids[step.complaint % self.ids.len()];
        let complaint = self.house.state(id).await;
        let all = actors();
        // Two of three times whoever holds it, so that something gets done.
        let holder = complaint.handler.as_ref().filter(|_| !step.actor.is_multiple_of(3));
        let actor = holder.map_or_else(|| all[step.actor / 3 % all.len()].clone(), |id| agent(id.as_str()));
        let acting = self.house.as_actor(actor.clone());
        let offers: Vec<C> = match acting.available_commands(id).await {
            Ok(offers) => offers.into_iter().filter(|offer| offer.allowed).map(|offer| offer.command).collect(),
            Err(DeskError::NotFound) => Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let any = C::ALL[step.command % C::ALL.len()];
        let name =
            if offers.is_empty() || step.choice.is_multiple_of(8) { any } else { offers[step.command % offers.len()] };
        if matches!(name, C::Submit | C::FollowUp) {
            return;
        }
        let other = self.ids.get(step.choice % self.ids.len()).filter(|other| **other != id);
        let other = match other {
            Some(other) => Some(self.house.state(*other).await),
            None => None,
        };
        let command = some_input(name, step, &complaint, other.as_ref());
        match acting.perform(id, command).await {
            Ok(_) => {
                let after = self.house.state(id).await;
                self.accepted += 1;
                assert_eq!(after.version, complaint.version.next(), "{name}: version +1 per change");
                assert!(rule(name).from.contains(&complaint.status), "{name} from {}", complaint.status);
                let subject = actor.agent_id().is_some() && complaint.against.as_ref() == actor.agent_id();
                assert!(!subject, "12: the subject gave `{name}`");
                let decided = actor.agent_id().is_some_and(|agent| complaint.is_barred(agent));
                assert!(!decided || name == C::Note, "4: `{name}` by whoever decided what is contested");
            }
            Err(DeskError::Refused(refusal)) => {
                self.refused += 1;
                assert!(!refusal.failed.is_empty());
                assert_eq!(self.house.state(id).await, complaint, "a refusal changes nothing");
            }
            Err(DeskError::NotFound) => self.refused += 1,
            Err(error) => panic!("{name}: {error:?}"),
        }
    }

    async fn check(&mut self, thoroughly: bool) {
        let changes: Vec<Change> = self.house.changes.0.lock().unwrap()[self.checked..].to_vec();
        self.checked += changes.len();
        for change in &changes {
            for part in change.parts() {
                let before = self.known.get(&part.id());
                moved_rightly(before, part.after(), part.entries());
                part.entries().iter().for_each(survives_json);
                let wanted = letters(before, part.after(), part.entries());
                let sent = change.notices().iter().filter(|notice| notice.complaint == part.id());
                let sent = sent.filter(|notice| matches!(notice.recipient, Recipient::Customer(_)));
                let mut sent: Vec<Letter> = sent.map(|notice| (notice.kind, notice.channel)).collect();
                sent.sort();
                assert_eq!(sent, wanted, "10: the customer is told something else than what happened");
                self.told += u32::try_from(wanted.len()).unwrap();
                self.elsewhere += told_elsewhere(before, part, change);
                assert_eq!(part.expected(), before.map_or(complaint_core::id::Version::NONE, |it| it.version));
                self.known.insert(part.id(), part.after().clone());
                self.statuses.insert(part.after().status);
            }
            self.told_once(change);
        }
        let touched: BTreeSet<ComplaintId> =
            changes.iter().flat_map(|change| change.parts().iter().map(complaint_core::store::Part::id)).collect();
        for id in &touched {
            let stored = self.house.state(*id).await;
            assert_eq!(Some(&stored), self.known.get(id), "2: the store holds what was never committed");
            state_stands(&stored);
            self.an_end_can_be_reached(&stored);
            if thoroughly {
                log_leads_to(&self.house.desk.whole_log(*id).await.unwrap(), &stored);
            }
            self.subject_reads_nothing(&stored).await;
            self.deciders_have_only_notes(&stored).await;
            self.nobody_learns_of_others(&stored).await;
        }
        self.house.workloads_add_up().await;
    }

    /// 10.
    fn told_once(&mut self, change: &Change) {
        let mut told = BTreeSet::new();
        for notice in change.notices() {
            assert!(self.notices.insert(notice.id), "10: {notice:?} has the id of another notice");
            if let Recipient::Customer(reader) = &notice.recipient {
                let whole = serde_json::to_string(notice).unwrap();
                for other in self.known.values().filter(|other| other.customer != *reader) {
                    let names = [other.customer.to_string(), other.id.to_string(), other.reference.to_string()];
                    assert!(!names.iter().any(|name| whole.contains(name)), "of somebody else: {whole}");
                }
                let text = notice.text.clone().unwrap_or_default();
                assert!(!text.contains("Because."), "10: an internal reason in {notice:?}");
                let part = change.parts().iter().find(|part| part.id() == notice.complaint).unwrap();
                let (version, seen) = (part.after().version, part.after().public_change);
                assert_eq!(version, seen, "10: the customer is told what they cannot see: {notice:?}");
            }
            let what = serde_json::to_string(&(notice.complaint, notice.kind, notice.planned_at)).unwrap();
            assert!(told.insert((what, notice.recipient.clone(), notice.channel)), "10: twice {notice:?}");
            let against = self.known[&notice.complaint].against.clone();
            let to_subject = against.is_some_and(|agent| notice.recipient == Recipient::Agent(agent));
            assert!(!to_subject, "12: the subject is told {notice:?}");
        }
    }

    /// 11, once for each place that can make a difference.
    fn an_end_can_be_reached(&mut self, complaint: &Complaint) {
        let owed: Vec<_> =
            complaint.outstanding_remedies().map(|it| (it.accepted.is_some(), it.failed.is_some())).collect();
        let people = (complaint.handler.is_some(), complaint.exclusions.len(), complaint.against.is_some());
        let facts = (complaint.question.is_some(), complaint.unread_since.is_some(), complaint.contested_to, owed);
        let is_full = complaint.entries >= 30;
        let place = format!("{} {} {people:?} {facts:?} {is_full}", complaint.status, complaint.level);
        if self.ends.contains_key(&place) {
            return;
        }
        let policy = (*self.house.desk.policy()).clone();
        let world = World { now: self.house.desk.now(), ..World::new(policy) };
        let way = way_to_an_end(&world, complaint);
        self.ends.insert(place, way.unwrap_or_else(|| panic!("11: no way to an end from {complaint:#?}")));
    }

    /// 12.
    async fn subject_reads_nothing(&self, complaint: &Complaint) {
        if let Some(subject) = &complaint.against {
            let acting = self.house.as_actor(agent(subject.as_str()));
            assert!(matches!(acting.read(complaint.id).await, Err(DeskError::NotFound)));
        }
    }

    /// 4: not only does it never reach them again, they have no other way to steer or end it.
    async fn deciders_have_only_notes(&self, complaint: &Complaint) {
        for exclusion in complaint.exclusions.iter().filter(|it| it.cause == ExclusionCause::Decided) {
            let acting = self.house.as_actor(agent(exclusion.agent.as_str()));
            let Ok(offers) = acting.available_commands(complaint.id).await else { continue };
            let left = offers.iter().filter(|offer| offer.allowed && offer.command != C::Note);
            let left: Vec<C> = left.map(|offer| offer.command).collect();
            assert_eq!(left, [], "4: {} may still act on {}", exclusion.agent, complaint.status);
        }
    }

    /// A customer sees nothing that names another one or what is theirs, whatever was joined to what.
    async fn nobody_learns_of_others(&self, complaint: &Complaint) {
        if self.known.values().all(|other| other.customer == complaint.customer) {
            return;
        }
        let own = self.house.as_actor(customer(complaint.customer.as_str()));
        let seen = own.read(complaint.id).await.unwrap();
        let log = own.log(complaint.id).await.unwrap();
        let offers = format!("{:?}", own.available_commands(complaint.id).await.unwrap());
        let text = serde_json::to_string(&(seen, log)).unwrap() + &offers;
        for other in self.known.values().filter(|other| other.customer != complaint.customer) {
            for name in [other.customer.to_string(), other.id.to_string(), other.reference.to_string()] {
                assert!(!text.contains(&name), "{name} in {text}");
            }
            assert!(matches!(own.read(other.id).await, Err(DeskError::NotFound)), "somebody else's");
        }
    }

    async fn logs(&self) -> String {
        let mut logs = String::new();
        for id in &self.ids {
            logs += &serde_json::to_string(&self.house.desk.whole_log(*id).await.unwrap()).unwrap();
        }
        logs
    }
}

/// What it says, and how it goes out.
type Letter = (NoticeKind, NoticeChannel);

/// 10: exactly these letters to the customer does the specification ask for, in the order of their kinds.
fn letters(before: Option<&Complaint>, after: &Complaint, entries: &[Entry]) -> Vec<Letter> {
    use NoticeKind as K;

    let happens = |wanted: fn(&Event) -> bool| entries.iter().any(|entry| wanted(&entry.event));
    let imported = after.channel == Channel::Import;
    let mut letters = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let themself = matches!(entry.by, Party::Customer(_));
        let moved_on = entries[at + 1..].iter().any(|later| later.place != entry.place);
        let absorbed = happens(|event| matches!(event, Event::Absorbed { .. }));
        let acknowledged = happens(|event| matches!(event, Event::Acknowledged));
        let kind = match &entry.event {
            // What was taken over happened elsewhere.
            Event::Submitted { .. } => (!imported && !acknowledged).then_some(K::Received),
            Event::Assigned { .. } => (!imported || after.assignments > 1).then_some(K::AssignedCustomer),
            Event::Reassigned { .. } => Some(K::AssignedCustomer),
            Event::Acknowledged => Some(K::Acknowledged),
            Event::Revised { .. } => (before.is_some() && !absorbed).then_some(K::Revised),
            Event::Declined { .. } | Event::HandedBack { .. } | Event::Released { .. } => {
                (!moved_on).then_some(K::BackInQueue)
            }
            Event::Asked => Some(K::Question),
            // What they write themself they know.
            Event::Answered { .. } | Event::Posted { .. } | Event::Attached { .. } => (!themself).then_some(K::Message),
            Event::Held { .. } => Some(K::OnHold),
            Event::Escalated { .. } => Some(K::EscalatedCustomer),
            Event::Resolved { .. } if entry.place.level.get() < 3 => Some(K::Decision),
            Event::Resolved { .. } => Some(K::FinalDecision),
            Event::Accepted { .. } | Event::RemedyAccepted { .. } => (!themself).then_some(K::RecordedForCustomer),
            Event::RemedyDeclined { .. } if themself => Some(K::RemedyDeclinedCustomer),
            Event::RemedyDeclined { .. } => Some(K::RecordedForCustomer),
            Event::RemedyFulfilled { .. } => Some(K::RemedyFulfilled),
            Event::RemedyFailed { .. } => Some(K::RemedyFailedCustomer),
            Event::Contested { .. } => Some(K::ContestedCustomer),
            Event::Reopened => Some(K::Reopened),
            Event::Closed { .. } => Some(K::Closed),
            Event::Withdrawn => Some(K::WithdrawnCustomer),
            Event::Reinstated => Some(K::Reinstated),
            Event::Dismissed { .. } => Some(K::Dismissed),
            Event::Merged { by_consent: true, .. } => Some(K::MergedByConsent),
            Event::Merged { .. } => Some(K::Merged),
            Event::EndedElsewhere { .. } => Some(K::EndedElsewhere),
            Event::Unmerged => Some(K::Unmerged),
            Event::Referred => Some(K::Referred),
            Event::ReferralReturned => Some(K::ReferralReturned),
            Event::Warned { clock: clock @ (ClockKind::Silence | ClockKind::AutoClose), .. } => {
                Some(K::Warning(*clock))
            }
            Event::Alarmed {
                clock:
                    clock @ (ClockKind::FirstResponse | ClockKind::Resolution | ClockKind::Statutory | ClockKind::Remedy),
            } => Some(K::Missed(*clock)),
            _ => None,
        };
        let Some(kind) = kind else { continue };
        // However many remedies come to be late at once, one letter names them.
        if kind == K::Missed(ClockKind::Remedy) && letters.contains(&(kind, NoticeChannel::Email)) {
            continue;
        }
        letters.push((kind, NoticeChannel::Email));
        if matches!(kind, K::Received | K::Acknowledged | K::Decision | K::FinalDecision) {
            letters.push((kind, NoticeChannel::Sms));
        }
    }
    letters.sort();
    letters
}

/// Whoever let theirs join a complaint of somebody else is told how that ends, and goes on alone where its customer takes it back.
fn told_elsewhere(before: Option<&Complaint>, part: &Part, change: &Change) -> u32 {
    let Some(before) = before else { return 0 };
    let mut told = 0;
    for id in before.consents.keys() {
        let theirs = || change.parts().iter().find(|other| other.id() == *id).expect("it is part of the change");
        for entry in part.entries() {
            let how = match &entry.event {
                Event::Resolved { outcome, .. } => EndElsewhere::Decided(*outcome),
                Event::Dismissed { .. } => EndElsewhere::Dismissed,
                Event::Referred => EndElsewhere::Referred,
                Event::Withdrawn => {
                    let after = theirs().after();
                    assert!(after.status.is_open() && after.merged_into.is_none(), "it ended with somebody else's");
                    told += 1;
                    continue;
                }
                _ => continue,
            };
            assert_eq!(theirs().after().ended_elsewhere, Some(how), "nobody told them");
            told += 1;
        }
    }
    let goes_elsewhere = part.after().status == Status::Merged && !part.after().consents.is_empty();
    assert!(!goes_elsewhere, "nobody agreed to that");
    told
}

/// What a customer sees that can differ.
fn shown(complaint: &Complaint) -> impl PartialEq + std::fmt::Debug {
    (
        (complaint.status.for_customer(), complaint.level, complaint.handler.clone(), complaint.category.clone()),
        complaint.status_since_for(&customer("john")),
        (complaint.promised_at(), complaint.referred_to.clone(), complaint.dismissal.clone()),
        (
            complaint.merged_into.filter(|_| !complaint.joined_by_consent),
            complaint.joined_by_consent,
            complaint.ended_elsewhere,
        ),
        (complaint.resolutions.clone(), complaint.remedies.clone(), complaint.feedback.clone()),
        (complaint.attachments.len(), complaint.acknowledged_at, complaint.question.clone()),
    )
}

/// What must hold between a state and the next.
fn moved_rightly(before: Option<&Complaint>, after: &Complaint, entries: &[Entry]) {
    let mut level = before.map_or(after.level, |before| before.level);
    if before.is_none() {
        level = entries[0].place.level;
    }
    for entry in entries {
        // 3.
        if entry.place.level < level {
            assert!(matches!(entry.event, Event::HandedBack { .. }), "3: the level fell by {:?}", entry.event);
        }
        level = entry.place.level;
        // 13.
        if let Event::Resolved { by, approved_by: Some(approver), .. } = &entry.event {
            assert_ne!(by, approver, "13");
        }
        // 10: a note announces nothing, which `told_once` could not see.
        if let Event::Closed { cause: CloseCause::AcceptanceWindowOver } = entry.event {
            assert!(before.is_some_and(|before| before.unread_since.is_none()), "closed over an unread message");
        }
        // 4 and 12.
        let given = match &entry.event {
            Event::Assigned { agent, .. } | Event::Reassigned { to: agent, .. } => Some(agent),
            Event::Resolved { by, .. } | Event::Dismissed { by, .. } => Some(by),
            _ => None,
        };
        if let (Some(agent), Some(before)) = (given, before) {
            let contested =
                before.exclusions.iter().any(|it| it.agent == *agent && it.cause == ExclusionCause::Decided);
            assert!(!contested, "4: {agent} by {:?}", entry.event);
        }
        if let Some(agent) = given {
            assert_ne!(after.against.as_ref(), Some(agent), "12");
        }
    }
    // 5: whichever instance runs.
    if let Some(before) = before {
        let last = |complaint: &Complaint| {
            complaint.deadlines.iter().rev().find(|it| it.clock == ClockKind::Statutory).and_then(|it| it.due_at)
        };
        assert!(last(after) <= last(before), "5: {:?} became {:?}", last(before), last(after));
    }
    if let Some(before) = before {
        if after.public_version == before.public_version {
            assert_eq!(shown(after), shown(before), "10: it differs and is no other version");
        }
        assert_eq!(after.version, before.version.next(), "version +1 per change");
        assert!(after.escalations.starts_with(&before.escalations), "history is kept");
        assert!(after.resolutions.len() >= before.resolutions.len(), "history is kept");
    }
}

/// What must hold of a log and the state it led to.
fn log_leads_to(log: &[Entry], stored: &Complaint) {
    // 1, also after the state went through JSON, as each of the entries did when it was made.
    assert_eq!(replay(log).unwrap(), *stored, "1: the fold of the log is another complaint");
    let row = serde_json::to_string(stored).unwrap();
    let again: Complaint = serde_json::from_str(&row).unwrap();
    assert_eq!(&again, stored, "1: the state does not survive JSON");

    for (at, entry) in log.iter().enumerate() {
        assert_eq!(entry.seq as usize, at + 1, "seq has a gap");
    }
    for pair in log.windows(2) {
        let (a, b) = (pair[0].version.get(), pair[1].version.get());
        assert!(b == a || b == a + 1, "a version was left out");
        assert!(pair[0].at <= pair[1].at);
    }
}

/// 1: it is stored as JSON.
fn survives_json(entry: &Entry) {
    let text = serde_json::to_string(entry).unwrap();
    let read: Entry = serde_json::from_str(&text).unwrap();
    assert_eq!(read, *entry, "1: an entry does not survive JSON");
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
}

/// What must hold of any state.
fn state_stands(stored: &Complaint) {
    // 6.
    for deadline in &stored.deadlines {
        assert_eq!(deadline.segments[0].from, deadline.started_at, "6: {deadline:?}");
        for pair in deadline.segments.windows(2) {
            assert_eq!(pair[0].to, Some(pair[1].from), "6: {deadline:?}");
        }
        let end = deadline.segments.last().unwrap().to;
        assert_eq!(end, deadline.ended.map(|ended| ended.at), "6: {deadline:?}");
        if deadline.clock == ClockKind::Statutory {
            assert!(deadline.segments.iter().all(|segment| segment.ran), "5: the law paused");
        }
        let paused = deadline.due_at.is_none();
        assert_eq!(paused, deadline.left_micros.is_some(), "6: {deadline:?}");
        assert_eq!(paused, deadline.segments.last().is_some_and(|it| !it.ran), "6: {deadline:?}");
    }

    // 7.
    let mut fired = BTreeSet::new();
    for escalation in &stored.escalations {
        for cause in &escalation.causes {
            if matches!(cause, EscalationCause::Clock(_) | EscalationCause::Customer) {
                assert!(fired.insert((escalation.from, cause.clone())), "7: {cause:?} fired twice");
            }
        }
    }

    // 9.
    match stored.status {
        Status::Closed => assert!(!stored.resolutions.is_empty(), "9"),
        Status::Dismissed => assert!(stored.dismissal.is_some(), "9"),
        Status::Merged => assert!(stored.merged_into.is_some(), "9"),
        Status::Referred => assert!(stored.referred_to.is_some(), "9"),
        Status::Withdrawn => {}
        _ => assert!(stored.merged_into.is_none() && stored.dismissal.is_none(), "an end's reason on an open one"),
    }
    if stored.status == Status::Closed {
        assert_eq!(stored.outstanding_remedies().count(), 0, "closed with a promise outstanding");
    }
    if stored.status.is_end() {
        // What the law promised goes on for whoever waits for the end of somebody else's.
        let waits = stored.joined_by_consent && stored.ended_elsewhere.is_none();
        let lasts = |clock| clock == ClockKind::ContestWindow || (waits && clock == ClockKind::Statutory);
        let awaited = stored.deadlines.iter().filter(|it| it.ended.is_none() && !lasts(it.clock));
        assert_eq!(awaited.count(), 0, "a clock runs on a finished complaint");
    }

    // 4 and 12.
    if let Some(handler) = stored.handler.as_ref().filter(|_| stored.status.is_open()) {
        assert_ne!(stored.against.as_ref(), Some(handler), "12");
        assert!(!stored.is_barred(handler), "4: {handler} holds what they decided");
    }
    let proposer: Option<&AgentId> = stored.proposal.as_ref().map(|proposal| &proposal.by);
    assert_eq!(proposer.is_some(), stored.status == Status::PendingApproval);
    if stored.resolutions.last().is_some_and(|it| it.outcome == Outcome::ResolvedAtSource) {
        assert!(stored.decisions > 0);
    }
    let law = stored.deadlines.iter().filter(|it| it.clock == ClockKind::Statutory);
    let kept = law.clone().filter(|it| it.ended.is_some_and(|ended| ended.how != Ending::Cancelled)).count();
    assert!(kept <= 1, "the law is satisfied once");
    if stored.status.is_open() && kept == 0 && stored.resolutions.is_empty() {
        assert!(stored.deadline(ClockKind::Statutory).is_some(), "the law's clock does not run");
    }
}

fn number<T: std::str::FromStr>(variable: &str, otherwise: T) -> T {
    std::env::var(variable).ok().and_then(|given| given.parse().ok()).unwrap_or(otherwise)
}

#[derive(Default)]
struct Tally {
    accepted: u32,
    refused: u32,
    statuses: BTreeSet<Status>,
    moves: u64,
    bulks: u32,
    told: u32,
    elsewhere: u32,
    ends: BTreeMap<Way, usize>,
    histories: u32,
    steps: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.statuses.extend(other.statuses);
        self.moves += other.moves;
        self.bulks += other.bulks;
        self.told += other.told;
        self.elsewhere += other.elsewhere;
        self.histories += other.histories;
        self.steps += other.steps;
        for (way, many) in other.ends {
            *self.ends.entry(way).or_default() += many;
        }
    }
}

async fn play(steps: &[Step], tally: &mut Tally) {
    let mut first = History::new().await;
    for step in steps {
        first.go(step).await;
    }
    for id in &first.ids {
        log_leads_to(&first.house.desk.whole_log(*id).await.unwrap(), &first.house.state(*id).await);
    }
    let mut ends = BTreeMap::new();
    for way in first.ends.values() {
        *ends.entry(*way).or_default() += 1;
    }
    let (accepted, refused, statuses) = (first.accepted, first.refused, first.statuses.clone());
    let (moves, bulks, told, elsewhere) = (first.moves, first.bulks, first.told, first.elsewhere);
    tally.add(Tally {
        accepted,
        refused,
        statuses,
        moves,
        bulks,
        told,
        elsewhere,
        ends,
        histories: 1,
        steps: steps.len(),
    });
    // 14, for some: it doubles the work.
    if steps[0].choice.is_multiple_of(10) {
        let mut second = History::new().await;
        for step in steps {
            second.go(step).await;
        }
        assert_eq!(first.logs().await, second.logs().await, "14: the same history, another log");
    }
}

#[test]
fn every_invariant_holds_over_histories_that_failed_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let kept = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proof/histories")).unwrap();
    let mut tried = 0;
    for file in kept {
        let path = file.unwrap().path();
        println!("{}", path.display());
        let steps: Vec<Step> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        runtime.block_on(play(&steps, &mut Tally::default()));
        tried += 1;
    }
    assert!(tried > 0);
}

#[test]
fn every_invariant_holds_over_random_histories() {
    let sequences: u32 = number("COMPLAINT_SEQUENCES", 2_000);
    let seed: u64 = number("COMPLAINT_SEED", 1);
    let shares = 2_u32;
    let runs: Vec<_> = (0..shares)
        .map(|share| {
            let runs = move || random_histories(sequences.div_ceil(shares), seed.wrapping_mul(2) + u64::from(share));
            std::thread::spawn(runs)
        })
        .collect();
    let mut all = Tally::default();
    for run in runs {
        all.add(run.join().expect("it ran").unwrap_or_else(|failed| panic!("{failed}")));
    }
    let Tally { accepted, refused, statuses, moves, bulks, told, elsewhere, ends, histories, steps } = all;
    println!(
        "{histories} histories of {steps} steps in all: {accepted} commands accepted, {refused} refused; statuses {statuses:?}"
    );
    println!("{moves} times carried over, {bulks} bulks, {told} letters to customers; an end was reached: {ends:?}");
    println!("{elsewhere} times the end of a complaint was told to whoever had let theirs join it");
    assert_eq!(histories, sequences.div_ceil(shares) * shares, "not every history was tried");
    assert_eq!(steps, STEPS * usize::try_from(histories).unwrap(), "not every step was taken");
    assert!(elsewhere > 0 || sequences < 1_000, "nothing that was joined by consent was seen to end");
    assert!(moves > 0 && bulks > 0 && told > accepted / 4 && !ends.is_empty(), "{moves} {bulks} {told} {ends:?}");
    assert!(accepted > sequences * 10, "the walk is mostly refused: {accepted}");
    assert_eq!(statuses.len(), Status::ALL.len(), "some status was never visited: {statuses:?}");
}

fn random_histories(count: u32, seed: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = Config { cases: count, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tally = std::cell::RefCell::new(Tally::default());
    let result = runner.run(&proptest::collection::vec(step(), STEPS), |steps| {
        runtime.block_on(play(&steps, &mut tally.borrow_mut()));
        Ok(())
    });
    match result {
        Ok(()) => Ok(tally.into_inner()),
        Err(TestError::Fail(why, steps)) => Err(format!("{why}\n{}", serde_json::to_string(&steps).unwrap())),
        Err(other) => Err(other.to_string()),
    }
}
