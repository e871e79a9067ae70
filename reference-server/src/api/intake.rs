//! `/api/v1/intake/mail`: mail that comes in, handed over by a mail server, and what staff do with what is in quarantine.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::attachments::unsupported;
use super::query::{cursor, encoded, page, wrong};
use crate::auth::secret::hash_of;
use crate::auth::viewer::bearer;
use crate::auth::{Admin, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, Unkeyed};
use crate::intake::kept::{InboundMail, MailState};
use crate::intake::{IntakeError, MAIL_MAX, MailText};
use crate::state::AppState;

/// The most messages on a page.
const PAGE_MAX: u16 = 100;
const PAGE: u16 = 25;

/// What became of a message that was handed over.
#[derive(Serialize, ToSchema)]
pub(super) struct TakenIn {
    #[schema(example = "01900000-0000-7000-8000-000000000007")]
    id: String,
    state: MailState,
    /// Why, as a stable code, where the state does not say all.
    #[schema(example = "bounce")]
    why: Option<String>,
    /// The reference of the complaint that it went to.
    #[schema(example = "C7KQ-2M9X-B")]
    complaint: Option<String>,
}

/// A message that came in, for staff.
#[derive(Serialize, ToSchema)]
pub(super) struct MailView {
    #[schema(example = "01900000-0000-7000-8000-000000000007")]
    id: String,
    /// Whether a visitor handed it in by a form, and it is no mail.
    by_form: bool,
    received_at: DateTime<Utc>,
    /// Bytes that are kept of it: the whole message, or else the beginning of a larger one.
    size: u64,
    /// Bytes of the whole message, where only its beginning is here; null where all of it is.
    whole_size: Option<u64>,
    /// The address it says it is from.
    sender: Option<String>,
    subject: Option<String>,
    /// Whether its words are not for the caller, its subject among them: admins read only what is in quarantine.
    withheld: bool,
    state: MailState,
    /// Why, as a stable code, where the state does not say all.
    #[schema(example = "forged_token")]
    why: Option<String>,
    /// Why, in words, where the code does not say all.
    detail: Option<String>,
    /// The reference of the complaint that it went to, or was meant for.
    complaint: Option<String>,
    /// When that became of it.
    settled_at: Option<DateTime<Utc>>,
    /// The id of whoever of the staff retried or discarded it last.
    settled_by: Option<String>,
}

/// A message that came in, with what it says.
#[derive(Serialize, ToSchema)]
pub(super) struct WholeMail {
    #[serde(flatten)]
    mail: MailView,
    /// What was written, as plain text; null where it is withheld. Whoever wrote it speaks, and may be anybody.
    text: Option<String>,
    /// Its signature, and what it repeats of earlier messages; null where they are withheld.
    quoted: Option<String>,
    /// The names of the files that came with it; null where they are withheld.
    files: Option<Vec<String>>,
}

/// A page of messages, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Mails {
    items: Vec<MailView>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// Hand a message over (RFC 5322, at most 25 MiB): for the mail server, with the token that the operator put into
/// `COMPLAINT_INTAKE_TOKEN`.
///
/// Once this answers 200, the message is kept and need not be handed over again; `state` says what has become of it so far. The same bytes
/// again are the same message, and another copy of it (by sender and `Message-ID`, or by what it says) is `ignored` as a `duplicate`.
#[utoipa::path(post, path = "/api/v1/intake/mail", tag = "intake", security(("mail_server" = [])),
    request_body(content = String, content_type = "message/rfc822", description = "The message as it came, or the same as application/octet-stream"),
    responses(
        (status = 200, body = TakenIn),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`incomplete_body`; `idempotency_key_not_supported`: the message itself is the key"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "The token was not sent"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "No mail is taken in here, or there is no token"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The message is empty"),
    ))]
pub(super) async fn hand_over(
    State(state): State<AppState>,
    headers: HeaderMap,
    _unkeyed: Unkeyed,
    request: Request,
) -> Result<Json<TakenIn>, Problem> {
    // Before the body: nobody else may make us read 25 MiB.
    may_hand_over(&state, &headers)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["message/rfc822", "message/global", "application/octet-stream"].contains(&kind.as_str()) {
        return Err(unsupported("Send the message as message/rfc822."));
    }
    // One byte more than allowed is enough to say so.
    let raw = to_bytes(request.into_body(), MAIL_MAX + 1).await.map_err(|error| {
        let cut = Problem::malformed("incomplete_body", "The body ended early.");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        if source.contains("length limit") { too_large() } else { cut }
    })?;
    let mail = state.intake.take(&state, &raw).await?;
    Ok(Json(TakenIn { id: mail.id.to_string(), state: mail.state, why: mail.why, complaint: mail.complaint }))
}

/// List mail that came in, newest first. Admins and auditors.
///
/// What something became of is kept for 30 days, what is in quarantine for 90.
#[utoipa::path(get, path = "/api/v1/intake/mail", tag = "intake", security(("bearer" = []), ("cookie" = [])),
    params(
        ("state" = Option<MailState>, Query, description = "Only messages of which this became; `quarantined` are those that wait for staff"),
        ("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of an earlier page with the same filter"),
    ),
    responses(
        (status = 200, body = Mails),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`invalid_query` names the parameter"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<Mails>, Problem> {
    may_look(&viewer)?;
    let mut only = None;
    let place = |value: &str| cursor(value, |place| place.parse::<i64>().ok());
    let page = page(query.as_deref(), PAGE, PAGE_MAX, place, |name, value| {
        if name != "state" {
            return Ok(false);
        }
        let known = MailState::from_name(value);
        let unknown = || {
            let names = MailState::ALL.map(MailState::as_str).join(", ");
            wrong("state", "unknown_value", &format!("One of {names}."))
        };
        only = Some(known.ok_or_else(unknown)?);
        Ok(true)
    })?;
    let below = page.cursor;
    // One more than asked for tells whether there is a next page.
    let mut found = state.intake.list(only, below, u32::from(page.limit) + 1).await?;
    let more = found.len() > usize::from(page.limit);
    found.truncate(page.limit.into());
    let next = found.last().filter(|_| more).map(|last| encoded(&last.place.to_string()));
    Ok(Json(Mails { items: found.into_iter().map(|mail| MailView::of(mail, viewer.role)).collect(), next }))
}

/// Show a message that came in, as plain text. Auditors; admins while it is in quarantine, and else without its words.
#[utoipa::path(get, path = "/api/v1/intake/mail/{id}", tag = "intake", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = WholeMail),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<WholeMail>, Problem> {
    may_look(&viewer)?;
    let mail = state.intake.find(mail_id(&id)?).await?;
    if !mail.can_be_read_by(viewer.role) {
        let mail = MailView::of(mail, viewer.role);
        return Ok(Json(WholeMail { mail, text: None, quoted: None, files: None }));
    }
    let MailText { text, quoted, files } = state.intake.text(&mail).await?;
    tracing::info!(by = %viewer.id, mail = %mail.id, "mail was looked at");
    let mail = MailView::of(mail, viewer.role);
    Ok(Json(WholeMail { mail, text: Some(text), quoted: Some(quoted), files: Some(files) }))
}

/// Take a message out of quarantine: say that a person wrote it and meant it, and have it looked into once more. Admins.
///
/// Whose address it is, that does not say: of somebody who is not known here it is asked first, by a link that is mailed there.
#[utoipa::path(post, path = "/api/v1/intake/mail/{id}/retry", tag = "intake", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = MailView, description = "It was looked into; `state` says what became of it"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_state`: it is not in quarantine"),
))]
pub(super) async fn retry(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<MailView>, Problem> {
    let mail = state.intake.retry(&state, &viewer.id, mail_id(&id)?).await?;
    tracing::info!(by = %viewer.id, mail = %mail.id, became = mail.state.as_str(), "mail was taken out of quarantine");
    Ok(Json(MailView::of(mail, viewer.role)))
}

/// Discard a message that is in quarantine: nothing follows from it. Admins.
#[utoipa::path(post, path = "/api/v1/intake/mail/{id}/discard", tag = "intake", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = MailView),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_state`: it is not in quarantine"),
))]
pub(super) async fn discard(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<MailView>, Problem> {
    let mail = state.intake.discard(&state, &viewer.id, mail_id(&id)?).await?;
    tracing::info!(by = %viewer.id, mail = %mail.id, "mail was discarded");
    Ok(Json(MailView::of(mail, viewer.role)))
}

fn may_hand_over(state: &AppState, headers: &HeaderMap) -> Result<(), Problem> {
    let intake = state.config.intake.as_ref().ok_or(IntakeError::Closed)?;
    let Some(token) = &intake.token else {
        return Err(Problem::forbidden()
            .detail("Nobody may hand mail over here: the operator has set no COMPLAINT_INTAKE_TOKEN."));
    };
    // By their hashes: the time it takes to compare tells nothing of the token.
    if bearer(headers)?.map(hash_of) == Some(hash_of(token.expose_secret())) {
        Ok(())
    } else {
        Err(Problem::not_logged_in().detail("Send the token of COMPLAINT_INTAKE_TOKEN as Authorization: Bearer."))
    }
}

fn may_look(viewer: &Viewer) -> Result<(), Problem> {
    if matches!(viewer.role, Role::Admin | Role::Auditor) {
        Ok(())
    } else {
        Err(Problem::forbidden().detail("Mail that came in is for admins and auditors."))
    }
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
        .detail("A message may have at most 25 MiB.")
}

/// What is no id is none of ours.
pub(crate) fn mail_id(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

impl MailView {
    fn of(mail: InboundMail, reader: Role) -> Self {
        let withheld = !mail.can_be_read_by(reader);
        Self {
            withheld,
            id: mail.id.to_string(),
            by_form: mail.by_form,
            received_at: mail.received_at,
            size: mail.size,
            whole_size: mail.whole_size,
            sender: mail.sender,
            subject: mail.subject.filter(|_| !withheld),
            state: mail.state,
            why: mail.why,
            detail: mail.detail,
            complaint: mail.complaint,
            settled_at: mail.settled_at,
            settled_by: mail.settled_by,
        }
    }
}
