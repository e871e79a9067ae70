//! The lifecycle under a model checker: every order in which customer, handlers, supervisors, clocks, router and
//! courier can act over one or two complaints, on the real `decide` and `evolve` with a small policy and whole hours.
//!
//! States are told apart by what can still make a difference: texts, numbers and finished history are left out of a
//! state's [`Shape`], counters are in it and bounded. What must hold between two states is noted in the later one
//! ([`Broken`]), so that every invariant is a property of states and the shortest way to a violation is found.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::agent::Member;
use complaint_core::complaint::{
    CloseCause, Entry, EscalationCause, Event, ExclusionCause, Outcome, Place, ReleaseCause, Remedy,
};
use complaint_core::deadline::{ClockKind, Ending, due_commands};
use complaint_core::id::{AgentId, ComplaintId, Level};
use complaint_core::lifecycle::{
    Command, CommandName as C, Context, Input, Status, begin, decide, evolve, replay, rule, submit,
};
use complaint_core::notice::{Recipient, announce};
use complaint_core::policy::Category;
use complaint_core::reference::Reference;
use complaint_core::routing::{Need, Roster, Routing, route};
use complaint_core::testing::{event_name, samples};
use complaint_core::{Actor, Agent, Complaint, Party, Policy};
use stateright::{Checker, HasDiscoveries, Model, Property};

/// More commands than the clocks of one complaint can ask for at once.
const SWEEP_MAX: usize = 64;

#[test]
fn every_invariant_holds_in_every_order_of_events() {
    let mut states = 0;
    let mut with_an_end = 0;
    let mut never: BTreeSet<&str> = sometimes().iter().map(|property| property.name).collect();
    for house in House::all() {
        let name = house.name;
        let checker = house.checker().threads(2).spawn_bfs().join();
        assert!(checker.is_done(), "{name}: not every state was looked at");
        for property in always() {
            if let Some(path) = checker.discovery(property.name) {
                panic!("{name}: `{}` is broken by:\n{}", property.name, told(&path.into_actions()));
            }
        }
        never.retain(|property| checker.discovery(property).is_none());
        let seen = checker.unique_state_count();
        println!("{name}: {seen} distinct states, {} generated, depth {}", checker.state_count(), checker.max_depth());
        states += seen;
        with_an_end += checker.model().no_dead_end();
    }
    println!("{states} distinct states in all; from each of the {with_an_end} within bounds an end can be reached");
    assert!(never.is_empty(), "never seen: {never:?}");
    assert!(states >= 100_000, "only {states} states");
}

/// The checker would notice: with one rule broken on purpose, the property that guards it has a counterexample.
#[test]
fn a_sabotaged_lifecycle_is_caught() {
    for (sabotage, property, house) in [
        (Sabotage::ContestExcludesNobody, NEVER_BACK_TO_A_DECIDER, House::of_decisions()),
        (Sabotage::EscalationsAreForgotten, ONCE_PER_LEVEL_AND_CAUSE, House::of_handing_back()),
        (Sabotage::ReleaseLowersTheLevel, FALLS_ONLY_BY_HAND_BACK, House::of_clocks()),
        (Sabotage::ProposerApproves, PROPOSER_NEVER_APPROVES, House::of_decisions()),
        (Sabotage::QuestionsDelayTheLaw, LAW_NEVER_LATER, House::of_clocks()),
        (Sabotage::ReassignKeepsTheLoad, WORKLOAD_IS_THE_SUM, House::of_people()),
        (Sabotage::RemediesAreNotWaitedFor, NO_END_WITHOUT_REASON, House::of_people()),
        (Sabotage::FailuresAreForgotten, NO_FAILURE_CLOSED_OVER, House::of_decisions()),
        (Sabotage::LogLosesAnEntry, LOG_GIVES_THE_STATE, House::of_messages()),
        (Sabotage::SubjectMayAct, SUBJECT_IS_KEPT_OUT, House::of_decisions()),
        (Sabotage::OneClockMovesBoth, WORKLOAD_IS_THE_SUM, House::of_two_complaints_in_time()),
        (Sabotage::LeasesAreIgnored, ONE_LIVE_LEASE, House::of_couriers()),
        (Sabotage::SettledUnsent, SETTLED_WAS_DELIVERED, House::of_couriers()),
        (Sabotage::JoinedAreForgotten, JOINED_ARE_TOLD, House::of_two_customers()),
    ] {
        let house = House { sabotage, ..house };
        let checker = house.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let path = checker.discovery(property).unwrap_or_else(|| panic!("{sabotage:?} does not break `{property}`"));
        println!("{sabotage:?}: {}", told(&path.into_actions()));
    }
}

/// The search for dead ends would notice too: where nobody can withdraw, close or accept, nothing ends.
#[test]
#[should_panic(expected = "states lead to no end")]
fn a_lifecycle_without_a_way_out_is_caught() {
    let mut house = House::of_messages();
    house.deeds.retain(|deed| !matches!(deed.command.name(), C::Withdraw | C::Close | C::Accept));
    house.bounds.hours = 0;
    house.checker().spawn_bfs().join().model().no_dead_end();
}

const LOG_GIVES_THE_STATE: &str = "1: folding the log gives the state";
const FALLS_ONLY_BY_HAND_BACK: &str = "3: the level falls only by hand_back";
const NEVER_BACK_TO_A_DECIDER: &str = "4: a contested complaint never reaches whoever decided it";
const LAW_NEVER_LATER: &str = "5: a statutory deadline never moves later";
const SEGMENTS_ARE_WHOLE: &str = "6: the segments of a clock leave no gap";
const ONCE_PER_LEVEL_AND_CAUSE: &str = "7: a cause escalates once per level";
const WORKLOAD_IS_THE_SUM: &str = "8: a workload is the sum of what is held";
const NO_END_WITHOUT_REASON: &str = "9: no end without outcome or reason";
const JOINED_ARE_TOLD: &str =
    "who agreed to go on with somebody else's is told how it ends, and never ends by their taking it back";
const TOLD_ONCE: &str = "10: one notice per change and recipient";
const SUBJECT_IS_KEPT_OUT: &str = "12: the subject neither holds nor decides nor is told";
const SETTLED_WAS_DELIVERED: &str = "10: a settled notice was delivered";
const ONE_LIVE_LEASE: &str = "10: at most one courier holds a live lease of a notice";
const PROPOSER_NEVER_APPROVES: &str = "13: the proposer never approves";
const NO_FAILURE_CLOSED_OVER: &str = "a failed remedy is never closed over";
const NOTHING_UNREAD_CLOSED_OVER: &str = "what the customer wrote is read before it closes";
const CLOSED_BY_OWN_WORD_OR_TIME: &str = "staff's word for the customer closes nothing";

/// What was found to be wrong between the state before and this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Broken {
    LevelFell,
    BackToADecider,
    LawMovedLater,
    EscalatedTwice,
    OwnProposalApproved,
    ToldTwice,
    SettledUndelivered,
    SubjectTookPart,
    ClosedByWordOfStaff,
}

/// A rule that is not kept, to see that the checker finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    None,
    ContestExcludesNobody,
    EscalationsAreForgotten,
    ReleaseLowersTheLevel,
    ProposerApproves,
    QuestionsDelayTheLaw,
    ReassignKeepsTheLoad,
    RemediesAreNotWaitedFor,
    FailuresAreForgotten,
    LogLosesAnEntry,
    SubjectMayAct,
    OneClockMovesBoth,
    LeasesAreIgnored,
    SettledUnsent,
    JoinedAreForgotten,
}

/// How often each thing may happen to one complaint, so that there is an end to what can happen.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    hours: u8,
    level_entries: u32,
    assignments: u32,
    questions: u32,
    proposals: u32,
    decisions: u32,
}

/// Who there is, what they can do, and how far it goes.
struct House {
    name: &'static str,
    policy: Policy,
    agents: Vec<Agent>,
    subject: Option<AgentId>,
    complaints: u8,
    /// Whose they are.
    customers: [&'static str; 2],
    deeds: Vec<Deed>,
    bounds: Bounds,
    /// How many couriers there are; with none letters are no part of the house.
    couriers: usize,
    sabotage: Sabotage,
    /// Which state leads to which, for the search for dead ends.
    graph: Mutex<HashMap<u64, Node>>,
}

#[derive(Debug, Default)]
struct Node {
    is_goal: bool,
    /// Within the bounds, so that all ways on from here are known.
    is_explored: bool,
    next: Vec<u64>,
}

/// A command that somebody of a role can give.
#[derive(Debug, Clone)]
struct Deed {
    role: Role,
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Customer,
    Handler,
    Supervisor,
    Agent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    /// An hour passes.
    Hour,
    /// Somebody gives a command: which deed, by which agent (or the customer), to which complaint.
    Give { deed: usize, agent: Option<usize>, complaint: usize, name: C },
    /// The router looks at a complaint that waits.
    Route(usize),
    /// A sweeper carries out all that the clocks of a complaint ask for, in one change as a desk does.
    Sweep(usize),
    /// A courier takes the oldest notice that nobody holds under a lease,
    Claim(usize),
    /// hands it over to the relay,
    Deliver(usize),
    /// and says that this is done.
    Settle(usize),
    /// A courier is so slow that the lease lapses, and goes on all the same.
    Lapse(usize),
    /// A courier stops for good: its lease lapses, and another takes its place.
    Crash(usize),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hour => f.write_str("hour"),
            Self::Give { agent: None, complaint, name, .. } => write!(f, "customer:{name}#{complaint}"),
            Self::Give { agent: Some(agent), complaint, name, .. } => write!(f, "agent{agent}:{name}#{complaint}"),
            Self::Route(complaint) => write!(f, "route#{complaint}"),
            Self::Sweep(complaint) => write!(f, "sweep#{complaint}"),
            Self::Claim(courier) => write!(f, "courier{courier}:claim"),
            Self::Deliver(courier) => write!(f, "courier{courier}:deliver"),
            Self::Settle(courier) => write!(f, "courier{courier}:settle"),
            Self::Lapse(courier) => write!(f, "courier{courier}:lapse"),
            Self::Crash(courier) => write!(f, "courier{courier}:crash"),
        }
    }
}

fn told(actions: &[Action]) -> String {
    actions.iter().map(|action| format!("{action:?}")).collect::<Vec<_>>().join(" ")
}

#[derive(Clone)]
struct State {
    hour: u8,
    complaints: Vec<Arc<Kept>>,
    workload: BTreeMap<AgentId, i64>,
    /// Notices to the customer that are not settled, the oldest first.
    outbox: Vec<Parcel>,
    /// How many there were.
    planned: u32,
    /// What each courier has in hand.
    couriers: Vec<Option<InHand>>,
    broken: BTreeSet<Broken>,
    shape: Arc<Shape>,
}

/// A notice that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parcel {
    number: u32,
    /// How often it was handed over; twice is as often as any more.
    delivered: u8,
}

/// What a courier has claimed and not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InHand {
    parcel: u32,
    /// Whether the lease lasts.
    is_live: bool,
    is_delivered: bool,
}

/// A complaint with what the model remembers of it by itself, so that a forgetful lifecycle is found out.
struct Kept {
    state: Complaint,
    log: Log,
    marks: BTreeSet<Mark>,
    /// Who decided before a contest.
    judged: BTreeSet<AgentId>,
    /// Who took part in the decision that stands.
    deciding: BTreeSet<AgentId>,
    fired: BTreeSet<(Level, EscalationCause)>,
    proposer: Option<AgentId>,
    /// Remedies of the standing decision that failed and were neither made good nor declined.
    unkept: BTreeSet<u32>,
}

impl Kept {
    /// The same complaint in its next state, with all that is remembered of it.
    fn followed_by(&self, state: Complaint) -> Self {
        Self {
            state,
            log: self.log.clone(),
            marks: self.marks.clone(),
            judged: self.judged.clone(),
            deciding: self.deciding.clone(),
            fired: self.fired.clone(),
            proposer: self.proposer.clone(),
            unkept: self.unkept.clone(),
        }
    }
}

/// A log that shares what came before with the states that go on from there.
#[derive(Clone, Default)]
struct Log(Option<Arc<(Entry, Log)>>);

impl Log {
    fn and(&self, entry: Entry) -> Self {
        Self(Some(Arc::new((entry, self.clone()))))
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut rest = self;
        while let Some(link) = &rest.0 {
            entries.push(link.0.clone());
            rest = &link.1;
        }
        entries.reverse();
        entries
    }
}

/// What happened at some time, to be found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Contested,
    Released,
    Unmerged,
    SetFree,
    EndedElsewhere,
    RemedyLate,
    RemedyFailed,
    DidNotArrive,
    LastRemedyDeclined,
    LawBroken,
    ClosedByClock,
}

impl Mark {
    fn of(entry: &Entry) -> Option<Self> {
        match &entry.event {
            Event::Contested { .. } => Some(Self::Contested),
            Event::Released { cause: ReleaseCause::NotBegun, .. } => Some(Self::Released),
            Event::Unmerged if entry.by == Party::System => Some(Self::SetFree),
            Event::Unmerged => Some(Self::Unmerged),
            Event::EndedElsewhere { .. } => Some(Self::EndedElsewhere),
            Event::Alarmed { clock: ClockKind::Remedy } => Some(Self::RemedyLate),
            Event::RemedyFailed { .. } if matches!(entry.by, Party::Customer(_)) => Some(Self::DidNotArrive),
            Event::RemedyFailed { .. } => Some(Self::RemedyFailed),
            Event::Closed { cause: CloseCause::RemediesDeclined } => Some(Self::LastRemedyDeclined),
            Event::Alarmed { clock: ClockKind::Statutory } => Some(Self::LawBroken),
            Event::Closed { cause: CloseCause::AcceptanceWindowOver } => Some(Self::ClosedByClock),
            _ => None,
        }
    }
}

/// What tells states apart.
#[derive(PartialEq, Eq, Hash)]
struct Shape(Vec<u8>);

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.shape.hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hour {}", self.hour)?;
        for kept in &self.complaints {
            let log: Vec<String> = kept.log.entries().iter().map(|entry| event_name(&entry.event)).collect();
            write!(f, "; {} at {}: {}", kept.state.status, kept.state.level, log.join(" "))?;
        }
        Ok(())
    }
}

fn at(hour: u8) -> DateTime<Utc> {
    start() + TimeDelta::hours(i64::from(hour))
}

fn start() -> DateTime<Utc> {
    samples::monday()
}

fn agent_id(name: &str) -> AgentId {
    AgentId::new(name).expect("a key")
}

/// Three levels, each with more authority than the one below.
fn ladder(target: &str) -> Policy {
    let level = |number, authority: &str| format!("{{ name = 'L{number}', target = '{target}'{authority} }}");
    policy(&[level(1, ", authority = ['1 EUR']"), level(2, ", authority = ['10 EUR']"), level(3, "")].join(", "))
}

fn policy(levels: &str) -> Policy {
    let text = format!(
        "name = 'Model'\ncalendar = 'always'\nreinstate_window = '1 hour'\nrating_window = '1 hour'\n\
         calendars.always = {{ zone = 'UTC', hours = {{ mon = ['00:00-24:00'] }} }}\nlevels = [{levels}]\n\
         [targets]\nacknowledgement = '1 hour'\nfirst_response = '2 hours'\nresolution = '2 hours'\n\
         acceptance = '1 hour'\napproval = '1 hour'\nsilence = '1 hour'\nauto_close = '1 hour'\n\
         contest_window = '1 hour'\nremedy = '1 hour'\n\
         [statutory.final-response]\nlabel = 'Final response'\nwithin = '2 hours'\nkept_by = 'resolution'\nsource = 'The model'\n"
    );
    Policy::from_toml(&text).expect("a policy").with_category(Category::named("Glass").expect("a name"))
}

impl House {
    /// Each is small enough to be searched to its end; together they try every command and every clock.
    fn all() -> [Self; 8] {
        [
            Self::of_decisions(),
            Self::of_clocks(),
            Self::of_people(),
            Self::of_messages(),
            Self::of_couriers(),
            Self::of_two_complaints(),
            Self::of_two_complaints_in_time(),
            Self::of_two_customers(),
        ]
    }

    /// Decided, contested, decided again, up and down three levels; no time passes.
    fn of_decisions() -> Self {
        let commands = [
            C::Accept,
            C::DeclineRemedy,
            C::Contest,
            C::Withdraw,
            C::Escalate,
            C::Begin,
            C::Decline,
            C::HandBack,
            C::Propose,
            C::Resolve,
            C::FulfilRemedy,
            C::FailRemedy,
            C::Approve,
            C::SendBack,
            C::Dismiss,
            C::Refer,
            C::ReturnReferral,
            C::Reopen,
        ];
        let bounds = Bounds { hours: 0, level_entries: 3, assignments: 3, questions: 0, proposals: 1, decisions: 2 };
        Self::with_one_complaint("decisions", &commands, bounds)
    }

    /// Who does not act in time, on three levels.
    fn of_clocks() -> Self {
        let commands = [
            C::Answer,
            C::Withdraw,
            C::Escalate,
            C::Begin,
            C::Decline,
            C::Ask,
            C::Hold,
            C::Resume,
            C::HandBack,
            C::Resolve,
            C::Release,
        ];
        let bounds = Bounds { hours: 2, level_entries: 3, assignments: 3, questions: 1, proposals: 0, decisions: 1 };
        Self::with_one_complaint("clocks", &commands, bounds)
    }

    /// Up by the clock, down by hand, and up by the clock again.
    fn of_handing_back() -> Self {
        let bounds = Bounds { hours: 2, level_entries: 4, assignments: 4, questions: 0, proposals: 0, decisions: 0 };
        Self::with_one_complaint("handing back", &[C::Begin, C::HandBack], bounds)
    }

    /// Many hands on one complaint, while time passes.
    fn of_people() -> Self {
        let commands = [
            C::Answer,
            C::Accept,
            C::Contest,
            C::Withdraw,
            C::Begin,
            C::Ask,
            C::Resume,
            C::Propose,
            C::Resolve,
            C::FulfilRemedy,
            C::FailRemedy,
            C::ResolveAtSource,
            C::Approve,
            C::SendBack,
            C::Release,
            C::Reassign,
            C::Close,
        ];
        let bounds = Bounds { hours: 2, level_entries: 2, assignments: 2, questions: 1, proposals: 1, decisions: 1 };
        // Longer at a level than until work must begin, so that who does not begin loses it first.
        Self { policy: ladder("2 hours"), ..Self::with_one_complaint("people", &commands, bounds) }
    }

    /// What is written and read, taken back and taken up again.
    fn of_messages() -> Self {
        let commands =
            [C::Post, C::Read, C::Begin, C::Resolve, C::Accept, C::AcceptRemedy, C::Withdraw, C::Reinstate, C::Close];
        let bounds = Bounds { hours: 2, level_entries: 2, assignments: 2, questions: 0, proposals: 0, decisions: 1 };
        Self::with_one_complaint("messages", &commands, bounds)
    }

    /// What the customer is told, by two couriers who may be slow or stop anywhere.
    fn of_couriers() -> Self {
        let bounds = Bounds { hours: 0, level_entries: 2, assignments: 2, questions: 0, proposals: 0, decisions: 1 };
        let commands = [C::Begin, C::Resolve, C::Accept, C::Withdraw];
        Self { couriers: 2, ..Self::with_one_complaint("couriers", &commands, bounds) }
    }

    /// Two complaints whose clocks run at once, with one agent of each level for both: who does not act in time is late with
    /// either.
    fn of_two_complaints_in_time() -> Self {
        let bounds = Bounds { hours: 2, level_entries: 2, assignments: 2, questions: 0, proposals: 0, decisions: 1 };
        let commands = [C::Begin, C::Resolve, C::Accept, C::Withdraw, C::Merge, C::Unmerge];
        Self { name: "two complaints in time", deeds: deeds(&commands), bounds, ..Self::of_two_complaints() }
    }

    /// Two complaints of one customer that can be joined, on a ladder of two with one agent each who has room for one
    /// or for both.
    fn of_two_complaints() -> Self {
        let commands = [C::Begin, C::Resolve, C::Accept, C::Withdraw, C::Merge, C::Unmerge, C::Escalate, C::Contest];
        Self {
            name: "two complaints",
            policy: policy("{ name = 'L1', target = '1 hour' }, { name = 'L2', target = '1 hour' }"),
            agents: vec![staff("ann", 1).with_capacity(1), staff("cleo", 2)],
            subject: None,
            complaints: 2,
            customers: ["john"; 2],
            deeds: deeds(&commands),
            bounds: Bounds { hours: 0, level_entries: 2, assignments: 2, questions: 0, proposals: 0, decisions: 1 },
            couriers: 0,
            sabotage: Sabotage::None,
            graph: Mutex::default(),
        }
    }

    /// Two complaints of two customers, of which one agrees that theirs goes on with the other's, while what the law promised runs.
    fn of_two_customers() -> Self {
        let bounds = Bounds { hours: 2, level_entries: 2, assignments: 2, questions: 0, proposals: 0, decisions: 1 };
        let commands =
            [C::Begin, C::Resolve, C::Accept, C::FulfilRemedy, C::Withdraw, C::Merge, C::Unmerge, C::Dismiss];
        let customers = ["john", "jane"];
        Self { name: "two customers", customers, deeds: deeds(&commands), bounds, ..Self::of_two_complaints() }
    }

    /// One complaint, against Dan, on a ladder of three.
    fn with_one_complaint(name: &'static str, commands: &[C], bounds: Bounds) -> Self {
        Self {
            name,
            policy: ladder("1 hour"),
            agents: vec![staff("ann", 1), staff("bob", 1), staff("cleo", 2), staff("dan", 2), staff("eve", 3)],
            subject: Some(agent_id("dan")),
            complaints: 1,
            customers: ["john"; 2],
            deeds: deeds(commands),
            bounds,
            couriers: 0,
            sabotage: Sabotage::None,
            graph: Mutex::default(),
        }
    }

    fn agent(&self, id: &AgentId) -> u8 {
        let place = self.agents.iter().position(|agent| agent.id == *id);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    fn roster(&self, workload: &BTreeMap<AgentId, i64>) -> Roster {
        let member = |agent: &Agent| Member {
            agent: agent.clone(),
            workload: workload.get(&agent.id).and_then(|held| u32::try_from(*held).ok()).unwrap_or_default(),
            last_assigned_at: None,
        };
        Roster { members: self.agents.iter().map(member).collect(), ..Roster::default() }
    }

    fn submitted(&self) -> State {
        let mut complaints = Vec::new();
        for (number, customer) in (1..=self.complaints).zip(self.customers) {
            let customer = Actor::customer(customer).expect("a key");
            let mut submission = Complaint::about("Glass", "Cracked", "It leaks.").expect("a key");
            submission.against.clone_from(&self.subject);
            let id = ComplaintId::from_uuid(uuid::Uuid::from_u128(u128::from(number) << 100));
            let context = Context::new(&self.policy, start());
            let entry = submit(id, Reference::from_entropy(u128::from(number)), &submission, &customer, &context)
                .expect("a submission");
            let mut state = begin(&entry).expect("a beginning");
            let mut log = Log::default().and(entry);
            for entry in decide(&state, &Command::plain(C::Acknowledge), &Actor::system(), &context).expect("once") {
                state = evolve(state, &entry);
                log = log.and(entry);
            }
            complaints.push(Arc::new(Kept {
                state,
                log,
                marks: BTreeSet::new(),
                judged: BTreeSet::new(),
                deciding: BTreeSet::new(),
                fired: BTreeSet::new(),
                proposer: None,
                unkept: BTreeSet::new(),
            }));
        }
        self.shaped(State {
            hour: 0,
            complaints,
            workload: BTreeMap::new(),
            outbox: Vec::new(),
            planned: 0,
            couriers: vec![None; self.couriers],
            broken: BTreeSet::new(),
            shape: Arc::new(Shape(Vec::new())),
        })
    }

    /// What somebody's command makes of a state; `None` if it is refused.
    fn given(&self, state: &State, actor: &Actor, command: &Command, complaint: usize) -> Option<State> {
        let kept = &state.complaints[complaint];
        let now = at(state.hour);
        let other = state.complaints.iter().enumerate().find(|(place, _)| *place != complaint).map(|(_, it)| &it.state);
        let routing = match command.name() {
            C::Assign => Some(route(&Need::of(&kept.state), &self.roster(&state.workload), now)),
            C::Reassign => Some(self.by_hand(state, &kept.state, command, now)),
            _ => None,
        };
        let joined: Vec<Complaint> = state.complaints.iter().map(|kept| kept.state.clone()).collect();
        let joined = if self.sabotage == Sabotage::JoinedAreForgotten { Vec::new() } else { joined };
        let mut context = Context::new(&self.policy, now).joined(&joined);
        if let (Some(other), C::Merge | C::Unmerge) = (other, command.name()) {
            context = context.other(other);
        }
        if let Some(routing) = &routing {
            context = context.routed(routing);
        }
        let entries = self.decided(&kept.state, command, actor, &context)?;
        let mut next = state.clone();
        for entry in entries {
            let place = next.complaints.iter().position(|kept| kept.state.id == entry.complaint)?;
            self.enter(&mut next, place, entry);
        }
        Some(self.shaped(next))
    }

    /// What the clocks of a complaint make of a state; `None` if they ask for nothing that is not refused.
    fn swept(&self, state: &State, complaint: usize) -> Option<State> {
        let now = at(state.hour);
        let mut next: Option<State> = None;
        for _ in 0..SWEEP_MAX {
            let here = next.as_ref().unwrap_or(state);
            let due = due_commands(&here.complaints[complaint].state, &self.policy, now);
            let done = due.iter().find_map(|command| self.given(here, &Actor::system(), command, complaint));
            match done {
                Some(done) => next = Some(done),
                None => return next,
            }
        }
        panic!("the clocks never come to rest");
    }

    fn decided(
        &self,
        complaint: &Complaint,
        command: &Command,
        actor: &Actor,
        context: &Context<'_>,
    ) -> Option<Vec<Entry>> {
        if self.sabotage == Sabotage::SubjectMayAct {
            let against_nobody = Complaint { against: None, ..complaint.clone() };
            return decide(&against_nobody, command, actor, context).ok();
        }
        let decided = decide(complaint, command, actor, context);
        let is_own = || complaint.proposal.as_ref().is_some_and(|it| Some(&it.by) == actor.agent_id());
        if decided.is_err() && self.sabotage == Sabotage::ProposerApproves && command.name() == C::Approve && is_own() {
            // The same command as from somebody else, under the proposer's name.
            let other = Actor::agent(&staff("eve", 3));
            let mut entries = decide(complaint, command, &other, context).ok()?;
            for entry in &mut entries {
                entry.by = actor.party().clone();
            }
            return Some(entries);
        }
        decided.ok()
    }

    fn by_hand(&self, state: &State, complaint: &Complaint, command: &Command, now: DateTime<Utc>) -> Routing {
        let roster = self.roster(&state.workload);
        let named = command.input().agent.as_ref().and_then(|agent| roster.member(agent));
        let fits = named.filter(|member| roster.eligibility(&Need::of(complaint), member, now).is_empty());
        let chosen = fits.map(|member| member.agent.id.clone());
        Routing { chosen, by_hand: true, ..Routing::default() }
    }

    /// Adds an entry to a state and looks at what it did.
    fn enter(&self, next: &mut State, place: usize, mut entry: Entry) {
        if self.sabotage == Sabotage::ReleaseLowersTheLevel && matches!(entry.event, Event::Released { .. }) {
            entry.place.level = entry.place.level.below();
        }
        let before = Arc::clone(&next.complaints[place]);
        let mut kept = before.followed_by(self.evolved(before.state.clone(), &entry));
        kept.marks.extend(Mark::of(&entry));
        self.note(next, &before.state, &kept, &entry);
        let keeps_the_load =
            self.sabotage == Sabotage::ReassignKeepsTheLoad && matches!(entry.event, Event::Reassigned { .. });
        if let Some((agent, weight)) = before.state.workload().filter(|_| !keeps_the_load) {
            *next.workload.entry(agent.clone()).or_default() -= i64::from(weight);
        }
        if let Some((agent, weight)) = kept.state.workload() {
            *next.workload.entry(agent.clone()).or_default() += i64::from(weight);
        }
        match &entry.event {
            Event::RemedyFailed { remedy } => {
                kept.unkept.insert(*remedy);
            }
            Event::RemedyFulfilled { remedy, .. } | Event::RemedyDeclined { remedy } => {
                kept.unkept.remove(remedy);
            }
            Event::Resolved { by, approved_by, .. } => {
                kept.unkept.clear();
                kept.deciding.extend([by.clone()].into_iter().chain(approved_by.clone()));
            }
            Event::Dismissed { by, .. } => {
                kept.deciding.insert(by.clone());
            }
            Event::Contested { .. } => kept.judged.append(&mut kept.deciding.clone()),
            Event::Proposed { agent, .. } => kept.proposer = Some(agent.clone()),
            Event::Escalated { from, causes } => {
                kept.fired.extend(causes.iter().map(|cause| (*from, cause.clone())));
            }
            _ => {}
        }
        let by_clock = matches!(entry.event, Event::Escalated { .. }) && entry.by == Party::System;
        if self.sabotage == Sabotage::OneClockMovesBoth && by_clock {
            for other in next.complaints.iter_mut().filter(|other| other.state.id != entry.complaint) {
                let Place { status, level, handler } = entry.place.clone();
                *other = Arc::new(other.followed_by(Complaint { status, level, handler, ..other.state.clone() }));
            }
        }
        if self.sabotage != Sabotage::LogLosesAnEntry || !matches!(entry.event, Event::Read) {
            kept.log = kept.log.and(entry);
        }
        next.complaints[place] = Arc::new(kept);
    }

    fn evolved(&self, before: Complaint, entry: &Entry) -> Complaint {
        let mut after = evolve(before, entry);
        match (self.sabotage, &entry.event) {
            (Sabotage::ContestExcludesNobody, Event::Contested { .. }) => {
                after.exclusions.retain(|exclusion| exclusion.cause != ExclusionCause::Decided);
            }
            (Sabotage::EscalationsAreForgotten, _) => after.escalations.clear(),
            (Sabotage::QuestionsDelayTheLaw, Event::Asked) => {
                for deadline in after.deadlines.iter_mut().filter(|it| it.clock == ClockKind::Statutory) {
                    let deadline = Arc::make_mut(deadline);
                    deadline.due_at = deadline.due_at.map(|due| due + TimeDelta::hours(1));
                }
            }
            (Sabotage::FailuresAreForgotten, Event::RemedyFailed { remedy }) => {
                for promise in after.remedies.iter_mut().filter(|promise| promise.number == *remedy) {
                    promise.fulfilled = promise.failed.clone();
                }
            }
            (Sabotage::RemediesAreNotWaitedFor, Event::Accepted { .. }) => after.status = Status::Closed,
            _ => {}
        }
        after
    }

    /// What must hold between a state and the next.
    fn note(&self, next: &mut State, before: &Complaint, kept: &Kept, entry: &Entry) {
        let after = &kept.state;
        let mut broken = |is_broken: bool, what| {
            if is_broken {
                next.broken.insert(what);
            }
        };
        let handed_back = matches!(entry.event, Event::HandedBack { .. });
        broken(after.level < before.level && !handed_back, Broken::LevelFell);
        let law = |complaint: &Complaint| {
            complaint.deadlines.iter().rev().find(|it| it.clock == ClockKind::Statutory).and_then(|it| it.due_at)
        };
        broken(law(after) > law(before), Broken::LawMovedLater);
        let mut takes_part: Vec<&AgentId> = entry.by.agent().into_iter().collect();
        takes_part.extend(after.handler.iter());
        broken(self.subject.as_ref().is_some_and(|it| takes_part.contains(&it)), Broken::SubjectTookPart);
        let holds = after.handler.as_ref().filter(|_| after.status.is_open());
        let decides = match &entry.event {
            Event::Resolved { by, approved_by, .. } => vec![Some(by), approved_by.as_ref()],
            Event::Dismissed { by, .. } => vec![Some(by)],
            _ => Vec::new(),
        };
        let meets = decides.into_iter().flatten().chain(holds).any(|agent| kept.judged.contains(agent));
        broken(meets, Broken::BackToADecider);
        if let Event::Resolved { approved_by: Some(approver), .. } = &entry.event {
            let own = kept.proposer.as_ref() == Some(approver) || kept.proposer.as_ref() == entry.by.agent();
            broken(own, Broken::OwnProposalApproved);
        }
        if let Event::Escalated { from, causes } = &entry.event {
            // What people ask for with a reason may be asked for again; clocks and customers move it once.
            let counted =
                |cause: &&EscalationCause| matches!(cause, EscalationCause::Clock(_) | EscalationCause::Customer);
            let again = causes.iter().filter(counted).any(|cause| kept.fired.contains(&(*from, cause.clone())));
            broken(again, Broken::EscalatedTwice);
        }
        if let Event::Closed { cause } = entry.event {
            let latest = after.resolutions.len();
            let by_staff = after.resolutions.last().is_some_and(|it| it.recorded_by.is_some());
            let mut declined = after
                .remedies
                .iter()
                .filter(|it| it.resolution as usize == latest)
                .filter_map(|it| it.declined.as_ref());
            let by_staff = by_staff || declined.any(|it| it.by.agent().is_some());
            let is_over = cause == CloseCause::AcceptanceWindowOver
                || before.deadline(ClockKind::AutoClose).is_some_and(|it| it.due_at.is_some_and(|due| due <= entry.at));
            broken(by_staff && !is_over, Broken::ClosedByWordOfStaff);
        }
        let notices = announce(Some(before), after, std::slice::from_ref(entry), &self.policy);
        let told: BTreeSet<_> = notices.iter().map(|notice| (&notice.recipient, notice.channel)).collect();
        let ids: BTreeSet<_> = notices.iter().map(|notice| notice.id).collect();
        broken(told.len() != notices.len() || ids.len() != notices.len(), Broken::ToldTwice);
        let subject_told = notices.iter().any(|notice| match &notice.recipient {
            Recipient::Agent(agent) => self.subject.as_ref() == Some(agent),
            Recipient::Level { except, .. } => self.subject.as_ref().is_some_and(|subject| !except.contains(subject)),
            Recipient::Admins | Recipient::Endpoint(_) => false,
            Recipient::Customer(_) => false,
        });
        broken(subject_told, Broken::SubjectTookPart);
        let letters = notices.iter().filter(|notice| matches!(notice.recipient, Recipient::Customer(_)));
        for _ in letters.filter(|_| self.couriers > 0) {
            next.outbox.push(Parcel { number: next.planned, delivered: 0 });
            next.planned += 1;
        }
    }

    /// What a courier's step makes of a state; `None` if there is nothing to take.
    fn carried(&self, state: &State, action: Action, courier: usize) -> Option<State> {
        let mut next = state.clone();
        let hand = next.couriers[courier];
        next.couriers[courier] = match (action, hand) {
            (Action::Claim(_), None) => {
                let leased = |number| {
                    let mut hands = state.couriers.iter().flatten();
                    self.sabotage != Sabotage::LeasesAreIgnored
                        && hands.any(|held| held.is_live && held.parcel == number)
                };
                let free = state.outbox.iter().find(|parcel| !leased(parcel.number))?;
                Some(InHand { parcel: free.number, is_live: true, is_delivered: false })
            }
            (Action::Deliver(_), Some(held)) => {
                for parcel in next.outbox.iter_mut().filter(|parcel| parcel.number == held.parcel) {
                    parcel.delivered = (parcel.delivered + 1).min(2);
                }
                Some(InHand { is_delivered: true, ..held })
            }
            (Action::Settle(_), Some(held)) => {
                let unsent = |parcel: &Parcel| parcel.number == held.parcel && parcel.delivered == 0;
                if next.outbox.iter().any(unsent) {
                    next.broken.insert(Broken::SettledUndelivered);
                }
                next.outbox.retain(|parcel| parcel.number != held.parcel);
                None
            }
            (Action::Lapse(_), Some(held)) => Some(InHand { is_live: false, ..held }),
            (Action::Crash(_), Some(_)) => None,
            _ => return None,
        };
        Some(self.shaped(next))
    }

    fn shaped(&self, mut state: State) -> State {
        let mut bytes = vec![state.hour];
        bytes.extend(state.outbox.iter().map(|parcel| parcel.delivered));
        bytes.push(u8::MAX);
        // Which of the couriers it is makes no difference, nor how many letters there were before.
        let place = |held: &InHand| state.outbox.iter().position(|parcel| parcel.number == held.parcel);
        let in_hand = |held: &InHand| {
            let place = place(held).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
            [1, place, u8::from(held.is_live), u8::from(held.is_delivered)]
        };
        let mut hands: Vec<[u8; 4]> = state.couriers.iter().map(|hand| hand.as_ref().map_or([0; 4], in_hand)).collect();
        hands.sort_unstable();
        bytes.extend(hands.concat());
        bytes.extend(state.broken.iter().map(|it| *it as u8));
        for kept in &state.complaints {
            bytes.push(u8::MAX);
            self.shape(kept, &mut bytes);
        }
        state.shape = Arc::new(Shape(bytes));
        state
    }

    fn shape(&self, kept: &Kept, bytes: &mut Vec<u8>) {
        let it = &kept.state;
        let flag = u8::from;
        let count = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        let minutes = |at: DateTime<Utc>| (at - start()).num_minutes().to_le_bytes();
        bytes.extend([it.status as u8, it.level.get(), it.handler.as_ref().map_or(u8::MAX, |id| self.agent(id))]);
        bytes.extend([it.level_entries, it.assignments, it.questions, it.proposals, it.decisions].map(count));
        bytes.extend([it.question.is_some(), it.unread_since.is_some(), it.first_response_at.is_some()].map(flag));
        bytes.extend([it.merged_into.is_some(), !it.absorbed.is_empty(), it.dismissal.is_some()].map(flag));
        bytes.extend([it.joined_by_consent, !it.consents.is_empty(), it.ended_elsewhere.is_some()].map(flag));
        let proposer = it.proposal.as_ref().map_or(u8::MAX, |proposal| self.agent(&proposal.by));
        bytes.push(proposer);
        for owed in it.outstanding_remedies() {
            bytes.push(2 * flag(owed.accepted.is_some()) + flag(owed.failed.is_some()));
        }
        let latest_promises = it.remedies.iter().filter(|promise| promise.resolution as usize == it.resolutions.len());
        for over in latest_promises.filter(|promise| promise.fulfilled.is_some() || promise.declined.is_some()) {
            let by_staff = over.declined.as_ref().is_some_and(|step| step.by.agent().is_some());
            bytes.push(8 + 2 * flag(over.fulfilled.is_some()) + flag(by_staff));
            // How long it can be said that it did not arrive.
            bytes.extend(over.fulfilled.iter().flat_map(|step| minutes(step.at)));
        }
        bytes.push(u8::MAX);
        bytes.extend(kept.unkept.iter().map(|number| count(*number)));
        let latest = it.resolutions.last();
        bytes.push(count(u32::try_from(it.resolutions.len()).unwrap_or_default()));
        bytes.push(flag(latest.is_some_and(|it| it.accepted_at.is_some())));
        bytes.push(flag(latest.is_some_and(|it| it.recorded_by.is_some())));
        bytes.push(flag(latest.is_some_and(|it| it.contested_at.is_some())));
        if it.status == Status::Withdrawn {
            bytes.extend(minutes(it.status_since));
        }
        let mut sets: Vec<Vec<u8>> = Vec::new();
        for exclusion in &it.exclusions {
            let (cause, level) = match exclusion.cause {
                ExclusionCause::Declined(level) => (0, level.get()),
                ExclusionCause::Released(level) => (1, level.get()),
                ExclusionCause::Decided => (2, 0),
            };
            sets.push(vec![0, self.agent(&exclusion.agent), cause, level]);
        }
        for (tag, agents) in [(1, &kept.judged), (2, &kept.deciding)] {
            sets.extend(agents.iter().map(|agent| vec![tag, self.agent(agent)]));
        }
        sets.extend(it.deciders.iter().map(|agent| vec![3, self.agent(agent)]));
        let cause = |cause: &EscalationCause| match cause {
            EscalationCause::Handler => 0,
            EscalationCause::Supervisor => 1,
            EscalationCause::Customer => 2,
            EscalationCause::Clock(clock) => 3 + *clock as u8,
        };
        sets.extend(kept.fired.iter().map(|(level, it)| vec![4, level.get(), cause(it)]));
        for escalation in &it.escalations {
            sets.extend(escalation.causes.iter().map(|it| vec![5, escalation.from.get(), cause(it)]));
        }
        let since = it.deadlines.iter().rev().find(|it| it.clock == ClockKind::Level).map(|it| it.started_at);
        for deadline in &it.deadlines {
            // Of what is over, only a work not begun at this level and a promise that can be taken up again matter.
            let is_over = deadline.ended.is_some();
            let is_kept = match deadline.clock {
                ClockKind::Acceptance => {
                    deadline.missed_at.is_some() && since.is_some_and(|at| deadline.started_at >= at)
                }
                _ => deadline.ended.is_some_and(|ended| ended.how == Ending::Cancelled),
            };
            if is_over && !is_kept {
                continue;
            }
            let mut set =
                vec![6, deadline.clock as u8, flag(is_over), deadline.warned, flag(deadline.missed_at.is_some())];
            set.extend(deadline.due_at.map(minutes).unwrap_or_default());
            set.extend(deadline.left_micros.unwrap_or_default().to_le_bytes());
            sets.push(set);
        }
        sets.sort();
        sets.dedup();
        for set in sets {
            bytes.extend(set);
            bytes.push(0xFE);
        }
    }

    /// Counts the states from which an end with an empty outbox can be reached.
    ///
    /// # Panics
    /// If there is a state without a way to an end.
    fn no_dead_end(&self) -> usize {
        let graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let mut leads_to: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut reached: HashSet<u64> = HashSet::new();
        let mut ends = VecDeque::new();
        for (from, node) in graph.iter() {
            for to in &node.next {
                leads_to.entry(*to).or_default().push(*from);
            }
            if node.is_goal && reached.insert(*from) {
                ends.push_back(*from);
            }
        }
        while let Some(at) = ends.pop_front() {
            for before in leads_to.get(&at).into_iter().flatten() {
                if reached.insert(*before) {
                    ends.push_back(*before);
                }
            }
        }
        // Beyond the bounds the ways on are not known.
        let explored: Vec<&u64> = graph.iter().filter(|(_, node)| node.is_explored).map(|(at, _)| at).collect();
        let dead = explored.iter().filter(|at| !reached.contains(at)).count();
        assert_eq!(dead, 0, "{}: {dead} of {} states lead to no end", self.name, explored.len());
        explored.len()
    }

    fn remember(&self, from: &State, to: &State) {
        let (before, after) = (number(from), number(to));
        let mut graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        graph.entry(after).or_default().is_goal = is_goal(to);
        graph.entry(before).or_default().next.push(after);
    }

    fn explore(&self, state: &State) {
        let mut graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let node = graph.entry(number(state)).or_default();
        node.is_explored = true;
        node.is_goal = is_goal(state);
    }
}

fn number(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.shape.hash(&mut hasher);
    hasher.finish()
}

/// Everything has come to an end and everybody was told.
fn is_goal(state: &State) -> bool {
    let is_told = state.outbox.is_empty() && state.couriers.iter().all(Option::is_none);
    is_told && state.complaints.iter().all(|kept| kept.state.status.is_end())
}

impl Model for House {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.submitted()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.explore(state);
        if state.hour < self.bounds.hours {
            actions.push(Action::Hour);
        }
        for (complaint, kept) in state.complaints.iter().enumerate() {
            let it = &kept.state;
            if it.status == Status::Queued {
                actions.push(Action::Route(complaint));
            }
            if !due_commands(it, &self.policy, at(state.hour)).is_empty() {
                actions.push(Action::Sweep(complaint));
            }
            for (deed, what) in self.deeds.iter().enumerate() {
                let name = what.command.name();
                if !rule(name).from.contains(&it.status) {
                    continue;
                }
                let mut give = |agent| actions.push(Action::Give { deed, agent, complaint, name });
                match what.role {
                    Role::Customer => give(None),
                    Role::Handler => {
                        if let Some(place) = it.handler.as_ref().map(|id| self.agent(id)) {
                            give(Some(usize::from(place)));
                        }
                    }
                    Role::Supervisor | Role::Agent => {
                        for (place, agent) in self.agents.iter().enumerate() {
                            if what.role == Role::Agent || agent.level > Level::FIRST {
                                give(Some(place));
                            }
                        }
                    }
                }
            }
        }
        for (courier, hand) in state.couriers.iter().enumerate() {
            match hand {
                None => actions.push(Action::Claim(courier)),
                Some(held) => {
                    actions.push(if held.is_delivered { Action::Settle(courier) } else { Action::Deliver(courier) });
                    actions.push(Action::Crash(courier));
                    if held.is_live {
                        actions.push(Action::Lapse(courier));
                    }
                    if self.sabotage == Sabotage::SettledUnsent {
                        actions.push(Action::Settle(courier));
                    }
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let next = match action {
            Action::Hour => Some(self.shaped(State { hour: state.hour + 1, ..state.clone() })),
            Action::Give { deed, agent, complaint, .. } => {
                let actor = match agent {
                    Some(place) => Actor::agent(&self.agents[place]),
                    None => Actor::customer(self.customers[complaint]).expect("a key"),
                };
                self.given(state, &actor, &self.deeds[deed].command, complaint)
            }
            Action::Route(complaint) => self.given(state, &Actor::system(), &Command::plain(C::Assign), complaint),
            Action::Sweep(complaint) => self.swept(state, complaint),
            Action::Claim(courier)
            | Action::Deliver(courier)
            | Action::Settle(courier)
            | Action::Lapse(courier)
            | Action::Crash(courier) => self.carried(state, action, courier),
        }?;
        self.remember(state, &next);
        Some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        let bounds = &self.bounds;
        state.complaints.iter().all(|kept| {
            let it = &kept.state;
            it.level_entries <= bounds.level_entries
                && it.assignments <= bounds.assignments
                && it.questions <= bounds.questions
                && it.proposals <= bounds.proposals
                && it.decisions <= bounds.decisions
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = always();
        properties.extend(sometimes());
        properties
    }
}

fn always() -> Vec<Property<House>> {
    vec![
        Property::always(LOG_GIVES_THE_STATE, |house: &House, state: &State| {
            // A sabotaged fold is another function than the one that replays.
            let replays = |kept: &Kept| replay(&kept.log.entries()).is_ok_and(|rebuilt| rebuilt == kept.state);
            !matches!(house.sabotage, Sabotage::None | Sabotage::LogLosesAnEntry)
                || state.complaints.iter().all(|kept| replays(kept))
        }),
        Property::always(FALLS_ONLY_BY_HAND_BACK, |_, state: &State| !state.broken.contains(&Broken::LevelFell)),
        Property::always(NEVER_BACK_TO_A_DECIDER, |_, state: &State| !state.broken.contains(&Broken::BackToADecider)),
        Property::always(LAW_NEVER_LATER, |_, state: &State| !state.broken.contains(&Broken::LawMovedLater)),
        Property::always(SEGMENTS_ARE_WHOLE, |_, state: &State| {
            state.complaints.iter().flat_map(|kept| &kept.state.deadlines).all(|deadline| {
                let whole = deadline.segments.windows(2).all(|pair| pair[0].to == Some(pair[1].from));
                let law_ran = deadline.clock != ClockKind::Statutory || deadline.segments.iter().all(|it| it.ran);
                let last = deadline.segments.last();
                whole
                    && law_ran
                    && deadline.segments[0].from == deadline.started_at
                    && last.is_some_and(|it| it.to == deadline.ended.map(|ended| ended.at))
                    && (deadline.due_at.is_none() == last.is_some_and(|it| !it.ran))
            })
        }),
        Property::always(ONCE_PER_LEVEL_AND_CAUSE, |_, state: &State| !state.broken.contains(&Broken::EscalatedTwice)),
        Property::always(WORKLOAD_IS_THE_SUM, |house: &House, state: &State| {
            house.agents.iter().all(|agent| {
                let held: u32 = state
                    .complaints
                    .iter()
                    .filter_map(|kept| kept.state.workload())
                    .filter(|(id, _)| **id == agent.id)
                    .map(|(_, weight)| weight)
                    .sum();
                let kept = state.workload.get(&agent.id).copied().unwrap_or_default();
                kept == i64::from(held) && held <= agent.capacity
            })
        }),
        Property::always(NO_END_WITHOUT_REASON, |_, state: &State| {
            state.complaints.iter().map(|kept| &kept.state).all(|it| match it.status {
                Status::Closed => {
                    let latest = it.resolutions.len();
                    let mut owed = it.remedies.iter().filter(|it| it.fulfilled.is_none() && it.declined.is_none());
                    latest > 0 && !owed.any(|promise| promise.resolution as usize == latest)
                }
                Status::Dismissed => it.dismissal.is_some(),
                Status::Merged => it.merged_into.is_some(),
                Status::Referred => it.referred_to.is_some(),
                _ => it.dismissal.is_none() && it.merged_into.is_none() && it.referred_to.is_none(),
            })
        }),
        Property::always(NO_FAILURE_CLOSED_OVER, |_, state: &State| {
            state.complaints.iter().all(|kept| kept.state.status != Status::Closed || kept.unkept.is_empty())
        }),
        Property::always(NOTHING_UNREAD_CLOSED_OVER, |_, state: &State| {
            state.complaints.iter().all(|kept| kept.state.status != Status::Closed || kept.state.unread_since.is_none())
        }),
        Property::always(CLOSED_BY_OWN_WORD_OR_TIME, |_, state: &State| {
            !state.broken.contains(&Broken::ClosedByWordOfStaff)
        }),
        Property::always(JOINED_ARE_TOLD, |_, state: &State| {
            let survivor = |it: &Complaint| state.complaints.iter().find(|kept| Some(kept.state.id) == it.merged_into);
            let joined = state.complaints.iter().map(|kept| &kept.state).filter(|it| it.joined_by_consent);
            joined.filter_map(|it| survivor(it).map(|survivor| (it, survivor.state.status))).all(|(it, there)| {
                match there {
                    Status::Withdrawn | Status::Merged => false,
                    Status::Resolved | Status::Closed | Status::Dismissed | Status::Referred => {
                        it.ended_elsewhere.is_some()
                    }
                    _ => true,
                }
            })
        }),
        Property::always(TOLD_ONCE, |_, state: &State| !state.broken.contains(&Broken::ToldTwice)),
        Property::always(SETTLED_WAS_DELIVERED, |_, state: &State| !state.broken.contains(&Broken::SettledUndelivered)),
        Property::always(ONE_LIVE_LEASE, |_, state: &State| {
            let live: Vec<u32> = state.couriers.iter().flatten().filter(|it| it.is_live).map(|it| it.parcel).collect();
            live.iter().collect::<BTreeSet<_>>().len() == live.len()
        }),
        Property::always(SUBJECT_IS_KEPT_OUT, |_, state: &State| !state.broken.contains(&Broken::SubjectTookPart)),
        Property::always(PROPOSER_NEVER_APPROVES, |_, state: &State| {
            !state.broken.contains(&Broken::OwnProposalApproved)
        }),
    ]
}

/// What must be seen in some house, or the houses are too small.
fn sometimes() -> Vec<Property<House>> {
    vec![
        Property::sometimes("queued", |_, state: &State| is_at(state, Status::Queued)),
        Property::sometimes("assigned", |_, state: &State| is_at(state, Status::Assigned)),
        Property::sometimes("in progress", |_, state: &State| is_at(state, Status::InProgress)),
        Property::sometimes("awaiting customer", |_, state: &State| is_at(state, Status::AwaitingCustomer)),
        Property::sometimes("awaiting third party", |_, state: &State| is_at(state, Status::AwaitingThirdParty)),
        Property::sometimes("pending approval", |_, state: &State| is_at(state, Status::PendingApproval)),
        Property::sometimes("resolved", |_, state: &State| is_at(state, Status::Resolved)),
        Property::sometimes("closed", |_, state: &State| is_at(state, Status::Closed)),
        Property::sometimes("withdrawn", |_, state: &State| is_at(state, Status::Withdrawn)),
        Property::sometimes("dismissed", |_, state: &State| is_at(state, Status::Dismissed)),
        Property::sometimes("merged", |_, state: &State| is_at(state, Status::Merged)),
        Property::sometimes("referred", |_, state: &State| is_at(state, Status::Referred)),
        Property::sometimes("open at level 2", |_, state: &State| is_open_at(state, 2)),
        Property::sometimes("open at level 3", |_, state: &State| is_open_at(state, 3)),
        Property::sometimes("escalated by a clock from level 1", |_, state: &State| escalated_by_clock(state, 1)),
        Property::sometimes("escalated by a clock from level 2", |_, state: &State| escalated_by_clock(state, 2)),
        Property::sometimes("contested and decided again", |_, state: &State| {
            happened(state, Mark::Contested) && state.complaints[0].state.resolutions.len() == 2
        }),
        Property::sometimes("a proposal is approved", |_, state: &State| {
            state.complaints[0].state.resolutions.iter().any(|it| it.approved_by.is_some())
        }),
        Property::sometimes("a remedy is late", |_, state: &State| happened(state, Mark::RemedyLate)),
        Property::sometimes("a failed remedy is contested", |_, state: &State| {
            happened(state, Mark::RemedyFailed) && happened(state, Mark::Contested)
        }),
        Property::sometimes("a failed remedy is made good", |_, state: &State| {
            let made_good =
                |kept: &Kept| kept.state.remedies.iter().any(|it| it.failed.is_some() && it.fulfilled.is_some());
            state.complaints.iter().any(|kept| made_good(kept))
        }),
        Property::sometimes("what did not arrive is made good", |_, state: &State| {
            happened(state, Mark::DidNotArrive) && is_at(state, Status::Closed)
        }),
        Property::sometimes("the word of staff is confirmed by time", |_, state: &State| {
            happened(state, Mark::ClosedByClock)
                && state.complaints[0].state.resolutions.last().is_some_and(|it| it.recorded_by.is_some())
        }),
        Property::sometimes("the last remedy is declined", |_, state: &State| {
            happened(state, Mark::LastRemedyDeclined)
        }),
        Property::sometimes("the law is broken", |_, state: &State| happened(state, Mark::LawBroken)),
        Property::sometimes("taken from who did not begin", |_, state: &State| happened(state, Mark::Released)),
        Property::sometimes("closed by the clock", |_, state: &State| happened(state, Mark::ClosedByClock)),
        Property::sometimes("taken apart again", |_, state: &State| happened(state, Mark::Unmerged)),
        Property::sometimes("told how somebody else's ended", |_, state: &State| happened(state, Mark::EndedElsewhere)),
        Property::sometimes("set free by somebody else", |_, state: &State| happened(state, Mark::SetFree)),
        Property::sometimes("the law is broken for what goes on with somebody else's", |_, state: &State| {
            let mut joined = state.complaints.iter().filter(|kept| kept.state.joined_by_consent);
            joined.any(|kept| kept.marks.contains(&Mark::LawBroken))
        }),
        Property::sometimes("no room for the second", |_, state: &State| {
            let held: Vec<bool> = state.complaints.iter().map(|kept| kept.state.workload().is_some()).collect();
            held.len() == 2 && held.contains(&true) && is_at(state, Status::Queued)
        }),
        Property::sometimes("two complaints go up by their clocks", |_, state: &State| {
            let by_clock = |kept: &Arc<Kept>| kept.fired.iter().any(|(_, it)| matches!(it, EscalationCause::Clock(_)));
            state.complaints.len() == 2 && state.complaints.iter().all(by_clock)
        }),
        Property::sometimes("joined after a clock moved it", |_, state: &State| {
            let by_clock = |kept: &&Arc<Kept>| !kept.fired.is_empty();
            state.complaints.iter().filter(by_clock).any(|kept| kept.state.status == Status::Merged)
        }),
        Property::sometimes("a letter goes out twice", |_, state: &State| {
            state.outbox.iter().any(|parcel| parcel.delivered == 2)
        }),
        Property::sometimes("a courier has in hand what another settled", |_, state: &State| {
            let is_over = |held: &InHand| state.outbox.iter().all(|parcel| parcel.number != held.parcel);
            state.couriers.iter().flatten().any(is_over)
        }),
        Property::sometimes("all ended and all told", |house: &House, state: &State| {
            house.couriers > 0 && is_goal(state)
        }),
    ]
}

fn is_at(state: &State, status: Status) -> bool {
    state.complaints.iter().any(|kept| kept.state.status == status)
}

fn is_open_at(state: &State, level: u8) -> bool {
    state.complaints.iter().any(|kept| kept.state.status.is_open() && kept.state.level.get() == level)
}

fn happened(state: &State, mark: Mark) -> bool {
    state.complaints.iter().any(|kept| kept.marks.contains(&mark))
}

fn escalated_by_clock(state: &State, from: u8) -> bool {
    let by_clock =
        |(level, cause): &(Level, EscalationCause)| level.get() == from && matches!(cause, EscalationCause::Clock(_));
    state.complaints.iter().any(|kept| kept.fired.iter().any(by_clock))
}

fn staff(name: &str, level: u8) -> Agent {
    let agent = Agent::named(name, name).expect("a name").skilled_in(["glass"]);
    agent.at_level(Level::new(level).expect("a level"))
}

/// What people can do, with input that is right.
#[expect(clippy::large_stack_arrays, reason = "a list that is made once for each house")]
fn deeds(commands: &[C]) -> Vec<Deed> {
    let text = |name| Command::with_text(name, "Words.");
    let reason = |name| Command::with_reason(name, "Because.");
    let with = |name, input| Command::new(name, input).expect("its own fields");
    let blank = Input::default;
    let words = || Some("Words.".to_owned());
    let tomorrow = (start() + TimeDelta::days(1)).date_naive();
    let decision = |outcome, remedies: Vec<Remedy>| Input {
        outcome: Some(outcome),
        explanation: words(),
        apology: words(),
        remedies,
        ..blank()
    };
    let to_bob = Input { agent: Some(agent_id("bob")), reason: words(), ..blank() };
    let spam = Input { reason: Some("spam".into()), text: words(), ..blank() };
    let deeds = [
        (Role::Customer, text(C::Answer)),
        (Role::Customer, text(C::Post)),
        (Role::Customer, Command::plain(C::Accept)),
        (Role::Customer, Command::plain(C::AcceptRemedy)),
        (Role::Customer, Command::plain(C::DeclineRemedy)),
        (Role::Customer, reason(C::FailRemedy)),
        (Role::Customer, reason(C::Contest)),
        (Role::Customer, with(C::Contest, Input { reason: words(), new_evidence: words(), ..blank() })),
        (Role::Customer, Command::plain(C::Withdraw)),
        (Role::Customer, Command::plain(C::Reinstate)),
        (Role::Customer, reason(C::Escalate)),
        (Role::Handler, Command::plain(C::Begin)),
        (Role::Handler, reason(C::Decline)),
        (Role::Handler, text(C::Ask)),
        (Role::Handler, with(C::Hold, Input { party: words(), until: Some(tomorrow), ..blank() })),
        (Role::Handler, with(C::Resume, Input { reason: words(), ..blank() })),
        (Role::Handler, reason(C::Escalate)),
        (Role::Handler, with(C::HandBack, Input { instruction: words(), ..blank() })),
        (Role::Handler, with(C::Propose, decision(Outcome::Upheld, vec![Remedy::refund("5 EUR").expect("money")]))),
        (Role::Handler, with(C::Resolve, decision(Outcome::NotUpheld, Vec::new()))),
        (Role::Handler, with(C::Resolve, decision(Outcome::Upheld, vec![Remedy::replacement()]))),
        (Role::Handler, with(C::FulfilRemedy, Input { evidence: words(), ..blank() })),
        (Role::Handler, reason(C::FailRemedy)),
        (Role::Handler, reason(C::Accept)),
        (Role::Handler, reason(C::DeclineRemedy)),
        (Role::Handler, Command::plain(C::Read)),
        (Role::Handler, with(C::ResolveAtSource, Input { explanation: words(), ..blank() })),
        (Role::Agent, with(C::Merge, Input { into: words(), ..blank() })),
        (Role::Agent, with(C::Merge, Input { into: words(), consent: words(), ..blank() })),
        (Role::Supervisor, Command::plain(C::Approve)),
        (Role::Supervisor, with(C::SendBack, Input { comment: words(), ..blank() })),
        (Role::Supervisor, reason(C::Release)),
        (Role::Supervisor, with(C::Reassign, to_bob)),
        (Role::Supervisor, with(C::Dismiss, spam)),
        (Role::Supervisor, with(C::Refer, Input { body: words(), text: words(), ..blank() })),
        (Role::Supervisor, reason(C::ReturnReferral)),
        (Role::Supervisor, reason(C::Reopen)),
        (Role::Supervisor, Command::plain(C::Close)),
        (Role::Supervisor, Command::plain(C::Unmerge)),
        (Role::Customer, Command::plain(C::Unmerge)),
    ];
    // What staff say for the customer and what the customer says against staff, each where it is not tried together with all else.
    let (by_word, of_delivery) = (commands.contains(&C::Read), commands.contains(&C::Close));
    let known = |deed: &Deed| {
        commands.contains(&deed.command.name())
            && match (deed.role, deed.command.name()) {
                (Role::Handler, C::Accept | C::DeclineRemedy) => by_word,
                (Role::Customer, C::FailRemedy) => of_delivery,
                _ => true,
            }
    };
    deeds.into_iter().map(|(role, command)| Deed { role, command }).filter(known).collect()
}
