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
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let log = desk.whole_log(receipt.id()).await?;
/// let first = &log[0];
/// assert_eq!((first.seq, first.by.role()), (1, "customer"));
/// assert_eq!(first.words.get("subject"), Some("No water"));
/// assert_eq!(first.place.status.name(), "queued");
///
/// let last = log.last().expect("an entry");
/// assert_eq!((last.place.status.name(), last.place.handler.as_ref()), ("assigned", Some(&asha.id)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// Example: [`Entry`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The status.
    pub status: Status,
    /// The level.
    pub level: Level,
    /// Who holds it, if anybody does.
    pub handler: Option<AgentId>,
}
