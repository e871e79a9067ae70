use axum::http::Method;
use serde_json::json;

use crate::support::{Answer, Harness, OTHER_PASSWORD, PASSWORD, With, token_in};

async fn submit(it: &Harness, path: &str, form: &str) -> Answer {
    let person = With::default().header("accept", "text/html");
    it.send(Method::POST, path, Some("application/x-www-form-urlencoded"), form.as_bytes().to_vec(), &person).await
}

#[tokio::test]
async fn opening_the_link_changes_nothing_the_button_does() {
    let it = Harness::new().await;
    it.sign_up("john@example.org").await;
    let token = it.mailed_token().await;
    for _ in 0..3 {
        let shown = it.get(&format!("/verify?token={token}"), &With::default()).await;
        assert_eq!((shown.status.as_u16(), shown.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(
            shown.text.contains(&format!("name=\"token\" value=\"{token}\"")) && shown.text.contains("method=\"post\""),
            "{}",
            shown.text
        );
        assert_eq!(it.log_in("john@example.org").await.status, 403);
    }
    let done = submit(&it, "/verify", &format!("token={token}")).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(it.log_in("john@example.org").await.status, 200);
    let again = submit(&it, "/verify", &format!("token={token}")).await;
    assert_eq!((again.status.as_u16(), again.header("content-type")), (422, "text/html; charset=utf-8"));
    assert!(again.text.contains("This link does not work any more."));
    let opened = it.get(&format!("/verify?token={token}"), &With::default().header("accept", "text/html")).await;
    assert_eq!((opened.status.as_u16(), opened.header("content-type")), (422, "text/html; charset=utf-8"));
    assert!(opened.text.contains("This link does not work any more.") && !opened.text.contains(&token));
}

#[tokio::test]
async fn after_different_sign_ups_the_page_asks_for_name_and_password() {
    let it = Harness::new().await;
    it.sign_up("john@example.org").await;
    let token = it.mailed_token().await;
    let shown = it.get(&format!("/verify?token={token}"), &With::default()).await;
    assert!(!shown.text.contains("name=\"password\""), "{}", shown.text);
    // Somebody else signs up while the page is open.
    let other = json!({"name": "WIN-A-PRIZE", "email": "john@example.org", "password": OTHER_PASSWORD});
    assert_eq!(it.post("/api/v1/accounts", other).await.status, 202);
    let pressed = submit(&it, "/verify", &format!("token={token}")).await;
    let shown = it.get(&format!("/verify?token={token}"), &With::default()).await;
    assert_eq!((pressed.status.as_u16(), shown.status.as_u16()), (422, 200));
    for page in [&pressed.text, &shown.text] {
        assert!(page.contains("name=\"name\"") && page.contains("autocomplete=\"new-password\""), "{page}");
        assert!(page.contains(&format!("name=\"token\" value=\"{token}\"")) && !page.contains("WIN"), "{page}");
    }
    let weak =
        submit(&it, "/verify", &format!("token={token}&name=John+Miller&password=short&password_again=short")).await;
    assert_eq!(weak.status, 422);
    assert!(weak.text.contains("href=\"#password\"") && weak.text.contains("value=\"John Miller\""), "{}", weak.text);
    let form = format!("token={token}&name=John+Miller&password={0}&password_again={0}", PASSWORD.replace(' ', "+"));
    let done = submit(&it, "/verify", &form).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(it.log_in("john@example.org").await.json()["name"], "John Miller");
}

#[tokio::test]
async fn tokens_on_pages_are_inert() {
    let it = Harness::new().await;
    let shown = it.get("/verify?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", &With::default()).await;
    assert!(!shown.text.contains("<script>"), "{}", shown.text);
    assert_eq!(it.get("/verify", &With::default()).await.status, 422, "no token at all");
}

#[tokio::test]
async fn the_set_up_page_makes_the_first_admin() {
    let it = Harness::new().await;
    let person = With::default().header("accept", "text/html");
    assert_eq!(it.get("/setup?token=forged", &person).await.status, 422);
    let token = token_in(it.server.setup_link().expect("a link"));
    assert!(it.get(&format!("/setup?token={token}"), &person).await.text.contains("Make administrator"));
    let wrong =
        submit(&it, "/setup", &format!("token={token}&name=Ada+%3Cb%3E&email=ada&password=short&password_again=short"))
            .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text.contains("href=\"#email\"")
            && wrong.text.contains("href=\"#password\"")
            && !wrong.text.contains("<b>"),
        "{}",
        wrong.text
    );
    assert!(!wrong.text.contains("short"), "a typed password is never shown again");
    let done = submit(
        &it,
        "/setup",
        &format!(
            "token={token}&name=Ada+Root&email=ada%40example.org&password={0}&password_again={0}",
            PASSWORD.replace(' ', "+")
        ),
    )
    .await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(it.log_in("ada@example.org").await.json()["role"], "admin");
    assert_eq!(it.get(&format!("/setup?token={token}"), &person).await.status, 422);
    let second = submit(
        &it,
        "/setup",
        &format!(
            "token={token}&name=Eve&email=eve%40example.org&password={0}&password_again={0}",
            PASSWORD.replace(' ', "+")
        ),
    )
    .await;
    assert_eq!(second.status, 409);
}

#[tokio::test]
async fn the_invitation_page_sets_a_password() {
    let it = Harness::new().await;
    let staff = reference_server::auth::NewStaff {
        name: "Ben",
        email: "ben@example.org",
        phone: None,
        role: reference_server::auth::Role::Agent,
        password: None,
    };
    it.server.state().accounts.create_staff(staff).await.expect("makes");
    let token = it.mailed_token().await;
    assert!(it.get(&format!("/invitation?token={token}"), &With::default()).await.text.contains("new-password"));
    assert_eq!(
        submit(&it, "/invitation", &format!("token={token}&password=short&password_again=short")).await.status,
        422
    );
    let form = format!("token={token}&password={0}&password_again={0}", PASSWORD.replace(' ', "+"));
    let differs = form.replace("again=copper", "again=paper");
    assert!(submit(&it, "/invitation", &differs).await.text.contains("The two passwords differ"));
    let accepted = submit(&it, "/invitation", &form).await;
    assert_eq!((accepted.status.as_u16(), accepted.header("location")), (303, "/work"));
    assert_eq!(it.get("/api/v1/me", &With::cookie(&accepted.cookie())).await.json()["name"], "Ben", "and is in");
    assert_eq!(it.log_in("ben@example.org").await.status, 200);
    let used = it.get(&format!("/invitation?token={token}"), &With::default()).await;
    assert_eq!(used.problem(), (422, "invalid_token".into()));
}

#[tokio::test]
async fn broken_forms_are_refused() {
    let it = Harness::new().await;
    for form in ["", "tokken=x", "token=x&extra=1", "token=x&token=y", "token=%ff"] {
        let answer = it
            .send(
                Method::POST,
                "/verify",
                Some("application/x-www-form-urlencoded"),
                form.as_bytes().to_vec(),
                &With::default(),
            )
            .await;
        assert!(matches!(answer.problem().0, 400 | 422), "{form}: {}", answer.text);
    }
    assert_eq!(it.post("/verify", json!({"token": "x"})).await.problem(), (415, "unsupported_media_type".into()));
    let cross = With::default().header("sec-fetch-site", "cross-site");
    let answer =
        it.send(Method::POST, "/verify", Some("application/x-www-form-urlencoded"), b"token=x".to_vec(), &cross).await;
    assert_eq!(answer.problem(), (403, "cross_site".into()));
}
