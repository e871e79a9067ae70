//! Live streams: what is told, to whom, and until when.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, COOKIE};
use chrono::TimeDelta;
use complaint_core::{Actor, Desk, Policy};
use futures_util::StreamExt as _;
use reference_server::database::Database;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::guests::{below, complained, reference_of};
use crate::house::House;
use crate::support::{PASSWORD, With};

/// Longer than a stream takes to see that its session has ended.
const PATIENCE: Duration = Duration::from_mins(1);

struct Stream(BodyDataStream);

impl Stream {
    async fn open(house: &House, path: &str, who: &With) -> Self {
        let mut request = Request::builder().uri(path).header("host", "127.0.0.1:8080");
        if let Some(bearer) = &who.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some(cookie) = &who.cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = house.it.open(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body().into_data_stream())
    }

    /// The next event with its data; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        // Over all of it: comments that keep the line alive must not keep the test alive.
        timeout(PATIENCE, self.event()).await.expect("something happens")
    }

    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            let chunk = self.0.next().await?.expect("bytes");
            let text = String::from_utf8(chunk.to_vec()).expect("UTF-8");
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().to_owned());
            if let (Some(event), Some(data)) = (field("event:"), field("data:")) {
                return Some((event, serde_json::from_str(&data).expect("JSON")));
            }
        }
    }
}

/// A program beside the server, or another server that died before it could tell.
#[tokio::test]
async fn what_nobody_told_is_seen_all_the_same() {
    let house = House::new().await;
    let made = house.submitted().await;
    let id = made["id"].as_str().expect("an id");
    let mut johns = Stream::open(&house, &format!("/api/v1/complaints/{id}/live"), &house.john).await;
    assert_eq!(johns.next().await.expect("an event").0, "now");
    let state = house.it.server.state();
    let beside = Database::open(&state.config.database, false).await.expect("opens");
    let beside = Desk::over(beside.store, Policy::clone(&state.desk.policy())).with_clock(state.clock.clone());
    let id = id.parse().expect("an id");
    let complaint = state.desk.store().load(id).await.expect("reads").expect("there");
    let john = beside.acting_as(Actor::customer(complaint.customer.as_str()).expect("a customer"));
    let posted = john.post(id, "The lid as well.").await.expect("posted");
    let (name, data) = johns.next().await.expect("an event");
    assert_eq!((name.as_str(), &data["version"]), ("changed", &json!(posted.public_version.get())), "{data}");
}

#[tokio::test]
async fn who_follows_lists_looks_again_from_time_to_time() {
    let house = House::new().await;
    house.submitted().await;
    let mut all = Stream::open(&house, "/api/v1/live", &house.john).await;
    house.it.clock.advance(TimeDelta::seconds(30));
    assert_eq!(all.next().await, Some(("missed".to_owned(), json!({}))));
}

#[tokio::test]
async fn customer_and_handler_see_each_other_live() {
    let house = House::new().await;
    let made = house.submitted().await;
    let path = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    let mut johns = Stream::open(&house, &format!("{path}/live"), &house.john).await;
    let mut sarahs = Stream::open(&house, "/api/v1/live", &house.sarah).await;
    let mut janes = Stream::open(&house, "/api/v1/live", &house.jane).await;
    assert_eq!(johns.next().await.expect("an event").0, "now");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let wanted =
        json!({"complaint": made["id"], "reference": made["reference"], "version": 2, "status": "in_progress"});
    assert_eq!(johns.next().await, Some(("changed".to_owned(), wanted.clone())));
    assert_eq!(sarahs.next().await, Some(("changed".to_owned(), wanted)));
    house.done(&path, "post", json!({"text": "Any news?"}), &house.john).await;
    assert_eq!(sarahs.next().await.expect("an event").1["version"], 3);
    let other = house.it.post_with("/api/v1/complaints", House::broken_kettle(), &house.jane).await.json();
    assert_eq!(janes.next().await.expect("an event").1["complaint"], other["id"], "only her own");
}

#[tokio::test]
async fn a_guest_sees_a_complaint_live_as_long_as_the_link_works() {
    let house = House::new().await;
    let link = complained(&house).await;
    let path = format!("/api/v1/complaints/{}", reference_of(&link));
    let nobody = With::default();
    let mut marys = Stream::open(&house, &below(&link, "live"), &nobody).await;
    assert_eq!(marys.next().await.expect("an event").0, "now");
    house.done(&path, "note", json!({"text": "Check the main."}), &house.sarah).await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let (name, data) = marys.next().await.expect("an event");
    assert_eq!((name.as_str(), &data["status"]), ("changed", &json!("in_progress")), "not the note: {data}");
    assert_eq!(data["version"], 2, "numbered as it is shown to her: {data}");
    let others = house.submitted().await["reference"].as_str().expect("a reference").to_owned();
    let key = link.split_once('?').expect("a key").1;
    for refused in [format!("/track/{others}/live?{key}"), below(&link, "live").replace("key=", "key=x")] {
        assert_eq!(house.it.get(&refused, &nobody).await.status, 422, "{refused}");
    }
    let mary = "mary@elsewhere.example";
    assert_eq!(house.it.sign_up(mary).await.status, 202);
    let token = house.it.mailed_token().await;
    let chosen = json!({"token": token, "name": "Mary Poe", "password": PASSWORD});
    assert_eq!(house.it.post("/api/v1/accounts/verify", chosen).await.status, 200);
    house.done(&path, "post", json!({"text": "It is mended."}), &house.sarah).await;
    assert_eq!(marys.next().await, None, "the link has ended, and so does what it opened");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_it() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let mut sarahs = Stream::open(&house, &format!("{path}/live"), &house.sarah).await;
    assert_eq!(sarahs.next().await.expect("an event").0, "now");
    house.done(&path, "escalate", json!({"reason": "Not mine."}), &house.sarah).await;
    let (event, _) = sarahs.next().await.expect("an event");
    assert_eq!((event.as_str(), sarahs.next().await), ("gone", None), "it is no longer hers");
    let missing = house.it.get("/api/v1/complaints/0190c6e6-0000-7000-8000-000000000000/live", &house.jane).await;
    assert_eq!(house.it.get(&format!("{path}/live"), &house.jane).await.text, missing.text);
}

#[tokio::test]
async fn whoever_sees_a_complaint_no_longer_hears_that_it_is_gone() {
    let house = House::new().await;
    let path = house.complaint().await;
    let mut sarahs = Stream::open(&house, "/api/v1/live", &house.sarah).await;
    house.done(&path, "escalate", json!({"reason": "Not mine."}), &house.sarah).await;
    let (event, data) = sarahs.next().await.expect("an event");
    assert_eq!(event, "gone");
    assert!(!data.to_string().contains("status"), "not what became of it: {data}");
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let house = House::new().await;
    let cookie = house.it.log_in("john@example.org").await.cookie();
    let mut johns = Stream::open(&house, "/api/v1/live", &With::cookie(&cookie)).await;
    let logged_out = house.it.delete("/api/v1/sessions/current", &With::cookie(&cookie)).await;
    assert_eq!(logged_out.status, 204);
    house.complaint().await;
    assert_eq!(johns.next().await, None);

    // A stream does not keep its session alive: half an hour without a request ends it.
    let cookie = house.it.log_in("sarah@example.org").await.cookie();
    let mut sarahs = Stream::open(&house, "/api/v1/live", &With::cookie(&cookie)).await;
    let mut told = 0;
    for _ in 0..4 {
        house.it.clock.advance(TimeDelta::minutes(9));
        house.complaint().await;
        told += u32::from(sarahs.next().await.is_some_and(|(event, _)| event == "changed"));
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn a_disabled_agent_s_stream_ends() {
    let house = House::new().await;
    let id = house.read("/api/v1/me", &house.sarah).await["id"].as_str().expect("an id").to_owned();
    let mut sarahs = Stream::open(&house, "/api/v1/live", &house.sarah).await;
    let disabled = house.it.patch(&format!("/api/v1/agents/{id}"), json!({"enabled": false}), &house.admin).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    assert_eq!(sarahs.next().await, None);
}

#[tokio::test]
async fn an_open_page_does_not_keep_its_session_alive() {
    let house = House::new().await;
    let path = house.complaint().await;
    let page =
        format!("/complaints/{}", house.read(&path, &house.sarah).await["reference"].as_str().expect("a reference"));
    let session = |cookie: &str| With::cookie(cookie).header("accept", "text/html");
    // What the script does by itself: it reads the page again, and opens its stream anew when it breaks.
    let cookie = house.it.log_in("sarah@example.org").await.cookie();
    for _ in 0..2 {
        house.it.clock.advance(TimeDelta::minutes(14));
        let read = house.it.get(&page, &session(&cookie).header("x-background", "1")).await;
        assert_eq!(read.status, 200, "{}", read.text);
        Stream::open(&house, &format!("{path}/live"), &With::cookie(&cookie)).await;
        Stream::open(&house, "/api/v1/live", &With::cookie(&cookie)).await;
    }
    house.it.clock.advance(TimeDelta::minutes(2));
    for headers in [session(&cookie), session(&cookie).header("x-background", "1")] {
        let read = house.it.get(&page, &headers).await;
        assert!(read.status == 303 && read.header("location").starts_with("/login"), "{} {}", read.status, read.text);
    }
    assert_eq!(house.it.get("/api/v1/live", &With::cookie(&cookie)).await.problem(), (401, "not_logged_in".into()));
    // What she does herself does.
    let cookie = house.it.log_in("sarah@example.org").await.cookie();
    for _ in 0..3 {
        house.it.clock.advance(TimeDelta::minutes(14));
        assert_eq!(house.it.get(&page, &session(&cookie)).await.status, 200);
    }
    let forged = With::bearer("cpl_forged").header("x-background", "1");
    assert_eq!(house.it.get("/api/v1/me", &forged).await.problem(), (401, "not_logged_in".into()));
}

#[test]
fn the_script_says_that_it_reads_by_itself() {
    assert!(include_str!("../../static/live.js").contains("\"X-Background\": \"1\""));
}
