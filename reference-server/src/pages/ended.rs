//! What was typed into a form whose session had ended, or whose complaint went out of sight: nothing of it is sent, and nothing of it is
//! lost.

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::account::log_in_fields;
use super::form::{Field, Kept, Typed};
use super::{Answer, Me, Person, page, start_of, upload};
use crate::auth::{AnyViewer, Viewer};
use crate::error::Problem;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "public/ended.html")]
struct EndedPage {
    me: Me,
    /// Where the form was posted to, by which it is found again.
    action: String,
    /// The page on which it stands.
    back: String,
    fields: Vec<Field>,
    kept: Vec<Kept>,
    files: bool,
}

/// Before every page for people who are logged in: a form that comes without a session is answered with what was typed into it.
pub(super) async fn session(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match AnyViewer::from_request_parts(&mut parts, &state).await {
        Err(problem) => problem.into_response(),
        Ok(AnyViewer(Some(viewer))) => {
            parts.extensions.insert(Person(viewer));
            next.run(Request::from_parts(parts, body)).await
        }
        Ok(AnyViewer(None)) => {
            let action = parts.uri.path().to_owned();
            let (typed, files) = upload::words(&state, Request::from_parts(parts, body)).await;
            let ended = EndedPage {
                me: Me::nobody(&state),
                back: page_of(&action, &typed),
                fields: log_in_fields(),
                kept: kept(&action, &typed),
                action,
                files,
            };
            page(StatusCode::UNAUTHORIZED, &ended).unwrap_or_else(IntoResponse::into_response)
        }
    }
}

#[derive(Template)]
#[template(path = "public/gone.html")]
struct GonePage {
    me: Me,
    start: &'static str,
    kept: Vec<Kept>,
}

/// The answer to a form about a complaint that whoever sends it cannot see, if it ever was: the same for both.
pub(super) async fn out_of_sight(state: &AppState, viewer: &Viewer, typed: &Typed) -> Answer {
    let kept = kept("", typed);
    if kept.is_empty() {
        return Err(Problem::not_found());
    }
    let start = start_of(viewer.role);
    page(StatusCode::NOT_FOUND, &GonePage { me: Me::of(viewer, state, start).await, start, kept })
}

/// The page with the form that is posted to an address: whoever opens that address comes to it. Of the forms for a new complaint their own
/// fields say which it was.
fn page_of(action: &str, typed: &Typed) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if action == "/complaints/new" {
        for name in ["category", "follows"] {
            query.extend_pairs(typed.get(name).map(|value| (name, value)));
        }
    }
    format!("{action}?{}", query.finish()).trim_end_matches('?').to_owned()
}

/// What a person typed: no secret, and nothing that our page filled in.
fn kept(action: &str, typed: &Typed) -> Vec<Kept> {
    let ours = ["key", "version", "follows"];
    let is_new = action == "/complaints/new";
    typed
        .fields()
        .filter(|(name, text)| {
            let secret = name.contains("password") || name.contains("token");
            !(secret || ours.contains(name) || (is_new && *name == "category") || text.trim().is_empty())
        })
        .map(|(name, text)| Kept { name: name.to_owned(), label: label_of(name), text: text.to_owned() })
        .collect()
}

/// The name of a field as words: which form it was, and what it asked, is not known any more.
fn label_of(name: &str) -> String {
    let words = name.trim_start_matches("answers.").replace(['.', '_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
