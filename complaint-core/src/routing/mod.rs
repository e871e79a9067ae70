//! Who gets a complaint, and why.

mod route;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::agent::Member;
use crate::complaint::Complaint;
use crate::id::{AgentId, Area, Language, Level, Skill};

pub(crate) use route::route_by_hand;
pub use route::{eligibility, route};

/// What a complaint asks of its handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The level it is at.
    pub level: Level,
    /// What the handler must know.
    pub skills: BTreeSet<Skill>,
    /// Where it belongs.
    pub area: Option<Area>,
    /// The customer's language.
    pub language: Option<Language>,
    /// What it adds to a workload.
    pub weight: u32,
    /// Who may not get it, with the reason.
    pub excluded: Vec<(AgentId, Ineligible)>,
    /// The superior of the last handler, preferred when eligible.
    pub preferred: Option<AgentId>,
}

/// The agents there are, with what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// Every agent of the host.
    pub members: Vec<Member>,
}

/// Why an agent cannot be given a complaint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Ineligible {
    /// Disabled.
    Disabled,
    /// Absent.
    Absent {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Works at another level.
    OtherLevel {
        /// Theirs.
        level: Level,
    },
    /// Lacks skills.
    LacksSkills {
        /// Which.
        skills: BTreeSet<Skill>,
    },
    /// Serves elsewhere.
    OtherArea,
    /// Speaks other languages.
    OtherLanguage,
    /// Would exceed their capacity.
    NoCapacity {
        /// What they hold.
        workload: u32,
        /// What they may hold.
        capacity: u32,
    },
    /// Declined it at this level.
    Declined,
    /// Did not begin with it at this level.
    NotBegun,
    /// A supervisor has just taken it from them.
    TakenAway,
    /// Took part in a decision that was contested.
    Decided,
    /// It is against them.
    Subject,
}

impl Ineligible {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Absent { .. } => "absent",
            Self::OtherLevel { .. } => "other_level",
            Self::LacksSkills { .. } => "lacks_skills",
            Self::OtherArea => "other_area",
            Self::OtherLanguage => "other_language",
            Self::NoCapacity { .. } => "no_capacity",
            Self::Declined => "declined",
            Self::NotBegun => "not_begun",
            Self::TakenAway => "taken_away",
            Self::Decided => "decided",
            Self::Subject => "subject",
        }
    }

    /// The reason in words.
    pub fn message(&self) -> String {
        match self {
            Self::Disabled => "is disabled".into(),
            Self::Absent { until } => format!("is absent until {}", until.format("%Y-%m-%d %H:%M UTC")),
            Self::OtherLevel { level } => format!("works at level {level}"),
            Self::LacksSkills { skills } => {
                let list: Vec<&str> = skills.iter().map(Skill::as_str).collect();
                format!("lacks {}", list.join(", "))
            }
            Self::OtherArea => "serves another area".into(),
            Self::OtherLanguage => "speaks other languages".into(),
            Self::NoCapacity { workload, capacity } => format!("holds {workload} of {capacity}"),
            Self::Declined => "declined it at this level".into(),
            Self::NotBegun => "did not begin with it at this level".into(),
            Self::TakenAway => "has just had it taken from them".into(),
            Self::Decided => "took part in a decision that was contested".into(),
            Self::Subject => "is whom the complaint is against".into(),
        }
    }
}

/// The result of routing: who was chosen, who was considered, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// Who gets it; `None` when nobody fits.
    pub chosen: Option<AgentId>,
    /// Whether a person chose instead of the router.
    pub by_hand: bool,
    /// Agents at the level of the complaint, best first, then those not eligible with their reasons. At most
    /// [`EXPLAINED_MAX`]; the rest is counted.
    pub candidates: Vec<Candidate>,
    /// Agents not listed: of other levels, or beyond the most that is kept.
    pub others: u32,
}

/// The most candidates an explanation keeps, so that a log does not grow with the organisation.
pub const EXPLAINED_MAX: usize = 20;

/// One agent in an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub agent: AgentId,
    /// Place among the eligible, from 1; `None` when not eligible.
    pub rank: Option<u32>,
    /// What they held when it was decided.
    pub workload: u32,
    /// What they may hold.
    pub capacity: u32,
    /// Whether they are the superior the complaint was escalated to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preferred: bool,
    /// When they were last given a complaint.
    pub last_assigned_at: Option<DateTime<Utc>>,
    /// Why not; empty when eligible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Ineligible>,
}

impl Need {
    /// What this complaint asks for now.
    pub fn of(complaint: &Complaint) -> Self {
        use crate::complaint::ExclusionCause;

        let mut excluded: Vec<(AgentId, Ineligible)> = complaint
            .exclusions
            .iter()
            .filter(|exclusion| complaint.exclusion(&exclusion.agent).is_some())
            .map(|exclusion| {
                let why = match exclusion.cause {
                    ExclusionCause::Declined(_) => Ineligible::Declined,
                    ExclusionCause::Released(_) => Ineligible::NotBegun,
                    ExclusionCause::Decided => Ineligible::Decided,
                };
                (exclusion.agent.clone(), why)
            })
            .collect();
        excluded.extend(complaint.against.iter().map(|agent| (agent.clone(), Ineligible::Subject)));
        Self {
            level: complaint.level,
            skills: complaint.skills.clone(),
            area: complaint.area.clone(),
            language: complaint.language.clone(),
            weight: complaint.weight,
            excluded,
            preferred: None,
        }
    }
}

impl Roster {
    /// An agent of the roster.
    pub fn member(&self, agent: &AgentId) -> Option<&Member> {
        self.members.iter().find(|member| member.agent.id == *agent)
    }
}
