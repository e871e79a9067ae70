//! Notices of [`complaint_core`] as e-mail: through a relay (SMTP), or into a folder of `.eml` files for development.
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
//! # What holds for every message
//!
//! - A subject, name or address with a CR, LF, NUL or any other control character, openly or inside an encoded word
//!   (RFC 2047), is refused with [`NotifyError::Never`](complaint_core::NotifyError::Never), never cleaned.
//! - What people wrote is text: escaped in HTML, marked as a quotation in both forms.
//! - `Auto-Submitted: auto-generated` (RFC 3834), so that no vacation reply answers.
//! - Over SMTP the certificate is verified, and there is no message without the TLS that was asked for.
//!
//! Text messages are not carried: a notice on [`NoticeChannel::Sms`](complaint_core::notice::NoticeChannel::Sms) is refused
//! for good, so plan such notices only if another notifier takes them.
//!
//! With the feature `inbound`, mail that comes in is read and judged as well.

mod address_book;
mod folder;
mod header;
#[cfg(feature = "inbound")]
pub mod inbound;
mod letter;
mod mail;
mod notifier;
mod settings;
mod smtp;
mod transport;

pub use address_book::{AddressBook, Addressee, IdsAreAddresses};
pub use folder::MailFolder;
pub use mail::{Mail, Mailer, PlainMail};
pub use notifier::EmailNotifier;
pub use settings::{InvalidSetting, Settings};
pub use smtp::{InvalidRelay, Smtp, Timeouts};
pub use transport::{MailTransport, Transport};
