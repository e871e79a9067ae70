//! Commands in, entries or a refusal out. No clock, no randomness, no I/O.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};

use super::context::Context;
use super::evolve::{begin, happen, wind};
use super::guards::{self, Scene};
use super::refusal::{FailedGuard, Refusal};
use super::table::{TABLE, rule};
use super::{Command, CommandName, Field, Status};
use crate::actor::{Actor, Party};
use crate::complaint::{
    Attachment, CloseCause, Complaint, EndElsewhere, Entry, EscalationCause, Event, Place, ReleaseCause, Remedy,
    RemedyPromise, RemedyState, Submission, Words,
};
use crate::deadline::{ClockCause, ClockChange, ClockKind, adopted, at_its_end, clock_changes};
use crate::id::{Area, ComplaintId, Level, Version};
use crate::policy::{Category, Policy};
use crate::reference::Reference;

/// What a command does to a complaint: the entries it adds to the log, or every guard that refuses it.
///
/// Nearly all commands answer with one entry. `accept`, `fulfil_remedy` and `decline_remedy` answer with two where they also close,
/// `send_back` where the handler is gone, `triage`, `merge` and `rebase` where what the customer was told changes; `merge`, `unmerge`
/// with one for each of the two complaints, and whatever answers, passes on or takes back a complaint with one more for each of
/// [another customer](Context::joined) that was joined to it.
///
/// The subject of the complaint, whoever is [barred](Complaint::is_barred) from it or holds it and works below its level now, and a
/// customer whom the command is not for are told that and none of the other guards, which would tell them how things stand in a
/// matter that is not theirs to act in.
///
/// ```
/// use chrono::DateTime;
/// use complaint_core::lifecycle::{Command, CommandName, Context, Status, begin, decide, evolve, submit};
/// # use complaint_core::{Actor, Complaint, Policy, id::ComplaintId, policy::Category, reference::Reference};
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let john = Actor::customer("john")?;
///
/// # let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
/// # let (id, reference) = (ComplaintId::from_uuid(uuid::Uuid::from_u128(7)), Reference::from_entropy(7));
/// let context = Context::new(&policy, DateTime::UNIX_EPOCH);
/// let complaint = begin(&submit(id, reference, &about, &john, &context)?).expect("a submission");
///
/// let withdraw = Command::with_reason(CommandName::Withdraw, "There is water again.");
/// let entries = decide(&complaint, &withdraw, &john, &context)?;
/// let complaint = entries.iter().fold(complaint, evolve);
/// assert_eq!(complaint.status, Status::Withdrawn);
///
/// let refusal = decide(&complaint, &withdraw, &john, &context).unwrap_err();
/// assert_eq!(refusal.code(), "wrong_status");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decide(
    complaint: &Complaint,
    command: &Command,
    actor: &Actor,
    context: &Context<'_>,
) -> Result<Vec<Entry>, Refusal> {
    let scene = Scene { complaint: Some(complaint), submission: None, command, actor, context };
    let failed = guards::check(&scene, rule(command.name()), guards::Depth::Everything);
    if failed.is_empty() {
        Ok(effects(complaint, command, actor, context))
    } else {
        Err(Refusal {
            status: Some(complaint.status_for(actor)),
            version: complaint.version_for(actor),
            ..refusal(command.name(), Some(complaint), failed)
        })
    }
}

/// What submitting does: the first entry of a new log, or every guard that refuses it.
///
/// The id and the reference are drawn by the caller. An agent or the system submits for `submission.customer`. What follows a finished
/// complaint is told by the [context](Context::following); what that one does not allow stands before what is wrong with the new one,
/// and whoever may not follow it up, or saw another version, is told that alone.
///
/// ```
/// use chrono::DateTime;
/// use complaint_core::clock::{IdSource, RandomIds};
/// use complaint_core::lifecycle::{Context, begin, submit};
/// # use complaint_core::{Actor, Complaint, Policy, id::ComplaintId, policy::Category, reference::Reference};
/// # let policy = Policy::standard().with_category(Category::named("Water supply")?);
/// # let john = Actor::customer("john")?;
///
/// let now = DateTime::UNIX_EPOCH;
/// let (id, reference) = (ComplaintId::from_uuid(RandomIds.next_id(now)), RandomIds.next_reference());
/// let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
/// let entry = submit(id, reference, &about, &john, &Context::new(&policy, now))?;
/// let complaint = begin(&entry).expect("a submission");
/// assert_eq!((complaint.reference, complaint.status.name()), (reference, "queued"));
///
/// let empty = Complaint::about("Gas", "", "")?;
/// let refusal = submit(id, reference, &empty, &john, &Context::new(&policy, now)).unwrap_err();
/// assert!(refusal.has("unknown_category") && refusal.has("missing"), "every fault at once");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn submit(
    id: ComplaintId,
    reference: Reference,
    submission: &Submission,
    actor: &Actor,
    context: &Context<'_>,
) -> Result<Entry, Refusal> {
    let follow_up = Command::plain(CommandName::FollowUp);
    let following = context.follows.and_then(|finished| decide(finished, &follow_up, actor, context).err());
    if let Some(refusal) = following.as_ref().filter(|refusal| refusal.category().comes_first()) {
        return Err(refusal.clone());
    }
    let command = Command::plain(CommandName::Submit);
    let scene = Scene { complaint: None, submission: Some(submission), command: &command, actor, context };
    let failed = guards::check(&scene, rule(CommandName::Submit), guards::Depth::Everything);
    if let Some(mut following) = following {
        following.failed.extend(refusal(CommandName::Submit, None, failed).failed);
        return Err(following);
    }
    let customer = actor.customer_id().or(submission.customer.as_ref());
    let category = context.policy.category(&submission.category);
    let (true, Some(customer), Some(category)) = (failed.is_empty(), customer, category) else {
        return Err(refusal(CommandName::Submit, None, failed));
    };
    let trimmed =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let contact = &submission.contact;
    let mut words = Words::of("subject", submission.subject.trim())
        .and("description", unified(&submission.description))
        .maybe("contact.name", trimmed(&contact.name))
        .maybe("contact.email", trimmed(&contact.email))
        .maybe("contact.phone", trimmed(&contact.phone))
        .maybe("contact.address", trimmed(&contact.address))
        .maybe("product", trimmed(&submission.product))
        .maybe("order_number", trimmed(&submission.order_number));
    for (question, answer) in &submission.answers {
        if !answer.trim().is_empty() {
            words = words.and(&format!("answer.{question}"), unified(answer));
        }
    }
    let mut entry = Entry {
        complaint: id,
        seq: 1,
        version: Version::NONE.next(),
        at: context.now,
        by: actor.party().clone(),
        place: Place { status: Status::Queued, level: Level::FIRST, handler: None },
        event: Event::Submitted {
            reference,
            customer: customer.clone(),
            channel: submission.channel,
            category: category.key.clone(),
            priority: category.priority,
            skills: category.needed_skills(),
            area: submission.area.clone().or_else(|| category.area.clone()),
            language: submission.language.clone(),
            weight: category.weight,
            against: submission.against.clone(),
            items: submission.items.clone(),
            purchase_date: submission.purchase_date,
            incident_date: submission.incident_date,
            wish: submission.wish,
            follows: context.follows.map(|finished| finished.id),
            policy_version: context.policy.version,
        },
        clocks: Vec::new(),
        words,
    };
    if let Some(fresh) = begin(&entry) {
        entry.clocks = clock_changes(&fresh, context.policy, context.now, ClockCause::Moved);
    }
    Ok(entry)
}

/// One command that an actor could give, and why not where they cannot.
///
/// ```
/// use complaint_core::lifecycle::CommandName;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let commands = john.available_commands(receipt.id()).await?;
/// let of = |name| commands.iter().find(|it| it.command == name);
/// assert!(of(CommandName::Withdraw).is_some_and(|it| it.allowed));
/// assert!(of(CommandName::Accept).is_some_and(|it| !it.allowed && it.failed[0].code == "wrong_status"));
/// assert!(of(CommandName::Begin).is_none(), "never a customer's");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// The command.
    pub command: CommandName,
    /// Whether it would be accepted with the right input.
    pub allowed: bool,
    /// Every guard that fails whatever the input is.
    pub failed: Vec<FailedGuard>,
    /// The fields without which it is refused, as the complaint stands; see [`Complaint::requires`].
    pub required: Vec<Field>,
}

impl Complaint {
    /// What an actor may do to this complaint now, from the same table and guards as [`decide`]: every command that
    /// their role can ever give here, with the reasons against those that are not possible now.
    ///
    /// Example: [`Availability`].
    pub fn available_commands(&self, actor: &Actor, context: &Context<'_>) -> Vec<Availability> {
        TABLE
            .iter()
            .filter(|rule| rule.command != CommandName::Submit)
            .filter_map(|rule| {
                let command = Command::plain(rule.command);
                let scene = Scene { complaint: Some(self), submission: None, command: &command, actor, context };
                let failed = guards::check(&scene, rule, guards::Depth::StateOnly);
                let foreign = failed.iter().any(|failed| matches!(failed.code, "not_permitted" | "out_of_sight"));
                let fields = rule.command.fields().iter().copied();
                let required =
                    fields.filter(|field| self.requires(rule.command, *field, actor, context.policy)).collect();
                (!foreign).then_some(Availability {
                    command: rule.command,
                    allowed: failed.is_empty(),
                    failed,
                    required,
                })
            })
            .collect()
    }
}

impl Complaint {
    /// Whether somebody who rated the latest decision low (see [`Policy::low_rating`](crate::policy::Policy::low_rating))
    /// is asked to contest it: only where a reason is all that it takes, so that no hope is raised in vain.
    ///
    /// ```
    /// use complaint_core::lifecycle::Context;
    /// use complaint_core::{Rating, Resolution};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let (john, asha) = (desk.acting_as(Actor::customer("john")?), desk.acting_as(Actor::agent(&asha)));
    /// # let id = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?.id();
    /// # asha.begin(id).await?;
    /// # let policy = desk.policy();
    ///
    /// asha.resolve(id, Resolution::not_upheld("The works were announced.")).await?;
    /// let complaint = john.rate(id, Rating::ONE, "They were not.").await?;
    /// assert!(complaint.offers_contest(john.actor(), &Context::new(&policy, desk.now())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn offers_contest(&self, actor: &Actor, context: &Context<'_>) -> bool {
        let latest = self.resolutions.len();
        let is_low = |score: u8| score <= context.policy.low_rating;
        let mut feedback = self.feedback.iter();
        feedback.any(|feedback| feedback.resolution as usize == latest && is_low(feedback.score))
            && decide(self, &Command::with_reason(CommandName::Contest, "The rating was low."), actor, context).is_ok()
    }
}

pub(crate) fn refusal(command: CommandName, complaint: Option<&Complaint>, mut failed: Vec<FailedGuard>) -> Refusal {
    failed.sort_by_key(|failed| failed.category);
    Refusal {
        command,
        status: complaint.map(|complaint| complaint.status),
        version: complaint.map_or(Version::NONE, |complaint| complaint.version),
        failed,
    }
}

/// Entries under construction: each sees the state that those before it made.
struct Draft<'a> {
    state: Cow<'a, Complaint>,
    entries: Vec<Entry>,
    version: Version,
    by: &'a Party,
    context: &'a Context<'a>,
    /// The complaint that is joined to this one.
    joins: Option<&'a Complaint>,
}

impl<'a> Draft<'a> {
    fn of(complaint: &'a Complaint, actor: &'a Actor, context: &'a Context<'a>) -> Self {
        let version = if context.continuing { complaint.version } else { complaint.version.next() };
        let (state, entries) = (Cow::Borrowed(complaint), Vec::new());
        Self { state, entries, version, by: actor.party(), context, joins: None }
    }

    fn push(&mut self, place: Place, event: Event, words: Words) {
        self.push_with(place, event, words, Vec::new());
    }

    /// `first` is what happened to the clocks before the state changed: what ran out, what was warned of.
    fn push_with(&mut self, place: Place, event: Event, words: Words, first: Vec<ClockChange>) {
        let cause = match &event {
            Event::Triaged { category, priority, .. } => ClockCause::described(&self.state, category, *priority),
            Event::Absorbed { .. } => ClockCause::EarlierReceipt,
            Event::Rebased { .. } => ClockCause::Rebased,
            _ => ClockCause::Moved,
        };
        let mut entry = Entry {
            complaint: self.state.id,
            seq: self.state.entries.saturating_add(1),
            version: self.version,
            at: self.context.now,
            by: self.by.clone(),
            place,
            event,
            clocks: Vec::new(),
            words,
        };
        let before = (cause != ClockCause::Moved).then(|| self.state.clone());
        let state = self.state.to_mut();
        happen(state, &entry);
        entry.clocks = first;
        wind(state, &entry.clocks, entry.at);
        let follows = clock_changes(state, self.context.policy, self.context.now, cause);
        wind(state, &follows, entry.at);
        entry.clocks.extend(follows);
        if let Some(joined) = self.joins.take() {
            let taken_on = adopted(state, joined);
            wind(state, &taken_on, entry.at);
            entry.clocks.extend(taken_on);
        }
        self.entries.push(entry);
        if let Some(event) = before.and_then(|before| revised(&before, &self.state)) {
            self.push(self.place(), event, Words::none());
        }
    }

    fn place(&self) -> Place {
        Place { status: self.state.status, level: self.state.level, handler: self.state.handler.clone() }
    }

    fn at(&self, status: Status) -> Place {
        Place { status, ..self.place() }
    }

    /// Where an answer leaves the work: what waited for it goes on, the rest goes on anyway.
    fn answered(&self) -> Place {
        match self.state.status {
            Status::AwaitingCustomer => self.at(Status::InProgress),
            _ => self.place(),
        }
    }

    /// Once the customer themself agreed, has all that is owed and wrote nothing that is unread, the complaint is at its end.
    /// Otherwise it is when the time to accept or contest is over.
    fn close_if_nothing_is_owed(&mut self, cause: CloseCause) {
        let state = &self.state;
        let accepted = state.resolution().is_some_and(|it| it.accepted_at.is_some());
        let by_themself = accepted && !state.rests_on_word_of_staff();
        if by_themself && state.unread_since.is_none() && state.outstanding_remedies().next().is_none() {
            self.push(self.at(Status::Closed), Event::Closed { cause }, Words::none());
        }
    }
}

/// What of that which the customer was told a new description or promise has changed.
fn revised(before: &Complaint, after: &Complaint) -> Option<Event> {
    let ends = |complaint: &Complaint, clock: ClockKind| -> Vec<_> {
        let running = complaint.deadlines.iter().filter(|it| it.clock == clock && it.ended.is_none());
        running.map(|deadline| (deadline.instance, deadline.due_at, deadline.left_micros)).collect()
    };
    let category = (before.category != after.category).then(|| after.category.clone());
    let theirs = ClockKind::ALL.into_iter().filter(|clock| clock.concerns_customer());
    let clocks: Vec<ClockKind> = theirs.filter(|clock| ends(before, *clock) != ends(after, *clock)).collect();
    (category.is_some() || !clocks.is_empty()).then_some(Event::Revised { category, clocks })
}

fn queued(level: Level) -> Place {
    Place { status: Status::Queued, level, handler: None }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm per command, in the order of the table: the shape of the specification"
)]
fn effects(complaint: &Complaint, command: &Command, actor: &Actor, context: &Context<'_>) -> Vec<Entry> {
    let input = command.input();
    let level = complaint.level;
    let now = context.now;
    let mut draft = Draft::of(complaint, actor, context);
    let holder = || complaint.handler.clone();
    let acting = || actor.agent_id().cloned();
    match command.name() {
        // These make complaints, not entries of this one; their guards were all there was to decide.
        CommandName::Submit | CommandName::FollowUp => {}
        CommandName::Acknowledge => draft.push(draft.place(), Event::Acknowledged, Words::none()),
        CommandName::Triage => {
            let category = input.category.as_ref().and_then(|key| context.policy.category(key));
            let event = Event::Triaged {
                category: category.map_or_else(|| complaint.category.clone(), |category| category.key.clone()),
                priority: input
                    .priority
                    .or_else(|| category.map(|category| category.priority))
                    .unwrap_or(complaint.priority),
                skills: input
                    .skills
                    .clone()
                    .or_else(|| category.map(Category::needed_skills))
                    .unwrap_or_else(|| complaint.skills.clone()),
                area: input.area.clone().or_else(|| area_after(complaint, category, context.policy)),
                weight: input.weight.or_else(|| category.map(|category| category.weight)).unwrap_or(complaint.weight),
            };
            draft.push(draft.place(), event, Words::none().maybe("reason", text(&input.reason)));
        }
        CommandName::Assign => {
            if let Some(routing) = context.routing
                && let Some(agent) = routing.chosen.clone()
            {
                let place = Place { status: Status::Assigned, level, handler: Some(agent.clone()) };
                let event = Event::Assigned { agent, routing: routing.clone() };
                draft.push(place, event, Words::none().maybe("reason", text(&input.reason)));
            }
        }
        CommandName::Decline => {
            if let Some(agent) = acting() {
                draft.push(queued(level), Event::Declined { agent }, reason(command));
            }
        }
        CommandName::Release => {
            if let Some(agent) = holder() {
                // The guard found one of the two. Who is gone is not barred from the level for not having begun.
                let (cause, missed) = match actor.party() {
                    Party::System if !context.handler_available => (ReleaseCause::HandlerGone, Vec::new()),
                    Party::System => (ReleaseCause::NotBegun, missed_now(complaint, command, now)),
                    _ => (ReleaseCause::ByHand, Vec::new()),
                };
                draft.push_with(queued(level), Event::Released { agent, cause }, reason(command), missed);
            }
        }
        CommandName::Reassign => {
            if let (Some(from), Some(routing)) = (holder(), context.routing)
                && let Some(to) = routing.chosen.clone()
            {
                let status = match complaint.status {
                    Status::InProgress => Status::Assigned,
                    other => other,
                };
                let place = Place { status, level, handler: Some(to.clone()) };
                draft.push(place, Event::Reassigned { from, to, routing: routing.clone() }, reason(command));
            }
        }
        CommandName::Begin => draft.push(draft.at(Status::InProgress), Event::Begun, Words::none()),
        CommandName::Ask => {
            draft.push(draft.at(Status::AwaitingCustomer), Event::Asked, Words::of("text", body(&input.text)));
        }
        CommandName::Answer => {
            let (attachments, words) = message(complaint, command);
            draft.push(draft.answered(), Event::Answered { attachments }, words);
        }
        CommandName::Hold => {
            let until = input.until.unwrap_or_else(|| now.date_naive());
            let words = Words::of("party", line(&input.party));
            draft.push(draft.at(Status::AwaitingThirdParty), Event::Held { until }, words);
        }
        CommandName::Resume => {
            draft.push(
                draft.at(Status::InProgress),
                Event::Resumed,
                Words::none().maybe("reason", text(&input.reason)),
            );
        }
        CommandName::Escalate => {
            let causes = escalation_causes(complaint, command, actor);
            let missed = missed_now(complaint, command, now);
            let event = Event::Escalated { from: level, causes };
            draft.push_with(queued(level.above()), event, Words::none().maybe("reason", text(&input.reason)), missed);
        }
        CommandName::HandBack => {
            if let Some(agent) = acting() {
                let words = Words::of("instruction", body(&input.instruction));
                draft.push(queued(level.below()), Event::HandedBack { from: level, agent }, words);
            }
        }
        CommandName::Propose => {
            if let (Some(agent), Some(outcome)) = (acting(), input.outcome) {
                let (cause, remedies) = (input.cause.clone(), facts_of(&input.remedies));
                let event = Event::Proposed { agent, outcome, cause, remedies };
                draft.push(draft.at(Status::PendingApproval), event, decision_words(command));
            }
        }
        CommandName::Approve => {
            if let Some(proposal) = &complaint.proposal {
                let event = Event::Resolved {
                    outcome: proposal.outcome,
                    cause: proposal.cause.clone(),
                    remedies: facts_of(&proposal.remedies),
                    by: proposal.by.clone(),
                    approved_by: acting(),
                    given_on: given_on(&proposal.remedies, context),
                };
                let words = remedy_words(
                    Words::of("explanation", proposal.explanation.clone())
                        .maybe("apology", proposal.apology.clone())
                        .maybe("next_steps", proposal.next_steps.clone())
                        .maybe("comment", text(&input.comment)),
                    &proposal.remedies,
                );
                draft.push(draft.at(Status::Resolved), event, words);
            }
        }
        CommandName::SendBack => {
            draft.push(draft.at(Status::InProgress), Event::SentBack, Words::of("comment", body(&input.comment)));
            if let Some(agent) = holder().filter(|_| !context.handler_available) {
                let event = Event::Released { agent, cause: ReleaseCause::HandlerGone };
                draft.push(queued(level), event, Words::none());
            }
        }
        CommandName::Resolve => {
            if let (Some(by), Some(outcome)) = (acting(), input.outcome) {
                let (cause, remedies) = (input.cause.clone(), facts_of(&input.remedies));
                let given_on = given_on(&remedies, context);
                let event = Event::Resolved { outcome, cause, remedies, by, approved_by: None, given_on };
                draft.push(draft.at(Status::Resolved), event, decision_words(command));
            }
        }
        CommandName::ResolveAtSource => {
            if let Some(by) = acting() {
                let event = Event::Resolved {
                    outcome: crate::complaint::Outcome::ResolvedAtSource,
                    cause: input.cause.clone(),
                    remedies: Vec::new(),
                    by: by.clone(),
                    approved_by: None,
                    given_on: None,
                };
                let place = Place { status: Status::Resolved, level, handler: Some(by) };
                draft.push(place, event, Words::of("explanation", body(&input.explanation)));
            }
        }
        CommandName::Accept => {
            let own = actor.customer_id().is_some();
            let accepts = |promise: &&RemedyPromise| match complaint.remedy_state(promise) {
                RemedyState::Offered => true,
                RemedyState::Accepted => own && !promise.is_wanted_by_customer(),
                _ => false,
            };
            let remedies = complaint.remedies.iter().filter(accepts).map(|promise| promise.number).collect();
            draft.push(draft.place(), Event::Accepted { remedies }, reason(command));
            draft.close_if_nothing_is_owed(CloseCause::Accepted);
        }
        CommandName::AcceptRemedy => {
            if let Some(remedy) = guards::remedy_meant(complaint, command, actor) {
                draft.push(draft.place(), Event::RemedyAccepted { remedy }, reason(command));
            }
        }
        CommandName::DeclineRemedy => {
            if let Some(remedy) = guards::remedy_meant(complaint, command, actor) {
                draft.push(draft.place(), Event::RemedyDeclined { remedy }, reason(command));
                draft.close_if_nothing_is_owed(CloseCause::RemediesDeclined);
            }
        }
        CommandName::FulfilRemedy => {
            if let Some(remedy) = guards::remedy_meant(complaint, command, actor) {
                let on = input.on.unwrap_or_else(|| context.policy.working_calendar().date(now));
                let words = Words::of("evidence", body(&input.evidence));
                draft.push(draft.place(), Event::RemedyFulfilled { remedy, on }, words);
                draft.close_if_nothing_is_owed(CloseCause::RemediesFulfilled);
            }
        }
        CommandName::FailRemedy => {
            if let Some(remedy) = guards::remedy_meant(complaint, command, actor) {
                draft.push(draft.at(Status::Resolved), Event::RemedyFailed { remedy }, reason(command));
            }
        }
        CommandName::Contest => {
            let up = if level < context.policy.last_level() { level.above() } else { level };
            let mut excluded = complaint.deciders.clone();
            // Those it went past on its way up would come by it again if it were handed back, or they rose.
            for agent in complaint.escalations.iter().filter_map(|step| step.handler.as_ref()) {
                if !excluded.contains(agent) {
                    excluded.push(agent.clone());
                }
            }
            let new_evidence = text(&input.new_evidence);
            let event = Event::Contested { from: level, new_evidence: new_evidence.is_some(), excluded };
            draft.push(queued(up), event, reason(command).maybe("new_evidence", new_evidence));
        }
        CommandName::Reopen => draft.push(queued(level), Event::Reopened, reason(command)),
        CommandName::Close => {
            let (cause, missed) = match actor.party() {
                Party::System => (CloseCause::AcceptanceWindowOver, missed_now(complaint, command, now)),
                _ => (CloseCause::ByHand, Vec::new()),
            };
            draft.push_with(draft.at(Status::Closed), Event::Closed { cause }, Words::none(), missed);
        }
        CommandName::Rate => {
            let resolution = u32::try_from(complaint.resolutions.len()).unwrap_or(u32::MAX);
            let former = complaint.feedback.iter().find(|feedback| feedback.resolution == resolution);
            // Whoever changes the score alone has not taken back what they wrote; an empty comment does.
            let comment = match &input.comment {
                None => former.and_then(|feedback| feedback.comment.clone()),
                Some(_) => text(&input.comment),
            };
            let anonymous = input.anonymous || former.is_some_and(|feedback| feedback.anonymous);
            let event = Event::Rated { resolution, score: input.score.unwrap_or_default(), anonymous };
            draft.push(draft.place(), event, Words::none().maybe("comment", comment));
        }
        CommandName::AnonymiseRating => {
            let named = complaint.feedback.iter().filter(|feedback| !feedback.anonymous);
            let resolutions = named.map(|feedback| feedback.resolution).collect();
            draft.push(draft.place(), Event::RatingAnonymised { resolutions }, Words::none());
        }
        CommandName::Withdraw => {
            draft.push(
                draft.at(Status::Withdrawn),
                Event::Withdrawn,
                Words::none().maybe("reason", text(&input.reason)),
            );
            for other in joined_by_consent(complaint, context) {
                draft.push(draft.place(), Event::Separated { other: other.id }, Words::none());
            }
        }
        CommandName::Reinstate => draft.push(queued(level), Event::Reinstated, Words::none()),
        CommandName::Dismiss => {
            let ground = input.reason.as_deref().and_then(|reason| reason.trim().parse().ok());
            if let (Some(reason), Some(by)) = (ground, acting()) {
                let words = Words::of("text", body(&input.text));
                draft.push(draft.at(Status::Dismissed), Event::Dismissed { reason, by }, words);
            }
        }
        CommandName::Merge => {
            if let Some(survivor) = context.other {
                // Neither customer learns of the other: each keeps their own receipt, dates and number.
                let by_consent = survivor.customer != complaint.customer;
                let words = reason(command).maybe("consent", text(&input.consent));
                draft.push(
                    // Whoever handles the survivor goes on with both; nobody else keeps this one.
                    Place { handler: survivor.handler.clone(), ..draft.at(Status::Merged) },
                    Event::Merged {
                        into: Some(survivor.id),
                        reference: Some(survivor.reference).filter(|_| !by_consent),
                        by_consent,
                        unanswered: complaint.question.is_some(),
                    },
                    words,
                );
                let joins = Some(complaint).filter(|_| !by_consent);
                let mut joined = Draft { joins, ..Draft::of(survivor, actor, context) };
                let earliest = survivor.received_at.min(complaint.received_at);
                let event = Event::Absorbed {
                    other: complaint.id,
                    received_at: if by_consent { survivor.received_at } else { earliest },
                    theirs: Some(complaint.received_at),
                    unread_since: complaint.unread_since,
                    customer: by_consent.then(|| complaint.customer.clone()),
                };
                joined.push(joined.place(), event, Words::none());
                draft.entries.extend(joined.entries);
            }
        }
        CommandName::Unmerge => {
            draft.push(queued(level), Event::Unmerged, Words::none());
            if let Some(survivor) = context.other {
                let mut left = Draft::of(survivor, actor, context);
                left.push(left.place(), Event::Separated { other: complaint.id }, Words::none());
                draft.entries.extend(left.entries);
            }
        }
        CommandName::Refer => {
            let words = Words::of("body", line(&input.body)).and("text", body(&input.text));
            draft.push(draft.at(Status::Referred), Event::Referred, words);
        }
        CommandName::ReturnReferral => draft.push(queued(level), Event::ReferralReturned, reason(command)),
        CommandName::Post => {
            let (attachments, words) = message(complaint, command);
            if complaint.question.is_some() && actor.customer_id().is_some() {
                draft.push(draft.answered(), Event::Answered { attachments }, words);
            } else {
                draft.push(draft.place(), Event::Posted { attachments }, words);
            }
        }
        CommandName::Note => draft.push(draft.place(), Event::Noted, Words::of("text", body(&input.text))),
        CommandName::Attach => {
            let (attachments, words) = files(input.attachments.iter(), Words::none());
            draft.push(draft.place(), Event::Attached { attachments }, words);
        }
        CommandName::Read => draft.push(draft.place(), Event::Read, Words::none()),
        CommandName::Warn => {
            for (clock, instance) in &input.clocks {
                let warned = ClockChange::Warned { clock: *clock, instance: *instance, percent: input.percent };
                let event = Event::Warned { clock: *clock, percent: input.percent };
                draft.push_with(draft.place(), event, Words::none(), vec![warned]);
            }
        }
        CommandName::Alarm => {
            for (clock, instance) in &input.clocks {
                let missed = ClockChange::Missed { clock: *clock, instance: *instance };
                draft.push_with(draft.place(), Event::Alarmed { clock: *clock }, Words::none(), vec![missed]);
            }
        }
        CommandName::Rebase => {
            draft.push(draft.place(), Event::Rebased { policy_version: context.policy.version }, reason(command));
        }
    }
    let elsewhere: Vec<Entry> = joined_by_consent(complaint, context)
        .flat_map(|other| elsewhere(other, &draft.entries, actor, context))
        .collect();
    draft.entries.extend(elsewhere);
    draft.entries
}

/// What other customers let join this complaint.
fn joined_by_consent<'a>(complaint: &Complaint, context: &Context<'a>) -> impl Iterator<Item = &'a Complaint> {
    let joined = context.joined.iter();
    joined.filter(|other| other.merged_into == Some(complaint.id) && complaint.consents.contains_key(&other.id))
}

/// What entries of a survivor mean for a complaint of another customer that was joined to it: its answer is told there, without the
/// words, which are not theirs; and it does not end because somebody else takes back what is their own.
fn elsewhere(joined: &Complaint, entries: &[Entry], actor: &Actor, context: &Context<'_>) -> Vec<Entry> {
    let told = entries.iter().find_map(|entry| match &entry.event {
        Event::Resolved { outcome, .. } => Some(Event::EndedElsewhere { how: EndElsewhere::Decided(*outcome) }),
        Event::Dismissed { .. } => Some(Event::EndedElsewhere { how: EndElsewhere::Dismissed }),
        Event::Referred => Some(Event::EndedElsewhere { how: EndElsewhere::Referred }),
        Event::Withdrawn => Some(Event::Unmerged),
        _ => None,
    });
    let Some(event) = told else { return Vec::new() };
    // Who the other customer is stays out of this log.
    let system = Party::System;
    let by = if actor.customer_id().is_some() { &system } else { actor.party() };
    let mut draft = Draft { by, ..Draft::of(joined, actor, context) };
    let place = if event == Event::Unmerged { queued(joined.level) } else { draft.place() };
    draft.push(place, event, Words::none());
    draft.entries
}

/// What a message shows: files that are there already and files that come with it, and its words.
fn message(complaint: &Complaint, command: &Command) -> (Vec<Attachment>, Words) {
    let input = command.input();
    let known = input.files.iter().filter_map(|id| complaint.attachments.iter().find(|file| file.id == *id));
    files(known.chain(&input.attachments), Words::none().maybe("text", text(&input.text)))
}

/// Files as facts, their names among the words.
fn files<'a>(files: impl Iterator<Item = &'a Attachment>, mut words: Words) -> (Vec<Attachment>, Words) {
    let mut facts = Vec::new();
    for (at, file) in files.enumerate() {
        words = words.and(&format!("file.{}", at + 1), file.file_name.trim());
        facts.push(Attachment { file_name: String::new(), ..file.clone() });
    }
    (facts, words)
}

/// Where it belongs once it is about something else: to the new category's area, unless the area it has is its own and not that of
/// the category it had.
fn area_after(complaint: &Complaint, category: Option<&Category>, policy: &Policy) -> Option<Area> {
    let is_of_category = policy.category(&complaint.category).is_some_and(|before| before.area == complaint.area);
    match category {
        Some(category) if is_of_category => category.area.clone(),
        _ => complaint.area.clone(),
    }
}

/// The clocks by which the system asks for this command, as run out.
fn missed_now(complaint: &Complaint, command: &Command, now: DateTime<Utc>) -> Vec<ClockChange> {
    let asked: Vec<ClockKind> = match command.name() {
        CommandName::Release => vec![ClockKind::Acceptance],
        CommandName::Close => vec![ClockKind::AutoClose],
        // One step up, whoever makes it, answers for every promise broken until now, also for one that moved it up from here
        // before: at the next level it would move it on at once.
        CommandName::Escalate => {
            let asked = command.input().clocks.iter().map(|(clock, _)| *clock);
            let answered = ClockKind::ALL.into_iter().filter(|clock| at_its_end(*clock) == Some(CommandName::Escalate));
            asked.chain(answered).collect()
        }
        _ => command.input().clocks.iter().map(|(clock, _)| *clock).collect(),
    };
    complaint
        .deadlines
        .iter()
        .filter(|deadline| {
            asked.contains(&deadline.clock)
                && deadline.ended.is_none()
                && deadline.missed_at.is_none()
                && deadline.due_at.is_some_and(|due| due <= now)
        })
        .map(|deadline| ClockChange::Missed { clock: deadline.clock, instance: deadline.instance })
        .collect()
}

fn escalation_causes(complaint: &Complaint, command: &Command, actor: &Actor) -> Vec<EscalationCause> {
    match actor.party() {
        Party::System => {
            let mut causes: Vec<EscalationCause> =
                command.input().clocks.iter().map(|(clock, _)| EscalationCause::Clock(*clock)).collect();
            causes.dedup();
            causes
        }
        Party::Customer(_) => vec![EscalationCause::Customer],
        Party::Agent(id) if complaint.handler.as_ref() == Some(id) => vec![EscalationCause::Handler],
        _ => vec![EscalationCause::Supervisor],
    }
}

/// Today for the organisation, where the decision itself delivers one of its remedies.
fn given_on(remedies: &[Remedy], context: &Context<'_>) -> Option<NaiveDate> {
    let is_given = remedies.iter().any(|remedy| remedy.kind.is_given_with_decision());
    is_given.then(|| context.policy.working_calendar().date(context.now))
}

fn facts_of(remedies: &[Remedy]) -> Vec<Remedy> {
    remedies.iter().map(|remedy| Remedy { instructions: None, ..remedy.clone() }).collect()
}

fn decision_words(command: &Command) -> Words {
    let input = command.input();
    let words = Words::of("explanation", body(&input.explanation))
        .maybe("apology", text(&input.apology))
        .maybe("next_steps", text(&input.next_steps));
    remedy_words(words, &input.remedies)
}

fn remedy_words(words: Words, remedies: &[Remedy]) -> Words {
    remedies.iter().enumerate().fold(words, |words, (at, remedy)| {
        words.maybe(&format!("remedy.{}.instructions", at + 1), text(&remedy.instructions))
    })
}

fn reason(command: &Command) -> Words {
    Words::none().maybe("reason", text(&command.input().reason))
}

/// A text that may be absent, with line ends unified; guards have checked it.
fn text(raw: &Option<String>) -> Option<String> {
    raw.as_deref().filter(|text| !text.trim().is_empty()).map(unified)
}

/// A text that guards have found to be there.
fn body(raw: &Option<String>) -> String {
    text(raw).unwrap_or_default()
}

/// A text of one line that guards have found to be there.
fn line(raw: &Option<String>) -> String {
    body(raw).trim().to_owned()
}

fn unified(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
