//! Mail that comes in: read, judged, and what our own letters do to bring it back.
//!
//! What nobody on our side wrote is read where `COMPLAINT_SHARED_DATA` names the folder of real data.

mod face_to_face;
mod judging;
mod mutants;
mod reading;
mod real_data;

use std::path::{Path, PathBuf};

use complaint_notify::inbound::{Inbound, Limits};

/// The folder of real mail, or one line that says why its tests are skipped.
pub(crate) fn real_mail() -> Option<PathBuf> {
    let folder = std::env::var_os("COMPLAINT_SHARED_DATA").map(|folder| Path::new(&folder).join("mail"));
    if folder.is_none() {
        eprintln!("skipped: COMPLAINT_SHARED_DATA does not name the folder of real data");
    }
    folder
}

/// The messages below a folder, by name.
pub(crate) fn messages(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), std::fs::read(file).unwrap())).collect()
}

/// The messages that are committed beside these tests.
pub(crate) fn samples() -> Vec<(String, Vec<u8>)> {
    messages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inbound/data"))
}

#[track_caller]
pub(crate) fn read(raw: &[u8]) -> Inbound<'_> {
    Inbound::read(raw, &Limits::default()).unwrap()
}
