//! From words to a message: the one door through which every header value passes.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use complaint_core::NotifyError;
use complaint_core::clock::Clock;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{MultiPart, SinglePart};

use crate::header;
use crate::settings::Settings;
use crate::transport::MailTransport;

/// A finished message with its envelope. Made by [`Mailer`] only, so every transport may trust its headers.
#[derive(Debug, Clone)]
pub struct Mail {
    id: String,
    from: Address,
    to: Address,
    planned_at: DateTime<Utc>,
    bytes: Vec<u8>,
}

impl Mail {
    /// Left-hand side of the `Message-ID`; the same on every repeat. Letters, digits, `.`, `-` and `_`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Envelope sender.
    pub fn from(&self) -> &Address {
        &self.from
    }

    /// Envelope recipient; always one.
    pub fn to(&self) -> &Address {
        &self.to
    }

    /// When the message was planned; the same on every repeat of a notice.
    pub fn planned_at(&self) -> DateTime<Utc> {
        self.planned_at
    }

    /// The whole message (RFC 5322, lines ended by CRLF, ASCII).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A message that is not about a complaint, such as an account's verification mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainMail {
    /// Address of the recipient.
    pub to: String,
    /// Name of the recipient, if known.
    pub name: Option<String>,
    /// Subject, one line.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The same words as HTML. The caller escapes.
    pub html: Option<String>,
    /// Left-hand side of the `Message-ID`, the same on every repeat: 1 to 100 letters, digits, `.`, `-`, `_`.
    pub id: String,
}

/// Makes messages and hands them to a transport.
#[derive(Clone)]
pub struct Mailer {
    transport: Arc<dyn MailTransport>,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    /// The last one could not be handed on.
    stuck: Arc<AtomicBool>,
}

impl Mailer {
    /// A mailer. The clock gives the `Date` of each message.
    pub fn new(transport: Arc<dyn MailTransport>, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { transport, settings: Arc::new(settings), clock, stuck: Arc::default() }
    }

    /// Sends a message that is not about a complaint.
    ///
    /// # Errors
    /// [`NotifyError::Never`] naming the field that may not stand in a message; else what the transport says.
    pub async fn send_plain(&self, mail: &PlainMail) -> Result<(), NotifyError> {
        let draft = Draft {
            id: &mail.id,
            to: &mail.to,
            name: mail.name.as_deref(),
            subject: &mail.subject,
            text: &mail.text,
            html: mail.html.as_deref(),
            conversation: None,
            reply_to: None,
            language: "en",
            stop: None,
            planned_at: self.clock.now(),
        };
        self.send(&draft).await
    }

    pub(crate) async fn send(&self, draft: &Draft<'_>) -> Result<(), NotifyError> {
        let mail = self.compose(draft)?;
        let sent = self.transport.send(&mail).await;
        self.say_if_stuck(&sent);
        sent
    }

    /// Letters are tried again for hours before they are given up: whoever mistyped the relay reads it here at once. Said once, however
    /// many letters wait.
    fn say_if_stuck(&self, sent: &Result<(), NotifyError>) {
        match sent {
            Err(NotifyError::Later(error)) if !self.stuck.swap(true, Ordering::Relaxed) => {
                let error = error.as_ref() as &(dyn Error + 'static);
                tracing::warn!(error, "mail cannot be handed on; it is tried again");
            }
            Ok(()) if self.stuck.swap(false, Ordering::Relaxed) => tracing::info!("mail is handed on again"),
            _ => {}
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn compose(&self, draft: &Draft<'_>) -> Result<Mail, NotifyError> {
        header::id(draft.id).map_err(|fault| fault.of("message id"))?;
        let from = self.settings.from.clone();
        let sender = from.email.clone();
        let domain = self.settings.domain();
        let to = header::address(draft.to).map_err(|fault| fault.of("recipient's address"))?;
        let envelope = Envelope::new(Some(sender.clone()), vec![to.clone()])
            .map_err(|error| NotifyError::Never(format!("the envelope is refused: {error}")))?;
        let id = draft.id;
        let mut builder = lettre::Message::builder()
            .envelope(envelope)
            .date(SystemTime::from(self.clock.now()))
            .from(from)
            .raw_header(header::to(draft.name, to.clone()).map_err(|fault| fault.of("recipient's name"))?)
            .raw_header(header::text("Subject", draft.subject).map_err(|fault| fault.of("subject"))?)
            .raw_header(fixed("Message-ID", format!("<{id}@{domain}>")))
            // RFC 3834: no vacation reply, no loop.
            .raw_header(fixed("Auto-Submitted", "auto-generated".to_owned()))
            .raw_header(header::text("Content-Language", draft.language).map_err(|fault| fault.of("language"))?);
        if let Some(address) = &draft.reply_to {
            let address = header::address(address).map_err(|fault| fault.of("address for replies"))?;
            builder = builder.raw_header(fixed("Reply-To", address.to_string()));
        }
        if let Some(link) = draft.stop {
            header::check(link).map_err(|fault| fault.of("link to stop letters"))?;
            // One click must reach us as it was signed: RFC 8058, 3.1 asks for HTTPS.
            if link.starts_with("https://") {
                builder = builder
                    .raw_header(fixed("List-Unsubscribe", format!("<{link}>")))
                    .raw_header(fixed("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
            }
        }
        if let Some(conversation) = &draft.conversation {
            // One root per complaint that no message bears: mail programs thread by what is common to all, and so the
            // order of arrival, or a first mail that went to somebody else, does not matter.
            let root = format!("<{}@{domain}>", conversation.root);
            builder = builder
                .raw_header(fixed("In-Reply-To", root.clone()))
                .raw_header(fixed("References", root))
                .raw_header(fixed("X-Complaint-Reference", conversation.reference.clone()));
        }
        let text = body(draft.text)?;
        let message = match draft.html {
            Some(html) => {
                let parts = MultiPart::alternative()
                    // From the id: a repeat is the same message, byte for byte but for its date.
                    .boundary(boundary(id))
                    .singlepart(SinglePart::plain(text))
                    .singlepart(SinglePart::html(body(html)?));
                builder.multipart(parts)
            }
            None => builder.singlepart(SinglePart::plain(text)),
        };
        let message = message.map_err(|error| NotifyError::Never(format!("the message cannot be built: {error}")))?;
        Ok(Mail { id: id.to_owned(), from: sender, to, planned_at: draft.planned_at, bytes: message.formatted() })
    }
}

/// What a message is made of.
pub(crate) struct Draft<'a> {
    pub(crate) id: &'a str,
    pub(crate) to: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) subject: &'a str,
    pub(crate) text: &'a str,
    pub(crate) html: Option<&'a str>,
    pub(crate) conversation: Option<Conversation>,
    pub(crate) reply_to: Option<String>,
    /// A BCP 47 tag.
    pub(crate) language: &'a str,
    /// Where letters like this one are stopped, if they need not be sent.
    pub(crate) stop: Option<&'a str>,
    pub(crate) planned_at: DateTime<Utc>,
}

/// The complaint a message belongs to.
pub(crate) struct Conversation {
    pub(crate) root: String,
    pub(crate) reference: String,
}

/// A field whose value is ours and short: never folded, never encoded.
fn fixed(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

/// At most 70 characters (RFC 2046, 5.1.1); a line that a writer of text cannot foresee as long as the id is fresh.
fn boundary(id: &str) -> String {
    let end: String = id.chars().rev().filter(char::is_ascii_alphanumeric).take(60).collect();
    format!("part.{end}")
}

/// Refuses what no mail body may contain; line ends become LF, from which lettre makes CRLF.
fn body(text: &str) -> Result<String, NotifyError> {
    if text.contains('\0') {
        return Err(NotifyError::Never("the text contains a NUL character".to_owned()));
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}
