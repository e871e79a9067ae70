//! Which changes of status a policy leaves possible, and what it says about each: what the charts draw and the
//! linter walks.

use crate::deadline::ClockKind;
use crate::id::Level;
use crate::lifecycle::{CommandName, Guard, LevelChange, Rule, Status, TABLE, To, Who};
use crate::policy::Policy;

/// One command from one status to one other, under a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) command: CommandName,
    pub(crate) from: Status,
    pub(crate) to: Status,
    pub(crate) level: LevelChange,
    /// Who can make it.
    pub(crate) by: Vec<Who>,
    /// Who could by the table, and the guard that this policy never lets them pass; `None` where it has no such role.
    pub(crate) barred: Vec<(Who, Option<Guard>)>,
}

impl Move {
    /// Whether the system alone makes it.
    pub(crate) fn by_system_only(&self) -> bool {
        self.by == [Who::System]
    }

    /// The limit or window that the policy sets for it.
    pub(crate) fn limit(&self, policy: &Policy) -> Option<String> {
        let targets = &policy.targets;
        Some(match (self.command, self.from) {
            (CommandName::Begin, _) => format!("within {}", targets.acceptance),
            (CommandName::Release, Status::Assigned) => format!("when not begun in {}", targets.acceptance),
            (CommandName::Ask, _) => "clocks pause".to_owned(),
            (CommandName::Answer, _) => format!("within {}", targets.silence),
            (CommandName::Hold, _) if policy.third_party_pauses => "clocks pause".to_owned(),
            (CommandName::Hold, _) => "clocks run on".to_owned(),
            (CommandName::Propose, _) if policy.four_eyes => "always: four eyes".to_owned(),
            (CommandName::Propose, _) => "over own authority".to_owned(),
            (CommandName::Approve, _) => format!("within {}", targets.approval),
            (CommandName::Resolve, _) => format!("within {}", targets.resolution),
            (CommandName::Escalate, _) => format!("to level {} at most", policy.levels.len()),
            (CommandName::Contest, _) => format!("within {}", targets.contest_window),
            (CommandName::Close, _) => format!("after {}", targets.auto_close),
            (CommandName::FulfilRemedy, _) => format!("within {}", targets.remedy),
            (CommandName::Reinstate, _) => format!("within {}", policy.reinstate_window),
            _ => return None,
        })
    }

    /// The command with its limit, and a mark where only the system gives it.
    pub(crate) fn label(&self, policy: &Policy) -> String {
        let name = self.command.name();
        match self.limit(policy) {
            Some(limit) => format!("{name} ({limit})"),
            None if self.by_system_only() => format!("{name} (clock)"),
            None => name.to_owned(),
        }
    }
}

/// Every change of status of the table under a policy, in the order of the table; at one level, or at any of the
/// ladder. Those that nobody can make are among them, with the reasons.
pub(crate) fn moves(policy: &Policy, at: Option<Level>) -> Vec<Move> {
    let mut moves = Vec::new();
    for rule in TABLE {
        for from in rule.from {
            for to in Status::ALL.into_iter().filter(|to| to != from && leads(rule, *from, *to)) {
                let (by, barred) = who(rule, policy, at);
                moves.push(Move { command: rule.command, from: *from, to, level: rule.level, by, barred });
            }
        }
    }
    moves
}

/// Where submitting leads.
pub(crate) const START: Status = Status::Queued;

/// Whether a command leads from one status to another. Two rows of the table name a status that is entered from
/// some of their own statuses only: the rest stay where they are.
fn leads(rule: &Rule, from: Status, to: Status) -> bool {
    rule.to.contains(&To::Status(to))
        && match rule.command {
            CommandName::Reassign => from == Status::InProgress,
            CommandName::Post => from == Status::AwaitingCustomer,
            _ => true,
        }
}

type Barred = Vec<(Who, Option<Guard>)>;

fn who(rule: &Rule, policy: &Policy, at: Option<Level>) -> (Vec<Who>, Barred) {
    let (mut by, mut barred) = (Vec::new(), Vec::new());
    for permit in rule.permits {
        let guards = permit.guards.iter().chain(rule.guards);
        let never = guards.copied().find(|guard| never_holds(*guard, policy, at));
        match never {
            // "supervisor+" is any level above the first.
            _ if permit.who == Who::Supervisor && policy.levels.len() < 2 => barred.push((permit.who, None)),
            Some(guard) => barred.push((permit.who, Some(guard))),
            None => by.push(permit.who),
        }
    }
    (by, barred)
}

/// Whether a policy lets nobody pass a guard, whatever happens.
fn never_holds(guard: Guard, policy: &Policy, at: Option<Level>) -> bool {
    let single = policy.levels.len() < 2;
    match guard {
        Guard::TakingAllowed => !policy.agents_may_take,
        Guard::DismissingAllowed => !policy.agents_may_dismiss,
        Guard::NoSecondPersonNeeded => policy.four_eyes,
        Guard::BelowLastLevel => single || at.is_some_and(|level| level >= policy.last_level()),
        Guard::AboveFirstLevel => single || at == Some(Level::FIRST),
        _ => false,
    }
}

/// The statuses in which a clock may run, and the commands that stop it there without a change of status.
pub(crate) fn runs(clock: ClockKind) -> (&'static [Status], &'static [CommandName]) {
    use CommandName as C;
    match clock {
        ClockKind::Acknowledgement => (&Status::OPEN, &[C::Acknowledge]),
        ClockKind::FirstResponse => (&Status::OPEN, &[C::Post, C::Ask]),
        ClockKind::Resolution | ClockKind::Statutory | ClockKind::Level => (&Status::OPEN, &[]),
        ClockKind::Acceptance => (&[Status::Assigned], &[]),
        ClockKind::Approval => (&[Status::PendingApproval], &[]),
        ClockKind::Silence => (&[Status::AwaitingCustomer], &[]),
        ClockKind::AutoClose => (&[Status::Resolved], &[C::Accept]),
        ClockKind::ContestWindow => (&[Status::Resolved, Status::Closed, Status::Dismissed], &[]),
        // A complaint is not closed while a remedy is owed.
        ClockKind::Remedy => (&[Status::Resolved], &[C::FulfilRemedy]),
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
