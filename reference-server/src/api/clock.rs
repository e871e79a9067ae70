//! `/api/v1/clock`: there only with `--movable-clock`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Admin;
use crate::error::Problem;
use crate::extract::ApiJson;
use crate::state::AppState;

/// How far to push the clock.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    /// At least 1; ten years in all.
    #[schema(minimum = 1)]
    advance_seconds: i64,
}

/// The instant the server goes by now.
#[derive(Serialize, ToSchema)]
pub(super) struct Now {
    now: DateTime<Utc>,
}

/// Push the server's clock forward. Sessions age with it; what was due by then has been done when it answers.
#[utoipa::path(post, path = "/api/v1/clock", tag = "operation", request_body = Advance, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Now),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn advance(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiJson(body): ApiJson<Advance>,
) -> Result<Json<Now>, Problem> {
    let clock = state.movable_clock.as_ref().ok_or_else(Problem::not_found)?;
    let by = TimeDelta::try_seconds(body.advance_seconds);
    let now = by.and_then(|by| clock.advance(by)).ok_or_else(|| {
        Problem::invalid().field(
            "advance_seconds",
            "out_of_range",
            "Expected at least 1, and not more than ten years in all.",
        )
    })?;
    tracing::warn!(by = %viewer.id, seconds = body.advance_seconds, %now, "the clock was pushed forward");
    // Everything the new time asks for, before anybody looks: trying out needs no waiting.
    state.sweep().await?;
    state.deliver().await?;
    state.poke();
    Ok(Json(Now { now }))
}
