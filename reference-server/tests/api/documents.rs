//! Terms of service and privacy notice: accepted by whoever holds the account, in the version in force, on record.

use reference_server::config::Config;
use serde_json::json;

use crate::support::{Harness, With};

const PATH: &str = "/api/v1/me/acceptances";

/// A server with both documents, of these versions.
async fn with_documents(terms: &str, privacy: &str) -> Harness {
    let folder = tempfile::tempdir().expect("a folder");
    let [terms, privacy] = [("terms", terms), ("privacy", privacy)].map(|(name, version)| {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{version}\nThe {name} of {version}.\n")).expect("written");
        file
    });
    Harness::with_args(|args| {
        args.terms = Some(terms);
        args.privacy = Some(privacy);
    })
    .await
}

#[tokio::test]
async fn a_customer_accepts_what_is_in_force_before_they_complain_and_it_is_on_record() {
    let it = with_documents("v1", "p1").await;
    let served = it.get("/api/v1/documents", &With::default()).await.json();
    assert_eq!(served["items"][0], json!({ "document": "terms", "version": "v1", "text": "The terms of v1." }));
    it.admin().await;
    it.customer("john@example.org").await;
    let john = With::bearer(&it.token("john@example.org").await);
    let complaint = json!({ "category": "Other", "subject": "Kettle", "description": "Broken." });
    let refused = it.post_with("/api/v1/complaints", complaint.clone(), &john).await;
    assert_eq!(refused.problem(), (403, "not_accepted".into()));
    let named = [("terms".into(), "not_accepted".into()), ("privacy".into(), "not_accepted".into())];
    assert_eq!(refused.fields(), named);
    assert_eq!(it.get("/api/v1/complaints", &john).await.status, 200, "what is there is theirs to read");
    let accept = async |document: &str, version: &str| {
        it.put(PATH, json!({ "document": document, "version": version }), &john).await
    };
    for (document, version) in [("terms", "v0"), ("terms", ""), ("privacy", "v1")] {
        assert_eq!(accept(document, version).await.problem(), (409, "stale_version".into()), "{document} {version}");
    }
    assert_eq!(accept("cookies", "v1").await.status, 422);
    let first = accept("terms", "v1").await.json();
    assert_eq!(first["missing"], json!([{ "document": "privacy", "version": "p1" }]));
    it.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(accept("privacy", "p1").await.json()["missing"], json!([]));
    accept("terms", "v1").await;
    let terms = json!({ "document": "terms", "version": "v1", "at": "2026-03-02T09:00:00Z" });
    let privacy = json!({ "document": "privacy", "version": "p1", "at": "2026-03-02T10:00:00Z" });
    assert_eq!(it.get(PATH, &john).await.json()["items"], json!([terms, privacy]), "the first time stands");
    assert_ne!(it.post_with("/api/v1/complaints", complaint, &john).await.status, 403);
    let staff = With::cookie(&it.log_in("ada@example.org").await.cookie());
    assert_eq!(it.get("/admin", &staff).await.status, 200, "staff are not asked");
}

#[tokio::test]
async fn with_another_version_customers_are_asked_anew_on_every_page_but_their_own() {
    let it = with_documents("v1", "p1").await;
    it.customer("john@example.org").await;
    let john = With::cookie(&it.log_in("john@example.org").await.cookie()).header("accept", "text/html");
    let asked = async |it: &Harness, path: &str| {
        let answer = it.get(path, &john).await;
        (answer.status.as_u16(), answer.header("location").to_owned())
    };
    let to_accept = (303, "/accept?next=%2Fcomplaints%3Fq%3Dx".to_owned());
    assert_eq!(asked(&it, "/complaints?q=x").await, to_accept);
    for path in ["/account", "/account/password", "/accept", "/terms", "/privacy"] {
        assert_eq!(asked(&it, path).await.0, 200, "{path}");
    }
    let page = it.get("/accept", &john).await.text;
    assert!(page.contains("The terms of v1.") && page.contains("The privacy of p1."), "{page}");
    let post = async |form: &str| {
        let kind = Some("application/x-www-form-urlencoded");
        it.send(axum::http::Method::POST, "/accept", kind, form.as_bytes().to_vec(), &john).await
    };
    let half = post("next=%2Fcomplaints&version.terms=v1&accept.terms=true&version.privacy=p1").await;
    assert!(half.status == 422 && half.text.contains("please say that you accept it"), "{}", half.text);
    let other = post("next=%2Fcomplaints&version.privacy=p0&accept.privacy=true").await;
    assert_eq!(other.status, 409, "another version came into force while it was read");
    let done = post("next=%2F%2Fevil.example&version.privacy=p1&accept.privacy=true").await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/complaints"), "never to another site");
    assert_eq!(asked(&it, "/complaints").await.0, 200);
    assert_eq!(it.get("/terms", &With::default()).await.status, 200, "everybody reads them");

    // The same data with another version of the one: asked anew for that alone.
    let documents = {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("terms");
        std::fs::write(&file, "v2\nNewer terms.").expect("written");
        reference_server::auth::documents::Document::read(reference_server::auth::documents::DocumentKind::Terms, &file)
            .expect("a document")
    };
    let state = it.server.state();
    let accepted = state
        .accounts
        .acceptances(it.get("/api/v1/me", &john).await.json()["id"].as_str().expect("an id"))
        .await
        .expect("reads");
    let now = [documents, state.config.documents[1].clone()];
    let missing = reference_server::auth::documents::missing(&now, &accepted);
    assert_eq!(missing.iter().map(|document| document.version.as_str()).collect::<Vec<_>>(), ["v2"]);
}

#[tokio::test]
async fn without_documents_nobody_is_asked_and_a_bad_file_is_named() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let john = With::cookie(&it.log_in("john@example.org").await.cookie());
    assert_eq!(it.get("/complaints", &john).await.status, 200);
    assert_eq!(it.get("/terms", &With::default()).await.status, 404);
    assert_eq!(it.get("/api/v1/documents", &With::default()).await.json(), json!({ "items": [] }));
    let args = reference_server::config::ServeArgs {
        listen: "127.0.0.1:8080".into(),
        terms: Some("/nowhere/terms.txt".into()),
        ..Default::default()
    };
    let faults = Config::from_args(&args, None).expect_err("no such file").to_string();
    assert!(faults.contains("--terms /nowhere/terms.txt: "), "{faults}");
}
