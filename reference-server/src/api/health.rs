//! `/health` and `/metrics`: for those who run the server.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use complaint_core::DeskError;
use complaint_core::store::{Query, Scope};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::secret::hash_of;
use crate::auth::viewer::{ClientAddress, bearer};
use crate::config::Config;
use crate::error::Problem;
use crate::state::AppState;

/// Readiness turns false within five seconds of a database that hangs.
const PING_WITHIN: Duration = Duration::from_secs(3);

/// All is well.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "operation", responses((status = 200, body = Health)))]
pub(super) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database answers too, and no worker is down.
#[utoipa::path(get, path = "/health/ready", tag = "operation", responses(
    (status = 200, body = Health),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if !state.workers.is_empty() {
        return Err(Problem::unavailable());
    }
    let both = async {
        state.accounts.ping().await.map_err(Problem::from)?;
        state.desk.store().due(state.clock.now(), 1).await.map_err(|error| Problem::from(DeskError::from(error)))?;
        // One complaint is read, and not only its place in an index.
        let one = Query { limit: 1, ..Query::within(Scope::All) };
        state.desk.store().search(&one).await.map_err(|error| Problem::from(DeskError::from(error)))?;
        Ok::<(), Problem>(())
    };
    match tokio::time::timeout(PING_WITHIN, both).await {
        Ok(Ok(())) => Ok(Json(Health { status: "ok" })),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable()),
    }
}

/// Measurements in the text format of Prometheus: for programs on the server's machine, or for whoever has the token that the
/// operator put into `COMPLAINT_METRICS_TOKEN`.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 401, body = Problem, content_type = "application/problem+json", description = "There is a token, and it was not sent"),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "There is no token, and the caller is elsewhere"),
))]
pub(super) async fn metrics(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match &state.config.metrics_token {
        // By their hashes: the time it takes to compare tells nothing of the token.
        Some(token) if bearer(&headers)?.map(hash_of) != Some(hash_of(token.expose_secret())) => {
            return Err(
                Problem::not_logged_in().detail("Send the token of COMPLAINT_METRICS_TOKEN as Authorization: Bearer.")
            );
        }
        None if !address.is_loopback() || comes_through_a_proxy(&state.config, &headers) => {
            return Err(Problem::forbidden()
                .detail("Measurements are for this machine alone, unless the operator sets COMPLAINT_METRICS_TOKEN."));
        }
        _ => {}
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response())
}

/// Whether the caller may be anybody, though the connection comes from this machine: a proxy on it speaks for the whole world. Over
/// https there is always one, since the server itself speaks no TLS; any other gives itself away by what it adds.
fn comes_through_a_proxy(config: &Config, headers: &HeaderMap) -> bool {
    let added = ["x-forwarded-for", "x-real-ip", "forwarded", "via"].iter().any(|name| headers.contains_key(*name));
    let told = config.trusted_proxies.iter().any(IpAddr::is_loopback);
    config.is_https() || (added && !told)
}
