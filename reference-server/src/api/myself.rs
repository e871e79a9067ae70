//! `/api/v1/me/…`: what everybody sees and changes of what opens their own account, and where they live.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::me::{Code, Me};
use super::query::{cursor, encoded, page};
use crate::auth::accounts::{Door, KeptOpen, LogIn, OpenSession};
use crate::auth::secret::SecretHash;
use crate::auth::service::AccountService;
use crate::auth::values::PostalAddress;
use crate::auth::viewer::{ClientAddress, kept_open};
use crate::auth::{Account, Viewer};
use crate::error::Problem;
use crate::extract::{ApiJson, ApiPath, Sent, hex};
use crate::state::AppState;

const PAGE_MAX: u16 = 100;
const PAGE: u16 = 25;

/// Where somebody gets parcels and letters.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PostalAddresses {
    /// At most five, in the order of preference.
    #[schema(max_items = 5)]
    postal_addresses: Vec<PostalAddress>,
}

/// The present password, and the one that shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current_password: String,
    /// 15 to 256 characters, not easy to guess.
    #[schema(min_length = 15, max_length = 256)]
    password: String,
}

/// The address that shall be, and the present password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEmail {
    current_password: String,
    #[schema(example = "john@example.org", max_length = 254)]
    email: String,
}

/// Where one is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    items: Vec<Session>,
}

/// A browser that is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// To end it by; opens nothing.
    id: String,
    /// Whether this request was made with it.
    current: bool,
    /// A kind of browser and system; empty: unknown.
    #[schema(example = "Firefox on Linux")]
    device: String,
    /// The network address it was opened from; of IPv6 the network. Empty for sessions of former versions.
    #[schema(example = "203.0.113.7")]
    address: String,
    created_at: DateTime<Utc>,
    /// To the minute.
    last_seen_at: DateTime<Utc>,
    /// Ends then, however much it is used.
    expires_at: DateTime<Utc>,
}

/// The present password of somebody who wants their account deleted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    current_password: String,
}

/// Whether somebody wants their account deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct Deletion {
    /// Since when; null: they do not.
    asked_at: Option<DateTime<Utc>>,
}

impl From<Account> for Deletion {
    fn from(account: Account) -> Self {
        Self { asked_at: account.deletion_asked_at }
    }
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    ended: u64,
}

/// A page of log-ins.
#[derive(Serialize, ToSchema)]
pub(super) struct LogIns {
    items: Vec<LogInView>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// A log-in that succeeded.
#[derive(Serialize, ToSchema)]
pub(super) struct LogInView {
    at: DateTime<Utc>,
    door: Door,
    /// A kind of browser and system; empty: unknown.
    #[schema(example = "Firefox on Linux")]
    device: String,
    /// The network address; of IPv6 the network.
    #[schema(example = "203.0.113.7")]
    address: String,
}

/// Where the caller gets parcels and letters.
#[utoipa::path(get, path = "/api/v1/me/postal-addresses", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = PostalAddresses),
))]
pub(super) async fn addresses(State(state): State<AppState>, viewer: Viewer) -> Result<Json<PostalAddresses>, Problem> {
    Ok(Json(PostalAddresses { postal_addresses: state.accounts.postal_addresses(&viewer.id).await? }))
}

/// Say where one gets parcels and letters; these take the place of those before. Fine to repeat.
#[utoipa::path(put, path = "/api/v1/me/postal-addresses", tag = "accounts", request_body = PostalAddresses, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = PostalAddresses),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn set_addresses(
    State(state): State<AppState>,
    viewer: Viewer,
    sent: Sent<PostalAddresses>,
) -> Result<Json<PostalAddresses>, Problem> {
    let body = sent.under(|body| AccountService::checked_profile(None, Some(body.postal_addresses)))?;
    state.accounts.change_profile(&viewer.id, None, Some(body.postal_addresses)).await?;
    addresses(State(state), viewer).await
}

/// Choose another password. What the request is made with stays; every other session, API token and link of the account ends, and its
/// owner is told by mail.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "accounts", request_body = NewPassword, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password` or `password`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "A wrong present password counts as a failed log-in; `Retry-After` says when"),
))]
pub(super) async fn change_password(
    State(state): State<AppState>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    sent: Sent<NewPassword>,
) -> Result<StatusCode, Problem> {
    let body = sent.under(|body| AccountService::checked_password(&body.password))?;
    let kept = kept_open(&headers, &state.config)?.ok_or_else(Problem::not_logged_in)?;
    state.accounts.change_password(&viewer.id, &body.current_password, &body.password, kept, address).await?;
    tracing::info!(account = %viewer.id, "a password was changed");
    state.poke();
    Ok(StatusCode::NO_CONTENT)
}

/// Ask for another e-mail address: a link and a code go there, and a word of it to the present one. Nothing changes before the new one is
/// confirmed. The answer does not tell whether somebody else has it.
#[utoipa::path(put, path = "/api/v1/me/email", tag = "accounts", request_body = NewEmail, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 202, description = "Mail is on its way"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password` or `email`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "After three in an hour, and after wrong passwords; `Retry-After` says when"),
))]
pub(super) async fn ask_for_email(
    State(state): State<AppState>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    sent: Sent<NewEmail>,
) -> Result<StatusCode, Problem> {
    let body = sent.under(|body| AccountService::checked_email(&body.email))?;
    state.accounts.ask_for_email(&viewer.id, &body.email, &body.current_password, address).await?;
    state.poke();
    Ok(StatusCode::ACCEPTED)
}

/// Confirm the new e-mail address with the code that was mailed there; `POST /api/v1/accounts/email` takes the link. Sessions stay; both
/// addresses are told.
#[utoipa::path(post, path = "/api/v1/me/email/confirmation", tag = "accounts", request_body = Code, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`not_good`: it is another one, older than ten minutes, or was guessed at five times"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many codes that were wrong"),
))]
pub(super) async fn confirm_email(
    State(state): State<AppState>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    ApiJson(body): ApiJson<Code>,
) -> Result<Json<Me>, Problem> {
    let account = state.accounts.change_email_by_code(&viewer.id, &body.code, address).await?;
    tracing::info!(account = %account.id, "an e-mail address was changed");
    state.poke();
    Ok(Json(account.into()))
}

/// Where the caller is logged in, the session last used first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Sessions),
))]
pub(super) async fn sessions(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Json<Sessions>, Problem> {
    let own = own_session(&headers, &state)?;
    let open = state.accounts.sessions_of(&viewer.id).await?;
    Ok(Json(Sessions { items: open.into_iter().map(|session| Session::of(session, own)).collect() }))
}

/// Log out everywhere else.
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Ended),
))]
pub(super) async fn end_other_sessions(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Json<Ended>, Problem> {
    let own = own_session(&headers, &state)?;
    Ok(Json(Ended { ended: state.accounts.end_other_sessions(&viewer.id, own).await? }))
}

/// Log one session out.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "accounts", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn end_session(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    let hash = session_hash(&id).ok_or_else(Problem::not_found)?;
    if state.accounts.end_session(&viewer.id, hash).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found())
    }
}

/// The caller's log-ins of the last year, newest first.
#[utoipa::path(get, path = "/api/v1/me/log-ins", tag = "accounts", security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"), ("cursor" = Option<String>, Query)), responses(
    (status = 200, body = LogIns),
))]
pub(super) async fn log_ins(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<LogIns>, Problem> {
    let place = |value: &str| cursor(value, |id| id.parse().ok());
    let page = page(query.as_deref(), PAGE, PAGE_MAX, place, |_, _| Ok(false))?;
    let before = page.cursor;
    // One more than asked for tells whether there is a next page.
    let mut found = state.accounts.log_ins_of(&viewer.id, before, u32::from(page.limit) + 1).await?;
    let more = found.len() > usize::from(page.limit);
    found.truncate(page.limit.into());
    let next = found.last().filter(|_| more).map(|last| encoded(&last.id.to_string()));
    Ok(Json(LogIns { items: found.into_iter().map(LogInView::from).collect(), next }))
}

/// Whether the caller wants their account deleted.
#[utoipa::path(get, path = "/api/v1/me/deletion", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Deletion),
))]
pub(super) async fn deletion(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Deletion>, Problem> {
    Ok(Json(state.accounts.account(&viewer.id).await?.into()))
}

/// Ask to have one's account deleted: for customers. The wish is noted and shown to admins; nothing is deleted by it. Asked again, the
/// first time stands.
#[utoipa::path(put, path = "/api/v1/me/deletion", tag = "accounts", request_body = Wish, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Deletion),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "Staff ask an admin"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "A wrong present password counts as a failed log-in; `Retry-After` says when"),
))]
pub(super) async fn ask_for_deletion(
    State(state): State<AppState>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    ApiJson(body): ApiJson<Wish>,
) -> Result<Json<Deletion>, Problem> {
    if viewer.role.is_staff() {
        return Err(Problem::forbidden().detail("Staff ask an administrator."));
    }
    let account = state.accounts.ask_for_deletion(&viewer.id, &body.current_password, address).await?;
    tracing::info!(account = %account.id, "a customer asked to be deleted");
    state.poke();
    Ok(Json(account.into()))
}

/// Take back the wish to be deleted. Fine to repeat.
#[utoipa::path(delete, path = "/api/v1/me/deletion", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Deletion),
))]
pub(super) async fn withdraw_deletion(
    State(state): State<AppState>,
    viewer: Viewer,
) -> Result<Json<Deletion>, Problem> {
    Ok(Json(state.accounts.withdraw_deletion(&viewer.id).await?.into()))
}

/// The session this request is made with, if it is one.
pub(crate) fn own_session(headers: &HeaderMap, state: &AppState) -> Result<Option<SecretHash>, Problem> {
    Ok(match kept_open(headers, &state.config)? {
        Some(KeptOpen::Session(hash)) => Some(hash),
        _ => None,
    })
}

/// The hash that a session is listed under.
pub(crate) fn session_hash(id: &str) -> Option<SecretHash> {
    let digits = |at: usize| id.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let is_hash = id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let bytes: Vec<u8> = (0..32).filter_map(|at| digits(at * 2)).collect();
    bytes.try_into().ok().filter(|_| is_hash)
}

impl Session {
    fn of(session: OpenSession, own: Option<SecretHash>) -> Self {
        Self {
            id: hex(&session.hash),
            current: own == Some(session.hash),
            device: session.device,
            address: session.address,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        }
    }
}

impl From<LogIn> for LogInView {
    fn from(log_in: LogIn) -> Self {
        let LogIn { at, door, device, address, .. } = log_in;
        Self { at, door, device, address }
    }
}
