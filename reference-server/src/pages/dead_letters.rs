//! What could not be delivered, and sending it again.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::form::Typed;
use super::words::When;
use super::{Answer, Me, Person, page, see};
use crate::api::dead_letters::{DeadLetter, notices, revive};
use crate::auth::Role;
use crate::extract::ApiPath;
use crate::state::AppState;

/// How many notices the page shows.
const SHOWN: u32 = 100;

/// `/admin/dead-letters` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin/dead-letters", get(list))
        .route("/admin/dead-letters/{id}", get(back))
        .route("/admin/dead-letters/{id}/redeliver", post(redeliver))
}

struct Row {
    letter: DeadLetter,
    what: String,
    to: String,
    given_up: When,
}

#[derive(Template)]
#[template(path = "admin/dead_letters.html")]
struct DeadLettersPage {
    me: Me,
    rows: Vec<Row>,
    /// Whether there are more than are shown.
    more: bool,
    may_redeliver: bool,
}

async fn back() -> Response {
    see("/admin/dead-letters")
}

async fn list(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin, Role::Auditor])?;
    let mut found = notices(&state, None, SHOWN + 1).await?;
    let more = found.len() > SHOWN as usize;
    found.truncate(SHOWN as usize);
    let digests = state.preferences.dead().await?;
    let letters = digests.into_iter().map(DeadLetter::from).chain(found.into_iter().map(DeadLetter::from));
    let rows = letters.map(row).collect();
    let may_redeliver = person.0.role == Role::Admin;
    let me = Me::of(&person.0, &state, "/admin/dead-letters").await;
    page(StatusCode::OK, &DeadLettersPage { me, rows, more, may_redeliver })
}

async fn redeliver(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    revive(&state, &person.0, &id).await?;
    Ok(see("/admin/dead-letters"))
}

fn row(letter: DeadLetter) -> Row {
    let what = letter.kind.replace('_', " ");
    let to = match &letter.to_id {
        Some(id) => format!("{} {id}", letter.to),
        None => letter.to.clone(),
    };
    Row { what, to, given_up: When(letter.given_up_at), letter }
}
