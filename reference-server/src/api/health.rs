//! `/health` and `/metrics`: for those who run the server.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use complaint_core::DeskError;
use serde::Serialize;
use utoipa::ToSchema;

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
        Ok::<(), Problem>(())
    };
    match tokio::time::timeout(PING_WITHIN, both).await {
        Ok(Ok(())) => Ok(Json(Health { status: "ok" })),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable()),
    }
}

/// Measurements in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<AppState>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response()
}
