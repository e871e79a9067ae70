//! Stores that break one promise each: the model with a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry, Event, Words};
use crate::id::{AgentId, ComplaintId, CustomerId, NoticeId, Version};
use crate::lifecycle::Status;
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::reference::Reference;
use crate::store::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, MemoryStore, Outbox, PAGE_MAX, Page, Part, Query, Recalled,
    Scope, Sort, StoreError, Summary, WorkloadDelta,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    // What was acknowledged is seen.
    LoadsWhatWas,
    FindsNoReference,
    FindsNoReferenceOfTheFinished,
    ForgetsOfComplaints(&'static str),
    /// Which part of a text, and by what it is read.
    LosesWords(&'static str, &'static str),
    RecallsLate,
    // A change is kept whole, or not at all.
    LosesTheSecondPart,
    LosesTheLog,
    LosesTheOutbox,
    LosesTheWorkload,
    ForgetsKeys,
    CommitsHalf,
    KeepsKeysOfTheRefused,
    // Versions.
    IgnoresVersions,
    ChecksVersionsTooEarly,
    MistakesTheVersion,
    OpensAgain,
    // References, ceilings, limits, keys.
    SwallowsTakenReferences,
    CallsTakenReferencesConflicts,
    ChecksReferencesTooEarly,
    ChecksPartsTooEarly,
    IgnoresCeilings,
    ChecksCeilingsTooEarly,
    AssumesCeilings,
    RefusesToFall,
    AcceptsUnknownAgents,
    IgnoresOpenLimits,
    ChecksOpenLimitsTooEarly,
    CountsTheOpenOfOthers,
    CountsTheFinished,
    LooksAtKeysLast,
    MixesOwnersOfKeys,
    JoinsOwnersAndKeys,
    FoldsTheCaseOfKeys,
    // Logs.
    ReversesLogs,
    LeavesGapsInLogs,
    LogsFromTheBeginning,
    IgnoresTheLogLimit,
    MixesLogs,
    RewritesLogs,
    ErasesWords,
    ForgetsCandidates,
    LogsFiftyAtMost,
    // Lists, by what of the query is passed over.
    IgnoresScopes,
    Ignores(&'static str),
    IgnoresInstants,
    IgnoresTheOrder,
    IgnoresThePageLimit,
    OmitsAComplaint,
    OmitsTheMerged,
    ListsWithoutRemedies,
    LosesTies,
    PromisesAnotherPage,
    SearchesAsciiOnly,
    SearchesAsTyped,
    SearchesNoProducts,
    RanksNothing,
    // Due work.
    LosesDueWork,
    ReversesDueWork,
    IgnoresTheInstantOfDueWork,
    IgnoresTheDueLimit,
    NeverMovesDueWork,
    // Counts.
    CountsEverything,
    CountsNothingMissed,
    CountsAnonymousRatings,
    FoldsTheCaseOfCustomers,
    // Agents.
    ForgetsOfAgents(&'static str),
    ForgetsAssignments,
    HidesTheDisabled,
    SavesAgentsOnce,
    SavesAgentsAnew,
    SavesWorkloadsAnew,
    SavesWhatWasRead,
    SkipsWhatAddsNothing,
    OnlyAddsWorkload,
    FindsNobody,
    OmitsAnAgent,
    ReversesTheRoster,
    // The outbox.
    ClaimsTooEarly,
    ClaimsTheNewest,
    ClaimsAsTheyCame,
    IgnoresTheClaimLimit,
    LeasesNothing,
    LeasesForEver,
    CountsNoAttempts,
    RetriesAtOnce,
    SettlesNothing,
    SettlesForAnybody,
    SettlesNothingLate,
    BuriesNothing,
    RevivesTheSettled,
    HidesTheHeld,
    ListsFromTheBeginning,
    IgnoresTheWaitingLimit,
    ReversesTheOutbox,
    CountsWhatIsHeld,
    HoldsNothingBack,
    ListsTheDeadFromTheBeginning,
    IgnoresTheDeadLimit,
    ForgetsWhy,
    RevivesNothing,
    RevivesLeases,
    BuriesAnew,
    BuriesTheLiving,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) load: AtomicUsize,
    pub(super) by_reference: AtomicUsize,
    pub(super) commit: AtomicUsize,
    pub(super) log: AtomicUsize,
    pub(super) search: AtomicUsize,
    pub(super) due: AtomicUsize,
    pub(super) recall: AtomicUsize,
    pub(super) summary: AtomicUsize,
    pub(super) save: AtomicUsize,
    pub(super) find: AtomicUsize,
    pub(super) roster: AtomicUsize,
    pub(super) claim: AtomicUsize,
    pub(super) settle: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    pub(super) dead: AtomicUsize,
    pub(super) revive: AtomicUsize,
    pub(super) bury: AtomicUsize,
}

/// The model with one fault.
pub(super) struct Broken {
    calls: Arc<Calls>,
    model: MemoryStore,
    fault: Fault,
    notes: Mutex<Notes>,
}

/// What a fault has to remember.
#[derive(Debug, Default)]
struct Notes {
    saved: BTreeSet<AgentId>,
    former: BTreeMap<ComplaintId, Complaint>,
    known: BTreeSet<ComplaintId>,
    customers: BTreeSet<CustomerId>,
    /// Notices in the order in which they were planned.
    came: Vec<NoticeId>,
    /// When each was to be looked at, as it was said first.
    first_due: BTreeMap<ComplaintId, DateTime<Utc>>,
    asked: BTreeSet<IdempotencyKey>,
    kept: BTreeMap<IdempotencyKey, Recalled>,
    claimed: BTreeMap<NoticeId, ClaimedNotice>,
    settled: BTreeSet<NoticeId>,
    revived: Vec<ClaimedNotice>,
}

impl Broken {
    pub(super) fn by(fault: Fault) -> Self {
        Self { calls: Arc::default(), model: MemoryStore::new(), fault, notes: Mutex::default() }
    }

    pub(super) fn counted_by(self, calls: &Arc<Calls>) -> Self {
        Self { calls: Arc::clone(calls), ..self }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("lock")
    }

    async fn held(&self, agent: &AgentId) -> Result<i64, StoreError> {
        Ok(self.model.find(agent).await?.map_or(0, |member| i64::from(member.workload)))
    }

    /// What is remembered of a change before it is made.
    async fn note(&self, change: &Change) -> Result<(), StoreError> {
        for part in change.parts() {
            let before = self.model.load(part.id()).await?;
            let mut notes = self.notes();
            notes.known.insert(part.id());
            notes.customers.insert(part.after().customer.clone());
            notes.former.extend(before.map(|state| (part.id(), state)));
            match part.next_action_at() {
                Some(at) => drop(notes.first_due.entry(part.id()).or_insert(at)),
                None => drop(notes.first_due.remove(&part.id())),
            }
        }
        self.notes().came.extend(change.notices().iter().map(|notice| notice.id));
        Ok(())
    }

    fn count(&self, method: fn(&Calls) -> &AtomicUsize) {
        method(&self.calls).fetch_add(1, Ordering::Relaxed);
    }

    /// The parts as if each had been planned on what is stored.
    async fn rebased(&self, change: &Change) -> Vec<Part> {
        let mut parts = Vec::new();
        for part in change.parts() {
            let stored = self.model.load(part.id()).await.expect("load").map_or_else(Default::default, |c| c.version);
            parts.push(Part::new(stored, part.after().clone(), part.entries().to_vec()));
        }
        parts
    }

    /// As a statement that does not ask whose claim it is: by the latest.
    async fn settle_latest(&self, id: NoticeId, how: Settlement, now: DateTime<Utc>) -> Result<(), StoreError> {
        let latest = self.notes().claimed.get(&id).cloned();
        match latest {
            Some(latest) => self.model.settle(&latest, how, now).await,
            None => Ok(()),
        }
    }

    fn member(&self, mut member: Member) -> Member {
        let saved_again = self.notes().saved.contains(&member.agent.id);
        match self.fault {
            Fault::SavesAgentsAnew if saved_again => member.last_assigned_at = None,
            Fault::SavesWorkloadsAnew if saved_again => member.workload = 0,
            _ => {}
        }
        member
    }

    /// What is read there, with the words that the fault leaves of it.
    fn worded<T: Serialize + DeserializeOwned>(&self, reader: &str, read: T) -> T {
        match self.fault {
            Fault::LosesWords(what, by) if by == reader => {
                let mut value = serde_json::to_value(&read).expect("JSON");
                lose_words(&mut value, what);
                serde_json::from_value(value).expect("what was JSON")
            }
            _ => read,
        }
    }

    fn key(&self, key: &IdempotencyKey) -> IdempotencyKey {
        let (owner, name) = match self.fault {
            Fault::MixesOwnersOfKeys => ("everybody", key.key().to_owned()),
            Fault::JoinsOwnersAndKeys => ("everybody", format!("{}:{}", key.owner(), key.key())),
            Fault::FoldsTheCaseOfKeys => (key.owner(), key.key().to_lowercase()),
            _ => (key.owner(), key.key().to_owned()),
        };
        IdempotencyKey::new(owner, name).expect("a key")
    }

    async fn all_within(&self, scope: &Scope) -> Result<Vec<Complaint>, StoreError> {
        let mut all = Vec::new();
        let mut query = Query { limit: PAGE_MAX, ..Query::within(scope.clone()) };
        loop {
            let page = self.model.search(&query).await?;
            all.extend(page.items);
            let Some(next) = page.next else { return Ok(all) };
            query.after = Some(next);
        }
    }

    async fn is_taken(&self, change: &Change) -> Result<bool, StoreError> {
        for part in change.parts() {
            let known = self.model.by_reference(part.after().reference).await?;
            if known.is_some_and(|known| known.id != part.id()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn check_versions(&self, change: &Change) -> Result<(), StoreError> {
        for (part, rebased) in change.parts().iter().zip(self.rebased(change).await) {
            if part.expected() != rebased.expected() {
                return Err(StoreError::Conflict { complaint: part.id(), current: rebased.expected() });
            }
        }
        Ok(())
    }
}

fn keyed(change: Change, of: &Change) -> Change {
    let change = change.within(of.open_limit().cloned());
    match of.idempotency() {
        Some((key, recalled)) => change.under_key(key.clone(), recalled.fingerprint),
        None => change,
    }
}

#[async_trait]
impl ComplaintStore for Broken {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        self.count(|c| &c.load);
        if self.fault == Fault::LoadsWhatWas {
            return Ok(self.notes().former.get(&id).cloned());
        }
        let mut loaded = self.model.load(id).await?;
        if let (Fault::ForgetsOfComplaints(what), Some(complaint)) = (self.fault, &mut loaded) {
            forget_of(complaint, what);
        }
        Ok(self.worded("load", loaded))
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        self.count(|c| &c.by_reference);
        if self.fault == Fault::FindsNoReference {
            return Ok(None);
        }
        let found = self.worded("by_reference", self.model.by_reference(reference).await?);
        let hidden = |it: &Complaint| self.fault == Fault::FindsNoReferenceOfTheFinished && it.status.is_end();
        Ok(found.filter(|it| !hidden(it)))
    }

    #[expect(clippy::too_many_lines, reason = "one arm per fault")]
    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        self.count(|c| &c.commit);
        self.note(change).await?;
        let parts = || change.parts().to_vec();
        let notices = || change.notices().to_vec();
        let workload = || change.workload().to_vec();
        let made = |parts, notices, workload| keyed(Change::new(parts, notices, workload), change);
        let without_ceilings = || {
            let mut workload = workload();
            for delta in &mut workload {
                delta.ceiling = None;
            }
            made(parts(), notices(), workload)
        };
        match self.fault {
            Fault::LosesTheOutbox => self.model.commit(&made(parts(), Vec::new(), workload())).await,
            Fault::LosesTheSecondPart => {
                let first = parts().into_iter().take(1).collect();
                self.model.commit(&made(first, notices(), workload())).await
            }
            Fault::LosesTheLog => {
                let bare = |part: &Part| Part::new(part.expected(), part.after().clone(), Vec::new());
                let bare = change.parts().iter().map(bare).collect();
                self.model.commit(&made(bare, notices(), workload())).await
            }
            Fault::LosesTheWorkload => self.model.commit(&made(parts(), notices(), Vec::new())).await,
            Fault::KeepsKeysOfTheRefused => {
                let done = self.model.commit(change).await;
                if let (Err(_), Some((key, recalled))) = (&done, change.idempotency()) {
                    self.notes().kept.insert(key.clone(), recalled);
                }
                done
            }
            Fault::MistakesTheVersion => match self.model.commit(change).await {
                Err(StoreError::Conflict { complaint, current }) => {
                    Err(StoreError::Conflict { complaint, current: current.next() })
                }
                done => done,
            },
            Fault::OpensAgain => {
                let mut parts = parts();
                for (part, rebased) in parts.iter_mut().zip(self.rebased(change).await) {
                    if part.expected() == Version::NONE {
                        *part = rebased;
                    }
                }
                self.model.commit(&made(parts, notices(), workload())).await
            }
            Fault::CallsTakenReferencesConflicts => match self.model.commit(change).await {
                Err(StoreError::ReferenceTaken) => {
                    Err(StoreError::Conflict { complaint: change.parts()[0].id(), current: Version::NONE })
                }
                done => done,
            },
            Fault::ChecksReferencesTooEarly => {
                if self.is_taken(change).await? {
                    return Err(StoreError::ReferenceTaken);
                }
                tokio::task::yield_now().await;
                match self.model.commit(change).await {
                    Err(StoreError::ReferenceTaken) => Ok(()),
                    done => done,
                }
            }
            Fault::ChecksPartsTooEarly => match self.model.commit(change).await {
                // By what was stored before any of them.
                Err(StoreError::ReferenceTaken) if !self.is_taken(change).await? => Ok(()),
                done => done,
            },
            Fault::SkipsWhatAddsNothing => {
                let some = workload().into_iter().filter(|delta| delta.delta != 0).collect();
                self.model.commit(&made(parts(), notices(), some)).await
            }
            Fault::AssumesCeilings => {
                let mut workload = workload();
                for delta in &mut workload {
                    delta.ceiling = delta.ceiling.or(Some(3));
                }
                self.model.commit(&made(parts(), notices(), workload)).await
            }
            Fault::RefusesToFall => {
                for delta in change.workload().iter().filter(|delta| delta.delta < 0) {
                    if self.held(&delta.agent).await? + delta.delta > 3 {
                        return Err(StoreError::CapacityExceeded { agent: delta.agent.clone() });
                    }
                }
                self.model.commit(change).await
            }
            Fault::CountsTheOpenOfOthers | Fault::CountsTheFinished => {
                if let Some(limit) = change.open_limit() {
                    let count = if self.fault == Fault::CountsTheFinished {
                        self.model.summary(&Scope::Customer(limit.customer.clone())).await?.total()
                    } else {
                        self.model.summary(&Scope::All).await?.open()
                    };
                    if count >= u64::from(limit.most) {
                        return Err(StoreError::OpenLimitReached { customer: limit.customer.clone() });
                    }
                }
                self.model.commit(change).await
            }
            Fault::IgnoresVersions => self.model.commit(&made(self.rebased(change).await, notices(), workload())).await,
            Fault::ChecksVersionsTooEarly => {
                self.check_versions(change).await?;
                tokio::task::yield_now().await;
                self.model.commit(&made(self.rebased(change).await, notices(), workload())).await
            }
            Fault::LooksAtKeysLast => {
                self.check_versions(change).await?;
                self.model.commit(change).await
            }
            Fault::IgnoresCeilings => self.model.commit(&without_ceilings()).await,
            Fault::ChecksCeilingsTooEarly => {
                for delta in change.workload() {
                    let held = self.held(&delta.agent).await?;
                    if delta.ceiling.is_some_and(|ceiling| held + delta.delta > i64::from(ceiling)) {
                        return Err(StoreError::CapacityExceeded { agent: delta.agent.clone() });
                    }
                }
                tokio::task::yield_now().await;
                self.model.commit(&without_ceilings()).await
            }
            Fault::IgnoresOpenLimits => self.model.commit(&change.clone().within(None)).await,
            Fault::ChecksOpenLimitsTooEarly => {
                if let Some(limit) = change.open_limit() {
                    let open = self.model.summary(&Scope::Customer(limit.customer.clone())).await?.open();
                    if open >= u64::from(limit.most) {
                        return Err(StoreError::OpenLimitReached { customer: limit.customer.clone() });
                    }
                }
                tokio::task::yield_now().await;
                self.model.commit(&change.clone().within(None)).await
            }
            Fault::OnlyAddsWorkload => {
                let rising = workload().into_iter().filter(|delta| delta.delta > 0).collect();
                self.model.commit(&made(parts(), notices(), rising)).await
            }
            Fault::ForgetsKeys => self.model.commit(&Change::new(parts(), notices(), workload())).await,
            Fault::MixesOwnersOfKeys | Fault::JoinsOwnersAndKeys | Fault::FoldsTheCaseOfKeys => {
                let plain = Change::new(parts(), notices(), workload());
                match change.idempotency() {
                    Some((key, recalled)) => {
                        let plain = plain.within(change.open_limit().cloned());
                        self.model.commit(&plain.under_key(self.key(key), recalled.fingerprint)).await
                    }
                    None => self.model.commit(&plain).await,
                }
            }
            Fault::CommitsHalf => match self.model.commit(change).await {
                Err(refused) => {
                    let first = Change::new(parts().into_iter().take(1).collect(), Vec::new(), Vec::new());
                    self.model.commit(&first).await.ok();
                    Err(refused)
                }
                done => done,
            },
            Fault::SwallowsTakenReferences => match self.model.commit(change).await {
                Err(StoreError::ReferenceTaken) => Ok(()),
                done => done,
            },
            Fault::AcceptsUnknownAgents => match self.model.commit(change).await {
                Err(StoreError::UnknownAgent { .. }) => self.model.commit(&made(parts(), notices(), Vec::new())).await,
                done => done,
            },
            _ => self.model.commit(change).await,
        }
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.count(|c| &c.log);
        let after = if self.fault == Fault::LogsFromTheBeginning { 0 } else { after };
        let limit = if self.fault == Fault::IgnoresTheLogLimit { u32::MAX } else { limit };
        let mut entries = self.model.log(id, after, limit).await?;
        match self.fault {
            Fault::LeavesGapsInLogs => entries.retain(|entry| entry.seq != 2),
            Fault::MixesLogs => {
                let others: Vec<ComplaintId> =
                    self.notes().known.iter().copied().filter(|other| *other != id).collect();
                for other in others {
                    entries.extend(self.model.log(other, after, limit).await?);
                }
                entries.truncate(limit as usize);
            }
            Fault::ReversesLogs => entries.reverse(),
            Fault::LogsFiftyAtMost => entries.truncate(50),
            Fault::ForgetsCandidates => {
                for entry in &mut entries {
                    if let Event::Assigned { routing, .. } | Event::Reassigned { routing, .. } = &mut entry.event {
                        routing.candidates.clear();
                    }
                }
            }
            Fault::ErasesWords => entries.iter_mut().for_each(|entry| entry.words = Words::none()),
            Fault::RewritesLogs => {
                let version = self.model.load(id).await?.map_or_else(Default::default, |c| c.version);
                for entry in &mut entries {
                    entry.version = version;
                }
            }
            _ => {}
        }
        Ok(self.worded("log", entries))
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        self.count(|c| &c.search);
        let mut query = query.clone();
        match self.fault {
            Fault::IgnoresScopes => query.scope = Scope::All,
            Fault::LosesTies => {
                query.after = query.after.map(|mut after| {
                    after.id = ComplaintId::from_uuid(uuid::Uuid::max());
                    after
                });
            }
            Fault::IgnoresInstants => {
                (query.received_from, query.received_before, query.promised_before) = (None, None, None);
            }
            Fault::Ignores("statuses") => query.statuses.clear(),
            Fault::Ignores("category") => query.category = None,
            Fault::Ignores("handlers") => query.handlers.clear(),
            Fault::Ignores("customer") => query.customer = None,
            Fault::Ignores("level") => query.level = None,
            Fault::Ignores("promised_before") => query.promised_before = None,
            Fault::Ignores("missed") => query.missed = false,
            Fault::Ignores("text") => query.text = None,
            Fault::Ignores(other) => panic!("no filter is called {other}"),
            Fault::IgnoresTheOrder => query.sort = Sort::Newest,
            Fault::IgnoresThePageLimit => query.limit = PAGE_MAX,
            Fault::RanksNothing if query.sort == Sort::Relevance => query.sort = Sort::Newest,
            Fault::SearchesAsciiOnly => {
                query.text = query.text.map(|text| text.chars().filter(char::is_ascii).collect());
            }
            _ => {}
        }
        let mut page = self.model.search(&query).await?;
        match self.fault {
            Fault::OmitsAComplaint if page.next.is_none() => {
                page.items.pop();
            }
            Fault::OmitsTheMerged => page.items.retain(|item| item.status != Status::Merged),
            Fault::SearchesNoProducts => {
                page.items.retain(|item| query.matches(&Complaint { product: None, ..item.clone() }));
            }
            Fault::SearchesAsTyped => {
                let typed = query.text.clone().unwrap_or_default();
                page.items.retain(|item| {
                    let known = item.searchable();
                    typed.split_whitespace().all(|word| known.contains(word))
                });
            }
            Fault::ListsWithoutRemedies => page.items.iter_mut().for_each(|item| item.remedies.clear()),
            Fault::PromisesAnotherPage if page.next.is_none() => {
                page.next = page.items.last().map(|last| query.place_of(last));
            }
            _ => {}
        }
        page.items = self.worded("search", page.items);
        Ok(page)
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        self.count(|c| &c.due);
        let at = if self.fault == Fault::IgnoresTheInstantOfDueWork { DateTime::<Utc>::MAX_UTC } else { at };
        let limit = if self.fault == Fault::IgnoresTheDueLimit { u32::MAX } else { limit };
        if self.fault == Fault::NeverMovesDueWork {
            let notes = self.notes();
            let due: BTreeSet<_> =
                notes.first_due.iter().filter(|(_, due)| **due <= at).map(|(id, due)| (*due, *id)).collect();
            return Ok(due.into_iter().map(|(_, id)| id).take(limit as usize).collect());
        }
        let mut due = self.model.due(at, limit).await?;
        match self.fault {
            Fault::ReversesDueWork => due.reverse(),
            Fault::LosesDueWork => {
                due.pop();
            }
            _ => {}
        }
        Ok(due)
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        self.count(|c| &c.recall);
        let kept = self.notes().kept.get(key).cloned();
        let recalled = self.model.recall(&self.key(key)).await?.or(kept);
        let late = recalled.is_some() && self.fault == Fault::RecallsLate && self.notes().asked.insert(key.clone());
        Ok(recalled.filter(|_| !late))
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        self.count(|c| &c.summary);
        let scope = if self.fault == Fault::CountsEverything { &Scope::All } else { scope };
        let mut summary = self.model.summary(scope).await?;
        match (self.fault, scope) {
            (Fault::CountsNothingMissed, _) => summary.open_with_missed_deadline = 0,
            (Fault::FoldsTheCaseOfCustomers, Scope::Customer(customer)) => {
                let alike = |other: &&CustomerId| other.as_str().eq_ignore_ascii_case(customer.as_str());
                let alike: Vec<CustomerId> = self.notes().customers.iter().filter(alike).cloned().collect();
                for other in alike.into_iter().filter(|other| other != customer) {
                    for complaint in self.all_within(&Scope::Customer(other)).await? {
                        summary.add(&complaint);
                    }
                }
            }
            (Fault::CountsAnonymousRatings, scope) => {
                for complaint in self.all_within(scope).await? {
                    for feedback in complaint.feedback.iter().filter(|feedback| feedback.anonymous) {
                        *summary.ratings.entry(feedback.score).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
        Ok(summary)
    }
}

#[async_trait]
impl AgentStore for Broken {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        self.count(|c| &c.save);
        if self.model.find(&agent.id).await?.is_some() {
            self.notes().saved.insert(agent.id.clone());
            if self.fault == Fault::SavesAgentsOnce {
                return Ok(());
            }
        }
        let mut agent = agent.clone();
        if let Fault::ForgetsOfAgents(field) = self.fault {
            forget(&mut agent, field);
        }
        let read = self.held(&agent.id).await?;
        if self.fault == Fault::SavesWhatWasRead {
            tokio::task::yield_now().await;
        }
        self.model.save(&agent).await?;
        if self.fault == Fault::SavesWhatWasRead {
            let back = read - self.held(&agent.id).await?;
            let back = WorkloadDelta { agent: agent.id.clone(), delta: back, ceiling: None, assigned_at: None };
            self.model.commit(&Change::new(Vec::new(), Vec::new(), vec![back])).await?;
        }
        Ok(())
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        self.count(|c| &c.find);
        if self.fault == Fault::FindsNobody {
            return Ok(None);
        }
        Ok(self.model.find(id).await?.map(|member| self.member(member)))
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        self.count(|c| &c.roster);
        let mut roster: Vec<Member> = self.model.roster().await?.into_iter().map(|m| self.member(m)).collect();
        match self.fault {
            Fault::ReversesTheRoster => roster.reverse(),
            Fault::HidesTheDisabled => roster.retain(|member| member.agent.enabled),
            // Those who are found still have them.
            Fault::ForgetsAssignments => roster.iter_mut().for_each(|member| member.last_assigned_at = None),
            Fault::OmitsAnAgent => {
                roster.pop();
            }
            _ => {}
        }
        Ok(roster)
    }
}

/// Takes that part from every text, as a column does that is too narrow or knows no blanks at the ends.
fn lose_words(value: &mut Value, what: &str) {
    match value {
        Value::String(text) => {
            *text = match what {
                "after 255 characters" => text.chars().take(255).collect(),
                "after 4000 characters" => text.chars().take(4_000).collect(),
                "after 65535 bytes" => text[..text.floor_char_boundary(65_535)].to_owned(),
                "blanks before" => text.trim_start().to_owned(),
                "blanks behind" => text.trim_end().to_owned(),
                other => panic!("no part is called {other}"),
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lose_words(item, what)),
        Value::Object(members) => members.values_mut().for_each(|member| lose_words(member, what)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves out a part of a complaint that most complaints do not have.
fn forget_of(complaint: &mut Complaint, what: &str) {
    match what {
        "segments" => {
            for deadline in &mut complaint.deadlines {
                Arc::make_mut(deadline).segments.truncate(1);
            }
        }
        "promises of the law" => {
            for deadline in &mut complaint.deadlines {
                Arc::make_mut(deadline).promise = None;
            }
        }
        "remedies" => complaint.remedies.clear(),
        "attachments" => complaint.attachments.clear(),
        "exclusions" => complaint.exclusions.clear(),
        "proposal" => complaint.proposal = None,
        "question" => complaint.question = None,
        "routing" => complaint.routing = None,
        "feedback" => complaint.feedback.clear(),
        "dismissal" => complaint.dismissal = None,
        "end elsewhere" => complaint.ended_elsewhere = None,
        "consents" => complaint.consents.clear(),
        other => panic!("nothing is called {other}"),
    }
}

/// Leaves one field of an agent as it is where nothing was said of it.
fn forget(agent: &mut Agent, field: &str) {
    let blank = Agent::named(agent.id.as_str(), "Somebody").expect("an agent");
    match field {
        "name" => agent.name = blank.name,
        "level" => agent.level = blank.level,
        "skills" => agent.skills = blank.skills,
        "areas" => agent.areas = blank.areas,
        "languages" => agent.languages = blank.languages,
        "capacity" => agent.capacity = blank.capacity,
        "enabled" => agent.enabled = blank.enabled,
        "absence" => agent.absence = blank.absence,
        "reports_to" => agent.reports_to = blank.reports_to,
        "shift" => agent.shift = blank.shift,
        "conflicts" => agent.conflicts = blank.conflicts,
        other => panic!("no field is called {other}"),
    }
}

#[async_trait]
impl Outbox for Broken {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        self.count(|c| &c.claim);
        let until = match self.fault {
            Fault::LeasesNothing => now,
            Fault::LeasesForEver => until + TimeDelta::days(3_650),
            _ => until,
        };
        let at = if self.fault == Fault::ClaimsTooEarly { now + TimeDelta::days(3_650) } else { now };
        let all = matches!(self.fault, Fault::IgnoresTheClaimLimit | Fault::ClaimsTheNewest | Fault::ClaimsAsTheyCame);
        let mut claimed = self.model.claim(at, until, if all { u32::MAX } else { limit }).await?;
        if self.fault == Fault::ClaimsTheNewest {
            let older = claimed.len().saturating_sub(limit as usize);
            for passed_over in claimed.drain(..older) {
                let back = Settlement::Retry { at: now, why: "passed over".into() };
                self.model.settle(&passed_over, back, now).await?;
            }
        }
        if self.fault == Fault::ClaimsAsTheyCame {
            let came = self.notes().came.clone();
            claimed.sort_by_key(|claimed| came.iter().position(|id| *id == claimed.notice.id));
            for passed_over in claimed.split_off(claimed.len().min(limit as usize)) {
                let back = Settlement::Retry { at: now, why: "passed over".into() };
                self.model.settle(&passed_over, back, now).await?;
            }
        }
        for claimed in &mut claimed {
            claimed.notice.text = self.worded("claim", claimed.notice.text.take());
        }
        if self.fault == Fault::CountsNoAttempts {
            for claimed in &mut claimed {
                claimed.attempt = 1;
            }
        }
        let mut notes = self.notes();
        notes.claimed.extend(claimed.iter().map(|claimed| (claimed.notice.id, claimed.clone())));
        claimed.append(&mut notes.revived);
        Ok(claimed)
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.count(|c| &c.settle);
        let id = claimed.notice.id;
        if self.fault == Fault::RevivesTheSettled {
            let mut notes = self.notes();
            match settlement {
                Settlement::Retry { .. } if notes.settled.contains(&id) => {
                    let parcel = notes.claimed.get(&id).cloned();
                    notes.revived.extend(parcel);
                }
                Settlement::Retry { .. } | Settlement::Held { .. } => {}
                Settlement::Delivered | Settlement::Dead { .. } => {
                    notes.settled.insert(id);
                }
            }
        }
        match (self.fault, settlement) {
            (Fault::SettlesNothing, _) => Ok(()),
            (Fault::SettlesForAnybody, settlement) => self.settle_latest(id, settlement, now).await,
            (Fault::SettlesNothingLate, _) if claimed.until <= now => Ok(()),
            (Fault::BuriesNothing, Settlement::Dead { why }) => {
                self.model.settle(claimed, Settlement::Retry { at: now, why }, now).await
            }
            (Fault::CountsWhatIsHeld, Settlement::Held { until: at, why }) => {
                self.model.settle(claimed, Settlement::Retry { at, why }, now).await
            }
            (Fault::HoldsNothingBack, Settlement::Held { why, .. }) => {
                self.model.settle(claimed, Settlement::Held { until: now, why }, now).await
            }
            (Fault::RetriesAtOnce, Settlement::Retry { why, .. }) => {
                self.model.settle(claimed, Settlement::Retry { at: now, why }, now).await
            }
            (_, settlement) => self.model.settle(claimed, settlement, now).await,
        }
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.count(|c| &c.waiting);
        let behind = behind.filter(|_| self.fault != Fault::ListsFromTheBeginning);
        let limit = if self.fault == Fault::IgnoresTheWaitingLimit { u32::MAX } else { limit };
        let mut waiting = self.model.waiting(behind, limit).await?;
        match self.fault {
            Fault::ReversesTheOutbox => waiting.reverse(),
            Fault::HidesTheHeld => waiting.retain(|notice| !self.notes().claimed.contains_key(&notice.id)),
            _ => {}
        }
        Ok(waiting)
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        self.count(|c| &c.dead);
        let below = below.filter(|_| self.fault != Fault::ListsTheDeadFromTheBeginning);
        let limit = if self.fault == Fault::IgnoresTheDeadLimit { u32::MAX } else { limit };
        let mut dead = self.model.dead(below, limit).await?;
        if self.fault == Fault::ForgetsWhy {
            for dead in &mut dead {
                dead.why.clear();
            }
        }
        Ok(dead)
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.count(|c| &c.revive);
        match self.fault {
            Fault::RevivesNothing => Ok(false),
            Fault::RevivesLeases => {
                let revived = self.model.revive(id, now).await?;
                // As a statement that does not ask whether it was given up.
                self.settle_latest(id, Settlement::Retry { at: now, why: String::new() }, now).await?;
                Ok(revived)
            }
            _ => self.model.revive(id, now).await,
        }
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        self.count(|c| &c.bury);
        match self.fault {
            Fault::BuriesAnew => self.model.bury(&DeadNotice { attempts: 0, ..dead.clone() }).await,
            Fault::BuriesTheLiving => {
                let buried = self.model.bury(dead).await?;
                // As a statement that replaces what is there.
                let fate = Settlement::Dead { why: dead.why.clone() };
                self.settle_latest(dead.notice.id, fate, dead.given_up_at).await?;
                Ok(buried)
            }
            _ => self.model.bury(dead).await,
        }
    }
}
