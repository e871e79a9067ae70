//! What is to become of a message: a pure function of what it says and what the host knows.

use complaint_core::reference::Reference;

use super::authentication::Authentication;
use super::kind::Kind;
use super::message::Inbound;

/// Whom the host knows by the address in `From`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sender {
    /// Nobody, or somebody who has not confirmed the address.
    #[default]
    Stranger,
    /// A customer who has confirmed the address.
    Customer,
    /// Somebody who works here.
    Staff,
    /// Somebody who may not do anything any more.
    Disabled,
}

/// What the address says that it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reply {
    /// No token.
    #[default]
    None,
    /// A token for this complaint that was given to the very person whose address is in `From`.
    Genuine(Reference),
    /// A token for this complaint that was given to somebody else.
    OfAnother(Reference),
    /// A token whose time is over; for this complaint.
    Expired(Reference),
    /// A token that was never given to anybody, or more than one.
    Forged,
}

/// What the host knows about a message. Example: [the module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whether a message of this sender with this `Message-ID`, or one of the same [content](Inbound::content_hash), is here already.
    pub seen: bool,
    /// Who has the address in `From`.
    pub sender: Sender,
    /// What the receiving server found out, see [`Inbound::authentication`].
    pub authentication: Authentication,
    /// What the address it was sent to says.
    pub reply: Reply,
    /// Whether somebody of the staff has looked at it and says that it is what a person wrote and meant. Whose address it is they
    /// cannot say.
    pub released: bool,
    /// Whether whoever has the address has said that it is theirs, by the link that was mailed there.
    pub confirmed: bool,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// It is a message of the customer of this complaint.
    Append {
        /// Which.
        complaint: Reference,
    },
    /// It is a complaint.
    Open {
        /// Whether the sender is who they say. If not, it waits until they have confirmed it by a link that is mailed to them, in
        /// words of ours only and at most once a day to one address.
        confirmed: bool,
        /// The complaint that it says it is about, which nobody has verified: for staff to see, for nobody to be shown.
        mentions: Option<Reference>,
    },
    /// It is kept, and nothing follows: no complaint, no message, no answer to anybody.
    Ignore(Ignored),
    /// It is kept for staff to decide.
    Quarantine(Suspicion),
}

/// Why nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It is here already.
    Duplicate,
    /// No person wrote it.
    Automatic(Kind),
}

/// Why staff have to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// There is not exactly one sender.
    NoSender,
    /// The domain of the sender says that it is not from there.
    ForgedSender,
    /// It says nothing and encloses nothing.
    Empty,
    /// The address for the reply was given to somebody else.
    TokenOfAnother(Reference),
    /// The address for the reply was never given to anybody.
    ForgedToken,
    /// Staff have pages for what they do.
    FromStaff,
    /// The account is disabled.
    FromDisabled,
}

/// Decides.
///
/// - What nobody wrote and what is here already leads to nothing, whatever else is true: an answer to a machine is answered by a
///   machine.
/// - A message joins a complaint by the token of its customer only, never by its subject.
/// - `Cc`, `To` and `Reply-To` add nobody: there is no outcome that would.
///
/// Example: [the module](super).
pub fn decide(mail: &Inbound<'_>, facts: &Facts) -> Intake {
    if facts.seen {
        return Intake::Ignore(Ignored::Duplicate);
    }
    let looked_at = facts.released || facts.confirmed;
    let kind = mail.kind();
    if kind != Kind::Person && !looked_at {
        return Intake::Ignore(Ignored::Automatic(kind));
    }
    if let Some(suspicion) = impossible(mail, facts) {
        return Intake::Quarantine(suspicion);
    }
    if let Some(suspicion) = suspicion(mail, facts).filter(|_| !looked_at) {
        return Intake::Quarantine(suspicion);
    }
    let mentions = match facts.reply {
        Reply::Genuine(complaint) => return Intake::Append { complaint },
        Reply::OfAnother(complaint) | Reply::Expired(complaint) => Some(complaint),
        Reply::None | Reply::Forged => mail.mentions(),
    };
    let vouched_for = facts.authentication == Authentication::Passed || facts.released;
    let confirmed = facts.confirmed || (facts.sender == Sender::Customer && vouched_for);
    Intake::Open { confirmed, mentions }
}

/// What no word of anybody changes: there is nobody in whose name it could be.
fn impossible(mail: &Inbound<'_>, facts: &Facts) -> Option<Suspicion> {
    match facts.sender {
        _ if mail.sender().is_none() => Some(Suspicion::NoSender),
        Sender::Staff => Some(Suspicion::FromStaff),
        Sender::Disabled => Some(Suspicion::FromDisabled),
        Sender::Stranger | Sender::Customer => None,
    }
}

fn suspicion(mail: &Inbound<'_>, facts: &Facts) -> Option<Suspicion> {
    if facts.authentication == Authentication::Failed {
        return Some(Suspicion::ForgedSender);
    }
    match facts.reply {
        Reply::OfAnother(complaint) => return Some(Suspicion::TokenOfAnother(complaint)),
        Reply::Forged => return Some(Suspicion::ForgedToken),
        Reply::None | Reply::Genuine(_) | Reply::Expired(_) => {}
    }
    (mail.text().is_empty() && mail.attachments().is_empty() && mail.subject().is_empty()).then_some(Suspicion::Empty)
}
