//! `/api/v1/complaints/{id}/attachments`: files, streamed both ways.

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use complaint_core::DeskError;
use complaint_core::complaint::{Attachment, Complaint};
use complaint_core::desk::Acting;
use complaint_core::id::{AttachmentId, ComplaintId, Version};
use complaint_core::lifecycle::{Command, CommandName, FILES_MAX, Input, MEDIA_TYPES, RefusalCategory};
use complaint_core::store::StoreError;
use complaint_core::text::{FIELD_MAX, TEXT_MAX};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::complaints::present;
use super::view::{Audience, ComplaintView};
use crate::auth::Viewer;
use crate::error::Problem;
use crate::extract::{ApiPath, hex, idempotency_key, seen_version};
use crate::files::{FilesError, Incoming, Misnamed, Stored, misnamed, taken_in, to_its_end};
use crate::state::AppState;

/// The most bytes of files in one request.
pub(crate) const REQUEST_MAX: usize = 25 * 1024 * 1024;
/// What the frame around the files may take beside them.
const FRAME_MAX: usize = 64 * 1024;
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Add files to a complaint: multipart/form-data, at most 10 files of 10 MB, 25 MB in all (1 MB: 1024 × 1024 bytes).
///
/// A complaint takes 10 files from its customer and 10 from staff; neither side uses up the other's (`too_many`).
/// What a file is, its bytes say; the declared type does not count, and the ending of its name must fit (`wrong_name`).
/// All files are taken or none.
#[utoipa::path(post, path = "/api/v1/complaints/{id}/attachments", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(
        ("id" = String, Path, description = "Id or reference"),
        ("If-Match" = Option<String>, Header, description = "The version the caller saw, quoted"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same files gives the first answer again"),
    ),
    request_body(content = Object, content_type = "multipart/form-data", description = "Every part with a file name is a file"),
    responses(
        (status = 201, body = ComplaintView, headers(("ETag" = String, description = "The version, quoted"))),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "`file_too_large`, `too_large`"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
    request: Request,
) -> Result<Response, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?.id;
    let seen = seen_version(request.headers())?.map(Version::new);
    let after = receive(&state, &acting, complaint, CommandName::Attach, seen, request).await?;
    present(&state, &acting, StatusCode::CREATED, &after).await
}

/// Gives a command that comes as a form with files: `attach`, `answer` or `post`.
pub(super) async fn receive(
    state: &AppState,
    acting: &Acting,
    complaint: ComplaintId,
    name: CommandName,
    seen: Option<Version>,
    mut request: Request,
) -> Result<Complaint, Problem> {
    let key = idempotency_key(request.headers())?;
    // Who may not do this at all is told so before megabytes are taken in.
    if let Some(refusal) = acting.would_refuse(complaint, &Command::plain(name), seen).await?
        && refusal.category() == RefusalCategory::Forbidden
    {
        return Err(refusal.into());
    }
    // Set here and not by the route, so that bodies of JSON keep their own, lower limit.
    DefaultBodyLimit::max(REQUEST_MAX + FRAME_MAX + 4 * TEXT_MAX).apply(&mut request);
    let form = Multipart::from_request(request, state).await.map_err(|_| unsupported("Send multipart/form-data."))?;
    let Came { text, files, facts, wrong } = take_in(state, form, name).await?;
    let acting = acting.clone();
    let acting = match key {
        Some(key) => acting
            .under_key(&key, fingerprint(complaint, name, text.as_deref(), &files))
            .map_err(|invalid| Problem::malformed("invalid_idempotency_key", invalid.to_string()))?,
        None => acting,
    };
    let command = Command::new(name, Input { text, ..Input::default() })?.carrying(facts)?;
    if let Some(wrong) = wrong {
        return Err(wrong.and_refused(acting.would_refuse(complaint, &command, seen).await?));
    }
    Ok(send(acting, complaint, command, files, seen).await?)
}

/// Download a file. Always as a download, never shown in place.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/attachments/{aid}", tag = "complaints", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference"), ("aid" = String, Path, description = "Id of the attachment")),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The bytes, with the media type they were found to be"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn download(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath((id, aid)): ApiPath<(String, String)>,
) -> Result<Response, Problem> {
    let acting = state.acting(&viewer).await?;
    let complaint = acting.find(&id).await?;
    if !Audience::of(acting.actor()).reads_content() {
        return Err(Problem::forbidden().detail("What people wrote and sent is not for administrators."));
    }
    let aid: AttachmentId = aid.parse().map_err(|_| Problem::not_found())?;
    let file = complaint.attachments.iter().find(|file| file.id == aid).ok_or_else(Problem::not_found)?;
    let bytes = state.attachments.read(&file.sha256).await?;
    let headers = [
        (CONTENT_TYPE, header(&file.media_type)),
        (CONTENT_LENGTH, header(&file.size.to_string())),
        (CONTENT_DISPOSITION, header(&disposition(&file.file_name))),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (CORP, HeaderValue::from_static("same-origin")),
    ];
    Ok((headers, Body::from_stream(bytes.map_err(std::io::Error::other))).into_response())
}

/// A file that has come in, with the name it had.
pub(crate) struct Taken {
    id: AttachmentId,
    file_name: String,
    stored: Stored,
}

/// What came in with a form.
#[derive(Default)]
struct Came {
    text: Option<String>,
    files: Vec<Taken>,
    /// What the log would say of each file that was sent; of one that cannot be taken, something that the rules do not mind.
    facts: Vec<Attachment>,
    wrong: Option<Problem>,
}

/// Takes in every file of a form, and the text of a message, to its end: all that is wrong is told at once, and then no file is left.
async fn take_in(state: &AppState, mut form: Multipart, command: CommandName) -> Result<Came, Problem> {
    let mut form_files = FormFiles::default();
    let mut came = Came::default();
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => return Ok(came),
            Err(error) => return Err(broken(&error).and_more(came.wrong)),
        };
        let Some(file_name) = file_name_of(&field) else {
            let name = field.name().unwrap_or_default().to_owned();
            let fault = if name != "text" || command == CommandName::Attach {
                ("unknown_field", "There is no such field; every other part must be a file.")
            } else if came.text.replace(words(field).await?).is_some() {
                ("duplicate", "This field is given twice.")
            } else {
                continue;
            };
            Problem::add(&mut came.wrong, Problem::invalid().field(name, fault.0, fault.1));
            continue;
        };
        match form_files.take(state, field, &file_name).await {
            Ok(file) => {
                came.facts.push(file.facts());
                came.files.push(file);
            }
            Err(problem) if problem.errors.is_empty() => return Err(problem.and_more(came.wrong)),
            Err(problem) => {
                Problem::add(&mut came.wrong, problem);
                came.facts.push(stand_in(state));
            }
        }
    }
}

/// For the rules to count: what is wrong with the file itself is told already.
fn stand_in(state: &AppState) -> Attachment {
    Attachment {
        id: AttachmentId::from_uuid(state.desk.draw_id()),
        file_name: "file".to_owned(),
        media_type: MEDIA_TYPES[0].to_owned(),
        size: 1,
        sha256: String::new(),
    }
}

/// A text of a form, cut where it is longer than any may be: one byte more is enough for the rules to say so.
async fn words(mut field: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() <= 4 * TEXT_MAX {
            bytes.extend_from_slice(&chunk);
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::malformed("malformed_multipart", "The text is not UTF-8."))
}

/// The files that have come in with one form, or one message, so far, against the limits of one.
#[derive(Default)]
pub(crate) struct FormFiles {
    files: usize,
    bytes: usize,
}

impl FormFiles {
    /// Takes one file in. Refused, it leaves nothing; what is left of it in the form is passed over by whoever reads on.
    pub(crate) async fn take(
        &mut self,
        state: &AppState,
        mut field: Field<'_>,
        file_name: &str,
    ) -> Result<Taken, Problem> {
        let (number, file_name) = self.next(file_name)?;
        let mut incoming = state.attachments.begin(state.desk.draw_id()).await?;
        while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
            self.add(&mut incoming, chunk, number, &file_name).await?;
        }
        taken(state, incoming, file_name, number).await
    }

    /// Takes one file in that is there as a whole, by the same rules.
    pub(crate) async fn take_whole(
        &mut self,
        state: &AppState,
        file_name: &str,
        bytes: Bytes,
    ) -> Result<Taken, Problem> {
        let (number, file_name) = self.next(file_name)?;
        let mut incoming = state.attachments.begin(state.desk.draw_id()).await?;
        self.add(&mut incoming, bytes, number, &file_name).await?;
        taken(state, incoming, file_name, number).await
    }

    /// The number of the next file, and its name.
    fn next(&mut self, file_name: &str) -> Result<(usize, String), Problem> {
        let number = self.files;
        if number == FILES_MAX {
            return Err(Problem::invalid().detail(format!("At most {FILES_MAX} files.")).field(
                "files",
                "too_many",
                format!("At most {FILES_MAX} files."),
            ));
        }
        self.files += 1;
        Ok((number, checked_name(file_name, number)?))
    }

    async fn add(
        &mut self,
        incoming: &mut Incoming,
        chunk: Bytes,
        number: usize,
        file_name: &str,
    ) -> Result<(), Problem> {
        self.bytes += chunk.len();
        if self.bytes > REQUEST_MAX {
            return Err(too_large());
        }
        let too_large = |error| match error {
            FilesError::TooLarge => {
                let said = format!("{file_name} is too large.");
                Problem::from(error).detail(said.clone()).field(format!("files.{number}"), "file_too_large", said)
            }
            error => error.into(),
        };
        incoming.take(chunk).await.map_err(too_large)
    }
}

/// A file that has come in as a whole, if it may stay.
async fn taken(state: &AppState, incoming: Incoming, file_name: String, number: usize) -> Result<Taken, Problem> {
    let stored = incoming.finish().await?;
    if stored.size == 0 {
        return Err(about(number, "empty_file", format!("{file_name} is empty.")));
    }
    if let Some(why) = misnamed(&file_name, stored.media_type) {
        let code = if why == Misnamed::Encoding { "wrong_media_type" } else { "wrong_name" };
        return Err(about(number, code, wrong_name(&file_name, why)));
    }
    Ok(Taken { id: AttachmentId::from_uuid(state.desk.draw_id()), file_name, stored })
}

/// Adds files to a complaint.
pub(crate) async fn attach(
    acting: Acting,
    complaint: ComplaintId,
    files: Vec<Taken>,
    seen: Option<Version>,
) -> Result<Complaint, DeskError> {
    let command = Command::attach(files.iter().map(Taken::facts).collect());
    send(acting, complaint, command, files, seen).await
}

/// Gives a command with its files. Goes on to its end even if whoever asked goes away: between the log and the disk nothing is left half
/// done.
pub(crate) async fn send(
    acting: Acting,
    complaint: ComplaintId,
    command: Command,
    files: Vec<Taken>,
    seen: Option<Version>,
) -> Result<Complaint, DeskError> {
    to_its_end(async move {
        let after = acting.perform_seeing(complaint, command, seen).await;
        // When nobody knows whether it was committed, bytes too many are better than bytes too few.
        if matches!(after, Ok(_) | Err(DeskError::Store(StoreError::OutcomeUnknown(_)))) {
            for file in files {
                file.stored.keep();
            }
        }
        after
    })
    .await
}

pub(crate) fn unsupported(detail: &str) -> Problem {
    let title = "This kind of content is not accepted here.";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", title).detail(detail)
}

impl Taken {
    /// What the log says of it.
    pub(crate) fn facts(&self) -> Attachment {
        Attachment {
            id: self.id,
            file_name: self.file_name.clone(),
            media_type: self.stored.media_type.to_owned(),
            size: self.stored.size,
            sha256: self.stored.sha256.clone(),
        }
    }
}

/// The name of a file in a form. Browsers write quotes and ends of lines in it as `%22`, `%0D` and `%0A` (HTML, section 4.10.21.8), and
/// no `%` of the name itself as anything else: nothing more can be undone.
pub(crate) fn file_name_of(part: &Field<'_>) -> Option<String> {
    part.file_name().map(|name| name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
}

/// The name as metadata: kept as it is, refused where it could pass for another one.
fn checked_name(name: &str, number: usize) -> Result<String, Problem> {
    // Some browsers send the whole path.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    if name.is_empty() || name.chars().count() > FIELD_MAX || name.chars().any(hidden) {
        return Err(about(number, "bad_name", "The file has no usable name: 1 to 200 visible characters.".to_owned()));
    }
    Ok(name.to_owned())
}

fn wrong_name(name: &str, why: Misnamed) -> String {
    let because = match why {
        Misnamed::Ending(endings) => {
            let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
            format!("by its content its name must end in {}", endings.join(" or "))
        }
        Misnamed::Runs => "by its name it is something that a computer or a browser runs".to_owned(),
        Misnamed::Encoding => {
            return format!(
                "“{name}” cannot be read as text. Save it as UTF-8 (in a spreadsheet: “CSV UTF-8”) and send it again, or send it as PDF."
            );
        }
    };
    format!("“{name}” is not taken in: {because}. Taken in are {}.", taken_in())
}

fn about(number: usize, code: &str, message: String) -> Problem {
    Problem::invalid().detail(message.clone()).field(format!("files.{number}"), code, message)
}

pub(crate) fn broken(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        too_large()
    } else {
        Problem::malformed("malformed_multipart", "The form cannot be read, or ended early.")
    }
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
        .detail("At most 25 MB of files in one request.")
}

/// Which request it was, by the complaint, the command, the text and the files; the frame around them differs from try to try.
fn fingerprint(complaint: ComplaintId, command: CommandName, text: Option<&str>, files: &[Taken]) -> String {
    let mut digest = Sha256::new();
    let text = text.unwrap_or_default();
    digest.update(format!("POST\n{complaint}/{command}\n{}\n{text}\n", text.len()));
    for file in files {
        digest.update(format!("{}\n{}\n", file.stored.sha256, file.file_name));
    }
    hex(&digest.finalize())
}

/// `attachment` with the name for old programs in ASCII and for all others as RFC 8187 writes it (RFC 6266).
fn disposition(name: &str) -> String {
    use std::fmt::Write as _;
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || " ._-()".contains(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_metadata() {
        assert_eq!(checked_name("../../etc/passwd", 0).expect("a name"), "passwd");
        assert_eq!(checked_name("C:\\photos\\lid.png", 0).expect("a name"), "lid.png");
        assert_eq!(checked_name("Gerät 1.png", 0).expect("a name"), "Gerät 1.png");
        for bad in ["", "a/", "photo\u{202E}gpj.exe", "a\0b", "a\nb", &"x".repeat(201)] {
            assert!(checked_name(bad, 0).is_err(), "{bad:?}");
        }
        assert_eq!(
            disposition("Gerät \"1\".png"),
            "attachment; filename=\"Ger_t _1_.png\"; filename*=UTF-8''Ger%C3%A4t%20%221%22.png"
        );
    }
}
