//! `/api/v1/accounts`: customers sign up and confirm their address.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::password::judge;
use crate::auth::service::{AccountService, Mailed};
use crate::auth::values::{EMAIL_MAX, NAME_MAX};
use crate::auth::viewer::ClientAddress;
use crate::error::Problem;
use crate::extract::{ApiJson, Sent, unless_left_out};
use crate::state::AppState;

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUp {
    /// Full name, 1 to 200 characters.
    #[schema(example = "John Miller", min_length = 1, max_length = 200)]
    name: String,
    #[schema(example = "john@example.org", max_length = 254)]
    email: String,
    /// 15 to 256 characters, not easy to guess.
    #[schema(min_length = 15, max_length = 256)]
    password: String,
}

/// The token of the confirmation link, or the address and the code in the mail. Name and password, together, take the place of those of the sign-up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    /// In the link; good for a day.
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
    /// Needed if there were sign-ups with different passwords, and for whoever complained with this address before.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Needed if there were sign-ups with different passwords, and for whoever complained with this address before.
    #[schema(min_length = 15, max_length = 256)]
    password: Option<String>,
}

/// Whose confirmation to send again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendAgain {
    #[schema(example = "john@example.org", max_length = 254)]
    email: String,
}

/// What happens next; the same for known and unknown addresses.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckYourMail {
    message: &'static str,
}

/// Who forgot their password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgot {
    #[schema(example = "john@example.org", max_length = 254)]
    email: String,
}

/// The token of the link, or the address and the code in the mail, and the password that shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    /// In the link; good for 30 minutes.
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
    /// 15 to 256 characters, not easy to guess.
    #[schema(min_length = 15, max_length = 256)]
    password: String,
}

/// The token of the link that was mailed to the new address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEmail {
    token: String,
}

/// A password somebody thinks of, and what else is known of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Thought {
    #[schema(max_length = 256)]
    password: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
}

/// Whether a password would be taken.
#[derive(Serialize, ToSchema)]
pub(super) struct Verdict {
    accepted: bool,
    /// `too_short`, `too_long` or `too_weak`.
    #[schema(example = "too_weak")]
    code: Option<&'static str>,
    /// For whoever types it.
    message: String,
}

/// The address is confirmed.
#[derive(Serialize, ToSchema)]
pub(super) struct Confirmed {
    verified: bool,
}

const CHECK_YOUR_MAIL: CheckYourMail =
    CheckYourMail { message: "If this address can be signed up, a mail is on its way to it." };

/// Sign up. The answer does not tell whether the address is known.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", request_body = SignUp, responses(
    (status = 202, body = CheckYourMail),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn sign_up(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<SignUp>,
) -> Result<(StatusCode, Json<CheckYourMail>), Problem> {
    let body = sent.under(|body| AccountService::checked_person(&body.name, &body.email, &body.password))?;
    state.accounts.sign_up(&body.name, &body.email, &body.password, address).await?;
    state.poke();
    Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
}

/// Confirm the e-mail address with the token of the link, or with the code beside it.
///
/// A code works for ten minutes, once, and until five wrong ones were tried; each wrong one counts as a failed log-in. After sign-ups with different passwords nobody can tell which was the owner's, so the link stands for none of them: it must come
/// with the name and password that shall count.
#[utoipa::path(post, path = "/api/v1/accounts/verify", tag = "accounts", request_body = Confirm, responses(
    (status = 200, body = Confirmed),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`invalid_token`: used, expired or unknown; `invalid_body` naming `code` if it is not good, `name` and `password` if they are needed"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many codes that were wrong, or too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn confirm(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<Confirm>,
) -> Result<Json<Confirmed>, Problem> {
    let body = sent.under(|body| body.password.as_deref().map_or(Ok(()), AccountService::checked_password))?;
    let mailed = Mailed::of(body.token.as_deref(), body.email.as_deref(), body.code.as_deref())?;
    state.accounts.confirm_email(mailed, body.name.as_deref(), body.password.as_deref(), address).await?;
    Ok(Json(Confirmed { verified: true }))
}

/// Send the confirmation again, unless a mail went to this address within a day. The answer does not tell whether the address is known.
#[utoipa::path(post, path = "/api/v1/accounts/verification", tag = "accounts", request_body = SendAgain, responses(
    (status = 202, body = CheckYourMail),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn send_again(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<SendAgain>,
) -> Result<(StatusCode, Json<CheckYourMail>), Problem> {
    let body = sent.under(|body| AccountService::checked_email(&body.email))?;
    state.accounts.send_verification_again(&body.email, address).await?;
    state.poke();
    Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
}

/// Have a link and a code mailed by which another password is chosen: customers and staff alike. The answer does not tell whether the
/// address is known; three mails an hour go to an account at most.
#[utoipa::path(post, path = "/api/v1/accounts/password/forgotten", tag = "accounts", request_body = Forgot, responses(
    (status = 202, body = CheckYourMail),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn forgot_password(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<Forgot>,
) -> Result<(StatusCode, Json<CheckYourMail>), Problem> {
    let body = sent.under(|body| AccountService::checked_email(&body.email))?;
    state.accounts.forgot_password(&body.email, address).await?;
    state.poke();
    Ok((
        StatusCode::ACCEPTED,
        Json(CheckYourMail { message: "If an account has confirmed this address, a mail is on its way to it." }),
    ))
}

/// Choose another password with the token of the link, or with the code beside it.
///
/// Every session, API token and other link of the account ends, and its owner is told by mail.
#[utoipa::path(post, path = "/api/v1/accounts/password", tag = "accounts", request_body = Reset, responses(
    (status = 204),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`invalid_token`: used, expired or unknown; `invalid_body` naming `code` if it is not good, or `password`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many codes that were wrong, or too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn reset_password(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<Reset>,
) -> Result<StatusCode, Problem> {
    let body = sent.under(|body| AccountService::checked_password(&body.password))?;
    let mailed = Mailed::of(body.token.as_deref(), body.email.as_deref(), body.code.as_deref())?;
    let account = state.accounts.reset_password(mailed, &body.password, address).await?;
    tracing::info!(account = %account.id, "a password was reset");
    state.poke();
    Ok(StatusCode::NO_CONTENT)
}

/// Make the address that a link was mailed to the account's. Sessions stay; both addresses are told.
#[utoipa::path(post, path = "/api/v1/accounts/email", tag = "accounts", request_body = NewEmail, responses(
    (status = 204),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`invalid_token`: used, expired or unknown"),
))]
pub(super) async fn change_email(
    State(state): State<AppState>,
    ApiJson(body): ApiJson<NewEmail>,
) -> Result<StatusCode, Problem> {
    let account = state.accounts.change_email(&body.token).await?;
    tracing::info!(account = %account.id, "an e-mail address was changed");
    state.poke();
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a password would be taken, and why not. Nothing is kept; pages ask while somebody types.
#[utoipa::path(post, path = "/api/v1/accounts/password/verdict", tag = "accounts", request_body = Thought, responses(
    (status = 200, body = Verdict),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
))]
pub(super) async fn judge_password(ApiJson(body): ApiJson<Thought>) -> Json<Verdict> {
    // Hints as long as what is accepted: the cost of judging grows with them.
    let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    Json(match judge(&body.password, &short(&body.name, NAME_MAX), &short(&body.email, EMAIL_MAX)) {
        Ok(()) => Verdict { accepted: true, code: None, message: "This password will do.".to_owned() },
        Err(fault) => Verdict { accepted: false, code: Some(fault.code), message: fault.message },
    })
}
