//! What customers say of how they were treated.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::AgentId;

/// A rating of one resolution.
///
/// ```
/// use complaint_core::Rating;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// # asha.begin(receipt.id()).await?;
/// asha.resolve(receipt.id(), complaint_core::Resolution::not_upheld("The works were announced.")).await?;
/// let complaint = john.rate(receipt.id(), Rating::FOUR, "Clear.").await?;
/// let feedback = &complaint.feedback[0];
/// assert_eq!((feedback.resolution, feedback.score, feedback.comment.as_deref()), (1, 4, Some("Clear.")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The resolution, from 1.
    pub resolution: u32,
    /// The agent who decided it.
    pub agent: AgentId,
    /// 1 to 5.
    pub score: u8,
    /// What the customer said.
    pub comment: Option<String>,
    /// When it was first given; editable for a day from then, however often it is edited.
    pub first_given_at: DateTime<Utc>,
    /// Whether agents and auditors are kept from seeing it, and that it belongs to this complaint. Figures count it all
    /// the same. Once it is so, it stays so.
    #[serde(default)]
    pub anonymous: bool,
    /// Since when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_since: Option<DateTime<Utc>>,
}

/// A rating, 1 (worst) to 5 (best).
///
/// ```
/// use complaint_core::Rating;
///
/// assert_eq!(Rating::FIVE.score(), 5);
/// assert!(Rating::ONE < Rating::FIVE);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rating(u8);

impl Rating {
    /// The worst.
    pub const ONE: Rating = Rating(1);
    /// Poor.
    pub const TWO: Rating = Rating(2);
    /// In between.
    pub const THREE: Rating = Rating(3);
    /// Good.
    pub const FOUR: Rating = Rating(4);
    /// The best.
    pub const FIVE: Rating = Rating(5);

    /// The number.
    pub fn score(self) -> u8 {
        self.0
    }
}
