//! The lifecycle, printed: for programs and for people.

pub(crate) mod moves;
mod svg;
mod text;
mod trail;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{LevelChange, Status, TABLE, To, Who};
use crate::deadline::{ClockKind, at_its_end, runs_in};
use crate::policy::Policy;
use moves::Move;

pub use svg::SvgOptions;
pub use trail::{Trail, Visit};

/// The lifecycle under a policy, for printing. Everything that is drawn is what this policy leaves possible, with its
/// levels, limits and windows; the same policy always gives the same bytes.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::lifecycle::{Lifecycle, SvgOptions};
///
/// let policy = Policy::standard();
/// let lifecycle = Lifecycle::of(&policy);
/// assert!(lifecycle.to_mermaid().contains("contest (within 30 days)"));
/// assert!(lifecycle.to_dot().starts_with("digraph lifecycle {"));
/// let page = lifecycle.to_svg(&SvgOptions::default().embedded().linking("/complaints?status={status}"));
/// assert!(page.contains("id=\"status-queued\""));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle<'a> {
    policy: &'a Policy,
}

impl<'a> Lifecycle<'a> {
    /// The lifecycle as this policy configures it.
    pub fn of(policy: &'a Policy) -> Self {
        Self { policy }
    }

    /// As JSON. From the table alone: `statuses` and `commands` with their guards and fields. As configured: `levels`
    /// with limits by priority and authority, `clocks` with their targets (by priority and category where they
    /// differ), where they run and what their end asks for, `windows`, and `changes`, each change of status that
    /// somebody can make with its limit; `closed` are those that nobody can make under this policy, with the reason.
    /// Spans are texts such as `8 working hours`.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::lifecycle::Lifecycle;
    ///
    /// let policy = Policy::standard();
    /// let lifecycle = Lifecycle::of(&policy).to_json();
    /// assert_eq!(lifecycle["levels"][0]["target"], "5 working days");
    /// assert_eq!(lifecycle["commands"][0]["name"], "submit");
    /// ```
    pub fn to_json(&self) -> Value {
        let possible = self.moves();
        let closed = moves::moves(self.policy, None).into_iter().filter(|it| !it.is_possible());
        json!({
            "policy": { "name": self.policy.name, "version": self.policy.version },
            "statuses": statuses(),
            "commands": commands(),
            "levels": self.levels(),
            "clocks": self.clocks(),
            "windows": { "reinstate": self.policy.reinstate_window, "rating": self.policy.rating_window },
            "statutory": self.policy.statutory,
            "changes": possible.iter().map(|it| self.change(it)).collect::<Vec<_>>(),
            "closed": closed.map(|it| closed_change(&it)).collect::<Vec<_>>(),
        })
    }

    fn moves(self) -> Vec<Move> {
        moves::possible(self.policy)
    }

    fn levels(self) -> Vec<Value> {
        let levels = self.policy.levels.iter().enumerate();
        levels
            .map(|(at, level)| {
                json!({
                    "level": at + 1,
                    "name": level.name,
                    "target": level.target,
                    "priorities": level.priorities,
                    "authority": level.authority,
                })
            })
            .collect()
    }

    fn clocks(self) -> Vec<Value> {
        let policy = self.policy;
        let clock = |clock: ClockKind| {
            let by_priority: BTreeMap<&str, _> = policy
                .priorities
                .iter()
                .filter_map(|(priority, targets)| Some((priority.name(), targets.of(clock)?)))
                .collect();
            let by_category: BTreeMap<&str, _> = policy
                .categories
                .iter()
                .filter_map(|category| Some((category.key.as_str(), category.targets.of(clock)?)))
                .collect();
            json!({
                "name": clock.name(),
                "label": clock.label(),
                "target": policy.targets.of(clock),
                "priorities": by_priority,
                "categories": by_category,
                "runs_in": runs_in(clock).iter().map(|status| status.name()).collect::<Vec<_>>(),
                "asks_for": at_its_end(clock).map(super::CommandName::name),
            })
        };
        ClockKind::ALL.into_iter().map(clock).collect()
    }

    fn change(self, it: &Move) -> Value {
        json!({
            "command": it.command.name(),
            "from": it.from.name(),
            "to": it.to.name(),
            "level": steps(it.level),
            "who": it.by.iter().map(|who| who.label()).collect::<Vec<_>>(),
            "limit": it.limit(self.policy),
        })
    }
}

fn steps(change: LevelChange) -> i8 {
    match change {
        LevelChange::Kept => 0,
        LevelChange::Up => 1,
        LevelChange::Down => -1,
    }
}

fn closed_change(it: &Move) -> Value {
    let why = |(who, guard): &(Who, Option<super::Guard>)| json!({ "role": who.label(), "guard": guard.map(super::Guard::name) });
    json!({
        "command": it.command.name(),
        "from": it.from.name(),
        "to": it.to.name(),
        "barred": it.barred.iter().map(why).collect::<Vec<_>>(),
    })
}

fn statuses() -> Vec<Value> {
    let status = |status: Status| {
        json!({
            "name": status.name(),
            "label": status.label(),
            "open": status.is_open(),
            "end": status.is_end(),
        })
    };
    Status::ALL.into_iter().map(status).collect()
}

fn commands() -> Vec<Value> {
    let guards = |guards: &[super::Guard]| -> Vec<Value> {
        guards.iter().map(|guard| json!({ "name": guard.name(), "meaning": guard.meaning() })).collect()
    };
    TABLE
        .iter()
        .map(|rule| {
            let to: Vec<&str> = rule
                .to
                .iter()
                .map(|to| match to {
                    To::Same => "same",
                    To::Status(status) | To::New(status) => status.name(),
                })
                .collect();
            let who: Vec<Value> = rule
                .permits
                .iter()
                .map(|permit| json!({ "role": permit.who.label(), "guards": guards(permit.guards) }))
                .collect();
            let fields: Vec<Value> = rule
                .command
                .fields()
                .iter()
                .map(|field| json!({ "name": field.name(), "label": field.label(), "required": field.is_required() }))
                .collect();
            json!({
                "name": rule.command.name(),
                "label": rule.command.label(),
                "from": rule.from.iter().map(|status| status.name()).collect::<Vec<_>>(),
                "to": to,
                "new_complaint": rule.to.iter().any(|to| matches!(to, To::New(_))),
                "level": steps(rule.level),
                "who": who,
                "guards": guards(rule.guards),
                "fields": fields,
                "effect": rule.effect,
            })
        })
        .collect()
}
