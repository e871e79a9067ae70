//! The lifecycle as data: every command, from where to where, by whom, under which guards.
//!
//! [`decide`](super::decide) obeys this table, pages draw their buttons from it, the API prints it, the charts draw it.

use super::{CommandName, Status};
use CommandName as C;
use Status::{
    Assigned, AwaitingCustomer, AwaitingThirdParty, Closed, Dismissed, InProgress, Merged, PendingApproval, Queued,
    Referred, Resolved, Withdrawn,
};

/// One row of the lifecycle.
///
/// ```
/// use complaint_core::lifecycle::{CommandName, Guard, LevelChange, Status, To, Who, rule};
///
/// let escalate = rule(CommandName::Escalate);
/// assert_eq!((escalate.from, escalate.to), (&Status::OPEN[..], &[To::Status(Status::Queued)][..]));
/// assert_eq!(escalate.level, LevelChange::Up);
/// let customer = escalate.permits.iter().find(|permit| permit.who == Who::Customer).expect("they may");
/// assert_eq!(customer.guards[0], Guard::DeadlineMissed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The command.
    pub command: CommandName,
    /// Where the complaint must be; empty for a command that makes a complaint.
    pub from: &'static [Status],
    /// Where it can be afterwards.
    pub to: &'static [To],
    /// What happens to the level.
    pub level: LevelChange,
    /// Who may, each with guards of their own.
    pub permits: &'static [Permit],
    /// What must hold for everyone.
    pub guards: &'static [Guard],
    /// What it does, for people.
    pub effect: &'static str,
}

/// Where a complaint can be after a command.
///
/// Example: [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Where it was.
    Same,
    /// In this status.
    Status(Status),
    /// A new complaint, in this status.
    New(Status),
}

/// What a command does to the level.
///
/// Example: [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelChange {
    /// Nothing.
    Kept,
    /// One up; where the last level allows the command at all, it stays there.
    Up,
    /// One down.
    Down,
}

/// Somebody who may give a command.
///
/// Example: [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// Who.
    pub who: Who,
    /// What must hold for them in particular.
    pub guards: &'static [Guard],
}

/// A role in relation to a complaint.
///
/// Example: [`Rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The customer of this complaint.
    Customer,
    /// The agent who holds it.
    Handler,
    /// Any agent who may see it.
    Agent,
    /// An agent of level 2 or higher who may see it.
    Supervisor,
    /// The agent who proposed the resolution.
    Proposer,
    /// An admin.
    Admin,
    /// Time and automation.
    System,
}

impl Who {
    /// Several of them, as they stand in a sentence.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Customer => "the customer",
            Self::Handler => "the handler",
            Self::Agent => "agents",
            Self::Supervisor => "supervisors and those above them",
            Self::Proposer => "whoever proposed it",
            Self::Admin => "admins",
            Self::System => "the system",
        }
    }

    /// A short name for tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Handler => "handler",
            Self::Agent => "agent",
            Self::Supervisor => "supervisor+",
            Self::Proposer => "proposer",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

macro_rules! guards {
    ($($guard:ident = $name:literal, $reads:ident, $meaning:literal;)*) => {
        /// A condition of a command. Those that look at the caller's input are checked only when there is one.
        ///
        /// ```
        /// use complaint_core::lifecycle::Guard;
        ///
        /// assert_eq!(Guard::SecondPerson.name(), "second_person");
        /// assert_eq!(Guard::SecondPerson.meaning(), "whoever approves is not the proposer");
        /// assert!(Guard::ReasonGiven.reads_input() && !Guard::SecondPerson.reads_input());
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Guard {
            $(#[doc = concat!("Holds when ", $meaning, ".")] $guard,)*
        }

        impl Guard {
            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$guard => $name,)* }
            }

            /// What must hold, in words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$guard => $meaning,)* }
            }

            /// Whether it looks at what the caller gives, beside the state of things.
            pub fn reads_input(self) -> bool {
                match self { $(Self::$guard => guards!(@ $reads),)* }
            }
        }
    };
    (@ input) => { true };
    (@ state) => { false };
}

guards! {
    NotAcknowledged = "not_acknowledged", state, "it was not acknowledged before";
    CategoryKnown = "category_known", input, "the category is in the catalogue and active";
    SubmissionComplete = "submission_complete", input, "its texts are within bounds and required answers are given";
    OpenComplaintLimit = "open_complaint_limit", state, "the customer has room for another open complaint";
    TriageFits = "triage_fits", input, "the new description fits the catalogue";
    CandidateEligible = "candidate_eligible", input, "the agent is eligible: level, skills, area, language, available, capacity, not excluded";
    TakingAllowed = "taking_allowed", state, "the policy lets agents take from their queue";
    DismissingAllowed = "dismissing_allowed", state, "the policy lets agents dismiss";
    ReasonGiven = "reason_given", input, "a reason is given";
    TextGiven = "text_given", input, "a text is given";
    TextOrFilesGiven = "text_or_files_given", input, "a text or a file is given";
    CommentGiven = "comment_given", input, "a comment is given";
    InstructionGiven = "instruction_given", input, "an instruction is given";
    HoldGiven = "hold_given", input, "the third party and the expected day are given";
    QuestionOpen = "question_open", state, "a question is with the customer";
    ReasonWhileQuestionOpen = "reason_while_question_open", input, "a reason is given while a question is open";
    BelowLastLevel = "below_last_level", state, "there is a level above";
    AboveFirstLevel = "above_first_level", state, "there is a level below";
    NotContestedTo = "not_contested_to", state, "no contest brought it to this level";
    SomebodyBelow = "somebody_below", state, "somebody at the level below can ever take it";
    DeadlineMissed = "deadline_missed", state, "a promised time was missed since it reached this level, and the customer did not escalate it from here before";
    ClockRanOut = "clock_ran_out", input, "the clock ran out and this cause did not move it before";
    ReleaseDue = "release_due", state, "the handler did not begin in time, or is gone";
    DecisionComplete = "decision_complete", input, "outcome and explanation are given, an apology where upheld, remedies are well formed";
    CauseFits = "cause_fits", input, "the cause is among those of the policy, and given where the policy asks for one";
    WithinAuthority = "within_authority", input, "the money is within the authority of whoever decides";
    NoSecondPersonNeeded = "no_second_person_needed", state, "the policy does not ask for a second person";
    SecondPerson = "second_person", state, "whoever approves is not the proposer";
    PromisedDaysAhead = "promised_days_ahead", state, "no day for which a remedy is proposed has passed";
    ExplanationGiven = "explanation_given", input, "an explanation is given";
    NotAccepted = "not_accepted", state, "the resolution was not accepted before";
    RemedyNamed = "remedy_named", input, "a remedy is named that this can happen to";
    FulfilmentGiven = "fulfilment_given", input, "evidence is given, and a day not in the future";
    ContestWindowOpen = "contest_window_open", state, "the contest window, counted from the decision or a failed remedy, is open";
    DeliveryDeniable = "delivery_deniable", input, "the time to say that it did not arrive is not over: the contest window, or as long since the delivery was recorded";
    NotAtLastLevel = "not_at_last_level", input, "the last level did not decide yet, new evidence is brought, or a remedy failed";
    FinishedOrFailed = "finished_or_failed", state, "it is finished, or a promised remedy failed";
    NoUnreadMessage = "no_unread_message", state, "no message of the customer is unread";
    NoOutstandingRemedy = "no_outstanding_remedy", state, "no remedy is outstanding";
    NothingToContradict = "nothing_to_contradict", state, "nothing that staff recorded in the customer's name can still be contradicted";
    AcceptanceWindowOver = "acceptance_window_over", state, "the time to accept or contest is over";
    RatingGiven = "rating_given", input, "a score of 1 to 5 is given";
    RatingEditable = "rating_editable", state, "the resolution was not rated before, or a day ago at most";
    RatingNotAnonymous = "rating_not_anonymous", state, "a rating stands that is not anonymous";
    ReinstateWindowOpen = "reinstate_window_open", state, "it was withdrawn recently enough";
    DismissalGiven = "dismissal_given", input, "a coded reason and a text for the customer are given";
    SurvivorFits = "survivor_fits", input, "the other complaint is another one, open, of the same customer or joined with consent, not joined to this one, and no way around its level or who must not decide it";
    NothingJoinedByConsent = "nothing_joined_by_consent", state, "no complaint of another customer, who agreed to go on with this one, is joined to it";
    JoinedByConsent = "joined_by_consent", state, "it was joined to a complaint of another customer, by consent";
    GoesOnNowhere = "goes_on_nowhere", state, "what it was joined to, if anything, is another customer's, and was answered or passed on";
    SurvivorNotClosed = "survivor_not_closed", input, "the complaint it was joined to is not finished";
    ReferralGiven = "referral_given", input, "the body is named and a notice is written";
    FilesFit = "files_fit", input, "the files are within the limits of number, size and type";
    UnreadMessage = "unread_message", state, "a message of the customer is unread";
    ContestNotPossible = "contest_not_possible", state, "it can no longer be contested";
    WarningDue = "warning_due", input, "the clock reached the warning and it was not given before";
    RoomInLog = "room_in_log", state, "the log has room, or this brings the complaint nearer to its end: an answer, a first rating";
}

const fn may(who: Who) -> Permit {
    Permit { who, guards: &[] }
}

const fn may_if(who: Who, guards: &'static [Guard]) -> Permit {
    Permit { who, guards }
}

const OPEN: &[Status] = &Status::OPEN;
const OPEN_OR_RESOLVED: &[Status] =
    &[Queued, Assigned, InProgress, AwaitingCustomer, AwaitingThirdParty, PendingApproval, Resolved];
const ANY: &[Status] = &Status::ALL;
const FINISHED: &[Status] = &[Closed, Withdrawn, Dismissed, Merged, Referred];
/// What the law promised runs on where it was joined to a complaint of another customer.
const WITH_CLOCKS: &[Status] =
    &[Queued, Assigned, InProgress, AwaitingCustomer, AwaitingThirdParty, PendingApproval, Resolved, Merged];

/// The whole lifecycle, in the order of the specification.
///
/// ```
/// use complaint_core::lifecycle::{CommandName, Rule, TABLE, Who};
///
/// let may = |rule: &&Rule| rule.permits.iter().any(|permit| permit.who == Who::Proposer);
/// assert!(TABLE.iter().filter(may).map(|rule| rule.command).eq([CommandName::SendBack]));
/// ```
pub static TABLE: &[Rule] = &[
    Rule {
        command: C::Submit,
        from: &[],
        to: &[To::New(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may(Who::Agent), may(Who::System)],
        guards: &[Guard::CategoryKnown, Guard::SubmissionComplete, Guard::OpenComplaintLimit],
        effect: "reference; receipt; channel; policy version stamped; clocks start; notice to customer",
    },
    Rule {
        command: C::Acknowledge,
        from: OPEN,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::System), may(Who::Agent)],
        guards: &[Guard::NotAcknowledged],
        effect: "milestone; the notice states the timeline that applies",
    },
    Rule {
        command: C::Triage,
        from: &[Queued, Assigned, InProgress],
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Agent), may(Who::System)],
        guards: &[Guard::RoomInLog, Guard::TriageFits],
        effect: "category, priority, skills, area, weight; deadlines recomputed and explained",
    },
    Rule {
        command: C::Assign,
        from: &[Queued],
        to: &[To::Status(Assigned)],
        level: LevelChange::Kept,
        permits: &[
            may(Who::System),
            may(Who::Supervisor),
            may(Who::Admin),
            may_if(Who::Agent, &[Guard::TakingAllowed]),
        ],
        guards: &[Guard::CandidateEligible],
        effect: "explanation stored; notices to handler and customer",
    },
    Rule {
        command: C::Decline,
        from: &[Assigned],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::ReasonGiven],
        effect: "that agent is excluded at this level",
    },
    Rule {
        command: C::Release,
        from: &[Assigned, InProgress, AwaitingCustomer, AwaitingThirdParty],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may_if(Who::Supervisor, &[Guard::ReasonGiven]), may_if(Who::System, &[Guard::ReleaseDue])],
        guards: &[],
        effect: "back to the router; an open question to the customer stays open and its answer is kept",
    },
    Rule {
        command: C::Reassign,
        from: &[Assigned, InProgress, AwaitingCustomer, AwaitingThirdParty],
        to: &[To::Status(Assigned), To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor)],
        guards: &[Guard::ReasonGiven, Guard::CandidateEligible],
        effect: "workload moves; the former handler loses access at once",
    },
    Rule {
        command: C::Begin,
        from: &[Assigned],
        to: &[To::Status(InProgress)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[],
        effect: "first-action milestone",
    },
    Rule {
        command: C::Ask,
        from: &[InProgress],
        to: &[To::Status(AwaitingCustomer)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::RoomInLog, Guard::TextGiven],
        effect: "public message; service clocks pause; silence clock starts",
    },
    Rule {
        command: C::Answer,
        // A question outlives its handler: the customer answers it wherever the complaint is by then.
        from: OPEN,
        to: &[To::Status(InProgress), To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may(Who::Agent)],
        guards: &[Guard::QuestionOpen, Guard::TextOrFilesGiven, Guard::FilesFit],
        effect: "the question is answered; where it was waited for, clocks resume with what was left",
    },
    Rule {
        command: C::Hold,
        from: &[InProgress],
        to: &[To::Status(AwaitingThirdParty)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::RoomInLog, Guard::HoldGiven],
        effect: "clocks pause only if the policy says so",
    },
    Rule {
        command: C::Resume,
        from: &[AwaitingThirdParty, AwaitingCustomer],
        to: &[To::Status(InProgress)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::ReasonWhileQuestionOpen],
        effect: "clocks resume with what was left",
    },
    Rule {
        command: C::Escalate,
        from: OPEN,
        to: &[To::Status(Queued)],
        level: LevelChange::Up,
        permits: &[
            may_if(Who::Handler, &[Guard::ReasonGiven]),
            may_if(Who::Supervisor, &[Guard::ReasonGiven]),
            may_if(Who::Customer, &[Guard::DeadlineMissed, Guard::ReasonGiven]),
            may_if(Who::System, &[Guard::ClockRanOut]),
        ],
        guards: &[Guard::BelowLastLevel],
        effect: "handler released; router looks at the next level; a clock or a customer moves it once per level and cause, whoever works on it each time they give a reason",
    },
    Rule {
        command: C::HandBack,
        from: &[InProgress],
        to: &[To::Status(Queued)],
        level: LevelChange::Down,
        permits: &[may(Who::Handler)],
        guards: &[
            Guard::RoomInLog,
            Guard::AboveFirstLevel,
            Guard::NotContestedTo,
            Guard::SomebodyBelow,
            Guard::InstructionGiven,
        ],
        effect: "back to the level below, with an instruction",
    },
    Rule {
        command: C::Propose,
        from: &[InProgress],
        to: &[To::Status(PendingApproval)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::DecisionComplete, Guard::CauseFits],
        effect: "needed when over own authority or when the policy demands four eyes",
    },
    Rule {
        command: C::Approve,
        from: &[PendingApproval],
        to: &[To::Status(Resolved)],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor)],
        guards: &[Guard::SecondPerson, Guard::WithinAuthority, Guard::PromisedDaysAhead],
        effect: "as resolve",
    },
    Rule {
        command: C::SendBack,
        from: &[PendingApproval],
        to: &[To::Status(InProgress), To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Proposer), may(Who::Supervisor)],
        guards: &[Guard::CommentGiven],
        effect: "back to the handler, or to the queue when the handler is gone",
    },
    Rule {
        command: C::Resolve,
        from: &[InProgress],
        to: &[To::Status(Resolved)],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler)],
        guards: &[Guard::NoSecondPersonNeeded, Guard::DecisionComplete, Guard::CauseFits, Guard::WithinAuthority],
        effect: "decision notice with how to accept or contest; acceptance and contest clocks start; remedies enter the ledger",
    },
    Rule {
        command: C::ResolveAtSource,
        from: &[Queued, Assigned, InProgress],
        to: &[To::Status(Resolved)],
        level: LevelChange::Kept,
        permits: &[may(Who::Agent)],
        guards: &[Guard::ExplanationGiven, Guard::CauseFits],
        effect: "the customer has said they are satisfied; summary notice; still counted",
    },
    Rule {
        command: C::Accept,
        from: &[Resolved],
        to: &[To::Status(Closed), To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may_if(Who::Agent, &[Guard::ReasonGiven])],
        guards: &[Guard::NotAccepted],
        effect: "every remedy still offered is accepted; closes, or waits for the outstanding remedies and until an unread message is read; recorded by staff, the customer is told on what ground, and it closes when the time to accept or contest is over",
    },
    Rule {
        command: C::AcceptRemedy,
        from: &[Resolved],
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may_if(Who::Agent, &[Guard::ReasonGiven])],
        guards: &[Guard::RemedyNamed],
        effect: "the customer wants this remedy, whatever they think of the decision, also after staff recorded that they decline it; the handler is told",
    },
    Rule {
        command: C::DeclineRemedy,
        from: &[Resolved],
        to: &[To::Same, To::Status(Closed)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may_if(Who::Agent, &[Guard::ReasonGiven])],
        guards: &[Guard::RemedyNamed],
        effect: "no longer owed; closes when it was the last and the resolution is accepted, but recorded by staff only when the time to accept or contest is over",
    },
    Rule {
        command: C::FulfilRemedy,
        from: &[Resolved],
        to: &[To::Same, To::Status(Closed)],
        level: LevelChange::Kept,
        permits: &[may(Who::Agent)],
        guards: &[Guard::RemedyNamed, Guard::FulfilmentGiven],
        effect: "ledger entry; closes when it was the last and the resolution is accepted, unless the customer has yet to object to what staff recorded in their name",
    },
    Rule {
        command: C::FailRemedy,
        from: &[Resolved, Closed],
        to: &[To::Same, To::Status(Resolved)],
        level: LevelChange::Kept,
        permits: &[may_if(Who::Customer, &[Guard::DeliveryDeniable]), may(Who::Agent)],
        guards: &[Guard::RemedyNamed, Guard::ReasonGiven],
        effect: "it could not be delivered, or did not arrive although it was recorded as delivered; it is owed again, the contest window opens anew, and both sides are told",
    },
    Rule {
        command: C::Contest,
        from: &[Resolved, Closed, Dismissed],
        to: &[To::Status(Queued)],
        level: LevelChange::Up,
        permits: &[may(Who::Customer)],
        guards: &[Guard::NotAtLastLevel, Guard::ContestWindowOpen, Guard::ReasonGiven],
        effect: "everyone who decided it before, or held it when it went up, is excluded for good, from all but notes; earlier outcome kept as history",
    },
    Rule {
        command: C::Reopen,
        from: &[Resolved, Closed, Dismissed],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor)],
        guards: &[Guard::FinishedOrFailed, Guard::ReasonGiven],
        effect: "an error was found, or a promised remedy failed; level kept",
    },
    Rule {
        command: C::Close,
        from: &[Resolved],
        to: &[To::Status(Closed)],
        level: LevelChange::Kept,
        permits: &[
            may_if(Who::System, &[Guard::AcceptanceWindowOver]),
            may_if(Who::Supervisor, &[Guard::NothingToContradict]),
        ],
        guards: &[Guard::NoUnreadMessage, Guard::NoOutstandingRemedy],
        effect: "feedback invitation",
    },
    Rule {
        command: C::Rate,
        from: &[Resolved, Closed],
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer)],
        guards: &[Guard::RoomInLog, Guard::RatingEditable, Guard::RatingGiven],
        effect: "one rating per resolution, editable for a day; a low rating offers to contest",
    },
    Rule {
        command: C::AnonymiseRating,
        from: ANY,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may(Who::Admin), may(Who::System)],
        guards: &[Guard::RatingNotAnonymous],
        effect: "agents and auditors no longer see the ratings of this complaint; figures go on counting them",
    },
    Rule {
        command: C::Withdraw,
        from: OPEN_OR_RESOLVED,
        to: &[To::Status(Withdrawn)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer)],
        guards: &[],
        effect: "asks why; what another customer let join it is taken apart",
    },
    Rule {
        command: C::Reinstate,
        from: &[Withdrawn],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer)],
        guards: &[Guard::RoomInLog, Guard::ReinstateWindowOpen, Guard::OpenComplaintLimit],
        effect: "level kept",
    },
    Rule {
        command: C::Dismiss,
        from: &[Queued, Assigned, InProgress],
        to: &[To::Status(Dismissed)],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor), may_if(Who::Agent, &[Guard::DismissingAllowed])],
        guards: &[Guard::DismissalGiven],
        effect: "row and evidence stay; nothing is ever deleted by a command",
    },
    Rule {
        command: C::Merge,
        from: OPEN,
        to: &[To::Status(Merged)],
        level: LevelChange::Kept,
        permits: &[may(Who::Agent)],
        guards: &[Guard::NothingJoinedByConsent, Guard::SurvivorFits],
        effect: "survivor keeps the earliest receipt; one notice; of two customers each keeps receipt and what the law promised, neither learns of the other, and whoever agreed is told how it ended",
    },
    Rule {
        command: C::Unmerge,
        from: &[Merged],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        // Consent can be taken back.
        permits: &[may_if(Who::Customer, &[Guard::JoinedByConsent]), may(Who::Supervisor)],
        guards: &[Guard::SurvivorNotClosed],
        effect: "its own complaint again",
    },
    Rule {
        command: C::Refer,
        from: OPEN,
        to: &[To::Status(Referred)],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor)],
        guards: &[Guard::ReferralGiven],
        effect: "customer told",
    },
    Rule {
        command: C::ReturnReferral,
        from: &[Referred],
        to: &[To::Status(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Supervisor)],
        guards: &[Guard::ReasonGiven],
        effect: "customer told",
    },
    Rule {
        command: C::Post,
        from: OPEN_OR_RESOLVED,
        to: &[To::Same, To::Status(InProgress)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may(Who::Handler), may(Who::Supervisor)],
        guards: &[Guard::RoomInLog, Guard::TextOrFilesGiven, Guard::FilesFit],
        effect: "public message; satisfies or starts clocks; notice to the other side; the customer's, while a question is open, is the answer",
    },
    Rule {
        command: C::Note,
        from: ANY,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Agent)],
        guards: &[Guard::RoomInLog, Guard::TextGiven],
        effect: "internal; a customer never sees it, not even in a count",
    },
    Rule {
        command: C::Attach,
        from: OPEN_OR_RESOLVED,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer), may(Who::Handler), may(Who::Supervisor)],
        guards: &[Guard::RoomInLog, Guard::FilesFit],
        // Files may come in one by one before the words that explain them: the first must not end the question.
        effect: "metadata in the event, bytes in the attachment store; no answer to an open question",
    },
    Rule {
        command: C::Read,
        from: OPEN_OR_RESOLVED,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Handler), may(Who::Supervisor)],
        guards: &[Guard::UnreadMessage],
        effect: "the customer's messages count as read; the auto-close clock goes on",
    },
    Rule {
        command: C::FollowUp,
        from: FINISHED,
        to: &[To::New(Queued)],
        level: LevelChange::Kept,
        permits: &[may(Who::Customer)],
        guards: &[Guard::GoesOnNowhere, Guard::ContestNotPossible],
        effect: "a new, linked complaint; the old one is untouched",
    },
    Rule {
        command: C::Warn,
        from: WITH_CLOCKS,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::System)],
        guards: &[Guard::WarningDue],
        effect: "75 % or 90 % of a clock are used; whoever keeps the promise is told, once",
    },
    Rule {
        command: C::Alarm,
        from: WITH_CLOCKS,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::System)],
        guards: &[Guard::ClockRanOut],
        effect: "a clock ran out that moves nobody; those concerned are told, once",
    },
    Rule {
        command: C::Rebase,
        from: OPEN_OR_RESOLVED,
        to: &[To::Same],
        level: LevelChange::Kept,
        permits: &[may(Who::Admin), may(Who::System)],
        guards: &[Guard::ReasonGiven],
        effect: "running deadlines follow the policy in force; the law's never later, the customer's own time never shorter",
    },
];

/// The row of a command.
///
/// Example: [`Rule`].
pub fn rule(command: CommandName) -> &'static Rule {
    // The table lists the commands in the order of the enumeration; a test holds them together.
    &TABLE[command as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_row() {
        assert_eq!(TABLE.len(), CommandName::ALL.len());
        for command in CommandName::ALL {
            assert_eq!(rule(*command).command, *command);
            assert!(!rule(*command).permits.is_empty(), "nobody may {command}");
        }
    }

    #[test]
    fn every_status_can_be_entered_and_left_or_is_an_end() {
        for status in Status::ALL {
            let entered = TABLE
                .iter()
                .any(|rule| rule.to.iter().any(|to| matches!(to, To::Status(to) | To::New(to) if *to == status)));
            let left = TABLE.iter().any(|rule| {
                rule.from.contains(&status) && rule.to.iter().any(|to| matches!(to, To::Status(to) if *to != status))
            });
            assert!(entered, "{status} cannot be entered");
            assert!(left || status.is_end(), "{status} cannot be left");
        }
    }
}
