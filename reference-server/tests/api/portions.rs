//! Logs and conversations by the page: nothing lost, nothing doubled, nothing told of what is hidden.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::house::{House, kinds};
use crate::support::With;

/// Follows the pages of a door to the end; no page but an empty whole may be empty.
async fn walk(house: &House, door: &str, limit: usize, who: &With) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house.read(&format!("{door}?limit={limit}&cursor={cursor}"), who).await;
        let items = page["items"].as_array().expect("items");
        assert!(!items.is_empty(), "an empty page of {door} after {}", found.len());
        found.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(items.len(), limit, "a page that is not the last is full");
                next.clone_into(&mut cursor);
            }
            None => return found,
        }
    }
}

#[tokio::test]
async fn pages_of_every_size_make_the_whole() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    for number in 1..=4 {
        house.done(&path, "post", json!({"text": format!("Message {number}")}), &house.john).await;
        for _ in 0..number {
            house.done(&path, "note", json!({"text": "zz-secret"}), &house.sarah).await;
        }
    }
    for who in [&house.john, &house.sarah, &house.admin] {
        for door in [format!("{path}/log"), format!("{path}/messages")] {
            let whole = house.read(&door, who).await;
            assert_eq!(whole["next"], json!(null));
            let whole = whole["items"].as_array().expect("items");
            for limit in [1, 2, 3, 7, 100] {
                assert_eq!(walk(&house, &door, limit, who).await, *whole, "{door} by {limit}");
            }
        }
    }
    let log = house.read(&format!("{path}/log"), &house.john).await;
    let numbers: Vec<u64> =
        log["items"].as_array().expect("items").iter().filter_map(|it| it["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>(), "no gaps where notes are");
    assert_eq!(&kinds(&log)[3..], ["begun", "posted", "posted", "posted", "posted"]);
}

#[tokio::test]
async fn cursors_count_only_what_the_viewer_sees() {
    let house = House::new().await;
    let path = house.complaint().await;
    let quiet = house.read(&format!("{path}/log?limit=2"), &house.john).await["next"].clone();
    for _ in 0..3 {
        house.done(&path, "note", json!({"text": "zz-secret"}), &house.sarah).await;
    }
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let before = house.read(&format!("{path}/log?limit=3"), &house.john).await;
    let other = house.complaint().await;
    house.done(&other, "begin", json!({}), &house.sarah).await;
    let without = house.read(&format!("{other}/log?limit=3"), &house.john).await;
    assert!(before["next"].is_string() && before["next"] == without["next"], "notes show in {before}");
    assert_eq!(house.read(&format!("{path}/log?limit=2"), &house.john).await["next"], quiet);
    // After what he sees there is nothing but notes, and that is the end.
    for _ in 0..3 {
        house.done(&path, "note", json!({"text": "zz-secret"}), &house.sarah).await;
    }
    assert_eq!(house.read(&format!("{path}/log?limit=4"), &house.john).await["next"], json!(null));
    assert!(house.read(&format!("{path}/log?limit=4"), &house.sarah).await["next"].is_string());
}

#[tokio::test]
async fn what_is_added_between_two_pages_comes_behind() {
    let house = House::new().await;
    let path = house.complaint().await;
    for text in ["one", "two", "three"] {
        house.done(&path, "post", json!({"text": text}), &house.john).await;
    }
    for who in [&house.john, &house.sarah] {
        let door = format!("{path}/messages");
        let first = house.read(&format!("{door}?limit=2"), who).await;
        house.done(&path, "note", json!({"text": "zz-secret"}), &house.sarah).await;
        house.done(&path, "post", json!({"text": "and more"}), &house.john).await;
        let next = first["next"].as_str().expect("a cursor");
        let second = house.read(&format!("{door}?cursor={next}"), who).await;
        let texts: Vec<&str> = [&first, &second]
            .iter()
            .flat_map(|page| page["items"].as_array().expect("items"))
            .map(|message| message["text"].as_str().expect("a text"))
            .collect();
        assert_eq!(texts[..4], ["one", "two", "three", "and more"]);
        assert_eq!(Value::from(texts), whole(&house, &door, who).await);
    }
}

async fn whole(house: &House, door: &str, who: &With) -> Value {
    let all = house.read(door, who).await;
    all["items"].as_array().expect("items").iter().map(|message| message["text"].clone()).collect()
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let house = House::new().await;
    let path = house.complaint().await;
    let forged = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for door in ["log", "messages"] {
        for (query, parameter, code) in [
            ("limit=0".to_owned(), "limit", "out_of_range"),
            ("limit=-1".to_owned(), "limit", "out_of_range"),
            ("limit=101".to_owned(), "limit", "out_of_range"),
            ("limit=9223372036854775808".to_owned(), "limit", "out_of_range"),
            ("limit=1.5".to_owned(), "limit", "out_of_range"),
            ("limit=2&limit=3".to_owned(), "limit", "duplicate"),
            ("cursor=nonsense".to_owned(), "cursor", "invalid"),
            ("cursor=3".to_owned(), "cursor", "invalid"),
            (format!("cursor={}", forged("0")), "cursor", "invalid"),
            (format!("cursor={}", forged("-1")), "cursor", "invalid"),
            (format!("cursor={}", forged("4294967296")), "cursor", "invalid"),
            (format!("cursor={}", forged("newest.1.0190c6e6-0000-7000-8000-000000000000")), "cursor", "invalid"),
            ("sort=newest".to_owned(), "sort", "unknown_field"),
        ] {
            let refused = house.it.get(&format!("{path}/{door}?{query}"), &house.john).await;
            assert_eq!(refused.problem(), (400, "invalid_query".into()), "{door}?{query}");
            assert_eq!(refused.fields(), [(parameter.to_owned(), code.to_owned())], "{door}?{query}");
            let others = house.it.get(&format!("{path}/{door}?{query}"), &house.jane).await;
            assert_eq!(others.problem(), (404, "not_found".into()), "whose it is comes first");
        }
        let beyond = house.read(&format!("{path}/{door}?cursor={}", forged("4294967295")), &house.john).await;
        assert_eq!(beyond, json!({"items": [], "next": null}));
        assert_eq!(house.it.get(&format!("{path}/{door}?limit=&cursor="), &house.john).await.status, 200);
    }
}
