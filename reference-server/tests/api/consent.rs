//! Complaints of two customers that go on together.

use serde_json::json;

use crate::house::{House, kinds};

#[tokio::test]
async fn complaints_of_two_customers_go_on_together_with_consent_and_neither_learns_of_the_other() {
    let house = House::new().await;
    let his = house.complaint().await;
    let body = json!({"category": "Damaged goods", "subject": "Dented kettle", "description": "Dented as it came."});
    let made = house.it.post_with("/api/v1/complaints", body, &house.jane).await.json();
    let hers = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    let merge =
        |consent: Option<&str>| json!({"into": made["reference"], "consent": consent, "reason": "One delivery."});

    let refused = house.command(&his, "merge", merge(None), &house.sarah).await;
    assert_eq!(refused.problem().0, 422, "{}", refused.text);
    assert_eq!(refused.fields(), [("into".into(), "other_customer".into())]);
    let strange = house.command(&his, "merge", merge(Some("A bell \u{7}")), &house.sarah).await;
    assert_eq!(strange.fields(), [("consent".into(), "control_character".into())]);
    let wrong = house.command(&his, "merge", json!({"into": made["reference"], "consent": true}), &house.sarah).await;
    // What cannot be read is not given, and without it the other rules hold.
    let unread = ("consent".to_owned(), "invalid_type".to_owned());
    assert_eq!(wrong.fields(), [unread, ("into".into(), "other_customer".into())]);
    let second = house.submitted().await;
    let needless = json!({"into": second["reference"], "consent": "He said so."});
    let needless = house.command(&his, "merge", needless, &house.sarah).await;
    assert_eq!(needless.fields(), [("consent".into(), "not_applicable".into())]);

    let merged = house.done(&his, "merge", merge(Some("On the phone: together is fine.")), &house.sarah).await;
    assert_eq!((&merged["status"], &merged["joined_to"]), (&json!("merged"), &made["reference"]));
    assert_eq!(merged["joined_by_consent"], true);
    house.done(&hers, "begin", json!({}), &house.sarah).await;
    let decision = json!({"outcome": "upheld", "explanation": "Jane, we replace it.", "apology": "We are sorry."});
    house.done(&hers, "resolve", decision, &house.sarah).await;

    let seen = house.read(&his, &house.john).await;
    assert_eq!((&seen["status_label"], &seen["joined_to"]), (&json!("Joined to another complaint"), &json!(null)));
    assert_eq!(seen["ended_elsewhere"], json!({"end": "decided", "outcome": "upheld"}));
    let log = house.read(&format!("{his}/log"), &house.john).await;
    assert!(kinds(&log).ends_with(&["merged", "ended_elsewhere"]), "{log}");
    let told = |kind: &str| log["items"].as_array().expect("items").iter().find(|it| it["type"] == kind).cloned();
    let (consented, ended) = (told("merged").expect("told"), told("ended_elsewhere").expect("told"));
    assert_eq!(consented["words"], json!({"consent": "On the phone: together is fine."}));
    assert_eq!(ended["facts"], json!({"how": {"end": "decided", "outcome": "upheld"}}));

    let reads = async |path: &str, who| {
        let mut all = String::new();
        for part in ["", "/log", "/messages", "/deadlines", "/commands", "/routing"] {
            all += &house.it.get(&format!("{path}{part}"), who).await.text;
        }
        all + &house.it.get("/api/v1/complaints", who).await.text
    };
    let (to_john, to_jane) = (reads(&his, &house.john).await, reads(&hers, &house.jane).await);
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    for theirs in [text(&made["id"]), text(&made["reference"]), "Jane".into(), "jane".into(), "Dented".into()] {
        assert!(!to_john.contains(&theirs), "{theirs}: {to_john}");
    }
    for theirs in [text(&seen["id"]), text(&seen["reference"]), "john".into(), "cracked".into(), "On the phone".into()]
    {
        assert!(!to_jane.contains(&theirs), "{theirs}: {to_jane}");
    }
    assert_eq!(house.it.get(&hers, &house.john).await.status, 404);
    let letters = house.it.letters().await;
    let to =
        |who: &str| letters.iter().filter(|(to, _)| to.contains(who)).map(|(_, text)| text.clone()).collect::<String>();
    let (letters_to_john, letters_to_jane) = (to("john@example.org"), to("jane@example.org"));
    assert!(
        letters_to_john.contains("goes on together with another")
            && letters_to_john.contains("How your complaint ended")
    );
    assert!(!letters_to_john.contains(&text(&made["reference"])) && !letters_to_john.contains("Jane"));
    assert!(!letters_to_jane.contains(&text(&seen["reference"])) && !letters_to_jane.contains("together with"));

    // What was consented to can be taken back, by whom it was.
    let apart = house.command(&his, "unmerge", json!({}), &house.jane).await;
    assert_eq!(apart.status, 404, "it is none of hers");
    let apart = house.done(&his, "unmerge", json!({}), &house.john).await;
    assert_eq!((&apart["joined_by_consent"], &apart["ended_elsewhere"]), (&json!(false), &json!(null)));
}
