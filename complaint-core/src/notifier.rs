//! What delivery must do.

use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::notice::Notice;

/// Hands notices over to people.
///
/// ```
/// use async_trait::async_trait;
/// use complaint_core::notice::{Notice, NoticeChannel};
/// use complaint_core::{Notifier, NotifyError};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let desk = Desk::new(MemoryStore::new(), policy);
///
/// struct Printer;
///
/// #[async_trait]
/// impl Notifier for Printer {
///     async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
///         if notice.channel != NoticeChannel::Email {
///             return Err(NotifyError::Never("only letters are printed".into()));
///         }
///         println!("{}: {:?} for {:?}", notice.reference, notice.kind, notice.recipient);
///         Ok(())
///     }
/// }
///
/// let desk = desk.notifying(Printer);
/// let john = desk.acting_as(Actor::customer("john")?);
/// john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let done = desk.deliver().await?;
/// assert_eq!((done.delivered > 0, done.postponed, done.dead), (true, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// Example: [`Notifier`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// Trying again later can help.
    #[error("the notice could not be delivered now")]
    Later(#[source] Box<dyn Error + Send + Sync>),
    /// Trying again can help, but not sooner than whoever takes it said (HTTP's `Retry-After`). The courier waits at least this
    /// long, and no longer than its longest delay: six hours.
    #[error("the notice could not be delivered now")]
    NotBefore {
        /// How long to wait from now.
        wait: TimeDelta,
        /// Why.
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
    /// Nothing failed: whoever it is for wants it later, see [`Preferences::timing`](crate::notice::Preferences::timing). It waits in
    /// the outbox, and that it was looked at does not count as a try.
    #[error("the notice is held back until {until}: {why}")]
    Held {
        /// Until when.
        until: DateTime<Utc>,
        /// Why.
        why: String,
    },
    /// There is nobody to deliver to: the customer has no address or wants no such notice, nobody works at the level. No fault of anybody, so no dead
    /// letter.
    #[error("the notice has no recipient: {0}")]
    Nobody(String),
    /// Trying again cannot help: no address of somebody who should have one, refused for good.
    #[error("the notice cannot be delivered: {0}")]
    Never(String),
}
