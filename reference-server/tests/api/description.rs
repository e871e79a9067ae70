//! The description is true: what the API answers is what it says it answers, to each who asks. [`Harness`](crate::support::Harness)
//! asks this of every answer that any test sees; here that check is shown to see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};

use crate::house::House;
use crate::support::With;

/// Method, path and the status of the answer.
pub(crate) type Door<'a> = (&'a str, &'a str, StatusCode);

/// What the API says of itself.
pub(crate) struct Description {
    document: Value,
    /// Of every answer that was asked about, by its place in the document.
    known: Mutex<BTreeMap<String, (Schemas, SchemaIndex)>>,
}

impl Description {
    pub(crate) fn new(document: Value) -> Self {
        Self { document, known: Mutex::default() }
    }

    /// The door of the API that a request comes to, with its answers by status; `None` for what is no part of it.
    pub(crate) fn answers(&self, method: &str, path: &str) -> Option<(&str, &Map<String, Value>)> {
        let fits = |door: &str| {
            let (door, path) = (door.split('/'), path.split('/'));
            door.clone().count() == path.clone().count()
                && door.zip(path).all(|(part, given)| part.starts_with('{') || part == given)
        };
        let doors = self.document["paths"].as_object().expect("paths").iter().filter(|(door, _)| fits(door));
        // What has a name of its own is no id.
        let (door, operations) = doors.min_by_key(|(door, _)| door.matches('{').count())?;
        let operation = operations.get(if method == "head" { "get" } else { method })?;
        Some((door, operation["responses"].as_object().expect("answers")))
    }

    /// Whether the API may answer this; else why not.
    pub(crate) fn admits(&self, at: Door<'_>, kind: &str, answer: &Value) -> Result<(), String> {
        let (method, path, status) = at;
        let Some((door, answers)) = self.answers(method, path) else { return Ok(()) };
        if answers[status.as_str()]["content"][kind]["schema"].is_null() {
            return Err(format!("{status} as {kind} has no schema"));
        }
        let steps = ["paths", door, method, "responses", status.as_str(), "content", kind, "schema"];
        let place =
            steps.map(|step| step.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D"));
        let place = format!("{DOCUMENT}#/{}", place.join("/"));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (schemas, index) = known.entry(place).or_insert_with_key(|place| self.schema_at(place));
        schemas.validate(answer, *index).map_err(|fault| format!("{fault:#}"))
    }

    fn schema_at(&self, place: &str) -> (Schemas, SchemaIndex) {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(DOCUMENT, self.document.clone()).expect("a document");
        let index = compiler.compile(place, &mut schemas).unwrap_or_else(|fault| panic!("{place}: {fault:#}"));
        (schemas, index)
    }
}

/// What the document is called while it is read.
const DOCUMENT: &str = "http://localhost/api/openapi.json";

/// Members with whatever is in them.
const FREE: [&str; 7] = ["facts", "contact", "proposal", "targets", "causes", "answers", "words"];

/// Everything in an answer, by its pointer.
fn members(answer: &Value, at: &str, found: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match answer {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in parts {
        let pointer = format!("{at}/{name}");
        found.push(pointer.clone());
        if !FREE.contains(&name.as_str()) {
            members(value, &pointer, found);
        }
    }
}

#[tokio::test]
async fn what_is_missing_or_of_another_type_is_no_answer_of_the_api() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Was the parcel damaged too?"}), &house.sarah).await;
    house.done(&path, "answer", json!({"text": "No."}), &house.john).await;
    let resolution = json!({
        "outcome": "upheld", "explanation": "A cracked lid.", "apology": "We are sorry.",
        "remedies": [{"kind": "refund", "amount": "5.00 EUR"}],
    });
    house.done(&path, "resolve", resolution, &house.sarah).await;
    house.done(&path, "accept", json!({}), &house.john).await;
    house.done(&path, "fulfil_remedy", json!({"evidence": "Paid."}), &house.sarah).await;
    house.done(&path, "rate", json!({"score": 5, "comment": "Kind."}), &house.john).await;
    let auditor = json!({"name": "Ann Check", "email": "ann@example.org", "role": "auditor", "password": crate::support::PASSWORD});
    assert_eq!(house.it.post_with("/api/v1/users", auditor, &house.admin).await.status, 201);
    let auditor = With::bearer(&house.it.token("ann@example.org").await);
    let of = |part: &str| format!("{path}{part}");
    let row =
        "id reference status status_label level level_name version category received_at status_since question_open";
    let whole = format!("{row} channel description contact answers items resolutions remedies feedback attachments");
    let staff = "customer priority overdue";
    let internal = "skills weight excluded escalations policy_version";
    let to_staff = format!("{whole} {staff} {internal}");
    let log = "seq at actor type facts status level words";
    let rules = "key name description questions active skills priority weight targets";
    let cases = [
        (&house.john, path.clone(), "", whole.clone()),
        (&house.sarah, path.clone(), "", to_staff.clone()),
        (&auditor, path.clone(), "", to_staff),
        (&house.admin, path.clone(), "", format!("{row} channel content {staff}")),
        (&house.john, "/api/v1/complaints".into(), "/items/0", row.into()),
        (&house.sarah, "/api/v1/complaints".into(), "/items/0", format!("{row} {staff}")),
        (&house.john, of("/log"), "/items/0", log.into()),
        (&house.sarah, of("/log"), "/items/0", log.into()),
        (&house.john, of("/messages"), "/items/0", "at from kind".into()),
        (&house.sarah, of("/messages"), "/items/0", "at from kind".into()),
        (&house.john, of("/deadlines"), "/items/0", "clock label instance target started_at paused segments".into()),
        (&house.sarah, of("/deadlines"), "/items/0", "clock label instance target started_at paused segments".into()),
        (&house.sarah, of("/routing"), "", "by_hand explanation candidates others".into()),
        (&house.john, of("/commands"), "/items/0", "name label allowed refusals fields".into()),
        (&house.sarah, of("/commands"), "/items/0", "name label allowed refusals fields".into()),
        (
            &house.admin,
            "/api/v1/reports/summary".into(),
            "",
            "covers total open by_status satisfaction figures agents".into(),
        ),
        (&house.maria, "/api/v1/reports/summary".into(), "/satisfaction", "count by_score".into()),
        (
            &house.maria,
            "/api/v1/agents".into(),
            "/items/0",
            "id name level skills capacity workload available enabled".into(),
        ),
        (
            &house.admin,
            "/api/v1/users".into(),
            "/items/0",
            "id name email role enabled email_verified created_at".into(),
        ),
        (&house.john, "/api/v1/categories".into(), "/items/0", "key name description questions".into()),
        (&house.sarah, "/api/v1/categories".into(), "/items/0", rules.into()),
        (&house.john, "/api/v1/me".into(), "", "id name email role".into()),
        (&house.sarah, "/api/v1/me".into(), "", "id name email role".into()),
    ];
    let description = house.it.description().await;
    for (who, path, part, needed) in cases {
        let answer = house.read(&path, who).await;
        let refused =
            |spoiled: &Value| description.admits(("get", &path, StatusCode::OK), "application/json", spoiled).is_err();
        assert!(!refused(&answer), "{path}");
        for name in needed.split(' ') {
            let mut spoiled = answer.clone();
            let from = spoiled.pointer_mut(part).and_then(Value::as_object_mut).expect("an object");
            assert!(from.remove(name).is_some(), "{path}: no {name} in {answer}");
            assert!(refused(&spoiled), "{path} without {part}/{name}");
        }
        let mut found = Vec::new();
        members(&answer, "", &mut found);
        for pointer in found {
            let mut spoiled = answer.clone();
            let member = spoiled.pointer_mut(&pointer).expect("a member");
            *member = if member.is_array() { json!({"no": "list"}) } else { json!([["no value"]]) };
            assert!(refused(&spoiled), "{path} with {spoiled} at {pointer}");
        }
    }
    // Whoever may read it gets the table as it is; it says of itself what it is.
    for who in [&house.john, &house.sarah] {
        house.read("/api/v1/lifecycle", who).await;
    }
}

#[tokio::test]
async fn every_answer_has_words_and_no_two_doors_have_one_name() {
    let house = House::new().await;
    let description = house.it.description().await;
    let mut names = BTreeSet::new();
    for (path, item) in description.document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!name.is_empty() && names.insert(name.clone()), "{method} {path}: {name}");
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                let words = answer["description"].as_str().unwrap_or_default();
                assert!(!words.is_empty(), "{method} {path}: {status} has no words");
            }
        }
    }
    assert!(names.contains("get_complaints_id_log") && names.len() > 80, "{}", names.len());
}
