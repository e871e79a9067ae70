//! The model keeps every promise, and for each promise there is a store that breaks it and is found out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{CASES, Case};
use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry, Words};
use crate::id::{AgentId, ComplaintId, NoticeId};
use crate::notice::{ClaimedNotice, Notice, Settlement};
use crate::reference::Reference;
use crate::store::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, MemoryStore, Outbox, Page, Part, Query, Recalled, Scope, Sort,
    Store, StoreError, Summary,
};

mod memory {
    use std::future::{Ready, ready};

    use crate::store::MemoryStore;

    fn fresh() -> Ready<Box<MemoryStore>> {
        ready(Box::new(MemoryStore::new()))
    }

    crate::store_conformance!(fresh);
}

mod behind_an_arc {
    use std::future::{Ready, ready};
    use std::sync::Arc;

    use crate::store::{MemoryStore, Store};

    fn fresh() -> Ready<Arc<dyn Store>> {
        ready(Arc::new(MemoryStore::new()))
    }

    crate::store_conformance!(fresh);
}

mod nowhere {
    use std::future::{Ready, ready};

    use crate::store::MemoryStore;

    fn fresh() -> Ready<Option<Box<MemoryStore>>> {
        ready(None)
    }

    crate::store_conformance!(fresh?);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    LosesTheOutbox,
    CommitsHalf,
    FindsNoReference,
    IgnoresVersions,
    ChecksVersionsTooEarly,
    SwallowsTakenReferences,
    IgnoresCeilings,
    ChecksCeilingsTooEarly,
    IgnoresOpenLimits,
    ChecksOpenLimitsTooEarly,
    AcceptsUnknownAgents,
    ForgetsKeys,
    LooksAtKeysLast,
    MixesOwnersOfKeys,
    ReversesLogs,
    RewritesLogs,
    ErasesWords,
    IgnoresScopes,
    LosesTies,
    SearchesAsciiOnly,
    IgnoresInstants,
    RanksNothing,
    ReversesDueWork,
    CountsEverything,
    SavesAgentsAnew,
    OnlyAddsWorkload,
    ReversesTheRoster,
    LeasesNothing,
    LeasesForEver,
    RetriesAtOnce,
    SettlesNothing,
    ListsFromTheBeginning,
    ReversesTheOutbox,
}

/// Which fault is found by which case; every case is here.
const FOUND: &[(Fault, &str)] = &[
    (Fault::FindsNoReference, "what_is_committed_is_loaded"),
    (Fault::LosesTheOutbox, "a_change_is_committed_whole"),
    (Fault::CommitsHalf, "a_refused_change_leaves_nothing"),
    (Fault::IgnoresVersions, "a_stale_version_is_a_conflict"),
    (Fault::IgnoresVersions, "one_of_many_writers_wins"),
    (Fault::ChecksVersionsTooEarly, "one_of_many_writers_wins"),
    (Fault::SwallowsTakenReferences, "a_taken_reference_is_refused"),
    (Fault::IgnoresCeilings, "a_ceiling_is_not_exceeded"),
    (Fault::ChecksCeilingsTooEarly, "a_ceiling_holds_against_many_writers"),
    (Fault::IgnoresOpenLimits, "a_limit_of_open_complaints_is_kept"),
    (Fault::ChecksOpenLimitsTooEarly, "a_limit_of_open_complaints_holds_against_many_writers"),
    (Fault::AcceptsUnknownAgents, "an_agent_never_saved_is_given_nothing"),
    (Fault::ForgetsKeys, "a_used_key_is_refused_first"),
    (Fault::LooksAtKeysLast, "a_used_key_is_refused_first"),
    (Fault::ForgetsKeys, "a_key_recalls_what_was_committed"),
    (Fault::MixesOwnersOfKeys, "a_key_recalls_what_was_committed"),
    (Fault::ReversesLogs, "the_log_is_in_order_without_gaps"),
    (Fault::RewritesLogs, "the_log_never_changes"),
    (Fault::ErasesWords, "the_log_rebuilds_the_state"),
    (Fault::IgnoresScopes, "a_list_is_what_matches"),
    (Fault::LosesTies, "pages_give_each_complaint_once"),
    (Fault::SearchesAsciiOnly, "words_are_found_by_their_beginnings"),
    (Fault::IgnoresInstants, "a_list_is_what_matches"),
    (Fault::RanksNothing, "what_matches_better_comes_first"),
    (Fault::ReversesDueWork, "due_work_is_complete_and_oldest_first"),
    (Fault::CountsEverything, "a_summary_counts_what_a_search_finds"),
    (Fault::SavesAgentsAnew, "saving_an_agent_keeps_what_they_hold"),
    (Fault::OnlyAddsWorkload, "a_workload_is_the_sum_of_open_weights"),
    (Fault::ReversesTheRoster, "the_roster_is_in_the_order_of_ids"),
    (Fault::LeasesNothing, "a_notice_is_held_by_one_courier"),
    (Fault::LeasesForEver, "an_unsettled_notice_returns"),
    (Fault::RetriesAtOnce, "a_retry_waits_for_its_instant"),
    (Fault::SettlesNothing, "delivered_and_dead_are_final"),
    (Fault::ListsFromTheBeginning, "what_waits_is_listed_in_the_order_of_ids"),
    (Fault::ReversesTheOutbox, "what_waits_is_listed_in_the_order_of_ids"),
];

#[tokio::test]
async fn each_promise_broken_on_purpose_is_found() {
    let covered: BTreeSet<&str> = FOUND.iter().map(|(_, case)| *case).collect();
    assert_eq!(covered, CASES.iter().map(|case| case.name).collect(), "a case that nothing proves able to fail");
    for (fault, case) in FOUND {
        assert!(fails(Broken::by(*fault), case).await, "{case} did not find {fault:?}");
    }
}

#[tokio::test]
async fn together_the_cases_reach_every_method() {
    let methods: [fn(&Calls) -> &AtomicUsize; 14] = [
        |c| &c.load,
        |c| &c.by_reference,
        |c| &c.commit,
        |c| &c.log,
        |c| &c.search,
        |c| &c.due,
        |c| &c.recall,
        |c| &c.summary,
        |c| &c.save,
        |c| &c.find,
        |c| &c.roster,
        |c| &c.claim,
        |c| &c.settle,
        |c| &c.waiting,
    ];
    let calls = Arc::new(Calls::default());
    for case in CASES {
        case.run(&Broken { calls: Arc::clone(&calls), ..Broken::by(Fault::None) }).await;
    }
    for (at, method) in methods.iter().enumerate() {
        assert!(method(&calls).load(Ordering::Relaxed) > 0, "method {at} is never called");
    }
}

#[tokio::test]
async fn random_sequences_agree_with_the_model_and_find_what_is_broken() {
    for seed in 0..50 {
        super::agrees_with_the_model(&Broken::by(Fault::None), seed, 60).await;
    }
    for (fault, _) in FOUND {
        let mut found = false;
        for seed in 0..40 {
            let store = Broken::by(*fault);
            let trial = async move { super::agrees_with_the_model(&store, seed, 60).await };
            // On a task of its own, because a difference panics.
            if tokio::spawn(trial).await.is_err() {
                found = true;
                break;
            }
        }
        assert!(found, "no sequence found {fault:?}");
    }
}

async fn fails(store: Broken, case: &str) -> bool {
    let case = Case::named(case).expect("a case of this name");
    // On a task of its own, because a broken promise panics.
    tokio::spawn(async move { case.run(&store as &dyn Store).await }).await.is_err()
}

#[derive(Debug, Default)]
struct Calls {
    load: AtomicUsize,
    by_reference: AtomicUsize,
    commit: AtomicUsize,
    log: AtomicUsize,
    search: AtomicUsize,
    due: AtomicUsize,
    recall: AtomicUsize,
    summary: AtomicUsize,
    save: AtomicUsize,
    find: AtomicUsize,
    roster: AtomicUsize,
    claim: AtomicUsize,
    settle: AtomicUsize,
    waiting: AtomicUsize,
}

/// The model with one fault.
struct Broken {
    model: MemoryStore,
    fault: Fault,
    calls: Arc<Calls>,
    saved: Mutex<BTreeSet<AgentId>>,
}

impl Broken {
    fn by(fault: Fault) -> Self {
        Self { model: MemoryStore::new(), fault, calls: Arc::default(), saved: Mutex::default() }
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

    fn member(&self, mut member: Member) -> Member {
        if self.fault == Fault::SavesAgentsAnew && self.saved.lock().expect("lock").contains(&member.agent.id) {
            member.last_assigned_at = None;
        }
        member
    }

    fn key(&self, key: &IdempotencyKey) -> IdempotencyKey {
        let owner = if self.fault == Fault::MixesOwnersOfKeys { "everybody" } else { key.owner() };
        IdempotencyKey::new(owner, key.key()).expect("a key")
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
        self.model.load(id).await
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        self.count(|c| &c.by_reference);
        if self.fault == Fault::FindsNoReference {
            return Ok(None);
        }
        self.model.by_reference(reference).await
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        self.count(|c| &c.commit);
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
                    let held = self.model.find(&delta.agent).await?.map_or(0, |member| i64::from(member.workload));
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
            Fault::MixesOwnersOfKeys => {
                let plain = Change::new(parts(), notices(), workload());
                match change.idempotency() {
                    Some((key, recalled)) => {
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
        let mut entries = self.model.log(id, after, limit).await?;
        match self.fault {
            Fault::ReversesLogs => entries.reverse(),
            Fault::ErasesWords => entries.iter_mut().for_each(|entry| entry.words = Words::none()),
            Fault::RewritesLogs => {
                let version = self.model.load(id).await?.map_or_else(Default::default, |c| c.version);
                for entry in &mut entries {
                    entry.version = version;
                }
            }
            _ => {}
        }
        Ok(entries)
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
            Fault::RanksNothing if query.sort == Sort::Relevance => query.sort = Sort::Newest,
            Fault::SearchesAsciiOnly => {
                query.text = query.text.map(|text| text.chars().filter(char::is_ascii).collect());
            }
            _ => {}
        }
        self.model.search(&query).await
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        self.count(|c| &c.due);
        let mut due = self.model.due(at, limit).await?;
        if self.fault == Fault::ReversesDueWork {
            due.reverse();
        }
        Ok(due)
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        self.count(|c| &c.recall);
        self.model.recall(&self.key(key)).await
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        self.count(|c| &c.summary);
        let scope = if self.fault == Fault::CountsEverything { &Scope::All } else { scope };
        self.model.summary(scope).await
    }
}

#[async_trait]
impl AgentStore for Broken {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        self.count(|c| &c.save);
        if self.model.find(&agent.id).await?.is_some() {
            self.saved.lock().expect("lock").insert(agent.id.clone());
        }
        self.model.save(agent).await
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        self.count(|c| &c.find);
        Ok(self.model.find(id).await?.map(|member| self.member(member)))
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        self.count(|c| &c.roster);
        let mut roster: Vec<Member> = self.model.roster().await?.into_iter().map(|m| self.member(m)).collect();
        if self.fault == Fault::ReversesTheRoster {
            roster.reverse();
        }
        Ok(roster)
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
        self.model.claim(now, until, limit).await
    }

    async fn settle(&self, id: NoticeId, settlement: Settlement, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.count(|c| &c.settle);
        match (self.fault, settlement) {
            (Fault::SettlesNothing, _) => Ok(()),
            (Fault::RetriesAtOnce, Settlement::Retry { why, .. }) => {
                self.model.settle(id, Settlement::Retry { at: now, why }, now).await
            }
            (_, settlement) => self.model.settle(id, settlement, now).await,
        }
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.count(|c| &c.waiting);
        let behind = behind.filter(|_| self.fault != Fault::ListsFromTheBeginning);
        let mut waiting = self.model.waiting(behind, limit).await?;
        if self.fault == Fault::ReversesTheOutbox {
            waiting.reverse();
        }
        Ok(waiting)
    }
}
