//! What a customer hands in.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize};

use super::closed_list::closed_list;
use super::{Complaint, Contact};
use crate::id::{AgentId, Area, AttachmentId, CategoryKey, CustomerId, InvalidId, Language};

/// A complaint as it is handed in. Texts are raw: `submit` checks them all and names every fault at once.
///
/// ```
/// use complaint_core::Complaint;
/// use complaint_core::complaint::{Channel, Wish};
/// use complaint_core::id::CustomerId;
///
/// let about = Complaint::about("Late delivery", "Parcel is late", "It was promised for Monday.")?
///     .order_number("A-1009")
///     .purchased_on("2026-11-02".parse()?)
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
    #[serde(default, deserialize_with = "or_default")]
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
    #[serde(default, deserialize_with = "or_default")]
    pub answers: BTreeMap<String, String>,
    /// Things of the host it concerns: an order, a parcel, a street light. At most 20.
    #[serde(default, deserialize_with = "or_default")]
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
    #[serde(default, deserialize_with = "or_default")]
    pub channel: Channel,
    /// For whom an agent or the system submits; a customer submits for themself.
    #[serde(default)]
    pub customer: Option<CustomerId>,
}

/// What may be left out may be `null` as well.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
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
