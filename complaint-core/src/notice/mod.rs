//! Who is told what: one notice per message, recipient and channel, planned in the commit of the change that caused it.
//!
//! [`announce()`] turns the entries of a change into [`Notice`]s: a [`NoticeKind`] for a [`Recipient`]. They wait in the
//! [outbox](crate::store::Outbox) until a courier has a [`Notifier`](crate::Notifier) deliver them.
//!
//! Examples: [`announce()`], [`Notifier`](crate::Notifier), [`ClaimedNotice`].
//!
//! # Which event tells whom what
//!
//! By mail, and where a star stands by text message, too, if the policy has that channel. What stands in italics can be
//! [switched off](Preferences) by whoever it is for. Which of several is told depends on who did
//! it, where the work is and which clock it is; whoever did it themself is not told. Programs are told of every event they
//! [subscribed](crate::policy::Subscription) to.
//!
#![doc = include_str!("table.md")]

mod announce;
mod preferences;

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::complaint::EventName;
use crate::deadline::ClockKind;
use crate::id::{AgentId, CategoryKey, ComplaintId, CustomerId, EndpointId, Level, NoticeId, Version};
use crate::lifecycle::Status;
use crate::reference::Reference;

pub use announce::announce;
pub(crate) use announce::{Holder, announce_to, announce_unroutable};
pub use preferences::{
    Because, NoticeGroup, Preferences, PreferencesFault, PreferencesFaults, PreferencesProblem, PreferencesSpec,
    QuietHoursSpec, Timing, When,
};

/// One message to one recipient on one channel.
///
/// Example: [`Notifier`](crate::Notifier).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id; stable over repeated deliveries, and the local part of the mail's `Message-ID`.
    pub id: NoticeId,
    /// To whom.
    pub recipient: Recipient,
    /// How.
    pub channel: NoticeChannel,
    /// What it says.
    pub kind: NoticeKind,
    /// Which complaint it is about.
    pub complaint: ComplaintId,
    /// Its reference.
    pub reference: Reference,
    /// Its subject line.
    pub subject: String,
    /// Where the work was when the notice was planned; to the customer, after the whole change that it tells of.
    pub status: Status,
    /// The level then.
    pub level: Level,
    /// Whose name it gives, looked up on delivery: the handler's; of what staff recorded in the customer's name, a consent too, whose hand
    /// that was; to a new handler, who had proposed the decision that fell when it came up to them.
    pub handler: Option<AgentId>,
    /// The public words of the message, question or decision, if it carries any.
    pub text: Option<String>,
    /// The address given for this complaint, for recipients whom the host does not know.
    pub address: Option<String>,
    /// The promised instant that matters for this notice.
    pub due_at: Option<DateTime<Utc>>,
    /// Where that is the end of a day that somebody named: the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// Where it tells of a date that was not kept: the next one that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime<Utc>>,
    /// Where it tells that the complaint is closed: until when the customer can say that something recorded as delivered did not
    /// arrive, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deniable_until: Option<DateTime<Utc>>,
    /// Whether the decision it tells of promises something, or leaves the customer who accepted it waiting for something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owed: bool,
    /// Whether the customer has rated the latest decision: nobody asks them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rated: bool,
    /// Whether it tells somebody of a complaint that they cannot open any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_sight: bool,
    /// To a program: what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happening: Option<Happening>,
    /// When it was planned.
    pub planned_at: DateTime<Utc>,
}

/// To whom a notice goes.
///
/// Example: [`announce()`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "role", content = "id", rename_all = "snake_case")]
pub enum Recipient {
    /// Who complains.
    Customer(CustomerId),
    /// An agent of any level.
    Agent(AgentId),
    /// Whoever supervises: resolved on delivery to the enabled agents of a level.
    Level {
        /// Which.
        level: Level,
        /// Where nobody works there, those of the next level down that somebody works at are told, down to this one: never
        /// somebody who cannot see the complaint. Where nobody works there either, the admins.
        down_to: Level,
        /// Those who are told nothing of it: whom the complaint is against, and who decided what was contested.
        except: BTreeSet<AgentId>,
    },
    /// Whoever runs the system: resolved on delivery to the enabled admins. They do not read what people wrote, so a notice
    /// to them has the reference for a subject.
    Admins,
    /// Another program, to which the policy lets [events](crate::Policy::endpoints) be told. It is told facts: a notice to it has
    /// the reference for a subject, and no word that a person typed.
    Endpoint(EndpointId),
}

/// What happened, for a program: which event, where it stands in the log, and what may be known of it without being read up.
///
/// ```
/// use complaint_core::complaint::EventName;
/// use complaint_core::id::EndpointId;
/// use complaint_core::notice::{NoticeKind, Recipient};
/// use complaint_core::policy::Subscription;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let mut policy = Policy::standard().with_category(Category::named("Water supply")?);
///
/// let shop: EndpointId = "01900000-0000-7000-8000-000000000007".parse()?;
/// policy.endpoints.insert(shop, Subscription::to([EventName::Assigned]));
/// # let desk = Desk::new(MemoryStore::new(), policy);
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let waiting = desk.store().waiting(None, 100).await?;
/// let told: Vec<_> = waiting.iter().filter(|notice| notice.recipient == Recipient::Endpoint(shop)).collect();
/// let happening = told[0].happening.as_ref().expect("what happened");
/// assert_eq!((told.len(), told[0].kind, happening.event), (1, NoticeKind::Happened, EventName::Assigned));
/// assert_eq!((happening.seq, happening.by.as_str(), told[0].text.as_ref()), (3, "system", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Which event.
    pub event: EventName,
    /// Its place in the complaint's log, from 1: with it a program puts what it is told in order.
    pub seq: u32,
    /// The version of the complaint that it belongs to.
    pub version: Version,
    /// In which role somebody did it: `customer`, `agent`, `system` and so on.
    pub by: String,
    /// What the complaint is about.
    pub category: CategoryKey,
}

/// How a notice travels.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::notice::NoticeChannel;
///
/// let mut policy = Policy::standard();
/// assert!(policy.channels.insert(NoticeChannel::Sms), "by mail alone, unless the house says so");
/// assert_eq!(NoticeChannel::Sms.label(), "text message");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeChannel {
    /// Mail.
    Email,
    /// Text message.
    Sms,
    /// A request to another program. What is told to programs always travels so, what is told to people never.
    Webhook,
}

impl NoticeChannel {
    /// The name in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Webhook => "webhook",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Sms => "text message",
            Self::Webhook => "webhook",
        }
    }
}

/// What a notice says. Each is a template of the notifier.
///
/// Example: [`announce()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "clock", rename_all = "snake_case")]
pub enum NoticeKind {
    /// To the customer: it is here, this is its reference.
    Received,
    /// To the customer: what happens when.
    Acknowledged,
    /// To the customer: what it is about, or what was promised, is another now.
    Revised,
    /// To the customer: who handles it now.
    AssignedCustomer,
    /// To the customer: whoever handled it does not any more, and nobody has followed yet.
    BackInQueue,
    /// To the handler: a complaint for you.
    AssignedHandler,
    /// To the former handler: no longer yours.
    TakenAway,
    /// To those who can help: it is in the queue, nobody there can take it, and the ordinary course of a day will
    /// not change that.
    Unroutable,
    /// To the customer: a question.
    Question,
    /// To the handler: the customer answered.
    Answer,
    /// To the other side: a message.
    Message,
    /// To the customer: it went up the ladder.
    EscalatedCustomer,
    /// To the former handler: it went up the ladder.
    EscalatedHandler,
    /// To the customer: a third party must act.
    OnHold,
    /// To the approvers: a proposal waits.
    ApprovalWanted,
    /// To the proposer: approved; it is the decision now.
    Approved,
    /// To the proposer: sent back.
    SentBack,
    /// To the customer: the decision, and how to accept or contest it.
    Decision,
    /// To the customer: the decision of the last level, which only new evidence opens again.
    FinalDecision,
    /// To the customer: what staff recorded in their name, on what ground, and until when they can object.
    RecordedForCustomer,
    /// To the handler: the customer accepted.
    AcceptedHandler,
    /// To the handler: the customer wants a remedy.
    RemedyAcceptedHandler,
    /// To the customer: you do not want a remedy.
    RemedyDeclinedCustomer,
    /// To the handler: the customer does not want a remedy.
    RemedyDeclinedHandler,
    /// To the customer: a remedy was delivered.
    RemedyFulfilled,
    /// To the customer: a remedy could not be delivered, and what they can do.
    RemedyFailedCustomer,
    /// To the handler and whoever supervises: a remedy could not be delivered.
    RemedyFailedHandler,
    /// To the customer: your objection is here.
    ContestedCustomer,
    /// To the former handler: the decision was contested.
    ContestedHandler,
    /// To the customer: opened again.
    Reopened,
    /// To the customer: finished; please rate.
    Closed,
    /// To the customer: you took it back.
    WithdrawnCustomer,
    /// To the handler: the customer took it back.
    WithdrawnHandler,
    /// To the customer: taken up again.
    Reinstated,
    /// To the customer: not taken up, and why.
    Dismissed,
    /// To the customer: joined to another.
    Merged,
    /// To the customer: joined to one of somebody else, to which they agreed; on what ground, and how to undo it.
    MergedByConsent,
    /// To the customer: what theirs was joined to, which is somebody else's, was answered or passed on; how, and what they can do.
    EndedElsewhere,
    /// To the customer: taken apart again.
    Unmerged,
    /// To the customer: another body is responsible.
    Referred,
    /// To the customer: the other body gave it back.
    ReferralReturned,
    /// To whoever keeps the promise: a clock is near its end.
    Warning(ClockKind),
    /// To those concerned: a clock ran out.
    Missed(ClockKind),
    /// To a program: something happened, see [`Notice::happening`].
    Happened,
}

/// A notice that a courier holds for a while.
///
/// ```
/// use chrono::TimeDelta;
/// use complaint_core::notice::Settlement;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let (now, lease) = (desk.now(), desk.now() + TimeDelta::minutes(5));
/// let claimed = desk.store().claim(now, lease, 1).await?.remove(0);
/// assert_eq!((claimed.notice.reference, claimed.attempt), (receipt.reference(), 1));
///
/// let later = Settlement::Retry { at: now, why: "the relay does not answer".into() };
/// desk.store().settle(&claimed, later, now).await?;
/// assert_eq!(desk.store().claim(now, lease, 1).await?[0].attempt, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedNotice {
    /// The notice.
    pub notice: Notice,
    /// How often delivery was begun, this time included.
    pub attempt: u32,
    /// The end of the lease. It tells this claim from every other: nobody claims the notice anew before it.
    pub until: DateTime<Utc>,
}

/// How a delivery ended.
///
/// Example: [`ClaimedNotice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Handed over, or nobody is there who could have it.
    Delivered,
    /// Not now; may be claimed again from this instant.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why, for operators.
        why: String,
    },
    /// Nothing was tried: it is wanted later. May be claimed again from this instant, and the claim that ends here counts as no
    /// attempt.
    Held {
        /// Until when.
        until: DateTime<Utc>,
        /// Why, for operators.
        why: String,
    },
    /// Never: a dead letter, kept to be seen and [revived](crate::store::Outbox::revive).
    Dead {
        /// Why, for operators.
        why: String,
    },
}

/// A notice that was given up.
///
/// ```
/// use complaint_core::notice::Settlement;
/// # use chrono::TimeDelta;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// # let (now, lease) = (desk.now(), desk.now() + TimeDelta::minutes(5));
/// # let claimed = desk.store().claim(now, lease, 1).await?.remove(0);
///
/// let refused = Settlement::Dead { why: "no such mailbox".into() };
/// desk.store().settle(&claimed, refused, now).await?;
/// let dead = desk.store().dead(None, 10).await?;
/// assert_eq!((dead[0].notice.id, dead[0].why.as_str()), (claimed.notice.id, "no such mailbox"));
/// assert!(desk.store().revive(claimed.notice.id, now).await?, "it waits again");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadNotice {
    /// The notice.
    pub notice: Notice,
    /// How often delivery was begun.
    pub attempts: u32,
    /// When it was given up.
    pub given_up_at: DateTime<Utc>,
    /// Why, for operators.
    pub why: String,
}
