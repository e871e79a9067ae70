//! What is kept of webhooks, and the promises a place to keep it must hold.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::complaint::EventName;
use complaint_core::id::EndpointId;

use crate::auth::AccountsError;

/// An endpoint that is told what happens, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: EndpointId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What it is told of; empty: of everything.
    pub events: BTreeSet<EventName>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The account that made it.
    pub made_by: String,
    /// Since when it is out of use.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why, unless an admin did that.
    pub disabled_why: Option<String>,
    /// Since when every try has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// Since when it says that it wants nothing any more (status 410).
    pub gone_at: Option<DateTime<Utc>>,
}

/// A message to an endpoint, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Place in the list, ever higher.
    pub place: i64,
    /// Its `webhook-id`.
    pub message: String,
    /// Its type, such as `complaint.resolved`.
    pub kind: String,
    /// Which complaint it is about.
    pub reference: Option<String>,
    /// What it says, as JSON.
    pub body: String,
    /// When it was first tried.
    pub first_at: DateTime<Utc>,
    /// When it was last tried.
    pub last_at: DateTime<Utc>,
    /// How often.
    pub attempts: u32,
    /// Whether it was taken.
    pub delivered: bool,
    /// What the endpoint answered last.
    pub status: Option<u16>,
    /// What went wrong last.
    pub why: Option<String>,
}

/// One try.
#[derive(Debug, Clone)]
pub struct Try<'a> {
    /// The message's `webhook-id`.
    pub message: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// Which complaint it is about.
    pub reference: Option<String>,
    /// What it says.
    pub body: &'a str,
    /// Whether it was taken.
    pub delivered: bool,
    /// What the endpoint answered.
    pub status: Option<u16>,
    /// What went wrong.
    pub why: Option<String>,
    /// Whether the endpoint wants nothing any more.
    pub gone: bool,
}

/// Keeps endpoints, their secrets and what became of messages to them.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// Keeps a new endpoint with its first secret, unless there are `most` already; returns whether it did.
    async fn insert_webhook(&self, webhook: &Webhook, secret: &str, most: u32) -> Result<bool, AccountsError>;
    /// All endpoints in the order in which they were made.
    async fn webhooks(&self) -> Result<Vec<Webhook>, AccountsError>;
    /// The endpoint with this id.
    async fn webhook(&self, id: EndpointId) -> Result<Option<Webhook>, AccountsError>;
    /// Replaces what is kept of an endpoint by this, but for who made it and when; returns whether it is there.
    async fn update_webhook(&self, webhook: &Webhook) -> Result<bool, AccountsError>;
    /// Forgets an endpoint, its secrets and what was sent there; returns whether it was there.
    async fn remove_webhook(&self, id: EndpointId) -> Result<bool, AccountsError>;
    /// The secrets that messages are signed with now, newest first.
    async fn webhook_secrets(&self, id: EndpointId, now: DateTime<Utc>) -> Result<Vec<String>, AccountsError>;
    /// Adds a secret; the one before it is used until `former_until`, those before that no longer. Returns whether the endpoint is there.
    async fn rotate_webhook_secret(
        &self,
        id: EndpointId,
        secret: &str,
        former_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
    /// Keeps a try, and since when the endpoint fails or that it does not. Of an endpoint that is gone nothing is kept.
    async fn keep_try(&self, id: EndpointId, made: &Try<'_>, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Messages to an endpoint, newest first, those below a place.
    async fn deliveries(&self, id: EndpointId, below: i64, limit: u32) -> Result<Vec<Delivery>, AccountsError>;
    /// One of them.
    async fn delivery(&self, id: EndpointId, message: &str) -> Result<Option<Delivery>, AccountsError>;
    /// Forgets messages that were last tried before an instant, and secrets that are not used at it.
    async fn purge_webhooks(&self, tried_before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, AccountsError>;
}
