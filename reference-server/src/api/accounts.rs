//! `/api/v1/accounts`: customers sign up and confirm their address.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::viewer::ClientAddress;
use crate::error::Problem;
use crate::extract::ApiJson;
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

/// The token of the confirmation link. Name and password, together, take the place of those of the sign-up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    token: String,
    /// Needed if there were sign-ups with different passwords.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Needed if there were sign-ups with different passwords.
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
    ApiJson(body): ApiJson<SignUp>,
) -> Result<(StatusCode, Json<CheckYourMail>), Problem> {
    state.accounts.sign_up(&body.name, &body.email, &body.password, address).await?;
    state.poke();
    Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
}

/// Confirm the e-mail address with the token of the link.
///
/// After sign-ups with different passwords nobody can tell which was the owner's, so the link stands for none of them: it must come
/// with the name and password that shall count.
#[utoipa::path(post, path = "/api/v1/accounts/verify", tag = "accounts", request_body = Confirm, responses(
    (status = 200, body = Confirmed),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "`invalid_token`: used, expired or unknown; `invalid_body` naming `name` and `password` if they are needed"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn confirm(
    State(state): State<AppState>,
    ApiJson(body): ApiJson<Confirm>,
) -> Result<Json<Confirmed>, Problem> {
    state.accounts.confirm_email(&body.token, body.name.as_deref(), body.password.as_deref()).await?;
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
    ApiJson(body): ApiJson<SendAgain>,
) -> Result<(StatusCode, Json<CheckYourMail>), Problem> {
    state.accounts.send_verification_again(&body.email, address).await?;
    state.poke();
    Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
}
