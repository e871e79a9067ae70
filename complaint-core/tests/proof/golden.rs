//! Stored entries of every kind, as they were written once: what was stored is read for ever.
//!
//! A file that is missing is written by `COMPLAINT_GOLDEN=write`; one that is there is never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use complaint_core::complaint::{
    Attachment, Channel, CloseCause, DismissalReason, EndElsewhere, Entry, EscalationCause, Event, Item, Outcome,
    Place, Priority, ReleaseCause, Remedy, RemedyKind, Wish, Words,
};
use complaint_core::deadline::{ClockChange, ClockKind, Deadline, Ending, PauseCause};
use complaint_core::id::{
    Area, CategoryKey, CauseKey, ComplaintId, CustomerId, Language, PromiseKey, Skill, StaffId, Version,
};
use complaint_core::lifecycle::{Command, CommandName as C, Status, replay};
use complaint_core::reference::Reference;
use complaint_core::routing::{Candidate, Ineligible, Routing};
use complaint_core::{Complaint, Party, Policy};

use crate::house::{World, admin, agent, agent_id, customer, file, level, policy, tag, uuid};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/golden")
}

fn instant() -> DateTime<Utc> {
    "2026-11-23T09:30:00.123456Z".parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn clock() -> Deadline {
    let mut world = World::new(policy());
    world.submitted().deadline(ClockKind::Resolution).unwrap().clone()
}

/// Every field filled that a clock of the law has beyond the others.
fn opportunity() -> Deadline {
    let policy = policy().under(&Policy::pack("uk-fca-disp").unwrap()).unwrap();
    let complaint = World::new(policy).submitted();
    let summary = complaint.promise(&PromiseKey::new("summary-resolution").unwrap()).unwrap().clone();
    assert!(summary.lapses());
    summary
}

fn routing() -> Routing {
    let refused = vec![
        Ineligible::Disabled,
        Ineligible::Absent { until: instant() },
        Ineligible::OtherLevel { level: level(2) },
        Ineligible::LacksSkills { skills: BTreeSet::from([Skill::new("water").unwrap()]) },
        Ineligible::OtherArea,
        Ineligible::OtherLanguage,
        Ineligible::NoCapacity { workload: 9, capacity: 10 },
        Ineligible::Declined,
        Ineligible::NotBegun,
        Ineligible::TakenAway,
        Ineligible::Decided,
        Ineligible::Subject,
    ];
    let candidate = |id: &str, rank, reasons| Candidate {
        agent: agent_id(id),
        rank,
        workload: 3,
        capacity: 10,
        preferred: rank.is_some(),
        last_assigned_at: Some(instant()),
        reasons,
    };
    Routing {
        chosen: Some(agent_id("sarah")),
        by_hand: false,
        candidates: vec![candidate("sarah", Some(1), Vec::new()), candidate("ben", None, refused)],
        others: 4,
        ..Routing::default()
    }
}

/// What routing has learnt to say since the first files were written: their own file stays as it is.
fn routing_together() -> Routing {
    let refused = [("off_shift", 2), ("unknown_shift", 1), ("conflict", 1)].map(|(code, n)| (code.to_owned(), n));
    let mut routing = Routing { weight: 2, eligible: 3, refused: refused.into(), together: 12, ..routing() };
    routing.candidates[1].reasons = vec![
        Ineligible::OffShift { until: Some(instant()) },
        Ineligible::OffShift { until: None },
        Ineligible::UnknownShift { shift: "graveyard".into() },
        Ineligible::Conflict,
    ];
    routing
}

/// One entry of each event, every field filled.
#[expect(clippy::too_many_lines, reason = "one value per event")]
fn samples() -> Vec<Entry> {
    let attachment = Attachment { file_name: String::new(), ..file(7) };
    let remedies = || vec![Remedy::refund("12.50 EUR").unwrap().due_on(day("2026-12-24")), Remedy::replacement()];
    let other = ComplaintId::from_uuid(uuid(8));
    let clocks = vec![
        ClockChange::Started { deadline: Arc::new(clock()) },
        ClockChange::Paused { clock: ClockKind::Level, instance: 2, left_micros: 17, cause: None },
        ClockChange::Resumed {
            clock: ClockKind::Level,
            instance: 2,
            since: instant(),
            due_at: instant(),
            warn_at: [instant(), instant()],
        },
        ClockChange::Retargeted { deadline: Arc::new(clock()) },
        ClockChange::Warned { clock: ClockKind::Silence, instance: 1, percent: 75 },
        ClockChange::Missed { clock: ClockKind::Acceptance, instance: 3 },
        ClockChange::Ended { clock: ClockKind::FirstResponse, instance: 1, how: Ending::Late },
    ];
    let cause = Some(PauseCause::OutstandingRemedy);
    let of_law = vec![
        ClockChange::Started { deadline: Arc::new(opportunity()) },
        ClockChange::Paused { clock: ClockKind::AutoClose, instance: 1, left_micros: 5, cause },
    ];
    let submitted = Event::Submitted {
        reference: Reference::from_entropy(17),
        customer: CustomerId::new("john@example.org").unwrap(),
        channel: Channel::Phone,
        category: CategoryKey::new("damaged-goods").unwrap(),
        priority: Priority::High,
        skills: BTreeSet::from([Skill::new("damaged-goods").unwrap()]),
        area: Some(Area::new("north").unwrap()),
        language: Some(Language::new("pt-br").unwrap()),
        weight: 2,
        against: Some(agent_id("zoe")),
        items: vec![Item { kind: "order".into(), key: "A-1009".into() }],
        purchase_date: Some(day("2026-10-01")),
        incident_date: Some(day("2026-10-05")),
        wish: Some(Wish::Refund),
        follows: Some(other),
        policy_version: 3,
    };
    let events = vec![
        submitted,
        Event::Acknowledged,
        Event::Triaged {
            category: CategoryKey::new("late-delivery").unwrap(),
            priority: Priority::Urgent,
            skills: BTreeSet::new(),
            area: None,
            weight: 5,
        },
        Event::Assigned { agent: agent_id("sarah"), routing: routing() },
        Event::Declined { agent: agent_id("sarah") },
        Event::Released { agent: agent_id("sarah"), cause: ReleaseCause::HandlerGone },
        Event::Reassigned { from: agent_id("sarah"), to: agent_id("ben"), routing: routing() },
        Event::Begun,
        Event::Asked,
        Event::Answered { attachments: Vec::new() },
        Event::Held { until: day("2026-12-01") },
        Event::Resumed,
        Event::Escalated {
            from: level(1),
            causes: vec![
                EscalationCause::Handler,
                EscalationCause::Supervisor,
                EscalationCause::Customer,
                EscalationCause::Clock(ClockKind::FirstResponse),
            ],
        },
        Event::HandedBack { from: level(2), agent: agent_id("maria") },
        Event::Proposed {
            agent: agent_id("sarah"),
            outcome: Outcome::PartlyUpheld,
            cause: Some(CauseKey::new("packaging").unwrap()),
            remedies: remedies(),
        },
        Event::SentBack,
        Event::Resolved {
            outcome: Outcome::Upheld,
            cause: Some(CauseKey::new("packaging").unwrap()),
            remedies: remedies(),
            by: agent_id("sarah"),
            approved_by: Some(agent_id("maria")),
            given_on: None,
        },
        Event::Accepted { remedies: vec![1, 2] },
        Event::RemedyFulfilled { remedy: 1, on: day("2026-12-02") },
        Event::Contested { from: level(1), new_evidence: true, excluded: vec![agent_id("sarah")] },
        Event::Reopened,
        Event::Closed { cause: CloseCause::AcceptanceWindowOver },
        Event::Rated { resolution: 1, score: 4, anonymous: true },
        Event::Withdrawn,
        Event::Reinstated,
        Event::Dismissed { reason: DismissalReason::TimeBarred, by: agent_id("maria") },
        Event::Merged {
            into: Some(other),
            reference: Some(complaint_core::reference::Reference::from_entropy(7)),
            unanswered: false,
            by_consent: false,
        },
        Event::Absorbed { other, received_at: instant(), theirs: None, unread_since: None, customer: None },
        Event::Unmerged,
        Event::Separated { other },
        Event::Referred,
        Event::ReferralReturned,
        Event::Posted { attachments: Vec::new() },
        Event::Noted,
        Event::Attached { attachments: vec![attachment] },
        Event::Read,
        Event::Warned { clock: ClockKind::AutoClose, percent: 90 },
        Event::Alarmed { clock: ClockKind::Statutory },
        Event::Rebased { policy_version: 4 },
        Event::Revised {
            category: Some(CategoryKey::new("late-delivery").unwrap()),
            clocks: vec![ClockKind::Resolution, ClockKind::Statutory],
        },
        Event::RemedyAccepted { remedy: 1 },
        Event::RemedyDeclined { remedy: 2 },
        Event::RemedyFailed { remedy: 1 },
        Event::RatingAnonymised { resolutions: vec![1, 2] },
        Event::EndedElsewhere { how: EndElsewhere::Decided(Outcome::Upheld) },
    ];
    let parties = [
        Party::Customer(CustomerId::new("john@example.org").unwrap()),
        Party::Agent(agent_id("sarah")),
        Party::Admin(StaffId::new("root").unwrap()),
        Party::Auditor(StaffId::new("eye").unwrap()),
        Party::System,
    ];
    let entry = |(seq, event): (u32, Event)| Entry {
        complaint: ComplaintId::from_uuid(uuid(7)),
        seq,
        version: Version::new(u64::from(seq) + 1),
        at: instant(),
        by: parties[seq as usize % parties.len()].clone(),
        place: Place {
            status: Status::ALL[seq as usize % Status::ALL.len()],
            level: level(2),
            handler: Some(agent_id("sarah")).filter(|_| seq % 2 == 0),
        },
        clocks: match (seq, &event) {
            (1, _) => clocks.clone(),
            (_, Event::Rebased { .. }) => of_law.clone(),
            _ => Vec::new(),
        },
        words: Words::of("text", "What was typed: “ü”.\nTwo lines."),
        event,
    };
    (1..).zip(events).map(entry).collect()
}

/// Messages that show files; before there were such, a message had none.
fn messages_with_files() -> Vec<(&'static str, Entry)> {
    let attachments = || vec![Attachment { file_name: String::new(), ..file(7) }];
    let words = || Words::of("text", "See the photo.").and("file.1", "photo-7.png");
    let with = |event: Event| Entry { event, words: words(), ..samples().swap_remove(9) };
    let absorbed = samples().into_iter().find_map(|entry| match entry.event {
        Event::Absorbed { other, received_at, .. } => {
            let (theirs, unread_since) = (Some(received_at), Some(received_at));
            let event = Event::Absorbed { other, received_at, theirs, unread_since, customer: None };
            Some(Entry { event, ..entry })
        }
        _ => None,
    });
    let absorbed = absorbed.expect("among the samples");
    let merged = samples().into_iter().find_map(|entry| match entry.event {
        Event::Merged { into, reference, .. } => {
            Some(Entry { event: Event::Merged { into, reference, unanswered: true, by_consent: false }, ..entry })
        }
        _ => None,
    });
    let merged = merged.expect("among the samples");
    vec![
        ("answered_with_files", with(Event::Answered { attachments: attachments() })),
        ("posted_with_files", with(Event::Posted { attachments: attachments() })),
        ("absorbed_with_receipt", absorbed),
        ("merged_unanswered", merged),
    ]
}

/// What joining says since complaints of two customers can be joined.
fn joined_by_consent() -> Vec<(&'static str, Entry)> {
    let other = ComplaintId::from_uuid(uuid(8));
    let with = |event: Event| Entry { event, words: Words::of("consent", "On the phone."), ..samples().swap_remove(9) };
    let (theirs, customer) = (Some(instant()), Some(CustomerId::new("jane@example.org").unwrap()));
    vec![
        (
            "merged_by_consent",
            with(Event::Merged { into: Some(other), reference: None, by_consent: true, unanswered: false }),
        ),
        (
            "absorbed_by_consent",
            with(Event::Absorbed { other, received_at: instant(), theirs, unread_since: None, customer }),
        ),
        ("ended_elsewhere_dismissed", with(Event::EndedElsewhere { how: EndElsewhere::Dismissed })),
        ("ended_elsewhere_referred", with(Event::EndedElsewhere { how: EndElsewhere::Referred })),
    ]
}

/// A decision that delivers words, since it says on which day; before, it was the day in UTC.
fn resolved_with_words() -> (&'static str, Entry) {
    let resolved = samples().into_iter().find_map(|entry| match entry.event {
        Event::Resolved { outcome, cause, by, approved_by, .. } => {
            let (remedies, given_on) = (vec![Remedy::of(RemedyKind::Apology)], Some(day("2026-11-24")));
            let event = Event::Resolved { outcome, cause, remedies, by, approved_by, given_on };
            Some(Entry { event, ..entry })
        }
        _ => None,
    });
    ("resolved_with_words", resolved.expect("among the samples"))
}

fn complaint() -> Complaint {
    let mut world = World::new(policy());
    let begun = world.begun_at(2);
    let asked = world.text(&begun, &agent("maria"), C::Ask);
    world.later(TimeDelta::hours(30));
    let answered = world.text(&asked, &customer("john"), C::Answer);
    let resolved = world.resolved(&answered, vec![Remedy::refund("12.50 EUR").unwrap()]);
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    let id = contested.id;
    let log: Vec<Entry> = world.log.into_iter().filter(|entry| entry.complaint == id).collect();
    assert_eq!(replay(&log).unwrap(), contested);
    contested
}

/// The kinds of event that the source declares, in the form in which they are stored.
fn declared() -> BTreeSet<String> {
    let source = include_str!("../../src/complaint/event.rs");
    let body = source.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap();
    body.lines()
        .filter(|line| line.starts_with("    ") && line.as_bytes()[4].is_ascii_uppercase())
        .map(|line| {
            let name: String = line.trim().chars().take_while(char::is_ascii_alphanumeric).collect();
            let mut tag = String::new();
            for c in name.chars() {
                if c.is_ascii_uppercase() && !tag.is_empty() {
                    tag.push('_');
                }
                tag.push(c.to_ascii_lowercase());
            }
            tag
        })
        .collect()
}

fn golden(name: &str, now: &str) -> String {
    let path = folder().join(format!("{name}.json"));
    if !path.exists() && std::env::var("COMPLAINT_GOLDEN").as_deref() == Ok("write") {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, now).unwrap();
    }
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no golden file for `{name}`"))
}

#[test]
fn every_kind_of_entry_is_stored_as_it_ever_was() {
    let samples: BTreeMap<String, Entry> = samples().into_iter().map(|entry| (tag(&entry.event), entry)).collect();
    let known: BTreeSet<String> = samples.keys().cloned().collect();
    assert_eq!(known, declared(), "a kind of event without a golden file");
    let later: Vec<_> =
        messages_with_files().into_iter().chain(joined_by_consent()).chain([resolved_with_words()]).collect();
    let later = later.iter().map(|(name, entry)| (*name, entry));
    for (name, entry) in samples.iter().map(|(name, entry)| (name.as_str(), entry)).chain(later) {
        let now = serde_json::to_string_pretty(entry).unwrap() + "\n";
        let stored = golden(name, &now);
        let read: Entry = serde_json::from_str(&stored).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(&read, entry, "{name} is read as something else");
        assert_eq!(stored, now, "{name} is written in another form");
    }
}

#[test]
fn an_explanation_of_many_is_stored_as_it_ever_was() {
    let mut entry = samples().into_iter().find(|entry| tag(&entry.event) == "assigned").unwrap();
    entry.event = Event::Assigned { agent: agent_id("sarah"), routing: routing_together() };
    let now = serde_json::to_string_pretty(&entry).unwrap() + "\n";
    let stored = golden("assigned_together", &now);
    assert_eq!(serde_json::from_str::<Entry>(&stored).unwrap(), entry);
    assert_eq!(stored, now);
}

#[test]
fn every_golden_file_still_loads() {
    let mut loaded = 0;
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.file_stem().unwrap().to_string_lossy().starts_with("complaint") {
            serde_json::from_str::<Complaint>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        } else {
            serde_json::from_str::<Entry>(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        loaded += 1;
    }
    assert!(loaded > declared().len(), "{loaded}");
}

#[test]
fn a_complaint_is_stored_as_it_ever_was() {
    let complaint = complaint();
    let now = serde_json::to_string_pretty(&complaint).unwrap() + "\n";
    let stored = golden("complaint", &now);
    assert_eq!(serde_json::from_str::<Complaint>(&stored).unwrap(), complaint);
    assert_eq!(stored, now);
}

#[test]
fn a_row_written_before_promises_had_names_is_the_final_response() {
    let stored = golden("complaint-before-promises", "");
    let mut complaint: Complaint = serde_json::from_str(&stored).unwrap();
    assert_eq!(complaint.deadlines.iter().filter(|it| it.clock == ClockKind::Statutory).count(), 1);
    // As if it had not been decided yet: the clock runs on, and no second one starts beside it.
    complaint.status = Status::InProgress;
    complaint.resolutions.clear();
    let law = complaint.deadlines.iter_mut().find(|it| it.clock == ClockKind::Statutory).unwrap();
    let law = Arc::make_mut(law);
    assert_eq!(law.promise, None);
    law.ended = None;
    law.segments.last_mut().unwrap().to = None;
    let mut world = World::new(policy());
    world.now = complaint.status_since;
    let rebased = world.act(&complaint, &admin(), &Command::with_reason(C::Rebase, "A new policy."));
    let law: Vec<_> = rebased.deadlines.iter().filter(|it| it.clock == ClockKind::Statutory).collect();
    assert_eq!((law.len(), law[0].ended), (1, None));
    let withdrawn = world.plain(&rebased, &customer("john"), C::Withdraw);
    let again = world.plain(&withdrawn, &customer("john"), C::Reinstate);
    let law: Vec<_> = again.deadlines.iter().filter(|it| it.clock == ClockKind::Statutory).collect();
    assert_eq!((law.len(), law[1].due_at, law[1].instance), (2, law[0].due_at, 2));
}

#[test]
fn a_row_written_before_deciders_were_kept_still_loads() {
    let mut row = serde_json::to_value(complaint()).unwrap();
    row.as_object_mut().unwrap().remove("deciders");
    assert!(serde_json::from_value::<Complaint>(row).unwrap().deciders.is_empty());
}
