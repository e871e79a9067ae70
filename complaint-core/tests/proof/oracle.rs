//! What the specification says of a case: who somebody is, whether a guard holds and what is due, worked out from the table's data and
//! the complaint's facts. It knows nothing of `decide`, and it never asks the core what is due.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::{Entry, EscalationCause, Event, ExclusionCause, Outcome, Remedy, RemedyPromise};
use complaint_core::deadline::{ClockKind, Deadline};
use complaint_core::id::{AgentId, Level};
use complaint_core::lifecycle::{Command, CommandName as C, Field, Guard, Input, Status, TABLE, Who};
use complaint_core::{Actor, Complaint, Party, Policy};

use crate::house::{agents, is_open};
use crate::stages::Stage;

/// A command as it is tried: on which stage, by whom, with which input, and under which circumstances.
#[derive(Clone)]
pub(crate) struct Case<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) actor: &'a Actor,
    pub(crate) command: Command,
    pub(crate) other: Option<Complaint>,
    pub(crate) crew: Crew,
    pub(crate) open_complaints: u32,
    pub(crate) somebody_below: bool,
}

/// How the agents are when a handler is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crew {
    Free,
    Full,
    Away,
}

/// A code and the field at fault, empty where it is none.
pub(crate) type Fault = (&'static str, String);

/// Why the specification refuses.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What comes before any guard: not that status, nobody who may, the subject, excluded, a text that is none.
    pub(crate) before: BTreeSet<Fault>,
    /// The guards that are asked: of the role that counts, and of everyone.
    pub(crate) asked: Vec<Guard>,
    /// Each guard that fails, with what it can be refused for.
    pub(crate) guards: Vec<(Guard, Vec<Fault>)>,
}

impl Verdict {
    pub(crate) fn accepts(&self) -> bool {
        self.before.is_empty() && self.guards.is_empty()
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.before.iter().any(|(known, _)| *known == code)
    }

    /// Whether the command is none of theirs, here or anywhere.
    pub(crate) fn is_foreign(&self) -> bool {
        self.has("not_permitted") || self.has("out_of_sight")
    }

    pub(crate) fn failing(&self) -> impl Iterator<Item = Guard> {
        self.guards.iter().map(|(guard, _)| *guard)
    }
}

/// The guards that decide here: those of the row and those of the role that counts.
pub(crate) fn verdict(case: &Case<'_>) -> Verdict {
    let (complaint, actor, name) = (&case.stage.complaint, case.actor, case.command.name());
    let rule = TABLE.iter().find(|rule| rule.command == name).unwrap();
    let mut verdict = Verdict::default();
    let only = |code| Verdict { before: BTreeSet::from([state(code)]), ..Verdict::default() };
    if actor.agent_id().is_some() && actor.agent_id() == complaint.against.as_ref() {
        return only("subject_of_complaint");
    }
    if actor.agent_id().is_some_and(|me| took_part_before_a_contest(case.stage, me)) && name != C::Note {
        return only("excluded");
    }
    let holds = actor.agent_id().is_some() && actor.agent_id() == complaint.handler.as_ref();
    if holds && actor.level() < Some(complaint.level) && name != C::Note {
        return only("below_its_level");
    }
    if !rule.from.contains(&complaint.status) {
        verdict.before.insert(state("wrong_status"));
    }
    let permits: Vec<_> = rule.permits.iter().filter(|permit| plays(case.stage, actor, permit.who)).collect();
    if permits.is_empty() {
        if actor.customer_id().is_some() {
            return only("not_permitted");
        }
        let by_holding = rule.permits.iter().any(|permit| matches!(permit.who, Who::Handler | Who::Proposer));
        // Their role alone would do, so what is missing is the sight of it.
        let by_sight = rule.permits.iter().any(|permit| works_as(actor, permit.who));
        verdict.before.insert(state(match actor.agent_id() {
            Some(_) if by_sight => "out_of_sight",
            Some(_) if by_holding => "not_the_handler",
            _ => "not_permitted",
        }));
    }
    let failing = |guards: &[Guard]| -> Vec<(Guard, Vec<Fault>)> {
        let faults = guards.iter().map(|guard| (*guard, faults(case, *guard)));
        faults.filter(|(_, faults)| !faults.is_empty()).collect()
    };
    let own = permits.iter().map(|permit| permit.guards).min_by_key(|guards| failing(guards).len());
    verdict.asked = own.into_iter().flatten().chain(rule.guards).copied().collect();
    verdict.guards = failing(&verdict.asked);
    verdict.before.extend(optional_texts(case));
    verdict
}

fn state(code: &'static str) -> Fault {
    (code, String::new())
}

fn because(holds: bool, code: &'static str) -> Vec<Fault> {
    if holds { Vec::new() } else { vec![state(code)] }
}

fn at(code: &'static str, field: impl Into<String>) -> Fault {
    (code, field.into())
}

fn some(fails: bool, code: &'static str, field: impl Into<String>) -> Option<Fault> {
    fails.then(|| at(code, field))
}

/// A text of several lines, at most 64 KiB.
pub(crate) fn text(field: &str, value: Option<&str>) -> Option<Fault> {
    let value = value.unwrap_or_default();
    let strange = |c: char| c.is_control() && !['\t', '\n', '\r'].contains(&c);
    match value {
        _ if value.trim().is_empty() => Some(at("missing", field)),
        _ if value.len() > 65_536 => Some(at("too_long", field)),
        _ if value.contains(strange) => Some(at("control_character", field)),
        _ => None,
    }
}

fn optional(field: &str, value: Option<&str>) -> Option<Fault> {
    value.filter(|value| !value.trim().is_empty()).and_then(|value| text(field, Some(value)))
}

/// One line of at most 200 characters.
pub(crate) fn line(field: &str, value: Option<&str>) -> Option<Fault> {
    let value = value.unwrap_or_default().trim();
    match value {
        "" => Some(at("missing", field)),
        _ if value.chars().count() > 200 => Some(at("too_long", field)),
        _ if value.contains('\n') => Some(at("not_one_line", field)),
        _ if value.contains(char::is_control) => Some(at("control_character", field)),
        _ if value.contains(['\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}']) => {
            Some(at("control_character", field))
        }
        _ if value.contains(['\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}']) => Some(at("control_character", field)),
        _ => None,
    }
}

fn optional_texts(case: &Case<'_>) -> Vec<Fault> {
    let (input, name) = (case.command.input(), case.command.name());
    let is_owed = name == C::Resume && case.stage.complaint.question.is_some();
    let faults = name.fields().iter().filter(|_| !is_owed).filter_map(|field| match field {
        Field::OptionalReason => optional("reason", input.reason.as_deref()),
        Field::OptionalComment => optional("comment", input.comment.as_deref()),
        Field::NewEvidence => input.new_evidence.as_deref().and_then(|given| text("new_evidence", Some(given))),
        _ => None,
    });
    faults.collect()
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

fn sees(policy: &Policy, actor: &Actor, complaint: &Complaint) -> bool {
    let me = actor.agent_id();
    let holds_it = me.is_some() && me == complaint.handler.as_ref();
    holds_it
        || match actor.level().map_or(0, Level::get) {
            0 => false,
            1 => policy.agents_may_take && complaint.status == Status::Queued && complaint.level == Level::FIRST,
            2 => complaint.level.get() <= 2,
            _ => true,
        }
}

fn works_as(actor: &Actor, who: Who) -> bool {
    let needed = match who {
        Who::Agent => 1,
        Who::Supervisor => 2,
        _ => return false,
    };
    actor.level().is_some_and(|level| level.get() >= needed)
}

fn plays(stage: &Stage, actor: &Actor, who: Who) -> bool {
    let complaint = &stage.complaint;
    let me = actor.agent_id();
    let sees = sees(&stage.world.policy, actor, complaint);
    match who {
        Who::Customer => *actor.party() == Party::Customer(complaint.customer.clone()),
        Who::Handler => me.is_some() && me == complaint.handler.as_ref(),
        Who::Agent | Who::Supervisor => works_as(actor, who) && sees,
        Who::Proposer => me.is_some() && complaint.proposal.as_ref().map(|proposal| &proposal.by) == me,
        Who::Admin => matches!(actor.party(), Party::Admin(_)),
        Who::System => *actor.party() == Party::System,
    }
}

/// What the latest decision promised and the customer has not got.
pub(crate) fn undelivered(complaint: &Complaint) -> impl Iterator<Item = &RemedyPromise> {
    let latest = complaint.resolutions.len();
    let is_over = |promise: &RemedyPromise| promise.fulfilled.is_some() || promise.declined.is_some();
    complaint.remedies.iter().filter(move |promise| promise.resolution as usize == latest && !is_over(promise))
}

fn owed(complaint: &Complaint) -> Vec<&RemedyPromise> {
    let is_decided = matches!(complaint.status, Status::Resolved | Status::Closed);
    undelivered(complaint).filter(|_| is_decided).collect()
}

fn is_wanted_by_customer(promise: &RemedyPromise) -> bool {
    promise.accepted.as_ref().is_some_and(|step| step.by.role() == "customer")
}

/// What these can be said of. That something did not arrive can be said of what is recorded as delivered, that it failed by
/// staff alone; that the customer does want it also where staff wrote that they do not.
pub(crate) fn remedies_for<'a>(complaint: &'a Complaint, actor: &Actor, name: C) -> Vec<&'a RemedyPromise> {
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
            C::DeclineRemedy if by_staff => open && !is_wanted_by_customer(it),
            C::FailRemedy => parcel || (by_staff && open && it.failed.is_none()),
            _ => open,
        }
    };
    latest.filter(fits).collect()
}

fn remedy_named(case: &Case<'_>) -> Vec<Fault> {
    let (complaint, name) = (&case.stage.complaint, case.command.name());
    let named = case.command.input().remedy;
    let possible = remedies_for(complaint, case.actor, name);
    let owed = owed(complaint);
    match (possible.len(), named) {
        (0, _) => vec![state(match name {
            C::DeclineRemedy if !owed.is_empty() => "accepted_by_customer",
            C::FailRemedy if case.actor.customer_id().is_some() => "no_delivered_remedy",
            C::AcceptRemedy => "no_remedy_offered",
            _ => "no_outstanding_remedy",
        })],
        (1, None) => Vec::new(),
        (_, None) => vec![at("missing", "remedy")],
        (_, Some(number)) if possible.iter().any(|it| it.number == number) => Vec::new(),
        (_, Some(number)) => {
            let is_theirs = owed.iter().any(|it| it.number == number && is_wanted_by_customer(it));
            vec![if name == C::DeclineRemedy && is_theirs {
                state("accepted_by_customer")
            } else {
                at("unknown_value", "remedy")
            }]
        }
    }
}

/// Thirty days, from the decision on and anew from each failure of what it promised; `None` where no answer stands.
fn contest_window_is_open(complaint: &Complaint, now: DateTime<Utc>) -> Option<bool> {
    let latest_failure = complaint.remedies.iter().filter_map(|it| it.failed.as_ref()).map(|it| it.at).max();
    let decided_at = [complaint.resolutions.last().map(|it| it.at), complaint.dismissal.as_ref().map(|it| it.at)];
    let can_stand = matches!(complaint.status, Status::Resolved | Status::Closed | Status::Dismissed);
    let decided_at = decided_at.into_iter().flatten().max().filter(|_| can_stand);
    decided_at.map(|at| now <= at.max(latest_failure.unwrap_or(at)) + TimeDelta::days(30))
}

/// The time to say that it did not arrive: of the one that is named, or of any that can be meant.
fn delivery_deniable(case: &Case<'_>) -> bool {
    let (complaint, now) = (&case.stage.complaint, case.stage.world.now);
    let possible = remedies_for(complaint, case.actor, case.command.name());
    let named = case.command.input().remedy.filter(|number| possible.iter().any(|it| it.number == *number));
    let mut recorded = possible
        .into_iter()
        .filter(|it| named.is_none_or(|number| it.number == number))
        .filter_map(|it| it.fulfilled.as_ref())
        .peekable();
    recorded.peek().is_none()
        || recorded
            .any(|step| contest_window_is_open(complaint, now) == Some(true) || now <= step.at + TimeDelta::days(30))
}

fn running(complaint: &Complaint, clock: ClockKind) -> Option<&Deadline> {
    complaint.deadlines.iter().map(AsRef::as_ref).find(|it| it.clock == clock && it.ended.is_none())
}

/// Whether the end of this clock is still to be dealt with, and is there.
fn ran_out(deadline: &Deadline, now: DateTime<Utc>) -> bool {
    is_watched(deadline) && deadline.due_at.is_some_and(|due| due <= now)
}

fn is_watched(deadline: &Deadline) -> bool {
    deadline.ended.is_none() && deadline.missed_at.is_none() && deadline.clock != ClockKind::ContestWindow
}

fn auto_close_is_over(complaint: &Complaint, now: DateTime<Utc>) -> bool {
    running(complaint, ClockKind::AutoClose)
        .is_some_and(|it| it.missed_at.is_some() || it.due_at.is_some_and(|due| due <= now))
}

/// "escalate" in the table of clocks; of the time to begin only the second time at this level.
fn moves_up(complaint: &Complaint, clock: ClockKind) -> bool {
    let entered = complaint.deadlines.iter().rfind(|it| it.clock == ClockKind::Level).map(|it| it.started_at);
    let entered = entered.unwrap_or(complaint.received_at);
    match clock {
        ClockKind::FirstResponse | ClockKind::Resolution | ClockKind::Level => true,
        ClockKind::Acceptance => {
            complaint.deadlines.iter().any(|it| it.clock == clock && it.missed_at.is_some() && it.started_at >= entered)
        }
        _ => false,
    }
}

fn escalated_by(complaint: &Complaint, cause: &EscalationCause) -> bool {
    complaint.escalations.iter().any(|step| step.from == complaint.level && step.causes.contains(cause))
}

/// What a clock asks for: the command, its clocks and the percentage of a warning.
pub(crate) type Due = (C, Vec<(ClockKind, u32)>, u8);

/// Everything that the clocks ask for now.
pub(crate) fn due(complaint: &Complaint, now: DateTime<Utc>) -> Vec<Due> {
    let is_last = complaint.level.get() == 3;
    let mut due = Vec::new();
    let mut upward = Vec::new();
    for deadline in complaint.deadlines.iter().filter(|it| ran_out(it, now)) {
        let (clock, instance) = (deadline.clock, deadline.instance);
        let goes_up = moves_up(complaint, clock) && is_open(complaint.status) && !is_last;
        if goes_up && !escalated_by(complaint, &EscalationCause::Clock(clock)) {
            upward.push((clock, 0));
            continue;
        }
        due.push(match clock {
            ClockKind::Acceptance if complaint.status == Status::Assigned && !is_last => (C::Release, vec![], 0),
            ClockKind::AutoClose if complaint.status == Status::Resolved => (C::Close, vec![], 0),
            _ => (C::Alarm, vec![(clock, instance)], 0),
        });
    }
    if !upward.is_empty() {
        due.push((C::Escalate, upward, 0));
    }
    for deadline in complaint.deadlines.iter().filter(|it| is_watched(it) && !ran_out(it, now)) {
        let Some([at_75, at_90]) = deadline.warn_at else { continue };
        let reached = if at_90 <= now { 90 } else { 75 };
        if at_75 <= now && deadline.warned < reached {
            due.push((C::Warn, vec![(deadline.clock, deadline.instance)], reached));
        }
    }
    due.sort();
    due
}

fn clock_ran_out(case: &Case<'_>) -> bool {
    let (complaint, now) = (&case.stage.complaint, case.stage.world.now);
    let is_step = case.command.name() == C::Escalate;
    let clocks = &case.command.input().clocks;
    let is_over = |(clock, instance): &(ClockKind, u32)| {
        let mut of_kind = complaint.deadlines.iter().filter(|it| it.clock == *clock);
        let over = of_kind.any(|it| (is_step || it.instance == *instance) && ran_out(it, now));
        let fresh = || moves_up(complaint, *clock) && !escalated_by(complaint, &EscalationCause::Clock(*clock));
        over && (!is_step || fresh())
    };
    !clocks.is_empty() && clocks.iter().all(is_over)
}

fn warning_due(case: &Case<'_>) -> bool {
    let (complaint, now, input) = (&case.stage.complaint, case.stage.world.now, case.command.input());
    let is_reached = |(clock, instance): &(ClockKind, u32)| {
        complaint.deadlines.iter().any(|it| {
            let reached = it.warn_at.is_some_and(|at| at[usize::from(input.percent >= 90)] <= now);
            (it.clock, it.instance) == (*clock, *instance) && is_watched(it) && it.warned < input.percent && reached
        })
    };
    !input.clocks.is_empty() && input.clocks.iter().all(is_reached)
}

/// Whether an agent can be given the complaint.
fn fits(case: &Case<'_>, id: &AgentId) -> bool {
    let complaint = &case.stage.complaint;
    let excluded = complaint.exclusions.iter().any(|exclusion| {
        exclusion.agent == *id
            && match exclusion.cause {
                ExclusionCause::Declined(level) | ExclusionCause::Released(level) => level == complaint.level,
                ExclusionCause::Decided => true,
            }
    });
    let known = agents().into_iter().find(|agent| agent.id == *id);
    case.crew == Crew::Free
        && known.is_some_and(|agent| agent.level == complaint.level)
        && complaint.against.as_ref() != Some(id)
        && !excluded
}

/// Whom the router chooses: nobody holds anything, so the first by their id.
fn chosen(case: &Case<'_>) -> Option<AgentId> {
    agents().into_iter().map(|agent| agent.id).filter(|id| fits(case, id)).min()
}

fn candidate(case: &Case<'_>) -> Vec<Fault> {
    let (complaint, input) = (&case.stage.complaint, case.command.input());
    let is_change = case.command.name() == C::Reassign;
    let silent = input.reason.as_deref().is_none_or(|reason| reason.trim().is_empty());
    // Who reassigns gives a reason in any case, and that is another guard.
    let mut faults: Vec<Fault> =
        some(input.over_capacity && silent && !is_change, "missing", "reason").into_iter().collect();
    if is_change && input.agent.is_none() {
        faults.push(at("missing", "agent"));
    } else if is_change && input.agent == complaint.handler {
        faults.push(at("already_handler", "agent"));
    } else {
        faults.extend(match &input.agent {
            Some(agent) => some(!fits(case, agent), "not_eligible", "agent").into_iter().collect(),
            None => because(chosen(case).is_some(), "nobody_eligible"),
        });
    }
    faults
}

fn decision(case: &Case<'_>) -> Vec<Fault> {
    let input = case.command.input();
    let apology = input.apology.as_deref();
    let is_money = |remedy: &Remedy| remedy.kind.is_money();
    let mut faults: Vec<Fault> = text("explanation", input.explanation.as_deref()).into_iter().collect();
    faults.extend(match input.outcome {
        None => Some(at("missing", "outcome")),
        Some(Outcome::ResolvedAtSource) => Some(at("not_this_way", "outcome")),
        Some(Outcome::Upheld | Outcome::PartlyUpheld) => text("apology", apology),
        Some(Outcome::NotUpheld | Outcome::Goodwill) => optional("apology", apology),
    });
    faults.extend(optional("next_steps", input.next_steps.as_deref()));
    faults.extend(some(input.remedies.len() > 20, "too_many", "remedies"));
    let generous = input.outcome == Some(Outcome::NotUpheld) && input.remedies.iter().any(is_money);
    faults.extend(some(generous, "contradiction", "remedies"));
    let today = case.stage.world.now.date_naive();
    for (number, remedy) in input.remedies.iter().enumerate() {
        let field = |name: &str| format!("remedies.{number}.{name}");
        let amount = remedy.amount.map(complaint_core::money::Money::minor_units);
        faults.extend(some(is_money(remedy) && amount.is_none(), "missing", field("amount")));
        faults.extend(some(is_money(remedy) && amount == Some(0), "out_of_range", field("amount")));
        faults.extend(some(!is_money(remedy) && amount.is_some(), "not_applicable", field("amount")));
        // Somewhere on Earth it is still the day before.
        let past = remedy.due_on.is_some_and(|day| day < today - TimeDelta::days(1));
        let far = remedy.due_on.is_some_and(|day| day > today + TimeDelta::days(5 * 366));
        faults.extend(some(past, "in_the_past", field("due_on")));
        faults.extend(some(far, "out_of_range", field("due_on")));
    }
    faults
}

/// Hundred, then a thousand of each of four currencies, then all that there is.
fn within_authority(case: &Case<'_>) -> bool {
    let proposal = case.stage.complaint.proposal.as_ref().filter(|_| case.command.name() == C::Approve);
    let remedies = proposal.map_or(&case.command.input().remedies, |proposal| &proposal.remedies);
    let limit = match case.actor.level().map_or(1, Level::get) {
        1 => 10_000,
        2 => 100_000,
        _ => return true,
    };
    let amounts = || remedies.iter().filter_map(|remedy| remedy.amount);
    amounts().all(|one| {
        let same = amounts().filter(|it| it.currency() == one.currency());
        ["EUR", "USD", "GBP", "CHF"].contains(&one.currency().to_string().as_str())
            && same.map(complaint_core::money::Money::minor_units).sum::<u64>() <= limit
    })
}

fn survivor(case: &Case<'_>) -> Vec<Fault> {
    let complaint = &case.stage.complaint;
    let into = |code| vec![at(code, "into")];
    let Some(other) = &case.other else {
        let named = case.command.input().into.as_deref().is_some_and(|into| !into.trim().is_empty());
        return into(if named { "unknown_complaint" } else { "missing" });
    };
    let is_visible = match case.actor.party() {
        Party::Customer(id) => *id == other.customer,
        Party::Agent(id) => other.against.as_ref() != Some(id) && sees(&case.stage.world.policy, case.actor, other),
        _ => true,
    };
    let decided = |it: &Complaint| -> BTreeSet<AgentId> {
        let decided = it.exclusions.iter().filter(|exclusion| exclusion.cause == ExclusionCause::Decided);
        decided.map(|exclusion| exclusion.agent.clone()).collect()
    };
    if other.id == complaint.id {
        return into("same_complaint");
    }
    if !is_visible {
        return into("unknown_complaint");
    }
    let consents = case.command.input().consent.as_deref().is_some_and(|words| !words.trim().is_empty());
    let reasons = [
        (other.absorbed.contains(&complaint.id) || complaint.absorbed.contains(&other.id), "circle"),
        (other.customer != complaint.customer && !consents, "other_customer"),
        (!is_open(other.status), "not_open"),
        (complaint.against.is_some() && other.against != complaint.against, "against_other"),
        (other.level < complaint.level, "lower_level"),
        (!decided(complaint).is_subset(&decided(other)), "decided_before"),
    ];
    let mut faults: Vec<Fault> =
        reasons.into_iter().filter(|(fails, _)| *fails).map(|(_, code)| at(code, "into")).collect();
    if other.customer == complaint.customer {
        faults.extend(some(consents, "not_applicable", "consent"));
    } else {
        faults.extend(optional("consent", case.command.input().consent.as_deref()));
    }
    faults
}

fn files(case: &Case<'_>) -> Vec<Fault> {
    let (complaint, input) = (&case.stage.complaint, case.command.input());
    let by_customer = case.actor.customer_id().is_some();
    // Every file of these places came from the customer, so staff have all of theirs left.
    let sent = if by_customer { complaint.attachments.len() } else { 0 };
    let mut faults = Vec::new();
    for (number, file) in input.files.iter().enumerate() {
        let known = complaint.attachments.iter().any(|it| it.id == *file);
        let twice = known && input.files[..number].contains(file);
        faults.extend(some(!known, "unknown_file", format!("files.{number}")));
        faults.extend(some(twice, "duplicate", format!("files.{number}")));
    }
    let nothing = case.command.name() == C::Attach && input.attachments.is_empty();
    faults.extend(some(nothing, "missing", "files"));
    faults.extend(some(sent + input.attachments.len() > 10, "too_many", "files"));
    for (number, file) in input.attachments.iter().enumerate() {
        let field = || format!("files.{number}");
        faults.extend(line("", Some(&file.file_name)).map(|_| at("bad_name", field())));
        faults.extend(some(file.size == 0, "empty_file", field()));
        faults.extend(some(file.size > 10 * 1024 * 1024, "too_large", field()));
        faults.extend(some(file.media_type != "image/png", "wrong_media_type", field()));
    }
    faults
}

fn triage(case: &Case<'_>) -> Vec<Fault> {
    let input = case.command.input();
    let known = |key| case.stage.world.policy.categories.iter().any(|it| it.key == key && it.active);
    let mut faults: Vec<Fault> = Vec::new();
    faults.extend(some(input.category.clone().is_some_and(|key| !known(key)), "unknown_category", "category"));
    faults.extend(some(input.weight.is_some_and(|it| !(1..=1000).contains(&it)), "out_of_range", "weight"));
    let blank = Input { reason: input.reason.clone(), ..Input::default() };
    faults.extend(some(*input == blank, "missing", "category"));
    faults
}

/// What a guard is refused for; empty where it holds.
#[expect(clippy::too_many_lines, reason = "one arm per guard, in the order of the enumeration")]
fn faults(case: &Case<'_>, guard: Guard) -> Vec<Fault> {
    let (stage, actor, name) = (case.stage, case.actor, case.command.name());
    let (complaint, policy, now) = (&stage.complaint, &stage.world.policy, stage.world.now);
    let input = case.command.input();
    let today = now.date_naive();
    let owed = owed(complaint);
    let has_failed = owed.iter().any(|promise| promise.failed.is_some());
    let is_last = complaint.level.get() == 3;
    let own = actor.customer_id().is_some();
    let one = |fault: Option<Fault>| fault.into_iter().collect::<Vec<_>>();
    match guard {
        Guard::NotAcknowledged => because(complaint.acknowledged_at.is_none(), "already_acknowledged"),
        Guard::CategoryKnown | Guard::SubmissionComplete => unreachable!("of `submit` alone"),
        Guard::OpenComplaintLimit => {
            because(case.open_complaints < policy.open_complaints_per_customer, "too_many_open_complaints")
        }
        Guard::TriageFits => triage(case),
        Guard::CandidateEligible => candidate(case),
        Guard::TakingAllowed if !policy.agents_may_take => because(false, "taking_not_allowed"),
        Guard::TakingAllowed => {
            let taker = input.agent.clone().or_else(|| chosen(case));
            because(taker.is_none() || taker.as_ref() == actor.agent_id(), "only_for_oneself")
        }
        Guard::DismissingAllowed => because(policy.agents_may_dismiss, "dismissing_not_allowed"),
        Guard::ReasonGiven => one(text("reason", input.reason.as_deref())),
        Guard::TextGiven => one(text("text", input.text.as_deref())),
        Guard::TextOrFilesGiven if input.files.is_empty() && input.attachments.is_empty() => {
            one(text("text", input.text.as_deref()))
        }
        Guard::TextOrFilesGiven => one(optional("text", input.text.as_deref())),
        Guard::CommentGiven => one(text("comment", input.comment.as_deref())),
        Guard::InstructionGiven => one(text("instruction", input.instruction.as_deref())),
        Guard::HoldGiven => {
            let past = input.until.is_some_and(|day| day < today - TimeDelta::days(1));
            let far = input.until.is_some_and(|day| day > today + TimeDelta::days(366));
            let mut faults = one(line("party", input.party.as_deref()));
            faults.extend(some(input.until.is_none(), "missing", "until"));
            faults.extend(some(past, "in_the_past", "until"));
            faults.extend(some(far, "out_of_range", "until"));
            faults
        }
        Guard::QuestionOpen => because(complaint.question.is_some(), "no_question_open"),
        Guard::ReasonWhileQuestionOpen if complaint.question.is_none() => Vec::new(),
        Guard::ReasonWhileQuestionOpen => one(text("reason", input.reason.as_deref())),
        Guard::BelowLastLevel => because(!is_last, "last_level"),
        Guard::AboveFirstLevel => because(complaint.level.get() > 1, "first_level"),
        Guard::NotContestedTo => {
            let free = complaint.contested_to.is_none_or(|reached| complaint.level > reached);
            because(free, "contested_to_this_level")
        }
        Guard::SomebodyBelow => because(case.somebody_below, "nobody_below"),
        Guard::DeadlineMissed => {
            let here = running(complaint, ClockKind::Level).map(|it| it.started_at);
            let missed = complaint.deadlines.iter().any(|it| {
                let theirs = matches!(
                    it.clock,
                    ClockKind::Acknowledgement
                        | ClockKind::FirstResponse
                        | ClockKind::Resolution
                        | ClockKind::Level
                        | ClockKind::Statutory
                );
                let late = it.missed_at.is_some() || it.due_at.is_some_and(|due| due < now);
                theirs && it.ended.is_none() && late && here.is_none_or(|here| it.due_at.or(it.missed_at) > Some(here))
            });
            because(missed && !escalated_by(complaint, &EscalationCause::Customer), "no_deadline_missed")
        }
        Guard::ClockRanOut => because(clock_ran_out(case), "clock_not_run_out"),
        Guard::ReleaseDue => {
            let acceptance = running(complaint, ClockKind::Acceptance).and_then(|it| it.due_at);
            let not_begun = complaint.status == Status::Assigned && acceptance.is_some_and(|due| due <= now);
            because(not_begun || !stage.world.handler_available, "release_not_due")
        }
        Guard::DecisionComplete => decision(case),
        Guard::CauseFits => {
            let known = |key| policy.causes.iter().any(|cause| cause.key == key && cause.active);
            match input.cause.clone() {
                None => one(some(policy.cause_required, "missing", "cause")),
                Some(key) => one(some(!known(key), "unknown_cause", "cause")),
            }
        }
        Guard::WithinAuthority => because(within_authority(case), "over_authority"),
        Guard::NoSecondPersonNeeded => because(!policy.four_eyes, "second_person_needed"),
        Guard::SecondPerson => {
            let other = complaint.proposal.as_ref().is_none_or(|proposal| Some(&proposal.by) != actor.agent_id());
            because(other, "own_proposal")
        }
        Guard::PromisedDaysAhead => {
            // Somewhere on Earth it is still the day before.
            let is_over = |remedy: &Remedy| remedy.due_on.is_some_and(|day| day < today - TimeDelta::days(1));
            let proposed = complaint.proposal.as_ref().map_or(&[][..], |proposal| &proposal.remedies);
            because(!proposed.iter().any(is_over), "promised_day_passed")
        }
        Guard::ExplanationGiven => one(text("explanation", input.explanation.as_deref())),
        Guard::NotAccepted => {
            let latest = complaint.resolutions.last().filter(|it| it.contested_at.is_none());
            let mine = |by_staff: bool| own && by_staff;
            let open = latest.is_none_or(|it| it.accepted_at.is_none() || mine(it.recorded_by.is_some()));
            because(open, "already_accepted")
        }
        Guard::RemedyNamed => remedy_named(case),
        Guard::FulfilmentGiven => {
            let early = complaint.received_at.date_naive() - TimeDelta::days(1);
            let mut faults = one(text("evidence", input.evidence.as_deref()));
            faults.extend(some(input.on.is_some_and(|day| day > today), "in_the_future", "on"));
            faults.extend(some(input.on.is_some_and(|day| day < early), "in_the_past", "on"));
            faults
        }
        Guard::ContestWindowOpen => {
            let without = complaint.decisions == 0 || is_open(complaint.status) || complaint.status == Status::Resolved;
            because(contest_window_is_open(complaint, now).unwrap_or(without), "contest_window_over")
        }
        Guard::DeliveryDeniable => because(delivery_deniable(case), "delivery_window_over"),
        Guard::NotAtLastLevel => {
            // Where nobody has decided, nothing is final.
            let is_decided = matches!(complaint.status, Status::Resolved | Status::Closed | Status::Dismissed);
            because(!is_decided || !is_last || has_failed || input.new_evidence.is_some(), "final_authority_reached")
        }
        Guard::FinishedOrFailed => because(complaint.status != Status::Resolved || has_failed, "nothing_failed"),
        Guard::NoUnreadMessage => because(complaint.unread_since.is_none(), "unread_message"),
        Guard::NoOutstandingRemedy => because(owed.is_empty(), "outstanding_remedy"),
        Guard::NothingToContradict => {
            let is_decided = matches!(complaint.status, Status::Resolved | Status::Closed);
            let latest = complaint.resolutions.len();
            let mut decisions = complaint.resolutions.last().into_iter().filter(|it| it.contested_at.is_none());
            let mut remedies = complaint.remedies.iter().filter(|it| it.resolution as usize == latest && is_decided);
            let by_staff = decisions.any(|it| it.recorded_by.is_some())
                || remedies.any(|it| it.declined.as_ref().is_some_and(|step| step.by.agent().is_some()));
            because(!by_staff || auto_close_is_over(complaint, now), "can_be_contradicted")
        }
        Guard::AcceptanceWindowOver => because(auto_close_is_over(complaint, now), "acceptance_window_open"),
        Guard::RatingGiven => match input.score {
            None => vec![at("missing", "score")],
            Some(score) => one(some(score == 0 || score > 5, "out_of_range", "score")),
        },
        Guard::RatingEditable => {
            let latest = complaint.resolutions.len();
            let given = complaint.feedback.iter().find(|it| it.resolution as usize == latest);
            let over = given.is_some_and(|it| now > it.first_given_at + TimeDelta::hours(24));
            because(!over, "already_rated").into_iter().chain(because(latest > 0, "nothing_to_rate")).collect()
        }
        Guard::RatingNotAnonymous => because(complaint.feedback.iter().any(|it| !it.anonymous), "nothing_to_anonymise"),
        Guard::ReinstateWindowOpen => {
            let over = complaint.status == Status::Withdrawn && now > complaint.status_since + TimeDelta::days(30);
            because(!over, "reinstate_window_over")
        }
        Guard::DismissalGiven => {
            let grounds = ["spam", "abuse", "out_of_scope", "not_a_complaint", "time_barred"];
            let ground = input.reason.as_deref().unwrap_or_default().trim();
            let mut faults = one(text("text", input.text.as_deref()));
            faults.extend(some(ground.is_empty(), "missing", "reason"));
            faults.extend(some(!ground.is_empty() && !grounds.contains(&ground), "unknown_value", "reason"));
            faults
        }
        Guard::SurvivorFits => survivor(case),
        Guard::NothingJoinedByConsent => because(complaint.consents.is_empty(), "holds_by_consent"),
        Guard::JoinedByConsent => {
            let own = complaint.status == Status::Merged && !complaint.joined_by_consent;
            because(!own, "not_by_consent")
        }
        Guard::GoesOnNowhere => {
            let goes_on = complaint.status == Status::Merged && complaint.ended_elsewhere.is_none();
            because(!goes_on, "goes_on_elsewhere")
        }
        Guard::SurvivorNotClosed => {
            let found = case.other.as_ref().filter(|it| complaint.merged_into == Some(it.id));
            match found {
                None => because(false, "survivor_unknown"),
                Some(it) => because(is_open(it.status) || it.status == Status::Resolved, "survivor_finished"),
            }
        }
        Guard::ReferralGiven => {
            let faults = [line("body", input.body.as_deref()), text("text", input.text.as_deref())];
            faults.into_iter().flatten().collect()
        }
        Guard::FilesFit => files(case),
        Guard::UnreadMessage => because(complaint.unread_since.is_some(), "nothing_unread"),
        Guard::ContestNotPossible => {
            let open = contest_window_is_open(complaint, now) == Some(true);
            let finished = matches!(complaint.status, Status::Closed | Status::Dismissed);
            because(!(finished && !is_last && open), "still_contestable")
        }
        Guard::WarningDue => because(warning_due(case), "warning_not_due"),
        Guard::RoomInLog => {
            let latest = complaint.resolutions.len();
            let leads_on = match name {
                C::Post => own && complaint.question.is_some(),
                C::Rate => !complaint.feedback.iter().any(|given| given.resolution as usize == latest),
                _ => *actor.party() == Party::System,
            };
            because(complaint.entries < policy.log_entries_per_complaint || leads_on, "log_full")
        }
    }
}
