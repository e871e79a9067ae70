//! Categories and agents.

use chrono::{DateTime, Utc};
use complaint_core::agent::Member;
use complaint_core::policy::Category;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Lens, Part, Person};

/// A category as it can be chosen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CategoryView {
    key: String,
    name: String,
    description: String,
    questions: Vec<QuestionView>,
    /// Staff only.
    #[serde(flatten)]
    #[schema(value_type = RulesPart, inline)]
    rules: Option<CategoryRules>,
}

/// A question of a category.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QuestionView {
    key: String,
    label: String,
    required: bool,
}

type RulesPart = Part<CategoryRules>;

/// What a category does.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CategoryRules {
    active: bool,
    skills: Vec<String>,
    #[schema(value_type = String)]
    priority: complaint_core::complaint::Priority,
    weight: u32,
    area: Option<String>,
    #[schema(value_type = Object)]
    targets: Value,
}

/// An agent with what they hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgentView {
    pub(in crate::api) id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    level: u8,
    level_name: String,
    skills: Vec<String>,
    areas: Vec<String>,
    languages: Vec<String>,
    capacity: u32,
    workload: u32,
    /// Whether they can be given work now.
    available: bool,
    enabled: bool,
    absence: Option<AbsenceView>,
    reports_to: Option<Person>,
    last_assigned_at: Option<DateTime<Utc>>,
}

/// A stretch of absence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AbsenceView {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Lens {
    /// An agent with what they hold.
    pub fn agent(&self, member: &Member, account: Option<(&str, Option<&str>)>, now: DateTime<Utc>) -> AgentView {
        let agent = &member.agent;
        AgentView {
            id: agent.id.to_string(),
            name: agent.name.clone(),
            email: account.map(|(email, _)| email.to_owned()),
            phone: account.and_then(|(_, phone)| phone).map(str::to_owned),
            level: agent.level.get(),
            level_name: self.policy.level_name(agent.level).to_owned(),
            skills: agent.skills.iter().map(ToString::to_string).collect(),
            areas: agent.areas.iter().map(ToString::to_string).collect(),
            languages: agent.languages.iter().map(ToString::to_string).collect(),
            capacity: agent.capacity,
            workload: member.workload,
            available: agent.is_available(now),
            enabled: agent.enabled,
            absence: agent.absence.map(|absence| AbsenceView { from: absence.from, until: absence.until }),
            reports_to: agent.reports_to.as_ref().map(|superior| self.person(superior)),
            last_assigned_at: member.last_assigned_at,
        }
    }
}

/// A category; its rules are for staff.
pub fn category(category: &Category, with_rules: bool) -> CategoryView {
    CategoryView {
        key: category.key.to_string(),
        name: category.name.clone(),
        description: category.description.clone(),
        questions: category
            .questions
            .iter()
            .map(|question| QuestionView {
                key: question.key.clone(),
                label: question.label.clone(),
                required: question.required,
            })
            .collect(),
        rules: with_rules.then(|| CategoryRules {
            active: category.active,
            skills: category.needed_skills().iter().map(ToString::to_string).collect(),
            priority: category.priority,
            weight: category.weight,
            area: category.area.as_ref().map(ToString::to_string),
            targets: json!(category.targets),
        }),
    }
}
