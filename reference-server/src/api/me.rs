//! `/api/v1/me`: who am I.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Role, Viewer};
use crate::error::Problem;

/// Somebody logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    #[schema(example = "u_abcdefghijklmnopqrst")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: Role,
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(viewer: Viewer) -> Json<Me> {
    Json(Me { id: viewer.id, name: viewer.name, email: viewer.email, role: viewer.role })
}
