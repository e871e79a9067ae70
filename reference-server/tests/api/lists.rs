//! Lists: filters, sorts, cursors, and what is wrong with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::house::House;

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
    for query in ["handler=me", "customer=u_1"] {
        let refused = house.it.get(&format!("/api/v1/complaints?{query}"), &house.john).await;
        assert_eq!(refused.problem(), (400, "invalid_query".into()), "{query}");
    }
    assert_eq!(house.it.get("/api/v1/complaints?handler=me", &house.admin).await.status, 400, "holds nothing");
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
        ("status=open".to_owned(), "status"),
        ("status=queued,nonsense".to_owned(), "status"),
        ("category=%21%21".to_owned(), "category"),
        ("category=nope".to_owned(), "category"),
        ("level=0".to_owned(), "level"),
        ("level=x".to_owned(), "level"),
        (format!("q={long}"), "q"),
        ("q=a%00b".to_owned(), "q"),
        ("cursor=nonsense".to_owned(), "cursor"),
        (format!("cursor={}", forged("newest.x.y")), "cursor"),
        (format!("cursor={}", forged("best.1.y")), "cursor"),
        (format!("cursor={}", forged(&format!("oldest.1.{id}"))), "cursor"),
        ("order=asc".to_owned(), "order"),
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
