//! `/api/v1/complaints`: handing in, listing, reading.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use complaint_core::DeskError;
use complaint_core::complaint::{Channel, Complaint, Entry, Submission};
use complaint_core::desk::{Acting, Receipt};
use complaint_core::id::{AgentId, CategoryKey, ComplaintId, CustomerId, Level, Version};
use complaint_core::policy::Policy;
use complaint_core::store::{Cursor, PAGE_MAX, Query, Sort, search_words};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::documents::must_have_accepted;
use super::query::{cursor, encoded, is_known, limit, page, parameters, wrong};
use super::view::submission::BY_HAND;
use super::view::{
    Audience, ComplaintRow, ComplaintView, DeadlineView, EntryView, Lens, MessageView, RoutingView, SubmissionBody,
    message_of,
};
use crate::auth::viewer::ShownBy;
use crate::auth::{AuthError, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, Repeatable, Sent};
use crate::state::AppState;

/// Longest search text, in characters.
const SEARCH_MAX: usize = 200;
/// The most handlers of a team that are asked for at once.
const HANDLERS_MAX: usize = 50;

/// A page of complaints.
#[derive(Serialize, ToSchema)]
pub(super) struct Complaints {
    items: Vec<ComplaintRow>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// A page of a log or conversation, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Portion<T> {
    items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last. What is added meanwhile comes behind it.
    next: Option<String>,
}

/// A whole list of clocks.
#[derive(Serialize, ToSchema)]
pub(super) struct All<T> {
    items: Vec<T>,
}

/// Hand in a complaint.
///
/// Agents, who take it down for somebody, also give `customer` and `channel`; nobody else may.
#[utoipa::path(post, path = "/api/v1/complaints", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first answer again")),
    request_body(content = SubmissionBody, example = json!({"category": "Damaged goods", "subject": "Broken kettle", "description": "The lid is cracked.", "product": "Kettle K2", "order_number": "A-1009", "purchase_date": "2026-02-14", "wish": "replacement"})),
    responses(
        (status = 201, body = ComplaintView, headers(("Location" = String), ("ETag" = String, description = "The version, quoted"))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named; `idempotency_key_reused`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Others were faster again and again; send it once more"),
    ))]
pub(super) async fn submit(
    State(state): State<AppState>,
    viewer: Viewer,
    request: Repeatable,
) -> Result<Response, Problem> {
    if !matches!(viewer.role, Role::Customer | Role::Agent) {
        return Err(Problem::forbidden().detail("Complaints come from customers, and from agents who take them down."));
    }
    must_have_accepted(&state, &viewer).await?;
    let acting = keyed(state.acting(&viewer).await?, &request)?;
    let submission = submission(&state, &viewer, &acting, &request).await?;
    let receipt = acting.submit(submission).await?;
    received(&state, &acting, &receipt).await
}

/// List the complaints the caller may see.
#[utoipa::path(get, path = "/api/v1/complaints", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(
        ("status" = Option<String>, Query, description = "Statuses, repeated or separated by commas"),
        ("category" = Option<String>, Query, description = "Key or name"),
        ("handler" = Option<String>, Query, description = "An agent's id, or `me`; repeated, at most 50: a team's; staff only"),
        ("customer" = Option<String>, Query, description = "A customer's id; staff only"),
        ("level" = Option<u8>, Query),
        ("received_from" = Option<DateTime<Utc>>, Query, description = "Received at this instant or later"),
        ("received_before" = Option<DateTime<Utc>>, Query, description = "Received before this instant"),
        ("promised_before" = Option<DateTime<Utc>>, Query, description = "The earliest promise ends before this instant; staff only"),
        ("missed" = Option<bool>, Query, description = "`true`: a deadline was missed and still runs; staff only"),
        ("q" = Option<String>, Query, description = "Words that begin words of subject, description, product, order number or reference"),
        ("sort" = Option<String>, Query, description = "`newest` (default), `oldest`, `deadline`, or `relevance` with `q`: what has the words in its subject, product, order number or reference comes first"),
        ("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of an earlier page with the same sort and filters"),
    ),
    responses(
        (status = 200, body = Complaints),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`invalid_query` names the parameter"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<Complaints>, Problem> {
    let acting = state.acting(&viewer).await?;
    let query = read_query(query.as_deref(), &acting, &state.desk.policy())?;
    if let Some(unknown) = unknown_handler(&state, &query).await? {
        return Err(wrong("handler", "unknown_value", &format!("An agent's id, or me. `{unknown}` is nobody's.")));
    }
    let page = acting.list(query).await?;
    let lens = Lens::over(&state, &acting, &page.items).await?;
    Ok(Json(Complaints {
        items: page.items.iter().map(|complaint| lens.row(complaint)).collect(),
        next: page.next.map(|cursor| encoded(&cursor.to_string())),
    }))
}

/// Read a complaint by id or reference.
#[utoipa::path(get, path = "/api/v1/complaints/{id}", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference"), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = ComplaintView, headers(("ETag" = String, description = "The version, quoted"))),
        (status = 304, description = "Still the version the caller has"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none, or it is none of the caller's business"),
    ))]
pub(super) async fn show(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    if is_known(&headers, &etag(&acting, &complaint)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag(&acting, &complaint))]).into_response());
    }
    present(&state, &acting, StatusCode::OK, &complaint).await
}

/// Read the log: what happened, who did it, when. Customers see what concerns them.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/log", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(
        ("id" = String, Path, description = "Id or reference"),
        ("limit" = Option<u16>, Query, description = "1 to 100; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of an earlier page"),
    ),
    responses(
        (status = 200, body = Portion<EntryView>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`invalid_query` names the parameter"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn log(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Portion<EntryView>>, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    let (log, next) = portion(&acting, &complaint, query.as_deref(), |_| true).await?;
    let lens = Lens::over(&state, &acting, &[complaint]).await?;
    Ok(Json(Portion { items: log.iter().map(|entry| lens.entry(entry)).collect(), next }))
}

/// Read the conversation between customer and staff, oldest first.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/messages", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(
        ("id" = String, Path, description = "Id or reference"),
        ("limit" = Option<u16>, Query, description = "1 to 100; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of an earlier page"),
    ),
    responses(
        (status = 200, body = Portion<MessageView>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`invalid_query` names the parameter"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn messages(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Portion<MessageView>>, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    let (log, next) = portion(&acting, &complaint, query.as_deref(), |entry| message_of(entry).is_some()).await?;
    let lens = Lens::over(&state, &acting, std::slice::from_ref(&complaint)).await?;
    Ok(Json(Portion { items: log.iter().filter_map(|entry| lens.message(&complaint, entry)).collect(), next }))
}

/// Read the clocks with the segments that explain them.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/deadlines", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference")),
    responses((status = 200, body = All<DeadlineView>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn deadlines(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<All<DeadlineView>>, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    let lens = Lens::over(&state, &acting, std::slice::from_ref(&complaint)).await?;
    Ok(Json(All { items: lens.deadlines(&complaint) }))
}

/// Read why this handler, or who is considered now. Staff only.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/routing", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference")),
    responses(
        (status = 200, body = RoutingView),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn routing(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<RoutingView>, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    if !Audience::of(acting.actor()).is_internal() {
        return Err(Problem::forbidden()
            .detail("Who was considered for it is for staff to know; `handler` says who deals with it."));
    }
    let nobody = || Problem::not_found().detail("Nobody was considered for it.");
    let routing = acting.routing(complaint.id).await?.ok_or_else(nobody)?;
    let lens = Lens::over(&state, &acting, &[complaint]).await?;
    Ok(Json(lens.routing(&routing)))
}

/// The desk in hands that may repeat this request.
pub(super) fn keyed(acting: Acting, request: &Repeatable) -> Result<Acting, Problem> {
    match &request.key {
        Some((key, fingerprint)) => acting
            .under_key(key, fingerprint.as_str())
            .map_err(|invalid| Problem::malformed("invalid_idempotency_key", invalid.to_string())),
        None => Ok(acting),
    }
}

/// Reads a submission: what the server knows better than the caller is set here.
///
/// # Errors
/// All that is wrong, where something cannot be read what the rules say of the rest as well.
pub(super) async fn submission(
    state: &AppState,
    viewer: &Viewer,
    acting: &Acting,
    request: &Repeatable,
) -> Result<Submission, Problem> {
    let Read { submission, wrong, .. } = sent(state, viewer, request).await?;
    let Some(wrong) = wrong else { return Ok(submission) };
    Err(wrong.and_refused(acting.would_refuse_submission(&submission).await?))
}

/// Reads a submission that follows a finished complaint, as [`submission`] does.
pub(super) async fn following(
    state: &AppState,
    viewer: &Viewer,
    acting: &Acting,
    request: &Repeatable,
    (finished, seen): (ComplaintId, Option<Version>),
) -> Result<Submission, Problem> {
    let Read { submission, wrong, .. } = sent(state, viewer, request).await?;
    let Some(wrong) = wrong else { return Ok(submission) };
    Err(wrong.and_refused(acting.would_refuse_follow_up(finished, &submission, seen).await?))
}

/// What was sent, as far as it can be read.
async fn sent(state: &AppState, viewer: &Viewer, request: &Repeatable) -> Result<Read, Problem> {
    if viewer.role == Role::Agent {
        return by_agent(state, request).await;
    }
    let mut read = of_customer(state, request)?;
    read.submission.channel = match viewer.shown_by {
        ShownBy::Session | ShownBy::Link(_) => Channel::Web,
        ShownBy::ApiToken => Channel::Api,
    };
    Ok(read)
}

/// A submission as it was sent. Where something is wrong, other values may stand in for what cannot be read.
pub(super) struct Read {
    pub(super) submission: Submission,
    pub(super) wrong: Option<Problem>,
}

impl Read {
    fn add(&mut self, field: &str, code: &str, message: &str) {
        let problem = Problem::invalid().detail(format!("{field}: {message}")).field(field, code, message);
        Problem::add(&mut self.wrong, problem);
    }
}

/// What an agent takes down for somebody.
async fn by_agent(state: &AppState, request: &Repeatable) -> Result<Read, Problem> {
    let mut sent = request.sent::<Value>(&[])?;
    // Read apart: an address may be longer than an id, and most channels are not for hands.
    let channel = sent.body["channel"].as_str().map(str::to_owned);
    let by_hand = BY_HAND.iter().find(|known| Some(known.name()) == channel.as_deref());
    let customer = sent.body["customer"].as_str().map(|customer| customer.trim().to_owned());
    if let Some(members) = sent.body.as_object_mut() {
        members.retain(|name, value| {
            !matches!(&**name, "channel" | "customer") || !(value.is_string() || value.is_null())
        });
    }
    let mut read = read(state, sent, &[])?;
    match (by_hand, channel) {
        (Some(known), _) => read.submission.channel = *known,
        (None, Some(_)) => read.add("channel", "unknown_value", "One of phone, counter, letter, social_media."),
        (None, None) => {
            read.add("channel", "missing", "How did it reach you? One of phone, counter, letter, social_media.");
        }
    }
    match known_customer(state, customer.as_deref()).await {
        Ok(customer) => read.submission.customer = Some(customer),
        Err(problem) if problem.status.is_server_error() => return Err(problem),
        Err(problem) => Problem::add(&mut read.wrong, problem),
    }
    Ok(read)
}

/// What somebody says who complains themself.
pub(super) fn of_customer(state: &AppState, request: &Repeatable) -> Result<Read, Problem> {
    const OF_AGENTS: &[&str] = &["channel", "customer"];
    let mut sent = request.sent::<Value>(&[])?;
    let given: Vec<&str> = OF_AGENTS.iter().copied().filter(|field| !sent.body[field].is_null()).collect();
    if let Some(members) = sent.body.as_object_mut() {
        members.retain(|name, _| !OF_AGENTS.contains(&&**name));
    }
    let mut read = read(state, sent, OF_AGENTS)?;
    for field in given {
        read.add(field, "unknown_field", "Only agents who take a complaint down give this.");
    }
    Ok(read)
}

fn read(state: &AppState, sent: Sent<Value>, without: &[&str]) -> Result<Read, Problem> {
    let category = sent.body["category"].clone();
    let Sent { body: mut submission, wrong } = sent.read::<Submission>(without)?;
    submission.category = category_named(&state.desk.policy(), submission.category, &category);
    Ok(Read { submission, wrong })
}

/// 201 with the new complaint.
pub(super) async fn received(state: &AppState, acting: &Acting, receipt: &Receipt) -> Result<Response, Problem> {
    let mut response = present(state, acting, StatusCode::CREATED, receipt.complaint()).await?;
    let location = format!("/api/v1/complaints/{}", receipt.id());
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// A complaint with its version as `ETag`.
pub(super) async fn present(
    state: &AppState,
    acting: &Acting,
    status: StatusCode,
    complaint: &Complaint,
) -> Result<Response, Problem> {
    let lens = Lens::over(state, acting, std::slice::from_ref(complaint)).await?;
    Ok((status, [(ETAG, etag(acting, complaint))], Json(lens.complaint(complaint))).into_response())
}

fn etag(acting: &Acting, complaint: &Complaint) -> String {
    format!("\"{}\"", complaint.version_for(acting.actor()))
}

/// A category by key, or by the name people read.
fn category_named(policy: &Policy, key: CategoryKey, given: &Value) -> CategoryKey {
    if policy.category(&key).is_some() {
        return key;
    }
    let name = given.as_str().map(str::trim).unwrap_or_default().to_lowercase();
    let named = policy.categories.iter().find(|category| category.name.to_lowercase() == name);
    named.map_or(key, |category| category.key.clone())
}

/// The account that somebody complains for: by id, or by e-mail address.
pub(crate) async fn known_customer(state: &AppState, customer: Option<&str>) -> Result<CustomerId, Problem> {
    let fault =
        |code, message| Err(Problem::invalid().detail(format!("customer: {message}")).field("customer", code, message));
    let Some(customer) = customer else {
        return fault("missing", "For whom? The id or the e-mail address of the customer's account.");
    };
    // Whoever is on the telephone knows their address, not their id.
    let found = if customer.contains('@') {
        state.accounts.account_at(customer).await
    } else {
        state.accounts.account(customer).await
    };
    match found {
        Ok(account) if account.role == Role::Customer && account.disabled_at.is_none() => {
            CustomerId::new(account.id.as_str())
                .map_err(|_| Problem::invalid().field("customer", "invalid", "This id cannot be used."))
        }
        Ok(_) | Err(AuthError::NoSuchAccount) => fault("unknown_customer", "There is no such customer."),
        Err(error) => Err(error.into()),
    }
}

/// A handler that is looked for and nobody is, or ever was: nothing would be found, as if there were nothing.
async fn unknown_handler(state: &AppState, query: &Query) -> Result<Option<AgentId>, Problem> {
    for handler in &query.handlers {
        if state.desk.store().find(handler).await.map_err(DeskError::from)?.is_none() {
            return Ok(Some(handler.clone()));
        }
    }
    Ok(None)
}

fn read_query(text: Option<&str>, acting: &Acting, policy: &Policy) -> Result<Query, Problem> {
    let audience = Audience::of(acting.actor());
    let mut query = Query::within(acting.scope());
    parameters(text, &["status", "handler"], |name, value| {
        match name {
            "status" => {
                for status in value.split(',').map(str::trim).filter(|status| !status.is_empty()) {
                    query.statuses.push(
                        status.parse().map_err(|_| {
                            wrong(name, "unknown_value", "Statuses of the lifecycle, e.g. in_progress.")
                        })?,
                    );
                }
            }
            "category" => {
                let key =
                    CategoryKey::new(value).map_err(|_| wrong(name, "invalid", "A key or name of a category."))?;
                let key = category_named(policy, key, &Value::from(value));
                // One that is no longer in use stays in the catalogue, and its complaints can be found.
                if policy.category(&key).is_none() {
                    return Err(wrong(name, "unknown_value", "A key or name of a category."));
                }
                query.category = Some(key);
            }
            "handler" | "customer" | "promised_before" | "missed" if !audience.is_internal() => {
                return Err(wrong(name, "not_permitted", "Only staff filter by this."));
            }
            "handler" if query.handlers.len() == HANDLERS_MAX => {
                return Err(wrong(name, "too_many", "At most 50 handlers."));
            }
            "handler" if value == "me" => {
                let me = acting.actor().agent_id().cloned();
                query.handlers.push(me.ok_or_else(|| wrong(name, "invalid", "You hold no complaints."))?);
            }
            "handler" => {
                query.handlers.push(value.parse().map_err(|_| wrong(name, "invalid", "An agent's id, or me."))?);
            }
            "customer" => query.customer = Some(value.parse().map_err(|_| wrong(name, "invalid", "A customer's id."))?),
            "level" => {
                let level = value.parse().ok().and_then(|level| Level::new(level).ok());
                query.level = Some(level.ok_or_else(|| wrong(name, "invalid", "A level of the ladder, from 1."))?);
            }
            "received_from" => query.received_from = Some(instant(name, value)?),
            "received_before" => query.received_before = Some(instant(name, value)?),
            "promised_before" => query.promised_before = Some(instant(name, value)?),
            "missed" => {
                query.missed = value.parse().map_err(|_| wrong(name, "invalid", "Either true or false."))?;
            }
            "q" if !audience.reads_content() => {
                return Err(wrong(name, "not_permitted", "What customers wrote is not searched for administrators."));
            }
            "q" if value.chars().count() > SEARCH_MAX => {
                return Err(wrong(name, "too_long", "At most 200 characters."));
            }
            "q" if search_words(value).is_empty() => {
                return Err(wrong(name, "invalid", "Words to look for: letters or digits."));
            }
            "q" => query.text = Some(value.to_owned()),
            "sort" => {
                query.sort = value
                    .parse()
                    .map_err(|_| wrong(name, "unknown_value", "One of newest, oldest, deadline, relevance."))?;
            }
            "limit" => query.limit = limit(value, PAGE_MAX)?,
            "cursor" => query.after = Some(cursor(value, |place| place.parse::<Cursor>().ok())?),
            _ => return Err(wrong(name, "unknown_field", "There is no such parameter.")),
        }
        Ok(())
    })?;
    if query.sort == Sort::Relevance && query.text.is_none() {
        return Err(wrong("sort", "invalid", "Relevance is to the words of q."));
    }
    if query.after.is_some_and(|after| after.sort != query.sort) {
        return Err(wrong("cursor", "invalid", "This cursor belongs to another sort."));
    }
    Ok(query)
}

fn instant(name: &str, value: &str) -> Result<DateTime<Utc>, Problem> {
    let instant = DateTime::parse_from_rfc3339(value);
    let instant = instant.map_err(|_| wrong(name, "invalid", "An instant is written as in 2026-11-30T09:00:00Z."))?;
    Ok(instant.to_utc())
}

/// A page of a log and the cursor behind it. The cursor is a place in what this viewer sees, so it tells of nothing hidden, and
/// whoever else uses it only begins elsewhere in what they may see.
async fn portion(
    acting: &Acting,
    complaint: &Complaint,
    query: Option<&str>,
    wanted: impl Fn(&Entry) -> bool,
) -> Result<(Vec<Entry>, Option<String>), Problem> {
    let place = |value: &str| cursor(value, |place| place.parse().ok().filter(|place| *place > 0));
    let page = page(query, PAGE_MAX, PAGE_MAX, place, |_, _| Ok(false))?;
    let (after, most) = (page.cursor.unwrap_or_default(), page.limit);
    // One more than asked for tells whether there is a next page.
    let mut log = acting.log_after(complaint.id, after, usize::from(most) + 1, wanted).await?;
    let more = log.len() > usize::from(most);
    log.truncate(most.into());
    let next = log.last().filter(|_| more).map(|last| encoded(&last.seq.to_string()));
    Ok((log, next))
}
