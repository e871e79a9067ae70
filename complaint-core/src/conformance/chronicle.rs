//! Complaints that have been through everything: every status, every kind of event, every change of a clock, and each field
//! of the state filled at some time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::story::{Opening, Step, Story, agent_id, both, running, second};
use crate::actor::Party;
use crate::complaint::{
    Attachment, Channel, CloseCause, DismissalReason, EndElsewhere, Entry, EscalationCause, Event, Item, Outcome,
    Place, Priority, ReleaseCause, Remedy, RemedyKind, Wish, Words,
};
use crate::deadline::{ClockChange, ClockKind, Deadline, Ending, LegalPromise, Milestone, PauseCause};
use crate::id::{
    AgentId, Area, AttachmentId, CategoryKey, CauseKey, ComplaintId, CustomerId, Language, Level, PromiseKey, Skill,
    StaffId, Version,
};
use crate::lifecycle::Status;
use crate::reference::Reference;
use crate::routing::{Candidate, Ineligible, Routing};
use crate::store::Change;

/// Whom the chronicle gives complaints to.
pub(super) const HANDLERS: [&str; 3] = ["asha", "ben", "maria"];

/// The changes in the order in which they happened.
pub(super) fn chronicle() -> Vec<Change> {
    let mut told = Vec::new();
    long_way(&mut told);
    joined(&mut told);
    told
}

/// One complaint through nearly everything.
fn long_way(told: &mut Vec<Change>) {
    let (story, opened) = Story::begun(submission());
    told.push(opened);
    let mut tale = Tale { story, told };
    is_given_about(&mut tale);
    is_described_anew(&mut tale);
    pauses(&mut tale);
    goes_up_and_comes_back(&mut tale);
    is_decided_and_contested(&mut tale);
    ends_and_begins_again(&mut tale);
}

fn is_given_about(tale: &mut Tale<'_>) {
    let (asha, ben) = (agent_id("asha"), agent_id("ben"));
    tale.goes_on(Queued, Event::Acknowledged).done();
    tale.goes_on(Queued, Event::Attached { attachments: vec![file(1), file(2)] })
        .by(&customer())
        .saying("file.1", "photo \u{1f4f7}.png")
        .saying("file.2", "invoice.pdf")
        .done();
    tale.goes_on(With(&asha), Event::Assigned { agent: asha.clone(), routing: routing(&asha) })
        .clock(ClockChange::Started { deadline: Arc::new(clock(ClockKind::Acceptance)) })
        .done();
    tale.goes_on(Queued, Event::Declined { agent: asha.clone() })
        .by(&staff())
        .saying("reason", "He is my neighbour.")
        .clock(ended(ClockKind::Acceptance, Ending::Cancelled))
        .done();
    tale.goes_on(With(&ben), Event::Assigned { agent: ben.clone(), routing: routing(&ben) }).done();
    tale.goes_on(Queued, Event::Released { agent: ben.clone(), cause: ReleaseCause::NotBegun }).done();
    tale.goes_on(With(&ben), Event::Assigned { agent: ben.clone(), routing: routing(&ben) }).done();
    let given = Event::Reassigned { from: ben.clone(), to: asha.clone(), routing: routing(&asha) };
    tale.goes_on(With(&asha), given).by(&superior()).saying("reason", "She knows the depot.").done();
    tale.goes_on(InProgress, Event::Begun).by(&staff()).done();
}

fn is_described_anew(tale: &mut Tale<'_>) {
    let triaged = Event::Triaged {
        category: category("damaged-goods"),
        priority: Priority::Urgent,
        skills: BTreeSet::from([Skill::new("glass").expect("constant")]),
        area: Some(Area::new("old town").expect("constant")),
        weight: 4,
    };
    tale.goes_on(InProgress, triaged).by(&staff()).saying("reason", "It is broken, not late.").done();
    let revised = Event::Revised { category: Some(category("damaged-goods")), clocks: vec![ClockKind::Resolution] };
    tale.goes_on(InProgress, revised).done();
    tale.goes_on(InProgress, Event::Noted).by(&staff()).saying("text", "Called; nobody there.").done();
    tale.goes_on(InProgress, Event::Posted { attachments: vec![file(2), file(3)] })
        .by(&customer())
        .saying("text", "Here it is.")
        .saying("file.1", "invoice.pdf")
        .saying("file.2", "unpacking.webm")
        .done();
    tale.goes_on(InProgress, Event::Read).by(&staff()).done();
}

fn pauses(tale: &mut Tale<'_>) {
    tale.goes_on(AwaitingCustomer, Event::Asked)
        .by(&staff())
        .saying("text", "Which of the two?")
        .clock(paused(ClockKind::Resolution, PauseCause::AwaitingCustomer))
        .clock(ClockChange::Started { deadline: Arc::new(clock(ClockKind::Silence)) })
        .done();
    tale.goes_on(InProgress, Event::Answered { attachments: vec![file(4)] })
        .by(&customer())
        .saying("text", "The left one.")
        .saying("file.1", "left.png")
        .clock(resumed(ClockKind::Resolution, 118))
        .clock(ended(ClockKind::Silence, Ending::Met))
        .done();
    tale.goes_on(AwaitingThirdParty, Event::Held { until: day(9) })
        .by(&staff())
        .saying("party", "The carrier")
        .clock(paused(ClockKind::Resolution, PauseCause::AwaitingThirdParty))
        .done();
    tale.goes_on(InProgress, Event::Resumed)
        .by(&staff())
        .saying("reason", "They looked.")
        .clock(resumed(ClockKind::Resolution, 120))
        .clock(ClockChange::Warned { clock: ClockKind::Resolution, instance: 1, percent: 75 })
        .done();
    tale.goes_on(InProgress, Event::Warned { clock: ClockKind::Resolution, percent: 75 }).done();
}

fn goes_up_and_comes_back(tale: &mut Tale<'_>) {
    let (asha, ben, maria) = (agent_id("asha"), agent_id("ben"), agent_id("maria"));
    tale.proposed(&asha);
    tale.goes_on(InProgress, Event::SentBack).by(&superior()).saying("comment", "Name the amount.").done();
    tale.proposed(&asha);
    let causes = vec![
        EscalationCause::Clock(ClockKind::Resolution),
        EscalationCause::Customer,
        EscalationCause::Handler,
        EscalationCause::Supervisor,
    ];
    tale.goes_on(QueuedAt(2), Event::Escalated { from: Level::FIRST, causes })
        .saying("reason", "It is late.")
        .clock(ClockChange::Missed { clock: ClockKind::Resolution, instance: 1 })
        .done();
    tale.goes_on(With(&ben), Event::HandedBack { from: level(2), agent: maria })
        .by(&superior())
        .saying("instruction", "Ask the depot first.")
        .done();
    tale.goes_on(InProgress, Event::Alarmed { clock: ClockKind::Statutory }).done();
    let anew = Deadline { policy_version: 4, due_at: Some(second(4_000_000)), ..clock(ClockKind::Level) };
    tale.goes_on(InProgress, Event::Rebased { policy_version: 4 })
        .by(&Party::Admin(StaffId::new("root").expect("constant")))
        .saying("reason", "The law changed.")
        .clock(ClockChange::Retargeted { deadline: Arc::new(anew) })
        .done();
}

fn is_decided_and_contested(tale: &mut Tale<'_>) {
    let (asha, ben, maria) = (agent_id("asha"), agent_id("ben"), agent_id("maria"));
    tale.decided(&asha, Some(&maria));
    tale.goes_on(Resolved, Event::RemedyAccepted { remedy: 1 })
        .by(&staff())
        .saying("reason", "He said so on the phone.")
        .done();
    tale.goes_on(Resolved, Event::RemedyDeclined { remedy: 2 }).by(&customer()).saying("reason", "I have one.").done();
    for _ in 0..2 {
        tale.goes_on(Resolved, Event::RemedyFailed { remedy: 1 })
            .by(&customer())
            .saying("reason", "Nothing came.")
            .done();
    }
    tale.goes_on(Resolved, Event::RemedyFulfilled { remedy: 1, on: day(11) })
        .by(&staff())
        .saying("evidence", "Transfer 4711")
        .done();
    tale.goes_on(Resolved, Event::Rated { resolution: 1, score: 2, anonymous: false })
        .by(&customer())
        .saying("comment", "Slow.")
        .done();
    let excluded = vec![asha, maria];
    tale.goes_on(QueuedAt(2), Event::Contested { from: Level::FIRST, new_evidence: true, excluded })
        .by(&customer())
        .saying("reason", "It broke again.")
        .done();
    tale.decided(&ben, None);
    tale.goes_on(Resolved, Event::Accepted { remedies: vec![4, 5] })
        .by(&staff())
        .saying("reason", "In writing, on paper.")
        .done();
    tale.goes_on(Resolved, Event::RatingAnonymised { resolutions: vec![1] }).by(&customer()).done();
}

fn ends_and_begins_again(tale: &mut Tale<'_>) {
    tale.goes_on(Ended(Status::Closed), Event::Closed { cause: CloseCause::Accepted }).done();
    tale.goes_on(QueuedAt(2), Event::Reopened).by(&superior()).saying("reason", "The amount was wrong.").done();
    tale.goes_on(Ended(Status::Referred), Event::Referred)
        .by(&superior())
        .saying("body", "The ombudsman")
        .saying("text", "They decide about glass.")
        .done();
    tale.goes_on(QueuedAt(2), Event::ReferralReturned).by(&superior()).saying("reason", "They do not.").done();
    tale.goes_on(Ended(Status::Withdrawn), Event::Withdrawn).by(&customer()).saying("reason", "Never mind.").done();
    tale.goes_on(QueuedAt(2), Event::Reinstated).by(&customer()).done();
    let dismissed = Event::Dismissed { reason: DismissalReason::TimeBarred, by: agent_id("maria") };
    tale.goes_on(Ended(Status::Dismissed), dismissed).by(&superior()).saying("text", "After six years.").done();
}

/// Two complaints that are joined, taken apart, and joined again as those of two customers.
fn joined(told: &mut Vec<Change>) {
    let (mut survivor, opened) = Story::open(&Opening::numbered(102));
    told.push(opened);
    let (mut other, opened) = Story::open(&Opening { due_at: Some(second(900)), ..Opening::numbered(103) });
    told.push(opened);
    told.push(other.merge(&mut survivor));
    let at_rest = |story: &Story, status, event| {
        let place = Place { status, level: story.state().level, handler: None };
        Step::to(place, event)
    };
    let unmerged = at_rest(&other, Status::Queued, Event::Unmerged);
    let separated = at_rest(&survivor, Status::Queued, Event::Separated { other: other.id() });
    told.push(both(&other.then(vec![unmerged], None), &survivor.then(vec![separated], None)));

    let event = Event::Merged { into: Some(survivor.id()), reference: None, unanswered: true, by_consent: true };
    let merged = at_rest(&other, Status::Merged, event).saying("consent", "On the phone.");
    let event = Event::Absorbed {
        other: other.id(),
        received_at: survivor.state().received_at,
        theirs: Some(other.state().received_at),
        unread_since: Some(second(110)),
        customer: Some(CustomerId::new("jane@example.org").expect("constant")),
    };
    let absorbed = at_rest(&survivor, Status::Queued, event);
    told.push(both(&other.then(vec![merged], None), &survivor.then(vec![absorbed], None)));
    told.push(survivor.resolve());
    let event = Event::EndedElsewhere { how: EndElsewhere::Decided(Outcome::Upheld) };
    let elsewhere = at_rest(&other, Status::Merged, event);
    told.push(other.then(vec![elsewhere], None));
}

/// A complaint that is being told.
struct Tale<'a> {
    story: Story,
    told: &'a mut Vec<Change>,
}

/// Where the work goes.
#[derive(Clone, Copy)]
enum To<'a> {
    Queued,
    QueuedAt(u8),
    With(&'a AgentId),
    InProgress,
    AwaitingCustomer,
    AwaitingThirdParty,
    PendingApproval,
    Resolved,
    Ended(Status),
}

use To::{AwaitingCustomer, AwaitingThirdParty, Ended, InProgress, PendingApproval, Queued, QueuedAt, Resolved, With};

impl<'a> Tale<'a> {
    fn goes_on<'t>(&'t mut self, to: To<'_>, event: Event) -> Told<'t, 'a> {
        let state = self.story.state();
        let here = |status| Place { status, level: state.level, handler: state.handler.clone() };
        let place = match to {
            Queued => Place { handler: None, ..here(Status::Queued) },
            QueuedAt(number) => Place { level: level(number), handler: None, status: Status::Queued },
            With(agent) => Place { handler: Some(agent.clone()), ..here(Status::Assigned) },
            InProgress => here(Status::InProgress),
            AwaitingCustomer => here(Status::AwaitingCustomer),
            AwaitingThirdParty => here(Status::AwaitingThirdParty),
            PendingApproval => here(Status::PendingApproval),
            Resolved => here(Status::Resolved),
            Ended(status) => here(status),
        };
        Told { step: Step::to(place, event), tale: self }
    }

    fn proposed(&mut self, agent: &AgentId) {
        let event = Event::Proposed {
            agent: agent.clone(),
            outcome: Outcome::PartlyUpheld,
            cause: Some(cause()),
            remedies: remedies(),
        };
        self.goes_on(PendingApproval, event).by(&Party::Agent(agent.clone())).explained().done();
    }

    fn decided(&mut self, by: &AgentId, approved_by: Option<&AgentId>) {
        let event = Event::Resolved {
            outcome: Outcome::Upheld,
            cause: Some(cause()),
            remedies: remedies(),
            by: by.clone(),
            approved_by: approved_by.cloned(),
            given_on: Some(day(24)),
        };
        let owed = ClockChange::Paused {
            clock: ClockKind::AutoClose,
            instance: 1,
            left_micros: 5,
            cause: Some(PauseCause::OutstandingRemedy),
        };
        self.goes_on(Resolved, event)
            .by(&Party::Agent(by.clone()))
            .explained()
            .clock(ended(ClockKind::Resolution, Ending::Late))
            .clock(ClockChange::Started { deadline: Arc::new(clock(ClockKind::AutoClose)) })
            .clock(owed)
            .done();
    }
}

/// A step that is being told.
struct Told<'t, 'a> {
    step: Step,
    tale: &'t mut Tale<'a>,
}

impl Told<'_, '_> {
    fn by(mut self, party: &Party) -> Self {
        self.step.by = party.clone();
        self
    }

    fn saying(mut self, name: &str, text: &str) -> Self {
        self.step = self.step.saying(name, text);
        self
    }

    fn explained(self) -> Self {
        self.saying("explanation", "The box was too thin.")
            .saying("apology", "We are sorry.")
            .saying("next_steps", "Send it back.")
            .saying("remedy.1.instructions", "To the card you paid with.")
    }

    fn clock(mut self, change: ClockChange) -> Self {
        self.step.clocks.push(change);
        self
    }

    fn done(self) {
        let change = self.tale.story.then(vec![self.step], None);
        self.tale.told.push(change);
    }
}

/// Handed in by telephone, with everything that can be said.
fn submission() -> Entry {
    let legal = Deadline {
        promise: Some(LegalPromise {
            key: PromiseKey::new("summary-resolution").expect("constant"),
            kept_by: Milestone::FirstResponse,
            lapses: true,
        }),
        ..clock(ClockKind::Statutory)
    };
    let started = [clock(ClockKind::Resolution), clock(ClockKind::Level), legal];
    let simple = Story::open(&Opening::numbered(101)).0.log()[0].clone();
    let event = Event::Submitted {
        reference: Reference::from_entropy(101),
        customer: john(),
        channel: Channel::Phone,
        category: category("late-delivery"),
        priority: Priority::High,
        skills: ["late-delivery", "glass"].map(|skill| Skill::new(skill).expect("constant")).into(),
        area: Some(Area::new("north").expect("constant")),
        language: Some(Language::new("pt-br").expect("constant")),
        weight: 2,
        against: Some(agent_id("zoe")),
        items: vec![Item { kind: "order".into(), key: "A-1009 \u{4e2d}".into() }],
        purchase_date: Some(day(1)),
        incident_date: Some(day(2)),
        wish: Some(Wish::Refund),
        follows: Some(ComplaintId::from_uuid(Uuid::from_u128(77))),
        policy_version: 3,
    };
    Entry {
        version: Version::NONE.next(),
        by: Party::Admin(StaffId::new("root").expect("constant")),
        event,
        clocks: started.map(|deadline| ClockChange::Started { deadline: Arc::new(deadline) }).into(),
        words: Words::of("subject", "Parcel 101 is late")
            .and("description", "Two lines.\nAnd a tab:\t\u{1d11e}")
            .and("contact.name", "John \"Doe\"")
            .and("contact.email", "john@example.org")
            .and("contact.phone", "+44 20 7946 0018")
            .and("contact.address", "1 Long Lane\nLondon")
            .and("product", "Vase")
            .and("order_number", "A-1009")
            .and("answer.delivery", "At the \\ door"),
        ..simple
    }
}

fn customer() -> Party {
    Party::Customer(john())
}

fn staff() -> Party {
    Party::Agent(agent_id("asha"))
}

fn superior() -> Party {
    Party::Agent(agent_id("maria"))
}

fn john() -> CustomerId {
    Opening::numbered(101).customer
}

fn category(key: &str) -> CategoryKey {
    CategoryKey::new(key).expect("constant")
}

fn cause() -> CauseKey {
    CauseKey::new("packaging").expect("constant")
}

fn level(number: u8) -> Level {
    Level::new(number).expect("constant")
}

fn day(of_march: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, of_march).expect("constant")
}

fn file(number: u8) -> Attachment {
    Attachment {
        id: AttachmentId::from_uuid(Uuid::from_u128(u128::from(number))),
        file_name: String::new(),
        media_type: "image/png".into(),
        size: u64::from(number) << 33,
        sha256: format!("{number:064x}"),
    }
}

/// A refund with a day and a way, a thing again, and words that the decision itself delivers.
fn remedies() -> Vec<Remedy> {
    let refund = Remedy::refund("12.50 EUR").expect("constant").due_on(day(24));
    vec![refund, Remedy::replacement(), Remedy::of(RemedyKind::Apology)]
}

fn routing(chosen: &AgentId) -> Routing {
    let candidate = |agent: AgentId, rank, reasons| Candidate {
        agent,
        rank,
        workload: 3,
        capacity: 10,
        preferred: true,
        last_assigned_at: Some(second(-60)),
        reasons,
    };
    let refused = vec![
        Ineligible::Absent { until: second(86_400) },
        Ineligible::LacksSkills { skills: BTreeSet::from([Skill::new("glass").expect("constant")]) },
        Ineligible::NoCapacity { workload: 9, capacity: 10 },
    ];
    Routing {
        chosen: Some(chosen.clone()),
        by_hand: true,
        candidates: vec![candidate(chosen.clone(), Some(1), Vec::new()), candidate(agent_id("cho"), None, refused)],
        others: 4,
        weight: 2,
        eligible: 3,
        refused: BTreeMap::from([("off_shift".to_owned(), 2)]),
        together: 12,
    }
}

/// A clock of which everything is recorded that can be while it runs.
fn clock(kind: ClockKind) -> Deadline {
    // Each at another instant, so that what runs out next changes with what runs.
    let later =
        1_000 * ClockKind::ALL.iter().position(|known| *known == kind).map_or(0, |at| i64::try_from(at).unwrap_or(0));
    let due_at = second(2_000_000 + later);
    Deadline {
        calendar: Some("office".into()),
        warn_at: Some([second(1_500_000 + later), second(1_800_000 + later)]),
        ..running(kind, second(101), due_at)
    }
}

fn paused(clock: ClockKind, cause: PauseCause) -> ClockChange {
    ClockChange::Paused { clock, instance: 1, left_micros: 17, cause: Some(cause) }
}

fn resumed(clock: ClockKind, since: i64) -> ClockChange {
    let at = |later: i64| -> DateTime<Utc> { second(2_000_000 + later) };
    ClockChange::Resumed { clock, instance: 1, since: second(since), due_at: at(60), warn_at: [at(20), at(40)] }
}

fn ended(clock: ClockKind, how: Ending) -> ClockChange {
    ClockChange::Ended { clock, instance: 1, how }
}
