//! A complaint, in a list and whole.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use complaint_core::Actor;
use complaint_core::complaint::{Complaint, Contact, Decision, Feedback, RemedyPromise, RemedyState};
use complaint_core::deadline::ClockKind;
use complaint_core::id::CauseKey;
use complaint_core::lifecycle::Context;
use complaint_core::policy::Policy;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Audience, Doer, Lens, Part, Person};

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
    #[schema(example = "C7KQ-2M9X-B")]
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
    #[schema(value_type = StaffRowPart, inline)]
    staff: Option<StaffRow>,
}

type StaffRowPart = Part<StaffRow>;

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
    /// The complaint it was joined to; one of another customer is named to staff alone.
    joined_to: Option<String>,
    /// Whether that is another customer's, and this one's agreed.
    joined_by_consent: bool,
    /// How that one ended: what became of it, and the outcome where it was decided.
    #[schema(value_type = Option<Object>, example = json!({ "end": "decided", "outcome": "upheld" }))]
    ended_elsewhere: Option<complaint_core::complaint::EndElsewhere>,
    /// The finished complaint it follows up.
    follows: Option<String>,
    #[schema(value_type = String, example = "web")]
    channel: complaint_core::complaint::Channel,
    /// What people wrote; `withheld` stands in its place for admins.
    #[serde(flatten)]
    content: Content,
    /// Agents and auditors only.
    #[serde(flatten)]
    #[schema(value_type = InternalPart, inline)]
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

type InternalPart = Part<Internal>;

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

impl Lens {
    /// Where the work is, in the viewer's words.
    pub fn status_label(&self, complaint: &Complaint) -> String {
        if self.audience.is_internal() {
            return complaint.status.label().to_owned();
        }
        let handler = complaint.handler.as_ref().map(|handler| self.agent_name(handler));
        let survivor = complaint.merged_into.and_then(|id| self.references.get(&id.to_string()).copied());
        complaint.status_for_customer(handler.as_deref(), survivor)
    }

    /// A complaint in a list.
    pub fn row(&self, complaint: &Complaint) -> ComplaintRow {
        let internal = self.audience.is_internal();
        ComplaintRow {
            id: complaint.id.to_string(),
            reference: complaint.reference.to_string(),
            status: complaint.status.name(),
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
            joined_by_consent: complaint.joined_by_consent,
            ended_elsewhere: complaint.ended_elsewhere,
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

    fn resolution(&self, resolution: &Decision) -> ResolutionView {
        ResolutionView {
            at: resolution.at,
            level: resolution.level.get(),
            level_name: self.policy.level_name(resolution.level).to_owned(),
            by: self.person(&resolution.by),
            outcome: resolution.outcome,
            outcome_label: resolution.outcome.label(),
            cause: resolution.cause.as_ref().map(|key| self.cause(key)),
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
}

/// What a cause is called; one that left the policy by its key.
pub fn cause_name(policy: &Policy, key: &CauseKey) -> String {
    policy.cause(key).map_or_else(|| key.to_string(), |cause| cause.name.clone())
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

pub(super) fn attachment(complaint: &Complaint, file: &complaint_core::complaint::Attachment) -> AttachmentView {
    AttachmentView {
        id: file.id.to_string(),
        file_name: file.file_name.clone(),
        media_type: file.media_type.clone(),
        size: file.size,
        href: format!("/api/v1/complaints/{}/attachments/{}", complaint.id, file.id),
    }
}
