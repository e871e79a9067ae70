//! What a customer hands in, and the closed lists that complaints are described by.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::state::Contact;
use crate::complaint::Complaint;
use crate::id::{AgentId, Area, AttachmentId, CategoryKey, ComplaintId, CustomerId, InvalidId, Language};
use crate::money::Money;

/// A complaint as it is handed in. Texts are raw: `submit` checks them all and names every fault at once.
///
/// ```
/// use complaint_core::Complaint;
/// use complaint_core::complaint::{Channel, Wish};
/// use complaint_core::id::CustomerId;
///
/// let about = Complaint::about("Late delivery", "Parcel is late", "It was promised for Monday.")?
///     .order_number("A-1009")
///     .happened_on("2026-11-23".parse()?)
///     .wishing(Wish::Refund)
///     .concerning("parcel", "P-77")
///     .on_behalf_of(CustomerId::new("john")?, Channel::Phone);
/// assert_eq!(about.category.as_str(), "late-delivery");
/// assert_eq!(about.items[0].key, "P-77");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// What it is about: a category of the catalogue.
    pub category: CategoryKey,
    /// One line of at most 200 characters.
    pub subject: String,
    /// What happened, at most 64 KiB.
    pub description: String,
    /// How to reach the customer about this complaint.
    #[serde(default)]
    pub contact: Contact,
    /// The product or service, in the customer's words.
    #[serde(default)]
    pub product: Option<String>,
    /// The order, contract or booking number.
    #[serde(default)]
    pub order_number: Option<String>,
    /// When it was bought. Not in the future.
    #[serde(default)]
    pub purchase_date: Option<NaiveDate>,
    /// When it went wrong. Not in the future.
    #[serde(default)]
    pub incident_date: Option<NaiveDate>,
    /// What would put it right.
    #[serde(default)]
    pub wish: Option<Wish>,
    /// Answers to the category's own questions, by question key.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// Things of the host it concerns: an order, a parcel, a street light. At most 20.
    #[serde(default)]
    pub items: Vec<Item>,
    /// The agent it is against, who is then excluded everywhere.
    #[serde(default)]
    pub against: Option<AgentId>,
    /// The part of the organisation it concerns.
    #[serde(default)]
    pub area: Option<Area>,
    /// The customer's language.
    #[serde(default)]
    pub language: Option<Language>,
    /// The way it came in.
    #[serde(default)]
    pub channel: Channel,
    /// For whom an agent or the system submits; a customer submits for themself.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// The finished complaint it follows up, set by `follow_up`.
    #[serde(skip)]
    pub follows: Option<ComplaintId>,
}

impl Complaint {
    /// Begins a submission.
    ///
    /// # Errors
    /// If the category is no key. Texts are checked on submission, all at once.
    ///
    /// Example: [`Submission`].
    pub fn about(
        category: impl AsRef<str>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Result<Submission, InvalidId> {
        Ok(Submission {
            category: CategoryKey::new(category)?,
            subject: subject.into(),
            description: description.into(),
            contact: Contact::default(),
            product: None,
            order_number: None,
            purchase_date: None,
            incident_date: None,
            wish: None,
            answers: BTreeMap::new(),
            items: Vec::new(),
            against: None,
            area: None,
            language: None,
            channel: Channel::default(),
            customer: None,
            follows: None,
        })
    }
}

impl Submission {
    /// Says how to reach the customer.
    pub fn contact(mut self, contact: Contact) -> Self {
        self.contact = contact;
        self
    }

    /// Names the product.
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }

    /// Names the order.
    pub fn order_number(mut self, number: impl Into<String>) -> Self {
        self.order_number = Some(number.into());
        self
    }

    /// Says when it was bought.
    pub fn purchased_on(mut self, date: NaiveDate) -> Self {
        self.purchase_date = Some(date);
        self
    }

    /// Says when it went wrong.
    pub fn happened_on(mut self, date: NaiveDate) -> Self {
        self.incident_date = Some(date);
        self
    }

    /// Says what would put it right.
    pub fn wishing(mut self, wish: Wish) -> Self {
        self.wish = Some(wish);
        self
    }

    /// Answers one of the category's questions.
    pub fn answering(mut self, question: impl Into<String>, answer: impl Into<String>) -> Self {
        self.answers.insert(question.into(), answer.into());
        self
    }

    /// Points to a thing of the host.
    pub fn concerning(mut self, kind: impl Into<String>, key: impl Into<String>) -> Self {
        self.items.push(Item { kind: kind.into(), key: key.into() });
        self
    }

    /// Names the agent it is against.
    pub fn against(mut self, agent: AgentId) -> Self {
        self.against = Some(agent);
        self
    }

    /// Submits for somebody else, through a channel.
    pub fn on_behalf_of(mut self, customer: CustomerId, channel: Channel) -> Self {
        self.customer = Some(customer);
        self.channel = channel;
        self
    }
}

/// A thing of the host that a complaint concerns: `order` `A-1009`.
///
/// Example: [`Submission`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What sort of thing, one line of at most 200 characters.
    pub kind: String,
    /// The host's key of it, one line of at most 200 characters.
    pub key: String,
}

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident, $what:literal, default $default:ident { $($(#[$vdoc:meta])* $variant:ident = $key:literal, $label:literal;)+ }) => {
        closed_list!($(#[$doc])* $name, $what { $($(#[$vdoc])* $variant = $key, $label;)+ });

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $key:literal, $label:literal;)+ }) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use complaint_core::complaint::", stringify!($name), ";")]
        ///
        #[doc = concat!("for one in ", stringify!($name), "::ALL {")]
        ///     assert_eq!(one.name().parse(), Ok(*one)); // as stored, and as the API has it
        ///     assert!(!one.label().is_empty()); // as people read it
        /// }
        #[doc = concat!("assert!(\"other than these\".parse::<", stringify!($name), ">().is_err());")]
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $key)] $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$(Self::$variant,)+];

            /// The stable name, as stored and as used by the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }

            /// What people read.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(name: &str) -> Result<Self, InvalidId> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.name() == name)
                    .ok_or(InvalidId::new($what, concat!("one of: ", $($key, " ",)+)))
            }
        }
    };
}

pub(super) use closed_list;

closed_list!(
    /// The way a complaint came in.
    Channel, "channel", default Web {
        /// A page of the server or of the host.
        Web = "web", "Web";
        /// A program.
        Api = "api", "API";
        /// A mail.
        Email = "email", "E-mail";
        /// A telephone call, taken down by an agent.
        Phone = "phone", "Phone";
        /// In person, taken down by an agent.
        Counter = "counter", "Counter";
        /// A letter, taken down by an agent.
        Letter = "letter", "Letter";
        /// A post elsewhere, taken down by an agent.
        SocialMedia = "social_media", "Social media";
        /// Open311 `GeoReport` v2.
        Open311 = "open311", "Open311";
        /// Brought over from another system.
        Import = "import", "Import";
    }
);

closed_list!(
    /// How urgent it is. The order is the urgency.
    Priority, "priority", default Normal {
        /// Can wait.
        Low = "low", "Low";
        /// The usual.
        Normal = "normal", "Normal";
        /// Before the others.
        High = "high", "High";
        /// Harm is happening now.
        Urgent = "urgent", "Urgent";
    }
);

closed_list!(
    /// What the customer asks for.
    Wish, "wish" {
        /// The money back.
        Refund = "refund", "Refund";
        /// The thing again.
        Replacement = "replacement", "Replacement";
        /// The thing mended.
        Repair = "repair", "Repair";
        /// Money for what was suffered.
        Compensation = "compensation", "Compensation";
        /// Words.
        Apology = "apology", "Apology";
        /// The record put right.
        Correction = "correction", "Correction";
        /// An account of what happened.
        Explanation = "explanation", "Explanation";
        /// Something else, said in the description.
        Other = "other", "Something else";
    }
);

closed_list!(
    /// The decision on a complaint.
    Outcome, "outcome" {
        /// The customer was right.
        Upheld = "upheld", "Upheld";
        /// The customer was right in part.
        PartlyUpheld = "partly_upheld", "Partly upheld";
        /// The customer was not right.
        NotUpheld = "not_upheld", "Not upheld";
        /// Settled at first contact, to the customer's satisfaction.
        ResolvedAtSource = "resolved_at_source", "Resolved at source";
        /// Something is given without deciding who was right.
        Goodwill = "goodwill", "Goodwill";
    }
);

closed_list!(
    /// What is done to put things right (ISO 10002 calls for remedies wherever they are appropriate).
    RemedyKind, "remedy kind" {
        /// Money back; needs an amount.
        Refund = "refund", "Refund";
        /// The thing again.
        Replacement = "replacement", "Replacement";
        /// The thing mended.
        Repair = "repair", "Repair";
        /// Money for what was suffered; needs an amount.
        Compensation = "compensation", "Compensation";
        /// Words; given with the decision itself.
        Apology = "apology", "Apology";
        /// The record put right.
        Correction = "correction", "Correction";
        /// The organisation changes how it works.
        ProcessChange = "process_change", "Process change";
        /// An account of what happened; given with the decision itself.
        Explanation = "explanation", "Explanation";
    }
);

impl RemedyKind {
    /// Whether it is an amount of money.
    pub fn is_money(self) -> bool {
        matches!(self, Self::Refund | Self::Compensation)
    }

    /// Whether the decision itself delivers it, so that nothing stays outstanding.
    pub fn is_given_with_decision(self) -> bool {
        matches!(self, Self::Apology | Self::Explanation)
    }
}

closed_list!(
    /// Why a complaint is not taken up.
    DismissalReason, "dismissal reason" {
        /// Advertising or machine-made noise.
        Spam = "spam", "Spam";
        /// Nothing but insult or threat.
        Abuse = "abuse", "Abuse";
        /// Not ours to decide, and nobody to refer it to.
        OutOfScope = "out_of_scope", "Out of scope";
        /// A question, a praise, a request for service.
        NotAComplaint = "not_a_complaint", "Not a complaint";
        /// Too late by the rules that apply.
        TimeBarred = "time_barred", "Time-barred";
    }
);

/// A remedy as decided.
///
/// ```
/// use complaint_core::Remedy;
/// use complaint_core::complaint::RemedyKind;
///
/// let refund = Remedy::refund("12.50 EUR")?.due_on("2026-12-01".parse()?);
/// assert_eq!((refund.kind, refund.amount.map(|it| it.minor_units())), (RemedyKind::Refund, Some(1250)));
/// let repair = Remedy::of(RemedyKind::Repair).with_instructions("We come by appointment.");
/// assert!(!repair.kind.is_money() && !repair.kind.is_given_with_decision());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What is done.
    pub kind: RemedyKind,
    /// How much, where it is money: `12.50 EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// By when it is promised; the policy's target where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// How the customer proceeds, e.g. where to send the broken one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl Remedy {
    /// A remedy that is no money.
    pub fn of(kind: RemedyKind) -> Self {
        Self { kind, amount: None, due_on: None, instructions: None }
    }

    /// Money back, e.g. `12.50 EUR`.
    pub fn refund(amount: &str) -> Result<Self, InvalidId> {
        Ok(Self { amount: Some(amount.parse()?), ..Self::of(RemedyKind::Refund) })
    }

    /// Money for what was suffered, e.g. `20 EUR`.
    pub fn compensation(amount: &str) -> Result<Self, InvalidId> {
        Ok(Self { amount: Some(amount.parse()?), ..Self::of(RemedyKind::Compensation) })
    }

    /// The thing again.
    pub fn replacement() -> Self {
        Self::of(RemedyKind::Replacement)
    }

    /// Tells the customer how to proceed.
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Promises a day.
    pub fn due_on(mut self, day: NaiveDate) -> Self {
        self.due_on = Some(day);
        self
    }
}

/// The facts of an attachment; the file's own name is words.
///
/// ```
/// use complaint_core::complaint::Attachment;
/// use complaint_core::id::AttachmentId;
/// use complaint_core::lifecycle::Command;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let photo = Attachment {
///     id: AttachmentId::from_uuid(desk.draw_id()),
///     file_name: "meter.jpg".into(),
///     media_type: "image/jpeg".into(),
///     size: 48_211,
///     sha256: "0".repeat(64),
/// };
/// let complaint = john.perform(receipt.id(), Command::attach(vec![photo.clone()])).await?;
/// assert_eq!(complaint.attachments, [photo]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its id, drawn by the host when the bytes came in.
    pub id: AttachmentId,
    /// The name the file had, metadata only: never used as a path.
    pub file_name: String,
    /// The media type as sniffed from the bytes, e.g. `image/png`.
    pub media_type: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
}
