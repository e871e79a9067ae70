//! Which clocks a complaint wants, and what follows when one runs out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::span::wall;
use super::{
    Calendar, ClockChange, ClockKind, Deadline, Ended, Ending, LegalPromise, Milestone, PauseCause, Segment, Span,
};
use crate::complaint::{Channel, Complaint, EndElsewhere, EscalationCause, Priority};
use crate::id::{CategoryKey, Level, PromiseKey};
use crate::lifecycle::{Command, CommandName, Status};
use crate::policy::{Policy, StatutoryPromise};

/// When the clocks want the next look at a complaint: the earliest warning not yet given or end not yet noticed.
///
/// ```
/// use complaint_core::deadline::next_action_at;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let complaint = receipt.complaint();
/// let at = next_action_at(complaint).expect("its clocks run");
/// assert!(complaint.received_at < at && Some(at) < complaint.promised_at());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn next_action_at(complaint: &Complaint) -> Option<DateTime<Utc>> {
    complaint.deadlines.iter().filter_map(|deadline| deadline.next_action_at()).min()
}

/// What the clocks ask the system to do now, most pressing first: move the complaint, raise an alarm, warn.
///
/// Safe to ask again: each answer, once carried out, is not given a second time.
///
/// ```
/// use chrono::TimeDelta;
/// use complaint_core::deadline::due_commands;
/// use complaint_core::lifecycle::CommandName;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let (complaint, policy) = (receipt.complaint(), desk.policy());
/// assert!(due_commands(complaint, &policy, complaint.received_at).is_empty());
///
/// let forgotten = complaint.received_at + TimeDelta::days(30);
/// let asked = due_commands(complaint, &policy, forgotten);
/// assert_eq!(asked[0].name(), CommandName::Escalate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn due_commands(complaint: &Complaint, policy: &Policy, now: DateTime<Utc>) -> Vec<Command> {
    let overdue: Vec<&Deadline> = complaint
        .deadlines
        .iter()
        .map(Arc::as_ref)
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
        commands.push(match at_its_end(clock) {
            // At the last level there may be nobody else: it stays, and the alarm is raised.
            Some(CommandName::Release)
                if complaint.status == Status::Assigned && complaint.level < policy.last_level() =>
            {
                Command::release()
            }
            Some(CommandName::Close) => Command::close(),
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

/// The statuses in which a clock may run.
pub(crate) fn runs_in(clock: ClockKind) -> &'static [Status] {
    match clock {
        ClockKind::Acknowledgement
        | ClockKind::FirstResponse
        | ClockKind::Resolution
        | ClockKind::Statutory
        | ClockKind::Level
        // Whoever asked may lose the complaint: the question is with the customer all the same.
        | ClockKind::Silence => &Status::OPEN,
        ClockKind::Acceptance => &[Status::Assigned],
        ClockKind::Approval => &[Status::PendingApproval],
        // A complaint is not closed while a remedy is owed.
        ClockKind::AutoClose | ClockKind::Remedy => &[Status::Resolved],
        ClockKind::ContestWindow => &[Status::Resolved, Status::Closed, Status::Dismissed],
    }
}

/// What the end of a clock asks for.
pub(crate) fn at_its_end(clock: ClockKind) -> Option<CommandName> {
    match clock {
        ClockKind::FirstResponse | ClockKind::Resolution | ClockKind::Level => Some(CommandName::Escalate),
        ClockKind::Acceptance => Some(CommandName::Release),
        ClockKind::AutoClose => Some(CommandName::Close),
        ClockKind::ContestWindow => None,
        _ => Some(CommandName::Alarm),
    }
}

/// Whether a complaint goes up the ladder when this clock runs out.
pub(crate) fn moves_up(complaint: &Complaint, clock: ClockKind) -> bool {
    match at_its_end(clock) {
        Some(CommandName::Escalate) => true,
        // The first handler who does not begin loses it; when the next one does not begin either, it goes up.
        Some(CommandName::Release) => complaint.deadlines.iter().any(|earlier| {
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

    /// Whether it is an opportunity that lapses, instead of a duty that can be broken.
    pub fn lapses(&self) -> bool {
        self.promise.as_ref().is_some_and(|promise| promise.lapses)
    }

    // The end of the contest window is asked about when somebody contests, that of an opportunity when somebody uses
    // it; nothing happens by itself.
    pub(crate) fn asks_about_its_end(&self) -> bool {
        self.ended.is_none() && self.missed_at.is_none() && self.clock != ClockKind::ContestWindow && !self.lapses()
    }

    fn start(clock: ClockKind, instance: u32, target: Span, policy: &Policy, from: DateTime<Utc>) -> Self {
        Self::counting_from(clock, instance, target, policy, from, from)
    }

    /// A promise that runs from `from` on and may count from another instant, as some of the law do.
    fn counting_from(
        clock: ClockKind,
        instance: u32,
        target: Span,
        policy: &Policy,
        from: DateTime<Utc>,
        day_zero: DateTime<Utc>,
    ) -> Self {
        let calendar = policy.working_calendar();
        let due_at = target.due(&calendar, day_zero);
        let measured_on = target.is_working().then_some(&calendar);
        let total = length(measured_on, from, due_at);
        Self {
            clock,
            instance,
            promise: None,
            target,
            calendar: target.is_working().then(|| policy.calendar.as_str().into()),
            policy_version: policy.version,
            started_at: from,
            total_micros: micros(total),
            due_at: Some(due_at),
            warn_at: Some(warnings(measured_on, from, total, total)),
            left_micros: None,
            warned: 0,
            missed_at: None,
            ended: None,
            segments: vec![Segment { from, to: None, ran: true, cause: None }],
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
    fn start_paused(self, cause: PauseCause) -> Self {
        Self {
            due_at: None,
            warn_at: None,
            left_micros: Some(self.total_micros),
            segments: vec![Segment { from: self.started_at, to: None, ran: false, cause: Some(cause) }],
            ..self
        }
    }

    /// The same promise taken up again, after the complaint was withdrawn, joined or passed on in between.
    fn again(&self, instance: u32) -> Self {
        let segments = vec![Segment { from: self.started_at, to: None, ran: true, cause: None }];
        Self { instance, ended: None, segments, ..self.clone() }
    }

    /// The calendar of this policy that it is measured on; `None` for wall time.
    pub fn measured_on<'a>(&self, policy: &'a Policy) -> Option<&'a Calendar> {
        // A calendar that left the policy is followed by the one in force, never by wall time.
        let name = self.calendar.as_deref()?;
        policy.calendars.get(name).or_else(|| policy.calendars.get(&policy.calendar))
    }

    /// When it runs out if nothing holds it up any more from now on: it cannot be earlier.
    pub(crate) fn due_at_the_earliest(&self, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let resumed = |left: u64| after(self.measured_on(policy), now, Duration::from_micros(left));
        self.due_at.or_else(|| self.left_micros.map(resumed))
    }

    /// When as much time as it was given runs out, counted from another instant.
    pub(crate) fn due_from(&self, policy: &Policy, from: DateTime<Utc>) -> DateTime<Utc> {
        let calendar = self.measured_on(policy).cloned().unwrap_or_else(|| policy.working_calendar());
        self.target.due(&calendar, from)
    }

    /// Applies what an entry did to this clock. Holds no rule.
    pub(crate) fn apply(&mut self, change: &ClockChange, at: DateTime<Utc>) {
        match change {
            ClockChange::Started { .. } => {}
            ClockChange::Retargeted { deadline } => *self = Deadline::clone(deadline),
            ClockChange::Paused { left_micros, cause, .. } => {
                self.due_at = None;
                self.warn_at = None;
                self.left_micros = Some(*left_micros);
                self.turn(at, false, *cause);
            }
            ClockChange::Resumed { since, due_at, warn_at, .. } => {
                self.due_at = Some(*due_at);
                self.warn_at = Some(*warn_at);
                self.left_micros = None;
                self.run_again(*since);
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

    fn run_again(&mut self, since: DateTime<Utc>) {
        // A pause that did not last leaves no trace.
        self.segments.pop_if(|last| last.from == since);
        match self.segments.last_mut().filter(|last| last.ran) {
            Some(last) => last.to = None,
            None => self.turn(since, true, None),
        }
    }

    fn turn(&mut self, at: DateTime<Utc>, ran: bool, cause: Option<PauseCause>) {
        if let Some(last) = self.segments.last_mut() {
            last.to = Some(at);
        }
        self.segments.push(Segment { from: at, to: None, ran, cause });
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
    paused: Option<PauseCause>,
    fixed_due: Option<DateTime<Utc>>,
    /// Of a statutory clock, which promise of the law.
    promise: Option<PromiseKey>,
}

impl Want {
    fn running(instance: u32, target: Option<Span>) -> Self {
        Self { instance, target, paused: None, fixed_due: None, promise: None }
    }
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
    /// Somebody asked for what runs to follow the present policy.
    Rebased,
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
        let (one, several);
        let wants: &[Want] = match clock {
            ClockKind::Statutory => {
                several = wanted_by_law(complaint, policy, now, cause);
                &several
            }
            ClockKind::Remedy => {
                several = wanted_remedies(complaint, policy);
                &several
            }
            _ => {
                one = wanted(complaint, policy, clock);
                one.as_slice()
            }
        };
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
            // A delivery that never arrived is owed again: its day and the time to accept run again.
            let runs_again = matches!(clock, ClockKind::Remedy | ClockKind::AutoClose);
            let known = complaint.deadlines.iter().any(|deadline| {
                deadline.clock == clock
                    && deadline.instance == want.instance
                    && !(runs_again && deadline.ended.is_some())
            });
            if !known {
                let fresh = started(complaint, clock, want, policy, now);
                changes.extend(fresh.map(|deadline| ClockChange::Started { deadline: Arc::new(deadline) }));
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
    if let Some(key) = &want.promise {
        // What the law asks for counts from the receipt, however often the complaint went away and came back.
        let former = of_law(complaint).rev().find(|deadline| promise_of(deadline).key == *key);
        return former.map(|former| former.again(want.instance)).or_else(|| {
            let stated = policy.statutory.get(key)?;
            let received_at = complaint.received_at;
            let day_zero = stated.counts_from(&policy.working_calendar(), received_at);
            let counted = Deadline::counting_from(clock, want.instance, stated.within, policy, received_at, day_zero);
            Some(Deadline { promise: Some(stated.stamped(key)), ..counted })
        });
    }
    // What we promise ourselves is promised with the receipt, and anew when it comes back: nobody could work on it in between.
    let deadline = Deadline::start(clock, want.instance, want.target?, policy, now);
    // A window that opens anew takes nothing from the one that is open, whatever the policy says meanwhile.
    let open = complaint.deadline(clock).filter(|_| clock == ClockKind::ContestWindow);
    let longer = open.and_then(|open| open.due_at).filter(|due| Some(*due) > deadline.due_at);
    // The day that was named is no day any more for what is owed again after it.
    let was_owed = complaint.deadlines.iter().any(|it| (it.clock, it.instance) == (clock, want.instance));
    let named = want.fixed_due.filter(|due| !was_owed || *due > now);
    let deadline = match named.or(longer) {
        Some(due) => deadline.start_until(due),
        None => deadline,
    };
    Some(match want.paused {
        None => deadline,
        Some(cause) => deadline.start_paused(cause),
    })
}

fn adjustment(
    complaint: &Complaint,
    deadline: &Deadline,
    want: &Want,
    policy: &Policy,
    now: DateTime<Utc>,
    cause: ClockCause,
) -> Option<ClockChange> {
    if want.fixed_due.is_none()
        && deadline.missed_at.is_none()
        && let Some(moved) = repromised(complaint, deadline, want, policy, now, cause)
    {
        return Some(ClockChange::Retargeted { deadline: Arc::new(moved) });
    }
    let (clock, instance) = (deadline.clock, deadline.instance);
    let calendar = || deadline.measured_on(policy);
    match (deadline.due_at, deadline.left_micros, want.paused) {
        // What was broken before the pause stays broken, and since when. The time to accept breaks nothing when it ends; were it
        // left due, what stands in the way of closing would be asked about at every sweep.
        (Some(due_at), _, Some(_))
            if deadline.missed_at.is_some() || (due_at <= now && clock != ClockKind::AutoClose) =>
        {
            None
        }
        (Some(due_at), _, Some(cause)) => Some(ClockChange::Paused {
            clock,
            instance,
            left_micros: micros(length(calendar(), now, due_at)),
            cause: Some(cause),
        }),
        (None, Some(left), None) => {
            let left = Duration::from_micros(left);
            let total = Duration::from_micros(deadline.total_micros);
            let since = end_of_pause(deadline, calendar(), now);
            Some(ClockChange::Resumed {
                clock,
                instance,
                since,
                due_at: after(calendar(), since, left),
                warn_at: warnings(calendar(), since, left, total),
            })
        }
        _ => None,
    }
}

/// Until when a pause that is over now counts: whole minutes of it. See [`ClockChange::Resumed`].
fn end_of_pause(deadline: &Deadline, calendar: Option<&Calendar>, now: DateTime<Utc>) -> DateTime<Utc> {
    let paused_at = deadline.segments.last().map_or(now, |pause| pause.from);
    let lasted = length(calendar, paused_at, now);
    let minutes = Duration::from_secs(lasted.as_secs() / 60 * 60);
    if minutes == lasted { now } else { after(calendar, paused_at, minutes) }
}

/// The clock as it is promised now, where the cause makes that differ from what it was started with.
fn repromised(
    complaint: &Complaint,
    deadline: &Deadline,
    want: &Want,
    policy: &Policy,
    now: DateTime<Utc>,
    cause: ClockCause,
) -> Option<Deadline> {
    let is_law = deadline.clock == ClockKind::Statutory;
    let fresh = |target: Span, from: DateTime<Utc>| {
        let stated = want.promise.as_ref().and_then(|key| policy.statutory.get(key));
        let day_zero = stated.map_or(from, |stated| stated.counts_from(&policy.working_calendar(), from));
        let promise = deadline.promise.clone();
        let counted = Deadline::counting_from(deadline.clock, deadline.instance, target, policy, from, day_zero);
        Deadline { promise, ..counted }
    };
    let moved = match cause {
        ClockCause::Moved => None,
        ClockCause::Described => want.target.filter(|target| *target != deadline.target),
        ClockCause::Rebased => want.target,
        // Joining changes the receipt and not the promise, whatever the policy says meanwhile.
        ClockCause::EarlierReceipt => {
            Some(deadline.target).filter(|_| is_law && complaint.received_at < deadline.started_at)
        }
    };
    let from = if is_law { complaint.received_at.min(deadline.started_at) } else { deadline.started_at };
    let moved = fresh(moved?, from);
    let moved = moved.having_been(deadline, policy, now);
    // A warning that lies ahead again will be news again.
    let given = match moved.warn_at {
        Some([early, _]) if now < early => 0,
        Some([_, late]) if now < late => 75,
        _ => 90,
    };
    let moved = Deadline { warned: deadline.warned.min(given), ..moved };
    let allowed = if is_law {
        // A statutory deadline never moves later.
        moved.due_at < deadline.due_at
    } else if deadline.clock.is_time_of_the_customer() && cause == ClockCause::Rebased {
        // Nobody takes time from customers that they were told they have.
        moved.due_at >= deadline.due_at && moved.left_micros >= deadline.left_micros
    } else {
        true
    };
    (allowed && moved != *deadline).then_some(moved)
}

impl Deadline {
    /// This fresh promise after the same stretches of running and pausing as another one has behind it.
    fn having_been(self, other: &Deadline, policy: &Policy, now: DateTime<Utc>) -> Self {
        if other.segments.iter().all(|segment| segment.ran) {
            return self;
        }
        let calendar = self.measured_on(policy);
        let total = Duration::from_micros(self.total_micros);
        let mut left = total;
        let mut due = None;
        for segment in other.segments.iter().filter(|segment| segment.ran) {
            let ran = length(calendar, segment.from, segment.to.unwrap_or(now));
            if segment.to.is_none() || ran >= left {
                due = Some((after(calendar, segment.from, left), warnings(calendar, segment.from, left, total)));
                break;
            }
            left -= ran;
        }
        let segments = other.segments.clone();
        if other.due_at.is_none() {
            let left = if due.is_some() { 0 } else { micros(left) };
            return Self { due_at: None, warn_at: None, left_micros: Some(left), segments, ..self };
        }
        let (due_at, warn_at) = due.unzip();
        Self { due_at, warn_at, segments, ..self }
    }
}

fn wanted(complaint: &Complaint, policy: &Policy, clock: ClockKind) -> Option<Want> {
    if !runs_in(clock).contains(&complaint.status) {
        return None;
    }
    let service = match complaint.status {
        Status::AwaitingCustomer => Some(PauseCause::AwaitingCustomer),
        Status::AwaitingThirdParty if policy.third_party_pauses => Some(PauseCause::AwaitingThirdParty),
        _ => None,
    };
    let again = || times_cancelled(complaint, clock).saturating_add(1);
    let decided = u32::try_from(complaint.resolutions.len()).unwrap_or(u32::MAX);
    let (present, instance, paused) = match clock {
        // Who sent it to where it comes from was told there that it has arrived.
        ClockKind::Acknowledgement => {
            (complaint.acknowledged_at.is_none() && complaint.channel != Channel::Import, again(), None)
        }
        ClockKind::FirstResponse => (complaint.first_response_at.is_none(), again(), service),
        // Contested or opened again, it is to be decided anew, and whoever waits is promised a date again.
        ClockKind::Resolution => (true, again().saturating_add(decided), service),
        ClockKind::Level => (true, complaint.level_entries, service),
        ClockKind::Acceptance => (true, complaint.assignments, None),
        ClockKind::Approval => (true, complaint.proposals, None),
        ClockKind::Silence => (complaint.question.is_some(), complaint.questions, None),
        // Whoever agreed waits for it too where something is still in the way: a remedy, an unread message, the time to object
        // to what staff recorded.
        ClockKind::AutoClose => (
            complaint.resolution().is_some(),
            complaint.decisions,
            if complaint.unread_since.is_some() {
                Some(PauseCause::UnreadMessage)
            } else {
                complaint.outstanding_remedies().next().map(|_| PauseCause::OutstandingRemedy)
            },
        ),
        // It opens anew when a promise of the decision fails: nobody could object to that before.
        ClockKind::ContestWindow => (true, complaint.decisions.saturating_add(complaint.failures()), None),
        // Several of a kind: see below.
        ClockKind::Statutory | ClockKind::Remedy => return None,
    };
    present.then(|| {
        let target = policy.target(clock, &complaint.category, complaint.priority, complaint.level);
        Want { paused, ..Want::running(instance, target) }
    })
}

fn of_law(complaint: &Complaint) -> impl DoubleEndedIterator<Item = &Deadline> {
    complaint.deadlines.iter().map(Arc::as_ref).filter(|deadline| deadline.clock == ClockKind::Statutory)
}

/// The promise of a statutory clock. One that was stored before they had names is the final response.
#[expect(clippy::expect_used, reason = "the key is a constant and a test reads such a row")]
fn promise_of(deadline: &Deadline) -> LegalPromise {
    deadline.promise.clone().unwrap_or_else(|| LegalPromise {
        key: PromiseKey::new("final-response").expect("a key"),
        kept_by: Milestone::Resolution,
        lapses: false,
    })
}

/// Each promise of the law that is still to be kept. What was promised once stays promised: neither another policy nor
/// another description takes it back.
fn wanted_by_law(complaint: &Complaint, policy: &Policy, now: DateTime<Utc>, cause: ClockCause) -> Vec<Want> {
    // Joined to somebody else's, it has nobody but the law to remind us that its customer waits as well.
    let waits_elsewhere = complaint.joined_by_consent && complaint.ended_elsewhere.is_none();
    let applies = runs_in(ClockKind::Statutory).contains(&complaint.status) || waits_elsewhere;
    if !applies || !complaint.resolutions.is_empty() {
        return Vec::new();
    }
    let mut latest: BTreeMap<PromiseKey, (LegalPromise, &Deadline)> = BTreeMap::new();
    for deadline in of_law(complaint) {
        let promise = promise_of(deadline);
        latest.insert(promise.key.clone(), (promise, deadline));
    }
    // A policy that promises more than before does so for new complaints, and for those that are rebased on it.
    let promises_anew = complaint.deadlines.is_empty() || matches!(cause, ClockCause::Described | ClockCause::Rebased);
    let stated: BTreeMap<&PromiseKey, &StatutoryPromise> = if promises_anew {
        policy.promises_for(&complaint.category, complaint.received_at).collect()
    } else {
        BTreeMap::new()
    };
    let mut free = of_law(complaint).map(|deadline| deadline.instance).max().unwrap_or_default();
    let mut next = || {
        free = free.saturating_add(1);
        free
    };
    let mut wants = Vec::new();
    let mut want = |key: &PromiseKey, instance| {
        let target = stated.get(key).map(|promise| promise.within);
        wants.push(Want { promise: Some(key.clone()), ..Want::running(instance, target) });
    };
    for (key, (promise, deadline)) in &latest {
        let has_lapsed = promise.lapses && deadline.due_at.is_some_and(|due| due < now);
        if has_lapsed || is_kept(complaint, promise.kept_by) {
            continue;
        }
        match deadline.ended.map(|ended| ended.how) {
            None => want(key, deadline.instance),
            Some(Ending::Cancelled) => want(key, next()),
            Some(Ending::Met | Ending::Late) => {}
        }
    }
    for (key, promise) in &stated {
        if !latest.contains_key(*key) && !is_kept(complaint, promise.kept_by) {
            want(key, next());
        }
    }
    wants
}

/// What a complaint takes on of that which the law promises for another one, when that is joined to it: no promise is lost,
/// and of one that both have the earlier end holds. An opportunity that the other one had is none of this one.
pub(crate) fn adopted(survivor: &Complaint, joined: &Complaint) -> Vec<ClockChange> {
    // The final response was given: what runs after it is no matter of the law any more, see `wanted_by_law`.
    if !survivor.resolutions.is_empty() {
        return Vec::new();
    }
    let mut free = of_law(survivor).map(|deadline| deadline.instance).max().unwrap_or_default();
    let running = |complaint| of_law(complaint).filter(|deadline| deadline.ended.is_none() && !deadline.lapses());
    let mut changes = Vec::new();
    for theirs in running(joined) {
        let promise = promise_of(theirs);
        if is_kept(survivor, promise.kept_by) {
            continue;
        }
        match running(survivor).find(|own| promise_of(own).key == promise.key) {
            Some(own) if own.due_at <= theirs.due_at => {}
            Some(own) => {
                let deadline = Arc::new(Deadline { instance: own.instance, ..theirs.clone() });
                changes.push(ClockChange::Retargeted { deadline });
            }
            None => {
                free = free.saturating_add(1);
                let deadline = Arc::new(Deadline { instance: free, ..theirs.clone() });
                changes.push(ClockChange::Started { deadline });
            }
        }
    }
    changes
}

fn is_kept(complaint: &Complaint, milestone: Milestone) -> bool {
    let resolved = matches!(complaint.status, Status::Resolved | Status::Closed);
    resolved
        || matches!(complaint.ended_elsewhere, Some(EndElsewhere::Decided(_)))
        || match milestone {
            Milestone::Acknowledgement => complaint.acknowledged_at.is_some() || complaint.channel == Channel::Import,
            Milestone::FirstResponse => complaint.first_response_at.is_some(),
            Milestone::HoldingReply => complaint.awaited.is_some(),
            Milestone::Resolution => false,
        }
}

/// How often a clock fell away: it starts anew when the complaint comes back.
fn times_cancelled(complaint: &Complaint, clock: ClockKind) -> u32 {
    let cancelled = complaint.deadlines.iter().filter(|deadline| {
        deadline.clock == clock && deadline.ended.is_some_and(|ended| ended.how == Ending::Cancelled)
    });
    u32::try_from(cancelled.count()).unwrap_or(u32::MAX)
}

fn wanted_remedies(complaint: &Complaint, policy: &Policy) -> Vec<Want> {
    complaint
        .outstanding_remedies()
        .map(|promise| Want {
            // Promised for a day: kept until that day is over where the organisation is.
            fixed_due: promise.remedy.due_on.map(|day| policy.working_calendar().end_of(day)),
            ..Want::running(promise.number, Some(policy.targets.remedy))
        })
        .collect()
}

/// Whether the promise of a clock that is not wanted any more was kept.
fn ending(complaint: &Complaint, deadline: &Deadline, now: DateTime<Utc>) -> Ending {
    let status = complaint.status;
    let kept = match deadline.clock {
        ClockKind::Acknowledgement => complaint.acknowledged_at.is_some(),
        ClockKind::FirstResponse => complaint.first_response_at.is_some(),
        ClockKind::Resolution => matches!(status, Status::Resolved | Status::Closed),
        ClockKind::Statutory => is_kept(complaint, promise_of(deadline).kept_by),
        ClockKind::Level => !matches!(status, Status::Withdrawn | Status::Merged),
        ClockKind::Acceptance => status == Status::InProgress,
        ClockKind::Approval => matches!(status, Status::Resolved | Status::InProgress),
        ClockKind::Silence => complaint.question.is_none(),
        ClockKind::AutoClose => status != Status::Withdrawn,
        ClockKind::ContestWindow => complaint.resolutions.last().is_some_and(|it| it.contested_at.is_some()),
        ClockKind::Remedy => {
            complaint.remedies.iter().any(|promise| promise.number == deadline.instance && promise.fulfilled.is_some())
        }
    };
    let late = deadline.missed_at.is_some() || deadline.due_at.is_some_and(|due| due < now);
    match (kept, late) {
        (false, _) => Ending::Cancelled,
        (true, true) if deadline.lapses() => Ending::Cancelled,
        (true, false) => Ending::Met,
        (true, true) => Ending::Late,
    }
}

pub(super) fn length(calendar: Option<&Calendar>, from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    match calendar {
        Some(calendar) => calendar.between(from, to),
        None => (to - from).to_std().unwrap_or_default(),
    }
}

pub(super) fn after(calendar: Option<&Calendar>, from: DateTime<Utc>, counted: Duration) -> DateTime<Utc> {
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
