//! The notifier: finds the people, writes the letters, sends them.

use std::sync::Arc;

use async_trait::async_trait;
use complaint_core::clock::Clock;
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind, Recipient};
use complaint_core::{Notifier, NotifyError};

use crate::address_book::{AddressBook, Addressee};
use crate::header;
use crate::letter::Letter;
use crate::mail::{Conversation, Draft, Mailer, PlainMail};
use crate::settings::Settings;
use crate::transport::MailTransport;

/// Delivers notices as e-mail.
///
/// Delivery is **at least once**. A notice for a level becomes one message for each agent there; if some of them could
/// not be sent now, the whole notice is tried again and those who had theirs get it again under the same `Message-ID`.
#[derive(Clone)]
pub struct EmailNotifier {
    mailer: Mailer,
    book: Arc<dyn AddressBook>,
    only_known_people: bool,
}

impl EmailNotifier {
    /// A notifier. The clock gives the `Date` of each message.
    pub fn new(
        transport: impl MailTransport + 'static,
        book: impl AddressBook + 'static,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with_mailer(Mailer::new(Arc::new(transport), settings, clock), Arc::new(book))
    }

    /// A notifier that shares a mailer with other parts of the host.
    pub fn with_mailer(mailer: Mailer, book: Arc<dyn AddressBook>) -> Self {
        Self { mailer, book, only_known_people: false }
    }

    /// Writes only to people whom the address book knows, never to an address that was typed into a complaint.
    ///
    /// Without this, a customer whom the book does not know is written to at [`Notice::address`], which nobody has
    /// confirmed. A host that has confirmed addresses of its own should not write to others: whoever typed it could
    /// make the host write to a stranger, and quote to them. Such a notice then ends with [`NotifyError::Nobody`].
    pub fn only_known_people(mut self) -> Self {
        self.only_known_people = true;
        self
    }

    /// The mailer, for messages that are not about a complaint.
    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }

    /// Sends a message that is not about a complaint, through the same checks and transport. See [`Mailer::send_plain`].
    pub async fn send_plain(&self, mail: &PlainMail) -> Result<(), NotifyError> {
        self.mailer.send_plain(mail).await
    }

    async fn people(&self, notice: &Notice) -> Result<Vec<Addressee>, NotifyError> {
        let known = self.book.find(&notice.recipient).await?;
        let mut people: Vec<Addressee> = Vec::with_capacity(known.len());
        for person in known {
            // The same address twice would be the same Message-ID twice.
            if person.email.is_some() && people.iter().all(|other| other.email != person.email) {
                people.push(person);
            }
        }
        if people.is_empty() && !self.only_known_people && matches!(notice.recipient, Recipient::Customer(_)) {
            people.extend(notice.address.clone().map(Addressee::at));
        }
        if people.is_empty() {
            let whom = whom(&notice.recipient);
            let kind = if self.only_known_people { "confirmed e-mail address" } else { "e-mail address" };
            let why = format!("no {kind} is known for {whom}");
            return Err(match notice.recipient {
                // Who writes to us owes us no address, and a level may be without anybody; staff must be reachable.
                Recipient::Customer(_) | Recipient::Level { .. } => NotifyError::Nobody(why),
                Recipient::Agent(_) | Recipient::Admins | Recipient::Endpoint(_) => NotifyError::Never(why),
            });
        }
        Ok(people)
    }

    async fn write_to(
        &self,
        person: &Addressee,
        id: &str,
        notice: &Notice,
        handler: Option<&str>,
    ) -> Result<(), NotifyError> {
        let name = person.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        if let Some(name) = name {
            header::check(name).map_err(|fault| fault.of("recipient's name"))?;
        }
        let settings = self.mailer.settings();
        let letter = Letter::about(notice, handler, settings.level_name(notice.level), person.zone.as_deref())?;
        let link = format!("{}/complaints/{}", settings.base_url, notice.reference);
        let quoted = notice.text.as_deref().unwrap_or_default();
        let (text, html) = letter.render(name, quoted, &link, notice.reference, &settings.organisation)?;
        let subject = format!("[{}] {}", notice.reference, letter.subject);
        self.mailer
            .send(&Draft {
                id,
                to: person.email.as_deref().unwrap_or_default(),
                name,
                subject: &subject,
                text: &text,
                html: Some(&html),
                conversation: Some(Conversation {
                    root: format!("complaint.{}", notice.complaint),
                    reference: notice.reference.to_string(),
                }),
                reply_to: reply_to(settings, notice),
                planned_at: notice.planned_at,
            })
            .await
    }
}

#[async_trait]
impl Notifier for EmailNotifier {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        if notice.channel != NoticeChannel::Email {
            return Err(NotifyError::Never(format!("no {} leaves as e-mail", notice.channel.label())));
        }
        header::check(&notice.subject).map_err(|fault| fault.of("subject"))?;
        let (people, instead) = match (self.people(notice).await, for_admins(notice)) {
            (Err(NotifyError::Nobody(why)), Some(instead)) => match self.people(&instead).await {
                Err(NotifyError::Never(_)) => return Err(NotifyError::Nobody(why)),
                people => (people?, Some(instead)),
            },
            (people, _) => (people?, None),
        };
        let notice = instead.as_ref().unwrap_or(notice);
        let handler = match &notice.handler {
            Some(agent) => self.book.agent_name(agent).await,
            None => None,
        };
        if let Some(name) = &handler {
            header::check(name).map_err(|fault| fault.of("handler's name"))?;
        }

        let mut sent = 0_usize;
        let mut later = None;
        let mut never = None;
        for (at, person) in people.iter().enumerate() {
            let id = message_id(notice, at, person.email.as_deref());
            match self.write_to(person, &id, notice, handler.as_deref()).await {
                Ok(()) => sent += 1,
                Err(NotifyError::Never(why)) => {
                    tracing::warn!(notice = %notice.id, message = id, why, "a message cannot be delivered");
                    never = Some(NotifyError::Never(why));
                }
                Err(error) => later = Some(error),
            }
        }
        match (later, never) {
            (Some(later), _) => Err(later),
            // A colleague with a broken address must not make a dead letter of a notice that the others have.
            (None, Some(never)) if sent == 0 => Err(never),
            _ => Ok(()),
        }
    }
}

/// What admins are told where nobody works at a level: somebody must know of it. They do not read what people wrote. That
/// nobody can take a complaint they are told in any case.
fn for_admins(notice: &Notice) -> Option<Notice> {
    let to_nobody = matches!(notice.recipient, Recipient::Level { .. }) && notice.kind != NoticeKind::Unroutable;
    to_nobody.then(|| Notice {
        recipient: Recipient::Admins,
        subject: notice.reference.to_string(),
        text: None,
        ..notice.clone()
    })
}

/// Where the answer of a customer goes. Staff answer on their pages, where it is certain who they are.
#[cfg(feature = "inbound")]
fn reply_to(settings: &Settings, notice: &Notice) -> Option<String> {
    let replies = settings.replies.as_ref().filter(|_| matches!(notice.recipient, Recipient::Customer(_)))?;
    Some(replies.for_recipient(notice.complaint, notice.reference, &notice.recipient, notice.planned_at))
}

#[cfg(not(feature = "inbound"))]
fn reply_to(_settings: &Settings, _notice: &Notice) -> Option<String> {
    None
}

/// The notice's id; for one of several people followed by a mark of their address, so that it stays the same when
/// people join or leave between two tries.
pub(crate) fn message_id(notice: &Notice, at: usize, address: Option<&str>) -> String {
    match (&notice.recipient, at, address) {
        (Recipient::Level { .. } | Recipient::Admins, _, Some(address)) | (_, 1.., Some(address)) => {
            format!("{}.{:016x}", notice.id, fnv1a(address.as_bytes()))
        }
        _ => notice.id.to_string(),
    }
}

/// A recipient, for operators.
pub(crate) fn whom(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Customer(id) => format!("customer {id}"),
        Recipient::Agent(id) => format!("agent {id}"),
        Recipient::Level { level, .. } => format!("anybody at level {level}"),
        Recipient::Admins => "any admin".to_owned(),
        Recipient::Endpoint(id) => format!("endpoint {id}"),
    }
}

/// FNV-1a, 64 bit: stable over releases, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
