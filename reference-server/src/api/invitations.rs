//! `/api/v1/invitations`: invited staff choose a password.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::Me;
use crate::auth::service::AccountService;
use crate::error::Problem;
use crate::extract::Sent;
use crate::state::AppState;

/// The token of the invitation and the chosen password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Accept {
    token: String,
    #[schema(min_length = 15, max_length = 256)]
    password: String,
}

/// Accept an invitation.
#[utoipa::path(post, path = "/api/v1/invitations/accept", tag = "accounts", request_body = Accept, responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn accept(State(state): State<AppState>, sent: Sent<Accept>) -> Result<Json<Me>, Problem> {
    let body = sent.under(|body| AccountService::checked_password(&body.password))?;
    let account = state.accounts.accept_invitation(&body.token, &body.password).await?;
    Ok(Json(account.into()))
}
