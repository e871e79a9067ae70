//! The whole route table and what stands around every route.

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tracing::Instrument as _;
use utoipa_axum::router::OpenApiRouter;

use crate::drain::{Arrival, read_to_the_end};
use crate::error::{Problem, present};
use crate::extract::JSON_MAX;
use crate::state::AppState;
use crate::{api, open311, pages};

/// Until the head of a response must be there, the body read. Streams are not hurt: their head comes at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The same for uploads, which may come over a slow line.
const UPLOAD_WITHIN: Duration = Duration::from_mins(5);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:",
);

/// Every route. Resources of the API are listed in [`api::routes`], pages in [`pages::routes`],
/// what reporting apps use in [`open311::routes`].
pub fn router(state: AppState) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(api::document()).merge(api::routes(&state)).split_for_parts();
    let document = api::completed(document);
    let only_described = from_fn_with_state(api::query::described(&document), api::query::only_described);
    let routes = api
        .layer(only_described)
        .merge(api::described_by(&document))
        .merge(open311::routes())
        .merge(pages::routes(&state))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This cannot be done here.")
        });
    around(routes, &state).with_state(state)
}

/// The layers around every route, outermost last.
pub fn around(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    let refusal =
        |_| Problem::new(StatusCode::FORBIDDEN, "cross_site", "This request came from another site.").into_response();
    let csrf = CsrfLayer::new().with_rejection_response(refusal);
    // Behind a proxy that rewrites Host, pages of our own must still pass. An origin that cannot be one adds nothing.
    let csrf = csrf.clone().add_trusted_origin(state.config.base_url().origin().ascii_serialization()).unwrap_or(csrf);
    routes
        .layer(DefaultBodyLimit::max(JSON_MAX))
        .layer(csrf)
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a handler panicked");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
                .into_response()
        }))
        .layer(from_fn(measure))
        .layer(from_fn_with_state(state.clone(), present))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(state.clone(), envelope))
        .layer(from_fn(read_to_the_end))
}

async fn in_time(request: Request, next: Next) -> Response {
    let is_upload = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    let within = if is_upload { UPLOAD_WITHIN } else { ANSWER_WITHIN };
    let arrival = request.extensions().get::<Arrival>().cloned();
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) if arrival.is_some_and(|arrival| arrival.is_awaited()) => Problem::too_slow().into_response(),
        Err(_) => Problem::unavailable().detail("The answer took too long.").into_response(),
    }
}

async fn measure(request: Request, next: Next) -> Response {
    // The pattern, not the path: a label per id would fill the memory of whoever collects it.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = label_of(request.method());
    let started = Instant::now();
    let response = next.run(request).await;
    metrics::histogram!("http_request_seconds", "method" => method, "route" => route.clone())
        .record(started.elapsed().as_secs_f64());
    let status = response.status().as_str().to_owned();
    metrics::counter!("http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
    response
}

/// The method as a label. Anybody may make methods up; they must not make labels.
fn label_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Request id in and out, one span per request, and the headers every answer carries.
async fn envelope(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let personal = request.headers().contains_key(COOKIE) || request.headers().contains_key(AUTHORIZATION);
    // The path only: tokens stand in queries.
    let span = tracing::info_span!("request", id = %id.to_str().unwrap_or_default(), method = %request.method(), path = %request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Attachments bring a stricter policy of their own.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(CSP);
    let public = headers.get(CACHE_CONTROL).is_some_and(|said| said.as_bytes().starts_with(b"public"));
    // Only what says of itself that it is everybody's (static files) may rest in a cache.
    if !public || (personal && headers.contains_key(axum::http::header::SET_COOKIE)) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if state.config.is_https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    response
}

/// The caller's id if it is a harmless one, so that a request can be followed across programs; else a fresh one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |value: &&HeaderValue| {
        (1..=64).contains(&value.len())
            && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    headers.get(REQUEST_ID).filter(harmless).cloned().unwrap_or_else(|| {
        let id: u128 = rand::random();
        HeaderValue::from_str(&format!("{id:032x}")).unwrap_or(HeaderValue::from_static("unknown"))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::routing::post;
    use futures_util::{StreamExt as _, stream};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_too_slow_is_told_apart_from_a_server_that_is() {
        let routes = Router::new()
            .route("/read", post(|_: Bytes| async { "read" }))
            .route("/think", post(|_: Bytes| std::future::pending::<()>()))
            .layer(from_fn(in_time))
            .layer(from_fn(read_to_the_end));
        let status = async |path: &str, body: Body| {
            let request = Request::post(path).body(body).expect("a request");
            routes.clone().oneshot(request).await.expect("infallible").status()
        };
        let half = stream::iter([Ok::<_, std::io::Error>("half")]).chain(stream::pending());
        assert_eq!(status("/read", Body::from_stream(half)).await, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(status("/read", Body::from("whole")).await, StatusCode::OK);
        assert_eq!(status("/think", Body::from("whole")).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
