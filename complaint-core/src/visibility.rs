//! What of a log each kind of reader may see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::actor::Party;
use crate::complaint::{
    Attachment, Complaint, Contact, Decision, Dismissal, Entry, Event, Feedback, Priority, Proposal, Question,
    ReleaseCause, Remedy, RemedyPromise, RemedyStep, Words,
};
use crate::routing::Routing;

/// Whether the customer of the complaint may know that this happened. Versions that customers see count by it, so an
/// answer, once released, stays: stored numbers depend on it.
pub(crate) fn is_public(event: &Event) -> bool {
    match event {
        // What they are reminded of and what was not kept towards them; the rest keeps the house in order.
        Event::Warned { clock, .. } => clock.is_time_of_the_customer(),
        Event::Alarmed { clock } => clock.is_owed_to_customer(),
        Event::Noted
        | Event::Triaged { .. }
        | Event::Proposed { .. }
        | Event::SentBack
        | Event::Separated { .. }
        | Event::Absorbed { .. }
        | Event::Read
        | Event::Rebased { .. } => false,
        _ => true,
    }
}

/// The log as the customer of the complaint may read it: numbered anew, so that not even the number of internal
/// entries shows; without explanations of routing, without reasons given among staff. Of a portion of a log, `before` says
/// how many entries they see before it.
pub(crate) fn for_customer(log: &[Entry], before: u32) -> Vec<Entry> {
    let mut seen: Vec<Entry> = Vec::new();
    for entry in log.iter().filter(|entry| is_public(&entry.event)) {
        let public = match &entry.event {
            Event::Assigned { agent, routing } => {
                Event::Assigned { agent: agent.clone(), routing: unexplained(routing) }
            }
            Event::Reassigned { from, to, routing } => {
                Event::Reassigned { from: from.clone(), to: to.clone(), routing: unexplained(routing) }
            }
            // Whether they would not, could not or were not to go on with it is kept among staff.
            Event::Declined { agent } | Event::Released { agent, .. } => {
                Event::Released { agent: agent.clone(), cause: ReleaseCause::ByHand }
            }
            // Why things went wrong is the organisation's own analysis.
            Event::Resolved { outcome, remedies, by, approved_by, given_on, cause: _ } => Event::Resolved {
                outcome: *outcome,
                cause: None,
                remedies: remedies.clone(),
                by: by.clone(),
                approved_by: approved_by.clone(),
                given_on: *given_on,
            },
            // Of somebody else's complaint they learn nothing.
            Event::Merged { by_consent: true, unanswered, .. } => {
                Event::Merged { into: None, reference: None, by_consent: true, unanswered: *unanswered }
            }
            event => event.clone(),
        };
        let own_words = matches!(entry.by, Party::Customer(_));
        let public_words = matches!(
            entry.event,
            Event::Submitted { .. }
                | Event::Asked
                | Event::Answered { .. }
                | Event::Resolved { .. }
                | Event::Accepted { .. }
                | Event::RemedyAccepted { .. }
                | Event::RemedyDeclined { .. }
                | Event::RemedyFulfilled { .. }
                | Event::RemedyFailed { .. }
                | Event::Dismissed { .. }
                | Event::Referred
                | Event::Held { .. }
                | Event::Posted { .. }
                | Event::Attached { .. }
                | Event::Merged { by_consent: true, .. }
        );
        let mut words = if own_words || public_words { entry.words.clone() } else { Words::none() };
        if matches!(entry.event, Event::Resolved { .. }) {
            words = words.without("comment");
        }
        if matches!(entry.event, Event::Merged { .. }) {
            words = words.without("reason");
        }
        let seq = u32::try_from(seen.len() + 1).unwrap_or(u32::MAX).saturating_add(before);
        seen.push(Entry { seq, event: public, words, clocks: Vec::new(), ..entry.clone() });
    }
    seen
}

/// The resolutions whose ratings are anonymous to this reader. The customer knows what they said, and whoever runs the
/// system is trusted with it; those who are rated and those who audit them are not.
pub(crate) fn unseen_ratings(complaint: &Complaint, reader: &Party) -> BTreeSet<u32> {
    match reader {
        Party::Customer(_) | Party::Admin(_) | Party::System => BTreeSet::new(),
        Party::Agent(_) | Party::Auditor(_) => {
            let anonymous = complaint.feedback.iter().filter(|feedback| feedback.anonymous);
            anonymous.map(|feedback| feedback.resolution).collect()
        }
    }
}

/// The complaint as this reader may see it. Rules decide by the whole one, never by what this gives.
pub(crate) fn for_reader(mut complaint: Complaint, reader: &Party) -> Complaint {
    match reader {
        Party::Customer(_) => public(complaint),
        Party::Admin(_) => without_content(complaint),
        Party::Agent(_) | Party::Auditor(_) => {
            let unseen = unseen_ratings(&complaint, reader);
            complaint.feedback.retain(|feedback| !unseen.contains(&feedback.resolution));
            complaint
        }
        Party::System => complaint,
    }
}

/// What its customer may know of it; what keeps the house in order is emptied. `tests/proof/visibility.rs` asks of every field
/// whose it is.
fn public(mut complaint: Complaint) -> Complaint {
    // Why things went wrong is the organisation's own analysis.
    complaint.resolutions.iter_mut().for_each(|resolution| resolution.cause = None);
    complaint.escalations.iter_mut().for_each(|step| (step.handler, step.proposed) = (None, None));
    complaint.deadlines.retain(|deadline| deadline.clock.concerns_customer());
    Complaint {
        version: complaint.public_version,
        public_change: complaint.public_version,
        status: complaint.status.for_customer(),
        status_since: complaint.public_status_since,
        routing: complaint.routing.map(|routing| Arc::new(unexplained(&routing))),
        question: complaint.question.map(|question| Question { seq: 0, ..question }),
        recorded_by: None,
        priority: Priority::Normal,
        skills: BTreeSet::new(),
        area: None,
        weight: 0,
        against: None,
        exclusions: Vec::new(),
        first_action_at: None,
        unread_since: None,
        proposal: None,
        deciders: Vec::new(),
        // Somebody else's is unknown to them, as is what others let join theirs.
        merged_into: complaint.merged_into.filter(|_| !complaint.joined_by_consent),
        absorbed: Vec::new(),
        consents: BTreeMap::new(),
        receipts: BTreeMap::new(),
        // Numbers that would tell how much happened among staff.
        entries: 0,
        level_entries: 0,
        contested_to: None,
        assignments: 0,
        proposals: 0,
        ..complaint
    }
}

/// Without anything that people typed: whoever runs the system sees that things happened, not what was said.
fn without_content(mut complaint: Complaint) -> Complaint {
    let resolutions = std::mem::take(&mut complaint.resolutions);
    let remedies = std::mem::take(&mut complaint.remedies);
    let feedback = std::mem::take(&mut complaint.feedback);
    let attachments = std::mem::take(&mut complaint.attachments);
    let silent = |step: Option<RemedyStep>| step.map(|it| RemedyStep { text: None, ..it });
    let plain = |remedy: Remedy| Remedy { instructions: None, ..remedy };
    Complaint {
        subject: String::new(),
        description: String::new(),
        contact: Contact::default(),
        product: None,
        order_number: None,
        answers: BTreeMap::new(),
        items: Vec::new(),
        proposal: complaint.proposal.map(|it| Proposal {
            explanation: String::new(),
            apology: None,
            next_steps: None,
            remedies: it.remedies.into_iter().map(plain).collect(),
            ..it
        }),
        resolutions: resolutions
            .into_iter()
            .map(|it| Decision { explanation: String::new(), apology: None, next_steps: None, ..it })
            .collect(),
        remedies: remedies
            .into_iter()
            .map(|it| RemedyPromise {
                remedy: plain(it.remedy),
                accepted: silent(it.accepted),
                declined: silent(it.declined),
                failed: silent(it.failed),
                fulfilled: silent(it.fulfilled),
                ..it
            })
            .collect(),
        feedback: feedback.into_iter().map(|it| Feedback { comment: None, ..it }).collect(),
        dismissal: complaint.dismissal.map(|it| Dismissal { text: String::new(), ..it }),
        referred_to: complaint.referred_to.map(|_| String::new()),
        attachments: attachments.into_iter().map(|it| Attachment { file_name: String::new(), ..it }).collect(),
        ..complaint
    }
}

/// The log without anonymous ratings, numbered anew, so that no gap tells where one was. What was said before it was made
/// anonymous goes too. Of a portion of a log, `before` says how many entries the reader sees before it.
pub(crate) fn without_ratings(log: &[Entry], unseen: &BTreeSet<u32>, before: u32) -> Vec<Entry> {
    let tells = |entry: &&Entry| match &entry.event {
        Event::Rated { resolution, .. } => unseen.contains(resolution),
        Event::RatingAnonymised { .. } => true,
        _ => false,
    };
    let seen = log.iter().filter(|entry| !tells(entry));
    seen.zip(before.saturating_add(1)..).map(|(entry, seq)| Entry { seq, ..entry.clone() }).collect()
}

/// The log without anything that people typed.
pub(crate) fn without_words(log: &[Entry]) -> Vec<Entry> {
    let silent = |entry: &Entry| {
        let mut entry = Entry { words: Words::none(), ..entry.clone() };
        // Keys of the host, if all goes well; whoever submits writes into them what they like.
        if let Event::Submitted { items, .. } = &mut entry.event {
            items.clear();
        }
        entry
    };
    log.iter().map(silent).collect()
}

/// A routing without those who were considered.
pub(crate) fn unexplained(routing: &Routing) -> Routing {
    Routing { chosen: routing.chosen.clone(), by_hand: routing.by_hand, ..Routing::default() }
}
