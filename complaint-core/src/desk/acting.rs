//! What one actor does through the desk.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::plan::Plan;
use super::{Desk, DeskError, Receipt, Resolution};
use crate::actor::{Actor, Party};
use crate::complaint::{Channel, Complaint, Entry, Rating, Submission};
use crate::id::{ComplaintId, CustomerId, InvalidId, Level, Version};
use crate::lifecycle::{
    Availability, Command, CommandName, Context, FailedGuard, Input, Refusal, Status, decide, refusal, submit,
};
use crate::notice::Holder;
use crate::policy::Policy;
use crate::redress::Ledger;
use crate::reference::Reference;
use crate::routing::{Need, Roster, Routing, route, route_by_hand, waits_for};
use crate::satisfaction::Satisfaction;
use crate::store::{IdempotencyKey, PAGE_MAX, Page, Query, Scope, Sort, StoreError, Summary};

/// How often a change is planned anew when somebody else was faster.
pub(super) const ATTEMPTS: u32 = 64;
/// How many complaints that were joined one to the next are followed.
const JOINED_MAX: u32 = 16;

/// The desk in somebody's hands. Everything it does, it does in the name of one actor.
///
/// ```
/// use complaint_core::store::Query;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// asha.ask(receipt.id(), "Which street?").await?;
/// john.answer(receipt.id(), "Canal Street.").await?;
/// let complaint = john.post(receipt.id(), "By the bridge.").await?;
/// assert_eq!((complaint.status.name(), john.actor()), ("in_progress", &Actor::customer("john")?));
/// assert_eq!(john.list(Query::within(john.scope())).await?.items, [complaint]);
/// let (redress, satisfaction) = asha.figures().await?;
/// assert_eq!((redress.total().promised().count, satisfaction.overall().invited), (0, 0)); // nothing is decided yet
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Acting {
    desk: Desk,
    actor: Actor,
    key: Option<(IdempotencyKey, String)>,
}

impl Acting {
    pub(crate) fn new(desk: Desk, actor: Actor) -> Self {
        Self { desk, actor, key: None }
    }

    /// Whoever acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Makes one change repeatable: the same command on the same complaint, under the same key and with the same
    /// fingerprint, gives the first answer again; anything else under that key is refused. The fingerprint is the
    /// caller's digest of the request.
    ///
    /// # Errors
    /// If the key is not 1 to 255 visible ASCII characters.
    ///
    /// Example: [`Receipt`].
    pub fn under_key(mut self, key: &str, fingerprint: impl Into<String>) -> Result<Self, InvalidId> {
        let owner = match self.actor.party() {
            Party::Customer(id) => format!("customer:{id}"),
            Party::Agent(id) => format!("agent:{id}"),
            Party::Admin(id) | Party::Auditor(id) => format!("staff:{id}"),
            Party::System => "system".to_owned(),
        };
        self.key = Some((IdempotencyKey::new(owner, key)?, fingerprint.into()));
        Ok(self)
    }

    /// What this actor may see.
    pub fn scope(&self) -> Scope {
        let policy = self.desk.policy();
        Scope::of(&self.actor, policy.last_level(), policy.agents_may_take)
    }

    /// Hands in a complaint. It is acknowledged at once if the policy says so, and routed.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, DeskError> {
        let what = CommandName::Submit.name();
        self.once(what, Box::pin(self.hand_in(&submission, None, what))).await
    }

    /// What was submitted under the idempotency key of this actor before, if anything was: what [`Acting::submit`] would answer with.
    ///
    /// ```
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// let john = desk.acting_as(Actor::customer("john")?).under_key("letter-17", "No water")?;
    /// assert!(john.submitted_before().await?.is_none());
    /// let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// assert_eq!(john.submitted_before().await?.map(|before| before.id()), Some(receipt.id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DeskError::KeyReused`] if something else was done under the key.
    pub async fn submitted_before(&self) -> Result<Option<Receipt>, DeskError> {
        let first = self.first_answer(CommandName::Submit.name()).await?;
        Ok(first.map(|first| Receipt { complaint: self.seen(first), repeated: true }))
    }

    async fn hand_in(
        &self,
        submission: &Submission,
        after: Option<Followed<'_>>,
        what: &str,
    ) -> Result<Complaint, DeskError> {
        let policy = self.desk.usable_policy()?;
        let limited = self.limited(submission, &policy);
        let mut current = Version::NONE;
        for _ in 0..ATTEMPTS {
            let now = self.desk.now();
            let first = self.first_entry(submission, after, &policy, now).await?;
            let mut plan = Plan::new(now);
            plan.add(vec![first]);
            if let Some(customer) = &limited {
                plan.open_limit(customer.clone(), policy.open_complaints_per_customer);
            }
            // Before the acknowledgement, which states the times that apply.
            self.desk.categorise(&mut plan, &policy, submission);
            self.desk.acknowledge(&mut plan, &policy);
            self.desk.place(&mut plan, &policy).await?;
            match self.finish(plan, &policy, what).await {
                Ok(complaint) => return Ok(complaint),
                Err(Retry::Again(version)) => current = version,
                Err(Retry::Never(error)) => return Err(error),
            }
        }
        Err(DeskError::Contended { current })
    }

    /// Whose open complaints are counted. What nobody can reach is not counted: who brings complaints over may bring any number in one name.
    fn limited(&self, submission: &Submission, policy: &Policy) -> Option<CustomerId> {
        let customer = self.actor.customer_id().or(submission.customer.as_ref());
        customer.filter(|_| policy.open_complaints_per_customer < u32::MAX).cloned()
    }

    async fn first_entry(
        &self,
        submission: &Submission,
        after: Option<Followed<'_>>,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Entry, DeskError> {
        let open = match self.limited(submission, policy) {
            Some(customer) => self.desk.open_complaints(&customer).await?,
            None => 0,
        };
        let mut context = Context::new(policy, now).open_complaints(open);
        if let Some(after) = after {
            context = context.following(after.finished).seen(after.seen);
        }
        let (id, reference) = (self.desk.fresh_id(), self.desk.fresh_reference());
        let first = submit(id, reference, submission, &self.actor, &context);
        let told_alone = first.as_ref().is_err_and(|refusal| refusal.category().comes_first());
        let Some(agent) = submission.against.as_ref().filter(|_| !told_alone) else { return Ok(first?) };
        if self.desk.store.find(agent).await?.is_some() {
            return Ok(first?);
        }
        // A mistyped id would let the complaint go to the very agent it is against.
        let failed =
            FailedGuard::input("unknown_agent", "against", "is no agent", "give an agent's id, or leave it out");
        let mut refused = first.err().unwrap_or_else(|| refusal(CommandName::Submit, None, Vec::new()));
        refused.failed.push(failed);
        Err(refused.into())
    }

    /// Why a submission would be refused now, without handing it in; `None` if it would not be. For forms that found faults of their own
    /// in what was typed, so that people are told everything at once.
    ///
    /// ```
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// let empty = Complaint::about("Water supply", "", "")?;
    /// let refusal = john.would_refuse_submission(&empty).await?.expect("nothing is said");
    /// assert_eq!(refusal.failed.len(), 2);
    /// let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
    /// assert_eq!(john.would_refuse_submission(&about).await?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn would_refuse_submission(&self, submission: &Submission) -> Result<Option<Refusal>, DeskError> {
        let policy = self.desk.usable_policy()?;
        refusal_in(self.first_entry(submission, None, &policy, self.desk.now()).await)
    }

    /// Files a new complaint after a finished one.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    ///
    /// john.perform(receipt.id(), Command::plain(CommandName::Withdraw)).await?;
    /// let again = Complaint::about("Water supply", "No water again", "Since this morning.")?;
    /// let again = john.follow_up(receipt.id(), again).await?;
    /// assert_eq!(again.complaint().follows, Some(receipt.id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn follow_up(&self, id: ComplaintId, submission: Submission) -> Result<Receipt, DeskError> {
        self.follow_up_seeing(id, submission, None).await
    }

    /// Files a new complaint after the version of a finished one that the caller saw; refused as stale if it is not the current one. The
    /// finished complaint itself stays as it is.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    ///
    /// let open = receipt.complaint().version;
    /// let withdrawn = john.perform(receipt.id(), Command::plain(CommandName::Withdraw)).await?;
    /// let again = Complaint::about("Water supply", "No water again", "Since this morning.")?;
    /// let stale = john.follow_up_seeing(receipt.id(), again.clone(), Some(open)).await.unwrap_err();
    /// assert!(stale.to_string().contains("it was changed meanwhile"));
    /// let again = john.follow_up_seeing(receipt.id(), again, Some(withdrawn.version)).await?;
    /// assert_eq!(again.complaint().follows, Some(receipt.id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn follow_up_seeing(
        &self,
        id: ComplaintId,
        submission: Submission,
        seen: Option<Version>,
    ) -> Result<Receipt, DeskError> {
        let what = format!("{} {id}", CommandName::FollowUp);
        let following = async {
            let finished = self.whole(id).await?;
            self.hand_in(&submission, Some(Followed { finished: &finished, seen }), &what).await
        };
        self.once(&what, Box::pin(following)).await
    }

    /// Why a new complaint after a finished one would be refused now, without handing it in; `None` if it would not be. What the finished
    /// one does not allow stands before what is wrong with the new one; who may not follow it up, or saw another version, is told that alone.
    ///
    /// ```
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let empty = Complaint::about("Water supply", "", "Since this morning.")?;
    /// let refusal = john.would_refuse_follow_up(receipt.id(), &empty, None).await?.expect("the first one is open");
    /// assert!(refusal.has("wrong_status") && refusal.has("missing"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn would_refuse_follow_up(
        &self,
        id: ComplaintId,
        submission: &Submission,
        seen: Option<Version>,
    ) -> Result<Option<Refusal>, DeskError> {
        let finished = self.whole(id).await?;
        let after = Some(Followed { finished: &finished, seen });
        let policy = self.desk.usable_policy()?;
        refusal_in(self.first_entry(submission, after, &policy, self.desk.now()).await)
    }

    /// Gives a command, whatever the version is.
    pub async fn perform(&self, id: ComplaintId, command: Command) -> Result<Complaint, DeskError> {
        self.perform_seeing(id, command, None).await
    }

    /// Gives a command to the version the caller saw; refused as stale if it is not the current one.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    ///
    /// let seen = receipt.complaint().version;
    /// # let asha = desk.acting_as(Actor::agent(&asha));
    /// asha.begin(receipt.id()).await?; // meanwhile
    /// let note = Command::with_text(CommandName::Note, "Not begun yet.");
    /// let stale = asha.perform_seeing(receipt.id(), note, Some(seen)).await.unwrap_err();
    /// assert!(stale.to_string().contains("it was changed meanwhile: version 2 is current"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn perform_seeing(
        &self,
        id: ComplaintId,
        command: Command,
        seen: Option<Version>,
    ) -> Result<Complaint, DeskError> {
        let what = format!("{} {id}", command.name());
        Ok(self.once(&what, Box::pin(self.change(id, &command, seen, &what))).await?.complaint)
    }

    /// Why a command would be refused now, without giving it; `None` if it would not be. For forms that found faults of their own in what
    /// was typed, so that people are told everything at once.
    ///
    /// ```
    /// use complaint_core::lifecycle::{Command, CommandName};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    ///
    /// let refusal = john.would_refuse(receipt.id(), &Command::plain(CommandName::Contest), None).await?;
    /// assert!(refusal.expect("nothing is decided yet").has("wrong_status"));
    /// assert_eq!(john.would_refuse(receipt.id(), &Command::plain(CommandName::Withdraw), None).await?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn would_refuse(
        &self,
        id: ComplaintId,
        command: &Command,
        seen: Option<Version>,
    ) -> Result<Option<Refusal>, DeskError> {
        let before = self.whole(id).await?;
        let policy = self.desk.usable_policy()?;
        refusal_in(self.plan(before, command, seen, &policy).await)
    }

    async fn change(
        &self,
        id: ComplaintId,
        command: &Command,
        seen: Option<Version>,
        what: &str,
    ) -> Result<Complaint, DeskError> {
        let policy = self.desk.usable_policy()?;
        let mut current = Version::NONE;
        for _ in 0..ATTEMPTS {
            let before = self.whole(id).await?;
            current = before.version;
            let plan = self.plan(before, command, seen, &policy).await?;
            if let (true, Some(state)) = (plan.is_empty(), plan.state()) {
                return Err(self.without_a_submission(command.name(), state).into());
            }
            match self.finish(plan, &policy, what).await {
                Ok(complaint) => return Ok(complaint),
                Err(Retry::Again(version)) => current = current.max(version),
                Err(Retry::Never(error)) => return Err(error),
            }
        }
        Err(DeskError::Contended { current })
    }

    /// What makes a complaint of its own does nothing to this one.
    fn without_a_submission(&self, name: CommandName, complaint: &Complaint) -> Refusal {
        let remedy = "hand it in as a complaint that follows this one";
        let failed = FailedGuard::input("missing", "submission", "must say what is complained about now", remedy);
        Refusal {
            status: Some(complaint.status_for(&self.actor)),
            version: complaint.version_for(&self.actor),
            ..refusal(name, Some(complaint), vec![failed])
        }
    }

    async fn plan(
        &self,
        before: Complaint,
        command: &Command,
        seen: Option<Version>,
        policy: &Arc<Policy>,
    ) -> Result<Plan, DeskError> {
        let now = self.desk.now();
        let other = self.other_complaint(&before, command).await?;
        let joined = self.joined_by_consent(&before).await?;
        let roster = match command.name() {
            CommandName::Assign | CommandName::Reassign => Some(self.desk.roster().await?),
            _ => None,
        };
        let routing = roster.as_ref().map(|roster| self.routing_for(&before, command, roster));
        let (holder, stays) = self.desk.holder(&before).await?;
        let context = Context::new(policy, now).handler_available(stays);
        let mut context = self.desk.looked_up(&before, context, command.name()).await?.seen(seen).joined(&joined);
        if let Some(other) = &other {
            context = context.other(other);
        }
        if let Some(routing) = &routing {
            context = context.routed(routing);
        }
        let entries = decide(&before, command, &self.actor, &context)?;
        let customer = before.customer.clone();
        let mut plan = Plan::new(now).with(&before);
        plan.held_by(holder);
        if matches!(command.name(), CommandName::Merge | CommandName::Unmerge)
            && let Some(other) = other
        {
            plan = plan.with(&other);
        }
        plan = joined.iter().fold(plan, Plan::with);
        if let (Some(roster), Some(agent)) = (&roster, routing.and_then(|routing| routing.chosen)) {
            // A person may decide to exceed a capacity; then it is no ceiling.
            if let Some(member) = roster.member(&agent).filter(|_| !command.input().over_capacity) {
                plan.ceiling(agent, member.agent.capacity);
            }
        }
        if command.name() == CommandName::Reinstate {
            plan.open_limit(customer, policy.open_complaints_per_customer);
        }
        plan.add(entries);
        self.desk.place(&mut plan, policy).await?;
        Ok(plan)
    }

    fn routing_for(&self, complaint: &Complaint, command: &Command, roster: &Roster) -> Routing {
        let now = self.desk.now();
        let need = Need { preferred: roster.superior_for(complaint), ..Need::of(complaint) };
        let input = command.input();
        let takes_for_themself =
            self.actor.agent_id().filter(|_| !self.actor.is_supervisor() && command.name() == CommandName::Assign);
        match input.agent.as_ref().or(takes_for_themself) {
            Some(agent) => route_by_hand(&need, roster, agent, input.over_capacity, now),
            None => route(&need, roster, now),
        }
    }

    async fn other_complaint(&self, before: &Complaint, command: &Command) -> Result<Option<Complaint>, DeskError> {
        match command.name() {
            CommandName::Merge => {
                let into = command.input().into.as_deref().unwrap_or_default().trim().to_owned();
                if let Ok(id) = into.parse::<ComplaintId>() {
                    Ok(self.desk.store.load(id).await?)
                } else if let Ok(reference) = into.parse::<Reference>() {
                    Ok(self.desk.store.by_reference(reference).await?)
                } else {
                    Ok(None)
                }
            }
            CommandName::Unmerge => match before.merged_into {
                Some(survivor) => Ok(self.desk.store.load(survivor).await?),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// What other customers let join it.
    async fn joined_by_consent(&self, complaint: &Complaint) -> Result<Vec<Complaint>, DeskError> {
        let mut joined = Vec::new();
        for id in complaint.consents.keys() {
            joined.extend(self.desk.store.load(*id).await?);
        }
        Ok(joined)
    }

    /// The key, and the fingerprint of this change under it: a key that was meant for one change must not answer for
    /// another one of the same caller.
    fn keyed(&self, what: &str) -> Option<(&IdempotencyKey, String)> {
        self.key.as_ref().map(|(key, fingerprint)| (key, format!("{what} {fingerprint}")))
    }

    /// Makes a change, unless it was made under this key before: then the first answer is given again.
    ///
    /// Of two requests under one key that come at once the later may find what the earlier has done already: the complaint
    /// at another version, in another status, in other hands, the last place taken. What the rules say of that is no answer
    /// to a repetition, so after a refusal the key is looked up again.
    async fn once(
        &self,
        what: &str,
        // Boxed, or it would lie in the futures of all callers.
        making: Pin<Box<impl Future<Output = Result<Complaint, DeskError>>>>,
    ) -> Result<Receipt, DeskError> {
        if let Some(first) = self.first_answer(what).await? {
            return Ok(Receipt { complaint: self.seen(first), repeated: true });
        }
        let refused = match making.await {
            Ok(complaint) => return Ok(Receipt { complaint: self.seen(complaint), repeated: false }),
            Err(DeskError::Store(trouble)) if !matches!(trouble, StoreError::KeyUsed) => return Err(trouble.into()),
            Err(refused) => refused,
        };
        let first = self.first_answer(what).await?.ok_or(refused)?;
        Ok(Receipt { complaint: self.seen(first), repeated: true })
    }

    /// What was answered under this key before, if anything was.
    async fn first_answer(&self, what: &str) -> Result<Option<Complaint>, DeskError> {
        let Some((key, fingerprint)) = self.keyed(what) else { return Ok(None) };
        let Some(recalled) = self.desk.store.recall(key).await? else { return Ok(None) };
        if recalled.fingerprint != fingerprint {
            return Err(DeskError::KeyReused);
        }
        self.desk.as_of(recalled.complaint, recalled.version).await.map(Some)
    }

    async fn finish(&self, plan: Plan, policy: &Policy, what: &str) -> Result<Complaint, Retry> {
        let Some(after) = plan.state().cloned() else { return Err(Retry::Never(DeskError::NotFound)) };
        let mut change = plan.into_change(policy);
        if let Some((key, fingerprint)) = self.keyed(what) {
            change = change.under_key(key.clone(), fingerprint);
        }
        match self.desk.commit(&change).await {
            Ok(()) => Ok(after),
            Err(DeskError::Store(StoreError::Conflict { current, .. })) => Err(Retry::Again(current)),
            Err(DeskError::Store(
                StoreError::ReferenceTaken | StoreError::CapacityExceeded { .. } | StoreError::OpenLimitReached { .. },
            )) => Err(Retry::Again(after.version)),
            Err(error) => Err(Retry::Never(error)),
        }
    }

    /// A complaint this actor may see, and of it what is theirs: its customer sees nothing of what keeps the house in order, whoever
    /// runs the system nothing that people typed, staff no ratings that are anonymous.
    pub async fn read(&self, id: ComplaintId) -> Result<Complaint, DeskError> {
        Ok(self.seen(self.whole(id).await?))
    }

    /// With all that is stored: what rules decide by.
    async fn whole(&self, id: ComplaintId) -> Result<Complaint, DeskError> {
        self.admitted(self.desk.store.load(id).await?).await
    }

    async fn admitted(&self, found: Option<Complaint>) -> Result<Complaint, DeskError> {
        let found = found.ok_or(DeskError::NotFound)?;
        if self.admits(&found).await? { Ok(found) } else { Err(DeskError::NotFound) }
    }

    /// Whether this actor may see it; for agents what was joined to another complaint goes with that one.
    async fn admits(&self, found: &Complaint) -> Result<bool, DeskError> {
        let scope = self.scope();
        let agent = self.actor.agent_id();
        if agent.is_none() || found.merged_into.is_none() {
            return Ok(scope.admits(found));
        }
        let mut survivor = found.merged_into.filter(|_| agent != found.against.as_ref());
        for _ in 0..JOINED_MAX {
            let Some(id) = survivor else { break };
            let Some(next) = self.desk.store.load(id).await? else { break };
            if scope.admits(&next) {
                return Ok(true);
            }
            survivor = next.merged_into;
        }
        Ok(false)
    }

    /// Of these complaints those whose customers are given no date, in letters neither, because nobody could keep it: they wait, and
    /// neither at their level nor at any above can somebody take them in the ordinary course of days. What was
    /// [promised](Complaint::promised) before stays known, and holds again as soon as somebody can.
    ///
    /// ```
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let mut policy = Policy::standard().with_category(Category::named("Water supply")?);
    /// policy.levels.truncate(1);
    /// let nobody_works_here = Desk::new(MemoryStore::new(), policy);
    /// # let john = nobody_works_here.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let complaint = john.read(receipt.id()).await?;
    /// assert!(john.without_promise(&[complaint]).await?.contains(&receipt.id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn without_promise(&self, complaints: &[Complaint]) -> Result<BTreeSet<ComplaintId>, DeskError> {
        let (policy, now) = (self.desk.policy(), self.desk.now());
        let waits = |it: &&Complaint| it.status == Status::Queued;
        let mut without = BTreeSet::new();
        let mut roster = None;
        for complaint in complaints.iter().filter(waits) {
            let roster = match &roster {
                Some(roster) => roster,
                None => roster.insert(self.desk.roster().await?),
            };
            // Who is excluded is not for every reader to see.
            match self.whole(complaint.id).await {
                Ok(whole) if !roster.keeps_promises(&whole, &policy, now) => _ = without.insert(whole.id),
                Ok(_) | Err(DeskError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(without)
    }

    fn seen(&self, complaint: Complaint) -> Complaint {
        crate::visibility::for_reader(complaint, self.actor.party())
    }

    /// A complaint this actor may see, by id or reference as people write it.
    ///
    /// ```
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let said = receipt.reference().to_string().to_lowercase();
    /// assert_eq!(john.find(&said).await?.id, receipt.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn find(&self, id_or_reference: &str) -> Result<Complaint, DeskError> {
        if let Ok(id) = id_or_reference.parse::<ComplaintId>() {
            return self.read(id).await;
        }
        let reference: Reference = id_or_reference.parse().map_err(|_| DeskError::NotFound)?;
        let found = self.desk.store.by_reference(reference).await?;
        Ok(self.seen(self.admitted(found).await?))
    }

    /// A page of the complaints this actor may see; the scope of the query is theirs, whatever was asked.
    ///
    /// A customer's filter by status goes by the statuses they see: what waits for a second person is in progress. To an agent a
    /// page may show fewer than were asked for: what was joined to a complaint that is not theirs is left out.
    ///
    /// Example: [`Cursor`](crate::store::Cursor).
    pub async fn list(&self, mut query: Query) -> Result<Page, DeskError> {
        if self.actor.customer_id().is_some() && !query.statuses.is_empty() {
            let asked = std::mem::take(&mut query.statuses);
            query.statuses = Status::ALL.into_iter().filter(|status| asked.contains(&status.for_customer())).collect();
            if query.statuses.is_empty() {
                return Ok(Page::default());
            }
        }
        let page = self.desk.store.search(&Query { scope: self.scope(), ..query }).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for complaint in page.items {
            // A store knows of each what is its own alone, and this follows what it was joined to.
            if complaint.merged_into.is_none() || self.admits(&complaint).await? {
                items.push(self.seen(complaint));
            }
        }
        Ok(Page { items, ..page })
    }

    /// Counts over the complaints this actor may see.
    pub async fn summary(&self) -> Result<Summary, DeskError> {
        Ok(self.desk.store.summary(&self.scope()).await?)
    }

    /// The books of redress and the satisfaction of customers over the complaints this actor may see. Every one of them
    /// is read, a page at a time: for a report, not for each look at a page.
    pub async fn figures(&self) -> Result<(Ledger, Satisfaction), DeskError> {
        let (mut ledger, mut satisfaction) = (Ledger::default(), Satisfaction::default());
        let mut query = Query { sort: Sort::Oldest, limit: PAGE_MAX, ..Query::within(self.scope()) };
        loop {
            let page = self.desk.store.search(&query).await?;
            for complaint in &page.items {
                ledger.add(complaint);
                satisfaction.add(complaint);
            }
            let Some(next) = page.next else { return Ok((ledger, satisfaction)) };
            query.after = Some(next);
        }
    }

    /// The log of a complaint as this actor may see it: for a customer without anything internal.
    pub async fn log(&self, id: ComplaintId) -> Result<Vec<Entry>, DeskError> {
        let complaint = self.whole(id).await?;
        let log = self.desk.whole_log(complaint.id).await?;
        Ok(self.shown(&complaint, log, 0))
    }

    /// A portion of that log: at most `limit` of the `wanted` entries behind the one that this actor sees as number `after`.
    ///
    /// Following the numbers to the end gives each entry exactly once, whatever is added meanwhile: the log only grows. Where
    /// something is hidden it is read from its start, because the place of an entry in the whole log would tell what is hidden before it.
    ///
    /// ```
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let first = john.log_after(receipt.id(), 0, 2, |_| true).await?;
    /// let rest = john.log_after(receipt.id(), first[1].seq, 2, |_| true).await?;
    /// assert_eq!((first.len(), rest.len()), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn log_after(
        &self,
        id: ComplaintId,
        after: u32,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, DeskError> {
        const BATCH: u32 = 200;
        let complaint = self.whole(id).await?;
        let unseen = crate::visibility::unseen_ratings(&complaint, self.actor.party());
        let renumbered = self.actor.customer_id().is_some() || !unseen.is_empty();
        let (mut portion, mut at, mut seen) = (Vec::new(), if renumbered { 0 } else { after }, 0);
        while portion.len() < limit {
            let batch = self.desk.store.log(complaint.id, at, BATCH).await?;
            let Some(last) = batch.last() else { break };
            at = last.seq;
            let shown = self.shown(&complaint, batch, seen);
            seen = shown.last().map_or(seen, |entry| entry.seq);
            let behind = shown.into_iter().filter(|entry| entry.seq > after && wanted(entry));
            portion.extend(behind.take(limit - portion.len()));
        }
        Ok(portion)
    }

    fn shown(&self, complaint: &Complaint, log: Vec<Entry>, before: u32) -> Vec<Entry> {
        let unseen = crate::visibility::unseen_ratings(complaint, self.actor.party());
        match self.actor.party() {
            _ if !unseen.is_empty() => crate::visibility::without_ratings(&log, &unseen, before),
            Party::Customer(_) => crate::visibility::for_customer(&log, before),
            // An admin sees that things happened; what was written is read only by those who handle it.
            Party::Admin(_) => crate::visibility::without_words(&log),
            _ => log,
        }
    }

    /// What this actor may do to a complaint now, and why not the rest.
    ///
    /// Example: [`Availability`].
    pub async fn available_commands(&self, id: ComplaintId) -> Result<Vec<Availability>, DeskError> {
        let complaint = self.whole(id).await?;
        let policy = self.desk.policy();
        let mut context = Context::new(&policy, self.desk.now());
        for command in [CommandName::Reinstate, CommandName::HandBack] {
            context = self.desk.looked_up(&complaint, context, command).await?;
        }
        Ok(complaint.available_commands(&self.actor, &context))
    }

    /// Why the present handler; for one that waits, who is considered now and why nobody fits. A customer learns who
    /// was chosen, not who else was considered.
    ///
    /// ```
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// let routing = desk.acting_as(Actor::agent(&asha)).routing(receipt.id()).await?.expect("it was routed");
    /// assert_eq!((routing.candidates.len(), routing.chosen), (1, Some(asha.id)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn routing(&self, id: ComplaintId) -> Result<Option<Routing>, DeskError> {
        let complaint = self.read(id).await?;
        if self.actor.customer_id().is_some() {
            return Ok(complaint.routing.as_deref().map(crate::visibility::unexplained));
        }
        if complaint.status == Status::Queued {
            let roster = self.desk.roster().await?;
            let need = Need { preferred: roster.superior_for(&complaint), ..Need::of(&complaint) };
            return Ok(Some(route(&need, &roster, self.desk.now())));
        }
        Ok(complaint.routing.map(Arc::unwrap_or_clone))
    }

    /// Begins with a complaint.
    pub async fn begin(&self, id: ComplaintId) -> Result<Complaint, DeskError> {
        self.perform(id, Command::plain(CommandName::Begin)).await
    }

    /// Asks the customer.
    pub async fn ask(&self, id: ComplaintId, question: impl Into<String>) -> Result<Complaint, DeskError> {
        self.perform(id, Command::with_text(CommandName::Ask, question)).await
    }

    /// Answers the question that is open.
    pub async fn answer(&self, id: ComplaintId, answer: impl Into<String>) -> Result<Complaint, DeskError> {
        self.perform(id, Command::with_text(CommandName::Answer, answer)).await
    }

    /// Writes a message.
    pub async fn post(&self, id: ComplaintId, message: impl Into<String>) -> Result<Complaint, DeskError> {
        self.perform(id, Command::with_text(CommandName::Post, message)).await
    }

    /// Sends it up the ladder.
    pub async fn escalate(&self, id: ComplaintId, reason: impl Into<String>) -> Result<Complaint, DeskError> {
        self.perform(id, Command::with_reason(CommandName::Escalate, reason)).await
    }

    /// Decides.
    pub async fn resolve(&self, id: ComplaintId, resolution: Resolution) -> Result<Complaint, DeskError> {
        self.perform(id, resolution.into()).await
    }

    /// Agrees with the decision.
    pub async fn accept(&self, id: ComplaintId) -> Result<Complaint, DeskError> {
        self.perform(id, Command::plain(CommandName::Accept)).await
    }

    /// Disagrees with the decision.
    pub async fn contest(&self, id: ComplaintId, reason: impl Into<String>) -> Result<Complaint, DeskError> {
        self.perform(id, Command::with_reason(CommandName::Contest, reason)).await
    }

    /// Rates the latest resolution.
    pub async fn rate(
        &self,
        id: ComplaintId,
        rating: Rating,
        comment: impl Into<String>,
    ) -> Result<Complaint, DeskError> {
        let input = Input { score: Some(rating.score()), comment: Some(comment.into()), ..Input::default() };
        let command = Command::new(CommandName::Rate, input).map_err(|fault| {
            let failed = FailedGuard::input(fault.code, fault.field, fault.message, "leave it out");
            DeskError::Refused(refusal(CommandName::Rate, None, vec![failed]))
        })?;
        self.perform(id, command).await
    }
}

/// The finished complaint that a new one follows up, and the version of it that the caller saw.
#[derive(Clone, Copy)]
struct Followed<'a> {
    finished: &'a Complaint,
    seen: Option<Version>,
}

/// What became of a planned change.
enum Retry {
    Again(Version),
    Never(DeskError),
}

fn refusal_in<T>(tried: Result<T, DeskError>) -> Result<Option<Refusal>, DeskError> {
    match tried {
        Ok(_) => Ok(None),
        Err(DeskError::Refused(refusal)) => Ok(Some(refusal)),
        Err(error) => Err(error),
    }
}

impl Desk {
    pub(crate) async fn roster(&self) -> Result<Roster, DeskError> {
        Ok(Roster::of(self.store.roster().await?, &self.policy()))
    }

    /// How many open complaints a customer has.
    async fn open_complaints(&self, customer: &CustomerId) -> Result<u32, DeskError> {
        let open = self.store.summary(&Scope::Customer(customer.clone())).await?.open();
        Ok(u32::try_from(open).unwrap_or(u32::MAX))
    }

    /// The context with what the guards of this command look at beside the complaint, where it comes to that.
    async fn looked_up<'a>(
        &self,
        complaint: &Complaint,
        context: Context<'a>,
        command: CommandName,
    ) -> Result<Context<'a>, DeskError> {
        Ok(match command {
            CommandName::Reinstate if complaint.status == Status::Withdrawn => {
                context.open_complaints(self.open_complaints(&complaint.customer).await?)
            }
            CommandName::HandBack if complaint.status == Status::InProgress && complaint.level > Level::FIRST => {
                let need = Need::of_at(complaint, complaint.level.below());
                context.somebody_below(self.roster().await?.could_take(&need, self.now()))
            }
            _ => context,
        })
    }

    /// Whether the handler reads what they are told, and whether the complaint can stay with them.
    async fn holder(&self, complaint: &Complaint) -> Result<(Holder, bool), DeskError> {
        let Some(handler) = &complaint.handler else { return Ok((Holder::There, true)) };
        // Whoever works below its level by now may do nothing with it, and is gone for good.
        let found = self.store.find(handler).await?.filter(|member| member.agent.level >= complaint.level);
        let stays = found.as_ref().is_some_and(|member| waits_for(complaint, &member.agent, self.now()));
        if found.as_ref().is_some_and(|member| member.agent.is_available(self.now())) {
            return Ok((Holder::There, stays));
        }
        // The next level up at which somebody is there; where nobody is, the next one all the same.
        let last = self.policy().last_level();
        let next = complaint.level.above().min(last);
        let roster = self.store.roster().await?;
        let reads = |level: &Level| {
            let mut there = roster.iter().filter(|it| it.agent.level == *level && it.agent.is_available(self.now()));
            there.any(|it| complaint.against.as_ref() != Some(&it.agent.id) && !complaint.is_barred(&it.agent.id))
        };
        let up = std::iter::successors(Some(next), |level| Some(level.above()).filter(|above| *above <= last));
        let hears = up.into_iter().find(reads).unwrap_or(next);
        let is_back = found.is_some_and(|member| member.agent.enabled);
        Ok((if is_back { Holder::Absent(hears) } else { Holder::Gone(hears) }, stays))
    }

    fn categorise(&self, plan: &mut Plan, policy: &Policy, submission: &Submission) {
        let Some(best) = self.triage.as_ref().and_then(|triage| triage.choose(submission, policy)) else { return };
        let spoke: Vec<&str> = best.spoke.iter().map(|evidence| evidence.what.as_str()).collect();
        let reason = format!("Suggested by the classifier ({}): {}", best.confidence, spoke.join(", "));
        let input = Input { category: Some(best.category), reason: Some(reason), ..Input::default() };
        let context = Context::new(policy, self.now()).continuing();
        if let (Some(state), Ok(command)) = (plan.state(), Command::new(CommandName::Triage, input))
            && let Ok(entries) = decide(state, &command, &Actor::system(), &context)
        {
            plan.add(entries);
        }
    }

    fn acknowledge(&self, plan: &mut Plan, policy: &Policy) {
        let context = Context::new(policy, self.now()).continuing();
        // What is taken over from elsewhere is confirmed to nobody, so nothing says that it was.
        let confirmed = |state: &&Complaint| policy.acknowledge_at_once && state.channel != Channel::Import;
        if let Some(state) = plan.state().filter(confirmed) {
            let command = Command::plain(CommandName::Acknowledge);
            if let Ok(entries) = decide(state, &command, &Actor::system(), &context) {
                plan.add(entries);
            }
        }
    }
}
