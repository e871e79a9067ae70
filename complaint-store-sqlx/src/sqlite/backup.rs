//! Copies of the file, made while others write.

use std::path::{Path, PathBuf};

use complaint_core::store::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{SqliteStore, fault, settings};
use crate::backup::{Aside, Scratch, blocking, cannot, damaged, text};
use crate::verify::{Heads, Verified};

/// What the engine keeps beside a file. Left there by another database, it would be taken for this one's.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

impl SqliteStore {
    /// Copies the file, with the host's own tables in it, to a place where nothing is. The copy is of one moment; writers
    /// go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if something is there, also if it came there meanwhile, or it cannot be written; [`StoreError::Unavailable`] where trying
    /// again can help, as with a full disk. Nothing is left then.
    ///
    /// ```
    /// # use complaint_store_sqlx::SqliteStore;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await?;
    /// # store.migrate().await?;
    /// let backup = folder.path().join("backup.db");
    /// store.back_up(&backup).await?;
    /// assert!(SqliteStore::drill(&backup, folder.path()).await?.is_intact());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let aside = Aside::of(to)?;
        // A connection of its own: writers must not wait for the one that writes, and readers may not name a file to write.
        let mut connection = self.writer.connect_options().connect().await.map_err(fault::meaning)?;
        let copied = sqlx::query("VACUUM INTO $1").bind(text(aside.path())?).execute(&mut connection).await;
        copied.map_err(fault::meaning)?;
        connection.close().await.map_err(fault::meaning)?;
        aside.keep().await
    }

    /// Puts a backup in a place where nothing is, for [`open`](Self::open).
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if something is there, or the backup is missing, damaged or of something else. Nothing is
    /// left then.
    pub async fn restore(backup: &Path, to: &Path) -> Result<(), StoreError> {
        if let Some(left) = beside(to).find(|path| path.exists()) {
            return Err(StoreError::Unusable(format!("{} is there already", left.display())));
        }
        let aside = Aside::of(to)?;
        let (from, into) = (backup.to_owned(), aside.path().to_owned());
        blocking(move || std::fs::copy(&from, into).map_err(|fault| cannot("read", &from, &fault))).await?;
        look_at(backup, aside.path()).await?;
        aside.keep().await
    }

    /// Restores a backup into a [folder of its own](Scratch) in this one, walks along all logs there and removes it again.
    ///
    /// # Errors
    /// As [`restore`](Self::restore), and as [`open`](Self::open).
    pub async fn drill(backup: &Path, scratch: &Path) -> Result<Verified, StoreError> {
        Self::drill_with(backup, scratch, Heads::default()).await
    }

    /// As [`drill`](Self::drill), with [heads](Heads) to look for in the backup and to keep of it.
    ///
    /// # Errors
    /// As [`drill`](Self::drill) and [`verify_with`](Self::verify_with).
    pub async fn drill_with(backup: &Path, scratch: &Path, heads: Heads<'_>) -> Result<Verified, StoreError> {
        let scratch = Scratch::within(scratch)?;
        let restored = scratch.path().join("restored.db");
        Self::restore(backup, &restored).await?;
        // By its path: in a URL some of what a folder may be called means something else.
        let store = Self::open_as(settings::kept(SqliteConnectOptions::new().filename(&restored))).await?;
        // It may be of an earlier version.
        store.migrate().await?;
        let verified = store.verify_with(heads).await;
        store.close().await;
        verified
    }
}

/// Whether a copy of a backup is a sound file with complaints in it.
async fn look_at(backup: &Path, copy: &Path) -> Result<(), StoreError> {
    let damage = |fault: sqlx::Error| damaged(backup, &fault.to_string());
    // Nobody else has it, and nothing may come to lie beside it.
    let options = SqliteConnectOptions::new().filename(copy).read_only(true).immutable(true);
    let mut connection = options.connect().await.map_err(damage)?;
    let sound: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await.map_err(damage)?;
    if sound != "ok" {
        return Err(damaged(backup, sound.trim()));
    }
    let ours = sqlx::query(super::migrate::SCHEMA_EXISTS).fetch_optional(&mut connection).await.map_err(damage)?;
    connection.close().await.map_err(damage)?;
    match ours {
        Some(_) => Ok(()),
        None => Err(StoreError::Unusable(format!("{} holds no complaints", backup.display()))),
    }
}

/// Lets what the engine made beside a file be written to as the file itself. It makes them as protected as the file is at that moment,
/// and leaves them so when that is over: nothing could ever be written again.
pub(super) fn as_open_as_the_file(file: &Path) {
    let Ok(its) = std::fs::metadata(file) else { return };
    if its.permissions().readonly() {
        return;
    }
    for left in beside(file) {
        if std::fs::metadata(&left).is_ok_and(|left| left.permissions().readonly()) {
            // If it cannot be, the engine goes on saying what is wrong.
            let _ = std::fs::set_permissions(&left, its.permissions());
        }
    }
}

fn beside(file: &Path) -> impl Iterator<Item = PathBuf> {
    BESIDE.into_iter().map(move |ending| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}
