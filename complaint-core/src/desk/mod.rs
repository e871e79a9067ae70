//! The front door: load, decide, commit; and sweeps that a timer can call.
//!
//! A [`Desk`] stands over a store, under a policy. [`Desk::acting_as`] puts it into somebody's hands: an [`Acting`] submits,
//! reads and gives commands in their name, and sees what they may see. [`Desk::sweep`] does what is due by itself.
//!
//! What a change leaves in a queue is routed in the same change; where somebody was faster, it is planned anew.
//!
//! Examples: the [front page](crate), [`Acting`], [`Swept`].

mod acting;
mod courier;
mod error;
mod plan;
mod receipt;
mod resolution;
mod sweep;

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};

use self::plan::Plan;
use crate::actor::Actor;
use crate::agent::{Agent, Member};
use crate::clock::{Clock, IdSource, RandomIds, SystemClock, to_micros};
use crate::complaint::{Complaint, Entry, Submission};
use crate::id::{ComplaintId, InvalidId, Version};
use crate::lifecycle::{Command, Context, Status, decide, replay};
use crate::notifier::Notifier;
use crate::policy::{Finding, Policy, PolicyError};
use crate::reference::Reference;
use crate::routing::{Ineligible, Need, Roster, Routing, route};
use crate::store::{Change, Store};
use crate::triage::{Classifier, IntakeRule, Suggestion, Triage};

pub use acting::Acting;
pub use courier::Delivered;
pub use error::DeskError;
pub use receipt::Receipt;
pub use resolution::Resolution;
pub use sweep::Swept;

/// Told of every commit, right after it. Must be quick and must not fail; a host feeds live pages from it.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use complaint_core::desk::Observer;
/// use complaint_core::store::Change;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let desk = Desk::new(MemoryStore::new(), policy);
///
/// #[derive(Default)]
/// struct Changed(Mutex<Vec<String>>);
///
/// impl Observer for Changed {
///     fn committed(&self, change: &Change) {
///         let references = change.parts().iter().map(|part| part.after().reference.to_string());
///         self.0.lock().expect("no panic").extend(references);
///     }
/// }
///
/// let changed = Arc::new(Changed::default());
/// let john = desk.watched_by(changed.clone()).acting_as(Actor::customer("john")?);
/// let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// assert_eq!(*changed.0.lock().expect("no panic"), [receipt.reference().to_string()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer: Send + Sync {
    /// A change was committed by this desk.
    fn committed(&self, change: &Change);
}

/// Complaint handling over a store, under a policy. Cheap to clone; clones share everything.
///
/// The desk is the only holder of the clock and the source of identifiers. It holds no rule: what may happen is
/// decided by [`crate::lifecycle::decide`].
///
/// ```
/// use std::sync::Arc;
/// use complaint_core::clock::{RandomIds, SystemClock};
/// use complaint_core::store::MemoryStore;
/// use complaint_core::{Desk, Policy};
///
/// let desk = Desk::new(MemoryStore::new(), Policy::standard());
/// let desk = desk.with_clock(Arc::new(SystemClock)).with_ids(Arc::new(RandomIds)); // as they are anyway
///
/// // Later on, while others use clones of it:
/// let stricter = Policy { version: 2, four_eyes: true, ..Policy::standard() };
/// desk.adopt(stricter)?;
/// assert_eq!(desk.policy().version, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Under a policy that [does not hold together](Policy::faults) a desk changes nothing: every change is refused as
/// [`DeskError::Policy`], with all that is wrong, until [`Desk::adopt`] puts another one into force. What is stored can be read.
///
/// ```
/// # use complaint_core::{Actor, Complaint, Desk, DeskError, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// let desk = Desk::new(MemoryStore::new(), Policy { calendar: "ofice".into(), ..policy.clone() });
/// let john = desk.acting_as(Actor::customer("john")?);
/// let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
/// let refused = john.submit(about.clone()).await.unwrap_err();
/// assert!(matches!(&refused, DeskError::Policy(_)) && refused.to_string().contains("calendar: "));
/// desk.adopt(policy)?;
/// assert!(john.submit(about).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Desk {
    store: Arc<dyn Store>,
    policy: Arc<RwLock<InForce>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    notifier: Option<Arc<dyn Notifier>>,
    observers: Vec<Arc<dyn Observer>>,
    triage: Option<Triage>,
}

struct InForce {
    policy: Arc<Policy>,
    /// What keeps it from being used.
    faults: Vec<Finding>,
}

impl Desk {
    /// A desk with the machine's clock and nobody to deliver notices; they wait in the outbox.
    ///
    /// Any policy is taken, so that nothing has to be handled here; one that cannot be used is refused by the first change.
    pub fn new(store: impl Store + 'static, policy: Policy) -> Self {
        Self::over(Arc::new(store), policy)
    }

    /// As [`Desk::new`], over a store that is shared already.
    pub fn over(store: Arc<dyn Store>, policy: Policy) -> Self {
        let in_force = InForce { faults: policy.faults(), policy: Arc::new(policy) };
        Self {
            store,
            policy: Arc::new(RwLock::new(in_force)),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            notifier: None,
            observers: Vec::new(),
            triage: None,
        }
    }

    /// Delivers notices through this notifier.
    ///
    /// Example: [`Notifier`].
    pub fn notifying(mut self, notifier: impl Notifier + 'static) -> Self {
        self.notifier = Some(Arc::new(notifier));
        self
    }

    /// Takes the time from this clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes identifiers from this source.
    pub fn with_ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Tells this observer of every commit.
    ///
    /// Example: [`Observer`].
    pub fn watched_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Asks this classifier which category a complaint belongs to, for [`Desk::suggest`]; and for complaints that
    /// arrive uncategorised takes its answer, by this rule, as the system's `triage` in the same change. The entry keeps
    /// the words that spoke for it as its reason. What it is not sure of stays in the queue of the uncategorised.
    ///
    /// ```
    /// use std::sync::{Arc, RwLock};
    ///
    /// use complaint_core::id::CategoryKey;
    /// use complaint_core::policy::Category;
    /// use complaint_core::store::MemoryStore;
    /// use complaint_core::triage::{Clues, IntakeRule, LearnedClassifier};
    /// use complaint_core::{Complaint, Desk, Policy};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = ["Water supply", "Street lights", "Not yet sorted"]
    ///     .iter()
    ///     .try_fold(Policy::standard(), |policy, name| Category::named(name).map(|it| policy.with_category(it)))?;
    /// let model = Arc::new(RwLock::new(LearnedClassifier::new())); // or the one stored last, by serde
    /// let desk = Desk::new(MemoryStore::new(), policy)
    ///     .suggesting(model.clone(), IntakeRule::for_uncategorised(CategoryKey::new("Not yet sorted")?));
    ///
    /// let water = CategoryKey::new("Water supply")?;
    /// let lesson = Clues::new().text("No water since Monday");
    /// model.write().map_err(|_| "poisoned")?.learn(&lesson, &water)?;
    /// let complaint = Complaint::about("Not yet sorted", "Dry tap", "There is no water.")?;
    /// assert_eq!(desk.suggest(&complaint)[0].category, water);
    /// # Ok(())
    /// # }
    /// ```
    pub fn suggesting(mut self, classifier: impl Classifier + 'static, rule: IntakeRule) -> Self {
        self.triage = Some(Triage::new(classifier, rule));
        self
    }

    /// Categories that a complaint may belong to, best first; none without a classifier. Whoever submits may choose
    /// among them or not. Only categories that can be chosen are named.
    ///
    /// Example: [`Desk::suggesting`].
    pub fn suggest(&self, submission: &Submission) -> Vec<Suggestion> {
        self.triage.as_ref().map_or_else(Vec::new, |triage| triage.suggest(submission, &self.policy()))
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).policy.clone()
    }

    /// The policy in force, to change something by.
    pub(crate) fn usable_policy(&self) -> Result<Arc<Policy>, PolicyError> {
        let in_force = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        if in_force.faults.is_empty() {
            Ok(in_force.policy.clone())
        } else {
            Err(PolicyError::Faulty(in_force.faults.clone()))
        }
    }

    /// Puts a policy into force for all clones of this desk. Running deadlines keep their promises. One that is older
    /// than the policy in force is passed over: of two that were made at once, the later stays.
    ///
    /// # Errors
    /// If it does not hold together; the one in force stays.
    pub fn adopt(&self, policy: Policy) -> Result<(), PolicyError> {
        let faults = policy.faults();
        if !faults.is_empty() {
            return Err(PolicyError::Faulty(faults));
        }
        let mut in_force = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        if policy.version >= in_force.policy.version {
            *in_force = InForce { policy: Arc::new(policy), faults };
        }
        Ok(())
    }

    /// The present instant by the desk's clock.
    pub fn now(&self) -> DateTime<Utc> {
        to_micros(self.clock.now())
    }

    /// The store, for what the desk has no method for. Changes go through the desk.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Keeps an agent, new or changed, gives them what waits for them, and takes from them what is above their level now.
    ///
    /// # Errors
    /// If their shift is no calendar of the policy, the policy cannot be used, or storage failed.
    ///
    /// ```
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
    /// # let desk = Desk::new(MemoryStore::new(), policy);
    /// let john = desk.acting_as(Actor::customer("john")?);
    /// let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// assert_eq!(receipt.complaint().handler, None, "nobody is there yet");
    /// let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// assert_eq!(john.read(receipt.id()).await?.handler, Some(asha.id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn enrol(&self, agent: Agent) -> Result<Agent, DeskError> {
        let policy = self.usable_policy()?;
        if agent.shift.as_ref().is_some_and(|shift| !policy.calendars.contains_key(shift)) {
            return Err(InvalidId::new("shift", "the name of a calendar of the policy").into());
        }
        self.store.save(&agent).await?;
        self.release_from(vec![agent.clone()], |complaint, agent| complaint.level > agent.level).await?;
        self.route_waiting().await?;
        Ok(agent)
    }

    /// Does things in somebody's name.
    pub fn acting_as(&self, actor: Actor) -> Acting {
        Acting::new(self.clone(), actor)
    }

    /// The whole log of a complaint, unfiltered: for verification, not for pages.
    pub async fn whole_log(&self, id: ComplaintId) -> Result<Vec<Entry>, DeskError> {
        const BATCH: u32 = 500;
        let mut log: Vec<Entry> = Vec::new();
        loop {
            let after = log.last().map_or(0, |entry| entry.seq);
            let batch = self.store.log(id, after, BATCH).await?;
            let last = batch.len() < BATCH as usize;
            log.extend(batch);
            if last {
                return Ok(log);
            }
        }
    }

    /// A complaint rebuilt from its log, as it was at a version.
    pub(crate) async fn as_of(&self, id: ComplaintId, version: Version) -> Result<Complaint, DeskError> {
        let log = self.whole_log(id).await?;
        replay(log.iter().take_while(|entry| entry.version <= version)).map_err(|_| DeskError::NotFound)
    }

    /// Whether replaying the log of a complaint gives the stored row, bit for bit.
    ///
    /// ```
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// assert!(desk.replays(receipt.id()).await?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn replays(&self, id: ComplaintId) -> Result<bool, DeskError> {
        let stored = self.store.load(id).await?.ok_or(DeskError::NotFound)?;
        let log = self.whole_log(id).await?;
        Ok(replay(&log).is_ok_and(|rebuilt| rebuilt == stored))
    }

    fn fresh_id(&self) -> ComplaintId {
        ComplaintId::from_uuid(self.ids.next_id(self.now()))
    }

    fn fresh_reference(&self) -> Reference {
        self.ids.next_reference()
    }

    /// An identifier from the desk's source, for what the host numbers itself, e.g. attachments.
    pub fn draw_id(&self) -> uuid::Uuid {
        self.ids.next_id(self.now())
    }

    /// Gives what the plan leaves in a queue to handlers, in the same change.
    pub(crate) async fn place(&self, plan: &mut Plan, policy: &Policy) -> Result<(), DeskError> {
        let queued = plan.queued();
        if queued.is_empty() {
            return Ok(());
        }
        let mut roster = self.roster().await?;
        for id in queued {
            plan.look_at(Some(id));
            if let Some(need) = self.need(plan, &roster) {
                let routing = route(&need, &roster, self.now());
                if let Some(member) = routing.chosen.as_ref().and_then(|agent| roster.member(agent)) {
                    self.give(plan, policy, member, &routing);
                }
                self.say_if_nobody(plan, policy, &need, &roster);
                // The next one finds them with this one in hand.
                if let Some(agent) = &routing.chosen {
                    roster.give(agent, need.weight, self.now());
                }
            }
        }
        plan.look_at(None);
        Ok(())
    }

    /// What the complaint of a plan asks for, if the plan leaves it in the queue.
    fn need(&self, plan: &Plan, roster: &Roster) -> Option<Need> {
        let state = plan.state().filter(|state| state.status == Status::Queued)?;
        let mut need = Need { preferred: roster.superior_for(state), ..Need::as_of(state, self.now()) };
        // Taken from somebody by hand, it does not go straight back to them.
        need.excluded.extend(plan.taken_by_hand().map(|agent| (agent, Ineligible::TakenAway)));
        Some(need)
    }

    /// Adds to a plan that its complaint goes to the chosen agent, whose capacity is a ceiling then.
    fn give(&self, plan: &mut Plan, policy: &Policy, member: &Member, routing: &Routing) {
        let Some(state) = plan.state() else { return };
        let context = Context::new(policy, self.now()).routed(routing);
        let context = if plan.is_empty() { context } else { context.continuing() };
        if let Ok(entries) = decide(state, &Command::route(), &Actor::system(), &context) {
            plan.ceiling(member.agent.id.clone(), member.agent.capacity);
            plan.add(entries);
        }
    }

    /// Has a plan tell those who can help that what it brings to a queue can be taken by nobody there, and give no date that
    /// nobody can keep.
    fn say_if_nobody(&self, plan: &mut Plan, policy: &Policy, need: &Need, roster: &Roster) {
        let now = self.now();
        if plan.state().is_some_and(|state| !roster.keeps_promises(state, policy, now)) {
            plan.promises_nothing();
        }
        if plan.enters_queue() && roster.waits_in_vain(need, now) {
            plan.unroutable(roster.why_nobody(need, now, policy.level_name(need.level)));
        }
    }

    async fn commit(&self, change: &Change) -> Result<(), DeskError> {
        self.store.commit(change).await?;
        for observer in &self.observers {
            observer.committed(change);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("policy", &self.policy().name).finish_non_exhaustive()
    }
}
