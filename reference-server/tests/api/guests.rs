//! Complaining without an account: nothing counts before it is confirmed, a signed link shows one complaint, and an account ends it.

use axum::http::Method;
use chrono::TimeDelta;
use reference_server::auth::accounts::AccountMailKind;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, PASSWORD, With, code_in, token_in};

const DOOR: &str = "/api/v1/guest/complaints";
const MARY: &str = "mary@elsewhere.example";

fn no_water(email: &str) -> Value {
    json!({
        "category": "Damaged goods",
        "subject": "No water http://evil.example",
        "description": "Since Monday.",
        "contact": {"name": "Mary Poe", "email": email},
    })
}

async fn form(house: &House, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
    house.it.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body, &With::default()).await
}

/// The letters that leave now.
async fn letters(house: &House) -> Vec<(String, String)> {
    house.it.server.state().take_in_mail().await.expect("takes in");
    house.it.letters().await
}

/// The address of the page that a letter leads a guest to.
fn link_in(letter: &str) -> String {
    let start = letter.find("/track/").unwrap_or_else(|| panic!("no link: {letter}"));
    letter[start..].split_whitespace().next().expect("a link").to_owned()
}

async fn all(house: &House) -> Vec<Value> {
    house.read("/api/v1/complaints", &house.omar).await["items"].as_array().expect("items").clone()
}

/// Mary's complaint, confirmed: the link to it in its receipt.
pub(crate) async fn complained(house: &House) -> String {
    assert_eq!(house.it.post(DOOR, no_water(MARY)).await.status, 202);
    let asked = letters(house).await;
    let token = token_in(&asked[0].1);
    let page = house.it.get(&format!("/mail/confirm?token={token}"), &With::default()).await;
    let start = page.text.find("name=\"mail\" value=\"").expect("a message") + 19;
    let mail = &page.text[start..start + 36];
    let done = form(house, "/mail/confirm", &[("token", &token), ("mail", mail)]).await;
    assert!(done.status == 200 && done.text.contains("We have your complaint"), "{}", done.text);
    assert!(done.text.contains("href=\"/track/"), "the way on: {}", done.text);
    let receipt = letters(house).await.into_iter().find(|(to, text)| to == MARY && text.contains("/track/"));
    link_in(&receipt.expect("a receipt with a link").1)
}

/// The reference in a link.
pub(crate) fn reference_of(link: &str) -> &str {
    link.trim_start_matches("/track/").split('?').next().expect("a reference")
}

/// The address of a form below the page of a link.
pub(crate) fn below(link: &str, what: &str) -> String {
    let (page, key) = link.split_once('?').expect("a key");
    format!("{page}/{what}?{key}")
}

#[tokio::test]
async fn nothing_counts_and_nobody_is_written_to_before_it_is_confirmed() {
    let house = House::new().await;
    for _ in 0..2 {
        let answer = house.it.post(DOOR, no_water(MARY)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert!(!answer.text.contains(MARY), "{}", answer.text);
    }
    let mut other = no_water(MARY);
    other["subject"] = json!("No light");
    assert_eq!(house.it.post(DOOR, other).await.status, 202);
    let asked = letters(&house).await;
    let [(to, question)] = &asked[..] else { panic!("one question: {asked:?}") };
    assert_eq!(to, MARY);
    for typed in ["water", "light", "evil", "Monday", "Mary"] {
        assert!(!question.contains(typed), "{typed} in {question}");
    }
    assert!(house.it.mails().await.is_empty() && all(&house).await.is_empty());

    let token = token_in(question);
    let page = house.it.get(&format!("/mail/confirm?token={token}"), &With::default()).await;
    assert_eq!(page.text.matches("action=\"/mail/confirm\"").count(), 2, "sent twice it is there once: {}", page.text);
    assert!(page.text.contains("No light") && page.text.contains("Since Monday."), "{}", page.text);
    assert!(all(&house).await.is_empty(), "opening a link changes nothing");
    let mails = house.read("/api/v1/intake/mail", &house.admin).await;
    assert!(mails["items"].as_array().is_some_and(|mails| mails.iter().all(|it| it["by_form"] == true)), "{mails}");
    house.it.clock.advance(TimeDelta::days(8));
    let late = house.it.get(&format!("/mail/confirm?token={token}"), &With::default()).await;
    assert_eq!(late.status, 422, "for seven days");
}

#[tokio::test]
async fn a_code_leads_where_the_link_beside_it_does_once_and_for_ten_minutes() {
    let house = House::new().await;
    assert_eq!(house.it.post(DOOR, no_water(MARY)).await.status, 202);
    let question = letters(&house).await.remove(0).1;
    let (token, code) = (token_in(&question), code_in(&question));
    let typed = async |email: &str, code: &str| form(&house, "/guest/code", &[("email", email), ("code", code)]).await;
    let wrong = if code.starts_with('0') { "1111 1111" } else { "0000 0000" };
    let refused = typed(MARY, wrong).await;
    assert!(refused.status == 422 && refused.text.contains("not the code we sent"), "{}", refused.text);
    let nobody = typed("nobody@elsewhere.example", wrong).await;
    assert_eq!(nobody.text, refused.text.replace(MARY, "nobody@elsewhere.example"), "nobody learns who was asked");
    assert_eq!(typed("nobody@elsewhere.example", &code).await.status, 422, "it is one address's");
    assert!(typed(MARY, "12").await.text.contains("The code has eight digits"));
    let led = typed("Mary@Elsewhere.example", &code).await;
    assert_eq!(led.status, 303, "{}", led.text);
    assert_eq!(led.header("location"), format!("/mail/confirm?token={token}"));
    assert!(all(&house).await.is_empty(), "it counts once its owner says that it is theirs");
    assert_eq!(typed(MARY, &code).await.status, 422, "once");
    assert_eq!(form(&house, "/guest/code", &[("email", MARY)]).await.status, 400, "not a form of ours");
    let back = house.it.get("/guest/code", &With::default()).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, "/guest"));

    let asked = async |email: &str| {
        let mut letter = no_water(email);
        letter["subject"] = json!(email);
        assert_eq!(house.it.post(DOOR, letter).await.status, 202);
        code_in(&letters(&house).await.remove(0).1)
    };
    let late = asked("late@elsewhere.example").await;
    house.it.clock.advance(TimeDelta::minutes(10));
    assert_eq!(typed("late@elsewhere.example", &late).await.status, 422, "for ten minutes");
    let guessed = asked("guessed@elsewhere.example").await;
    let wrong = if guessed.starts_with('0') { "1111 1111" } else { "0000 0000" };
    for _ in 0..5 {
        assert_eq!(typed("guessed@elsewhere.example", wrong).await.status, 422);
    }
    assert_eq!(typed("guessed@elsewhere.example", &guessed).await.status, 422, "and for five tries");
    for _ in 0..4 {
        typed("guessed@elsewhere.example", wrong).await;
    }
    assert_eq!(typed("guessed@elsewhere.example", wrong).await.status, 429, "as failed log-ins");
}

#[tokio::test]
async fn a_link_shows_one_complaint_and_lets_its_customer_act() {
    let house = House::new().await;
    let link = complained(&house).await;
    assert!(house.it.mails().await.is_empty(), "nobody wanted an account");
    let items = all(&house).await;
    assert!(items.len() == 1 && items[0]["reference"] == reference_of(&link), "{items:?}");
    let path = format!("/api/v1/complaints/{}", reference_of(&link));
    assert_eq!(house.read(&path, &house.omar).await["channel"], "web");

    let page = house.it.get(&link, &With::default()).await;
    assert!(page.status == 200 && page.text.contains("No water"), "{}", page.text);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.headers.get("set-cookie").is_none(), "a link is no session");
    assert!(!page.text.contains("\"/complaints"), "and opens nothing else: {}", page.text);
    let posted = form(&house, &below(&link, "commands/post"), &[("text", "Still no water.")]).await;
    assert_eq!(posted.status, 303, "{}", posted.text);
    let page = house.it.get(posted.header("location"), &With::default()).await;
    assert!(page.text.contains("Still no water."), "{}", page.text);
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    assert_eq!(messages["items"][0]["text"], "Still no water.", "{messages}");
    let back = house.it.get(&below(&link, "commands/post"), &With::default()).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, link.as_str()), "opened, a form changes nothing");

    let form_of_files = crate::house::form(&[("notes.txt", "text/plain", b"cracked")]);
    let attached = house
        .it
        .send(
            Method::POST,
            &below(&link, "attachments"),
            Some("multipart/form-data; boundary=XX"),
            form_of_files,
            &With::default(),
        )
        .await;
    assert_eq!(attached.status, 303, "{}", attached.text);
    let page = house.it.get(&link, &With::default()).await;
    let start = page.text.find("/attachments/").expect("a file");
    let file = page.text[start..].split('"').next().expect("an address").replace("&#38;", "&").replace("&amp;", "&");
    let file = house.it.get(&format!("/track/{}{file}", reference_of(&link)), &With::default()).await;
    assert_eq!((file.status.as_u16(), file.text.as_str()), (200, "cracked"));

    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Which street?"}), &house.sarah).await;
    let asked = letters(&house).await.into_iter().find(|(to, text)| to == MARY && text.contains("Which street?"));
    let fresh = link_in(&asked.expect("a letter").1);
    assert_eq!(form(&house, &below(&fresh, "commands/answer"), &[("text", "Mill Lane")]).await.status, 303);
    assert_eq!(house.read(&path, &house.sarah).await["status"], "in_progress");
    let body = json!({"outcome": "upheld", "explanation": "The main had burst.", "apology": "We are sorry."});
    house.done(&path, "resolve", body, &house.sarah).await;
    for (command, typed) in [("rate", Some(("score", "5"))), ("accept", None)] {
        let page = house.it.get(&link, &With::default()).await;
        let (_, rest) = page.text.split_once("name=\"version\" value=\"").expect("the version that was seen");
        let version = ("version", rest.split('"').next().expect("a number"));
        let fields: Vec<_> = std::iter::once(version).chain(typed).collect();
        let given = form(&house, &below(&link, &format!("commands/{command}")), &fields).await;
        assert_eq!(given.status, 303, "{command}: {}", given.text);
    }
    assert_eq!(house.read(&path, &house.sarah).await["status"], "closed");
}

#[tokio::test]
async fn a_key_is_good_for_its_own_complaint_and_for_thirty_days() {
    let house = House::new().await;
    let link = complained(&house).await;
    let johns = house.submitted().await["reference"].as_str().expect("a reference").to_owned();
    let key = link.split_once("?key=").expect("a key").1;
    let refused = async |address: &str| {
        let answer = house.it.get(address, &With::default()).await;
        assert!(answer.status == 422 && answer.text.contains("does not work any more"), "{address}: {}", answer.text);
        assert!(!answer.text.contains("No water"), "{address}");
    };
    refused(&format!("/track/{johns}?key={key}")).await;
    refused(&format!("/track/{}", reference_of(&link))).await;
    refused(&format!("/track/{}?key={}x", reference_of(&link), key)).await;
    let foreign = form(&house, &format!("/track/{johns}/commands/withdraw?key={key}"), &[]).await;
    assert_eq!(foreign.status, 422);
    let johns = house.read(&format!("/api/v1/complaints/{johns}"), &house.john).await;
    assert_eq!(johns["status"], "assigned", "nothing was done");
    for command in ["submit", "follow_up", "attach", "nonsense"] {
        assert_eq!(form(&house, &below(&link, &format!("commands/{command}")), &[]).await.status, 404, "{command}");
    }
    let as_token = house.it.get("/api/v1/complaints", &With::bearer(key)).await;
    assert_eq!(as_token.status, 401, "no token of the API");
    assert_eq!(house.it.get("/complaints", &With::cookie(&format!("session={key}"))).await.status, 303, "no session");
    house.it.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    assert_eq!(house.it.get(&link, &With::default()).await.status, 200);
    house.it.clock.advance(TimeDelta::seconds(1));
    refused(&link).await;
}

#[tokio::test]
async fn whoever_signs_up_with_the_address_has_the_complaint_and_the_links_end() {
    let house = House::new().await;
    let link = complained(&house).await;
    // Of a stranger's wish nothing follows but a mail to whoever has the address.
    for _ in 0..2 {
        assert_eq!(house.it.sign_up("Mary@Elsewhere.example").await.status, 202);
    }
    assert_eq!(house.it.log_in(MARY).await.problem(), (401, "invalid_credentials".into()));
    assert_eq!(house.it.get(&link, &With::default()).await.status, 200, "the link is good as long as nobody did");
    let mails = house.it.mails().await;
    let [mail] = &mails[..] else { panic!("one mail a day: {mails:?}") };
    assert_eq!(mail.kind, AccountMailKind::GuestSignUp);
    assert!(mail.text.contains("all your complaints") && !mail.text.contains("Whoever made"), "{}", mail.text);
    let (token, code) = (token_in(&mail.text), code_in(&mail.text));
    let verify = async |body: Value| house.it.post("/api/v1/accounts/verify", body).await;
    // What was typed at the sign-up is nobody's word: name and password come with the link or the code.
    let needed = [("name".to_owned(), "missing".to_owned()), ("password".to_owned(), "missing".to_owned())];
    assert_eq!(verify(json!({"token": token})).await.fields(), needed);
    assert_eq!(verify(json!({"email": MARY, "code": code})).await.fields(), needed);
    let chosen = verify(json!({"email": MARY, "code": code, "name": "Mary Poe", "password": PASSWORD})).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    let again = verify(json!({"token": token, "name": "Eve", "password": "another password of hers"})).await;
    assert_eq!(again.problem(), (422, "invalid_token".into()), "link and code are one");
    let mary = With::bearer(&house.it.token(MARY).await);
    let mine = house.read("/api/v1/complaints", &mary).await;
    assert_eq!(mine["items"][0]["reference"], reference_of(&link));
    assert_eq!(house.it.get(&link, &With::default()).await.status, 422, "the link ends");
    let path = format!("/api/v1/complaints/{}", reference_of(&link));
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Which street?"}), &house.sarah).await;
    let letters = letters(&house).await;
    let asked = letters.iter().find(|(to, text)| to == MARY && text.contains("Which street?")).expect("a letter");
    assert!(asked.1.contains("/complaints/") && !asked.1.contains("/track/"), "{}", asked.1);
    // The same way with an account: asked, since anybody can type an address.
    let mut more = no_water(MARY);
    more["subject"] = json!("No light");
    house.it.clock.advance(TimeDelta::days(1));
    assert_eq!(house.it.post(DOOR, more).await.status, 202);
    assert!(self::letters(&house).await.iter().any(|(to, text)| to == MARY && text.contains("/mail/confirm?token=")));
}

#[tokio::test]
async fn a_new_link_goes_to_the_address_of_the_complaint_and_the_answer_tells_nothing() {
    let house = House::new().await;
    let link = complained(&house).await;
    let johns = house.submitted().await["reference"].as_str().expect("a reference").to_owned();
    letters(&house).await;
    let wanted = async |reference: &str, email: &str| {
        let answer = house.it.post("/api/v1/guest/links", json!({"reference": reference, "email": email})).await;
        (answer.status.as_u16(), answer.text)
    };
    let right = wanted(reference_of(&link), "MARY@elsewhere.example").await;
    assert_eq!(right.0, 202);
    for (reference, email) in
        [(reference_of(&link), "eve@evil.example"), ("C7KQ-2M9X-B", MARY), (&johns, "john@example.org"), (&johns, MARY)]
    {
        assert_eq!(wanted(reference, email).await, right, "{reference} {email}");
    }
    let sent = letters(&house).await;
    let [(to, letter)] = &sent[..] else { panic!("one letter: {sent:?}") };
    assert_eq!(to, MARY);
    let fresh = link_in(letter);
    assert_eq!(house.it.get(&fresh, &With::default()).await.status, 200);
    assert_eq!(wanted(reference_of(&link), MARY).await, right);
    assert!(letters(&house).await.is_empty(), "once an hour");
    house.it.clock.advance(TimeDelta::minutes(61));
    let page = form(&house, "/track", &[("reference", reference_of(&link)), ("email", MARY)]).await;
    assert!(page.status == 200 && page.text.contains("Please look at your mail"), "{}", page.text);
    let none = form(&house, "/track", &[("reference", "C7KQ-2M9X-B"), ("email", MARY)]).await;
    assert_eq!(none.text, page.text);
    assert_eq!(letters(&house).await.len(), 1);
    let wrong = house.it.post("/api/v1/guest/links", json!({"reference": "C7QK-2M9X-B", "email": MARY})).await;
    assert_eq!(wrong.fields(), [("reference".to_owned(), "invalid".to_owned())]);
}

#[tokio::test]
async fn who_works_here_is_no_guest() {
    let house = House::new().await;
    assert_eq!(house.it.post(DOOR, no_water("sarah@example.org")).await.status, 202, "nobody learns who works here");
    assert!(letters(&house).await.is_empty());
    let mails = house.read("/api/v1/intake/mail?state=quarantined", &house.admin).await;
    assert_eq!((&mails["items"][0]["why"], &mails["items"][0]["by_form"]), (&json!("from_staff"), &json!(true)));
    let id = mails["items"][0]["id"].as_str().expect("an id");
    let shown = house.read(&format!("/api/v1/intake/mail/{id}"), &house.admin).await;
    assert_eq!(shown["text"], "Since Monday.");
    let again = house.it.post_with(&format!("/api/v1/intake/mail/{id}/retry"), json!({}), &house.admin).await;
    assert_eq!((again.status.as_u16(), &again.json()["why"]), (200, &json!("from_staff")));
}

#[tokio::test]
async fn what_is_wrong_is_named_while_somebody_is_there_to_mend_it() {
    let house = House::new().await;
    let mut body = no_water("nowhere");
    body["category"] = json!("Noise");
    body["description"] = json!(" ");
    body["contact"]["name"] = json!("");
    body["wish"] = json!("a pony");
    let refused = house.it.post(DOOR, body).await;
    assert_eq!(refused.status, 422);
    let fields: Vec<String> = refused.fields().into_iter().map(|(field, _)| field).collect();
    for field in ["contact.name", "contact.email", "category", "description", "wish"] {
        assert!(fields.iter().any(|known| known == field), "{field}: {fields:?}");
    }
    for (field, value) in [("channel", json!("phone")), ("customer", json!("u_1")), ("priority", json!("urgent"))] {
        let mut body = no_water(MARY);
        body[field] = value;
        let refused = house.it.post(DOOR, body).await;
        assert_eq!(refused.fields(), [(field.to_owned(), "unknown_field".to_owned())], "{}", refused.text);
    }
    let mut against = no_water(MARY);
    against["against"] = json!("nobody");
    assert_eq!(house.it.post(DOOR, against).await.fields(), [("against".to_owned(), "unknown_agent".to_owned())]);
    let keyed = With::default().header("idempotency-key", "k-1");
    let keyed = house.it.post_with(DOOR, no_water(MARY), &keyed).await;
    assert_eq!(keyed.problem(), (400, "idempotency_key_not_supported".into()));
    assert!(letters(&house).await.is_empty() && all(&house).await.is_empty(), "nothing is half done");
    let mails = house.read("/api/v1/intake/mail", &house.admin).await;
    assert_eq!(mails["items"], json!([]));
}

#[tokio::test]
async fn visitors_are_limited_by_where_they_come_from() {
    let house = House::new().await;
    let wanted = json!({"reference": "C7KQ-2M9X-B", "email": MARY});
    for _ in 0..200 {
        let from = With::from("198.51.100.7");
        assert_eq!(house.it.post_with("/api/v1/guest/links", wanted.clone(), &from).await.status, 202);
    }
    let from = With::from("198.51.100.7");
    let many = house.it.post_with(DOOR, no_water(MARY), &from).await;
    assert_eq!(many.problem(), (429, "too_many_requests".into()));
    assert!(many.headers.contains_key("retry-after"));
    assert_eq!(house.it.post(DOOR, no_water(MARY)).await.status, 202, "others are not kept out");
}
