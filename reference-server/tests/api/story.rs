//! The story of part one over HTTP.

use chrono::TimeDelta;
use serde_json::json;

use crate::house::{House, kinds};
use crate::support::With;

#[tokio::test]
async fn from_submission_to_feedback() {
    let house = House::new().await;
    let it = &house.it;
    let made = it.post_with("/api/v1/complaints", House::broken_kettle(), &house.john).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.header("etag"), "\"1\"");
    let view = made.json();
    let path = format!("/api/v1/complaints/{}", view["id"].as_str().expect("an id"));
    assert_eq!(made.header("location"), path);
    assert_eq!(
        (view["status"].as_str(), view["status_label"].as_str()),
        (Some("assigned"), Some("Assigned to Sarah Cole"))
    );
    assert_eq!((view["level"].as_u64(), view["version"].as_u64()), (Some(1), Some(1)));
    assert_eq!(view["handler"], json!({"name": "Sarah Cole"}));
    assert_eq!(view["category"], json!({"key": "damaged-goods", "name": "Damaged goods"}));
    assert_eq!((view["purchase_date"].as_str(), view["channel"].as_str()), (Some("2026-02-14"), Some("api")));
    assert!(view["acknowledged_at"].is_string(), "acknowledged at once");
    let letters = it.letters().await;
    let told: Vec<&str> = letters.iter().map(|(to, _)| to.as_str()).collect();
    assert!(told.contains(&"john@example.org") && told.contains(&"sarah@example.org"), "{told:?}");
    assert!(letters.iter().all(|(_, text)| text.contains(view["reference"].as_str().expect("a reference"))));

    // By expertise, with the explanation stored.
    let routing = house.read(&format!("{path}/routing"), &house.sarah).await;
    assert_eq!(routing["chosen"]["name"], "Sarah Cole");
    let ben = routing["candidates"].as_array().expect("candidates").iter().find(|c| c["agent"]["name"] == "Ben Young");
    assert_eq!(ben.expect("considered")["reasons"][0]["code"], "lacks_skills");
    assert_eq!(it.get(&format!("{path}/routing"), &house.john).await.problem(), (403, "forbidden".into()));

    let reference = format!("/api/v1/complaints/{}", view["reference"].as_str().expect("a reference"));
    assert_eq!(house.read(&reference, &house.john).await["id"], view["id"], "by reference, without a detour");
    assert_eq!(it.get(&path, &house.john.clone().header("if-none-match", "\"1\"")).await.status, 304);
    assert_eq!(it.get(&path, &house.john.clone().header("if-none-match", "\"2\"")).await.status, 200);

    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Was the parcel damaged too?"}), &house.sarah).await;
    assert!(it.letters().await.iter().any(|(to, text)| to == "john@example.org" && text.contains("parcel damaged")));
    let asked = house.read(&path, &house.john).await;
    assert_eq!(
        (asked["status_label"].as_str(), asked["question_open"].as_bool()),
        (Some("We need your answer"), Some(true))
    );
    let deadlines = house.read(&format!("{path}/deadlines"), &house.sarah).await;
    let resolution = deadlines["items"].as_array().expect("items").iter().find(|d| d["clock"] == "resolution").cloned();
    assert_eq!(resolution.expect("a clock")["paused"], true);
    house.done(&path, "answer", json!({"text": "No, only the kettle."}), &house.john).await;
    let messages = house.read(&format!("{path}/messages"), &house.sarah).await;
    let texts: Vec<(&str, &str)> = messages["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|m| (m["kind"].as_str().expect("a kind"), m["text"].as_str().expect("a text")))
        .collect();
    assert_eq!(texts, [("question", "Was the parcel damaged too?"), ("answer", "No, only the kettle.")]);

    let resolution = json!({
        "outcome": "upheld", "explanation": "It left us with a cracked lid.", "apology": "We are sorry.",
        "remedies": [{"kind": "replacement", "instructions": "Keep the old one."}],
    });
    let resolved = house.done(&path, "resolve", resolution, &house.sarah).await;
    assert_eq!(
        (resolved["status"].as_str(), resolved["remedies"][0]["state"].as_str()),
        (Some("resolved"), Some("offered"))
    );
    assert!(it.letters().await.iter().any(|(to, text)| to == "john@example.org" && text.contains("cracked lid")));
    let accepted = house.done(&path, "accept", json!({}), &house.john).await;
    assert_eq!(accepted["status"], "resolved", "a remedy is outstanding");
    assert!(accepted["contest_until"].is_string() && accepted["resolutions"][0]["accepted_at"].is_string());
    let closed = house.done(&path, "fulfil_remedy", json!({"evidence": "Parcel 17"}), &house.sarah).await;
    assert_eq!(
        (closed["status"].as_str(), closed["remedies"][0]["state"].as_str()),
        (Some("closed"), Some("fulfilled"))
    );
    let rated = house.done(&path, "rate", json!({"score": 5, "comment": "Quick and kind."}), &house.john).await;
    assert_eq!(rated["feedback"][0]["score"], 5);

    let summary = house.read("/api/v1/reports/summary", &house.admin).await;
    assert_eq!((summary["total"].as_u64(), summary["open"].as_u64()), (Some(1), Some(0)));
    assert_eq!((summary["by_status"]["closed"].as_u64(), summary["by_status"]["queued"].as_u64()), (Some(1), Some(0)));
    assert_eq!(summary["satisfaction"]["count"], 1);
    assert_eq!(summary["satisfaction"]["average"], 5.0);
    assert_eq!(summary["by_category"][0], json!({"key": "damaged-goods", "name": "Damaged goods", "total": 1}));

    let log = house.read(&format!("{path}/log"), &house.sarah).await;
    assert_eq!(
        kinds(&log),
        [
            "submitted",
            "acknowledged",
            "assigned",
            "begun",
            "asked",
            "answered",
            "resolved",
            "accepted",
            "remedy_fulfilled",
            "closed",
            "rated"
        ]
    );
    let entries = log["items"].as_array().expect("items");
    assert!((1..).zip(entries).all(|(seq, entry)| entry["seq"] == seq && entry["at"].is_string()));
    assert_eq!(entries[3]["actor"]["name"], "Sarah Cole");
    let id = view["id"].as_str().expect("an id").parse().expect("an id");
    assert!(it.server.state().desk.replays(id).await.expect("replays"), "the log rebuilds the row");
}

#[tokio::test]
async fn escalated_contested_and_finally_decided() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let escalated = house.done(&path, "escalate", json!({"reason": "I cannot decide this."}), &house.sarah).await;
    assert_eq!((escalated["level"].as_u64(), escalated["handler"]["name"].as_str()), (Some(2), Some("Maria Sol")));
    assert_eq!(house.it.get(&path, &house.sarah).await.problem(), (404, "not_found".into()), "no longer hers");
    house.done(&path, "begin", json!({}), &house.maria).await;
    house
        .done(&path, "resolve", json!({"outcome": "not_upheld", "explanation": "It worked here."}), &house.maria)
        .await;
    let contested = house.done(&path, "contest", json!({"reason": "It does not work here."}), &house.john).await;
    assert_eq!((contested["level"].as_u64(), contested["handler"].clone()), (Some(3), json!({"name": "Omar Aziz"})));
    assert!(contested["resolutions"][0]["contested_at"].is_string());
    house.done(&path, "begin", json!({}), &house.omar).await;
    house
        .done(&path, "resolve", json!({"outcome": "not_upheld", "explanation": "Nor can we find it."}), &house.omar)
        .await;
    let refused = house.command(&path, "contest", json!({"reason": "Still broken."}), &house.john).await;
    assert_eq!(refused.problem(), (422, "final_authority_reached".into()));
    assert!(refused.json()["errors"][0]["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
    let commands = house.read(&format!("{path}/commands"), &house.john).await;
    let accept = commands["items"].as_array().expect("items").iter().find(|c| c["name"] == "accept").cloned();
    assert_eq!(accept.expect("a command")["allowed"], true);
    let contest = commands["items"].as_array().expect("items").iter().find(|c| c["name"] == "contest").cloned();
    let contest = contest.expect("a command");
    let required = contest["fields"].as_array().expect("fields").iter().filter(|field| field["required"] == true);
    let required: Vec<&str> = required.map(|field| field["name"].as_str().expect("a name")).collect();
    assert_eq!((&contest["allowed"], required), (&json!(true), vec!["reason", "new_evidence"]));
    // Omar is the only one there, and has decided: the admin is told at once, not what it is about; nobody else can help.
    house.it.letters().await;
    let evidence = json!({"reason": "I filmed it.", "new_evidence": "A film of the crack."});
    let heard = house.done(&path, "contest", evidence, &house.john).await;
    assert_eq!((heard["status"].as_str(), heard["level"].as_u64()), (Some("queued"), Some(3)));
    let letters = house.it.letters().await;
    let told: Vec<&(String, String)> =
        letters.iter().filter(|(_, letter)| letter.contains("Nobody can take this complaint")).collect();
    assert_eq!(told.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["ada@example.org"]);
    assert!(told.iter().all(|(_, letter)| letter.contains("Omar Aziz held or decided it")), "{told:?}");
    assert!(!told[0].1.to_lowercase().contains("kettle"), "{told:?}");
}

#[tokio::test]
async fn nobody_acts_and_it_escalates_once() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.it.letters().await;
    house.it.clock.advance(TimeDelta::days(3));
    let letters = house.it.letters().await;
    let told = |letters: &[(String, String)]| {
        letters.iter().filter(|(to, text)| to == "john@example.org" && text.contains("has been escalated")).count()
    };
    assert_eq!(told(&letters), 1, "the customer is told: {letters:?}");
    assert_eq!(told(&house.it.letters().await), 0, "once");
    let omar = With::bearer(&house.it.token("omar@example.org").await);
    let view = house.read(&path, &omar).await;
    assert_eq!((view["level"].as_u64(), view["handler"]["name"].as_str()), (Some(2), Some("Maria Sol")));
    assert_eq!(view["escalations"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_clock_of_the_api_leaves_nothing_undone() {
    let it = crate::support::Harness::with_args(|args| args.movable_clock = true).await;
    let admin = With::bearer(&it.admin().await);
    it.post_with("/api/v1/categories", json!({"name": "Damaged goods", "skills": []}), &admin).await;
    for (name, level) in [("sarah", 1), ("maria", 2)] {
        let body = json!({"name": name, "email": format!("{name}@example.org"), "level": level, "password": crate::support::PASSWORD});
        assert_eq!(it.post_with("/api/v1/agents", body, &admin).await.status, 201);
    }
    it.customer("john@example.org").await;
    let john = With::bearer(&it.token("john@example.org").await);
    assert_eq!(it.post_with("/api/v1/complaints", House::broken_kettle(), &john).await.status, 201);
    let sent = |letters: &crate::support::Letters| letters.count();
    let before = sent(&it.letters);
    let moved = it.post_with("/api/v1/clock", json!({"advance_seconds": 3 * 24 * 3600}), &admin).await;
    assert_eq!((moved.status.as_u16(), moved.json()["done"].as_bool()), (200, Some(true)), "{}", moved.text);
    assert!(sent(&it.letters) > before, "letters have left when it answers");
    let list = it.get("/api/v1/complaints?level=2", &admin).await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
}

#[tokio::test]
async fn an_agent_takes_a_call_down() {
    let house = House::new().await;
    let john = house.read("/api/v1/me", &house.john).await["id"].clone();
    let mut body = House::broken_kettle();
    body["customer"] = john;
    body["channel"] = json!("phone");
    let made = house.it.post_with("/api/v1/complaints", body.clone(), &house.ben).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(
        (made.json()["channel"].as_str(), made.json()["recorded_by"]["name"].as_str()),
        (Some("phone"), Some("Ben Young"))
    );
    assert_eq!(house.read("/api/v1/complaints", &house.john).await["items"].as_array().map(Vec::len), Some(1));
    // Whoever is on the telephone knows their address, not their id.
    body["customer"] = json!("John@Example.org");
    let by_address = house.it.post_with("/api/v1/complaints", body.clone(), &house.ben).await;
    assert_eq!((by_address.status.as_u16(), &by_address.json()["customer"]["name"]), (201, &json!("John Miller")));
    for (field, value, code) in [
        ("customer", json!("nobody@example.org"), "unknown_customer"),
        ("customer", json!("ben@example.org"), "unknown_customer"),
        ("customer", json!("u_nobody"), "unknown_customer"),
        ("customer", json!(null), "missing"),
        ("channel", json!("email"), "unknown_value"),
        ("channel", json!(null), "missing"),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let refused = house.it.post_with("/api/v1/complaints", wrong, &house.ben).await;
        assert_eq!(refused.fields(), [(field.to_owned(), code.to_owned())], "{}", refused.text);
    }
}

#[tokio::test]
async fn a_finished_complaint_is_followed_up() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "withdraw", json!({}), &house.john).await;
    let followed = house.command(&path, "follow_up", House::broken_kettle(), &house.john).await;
    assert_eq!(followed.status, 201, "{}", followed.text);
    assert_ne!(followed.header("location"), path);
    assert!(followed.json()["follows"].is_string());
}

/// An unchanged `ETag` stands for an unchanged body.
#[tokio::test]
async fn a_proposal_moves_nothing_that_the_customer_reads() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let before = house.it.get(&path, &house.john).await;
    house.it.clock.advance(TimeDelta::minutes(5));
    let proposal = json!({"outcome": "not_upheld", "explanation": "It works."});
    house.done(&path, "propose", proposal, &house.sarah).await;
    let after = house.it.get(&path, &house.john).await;
    assert_eq!((&after.text, after.header("etag")), (&before.text, before.header("etag")));
    let unchanged = house.john.clone().header("if-none-match", before.header("etag"));
    assert_eq!(house.it.get(&path, &unchanged).await.status, 304);
    assert_ne!(house.read(&path, &house.sarah).await["status_since"], before.json()["status_since"]);
}

#[tokio::test]
async fn what_is_promised_is_ahead_and_what_was_broken_is_told_as_such() {
    let house = House::new().await;
    let path = house.complaint().await;
    let first = house.read(&path, &house.john).await;
    assert!(first["promised_at"].is_string() && first["promise_broken_at"].is_null(), "{first}");
    house.it.clock.advance(TimeDelta::days(5));
    let john = With::bearer(&house.it.token("john@example.org").await);
    let later = house.read(&path, &john).await;
    assert_eq!(later["promise_broken_at"], first["promised_at"]);
    assert!(later["promised_at"].as_str() > first["promised_at"].as_str(), "{later}");
    house.it.clock.advance(TimeDelta::days(500));
    let john = With::bearer(&house.it.token("john@example.org").await);
    let last = house.read(&path, &john).await;
    assert!(last["promised_at"].is_null() && last["promise_broken_at"].is_string(), "{last}");
}
