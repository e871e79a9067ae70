//! Text messages: for the few things that cannot wait.

pub(crate) mod gateway;
pub(crate) mod message;
pub(crate) mod phone;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use complaint_core::clock::Clock;
use complaint_core::notice::{Notice, NoticeChannel};
use complaint_core::{Notifier, NotifyError};

use crate::address_book::{AddressBook, Addressee};
use crate::notifier::{message_id, whom};
use crate::outgoing::{REST, Resting};
use crate::settings::Settings;
use message::TextMessage;
use phone::PhoneNumber;

/// Takes charge of finished text messages.
#[async_trait]
pub trait SmsTransport: Send + Sync {
    /// Hands one message over.
    ///
    /// `Ok` means that somebody else has taken charge. May be called again with the same [`TextMessage::id`] after a lost answer.
    ///
    /// # Errors
    /// [`NotifyError::Later`] or [`NotifyError::NotBefore`] if trying again can help, [`NotifyError::Never`] if it cannot.
    async fn send(&self, message: &TextMessage) -> Result<(), NotifyError>;
}

/// Delivers notices as text messages, one each, to those whose number the address book knows in international form.
///
/// A text says that something happened, to which complaint, until when, and where to read on; it holds no word that a person typed.
/// What does not fit into one message is left out, the organisation's name first, then the date, then the link.
///
/// Nobody owes us a number: whoever has none is [`NotifyError::Nobody`], since the letter about the same thing reaches them.
/// Delivery is **at least once**, as with [`EmailNotifier`](crate::EmailNotifier). A gateway that gave no answer is left alone for 30
/// seconds, and one that says `Retry-After` for so long, an hour at most: letters must not wait for it.
#[derive(Clone)]
pub struct SmsNotifier {
    transport: Arc<dyn SmsTransport>,
    book: Arc<dyn AddressBook>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    resting: Arc<Resting<()>>,
}

impl SmsNotifier {
    /// A notifier. Of the settings it uses the organisation and where complaints are read; the clock says when a gateway has rested.
    pub fn new(
        transport: Arc<dyn SmsTransport>,
        book: Arc<dyn AddressBook>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { transport, book, settings, clock, resting: Arc::default() }
    }

    async fn send(&self, notice: &Notice, at: usize, person: &Addressee, to: PhoneNumber) -> Result<(), NotifyError> {
        let id = message_id(notice, at, Some(to.as_str()));
        let text = words::about(notice, person.zone.as_deref(), &self.settings);
        let message = TextMessage::new(id, to, text).map_err(|error| NotifyError::Never(error.to_string()))?;
        self.transport.send(&message).await
    }
}

#[async_trait]
impl Notifier for SmsNotifier {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        if notice.channel != NoticeChannel::Sms {
            return Err(NotifyError::Never(format!("no {} leaves as a text message", notice.channel.label())));
        }
        let mut people: Vec<(Addressee, PhoneNumber)> = Vec::new();
        for person in self.book.find(&notice.recipient).await? {
            let number = person.phone.as_deref().and_then(|phone| phone.parse().ok());
            if let Some(number) = number.filter(|number| people.iter().all(|(_, other)| other != number)) {
                people.push((person, number));
            }
        }
        if people.is_empty() {
            let whom = whom(&notice.recipient);
            return Err(NotifyError::Nobody(format!("no phone number in international form is known for {whom}")));
        }
        let now = self.clock.now();
        if let Some(wait) = self.resting.left(&(), now) {
            return Err(NotifyError::NotBefore { wait, why: "the gateway is left alone for a while".into() });
        }
        let (mut sent, mut never) = (0_usize, None);
        for (at, (person, to)) in people.into_iter().enumerate() {
            match self.send(notice, at, &person, to).await {
                Ok(()) => sent += 1,
                Err(NotifyError::Never(why)) => {
                    tracing::warn!(notice = %notice.id, why, "a text message cannot be delivered");
                    never = Some(NotifyError::Never(why));
                }
                // It is about the gateway, and so about everybody: the others are not asked for in vain.
                Err(error) => {
                    let wait = if let NotifyError::NotBefore { wait, .. } = &error { *wait } else { REST };
                    self.resting.rest((), wait, now);
                    return Err(error);
                }
            }
        }
        match never {
            // A colleague with a dead number must not make a dead letter of a notice that the others have.
            Some(never) if sent == 0 => Err(never),
            _ => Ok(()),
        }
    }
}
