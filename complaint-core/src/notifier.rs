//! What delivery must do.

use std::error::Error;

use async_trait::async_trait;

use crate::notice::Notice;

/// Hands notices over to people.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Delivers one notice.
    ///
    /// # Correctness
    /// May be called more than once for one notice id, after a crash or a lost answer; repeats must carry the same
    /// outward identity (for mail: the same `Message-ID`). Returns `Ok` only when somebody else has taken charge.
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError>;
}

/// Why a notice was not delivered, by what the courier can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// Trying again later can help.
    #[error("the notice could not be delivered now")]
    Later(#[source] Box<dyn Error + Send + Sync>),
    /// There is nobody to deliver to: the customer has no address, nobody works at the level. No fault of anybody, so no dead
    /// letter.
    #[error("the notice has no recipient: {0}")]
    Nobody(String),
    /// Trying again cannot help: no address of somebody who should have one, refused for good.
    #[error("the notice cannot be delivered: {0}")]
    Never(String),
}
