//! Mail that comes in: read, understood and judged. Feature `inbound`.
//!
//! [`Inbound::read`] takes the bytes of one message (RFC 5322) under [`Limits`]: who wrote it, what they wrote now, what they only
//! quoted, what is enclosed, and whether [a person wrote it](Kind) at all. [`decide`] says from that, and from what the host
//! [knows](Facts), what is to become of it. Both are pure; storing, looking up and sending are the host's.
//!
//! What belongs to a complaint is told by a [`ReplyToken`], which stands in the address that our own letters give for replies: a
//! subject line or a reference can be typed by anybody, and never opens somebody else's complaint.
//!
//! ```
//! use complaint_notify::inbound::{Facts, Inbound, Intake, Limits, Sender, decide};
//!
//! let raw = b"From: John <john@example.org>\r\nTo: help@example.org\r\nSubject: No water\r\n\r\nSince Monday.\r\n\
//!     \r\nOn Mon, 2 Nov 2026 at 10:00 Help <help@example.org> wrote:\r\n> Hello\r\n";
//! let mail = Inbound::read(raw, &Limits::default())?;
//! assert_eq!(mail.text(), "Since Monday.");
//! assert!(mail.quoted().contains("> Hello"));
//!
//! // Nobody vouches for the sender: it is kept, and they are asked whether it is theirs.
//! let facts = Facts { sender: Sender::Stranger, ..Facts::default() };
//! assert_eq!(decide(&mail, &facts), Intake::Open { confirmed: false, mentions: None });
//! # Ok::<(), complaint_notify::inbound::Unreadable>(())
//! ```

mod authentication;
mod html;
mod intake;
mod kind;
mod message;
mod mime;
mod quote;
mod reply;

pub use authentication::Authentication;
pub use intake::{Facts, Ignored, Intake, Reply, Sender, Suspicion, decide};
pub use kind::Kind;
pub use message::{Attachment, Inbound, Limits, Unreadable};
pub use reply::{InvalidReplyAddress, ReplyAddress, ReplyToken, TokenFault};
