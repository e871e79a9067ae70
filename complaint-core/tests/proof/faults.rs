//! Faults that other systems are known for, each by name, so that none of them comes here unseen.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use complaint_core::clock::IdSource;
use complaint_core::complaint::{Event, Submission};
use complaint_core::deadline::{Calendar, CalendarSpec, ClockKind as K, due_commands};
use complaint_core::id::ComplaintId;
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status};
use complaint_core::store::{AgentStore, MemoryStore, OpenLimit, StoreError};
use complaint_core::testing::{CountedIds, KeptNotices};
use complaint_core::{Actor, Agent, Complaint, Desk, DeskError, Policy, Resolution};

use crate::house::{
    House, World, admin, agent, agent_id, customer, decision, file, input, level, names, policy, submission,
};
use crate::orders::{Deed, Orders};

fn due(complaint: &Complaint, clock: K) -> Option<DateTime<Utc>> {
    complaint.deadline(clock).and_then(|deadline| deadline.due_at)
}

#[test]
fn a_message_or_an_edit_does_not_restart_the_contest_window() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let window = due(&resolved, K::ContestWindow).unwrap();
    assert_eq!(window, world.now + TimeDelta::days(30));
    let mut complaint = resolved;
    for (name, by) in [(C::Post, customer("john")), (C::Post, agent("sarah")), (C::Note, agent("sarah"))] {
        world.later(TimeDelta::days(3));
        complaint = world.text(&complaint, &by, name);
        assert_eq!(due(&complaint, K::ContestWindow), Some(window), "{name} moved it");
    }
    complaint = world.act(&complaint, &customer("john"), &input(C::Rate, Input { score: Some(2), ..Input::default() }));
    complaint = world.plain(&complaint, &customer("john"), C::Accept);
    assert_eq!((complaint.status, due(&complaint, K::ContestWindow)), (Status::Closed, Some(window)));
    let contest = Command::with_reason(C::Contest, "It broke again.");
    world.now = window;
    assert!(world.decide(&complaint, &customer("john"), &contest, None).is_ok(), "the last instant counts");
    world.now = window + TimeDelta::microseconds(1);
    let refusal = world.decide(&complaint, &customer("john"), &contest, None).unwrap_err();
    assert_eq!(refusal.code(), "contest_window_over");
    assert!(world.decide(&complaint, &customer("john"), &Command::plain(C::FollowUp), None).is_ok());
}

#[test]
fn a_message_or_an_edit_does_not_restart_the_escalation_clock() {
    let mut world = World::new(policy());
    let mut complaint = world.begun("sarah");
    let promised = due(&complaint, K::Level);
    let weigh = input(C::Triage, Input { weight: Some(4), ..Input::default() });
    complaint = world.act(&complaint, &agent("sarah"), &weigh);
    for (name, by) in [(C::Post, customer("john")), (C::Post, agent("sarah")), (C::Note, agent("mia"))] {
        world.later(TimeDelta::hours(20));
        complaint = world.text(&complaint, &by, name);
        assert_eq!(due(&complaint, K::Level), promised, "{name} moved it");
    }
    let reassign = Input { agent: Some(agent_id("ben")), reason: Some("Holiday.".into()), ..Input::default() };
    complaint = world.act(&complaint, &agent("mia"), &input(C::Reassign, reassign));
    assert_eq!(due(&complaint, K::Level), promised, "another handler of the same level moved it");
}

#[test]
fn auto_close_counts_from_the_decision() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let end = due(&resolved, K::AutoClose).unwrap();
    assert_eq!(end, world.now + TimeDelta::days(14));
    world.later(TimeDelta::days(13));
    let noted = world.text(&resolved, &agent("sarah"), C::Note);
    let posted = world.text(&noted, &agent("sarah"), C::Post);
    assert_eq!(due(&posted, K::AutoClose), Some(end));
    world.now = end;
    assert_eq!(world.tick(posted).status, Status::Closed);
}

#[test]
fn files_reminders_and_readings_restart_no_window_and_no_clock() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let promised = [K::Level, K::Resolution, K::Statutory].map(|clock| due(&begun, clock));
    let mut complaint = world.text(&begun, &agent("sarah"), C::Post);
    for (number, by) in [customer("john"), agent("sarah"), agent("mia")].into_iter().enumerate() {
        world.later(TimeDelta::hours(9));
        complaint = world.act(&complaint, &by, &Command::attach(vec![file(number as u128 + 1)]));
    }
    complaint = world.text(&complaint, &customer("john"), C::Post);
    complaint = world.plain(&complaint, &agent("sarah"), C::Read);
    world.now = complaint.deadline(K::Level).unwrap().warn_at.unwrap()[0];
    complaint = world.tick(complaint);
    assert!(world.log.iter().any(|entry| matches!(entry.event, Event::Warned { clock: K::Level, .. })));
    assert_eq!([K::Level, K::Resolution, K::Statutory].map(|clock| due(&complaint, clock)), promised);

    let resolved = world.resolved(&complaint, Vec::new());
    let windows = [K::AutoClose, K::ContestWindow].map(|clock| due(&resolved, clock));
    let mut complaint = resolved;
    for number in 7..10 {
        world.later(TimeDelta::days(2));
        complaint = world.act(&complaint, &agent("sarah"), &Command::attach(vec![file(number)]));
        complaint = world.text(&complaint, &agent("mia"), C::Note);
    }
    world.now = complaint.deadline(K::AutoClose).unwrap().warn_at.unwrap()[0];
    complaint = world.tick(complaint);
    assert_eq!([K::AutoClose, K::ContestWindow].map(|clock| due(&complaint, clock)), windows);
}

#[test]
fn rebasing_on_the_same_promise_restarts_no_clock() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.later(TimeDelta::days(3));
    world.policy.version = 2;
    let rebased = world.reason(&begun, &admin(), C::Rebase);
    for clock in [K::FirstResponse, K::Resolution, K::Level, K::Statutory] {
        assert_eq!(due(&rebased, clock), due(&begun, clock), "{clock:?}");
        assert_eq!(rebased.deadline(clock).unwrap().started_at, begun.deadline(clock).unwrap().started_at);
    }
    let resolved = world.resolved(&rebased, Vec::new());
    let windows = [K::AutoClose, K::ContestWindow].map(|clock| due(&resolved, clock));
    world.later(TimeDelta::days(3));
    let again = world.reason(&resolved, &admin(), C::Rebase);
    assert_eq!([K::AutoClose, K::ContestWindow].map(|clock| due(&again, clock)), windows);
}

#[test]
fn a_holiday_declared_later_never_makes_what_runs_end_earlier() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let closed = with_holidays(&[day("2026-11-24"), day("2026-11-28"), day("2026-12-08")]);
    world.policy.calendars.insert("office".into(), closed);
    world.policy.version = 2;
    let rebased = world.reason(&begun, &admin(), C::Rebase);
    for clock in [K::FirstResponse, K::Resolution, K::Level, K::Statutory] {
        assert!(due(&rebased, clock) >= due(&begun, clock), "{clock:?}");
    }
    assert!(due(&rebased, K::Level) > due(&begun, K::Level));
    assert_eq!(due(&rebased, K::Statutory), due(&begun, K::Statutory));
}

pub(crate) fn with_holidays(days: &[NaiveDate]) -> Calendar {
    let mut spec: serde_json::Value = serde_json::to_value(&policy().calendars["office"]).unwrap();
    let days: Vec<String> = days.iter().map(ToString::to_string).collect();
    spec["holidays"] = serde_json::json!(days);
    let spec: CalendarSpec = serde_json::from_value(spec).unwrap();
    Calendar::try_from(spec).unwrap()
}

#[test]
fn excluded_days_never_make_an_escalation_earlier() {
    let first: NaiveDate = "2026-11-23".parse().unwrap();
    let plain = World::new(policy()).submitted();
    let mut holidays = Vec::new();
    let mut before = plain;
    // One closed day more each time, working days and weekends alike.
    for offset in 0..20 {
        holidays.push(first + TimeDelta::days(offset));
        let mut policy = policy();
        policy.calendars.insert("office".into(), with_holidays(&holidays));
        let complaint = World::new(policy).submitted();
        for clock in [K::Acknowledgement, K::FirstResponse, K::Resolution, K::Level] {
            let (was, is) = (due(&before, clock).unwrap(), due(&complaint, clock).unwrap());
            assert!(was <= is, "{clock:?}: {} closed days, {was} became {is}", holidays.len());
        }
        assert_eq!(due(&before, K::Statutory), due(&complaint, K::Statutory));
        before = complaint;
    }
    assert!(due(&before, K::Level).unwrap() > "2026-12-14T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
}

#[test]
fn no_rule_fires_at_every_run() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    world.later(TimeDelta::days(3650));
    let mut complaint = world.tick(begun);
    let length = world.log.len();
    for _ in 0..10 {
        assert_eq!(due_commands(&complaint, &world.policy, world.now), []);
        complaint = world.tick(complaint);
        world.later(TimeDelta::days(365));
    }
    assert_eq!(world.log.len(), length, "{:?}", names(&world.log[length..]));
}

async fn many(house: &House, count: usize) -> Vec<ComplaintId> {
    let mut ids = Vec::new();
    for number in 0..count {
        let mut john: Submission = submission();
        john.subject = format!("Kettle {number}");
        let acting = house.as_actor(customer(&format!("john{number}")));
        ids.push(acting.submit(john).await.unwrap().id());
    }
    ids
}

#[tokio::test]
async fn due_work_past_the_first_hundred_is_not_starved() {
    let house = House::new(policy()).await;
    let ids = many(&house, 230).await;
    house.clock.advance(TimeDelta::days(3));
    let swept = house.desk.sweep().await.unwrap();
    assert_eq!(swept.escalated, 230);
    assert!(swept.clocked >= swept.escalated, "{swept:?}");
    for id in ids {
        assert_eq!(house.state(id).await.level, level(2), "{id} was left behind");
    }
    house.workloads_add_up().await;
    assert_eq!(house.desk.sweep().await.unwrap().escalated, 0);
}

/// A store in which some complaints are due for ever, and one can never be changed; it can be down for whoever writes, give
/// complaints that are not as their log says, and keeps what it was asked.
#[derive(Debug, Default)]
struct Clogged {
    store: Arc<complaint_core::store::MemoryStore>,
    stuck: Option<ComplaintId>,
    down: bool,
    bent: bool,
    commits: AtomicUsize,
    claims: AtomicUsize,
    queries: std::sync::Mutex<Vec<complaint_core::store::Query>>,
}

impl Clogged {
    fn desk(self, clock: complaint_core::testing::ManualClock) -> (Desk, Arc<Self>) {
        let store = Arc::new(self);
        let desk = Desk::over(store.clone(), policy()).with_clock(Arc::new(clock));
        (desk.with_ids(Arc::new(CountedIds::from(1_000_000))), store)
    }
}

mod clogged {
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use complaint_core::Agent;
    use complaint_core::agent::Member;
    use complaint_core::complaint::{Complaint, Entry};
    use complaint_core::id::{AgentId, ComplaintId, NoticeId};
    use complaint_core::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
    use complaint_core::reference::Reference;
    use complaint_core::store::{
        AgentStore, Change, ComplaintStore, IdempotencyKey, Outbox, Page, Query, Recalled, Scope, StoreError, Summary,
    };

    use std::sync::atomic::Ordering;

    use super::Clogged;
    use crate::house::{agent_id, uuid};

    #[async_trait]
    impl ComplaintStore for Clogged {
        async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
            let loaded = self.store.load(id).await?;
            let bend = |it: Complaint| if self.bent { Complaint { subject: "Another".to_owned(), ..it } } else { it };
            Ok(loaded.map(bend))
        }
        async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
            self.store.by_reference(reference).await
        }
        async fn commit(&self, change: &Change) -> Result<(), StoreError> {
            self.commits.fetch_add(1, Ordering::SeqCst);
            if self.down {
                return Err(StoreError::Unavailable("the disk is full".into()));
            }
            if change.parts().iter().any(|part| Some(part.id()) == self.stuck) {
                return Err(StoreError::UnknownAgent { agent: agent_id("nobody") });
            }
            self.store.commit(change).await
        }
        async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
            self.store.log(id, after, limit).await
        }
        async fn search(&self, query: &Query) -> Result<Page, StoreError> {
            self.queries.lock().unwrap().push(query.clone());
            self.store.search(query).await
        }
        async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
            let mut due: Vec<ComplaintId> =
                (0..150).map(|number| ComplaintId::from_uuid(uuid(9_000 + number))).collect();
            due.extend(self.store.due(at, limit).await?);
            due.truncate(limit as usize);
            Ok(due)
        }
        async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
            self.store.recall(key).await
        }
        async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
            self.store.summary(scope).await
        }
    }

    #[async_trait]
    impl AgentStore for Clogged {
        async fn save(&self, agent: &Agent) -> Result<(), StoreError> {
            self.store.save(agent).await
        }
        async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError> {
            self.store.find(id).await
        }
        async fn roster(&self) -> Result<Vec<Member>, StoreError> {
            self.store.roster().await
        }
    }

    #[async_trait]
    impl Outbox for Clogged {
        async fn claim(
            &self,
            now: DateTime<Utc>,
            until: DateTime<Utc>,
            limit: u32,
        ) -> Result<Vec<ClaimedNotice>, StoreError> {
            let claimed = self.store.claim(now, until, limit).await?;
            self.claims.fetch_add(usize::from(!claimed.is_empty()), Ordering::SeqCst);
            Ok(claimed)
        }
        async fn settle(&self, claimed: &ClaimedNotice, how: Settlement, now: DateTime<Utc>) -> Result<(), StoreError> {
            self.store.settle(claimed, how, now).await
        }
        async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
            self.store.waiting(behind, limit).await
        }
        async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
            self.store.dead(below, limit).await
        }
        async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
            self.store.revive(id, now).await
        }
        async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
            self.store.bury(dead).await
        }
    }
}

#[tokio::test]
async fn complaints_that_stay_due_do_not_hold_up_the_others() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    house.clock.advance(TimeDelta::days(3));
    let clogged = Desk::new(Clogged { store: house.store.clone(), ..Clogged::default() }, policy())
        .with_clock(Arc::new(house.clock.clone()))
        .with_ids(Arc::new(CountedIds::from(1_000_000)));
    assert_eq!(clogged.sweep().await.unwrap().escalated, 1);
    assert_eq!(house.state(id).await.level, level(2));
}

#[tokio::test]
async fn a_complaint_that_fails_every_time_holds_up_no_other_and_is_told() {
    // Whichever it is, so that it comes before some of the others.
    for which in 0..3 {
        let house = House::new(policy()).await;
        let ids = many(&house, 3).await;
        house.clock.advance(TimeDelta::days(3));
        let stuck = ids[which];
        let desk =
            Desk::new(Clogged { store: house.store.clone(), stuck: Some(stuck), ..Clogged::default() }, policy())
                .with_clock(Arc::new(house.clock.clone()))
                .with_ids(Arc::new(CountedIds::from(1_000_000)));
        assert!(matches!(desk.sweep_clocks().await, Err(DeskError::Store(StoreError::UnknownAgent { .. }))));
        for id in &ids {
            let expected = if *id == stuck { level(1) } else { level(2) };
            assert_eq!(house.state(*id).await.level, expected, "{id}, stuck is {stuck}");
        }
        // Nor where many are placed together.
        let mut gone = Vec::new();
        for id in &ids {
            let handler = house.state(*id).await.handler.unwrap();
            let found = house.store.find(&handler).await.unwrap().unwrap().agent;
            house.store.save(&Agent { enabled: false, ..found }).await.unwrap();
            gone.push(handler);
        }
        assert!(matches!(desk.release_from_absent().await, Err(DeskError::Store(StoreError::UnknownAgent { .. }))));
        for (id, gone) in ids.iter().zip(gone) {
            let still = house.state(*id).await.handler == Some(gone);
            assert_eq!(still, *id == stuck, "{id}, stuck is {stuck}");
        }
    }
}

async fn away(house: &House, whom: impl Fn(&Agent) -> bool) {
    for member in house.store.roster().await.unwrap() {
        let enabled = !whom(&member.agent);
        house.store.save(&Agent { enabled, ..member.agent }).await.unwrap();
    }
}

/// Where the store takes nothing from anybody, nobody asks it again for each of thousands.
#[tokio::test]
async fn a_store_that_is_down_is_asked_once() {
    let house = House::new(policy()).await;
    many(&house, 3).await;
    house.clock.advance(TimeDelta::days(3));
    let down = Clogged { store: house.store.clone(), down: true, ..Clogged::default() };
    let (desk, store) = down.desk(house.clock.clone());
    assert!(matches!(desk.sweep_clocks().await, Err(DeskError::Store(StoreError::Unavailable(_)))));
    assert_eq!(store.commits.swap(0, Ordering::SeqCst), 1, "clocks");
    away(&house, |_| true).await;
    assert!(matches!(desk.release_from_absent().await, Err(DeskError::Store(StoreError::Unavailable(_)))));
    assert_eq!(store.commits.load(Ordering::SeqCst), 1, "handlers who are gone");
}

/// A sweep reads what waits, and of whoever is gone what is open; by whole pages, the most pressing first.
#[tokio::test]
async fn a_sweep_reads_no_more_than_it_can_do_something_about() {
    use complaint_core::store::{PAGE_MAX, Sort};
    let house = House::new(policy()).await;
    many(&house, 1).await;
    away(&house, |_| true).await;
    let (desk, store) = Clogged { store: house.store.clone(), ..Clogged::default() }.desk(house.clock.clone());
    desk.sweep().await.unwrap();
    let queries = store.queries.lock().unwrap();
    let held = vec![Status::Assigned, Status::InProgress, Status::AwaitingCustomer, Status::AwaitingThirdParty];
    let read: Vec<_> = queries.iter().map(|it| (it.statuses.clone(), it.handlers.len())).collect();
    assert_eq!(read, [(held, 1), (vec![Status::Queued], 0)], "one of them had something");
    assert!(queries.iter().all(|it| it.sort == Sort::Deadline && it.limit == PAGE_MAX), "{queries:?}");
}

/// However many wait, each page is followed by the next one, and each complaint that was taken is counted once.
#[tokio::test]
async fn all_that_somebody_leaves_behind_is_given_to_others() {
    let mut clerks = Vec::new();
    for id in ["sarah", "ben"] {
        clerks.push(Agent {
            capacity: 1000,
            ..crate::house::agents().into_iter().find(|it| it.id == agent_id(id)).unwrap()
        });
    }
    let house = House::with(policy(), clerks).await;
    away(&house, |it| it.id != agent_id("sarah")).await;
    many(&house, 1_000).await;
    away(&house, |it| it.id == agent_id("sarah")).await;
    assert_eq!(house.desk.release_from_absent().await.unwrap(), 1_000);
    for (id, holds) in [("sarah", 0), ("ben", 1_000)] {
        assert_eq!(house.store.find(&agent_id(id)).await.unwrap().unwrap().workload, holds, "{id}");
    }
}

/// Where nobody is there for any of many, a sweep looks at each page once.
#[tokio::test]
async fn a_sweep_of_more_than_a_page_ends_though_nobody_is_there() {
    let house = House::new(policy()).await;
    away(&house, |_| true).await;
    many(&house, 101).await;
    let (desk, store) = Clogged { store: house.store.clone(), ..Clogged::default() }.desk(house.clock.clone());
    assert_eq!(desk.route_waiting().await.unwrap(), 0);
    let queries = store.queries.lock().unwrap();
    assert_eq!((queries.len(), queries[0].after.is_some(), queries[1].after.is_some()), (2, false, true));
}

/// What the store gives must be what its log says.
#[tokio::test]
async fn a_complaint_that_is_not_as_its_log_says_is_found() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    for bent in [false, true] {
        let store = Clogged { store: house.store.clone(), bent, ..Clogged::default() };
        assert_eq!(store.desk(house.clock.clone()).0.replays(id).await.unwrap(), !bent);
    }
}

#[tokio::test]
async fn each_id_that_is_drawn_is_another_one() {
    let house = House::new(policy()).await;
    let drawn: BTreeSet<_> = (0..10).map(|_| house.desk.draw_id()).collect();
    assert!(drawn.len() == 10 && !drawn.contains(&uuid::Uuid::nil()));
    assert!(format!("{:?}", house.desk).contains(&policy().name));
}

/// What waits in a queue goes on waiting when another complaint is joined to it: the next sweep gives it to somebody.
#[tokio::test]
async fn what_waited_before_is_not_given_out_in_passing() {
    let house = House::new(policy()).await;
    away(&house, |it| it.level == level(1)).await;
    let (first, second) = (house.submit().await, house.submit().await);
    assert_eq!((first.status, second.status), (Status::Queued, Status::Queued));
    away(&house, |_| false).await;
    let into = Input { into: Some(first.reference.to_string()), ..Input::default() };
    house.as_actor(agent("mia")).perform(second.id, input(C::Merge, into)).await.unwrap();
    assert_eq!(house.state(first.id).await.handler, None);
    assert_eq!(house.desk.route_waiting().await.unwrap(), 1);
    assert!(house.state(first.id).await.handler.is_some());
}

/// A part of a log is as long as was asked for, over however many reads it is put together.
#[tokio::test]
async fn a_part_of_a_long_log_is_no_longer_than_asked() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    house.handler(id).await.begin(id).await.unwrap();
    for number in 0..260 {
        let note = Command::with_text(C::Note, format!("Note {number}."));
        house.handler(id).await.perform(id, note).await.unwrap();
    }
    let reader = house.as_actor(admin());
    let all = reader.log_after(id, 0, 1_000, |_| true).await.unwrap();
    assert!(all.len() > 260);
    let part = reader.log_after(id, 0, 230, |entry| entry.seq % 10 != 0).await.unwrap();
    let wanted: Vec<u32> = all.iter().map(|entry| entry.seq).filter(|seq| seq % 10 != 0).take(230).collect();
    assert_eq!(part.iter().map(|entry| entry.seq).collect::<Vec<_>>(), wanted);
}

/// A notice whose claim ends this very moment may be claimed by somebody else: it is not begun without a new claim.
#[tokio::test]
async fn nothing_is_begun_at_the_end_of_its_claim() {
    use complaint_core::{Notifier, NotifyError, notice::Notice};
    struct Slow(complaint_core::testing::ManualClock);
    #[async_trait::async_trait]
    impl Notifier for Slow {
        async fn deliver(&self, _: &Notice) -> Result<(), NotifyError> {
            self.0.advance(TimeDelta::minutes(30));
            Ok(())
        }
    }
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    house.handler(id).await.begin(id).await.unwrap();
    house.desk.clone().notifying(KeptNotices::new()).deliver().await.unwrap();
    for _ in 0..3 {
        house.handler(id).await.perform(id, Command::with_text(C::Post, "We look into it.")).await.unwrap();
    }
    let (desk, store) = Clogged { store: house.store.clone(), ..Clogged::default() }.desk(house.clock.clone());
    let delivered = desk.notifying(Slow(house.clock.clone())).deliver().await.unwrap().delivered;
    assert_eq!((delivered, store.claims.load(Ordering::SeqCst)), (3, 3), "a claim for each");
}

#[test]
fn a_cause_that_moved_it_before_is_an_alarm_the_second_time() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    // Nothing but the level's own promise is broken.
    let answered = world.text(&begun, &agent("sarah"), C::Post);
    world.now = due(&answered, K::Level).unwrap();
    let up = world.tick(answered);
    assert_eq!(up.level, level(2));
    let given = world.given(&up, "maria");
    let above = world.plain(&given, &agent("maria"), C::Begin);
    let back = input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() });
    let queued = world.act(&above, &agent("maria"), &back);
    let given = world.given(&queued, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    world.now = due(&again, K::Level).unwrap();
    let after = world.tick(again);
    assert_eq!((after.level, after.escalations.len()), (level(1), 1));
    let alarms = world.log.iter().filter(|entry| entry.event == Event::Alarmed { clock: K::Level }).count();
    assert_eq!(alarms, 1);
    let next = complaint_core::deadline::next_action_at(&after);
    assert!(next.is_none_or(|next| next > world.now), "it stays due");
}

#[tokio::test]
async fn two_sweeps_fire_once() {
    let house = House::new(policy()).await;
    let complaint = house.submit().await;
    house.clock.advance(TimeDelta::days(3));
    assert_eq!(house.desk.sweep().await.unwrap().escalated, 1);
    let after = house.state(complaint.id).await;
    let again = house.desk.sweep().await.unwrap();
    assert_eq!((again.escalated, again.clocked, again.routed), (0, 0, 0));
    assert_eq!(house.state(complaint.id).await, after);
}

/// Whatever the order in which their calls reach the store; the first three changes of turn are where races are.
#[tokio::test]
async fn two_desks_over_one_store_fire_once() {
    let mut orders = Orders::of(2, 3);
    let mut shared = 0;
    while orders.go_on() {
        let house = House::new(policy()).await;
        let ids = many(&house, 2).await;
        house.clock.advance(TimeDelta::days(3));
        let desks = orders.desks(&house);
        let sweeps = desks
            .iter()
            .map(|desk| -> Deed<'_, u32> { Box::pin(async move { desk.sweep_clocks().await.unwrap().escalated }) });
        let escalated = orders.play(sweeps.collect());
        assert_eq!(escalated.iter().sum::<u32>(), 2, "{escalated:?}");
        shared += u32::from(escalated == [1, 1]);
        for id in ids {
            let complaint = house.state(id).await;
            assert_eq!(complaint.escalations.len(), 1);
            assert!(house.desk.replays(id).await.unwrap());
        }
        house.workloads_add_up().await;
    }
    println!("{} orders; in {shared} each desk moved one of the two", orders.tried);
    assert!(orders.tried > 100 && shared > 0, "{} orders, {shared} shared", orders.tried);
}

/// The whole sweep: clocks, routing and letters.
#[tokio::test]
async fn two_whole_sweeps_at_once_do_everything_once() {
    let mut orders = Orders::of(2, 2);
    while orders.go_on() {
        let house = House::new(policy()).await;
        let id = house.submit().await.id;
        house.clock.advance(TimeDelta::days(3));
        let kept = KeptNotices::new();
        let desks = orders.desks(&house).into_iter().map(|desk| desk.notifying(kept.clone())).collect::<Vec<_>>();
        let sweeps = desks
            .iter()
            .map(|desk| -> Deed<'_, u32> { Box::pin(async move { desk.sweep().await.unwrap().escalated }) });
        let escalated = orders.play(sweeps.collect());
        assert_eq!(escalated.iter().sum::<u32>(), 1, "{escalated:?}");
        house.desk.clone().notifying(kept.clone()).deliver().await.unwrap();
        let planned: usize = house.changes.0.lock().unwrap().iter().map(|change| change.notices().len()).sum();
        let told: BTreeSet<_> = kept.all().iter().map(|notice| notice.id).collect();
        assert_eq!(told.len(), kept.all().len(), "a letter went out twice");
        assert!(told.len() > planned, "what the sweeps planned was delivered too");
        assert!(house.desk.replays(id).await.unwrap());
        house.workloads_add_up().await;
    }
    println!("{} orders", orders.tried);
    assert!(orders.tried > 100, "{} orders", orders.tried);
}

#[tokio::test]
async fn an_owed_remedy_does_not_keep_a_complaint_due_for_ever() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    let owing = Resolution::upheld("It left us broken.").apologising().with(complaint_core::Remedy::replacement());
    handler.resolve(id, owing).await.unwrap();
    for days in [11, 9] {
        house.clock.advance(TimeDelta::days(days));
        house.desk.sweep().await.unwrap();
    }
    assert_eq!(house.desk.store().due(house.desk.now(), 10).await.unwrap(), []);
    assert_eq!(house.state(id).await.status, Status::Resolved);
    let log = house.desk.whole_log(id).await.unwrap();
    assert!(!log.iter().any(|entry| matches!(entry.event, Event::Warned { clock: K::AutoClose, .. })), "no reminder");
}

#[tokio::test]
async fn what_was_taken_from_somebody_by_hand_does_not_go_straight_back() {
    let pair: Vec<_> = crate::house::agents()
        .into_iter()
        .filter(|agent| ["sarah", "ben", "mia"].contains(&agent.id.as_str()))
        .map(|agent| if agent.id.as_str() == "ben" { agent.with_capacity(2) } else { agent })
        .collect();
    let house = House::with(policy(), pair).await;
    let id = house.submit().await.id;
    let first = house.state(id).await.handler.unwrap();
    assert_eq!(first, agent_id("sarah"), "who has more room would be chosen again");
    let release = Command::with_reason(C::Release, "Too close to the customer.");
    let after = house.as_actor(agent("mia")).perform(id, release).await.unwrap();
    assert_eq!(after.status, Status::Assigned, "somebody else is free");
    assert_ne!(after.handler, Some(first));
}

#[tokio::test]
async fn taken_apart_and_joined_again_both_complaints_know_it() {
    let house = House::new(policy()).await;
    let (one, two) = (house.submit().await, house.submit().await);
    let mia = house.as_actor(agent("mia"));
    let into =
        |other: &Complaint| input(C::Merge, Input { into: Some(other.reference.to_string()), ..Input::default() });
    let asked_for = || house.changes.0.lock().unwrap().last().unwrap().parts()[0].id();
    mia.perform(one.id, into(&two)).await.unwrap();
    assert_eq!((house.state(two.id).await.absorbed, asked_for()), (vec![one.id], one.id));
    let apart = mia.perform(one.id, Command::plain(C::Unmerge)).await.unwrap();
    assert_eq!((apart.status, apart.merged_into), (Status::Assigned, None), "routed at once");
    let survivor = house.state(two.id).await;
    assert_eq!((survivor.absorbed.as_slice(), survivor.version.get()), (&[][..], 3));
    // And the other way round: nothing remembers the former union.
    mia.perform(two.id, into(&one)).await.unwrap();
    assert_eq!((house.state(one.id).await.absorbed, asked_for()), (vec![two.id], two.id));
    // The customer ends the survivor: what was joined to it stays with it.
    house.as_actor(customer("john")).perform(one.id, Command::plain(C::Withdraw)).await.unwrap();
    let refused = mia.perform(two.id, Command::plain(C::Unmerge)).await.unwrap_err();
    let DeskError::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!(refusal.code(), "survivor_finished");
    for id in [one.id, two.id] {
        assert!(house.desk.replays(id).await.unwrap());
    }
    house.workloads_add_up().await;
}

#[tokio::test]
async fn of_two_joining_each_other_one_is_refused() {
    let mut orders = Orders::of(2, usize::MAX);
    let mut won = BTreeSet::new();
    while orders.go_on() {
        let house = House::new(policy()).await;
        let (one, two) = (house.submit().await, house.submit().await);
        let into =
            |other: &Complaint| input(C::Merge, Input { into: Some(other.reference.to_string()), ..Input::default() });
        let desks = orders.desks(&house);
        let pairs = desks.iter().zip([(one.id, into(&two)), (two.id, into(&one))]);
        let merges = pairs.map(|(desk, (id, command))| -> Deed<'_, Result<Complaint, DeskError>> {
            Box::pin(async move { desk.acting_as(agent("mia")).perform(id, command).await })
        });
        let results = orders.play(merges.collect());
        let done: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{results:?}");
        won.insert(done);
        let after = [house.state(one.id).await, house.state(two.id).await];
        assert_eq!(after.iter().filter(|it| it.status.is_open()).count(), 1);
        for complaint in &after {
            assert!(house.desk.replays(complaint.id).await.unwrap());
        }
        house.workloads_add_up().await;
    }
    println!("{} orders", orders.tried);
    assert!(orders.tried > 20 && won.len() == 2, "{} orders, won by {won:?}", orders.tried);
}

#[tokio::test]
async fn capacity_is_a_ceiling_for_the_router_and_none_for_a_person_with_a_reason() {
    let few: Vec<_> = crate::house::agents()
        .into_iter()
        .filter(|agent| ["sarah", "ben", "mia"].contains(&agent.id.as_str()))
        .map(|agent| agent.with_capacity(1))
        .collect();
    let house = House::with(policy(), few).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(house.submit().await.id);
    }
    let waiting = house.state(ids[2]).await;
    assert_eq!(waiting.status, Status::Queued, "both are full");
    let to = |over_capacity: bool, reason: Option<&str>| {
        let agent = Some(agent_id("ben"));
        input(C::Assign, Input { agent, over_capacity, reason: reason.map(Into::into), ..Input::default() })
    };
    let mia = house.as_actor(agent("mia"));
    for (command, code) in [(to(false, None), "not_eligible"), (to(true, None), "missing")] {
        let DeskError::Refused(refusal) = mia.perform(ids[2], command).await.unwrap_err() else { panic!() };
        assert_eq!(refusal.code(), code);
    }
    let given = mia.perform(ids[2], to(true, Some("Urgent."))).await.unwrap();
    assert_eq!(given.handler, Some(agent_id("ben")));
    let ben = house.desk.store().find(&agent_id("ben")).await.unwrap().unwrap();
    assert_eq!(ben.workload, 2);
    // Reassigned beyond capacity, too.
    let held = ids[..2].iter().copied();
    let mut of_ben = None;
    for id in held {
        if house.state(id).await.handler == Some(agent_id("ben")) {
            of_ben = Some(id);
        }
    }
    let reassign = Input {
        agent: Some(agent_id("sarah")),
        over_capacity: true,
        reason: Some("Ben is full.".into()),
        ..Input::default()
    };
    mia.perform(of_ben.unwrap(), input(C::Reassign, reassign)).await.unwrap();
    house.workloads_add_up().await;
}

#[tokio::test]
async fn an_agent_takes_for_themself_where_the_policy_lets_them() {
    for allowed in [true, false] {
        let mut policy = policy();
        policy.agents_may_take = allowed;
        let absent: Vec<_> = crate::house::agents()
            .into_iter()
            .map(|mut agent| {
                agent.enabled = false;
                agent
            })
            .collect();
        let house = House::with(policy, absent).await;
        let id = house.submit().await.id;
        let mut sarah = crate::house::agents().into_iter().find(|agent| agent.id.as_str() == "sarah").unwrap();
        sarah.enabled = true;
        house.store.save_quietly(&sarah).await;
        let took = house.as_actor(agent("sarah")).perform(id, Command::plain(C::Assign)).await;
        if allowed {
            assert_eq!(took.unwrap().handler, Some(agent_id("sarah")));
        } else {
            assert!(matches!(took, Err(DeskError::NotFound)), "the queue is not theirs to see: {took:?}");
        }
    }
}

trait SaveQuietly {
    /// Keeps an agent without the desk noticing, so that nothing is routed by it.
    async fn save_quietly(&self, agent: &complaint_core::Agent);
}

impl SaveQuietly for complaint_core::store::MemoryStore {
    async fn save_quietly(&self, agent: &complaint_core::Agent) {
        complaint_core::store::AgentStore::save(self, agent).await.unwrap();
    }
}

#[tokio::test]
async fn a_stale_reader_is_refused_however_often_it_is_tried() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let seen = house.state(id).await.version;
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    let note = Command::with_text(C::Note, "Hm.");
    let refused = handler.perform_seeing(id, note, Some(seen)).await.unwrap_err();
    let DeskError::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!(refusal.code(), "stale_version");
}

/// Three who come between each other three times, and four who do so once.
#[tokio::test]
async fn many_writers_at_once_lose_nothing() {
    for (writers, switches) in [(3, 3), (4, 1)] {
        let mut orders = Orders::of(writers, switches);
        while orders.go_on() {
            let house = House::new(policy()).await;
            let id = house.submit().await.id;
            let before = house.state(id).await.version.get();
            let desks = orders.desks(&house);
            let notes = desks.iter().enumerate().map(|(number, desk)| -> Deed<'_, Result<Complaint, DeskError>> {
                let note = Command::with_text(C::Note, format!("Note {number}."));
                Box::pin(async move { desk.acting_as(agent("mia")).perform(id, note).await })
            });
            for result in orders.play(notes.collect()) {
                result.unwrap();
            }
            let log = house.desk.whole_log(id).await.unwrap();
            let texts: BTreeSet<&str> = log.iter().filter_map(|entry| entry.words.get("text")).collect();
            let written = log.iter().filter(|entry| entry.event == Event::Noted).count();
            assert_eq!((written, texts.len()), (writers, writers));
            assert_eq!(house.state(id).await.version.get(), before + writers as u64);
            assert!(house.desk.replays(id).await.unwrap());
        }
        println!("{writers} writers: {} orders", orders.tried);
        assert!(orders.tried > 50, "{} orders", orders.tried);
    }
}

#[tokio::test]
async fn the_same_wish_of_a_handler_after_a_hand_back_is_a_new_one() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    for _ in 0..2 {
        let handler = house.handler(id).await;
        handler.begin(id).await.unwrap();
        handler.escalate(id, "Beyond me.").await.unwrap();
        let above = house.handler(id).await;
        above.begin(id).await.unwrap();
        let back = input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() });
        above.perform(id, back).await.unwrap();
    }
    let complaint = house.state(id).await;
    assert_eq!((complaint.level, complaint.escalations.len(), complaint.level_entries), (level(1), 2, 5));
}

/// Lets the first sixteen pass together: when they draw an id, all of them have counted and none has committed.
struct Gate {
    ids: CountedIds,
    all: Barrier,
    passed: AtomicUsize,
}

impl IdSource for Gate {
    fn next_id(&self, now: chrono::DateTime<chrono::Utc>) -> uuid::Uuid {
        if self.passed.fetch_add(1, Ordering::SeqCst) < 16 {
            self.all.wait();
        }
        self.ids.next_id(now)
    }

    fn next_reference(&self) -> complaint_core::reference::Reference {
        self.ids.next_reference()
    }
}

#[test]
fn sixteen_submissions_at_once_leave_a_customer_with_five_open_complaints() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    let store = Arc::new(MemoryStore::new());
    let mut policy = policy();
    policy.open_complaints_per_customer = 5;
    let gate = Gate { ids: CountedIds::default(), all: Barrier::new(16), passed: AtomicUsize::default() };
    let desk = Desk::over(store, policy).with_ids(Arc::new(gate));
    let john = desk.acting_as(Actor::customer("john").unwrap());
    // Each on a thread of its own: a task that waits at the gate must not keep another from getting there.
    let results: Vec<Result<_, DeskError>> = std::thread::scope(|scope| {
        let submit = |number: usize| {
            let (john, runtime) = (&john, &runtime);
            scope.spawn(move || {
                let kettle = Complaint::about("Damaged goods", format!("Kettle {number}"), "Cracked.").unwrap();
                runtime.block_on(john.submit(kettle))
            })
        };
        let threads: Vec<_> = (0..16).map(submit).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5, "{results:?}");
    for refused in results.into_iter().filter_map(Result::err) {
        let DeskError::Refused(refusal) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.code(), "too_many_open_complaints");
    }
    let summary = runtime.block_on(john.summary()).unwrap();
    assert_eq!((summary.open(), summary.total()), (5, 5));
}

/// The limit is against floods: what a customer takes up again counts like what they submit, a right and what staff do does not.
#[tokio::test]
async fn the_limit_of_open_complaints_holds_for_taking_up_again_and_never_against_a_right() {
    let mut policy = policy();
    policy.open_complaints_per_customer = 1;
    let house = House::new(policy).await;
    let john = house.as_actor(customer("john"));
    let codes = |result: Result<Complaint, DeskError>| match result {
        Err(DeskError::Refused(refusal)) => refusal.failed.into_iter().map(|it| it.code).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let (first, reinstate) = (house.submit().await.id, || Command::plain(C::Reinstate));
    john.perform(first, Command::plain(C::Withdraw)).await.unwrap();
    let second = house.submit().await.id;
    assert_eq!(codes(john.perform(first, reinstate()).await), ["too_many_open_complaints"]);
    let offered = john.available_commands(first).await.unwrap();
    let offered = offered.iter().find(|it| it.command == C::Reinstate).unwrap();
    assert_eq!((offered.allowed, offered.failed[0].code), (false, "too_many_open_complaints"));
    // Once there is room again; and what was counted may be out of date when it is committed.
    let handler = house.handler(second).await;
    handler.begin(second).await.unwrap();
    handler.perform(second, decision(C::Resolve, Vec::new())).await.unwrap();
    john.perform(first, reinstate()).await.unwrap();
    let limit = house.changes.0.lock().unwrap().last().unwrap().open_limit().cloned();
    assert_eq!(limit, Some(OpenLimit { customer: crate::house::john(), most: 1 }));
    // Beyond the limit all the same.
    let contested = john.contest(second, "Still broken.").await.unwrap();
    assert!(contested.status.is_open());
    assert_eq!(john.summary().await.unwrap().open(), 2);
    let mia = house.as_actor(agent("mia"));
    let into = input(C::Merge, Input { into: Some(contested.reference.to_string()), ..Input::default() });
    mia.perform(first, into).await.unwrap();
    mia.perform(first, Command::plain(C::Unmerge)).await.unwrap();
    let out = Input { body: Some("The city".into()), text: Some("Not ours.".into()), ..Input::default() };
    mia.perform(first, input(C::Refer, out)).await.unwrap();
    mia.perform(first, Command::with_reason(C::ReturnReferral, "Ours.")).await.unwrap();
    let out = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    mia.perform(first, input(C::Dismiss, out)).await.unwrap();
    mia.perform(first, Command::with_reason(C::Reopen, "An error.")).await.unwrap();
    assert_eq!(john.summary().await.unwrap().open(), 2);
}

/// Joined to another complaint, one goes on as that one: no way around its level or who must not decide it.
#[test]
fn joining_is_no_way_around_who_must_not_decide() {
    let mut world = World::new(policy());
    let mia = agent("mia");
    let code = |world: &World, it: &Complaint, into: &Complaint| -> Option<&'static str> {
        let command = input(C::Merge, Input { into: Some(into.reference.to_string()), ..Input::default() });
        world.decide(it, &mia, &command, Some(into)).err().map(|refusal| refusal.code())
    };
    // One is against Zoe, the other against nobody: hers may take the other in, and not be taken in.
    let against_zoe = world.submitted();
    let plain = world.submitted_with(&Complaint::about("Damaged goods", "Broken lid", "It is cracked.").unwrap());
    assert_eq!(code(&world, &against_zoe, &plain), Some("against_other"));
    assert_eq!(code(&world, &plain, &against_zoe), None);
    // One was contested and is a level up.
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    assert_eq!(code(&world, &contested, &against_zoe), Some("lower_level"));
    assert_eq!(code(&world, &against_zoe, &contested), None);
    // At the same level it still remembers who decided.
    let up = world.begun_at(2);
    assert_eq!(up.level, contested.level);
    assert_eq!(code(&world, &contested, &up), Some("decided_before"));
    assert_eq!(code(&world, &up, &contested), None);
}

/// Other systems raise the priority with a reminder, and the reminder's own rule then fires again.
#[test]
fn telling_somebody_changes_nothing_else() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let mut it = begun.clone();
    let told = |it: &Complaint| it.deadlines.iter().filter(|deadline| deadline.missed_at.is_some()).count();
    for _ in 0..90 {
        world.later(TimeDelta::days(1));
        it = world.tick(it);
    }
    assert!(told(&it) > told(&begun) && it.entries > begun.entries + 3, "{}", it.entries);
    let steered = |it: &Complaint| {
        let place = (it.status, it.level, it.handler.clone());
        (it.priority, it.category.clone(), it.skills.clone(), it.area.clone(), it.weight, place)
    };
    assert_eq!(steered(&it), steered(&begun));
    for before in &begun.deadlines {
        let after = it.deadlines.iter().find(|it| (it.clock, it.instance) == (before.clock, before.instance)).unwrap();
        assert_eq!((after.due_at, after.target), (before.due_at, before.target), "{:?}", before.clock);
    }
}

/// As often as somebody else is faster, and no more: it is left to the next sweep, and the others have their turn.
#[tokio::test]
async fn a_complaint_that_is_changed_all_the_time_does_not_hold_up_the_clocks() {
    use complaint_core::testing::{Call, Faults, FaultyStore, Hook, Method};

    /// Writes a note just before every commit of others.
    struct Busy(Desk, ComplaintId);

    #[async_trait::async_trait]
    impl Hook for Busy {
        async fn before(&self, call: Call) {
            if call.method == Method::Commit {
                let note = Command::with_text(C::Note, "And another thing.");
                self.0.acting_as(agent("mia")).perform(self.1, note).await.unwrap();
            }
        }

        async fn after(&self, _call: Call) {}
    }

    let house = House::new(policy()).await;
    let (busy, calm) = (house.submit().await.id, house.submit().await.id);
    house.clock.advance(TimeDelta::days(30));
    let faults = Faults::none().with_hook(Arc::new(Busy(house.desk.clone(), busy)));
    let store = Arc::new(FaultyStore::over(house.store.clone(), &faults));
    let desk = Desk::over(store, policy()).with_clock(Arc::new(house.clock.clone()));
    let swept = desk.sweep_clocks().await;
    assert!(matches!(swept, Err(DeskError::Contended { .. })), "{swept:?}");
    assert_eq!((house.state(busy).await.level, house.state(calm).await.level), (level(1), level(2)));
    assert_eq!(house.desk.sweep_clocks().await.unwrap().escalated, 1);
    assert_eq!(house.state(busy).await.level, level(2));
}

#[tokio::test]
async fn under_a_policy_that_does_not_hold_together_nothing_is_changed() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let before = house.state(id).await;
    let desk = Desk::over(house.store.clone(), Policy { calendar: "ofice".into(), ..policy() });
    let desk = desk.with_clock(Arc::new(house.clock.clone())).with_ids(Arc::new(CountedIds::from(100)));
    let john = desk.acting_as(customer("john"));
    let withdraw = Command::plain(C::Withdraw);
    for refused in [
        john.submit(submission()).await.map(drop),
        john.would_refuse_submission(&submission()).await.map(drop),
        john.perform(id, withdraw.clone()).await.map(drop),
        john.would_refuse(id, &withdraw, None).await.map(drop),
        desk.enrol(Agent::named("new", "New").unwrap()).await.map(drop),
        desk.sweep_clocks().await.map(drop),
        desk.release_from_absent().await.map(drop),
        desk.route_waiting().await.map(drop),
    ] {
        assert!(matches!(&refused, Err(DeskError::Policy(why)) if why.to_string().contains("ofice")), "{refused:?}");
    }
    assert_eq!((house.state(id).await, john.read(id).await.unwrap().id), (before, id));
    assert!(house.store.find(&agent_id("new")).await.unwrap().is_none(), "not half enrolled");
    desk.adopt(policy()).unwrap();
    assert_eq!(john.perform(id, withdraw).await.unwrap().status, Status::Withdrawn);
}
