//! Every status, command and kind of actor against an oracle that reads the table's data and the complaint's facts.
//!
//! The oracle knows nothing of `decide`: who somebody is and whether a guard holds is worked out here anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{NaiveDate, TimeDelta};
use complaint_core::complaint::{Entry, Event, Outcome, Priority, Remedy, RemedyPromise};
use complaint_core::deadline::{ClockKind, due_commands};
use complaint_core::id::{AgentId, Level};
use complaint_core::lifecycle::{
    Command, CommandName as C, Context, Guard, Input, LevelChange, Status, TABLE, To, Who, decide, evolve, rule,
};
use complaint_core::{Actor, Complaint, Party, Policy};

use crate::house::{
    World, admin, agent, agent_id, auditor, customer, decision, file, input, is_open, level, policy, replacement,
};

/// A complaint brought somewhere by commands alone.
#[derive(Clone)]
pub(crate) struct Stage {
    name: String,
    pub(crate) world: World,
    pub(crate) complaint: Complaint,
    /// The complaint it was joined to, or another one of the customer.
    pub(crate) other: Complaint,
}

/// Every status, at every level where it can be reached, and the facts beside the status that guards look at.
pub(crate) fn stages(policy: &Policy) -> Vec<Stage> {
    let mut stages = Vec::new();
    for at in 1..=3_u8 {
        for place in PLACES {
            let mut world = World::new(policy.clone());
            let mut other = world.submitted();
            if let Some(complaint) = bring(&mut world, place, at, &mut other) {
                stages.push(Stage { name: format!("{place} at {at}"), world, complaint, other });
            }
        }
    }
    let mut full = Vec::new();
    for stage in stages.iter().filter(|_| !policy.four_eyes && !policy.agents_may_dismiss) {
        let mut world = stage.world.clone();
        world.policy.log_entries_per_complaint = stage.complaint.entries;
        full.push(Stage {
            name: format!("{} with a full log", stage.name),
            complaint: stage.complaint.clone(),
            other: stage.other.clone(),
            world,
        });
    }
    let mut late = Vec::new();
    // Time matters to windows and clocks alone, whatever the policy lets people do.
    for stage in stages.iter().filter(|_| !policy.four_eyes && !policy.agents_may_dismiss) {
        for days in [2, 13, 40] {
            let mut world = stage.world.clone();
            world.later(TimeDelta::days(days));
            late.push(Stage {
                name: format!("{} after {days} days", stage.name),
                complaint: stage.complaint.clone(),
                other: stage.other.clone(),
                world,
            });
        }
    }
    stages.extend(late);
    stages.extend(full);
    stages
}

const PLACES: [&str; 34] = [
    "queued",
    "assigned",
    "in progress",
    "awaiting customer",
    "awaiting third party",
    "pending approval",
    "pending approval of much money",
    "resolved",
    "resolved with a remedy",
    "resolved with an accepted remedy",
    "resolved with a failed remedy",
    "resolved with a message",
    "accepted with a remedy",
    "accepted",
    "accepted with a failed remedy",
    "accepted by the word of staff",
    "a remedy declined by the word of staff",
    "resolved with a delivered remedy",
    "closed with a delivered remedy",
    "accepted with a message",
    "closed and rated",
    "closed and rated anonymously",
    "withdrawn",
    "dismissed",
    "merged",
    "referred",
    "contested",
    "contested and begun",
    "contested at the last level",
    "reopened",
    "with ten files",
    "missed",
    "handed back",
    "without its handler",
];

#[expect(clippy::too_many_lines, reason = "one arm per place")]
fn bring(world: &mut World, place: &str, at: u8, other: &mut Complaint) -> Option<Complaint> {
    let holder = || agent(["sarah", "maria", "omar"][usize::from(at) - 1]);
    let john = customer("john");
    let omar = agent("omar");
    if place == "queued" && at == 1 {
        return Some(world.submitted());
    }
    let begun = world.begun_at(at);
    let released = |world: &mut World| {
        let complaint = world.reason(&begun, &agent("ora"), C::Release);
        assert_eq!(complaint.status, Status::Queued);
        complaint
    };
    Some(match place {
        "queued" => released(world),
        "assigned" => {
            let queued = released(world);
            world.given(&queued, holder().agent_id().unwrap().as_str())
        }
        "in progress" => begun,
        "awaiting customer" => world.text(&begun, &holder(), C::Ask),
        "awaiting third party" => {
            let until = Some(world.now.date_naive() + TimeDelta::days(9));
            let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
            world.act(&begun, &holder(), &input(C::Hold, hold))
        }
        "pending approval" => world.act(&begun, &holder(), &decision(C::Propose, replacement())),
        "pending approval of much money" => {
            let much = vec![Remedy::refund("5000.00 EUR").unwrap()];
            world.act(&begun, &holder(), &decision(C::Propose, much))
        }
        "resolved" => decided(world, &begun, Vec::new()),
        "resolved with a remedy" => decided(world, &begun, replacement()),
        "resolved with an accepted remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.plain(&resolved, &john, C::AcceptRemedy)
        }
        "resolved with a failed remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.reason(&resolved, &holder(), C::FailRemedy)
        }
        "accepted with a failed remedy" => {
            let resolved = decided(world, &begun, replacement());
            let failed = world.reason(&resolved, &holder(), C::FailRemedy);
            world.plain(&failed, &john, C::Accept)
        }
        "accepted by the word of staff" => {
            let resolved = decided(world, &begun, Vec::new());
            world.reason(&resolved, &holder(), C::Accept)
        }
        "a remedy declined by the word of staff" => {
            let resolved = decided(world, &begun, replacement());
            let declined = world.reason(&resolved, &holder(), C::DeclineRemedy);
            world.plain(&declined, &john, C::Accept)
        }
        "resolved with a delivered remedy" | "closed with a delivered remedy" => {
            let mut it = decided(world, &begun, replacement());
            if place.starts_with("closed") {
                it = world.plain(&it, &john, C::Accept);
            }
            let evidence = Input { evidence: Some("Parcel 17".into()), ..Input::default() };
            world.act(&it, &holder(), &input(C::FulfilRemedy, evidence))
        }
        "accepted with a message" => {
            let resolved = decided(world, &begun, Vec::new());
            let written = world.text(&resolved, &john, C::Post);
            world.plain(&written, &john, C::Accept)
        }
        "resolved with a message" => {
            let resolved = decided(world, &begun, Vec::new());
            world.text(&resolved, &john, C::Post)
        }
        "accepted with a remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.plain(&resolved, &john, C::Accept)
        }
        "accepted" => {
            let resolved = decided(world, &begun, Vec::new());
            world.plain(&resolved, &john, C::Accept)
        }
        "closed and rated" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            world.act(&closed, &john, &input(C::Rate, Input { score: Some(4), ..Input::default() }))
        }
        "closed and rated anonymously" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            let rate = Input { score: Some(2), anonymous: true, ..Input::default() };
            world.act(&closed, &john, &input(C::Rate, rate))
        }
        "withdrawn" => world.plain(&begun, &john, C::Withdraw),
        "dismissed" => {
            let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
            world.act(&begun, &omar, &input(C::Dismiss, ground))
        }
        "merged" => {
            if at > 1 {
                *other = world.begun_at(at);
            }
            let into = Input { into: Some(other.reference.to_string()), ..Input::default() };
            let entries = world.decide(&begun, &omar, &input(C::Merge, into), Some(other)).unwrap();
            *other = evolve(other.clone(), &entries[1]);
            evolve(begun, &entries[0])
        }
        "referred" => {
            let body = Input { body: Some("The city".into()), text: Some("Not ours.".into()), ..Input::default() };
            world.act(&begun, &omar, &input(C::Refer, body))
        }
        "contested" | "contested and begun" if at > 1 => {
            let mut complaint = world.begun_at(at - 1);
            complaint = decided(world, &complaint, Vec::new());
            complaint = world.reason(&complaint, &john, C::Contest);
            if place == "contested" {
                return Some(complaint);
            }
            complaint = world.given(&complaint, holder().agent_id().unwrap().as_str());
            world.plain(&complaint, &holder(), C::Begin)
        }
        "contested" | "contested and begun" => return None,
        "contested at the last level" if at == 3 => {
            let resolved = decided(world, &begun, Vec::new());
            let input_given =
                Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
            world.act(&resolved, &john, &input(C::Contest, input_given))
        }
        "contested at the last level" => return None,
        "reopened" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            world.reason(&closed, &omar, C::Reopen)
        }
        "with ten files" => {
            let files = Command::attach((0..10).map(file).collect());
            world.act(&begun, &john, &files)
        }
        "missed" => {
            world.later(TimeDelta::days(400));
            world.tick(begun)
        }
        "handed back" if at < 3 => {
            let above = world.begun_at(at + 1);
            let instruction = Input { instruction: Some("Ask again.".into()), ..Input::default() };
            let boss = agent(["sarah", "maria", "omar"][usize::from(at)]);
            world.act(&above, &boss, &input(C::HandBack, instruction))
        }
        "handed back" => return None,
        "without its handler" => {
            world.handler_available = false;
            begun
        }
        _ => unreachable!("{place}"),
    })
}

/// Resolved by the handler, or with a second person where the policy asks for one.
fn decided(world: &mut World, begun: &Complaint, remedies: Vec<Remedy>) -> Complaint {
    if !world.policy.four_eyes {
        return world.resolved(begun, remedies);
    }
    let holder = agent(begun.handler.as_ref().unwrap().as_str());
    let proposed = world.act(begun, &holder, &decision(C::Propose, remedies));
    world.plain(&proposed, &agent("olga"), C::Approve)
}

pub(crate) fn actors(complaint: &Complaint) -> Vec<(&'static str, Actor)> {
    let handler = complaint.handler.as_ref().map(|id| ("handler", agent(id.as_str())));
    // A customer whose key reads like the handler's is nobody to them.
    let namesake = complaint.handler.as_ref().map(|id| ("namesake of the handler", customer(id.as_str())));
    let mut actors = vec![
        ("customer", customer("john")),
        ("another customer", customer("jane")),
        ("representative", agent("ben")),
        ("supervisor", agent("mia")),
        ("manager", agent("ora")),
        ("subject", agent("zoe")),
        ("first of level 1", agent("sarah")),
        ("first of level 2", agent("maria")),
        ("first of level 3", agent("omar")),
        ("admin", admin()),
        ("auditor", auditor()),
        ("system", Actor::system()),
    ];
    actors.extend(handler);
    actors.extend(namesake);
    actors
}

/// The command with input that no guard can object to, as far as the state of things allows one.
pub(crate) fn good(stage: &Stage, actor: &Actor, name: C) -> Command {
    let complaint = &stage.complaint;
    let given = Input::default();
    let text = || Some("Some words.".to_owned());
    let today = stage.world.now.date_naive();
    let spare = || {
        let barred: BTreeSet<&str> = complaint.exclusions.iter().map(|exclusion| exclusion.agent.as_str()).collect();
        let of_level: &[&str] = match complaint.level.get() {
            1 => &["sue", "ben", "sarah"],
            2 => &["max", "mia", "maria"],
            _ => &["olga", "ora", "omar"],
        };
        let held = complaint.handler.as_ref().map(|id| id.as_str().to_owned());
        let free = of_level.iter().find(|id| !barred.contains(*id) && held.as_deref() != Some(**id));
        agent_id(free.unwrap())
    };
    match name {
        C::Submit
        | C::Acknowledge
        | C::Begin
        | C::Reinstate
        | C::Unmerge
        | C::Read
        | C::FollowUp
        | C::AnonymiseRating => Command::plain(name),
        C::Triage => input(name, Input { priority: Some(Priority::High), ..given }),
        C::Assign => {
            let own = actor.agent_id().filter(|_| actor.level() == Some(Level::FIRST)).cloned();
            let chosen = own.unwrap_or_else(spare);
            input(name, Input { agent: Some(chosen), ..given })
        }
        C::Reassign => input(name, Input { agent: Some(spare()), reason: text(), ..given }),
        C::Decline | C::Reopen | C::ReturnReferral | C::Rebase => Command::with_reason(name, "Because."),
        C::Contest => input(name, Input { reason: text(), new_evidence: text(), ..given }),
        C::Resume => input(name, Input { reason: text(), ..given }),
        C::Withdraw => Command::plain(name),
        C::Ask | C::Answer | C::Post | C::Note => Command::with_text(name, "Some words."),
        C::Hold => input(name, Input { party: text(), until: Some(today + TimeDelta::days(3)), ..given }),
        C::HandBack => input(name, Input { instruction: text(), ..given }),
        C::Propose | C::Resolve => decision(name, Vec::new()),
        C::Approve => Command::plain(name),
        C::SendBack => input(name, Input { comment: text(), ..given }),
        C::ResolveAtSource => input(name, Input { explanation: text(), ..given }),
        C::FulfilRemedy => {
            let remedy = undelivered(complaint).next().map(|promise| promise.number);
            input(name, Input { evidence: text(), on: Some(today), remedy, ..given })
        }
        C::Accept => input(name, Input { reason: text().filter(|_| actor.customer_id().is_none()), ..given }),
        C::AcceptRemedy | C::DeclineRemedy | C::FailRemedy => {
            let remedy = remedies_for(complaint, actor, name).first().map(|promise| promise.number);
            let reason = text().filter(|_| name == C::FailRemedy || actor.customer_id().is_none());
            input(name, Input { remedy, reason, ..given })
        }
        C::Rate => input(name, Input { score: Some(5), ..given }),
        C::Dismiss => input(name, Input { reason: Some("spam".into()), text: text(), ..given }),
        C::Merge => input(name, Input { into: Some(stage.other.reference.to_string()), ..given }),
        C::Refer => input(name, Input { body: text(), text: text(), ..given }),
        C::Attach => Command::attach(vec![file(99)]),
        // The system's commands come from the clocks; people's go with a reason.
        C::Escalate | C::Release | C::Close | C::Warn | C::Alarm => {
            let asked = due_commands(complaint, &stage.world.policy, stage.world.now)
                .into_iter()
                .find(|command| command.name() == name)
                .filter(|_| *actor.party() == Party::System);
            match name {
                _ if asked.is_some() => asked.unwrap(),
                C::Escalate | C::Release => Command::with_reason(name, "Because."),
                _ => Command::plain(name),
            }
        }
    }
}

/// What the latest decision promised and the customer has not got.
fn undelivered(complaint: &Complaint) -> impl Iterator<Item = &RemedyPromise> {
    let latest = complaint.resolutions.len();
    let is_over = |promise: &RemedyPromise| promise.fulfilled.is_some() || promise.declined.is_some();
    complaint.remedies.iter().filter(move |promise| promise.resolution as usize == latest && !is_over(promise))
}

/// What these can be said of. That something did not arrive can be said of what is recorded as delivered, that it failed by
/// staff alone; that the customer does want it also where staff wrote that they do not.
fn remedies_for<'a>(complaint: &'a Complaint, actor: &Actor, name: C) -> Vec<&'a RemedyPromise> {
    if !matches!(complaint.status, Status::Resolved | Status::Closed) {
        return Vec::new();
    }
    let latest = complaint.resolutions.len();
    let latest = complaint.remedies.iter().filter(|promise| promise.resolution as usize == latest);
    let by_staff = actor.customer_id().is_none();
    let fits = |it: &&RemedyPromise| {
        let open = it.fulfilled.is_none() && it.declined.is_none();
        let parcel = it.fulfilled.as_ref().is_some_and(|step| step.text.is_some());
        let staff_say_no = it.declined.as_ref().is_some_and(|step| step.by.agent().is_some());
        match name {
            C::AcceptRemedy => staff_say_no || (open && it.accepted.is_none() && it.failed.is_none()),
            C::DeclineRemedy if by_staff => {
                open && it.accepted.as_ref().is_none_or(|step| step.by.role() != "customer")
            }
            C::FailRemedy => parcel || (by_staff && open && it.failed.is_none()),
            _ => open,
        }
    };
    latest.filter(fits).collect()
}

/// Why the specification refuses; empty when it does not. One word per reason.
fn objections(stage: &Stage, actor: &Actor, name: C) -> BTreeSet<&'static str> {
    let complaint = &stage.complaint;
    let rule = TABLE.iter().find(|rule| rule.command == name).unwrap();
    let mut objections = BTreeSet::new();
    if actor.agent_id().is_some() && actor.agent_id() == complaint.against.as_ref() {
        return BTreeSet::from(["subject_of_complaint"]);
    }
    if actor.agent_id().is_some_and(|me| took_part_before_a_contest(stage, me)) && name != C::Note {
        return BTreeSet::from(["excluded"]);
    }
    if !rule.from.contains(&complaint.status) {
        objections.insert("wrong_status");
    }
    let permits: Vec<_> = rule.permits.iter().filter(|permit| plays(stage, actor, permit.who)).collect();
    if permits.is_empty() {
        objections.insert("nobody");
    }
    let failing = |guards: &[Guard]| -> Vec<&'static str> {
        guards.iter().filter(|guard| !holds(stage, actor, name, **guard)).map(|guard| guard.name()).collect()
    };
    if let Some(fewest) = permits.iter().map(|permit| failing(permit.guards)).min_by_key(Vec::len) {
        objections.extend(fewest);
    }
    objections.extend(failing(rule.guards));
    objections
}

/// By the log: who is named by a decision that came before a contest, or held it when it went up.
fn took_part_before_a_contest(stage: &Stage, me: &AgentId) -> bool {
    let log: Vec<&Entry> = stage.world.log.iter().filter(|it| it.complaint == stage.complaint.id).collect();
    let contest = log.iter().rposition(|entry| matches!(entry.event, Event::Contested { .. }));
    let mut holder = None;
    log[..contest.unwrap_or(0)].iter().any(|entry| {
        let before = std::mem::replace(&mut holder, entry.place.handler.as_ref());
        match &entry.event {
            Event::Resolved { by, approved_by, .. } => by == me || approved_by.as_ref() == Some(me),
            Event::Dismissed { by, .. } => by == me,
            Event::Escalated { .. } => before == Some(me),
            _ => false,
        }
    })
}

fn plays(stage: &Stage, actor: &Actor, who: Who) -> bool {
    let complaint = &stage.complaint;
    let me = actor.agent_id();
    let my_level = actor.level().map_or(0, Level::get);
    let holds_it = me.is_some() && me == complaint.handler.as_ref();
    let sees = holds_it
        || match my_level {
            0 => false,
            1 => {
                stage.world.policy.agents_may_take
                    && complaint.status == Status::Queued
                    && complaint.level == Level::FIRST
            }
            2 => complaint.level.get() <= 2,
            _ => true,
        };
    match who {
        Who::Customer => *actor.party() == Party::Customer(complaint.customer.clone()),
        Who::Handler => holds_it,
        Who::Agent => me.is_some() && sees,
        Who::Supervisor => my_level >= 2 && sees,
        Who::Proposer => me.is_some() && complaint.proposal.as_ref().map(|proposal| &proposal.by) == me,
        Who::Admin => matches!(actor.party(), Party::Admin(_)),
        Who::System => *actor.party() == Party::System,
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per guard")]
fn holds(stage: &Stage, actor: &Actor, name: C, guard: Guard) -> bool {
    let complaint = &stage.complaint;
    let policy = &stage.world.policy;
    let now = stage.world.now;
    let last = complaint.level.get() == 3;
    let running = |clock: ClockKind| complaint.deadlines.iter().find(|it| it.clock == clock && it.ended.is_none());
    let is_decided = matches!(complaint.status, Status::Resolved | Status::Closed);
    let owed: Vec<&RemedyPromise> = undelivered(complaint).filter(|_| is_decided).collect();
    let has_failed = owed.iter().any(|promise| promise.failed.is_some());
    let run_out = |clock: ClockKind| {
        running(clock).is_some_and(|it| it.missed_at.is_none() && it.due_at.is_some_and(|due| due <= now))
    };
    let moved_before = |clock: ClockKind| {
        complaint.escalations.iter().any(|step| {
            step.from == complaint.level
                && step.causes.contains(&complaint_core::complaint::EscalationCause::Clock(clock))
        })
    };
    // From the decision on, and anew from each failure of what it promised.
    let latest_failure = complaint.remedies.iter().filter_map(|it| it.failed.as_ref()).map(|it| it.at).max();
    let decided_at = [complaint.resolutions.last().map(|it| it.at), complaint.dismissal.as_ref().map(|it| it.at)];
    let can_stand = matches!(complaint.status, Status::Resolved | Status::Closed | Status::Dismissed);
    let decided_at = decided_at.into_iter().flatten().max().filter(|_| can_stand);
    let window_open = decided_at.map(|at| now <= at.max(latest_failure.unwrap_or(at)) + TimeDelta::days(30));
    match guard {
        Guard::NotAcknowledged => complaint.acknowledged_at.is_none(),
        Guard::TakingAllowed => policy.agents_may_take,
        Guard::DismissingAllowed => policy.agents_may_dismiss,
        Guard::CandidateEligible => {
            // The one chosen by `good` is free and of the right level, unless it is somebody of level 1 for themself.
            let own = name == C::Assign && actor.level() == Some(Level::FIRST);
            let me = actor.agent_id();
            let excluded = || complaint.exclusions.iter().any(|exclusion| Some(&exclusion.agent) == me);
            !own || (complaint.level == Level::FIRST && !excluded())
        }
        Guard::BelowLastLevel => !last,
        Guard::AboveFirstLevel => complaint.level.get() > 1,
        Guard::NotContestedTo => complaint.contested_to.is_none_or(|reached| complaint.level > reached),
        Guard::DeadlineMissed => [
            ClockKind::Acknowledgement,
            ClockKind::FirstResponse,
            ClockKind::Resolution,
            ClockKind::Level,
            ClockKind::Statutory,
        ]
        .into_iter()
        .filter_map(running)
        .filter(|it| it.missed_at.is_some() || it.due_at.is_some_and(|due| due < now))
        .any(|it| running(ClockKind::Level).is_none_or(|here| it.due_at.or(it.missed_at) > Some(here.started_at))),
        Guard::ClockRanOut if name == C::Escalate => {
            [ClockKind::FirstResponse, ClockKind::Resolution, ClockKind::Level]
                .into_iter()
                .any(|clock| run_out(clock) && !moved_before(clock) && !last)
        }
        Guard::ClockRanOut => due_commands(complaint, policy, now).iter().any(|command| command.name() == C::Alarm),
        Guard::ReleaseDue => {
            !stage.world.handler_available || (complaint.status == Status::Assigned && run_out(ClockKind::Acceptance))
        }
        Guard::WithinAuthority => {
            let limit = match actor.level().map_or(1, Level::get) {
                1 => 10_000,
                2 => 100_000,
                _ => u64::MAX,
            };
            let proposed = complaint.proposal.iter().filter(|_| name == C::Approve).flat_map(|it| &it.remedies);
            proposed.filter_map(|remedy| remedy.amount).map(complaint_core::money::Money::minor_units).sum::<u64>()
                <= limit
        }
        Guard::NoSecondPersonNeeded => !policy.four_eyes,
        Guard::SecondPerson => {
            complaint.proposal.as_ref().is_none_or(|proposal| Some(&proposal.by) != actor.agent_id())
        }
        Guard::NotAccepted => {
            let own = actor.customer_id().is_some();
            complaint.resolutions.last().is_none_or(|it| it.accepted_at.is_none() || (own && it.recorded_by.is_some()))
                || complaint.resolutions.last().is_some_and(|it| it.contested_at.is_some())
        }
        Guard::RemedyNamed => !remedies_for(complaint, actor, name).is_empty(),
        Guard::FinishedOrFailed => complaint.status != Status::Resolved || has_failed,
        Guard::ContestWindowOpen => window_open
            .unwrap_or(complaint.decisions == 0 || is_open(complaint.status) || complaint.status == Status::Resolved),
        // Good input names the first.
        Guard::DeliveryDeniable => remedies_for(complaint, actor, name)
            .first()
            .and_then(|it| it.fulfilled.as_ref())
            .is_none_or(|step| window_open == Some(true) || now <= step.at + TimeDelta::days(30)),
        Guard::NoUnreadMessage => complaint.unread_since.is_none(),
        Guard::UnreadMessage => complaint.unread_since.is_some(),
        Guard::NoOutstandingRemedy => owed.is_empty(),
        Guard::NothingToContradict => {
            let mut decisions = complaint.resolutions.last().into_iter().filter(|it| it.contested_at.is_none());
            let latest = complaint.resolutions.len();
            let mut remedies = complaint.remedies.iter().filter(|it| it.resolution as usize == latest && is_decided);
            let by_staff = decisions.any(|it| it.recorded_by.is_some())
                || remedies.any(|it| it.declined.as_ref().is_some_and(|step| step.by.agent().is_some()));
            !by_staff
                || running(ClockKind::AutoClose)
                    .is_some_and(|it| it.missed_at.is_some() || it.due_at.is_some_and(|due| due <= now))
        }
        Guard::AcceptanceWindowOver => running(ClockKind::AutoClose)
            .is_some_and(|it| it.missed_at.is_some() || it.due_at.is_some_and(|due| due <= now)),
        Guard::RatingEditable => {
            let latest = complaint.resolutions.len();
            let given = complaint.feedback.iter().find(|it| it.resolution as usize == latest);
            latest > 0 && given.is_none_or(|it| now <= it.first_given_at + TimeDelta::hours(24))
        }
        Guard::RatingNotAnonymous => complaint.feedback.iter().any(|it| !it.anonymous),
        Guard::ReinstateWindowOpen => {
            complaint.status != Status::Withdrawn || now <= complaint.status_since + TimeDelta::days(30)
        }
        Guard::SurvivorFits => {
            // The other one waits at level 1; whoever cannot see it learns nothing of it.
            let sees_other = match actor.level().map(Level::get) {
                Some(1) => policy.agents_may_take,
                Some(_) => true,
                None => match actor.party() {
                    Party::Customer(id) => *id == complaint.customer,
                    _ => true,
                },
            };
            // It would hand a complaint that came further up to those below.
            sees_other && complaint.merged_into.is_none() && complaint.level == Level::FIRST
        }
        Guard::SurvivorNotClosed => complaint.merged_into.is_some(),
        // A message can do without a file. Every file of these places came from the customer, so staff have all of theirs left.
        Guard::FilesFit => {
            let of_customer = matches!(actor.party(), Party::Customer(_));
            name != C::Attach || !of_customer || complaint.attachments.len() < 10
        }
        Guard::ContestNotPossible => {
            !(matches!(complaint.status, Status::Closed | Status::Dismissed) && !last && window_open == Some(true))
        }
        Guard::WarningDue => due_commands(complaint, policy, now).iter().any(|command| command.name() == C::Warn),
        Guard::RoomInLog => {
            let is_answer = name == C::Post && complaint.status == Status::AwaitingCustomer;
            let latest = complaint.resolutions.len();
            let is_first_rating =
                name == C::Rate && !complaint.feedback.iter().any(|given| given.resolution as usize == latest);
            complaint.entries < policy.log_entries_per_complaint
                || *actor.party() == Party::System
                || (is_answer && matches!(actor.party(), Party::Customer(_)))
                || is_first_rating
        }
        // With good input these always hold.
        _ => true,
    }
}

fn policies() -> Vec<(&'static str, Policy)> {
    let mut strict = policy();
    strict.agents_may_take = false;
    strict.four_eyes = true;
    let mut free = policy();
    free.agents_may_dismiss = true;
    free.third_party_pauses = true;
    vec![("standard", policy()), ("strict", strict), ("free", free)]
}

#[test]
fn every_status_command_and_actor_agrees_with_the_table() {
    let mut cases = 0_u32;
    let mut accepted: BTreeMap<&str, u32> = BTreeMap::new();
    let mut seen: BTreeSet<(Status, u8)> = BTreeSet::new();
    for (policy_name, policy) in policies() {
        for stage in stages(&policy) {
            seen.insert((stage.complaint.status, stage.complaint.level.get()));
            for (who, actor) in actors(&stage.complaint) {
                let offered = offers(&stage, &actor);
                for name in C::ALL.iter().copied().filter(|name| *name != C::Submit) {
                    cases += 1;
                    let command = good(&stage, &actor, name);
                    let other = matches!(name, C::Merge | C::Unmerge).then_some(&stage.other);
                    let result = stage.world.decide(&stage.complaint, &actor, &command, other);
                    let objections = objections(&stage, &actor, name);
                    let case = || format!("[{policy_name}] {}: {name} by {who}", stage.name);
                    assert_eq!(
                        result.is_ok(),
                        objections.is_empty(),
                        "{}: the table says {objections:?}, decide says {result:?}",
                        case()
                    );
                    match &result {
                        Ok(entries) => {
                            *accepted.entry(name.name()).or_default() += 1;
                            follows_the_rule(&stage, name, entries, &case());
                        }
                        // What is no command of theirs tells customers nothing of how things stand.
                        Err(refusal) if actor.customer_id().is_some() && objections.contains("nobody") => {
                            let codes: Vec<&str> = refusal.failed.iter().map(|failed| failed.code).collect();
                            assert_eq!(codes, ["not_permitted"], "{}", case());
                        }
                        Err(refusal) => {
                            assert!(refusal.failed.len() >= objections.len(), "{}: {refusal:?}", case());
                            for both in ["wrong_status", "subject_of_complaint", "excluded"] {
                                assert_eq!(refusal.has(both), objections.contains(both), "{}: {refusal:?}", case());
                            }
                            let nobody = refusal.has("not_permitted") || refusal.has("not_the_handler");
                            assert_eq!(nobody, objections.contains("nobody"), "{}: {refusal:?}", case());
                            for failed in &refusal.failed {
                                assert!(!failed.message.is_empty() && !failed.remedy.is_empty(), "{}", case());
                            }
                        }
                    }
                    match offered.get(&name) {
                        Some(allowed) => {
                            assert_eq!(*allowed, result.is_ok(), "{}: offered, {objections:?} {result:?}", case());
                        }
                        None => assert!(
                            result.is_err_and(|refusal| refusal.has("not_permitted")),
                            "{}: neither offered nor foreign",
                            case()
                        ),
                    }
                }
            }
        }
    }
    let never: Vec<&str> = C::ALL.iter().map(|name| name.name()).filter(|name| !accepted.contains_key(name)).collect();
    println!("{cases} cases; accepted: {accepted:?}");
    assert_eq!(never, ["submit"], "never accepted, so never proven");
    assert!(cases >= 10_000, "only {cases} cases");
    for status in Status::ALL {
        for at in 1..=3 {
            assert!(seen.contains(&(status, at)), "{status} at level {at} was not tried");
        }
    }
}

fn offers(stage: &Stage, actor: &Actor) -> BTreeMap<C, bool> {
    let world = &stage.world;
    let context = Context::new(&world.policy, world.now).handler_available(world.handler_available);
    let offers = stage.complaint.available_commands(actor, &context);
    // What depends on other complaints or on the roster is offered, and may still be refused with its reason.
    let knowable = |name: C| !matches!(name, C::Assign | C::Merge | C::Unmerge);
    offers
        .into_iter()
        .map(|offer| {
            let allowed = if offer.allowed && !knowable(offer.command) {
                objections(stage, actor, offer.command).is_empty()
            } else {
                offer.allowed
            };
            (offer.command, allowed)
        })
        .collect()
}

fn follows_the_rule(stage: &Stage, name: C, entries: &[complaint_core::complaint::Entry], case: &str) {
    let before = &stage.complaint;
    let rule = rule(name);
    if matches!(name, C::Submit | C::FollowUp) {
        assert!(entries.is_empty(), "{case}: the old one is untouched");
        return;
    }
    let own: Vec<_> = entries.iter().filter(|entry| entry.complaint == before.id).collect();
    assert!(!own.is_empty(), "{case}: accepted and nothing happened");
    let after = own.iter().fold(before.clone(), |state, entry| evolve(state, entry));
    let fits = rule.to.iter().any(|to| match to {
        To::Same => after.status == before.status,
        To::Status(status) => after.status == *status,
        To::New(_) => false,
    });
    assert!(fits, "{case}: led to {}", after.status);
    let (was, is) = (before.level.get(), after.level.get());
    match rule.level {
        LevelChange::Kept => assert_eq!(was, is, "{case}"),
        LevelChange::Up => assert_eq!(is, (was + 1).min(3), "{case}"),
        LevelChange::Down => assert_eq!(is, was - 1, "{case}"),
    }
    assert_eq!(after.version, before.version.next(), "{case}: one change, one version");
    assert_eq!(after.entries as usize, before.entries as usize + own.len(), "{case}");
    match after.status {
        Status::Queued => assert_eq!(after.handler, None, "{case}"),
        Status::Assigned
        | Status::InProgress
        | Status::AwaitingCustomer
        | Status::AwaitingThirdParty
        | Status::PendingApproval
        | Status::Resolved => assert!(after.handler.is_some(), "{case}"),
        _ => {}
    }
    if name != C::Assign && name != C::Reassign && name != C::ResolveAtSource && after.handler.is_some() {
        assert_eq!(after.handler, before.handler, "{case}: nobody else becomes the handler");
    }
}

/// From everywhere, staff and time alone can bring a complaint to an end without the customer taking it back.
#[test]
fn an_end_can_be_reached_from_everywhere() {
    let policy = policy();
    let mut tried = 0;
    for stage in stages(&policy).into_iter().filter(|stage| !stage.name.contains("after")) {
        let mut known = BTreeSet::new();
        let mut open = VecDeque::from([(stage.world.clone(), stage.complaint.clone(), 0)]);
        let mut reached = false;
        while let Some((world, complaint, steps)) = open.pop_front() {
            if complaint.status.is_end() {
                reached = true;
                break;
            }
            if steps > 8 || !known.insert((complaint.status, complaint.level, complaint.handler.clone())) {
                continue;
            }
            let stage = Stage { name: String::new(), world, complaint, other: stage.other.clone() };
            for (_, actor) in actors(&stage.complaint) {
                for name in C::ALL.iter().copied() {
                    let quick_exit = matches!(name, C::Withdraw | C::Merge | C::Refer | C::Dismiss);
                    if quick_exit || matches!(name, C::Submit | C::FollowUp | C::Rebase) {
                        continue;
                    }
                    tried += 1;
                    let command = good(&stage, &actor, name);
                    if let Ok(entries) = stage.world.decide(&stage.complaint, &actor, &command, None) {
                        let after = entries.iter().fold(stage.complaint.clone(), evolve);
                        open.push_back((stage.world.clone(), after, steps + 1));
                    }
                }
            }
        }
        assert!(reached, "{}: no way to an end", stage.name);
    }
    assert!(tried > 500, "the search tried only {tried} commands");
}

/// The rows of the specification, transcribed: command, from, to.
const SPECIFIED: [(C, &str, &str); 44] = [
    (C::Submit, "", "+queued"),
    (C::Acknowledge, "open", "same"),
    (C::Triage, "queued assigned in_progress", "same"),
    (C::Assign, "queued", "assigned"),
    (C::Decline, "assigned", "queued"),
    (C::Release, "assigned in_progress awaiting_customer awaiting_third_party", "queued"),
    (C::Reassign, "assigned in_progress awaiting_customer awaiting_third_party", "assigned same"),
    (C::Begin, "assigned", "in_progress"),
    (C::Ask, "in_progress", "awaiting_customer"),
    (C::Answer, "awaiting_customer", "in_progress"),
    (C::Hold, "in_progress", "awaiting_third_party"),
    (C::Resume, "awaiting_third_party awaiting_customer", "in_progress"),
    (C::Escalate, "open", "queued"),
    (C::HandBack, "in_progress", "queued"),
    (C::Propose, "in_progress", "pending_approval"),
    (C::Approve, "pending_approval", "resolved"),
    (C::SendBack, "pending_approval", "in_progress queued"),
    (C::Resolve, "in_progress", "resolved"),
    (C::ResolveAtSource, "queued assigned in_progress", "resolved"),
    (C::Accept, "resolved", "closed same"),
    (C::AcceptRemedy, "resolved", "same"),
    (C::DeclineRemedy, "resolved", "same closed"),
    (C::FulfilRemedy, "resolved", "same closed"),
    (C::FailRemedy, "resolved closed", "same resolved"),
    (C::Contest, "resolved closed dismissed", "queued"),
    (C::Reopen, "resolved closed dismissed", "queued"),
    (C::Close, "resolved", "closed"),
    (C::Rate, "resolved closed", "same"),
    (C::AnonymiseRating, "any", "same"),
    (C::Withdraw, "open resolved", "withdrawn"),
    (C::Reinstate, "withdrawn", "queued"),
    (C::Dismiss, "queued assigned in_progress", "dismissed"),
    (C::Merge, "open", "merged"),
    (C::Unmerge, "merged", "queued"),
    (C::Refer, "open", "referred"),
    (C::ReturnReferral, "referred", "queued"),
    (C::Post, "open resolved", "same in_progress"),
    (C::Note, "any", "same"),
    (C::Attach, "open resolved", "same"),
    (C::Read, "open resolved", "same"),
    (C::FollowUp, "closed withdrawn dismissed referred", "+queued"),
    (C::Warn, "open resolved", "same"),
    (C::Alarm, "open resolved", "same"),
    (C::Rebase, "open resolved", "same"),
];

#[test]
fn the_table_says_what_the_specification_says() {
    let open = "queued assigned in_progress awaiting_customer awaiting_third_party pending_approval";
    let any = "open resolved closed withdrawn dismissed merged referred";
    assert_eq!(TABLE.len(), SPECIFIED.len());
    for (name, from, to) in SPECIFIED {
        let found = rule(name);
        let was: Vec<&str> = found.from.iter().map(|status| status.name()).collect();
        assert_eq!(was.join(" "), from.replace("any", any).replace("open", open), "{name}: from");
        let is: Vec<String> = found
            .to
            .iter()
            .map(|to| match to {
                To::Same => "same".to_owned(),
                To::Status(status) => status.name().to_owned(),
                To::New(status) => format!("+{status}"),
            })
            .collect();
        assert_eq!(is.join(" "), to, "{name}: to");
    }
}

#[test]
fn a_refusal_names_every_fault() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let context = Context::new(&world.policy, world.now).seen(Some(complaint_core::id::Version::new(1)));
    let codes = |command: &Command, by: &Actor| -> Vec<&'static str> {
        decide(&begun, command, by, &context).unwrap_err().failed.iter().map(|failed| failed.code).collect()
    };
    let every = ["stale_version", "not_the_handler", "wrong_status", "missing"];
    assert_eq!(codes(&Command::plain(C::SendBack), &agent("ben")), every);
    assert_eq!(codes(&Command::plain(C::SendBack), &customer("jane")), ["not_permitted"]);
    assert_eq!(codes(&Command::plain(C::Answer), &customer("jane")), ["not_permitted"]);

    let bad = Input {
        outcome: Some(Outcome::NotUpheld),
        explanation: Some("\0".into()),
        next_steps: Some("x".repeat(70_000)),
        remedies: vec![
            Remedy::refund("500.00 EUR").unwrap(),
            Remedy::of(complaint_core::complaint::RemedyKind::Refund),
        ],
        ..Input::default()
    };
    let refusal = world.decide(&begun, &agent("sarah"), &input(C::Resolve, bad), None).unwrap_err();
    for code in ["over_authority", "control_character", "too_long", "contradiction", "missing"] {
        assert!(refusal.has(code), "{code} is not among {refusal:?}");
    }
    let fields: Vec<&str> = refusal.failed.iter().filter_map(|failed| failed.field.as_deref()).collect();
    assert_eq!(fields, ["explanation", "next_steps", "remedies", "remedies.1.amount"]);
}

#[test]
fn optional_texts_are_bounded_too() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let long = || Some("x".repeat(70_000));
    let withdraw = input(C::Withdraw, Input { reason: long(), ..Input::default() });
    assert!(world.decide(&begun, &customer("john"), &withdraw, None).unwrap_err().has("too_long"));
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let resume = input(C::Resume, Input { reason: long(), ..Input::default() });
    let refusal = world.decide(&asked, &agent("sarah"), &resume, None).unwrap_err();
    assert_eq!(refusal.failed.len(), 1, "one fault is named once: {refusal:?}");
    let reassign = Input { agent: Some(agent_id("ben")), reason: long(), ..Input::default() };
    let refusal = world.decide(&begun, &agent("mia"), &input(C::Reassign, reassign), None).unwrap_err();
    assert_eq!(refusal.failed.len(), 1, "one fault is named once: {refusal:?}");
}

#[test]
fn a_decider_of_a_contested_complaint_has_nothing_but_notes_left() {
    let mut world = World::new(policy());
    let begun = world.begun_at(2);
    let resolved = world.resolved(&begun, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    assert_eq!(contested.level, level(3));
    // Maria became a manager meanwhile and sees it again.
    let mut promoted = crate::house::agents().into_iter().find(|agent| agent.id.as_str() == "maria").unwrap();
    promoted.level = level(3);
    let maria = Actor::agent(&promoted);
    for command in [
        input(C::ResolveAtSource, Input { explanation: Some("Settled.".into()), ..Input::default() }),
        input(C::Dismiss, Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() }),
    ] {
        let refusal = world.decide(&contested, &maria, &command, None).unwrap_err();
        assert_eq!(refusal.code(), "excluded", "{refusal}");
    }
    let given = world.given(&contested, "omar");
    let begun = world.plain(&given, &agent("omar"), C::Begin);
    let proposed = world.act(&begun, &agent("omar"), &decision(C::Propose, Vec::new()));
    let refusal = world.decide(&proposed, &maria, &Command::plain(C::Approve), None).unwrap_err();
    assert_eq!(refusal.code(), "excluded");
}

/// At the last level nobody above keeps whoever decided from ending the contest: only the rule does.
#[test]
fn the_last_levels_decider_neither_ends_nor_steers_nor_speaks_on_what_is_contested() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let resolved = world.resolved(&begun, Vec::new());
    let evidence = Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
    let contested = world.act(&resolved, &customer("john"), &input(C::Contest, evidence));
    let context = Context::new(&world.policy, world.now);
    let offers = contested.available_commands(&agent("omar"), &context);
    let allowed: Vec<C> = offers.iter().filter(|offer| offer.allowed).map(|offer| offer.command).collect();
    assert_eq!(allowed, [C::Note]);
    let refer = Input { body: Some("The city".into()), text: Some("Theirs.".into()), ..Input::default() };
    let refusal = world.decide(&contested, &agent("omar"), &input(C::Refer, refer), None).unwrap_err();
    assert_eq!(refusal.code(), "excluded");
}

#[test]
fn whoever_dismissed_it_counts_as_a_decider_even_after_it_was_reopened() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let dismissed = world.act(&begun, &agent("maria"), &input(C::Dismiss, ground));
    let direct = world.reason(&dismissed, &customer("john"), C::Contest);
    assert_eq!((direct.status, direct.level), (Status::Queued, level(2)));
    assert!(direct.is_barred(&agent_id("maria")), "contested at once");
    assert_eq!(direct.dismissal, None);

    let reopened = world.reason(&dismissed, &agent("mia"), C::Reopen);
    let given = world.given(&reopened, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    let resolved = world.resolved(&again, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    for decider in ["maria", "ben"] {
        assert!(contested.is_barred(&agent_id(decider)), "{decider}");
    }
    let event = world.log.last().unwrap().event.clone();
    assert!(matches!(event, Event::Contested { excluded, .. } if excluded.len() == 2));
}

#[test]
fn the_last_level_has_final_authority_unless_new_evidence_is_brought() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let resolved = world.resolved(&begun, Vec::new());
    let without = Command::with_reason(C::Contest, "Still broken.");
    let refusal = world.decide(&resolved, &customer("john"), &without, None).unwrap_err();
    assert_eq!(refusal.code(), "final_authority_reached");
    assert!(refusal.failed[0].message.contains("ombudsman"));
    let with = |evidence: &str| {
        let (reason, new_evidence) = (Some("Still broken.".to_owned()), Some(evidence.to_owned()));
        input(C::Contest, Input { reason, new_evidence, ..Input::default() })
    };
    let hollow = world.decide(&resolved, &customer("john"), &with(" "), None).unwrap_err();
    assert_eq!((hollow.code(), hollow.failed[0].field.as_deref()), ("missing", Some("new_evidence")));
    let with = with("A film.");
    let contested = world.act(&resolved, &customer("john"), &with);
    assert_eq!((contested.status, contested.level), (Status::Queued, level(3)));
}

#[test]
fn the_systems_own_fields_are_not_for_hosts() {
    use complaint_core::complaint::ReleaseCause;
    let release = Input { release: Some(ReleaseCause::NotBegun), ..Input::default() };
    assert_eq!(Command::new(C::Release, release).unwrap_err().field, "release");
    let clocks = Input { clocks: vec![(ClockKind::Level, 1)], ..Input::default() };
    assert_eq!(Command::new(C::Escalate, clocks).unwrap_err().field, "clocks");
    let percent = Input { percent: 90, ..Input::default() };
    assert_eq!(Command::new(C::Warn, percent).unwrap_err().field, "percent");
    let files = || Input { attachments: vec![file(1)], ..Input::default() };
    for name in C::ALL {
        let takes = matches!(name, C::Attach | C::Answer | C::Post);
        assert_eq!(Command::new(*name, files()).is_ok(), takes, "{name}");
        assert_eq!(name.takes_files(), takes, "{name}");
    }
    assert_eq!(Command::new(C::Note, files()).unwrap_err().field, "attachments");
    let known = Input { files: vec![file(1).id], ..Input::default() };
    assert_eq!(Command::new(C::Attach, known).unwrap_err().field, "files");
    let until = Input { until: NaiveDate::from_ymd_opt(2026, 12, 1), ..Input::default() };
    assert_eq!(Command::new(C::Begin, until).unwrap_err().field, "until");
}

#[test]
fn a_choice_brought_from_outside_cannot_put_the_subject_or_a_decider_in_charge() {
    use complaint_core::routing::Routing;
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    for chosen in ["zoe", "sarah"] {
        let routing = Routing { chosen: Some(agent_id(chosen)), by_hand: true, ..Routing::default() };
        let context = Context::new(&world.policy, world.now).routed(&routing);
        let refusal = decide(&contested, &Command::plain(C::Assign), &admin(), &context).unwrap_err();
        assert_eq!(refusal.code(), "not_eligible", "{chosen}");
    }
}

#[test]
fn a_question_that_outlived_its_handler_is_resumed_over_with_a_reason() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let released = world.reason(&asked, &agent("mia"), C::Release);
    let given = world.given(&released, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    assert!(again.question.is_some(), "the question to the customer stays open");
    let until = Some(world.now.date_naive() + TimeDelta::days(2));
    let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
    let waiting = world.act(&again, &agent("ben"), &input(C::Hold, hold));
    let refusal = world.decide(&waiting, &agent("ben"), &Command::plain(C::Resume), None).unwrap_err();
    assert_eq!((refusal.code(), refusal.failed.len()), ("missing", 1), "{refusal}");
    let resumed = world.reason(&waiting, &agent("ben"), C::Resume);
    assert_eq!(resumed.question, None);
}

#[test]
fn a_missed_acknowledgement_lets_the_customer_escalate() {
    let mut world = World::new(policy());
    let fresh = world.submitted();
    let given = world.given(&fresh, "sarah");
    let begun = world.plain(&given, &agent("sarah"), C::Begin);
    let escalate = Command::with_reason(C::Escalate, "Nobody told me anything.");
    world.later(TimeDelta::hours(23));
    let refusal = world.decide(&begun, &customer("john"), &escalate, None).unwrap_err();
    assert_eq!(refusal.code(), "no_deadline_missed");
    // Eight working hours are over on the next morning; the first response has another day.
    world.later(TimeDelta::hours(2));
    assert!(begun.deadline(ClockKind::FirstResponse).unwrap().due_at.unwrap() > world.now);
    assert!(world.decide(&begun, &customer("john"), &escalate, None).is_ok());
}

/// What people read has the words that people read: those of their pages, which differ between customers and staff.
#[test]
fn refusals_are_worded_for_whoever_reads_them() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    let refused =
        |actor: &Actor, name| world.decide(&proposed, actor, &Command::with_text(name, "Yes."), None).unwrap_err();
    let said = |refusal: &complaint_core::lifecycle::Refusal| {
        (refusal.failed[0].message.clone(), refusal.failed[0].remedy.clone())
    };
    let wanted = ("it is “Pending approval”".to_owned(), "it must be: “Awaiting customer”".to_owned());
    assert_eq!(said(&refused(&agent("mia"), C::Answer)), wanted);
    // That a second person looks at it is internal, in words and in the status alike.
    let to_john = refused(&customer("john"), C::Answer);
    let wanted = ("it is “In progress”".to_owned(), "it must be: “We need your answer”".to_owned());
    assert_eq!((said(&to_john), to_john.status), (wanted, Some(Status::InProgress)));
    let foreign = refused(&customer("john"), C::Note);
    assert_eq!(foreign.failed[0].message, "“Add a note” is for: agent");
    for actor in [customer("john"), agent("mia"), agent("sarah"), admin()] {
        for name in C::ALL.iter().filter(|name| **name != C::Submit) {
            let Err(refusal) = world.decide(&proposed, &actor, &Command::plain(*name), None) else { continue };
            for failed in &refusal.failed {
                let raw = Status::ALL.iter().map(|status| status.name()).chain(C::ALL.iter().map(|name| name.name()));
                let mut raw = raw.filter(|name| name.contains('_'));
                let found = raw.find(|name| failed.message.contains(name) || failed.remedy.contains(name));
                assert_eq!(found, None, "{failed:?}");
            }
        }
    }
}

/// A sentence about a field begins with its name; one about the state of things names none.
#[test]
fn refusals_read_as_sentences() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let evidence = || Some("Parcel 17".to_owned());
    let fulfil = |remedy, on| input(C::FulfilRemedy, Input { evidence: evidence(), remedy, on, ..Input::default() });
    let refusal = world.decide(&resolved, &agent("sarah"), &fulfil(None, None), None).unwrap_err();
    assert_eq!(refusal.to_string(), "“Record a remedy as fulfilled” is refused: no remedy is outstanding");
    let resolved = world.resolved(&begun, replacement());
    let tomorrow = Some(world.now.date_naive() + TimeDelta::days(3));
    let refusal = world.decide(&resolved, &agent("sarah"), &fulfil(Some(9), tomorrow), None).unwrap_err();
    let expected =
        "“Record a remedy as fulfilled” is refused: “remedy” must be one of these: 1; “on” must not be in the future";
    assert_eq!(refusal.to_string(), expected);
    let body = serde_json::json!({ "colour": "red" });
    for (name, reads) in [(C::Begin, "nothing"), (C::Ask, "text"), (C::Hold, "party, until")] {
        let refused = Command::from_json(name, &body).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("it reads: {reads}")), "{refused}");
    }
}
