//! Which files a complaint takes.

use super::{CommandName, FailedGuard, Scene};
use crate::complaint::Complaint;
use crate::id::AttachmentId;
use crate::text;

/// The most files that either side, the customer or staff, may send to a complaint: neither uses up the other's. Also the most
/// that one message shows.
pub const FILES_MAX: usize = 10;
/// The largest file, in bytes.
pub const FILE_SIZE_MAX: u64 = 10 * 1024 * 1024;
/// The media types that are taken in.
pub const MEDIA_TYPES: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heic",
    "application/pdf",
    "text/plain",
    "application/zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.text",
    "audio/mpeg",
    "video/mp4",
];

pub(super) fn file_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let files = &input.attachments;
    let mut failed = known_file_faults(&input.files, complaint);
    if files.is_empty() && scene.command.name() == CommandName::Attach {
        failed.push(FailedGuard::input("missing", "files", "must not be empty", "send at least one file"));
    }
    if files_sent(scene, complaint).saturating_add(files.len()) > FILES_MAX {
        failed.push(FailedGuard::input(
            "too_many",
            "files",
            format!("must be at most {FILES_MAX} for one complaint, counting those that {} sent before", side(scene)),
            "send the most important ones",
        ));
    }
    for (at, file) in files.iter().enumerate() {
        let field = format!("files.{at}");
        if text::line(&file.file_name, text::FIELD_MAX).is_err() {
            failed.push(FailedGuard::input("bad_name", field.clone(), "has no usable name", "rename it"));
        }
        if file.size == 0 {
            failed.push(FailedGuard::input("empty_file", field.clone(), "is empty", "send the file itself"));
        }
        if file.size > FILE_SIZE_MAX {
            let message = format!("is larger than {} MB", FILE_SIZE_MAX / (1024 * 1024));
            failed.push(FailedGuard::input("too_large", field.clone(), message, "send a smaller one"));
        }
        if !MEDIA_TYPES.contains(&file.media_type.as_str()) {
            failed.push(FailedGuard::input(
                "wrong_media_type",
                field,
                format!("is of a kind that is not taken in ({})", file.media_type),
                "send a picture, PDF, text or office document",
            ));
        }
    }
    failed
}

/// How many files of a complaint came from the side that acts.
pub(super) fn files_sent(scene: &Scene<'_>, complaint: &Complaint) -> usize {
    let by_customer = complaint.files_by_customer as usize;
    if scene.actor.customer_id().is_some() {
        by_customer
    } else {
        complaint.attachments.len().saturating_sub(by_customer)
    }
}

/// Who acts, as whoever acts calls it.
pub(super) fn side(scene: &Scene<'_>) -> &'static str {
    if scene.actor.customer_id().is_some() { "you" } else { "staff" }
}

/// The files that a message shows are the complaint's, each named once.
pub(super) fn known_file_faults(files: &[AttachmentId], complaint: &Complaint) -> Vec<FailedGuard> {
    // One message shows no more, so the rest need not be told one by one.
    if files.len() > FILES_MAX {
        return vec![FailedGuard::input(
            "too_many",
            "files",
            format!("must be at most {FILES_MAX} in one message"),
            "name each file once",
        )];
    }
    let mut failed = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let field = format!("files.{at}");
        if !complaint.attachments.iter().any(|known| known.id == *file) {
            failed.push(FailedGuard::input(
                "unknown_file",
                field,
                "is no file of this complaint",
                "send it to the attachments of this complaint first",
            ));
        } else if files[..at].contains(file) {
            failed.push(FailedGuard::input("duplicate", field, "is named twice", "name each file once"));
        }
    }
    failed
}
