//! The only thing a store can be asked to commit.

use chrono::{DateTime, Utc};

use crate::complaint::{Complaint, Entry};
use crate::deadline::next_action_at;
use crate::id::{AgentId, ComplaintId, CustomerId, InvalidId, Version};
use crate::notice::Notice;

/// A change planned whole: new states with their entries, notices, workload deltas, the limit it must keep and the
/// idempotency record.
///
/// Only the core makes one, from entries that [`decide`](crate::lifecycle::decide) allowed.
///
/// Example: [`Observer`](crate::desk::Observer).
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    parts: Vec<Part>,
    notices: Vec<Notice>,
    workload: Vec<WorkloadDelta>,
    open_limit: Option<OpenLimit>,
    idempotency: Option<(IdempotencyKey, String)>,
}

/// What changes of one complaint. Nearly every change has one part; joining two complaints has two.
///
/// Example: [`Observer`](crate::desk::Observer).
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    expected: Version,
    after: Complaint,
    entries: Vec<Entry>,
}

/// What changes of one agent's workload.
///
/// Example: [`Observer`](crate::desk::Observer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadDelta {
    /// Whose.
    pub agent: AgentId,
    /// By how much.
    pub delta: i64,
    /// The workload it must not exceed; `None` where a person decided to exceed it, or where it falls.
    pub ceiling: Option<u32>,
    /// When they were given a complaint by this change.
    pub assigned_at: Option<DateTime<Utc>>,
}

/// How many open complaints a customer may have once a change is made. Submitting and reinstating have one: what was counted
/// before they were planned may be out of date when they are committed.
///
/// Example: [`Observer`](crate::desk::Observer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLimit {
    /// Whose complaints.
    pub customer: CustomerId,
    /// The most that may be open, those of this change included.
    pub most: u32,
}

/// A key under which a caller may repeat a request without repeating its effect.
///
/// ```
/// use complaint_core::store::IdempotencyKey;
///
/// let key = IdempotencyKey::new("customer:john", "form-7")?;
/// assert_eq!((key.owner(), key.key()), ("customer:john", "form-7"));
/// assert_ne!(key, IdempotencyKey::new("customer:jane", "form-7")?);
/// assert!(IdempotencyKey::new("customer:john", "").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey {
    owner: String,
    key: String,
}

/// What was committed under an idempotency key.
///
/// ```
/// use complaint_core::store::IdempotencyKey;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let desk = Desk::new(MemoryStore::new(), policy);
///
/// let john = desk.acting_as(Actor::customer("john")?).under_key("form-7", "digest")?;
/// let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let key = IdempotencyKey::new("customer:john", "form-7")?;
/// let recalled = desk.store().recall(&key).await?.expect("it was committed");
/// assert_eq!((recalled.complaint, recalled.fingerprint.as_str()), (receipt.id(), "submit digest"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The command, the complaint it is for, and what the caller had sent, as the caller condensed it.
    pub fingerprint: String,
    /// The complaint that was changed.
    pub complaint: ComplaintId,
    /// The version the change made.
    pub version: Version,
}

impl Change {
    pub(crate) fn new(parts: Vec<Part>, notices: Vec<Notice>, workload: Vec<WorkloadDelta>) -> Self {
        Self { parts, notices, workload, open_limit: None, idempotency: None }
    }

    pub(crate) fn within(self, open_limit: Option<OpenLimit>) -> Self {
        Self { open_limit, ..self }
    }

    pub(crate) fn under_key(mut self, key: IdempotencyKey, fingerprint: String) -> Self {
        self.idempotency = Some((key, fingerprint));
        self
    }

    /// The complaints it changes; the first is the one it was asked for.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The notices it plans.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What it does to workloads, at most one delta per agent.
    pub fn workload(&self) -> &[WorkloadDelta] {
        &self.workload
    }

    /// How many open complaints the customer may have afterwards, where that is limited.
    pub fn open_limit(&self) -> Option<&OpenLimit> {
        self.open_limit.as_ref()
    }

    /// The idempotency key and the fingerprint, and what to recall by it.
    pub fn idempotency(&self) -> Option<(&IdempotencyKey, Recalled)> {
        let (key, fingerprint) = self.idempotency.as_ref()?;
        let part = self.parts.first()?;
        Some((key, Recalled { fingerprint: fingerprint.clone(), complaint: part.id(), version: part.after.version }))
    }
}

impl Part {
    pub(crate) fn new(expected: Version, after: Complaint, entries: Vec<Entry>) -> Self {
        Self { expected, after, entries }
    }

    /// Which complaint.
    pub fn id(&self) -> ComplaintId {
        self.after.id
    }

    /// The version that must be stored; [`Version::NONE`] for a new complaint.
    pub fn expected(&self) -> Version {
        self.expected
    }

    /// The state after the change.
    pub fn after(&self) -> &Complaint {
        &self.after
    }

    /// The entries that lead there, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// When the clocks want the next look at it.
    pub fn next_action_at(&self) -> Option<DateTime<Utc>> {
        next_action_at(&self.after)
    }
}

impl IdempotencyKey {
    /// A key of an owner; keys of different owners never meet.
    ///
    /// # Errors
    /// Unless both are 1 to 255 visible ASCII characters.
    pub fn new(owner: impl Into<String>, key: impl Into<String>) -> Result<Self, InvalidId> {
        let (owner, key) = (owner.into(), key.into());
        for part in [&owner, &key] {
            if part.is_empty() || part.len() > 255 || !part.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
                return Err(InvalidId::new("idempotency key", "1 to 255 visible ASCII characters"));
            }
        }
        Ok(Self { owner, key })
    }

    /// Whose key.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }
}
