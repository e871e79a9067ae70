//! Text messages: through a gateway that stands beside the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Form, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::TimeDelta;
use serde_json::json;
use tempfile::TempDir;

use crate::house::House;
use crate::support::{Harness, With};

const JOHNS: &str = "+44 7700 900123";
const SARAHS: &str = "+44 7700 900124";

/// A gateway: to whom, and what.
#[derive(Clone, Default)]
struct Gateway {
    sent: Arc<Mutex<Vec<(String, String)>>>,
    /// How long it asks to be left alone.
    busy: Arc<Mutex<Option<u32>>>,
}

impl Gateway {
    /// Starts it; its description lies in the folder.
    async fn start() -> (Self, TempDir) {
        let gateway = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let routes = axum::Router::new().route("/send", post(Self::take)).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let folder = tempfile::tempdir().expect("a folder");
        let described = format!(
            "url = \"http://127.0.0.1:{port}/send\"\nnetworks = \"127.0.0.1\"\n[form]\nto = \"{{to}}\"\ntext = \"{{text}}\"\n"
        );
        std::fs::write(folder.path().join("gateway.toml"), described).expect("written");
        (gateway, folder)
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn take(State(gateway): State<Self>, Form(form): Form<BTreeMap<String, String>>) -> (StatusCode, HeaderMap) {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = *gateway.busy.lock().unwrap_or_else(PoisonError::into_inner) {
            headers.insert(RETRY_AFTER, seconds.into());
            return (StatusCode::TOO_MANY_REQUESTS, headers);
        }
        let text = (form["to"].clone(), form["text"].clone());
        gateway.sent.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        (StatusCode::OK, headers)
    }

    fn taken(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_busy(&self, seconds: impl Into<Option<u32>>) {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = seconds.into();
    }
}

async fn house() -> (House, Gateway, TempDir) {
    let (gateway, folder) = Gateway::start().await;
    let file = folder.path().join("gateway.toml");
    let house = House::over(Harness::with_args(|args| args.sms = Some(file)).await).await;
    (house, gateway, folder)
}

/// The code in the one text that was sent.
fn code(gateway: &Gateway, to: &str) -> String {
    let sent = gateway.taken();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].0, to.replace(' ', ""));
    let code: String = sent[0].1.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(code.len(), 8, "{}", sent[0].1);
    code
}

async fn ask(house: &House, phone: &str, who: &With) -> (u16, String) {
    let answer = house.it.put("/api/v1/me/phone", json!({"phone": phone}), who).await;
    if answer.status == 202 { (202, String::new()) } else { answer.problem() }
}

async fn confirm(house: &House, code: &str, who: &With) -> (u16, Vec<(String, String)>) {
    let answer = house.it.post_with("/api/v1/me/phone/confirmation", json!({"code": code}), who).await;
    (answer.status.as_u16(), if answer.status == 200 { Vec::new() } else { answer.fields() })
}

#[tokio::test]
async fn whoever_confirmed_a_number_is_told_by_text_what_cannot_wait() {
    let (house, gateway, _folder) = house().await;
    assert_eq!(house.read("/api/v1/me", &house.john).await["phone"], json!(null));
    assert_eq!(ask(&house, JOHNS, &house.john).await.0, 202);
    let code = code(&gateway, JOHNS);
    assert_eq!(house.read("/api/v1/me", &house.john).await["phone"], json!(null), "not before it is confirmed");
    assert_eq!(confirm(&house, &code, &house.john).await.0, 200);
    assert_eq!(house.read("/api/v1/me", &house.john).await["phone"], json!("+447700900123"));
    // Of a colleague an admin says it.
    let agents = house.read("/api/v1/agents", &house.admin).await;
    let sarah = agents["items"].as_array().expect("items").iter().find(|it| it["name"] == "Sarah Cole").expect("Sarah");
    let path = format!("/api/v1/agents/{}", sarah["id"].as_str().expect("an id"));
    assert_eq!(house.it.patch(&path, json!({"phone": SARAHS}), &house.admin).await.status, 200);

    let made = house.submitted().await;
    let path = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    let reference = made["reference"].as_str().expect("a reference").to_owned();
    assert!(!house.it.letters().await.is_empty(), "letters go as before");
    let mut all = gateway.taken();
    // The courier serves people side by side.
    all.sort();
    let to: Vec<&str> = all.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["+447700900123", "+447700900124"], "{all:?}");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let decision = json!({"outcome": "not_upheld", "explanation": "zz-explained"});
    house.done(&path, "resolve", decision, &house.sarah).await;
    house.it.letters().await;
    let decided = gateway.taken();
    assert_eq!(decided.len(), 1, "nothing of what can wait: {decided:?}");
    assert_eq!(decided[0].0, "+447700900123");
    all.extend(decided);

    let path = house.complaint().await;
    house.it.letters().await;
    gateway.taken();
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "escalate", json!({"reason": "zz-too big"}), &house.maria).await;
    house.it.letters().await;
    let escalated = gateway.taken();
    assert!(escalated.iter().any(|(to, text)| to == "+447700900124" && text.contains("went up")), "{escalated:?}");
    assert_eq!(escalated.len(), 1, "Maria has no number: {escalated:?}");
    all.extend(escalated);
    for (_, text) in &all {
        assert!(text.contains("/complaints/") && text.chars().count() <= 160, "{text}");
        for typed in ["kettle", "cracked", "zz-", "John", "Sarah", "Kettle"] {
            assert!(!text.contains(typed), "{typed} in {text}");
        }
    }
    assert!(all[0].1.contains(&reference), "{}", all[0].1);

    let forgotten = house.it.delete("/api/v1/me/phone", &house.john).await;
    assert_eq!((forgotten.status.as_u16(), &forgotten.json()["phone"]), (200, &json!(null)));
    house.submitted().await;
    house.it.letters().await;
    let to: Vec<String> = gateway.taken().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["+447700900124"]);
}

#[tokio::test]
async fn a_number_is_nobodys_until_its_code_comes_back() {
    let (house, gateway, _folder) = house().await;
    assert_eq!(house.it.put("/api/v1/me/phone", json!({"phone": JOHNS}), &With::default()).await.status, 401);
    for wrong in ["", "07700 900123", "+44", "+44 7700 900123 +44", "+0 7700 900123", "john"] {
        assert_eq!(ask(&house, wrong, &house.john).await, (422, "invalid_body".into()), "{wrong}");
    }
    for (body, field, code) in [
        (json!({}), "phone", "missing"),
        (json!({"phone": 5}), "phone", "invalid_type"),
        (json!({"phone": JOHNS, "name": "x"}), "name", "unknown_field"),
        (json!({"phone": "+44\u{0}7700900123"}), "phone", "control_character"),
    ] {
        let refused = house.it.put("/api/v1/me/phone", body, &house.john).await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec![(field.to_owned(), code.to_owned())]));
    }
    assert!(gateway.taken().is_empty());
    let named = |code: &str| vec![("code".to_owned(), code.to_owned())];
    assert_eq!(confirm(&house, "12345678", &house.john).await, (422, named("not_good")), "none was asked for");

    assert_eq!(ask(&house, JOHNS, &house.john).await.0, 202);
    let first = code(&gateway, JOHNS);
    assert_eq!(confirm(&house, &first, &house.jane).await, (422, named("not_good")), "another's code is none");
    for wrong in ["", "1234567", "123456789", "abcdefgh"] {
        assert_eq!(confirm(&house, wrong, &house.john).await, (422, named("invalid")), "{wrong}");
    }
    let other = if first == "00000000" { "00000001" } else { "00000000" };
    for _ in 0..5 {
        assert_eq!(confirm(&house, other, &house.john).await, (422, named("not_good")));
    }
    assert_eq!(confirm(&house, &first, &house.john).await, (422, named("not_good")), "guessed at too often");

    assert_eq!(ask(&house, JOHNS, &house.john).await.0, 202);
    let second = code(&gateway, JOHNS);
    house.it.clock.advance(TimeDelta::minutes(10));
    assert_eq!(confirm(&house, &second, &house.john).await, (422, named("not_good")), "too late");
    assert_eq!(ask(&house, JOHNS, &house.john).await.0, 202);
    let third = code(&gateway, JOHNS);
    assert_eq!(ask(&house, SARAHS, &house.john).await, (429, "too_many_requests".into()), "three a day and account");
    assert_eq!(ask(&house, JOHNS, &house.jane).await, (429, "too_many_requests".into()), "and number");
    assert!(gateway.taken().is_empty());
    let spaced = format!(" {} {} ", &third[..4], &third[4..]);
    assert_eq!(confirm(&house, &spaced, &house.john).await.0, 200);
    assert_eq!(confirm(&house, &third, &house.john).await, (422, named("not_good")), "works once");
    house.it.clock.advance(TimeDelta::days(1));
    assert_eq!(ask(&house, JOHNS, &house.jane).await.0, 202);
    let hers = code(&gateway, JOHNS);
    assert_eq!(ask(&house, SARAHS, &house.jane).await.0, 202);
    gateway.taken();
    assert_eq!(confirm(&house, &hers, &house.jane).await, (422, named("not_good")), "another was sent since");
}

#[tokio::test]
async fn a_gateway_that_is_busy_is_left_alone_as_long_as_it_asks() {
    let (house, gateway, _folder) = house().await;
    gateway.is_busy(60);
    let refused = house.it.put("/api/v1/me/phone", json!({"phone": JOHNS}), &house.john).await;
    assert_eq!(refused.problem(), (503, "unavailable".into()));
    gateway.is_busy(None);
    assert_eq!(ask(&house, JOHNS, &house.john).await.0, 202);
    let code = code(&gateway, JOHNS);
    assert_eq!(confirm(&house, &code, &house.john).await.0, 200);

    gateway.is_busy(7200);
    house.submitted().await;
    assert!(!house.it.letters().await.is_empty(), "letters do not wait for it");
    gateway.is_busy(None);
    house.it.clock.advance(TimeDelta::seconds(7199));
    house.it.letters().await;
    assert!(gateway.taken().is_empty(), "not before it asked for");
    house.it.clock.advance(TimeDelta::seconds(1));
    house.it.letters().await;
    assert_eq!(gateway.taken().len(), 1);
}

#[tokio::test]
async fn without_a_gateway_no_text_is_planned_and_no_number_asked_for() {
    let house = House::new().await;
    assert_eq!(ask(&house, JOHNS, &house.john).await, (409, "no_text_messages".into()));
    let channels = house.it.server.state().desk.policy().channels.len();
    assert_eq!(channels, 1);
    let (with, _gateway, _folder) = self::house().await;
    assert_eq!(with.it.server.state().desk.policy().channels.len(), 2, "the gateway is what has them planned");
}
