//! What every door answers beside its own: the layers around all of them, and the readers before each, say no in one way. It is
//! described here once, by what the description says of each door: whether it needs a log-in, reads a body, is of one thing.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

/// Adds these answers to every operation that does not describe them in words of its own.
pub(super) fn described(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let PathItem { get, post, put, patch, delete, .. } = item;
        for (method, operation) in [("get", get), ("post", post), ("put", put), ("patch", patch), ("delete", delete)] {
            if let Some(operation) = operation {
                complete(operation, path, method == "get");
                operation.operation_id = Some(id_of(method, path));
                described_all(operation);
            }
        }
    }
}

fn complete(operation: &mut Operation, path: &str, reads_only: bool) {
    let has_body = operation.request_body.is_some();
    // `security(())` is for whoever comes.
    let needs_login = operation.security.as_ref().is_some_and(|needed| !needed.is_empty());
    for (given, status, said) in [
        (
            path.starts_with("/api/v1/"),
            StatusCode::BAD_REQUEST,
            "It cannot be read, or has a parameter that is not described",
        ),
        (needs_login, StatusCode::UNAUTHORIZED, "`not_logged_in`: without a session or token that still counts"),
        (
            needs_login,
            StatusCode::FORBIDDEN,
            "`second_factor_required`: staff set one up first; `cross_site`: sent by a page of another site",
        ),
        (!reads_only, StatusCode::FORBIDDEN, "`cross_site`: sent by a page of another site"),
        (path.contains('{'), StatusCode::NOT_FOUND, "There is none, or it is none of the caller's business"),
        (has_body, StatusCode::REQUEST_TIMEOUT, "`request_timeout`: the body did not arrive in time"),
        (has_body, StatusCode::PAYLOAD_TOO_LARGE, "`too_large`: the body"),
        (has_body, StatusCode::UNSUPPORTED_MEDIA_TYPE, "`unsupported_media_type`: the body is of another kind"),
        (has_body, StatusCode::UNPROCESSABLE_ENTITY, "`invalid_body`: every fault is named"),
        (true, StatusCode::INTERNAL_SERVER_ERROR, "`internal`: a fault of the server"),
        (true, StatusCode::SERVICE_UNAVAILABLE, "`unavailable`: not at the moment; `Retry-After` says when"),
    ] {
        if given {
            operation.responses.responses.entry(status.as_str().to_owned()).or_insert_with(|| problem(said).into());
        }
    }
}

/// What a client calls it that is made from the description: `get_complaints_id_log`. Two doors have no name in common.
fn id_of(method: &str, path: &str) -> String {
    let words =
        path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// `OpenAPI` asks for words on every answer; where the status says it all, its name is enough.
fn described_all(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status: Option<StatusCode> = status.parse().ok();
            status.and_then(|it| it.canonical_reason()).unwrap_or("Answer").clone_into(&mut response.description);
        }
    }
}

fn problem(said: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(said).content("application/problem+json", content).build()
}
