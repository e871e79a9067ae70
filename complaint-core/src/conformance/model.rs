//! Random sequences, the same on a store and on the model.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{DateTime, Utc};

use super::cases::{same_reference, whole_agent};
use super::story::{Opening, Story, agent_id, both, second, under_key, within};
use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{CategoryKey, CustomerId, Level};
use crate::lifecycle::Status;
use crate::notice::{ClaimedNotice, Settlement};
use crate::store::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, MemoryStore, Outbox, Page, Query, Reach, Recalled, Scope, Sort,
    Store, StoreError, Summary,
};

/// More than any of these sequences makes.
const ALL: u32 = 10_000;

const AGENTS: [&str; 4] = ["asha", "ben", "cho", "dee"];
const CUSTOMERS: [&str; 3] = ["john@example.org", "jane@example.org", "jim@example.org"];
const CATEGORIES: [&str; 2] = ["late-delivery", "damaged-goods"];

/// Does `steps` random things to an empty store and to [`MemoryStore`], and expects the same results and the same
/// errors of both; at the end everything in them is compared. One `seed` always makes the same sequence.
///
/// Complaints are opened, opened again, changed from where they stand and from where they stood, two in one change, under
/// ceilings, limits and keys; agents are saved with any of their fields; notices are claimed and settled; lists, logs and counts are read.
///
/// # Panics
/// If they differ; the message tells the seed, the step and both answers.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use complaint_core::conformance::agrees_with_the_model;
/// # use complaint_core::store::MemoryStore as YourStore;
///
/// agrees_with_the_model(&YourStore::new(), 7, 40).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn agrees_with_the_model(store: &dyn Store, seed: u64, steps: u32) {
    let mut trial = Trial {
        store,
        model: MemoryStore::new(),
        chance: Chance(seed),
        rare: Chance(!seed),
        told: BTreeMap::new(),
        claimed: Vec::new(),
        now: 0,
        place: format!("seed {seed}"),
    };
    for step in 0..steps {
        trial.place = format!("seed {seed}, step {step}");
        trial.step().await;
    }
    trial.place = format!("seed {seed}, at the end");
    trial.compare_everything().await;
}

struct Trial<'a> {
    store: &'a dyn Store,
    model: MemoryStore,
    chance: Chance,
    /// For what is recorded of agents and for rarer steps: by itself, so that whatever else a seed finds stays as it is.
    rare: Chance,
    /// By number, each version that was committed.
    told: BTreeMap<u32, Vec<Story>>,
    claimed: Vec<ClaimedNotice>,
    now: i64,
    place: String,
}

impl Trial<'_> {
    async fn step(&mut self) {
        self.now += i64::from(self.chance.below(40));
        match self.chance.below(20) {
            0 | 1 => self.save().await,
            2..=5 => self.open().await,
            6..=13 => self.go_on().await,
            14 | 15 => self.join().await,
            16 => self.claim().await,
            17 => self.settle().await,
            18 => self.list().await,
            _ => self.look().await,
        }
    }

    async fn save(&mut self) {
        let mut agent = Agent::named(self.agent(), "Somebody").expect("a name");
        agent = self.more_of(agent).with_capacity(self.chance.below(20));
        let (ours, theirs) = (self.store.save(&agent).await, self.model.save(&agent).await);
        self.same("save", &ours, &theirs);
    }

    /// The agent with any of what can be recorded of one.
    fn more_of(&mut self, mut agent: Agent) -> Agent {
        let whole = whole_agent(agent.id.as_str());
        let mut some = || self.rare.one_in(2);
        if some() {
            agent.name = whole.name;
        }
        if some() {
            agent.level = whole.level;
        }
        if some() {
            agent.skills = whole.skills;
        }
        if some() {
            agent.areas = whole.areas;
        }
        if some() {
            agent.languages = whole.languages;
        }
        if some() {
            agent.conflicts = whole.conflicts;
        }
        Agent {
            enabled: some(),
            absence: whole.absence.filter(|_| some()),
            reports_to: whole.reports_to.filter(|_| some()),
            shift: whole.shift.filter(|_| some()),
            ..agent
        }
    }

    async fn open(&mut self) {
        let number = 1 + self.chance.below(12);
        let (story, change) = Story::open(&Opening {
            customer: CustomerId::new(self.chance.of(&CUSTOMERS)).expect("constant"),
            category: CategoryKey::new(self.chance.of(&CATEGORIES)).expect("constant"),
            weight: 1 + self.chance.below(4),
            against: self.chance.one_in(4).then(|| agent_id(self.agent())),
            subject: format!("Parcel {number} of {}", self.chance.of(&["Ümlaut", "中文", "Smith"])),
            due_at: self.chance.one_in(2).then(|| second(i64::from(self.chance.below(600)))),
            ..Opening::numbered(number)
        });
        let change = self.dressed(change, &story);
        if self.commit(&change).await {
            self.told.insert(number, vec![story]);
        }
        if self.told.contains_key(&number) {
            let twin = same_reference(number + 100, number);
            self.commit(&twin).await;
        }
    }

    async fn go_on(&mut self) {
        let Some((number, story, change)) = self.planned() else { return };
        let change = self.dressed(change, &story);
        if self.commit(&change).await {
            self.told.entry(number).or_default().push(story);
        }
    }

    async fn join(&mut self) {
        let (Some(first), Some(second)) = (self.planned(), self.planned()) else { return };
        if first.0 == second.0 {
            return;
        }
        let change = self.dressed(both(&first.2, &second.2), &first.1);
        if self.commit(&change).await {
            for (number, story, _) in [first, second] {
                self.told.entry(number).or_default().push(story);
            }
        }
    }

    /// What could come next of some complaint, from where it stands or, sometimes, stood.
    fn planned(&mut self) -> Option<(u32, Story, Change)> {
        let numbers: Vec<u32> = self.told.keys().copied().collect();
        let number = *numbers.get(self.chance.below(u32::try_from(numbers.len()).ok()?) as usize)?;
        let versions = &self.told[&number];
        let last = versions.len() - 1;
        let at = if self.chance.one_in(6) { self.chance.below(u32::try_from(last).ok()? + 1) as usize } else { last };
        let mut story = versions[at].clone();
        let agent = agent_id(self.agent());
        let ceiling = self.chance.one_in(2).then(|| self.chance.below(12));
        let change = match self.chance.below(14) {
            0 => story.note("Anything at all."),
            1 => story.acknowledge(),
            2..=4 => story.assign(&agent, ceiling),
            5 => match self.rare.below(3) {
                0 => story.ask(),
                1 => story.hold(),
                _ => story.begin(),
            },
            6 => story.triage(self.chance.of(&CATEGORIES), 1 + self.chance.below(5)),
            7 => story.release(),
            8 if story.state().level < Level::new(3).unwrap_or(Level::FIRST) => story.escalate(),
            9 => match self.rare.below(5) {
                0 => story.propose(),
                1 => story.dismiss(),
                2 => story.refer(),
                _ => story.resolve(),
            },
            10 if !story.state().resolutions.is_empty() => story.rate(1 + u8::try_from(self.chance.below(5)).ok()?),
            11 => story.close(),
            12 => story.withdraw(),
            _ => story.reinstate(),
        };
        Some((number, story, change))
    }

    /// The change, perhaps under a key, perhaps under a limit.
    fn dressed(&mut self, change: Change, story: &Story) -> Change {
        let change = match self.chance.below(5) {
            0 => within(change, &story.state().customer, self.chance.below(5)),
            1 => within(change, &CustomerId::new(self.chance.of(&CUSTOMERS)).expect("constant"), self.chance.below(5)),
            _ => change,
        };
        if !self.chance.one_in(5) {
            return change;
        }
        let (owner, key) = (self.chance.of(&["john", "jane"]), format!("k{}", self.chance.below(6)));
        let print = format!("print {}", self.chance.below(3));
        under_key(change, owner, &key, &print)
    }

    async fn commit(&mut self, change: &Change) -> bool {
        let (ours, theirs) = (self.store.commit(change).await, self.model.commit(change).await);
        self.same("commit", &ours, &theirs);
        theirs.is_ok()
    }

    /// All that may be claimed: in which order equally old ones come is left to a store.
    async fn claim(&mut self) {
        let (now, until) = (second(self.now), second(self.now + i64::from(self.chance.below(100))));
        let mut ours = self.store.claim(now, until, ALL).await;
        let mut theirs = self.model.claim(now, until, ALL).await;
        for claimed in [&mut ours, &mut theirs].into_iter().flatten() {
            claimed.sort_by_key(|claimed| claimed.notice.id);
        }
        self.same("claim", &ours, &theirs);
        self.claimed.extend(theirs.into_iter().flatten());
    }

    async fn settle(&mut self) {
        for _ in 0..3 {
            let Some(claimed) = self.claimed.get(self.chance.below(ALL) as usize % self.claimed.len().max(1)) else {
                return;
            };
            let settlement = match self.chance.below(4) {
                0 if self.now % 2 == 0 => {
                    Settlement::Held { until: second(self.now + self.now % 60), why: "It is quiet.".into() }
                }
                0 | 1 => Settlement::Delivered,
                2 => Settlement::Retry { at: second(self.now + i64::from(self.chance.below(60))), why: "Busy.".into() },
                _ => Settlement::Dead { why: "No such mailbox.".into() },
            };
            let ours = self.store.settle(claimed, settlement.clone(), second(self.now)).await;
            let theirs = self.model.settle(claimed, settlement, second(self.now)).await;
            self.same("settle", &ours, &theirs);
        }
        self.look_at_the_dead().await;
    }

    /// Draws nothing by chance, so that whatever else a seed finds stays as it is.
    async fn look_at_the_dead(&mut self) {
        let some = self.claimed.get(usize::try_from(self.now).unwrap_or_default() % self.claimed.len().max(1));
        let some = some.map(|claimed| claimed.notice.id);
        for below in [None, some] {
            for limit in [1, 3, ALL] {
                let (ours, theirs) = (self.store.dead(below, limit).await, self.model.dead(below, limit).await);
                self.same("dead", &ours, &theirs);
            }
        }
        if let Some(id) = some {
            let now = second(self.now);
            let (ours, theirs) = (self.store.revive(id, now).await, self.model.revive(id, now).await);
            self.same("revive", &ours, &theirs);
        }
    }

    async fn list(&mut self) {
        let mut query = Query {
            scope: self.scope(),
            statuses: (0..self.chance.below(3)).map(|_| self.chance.of(&Status::ALL)).collect(),
            category: self.chance.one_in(4).then(|| CategoryKey::new(self.chance.of(&CATEGORIES)).expect("constant")),
            handlers: (0..self.chance.below(8).saturating_sub(5)).map(|_| agent_id(self.agent())).collect(),
            customer: self.chance.one_in(5).then(|| CustomerId::new(self.chance.of(&CUSTOMERS)).expect("constant")),
            level: self.chance.one_in(6).then_some(Level::FIRST),
            received_from: self.chance.one_in(6).then(|| second(i64::from(self.chance.below(14)))),
            received_before: self.chance.one_in(6).then(|| second(i64::from(self.chance.below(14)))),
            promised_before: self.chance.one_in(6).then(|| second(i64::from(self.chance.below(600)))),
            missed: self.chance.one_in(8),
            text: self.chance.one_in(3).then(|| self.chance.of(&["parc", "ümlaut smith", "中", "p 1", "C"]).into()),
            sort: self.chance.of(&[Sort::Newest, Sort::Oldest, Sort::Deadline, Sort::Relevance]),
            limit: 1 + u16::try_from(self.chance.below(5)).unwrap_or(1),
            after: None,
        };
        loop {
            let ours: Result<Page, StoreError> = self.store.search(&query).await;
            let theirs = self.model.search(&query).await;
            self.same("search", &ours, &theirs);
            match theirs.expect("search").next {
                Some(next) => query.after = Some(next),
                None => return,
            }
        }
    }

    async fn look(&mut self) {
        let at: DateTime<Utc> = second(i64::from(self.chance.below(700)));
        let limit = self.chance.below(6);
        let (ours, theirs) = (self.store.due(at, limit).await, self.model.due(at, limit).await);
        self.same("due", &ours, &theirs);
        let scope = self.scope();
        let ours: Result<Summary, StoreError> = self.store.summary(&scope).await;
        self.same("summary", &ours, &self.model.summary(&scope).await);
        let key = IdempotencyKey::new(self.chance.of(&["john", "jane"]), format!("k{}", self.chance.below(6)));
        let key = key.expect("a key");
        let ours: Result<Option<Recalled>, StoreError> = self.store.recall(&key).await;
        self.same("recall", &ours, &self.model.recall(&key).await);
    }

    async fn compare_everything(&mut self) {
        let ours: Result<Vec<Member>, StoreError> = self.store.roster().await;
        self.same("roster", &ours, &self.model.roster().await);
        // The numbers that were never opened as well.
        for number in 1..=12 {
            let story = Story::open(&Opening::numbered(number)).0;
            let ours: Result<Option<Complaint>, StoreError> = self.store.load(story.id()).await;
            self.same("load", &ours, &self.model.load(story.id()).await);
            let reference = story.state().reference;
            let ours = self.store.by_reference(reference).await;
            self.same("by_reference", &ours, &self.model.by_reference(reference).await);
            let after = self.chance.below(4);
            let ours: Result<Vec<Entry>, StoreError> = self.store.log(story.id(), after, ALL).await;
            self.same("log", &ours, &self.model.log(story.id(), after, ALL).await);
            let limit = self.chance.below(4);
            let ours = self.store.log(story.id(), after, limit).await;
            self.same("log", &ours, &self.model.log(story.id(), after, limit).await);
        }
        let (ours, theirs) = (self.store.due(second(10_000), ALL).await, self.model.due(second(10_000), ALL).await);
        self.same("due", &ours, &theirs);
        let mut behind = None;
        loop {
            let (ours, theirs) = (self.store.waiting(behind, 3).await, self.model.waiting(behind, 3).await);
            self.same("waiting", &ours, &theirs);
            let Some(last) = theirs.expect("waiting").last().map(|notice| notice.id) else { break };
            behind = Some(last);
        }
        for _ in 0..8 {
            self.look().await;
            self.list().await;
        }
        self.now += 10_000;
        self.claim().await;
    }

    fn scope(&mut self) -> Scope {
        let level = |number| Level::new(number).unwrap_or(Level::FIRST);
        match self.chance.below(4) {
            0 => Scope::Customer(CustomerId::new(self.chance.of(&CUSTOMERS)).expect("constant")),
            1 | 2 => Scope::Agent {
                id: agent_id(self.agent()),
                reach: self.chance.of(&[Reach::Own, Reach::Queue(level(1)), Reach::UpTo(level(2)), Reach::Everything]),
            },
            _ => Scope::All,
        }
    }

    fn agent(&mut self) -> &'static str {
        self.chance.of(&AGENTS)
    }

    /// Errors have no equality, but say all they hold.
    fn same<T: Debug + PartialEq>(&self, what: &str, ours: &Result<T, StoreError>, model: &Result<T, StoreError>) {
        let is_same = match (ours, model) {
            (Ok(ours), Ok(model)) => ours == model,
            (Err(ours), Err(model)) => format!("{ours:?}") == format!("{model:?}"),
            _ => false,
        };
        assert!(is_same, "{}: {what} answers\n{ours:#?}\nand the model\n{model:#?}", self.place);
    }
}

/// `SplitMix64`: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to `most` without it; 0 if there is nothing below it.
    fn below(&mut self, most: u32) -> u32 {
        u32::try_from(self.next() % u64::from(most.max(1))).unwrap_or(0)
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let at = self.below(u32::try_from(choices.len()).unwrap_or(1));
        choices[at as usize].clone()
    }
}
