//! Files that come with a form.

use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use complaint_core::complaint::Attachment;
use complaint_core::id::AttachmentId;
use complaint_core::lifecycle::{FILE_SIZE_MAX, FILES_MAX, MEDIA_TYPES};
use complaint_core::text::{FIELD_MAX, TEXT_MAX, line};

use super::form::{Fault, Typed};
use crate::error::Problem;
use crate::files::{FilesError, Stored};
use crate::state::AppState;

/// Largest form with files, in bytes: ten files of 10 MiB and every text a complaint can hold.
pub const UPLOAD_MAX: usize = 101 * 1024 * 1024;
/// The most parts of a form with files.
const PARTS_MAX: usize = 200;

/// A form with files, taken in.
#[derive(Debug, Default)]
pub struct Sent {
    /// The fields.
    pub typed: Typed,
    /// The files. Those not kept disappear.
    pub files: Vec<Taken>,
    /// What is wrong with files.
    pub faults: Vec<Fault>,
}

/// A file, taken in.
#[derive(Debug)]
pub struct Taken {
    /// Its facts.
    pub attachment: Attachment,
    stored: Stored,
}

impl Taken {
    /// A complaint refers to it now, or may.
    pub fn keep(self) {
        self.stored.keep();
    }
}

/// Takes a form in, its files straight to their place; at most `room` of them.
pub async fn take_in(state: &AppState, mut form: Multipart, room: usize) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let mut parts = 0;
    while let Some(mut part) = form.next_field().await.map_err(|error| broken(&error))? {
        parts += 1;
        if parts > PARTS_MAX {
            return Err(Problem::malformed("malformed_form", "The form has too many fields."));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let Some(file_name) = part.file_name().map(bare_name) else {
            let mut value = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
                // One character more than allowed is enough to say so.
                if value.len() <= TEXT_MAX {
                    value.extend_from_slice(&chunk);
                }
            }
            let value =
                String::from_utf8(value).map_err(|_| Problem::malformed("malformed_form", "The form is not UTF-8."))?;
            sent.typed.add(name, value);
            continue;
        };
        if file_name.is_empty() {
            // A file field in which nothing was chosen.
            while part.chunk().await.map_err(|error| broken(&error))?.is_some() {}
            continue;
        }
        let id = state.desk.draw_id();
        let mut incoming = state.attachments.begin(id).await?;
        let mut too_large = sent.files.len() >= room;
        while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
            if too_large {
                continue;
            }
            match incoming.take(chunk).await {
                Ok(()) => {}
                Err(FilesError::TooLarge) => too_large = true,
                Err(error) => return Err(error.into()),
            }
        }
        if sent.files.len() >= room {
            let fault =
                Fault::of("files", format!("A complaint has at most {FILES_MAX} files; “{file_name}” is too much."));
            sent.faults.push(fault);
            continue;
        }
        if too_large {
            let most = FILE_SIZE_MAX / (1024 * 1024);
            sent.faults.push(Fault::of("files", format!("“{file_name}” is larger than {most} MB.")));
            continue;
        }
        let stored = incoming.finish().await?;
        if let Some(fault) = fault_of(&file_name, &stored) {
            sent.faults.push(fault);
            continue;
        }
        let attachment = Attachment {
            id: AttachmentId::from_uuid(id),
            file_name,
            media_type: stored.media_type.to_owned(),
            size: stored.size,
            sha256: stored.sha256.clone(),
        };
        sent.files.push(Taken { attachment, stored });
    }
    Ok(sent)
}

/// The rules refuse these too; here a person learns it before the complaint is handed in without them.
fn fault_of(name: &str, stored: &Stored) -> Option<Fault> {
    let message = if line(name, FIELD_MAX).is_err() {
        "A file has a name that cannot be kept: rename it.".to_owned()
    } else if stored.size == 0 {
        format!("“{name}” is empty.")
    } else if !MEDIA_TYPES.contains(&stored.media_type) {
        format!("“{name}” is of a kind we cannot take in. Send pictures, PDF, text, office documents, MP3 or MP4.")
    } else {
        return None;
    };
    Some(Fault::of("files", message))
}

/// The name without folders, as some browsers send them.
fn bare_name(name: &str) -> String {
    name.rsplit(['/', '\\']).next().unwrap_or_default().trim().to_owned()
}

fn broken(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
            .detail("A file may have 10 MB, and a complaint ten of them.")
    } else {
        Problem::malformed("malformed_form", "The form is not complete.")
    }
}
