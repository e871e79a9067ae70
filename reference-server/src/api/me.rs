//! `/api/v1/me`: who am I, and where do text messages reach me.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::agents::follow_account;
use crate::auth::service::AccountService;
use crate::auth::{Account, Enrolling, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiJson, Sent};
use crate::state::AppState;

/// Somebody logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    #[schema(example = "u_abcdefghijklmnopqrst")]
    id: String,
    name: String,
    email: String,
    /// Where text messages go; null: none are sent.
    #[schema(example = "+447700900123")]
    phone: Option<String>,
    role: Role,
    /// Whether the caller can do nothing before they have set up a second factor.
    second_factor_required: bool,
}

impl Me {
    /// Whoever has just logged in, and is let in.
    pub(super) fn of(account: Account, state: &AppState) -> Self {
        let must_enrol =
            state.config.staff_second_factor && account.role.is_staff() && account.second_factor_at.is_none();
        Self { second_factor_required: must_enrol, ..account.into() }
    }
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        let Account { id, name, email, phone, role, .. } = account;
        Self { id, name, email, phone, role, second_factor_required: false }
    }
}

/// A telephone number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPhone {
    /// In international form.
    #[schema(example = "+44 7700 900123")]
    phone: String,
}

/// What to change of one's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MyChange {
    /// Full name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
}

/// What came by text message, or by mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    #[schema(example = "01234567")]
    pub(super) code: String,
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(Enrolling(viewer): Enrolling) -> Json<Me> {
    let Viewer { id, name, email, phone, role, must_enrol, .. } = viewer;
    Json(Me { id, name, email, phone, role, second_factor_required: must_enrol })
}

/// Change one's own name. What is left out stays.
#[utoipa::path(patch, path = "/api/v1/me", tag = "accounts", request_body = MyChange, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(state): State<AppState>,
    viewer: Viewer,
    sent: Sent<MyChange>,
) -> Result<Json<Me>, Problem> {
    let body = sent.under(|body| AccountService::checked_profile(body.name.as_deref(), None))?;
    let account = state.accounts.change_profile(&viewer.id, body.name.as_deref(), None).await?;
    follow_account(&state, &account).await?;
    Ok(Json(account.into()))
}

/// Send a code to a telephone number. With `POST /api/v1/me/phone/confirmation` text messages go there.
#[utoipa::path(put, path = "/api/v1/me/phone", tag = "accounts", request_body = NewPhone, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 202, description = "The code is on its way; it works for ten minutes"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_text_messages`: this server sends none"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Three codes a day, by account and by number; `Retry-After` says when"),
    (status = 503, body = Problem, content_type = "application/problem+json", description = "The gateway does not take it now"),
))]
pub(super) async fn ask_for_phone(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiJson(body): ApiJson<NewPhone>,
) -> Result<StatusCode, Problem> {
    let texts = state.texts.as_ref().ok_or_else(no_texts)?;
    state.accounts.ask_for_phone(&viewer.id, &body.phone, texts).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirm the number with the code that came there.
#[utoipa::path(post, path = "/api/v1/me/phone/confirmation", tag = "accounts", request_body = Code, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`not_good`: it is another one, older than ten minutes, or was guessed at five times"),
))]
pub(super) async fn confirm_phone(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiJson(body): ApiJson<Code>,
) -> Result<Json<Me>, Problem> {
    let account = state.accounts.confirm_phone(&viewer.id, &body.code).await?;
    tracing::info!(account = %account.id, "a phone number was confirmed");
    Ok(Json(account.into()))
}

/// Have no text messages sent any more. Fine to repeat.
#[utoipa::path(delete, path = "/api/v1/me/phone", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn forget_phone(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Me>, Problem> {
    Ok(Json(state.accounts.forget_phone(&viewer.id).await?.into()))
}

fn no_texts() -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_text_messages", "This server sends no text messages.")
}
