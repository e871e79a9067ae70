//! Files that backups are written to, the same on every engine: whole under their name, or not there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use complaint_core::store::StoreError;

/// A file that is being written beside its place. Dropped, it leaves nothing.
pub(crate) struct Aside {
    place: PathBuf,
    path: PathBuf,
}

impl Aside {
    /// Makes it, empty and readable by its owner alone: it will hold what customers wrote.
    pub(crate) fn of(place: &Path) -> Result<Self, StoreError> {
        if place.exists() {
            return Err(StoreError::Unusable(format!("{} is there already", place.display())));
        }
        let mut name = place.as_os_str().to_owned();
        name.push(format!(".{:016x}.part", rand::random::<u64>()));
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|fault| cannot("write", &path, &fault))?;
        Ok(Self { place: place.to_owned(), path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place, on the disk with all it holds.
    pub(crate) async fn keep(self) -> Result<(), StoreError> {
        blocking(move || {
            let kept = || {
                File::open(&self.path)?.sync_all()?;
                fs::rename(&self.path, &self.place)?;
                let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
                // A new name in a folder is on the disk when the folder is; elsewhere folders cannot be opened.
                if cfg!(unix) { File::open(folder.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
            };
            kept().map_err(|fault: io::Error| cannot("write", &self.place, &fault))
        })
        .await
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Gone already if it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

/// What takes a while and is no future.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|gone| Err(StoreError::OutcomeUnknown(Box::new(gone))))
}

pub(crate) fn cannot(what: &str, path: &Path, fault: &io::Error) -> StoreError {
    StoreError::Unusable(format!("cannot {what} {}: {fault}", path.display()))
}

pub(crate) fn damaged(backup: &Path, why: &str) -> StoreError {
    StoreError::Unusable(format!("the backup {} is damaged: {why}", backup.display()))
}

/// A path as a statement or a program can be given it.
pub(crate) fn text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::Unusable(format!("{} is not UTF-8", path.display())))
}
