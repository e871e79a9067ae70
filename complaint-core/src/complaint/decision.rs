//! How a complaint was decided: what was proposed, what stands, and why it was not taken up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Remedy;
use super::closed_list::closed_list;
use crate::actor::Party;
use crate::id::{AgentId, CauseKey, Level};

closed_list!(
    /// The decision on a complaint.
    Outcome, "outcome" {
        /// The customer was right.
        Upheld = "upheld", "Upheld";
        /// The customer was right in part.
        PartlyUpheld = "partly_upheld", "Partly upheld";
        /// The customer was not right.
        NotUpheld = "not_upheld", "Not upheld";
        /// Settled at first contact, to the customer's satisfaction.
        ResolvedAtSource = "resolved_at_source", "Resolved at source";
        /// Something is given without deciding who was right.
        Goodwill = "goodwill", "Goodwill";
    }
);

/// A resolution that waits for a second person.
///
/// ```
/// use complaint_core::complaint::Outcome;
/// use complaint_core::lifecycle::{Command, CommandName, Input};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// let decision = Input {
///     outcome: Some(Outcome::NotUpheld),
///     explanation: Some("The works were announced.".into()),
///     ..Input::default()
/// };
/// let complaint = asha.perform(receipt.id(), Command::new(CommandName::Propose, decision)?).await?;
/// assert_eq!(complaint.status.name(), "pending_approval");
/// assert_eq!(complaint.proposal.map(|proposal| proposal.outcome), Some(Outcome::NotUpheld));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who proposes.
    pub by: AgentId,
    /// Since when.
    pub at: DateTime<Utc>,
    /// The decision.
    pub outcome: Outcome,
    /// The cause, as the organisation sees it; a key of [`Policy::causes`](crate::policy::Policy::causes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseKey>,
    /// What is done.
    pub remedies: Vec<Remedy>,
    /// Why.
    pub explanation: String,
    /// Words of apology.
    pub apology: Option<String>,
    /// What happens next.
    pub next_steps: Option<String>,
}

/// A resolution as it stands: what was decided, by whom, and what the customer said to it.
///
/// ```
/// use complaint_core::complaint::Outcome;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// let decision = complaint_core::Resolution::upheld("Valve 14 was stuck.").apologising();
/// let complaint = asha.resolve(receipt.id(), decision).await?;
/// let resolution = complaint.resolution().expect("it was not contested");
/// assert_eq!((resolution.outcome, resolution.level.get()), (Outcome::Upheld, 1));
/// assert_eq!(resolution.accepted_at, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: DateTime<Utc>,
    /// At which level.
    pub level: Level,
    /// Who decided.
    pub by: AgentId,
    /// Who approved.
    pub approved_by: Option<AgentId>,
    /// The decision.
    pub outcome: Outcome,
    /// The cause, as the organisation sees it; customers are not told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CauseKey>,
    /// Why.
    pub explanation: String,
    /// Words of apology.
    pub apology: Option<String>,
    /// What happens next.
    pub next_steps: Option<String>,
    /// When the customer agreed.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Who took down that they agreed, where the customer did not say so here themself. Such an acceptance closes nothing
    /// before the customer had time to object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<Party>,
    /// When the customer disagreed.
    pub contested_at: Option<DateTime<Utc>>,
}

closed_list!(
    /// Why a complaint is not taken up.
    DismissalReason, "dismissal reason" {
        /// Advertising or machine-made noise.
        Spam = "spam", "Spam";
        /// Nothing but insult or threat.
        Abuse = "abuse", "Abuse";
        /// Not ours to decide, and nobody to refer it to.
        OutOfScope = "out_of_scope", "Out of scope";
        /// A question, a praise, a request for service.
        NotAComplaint = "not_a_complaint", "Not a complaint";
        /// Too late by the rules that apply.
        TimeBarred = "time_barred", "Time-barred";
    }
);

/// Why a complaint was not taken up.
///
/// ```
/// use complaint_core::complaint::DismissalReason;
/// use complaint_core::lifecycle::{Command, CommandName, Input};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let maria = Agent::named("maria", "Maria Silva")?.at_level(complaint_core::id::Level::new(2)?);
/// let dismiss = Input {
///     reason: Some(DismissalReason::OutOfScope.name().into()),
///     text: Some("The pipe is your landlord's.".into()),
///     ..Input::default()
/// };
/// let dismiss = Command::new(CommandName::Dismiss, dismiss)?;
/// let complaint = desk.acting_as(Actor::agent(&maria)).perform(receipt.id(), dismiss).await?;
/// assert_eq!(complaint.dismissal.map(|it| it.reason), Some(DismissalReason::OutOfScope));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    /// When.
    pub at: DateTime<Utc>,
    /// Who decided that.
    pub by: AgentId,
    /// The ground.
    pub reason: DismissalReason,
    /// What the customer was told.
    pub text: String,
}
