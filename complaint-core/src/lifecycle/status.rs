//! Where the work is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

/// Where the work on a complaint is.
///
/// ```
/// use complaint_core::lifecycle::Status;
///
/// assert_eq!("pending_approval".parse(), Ok(Status::PendingApproval));
/// assert!(Status::PendingApproval.is_open() && !Status::Resolved.is_open() && !Status::Resolved.is_end());
/// assert_eq!(Status::PendingApproval.label(), "Pending approval");
/// assert_eq!(Status::PendingApproval.customer_label(), "In progress");
/// assert_eq!(Status::PendingApproval.for_customer(), Status::InProgress);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Numbered, waiting for a handler at its level.
    Queued,
    /// Has a handler who has not begun.
    Assigned,
    /// Being investigated.
    InProgress,
    /// A question is with the customer; service clocks are paused.
    AwaitingCustomer,
    /// A supplier, courier or other office must act.
    AwaitingThirdParty,
    /// A proposed resolution needs a second person.
    PendingApproval,
    /// Decision sent; the customer may accept or contest; remedies may be outstanding.
    Resolved,
    /// Finished.
    Closed,
    /// Taken back by the customer.
    Withdrawn,
    /// Not taken up; coded reason and text are kept.
    Dismissed,
    /// Joined to another complaint.
    Merged,
    /// Another body is responsible.
    Referred,
}

impl Status {
    /// All statuses, in the order of the specification.
    pub const ALL: [Status; 12] = [
        Self::Queued,
        Self::Assigned,
        Self::InProgress,
        Self::AwaitingCustomer,
        Self::AwaitingThirdParty,
        Self::PendingApproval,
        Self::Resolved,
        Self::Closed,
        Self::Withdrawn,
        Self::Dismissed,
        Self::Merged,
        Self::Referred,
    ];

    /// The statuses in which somebody still has to decide.
    pub const OPEN: [Status; 6] = [
        Self::Queued,
        Self::Assigned,
        Self::InProgress,
        Self::AwaitingCustomer,
        Self::AwaitingThirdParty,
        Self::PendingApproval,
    ];

    /// Still to be decided: counts towards the handler's workload.
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }

    /// Finished: nothing is expected of anybody any more.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Closed | Self::Withdrawn | Self::Dismissed | Self::Merged | Self::Referred)
    }

    /// The status as customers see it: that a second person looks at a proposal is internal.
    pub fn for_customer(self) -> Self {
        match self {
            Self::PendingApproval => Self::InProgress,
            other => other,
        }
    }

    /// The stable name, as stored and as used by the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::InProgress => "in_progress",
            Self::AwaitingCustomer => "awaiting_customer",
            Self::AwaitingThirdParty => "awaiting_third_party",
            Self::PendingApproval => "pending_approval",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
            Self::Dismissed => "dismissed",
            Self::Merged => "merged",
            Self::Referred => "referred",
        }
    }

    /// What customers call it, without names.
    pub fn customer_label(self) -> &'static str {
        match self.for_customer() {
            Self::Queued => "Received",
            Self::Assigned => "Assigned",
            Self::InProgress | Self::PendingApproval => "In progress",
            Self::AwaitingCustomer => "We need your answer",
            Self::AwaitingThirdParty => "Waiting for a partner",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
            Self::Withdrawn => "Withdrawn",
            Self::Dismissed => "Not taken up",
            Self::Merged => "Joined",
            Self::Referred => "Passed",
        }
    }

    /// What staff call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Assigned => "Assigned",
            Self::InProgress => "In progress",
            Self::AwaitingCustomer => "Awaiting customer",
            Self::AwaitingThirdParty => "Awaiting third party",
            Self::PendingApproval => "Pending approval",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
            Self::Withdrawn => "Withdrawn",
            Self::Dismissed => "Dismissed",
            Self::Merged => "Merged",
            Self::Referred => "Referred",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = InvalidId;

    fn from_str(name: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| InvalidId::new("status", "one of the statuses of the lifecycle, e.g. in_progress"))
    }
}
