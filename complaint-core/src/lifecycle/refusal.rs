//! Why the rules said no.

use std::fmt;

use serde::Serialize;

use super::{CommandName, Status};
use crate::id::Version;

/// A refused command: every guard that failed, each with a stable code.
///
/// ```
/// use complaint_core::DeskError;
/// use complaint_core::lifecycle::RefusalCategory;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let Err(DeskError::Refused(refusal)) = john.accept(receipt.id()).await else { panic!("nothing to accept") };
/// assert_eq!((refusal.code(), refusal.category()), ("wrong_status", RefusalCategory::State));
/// assert!(!refusal.category().comes_first());
/// assert!(refusal.to_string().starts_with("“Accept the decision” is refused: "));
/// assert_eq!(refusal.failed[0].category(), RefusalCategory::State);
/// for failed in &refusal.failed {
///     println!("{} — {}", failed.message, failed.remedy);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What was asked for.
    pub command: CommandName,
    /// Where the complaint was; `None` for a new one.
    pub status: Option<Status>,
    /// The version that is current.
    pub version: Version,
    /// Every guard that failed, never empty.
    pub failed: Vec<FailedGuard>,
}

/// One guard that failed.
///
/// Example: [`Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedGuard {
    /// A stable code, e.g. `wrong_status`, `missing`, `final_authority_reached`.
    pub code: &'static str,
    /// The field at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, for people.
    pub message: String,
    /// What would satisfy it.
    pub remedy: String,
    #[serde(skip)]
    pub(crate) category: RefusalCategory,
}

/// What a caller can do about a refusal.
///
/// Example: [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCategory {
    /// Somebody changed it meanwhile: look again.
    Stale,
    /// This actor may never do that here.
    Forbidden,
    /// Not in this state of things.
    State,
    /// With other input it would be allowed.
    Input,
}

impl RefusalCategory {
    /// Whether nothing else is worth telling beside it: of what somebody may not do at all, or of a version that is gone.
    ///
    /// Example: [`Refusal`].
    pub fn comes_first(self) -> bool {
        matches!(self, Self::Stale | Self::Forbidden)
    }
}

impl FailedGuard {
    /// What a caller can do about this one.
    ///
    /// Example: [`Refusal`].
    pub fn category(&self) -> RefusalCategory {
        self.category
    }

    pub(crate) fn state(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into(), remedy: remedy.into(), category: RefusalCategory::State }
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { category: RefusalCategory::Forbidden, ..Self::state(code, message, remedy) }
    }

    pub(crate) fn stale(message: impl Into<String>) -> Self {
        Self {
            category: RefusalCategory::Stale,
            ..Self::state("stale_version", message, "read the complaint again and repeat with its version")
        }
    }

    pub(crate) fn input(
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { field: Some(field.into()), category: RefusalCategory::Input, ..Self::state(code, message, remedy) }
    }
}

impl Refusal {
    /// The first failed guard's code: the most fundamental one.
    pub fn code(&self) -> &'static str {
        self.failed.first().map_or("refused", |failed| failed.code)
    }

    /// What the caller can do: the most fundamental category among the failed guards.
    pub fn category(&self) -> RefusalCategory {
        self.failed.iter().map(|failed| failed.category).min().unwrap_or(RefusalCategory::State)
    }

    /// Whether a guard with this code failed.
    pub fn has(&self, code: &str) -> bool {
        self.failed.iter().any(|failed| failed.code == code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}” is refused: ", self.command.label())?;
        for (at, failed) in self.failed.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            if let Some(field) = &failed.field {
                write!(f, "“{field}” ")?;
            }
            f.write_str(&failed.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
