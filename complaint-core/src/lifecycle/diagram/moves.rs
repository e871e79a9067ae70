//! Which changes of status a policy leaves possible, and what it says about each: what the charts draw and the
//! linter walks.

use crate::id::Level;
use crate::lifecycle::{CommandName, Guard, LevelChange, Rule, Status, TABLE, To, Who};
use crate::policy::{LevelPolicy, Policy};

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
    pub(crate) fn is_possible(&self) -> bool {
        !self.by.is_empty()
    }

    /// The limit or window that the policy sets for it.
    pub(crate) fn limit(&self, policy: &Policy) -> Option<String> {
        let targets = &policy.targets;
        Some(match (self.command, self.from) {
            (CommandName::Begin, _) => format!("within {}", targets.acceptance),
            // At the last level it stays with whoever has it.
            (CommandName::Release, Status::Assigned) if policy.levels.len() > 1 => {
                format!("when not begun in {}", targets.acceptance)
            }
            (CommandName::Ask, _) => "clocks pause".to_owned(),
            (CommandName::Answer, _) => format!("within {}", targets.silence),
            (CommandName::Hold, _) if policy.third_party_pauses => "clocks pause".to_owned(),
            (CommandName::Hold, _) => "clocks run on".to_owned(),
            (CommandName::Propose, _) if policy.four_eyes => "always: four eyes".to_owned(),
            (CommandName::Propose, _) => "over own authority".to_owned(),
            (CommandName::Approve, _) => format!("within {}", targets.approval),
            (CommandName::Resolve, _) => match policy.final_response() {
                Some((_, law)) => format!("within {}, by law {}", targets.resolution, law.within),
                None => format!("within {}", targets.resolution),
            },
            (CommandName::Escalate, _) => format!("to level {} at most", policy.levels.len()),
            (CommandName::Contest, _) if policy.levels.len() < 2 => {
                format!("within {}, with new evidence", targets.contest_window)
            }
            (CommandName::Contest, _) => format!("within {}", targets.contest_window),
            (CommandName::Close, _) => format!("after {}", targets.auto_close),
            (CommandName::FulfilRemedy, _) => format!("within {}", targets.remedy),
            (CommandName::Reinstate, _) => format!("within {}", policy.reinstate_window),
            _ => return None,
        })
    }

    /// The command with its limit.
    pub(crate) fn label(&self, policy: &Policy) -> String {
        match self.limit(policy) {
            Some(limit) => format!("{} ({limit})", self.command.name()),
            None => self.command.name().to_owned(),
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

/// Those that somebody can make in a complaint that gets there.
pub(crate) fn possible(policy: &Policy) -> Vec<Move> {
    let mut moves = moves(policy, None);
    moves.retain(Move::is_possible);
    let mut reached = vec![START];
    let mut at = 0;
    while let Some(status) = reached.get(at).copied() {
        let next = moves.iter().filter(|it| it.from == status).map(|it| it.to);
        let next: Vec<Status> = next.filter(|status| !reached.contains(status)).collect();
        for status in next {
            if !reached.contains(&status) {
                reached.push(status);
            }
        }
        at += 1;
    }
    moves.retain(|it| reached.contains(&it.from));
    moves
}

/// Where submitting leads.
pub(crate) const START: Status = Status::Queued;

/// Whether a command leads from one status to another. Three rows of the table name a status that is entered from
/// some of their own statuses only: the rest stay where they are.
fn leads(rule: &Rule, from: Status, to: Status) -> bool {
    rule.to.contains(&To::Status(to))
        && match rule.command {
            CommandName::Reassign => from == Status::InProgress,
            CommandName::Answer | CommandName::Post => from == Status::AwaitingCustomer,
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

/// What the policy says about receipt, for the arrow that begins everything.
pub(crate) fn receipt(policy: &Policy) -> String {
    if policy.acknowledge_at_once {
        "acknowledged at once".to_owned()
    } else {
        format!("acknowledged within {}", policy.targets.acknowledgement)
    }
}

/// How long a complaint may stay at a level, the usual time first, then by falling urgency.
pub(crate) fn stay(level: &LevelPolicy) -> String {
    let own = level.priorities.iter().rev().map(|(priority, span)| format!("{} {span}", priority.name()));
    [level.target.to_string()].into_iter().chain(own).collect::<Vec<_>>().join(", ")
}

/// What an agent of a level may decide alone.
pub(crate) fn authority(level: &LevelPolicy) -> String {
    match level.authority.as_deref() {
        None => "decides any amount".to_owned(),
        Some([]) => "decides no amount".to_owned(),
        Some(limits) => {
            let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
            format!("decides up to {}", limits.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_can_be_left_upward_unless_it_is_the_last_and_downward_unless_it_is_the_first() {
        let policy = Policy::standard();
        let (first, last) = (Level::FIRST, policy.last_level());
        let can = |command: CommandName, at: Level| {
            let all = moves(&policy, Some(at));
            all.iter().any(|it| it.command == command && it.is_possible())
        };
        for (at, up, down) in [(first, true, false), (first.above(), true, true), (last, false, true)] {
            assert_eq!((can(CommandName::Escalate, at), can(CommandName::HandBack, at)), (up, down), "level {at}");
        }
    }
}
