//! Every door of the API, asked by everybody: who gets through stands in `access.txt`, and a door that is not in it is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::house::House;
use crate::intake::{ADDRESS, taking_in};
use crate::support::{PASSWORD, With};

const TABLE: &str = include_str!("access.txt");
/// An id of nothing.
const NOTHING: &str = "0190c6e6-0000-7000-8000-000000000000";

/// A line of the table: the door, and how far each gets.
struct Door {
    method: &'static str,
    path: &'static str,
    cells: Vec<&'static str>,
}

/// Who asks, in the order of the columns; and the doors.
fn table() -> (Vec<&'static str>, Vec<Door>) {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let columns: Vec<_> = lines.next().expect("a head").split_whitespace().collect();
    let doors = lines.map(|line| {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let cells: Vec<_> = words.collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        assert!(cells.iter().all(|cell| ["in", "401", "403", "404"].contains(cell)), "{line}");
        Door { method, path, cells }
    });
    let doors = doors.collect();
    (columns, doors)
}

fn reached(status: StatusCode) -> &'static str {
    assert!(!status.is_server_error(), "{status}");
    match status.as_u16() {
        401 => "401",
        403 => "403",
        404 => "404",
        _ => "in",
    }
}

#[tokio::test]
async fn every_door_is_in_the_table() {
    let house = House::new().await;
    let document = house.read("/api/openapi.json", &With::default()).await;
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            described.insert((method.to_uppercase(), path.split('/').map(of_any_name).collect::<Vec<_>>().join("/")));
        }
    }
    let (_, doors) = table();
    let listed = doors.iter().map(|door| {
        let named = door.path.replace("/damaged-goods", "/{key}");
        let named =
            named.split_once("/commands/").map_or(named.clone(), |(before, _)| format!("{before}/commands/{{name}}"));
        (door.method.to_owned(), named.split('/').map(of_any_name).collect::<Vec<_>>().join("/"))
    });
    let listed: BTreeSet<_> = listed.collect();
    assert_eq!(listed.symmetric_difference(&described).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

/// A part of a path, whatever it is called where it varies.
fn of_any_name(part: &str) -> &str {
    if part.starts_with('{') { "{}" } else { part }
}

#[tokio::test]
async fn everybody_gets_as_far_as_the_table_says() {
    let house = House::over(taking_in(ADDRESS).await).await;
    let it = &house.it;
    let tom = json!({"name": "Tom Reed", "email": "tom@example.org", "level": 1, "skills": ["damaged goods"], "capacity": 5, "password": PASSWORD});
    let made = it.post_with("/api/v1/agents", tom, &house.admin).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let tom = made.json()["id"].clone();
    let ann = json!({"name": "Ann Check", "email": "ann@example.org", "role": "auditor", "password": PASSWORD});
    assert_eq!(it.post_with("/api/v1/users", ann, &house.admin).await.status, 201);
    let handed_in = async |against: Option<&serde_json::Value>| {
        let mut body = House::broken_kettle();
        if let Some(agent) = against {
            body["against"] = agent.clone();
        }
        let made = it.post_with("/api/v1/complaints", body, &house.john).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/complaints/{id}");
        // Whoever it was routed to, the handler of the table is Sarah.
        if house.read(&path, &house.maria).await["handler"]["name"] != "Sarah Cole" {
            let sarah = house.read("/api/v1/me", &house.sarah).await["id"].clone();
            house.done(&path, "reassign", json!({"agent": sarah, "reason": "She knows kettles."}), &house.maria).await;
        }
        let file = house.upload(&path, &[("a.txt", "text/plain", b"a")], &house.john).await;
        assert_eq!(file.status, 201, "{}", file.text);
        let whole = house.read(&path, &house.john).await;
        (id, whole["attachments"][0]["id"].as_str().expect("an id").to_owned())
    };
    let (plain, against) = (handed_in(None).await, handed_in(Some(&tom)).await);
    let agent = house.read("/api/v1/me", &house.sarah).await["id"].as_str().expect("an id").to_owned();
    let mut who = BTreeMap::from([
        ("visitor", With::default()),
        ("customer", house.john.clone()),
        ("stranger", house.jane.clone()),
        ("handler", house.sarah.clone()),
        ("colleague", house.ben.clone()),
        ("supervisor", house.maria.clone()),
        ("manager", house.omar.clone()),
        ("admin", house.admin.clone()),
    ]);
    for (name, email) in [("subject", "tom@example.org"), ("auditor", "ann@example.org")] {
        who.insert(name, With::bearer(&it.token(email).await));
    }
    let (columns, doors) = table();
    let mut wrong = String::new();
    for door in &doors {
        for (column, cell) in columns.iter().zip(&door.cells) {
            let (complaint, file) = if *column == "subject" { &against } else { &plain };
            let path = door.path.replace("{complaint}", complaint).replace("{file}", file);
            let path = path.replace("{agent}", &agent).replace("{nothing}", NOTHING);
            let mut request = Request::builder().method(door.method).uri(&path).header("host", "127.0.0.1:8080");
            if let Some(bearer) = &who[column].bearer {
                request = request.header("authorization", format!("Bearer {bearer}"));
            }
            let (kind, body) = match door.path.rsplit('/').next() {
                Some("attachments") => ("multipart/form-data; boundary=XX", "--XX--\r\n"),
                Some("mail") => ("message/rfc822", ""),
                _ => ("application/json", "{}"),
            };
            let has_body = matches!(door.method, "POST" | "PUT" | "PATCH");
            let body = if has_body { Body::from(body) } else { Body::empty() };
            let mut request = request.header("content-type", kind).body(body).expect("a request");
            request.extensions_mut().insert(ConnectInfo(std::net::SocketAddr::from(([203, 0, 113, 5], 40_000))));
            let got = reached(it.open(request).await.status());
            if got != *cell {
                let _ = writeln!(wrong, "{} {}: {column} gets {got}, not {cell}", door.method, door.path);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
