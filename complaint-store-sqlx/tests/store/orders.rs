//! Two people act on one complaint at once. Whatever the order in which their calls reach the store, it ends as if one
//! of them had come after the other. One person's request that comes twice at once is done once, and both are answered alike.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::agent::Member;
use complaint_core::complaint::{Entry, Submission};
use complaint_core::id::{AgentId, ComplaintId, Level, NoticeId};
use complaint_core::lifecycle::{Command, CommandName};
use complaint_core::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use complaint_core::policy::Category;
use complaint_core::reference::Reference;
use complaint_core::store::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, MemoryStore, Outbox, Page, Query, Recalled, Scope, Store,
    StoreError, Summary,
};
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Actor, Agent, Complaint, Desk, DeskError, Policy};
use complaint_store_sqlx::SqliteStore;
use serde_json::json;

/// Lets one call through for each permit.
#[derive(Default)]
struct Gate {
    permits: AtomicU32,
    waits: AtomicBool,
}

impl Gate {
    async fn pass(&self) {
        poll_fn(|_| {
            // Nobody is woken: whoever gives a permit polls again.
            let open =
                self.permits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            self.waits.store(!open, Ordering::SeqCst);
            if open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

struct Turns {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
}

#[async_trait]
impl ComplaintStore for Turns {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        self.gate.pass().await;
        self.store.load(id).await
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        self.gate.pass().await;
        self.store.by_reference(reference).await
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        self.gate.pass().await;
        self.store.commit(change).await
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.gate.pass().await;
        self.store.log(id, after, limit).await
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        self.gate.pass().await;
        self.store.search(query).await
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        self.gate.pass().await;
        self.store.due(at, limit).await
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        self.gate.pass().await;
        self.store.recall(key).await
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        self.gate.pass().await;
        self.store.summary(scope).await
    }
}

#[async_trait]
impl AgentStore for Turns {
    async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
        self.gate.pass().await;
        self.store.save(agent).await
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
        self.gate.pass().await;
        self.store.find(id).await
    }

    async fn roster(&self) -> Result<Vec<Member>, StoreError> {
        self.gate.pass().await;
        self.store.roster().await
    }
}

#[async_trait]
impl Outbox for Turns {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        self.gate.pass().await;
        self.store.claim(now, until, limit).await
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.gate.pass().await;
        self.store.settle(claimed, settlement, now).await
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        self.gate.pass().await;
        self.store.waiting(behind, limit).await
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        self.gate.pass().await;
        self.store.dead(below, limit).await
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.gate.pass().await;
        self.store.revive(id, now).await
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        self.gate.pass().await;
        self.store.bury(dead).await
    }
}

fn asha() -> Agent {
    Agent::named("asha", "Asha Rao").unwrap().skilled_in(["water supply"]).with_capacity(100_000)
}

fn sue() -> Agent {
    Agent::named("sue", "Sue Lee").unwrap().at_level(Level::new(2).unwrap()).with_capacity(100_000)
}

fn actor(who: &str) -> Actor {
    match who {
        "asha" => Actor::agent(&asha()),
        "sue" => Actor::agent(&sue()),
        customer => Actor::customer(customer).unwrap(),
    }
}

fn no_water() -> Submission {
    Complaint::about("Water supply", "No water", "Since Monday.").unwrap()
}

type Doing = Pin<Box<dyn Future<Output = Result<Complaint, DeskError>>>>;

/// Who does what.
type Deed = (&'static str, fn() -> Command);

fn resolve() -> Command {
    let resolution = json!({"outcome": "upheld", "explanation": "Valve 14 replaced.", "apology": "We are sorry."});
    Command::from_json(CommandName::Resolve, &resolution).unwrap()
}

const PAIRS: [[Deed; 2]; 10] = [
    [
        ("asha", || Command::with_text(CommandName::Ask, "Which tap?")),
        ("john", || Command::plain(CommandName::Withdraw)),
    ],
    [("asha", resolve), ("john", || Command::plain(CommandName::Withdraw))],
    [
        ("asha", || Command::with_reason(CommandName::Escalate, "Too big.")),
        ("john", || Command::plain(CommandName::Withdraw)),
    ],
    [("asha", resolve), ("asha", || Command::with_reason(CommandName::Escalate, "Too big."))],
    [
        ("asha", || Command::with_text(CommandName::Ask, "Which?")),
        ("asha", || Command::with_text(CommandName::Ask, "When?")),
    ],
    [("asha", resolve), ("john", || Command::with_text(CommandName::Post, "Still dry."))],
    [("asha", resolve), ("sue", || Command::with_reason(CommandName::Release, "Needed elsewhere."))],
    [
        ("asha", || Command::with_text(CommandName::Ask, "Which?")),
        ("sue", || Command::with_reason(CommandName::Release, "Needed.")),
    ],
    [
        ("john", || Command::plain(CommandName::Withdraw)),
        ("sue", || Command::with_reason(CommandName::Release, "Needed.")),
    ],
    [("asha", resolve), ("asha", resolve)],
];

/// What is no more possible once it is done, or no more seen by whoever did it.
const REPEATED: [Deed; 4] = [
    ("asha", resolve),
    ("asha", || Command::with_reason(CommandName::Escalate, "Too big.")),
    ("john", || Command::plain(CommandName::Withdraw)),
    ("john", || Command::with_text(CommandName::Post, "Still dry.")),
];

struct House {
    store: Arc<dyn Store>,
    clock: ManualClock,
    complaints: u32,
}

impl House {
    async fn over(store: Arc<dyn Store>) -> Self {
        let clock = ManualClock::at("2026-03-02T09:00:00Z".parse().unwrap());
        let house = Self { store, clock, complaints: 0 };
        for agent in [asha(), sue()] {
            house.desk(Arc::clone(&house.store), 0).enrol(agent).await.unwrap();
        }
        house
    }

    fn desk(&self, store: Arc<dyn Store>, ids: u64) -> Desk {
        let mut policy = Policy::standard().with_category(Category::named("Water supply").unwrap());
        policy.open_complaints_per_customer = 100_000;
        let ids = u64::from(self.complaints) * 4_000 + ids * 1_000;
        Desk::over(store, policy).with_clock(Arc::new(self.clock.clone())).with_ids(Arc::new(CountedIds::from(ids)))
    }

    /// Two deeds on a desk each, whose calls reach the store in the order of `turns`: how they ended and how often each called.
    async fn race(
        &self,
        turns: &[usize],
        deed: impl Fn(usize, Desk) -> Doing,
    ) -> ([Result<Complaint, DeskError>; 2], [usize; 2]) {
        let gates = [Arc::new(Gate::default()), Arc::new(Gate::default())];
        let mut deeds = [0, 1].map(|at| {
            let turns = Turns { store: Arc::clone(&self.store), gate: Arc::clone(&gates[at]) };
            deed(at, self.desk(Arc::new(turns), if at == 0 { 2 } else { 3 }))
        });
        let mut results = [None, None];
        let mut calls = [0, 0];
        // To the first call of each, then as the turns have it, then whoever is left.
        let left = (0..200).map(|at| at % 2);
        for (number, at) in [0, 1].into_iter().chain(turns.iter().copied()).chain(left).enumerate() {
            if results[at].is_some() {
                continue;
            }
            if number > 1 {
                gates[at].permits.fetch_add(1, Ordering::SeqCst);
                calls[at] += 1;
            }
            results[at] = poll_fn(|context| match deeds[at].as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if gates[at].waits.load(Ordering::SeqCst) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await;
        }
        (results.map(|result| result.expect("came to an end")), calls)
    }

    /// A new complaint in progress.
    async fn begun(&mut self) -> Complaint {
        self.complaints += 1;
        let desk = self.desk(Arc::clone(&self.store), 1);
        let john = desk.acting_as(actor("john"));
        let id = john.submit(no_water()).await.unwrap().id();
        desk.acting_as(actor("asha")).begin(id).await.unwrap()
    }

    /// One deed twice under one key, in the order of `turns`. Both get one answer, and it is done once.
    async fn repeat(&mut self, deed: &Deed, turns: &[usize]) -> [usize; 2] {
        let begun = self.begun().await;
        let (who, what) = *deed;
        let key = format!("form-{}", self.complaints);
        let (results, calls) = self
            .race(turns, |_, desk| {
                let acting = desk.acting_as(actor(who)).under_key(&key, "digest").unwrap();
                Box::pin(async move { acting.perform_seeing(begun.id, what(), Some(begun.version)).await })
            })
            .await;
        let [first, again] = results.map(|result| result.unwrap_or_else(|error| panic!("{turns:?}: {error:?}")));
        assert_eq!(first, again, "{turns:?}");
        let stored = self.store.load(begun.id).await.unwrap().unwrap();
        assert_eq!(stored.version, begun.version.next(), "{turns:?}");
        calls
    }

    /// A customer hands in the only complaint they may have open, twice under one key.
    async fn hand_in_twice(&mut self, turns: &[usize]) -> [usize; 2] {
        self.complaints += 1;
        let customer = format!("jane-{}", self.complaints);
        let (results, calls) = self
            .race(turns, |_, desk| {
                desk.adopt(Policy { open_complaints_per_customer: 1, version: 2, ..Policy::clone(&desk.policy()) })
                    .unwrap();
                let acting = desk.acting_as(actor(&customer)).under_key("form", "digest").unwrap();
                Box::pin(async move { Ok(acting.submit(no_water()).await?.complaint().clone()) })
            })
            .await;
        let [first, again] = results.map(|result| result.unwrap_or_else(|error| panic!("{turns:?}: {error:?}")));
        assert_eq!(first, again, "{turns:?}");
        calls
    }

    /// One complaint in progress, both deeds in the order of `turns`, and how it ended; beside it how often each called.
    async fn play(&mut self, pair: &[Deed; 2], turns: &[usize]) -> (String, [usize; 2]) {
        let id = self.begun().await.id;
        let (results, calls) = self
            .race(turns, |at, desk| {
                let (who, what) = pair[at];
                let acting = desk.acting_as(actor(who));
                Box::pin(async move { acting.perform(id, what()).await })
            })
            .await;
        let told = results.map(|result| match result {
            Ok(_) => "done".to_owned(),
            Err(DeskError::Refused(refusal)) => refusal.code().to_owned(),
            Err(DeskError::Store(trouble)) => panic!("{trouble:?}"),
            // Who lost the complaint meanwhile may not even see it any more.
            Err(other) => other.to_string(),
        });
        let desk = self.desk(Arc::clone(&self.store), 1);
        let log = desk.whole_log(id).await.unwrap();
        assert!(desk.replays(id).await.unwrap());
        let event =
            |entry: &Entry| format!("{:?} {:?} {:?}", std::mem::discriminant(&entry.event), entry.by, entry.place);
        let events: Vec<String> = log.iter().map(event).collect();
        (format!("{told:?} {events:#?}"), calls)
    }
}

/// Every order of so many turns of the one and so many of the other.
fn orders(many: [usize; 2]) -> Vec<Vec<usize>> {
    let [first, second] = many;
    if first == 0 || second == 0 {
        return vec![[vec![0; first], vec![1; second]].concat()];
    }
    let behind = |at: usize, rest: [usize; 2]| {
        orders(rest).into_iter().map(move |order| [vec![at], order].concat()).collect::<Vec<_>>()
    };
    [behind(0, [first - 1, second]), behind(1, [first, second - 1])].concat()
}

async fn every_order_ends_as_one_after_the_other(store: Arc<dyn Store>, most: usize) {
    let mut house = House::over(store).await;
    let mut different = 0;
    for (number, pair) in PAIRS.iter().enumerate() {
        let (forth, calls) = house.play(pair, &[0; 100]).await;
        let (back, others) = house.play(pair, &[1; 100]).await;
        different += usize::from(forth != back);
        let serial = BTreeSet::from([forth, back]);
        let all = orders([calls[0].max(others[0]), calls[1].max(others[1])]);
        // All of them, or every so many-th.
        for order in all.iter().step_by(all.len().div_ceil(most)) {
            let (ended, _) = house.play(pair, order).await;
            assert!(
                serial.contains(&ended),
                "pair {number} in the order {order:?} ends as neither:\n{ended}\n{serial:#?}"
            );
        }
    }
    assert!(different > 5, "the order hardly ever matters");
}

async fn what_comes_twice_at_once_is_answered_alike(store: Arc<dyn Store>, most: usize) {
    let mut house = House::over(store).await;
    for deed in &REPEATED {
        let calls = house.repeat(deed, &[0; 100]).await;
        // Whoever comes second may call as often as whoever comes first, and once more for the first answer.
        let all = orders([calls[0], calls[0] + 2]);
        for order in all.iter().step_by(all.len().div_ceil(most)) {
            house.repeat(deed, order).await;
        }
    }
    let calls = house.hand_in_twice(&[0; 100]).await;
    let all = orders([calls[0], calls[0] + 2]);
    for order in all.iter().step_by(all.len().div_ceil(most)) {
        house.hand_in_twice(order).await;
    }
}

#[tokio::test]
async fn in_memory() {
    every_order_ends_as_one_after_the_other(Arc::new(MemoryStore::new()), 1_000).await;
    what_comes_twice_at_once_is_answered_alike(Arc::new(MemoryStore::new()), 1_000).await;
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    every_order_ends_as_one_after_the_other(Arc::new(store.clone()), 40).await;
    store.close().await;
    let url = format!("sqlite:{}", folder.path().join("repeated.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    what_comes_twice_at_once_is_answered_alike(Arc::new(store), 40).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn on_postgresql() {
    let Some(store) = crate::cluster::fresh().await else { return };
    every_order_ends_as_one_after_the_other(Arc::from(store as Box<dyn Store>), 40).await;
    let Some(store) = crate::cluster::fresh().await else { return };
    what_comes_twice_at_once_is_answered_alike(Arc::from(store as Box<dyn Store>), 40).await;
}
