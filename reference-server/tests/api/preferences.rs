//! Which notices reach somebody: chosen, kept, honoured by the courier, stopped by a link; and what reached nobody.

use axum::http::Method;
use chrono::TimeDelta;
use complaint_core::notice::Preferences;
use reference_server::database::Database;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Harness, With};

const MINE: &str = "/api/v1/me/preferences";

async fn choose(house: &House, body: Value, who: &With) {
    let chosen = house.it.put(MINE, body, who).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
}

/// Those of the letters that went to John, by their first line.
fn to_john(letters: &[(String, String)]) -> Vec<&str> {
    let his = letters.iter().filter(|(to, _)| to == "john@example.org");
    his.map(|(_, text)| text.lines().next().unwrap_or_default().split_once("] ").map_or("?", |(_, rest)| rest))
        .collect()
}

async fn after(house: &House, time: TimeDelta) -> Vec<(String, String)> {
    house.it.clock.advance(time);
    house.it.letters().await
}

/// A harness whose links can be sent by mail programs, too.
async fn secure() -> House {
    House::over(Harness::with_args(|args| args.base_url = Some("https://help.example.org".into())).await).await
}

#[tokio::test]
async fn what_was_chosen_is_kept_under_a_version() {
    let house = House::new().await;
    let first = house.it.get(MINE, &house.john).await;
    let nothing = json!({"zone": null, "language": null, "quiet_hours": null, "digest_at": null, "off": {"email": [], "sms": []}});
    assert_eq!((first.status.as_u16(), first.header("etag"), first.json()), (200, "\"0\"", nothing));
    let wanted = json!({
        "zone": "Europe/Berlin", "language": "de-AT", "quiet_hours": {"from": "22:00", "to": "07:00"}, "digest_at": "08:30",
        "off": {"email": ["messages"], "sms": ["decisions", "receipts"]},
    });
    let kept = house.it.put(MINE, wanted.clone(), &house.john).await;
    let mut answered = wanted.clone();
    answered["off"]["sms"] = json!(["receipts", "decisions"]);
    assert_eq!((kept.status.as_u16(), kept.header("etag"), kept.json()), (200, "\"1\"", answered.clone()));
    assert_eq!(house.read(MINE, &house.john).await, answered);
    let known = house.it.get(MINE, &house.john.clone().header("if-none-match", "\"1\"")).await;
    assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
    assert_eq!(house.read(MINE, &house.jane).await["zone"], json!(null), "each their own");

    let stale = house.it.put(MINE, json!({}), &house.john.clone().header("if-match", "\"0\"")).await;
    assert_eq!((stale.problem(), stale.header("etag")), ((409, "stale_version".to_owned()), "\"1\""));
    assert_eq!(house.read(MINE, &house.john).await, answered, "nothing was done");
    let again = house.it.put(MINE, json!({}), &house.john.clone().header("if-match", "\"1\"")).await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (200, "\"2\""));
    assert_eq!(again.json()["off"], json!({"email": [], "sms": []}), "what is left out is not chosen any more");
    for (method, body) in [(Method::GET, None), (Method::PUT, Some(b"{}".to_vec()))] {
        let kind = body.as_ref().map(|_| "application/json");
        let stranger = house.it.send(method, MINE, kind, body.unwrap_or_default(), &With::default()).await;
        assert_eq!(stranger.status, 401);
    }
}

#[tokio::test]
async fn every_fault_of_a_choice_is_named_and_nothing_is_kept() {
    let house = House::new().await;
    for (body, fields) in [
        (
            json!({"off": {"email": ["decisions", "deadlines"]}}),
            vec![("off.email", "mandatory"), ("off.email", "mandatory")],
        ),
        (
            json!({"off": {"email": ["spam"], "sms": ["messages"]}}),
            vec![("off.email", "unknown_group"), ("off.sms", "never_sent")],
        ),
        (json!({"quiet_hours": {"from": "22:00", "to": "07:00"}}), vec![("zone", "required")]),
        (json!({"digest_at": "8:00"}), vec![("digest_at", "not_a_time"), ("zone", "required")]),
        (json!({"zone": "Mars/Base"}), vec![("zone", "unknown_zone")]),
        (
            json!({"zone": "UTC", "quiet_hours": {"from": "07:00", "to": "07:00"}}),
            vec![("quiet_hours.to", "quiet_all_day")],
        ),
        (json!({"language": "x".repeat(36)}), vec![("language", "not_a_language")]),
        (json!({"language": "de\u{202e}"}), vec![("language", "not_a_language")]),
        (json!({"quiet_hours": {"from": "22:00"}}), vec![("quiet_hours.to", "missing"), ("zone", "required")]),
        (json!({"channels": []}), vec![("channels", "unknown_field")]),
        (json!({"zone": 1}), vec![("zone", "invalid_type")]),
    ] {
        let refused = house.it.put(MINE, body.clone(), &house.john).await;
        assert_eq!(refused.status, 422, "{body}");
        let named = refused.fields();
        let named: Vec<(&str, &str)> = named.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
        assert_eq!(named, fields, "{body}: {}", refused.text);
    }
    assert_eq!(house.it.get(MINE, &house.john).await.header("etag"), "\"0\"");
}

#[tokio::test]
async fn what_is_switched_off_does_not_come_and_what_is_mandatory_does() {
    let house = House::new().await;
    choose(&house, json!({"off": {"email": ["handling", "messages"]}}), &house.john).await;
    let path = house.complaint().await;
    let letters = house.it.letters().await;
    assert_eq!(to_john(&letters).len(), 1, "the receipt, and not who has it: {letters:?}");
    assert!(to_john(&letters)[0].starts_with("What happens with your complaint"), "{letters:?}");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "post", json!({"text": "zz-hello"}), &house.sarah).await;
    assert_eq!(to_john(&house.it.letters().await), Vec::<&str>::new());
    house.done(&path, "ask", json!({"text": "zz-which"}), &house.sarah).await;
    let asked = house.it.letters().await;
    assert_eq!(to_john(&asked), ["We have a question: Broken kettle"]);
    house.done(&path, "answer", json!({"text": "zz-this"}), &house.john).await;
    house.done(&path, "resolve", json!({"outcome": "not_upheld", "explanation": "zz-why"}), &house.sarah).await;
    let decided = house.it.letters().await;
    assert_eq!(to_john(&decided), ["Our decision on your complaint: Broken kettle"]);
    assert!(house.read("/api/v1/dead-letters", &house.admin).await["items"].as_array().expect("items").is_empty());
}

#[tokio::test]
async fn at_night_waits_what_can_wait_and_it_comes_when_the_night_is_over() {
    let house = House::new().await;
    // It is ten in the morning in Berlin, and whoever works at night sleeps until noon.
    let quiet = json!({"zone": "Europe/Berlin", "quiet_hours": {"from": "09:30", "to": "12:00"}});
    choose(&house, quiet, &house.john).await;
    let path = house.complaint().await;
    let first = house.it.letters().await;
    assert_eq!(to_john(&first).len(), 1, "the receipt at once: {first:?}");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "zz-which"}), &house.sarah).await;
    assert_eq!(to_john(&house.it.letters().await), Vec::<&str>::new());
    for early in [TimeDelta::minutes(60), TimeDelta::minutes(59)] {
        assert_eq!(to_john(&after(&house, early).await), Vec::<&str>::new(), "it is not noon yet");
    }
    let noon = after(&house, TimeDelta::minutes(1)).await;
    let mut told = to_john(&noon);
    told.sort_unstable();
    assert_eq!(told, ["Sarah Cole now handles your complaint: Broken kettle", "We have a question: Broken kettle"]);
    let question = noon.iter().find(|(_, text)| text.contains("zz-which")).expect("the question");
    assert!(question.1.contains("CET"), "dates in his zone: {}", question.1);
    assert_eq!(to_john(&after(&house, TimeDelta::minutes(30)).await), Vec::<&str>::new(), "once");
}

#[tokio::test]
async fn a_day_is_listed_in_one_letter_and_a_courier_that_dies_loses_nothing() {
    let house = secure().await;
    choose(&house, json!({"zone": "UTC", "digest_at": "18:00"}), &house.john).await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "post", json!({"text": "zz-hello"}), &house.sarah).await;
    let first = house.it.letters().await;
    assert_eq!(to_john(&first).len(), 1, "the receipt at once: {first:?}");
    assert_eq!(to_john(&after(&house, TimeDelta::minutes(539)).await), Vec::<&str>::new());

    // Another server takes the letter and dies with it.
    let now = house.it.server.state().clock.now() + TimeDelta::minutes(1);
    let other = Database::open(&house.it.server.state().config.database, false).await.expect("the database");
    let until = now + TimeDelta::minutes(30);
    let taken = other.preferences.claim_digest("letter-of-the-dead", now, until, 100).await.expect("claims");
    let taken = taken.expect("a letter");
    assert_eq!((taken.notices.len(), taken.attempt), (2, 1));
    assert!(taken.notices.iter().all(|notice| notice.text.is_none()), "no words of people are kept: {taken:?}");
    assert_eq!(to_john(&after(&house, TimeDelta::minutes(30)).await), Vec::<&str>::new(), "held by the other");
    let found = after(&house, TimeDelta::minutes(1)).await;
    let his: Vec<&String> = found.iter().filter(|(to, _)| to == "john@example.org").map(|(_, text)| text).collect();
    assert_eq!(his.len(), 1, "{found:?}");
    assert!(his[0].starts_with("News of the day about complaints"), "{}", his[0]);
    for line in ["Sarah Cole now handles your complaint: Broken kettle", "A message for you: Broken kettle"] {
        assert!(his[0].contains(line), "{line} in {}", his[0]);
    }
    assert!(!his[0].contains("zz-hello") && his[0].contains("/unsubscribe?token="), "{}", his[0]);
    assert_eq!(to_john(&after(&house, TimeDelta::hours(30)).await), Vec::<&str>::new(), "nothing twice, nothing empty");
    other.close().await;
}

#[tokio::test]
async fn the_letter_of_the_day_names_complaints_to_staff_by_reference_alone() {
    let house = House::new().await;
    choose(&house, json!({"zone": "UTC", "digest_at": "18:00"}), &house.sarah).await;
    let made = house.submitted().await;
    let path = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "withdraw", json!({}), &house.john).await;
    house.it.letters().await;
    let evening = after(&house, TimeDelta::hours(9)).await;
    let hers: Vec<&String> = evening.iter().filter(|(to, _)| to == "sarah@example.org").map(|(_, text)| text).collect();
    assert_eq!(hers.len(), 1, "{evening:?}");
    let reference = made["reference"].as_str().expect("a reference");
    // By then she may be somebody who may not read it any more.
    assert!(hers[0].contains(reference) && !hers[0].contains("kettle"), "{}", hers[0]);
}

#[tokio::test]
async fn one_click_stops_letters_without_a_log_in_and_a_look_stops_nothing() {
    let house = secure().await;
    house.complaint().await;
    let letters = house.it.letters().await;
    let told =
        letters.iter().find(|(to, text)| to == "john@example.org" && text.contains("now handles")).expect("a letter");
    let link =
        told.1.split("https://help.example.org").find(|it| it.starts_with("/unsubscribe?token=")).expect("a link");
    let link: String = link.chars().take_while(|c| !c.is_whitespace()).collect();
    let receipt =
        letters.iter().find(|(to, text)| to == "john@example.org" && text.contains("What happens")).expect("a receipt");
    assert!(!receipt.1.contains("/unsubscribe?token="), "{}", receipt.1);
    let off = async || house.read(MINE, &house.john).await["off"]["email"].clone();

    let looked = house.it.get(&link, &With::default()).await;
    assert!(looked.status == 200 && looked.text.contains("Stop them"), "{}", looked.text);
    let form = Some("application/x-www-form-urlencoded");
    for (kind, body) in
        [(form, ""), (form, "List-Unsubscribe=Two"), (form, "a=b"), (None, "List-Unsubscribe=One-Click")]
    {
        let refused = house.it.send(Method::POST, &link, kind, body.as_bytes().to_vec(), &With::default()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
    }
    let forged = format!("{link}A");
    for method in [Method::GET, Method::POST] {
        let refused =
            house.it.send(method, &forged, form, b"List-Unsubscribe=One-Click".to_vec(), &With::default()).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
    assert_eq!(off().await, json!([]), "nothing was stopped yet");

    for _ in 0..2 {
        let stopped =
            house.it.send(Method::POST, &link, form, b"List-Unsubscribe=One-Click".to_vec(), &With::default()).await;
        assert_eq!(stopped.status, 200, "{}", stopped.text);
    }
    assert_eq!(off().await, json!(["handling"]));
    assert_eq!(house.it.get(MINE, &house.john).await.header("etag"), "\"1\"", "the second time changed nothing");
    house.complaint().await;
    assert_eq!(to_john(&house.it.letters().await).len(), 1, "the receipt alone");
    choose(&house, json!({}), &house.john).await;
    let body =
        b"--XX\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--XX--\r\n".to_vec();
    let multipart = Some("multipart/form-data; boundary=XX");
    assert_eq!(house.it.send(Method::POST, &link, multipart, body, &With::default()).await.status, 200);
    assert_eq!(off().await, json!(["handling"]));
}

#[tokio::test]
async fn letters_come_in_the_language_of_their_reader() {
    let house = House::new().await;
    choose(&house, json!({"language": "de"}), &house.john).await;
    house.complaint().await;
    let letters = house.it.letters().await;
    assert!(
        to_john(&letters).iter().any(|line| line.starts_with("Wie es mit Ihrer Beschwerde weitergeht")),
        "{letters:?}"
    );
    assert!(
        letters.iter().any(|(to, text)| to == "sarah@example.org" && text.contains("Dear Sarah Cole")),
        "{letters:?}"
    );
}

#[tokio::test]
async fn dead_letters_are_seen_by_admins_and_sent_again() {
    let house = House::new().await;
    choose(&house, json!({"zone": "UTC", "digest_at": "18:00"}), &house.john).await;
    *house.it.letters.refusing.lock().expect("no panic") = true;
    let made = house.submitted().await;
    let reference = made["reference"].as_str().expect("a reference");
    house.it.letters().await;
    after(&house, TimeDelta::hours(10)).await;
    let first = house.read("/api/v1/dead-letters?limit=1", &house.admin).await;
    let second = house
        .read(&format!("/api/v1/dead-letters?limit=1&cursor={}", first["next"].as_str().expect("more")), &house.admin)
        .await;
    let all = house.read("/api/v1/dead-letters", &house.admin).await;
    assert_eq!(all["items"][0], first["items"][0]);
    assert_eq!((&all["items"][1], &second["digests"]), (&second["items"][0], &json!([])));
    let items = all["items"].as_array().expect("items");
    let kinds: Vec<&str> = items.iter().map(|it| it["kind"].as_str().expect("a kind")).collect();
    assert!(kinds.contains(&"acknowledged") && kinds.contains(&"assigned_handler"), "{kinds:?}");
    let digests = all["digests"].as_array().expect("digests");
    assert_eq!(
        (digests.len(), &digests[0]["kind"], &digests[0]["references"]),
        (1, &json!("digest"), &json!([reference]))
    );
    assert!(items.iter().all(|it| it["why"] == json!("no such mailbox")), "{items:?}");
    assert!(!all.to_string().contains("kettle"), "no words of people: {all}");

    for who in [&house.john, &house.sarah, &house.omar] {
        assert_eq!(house.it.get("/api/v1/dead-letters", who).await.status, 403);
        let path = format!("/api/v1/dead-letters/{}/redeliver", items[0]["id"].as_str().expect("an id"));
        assert_eq!(house.it.send(Method::POST, &path, None, Vec::new(), who).await.status, 403);
    }
    assert_eq!(house.it.letters().await, [], "they stay dead by themselves");
    *house.it.letters.refusing.lock().expect("no panic") = false;
    for letter in items.iter().chain(digests) {
        let path = format!("/api/v1/dead-letters/{}/redeliver", letter["id"].as_str().expect("an id"));
        for expected in [202, 404] {
            let answer = house.it.send(Method::POST, &path, None, Vec::new(), &house.admin).await;
            assert_eq!(answer.status, expected, "{}", answer.text);
        }
    }
    let other = Database::open(&house.it.server.state().config.database, false).await.expect("the database");
    let now = house.it.server.state().clock.now();
    let again = other.preferences.claim_digest("another", now, now, 100).await.expect("claims");
    assert_eq!(again.map(|digest| digest.attempt), Some(1), "with all its tries");
    other.close().await;
    for nothing in ["x", "01900000-0000-7000-8000-000000000007"] {
        let path = format!("/api/v1/dead-letters/{nothing}/redeliver");
        assert_eq!(house.it.send(Method::POST, &path, None, Vec::new(), &house.admin).await.status, 404);
    }
    let letters = house.it.letters().await;
    assert_eq!(letters.len(), items.len() + digests.len(), "{letters:?}");
    let empty = house.read("/api/v1/dead-letters", &house.admin).await;
    assert_eq!(empty, json!({"items": [], "digests": [], "next": null}));
}

#[tokio::test]
async fn of_two_who_choose_at_once_the_second_is_told() {
    let house = House::new().await;
    let database = Database::open(&house.it.server.state().config.database, false).await.expect("the database");
    let me = house.read("/api/v1/me", &house.john).await["id"].as_str().expect("an id").to_owned();
    let kept = std::sync::Arc::clone(&database.preferences);
    let tries = (0..8).map(|_| {
        let (kept, me) = (std::sync::Arc::clone(&kept), me.clone());
        tokio::spawn(async move { kept.keep_preferences(&me, Some(0), &Preferences::default()).await.is_ok() })
    });
    let mut won = 0;
    for tried in tries.collect::<Vec<_>>() {
        won += u32::from(tried.await.expect("no panic"));
    }
    assert_eq!((won, house.it.get(MINE, &house.john).await.header("etag")), (1, "\"1\""));
    database.close().await;
}
