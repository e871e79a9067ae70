//! What happens in a scenario and what is expected of it, and the playing of both in a [`World`].

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::instants::show;
use super::samples;
use super::world::{Answer, House, Person, Role, SeenClock, Sight, World};
use crate::agent::{Absence, Agent};
use crate::complaint::Submission;
use crate::deadline::{ClockKind, Ending, Span};
use crate::id::{AgentId, ComplaintId, Level};
use crate::lifecycle::{Command, CommandName, Input, Status};
use crate::notice::{NoticeKind, Recipient};
use crate::policy::{Category, Policy};

/// How often one step may sweep: more is a mistake in the scenario.
const SWEEPS_MAX: u32 = 10_000;

/// A story with a given organisation, steps in virtual time, and what is to be seen on the way.
///
/// Built here, or read from a text with [`Scenario::parse`]; played in any [`World`]. What people are called is a name
/// (`Sarah`); what complaints are called is an alias that the submission gives (`C1`).
///
/// ```
/// use complaint_core::deadline::ClockKind;
/// use complaint_core::lifecycle::{Command, CommandName, Status};
/// use complaint_core::testing::{DeskWorld, Scenario, after, by, complaint, notices_to, samples};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let story = Scenario::titled("Sarah begins in time")
///     .given(samples::policy())
///     .given(samples::sarah())
///     .given_customer("John")
///     .given_customer("Jane")
///     .given_admin("Ada")
///     .given_auditor("Ines")
///     .starting(samples::monday())
///     .when(by("John").submits(samples::broken_kettle(), "C1"))
///     .then(complaint("C1").is(Status::Assigned).with("Sarah"))
///     .then(notices_to("John", ["acknowledged", "assigned"]))
///     .when(after("2 working hours".parse()?))
///     .then(by("John").is_refused("wrong_status", Command::plain(CommandName::Accept), "C1"))
///     .when(by("Sarah").gives(Command::plain(CommandName::Begin), "C1"))
///     .then(complaint("C1").clock(ClockKind::Acceptance).met())
///     .when(by("John").gives(Command::plain(CommandName::Withdraw), "C1"))
///     .then(complaint("C1").has_log(["submitted", "acknowledged", "assigned", "begun", "withdrawn"]))
///     .when(by("John").follows_up("C1", samples::broken_kettle(), "C2"))
///     .then(by("Ines").sees("C2", "Assigned"))
///     .then(by("Jane").cannot_see("C2"));
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let played = story.play(&mut DeskWorld::in_memory()).await?;
/// assert_eq!(played.expectations, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) name: String,
    pub(super) file: Option<String>,
    pub(super) zone: String,
    pub(super) house: House,
    pub(super) start: DateTime<Utc>,
    pub(super) lines: Vec<Line>,
}

/// One line of a scenario: its number, from 1, and what it asks for.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) step: Step,
}

/// What was played.
///
/// Example: [`Scenario`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Things that were done.
    pub actions: usize,
    /// Things that were expected and seen.
    pub expectations: usize,
}

/// Where a scenario and a world differ.
///
/// ```
/// use complaint_core::lifecycle::{Command, CommandName};
/// use complaint_core::testing::{DeskWorld, Scenario, by, complaint, samples};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let story = Scenario::titled("Nobody is there")
///     .given(samples::policy())
///     .given_customer("John")
///     .when(by("John").submits(samples::broken_kettle(), "C1"))
///     .then(complaint("C1").with("Sarah"));
/// let failed = story.play(&mut DeskWorld::in_memory()).await.unwrap_err();
/// assert_eq!((failed.place.as_str(), failed.line), ("Nobody is there", 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}:{line}: {message}")]
pub struct Failed {
    /// The file of the scenario, or its name.
    pub place: String,
    /// The line, from 1; of a built scenario the number of the step, and 0 for what is checked at the end.
    pub line: usize,
    /// What was expected, and what was there.
    pub message: String,
}

/// What a house is given: a [`Policy`], a [`Category`] or an [`Agent`].
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub enum Given {
    /// The house rules; categories given before are kept.
    Policy(Box<Policy>),
    /// One more category.
    Category(Box<Category>),
    /// One more agent, who acts under their name.
    Agent(Box<Agent>),
}

impl From<Policy> for Given {
    fn from(policy: Policy) -> Self {
        Self::Policy(Box::new(policy))
    }
}

impl From<Category> for Given {
    fn from(category: Category) -> Self {
        Self::Category(Box::new(category))
    }
}

impl From<Agent> for Given {
    fn from(agent: Agent) -> Self {
        Self::Agent(Box::new(agent))
    }
}

impl Scenario {
    /// A scenario under [`Policy::standard`] with nobody in it yet, beginning on [`samples::monday`].
    pub fn titled(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            file: None,
            zone: "UTC".to_owned(),
            house: House { policy: Policy::standard(), agents: Vec::new(), people: Vec::new() },
            start: samples::monday(),
            lines: Vec::new(),
        }
    }

    /// Gives the house rules, a category or an agent.
    pub fn given(mut self, given: impl Into<Given>) -> Self {
        match given.into() {
            Given::Policy(policy) => {
                let known = std::mem::take(&mut self.house.policy.categories);
                self.house.policy = known.into_iter().fold(*policy, Policy::with_category);
                self.house.policy.working_calendar().zone().clone_into(&mut self.zone);
            }
            Given::Category(category) => {
                self.house.policy = self.house.policy.clone().with_category(*category);
            }
            Given::Agent(agent) => {
                self.house.people.push(Person { name: agent.name.clone(), role: Role::Agent });
                // A world finds people by their names; an agent is no exception.
                let id = samples::agent_id(&agent.name).unwrap_or_else(|| agent.id.clone());
                self.house.agents.push(Agent { id, ..*agent });
            }
        }
        self
    }

    /// Gives somebody who complains.
    pub fn given_customer(self, name: &str) -> Self {
        self.given_person(name, Role::Customer)
    }

    /// Gives somebody who runs the system.
    pub fn given_admin(self, name: &str) -> Self {
        self.given_person(name, Role::Admin)
    }

    /// Gives somebody who reads everything.
    pub fn given_auditor(self, name: &str) -> Self {
        self.given_person(name, Role::Auditor)
    }

    fn given_person(mut self, name: &str, role: Role) -> Self {
        self.house.people.push(Person { name: name.to_owned(), role });
        self
    }

    /// Sets the instant at which it begins.
    pub fn starting(mut self, at: DateTime<Utc>) -> Self {
        self.start = at;
        self
    }

    /// Then this happens.
    pub fn when(mut self, step: Step) -> Self {
        let number = self.lines.len() + 1;
        self.lines.push(Line { number, step });
        self
    }

    /// Then this is seen.
    pub fn then(self, expectation: impl Into<Step>) -> Self {
        self.when(expectation.into())
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organisation it is about.
    pub fn house(&self) -> &House {
        &self.house
    }

    /// Plays it.
    ///
    /// # Errors
    /// The first line that the world did not do or that saw something else, and at the end books that do not balance.
    pub async fn play(&self, world: &mut dyn World) -> Result<Played, Failed> {
        let place = self.file.clone().unwrap_or_else(|| self.name.clone());
        let failed = |line, message| Failed { place: place.clone(), line, message };
        let mut play = Play {
            scenario: self,
            world,
            now: self.start,
            agents: self.house.agents.clone(),
            complaints: BTreeMap::new(),
            notices: Vec::new(),
        };
        play.world.found(&self.house, self.start).await.map_err(|answer| failed(0, answer.to_string()))?;
        let mut played = Played { actions: 0, expectations: 0 };
        for line in &self.lines {
            match &line.step.0 {
                Act::Expect(expected) => {
                    play.expect(expected).await.map_err(|message| failed(line.number, message))?;
                    played.expectations += 1;
                }
                act => {
                    play.act(act).await.map_err(|answer| failed(line.number, answer.to_string()))?;
                    played.actions += 1;
                }
            }
        }
        play.world.audit().await.map_err(|answer| failed(0, answer.to_string()))?;
        Ok(played)
    }
}

/// One step of a scenario: something done, or something expected.
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub struct Step(pub(super) Act);

#[derive(Debug, Clone)]
pub(super) enum Act {
    At(DateTime<Utc>),
    After(Span),
    Sweep,
    SweepEvery { pause: Span, until: Until },
    Staff { agent: AgentId, change: StaffChange },
    Submit { by: String, submission: Box<Submission>, alias: String, follows: Option<String> },
    Give { by: String, complaint: String, command: Box<Command> },
    Expect(Box<Expected>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    At(DateTime<Utc>),
    For(Span),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum StaffChange {
    AbsentUntil(DateTime<Utc>),
    Back,
    Enabled(bool),
}

/// The clock is moved to an instant; nothing else happens.
///
/// Example: [`sweep_every`].
pub fn at(instant: DateTime<Utc>) -> Step {
    Step(Act::At(instant))
}

/// The clock is moved on, working time counted on the calendar of the policy; nothing else happens.
///
/// Example: [`Scenario`].
pub fn after(span: Span) -> Step {
    Step(Act::After(span))
}

/// Everything that is due is done, once.
///
/// Example: [`sweep_every`].
pub fn sweep() -> Step {
    Step(Act::Sweep)
}

/// Time passes for this long, with a sweep after each pause and one at the end.
///
/// ```
/// use complaint_core::testing::{DeskWorld, Scenario, at, by, complaint, samples, sweep, sweep_every};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let story = Scenario::titled("Nobody begins")
///     .given(samples::policy())
///     .given(samples::maria())
///     .given_customer("John")
///     .when(by("John").submits(samples::broken_kettle(), "C1"))
///     .when(at(samples::monday() + chrono::TimeDelta::hours(1)))
///     .when(sweep())
///     .then(complaint("C1").with_nobody())
///     .when(sweep_every("1 day".parse()?, "3 days".parse()?))
///     .then(complaint("C1").with("Maria").at_level(complaint_core::id::Level::new(2)?));
/// story.play(&mut DeskWorld::in_memory()).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sweep_every(pause: Span, until_over: Span) -> Step {
    Step(Act::SweepEvery { pause, until: Until::For(until_over) })
}

/// Somebody, by the name they were given under.
///
/// Example: [`Scenario`].
pub fn by(name: &str) -> Doer {
    Doer(name.to_owned())
}

/// Somebody who does something. See [`by`].
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub struct Doer(String);

impl Doer {
    /// Hands in a complaint, from now on called by this alias.
    pub fn submits(&self, submission: Submission, alias: &str) -> Step {
        Step(Act::Submit {
            by: self.0.clone(),
            submission: Box::new(submission),
            alias: alias.to_owned(),
            follows: None,
        })
    }

    /// Hands in a follow-up of a finished complaint.
    pub fn follows_up(&self, finished: &str, submission: Submission, alias: &str) -> Step {
        Step(Act::Submit {
            by: self.0.clone(),
            submission: Box::new(submission),
            alias: alias.to_owned(),
            follows: Some(finished.to_owned()),
        })
    }

    /// Gives a command to a complaint. `into` of a `merge` may be an alias.
    pub fn gives(&self, command: Command, complaint: &str) -> Step {
        Step(Act::Give { by: self.0.clone(), complaint: complaint.to_owned(), command: Box::new(command) })
    }

    /// Gives a command and is refused, with this code among those of the failed guards.
    pub fn is_refused(&self, code: &str, command: Command, complaint: &str) -> Expectation {
        Expectation(Expected::Refused { code: code.to_owned(), step: self.gives(command, complaint) })
    }

    /// Sees a complaint as in this status, in the words they read.
    pub fn sees(&self, complaint: &str, label: &str) -> Expectation {
        Expectation(Expected::Sees {
            by: self.0.clone(),
            complaint: complaint.to_owned(),
            label: Some(label.to_owned()),
        })
    }

    /// Is told that there is no such complaint.
    pub fn cannot_see(&self, complaint: &str) -> Expectation {
        Expectation(Expected::SeesNot { by: self.0.clone(), complaint: complaint.to_owned() })
    }

    /// Has this workload.
    pub fn holds(&self, weight: u32) -> Expectation {
        Expectation(Expected::Holds { agent: self.0.clone(), weight })
    }
}

/// Something expected.
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub struct Expectation(pub(super) Expected);

impl From<Expectation> for Step {
    fn from(expectation: Expectation) -> Self {
        Self(Act::Expect(Box::new(expectation.0)))
    }
}

impl From<Looked> for Step {
    fn from(looked: Looked) -> Self {
        Expectation(Expected::Place(looked)).into()
    }
}

#[derive(Debug, Clone)]
pub(super) enum Expected {
    Refused { code: String, step: Step },
    Notices { to: Told, kinds: Vec<String> },
    Log { complaint: String, events: Vec<String> },
    Count { complaint: String, event: String, times: usize },
    Holds { agent: String, weight: u32 },
    Sees { by: String, complaint: String, label: Option<String> },
    SeesNot { by: String, complaint: String },
    Place(Looked),
    Clock { complaint: String, clock: ClockKind, state: ClockState },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Person(String),
    Level(Level),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockState {
    Due(DateTime<Utc>),
    Runs,
    Paused,
    Warned(u8),
    Missed,
    NotMissed,
    Ended(Ending),
    Absent,
}

/// A complaint by its alias.
///
/// Example: [`Scenario`].
pub fn complaint(alias: &str) -> Looked {
    Looked { complaint: alias.to_owned(), status: None, level: None, handler: None }
}

/// What a complaint is expected to look like; what is not said may be anything. See [`complaint`].
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub struct Looked {
    pub(super) complaint: String,
    pub(super) status: Option<Status>,
    pub(super) level: Option<Level>,
    pub(super) handler: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    Named(String),
}

impl Looked {
    /// In this status.
    pub fn is(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// At this level.
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// With this handler.
    pub fn with(mut self, name: &str) -> Self {
        self.handler = Some(Holder::Named(name.to_owned()));
        self
    }

    /// With nobody.
    pub fn with_nobody(mut self) -> Self {
        self.handler = Some(Holder::Nobody);
        self
    }

    /// Its latest clock of a kind.
    pub fn clock(self, clock: ClockKind) -> LookedClock {
        LookedClock { complaint: self.complaint, clock }
    }

    /// Its log has exactly these entries, by the names under which events are stored.
    pub fn has_log<'a>(self, events: impl IntoIterator<Item = &'a str>) -> Expectation {
        let events = events.into_iter().map(str::to_owned).collect();
        Expectation(Expected::Log { complaint: self.complaint, events })
    }
}

/// A clock of a complaint. See [`Looked::clock`].
///
/// Example: [`Scenario`].
#[derive(Debug, Clone)]
pub struct LookedClock {
    complaint: String,
    clock: ClockKind,
}

impl LookedClock {
    /// Runs out at this instant.
    pub fn due(self, at: DateTime<Utc>) -> Expectation {
        self.state(ClockState::Due(at))
    }

    /// Is paused.
    pub fn paused(self) -> Expectation {
        self.state(ClockState::Paused)
    }

    /// Was kept in time.
    pub fn met(self) -> Expectation {
        self.state(ClockState::Ended(Ending::Met))
    }

    /// Was found to have run out.
    pub fn missed(self) -> Expectation {
        self.state(ClockState::Missed)
    }

    fn state(self, state: ClockState) -> Expectation {
        Expectation(Expected::Clock { complaint: self.complaint, clock: self.clock, state })
    }
}

/// Exactly these notices were planned for somebody since the last time this was asked about them, in any order.
///
/// Each kind is named in words without its recipient: `assigned`, `escalated`, `warning resolution`.
///
/// Example: [`Scenario`].
pub fn notices_to<'a>(name: &str, kinds: impl IntoIterator<Item = &'a str>) -> Expectation {
    let kinds = kinds.into_iter().map(str::to_owned).collect();
    Expectation(Expected::Notices { to: Told::Person(name.to_owned()), kinds })
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => f.write_str(name),
            Self::Level(level) => write!(f, "level {level}"),
        }
    }
}

/// A kind of notice in words: `acknowledged`, `assigned`, `missed first response`.
pub(super) fn kind_in_words(kind: NoticeKind) -> String {
    let stored = serde_json::to_value(kind).unwrap_or_default();
    let word = stored["kind"].as_str().unwrap_or_default();
    // To whom it goes is asked for beside it.
    let word = word.strip_suffix("_customer").or_else(|| word.strip_suffix("_handler")).unwrap_or(word);
    let clock = stored["clock"].as_str().map(|clock| format!(" {clock}")).unwrap_or_default();
    format!("{word}{clock}").replace('_', " ")
}

struct Play<'a> {
    scenario: &'a Scenario,
    world: &'a mut dyn World,
    now: DateTime<Utc>,
    agents: Vec<Agent>,
    complaints: BTreeMap<String, ComplaintId>,
    /// Planned and not asked about yet.
    notices: Vec<(Recipient, NoticeKind)>,
}

impl Play<'_> {
    async fn act(&mut self, act: &Act) -> Result<(), Answer> {
        match act {
            Act::At(at) => self.move_to(*at).await,
            Act::After(span) => {
                let to = self.later(*span);
                self.move_to(to).await
            }
            Act::Sweep => self.world.sweep().await,
            Act::SweepEvery { pause, until } => {
                let end = match until {
                    Until::At(at) => *at,
                    Until::For(span) => self.later(*span),
                };
                for _ in 0..SWEEPS_MAX {
                    let to = self.later(*pause).min(end);
                    self.move_to(to).await?;
                    self.world.sweep().await?;
                    if to == end {
                        return Ok(());
                    }
                }
                Err(Answer::Broken(format!("more than {SWEEPS_MAX} sweeps: take a longer pause")))
            }
            Act::Staff { agent, change } => {
                let now = self.now;
                let known = self.agents.iter_mut().find(|known| known.id == *agent);
                let known = known.ok_or_else(|| Answer::Broken(format!("{agent} is no agent")))?;
                match change {
                    StaffChange::AbsentUntil(until) if *until <= now => {
                        let zone = &self.scenario.zone;
                        let (until, now) = (show(*until, zone), show(now, zone));
                        return Err(Answer::Broken(format!("it is {now} already: an absence until {until} is over")));
                    }
                    StaffChange::AbsentUntil(until) => known.absence = Some(Absence { from: now, until: *until }),
                    StaffChange::Back => known.absence = None,
                    StaffChange::Enabled(enabled) => known.enabled = *enabled,
                }
                self.world.change(known).await
            }
            Act::Submit { by, submission, alias, follows } => {
                let by = self.person(by)?;
                let follows = follows.as_deref().map(|alias| self.complaint(alias)).transpose()?;
                let id = self.world.submit(&by, submission, follows).await?;
                self.complaints.insert(alias.clone(), id);
                Ok(())
            }
            Act::Give { by, complaint, command } => {
                let (by, complaint) = (self.person(by)?, self.complaint(complaint)?);
                let command = self.with_ids(command)?;
                self.world.give(&by, complaint, &command).await
            }
            Act::Expect(_) => Ok(()),
        }
    }

    async fn move_to(&mut self, to: DateTime<Utc>) -> Result<(), Answer> {
        if to < self.now {
            let zone = &self.scenario.zone;
            let (to, now) = (show(to, zone), show(self.now, zone));
            return Err(Answer::Broken(format!("it is {now} already: time does not run back to {to}")));
        }
        self.now = to;
        self.world.set_clock(to).await
    }

    fn later(&self, span: Span) -> DateTime<Utc> {
        span.measure(&self.scenario.house.policy.working_calendar(), self.now).1
    }

    fn person(&self, name: &str) -> Result<Person, Answer> {
        let found = self.scenario.house.person(name);
        found.cloned().ok_or_else(|| Answer::Broken(format!("there is no {name} in this scenario")))
    }

    fn complaint(&self, alias: &str) -> Result<ComplaintId, Answer> {
        let found = self.complaints.get(alias);
        found.copied().ok_or_else(|| Answer::Broken(format!("no complaint is called {alias} yet")))
    }

    /// The command with the id of the complaint that it names by alias.
    fn with_ids(&self, command: &Command) -> Result<Command, Answer> {
        let input = command.input();
        let Some(id) = input.into.as_deref().and_then(|alias| self.complaints.get(alias)) else {
            return Ok(command.clone());
        };
        let input = Input { into: Some(id.to_string()), ..input.clone() };
        Command::new(command.name(), input).map_err(|fault| Answer::Broken(fault.to_string()))
    }

    async fn expect(&mut self, expected: &Expected) -> Result<(), String> {
        match expected {
            Expected::Refused { code, step } => self.expect_refusal(code, step).await,
            Expected::Notices { to, kinds } => self.expect_notices(to, kinds).await,
            Expected::Log { complaint, events } => {
                let seen = self.see(complaint).await?.log;
                same(events == &seen, || format!("the log of {complaint}: {}", list(events)), || list(&seen))
            }
            Expected::Count { complaint, event, times } => {
                let log = self.see(complaint).await?.log;
                let seen = log.iter().filter(|known| *known == event).count();
                same(
                    seen == *times,
                    || format!("{event} in the log of {complaint} {times} times"),
                    || format!("{seen} in: {}", list(&log)),
                )
            }
            Expected::Holds { agent, weight } => {
                let id = AgentId::new(self.person(agent).map_err(text)?.key()).map_err(|it| it.to_string())?;
                let held = self.world.workload(&id).await.map_err(text)?;
                same(held == *weight, || format!("{agent} to hold {weight}"), || held.to_string())
            }
            Expected::Sees { by, complaint, label } => {
                let (by, id) = (self.person(by).map_err(text)?, self.complaint(complaint).map_err(text)?);
                let seen = self.world.see_as(&by, id).await.map_err(text)?;
                let fits = label.as_ref().is_none_or(|label| *label == seen);
                let wanted = label.clone().unwrap_or_default();
                same(fits, || format!("{} to see {complaint} as `{wanted}`", by.name), || format!("`{seen}`"))
            }
            Expected::SeesNot { by, complaint } => {
                let (by, id) = (self.person(by).map_err(text)?, self.complaint(complaint).map_err(text)?);
                match self.world.see_as(&by, id).await {
                    Ok(seen) => Err(format!("expected {} not to see {complaint}, but they see `{seen}`", by.name)),
                    Err(Answer::Refused { codes, .. }) if codes.iter().any(|code| code == "not_found") => Ok(()),
                    Err(answer) => Err(answer.to_string()),
                }
            }
            Expected::Place(looked) => {
                let seen = self.see(&looked.complaint).await?;
                let fits = looked.status.is_none_or(|status| status == seen.status)
                    && looked.level.is_none_or(|level| level == seen.level)
                    && looked.handler.as_ref().is_none_or(|holder| match holder {
                        Holder::Nobody => seen.handler.is_none(),
                        Holder::Named(name) => seen.handler.is_some() && seen.handler == samples::agent_id(name),
                    });
                same(fits, || wanted(looked), || self.place(&seen))
            }
            Expected::Clock { complaint, clock, state } => {
                let seen = self.see(complaint).await?.clocks.get(clock).copied();
                let zone = &self.scenario.zone;
                let name = clock.name().replace('_', " ");
                let expected = || format!("the {name} clock of {complaint} {}", state.in_words(zone));
                same(state.holds_for(seen), expected, || in_words(seen, zone))
            }
        }
    }

    async fn expect_refusal(&mut self, code: &str, step: &Step) -> Result<(), String> {
        match self.act(&step.0).await {
            Ok(()) => Err(format!("expected a refusal with {code}, but it was done")),
            Err(Answer::Refused { codes, .. }) if codes.iter().any(|known| known == code) => Ok(()),
            Err(answer) => Err(format!("expected a refusal with {code}, but it was {answer}")),
        }
    }

    async fn expect_notices(&mut self, to: &Told, kinds: &[String]) -> Result<(), String> {
        let fresh = self.world.notices().await.map_err(text)?;
        self.notices.extend(fresh);
        let person = match to {
            Told::Person(name) => Some(self.person(name).map_err(text)?),
            Told::Level(_) => None,
        };
        let is_meant = |recipient: &Recipient| match (recipient, to, &person) {
            (Recipient::Customer(id), _, Some(person)) => person.role == Role::Customer && id.as_str() == person.key(),
            (Recipient::Agent(id), _, Some(person)) => person.role == Role::Agent && id.as_str() == person.key(),
            (Recipient::Level { level, .. }, Told::Level(wanted), _) => level == wanted,
            _ => false,
        };
        let (meant, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.notices).into_iter().partition(|(recipient, _)| is_meant(recipient));
        self.notices = others;
        let mut seen: Vec<String> = meant.into_iter().map(|(_, kind)| kind_in_words(kind)).collect();
        let mut wanted = kinds.to_vec();
        seen.sort();
        wanted.sort();
        same(seen == wanted, || format!("notices to {to}: {}", list(&wanted)), || list(&seen))
    }

    async fn see(&mut self, alias: &str) -> Result<Sight, String> {
        let id = self.complaint(alias).map_err(text)?;
        self.world.see(id).await.map_err(text)
    }

    fn place(&self, seen: &Sight) -> String {
        let name = |id: &AgentId| {
            let agent = self.agents.iter().find(|agent| agent.id == *id);
            agent.map_or_else(|| id.to_string(), |agent| agent.name.clone())
        };
        let handler = seen.handler.as_ref().map_or("nobody".to_owned(), name);
        format!("{} with {handler} at level {}", seen.status.name().replace('_', " "), seen.level)
    }
}

impl ClockState {
    fn holds_for(self, seen: Option<SeenClock>) -> bool {
        let Some(clock) = seen else { return self == Self::Absent };
        match self {
            Self::Due(at) => clock.due_at == Some(at),
            Self::Runs => clock.ended.is_none() && clock.due_at.is_some(),
            Self::Paused => clock.ended.is_none() && clock.due_at.is_none(),
            Self::Warned(percent) => clock.warned == percent,
            Self::Missed => clock.missed_at.is_some(),
            Self::NotMissed => clock.missed_at.is_none(),
            Self::Ended(how) => clock.ended == Some(how),
            Self::Absent => false,
        }
    }

    fn in_words(self, zone: &str) -> String {
        match self {
            Self::Due(at) => format!("due {}", show(at, zone)),
            Self::Runs => "running".into(),
            Self::Paused => "paused".into(),
            Self::Warned(percent) => format!("warned at {percent} %"),
            Self::Missed => "missed".into(),
            Self::NotMissed => "not missed".into(),
            Self::Ended(how) => format!("ended: {how:?}").to_lowercase(),
            Self::Absent => "absent".into(),
        }
    }
}

fn in_words(seen: Option<SeenClock>, zone: &str) -> String {
    let Some(clock) = seen else { return "absent".into() };
    let mut words = vec![match clock.due_at {
        Some(at) => format!("due {}", show(at, zone)),
        None => "paused".into(),
    }];
    if clock.warned > 0 {
        words.push(format!("warned at {} %", clock.warned));
    }
    words.extend(clock.missed_at.map(|at| format!("missed on {}", show(at, zone))));
    words.extend(clock.ended.map(|how| format!("ended: {how:?}").to_lowercase()));
    words.join(", ")
}

fn wanted(looked: &Looked) -> String {
    let mut words = vec![looked.complaint.clone()];
    words.extend(looked.status.map(|status| status.name().replace('_', " ")));
    words.extend(looked.handler.as_ref().map(|holder| match holder {
        Holder::Nobody => "with nobody".to_owned(),
        Holder::Named(name) => format!("with {name}"),
    }));
    words.extend(looked.level.map(|level| format!("at level {level}")));
    words.join(" ")
}

fn same(fits: bool, expected: impl FnOnce() -> String, seen: impl FnOnce() -> String) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("expected {}, but it is {}", expected(), seen())) }
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends a `map_err`")]
fn text(answer: Answer) -> String {
    answer.to_string()
}

/// The verb of a command as a scenario writes it: `begins`, `sends back`, `fulfils remedy`.
pub(super) fn verb(name: CommandName) -> String {
    let words = name.name().replace('_', " ");
    let (first, rest) = words.split_once(' ').map_or((words.as_str(), ""), |(first, rest)| (first, rest));
    let ending = if first.ends_with(['s', 'x']) || first.ends_with("ch") || first.ends_with("sh") { "es" } else { "s" };
    let third = match first.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{first}{ending}"),
    };
    if rest.is_empty() { third } else { format!("{third} {rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_verb_of_its_own() {
        let mut verbs: Vec<String> = CommandName::ALL.iter().map(|name| verb(*name)).collect();
        for expected in
            ["begins", "releases", "hands back", "attaches", "dismisses", "sends back", "resolves at source"]
        {
            assert!(verbs.iter().any(|known| known == expected), "{expected} is missing in {verbs:?}");
        }
        verbs.sort();
        verbs.dedup();
        assert_eq!(verbs.len(), CommandName::ALL.len());
    }

    #[test]
    fn kinds_of_notices_read_like_words() {
        assert_eq!(kind_in_words(NoticeKind::AssignedCustomer), "assigned");
        assert_eq!(kind_in_words(NoticeKind::TakenAway), "taken away");
        assert_eq!(kind_in_words(NoticeKind::Missed(ClockKind::FirstResponse)), "missed first response");
    }
}
