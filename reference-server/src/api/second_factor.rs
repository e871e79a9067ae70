//! `/api/v1/me/second-factor`: what guards an account beside its password.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Enrolling;
use crate::auth::accounts::KeptOpen;
use crate::auth::secret::RecoveryCode;
use crate::auth::viewer::{ClientAddress, kept_open};
use crate::error::Problem;
use crate::extract::{ApiJson, Unkeyed};
use crate::mail::organisation;
use crate::state::AppState;

/// How the caller is guarded beside the password.
#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactor {
    /// Since when log-ins need it; null: they do not.
    enrolled_at: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    recovery_codes_left: u32,
    /// Whether the caller can do nothing before it is set up.
    required: bool,
}

/// A secret for a device, shown this once. It counts once it is confirmed, within an hour.
#[derive(Serialize, ToSchema)]
pub(super) struct Offer {
    /// Base32, to be typed in.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code.
    #[schema(
        example = "otpauth://totp/City%20Water:john%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=City%20Water"
    )]
    uri: String,
}

/// The present password, and a code computed from the secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    current_password: String,
    #[schema(example = "123 456")]
    code: String,
}

/// The present password, and what the device shows or a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    current_password: String,
    #[schema(example = "123 456")]
    second_factor: String,
}

/// Codes for whoever has lost the device, shown this once; each opens the account once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    #[schema(min_items = 10, max_items = 10, example = json!(["abcd-efgh-ijkm-npqr-stuv-wxyz"]))]
    recovery_codes: Vec<String>,
}

impl From<Vec<RecoveryCode>> for RecoveryCodes {
    fn from(codes: Vec<RecoveryCode>) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }
    }
}

/// How the caller is guarded beside the password.
#[utoipa::path(get, path = "/api/v1/me/second-factor", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = SecondFactor),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    Enrolling(viewer): Enrolling,
) -> Result<Json<SecondFactor>, Problem> {
    let account = state.accounts.account(&viewer.id).await?;
    let guarded = state.accounts.guarded(&account).await?;
    Ok(Json(SecondFactor {
        enrolled_at: account.second_factor_at,
        recovery_codes_left: guarded.map_or(0, |guarded| guarded.recovery_codes_left),
        required: viewer.must_enrol,
    }))
}

/// Have a secret drawn for a device that computes codes (RFC 6238: SHA-1, six digits, thirty seconds). Log-ins need it once it is
/// confirmed; one that was drawn before and not confirmed is forgotten.
#[utoipa::path(post, path = "/api/v1/me/second-factor", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 201, body = Offer),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`second_factor_there`"),
))]
pub(super) async fn offer(
    State(state): State<AppState>,
    Enrolling(viewer): Enrolling,
    _: Unkeyed,
) -> Result<(StatusCode, Json<Offer>), Problem> {
    let offered = state.accounts.offer_second_factor(&viewer.id, organisation(&state.desk.policy())).await?;
    Ok((StatusCode::CREATED, Json(Offer { secret: offered.secret, uri: offered.uri })))
}

/// Confirm the secret with a code. From then on log-ins need one; what the request is made with stays, every other session and API token
/// of the account ends, and its owner is told by mail.
#[utoipa::path(post, path = "/api/v1/me/second-factor/confirmation", tag = "accounts", request_body = Confirmation, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = RecoveryCodes),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`second_factor_there`; `no_second_factor`: no secret was drawn within an hour"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password` or `code`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "After wrong passwords or codes; `Retry-After` says when"),
))]
pub(super) async fn confirm(
    State(state): State<AppState>,
    Enrolling(viewer): Enrolling,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Confirmation>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let kept = kept(&headers, &state)?;
    let (current, code) = (&body.current_password, &body.code);
    let codes = state.accounts.confirm_second_factor(&viewer.id, current, code, kept, address).await?;
    tracing::info!(account = %viewer.id, "a second factor was set up");
    state.poke();
    Ok(Json(codes.into()))
}

/// Draw other recovery codes; those before work no longer.
#[utoipa::path(post, path = "/api/v1/me/second-factor/recovery-codes", tag = "accounts", request_body = Proof, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = RecoveryCodes),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_second_factor`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password` or `second_factor`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "After wrong passwords or codes; `Retry-After` says when"),
))]
pub(super) async fn renew(
    State(state): State<AppState>,
    Enrolling(viewer): Enrolling,
    ClientAddress(address): ClientAddress,
    ApiJson(body): ApiJson<Proof>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let (current, second_factor) = (&body.current_password, &body.second_factor);
    let codes = state.accounts.renew_recovery_codes(&viewer.id, current, second_factor, address).await?;
    tracing::info!(account = %viewer.id, "recovery codes were drawn anew");
    state.poke();
    Ok(Json(codes.into()))
}

/// Take the second factor away: the password is enough again. What the request is made with stays, every other session and API token of
/// the account ends, and its owner is told by mail.
#[utoipa::path(post, path = "/api/v1/me/second-factor/removal", tag = "accounts", request_body = Proof, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 204),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_second_factor`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Names `current_password` or `second_factor`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "After wrong passwords or codes; `Retry-After` says when"),
))]
pub(super) async fn remove(
    State(state): State<AppState>,
    Enrolling(viewer): Enrolling,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Proof>,
) -> Result<StatusCode, Problem> {
    let kept = kept(&headers, &state)?;
    let (current, second_factor) = (&body.current_password, &body.second_factor);
    state.accounts.remove_second_factor(&viewer.id, current, second_factor, kept, address).await?;
    tracing::info!(account = %viewer.id, "a second factor was removed");
    state.poke();
    Ok(StatusCode::NO_CONTENT)
}

fn kept(headers: &HeaderMap, state: &AppState) -> Result<KeptOpen, Problem> {
    kept_open(headers, &state.config)?.ok_or_else(Problem::not_logged_in)
}
