//! The words: one template per kind of notice, laid out as text and as HTML by two more.
//!
//! The words of a kind exist once. Its template gives paragraphs, the first of which is the subject line; the layouts
//! place them, so that text and HTML can never say different things.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use complaint_core::NotifyError;
use complaint_core::deadline::ClockKind;
use complaint_core::lifecycle::Status;
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use complaint_core::reference::Reference;

/// Marks the paragraph where the quoted words stand. Control characters, which no value may contain: nobody but a
/// template can place one.
const QUOTE: &str = "\u{1}";
/// Marks the paragraph that is the link to the complaint.
const LINK: &str = "\u{2}";

/// The words of a message, not yet laid out.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) blocks: Vec<Block>,
}

/// A piece of a letter.
#[derive(Debug)]
pub(crate) enum Block {
    Paragraph(String),
    /// What a person wrote, under a heading.
    Quote(String),
    /// The way to the complaint, under a label.
    Link(String),
}

impl Letter {
    /// The words for this notice. Every value that stands inside a sentence must have passed
    /// [`header::check`](crate::header::check).
    pub(crate) fn about(
        notice: &Notice,
        handler: Option<&str>,
        level: Option<&str>,
        zone: Option<&str>,
    ) -> Result<Self, NotifyError> {
        let facts = Facts {
            reference: notice.reference,
            subject: isolated(&notice.subject),
            handler: handler.map(isolated),
            level: level
                .map_or_else(|| format!("level {}", notice.level), |name| format!("the level “{}”", isolated(name))),
            status: notice.status,
            due: notice.due_on.map(day).or_else(|| notice.due_at.map(|at| in_words(at, zone))),
            next: notice.next_at.map(|at| in_words(at, zone)),
            deniable_until: notice.deniable_until.map(|at| in_words(at, zone)),
            owed: notice.owed,
            rated: notice.rated,
            out_of_sight: notice.out_of_sight,
            to_customer: matches!(notice.recipient, Recipient::Customer(_)),
            to_admins: notice.recipient == Recipient::Admins,
            from_above: matches!(notice.recipient, Recipient::Level { level, .. } if level > notice.level),
            clock: match notice.kind {
                NoticeKind::Warning(clock) | NoticeKind::Missed(clock) => Some(clock),
                _ => None,
            },
            quote: QUOTE,
            link: LINK,
        };
        let words = words(notice.kind, &facts)?;
        let mut paragraphs = words
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty());
        let subject = paragraphs.next().unwrap_or_default();
        let has_text = notice.text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let blocks = paragraphs
            .filter_map(|paragraph| {
                if let Some(heading) = paragraph.strip_prefix(QUOTE) {
                    has_text.then(|| Block::Quote(heading.to_owned()))
                } else if let Some(label) = paragraph.strip_prefix(LINK) {
                    Some(Block::Link(label.to_owned()))
                } else {
                    Some(Block::Paragraph(paragraph))
                }
            })
            .collect();
        Ok(Self { subject, blocks })
    }

    /// The letter as text and as HTML.
    pub(crate) fn render(
        &self,
        name: Option<&str>,
        quoted: &str,
        link: &str,
        reference: Reference,
        organisation: &str,
    ) -> Result<(String, String), NotifyError> {
        let quoted = quoted.trim();
        let text = TextLayout { letter: self, name, quoted, link, reference, organisation };
        let html = HtmlLayout { letter: self, name, quoted, link, reference, organisation };
        Ok((text.render().map_err(unrendered)?, html.render().map_err(unrendered)?))
    }
}

/// What the templates may say.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that some template asks for, and all are independent"
)]
struct Facts {
    reference: Reference,
    subject: String,
    handler: Option<String>,
    /// As in `the level “Supervisor”`, or `level 2` where it has no name.
    level: String,
    status: Status,
    due: Option<String>,
    next: Option<String>,
    deniable_until: Option<String>,
    owed: bool,
    rated: bool,
    out_of_sight: bool,
    to_customer: bool,
    to_admins: bool,
    /// Whether it goes to those above the level of the complaint, who can take it up there.
    from_above: bool,
    clock: Option<ClockKind>,
    quote: &'static str,
    link: &'static str,
}

impl Facts {
    fn clock_label(&self) -> &'static str {
        self.clock.map_or("", ClockKind::label)
    }

    /// Whether nobody has it yet.
    fn is_queued(&self) -> bool {
        self.status == Status::Queued
    }

    /// Whoever has it, for the customer.
    fn holder(&self) -> &str {
        self.handler.as_deref().unwrap_or("One of our colleagues")
    }

    /// The end of a subject line: what it is about, but for admins. Theirs has the reference for that, with which every subject
    /// begins.
    fn title(&self) -> String {
        if self.to_admins { String::new() } else { format!(": {}", self.subject) }
    }

    /// What follows the reference in a sentence.
    fn named(&self) -> String {
        if self.to_admins { String::new() } else { format!(", “{}”,", self.subject) }
    }
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct TextLayout<'a> {
    letter: &'a Letter,
    name: Option<&'a str>,
    quoted: &'a str,
    link: &'a str,
    reference: Reference,
    organisation: &'a str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct HtmlLayout<'a> {
    letter: &'a Letter,
    name: Option<&'a str>,
    quoted: &'a str,
    link: &'a str,
    reference: Reference,
    organisation: &'a str,
}

macro_rules! templates {
    ($($name:ident $path:tt)*) => {
        $(
            #[derive(Template)]
            #[template(path = $path)]
            struct $name<'a> {
                n: &'a Facts,
            }
        )*
    };
}

templates! {
    Received "received.txt"
    Acknowledged "acknowledged.txt"
    Revised "revised.txt"
    AssignedCustomer "assigned_customer.txt"
    BackInQueue "back_in_queue.txt"
    AssignedHandler "assigned_handler.txt"
    TakenAway "taken_away.txt"
    Unroutable "unroutable.txt"
    Question "question.txt"
    Answer "answer.txt"
    Message "message.txt"
    EscalatedCustomer "escalated_customer.txt"
    EscalatedHandler "escalated_handler.txt"
    OnHold "on_hold.txt"
    ApprovalWanted "approval_wanted.txt"
    Approved "approved.txt"
    SentBack "sent_back.txt"
    Decision "decision.txt"
    FinalDecision "final_decision.txt"
    RecordedForCustomer "recorded_for_customer.txt"
    AcceptedHandler "accepted_handler.txt"
    RemedyAcceptedHandler "remedy_accepted_handler.txt"
    RemedyDeclinedCustomer "remedy_declined_customer.txt"
    RemedyDeclinedHandler "remedy_declined_handler.txt"
    RemedyFulfilled "remedy_fulfilled.txt"
    RemedyFailedCustomer "remedy_failed_customer.txt"
    RemedyFailedHandler "remedy_failed_handler.txt"
    ContestedCustomer "contested_customer.txt"
    ContestedHandler "contested_handler.txt"
    Reopened "reopened.txt"
    Closed "closed.txt"
    WithdrawnCustomer "withdrawn_customer.txt"
    WithdrawnHandler "withdrawn_handler.txt"
    Reinstated "reinstated.txt"
    Dismissed "dismissed.txt"
    Merged "merged.txt"
    MergedByConsent "merged_by_consent.txt"
    EndedElsewhere "ended_elsewhere.txt"
    Unmerged "unmerged.txt"
    Referred "referred.txt"
    ReferralReturned "referral_returned.txt"
    WarningCustomer "warning_customer.txt"
    WarningStaff "warning_staff.txt"
    MissedCustomer "missed_customer.txt"
    MissedStaff "missed_staff.txt"
}

/// The table of kinds and templates.
fn words(kind: NoticeKind, n: &Facts) -> Result<String, NotifyError> {
    let rendered = match kind {
        NoticeKind::Received => Received { n }.render(),
        NoticeKind::Acknowledged => Acknowledged { n }.render(),
        NoticeKind::Revised => Revised { n }.render(),
        NoticeKind::AssignedCustomer => AssignedCustomer { n }.render(),
        NoticeKind::BackInQueue => BackInQueue { n }.render(),
        NoticeKind::AssignedHandler => AssignedHandler { n }.render(),
        NoticeKind::TakenAway => TakenAway { n }.render(),
        NoticeKind::Unroutable => Unroutable { n }.render(),
        NoticeKind::Question => Question { n }.render(),
        NoticeKind::Answer => Answer { n }.render(),
        NoticeKind::Message => Message { n }.render(),
        NoticeKind::EscalatedCustomer => EscalatedCustomer { n }.render(),
        NoticeKind::EscalatedHandler => EscalatedHandler { n }.render(),
        NoticeKind::OnHold => OnHold { n }.render(),
        NoticeKind::ApprovalWanted => ApprovalWanted { n }.render(),
        NoticeKind::Approved => Approved { n }.render(),
        NoticeKind::SentBack => SentBack { n }.render(),
        NoticeKind::Decision => Decision { n }.render(),
        NoticeKind::FinalDecision => FinalDecision { n }.render(),
        NoticeKind::RecordedForCustomer => RecordedForCustomer { n }.render(),
        NoticeKind::AcceptedHandler => AcceptedHandler { n }.render(),
        NoticeKind::RemedyAcceptedHandler => RemedyAcceptedHandler { n }.render(),
        NoticeKind::RemedyDeclinedCustomer => RemedyDeclinedCustomer { n }.render(),
        NoticeKind::RemedyDeclinedHandler => RemedyDeclinedHandler { n }.render(),
        NoticeKind::RemedyFulfilled => RemedyFulfilled { n }.render(),
        NoticeKind::RemedyFailedCustomer => RemedyFailedCustomer { n }.render(),
        NoticeKind::RemedyFailedHandler => RemedyFailedHandler { n }.render(),
        NoticeKind::ContestedCustomer => ContestedCustomer { n }.render(),
        NoticeKind::ContestedHandler => ContestedHandler { n }.render(),
        NoticeKind::Reopened => Reopened { n }.render(),
        NoticeKind::Closed => Closed { n }.render(),
        NoticeKind::WithdrawnCustomer => WithdrawnCustomer { n }.render(),
        NoticeKind::WithdrawnHandler => WithdrawnHandler { n }.render(),
        NoticeKind::Reinstated => Reinstated { n }.render(),
        NoticeKind::Dismissed => Dismissed { n }.render(),
        NoticeKind::Merged => Merged { n }.render(),
        NoticeKind::MergedByConsent => MergedByConsent { n }.render(),
        NoticeKind::EndedElsewhere => EndedElsewhere { n }.render(),
        NoticeKind::Unmerged => Unmerged { n }.render(),
        NoticeKind::Referred => Referred { n }.render(),
        NoticeKind::ReferralReturned => ReferralReturned { n }.render(),
        NoticeKind::Warning(_) if n.to_customer => WarningCustomer { n }.render(),
        NoticeKind::Warning(_) => WarningStaff { n }.render(),
        NoticeKind::Missed(_) if n.to_customer => MissedCustomer { n }.render(),
        NoticeKind::Missed(_) => MissedStaff { n }.render(),
        NoticeKind::Happened => {
            return Err(NotifyError::Never("what happened is told to programs, not in letters".to_owned()));
        }
    };
    rendered.map_err(unrendered)
}

fn unrendered(error: askama::Error) -> NotifyError {
    NotifyError::Later(Box::new(error))
}

/// A value that may run from right to left, fenced off so that it cannot reorder the sentence around it (UAX #9, 2.4.2).
/// A closing mark inside it would end the fence early, so those are doubled by an opening one.
fn isolated(value: &str) -> String {
    let directed = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if !value.chars().any(directed) {
        return value.to_owned();
    }
    let closing = value.chars().filter(|c| *c == '\u{2069}').count();
    let opening = value.chars().filter(|c| matches!(c, '\u{2066}'..='\u{2068}')).count();
    format!("{}{value}{}", "\u{2068}".repeat(1 + closing), "\u{2069}".repeat(1 + opening))
}

/// An instant as people read it: `Monday 23 November 2026, 17:00 UTC`, or in their zone if it is known.
fn in_words(at: DateTime<Utc>, zone: Option<&str>) -> String {
    let local = zone.and_then(|zone| jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok()?.in_tz(zone).ok());
    match local {
        Some(local) => local.strftime("%A %-d %B %Y, %H:%M %Z").to_string(),
        None => at.format("%A %-d %B %Y, %H:%M UTC").to_string(),
    }
}

/// A day that somebody named: the same in every zone.
fn day(date: NaiveDate) -> String {
    date.format("%A %-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_well_in_every_zone() {
        let at = "2026-11-23T17:00:00Z".parse().unwrap();
        assert_eq!(in_words(at, None), "Monday 23 November 2026, 17:00 UTC");
        assert_eq!(in_words(at, Some("Europe/Berlin")), "Monday 23 November 2026, 18:00 CET");
        assert_eq!(in_words(at, Some("No/Such")), "Monday 23 November 2026, 17:00 UTC");
    }

    #[test]
    fn text_of_another_direction_is_fenced() {
        assert_eq!(isolated("No water"), "No water");
        assert_eq!(isolated("لا ماء"), "\u{2068}لا ماء\u{2069}");
        let tricky = isolated("\u{2069}\u{202e}evil");
        assert_eq!(tricky.matches('\u{2068}').count(), tricky.matches('\u{2069}').count());
    }
}
