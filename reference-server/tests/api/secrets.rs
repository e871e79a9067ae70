//! What must not be in an answer.

use serde_json::json;

use crate::house::{House, kinds};

#[tokio::test]
async fn a_customer_never_sees_notes_scores_or_ids_of_staff() {
    let house = House::new().await;
    let made = house.submitted().await;
    let path = format!("/api/v1/complaints/{}", made["id"].as_str().expect("an id"));
    house.done(&path, "note", json!({"text": "zz-secret note: he is difficult"}), &house.sarah).await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "triage", json!({"priority": "high", "reason": "zz-secret triage"}), &house.sarah).await;
    house.done(&path, "hold", json!({"party": "Courier", "until": "2026-03-05"}), &house.sarah).await;
    house.done(&path, "resume", json!({"reason": "zz-secret resume"}), &house.sarah).await;
    house.done(&path, "escalate", json!({"reason": "zz-secret escalation"}), &house.sarah).await;
    house.done(&path, "decline", json!({"reason": "zz-secret decline"}), &house.maria).await;
    let staff: Vec<String> = house.read("/api/v1/agents", &house.admin).await["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|agent| agent["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(staff.len(), 4);
    let mut all = String::new();
    for door in ["", "/log", "/messages", "/deadlines", "/commands"] {
        all.push_str(&house.read(&format!("{path}{door}"), &house.john).await.to_string());
    }
    all.push_str(&house.read("/api/v1/complaints", &house.john).await.to_string());
    for secret in staff.iter().map(String::as_str).chain([
        "zz-secret",
        "noted",
        "triaged",
        "declined",
        "candidates",
        "routing",
        "workload",
        "capacity",
        "rank",
        "\"priority\"",
        "excluded",
        "escalations",
        "\"weight\"",
        "@example.org\"",
        "lacks_skills",
    ]) {
        // His own address is his.
        let all = all.replace("john@example.org", "");
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let log = house.read(&format!("{path}/log"), &house.john).await;
    assert_eq!(
        kinds(&log),
        [
            "submitted",
            "acknowledged",
            "assigned",
            "begun",
            "revised",
            "held",
            "resumed",
            "escalated",
            "assigned",
            "released"
        ]
    );
    let last = &log["items"].as_array().expect("items")[9];
    assert_eq!((&last["facts"], &last["words"]), (&json!({}), &json!({})), "why is kept among staff");
    assert_eq!(log["items"][2]["facts"], json!({"handler": {"name": "Sarah Cole"}}));
    let inside = house.read(&format!("{path}/log"), &house.omar).await.to_string();
    assert!(inside.contains("zz-secret note") && inside.contains("lacks_skills"), "those who handle it see it");
}

#[tokio::test]
async fn an_admin_sees_that_not_what() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.upload(&path, &[("lid.txt", "text/plain", b"zz-file")], &house.john).await;
    house.done(&path, "begin", json!({}), &house.sarah).await;
    house.done(&path, "ask", json!({"text": "Which lid?"}), &house.sarah).await;
    let view = house.read(&path, &house.admin).await;
    assert_eq!((view["content"].as_str(), view["status"].as_str()), (Some("withheld"), Some("awaiting_customer")));
    let mut all = view.to_string();
    for door in ["/log", "/messages", "/deadlines", "/commands", "/routing"] {
        all.push_str(&house.read(&format!("{path}{door}"), &house.admin).await.to_string());
    }
    all.push_str(&house.read("/api/v1/complaints", &house.admin).await.to_string());
    for content in ["kettle", "Kettle", "cracked", "A-1009", "Which lid?", "lid.txt", "7946"] {
        assert!(!all.contains(content), "{content} in {all}");
    }
    let attachment =
        house.read(&path, &house.john).await["attachments"][0]["href"].as_str().expect("a path").to_owned();
    assert_eq!(house.it.get(&attachment, &house.admin).await.problem(), (403, "forbidden".into()));
}
