//! Attachments: the bytes, under the hash of their content.

use std::io;
use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use thiserror::Error;

/// Why bytes could not be kept or read.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The folder cannot be used.
    #[error("the attachments folder cannot be used")]
    Folder(#[source] io::Error),
    /// Reading or writing failed.
    #[error("an attachment could not be read or written")]
    Store(#[from] object_store::Error),
}

/// The bytes of attachments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Attachments {
    store: Arc<LocalFileSystem>,
}

impl Attachments {
    /// Uses a folder that exists.
    pub fn open(folder: &Path) -> Result<Self, FilesError> {
        let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store) })
    }
}
