//! Categories, lifecycle, agents, users: what admins look after.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{PASSWORD, With};

#[tokio::test]
async fn two_categories_never_have_one_name() {
    let house = House::new().await;
    let it = &house.it;
    let taken = |answer: &crate::support::Answer| {
        assert_eq!(answer.problem(), (409, "category_exists".into()), "{}", answer.text);
        assert_eq!(answer.fields(), [("name".to_owned(), "taken".to_owned())], "{}", answer.text);
    };
    let version = || it.server.state().desk.policy().version;
    let before = version();
    for name in ["Late delivery", " late  DELIVERY "] {
        taken(&it.patch("/api/v1/categories/damaged-goods", json!({"name": name}), &house.admin).await);
    }
    assert_eq!(version(), before, "nothing changed");
    // Its own name is nobody else's, however it is written.
    let own = it.patch("/api/v1/categories/damaged-goods", json!({"name": "DAMAGED GOODS"}), &house.admin).await;
    assert_eq!(own.status, 200, "{}", own.text);
    // The key stays with the name it was made from; whoever is refused for its sake learns what has it.
    let renamed = it.patch("/api/v1/categories/damaged-goods", json!({"name": "Broken goods"}), &house.admin).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    for name in ["Broken goods", "broken GOODS", "Damaged goods"] {
        let refused = it.post_with("/api/v1/categories", json!({"name": name}), &house.admin).await;
        taken(&refused);
        assert!(refused.text.contains("“Broken goods” (damaged-goods)"), "{}", refused.text);
    }
}

#[tokio::test]
async fn categories_are_versions_of_the_policy() {
    let house = House::new().await;
    let it = &house.it;
    let before = it.server.state().desk.policy().version;
    let body = json!({
        "name": "Water & pipes", "description": "Leaks.", "skills": ["plumbing"], "priority": "high", "weight": 2,
        "questions": [{"label": "Which street?", "required": true}, {"key": "since", "label": "Since when?"}],
        "targets": {"resolution": "5 working days"},
    });
    let made = it.post_with("/api/v1/categories", body.clone(), &house.admin).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(made.json()["questions"][0]["key"], "which-street");
    assert_eq!(it.post_with("/api/v1/categories", body, &house.admin).await.problem(), (409, "category_exists".into()));
    assert_eq!(it.server.state().desk.policy().version, before + 1, "in force at once");
    let kept = it.server.state().policies.latest().await.expect("reads").expect("a policy");
    assert_eq!(kept.version, before + 1);
    assert!(kept.toml.contains(&key) && kept.made_by != "system");

    let list = house.read("/api/v1/categories", &house.john).await;
    let water = list["items"].as_array().expect("items").iter().find(|c| c["key"] == key.as_str()).cloned();
    let water = water.expect("listed");
    assert_eq!(water["questions"][0]["required"], true);
    assert!(water.get("skills").is_none() && water.get("weight").is_none(), "rules are for staff");
    let mut complaint = House::broken_kettle();
    complaint["category"] = json!("water & pipes");
    let refused = it.post_with("/api/v1/complaints", complaint.clone(), &house.john).await;
    assert_eq!(refused.status, 422);
    assert!(refused.fields().iter().any(|(field, _)| field == "answers.which-street"), "{}", refused.text);

    let path = format!("/api/v1/categories/{key}");
    let changed = it.patch(&path, json!({"active": false, "name": "Water", "skills": null}), &house.admin).await;
    assert_eq!((changed.status.as_u16(), changed.json()["name"].as_str()), (200, Some("Water")), "{}", changed.text);
    assert_eq!(changed.json()["skills"], json!([key]));
    let list = house.read("/api/v1/categories", &With::default()).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "before signing up, too");
    let refused = it.post_with("/api/v1/complaints", complaint, &house.john).await;
    assert!(refused.fields().contains(&("category".into(), "unknown_category".into())), "{}", refused.text);

    for (body, field, code) in [
        (json!({"name": "x".repeat(201)}), "name", "too_long"),
        (json!({"name": " "}), "name", "missing"),
        (json!({"weight": 0}), "weight", "out_of_range"),
        (json!({"weight": 1001}), "weight", "out_of_range"),
        (json!({"weight": "2"}), "weight", "invalid_type"),
        (json!({"description": "x".repeat(2001)}), "description", "too_long"),
        (json!({"questions": [{"key": "a b", "label": "?"}]}), "questions.0.key", "invalid_key"),
        (
            json!({"questions": [{"key": "a", "label": "?"}, {"key": "a", "label": "!"}]}),
            "questions.1.key",
            "duplicate",
        ),
        (json!({"questions": [{"label": "?"}, {"label": ""}]}), "questions.1.label", "missing"),
        (json!({"questions": [{"label": 7}]}), "questions.0.label", "invalid_type"),
        (json!({"questions": [{"label": "?", "x": 1}]}), "questions.0.x", "unknown_field"),
        (json!({"key": "other"}), "key", "unknown_field"),
        (json!({"priority": "top"}), "priority", "unknown_value"),
        (json!({"targets": {"resolution": "soon"}}), "targets.resolution", "invalid"),
    ] {
        let refused = it.patch(&path, body, &house.admin).await;
        assert_eq!(refused.fields(), [(field.to_owned(), code.to_owned())], "{}", refused.text);
        assert_eq!(refused.problem(), (422, "invalid_body".into()));
    }
    assert_eq!(it.patch("/api/v1/categories/none", json!({}), &house.admin).await.status, 404);
    for name in ["", "!!", &"x".repeat(65)] {
        let refused = it.post_with("/api/v1/categories", json!({"name": name}), &house.admin).await;
        assert_eq!((refused.status.as_u16(), refused.fields()[0].0.as_str()), (422, "name"), "{name}");
    }
    for who in [&house.john, &house.sarah, &house.omar] {
        assert_eq!(it.patch(&path, json!({"weight": 3}), who).await.problem(), (403, "forbidden".into()));
        assert_eq!(
            it.post_with("/api/v1/categories", json!({"name": "Noise"}), who).await.problem(),
            (403, "forbidden".into())
        );
    }
}

#[tokio::test]
async fn the_lifecycle_is_printed() {
    let house = House::new().await;
    let table = house.read("/api/v1/lifecycle", &house.sarah).await;
    assert_eq!(table["statuses"].as_array().map(Vec::len), Some(12));
    for chart in [
        house.it.get("/api/v1/lifecycle?format=mermaid", &house.sarah).await,
        house.it.get("/api/v1/lifecycle", &house.sarah.clone().header("accept", "text/plain")).await,
    ] {
        assert!(chart.text.starts_with("stateDiagram-v2") && chart.header("content-type").starts_with("text/plain"));
    }
    assert_eq!(
        house.it.get("/api/v1/lifecycle?format=dot", &house.john).await.problem(),
        (400, "invalid_query".into())
    );
}

#[tokio::test]
async fn a_customer_s_lifecycle_holds_what_concerns_them() {
    let house = House::new().await;
    let table = house.read("/api/v1/lifecycle", &house.john).await;
    let names = |of: &str| -> Vec<String> {
        let items = table[of].as_array().expect("a list").iter();
        items.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("statuses").len(), 11, "{table}");
    assert_eq!(
        names("clocks").iter().filter(|name| ["acceptance", "approval", "level"].contains(&&***name)).count(),
        0
    );
    assert!(
        names("clocks").contains(&"contest_window".to_owned()) && names("commands").contains(&"contest".to_owned())
    );
    let internal = ["authority", "pending_approval", "propose", "approve", "\"handler\"", "supervisor", "priorities"];
    let text = table.to_string();
    for word in internal {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert_eq!(
        table["levels"][0].as_object().map(|level| level.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["level".into(), "name".into()])
    );
    assert!(table["changes"].as_array().is_some_and(|changes| changes.iter().any(|it| it["command"] == "contest")));
    assert_eq!(
        house.it.get("/api/v1/lifecycle?format=mermaid", &house.john).await.problem(),
        (403, "forbidden".into())
    );
}

#[tokio::test]
async fn what_a_command_takes_is_learnt_from_the_api() {
    let house = House::new().await;
    let path = house.complaint().await;
    let field = |commands: &Value, command: &str, field: &str| -> Value {
        let command = commands.as_array().into_iter().flatten().find(|it| it["name"] == command).expect("the command");
        command["fields"].as_array().into_iter().flatten().find(|it| it["name"] == field).expect("the field").clone()
    };
    let keys = |choices: &Value| -> Vec<String> {
        choices.as_array().into_iter().flatten().map(|it| it["key"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let table = house.read("/api/v1/lifecycle", &house.sarah).await["commands"].clone();
    let offered = house.read(&format!("{path}/commands"), &house.sarah).await["items"].clone();
    assert_eq!(field(&table, "contest", "reason")["choices"], Value::Null, "words have no choices");
    for commands in [&table, &offered] {
        let outcome = field(commands, "resolve", "outcome");
        assert!(keys(&outcome["choices"]).contains(&"partly_upheld".to_owned()), "{outcome}");
        let remedies = field(commands, "resolve", "remedies");
        assert_eq!(remedies["type"], "list", "{remedies}");
        let parts: Vec<&str> =
            remedies["fields"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(parts, ["kind", "amount", "due_on", "instructions"]);
        assert!(keys(&remedies["fields"][0]["choices"]).contains(&"refund".to_owned()), "{remedies}");
        let reason = field(commands, "dismiss", "reason");
        assert!(keys(&reason["choices"]).contains(&"out_of_scope".to_owned()), "{reason}");
        assert_eq!(field(commands, "hold", "until")["type"], "day");
    }
    let description = house.read("/api/openapi.json", &house.john).await;
    let body = &description["components"]["schemas"]["CommandBody"]["properties"];
    assert!(body["outcome"]["enum"].as_array().is_some_and(|it| it.contains(&json!("upheld"))), "{body}");
    assert!(body["remedies"]["items"]["properties"]["kind"]["enum"].as_array().is_some(), "{body}");
    // What a complaint is made of is what is read: whoever sends another field is told all that there are.
    let schemas = &description["components"]["schemas"];
    let body =
        &description["paths"]["/api/v1/complaints"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/SubmissionBody");
    let described = |schema: &str| -> Vec<String> {
        let fields = schemas[schema]["properties"].as_object().expect("fields");
        let mut fields: Vec<String> = fields.keys().cloned().collect();
        fields.sort_unstable();
        fields
    };
    for (schema, body) in [
        ("SubmissionBody", json!({"category": "x", "subject": "x", "description": "x", "x": 1})),
        ("ContactBody", json!({"category": "x", "subject": "x", "description": "x", "contact": {"x": 1}})),
        ("ItemView", json!({"category": "x", "subject": "x", "description": "x", "items": [{"x": 1}]})),
    ] {
        let refused = house.it.post_with("/api/v1/complaints", body, &house.sarah).await;
        let errors = refused.json()["errors"].clone();
        let said = errors.as_array().into_iter().flatten().find(|error| error["code"] == "unknown_field");
        let said =
            said.unwrap_or_else(|| panic!("{}", refused.text))["message"].as_str().expect("a sentence").to_owned();
        let (_, known) = said.split_once("Known are: ").expect("what is known");
        let mut read: Vec<String> =
            known.trim_end_matches('.').replace(" or ", ", ").split(", ").map(str::to_owned).collect();
        read.sort_unstable();
        assert_eq!(described(schema), read, "{said}");
    }
    assert_eq!(schemas["SubmissionBody"]["required"], json!(["category", "subject", "description"]));
    house.done(&path, "begin", json!({}), &house.sarah).await;
    let remedies = json!([{"kind": "refund", "text": "x"}]);
    let refused =
        house.command(&path, "resolve", json!({"outcome": "upheld", "remedies": remedies}), &house.sarah).await;
    let missing = |field: &str| (field.to_owned(), "missing".to_owned());
    let unknown = ("remedies.0.text".to_owned(), "unknown_field".to_owned());
    assert_eq!(refused.fields(), [unknown, missing("explanation"), missing("apology"), missing("remedies.0.amount")]);
    let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("kind, amount, due_on, instructions"), "{detail}");
}

#[tokio::test]
async fn agents_are_accounts_that_hold_complaints() {
    let house = House::new().await;
    let it = &house.it;
    let path = house.complaint().await;
    let list = house.read("/api/v1/agents", &house.maria).await;
    let sarah =
        list["items"].as_array().expect("items").iter().find(|a| a["name"] == "Sarah Cole").cloned().expect("listed");
    assert_eq!((sarah["workload"].as_u64(), sarah["capacity"].as_u64()), (Some(1), Some(5)));
    assert_eq!((sarah["email"].as_str(), sarah["available"].as_bool()), (Some("sarah@example.org"), Some(true)));
    assert_eq!(house.read("/api/v1/me", &house.sarah).await["id"], sarah["id"], "one id for both");
    for who in [&house.john, &house.sarah] {
        assert_eq!(it.get("/api/v1/agents", who).await.problem(), (403, "forbidden".into()));
        assert_eq!(it.get("/api/v1/reports/summary", who).await.problem(), (403, "forbidden".into()));
    }

    let invited = it
        .post_with(
            "/api/v1/agents",
            json!({"name": "Zoe", "email": "zoe@example.org", "skills": ["damaged goods"]}),
            &house.admin,
        )
        .await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    assert_eq!(it.mails().await.len(), 1, "an invitation");
    let taken = it.post_with("/api/v1/agents", json!({"name": "Zoe", "email": "zoe@example.org"}), &house.admin).await;
    assert_eq!(taken.problem(), (409, "email_taken".into()));

    // Absent: what she holds goes to somebody else, and back she may come.
    let sarahs = format!("/api/v1/agents/{}", sarah["id"].as_str().expect("an id"));
    let absence = json!({"absence": {"from": "2026-03-01T00:00:00Z", "until": "2026-03-09T00:00:00Z"}});
    let away = it.patch(&sarahs, absence, &house.admin).await;
    assert_eq!((away.status.as_u16(), away.json()["available"].as_bool()), (200, Some(false)), "{}", away.text);
    assert_eq!(house.read(&path, &house.maria).await["handler"]["name"], "Zoe");
    let back = it.patch(&sarahs, json!({"absence": null, "capacity": 7}), &house.admin).await;
    assert_eq!((back.json()["available"].as_bool(), back.json()["capacity"].as_u64()), (Some(true), Some(7)));

    // A new level ends what was opened with the old one.
    let promoted = it.patch(&sarahs, json!({"level": 2}), &house.admin).await;
    assert_eq!(promoted.json()["level_name"], "Supervisor");
    assert_eq!(it.get("/api/v1/me", &house.sarah).await.status, 401);
    let again = With::bearer(&it.token("sarah@example.org").await);
    assert_eq!(it.get("/api/v1/agents", &again).await.status, 200);

    let disabled = it.patch(&sarahs, json!({"enabled": false}), &house.admin).await;
    assert_eq!(disabled.json()["enabled"], false);
    assert_eq!(it.get("/api/v1/me", &again).await.status, 401);
    assert_eq!(it.log_in("sarah@example.org").await.status, 401);

    for (body, field) in [
        (json!({"level": 4}), "level"),
        (json!({"level": 0}), "level"),
        (json!({"capacity": 10_001}), "capacity"),
        (json!({"capacity": -1}), "capacity"),
        (json!({"skills": "plumbing"}), "skills"),
        (json!({"skills": ["*"]}), "skills.0"),
        (json!({"reports_to": "u_nobody"}), "reports_to"),
        (json!({"reports_to": sarah["id"]}), "reports_to"),
        (json!({"email": "new@example.org"}), "email"),
        (json!({"name": ""}), "name"),
        (json!({"phone": "call me"}), "phone"),
        (json!({"absence": {"from": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}}), "absence.until"),
    ] {
        let refused = it.patch(&sarahs, body.clone(), &house.admin).await;
        assert_eq!((refused.status.as_u16(), refused.fields()[0].0.as_str()), (422, field), "{body}: {}", refused.text);
    }
    for who in [&house.john, &house.maria] {
        assert_eq!(it.patch(&sarahs, json!({"capacity": 1}), who).await.problem(), (403, "forbidden".into()));
    }
    let john = house.read("/api/v1/me", &house.john).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(it.patch(&format!("/api/v1/agents/{john}"), json!({}), &house.admin).await.status, 404, "no agent");
}

#[tokio::test]
async fn an_agent_is_made_whole_or_not_at_all() {
    let house = House::new().await;
    for body in [
        json!({"name": "Zoe", "email": "zoe@example.org", "level": 9}),
        json!({"name": "Zoe", "email": "zoe@example.org", "reports_to": "u_nobody"}),
        json!({"name": "Zoe", "email": "zoe@example.org", "password": "short"}),
        json!({"name": "Zoe", "email": "zoe"}),
    ] {
        assert_eq!(house.it.post_with("/api/v1/agents", body, &house.admin).await.status, 422);
    }
    assert_eq!(house.read("/api/v1/agents", &house.admin).await["items"].as_array().map(Vec::len), Some(4));
    let users = house.read("/api/v1/users?role=agent", &house.admin).await;
    assert_eq!(users["items"].as_array().map(Vec::len), Some(4));
    assert!(house.it.mails().await.is_empty());
}

#[tokio::test]
async fn users_are_looked_after_by_admins() {
    let house = House::new().await;
    let it = &house.it;
    let me = house.read("/api/v1/me", &house.admin).await["id"].as_str().expect("an id").to_owned();
    let own = it.patch(&format!("/api/v1/users/{me}"), json!({"enabled": false}), &house.admin).await;
    assert_eq!(own.problem(), (403, "not_yourself".into()));

    let auditor = json!({"name": "Ann Udit", "email": "ann@example.org", "role": "auditor", "password": PASSWORD});
    assert_eq!(it.post_with("/api/v1/users", auditor, &house.admin).await.status, 201);
    let ann = With::bearer(&it.token("ann@example.org").await);
    let path = house.complaint().await;
    assert_eq!(house.read(&path, &ann).await["subject"], "Broken kettle", "an auditor reads everything");
    assert_eq!(house.command(&path, "note", json!({"text": "a"}), &ann).await.status, 403, "and writes nothing");
    assert_eq!(it.get("/api/v1/users", &ann).await.status, 200);
    assert_eq!(
        it.post_with("/api/v1/users", json!({"name": "X", "email": "x@example.org", "role": "admin"}), &ann)
            .await
            .status,
        403
    );

    let second = json!({"name": "Eve Root", "email": "eve@example.org", "role": "admin", "password": PASSWORD});
    assert_eq!(it.post_with("/api/v1/users", second, &house.admin).await.status, 201);
    let eve = With::bearer(&it.token("eve@example.org").await);
    assert_eq!(it.patch(&format!("/api/v1/users/{me}"), json!({"enabled": false}), &eve).await.status, 200);
    assert_eq!(it.get("/api/v1/me", &house.admin).await.status, 401, "at once");

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house.read(&format!("/api/v1/users?limit=3&cursor={cursor}"), &eve).await;
        seen.extend(page["items"].as_array().expect("items").iter().map(|user| user["email"].to_string()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "{seen:?}");
    for query in ["limit=0", "limit=101", "role=boss", "x=1"] {
        assert_eq!(
            it.get(&format!("/api/v1/users?{query}"), &eve).await.problem(),
            (400, "invalid_query".into()),
            "{query}"
        );
    }

    // Disabling an agent's account takes their complaints away like any absence.
    let sarah = house.read("/api/v1/me", &house.sarah).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(it.patch(&format!("/api/v1/users/{sarah}"), json!({"enabled": false}), &eve).await.status, 200);
    assert_eq!(house.read(&path, &eve).await["status"], "queued");
    let agents = house.read("/api/v1/agents", &eve).await;
    let sarah = agents["items"].as_array().expect("items").iter().find(|a| a["name"] == "Sarah Cole").cloned();
    assert_eq!(sarah.expect("listed")["enabled"], false);
    for body in [
        json!({"name": "A", "email": "a@example.org", "role": "agent", "password": PASSWORD}),
        json!({"name": "A", "email": "a@example.org", "role": "customer"}),
        json!({"name": "A", "email": "a@example.org", "role": "boss"}),
    ] {
        assert_eq!(it.post_with("/api/v1/users", body, &eve).await.status, 422);
    }
    it.clock.advance(TimeDelta::days(31));
    assert_eq!(it.get("/api/v1/users", &eve).await.status, 401);
}
