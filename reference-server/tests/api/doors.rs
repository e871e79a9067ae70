//! Every wrong key at the doors of complaints and commands.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, With};

fn named(answer: &Answer, field: &str, code: &str) {
    assert_eq!(answer.status, 422, "{field}: {}", answer.text);
    assert!(answer.fields().contains(&(field.to_owned(), code.to_owned())), "{field} {code}: {}", answer.text);
}

#[tokio::test]
async fn a_submission_is_refused_with_every_fault_named() {
    let house = House::new().await;
    let it = &house.it;
    let with = |field: &str, value: Value| {
        let mut body = House::broken_kettle();
        body[field] = value;
        body
    };
    for (field, value, code) in [
        ("subject", json!(""), "missing"),
        ("subject", json!("x".repeat(201)), "too_long"),
        ("subject", json!("a\nb"), "not_one_line"),
        ("subject", json!("a\u{0000}"), "control_character"),
        ("subject", json!(5), "invalid_type"),
        ("subject", json!(["a"]), "invalid_type"),
        ("contact", json!(5), "invalid_type"),
        ("description", json!("x".repeat(64 * 1024 + 1)), "too_long"),
        ("category", json!("Noise"), "unknown_category"),
        ("category", json!("!?*"), "invalid"),
        ("wish", json!("a pony"), "unknown_value"),
        ("purchase_date", json!("2026-02-30"), "invalid"),
        ("priority", json!("urgent"), "unknown_field"),
        ("status", json!("closed"), "unknown_field"),
        ("handler", json!("u_1"), "unknown_field"),
        ("channel", json!("phone"), "unknown_field"),
        ("customer", json!("u_1"), "unknown_field"),
    ] {
        let refused = it.post_with("/api/v1/complaints", with(field, value), &house.john).await;
        named(&refused, field, code);
    }
    let known = async |who: &With| {
        let refused = it.post_with("/api/v1/complaints", with("priority", json!("urgent")), who).await.text;
        ["channel", "customer"].map(|field| refused.contains(field))
    };
    assert_eq!(known(&house.john).await, [false; 2], "each is told of what they may send");
    assert_eq!(known(&house.ben).await, [true; 2]);
    let future = it.post_with("/api/v1/complaints", with("purchase_date", json!("2030-01-01")), &house.john).await;
    assert_eq!((future.status.as_u16(), future.fields()[0].0.as_str()), (422, "purchase_date"));
    let empty = it.post_with("/api/v1/complaints", json!({}), &house.john).await;
    let all = ["category", "subject", "description"].map(|field| (field.to_owned(), "missing".to_owned()));
    assert_eq!((empty.status.as_u16(), empty.fields()), (422, all.to_vec()));
    named(&it.post_with("/api/v1/complaints", json!({"subject": "x"}), &house.john).await, "category", "missing");
    named(
        &it.post_with("/api/v1/complaints", with("contact", json!({"fax": "1"})), &house.john).await,
        "contact.fax",
        "unknown_field",
    );
    for (items, field, code) in [
        (json!([{"kind": "order", "key": "1"}, {"kind": "order"}]), "items.1.key", "missing"),
        (json!([{"kind": "order", "key": 1}]), "items.0.key", "invalid_type"),
        (json!([{"kind": "order", "key": "1"}, {"kind": "order", "key": ""}]), "items.1.key", "missing"),
        (json!([{"kind": "order", "key": "1", "x": 1}]), "items.0.x", "unknown_field"),
        (json!([{"kind": "a\u{7}", "key": "1"}]), "items.0.kind", "control_character"),
    ] {
        named(&it.post_with("/api/v1/complaints", with("items", items), &house.john).await, field, code);
    }
    let mut several = House::broken_kettle();
    several["subject"] = json!("");
    several["description"] = json!(" ");
    several["category"] = json!("Noise");
    let refused = it.post_with("/api/v1/complaints", several, &house.john).await;
    let fields: Vec<String> = refused.fields().into_iter().map(|(field, _)| field).collect();
    for field in ["subject", "description", "category"] {
        assert!(fields.iter().any(|known| known == field), "{fields:?}");
    }
    let list = house.read("/api/v1/complaints", &house.john).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "nothing is half done");
    assert!(it.letters().await.is_empty());
    let mut left_out = with("contact", json!(null));
    (left_out["answers"], left_out["items"]) = (json!(null), json!(null));
    let taken = it.post_with("/api/v1/complaints", left_out, &house.john).await;
    assert_eq!(taken.status, 201, "what may be left out may be null: {}", taken.text);
}

#[tokio::test]
async fn other_bodies_are_refused_whole() {
    let house = House::new().await;
    let path = house.complaint().await;
    for path in ["/api/v1/complaints".to_owned(), format!("{path}/commands/post")] {
        let send = |kind: Option<&'static str>, body: &'static str| {
            house.it.send(
                Method::POST,
                Box::leak(path.clone().into_boxed_str()),
                kind,
                body.as_bytes().to_vec(),
                &house.john,
            )
        };
        assert_eq!(send(Some("text/plain"), "{}").await.problem(), (415, "unsupported_media_type".into()));
        assert_eq!(send(None, "{}").await.problem(), (415, "unsupported_media_type".into()));
        let packed = house.john.clone().header("content-encoding", "gzip");
        let packed = house.it.post_with(&path, json!({"text": "Packed?"}), &packed).await;
        assert_eq!(packed.problem(), (415, "unsupported_media_type".into()));
        assert_eq!(send(Some("application/json"), "{").await.problem(), (400, "malformed_json".into()));
        assert_eq!(send(Some("application/json"), "[]").await.problem(), (422, "invalid_body".into()));
        let twice = send(Some("application/json"), r#"{"text":"a","text":"b"}"#).await;
        assert_eq!((twice.status.as_u16(), &twice.fields()[0]), (422, &("text".into(), "duplicate".into())));
    }
}

#[tokio::test]
async fn strangers_and_the_unverified_are_turned_away() {
    let house = House::new().await;
    let path = house.complaint().await;
    let nobody = With::default();
    for door in [
        "",
        "/log",
        "/messages",
        "/deadlines",
        "/routing",
        "/commands",
        "/live",
        "/attachments/0190c6e6-0000-7000-8000-000000000000",
    ] {
        assert_eq!(
            house.it.get(&format!("{path}{door}"), &nobody).await.problem(),
            (401, "not_logged_in".into()),
            "{door}"
        );
    }
    for door in [
        "/api/v1/complaints",
        "/api/v1/live",
        "/api/v1/lifecycle",
        "/api/v1/agents",
        "/api/v1/users",
        "/api/v1/reports/summary",
    ] {
        assert_eq!(house.it.get(door, &nobody).await.problem(), (401, "not_logged_in".into()), "{door}");
    }
    assert_eq!(house.it.post("/api/v1/complaints", House::broken_kettle()).await.status, 401);
    assert_eq!(house.command(&path, "withdraw", json!({}), &nobody).await.status, 401);
    assert_eq!(house.upload(&path, &[("a.txt", "text/plain", b"a")], &nobody).await.status, 401);
    assert_eq!(house.it.get(&path, &With::bearer("cpl_forged")).await.status, 401);
    house.it.sign_up("late@example.org").await;
    assert_eq!(house.it.log_in("late@example.org").await.problem(), (403, "email_unverified".into()));
}

#[tokio::test]
async fn a_foreign_complaint_is_a_missing_one() {
    let house = House::new().await;
    let made = house.submitted().await;
    let (id, reference) = (made["id"].as_str().expect("an id"), made["reference"].as_str().expect("a reference"));
    let missing = "0190c6e6-0000-7000-8000-000000000000";
    let truth = house.it.get(&format!("/api/v1/complaints/{missing}"), &house.jane).await;
    assert_eq!(truth.problem(), (404, "not_found".into()));
    for who in [&house.jane, &house.ben] {
        for name in [id, reference, missing, "C7KQ-2M9X-4", "not-an-id", "%00"] {
            for door in ["", "/log", "/messages", "/deadlines", "/routing", "/commands", "/live"] {
                let answer = house.it.get(&format!("/api/v1/complaints/{name}{door}"), who).await;
                assert_eq!((answer.status, &answer.text), (truth.status, &truth.text), "{name}{door}");
            }
            for command in ["withdraw", "note", "nonsense"] {
                let answer =
                    house.command(&format!("/api/v1/complaints/{name}"), command, json!({"text": "a"}), who).await;
                assert_eq!((answer.status, &answer.text), (truth.status, &truth.text), "{name} {command}");
            }
            let answer =
                house.upload(&format!("/api/v1/complaints/{name}"), &[("a.txt", "text/plain", b"a")], who).await;
            assert_eq!((answer.status, &answer.text), (truth.status, &truth.text), "{name} attachments");
        }
    }
    let list = house.read("/api/v1/complaints", &house.jane).await;
    assert_eq!(list, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn a_stale_version_is_told_the_current_one() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let seen = |tag: &str| house.sarah.clone().header("if-match", tag);
    let stale = house.command(&path, "ask", json!({"text": "When?"}), &seen("\"1\"")).await;
    assert_eq!(stale.problem(), (409, "stale_version".into()));
    assert_eq!((stale.json()["current_version"].as_u64(), stale.header("etag")), (Some(2), "\"2\""));
    for wrong in ["1", "W/\"2\"", "\"two\"", "\"2\", \"3\"", "\"-1\"", "\"+2\"", "\"02\"", "\"\"", "", "*, \"2\""] {
        let refused = house.command(&path, "ask", json!({"text": "When?"}), &seen(wrong)).await;
        assert_eq!(refused.problem(), (400, "invalid_if_match".into()), "{wrong}");
    }
    for first in ["\"2\"", "*"] {
        let twice = seen(first).header("if-match", "\"1\"");
        let refused = house.command(&path, "ask", json!({"text": "When?"}), &twice).await;
        assert_eq!(refused.problem(), (400, "invalid_if_match".into()), "{first}");
    }
    let done = house.command(&path, "ask", json!({"text": "When?"}), &seen("\"2\"")).await;
    assert_eq!((done.status.as_u16(), done.header("etag")), (200, "\"3\""));
}

#[tokio::test]
async fn commands_are_refused_with_every_guard_that_failed() {
    let house = House::new().await;
    let path = house.complaint().await;
    // Not begun, and nothing given: both are said.
    let refused = house.command(&path, "resolve", json!({"outcome": "upheld"}), &house.sarah).await;
    assert_eq!(refused.status, 422);
    let codes: Vec<(String, String)> = refused.fields();
    assert!(codes.contains(&(String::new(), "wrong_status".into())), "{codes:?}");
    assert!(codes.contains(&("explanation".into(), "missing".into())), "{codes:?}");
    assert!(refused.json()["errors"].as_array().expect("errors").iter().all(|e| e["remedy"].is_string()));
    assert_eq!(house.command(&path, "begin", json!({}), &house.john).await.problem(), (403, "not_permitted".into()));
    assert_eq!(house.command(&path, "begin", json!({}), &house.maria).await.problem(), (403, "not_the_handler".into()));
    assert_eq!(house.command(&path, "nonsense", json!({}), &house.sarah).await.problem(), (404, "not_found".into()));
    assert_eq!(house.command(&path, "submit", json!({}), &house.sarah).await.problem(), (404, "not_found".into()));
    named(&house.command(&path, "attach", json!({"files": []}), &house.john).await, "files", "not_by_body");
    house.done(&path, "begin", json!({}), &house.sarah).await;
    named(
        &house.command(&path, "ask", json!({"text": "a", "status": "closed"}), &house.sarah).await,
        "status",
        "unknown_field",
    );
    named(&house.command(&path, "ask", json!({"text": 5}), &house.sarah).await, "text", "invalid_type");
    named(
        &house.command(&path, "ask", json!({"text": "x".repeat(64 * 1024 + 1)}), &house.sarah).await,
        "text",
        "too_long",
    );
    for (remedy, field, code) in [
        (json!({"kind": "pony"}), "remedies.1.kind", "unknown_value"),
        (json!({"kind": "refund", "amount": 12.5}), "remedies.1.amount", "invalid_type"),
        (json!({"kind": "refund", "amount": "a lot"}), "remedies.1.amount", "invalid"),
        (json!({"kind": "refund"}), "remedies.1.amount", "missing"),
        (json!({"kind": "refund", "x": 1}), "remedies.1.x", "unknown_field"),
        (json!({}), "remedies.1.kind", "missing"),
        (json!("apology"), "remedies.1", "invalid_type"),
    ] {
        let body =
            json!({"outcome": "upheld", "explanation": "a", "apology": "b", "remedies": [{"kind": "apology"}, remedy]});
        named(&house.command(&path, "resolve", body, &house.sarah).await, field, code);
    }
    named(
        &house.command(&path, "resolve", json!({"outcome": "maybe"}), &house.sarah).await,
        "outcome",
        "unknown_value",
    );
    named(&house.command(&path, "hold", json!({"until": "soon"}), &house.sarah).await, "until", "invalid");
    named(&house.command(&path, "triage", json!({"skills": ["a", 7]}), &house.maria).await, "skills.1", "invalid_type");
    let version = house.read(&path, &house.sarah).await["version"].as_u64();
    assert_eq!(version, Some(2), "nothing of all that happened");
}

#[tokio::test]
async fn a_repetition_gives_the_first_answer() {
    let house = House::new().await;
    let once = house.john.clone().header("idempotency-key", "k-1");
    let first = house.it.post_with("/api/v1/complaints", House::broken_kettle(), &once).await;
    assert_eq!(first.status, 201);
    let path = first.header("location").to_owned();
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let again = house.it.post_with("/api/v1/complaints", House::broken_kettle(), &once).await;
    assert_eq!((again.status, &again.text, again.header("etag")), (first.status, &first.text, "\"1\""));
    let mut other = House::broken_kettle();
    other["subject"] = json!("Another");
    let reused = house.it.post_with("/api/v1/complaints", other, &once).await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".into()));
    let other_path = house.command(&path, "withdraw", json!({}), &once).await;
    assert_eq!(other_path.problem(), (422, "idempotency_key_reused".into()), "the path belongs to the request");
    let janes = house.jane.clone().header("idempotency-key", "k-1");
    assert_eq!(
        house.it.post_with("/api/v1/complaints", House::broken_kettle(), &janes).await.status,
        201,
        "keys are one's own"
    );
    let post = house.john.clone().header("idempotency-key", "k-2");
    let posted = house.command(&path, "post", json!({"text": "Hello?"}), &post).await;
    assert_eq!(posted.status, 200, "{}", posted.text);
    assert_eq!(house.command(&path, "post", json!({"text": "Hello?"}), &post).await.text, posted.text);
    let messages = house.read(&format!("{path}/messages"), &house.john).await;
    assert_eq!(messages["items"].as_array().map(Vec::len), Some(1));
    for wrong in ["", "a b", &"x".repeat(256), "ü"] {
        let wrong = house.john.clone().header("idempotency-key", wrong);
        let answer = house.it.post_with("/api/v1/complaints", House::broken_kettle(), &wrong).await;
        assert_eq!(answer.problem(), (400, "invalid_idempotency_key".into()));
    }
    let twice = house.john.clone().header("idempotency-key", "k-1").header("idempotency-key", "k-2");
    let answer = house.it.post_with("/api/v1/complaints", House::broken_kettle(), &twice).await;
    assert_eq!(answer.problem(), (400, "invalid_idempotency_key".into()));
}

#[tokio::test]
async fn whoever_is_turned_away_learns_for_whom_it_is() {
    let house = House::new().await;
    let path = house.complaint().await;
    for (address, who, words) in [
        (format!("{path}/routing"), &house.john, "for staff"),
        ("/api/v1/agents".to_owned(), &house.sarah, "for supervisors"),
        ("/api/v1/reports/summary".to_owned(), &house.sarah, "for supervisors"),
        ("/api/v1/users".to_owned(), &house.maria, "for admins and auditors"),
    ] {
        let refused = house.it.get(&address, who).await;
        assert_eq!(refused.problem(), (403, "forbidden".into()), "{address}");
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(words), "{address}: {detail}");
    }
    // Whether there is one, nobody learns to whom it is none of their business.
    for view in ["", "/commands", "/deadlines", "/routing", "/log", "/messages"] {
        let refused = house.it.get(&format!("{path}{view}"), &house.jane).await;
        assert_eq!(refused.problem(), (404, "not_found".into()), "{view}");
    }
    let refused = house.it.post_with("/api/v1/categories", json!({"name": "Too late"}), &house.omar).await;
    assert!(refused.status == 403 && refused.text.contains("for admins"), "{}", refused.text);
}

#[tokio::test]
async fn a_decision_says_in_the_conversation_how_it_was_decided() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let decision = json!({"outcome": "not_upheld", "explanation": "It was used in the rain."});
    house.done(&path, "resolve", decision, &house.sarah).await;
    let messages = house.read(&format!("{path}/messages"), &house.john).await;
    let said = &messages["items"][0];
    assert_eq!(
        (&said["kind"], &said["outcome"], &said["text"]),
        (&json!("decision"), &json!("not_upheld"), &json!("It was used in the rain."))
    );
}
