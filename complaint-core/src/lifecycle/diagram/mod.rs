//! The lifecycle, printed: for programs and for people.

pub(crate) mod moves;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{CommandName, LevelChange, Status, TABLE, To, Who, permitted};
use crate::deadline::ClockKind;
use crate::policy::Policy;

/// The lifecycle under a policy, for printing.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle<'a> {
    policy: &'a Policy,
}

impl<'a> Lifecycle<'a> {
    /// The lifecycle as this policy configures it.
    pub fn of(policy: &'a Policy) -> Self {
        Self { policy }
    }

    /// Statuses, commands with their guards and fields, levels and clocks, as JSON.
    pub fn to_json(&self) -> Value {
        let statuses: Vec<Value> = Status::ALL
            .into_iter()
            .map(|status| {
                json!({
                    "name": status.name(),
                    "label": status.label(),
                    "open": status.is_open(),
                    "end": status.is_end(),
                })
            })
            .collect();
        let commands: Vec<Value> = TABLE
            .iter()
            .map(|rule| {
                let guards = |guards: &[super::Guard]| -> Vec<Value> {
                    guards.iter().map(|guard| json!({ "name": guard.name(), "meaning": guard.meaning() })).collect()
                };
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
                    "level": match rule.level { LevelChange::Kept => 0, LevelChange::Up => 1, LevelChange::Down => -1 },
                    "who": who,
                    "guards": guards(rule.guards),
                    "fields": fields,
                    "effect": rule.effect,
                })
            })
            .collect();
        let levels: Vec<Value> = self
            .policy
            .levels
            .iter()
            .enumerate()
            .map(|(at, level)| json!({ "level": at + 1, "name": level.name, "target": level.target, "authority": level.authority }))
            .collect();
        let targets = &self.policy.targets;
        let clocks: Vec<Value> = ClockKind::ALL
            .into_iter()
            .map(|clock| {
                let target = match clock {
                    ClockKind::Acknowledgement => Some(targets.acknowledgement),
                    ClockKind::FirstResponse => Some(targets.first_response),
                    ClockKind::Resolution => Some(targets.resolution),
                    ClockKind::Acceptance => Some(targets.acceptance),
                    ClockKind::Approval => Some(targets.approval),
                    ClockKind::Silence => Some(targets.silence),
                    ClockKind::AutoClose => Some(targets.auto_close),
                    ClockKind::ContestWindow => Some(targets.contest_window),
                    ClockKind::Remedy => Some(targets.remedy),
                    ClockKind::Statutory => targets.statutory,
                    ClockKind::Level => None,
                };
                json!({ "name": clock.name(), "label": clock.label(), "target": target })
            })
            .collect();
        json!({
            "policy": { "name": self.policy.name, "version": self.policy.version },
            "statuses": statuses,
            "commands": commands,
            "levels": levels,
            "clocks": clocks,
        })
    }

    /// A Mermaid state diagram: every change of status, with the commands that make it and, where the policy sets
    /// one, its window or limit.
    pub fn to_mermaid(&self) -> String {
        let mut chart = String::from("stateDiagram-v2\n");
        for status in Status::ALL {
            let _ = writeln!(chart, "    {} : {}", status.name(), status.label());
        }
        let _ = writeln!(chart, "    [*] --> {} : submit", Status::Queued.name());
        for from in Status::ALL {
            for to in Status::ALL.into_iter().filter(|to| *to != from) {
                let commands: Vec<String> = TABLE
                    .iter()
                    .filter(|rule| rule.from.contains(&from) && rule.to.contains(&To::Status(to)))
                    .map(|rule| self.edge(rule.command, permitted(rule).eq([Who::System])))
                    .collect();
                if !commands.is_empty() {
                    let _ = writeln!(chart, "    {} --> {} : {}", from.name(), to.name(), commands.join(" / "));
                }
            }
        }
        for end in Status::ALL.into_iter().filter(|status| status.is_end()) {
            let _ = writeln!(chart, "    {} --> [*]", end.name());
        }
        chart
    }

    fn edge(self, command: CommandName, by_clock_only: bool) -> String {
        let targets = &self.policy.targets;
        let note = match command {
            CommandName::Contest => Some(format!("within {}", targets.contest_window)),
            CommandName::Close => Some(format!("after {}", targets.auto_close)),
            CommandName::Reinstate => Some(format!("within {}", self.policy.reinstate_window)),
            CommandName::Escalate => Some(format!("to level {} at most", self.policy.levels.len())),
            _ => None,
        };
        let name = command.name();
        match (note, by_clock_only) {
            (Some(note), _) => format!("{name} ({note})"),
            (None, true) => format!("{name} (clock)"),
            (None, false) => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_draws_every_change_of_status_of_the_table() {
        let policy = Policy::standard();
        let chart = Lifecycle::of(&policy).to_mermaid();
        for rule in TABLE {
            for from in rule.from {
                for to in rule.to {
                    if let To::Status(to) = to
                        && to != from
                    {
                        let line = chart
                            .lines()
                            .find(|line| line.trim().starts_with(&format!("{} --> {} :", from.name(), to.name())))
                            .unwrap_or_else(|| panic!("no edge {from} --> {to}"));
                        assert!(line.contains(rule.command.name()), "{line} lacks {}", rule.command);
                    }
                }
            }
        }
        assert!(chart.contains("contest (within 30 days)"));
    }

    #[test]
    fn the_json_has_every_status_command_and_clock() {
        let policy = Policy::standard();
        let json = Lifecycle::of(&policy).to_json();
        assert_eq!(json["statuses"].as_array().unwrap().len(), Status::ALL.len());
        assert_eq!(json["commands"].as_array().unwrap().len(), CommandName::ALL.len());
        assert_eq!(json["clocks"].as_array().unwrap().len(), ClockKind::ALL.len());
        assert_eq!(json["levels"][2]["name"], "Manager");
    }
}
