//! Mail that comes in: handed over by a mail server, and what becomes of it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::house::{House, kinds};
use crate::support::{Answer, Harness, PASSWORD, With, token_in};

pub(crate) const ADDRESS: &str = "complaints@example.org";
const TOKEN: &str = "0123456789abcdef";
const DOOR: &str = "/api/v1/intake/mail";
const VOUCHED: &str = "Authentication-Results: mx.example.org; dmarc=pass\r\n";

/// A server that takes mail in at an address of its own.
pub(crate) async fn taking_in(address: &str) -> Harness {
    let with_token = |config: reference_server::config::Config| {
        config.taking_mail_with(Some(TOKEN.to_owned())).expect("a good token")
    };
    Harness::with(
        |args| {
            args.intake_address = Some(address.to_owned());
            args.intake_authserv = Some("mx.example.org".to_owned());
        },
        with_token,
    )
    .await
}

async fn house() -> House {
    House::over(taking_in(ADDRESS).await).await
}

pub(crate) async fn handed_over(it: &Harness, raw: &[u8]) -> Answer {
    it.send(Method::POST, DOOR, Some("message/rfc822"), raw.to_vec(), &With::bearer(TOKEN)).await
}

/// What became of a message that was taken.
async fn became(house: &House, raw: &str) -> Value {
    let answer = handed_over(&house.it, raw.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn message(from: &str, to: &str, subject: &str, text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (from, to, subject, text).hash(&mut hasher);
    let id = hasher.finish();
    format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id:x}@mail.example>\r\n\r\n{text}\r\n")
}

/// A message for which the sender's domain vouches.
fn vouched(from: &str, to: &str, subject: &str, text: &str) -> String {
    format!("{VOUCHED}{}", message(from, to, subject, text))
}

/// The address for replies in the letters that wait for somebody.
async fn reply_address(house: &House, of: &str) -> String {
    house.it.letters().await;
    let replies = house.it.letters.replies();
    replies.into_iter().rev().find(|(to, _)| to == of).expect("a letter with an address for replies").1
}

async fn complaints(house: &House, who: &With) -> Vec<Value> {
    house.read("/api/v1/complaints", who).await["items"].as_array().expect("items").clone()
}

/// Who was asked whether mail is theirs, and in what words.
async fn questions(house: &House) -> Vec<(String, String)> {
    house.it.server.state().take_in_mail().await.expect("takes in");
    let letters = house.it.letters().await;
    letters.into_iter().filter(|(_, text)| text.contains("/mail/confirm?token=")).collect()
}

async fn press(house: &House, action: &str, token: &str, mail: &str) -> Answer {
    let body = format!("token={token}&mail={mail}").into_bytes();
    house.it.send(Method::POST, action, Some("application/x-www-form-urlencoded"), body, &With::default()).await
}

#[tokio::test]
async fn a_customer_whose_address_is_vouched_for_complains_by_mail() {
    let house = house().await;
    let text = "The lid is cracked.\r\n\r\nPlease help.\r\n-- \r\nJohn, +44 20 7946 0018";
    let raw = vouched("John <john@example.org>", ADDRESS, "Broken kettle", text);
    let taken = became(&house, &raw).await;
    assert_eq!(taken["state"], "opened", "{taken}");
    let reference = taken["complaint"].as_str().expect("a reference");
    let mine = house.read(&format!("/api/v1/complaints/{reference}"), &house.john).await;
    assert_eq!((&mine["subject"], &mine["channel"]), (&json!("Broken kettle"), &json!("email")));
    assert_eq!(mine["description"], "The lid is cracked.\n\nPlease help.", "without the signature");
    let files: Vec<&Value> = mine["attachments"].as_array().expect("files").iter().map(|it| &it["file_name"]).collect();
    assert_eq!(files, ["quoted.txt"], "which is not lost");
    let letters = house.it.letters().await;
    assert!(letters.iter().any(|(to, text)| to == "john@example.org" && text.contains(reference)), "{letters:?}");

    // The same once more, and another copy that went another way.
    assert_eq!(became(&house, &raw).await["id"], taken["id"]);
    let copy = became(&house, &format!("Received: from elsewhere\r\n{raw}")).await;
    assert_eq!((&copy["state"], &copy["why"]), (&json!("ignored"), &json!("duplicate")));
    let renamed =
        raw.replace("Subject: Broken kettle", "Subject: Broken  kettle").replace("Please help.", "Please, help.");
    let renamed = became(&house, &renamed).await;
    assert_eq!(renamed["why"], "duplicate", "by its Message-ID");
    assert_eq!(complaints(&house, &house.john).await.len(), 1);
    assert!(house.it.letters().await.is_empty());
}

#[tokio::test]
async fn a_reply_to_a_letter_belongs_to_its_complaint_and_answers_its_question() {
    let house = house().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Which shop?"}), &house.sarah).await;
    let address = reply_address(&house, "john@example.org").await;
    assert!(address.starts_with("complaints+") && address.ends_with("@example.org"), "{address}");
    let quoted = "The one at the station.\r\n\r\nOn Mon, 2 Mar 2026 at 10:00 Complaints <complaints@example.org> wrote:\r\n> Which shop?\r\n";
    let raw = message("john@example.org", &address, "Re: Which shop?", quoted);
    let taken = became(&house, &raw).await;
    assert_eq!(taken["state"], "appended", "{taken}");
    let now = house.read(&path, &house.sarah).await;
    assert_eq!((&now["status"], &taken["complaint"]), (&json!("in_progress"), &now["reference"]));
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    assert_eq!(messages["items"][1]["text"], "The one at the station.", "{messages}");
    let log = house.read(&format!("{path}/log"), &house.sarah).await;
    assert!(kinds(&log).contains(&"answered"), "{log}");

    // Nothing but that: nobody who stands beside it may read or is written to.
    let copied = message("john@example.org", &address, "Re: It", "Once more.");
    let copied = format!("Cc: eve@evil.example\r\nReply-To: eve@evil.example\r\n{copied}");
    assert_eq!(became(&house, &copied).await["state"], "appended");
    assert!(house.it.letters().await.iter().all(|(to, _)| !to.contains("eve")), "nobody is added");
}

#[tokio::test]
async fn the_address_for_the_replies_of_another_is_worth_nothing() {
    let house = house().await;
    let path = house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    for (from, to, why) in [
        ("jane@example.org", address.clone(), "token_of_another"),
        ("eve@evil.example", address.clone(), "token_of_another"),
        ("john@example.org", address.replace('@', "x@"), "forged_token"),
        ("sarah@example.org", address.clone(), "from_staff"),
    ] {
        let to = if why == "forged_token" { forged(&address) } else { to };
        let taken = became(&house, &message(from, &to, "Re: kettle", &format!("It is {from}."))).await;
        assert_eq!((&taken["state"], &taken["why"]), (&json!("quarantined"), &json!(why)), "{from}");
    }
    let failed = format!(
        "Authentication-Results: mx.example.org; dmarc=fail\r\n{}",
        message("john@example.org", &address, "Re: kettle", "Not me.")
    );
    assert_eq!(became(&house, &failed).await["why"], "forged_sender");
    house.it.clock.advance(TimeDelta::days(181));
    let john = With::bearer(&house.it.token("john@example.org").await);
    let late = became(&house, &vouched("john@example.org", &address, "Re: kettle", "Half a year later.")).await;
    assert_eq!(late["state"], "opened", "a complaint of its own: {late}");
    let late = house.read(&format!("/api/v1/complaints/{}", late["complaint"].as_str().expect("one")), &john).await;
    assert_eq!(late["items"][0]["key"], house.read(&path, &john).await["reference"], "which names the one before");
    let messages = house.read(&format!("{path}/messages"), &john).await;
    assert_eq!(messages["items"], json!([]));
}

/// Another token, as good as drawn.
fn forged(address: &str) -> String {
    let (before, domain) = address.split_once('@').expect("an address");
    let last = if before.ends_with('a') { 'e' } else { 'a' };
    format!("{}{last}@{domain}", &before[..before.len() - 1])
}

#[tokio::test]
async fn a_reference_in_the_subject_opens_nobodys_complaint() {
    let house = house().await;
    let reference = house.submitted().await["reference"].as_str().expect("a reference").to_owned();
    let subject = format!("Re: [{reference}] Broken kettle");
    let taken = became(&house, &vouched("jane@example.org", ADDRESS, &subject, "Tell me all about it.")).await;
    assert_eq!(taken["state"], "opened");
    assert_ne!(taken["complaint"], reference);
    let path = format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one"));
    assert_eq!(house.read(&path, &house.jane).await["items"][0]["key"], reference, "for staff to look at");
    assert_eq!(house.it.get(&format!("/api/v1/complaints/{reference}"), &house.jane).await.status, 404);
}

#[tokio::test]
async fn a_stranger_is_asked_first_once_a_day_and_in_no_words_of_theirs() {
    let house = house().await;
    let raw = message(
        "\"Buy pills http://evil.example\" <mary@elsewhere.example>",
        ADDRESS,
        "Buy pills",
        "http://evil.example/pills",
    );
    let answer = became(&house, &raw).await;
    assert_eq!((&answer["state"], &answer["complaint"]), (&json!("unconfirmed"), &json!(null)));
    let other = became(&house, &message("mary@elsewhere.example", ADDRESS, "No water", "Since Monday.")).await;
    assert_eq!(other["state"], "unconfirmed");
    let asked = questions(&house).await;
    let [(to, question)] = &asked[..] else { panic!("one question: {asked:?}") };
    assert_eq!(to, "mary@elsewhere.example");
    for typed in ["pills", "evil", "Buy", "water", "Monday"] {
        assert!(!question.contains(typed), "{typed} in {question}");
    }
    assert!(questions(&house).await.is_empty(), "asked once");
    house.it.clock.advance(TimeDelta::hours(25));
    became(&house, &message("mary@elsewhere.example", ADDRESS, "Still no water", "Since Monday!")).await;
    assert_eq!(questions(&house).await.len(), 1, "and once more on another day");

    assert!(!question.contains("code"), "nobody has a page before them to type it into: {question}");
    let token = token_in(question);
    let page = house.it.get(&format!("/mail/confirm?token={token}"), &With::default()).await;
    assert!(page.status == 200 && page.text.contains("No water") && page.text.contains("Buy pills"), "{}", page.text);
    let everything = house.read("/api/v1/complaints", &house.omar).await;
    assert_eq!(everything["items"], json!([]), "opening a link changes nothing");
    let pills = answer["id"].as_str().expect("an id");
    assert_eq!(press(&house, "/mail/disown", &token, pills).await.status, 200);
    let water = other["id"].as_str().expect("an id");
    for _ in 0..2 {
        let done = press(&house, "/mail/confirm", &token, water).await;
        assert!(done.status == 200 && done.text.contains("We have your complaint"), "{}", done.text);
    }
    let everything = house.read("/api/v1/complaints", &house.omar).await;
    let items = everything["items"].as_array().expect("items");
    assert!(items.len() == 1 && items[0]["subject"] == "No water", "{everything}");
    let letters = house.it.letters().await;
    let receipt = letters.iter().find(|(to, text)| to == "mary@elsewhere.example" && text.contains("No water"));
    assert!(receipt.is_some_and(|(_, text)| text.contains("/track/")), "with the link of a guest: {letters:?}");

    // Who wants an account signs up, chooses a password by another link, and reads what they have.
    assert!(house.it.mails().await.is_empty());
    house.it.sign_up("mary@elsewhere.example").await;
    let token_of_sign_up = house.it.mailed_token().await;
    let chosen = json!({"token": token_of_sign_up, "name": "Mary Poe", "password": PASSWORD});
    let chosen = house.it.post("/api/v1/accounts/verify", chosen).await;
    assert!(chosen.status.is_success(), "{} {}", chosen.status, chosen.text);
    let mary = With::bearer(&house.it.token("mary@elsewhere.example").await);
    assert_eq!(complaints(&house, &mary).await.len(), 1);
    let tried = press(&house, "/mail/confirm", "forged", water).await;
    assert_eq!(tried.status, 422);
    house.it.clock.advance(TimeDelta::days(7));
    assert_eq!(
        house.it.get(&format!("/mail/confirm?token={token}"), &With::default()).await.status,
        422,
        "for seven days"
    );
}

#[tokio::test]
async fn a_link_is_good_for_mail_of_its_address_alone() {
    let house = house().await;
    let marys = became(&house, &message("mary@elsewhere.example", ADDRESS, "No water", "Since Monday.")).await;
    let eves = became(&house, &message("eve@evil.example", ADDRESS, "No light", "Since Tuesday.")).await;
    let asked = questions(&house).await;
    let eves_question = asked.iter().find(|(to, _)| to == "eve@evil.example").expect("asked");
    let token = token_in(&eves_question.1);
    let id = |mail: &Value| mail["id"].as_str().expect("an id").to_owned();
    for action in ["/mail/confirm", "/mail/disown"] {
        assert_eq!(press(&house, action, &token, &id(&marys)).await.status, 404, "{action}");
    }
    assert_eq!(press(&house, "/mail/confirm", &token, &id(&eves)).await.status, 200);
    assert_eq!(mail_of(&house, &id(&marys)).await["state"], "unconfirmed");
}

#[tokio::test]
async fn whoever_confirms_gets_no_password_that_a_stranger_chose() {
    let house = house().await;
    house.it.sign_up("mary@elsewhere.example").await;
    house.it.mails().await;
    let answer = became(&house, &vouched("Mary <mary@elsewhere.example>", ADDRESS, "No water", "Since Monday.")).await;
    assert_eq!(answer["state"], "unconfirmed", "an account alone proves nothing");
    let token = token_in(&questions(&house).await[0].1);
    assert_eq!(press(&house, "/mail/confirm", &token, answer["id"].as_str().expect("an id")).await.status, 200);
    assert_eq!(house.it.log_in("mary@elsewhere.example").await.problem(), (401, "invalid_credentials".into()));
}

#[tokio::test]
async fn a_customer_for_whom_nobody_vouches_is_asked_too() {
    let house = house().await;
    let raw = message("john@example.org", ADDRESS, "Broken kettle", "The lid is cracked.");
    // Below what the trusted server wrote, or of another one, anybody can claim anything.
    let claimed = format!("Authentication-Results: mx.elsewhere.example; dmarc=pass\r\n{raw}");
    let answer = became(&house, &claimed).await;
    assert_eq!(answer["state"], "unconfirmed");
    assert!(complaints(&house, &house.john).await.is_empty());
    let token = token_in(&questions(&house).await[0].1);
    assert_eq!(press(&house, "/mail/confirm", &token, answer["id"].as_str().expect("an id")).await.status, 200);
    assert_eq!(complaints(&house, &house.john).await.len(), 1);
    assert!(house.it.mails().await.is_empty(), "who has a password is not invited to choose one");
}

#[tokio::test]
async fn files_come_in_by_the_door_that_all_files_come_in_by() {
    let house = house().await;
    let part = |name: &str, body: &str| {
        format!(
            "--XX\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n{body}\r\n"
        )
    };
    let head = "From: john@example.org\r\nTo: complaints@example.org\r\nSubject: Broken kettle\r\n\
        Content-Type: multipart/mixed; boundary=XX\r\n\r\n--XX\r\nContent-Type: text/plain\r\n\r\nSee the photo.\r\n";
    let raw = format!(
        "{VOUCHED}{head}{}{}{}--XX--\r\n",
        part("notes.txt", "cracked"),
        part("run.exe", "MZ"),
        part("photo.html", "<p>")
    );
    let taken = became(&house, &raw).await;
    let path = format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one"));
    let mine = house.read(&path, &house.john).await;
    let files = mine["attachments"].as_array().expect("files");
    assert!(files.len() == 1 && files[0]["file_name"] == "notes.txt", "{mine}");
    let said = mine["description"].as_str().expect("text");
    assert!(said.starts_with("See the photo.") && said.contains("run.exe") && said.contains("photo.html"), "{said}");

    let many: String = (0..12).map(|number| part(&format!("{number}.txt"), "x")).collect();
    let address = reply_address(&house, "john@example.org").await;
    let reply = format!("{head}{many}--XX--\r\n").replace("complaints@example.org", &address);
    let taken = became(&house, &reply).await;
    assert_eq!(taken["state"], "appended", "what is said is not lost with the files: {taken}");
    let messages = house.read(&format!("{path}/messages"), &house.john).await;
    let said = messages["items"][1]["text"].as_str().expect("text");
    assert!(said.contains("11.txt") && said.contains("0.txt"), "{said}");
}

#[tokio::test]
async fn what_would_turn_the_writing_round_is_left_out() {
    let house = house().await;
    let sender = "\u{202e}nhoJ\u{202c} <john@example.org>";
    let taken = became(&house, &vouched(sender, ADDRESS, "Broken \u{202e}elttek\u{2066}", "It leaks.")).await;
    assert_eq!(taken["state"], "opened", "{taken}");
    let path = format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one"));
    assert_eq!(house.read(&path, &house.john).await["subject"], "Broken elttek");
    let taken = became(&house, &vouched("john@example.org", ADDRESS, "", "\u{2067}First\u{2069} line")).await;
    let path = format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one"));
    assert_eq!(house.read(&path, &house.john).await["subject"], "First line");
}

#[tokio::test]
async fn what_is_long_is_kept_whole() {
    let house = house().await;
    let (subject, text) = ("long ".repeat(60), "many words\r\n".repeat(8000));
    let taken = became(&house, &vouched("john@example.org", ADDRESS, subject.trim(), &text)).await;
    let mine =
        house.read(&format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one")), &house.john).await;
    let description = mine["description"].as_str().expect("text");
    assert!(mine["subject"].as_str().expect("a subject").ends_with('…'), "{}", mine["subject"]);
    assert!(description.starts_with(subject.trim()) && description.contains("message.txt"), "the whole subject");
    assert_eq!(mine["attachments"][0]["file_name"], "message.txt");
    assert_eq!(mine["attachments"][0]["size"], 8000 * "many words\n".len() - 1);
    let photo = vouched("john@example.org", ADDRESS, "", "");
    assert_eq!(became(&house, &photo).await["why"], "empty");
}

#[tokio::test]
async fn a_reply_to_what_is_finished_is_not_lost() {
    let house = house().await;
    let path = house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    house.done(&path, "withdraw", json!({}), &house.john).await;
    let taken = became(&house, &message("john@example.org", &address, "Re: kettle", "It broke again.")).await;
    assert_eq!(taken["state"], "opened", "{taken}");
    let next = format!("/api/v1/complaints/{}", taken["complaint"].as_str().expect("one"));
    let next = house.read(&next, &house.john).await;
    assert_eq!(next["follows"], house.read(&path, &house.john).await["reference"], "{next}");

    // What can be contested, its customer contests: staff see what they wrote.
    let path = house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    let body = json!({"reason": "out_of_scope", "text": "We do not sell kettles."});
    house.done(&path, "dismiss", body, &house.maria).await;
    let taken = became(&house, &message("john@example.org", &address, "Re: kettle", "You do.")).await;
    assert_eq!((&taken["state"], &taken["why"]), (&json!("quarantined"), &json!("refused")));
    let mail = mail_of(&house, taken["id"].as_str().expect("an id")).await;
    assert_eq!(
        (&mail["text"], &mail["complaint"]),
        (&json!("You do."), &house.read(&path, &house.john).await["reference"])
    );
}

async fn mail_of(house: &House, id: &str) -> Value {
    let admin = With::bearer(&house.it.token("ada@example.org").await);
    house.read(&format!("{DOOR}/{id}"), &admin).await
}

#[tokio::test]
async fn what_no_person_wrote_leads_to_nothing() {
    let house = house().await;
    let path = house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    for (fields, why) in [
        ("Auto-Submitted: auto-replied\r\n", "automatic"),
        ("X-Autoreply: yes\r\n", "automatic"),
        ("List-Id: <all.example.org>\r\n", "list"),
        ("Precedence: bulk\r\n", "list"),
        ("Return-Path: <>\r\n", "bounce"),
        ("X-Complaint-Reference: C7KQ-2M9X-B\r\n", "own"),
    ] {
        for to in [ADDRESS, address.as_str()] {
            let raw = vouched("john@example.org", to, "I am away", &format!("{fields} {to}"));
            let taken = became(&house, &format!("{fields}{raw}")).await;
            assert_eq!((&taken["state"], &taken["why"]), (&json!("ignored"), &json!(why)), "{fields}");
        }
    }
    let from_us = became(&house, &message(ADDRESS, ADDRESS, "Hello", "Me.")).await;
    assert_eq!(from_us["why"], "own");
    let person =
        became(&house, &format!("Auto-Submitted: no\r\n{}", message("john@example.org", &address, "Re: it", "Me.")))
            .await;
    assert_eq!(person["state"], "appended");
    assert_eq!(complaints(&house, &house.john).await.len(), 1);
    assert_eq!(house.read(&format!("{path}/messages"), &house.john).await["items"].as_array().map(Vec::len), Some(1));
    assert!(questions(&house).await.is_empty());
}

#[tokio::test]
async fn no_real_bounce_opens_a_complaint_or_is_answered() {
    let Some(folder) = std::env::var_os("COMPLAINT_SHARED_DATA") else {
        eprintln!("skipped: COMPLAINT_SHARED_DATA does not name the folder of real data");
        return;
    };
    let house = house().await;
    let folder = Path::new(&folder).join("mail/bounces");
    let (mut count, mut others) = (0, Vec::new());
    for file in std::fs::read_dir(folder).expect("a folder") {
        let file = file.expect("a file").path();
        if file.extension().is_some_and(|end| end == "eml") {
            let taken = became(&house, &latin(&std::fs::read(&file).expect("a message"))).await;
            count += 1;
            if taken["state"] != "ignored" {
                others.push((file, taken));
            }
        }
    }
    println!("{count} messages handed over, none led to anything");
    assert!(count >= 300 && others.is_empty(), "{count}: {others:?}");
    assert_eq!(house.read("/api/v1/complaints", &house.omar).await["items"], json!([]));
    assert!(questions(&house).await.is_empty() && house.it.letters().await.is_empty(), "nobody is answered");
}

/// Bytes of whatever kind as a text that is sent as it is: a fault of one character changes no field.
fn latin(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

#[tokio::test]
async fn two_servers_that_write_to_each_other_stop_after_two_messages() {
    for known in [true, false] {
        let (one, two) = (taking_in("help@one.example").await, taking_in("help@two.example").await);
        let houses = [House::over(one).await, House::over(two).await];
        if known {
            // Each is a customer of the other, who has confirmed.
            houses[0].it.customer("help@two.example").await;
            houses[1].it.customer("help@one.example").await;
        }
        let addresses = ["help@one.example", "help@two.example"];
        let first = vouched(addresses[1], addresses[0], "Broken kettle", "The lid is cracked.");
        // What is on its way to whom, after how many messages, each of which answers the one before.
        let (mut on_the_way, mut longest) = (vec![(0, 1, first.into_bytes())], 0);
        while let Some((at, length, raw)) = on_the_way.pop() {
            longest = longest.max(length);
            assert!(longest <= 2, "they do not stop");
            let answer = handed_over(&houses[at].it, &raw).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            houses[at].it.server.state().take_in_mail().await.expect("takes in");
            houses[at].it.letters().await;
            for (to, letter) in houses[at].it.letters.raw() {
                assert_ne!(to, addresses[at], "nobody writes to themself");
                if to == addresses[1 - at] {
                    on_the_way.push((1 - at, length + 1, [VOUCHED.as_bytes(), &letter].concat()));
                }
            }
        }
        assert_eq!(longest, 2, "what began it was answered");
        assert_eq!(houses[1].read("/api/v1/complaints", &houses[1].omar).await["items"], json!([]));
    }
}

#[tokio::test]
async fn mail_is_taken_from_the_mail_server_alone_and_nothing_else_is() {
    let house = house().await;
    let raw = message("john@example.org", ADDRESS, "Hello", "Hello.");
    let send = async |kind: Option<&str>, body: &[u8], who: &With| {
        house.it.send(Method::POST, DOOR, kind, body.to_vec(), who).await
    };
    let server = With::bearer(TOKEN);
    let wrong_token = With::bearer("0123456789abcdeF");
    for who in [&With::default(), &wrong_token, &house.admin, &house.john] {
        assert_eq!(send(Some("message/rfc822"), raw.as_bytes(), who).await.problem(), (401, "not_logged_in".into()));
    }
    for kind in [None, Some("application/json"), Some("text/plain"), Some("multipart/form-data; boundary=X")] {
        let refused = send(kind, raw.as_bytes(), &server).await;
        assert_eq!(refused.problem(), (415, "unsupported_media_type".into()), "{kind:?}");
    }
    for empty in [&b""[..], b" \r\n\r\n"] {
        assert_eq!(send(Some("message/rfc822"), empty, &server).await.problem(), (422, "invalid_body".into()));
    }
    let most = reference_server::intake::MAIL_MAX;
    let large = send(Some("message/rfc822"), &vec![b'x'; most + 1], &server).await;
    assert_eq!(large.problem(), (413, "too_large".into()));
    let keyed = server.clone().header("idempotency-key", "k-1");
    let keyed = send(Some("message/rfc822"), raw.as_bytes(), &keyed).await;
    assert_eq!(keyed.problem(), (400, "idempotency_key_not_supported".into()));
    assert_eq!(house.read(DOOR, &house.admin).await["items"], json!([]), "nothing is half done");
    for kind in ["application/octet-stream", "Message/RFC822; charset=utf-8"] {
        assert_eq!(send(Some(kind), raw.as_bytes(), &server).await.status, 200, "{kind}");
    }

    let closed = Harness::new().await;
    let refused = handed_over(&closed, raw.as_bytes()).await;
    assert!(refused.status == 403 && refused.text.contains("--intake-address"), "{}", refused.text);
    let without = Harness::with_args(|args| args.intake_address = Some(ADDRESS.to_owned())).await;
    let refused = handed_over(&without, raw.as_bytes()).await;
    assert!(refused.status == 403 && refused.text.contains("COMPLAINT_INTAKE_TOKEN"), "{}", refused.text);
}

#[tokio::test]
async fn bad_messages_wait_in_quarantine_and_hold_up_nobody() {
    let house = house().await;
    let boundary = |n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    let deep = (0..25).map(boundary).collect::<Vec<_>>().concat();
    let many: String = (0..300).map(|_| "--XX\r\n\r\nx\r\n").collect();
    for (raw, why) in [
        (format!("From: a@elsewhere.example\r\n{deep}"), "unreadable"),
        (
            format!("From: a@elsewhere.example\r\nContent-Type: multipart/mixed; boundary=XX\r\n\r\n{many}"),
            "unreadable",
        ),
        (format!("From: a@elsewhere.example\r\nX: {}\r\n\r\nHello", "y".repeat(70_000)), "unreadable"),
        ("From: a@elsewhere.example\r\nFrom: b@elsewhere.example\r\n\r\nHello".to_owned(), "no_sender"),
        ("From: a@elsewhere.example, b@elsewhere.example\r\n\r\nHello, two".to_owned(), "no_sender"),
        ("Subject: From nobody\r\n\r\nHello".to_owned(), "no_sender"),
        ("\0\u{1}\u{2} not a message at all \u{7f}".to_owned(), "no_sender"),
        ("From: a@localhost\r\n\r\nHello".to_owned(), "no_sender"),
    ] {
        let taken = became(&house, &raw).await;
        assert_eq!(
            (&taken["state"], &taken["why"]),
            (&json!("quarantined"), &json!(why)),
            "{}",
            &raw[..raw.len().min(80)]
        );
    }
    let next = became(&house, &vouched("john@example.org", ADDRESS, "Broken kettle", "The lid is cracked.")).await;
    assert_eq!(next["state"], "opened");
}

#[tokio::test]
async fn staff_see_what_is_in_quarantine_and_decide() {
    let house = house().await;
    let path = house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    let text = "<script>alert(1)</script> It is me, Jane.";
    let janes = became(&house, &message("jane@example.org", &address, "Re: kettle", text)).await;
    let nobody = became(&house, "Subject: x\r\n\r\nBuy.").await;
    let quarantined = house.read(&format!("{DOOR}?state=quarantined&limit=1"), &house.admin).await;
    assert_eq!(quarantined["items"][0]["id"], nobody["id"], "newest first");
    let next = quarantined["next"].as_str().expect("another page");
    let second = house.read(&format!("{DOOR}?state=quarantined&limit=1&cursor={next}"), &house.admin).await;
    assert_eq!((&second["items"][0]["id"], &second["next"]), (&janes["id"], &json!(null)));
    assert_eq!(second["items"][0]["sender"], "jane@example.org");
    let id = |mail: &Value| mail["id"].as_str().expect("an id").to_owned();
    let shown = house.read(&format!("{DOOR}/{}", id(&janes)), &house.admin).await;
    assert_eq!((&shown["text"], &shown["why"]), (&json!(text), &json!("token_of_another")));

    let act = async |mail: &Value, what: &str, who: &With| {
        house.it.send(Method::POST, &format!("{DOOR}/{}/{what}", id(mail)), None, Vec::new(), who).await
    };
    let discarded = act(&nobody, "discard", &house.admin).await;
    assert_eq!((discarded.status.as_u16(), &discarded.json()["state"]), (200, &json!("discarded")));
    assert!(discarded.json()["settled_by"].is_string());
    for what in ["discard", "retry"] {
        assert_eq!(act(&nobody, what, &house.admin).await.problem(), (409, "wrong_state".into()), "{what}");
    }
    let retried = act(&janes, "retry", &house.admin).await.json();
    assert_eq!(retried["state"], "opened", "a complaint of her own: {retried}");
    assert_ne!(retried["complaint"], house.read(&path, &house.john).await["reference"]);
    assert_eq!(complaints(&house, &house.jane).await.len(), 1);
    assert_eq!(house.read(&format!("{path}/messages"), &house.john).await["items"], json!([]));
}

#[tokio::test]
async fn mail_is_for_admins_and_auditors_look_on() {
    let house = house().await;
    let otto = json!({"name": "Otto", "email": "otto@example.org", "role": "auditor", "password": PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/users", otto, &house.admin).await.status, 201);
    let otto = With::bearer(&house.it.token("otto@example.org").await);
    let taken = became(&house, "Subject: x\r\n\r\nBuy.").await;
    let one = format!("{DOOR}/{}", taken["id"].as_str().expect("an id"));
    for (method, door, reads) in [
        (Method::GET, DOOR.to_owned(), true),
        (Method::GET, one.clone(), true),
        (Method::POST, format!("{one}/retry"), false),
        (Method::POST, format!("{one}/discard"), false),
    ] {
        let send = async |who: &With| house.it.send(method.clone(), &door, None, Vec::new(), who).await.status;
        assert_eq!(send(&With::default()).await, 401, "{method} {door}");
        for who in [&house.john, &house.sarah, &house.omar] {
            assert_eq!(send(who).await, 403, "{method} {door}");
        }
        assert_eq!(send(&otto).await, if reads { 200 } else { 403 }, "{method} {door}");
        if door != DOOR {
            for missing in ["01900000-0000-7000-8000-000000000000", "mail", "%00"] {
                let missing = door.replace(taken["id"].as_str().expect("an id"), missing);
                let answer = house.it.send(method.clone(), &missing, None, Vec::new(), &house.admin).await;
                assert_eq!(answer.problem(), (404, "not_found".into()), "{method} {missing}");
            }
        }
    }
    for query in ["limit=0", "limit=101", "state=lost", "cursor=!", "colour=red", "state=opened&state=opened"] {
        let answer = house.it.get(&format!("{DOOR}?{query}"), &house.admin).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
    }
}

#[tokio::test]
async fn an_admin_reads_what_is_in_quarantine_and_no_words_of_a_complaint() {
    let house = house().await;
    let otto = json!({"name": "Otto", "email": "otto@example.org", "role": "auditor", "password": PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/users", otto, &house.admin).await.status, 201);
    let otto = With::bearer(&house.it.token("otto@example.org").await);
    house.complaint().await;
    let address = reply_address(&house, "john@example.org").await;
    let raw = vouched("john@example.org", ADDRESS, "zz-kettle", "zz-lid\r\n-- \r\nzz-john");
    let opened = became(&house, &raw).await;
    let copy = became(&house, &format!("Received: from elsewhere\r\n{raw}")).await;
    let appended = became(&house, &message("john@example.org", &address, "zz-re", "zz-more")).await;
    let unconfirmed = became(&house, &message("mary@elsewhere.example", ADDRESS, "zz-water", "zz-monday")).await;
    let quarantined = became(&house, &message("jane@example.org", &address, "zz-jane", "zz-me")).await;
    for (mail, state) in [
        (&opened, "opened"),
        (&copy, "ignored"),
        (&appended, "appended"),
        (&unconfirmed, "unconfirmed"),
        (&quarantined, "quarantined"),
    ] {
        let id = mail["id"].as_str().expect("an id");
        assert_eq!(mail["state"], state);
        let to_admin = house.read(&format!("{DOOR}/{id}"), &house.admin).await;
        let is_shown = state == "quarantined";
        assert_eq!((to_admin["withheld"] == json!(false), to_admin.to_string().contains("zz-")), (is_shown, is_shown));
        let nothing = [&to_admin["subject"], &to_admin["text"], &to_admin["quoted"], &to_admin["files"]];
        assert_eq!(nothing.iter().all(|it| it.is_null()), !is_shown, "{to_admin}");
        let to_otto = house.read(&format!("{DOOR}/{id}"), &otto).await;
        assert!(to_otto["withheld"] == json!(false) && to_otto["text"].to_string().contains("zz-"), "{to_otto}");
    }
    let list = house.read(DOOR, &house.admin).await;
    let subjects: Vec<&Value> = list["items"].as_array().expect("items").iter().map(|it| &it["subject"]).collect();
    assert_eq!(subjects, [&json!("zz-jane"), &json!(null), &json!(null), &json!(null), &json!(null)]);
    assert!(house.read(DOOR, &otto).await.to_string().contains("zz-kettle"));
    let retry = format!("{DOOR}/{}/retry", quarantined["id"].as_str().expect("an id"));
    let retried = house.it.send(Method::POST, &retry, None, Vec::new(), &house.admin).await.json();
    assert_eq!((retried["withheld"].as_bool(), &retried["subject"]), (Some(true), &json!(null)), "{retried}");
}

#[tokio::test]
async fn mail_is_kept_for_its_time() {
    let house = house().await;
    let opened = became(&house, &vouched("john@example.org", ADDRESS, "Broken kettle", "The lid is cracked.")).await;
    let bad = became(&house, "Subject: x\r\n\r\nBuy.").await;
    let state = house.it.server.state();
    let left = async |days: i64| {
        house.it.clock.advance(TimeDelta::days(days));
        state.intake.purge(state.clock.now()).await.expect("purges");
        let admin = With::bearer(&house.it.token("ada@example.org").await);
        let all = house.read(DOOR, &admin).await;
        all["items"].as_array().expect("items").iter().map(|it| it["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(left(30).await, [bad["id"].clone(), opened["id"].clone()]);
    assert_eq!(left(1).await, [bad["id"].clone()]);
    assert_eq!(left(60).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_message_without_a_category_for_it_waits_for_one() {
    let it = taking_in(ADDRESS).await;
    let admin = With::bearer(&it.admin().await);
    it.customer("john@example.org").await;
    let raw = vouched("john@example.org", ADDRESS, "Broken kettle", "The lid is cracked.");
    let taken = handed_over(&it, raw.as_bytes()).await.json();
    assert_eq!((&taken["state"], &taken["why"]), (&json!("quarantined"), &json!("no_category")));
    assert_eq!(it.post_with("/api/v1/categories", json!({"name": "Other"}), &admin).await.status, 201);
    let retry = format!("{DOOR}/{}/retry", taken["id"].as_str().expect("an id"));
    let retried = it.send(Method::POST, &retry, None, Vec::new(), &admin).await.json();
    assert_eq!(retried["state"], "opened", "{retried}");
}
