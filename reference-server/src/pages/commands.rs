//! Forms for the commands of the lifecycle, made from the table: which fields a command reads, and who may give it.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use complaint_core::actor::{Actor, Party};
use complaint_core::complaint::{Complaint, DismissalReason, Feedback, Priority, RemedyKind, RemedyPromise};
use complaint_core::deadline::ClockKind;
use complaint_core::id::Version;
use complaint_core::lifecycle::{Command, CommandName, Field as Wanted, Refusal, RefusalCategory, Status};
use complaint_core::money::Money;
use complaint_core::policy::Policy;
use complaint_core::routing::{Need, Roster, route};
use complaint_core::text::TEXT_MAX;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::form::{Choice, Control, Fault, Field, Kept, Summary, Typed, filled};
use super::words::{Names, fault_of, sentence, unfit};
use super::{complaint_address, upload};
use crate::api::commands::in_our_words;
use crate::api::view::outcomes;
use crate::auth::Viewer;
use crate::error::Problem;

/// How many remedies a form offers to fill in. More are added by sending the complaint through the API.
const REMEDY_ROWS: usize = 3;
/// What staff read before they speak for the customer.
const RECORDED: &str = "The customer told you so, by phone or letter. They get a mail that names you and your ground, and time to object; it does not close the complaint at once.";

/// A command that was tried and refused: what was typed, and why not.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which.
    pub command: CommandName,
    /// What was typed; put back into the form.
    pub typed: Typed,
    /// What was wrong.
    pub faults: Vec<Fault>,
    /// The status of the answer.
    pub status: StatusCode,
    /// Whether somebody changed the complaint meanwhile.
    pub stale: bool,
}

/// A form for one command.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/command.html")]
#[expect(clippy::struct_excessive_bools, reason = "each switches another part of the template")]
pub struct CommandForm {
    /// Which command; also makes the ids of its fields unique.
    pub name: &'static str,
    /// What people read on the fold and the button.
    pub label: String,
    /// What it does, where that is not plain.
    pub intro: String,
    /// Where it is posted to.
    pub action: String,
    /// The version that was looked at, where it matters.
    pub version: Option<u64>,
    /// Under which it is done once, however often it is sent.
    pub key: Option<String>,
    /// What is asked.
    pub fields: Vec<Field>,
    /// What was wrong the last time.
    pub summary: Summary,
    /// Whether it cannot easily be taken back.
    pub danger: bool,
    /// Whether it is unfolded.
    pub open: bool,
    /// Whether it is folded at all.
    pub folded: bool,
    /// Whether files are sent.
    pub files: bool,
}

impl HtmlSafe for CommandForm {}

/// What forms are made from.
pub struct Scene<'a> {
    /// The complaint.
    pub complaint: &'a Complaint,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Who would act.
    pub actor: &'a Actor,
    /// The same, as who looks at the page.
    pub reader: &'a Viewer,
    /// The agents there are.
    pub roster: &'a Roster,
    /// Who people are called.
    pub names: &'a Names,
    /// The present instant.
    pub now: DateTime<Utc>,
    /// What was tried before.
    pub attempt: Option<&'a Attempt>,
    /// The page on which the forms stand, if what is sent from it twice is to be done once.
    pub page: Option<Uuid>,
}

impl Scene<'_> {
    fn is_customer(&self) -> bool {
        matches!(self.actor.party(), Party::Customer(_))
    }

    /// The form of a command.
    pub fn form(&self, command: CommandName) -> CommandForm {
        let attempt = self.attempt.filter(|attempt| attempt.command == command);
        let fields: Vec<Field> = command
            .fields()
            .iter()
            .filter(|wanted| self.asks(command, **wanted))
            .map(|wanted| self.field(command, *wanted).within(command.name()))
            .collect();
        let (typed, faults) = attempt.map_or((None, &[][..]), |attempt| (Some(&attempt.typed), &attempt.faults[..]));
        let fields = filled(fields, typed, faults);
        let at_once = matches!(command, CommandName::Begin | CommandName::Acknowledge | CommandName::Read);
        let files = command.takes_files();
        let reference = self.complaint.reference;
        CommandForm {
            name: command.name(),
            label: self.label(command),
            intro: self.intro(command),
            action: if command == CommandName::Attach {
                complaint_address(self.reader, reference, "/attachments", &[])
            } else {
                complaint_address(self.reader, reference, &format!("/commands/{command}"), &[])
            },
            version: minds_version(command).then(|| self.complaint.version_for(self.actor).get()),
            key: self.page.map(|page| format!("{page}-{command}")),
            summary: Summary::of(faults, &fields),
            fields,
            danger: is_grave(command),
            open: attempt.is_some(),
            folded: !at_once,
            files,
        }
    }

    /// What a command is called on its button.
    pub fn label(&self, command: CommandName) -> String {
        let own = match (command, self.is_customer()) {
            (CommandName::Answer, true) => "Send the answer",
            (CommandName::Escalate, true) => "Ask for somebody higher up",
            (CommandName::Rate, true) if self.rating().is_some() => "Change your rating",
            (CommandName::Rate, true) => "Rate how we dealt with it",
            (CommandName::Withdraw, true) => "Withdraw the complaint",
            (CommandName::Reinstate, true) => "Take it up again",
            (CommandName::Attach, true) => "Add files",
            (CommandName::AcceptRemedy, true) => "Accept one remedy",
            (CommandName::DeclineRemedy, true) => "Decline one remedy",
            (CommandName::FailRemedy, true) => "I did not receive it",
            (CommandName::AnonymiseRating, true) => "Take my name off the rating",
            (CommandName::AnonymiseRating, false) => "Take the customer's name off the rating",
            (CommandName::AcceptRemedy, false) => "Record that the customer accepts a remedy",
            (CommandName::DeclineRemedy, false) => "Record that the customer declines a remedy",
            (CommandName::Accept, false) => "Record that the customer accepts",
            (CommandName::Answer, false) => "Record the customer's answer",
            (CommandName::Assign, false) if self.takes_for_themself() => "Take it",
            (CommandName::Escalate, false) => "Escalate to the next level",
            (CommandName::Triage, false) => "Change category, priority or skills",
            (CommandName::HandBack, false) => "Hand back to the level below",
            (CommandName::Merge, false) => "Join to another complaint",
            (CommandName::Unmerge, true) => "Take it apart",
            (CommandName::Refer, false) => "Pass to another body",
            (CommandName::Dismiss, false) => "Do not take up",
            _ => command.label(),
        };
        own.to_owned()
    }

    fn intro(&self, command: CommandName) -> String {
        let by_customer = self.is_customer();
        match command {
            CommandName::Accept if by_customer => {
                match kept_open(self.complaint) {
                    Some(why) => format!("You agree with the decision. {why}"),
                    None => "You agree with the decision, and the complaint closes.".into(),
                }
            }
            CommandName::AcceptRemedy if by_customer => {
                "You want it, whatever you think of the decision. If you contest that before it is delivered, it falls with it."
                    .into()
            }
            CommandName::DeclineRemedy if by_customer => {
                "You do not want it, and we owe it to you no longer. The decision itself stands.".into()
            }
            CommandName::AcceptRemedy | CommandName::DeclineRemedy => {
                RECORDED.into()
            }
            CommandName::FailRemedy if by_customer => {
                "We recorded it as delivered. If it has not reached you, we owe it to you again and see to it.".into()
            }
            CommandName::FailRemedy => {
                "The customer and a supervisor are told. It stays owed, and the customer may contest the decision anew."
                    .into()
            }
            CommandName::AnonymiseRating if by_customer => {
                "Those who dealt with it no longer see that you rated it. It cannot be undone.".into()
            }
            CommandName::AnonymiseRating => {
                "Agents and auditors no longer see the rating; figures go on counting it. It cannot be undone.".into()
            }
            CommandName::Contest => {
                let level = self.complaint.level.above().min(self.policy.last_level());
                // A failed remedy is what many contest for, and no loss to them.
                let falls = self.complaint.outstanding_remedies().any(|promise| promise.failed.is_none());
                let loss = if falls {
                    " What we promised with it and have not delivered falls with it: the new decision says what you get."
                } else {
                    ""
                };
                format!(
                    "{} looks at it anew; nobody who decided before takes part.{loss} Say what is wrong with the decision.",
                    with_article(self.policy.level_name(level))
                )
            }
            CommandName::Withdraw => {
                let ends = if self.complaint.status != Status::Resolved {
                    "We stop working on it and you get no decision."
                } else if self.complaint.outstanding_remedies().next().is_some() {
                    "The complaint ends, and you no longer get what we promised you."
                } else {
                    "The complaint ends, whether or not you agree with our decision."
                };
                format!("{ends} You can take it up again within {}.", self.policy.reinstate_window)
            }
            CommandName::Escalate if by_customer => {
                "We have not kept a promise to you. Somebody one level higher takes over.".into()
            }
            CommandName::Reinstate => "We go on where we stopped.".into(),
            CommandName::Dismiss => "The complaint ends here. The customer gets your text and may contest it.".into(),
            CommandName::Refer => "The complaint ends here. The customer gets your text as written notice.".into(),
            CommandName::Merge => "This one ends; work goes on at the other one.".into(),
            CommandName::Decline => "It goes back to the queue and does not come to you again at this level.".into(),
            CommandName::Release => "It goes back to the queue; the router looks for somebody else.".into(),
            CommandName::Escalate => match &self.complaint.handler {
                Some(handler) if self.actor.agent_id() != Some(handler) => {
                    format!("It is taken from {} and goes to the next level.", self.names.agent(handler))
                }
                Some(_) => "It leaves your hands and goes to the next level.".into(),
                None => "It goes to the next level.".into(),
            },
            CommandName::Close => {
                "The customer has not answered; the complaint ends with the decision as it is.".into()
            }
            CommandName::Resolve => "The customer gets this as the decision and may accept or contest it.".into(),
            CommandName::Propose => "A second person approves it before the customer gets it.".into(),
            CommandName::Approve => self.complaint.proposal.as_ref().map_or_else(String::new, |proposal| {
                format!("The proposal of {} becomes the decision.", self.names.agent(&proposal.by))
            }),
            CommandName::ResolveAtSource => "The customer has told you that they are satisfied.".into(),
            CommandName::Accept => RECORDED.into(),
            CommandName::Answer if !by_customer => "What the customer told you, by phone or letter.".into(),
            CommandName::Unmerge if by_customer => {
                "It goes on with a complaint of somebody else, as you agreed. Taken apart, we handle it on its own again.".into()
            }
            CommandName::Unmerge => "It becomes a complaint of its own again.".into(),
            CommandName::Note => "Only staff see it.".into(),
            CommandName::Attach if by_customer && self.complaint.question.is_some() => {
                "Files that you add here do not answer our question; send those that do with your answer.".into()
            }
            CommandName::Ask => {
                "The customer gets your question; the clocks of our promises pause until they answer.".into()
            }
            _ => String::new(),
        }
    }

    /// What the customer said of the latest decision.
    fn rating(&self) -> Option<&Feedback> {
        let latest = self.complaint.resolutions.len();
        self.complaint.feedback.iter().find(|given| given.resolution as usize == latest)
    }

    fn takes_for_themself(&self) -> bool {
        self.actor.agent_id().is_some() && !self.actor.is_supervisor()
    }

    fn asks(&self, command: CommandName, wanted: Wanted) -> bool {
        match wanted {
            Wanted::OptionalAgent => !(command == CommandName::Assign && self.takes_for_themself()),
            Wanted::Cause => self.policy.causes.iter().any(|cause| cause.active),
            // To agree takes no words of the customer.
            Wanted::OptionalReason => {
                !(self.is_customer() && matches!(command, CommandName::Accept | CommandName::AcceptRemedy))
            }
            _ => true,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per field, in the order of the enumeration")]
    fn field(&self, command: CommandName, wanted: Wanted) -> Field {
        let (name, label) = (wanted.name(), self.asked(command, wanted));
        let field = match wanted {
            Wanted::Text
            | Wanted::OptionalText
            | Wanted::Reason
            | Wanted::OptionalReason
            | Wanted::Comment
            | Wanted::OptionalComment
            | Wanted::Explanation
            | Wanted::Apology
            | Wanted::NextSteps
            | Wanted::Instruction
            | Wanted::Evidence
            | Wanted::Consent
            | Wanted::NewEvidence => Field::area(name, label).max(TEXT_MAX),
            Wanted::Party | Wanted::Body | Wanted::Area => Field::line(name, label),
            Wanted::Skills => Field::line(name, label)
                .hint(format!("Separated by commas. Now: {}.", list(self.complaint.skills.iter()))),
            Wanted::Into => Field::line(name, label).max(40),
            Wanted::Until | Wanted::On => Field::date(name, label),
            Wanted::Weight => Field::new(name, label, Control::Line("number"))
                .hint(format!("What it adds to a workload. Now: {}.", self.complaint.weight)),
            Wanted::OverCapacity | Wanted::Anonymous => Field::new(name, label, Control::Tick(false)),
            Wanted::Cause => {
                let active = self.policy.causes.iter().filter(|cause| cause.active);
                let choices = active.map(|cause| Choice::new(&cause.key, &cause.name, ""));
                Field::new(name, label, Control::Select(optional("Choose …", choices)))
            }
            Wanted::Outcome => {
                let choices = outcomes().map(|outcome| Choice::new(outcome.name(), outcome.label(), "")).collect();
                Field::new(name, label, Control::Radios(choices))
            }
            Wanted::Score => {
                let words = ["very bad", "bad", "so so", "good", "very good"];
                let choices = words
                    .iter()
                    .enumerate()
                    .map(|(at, word)| Choice::new(at + 1, format!("{} {word}", at + 1), ""))
                    .collect();
                Field::new(name, label, Control::Radios(choices))
            }
            Wanted::Dismissal => {
                let choices = DismissalReason::ALL.iter().map(|reason| Choice::new(reason.name(), reason.label(), ""));
                Field::new(name, label, Control::Select(optional("Choose …", choices)))
            }
            Wanted::Category => {
                let active = self.policy.categories.iter().filter(|category| category.active);
                let choices = active.map(|category| Choice::new(&category.key, &category.name, ""));
                Field::new(name, label, Control::Select(optional("As it is", choices)))
            }
            Wanted::Priority => {
                let choices = Priority::ALL.iter().map(|priority| Choice::new(priority.name(), priority.label(), ""));
                Field::new(name, label, Control::Select(optional("As it is", choices)))
            }
            Wanted::Remedy => {
                let possible = self
                    .complaint
                    .remedies_for(command, self.actor)
                    .map(|promise| Choice::new(promise.number, promise.numbered(), ""));
                let mut choices: Vec<Choice> = possible.collect();
                // A single one is chosen already.
                if choices.len() > 1 {
                    choices = optional("Choose …", choices.into_iter());
                }
                Field::new(name, label, Control::Select(choices)).required()
            }
            Wanted::Agent | Wanted::OptionalAgent => {
                let first = if wanted == Wanted::Agent { "Choose …" } else { "Whom the router finds" };
                Field::new(name, label, Control::Select(optional(first, self.candidates().into_iter())))
            }
            Wanted::Remedies => {
                let rows = (0..REMEDY_ROWS).map(remedy_row).collect();
                Field::new(name, label, Control::Set(rows))
                    .hint("Money back and compensation need an amount. Leave out what you do not need.")
            }
            Wanted::Files | Wanted::OptionalFiles => upload::field(name, label),
        };
        let is_due = self.complaint.requires(command, wanted, self.actor, self.policy);
        let field = match wanted {
            Wanted::Apology => field.when("if upheld, even in part").hint("The customer reads it."),
            Wanted::OptionalText => field.when("or send files"),
            Wanted::Consent => field.when("only where the other complaint is of another customer").hint(
                "What they agreed to, and how you know. They read it: do not name the other customer. Neither is told who the other is.",
            ),
            Wanted::NextSteps => field.hint("What the customer has to do, and what they will get when."),
            Wanted::Cause => field.hint("Why it went wrong, as we see it. The customer does not read it."),
            Wanted::Anonymous => {
                field.hint("It counts all the same; those who dealt with your complaint do not see it.")
            }
            Wanted::Reason if command == CommandName::FailRemedy && !self.is_customer() => {
                field.hint("The customer reads it.")
            }
            // Sent without it, the refusal says whose word is final and where else one can go: more than a browser would say.
            Wanted::NewEvidence if is_due => return field.when("needed, as the last level has decided"),
            Wanted::OptionalReason if is_due => field.hint("The customer reads it."),
            Wanted::Reason if command == CommandName::Reassign => field.hint("Both agents and the log get it."),
            // Whoever changes a rating begins with the one there is.
            Wanted::Score => match self.rating() {
                Some(given) => field.value(given.score),
                None => field,
            },
            Wanted::OptionalComment if command == CommandName::Rate => {
                match self.rating().and_then(|given| given.comment.as_deref()) {
                    Some(comment) => field.value(comment),
                    None => field,
                }
            }
            _ => field,
        };
        if is_due { field.required() } else { field }
    }

    fn asked(&self, command: CommandName, wanted: Wanted) -> String {
        let own = match (command, wanted, self.is_customer()) {
            (CommandName::Contest, Wanted::Reason, _) => "What is wrong with the decision?",
            (CommandName::FailRemedy, Wanted::Reason, true) => "What has not reached you?",
            (CommandName::FailRemedy, Wanted::Reason, false) => {
                "Why could it not be delivered, or how do you know that it did not arrive?"
            }
            (
                CommandName::Accept | CommandName::AcceptRemedy | CommandName::DeclineRemedy,
                Wanted::OptionalReason,
                false,
            ) => "How do you know that they said so?",
            (CommandName::DeclineRemedy, Wanted::OptionalReason, true) => "Why do you not want it?",
            (CommandName::Withdraw, Wanted::OptionalReason, true) => "Why do you withdraw it?",
            (CommandName::Escalate, Wanted::Reason, true) => "What should somebody else look at?",
            (CommandName::Answer, Wanted::OptionalText, true) => "Your answer",
            (CommandName::Answer, Wanted::OptionalText, false) => "What the customer said",
            (CommandName::Rate, Wanted::Score, _) => "How did we deal with it?",
            (CommandName::Rate, Wanted::OptionalComment, true) => "What was good, what was not?",
            (CommandName::Post, Wanted::OptionalText, true) => "Your message",
            (CommandName::Post, Wanted::OptionalText, false) => "Message to the customer",
            (CommandName::Ask, Wanted::Text, _) => "Question to the customer",
            (CommandName::Note, Wanted::Text, _) => "Internal note",
            (CommandName::Dismiss | CommandName::Refer, Wanted::Text, _) => "Text for the customer",
            _ => wanted.label(),
        };
        own.to_owned()
    }

    /// Every agent of the level with their place in the router's ranking, or why they do not fit.
    fn candidates(&self) -> Vec<Choice> {
        let routing = route(&Need::of(self.complaint), self.roster, self.now);
        routing
            .candidates
            .iter()
            .filter(|candidate| self.complaint.handler.as_ref() != Some(&candidate.agent))
            .map(|candidate| {
                let name = self.names.agent(&candidate.agent);
                let load = format!("{} of {}", candidate.workload, candidate.capacity);
                let label = if let Some(rank) = candidate.rank {
                    format!("{rank}. {name} ({load})")
                } else {
                    let reasons: Vec<String> = candidate.reasons.iter().map(unfit).collect();
                    format!("{name} ({load}) – {}", reasons.join(", "))
                };
                Choice::new(&candidate.agent, label, "")
            })
            .collect()
    }

    /// What was typed into a form that the page does not have any more, in the words of that form.
    pub fn kept(&self, attempt: &Attempt) -> Vec<Kept> {
        let mut left: Vec<Field> = self.form(attempt.command).fields;
        let mut kept = Vec::new();
        while !left.is_empty() {
            let field = left.remove(0);
            let text = match field.control {
                Control::Set(fields) => {
                    left.splice(0..0, fields);
                    continue;
                }
                Control::Line(_) | Control::Area => field.value,
                Control::Select(choices) | Control::Radios(choices) => {
                    let chosen = choices.into_iter().find(|choice| choice.chosen && !choice.value.is_empty());
                    chosen.map(|choice| choice.label).unwrap_or_default()
                }
                Control::Tick(ticked) => if ticked { "yes" } else { "" }.to_owned(),
                Control::Files(_) => String::new(),
            };
            if !text.trim().is_empty() {
                kept.push(Kept { name: field.name, label: field.label, text });
            }
        }
        kept
    }

    /// A refusal as an attempt that its form shows.
    pub fn refused(&self, refusal: &Refusal, typed: Typed, rows: &[usize]) -> Attempt {
        let command = refusal.command;
        let stale = refusal.category() == RefusalCategory::Stale;
        // What somebody else changed meanwhile the banner says; versions are for programs.
        let faults = refusal
            .failed
            .iter()
            .filter(|_| !stale)
            .map(|failed| {
                let mut fault = fault_of(failed, |field| self.label_of_input(command, field));
                if let Some((at, rest)) = fault.field.strip_prefix("remedies.").and_then(|rest| rest.split_once('.')) {
                    let row = at.parse::<usize>().ok().and_then(|at| rows.get(at).copied());
                    fault.field = format!("remedies.{}.{rest}", row.unwrap_or_default());
                }
                fault
            })
            .collect();
        let status = match refusal.category() {
            RefusalCategory::Stale => StatusCode::CONFLICT,
            RefusalCategory::Forbidden => StatusCode::FORBIDDEN,
            RefusalCategory::State | RefusalCategory::Input => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Attempt { command, typed, faults, status, stale }
    }

    fn label_of_input(&self, command: CommandName, field: &str) -> String {
        if let Some(rest) = field.strip_prefix("remedies.") {
            let part = rest.split('.').nth(1).unwrap_or_default();
            return match part {
                "amount" => "The amount of a remedy",
                "due_on" => "The day of a remedy",
                "instructions" => "How to proceed",
                _ => "A remedy",
            }
            .to_owned();
        }
        let wanted = command.fields().iter().find(|wanted| wanted.name() == field);
        wanted.map_or_else(
            || sentence(field).trim_end_matches('.').to_owned(),
            |wanted| match self.asked(command, *wanted) {
                question if question.ends_with('?') => "Your answer".to_owned(),
                label => label,
            },
        )
    }
}

/// What is said when a command was done.
pub fn confirmation(command: CommandName, by_customer: bool) -> &'static str {
    match command {
        CommandName::Submit | CommandName::FollowUp => "The complaint is handed in.",
        CommandName::Acknowledge => "The receipt is confirmed to the customer.",
        CommandName::Triage => "The changes are saved.",
        CommandName::Assign => "It has a handler now.",
        CommandName::Decline => "You have declined it.",
        CommandName::Release => "It is back in the queue.",
        CommandName::Reassign => "It has another handler now.",
        CommandName::Begin => "You have begun.",
        CommandName::Ask => "Your question is sent.",
        CommandName::Answer if by_customer => "Your answer is sent.",
        CommandName::Answer => "The customer's answer is recorded.",
        CommandName::Hold => "It waits for somebody else now.",
        CommandName::Resume => "Work goes on.",
        CommandName::Escalate if by_customer => "Somebody higher up takes over.",
        CommandName::Escalate => "It is escalated to the next level.",
        CommandName::HandBack => "It is handed back to the level below.",
        CommandName::Propose => "Your proposal waits for approval.",
        CommandName::Approve => "The proposal is approved, and the customer has the decision.",
        CommandName::SendBack => "The proposal is sent back.",
        CommandName::Resolve | CommandName::ResolveAtSource => "The customer has the decision.",
        CommandName::Accept if by_customer => "Thank you. You have accepted the decision.",
        CommandName::Accept => "The customer's agreement is recorded.",
        CommandName::AcceptRemedy if by_customer => "We have noted that you want it.",
        CommandName::DeclineRemedy if by_customer => "We have noted that you do not want it.",
        CommandName::AcceptRemedy | CommandName::DeclineRemedy => "The customer's wish is recorded.",
        CommandName::FulfilRemedy => "The delivery is recorded.",
        CommandName::FailRemedy if by_customer => "We owe it to you again, and see to it.",
        CommandName::FailRemedy => "It is recorded, and the customer is told.",
        CommandName::Contest => "You have contested the decision; somebody else looks at it anew.",
        CommandName::Reopen => "It is open again.",
        CommandName::Close => "It is closed.",
        CommandName::Rate => "Thank you for your rating.",
        CommandName::AnonymiseRating if by_customer => "Your name is off the rating.",
        CommandName::AnonymiseRating => "The rating is anonymous now.",
        CommandName::Withdraw => "You have withdrawn your complaint.",
        CommandName::Reinstate => "We take it up again.",
        CommandName::Dismiss => "It is not taken up, and the customer is told why.",
        CommandName::Merge => "It is joined to the other complaint.",
        CommandName::Unmerge => "It stands by itself again.",
        CommandName::Refer => "It is passed on, and the customer is told.",
        CommandName::ReturnReferral => "It is taken back from the other body.",
        CommandName::Post => "Your message is sent.",
        CommandName::Note => "Your note is kept.",
        CommandName::Attach => "Your files are added.",
        CommandName::Read => "The messages are marked as read.",
        // The clocks give these, not people.
        CommandName::Warn | CommandName::Alarm => "Done.",
        CommandName::Rebase => "The deadlines follow the policy in force.",
    }
}

/// What follows for a complaint whose customer agrees with the decision, if it does not close at once. What they wrote and is unread they
/// know from the clock that waits for it: nothing else but what is owed makes that clock stand still.
pub fn kept_open(complaint: &Complaint) -> Option<&'static str> {
    let last = complaint.deadline(ClockKind::AutoClose).and_then(|clock| clock.segments.last());
    let waits = last.is_some_and(|stretch| !stretch.ran);
    let noted = |promise: &RemedyPromise| {
        promise.declined.is_some()
            && promise.recorded_by().is_some()
            && promise.resolution as usize == complaint.resolutions.len()
    };
    if complaint.outstanding_remedies().next().is_some() {
        Some("The complaint stays open until you have got what we promised and we have read all that you wrote.")
    } else if waits {
        Some(
            "The complaint stays open until we have read what you wrote, and closes when your time to answer the decision is over.",
        )
    } else if complaint.remedies.iter().any(noted) {
        Some(
            "It was us who noted that you do not want a remedy, so the complaint closes only when your time to object is over.",
        )
    } else {
        None
    }
}

/// Whether a form says which version was looked at. Two people may write at the same time without one undoing the other's work; a
/// question answered already refuses by itself.
fn minds_version(command: CommandName) -> bool {
    !matches!(
        command,
        CommandName::Post | CommandName::Answer | CommandName::Note | CommandName::Attach | CommandName::Read
    )
}

/// The version that was looked at, where it matters to a command.
///
/// # Errors
/// 400 if it is missing or damaged, or if the form has a field that this command does not read: such a form is none of our pages'.
pub fn seen_version(command: CommandName, typed: &Typed) -> Result<Option<Version>, Problem> {
    let minds = minds_version(command);
    typed.only(|name| {
        name == "key"
            || (minds && name == "version")
            || command.fields().iter().any(|wanted| match wanted {
                Wanted::Remedies => is_of_remedy(name),
                Wanted::Files | Wanted::OptionalFiles => false,
                wanted => wanted.name() == name,
            })
    })?;
    if minds { typed.machine("version").map(Version::new).map(Some) } else { Ok(None) }
}

fn is_of_remedy(field: &str) -> bool {
    let Some((row, part)) = field.strip_prefix("remedies.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    (0..REMEDY_ROWS).any(|known| row == known.to_string())
        && ["kind", "amount", "due_on", "instructions"].contains(&part)
}

/// What was typed, as a command.
pub struct Reading {
    /// The command, without what is at fault.
    pub command: Command,
    /// What is wrong with what was typed.
    pub faults: Vec<Fault>,
    /// Which row of the form each remedy came from.
    pub rows: Vec<usize>,
}

/// Reads a command from a form, by the fields it has in the table.
pub fn read(command: CommandName, typed: &Typed) -> Reading {
    let mut body = Map::new();
    let mut faults = Vec::new();
    let mut rows = Vec::new();
    for wanted in command.fields() {
        let name = wanted.name();
        match wanted {
            // They come beside the fields.
            Wanted::Files | Wanted::OptionalFiles => {}
            Wanted::Remedies => {
                let remedies = remedies(typed, &mut rows, &mut faults);
                body.insert(name.to_owned(), Value::Array(remedies));
            }
            Wanted::OverCapacity | Wanted::Anonymous => match typed.ticked(name) {
                Ok(false) => {}
                Ok(true) => {
                    body.insert(name.to_owned(), Value::Bool(true));
                }
                Err(_) => faults.push(Fault::of(name, format!("{}: tick it or leave it.", wanted.label()))),
            },
            Wanted::Skills => {
                if let Some(skills) = typed.get(name) {
                    body.insert(name.to_owned(), json!(listed(skills)));
                }
            }
            Wanted::Remedy | Wanted::Weight | Wanted::Score => {
                if let Some(number) = typed.get(name) {
                    match number.parse::<u32>() {
                        Ok(number) => {
                            body.insert(name.to_owned(), json!(number));
                        }
                        Err(_) => faults.push(Fault::of(name, format!("{} must be a whole number.", wanted.label()))),
                    }
                }
            }
            Wanted::Until | Wanted::On => {
                if let Some(day) = typed.get(name) {
                    if is_day(day) {
                        body.insert(name.to_owned(), json!(day));
                    } else {
                        faults.push(Fault::of(name, format!("{} must be a day, as in 2026-11-30.", wanted.label())));
                    }
                }
            }
            // The form shows the comment as it is: emptied, it is taken back.
            Wanted::OptionalComment if command == CommandName::Rate && typed.sent(name).is_some() => {
                body.insert(name.to_owned(), json!(typed.raw(name)));
            }
            _ => {
                if typed.get(name).is_some() {
                    body.insert(name.to_owned(), json!(typed.raw(name)));
                }
            }
        }
    }
    let command = loop {
        match Command::from_json(command, &Value::Object(body.clone())) {
            Ok(command) => break command,
            Err(invalid) => {
                let field = invalid.field.clone();
                let why = in_our_words(invalid, &json!({ &field: body.get(&field) })).errors.into_iter().next();
                let label = command.fields().iter().find(|wanted| wanted.name() == field);
                let label = label.map_or("The form", |wanted| wanted.label());
                let why = sentence(&why.map(|error| error.message).unwrap_or_default());
                faults.push(Fault::of(&field, format!("{label}: {why}")));
                if body.remove(&field).is_none() {
                    break Command::plain(command);
                }
            }
        }
    };
    Reading { command, faults, rows }
}

/// The words of a list that is separated by commas.
pub fn listed(typed: &str) -> Vec<&str> {
    typed.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

/// A list in words.
pub fn list(items: impl Iterator<Item = impl ToString>) -> String {
    let words: Vec<String> = items.map(|item| item.to_string()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn remedies(typed: &Typed, rows: &mut Vec<usize>, faults: &mut Vec<Fault>) -> Vec<Value> {
    let mut remedies = Vec::new();
    for row in 0..REMEDY_ROWS {
        let name = |part: &str| format!("remedies.{row}.{part}");
        let part = |part: &str| typed.get(&name(part)).map(str::to_owned);
        let (mut amount, mut due_on, instructions) = (part("amount"), part("due_on"), part("instructions"));
        let Some(kind) = part("kind") else {
            if amount.is_some() || due_on.is_some() || instructions.is_some() {
                faults.push(Fault::of(name("kind"), "Choose what kind of remedy it is."));
            }
            faults.extend(remedy_faults(name, &mut amount, &mut due_on));
            continue;
        };
        faults.extend(remedy_faults(name, &mut amount, &mut due_on));
        let mut remedy = Map::from_iter([("kind".to_owned(), json!(kind))]);
        for (key, value) in [("amount", amount), ("due_on", due_on), ("instructions", instructions)] {
            if let Some(value) = value {
                remedy.insert(key.to_owned(), json!(value));
            }
        }
        rows.push(row);
        remedies.push(Value::Object(remedy));
    }
    remedies
}

/// What is no amount and no day, which is not taken.
fn remedy_faults(
    name: impl Fn(&str) -> String,
    amount: &mut Option<String>,
    due_on: &mut Option<String>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if amount.take_if(|amount| amount.parse::<Money>().is_err()).is_some() {
        faults.push(Fault::of(name("amount"), "Write an amount with its currency, as in 12.50 EUR."));
    }
    if due_on.take_if(|day| !is_day(day)).is_some() {
        faults.push(Fault::of(name("due_on"), "Write a day as in 2026-11-30."));
    }
    faults
}

fn remedy_row(row: usize) -> Field {
    let kinds = RemedyKind::ALL.iter().map(|kind| Choice::new(kind.name(), kind.label(), ""));
    let name = |part: &str| format!("remedies.{row}.{part}");
    Field::new(
        format!("remedies.{row}"),
        format!("Remedy {}", row + 1),
        Control::Set(vec![
            Field::new(name("kind"), "Kind", Control::Select(optional("None", kinds))),
            Field::line(name("amount"), "Amount").hint("As in 12.50 EUR").max(40),
            Field::line(name("instructions"), "How the customer proceeds").max(0),
            Field::date(name("due_on"), "Promised for"),
        ]),
    )
}

fn optional(nothing: &str, choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    let mut all = vec![Choice { value: String::new(), label: nothing.to_owned(), chosen: false }];
    all.extend(choices);
    all
}

fn is_day(text: &str) -> bool {
    text.parse::<NaiveDate>().is_ok()
}

fn is_grave(command: CommandName) -> bool {
    matches!(
        command,
        CommandName::Withdraw
            | CommandName::Dismiss
            | CommandName::Merge
            | CommandName::Refer
            | CommandName::Decline
            | CommandName::Release
            | CommandName::Close
    )
}

fn with_article(name: &str) -> String {
    let vowel = name.starts_with(['A', 'E', 'I', 'O', 'U', 'a', 'e', 'i', 'o', 'u']);
    format!("{} {}", if vowel { "An" } else { "A" }, name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use complaint_core::complaint::Outcome;

    use super::*;

    #[test]
    fn remedies_are_read_row_by_row() {
        let typed = Typed::default()
            .with("outcome", "upheld")
            .with("explanation", " It was broken.\n")
            .with("apology", "We are sorry.")
            .with("next_steps", "  ")
            .with("remedies.1.kind", "refund")
            .with("remedies.1.amount", "12.5 eur")
            .with("remedies.2.kind", "");
        let reading = read(CommandName::Resolve, &typed);
        assert_eq!(reading.rows, [1]);
        assert_eq!(reading.faults, []);
        let command = reading.command;
        assert_eq!(command.input().remedies.len(), 1);
        assert_eq!(command.input().remedies[0].amount.expect("an amount").to_string(), "12.50 EUR");
        assert_eq!(command.input().explanation.as_deref(), Some(" It was broken.\n"));
        assert_eq!(command.input().next_steps, None, "blank is not given");
    }

    #[test]
    fn every_wrong_value_is_named() {
        let typed = Typed::default().with("remedies.0.amount", "12,50").with("remedies.0.due_on", "tomorrow");
        let wrong = |command, typed: &Typed| -> Vec<String> {
            let mut fields: Vec<String> = read(command, typed).faults.into_iter().map(|fault| fault.field).collect();
            fields.sort();
            fields
        };
        assert_eq!(wrong(CommandName::Resolve, &typed), ["remedies.0.amount", "remedies.0.due_on", "remedies.0.kind"]);
        assert_eq!(wrong(CommandName::Rate, &Typed::default().with("score", "five")), ["score"]);
        assert_eq!(wrong(CommandName::Hold, &Typed::default().with("until", "31.12.")), ["until"]);
        let typed = Typed::default().with("skills", "<b>").with("area", "<i>").with("weight", "x");
        assert_eq!(wrong(CommandName::Triage, &typed.with("reason", "So.")), ["area", "skills", "weight"]);
    }

    #[test]
    fn what_can_be_read_is_read_beside_what_cannot() {
        let typed = Typed::default().with("outcome", "upheld").with("remedies.0.kind", "refund");
        let reading = read(CommandName::Resolve, &typed.with("remedies.0.amount", "much").with("cause", "<b>"));
        assert_eq!((reading.faults.len(), reading.rows), (2, vec![0]));
        assert_eq!(reading.command.input().outcome, Some(Outcome::Upheld));
        assert_eq!((reading.command.input().remedies.len(), &reading.command.input().cause), (1, &None));
    }

    #[test]
    fn the_version_looked_at_is_there_or_it_is_no_form_of_ours() {
        let said = |command, typed: &Typed| {
            seen_version(command, typed).map_err(|problem| {
                (problem.status.as_u16(), problem.errors[0].field.clone(), problem.errors[0].code.clone())
            })
        };
        let refused = |field: &str, code: &str| Err((400, field.to_owned(), code.to_owned()));
        let typed = Typed::default().with("reason", "It came at last.");
        assert_eq!(said(CommandName::Withdraw, &typed.clone().with("version", 3)), Ok(Some(Version::new(3))));
        for junk in ["", "x", "-1", "3.0", " 3", "99999999999999999999"] {
            let typed = typed.clone().with("version", junk);
            assert_eq!(said(CommandName::Withdraw, &typed), refused("version", "invalid"), "{junk}");
        }
        assert_eq!(said(CommandName::Withdraw, &typed), refused("version", "missing"));
        let typed = Typed::default().with("text", "Hello");
        assert_eq!(said(CommandName::Post, &typed), Ok(None));
        for foreign in ["version", "status", "remedies.0.kind", "files"] {
            assert_eq!(said(CommandName::Post, &typed.clone().with(foreign, 1)), refused(foreign, "unknown_field"));
        }
        let typed = Typed::default().with("version", 3);
        assert!(said(CommandName::Resolve, &typed.clone().with("remedies.2.kind", "refund")).is_ok());
        for foreign in ["remedies.3.kind", "remedies.00.kind", "remedies.0.by", "remedies"] {
            assert_eq!(said(CommandName::Resolve, &typed.clone().with(foreign, 1)), refused(foreign, "unknown_field"));
        }
    }

    #[test]
    fn a_box_is_ticked_or_not() {
        let typed = Typed::default().with("agent", "ben").with("reason", "He knows it.");
        let ticked = |value: &str| read(CommandName::Reassign, &typed.clone().with("over_capacity", value));
        assert!(ticked("true").command.input().over_capacity);
        assert_eq!(ticked("false").faults[0].field, "over_capacity");
    }
}
