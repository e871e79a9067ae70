//! `/api/v1/tokens`: bearer tokens for programs.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::sessions::LogIn;
use crate::auth::Visit;
use crate::auth::service::AccountService;
use crate::auth::viewer::{Viewer, bearer};
use crate::error::Problem;
use crate::extract::Sent;
use crate::state::AppState;

/// A new token; its value is shown only this once.
#[derive(Serialize, ToSchema)]
pub(super) struct NewToken {
    #[schema(example = "cpl_…")]
    token: String,
    expires_at: DateTime<Utc>,
}

/// Make a bearer token, good for 30 days.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "accounts", request_body = LogIn, responses(
    (status = 201, body = NewToken),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "`invalid_credentials`; `second_factor_needed`: send the same once more with `second_factor`"),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "`email_unverified`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `second_factor` with `not_good` if it is wrong or was used"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn issue(
    State(state): State<AppState>,
    visit: Visit,
    sent: Sent<LogIn>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let body = sent.under(|body| AccountService::checked_log_in(&body.email, &body.password))?;
    let second_factor = body.second_factor.as_deref();
    let issued = state.accounts.issue_api_token(&body.email, &body.password, second_factor, &visit).await?;
    state.poke();
    Ok((
        StatusCode::CREATED,
        Json(NewToken { token: issued.secret.expose().to_owned(), expires_at: issued.expires_at }),
    ))
}

/// Revoke the bearer token this request is made with.
#[utoipa::path(delete, path = "/api/v1/tokens/current", tag = "accounts", security(("bearer" = [])), responses(
    (status = 204),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(
    State(state): State<AppState>,
    _viewer: Viewer,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let token = bearer(&headers)?
        .ok_or_else(|| Problem::not_logged_in().detail("Send the token to revoke as Authorization: Bearer."))?;
    state.accounts.revoke_api_token(token).await?;
    Ok(StatusCode::NO_CONTENT)
}
