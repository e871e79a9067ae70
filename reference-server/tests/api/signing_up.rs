use chrono::TimeDelta;
use reference_server::auth::accounts::AccountMailKind;
use serde_json::json;

use crate::support::{Harness, OTHER_PASSWORD, PASSWORD, With, token_in};

#[tokio::test]
async fn from_sign_up_to_log_in() {
    let it = Harness::new().await;
    let answer = it.sign_up("John@Example.org").await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let early = it.log_in("john@example.org").await;
    assert_eq!(early.problem(), (403, "email_unverified".into()));

    let mails = it.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to.as_str(), mails[0].kind), ("John@Example.org", AccountMailKind::VerifyEmail));
    assert!(mails[0].text.contains("http://127.0.0.1:8080/verify?token="), "{}", mails[0].text);
    let confirmed = it.post("/api/v1/accounts/verify", json!({"token": token_in(&mails[0].text)})).await;
    assert_eq!((confirmed.status.as_u16(), confirmed.json()), (200, json!({"verified": true})));

    let answer = it.log_in("JOHN@example.ORG").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let me = answer.json();
    assert_eq!((me["name"].as_str(), me["role"].as_str()), (Some("John Miller"), Some("customer")));
    assert!(me["id"].as_str().is_some_and(|id| id.starts_with("u_") && id.len() == 22));
    let seen = it.get("/api/v1/me", &With::cookie(&answer.cookie())).await;
    assert_eq!((seen.status.as_u16(), seen.json()), (200, me));
}

#[tokio::test]
async fn known_and_unknown_addresses_look_alike() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let (known, unknown) = (it.sign_up("john@example.org").await, it.sign_up("nobody@example.org").await);
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    let names = |answer: &crate::support::Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));

    let mails = it.mails().await;
    let of = |to: &str| mails.iter().filter(|mail| mail.to == to).map(|mail| mail.kind).collect::<Vec<_>>();
    assert_eq!(of("john@example.org"), [AccountMailKind::AlreadyRegistered]);
    assert_eq!(of("nobody@example.org"), [AccountMailKind::VerifyEmail]);

    it.sign_up("john@example.org").await;
    assert!(it.mails().await.is_empty(), "the owner is told once a day");
    assert_eq!(it.log_in("john@example.org").await.status, 200, "nothing changed for the owner");

    let (known, unknown) = (
        it.post("/api/v1/accounts/verification", json!({"email": "john@example.org"})).await,
        it.post("/api/v1/accounts/verification", json!({"email": "no-one@example.org"})).await,
    );
    assert_eq!((known.status.as_u16(), &known.text), (202, &unknown.text));
    assert_eq!(unknown.status, 202);
    assert!(it.mails().await.is_empty());
}

#[tokio::test]
async fn mail_to_an_unconfirmed_address_holds_nothing_a_stranger_chose_and_is_rare() {
    let it = Harness::new().await;
    let evil = json!({"name": "WIN-A-PRIZE evil.example", "email": "john@example.org", "password": PASSWORD});
    assert_eq!(it.post("/api/v1/accounts", evil).await.status, 202);
    let mails = it.mails().await;
    let all = format!("{}{}{}", mails[0].subject, mails[0].text, mails[0].html);
    assert!(!all.contains("WIN") && !all.contains("evil") && mails[0].text.starts_with("Hello,\n"), "{all}");

    for _ in 0..3 {
        it.sign_up("john@example.org").await;
    }
    let other = json!({"name": "Eve", "email": "john@example.org", "password": OTHER_PASSWORD});
    assert_eq!(it.post("/api/v1/accounts", other).await.status, 202);
    for _ in 0..3 {
        let again = it.post("/api/v1/accounts/verification", json!({"email": "JOHN@example.org"})).await;
        assert_eq!(again.status, 202);
    }
    assert!(it.mails().await.is_empty(), "one mail a day, whoever asks for it and how");
    it.clock.advance(TimeDelta::hours(24));
    for _ in 0..3 {
        it.post("/api/v1/accounts/verification", json!({"email": "john@example.org"})).await;
        it.sign_up("john@example.org").await;
    }
    assert_eq!(it.mails().await.len(), 1, "and another the next day");
}

impl Harness {
    async fn signs_up(&self, name: &str, password: &str) {
        let body = json!({"name": name, "email": "john@example.org", "password": password});
        assert_eq!(self.post("/api/v1/accounts", body).await.status, 202);
    }

    async fn logs_in_with(&self, password: &str) -> crate::support::Answer {
        self.post("/api/v1/sessions", json!({"email": "john@example.org", "password": password})).await
    }
}

#[tokio::test]
async fn a_button_pressed_three_times_at_once_is_one_sign_up() {
    let it = Harness::new().await;
    // Each has looked for the account and hashes its password before the first is there.
    let signs_up = || it.signs_up("John Miller", PASSWORD);
    tokio::join!(signs_up(), signs_up(), signs_up());
    let link = it.mailed_token().await;
    let bare = it.post("/api/v1/accounts/verify", json!({"token": link})).await;
    assert_eq!(bare.status, 200, "nothing more is asked: {}", bare.text);
    assert_eq!(it.logs_in_with(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_first_link_works_after_a_second_sign_up_and_only_its_holder_gets_in() {
    const OWN: &str = "marble teapot sings 4 foxes";
    for (strangers, owners) in [(PASSWORD, OTHER_PASSWORD), (OTHER_PASSWORD, PASSWORD)] {
        let it = Harness::new().await;
        // Whether the owner came first or second, there is one mail, and it is theirs.
        it.signs_up("WIN-A-PRIZE", PASSWORD).await;
        let link = it.mailed_token().await;
        it.signs_up("WIN-A-PRIZE", OTHER_PASSWORD).await;
        assert!(it.mails().await.is_empty());

        let bare = it.post("/api/v1/accounts/verify", json!({"token": link})).await;
        assert_eq!(bare.problem(), (422, "invalid_body".into()));
        assert_eq!(bare.fields(), [("name".into(), "missing".into()), ("password".into(), "missing".into())]);
        for body in [
            json!({"token": link, "name": "John Miller"}),
            json!({"token": link, "name": "John Miller", "password": "short"}),
            json!({"token": link, "name": " ", "password": owners}),
            json!({"token": "x", "name": "John Miller", "password": owners}),
        ] {
            assert_eq!(it.post("/api/v1/accounts/verify", body).await.status, 422);
        }
        for password in [PASSWORD, OTHER_PASSWORD] {
            assert!(matches!(it.logs_in_with(password).await.problem().0, 401 | 403), "nobody yet");
        }
        let confirmed =
            it.post("/api/v1/accounts/verify", json!({"token": link, "name": "John Miller", "password": owners})).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        assert_eq!(it.logs_in_with(strangers).await.problem(), (401, "invalid_credentials".into()));
        assert_eq!(it.logs_in_with(owners).await.json()["name"], "John Miller", "what a stranger typed is forgotten");

        // Signing up once more changes nothing any more.
        it.signs_up("WIN-A-PRIZE", OWN).await;
        assert_eq!(it.logs_in_with(OWN).await.problem(), (401, "invalid_credentials".into()));
        assert_eq!(it.logs_in_with(owners).await.status, 200);
    }
}

#[tokio::test]
async fn a_later_link_stands_for_no_earlier_stranger_either() {
    let it = Harness::new().await;
    it.signs_up("Eve", OTHER_PASSWORD).await;
    let first = it.mailed_token().await;
    it.clock.advance(TimeDelta::hours(25));
    it.signs_up("John Miller", PASSWORD).await;
    let second = it.mailed_token().await;
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": first})).await.problem().1, "invalid_token");
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": second})).await.problem().1, "invalid_body");
    let body = json!({"token": second, "name": "John Miller", "password": PASSWORD});
    assert_eq!(it.post("/api/v1/accounts/verify", body).await.status, 200);
    assert_eq!(it.logs_in_with(OTHER_PASSWORD).await.status, 401);
    assert_eq!(it.logs_in_with(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn the_same_sign_up_twice_is_one() {
    let it = Harness::new().await;
    it.signs_up("John Miller", PASSWORD).await;
    let link = it.mailed_token().await;
    it.signs_up("John Miller", PASSWORD).await;
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": link})).await.status, 200);
    assert_eq!(it.logs_in_with(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn of_sign_ups_at_the_same_moment_none_counts_without_its_owner() {
    let it = std::sync::Arc::new(Harness::new().await);
    let mut tries = tokio::task::JoinSet::new();
    for password in [PASSWORD, OTHER_PASSWORD] {
        let it = std::sync::Arc::clone(&it);
        tries.spawn(async move { it.signs_up("John Miller", password).await });
    }
    tries.join_all().await;
    let link = it.mailed_token().await;
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": link})).await.problem().1, "invalid_body");
}

#[tokio::test]
async fn a_link_works_once_and_for_a_day() {
    let it = Harness::new().await;
    it.sign_up("john@example.org").await;
    let token = it.mailed_token().await;
    for forged in ["", "x", &token[1..], &token.to_uppercase(), &format!("{token}="), "' OR 1=1 --"] {
        let answer = it.post("/api/v1/accounts/verify", json!({"token": forged})).await;
        assert_eq!(answer.problem(), (422, "invalid_token".into()), "{forged}");
        assert_eq!(answer.fields(), [("token".into(), "invalid_token".into())]);
    }
    it.clock.advance(TimeDelta::hours(24));
    assert_eq!(
        it.post("/api/v1/accounts/verify", json!({"token": token})).await.problem(),
        (422, "invalid_token".into())
    );

    it.post("/api/v1/accounts/verification", json!({"email": "john@example.org"})).await;
    let token = it.mailed_token().await;
    it.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": token})).await.status, 200);
    assert_eq!(
        it.post("/api/v1/accounts/verify", json!({"token": token})).await.problem(),
        (422, "invalid_token".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_tries_at_once_one_wins() {
    let it = std::sync::Arc::new(Harness::new().await);
    it.sign_up("john@example.org").await;
    let token = it.mailed_token().await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (it, token) = (std::sync::Arc::clone(&it), token.clone());
        tries.spawn(async move { it.post("/api/v1/accounts/verify", json!({"token": token})).await.status.as_u16() });
    }
    let mut answers = tries.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers[0], 200);
    assert!(answers[1..].iter().all(|status| *status == 422), "{answers:?}");
}

#[tokio::test]
async fn no_mail_is_lost_while_the_relay_is_down() {
    let it = Harness::new().await;
    *it.mail.down.lock().expect("unpoisoned") = true;
    it.sign_up("john@example.org").await;
    for minutes in [1, 4, 16] {
        assert!(it.mails().await.is_empty());
        it.clock.advance(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        *it.mail.down.lock().expect("unpoisoned") = false;
        assert!(it.mails().await.is_empty(), "not before its pause of {minutes} minutes is over");
        *it.mail.down.lock().expect("unpoisoned") = true;
        it.clock.advance(TimeDelta::seconds(1));
    }
    *it.mail.down.lock().expect("unpoisoned") = false;
    let token = it.mailed_token().await;
    assert!(it.mails().await.is_empty(), "once");
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": token})).await.status, 200);
}

#[tokio::test]
async fn a_mail_is_given_up_after_eight_tries() {
    let it = Harness::new().await;
    *it.mail.down.lock().expect("unpoisoned") = true;
    it.sign_up("john@example.org").await;
    let state = it.server.state();
    let (mut postponed, mut given_up) = (0, 0);
    for _ in 0..20 {
        let done = state.accounts.deliver_account_mail(it.clock_now(), it.mail.as_ref()).await.expect("delivers");
        postponed += done.postponed;
        given_up += done.given_up;
        it.clock.advance(TimeDelta::hours(12));
    }
    assert_eq!((postponed, given_up), (7, 1));
}

#[tokio::test]
async fn a_confirmed_account_gets_no_late_confirmation() {
    let it = Harness::new().await;
    *it.mail.down.lock().expect("unpoisoned") = true;
    it.sign_up("john@example.org").await;
    assert!(it.mails().await.is_empty());
    *it.mail.down.lock().expect("unpoisoned") = false;
    it.clock.advance(TimeDelta::minutes(1));
    let token = it.mailed_token().await;
    // Late as it was sent, its link is still good when the next may be asked for.
    it.clock.advance(TimeDelta::hours(24) - TimeDelta::minutes(1));
    it.post("/api/v1/accounts/verification", json!({"email": "john@example.org"})).await;
    assert_eq!(it.post("/api/v1/accounts/verify", json!({"token": token})).await.status, 200);
    assert!(it.mails().await.is_empty());
}

#[tokio::test]
async fn a_poisoned_host_reaches_no_link() {
    let it = Harness::new().await;
    let with = With::default().header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    let mut request = axum::http::Request::post("/api/v1/accounts")
        .header("host", "evil.example")
        .header("content-type", "application/json");
    for (name, value) in &with.headers {
        request = request.header(*name, value);
    }
    let body = json!({"name": "John", "email": "john@example.org", "password": PASSWORD}).to_string();
    assert_eq!(it.raw(request.body(body.into()).expect("a request")).await.status, 202);
    let mails = it.mails().await;
    assert!(!mails[0].text.contains("evil") && mails[0].text.contains("http://127.0.0.1:8080/verify?token="));
}

#[tokio::test]
async fn sign_ups_from_one_address_have_a_limit() {
    let it = Harness::new().await;
    let mut last = 0;
    for n in 0..=200 {
        // The cheap door that counts against the same limit.
        last = it
            .post("/api/v1/accounts/verification", json!({"email": format!("p{n}@example.org")}))
            .await
            .status
            .as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(it.sign_up("john@example.org").await.problem(), (429, "too_many_requests".into()));
    let elsewhere = With::from("198.51.100.1");
    let body = json!({"name": "John", "email": "john@example.org", "password": PASSWORD});
    assert_eq!(it.post_with("/api/v1/accounts", body, &elsewhere).await.status, 202);
}

impl Harness {
    fn clock_now(&self) -> chrono::DateTime<chrono::Utc> {
        use reference_server::clock::Clock as _;
        self.clock.now()
    }
}
