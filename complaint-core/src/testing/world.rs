//! Where scenarios are played: what a world must be able to do, and the one made of a desk over a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{CountedIds, ManualClock};
use crate::actor::Actor;
use crate::agent::Agent;
use crate::complaint::{Complaint, Entry, Event, Submission};
use crate::deadline::{ClockKind, Deadline, Ending};
use crate::desk::{Acting, Desk, DeskError};
use crate::id::{AgentId, ComplaintId, CustomerId, InvalidId, Level, StaffId};
use crate::lifecycle::{Command, Status};
use crate::notice::{Notice, NoticeKind, Recipient, Settlement};
use crate::policy::Policy;
use crate::store::{MemoryStore, PAGE_MAX, Query, Scope, Store};

/// The organisation of a scenario.
///
/// ```
/// use complaint_core::testing::{Role, Scenario, samples};
///
/// let story = Scenario::titled("Empty").given(samples::policy()).given(samples::sarah()).given_customer("John");
/// let house = story.house();
/// assert_eq!(house.agents, [samples::sarah()]);
/// assert_eq!(house.person("John").map(|john| (john.role, john.key())), Some((Role::Customer, "john".into())));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct House {
    /// The house rules, categories included.
    pub policy: Policy,
    /// Who handles complaints. The id of each is their name in lower case.
    pub agents: Vec<Agent>,
    /// Everybody who acts, agents included.
    pub people: Vec<Person>,
}

/// Somebody in a scenario.
///
/// Example: [`House`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// What the scenario calls them.
    pub name: String,
    /// What they are.
    pub role: Role,
}

/// What somebody in a scenario is.
///
/// Example: [`House`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Complains.
    Customer,
    /// Handles complaints.
    Agent,
    /// Runs the system.
    Admin,
    /// Reads everything.
    Auditor,
}

impl Person {
    /// The host's key of this person in a world that numbers nobody itself: the name in lower case.
    pub fn key(&self) -> String {
        self.name.to_lowercase()
    }
}

impl House {
    /// Somebody by name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }
}

/// Somewhere a scenario can be played: rules over a store, a server behind its interface, whatever an embedder has.
///
/// Nothing here says what a complaint may do: a world does as it is told and answers with what it sees.
///
/// Example: [`DeskWorld`].
#[async_trait]
pub trait World: Send {
    /// Makes the organisation, with the clock at this instant. Called once, first.
    async fn found(&mut self, house: &House, now: DateTime<Utc>) -> Result<(), Answer>;

    /// Moves the clock, and does nothing else.
    async fn set_clock(&mut self, now: DateTime<Utc>) -> Result<(), Answer>;

    /// Keeps an agent of the house, changed.
    async fn change(&mut self, agent: &Agent) -> Result<(), Answer>;

    /// Everything that is due now, except for the delivery of notices, which [`World::notices`] takes.
    async fn sweep(&mut self) -> Result<(), Answer>;

    /// Hands in a complaint; with `follows`, as a follow-up of a finished one.
    async fn submit(
        &mut self,
        by: &Person,
        submission: &Submission,
        follows: Option<ComplaintId>,
    ) -> Result<ComplaintId, Answer>;

    /// Gives a command. Agents in its input are those of the house; another complaint is named by its id.
    async fn give(&mut self, by: &Person, complaint: ComplaintId, command: &Command) -> Result<(), Answer>;

    /// A complaint as those see it who see everything.
    async fn see(&mut self, complaint: ComplaintId) -> Result<Sight, Answer>;

    /// The status of a complaint in the words this person reads. Refused with `not_found` where it is none of their
    /// business.
    async fn see_as(&mut self, by: &Person, complaint: ComplaintId) -> Result<String, Answer>;

    /// What an agent holds.
    async fn workload(&mut self, agent: &AgentId) -> Result<u32, Answer>;

    /// The notices planned since the last time this was asked, in any order, taken as delivered. Recipients are named
    /// by the keys of the house.
    async fn notices(&mut self) -> Result<Vec<(Recipient, NoticeKind)>, Answer>;

    /// Whether the books balance: logs rebuild states, workloads are sums. Asked once, last.
    async fn audit(&mut self) -> Result<(), Answer>;
}

/// Why a world did not do it.
///
/// Example: [`DeskWorld`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Answer {
    /// The rules said no.
    #[error("refused with {}: {message}", codes.join(", "))]
    Refused {
        /// The codes of all guards that failed; `not_found` where the complaint is none of theirs.
        codes: Vec<String>,
        /// What people read.
        message: String,
    },
    /// Something failed that is no business of the rules.
    #[error("{0}")]
    Broken(String),
}

/// A complaint as a scenario looks at it.
///
/// Example: [`DeskWorld`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Where the work is.
    pub status: Status,
    /// The step of the ladder.
    pub level: Level,
    /// Who holds it, or held it last.
    pub handler: Option<AgentId>,
    /// The latest clock of each kind it ever had.
    pub clocks: BTreeMap<ClockKind, SeenClock>,
    /// The names of all entries of its log, in order.
    pub log: Vec<String>,
}

/// A clock as a scenario looks at it.
///
/// Example: [`DeskWorld`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenClock {
    /// When it runs out; `None` while it is paused.
    pub due_at: Option<DateTime<Utc>>,
    /// The highest warning given: 0, 75 or 90.
    pub warned: u8,
    /// When it was found to have run out, if it was.
    pub missed_at: Option<DateTime<Utc>>,
    /// How it ended, if it did.
    pub ended: Option<Ending>,
}

impl Sight {
    /// What there is to see of a complaint and its log.
    pub fn of(complaint: &Complaint, log: &[Entry]) -> Self {
        let seen = |deadline: &Deadline| SeenClock {
            due_at: deadline.due_at,
            warned: deadline.warned,
            missed_at: deadline.missed_at,
            ended: deadline.ended.map(|ended| ended.how),
        };
        Self {
            status: complaint.status,
            level: complaint.level,
            handler: complaint.handler.clone(),
            // Later ones of a kind take the place of earlier ones.
            clocks: complaint.deadlines.iter().map(|deadline| (deadline.clock, seen(deadline))).collect(),
            log: log.iter().map(|entry| event_name(&entry.event)).collect(),
        }
    }
}

/// The name under which an event is stored, e.g. `handed_back`.
///
/// ```
/// use complaint_core::complaint::Event;
/// use complaint_core::testing::event_name;
///
/// assert_eq!(event_name(&Event::Acknowledged), "acknowledged");
/// ```
pub fn event_name(event: &Event) -> String {
    let stored = serde_json::to_value(event).unwrap_or_default();
    stored["type"].as_str().unwrap_or_default().to_owned()
}

impl From<DeskError> for Answer {
    fn from(error: DeskError) -> Self {
        let message = error.to_string();
        match error {
            DeskError::Refused(refusal) => {
                Self::Refused { codes: refusal.failed.iter().map(|it| it.code.to_owned()).collect(), message }
            }
            DeskError::NotFound => Self::Refused { codes: vec!["not_found".into()], message },
            other => Self::Broken(format!("{other:?}")),
        }
    }
}

impl From<InvalidId> for Answer {
    fn from(error: InvalidId) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A [`Desk`] over any store.
///
/// Its clock stands where the scenario puts it and its identifiers are counted, so one scenario always makes one log.
///
/// ```
/// use complaint_core::deadline::ClockKind;
/// use complaint_core::lifecycle::{Command, CommandName};
/// use complaint_core::testing::{Answer, DeskWorld, Scenario, World, samples};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let story = Scenario::titled("By hand").given(samples::policy()).given(samples::sarah()).given_customer("John");
/// let (house, mut world) = (story.house(), DeskWorld::in_memory());
/// world.found(house, samples::monday()).await?;
/// let john = house.person("John").expect("a customer");
/// let complaint = world.submit(john, &samples::broken_kettle(), None).await?;
///
/// let sight = world.see(complaint).await?;
/// assert_eq!(sight.handler, Some(samples::sarah().id));
/// assert_eq!(sight.log, ["submitted", "acknowledged", "assigned"]);
/// assert_eq!(sight.clocks[&ClockKind::Resolution].ended, None);
/// let refused = world.give(john, complaint, &Command::plain(CommandName::Begin)).await.unwrap_err();
/// assert!(matches!(refused, Answer::Refused { codes, .. } if codes == ["not_permitted"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DeskWorld {
    store: Arc<dyn Store>,
    clock: ManualClock,
    desk: Option<Desk>,
}

impl DeskWorld {
    /// Over a store in memory.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(MemoryStore::new()))
    }

    /// Over an empty store.
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self { store, clock: ManualClock::at(DateTime::UNIX_EPOCH), desk: None }
    }

    fn desk(&self) -> Result<&Desk, Answer> {
        self.desk.as_ref().ok_or_else(|| Answer::Broken("the house was never founded".into()))
    }

    async fn acting(&self, person: &Person) -> Result<Acting, Answer> {
        let desk = self.desk()?;
        let actor = match person.role {
            Role::Customer => Actor::customer(CustomerId::new(person.key())?)?,
            Role::Admin => Actor::admin(StaffId::new(person.key())?),
            Role::Auditor => Actor::auditor(StaffId::new(person.key())?),
            Role::Agent => {
                let found = self.store.find(&AgentId::new(person.key())?).await.map_err(DeskError::from)?;
                let member = found.ok_or_else(|| Answer::Broken(format!("{} was never enrolled", person.name)))?;
                Actor::agent(&member.agent)
            }
        };
        Ok(desk.acting_as(actor))
    }
}

#[async_trait]
impl World for DeskWorld {
    async fn found(&mut self, house: &House, now: DateTime<Utc>) -> Result<(), Answer> {
        self.clock.set(now);
        let desk = Desk::over(Arc::clone(&self.store), house.policy.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_ids(Arc::new(CountedIds::default()));
        for agent in &house.agents {
            desk.enrol(agent.clone()).await?;
        }
        self.desk = Some(desk);
        Ok(())
    }

    async fn set_clock(&mut self, now: DateTime<Utc>) -> Result<(), Answer> {
        self.clock.set(now);
        Ok(())
    }

    async fn change(&mut self, agent: &Agent) -> Result<(), Answer> {
        self.desk()?.enrol(agent.clone()).await?;
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Answer> {
        self.desk()?.sweep().await?;
        Ok(())
    }

    async fn submit(
        &mut self,
        by: &Person,
        submission: &Submission,
        follows: Option<ComplaintId>,
    ) -> Result<ComplaintId, Answer> {
        let acting = self.acting(by).await?;
        let receipt = match follows {
            Some(finished) => acting.follow_up(finished, submission.clone()).await?,
            None => acting.submit(submission.clone()).await?,
        };
        Ok(receipt.id())
    }

    async fn give(&mut self, by: &Person, complaint: ComplaintId, command: &Command) -> Result<(), Answer> {
        self.acting(by).await?.perform(complaint, command.clone()).await?;
        Ok(())
    }

    async fn see(&mut self, complaint: ComplaintId) -> Result<Sight, Answer> {
        let desk = self.desk()?;
        let state = desk.acting_as(Actor::system()).read(complaint).await?;
        Ok(Sight::of(&state, &desk.whole_log(complaint).await?))
    }

    async fn see_as(&mut self, by: &Person, complaint: ComplaintId) -> Result<String, Answer> {
        let state = self.acting(by).await?.read(complaint).await?;
        if by.role != Role::Customer {
            return Ok(state.status.label().to_owned());
        }
        let handler = match &state.handler {
            Some(handler) => self.store.find(handler).await.map_err(DeskError::from)?,
            None => None,
        };
        Ok(state.status_for_customer(handler.as_ref().map(|member| member.agent.name.as_str()), None))
    }

    async fn workload(&mut self, agent: &AgentId) -> Result<u32, Answer> {
        let found = self.store.find(agent).await.map_err(DeskError::from)?;
        found.map(|member| member.workload).ok_or_else(|| Answer::Broken(format!("{agent} was never enrolled")))
    }

    async fn notices(&mut self) -> Result<Vec<(Recipient, NoticeKind)>, Answer> {
        let taken = take_notices(&*self.store, self.desk()?.now()).await?;
        Ok(taken.into_iter().map(|notice| (notice.recipient, notice.kind)).collect())
    }

    async fn audit(&mut self) -> Result<(), Answer> {
        audit(self.desk()?).await
    }
}

/// Takes every notice that waits in an outbox, as a courier who always succeeds.
///
/// # Errors
/// If the store fails.
///
/// ```
/// use complaint_core::testing::{samples, take_notices};
/// use complaint_core::{Actor, Desk, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let desk = Desk::new(MemoryStore::new(), samples::policy());
/// desk.acting_as(Actor::customer("john")?).submit(samples::broken_kettle()).await?;
/// assert!(!take_notices(desk.store(), desk.now()).await?.is_empty());
/// assert_eq!(take_notices(desk.store(), desk.now()).await?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn take_notices(store: &dyn Store, now: DateTime<Utc>) -> Result<Vec<Notice>, DeskError> {
    let mut taken = Vec::new();
    loop {
        let batch = store.claim(now, now + TimeDelta::minutes(1), 100).await?;
        if batch.is_empty() {
            return Ok(taken);
        }
        for claimed in batch {
            store.settle(&claimed, Settlement::Delivered, now).await?;
            taken.push(claimed.notice);
        }
    }
}

/// Whether the books of a desk balance: every log rebuilds its complaint bit for bit, every workload is the sum of the
/// weights of the open complaints held.
///
/// # Errors
/// What does not balance, or why it could not be looked at.
///
/// ```
/// use complaint_core::testing::{audit, samples};
/// use complaint_core::{Actor, Desk, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let desk = Desk::new(MemoryStore::new(), samples::policy());
/// desk.acting_as(Actor::customer("john")?).submit(samples::broken_kettle()).await?;
/// audit(&desk).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn audit(desk: &Desk) -> Result<(), Answer> {
    let store = desk.store();
    let mut held: BTreeMap<AgentId, u32> = BTreeMap::new();
    let mut walk = Some(Query { limit: PAGE_MAX, ..Query::within(Scope::All) });
    while let Some(query) = walk.take() {
        let page = store.search(&query).await.map_err(DeskError::from)?;
        for complaint in &page.items {
            if !desk.replays(complaint.id).await? {
                return Err(Answer::Broken(format!("the log of {} rebuilds another complaint", complaint.reference)));
            }
            if let Some((agent, weight)) = complaint.workload() {
                *held.entry(agent.clone()).or_default() += weight;
            }
        }
        walk = page.next.map(|next| Query { after: Some(next), ..query });
    }
    for member in store.roster().await.map_err(DeskError::from)? {
        let sum = held.remove(&member.agent.id).unwrap_or_default();
        if member.workload != sum {
            let (agent, kept) = (member.agent.id, member.workload);
            return Err(Answer::Broken(format!("{agent} is said to hold {kept}, but holds {sum}")));
        }
    }
    match held.into_keys().next() {
        Some(stranger) => Err(Answer::Broken(format!("{stranger}, who is no agent, holds a complaint"))),
        None => Ok(()),
    }
}
