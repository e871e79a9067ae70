//! Attachments: the bytes, under the hash of their content.
//!
//! A file is written aside, then renamed to its place. What is written aside disappears when whoever writes it goes away; what has its
//! place stays only if a complaint refers to it in the end. Two processes over one folder do not know of each other's uploads: where there
//! may be two, what has its place stays, see [`Attachments::shared`].

mod sniff;

pub use sniff::{Misnamed, accepted, misnamed, taken_in};

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use complaint_core::lifecycle::FILE_SIZE_MAX;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{MultipartUpload, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use uuid::Uuid;

use self::sniff::Sniffer;
use crate::extract::hex;

/// Where files are while they come in.
const ASIDE: &str = "incoming";
/// How old a file that came in half must be to be nobody's any more: left by a process that was killed.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Why bytes could not be kept or read.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The folder cannot be used.
    #[error("the attachments folder cannot be used")]
    Folder(#[source] io::Error),
    /// Reading or writing failed.
    #[error("an attachment could not be read or written")]
    Store(#[from] object_store::Error),
    /// More than [`FILE_SIZE_MAX`] bytes came.
    #[error("the file is larger than allowed")]
    TooLarge,
}

/// The bytes of attachments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Attachments {
    store: Arc<LocalFileSystem>,
    claims: Arc<Mutex<HashMap<String, Claim>>>,
    shared: bool,
}

/// Who holds a content that may have to be removed again.
#[derive(Debug, Default)]
struct Claim {
    holders: usize,
    /// One of its holders made it.
    made: bool,
    /// One of its holders has kept it, whatever the others do and in whatever order they come to it.
    kept: bool,
}

/// A file that is coming in. Dropped, it leaves nothing.
pub struct Incoming {
    files: Attachments,
    upload: Box<dyn MultipartUpload>,
    aside: Aside,
    digest: Sha256,
    sniffer: Sniffer,
    size: u64,
}

/// A file that has its place. Dropped without [`Stored::keep`], its bytes are removed unless something else refers to them.
#[derive(Debug)]
pub struct Stored {
    files: Attachments,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The media type as the bytes say, whatever the sender declared.
    pub media_type: &'static str,
    kept: bool,
}

impl Attachments {
    /// Uses a folder that exists, and clears away what a killed process left half written.
    pub fn open(folder: &Path) -> Result<Self, FilesError> {
        clear_abandoned(&folder.join(ASIDE)).map_err(FilesError::Folder)?;
        // Safe from power loss before anything refers to it: bytes and folders are on the disk when a call returns.
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), claims: Arc::default(), shared: false })
    }

    /// The same over a folder that other processes use too: another one may refer to a content that this one has no use for, so none is
    /// removed. What nobody refers to takes room and does no harm.
    pub fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Begins to take a file in. `name` is any fresh id; the file's own name never touches the disk.
    pub async fn begin(&self, name: Uuid) -> Result<Incoming, FilesError> {
        let files = self.clone();
        // To its end: given up between making the file and knowing of it, nobody would remove it.
        to_its_end(async move {
            let place = Place::from(format!("{ASIDE}/{}", name.simple()));
            let upload = files.store.put_multipart(&place).await?;
            let aside = Aside { store: Arc::clone(&files.store), place: Some(place) };
            Ok(Incoming { files, upload, aside, digest: Sha256::new(), sniffer: Sniffer::default(), size: 0 })
        })
        .await
    }

    /// The bytes of a content, as a stream.
    pub async fn read(
        &self,
        sha256: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, object_store::Error>>, FilesError> {
        Ok(self.store.get(&place_of(sha256)).await?.into_stream().boxed())
    }

    fn claims(&self) -> std::sync::MutexGuard<'_, HashMap<String, Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes hold of a content, before it is there: nobody removes it from now on.
    fn claim(&self, sha256: &str) {
        self.claims().entry(sha256.to_owned()).or_default().holders += 1;
    }

    /// A holder has put a content to its place.
    fn made(&self, sha256: &str) {
        if let Some(claim) = self.claims().get_mut(sha256) {
            claim.made = true;
        }
    }

    /// Lets go of a content. The last holder removes it, if it is new and nobody kept it; no other upload can claim it meanwhile,
    /// because the map stays locked.
    fn release(&self, sha256: &str, kept: bool) {
        let mut claims = self.claims();
        let Some(claim) = claims.get_mut(sha256) else { return };
        claim.holders -= 1;
        claim.kept |= kept;
        if claim.holders > 0 {
            return;
        }
        let remove = claim.made && !claim.kept && !self.shared;
        claims.remove(sha256);
        if remove
            && let Ok(file) = self.store.path_to_filesystem(&place_of(sha256))
            && let Err(error) = std::fs::remove_file(file)
        {
            tracing::warn!(%error, "an attachment that nobody refers to could not be removed");
        }
    }
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FilesError::TooLarge`] as soon as there are more than [`FILE_SIZE_MAX`] bytes.
    pub async fn take(&mut self, chunk: Bytes) -> Result<(), FilesError> {
        self.size += chunk.len() as u64;
        if self.size > FILE_SIZE_MAX {
            return Err(FilesError::TooLarge);
        }
        self.digest.update(&chunk);
        self.sniffer.look(&chunk);
        self.upload.put_part(chunk.into()).await?;
        Ok(())
    }

    /// Gives the file its place.
    pub async fn finish(self) -> Result<Stored, FilesError> {
        // To its end: given up between the move and the claim on it, the bytes would stay with nobody referring to them.
        to_its_end(self.placed()).await
    }

    async fn placed(mut self) -> Result<Stored, FilesError> {
        self.upload.complete().await?;
        let sha256 = hex(&self.digest.finalize());
        let stored = Stored {
            size: self.size,
            media_type: self.sniffer.media_type(),
            files: self.files.clone(),
            sha256: sha256.clone(),
            kept: false,
        };
        self.files.claim(&sha256);
        if let Some(aside) = &self.aside.place {
            match self.files.store.rename_if_not_exists(aside, &place_of(&sha256)).await {
                Ok(()) => {
                    self.aside.place = None;
                    self.files.made(&sha256);
                }
                // Somebody sent the same bytes before; what lies aside goes.
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(stored)
    }
}

impl Stored {
    /// Something refers to it now, or may.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.files.release(&self.sha256, self.kept);
    }
}

/// Does work that must not stop half way, even if whoever waits for it goes away.
pub(crate) async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody aborts it but a runtime that is going down, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

/// A finished file that has no place yet.
struct Aside {
    store: Arc<LocalFileSystem>,
    place: Option<Place>,
}

impl Drop for Aside {
    fn drop(&mut self) {
        let file = self.place.take().and_then(|place| self.store.path_to_filesystem(&place).ok());
        if let Some(file) = file {
            // Not there while the upload is unfinished: then the upload removes its own.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn place_of(sha256: &str) -> Place {
    // Two levels: a folder with a million files is slow to look at.
    Place::from(format!("{}/{sha256}", sha256.get(..2).unwrap_or_default()))
}

fn clear_abandoned(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age > ABANDONED_AFTER {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct House {
        folder: tempfile::TempDir,
        files: Attachments,
    }

    impl House {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let files = Attachments::open(folder.path()).expect("opens");
            Self { folder, files }
        }

        async fn stored(&self, name: u128, bytes: &'static [u8]) -> Stored {
            let mut incoming = self.files.begin(Uuid::from_u128(name)).await.expect("begins");
            incoming.take(Bytes::from_static(bytes)).await.expect("takes");
            incoming.finish().await.expect("finishes")
        }

        fn count(&self) -> usize {
            fn files(folder: &Path) -> usize {
                std::fs::read_dir(folder)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path())
                    .map(|path| if path.is_dir() { files(&path) } else { 1 })
                    .sum()
            }
            files(self.folder.path())
        }

        /// The upload removes its half file in the background, when the machine has time for it.
        async fn comes_to(&self, count: usize) {
            let given_up = std::time::Instant::now() + std::time::Duration::from_mins(1);
            while self.count() != count {
                assert!(std::time::Instant::now() < given_up, "{} files are left, not {count}", self.count());
                tokio::task::yield_now().await;
                std::thread::yield_now();
            }
        }
    }

    #[tokio::test]
    async fn where_others_may_refer_to_it_nothing_is_removed() {
        let mut house = House::new();
        house.files = house.files.shared();
        drop(house.stored(1, b"refused here, kept there").await);
        assert_eq!(house.count(), 1);
        drop(house.files.begin(Uuid::from_u128(2)).await.expect("begins"));
        // What never came to its place is nobody's.
        house.comes_to(1).await;
    }

    #[tokio::test]
    async fn what_is_kept_can_be_read_and_the_rest_leaves_nothing() {
        let house = House::new();
        drop(house.stored(1, b"alone").await);
        assert_eq!(house.count(), 0, "nobody kept it");

        let kept = house.stored(2, b"hello").await;
        let (sha256, size) = (kept.sha256.clone(), kept.size);
        assert_eq!((size, kept.media_type), (5, "text/plain"));
        kept.keep();
        let mut stream = house.files.read(&sha256).await.expect("is there");
        let mut read = Vec::new();
        while let Some(chunk) = stream.next().await {
            read.extend_from_slice(&chunk.expect("bytes"));
        }
        assert_eq!(read, b"hello");

        drop(house.stored(3, b"hello").await);
        assert_eq!(house.count(), 1, "the second upload does not take away what the first keeps");
        assert!(house.files.claims().is_empty());
    }

    #[tokio::test]
    async fn of_two_at_once_the_one_that_is_kept_counts() {
        for first_is_kept in [true, false] {
            let house = House::new();
            let (first, second) = (house.stored(1, b"same").await, house.stored(2, b"same").await);
            let (kept, dropped) = if first_is_kept { (first, second) } else { (second, first) };
            kept.keep();
            drop(dropped);
            assert_eq!(house.count(), 1, "first kept: {first_is_kept}");
        }
        let house = House::new();
        let (first, second) = (house.stored(1, b"same").await, house.stored(2, b"same").await);
        drop(first);
        assert_eq!(house.count(), 1, "the second still holds it");
        drop(second);
        assert_eq!(house.count(), 0);
    }

    #[tokio::test]
    async fn what_one_keeps_another_does_not_remove_whoever_made_it() {
        let house = House::new();
        let sha256 = hex(&Sha256::digest(b"same"));
        // An upload has put its bytes to their place, and before it says so …
        house.files.claim(&sha256);
        house.files.store.put(&place_of(&sha256), Bytes::from_static(b"same").into()).await.expect("writes");
        // … another finds them there and keeps them.
        house.stored(1, b"same").await.keep();
        house.files.made(&sha256);
        house.files.release(&sha256, false);
        assert_eq!(house.count(), 1);
        assert!(house.files.claims().is_empty());
    }

    #[test]
    fn whoever_goes_away_at_any_moment_leaves_nothing() {
        // One thread for what blocks: what was begun there is done when what was asked of it later is.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            let settled = async || {
                for _ in 0..20 {
                    tokio::task::spawn_blocking(|| ()).await.expect("done");
                    tokio::task::yield_now().await;
                }
            };
            for moments in 0.. {
                let house = House::new();
                let mut coming = Box::pin(house.stored(1, b"hello"));
                let mut came = false;
                for _ in 0..moments {
                    came = came || futures_util::poll!(coming.as_mut()).is_ready();
                    tokio::task::yield_now().await;
                }
                drop(coming);
                settled().await;
                assert_eq!(house.count(), 0, "after {moments} moments");
                if came {
                    return;
                }
            }
        });
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_leaves_nothing() {
        let house = House::new();
        let mut incoming = house.files.begin(Uuid::from_u128(1)).await.expect("begins");
        incoming.take(Bytes::from_static(b"half")).await.expect("takes");
        assert_eq!(house.count(), 1);
        drop(incoming);
        house.comes_to(0).await;
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        let house = House::new();
        let limit = usize::try_from(FILE_SIZE_MAX).expect("fits");
        let mut incoming = house.files.begin(Uuid::from_u128(1)).await.expect("begins");
        incoming.take(Bytes::from(vec![b'x'; limit])).await.expect("exactly the limit");
        assert!(matches!(incoming.take(Bytes::from_static(b"x")).await, Err(FilesError::TooLarge)));
        drop(incoming);
        house.comes_to(0).await;
    }
}
