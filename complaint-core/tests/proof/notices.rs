//! Who is told what of which event, and how: the table in the documentation is what [`announce`] does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use complaint_core::Policy;
use complaint_core::complaint::{Entry, Event, EventName, Place, ReleaseCause, Remedy};
use complaint_core::deadline::ClockKind;
use complaint_core::id::EndpointId;
use complaint_core::lifecycle::Status;
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind, Recipient, announce};
use complaint_core::policy::Subscription;
use complaint_core::{Complaint, Party};

use crate::house::{World, agent_id, customer, level, policy};

fn shop() -> EndpointId {
    "01900000-0000-7000-8000-000000000007".parse().unwrap()
}

fn everything() -> Policy {
    let mut policy = policy();
    policy.channels.insert(NoticeChannel::Sms);
    policy.endpoints.insert(shop(), Subscription::default());
    policy
}

/// The stored sample of an event, in each form that is told differently: by whom, who holds it then, at which level, of which clock.
fn forms(name: EventName, of: &Complaint) -> Vec<Entry> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/proof/golden/{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let sample: Entry = serde_json::from_str(&text).unwrap();
    assert_eq!(sample.event.name(), name);
    let events = match sample.event.clone() {
        Event::Warned { .. } => ClockKind::ALL
            .into_iter()
            .flat_map(|clock| [75, 90].map(|percent| Event::Warned { clock, percent }))
            .collect(),
        Event::Alarmed { .. } => ClockKind::ALL.into_iter().map(|clock| Event::Alarmed { clock }).collect(),
        Event::Released { agent, .. } => [ReleaseCause::ByHand, ReleaseCause::NotBegun]
            .map(|cause| Event::Released { agent: agent.clone(), cause })
            .into(),
        event => vec![event],
    };
    let by = [customer("john").party().clone(), Party::Agent(agent_id("mia")), Party::System];
    let mut forms = Vec::new();
    for event in events {
        for by in &by {
            for (at, handler) in [(1, Some("sarah")), (1, Some("ben")), (1, None), (3, Some("sarah"))] {
                let place = Place { status: Status::InProgress, level: level(at), handler: handler.map(agent_id) };
                let (complaint, by) = (of.id, by.clone());
                forms.push(Entry { complaint, by, place, event: event.clone(), ..sample.clone() });
            }
        }
    }
    forms
}

fn complaint() -> Complaint {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    Complaint { handler: Some(agent_id("sarah")), ..world.resolved(&begun, vec![Remedy::replacement()]) }
}

fn kind(kind: NoticeKind) -> String {
    serde_json::to_value(kind).unwrap()["kind"].as_str().unwrap().replace('_', " ")
}

/// A cell: the kinds, those with a star that go as a text message, too, those in italics that can be switched off.
fn cell(notices: &[&Notice]) -> String {
    let mut kinds: BTreeMap<String, BTreeSet<NoticeChannel>> = BTreeMap::new();
    for notice in notices {
        let mut kind = kind(notice.kind);
        // What several are told at once is nobody's to switch off.
        let to_one = matches!(notice.recipient, Recipient::Customer(_) | Recipient::Agent(_));
        if to_one && notice.kind.group().is_some_and(|group| !group.is_mandatory()) {
            kind = format!("*{kind}*");
        }
        kinds.entry(kind).or_default().insert(notice.channel);
    }
    let shown = kinds.into_iter().map(|(kind, channels)| {
        assert!(channels.contains(&NoticeChannel::Email), "whatever is told is told by mail");
        if channels.contains(&NoticeChannel::Sms) { format!("{kind} \\*") } else { kind }
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_table_of_the_documentation_is_what_is_announced() {
    let (of, policy) = (complaint(), everything());
    let mut table = String::from("| event | customer | agents | those who supervise |\n|---|---|---|---|\n");
    for name in EventName::ALL {
        let mut all: Vec<Notice> = Vec::new();
        for entry in forms(*name, &of) {
            let told = announce(Some(&of), &of, std::slice::from_ref(&entry), &policy);
            let programs: Vec<&Notice> =
                told.iter().filter(|notice| matches!(notice.recipient, Recipient::Endpoint(_))).collect();
            assert_eq!(programs.len(), 1, "{name}: a program hears of each event once");
            assert_eq!((programs[0].channel, programs[0].kind), (NoticeChannel::Webhook, NoticeKind::Happened));
            assert_eq!(programs[0].happening.as_ref().map(|it| it.event), Some(*name));
            all.extend(told);
        }
        let to = |wanted: fn(&Recipient) -> bool| -> Vec<&Notice> {
            all.iter().filter(|notice| wanted(&notice.recipient)).collect()
        };
        let (customers, agents, levels) = (
            to(|it| matches!(it, Recipient::Customer(_))),
            to(|it| matches!(it, Recipient::Agent(_))),
            to(|it| matches!(it, Recipient::Level { .. } | Recipient::Admins)),
        );
        writeln!(table, "| {name} | {} | {} | {} |", cell(&customers), cell(&agents), cell(&levels)).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notice/table.md");
    if std::env::var("COMPLAINT_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&file, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), table, "COMPLAINT_GOLDEN=write writes it anew");
}

#[test]
fn a_program_hears_what_it_asked_for_and_no_word_that_was_typed() {
    let of = complaint();
    let mut policy = everything();
    policy.endpoints.insert(shop(), Subscription::to([EventName::Posted, EventName::Noted]));
    for name in EventName::ALL {
        for entry in forms(*name, &of) {
            let told = announce(Some(&of), &of, std::slice::from_ref(&entry), &policy);
            let told: Vec<_> = told.iter().filter(|it| it.channel == NoticeChannel::Webhook).collect();
            assert_eq!(told.len(), usize::from(matches!(name, EventName::Posted | EventName::Noted)), "{name}");
            for notice in told {
                let stored = serde_json::to_string(notice).unwrap();
                for typed in ["What was typed", &of.subject, "john", "cracked"] {
                    assert!(!stored.contains(typed), "{typed} in {stored}");
                }
                assert_eq!(&serde_json::from_str::<Notice>(&stored).unwrap(), notice, "stored and read");
            }
        }
    }
}

/// A notice that is stored must not become another one when an endpoint is made or removed.
#[test]
fn programs_change_no_other_notice_and_have_ids_of_their_own() {
    let of = complaint();
    let plain = policy();
    let mut told_to_many = policy();
    for number in 0..100_u128 {
        let endpoint = EndpointId::from_uuid(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0001_0000 + number));
        told_to_many.endpoints.insert(endpoint, Subscription::default());
    }
    for name in EventName::ALL {
        for entry in forms(*name, &of) {
            let before = announce(Some(&of), &of, std::slice::from_ref(&entry), &plain);
            let after = announce(Some(&of), &of, std::slice::from_ref(&entry), &told_to_many);
            let people = |it: &&Notice| !matches!(it.recipient, Recipient::Endpoint(_));
            assert!(after.iter().filter(people).eq(before.iter()), "{name}");
            let ids: BTreeSet<_> = after.iter().map(|notice| notice.id).collect();
            assert_eq!((ids.len(), after.len()), (before.len() + 100, before.len() + 100), "{name}");
        }
    }
}

#[test]
fn what_is_imported_is_news_to_no_program() {
    let mut of = complaint();
    of.channel = complaint_core::complaint::Channel::Import;
    (of.assignments, of.resolutions) = (1, Vec::new());
    let policy = everything();
    for (name, told) in [(EventName::Submitted, 0), (EventName::Assigned, 0), (EventName::Begun, 1)] {
        let entry = forms(name, &of).remove(0);
        let notices = announce(None, &of, &[entry], &policy);
        assert_eq!(notices.iter().filter(|it| it.channel == NoticeChannel::Webhook).count(), told, "{name}");
    }
}

/// The id of what a program is sent is of the complaint, the entry and the program, and of nothing else.
#[test]
fn each_entry_is_sent_to_a_program_under_an_id_of_its_own() {
    let (of, mut policy) = (complaint(), self::policy());
    // One in which no bit is left free by the complaint's.
    let opposite = EndpointId::from_uuid(uuid::Uuid::from_u128(!of.id.as_uuid().as_u128()));
    policy.endpoints.insert(opposite, Subscription::default());
    let sent = |entry: Entry| -> Notice {
        let told = announce(Some(&of), &of, &[entry], &policy);
        told.into_iter().find(|it| it.channel == NoticeChannel::Webhook).unwrap()
    };
    let entry = |seq: u32| Entry { seq, ..forms(EventName::Posted, &of).remove(0) };
    let ids: BTreeSet<_> = (1..=1_000).map(|seq| sent(entry(seq)).id).collect();
    assert_eq!(ids.len(), 1_000, "one for each entry");
    // However many people hear of it beside the program.
    let by = |by: Party| sent(Entry { by, ..entry(7) }).id;
    let same = [customer("john").party().clone(), Party::Agent(agent_id("mia")), Party::System].map(by);
    assert!(same.iter().all(|id| *id == same[0]), "{same:?}");
    let mut among = policy.clone();
    among.endpoints.insert("01900000-0000-7000-8000-000000000001".parse().unwrap(), Subscription::default());
    let told = announce(Some(&of), &of, &[entry(7)], &among);
    let ours = told.iter().find(|it| it.recipient == Recipient::Endpoint(opposite)).unwrap();
    assert_eq!(ours.id, same[0], "another program is no reason for another id");
}

/// What is owed is the customer's to read, not the program's.
#[test]
fn a_program_is_not_told_what_is_owed() {
    let (of, policy) = (complaint(), everything());
    let told =
        forms(EventName::Resolved, &of).into_iter().flat_map(|entry| announce(Some(&of), &of, &[entry], &policy));
    let told: Vec<Notice> = told.collect();
    assert!(told.iter().any(|it| it.owed), "the sample promises a remedy");
    assert!(told.iter().filter(|it| it.channel == NoticeChannel::Webhook).all(|it| !it.owed));
}

/// What became of a complaint that was joined stands in the letter to whoever submitted it.
#[test]
fn the_letter_about_an_end_elsewhere_says_which() {
    let (of, policy) = (complaint(), everything());
    for entry in forms(EventName::EndedElsewhere, &of) {
        let Event::EndedElsewhere { how } = entry.event.clone() else { panic!("{entry:?}") };
        let told = announce(Some(&of), &of, &[entry], &policy);
        let letter = told.iter().find(|it| it.kind == NoticeKind::EndedElsewhere && it.channel == NoticeChannel::Email);
        assert_eq!(letter.unwrap().text, Some(format!("{}.", how.label())));
    }
}
