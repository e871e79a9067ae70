//! `/api/v1/setup`: the first admin.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::Me;
use crate::auth::service::AccountService;
use crate::error::Problem;
use crate::extract::Sent;
use crate::state::AppState;

/// The first admin, and the token of the link printed at the start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUp {
    token: String,
    name: String,
    email: String,
    password: String,
}

/// Make the first admin.
#[utoipa::path(post, path = "/api/v1/setup", tag = "accounts", request_body = SetUp, responses(
    (status = 201, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`already_set_up`"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn set_up(
    State(state): State<AppState>,
    sent: Sent<SetUp>,
) -> Result<(StatusCode, Json<Me>), Problem> {
    let body = sent.under(|body| AccountService::checked_person(&body.name, &body.email, &body.password))?;
    let account = state.accounts.set_up(&body.token, &body.name, &body.email, &body.password).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}
