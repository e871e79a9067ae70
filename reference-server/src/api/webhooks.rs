//! `/api/v1/webhooks`: other programs that are told what happens.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use complaint_core::complaint::EventName;
use complaint_core::id::EndpointId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{cursor, encoded, page};
use crate::auth::{Admin, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, Sent, Unkeyed};
use crate::state::AppState;
use crate::webhooks::WebhookChange;
use crate::webhooks::kept::{Delivery, Webhook};

/// The most deliveries on a page.
const PAGE_MAX: u16 = 100;
const PAGE: u16 = 25;

/// All webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    items: Vec<WebhookView>,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookView {
    #[schema(example = "01900000-0000-7000-8000-000000000007")]
    pub(crate) id: String,
    pub(crate) name: String,
    #[schema(example = "https://shop.example/hooks/complaints")]
    pub(crate) url: String,
    /// The names of the events that it is told of; empty: of all.
    #[schema(example = json!(["resolved", "closed"]))]
    pub(crate) events: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) disabled_at: Option<DateTime<Utc>>,
    /// Why, if no admin did that: it failed for five days, or answered 410.
    pub(crate) disabled_why: Option<String>,
    /// Since when every try has failed.
    pub(crate) failing_since: Option<DateTime<Utc>>,
    pub(crate) made_at: DateTime<Utc>,
}

/// A new webhook, with what it shares with us: shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeWebhook {
    #[serde(flatten)]
    pub(crate) webhook: WebhookView,
    /// Messages are signed with it, as the Standard Webhooks specification says.
    #[schema(example = "whsec_…")]
    pub(crate) secret: String,
}

/// A new secret, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecret {
    #[schema(example = "whsec_…")]
    pub(crate) secret: String,
    /// Until then messages are signed with the former one, too.
    pub(crate) former_until: DateTime<Utc>,
}

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// What people call it.
    name: String,
    /// `https`, and public unless the server was started with `--webhook-network`.
    url: String,
    /// The names of the events that it is told of; left out or empty: of all.
    #[serde(default)]
    events: Vec<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookPatch {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// A page of messages, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deliveries {
    items: Vec<DeliveryView>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// A message, and how it went.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// Its `webhook-id`, the same whenever it is sent.
    #[schema(example = "msg_0190000000007000800000000000000a")]
    pub(crate) id: String,
    #[serde(rename = "type")]
    #[schema(example = "complaint.resolved")]
    pub(crate) kind: String,
    /// Which complaint it is about.
    pub(crate) reference: Option<String>,
    /// What it says.
    #[schema(value_type = Object)]
    pub(crate) body: serde_json::Value,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
    pub(crate) attempts: u32,
    pub(crate) delivered: bool,
    /// What was answered last; null without an answer.
    pub(crate) status: Option<u16>,
    /// What went wrong last.
    pub(crate) why: Option<String>,
}

/// List webhooks. Admins and auditors.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = WebhookList),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(State(state): State<AppState>, viewer: Viewer) -> Result<Json<WebhookList>, Problem> {
    may_look(&viewer)?;
    let items = state.webhooks.list().await?.into_iter().map(WebhookView::from).collect();
    Ok(Json(WebhookList { items }))
}

/// Show a webhook. Admins and auditors.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = WebhookView),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn show(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<WebhookView>, Problem> {
    may_look(&viewer)?;
    Ok(Json(state.webhooks.find(endpoint(&id)?).await?.into()))
}

/// Make a webhook. Its secret is in the answer and nowhere else. Admins.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, body = MadeWebhook, headers(("Location" = String))),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`too_many_webhooks`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named"),
))]
pub(crate) async fn add(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    sent: Sent<NewWebhook>,
) -> Result<Response, Problem> {
    let body = sent.under(|body| state.webhooks.checked(Some(&body.name), Some(&body.url), Some(&body.events)))?;
    let made = state.webhooks.add(&state.desk, &viewer.id, &body.name, &body.url, &body.events).await?;
    let (webhook, secret) = made;
    tracing::info!(by = %viewer.id, webhook = %webhook.id, "a webhook was made");
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    let made = MadeWebhook { webhook: webhook.into(), secret: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made)).into_response())
}

/// Change a webhook, put it out of use or into use again. Admins.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookPatch, security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = WebhookView),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named"),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
    sent: Sent<WebhookPatch>,
) -> Result<Json<WebhookView>, Problem> {
    let body =
        sent.under(|body| state.webhooks.checked(body.name.as_deref(), body.url.as_deref(), body.events.as_deref()))?;
    let WebhookPatch { name, url, events, enabled } = body;
    let change = WebhookChange { name, url, events, enabled };
    let webhook = state.webhooks.change(&state.desk, &viewer.id, endpoint(&id)?, &change).await?;
    tracing::info!(by = %viewer.id, webhook = %webhook.id, "a webhook was changed");
    Ok(Json(webhook.into()))
}

/// Forget a webhook and what was sent there. Admins.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    state.webhooks.remove(&state.desk, &viewer.id, endpoint(&id)?).await?;
    tracing::info!(by = %viewer.id, webhook = %id, "a webhook was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook a new secret. Messages are signed with both for 24 hours. Admins.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = NewSecret),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn rotate(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<NewSecret>, Problem> {
    let (secret, former_until) = state.webhooks.rotate(endpoint(&id)?).await?;
    tracing::info!(by = %viewer.id, webhook = %id, "a webhook has a new secret");
    Ok(Json(NewSecret { secret: secret.expose().to_owned(), former_until }))
}

/// Send a message that says nothing, at once. How it went is the answer. Admins.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/ping", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = DeliveryView, description = "It was tried; `delivered` says whether it was taken"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn ping(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<DeliveryView>, Problem> {
    let told = state.webhooks.ping(endpoint(&id)?).await?;
    tracing::info!(by = %viewer.id, webhook = %id, delivered = told.delivered, "a webhook was tried");
    Ok(Json(told.into()))
}

/// List what was sent to a webhook in the last 30 days, newest first. Admins and auditors.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path), ("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Deliveries),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn deliveries(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Deliveries>, Problem> {
    may_look(&viewer)?;
    let place = |value: &str| cursor(value, |place| place.parse::<i64>().ok());
    let page = page(query.as_deref(), PAGE, PAGE_MAX, place, |_, _| Ok(false))?;
    let below = page.cursor;
    // One more than asked for tells whether there is a next page.
    let mut found = state.webhooks.deliveries(endpoint(&id)?, below, u32::from(page.limit) + 1).await?;
    let more = found.len() > usize::from(page.limit);
    found.truncate(page.limit.into());
    let next = found.last().filter(|_| more).map(|last| encoded(&last.place.to_string()));
    Ok(Json(Deliveries { items: found.into_iter().map(DeliveryView::from).collect(), next }))
}

/// Send a message once more, at once, under the id it had. How it went is the answer. Admins.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{message}/redeliver", tag = "webhooks", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path), ("message" = String, Path)), responses(
    (status = 200, body = DeliveryView, description = "It was tried; `delivered` says whether it was taken"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn redeliver(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath((id, message)): ApiPath<(String, String)>,
) -> Result<Json<DeliveryView>, Problem> {
    let told = state.webhooks.redeliver(endpoint(&id)?, &message).await?;
    tracing::info!(by = %viewer.id, webhook = %id, message, delivered = told.delivered, "a message was sent again");
    Ok(Json(told.into()))
}

fn may_look(viewer: &Viewer) -> Result<(), Problem> {
    if matches!(viewer.role, Role::Admin | Role::Auditor) {
        Ok(())
    } else {
        Err(Problem::forbidden().detail("Webhooks are for admins and auditors."))
    }
}

/// What is no id is none of ours.
pub(crate) fn endpoint(id: &str) -> Result<EndpointId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.to_string(),
            name: webhook.name,
            url: webhook.url,
            events: webhook.events.into_iter().map(EventName::name).map(str::to_owned).collect(),
            enabled: webhook.disabled_at.is_none(),
            disabled_at: webhook.disabled_at,
            disabled_why: webhook.disabled_why,
            failing_since: webhook.failing_since,
            made_at: webhook.made_at,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.message,
            kind: delivery.kind,
            reference: delivery.reference,
            body: serde_json::from_str(&delivery.body).unwrap_or_default(),
            first_at: delivery.first_at,
            last_at: delivery.last_at,
            attempts: delivery.attempts,
            delivered: delivery.delivered,
            status: delivery.status,
            why: delivery.why,
        }
    }
}
