//! What time and automation do. Every part is bounded, safe to repeat, and safe on any number of replicas.
//!
//! Due complaints are claimed by nobody. A letter is, for it cannot be sent against a version; what a clock does is
//! committed against one: servers that sweep at once plan the same, one commits, the others lose by the version.

use std::collections::BTreeSet;

use super::acting::ATTEMPTS;
use super::plan::Plan;
use super::{Desk, DeskError};
use crate::actor::Actor;
use crate::agent::Agent;
use crate::complaint::{Complaint, Event};
use crate::deadline::{ClockKind, due_commands};
use crate::id::{AgentId, ComplaintId};
use crate::lifecycle::{Command, Context, Status, decide};
use crate::policy::Policy;
use crate::routing::{Need, route_batch, waits_for};
use crate::store::{PAGE_MAX, Query, Scope, Sort, StoreError};

/// How many complaints one round takes from the store.
const BATCH: u32 = 100;
/// How many commands the clocks may give to one complaint in one go: more than it has clocks.
const COMMANDS_MAX: usize = 64;

/// How many complaints are routed together at most: a sweep holds no more than these in memory, and what it knows of
/// workloads is no older.
const TOGETHER_MAX: usize = 1000;

/// What a sweep did.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// desk.enrol(Agent { enabled: false, ..asha }).await?;
/// desk.enrol(Agent::named("ben", "Ben Okri")?.skilled_in(["water supply"])).await?;
/// let swept = desk.sweep().await?;
/// assert_eq!((swept.released, swept.escalated, swept.delivered), (1, 0, 0));
/// assert_eq!(john.read(receipt.id()).await?.handler.as_ref().map(|id| id.as_str()), Some("ben"));
///
/// // One part of it at a time:
/// assert_eq!((desk.sweep_complaints().await?.clocked, desk.deliver().await?.delivered), (0, 0));
/// assert_eq!((desk.sweep_clocks().await?.escalated, desk.route_waiting().await?), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Complaints that clocks moved or warned about.
    pub clocked: u32,
    /// Complaints that went up the ladder.
    pub escalated: u32,
    /// Complaints taken from handlers who are gone.
    pub released: u32,
    /// Complaints that got a handler.
    pub routed: u32,
    /// Notices handed over.
    pub delivered: u32,
    /// Notices given up.
    pub dead: u32,
}

impl Desk {
    /// Does everything that is due: clocks, handlers who are gone, complaints that wait, notices. From a timer.
    ///
    /// Every part is tried, whatever became of the others; the first failure is told at the end.
    ///
    /// Example: [`Swept`].
    pub async fn sweep(&self) -> Result<Swept, DeskError> {
        let complaints = self.sweep_complaints().await;
        let delivered = self.deliver().await;
        let (swept, delivered) = (complaints?, delivered?);
        Ok(Swept { delivered: delivered.delivered, dead: delivered.dead, ..swept })
    }

    /// What a [sweep](Self::sweep) does apart from notices, for hosts that deliver in a rhythm of its own.
    ///
    /// Example: [`Swept`].
    pub async fn sweep_complaints(&self) -> Result<Swept, DeskError> {
        let clocks = self.sweep_clocks().await;
        let released = self.release_from_absent().await;
        let routed = self.route_waiting().await;
        let swept = clocks?;
        Ok(Swept { released: released?, routed: routed?, ..swept })
    }

    /// Lets the clocks act: warnings, alarms, releases, escalations, closings; oldest first, until none is left. A complaint that
    /// fails, or that others change again and again meanwhile, is left to the next sweep, and the first failure is told at the end.
    pub async fn sweep_clocks(&self) -> Result<Swept, DeskError> {
        let policy = self.usable_policy()?;
        let mut swept = Swept::default();
        // A complaint whose clock cannot be satisfied must not hold up the others for ever.
        let mut tried = BTreeSet::new();
        let mut failed = None;
        loop {
            // As many more as were passed over: those that stay due must not fill every batch.
            let more = u32::try_from(tried.len()).unwrap_or(u32::MAX);
            let due = self.store.due(self.now(), BATCH.saturating_add(more)).await?;
            let fresh: Vec<ComplaintId> = due.into_iter().filter(|id| !tried.contains(id)).collect();
            if fresh.is_empty() {
                return failed.map_or(Ok(swept), Err);
            }
            for id in fresh {
                match self.tick(id, &policy).await {
                    Ok(Some(escalated)) => {
                        swept.clocked += 1;
                        swept.escalated += u32::from(escalated);
                    }
                    Ok(None) => {
                        tried.insert(id);
                    }
                    Err(error) if concerns_all(&error) => return Err(error),
                    Err(error) => {
                        tried.insert(id);
                        failed.get_or_insert(error);
                    }
                }
            }
        }
    }

    /// Lets the clocks of one complaint act, planned anew as often as a [change](super::Acting::perform) is where somebody else was
    /// faster. `None` if there was nothing to do; else whether it went up the ladder.
    async fn tick(&self, id: ComplaintId, policy: &Policy) -> Result<Option<bool>, DeskError> {
        let mut ticked = self.tick_once(id, policy).await;
        for _ in 1..ATTEMPTS {
            if !matches!(ticked, Err(DeskError::Contended { .. })) {
                break;
            }
            ticked = self.tick_once(id, policy).await;
        }
        ticked
    }

    async fn tick_once(&self, id: ComplaintId, policy: &Policy) -> Result<Option<bool>, DeskError> {
        let Some(before) = self.store.load(id).await? else { return Ok(None) };
        let now = self.now();
        let mut plan = Plan::new(now).with(&before);
        let mut escalated = false;
        for _ in 0..COMMANDS_MAX {
            let Some(state) = plan.state().cloned() else { break };
            let context = Context::new(policy, now);
            let context = if plan.is_empty() { context } else { context.continuing() };
            let decided = due_commands(&state, policy, now)
                .into_iter()
                .find_map(|command| decide(&state, &command, &Actor::system(), &context).ok());
            let Some(entries) = decided else { break };
            escalated |= entries.iter().any(|entry| matches!(entry.event, Event::Escalated { .. }));
            if entries.iter().any(|entry| matches!(entry.event, Event::Warned { clock: ClockKind::Silence, .. })) {
                plan.question(self.question_of(&state).await?);
            }
            plan.add(entries);
        }
        if plan.is_empty() {
            return Ok(None);
        }
        self.place(&mut plan, policy).await?;
        match self.commit(&plan.into_change(policy)).await {
            Ok(()) => Ok(Some(escalated)),
            Err(DeskError::Store(StoreError::Conflict { current, .. })) => Err(DeskError::Contended { current }),
            Err(DeskError::Store(StoreError::CapacityExceeded { .. })) => {
                Err(DeskError::Contended { current: before.version })
            }
            Err(error) => Err(error),
        }
    }

    /// The words of the question that is with the customer; the complaint holds only where in its log they are.
    async fn question_of(&self, complaint: &Complaint) -> Result<Option<String>, DeskError> {
        let Some(question) = &complaint.question else { return Ok(None) };
        let asked = self.store.log(complaint.id, question.seq.saturating_sub(1), 1).await?;
        Ok(asked.first().and_then(|entry| entry.words.get("text")).map(str::to_owned))
    }

    /// Gives complaints that wait in a queue to handlers who are eligible now, many at a time: see [`route_batch`].
    /// Those that nobody fits for are left as they are, without an entry; [`Acting::routing`](super::Acting::routing)
    /// says why.
    pub async fn route_waiting(&self) -> Result<u32, DeskError> {
        let policy = self.usable_policy()?;
        let mut routed = 0;
        let mut walk = Some(most_pressing(vec![Status::Queued], None));
        loop {
            let mut waiting = Vec::new();
            while waiting.len() < TOGETHER_MAX
                && let Some(page) = self.next_page(&mut walk).await?
            {
                waiting.extend(page.iter().map(|complaint| Plan::new(self.now()).with(complaint)));
            }
            if waiting.is_empty() {
                return Ok(routed);
            }
            routed += self.place_together(waiting, &policy).await?;
        }
    }

    /// Takes open complaints from handlers who are disabled or absent, and routes them anew: all but those that
    /// [wait for them](waits_for).
    ///
    /// Example: [`ReleaseCause`](crate::complaint::ReleaseCause).
    pub async fn release_from_absent(&self) -> Result<u32, DeskError> {
        let now = self.now();
        let roster = self.store.roster().await?;
        let absent = roster.into_iter().filter(|member| member.workload > 0 && !member.agent.is_available(now));
        let goes = |complaint: &Complaint, handler: &Agent| !waits_for(complaint, handler, now);
        self.release_from(absent.map(|member| member.agent).collect(), goes).await
    }

    /// Takes what `goes` of what these agents hold, and routes it anew.
    pub(super) async fn release_from(
        &self,
        agents: Vec<Agent>,
        goes: impl Fn(&Complaint, &Agent) -> bool + Send + Sync,
    ) -> Result<u32, DeskError> {
        let policy = self.usable_policy()?;
        let now = self.now();
        let context = Context::new(&policy, now).handler_available(false);
        let mut released = 0;
        let mut taken = Vec::new();
        for agent in agents {
            let statuses =
                vec![Status::Assigned, Status::InProgress, Status::AwaitingCustomer, Status::AwaitingThirdParty];
            let mut walk = Some(most_pressing(statuses, Some(agent.id.clone())));
            while let Some(page) = self.next_page(&mut walk).await? {
                for complaint in page.iter().filter(|complaint| goes(complaint, &agent)) {
                    let command = Command::release();
                    let Ok(entries) = decide(complaint, &command, &Actor::system(), &context) else { continue };
                    let mut plan = Plan::new(now).with(complaint);
                    plan.add(entries);
                    taken.push(plan);
                }
                if taken.len() >= TOGETHER_MAX {
                    released += self.place_together(std::mem::take(&mut taken), &policy).await?;
                }
            }
        }
        Ok(released + self.place_together(taken, &policy).await?)
    }

    /// Gives what these plans leave in the queue to handlers, all together, and commits each that changes anything.
    /// Answers with how many were committed.
    async fn place_together(&self, plans: Vec<Plan>, policy: &Policy) -> Result<u32, DeskError> {
        if plans.is_empty() {
            return Ok(0);
        }
        let roster = self.roster().await?;
        let with_need = |plan: Plan| {
            let need = self.need(&plan, &roster)?;
            Some((plan, need))
        };
        let (plans, needs): (Vec<Plan>, Vec<Need>) = plans.into_iter().filter_map(with_need).unzip();
        let batch = route_batch(&needs, &roster, self.now());
        let (mut committed, mut failed) = (0, None);
        for (at, mut plan) in plans.into_iter().enumerate() {
            if let Some(member) = batch.member(at) {
                self.give(&mut plan, policy, member, &batch.routing(at));
            }
            if plan.is_empty() {
                continue;
            }
            self.say_if_nobody(&mut plan, policy, &needs[at], &roster);
            match self.committed(plan, policy).await {
                Ok(done) => committed += u32::from(done),
                Err(error) if concerns_all(&error) => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(committed), Err)
    }

    /// Commits, unless somebody else was faster: then the next sweep looks again.
    async fn committed(&self, plan: Plan, policy: &Policy) -> Result<bool, DeskError> {
        match self.commit(&plan.into_change(policy)).await {
            Ok(()) => Ok(true),
            Err(DeskError::Store(StoreError::Conflict { .. } | StoreError::CapacityExceeded { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next page of a walk; `None` once it is over.
    async fn next_page(&self, walk: &mut Option<Query>) -> Result<Option<Vec<Complaint>>, DeskError> {
        let Some(query) = walk.take() else { return Ok(None) };
        let page = self.store.search(&query).await?;
        *walk = page.next.map(|next| Query { after: Some(next), ..query });
        Ok(Some(page.items))
    }
}

/// Whether the store fails as a whole, so that the next complaint would fare no better. What is wrong with one complaint must not
/// hold up the others.
fn concerns_all(error: &DeskError) -> bool {
    use StoreError as E;
    matches!(error, DeskError::Store(E::Unavailable(_) | E::OutcomeUnknown(_) | E::Unusable(_)))
}

/// All complaints of these statuses, the most pressing first.
fn most_pressing(statuses: Vec<Status>, handler: Option<AgentId>) -> Query {
    let handlers = handler.into_iter().collect();
    Query { statuses, handlers, sort: Sort::Deadline, limit: PAGE_MAX, ..Query::within(Scope::All) }
}
