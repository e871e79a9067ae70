use axum::extract::State;
use axum::routing::get;
use reference_server::AppState;
use reference_server::auth::MaybeViewer;
use reference_server::router::around;
use tower::ServiceExt as _;

use crate::support::{Harness, With};

#[tokio::test]
async fn every_answer_is_guarded() {
    let it = Harness::new().await;
    for path in ["/health/live", "/nothing", "/verify?token=x", "/api/v1/me", "/api/openapi.json", "/metrics"] {
        let answer = it.get(path, &With::default()).await;
        assert!(
            answer.header("content-security-policy").contains("default-src 'self'")
                && answer.header("content-security-policy").contains("frame-ancestors 'none'")
        );
        assert!(!answer.header("content-security-policy").contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn request_ids_come_back_if_harmless() {
    let it = Harness::new().await;
    let id = async |sent: &str| {
        it.get("/health/live", &With::default().header("x-request-id", sent)).await.header("x-request-id").to_owned()
    };
    assert_eq!(id("trace-1.a_b").await, "trace-1.a_b");
    for odd in ["a b", "<script>", &"x".repeat(65), "a;b"] {
        assert_eq!(id(odd).await.len(), 32, "{odd}");
    }
}

#[tokio::test]
async fn measurements_are_for_this_machine_or_for_whoever_has_the_token() {
    let it = Harness::new().await;
    let asked = async |it: &Harness, with: &With| it.get("/metrics", with).await;
    let local = || With::from("127.0.0.1");
    for here in [local(), With::from("[::1]"), With::from("[::ffff:127.0.0.1]")] {
        assert_eq!(asked(&it, &here).await.status, 200, "{:?}", here.from);
    }
    let elsewhere = asked(&it, &With::from("203.0.113.5")).await;
    assert_eq!(elsewhere.problem(), (403, "forbidden".into()));
    assert!(elsewhere.text.contains("COMPLAINT_METRICS_TOKEN"), "{}", elsewhere.text);
    for added in ["x-forwarded-for", "x-real-ip", "forwarded", "via"] {
        let through = local().header(added, "127.0.0.1");
        assert_eq!(asked(&it, &through).await.status, 403, "a proxy that is not told of: {added}");
    }

    let trusting = Harness::with_args(|args| args.trusted_proxy = vec!["127.0.0.1".into()]).await;
    assert_eq!(asked(&trusting, &local().header("x-forwarded-for", "203.0.113.5")).await.status, 403);
    assert_eq!(asked(&trusting, &local().header("x-forwarded-for", "127.0.0.1")).await.status, 200);
    let https = Harness::with_args(|args| args.base_url = Some("https://c.example".into())).await;
    assert_eq!(asked(&https, &local()).await.status, 403, "a TLS proxy may have brought anybody");

    let token = "0123456789abcdef";
    let guarded = Harness::with(|_| {}, |config| config.measured_with(Some(token.into())).expect("a token")).await;
    assert_eq!(asked(&guarded, &local()).await.problem(), (401, "not_logged_in".into()), "the token alone counts");
    assert_eq!(asked(&guarded, &With::bearer("0123456789abcdeF")).await.status, 401);
    assert_eq!(asked(&guarded, &With::bearer(token)).await.status, 200);
}

#[tokio::test]
async fn health_metrics_and_description_answer() {
    let it = Harness::new().await;
    assert_eq!(it.get("/health/live", &With::default()).await.json()["status"], "ok");
    assert_eq!(it.get("/health/ready", &With::default()).await.json()["status"], "ok");
    it.get("/api/v1/me", &With::default()).await;
    let measured = it.get("/metrics", &With::from("127.0.0.1")).await;
    assert!(
        measured.text.contains("http_requests_total{method=\"GET\",route=\"/api/v1/me\",status=\"401\"}"),
        "{}",
        measured.text
    );
    assert!(measured.text.contains("http_request_seconds_bucket{method=\"GET\",route=\"/health/live\""));

    let document = it.get("/api/openapi.json", &With::default()).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut paths: Vec<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    paths.retain(|path| path.starts_with("/api/v1/"));
    for path in [
        "/api/v1/accounts",
        "/api/v1/accounts/verification",
        "/api/v1/accounts/verify",
        "/api/v1/invitations/accept",
        "/api/v1/me",
        "/api/v1/sessions",
        "/api/v1/sessions/current",
        "/api/v1/setup",
        "/api/v1/tokens",
        "/api/v1/tokens/current",
    ] {
        assert!(paths.contains(&path), "{path} is not described");
    }
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let answers = operation["responses"].as_object().expect("answers");
            let mut due = vec!["500", "503"];
            if path.starts_with("/api/v1/") {
                due.push("400");
            }
            if operation.get("security").is_some() {
                due.push("401");
            }
            if operation.get("requestBody").is_some() {
                due.extend(["413", "415", "422"]);
            }
            if path.contains('{') {
                due.push("404");
            }
            for status in due {
                assert!(answers.contains_key(status), "{method} {path}: {status}");
            }
        }
    }
    let bounds = |schema: &str, field: &str| {
        let field = &document["components"]["schemas"][schema]["properties"][field];
        (field["minimum"].as_u64(), field["maximum"].as_u64())
    };
    for schema in ["NewAgent", "AgentChange"] {
        assert_eq!(bounds(schema, "level"), (Some(1), Some(9)), "{schema}");
    }
    for schema in ["NewCategory", "CategoryChange"] {
        assert_eq!(bounds(schema, "weight"), (Some(1), Some(1000)), "{schema}");
    }
    let problem = document["components"]["schemas"]["Problem"].to_string();
    for member in ["\"type\":", "\"title\"", "\"status\"", "\"code\"", "\"errors\""] {
        assert!(problem.contains(member), "{member} in {problem}");
    }
}

async fn fails(State(_): State<AppState>, _viewer: MaybeViewer) -> &'static str {
    panic!("secret detail")
}

#[tokio::test]
async fn a_panic_is_a_problem_and_tells_nothing() {
    let it = Harness::new().await;
    let state = it.server.state().clone();
    let router = around(axum::Router::new().route("/fails", get(fails)), &state).with_state(state);
    let request = axum::http::Request::get("/fails").body(axum::body::Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
}

#[tokio::test]
async fn long_answers_are_compressed() {
    let it = Harness::new().await;
    let request = axum::http::Request::get("/api/openapi.json")
        .header("accept-encoding", "br")
        .body(axum::body::Body::empty())
        .expect("a request");
    let response = it.server.router().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()["content-encoding"], "br");
}

#[tokio::test]
async fn a_dead_database_is_not_ready_and_not_a_secret_spilled() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let cookie = With::cookie(&it.log_in("john@example.org").await.cookie());
    it.server.break_database().await;
    let ready = it.get("/health/ready", &With::default()).await;
    assert_eq!(ready.problem(), (503, "unavailable".into()));
    assert_eq!(ready.header("retry-after"), "5");
    assert_eq!(it.get("/health/live", &With::default()).await.status, 200);
    let me = it.get("/api/v1/me", &cookie).await;
    assert_eq!(me.problem(), (503, "unavailable".into()));
    assert!(!me.text.to_lowercase().contains("sql"), "{}", me.text);
}

#[tokio::test]
async fn serves_a_socket_and_stops_when_told() {
    let it = Harness::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let Harness { server, mail, folder: _folder, .. } = it;
    server
        .state()
        .accounts
        .sign_up("John", "john@example.org", crate::support::PASSWORD, address.ip())
        .await
        .expect("signs up");
    let serving = tokio::spawn(server.serve(listener, async move {
        let _ = stopped.await;
    }));
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    tokio::io::AsyncWriteExt::write_all(
        &mut stream,
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await
    .expect("sends");
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.expect("reads");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.send(()).expect("still serving");
    serving.await.expect("no panic");
    assert_eq!(mail.sent.lock().expect("unpoisoned").len(), 1, "the workers ran");
}

#[tokio::test]
async fn a_relay_that_cannot_be_used_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = reference_server::config::ServeArgs {
        listen: "127.0.0.1:0".into(),
        data: folder.path().join("data"),
        smtp: Some("smtp://relay.example".into()),
        ..reference_server::config::ServeArgs::default()
    };
    let refused = reference_server::config::Config::from_args(&args, None).expect_err("it is not encrypted");
    assert!(refused.to_string().contains("--smtp: smtp:// is not encrypted"), "{refused}");
    // Nor by a host that makes the configuration itself.
    let args = reference_server::config::ServeArgs { smtp: None, ..args };
    let mut config = reference_server::config::Config::from_args(&args, None).expect("a configuration");
    config.smtp = Some("smtp://relay.example".into());
    assert!(matches!(reference_server::build(config).await, Err(reference_server::BuildError::Mail(_))));
}
