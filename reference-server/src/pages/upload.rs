//! Forms with files: the fields for the page, the files through the same door as those of the API.

use axum::extract::multipart::Field as Part;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use complaint_core::lifecycle::{FILE_SIZE_MAX, FILES_MAX, MEDIA_TYPES};
use complaint_core::text::TEXT_MAX;

use super::form::{Control, Fault, Field, Typed, not_ours};
use crate::api::attachments::{FormFiles, REQUEST_MAX, Taken, broken, file_name_of};
use crate::error::Problem;
use crate::extract::JSON_MAX;
use crate::files::{accepted, taken_in};
use crate::state::AppState;

/// Largest form with files that is read to its end, in bytes. More than the files may have: whoever chose too many learns it from the
/// form, with all that they typed, and not from a page without it.
pub const UPLOAD_MAX: usize = 4 * REQUEST_MAX + JSON_MAX;
/// The most parts of a form with files.
const PARTS_MAX: usize = 200;
const MIB: u64 = 1024 * 1024;

/// The field for files, with all that is allowed said beside it.
pub(super) fn field(name: &str, label: impl Into<String>) -> Field {
    Field::new(name, label, Control::Files(accepted())).hint(format!(
        "At most {FILES_MAX} files from your side for a complaint, {} MB each and {} MB at once: {}.",
        FILE_SIZE_MAX / MIB,
        REQUEST_MAX as u64 / MIB,
        taken_in()
    ))
}

/// A form with files, read.
#[derive(Default)]
pub(crate) struct Sent {
    /// The fields.
    pub(crate) typed: Typed,
    /// The files. Those no complaint takes disappear.
    pub(crate) files: Vec<Taken>,
    /// What is wrong with files.
    pub(crate) faults: Vec<Fault>,
}

impl Sent {
    /// What is so of several files is said once.
    fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// Reads a form that may bring files.
pub(crate) async fn read(state: &AppState, mut request: Request) -> Result<Sent, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        let typed = Typed::from_request(request, state).await?;
        return Ok(Sent { typed, ..Sent::default() });
    }
    DefaultBodyLimit::max(UPLOAD_MAX).apply(&mut request);
    let form = Multipart::from_request(request, state)
        .await
        .map_err(|_| Problem::malformed("malformed_multipart", "The form cannot be read."))?;
    to_its_end(state, form).await
}

/// Reads a form to its end, whatever is wrong with its files: people learn of everything at once, and keep what they typed.
async fn to_its_end(state: &AppState, mut form: Multipart) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let mut form_files = FormFiles::default();
    let mut parts = 0;
    loop {
        let mut part = match form.next_field().await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            Err(error) => {
                // Longer than anything is read. What stood before the files is known.
                sent.fault(refused("", broken(&error))?);
                break;
            }
        };
        parts += 1;
        if parts > PARTS_MAX {
            return Err(Problem::malformed("malformed_form", "The form has too many fields."));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let Some(file_name) = file_name_of(&part) else {
            sent.typed.add(name, text_of(&mut part).await?)?;
            continue;
        };
        if name != "files" {
            return Err(not_ours(&name, "unknown_field", "is not a field of this form"));
        }
        if file_name.is_empty() {
            // A file field in which nothing was chosen.
            continue;
        }
        match form_files.take(state, part, &file_name).await {
            Ok(file) => match fault_of(&file) {
                Some(fault) => sent.fault(fault),
                None => sent.files.push(file),
            },
            Err(problem) => sent.fault(refused(&file_name, problem)?),
        }
    }
    Ok(sent)
}

/// What was typed into a form that is not taken, as far as it can be read, and whether files came along; they are passed over.
pub(super) async fn words(state: &AppState, mut request: Request) -> (Typed, bool) {
    let (mut typed, mut files) = (Typed::default(), false);
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        return (Typed::from_request(request, state).await.unwrap_or_default(), files);
    }
    DefaultBodyLimit::max(UPLOAD_MAX).apply(&mut request);
    let Ok(mut form) = Multipart::from_request(request, state).await else { return (typed, files) };
    for _ in 0..PARTS_MAX {
        let Ok(Some(mut part)) = form.next_field().await else { break };
        if let Some(file_name) = part.file_name() {
            files |= !file_name.is_empty();
            continue;
        }
        let name = part.name().unwrap_or_default().to_owned();
        let Ok(text) = text_of(&mut part).await else { break };
        // Of two values the first is as good as the other here, where nothing is done with them.
        let _ = typed.add(name, text);
    }
    (typed, files)
}

async fn text_of(part: &mut Part<'_>) -> Result<String, Problem> {
    let mut value = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
        // One character more than allowed is enough to say so.
        if value.len() <= TEXT_MAX {
            value.extend_from_slice(&chunk);
        }
    }
    String::from_utf8(value).map_err(|_| Problem::malformed("malformed_form", "The form is not UTF-8."))
}

/// The rules refuse these too; here a person learns it before the complaint is handed in without them.
fn fault_of(file: &Taken) -> Option<Fault> {
    let facts = file.facts();
    (!MEDIA_TYPES.contains(&facts.media_type.as_str())).then(|| {
        let name = facts.file_name;
        let message = format!("“{name}” is of a kind we cannot take in. Send {}.", taken_in());
        Fault::of("files", message)
    })
}

/// Why a file was not taken, for its field; what is no fault of the file goes on as it is.
fn refused(file_name: &str, problem: Problem) -> Result<Fault, Problem> {
    let code = problem.errors.first().map_or(&*problem.code, |error| error.code.as_str());
    let message = match code {
        "file_too_large" => format!("“{file_name}” is larger than {} MB.", FILE_SIZE_MAX / MIB),
        "too_large" => {
            format!("The files are larger than {} MB together; send some of them later.", REQUEST_MAX as u64 / MIB)
        }
        "empty_file" => format!("“{file_name}” is empty."),
        "bad_name" => "A file has a name that cannot be kept: rename it.".to_owned(),
        "wrong_name" | "wrong_media_type" => problem.detail.map(String::from).unwrap_or_default(),
        "too_many" => format!("At most {FILES_MAX} files can be sent; “{file_name}” is too much."),
        _ => return Err(problem),
    };
    Ok(Fault::of("files", message))
}
