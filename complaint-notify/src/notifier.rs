//! The notifier: finds the people, writes the letters, sends them.

use std::sync::Arc;

use async_trait::async_trait;
use complaint_core::clock::Clock;
use complaint_core::notice::{Notice, NoticeChannel, NoticeGroup, NoticeKind, Recipient};
use complaint_core::{Notifier, NotifyError};

use crate::address_book::{AddressBook, Addressee};
use crate::header;
use crate::letter::{Letter, Letters, Ways};
use crate::mail::{Conversation, Draft, Mailer, PlainMail};
use crate::settings::Settings;
use crate::transport::MailTransport;

/// Where people stop letters that need not be sent. Implemented by the host, which signs its links.
pub trait StopLinks: Send + Sync {
    /// The link with which `recipient` stops letters of a group, or without one all that need not be sent.
    ///
    /// A `POST` there with the body `List-Unsubscribe=One-Click` must stop them without further questions, and a `GET` must change
    /// nothing (RFC 8058, 3.2): those who look at mail before its reader does follow links. Only `https` links are named in header
    /// fields.
    fn link(&self, recipient: &Recipient, group: Option<NoticeGroup>) -> Option<String>;
}

/// Links that let whoever has no account see one complaint. Implemented by the host, which signs them.
pub trait SignedLinks: Send + Sync {
    /// The link to the complaint of a notice, for its customer alone. The same for the same notice: a letter that is sent again is the
    /// same letter.
    fn link(&self, notice: &Notice) -> String;
}

/// Delivers notices as e-mail.
///
/// Delivery is **at least once**. A notice for a level becomes one message for each agent there; if some of them could
/// not be sent now, the whole notice is tried again and those who had theirs get it again under the same `Message-ID`.
#[derive(Clone)]
pub struct EmailNotifier {
    mailer: Mailer,
    book: Arc<dyn AddressBook>,
    only_known_people: bool,
    letters: Option<Arc<dyn Letters>>,
    stop: Option<Arc<dyn StopLinks>>,
    signed: Option<Arc<dyn SignedLinks>>,
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
        Self { mailer, book, only_known_people: false, letters: None, stop: None, signed: None }
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

    /// Uses words of the host's own where it has them.
    ///
    /// Example: [`Letter`].
    pub fn with_letters(mut self, letters: impl Letters + 'static) -> Self {
        self.letters = Some(Arc::new(letters));
        self
    }

    /// Names in every letter that need not be sent where such letters are stopped.
    pub fn stopped_at(mut self, links: Arc<dyn StopLinks>) -> Self {
        self.stop = Some(links);
        self
    }

    /// Leads [guests](Addressee::is_guest) to their complaints by links that let them in.
    pub fn letting_guests_in(mut self, links: Arc<dyn SignedLinks>) -> Self {
        self.signed = Some(links);
        self
    }

    /// Sends one letter that lists what several notices to one person tell, each by its subject line: no words of people are in it.
    /// `id` as in [`PlainMail::id`]. Nobody known is [`NotifyError::Nobody`].
    ///
    /// # Errors
    /// As [`Notifier::deliver`].
    pub async fn deliver_together(
        &self,
        id: &str,
        recipient: &Recipient,
        notices: &[Notice],
    ) -> Result<(), NotifyError> {
        let Some(latest) = notices.iter().max_by_key(|notice| notice.planned_at) else { return Ok(()) };
        let people = self.book.find(recipient).await?;
        let Some(person) = people.into_iter().find(|person| person.email.is_some()) else {
            return Err(NotifyError::Nobody(format!("no e-mail address is known for {}", whom(recipient))));
        };
        for notice in notices {
            header::check(&notice.subject).map_err(|fault| fault.of("subject"))?;
        }
        let name = greeting_of(&person)?;
        let settings = self.mailer.settings();
        let mut listed = Vec::with_capacity(notices.len());
        for notice in notices {
            listed.push((notice, self.handler(notice).await?, self.complaint_link(&person, notice)));
        }
        let letter = Letter::listing(&listed, &person)?;
        let stop = self.stop.as_ref().and_then(|links| links.link(recipient, None));
        let (text, html) = letter.render(&Ways {
            name,
            quoted: "",
            link: &settings.base_url,
            reference: None,
            organisation: &settings.organisation,
            stop: stop.as_deref(),
        })?;
        self.mailer
            .send(&Draft {
                id,
                to: person.email.as_deref().unwrap_or_default(),
                name,
                subject: &letter.subject,
                text: &text,
                html: Some(&html),
                conversation: None,
                reply_to: None,
                language: &letter.language,
                stop: stop.as_deref(),
                planned_at: latest.planned_at,
            })
            .await
    }

    /// The name that a notice gives.
    async fn handler(&self, notice: &Notice) -> Result<Option<String>, NotifyError> {
        let Some(agent) = &notice.handler else { return Ok(None) };
        let name = self.book.agent_name(agent).await;
        if let Some(name) = &name {
            header::check(name).map_err(|fault| fault.of("handler's name"))?;
        }
        Ok(name)
    }

    /// The link with which letters like this one are stopped, if they need not be sent and go to one person.
    fn stop(&self, notice: &Notice) -> Option<String> {
        let group = notice.kind.group().filter(|group| group.can_be_switched_off(NoticeChannel::Email))?;
        match &notice.recipient {
            to @ (Recipient::Customer(_) | Recipient::Agent(_)) => self.stop.as_ref()?.link(to, Some(group)),
            Recipient::Level { .. } | Recipient::Admins | Recipient::Endpoint(_) => None,
        }
    }

    /// The way to the complaint for whoever a letter goes to.
    fn complaint_link(&self, person: &Addressee, notice: &Notice) -> String {
        match &self.signed {
            Some(links) if person.is_guest && matches!(notice.recipient, Recipient::Customer(_)) => links.link(notice),
            _ => format!("{}/complaints/{}", self.mailer.settings().base_url, notice.reference),
        }
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
        let name = greeting_of(person)?;
        let settings = self.mailer.settings();
        let letter = match self.letters.as_ref().and_then(|letters| letters.letter(notice, person, handler)) {
            Some(letter) => letter,
            None => Letter::about(notice, handler, settings.level_name(notice.level), person)?,
        };
        let stop = self.stop(notice);
        let (text, html) = letter.render(&Ways {
            name,
            quoted: notice.text.as_deref().unwrap_or_default(),
            link: &self.complaint_link(person, notice),
            reference: Some(notice.reference),
            organisation: &settings.organisation,
            stop: stop.as_deref(),
        })?;
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
                language: &letter.language,
                stop: stop.as_deref(),
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
        let handler = self.handler(notice).await?;

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

/// How somebody is greeted.
fn greeting_of(person: &Addressee) -> Result<Option<&str>, NotifyError> {
    let name = person.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if let Some(name) = name {
        header::check(name).map_err(|fault| fault.of("recipient's name"))?;
    }
    Ok(name)
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
