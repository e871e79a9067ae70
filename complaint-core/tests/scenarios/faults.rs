//! John's story with each call of store and notifier failing once: whoever repeats gets through, and nothing is half done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use complaint_core::complaint::Remedy;
use complaint_core::id::{ComplaintId, NoticeId};
use complaint_core::lifecycle::{Command, CommandName, Status};
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use complaint_core::store::{MemoryStore, Store, StoreError};
use complaint_core::testing::{
    CountedIds, Fault, Faults, FaultyNotifier, FaultyStore, KeptNotices, ManualClock, Method, audit, event_name,
    samples, take_notices,
};
use complaint_core::{Actor, Complaint, Desk, DeskError, Notifier, NotifyError, Rating, Resolution};

/// More tries than faults can follow each other here.
const TRIES: u32 = 4;

/// The desk of the story, with the same store seen from behind, where nothing fails.
struct House {
    desk: Desk,
    sound: Desk,
    clock: ManualClock,
    delivered: KeptNotices,
    /// How often somebody had to repeat.
    repeated: u32,
}

impl House {
    async fn new(faults: &Faults) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let clock = ManualClock::at(samples::monday());
        let delivered = KeptNotices::new();
        let over = |store: Arc<dyn Store>| {
            Desk::over(store, samples::policy())
                .with_clock(Arc::new(clock.clone()))
                .with_ids(Arc::new(CountedIds::default()))
        };
        let sound = over(Arc::clone(&store));
        for agent in samples::staff() {
            sound.enrol(agent).await.expect("enrolled");
        }
        let desk =
            over(Arc::new(FaultyStore::over(store, faults))).notifying(FaultyNotifier::over(delivered.clone(), faults));
        Self { desk, sound, clock, delivered, repeated: 0 }
    }

    /// Does one thing under its own key, again and again until it is done.
    async fn insist<T, F: Future<Output = Result<T, DeskError>>>(&mut self, what: impl Fn() -> F) -> T {
        for _ in 0..TRIES {
            match what().await {
                Ok(done) => return done,
                Err(DeskError::Store(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_))) => self.repeated += 1,
                Err(error) => panic!("a repetition does not get through: {error:?}"),
            }
        }
        panic!("{TRIES} tries were not enough");
    }

    async fn told(&mut self) {
        let desk = self.desk.clone();
        self.insist(|| async { desk.sweep().await }).await;
    }

    /// From submission to feedback; a sweep between each two steps.
    async fn story(&mut self) -> ComplaintId {
        let john = self.desk.acting_as(Actor::customer("john").expect("a key"));
        let sarah = self.desk.acting_as(Actor::agent(&samples::sarah()));
        let key = |name: &str| (format!("key-{name}"), format!("print-{name}"));
        let submitted = self
            .insist(|| async {
                let (key, print) = key("submit");
                john.clone().under_key(&key, print)?.submit(samples::broken_kettle()).await
            })
            .await;
        let id = submitted.id();
        self.told().await;
        let replacement = Remedy::replacement().with_instructions("Keep the old one.");
        let resolved = Resolution::upheld("It left us broken.").apologising().with(replacement);
        let evidence = serde_json::json!({"evidence": "Parcel 17"});
        let fulfil = Command::from_json(CommandName::FulfilRemedy, &evidence).expect("a command");
        let steps: [(&str, bool, Step); 7] = [
            ("begin", true, Step::give(Command::plain(CommandName::Begin))),
            ("ask", true, Step::give(Command::with_text(CommandName::Ask, "Which colour?"))),
            ("answer", false, Step::give(Command::with_text(CommandName::Answer, "Red."))),
            ("resolve", true, Step::Resolve(resolved)),
            ("accept", false, Step::give(Command::plain(CommandName::Accept))),
            ("fulfil", true, Step::give(fulfil)),
            ("rate", false, Step::Rate),
        ];
        for (name, by_sarah, step) in steps {
            let acting = if by_sarah { &sarah } else { &john };
            self.insist(|| async {
                let (key, print) = key(name);
                let acting = acting.clone().under_key(&key, print)?;
                match &step {
                    Step::Give(command) => acting.perform(id, (**command).clone()).await,
                    Step::Resolve(resolution) => acting.resolve(id, resolution.clone()).await,
                    Step::Rate => acting.rate(id, Rating::FIVE, "Quick and kind.").await,
                }
            })
            .await;
            self.told().await;
        }
        // Leases of couriers who broke off lapse, and tries that were put off come round.
        for _ in 0..TRIES {
            self.clock.advance(TimeDelta::hours(1));
            self.told().await;
        }
        id
    }

    async fn ending(&self, id: ComplaintId) -> Ending {
        audit(&self.sound).await.expect("the books balance");
        let store = self.sound.store();
        let log = self.sound.whole_log(id).await.expect("a log");
        let left = take_notices(store, self.sound.now() + TimeDelta::days(30)).await.expect("an outbox");
        assert_eq!(left, [], "a notice was never settled");
        let delivered = self.delivered.all();
        let mut by_id: BTreeMap<NoticeId, (Recipient, NoticeKind)> = BTreeMap::new();
        for notice in &delivered {
            let told = (notice.recipient.clone(), notice.kind);
            let before = by_id.insert(notice.id, told.clone());
            assert!(before.is_none_or(|before| before == told), "a repetition says something else");
        }
        let summary = store.summary(&complaint_core::store::Scope::All).await.expect("a summary");
        let workloads = store.roster().await.expect("a roster").into_iter().map(|member| member.workload).collect();
        Ending {
            complaint: store.load(id).await.expect("a load").expect("it is there"),
            events: log.iter().map(|entry| event_name(&entry.event)).collect(),
            notices: by_id.into_values().map(|told| format!("{told:?}")).collect(),
            duplicates: delivered.len() - delivered.iter().map(|notice| notice.id).collect::<BTreeSet<_>>().len(),
            total: summary.total(),
            workloads,
        }
    }
}

enum Step {
    Give(Box<Command>),
    Resolve(Resolution),
    Rate,
}

impl Step {
    fn give(command: Command) -> Self {
        Self::Give(Box::new(command))
    }
}

#[derive(Debug)]
struct Ending {
    complaint: Complaint,
    events: Vec<String>,
    notices: Vec<String>,
    duplicates: usize,
    total: u64,
    workloads: Vec<u32>,
}

#[tokio::test]
async fn whichever_call_fails_a_repetition_gets_through_and_all_agrees() {
    let faultless = Faults::none();
    let mut house = House::new(&faultless).await;
    let id = house.story().await;
    let mut expected = house.ending(id).await;
    assert_eq!((expected.complaint.status, expected.duplicates), (Status::Closed, 0));
    expected.notices.sort();
    let calls = faultless.calls();
    let (mut stories, mut repeated, mut duplicates) = (0, 0, 0);
    for nth in 1..=calls {
        for fault in [Fault::Unavailable, Fault::AnswerLost, Fault::Twice] {
            let faults = Faults::none();
            faults.once_of_all(nth, fault);
            let mut house = House::new(&faults).await;
            let id = house.story().await;
            let mut ending = house.ending(id).await;
            ending.notices.sort();
            let at = format!("call {nth} of {calls}: {fault:?}");
            assert_eq!(faults.struck(), 1, "{at} did not happen");
            assert_eq!(ending.events, expected.events, "{at}");
            assert_eq!(ending.notices, expected.notices, "{at}");
            assert_eq!(ending.total, 1, "{at}: another complaint came of it");
            assert_eq!(ending.workloads, expected.workloads, "{at}");
            assert_eq!(ending.complaint.version, expected.complaint.version, "{at}");
            stories += 1;
            repeated += house.repeated;
            duplicates += ending.duplicates;
        }
    }
    println!(
        "{stories} stories with one of {calls} calls failing: {repeated} repetitions, {duplicates} notices told twice"
    );
    assert!(stories > 100 && repeated > 0 && duplicates > 0, "the faults were not felt");
}

#[tokio::test]
async fn while_nothing_can_be_committed_nothing_happens_and_then_all_goes_on() {
    let faults = Faults::none();
    let house = House::new(&faults).await;
    let john = house.desk.acting_as(Actor::customer("john").expect("a key"));
    let sarah = house.desk.acting_as(Actor::agent(&samples::sarah()));
    let id = john.submit(samples::broken_kettle()).await.expect("submitted").id();
    let before = house.sound.store().load(id).await.expect("a load");
    faults.from_then_on(Method::Commit, 2, Fault::Broken);
    for _ in 0..3 {
        let failed = sarah.begin(id).await.expect_err("nothing can be committed");
        assert!(matches!(failed, DeskError::Store(StoreError::Unusable(_))), "{failed:?}");
    }
    assert_eq!(house.sound.store().load(id).await.expect("a load"), before);
    assert_eq!(faults.struck(), 3);
    faults.mend();
    assert_eq!(sarah.begin(id).await.expect("begun").status, Status::InProgress);
    audit(&house.sound).await.expect("the books balance");
}

#[tokio::test]
async fn a_notice_that_nobody_takes_is_given_up_and_holds_up_no_other() {
    let faults = Faults::none();
    let house = House::new(&faults).await;
    faults.once(Method::Deliver, 1, Fault::Broken);
    faults.once(Method::Deliver, 2, Fault::Unavailable);
    house
        .desk
        .acting_as(Actor::customer("john").expect("a key"))
        .submit(samples::broken_kettle())
        .await
        .expect("taken");
    let first = house.desk.deliver().await.expect("delivers");
    assert_eq!((first.delivered, first.postponed, first.dead), (1, 1, 1));
    house.clock.advance(TimeDelta::minutes(1));
    let second = house.desk.deliver().await.expect("delivers");
    assert_eq!((second.delivered, second.postponed, second.dead), (1, 0, 0));
    assert_eq!(house.delivered.all().len(), 2);
}

/// Lets the others go on until a call is held up.
async fn delayed(faults: &Faults) {
    while faults.held() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_commit_that_is_held_up_sees_what_happened_meanwhile() {
    let faults = Faults::none();
    faults.once(Method::Commit, 1, Fault::Delayed);
    let house = House::new(&faults).await;
    let id = house
        .sound
        .acting_as(Actor::customer("john").expect("a key"))
        .submit(samples::broken_kettle())
        .await
        .expect("submitted")
        .id();
    let slow = house.desk.acting_as(Actor::agent(&samples::sarah()));
    let note = Command::with_text(CommandName::Note, "Third lid this week.");
    let noting = tokio::spawn(async move { slow.perform(id, note).await });
    delayed(&faults).await;
    house.sound.acting_as(Actor::agent(&samples::sarah())).begin(id).await.expect("faster");
    faults.release();
    let noted = noting.await.expect("it ends").expect("planned anew on what is there now");
    assert_eq!((noted.status, noted.version.get()), (Status::InProgress, 3));
    assert_eq!(faults.calls_of(Method::Commit), 2, "the first commit lost, the second won");
}

#[tokio::test]
async fn a_letter_that_is_held_up_beyond_its_lease_goes_out_twice_under_one_id_and_those_behind_it_once() {
    let faults = Faults::none();
    faults.once(Method::Deliver, 1, Fault::Delayed);
    let house = House::new(&faults).await;
    let john = house.sound.acting_as(Actor::customer("john").expect("a key"));
    john.submit(samples::broken_kettle()).await.expect("submitted");
    let slow = house.desk.clone();
    let delivering = tokio::spawn(async move { slow.deliver().await });
    delayed(&faults).await;
    let to_john = house.sound.store().waiting(None, 100).await.expect("an outbox");
    assert!(to_john.len() > 1, "there is one behind it: {to_john:?}");
    assert!(to_john.iter().all(|notice| matches!(notice.recipient, Recipient::Customer(_))), "Sarah has hers");
    let other = house.sound.clone().notifying(house.delivered.clone());
    assert_eq!(other.deliver().await.expect("nothing free").delivered, 0, "held while its lease lasts");
    house.clock.advance(TimeDelta::hours(1));
    assert_eq!(other.deliver().await.expect("delivers").delivered as usize, to_john.len());
    assert_eq!(house.sound.store().waiting(None, 100).await.expect("an outbox"), []);
    faults.release();
    delivering.await.expect("it ends").expect("goes on");
    let delivered = house.delivered.all();
    let ids: BTreeSet<NoticeId> = delivered.iter().map(|notice| notice.id).collect();
    assert_eq!(delivered.len(), ids.len() + 1, "what was begun is ended, and nothing else begun");
    house.clock.advance(TimeDelta::hours(1));
    assert_eq!(other.deliver().await.expect("delivers").delivered, 0, "settled for good");
}

/// Takes its time, and sees who else is served meanwhile.
#[derive(Clone, Default)]
struct Slow {
    served: Arc<Mutex<BTreeSet<Recipient>>>,
    most: Arc<Mutex<usize>>,
    ids: Arc<Mutex<Vec<(Recipient, NoticeId)>>>,
}

#[async_trait]
impl Notifier for Slow {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let at_once = {
            let mut served = self.served.lock().expect("unpoisoned");
            assert!(served.insert(notice.recipient.clone()), "one after the other: {:?}", notice.recipient);
            served.len()
        };
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.served.lock().expect("unpoisoned").remove(&notice.recipient);
        let mut most = self.most.lock().expect("unpoisoned");
        *most = at_once.max(*most);
        self.ids.lock().expect("unpoisoned").push((notice.recipient.clone(), notice.id));
        Ok(())
    }
}

#[tokio::test]
async fn four_recipients_are_served_at_once_and_each_gets_theirs_in_order() {
    let house = House::new(&Faults::none()).await;
    for number in 0..12 {
        let customer = Actor::customer(format!("john{number}")).expect("a key");
        house.sound.acting_as(customer).submit(samples::broken_kettle()).await.expect("submitted");
    }
    let planned = house.sound.store().waiting(None, 1000).await.expect("an outbox").len();
    let slow = Slow::default();
    let done = house.sound.clone().notifying(slow.clone()).deliver().await.expect("delivers");
    assert_eq!((done.delivered as usize, *slow.most.lock().expect("unpoisoned")), (planned, 4));
    let mut told: BTreeMap<Recipient, Vec<NoticeId>> = BTreeMap::new();
    for (recipient, id) in slow.ids.lock().expect("unpoisoned").drain(..) {
        told.entry(recipient).or_default().push(id);
    }
    // Ids are counted up as notices are planned.
    assert!(told.values().all(|ids| ids.is_sorted()), "{told:?}");
}

/// A house in which many customers wait for letters.
async fn crowded(faults: &Faults, customers: u32) -> (House, usize) {
    let house = House::new(faults).await;
    for number in 0..customers {
        let customer = Actor::customer(format!("john{number}")).expect("a key");
        house.sound.acting_as(customer).submit(samples::broken_kettle()).await.expect("submitted");
    }
    let planned = waiting(&house).await;
    (house, planned)
}

async fn waiting(house: &House) -> usize {
    house.sound.store().waiting(None, 10_000).await.expect("an outbox").len()
}

/// Lets the others go on until nothing changes any more.
async fn quiet(mut look: impl AsyncFnMut() -> usize) {
    let (mut last, mut since) = (usize::MAX, 0);
    while since < 1000 {
        tokio::task::yield_now().await;
        let now = look().await;
        since = if now == last { since + 1 } else { 0 };
        last = now;
    }
}

#[tokio::test]
async fn no_more_than_32_are_delivered_ahead_of_a_store_that_takes_long_to_settle() {
    let faults = Faults::none();
    faults.from_then_on(Method::Settle, 1, Fault::Delayed);
    let (house, planned) = crowded(&faults, 200).await;
    let desk = house.desk.clone();
    let delivering = tokio::spawn(async move { desk.deliver().await });
    quiet(async || house.delivered.all().len()).await;
    assert_eq!((house.delivered.all().len(), waiting(&house).await), (32, planned));
    // The courier is killed: what it had begun goes out again under the same ids, and what it had claimed after its lease.
    delivering.abort();
    assert!(delivering.await.expect_err("aborted").is_cancelled());
    faults.mend();
    let other = house.sound.clone().notifying(house.delivered.clone());
    let free = other.deliver().await.expect("delivers").delivered as usize;
    assert!(free < planned && free + 32 + 128 >= planned, "{free} of {planned} were not claimed");
    house.clock.advance(TimeDelta::minutes(30));
    assert_eq!(other.deliver().await.expect("delivers").delivered as usize, planned - free);
    let ids: BTreeSet<NoticeId> = house.delivered.all().iter().map(|notice| notice.id).collect();
    assert_eq!((house.delivered.all().len(), ids.len()), (planned + 32, planned));
}

#[tokio::test]
async fn who_takes_long_holds_up_no_claim_of_those_behind() {
    let faults = Faults::none();
    faults.once(Method::Deliver, 1, Fault::Delayed);
    let (house, planned) = crowded(&faults, 200).await;
    let desk = house.desk.clone();
    let delivering = tokio::spawn(async move { desk.deliver().await });
    delayed(&faults).await;
    quiet(async || house.delivered.all().len()).await;
    let held_up = house.sound.store().waiting(None, 10_000).await.expect("an outbox");
    assert!(held_up.iter().all(|notice| notice.recipient == held_up[0].recipient), "{held_up:?}");
    faults.release();
    assert_eq!(delivering.await.expect("it ends").expect("delivers").delivered as usize, planned);
}

/// The first whom it serves waits until an hour has passed; the second lets it pass.
#[derive(Clone)]
struct HourLong {
    clock: ManualClock,
    calls: Arc<Mutex<usize>>,
    kept: KeptNotices,
}

#[async_trait]
impl Notifier for HourLong {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let call = {
            let mut calls = self.calls.lock().expect("unpoisoned");
            *calls += 1;
            *calls
        };
        if call == 1 {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
        } else if call == 2 {
            self.clock.advance(TimeDelta::hours(1));
        }
        self.kept.deliver(notice).await
    }
}

#[tokio::test]
async fn a_courier_claims_nothing_that_is_in_its_own_hands() {
    let (house, planned) = crowded(&Faults::none(), 100).await;
    let notifier = HourLong { clock: house.clock.clone(), calls: Arc::default(), kept: house.delivered.clone() };
    let done = house.sound.clone().notifying(notifier).deliver().await.expect("delivers");
    let ids: BTreeSet<NoticeId> = house.delivered.all().iter().map(|notice| notice.id).collect();
    assert_eq!((done.delivered as usize, house.delivered.all().len(), ids.len()), (planned, planned, planned));
}
