//! From entries to state. Holds no rule and cannot fail: a rule here would one day refuse to load old complaints.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::actor::Party;
use crate::complaint::{
    Attachment, Complaint, Contact, Decision, Dismissal, Entry, Escalation, Event, Exclusion, ExclusionCause, Feedback,
    Proposal, Question, ReleaseCause, Remedy, RemedyPromise, RemedyStep, Words,
};
use crate::deadline::{ClockChange, Deadline};
use crate::id::{AgentId, ComplaintId, Version};
use crate::visibility::is_public;

/// A log that is no complaint's log.
///
/// Example: [`replay`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is empty or does not begin with a submission.
    #[error("the log does not begin with a submission")]
    NoBeginning,
    /// An entry is missing or out of order.
    #[error("the log has entry {found} where entry {expected} belongs")]
    Gap {
        /// The number that belongs there.
        expected: u32,
        /// The number that is there.
        found: u32,
    },
    /// An entry is of another complaint.
    #[error("entry {seq} is of complaint {complaint}")]
    Foreign {
        /// Its number.
        seq: u32,
        /// Of which.
        complaint: ComplaintId,
    },
    /// A complaint is submitted once.
    #[error("entry {seq} submits the complaint a second time")]
    SubmittedAgain {
        /// The number of the second submission.
        seq: u32,
    },
    /// A version does not follow: the entries of one change share it, and each change has the next one, from 1.
    #[error("entry {seq} has version {found} after version {before}")]
    Version {
        /// The number of the entry.
        seq: u32,
        /// The version before it; [`Version::NONE`] before the first entry.
        before: Version,
        /// The version that it has.
        found: Version,
    },
}

/// Rebuilds a complaint from its whole log.
///
/// ```
/// use complaint_core::lifecycle::{ReplayError, replay};
/// use complaint_core::store::ComplaintStore;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let log = desk.whole_log(receipt.id()).await?;
/// assert_eq!(Some(replay(&log)?), desk.store().load(receipt.id()).await?);
/// assert_eq!(replay(&log[1..]), Err(ReplayError::Gap { expected: 1, found: 2 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Complaint, ReplayError> {
    let mut state: Option<Complaint> = None;
    for (at, entry) in entries.into_iter().enumerate() {
        let expected = u32::try_from(at + 1).unwrap_or(u32::MAX);
        if entry.seq != expected {
            return Err(ReplayError::Gap { expected, found: entry.seq });
        }
        let before = state.as_ref().map_or(Version::NONE, |complaint| complaint.version);
        let continues = state.is_some() && entry.version == before;
        state = Some(match state {
            None => begin(entry).ok_or(ReplayError::NoBeginning)?,
            Some(complaint) if entry.complaint != complaint.id => {
                return Err(ReplayError::Foreign { seq: entry.seq, complaint: entry.complaint });
            }
            Some(_) if matches!(entry.event, Event::Submitted { .. }) => {
                return Err(ReplayError::SubmittedAgain { seq: entry.seq });
            }
            Some(complaint) => evolve(complaint, entry),
        });
        if !continues && entry.version != before.next() {
            return Err(ReplayError::Version { seq: entry.seq, before, found: entry.version });
        }
    }
    state.ok_or(ReplayError::NoBeginning)
}

/// The complaint that a submission makes; `None` if the entry is no submission.
///
/// Example: [`submit`](super::submit).
#[expect(clippy::too_many_lines, reason = "one line per field")]
pub fn begin(entry: &Entry) -> Option<Complaint> {
    let Event::Submitted {
        reference,
        customer,
        channel,
        category,
        priority,
        skills,
        area,
        language,
        weight,
        against,
        items,
        purchase_date,
        incident_date,
        wish,
        follows,
        policy_version,
    } = &entry.event
    else {
        return None;
    };
    let words = &entry.words;
    let own = |name: &str| words.get(name).map(str::to_owned);
    let recorded_by = match &entry.by {
        Party::Customer(id) if id == customer => None,
        by => Some(by.clone()),
    };
    let mut complaint = Complaint {
        id: entry.complaint,
        reference: *reference,
        version: Version::NONE,
        public_version: Version::NONE,
        public_change: Version::NONE,
        entries: 0,
        customer: customer.clone(),
        recorded_by,
        channel: *channel,
        received_at: entry.at,
        policy_version: *policy_version,
        category: category.clone(),
        priority: *priority,
        skills: skills.clone(),
        area: area.clone(),
        language: language.clone(),
        weight: *weight,
        against: against.clone(),
        items: items.clone(),
        subject: words.text("subject"),
        description: words.text("description"),
        contact: Contact {
            name: own("contact.name"),
            email: own("contact.email"),
            phone: own("contact.phone"),
            address: own("contact.address"),
        },
        product: own("product"),
        order_number: own("order_number"),
        purchase_date: *purchase_date,
        incident_date: *incident_date,
        wish: *wish,
        answers: words.under("answer.").map(|(key, text)| (key.to_owned(), text.to_owned())).collect(),
        status: entry.place.status,
        status_since: entry.at,
        public_status_since: entry.at,
        level: entry.place.level,
        level_entries: 1,
        contested_to: None,
        handler: None,
        assignments: 0,
        routing: None,
        exclusions: Vec::new(),
        escalations: Vec::new(),
        acknowledged_at: None,
        first_action_at: None,
        first_response_at: None,
        questions: 0,
        question: None,
        unread_since: None,
        proposals: 0,
        proposal: None,
        awaited: None,
        decisions: 0,
        deciders: Vec::new(),
        resolutions: Vec::new(),
        remedies: Vec::new(),
        feedback: Vec::new(),
        dismissal: None,
        merged_into: None,
        joined_by_consent: false,
        ended_elsewhere: None,
        absorbed: Vec::new(),
        consents: BTreeMap::new(),
        receipts: BTreeMap::new(),
        follows: *follows,
        referred_to: None,
        attachments: Vec::new(),
        files_by_customer: 0,
        deadlines: Vec::new(),
    };
    settle(&mut complaint, entry);
    wind(&mut complaint, &entry.clocks, entry.at);
    Some(complaint)
}

/// The complaint after an entry.
///
/// Example: [`decide`](super::decide).
pub fn evolve(mut complaint: Complaint, entry: &Entry) -> Complaint {
    happen(&mut complaint, entry);
    wind(&mut complaint, &entry.clocks, entry.at);
    complaint
}

/// What an entry did to the clocks.
pub(crate) fn wind(complaint: &mut Complaint, changes: &[ClockChange], at: DateTime<Utc>) {
    for change in changes {
        let key = change.key();
        if let ClockChange::Started { deadline } = change {
            complaint.deadlines.push(Arc::clone(deadline));
        } else {
            let is_it = |deadline: &&mut Arc<Deadline>| (deadline.clock, deadline.instance) == key;
            // The latest: what is owed again, and the time to accept it, run again.
            if let Some(deadline) = complaint.deadlines.iter_mut().rev().find(is_it) {
                Arc::make_mut(deadline).apply(change, at);
            }
        }
    }
}

/// What happened and where that leaves the work; the clocks follow from it.
#[expect(clippy::too_many_lines, reason = "one arm per event, in the order of the enumeration")]
pub(crate) fn happen(complaint: &mut Complaint, entry: &Entry) {
    let words = &entry.words;
    let own = |name: &str| words.get(name).map(str::to_owned);
    let before = complaint.handler.clone();
    match &entry.event {
        // A second submission of the same complaint is not a thing that happens; the first one made the state.
        Event::Submitted { .. }
        | Event::Noted
        | Event::Revised { .. }
        | Event::Warned { .. }
        | Event::Alarmed { .. }
        | Event::Rebased { .. } => {}
        Event::Acknowledged => complaint.acknowledged_at = Some(entry.at),
        Event::Triaged { category, priority, skills, area, weight } => {
            complaint.category = category.clone();
            complaint.priority = *priority;
            complaint.skills.clone_from(skills);
            complaint.area.clone_from(area);
            complaint.weight = *weight;
        }
        Event::Assigned { routing, .. } | Event::Reassigned { routing, .. } => {
            count(&mut complaint.assignments);
            complaint.routing = Some(Arc::new(routing.clone()));
        }
        Event::Declined { agent } => exclude(complaint, agent, ExclusionCause::Declined(entry.place.level)),
        Event::Released { agent, cause } => {
            if *cause == ReleaseCause::NotBegun {
                exclude(complaint, agent, ExclusionCause::Released(entry.place.level));
            }
            complaint.awaited = None;
        }
        Event::Begun => {
            complaint.first_action_at.get_or_insert(entry.at);
        }
        Event::Asked => {
            count(&mut complaint.questions);
            complaint.question = Some(Question { seq: entry.seq, asked_at: entry.at });
            written_by_staff(complaint, entry);
        }
        Event::Answered { attachments } => {
            take_in(complaint, attachments, entry);
            complaint.question = None;
            // A handler who takes down an answer from the phone has read it; from a colleague's hand they have not.
            if entry.by.agent().is_none() || entry.by.agent() != before.as_ref() {
                complaint.unread_since = complaint.unread_since.or(Some(entry.at));
            }
        }
        Event::Held { until } => complaint.awaited = Some(*until),
        Event::Resumed => {
            complaint.awaited = None;
            complaint.question = None;
        }
        Event::Escalated { from, causes } => {
            count(&mut complaint.level_entries);
            complaint.awaited = None;
            let proposed = complaint.proposal.take().map(|proposal| proposal.outcome);
            complaint.escalations.push(Escalation {
                at: entry.at,
                from: *from,
                to: entry.place.level,
                handler: before,
                proposed,
                causes: causes.clone(),
            });
        }
        Event::HandedBack { .. } => count(&mut complaint.level_entries),
        Event::Proposed { agent, outcome, cause, remedies } => {
            count(&mut complaint.proposals);
            complaint.proposal = Some(Proposal {
                by: agent.clone(),
                at: entry.at,
                outcome: *outcome,
                cause: cause.clone(),
                remedies: with_instructions(remedies, words),
                explanation: words.text("explanation"),
                apology: own("apology"),
                next_steps: own("next_steps"),
            });
        }
        Event::SentBack => complaint.proposal = None,
        Event::Resolved { outcome, cause, remedies, by, approved_by, given_on } => {
            count(&mut complaint.decisions);
            complaint.proposal = None;
            complaint.question = None;
            decided_by(complaint, by);
            if let Some(agent) = approved_by {
                decided_by(complaint, agent);
            }
            complaint.resolutions.push(Decision {
                at: entry.at,
                level: entry.place.level,
                by: by.clone(),
                approved_by: approved_by.clone(),
                outcome: *outcome,
                cause: cause.clone(),
                explanation: words.text("explanation"),
                apology: own("apology"),
                next_steps: own("next_steps"),
                accepted_at: None,
                recorded_by: None,
                contested_at: None,
            });
            promise(complaint, entry, with_instructions(remedies, words), *given_on);
            written_by_staff(complaint, entry);
        }
        Event::Accepted { remedies } => {
            if let Some(resolution) = complaint.resolutions.last_mut() {
                resolution.accepted_at = Some(entry.at);
                resolution.recorded_by = match &entry.by {
                    Party::Customer(_) => None,
                    by => Some(by.clone()),
                };
            }
            for remedy in remedies {
                of_remedy(complaint, *remedy, |promise| promise.accepted = Some(step(entry, None)));
            }
        }
        Event::RemedyAccepted { remedy } => {
            of_remedy(complaint, *remedy, |promise| {
                promise.accepted = Some(step(entry, Some("reason")));
                promise.declined = None;
            });
        }
        Event::RemedyDeclined { remedy } => {
            of_remedy(complaint, *remedy, |promise| promise.declined = Some(step(entry, Some("reason"))));
        }
        Event::RemedyFailed { remedy } => {
            of_remedy(complaint, *remedy, |promise| {
                if promise.failed.is_some() {
                    count(&mut promise.failed_again);
                }
                promise.failed = Some(step(entry, Some("reason")));
                promise.fulfilled = None;
                promise.fulfilled_on = None;
            });
        }
        Event::RemedyFulfilled { remedy, on } => of_remedy(complaint, *remedy, |promise| {
            promise.fulfilled = Some(step(entry, Some("evidence")));
            promise.fulfilled_on = Some(*on);
        }),
        Event::Contested { excluded, .. } => {
            count(&mut complaint.level_entries);
            complaint.contested_to = Some(entry.place.level);
            for agent in excluded {
                exclude(complaint, agent, ExclusionCause::Decided);
            }
            // Whoever contests a dismissal does not disagree with a decision that came before it.
            let dismissed = complaint.dismissal.take().is_some();
            if let Some(resolution) = complaint.resolutions.last_mut().filter(|_| !dismissed) {
                resolution.contested_at.get_or_insert(entry.at);
            }
        }
        Event::Reopened => {
            count(&mut complaint.level_entries);
            complaint.dismissal = None;
        }
        Event::Closed { .. } => {}
        Event::Rated { resolution, score, anonymous } => rate(complaint, entry, (*resolution, *score, *anonymous)),
        Event::RatingAnonymised { resolutions } => {
            for feedback in complaint.feedback.iter_mut().filter(|it| resolutions.contains(&it.resolution)) {
                feedback.anonymous = true;
                feedback.anonymous_since.get_or_insert(entry.at);
            }
        }
        Event::Withdrawn => {
            // Whoever withdraws waits for nothing any more, and nobody could mark it as read.
            complaint.unread_since = None;
            complaint.question = None;
            complaint.proposal = None;
            complaint.awaited = None;
        }
        Event::Reinstated | Event::Unmerged => {
            count(&mut complaint.level_entries);
            complaint.merged_into = None;
            complaint.joined_by_consent = false;
            complaint.ended_elsewhere = None;
        }
        Event::Dismissed { reason, by } => {
            count(&mut complaint.decisions);
            complaint.question = None;
            decided_by(complaint, by);
            complaint.dismissal =
                Some(Dismissal { at: entry.at, by: by.clone(), reason: *reason, text: words.text("text") });
            written_by_staff(complaint, entry);
        }
        Event::Merged { into, by_consent, .. } => {
            complaint.merged_into = *into;
            complaint.joined_by_consent = *by_consent;
            // What is unread of it is read with the survivor.
            complaint.unread_since = None;
            complaint.question = None;
            complaint.proposal = None;
            complaint.awaited = None;
        }
        Event::Absorbed { other, received_at, theirs, unread_since, customer } => {
            complaint.unread_since = [complaint.unread_since, *unread_since].into_iter().flatten().min();
            complaint.absorbed.push(*other);
            if let Some(customer) = customer {
                complaint.consents.insert(*other, customer.clone());
            } else {
                complaint.receipts.entry(complaint.id).or_insert(complaint.received_at);
                complaint.receipts.insert(*other, theirs.unwrap_or(*received_at));
                complaint.received_at = *received_at;
            }
        }
        Event::EndedElsewhere { how } => complaint.ended_elsewhere = Some(*how),
        Event::Separated { other } => {
            complaint.absorbed.retain(|absorbed| absorbed != other);
            complaint.consents.remove(other);
            // Joined before receipts were kept apart, it leaves the earlier one behind.
            if complaint.receipts.remove(other).is_some() {
                complaint.received_at = complaint.receipts.values().copied().min().unwrap_or(complaint.received_at);
            }
        }
        Event::Referred => {
            complaint.referred_to = own("body");
            complaint.question = None;
            complaint.proposal = None;
            complaint.awaited = None;
        }
        Event::ReferralReturned => {
            count(&mut complaint.level_entries);
            complaint.referred_to = None;
        }
        Event::Posted { attachments } => {
            take_in(complaint, attachments, entry);
            if matches!(entry.by, Party::Customer(_)) {
                complaint.question = None;
                complaint.unread_since = complaint.unread_since.or(Some(entry.at));
            } else {
                written_by_staff(complaint, entry);
            }
        }
        Event::Attached { attachments } => take_in(complaint, attachments, entry),
        Event::Read => complaint.unread_since = None,
    }
    settle(complaint, entry);
}

/// What every entry does: the place, the numbers.
fn settle(complaint: &mut Complaint, entry: &Entry) {
    if complaint.status != entry.place.status {
        complaint.status_since = entry.at;
    }
    if complaint.status.for_customer() != entry.place.status.for_customer() {
        complaint.public_status_since = entry.at;
    }
    complaint.status = entry.place.status;
    complaint.level = entry.place.level;
    complaint.handler.clone_from(&entry.place.handler);
    complaint.version = entry.version;
    complaint.entries = entry.seq;
    // Whatever the customer can see differ has an entry that they can see.
    if is_public(&entry.event) && complaint.public_change != entry.version {
        complaint.public_version = complaint.public_version.next();
        complaint.public_change = entry.version;
    }
}

/// Adds files, but for those that a message shows again.
fn take_in(complaint: &mut Complaint, attachments: &[Attachment], entry: &Entry) {
    for (at, attachment) in attachments.iter().enumerate() {
        if !complaint.attachments.iter().any(|known| known.id == attachment.id) {
            let file_name = entry.words.text(&format!("file.{}", at + 1));
            complaint.attachments.push(Attachment { file_name, ..attachment.clone() });
            if matches!(entry.by, Party::Customer(_)) {
                count(&mut complaint.files_by_customer);
            }
        }
    }
}

/// One more. A damaged state holds any number, and nothing here can fail.
fn count(number: &mut u32) {
    *number = number.saturating_add(1);
}

fn exclude(complaint: &mut Complaint, agent: &AgentId, cause: ExclusionCause) {
    let exclusion = Exclusion { agent: agent.clone(), cause };
    if !complaint.exclusions.contains(&exclusion) {
        complaint.exclusions.push(exclusion);
    }
}

fn decided_by(complaint: &mut Complaint, agent: &AgentId) {
    if !complaint.deciders.contains(agent) {
        complaint.deciders.push(agent.clone());
    }
}

fn written_by_staff(complaint: &mut Complaint, entry: &Entry) {
    if entry.by != Party::System {
        complaint.first_response_at.get_or_insert(entry.at);
        complaint.unread_since = None;
    }
}

fn with_instructions(remedies: &[Remedy], words: &Words) -> Vec<Remedy> {
    remedies
        .iter()
        .enumerate()
        .map(|(at, remedy)| Remedy {
            instructions: words.get(&format!("remedy.{}.instructions", at + 1)).map(str::to_owned),
            ..remedy.clone()
        })
        .collect()
}

fn promise(complaint: &mut Complaint, entry: &Entry, remedies: Vec<Remedy>, given_on: Option<NaiveDate>) {
    let resolution = u32::try_from(complaint.resolutions.len()).unwrap_or(u32::MAX);
    for remedy in remedies {
        let number = u32::try_from(complaint.remedies.len() + 1).unwrap_or(u32::MAX);
        // A property of the kind, stored for ever like its name; not a rule that could be tightened.
        let given = remedy.kind.is_given_with_decision();
        complaint.remedies.push(RemedyPromise {
            number,
            resolution,
            remedy,
            accepted: None,
            declined: None,
            failed: None,
            failed_again: 0,
            fulfilled: given.then(|| step(entry, None)),
            fulfilled_on: given.then(|| given_on.unwrap_or_else(|| entry.at.date_naive())),
        });
    }
}

fn of_remedy(complaint: &mut Complaint, number: u32, happens: impl FnOnce(&mut RemedyPromise)) {
    if let Some(promise) = complaint.remedies.iter_mut().find(|promise| promise.number == number) {
        happens(promise);
    }
}

fn step(entry: &Entry, words: Option<&str>) -> RemedyStep {
    let text = words.and_then(|words| entry.words.get(words)).map(str::to_owned);
    RemedyStep { at: entry.at, by: entry.by.clone(), text }
}

fn rate(complaint: &mut Complaint, entry: &Entry, (resolution, score, anonymous): (u32, u8, bool)) {
    let decided = complaint.resolutions.iter().zip(1..).find(|(_, number)| *number == resolution);
    let Some(agent) = decided.map(|(resolution, _)| resolution.by.clone()) else { return };
    let comment = entry.words.get("comment").map(str::to_owned);
    if let Some(feedback) = complaint.feedback.iter_mut().find(|feedback| feedback.resolution == resolution) {
        feedback.score = score;
        feedback.comment = comment;
        feedback.anonymous |= anonymous;
        feedback.anonymous_since = feedback.anonymous_since.or_else(|| anonymous.then_some(entry.at));
    } else {
        complaint.feedback.push(Feedback {
            resolution,
            agent,
            score,
            comment,
            first_given_at: entry.at,
            anonymous,
            anonymous_since: anonymous.then_some(entry.at),
        });
    }
}
