//! Whether a person wrote it.
//!
//! The marks of the standards come first. Where a machine gives none, its habits tell: who it says it is, what it writes into the
//! subject, what it encloses. Habits of people are none of them, so that a person is taken for a machine only when they write like one.

use super::message::Inbound;

/// What kind of message it is.
///
/// ```
/// use complaint_notify::inbound::{Inbound, Kind, Limits};
///
/// let raw = b"From: john@example.org\nAuto-Submitted: auto-replied\n\nI am away.";
/// assert_eq!(Inbound::read(raw, &Limits::default())?.kind(), Kind::Automatic);
/// # Ok::<(), complaint_notify::inbound::Unreadable>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody wrote it.
    Person,
    /// A report that a message was not, or was, delivered or read (RFC 3464, RFC 8098), or what a mail server says instead.
    Bounce,
    /// A report that one of our messages was unwanted (RFC 5965).
    AbuseReport,
    /// Somebody is away.
    Vacation,
    /// Made by a machine (RFC 3834), to answer or on its own account.
    Automatic,
    /// Sent to many: a mailing list (RFC 2919) or bulk mail.
    List,
    /// It has been on its way in circles.
    Loop,
    /// One of our own letters, or one of another system of this kind.
    Own,
}

/// RFC 5321, 6.3 wants at least 100 hops allowed; a message of a person takes fewer than ten.
const HOPS_MAX: usize = 50;

impl Kind {
    pub(super) fn of(mail: &Inbound<'_>) -> Self {
        Self::by_standard(mail).or_else(|| Self::by_habit(mail)).unwrap_or(Self::Person)
    }

    fn by_standard(mail: &Inbound<'_>) -> Option<Self> {
        if mail.values("received").count() > HOPS_MAX {
            return Some(Self::Loop);
        }
        if mail.value("x-complaint-reference").is_some() {
            return Some(Self::Own);
        }
        let has = |media_type: &str| mail.part_types.iter().any(|part| part == media_type);
        let reports = |kind: &str| mail.media_type == "multipart/report" && mail.report_type.as_deref() == Some(kind);
        if reports("feedback-report") || has("message/feedback-report") {
            return Some(Self::AbuseReport);
        }
        if mail.media_type == "multipart/report"
            || has("message/delivery-status")
            || has("message/global-delivery-status")
            || has("message/disposition-notification")
            // RFC 3834, 3.3 and RFC 5321, 4.5.5: who sends without a return address wants no answer.
            || mail.value("return-path") == Some("<>")
            || mail.value("x-failed-recipients").is_some()
        {
            return Some(Self::Bounce);
        }
        let word = |name: &str| {
            let value = mail.value(name)?;
            // RFC 3834, 5: parameters and comments may follow.
            let word = value.split([';', '(', ' ']).next().unwrap_or_default();
            Some(word.to_ascii_lowercase())
        };
        match word("auto-submitted").as_deref() {
            None | Some("no" | "") => {}
            Some("auto-replied") if mail.value("x-apple-action").is_some_and(|it| it == "VACATION") => {
                return Some(Self::Vacation);
            }
            Some(_) => return Some(Self::Automatic),
        }
        if mail.value("list-id").is_some() || mail.value("list-post").is_some() || mail.value("mailing-list").is_some()
        {
            return Some(Self::List);
        }
        match word("precedence").as_deref() {
            Some("bulk" | "junk" | "list") => return Some(Self::List),
            Some("auto_reply") => return Some(Self::Automatic),
            _ => {}
        }
        None
    }

    fn by_habit(mail: &Inbound<'_>) -> Option<Self> {
        let marked = |names: &[&str]| names.iter().any(|name| mail.value(name).is_some());
        if mail.value("x-apple-action") == Some("VACATION") {
            return Some(Self::Vacation);
        }
        if marked(&["x-autoreply", "x-auto-reply", "x-autorespond", "x-autoresponder", "x-amz-sns-message-id"]) {
            return Some(Self::Automatic);
        }
        if marked(&["list-unsubscribe", "list-subscribe", "list-help", "x-mailing-list", "x-mlserver", "feedback-id"]) {
            return Some(Self::List);
        }
        let from = mail.senders_as_given().unwrap_or_default().to_lowercase();
        let local = mail.sender().and_then(|sender| sender.split('@').next()).unwrap_or_default();
        if from.trim() == "<>"
            || starts(local, &["mailer-daemon", "mailer_daemon", "postmaster", "mail-daemon", "maildaemon"])
            || starts(
                &from,
                &["mailer-daemon", "postmaster", "\"mail delivery", "mail delivery", "<mailer-daemon", "<postmaster"],
            )
        {
            return Some(Self::Bounce);
        }
        if ["noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply"].contains(&local) {
            return Some(Self::Automatic);
        }
        let subject = mail.subject().to_lowercase();
        if starts(&subject, &ABUSE) && subject.chars().any(|c| c.is_ascii_digit()) {
            return Some(Self::AbuseReport);
        }
        if starts(&subject, &AWAY) {
            return Some(Self::Vacation);
        }
        if starts(&subject, &UNDELIVERED) {
            return Some(Self::Bounce);
        }
        None
    }
}

fn starts(text: &str, with: &[&str]) -> bool {
    with.iter().any(|start| text.starts_with(start))
}

const ABUSE: [&str; 1] = ["complaint about message from "];

const AWAY: [&str; 16] = [
    "auto reply:",
    "auto-reply:",
    "autoreply:",
    "automatic reply:",
    "auto response:",
    "auto-response:",
    "out of office",
    "out-of-office",
    "automatische antwort:",
    "abwesenheitsnotiz",
    "abwesend:",
    "réponse automatique",
    "respuesta automática",
    "risposta automatica",
    "automatisch antwoord:",
    "автоответ",
];

const UNDELIVERED: [&str; 18] = [
    "undelivered mail returned",
    "undeliverable:",
    "undeliverable mail",
    "undeliverable message",
    "delivery status notification",
    "mail delivery failed",
    "mail delivery failure",
    "mail delivery system",
    "delivery failure",
    "delivery failed",
    "failure notice",
    "returned mail:",
    "message undeliverable",
    "unzustellbar:",
    "mail delivery error",
    "non remis",
    "warning: could not send message",
    "mail system error",
];
