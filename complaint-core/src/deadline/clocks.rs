//! Which clocks a complaint wants, and what follows when one runs out.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::span::wall;
use super::{Calendar, ClockChange, ClockKind, Deadline, Ended, Ending, Segment, Span};
use crate::complaint::{Complaint, EscalationCause, Priority};
use crate::id::{CategoryKey, Level};
use crate::lifecycle::{Command, Status};
use crate::policy::Policy;

/// When the clocks want the next look at a complaint: the earliest warning not yet given or end not yet noticed.
pub fn next_action_at(complaint: &Complaint) -> Option<DateTime<Utc>> {
    complaint.deadlines.iter().filter_map(Deadline::next_action_at).min()
}

/// What the clocks ask the system to do now, most pressing first: move the complaint, raise an alarm, warn.
///
/// Safe to ask again: each answer, once carried out, is not given a second time.
pub fn due_commands(complaint: &Complaint, policy: &Policy, now: DateTime<Utc>) -> Vec<Command> {
    let overdue: Vec<&Deadline> = complaint
        .deadlines
        .iter()
        .filter(|deadline| deadline.asks_about_its_end() && deadline.due_at.is_some_and(|due| due <= now))
        .collect();
    let mut commands = Vec::new();

    // One step up answers for every promise broken until now: after an outage a complaint must not race up the ladder.
    let upward: Vec<ClockKind> = overdue
        .iter()
        .map(|deadline| deadline.clock)
        .filter(|clock| moves_up(complaint, *clock) && can_escalate(complaint, policy, *clock))
        .collect();
    if !upward.is_empty() {
        commands.push(Command::escalate_by_clock(upward.clone()));
    }
    for deadline in overdue {
        let clock = deadline.clock;
        if upward.contains(&clock) {
            continue;
        }
        commands.push(match clock {
            // At the last level there may be nobody else: it stays, and the alarm is raised.
            ClockKind::Acceptance if complaint.status == Status::Assigned && complaint.level < policy.last_level() => {
                Command::release_not_begun()
            }
            ClockKind::AutoClose if complaint.status == Status::Resolved => Command::close(),
            _ => Command::alarm(clock, deadline.instance),
        });
    }
    for deadline in complaint.deadlines.iter().filter(|deadline| deadline.asks_about_its_end()) {
        let (Some([early, late]), Some(due)) = (deadline.warn_at, deadline.due_at) else { continue };
        if due <= now {
            continue;
        }
        if late <= now && deadline.warned < 90 {
            commands.push(Command::warn(deadline.clock, deadline.instance, 90));
        } else if early <= now && deadline.warned < 75 {
            commands.push(Command::warn(deadline.clock, deadline.instance, 75));
        }
    }
    commands
}

/// Whether a complaint goes up the ladder when this clock runs out.
pub(crate) fn moves_up(complaint: &Complaint, clock: ClockKind) -> bool {
    match clock {
        ClockKind::FirstResponse | ClockKind::Resolution | ClockKind::Level => true,
        // The first handler who does not begin loses it; when the next one does not begin either, it goes up.
        ClockKind::Acceptance => complaint.deadlines.iter().any(|earlier| {
            earlier.clock == ClockKind::Acceptance
                && earlier.missed_at.is_some()
                && earlier.started_at >= level_since(complaint)
        }),
        _ => false,
    }
}

fn level_since(complaint: &Complaint) -> DateTime<Utc> {
    complaint
        .deadlines
        .iter()
        .rev()
        .find(|deadline| deadline.clock == ClockKind::Level)
        .map_or(complaint.received_at, |deadline| deadline.started_at)
}

fn can_escalate(complaint: &Complaint, policy: &Policy, clock: ClockKind) -> bool {
    complaint.status.is_open()
        && complaint.level < policy.last_level()
        && !has_escalated(complaint, complaint.level, &EscalationCause::Clock(clock))
}

/// Whether this cause moved the complaint up from this level already.
pub(crate) fn has_escalated(complaint: &Complaint, level: Level, cause: &EscalationCause) -> bool {
    complaint.escalations.iter().any(|escalation| escalation.from == level && escalation.causes.contains(cause))
}

impl Deadline {
    /// When it wants the next look: the next warning or the end, while it runs.
    pub(crate) fn next_action_at(&self) -> Option<DateTime<Utc>> {
        if !self.asks_about_its_end() {
            return None;
        }
        let due_at = self.due_at?;
        let warning = self.warn_at.and_then(|[early, late]| match self.warned {
            0 => Some(early),
            75 => Some(late),
            _ => None,
        });
        Some(warning.map_or(due_at, |at| at.min(due_at)))
    }

    // The end of the contest window is asked about when somebody contests; nothing happens by itself.
    fn asks_about_its_end(&self) -> bool {
        self.ended.is_none() && self.missed_at.is_none() && self.clock != ClockKind::ContestWindow
    }

    fn start(clock: ClockKind, instance: u32, target: Span, policy: &Policy, from: DateTime<Utc>) -> Self {
        let calendar = policy.working_calendar();
        let (total, due_at) = target.measure(&calendar, from);
        let measured_on = target.is_working().then_some(&calendar);
        Self {
            clock,
            instance,
            target,
            calendar: target.is_working().then(|| policy.calendar.clone()),
            policy_version: policy.version,
            started_at: from,
            total_micros: micros(total),
            due_at: Some(due_at),
            warn_at: Some(warnings(measured_on, from, total, total)),
            left_micros: None,
            warned: 0,
            missed_at: None,
            ended: None,
            segments: vec![Segment { from, to: None, ran: true }],
        }
    }

    /// A promise for a certain instant instead of an amount of time.
    fn start_until(self, due: DateTime<Utc>) -> Self {
        let total = length(None, self.started_at, due);
        Self {
            calendar: None,
            total_micros: micros(total),
            due_at: Some(due),
            warn_at: Some(warnings(None, self.started_at, total, total)),
            ..self
        }
    }

    /// A promise that counts from later on, e.g. the time to accept while a remedy is outstanding.
    fn start_paused(self) -> Self {
        Self {
            due_at: None,
            warn_at: None,
            left_micros: Some(self.total_micros),
            segments: vec![Segment { from: self.started_at, to: None, ran: false }],
            ..self
        }
    }

    /// The same promise taken up again, after the complaint was withdrawn, joined or passed on in between.
    fn again(&self, instance: u32) -> Self {
        let segments = vec![Segment { from: self.started_at, to: None, ran: true }];
        Self { instance, ended: None, segments, ..self.clone() }
    }

    fn measured_on<'a>(&self, policy: &'a Policy) -> Option<&'a Calendar> {
        // A calendar that left the policy is followed by the one in force, never by wall time.
        let name = self.calendar.as_ref()?;
        policy.calendars.get(name).or_else(|| policy.calendars.get(&policy.calendar))
    }

    /// Applies what an entry did to this clock. Holds no rule.
    pub(crate) fn apply(&mut self, change: &ClockChange, at: DateTime<Utc>) {
        match change {
            ClockChange::Started { .. } => {}
            ClockChange::Retargeted { deadline } => *self = deadline.clone(),
            ClockChange::Paused { left_micros, .. } => {
                self.due_at = None;
                self.warn_at = None;
                self.left_micros = Some(*left_micros);
                self.turn(at, false);
            }
            ClockChange::Resumed { due_at, warn_at, .. } => {
                self.due_at = Some(*due_at);
                self.warn_at = Some(*warn_at);
                self.left_micros = None;
                self.turn(at, true);
            }
            ClockChange::Warned { percent, .. } => self.warned = *percent,
            ClockChange::Missed { .. } => self.missed_at = Some(at),
            ClockChange::Ended { how, .. } => {
                self.ended = Some(Ended { at, how: *how });
                if let Some(last) = self.segments.last_mut() {
                    last.to = Some(at);
                }
            }
        }
    }

    fn turn(&mut self, at: DateTime<Utc>, ran: bool) {
        if let Some(last) = self.segments.last_mut() {
            last.to = Some(at);
        }
        self.segments.push(Segment { from: at, to: None, ran });
    }
}

impl ClockChange {
    pub(crate) fn key(&self) -> (ClockKind, u32) {
        match self {
            Self::Started { deadline } | Self::Retargeted { deadline } => (deadline.clock, deadline.instance),
            Self::Paused { clock, instance, .. }
            | Self::Resumed { clock, instance, .. }
            | Self::Warned { clock, instance, .. }
            | Self::Missed { clock, instance }
            | Self::Ended { clock, instance, .. } => (*clock, *instance),
        }
    }
}

/// A clock that a complaint wants in its present state.
struct Want {
    instance: u32,
    /// `None` where the policy promises nothing (any more): then nothing starts, and what runs goes on.
    target: Option<Span>,
    runs: bool,
    fixed_due: Option<DateTime<Utc>>,
}

/// Why clocks are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockCause {
    /// Something happened; running clocks keep the promise they were started with, whatever the policy says meanwhile.
    Moved,
    /// The complaint was described anew, so that another promise applies.
    Described,
    /// Another complaint with an earlier receipt was joined.
    EarlierReceipt,
}

impl ClockCause {
    /// Whether a new description changes what is promised.
    pub(crate) fn described(before: &Complaint, category: &CategoryKey, priority: Priority) -> Self {
        if before.category == *category && before.priority == priority { Self::Moved } else { Self::Described }
    }
}

/// The difference between the clocks a complaint has and those its state wants.
pub(crate) fn clock_changes(
    complaint: &Complaint,
    policy: &Policy,
    now: DateTime<Utc>,
    cause: ClockCause,
) -> Vec<ClockChange> {
    let mut changes = Vec::new();
    for clock in ClockKind::ALL {
        let wants = wanted(complaint, policy, clock);
        let active = complaint.deadlines.iter().filter(|deadline| deadline.clock == clock && deadline.ended.is_none());
        for deadline in active {
            match wants.iter().find(|want| want.instance == deadline.instance) {
                None => changes.push(ClockChange::Ended {
                    clock,
                    instance: deadline.instance,
                    how: ending(complaint, deadline, now),
                }),
                Some(want) => changes.extend(adjustment(complaint, deadline, want, policy, now, cause)),
            }
        }
        for want in wants {
            let known = complaint
                .deadlines
                .iter()
                .any(|deadline| deadline.clock == clock && deadline.instance == want.instance);
            if !known {
                let fresh = started(complaint, clock, &want, policy, now);
                changes.extend(fresh.map(|deadline| ClockChange::Started { deadline }));
            }
        }
    }
    changes
}

fn started(
    complaint: &Complaint,
    clock: ClockKind,
    want: &Want,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Deadline> {
    let former = complaint.deadlines.iter().rev().find(|deadline| deadline.clock == clock);
    let from = match former {
        _ if !counts_from_receipt(clock) => now,
        None => complaint.received_at,
        // What the law asks for counts from the receipt, however often the complaint went away and came back.
        Some(former) if clock == ClockKind::Statutory => return Some(former.again(want.instance)),
        // What we promise ourselves is promised anew: nobody could work on it in between.
        Some(_) => now,
    };
    let deadline = Deadline::start(clock, want.instance, want.target?, policy, from);
    let deadline = match want.fixed_due {
        Some(due) => deadline.start_until(due),
        None => deadline,
    };
    Some(if want.runs { deadline } else { deadline.start_paused() })
}

fn counts_from_receipt(clock: ClockKind) -> bool {
    matches!(
        clock,
        ClockKind::Acknowledgement | ClockKind::FirstResponse | ClockKind::Resolution | ClockKind::Statutory
    )
}

fn adjustment(
    complaint: &Complaint,
    deadline: &Deadline,
    want: &Want,
    policy: &Policy,
    now: DateTime<Utc>,
    cause: ClockCause,
) -> Option<ClockChange> {
    let calendar = deadline.measured_on(policy);
    let statutory = deadline.clock == ClockKind::Statutory;
    if want.fixed_due.is_none() && deadline.missed_at.is_none() {
        let moved = match (cause, want.target) {
            (ClockCause::Described, Some(target)) if target != deadline.target => {
                Some(retargeted(deadline, target, policy, now))
            }
            (ClockCause::EarlierReceipt, _) if statutory && complaint.received_at < deadline.started_at => {
                let fresh =
                    Deadline::start(deadline.clock, deadline.instance, deadline.target, policy, complaint.received_at);
                Some(Deadline { warned: deadline.warned, ..fresh })
            }
            _ => None,
        };
        // A statutory deadline never moves later.
        if let Some(moved) = moved.filter(|moved| !statutory || moved.due_at < deadline.due_at) {
            return Some(ClockChange::Retargeted { deadline: moved });
        }
    }
    let (clock, instance) = (deadline.clock, deadline.instance);
    match (deadline.due_at, deadline.left_micros, want.runs) {
        (Some(due_at), _, false) => {
            Some(ClockChange::Paused { clock, instance, left_micros: micros(length(calendar, now, due_at)) })
        }
        (None, Some(left), true) => {
            let left = Duration::from_micros(left);
            let total = Duration::from_micros(deadline.total_micros);
            Some(ClockChange::Resumed {
                clock,
                instance,
                due_at: after(calendar, now, left),
                warn_at: warnings(calendar, now, left, total),
            })
        }
        _ => None,
    }
}

fn retargeted(deadline: &Deadline, target: Span, policy: &Policy, now: DateTime<Utc>) -> Deadline {
    let fresh = Deadline::start(deadline.clock, deadline.instance, target, policy, deadline.started_at);
    let calendar = fresh.measured_on(policy);
    let total = Duration::from_micros(fresh.total_micros);
    let paused_before = deadline.segments.iter().any(|segment| !segment.ran);
    let mut moved = Deadline { segments: deadline.segments.clone(), warned: deadline.warned, ..fresh.clone() };
    if paused_before || deadline.due_at.is_none() {
        let used: Duration = deadline
            .segments
            .iter()
            .filter(|segment| segment.ran)
            .map(|segment| length(calendar, segment.from, segment.to.unwrap_or(now)))
            .sum();
        let left = total.saturating_sub(used);
        if deadline.due_at.is_none() {
            moved.due_at = None;
            moved.warn_at = None;
            moved.left_micros = Some(micros(left));
        } else {
            moved.due_at = Some(after(calendar, now, left));
            moved.warn_at = Some(warnings(calendar, now, left, total));
        }
    }
    moved
}

fn wanted(complaint: &Complaint, policy: &Policy, clock: ClockKind) -> Vec<Want> {
    let status = complaint.status;
    let open = status.is_open();
    let service_runs = match status {
        Status::AwaitingCustomer => false,
        Status::AwaitingThirdParty => !policy.third_party_pauses,
        _ => true,
    };
    let undecided = open && complaint.resolutions.is_empty();
    let again = 1 + times_cancelled(complaint, clock);
    let (present, instance, runs) = match clock {
        ClockKind::Acknowledgement => (open && complaint.acknowledged_at.is_none(), again, true),
        ClockKind::FirstResponse => (open && complaint.first_response_at.is_none(), again, service_runs),
        ClockKind::Resolution => (undecided, again, service_runs),
        ClockKind::Level => (open, complaint.level_entries, service_runs),
        ClockKind::Acceptance => (status == Status::Assigned, complaint.assignments, true),
        ClockKind::Approval => (status == Status::PendingApproval, complaint.proposals, true),
        ClockKind::Silence => (status == Status::AwaitingCustomer, complaint.questions, true),
        ClockKind::AutoClose => (
            status == Status::Resolved && complaint.resolution().is_some_and(|it| it.accepted_at.is_none()),
            complaint.decisions,
            complaint.unread_since.is_none() && complaint.outstanding_remedies().next().is_none(),
        ),
        ClockKind::ContestWindow => {
            (matches!(status, Status::Resolved | Status::Closed | Status::Dismissed), complaint.decisions, true)
        }
        ClockKind::Statutory => (undecided, again, true),
        ClockKind::Remedy => return wanted_remedies(complaint, policy),
    };
    let target = policy.target(clock, &complaint.category, complaint.priority, complaint.level);
    if present { vec![Want { instance, target, runs, fixed_due: None }] } else { Vec::new() }
}

/// How often a clock fell away: it starts anew when the complaint comes back.
fn times_cancelled(complaint: &Complaint, clock: ClockKind) -> u32 {
    let cancelled = complaint.deadlines.iter().filter(|deadline| {
        deadline.clock == clock && deadline.ended.is_some_and(|ended| ended.how == Ending::Cancelled)
    });
    u32::try_from(cancelled.count()).unwrap_or(u32::MAX)
}

fn wanted_remedies(complaint: &Complaint, policy: &Policy) -> Vec<Want> {
    if !matches!(complaint.status, Status::Resolved | Status::Closed) {
        return Vec::new();
    }
    complaint
        .outstanding_remedies()
        .map(|promise| Want {
            instance: promise.number,
            target: Some(policy.targets.remedy),
            runs: true,
            // Promised for a day: kept until that day is over.
            fixed_due: promise
                .remedy
                .due_on
                .and_then(|day| day.checked_add_days(Days::new(1)))
                .map(|next| next.and_time(NaiveTime::MIN).and_utc()),
        })
        .collect()
}

/// Whether the promise of a clock that is not wanted any more was kept.
fn ending(complaint: &Complaint, deadline: &Deadline, now: DateTime<Utc>) -> Ending {
    let status = complaint.status;
    let kept = match deadline.clock {
        ClockKind::Acknowledgement => complaint.acknowledged_at.is_some(),
        ClockKind::FirstResponse => complaint.first_response_at.is_some(),
        ClockKind::Resolution | ClockKind::Statutory => matches!(status, Status::Resolved | Status::Closed),
        ClockKind::Level => !matches!(status, Status::Withdrawn | Status::Merged),
        ClockKind::Acceptance => status == Status::InProgress,
        ClockKind::Approval => matches!(status, Status::Resolved | Status::InProgress),
        ClockKind::Silence => complaint.question.is_none(),
        ClockKind::AutoClose => status != Status::Withdrawn,
        ClockKind::ContestWindow => complaint.resolutions.last().is_some_and(|it| it.contested_at.is_some()),
        ClockKind::Remedy => complaint
            .remedies
            .iter()
            .any(|promise| promise.number == deadline.instance && promise.fulfilled_on.is_some()),
    };
    let late = deadline.missed_at.is_some() || deadline.due_at.is_some_and(|due| due < now);
    match (kept, late) {
        (false, _) => Ending::Cancelled,
        (true, false) => Ending::Met,
        (true, true) => Ending::Late,
    }
}

fn length(calendar: Option<&Calendar>, from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    match calendar {
        Some(calendar) => calendar.between(from, to),
        None => (to - from).to_std().unwrap_or_default(),
    }
}

fn after(calendar: Option<&Calendar>, from: DateTime<Utc>, counted: Duration) -> DateTime<Utc> {
    match calendar {
        Some(calendar) => calendar.add(from, counted),
        None => wall(from, counted),
    }
}

fn warnings(calendar: Option<&Calendar>, from: DateTime<Utc>, left: Duration, total: Duration) -> [DateTime<Utc>; 2] {
    // Whole microseconds, so that the instants equal what is stored.
    let share = |percent: u64| Duration::from_micros(micros(total) / 100 * percent);
    [after(calendar, from, left.saturating_sub(share(25))), after(calendar, from, left.saturating_sub(share(10)))]
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
