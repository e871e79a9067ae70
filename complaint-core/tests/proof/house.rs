//! A small organisation, and complaints driven through it by the rules alone or through a desk.

use std::sync::{Arc, LazyLock, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::agent::Member;
use complaint_core::complaint::{Attachment, Entry, Event, Outcome, Remedy, RemedyKind, Submission};
use complaint_core::deadline::due_commands;
use complaint_core::desk::{Acting, Observer};
use complaint_core::id::{AgentId, AttachmentId, ComplaintId, CustomerId, Level, StaffId};
use complaint_core::lifecycle::{Command, CommandName, Context, Input, Refusal, Status, begin, decide, evolve, submit};
use complaint_core::policy::Category;
use complaint_core::reference::Reference;
use complaint_core::routing::{Need, Roster, Routing, route};
use complaint_core::store::{Change, MemoryStore, copy};
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Actor, Agent, Complaint, Desk, Policy};

pub(crate) fn monday() -> DateTime<Utc> {
    "2026-11-23T09:30:00Z".parse().unwrap()
}

pub(crate) fn level(number: u8) -> Level {
    Level::new(number).unwrap()
}

pub(crate) fn agent_id(id: &str) -> AgentId {
    AgentId::new(id).unwrap()
}

pub(crate) fn customer(id: &str) -> Actor {
    Actor::customer(id).unwrap()
}

pub(crate) fn admin() -> Actor {
    Actor::admin(StaffId::new("root").unwrap())
}

pub(crate) fn auditor() -> Actor {
    Actor::auditor(StaffId::new("eye").unwrap())
}

pub(crate) fn policy() -> Policy {
    Policy::standard()
        .with_category(Category::named("Damaged goods").unwrap())
        .with_category(Category::named("Late delivery").unwrap())
}

/// Level 1: sarah, ben, sue. Level 2: maria, max, mia, zoe. Level 3: omar, olga, ora.
/// Made once: random histories ask for them more often than for anything else.
static AGENTS: LazyLock<Vec<Agent>> = LazyLock::new(|| {
    let of = |id: &str, at: u8| {
        Agent::named(id, id)
            .unwrap()
            .skilled_in(["damaged goods", "late delivery"])
            .at_level(level(at))
            .with_capacity(50)
    };
    let mut agents = Vec::new();
    agents.extend(["sarah", "ben", "sue"].map(|id| of(id, 1)));
    agents.extend(["maria", "max", "mia", "zoe"].map(|id| of(id, 2)));
    agents.extend(["omar", "olga", "ora"].map(|id| of(id, 3)));
    agents
});

pub(crate) fn agents() -> Vec<Agent> {
    AGENTS.clone()
}

pub(crate) fn agent(id: &str) -> Actor {
    Actor::agent(AGENTS.iter().find(|agent| agent.id.as_str() == id).unwrap())
}

pub(crate) fn roster() -> Roster {
    let members = agents().into_iter().map(|agent| Member { agent, workload: 0, last_assigned_at: None }).collect();
    Roster { members, ..Roster::default() }
}

pub(crate) fn submission() -> Submission {
    let mut submission =
        Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").unwrap().against(agent_id("zoe"));
    submission.contact.email = Some("john@example.org".into());
    submission
}

pub(crate) fn file(number: u128) -> Attachment {
    Attachment {
        id: AttachmentId::from_uuid(uuid(number)),
        file_name: format!("photo-{number}.png"),
        media_type: "image/png".into(),
        size: 17,
        sha256: "0".repeat(64),
    }
}

pub(crate) fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | number)
}

pub(crate) fn input(name: CommandName, input: Input) -> Command {
    Command::new(name, input).unwrap()
}

/// A choice by hand, as a desk would make it.
pub(crate) fn by_hand(complaint: &Complaint, agent: &AgentId, now: DateTime<Utc>) -> Routing {
    by_hand_of(&roster(), complaint, agent, now)
}

pub(crate) fn by_hand_of(roster: &Roster, complaint: &Complaint, agent: &AgentId, now: DateTime<Utc>) -> Routing {
    let fits =
        roster.member(agent).is_some_and(|member| roster.eligibility(&Need::of(complaint), member, now).is_empty());
    Routing { chosen: fits.then(|| agent.clone()), by_hand: true, ..Routing::default() }
}

/// The rules alone, with everything they are told.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) now: DateTime<Utc>,
    pub(crate) handler_available: bool,
    pub(crate) log: Vec<Entry>,
    pub(crate) drawn: u128,
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, now: monday(), handler_available: true, log: Vec::new(), drawn: 0 }
    }

    pub(crate) fn later(&mut self, by: TimeDelta) {
        self.now += by;
    }

    pub(crate) fn submitted(&mut self) -> Complaint {
        self.submitted_with(&submission())
    }

    pub(crate) fn submitted_with(&mut self, submission: &Submission) -> Complaint {
        self.drawn += 1;
        let context = Context::new(&self.policy, self.now);
        let id = ComplaintId::from_uuid(uuid(self.drawn));
        let entry = submit(id, Reference::from_entropy(self.drawn), submission, &customer("john"), &context).unwrap();
        self.log.push(entry.clone());
        begin(&entry).unwrap()
    }

    pub(crate) fn decide(
        &self,
        complaint: &Complaint,
        actor: &Actor,
        command: &Command,
        other: Option<&Complaint>,
    ) -> Result<Vec<Entry>, Refusal> {
        let needs_routing = matches!(command.name(), CommandName::Assign | CommandName::Reassign);
        let routing = needs_routing.then(|| match &command.input().agent {
            Some(agent) => by_hand(complaint, agent, self.now),
            None => route(&Need::of(complaint), &roster(), self.now),
        });
        let mut context = Context::new(&self.policy, self.now).handler_available(self.handler_available);
        if let Some(other) = other {
            context = context.other(other);
        }
        if let Some(routing) = &routing {
            context = context.routed(routing);
        }
        decide(complaint, command, actor, &context)
    }

    pub(crate) fn act(&mut self, complaint: &Complaint, actor: &Actor, command: &Command) -> Complaint {
        let entries = self
            .decide(complaint, actor, command, None)
            .unwrap_or_else(|refusal| panic!("{refusal} ({:?})", refusal.failed));
        self.log.extend(entries.iter().cloned());
        entries.iter().fold(complaint.clone(), evolve)
    }

    pub(crate) fn plain(&mut self, complaint: &Complaint, actor: &Actor, name: CommandName) -> Complaint {
        self.act(complaint, actor, &Command::plain(name))
    }

    pub(crate) fn text(&mut self, complaint: &Complaint, actor: &Actor, name: CommandName) -> Complaint {
        self.act(complaint, actor, &Command::with_text(name, "Some words."))
    }

    pub(crate) fn reason(&mut self, complaint: &Complaint, actor: &Actor, name: CommandName) -> Complaint {
        self.act(complaint, actor, &Command::with_reason(name, "Because."))
    }

    /// Everything the clocks ask for now, as a sweep would do it.
    pub(crate) fn tick(&mut self, mut complaint: Complaint) -> Complaint {
        for _ in 0..64 {
            let next = due_commands(&complaint, &self.policy, self.now)
                .into_iter()
                .find(|command| self.decide(&complaint, &Actor::system(), command, None).is_ok());
            match next {
                Some(command) => complaint = self.act(&complaint, &Actor::system(), &command),
                None => return complaint,
            }
        }
        panic!("the clocks never come to rest: {:?}", due_commands(&complaint, &self.policy, self.now));
    }

    pub(crate) fn assigned(&mut self, to: &str) -> Complaint {
        let complaint = self.submitted();
        let complaint = self.plain(&complaint, &Actor::system(), CommandName::Acknowledge);
        self.given(&complaint, to)
    }

    pub(crate) fn given(&mut self, complaint: &Complaint, to: &str) -> Complaint {
        let assign = input(CommandName::Assign, Input { agent: Some(agent_id(to)), ..Input::default() });
        self.act(complaint, &admin(), &assign)
    }

    pub(crate) fn begun(&mut self, by: &str) -> Complaint {
        let complaint = self.assigned(by);
        self.plain(&complaint, &agent(by), CommandName::Begin)
    }

    /// In progress at a level, with its first handler of each: sarah, maria, omar.
    pub(crate) fn begun_at(&mut self, at: u8) -> Complaint {
        let mut complaint = self.begun("sarah");
        for (holder, next) in [("sarah", "maria"), ("maria", "omar")].into_iter().take(usize::from(at) - 1) {
            complaint = self.reason(&complaint, &agent(holder), CommandName::Escalate);
            complaint = self.given(&complaint, next);
            complaint = self.plain(&complaint, &agent(next), CommandName::Begin);
        }
        complaint
    }

    pub(crate) fn resolved(&mut self, complaint: &Complaint, remedies: Vec<Remedy>) -> Complaint {
        let holder = agent(complaint.handler.as_ref().unwrap().as_str());
        self.act(complaint, &holder, &decision(CommandName::Resolve, remedies))
    }
}

pub(crate) fn decision(name: CommandName, remedies: Vec<Remedy>) -> Command {
    let given = Input {
        outcome: Some(Outcome::Upheld),
        explanation: Some("It left us broken.".into()),
        apology: Some("We are sorry.".into()),
        remedies,
        ..Input::default()
    };
    input(name, given)
}

pub(crate) fn replacement() -> Vec<Remedy> {
    vec![Remedy::of(RemedyKind::Replacement)]
}

/// A desk over a store in memory with all agents enrolled, and everything it committed.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) desk: Desk,
    pub(crate) clock: ManualClock,
    pub(crate) changes: Arc<Changes>,
    pub(crate) store: Arc<MemoryStore>,
}

#[derive(Default)]
pub(crate) struct Changes(pub(crate) Mutex<Vec<Change>>);

impl Observer for Changes {
    fn committed(&self, change: &Change) {
        self.0.lock().unwrap().push(change.clone());
    }
}

impl House {
    pub(crate) async fn new(policy: Policy) -> Self {
        Self::with(policy, agents()).await
    }

    pub(crate) async fn with(policy: Policy, agents: Vec<Agent>) -> Self {
        let clock = ManualClock::at(monday());
        let changes = Arc::new(Changes::default());
        let store = Arc::new(MemoryStore::new());
        let desk = Desk::over(store.clone(), policy)
            .with_clock(Arc::new(clock.clone()))
            .with_ids(Arc::new(CountedIds::default()))
            .watched_by(changes.clone());
        // The complaints of these tests are against her.
        let subject = crate::house::agents().into_iter().find(|agent| agent.id.as_str() == "zoe");
        let subject = subject.filter(|subject| agents.iter().all(|agent| agent.id != subject.id));
        for agent in agents.into_iter().chain(subject) {
            desk.enrol(agent).await.unwrap();
        }
        Self { desk, clock, changes, store }
    }

    /// The same house on another store, with everything in it.
    pub(crate) async fn moved(&self, ids: u64) -> Self {
        let store = Arc::new(MemoryStore::new());
        let copied = copy(self.store.as_ref(), store.as_ref(), |_| ()).await.unwrap();
        assert!(copied.is_whole(), "{copied:?}");
        let desk = Desk::over(store.clone(), (*self.desk.policy()).clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_ids(Arc::new(CountedIds::from(ids)))
            .watched_by(self.changes.clone());
        Self { desk, clock: self.clock.clone(), changes: self.changes.clone(), store }
    }

    pub(crate) fn as_actor(&self, actor: Actor) -> Acting {
        self.desk.acting_as(actor)
    }

    pub(crate) async fn submit(&self) -> Complaint {
        self.as_actor(customer("john")).submit(submission()).await.unwrap().complaint().clone()
    }

    pub(crate) async fn state(&self, id: ComplaintId) -> Complaint {
        self.desk.store().load(id).await.unwrap().unwrap()
    }

    /// Whoever holds it, ready to act.
    pub(crate) async fn handler(&self, id: ComplaintId) -> Acting {
        let handler = self.state(id).await.handler.unwrap();
        self.as_actor(agent(handler.as_str()))
    }

    pub(crate) async fn workloads_add_up(&self) {
        for member in self.desk.store().roster().await.unwrap() {
            let mut held = 0;
            let mut query = complaint_core::store::Query::within(complaint_core::store::Scope::All);
            query.handlers = vec![member.agent.id.clone()];
            query.limit = complaint_core::store::PAGE_MAX;
            for complaint in self.desk.store().search(&query).await.unwrap().items {
                held += if complaint.status.is_open() { complaint.weight } else { 0 };
            }
            assert_eq!(member.workload, held, "{} holds another sum", member.agent.id);
        }
    }
}

pub(crate) fn john() -> CustomerId {
    CustomerId::new("john").unwrap()
}

pub(crate) fn is_open(status: Status) -> bool {
    !matches!(
        status,
        Status::Resolved | Status::Closed | Status::Withdrawn | Status::Dismissed | Status::Merged | Status::Referred
    )
}

pub(crate) fn names(log: &[Entry]) -> Vec<String> {
    log.iter().map(|entry| tag(&entry.event)).collect()
}

pub(crate) fn tag(event: &Event) -> String {
    serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned()
}
