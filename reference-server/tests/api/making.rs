//! What is made under an `Idempotency-Key` is made once.

use serde_json::{Value, json};

use crate::house::House;
use crate::support::{OTHER_PASSWORD, PASSWORD, With};

/// Every door that makes something beside complaints, with a body and another one for the same key.
pub(crate) fn doors() -> [(&'static str, Value, Value); 4] {
    let agent = |password: &str| json!({"name": "Zoe Lind", "email": "zoe@example.org", "password": password});
    let user = |role: &str| json!({"name": "Uma Falk", "email": "uma@example.org", "role": role});
    let customer =
        |name: &str| json!({"name": name, "email": "kim@example.org", "role": "customer", "password": PASSWORD});
    let category = |weight: u32| json!({"name": "Wrong colour", "weight": weight});
    [
        // That the password alone differs is another request, too.
        ("/api/v1/agents", agent(PASSWORD), agent(OTHER_PASSWORD)),
        ("/api/v1/users", user("auditor"), user("admin")),
        ("/api/v1/users", customer("Kim"), customer("Kim Berg")),
        ("/api/v1/categories", category(2), category(3)),
    ]
}

#[tokio::test]
async fn the_same_key_with_the_same_request_gives_the_first_answer() {
    let house = House::new().await;
    for (at, (path, body, other)) in doors().into_iter().enumerate() {
        let keyed = house.admin.clone().header("idempotency-key", &format!("key-{at}"));
        let first = house.it.post_with(path, body.clone(), &keyed).await;
        assert_eq!(first.status, 201, "{path}: {}", first.text);
        assert!(first.header("location").starts_with(path), "{path}: {}", first.header("location"));
        let again = house.it.post_with(path, body.clone(), &keyed).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("content-type"), "application/json");
        let reused = house.it.post_with(path, other, &keyed).await;
        assert_eq!(reused.problem(), (422, "idempotency_key_reused".into()), "{path}: {}", reused.text);
        // Without the key it is a second one.
        assert_eq!(house.it.post_with(path, body, &house.admin).await.status, 409, "{path}");
    }
    // The key that made an agent does not stand for a category.
    let keyed = house.admin.clone().header("idempotency-key", "key-0");
    let elsewhere = house.it.post_with("/api/v1/categories", json!({"name": "Too late"}), &keyed).await;
    assert_eq!(elsewhere.problem(), (422, "idempotency_key_reused".into()));
    let bad = house.admin.clone().header("idempotency-key", "with a blank");
    let bad = house.it.post_with("/api/v1/categories", json!({"name": "Too late"}), &bad).await;
    assert_eq!(bad.problem(), (400, "invalid_idempotency_key".into()));
}

#[tokio::test]
async fn what_was_refused_leaves_the_key_free_and_keys_are_each_admin_s_own() {
    let house = House::new().await;
    let keyed = house.admin.clone().header("idempotency-key", "one");
    let zoe = |level: u8| json!({"name": "Zoe", "email": "zoe@example.org", "level": level, "password": PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/agents", zoe(9), &keyed).await.status, 422);
    assert_eq!(house.it.post_with("/api/v1/agents", zoe(1), &keyed).await.status, 201);
    let uma = json!({"name": "Uma", "email": "uma@example.org", "role": "admin", "password": PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/users", uma, &house.admin).await.status, 201);
    let uma = With::bearer(&house.it.token("uma@example.org").await).header("idempotency-key", "one");
    let made = house.it.post_with("/api/v1/categories", json!({"name": "Wrong colour"}), &uma).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_is_made_and_all_get_its_answer() {
    let house = House::new().await;
    for (at, (path, body, _)) in doors().into_iter().enumerate() {
        let keyed = house.admin.clone().header("idempotency-key", &format!("key-{at}"));
        let tries = (0..6).map(|_| house.it.post_with(path, body.clone(), &keyed));
        let answers = futures_util::future::join_all(tries).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.text), (201, &answers[0].text), "{path}");
        }
    }
}

/// What keeps no answer says so, instead of letting a repetition pass for the first request.
#[tokio::test]
async fn a_key_that_cannot_be_kept_is_refused_and_nothing_is_done() {
    let house = House::new().await;
    let who = json!({"email": "john@example.org", "password": PASSWORD});
    let kim = json!({"name": "Kim", "email": "kim@example.org", "password": PASSWORD});
    let keyed = With::default().header("idempotency-key", "one");
    let letters = house.it.letters().await.len();
    for (path, body) in [
        ("/api/v1/tokens", who.clone()),
        ("/api/v1/sessions", who.clone()),
        ("/api/v1/accounts", kim),
        ("/api/v1/accounts/verify", json!({"token": "x"})),
        ("/api/v1/accounts/verification", json!({"email": "john@example.org"})),
        ("/api/v1/invitations/accept", json!({"token": "x", "password": PASSWORD})),
        ("/api/v1/setup", json!({"token": "x"})),
    ] {
        let refused = house.it.post_with(path, body, &keyed).await;
        assert_eq!(refused.problem(), (400, "idempotency_key_not_supported".into()), "{path}: {}", refused.text);
    }
    assert_eq!(house.it.letters().await.len(), letters);
    assert_eq!(house.it.post_with("/api/v1/tokens", who, &With::default()).await.status, 201);
    // Every door says which it is: the key is read there, or refused.
    let described = house.it.get("/api/openapi.json", &With::default()).await.text;
    let described: Value = serde_json::from_str(&described).expect("JSON");
    for (path, doors) in described["paths"].as_object().expect("paths") {
        let Some(post) = doors.get("post") else { continue };
        let refuses = post["responses"]["400"]["description"].as_str().unwrap_or_default();
        let reads = post["parameters"].to_string().contains("Idempotency-Key");
        assert_ne!(reads, refuses.contains("idempotency_key_not_supported"), "{path}");
    }
}
