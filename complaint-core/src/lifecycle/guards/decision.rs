//! What a decision must have, and what can happen to the remedies it promises.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Command, CommandName, Depth, FailedGuard, Scene, fail, fits, given, today};
use crate::actor::Actor;
use crate::complaint::{Complaint, Outcome, Remedy, RemedyPromise, RemedyState};
use crate::deadline::wall;
use crate::id::Level;
use crate::money::Money;

/// The most remedies of one decision.
pub const REMEDIES_MAX: usize = 20;
/// The farthest day for which a remedy is promised.
const DUE_MAX: Duration = Duration::from_hours(5 * 366 * 24);

pub(super) fn decision_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let mut failed = given("explanation", &input.explanation);
    match input.outcome {
        None => failed.push(FailedGuard::input("missing", "outcome", "must not be empty", "choose an outcome")),
        Some(Outcome::ResolvedAtSource) => failed.push(FailedGuard::input(
            "not_this_way",
            "outcome",
            "belongs to “Resolve at source”",
            "use that command, or choose another outcome",
        )),
        Some(Outcome::Upheld | Outcome::PartlyUpheld) => failed.extend(given("apology", &input.apology)),
        Some(Outcome::NotUpheld | Outcome::Goodwill) => failed.extend(fits("apology", &input.apology)),
    }
    failed.extend(fits("next_steps", &input.next_steps));
    if input.remedies.len() > REMEDIES_MAX {
        let message = format!("must be at most {REMEDIES_MAX}");
        failed.push(FailedGuard::input("too_many", "remedies", message, "join some of them"));
    }
    if input.outcome == Some(Outcome::NotUpheld) && input.remedies.iter().any(|remedy| remedy.kind.is_money()) {
        failed.push(FailedGuard::input(
            "contradiction",
            "remedies",
            "money is promised although the complaint is not upheld",
            "choose the outcome “Goodwill”, or leave the money out",
        ));
    }
    for (at, remedy) in input.remedies.iter().enumerate() {
        failed.extend(remedy_faults(at, remedy, scene));
    }
    failed
}

fn remedy_faults(at: usize, remedy: &Remedy, scene: &Scene<'_>) -> Vec<FailedGuard> {
    let field = |name: &str| format!("remedies.{at}.{name}");
    let mut failed = fits(&field("instructions"), &remedy.instructions);
    match (remedy.kind.is_money(), remedy.amount) {
        (true, None) => failed.push(FailedGuard::input(
            "missing",
            field("amount"),
            format!("“{}” needs an amount", remedy.kind.label()),
            "give an amount and a currency, e.g. 12.50 EUR",
        )),
        (true, Some(amount)) if amount.minor_units() == 0 => {
            failed.push(FailedGuard::input(
                "out_of_range",
                field("amount"),
                "must be more than nothing",
                "give an amount",
            ));
        }
        (false, Some(_)) => failed.push(FailedGuard::input(
            "not_applicable",
            field("amount"),
            format!("“{}” is no money", remedy.kind.label()),
            "leave the amount out",
        )),
        _ => {}
    }
    match remedy.due_on {
        Some(day) if day < today(scene) => failed.push(FailedGuard::input(
            "in_the_past",
            field("due_on"),
            "must not be in the past",
            "give the promised day",
        )),
        Some(day) if day > wall(scene.context.now, DUE_MAX).date_naive() => failed.push(FailedGuard::input(
            "out_of_range",
            field("due_on"),
            "must be within five years",
            "give a nearer day",
        )),
        _ => {}
    }
    failed
}

pub(super) fn authority_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let policy = scene.context.policy;
    let remedies = match (scene.command.name(), &complaint.proposal) {
        (CommandName::Approve, Some(proposal)) => &proposal.remedies,
        _ => &scene.command.input().remedies,
    };
    let level = scene.actor.level().unwrap_or(Level::FIRST);
    let amounts = || remedies.iter().filter_map(|remedy| remedy.amount);
    if policy.has_authority(level, amounts()) {
        return Vec::new();
    }
    let name = policy.level_name(level).to_lowercase();
    let limits = policy.level(level).and_then(|level| level.authority.as_deref()).unwrap_or_default();
    let has_limit = |currency| limits.iter().any(|limit| limit.currency() == currency);
    let without: BTreeSet<String> =
        amounts().map(Money::currency).filter(|it| !has_limit(*it)).map(|it| it.to_string()).collect();
    let message = if without.is_empty() {
        format!("the money is more than level “{name}” may decide alone")
    } else {
        let without = without.into_iter().collect::<Vec<_>>().join(", ");
        format!("level “{name}” has no limit set for {without}, so it may decide no such amount alone")
    };
    // Whoever has more authority than the actor works above them, so there is a level to escalate to as well.
    let mut above = (level.get() + 1..=policy.last_level().get()).filter_map(|number| Level::new(number).ok());
    let remedy = match (above.any(|level| policy.has_authority(level, amounts())), scene.command.name()) {
        (true, CommandName::Approve) => "somebody with more authority must approve it, or send it back",
        (true, _) => "propose the resolution to a second person, or escalate",
        (false, CommandName::Approve) => {
            "send it back, to be proposed within the limits of the policy, or have them raised"
        }
        (false, _) => "offer what is within the limits of the policy, or have them raised",
    };
    fail("over_authority", message, remedy)
}

/// What was a promise when it was proposed would be a broken one in the very letter that gives it. The other bound of
/// [`remedy_faults`] only moves away.
pub(super) fn proposed_days_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let remedies = complaint.proposal.iter().flat_map(|proposal| &proposal.remedies);
    let passed = remedies.filter_map(|remedy| remedy.due_on.filter(|day| *day < today(scene)));
    let passed: Vec<String> = passed.map(|day| day.format("%-d %B %Y").to_string()).collect();
    if passed.is_empty() {
        return Vec::new();
    }
    fail(
        "promised_day_passed",
        format!("a remedy is proposed for a day that has passed: {}", passed.join(", ")),
        "send it back, to be proposed for another day",
    )
}

pub(super) fn cause_faults(scene: &Scene<'_>) -> Vec<FailedGuard> {
    let policy = scene.context.policy;
    match &scene.command.input().cause {
        None if policy.cause_required => {
            vec![FailedGuard::input("missing", "cause", "must not be empty", "choose a cause")]
        }
        Some(key) if policy.cause(key).is_none_or(|cause| !cause.active) => {
            let known = policy.causes.iter().filter(|cause| cause.active).map(|cause| cause.key.as_str());
            let known: Vec<&str> = known.collect();
            let (message, remedy) = if known.is_empty() {
                ("is unknown: this policy has no causes".to_owned(), "leave it out")
            } else {
                (format!("must be one of: {}", known.join(", ")), "choose one")
            };
            vec![FailedGuard::input("unknown_cause", "cause", message, remedy)]
        }
        _ => Vec::new(),
    }
}

impl Complaint {
    /// The remedies that a command about a single one (`accept_remedy`, `decline_remedy`, `fulfil_remedy`,
    /// `fail_remedy`) can be given for by this actor. That one failed which was to be delivered is for staff to say, that one
    /// did not arrive for both; a wish that staff recorded can be put right, and that they want it stands where the customer said so
    /// themself.
    pub fn remedies_for(&self, command: CommandName, actor: &Actor) -> impl Iterator<Item = &RemedyPromise> {
        let by_customer = actor.customer_id().is_some();
        let is_owed = |promise: &RemedyPromise| self.outstanding_remedies().any(|it| it.number == promise.number);
        self.remedies.iter().filter(move |promise| match command {
            CommandName::AcceptRemedy => match self.remedy_state(promise) {
                RemedyState::Declined => self.was_declined_by_staff(promise),
                state => state == RemedyState::Offered,
            },
            CommandName::FailRemedy => {
                self.was_recorded_as_delivered(promise)
                    || (!by_customer && is_owed(promise) && promise.failed.is_none())
            }
            CommandName::DeclineRemedy => is_owed(promise) && (by_customer || !promise.is_wanted_by_customer()),
            _ => is_owed(promise),
        })
    }
}

/// Why a command about a single remedy finds none.
pub(super) fn no_remedy_for(complaint: &Complaint, name: CommandName, actor: &Actor) -> Vec<FailedGuard> {
    let (code, message) = match name {
        // Not for lack of any.
        CommandName::DeclineRemedy if complaint.outstanding_remedies().next().is_some() => return wanted_by_customer(),
        CommandName::FailRemedy if actor.customer_id().is_some() => {
            ("no_delivered_remedy", "no remedy is recorded as delivered")
        }
        CommandName::AcceptRemedy => ("no_remedy_offered", "no remedy waits for the customer's word"),
        CommandName::FailRemedy => {
            ("no_outstanding_remedy", "no remedy is outstanding that has not failed already, or delivered")
        }
        _ => ("no_outstanding_remedy", "no remedy is outstanding"),
    };
    fail(code, message, "nothing more is needed")
}

fn wanted_by_customer() -> Vec<FailedGuard> {
    fail(
        "accepted_by_customer",
        "the customer has said themself that they want it",
        "ask them to decline it on the page of their complaint",
    )
}

/// The remedy that a command is about: the one named, or the only one it can be about.
pub(crate) fn remedy_meant(complaint: &Complaint, command: &Command, actor: &Actor) -> Option<u32> {
    let possible: Vec<u32> = complaint.remedies_for(command.name(), actor).map(|promise| promise.number).collect();
    match command.input().remedy {
        Some(number) => possible.contains(&number).then_some(number),
        None if possible.len() == 1 => possible.first().copied(),
        None => None,
    }
}

pub(super) fn remedy_named_faults(complaint: &Complaint, command: &Command, actor: &Actor) -> Vec<FailedGuard> {
    if remedy_meant(complaint, command, actor).is_some() {
        return Vec::new();
    }
    let possible = complaint.remedies_for(command.name(), actor).map(|promise| promise.number.to_string());
    let possible: Vec<String> = possible.collect();
    if possible.is_empty() {
        return no_remedy_for(complaint, command.name(), actor);
    }
    let named = complaint.outstanding_remedies().find(|it| Some(it.number) == command.input().remedy);
    if command.name() == CommandName::DeclineRemedy && named.is_some_and(RemedyPromise::is_wanted_by_customer) {
        return wanted_by_customer();
    }
    let message = format!("must be one of these: {}", possible.join(", "));
    let code = if command.input().remedy.is_none() { "missing" } else { "unknown_value" };
    vec![FailedGuard::input(code, "remedy", message, "name a remedy by its number")]
}

/// Of several that were delivered, each has its own time.
pub(super) fn denial_faults(scene: &Scene<'_>, complaint: &Complaint, depth: Depth) -> Vec<FailedGuard> {
    let name = scene.command.name();
    let meant = match depth {
        Depth::Everything => remedy_meant(complaint, scene.command, scene.actor),
        Depth::StateOnly => None,
    };
    let possible =
        complaint.remedies_for(name, scene.actor).filter(|it| meant.is_none_or(|number| it.number == number));
    let ends = possible.filter_map(|promise| complaint.deniable_until(promise, scene.context.policy)).max();
    match ends {
        Some(end) if end < scene.context.now => fail(
            "delivery_window_over",
            format!("the time to say that it did not arrive ended on {}", end.format("%-d %B %Y, %H:%M UTC")),
            "file a follow-up complaint",
        ),
        _ => Vec::new(),
    }
}

pub(super) fn fulfilment_faults(scene: &Scene<'_>, complaint: &Complaint) -> Vec<FailedGuard> {
    let input = scene.command.input();
    let mut failed = given("evidence", &input.evidence);
    if input.on.is_some_and(|on| on > today(scene)) {
        failed.push(FailedGuard::input(
            "in_the_future",
            "on",
            "must not be in the future",
            "give the day it was delivered",
        ));
    }
    let received_on = scene.context.policy.working_calendar().date(complaint.received_at);
    if input.on.is_some_and(|on| on < received_on) {
        failed.push(FailedGuard::input(
            "in_the_past",
            "on",
            "must not be before the complaint",
            "give the day it was delivered",
        ));
    }
    failed
}
