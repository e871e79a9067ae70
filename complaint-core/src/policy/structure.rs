//! The shape of a state machine: what can be reached, left, done and stopped. Works on data, so that any machine can
//! be looked at, not only ours. Ours is made of the moves that the charts draw: what is checked is what people see.

use std::collections::{BTreeMap, BTreeSet};

use super::Policy;
use super::finding::{Code, Finding};
use crate::deadline::{ClockKind, at_its_end, runs_in};
use crate::id::Level;
use crate::lifecycle::diagram::moves::{Move as LifecycleMove, START, moves};
use crate::lifecycle::{CommandName, Status, Who};

/// A state machine as data.
///
/// ```
/// use complaint_core::policy::{Code, Machine, Move};
///
/// let machine = Machine::starting_at("new")
///     .with_end("done")
///     .with_move(Move::named("finish", ["new"], "done").by(["agent"]))
///     .with_move(Move::named("edit", ["done"], "new").by(["agent"]));
/// let findings = machine.check();
/// assert_eq!(findings[0].code, Code::TerminalWithExits);
///
/// // Meant so, it is none; and who waits for a stranger's goodwill has no way out.
/// let waiting = Machine::starting_at("new").with_state("waiting").with_end("done");
/// let waiting = waiting
///     .with_move(Move::named("wait", ["new"], "waiting").by(["agent"]))
///     .with_move(Move::named("finish", ["new"], "done").by(["agent"]).barred("clerk", "clerks only read"))
///     .with_move(Move::named("be answered", ["waiting"], "done").by(["stranger"]).by_goodwill())
///     .with_move(Move::named("reopen", ["done"], "new").by(["agent"]).reopening());
/// let codes: Vec<Code> = waiting.check().iter().map(|finding| finding.code).collect();
/// assert!(codes.contains(&Code::DeadEnd) && codes.contains(&Code::RoleNeverActs));
/// assert!(!codes.contains(&Code::TerminalWithExits));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// Where everything begins.
    pub start: String,
    /// Every state.
    pub states: BTreeSet<String>,
    /// The states in which nothing is expected of anybody any more.
    pub ends: BTreeSet<String>,
    /// The changes from state to state.
    pub moves: Vec<Move>,
    /// What measures time in some of the states.
    pub clocks: Vec<MachineClock>,
}

/// A change from some states to one other.
///
/// Example: [`Machine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// What it is called.
    pub name: String,
    /// Where it can be made.
    pub from: Vec<String>,
    /// Where it leads.
    pub to: String,
    /// The roles that can make it.
    pub by: Vec<String>,
    /// The roles that it is meant for and that can never make it, each with the reason.
    pub barred: Vec<(String, String)>,
    /// Whether it is meant to bring back what is finished.
    pub reopens: bool,
    /// Whether it depends on the goodwill of somebody outside, so that nobody can rely on it as the way out.
    pub by_goodwill: bool,
}

/// Something that measures time while the machine is in some of its states.
///
/// ```
/// use complaint_core::policy::{Code, Machine, MachineClock, Move};
///
/// let patience = MachineClock {
///     name: "patience".into(),
///     runs_in: vec!["new".into()],
///     stopped_by: Vec::new(),
///     makes: None,
///     is_window: false,
/// };
/// let machine = Machine::starting_at("new").with_state("begun").with_end("done").with_clock(patience);
/// let machine = machine.with_move(Move::named("begin", ["new"], "begun").by(["agent"]));
/// let machine = machine.with_move(Move::named("finish", ["begun"], "done").by(["agent"]));
/// assert_eq!(machine.check(), [], "to begin leaves the state in which it runs");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineClock {
    /// What it is called.
    pub name: String,
    /// The states in which it runs.
    pub runs_in: Vec<String>,
    /// The moves that stop it, wherever they lead; leaving `runs_in` stops it too.
    pub stopped_by: Vec<String>,
    /// The move that it makes when it runs out, if it makes one.
    pub makes: Option<String>,
    /// Whether its end is all it is for, as with a window in which something is allowed.
    pub is_window: bool,
}

impl Machine {
    /// A machine with one state.
    pub fn starting_at(state: &str) -> Self {
        Self { start: state.to_owned(), states: BTreeSet::from([state.to_owned()]), ..Self::default() }
    }

    /// With a state in which work goes on.
    pub fn with_state(mut self, state: &str) -> Self {
        self.states.insert(state.to_owned());
        self
    }

    /// With a state in which nothing is expected of anybody any more.
    pub fn with_end(mut self, state: &str) -> Self {
        self.ends.insert(state.to_owned());
        self.with_state(state)
    }

    /// With a change.
    pub fn with_move(mut self, change: Move) -> Self {
        self.moves.push(change);
        self
    }

    /// With a clock.
    pub fn with_clock(mut self, clock: MachineClock) -> Self {
        self.clocks.push(clock);
        self
    }

    /// Our lifecycle as a policy configures it: at one level, where the level above is an end of its own, or on the
    /// whole ladder.
    pub fn of(policy: &Policy, at: Option<Level>) -> Self {
        let mut machine = Self::starting_at(START.name());
        for status in Status::ALL {
            machine = if status.is_end() { machine.with_end(status.name()) } else { machine.with_state(status.name()) };
        }
        if at.is_some_and(|level| level < policy.last_level()) {
            machine = machine.with_end(ABOVE);
        }
        for change in moves(policy, at) {
            machine.moves.push(Move::of(&change, at.is_some_and(|level| level < policy.last_level())));
        }
        for clock in ClockKind::ALL {
            machine.clocks.push(MachineClock {
                name: clock.name().to_owned(),
                runs_in: runs_in(clock).iter().map(|status| status.name().to_owned()).collect(),
                // Each of them stops where its status is left; what stops one besides is no move.
                stopped_by: Vec::new(),
                // At the last level there is none upward.
                makes: at_its_end(clock)
                    .map(|command| command.name().to_owned())
                    .filter(|name| machine.moves.iter().any(|it| it.name == *name)),
                is_window: clock == ClockKind::ContestWindow,
            });
        }
        machine
    }

    /// Every fault of its shape: names of states and moves that there are not, states nobody can enter, states without a way
    /// out, ends that are left by a move not meant to reopen, roles that can never act, clocks that never stop, clocks
    /// that rival each other.
    pub fn check(&self) -> Vec<Finding> {
        let reached = self.reached_from(&self.start, |_| true);
        let mut findings = Vec::new();
        self.check_names(&mut findings);
        self.check_states(&reached, &mut findings);
        self.check_roles(&reached, &mut findings);
        self.check_clocks(&reached, &mut findings);
        findings
    }

    /// The states that can be reached and from which no end can.
    pub(super) fn dead_ends(&self) -> Vec<&str> {
        let reached = self.reached_from(&self.start, |_| true);
        let ways = self.ways_on();
        let stuck = reached.into_iter().filter(|state| !self.ends.contains(*state) && !self.has_exit(&ways, state));
        stuck.collect()
    }

    /// Misspelt, a state is one that nothing leads to and nothing leaves, and a clock one that nothing stops.
    fn check_names(&self, findings: &mut Vec<Finding>) {
        let is_move = |name: &String| self.moves.iter().any(|it| it.name == *name);
        let mut unknown = |path: String, kind: &str, name: &String| {
            findings.push(Finding::new(
                Code::UnknownName,
                path,
                format!("there is no {kind} `{name}`"),
                "declare it, or write it as those are written that there are",
            ));
        };
        for name in std::iter::once(&self.start).chain(&self.ends).filter(|it| !self.states.contains(*it)) {
            unknown(format!("statuses.{name}"), "status", name);
        }
        for it in &self.moves {
            for name in it.from.iter().chain([&it.to]).filter(|it| !self.states.contains(*it)) {
                unknown(format!("moves.{}", it.name), "status", name);
            }
        }
        for clock in &self.clocks {
            for name in clock.runs_in.iter().filter(|it| !self.states.contains(*it)) {
                unknown(format!("clocks.{}", clock.name), "status", name);
            }
            for name in clock.stopped_by.iter().chain(&clock.makes).filter(|it| !is_move(it)) {
                unknown(format!("clocks.{}", clock.name), "move", name);
            }
        }
    }

    fn check_states(&self, reached: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let ways = self.ways_on();
        for state in &self.states {
            if !reached.contains(state.as_str()) {
                findings.push(Finding::new(
                    Code::UnreachableStatus,
                    format!("statuses.{state}"),
                    format!("nobody can bring anything into `{state}`: {}", self.ways_in(state)),
                    "let somebody make such a move, or leave the status out",
                ));
                continue;
            }
            if self.ends.contains(state) {
                let exits = self.possible().filter(|it| it.from.contains(state) && it.to != *state && !it.reopens);
                let exits: BTreeSet<String> = exits.map(|it| format!("`{}` to `{}`", it.name, it.to)).collect();
                if !exits.is_empty() {
                    findings.push(Finding::new(
                        Code::TerminalWithExits,
                        format!("statuses.{state}"),
                        format!("`{state}` is an end, and is left by {}", listed(exits)),
                        "declare the move as one that reopens, with a window or a reason, or let it start elsewhere",
                    ));
                }
            } else if !self.has_exit(&ways, state) {
                findings.push(Finding::new(
                    Code::DeadEnd,
                    format!("statuses.{state}"),
                    format!("from `{state}` no end can be reached that does not depend on somebody's goodwill"),
                    "give it a way to an end that somebody in the house can take",
                ));
            }
        }
    }

    fn check_roles(&self, reached: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let named = self.moves.iter().flat_map(|it| it.by.iter().chain(it.barred.iter().map(|(role, _)| role)));
        let can_act = |role: &str| {
            self.possible()
                .any(|it| it.by.iter().any(|by| by == role) && it.from.iter().any(|s| reached.contains(s.as_str())))
        };
        for role in named.collect::<BTreeSet<_>>() {
            if !can_act(role) {
                let reasons = self.moves.iter().flat_map(|it| &it.barred).filter(|(who, _)| who == role);
                let reasons: BTreeSet<String> = reasons.map(|(_, why)| why.clone()).collect();
                let why =
                    if reasons.is_empty() { "none of their moves can be reached".to_owned() } else { listed(reasons) };
                findings.push(Finding::new(
                    Code::RoleNeverActs,
                    format!("roles.{role}"),
                    format!("`{role}` can never act: {why}"),
                    "give the role a move that can be made, or do without it",
                ));
            }
        }
    }

    fn check_clocks(&self, reached: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let ways = self.ways_on();
        for clock in self.clocks.iter().filter(|clock| !clock.is_window) {
            let stuck = clock
                .runs_in
                .iter()
                .filter(|state| reached.contains(state.as_str()) && !self.stops(&ways, clock, state));
            let stuck: BTreeSet<String> = stuck.map(|state| format!("`{state}`")).collect();
            if !stuck.is_empty() {
                findings.push(Finding::new(
                    Code::ClockNeverStops,
                    format!("clocks.{}", clock.name),
                    format!("`{}` runs in {} and nothing that follows stops it", clock.name, listed(stuck)),
                    "let it stop there, or give the status a way to one where it stops",
                ));
            }
        }
        for (at, one) in self.clocks.iter().enumerate() {
            for other in &self.clocks[at + 1..] {
                let shared = one
                    .runs_in
                    .iter()
                    .filter(|state| reached.contains(state.as_str()) && other.runs_in.contains(state));
                for state in shared {
                    let leads = |clock: &MachineClock| clock.makes.as_ref().and_then(|name| self.leads(name, state));
                    if let (Some(here), Some(there)) = (leads(one), leads(other))
                        && here != there
                    {
                        findings.push(Finding::new(
                            Code::RivalClocks,
                            format!("clocks.{}", other.name),
                            format!(
                                "in `{state}`, `{}` leads to `{here}` and `{}` to `{there}`: whichever is shorter, the other never counts",
                                one.name, other.name
                            ),
                            "keep one of them, or let them run in different statuses",
                        ));
                    }
                }
            }
        }
    }

    /// The moves that nobody can make, each with the reason.
    pub(super) fn closed_ways(&self) -> String {
        let closed = self.moves.iter().filter(|it| it.by.is_empty());
        let closed: BTreeSet<String> =
            closed.filter_map(|it| Some(format!("`{}` is closed, since {}", it.name, it.barred.first()?.1))).collect();
        listed(closed)
    }

    fn possible(&self) -> impl Iterator<Item = &Move> {
        self.moves.iter().filter(|it| !it.by.is_empty())
    }

    fn reached_from<'a>(&'a self, start: &'a str, may: impl Fn(&Move) -> bool) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(state) = open.pop() {
            for it in self.possible().filter(|it| may(it) && it.from.iter().any(|from| from == state)) {
                if reached.insert(&it.to) {
                    open.push(&it.to);
                }
            }
        }
        reached
    }

    /// What can be reached from each state by moves that somebody in the house can make.
    fn ways_on(&self) -> Ways<'_> {
        self.states.iter().map(|state| (state.as_str(), self.reached_from(state, |it| !it.by_goodwill))).collect()
    }

    fn has_exit(&self, ways: &Ways<'_>, state: &str) -> bool {
        ways.get(state).is_some_and(|reached| reached.iter().any(|reached| self.ends.contains(*reached)))
    }

    fn stops(&self, ways: &Ways<'_>, clock: &MachineClock, state: &str) -> bool {
        let Some(reached) = ways.get(state) else { return true };
        let left = reached.iter().any(|it| !clock.runs_in.iter().any(|runs| runs == it));
        left || self
            .possible()
            .any(|it| clock.stopped_by.contains(&it.name) && it.from.iter().any(|from| reached.contains(from.as_str())))
    }

    fn leads(&self, name: &str, state: &str) -> Option<&str> {
        self.possible()
            .find(|it| it.name == name && it.from.iter().any(|from| from == state) && it.to != state)
            .map(|it| it.to.as_str())
    }

    fn ways_in(&self, state: &str) -> String {
        let ways = self.moves.iter().filter(|it| it.to == *state);
        let ways: BTreeSet<String> = ways
            .map(|it| match it.barred.first() {
                Some((role, why)) if it.by.is_empty() => format!("`{}` is closed to `{role}`, since {why}", it.name),
                _ if it.by.is_empty() => format!("nobody may `{}`", it.name),
                _ => format!("`{}` starts where nobody can get", it.name),
            })
            .collect();
        if ways.is_empty() { "no move leads there".to_owned() } else { listed(ways) }
    }
}

impl Move {
    /// A change that nobody can make yet.
    pub fn named<'a>(name: &str, from: impl IntoIterator<Item = &'a str>, to: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: from.into_iter().map(str::to_owned).collect(),
            to: to.to_owned(),
            by: Vec::new(),
            barred: Vec::new(),
            reopens: false,
            by_goodwill: false,
        }
    }

    /// The roles that can make it.
    pub fn by<'a>(mut self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        self.by.extend(roles.into_iter().map(str::to_owned));
        self
    }

    /// A role that it is meant for and that can never make it.
    pub fn barred(mut self, role: &str, why: &str) -> Self {
        self.barred.push((role.to_owned(), why.to_owned()));
        self
    }

    /// Meant to bring back what is finished.
    pub fn reopening(mut self) -> Self {
        self.reopens = true;
        self
    }

    /// Nothing that anybody can rely on.
    pub fn by_goodwill(mut self) -> Self {
        self.by_goodwill = true;
        self
    }

    fn of(change: &LifecycleMove, has_level_above: bool) -> Self {
        use CommandName as C;
        let up = has_level_above && matches!(change.command, C::Escalate | C::Contest);
        let to = if up { ABOVE } else { change.to.name() };
        let mut made = Self::named(change.command.name(), [change.from.name()], to);
        made.by = change.by.iter().map(|who| who.label().to_owned()).collect();
        for (who, guard) in &change.barred {
            let why = match guard {
                Some(guard) => format!("never `{}`", guard.name()),
                None => NO_SUPERVISOR.to_owned(),
            };
            made.barred.push((who.label().to_owned(), why));
        }
        made.reopens = matches!(
            change.command,
            C::FailRemedy | C::Contest | C::Reopen | C::Reinstate | C::Unmerge | C::ReturnReferral
        );
        // What a customer may do, and what needs their consent or another complaint of theirs, is no way out that
        // the house has.
        made.by_goodwill =
            matches!(change.command, C::ResolveAtSource | C::Merge) || change.by.as_slice() == [Who::Customer];
        made
    }
}

type Ways<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Where a complaint goes that leaves its level upward, as seen from that level.
const ABOVE: &str = "level above";
const NO_SUPERVISOR: &str = "the ladder has no level above the first";

fn listed(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}
