//! What people read: statuses, instants, time left, and what happened, in words.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use complaint_core::Policy;
use complaint_core::actor::Party;
use complaint_core::complaint::{
    Channel, CloseCause, Complaint, Entry, EscalationCause, Event, Outcome, ReleaseCause, Remedy,
};
use complaint_core::deadline::{ClockChange, ClockKind, Deadline, Ending};
use complaint_core::id::{AgentId, CategoryKey};
use complaint_core::lifecycle::{FailedGuard, Status};
use complaint_core::reference::Reference;
use complaint_core::routing::Ineligible;

use super::form::Fault;

/// An instant, to the minute, with the exact one on hover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(source = r#"<time datetime="{{ exact() }}" title="{{ exact() }}">{{ shown() }}</time>"#, ext = "html")]
pub struct When(pub DateTime<Utc>);

impl HtmlSafe for When {}

impl When {
    fn exact(self) -> String {
        self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    /// As people write it.
    pub fn shown(self) -> String {
        self.0.format("%-d %b %Y, %H:%M").to_string()
    }
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(source = r#"<time datetime="{{ self.0 }}">{{ shown() }}</time>"#, ext = "html")]
pub struct Day(pub NaiveDate);

impl HtmlSafe for Day {}

impl Day {
    /// As people write it.
    pub fn shown(self) -> String {
        self.0.format("%-d %b %Y").to_string()
    }
}

/// A word that says how things stand; the colour only repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = r#"<span class="tag tag-{{ tone }}">{{ word }}</span>"#, ext = "html")]
pub struct Tag {
    /// `run`, `wait`, `done`, `end` or `bad`.
    pub tone: &'static str,
    /// What people read.
    pub word: String,
}

impl HtmlSafe for Tag {}

impl Tag {
    /// A word in a tone.
    pub fn new(tone: &'static str, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }
}

/// A customer whose name is not known here, or not for this reader.
pub const CUSTOMER: &str = "Customer";

/// Who people are called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Agents by key.
    pub agents: BTreeMap<AgentId, String>,
    /// Admins and auditors by key.
    pub staff: BTreeMap<String, String>,
    /// The customer of the complaint at hand.
    pub customer: String,
    /// The complaint that the one at hand was joined to.
    pub joined_to: Option<Reference>,
    /// Whoever reads: called "You".
    pub reader: Option<Party>,
}

impl Names {
    /// What an agent is called.
    pub fn agent(&self, id: &AgentId) -> String {
        self.agents.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Who did something.
    pub fn party(&self, party: &Party) -> String {
        if self.reader.as_ref() == Some(party) {
            return "You".to_owned();
        }
        match party {
            // The role stands beside a name that the customer chose.
            Party::Customer(_) if self.customer == CUSTOMER => CUSTOMER.to_owned(),
            Party::Customer(_) => format!("{} (customer)", self.customer),
            Party::Agent(id) => self.agent(id),
            Party::Admin(id) | Party::Auditor(id) => {
                self.staff.get(id.as_str()).cloned().unwrap_or_else(|| "An administrator".to_owned())
            }
            Party::System => "The system".to_owned(),
        }
    }
}

/// Why an agent is not given a complaint.
pub fn unfit(reason: &Ineligible) -> String {
    match reason {
        Ineligible::Absent { until } => format!("is absent until {}", When(*until).shown()),
        Ineligible::LacksSkills { skills } => {
            let called: Vec<String> = skills.iter().map(|skill| format!("“{skill}”")).collect();
            format!("lacks the skill {}", called.join(", "))
        }
        other => other.message(),
    }
}

/// The outcome of a decision. Green is for those in which the customer was met, and only while they stand.
pub fn outcome_tag(outcome: Outcome, stands: bool) -> Tag {
    let met = stands && outcome != Outcome::NotUpheld;
    Tag::new(if met { "done" } else { "end" }, outcome.label())
}

/// The status as staff call it.
pub fn staff_status(complaint: &Complaint) -> Tag {
    Tag::new(tone(complaint.status), complaint.status.label())
}

/// The status as it is shown to the customer. `joined_to` is the reference of the complaint that survives.
pub fn customer_status(complaint: &Complaint, names: &Names, joined_to: Option<Reference>) -> Tag {
    let handler = complaint.handler.as_ref().map(|agent| names.agent(agent));
    let tone = match complaint.status {
        Status::PendingApproval | Status::AwaitingThirdParty => "run",
        Status::Resolved => "wait",
        other => tone(other),
    };
    Tag::new(tone, complaint.status_for_customer(handler.as_deref(), joined_to))
}

/// What the organisation owes the customer by its decision, beside the status: once it is accepted, or late.
pub fn owed(complaint: &Complaint) -> Option<Tag> {
    if complaint.outstanding_remedies().any(|promise| complaint.is_late(promise)) {
        return Some(Tag::new("bad", "We are late with a remedy"));
    }
    let accepted = complaint.resolution().is_some_and(|resolution| resolution.accepted_at.is_some());
    let owes = complaint.status == Status::Resolved && accepted && complaint.outstanding_remedies().next().is_some();
    owes.then(|| Tag::new("wait", "Accepted: we owe you a remedy"))
}

fn tone(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::AwaitingCustomer | Status::AwaitingThirdParty | Status::PendingApproval => "wait",
        Status::Assigned | Status::InProgress => "run",
        Status::Resolved | Status::Closed => "done",
        Status::Withdrawn | Status::Dismissed | Status::Merged | Status::Referred => "end",
    }
}

/// How much time is left, in one word and some.
pub fn time_left(deadline: &Deadline, now: DateTime<Utc>) -> Tag {
    match (deadline.ended.map(|ended| ended.how), deadline.due_at) {
        (Some(Ending::Met), _) => Tag::new("done", "Kept"),
        (Some(Ending::Late), _) => Tag::new("bad", "Kept late"),
        (Some(Ending::Cancelled), _) => Tag::new("end", "Fell away"),
        (None, None) => Tag::new("wait", "Paused"),
        (None, Some(due)) if due <= now && !is_promise(deadline) => Tag::new("end", "Over"),
        (None, Some(due)) => left(due, deadline.warn_at.map(|[early, _]| early), now),
    }
}

/// How much time is left until `due`; soon from `warn` on.
pub fn left(due: DateTime<Utc>, warn: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Tag {
    if due <= now {
        Tag::new("bad", format!("Late by {}", amount(now - due)))
    } else if warn.is_some_and(|warn| warn <= now) {
        Tag::new("wait", format!("Soon: {} left", amount(due - now)))
    } else {
        Tag::new("run", format!("{} left", amount(due - now)))
    }
}

/// Whether staff owe something by its end. When a decision can be contested no more, or a complaint closes by itself, nobody is late.
pub fn is_promise(deadline: &Deadline) -> bool {
    !matches!(deadline.clock, ClockKind::ContestWindow | ClockKind::AutoClose)
}

/// What a deadline is called; that of a remedy by the number and kind of the remedy.
pub fn deadline_name(complaint: &Complaint, deadline: &Deadline) -> String {
    let label = deadline.clock.label();
    let of_remedy = |number| complaint.remedies.iter().find(|promise| promise.number == number);
    match (deadline.clock, of_remedy(deadline.instance)) {
        (ClockKind::Remedy, Some(promise)) => format!("{label} {}", promise.numbered()),
        _ => label.to_owned(),
    }
}

/// The running promise that ends first, for lists.
pub fn nearest(complaint: &Complaint) -> Option<&Deadline> {
    complaint
        .deadlines
        .iter()
        .map(AsRef::as_ref)
        .filter(|deadline| deadline.ended.is_none() && is_promise(deadline))
        .filter(|deadline| deadline.due_at.is_some())
        .min_by_key(|deadline| deadline.due_at)
}

/// A stretch of time as people say it.
fn amount(length: TimeDelta) -> String {
    let count = |number: i64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match (length.num_days(), length.num_hours(), length.num_minutes()) {
        (days, ..) if days >= 2 => count(days, "day"),
        (_, hours, _) if hours >= 2 => count(hours, "hour"),
        (.., minutes) => count(minutes.max(1), "minute"),
    }
}

/// What a category is called.
pub fn category_name(policy: &Policy, key: &CategoryKey) -> String {
    policy.category(key).map_or_else(|| key.to_string(), |category| category.name.clone())
}

/// A failed guard as a fault of a form: `labels` gives the label of a field.
pub fn fault_of(failed: &FailedGuard, label: impl Fn(&str) -> String) -> Fault {
    match &failed.field {
        Some(field) => {
            let message = match failed.code {
                "missing" if field == "files" => "Choose at least one file.".to_owned(),
                "missing" if failed.message.starts_with('`') => {
                    sentence(&failed.message.replacen('`', "“", 1).replacen('`', "”", 1))
                }
                _ => format!("{} {}", label(field), failed.message),
            };
            Fault::of(field.clone(), format!("{}.", message.trim_end_matches('.')))
        }
        None => Fault::of("", format!("{} {}", sentence(&failed.message), sentence(&failed.remedy))),
    }
}

/// With a capital first letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    first.to_uppercase().chain(letters).collect::<String>() + end
}

/// One line of the log, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: When,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// What was typed: name and text.
    pub words: Vec<(String, String)>,
}

/// An entry of the log in words.
pub fn log_line(entry: &Entry, names: &Names, policy: &Policy) -> LogLine {
    LogLine {
        at: When(entry.at),
        who: names.party(&entry.by),
        what: happened(entry, names, policy),
        // The submission stands on the page already, as facts.
        words: if matches!(entry.event, Event::Submitted { .. }) { Vec::new() } else { words(entry) },
    }
}

fn words(entry: &Entry) -> Vec<(String, String)> {
    let mut words: Vec<(&str, &str)> = entry.words.iter().collect();
    // A decision begins with its reasons, as where it stands in full.
    words.sort_by_key(|(name, _)| *name != "explanation");
    words.into_iter().map(|(name, text)| (word_name(name), text.to_owned())).collect()
}

fn word_name(name: &str) -> String {
    let name = match name {
        "text" => "",
        "reason" => "Reason",
        "comment" => "Comment",
        "explanation" => "Explanation",
        "apology" => "Apology",
        "next_steps" => "What happens next",
        "instruction" => "Instruction",
        "evidence" => "Evidence",
        "consent" => "Consent",
        "new_evidence" => "New evidence",
        "party" => "Who must act",
        "body" => "Responsible body",
        other if other.starts_with("file.") => "File",
        other if other.starts_with("remedy.") => "How to proceed",
        other => other,
    };
    name.to_owned()
}

#[expect(clippy::too_many_lines, reason = "one arm per event")]
fn happened(entry: &Entry, names: &Names, policy: &Policy) -> String {
    let level = |level| policy.level_name(level).to_lowercase();
    let to_customer = matches!(names.reader, Some(Party::Customer(_)));
    if to_customer && let Some(said) = told(&entry.event) {
        return said;
    }
    match &entry.event {
        Event::Submitted { channel, category, .. } => {
            format!("Complaint received {}, about {}", came_in(*channel), category_name(policy, category))
        }
        Event::Acknowledged => "Receipt confirmed to the customer".to_owned(),
        Event::Triaged { category, priority, weight, .. } => format!(
            "Described anew: {}, priority {}, weight {weight}",
            category_name(policy, category),
            priority.label().to_lowercase()
        ),
        Event::Revised { category, clocks } => revised(category.as_ref(), clocks, policy, to_customer),
        Event::Assigned { agent, routing } => {
            let how = if routing.by_hand { "by hand " } else { "" };
            format!("Given {how}to {}", names.agent(agent))
        }
        Event::Declined { agent } => format!("{} will not take it", names.agent(agent)),
        Event::Released { agent, cause } => {
            let why = match cause {
                ReleaseCause::ByHand => "",
                ReleaseCause::NotBegun => ", who did not begin in time",
                ReleaseCause::HandlerGone => ", who is away",
            };
            format!("Back to the queue from {}{why}", names.agent(agent))
        }
        Event::Reassigned { from, to, .. } => {
            format!("Given from {} to {}", names.agent(from), names.agent(to))
        }
        Event::Begun => "Work has begun".to_owned(),
        Event::Asked => "Question to the customer".to_owned(),
        Event::Answered { .. } => "Answer of the customer".to_owned(),
        Event::Held { until } => format!("Waiting for a third party until {}", Day(*until).shown()),
        Event::Resumed => "Work goes on".to_owned(),
        Event::Escalated { causes, .. } => {
            let why: Vec<String> = causes.iter().map(|cause| because(cause, to_customer)).collect();
            let how = if to_customer { "Somebody higher up takes over:" } else { "Escalated to" };
            format!("{how} {} ({})", level(entry.place.level), why.join("; "))
        }
        Event::HandedBack { .. } => format!("Handed back to {}", level(entry.place.level)),
        Event::Proposed { outcome, remedies, .. } => {
            format!("Resolution proposed: {}{}", outcome.label().to_lowercase(), with_remedies(remedies))
        }
        Event::SentBack => "Proposal sent back".to_owned(),
        Event::Resolved { outcome, remedies, by, approved_by, .. } => {
            let approved =
                approved_by.as_ref().map_or(String::new(), |agent| format!(", approved by {}", names.agent(agent)));
            let with = with_remedies(remedies);
            format!("Resolved: {}{with} (decided by {}{approved})", outcome.label().to_lowercase(), names.agent(by))
        }
        Event::Accepted { .. } => "Decision accepted".to_owned(),
        Event::RemedyAccepted { remedy } => format!("Remedy {remedy} accepted"),
        Event::RemedyDeclined { remedy } => format!("Remedy {remedy} declined"),
        Event::RemedyFailed { remedy } if matches!(entry.by, Party::Customer(_)) => {
            format!("Remedy {remedy} did not arrive")
        }
        Event::RemedyFailed { remedy } => format!("Remedy {remedy} failed: not delivered, or not arrived"),
        Event::RemedyFulfilled { remedy, on } => {
            format!("Remedy {remedy} delivered on {}", Day(*on).shown())
        }
        Event::Contested { new_evidence, .. } => {
            let with = if *new_evidence { " with new evidence" } else { "" };
            format!("Decision contested{with}; goes to {}", level(entry.place.level))
        }
        Event::Reopened => "Opened again by a supervisor".to_owned(),
        Event::Closed { cause } => closed(*cause).to_owned(),
        Event::Rated { score, anonymous, .. } => {
            format!("Rated {score} of 5{}", if *anonymous { ", anonymously" } else { "" })
        }
        Event::RatingAnonymised { .. } => "Rating made anonymous".to_owned(),
        Event::Withdrawn => "Withdrawn".to_owned(),
        Event::Reinstated => "Taken up again".to_owned(),
        Event::Dismissed { reason, .. } => format!("Not taken up: {}", reason.label().to_lowercase()),
        Event::Merged { by_consent, unanswered, .. } => joined(*by_consent, *unanswered, names, to_customer),
        Event::EndedElsewhere { how } => {
            format!("The complaint that this one goes on with ended: {}", how.label().to_lowercase())
        }
        Event::Absorbed { customer: Some(_), .. } => {
            "A complaint of another customer, who agreed, was joined to this one; neither is told of the other"
                .to_owned()
        }
        Event::Absorbed { .. } => "Another complaint was joined to this one".to_owned(),
        Event::Separated { .. } => "A complaint joined to this one stands by itself again".to_owned(),
        Event::Unmerged => "Taken apart again".to_owned(),
        Event::Referred => "Passed to the body that is responsible".to_owned(),
        Event::ReferralReturned => "Taken back from the other body".to_owned(),
        Event::Posted { .. } => "Message".to_owned(),
        Event::Noted => "Internal note".to_owned(),
        Event::Attached { attachments } => match attachments.len() {
            1 => "A file added".to_owned(),
            count => format!("{count} files added"),
        },
        Event::Read => "The customer's messages were read".to_owned(),
        Event::Warned { clock, percent } => {
            format!("Warning: {percent} % of the time for “{}” are used", timed(entry, *clock))
        }
        Event::Rebased { policy_version } => format!("Deadlines follow policy version {policy_version} now"),
        Event::Alarmed { clock } => format!("Alarm: the time for “{}” ran out", timed(entry, *clock)),
    }
}

fn joined(by_consent: bool, unanswered: bool, names: &Names, to_customer: bool) -> String {
    let to = names.joined_to.map(|survivor| format!(" to {survivor}")).unwrap_or_default();
    let question = if unanswered { "; the question that was open needs no answer any more" } else { "" };
    match by_consent {
        false => format!("Joined{to}{question}"),
        true if to_customer => format!("Joined to a complaint of somebody else, as you agreed{question}"),
        true => format!("Joined{to}, of another customer, with the consent of this one{question}"),
    }
}

fn closed(cause: CloseCause) -> &'static str {
    match cause {
        CloseCause::Accepted => "Closed: the decision was accepted",
        CloseCause::RemediesFulfilled => "Closed: the last remedy was delivered",
        CloseCause::RemediesDeclined => "Closed: the last remedy was declined",
        CloseCause::AcceptanceWindowOver => "Closed: no objection in the time given",
        CloseCause::ByHand => "Closed by a supervisor",
    }
}

/// As it follows an outcome: `, with refund of 12.50 EUR, apology`.
fn with_remedies(remedies: &[Remedy]) -> String {
    let called: Vec<String> = remedies
        .iter()
        .map(|remedy| {
            let words = remedy.in_words();
            let mut letters = words.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        })
        .collect();
    if called.is_empty() { String::new() } else { format!(", with {}", called.join(", ")) }
}

/// What a clock measures, for staff; of several remedies, which.
fn timed(entry: &Entry, clock: ClockKind) -> String {
    let label = clock.label().to_lowercase();
    match told_of_remedy(entry, clock) {
        Some(number) => format!("{label} {number}"),
        None => label,
    }
}

/// Which remedy a warning or an alarm is about, if it is about one.
fn told_of_remedy(entry: &Entry, clock: ClockKind) -> Option<u32> {
    entry.clocks.iter().find_map(|change| match change {
        ClockChange::Warned { clock: kind, instance, .. } | ClockChange::Missed { clock: kind, instance } => {
            (clock == ClockKind::Remedy && *kind == clock).then_some(*instance)
        }
        _ => None,
    })
}

/// The way a complaint came in, as it follows “received”.
pub fn came_in(channel: Channel) -> &'static str {
    match channel {
        Channel::Web => "through our website",
        Channel::Api => "through a program that is connected to ours",
        Channel::Email => "by e-mail",
        Channel::Phone => "by phone",
        Channel::Counter => "at a counter",
        Channel::Letter => "by letter",
        Channel::SocialMedia => "through social media",
        Channel::Open311 => "through a reporting app (Open311)",
        Channel::Import => "from another system",
    }
}

/// What staff are told of the customer, in words to the customer.
fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Acknowledged => "We confirmed that we have it".to_owned(),
        Event::Asked => "Our question to you".to_owned(),
        Event::Answered { .. } => "Your answer".to_owned(),
        Event::Warned { clock: ClockKind::Silence, .. } => "A reminder that we need your answer".to_owned(),
        Event::Warned { .. } => "A reminder to accept or contest our decision".to_owned(),
        Event::Alarmed { clock } => format!("We missed the date for {}", awaited(*clock)),
        _ => return None,
    })
}

/// What the end of a clock is the date of, in words to the customer.
fn awaited(clock: ClockKind) -> &'static str {
    match clock {
        ClockKind::Acknowledgement => "confirming that we have it",
        ClockKind::FirstResponse => "our first answer",
        ClockKind::Resolution => "our decision",
        ClockKind::Statutory => "our final answer",
        ClockKind::Remedy => "what we promised you",
        ClockKind::Silence => "your answer",
        ClockKind::ContestWindow => "contesting the decision",
        ClockKind::AutoClose => "closing the complaint",
        ClockKind::Level | ClockKind::Acceptance | ClockKind::Approval => "our work on it",
    }
}

fn because(cause: &EscalationCause, to_customer: bool) -> String {
    match cause {
        EscalationCause::Customer if to_customer => "you asked for it".to_owned(),
        EscalationCause::Handler => "asked for by the handler".to_owned(),
        EscalationCause::Supervisor => "asked for by a supervisor".to_owned(),
        EscalationCause::Customer => "asked for by the customer".to_owned(),
        // How long a level has is the house's own business.
        EscalationCause::Clock(clock) if to_customer && !clock.concerns_customer() => "it took us too long".to_owned(),
        EscalationCause::Clock(clock) if to_customer => format!("we missed the date for {}", awaited(*clock)),
        EscalationCause::Clock(clock) => format!("time for “{}” ran out", clock.label().to_lowercase()),
    }
}

fn revised(category: Option<&CategoryKey>, clocks: &[ClockKind], policy: &Policy, to_customer: bool) -> String {
    let about = category.map(|key| format!("it is about {} now", category_name(policy, key)));
    let called =
        |clock: &ClockKind| if to_customer { awaited(*clock).to_owned() } else { clock.label().to_lowercase() };
    let clocks: Vec<String> = clocks.iter().map(called).collect();
    let dates = (!clocks.is_empty()).then(|| format!("other dates apply to {}", clocks.join(", ")));
    let changed: Vec<String> = about.into_iter().chain(dates).collect();
    format!("What was told has changed: {}", changed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn instants_are_short_with_the_exact_one_at_hand() {
        assert_eq!(
            When(at("2026-11-23T09:05:07.123456Z")).to_string(),
            "<time datetime=\"2026-11-23T09:05:07.123456Z\" title=\"2026-11-23T09:05:07.123456Z\">23 Nov 2026, 09:05</time>"
        );
    }

    #[test]
    fn time_left_is_said_in_words() {
        let now = at("2026-11-23T09:00:00Z");
        let said = |due: &str, warn: &str| {
            let tag = left(at(due), Some(at(warn)), now);
            (tag.tone, tag.word)
        };
        assert_eq!(said("2026-11-26T10:00:00Z", "2026-11-25T10:00:00Z"), ("run", "3 days left".to_owned()));
        assert_eq!(said("2026-11-23T12:30:00Z", "2026-11-23T08:00:00Z"), ("wait", "Soon: 3 hours left".to_owned()));
        assert_eq!(said("2026-11-23T08:59:00Z", "2026-11-23T08:00:00Z"), ("bad", "Late by 1 minute".to_owned()));
    }

    #[test]
    fn a_customer_is_not_told_of_the_clocks_of_the_house() {
        let level = EscalationCause::Clock(ClockKind::Level);
        assert_eq!(because(&level, true), "it took us too long");
        assert_eq!(because(&level, false), "time for “this level” ran out");
        let resolution = EscalationCause::Clock(ClockKind::Resolution);
        assert_eq!(because(&resolution, true), "we missed the date for our decision");
        assert_eq!(because(&resolution, false), "time for “resolution” ran out");
        assert_eq!(because(&EscalationCause::Customer, true), "you asked for it");
        let late = Event::Alarmed { clock: ClockKind::Resolution };
        assert_eq!(told(&late).as_deref(), Some("We missed the date for our decision"));
    }

    #[test]
    fn fragments_become_sentences() {
        assert_eq!(sentence("it is closed"), "It is closed.");
        assert_eq!(sentence(""), "");
    }
}
