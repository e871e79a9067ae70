//! Codes beside links, and forgotten passwords: who has the mail gets in, and nobody else learns anything.

use chrono::TimeDelta;
use reference_server::auth::accounts::AccountMailKind;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, Harness, OTHER_PASSWORD, PASSWORD, With, code_in, token_in};

const RESET: &str = "/api/v1/accounts/password";
const FORGOTTEN: &str = "/api/v1/accounts/password/forgotten";

impl Harness {
    async fn forgets(&self, email: &str) -> Answer {
        self.post(FORGOTTEN, json!({ "email": email })).await
    }

    async fn resets(&self, with: Value) -> Answer {
        let mut body = with;
        if body.get("password").is_none() {
            body["password"] = json!(OTHER_PASSWORD);
        }
        self.post(RESET, body).await
    }

    async fn logs_in(&self, email: &str, password: &str) -> u16 {
        self.post("/api/v1/sessions", json!({ "email": email, "password": password })).await.status.as_u16()
    }
}

/// Another code than this.
fn wrong(code: &str) -> String {
    let other = if code.starts_with('0') { "1" } else { "0" };
    format!("{other}{}", &code[1..])
}

#[tokio::test]
async fn a_code_confirms_an_address_as_the_link_does() {
    let it = Harness::new().await;
    it.sign_up("John@Example.org").await;
    let mail = it.mails().await.remove(0);
    let code = code_in(&mail.text);
    assert!(mail.html.contains(&code), "{}", mail.html);
    let verify = async |email: &str, code: &str| {
        it.post("/api/v1/accounts/verify", json!({ "email": email, "code": code })).await
    };
    let refused = verify("john@example.org", &wrong(&code)).await;
    assert_eq!(
        (refused.problem().1.as_str(), refused.fields()),
        ("invalid_body", vec![("code".into(), "not_good".into())])
    );
    let nobody = verify("nobody@example.org", &code).await;
    assert_eq!((nobody.status, &nobody.text), (refused.status, &refused.text), "nobody learns who is known");
    assert_eq!(verify("john@example.org", "1234").await.fields(), [("code".into(), "invalid".into())]);
    assert_eq!(verify("john@example.org", &code.replace(' ', "")).await.status, 200, "blanks do not matter");
    assert_eq!(it.log_in("john@example.org").await.status, 200);
    assert_eq!(verify("john@example.org", &code).await.status, 422, "once");
    let link = json!({ "token": token_in(&mail.text) });
    assert_eq!(it.post("/api/v1/accounts/verify", link).await.status, 422, "the link ended with it");
    for (body, field) in [
        (json!({}), "token"),
        (json!({ "email": "john@example.org" }), "code"),
        (json!({ "code": "12345678" }), "email"),
        (json!({ "token": "x", "code": "12345678" }), "code"),
    ] {
        let refused = it.post("/api/v1/accounts/verify", body).await;
        assert_eq!((refused.status.as_u16(), refused.fields()[0].0.as_str()), (422, field));
    }
}

#[tokio::test]
async fn a_code_works_for_ten_minutes_and_after_different_sign_ups_for_nobody() {
    let it = Harness::new().await;
    it.sign_up("john@example.org").await;
    let code = code_in(&it.mails().await[0].text);
    it.clock.advance(TimeDelta::minutes(10));
    let body = json!({ "email": "john@example.org", "code": code });
    assert_eq!(it.post("/api/v1/accounts/verify", body).await.fields(), [("code".into(), "not_good".into())]);

    let it = Harness::new().await;
    it.sign_up("john@example.org").await;
    let code = code_in(&it.mails().await[0].text);
    let other = json!({ "name": "Eve", "email": "john@example.org", "password": OTHER_PASSWORD });
    assert_eq!(it.post("/api/v1/accounts", other).await.status, 202);
    let mut body = json!({ "email": "john@example.org", "code": code });
    let refused = it.post("/api/v1/accounts/verify", body.clone()).await;
    assert_eq!(refused.fields(), [("name".into(), "missing".into()), ("password".into(), "missing".into())]);
    body["name"] = json!("John Miller");
    body["password"] = json!("marble teapot sings 4 foxes");
    assert_eq!(it.post("/api/v1/accounts/verify", body).await.status, 200, "the code is still good");
    assert_eq!(it.logs_in("john@example.org", OTHER_PASSWORD).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_guesses_at_once_leave_the_code_dead() {
    let it = std::sync::Arc::new(Harness::new().await);
    it.customer("john@example.org").await;
    it.forgets("john@example.org").await;
    let code = code_in(&it.mails().await[0].text);
    let mut guesses = tokio::task::JoinSet::new();
    for at in 0..100 {
        let (it, code) = (std::sync::Arc::clone(&it), code.replace(' ', ""));
        guesses.spawn(async move {
            let guess = format!("{at:08}");
            assert_ne!(guess, code, "one of a million tests starts anew here");
            let body = json!({ "email": "john@example.org", "code": guess, "password": OTHER_PASSWORD });
            let from = With::from(["198.51.100.1", "198.51.100.2", "198.51.100.3"][at % 3]);
            it.post_with(RESET, body, &from).await.status.as_u16()
        });
    }
    let answers = guesses.join_all().await;
    let looked_at = answers.iter().filter(|status| **status == 422).count();
    // Ten from each network address; the code is dead after five.
    assert!((1..=30).contains(&looked_at) && answers.iter().all(|status| [422, 429].contains(status)), "{answers:?}");
    let late = it.resets(json!({ "email": "john@example.org", "code": code })).await;
    assert!([422, 429].contains(&late.status.as_u16()), "{}", late.text);
}

#[tokio::test]
async fn a_forgotten_password_is_chosen_anew_by_link_and_by_code() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let cookie = With::cookie(&it.log_in("john@example.org").await.cookie());
    let bearer = With::bearer(&it.token("john@example.org").await);
    for by_code in [false, true] {
        assert_eq!(it.forgets("JOHN@example.org").await.status, 202);
        let mails = it.mails().await;
        assert_eq!(
            (mails.len(), mails[0].kind, mails[0].to.as_str()),
            (1, AccountMailKind::ResetPassword, "john@example.org")
        );
        assert!(mails[0].text.contains("http://127.0.0.1:8080/reset?token="), "{}", mails[0].text);
        let held = if by_code {
            json!({ "email": "john@example.org", "code": code_in(&mails[0].text) })
        } else {
            json!({ "token": token_in(&mails[0].text) })
        };
        let mut weak = held.clone();
        weak["password"] = json!("john@example.org john");
        assert_eq!(it.resets(weak).await.fields(), [("password".into(), "too_weak".into())]);
        let new = if by_code { PASSWORD } else { OTHER_PASSWORD };
        let mut good = held.clone();
        good["password"] = json!(new);
        let done = it.resets(good.clone()).await;
        assert_eq!(done.status, 204, "{}", done.text);
        assert_eq!(it.resets(good).await.status, 422, "once");
        assert_eq!(it.logs_in("john@example.org", if by_code { OTHER_PASSWORD } else { PASSWORD }).await, 401);
        assert_eq!(it.logs_in("john@example.org", new).await, 200);
        for with in [&cookie, &bearer] {
            assert_eq!(it.get("/api/v1/me", with).await.status, 401, "what was opened before is shut");
        }
        let told = it.mails().await;
        assert_eq!(told.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [AccountMailKind::PasswordChanged]);
        assert!(told[0].text.contains("2 March 2026") && !told[0].text.contains("token="), "{}", told[0].text);
    }
}

#[tokio::test]
async fn every_role_chooses_anew_and_a_disabled_or_unconfirmed_one_is_sent_nothing() {
    let house = House::new().await;
    let it = &house.it;
    it.mails().await;
    for email in ["john@example.org", "sarah@example.org", "maria@example.org", "ada@example.org"] {
        assert_eq!(it.forgets(email).await.status, 202);
        let token = it.mailed_token().await;
        assert_eq!(it.resets(json!({ "token": token })).await.status, 204, "{email}");
        assert_eq!(it.logs_in(email, OTHER_PASSWORD).await, 200, "{email}");
        it.mails().await;
    }
    it.sign_up("new@example.org").await;
    it.mails().await;
    let known = it.forgets("john@example.org").await;
    it.mails().await;
    let id = it.post("/api/v1/sessions", json!({ "email": "sarah@example.org", "password": OTHER_PASSWORD })).await;
    let id = id.json()["id"].as_str().expect("an id").to_owned();
    it.forgets("sarah@example.org").await;
    let before = it.mailed_token().await;
    let gone = reference_server::auth::AccountChange { disabled: Some(true), ..Default::default() };
    it.server.state().accounts.change(&id, gone).await.expect("disabled");
    assert_eq!(it.resets(json!({ "token": before })).await.problem().1, "invalid_token", "disabled since");
    for email in ["sarah@example.org", "new@example.org", "nobody@example.org"] {
        let answer = it.forgets(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&answer), names(&known));
        assert!(it.mails().await.is_empty(), "{email}");
    }
}

#[tokio::test]
async fn links_to_choose_anew_end_after_half_an_hour_and_come_three_an_hour() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    it.forgets("john@example.org").await;
    let mails = it.mails().await;
    let (token, code) = (token_in(&mails[0].text), code_in(&mails[0].text));
    assert_eq!(it.post("/api/v1/accounts/verify", json!({ "token": token })).await.status, 422, "for one purpose");
    it.clock.advance(TimeDelta::minutes(10));
    let late = it.resets(json!({ "email": "john@example.org", "code": code })).await;
    assert_eq!(late.fields(), [("code".into(), "not_good".into())]);
    it.clock.advance(TimeDelta::minutes(20));
    assert_eq!(it.resets(json!({ "token": token })).await.problem().1, "invalid_token");
    for _ in 0..6 {
        assert_eq!(it.forgets("john@example.org").await.status, 202);
    }
    assert_eq!(it.mails().await.len(), 2, "with the first three");
    it.clock.advance(TimeDelta::hours(1));
    it.forgets("john@example.org").await;
    assert_eq!(it.mails().await.len(), 1);
    assert_eq!(it.forgets("john").await.fields(), [("email".into(), "invalid".into())]);
}

#[tokio::test]
async fn a_poisoned_host_reaches_no_reset_link() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let request = axum::http::Request::post(FORGOTTEN)
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("content-type", "application/json");
    let body = json!({ "email": "john@example.org" }).to_string();
    assert_eq!(it.raw(request.body(body.into()).expect("a request")).await.status, 202);
    let mails = it.mails().await;
    assert!(!mails[0].text.contains("evil") && mails[0].text.contains("http://127.0.0.1:8080/reset?token="));
}

#[tokio::test]
async fn a_password_is_judged_while_it_is_typed() {
    let it = Harness::new().await;
    let judged = async |body: Value| it.post("/api/v1/accounts/password/verdict", body).await.json();
    assert_eq!(judged(json!({ "password": PASSWORD })).await["accepted"], json!(true));
    assert_eq!(judged(json!({ "password": "short" })).await["code"], "too_short");
    assert_eq!(judged(json!({ "password": "p".repeat(300) })).await["code"], "too_long");
    let own = json!({ "password": "miller john miller john", "name": "John Miller", "email": "j@example.org" });
    assert_eq!(judged(own).await["code"], "too_weak");
}
