//! `/api/v1/clock`: there only with `--movable-clock`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::DeskError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Admin;
use crate::error::Problem;
use crate::extract::ApiJson;
use crate::files::to_its_end;
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
    /// Whether all that was due by then has been done. If not, the server is still at it.
    done: bool,
}

/// How long an answer waits for what the new time asks for; well within the time that any answer has.
const PATIENCE: Duration = Duration::from_secs(20);

/// Push the server's clock forward. Sessions age with it; it stays ahead when the server starts anew with `--movable-clock`; what was due by then has been done when it answers, unless that is so much
/// that it takes longer: then `done` is false, and it goes on.
#[utoipa::path(post, path = "/api/v1/clock", tag = "operation", request_body = Advance, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Now),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
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
    let pushed = by.map(|by| clock.advance(by)).transpose().map_err(|error| Problem::internal(&error))?;
    let now = pushed.flatten().ok_or_else(|| {
        Problem::invalid().field(
            "advance_seconds",
            "out_of_range",
            "Expected at least 1, and not more than ten years in all.",
        )
    })?;
    tracing::warn!(by = %viewer.id, seconds = body.advance_seconds, %now, "the clock was pushed forward");
    // Everything the new time asks for, before anybody looks: trying out needs no waiting.
    let round = state.clone();
    let done = within(PATIENCE, async move {
        round.sweep().await?;
        round.deliver().await.map(drop)
    });
    let done = done.await?;
    state.poke();
    Ok(Json(Now { now, done }))
}

/// Whether work came to its end in this time. If it did not, it goes on: a round of thousands is cut by no deadline of an answer.
async fn within(
    patience: Duration,
    work: impl Future<Output = Result<(), DeskError>> + Send + 'static,
) -> Result<bool, DeskError> {
    match tokio::time::timeout(patience, to_its_end(work)).await {
        Ok(done) => done.map(|()| true),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn an_answer_does_not_wait_for_ever_and_the_work_goes_on() {
        assert!(matches!(within(PATIENCE, async { Ok(()) }).await, Ok(true)));
        assert!(matches!(within(PATIENCE, async { Err(DeskError::NotFound) }).await, Err(DeskError::NotFound)));
        let (go, wait) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let work = async move {
            let _ = wait.await;
            let _ = tell.send(());
            Ok(())
        };
        assert!(matches!(within(Duration::ZERO, work).await, Ok(false)));
        assert!(go.send(()).is_ok() && told.await.is_ok(), "it went on");
    }
}
