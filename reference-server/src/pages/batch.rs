//! Several complaints from a table: chosen, looked at, handed in.

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use complaint_core::complaint::Channel;

use super::form::{Fault, Typed, not_ours};
use super::{Answer, Me, Person, page};
use crate::api::attachments::{broken, file_name_of};
use crate::api::batch::{ROWS_MAX, RowState, RowView, columns, handed_in, may_hand_in, rows_of_table};
use crate::api::view::submission::BY_HAND;
use crate::error::Problem;
use crate::extract::JSON_MAX;
use crate::state::AppState;

/// `/work/batch`.
pub fn routes() -> Router<AppState> {
    Router::new().route("/work/batch", get(show).post(look)).route("/work/batch/submit", get(show).post(submit))
}

#[derive(Template)]
#[template(path = "staff/batch.html")]
struct BatchPage {
    me: Me,
    columns: String,
    channels: String,
    most: usize,
    faults: Vec<Fault>,
    /// The table as it was sent, to be handed in as it was looked at.
    table: String,
    rows: Vec<Row>,
    /// Whether it was only looked at.
    looked: bool,
    acceptable: usize,
    received: usize,
    refused: usize,
}

struct Row {
    number: usize,
    key: String,
    customer: String,
    subject: String,
    word: &'static str,
    tone: &'static str,
    reference: Option<String>,
    /// Field by field.
    wrong: Vec<(String, String)>,
}

async fn show(State(state): State<AppState>, person: Person) -> Answer {
    may_hand_in(&person.0)?;
    batch_page(&state, &person, StatusCode::OK, String::new(), true, Ok(Vec::new())).await
}

/// What would become of a table; nothing is handed in.
async fn look(State(state): State<AppState>, person: Person, request: Request) -> Answer {
    may_hand_in(&person.0)?;
    let table = table_in(&state, request).await?;
    let rows = looked_at(&state, &person, &table, true).await;
    let status = if rows.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    // What is no text has no rows that could be handed in.
    batch_page(&state, &person, status, String::from_utf8(table).unwrap_or_default(), true, rows).await
}

async fn submit(State(state): State<AppState>, person: Person, request: Request) -> Answer {
    may_hand_in(&person.0)?;
    // In a form each byte of the table takes up to three.
    let typed = Typed::within(request, 3 * JSON_MAX + 1024).await?;
    typed.exactly(&["table"])?;
    let table = typed.raw("table").to_owned();
    let rows = looked_at(&state, &person, table.as_bytes(), false).await;
    let status = if rows.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    batch_page(&state, &person, status, table, false, rows).await
}

async fn looked_at(state: &AppState, person: &Person, table: &[u8], only_look: bool) -> Result<Vec<RowView>, Problem> {
    handed_in(state, &person.0, rows_of_table(table)?, only_look).await
}

/// The file that was chosen.
async fn table_in(state: &AppState, mut request: Request) -> Result<Vec<u8>, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        return Err(not_ours("table", "missing", "is missing"));
    }
    DefaultBodyLimit::max(JSON_MAX + 1024).apply(&mut request);
    let malformed = |_| Problem::malformed("malformed_multipart", "The form cannot be read.");
    let mut form = Multipart::from_request(request, state).await.map_err(malformed)?;
    let mut bytes = None;
    while let Some(part) = form.next_field().await.map_err(|error| broken(&error))? {
        if part.name() != Some("table") || file_name_of(&part).is_none() {
            return Err(not_ours(part.name().unwrap_or_default(), "unknown_field", "is not a field of this form"));
        }
        bytes = Some(part.bytes().await.map_err(|error| broken(&error))?);
    }
    bytes.map(Vec::from).ok_or_else(|| not_ours("table", "missing", "is missing"))
}

async fn batch_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    table: String,
    looked: bool,
    looked_at: Result<Vec<RowView>, Problem>,
) -> Answer {
    let (rows, faults) = match looked_at {
        Ok(rows) => (rows, Vec::new()),
        Err(problem) if problem.status.is_server_error() || problem.status == StatusCode::CONFLICT => {
            return Err(problem);
        }
        Err(problem) => (Vec::new(), faults_of(&problem)),
    };
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let (acceptable, received, refused) =
        (count(RowState::Acceptable), count(RowState::Received), count(RowState::Refused));
    page(
        status,
        &BatchPage {
            me: Me::of(&person.0, state, "/work/batch").await,
            columns: columns().collect::<Vec<_>>().join(", "),
            channels: BY_HAND.map(Channel::name).join(", "),
            most: ROWS_MAX,
            faults,
            table,
            rows: rows.into_iter().map(row).collect(),
            looked,
            acceptable,
            received,
            refused,
        },
    )
}

fn faults_of(problem: &Problem) -> Vec<Fault> {
    if problem.errors.is_empty() {
        let said = problem.detail.as_deref().unwrap_or(&problem.title);
        return vec![Fault::of("", said)];
    }
    let said = problem.errors.iter().map(|error| match error.field.as_str() {
        "rows" => error.message.clone(),
        column => format!("The column “{column}”: {}", error.message),
    });
    said.map(|said| Fault::of("", said)).collect()
}

fn row(view: RowView) -> Row {
    let (tone, word) = match view.state {
        RowState::Received if view.repeated => ("end", "Was here before"),
        RowState::Received => ("done", "Handed in"),
        RowState::Acceptable => ("run", "Nothing wrong"),
        RowState::Refused => ("bad", "Not taken"),
    };
    Row {
        number: view.row,
        key: view.key.unwrap_or_default(),
        customer: view.customer.unwrap_or_default(),
        subject: view.subject.unwrap_or_default(),
        word,
        tone,
        reference: view.reference,
        wrong: view.errors.into_iter().map(|error| (error.field, error.message)).collect(),
    }
}
