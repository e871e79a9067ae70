//! What each audience sees of a complaint, in one place.
//!
//! A customer sees no notes, scores, explanations of routing, nor ids of staff. An admin sees that things happened, not what was
//! written. Agents and auditors see everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use complaint_core::actor::Party;
use complaint_core::agent::{Agent, Member};
use complaint_core::complaint::{
    Complaint, Contact, DismissalReason, Entry, Event, Feedback, Outcome, Priority, RemedyKind, RemedyPromise,
    RemedyState, Resolution,
};
use complaint_core::deadline::{ClockKind, Deadline};
use complaint_core::desk::Acting;
use complaint_core::id::{AgentId, CauseKey, ComplaintId, CustomerId};
use complaint_core::lifecycle::{Availability, CommandName, Context, Field};
use complaint_core::policy::{Category, Policy};
use complaint_core::reference::Reference;
use complaint_core::routing::Routing;
use complaint_core::{Actor, DeskError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::AuthError;
use crate::error::Problem;
use crate::state::AppState;

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whose complaint it is.
    Customer,
    /// Those who handle complaints, and the auditor.
    Staff,
    /// Runs the system; content is not theirs to read.
    Admin,
}

impl Audience {
    /// The audience an actor belongs to.
    pub fn of(actor: &Actor) -> Self {
        match actor.party() {
            Party::Customer(_) => Self::Customer,
            Party::Admin(_) => Self::Admin,
            Party::Agent(_) | Party::Auditor(_) | Party::System => Self::Staff,
        }
    }

    /// Whether they may read what people wrote.
    pub fn reads_content(self) -> bool {
        self != Self::Admin
    }

    /// Whether they may see who was considered and why, and what is kept among staff.
    pub fn is_internal(self) -> bool {
        self != Self::Customer
    }
}

/// What a view needs beside the complaint: names, the policy, who looks.
pub struct Lens {
    /// Who looks.
    pub audience: Audience,
    policy: std::sync::Arc<Policy>,
    now: DateTime<Utc>,
    agents: BTreeMap<AgentId, Agent>,
    customers: BTreeMap<CustomerId, String>,
    references: BTreeMap<String, Reference>,
    /// Complaints for which nobody can keep a date.
    without_promise: BTreeSet<ComplaintId>,
}

/// Somebody, as far as the viewer may know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// Left out for customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What they are called.
    name: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Doer {
    /// `customer`, `agent`, `admin`, `auditor` or `system`.
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// A category by key and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CategoryName {
    #[schema(example = "damaged-goods")]
    key: String,
    #[schema(example = "Damaged goods")]
    name: String,
}

/// A complaint in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComplaintRow {
    id: String,
    #[schema(example = "C7KQ-2M9X-4")]
    reference: String,
    #[schema(example = "in_progress")]
    status: &'static str,
    /// In the viewer's words.
    status_label: String,
    level: u8,
    level_name: String,
    version: u64,
    handler: Option<Person>,
    category: CategoryName,
    /// Left out for admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    received_at: DateTime<Utc>,
    status_since: DateTime<Utc>,
    /// The next date that holds.
    promised_at: Option<DateTime<Utc>>,
    /// The date that was promised and not kept, while the customer still waits for it.
    promise_broken_at: Option<DateTime<Utc>>,
    /// A question is with the customer.
    question_open: bool,
    /// Staff only.
    #[serde(flatten)]
    #[schema(value_type = Option<StaffRow>)]
    staff: Option<StaffRow>,
}

/// What staff see beside it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StaffRow {
    customer: Person,
    #[schema(value_type = String, example = "normal")]
    priority: complaint_core::complaint::Priority,
    /// A deadline was missed and still runs.
    overdue: bool,
    /// Since when a message of the customer is unread.
    unread_since: Option<DateTime<Utc>>,
}

/// A complaint as this viewer may see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComplaintView {
    #[serde(flatten)]
    row: ComplaintRow,
    acknowledged_at: Option<DateTime<Utc>>,
    /// When it can no longer be contested.
    contest_until: Option<DateTime<Utc>>,
    /// To the customer: whether they rated the decision low and can contest it for a reason alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    offers_contest: Option<bool>,
    /// When it closes by itself.
    closes_at: Option<DateTime<Utc>>,
    /// The complaint it was joined to.
    joined_to: Option<String>,
    /// The finished complaint it follows up.
    follows: Option<String>,
    #[schema(value_type = String, example = "web")]
    channel: complaint_core::complaint::Channel,
    /// What people wrote; `withheld` stands in its place for admins.
    #[serde(flatten)]
    content: Content,
    /// Agents and auditors only.
    #[serde(flatten)]
    #[schema(value_type = Option<Internal>)]
    internal: Option<Internal>,
}

/// What people wrote.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Content {
    /// In full.
    Open(Box<OpenContent>),
    /// Not for this viewer.
    Withheld {
        /// Always `withheld`.
        #[schema(example = "withheld")]
        content: &'static str,
    },
}

/// What people wrote and decided.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenContent {
    description: String,
    #[schema(value_type = Object)]
    contact: Contact,
    product: Option<String>,
    order_number: Option<String>,
    purchase_date: Option<NaiveDate>,
    incident_date: Option<NaiveDate>,
    #[schema(value_type = Option<String>, example = "replacement")]
    wish: Option<complaint_core::complaint::Wish>,
    answers: BTreeMap<String, String>,
    items: Vec<ItemView>,
    resolutions: Vec<ResolutionView>,
    remedies: Vec<RemedyView>,
    feedback: Vec<FeedbackView>,
    dismissal: Option<DismissalView>,
    /// The body it was passed to.
    referred_to: Option<String>,
    attachments: Vec<AttachmentView>,
}

/// A thing of the organisation that it concerns.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemView {
    kind: String,
    key: String,
}

/// A decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResolutionView {
    at: DateTime<Utc>,
    level: u8,
    level_name: String,
    by: Person,
    #[schema(value_type = String, example = "upheld")]
    outcome: complaint_core::complaint::Outcome,
    outcome_label: &'static str,
    /// Why things went wrong, as the organisation sees it; left out for customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseView>,
    explanation: String,
    apology: Option<String>,
    next_steps: Option<String>,
    accepted_at: Option<DateTime<Utc>>,
    /// Who took down that the customer agreed, where they did not say so here themself.
    recorded_by: Option<Doer>,
    contested_at: Option<DateTime<Utc>>,
}

/// Why things went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CauseView {
    #[schema(example = "packaging")]
    key: String,
    name: String,
}

/// A remedy in the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RemedyView {
    /// Its number on this complaint, from 1.
    number: u32,
    /// The resolution that promised it, from 1.
    resolution: u32,
    #[schema(value_type = String, example = "replacement")]
    kind: complaint_core::complaint::RemedyKind,
    kind_label: &'static str,
    #[schema(value_type = Option<String>, example = "12.50 EUR")]
    amount: Option<complaint_core::money::Money>,
    due_on: Option<NaiveDate>,
    instructions: Option<String>,
    /// `offered`, `accepted`, `declined`, `fulfilled`, `failed`, or `lapsed` with a decision that stands no more.
    #[schema(value_type = String, example = "offered")]
    state: RemedyState,
    /// Whether it is owed: neither delivered nor declined. One that failed is owed until it is made good.
    outstanding: bool,
    /// Whether it is owed and its day is over, as the alarm has found.
    late: bool,
    accepted_at: Option<DateTime<Utc>>,
    declined_at: Option<DateTime<Utc>>,
    /// Who took down that the customer wants it, or does not, where they did not say so here themself.
    recorded_by: Option<Doer>,
    failed_at: Option<DateTime<Utc>>,
    /// Why it was declined, or failed.
    reason: Option<String>,
    fulfilled_on: Option<NaiveDate>,
    evidence: Option<String>,
}

/// A rating.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedbackView {
    /// The resolution it is about, from 1.
    resolution: u32,
    #[schema(minimum = 1, maximum = 5)]
    score: u8,
    comment: Option<String>,
    at: DateTime<Utc>,
    /// Whether agents and auditors are kept from seeing it.
    anonymous: bool,
}

/// Why it was not taken up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DismissalView {
    at: DateTime<Utc>,
    #[schema(value_type = String, example = "out_of_scope")]
    reason: complaint_core::complaint::DismissalReason,
    reason_label: &'static str,
    text: String,
}

/// A file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttachmentView {
    id: String,
    file_name: String,
    #[schema(example = "image/png")]
    media_type: String,
    /// In bytes.
    size: u64,
    /// Where to download it.
    href: String,
}

/// What is kept among staff.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Internal {
    skills: Vec<String>,
    area: Option<String>,
    language: Option<String>,
    weight: u32,
    /// The agent it is against.
    against: Option<Person>,
    /// Who took it down, where the customer did not submit it themself.
    recorded_by: Option<Doer>,
    first_response_at: Option<DateTime<Utc>>,
    /// Agents who may not get it any more.
    excluded: Vec<Person>,
    escalations: Vec<EscalationView>,
    /// A resolution that waits for a second person.
    #[schema(value_type = Option<Object>)]
    proposal: Option<Value>,
    policy_version: u64,
}

/// One step up the ladder.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EscalationView {
    at: DateTime<Utc>,
    from: u8,
    to: u8,
    handler: Option<Person>,
    #[schema(value_type = Vec<Object>)]
    causes: Value,
}

/// One line of a log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryView {
    /// From 1 without gaps, in what this viewer sees.
    seq: u32,
    /// The version of the complaint it belongs to; left out for customers, whom gaps would tell of internal work.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    at: DateTime<Utc>,
    actor: Doer,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "assigned")]
    kind: String,
    /// Its facts.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
    /// Where the work was afterwards.
    status: &'static str,
    level: u8,
    handler: Option<Person>,
    /// What was typed.
    words: BTreeMap<String, String>,
}

/// One message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    at: DateTime<Utc>,
    from: Doer,
    /// `question`, `answer`, `message`, `decision`, `files`.
    kind: &'static str,
    /// Left out for admins, and where only files were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentView>,
}

/// One clock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadlineView {
    #[schema(example = "resolution")]
    clock: &'static str,
    label: &'static str,
    /// Which of its kind; of the clocks of remedies, the number of the remedy.
    instance: u32,
    #[schema(example = "20 working days")]
    target: String,
    calendar: Option<String>,
    started_at: DateTime<Utc>,
    /// When it runs out; none while it is paused.
    due_at: Option<DateTime<Utc>>,
    paused: bool,
    missed_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// `met`, `late` or `cancelled`.
    #[schema(value_type = Option<String>)]
    ending: Option<complaint_core::deadline::Ending>,
    /// Stretches of running and pausing, oldest first.
    segments: Vec<SegmentView>,
}

/// A stretch of a clock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SegmentView {
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    ran: bool,
}

/// Why this handler, or why nobody yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoutingView {
    chosen: Option<Person>,
    /// Whether a person chose instead of the router.
    by_hand: bool,
    /// One sentence.
    explanation: String,
    /// Best first, then those who were not eligible.
    candidates: Vec<CandidateView>,
    /// Agents not listed.
    others: u32,
}

/// One agent who was considered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CandidateView {
    agent: Person,
    /// Place among the eligible, from 1.
    rank: Option<u32>,
    workload: u32,
    capacity: u32,
    /// The superior it was escalated to.
    preferred: bool,
    last_assigned_at: Option<DateTime<Utc>>,
    reasons: Vec<ReasonView>,
}

/// Why not.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReasonView {
    #[schema(example = "lacks_skills")]
    code: &'static str,
    message: String,
}

/// One command, and whether the viewer may give it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandView {
    #[schema(example = "resolve")]
    name: &'static str,
    label: &'static str,
    allowed: bool,
    /// Every reason against it that does not depend on what is sent.
    refusals: Vec<RefusalView>,
    fields: Vec<FieldView>,
}

/// Why not now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusalView {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
    /// What would satisfy it.
    remedy: String,
}

/// A field of a command's body.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    name: &'static str,
    label: &'static str,
    required: bool,
    #[serde(rename = "type")]
    kind: FieldKind,
    /// What can be chosen, where it is one of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<ChoiceView>,
    /// The fields of each item, where the items of a list are objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    fields: Vec<FieldView>,
}

/// What is given in a field: text, a whole number, a day as in `2026-11-30`, true or false, a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// A day, as in `2026-11-30`.
    Day,
    /// True or false.
    Flag,
    /// A list: of texts, or of objects with the named fields.
    List,
}

/// One thing that can be chosen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoiceView {
    /// What is sent.
    #[schema(example = "upheld")]
    key: String,
    /// What people read.
    name: String,
}

/// The body of a command: every field that any command reads. Which reads which, `GET /api/v1/lifecycle` says.
pub struct CommandBody;

/// A category as it can be chosen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CategoryView {
    key: String,
    name: String,
    description: String,
    questions: Vec<QuestionView>,
    /// Staff only.
    #[serde(flatten)]
    #[schema(value_type = Option<CategoryRules>)]
    rules: Option<CategoryRules>,
}

/// A question of a category.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QuestionView {
    key: String,
    label: String,
    required: bool,
}

/// What a category does.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CategoryRules {
    active: bool,
    skills: Vec<String>,
    #[schema(value_type = String)]
    priority: complaint_core::complaint::Priority,
    weight: u32,
    area: Option<String>,
    #[schema(value_type = Object)]
    targets: Value,
}

/// An agent with what they hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgentView {
    pub(super) id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    level: u8,
    level_name: String,
    skills: Vec<String>,
    areas: Vec<String>,
    languages: Vec<String>,
    capacity: u32,
    workload: u32,
    /// Whether they can be given work now.
    available: bool,
    enabled: bool,
    absence: Option<AbsenceView>,
    reports_to: Option<Person>,
    last_assigned_at: Option<DateTime<Utc>>,
}

/// A stretch of absence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AbsenceView {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Lens {
    /// What is needed to show these complaints to whoever acts.
    pub async fn over(state: &AppState, acting: &Acting, complaints: &[Complaint]) -> Result<Self, Problem> {
        let audience = Audience::of(acting.actor());
        let mut customers = BTreeMap::new();
        let mut references = BTreeMap::new();
        for complaint in complaints {
            if !customers.contains_key(&complaint.customer) {
                match state.accounts.account(complaint.customer.as_str()).await {
                    Ok(account) => {
                        customers.insert(complaint.customer.clone(), account.name);
                    }
                    Err(AuthError::NoSuchAccount) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            for other in [complaint.merged_into, complaint.follows].into_iter().flatten() {
                // One that the viewer may not see stays unnamed.
                match acting.read(other).await {
                    Ok(other) => {
                        references.insert(other.id.to_string(), other.reference);
                    }
                    Err(DeskError::NotFound) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let without_promise = acting.without_promise(complaints).await?;
        Ok(Self { customers, references, without_promise, ..Self::plain(state, audience).await? })
    }

    /// What is needed to show agents, categories and numbers.
    pub async fn plain(state: &AppState, audience: Audience) -> Result<Self, Problem> {
        let roster = state.desk.store().roster().await.map_err(DeskError::from)?;
        Ok(Self {
            audience,
            policy: state.desk.policy(),
            now: state.desk.now(),
            agents: roster.into_iter().map(|member| (member.agent.id.clone(), member.agent)).collect(),
            customers: BTreeMap::new(),
            references: BTreeMap::new(),
            without_promise: BTreeSet::new(),
        })
    }

    /// What an agent is called.
    pub fn agent_name(&self, id: &AgentId) -> String {
        self.agents.get(id).map_or_else(|| "a former colleague".to_owned(), |agent| agent.name.clone())
    }

    /// Where the work is, in the viewer's words.
    pub fn status_label(&self, complaint: &Complaint) -> String {
        if self.audience.is_internal() {
            return complaint.status.label().to_owned();
        }
        let handler = complaint.handler.as_ref().map(|handler| self.agent_name(handler));
        let survivor = complaint.merged_into.and_then(|id| self.references.get(&id.to_string()).copied());
        complaint.status_for_customer(handler.as_deref(), survivor)
    }

    fn shown(&self, status: complaint_core::lifecycle::Status) -> complaint_core::lifecycle::Status {
        if self.audience.is_internal() { status } else { status.for_customer() }
    }

    /// A complaint in a list.
    pub fn row(&self, complaint: &Complaint) -> ComplaintRow {
        let internal = self.audience.is_internal();
        ComplaintRow {
            id: complaint.id.to_string(),
            reference: complaint.reference.to_string(),
            status: self.shown(complaint.status).name(),
            status_label: self.status_label(complaint),
            level: complaint.level.get(),
            level_name: self.policy.level_name(complaint.level).to_owned(),
            version: complaint.version.get(),
            handler: complaint.handler.as_ref().map(|handler| self.person(handler)),
            category: CategoryName {
                key: complaint.category.to_string(),
                name: self
                    .policy
                    .category(&complaint.category)
                    .map_or_else(|| complaint.category.to_string(), |category| category.name.clone()),
            },
            subject: self.audience.reads_content().then(|| complaint.subject.clone()),
            received_at: complaint.received_at,
            status_since: complaint.status_since,
            promised_at: complaint
                .promised(self.now)
                .filter(|_| !self.without_promise.contains(&complaint.id))
                .and_then(|deadline| deadline.due_at),
            promise_broken_at: complaint.broken_promise(self.now).and_then(|deadline| deadline.due_at),
            question_open: complaint.question.is_some(),
            staff: internal.then(|| StaffRow {
                customer: self.customer(complaint),
                priority: complaint.priority,
                overdue: complaint.has_missed_deadline(),
                unread_since: complaint.unread_since,
            }),
        }
    }

    /// A whole complaint.
    pub fn complaint(&self, complaint: &Complaint) -> ComplaintView {
        let due = |clock| complaint.deadline(clock).and_then(|deadline| deadline.due_at);
        let content = if self.audience.reads_content() {
            Content::Open(Box::new(self.content(complaint)))
        } else {
            Content::Withheld { content: "withheld" }
        };
        let reference =
            |id: complaint_core::id::ComplaintId| self.references.get(&id.to_string()).map(ToString::to_string);
        ComplaintView {
            row: self.row(complaint),
            acknowledged_at: complaint.acknowledged_at,
            contest_until: due(ClockKind::ContestWindow),
            offers_contest: (self.audience == Audience::Customer).then(|| {
                let customer = Actor::customer(complaint.customer.clone());
                let there = Context::new(&self.policy, self.now);
                customer.is_ok_and(|customer| complaint.offers_contest(&customer, &there))
            }),
            closes_at: due(ClockKind::AutoClose),
            joined_to: complaint.merged_into.and_then(reference),
            follows: complaint.follows.and_then(reference),
            channel: complaint.channel,
            content,
            internal: (self.audience == Audience::Staff).then(|| self.internal(complaint)),
        }
    }

    fn content(&self, complaint: &Complaint) -> OpenContent {
        OpenContent {
            description: complaint.description.clone(),
            contact: complaint.contact.clone(),
            product: complaint.product.clone(),
            order_number: complaint.order_number.clone(),
            purchase_date: complaint.purchase_date,
            incident_date: complaint.incident_date,
            wish: complaint.wish,
            answers: complaint.answers.clone(),
            items: complaint
                .items
                .iter()
                .map(|item| ItemView { kind: item.kind.clone(), key: item.key.clone() })
                .collect(),
            resolutions: complaint.resolutions.iter().map(|resolution| self.resolution(resolution)).collect(),
            remedies: complaint.remedies.iter().map(|promise| self.remedy(promise, complaint)).collect(),
            feedback: complaint.feedback.iter().map(feedback).collect(),
            dismissal: complaint.dismissal.as_ref().map(|dismissal| DismissalView {
                at: dismissal.at,
                reason: dismissal.reason,
                reason_label: dismissal.reason.label(),
                text: dismissal.text.clone(),
            }),
            referred_to: complaint.referred_to.clone(),
            attachments: complaint.attachments.iter().map(|file| attachment(complaint, file)).collect(),
        }
    }

    fn internal(&self, complaint: &Complaint) -> Internal {
        Internal {
            skills: complaint.skills.iter().map(ToString::to_string).collect(),
            area: complaint.area.as_ref().map(ToString::to_string),
            language: complaint.language.as_ref().map(ToString::to_string),
            weight: complaint.weight,
            against: complaint.against.as_ref().map(|agent| self.person(agent)),
            recorded_by: complaint.recorded_by.as_ref().map(|by| self.doer(by)),
            first_response_at: complaint.first_response_at,
            excluded: complaint.exclusions.iter().map(|exclusion| self.person(&exclusion.agent)).collect(),
            escalations: complaint
                .escalations
                .iter()
                .map(|step| EscalationView {
                    at: step.at,
                    from: step.from.get(),
                    to: step.to.get(),
                    handler: step.handler.as_ref().map(|handler| self.person(handler)),
                    causes: json!(step.causes),
                })
                .collect(),
            proposal: complaint.proposal.as_ref().map(|proposal| {
                json!({
                    "by": self.person(&proposal.by),
                    "at": proposal.at,
                    "outcome": proposal.outcome,
                    "cause": proposal.cause.as_ref().map(|key| self.cause(key)),
                    "remedies": proposal.remedies,
                    "explanation": proposal.explanation,
                    "apology": proposal.apology,
                    "next_steps": proposal.next_steps,
                })
            }),
            policy_version: complaint.policy_version,
        }
    }

    /// The log, already filtered by the core for whoever acts.
    pub fn entry(&self, entry: &Entry) -> EntryView {
        let (kind, facts) = self.facts(&entry.event);
        EntryView {
            seq: entry.seq,
            version: self.audience.is_internal().then(|| entry.version.get()),
            at: entry.at,
            actor: self.doer(&entry.by),
            kind,
            facts,
            status: self.shown(entry.place.status).name(),
            level: entry.place.level.get(),
            handler: entry.place.handler.as_ref().map(|handler| self.person(handler)),
            words: entry.words.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        }
    }

    /// A message of the conversation, if this entry of the log as whoever acts may see it is one.
    pub fn message(&self, complaint: &Complaint, entry: &Entry) -> Option<MessageView> {
        let (kind, word) = message_of(entry)?;
        let shown = if self.audience.reads_content() { entry.event.attachments() } else { &[] };
        let attachments = complaint
            .attachments
            .iter()
            .filter(|known| shown.iter().any(|file| file.id == known.id))
            .map(|file| attachment(complaint, file))
            .collect();
        Some(MessageView {
            at: entry.at,
            from: self.doer(&entry.by),
            kind,
            text: entry.words.get(word).map(str::to_owned),
            attachments,
        })
    }

    /// The clocks this viewer is told of.
    pub fn deadlines(&self, complaint: &Complaint) -> Vec<DeadlineView> {
        // A customer is given no date that nobody can keep; what was missed stays known.
        let untold = !self.audience.is_internal() && self.without_promise.contains(&complaint.id);
        let told = |it: &&Deadline| !untold || it.ended.is_some() || it.due_at <= Some(self.now);
        complaint.deadlines.iter().filter(told).map(deadline).collect()
    }

    /// Who was considered and why.
    pub fn routing(&self, routing: &Routing) -> RoutingView {
        // Routings of before 0.1 did not count them.
        let listed = routing.candidates.iter().filter(|candidate| candidate.rank.is_some()).count();
        let eligible = (routing.eligible as usize).max(listed);
        let explanation = match (&routing.chosen, routing.by_hand) {
            (Some(agent), true) => format!("{} was chosen by hand.", self.agent_name(agent)),
            (Some(agent), false) if routing.together > 0 => format!(
                "{} has the expertise needed and was chosen among {eligible} eligible as the best for all {} complaints \
                 that were routed together.",
                self.agent_name(agent),
                routing.together
            ),
            (Some(agent), false) => format!(
                "{} has the expertise needed and, of {eligible} eligible, the lowest workload for their capacity.",
                self.agent_name(agent)
            ),
            (None, _) => "Nobody is eligible at the moment.".to_owned(),
        };
        RoutingView {
            chosen: routing.chosen.as_ref().map(|agent| self.person(agent)),
            by_hand: routing.by_hand,
            explanation,
            candidates: routing
                .candidates
                .iter()
                .map(|candidate| CandidateView {
                    agent: self.person(&candidate.agent),
                    rank: candidate.rank,
                    workload: candidate.workload,
                    capacity: candidate.capacity,
                    preferred: candidate.preferred,
                    last_assigned_at: candidate.last_assigned_at,
                    reasons: candidate
                        .reasons
                        .iter()
                        .map(|reason| ReasonView { code: reason.code(), message: reason.message() })
                        .collect(),
                })
                .collect(),
            others: routing.others,
        }
    }

    /// An agent with what they hold.
    pub fn agent(&self, member: &Member, account: Option<(&str, Option<&str>)>, now: DateTime<Utc>) -> AgentView {
        let agent = &member.agent;
        AgentView {
            id: agent.id.to_string(),
            name: agent.name.clone(),
            email: account.map(|(email, _)| email.to_owned()),
            phone: account.and_then(|(_, phone)| phone).map(str::to_owned),
            level: agent.level.get(),
            level_name: self.policy.level_name(agent.level).to_owned(),
            skills: agent.skills.iter().map(ToString::to_string).collect(),
            areas: agent.areas.iter().map(ToString::to_string).collect(),
            languages: agent.languages.iter().map(ToString::to_string).collect(),
            capacity: agent.capacity,
            workload: member.workload,
            available: agent.is_available(now),
            enabled: agent.enabled,
            absence: agent.absence.map(|absence| AbsenceView { from: absence.from, until: absence.until }),
            reports_to: agent.reports_to.as_ref().map(|superior| self.person(superior)),
            last_assigned_at: member.last_assigned_at,
        }
    }

    fn resolution(&self, resolution: &Resolution) -> ResolutionView {
        ResolutionView {
            at: resolution.at,
            level: resolution.level.get(),
            level_name: self.policy.level_name(resolution.level).to_owned(),
            by: self.person(&resolution.by),
            outcome: resolution.outcome,
            outcome_label: resolution.outcome.label(),
            cause: resolution.cause.as_ref().filter(|_| self.audience.is_internal()).map(|key| self.cause(key)),
            explanation: resolution.explanation.clone(),
            apology: resolution.apology.clone(),
            next_steps: resolution.next_steps.clone(),
            accepted_at: resolution.accepted_at,
            recorded_by: resolution.recorded_by.as_ref().map(|by| self.doer(by)),
            contested_at: resolution.contested_at,
        }
    }

    fn cause(&self, key: &CauseKey) -> CauseView {
        CauseView { key: key.to_string(), name: cause_name(&self.policy, key) }
    }

    fn person(&self, agent: &AgentId) -> Person {
        Person { id: self.audience.is_internal().then(|| agent.to_string()), name: self.agent_name(agent) }
    }

    fn customer(&self, complaint: &Complaint) -> Person {
        // Never the contact name: what somebody typed there could be the name of one of our own.
        let name = self.customers.get(&complaint.customer).cloned();
        Person { id: Some(complaint.customer.to_string()), name: name.unwrap_or_else(|| "Customer".to_owned()) }
    }

    fn remedy(&self, promise: &RemedyPromise, complaint: &Complaint) -> RemedyView {
        let reason = promise.declined.as_ref().or(promise.failed.as_ref()).and_then(|step| step.text.clone());
        RemedyView {
            number: promise.number,
            resolution: promise.resolution,
            kind: promise.remedy.kind,
            kind_label: promise.remedy.kind.label(),
            amount: promise.remedy.amount,
            due_on: promise.remedy.due_on,
            instructions: promise.remedy.instructions.clone(),
            state: complaint.remedy_state(promise),
            outstanding: complaint.outstanding_remedies().any(|outstanding| outstanding.number == promise.number),
            late: complaint.is_late(promise),
            accepted_at: promise.accepted.as_ref().map(|step| step.at),
            declined_at: promise.declined.as_ref().map(|step| step.at),
            recorded_by: promise.recorded_by().map(|by| self.doer(by)),
            failed_at: promise.failed.as_ref().map(|step| step.at),
            reason,
            fulfilled_on: promise.fulfilled_on,
            evidence: promise.fulfilled.as_ref().and_then(|step| step.text.clone()),
        }
    }

    fn doer(&self, party: &Party) -> Doer {
        let (id, name) = match party {
            Party::Customer(id) => (Some(id.to_string()), self.customers.get(id).cloned()),
            Party::Agent(id) => (Some(id.to_string()), Some(self.agent_name(id))),
            Party::Admin(id) | Party::Auditor(id) => (Some(id.to_string()), None),
            Party::System => (None, None),
        };
        Doer { role: party.role(), id: id.filter(|_| self.audience.is_internal()), name }
    }

    /// The name of an event and its facts. For customers the facts are picked one by one: what is added to an event later stays inside
    /// until somebody decides otherwise.
    fn facts(&self, event: &Event) -> (String, Map<String, Value>) {
        let mut facts = match serde_json::to_value(event) {
            Ok(Value::Object(facts)) => facts,
            _ => Map::new(),
        };
        let kind = facts.remove("type").and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        if let Event::Proposed { remedies, .. } | Event::Resolved { remedies, .. } = event {
            let shown = facts.get_mut("remedies").and_then(Value::as_array_mut).into_iter().flatten();
            for (shown, remedy) in shown.zip(remedies) {
                shown["kind_label"] = json!(remedy.kind.label());
            }
        }
        if self.audience.is_internal() {
            // What a file is called are words, and stands beside the facts.
            for file in facts.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(file) = file.as_object_mut() {
                    file.remove("file_name");
                }
            }
            return (kind, facts);
        }
        let handler = match event {
            Event::Assigned { agent: to, .. } | Event::Reassigned { to, .. } => Some(self.agent_name(to)),
            _ => None,
        };
        let public = [
            "category",
            "wish",
            "purchase_date",
            "incident_date",
            "channel",
            "until",
            "outcome",
            "remedies",
            "remedy",
            "on",
            "score",
            "anonymous",
            "new_evidence",
            "reason",
            "clock",
            "clocks",
        ];
        facts.retain(|name, _| public.contains(&name.as_str()));
        // Of other events the cause is kept among staff.
        if let Event::Closed { cause } = event {
            facts.insert("cause".to_owned(), json!(cause));
        }
        if let Some(handler) = handler {
            facts.insert("handler".to_owned(), json!({ "name": handler }));
        }
        (kind, facts)
    }
}

/// What kind of message an entry is, and the name of its text; none if it is no message.
pub fn message_of(entry: &Entry) -> Option<(&'static str, &'static str)> {
    Some(match &entry.event {
        Event::Asked => ("question", "text"),
        Event::Answered { .. } => ("answer", "text"),
        Event::Posted { .. } => ("message", "text"),
        Event::Resolved { .. } => ("decision", "explanation"),
        Event::Attached { .. } => ("files", "text"),
        _ => return None,
    })
}

/// What an actor may do now, and why not the rest.
pub fn command(availability: &Availability, policy: &Policy) -> CommandView {
    let name = availability.command;
    CommandView {
        name: name.name(),
        label: name.label(),
        allowed: availability.allowed,
        refusals: availability
            .failed
            .iter()
            .map(|failed| RefusalView {
                code: failed.code,
                field: failed.field.clone(),
                message: failed.message.clone(),
                remedy: failed.remedy.clone(),
            })
            .collect(),
        fields: name
            .fields()
            .iter()
            .map(|field| field_view(*field, availability.required.contains(field), policy))
            .collect(),
    }
}

/// What a command reads, with what can be chosen. Categories and agents, which may be many, have lists of their own.
pub fn field_view(field: Field, required: bool, policy: &Policy) -> FieldView {
    let choices = match field {
        Field::Cause => {
            let active = policy.causes.iter().filter(|cause| cause.active);
            active.map(|cause| ChoiceView { key: cause.key.to_string(), name: cause.name.clone() }).collect()
        }
        // That one has a command of its own.
        Field::Outcome => {
            choices(Outcome::ALL.iter().filter(|it| **it != Outcome::ResolvedAtSource), |it| (it.name(), it.label()))
        }
        Field::Dismissal => choices(DismissalReason::ALL, |it| (it.name(), it.label())),
        Field::Priority => choices(Priority::ALL, |it| (it.name(), it.label())),
        _ => Vec::new(),
    };
    let kind = match field {
        Field::Until | Field::On => FieldKind::Day,
        Field::Remedy | Field::Weight | Field::Score => FieldKind::Number,
        Field::OverCapacity | Field::Anonymous => FieldKind::Flag,
        Field::Remedies | Field::Skills | Field::Files | Field::OptionalFiles => FieldKind::List,
        _ => FieldKind::Text,
    };
    let fields = if field == Field::Remedies { remedy_fields() } else { Vec::new() };
    FieldView { name: field.name(), label: field.label(), required, kind, choices, fields }
}

fn remedy_fields() -> Vec<FieldView> {
    let part =
        |name, label, required, kind, choices| FieldView { name, label, required, kind, choices, fields: Vec::new() };
    vec![
        part("kind", "Kind", true, FieldKind::Text, choices(RemedyKind::ALL, |it| (it.name(), it.label()))),
        part("amount", "Amount, as in 12.50 EUR", false, FieldKind::Text, Vec::new()),
        part("due_on", "Promised for", false, FieldKind::Day, Vec::new()),
        part("instructions", "How the customer proceeds", false, FieldKind::Text, Vec::new()),
    ]
}

fn choices<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a T>,
    said: impl Fn(&T) -> (&'static str, &'static str),
) -> Vec<ChoiceView> {
    let choice = |(key, name): (&str, &str)| ChoiceView { key: key.to_owned(), name: name.to_owned() };
    all.into_iter().map(|it| choice(said(it))).collect()
}

impl ToSchema for CommandBody {}

impl PartialSchema for CommandBody {
    fn schema() -> RefOr<Schema> {
        let policy = Policy::standard();
        let mut fields: BTreeMap<&str, Vec<(&str, FieldView)>> = BTreeMap::new();
        for command in CommandName::ALL {
            for field in command.fields() {
                let view = field_view(*field, field.is_required(), &policy);
                fields.entry(view.name).or_default().push((command.name(), view));
            }
        }
        let body = fields.into_iter().fold(ObjectBuilder::new(), |body, (name, read)| {
            let needed = |(command, view): &(&str, FieldView)| {
                format!("`{command}`{}", if view.required { " (needed)" } else { "" })
            };
            let mut said = format!("Read by {}.", read.iter().map(needed).collect::<Vec<_>>().join(", "));
            let lists = |view: &FieldView| view.choices.iter().map(|it| it.key.clone()).collect::<Vec<_>>();
            // One name with a list at one command and free words at another.
            let mixed = read.iter().any(|(_, view)| view.choices.is_empty());
            for (command, view) in read.iter().filter(|(_, view)| mixed && !view.choices.is_empty()) {
                let _ = write!(said, " At `{command}` one of {}.", lists(view).join(", "));
            }
            let first = read.into_iter().map(|(_, view)| view).next();
            let of_policy = name == Field::Cause.name();
            match first {
                Some(view) if mixed || of_policy => {
                    body.property(name, described(&FieldView { choices: Vec::new(), ..view }, said))
                }
                Some(view) => body.property(name, described(&view, said)),
                None => body,
            }
        });
        body.description(Some("Every field that any command reads; each command refuses those it does not.")).into()
    }
}

fn described(view: &FieldView, said: String) -> RefOr<Schema> {
    let plain = |kind| ObjectBuilder::new().schema_type(kind);
    let one = match view.kind {
        FieldKind::Number => plain(Type::Integer),
        FieldKind::Flag => plain(Type::Boolean),
        FieldKind::Day => plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
        FieldKind::Text if view.choices.is_empty() => plain(Type::String),
        FieldKind::Text => plain(Type::String).enum_values(Some(view.choices.iter().map(|choice| choice.key.clone()))),
        FieldKind::List if view.fields.is_empty() => {
            return ArrayBuilder::new().items(plain(Type::String)).description(Some(said)).into();
        }
        FieldKind::List => {
            let item = view.fields.iter().fold(ObjectBuilder::new(), |item, part| {
                let item = item.property(part.name, described(part, part.label.to_owned()));
                if part.required { item.required(part.name) } else { item }
            });
            return ArrayBuilder::new().items(item).description(Some(said)).into();
        }
    };
    one.description(Some(said)).into()
}

/// What a cause is called; one that left the policy by its key.
pub fn cause_name(policy: &Policy, key: &CauseKey) -> String {
    policy.cause(key).map_or_else(|| key.to_string(), |cause| cause.name.clone())
}

/// A category; its rules are for staff.
pub fn category(category: &Category, with_rules: bool) -> CategoryView {
    CategoryView {
        key: category.key.to_string(),
        name: category.name.clone(),
        description: category.description.clone(),
        questions: category
            .questions
            .iter()
            .map(|question| QuestionView {
                key: question.key.clone(),
                label: question.label.clone(),
                required: question.required,
            })
            .collect(),
        rules: with_rules.then(|| CategoryRules {
            active: category.active,
            skills: category.needed_skills().iter().map(ToString::to_string).collect(),
            priority: category.priority,
            weight: category.weight,
            area: category.area.as_ref().map(ToString::to_string),
            targets: json!(category.targets),
        }),
    }
}

fn feedback(feedback: &Feedback) -> FeedbackView {
    FeedbackView {
        resolution: feedback.resolution,
        score: feedback.score,
        comment: feedback.comment.clone(),
        at: feedback.first_given_at,
        anonymous: feedback.anonymous,
    }
}

fn attachment(complaint: &Complaint, file: &complaint_core::complaint::Attachment) -> AttachmentView {
    AttachmentView {
        id: file.id.to_string(),
        file_name: file.file_name.clone(),
        media_type: file.media_type.clone(),
        size: file.size,
        href: format!("/api/v1/complaints/{}/attachments/{}", complaint.id, file.id),
    }
}

fn deadline(deadline: &Deadline) -> DeadlineView {
    DeadlineView {
        clock: deadline.clock.name(),
        label: deadline.clock.label(),
        instance: deadline.instance,
        target: deadline.target.to_string(),
        calendar: deadline.calendar.as_deref().map(str::to_owned),
        started_at: deadline.started_at,
        due_at: deadline.due_at,
        paused: deadline.ended.is_none() && deadline.due_at.is_none(),
        missed_at: deadline.missed_at,
        ended_at: deadline.ended.map(|ended| ended.at),
        ending: deadline.ended.map(|ended| ended.how),
        segments: deadline
            .segments
            .iter()
            .map(|segment| SegmentView { from: segment.from, to: segment.to, ran: segment.ran })
            .collect(),
    }
}
