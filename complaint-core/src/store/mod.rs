//! What storage must do: three small traits, their sum, and the values that cross them.
//!
//! No transaction object crosses a trait. A [`Change`] is planned whole by the core and committed whole by the store.
//!
//! A store of your own implements [`ComplaintStore`], [`AgentStore`] and [`Outbox`]; *Correctness* says at each method what
//! is relied on, and `store_conformance!` (feature `conformance`) makes a test of each of these promises. [`MemoryStore`]
//! is the smallest that keeps them all. Lists are asked for by a [`Query`], within the [`Scope`] of whoever looks.
//!
//! Examples: [`ComplaintStore`], [`MemoryStore`], [`Query`], [`Cursor`].

mod bulk;
mod change;
mod memory;
#[cfg(feature = "mock")]
mod mock;
mod query;

use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{AgentId, ComplaintId, CustomerId, NoticeId, Version};
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::reference::Reference;

pub use bulk::{Copied, Difference, EXPORT_VERSION, ExportError, Exported, copy, export};
pub use change::{Change, IdempotencyKey, OpenLimit, Part, Recalled, WorkloadDelta};
pub use memory::MemoryStore;
#[cfg(feature = "mock")]
pub use mock::MockStore;
pub use query::{Cursor, PAGE_MAX, Page, Query, RANKS, Reach, Scope, Sort, Summary, search_words};

/// Complaints and their logs.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let store = desk.store();
/// let found = store.by_reference(receipt.reference()).await?.expect("it was committed");
/// assert_eq!(store.load(found.id).await?.as_ref(), Some(&found));
/// assert_eq!(store.log(found.id, 1, 1).await?[0].seq, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait ComplaintStore: Send + Sync {
    /// The state of a complaint, or `None` if it was never committed.
    ///
    /// # Correctness
    /// Sees every commit that was acknowledged before the call, by whichever process.
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError>;

    /// The state of the complaint with this reference.
    ///
    /// # Correctness
    /// As [`load`](Self::load).
    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError>;

    /// Commits a change: of each part the new state and the entries, the notices, the workload deltas and the
    /// idempotency record.
    ///
    /// # Correctness
    /// - All or nothing, durable before it returns `Ok`.
    /// - A part whose `expected` version is not the stored one (a part that expects [`Version::NONE`]: whose id is
    ///   stored already) refuses the whole change with [`StoreError::Conflict`] and the stored version. Of two
    ///   writers with one expected version exactly one wins.
    /// - A reference that another complaint has: [`StoreError::ReferenceTaken`].
    /// - A workload delta with a ceiling that would lift the agent's workload above it:
    ///   [`StoreError::CapacityExceeded`]. Without a ceiling it is applied as it is. An agent never saved has no
    ///   workload row: a positive delta is refused with [`StoreError::UnknownAgent`].
    /// - An [`OpenLimit`] that the customer's open complaints would exceed once the change is made, counted in the same
    ///   transaction: [`StoreError::OpenLimitReached`]. Finished and resolved complaints and those of others do not count.
    /// - An idempotency key that is stored already: [`StoreError::KeyUsed`]; nothing else of the change happens.
    /// - Words are kept to the last character, of any script, up to [`TEXT_MAX`](crate::text::TEXT_MAX) bytes and with what is blank
    ///   around them; [`load`](Self::load), [`log`](Self::log) and [`search`](Self::search) give them so, and the outbox the text of its
    ///   notices.
    /// - A failure that leaves it open whether the change happened is [`StoreError::OutcomeUnknown`], never a retry.
    async fn commit(&self, change: &Change) -> Result<(), StoreError>;

    /// Entries of a complaint's log with `seq` greater than `after`, in order, at most `limit`.
    ///
    /// # Correctness
    /// All there are, up to the limit, without gaps; unchanged for ever once committed.
    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// A page of complaints.
    ///
    /// # Correctness
    /// Exactly those for which [`Query::matches`] holds, in the order of [`Query::key`], ties by id; following
    /// cursors to the end gives each complaint that did not change meanwhile exactly once.
    async fn search(&self, query: &Query) -> Result<Page, StoreError>;

    /// Complaints whose [`Part::next_action_at`] is at or before `at`, oldest first, at most `limit`.
    ///
    /// # Correctness
    /// Complete: called again after each batch was worked off, it returns every due complaint.
    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError>;

    /// What was committed under an idempotency key.
    ///
    /// # Correctness
    /// As [`load`](Self::load).
    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError>;

    /// Counts over the complaints of a scope.
    ///
    /// # Correctness
    /// Equal to counting what [`search`](Self::search) returns for the scope.
    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError>;
}

/// Agents and what they hold.
///
/// Example: [`MemoryStore`].
#[async_trait]
pub trait AgentStore: Send + Sync {
    /// Keeps an agent, new or changed.
    ///
    /// # Correctness
    /// - Every field is kept as it is, to the microsecond, and what was saved before is replaced whole: routing rests on
    ///   absence, shift, languages, conflicts and all the rest.
    /// - Never changes the workload or the instant of the last assignment.
    async fn save(&self, agent: &Agent) -> Result<(), StoreError>;

    /// An agent with what they hold.
    ///
    /// # Correctness
    /// The agent is as they were saved last; the workload equals the sum of the weights of the open complaints they hold; the
    /// instant of the last assignment is that of the entry by which they were last given one.
    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError>;

    /// Every agent with what they hold, in the order of their ids: disabled and absent ones too, for who is left out of
    /// routing, and why, is the desk's to say.
    ///
    /// # Correctness
    /// Each as [`find`](Self::find) gives them, with the instant of the last assignment.
    async fn roster(&self) -> Result<Vec<Member>, StoreError>;
}

/// Notices that wait for delivery.
///
/// Example: [`ClaimedNotice`].
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes up to `limit` notices that wait, oldest first, and holds them until `until`.
    ///
    /// # Correctness
    /// A notice is held by one courier while its lease lasts; one that was not settled by then may be claimed again.
    /// A notice that is to be retried later, or is held back, is not claimed before that instant; being held back counts as no
    /// attempt.
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError>;

    /// Records how the delivery of what was claimed ended.
    ///
    /// # Correctness
    /// - Delivered and dead are final. Settling a notice that is settled already changes nothing.
    /// - Whoever comes late, when another courier has claimed the notice since, changes nothing: it is that one's to settle. As long
    ///   as nobody has, the end of the lease forbids nothing: what went out is better known than sent again.
    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Notices that were neither delivered nor given up, in the order of ids behind one of them, at most `limit`. They are
    /// only looked at: no courier notices it.
    ///
    /// # Correctness
    /// Those that a courier holds and those that wait for another try are among them; following the last id to the end gives
    /// each that was not settled meanwhile exactly once.
    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError>;

    /// Notices that were given up, from the highest id down, those below one of them, at most `limit`. One that cannot be read is
    /// left out.
    ///
    /// # Correctness
    /// Following the last id to the end gives each that was not revived meanwhile exactly once, whole and with why it was given up.
    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError>;

    /// Has a notice that was given up wait again, from `now` on and with as many tries as a new one; returns whether it was given up.
    ///
    /// # Correctness
    /// What waits or was delivered is left as it is, and what cannot be read stays given up.
    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Takes over a notice that was given up in another store; returns whether it did.
    ///
    /// # Correctness
    /// It is kept as [`dead`](Self::dead) gives it there. One with its id that is here already, waiting or settled, is left as it is.
    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError>;
}

/// All that the desk needs of storage.
///
/// ```
/// use std::sync::Arc;
/// use complaint_core::store::{MemoryStore, Store};
/// use complaint_core::{Desk, Policy};
///
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::new()); // or another, chosen when the program starts
/// let (desk, beside_it) = (Desk::over(store.clone(), Policy::standard()), Desk::over(store, Policy::standard()));
/// ```
pub trait Store: ComplaintStore + AgentStore + Outbox {}

impl<T: ComplaintStore + AgentStore + Outbox + ?Sized> Store for T {}

/// Why storage failed, by what the caller can do.
///
/// ```
/// use complaint_core::id::{ComplaintId, Version};
/// use complaint_core::store::StoreError;
///
/// let complaint: ComplaintId = "01900000-0000-7000-8000-000000000007".parse()?;
/// let conflict = StoreError::Conflict { complaint, current: Version::new(3) };
/// assert_eq!(conflict.current_version(), Some(Version::new(3)));
/// assert!(!conflict.is_transient(), "the same again would be as late");
/// assert!(StoreError::Unavailable("the disk is busy".into()).is_transient());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else was faster: load again and decide again.
    #[error("complaint {complaint} was changed meanwhile")]
    Conflict {
        /// Which complaint.
        complaint: ComplaintId,
        /// The version that is stored; [`Version::NONE`] if none is.
        current: Version,
    },
    /// The reference is another complaint's: draw another.
    #[error("the reference is taken")]
    ReferenceTaken,
    /// The agent has no room left: route again.
    #[error("agent {agent} has no capacity left")]
    CapacityExceeded {
        /// Who.
        agent: AgentId,
    },
    /// The customer has as many open complaints as they may have: count and decide again.
    #[error("customer {customer} has no room for another open complaint")]
    OpenLimitReached {
        /// Who.
        customer: CustomerId,
    },
    /// The agent was never saved.
    #[error("agent {agent} is not known")]
    UnknownAgent {
        /// Who.
        agent: AgentId,
    },
    /// The idempotency key was used: recall what was committed under it.
    #[error("the idempotency key was used before")]
    KeyUsed,
    /// Nothing happened; trying again later can help.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It is not known whether the change happened: load and look.
    #[error("it is not known whether the change was committed")]
    OutcomeUnknown(#[source] Box<dyn Error + Send + Sync>),
    /// A stored value cannot be read: an operator must look.
    #[error("{table}.{column} holds a value that cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store cannot be used as it is: wrong schema, wrong settings, read-only.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}

impl StoreError {
    /// Whether doing the same again later can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The stored version, where somebody else was faster.
    pub fn current_version(&self) -> Option<Version> {
        match self {
            Self::Conflict { current, .. } => Some(*current),
            _ => None,
        }
    }
}
