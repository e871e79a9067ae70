//! What is to be sent for a new complaint.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use complaint_core::complaint::{Channel, Wish};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::ItemView;

/// A new complaint. The core reads and checks it; this is what it reads, in words.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description, of which nothing is made")]
pub struct SubmissionBody {
    /// The key or the name of a category; `GET /api/v1/categories` lists them, with their questions.
    #[schema(example = "Damaged goods")]
    category: String,
    /// One line.
    #[schema(max_length = 200)]
    subject: String,
    /// What happened, at most 64 KiB.
    description: String,
    contact: Option<ContactBody>,
    /// The product or service.
    #[schema(max_length = 200)]
    product: Option<String>,
    /// The order, contract or booking number.
    #[schema(max_length = 200)]
    order_number: Option<String>,
    /// When it was bought; not in the future.
    purchase_date: Option<NaiveDate>,
    /// When it went wrong; not in the future.
    incident_date: Option<NaiveDate>,
    /// What would put it right.
    #[schema(schema_with = wishes, required = false)]
    wish: Option<String>,
    /// Answers to the questions of the category, by the key of the question.
    answers: Option<BTreeMap<String, String>>,
    /// What it concerns, by your own keys: an order, a parcel, a street light.
    #[schema(max_items = 20)]
    items: Option<Vec<ItemView>>,
    /// The id of the agent it is against, who then never sees it.
    against: Option<String>,
    /// The part of the organisation it concerns.
    area: Option<String>,
    /// The customer's language, as in `en`.
    language: Option<String>,
    /// How it reached the agent who takes it down.
    #[schema(schema_with = channels, required = false)]
    channel: Option<String>,
    /// For whom the agent takes it down: the id or the e-mail address of an account.
    customer: Option<String>,
}

/// How to reach the customer about this complaint.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description, of which nothing is made")]
pub struct ContactBody {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
}

/// What people say of a complaint in forms and tables, beside the answers to the questions of the category.
pub(crate) const SAID: [&str; 12] = [
    "category",
    "subject",
    "description",
    "product",
    "order_number",
    "purchase_date",
    "incident_date",
    "wish",
    "contact.name",
    "contact.email",
    "contact.phone",
    "contact.address",
];

/// The ways by which a complaint reaches an agent.
pub(crate) const BY_HAND: [Channel; 4] = [Channel::Phone, Channel::Counter, Channel::Letter, Channel::SocialMedia];

fn wishes() -> Object {
    one_of(Wish::ALL.iter().map(|wish| wish.name()))
}

fn channels() -> Object {
    one_of(BY_HAND.iter().map(|channel| channel.name()))
}

fn one_of(names: impl Iterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}
