//! `/api/v1/documents`: the terms of service and the privacy notice, and who accepted them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::documents::{DocumentKind, missing};
use crate::auth::{Role, Viewer};
use crate::error::Problem;
use crate::extract::ApiJson;
use crate::state::AppState;

/// The documents in force.
#[derive(Serialize, ToSchema)]
pub(super) struct Documents {
    items: Vec<DocumentView>,
}

/// A document that customers accept.
#[derive(Serialize, ToSchema)]
pub(super) struct DocumentView {
    document: DocumentKind,
    #[schema(example = "1 December 2026")]
    version: String,
    /// Plain text.
    text: String,
}

/// What the caller accepted, and what they have yet to.
#[derive(Serialize, ToSchema)]
pub(super) struct Acceptances {
    /// In the order of acceptance.
    items: Vec<AcceptanceView>,
    /// Those in force that are not accepted.
    missing: Vec<Version>,
}

/// That a document was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct AcceptanceView {
    document: DocumentKind,
    version: String,
    at: DateTime<Utc>,
}

/// A document in a version.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    document: DocumentKind,
    #[schema(example = "1 December 2026")]
    version: String,
}

/// The documents that customers accept, if the operator named any.
#[utoipa::path(get, path = "/api/v1/documents", tag = "accounts", responses((status = 200, body = Documents)))]
pub(super) async fn list(State(state): State<AppState>) -> Json<Documents> {
    let items = state.config.documents.iter().map(|document| DocumentView {
        document: document.kind,
        version: document.version.clone(),
        text: document.text.clone(),
    });
    Json(Documents { items: items.collect() })
}

/// What the caller accepted, and what is missing.
#[utoipa::path(get, path = "/api/v1/me/acceptances", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Acceptances),
))]
pub(super) async fn accepted(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Acceptances>, Problem> {
    let accepted = state.accounts.acceptances(&viewer.id).await?;
    let missing = missing(&state.config.documents, &accepted);
    let missing = missing.into_iter().map(|it| Version { document: it.kind, version: it.version.clone() }).collect();
    let items = accepted.into_iter().map(|it| AcceptanceView { document: it.kind, version: it.version, at: it.at });
    Ok(Json(Acceptances { items: items.collect(), missing }))
}

/// Accept a document in the version in force. Fine to repeat: the first time stands.
#[utoipa::path(put, path = "/api/v1/me/acceptances", tag = "accounts", request_body = Version, security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Acceptances),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`stale_version`: another version is in force, or the operator has no such document"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn accept(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiJson(body): ApiJson<Version>,
) -> Result<Json<Acceptances>, Problem> {
    take(&state, &viewer, body.document, &body.version).await?;
    accepted(State(state), viewer).await
}

/// Records that somebody accepts a document, for whichever door it was said at.
pub(crate) async fn take(state: &AppState, viewer: &Viewer, kind: DocumentKind, version: &str) -> Result<(), Problem> {
    let current = state.config.documents.iter().find(|document| document.kind == kind && document.version == version);
    let current = current.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "stale_version",
            "This version is not in force; please read the one that is.",
        )
    })?;
    Ok(state.accounts.accept(&viewer.id, current.kind, &current.version).await?)
}

/// Refuses a customer who has not accepted what is in force.
///
/// # Errors
/// 403 `not_accepted` naming each document.
pub(crate) async fn must_have_accepted(state: &AppState, viewer: &Viewer) -> Result<(), Problem> {
    if state.config.documents.is_empty() || viewer.role != Role::Customer {
        return Ok(());
    }
    let accepted = state.accounts.acceptances(&viewer.id).await?;
    let refused = |problem: Problem, kind: DocumentKind| {
        problem.field(kind.as_str(), "not_accepted", format!("{}: to be read and accepted first.", kind.label()))
    };
    let missing = missing(&state.config.documents, &accepted);
    if missing.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(StatusCode::FORBIDDEN, "not_accepted", "Please read and accept first what has changed.")
        .detail("GET /api/v1/documents has it; PUT /api/v1/me/acceptances accepts it.");
    Err(missing.into_iter().fold(problem, |problem, document| refused(problem, document.kind)))
}
