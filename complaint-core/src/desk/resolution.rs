//! A decision, as it is written.

use crate::complaint::{Outcome, Remedy};
use crate::id::CauseKey;
use crate::lifecycle::{Command, CommandName, Input};

/// A decision as a handler writes it.
///
/// ```
/// use complaint_core::Resolution;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let resolution = Resolution::upheld("Valve 14 was stuck; it has been replaced.")
///     .with_apology("We are sorry that you had no water.")
///     .next_steps("The valves next to it are looked at this week.");
/// let with_cause = resolution.clone().caused_by("maintenance".parse()?); // where the policy has such causes
/// assert_ne!(with_cause, resolution);
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// # asha.begin(receipt.id()).await?;
/// // What would be said against it, before it is done.
/// assert_eq!(asha.would_refuse(receipt.id(), &resolution.clone().into(), None).await?, None);
/// let complaint = asha.resolve(receipt.id(), resolution).await?;
/// assert_eq!(complaint.status.name(), "resolved");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    outcome: Outcome,
    explanation: String,
    apology: Option<String>,
    next_steps: Option<String>,
    cause: Option<CauseKey>,
    remedies: Vec<Remedy>,
}

impl Resolution {
    /// A decision with its explanation.
    pub fn new(outcome: Outcome, explanation: impl Into<String>) -> Self {
        Self {
            outcome,
            explanation: explanation.into(),
            apology: None,
            next_steps: None,
            cause: None,
            remedies: Vec::new(),
        }
    }

    /// The customer was right.
    pub fn upheld(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::Upheld, explanation)
    }

    /// The customer was not right.
    pub fn not_upheld(explanation: impl Into<String>) -> Self {
        Self::new(Outcome::NotUpheld, explanation)
    }

    /// Apologises in plain words.
    pub fn apologising(self) -> Self {
        self.with_apology("We are sorry for the trouble this has caused you.")
    }

    /// Apologises in these words.
    pub fn with_apology(mut self, words: impl Into<String>) -> Self {
        self.apology = Some(words.into());
        self
    }

    /// Adds a remedy.
    pub fn with(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// Names the cause, one of [`Policy::causes`](crate::policy::Policy::causes).
    pub fn caused_by(mut self, cause: CauseKey) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Says what happens next.
    pub fn next_steps(mut self, words: impl Into<String>) -> Self {
        self.next_steps = Some(words.into());
        self
    }
}

/// For [`Command::new`], with `resolve` or `propose`.
impl From<Resolution> for Input {
    fn from(resolution: Resolution) -> Self {
        Self {
            outcome: Some(resolution.outcome),
            explanation: Some(resolution.explanation),
            apology: resolution.apology,
            next_steps: resolution.next_steps,
            cause: resolution.cause,
            remedies: resolution.remedies,
            ..Self::default()
        }
    }
}

/// The command `resolve`.
impl From<Resolution> for Command {
    fn from(resolution: Resolution) -> Self {
        Self::of(CommandName::Resolve, resolution.into())
    }
}
