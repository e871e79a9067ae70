//! The demonstration: lived through the desk, complete, and not from the future.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use complaint_core::complaint::{CloseCause, Complaint, EscalationCause, Event, Outcome, RemedyState};
use complaint_core::id::Level;
use complaint_core::lifecycle::Status;
use complaint_core::policy::Policy;
use complaint_core::redress::Ledger;
use complaint_core::store::MemoryStore;
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Actor, Desk, Party};
use complaint_store_sqlx::SqliteStore;
use futures_util::StreamExt as _;
use reference_server::auth::password::Passwords;
use reference_server::auth::{AccountService, AuthError, Role, SqliteAccounts, Visit};
use reference_server::config::{Config, DatabaseUrl, ServeArgs};
use reference_server::demo::past::{self, LongRead, Past};
use reference_server::demo::people::People;
use reference_server::demo::situations::SITUATIONS;
use reference_server::demo::{self};
use reference_server::files::{Attachments, misnamed};
use uuid::Uuid;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn lived(until: DateTime<Utc>) -> (Desk, Past) {
    let policy = Policy::from_toml(include_str!("../../src/demo/policy.toml")).unwrap();
    let clock = ManualClock::at(until);
    let desk = Desk::new(MemoryStore::new(), policy)
        .with_clock(Arc::new(clock.clone()))
        .with_ids(Arc::new(CountedIds::from(7)))
        .notifying(LongRead);
    let people = People::of_tidewater().unwrap();
    let past = past::live(&desk, &clock, &people, until, 20_482_026, |_, _| {}).await.unwrap();
    (desk, past)
}

#[tokio::test]
async fn every_status_occurs_whenever_it_is_started() {
    // Monday before opening, Friday night, New Year, the day after clocks changed; the other tests take a Wednesday.
    for now in ["2026-11-23T06:10:00Z", "2026-11-20T22:45:00Z", "2027-01-01T00:00:01Z", "2026-10-26T08:00:00Z"] {
        let (_, past) = lived(instant(now)).await;
        for status in Status::ALL {
            assert!(past.statuses.get(&status).is_some_and(|count| *count >= 2), "{now} {status}: {:?}", past.statuses);
        }
        let total: u64 = past.statuses.values().sum();
        assert_eq!(total, past.complaints.len() as u64);
        assert!((190..=230).contains(&total), "{now}: {total}");
        let refused: u32 = past.refused.values().sum();
        assert!(refused <= 12, "{now}: {:?}", past.refused);
    }
}

#[tokio::test]
async fn it_is_a_real_past() {
    let now = instant("2026-11-25T15:20:00Z");
    let (desk, past) = lived(now).await;
    let system = desk.acting_as(Actor::system());
    let mut complaints: Vec<Complaint> = Vec::new();
    let hours = desk.policy().working_calendar();
    let mut by_agents = 0;
    let mut events = Vec::new();
    for id in &past.complaints {
        assert!(desk.replays(*id).await.unwrap());
        let complaint = system.read(*id).await.unwrap();
        let mut before = complaint.received_at;
        for entry in system.log(*id).await.unwrap() {
            assert!(entry.at <= now, "{id} {} is in the future", entry.seq);
            assert!(entry.at >= before, "{id} {} is out of order", entry.seq);
            before = entry.at;
            if matches!(entry.by, Party::Agent(_)) {
                by_agents += 1;
                assert!(hours.is_open(entry.at), "{:?} of {:?} at {}", entry.event, entry.by, entry.at);
            }
            events.push(entry.event);
        }
        assert!(now - complaint.received_at <= chrono::TimeDelta::days(past::DAYS + 1));
        complaints.push(complaint);
    }
    assert!(by_agents > 500, "{by_agents} deeds of agents");

    let some = |what: &str, found: bool| assert!(found, "no {what}");
    let any = |test: &dyn Fn(&Event) -> bool| events.iter().any(test);
    for outcome in Outcome::ALL {
        some(outcome.name(), any(&|event| matches!(event, Event::Resolved { outcome: it, .. } if it == outcome)));
    }
    some(
        "clock that escalates",
        any(&|event| match event {
            Event::Escalated { causes, .. } => causes.iter().any(|cause| matches!(cause, EscalationCause::Clock(_))),
            _ => false,
        }),
    );
    some(
        "escalation by hand",
        any(&|event| match event {
            Event::Escalated { causes, .. } => causes.contains(&EscalationCause::Handler),
            _ => false,
        }),
    );
    for (what, found) in [
        ("auto-close", any(&|event| matches!(event, Event::Closed { cause: CloseCause::AcceptanceWindowOver }))),
        ("second person", any(&|event| matches!(event, Event::Resolved { approved_by: Some(_), .. }))),
        ("proposal sent back", any(&|event| matches!(event, Event::SentBack))),
        (
            "contest up to the last level",
            any(&|event| matches!(event, Event::Contested { from, .. } if from.get() == 2)),
        ),
        ("reinstatement", any(&|event| matches!(event, Event::Reinstated))),
        ("referral that came back", any(&|event| matches!(event, Event::ReferralReturned))),
        ("reopening", any(&|event| matches!(event, Event::Reopened))),
        ("hand-back", any(&|event| matches!(event, Event::HandedBack { .. }))),
        ("decline", any(&|event| matches!(event, Event::Declined { .. }))),
        ("reassignment", any(&|event| matches!(event, Event::Reassigned { .. }))),
        ("rating", any(&|event| matches!(event, Event::Rated { .. }))),
        ("note", any(&|event| matches!(event, Event::Noted))),
        ("warning", any(&|event| matches!(event, Event::Warned { .. }))),
        (
            "late remedy",
            complaints.iter().any(|it| it.has_missed_deadline() && it.outstanding_remedies().next().is_some()),
        ),
        ("follow-up", complaints.iter().any(|it| it.subject.starts_with("After your answer"))),
        ("complaint at the last level", complaints.iter().any(|it| it.level.get() == 3)),
    ] {
        some(what, found);
    }
    let mut ledger = Ledger::default();
    for complaint in &complaints {
        ledger.add(complaint);
    }
    for state in RemedyState::ALL {
        let least = if *state == RemedyState::Lapsed || *state == RemedyState::Declined { 3 } else { 1 };
        let count = ledger.total().of(*state).count;
        assert!(count >= least, "{count} remedies are {}", state.name());
    }
    let told = desk.store().claim(now + chrono::TimeDelta::days(1), now + chrono::TimeDelta::days(2), 1).await.unwrap();
    assert!(told.is_empty(), "mail of the past would be sent: {told:?}");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_past() {
    let now = instant("2026-11-25T15:20:00Z");
    let ((one, first), (other, second)) = (lived(now).await, lived(now).await);
    assert_eq!(first.complaints, second.complaints);
    for id in &first.complaints {
        assert_eq!(one.whole_log(*id).await.unwrap(), other.whole_log(*id).await.unwrap());
    }
}

#[tokio::test]
async fn everybody_has_an_account_and_can_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let args = ServeArgs { listen: "127.0.0.1:8080".into(), data: folder.path().to_owned(), ..ServeArgs::default() };
    let config = Config::from_args(&args, None).unwrap();
    let DatabaseUrl::Sqlite(database) = config.database.clone() else { panic!("a file") };
    let now = instant("2026-11-25T15:20:00Z");
    let filled = demo::fill(&config, now, |_, _| {}).await.unwrap();
    let accounts = AccountService::new(
        Arc::new(SqliteAccounts::open(&database, true).await.unwrap()),
        Passwords::new().unwrap(),
        Arc::new(ManualClock::at(now)),
        &"http://localhost/".parse().unwrap(),
    );
    let here = Visit { address: IpAddr::V4(Ipv4Addr::LOCALHOST), device: "", browser: None };
    for email in [
        "ada.lindgren@tidewater.example",
        "omar.haddad@tidewater.example",
        "maria.keane@tidewater.example",
        "elif.demir@tidewater.example",
        "john.harper@mail.example.com",
    ] {
        accounts.log_in(email, &filled.password, None, &here, None).await.unwrap();
        let wrong = accounts.log_in(email, "copper lantern winds 7 rivers", None, &here, None).await;
        assert!(matches!(wrong, Err(AuthError::InvalidCredentials)));
    }
    assert!(accounts.setup_link().await.unwrap().is_none(), "there is an admin");
    let count = |role| filled.people.everybody.iter().filter(|person| person.role == role).count();
    assert_eq!((count(Role::Admin), count(Role::Agent), count(Role::Customer)), (1, 13, 30));
    let at = |level: u8| filled.people.agents.iter().filter(|agent| agent.level == Level::new(level).unwrap()).count();
    assert_eq!((at(1), at(2), at(3)), (8, 3, 2));

    let store = SqliteStore::open(&database).await.unwrap();
    let desk = Desk::new(store, Policy::standard()).with_clock(Arc::new(ManualClock::at(now)));
    for id in &filled.past.complaints {
        assert!(desk.replays(*id).await.unwrap());
    }
    let outside = filled.people.customers.iter().all(|person| !person.email.ends_with("@tidewater.example"));
    assert!(outside, "customers have addresses of their own");

    let files = Attachments::open(&config.attachments_folder()).unwrap();
    let mut kinds = BTreeSet::new();
    for id in &filled.past.complaints {
        for file in desk.acting_as(Actor::system()).read(*id).await.unwrap().attachments {
            let mut bytes = Vec::new();
            let mut stream = files.read(&file.sha256).await.unwrap();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk.unwrap());
            }
            assert_eq!(bytes.len() as u64, file.size, "{}", file.file_name);
            assert_eq!(misnamed(&file.file_name, &file.media_type), None, "{}", file.file_name);
            let mut again = files.begin(Uuid::nil()).await.unwrap();
            again.take(bytes.into()).await.unwrap();
            assert_eq!(again.finish().await.unwrap().media_type, file.media_type, "{}", file.file_name);
            kinds.insert(file.media_type);
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["application/pdf", "image/png", "text/plain"]);
    let letters: Vec<String> = std::fs::read_dir(config.mail_folder())
        .unwrap()
        .map(|letter| std::fs::read_to_string(letter.unwrap().path()).unwrap())
        .collect();
    assert!(letters.len() > 10, "the folder holds the mail of the last days: {}", letters.len());
    assert!(letters.iter().all(|letter| letter.contains("Tidewater Town Works")), "in the organisation's name");
    let details = filled.sign_in_details();
    for part in ["ada.lindgren@tidewater.example", "Supervisor", &filled.password, "closed"] {
        assert!(details.contains(part), "{part}: {details}");
    }
}

#[tokio::test]
async fn what_people_wrote_is_good_english_and_not_the_same_everywhere() {
    let (desk, past) = lived(instant("2026-11-25T15:20:00Z")).await;
    let system = desk.acting_as(Actor::system());
    let mut first_replies = BTreeMap::<String, u32>::new();
    for id in &past.complaints {
        let complaint = system.read(*id).await.unwrap();
        let log = system.log(*id).await.unwrap();
        let mut texts = vec![complaint.subject.clone(), complaint.description.clone()];
        texts.extend(log.iter().flat_map(|entry| entry.words.iter().map(|(_, text)| text.to_owned())));
        for text in texts {
            let wrong = ["a", "e", "i", "o", "u"].iter().any(|vowel| text.contains(&format!(" a {vowel}")));
            assert!(!wrong && !text.contains(['{', '}']) && !text.contains("last week"), "{text}");
        }
        let reply =
            log.iter().find(|entry| matches!((&entry.event, &entry.by), (Event::Posted { .. }, Party::Agent(_))));
        if let Some(reply) = reply.and_then(|entry| entry.words.get("text")) {
            *first_replies.entry(reply.to_owned()).or_default() += 1;
        }
    }
    let (all, most) = (first_replies.values().sum::<u32>(), first_replies.values().max().unwrap());
    assert!(first_replies.len() > 40 && most * 8 < all, "{most} of {all} are the same");
}

#[test]
fn situations_fit_the_catalogue() {
    let policy = Policy::from_toml(include_str!("../../src/demo/policy.toml")).unwrap();
    assert!(SITUATIONS.len() >= 25);
    for situation in SITUATIONS {
        let category = policy.categories.iter().find(|category| category.key.as_str() == situation.category).unwrap();
        for (question, _) in situation.answers {
            assert!(category.questions.iter().any(|known| known.key == *question), "{}", situation.subject);
        }
    }
    for category in &policy.categories {
        assert!(SITUATIONS.iter().any(|it| it.category == category.key.as_str()), "nothing about {}", category.name);
    }
}

#[test]
fn it_is_for_this_machine_alone_and_begins_empty() {
    let program = || Command::new(env!("CARGO_BIN_EXE_reference-server"));
    let refused = program().args(["demo", "--listen", "0.0.0.0:0"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("for this machine alone"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("complaints.db"), b"something").unwrap();
    let refused = program().args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read(folder.path().join("complaints.db")).unwrap(), b"something");
}

/// Whoever stops it while it is being filled waits for nothing, and nothing of it is left.
#[cfg(unix)]
#[test]
fn it_can_be_stopped_before_it_is_ready() {
    for signal in ["TERM", "INT"] {
        let scratch = tempfile::tempdir().unwrap();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_reference-server"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(demo.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line.contains("migrated")), "it began");
        assert!(scratch.path().read_dir().unwrap().next().is_some(), "there is something to remove");
        let killed = Command::new("kill").args([&format!("-{signal}"), &demo.id().to_string()]).status().unwrap();
        assert!(killed.success());
        // Its log goes on until it ends.
        let said: Vec<String> = said.collect();
        let output = demo.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"".as_slice()), "{signal}: {said:?}");
        assert!(said.iter().any(|line| line.contains("Stopped before it was complete")), "{signal}: {said:?}");
        assert_eq!(scratch.path().read_dir().unwrap().count(), 0, "{signal} leaves nothing behind");
    }
}
