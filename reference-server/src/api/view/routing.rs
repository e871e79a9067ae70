//! Why a complaint has this handler.

use chrono::{DateTime, Utc};
use complaint_core::routing::Routing;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Lens, Person};

/// Why this handler, or why nobody yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoutingView {
    chosen: Option<Person>,
    /// Whether a person chose instead of the router.
    by_hand: bool,
    /// One sentence.
    explanation: String,
    /// Best first, then those who were not eligible.
    candidates: Vec<CandidateView>,
    /// Agents not listed.
    others: u32,
}

/// One agent who was considered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CandidateView {
    agent: Person,
    /// Place among the eligible, from 1.
    rank: Option<u32>,
    workload: u32,
    capacity: u32,
    /// The superior it was escalated to.
    preferred: bool,
    last_assigned_at: Option<DateTime<Utc>>,
    reasons: Vec<ReasonView>,
}

/// Why not.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReasonView {
    #[schema(example = "lacks_skills")]
    code: &'static str,
    message: String,
}

impl Lens {
    /// Who was considered and why.
    pub fn routing(&self, routing: &Routing) -> RoutingView {
        // Routings of before 0.1 did not count them.
        let listed = routing.candidates.iter().filter(|candidate| candidate.rank.is_some()).count();
        let eligible = (routing.eligible as usize).max(listed);
        let explanation = match (&routing.chosen, routing.by_hand) {
            (Some(agent), true) => format!("{} was chosen by hand.", self.agent_name(agent)),
            (Some(agent), false) if routing.together > 0 => format!(
                "{} has the expertise needed and was chosen among {eligible} eligible as the best for all {} complaints \
                 that were routed together.",
                self.agent_name(agent),
                routing.together
            ),
            (Some(agent), false) => format!(
                "{} has the expertise needed and, of {eligible} eligible, the lowest workload for their capacity.",
                self.agent_name(agent)
            ),
            (None, _) => "Nobody is eligible at the moment.".to_owned(),
        };
        RoutingView {
            chosen: routing.chosen.as_ref().map(|agent| self.person(agent)),
            by_hand: routing.by_hand,
            explanation,
            candidates: routing
                .candidates
                .iter()
                .map(|candidate| CandidateView {
                    agent: self.person(&candidate.agent),
                    rank: candidate.rank,
                    workload: candidate.workload,
                    capacity: candidate.capacity,
                    preferred: candidate.preferred,
                    last_assigned_at: candidate.last_assigned_at,
                    reasons: candidate
                        .reasons
                        .iter()
                        .map(|reason| ReasonView { code: reason.code(), message: reason.message() })
                        .collect(),
                })
                .collect(),
            others: routing.others,
        }
    }
}
