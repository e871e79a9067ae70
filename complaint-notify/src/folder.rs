//! Mail as files, for development and tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use complaint_core::NotifyError;

use crate::mail::Mail;
use crate::transport::MailTransport;

/// Writes each message as a complete `.eml` file (RFC 5322) that any mail program opens.
///
/// Names are `<unix microseconds, 20 digits>-<message id>.eml`, so they sort by time. The time is the instant at which the
/// message was planned, not sent: a notice delivered twice overwrites its own file. A file appears under its name only
/// when it is whole. Files are not forced to disk: this is no mail store.
#[derive(Debug)]
pub struct MailFolder {
    folder: PathBuf,
    written: AtomicU64,
}

impl MailFolder {
    /// A folder, made when the first message is written.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), written: AtomicU64::new(0) }
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    async fn write(&self, mail: &Mail) -> io::Result<()> {
        tokio::fs::create_dir_all(&self.folder).await?;
        let name = format!("{:020}-{}.eml", mail.planned_at().timestamp_micros().max(0), mail.id());
        // Two couriers may hold the same message for a moment: each writes its own draft.
        let draft = format!(".{name}.{}.{}", std::process::id(), self.written.fetch_add(1, Ordering::Relaxed));
        let draft = self.folder.join(draft);
        let written = match tokio::fs::write(&draft, mail.bytes()).await {
            Ok(()) => tokio::fs::rename(&draft, self.folder.join(name)).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            // The first error is the one worth reporting.
            let _ = tokio::fs::remove_file(&draft).await;
        }
        written
    }
}

#[async_trait]
impl MailTransport for MailFolder {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        self.write(mail).await.map_err(|error| NotifyError::Later(Box::new(error)))
    }
}
