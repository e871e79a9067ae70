//! The terms of service and the privacy notice: everybody reads them, and customers accept them before they go on.

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;

use super::form::{Control, Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, Person, local_address, page, see, start_of};
use crate::api::documents::take;
use crate::auth::documents::{Document, DocumentKind, missing};
use crate::auth::{MaybeViewer, Role};
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/terms` and `/privacy`, for everybody.
pub fn texts() -> Router<AppState> {
    Router::new()
        .route("/terms", get(|state: State<AppState>| async move { show(&state, DocumentKind::Terms) }))
        .route("/privacy", get(|state: State<AppState>| async move { show(&state, DocumentKind::Privacy) }))
}

/// `/accept`, for whoever is logged in.
pub fn routes() -> Router<AppState> {
    Router::new().route("/accept", get(ask).post(accept))
}

#[derive(Template)]
#[template(path = "public/document.html")]
struct DocumentPage<'a> {
    me: Me,
    title: &'static str,
    version: &'a str,
    text: &'a str,
}

#[derive(Template)]
#[template(path = "public/accept.html")]
struct AcceptPage<'a> {
    me: Me,
    documents: Vec<&'a Document>,
    next: &'a str,
    summary: Summary,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct AskQuery {
    #[serde(default)]
    next: String,
}

fn show(state: &AppState, kind: DocumentKind) -> Answer {
    let document = state.config.documents.iter().find(|document| document.kind == kind);
    let document = document.ok_or_else(Problem::not_found)?;
    let shown =
        DocumentPage { me: Me::nobody(state), title: kind.label(), version: &document.version, text: &document.text };
    page(StatusCode::OK, &shown)
}

/// Before every page for people who are logged in: a customer who has not accepted what is in force is asked to. Forms that are sent go
/// through, so that nothing is lost that was typed before it came into force; their own account is open to them in any case.
pub(super) async fn accepted_first(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let open = path == "/accept" || path == "/account" || path.starts_with("/account/");
    if state.config.documents.is_empty() || request.method() != Method::GET || open {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let viewer = match MaybeViewer::from_request_parts(&mut parts, &state).await {
        Ok(MaybeViewer(viewer)) => viewer.filter(|viewer| viewer.role == Role::Customer),
        Err(problem) => return problem.into_response(),
    };
    if let Some(viewer) = viewer {
        match state.accounts.acceptances(&viewer.id).await {
            Ok(accepted) if missing(&state.config.documents, &accepted).is_empty() => {}
            Ok(_) => {
                let back = parts.uri.path_and_query().map_or("/", |it| it.as_str());
                let mut query = url::form_urlencoded::Serializer::new(String::new());
                query.append_pair("next", back);
                return see(&format!("/accept?{}", query.finish()));
            }
            Err(error) => return Problem::from(error).into_response(),
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn ask(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<AskQuery>) -> Answer {
    ask_page(&state, &person, StatusCode::OK, &query.next, &[]).await
}

async fn accept(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    let names = |prefix: &'static str| DocumentKind::ALL.map(|kind| format!("{prefix}{}", kind.as_str()));
    let known = [names("accept."), names("version.")].concat();
    typed.only(|name| name == "next" || known.iter().any(|field| field == name))?;
    let mut faults = Vec::new();
    for kind in DocumentKind::ALL {
        let Some(version) = typed.sent(&format!("version.{}", kind.as_str())) else { continue };
        let field = format!("accept.{}", kind.as_str());
        if typed.ticked(&field)? {
            take(&state, &person.0, kind, version).await?;
        } else {
            faults.push(Fault::of(field, format!("{}: please say that you accept it.", kind.label())));
        }
    }
    let next = typed.raw("next");
    if faults.is_empty() {
        return Ok(see(local_address(next).unwrap_or(start_of(person.0.role))));
    }
    ask_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, next, &faults).await
}

async fn ask_page(state: &AppState, person: &Person, status: StatusCode, next: &str, faults: &[Fault]) -> Answer {
    let accepted = state.accounts.acceptances(&person.0.id).await?;
    let documents = missing(&state.config.documents, &accepted);
    if documents.is_empty() {
        return Ok(see(local_address(next).unwrap_or(start_of(person.0.role))));
    }
    let fields = documents.iter().map(|document| {
        let label = match document.kind {
            DocumentKind::Terms => "I accept the terms of service",
            DocumentKind::Privacy => "I have read the privacy notice",
        };
        Field::new(format!("accept.{}", document.kind.as_str()), label, Control::Tick(false))
    });
    let fields = filled(fields.collect(), None, faults);
    let me = Me::of(&person.0, state, "").await;
    page(status, &AcceptPage { me, documents, next, summary: Summary::of(faults, &fields), fields })
}
