//! `/api/v1/complaints/batch`: several complaints in one go, from a list or a table, each handed in as if it had come alone.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use complaint_core::DeskError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};

use super::attachments::unsupported;
use super::complaints::submission;
use super::view::submission::SAID;
use crate::auth::{Role, Viewer};
use crate::error::{FieldError, Problem};
use crate::extract::{ApiQuery, Repeatable, Unkeyed, hex, parse_strictly, whole_body};
use crate::state::AppState;

/// The most complaints at once.
pub(crate) const ROWS_MAX: usize = 100;
/// The longest key of a row.
const KEY_MAX: usize = 200;
/// The columns a table may have beside what people say of a complaint; and `answers.` with the key of a question.
const OF_AGENTS: [&str; 5] = ["key", "customer", "channel", "area", "language"];
/// What separates the values of tables: commas by RFC 4180, semicolons where a comma stands in numbers, tabs where cells are copied.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The columns a table may have, beside `answers.` and the key of a question.
pub(crate) fn columns() -> impl Iterator<Item = &'static str> {
    OF_AGENTS.into_iter().chain(SAID)
}

/// Several complaints.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody {
    /// Each as in `POST /api/v1/complaints`, with a `key` of the sender's own beside.
    #[schema(schema_with = rows, min_items = 1, max_items = 100)]
    rows: Vec<Value>,
}

/// What became of every complaint, in their order.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchView {
    /// How many are here: handed in now, or before under the same key.
    received: usize,
    /// How many are not, each for reasons of its own.
    refused: usize,
    rows: Vec<RowView>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowState {
    /// It is a complaint, with a reference.
    Received,
    /// Nothing is wrong with it; it was only looked at.
    Acceptable,
    /// Something is wrong with it, and nothing was done.
    Refused,
}

/// What became of one row.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RowView {
    /// Its place in the list, from 1; of a table the header does not count.
    pub(crate) row: usize,
    /// The sender's own key, if it has one.
    #[schema(example = "letters-2026-03-02-17")]
    pub(crate) key: Option<String>,
    /// For whom and what about, as it was sent.
    pub(crate) customer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) state: RowState,
    /// The id of the complaint.
    pub(crate) id: Option<String>,
    #[schema(example = "C7KQ-2M9X-B")]
    pub(crate) reference: Option<String>,
    /// Whether it was handed in before under this key.
    pub(crate) repeated: bool,
    /// Everything that is wrong with it.
    pub(crate) errors: Vec<FieldError>,
}

/// A row as it was sent.
pub(crate) struct Row {
    values: Map<String, Value>,
    /// Why it is none.
    fault: Option<FieldError>,
}

#[derive(Deserialize)]
pub(super) struct Only {
    #[serde(default)]
    check: bool,
}

/// Hand in several complaints at once, at most 100 in 1 MiB. Agents, who take them down for others.
///
/// Each is a complaint of its own, by the rules of `POST /api/v1/complaints`: a row that is refused names its faults and keeps none of the
/// others back. `key` is the sender's own: a row that was handed in before under it, with the same words, is not handed in again and
/// answers with what it became; so it does for who only looks. So the whole list can be sent again after an answer that got lost, or with
/// its bad rows mended.
///
/// As a table (`text/csv`, UTF-8, separated by commas, semicolons or tabs, as its first line is) the first line names the columns as the fields are named here, with dots:
/// `contact.email`, `answers.size`. What is empty is not given.
#[utoipa::path(post, path = "/api/v1/complaints/batch", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("check" = Option<bool>, Query, description = "`true`: only look, hand nothing in")),
    request_body(content((BatchBody = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, body = BatchView, description = "Every row was looked at; `state` says of each what became of it"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: each row has a key of its own; `malformed_table`"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Others were faster again and again; send all of it once more"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "No rows, too many, or a column that no complaint has"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "Send all of it once more: what was handed in already is known by its key"),
    ))]
pub(super) async fn submit(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiQuery(only): ApiQuery<Only>,
    _unkeyed: Unkeyed,
    request: Request,
) -> Result<Json<BatchView>, Problem> {
    may_hand_in(&viewer)?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["application/json", "text/csv"].contains(&kind.as_str()) {
        return Err(unsupported("Send the complaints as application/json or as text/csv."));
    }
    let body = whole_body(request, &state).await?;
    let rows = if kind == "text/csv" {
        rows_of_table(&body)?
    } else {
        let BatchBody { rows } = parse_strictly(&body)?;
        rows.into_iter().map(row_of).collect()
    };
    let rows = handed_in(&state, &viewer, rows, only.check).await?;
    let refused = rows.iter().filter(|row| row.state == RowState::Refused).count();
    let received = rows.iter().filter(|row| row.state == RowState::Received).count();
    Ok(Json(BatchView { received, refused, rows }))
}

pub(crate) fn may_hand_in(viewer: &Viewer) -> Result<(), Problem> {
    if viewer.role == Role::Agent {
        Ok(())
    } else {
        Err(Problem::forbidden().detail("Several complaints at once are for agents, who take them down for others."))
    }
}

/// Hands every row in, or only looks at it. What is wrong with one is said of it; an error is nobody's fault, and ends all.
pub(crate) async fn handed_in(
    state: &AppState,
    viewer: &Viewer,
    rows: Vec<Row>,
    only_look: bool,
) -> Result<Vec<RowView>, Problem> {
    let wrong =
        |code, message: &str| Err(Problem::invalid().detail(format!("rows: {message}")).field("rows", code, message));
    if rows.is_empty() {
        return wrong("missing", "There is nothing in it.");
    }
    if rows.len() > ROWS_MAX {
        return wrong("too_many", "At most 100 complaints at once.");
    }
    let mut keys = BTreeSet::new();
    let mut seen = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        let sent = |name: &str| row.values.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut view = RowView {
            row: at + 1,
            key: sent("key"),
            customer: sent("customer"),
            subject: sent("subject"),
            state: RowState::Refused,
            id: None,
            reference: None,
            repeated: false,
            errors: Vec::new(),
        };
        match one(state, viewer, row, &mut keys, only_look).await {
            Ok(None) => view.state = RowState::Acceptable,
            Ok(Some(receipt)) => {
                view.state = RowState::Received;
                view.id = Some(receipt.id().to_string());
                view.reference = Some(receipt.reference().to_string());
                view.repeated = receipt.is_repeated();
            }
            Err(problem) if problem.status.is_server_error() || problem.status.as_u16() == 409 => return Err(problem),
            Err(problem) => view.errors = faults_of(problem),
        }
        seen.push(view);
    }
    state.poke();
    Ok(seen)
}

async fn one(
    state: &AppState,
    viewer: &Viewer,
    row: Row,
    keys: &mut BTreeSet<String>,
    only_look: bool,
) -> Result<Option<complaint_core::desk::Receipt>, Problem> {
    if let Some(fault) = row.fault {
        let mut problem = Problem::invalid();
        problem.errors.push(fault);
        return Err(problem);
    }
    let mut values = row.values;
    // Read before the rest, so that both name their faults.
    let key = key_of(values.remove("key"), keys);
    let mut values = Value::Object(values);
    unify_lines(&mut values);
    let acting = state.acting(viewer).await?;
    let submission = submission(state, viewer, &acting, &Repeatable::one_of(&values)).await;
    let (key, submission) = match (key, submission) {
        (Ok(key), Ok(submission)) => (key, submission),
        (Err(key), Err(rest)) if !rest.status.is_server_error() => return Err(key.and_more(Some(rest))),
        (_, Err(problem)) => return Err(problem),
        (Err(key), Ok(submission)) => {
            return Err(key.and_refused(acting.would_refuse_submission(&submission).await?));
        }
    };
    // By what was read, not by how it was written down: a table and a list may bring the same.
    let said = serde_json::to_vec(&submission).map_err(|error| Problem::internal(&error))?;
    let acting = acting.under_key(&format!("batch:{key}"), hex(&Sha256::digest(said))).map_err(DeskError::from)?;
    let done =
        if only_look { acting.submitted_before().await } else { acting.submit(submission.clone()).await.map(Some) };
    let refused = async || acting.would_refuse_submission(&submission).await;
    match done {
        Err(DeskError::KeyReused) => {
            let said = "Something else was handed in under this key.";
            let problem = Problem::invalid().detail(said).field("key", "idempotency_key_reused", said);
            Err(problem.and_refused(refused().await?))
        }
        Ok(None) => refused().await?.map_or(Ok(None), |refusal| Err(DeskError::from(refusal).into())),
        done => Ok(done?),
    }
}

/// Ends all lines alike: browsers and tables end the same ones in their own way.
fn unify_lines(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\r') => *text = text.replace("\r\n", "\n").replace('\r', "\n"),
        Value::Array(items) => items.iter_mut().for_each(unify_lines),
        Value::Object(members) => members.values_mut().for_each(unify_lines),
        _ => {}
    }
}

fn key_of(given: Option<Value>, keys: &mut BTreeSet<String>) -> Result<String, Problem> {
    let wrong = |code, message: &str| Problem::invalid().detail(format!("key: {message}")).field("key", code, message);
    let key = match given {
        None | Some(Value::Null) => {
            return Err(wrong("missing", "A key of your own, by which the row is known again."));
        }
        Some(Value::String(key)) => key,
        Some(_) => return Err(wrong("invalid_type", "The key must be text.")),
    };
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("invalid", "A key has 1 to 200 visible ASCII characters."));
    }
    if !keys.insert(key.clone()) {
        return Err(wrong("duplicate", "An earlier row has the same key."));
    }
    Ok(key)
}

/// What a problem says of a row; one that names no field is said of the row as a whole.
fn faults_of(problem: Problem) -> Vec<FieldError> {
    if !problem.errors.is_empty() {
        return problem.errors;
    }
    let message = problem.detail.unwrap_or(problem.title).into_string();
    vec![FieldError { field: String::new(), code: problem.code.into_string(), message, remedy: None }]
}

fn row_of(value: Value) -> Row {
    match value {
        Value::Object(values) => Row { values, fault: None },
        _ => Row { values: Map::new(), fault: Some(fault("", "invalid_type", "A complaint is an object.")) },
    }
}

fn fault(field: &str, code: &str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), code: code.to_owned(), message: message.to_owned(), remedy: None }
}

/// The rows of a table.
///
/// # Errors
/// 400 if it is none, or a quotation mark is astray; 422 naming every column that no complaint has, or that is there twice.
pub(crate) fn rows_of_table(bytes: &[u8]) -> Result<Vec<Row>, Problem> {
    let malformed =
        || Problem::malformed("malformed_table", "It is no table: CSV in UTF-8 with a line of names on top.");
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?.trim_start_matches('\u{feff}');
    let separator = separator_of(text);
    if let Some(line) = quote_astray(text, separator) {
        return Err(Problem::malformed(
            "malformed_table",
            format!(
                "Line {line}: a quotation mark is not closed, or stands in the middle of a value. Put the whole value in quotation marks and \
                 double those that are in it."
            ),
        ));
    }
    // Rows of another length are named, not the end of all.
    let mut table = csv::ReaderBuilder::new().flexible(true).delimiter(separator as u8).from_reader(text.as_bytes());
    let header: Vec<String> =
        table.headers().map_err(|_| malformed())?.iter().map(|name| name.trim().to_owned()).collect();
    let mut problem = Problem::invalid();
    let mut names = BTreeSet::new();
    for name in &header {
        if !columns().any(|known| known == name) && !name.starts_with("answers.") {
            problem = problem.field(name, "unknown_field", "There is no such column.");
        }
        if !names.insert(name) {
            problem = problem.field(name, "duplicate", "This column is there twice.");
        }
    }
    if let Some(first) = problem.errors.first() {
        let detail = format!("{}: {}", first.field, first.message);
        return Err(problem.detail(detail));
    }
    let mut rows = Vec::new();
    for record in table.records() {
        let record = record.map_err(|_| malformed())?;
        if rows.len() > ROWS_MAX {
            // One more than allowed is enough to say so.
            break;
        }
        let mut values = Map::new();
        for (name, value) in header.iter().zip(&record) {
            if value.trim().is_empty() {
                continue;
            }
            let value = Value::from(value);
            match name.split_once('.') {
                None => drop(values.insert(name.clone(), value)),
                Some((outer, inner)) => {
                    let outer = values.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                    outer[inner] = value;
                }
            }
        }
        let fault = (record.len() != header.len())
            .then(|| fault("", "wrong_length", "It has more or fewer values than there are columns."));
        rows.push(Row { values, fault });
    }
    Ok(rows)
}

/// What separates the names of the first line: no name has one of them in it.
fn separator_of(text: &str) -> char {
    let names = text.lines().next().unwrap_or_default();
    SEPARATORS.into_iter().find(|separator| names.contains(*separator)).unwrap_or(',')
}

/// The line of a quotation mark that RFC 4180 does not have where it stands. The reader of tables would go on to the next one, and make the
/// letters of some customers the words of another.
fn quote_astray(text: &str, separator: char) -> Option<usize> {
    #[derive(PartialEq)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let (mut at, mut line, mut opened) = (At::Start, 1, 1);
    for char in text.chars() {
        at = match (at, char) {
            (At::Start, '"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, '"') => At::Closed,
            // Two of them stand for one.
            (At::Closed, '"') | (At::Quoted, _) => At::Quoted,
            (At::Plain, '"') => return Some(line),
            (_, '\r' | '\n') => At::Start,
            (_, char) if char == separator => At::Start,
            (At::Closed, _) => return Some(opened),
            (At::Start | At::Plain, _) => At::Plain,
        };
        line += usize::from(char == '\n');
    }
    (at == At::Quoted).then_some(opened)
}

fn rows() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::ArrayBuilder::new().items(row()).min_items(Some(1)).max_items(Some(ROWS_MAX)).build()
}

fn row() -> AllOfBuilder {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(KEY_MAX))
        .description(Some("The sender's own: under it the row is handed in once"));
    let keyed = ObjectBuilder::new().property("key", key).required("key");
    AllOfBuilder::new().item(Ref::from_schema_name("SubmissionBody")).item(keyed)
}
