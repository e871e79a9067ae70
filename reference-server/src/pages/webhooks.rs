//! What admins see of webhooks: which there are, what was sent, and how it went.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use complaint_core::complaint::EventName;
use complaint_core::id::EndpointId;
use serde::Deserialize;

use super::account::faults_of;
use super::form::{Control, Fault, Field, Summary, Typed, filled};
use super::words::{Tag, When};
use super::{Answer, Me, Person, page, see};
use crate::api::webhooks::endpoint;
use crate::auth::Role;
use crate::extract::{ApiPath, ApiQuery};
use crate::state::AppState;
use crate::webhooks::kept::{Delivery, Webhook};
use crate::webhooks::{WebhookChange, WebhooksError};

/// How many messages the page of a webhook shows.
const SHOWN: u32 = 50;

/// `/admin/webhooks` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin/webhooks", get(list))
        .route("/admin/webhooks/new", get(new).post(add))
        .route("/admin/webhooks/{id}", get(show).post(change))
        .route("/admin/webhooks/{id}/enabled", get(back).post(enable))
        .route("/admin/webhooks/{id}/remove", get(back).post(remove))
        .route("/admin/webhooks/{id}/secret", get(back).post(rotate))
        .route("/admin/webhooks/{id}/ping", get(back).post(ping))
        .route("/admin/webhooks/{id}/deliveries/{message}", get(back_from_message).post(redeliver))
}

struct Row {
    id: String,
    name: String,
    url: String,
    events: String,
    state: Tag,
}

#[derive(Template)]
#[template(path = "admin/webhooks.html")]
struct WebhooksPage {
    me: Me,
    rows: Vec<Row>,
}

struct Sent {
    message: String,
    kind: String,
    reference: Option<String>,
    last: When,
    attempts: u32,
    state: Tag,
    why: String,
}

#[derive(Template)]
#[template(path = "admin/webhook.html")]
struct WebhookPage {
    me: Me,
    title: String,
    action: String,
    button: &'static str,
    saved: bool,
    /// Shown this once.
    secret: Option<String>,
    summary: Summary,
    fields: Vec<Field>,
    /// What is there already.
    known: Option<Known>,
}

struct Known {
    id: String,
    enabled: bool,
    disabled_why: Option<String>,
    failing_since: Option<When>,
    sent: Vec<Sent>,
}

#[derive(Deserialize)]
struct SavedQuery {
    #[serde(default)]
    saved: String,
}

async fn back(ApiPath(id): ApiPath<String>) -> Response {
    see(&page_of(&id))
}

async fn back_from_message(ApiPath((id, _)): ApiPath<(String, String)>) -> Response {
    see(&page_of(&id))
}

async fn list(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    let rows = state.webhooks.list().await?.into_iter().map(|webhook| Row {
        id: webhook.id.to_string(),
        state: state_of(&webhook),
        events: if webhook.events.is_empty() { "all".to_owned() } else { events_of(&webhook) },
        name: webhook.name,
        url: webhook.url,
    });
    page(StatusCode::OK, &WebhooksPage { me: Me::of(&person.0, &state, "/admin/webhooks").await, rows: rows.collect() })
}

async fn new(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    webhook_page(&state, &person, StatusCode::OK, None, None, &[]).await
}

async fn add(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["name", "url", "events"])?;
    let (name, url, events) = (typed.raw("name"), typed.raw("url"), events_in(&typed));
    match state.webhooks.add(&state.desk, &person.0.id, name, url, &events).await {
        Ok((webhook, secret)) => {
            tracing::info!(by = %person.0.id, webhook = %webhook.id, "a webhook was made");
            secret_page(&state, &person, &webhook, secret.expose()).await
        }
        Err(WebhooksError::Invalid(faults)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            webhook_page(&state, &person, status, None, Some(&typed), &faults_of(faults)).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn show(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SavedQuery>,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    let webhook = state.webhooks.find(endpoint(&id)?).await?;
    let shown = Shown { saved: query.saved == "true", secret: None };
    known_page(&state, &person, StatusCode::OK, &webhook, shown, None, &[]).await
}

async fn change(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["name", "url", "events"])?;
    let id = endpoint(&id)?;
    let text = |field| Some(typed.raw(field).to_owned());
    let change = WebhookChange { name: text("name"), url: text("url"), events: Some(events_in(&typed)), enabled: None };
    match state.webhooks.change(&state.desk, &person.0.id, id, &change).await {
        Ok(webhook) => Ok(see(&format!("{}?saved=true", page_of(&webhook.id.to_string())))),
        Err(WebhooksError::Invalid(faults)) => {
            let webhook = state.webhooks.find(id).await?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let faults = faults_of(faults);
            known_page(&state, &person, status, &webhook, Shown::default(), Some(&typed), &faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn enable(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["enabled"])?;
    let change = WebhookChange { enabled: Some(typed.machine::<bool>("enabled")?), ..WebhookChange::default() };
    state.webhooks.change(&state.desk, &person.0.id, endpoint(&id)?, &change).await?;
    Ok(see(&page_of(&id)))
}

async fn remove(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    state.webhooks.remove(&state.desk, &person.0.id, endpoint(&id)?).await?;
    Ok(see("/admin/webhooks"))
}

async fn rotate(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    let id = endpoint(&id)?;
    let (secret, _) = state.webhooks.rotate(id).await?;
    secret_page(&state, &person, &state.webhooks.find(id).await?, secret.expose()).await
}

async fn ping(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    state.webhooks.ping(endpoint(&id)?).await?;
    Ok(see(&page_of(&id)))
}

async fn redeliver(
    State(state): State<AppState>,
    person: Person,
    ApiPath((id, message)): ApiPath<(String, String)>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    state.webhooks.redeliver(endpoint(&id)?, &message).await?;
    Ok(see(&page_of(&id)))
}

/// What is said once, above what is there.
#[derive(Default)]
struct Shown {
    saved: bool,
    secret: Option<String>,
}

async fn secret_page(state: &AppState, person: &Person, webhook: &Webhook, secret: &str) -> Answer {
    let shown = Shown { saved: false, secret: Some(secret.to_owned()) };
    known_page(state, person, StatusCode::OK, webhook, shown, None, &[]).await
}

async fn known_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    webhook: &Webhook,
    shown: Shown,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    webhook_page(state, person, status, Some((webhook, shown)), typed, faults).await
}

async fn webhook_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    known: Option<(&Webhook, Shown)>,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let (webhook, shown) = known.map_or((None, Shown::default()), |(webhook, shown)| (Some(webhook), shown));
    let fields = vec![
        Field::line("name", "Name").required().max(100).value(webhook.map_or("", |it| it.name.as_str())),
        Field::new("url", "Address", Control::Line("url"))
            .hint("It begins with https:// and is reachable from the internet.")
            .required()
            .max(2000)
            .value(webhook.map_or("", |it| it.url.as_str())),
        Field::line("events", "Events")
            .hint("Names such as submitted, escalated, resolved, closed, separated by commas; empty: all.")
            .max(2000)
            .value(webhook.map(events_of).unwrap_or_default()),
    ];
    let fields = filled(fields, typed, faults);
    let known = match webhook {
        Some(webhook) => Some(Known {
            id: webhook.id.to_string(),
            enabled: webhook.disabled_at.is_none(),
            disabled_why: webhook.disabled_why.clone(),
            failing_since: webhook.failing_since.map(When),
            sent: sent(state, webhook.id).await?,
        }),
        None => None,
    };
    page(
        status,
        &WebhookPage {
            me: Me::of(&person.0, state, "/admin/webhooks").await,
            title: webhook.map_or_else(|| "New webhook".to_owned(), |webhook| webhook.name.clone()),
            action: page_of(known.as_ref().map_or("new", |known| &known.id)),
            button: if known.is_some() { "Save" } else { "Make the webhook" },
            saved: shown.saved,
            secret: shown.secret,
            summary: Summary::of(faults, &fields),
            fields,
            known,
        },
    )
}

async fn sent(state: &AppState, id: EndpointId) -> Result<Vec<Sent>, WebhooksError> {
    let deliveries = state.webhooks.deliveries(id, None, SHOWN).await?;
    let shown = |delivery: Delivery| Sent {
        message: delivery.message,
        kind: delivery.kind,
        reference: delivery.reference,
        last: When(delivery.last_at),
        attempts: delivery.attempts,
        state: if delivery.delivered { Tag::new("done", "Taken") } else { Tag::new("bad", "Not taken") },
        why: delivery.why.unwrap_or_default(),
    };
    Ok(deliveries.into_iter().map(shown).collect())
}

fn state_of(webhook: &Webhook) -> Tag {
    match (webhook.disabled_at, webhook.failing_since) {
        (Some(_), _) => Tag::new("end", "Out of use"),
        (None, Some(_)) => Tag::new("bad", "Failing"),
        (None, None) => Tag::new("done", "In use"),
    }
}

fn events_of(webhook: &Webhook) -> String {
    webhook.events.iter().copied().map(EventName::name).collect::<Vec<_>>().join(", ")
}

fn events_in(typed: &Typed) -> Vec<String> {
    let names = typed.raw("events").split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn page_of(id: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/admin/webhooks/{id}")
}
