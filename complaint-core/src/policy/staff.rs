//! What does not fit between a policy and the people who work under it.

use std::collections::BTreeSet;

use chrono::DateTime;

use super::Category;
use super::finding::{Code, nearest};
use super::lint::Report;
use crate::agent::Member;
use crate::id::{Area, Level, Skill};
use crate::routing::{Ineligible, Need, Roster};

impl Report<'_> {
    pub(super) fn staff(&mut self, roster: &Roster) {
        let policy = self.policy;
        let enabled: Vec<&Member> = roster.members.iter().filter(|member| member.agent.enabled).collect();
        let levels: Vec<Level> = (1..=policy.last_level().get()).filter_map(|number| Level::new(number).ok()).collect();
        for (at, level) in levels.iter().enumerate() {
            if !enabled.iter().any(|member| member.agent.level == *level) {
                self.push(
                    Code::LevelUnstaffed,
                    format!("levels.{at}"),
                    format!("no agent works at level {level} ({})", policy.level_name(*level)),
                    "enrol one, or shorten the ladder",
                );
            }
        }
        if policy.four_eyes {
            self.second_persons(&levels, &enabled);
        }
        for (at, category) in policy.categories.iter().enumerate().filter(|(_, category)| category.active) {
            self.skills(at, category, &levels, &enabled, roster);
        }
        for name in policy.calendars.keys().filter(|name| **name != policy.calendar) {
            if !roster.members.iter().any(|member| member.agent.shift.as_ref() == Some(name)) {
                self.push(
                    Code::CalendarUnused,
                    format!("calendars.{name}"),
                    "it is neither the calendar of the house nor the shift of an agent",
                    "name it in `calendar` or for a shift, or leave it out",
                );
            }
        }
        for member in &enabled {
            self.reporting_line(member, roster);
        }
    }

    /// Whoever approves is of the level or above it, no agent of the first level, and not the proposer.
    fn second_persons(&mut self, levels: &[Level], enabled: &[&Member]) {
        for (at, level) in levels.iter().enumerate() {
            let proposers = enabled.iter().filter(|member| member.agent.level == *level).count();
            let approvers =
                enabled.iter().filter(|it| it.agent.level >= *level && it.agent.level > Level::FIRST).count();
            let proposer_is_one = usize::from(*level > Level::FIRST);
            if proposers > 0 && approvers <= proposer_is_one {
                self.push(
                    Code::NobodyApproves,
                    format!("levels.{at}"),
                    format!(
                        "every decision needs a second person, and at level {level} ({}) or above there is no other one",
                        self.policy.level_name(*level)
                    ),
                    "enrol another agent there, or leave out `four_eyes`",
                );
            }
        }
    }

    fn skills(&mut self, at: usize, category: &Category, levels: &[Level], enabled: &[&Member], roster: &Roster) {
        let policy = self.policy;
        let mut misspelt = false;
        for skill in category.needed_skills() {
            let known: BTreeSet<&str> =
                enabled.iter().flat_map(|member| &member.agent.skills).map(Skill::as_str).collect();
            if !known.contains(skill.as_str())
                && let Some(meant) = nearest(skill.as_str(), known)
            {
                misspelt = true;
                let field = if category.skills.is_some() { "skills" } else { "key" };
                self.push(
                    Code::LikelyTypo,
                    format!("categories.{at}.{field}"),
                    format!("nobody has the skill `{skill}`, and some have `{meant}`"),
                    format!("write `{meant}`, here or there"),
                );
            }
        }
        if let Some(area) = &category.area {
            let known: BTreeSet<&str> =
                enabled.iter().flat_map(|member| &member.agent.areas).map(Area::as_str).collect();
            if !known.contains(area.as_str())
                && let Some(meant) = nearest(area.as_str(), known)
            {
                misspelt = true;
                self.push(
                    Code::LikelyTypo,
                    format!("categories.{at}.area"),
                    format!("nobody serves `{area}`, and some serve `{meant}`"),
                    format!("write `{meant}`, here or there"),
                );
            }
        }
        if misspelt {
            return;
        }
        let without: Vec<String> = levels
            .iter()
            .filter(|level| enabled.iter().any(|member| member.agent.level == **level))
            .filter(|level| !enabled.iter().any(|member| could_take(roster, member, category, **level)))
            .map(|level| format!("{level} ({})", policy.level_name(*level)))
            .collect();
        if !without.is_empty() {
            let skills: Vec<String> = category.needed_skills().iter().map(ToString::to_string).collect();
            let needs = match &category.area {
                Some(area) => format!("skills {}, area {area}, weight {}", skills.join(", "), category.weight),
                None => format!("skills {}, weight {}", skills.join(", "), category.weight),
            };
            self.push(
                Code::CategoryUnskilled,
                format!("categories.{at}"),
                format!("nobody at level {} can be given `{}`: {needs}", without.join(", "), category.key),
                "give an agent there the skills, the area and the capacity, or ask for less",
            );
        }
    }

    fn reporting_line(&mut self, member: &Member, roster: &Roster) {
        let (agent, policy) = (&member.agent, self.policy);
        let at = format!("agents.{}", agent.id);
        if agent.level > policy.last_level() {
            self.push(
                Code::AgentBeyondLadder,
                format!("{at}.level"),
                format!("{} is of level {}, and the ladder ends at {}", agent.name, agent.level, policy.last_level()),
                "choose a level of the ladder",
            );
        }
        let Some(superior) = agent.reports_to.as_ref().filter(|_| agent.level < policy.last_level()) else { return };
        let above = agent.level.above();
        let why = match roster.member(superior) {
            None => "is no agent".to_owned(),
            Some(known) if !known.agent.enabled => "is disabled".to_owned(),
            Some(known) if known.agent.level != above => format!("is of level {}, not {above}", known.agent.level),
            Some(_) => return,
        };
        self.push(
            Code::SuperiorOutOfReach,
            format!("{at}.reports_to"),
            format!("{}'s escalations go to level {above}, and their superior `{superior}` {why}", agent.name),
            "name somebody of the level above, or nobody, so that the router chooses",
        );
    }
}

/// Whether an agent with nothing else to do could be given a complaint of a category.
fn could_take(roster: &Roster, member: &Member, category: &Category, level: Level) -> bool {
    let need = Need {
        skills: category.needed_skills(),
        area: category.area.clone(),
        weight: category.weight,
        ..Need::at(level)
    };
    let idle = Member { agent: member.agent.clone(), workload: 0, last_assigned_at: None };
    // Absence passes, and so does a shift; what is looked for here does not.
    let passes = |reason: &Ineligible| matches!(reason, Ineligible::Absent { .. } | Ineligible::OffShift { .. });
    roster.eligibility(&need, &idle, DateTime::UNIX_EPOCH).iter().all(passes)
}
