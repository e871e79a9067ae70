//! What of a log each kind of reader may see.

use crate::actor::Party;
use crate::complaint::{Entry, Event, ReleaseCause, Words};
use crate::routing::Routing;

/// Whether the customer of the complaint may know that this happened. Versions that customers see count by it, so an
/// answer, once released, stays: stored numbers depend on it.
pub(crate) fn is_public(event: &Event) -> bool {
    match event {
        // What they are reminded of and what was not kept towards them; the rest keeps the house in order.
        Event::Warned { clock, .. } => clock.is_time_of_the_customer(),
        Event::Alarmed { clock } => clock.is_promise(),
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
            event => event.clone(),
        };
        let own_words = matches!(entry.by, Party::Customer(_));
        let public_words = matches!(
            entry.event,
            Event::Submitted { .. }
                | Event::Asked
                | Event::Answered { .. }
                | Event::Resolved { .. }
                | Event::RemedyFulfilled { .. }
                | Event::Dismissed { .. }
                | Event::Referred
                | Event::Held { .. }
                | Event::Posted { .. }
                | Event::Attached { .. }
        );
        let mut words = if own_words || public_words { entry.words.clone() } else { Words::none() };
        if matches!(entry.event, Event::Resolved { .. }) {
            words = words.without("comment");
        }
        let seq = u32::try_from(seen.len() + 1).unwrap_or(u32::MAX).saturating_add(before);
        seen.push(Entry { seq, event: public, words, clocks: Vec::new(), ..entry.clone() });
    }
    seen
}

/// The log without anything that people typed.
pub(crate) fn without_words(log: &[Entry]) -> Vec<Entry> {
    log.iter().map(|entry| Entry { words: Words::none(), ..entry.clone() }).collect()
}

/// A routing without those who were considered.
pub(crate) fn unexplained(routing: &Routing) -> Routing {
    Routing { chosen: routing.chosen.clone(), by_hand: routing.by_hand, ..Routing::default() }
}
