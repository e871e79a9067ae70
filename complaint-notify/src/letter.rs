//! The words: one template per kind of notice and language, laid out as text and as HTML by two more.
//!
//! The words of a kind exist once per language. Its template gives paragraphs, the first of which is the subject line; the layouts
//! place them, so that text and HTML can never say different things.

use askama::Template;
use complaint_core::NotifyError;
use complaint_core::deadline::ClockKind;
use complaint_core::lifecycle::Status;
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use complaint_core::reference::Reference;

use crate::address_book::Addressee;
use crate::language::{Language, Phrases};

/// Marks the paragraph where the quoted words stand. Control characters, which no value may contain: nobody but a
/// template can place one.
const QUOTE: &str = "\u{1}";
/// Marks the paragraph that is the link to the complaint.
const LINK: &str = "\u{2}";

/// The words of a letter, not yet laid out.
///
/// ```
/// use complaint_core::notice::{Notice, NoticeKind};
/// use complaint_notify::{Addressee, Letter, Letters, Phrases};
///
/// /// Receipts in French; everything else as it is.
/// struct French;
///
/// impl Letters for French {
///     fn letter(&self, notice: &Notice, to: &Addressee, _handler: Option<&str>) -> Option<Letter> {
///         let wanted = to.language.as_deref().is_some_and(|tag| tag == "fr" || tag.starts_with("fr-"));
///         if !wanted || notice.kind != NoticeKind::Received {
///             return None;
///         }
///         let letter = Letter::new("fr", "Votre réclamation nous est parvenue")
///             .paragraph(format!("Nous avons bien reçu votre réclamation {}.", notice.reference))
///             .link("Suivre votre réclamation")
///             .between(Phrases {
///                 dear: "Bonjour".into(),
///                 hello: "Bonjour".into(),
///                 comma: ",".into(),
///                 regards: "Cordialement".into(),
///                 reference: "Référence".into(),
///                 automatic: "Ce message est automatique ; les réponses ne sont pas lues.".into(),
///                 stop: "Pour ne plus recevoir de tels messages".into(),
///             });
///         Some(letter)
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Letter {
    pub(crate) language: String,
    pub(crate) right_to_left: bool,
    pub(crate) phrases: Phrases,
    pub(crate) subject: String,
    pub(crate) blocks: Vec<Block>,
}

/// Words of a host's own, in place of those of this crate.
///
/// Example: [`Letter`].
pub trait Letters: Send + Sync {
    /// The letter about a notice to somebody, in [their language](Addressee::language), or `None`: then it is ours. `handler` is the
    /// name that [`Notice::handler`] stands for.
    fn letter(&self, notice: &Notice, to: &Addressee, handler: Option<&str>) -> Option<Letter>;
}

/// A piece of a letter.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    Paragraph(String),
    /// What a person wrote, under a heading.
    Quote(String),
    /// The way to the complaint, under a label.
    Link(String),
    /// One of several things that are told, and the way to it.
    Item(String, String),
}

/// Where a letter leads.
pub(crate) struct Ways<'a> {
    /// What the reader is greeted by.
    pub(crate) name: Option<&'a str>,
    pub(crate) quoted: &'a str,
    pub(crate) link: &'a str,
    /// Of the complaint, if it is about one.
    pub(crate) reference: Option<Reference>,
    pub(crate) organisation: &'a str,
    /// Where letters like this one are stopped, if they need not be sent.
    pub(crate) stop: Option<&'a str>,
}

impl Letter {
    /// A letter without words, in a language (a BCP 47 tag), from left to right, with the phrases of that language or else of English.
    pub fn new(language: impl Into<String>, subject: impl Into<String>) -> Self {
        let language = language.into();
        let phrases = Language::of(Some(&language)).phrases();
        Self { language, right_to_left: false, phrases, subject: subject.into(), blocks: Vec::new() }
    }

    /// From right to left.
    #[must_use]
    pub fn from_right_to_left(mut self) -> Self {
        self.right_to_left = true;
        self
    }

    /// With what stands around the words.
    #[must_use]
    pub fn between(mut self, phrases: Phrases) -> Self {
        self.phrases = phrases;
        self
    }

    /// And a paragraph.
    #[must_use]
    pub fn paragraph(mut self, words: impl Into<String>) -> Self {
        self.blocks.push(Block::Paragraph(words.into()));
        self
    }

    /// And the [words of the notice](Notice::text), if it has any, as a quotation under a heading.
    #[must_use]
    pub fn quote(mut self, heading: impl Into<String>) -> Self {
        self.blocks.push(Block::Quote(heading.into()));
        self
    }

    /// And the link to the complaint, under a label.
    #[must_use]
    pub fn link(mut self, label: impl Into<String>) -> Self {
        self.blocks.push(Block::Link(label.into()));
        self
    }

    /// The words for this notice. Every value that stands inside a sentence must have passed
    /// [`header::check`](crate::header::check).
    pub(crate) fn about(
        notice: &Notice,
        handler: Option<&str>,
        level: Option<&str>,
        to: &Addressee,
    ) -> Result<Self, NotifyError> {
        let wanted = Language::of(to.language.as_deref());
        if let Some(letter) = Self::written(notice, handler, level, to, wanted)? {
            return Ok(letter);
        }
        let english = Self::written(notice, handler, level, to, Language::English)?;
        english.ok_or_else(|| NotifyError::Never("what happened is told to programs, not in letters".to_owned()))
    }

    /// The words in one language, if it has them.
    fn written(
        notice: &Notice,
        handler: Option<&str>,
        level: Option<&str>,
        to: &Addressee,
        language: Language,
    ) -> Result<Option<Self>, NotifyError> {
        let right_to_left = language.runs_from_right_to_left();
        let fenced = |value: &str| if right_to_left { fenced(value) } else { isolated(value) };
        let zone = to.zone.as_deref();
        let instant = |at| language.instant(at, zone);
        let facts = Facts {
            reference: notice.reference,
            subject: fenced(&notice.subject),
            handler: handler.map(fenced),
            level: level
                .map_or_else(|| format!("level {}", notice.level), |name| format!("the level “{}”", fenced(name))),
            status: notice.status,
            due: notice.due_on.map(|date| language.day(date)).or_else(|| notice.due_at.map(instant)),
            next: notice.next_at.map(instant),
            deniable_until: notice.deniable_until.map(instant),
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
        let words = match language {
            Language::English => words(notice.kind, &facts),
            Language::German => german(notice.kind, &facts),
            Language::Arabic => arabic(notice.kind, &facts),
        };
        let Some(words) = words.transpose().map_err(unrendered)? else { return Ok(None) };
        let mut paragraphs = words
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty());
        let mut letter = Self::new(language.tag(), paragraphs.next().unwrap_or_default());
        letter.right_to_left = right_to_left;
        letter.blocks.extend(paragraphs.map(|paragraph| {
            if let Some(heading) = paragraph.strip_prefix(QUOTE) {
                Block::Quote(heading.to_owned())
            } else if let Some(label) = paragraph.strip_prefix(LINK) {
                Block::Link(label.to_owned())
            } else {
                Block::Paragraph(paragraph)
            }
        }));
        Ok(Some(letter))
    }

    /// One letter that lists what several notices tell, by their subject lines. Each comes with the link to its complaint.
    pub(crate) fn listing(notices: &[(&Notice, Option<String>, String)], to: &Addressee) -> Result<Self, NotifyError> {
        let language = Language::of(to.language.as_deref());
        let (subject, intro) = match language {
            Language::English => ("News of the day about complaints", "Since the last such letter:"),
            Language::German => ("Neues vom Tag zu Beschwerden", "Seit dem letzten solchen Brief:"),
            Language::Arabic => ("مستجدات اليوم بشأن الشكاوى", "منذ آخر رسالة من هذا النوع:"),
        };
        let mut letter = Self::new(language.tag(), subject).paragraph(intro);
        letter.right_to_left = language.runs_from_right_to_left();
        for (notice, handler, link) in notices {
            let line = Self::about(notice, handler.as_deref(), None, to)?.subject;
            letter.blocks.push(Block::Item(format!("[{}] {line}", notice.reference), link.clone()));
        }
        Ok(letter)
    }

    /// The letter as text and as HTML.
    pub(crate) fn render(&self, ways: &Ways<'_>) -> Result<(String, String), NotifyError> {
        let quoted = ways.quoted.trim();
        // A heading over nothing is left out.
        let shown = |block: &&Block| !(quoted.is_empty() && matches!(block, Block::Quote(_)));
        let blocks: Vec<&Block> = self.blocks.iter().filter(shown).collect();
        let (letter, p, blocks) = (self, &self.phrases, blocks.as_slice());
        let text = TextLayout { p, blocks, quoted, ways }.render().map_err(unrendered)?;
        let html = HtmlLayout { letter, p, blocks, quoted, ways }.render().map_err(unrendered)?;
        Ok((text, html))
    }

    fn direction(&self) -> &'static str {
        if self.right_to_left { "rtl" } else { "ltr" }
    }

    /// On which side lines begin.
    fn start(&self) -> &'static str {
        if self.right_to_left { "right" } else { "left" }
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
    p: &'a Phrases,
    blocks: &'a [&'a Block],
    quoted: &'a str,
    ways: &'a Ways<'a>,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct HtmlLayout<'a> {
    letter: &'a Letter,
    p: &'a Phrases,
    blocks: &'a [&'a Block],
    quoted: &'a str,
    ways: &'a Ways<'a>,
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
    GermanReceived "de/received.txt"
    GermanAcknowledged "de/acknowledged.txt"
    GermanAssigned "de/assigned_customer.txt"
    GermanQuestion "de/question.txt"
    GermanMessage "de/message.txt"
    GermanDecision "de/decision.txt"
    ArabicReceived "ar/received.txt"
    ArabicAcknowledged "ar/acknowledged.txt"
    ArabicAssigned "ar/assigned_customer.txt"
    ArabicQuestion "ar/question.txt"
    ArabicMessage "ar/message.txt"
    ArabicDecision "ar/decision.txt"
}

/// The table of kinds and templates; none for what is told to programs.
fn words(kind: NoticeKind, n: &Facts) -> Option<askama::Result<String>> {
    Some(match kind {
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
        NoticeKind::Happened => return None,
    })
}

/// A sample: some of the letters to customers.
fn german(kind: NoticeKind, n: &Facts) -> Option<askama::Result<String>> {
    Some(match kind {
        NoticeKind::Received => GermanReceived { n }.render(),
        NoticeKind::Acknowledged => GermanAcknowledged { n }.render(),
        NoticeKind::AssignedCustomer => GermanAssigned { n }.render(),
        NoticeKind::Question => GermanQuestion { n }.render(),
        NoticeKind::Message if n.to_customer => GermanMessage { n }.render(),
        NoticeKind::Decision => GermanDecision { n }.render(),
        _ => return None,
    })
}

/// A sample: some of the letters to customers.
fn arabic(kind: NoticeKind, n: &Facts) -> Option<askama::Result<String>> {
    Some(match kind {
        NoticeKind::Received => ArabicReceived { n }.render(),
        NoticeKind::Acknowledged => ArabicAcknowledged { n }.render(),
        NoticeKind::AssignedCustomer => ArabicAssigned { n }.render(),
        NoticeKind::Question => ArabicQuestion { n }.render(),
        NoticeKind::Message if n.to_customer => ArabicMessage { n }.render(),
        NoticeKind::Decision => ArabicDecision { n }.render(),
        _ => return None,
    })
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
    if value.chars().any(directed) { fenced(value) } else { value.to_owned() }
}

/// The same whatever is in it: within a sentence from right to left, words from left to right are the foreign ones.
fn fenced(value: &str) -> String {
    let closing = value.chars().filter(|c| *c == '\u{2069}').count();
    let opening = value.chars().filter(|c| matches!(c, '\u{2066}'..='\u{2068}')).count();
    format!("{}{value}{}", "\u{2068}".repeat(1 + closing), "\u{2069}".repeat(1 + opening))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_another_direction_is_fenced() {
        assert_eq!(isolated("No water"), "No water");
        assert_eq!(isolated("لا ماء"), "\u{2068}لا ماء\u{2069}");
        let tricky = isolated("\u{2069}\u{202e}evil");
        assert_eq!(tricky.matches('\u{2068}').count(), tricky.matches('\u{2069}').count());
    }
}
