//! Webhooks: other programs that are told what happens. Handlers and pages call these functions; [`kept`] says what is kept.

pub mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::clock::IdSource;
use complaint_core::complaint::EventName;
use complaint_core::id::EndpointId;
use complaint_core::notice::Notice;
use complaint_core::policy::Subscription;
use complaint_core::{Desk, NotifyError};
use complaint_notify::{Endpoint, EndpointBook, Mailer, PlainMail, Told, WebhookMessage, WebhookSecret, WebhookSender};
use thiserror::Error;
use uuid::Uuid;

use crate::auth::accounts::AccountFilter;
use crate::auth::service::FieldFault;
use crate::auth::values::Fault;
use crate::auth::{AccountService, AccountsError, AuthError, PolicyVersions, Role};
use crate::catalogue::{self, CatalogueError};
use crate::clock::Clock;
use crate::error::{chain, printable};
use kept::{Delivery, Endpoints, Try, Webhook};

/// The most endpoints.
pub const WEBHOOKS_MAX: u32 = 20;
/// How long an endpoint may take for its answer: shorter than somebody who presses a button waits for theirs.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long the former secret is used beside a new one.
pub const FORMER_SECRET_FOR: TimeDelta = TimeDelta::hours(24);
/// An endpoint that has taken nothing for so long is put out of use.
pub const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(5);
/// How long messages can be looked up and sent again.
pub const DELIVERIES_KEPT: TimeDelta = TimeDelta::days(30);
/// Longest name, in characters.
const NAME_MAX: usize = 100;
/// Longest address, in bytes.
const URL_MAX: usize = 2000;
const WHY_MAX: usize = 300;

/// Why something about a webhook was not done.
#[derive(Debug, Error)]
pub enum WebhooksError {
    /// Typed values must be mended; all of them are named.
    #[error("some values cannot be accepted")]
    Invalid(Vec<FieldFault>),
    /// There is none.
    #[error("there is no such webhook")]
    NotFound,
    /// There are as many as there may be.
    #[error("there are {WEBHOOKS_MAX} webhooks already")]
    TooMany,
    /// They cannot be read or written.
    #[error("webhooks could not be read or written")]
    Kept(#[from] AccountsError),
    /// The policy could not be told of them.
    #[error("the policy could not be changed")]
    Policy(#[from] CatalogueError),
}

/// What an admin says about an endpoint; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// What people call it.
    pub name: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    /// The names of the events that it is told of; none: all.
    pub events: Option<Vec<String>>,
    /// Whether it is in use.
    pub enabled: Option<bool>,
}

/// Endpoints with their rules. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    kept: Arc<dyn Endpoints>,
    policies: Arc<dyn PolicyVersions>,
    sender: WebhookSender,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl Webhooks {
    /// Puts the parts together.
    pub fn new(
        kept: Arc<dyn Endpoints>,
        policies: Arc<dyn PolicyVersions>,
        sender: WebhookSender,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self { kept, policies, sender, clock, ids }
    }

    /// All endpoints in the order in which they were made.
    pub async fn list(&self) -> Result<Vec<Webhook>, WebhooksError> {
        Ok(self.kept.webhooks().await?)
    }

    /// The endpoint with this id.
    pub async fn find(&self, id: EndpointId) -> Result<Webhook, WebhooksError> {
        self.kept.webhook(id).await?.ok_or(WebhooksError::NotFound)
    }

    /// Makes an endpoint; what it shares with us is returned this once.
    ///
    /// # Errors
    /// [`WebhooksError::Invalid`] with every fault of name, address and events.
    pub async fn add(
        &self,
        desk: &Desk,
        by: &str,
        name: &str,
        url: &str,
        events: &[String],
    ) -> Result<(Webhook, WebhookSecret), WebhooksError> {
        let good = self.checked(Some(name), Some(url), Some(events))?;
        let now = self.clock.now();
        let webhook = Webhook {
            id: EndpointId::from_uuid(self.ids.next_id(now)),
            name: good.name.unwrap_or_default(),
            url: good.url.unwrap_or_default(),
            events: good.events.unwrap_or_default(),
            made_at: now,
            made_by: by.to_owned(),
            disabled_at: None,
            disabled_why: None,
            failing_since: None,
            gone_at: None,
        };
        let secret = WebhookSecret::from_bytes(rand::random());
        if !self.kept.insert_webhook(&webhook, secret.expose(), WEBHOOKS_MAX).await? {
            return Err(WebhooksError::TooMany);
        }
        self.publish(desk, by).await?;
        Ok((webhook, secret))
    }

    /// Changes an endpoint. One that is put into use again begins anew: what it failed before is forgotten.
    ///
    /// # Errors
    /// [`WebhooksError::Invalid`] with every fault.
    pub async fn change(
        &self,
        desk: &Desk,
        by: &str,
        id: EndpointId,
        change: &WebhookChange,
    ) -> Result<Webhook, WebhooksError> {
        let mut webhook = self.find(id).await?;
        let good = self.checked(change.name.as_deref(), change.url.as_deref(), change.events.as_deref())?;
        webhook.name = good.name.unwrap_or(webhook.name);
        webhook.url = good.url.unwrap_or(webhook.url);
        webhook.events = good.events.unwrap_or(webhook.events);
        match change.enabled {
            Some(false) if webhook.disabled_at.is_none() => webhook.disabled_at = Some(self.clock.now()),
            Some(true) if webhook.disabled_at.is_some() => {
                (webhook.disabled_at, webhook.disabled_why) = (None, None);
                (webhook.failing_since, webhook.gone_at) = (None, None);
            }
            _ => {}
        }
        if !self.kept.update_webhook(&webhook).await? {
            return Err(WebhooksError::NotFound);
        }
        self.publish(desk, by).await?;
        Ok(webhook)
    }

    /// Forgets an endpoint with all that was sent there.
    pub async fn remove(&self, desk: &Desk, by: &str, id: EndpointId) -> Result<(), WebhooksError> {
        if !self.kept.remove_webhook(id).await? {
            return Err(WebhooksError::NotFound);
        }
        self.publish(desk, by).await
    }

    /// A new secret, returned this once, and until when the former one is used beside it. One that was on its way out is used no longer.
    pub async fn rotate(&self, id: EndpointId) -> Result<(WebhookSecret, DateTime<Utc>), WebhooksError> {
        let now = self.clock.now();
        let (secret, until) = (WebhookSecret::from_bytes(rand::random()), now + FORMER_SECRET_FOR);
        if !self.kept.rotate_webhook_secret(id, secret.expose(), until, now).await? {
            return Err(WebhooksError::NotFound);
        }
        Ok((secret, until))
    }

    /// Sends a message that says nothing, at once, and says how it went.
    pub async fn ping(&self, id: EndpointId) -> Result<Delivery, WebhooksError> {
        let now = self.clock.now();
        let message = WebhookMessage::ping(self.ids.next_id(now), now);
        self.send(id, &message, "ping", None).await
    }

    /// Messages to an endpoint, newest first, below a place; at most `limit`.
    pub async fn deliveries(
        &self,
        id: EndpointId,
        below: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>, WebhooksError> {
        self.find(id).await?;
        Ok(self.kept.deliveries(id, below.unwrap_or(i64::MAX), limit).await?)
    }

    /// Sends a message once more, at once, under the id it had, and says how it went.
    pub async fn redeliver(&self, id: EndpointId, message: &str) -> Result<Delivery, WebhooksError> {
        // What cannot be an id is not asked for: a database may not be able to hold it.
        if !message.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(WebhooksError::NotFound);
        }
        let kept = self.kept.delivery(id, message).await?.ok_or(WebhooksError::NotFound)?;
        self.send(id, &WebhookMessage::again(kept.message, kept.body), &kept.kind, kept.reference).await
    }

    /// What is to be done from time to time: endpoints that have taken nothing for days, or said that they are gone, are put out of use
    /// and the admins are told; the policy is told what it has not heard of; what is old is forgotten.
    pub async fn tend(
        &self,
        desk: &Desk,
        accounts: &AccountService,
        mailer: &Mailer,
        base_url: &str,
    ) -> Result<(), WebhooksError> {
        let now = self.clock.now();
        for webhook in self.kept.webhooks().await? {
            let why = match (webhook.gone_at, webhook.failing_since) {
                _ if webhook.disabled_at.is_some() => continue,
                (Some(_), _) => "It answered 410: it wants to hear nothing any more.".to_owned(),
                (None, Some(since)) if since + GIVEN_UP_AFTER <= now => {
                    format!("It has taken nothing since {}.", since.format("%-d %B %Y, %H:%M UTC"))
                }
                _ => continue,
            };
            // Whoever cannot be told now is told next time, and only then it is put out of use.
            match tell_admins(accounts, mailer, base_url, &webhook, &why).await {
                Ok(()) => {
                    tracing::warn!(webhook = %webhook.id, why, "a webhook is put out of use");
                    let disabled = Webhook { disabled_at: Some(now), disabled_why: Some(why), ..webhook };
                    self.kept.update_webhook(&disabled).await?;
                }
                Err(error) => tracing::error!(error = %chain(&error), "the admins could not be told of a webhook"),
            }
        }
        self.publish(desk, "system").await?;
        self.kept.purge_webhooks(now - DELIVERIES_KEPT, now).await?;
        Ok(())
    }

    /// Has the policy name exactly the endpoints that are in use.
    async fn publish(&self, desk: &Desk, by: &str) -> Result<(), WebhooksError> {
        loop {
            let all = self.kept.webhooks().await?;
            let in_use = all.into_iter().filter(|webhook| webhook.disabled_at.is_none());
            let wanted: BTreeMap<EndpointId, Subscription> =
                in_use.map(|webhook| (webhook.id, Subscription { events: webhook.events })).collect();
            if desk.policy().endpoints == wanted {
                return Ok(());
            }
            catalogue::change(self.policies.as_ref(), desk, by, |mut policy| {
                policy.endpoints.clone_from(&wanted);
                Ok::<_, CatalogueError>((policy, ()))
            })
            .await?;
            // Once more: somebody may have changed one meanwhile.
        }
    }

    async fn send(
        &self,
        id: EndpointId,
        message: &WebhookMessage,
        kind: &str,
        reference: Option<String>,
    ) -> Result<Delivery, WebhooksError> {
        let webhook = self.find(id).await?;
        let endpoint = self.endpoint(webhook).await?;
        let now = self.clock.now();
        let told = self.sender.send(&endpoint, message, now).await;
        self.keep_told(id, message, kind, reference, &told).await?;
        self.kept.delivery(id, message.id()).await?.ok_or(WebhooksError::NotFound)
    }

    async fn endpoint(&self, webhook: Webhook) -> Result<Endpoint, AccountsError> {
        let secrets = self.kept.webhook_secrets(webhook.id, self.clock.now()).await?;
        let secrets: Result<Vec<WebhookSecret>, _> = secrets.iter().map(|secret| secret.parse()).collect();
        let corrupt = |_| AccountsError::Corrupt { table: "server_webhook_secrets", column: "secret" };
        Ok(Endpoint { url: webhook.url, secrets: secrets.map_err(corrupt)? })
    }

    async fn keep_told(
        &self,
        id: EndpointId,
        message: &WebhookMessage,
        kind: &str,
        reference: Option<String>,
        told: &Told,
    ) -> Result<(), AccountsError> {
        let (delivered, status) = match told {
            Told::Delivered { status } => (true, Some(*status)),
            Told::Refused { status, .. } => (false, Some(*status)),
            Told::Unanswered { .. } => (false, None),
        };
        let why = (!delivered).then(|| printable(&told.to_string()).chars().take(WHY_MAX).collect());
        let (message, body) = (message.id(), message.body());
        let made = Try { message, kind, reference, body, delivered, status, why, gone: told.is_gone() };
        self.kept.keep_try(id, &made, self.clock.now()).await
    }

    pub(crate) fn checked(
        &self,
        name: Option<&str>,
        url: Option<&str>,
        events: Option<&[String]>,
    ) -> Result<Checked, WebhooksError> {
        let mut faults = Vec::new();
        let mut wrong = |field, code, message: String| {
            faults.push(FieldFault { field, fault: Fault::new(code, message) });
        };
        let name = name.map(str::trim);
        match name {
            Some("") => wrong("name", "missing", "Please give it a name.".to_owned()),
            Some(name) if name.chars().count() > NAME_MAX => {
                wrong("name", "too_long", format!("The name may have at most {NAME_MAX} characters."));
            }
            Some(name) if name.chars().any(char::is_control) => {
                wrong("name", "not_one_line", "The name must be one line.".to_owned());
            }
            _ => {}
        }
        let url = url.map(str::trim);
        match url {
            Some("") => wrong("url", "missing", "Please give its address.".to_owned()),
            Some(url) if url.len() > URL_MAX => {
                wrong("url", "too_long", format!("The address may have at most {URL_MAX} characters."));
            }
            Some(url) if url.chars().any(char::is_control) => {
                wrong("url", "not_one_line", "The address must be one line.".to_owned());
            }
            Some(url) => {
                if let Err(fault) = self.sender.check(url) {
                    wrong("url", "invalid", format!("The address {fault}."));
                }
            }
            None => {}
        }
        let mut known = BTreeSet::new();
        for event in events.unwrap_or_default() {
            match event.parse::<EventName>() {
                Ok(event) => {
                    known.insert(event);
                }
                Err(_) => wrong(
                    "events",
                    "unknown_value",
                    format!("There is no event “{}”.", event.chars().take(60).collect::<String>()),
                ),
            }
        }
        if !faults.is_empty() {
            return Err(WebhooksError::Invalid(faults));
        }
        Ok(Checked { name: name.map(str::to_owned), url: url.map(str::to_owned), events: events.map(|_| known) })
    }
}

/// What was given, found good.
pub(crate) struct Checked {
    name: Option<String>,
    url: Option<String>,
    events: Option<BTreeSet<EventName>>,
}

#[async_trait]
impl EndpointBook for Webhooks {
    async fn find(&self, id: EndpointId) -> Result<Option<Endpoint>, NotifyError> {
        let later = |error: AccountsError| NotifyError::Later(Box::new(error));
        match self.kept.webhook(id).await.map_err(later)? {
            Some(webhook) if webhook.disabled_at.is_none() => self.endpoint(webhook).await.map(Some).map_err(later),
            _ => Ok(None),
        }
    }

    async fn keep(&self, id: EndpointId, notice: &Notice, message: &WebhookMessage, told: &Told) {
        let event = notice.happening.as_ref().map_or_else(String::new, |it| format!("complaint.{}", it.event));
        let reference = Some(notice.reference.to_string());
        if let Err(error) = self.keep_told(id, message, &event, reference, told).await {
            tracing::error!(error = %chain(&error), "what became of a webhook could not be kept");
        }
    }
}

/// Writes to every admin that an endpoint is put out of use; again under the same `Message-ID` if that is tried again.
async fn tell_admins(
    accounts: &AccountService,
    mailer: &Mailer,
    base_url: &str,
    webhook: &Webhook,
    why: &str,
) -> Result<(), NotifyError> {
    let filter = AccountFilter { role: Some(Role::Admin), after: None, limit: 100 };
    let admins = accounts.list(filter).await.map_err(|error: AuthError| NotifyError::Later(Box::new(error)))?;
    let since = webhook.gone_at.or(webhook.failing_since).unwrap_or(webhook.made_at).timestamp();
    let text = format!(
        "The webhook “{}” is told nothing any more.\n\n{why}\n\nWhat was sent there, and how to put it into use again: {base_url}/admin/webhooks/{}\n",
        webhook.name, webhook.id
    );
    for admin in admins.into_iter().filter(|admin| admin.disabled_at.is_none()) {
        let mark = admin.id.trim_start_matches("u_");
        let mail = PlainMail {
            id: format!("webhook.{}.{since}.{mark}", Uuid::simple(webhook.id.as_uuid())),
            to: admin.email,
            name: Some(admin.name),
            subject: format!("A webhook was put out of use: {}", webhook.name),
            text: text.clone(),
            html: None,
        };
        match mailer.send_plain(&mail).await {
            // Somebody without a good address must not keep it in use for ever.
            Ok(()) | Err(NotifyError::Never(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
