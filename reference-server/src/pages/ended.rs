//! What was typed into a form whose session had ended: nothing of it is sent, and nothing of it is lost.

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::account::log_in_fields;
use super::form::{Field, Typed};
use super::{Me, Person, page, upload};
use crate::auth::MaybeViewer;
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

struct Kept {
    name: String,
    label: String,
    text: String,
}

/// Before every page for people who are logged in: a form that comes without a session is answered with what was typed into it.
pub(super) async fn session(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    match MaybeViewer::from_request_parts(&mut parts, &state).await {
        Err(problem) => problem.into_response(),
        Ok(MaybeViewer(Some(viewer))) => {
            parts.extensions.insert(Person(viewer));
            next.run(Request::from_parts(parts, body)).await
        }
        Ok(MaybeViewer(None)) => {
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

/// The page with the form that is posted to an address.
fn page_of(action: &str, typed: &Typed) -> String {
    if action == "/complaints/new" {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for name in ["category", "follows"] {
            query.extend_pairs(typed.get(name).map(|value| (name, value)));
        }
        return format!("{action}?{}", query.finish()).trim_end_matches('?').to_owned();
    }
    if action.starts_with("/admin/users/") && action.ends_with("/enabled") {
        return "/admin/users".to_owned();
    }
    let page = action.split("/commands/").next().unwrap_or("/");
    ["/attachments", "/enabled", "/active"].iter().fold(page, |page, end| page.trim_end_matches(end)).to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_its_page() {
        let chosen = Typed::default().with("category", "late-delivery").with("follows", "C7KQ-2M9X-4");
        for (action, page) in [
            ("/complaints/new", "/complaints/new?category=late-delivery&follows=C7KQ-2M9X-4"),
            ("/complaints/C7KQ-2M9X-4/commands/post", "/complaints/C7KQ-2M9X-4"),
            ("/complaints/C7KQ-2M9X-4/attachments", "/complaints/C7KQ-2M9X-4"),
            ("/admin/agents/new", "/admin/agents/new"),
            ("/admin/agents/7/enabled", "/admin/agents/7"),
            ("/admin/users/7/enabled", "/admin/users"),
            ("/admin/categories/kettles/active", "/admin/categories/kettles"),
        ] {
            assert_eq!(page_of(action, &chosen), page);
        }
        assert_eq!(page_of("/complaints/new", &Typed::default()), "/complaints/new");
    }
}
