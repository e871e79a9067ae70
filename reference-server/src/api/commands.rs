//! `/api/v1/complaints/{id}/commands`: every command of the lifecycle through one handler, derived from the table.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use complaint_core::DeskError;
use complaint_core::id::{ComplaintId, Version};
use complaint_core::lifecycle::{Command, CommandName, Field, Input, InvalidInput};
use complaint_core::reference::Reference;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::attachments;
use super::complaints::{following, keyed, present, received};
use super::view::{self, CommandBody, CommandView, ComplaintView};
use crate::auth::Viewer;
use crate::error::{FieldError, Problem};
use crate::extract::{self, ApiPath, Repeatable, Sent, parse_strictly, seen_version};
use crate::state::AppState;

/// What the caller could do to a complaint.
#[derive(Serialize, ToSchema)]
pub(super) struct Commands {
    items: Vec<CommandView>,
}

/// Read what the caller may do now, with the reasons against the rest.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/commands", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference")),
    responses((status = 200, body = Commands), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<Commands>, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    let available = acting.available_commands(complaint.id).await?;
    let policy = state.desk.policy();
    Ok(Json(Commands { items: available.iter().map(|available| view::command(available, &policy)).collect() }))
}

/// Give a command. Which fields it reads, and what can be chosen in them, `GET /api/v1/lifecycle` lists, and `GET …/commands` for
/// this complaint; without a field the body may be left out. `follow_up` takes what `POST /api/v1/complaints` takes.
///
/// `answer` and `post` take a `text`, files or both: `files` are ids of attachments of this complaint; or, sent as multipart/form-data,
/// a part `text` and every part with a file name is a new file.
#[utoipa::path(post, path = "/api/v1/complaints/{id}/commands/{name}", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(
        ("id" = String, Path, description = "Id or reference"),
        ("name" = String, Path, description = "A command of the lifecycle, e.g. `resolve`"),
        ("If-Match" = Option<String>, Header, description = "The version the caller saw, quoted"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first answer again"),
    ),
    request_body(content = CommandBody, example = json!({"outcome": "upheld", "explanation": "It left us with a cracked lid.", "apology": "We are sorry.", "remedies": [{"kind": "replacement", "instructions": "Keep the old one."}]})),
    responses(
        (status = 200, body = ComplaintView, headers(("ETag" = String, description = "The version, quoted"))),
        (status = 201, body = ComplaintView, description = "`follow_up`: the new complaint"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`stale_version`, with `current_version` and `ETag`"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "Every guard that failed"),
    ))]
pub(super) async fn give(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath((id, name)): ApiPath<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let seen = seen_version(request.headers())?.map(Version::new);
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        return message(state, viewer, &id, &name, seen, request).await;
    }
    let request = Repeatable::from_request(request, &state).await?;
    let acting = keyed(state.acting(&viewer).await?, &request)?;
    // Which complaint before which command: the answer about one that is not theirs is always the same.
    let complaint = match acting.find(&id).await {
        Ok(complaint) => complaint.id,
        // A repetition may come from somebody who handed the complaint on with this very request.
        Err(DeskError::NotFound) if request.key.is_some() => whichever(&state, &id).await?,
        Err(error) => return Err(error.into()),
    };
    let name: CommandName = name.parse().map_err(|_| Problem::not_found())?;
    match name {
        // A complaint is submitted where complaints are listed.
        CommandName::Submit => Err(Problem::not_found()),
        CommandName::FollowUp => {
            let submission = following(&state, &viewer, &acting, &request, (complaint, seen)).await?;
            let receipt = acting.follow_up_seeing(complaint, submission, seen).await?;
            received(&state, &acting, &receipt).await
        }
        CommandName::Attach => Err(files_elsewhere()),
        name => {
            let Read { command, wrong } = read(name, request.sent(&[])?);
            if let Some(wrong) = wrong {
                return Err(wrong.and_refused(acting.would_refuse(complaint, &command, seen).await?));
            }
            let after = acting.perform_seeing(complaint, command, seen).await?;
            present(&state, &acting, StatusCode::OK, &after).await
        }
    }
}

/// A command as it was sent. Where something is wrong, what cannot be read is left out.
struct Read {
    command: Command,
    wrong: Option<Problem>,
}

fn read(name: CommandName, sent: Sent<Value>) -> Read {
    let Sent { mut body, mut wrong } = sent;
    loop {
        let invalid = match Command::from_json(name, &body) {
            Ok(command) => return Read { command, wrong },
            Err(invalid) => invalid,
        };
        let member = invalid.field.split('.').next().unwrap_or_default().to_owned();
        let readable = if invalid.code == "invalid_type" { readable_list(&member, &body) } else { None };
        Problem::add(&mut wrong, in_our_words(invalid, &body));
        let before = body.as_object_mut().and_then(|members| match readable {
            Some(list) => members.insert(member, list),
            None => members.remove(&member),
        });
        if before.is_none() {
            return Read { command: Command::plain(name), wrong };
        }
    }
}

/// A list with other values for those that cannot be read, so that the rules can say what is wrong with the rest.
fn readable_list(member: &str, body: &Value) -> Option<Value> {
    body[member].as_array()?;
    let sent = extract::read::<Input>(json!({ member: body[member] }).to_string().as_bytes(), &[]).ok()?;
    serde_json::to_value(sent.body).ok()?.get(member).cloned()
}

/// A message with its files in one request: `answer` and `post` as a form of a `text` and files.
async fn message(
    state: AppState,
    viewer: Viewer,
    id: &str,
    name: &str,
    seen: Option<Version>,
    request: Request,
) -> Result<Response, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(id).await?.id;
    match name.parse().map_err(|_| Problem::not_found())? {
        name @ (CommandName::Answer | CommandName::Post) => {
            let after = attachments::receive(&state, &acting, complaint, name, seen, request).await?;
            present(&state, &acting, StatusCode::OK, &after).await
        }
        CommandName::Attach => Err(files_elsewhere()),
        _ => Err(attachments::unsupported("Send application/json; only `answer` and `post` take files.")),
    }
}

fn files_elsewhere() -> Problem {
    Problem::invalid().detail("Files are sent as multipart/form-data to the complaint's /attachments.").field(
        "files",
        "not_by_body",
        "Send files to /attachments.",
    )
}

/// Why a body is no command. The core knows which fields a command reads; what is wrong inside of one is said by the reader of all
/// other bodies, so that it has the same words, code and path at every door.
pub(crate) fn in_our_words(invalid: InvalidInput, body: &Value) -> Problem {
    // That reader knows the fields of all commands, so it is shown this one only.
    let alone = json!({ invalid.field.as_str(): body[&invalid.field] });
    match parse_strictly::<Input>(alone.to_string().as_bytes()) {
        Err(mut problem) if invalid.code == "invalid_type" => {
            let outcome =
                |error: &&mut FieldError| error.field == Field::Outcome.name() && error.code == "unknown_value";
            for error in problem.errors.iter_mut().filter(outcome) {
                let known: Vec<&str> = view::outcomes().map(|outcome| outcome.name()).collect();
                error.message = format!("This value is not known; expected {}.", known.join(", "));
            }
            Problem::of_fields(problem.errors)
        }
        _ => invalid.into(),
    }
}

/// The complaint of an id or reference, whoever may see it: for what only a key given before can open. A number that nobody has gets
/// an id that nobody has, so that the answer on the way does not tell the two apart.
async fn whichever(state: &AppState, id: &str) -> Result<ComplaintId, Problem> {
    if let Ok(id) = id.parse() {
        return Ok(id);
    }
    let reference: Reference = id.parse().map_err(|_| Problem::not_found())?;
    let found = state.desk.store().by_reference(reference).await.map_err(DeskError::from)?;
    Ok(found.map_or_else(|| ComplaintId::from_uuid(state.desk.draw_id()), |complaint| complaint.id))
}

impl From<InvalidInput> for Problem {
    fn from(invalid: InvalidInput) -> Self {
        Self::invalid().detail(invalid.to_string()).field(invalid.field, invalid.code, invalid.message)
    }
}
