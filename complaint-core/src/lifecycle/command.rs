//! What can be done to a complaint, as callers ask for it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::complaint::{Attachment, Outcome, Priority, Remedy};
use crate::deadline::ClockKind;
use crate::id::{AgentId, Area, AttachmentId, CategoryKey, CauseKey, InvalidId, Skill};
use crate::json::Described;

/// A command with what the caller gives. Texts are raw: [`decide`](super::decide) checks them all and names every
/// fault at once.
///
/// ```
/// use complaint_core::lifecycle::{Command, CommandName};
/// use serde_json::json;
///
/// let ask = Command::with_text(CommandName::Ask, "Which street?");
/// assert_eq!(Command::from_json(CommandName::Ask, &json!({ "text": "Which street?" }))?, ask);
///
/// assert!(CommandName::Post.takes_files() && !CommandName::Ask.takes_files());
/// let with_files = Command::with_text(CommandName::Post, "As in the photo.").carrying(Vec::new())?; // what the host took in
/// assert_eq!(with_files.input().attachments.len(), 0);
///
/// let wrong = Command::from_json(CommandName::Ask, &json!({ "question": "Which street?" })).unwrap_err();
/// assert_eq!((wrong.field.as_str(), wrong.code), ("question", "unknown_field"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    name: CommandName,
    input: Input,
}

/// What callers may give with a command; each command reads its own fields, the rest must be absent.
///
/// ```
/// use complaint_core::id::AgentId;
/// use complaint_core::lifecycle::{Command, CommandName, Input};
///
/// let ben = AgentId::new("ben")?;
/// let to_ben = Input { agent: Some(ben), reason: Some("He knows the street.".into()), ..Input::default() };
/// let command = Command::new(CommandName::Reassign, to_ben.clone())?;
/// assert_eq!(command.input(), &to_ben);
/// assert!(Command::new(CommandName::Begin, to_ben).is_err(), "`begin` reads neither");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// A message, question, answer, note or notice.
    pub text: Option<String>,
    /// Why; for `dismiss` the name of a [`DismissalReason`](crate::complaint::DismissalReason).
    pub reason: Option<String>,
    /// A remark.
    pub comment: Option<String>,
    /// Why a decision is as it is.
    pub explanation: Option<String>,
    /// Words of apology.
    pub apology: Option<String>,
    /// What happens next.
    pub next_steps: Option<String>,
    /// What a lower level is to do.
    pub instruction: Option<String>,
    /// What proves that a remedy was delivered.
    pub evidence: Option<String>,
    /// The third party that must act.
    pub party: Option<String>,
    /// The body that is responsible.
    pub body: Option<String>,
    /// The day the third party is expected to have acted.
    pub until: Option<NaiveDate>,
    /// The day a remedy was delivered.
    pub on: Option<NaiveDate>,
    /// A remedy by number.
    pub remedy: Option<u32>,
    /// The decision.
    pub outcome: Option<Outcome>,
    /// The cause, as the organisation sees it.
    pub cause: Option<CauseKey>,
    /// What is done.
    pub remedies: Vec<Remedy>,
    /// An agent by id.
    pub agent: Option<AgentId>,
    /// Whether the agent's capacity may be exceeded.
    pub over_capacity: bool,
    /// A category.
    pub category: Option<CategoryKey>,
    /// A priority.
    pub priority: Option<Priority>,
    /// What a handler must know.
    pub skills: Option<BTreeSet<Skill>>,
    /// Where it belongs.
    pub area: Option<Area>,
    /// What it adds to a workload.
    pub weight: Option<u32>,
    /// What evidence is brought that was not seen before.
    pub new_evidence: Option<String>,
    /// 1 to 5.
    pub score: Option<u8>,
    /// Whether agents and auditors are kept from seeing the rating; what was anonymous stays so.
    pub anonymous: bool,
    /// Another complaint, by id or reference.
    pub into: Option<String>,
    /// What the customer of the complaint that is joined agreed to, and how that is known. They read it.
    pub consent: Option<String>,
    /// Files of this complaint that a message shows, by id.
    pub files: Vec<AttachmentId>,
    /// New files, as the host took them in. Never read from a request body.
    #[serde(skip)]
    pub attachments: Vec<Attachment>,
    /// The clocks that ask for it, where the system acts.
    #[serde(skip)]
    pub clocks: Vec<(ClockKind, u32)>,
    /// How much of the time is used, where the system warns.
    #[serde(skip)]
    pub percent: u8,
}

impl Input {
    /// The names of the fields in which something is said.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let Self {
            text,
            reason,
            comment,
            explanation,
            apology,
            next_steps,
            instruction,
            evidence,
            party,
            body,
            until,
            on,
            remedy,
            outcome,
            cause,
            remedies,
            agent,
            over_capacity,
            category,
            priority,
            skills,
            area,
            weight,
            new_evidence,
            score,
            anonymous,
            into,
            consent,
            files,
            attachments,
            clocks,
            percent,
        } = self;
        let fields = [
            ("text", text.is_some()),
            ("reason", reason.is_some()),
            ("comment", comment.is_some()),
            ("explanation", explanation.is_some()),
            ("apology", apology.is_some()),
            ("next_steps", next_steps.is_some()),
            ("instruction", instruction.is_some()),
            ("evidence", evidence.is_some()),
            ("party", party.is_some()),
            ("body", body.is_some()),
            ("until", until.is_some()),
            ("on", on.is_some()),
            ("remedy", remedy.is_some()),
            ("outcome", outcome.is_some()),
            ("cause", cause.is_some()),
            ("remedies", !remedies.is_empty()),
            ("agent", agent.is_some()),
            ("over_capacity", *over_capacity),
            ("category", category.is_some()),
            ("priority", priority.is_some()),
            ("skills", skills.is_some()),
            ("area", area.is_some()),
            ("weight", weight.is_some()),
            ("new_evidence", new_evidence.is_some()),
            ("score", score.is_some()),
            ("anonymous", *anonymous),
            ("into", into.is_some()),
            ("consent", consent.is_some()),
            ("files", !files.is_empty()),
            ("attachments", !attachments.is_empty()),
            ("clocks", !clocks.is_empty()),
            ("percent", *percent != 0),
        ];
        fields.into_iter().filter(|(_, is_given)| *is_given).map(|(field, _)| field)
    }
}

/// A body that is no input of a command.
///
/// Example: [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidInput {
    /// The field at fault.
    pub field: String,
    /// A stable code: `unknown_field`, `invalid_type`, `not_by_body`.
    pub code: &'static str,
    /// What is wrong with it.
    pub message: String,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $label:literal, [$($field:ident),*];)+) => {
        /// The name of a command of the lifecycle.
        ///
        /// ```
        /// use complaint_core::lifecycle::{CommandName, Field};
        ///
        /// assert_eq!("hand_back".parse(), Ok(CommandName::HandBack));
        /// assert_eq!(CommandName::HandBack.label(), "Hand back");
        /// assert_eq!(CommandName::HandBack.fields(), [Field::Instruction]);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum CommandName {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl CommandName {
            /// All commands, in the order of the specification.
            pub const ALL: &'static [CommandName] = &[$(Self::$variant,)+];

            /// The stable name, as used by the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What people read on a button.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The fields of [`Input`] that it reads, in the order in which a form asks for them.
            pub fn fields(self) -> &'static [Field] {
                match self { $(Self::$variant => &[$(Field::$field,)*],)+ }
            }

            /// The names of those fields, for a sentence that says what it reads.
            pub(crate) fn fields_in_words(self) -> String {
                let names: Vec<&str> = self.fields().iter().map(|field| field.name()).collect();
                if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
            }
        }
    };
}

commands! {
    /// Hand in a complaint.
    Submit = "submit", "Submit", [];
    /// Tell the customer that it is here.
    Acknowledge = "acknowledge", "Acknowledge", [];
    /// Describe it anew.
    Triage = "triage", "Triage", [Category, Priority, Skills, Area, Weight, OptionalReason];
    /// Give it to a handler.
    Assign = "assign", "Assign", [OptionalAgent, OverCapacity, OptionalReason];
    /// Not take it.
    Decline = "decline", "Decline", [Reason];
    /// Take it from its handler, back to the queue.
    Release = "release", "Release to the queue", [Reason];
    /// Give it to another handler.
    Reassign = "reassign", "Reassign", [Agent, OverCapacity, Reason];
    /// Start to work on it.
    Begin = "begin", "Begin", [];
    /// Ask the customer.
    Ask = "ask", "Ask the customer", [Text];
    /// Answer a question.
    Answer = "answer", "Answer", [OptionalText, OptionalFiles];
    /// Wait for a third party.
    Hold = "hold", "Wait for a third party", [Party, Until];
    /// Go on.
    Resume = "resume", "Resume", [OptionalReason];
    /// Up the ladder.
    Escalate = "escalate", "Escalate", [Reason];
    /// Down the ladder.
    HandBack = "hand_back", "Hand back", [Instruction];
    /// Propose a resolution to a second person.
    Propose = "propose", "Propose a resolution", [Outcome, Cause, Explanation, Apology, Remedies, NextSteps];
    /// Approve a proposal.
    Approve = "approve", "Approve", [OptionalComment];
    /// Not approve it, or take it back.
    SendBack = "send_back", "Send back", [Comment];
    /// Decide.
    Resolve = "resolve", "Resolve", [Outcome, Cause, Explanation, Apology, Remedies, NextSteps];
    /// Settle it with a satisfied customer.
    ResolveAtSource = "resolve_at_source", "Resolve at source", [Explanation, Cause];
    /// Agree with the decision.
    Accept = "accept", "Accept the decision", [OptionalReason];
    /// Want one remedy of the decision.
    AcceptRemedy = "accept_remedy", "Accept a remedy", [Remedy, OptionalReason];
    /// Not want one remedy of the decision.
    DeclineRemedy = "decline_remedy", "Decline a remedy", [Remedy, OptionalReason];
    /// Record that a remedy was delivered.
    FulfilRemedy = "fulfil_remedy", "Record a remedy as fulfilled", [Remedy, Evidence, On];
    /// Record that a remedy could not be delivered, or say that it did not arrive.
    FailRemedy = "fail_remedy", "Record a remedy as failed", [Remedy, Reason];
    /// Disagree with the decision.
    Contest = "contest", "Contest the decision", [Reason, NewEvidence];
    /// Open it again because of an error.
    Reopen = "reopen", "Reopen", [Reason];
    /// Finish it.
    Close = "close", "Close", [];
    /// Rate the resolution.
    Rate = "rate", "Rate", [Score, OptionalComment, Anonymous];
    /// Hide a rating from those it is about.
    AnonymiseRating = "anonymise_rating", "Make the rating anonymous", [];
    /// Take it back.
    Withdraw = "withdraw", "Withdraw", [OptionalReason];
    /// Take it up again.
    Reinstate = "reinstate", "Reinstate", [];
    /// Not take it up.
    Dismiss = "dismiss", "Dismiss", [Dismissal, Text];
    /// Join it to another.
    Merge = "merge", "Merge", [Into, Consent, OptionalReason];
    /// Take it apart again.
    Unmerge = "unmerge", "Unmerge", [];
    /// Pass it to the body that is responsible.
    Refer = "refer", "Refer", [Body, Text];
    /// Take it back from the other body.
    ReturnReferral = "return_referral", "Take back from the other body", [Reason];
    /// Write a message.
    Post = "post", "Send a message", [OptionalText, OptionalFiles];
    /// Write an internal note.
    Note = "note", "Add a note", [Text];
    /// Add files.
    Attach = "attach", "Attach files", [Files];
    /// Mark the customer's messages as read.
    Read = "read", "Mark as read", [];
    /// File a new complaint after a finished one.
    FollowUp = "follow_up", "File a follow-up", [];
    /// A clock is near its end.
    Warn = "warn", "Warn", [];
    /// A clock ran out.
    Alarm = "alarm", "Raise the alarm", [];
    /// Promise anew, by the policy in force, what still runs.
    Rebase = "rebase", "Rebase the deadlines", [Reason];
}

/// One field that a command reads.
///
/// ```
/// use complaint_core::lifecycle::CommandName;
///
/// let form = CommandName::Hold.fields().iter().map(|field| (field.name(), field.label(), field.is_required()));
/// assert!(form.eq([("party", "Who must act", true), ("until", "Expected by", true)]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// [`Input::text`].
    Text,
    /// [`Input::text`], beside files or instead of them.
    OptionalText,
    /// [`Input::reason`].
    Reason,
    /// [`Input::reason`], which may be left out.
    OptionalReason,
    /// [`Input::comment`].
    Comment,
    /// [`Input::comment`], which may be left out.
    OptionalComment,
    /// [`Input::explanation`].
    Explanation,
    /// [`Input::apology`].
    Apology,
    /// [`Input::next_steps`].
    NextSteps,
    /// [`Input::instruction`].
    Instruction,
    /// [`Input::evidence`].
    Evidence,
    /// [`Input::party`].
    Party,
    /// [`Input::body`].
    Body,
    /// [`Input::until`].
    Until,
    /// [`Input::on`].
    On,
    /// [`Input::remedy`].
    Remedy,
    /// [`Input::outcome`].
    Outcome,
    /// [`Input::cause`].
    Cause,
    /// [`Input::remedies`].
    Remedies,
    /// [`Input::agent`].
    Agent,
    /// [`Input::agent`], which may be left out.
    OptionalAgent,
    /// [`Input::over_capacity`].
    OverCapacity,
    /// [`Input::category`].
    Category,
    /// [`Input::priority`].
    Priority,
    /// [`Input::skills`].
    Skills,
    /// [`Input::area`].
    Area,
    /// [`Input::weight`].
    Weight,
    /// [`Input::reason`], the name of a [`DismissalReason`](crate::complaint::DismissalReason).
    Dismissal,
    /// [`Input::new_evidence`].
    NewEvidence,
    /// [`Input::score`].
    Score,
    /// [`Input::anonymous`].
    Anonymous,
    /// [`Input::into`].
    Into,
    /// [`Input::consent`].
    Consent,
    /// [`Input::files`].
    Files,
    /// [`Input::files`], beside a text or instead of one.
    OptionalFiles,
}

impl Field {
    /// The name of the field in a body.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text | Self::OptionalText => "text",
            Self::Reason | Self::OptionalReason => "reason",
            Self::Comment | Self::OptionalComment => "comment",
            Self::Explanation => "explanation",
            Self::Apology => "apology",
            Self::NextSteps => "next_steps",
            Self::Instruction => "instruction",
            Self::Evidence => "evidence",
            Self::Party => "party",
            Self::Body => "body",
            Self::Until => "until",
            Self::On => "on",
            Self::Remedy => "remedy",
            Self::Outcome => "outcome",
            Self::Cause => "cause",
            Self::Remedies => "remedies",
            Self::Agent | Self::OptionalAgent => "agent",
            Self::OverCapacity => "over_capacity",
            Self::Category => "category",
            Self::Priority => "priority",
            Self::Skills => "skills",
            Self::Area => "area",
            Self::Weight => "weight",
            Self::Dismissal => "reason",
            Self::NewEvidence => "new_evidence",
            Self::Score => "score",
            Self::Anonymous => "anonymous",
            Self::Into => "into",
            Self::Consent => "consent",
            Self::Files | Self::OptionalFiles => "files",
        }
    }

    /// Whether the command is refused without it. An apology depends on the outcome, a cause on the policy; of a message's
    /// text and files one is enough.
    pub fn is_required(self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Reason
                | Self::Comment
                | Self::Explanation
                | Self::Instruction
                | Self::Evidence
                | Self::Party
                | Self::Body
                | Self::Until
                | Self::Outcome
                | Self::Agent
                | Self::Dismissal
                | Self::Score
                | Self::Into
                | Self::Files
        )
    }

    /// What people read beside it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Text | Self::OptionalText => "Text",
            Self::Reason | Self::OptionalReason => "Reason",
            Self::Comment | Self::OptionalComment => "Comment",
            Self::Explanation => "Explanation",
            Self::Apology => "Apology",
            Self::NextSteps => "What happens next",
            Self::Instruction => "Instruction",
            Self::Evidence => "Evidence",
            Self::Party => "Who must act",
            Self::Body => "Responsible body",
            Self::Until => "Expected by",
            Self::On => "Delivered on",
            Self::Remedy => "Remedy",
            Self::Outcome => "Outcome",
            Self::Cause => "Cause",
            Self::Remedies => "Remedies",
            Self::Agent | Self::OptionalAgent => "Agent",
            Self::OverCapacity => "Even beyond capacity",
            Self::Category => "Category",
            Self::Priority => "Priority",
            Self::Skills => "Skills needed",
            Self::Area => "Area",
            Self::Weight => "Weight",
            Self::Dismissal => "Ground",
            Self::NewEvidence => "New evidence, not seen before",
            Self::Score => "Score",
            Self::Anonymous => "Without my name",
            Self::Into => "Reference of the other complaint",
            Self::Consent => "Consent of the customer of this one",
            Self::Files | Self::OptionalFiles => "Files",
        }
    }
}

impl CommandName {
    /// Whether files can be sent with it.
    pub fn takes_files(self) -> bool {
        self.fields().iter().any(|field| field.name() == Field::Files.name())
    }
}

impl Command {
    /// A command with its input.
    ///
    /// # Errors
    /// If the input has a field that the command does not read.
    pub fn new(name: CommandName, input: Input) -> Result<Self, InvalidInput> {
        let reads = |field: &str| match field {
            "attachments" => name.takes_files(),
            // What it attaches is new, never a file that is there already.
            "files" if name == CommandName::Attach => false,
            field => name.fields().iter().any(|known| known.name() == field),
        };
        let foreign = input.given().find(|field| !reads(field));
        match foreign {
            Some(field) => Err(InvalidInput {
                field: field.to_owned(),
                code: "unknown_field",
                message: format!("`{}` does not read this field", name.name()),
            }),
            None => Ok(Self { name, input }),
        }
    }

    /// Reads a command from a JSON body.
    ///
    /// # Errors
    /// If the body is no object, has a field that the command does not read, or a value of the wrong type. What is
    /// missing is refused later, by `decide`, together with everything else that is wrong.
    pub fn from_json(name: CommandName, body: &Value) -> Result<Self, InvalidInput> {
        let Some(fields) = body.as_object() else {
            return Err(InvalidInput {
                field: String::new(),
                code: "invalid_type",
                message: "the body must be a JSON object".into(),
            });
        };
        for (field, value) in fields {
            let Some(known) = name.fields().iter().find(|known| known.name() == field) else {
                return Err(InvalidInput {
                    field: field.clone(),
                    code: "unknown_field",
                    message: format!(
                        "`{}` does not read this field; it reads: {}",
                        name.name(),
                        name.fields_in_words()
                    ),
                });
            };
            if *known == Field::Files {
                return Err(InvalidInput {
                    field: field.clone(),
                    code: "not_by_body",
                    message: "files are sent to the attachments of the complaint".into(),
                });
            }
            // One field at a time, so that the message can name it.
            let single = serde_json::json!({ field.as_str(): value });
            if let Err(error) = Input::deserialize(Described(&single)) {
                return Err(InvalidInput { field: field.clone(), code: "invalid_type", message: error.to_string() });
            }
        }
        let input = Input::deserialize(Described(body)).map_err(|error| InvalidInput {
            field: String::new(),
            code: "invalid_type",
            message: error.to_string(),
        })?;
        Ok(Self { name, input })
    }

    /// Which command.
    pub fn name(&self) -> CommandName {
        self.name
    }

    /// What the caller gave.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// With fields that are known to be those of the command.
    pub(crate) fn of(name: CommandName, input: Input) -> Self {
        Self { name, input }
    }

    /// A command that needs nothing more: `begin`, `accept`, `acknowledge`, `reinstate`, `unmerge`, `read`, …
    pub fn plain(name: CommandName) -> Self {
        Self::of(name, Input::default())
    }

    /// A command with a text: `ask`, `answer`, `post`, `note`.
    pub fn with_text(name: CommandName, text: impl Into<String>) -> Self {
        Self::of(name, Input { text: Some(text.into()), ..Input::default() })
    }

    /// A command with a reason: `decline`, `release`, `escalate`, `reopen`, `withdraw`, `contest`, …
    pub fn with_reason(name: CommandName, reason: impl Into<String>) -> Self {
        Self::of(name, Input { reason: Some(reason.into()), ..Input::default() })
    }

    /// `assign` by the router, to whom it chooses.
    pub(crate) fn route() -> Self {
        Self::plain(CommandName::Assign)
    }

    /// `escalate`, asked for by clocks.
    pub(crate) fn escalate_by_clock(clocks: Vec<ClockKind>) -> Self {
        let clocks = clocks.into_iter().map(|clock| (clock, 0)).collect();
        Self::of(CommandName::Escalate, Input { clocks, ..Input::default() })
    }

    /// `release`, by the system; why, is seen from the complaint and the [context](super::Context::handler_available).
    pub(crate) fn release() -> Self {
        Self::plain(CommandName::Release)
    }

    /// `close`.
    pub(crate) fn close() -> Self {
        Self::plain(CommandName::Close)
    }

    /// `warn`, asked for by a clock.
    pub(crate) fn warn(clock: ClockKind, instance: u32, percent: u8) -> Self {
        Self::of(CommandName::Warn, Input { clocks: vec![(clock, instance)], percent, ..Input::default() })
    }

    /// `alarm`, asked for by a clock.
    pub(crate) fn alarm(clock: ClockKind, instance: u32) -> Self {
        Self::of(CommandName::Alarm, Input { clocks: vec![(clock, instance)], ..Input::default() })
    }

    /// The same command with files that the host has taken in: `answer` and `post`, with a text or without.
    ///
    /// # Errors
    /// If the command takes no files.
    pub fn carrying(self, attachments: Vec<Attachment>) -> Result<Self, InvalidInput> {
        Self::new(self.name, Input { attachments, ..self.input })
    }

    /// `attach`, with files that the host has taken in.
    pub fn attach(attachments: Vec<Attachment>) -> Self {
        Self::of(CommandName::Attach, Input { attachments, ..Input::default() })
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CommandName {
    type Err = InvalidId;

    fn from_str(name: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.name() == name)
            .ok_or_else(|| InvalidId::new("command", "one of the commands of the lifecycle, e.g. resolve"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_may_hold_only_what_the_command_reads() {
        let read = |name, body| Command::from_json(name, &body);
        assert!(read(CommandName::Ask, json!({"text": "When?"})).is_ok());
        assert!(read(CommandName::Ask, json!({})).is_ok(), "what is missing is the business of decide");
        let unknown = read(CommandName::Ask, json!({"text": "When?", "status": "closed"})).unwrap_err();
        assert_eq!((unknown.field.as_str(), unknown.code), ("status", "unknown_field"));
        let foreign = read(CommandName::Ask, json!({"reason": "x"})).unwrap_err();
        assert_eq!((foreign.field.as_str(), foreign.code), ("reason", "unknown_field"));
        let wrong = read(CommandName::Rate, json!({"score": "five"})).unwrap_err();
        assert_eq!((wrong.field.as_str(), wrong.code), ("score", "invalid_type"));
        assert_eq!(read(CommandName::Begin, json!([])).unwrap_err().code, "invalid_type");
        assert_eq!(read(CommandName::Attach, json!({"files": []})).unwrap_err().code, "not_by_body");
        let id = "01900000-0000-7000-8000-000000000007";
        assert_eq!(read(CommandName::Post, json!({"files": [id]})).unwrap().input().files.len(), 1);
        let wrong = read(CommandName::Answer, json!({"files": ["photo.png"]})).unwrap_err();
        assert_eq!((wrong.field.as_str(), wrong.code), ("files", "invalid_type"));
    }

    #[test]
    fn the_system_s_own_fields_never_come_from_a_body() {
        for field in ["clocks", "percent", "attachments"] {
            for name in CommandName::ALL {
                assert!(Command::from_json(*name, &json!({ field: 1 })).is_err(), "{name} read {field}");
            }
        }
    }
}
