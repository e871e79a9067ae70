//! Stores and notifiers that fail on purpose: which call, how, and for how long is up to the test.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{AgentId, ComplaintId, NoticeId};
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::notifier::{Notifier, NotifyError};
use crate::reference::Reference;
use crate::store::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, Outbox, Page, Query, Recalled, Scope, Store, StoreError,
    Summary,
};

/// A method of the traits that can fail.
///
/// Example: [`Faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// [`ComplaintStore::load`].
    Load,
    /// [`ComplaintStore::by_reference`].
    ByReference,
    /// [`ComplaintStore::commit`].
    Commit,
    /// [`ComplaintStore::log`].
    Log,
    /// [`ComplaintStore::search`].
    Search,
    /// [`ComplaintStore::due`].
    Due,
    /// [`ComplaintStore::recall`].
    Recall,
    /// [`ComplaintStore::summary`].
    Summary,
    /// [`AgentStore::save`].
    Save,
    /// [`AgentStore::find`].
    Find,
    /// [`AgentStore::roster`].
    Roster,
    /// [`Outbox::claim`].
    Claim,
    /// [`Outbox::settle`].
    Settle,
    /// [`Outbox::waiting`].
    Waiting,
    /// [`Outbox::dead`].
    Dead,
    /// [`Outbox::revive`].
    Revive,
    /// [`Outbox::bury`].
    Bury,
    /// [`Notifier::deliver`].
    Deliver,
}

/// How a call fails.
///
/// Example: [`Faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing is done, and trying again can help.
    Unavailable,
    /// Nothing is done, and trying again cannot help.
    Broken,
    /// It is done and the answer is lost: of a store [`StoreError::OutcomeUnknown`], of a notifier
    /// [`NotifyError::Later`].
    AnswerLost,
    /// It is done twice, as by a layer below that repeats by itself; the second answer counts.
    Twice,
    /// It is not begun before [`Faults::release`]: a delay that is over when the test says so, never by a clock.
    Delayed,
}

/// One call, as a [`Hook`] learns of it.
///
/// Example: [`Hook`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Of which method.
    pub method: Method,
    /// Which call of this method, from 1.
    pub of_method: u32,
    /// Which call of all, from 1.
    pub of_all: u32,
}

/// Told of every call before it is made and after it was made; the call waits for it, as long as a test wants to hold it up.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use async_trait::async_trait;
/// use complaint_core::store::{AgentStore, MemoryStore};
/// use complaint_core::testing::{Call, Faults, FaultyStore, Hook, Method};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// #[derive(Default)]
/// struct Called(Mutex<Vec<Method>>);
///
/// #[async_trait]
/// impl Hook for Called {
///     async fn before(&self, call: Call) {
///         self.0.lock().expect("no panic").push(call.method);
///     }
///
///     async fn after(&self, _call: Call) {}
/// }
///
/// let called = Arc::new(Called::default());
/// let store = FaultyStore::over(Arc::new(MemoryStore::new()), &Faults::none().with_hook(called.clone()));
/// store.roster().await?;
/// assert_eq!(*called.0.lock().expect("no panic"), [Method::Roster]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait Hook: Send + Sync {
    /// The call is about to be made.
    async fn before(&self, call: Call);

    /// The call was made, or failed on purpose.
    async fn after(&self, call: Call);
}

/// Which calls fail, and how: shared by the wrappers it is given to, so that their calls are counted together.
///
/// ```
/// use std::sync::Arc;
/// use complaint_core::store::{AgentStore, MemoryStore};
/// use complaint_core::testing::{Fault, Faults, FaultyStore, Method};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let faults = Faults::none();
/// let store = FaultyStore::over(Arc::new(MemoryStore::new()), &faults);
/// faults.once(Method::Roster, 2, Fault::Unavailable);
/// assert!(store.roster().await.is_ok());
/// assert!(store.roster().await.is_err_and(|error| error.is_transient()));
/// assert!(store.roster().await.is_ok());
///
/// faults.once_of_all(4, Fault::Broken);
/// assert!(store.roster().await.is_err_and(|error| !error.is_transient()));
/// faults.from_then_on(Method::Roster, 5, Fault::Unavailable);
/// assert!(store.roster().await.is_err() && store.roster().await.is_err());
/// assert_eq!((faults.calls(), faults.calls_of(Method::Roster), faults.struck()), (6, 6, 4));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    hook: Option<Arc<dyn Hook>>,
}

#[derive(Default)]
struct Plan {
    rules: Vec<Rule>,
    all: u32,
    each: BTreeMap<Method, u32>,
    struck: u32,
    /// Calls that are delayed, by their number of all.
    held: BTreeMap<u32, Waker>,
}

#[derive(Clone, Copy)]
struct Rule {
    /// `None`: any method, counted over all calls.
    method: Option<Method>,
    first: u32,
    last: u32,
    fault: Fault,
}

impl Faults {
    /// Nothing fails yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// The n-th call of a method fails, counted from 1 over all that were ever made.
    pub fn once(&self, method: Method, nth: u32, fault: Fault) {
        self.rule(Rule { method: Some(method), first: nth, last: nth, fault });
    }

    /// The n-th call of a method and all after it fail, until [`Faults::mend`].
    pub fn from_then_on(&self, method: Method, nth: u32, fault: Fault) {
        self.rule(Rule { method: Some(method), first: nth, last: u32::MAX, fault });
    }

    /// The n-th call of all fails, of whichever method it is.
    pub fn once_of_all(&self, nth: u32, fault: Fault) {
        self.rule(Rule { method: None, first: nth, last: nth, fault });
    }

    /// Lets the delayed calls go on that are held now.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use complaint_core::store::{AgentStore, MemoryStore};
    /// use complaint_core::testing::{Fault, Faults, FaultyStore, Method};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let faults = Faults::none();
    /// let store = FaultyStore::over(Arc::new(MemoryStore::new()), &faults);
    /// faults.once(Method::Roster, 1, Fault::Delayed);
    /// let slow = tokio::spawn(async move { store.roster().await.is_ok() });
    /// while faults.held() == 0 {
    ///     tokio::task::yield_now().await;
    /// }
    /// assert!(!slow.is_finished());
    /// faults.release();
    /// assert!(slow.await?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self) {
        let held = std::mem::take(&mut self.plan().held);
        held.into_values().for_each(Waker::wake);
    }

    /// How many calls are delayed now.
    ///
    /// Example: [`Faults::release`].
    pub fn held(&self) -> usize {
        self.plan().held.len()
    }

    /// From now on nothing fails. What is delayed goes on being held.
    pub fn mend(&self) {
        self.plan().rules.clear();
    }

    /// Tells this hook of every call; of wrappers made afterwards.
    pub fn with_hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hook = Some(hook);
        self
    }

    /// How many calls were made.
    pub fn calls(&self) -> u32 {
        self.plan().all
    }

    /// How many calls of a method were made.
    pub fn calls_of(&self, method: Method) -> u32 {
        self.plan().each.get(&method).copied().unwrap_or_default()
    }

    /// How many calls failed on purpose.
    pub fn struck(&self) -> u32 {
        self.plan().struck
    }

    fn rule(&self, rule: Rule) {
        self.plan().rules.push(rule);
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter(&self, method: Method) -> (Call, Option<Fault>) {
        let (call, fault) = self.plan().count(method);
        if let Some(hook) = &self.hook {
            hook.before(call).await;
        }
        if fault == Some(Fault::Delayed) {
            Held { faults: self, call, begun: false }.await;
        }
        (call, fault)
    }

    async fn leave(&self, call: Call) {
        if let Some(hook) = &self.hook {
            hook.after(call).await;
        }
    }
}

/// A call that waits to be released.
struct Held<'a> {
    faults: &'a Faults,
    call: Call,
    begun: bool,
}

impl Future for Held<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let begun = std::mem::replace(&mut self.begun, true);
        let mut plan = self.faults.plan();
        if begun && !plan.held.contains_key(&self.call.of_all) {
            return Poll::Ready(());
        }
        plan.held.insert(self.call.of_all, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Held<'_> {
    // Whoever made the call may have given it up.
    fn drop(&mut self) {
        self.faults.plan().held.remove(&self.call.of_all);
    }
}

impl Plan {
    fn count(&mut self, method: Method) -> (Call, Option<Fault>) {
        self.all += 1;
        let of_method = self.each.entry(method).or_default();
        *of_method += 1;
        let call = Call { method, of_method: *of_method, of_all: self.all };
        let strikes = |rule: &&Rule| match rule.method {
            Some(of) => of == method && (rule.first..=rule.last).contains(&call.of_method),
            None => (rule.first..=rule.last).contains(&call.of_all),
        };
        let fault = self.rules.iter().find(strikes).map(|rule| rule.fault);
        self.struck += u32::from(fault.is_some());
        (call, fault)
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls()).field("struck", &self.struck()).finish_non_exhaustive()
    }
}

/// What a fault on purpose says.
#[derive(Debug, thiserror::Error)]
#[error("it failed on purpose")]
struct OnPurpose;

/// A store that fails when [`Faults`] say so.
///
/// Example: [`Faults`].
pub struct FaultyStore {
    store: Arc<dyn Store>,
    faults: Faults,
}

impl FaultyStore {
    /// Over a store that keeps its promises.
    pub fn over(store: Arc<dyn Store>, faults: &Faults) -> Self {
        Self { store, faults: faults.clone() }
    }

    async fn through<T, F, W>(&self, method: Method, work: W) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
        W: Fn() -> F + Send,
        T: Send,
    {
        let (call, fault) = self.faults.enter(method).await;
        let answer = match fault {
            None | Some(Fault::Delayed) => work().await,
            Some(Fault::Unavailable) => Err(StoreError::Unavailable(Box::new(OnPurpose))),
            Some(Fault::Broken) => Err(StoreError::Unusable(OnPurpose.to_string())),
            Some(Fault::AnswerLost) => match work().await {
                Ok(_) => Err(StoreError::OutcomeUnknown(Box::new(OnPurpose))),
                refused => refused,
            },
            Some(Fault::Twice) => {
                let _first = work().await;
                work().await
            }
        };
        self.faults.leave(call).await;
        answer
    }
}

#[async_trait]
impl ComplaintStore for FaultyStore {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        self.through(Method::Load, || self.store.load(id)).await
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        self.through(Method::ByReference, || self.store.by_reference(reference)).await
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        self.through(Method::Commit, || self.store.commit(change)).await
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.through(Method::Log, || self.store.log(id, after, limit)).await
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        self.through(Method::Search, || self.store.search(query)).await
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        self.through(Method::Due, || self.store.due(at, limit)).await
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        self.through(Method::Recall, || self.store.recall(key)).await
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        self.through(Method::Summary, || self.store.summary(scope)).await
    }
}

#[async_trait]
impl AgentStore for FaultyStore {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        self.through(Method::Save, || self.store.save(agent)).await
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        self.through(Method::Find, || self.store.find(id)).await
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        self.through(Method::Roster, || self.store.roster()).await
    }
}

#[async_trait]
impl Outbox for FaultyStore {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        self.through(Method::Claim, || self.store.claim(now, until, limit)).await
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.through(Method::Settle, || self.store.settle(claimed, settlement.clone(), now)).await
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.through(Method::Waiting, || self.store.waiting(behind, limit)).await
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        self.through(Method::Dead, || self.store.dead(below, limit)).await
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.through(Method::Revive, || self.store.revive(id, now)).await
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        self.through(Method::Bury, || self.store.bury(dead)).await
    }
}

/// A notifier that fails when [`Faults`] say so.
///
/// ```
/// use complaint_core::testing::{Fault, Faults, FaultyNotifier, KeptNotices, Method, samples};
/// use complaint_core::{Actor, Desk, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let (faults, kept) = (Faults::none(), KeptNotices::new());
/// faults.once(Method::Deliver, 1, Fault::AnswerLost);
/// let desk = Desk::new(MemoryStore::new(), samples::policy());
/// let desk = desk.notifying(FaultyNotifier::over(kept.clone(), &faults));
/// desk.acting_as(Actor::customer("john")?).submit(samples::broken_kettle()).await?;
/// assert_eq!(desk.deliver().await?.postponed, 1);
/// assert!(!kept.all().is_empty(), "it arrived all the same");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FaultyNotifier<N> {
    notifier: N,
    faults: Faults,
}

impl<N: Notifier> FaultyNotifier<N> {
    /// Over a notifier that delivers.
    pub fn over(notifier: N, faults: &Faults) -> Self {
        Self { notifier, faults: faults.clone() }
    }
}

#[async_trait]
impl<N: Notifier> Notifier for FaultyNotifier<N> {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let (call, fault) = self.faults.enter(Method::Deliver).await;
        let answer = match fault {
            None | Some(Fault::Delayed) => self.notifier.deliver(notice).await,
            Some(Fault::Unavailable) => Err(NotifyError::Later(Box::new(OnPurpose))),
            Some(Fault::Broken) => Err(NotifyError::Never(OnPurpose.to_string())),
            Some(Fault::AnswerLost) => match self.notifier.deliver(notice).await {
                Ok(()) => Err(NotifyError::Later(Box::new(OnPurpose))),
                refused => refused,
            },
            Some(Fault::Twice) => {
                let _first = self.notifier.deliver(notice).await;
                self.notifier.deliver(notice).await
            }
        };
        self.faults.leave(call).await;
        answer
    }
}

/// A notifier that keeps what it is given, in order, duplicates included. Clones share what they keep.
///
/// Example: [`FaultyNotifier`].
#[derive(Debug, Clone, Default)]
pub struct KeptNotices {
    kept: Arc<Mutex<Vec<Notice>>>,
}

impl KeptNotices {
    /// Nothing kept yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was delivered so far.
    pub fn all(&self) -> Vec<Notice> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Notifier for KeptNotices {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
        Ok(())
    }
}
