//! Two servers on one PostgreSQL: whoever is served by the one sees and gets what happens at the other, once.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::http::{PNG, broken_kettle, do_it, field, hears};
use crate::postgres::postgres;
use crate::server::Server;

async fn all_events(server: &Server, token: &str) -> reqwest::Response {
    let live = server.request(Method::GET, "/api/v1/live", token).send().await.expect("a stream");
    assert!(live.status().is_success());
    live
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_at_one_server_is_seen_at_the_other() {
    let Some(url) = postgres() else { return };
    let here = Server::start_on(Some(url));
    let admin = here.founded().await;
    let there = here.beside();
    let john = there.john().await;
    let sarah = there.token("sarah@shop.example").await;

    // What is submitted here, John and Sarah see there.
    let (john_hears, sarah_hears) = (all_events(&there, &john).await, all_events(&there, &sarah).await);
    let complaint = here.post("/api/v1/complaints", &john, broken_kettle()).await;
    let id = field(&complaint, "id").to_owned();
    let is_it = |name: &str, data: &serde_json::Value| name == "changed" && data["complaint"] == complaint["id"];
    hears(john_hears, is_it).await;
    hears(sarah_hears, is_it).await;
    let files = Form::new().part("files", Part::bytes(PNG).file_name("lid.png"));
    let path = format!("/api/v1/complaints/{id}/attachments");
    let attached = here.request(Method::POST, &path, &john).multipart(files).send().await.expect("an answer");
    assert!(attached.status().is_success());
    let seen = there.get(&format!("/api/v1/complaints/{id}"), &sarah).await;
    let file = format!("{path}/{}", field(&seen["attachments"][0], "id"));
    let photo = there.request(Method::GET, &file, &sarah).send().await.expect("an answer");
    assert_eq!(photo.bytes().await.expect("bytes"), PNG);

    // It leaves Sarah here, and she hears so there; so does John.
    let (john_hears, sarah_hears) = (all_events(&there, &john).await, all_events(&there, &sarah).await);
    do_it(&here, &sarah, &id, "begin", json!({})).await;
    do_it(&here, &sarah, &id, "note", json!({"text": "Third lid this week."})).await;
    do_it(&here, &sarah, &id, "escalate", json!({"reason": "More than I can decide."})).await;
    hears(sarah_hears, |name, data| name == "gone" && data["complaint"] == complaint["id"]).await;
    let escalated = there.get(&format!("/api/v1/complaints/{id}"), &john).await;
    hears(john_hears, |name, data| name == "changed" && data["version"] == escalated["version"]).await;

    // A new category counts there by the next sweep, which moving the clock makes.
    here.post("/api/v1/categories", &admin, json!({"name": "Wrong colour"})).await;
    there.advance(&admin, 1).await;
    let complaint = json!({"category": "wrong-colour", "subject": "Blue", "description": "It was to be red."});
    there.post("/api/v1/complaints", &john, complaint).await;

    // One of them dies; the other goes on alone.
    drop(here);
    do_it(&there, &there.token("maria@shop.example").await, &id, "begin", json!({})).await;
    there.replays().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_falls_due_at_both_is_done_once() {
    let Some(url) = postgres() else { return };
    let here = Server::start_on(Some(url));
    here.founded().await;
    let there = here.beside();
    let john = there.john().await;
    let complaints = [
        here.post("/api/v1/complaints", &john, broken_kettle()).await,
        there.post("/api/v1/complaints", &john, broken_kettle()).await,
    ];
    for hours in [24 * 6, 1] {
        let admin = here.token("ada@shop.example").await;
        tokio::join!(here.advance(&admin, hours), there.advance(&admin, hours));
    }
    let john = there.token("john@home.example").await;
    for complaint in &complaints {
        let log = there.get(&format!("/api/v1/complaints/{}/log", field(complaint, "id")), &john).await;
        let entries = log["items"].as_array().expect("entries");
        let escalations = entries.iter().filter(|entry| entry["type"] == "escalated").count();
        assert_eq!(escalations, 1, "{log}");
        there
            .mail
            .wait_for(
                "john@home.example",
                &format!("[{}] Your complaint has been escalated", field(complaint, "reference")),
            )
            .await;
    }
    // Each folder holds what its server sent: a letter in both was sent twice.
    for person in ["john", "sarah", "maria", "ada"] {
        for house in ["home.example", "shop.example"] {
            let letters = there.mail.read(&format!("{person}@{house}"), "");
            let different: BTreeSet<_> = letters.iter().map(|letter| (&letter.subject, &letter.text)).collect();
            assert_eq!(letters.len(), different.len(), "{person} was told twice: {letters:#?}");
        }
    }
    there.replays().await;
}
