//! What happens when the parts of the server do not go together: another process, a half that failed, a person too many.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, Request};
use complaint_core::Policy;
use complaint_core::reference::Reference;
use reference_server::auth::{NewStaff, Role};
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{PASSWORD, With};

fn find<'a>(list: &'a Value, name: &str, wanted: &str) -> &'a Value {
    let items = list["items"].as_array().expect("items");
    items.iter().find(|item| item[name] == wanted).unwrap_or_else(|| panic!("no {wanted} in {list}"))
}

#[tokio::test]
async fn an_address_that_its_owner_has_not_confirmed_is_not_written_to() {
    let house = House::new().await;
    assert_eq!(house.it.sign_up("new@example.org").await.status, 202);
    let users = house.read("/api/v1/users?role=customer&limit=100", &house.admin).await;
    let customer = find(&users, "email", "new@example.org")["id"].clone();
    let mut body = House::broken_kettle();
    body["contact"]["email"] = json!("stranger@example.net");
    body["customer"] = customer;
    body["channel"] = json!("phone");
    let made = house.it.post_with("/api/v1/complaints", body, &house.sarah).await;
    assert_eq!(made.status, 201, "{}", made.text);
    house.submitted().await;
    let told: BTreeSet<String> = house.it.letters().await.into_iter().map(|(to, _)| to).collect();
    assert!(told.contains("john@example.org"), "{told:?}");
    assert!(!told.contains("stranger@example.net") && !told.contains("new@example.org"), "{told:?}");
}

#[tokio::test]
async fn methods_that_are_made_up_make_no_labels() {
    let house = House::new().await;
    let made_up = Method::from_bytes(b"BREWCOFFEE").expect("a method");
    let refused = house.it.send(made_up, "/api/v1/me", None, Vec::new(), &With::default()).await;
    assert_eq!(refused.status, 405, "{}", refused.text);
    let measured = house.it.get("/metrics", &With::from("127.0.0.1")).await.text;
    assert!(measured.contains("method=\"other\"") && measured.contains("method=\"GET\""), "{measured}");
    assert!(!measured.contains("BREWCOFFEE"));
}

#[tokio::test]
async fn a_policy_that_another_process_made_comes_into_force() {
    let house = House::new().await;
    let state = house.it.server.state();
    let before = state.desk.policy();
    let mut next = Policy::clone(&before);
    next.agents_may_take = !before.agents_may_take;
    let toml = next.to_toml().expect("writes");
    state.policies.append(before.version, &toml, "an import", state.clock.now()).await.expect("keeps");
    assert_eq!(state.desk.policy().version, before.version);
    state.sweep().await.expect("sweeps");
    let now = state.desk.policy();
    assert_eq!((now.version, now.agents_may_take), (before.version + 1, next.agents_may_take));
}

#[tokio::test]
async fn a_server_whose_worker_is_down_is_not_ready() {
    let house = House::new().await;
    let state = house.it.server.state();
    state.workers.say("sweep", true);
    assert_eq!(house.it.get("/health/ready", &With::default()).await.problem(), (503, "unavailable".into()));
    assert_eq!(house.it.get("/health/live", &With::default()).await.status, 200);
    state.workers.say("sweep", false);
    assert_eq!(house.it.get("/health/ready", &With::default()).await.status, 200);
}

#[tokio::test]
async fn an_agent_that_was_half_made_is_finished_by_the_same_request() {
    let house = House::new().await;
    let staff = NewStaff {
        name: "Zoe Lang",
        email: "zoe@example.org",
        phone: None,
        role: Role::Agent,
        password: Some(PASSWORD),
    };
    let account = house.it.server.state().accounts.create_staff(staff).await.expect("an account");
    let body = json!({"name": "Zoe Lang", "email": "Zoe@example.org", "level": 2, "password": PASSWORD});
    let made = house.it.post_with("/api/v1/agents", body.clone(), &house.admin).await;
    assert_eq!((made.status.as_u16(), &made.json()["id"]), (201, &json!(account.id)), "{}", made.text);
    let zoe = With::bearer(&house.it.token("zoe@example.org").await);
    assert_eq!(house.it.get("/api/v1/agents", &zoe).await.status, 200, "she supervises");
    for email in ["zoe@example.org", "john@example.org", "ada@example.org"] {
        let mut body = body.clone();
        body["email"] = json!(email);
        let refused = house.it.post_with("/api/v1/agents", body, &house.admin).await;
        assert_eq!(refused.problem(), (409, "email_taken".into()), "{email}");
    }
}

#[tokio::test]
async fn a_repetition_by_reference_gives_the_first_answer_after_access_is_lost() {
    let house = House::new().await;
    let made = house.submitted().await;
    let reference = made["reference"].as_str().expect("a reference");
    let path = format!("/api/v1/complaints/{reference}");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let once = house.sarah.clone().header("idempotency-key", "escalate-1");
    let first = house.command(&path, "escalate", json!({"reason": "Not mine."}), &once).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(house.it.get(&path, &house.sarah).await.problem(), (404, "not_found".into()));
    let again = house.command(&path, "escalate", json!({"reason": "Not mine."}), &once).await;
    assert_eq!((again.status, again.text), (first.status, first.text));
    // Under a key of one's own, a complaint of others answers as one that is not there.
    let unknown = format!("/api/v1/complaints/{}", Reference::from_entropy(17));
    for body in [json!({"reason": "Let me."}), json!({"reason": 7})] {
        let key = house.jane.clone().header("idempotency-key", "jane-1");
        let others = house.command(&path, "escalate", body.clone(), &key).await;
        let nobodys = house.command(&unknown, "escalate", body, &key).await;
        assert_eq!((others.status, others.text), (nobodys.status, nobodys.text));
    }
}

#[tokio::test]
async fn one_person_has_twenty_streams_and_no_more() {
    let house = House::new().await;
    let open = async |who: &With| {
        let token = who.bearer.clone().expect("a token");
        let request = Request::get("/api/v1/live").header("host", "127.0.0.1:8080");
        let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        house.it.open(request.body(Body::empty()).expect("a request")).await
    };
    let mut streams = Vec::new();
    for _ in 0..20 {
        let stream = open(&house.john).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    // A stream that is not refused does not end.
    let answer = house.it.get("/api/v1/live", &house.john);
    let refused = tokio::time::timeout(Duration::from_mins(1), answer).await.expect("one too many is refused");
    assert_eq!(refused.problem(), (429, "too_many_streams".into()));
    assert_eq!(refused.header("retry-after"), "30");
    assert_eq!(open(&house.jane).await.status(), 200, "others have their own");
    streams.pop();
    assert_eq!(open(&house.john).await.status(), 200, "a place is free again");
}
