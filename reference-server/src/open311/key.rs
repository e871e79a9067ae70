//! Whose key it is.

use axum::http::HeaderMap;
use complaint_core::Actor;
use complaint_core::desk::Acting;

use crate::auth::Viewer;
use crate::auth::viewer::{bearer, by_token};
use crate::error::Problem;
use crate::state::AppState;

/// Somebody who reads.
pub(super) struct Reader {
    pub(super) acting: Acting,
    /// Whether it is anybody, who may know nothing personal.
    pub(super) is_anybody: bool,
}

impl Reader {
    /// The holder of the key; without one anybody, if the operator lets anybody read.
    ///
    /// # Errors
    /// 403 without a key where nobody reads without one, and for a key that is not good.
    pub(super) async fn of(state: &AppState, headers: &HeaderMap, key: Option<&str>) -> Result<Self, Problem> {
        if key.is_none() && bearer(headers)?.is_none() && state.config.open311_public {
            // The lists of this reader are cut down to what is nobody's secret where they are written.
            return Ok(Self { acting: state.desk.acting_as(Actor::system()), is_anybody: true });
        }
        let (_, acting) = holder(state, headers, key).await?;
        Ok(Self { acting, is_anybody: false })
    }
}

/// The holder of the key, which is an API token, and the desk in their hands.
///
/// # Errors
/// 403 if there is none, or it is unknown, revoked or expired.
pub(super) async fn holder(
    state: &AppState,
    headers: &HeaderMap,
    key: Option<&str>,
) -> Result<(Viewer, Acting), Problem> {
    let fault = |code, message| Problem::forbidden().field("api_key", code, message);
    let given = match key {
        Some(key) => Some(key),
        None => bearer(headers)?,
    };
    let key = given.ok_or_else(|| fault("missing", "An API token is needed; POST /api/v1/tokens makes one."))?;
    let viewer = by_token(key, state).await?;
    let viewer = viewer.ok_or_else(|| fault("invalid", "This key is unknown, revoked or expired."))?;
    let acting = state.acting(&viewer).await?;
    Ok((viewer, acting))
}
