//! What happened: facts only. Every name here is stored for ever; golden files hold each of them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::closed_list::closed_list;
use super::{Attachment, Channel, DismissalReason, Item, Outcome, Priority, Remedy, Wish};
use crate::deadline::ClockKind;
use crate::id::{AgentId, Area, CategoryKey, CauseKey, ComplaintId, CustomerId, Language, Level, Skill};
use crate::reference::Reference;
use crate::routing::Routing;

/// What happened to a complaint: ids, enums, instants and amounts. What people typed stands beside it as
/// [`Words`](super::Words); remedies and attachments appear here without their texts.
///
/// ```
/// use complaint_core::complaint::Event;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let log = desk.whole_log(receipt.id()).await?;
/// let events: Vec<Event> = log.into_iter().map(|entry| entry.event).collect();
/// assert!(matches!(events[0], Event::Submitted { .. }));
/// assert_eq!(events[1], Event::Acknowledged);
/// assert!(matches!(&events[2], Event::Assigned { agent, .. } if *agent == asha.id));
/// assert_eq!(serde_json::to_string(&Event::Begun)?, r#"{"type":"begun"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Handed in. Words: `subject`, `description`, `contact.*`, `product`, `order_number`, `answer.*`.
    Submitted {
        /// The number people quote.
        reference: Reference,
        /// For whom.
        customer: CustomerId,
        /// The way it came in.
        channel: Channel,
        /// What it is about.
        category: CategoryKey,
        /// How urgent it is.
        priority: Priority,
        /// What a handler must know.
        skills: BTreeSet<Skill>,
        /// Where it belongs.
        area: Option<Area>,
        /// The customer's language.
        language: Option<Language>,
        /// What it adds to a handler's workload.
        weight: u32,
        /// The agent it is against.
        against: Option<AgentId>,
        /// Things of the host it concerns.
        items: Vec<Item>,
        /// When it was bought.
        purchase_date: Option<NaiveDate>,
        /// When it went wrong.
        incident_date: Option<NaiveDate>,
        /// What would put it right.
        wish: Option<Wish>,
        /// The finished complaint it follows up.
        follows: Option<ComplaintId>,
        /// The policy in force.
        policy_version: u64,
    },
    /// The customer was told that it is here and what happens when.
    Acknowledged,
    /// Described anew. Words: `reason`.
    Triaged {
        /// What it is about.
        category: CategoryKey,
        /// How urgent it is.
        priority: Priority,
        /// What a handler must know.
        skills: BTreeSet<Skill>,
        /// Where it belongs.
        area: Option<Area>,
        /// What it adds to a handler's workload.
        weight: u32,
    },
    /// What the customer was told holds no longer: it is about something else, or other dates apply. Stands behind the
    /// entry that made it so, the rest of which is kept among staff.
    Revised {
        /// What it is about now, where that changed.
        category: Option<CategoryKey>,
        /// The clocks that concern the customer and run out at another time now.
        clocks: Vec<ClockKind>,
    },
    /// Given to a handler. Words: `reason`, where a person chose.
    Assigned {
        /// The new handler.
        agent: AgentId,
        /// Who was considered and why this one.
        routing: Routing,
    },
    /// The handler will not take it. Words: `reason`.
    Declined {
        /// Who declined.
        agent: AgentId,
    },
    /// Taken from the handler, back to the queue. Words: `reason`.
    Released {
        /// From whom.
        agent: AgentId,
        /// Why.
        cause: ReleaseCause,
    },
    /// Given from one handler to another. Words: `reason`.
    Reassigned {
        /// The former handler.
        from: AgentId,
        /// The new one.
        to: AgentId,
        /// Who was considered.
        routing: Routing,
    },
    /// The handler began.
    Begun,
    /// A question to the customer. Words: `text`.
    Asked,
    /// The customer's answer. Words: `text`, `file.N`.
    Answered {
        /// The files it shows, without their names; those not seen before are added to the complaint's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
    },
    /// A third party must act. Words: `party`.
    Held {
        /// When they are expected to have acted.
        until: NaiveDate,
    },
    /// The handler goes on. Words: `reason`, where a question was still open.
    Resumed,
    /// Up the ladder. Words: `reason`, where a person asked for it.
    Escalated {
        /// The level it left.
        from: Level,
        /// Every cause; each counts once per level.
        causes: Vec<EscalationCause>,
    },
    /// Down the ladder, with an instruction. Words: `instruction`.
    HandedBack {
        /// The level it left.
        from: Level,
        /// Who handed it back.
        agent: AgentId,
    },
    /// A resolution that needs a second person. Words: as `resolved`.
    Proposed {
        /// Who proposes.
        agent: AgentId,
        /// The decision.
        outcome: Outcome,
        /// The cause, as the organisation sees it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<CauseKey>,
        /// What is done, without texts.
        remedies: Vec<Remedy>,
    },
    /// Not approved, or taken back by the proposer. Words: `comment`.
    SentBack,
    /// Decided. Words: `explanation`, `apology`, `next_steps`, `remedy.N.instructions`; `comment` of the approver.
    Resolved {
        /// The decision.
        outcome: Outcome,
        /// The cause, as the organisation sees it; customers do not see it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<CauseKey>,
        /// What is done, without texts.
        remedies: Vec<Remedy>,
        /// Who decided.
        by: AgentId,
        /// Who approved, where a second person had to.
        approved_by: Option<AgentId>,
        /// The day it was for the organisation, where the decision itself delivers a remedy. Entries from before it was
        /// kept are without it: for them it is the day in UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given_on: Option<NaiveDate>,
    },
    /// The customer agrees with the decision. Words: `reason`; where staff recorded it, on what ground.
    Accepted {
        /// The remedies that they thereby accept, by their numbers on this complaint: those still offered, and of the
        /// customer's own word those that staff took down.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remedies: Vec<u32>,
    },
    /// The customer wants a remedy. Words: `reason`; where staff recorded it, on what ground.
    RemedyAccepted {
        /// Which, by its number on this complaint, from 1.
        remedy: u32,
    },
    /// The customer does not want a remedy. Words: `reason`; where staff recorded it, on what ground.
    RemedyDeclined {
        /// Which, by its number on this complaint, from 1.
        remedy: u32,
    },
    /// A remedy could not be delivered, or did not arrive. Words: `reason`.
    RemedyFailed {
        /// Which, by its number on this complaint, from 1.
        remedy: u32,
    },
    /// A remedy was delivered. Words: `evidence`.
    RemedyFulfilled {
        /// Which, by its number on this complaint, from 1.
        remedy: u32,
        /// The day it was delivered.
        on: NaiveDate,
    },
    /// The customer disagrees with the decision. Words: `reason`.
    Contested {
        /// The level it left.
        from: Level,
        /// Whether it brings evidence not seen before.
        new_evidence: bool,
        /// Everyone who decided it so far or held it when it went up a level, excluded from now on.
        excluded: Vec<AgentId>,
    },
    /// Opened again because of an error, or because a remedy failed. Words: `reason`.
    Reopened,
    /// Finished.
    Closed {
        /// Why.
        cause: CloseCause,
    },
    /// The customer's rating of a resolution. Words: `comment`.
    Rated {
        /// Which, from 1.
        resolution: u32,
        /// 1 (worst) to 5 (best).
        score: u8,
        /// Whether agents and auditors are kept from seeing it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anonymous: bool,
    },
    /// Ratings were made anonymous.
    RatingAnonymised {
        /// Those of these resolutions, from 1.
        resolutions: Vec<u32>,
    },
    /// Taken back by the customer. Words: `reason`.
    Withdrawn,
    /// Taken up again by the customer.
    Reinstated,
    /// Not taken up. Words: `text`.
    Dismissed {
        /// Why.
        reason: DismissalReason,
        /// Who decided that.
        by: AgentId,
    },
    /// Joined to another complaint, which survives. Words: `reason`, `consent`.
    Merged {
        /// The survivor. Somebody else's is not named to the customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<ComplaintId>,
        /// Its reference, for the letter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
        /// Whether a question was with the customer, which needs no answer any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unanswered: bool,
        /// Whether it is another customer's, and this one's agreed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_consent: bool,
    },
    /// Another complaint was joined to this one.
    Absorbed {
        /// The one that was joined.
        other: ComplaintId,
        /// The earlier of both receipts, from now on this one's; of two customers each keeps their own.
        received_at: DateTime<Utc>,
        /// When that one was received.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        theirs: Option<DateTime<Utc>>,
        /// Since when it had a message of the customer that nobody had read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unread_since: Option<DateTime<Utc>>,
        /// Whose it is, where that is another customer, who agreed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
    },
    /// What it was joined to, a complaint of another customer, was answered or passed on.
    EndedElsewhere {
        /// How.
        how: EndElsewhere,
    },
    /// Taken apart again.
    Unmerged,
    /// A complaint that was joined to this one was taken apart again.
    Separated {
        /// The one that left.
        other: ComplaintId,
    },
    /// Another body is responsible. Words: `body`, `text`.
    Referred,
    /// The other body gave it back. Words: `reason`.
    ReferralReturned,
    /// A message in the conversation. Words: `text`, `file.N`.
    Posted {
        /// The files it shows, without their names; those not seen before are added to the complaint's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
    },
    /// An internal note. Words: `text`.
    Noted,
    /// Files were added. Words: `file.N`, their names.
    Attached {
        /// The facts of each, without file names.
        attachments: Vec<Attachment>,
    },
    /// The handler has read the customer's messages.
    Read,
    /// A clock is near its end.
    Warned {
        /// Which clock.
        clock: ClockKind,
        /// How much of the time is used: 75 or 90.
        percent: u8,
    },
    /// A clock ran out and nobody could be moved by it; those concerned are told.
    Alarmed {
        /// Which clock.
        clock: ClockKind,
    },
    /// What still ran was promised anew by the policy then in force. Words: `reason`.
    Rebased {
        /// Which edition of it.
        policy_version: u64,
    },
}

impl Event {
    /// What it is called, without what it says.
    ///
    /// ```
    /// use complaint_core::complaint::{Event, EventName};
    ///
    /// assert_eq!(Event::Begun.name(), EventName::Begun);
    /// ```
    pub fn name(&self) -> EventName {
        match self {
            Self::Submitted { .. } => EventName::Submitted,
            Self::Acknowledged => EventName::Acknowledged,
            Self::Triaged { .. } => EventName::Triaged,
            Self::Revised { .. } => EventName::Revised,
            Self::Assigned { .. } => EventName::Assigned,
            Self::Declined { .. } => EventName::Declined,
            Self::Released { .. } => EventName::Released,
            Self::Reassigned { .. } => EventName::Reassigned,
            Self::Begun => EventName::Begun,
            Self::Asked => EventName::Asked,
            Self::Answered { .. } => EventName::Answered,
            Self::Held { .. } => EventName::Held,
            Self::Resumed => EventName::Resumed,
            Self::Escalated { .. } => EventName::Escalated,
            Self::HandedBack { .. } => EventName::HandedBack,
            Self::Proposed { .. } => EventName::Proposed,
            Self::SentBack => EventName::SentBack,
            Self::Resolved { .. } => EventName::Resolved,
            Self::Accepted { .. } => EventName::Accepted,
            Self::RemedyAccepted { .. } => EventName::RemedyAccepted,
            Self::RemedyDeclined { .. } => EventName::RemedyDeclined,
            Self::RemedyFailed { .. } => EventName::RemedyFailed,
            Self::RemedyFulfilled { .. } => EventName::RemedyFulfilled,
            Self::Contested { .. } => EventName::Contested,
            Self::Reopened => EventName::Reopened,
            Self::Closed { .. } => EventName::Closed,
            Self::Rated { .. } => EventName::Rated,
            Self::RatingAnonymised { .. } => EventName::RatingAnonymised,
            Self::Withdrawn => EventName::Withdrawn,
            Self::Reinstated => EventName::Reinstated,
            Self::Dismissed { .. } => EventName::Dismissed,
            Self::Merged { .. } => EventName::Merged,
            Self::EndedElsewhere { .. } => EventName::EndedElsewhere,
            Self::Absorbed { .. } => EventName::Absorbed,
            Self::Unmerged => EventName::Unmerged,
            Self::Separated { .. } => EventName::Separated,
            Self::Referred => EventName::Referred,
            Self::ReferralReturned => EventName::ReferralReturned,
            Self::Posted { .. } => EventName::Posted,
            Self::Noted => EventName::Noted,
            Self::Attached { .. } => EventName::Attached,
            Self::Read => EventName::Read,
            Self::Warned { .. } => EventName::Warned,
            Self::Alarmed { .. } => EventName::Alarmed,
            Self::Rebased { .. } => EventName::Rebased,
        }
    }

    /// The files that it brings or shows, without their names.
    pub fn attachments(&self) -> &[Attachment] {
        match self {
            Self::Attached { attachments } | Self::Answered { attachments } | Self::Posted { attachments } => {
                attachments
            }
            _ => &[],
        }
    }
}

/// How a complaint of one customer ended that of another one was joined to: what that other one is told of it.
///
/// ```
/// use complaint_core::complaint::{EndElsewhere, Event, Outcome};
///
/// let event = Event::EndedElsewhere { how: EndElsewhere::Decided(Outcome::Upheld) };
/// let stored = r#"{"type":"ended_elsewhere","how":{"end":"decided","outcome":"upheld"}}"#;
/// assert_eq!(serde_json::to_string(&event)?, stored);
/// assert_eq!(serde_json::from_str::<Event>(stored)?, event);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "end", content = "outcome", rename_all = "snake_case")]
pub enum EndElsewhere {
    /// It was decided so.
    Decided(Outcome),
    /// It was not taken up.
    Dismissed,
    /// Another body is responsible.
    Referred,
}

impl EndElsewhere {
    /// What people read.
    ///
    /// ```
    /// use complaint_core::complaint::{EndElsewhere, Outcome};
    ///
    /// assert_eq!(EndElsewhere::Decided(Outcome::Upheld).label(), "Upheld");
    /// assert_eq!(EndElsewhere::Dismissed.label(), "Not taken up");
    /// ```
    pub fn label(self) -> &'static str {
        match self {
            Self::Decided(outcome) => outcome.label(),
            Self::Dismissed => "Not taken up",
            Self::Referred => "Passed to the body that is responsible",
        }
    }
}

/// Why a complaint went up the ladder. Each counts once per complaint and level.
///
/// Example: [`Escalation`](super::Escalation).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "cause", content = "clock", rename_all = "snake_case")]
pub enum EscalationCause {
    /// The handler asked for it.
    Handler,
    /// A supervisor or above asked for it.
    Supervisor,
    /// The customer asked for it after a missed deadline.
    Customer,
    /// A clock ran out.
    Clock(ClockKind),
}

/// Why a complaint was taken from its handler.
///
/// ```
/// use complaint_core::complaint::{Event, ReleaseCause};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// desk.enrol(Agent { enabled: false, ..asha }).await?;
/// assert_eq!(desk.release_from_absent().await?, 1);
/// let log = desk.whole_log(receipt.id()).await?;
/// let last = &log.last().expect("an entry").event;
/// assert!(matches!(last, Event::Released { cause: ReleaseCause::HandlerGone, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// Somebody decided so.
    ByHand,
    /// The handler did not begin in time.
    NotBegun,
    /// The handler is absent or disabled, or works at a lower level by now.
    HandlerGone,
}

/// Why a complaint was finished.
///
/// ```
/// use complaint_core::complaint::{CloseCause, Event};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// # let asha = desk.acting_as(Actor::agent(&asha));
/// asha.begin(receipt.id()).await?;
/// asha.resolve(receipt.id(), complaint_core::Resolution::not_upheld("The works were announced.")).await?;
/// john.accept(receipt.id()).await?;
/// let log = desk.whole_log(receipt.id()).await?;
/// assert_eq!(log.last().expect("an entry").event, Event::Closed { cause: CloseCause::Accepted });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// The customer agreed.
    Accepted,
    /// The customer had agreed and the last remedy was delivered.
    RemediesFulfilled,
    /// The customer had agreed and declined the last remedy that was owed.
    RemediesDeclined,
    /// The time to accept or contest was over.
    AcceptanceWindowOver,
    /// A supervisor closed it.
    ByHand,
}

closed_list! {
    /// What can happen to a complaint.
    EventName, "event" {
        /// Handed in.
        Submitted = "submitted", "Submitted";
        /// The customer was told what happens when.
        Acknowledged = "acknowledged", "Acknowledged";
        /// Staff set category or urgency.
        Triaged = "triaged", "Triaged";
        /// What the customer was told of it is another now.
        Revised = "revised", "Revised";
        /// Given to an agent.
        Assigned = "assigned", "Assigned";
        /// Its handler gave it back.
        Declined = "declined", "Declined";
        /// Taken from its handler.
        Released = "released", "Released";
        /// Given to another agent.
        Reassigned = "reassigned", "Reassigned";
        /// Its handler began.
        Begun = "begun", "Begun";
        /// A question to the customer.
        Asked = "asked", "Asked";
        /// The answer.
        Answered = "answered", "Answered";
        /// A third party must act.
        Held = "held", "Held";
        /// It goes on.
        Resumed = "resumed", "Resumed";
        /// Up a level.
        Escalated = "escalated", "Escalated";
        /// Down a level.
        HandedBack = "handed_back", "Handed back";
        /// A decision waits for approval.
        Proposed = "proposed", "Proposed";
        /// The proposal was not approved.
        SentBack = "sent_back", "Sent back";
        /// Decided.
        Resolved = "resolved", "Resolved";
        /// The customer accepts.
        Accepted = "accepted", "Accepted";
        /// The customer wants a remedy.
        RemedyAccepted = "remedy_accepted", "Remedy accepted";
        /// The customer does not want a remedy.
        RemedyDeclined = "remedy_declined", "Remedy declined";
        /// A remedy could not be delivered.
        RemedyFailed = "remedy_failed", "Remedy failed";
        /// A remedy was delivered.
        RemedyFulfilled = "remedy_fulfilled", "Remedy fulfilled";
        /// The customer contests.
        Contested = "contested", "Contested";
        /// Opened again.
        Reopened = "reopened", "Reopened";
        /// Finished.
        Closed = "closed", "Closed";
        /// The customer rated it.
        Rated = "rated", "Rated";
        /// Whose rating it was is not shown any more.
        RatingAnonymised = "rating_anonymised", "Rating anonymised";
        /// The customer took it back.
        Withdrawn = "withdrawn", "Withdrawn";
        /// Taken up again by the customer.
        Reinstated = "reinstated", "Reinstated";
        /// Not taken up.
        Dismissed = "dismissed", "Dismissed";
        /// Joined to another.
        Merged = "merged", "Merged";
        /// That which it goes on with has ended.
        EndedElsewhere = "ended_elsewhere", "Ended elsewhere";
        /// Another was joined to it.
        Absorbed = "absorbed", "Absorbed";
        /// Taken apart again.
        Unmerged = "unmerged", "Unmerged";
        /// Another was taken out of it.
        Separated = "separated", "Separated";
        /// Another body is responsible.
        Referred = "referred", "Referred";
        /// The other body gave it back.
        ReferralReturned = "referral_returned", "Referral returned";
        /// A message.
        Posted = "posted", "Posted";
        /// An internal note.
        Noted = "noted", "Noted";
        /// Files.
        Attached = "attached", "Attached";
        /// Its handler read what came in.
        Read = "read", "Read";
        /// A clock is near its end.
        Warned = "warned", "Warned";
        /// A clock ran out.
        Alarmed = "alarmed", "Alarmed";
        /// What still ran was promised anew.
        Rebased = "rebased", "Rebased";
    }
}
