//! `/api/v1/sessions`: browsers log in and out.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::Me;
use crate::auth::viewer::{ClientAddress, new_session_cookie, no_session_cookie, session_cookie};
use crate::error::Problem;
use crate::extract::ApiJson;
use crate::state::AppState;

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    #[schema(example = "john@example.org")]
    pub(super) email: String,
    pub(super) password: String,
}

/// Log in. Sets the session cookie; a session the browser had before ends.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "accounts", request_body = LogIn, responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "`invalid_credentials`"),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "`email_unverified`"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn log_in(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    ApiJson(body): ApiJson<LogIn>,
) -> Result<(CookieJar, Json<Me>), Problem> {
    let before = session_cookie(&headers, &state.config);
    let opened = state.accounts.log_in(&body.email, &body.password, address, before.as_deref()).await?;
    let cookie = new_session_cookie(&opened.secret, opened.expires_at, state.clock.now(), &state.config);
    Ok((CookieJar::new().add(cookie), Json(opened.account.into())))
}

/// Log out. Fine to repeat.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "accounts", responses((status = 204)))]
pub(super) async fn log_out(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<(CookieJar, StatusCode), Problem> {
    if let Some(cookie) = session_cookie(&headers, &state.config) {
        state.accounts.log_out(&cookie).await?;
    }
    Ok((CookieJar::new().add(no_session_cookie(&state.config)), StatusCode::NO_CONTENT))
}
