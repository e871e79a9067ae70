//! The story over HTTP.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::postgres::postgres;
use crate::server::{PASSWORD, Server};

/// A picture of one pixel.
pub(crate) const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 6,
    0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0, 1, 0, 0, 5, 0, 1, 0x0d,
    0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];
pub(crate) const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// Each story on each engine.
macro_rules! on_each_engine {
    ($($story:ident)+) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Server::start()).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $story() {
                let Some(url) = super::postgres() else { return };
                super::$story(super::Server::start_on(Some(url))).await;
            })+
        }
    };
}

on_each_engine! {
    john_s_complaint_from_sign_up_to_feedback
    escalated_contested_and_finally_decided
    nobody_acts_and_it_escalates_by_itself_once
}

pub(crate) fn broken_kettle() -> Value {
    json!({
        "category": "damaged-goods",
        "subject": "The kettle came with a cracked lid",
        "description": "I opened the parcel today and the lid of the kettle is cracked.",
        "contact": {"name": "John Field", "email": "john@home.example", "phone": "+44 20 7946 0000"},
        "product": "Kettle K2",
        "order_number": "A-1009",
        "purchase_date": "2026-11-02",
        "wish": "replacement",
    })
}

pub(crate) async fn do_it(server: &Server, token: &str, id: &str, command: &str, body: Value) -> Value {
    server.post(&format!("/api/v1/complaints/{id}/commands/{command}"), token, body).await
}

pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Waits on a stream of server-sent events until one names this version or a later one.
async fn hears_of(stream: reqwest::Response, version: u64) {
    hears(stream, |_, data| data["version"].as_u64().is_some_and(|heard| heard >= version)).await;
}

/// Waits on a stream of server-sent events until one of them, by its name and data, is what is waited for.
pub(crate) async fn hears(stream: reqwest::Response, is: impl Fn(&str, &Value) -> bool) {
    let mut heard = String::new();
    let listening = async {
        let mut chunks = stream.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            heard.push_str(&String::from_utf8_lossy(&chunk.expect("the stream holds")));
            let mut name = "";
            for line in heard.lines() {
                if let Some(event) = line.strip_prefix("event:") {
                    name = event.trim();
                } else if let Some(data) = line.strip_prefix("data:")
                    && serde_json::from_str(data.trim()).is_ok_and(|data| is(name, &data))
                {
                    return;
                }
            }
        }
        panic!("the stream ended");
    };
    let in_time = tokio::time::timeout(Duration::from_mins(1), listening).await;
    assert!(in_time.is_ok(), "only this was heard: {heard}");
}

async fn stream(server: &Server, token: &str, id: &str) -> reqwest::Response {
    let live = server.request(Method::GET, &format!("/api/v1/complaints/{id}/live"), token).send().await;
    let live = live.expect("a stream");
    assert_eq!(live.status(), StatusCode::OK);
    live
}

async fn john_s_complaint_from_sign_up_to_feedback(server: Server) {
    let kept = if server.is_on_postgres() { "Database" } else { "Data file" };
    for line in ["Address", kept, "Mail folder", "Set-up link"] {
        assert!(server.greeting.contains(line), "{line} is not printed: {}", server.greeting);
    }
    let admin = server.founded().await;
    let again = json!({"token": server.setup_token, "name": "Eve", "email": "eve@shop.example", "password": PASSWORD});
    let (status, _) = server.try_post("/api/v1/setup", "", again).await;
    assert!(status.is_client_error(), "the set-up link works once");

    // John signs up, and can log in only after he has confirmed his address.
    let john = json!({"name": "John Field", "email": "john@home.example", "password": PASSWORD});
    let (status, _) = server.try_post("/api/v1/accounts", "", john).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let login = json!({"email": "john@home.example", "password": PASSWORD});
    let letter = server.mail.wait_for("john@home.example", "").await;
    let (status, problem) = server.try_post("/api/v1/sessions", "", login.clone()).await;
    assert_eq!((status, field(&problem, "code")), (StatusCode::FORBIDDEN, "email_unverified"));
    server.post("/api/v1/accounts/verify", "", json!({"token": letter.token().expect("a link")})).await;
    server.post("/api/v1/sessions", "", login).await;
    let john = server.token("john@home.example").await;
    let sarah = server.token("sarah@shop.example").await;

    // He submits; repeated under the same key it is the same complaint.
    let submit = || {
        server
            .request(Method::POST, "/api/v1/complaints", &john)
            .header("Idempotency-Key", "first-complaint")
            .json(&broken_kettle())
            .send()
    };
    let first = submit().await.expect("an answer");
    assert_eq!(first.status(), StatusCode::CREATED);
    let (location, etag) = (first.headers()["location"].clone(), first.headers()["etag"].clone());
    let complaint: Value = first.json().await.expect("JSON");
    let (id, reference) = (field(&complaint, "id").to_owned(), field(&complaint, "reference").to_owned());
    assert!(location.to_str().expect("ASCII").ends_with(&format!("/api/v1/complaints/{id}")));
    assert_eq!(etag.to_str().expect("ASCII"), format!("\"{}\"", complaint["version"]));
    assert_eq!(field(&complaint, "status"), "assigned");
    assert_eq!(field(&complaint["handler"], "name"), "Sarah Stone");
    let second: Value = submit().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(second, complaint);

    let files = Form::new()
        .part("files", Part::bytes(PNG).file_name("lid.png"))
        .part("files", Part::bytes(PDF).file_name("invoice.pdf"));
    let path = format!("/api/v1/complaints/{id}/attachments");
    let attached = server.request(Method::POST, &path, &john).multipart(files).send().await.expect("an answer");
    assert!(attached.status().is_success(), "{}", attached.text().await.expect("a body"));
    let seen = server.get(&format!("/api/v1/complaints/{reference}"), &sarah).await;
    let photo = seen["attachments"][0].clone();
    assert_eq!(field(&photo, "media_type"), "image/png");
    let download = server.request(Method::GET, &format!("{path}/{}", field(&photo, "id")), &sarah).send().await;
    assert_eq!(download.expect("an answer").bytes().await.expect("bytes"), PNG);

    // Acknowledged and assigned by mail; the explanation is stored.
    server.mail.wait_for("john@home.example", &reference).await;
    server.mail.wait_for("john@home.example", "Sarah Stone").await;
    server.mail.wait_for("sarah@shop.example", &reference).await;
    let routing = server.get(&format!("/api/v1/complaints/{id}/routing"), &sarah).await;
    let reasons = routing.to_string();
    assert!(reasons.contains("lacks_skills"), "Ben is explained: {reasons}");

    // Sarah begins and asks; John hears of it live and answers; so does Sarah.
    let john_hears = stream(&server, &john, &id).await;
    let sarah_hears = stream(&server, &sarah, &id).await;
    do_it(&server, &sarah, &id, "begin", json!({})).await;
    let asked = do_it(&server, &sarah, &id, "ask", json!({"text": "Was the parcel damaged too?"})).await;
    assert_eq!(field(&asked, "status"), "awaiting_customer");
    hears_of(john_hears, asked["version"].as_u64().expect("a number")).await;
    server.mail.wait_for("john@home.example", "Was the parcel damaged too?").await;
    let messages = server.get(&format!("/api/v1/complaints/{id}/messages"), &john).await.to_string();
    assert!(messages.contains("Was the parcel damaged too?"));
    let answered = do_it(&server, &john, &id, "answer", json!({"text": "No, only the kettle."})).await;
    hears_of(sarah_hears, answered["version"].as_u64().expect("a number")).await;
    server.mail.wait_for("sarah@shop.example", "No, only the kettle.").await;

    // A note is for staff alone.
    do_it(&server, &sarah, &id, "note", json!({"text": "Third lid this week."})).await;
    for path in ["", "/log", "/messages", "/deadlines", "/commands"] {
        let seen = server.get(&format!("/api/v1/complaints/{id}{path}"), &john).await.to_string();
        assert!(!seen.contains("Third lid") && !seen.contains("lacks_skills"), "{path} shows internal matters");
    }

    // Resolved, accepted, fulfilled, closed, rated, counted.
    let resolution = json!({
        "outcome": "upheld",
        "explanation": "The lid was cracked when it left us.",
        "apology": "We are sorry.",
        "remedies": [{"kind": "replacement", "instructions": "Keep the old kettle; a new one arrives on Friday."}],
    });
    do_it(&server, &sarah, &id, "resolve", resolution).await;
    let decision = server.mail.wait_for("john@home.example", "a new one arrives on Friday").await;
    assert!(decision.text.contains("We are sorry."));
    let accepted = do_it(&server, &john, &id, "accept", json!({})).await;
    assert_eq!(field(&accepted, "status"), "resolved", "the replacement is outstanding");
    let closed =
        do_it(&server, &sarah, &id, "fulfil_remedy", json!({"evidence": "Parcel 17, signed for by John."})).await;
    assert_eq!(field(&closed, "status"), "closed");
    do_it(&server, &john, &id, "rate", json!({"score": 5, "comment": "Quick and kind."})).await;
    let summary = server.get("/api/v1/reports/summary", &admin).await;
    assert_eq!(summary["by_status"]["closed"], 1, "{summary}");
    assert_eq!(summary["satisfaction"]["count"], 1, "{summary}");

    // The whole log, with actor and instant.
    let log = server.get(&format!("/api/v1/complaints/{id}/log"), &sarah).await;
    let entries = log["items"].as_array().expect("entries");
    assert!(entries.iter().all(|entry| entry["at"].is_string() && entry["actor"]["role"].is_string()), "{log}");
    assert!(entries.len() >= 12, "{} entries", entries.len());
    server.replays().await;
}

async fn escalated_contested_and_finally_decided(server: Server) {
    server.founded().await;
    let john = server.john().await;
    let (sarah, maria, omar) = (
        server.token("sarah@shop.example").await,
        server.token("maria@shop.example").await,
        server.token("omar@shop.example").await,
    );
    let complaint = server.post("/api/v1/complaints", &john, broken_kettle()).await;
    let id = field(&complaint, "id").to_owned();
    do_it(&server, &sarah, &id, "begin", json!({})).await;
    do_it(&server, &sarah, &id, "escalate", json!({"reason": "This is more than I can decide."})).await;
    let gone = server.request(Method::GET, &format!("/api/v1/complaints/{id}"), &sarah).send().await;
    assert_eq!(gone.expect("an answer").status(), StatusCode::NOT_FOUND, "the former handler has lost access");
    let at_two = server.get(&format!("/api/v1/complaints/{id}"), &maria).await;
    assert_eq!((at_two["level"].as_u64(), field(&at_two["handler"], "name")), (Some(2), "Maria Marsh"));
    server.mail.wait_for("john@home.example", "Maria Marsh").await;

    do_it(&server, &maria, &id, "begin", json!({})).await;
    let no = json!({"outcome": "not_upheld", "explanation": "It worked when we tried it.", "remedies": []});
    do_it(&server, &maria, &id, "resolve", no.clone()).await;
    do_it(&server, &john, &id, "contest", json!({"reason": "It does not work here."})).await;
    let at_three = server.get(&format!("/api/v1/complaints/{id}"), &omar).await;
    assert_eq!((at_three["level"].as_u64(), field(&at_three["handler"], "name")), (Some(3), "Omar Oak"));

    // Omar's colleagues who decided or held it before cannot get it back.
    do_it(&server, &omar, &id, "begin", json!({})).await;
    let maria_id = server.get("/api/v1/me", &maria).await["id"].clone();
    let back = json!({"agent": maria_id, "reason": "She knows it."});
    let (status, problem) = server.try_post(&format!("/api/v1/complaints/{id}/commands/reassign"), &omar, back).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");

    do_it(&server, &omar, &id, "resolve", no).await;
    let path = format!("/api/v1/complaints/{id}/commands/contest");
    let (status, problem) = server.try_post(&path, &john, json!({"reason": "Still broken."})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["code"], "final_authority_reached", "{problem}");
    assert!(problem.to_string().contains("ombudsman"), "the rights text is there: {problem}");
    server.replays().await;
}

async fn nobody_acts_and_it_escalates_by_itself_once(server: Server) {
    let admin = server.founded().await;
    let john = server.john().await;
    let complaint = server.post("/api/v1/complaints", &john, broken_kettle()).await;
    let id = field(&complaint, "id").to_owned();
    server.advance(&admin, 24 * 6).await;
    let admin = server.token("ada@shop.example").await;
    server.advance(&admin, 1).await;
    let john = server.token("john@home.example").await;
    let now = server.get(&format!("/api/v1/complaints/{id}"), &john).await;
    assert_eq!(now["level"].as_u64(), Some(2), "{now}");
    let log = server.get(&format!("/api/v1/complaints/{id}/log"), &john).await;
    let escalations =
        log["items"].as_array().expect("entries").iter().filter(|entry| entry["type"] == "escalated").count();
    assert_eq!(escalations, 1, "{log}");
    server.mail.wait_for("john@home.example", "has been escalated").await;
    let told = server.mail.read("john@home.example", "has been escalated");
    assert_eq!(told.len(), 1, "John is told once");
    assert!(told[0].subject.contains(field(&complaint, "reference")));
    server.replays().await;
}
