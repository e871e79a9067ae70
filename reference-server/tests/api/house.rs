//! The organisation of the story: Ada runs it, Sarah and Ben handle, Maria supervises, Omar manages, John and Jane complain.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Harness, PASSWORD, With};

pub(crate) struct House {
    pub(crate) it: Harness,
    pub(crate) admin: With,
    pub(crate) john: With,
    pub(crate) jane: With,
    pub(crate) sarah: With,
    pub(crate) ben: With,
    pub(crate) maria: With,
    pub(crate) omar: With,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::over(Harness::new().await).await
    }

    pub(crate) async fn over(it: Harness) -> Self {
        let admin = With::bearer(&it.admin().await);
        for name in ["Damaged goods", "Late delivery"] {
            let made = it.post_with("/api/v1/categories", json!({"name": name}), &admin).await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
        let agents = [
            ("Sarah Cole", "sarah@example.org", 1, json!(["damaged goods"]), 5),
            ("Ben Young", "ben@example.org", 1, json!(["late delivery"]), 5),
            ("Maria Sol", "maria@example.org", 2, json!([]), 10),
            ("Omar Aziz", "omar@example.org", 3, json!([]), 10),
        ];
        for (name, email, level, skills, capacity) in agents {
            // Supervisors take what comes.
            let skills = if level == 1 { skills } else { json!(["damaged goods", "late delivery"]) };
            let body = json!({"name": name, "email": email, "level": level, "skills": skills, "capacity": capacity, "password": PASSWORD});
            let made = it.post_with("/api/v1/agents", body, &admin).await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
        for email in ["john@example.org", "jane@example.org"] {
            it.customer(email).await;
        }
        let mut tokens = Vec::new();
        for name in ["john", "jane", "sarah", "ben", "maria", "omar"] {
            tokens.push(With::bearer(&it.token(&format!("{name}@example.org")).await));
        }
        let [john, jane, sarah, ben, maria, omar] = tokens.try_into().unwrap_or_else(|_| unreachable!("six"));
        Self { it, admin, john, jane, sarah, ben, maria, omar }
    }

    pub(crate) fn broken_kettle() -> Value {
        json!({
            "category": "Damaged goods",
            "subject": "Broken kettle",
            "description": "The lid is cracked.",
            "contact": {"name": "John Miller", "email": "john@example.org", "phone": "+44 20 7946 0018"},
            "product": "Kettle K2",
            "order_number": "A-1009",
            "purchase_date": "2026-02-14",
            "wish": "replacement",
        })
    }

    /// John's complaint; returns its view.
    pub(crate) async fn submitted(&self) -> Value {
        let made = self.it.post_with("/api/v1/complaints", Self::broken_kettle(), &self.john).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()
    }

    /// The path of John's new complaint.
    pub(crate) async fn complaint(&self) -> String {
        format!("/api/v1/complaints/{}", self.submitted().await["id"].as_str().expect("an id"))
    }

    pub(crate) async fn command(&self, path: &str, name: &str, body: Value, who: &With) -> Answer {
        self.it.post_with(&format!("{path}/commands/{name}"), body, who).await
    }

    /// A command that must be taken.
    pub(crate) async fn done(&self, path: &str, name: &str, body: Value, who: &With) -> Value {
        let answer = self.command(path, name, body, who).await;
        assert!(answer.status.is_success(), "{name}: {} {}", answer.status, answer.text);
        answer.json()
    }

    pub(crate) async fn read(&self, path: &str, who: &With) -> Value {
        let answer = self.it.get(path, who).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Sends a form of files as `(name, declared type, bytes)`.
    pub(crate) async fn upload(&self, path: &str, files: &[(&str, &str, &[u8])], who: &With) -> Answer {
        let form = form(files);
        let path = format!("{path}/attachments");
        self.it.send(Method::POST, &path, Some("multipart/form-data; boundary=XX"), form, who).await
    }
}

pub(crate) fn form(files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, kind, bytes) in files {
        form.extend_from_slice(
            format!("--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n")
                .as_bytes(),
        );
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--XX--\r\n");
    form
}

/// The names of the events of a log.
pub(crate) fn kinds(log: &Value) -> Vec<&str> {
    log["items"].as_array().expect("items").iter().map(|entry| entry["type"].as_str().expect("a type")).collect()
}
