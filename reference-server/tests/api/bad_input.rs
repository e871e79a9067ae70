use axum::http::Method;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Harness, PASSWORD, With};

/// Every JSON door with a body that is right in form.
fn doors() -> Vec<(&'static str, Value)> {
    vec![
        ("/api/v1/accounts", json!({"name": "John", "email": "john@example.org", "password": PASSWORD})),
        ("/api/v1/accounts/verify", json!({"token": "x"})),
        ("/api/v1/accounts/verification", json!({"email": "john@example.org"})),
        ("/api/v1/accounts/password/forgotten", json!({"email": "john@example.org"})),
        ("/api/v1/accounts/password", json!({"token": "x", "password": PASSWORD})),
        ("/api/v1/accounts/password/verdict", json!({"password": PASSWORD})),
        ("/api/v1/accounts/email", json!({"token": "x"})),
        ("/api/v1/sessions/code", json!({"email": "john@example.org"})),
        ("/api/v1/sessions/mailed", json!({"token": "x"})),
        ("/api/v1/sessions", json!({"email": "john@example.org", "password": PASSWORD})),
        ("/api/v1/tokens", json!({"email": "john@example.org", "password": PASSWORD})),
        ("/api/v1/setup", json!({"token": "x", "name": "John", "email": "john@example.org", "password": PASSWORD})),
        ("/api/v1/invitations/accept", json!({"token": "x", "password": PASSWORD})),
    ]
}

#[tokio::test]
async fn every_door_names_what_is_wrong() {
    let it = Harness::new().await;
    for (path, right) in doors() {
        let fields: Vec<String> = right.as_object().expect("an object").keys().cloned().collect();
        for field in &fields {
            let mut body = right.clone();
            body.as_object_mut().expect("an object").remove(field);
            let answer = it.post(path, body).await;
            assert_eq!((answer.problem().0, answer.fields()), (422, vec![(field.clone(), "missing".into())]), "{path}");
            for wrong in
                [json!(5), json!(null), json!(true), json!(["a"]), json!({"a": 1}), json!(9_007_199_254_740_993_u64)]
            {
                let mut body = right.clone();
                body[field] = wrong.clone();
                let answer = it.post(path, body).await;
                assert_eq!(
                    (answer.problem().0, answer.fields()),
                    (422, vec![(field.clone(), "invalid_type".into())]),
                    "{path} {wrong}"
                );
            }
            for control in ["a\u{0}b", "a\u{7}b", "a\u{9b}b"] {
                let mut body = right.clone();
                body[field] = json!(control);
                let answer = it.post(path, body).await;
                assert_eq!(
                    (answer.problem().0, answer.fields()),
                    (422, vec![(field.clone(), "control_character".into())]),
                    "{path}"
                );
            }
            let twice = format!("{}, \"{field}\": \"again\"}}", right.to_string().trim_end_matches('}'));
            let answer =
                it.send(Method::POST, path, Some("application/json"), twice.into_bytes(), &With::default()).await;
            assert_eq!(
                (answer.problem().0, answer.fields()),
                (422, vec![(field.clone(), "duplicate".into())]),
                "{path}"
            );
        }
        let mut body = right.clone();
        body["role"] = json!("admin");
        let answer = it.post(path, body).await;
        assert_eq!(
            (answer.problem().0, answer.fields()),
            (422, vec![("role".into(), "unknown_field".into())]),
            "{path}"
        );
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("role")));
    }
    assert!(it.mails().await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_in_two_places_is_told_at_once() {
    let house = House::new().await;
    let named = |fields: Vec<(String, String)>| fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>();
    let logged = house.it.post("/api/v1/sessions", json!({"email": "john", "password": "x".repeat(257)})).await;
    assert_eq!(named(logged.fields()), ["email", "password"]);
    let signed = house.it.post("/api/v1/accounts", json!({"name": " ", "email": "john", "password": "short"})).await;
    assert_eq!(named(signed.fields()), ["name", "email", "password"]);
    let said = signed.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(["full name", "e-mail address", "15 characters"].iter().all(|word| said.contains(word)), "{said}");
    // What a body should not have hides nothing of what it has.
    let body = json!({"name": " ", "email": "john", "password": "short", "role": "admin"});
    let mut signed = named(house.it.post("/api/v1/accounts", body).await.fields());
    signed.sort();
    assert_eq!(signed, ["email", "name", "password", "role"]);
    let logged = json!({"email": "john", "password": "x".repeat(257), "role": "admin"});
    assert_eq!(named(house.it.post("/api/v1/sessions", logged).await.fields()), ["role", "email", "password"]);
    let reset = json!({"token": "x", "password": "short", "role": "admin"});
    assert_eq!(named(house.it.post("/api/v1/accounts/password", reset).await.fields()), ["role", "password"]);
    let sarah = house.read("/api/v1/agents", &house.admin).await["items"][0]["id"].as_str().expect("an id").to_owned();
    for (method, path, body, who, fields) in [
        (
            Method::PATCH,
            format!("/api/v1/agents/{sarah}"),
            json!({"name": " ", "capacity": 99_999, "languages": ["of the hills"], "rank": 1}),
            &house.admin,
            &["rank", "name", "capacity", "languages"][..],
        ),
        (
            Method::POST,
            "/api/v1/users".to_owned(),
            json!({"name": " ", "email": "x", "role": "customer", "rank": 1}),
            &house.admin,
            &["rank", "password", "name", "email"],
        ),
        (
            Method::POST,
            "/api/v1/categories".to_owned(),
            json!({"name": "-", "weight": 0, "priority": "soon"}),
            &house.admin,
            &["priority", "name", "weight"],
        ),
        (
            Method::PATCH,
            "/api/v1/categories/late-delivery".to_owned(),
            json!({"name": "Damaged goods", "weight": 0, "color": "red"}),
            &house.admin,
            &["color", "name", "weight"],
        ),
        (
            Method::POST,
            "/api/v1/webhooks".to_owned(),
            json!({"name": "", "url": "ftp", "color": "red"}),
            &house.admin,
            &["color", "name", "url"],
        ),
        (Method::PATCH, "/api/v1/me".to_owned(), json!({"name": "", "role": "admin"}), &house.john, &["role", "name"]),
        (
            Method::POST,
            "/api/v1/complaints".to_owned(),
            json!({"category": "late-delivery", "subject": "Late", "description": "Weeks late."}),
            &house.sarah,
            &["channel", "customer"],
        ),
        (
            Method::POST,
            "/api/v1/complaints".to_owned(),
            json!({"category": "late-delivery", "subject": " ", "description": "Late.", "language": "of the hills",
                "contact": {"phone": "after six"}}),
            &house.john,
            &["subject", "contact.phone", "language"],
        ),
    ] {
        let sent = body.to_string().into_bytes();
        let answer = house.it.send(method, &path, Some("application/json"), sent, who).await;
        assert_eq!(
            (answer.problem().0, named(answer.fields())),
            (422, fields.iter().map(|it| (*it).to_owned()).collect()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_door_refuses_what_is_no_json() {
    let it = Harness::new().await;
    for (path, right) in doors() {
        let send = async |kind: Option<&str>, body: Vec<u8>| {
            it.send(Method::POST, path, kind, body, &With::default()).await.problem()
        };
        let json = Some("application/json");
        assert_eq!(send(json, Vec::new()).await, (400, "malformed_json".into()), "{path}");
        assert_eq!(send(json, b"{".to_vec()).await, (400, "malformed_json".into()), "{path}");
        assert_eq!(send(json, b"{\"email\":\"\xff\xfe\"}".to_vec()).await, (400, "malformed_json".into()), "{path}");
        assert_eq!(send(json, b"{\"email\":\"\\ud800\"}".to_vec()).await, (400, "malformed_json".into()), "{path}");
        assert_eq!(send(json, b"[]".to_vec()).await, (422, "invalid_body".into()), "{path}");
        assert_eq!(send(json, b"[".repeat(200_000)).await, (400, "too_deep".into()), "{path}");
        let bomb = format!("{{\"a\":{}", "[".repeat(200_000));
        assert_eq!(send(json, bomb.into_bytes()).await, (400, "too_deep".into()), "{path}");
        let just_fits = format!("{{\"email\":\"{}\"}}", "a".repeat(1024 * 1024 - 12));
        assert_eq!(just_fits.len(), 1024 * 1024);
        assert_eq!(send(json, just_fits.clone().into_bytes()).await.0, 422, "{path}");
        assert_eq!(send(json, format!("{just_fits} ").into_bytes()).await, (413, "too_large".into()), "{path}");
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")] {
            assert_eq!(
                send(kind, right.to_string().into_bytes()).await,
                (415, "unsupported_media_type".into()),
                "{path} {kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn all_wrong_values_are_named_together() {
    let it = Harness::new().await;
    let answer = it.post("/api/v1/accounts", json!({"name": " ", "email": "john@", "password": "short"})).await;
    assert_eq!(answer.problem(), (422, "invalid_body".into()));
    let expected = [("name", "missing"), ("email", "invalid"), ("password", "too_short")];
    assert_eq!(answer.fields(), expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
}

#[tokio::test]
async fn all_missing_and_mistyped_fields_are_named_together() {
    let house = House::new().await;
    let missing = |fields: &[&str]| -> Vec<(String, String)> {
        fields.iter().map(|field| ((*field).to_owned(), "missing".to_owned())).collect()
    };
    for (path, fields) in [
        ("/api/v1/accounts", &["name", "email", "password"][..]),
        ("/api/v1/agents", &["name", "email"]),
        ("/api/v1/users", &["name", "email", "role"]),
    ] {
        let answer = house.it.post_with(path, json!({}), &house.admin).await;
        assert_eq!((answer.problem().0, answer.fields()), (422, missing(fields)), "{path}");
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(fields.iter().all(|field| detail.contains(field)), "{path}: {detail}");
    }
    let named = async |path: &str, body: Value| {
        let mut fields = house.it.post_with(path, body, &house.admin).await.fields();
        fields.sort();
        fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
    };
    let agent = json!({"name": "", "email": "z", "level": "x", "capacity": 0, "areas": "north", "rank": 1});
    assert_eq!(named("/api/v1/agents", agent).await, ["areas", "email", "level", "name", "rank"]);
    let agent = json!({"name": "", "email": "z", "level": 9, "capacity": 99999});
    assert_eq!(named("/api/v1/agents", agent).await, ["capacity", "email", "level", "name"]);
    let agent = json!({"name": "", "email": "zoe@example.org", "level": 0});
    assert_eq!(named("/api/v1/agents", agent).await, ["level", "name"]);
    assert_eq!(
        named("/api/v1/users", json!({"name": 5, "email": null, "role": "king"})).await,
        ["email", "name", "role"]
    );
    // Each once, in whatever order they were sent.
    assert_eq!(
        named("/api/v1/accounts", json!({"name": 5, "email": [], "password": null})).await,
        ["email", "name", "password"]
    );
    let text = r#"{"name": 5, "email": [], "password": null}"#;
    let answer =
        house.it.send(Method::POST, "/api/v1/accounts", Some("application/json"), text.into(), &house.admin).await;
    assert_eq!(answer.fields().len(), 3, "{}", answer.text);
}

#[tokio::test]
async fn a_command_without_a_body_is_an_empty_object() {
    let house = House::new().await;
    for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
        let path = house.complaint().await;
        let begun =
            house.it.send(Method::POST, &format!("{path}/commands/begin"), kind, Vec::new(), &house.sarah).await;
        assert_eq!(begun.status, 200, "{kind:?} {}", begun.text);
    }
    let path = house.complaint().await;
    let form = Some("application/x-www-form-urlencoded");
    let refused =
        house.it.send(Method::POST, &format!("{path}/commands/begin"), form, b"a=b".to_vec(), &house.sarah).await;
    assert_eq!(refused.problem().0, 415);
}

#[tokio::test]
async fn values_have_their_limits() {
    let it = Harness::new().await;
    let with = async |field: &str, value: &str| {
        let mut body = json!({"name": "John", "email": "john@example.org", "password": PASSWORD});
        body[field] = json!(value);
        it.post("/api/v1/accounts", body).await
    };
    let long_email = format!("{}@{}.org", "a".repeat(60), "b".repeat(60).repeat(4));
    let cases = [
        ("name", "", "missing"),
        ("name", &"n".repeat(201), "too_long"),
        ("name", "a\u{202e}b", "control_character"),
        ("email", "", "missing"),
        ("email", "john", "invalid"),
        ("email", "john@example.org\nBcc: all@example.org", "invalid"),
        ("email", &long_email, "too_long"),
        ("password", "", "too_short"),
        ("password", "fourteen chars", "too_short"),
        ("password", &"p".repeat(257), "too_long"),
        ("password", &"p".repeat(500_000), "too_long"),
        ("password", "aaaaaaaaaaaaaaaaaaaa", "too_weak"),
    ];
    for (field, value, code) in cases {
        let answer = with(field, value).await;
        assert_eq!(
            (answer.problem().0, answer.fields()),
            (422, vec![(field.to_owned(), code.to_owned())]),
            "{field} {code}"
        );
        assert!(!answer.text.contains("Bcc"));
    }
    assert_eq!(with("name", &"ü".repeat(200)).await.status, 202);
    assert!(it.log_in(&long_email).await.problem().0 == 422);
    let long_password =
        it.post("/api/v1/sessions", json!({"email": "john@example.org", "password": "p".repeat(257)})).await;
    assert_eq!(
        (long_password.problem().0, long_password.fields()),
        (422, vec![("password".into(), "too_long".into())])
    );
}

#[tokio::test]
async fn no_reader_s_own_words_get_out() {
    let house = House::new().await;
    let path = house.complaint().await;
    let day = "Expected a day, as in 2026-11-30.";
    let number = "Expected a whole number, not below 0 and not too large.";
    let id = "agent id must be 1 to 64 visible ASCII characters";
    let file = "attachment id must be a hyphenated UUID";
    for (name, body, who, field, message) in [
        ("post", json!({"text": "See.", "files": ["zzz"]}), &house.sarah, "files.0", file),
        ("post", json!({"text": "See.", "files": "zzz"}), &house.sarah, "files", "Expected a list."),
        ("hold", json!({"party": "the archive", "until": "soon"}), &house.sarah, "until", day),
        ("rate", json!({"score": 300}), &house.john, "score", number),
        ("reassign", json!({"agent": "Ben Young"}), &house.maria, "agent", id),
    ] {
        let refused = house.command(&path, name, body, who).await;
        assert_eq!(refused.problem(), (422, "invalid_body".into()), "{name}: {}", refused.text);
        let error = refused.json()["errors"][0].clone();
        assert_eq!((error["field"].as_str(), error["message"].as_str()), (Some(field), Some(message)), "{name}");
    }
    let agents = house.read("/api/v1/agents", &house.admin).await;
    let agent = format!("/api/v1/agents/{}", agents["items"][0]["id"].as_str().expect("an id"));
    let away = json!({"absence": {"from": "tomorrow", "until": "2026-11-30"}});
    let refused = house.it.patch(&agent, away, &house.admin).await.json();
    assert_eq!(refused["errors"][0]["message"], "an instant must be written as in 2026-11-30T09:00:00Z", "{refused}");
    let answer =
        house.it.get("/api/v1/complaints?status=nothing&level=x&limit=x&cursor=%3f&color=red", &house.sarah).await;
    let mut named: Vec<String> = answer.fields().into_iter().map(|(field, _)| field).collect();
    named.sort();
    assert_eq!(
        (answer.problem().0, named),
        (400, ["color", "cursor", "level", "limit", "status"].map(str::to_owned).into())
    );
    for query in ["status=nothing", "level=x", "limit=x", "cursor=zzz", "sort=up"] {
        let refused = house.it.get(&format!("/api/v1/complaints?{query}"), &house.sarah).await;
        assert_eq!(refused.status, 400, "{query}");
        for foreign in ["digit", "parse", "invalid type", "variant", "character"] {
            assert!(!refused.text.contains(foreign), "{query}: {}", refused.text);
        }
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems_too() {
    let it = Harness::new().await;
    for path in ["/api/v1/nothing", "/nothing", "/api/v1/accounts/", "/api/v1/../etc/passwd", "/%00", "/api/v1/clock"] {
        assert_eq!(it.get(path, &With::default()).await.problem(), (404, "not_found".into()), "{path}");
    }
    let clock = it.post("/api/v1/clock", json!({"advance_seconds": 1})).await;
    assert_eq!(clock.problem(), (404, "not_found".into()), "there only with --movable-clock");
    let answer = it.send(Method::PUT, "/api/v1/accounts", None, Vec::new(), &With::default()).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
    assert_eq!(answer.header("allow"), "POST");
    let person = it.get("/nothing", &With::default().header("accept", "text/html,*/*")).await;
    assert_eq!((person.status.as_u16(), person.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(person.text.contains("There is nothing here."), "{}", person.text);
    let program = it.get("/api/v1/nothing", &With::default().header("accept", "text/html,*/*")).await;
    assert_eq!(program.problem().0, 404);
}

#[tokio::test]
async fn what_cannot_be_read_of_a_command_hides_no_guard() {
    let house = House::new().await;
    let path = house.complaint().await;
    let version = house.read(&path, &house.john).await["version"].clone();
    let resolve = async |body: Value, who: &With| house.command(&path, "resolve", body, who).await;
    let codes = |answer: &crate::support::Answer| {
        let errors = answer.json()["errors"].as_array().expect("errors").clone();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|it| (text(&it["field"]), text(&it["code"]))).collect::<Vec<_>>()
    };
    let told = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    let body = json!({"outcome": "great", "color": "red", "remedies": [{"kind": "refund", "amount": 7}]});
    let answer = resolve(body.clone(), &house.sarah).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let given = codes(&answer);
    for expected in [
        told("outcome", "unknown_value"),
        told("color", "unknown_field"),
        told("", "wrong_status"),
        told("explanation", "missing"),
    ] {
        assert_eq!(given.iter().filter(|it| **it == expected).count(), 1, "{expected:?}: {}", answer.text);
    }
    assert!(given.iter().any(|(field, _)| field.starts_with("remedies.0")), "{}", answer.text);
    assert_eq!(given.iter().filter(|(field, _)| field == "outcome").count(), 1, "{}", answer.text);
    assert!(!answer.text.contains("“outcome” must not be empty"), "it was given: {}", answer.text);

    let said = answer.text.split("no such field").nth(1);
    assert!(said.is_none_or(|said| !said.contains("skills")), "no other command's fields: {}", answer.text);
    assert!(!answer.text.contains("resolved_at_source"), "it has a command of its own: {}", answer.text);
    let answer = resolve(json!({"apology": 5, "color": "red"}), &house.sarah).await;
    assert!(answer.text.contains("next_steps") && !answer.text.contains("over_capacity"), "{}", answer.text);

    // Of a list, what can be read is looked at; another kind that stands in for an unknown one says nothing of the rest.
    let remedies = json!([{"kind": "refund"}, {"kind": "replacement", "amount": "5 EUR"}, {"kind": "refund", "amount": "0 EUR"},
        {"kind": "repair", "due_on": "2001-01-01"}, {"kind": "refund", "amount": "5 ZZZ"}, {"kind": "pony", "amount": "5 EUR"}]);
    let answer =
        resolve(json!({"outcome": "not_upheld", "explanation": "x", "remedies": remedies}), &house.sarah).await;
    let mut given = codes(&answer);
    given.sort_unstable();
    let expected = [
        told("", "wrong_status"),
        told("remedies.0.amount", "missing"),
        told("remedies.1.amount", "not_applicable"),
        told("remedies.2.amount", "out_of_range"),
        told("remedies.3.due_on", "in_the_past"),
        told("remedies.4.amount", "invalid"),
        told("remedies.5.kind", "unknown_value"),
    ];
    assert_eq!(given, expected, "{}", answer.text);

    // A list that another command reads, and one of which nothing can be read.
    let lists = json!({"remedies": [{"kind": "repair"}]});
    let answer = house.command(&path, "begin", lists, &house.sarah).await;
    assert_eq!(codes(&answer), [told("remedies", "unknown_field")], "{}", answer.text);
    let answer = house.command(&path, "post", json!({"text": "Here.", "files": [{}]}), &house.sarah).await;
    assert_eq!(codes(&answer), [told("files.0", "invalid_type")], "{}", answer.text);

    // Who saw another version or may not do it learns that first.
    let stale = house.sarah.clone().header("if-match", "\"99\"");
    assert_eq!(resolve(body.clone(), &stale).await.problem(), (409, "stale_version".into()));
    assert_eq!(resolve(body, &house.john).await.status, 403);
    assert_eq!(house.read(&path, &house.john).await["version"], version, "nothing was done");
}

#[tokio::test]
async fn a_follow_up_is_refused_for_all_that_is_wrong_and_to_whoever_saw_another_version() {
    let house = House::new().await;
    let path = house.complaint().await;
    let follow_up = async |body: Value, who: &With| house.command(&path, "follow_up", body, who).await;
    let told = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    let refused = follow_up(json!({}), &house.john).await;
    assert_eq!(refused.status, 422);
    for expected in [told("category", "missing"), told("subject", "missing"), told("", "wrong_status")] {
        assert!(refused.fields().contains(&expected), "{expected:?}: {}", refused.text);
    }
    let refused = follow_up(json!({"category": "Damaged goods", "subject": "", "description": "b"}), &house.john).await;
    assert_eq!(refused.fields(), [told("", "wrong_status"), told("subject", "missing")], "{}", refused.text);
    // Who may never do it is not led through its fields.
    let whole = House::broken_kettle();
    for body in [json!({}), json!({"category": "Damaged goods", "subject": "a", "description": "b"}), whole.clone()] {
        assert_eq!(follow_up(body, &house.sarah).await.problem(), (403, "not_permitted".into()));
    }

    let seen = house.john.clone().header("if-match", house.it.get(&path, &house.john).await.header("etag"));
    house.done(&path, "withdraw", json!({}), &house.john).await;
    for body in [whole.clone(), json!({"color": "red"})] {
        let stale = follow_up(body, &seen).await;
        assert_eq!((stale.problem().0, &stale.json()["current_version"]), (409, &json!(2)), "{}", stale.text);
    }
    let all = async || house.read("/api/v1/complaints", &house.john).await["items"].as_array().expect("items").len();
    assert_eq!(all().await, 1);
    let seen = house.john.clone().header("if-match", "\"2\"");
    assert_eq!((follow_up(whole, &seen).await.status.as_u16(), all().await), (201, 2));
}

/// As the description of the API says it; by position, `["refund", "5 EUR"]` would promise money.
#[tokio::test]
async fn what_is_described_as_an_object_is_no_list_and_a_name_is_a_text() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let before = house.read(&path, &house.sarah).await;
    let complaint = |field: &str, value: Value| {
        let mut body = House::broken_kettle();
        body[field] = value;
        body
    };
    let resolve = |more: Value| {
        let mut body = json!({"outcome": "upheld", "explanation": "It leaked.", "apology": "Sorry."});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    let person = |role: Value| json!({"name": "Zed Low", "email": "zed@example.org", "role": role});
    let refused = async |method: Method, door: &str, body: Value, who: &With, field: &str| {
        let body = body.to_string().into_bytes();
        let answer = house.it.send(method, door, Some("application/json"), body, who).await;
        assert_eq!(answer.status, 422, "{door} {field}: {}", answer.text);
        assert_eq!(answer.fields(), [(field.to_owned(), "invalid_type".to_owned())], "{door}: {}", answer.text);
    };
    let (post, resolving) = (|| Method::POST, format!("{path}/commands/resolve"));
    let (john, sarah, ada) = (&house.john, &house.sarah, &house.admin);
    let list = json!(["John", "john@example.org", "+44 1234567", "1 Mill Lane"]);
    refused(post(), "/api/v1/complaints", complaint("contact", list), john, "contact").await;
    refused(post(), "/api/v1/complaints", complaint("contact", json!([])), john, "contact").await;
    refused(post(), "/api/v1/complaints", complaint("items", json!([["order", "A1"]])), john, "items.0").await;
    refused(post(), "/api/v1/complaints", complaint("wish", json!({"refund": null})), john, "wish").await;
    refused(post(), "/api/v1/complaints", complaint("wish", json!(1)), john, "wish").await;
    let remedies = json!({"remedies": [["refund", "5 EUR", null, "Do it."]]});
    refused(post(), &resolving, resolve(remedies), sarah, "remedies.0").await;
    let remedies = json!({"remedies": [{"kind": {"refund": null}, "amount": "5 EUR"}]});
    refused(post(), &resolving, resolve(remedies), sarah, "remedies.0.kind").await;
    refused(post(), &resolving, resolve(json!({"outcome": {"upheld": null}})), sarah, "outcome").await;
    let category = json!({"name": "Noise", "questions": [["a", "A"]]});
    refused(post(), "/api/v1/categories", category, ada, "questions.0").await;
    refused(post(), "/api/v1/users", person(json!({"auditor": null})), ada, "role").await;
    let away = json!({"absence": ["2026-12-10T00:00:00Z", "2026-12-12T00:00:00Z"]});
    let agents = house.read("/api/v1/agents", ada).await;
    let agent = format!("/api/v1/agents/{}", agents["items"][0]["id"].as_str().expect("an id"));
    refused(Method::PATCH, &agent, away, ada, "absence").await;
    refused(Method::PUT, "/api/v1/me/preferences", json!({"off": [[], []]}), john, "off").await;
    assert_eq!(house.read(&path, &house.sarah).await, before, "nothing was promised");
}

#[tokio::test]
async fn a_control_character_or_a_field_given_twice_hides_nothing_else() {
    let house = House::new().await;
    let path = house.complaint().await;
    let sent = async |door: &str, body: &str, who: &With| {
        let body = body.as_bytes().to_vec();
        let answer = house.it.send(Method::POST, door, Some("application/json"), body, who).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        let mut fields = answer.fields();
        fields.sort_unstable();
        fields.into_iter().map(|(field, code)| format!("{field} {code}")).collect::<Vec<_>>()
    };
    let complaints = "/api/v1/complaints";
    let body = r#"{"category":"nope","subject":"a\u0000b","description":"","purchase_date":"2030-01-01"}"#;
    let all = [
        "category unknown_category",
        "description missing",
        "purchase_date in_the_future",
        "subject control_character",
    ];
    assert_eq!(sent(complaints, body, &house.john).await, all);
    let body = r#"{"category":"nope","subject":"a","subject":"b","description":"","zz":1}"#;
    let all = ["category unknown_category", "description missing", "subject duplicate", "zz unknown_field"];
    assert_eq!(sent(complaints, body, &house.john).await, all);
    // An agent's own fields are read apart.
    let body = r#"{"category":"nope","subject":"a","subject":"b","description":"c","channel":"import","customer":"nobody@example.org"}"#;
    let all = ["category unknown_category", "channel unknown_value", "customer unknown_customer", "subject duplicate"];
    assert_eq!(sent(complaints, body, &house.sarah).await, all);
    let body = r#"{"subject":"a\u0007","customer":7}"#;
    let all = [
        "category missing",
        "channel missing",
        "customer invalid_type",
        "description missing",
        "subject control_character",
    ];
    assert_eq!(sent(complaints, body, &house.sarah).await, all);
    let body = r#"{"priority":"high","priority":"low","weight":0,"skills":["\u0007"],"category":"nope","zz":1}"#;
    let all = [
        "category unknown_category",
        "priority duplicate",
        "skills.0 control_character",
        "weight out_of_range",
        "zz unknown_field",
    ];
    assert_eq!(sent(&format!("{path}/commands/triage"), body, &house.sarah).await, all);
}

/// Something of ours stands in for what cannot be read, so that the rest can be judged; nobody is told of that.
#[tokio::test]
async fn nobody_is_told_of_what_they_did_not_send() {
    let house = House::new().await;
    let complaint = house.complaint().await;
    house.done(&complaint, "begin", json!({}), &house.sarah).await;
    let refused = async |method: Method, door: &str, body: Value, who: &With, expected: &[&str]| {
        let sent = body.to_string().into_bytes();
        let answer = house.it.send(method, door, Some("application/json"), sent, who).await;
        assert_eq!(answer.status, 422, "{door} {body}: {}", answer.text);
        let mut told: Vec<String> =
            answer.fields().into_iter().map(|(field, code)| format!("{field} {code}")).collect();
        told.sort_unstable();
        assert_eq!(told, expected, "{door} {body}: {}", answer.text);
    };
    let (post, put, patch) = (|| Method::POST, || Method::PUT, || Method::PATCH);
    let (john, sarah, admin) = (&house.john, &house.sarah, &house.admin);
    let body = json!({"name": "n", "url": "https://example.org/x", "events": [7, {"k": 1}]});
    refused(post(), "/api/v1/webhooks", body, admin, &["events.0 invalid_type", "events.1 invalid_type"]).await;
    let body = json!({"name": "Noise", "questions": [{"label": "A"}, {"label": 7}, {}, 7, {"label": "B", "nope": 1}]});
    let told = [
        "questions.1.label invalid_type",
        "questions.2.label missing",
        "questions.3 invalid_type",
        "questions.4.nope unknown_field",
    ];
    refused(post(), "/api/v1/categories", body, admin, &told).await;
    let agent = house.read("/api/v1/agents", admin).await["items"][0]["id"].as_str().expect("an id").to_owned();
    let agent = format!("/api/v1/agents/{agent}");
    refused(patch(), &agent, json!({"languages": [7, "of the hills"]}), admin, &["languages.0 invalid_type"]).await;
    refused(patch(), &agent, json!({"languages": ["en", "of the hills"]}), admin, &["languages not_a_language"]).await;
    let addresses = json!({"postal_addresses": [7, {}, {"lines": 7}]});
    let told = [
        "postal_addresses.0 invalid_type",
        "postal_addresses.1.country missing",
        "postal_addresses.1.lines missing",
        "postal_addresses.1.town missing",
        "postal_addresses.2.country missing",
        "postal_addresses.2.lines invalid_type",
        "postal_addresses.2.town missing",
    ];
    refused(put(), "/api/v1/me/postal-addresses", addresses, john, &told).await;
    let mut body = House::broken_kettle();
    body["items"] = json!(["x", {"kind": 7}, {}]);
    let told = [
        "items.0 invalid_type",
        "items.1.key missing",
        "items.1.kind invalid_type",
        "items.2.key missing",
        "items.2.kind missing",
    ];
    refused(post(), "/api/v1/complaints", body, john, &told).await;
    let remedies = json!(["x", {"kind": 7, "nope": 1, "due_on": "x"}, {"kind": "yacht"}, {"kind": "refund"}, {"amount": "5 EUR"},
        {"kind": "replacement", "nope": 1}]);
    let body = json!({"outcome": "upheld", "explanation": "It leaked.", "apology": "Sorry.", "remedies": remedies});
    let told = [
        "remedies.0 invalid_type",
        "remedies.1.due_on invalid",
        "remedies.1.kind invalid_type",
        "remedies.1.nope unknown_field",
        "remedies.2.kind unknown_value",
        "remedies.3.amount missing",
        "remedies.4.kind missing",
        "remedies.5.nope unknown_field",
    ];
    refused(post(), &format!("{complaint}/commands/resolve"), body, sarah, &told).await;
    let body = json!({"digest_at": "9", "zone": "Mars/X", "off": {"email": ["nope"]}, "language": 7, "nope": 1});
    let told = [
        "digest_at not_a_time",
        "language invalid_type",
        "nope unknown_field",
        "off.email unknown_group",
        "zone unknown_zone",
    ];
    refused(put(), "/api/v1/me/preferences", body, john, &told).await;
    let guest = "/api/v1/guest/complaints";
    for (contact, told) in [
        (json!({"name": 7, "email": "m@example.org"}), &["contact.name invalid_type"][..]),
        (json!({"name": "Mary Poe", "email": {}}), &["contact.email invalid_type"]),
        (json!([["x"]]), &["contact invalid_type"]),
        (json!({"name": "", "email": "m"}), &["contact.email invalid", "contact.name missing"]),
    ] {
        let mut body = House::broken_kettle();
        body["contact"] = contact;
        refused(post(), guest, body, &With::default(), told).await;
    }
    let links = "/api/v1/guest/links";
    for (body, told) in [
        (json!({"reference": "x", "email": "bad"}), ["email invalid", "reference invalid"]),
        (json!({"reference": 7, "email": "bad"}), ["email invalid", "reference invalid_type"]),
    ] {
        refused(post(), links, body, &With::default(), &told).await;
    }
    let long = json!({"reason": "q".repeat(70_000)});
    let answer = house.command(&complaint, "accept", long, sarah).await;
    assert_eq!(answer.fields().iter().filter(|(field, _)| field == "reason").count(), 1, "{}", answer.text);

    // Nor is a value that was given called missing where somebody saw another version.
    let stale = house.sarah.clone().header("if-match", "\"99\"");
    let answer = house.command(&complaint, "resolve", json!({"outcome": "nope", "explanation": "e"}), &stale).await;
    assert_eq!(answer.problem(), (409, "stale_version".into()));
    assert!(!answer.text.contains("outcome"), "{}", answer.text);
}
