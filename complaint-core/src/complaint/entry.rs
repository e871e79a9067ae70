//! One line of the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::words::Words;
use crate::actor::Party;
use crate::deadline::ClockChange;
use crate::id::{AgentId, ComplaintId, Level, Version};
use crate::lifecycle::Status;

/// One line of a complaint's log: what happened, who did it, when, and where the work was afterwards.
///
/// Nothing in it needs a rule to be understood: [`evolve`](crate::lifecycle::evolve) copies it into the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose log.
    pub complaint: ComplaintId,
    /// Position in the log, from 1 without gaps.
    pub seq: u32,
    /// The version of the complaint that this entry belongs to; the entries of one change share it.
    pub version: Version,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: Party,
    /// Where the work is from now on.
    pub place: Place,
    /// What happened.
    pub event: Event,
    /// What it did to the clocks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<ClockChange>,
    /// What was typed.
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub words: Words,
}

/// Where the work on a complaint is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The status.
    pub status: Status,
    /// The level.
    pub level: Level,
    /// Who holds it, if anybody does.
    pub handler: Option<AgentId>,
}
