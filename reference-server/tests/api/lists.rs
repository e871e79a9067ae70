//! Lists: filters, sorts, cursors, and what is wrong with them.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use reference_server::auth::{NewStaff, Role};
use serde_json::{Value, json};

use crate::house::House;
use crate::support::With;

fn subjects(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().map(|item| item["subject"].as_str().expect("a subject")).collect()
}

#[tokio::test]
async fn pages_filters_and_searches() {
    let house = House::new().await;
    for number in 1..=5 {
        let mut body = House::broken_kettle();
        body["subject"] = json!(format!("Kettle {number}"));
        // Longer than any part of a reference, which is searched too and drawn at random.
        body["order_number"] = json!(format!("order{number}"));
        if number == 5 {
            body["category"] = json!("late-delivery");
        }
        assert_eq!(house.it.post_with("/api/v1/complaints", body, &house.john).await.status, 201);
        house.it.clock.advance(TimeDelta::minutes(1));
    }
    let get = async |query: &str| house.read(&format!("/api/v1/complaints?{query}"), &house.john).await;
    assert_eq!(subjects(&get("").await), ["Kettle 5", "Kettle 4", "Kettle 3", "Kettle 2", "Kettle 1"]);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&format!("sort=oldest&limit=2&cursor={cursor}")).await;
        seen.extend(subjects(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, ["Kettle 1", "Kettle 2", "Kettle 3", "Kettle 4", "Kettle 5"]);
    assert_eq!(subjects(&get("category=Late%20delivery").await), ["Kettle 5"]);
    assert_eq!(subjects(&get("q=kettle+order3").await), ["Kettle 3"]);
    let ranked = get("q=kettle+order&sort=relevance&limit=2").await;
    assert_eq!(subjects(&ranked), ["Kettle 5", "Kettle 4"]);
    let next = ranked["next"].as_str().expect("more").to_owned();
    let rest = get(&format!("q=kettle+order&sort=relevance&cursor={next}")).await;
    assert_eq!(subjects(&rest), ["Kettle 3", "Kettle 2", "Kettle 1"]);
    assert_eq!(subjects(&get("status=queued,closed").await).len(), 0);
    assert_eq!(subjects(&get("status=queued&status=assigned&category=&q=&handler=").await).len(), 5);
}

#[tokio::test]
async fn staff_filter_by_handler() {
    let house = House::new().await;
    house.complaint().await;
    let sarahs = house.read("/api/v1/complaints?handler=me&status=assigned", &house.sarah).await;
    assert_eq!(sarahs["items"][0]["customer"]["name"], "John Miller");
    let id = sarahs["items"][0]["handler"]["id"].as_str().expect("an id").to_owned();
    let all = house.read(&format!("/api/v1/complaints?handler={id}"), &house.maria).await;
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(house.read("/api/v1/complaints?handler=me", &house.ben).await["items"], json!([]));
    for query in ["handler=me", "customer=u_1", "promised_before=2026-11-30T09:00:00Z", "missed=true"] {
        let refused = house.it.get(&format!("/api/v1/complaints?{query}"), &house.john).await;
        assert_eq!(refused.problem(), (400, "invalid_query".into()), "{query}");
    }
    assert_eq!(house.it.get("/api/v1/complaints?handler=me", &house.admin).await.status, 400, "holds nothing");
}

#[tokio::test]
async fn staff_filter_by_team_receipt_and_promise() {
    let house = House::new().await;
    house.complaint().await;
    let held = house.read("/api/v1/complaints?handler=me", &house.sarah).await;
    let sarah = held["items"][0]["handler"]["id"].as_str().expect("an id").to_owned();
    for (query, expected) in [
        (format!("handler={sarah}&handler=me&handler={sarah}"), 1),
        ("received_from=2000-01-01T00:00:00Z&received_before=2100-01-01T00:00:00Z".to_owned(), 1),
        ("received_from=2100-01-01T00:00:00Z".to_owned(), 0),
        ("received_before=2000-01-01T01:00:00%2B01:00".to_owned(), 0),
        ("promised_before=2100-01-01T00:00:00Z".to_owned(), 1),
        ("promised_before=2000-01-01T00:00:00Z".to_owned(), 0),
        ("missed=false".to_owned(), 1),
        ("missed=true".to_owned(), 0),
    ] {
        let found = house.read(&format!("/api/v1/complaints?{query}"), &house.maria).await;
        assert_eq!(found["items"].as_array().map(Vec::len), Some(expected), "{query}");
    }
    let crowd = "handler=nobody&".repeat(51);
    for (query, parameter) in [
        (crowd.as_str(), "handler"),
        ("missed=yes", "missed"),
        ("promised_before=soon", "promised_before"),
        ("handler=Ben", "handler"),
    ] {
        let refused = house.it.get(&format!("/api/v1/complaints?{query}"), &house.maria).await;
        assert_eq!(refused.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(refused.fields()[0].0, parameter, "{query}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let house = House::new().await;
    let forged = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let id = "0190c6e6-0000-7000-8000-000000000000";
    let long = "x".repeat(201);
    for (query, parameter) in [
        ("limit=0".to_owned(), "limit"),
        ("limit=-1".to_owned(), "limit"),
        ("limit=101".to_owned(), "limit"),
        ("limit=9223372036854775808".to_owned(), "limit"),
        ("limit=1.5".to_owned(), "limit"),
        ("limit=10&limit=20".to_owned(), "limit"),
        ("sort=best".to_owned(), "sort"),
        ("sort=relevance".to_owned(), "sort"),
        ("sort=relevance&q=%20".to_owned(), "sort"),
        ("status=open".to_owned(), "status"),
        ("status=queued,nonsense".to_owned(), "status"),
        ("category=%21%21".to_owned(), "category"),
        ("category=nope".to_owned(), "category"),
        ("level=0".to_owned(), "level"),
        ("level=x".to_owned(), "level"),
        (format!("q={long}"), "q"),
        ("q=a%00b".to_owned(), "q"),
        ("q=*".to_owned(), "q"),
        ("q=%25".to_owned(), "q"),
        ("q=%22.-%22".to_owned(), "q"),
        ("cursor=nonsense".to_owned(), "cursor"),
        (format!("cursor={}", forged("newest.x.y")), "cursor"),
        (format!("cursor={}", forged("best.1.y")), "cursor"),
        (format!("cursor={}", forged(&format!("oldest.1.{id}"))), "cursor"),
        ("received_from=yesterday".to_owned(), "received_from"),
        ("received_before=2026-11-30".to_owned(), "received_before"),
        ("received_before=2026-13-01T00:00:00Z".to_owned(), "received_before"),
        ("order=asc".to_owned(), "order"),
        ("q=%ff".to_owned(), "q"),
        ("limit=%2B5".to_owned(), "limit"),
    ] {
        let refused = house.it.get(&format!("/api/v1/complaints?{query}"), &house.john).await;
        assert_eq!(refused.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(refused.fields()[0].0, parameter, "{query}");
    }
    let idle = json!({"active": false});
    let done = house.it.patch("/api/v1/categories/late-delivery", idle, &house.admin).await;
    assert_eq!(done.status, 200, "{}", done.text);
    for category in ["late-delivery", "Late%20delivery"] {
        let answer = house.it.get(&format!("/api/v1/complaints?category={category}"), &house.john).await;
        assert_eq!(answer.status, 200, "out of use, but known");
    }
    let harmless =
        house.it.get(&format!("/api/v1/complaints?cursor={}", forged(&format!("newest.1.{id}"))), &house.john).await;
    assert_eq!(harmless.status, 200, "a cursor gives no rights, so a well-formed one does no harm");
    assert_eq!(house.it.get("/api/v1/complaints?limit=100", &house.john).await.status, 200);
    let admin = house.it.get("/api/v1/complaints?q=kettle", &house.admin).await;
    assert_eq!(admin.problem(), (400, "invalid_query".into()), "searching is reading");
}

#[tokio::test]
async fn accounts_and_agents_come_by_the_page_too() {
    let house = House::new().await;
    for number in 0..99 {
        let address = format!("s{number}@example.org");
        let staff = NewStaff { name: "Zoe", email: &address, phone: None, role: Role::Auditor, password: None };
        house.it.server.state().accounts.create_staff(staff).await.expect("an account");
    }
    // Beside them Ada, four agents, two customers.
    for (door, limits, whole) in [("users", [1, 7, 100], 106), ("agents", [1, 3, 100], 4)] {
        for limit in limits {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = house.read(&format!("/api/v1/{door}?limit={limit}&cursor={cursor}"), &house.admin).await;
                let items = page["items"].as_array().expect("items");
                assert!(!items.is_empty() && items.len() <= limit, "{door} {limit}: {}", items.len());
                seen.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
                match page["next"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => break,
                }
            }
            assert!(seen.is_sorted() && seen.len() == whole, "{door} {limit}: {seen:?}");
        }
        for (query, parameter, code) in [
            ("limit=0", "limit", "out_of_range"),
            ("limit=101", "limit", "out_of_range"),
            ("limit=9223372036854775808", "limit", "out_of_range"),
            ("limit=1&limit=2", "limit", "duplicate"),
            ("cursor=x", "cursor", "invalid"),
            ("cursor=u_%00", "cursor", "control_character"),
            ("name=Zoe", "name", "unknown_field"),
        ] {
            let refused = house.it.get(&format!("/api/v1/{door}?{query}"), &house.admin).await;
            assert_eq!(refused.problem(), (400, "invalid_query".into()), "{door}?{query}");
            assert_eq!(refused.fields(), [(parameter.to_owned(), code.to_owned())], "{door}?{query}");
        }
    }
}

#[tokio::test]
async fn parameters_that_a_door_does_not_have_are_refused() {
    let house = House::new().await;
    let path = house.complaint().await;
    for door in ["", "/log", "/messages", "/deadlines", "/routing", "/commands", "/live"] {
        let there = house.it.get(&format!("{path}{door}?expand=all"), &house.sarah).await;
        assert_eq!(there.problem(), (400, "invalid_query".into()), "{door}");
        assert_eq!(there.fields(), [("expand".into(), "unknown_field".into())], "{door}");
        let missing = "/api/v1/complaints/0190c6e6-0000-7000-8000-000000000000";
        let missing = house.it.get(&format!("{missing}{door}?expand=all"), &house.sarah).await;
        assert_eq!(missing.text, there.text, "it tells nothing of what is there");
    }
    for door in ["/api/v1/me", "/api/v1/categories", "/api/v1/lifecycle", "/api/v1/live", "/api/v1/reports/summary"] {
        let refused = house.it.get(&format!("{door}?limit=1"), &house.admin).await;
        assert_eq!(refused.fields(), [("limit".into(), "unknown_field".into())], "{door}: {}", refused.text);
        let head = house.it.send(Method::HEAD, &format!("{door}?limit=1"), None, Vec::new(), &house.admin).await;
        assert_eq!(head.status, 400, "{door}");
    }
    let begin = format!("{path}/commands/begin?version=1");
    assert_eq!(house.it.post_with(&begin, json!({}), &house.sarah).await.fields()[0].0, "version");
    assert_eq!(house.it.post("/api/v1/accounts?x=1", json!({})).await.fields()[0].0, "x");
    for watched in ["/health/live?from=probe", "/health/ready?from=probe", "/metrics?from=probe"] {
        assert_eq!(house.it.get(watched, &With::from("127.0.0.1")).await.status, 200, "{watched}");
    }
}
