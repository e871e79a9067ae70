//! A store in memory: the model that every other store is measured by, and enough for tests and trials.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, Outbox, PAGE_MAX, Page, Part, Query, Recalled, Scope,
    StoreError, Summary,
};
use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{AgentId, ComplaintId, NoticeId, Version};
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::reference::Reference;

/// Keeps everything in memory and forgets it when dropped.
///
/// ```
/// use complaint_core::Agent;
/// use complaint_core::store::{AgentStore, MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let store = MemoryStore::new();
/// let asha = Agent::named("asha", "Asha Rao")?;
/// store.save(&asha).await?;
/// assert_eq!(store.roster().await?[0].agent, asha);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default, Clone)]
struct Shelves {
    complaints: BTreeMap<ComplaintId, Row>,
    agents: BTreeMap<AgentId, Member>,
    outbox: BTreeMap<(DateTime<Utc>, NoticeId), Parcel>,
    keys: BTreeMap<IdempotencyKey, Recalled>,
}

#[derive(Debug, Clone)]
struct Row {
    state: Complaint,
    next_action_at: Option<DateTime<Utc>>,
    log: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Parcel {
    notice: Notice,
    attempts: u32,
    free_from: DateTime<Utc>,
    fate: Fate,
}

/// Whether a notice waits still.
#[derive(Debug, Clone)]
enum Fate {
    Waiting,
    Delivered,
    Dead { at: DateTime<Utc>, why: String },
}

impl Parcel {
    fn waits(&self) -> bool {
        matches!(self.fate, Fate::Waiting)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // A panic elsewhere cannot leave half a change: changes are made on a copy and put back whole.
        self.shelves.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl ComplaintStore for MemoryStore {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        Ok(self.shelves().complaints.get(&id).map(|row| row.state.clone()))
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        let shelves = self.shelves();
        Ok(shelves.complaints.values().map(|row| &row.state).find(|state| state.reference == reference).cloned())
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        let mut shelves = self.shelves();
        shelves.admit(change)?;
        shelves.apply(change);
        Ok(())
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let shelves = self.shelves();
        let log = shelves.complaints.get(&id).map_or(&[][..], |row| &row.log);
        Ok(log.iter().filter(|entry| entry.seq > after).take(limit as usize).cloned().collect())
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        let shelves = self.shelves();
        let mut found: Vec<(i64, &Complaint)> = shelves
            .complaints
            .values()
            .map(|row| &row.state)
            .filter(|state| query.matches(state))
            .map(|state| (query.key(state), state))
            .filter(|(key, state)| query.after.is_none_or(|after| (*key, state.id) > (after.key, after.id)))
            .collect();
        found.sort_by_key(|(key, state)| (*key, state.id));
        let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(_, state)| query.place_of(state));
        Ok(Page { items: found.into_iter().map(|(_, state)| state.clone()).collect(), next })
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        let shelves = self.shelves();
        let mut due: Vec<(DateTime<Utc>, ComplaintId)> = shelves
            .complaints
            .iter()
            .filter_map(|(id, row)| row.next_action_at.filter(|next| *next <= at).map(|next| (next, *id)))
            .collect();
        due.sort();
        Ok(due.into_iter().take(limit as usize).map(|(_, id)| id).collect())
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        Ok(self.shelves().keys.get(key).cloned())
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        let shelves = self.shelves();
        let mut summary = Summary::default();
        for row in shelves.complaints.values().filter(|row| scope.admits(&row.state)) {
            summary.add(&row.state);
        }
        Ok(summary)
    }
}

impl Shelves {
    fn admit(&self, change: &Change) -> Result<(), StoreError> {
        if change.idempotency().is_some_and(|(key, _)| self.keys.contains_key(key)) {
            return Err(StoreError::KeyUsed);
        }
        for (at, part) in change.parts().iter().enumerate() {
            let current = self.complaints.get(&part.id()).map_or(Version::NONE, |row| row.state.version);
            if current != part.expected() {
                return Err(StoreError::Conflict { complaint: part.id(), current });
            }
            let stored = self.complaints.values().map(|row| &row.state);
            let before = change.parts()[..at].iter().map(Part::after);
            let mut others = stored.chain(before).filter(|state| state.id != part.id());
            if others.any(|state| state.reference == part.after().reference) {
                return Err(StoreError::ReferenceTaken);
            }
        }
        if let Some(limit) = change.open_limit() {
            let others = self.complaints.values().map(|row| &row.state);
            let others = others.filter(|state| change.parts().iter().all(|part| part.id() != state.id));
            let after = others.chain(change.parts().iter().map(Part::after));
            let open = after.filter(|state| state.customer == limit.customer && state.status.is_open()).count();
            if open > limit.most as usize {
                return Err(StoreError::OpenLimitReached { customer: limit.customer.clone() });
            }
        }
        for delta in change.workload() {
            let Some(member) = self.agents.get(&delta.agent) else {
                // A workload that falls needs no row to fall in.
                if delta.delta <= 0 {
                    continue;
                }
                return Err(StoreError::UnknownAgent { agent: delta.agent.clone() });
            };
            let after = i64::from(member.workload) + delta.delta;
            if delta.ceiling.is_some_and(|ceiling| delta.delta > 0 && after > i64::from(ceiling)) {
                return Err(StoreError::CapacityExceeded { agent: delta.agent.clone() });
            }
        }
        Ok(())
    }

    fn apply(&mut self, change: &Change) {
        for part in change.parts() {
            let row = self.complaints.entry(part.id()).or_insert_with(|| Row {
                state: part.after().clone(),
                next_action_at: None,
                log: Vec::new(),
            });
            row.state = part.after().clone();
            row.next_action_at = part.next_action_at();
            row.log.extend(part.entries().iter().cloned());
        }
        for notice in change.notices() {
            let parcel =
                Parcel { notice: notice.clone(), attempts: 0, free_from: notice.planned_at, fate: Fate::Waiting };
            self.outbox.insert((notice.planned_at, notice.id), parcel);
        }
        for delta in change.workload() {
            if let Some(member) = self.agents.get_mut(&delta.agent) {
                let after = i64::from(member.workload) + delta.delta;
                member.workload = u32::try_from(after).unwrap_or(0);
                member.last_assigned_at = delta.assigned_at.or(member.last_assigned_at);
            }
        }
        if let Some((key, recalled)) = change.idempotency() {
            self.keys.insert(key.clone(), recalled);
        }
    }
}

#[async_trait]
impl AgentStore for MemoryStore {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        let mut shelves = self.shelves();
        if let Some(member) = shelves.agents.get_mut(&agent.id) {
            member.agent = agent.clone();
        } else {
            let member = Member { agent: agent.clone(), workload: 0, last_assigned_at: None };
            shelves.agents.insert(agent.id.clone(), member);
        }
        Ok(())
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        Ok(self.shelves().agents.get(id).cloned())
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        Ok(self.shelves().agents.values().cloned().collect())
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        let mut shelves = self.shelves();
        let waiting = shelves.outbox.values_mut().filter(|parcel| parcel.waits() && parcel.free_from <= now);
        Ok(waiting
            .take(limit as usize)
            .map(|parcel| {
                parcel.attempts += 1;
                parcel.free_from = until;
                ClaimedNotice { notice: parcel.notice.clone(), attempt: parcel.attempts, until }
            })
            .collect())
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut shelves = self.shelves();
        let is_held = |parcel: &&mut Parcel| {
            parcel.notice.id == claimed.notice.id && parcel.waits() && parcel.free_from == claimed.until
        };
        if let Some(parcel) = shelves.outbox.values_mut().find(is_held) {
            match settlement {
                Settlement::Delivered => parcel.fate = Fate::Delivered,
                Settlement::Dead { why } => parcel.fate = Fate::Dead { at: now, why },
                Settlement::Retry { at, .. } => parcel.free_from = at,
                Settlement::Held { until, .. } => {
                    parcel.free_from = until;
                    parcel.attempts = parcel.attempts.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let shelves = self.shelves();
        let waiting = shelves.outbox.values().filter(|parcel| parcel.waits()).map(|parcel| &parcel.notice);
        let mut waiting: Vec<Notice> = waiting.filter(|notice| Some(notice.id) > behind).cloned().collect();
        waiting.sort_by_key(|notice| notice.id);
        waiting.truncate(limit as usize);
        Ok(waiting)
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        let shelves = self.shelves();
        let dead = shelves.outbox.values().filter_map(|parcel| match &parcel.fate {
            Fate::Dead { at, why } => Some(DeadNotice {
                notice: parcel.notice.clone(),
                attempts: parcel.attempts,
                given_up_at: *at,
                why: why.clone(),
            }),
            Fate::Waiting | Fate::Delivered => None,
        });
        let mut dead: Vec<DeadNotice> = dead.filter(|dead| below.is_none_or(|id| dead.notice.id < id)).collect();
        dead.sort_by_key(|dead| Reverse(dead.notice.id));
        dead.truncate(limit as usize);
        Ok(dead)
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut shelves = self.shelves();
        let dead = |parcel: &&mut Parcel| parcel.notice.id == id && matches!(parcel.fate, Fate::Dead { .. });
        let Some(parcel) = shelves.outbox.values_mut().find(dead) else { return Ok(false) };
        (parcel.fate, parcel.attempts, parcel.free_from) = (Fate::Waiting, 0, now);
        Ok(true)
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        let mut shelves = self.shelves();
        let DeadNotice { notice, attempts, given_up_at, why } = dead.clone();
        if shelves.outbox.values().any(|parcel| parcel.notice.id == notice.id) {
            return Ok(false);
        }
        let fate = Fate::Dead { at: given_up_at, why };
        let (at, id) = (notice.planned_at, notice.id);
        shelves.outbox.insert((at, id), Parcel { notice, attempts, free_from: at, fate });
        Ok(true)
    }
}
