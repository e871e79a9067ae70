//! Whether staff and time alone can bring a complaint to an end from where it is.

use chrono::TimeDelta;
use complaint_core::complaint::Entry;
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status, evolve};
use complaint_core::{Actor, Complaint};

use crate::house::{World, admin, agent, agents, decision, input};

/// More commands than the longest way takes: up the ladder, given, begun, decided, all remedies delivered, closed.
const STEPS_MAX: u32 = 30;

/// What was needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It is decided and closed, or closed already.
    Decided,
    /// Nobody is left to decide it: it was passed on or not taken up.
    PassedOn,
}

/// The best way there is, along the first step that the rules take at each place.
pub(crate) fn way_to_an_end(world: &World, complaint: &Complaint) -> Option<Way> {
    let (mut world, mut complaint) = (world.clone(), complaint.clone());
    let mut way = Way::Decided;
    for _ in 0..STEPS_MAX {
        if complaint.status.is_end() {
            return Some(way);
        }
        let next = steps(&complaint).into_iter().find_map(|(actor, command)| {
            let name = command.name();
            world.decide(&complaint, &actor, &command, None).ok().map(|entries| (name, entries))
        });
        if let Some((name, entries)) = next {
            complaint = after(&complaint, &entries);
            if matches!(name, C::Refer | C::Dismiss) {
                way = Way::PassedOn;
            }
            continue;
        }
        // What is left is for the clocks to do.
        world.later(TimeDelta::days(100));
        let waited = world.tick(complaint.clone());
        if waited == complaint {
            return None;
        }
        complaint = waited;
    }
    None
}

fn after(complaint: &Complaint, entries: &[Entry]) -> Complaint {
    entries.iter().filter(|entry| entry.complaint == complaint.id).fold(complaint.clone(), evolve)
}

/// What could be done next, what leads to a decision first.
fn steps(complaint: &Complaint) -> Vec<(Actor, Command)> {
    let words = || Some("Words.".to_owned());
    let holder = complaint.handler.as_ref().map(|id| agent(id.as_str()));
    let staff: Vec<Actor> = agents().iter().rev().map(|known| agent(known.id.as_str())).collect();
    let by_holder = |command: Command| holder.iter().map(move |holder| (holder.clone(), command.clone()));
    let by_all = |command: Command| staff.iter().map(move |actor| (actor.clone(), command.clone()));
    let mut steps = Vec::new();
    match complaint.status {
        Status::Queued => {
            for known in agents() {
                let given = Input { agent: Some(known.id), ..Input::default() };
                steps.push((admin(), input(C::Assign, given)));
            }
        }
        Status::Assigned => steps.extend(by_holder(Command::plain(C::Begin))),
        Status::InProgress => steps.extend(by_holder(decision(C::Resolve, Vec::new()))),
        Status::AwaitingCustomer | Status::AwaitingThirdParty => {
            steps.extend(by_holder(input(C::Resume, Input { reason: words(), ..Input::default() })));
        }
        Status::PendingApproval => {
            steps.extend(by_all(Command::plain(C::Approve)));
            steps.extend(by_all(input(C::SendBack, Input { comment: words(), ..Input::default() })));
        }
        Status::Resolved => {
            for promise in complaint.outstanding_remedies() {
                let delivered = Input { remedy: Some(promise.number), evidence: words(), ..Input::default() };
                steps.extend(by_all(input(C::FulfilRemedy, delivered)));
            }
            steps.extend(by_all(Command::plain(C::Read)));
            steps.extend(by_all(Command::plain(C::Close)));
            // Then the time to accept or contest passes.
            return steps;
        }
        _ => {}
    }
    steps.extend(by_all(Command::with_reason(C::Release, "Because.")));
    steps.extend(by_all(Command::with_reason(C::Escalate, "Because.")));
    let no = Input { reason: Some("out_of_scope".into()), text: words(), ..Input::default() };
    steps.extend(by_all(input(C::Dismiss, no)));
    steps.extend(by_all(input(C::Refer, Input { body: words(), text: words(), ..Input::default() })));
    steps
}
