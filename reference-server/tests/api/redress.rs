//! Remedies one by one, ratings without a name, and the figures of both.

use serde_json::{Value, json};

use crate::house::{House, kinds};
use crate::support::With;

async fn decided(house: &House, remedies: Value) -> String {
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let decision = json!({
        "outcome": "upheld", "explanation": "It left us with a cracked lid.", "apology": "We are sorry.",
        "remedies": remedies,
    });
    house.done(&path, "resolve", decision, &house.sarah).await;
    path
}

fn states(view: &Value) -> Vec<&str> {
    let remedies = view["remedies"].as_array().expect("remedies");
    remedies.iter().map(|remedy| remedy["state"].as_str().expect("a state")).collect()
}

#[tokio::test]
async fn a_remedy_is_declined_another_fails_and_the_books_say_so() {
    let house = House::new().await;
    let two = json!([{"kind": "replacement"}, {"kind": "refund", "amount": "12.50 EUR"}]);
    let path = decided(&house, two).await;
    let declined = json!({"remedy": 1, "reason": "I bought another one."});
    let view = house.done(&path, "decline_remedy", declined, &house.john).await;
    assert_eq!(states(&view), ["declined", "offered"]);
    assert_eq!(view["remedies"][0]["reason"], "I bought another one.");
    let again = house.command(&path, "decline_remedy", json!({"remedy": 1}), &house.john).await;
    assert_eq!(again.problem(), (422, "unknown_value".into()), "{}", again.text);
    house.done(&path, "accept", json!({}), &house.john).await;
    let failed = json!({"reason": "The bank sent it back."});
    let theirs = house.command(&path, "fail_remedy", failed.clone(), &house.john).await;
    assert_eq!(theirs.problem(), (422, "no_delivered_remedy".into()), "{}", theirs.text);
    let view = house.done(&path, "fail_remedy", failed, &house.sarah).await;
    assert_eq!((view["status"].as_str(), states(&view)), (Some("resolved"), vec!["declined", "failed"]));
    assert_eq!((&view["remedies"][1]["outstanding"], &view["remedies"][1]["late"]), (&json!(true), &json!(false)));

    let letters = house.it.letters().await;
    let told = |to: &str, words: &str| letters.iter().any(|(name, text)| name == to && text.contains(words));
    for (to, words) in [
        ("john@example.org", "The bank sent it back."),
        ("maria@example.org", "2. Refund of 12.50 EUR"),
        ("sarah@example.org", "I bought another one."),
    ] {
        assert!(told(to, words), "{to} does not read {words}");
    }
    let log = house.read(&format!("{path}/log"), &house.john).await;
    assert!(kinds(&log).contains(&"remedy_failed"));
    assert!(log.to_string().contains("The bank sent it back."), "the customer reads why");

    let figures = house.read("/api/v1/reports/summary", &house.maria).await["figures"].clone();
    let money = json!({"count": 1, "money": ["12.50 EUR"]});
    for (path, expected) in
        [("failed", &money), ("outstanding", &money), ("declined", &json!({"count": 1, "money": []}))]
    {
        assert_eq!(figures["remedies"][path], *expected, "{path} in {figures}");
    }
    assert_eq!(figures["by_cause"][0]["key"], Value::Null);
    assert_eq!((&figures["by_kind"][0]["key"], &figures["by_kind"][0]["promised"]), (&json!("refund"), &money));
    assert_eq!(figures["ratings"]["invited"], 1);

    let reopened = house.done(&path, "reopen", json!({"reason": "We owe them something else."}), &house.maria).await;
    assert_eq!(reopened["level"], 1);
}

/// As in the letter: whoever decided last decides no more, and nobody else is there.
#[tokio::test]
async fn no_date_is_shown_that_nobody_can_keep() {
    let house = House::new().await;
    let path = decided(&house, json!([])).await;
    let decision = json!({"outcome": "not_upheld", "explanation": "It was as we said."});
    for decider in [&house.maria, &house.omar] {
        let open = house.done(&path, "contest", json!({"reason": "No."}), &house.john).await;
        assert!(open["promised_at"].is_string(), "{open}");
        house.done(&path, "begin", json!({}), decider).await;
        house.done(&path, "resolve", decision.clone(), decider).await;
    }
    let running = async |who: &With| {
        let clocks = house.read(&format!("{path}/deadlines"), who).await;
        let clocks = clocks["items"].as_array().expect("clocks").clone();
        clocks.iter().filter(|clock| clock["ended_at"].is_null()).count()
    };
    let evidence = json!({"reason": "No.", "new_evidence": "A film of it."});
    let open = house.done(&path, "contest", evidence, &house.john).await;
    assert_eq!((&open["status"], &open["promised_at"]), (&json!("queued"), &Value::Null), "{open}");
    assert_eq!(running(&house.john).await, 0, "as in letters and on pages");
    assert!(running(&house.admin).await > 0, "staff see the clocks that run");
}

#[tokio::test]
async fn the_log_names_what_was_decided_to_be_done() {
    let house = House::new().await;
    let path = decided(&house, json!([{"kind": "replacement"}, {"kind": "refund", "amount": "12.50 EUR"}])).await;
    for who in [&house.john, &house.sarah] {
        let log = house.read(&format!("{path}/log"), who).await;
        let entries = log["items"].as_array().expect("items");
        let resolved = entries.iter().find(|entry| entry["type"] == "resolved").expect("a decision");
        let remedies = &resolved["facts"]["remedies"];
        assert_eq!(
            *remedies,
            json!([
                {"kind": "replacement", "kind_label": "Replacement"},
                {"kind": "refund", "kind_label": "Refund", "amount": "12.50 EUR"},
            ])
        );
    }
}

/// Whose hand it was: to customers by name alone.
#[tokio::test]
async fn what_staff_recorded_for_the_customer_says_who_did() {
    let house = House::new().await;
    let path = decided(&house, json!([{"kind": "replacement"}, {"kind": "refund", "amount": "12.50 EUR"}])).await;
    let view = house.done(&path, "decline_remedy", json!({"remedy": 1, "reason": "By phone."}), &house.sarah).await;
    let sarah = &view["remedies"][0]["recorded_by"];
    assert_eq!(
        (&sarah["role"], &sarah["name"], sarah["id"].is_string()),
        (&json!("agent"), &json!("Sarah Cole"), true)
    );
    assert_eq!(
        (&view["remedies"][1]["recorded_by"], &view["resolutions"][0]["recorded_by"]),
        (&Value::Null, &Value::Null)
    );
    house.done(&path, "accept", json!({"reason": "By phone."}), &house.sarah).await;
    let view = house.read(&path, &house.john).await;
    let named = json!({"role": "agent", "name": "Sarah Cole"});
    for recorded in [&view["resolutions"][0], &view["remedies"][0], &view["remedies"][1]] {
        assert_eq!(recorded["recorded_by"], named, "{recorded}");
    }
    let view = house.done(&path, "accept", json!({}), &house.john).await;
    for own in [&view["resolutions"][0], &view["remedies"][1]] {
        assert_eq!(own["recorded_by"], Value::Null, "{own}");
    }
    let refused =
        house.command(&path, "decline_remedy", json!({"remedy": 2, "reason": "By phone."}), &house.sarah).await;
    assert_eq!(refused.problem().1, "accepted_by_customer", "{}", refused.text);
}

#[tokio::test]
async fn a_rating_without_a_name_is_the_customer_s_own() {
    let house = House::new().await;
    let path = decided(&house, json!([])).await;
    let rating = json!({"score": 2, "comment": "SECRET words", "anonymous": true});
    let view = house.done(&path, "rate", rating, &house.john).await;
    assert_eq!((&view["feedback"][0]["anonymous"], &view["offers_contest"]), (&json!(true), &json!(true)));
    let edited = house.done(&path, "rate", json!({"score": 3}), &house.john).await;
    assert_eq!((&edited["feedback"][0]["comment"], &edited["offers_contest"]), (&json!("SECRET words"), &json!(false)));
    for who in [&house.sarah, &house.maria, &house.omar] {
        let view = house.read(&path, who).await;
        assert_eq!((&view["feedback"], view.get("offers_contest")), (&json!([]), None));
        let log = house.read(&format!("{path}/log"), who).await.to_string();
        assert!(!log.contains("SECRET") && !log.contains("rated"), "{log}");
    }
    let summary = house.read("/api/v1/reports/summary", &house.omar).await;
    // With four more it counts; alone it could be told by what the figures were before.
    assert_eq!((&summary["satisfaction"]["count"], &summary["satisfaction"]["by_score"]), (&json!(0), &json!({})));
    assert_eq!(summary["figures"]["ratings"]["mean"], Value::Null);
    assert_eq!(summary["figures"]["ratings_by_agent"][0]["count"], 0, "and is nobody's to tell");
    assert_eq!(summary["figures"]["ratings_by_agent"][0]["name"], "Sarah Cole");
}

#[tokio::test]
async fn a_cause_is_one_of_the_policy_s() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let decision = json!({"outcome": "not_upheld", "explanation": "It works.", "cause": "packaging"});
    let refused = house.command(&path, "resolve", decision, &house.sarah).await;
    assert_eq!(refused.problem(), (422, "unknown_cause".into()), "{}", refused.text);
    let commands = house.read(&format!("{path}/commands"), &house.sarah).await;
    let resolve = commands["items"].as_array().expect("items").iter().find(|it| it["name"] == "resolve").cloned();
    let fields = resolve.expect("offered")["fields"].clone();
    assert!(fields.as_array().expect("fields").iter().any(|it| it["name"] == "cause" && it["required"] == false));
}

/// Programs that look through mail open every link in it, some with the reader's own cookie.
#[tokio::test]
async fn opening_links_rates_nothing() {
    let house = House::new().await;
    let path = decided(&house, json!([])).await;
    let before = house.read(&path, &house.john).await;
    for query in ["", "?score=1", "?score=5&comment=Fine"] {
        let answer = house.it.get(&format!("{path}/commands/rate{query}"), &house.john).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
    }
    let mut opened = 0;
    for (to, text) in house.it.letters().await {
        let links = text.split_whitespace().filter_map(|word| word.split_once("127.0.0.1:8080")).map(|(_, link)| link);
        for link in links.filter(|_| to == "john@example.org") {
            house.it.get(link.trim_end_matches(['.', '"', '>', ')']), &house.john).await;
            opened += 1;
        }
    }
    assert!(opened > 0, "a letter has a link");
    let after = house.read(&path, &house.john).await;
    assert_eq!((&after["version"], &after["feedback"]), (&before["version"], &before["feedback"]));
    assert_eq!(house.read(&format!("{path}/log"), &house.maria).await.to_string().matches("\"rated\"").count(), 0);
}
