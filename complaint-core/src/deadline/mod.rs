//! Clocks: promised instants, what they are measured on, and the segments that explain them.
//!
//! A [`Span`] is a promised amount of time, a [`Calendar`] says when the office is open, and a [`Deadline`] is one clock
//! of one complaint: when it runs out, when it paused, how it ended. [`ClockKind`] lists the promises there are.
//! [`due_commands`] says what follows when one runs out; [`Deadline::explain`] and [`usage()`] say where the time went.
//!
//! Clocks are derived. After each event the ones a complaint has are compared with those its state wants, and the
//! entry records the difference: started, paused with what is left, resumed, ended. A deadline keeps the version of
//! the policy that made it. Another policy by itself moves nothing until somebody gives the command `rebase`, which
//! is on record: what the law promised never moves later by it, and no time that a customer was told they have gets
//! shorter.
//!
//! ```
//! use complaint_core::deadline::{Calendar, Span};
//!
//! let friday = "2026-11-20T16:00:00Z".parse()?;
//! let due = "8 working hours".parse::<Span>()?.due(&Calendar::standard(), friday);
//! assert_eq!(due.to_rfc3339(), "2026-11-23T16:00:00+00:00"); // Monday
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calendar;
mod clocks;
mod explain;
mod span;
mod usage;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use calendar::{Calendar, CalendarFault, CalendarFaults, CalendarProblem, CalendarSpec, HoursSpec};
pub(crate) use clocks::{ClockCause, adopted, at_its_end, clock_changes, has_escalated, moves_up, runs_in};
pub use clocks::{due_commands, next_action_at};
pub use explain::{Explanation, Stretch, StretchKind};
pub(crate) use span::wall;
pub use span::{Span, SpanUnit};
pub use usage::{HolderUsage, LevelUsage, usage};

use crate::id::PromiseKey;

/// Which promise a clock keeps.
///
/// ```
/// use complaint_core::deadline::ClockKind;
///
/// assert_eq!(ClockKind::FirstResponse.name(), "first_response");
/// assert_eq!(ClockKind::FirstResponse.label(), "First response");
/// let of_the_house = ClockKind::ALL.into_iter().filter(|clock| !clock.concerns_customer());
/// assert!(of_the_house.eq([ClockKind::Level, ClockKind::Acceptance, ClockKind::Approval]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// The customer is told that it is here.
    Acknowledgement,
    /// A person writes to the customer for the first time.
    FirstResponse,
    /// It is resolved (a service promise; pauses while the customer is asked).
    Resolution,
    /// It leaves its level.
    Level,
    /// The handler begins.
    Acceptance,
    /// A second person decides on the proposal.
    Approval,
    /// The customer answers.
    Silence,
    /// The customer accepts or contests; then it closes.
    AutoClose,
    /// The customer may contest.
    ContestWindow,
    /// A promised remedy is delivered.
    Remedy,
    /// What the law asks for; never pauses.
    Statutory,
}

impl ClockKind {
    /// All clocks, in the order of the specification.
    pub const ALL: [ClockKind; 11] = [
        Self::Acknowledgement,
        Self::FirstResponse,
        Self::Resolution,
        Self::Level,
        Self::Acceptance,
        Self::Approval,
        Self::Silence,
        Self::AutoClose,
        Self::ContestWindow,
        Self::Remedy,
        Self::Statutory,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledgement => "acknowledgement",
            Self::FirstResponse => "first_response",
            Self::Resolution => "resolution",
            Self::Level => "level",
            Self::Acceptance => "acceptance",
            Self::Approval => "approval",
            Self::Silence => "silence",
            Self::AutoClose => "auto_close",
            Self::ContestWindow => "contest_window",
            Self::Remedy => "remedy",
            Self::Statutory => "statutory",
        }
    }

    /// Whether it is a promise to the customer or asks something of them; the others keep the house in order.
    pub fn concerns_customer(self) -> bool {
        !matches!(self, Self::Level | Self::Acceptance | Self::Approval)
    }

    /// Whether the customer waits for its end: that a person writes, a decision, what the law sets.
    pub(crate) fn is_promise(self) -> bool {
        matches!(self, Self::FirstResponse | Self::Resolution | Self::Statutory)
    }

    /// Whether the customer is told when it runs out unkept: what they wait for, and what a decision promised them.
    pub(crate) fn is_owed_to_customer(self) -> bool {
        self.is_promise() || self == Self::Remedy
    }

    /// Whether it measures the time that the customer has, instead of the time that they wait.
    pub(crate) fn is_time_of_the_customer(self) -> bool {
        matches!(self, Self::Silence | Self::AutoClose | Self::ContestWindow)
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Acknowledgement => "Acknowledgement",
            Self::FirstResponse => "First response",
            Self::Resolution => "Resolution",
            Self::Level => "This level",
            Self::Acceptance => "Start of work",
            Self::Approval => "Approval",
            Self::Silence => "Customer's answer",
            Self::AutoClose => "Acceptance by the customer",
            Self::ContestWindow => "Contest window",
            Self::Remedy => "Remedy",
            Self::Statutory => "Statutory",
        }
    }
}

/// One clock of one complaint: a promised instant and how it came about.
///
/// ```
/// use complaint_core::deadline::{ClockKind, Ending};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let complaint = receipt.complaint();
/// let resolution = complaint.deadline(ClockKind::Resolution).expect("it runs");
/// assert_eq!(resolution.target.to_string(), "20 working days");
/// assert_eq!(resolution.measured_on(&desk.policy()), Some(&desk.policy().working_calendar()));
/// assert!(resolution.due_at > Some(complaint.received_at));
///
/// let acknowledgement = &complaint.deadlines[0];
/// assert_eq!(acknowledgement.clock, ClockKind::Acknowledgement);
/// assert_eq!(acknowledgement.ended.map(|ended| ended.how), Some(Ending::Met));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Which promise.
    pub clock: ClockKind,
    /// Which of its kind: the n-th level entry, assignment, question, decision, remedy or promise of the law of this
    /// complaint; else 1, and one more each time it fell away because the complaint was withdrawn, joined or passed on.
    pub instance: u32,
    /// Of a statutory clock, which promise of the law, as the policy then stated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<LegalPromise>,
    /// How much time was promised.
    pub target: Span,
    /// The calendar it is measured on; `None` for wall time.
    pub calendar: Option<Arc<str>>,
    /// The policy that made it.
    pub policy_version: u64,
    /// Since when it counts.
    pub started_at: DateTime<Utc>,
    /// The promised time in microseconds of counted time (opening time, or wall time without a calendar).
    pub total_micros: u64,
    /// When it runs out; `None` while it is paused.
    pub due_at: Option<DateTime<Utc>>,
    /// When 75 % and 90 % of the time are used; `None` while it is paused.
    pub warn_at: Option<[DateTime<Utc>; 2]>,
    /// What was left when it was paused, in microseconds of counted time.
    pub left_micros: Option<u64>,
    /// The highest warning given: 0, 75 or 90.
    pub warned: u8,
    /// When it was found to have run out.
    pub missed_at: Option<DateTime<Utc>>,
    /// When and how it ended.
    pub ended: Option<Ended>,
    /// Stretches of running and pausing up to the last change, oldest first, without gaps.
    pub segments: Vec<Segment>,
}

/// A promise of the law as a deadline keeps it; its words stand in the policy, under the key.
///
/// ```
/// use complaint_core::deadline::Milestone;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let law = receipt.complaint().promise(&"final-response".parse()?).expect("it runs");
/// assert_eq!(law.target.to_string(), "8 weeks");
/// let promise = law.promise.as_ref().expect("a statutory clock");
/// assert_eq!((promise.kept_by, promise.lapses), (Milestone::Resolution, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalPromise {
    /// Its key in the policy.
    pub key: PromiseKey,
    /// What keeps it.
    pub kept_by: Milestone,
    /// Whether it is an opportunity that lapses, instead of a duty that can be broken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapses: bool,
}

/// What keeps a promise of the law. A resolution keeps each of them.
///
/// Example: [`LegalPromise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// The customer was told that the complaint is here.
    Acknowledgement,
    /// A person wrote to the customer.
    FirstResponse,
    /// The customer was told who else must act and by when an answer is expected: the command `hold`.
    HoldingReply,
    /// The decision was sent.
    #[default]
    Resolution,
}

/// How a clock ended.
///
/// Example: [`Deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether the promise was kept, broken, or fell away.
    pub how: Ending,
}

/// Whether a promise was kept.
///
/// Example: [`Deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Kept in time.
    Met,
    /// Kept too late.
    Late,
    /// Fell away: nobody waits for it any more.
    Cancelled,
}

/// A stretch of a clock.
///
/// ```
/// use complaint_core::deadline::{ClockKind, PauseCause};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// let complaint = asha.ask(receipt.id(), "Which street?").await?;
/// let resolution = complaint.deadline(ClockKind::Resolution).expect("it pauses");
/// let now = resolution.segments.last().expect("a stretch");
/// assert_eq!((now.ran, now.cause), (false, Some(PauseCause::AwaitingCustomer)));
/// assert_eq!(resolution.due_at, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after it; `None` while it lasts.
    pub to: Option<DateTime<Utc>>,
    /// Whether the clock ran.
    pub ran: bool,
    /// Why it paused, as far as that was recorded when the pause began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<PauseCause>,
}

/// Why a clock pauses.
///
/// Example: [`Segment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// A question is with the customer.
    AwaitingCustomer,
    /// A third party must act, and the policy lets that pause.
    AwaitingThirdParty,
    /// A message of the customer is unread.
    UnreadMessage,
    /// A promised remedy is outstanding.
    OutstandingRemedy,
}

impl PauseCause {
    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::AwaitingCustomer => "a question is with the customer",
            Self::AwaitingThirdParty => "a third party must act",
            Self::UnreadMessage => "a message of the customer is unread",
            Self::OutstandingRemedy => "a promised remedy is outstanding",
        }
    }
}

/// What an entry did to a clock.
///
/// ```
/// use complaint_core::deadline::{ClockChange, ClockKind};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let log = desk.whole_log(receipt.id()).await?;
/// let starts = |clock| {
///     move |change: &ClockChange| matches!(change, ClockChange::Started { deadline } if deadline.clock == clock)
/// };
/// assert!(log[0].clocks.iter().any(starts(ClockKind::Resolution)), "from the submission on");
/// assert!(log[2].clocks.iter().any(starts(ClockKind::Acceptance)), "from the assignment on");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ClockChange {
    /// A clock starts.
    Started {
        /// The whole clock.
        deadline: Arc<Deadline>,
    },
    /// A clock pauses.
    Paused {
        /// Which.
        clock: ClockKind,
        /// Which of its kind.
        instance: u32,
        /// What is left, in microseconds of counted time.
        left_micros: u64,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<PauseCause>,
    },
    /// A paused clock goes on with what was left.
    ///
    /// A pause counts in whole minutes, the finest unit that is promised in; what is more of it counts as run. So a pause of
    /// a moment is none, and what is due at closing time is not due at the next opening for its sake.
    Resumed {
        /// Which.
        clock: ClockKind,
        /// Which of its kind.
        instance: u32,
        /// Since when it runs again.
        since: DateTime<Utc>,
        /// When it runs out now.
        due_at: DateTime<Utc>,
        /// When 75 % and 90 % are used now.
        warn_at: [DateTime<Utc>; 2],
    },
    /// The promise itself changed: with the category or the receipt, or because it was rebased on another policy.
    Retargeted {
        /// The whole clock as it is now.
        deadline: Arc<Deadline>,
    },
    /// A warning was given.
    Warned {
        /// Which.
        clock: ClockKind,
        /// Which of its kind.
        instance: u32,
        /// 75 or 90.
        percent: u8,
    },
    /// A clock ran out.
    Missed {
        /// Which.
        clock: ClockKind,
        /// Which of its kind.
        instance: u32,
    },
    /// A clock ends.
    Ended {
        /// Which.
        clock: ClockKind,
        /// Which of its kind.
        instance: u32,
        /// How.
        how: Ending,
    },
}
