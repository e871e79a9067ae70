//! `/api/v1/sessions`: browsers log in and out.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

use super::me::Me;
use crate::auth::Visit;
use crate::auth::service::AccountService;
use crate::auth::service::Mailed;
use crate::auth::viewer::{ClientAddress, log_in_cookies, mark_browser, no_session_cookie, session_cookie};
use crate::error::Problem;
use crate::extract::{ApiJson, Sent, unless_left_out};
use crate::state::AppState;

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    #[schema(example = "john@example.org")]
    pub(super) email: String,
    pub(super) password: String,
    /// Where the account has a second factor: the six digits that the device shows, or a recovery code.
    #[serde(default, deserialize_with = "unless_left_out")]
    #[schema(example = "123 456", nullable = false)]
    pub(super) second_factor: Option<String>,
}

/// Who wants to log in without a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asks {
    #[schema(example = "john@example.org", max_length = 254)]
    email: String,
}

/// The token of the link, or the address and the code in the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Holds {
    /// In the link; good for ten minutes.
    #[serde(default, deserialize_with = "unless_left_out")]
    #[schema(nullable = false)]
    token: Option<String>,
    /// With `code`, instead of the token.
    #[serde(default, deserialize_with = "unless_left_out")]
    #[schema(example = "john@example.org", max_length = 254, nullable = false)]
    email: Option<String>,
    /// Eight digits, good for ten minutes.
    #[serde(default, deserialize_with = "unless_left_out")]
    #[schema(example = "0123 4567", nullable = false)]
    code: Option<String>,
    /// Where the account has a second factor: the six digits that the device shows, or a recovery code.
    #[serde(default, deserialize_with = "unless_left_out")]
    #[schema(example = "123 456", nullable = false)]
    second_factor: Option<String>,
}

/// Log in. Sets the session cookie; a session the browser had before ends.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "accounts", request_body = LogIn, responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "`invalid_credentials`; `second_factor_needed`: send the same once more with `second_factor`"),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "`email_unverified`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `second_factor` with `not_good` if it is wrong or was used"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn log_in(
    State(state): State<AppState>,
    mut visit: Visit,
    headers: HeaderMap,
    sent: Sent<LogIn>,
) -> Result<((CookieJar, CookieJar), Json<Me>), Problem> {
    let body = sent.under(|body| AccountService::checked_log_in(&body.email, &body.password))?;
    let before = session_cookie(&headers, &state.config);
    let browser = mark_browser(&mut visit, &state.config);
    let (email, password, second_factor) = (&body.email, &body.password, body.second_factor.as_deref());
    let opened = state.accounts.log_in(email, password, second_factor, &visit, before.as_deref()).await?;
    state.poke();
    Ok((log_in_cookies(&opened, browser, &state), Json(Me::of(opened.account, &state))))
}

/// Have a link and a code mailed to log in with: for customers who have confirmed the address. The answer does not tell whether it is
/// known; three mails an hour go to an account at most.
#[utoipa::path(post, path = "/api/v1/sessions/code", tag = "accounts", request_body = Asks, responses(
    (status = 202, description = "If a customer has confirmed this address, a mail is on its way to it"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ask_for_code(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<Asks>,
) -> Result<StatusCode, Problem> {
    let body = sent.under(|body| AccountService::checked_email(&body.email))?;
    state.accounts.ask_to_log_in(&body.email, address).await?;
    state.poke();
    Ok(StatusCode::ACCEPTED)
}

/// Log in with the token of the mailed link, or with the code beside it. Sets the session cookie; a session the browser had before ends.
#[utoipa::path(post, path = "/api/v1/sessions/mailed", tag = "accounts", request_body = Holds, responses(
    (status = 200, body = Me),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "`second_factor_needed`: send the same once more with `second_factor`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`invalid_token`: used, expired or unknown; `invalid_body` naming `code` or `second_factor` if it is not good"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many codes that were wrong"),
))]
pub(super) async fn log_in_by_mail(
    State(state): State<AppState>,
    mut visit: Visit,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Holds>,
) -> Result<((CookieJar, CookieJar), Json<Me>), Problem> {
    let mailed = Mailed::of(body.token.as_deref(), body.email.as_deref(), body.code.as_deref())?;
    let before = session_cookie(&headers, &state.config);
    let browser = mark_browser(&mut visit, &state.config);
    let second_factor = body.second_factor.as_deref();
    let opened = state.accounts.log_in_by_mail(mailed, second_factor, &visit, before.as_deref()).await?;
    state.poke();
    Ok((log_in_cookies(&opened, browser, &state), Json(Me::of(opened.account, &state))))
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
