//! What each guard of the table looks at.

mod decision;
mod files;
mod submission;

use std::time::Duration;

use chrono::{DateTime, Utc};

use decision::{
    authority_faults, cause_faults, decision_faults, denial_faults, fulfilment_faults, no_remedy_for,
    proposed_days_faults, remedy_named_faults,
};
use files::{file_faults, files_sent, side};
use submission::look_at_submission;

use super::context::Context;
use super::refusal::FailedGuard;
use super::table::{Guard, Permit, Rule, Who};
use super::{Command, CommandName, Field, Status};
use crate::actor::{Actor, Party};
use crate::complaint::{Complaint, DismissalReason, EscalationCause, ExclusionCause, Submission};
use crate::deadline::{ClockKind, Deadline, due_commands, has_escalated, moves_up, wall};
use crate::id::{AgentId, Level};
use crate::policy::{Policy, RightsMoment};
use crate::routing::Ineligible;
use crate::store::Scope;
use crate::text::{self, TextFault};

/// The longest that a customer is told to wait for a third party.
const HOLD_MAX: Duration = Duration::from_hours(366 * 24);

pub use decision::REMEDIES_MAX;
pub use files::{FILE_SIZE_MAX, FILES_MAX, MEDIA_TYPES};

pub(crate) use decision::remedy_meant;

/// Everything a guard may look at.
pub(crate) struct Scene<'a> {
    /// The complaint; `None` while it is being submitted.
    pub(crate) complaint: Option<&'a Complaint>,
    pub(crate) submission: Option<&'a Submission>,
    pub(crate) command: &'a Command,
    pub(crate) actor: &'a Actor,
    pub(crate) context: &'a Context<'a>,
}

/// How much is asked: everything, or only what does not depend on input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Everything,
    StateOnly,
}

/// Every guard that fails, the most fundamental first.
pub(crate) fn check(scene: &Scene<'_>, rule: &Rule, depth: Depth) -> Vec<FailedGuard> {
    let mut failed = Vec::new();
    let context = scene.context;
    if let Some(complaint) = scene.complaint {
        let current = complaint.version_for(scene.actor);
        if context.seen.is_some_and(|seen| seen != current) {
            failed.push(FailedGuard::stale(format!("it was changed meanwhile: version {current} is current")));
        }
        if scene.actor.agent_id().is_some() && complaint.against.as_ref() == scene.actor.agent_id() {
            failed.push(FailedGuard::forbidden(
                "subject_of_complaint",
                "the complaint is against you",
                "somebody else must act",
            ));
            return failed;
        }
        // What they know of it they may still leave to whoever follows; nobody else decides, steers or speaks by that.
        if rule.command != CommandName::Note {
            if scene.actor.agent_id().is_some_and(|agent| complaint.is_barred(agent)) {
                failed.push(FailedGuard::forbidden(
                    "excluded",
                    "you held or decided this complaint before it was contested",
                    // A note takes sight of it, which the contest may have taken from them.
                    if sees(scene) {
                        "somebody else must act; what you know can be left as a note"
                    } else {
                        "somebody else must act"
                    },
                ));
                return failed;
            }
            let below = scene.actor.level().filter(|level| *level < complaint.level);
            if let Some(level) = below.filter(|_| is(scene, Who::Handler)) {
                failed.push(FailedGuard::forbidden(
                    "below_its_level",
                    format!("it is at level {}, and you work at level {level} now", complaint.level),
                    "somebody of its level must act; what you know can be left as a note",
                ));
                return failed;
            }
        }
        if !rule.from.contains(&complaint.status) {
            failed.push(wrong_status(complaint, rule, scene.actor));
        }
    }
    let matching: Vec<&Permit> = rule.permits.iter().filter(|permit| is(scene, permit.who)).collect();
    if matching.is_empty() {
        let forbidden = not_theirs(rule, scene.actor);
        // What else fails would tell customers how things stand among staff: what waits for approval, what was read, who may decide
        // how much.
        if scene.actor.customer_id().is_some() {
            return vec![forbidden];
        }
        failed.push(forbidden);
    }
    let ask = |guard: &Guard| match depth {
        Depth::StateOnly if guard.reads_input() => satisfiable(scene, *guard),
        _ => look(scene, *guard),
    };
    // Of several roles that fit, the one with the fewest objections counts.
    let own: Option<Vec<FailedGuard>> =
        matching.iter().map(|permit| permit.guards.iter().flat_map(ask).collect::<Vec<_>>()).min_by_key(Vec::len);
    failed.extend(own.into_iter().flatten());
    failed.extend(rule.guards.iter().flat_map(ask));
    for wrong in optional_texts(scene) {
        // What somebody must give need not be given by everybody, and is told once.
        if !failed.contains(&wrong) {
            failed.push(wrong);
        }
    }
    failed
}

/// Why none of the roles that may give the command is the actor's, and whose they are.
fn not_theirs(rule: &Rule, actor: &Actor) -> FailedGuard {
    let who: Vec<&str> = rule.permits.iter().map(|permit| permit.who.in_words()).collect();
    let roles = who.join(", ");
    // To say that it is for agents would be no answer to one of them.
    if rule.permits.iter().any(|permit| works_as(actor, permit.who)) {
        return FailedGuard::forbidden(
            "out_of_sight",
            "the complaint is not yours to see, as its handler or by your level",
            format!("somebody who may see it must do it: {roles}"),
        );
    }
    let remedy = match rule.permits {
        [only] if only.who == Who::System => "it happens by itself when it is time",
        permits if permits.iter().all(|permit| matches!(permit.who, Who::Handler | Who::System)) => {
            "the handler must do it"
        }
        _ => "one of them must do it",
    };
    let could_be_handler = actor.agent_id().is_some()
        && rule.permits.iter().any(|permit| matches!(permit.who, Who::Handler | Who::Proposer));
    // An agent who does not hold it is told so; for everyone else the command is none of theirs.
    let code = if could_be_handler { "not_the_handler" } else { "not_permitted" };
    FailedGuard::forbidden(code, format!("“{}” is for: {roles}", rule.command.label()), remedy)
}

/// Texts that need not be given are within bounds when they are.
fn optional_texts(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let optional = |field: &Field| match field {
        Field::OptionalReason => fits("reason", &input.reason),
        Field::OptionalComment => fits("comment", &input.comment),
        // To name evidence without saying what it is brings none.
        Field::NewEvidence if input.new_evidence.is_some() => given("new_evidence", &input.new_evidence),
        _ => Vec::new(),
    };
    let reason_is_due = scene.command.name() == CommandName::Resume
        && scene.complaint.is_some_and(|complaint| complaint.question.is_some());
    scene.command.name().fields().iter().filter(|_| !reason_is_due).flat_map(optional).collect()
}

/// What fails of a guard that reads input, whatever the input is.
fn satisfiable(scene: &Scene<'_>, guard: Guard) -> Vec<FailedGuard> {
    let Some(complaint) = scene.complaint else { return Vec::new() };
    let now = scene.context.now;
    match guard {
        Guard::RemedyNamed if complaint.remedies_for(scene.command.name(), scene.actor).next().is_none() => {
            no_remedy_for(complaint, scene.command.name(), scene.actor)
        }
        Guard::DeliveryDeniable => denial_faults(scene, complaint, Depth::StateOnly),
        // A message can do without a file.
        Guard::FilesFit if scene.command.name() == CommandName::Attach && files_sent(scene, complaint) >= FILES_MAX => {
            let whose = side(scene);
            let message = format!("{whose} sent {FILES_MAX} files, which is the most");
            fail("too_many", message, "describe the rest in a message")
        }
        // The money of an approval is the proposal's; where it is the input's, none is no fault.
        Guard::WithinAuthority => authority_faults(scene, complaint),
        Guard::ClockRanOut | Guard::WarningDue => {
            let name = scene.command.name();
            match due_commands(complaint, scene.context.policy, now).iter().any(|command| command.name() == name) {
                true => Vec::new(),
                false if guard == Guard::WarningDue => warning_not_due(),
                false => clock_not_run_out(),
            }
        }
        _ => Vec::new(),
    }
}

fn wrong_status(complaint: &Complaint, rule: &Rule, actor: &Actor) -> FailedGuard {
    // As whoever asks calls it.
    let called = |status: Status| match actor.customer_id() {
        Some(_) => format!("“{}”", status.customer_label()),
        None => format!("“{}”", status.label()),
    };
    let mut wanted: Vec<String> = Vec::new();
    for status in rule.from.iter().map(|status| called(*status)) {
        if !wanted.contains(&status) {
            wanted.push(status);
        }
    }
    let asks_customer = actor.customer_id().is_some();
    let remedy = match complaint.status {
        Status::Merged if asks_customer && complaint.joined_by_consent => {
            "take it apart to have it handled on its own; once it was answered, it can be followed up".to_owned()
        }
        Status::Merged if asks_customer => "turn to the complaint that it was joined to".to_owned(),
        // The rights of whoever was given an answer; who withdrew, or was passed on, was given none.
        Status::Closed | Status::Dismissed if asks_customer => {
            "a finished complaint can be contested in time, or followed up".to_owned()
        }
        status if status.is_end() && asks_customer => "a finished complaint can be followed up".to_owned(),
        _ => format!("it must be: {}", wanted.join(", ")),
    };
    FailedGuard::state("wrong_status", format!("it is {}", called(complaint.status)), remedy)
}

/// Whether the actor has this role in relation to the complaint.
fn is(scene: &Scene<'_>, who: Who) -> bool {
    let party = scene.actor.party();
    match who {
        Who::System => *party == Party::System,
        Who::Admin => matches!(party, Party::Admin(_)),
        Who::Customer => match (party, scene.complaint) {
            (Party::Customer(id), Some(complaint)) => complaint.customer == *id,
            (Party::Customer(_), None) => true,
            _ => false,
        },
        Who::Agent | Who::Supervisor => works_as(scene.actor, who) && sees(scene),
        Who::Handler => {
            let holder = scene.complaint.and_then(|complaint| complaint.handler.as_ref());
            holder.is_some() && holder == party.agent()
        }
        Who::Proposer => {
            let proposer = scene.complaint.and_then(|it| it.proposal.as_ref()).map(|proposal| &proposal.by);
            proposer.is_some() && proposer == party.agent()
        }
    }
}

/// Whether the actor has this role wherever they see the complaint.
fn works_as(actor: &Actor, who: Who) -> bool {
    match who {
        Who::Agent => actor.agent_id().is_some(),
        Who::Supervisor => actor.is_supervisor(),
        _ => false,
    }
}

fn sees(scene: &Scene<'_>) -> bool {
    let policy = scene.context.policy;
    let scope = Scope::of(scene.actor, policy.last_level(), policy.agents_may_take);
    scene.complaint.is_none_or(|complaint| scope.admits(complaint))
}

fn fail(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Vec<FailedGuard> {
    vec![FailedGuard::state(code, message, remedy)]
}

fn fault(field: &str, fault: TextFault) -> FailedGuard {
    let remedy = match fault {
        TextFault::Empty => "give it",
        TextFault::TooLong { .. } => "shorten it",
        TextFault::Control | TextFault::Direction => "remove them",
        TextFault::LineEnd => "write it on one line",
    };
    FailedGuard::input(fault.code(), field, fault.to_string(), remedy)
}

fn given(field: &str, value: &Option<String>) -> Vec<FailedGuard> {
    let raw = value.as_deref().unwrap_or_default();
    text::text(raw).err().map(|it| fault(field, it)).into_iter().collect()
}

fn given_line(field: &str, value: &Option<String>) -> Vec<FailedGuard> {
    let raw = value.as_deref().unwrap_or_default();
    text::line(raw, text::FIELD_MAX).err().map(|it| fault(field, it)).into_iter().collect()
}

/// Optional texts are checked too, when they are there.
fn fits(field: &str, value: &Option<String>) -> Vec<FailedGuard> {
    match value.as_deref() {
        Some(raw) if !raw.trim().is_empty() => given(field, value),
        _ => Vec::new(),
    }
}

fn look(scene: &Scene<'_>, guard: Guard) -> Vec<FailedGuard> {
    let context = scene.context;
    match (scene.complaint, scene.submission) {
        (None, Some(submission)) => look_at_submission(scene, submission, guard),
        (Some(complaint), _) => look_at_complaint(scene, complaint, guard, context.now),
        (None, None) => Vec::new(),
    }
}

/// The latest date it is anywhere on Earth now (UTC+14): nobody's today is refused as the future.
fn latest_today(now: DateTime<Utc>) -> chrono::NaiveDate {
    wall(now, Duration::from_hours(14)).date_naive()
}

/// What is today for the organisation, by whose calendar days that staff promise or record end.
fn today(scene: &Scene<'_>) -> chrono::NaiveDate {
    scene.context.policy.working_calendar().date(scene.context.now)
}

/// The limit is against floods, which only what a customer brings in can be: `submit`, `follow_up` and `reinstate`. It never
/// stands in the way of a right (`contest`, to escalate) nor of what staff do (`reopen`, `unmerge`, `return_referral`).
fn open_limit_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let most = scene.context.policy.open_complaints_per_customer;
    if scene.context.open_complaints < most {
        return Vec::new();
    }
    fail(
        "too_many_open_complaints",
        format!("you have {most} open complaints, which is the most one customer may have"),
        "wait until one of them is finished, or withdraw one",
    )
}

#[expect(clippy::too_many_lines, reason = "one arm per guard, in the order of the enumeration")]
fn look_at_complaint(scene: &Scene<'_>, complaint: &Complaint, guard: Guard, now: DateTime<Utc>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let policy = scene.context.policy;
    match guard {
        Guard::CategoryKnown | Guard::SubmissionComplete => Vec::new(),
        Guard::OpenComplaintLimit => open_limit_faults(scene),
        Guard::NotAcknowledged if complaint.acknowledged_at.is_some() => {
            fail("already_acknowledged", "it was acknowledged before", "nothing more is needed")
        }
        Guard::NotAcknowledged => Vec::new(),
        Guard::TriageFits => triage_faults(scene),
        Guard::CandidateEligible => candidate_faults(scene),
        Guard::TakingAllowed => {
            if !policy.agents_may_take {
                vec![FailedGuard::forbidden(
                    "taking_not_allowed",
                    "the policy does not let agents take from the queue",
                    "wait for the router, or ask a supervisor",
                )]
            } else if taker(scene).is_some_and(|agent| Some(agent) != scene.actor.agent_id()) {
                vec![FailedGuard::forbidden(
                    "only_for_oneself",
                    "an agent takes for themself",
                    "a supervisor can give it to somebody else",
                )]
            } else {
                Vec::new()
            }
        }
        Guard::DismissingAllowed if policy.agents_may_dismiss => Vec::new(),
        Guard::DismissingAllowed => vec![FailedGuard::forbidden(
            "dismissing_not_allowed",
            "the policy does not let agents dismiss",
            "ask a supervisor",
        )],
        Guard::ReasonGiven => given("reason", &input.reason),
        Guard::TextGiven => given("text", &input.text),
        Guard::TextOrFilesGiven if input.files.is_empty() && input.attachments.is_empty() => {
            let mut failed = given("text", &input.text);
            for fault in failed.iter_mut().filter(|fault| fault.code == "missing") {
                fault.message = "must not be empty where no file is sent".into();
                fault.remedy = "write a text, or send a file".into();
            }
            failed
        }
        Guard::TextOrFilesGiven => fits("text", &input.text),
        Guard::CommentGiven => given("comment", &input.comment),
        Guard::InstructionGiven => given("instruction", &input.instruction),
        Guard::HoldGiven => {
            let mut failed = given_line("party", &input.party);
            match input.until {
                None => {
                    failed.push(FailedGuard::input("missing", "until", "must not be empty", "give the expected day"));
                }
                Some(until) if until < today(scene) => failed.push(FailedGuard::input(
                    "in_the_past",
                    "until",
                    "must not be in the past",
                    "give the expected day",
                )),
                Some(until) if until > wall(now, HOLD_MAX).date_naive() => failed.push(FailedGuard::input(
                    "out_of_range",
                    "until",
                    "must be within a year",
                    "give a nearer day; it can be held again",
                )),
                Some(_) => {}
            }
            failed
        }
        Guard::QuestionOpen if complaint.question.is_none() => {
            fail("no_question_open", "no question is open", "a message needs none")
        }
        Guard::QuestionOpen => Vec::new(),
        Guard::ReasonWhileQuestionOpen if complaint.question.is_some() => given("reason", &input.reason),
        Guard::ReasonWhileQuestionOpen => Vec::new(),
        Guard::BelowLastLevel if complaint.level >= policy.last_level() => fail(
            "last_level",
            format!("level {} is the last of the ladder", complaint.level),
            "the handler at this level decides finally",
        ),
        Guard::BelowLastLevel => Vec::new(),
        Guard::AboveFirstLevel if complaint.level == Level::FIRST => {
            fail("first_level", "there is no level below", instead_of_handing_back(complaint, policy))
        }
        Guard::AboveFirstLevel => Vec::new(),
        Guard::NotContestedTo if complaint.contested_to.is_some_and(|level| complaint.level <= level) => fail(
            "contested_to_this_level",
            "the customer contested what was decided below, and was told that it is looked at here",
            instead_of_handing_back(complaint, policy),
        ),
        Guard::NotContestedTo => Vec::new(),
        Guard::SomebodyBelow if !scene.context.somebody_below => fail(
            "nobody_below",
            "nobody at the level below can ever take it: each is excluded or does not fit",
            instead_of_handing_back(complaint, policy),
        ),
        Guard::SomebodyBelow => Vec::new(),
        Guard::DeadlineMissed => deadline_faults(complaint, now),
        Guard::ClockRanOut => clock_faults(scene, complaint, now),
        Guard::ReleaseDue => release_faults(scene, complaint, now),
        Guard::DecisionComplete => decision_faults(scene),
        Guard::CauseFits => cause_faults(scene),
        Guard::WithinAuthority => authority_faults(scene, complaint),
        Guard::NoSecondPersonNeeded if policy.four_eyes => {
            fail("second_person_needed", "the policy asks for a second person", "propose the resolution instead")
        }
        Guard::NoSecondPersonNeeded => Vec::new(),
        Guard::SecondPerson => {
            let proposer = complaint.proposal.as_ref().map(|proposal| &proposal.by);
            if proposer.is_some() && proposer == scene.actor.agent_id() {
                vec![FailedGuard::forbidden(
                    "own_proposal",
                    "nobody approves their own proposal",
                    "another supervisor must decide",
                )]
            } else {
                Vec::new()
            }
        }
        Guard::PromisedDaysAhead => proposed_days_faults(scene, complaint),
        Guard::ExplanationGiven => given("explanation", &input.explanation),
        Guard::NotAccepted => match complaint.resolution() {
            // What staff recorded is still theirs to confirm.
            Some(resolution) if resolution.recorded_by.is_some() && scene.actor.customer_id().is_some() => Vec::new(),
            Some(resolution) if resolution.accepted_at.is_some() => {
                fail("already_accepted", "it was accepted before", what_an_accepted_one_waits_for(scene, complaint))
            }
            _ => Vec::new(),
        },
        Guard::RemedyNamed => remedy_named_faults(complaint, scene.command, scene.actor),
        Guard::FulfilmentGiven => fulfilment_faults(scene, complaint),
        Guard::ContestWindowOpen => {
            let instead = if complaint.status.is_end() {
                "file a follow-up complaint"
            } else {
                "write a message; once it is closed, a follow-up complaint can be filed"
            };
            match contest_window_end(complaint) {
                Some(end) if end < now => {
                    let ended = format!("the time to contest ended on {}", end.format("%-d %B %Y, %H:%M UTC"));
                    fail("contest_window_over", ended, instead)
                }
                None if complaint.decisions > 0 && complaint.status.is_end() => {
                    fail("contest_window_over", "the time to contest is over", instead)
                }
                _ => Vec::new(),
            }
        }
        Guard::DeliveryDeniable => denial_faults(scene, complaint, Depth::Everything),
        Guard::NotAtLastLevel => {
            if complaint.is_final(policy) && input.new_evidence.is_none() {
                fail(
                    "final_authority_reached",
                    final_authority_text(policy.level_name(complaint.level)),
                    match policy.rights.text(RightsMoment::Decision) {
                        Some(_) => "bring evidence that was not seen before, or turn to the body named in the decision",
                        None => "bring evidence that was not seen before",
                    },
                )
            } else {
                Vec::new()
            }
        }
        Guard::FinishedOrFailed if complaint.status == Status::Resolved && !complaint.has_failed_remedy() => {
            fail("nothing_failed", "it was decided, and no promised remedy failed", "wait until it is finished")
        }
        Guard::FinishedOrFailed => Vec::new(),
        Guard::NoUnreadMessage if complaint.unread_since.is_some() => {
            fail("unread_message", "a message of the customer is unread", "read and answer it first")
        }
        Guard::NoUnreadMessage => Vec::new(),
        Guard::NoOutstandingRemedy if complaint.outstanding_remedies().next().is_some() => {
            let remedy = if complaint.has_failed_remedy() {
                "make it good and record that, or reopen the complaint and decide anew"
            } else {
                "record it as fulfilled first"
            };
            fail("outstanding_remedy", "a promised remedy is outstanding", remedy)
        }
        Guard::NoOutstandingRemedy => Vec::new(),
        Guard::NothingToContradict
            if complaint.rests_on_word_of_staff() && !acceptance_window_is_over(complaint, now) =>
        {
            fail(
                "can_be_contradicted",
                "what staff recorded in the customer's name can still be contradicted",
                "wait until the time to accept or contest is over",
            )
        }
        Guard::NothingToContradict => Vec::new(),
        Guard::AcceptanceWindowOver if acceptance_window_is_over(complaint, now) => Vec::new(),
        Guard::AcceptanceWindowOver => {
            fail("acceptance_window_open", "the customer may still accept or contest", "wait until the time is over")
        }
        Guard::RatingGiven => match input.score {
            None => vec![FailedGuard::input("missing", "score", "must not be empty", "give 1 to 5")],
            Some(score) if !(1..=5).contains(&score) => {
                vec![FailedGuard::input("out_of_range", "score", "must be 1 to 5", "give 1 to 5")]
            }
            Some(_) => Vec::new(),
        },
        Guard::RatingEditable => rating_faults(scene, complaint, now),
        Guard::RatingNotAnonymous if complaint.feedback.iter().all(|feedback| feedback.anonymous) => {
            fail("nothing_to_anonymise", "no rating stands that is not anonymous", "nothing more is needed")
        }
        Guard::RatingNotAnonymous => Vec::new(),
        Guard::ReinstateWindowOpen => {
            let (_, end) = policy.reinstate_window.measure(&policy.working_calendar(), complaint.status_since);
            if complaint.status == Status::Withdrawn && end < now {
                fail("reinstate_window_over", "it was withdrawn too long ago", "file a follow-up complaint")
            } else {
                Vec::new()
            }
        }
        Guard::DismissalGiven => {
            let mut failed = given("text", &input.text);
            let reason = input.reason.as_deref().unwrap_or_default().trim();
            if reason.parse::<DismissalReason>().is_err() {
                let known: Vec<&str> = DismissalReason::ALL.iter().map(|reason| reason.name()).collect();
                let known = known.join(", ");
                failed.push(if reason.is_empty() {
                    FailedGuard::input("missing", "reason", "must be chosen", format!("choose one of: {known}"))
                } else {
                    FailedGuard::input("unknown_value", "reason", format!("must be one of: {known}"), "choose one")
                });
            }
            failed
        }
        Guard::SurvivorFits => survivor_faults(scene, complaint),
        // They agreed that it goes on with this one, and with no other.
        Guard::NothingJoinedByConsent if !complaint.consents.is_empty() => fail(
            "holds_by_consent",
            "a complaint of another customer, who agreed to that, goes on with this one",
            "join that one to this one instead, or take them apart first",
        ),
        Guard::NothingJoinedByConsent => Vec::new(),
        Guard::JoinedByConsent if complaint.merged_into.is_some() && !complaint.joined_by_consent => {
            fail("not_by_consent", "it goes on with another complaint of yours", "turn to that one")
        }
        Guard::JoinedByConsent => Vec::new(),
        Guard::GoesOnNowhere if complaint.merged_into.is_some() && complaint.ended_elsewhere.is_none() => {
            let remedy = if complaint.joined_by_consent {
                "wait until that is answered, or take it apart"
            } else {
                "turn to the complaint that it was joined to"
            };
            fail("goes_on_elsewhere", "it goes on with the complaint that it was joined to", remedy)
        }
        Guard::GoesOnNowhere => Vec::new(),
        Guard::SurvivorNotClosed => match scene.context.other {
            None => fail("survivor_unknown", "the complaint it was joined to cannot be found", "ask an administrator"),
            Some(survivor) if complaint.merged_into != Some(survivor.id) => fail(
                "survivor_unknown",
                "it was joined to another complaint than this one",
                "give the one it was joined to",
            ),
            Some(survivor) if survivor.status.is_end() => fail(
                "survivor_finished",
                "the complaint it was joined to is finished",
                match scene.actor.customer_id() {
                    Some(_) => "file a follow-up",
                    None => "reopen that one, or file a follow-up",
                },
            ),
            _ => Vec::new(),
        },
        Guard::ReferralGiven => {
            let mut failed = given_line("body", &input.body);
            failed.extend(given("text", &input.text));
            failed
        }
        Guard::FilesFit => file_faults(scene, complaint),
        Guard::UnreadMessage if complaint.unread_since.is_none() => {
            fail("nothing_unread", "no message of the customer is unread", "nothing more is needed")
        }
        Guard::UnreadMessage => Vec::new(),
        Guard::ContestNotPossible => {
            let contestable = matches!(complaint.status, Status::Closed | Status::Dismissed)
                && complaint.level < policy.last_level()
                && contest_window_end(complaint).is_some_and(|end| now <= end);
            if contestable {
                fail("still_contestable", "the answer can still be contested", "contest it instead")
            } else {
                Vec::new()
            }
        }
        Guard::RoomInLog => log_faults(scene, complaint),
        Guard::WarningDue => {
            let due = input.clocks.iter().all(|(clock, instance)| {
                complaint.deadlines.iter().any(|deadline| {
                    (deadline.clock, deadline.instance) == (*clock, *instance)
                        && warning_is_due(deadline, input.percent, now)
                })
            });
            if due && !input.clocks.is_empty() { Vec::new() } else { warning_not_due() }
        }
    }
}

fn log_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let most = scene.context.policy.log_entries_per_complaint;
    let by_customer = scene.actor.customer_id().is_some();
    let latest = complaint.resolutions.len();
    let leads_on = match scene.command.name() {
        CommandName::Post => by_customer && complaint.question.is_some(),
        CommandName::Rate => complaint.feedback.iter().all(|feedback| feedback.resolution as usize != latest),
        _ => *scene.actor.party() == Party::System,
    };
    if complaint.entries < most || leads_on {
        return Vec::new();
    }
    let remedy = if complaint.status.is_end() {
        "what is new goes into a follow-up complaint"
    } else if by_customer {
        "wait for the decision; what is new goes into a follow-up complaint once this one is finished"
    } else {
        "bring it to its end: decide it, dismiss it or pass it on; what is new goes into a follow-up complaint"
    };
    fail(
        "log_full",
        format!("its log has {} entries, and from {most} on it takes no more of this kind", complaint.entries),
        remedy,
    )
}

fn ran_out(deadline: &Deadline, now: DateTime<Utc>) -> bool {
    deadline.asks_about_its_end() && deadline.due_at.is_some_and(|due| due <= now)
}

fn warning_is_due(deadline: &Deadline, percent: u8, now: DateTime<Utc>) -> bool {
    deadline.asks_about_its_end()
        && deadline.warned < percent
        && deadline.warn_at.is_some_and(|[early, late]| if percent >= 90 { late <= now } else { early <= now })
}

fn warning_not_due() -> Vec<FailedGuard> {
    fail("warning_not_due", "the clock has not reached the warning, or it was given", "wait for the clock")
}

fn clock_not_run_out() -> Vec<FailedGuard> {
    fail("clock_not_run_out", "the clock has not run out, or it moved this complaint before", "wait for the clock")
}

fn final_authority_text(level: &str) -> String {
    format!(
        "The {} has decided with final authority. This ends our own procedure; your right to turn to an ombudsman or a court is not touched",
        level.to_lowercase()
    )
}

/// The handler may not release it themself, and at the last level there is nowhere to escalate it to.
fn instead_of_handing_back(complaint: &Complaint, policy: &Policy) -> &'static str {
    if complaint.level < policy.last_level() {
        "decide it here, escalate it, or ask a supervisor to release or reassign it"
    } else {
        "decide it here"
    }
}

/// What keeps a supervisor from closing it; who reads what when is nothing to tell a customer.
fn what_an_accepted_one_waits_for(scene: &Scene<'_>, complaint: &Complaint) -> String {
    let owes = complaint.outstanding_remedies().next().is_some();
    if scene.actor.customer_id().is_some() {
        return if owes { "wait for the outstanding remedies" } else { "nothing more is needed" }.into();
    }
    let objects = complaint.rests_on_word_of_staff() && !acceptance_window_is_over(complaint, scene.context.now);
    let waits = [
        (owes, "the outstanding remedies are delivered or declined"),
        (complaint.unread_since.is_some(), "the customer's message is read"),
        (objects, "the customer's time to object to what staff recorded is over"),
    ];
    let waits: Vec<&str> = waits.into_iter().filter(|(waits, _)| *waits).map(|(_, until)| until).collect();
    if complaint.status != Status::Resolved || waits.is_empty() {
        return "nothing more is needed".into();
    }
    format!("it can be closed once {}", waits.join(", and "))
}

fn acceptance_window_is_over(complaint: &Complaint, now: DateTime<Utc>) -> bool {
    let is_over = |deadline: &Deadline| deadline.missed_at.is_some() || deadline.due_at.is_some_and(|due| due <= now);
    complaint.deadline(ClockKind::AutoClose).is_some_and(is_over)
}

fn contest_window_end(complaint: &Complaint) -> Option<DateTime<Utc>> {
    complaint.deadline(ClockKind::ContestWindow).and_then(|deadline| deadline.due_at)
}

fn triage_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let mut failed = Vec::new();
    if let Some(key) = &input.category
        && scene.context.policy.category(key).is_none_or(|category| !category.active)
    {
        failed.push(FailedGuard::input(
            "unknown_category",
            "category",
            format!("`{key}` cannot be complained about here"),
            "choose a category of the catalogue",
        ));
    }
    if input.weight.is_some_and(|weight| weight == 0 || weight > 1000) {
        failed.push(FailedGuard::input("out_of_range", "weight", "must be 1 to 1000", "give 1 to 1000"));
    }
    let nothing = input.category.is_none()
        && input.priority.is_none()
        && input.skills.is_none()
        && input.area.is_none()
        && input.weight.is_none();
    if nothing {
        failed.push(FailedGuard::input(
            "missing",
            "category",
            "is not changed, and nothing else is",
            "give a category, priority, skills, area or weight",
        ));
    }
    failed
}

/// Who is to get it: whom the command names, else whom the routing chose.
fn taker<'a>(scene: &Scene<'a>) -> Option<&'a AgentId> {
    scene.command.input().agent.as_ref().or_else(|| scene.context.routing.and_then(|routing| routing.chosen.as_ref()))
}

fn candidate_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let mut failed = Vec::new();
    let reassigning = scene.command.name() == CommandName::Reassign;
    // Who reassigns says why in any case.
    let says_why = reassigning || input.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    if input.over_capacity && !says_why {
        let message = "must say why the capacity is exceeded";
        failed.push(FailedGuard::input("missing", "reason", message, "give a reason"));
    }
    if reassigning && input.agent.is_none() {
        failed.push(FailedGuard::input("missing", "agent", "must not be empty", "name the new handler"));
    } else if reassigning && scene.complaint.and_then(|it| it.handler.as_ref()) == input.agent.as_ref() {
        failed.push(FailedGuard::input("already_handler", "agent", "holds it already", "name somebody else"));
    } else {
        failed.extend(eligibility_faults(scene));
    }
    failed
}

fn eligibility_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    // The router leaves them out; whoever brings a choice of their own gets the same answer.
    let barred = scene.context.routing.and_then(|routing| routing.chosen.as_ref()).is_some_and(|agent| {
        scene.complaint.is_some_and(|complaint| {
            complaint.against.as_ref() == Some(agent)
                || match complaint.exclusion(agent) {
                    // Somebody else is looked for; a person may decide that it is theirs all the same.
                    Some(ExclusionCause::Released(_)) => !scene.context.routing.is_some_and(|routing| routing.by_hand),
                    other => other.is_some(),
                }
        })
    });
    let not_eligible = |why: String, remedy: &str| vec![FailedGuard::input("not_eligible", "agent", why, remedy)];
    if barred {
        return not_eligible("is excluded from this complaint".into(), "choose an eligible agent");
    }
    let nobody =
        || fail("nobody_eligible", "nobody is eligible now", "wait until the roster changes, or assign by hand");
    let Some(routing) = scene.context.routing else { return nobody() };
    match (&routing.chosen, &input.agent) {
        (Some(chosen), Some(named)) if chosen != named => {
            not_eligible("is not whom the routing chose".into(), "route it for the agent who is named")
        }
        (Some(_), _) => Vec::new(),
        (None, None) => nobody(),
        (None, Some(named)) => {
            let theirs = routing.candidates.iter().filter(|candidate| candidate.agent == *named);
            let reasons: Vec<String> =
                theirs.flat_map(|candidate| &candidate.reasons).map(Ineligible::message).collect();
            let why = if reasons.is_empty() { "is not an agent".to_owned() } else { reasons.join("; ") };
            not_eligible(why, "choose an eligible agent; capacity may be exceeded with a reason")
        }
    }
}

fn deadline_faults(complaint: &Complaint, now: DateTime<Utc>) -> Vec<FailedGuard> {
    // One broken promise is one step up: the next level gets its time before the customer can go on.
    let here_since = complaint.deadline(ClockKind::Level).map(|level| level.started_at);
    let missed = complaint.deadlines.iter().any(|deadline| {
        matches!(
            deadline.clock,
            ClockKind::Acknowledgement
                | ClockKind::FirstResponse
                | ClockKind::Resolution
                | ClockKind::Level
                | ClockKind::Statutory
        ) && deadline.ended.is_none()
            && !deadline.lapses()
            && (deadline.missed_at.is_some() || deadline.due_at.is_some_and(|due| due < now))
            && deadline.due_at.or(deadline.missed_at) > here_since
    });
    let escalated = has_escalated(complaint, complaint.level, &EscalationCause::Customer);
    match (missed, escalated) {
        (true, false) => Vec::new(),
        // No other time that is missed here would help.
        (_, true) => fail("no_deadline_missed", "you have escalated it from this level before", "write a message"),
        (false, false) => fail(
            "no_deadline_missed",
            "no promised time was missed at this level",
            "wait for the promised time, or write a message",
        ),
    }
}

fn clock_faults(scene: &Scene<'_>, complaint: &Complaint, now: DateTime<Utc>) -> Vec<FailedGuard> {
    let clocks = &scene.command.input().clocks;
    let moving = scene.command.name() == CommandName::Escalate;
    let all_ran_out = clocks.iter().all(|(clock, instance)| {
        let is_over = complaint.deadlines.iter().any(|deadline| {
            deadline.clock == *clock && (moving || deadline.instance == *instance) && ran_out(deadline, now)
        });
        let moves = || {
            moves_up(complaint, *clock) && !has_escalated(complaint, complaint.level, &EscalationCause::Clock(*clock))
        };
        is_over && (!moving || moves())
    });
    if all_ran_out && !clocks.is_empty() { Vec::new() } else { clock_not_run_out() }
}

fn release_faults(scene: &Scene<'_>, complaint: &Complaint, now: DateTime<Utc>) -> Vec<FailedGuard> {
    let not_begun = complaint.status == Status::Assigned
        && complaint
            .deadline(ClockKind::Acceptance)
            .is_some_and(|deadline| deadline.due_at.is_some_and(|due| due <= now));
    if not_begun || !scene.context.handler_available {
        Vec::new()
    } else {
        fail("release_not_due", "the handler is there and has time left to begin", "wait for the clock")
    }
}

fn rating_faults(scene: &Scene<'_>, complaint: &Complaint, now: DateTime<Utc>) -> Vec<FailedGuard> {
    let policy = scene.context.policy;
    if complaint.resolutions.is_empty() {
        return fail("nothing_to_rate", "it was not resolved yet", "wait for the answer");
    }
    let latest = complaint.resolutions.len();
    let given = complaint.feedback.iter().find(|feedback| feedback.resolution as usize == latest);
    let over = given.is_some_and(|feedback| {
        let (_, end) = policy.rating_window.measure(&policy.working_calendar(), feedback.first_given_at);
        end < now
    });
    if over {
        fail("already_rated", "the rating can no longer be changed", "nothing more is needed")
    } else {
        Vec::new()
    }
}

fn survivor_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let field = |code, message: &str, remedy: &str| vec![FailedGuard::input(code, "into", message, remedy)];
    let Some(survivor) = scene.context.other else {
        let code = if scene.command.input().into.as_deref().is_none_or(|into| into.trim().is_empty()) {
            "missing"
        } else {
            "unknown_complaint"
        };
        return field(code, "must name another complaint", "give its reference");
    };
    if survivor.id == complaint.id {
        return field("same_complaint", "is this complaint itself", "give the reference of another one");
    }
    let policy = scene.context.policy;
    let scope = Scope::of(scene.actor, policy.last_level(), policy.agents_may_take);
    if !scope.admits(survivor) {
        // The same answer as for one that does not exist: nobody learns of complaints that are not theirs.
        return field("unknown_complaint", "must name another complaint", "give its reference");
    }
    let mut failed = Vec::new();
    if survivor.absorbed.contains(&complaint.id) || complaint.absorbed.contains(&survivor.id) {
        failed.extend(field("circle", "is joined to this complaint already", "take them apart first"));
    }
    let consent = scene.command.input().consent.as_ref().filter(|consent| !consent.trim().is_empty());
    match (survivor.customer == complaint.customer, consent) {
        (true, Some(_)) => failed.push(FailedGuard::input(
            "not_applicable",
            "consent",
            "is not needed: both complaints are of one customer",
            "leave it out",
        )),
        (true, None) => {}
        (false, Some(_)) => failed.extend(given("consent", &scene.command.input().consent)),
        (false, None) => failed.extend(field(
            "other_customer",
            "is of another customer",
            "record the consent of the customer of this one, or join only complaints of one customer",
        )),
    }
    if !survivor.status.is_open() {
        failed.extend(field("not_open", "is not open", "choose an open complaint"));
    }
    // The survivor goes on by its own facts: whoever must not decide one of them must not get it through the other.
    let other_way = "join that one to this one instead, or leave them apart";
    if complaint.against.is_some() && survivor.against != complaint.against {
        failed.extend(field("against_other", "is not against the same person", other_way));
    }
    if survivor.level < complaint.level {
        failed.extend(field("lower_level", "is at a lower level", other_way));
    }
    let mut barred = complaint.exclusions.iter().filter(|exclusion| exclusion.cause == ExclusionCause::Decided);
    if barred.any(|exclusion| !survivor.is_barred(&exclusion.agent)) {
        let message = "may go to somebody who held or decided this one before it was contested";
        failed.extend(field("decided_before", message, other_way));
    }
    failed
}
