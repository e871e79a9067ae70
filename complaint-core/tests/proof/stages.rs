//! Complaints brought everywhere they can be, by commands alone: the cases that the table is tried on.

use chrono::TimeDelta;
use complaint_core::complaint::{Entry, Remedy};
use complaint_core::id::CustomerId;
use complaint_core::lifecycle::{Command, CommandName as C, Context, Input, Status, decide, evolve};
use complaint_core::{Actor, Complaint, Policy};

use crate::house::{World, admin, agent, auditor, customer, decision, file, input, replacement};

/// A complaint brought somewhere by commands alone.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) name: String,
    /// Nothing but the place is special about it: not late, its log not full.
    pub(crate) plain: bool,
    pub(crate) world: World,
    pub(crate) complaint: Complaint,
    /// The complaint it was joined to, or another one of the customer.
    pub(crate) other: Complaint,
}

/// Every status, at every level where it can be reached, and the facts beside the status that guards look at.
pub(crate) fn stages(policy: &Policy) -> Vec<Stage> {
    let mut stages = Vec::new();
    for at in 1..=3_u8 {
        for place in PLACES {
            let mut world = World::new(policy.clone());
            let mut other = world.submitted();
            if let Some(complaint) = bring(&mut world, place, at, &mut other) {
                // Asked for from now on, so that the way here is the same under every policy.
                world.policy.cause_required = !policy.causes.is_empty();
                stages.push(Stage { name: format!("{place} at {at}"), plain: true, world, complaint, other });
            }
        }
    }
    let mut full = Vec::new();
    for stage in stages.iter().filter(|_| !policy.four_eyes && !policy.agents_may_dismiss) {
        let mut world = stage.world.clone();
        world.policy.log_entries_per_complaint = stage.complaint.entries;
        full.push(Stage {
            name: format!("{} with a full log", stage.name),
            plain: false,
            complaint: stage.complaint.clone(),
            other: stage.other.clone(),
            world,
        });
    }
    let mut late = Vec::new();
    // Time matters to windows and clocks alone, whatever the policy lets people do.
    for stage in stages.iter().filter(|_| !policy.four_eyes && !policy.agents_may_dismiss) {
        late.extend([2, 13, 40].map(|days| after(stage, days)));
    }
    late.extend(full.iter().filter(|stage| stage.complaint.status.is_end()).map(|stage| after(stage, 40)));
    stages.extend(late);
    stages.extend(full);
    stages
}

fn after(stage: &Stage, days: i64) -> Stage {
    let mut late = stage.clone();
    late.world.later(TimeDelta::days(days));
    Stage { name: format!("{} after {days} days", stage.name), plain: false, ..late }
}

const PLACES: [&str; 45] = [
    "queued",
    "assigned",
    "in progress",
    "awaiting customer",
    "awaiting third party",
    "asked and released",
    "asked and given anew",
    "asked and begun anew",
    "pending approval",
    "pending approval of much money",
    "resolved",
    "resolved with a remedy",
    "resolved with an accepted remedy",
    "resolved with a failed remedy",
    "resolved with a message",
    "accepted with a remedy",
    "accepted",
    "accepted with a failed remedy",
    "accepted by the word of staff",
    "a remedy declined by the word of staff",
    "resolved with a delivered remedy",
    "closed with a delivered remedy",
    "accepted with a message",
    "closed and rated",
    "closed and rated anonymously",
    "withdrawn",
    "dismissed",
    "merged",
    "merged by consent",
    "merged by consent and decided there",
    "beside a complaint of somebody else",
    "with a complaint of somebody else",
    "referred",
    "contested",
    "contested and begun",
    "contested at the last level",
    "reopened",
    "with ten files",
    "missed",
    "handed back",
    "without its handler",
    "resolved with two remedies",
    "released and declined",
    "accepted by the word of staff with a remedy and a message",
    "handed back after the customer escalated it",
];

#[expect(clippy::too_many_lines, reason = "one arm per place")]
fn bring(world: &mut World, place: &str, at: u8, other: &mut Complaint) -> Option<Complaint> {
    let holder = || agent(["sarah", "maria", "omar"][usize::from(at) - 1]);
    let john = customer("john");
    let omar = agent("omar");
    if place == "queued" && at == 1 {
        return Some(world.submitted());
    }
    let begun = world.begun_at(at);
    let released = |world: &mut World| {
        let complaint = world.reason(&begun, &agent("ora"), C::Release);
        assert_eq!(complaint.status, Status::Queued);
        complaint
    };
    Some(match place {
        "queued" => released(world),
        "assigned" => {
            let queued = released(world);
            world.given(&queued, holder().agent_id().unwrap().as_str())
        }
        "in progress" => begun,
        "awaiting customer" => world.text(&begun, &holder(), C::Ask),
        "awaiting third party" => {
            let until = Some(world.now.date_naive() + TimeDelta::days(9));
            let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
            world.act(&begun, &holder(), &input(C::Hold, hold))
        }
        "asked and released" | "asked and given anew" | "asked and begun anew" => {
            let asked = world.text(&begun, &holder(), C::Ask);
            let queued = world.reason(&asked, &agent("ora"), C::Release);
            if place == "asked and released" {
                return Some(queued);
            }
            let given = world.given(&queued, holder().agent_id().unwrap().as_str());
            if place == "asked and given anew" { given } else { world.plain(&given, &holder(), C::Begin) }
        }
        // Promised for a day, which passes.
        "pending approval" => {
            let soon = world.now.date_naive() + TimeDelta::days(14);
            world.act(&begun, &holder(), &decision(C::Propose, vec![Remedy::replacement().due_on(soon)]))
        }
        "pending approval of much money" => {
            let soon = world.now.date_naive() + TimeDelta::days(14);
            let much = vec![Remedy::refund("5000.00 EUR").unwrap().due_on(soon)];
            world.act(&begun, &holder(), &decision(C::Propose, much))
        }
        "resolved" => decided(world, &begun, Vec::new()),
        "resolved with a remedy" => decided(world, &begun, replacement()),
        "resolved with an accepted remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.plain(&resolved, &john, C::AcceptRemedy)
        }
        "resolved with a failed remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.reason(&resolved, &holder(), C::FailRemedy)
        }
        "accepted with a failed remedy" => {
            let resolved = decided(world, &begun, replacement());
            let failed = world.reason(&resolved, &holder(), C::FailRemedy);
            world.plain(&failed, &john, C::Accept)
        }
        "accepted by the word of staff" => {
            let resolved = decided(world, &begun, Vec::new());
            world.reason(&resolved, &holder(), C::Accept)
        }
        "a remedy declined by the word of staff" => {
            let resolved = decided(world, &begun, replacement());
            let declined = world.reason(&resolved, &holder(), C::DeclineRemedy);
            world.plain(&declined, &john, C::Accept)
        }
        "resolved with a delivered remedy" | "closed with a delivered remedy" => {
            let mut it = decided(world, &begun, replacement());
            if place.starts_with("closed") {
                it = world.plain(&it, &john, C::Accept);
            }
            let evidence = Input { evidence: Some("Parcel 17".into()), ..Input::default() };
            world.act(&it, &holder(), &input(C::FulfilRemedy, evidence))
        }
        "accepted with a message" => {
            let resolved = decided(world, &begun, Vec::new());
            let written = world.text(&resolved, &john, C::Post);
            world.plain(&written, &john, C::Accept)
        }
        "resolved with a message" => {
            let resolved = decided(world, &begun, Vec::new());
            world.text(&resolved, &john, C::Post)
        }
        "accepted with a remedy" => {
            let resolved = decided(world, &begun, replacement());
            world.plain(&resolved, &john, C::Accept)
        }
        "accepted" => {
            let resolved = decided(world, &begun, Vec::new());
            world.plain(&resolved, &john, C::Accept)
        }
        "closed and rated" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            world.act(&closed, &john, &input(C::Rate, Input { score: Some(4), ..Input::default() }))
        }
        "closed and rated anonymously" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            let rate = Input { score: Some(2), anonymous: true, ..Input::default() };
            world.act(&closed, &john, &input(C::Rate, rate))
        }
        "withdrawn" => world.plain(&begun, &john, C::Withdraw),
        "dismissed" => world.act(&begun, &omar, &ground()),
        "merged" => {
            if at > 1 {
                *other = world.begun_at(at);
            }
            let into = Input { into: Some(other.reference.to_string()), ..Input::default() };
            let entries = world.decide(&begun, &omar, &input(C::Merge, into), Some(other)).unwrap();
            *other = evolve(other.clone(), &entries[1]);
            evolve(begun, &entries[0])
        }
        "beside a complaint of somebody else" => {
            other.customer = jane();
            begun
        }
        "with a complaint of somebody else" => {
            let theirs = Complaint { customer: jane(), ..world.submitted() };
            joined_by_consent(world, &theirs, &begun).1
        }
        "merged by consent" | "merged by consent and decided there" => {
            let theirs = world.begun_at(at);
            let theirs = Complaint { customer: jane(), ..theirs };
            let (begun, survivor) = joined_by_consent(world, &begun, &theirs);
            if place == "merged by consent" {
                *other = survivor;
                return Some(begun);
            }
            let decision = if world.policy.four_eyes { ground() } else { decision(C::Resolve, Vec::new()) };
            let holder = survivor.handler.as_ref().map(|id| agent(id.as_str())).unwrap();
            let by = if world.policy.four_eyes { omar } else { holder };
            let joined = [begun.clone()];
            let context = Context::new(&world.policy, world.now).joined(&joined);
            let entries = decide(&survivor, &decision, &by, &context).unwrap();
            *other = of(&survivor, &entries);
            of(&begun, &entries)
        }
        "referred" => {
            let body = Input { body: Some("The city".into()), text: Some("Not ours.".into()), ..Input::default() };
            world.act(&begun, &omar, &input(C::Refer, body))
        }
        "contested" | "contested and begun" if at > 1 => {
            let mut complaint = world.begun_at(at - 1);
            complaint = decided(world, &complaint, Vec::new());
            complaint = world.reason(&complaint, &john, C::Contest);
            if place == "contested" {
                return Some(complaint);
            }
            complaint = world.given(&complaint, holder().agent_id().unwrap().as_str());
            world.plain(&complaint, &holder(), C::Begin)
        }
        "contested" | "contested and begun" => return None,
        "contested at the last level" if at == 3 => {
            let resolved = decided(world, &begun, Vec::new());
            let input_given =
                Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
            world.act(&resolved, &john, &input(C::Contest, input_given))
        }
        "contested at the last level" => return None,
        "reopened" => {
            let resolved = decided(world, &begun, Vec::new());
            let closed = world.plain(&resolved, &john, C::Accept);
            world.reason(&closed, &omar, C::Reopen)
        }
        "with ten files" => {
            let files = Command::attach((0..10).map(file).collect());
            world.act(&begun, &john, &files)
        }
        "missed" => {
            world.later(TimeDelta::days(400));
            world.tick(begun)
        }
        "handed back" if at < 3 => {
            let above = world.begun_at(at + 1);
            let instruction = Input { instruction: Some("Ask again.".into()), ..Input::default() };
            let boss = agent(["sarah", "maria", "omar"][usize::from(at)]);
            world.act(&above, &boss, &input(C::HandBack, instruction))
        }
        "handed back" => return None,
        "resolved with two remedies" => {
            let two = vec![Remedy::replacement(), Remedy::refund("20.00 EUR").unwrap()];
            let resolved = decided(world, &begun, two);
            world.act(&resolved, &john, &input(C::AcceptRemedy, Input { remedy: Some(1), ..Input::default() }))
        }
        "accepted by the word of staff with a remedy and a message" => {
            let resolved = decided(world, &begun, replacement());
            let accepted = world.reason(&resolved, &holder(), C::Accept);
            world.text(&accepted, &john, C::Post)
        }
        "released and declined" => {
            let queued = released(world);
            let next = ["ben", "mia", "olga"][usize::from(at) - 1];
            let given = world.given(&queued, next);
            world.reason(&given, &agent(next), C::Decline)
        }
        "handed back after the customer escalated it" if at < 3 => {
            world.later(TimeDelta::days(60));
            let up = world.reason(&begun, &john, C::Escalate);
            let boss = ["maria", "omar"][usize::from(at) - 1];
            let given = world.given(&up, boss);
            let above = world.plain(&given, &agent(boss), C::Begin);
            let instruction = Input { instruction: Some("Ask again.".into()), ..Input::default() };
            let back = world.act(&above, &agent(boss), &input(C::HandBack, instruction));
            // This level's own promise is broken once more.
            world.later(TimeDelta::days(60));
            back
        }
        "handed back after the customer escalated it" => return None,
        "without its handler" => {
            world.handler_available = false;
            begun
        }
        _ => unreachable!("{place}"),
    })
}

fn jane() -> CustomerId {
    CustomerId::new("jane").unwrap()
}

fn ground() -> Command {
    input(C::Dismiss, Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() })
}

/// What entries make of a complaint, those of others passed over.
pub(crate) fn of(before: &Complaint, entries: &[Entry]) -> Complaint {
    entries.iter().filter(|entry| entry.complaint == before.id).fold(before.clone(), evolve)
}

/// One complaint joined to that of another customer, and that one.
pub(crate) fn joined_by_consent(world: &World, joined: &Complaint, survivor: &Complaint) -> (Complaint, Complaint) {
    let consent = Some("On the phone: together is fine.".to_owned());
    let into = Input { into: Some(survivor.reference.to_string()), consent, ..Input::default() };
    let entries = world.decide(joined, &agent("omar"), &input(C::Merge, into), Some(survivor)).unwrap();
    (of(joined, &entries), of(survivor, &entries))
}

/// Resolved by the handler, or with a second person where the policy asks for one.
fn decided(world: &mut World, begun: &Complaint, remedies: Vec<Remedy>) -> Complaint {
    if !world.policy.four_eyes {
        return world.resolved(begun, remedies);
    }
    let holder = agent(begun.handler.as_ref().unwrap().as_str());
    let proposed = world.act(begun, &holder, &decision(C::Propose, remedies));
    world.plain(&proposed, &agent("olga"), C::Approve)
}

pub(crate) fn actors(complaint: &Complaint) -> Vec<(&'static str, Actor)> {
    let handler = complaint.handler.as_ref().map(|id| ("handler", agent(id.as_str())));
    // A customer whose key reads like the handler's is nobody to them.
    let namesake = complaint.handler.as_ref().map(|id| ("namesake of the handler", customer(id.as_str())));
    let mut actors = vec![
        ("customer", customer("john")),
        ("another customer", customer("jane")),
        ("representative", agent("ben")),
        ("supervisor", agent("mia")),
        ("manager", agent("ora")),
        ("subject", agent("zoe")),
        ("first of level 1", agent("sarah")),
        ("first of level 2", agent("maria")),
        ("first of level 3", agent("omar")),
        ("admin", admin()),
        ("auditor", auditor()),
        ("system", Actor::system()),
    ];
    actors.extend(handler);
    actors.extend(namesake);
    actors
}
