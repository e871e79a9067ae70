//! Notices of [`complaint_core`] as e-mail (through a relay, or into a folder of `.eml` files for development) and as text messages
//! (through an HTTP gateway), and of events as webhooks.
//!
//! [`EmailNotifier`] implements [`complaint_core::Notifier`]. It asks an [`AddressBook`] who the recipients are, writes a
//! letter as text and HTML for each kind of notice, and hands it to a [`MailTransport`]. Delivery is at least once; every
//! repeat carries the same `Message-ID`, made from the notice's id. All messages about one complaint are one
//! conversation in a mail program.
//!
//! ```
//! use std::sync::Arc;
//!
//! use complaint_core::Notifier;
//! use complaint_core::clock::SystemClock;
//! use complaint_notify::{EmailNotifier, IdsAreAddresses, Settings, Transport};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // With `Some("smtps://user:password@mail.example.org")` it goes to a relay.
//! let transport = Transport::from_config(None, "mail")?;
//! let settings =
//!     Settings::new("Example Ltd <complaints@example.org>", "https://complaints.example.org", "Example Ltd")?;
//! let email = EmailNotifier::new(transport, IdsAreAddresses, settings, Arc::new(SystemClock));
//! let notifier: Arc<dyn Notifier> = Arc::new(email);
//! # Ok(())
//! # }
//! ```
//!
//! [`SmsNotifier`] does the same by text message, through a [`Gateway`] that is described in TOML; [`ByChannel`] hands each notice to
//! whoever carries its channel.
//!
//! [`WebhookNotifier`] tells other programs what happens, signed by the
//! [Standard Webhooks](https://www.standardwebhooks.com) specification.
//!
//! # What holds for every letter
//!
//! - A subject, name or address with a CR, LF, NUL or any other control character, openly or inside an encoded word
//!   (RFC 2047), is refused with [`NotifyError::Never`](complaint_core::NotifyError::Never), never cleaned.
//! - What people wrote is text: escaped in HTML, marked as a quotation in both forms.
//! - It is in the language of whoever it is for where there is such a letter, else in English; a host brings [`Letters`] of its own.
//!   English is complete, German and Arabic are samples.
//! - What need not be sent names a link where it is [stopped](StopLinks), for mail programs, too (RFC 2369, RFC 8058).
//! - Whoever has no account is led to their complaint by [links](SignedLinks) that the host signs.
//! - `Auto-Submitted: auto-generated` (RFC 3834), so that no vacation reply answers.
//! - Over SMTP the certificate is verified, and there is no message without the TLS that was asked for.
//!
//! # What holds for every text message
//!
//! - It fits into one: 160 characters of the GSM alphabet, or 70 others.
//! - Nothing that a person typed is in it, only what happened, to which complaint, until when, and a link.
//! - The number is in international form (E.164).
//! - The gateway's address is resolved once and looked at: it is public, or in a network that the configuration names.
//!
//! # What holds for every webhook
//!
//! - Facts only: ids, the event, where the work is. Nothing that a person typed.
//! - The same `webhook-id` and body whenever it is sent again.
//! - Its address as above; redirects are not followed.
//!
//! With the feature `inbound`, mail that comes in is read and judged as well.

mod address_book;
mod by_channel;
mod folder;
mod header;
#[cfg(feature = "inbound")]
pub mod inbound;
mod language;
mod letter;
mod mail;
mod notifier;
pub mod outgoing;
mod settings;
mod sms;
mod smtp;
mod transport;
mod webhook;

pub use address_book::{AddressBook, Addressee, IdsAreAddresses};
pub use by_channel::ByChannel;
pub use folder::MailFolder;
pub use language::Phrases;
pub use letter::{Letter, Letters};
pub use mail::{Mail, Mailer, PlainMail};
pub use notifier::{EmailNotifier, SignedLinks, StopLinks};
pub use outgoing::{InvalidAddress, InvalidNetwork, Networks};
pub use settings::{InvalidSetting, Settings};
pub use sms::gateway::{Gateway, InvalidGateway};
pub use sms::message::{TextMessage, TooLong};
pub use sms::phone::{InvalidPhone, PhoneNumber};
pub use sms::{SmsNotifier, SmsTransport};
pub use smtp::{InvalidRelay, Smtp, Timeouts};
pub use transport::{MailTransport, Transport};
pub use webhook::message::WebhookMessage;
pub use webhook::signature::{InvalidSecret, WebhookSecret};
pub use webhook::{Endpoint, EndpointBook, Told, WebhookNotifier, WebhookSender};
