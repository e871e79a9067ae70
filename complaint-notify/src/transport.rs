//! Where mail goes.

use std::path::PathBuf;

use async_trait::async_trait;
use complaint_core::NotifyError;

use crate::folder::MailFolder;
use crate::mail::Mail;
use crate::smtp::{InvalidRelay, Smtp};

/// Takes charge of finished messages.
#[async_trait]
pub trait MailTransport: Send + Sync {
    /// Hands one message over.
    ///
    /// `Ok` means that somebody else has taken charge. May be called again with the same [`Mail::id`] after a lost
    /// answer; whether the recipient then sees one or two copies is theirs, by the `Message-ID`.
    ///
    /// # Errors
    /// [`NotifyError::Later`] if trying again can help, [`NotifyError::Never`] if it cannot.
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError>;
}

/// The transport of a configuration: a relay if one is named, else a folder.
#[derive(Debug)]
pub enum Transport {
    /// Messages go to a relay.
    Smtp(Smtp),
    /// Messages become files.
    Folder(MailFolder),
}

impl Transport {
    /// Chooses: `smtp` names the relay as in [`Smtp::from_url`]; without it, messages are written into `folder`.
    pub fn from_config(smtp: Option<&str>, folder: impl Into<PathBuf>) -> Result<Self, InvalidRelay> {
        Ok(match smtp {
            Some(url) => Self::Smtp(Smtp::from_url(url)?),
            None => Self::Folder(MailFolder::new(folder)),
        })
    }
}

#[async_trait]
impl MailTransport for Transport {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        match self {
            Self::Smtp(smtp) => smtp.send(mail).await,
            Self::Folder(folder) => folder.send(mail).await,
        }
    }
}
