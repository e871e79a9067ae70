//! The story of part one, through the desk, with a moved clock.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::{CloseCause, Event, RemedyKind};
use complaint_core::deadline::ClockKind;
use complaint_core::id::{AgentId, ComplaintId, Level};
use complaint_core::lifecycle::{Command, CommandName, Status};
use complaint_core::policy::Category;
use complaint_core::store::MemoryStore;
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Actor, Agent, Complaint, Desk, DeskError, Policy, Rating, Remedy, Resolution};

struct House {
    desk: Desk,
    clock: ManualClock,
    john: Actor,
}

fn monday_morning() -> DateTime<Utc> {
    "2026-11-23T09:30:00Z".parse().unwrap()
}

async fn house() -> House {
    let clock = ManualClock::at(monday_morning());
    let policy = Policy::standard()
        .with_category(Category::named("Damaged goods").unwrap())
        .with_category(Category::named("Late delivery").unwrap());
    let desk = Desk::new(MemoryStore::new(), policy)
        .with_clock(Arc::new(clock.clone()))
        .with_ids(Arc::new(CountedIds::default()));
    let level = |number| Level::new(number).unwrap();
    for agent in [
        Agent::named("sarah", "Sarah").unwrap().skilled_in(["damaged goods"]).with_capacity(5),
        Agent::named("ben", "Ben").unwrap().skilled_in(["late delivery"]),
        Agent::named("maria", "Maria").unwrap().at_level(level(2)),
        Agent::named("omar", "Omar").unwrap().at_level(level(3)),
    ] {
        desk.enrol(agent).await.unwrap();
    }
    House { desk, clock, john: Actor::customer("john").unwrap() }
}

impl House {
    async fn agent(&self, id: &str) -> complaint_core::desk::Acting {
        let member = self.desk.store().find(&AgentId::new(id).unwrap()).await.unwrap().unwrap();
        self.desk.acting_as(Actor::agent(&member.agent))
    }

    fn john(&self) -> complaint_core::desk::Acting {
        self.desk.acting_as(self.john.clone())
    }

    async fn submitted(&self) -> ComplaintId {
        let submission = Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").unwrap();
        self.john().submit(submission).await.unwrap().id()
    }

    async fn state(&self, id: ComplaintId) -> Complaint {
        self.desk.store().load(id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn from_submission_to_feedback() {
    let house = house().await;
    let id = house.submitted().await;
    let complaint = house.state(id).await;
    assert_eq!((complaint.status, complaint.handler.as_ref().unwrap().as_str()), (Status::Assigned, "sarah"));
    assert_eq!(complaint.version.get(), 1, "submission, acknowledgement and assignment are one change");
    assert_eq!(complaint.entries, 3);
    assert_eq!(complaint.status_for_customer(Some("Sarah"), None), "Assigned to Sarah");
    assert_eq!(complaint.status_for_customer(None, None), "Assigned");
    let routing = complaint.routing.as_ref().unwrap();
    assert_eq!(routing.candidates.len(), 2);
    assert_eq!(routing.candidates[1].reasons[0].code(), "lacks_skills");

    let sarah = house.agent("sarah").await;
    sarah.begin(id).await.unwrap();
    sarah.ask(id, "Was the parcel damaged too?").await.unwrap();
    let asked = house.state(id).await;
    assert_eq!(asked.status_for_customer(Some("Sarah"), None), "We need your answer");
    assert!(asked.deadline(ClockKind::Resolution).unwrap().due_at.is_none(), "service clocks pause");
    assert!(asked.deadline(ClockKind::Statutory).unwrap().due_at.is_some(), "statutory clocks never do");
    house.clock.advance(TimeDelta::days(3));
    house.john().answer(id, "No, only the kettle.").await.unwrap();
    assert!(house.state(id).await.deadline(ClockKind::Resolution).unwrap().due_at.is_some());

    let resolution = Resolution::upheld("It left us with a cracked lid.")
        .apologising()
        .with(Remedy::replacement().with_instructions("Keep the old one; the new one comes on Friday."));
    sarah.resolve(id, resolution).await.unwrap();
    house.john().accept(id).await.unwrap();
    assert_eq!(house.state(id).await.status, Status::Resolved, "a remedy is outstanding");
    let fulfil = Command::from_json(CommandName::FulfilRemedy, &serde_json::json!({"evidence": "Parcel 17"})).unwrap();
    let closed = sarah.perform(id, fulfil).await.unwrap();
    assert_eq!(closed.status, Status::Closed);
    assert_eq!(closed.remedies[0].remedy.kind, RemedyKind::Replacement);
    house.john().rate(id, Rating::FIVE, "Quick and kind.").await.unwrap();
    assert_eq!(house.desk.store().summary(&house.john().scope()).await.unwrap().satisfaction(), (1, Some(500)));
    assert!(house.desk.replays(id).await.unwrap());

    let log = house.desk.whole_log(id).await.unwrap();
    assert!(matches!(log[log.len() - 2].event, Event::Closed { cause: CloseCause::RemediesFulfilled }));
    let member = house.desk.store().find(&AgentId::new("sarah").unwrap()).await.unwrap().unwrap();
    assert_eq!(member.workload, 0);
}

#[tokio::test]
async fn escalated_contested_and_finally_decided() {
    let house = house().await;
    let id = house.submitted().await;
    let sarah = house.agent("sarah").await;
    sarah.begin(id).await.unwrap();
    sarah.escalate(id, "I cannot decide this.").await.unwrap();
    assert!(matches!(sarah.read(id).await, Err(DeskError::NotFound)), "the former handler loses access at once");
    let at_two = house.state(id).await;
    assert_eq!((at_two.level.get(), at_two.handler.unwrap().as_str()), (2, "maria"));

    let maria = house.agent("maria").await;
    maria.begin(id).await.unwrap();
    maria.resolve(id, Resolution::not_upheld("It worked when we tried it.")).await.unwrap();
    house.john().contest(id, "It does not work here.").await.unwrap();
    let at_three = house.state(id).await;
    assert_eq!((at_three.level.get(), at_three.handler.as_ref().unwrap().as_str()), (3, "omar"));
    assert!(at_three.exclusion(&AgentId::new("maria").unwrap()).is_some());

    let omar = house.agent("omar").await;
    omar.begin(id).await.unwrap();
    omar.resolve(id, Resolution::not_upheld("Nor can we find a fault.")).await.unwrap();
    let refused = house.john().contest(id, "Still broken.").await.unwrap_err();
    let DeskError::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!(refusal.code(), "final_authority_reached");
    assert!(house.desk.replays(id).await.unwrap());
}

#[tokio::test]
async fn nobody_acts_and_it_escalates_once() {
    let house = house().await;
    let id = house.submitted().await;
    house.clock.advance(TimeDelta::days(3));
    house.desk.sweep().await.unwrap();
    house.desk.sweep().await.unwrap();
    let complaint = house.state(id).await;
    assert_eq!(complaint.escalations.len(), 1, "{:?}", complaint.escalations);
    assert_eq!((complaint.level.get(), complaint.handler.as_ref().unwrap().as_str()), (2, "maria"));
    let notices = house.desk.store().claim(house.desk.now(), house.desk.now(), 100).await.unwrap();
    let told = notices
        .iter()
        .filter(|claimed| claimed.notice.kind == complaint_core::notice::NoticeKind::EscalatedCustomer)
        .count();
    assert_eq!(told, 1, "the customer is told, once");
    assert!(house.desk.replays(id).await.unwrap());
}

#[tokio::test]
async fn an_outage_does_not_race_a_complaint_up_the_ladder() {
    let house = house().await;
    let id = house.submitted().await;
    house.clock.advance(TimeDelta::days(400));
    house.desk.sweep().await.unwrap();
    let complaint = house.state(id).await;
    assert_eq!(complaint.escalations.len(), 1);
    assert!(complaint.escalations[0].causes.len() > 1, "one step answers for every broken promise");
    assert!(house.desk.replays(id).await.unwrap());
}

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer() {
    let house = house().await;
    let submission = || Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").unwrap();
    let under = |fingerprint: &str| house.john().under_key("k1", fingerprint).unwrap();
    let first = under("a").submit(submission()).await.unwrap();
    assert!(!first.is_repeated());
    house.agent("sarah").await.begin(first.id()).await.unwrap();
    let again = under("a").submit(submission()).await.unwrap();
    assert!(again.is_repeated());
    assert_eq!(again.complaint(), first.complaint());
    assert!(matches!(under("b").submit(submission()).await, Err(DeskError::KeyReused)));
    // The first answer is for the same command on the same complaint: another one must not pass for done.
    let withdraw = || Command::plain(CommandName::Withdraw);
    assert!(matches!(under("a").perform(first.id(), withdraw()).await, Err(DeskError::KeyReused)));
    assert_eq!(house.state(first.id()).await.status, Status::InProgress);
    let other = house.john().submit(submission()).await.unwrap();
    let under = house.john().under_key("k2", "a").unwrap();
    under.perform(first.id(), withdraw()).await.unwrap();
    assert!(matches!(under.perform(other.id(), withdraw()).await, Err(DeskError::KeyReused)));
    assert_eq!(under.perform(first.id(), withdraw()).await.unwrap().status, Status::Withdrawn);
    let all = house.john().summary().await.unwrap();
    assert_eq!(all.total(), 2);
}

#[tokio::test]
async fn a_follow_up_is_repeated_for_the_same_complaint_alone() {
    let house = house().await;
    let submission = || Complaint::about("Damaged goods", "Broken again", "The new lid, too.").unwrap();
    let (one, other) = (house.submitted().await, house.submitted().await);
    for id in [one, other] {
        house.john().perform(id, Command::plain(CommandName::Withdraw)).await.unwrap();
    }
    // By itself, without what it is about, it would be done and nothing had happened.
    let bare = house.john().perform(one, Command::plain(CommandName::FollowUp)).await;
    let Err(DeskError::Refused(refusal)) = bare else { panic!("{bare:?}") };
    assert_eq!((refusal.code(), refusal.failed[0].field.as_deref()), ("missing", Some("submission")));
    let under = house.john().under_key("k1", "a").unwrap();
    let first = under.follow_up(one, submission()).await.unwrap();
    assert_eq!((first.is_repeated(), first.complaint().follows), (false, Some(one)));
    let again = under.follow_up(one, submission()).await.unwrap();
    assert!(again.is_repeated() && again.complaint() == first.complaint());
    // It would pass for a follow-up to the other one, or for a complaint of its own.
    assert!(matches!(under.follow_up(other, submission()).await, Err(DeskError::KeyReused)));
    assert!(matches!(under.submit(submission()).await, Err(DeskError::KeyReused)));
    assert_eq!(house.john().summary().await.unwrap().total(), 3);
}

#[tokio::test]
async fn customers_neither_see_nor_count_internal_work() {
    let house = house().await;
    let id = house.submitted().await;
    let before = house.state(id).await;
    let sarah = house.agent("sarah").await;
    sarah.perform(id, Command::with_text(CommandName::Note, "Third lid this week.")).await.unwrap();
    let noted = house.state(id).await;
    assert_eq!(noted.version_for(&house.john), before.version_for(&house.john));
    assert_eq!(noted.version.get(), before.version.get() + 1);
    // The version John saw still counts as current for him, and only for him.
    let seen = Some(before.version_for(&house.john));
    let message = Command::with_text(CommandName::Post, "Any news?");
    house.john().perform_seeing(id, message.clone(), seen).await.unwrap();
    let stale = house.john().perform_seeing(id, message, seen).await.unwrap_err();
    let DeskError::Refused(refusal) = stale else { panic!("{stale}") };
    assert_eq!((refusal.code(), refusal.version.get()), ("stale_version", 2));

    sarah.begin(id).await.unwrap();
    let proposal = serde_json::json!({"outcome": "not_upheld", "explanation": "It worked when we tried it."});
    sarah.perform(id, Command::from_json(CommandName::Propose, &proposal).unwrap()).await.unwrap();
    let proposed = house.state(id).await;
    assert_eq!(proposed.status, Status::PendingApproval);
    assert_eq!(proposed.status_for(&house.john), Status::InProgress);
    let with_status = |status| complaint_core::store::Query {
        statuses: vec![status],
        ..complaint_core::store::Query::within(house.john().scope())
    };
    assert_eq!(house.john().list(with_status(Status::InProgress)).await.unwrap().items.len(), 1);
    assert_eq!(house.john().list(with_status(Status::PendingApproval)).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_complaint_is_against_somebody_there_is() {
    let house = house().await;
    let nobody = Complaint::about("Damaged goods", "Rude", "On the phone.").unwrap();
    let refused = house.john().submit(nobody.against(AgentId::new("nobody").unwrap())).await.unwrap_err();
    let DeskError::Refused(refusal) = refused else { panic!("{refused}") };
    assert_eq!(refusal.failed[0].field.as_deref(), Some("against"));
}
