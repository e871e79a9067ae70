//! Made-up complaints and the changes that make them: something to commit without a policy, a desk or a clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use crate::actor::Party;
use crate::complaint::{
    Channel, CloseCause, Complaint, DismissalReason, Entry, EscalationCause, Event, Outcome, Place, Priority,
    ReleaseCause, Remedy, Words,
};
use crate::deadline::{ClockChange, ClockKind, Deadline, Ending, Segment, Span, SpanUnit};
use crate::id::{AgentId, CategoryKey, ComplaintId, CustomerId, Level, NoticeId};
use crate::lifecycle::{ReplayError, Status, begin, evolve, replay};
use crate::notice::{Notice, NoticeChannel, NoticeKind, Recipient};
use crate::reference::Reference;
use crate::routing::Routing;
use crate::store::{Change, IdempotencyKey, OpenLimit, Part, WorkloadDelta};

/// A made-up complaint that goes on: each method plans the next [`Change`] and takes it as committed.
///
/// The entries are as the lifecycle makes them, but no rule is asked, so that a store can be tried on any state. Each
/// change carries one notice to the customer.
///
/// ```
/// use complaint_core::conformance::{Opening, Story};
/// use complaint_core::Agent;
/// use complaint_core::store::{AgentStore, ComplaintStore, MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let store = MemoryStore::new();
/// let (mut story, opened) = Story::open(&Opening::numbered(1));
/// store.commit(&opened).await?;
/// store.commit(&story.acknowledge()).await?;
/// store.commit(&story.note("Called back.")).await?;
/// assert_eq!(store.load(story.id()).await?.as_ref(), Some(story.state()));
///
/// // As another process would go on with it:
/// let mut story = Story::resumed(store.log(story.id(), 0, u32::MAX).await?)?;
/// let asha = Agent::named("asha", "Asha Rao")?;
/// store.save(&asha).await?;
/// store.commit(&story.assign(&asha.id, None)).await?;
/// for change in [story.begin(), story.ask(), story.hold(), story.propose(), story.release(), story.refer()] {
///     store.commit(&change).await?;
/// }
/// store.commit(&story.close()).await?;
/// assert!(store.load(story.id()).await?.is_some_and(|it| it.status.is_end()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Story {
    state: Complaint,
    log: Vec<Entry>,
}

/// What a made-up complaint begins with.
///
/// ```
/// use complaint_core::conformance::{Opening, Story, second};
///
/// let opening = Opening { weight: 3, due_at: Some(second(60)), ..Opening::numbered(7) };
/// let (story, _) = Story::open(&opening);
/// assert_eq!((story.state().weight, story.state().received_at), (3, second(7)));
/// ```
#[derive(Debug, Clone)]
pub struct Opening {
    /// Makes the id and the reference; two stories with one number have both in common.
    pub number: u32,
    /// Who complains.
    pub customer: CustomerId,
    /// What it is about.
    pub category: CategoryKey,
    /// What it adds to a workload.
    pub weight: u32,
    /// Whom it is against.
    pub against: Option<AgentId>,
    /// One line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// The product.
    pub product: Option<String>,
    /// The order number.
    pub order_number: Option<String>,
    /// When it came in.
    pub received_at: DateTime<Utc>,
    /// When its clock runs out, if it has one.
    pub due_at: Option<DateTime<Utc>>,
}

/// An instant of the made-up time: this many seconds after its beginning.
///
/// # Panics
/// Beyond the instants that can be represented.
///
/// Example: [`Opening`].
pub fn second(number: i64) -> DateTime<Utc> {
    // A Monday in March 2026, with microseconds that a store must not lose.
    DateTime::from_timestamp_micros(1_772_442_000_123_456).expect("constant") + TimeDelta::seconds(number)
}

/// An agent's id from a short name.
///
/// # Panics
/// If the name is no host key.
///
/// ```
/// assert_eq!(complaint_core::conformance::agent_id("asha").as_str(), "asha");
/// ```
pub fn agent_id(name: &str) -> AgentId {
    AgentId::new(name).expect("a host key")
}

impl Opening {
    /// An ordinary complaint of weight 1 that came in that many seconds after the beginning of time.
    ///
    /// # Panics
    /// Never.
    pub fn numbered(number: u32) -> Self {
        Self {
            number,
            customer: CustomerId::new("john@example.org").expect("constant"),
            category: CategoryKey::new("late-delivery").expect("constant"),
            weight: 1,
            against: None,
            subject: format!("Parcel {number} is late"),
            description: "It was promised for Monday.".into(),
            product: None,
            order_number: None,
            received_at: second(i64::from(number)),
            due_at: None,
        }
    }

    fn id(&self) -> ComplaintId {
        // Multiplied, so that the order of ids is not that of numbers and a store cannot get the one for the other.
        let spread = u128::from(self.number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        ComplaintId::from_uuid(uuid::Builder::from_random_bytes(spread.to_be_bytes()).into_uuid())
    }
}

/// One entry to come.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) by: Party,
    pub(super) place: Place,
    pub(super) event: Event,
    pub(super) clocks: Vec<ClockChange>,
    pub(super) words: Words,
}

impl Step {
    /// What leaves the work there, done by nobody, with no clock touched and nothing typed.
    pub(super) fn to(place: Place, event: Event) -> Self {
        Self { by: Party::System, place, event, clocks: Vec::new(), words: Words::none() }
    }

    pub(super) fn saying(self, name: &str, text: &str) -> Self {
        Self { words: self.words.and(name, text), ..self }
    }
}

impl Story {
    /// A complaint handed in, and the change that hands it in.
    ///
    /// # Panics
    /// Never: a submission begins a complaint.
    pub fn open(opening: &Opening) -> (Self, Change) {
        let submitted = Event::Submitted {
            reference: Reference::from_entropy(u128::from(opening.number)),
            customer: opening.customer.clone(),
            channel: Channel::default(),
            category: opening.category.clone(),
            priority: Priority::default(),
            skills: BTreeSet::new(),
            area: None,
            language: None,
            weight: opening.weight,
            against: opening.against.clone(),
            items: Vec::new(),
            purchase_date: NaiveDate::from_ymd_opt(2026, 2, 27),
            incident_date: None,
            wish: None,
            follows: None,
            policy_version: 1,
        };
        let entry = Entry {
            complaint: opening.id(),
            seq: 1,
            version: crate::id::Version::NONE.next(),
            at: opening.received_at,
            by: Party::Customer(opening.customer.clone()),
            place: Place { status: Status::Queued, level: Level::FIRST, handler: None },
            event: submitted,
            clocks: opening
                .due_at
                .map(|due_at| ClockChange::Started {
                    deadline: Arc::new(running(ClockKind::Resolution, opening.received_at, due_at)),
                })
                .into_iter()
                .collect(),
            words: Words::of("subject", opening.subject.as_str())
                .and("description", opening.description.as_str())
                .and("contact.name", "John Ümlaut 🙂")
                .maybe("product", opening.product.as_deref())
                .maybe("order_number", opening.order_number.as_deref()),
        };
        Self::begun(entry)
    }

    /// A complaint that begins with this entry.
    pub(super) fn begun(entry: Entry) -> (Self, Change) {
        let state = begin(&entry).expect("a submission begins a complaint");
        let notice = notice(&state, &entry);
        let change = Change::new(
            vec![Part::new(crate::id::Version::NONE, state.clone(), vec![entry.clone()])],
            vec![notice],
            Vec::new(),
        );
        (Self { state, log: vec![entry] }, change)
    }

    /// A complaint that goes on from its whole log, as another process would find it.
    ///
    /// # Errors
    /// If it is no whole log.
    pub fn resumed(log: Vec<Entry>) -> Result<Self, ReplayError> {
        Ok(Self { state: replay(&log)?, log })
    }

    /// The state after the last change.
    pub fn state(&self) -> &Complaint {
        &self.state
    }

    /// All entries up to the last change.
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// Its id.
    pub fn id(&self) -> ComplaintId {
        self.state.id
    }

    /// All of it in one change without notices, for a store that is to be filled quickly and still with what its own commit
    /// makes of it.
    ///
    /// ```
    /// use complaint_core::conformance::{Opening, Story};
    ///
    /// let (mut story, _) = Story::open(&Opening::numbered(1));
    /// story.withdraw();
    /// let whole = story.told();
    /// assert_eq!((whole.parts()[0].entries().len(), whole.parts()[0].expected().get()), (2, 0));
    /// ```
    pub fn told(&self) -> Change {
        let workload = self.state.workload().map(|(agent, weight)| WorkloadDelta {
            agent: agent.clone(),
            delta: i64::from(weight),
            ceiling: None,
            assigned_at: self.log.last().map(|entry| entry.at),
        });
        let part = Part::new(crate::id::Version::NONE, self.state.clone(), self.log.clone());
        Change::new(vec![part], Vec::new(), workload.into_iter().collect())
    }

    /// An internal note.
    pub fn note(&mut self, text: &str) -> Change {
        let note = self.here(Event::Noted).saying("text", text);
        self.then(vec![note], None)
    }

    /// Acknowledged and noted in one change: two entries of one version.
    pub fn acknowledge(&mut self) -> Change {
        let note = self.here(Event::Noted).saying("text", "Told by telephone.");
        self.then(vec![self.here(Event::Acknowledged), note], None)
    }

    /// Given to an agent whose workload must not exceed the ceiling, if there is one.
    pub fn assign(&mut self, agent: &AgentId, ceiling: Option<u32>) -> Change {
        let assigned = self.assigned(agent);
        self.then(vec![assigned], ceiling)
    }

    fn assigned(&self, agent: &AgentId) -> Step {
        let routing = Routing { chosen: Some(agent.clone()), by_hand: true, ..Routing::default() };
        let event = match &self.state.handler {
            Some(from) => Event::Reassigned { from: from.clone(), to: agent.clone(), routing },
            None => Event::Assigned { agent: agent.clone(), routing },
        };
        Step::to(Place { status: Status::Assigned, handler: Some(agent.clone()), ..self.place() }, event)
    }

    /// Begun by its handler.
    pub fn begin(&mut self) -> Change {
        let begun = self.moved(Status::InProgress, Event::Begun);
        self.then(vec![begun], None)
    }

    /// A question that is with the customer.
    pub fn ask(&mut self) -> Change {
        let asked = self.moved(Status::AwaitingCustomer, Event::Asked).saying("text", "Which street?");
        self.then(vec![asked], None)
    }

    /// A third party must act.
    pub fn hold(&mut self) -> Change {
        let until = second(86_400).date_naive();
        let held = self.moved(Status::AwaitingThirdParty, Event::Held { until }).saying("party", "The carrier");
        self.then(vec![held], None)
    }

    /// A resolution that waits for a second person.
    pub fn propose(&mut self) -> Change {
        let remedies = vec![Remedy::replacement()];
        let event = Event::Proposed { agent: self.decider(), outcome: Outcome::PartlyUpheld, cause: None, remedies };
        let proposed = self.moved(Status::PendingApproval, event).saying("explanation", "It was half full.");
        self.then(vec![proposed], None)
    }

    /// Described anew, with another weight.
    pub fn triage(&mut self, category: &str, weight: u32) -> Change {
        let event = Event::Triaged {
            category: CategoryKey::new(category).unwrap_or_else(|_| self.state.category.clone()),
            priority: self.state.priority,
            skills: self.state.skills.clone(),
            area: self.state.area.clone(),
            weight,
        };
        let triaged = self.here(event).saying("reason", "Looked closer.");
        self.then(vec![triaged], None)
    }

    /// Back to the queue.
    pub fn release(&mut self) -> Change {
        let place = Place { status: Status::Queued, handler: None, ..self.place() };
        let event = Event::Released { agent: self.decider(), cause: ReleaseCause::ByHand };
        self.then(vec![Step::to(place, event).saying("reason", "Needed elsewhere.")], None)
    }

    /// Up the ladder by its clock, which is found to have run out if it runs.
    pub fn escalate(&mut self) -> Change {
        let clocks = match self.state.deadline(ClockKind::Resolution) {
            Some(clock) => vec![ClockChange::Missed { clock: clock.clock, instance: clock.instance }],
            None => Vec::new(),
        };
        let from = self.state.level;
        let place = Place { status: Status::Queued, level: from.above(), handler: None };
        let event = Event::Escalated { from, causes: vec![EscalationCause::Clock(ClockKind::Resolution)] };
        self.then(vec![Step { clocks, ..Step::to(place, event) }], None)
    }

    /// Decided by its handler; its clock ends.
    pub fn resolve(&mut self) -> Change {
        let event = Event::Resolved {
            outcome: Outcome::Upheld,
            cause: None,
            remedies: Vec::new(),
            by: self.decider(),
            approved_by: None,
            given_on: None,
        };
        let resolved = self.at_the_end(Status::Resolved, event).saying("explanation", "The depot was flooded.");
        self.then(vec![resolved], None)
    }

    /// Rated.
    pub fn rate(&mut self, score: u8) -> Change {
        let resolution = u32::try_from(self.state.resolutions.len()).unwrap_or(u32::MAX);
        let rated = self.here(Event::Rated { resolution, score, anonymous: false }).saying("comment", "So so.");
        self.then(vec![rated], None)
    }

    /// Finished.
    pub fn close(&mut self) -> Change {
        let closed = self.moved(Status::Closed, Event::Closed { cause: CloseCause::ByHand });
        self.then(vec![closed], None)
    }

    /// Taken back; its clock ends.
    pub fn withdraw(&mut self) -> Change {
        let withdrawn = self.at_the_end(Status::Withdrawn, Event::Withdrawn);
        self.then(vec![withdrawn], None)
    }

    /// Taken up again.
    pub fn reinstate(&mut self) -> Change {
        let reinstated = self.moved(Status::Queued, Event::Reinstated);
        self.then(vec![reinstated], None)
    }

    /// Not taken up; its clock ends.
    pub fn dismiss(&mut self) -> Change {
        let event = Event::Dismissed { reason: DismissalReason::OutOfScope, by: self.decider() };
        let dismissed = self.at_the_end(Status::Dismissed, event).saying("text", "It is your landlord's pipe.");
        self.then(vec![dismissed], None)
    }

    /// Passed on to another body; its clock ends.
    pub fn refer(&mut self) -> Change {
        let referred = self.at_the_end(Status::Referred, Event::Referred).saying("body", "The ombudsman");
        self.then(vec![referred], None)
    }

    /// Joined to another complaint, in one change of both; its clock ends.
    pub fn merge(&mut self, survivor: &mut Story) -> Change {
        let (into, reference) = (Some(survivor.id()), Some(survivor.state.reference));
        let event = Event::Merged { into, reference, unanswered: false, by_consent: false };
        let absorbed = Event::Absorbed {
            other: self.id(),
            received_at: self.state.received_at.min(survivor.state.received_at),
            theirs: Some(self.state.received_at),
            unread_since: self.state.unread_since,
            customer: None,
        };
        let (merged, absorbed) = (self.at_the_end(Status::Merged, event), survivor.here(absorbed));
        both(&self.then(vec![merged], None), &survivor.then(vec![absorbed], None))
    }

    fn clock_ends(&self) -> Vec<ClockChange> {
        let clock = self.state.deadline(ClockKind::Resolution);
        clock
            .map(|clock| ClockChange::Ended { clock: clock.clock, instance: clock.instance, how: Ending::Met })
            .into_iter()
            .collect()
    }

    fn decider(&self) -> AgentId {
        self.state.handler.clone().unwrap_or_else(|| agent_id("nobody"))
    }

    pub(super) fn place(&self) -> Place {
        Place { status: self.state.status, level: self.state.level, handler: self.state.handler.clone() }
    }

    /// What happens without moving it.
    fn here(&self, event: Event) -> Step {
        Step::to(self.place(), event)
    }

    fn moved(&self, status: Status, event: Event) -> Step {
        Step::to(Place { status, ..self.place() }, event)
    }

    fn at_the_end(&self, status: Status, event: Event) -> Step {
        Step { clocks: self.clock_ends(), ..self.moved(status, event) }
    }

    /// The change that these steps make of it.
    pub(super) fn then(&mut self, steps: Vec<Step>, ceiling: Option<u32>) -> Change {
        let before = self.state.clone();
        let mut entries = Vec::new();
        for Step { by, place, event, clocks, words } in steps {
            let entry = Entry {
                complaint: before.id,
                seq: self.state.entries + 1,
                version: before.version.next(),
                at: self.log.last().map_or(before.received_at, |last| last.at) + TimeDelta::seconds(1),
                by,
                place,
                event,
                clocks,
                words,
            };
            self.state = evolve(self.state.clone(), &entry);
            entries.push(entry);
        }
        self.log.extend(entries.iter().cloned());
        let notices = entries.last().map(|entry| notice(&self.state, entry)).into_iter().collect();
        let mut given = entries.iter().filter_map(|entry| match &entry.event {
            Event::Assigned { agent, .. } | Event::Reassigned { to: agent, .. } => Some((agent, entry.at)),
            _ => None,
        });
        let workload = deltas(&before, &self.state, ceiling, given.next_back());
        Change::new(vec![Part::new(before.version, self.state.clone(), entries)], notices, workload)
    }
}

/// One change that holds both, as joining two complaints does. Neither a limit nor an idempotency key is kept.
///
/// ```
/// use complaint_core::conformance::{Opening, Story, both};
///
/// let (_, first) = Story::open(&Opening::numbered(1));
/// let (_, second) = Story::open(&Opening::numbered(2));
/// assert_eq!(both(&first, &second).parts().len(), 2);
/// ```
pub fn both(first: &Change, second: &Change) -> Change {
    let join = |pick: fn(&Change) -> Vec<Part>| pick(first).into_iter().chain(pick(second)).collect();
    let notices = first.notices().iter().chain(second.notices()).cloned().collect();
    let mut workload = first.workload().to_vec();
    for delta in second.workload() {
        match workload.iter_mut().find(|known| known.agent == delta.agent) {
            Some(known) => known.delta += delta.delta,
            None => workload.push(delta.clone()),
        }
    }
    Change::new(join(|change| change.parts().to_vec()), notices, workload)
}

/// The change under a limit of open complaints of a customer.
///
/// ```
/// use complaint_core::conformance::{Opening, Story, within};
///
/// let (story, opened) = Story::open(&Opening::numbered(1));
/// let change = within(opened, &story.state().customer, 5);
/// assert_eq!(change.open_limit().map(|limit| limit.most), Some(5));
/// ```
pub fn within(change: Change, customer: &CustomerId, most: u32) -> Change {
    change.within(Some(OpenLimit { customer: customer.clone(), most }))
}

/// The change under an idempotency key.
///
/// # Panics
/// If owner or key are none.
///
/// ```
/// use complaint_core::conformance::{Opening, Story, under_key};
///
/// let (story, opened) = Story::open(&Opening::numbered(1));
/// let change = under_key(opened, "customer:john", "form-7", "digest");
/// let (key, recalled) = change.idempotency().expect("a key");
/// assert_eq!((key.key(), recalled.complaint), ("form-7", story.id()));
/// ```
pub fn under_key(change: Change, owner: &str, key: &str, fingerprint: &str) -> Change {
    change.under_key(IdempotencyKey::new(owner, key).expect("a key"), fingerprint.to_owned())
}

fn deltas(
    before: &Complaint,
    after: &Complaint,
    ceiling: Option<u32>,
    given: Option<(&AgentId, DateTime<Utc>)>,
) -> Vec<WorkloadDelta> {
    let held = |complaint: &Complaint, agent: &AgentId| match complaint.workload() {
        Some((handler, weight)) if handler == agent => i64::from(weight),
        _ => 0,
    };
    let agents: BTreeSet<&AgentId> =
        [before, after].into_iter().filter_map(|c| c.workload()).map(|(id, _)| id).collect();
    agents
        .into_iter()
        .map(|agent| {
            let delta = held(after, agent) - held(before, agent);
            WorkloadDelta {
                agent: agent.clone(),
                delta,
                ceiling: if delta > 0 { ceiling } else { None },
                assigned_at: given.filter(|(to, _)| *to == agent).map(|(_, at)| at),
            }
        })
        .filter(|delta| delta.delta != 0 || delta.assigned_at.is_some())
        .collect()
}

/// A clock that runs from one instant to another.
pub(super) fn running(clock: ClockKind, from: DateTime<Utc>, due_at: DateTime<Utc>) -> Deadline {
    Deadline {
        clock,
        instance: 1,
        promise: None,
        target: Span::new(8, SpanUnit::Weeks),
        calendar: None,
        policy_version: 1,
        started_at: from,
        total_micros: (due_at - from).num_microseconds().unwrap_or(0).unsigned_abs(),
        due_at: Some(due_at),
        warn_at: None,
        left_micros: None,
        warned: 0,
        missed_at: None,
        ended: None,
        segments: vec![Segment { from, to: None, ran: true, cause: None }],
    }
}

fn notice(state: &Complaint, entry: &Entry) -> Notice {
    let id = state.id.as_uuid().as_u128() ^ (u128::from(entry.seq) << 96);
    Notice {
        id: NoticeId::from_uuid(Uuid::from_u128(id)),
        recipient: Recipient::Customer(state.customer.clone()),
        channel: NoticeChannel::Email,
        kind: if entry.seq == 1 { NoticeKind::Received } else { NoticeKind::Message },
        complaint: state.id,
        reference: state.reference,
        subject: state.subject.clone(),
        status: state.status,
        level: state.level,
        handler: state.handler.clone(),
        text: Some("Words for the customer.".into()),
        address: None,
        due_at: state.promised_at(),
        due_on: None,
        next_at: None,
        out_of_sight: false,
        owed: false,
        rated: false,
        deniable_until: None,
        happening: None,
        planned_at: entry.at,
    }
}
