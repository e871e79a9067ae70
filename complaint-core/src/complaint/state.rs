//! The state of a complaint: what lists and pages read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Attachment, Channel, Decision, Dismissal, EndElsewhere, EscalationCause, Feedback, Item, Outcome, Priority,
    Proposal, RemedyPromise, Wish,
};
use crate::actor::{Actor, Party};
use crate::deadline::{ClockKind, Deadline};
use crate::id::{AgentId, Area, CategoryKey, ComplaintId, CustomerId, Language, Level, PromiseKey, Skill, Version};
use crate::lifecycle::{CommandName, Field, Status, rule};
use crate::policy::Policy;
use crate::reference::Reference;
use crate::routing::Routing;

/// A complaint: an expression of dissatisfaction with a remedy or an answer expected (ISO 10002).
///
/// Every field is what folding the log with [`evolve`](crate::lifecycle::evolve) gives; nothing else writes here.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let complaint = desk.acting_as(Actor::agent(&asha)).read(receipt.id()).await?;
/// assert_eq!((complaint.status.name(), complaint.version.get()), ("assigned", 1));
/// assert_eq!(complaint.status_for_customer(Some("Asha Rao"), None), "Assigned to Asha Rao");
/// assert_eq!(complaint.workload(), Some((&asha.id, 1)));
/// assert!(complaint.promised_at() > Some(complaint.received_at));
/// assert!(complaint.resolution().is_none(), "nobody has decided yet");
/// assert!(!complaint.has_missed_deadline() && complaint.broken_promise(desk.now()).is_none());
/// assert!(!complaint.is_barred(&asha.id), "she decided nothing that was contested");
///
/// // What customers see of it counts only what they may know.
/// let john = Actor::customer("john")?;
/// assert_eq!(complaint.status_for(&john).name(), "assigned");
/// assert!(complaint.version_for(&john) <= complaint.version && complaint.status_since_for(&john) <= desk.now());
/// use complaint_core::lifecycle::{CommandName, Field};
/// assert!(complaint.requires(CommandName::Resolve, Field::Explanation, &Actor::agent(&asha), &desk.policy()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Complaint {
    /// Its id.
    pub id: ComplaintId,
    /// The number people quote.
    pub reference: Reference,
    /// How often it was changed.
    pub version: Version,
    /// How often it was changed in a way that the customer may know of: the version that customers see, so that not
    /// even the number of internal notes shows.
    #[serde(default)]
    pub public_version: Version,
    /// The version of the latest such change.
    #[serde(default)]
    pub public_change: Version,
    /// How many entries its log has.
    pub entries: u32,
    /// Who complains, or for whom.
    pub customer: CustomerId,
    /// Who took it down, where the customer did not submit it themself.
    pub recorded_by: Option<Party>,
    /// The way it came in.
    pub channel: Channel,
    /// When it came in; day zero of every deadline.
    pub received_at: DateTime<Utc>,
    /// The policy then in force.
    pub policy_version: u64,

    /// What it is about.
    pub category: CategoryKey,
    /// How urgent it is.
    pub priority: Priority,
    /// What a handler must know.
    pub skills: BTreeSet<Skill>,
    /// Where it belongs.
    pub area: Option<Area>,
    /// The customer's language.
    pub language: Option<Language>,
    /// What it adds to a handler's workload.
    pub weight: u32,
    /// The agent it is against, excluded everywhere.
    pub against: Option<AgentId>,
    /// Things of the host it concerns.
    pub items: Vec<Item>,

    /// One line.
    pub subject: String,
    /// What happened.
    pub description: String,
    /// How to reach the customer about it.
    pub contact: Contact,
    /// The product or service.
    pub product: Option<String>,
    /// The order, contract or booking number.
    pub order_number: Option<String>,
    /// When it was bought.
    pub purchase_date: Option<NaiveDate>,
    /// When it went wrong.
    pub incident_date: Option<NaiveDate>,
    /// What would put it right.
    pub wish: Option<Wish>,
    /// Answers to the category's own questions, by question key.
    pub answers: BTreeMap<String, String>,

    /// Where the work is.
    pub status: Status,
    /// Since when.
    pub status_since: DateTime<Utc>,
    /// Since when it is so as the customer sees it: what happens among staff alone does not move it.
    #[serde(default)]
    pub public_status_since: DateTime<Utc>,
    /// The step of the ladder.
    pub level: Level,
    /// How often a level was entered, from 1; numbers the level clocks.
    pub level_entries: u32,
    /// The level that the customer's contest brought it to: they were told who looks at it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested_to: Option<Level>,
    /// Who holds it; after the decision, who held it last.
    pub handler: Option<AgentId>,
    /// How often it was given to a handler; numbers the acceptance clocks.
    pub assignments: u32,
    /// Why this handler.
    pub routing: Option<Arc<Routing>>,
    /// Who may not get it any more, and why.
    pub exclusions: Vec<Exclusion>,
    /// How it went up the ladder.
    pub escalations: Vec<Escalation>,

    /// When the customer was told that it is here.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// When a handler first began.
    pub first_action_at: Option<DateTime<Utc>>,
    /// When a person first wrote to the customer.
    pub first_response_at: Option<DateTime<Utc>>,
    /// How many questions were asked; numbers the silence clocks.
    pub questions: u32,
    /// The question that is with the customer.
    pub question: Option<Question>,
    /// A customer's message that the handler has not read, since when.
    pub unread_since: Option<DateTime<Utc>>,
    /// How many resolutions were proposed; numbers the approval clocks.
    pub proposals: u32,
    /// The resolution that waits for a second person.
    pub proposal: Option<Proposal>,
    /// Whom everybody waits for, and until when.
    pub awaited: Option<NaiveDate>,

    /// How often it was decided or dismissed; with the remedies that failed, numbers the contest windows.
    pub decisions: u32,
    /// Everyone who took part in a decision or dismissal, in order of the first time; excluded once it is contested.
    #[serde(default)]
    pub deciders: Vec<AgentId>,
    /// Every decision, oldest first; the last one stands unless it was contested.
    pub resolutions: Vec<Decision>,
    /// What was promised, numbered from 1.
    pub remedies: Vec<RemedyPromise>,
    /// Ratings, at most one per resolution.
    pub feedback: Vec<Feedback>,
    /// Why it was not taken up, and when.
    pub dismissal: Option<Dismissal>,
    /// The complaint it was joined to.
    pub merged_into: Option<ComplaintId>,
    /// Whether that is another customer's, and this one's agreed: neither learns of the other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined_by_consent: bool,
    /// How that one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_elsewhere: Option<EndElsewhere>,
    /// Complaints joined to it.
    pub absorbed: Vec<ComplaintId>,
    /// Of those the ones of other customers, who agreed, and whose they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consents: BTreeMap<ComplaintId, CustomerId>,
    /// When it and those joined to it were received; empty where none ever was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receipts: BTreeMap<ComplaintId, DateTime<Utc>>,
    /// The finished complaint it follows up.
    pub follows: Option<ComplaintId>,
    /// The body it was passed to.
    pub referred_to: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// How many of the files came from the customer; the others came from staff.
    #[serde(default)]
    pub files_by_customer: u32,
    /// Every clock it ever had, in the order they started. Shared between the states before and after a change, most of
    /// which leave most of them alone.
    pub deadlines: Vec<Arc<Deadline>>,
}

/// How to reach a customer about one complaint. Each at most 200 characters on one line; the address may have several.
///
/// ```
/// use complaint_core::Complaint;
/// use complaint_core::complaint::Contact;
///
/// let contact = Contact { email: Some("john@example.org".into()), ..Contact::default() };
/// let about = Complaint::about("Water supply", "No water", "Since Monday.")?.contact(contact);
/// assert_eq!(about.contact.phone, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contact {
    /// The name to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// An agent who may not get a complaint any more.
///
/// ```
/// use complaint_core::complaint::{Exclusion, ExclusionCause};
/// use complaint_core::id::Level;
/// use complaint_core::lifecycle::{Command, CommandName};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let declined = Command::with_reason(CommandName::Decline, "He is my neighbour.");
/// let complaint = desk.acting_as(Actor::agent(&asha)).perform(receipt.id(), declined).await?;
/// let cause = ExclusionCause::Declined(Level::FIRST);
/// assert_eq!(complaint.exclusion(&asha.id), Some(cause));
/// assert_eq!(complaint.exclusions, [Exclusion { agent: asha.id, cause }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Who.
    pub agent: AgentId,
    /// Why, and how far it reaches.
    pub cause: ExclusionCause,
}

/// Why an agent is excluded.
///
/// Example: [`Exclusion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", content = "level", rename_all = "snake_case")]
pub enum ExclusionCause {
    /// They declined it: excluded at that level.
    Declined(Level),
    /// It was taken from them because they did not begin, or were away: excluded at that level.
    Released(Level),
    /// They held or decided it before it was contested: excluded for good.
    Decided,
}

impl ExclusionCause {
    /// Whether it keeps an agent from a complaint at this level.
    pub(crate) fn holds_at(self, level: Level) -> bool {
        match self {
            Self::Declined(at) | Self::Released(at) => at == level,
            Self::Decided => true,
        }
    }
}

/// One step up the ladder.
///
/// ```
/// use complaint_core::complaint::EscalationCause;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// let complaint = asha.escalate(receipt.id(), "The valve is not ours to turn.").await?;
/// let step = &complaint.escalations[0];
/// assert_eq!((step.from.get(), step.to.get()), (1, 2));
/// assert_eq!(step.causes, [EscalationCause::Handler]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// When.
    pub at: DateTime<Utc>,
    /// The level it left.
    pub from: Level,
    /// The level it reached.
    pub to: Level,
    /// Who held it.
    pub handler: Option<AgentId>,
    /// What they had proposed, where it waited for a second person: it fell, undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Outcome>,
    /// Every cause.
    pub causes: Vec<EscalationCause>,
}

/// A question that is with the customer.
///
/// ```
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// let complaint = asha.ask(receipt.id(), "Which street?").await?;
/// assert_eq!(complaint.question.map(|question| question.seq), Some(complaint.entries));
///
/// let complaint = john.answer(receipt.id(), "Canal Street.").await?;
/// assert_eq!(complaint.question, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its entry in the log.
    pub seq: u32,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
}

impl Complaint {
    /// What it adds to its handler's workload now, if it has an open handler.
    pub fn workload(&self) -> Option<(&AgentId, u32)> {
        match (&self.handler, self.status.is_open()) {
            (Some(agent), true) => Some((agent, self.weight)),
            _ => None,
        }
    }

    /// The version as this actor sees and quotes it: for a customer only changes they may know of count.
    pub fn version_for(&self, actor: &Actor) -> Version {
        match actor.party() {
            Party::Customer(_) => self.public_version,
            _ => self.version,
        }
    }

    /// The status as this actor sees it.
    pub fn status_for(&self, actor: &Actor) -> Status {
        match actor.party() {
            Party::Customer(_) => self.status.for_customer(),
            _ => self.status,
        }
    }

    /// Since when it has the [status that this actor sees](Self::status_for).
    pub fn status_since_for(&self, actor: &Actor) -> DateTime<Utc> {
        match actor.party() {
            Party::Customer(_) => self.public_status_since,
            _ => self.status_since,
        }
    }

    /// The decision that stands: the last one, if it was not contested.
    pub fn resolution(&self) -> Option<&Decision> {
        self.resolutions.last().filter(|resolution| resolution.contested_at.is_none())
    }

    /// Who took part in what the customer was answered: the dismissal, or the decision that stands.
    pub(crate) fn answered_by(&self) -> Vec<&AgentId> {
        match (&self.dismissal, self.resolution()) {
            (Some(dismissal), _) => vec![&dismissal.by],
            (None, Some(resolution)) => [&resolution.by].into_iter().chain(&resolution.approved_by).collect(),
            (None, None) => Vec::new(),
        }
    }

    /// A clock that has started and not ended; of several of one kind, that which runs out first. What merely lapses is
    /// left out.
    pub fn deadline(&self, clock: ClockKind) -> Option<&Deadline> {
        let running = self.deadlines.iter().rev().filter(|it| it.clock == clock && it.ended.is_none() && !it.lapses());
        running.min_by_key(|deadline| deadline.due_at).map(Arc::as_ref)
    }

    /// A promise of the law that has started and not ended, e.g. an opportunity that has not lapsed.
    pub fn promise(&self, key: &PromiseKey) -> Option<&Deadline> {
        let is_it = |it: &Deadline| it.promise.as_ref().is_some_and(|promise| promise.key == *key);
        self.deadlines.iter().rev().map(Arc::as_ref).find(|deadline| is_it(deadline) && deadline.ended.is_none())
    }

    /// What the customer can look ahead to: that a person writes, a decision, or what the law sets; of the dates that still
    /// hold the earliest. How long each level has is the organisation's own business, and no promise. Whether anybody can keep
    /// it, the staff say: [`Acting::without_promise`](crate::desk::Acting::without_promise).
    pub fn promised(&self, now: DateTime<Utc>) -> Option<&Deadline> {
        self.promises().filter(|deadline| deadline.due_at > Some(now)).min_by_key(|deadline| deadline.due_at)
    }

    /// What the customer still waits for although its date is over; of several the latest.
    pub fn broken_promise(&self, now: DateTime<Utc>) -> Option<&Deadline> {
        let broken = self.promises().filter(|deadline| deadline.due_at <= Some(now));
        broken.max_by_key(|deadline| deadline.due_at)
    }

    /// The earliest date that the customer waits for, whether it was kept or not: what is late is the most pressing.
    pub fn promised_at(&self) -> Option<DateTime<Utc>> {
        self.promises().filter_map(|deadline| deadline.due_at).min()
    }

    fn promises(&self) -> impl Iterator<Item = &Deadline> {
        let deadlines = self.deadlines.iter().map(Arc::as_ref);
        // An opportunity is the house's own: nobody was told that it would be used.
        deadlines.filter(|it| it.clock.is_promise() && it.ended.is_none() && it.due_at.is_some() && !it.lapses())
    }

    /// Whether a command is refused without this field here: as everywhere, or as this complaint stands and by who acts.
    pub fn requires(&self, command: CommandName, field: Field, actor: &Actor, policy: &Policy) -> bool {
        match (command, field) {
            // What staff record in the customer's name says on what ground.
            (CommandName::Accept | CommandName::AcceptRemedy | CommandName::DeclineRemedy, Field::OptionalReason) => {
                actor.customer_id().is_none()
            }
            (CommandName::Contest, Field::NewEvidence) => self.is_final(policy),
            // The system's is the cause that its event names.
            (CommandName::Release | CommandName::Escalate, Field::Reason) => *actor.party() != Party::System,
            (_, Field::Cause) => policy.cause_required,
            (CommandName::Resume, Field::OptionalReason) => self.question.is_some(),
            // Of a single one everybody knows which is meant.
            (command, Field::Remedy) => self.remedies_for(command, actor).nth(1).is_some(),
            _ => field.is_required(),
        }
    }

    /// Whether the last level has decided, so that only new evidence opens it again. A promise that was not kept is
    /// nothing that it has decided about.
    pub(crate) fn is_final(&self, policy: &Policy) -> bool {
        let is_decided = rule(CommandName::Contest).from.contains(&self.status);
        self.level >= policy.last_level() && is_decided && !self.has_failed_remedy()
    }

    /// Where the work is, in the customer's words. `handler` is what the handler is called, `survivor` the reference of
    /// the complaint it was joined to.
    pub fn status_for_customer(&self, handler: Option<&str>, survivor: Option<Reference>) -> String {
        let with =
            |words: &str, name: Option<String>| name.map_or(words.to_owned(), |name| format!("{words} to {name}"));
        match self.status {
            Status::Resolved if self.resolution().is_some_and(|it| it.accepted_at.is_none()) => {
                "Resolved: please confirm".into()
            }
            Status::Assigned => with(Status::Assigned.customer_label(), handler.map(str::to_owned)),
            Status::Merged if self.joined_by_consent => "Joined to another complaint".into(),
            Status::Merged => with(Status::Merged.customer_label(), survivor.map(|survivor| survivor.to_string())),
            Status::Referred => with(Status::Referred.customer_label(), self.referred_to.clone()),
            status => status.customer_label().into(),
        }
    }

    /// Why an agent may not hold it, decide it or be given it, at its present level.
    pub fn exclusion(&self, agent: &AgentId) -> Option<ExclusionCause> {
        self.exclusions
            .iter()
            .find(|exclusion| exclusion.agent == *agent && exclusion.cause.holds_at(self.level))
            .map(|exclusion| exclusion.cause)
    }

    /// Whether an agent held or decided it before it was contested, and so never decides here again.
    pub fn is_barred(&self, agent: &AgentId) -> bool {
        self.exclusions.iter().any(|exclusion| exclusion.agent == *agent && exclusion.cause == ExclusionCause::Decided)
    }

    /// Whether a deadline was missed that still runs, at whatever level it was missed. It takes more for the customer to escalate:
    /// [`Guard::DeadlineMissed`](crate::lifecycle::Guard::DeadlineMissed).
    pub fn has_missed_deadline(&self) -> bool {
        self.deadlines.iter().any(|deadline| deadline.missed_at.is_some() && deadline.ended.is_none())
    }
}
