//! Files that backups are written to, the same on every engine: whole under their name, or not there. And folders to try them in.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use complaint_core::store::StoreError;

/// A file that is being written in a [folder of its own](Scratch) beside its place. Dropped, it leaves nothing; what is left of one that
/// was killed goes with the next beside it.
pub(crate) struct Aside {
    place: PathBuf,
    path: PathBuf,
    _scratch: Scratch,
}

impl Aside {
    /// Makes it, empty and readable by its owner alone: it will hold what customers wrote.
    pub(crate) fn of(place: &Path) -> Result<Self, StoreError> {
        if place.exists() {
            return Err(there_already(place));
        }
        let scratch = Scratch::within(folder_of(place))?;
        let path = scratch.path().join(place.file_name().unwrap_or(place.as_os_str()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|fault| cannot("write", &path, &fault))?;
        Ok(Self { place: place.to_owned(), path, _scratch: scratch })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place, on the disk with all it holds. Of two that are written for one place, the second is refused.
    pub(crate) async fn keep(self) -> Result<(), StoreError> {
        blocking(move || {
            let kept = || {
                File::open(&self.path)?.sync_all()?;
                named(&self.path, &self.place)?;
                // A new name in a folder is on the disk when the folder is; elsewhere folders cannot be opened.
                if cfg!(unix) { File::open(folder_of(&self.place))?.sync_all() } else { Ok(()) }
            };
            kept().map_err(|fault: io::Error| match fault.kind() {
                io::ErrorKind::AlreadyExists => there_already(&self.place),
                _ => cannot("write", &self.place, &fault),
            })
        })
        .await
    }
}

/// Gives a file its name, and never takes that from another: renaming would.
fn named(path: &Path, place: &Path) -> io::Result<()> {
    match fs::hard_link(path, place) {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => {}
        linked => return linked,
    }
    // Not every file system lets a file have two names.
    if place.exists() { Err(io::ErrorKind::AlreadyExists.into()) } else { fs::rename(path, place) }
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn there_already(place: &Path) -> StoreError {
    StoreError::Unusable(format!("{} is there already", place.display()))
}

/// A folder for what is tried or not whole yet, which nobody else may look into. Dropped, it is gone with all that is in it.
///
/// What a program leaves because it was killed, the next one beside it removes: whoever is alive holds a lock in their folder, and
/// the operating system lets go of it however they end.
///
/// ```
/// use complaint_store_sqlx::Scratch;
///
/// # let folder = tempfile::tempdir()?;
/// let scratch = Scratch::within(folder.path())?;
/// std::fs::write(scratch.path().join("trial"), "and error")?;
/// drop(scratch);
/// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _alive: File,
}

impl Scratch {
    /// What they are called; behind it stand sixteen digits drawn at random.
    const NAMED: &str = "complaint-scratch-";
    const LOCK: &str = "alive";

    /// Makes one in a folder that is there, and removes there what others of its kind left.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if it cannot be made.
    pub fn within(folder: &Path) -> Result<Self, StoreError> {
        let name = format!("{}{:016x}", Self::NAMED, rand::random::<u64>());
        let path = folder.join(&name);
        // It gets its name when the lock is held: under that name nobody ever finds it without.
        let unnamed = folder.join(format!("{name}.new"));
        let make = || {
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&unnamed)?;
            let alive = File::create_new(unnamed.join(Self::LOCK))?;
            alive.lock()?;
            fs::rename(&unnamed, &path)?;
            Ok(alive)
        };
        let alive = make().map_err(|fault: io::Error| cannot("write", &path, &fault))?;
        let scratch = Self { path, _alive: alive };
        scratch.remove_what_others_left(folder);
        Ok(scratch)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As far as it can be: it is in nobody's way.
    fn remove_what_others_left(&self, folder: &Path) {
        let Ok(own) = fs::symlink_metadata(&self.path) else { return };
        for beside in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = beside.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix(Self::NAMED));
            let is_named =
                digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit()));
            // A link is none of ours, and a folder of another user is theirs.
            let is_ours = beside.metadata().is_ok_and(|its| its.is_dir() && same_owner(&its, &own));
            if !is_named || !is_ours || beside.path() == self.path {
                continue;
            }
            let Ok(alive) = File::open(beside.path().join(Self::LOCK)) else { continue };
            if alive.try_lock().is_ok() {
                let _ = fs::remove_dir_all(beside.path());
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn same_owner(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.uid() == other.uid()
}

#[cfg(not(unix))]
fn same_owner(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_of_its_kind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let alive = Scratch::within(folder.path()).unwrap();
        let held = [
            "complaint-scratch-0123456789abcdef",
            "complaint-scratch-0123456789abcde",
            "complaint-trial-0123456789abcdef",
        ];
        for name in held {
            fs::create_dir(place(name)).unwrap();
            fs::write(place(name).join(Scratch::LOCK), "").unwrap();
        }
        // Not made by one of these: it has no lock.
        fs::create_dir(place("complaint-scratch-fedcba9876543210")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(place(held[2]), place("complaint-scratch-aaaaaaaaaaaaaaaa")).unwrap();
        let other = Scratch::within(folder.path()).unwrap();
        assert!(!place(held[0]).exists(), "it was left");
        for name in [held[1], held[2], "complaint-scratch-fedcba9876543210"] {
            assert!(place(name).exists(), "{name} is somebody else's");
        }
        assert!(cfg!(not(unix)) || place("complaint-scratch-aaaaaaaaaaaaaaaa").is_symlink());
        assert!(alive.path().exists() && other.path().exists());
    }
}
