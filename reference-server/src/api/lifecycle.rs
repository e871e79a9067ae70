//! `/api/v1/lifecycle`: the table everything is derived from.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use complaint_core::lifecycle::Lifecycle;
use serde::Deserialize;

use crate::auth::Viewer;
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// In which form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    format: Option<Format>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Mermaid,
}

/// Read the lifecycle: statuses, commands with guards and fields, levels, clocks. With `format=mermaid`, or asked for as text/plain, a
/// Mermaid state diagram.
#[utoipa::path(get, path = "/api/v1/lifecycle", tag = "catalogue", security(("bearer" = []), ("cookie" = [])),
    params(("format" = Option<String>, Query, description = "`json` (default) or `mermaid`")),
    responses((status = 200, body = Object), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn show(
    State(state): State<AppState>,
    _viewer: Viewer,
    ApiQuery(wanted): ApiQuery<Wanted>,
    headers: HeaderMap,
) -> Response {
    let policy = state.desk.policy();
    let lifecycle = Lifecycle::of(&policy);
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let as_text = wanted.format.map_or(accepted.trim().starts_with("text/plain"), |format| format == Format::Mermaid);
    if as_text {
        ([(CONTENT_TYPE, "text/plain; charset=utf-8")], lifecycle.to_mermaid()).into_response()
    } else {
        Json(lifecycle.to_json()).into_response()
    }
}
