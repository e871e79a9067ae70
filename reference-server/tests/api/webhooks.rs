//! Webhooks: told to a program that stands beside the test, and managed by admins.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use chrono::TimeDelta;
use serde_json::{Value, json};
use standardwebhooks::Webhook as Oracle;

use crate::house::House;
use crate::support::{Answer, Harness, PASSWORD, With};

/// A program: what it was told, with the headers, and what it answers.
#[derive(Clone)]
struct Program {
    told: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<StatusCode>>,
    url: String,
}

impl Program {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
        let program = Self { told: Arc::default(), answers: Arc::new(Mutex::new(StatusCode::NO_CONTENT)), url };
        let routes = Router::new().route("/hooks", post(Self::hear)).with_state(program.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        program
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn hear(State(program): State<Self>, headers: HeaderMap, body: String) -> StatusCode {
        program.told.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
        *program.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn kinds(&self) -> Vec<String> {
        let kind = |body: &str| read(body)["type"].as_str().expect("a type").to_owned();
        self.taken().iter().map(|(_, body)| kind(body)).collect()
    }

    fn answers(&self, status: StatusCode) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Whether a foreign implementation signs a message so. The server's clock is not the machine's, by which it would verify.
fn believes(secret: &str, (headers, body): &(HeaderMap, String)) -> bool {
    let header = |name: &str| headers[name].to_str().expect("visible ASCII");
    let at = header("webhook-timestamp").parse().expect("seconds");
    let oracle = Oracle::new(secret).expect("a secret");
    let signed = oracle.sign(header("webhook-id"), at, body.as_bytes()).expect("signed");
    header("webhook-signature").split(' ').any(|it| it == signed)
}

async fn house() -> House {
    House::over(Harness::with_args(|args| args.webhook_network = vec!["127.0.0.0/8".to_owned()]).await).await
}

/// A webhook for a program; its path and secret.
async fn made(house: &House, program: &Program, events: &[&str]) -> (String, String) {
    let body = json!({"name": "Shop", "url": program.url, "events": events});
    let made = house.it.post_with("/api/v1/webhooks", body, &house.admin).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = made.header("location").to_owned();
    (path, made.json()["secret"].as_str().expect("a secret").to_owned())
}

async fn sent(house: &House, path: &str) -> Vec<Value> {
    let page = house.read(&format!("{path}/deliveries"), &house.admin).await;
    page["items"].as_array().expect("items").clone()
}

#[tokio::test]
async fn a_program_is_told_what_it_asked_for_signed_and_without_words() {
    let (house, program) = (house().await, Program::start().await);
    let (path, secret) = made(&house, &program, &["submitted", "assigned", "posted", "resolved"]).await;
    let view = house.read(&path, &house.admin).await;
    assert_eq!(view["events"], json!(["submitted", "assigned", "resolved", "posted"]));
    assert!(!view.to_string().contains(&secret), "the secret is shown once");
    let made = house.submitted().await;
    let complaint = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    house.done(&complaint, "begin", json!({}), &house.sarah).await;
    house.done(&complaint, "post", json!({"text": "zz-words"}), &house.john).await;
    house.it.letters().await;
    let told = program.taken();
    for it in &told {
        assert!(believes(&secret, it), "{it:?}");
        for typed in ["kettle", "Kettle", "cracked", "zz-", "John", "Sarah", "@", "+44"] {
            assert!(!it.1.contains(typed), "{typed} in {}", it.1);
        }
    }
    let bodies: Vec<Value> = told.iter().map(|(_, body)| read(body)).collect();
    let kinds: Vec<&str> = bodies.iter().map(|body| body["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["complaint.submitted", "complaint.assigned", "complaint.posted"]);
    let last = &bodies[2]["data"];
    assert_eq!(
        (&last["reference"], &last["status"], &last["by"]),
        (&made["reference"], &json!("in_progress"), &json!("customer"))
    );
    let now = house.read(&complaint, &house.sarah).await;
    assert_eq!((&last["version"], &last["level"]), (&now["version"], &json!(1)));
    let sent = sent(&house, &path).await;
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|it| it["delivered"] == true && it["status"] == 204 && it["attempts"] == 1), "{sent:?}");
    assert_eq!((&sent[0]["type"], &sent[0]["reference"]), (&json!("complaint.posted"), &made["reference"]));
    assert_eq!(sent[0]["body"], bodies[2]);

    house.it.delete(&path, &house.admin).await;
    house.submitted().await;
    house.it.letters().await;
    assert!(program.taken().is_empty(), "forgotten");
}

#[tokio::test]
async fn two_keys_are_good_while_one_replaces_the_other() {
    let (house, program) = (house().await, Program::start().await);
    let (path, old) = made(&house, &program, &[]).await;
    let rotated = house.it.send(Method::POST, &format!("{path}/secret"), None, Vec::new(), &house.admin).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let new = rotated.json()["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(rotated.json()["former_until"], "2026-03-03T09:00:00Z");
    assert_ne!(old, new);
    let ping = async || {
        let pinged = house.it.send(Method::POST, &format!("{path}/ping"), None, Vec::new(), &house.admin).await;
        assert_eq!((pinged.status.as_u16(), &pinged.json()["delivered"]), (200, &json!(true)));
        program.taken().remove(0)
    };
    let both = ping().await;
    assert_eq!(read(&both.1)["type"], "ping");
    assert!(believes(&old, &both) && believes(&new, &both));
    let tampered = (both.0.clone(), both.1.replace("ping", "pong"));
    assert!(!believes(&old, &tampered) && !believes(&new, &tampered));
    house.it.clock.advance(TimeDelta::hours(24));
    let later = ping().await;
    assert!(!believes(&old, &later) && believes(&new, &later));
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again_and_by_hand() {
    let (house, program) = (house().await, Program::start().await);
    let (path, secret) = made(&house, &program, &["submitted"]).await;
    program.answers(StatusCode::INTERNAL_SERVER_ERROR);
    house.submitted().await;
    house.it.letters().await;
    let first = program.taken();
    assert_eq!(first.len(), 1);
    let failed = sent(&house, &path).await.remove(0);
    assert_eq!((&failed["delivered"], &failed["status"], &failed["attempts"]), (&json!(false), &json!(500), &json!(1)));
    assert!(failed["why"].as_str().expect("why").contains("500"));
    assert_eq!(house.read(&path, &house.admin).await["failing_since"], "2026-03-02T09:00:00Z");
    house.it.clock.advance(TimeDelta::seconds(29));
    house.it.letters().await;
    assert!(program.taken().is_empty(), "not yet");
    house.it.clock.advance(TimeDelta::seconds(1));
    house.it.letters().await;
    let second = program.taken();
    assert_eq!((second.len(), &second[0].1), (1, &first[0].1), "the same again");
    assert_eq!(second[0].0["webhook-id"], first[0].0["webhook-id"]);

    program.answers(StatusCode::OK);
    let message = failed["id"].as_str().expect("an id");
    let again = format!("{path}/deliveries/{message}/redeliver");
    let again = house.it.send(Method::POST, &again, None, Vec::new(), &house.admin).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["delivered"], &again.json()["attempts"]),
        (200, &json!(true), &json!(3))
    );
    let by_hand = program.taken().remove(0);
    assert_eq!((&by_hand.1, &by_hand.0["webhook-id"]), (&first[0].1, &first[0].0["webhook-id"]));
    assert!(believes(&secret, &by_hand));
    assert_eq!(house.read(&path, &house.admin).await["failing_since"], json!(null));
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_put_out_of_use_and_the_admins_hear_of_it() {
    let (house, program) = (house().await, Program::start().await);
    let (path, _) = made(&house, &program, &["submitted"]).await;
    let tend = async || house.it.server.state().tend_webhooks().await.expect("tends");
    program.answers(StatusCode::INTERNAL_SERVER_ERROR);
    house.submitted().await;
    house.it.letters().await;
    house.it.clock.advance(TimeDelta::days(5) - TimeDelta::seconds(1));
    tend().await;
    assert_eq!(house.read(&path, &house.admin).await["enabled"], true, "not before its time");
    house.it.clock.advance(TimeDelta::seconds(1));
    tend().await;
    let view = house.read(&path, &house.admin).await;
    assert_eq!(view["enabled"], false);
    assert!(view["disabled_why"].as_str().expect("why").contains("2 March 2026"), "{view}");
    let letters = house.it.letters().await;
    let told: Vec<_> = letters.iter().filter(|(_, text)| text.contains("webhook")).collect();
    assert_eq!(told.len(), 1, "{letters:?}");
    assert!(told[0].0 == "ada@example.org" && told[0].1.contains("/admin/webhooks/"), "{told:?}");
    assert!(house.it.server.state().desk.policy().endpoints.is_empty());
    program.taken();
    house.submitted().await;
    house.it.letters().await;
    tend().await;
    assert!(program.taken().is_empty() && house.it.letters().await.is_empty(), "told nothing, and told once");

    program.answers(StatusCode::OK);
    let enabled = house.it.patch(&path, json!({"enabled": true}), &house.admin).await.json();
    assert_eq!(
        (&enabled["enabled"], &enabled["disabled_why"], &enabled["failing_since"]),
        (&json!(true), &json!(null), &json!(null))
    );
    house.submitted().await;
    house.it.letters().await;
    assert_eq!(program.kinds(), ["complaint.submitted"]);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_put_out_of_use_at_once() {
    let (house, program) = (house().await, Program::start().await);
    let (path, _) = made(&house, &program, &["submitted"]).await;
    program.answers(StatusCode::GONE);
    house.submitted().await;
    house.it.letters().await;
    house.it.server.state().tend_webhooks().await.expect("tends");
    let view = house.read(&path, &house.admin).await;
    assert_eq!(view["enabled"], false);
    assert!(view["disabled_why"].as_str().expect("why").contains("410"), "{view}");
    house.it.clock.advance(TimeDelta::days(1));
    house.it.letters().await;
    assert_eq!(program.taken().len(), 1, "not tried again");
}

#[tokio::test]
async fn each_wrong_value_is_named_and_nothing_is_half_done() {
    let house = house().await;
    let add = async |body: Value| house.it.post_with("/api/v1/webhooks", body, &house.admin).await;
    let named = |answer: &Answer, field: &str, code: &str| {
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.fields().contains(&(field.to_owned(), code.to_owned())), "{field} {code}: {}", answer.text);
    };
    let with = |field: &str, value: Value| {
        let mut body = json!({"name": "Shop", "url": "https://shop.example/hooks"});
        body[field] = value;
        body
    };
    for (field, value, code) in [
        ("name", json!(" "), "missing"),
        ("name", json!("x".repeat(101)), "too_long"),
        ("name", json!("a\nb"), "not_one_line"),
        ("name", json!("a\u{0}"), "control_character"),
        ("name", json!(5), "invalid_type"),
        ("url", json!(""), "missing"),
        ("url", json!("shop.example"), "invalid"),
        ("url", json!("http://shop.example/"), "invalid"),
        ("url", json!("ftp://shop.example/"), "invalid"),
        ("url", json!("https://u:p@shop.example/"), "invalid"),
        ("url", json!("https://shop.example/#a"), "invalid"),
        ("url", json!("https://10.0.0.1/"), "invalid"),
        ("url", json!("https://169.254.169.254/latest"), "invalid"),
        ("url", json!("https://[::1]/"), "invalid"),
        ("url", json!("https://[::ffff:192.168.0.1]/"), "invalid"),
        ("url", json!("https://0x0a000001/"), "invalid"),
        ("url", json!("https://shop.example/\nx"), "not_one_line"),
        ("url", json!(format!("https://shop.example/{}", "x".repeat(2000))), "too_long"),
        ("events", json!(["resolved", "exploded"]), "unknown_value"),
        ("events", json!("resolved"), "invalid_type"),
        ("secret", json!("whsec_x"), "unknown_field"),
    ] {
        named(&add(with(field, value)).await, field, code);
    }
    let all = add(json!({"name": "", "url": "x", "events": ["x"]})).await;
    for (field, code) in [("name", "missing"), ("url", "invalid"), ("events", "unknown_value")] {
        named(&all, field, code);
    }
    let keyed = house.admin.clone().header("idempotency-key", "k-1");
    let keyed = house.it.post_with("/api/v1/webhooks", with("name", json!("Shop")), &keyed).await;
    assert_eq!(keyed.problem(), (400, "idempotency_key_not_supported".into()));
    let keyed = house.admin.clone().header("idempotency-key", "k-1");
    for door in ["secret", "ping", "deliveries/msg_0/redeliver"] {
        let door = format!("/api/v1/webhooks/01900000-0000-7000-8000-000000000000/{door}");
        let refused = house.it.send(Method::POST, &door, None, Vec::new(), &keyed).await;
        assert_eq!(refused.problem(), (400, "idempotency_key_not_supported".into()), "{door}");
    }
    assert_eq!(house.read("/api/v1/webhooks", &house.admin).await["items"], json!([]));
    assert!(house.it.server.state().desk.policy().endpoints.is_empty());

    let program = Program::start().await;
    let (path, _) = made(&house, &program, &[]).await;
    let wrong = house.it.patch(&path, json!({"url": "http://shop.example", "name": ""}), &house.admin).await;
    named(&wrong, "url", "invalid");
    named(&wrong, "name", "missing");
    assert_eq!(house.read(&path, &house.admin).await["name"], "Shop");
    for query in ["limit=0", "limit=101", "limit=x", "cursor=!", "cursor=YQ", "colour=red"] {
        let answer = house.it.get(&format!("{path}/deliveries?{query}"), &house.admin).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
    }
    for number in 1..20 {
        assert_eq!(add(with("name", json!(format!("Shop {number}")))).await.status, 201);
    }
    assert_eq!(add(with("name", json!("One more"))).await.problem(), (409, "too_many_webhooks".into()));
}

#[tokio::test]
async fn webhooks_are_for_admins_and_auditors_look_on() {
    let (house, program) = (house().await, Program::start().await);
    let (path, _) = made(&house, &program, &[]).await;
    let otto = json!({"name": "Otto", "email": "otto@example.org", "role": "auditor", "password": PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/users", otto, &house.admin).await.status, 201);
    let otto = With::bearer(&house.it.token("otto@example.org").await);
    let doors = [
        (Method::GET, "/api/v1/webhooks".to_owned(), true),
        (Method::GET, path.clone(), true),
        (Method::GET, format!("{path}/deliveries"), true),
        (Method::POST, "/api/v1/webhooks".to_owned(), false),
        (Method::PATCH, path.clone(), false),
        (Method::DELETE, path.clone(), false),
        (Method::POST, format!("{path}/secret"), false),
        (Method::POST, format!("{path}/ping"), false),
        (Method::POST, format!("{path}/deliveries/msg_0/redeliver"), false),
    ];
    for (method, door, reads) in doors {
        let kind = matches!(method, Method::POST | Method::PATCH).then_some("application/json");
        let send = async |who: &With| house.it.send(method.clone(), &door, kind, b"{}".to_vec(), who).await.status;
        assert_eq!(send(&With::default()).await, 401, "{method} {door}");
        for who in [&house.john, &house.sarah, &house.omar] {
            assert_eq!(send(who).await, 403, "{method} {door}");
        }
        assert_eq!(send(&otto).await, if reads { 200 } else { 403 }, "{method} {door}");
        let missing = door.replace(path.rsplit('/').next().expect("an id"), "01900000-0000-7000-8000-000000000000");
        for missing in [missing.clone(), missing.replace("01900000-0000-7000-8000-000000000000", "shop")] {
            if missing != door {
                let answer = house.it.send(method.clone(), &missing, kind, b"{}".to_vec(), &house.admin).await;
                assert_eq!(answer.problem(), (404, "not_found".into()), "{method} {missing}");
            }
        }
    }
    assert!(program.taken().is_empty());
    let unknown = format!("{path}/deliveries/msg_%00/redeliver");
    let unknown = house.it.send(Method::POST, &unknown, None, Vec::new(), &house.admin).await;
    assert_eq!(unknown.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn deliveries_come_in_pages() {
    let (house, program) = (house().await, Program::start().await);
    let (path, _) = made(&house, &program, &[]).await;
    for _ in 0..5 {
        house.it.send(Method::POST, &format!("{path}/ping"), None, Vec::new(), &house.admin).await;
    }
    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = house.read(&format!("{path}/deliveries?limit=2&cursor={cursor}"), &house.admin).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(|it| it["id"].to_string()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 5);
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 5, "each once");
    house.it.clock.advance(TimeDelta::days(31));
    house.it.server.state().tend_webhooks().await.expect("tends");
    let admin = With::bearer(&house.it.token("ada@example.org").await);
    assert_eq!(house.read(&format!("{path}/deliveries"), &admin).await["items"], json!([]), "kept for thirty days");
}
