//! One notifier for several channels.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use complaint_core::notice::{Notice, NoticeChannel};
use complaint_core::{Notifier, NotifyError};

/// Hands each notice to whoever carries its channel.
///
/// A notice on a channel that nobody carries is refused for good, so it ends as a dead letter that operators see.
///
/// ```
/// use std::sync::Arc;
///
/// use complaint_core::clock::SystemClock;
/// use complaint_core::notice::NoticeChannel;
/// use complaint_notify::{ByChannel, EmailNotifier, IdsAreAddresses, Settings, Transport};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = Settings::new("complaints@example.org", "https://complaints.example.org", "Example Ltd")?;
/// let transport = Transport::from_config(None, "mail")?;
/// let email = EmailNotifier::new(transport, IdsAreAddresses, settings, Arc::new(SystemClock));
/// let notifier = ByChannel::new().carrying(NoticeChannel::Email, email);
/// assert!(notifier.carries(NoticeChannel::Email) && !notifier.carries(NoticeChannel::Sms));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct ByChannel(BTreeMap<NoticeChannel, Arc<dyn Notifier>>);

impl ByChannel {
    /// Carries nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `notifier` carry a channel, in place of whoever did before.
    pub fn carrying(mut self, channel: NoticeChannel, notifier: impl Notifier + 'static) -> Self {
        self.0.insert(channel, Arc::new(notifier));
        self
    }

    /// Whether somebody carries a channel.
    pub fn carries(&self, channel: NoticeChannel) -> bool {
        self.0.contains_key(&channel)
    }
}

#[async_trait]
impl Notifier for ByChannel {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        match self.0.get(&notice.channel) {
            Some(notifier) => notifier.deliver(notice).await,
            None => Err(NotifyError::Never(format!("nobody carries notices by {}", notice.channel.label()))),
        }
    }
}
