use std::time::{Duration, Instant};

use axum::http::Method;
use chrono::TimeDelta;
use reference_server::auth::password::Passwords;
use reference_server::auth::{AccountChange, Role, Visit};
use serde_json::json;

use crate::support::{Harness, OTHER_PASSWORD, PASSWORD, With};

#[tokio::test]
async fn unknown_wrong_and_disabled_get_one_answer() {
    let it = Harness::hashing(Passwords::new().expect("a hash"), |_| {}, |config| config).await;
    it.customer("john@example.org").await;
    it.customer("gone@example.org").await;
    let gone = it.log_in("gone@example.org").await.json()["id"].as_str().expect("an id").to_owned();
    it.server
        .state()
        .accounts
        .change(&gone, AccountChange { disabled: Some(true), ..AccountChange::default() })
        .await
        .expect("disables");

    let mut answers = Vec::new();
    for (email, password) in [
        ("nobody@example.org", PASSWORD),
        ("john@example.org", OTHER_PASSWORD),
        ("gone@example.org", PASSWORD),
        ("gone@example.org", OTHER_PASSWORD),
    ] {
        for path in ["/api/v1/sessions", "/api/v1/tokens"] {
            let started = Instant::now();
            let answer = it.post(path, json!({"email": email, "password": password})).await;
            assert_eq!(answer.problem(), (401, "invalid_credentials".into()), "{email}");
            assert!(answer.headers.get("set-cookie").is_none());
            // A hash takes milliseconds even optimised; the doors that skip it answer in microseconds.
            assert!(started.elapsed() > Duration::from_millis(5), "{email}: no hash was computed");
            answers.push(answer.text);
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn ten_failures_lock_the_account_where_they_were_made() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let wrong = json!({"email": "John@example.org", "password": OTHER_PASSWORD});
    for n in 0..10 {
        assert_eq!(it.post("/api/v1/sessions", wrong.clone()).await.status, 401, "{n}");
        it.clock.advance(TimeDelta::seconds(6));
    }
    let locked = it.log_in("john@example.org").await;
    assert_eq!(locked.problem(), (429, "too_many_requests".into()));
    assert_eq!(locked.header("retry-after"), "841", "the first failure leaves the window in 14 minutes");
    assert_eq!(it.post("/api/v1/tokens", wrong).await.status, 429, "by any door");
    let right = json!({"email": "john@example.org", "password": PASSWORD});
    let elsewhere = With::from("198.51.100.1");
    assert_eq!(it.post_with("/api/v1/sessions", right, &elsewhere).await.status, 200, "a stranger locks nobody out");
    it.clock.advance(TimeDelta::seconds(841));
    assert_eq!(it.log_in("john@example.org").await.status, 200);
}

#[tokio::test]
async fn failures_from_everywhere_lock_whoever_was_never_let_in() {
    const EVERYWHERE: [&str; 5] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let right = json!({"email": "john@example.org", "password": PASSWORD});
    let home = With::from("198.51.100.1");
    assert_eq!(it.post_with("/api/v1/sessions", right.clone(), &home).await.status, 200);
    for email in ["john@example.org", "nobody@example.org"] {
        let wrong = json!({"email": email, "password": OTHER_PASSWORD});
        for from in EVERYWHERE {
            for n in 0..10 {
                let answer = it.post_with("/api/v1/sessions", wrong.clone(), &With::from(from)).await;
                // Fifty by all of them, of which each may make ten with one account.
                assert_eq!(answer.status, 401, "{email} {from} {n}");
            }
            it.clock.advance(TimeDelta::seconds(1));
        }
        assert_eq!(it.post_with("/api/v1/sessions", wrong, &With::from("198.51.100.2")).await.status, 429, "{email}");
        it.clock.advance(TimeDelta::minutes(15));
    }
    let wrong = json!({"email": "john@example.org", "password": OTHER_PASSWORD});
    for from in EVERYWHERE {
        for _ in 0..10 {
            assert_eq!(it.post_with("/api/v1/sessions", wrong.clone(), &With::from(from)).await.status, 401);
        }
    }
    let elsewhere = With::from("198.51.100.2");
    assert_eq!(it.post_with("/api/v1/sessions", right.clone(), &elsewhere).await.status, 429, "from a new place");
    assert_eq!(it.post_with("/api/v1/sessions", right.clone(), &home).await.status, 200, "as ever, where he is known");
    for _ in 0..10 {
        assert_eq!(it.post_with("/api/v1/sessions", wrong.clone(), &home).await.status, 401);
    }
    assert_eq!(
        it.post_with("/api/v1/sessions", right, &home).await.status,
        429,
        "nor is it a way to guess without end"
    );
}

#[tokio::test]
async fn unknown_accounts_are_locked_alike_and_success_does_not_count() {
    let it = Harness::new().await;
    for _ in 0..10 {
        assert_eq!(it.log_in("nobody@example.org").await.status, 401);
    }
    assert_eq!(it.log_in("nobody@example.org").await.status, 429);
    it.customer("john@example.org").await;
    for _ in 0..12 {
        assert_eq!(it.log_in("john@example.org").await.status, 200);
    }
}

#[tokio::test]
async fn fifty_failures_lock_the_address() {
    let it = Harness::new().await;
    let state = it.server.state();
    let visit = Visit { address: "203.0.113.5".parse().expect("an address"), device: "", browser: None };
    for n in 0..50 {
        let failed = state.accounts.log_in(&format!("p{n}@example.org"), OTHER_PASSWORD, None, &visit, None).await;
        assert!(matches!(failed, Err(reference_server::auth::AuthError::InvalidCredentials)));
    }
    assert_eq!(it.log_in("other@example.org").await.status, 429);
    let elsewhere = it
        .post_with(
            "/api/v1/sessions",
            json!({"email": "other@example.org", "password": PASSWORD}),
            &With::from("198.51.100.1"),
        )
        .await;
    assert_eq!(elsewhere.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_do_not_slip_under_the_limit() {
    let it = std::sync::Arc::new(Harness::new().await);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let it = std::sync::Arc::clone(&it);
        tries.spawn(async move { it.log_in("nobody@example.org").await.status.as_u16() });
    }
    let answers = tries.join_all().await;
    let guesses = answers.iter().filter(|status| **status == 401).count();
    assert_eq!((guesses, answers.iter().filter(|status| **status == 429).count()), (10, 20), "{answers:?}");
}

#[tokio::test]
async fn customers_sessions_end_when_idle_and_in_the_end() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let cookie = With::cookie(&it.log_in("john@example.org").await.cookie());
    it.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 200);
    it.clock.advance(TimeDelta::hours(24));
    assert_eq!(it.get("/api/v1/me", &cookie).await.problem(), (401, "not_logged_in".into()), "idle for a day");

    let cookie = With::cookie(&it.log_in("john@example.org").await.cookie());
    for _ in 0..(30 * 2 - 1) {
        it.clock.advance(TimeDelta::hours(12));
        assert_eq!(it.get("/api/v1/me", &cookie).await.status, 200);
    }
    it.clock.advance(TimeDelta::hours(12));
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401, "thirty days after logging in, however busy");
}

#[tokio::test]
async fn staff_sessions_are_short() {
    let it = Harness::new().await;
    it.admin().await;
    let cookie = With::cookie(&it.log_in("ada@example.org").await.cookie());
    for _ in 0..(12 * 3 - 1) {
        it.clock.advance(TimeDelta::minutes(20));
        assert_eq!(it.get("/api/v1/me", &cookie).await.status, 200);
    }
    it.clock.advance(TimeDelta::minutes(20));
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401, "twelve hours");
    let cookie = With::cookie(&it.log_in("ada@example.org").await.cookie());
    it.clock.advance(TimeDelta::minutes(30));
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401, "half an hour idle");
}

#[tokio::test]
async fn logging_in_rotates_and_logging_out_ends() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let first = it.log_in("john@example.org").await.cookie();
    let again = it
        .post_with(
            "/api/v1/sessions",
            json!({"email": "john@example.org", "password": PASSWORD}),
            &With::cookie(&first),
        )
        .await;
    let second = again.cookie();
    assert_ne!(first, second);
    assert_eq!(it.get("/api/v1/me", &With::cookie(&first)).await.status, 401);
    assert_eq!(it.get("/api/v1/me", &With::cookie(&second)).await.status, 200);
    let out = it.delete("/api/v1/sessions/current", &With::cookie(&second)).await;
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").starts_with("session=;") && out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(it.get("/api/v1/me", &With::cookie(&second)).await.status, 401);
    assert_eq!(it.delete("/api/v1/sessions/current", &With::default()).await.status, 204, "fine to repeat");
}

#[tokio::test]
async fn cookies_are_shut_tight() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let set = it.log_in("john@example.org").await.header("set-cookie").to_owned();
    assert!(
        set.starts_with("session=")
            && set.contains("HttpOnly")
            && set.contains("SameSite=Lax")
            && set.contains("Path=/")
            && set.contains("Max-Age=2592000"),
        "{set}"
    );
    assert!(!set.contains("Secure") && !set.contains("Domain"), "{set}");

    let it = Harness::with_args(|args| args.base_url = Some("https://complaints.example".into())).await;
    it.customer("john@example.org").await;
    let answer = it.log_in("john@example.org").await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-session=") && set.contains("; Secure"), "{set}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=63072000");
    assert_eq!(it.get("/api/v1/me", &With::cookie(&answer.cookie())).await.status, 200);
    let unprefixed = answer.cookie().replace("__Host-", "");
    assert_eq!(it.get("/api/v1/me", &With::cookie(&unprefixed)).await.status, 401);
}

#[tokio::test]
async fn bearer_tokens_work_until_revoked_or_old() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let issued = it.post("/api/v1/tokens", json!({"email": "john@example.org", "password": PASSWORD})).await;
    assert_eq!(issued.status, 201);
    assert_eq!(issued.json()["expires_at"], "2026-04-01T09:00:00Z");
    let token = issued.json()["token"].as_str().expect("a token").to_owned();
    let other = it.token("john@example.org").await;
    assert_eq!(it.get("/api/v1/me", &With::bearer(&token)).await.status, 200);
    assert_eq!(it.delete("/api/v1/tokens/current", &With::bearer(&token)).await.status, 204);
    assert_eq!(it.get("/api/v1/me", &With::bearer(&token)).await.problem(), (401, "not_logged_in".into()));
    assert_eq!(it.delete("/api/v1/tokens/current", &With::bearer(&token)).await.status, 401);
    assert_eq!(it.get("/api/v1/me", &With::bearer(&other)).await.status, 200, "only that one");
    it.clock.advance(TimeDelta::days(30));
    assert_eq!(it.get("/api/v1/me", &With::bearer(&other)).await.status, 401);

    let cookie = it.log_in("john@example.org").await.cookie();
    let both = With { bearer: Some("cpl_forged".into()), ..With::cookie(&cookie) };
    assert_eq!(it.get("/api/v1/me", &both).await.status, 401, "a bad token is not made good by a cookie");
    assert_eq!(it.delete("/api/v1/tokens/current", &With::cookie(&cookie)).await.status, 401);
    for wrong in ["Basic am9objpwdw==", "Bearer", "Bearer ", "\u{e9}"] {
        let answer = it.get("/api/v1/me", &With::default().header("authorization", wrong)).await;
        assert_eq!(answer.problem(), (401, "not_logged_in".into()), "{wrong}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let session_as_bearer = cookie.split_once('=').expect("a pair").1.to_owned();
    assert_eq!(it.get("/api/v1/me", &With::bearer(&session_as_bearer)).await.status, 401);
    assert_eq!(
        it.get("/api/v1/me", &With::cookie(&format!("session={}", it.token("john@example.org").await))).await.status,
        401
    );
}

#[tokio::test]
async fn disabling_and_demoting_end_everything_at_once() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let answer = it.log_in("john@example.org").await;
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let (cookie, token) = (With::cookie(&answer.cookie()), With::bearer(&it.token("john@example.org").await));
    let accounts = &it.server.state().accounts;
    accounts.change(&id, AccountChange { disabled: Some(true), ..AccountChange::default() }).await.expect("disables");
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401);
    assert_eq!(it.get("/api/v1/me", &token).await.status, 401);
    accounts.change(&id, AccountChange { disabled: Some(false), ..AccountChange::default() }).await.expect("enables");
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401, "ended for good");
    assert_eq!(it.get("/api/v1/me", &token).await.status, 401, "ended for good");

    let cookie = With::cookie(&it.log_in("john@example.org").await.cookie());
    accounts.change(&id, AccountChange { role: Some(Role::Agent), ..AccountChange::default() }).await.expect("changes");
    assert_eq!(it.get("/api/v1/me", &cookie).await.status, 401);
}

#[tokio::test]
async fn other_sites_cannot_act_for_a_browser() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let cookie = it.log_in("john@example.org").await.cookie();
    let refused = [
        With::cookie(&cookie).header("sec-fetch-site", "cross-site"),
        With::cookie(&cookie).header("sec-fetch-site", "same-site"),
        With::cookie(&cookie).header("origin", "https://evil.example"),
        With::cookie(&cookie).header("origin", "null"),
    ];
    for with in &refused {
        let answer = it.delete("/api/v1/sessions/current", with).await;
        assert_eq!(answer.problem(), (403, "cross_site".into()));
        let log_in =
            it.post_with("/api/v1/sessions", json!({"email": "john@example.org", "password": PASSWORD}), with).await;
        assert_eq!(log_in.status, 403, "nobody is logged in by another site");
    }
    assert_eq!(it.get("/api/v1/me", &refused[0]).await.status, 200, "still logged in; reading is safe");
    let own = With::cookie(&cookie).header("sec-fetch-site", "same-origin").header("origin", "http://127.0.0.1:8080");
    assert_eq!(it.send(Method::DELETE, "/api/v1/sessions/current", None, Vec::new(), &own).await.status, 204);
}
