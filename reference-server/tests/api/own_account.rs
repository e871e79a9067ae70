//! What everybody sees and changes of their own account, how customers log in without a password, and what admins change of staff.

use axum::http::Method;
use chrono::TimeDelta;
use reference_server::auth::accounts::AccountMailKind;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Answer, Harness, OTHER_PASSWORD, PASSWORD, With, code_in, token_in};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

impl Harness {
    async fn logs_in_by(&self, email: &str, password: &str, with: &With) -> Answer {
        self.post_with("/api/v1/sessions", json!({ "email": email, "password": password }), with).await
    }

    /// John, confirmed, and his first session.
    async fn john(&self) -> With {
        self.customer("john@example.org").await;
        With::cookie(&self.log_in("john@example.org").await.cookie())
    }

    async fn kinds(&self) -> Vec<(String, AccountMailKind)> {
        let mut mails: Vec<_> = self.mails().await.into_iter().map(|mail| (mail.to, mail.kind)).collect();
        mails.sort_by_key(|(to, kind)| (to.clone(), kind.as_str()));
        mails
    }
}

fn by(agent: &str) -> With {
    With::default().header("user-agent", agent)
}

fn mail(to: &str, kind: AccountMailKind) -> (String, AccountMailKind) {
    (to.to_owned(), kind)
}

#[tokio::test]
async fn another_password_needs_the_present_one_and_ends_all_other_sessions() {
    let it = Harness::new().await;
    let john = it.john().await;
    let other = With::cookie(&it.log_in("john@example.org").await.cookie());
    let program = With::bearer(&it.token("john@example.org").await);
    let change = async |current: &str, password: &str| {
        it.put("/api/v1/me/password", json!({ "current_password": current, "password": password }), &john).await
    };
    assert_eq!(change(OTHER_PASSWORD, OTHER_PASSWORD).await.fields(), [("current_password".into(), "wrong".into())]);
    assert_eq!(change(PASSWORD, "short").await.fields(), [("password".into(), "too_short".into())]);
    assert_eq!(
        change(&"x".repeat(300), OTHER_PASSWORD).await.fields(),
        [("current_password".into(), "too_long".into())]
    );
    assert!(it.mails().await.is_empty());
    let done = change(PASSWORD, OTHER_PASSWORD).await;
    assert_eq!(done.status, 204, "{}", done.text);
    assert_eq!(it.get("/api/v1/me", &john).await.status, 200, "this one stays");
    assert_eq!(it.get("/api/v1/me", &other).await.status, 401);
    assert_eq!(it.get("/api/v1/me", &program).await.status, 401);
    assert_eq!(it.logs_in_by("john@example.org", PASSWORD, &With::default()).await.status, 401);
    assert_eq!(it.logs_in_by("john@example.org", OTHER_PASSWORD, &With::default()).await.status, 200);
    assert_eq!(it.kinds().await, [mail("john@example.org", AccountMailKind::PasswordChanged)]);
}

#[tokio::test]
async fn another_address_counts_once_it_is_confirmed_and_both_are_told() {
    for by_code in [false, true] {
        let it = Harness::new().await;
        let john = it.john().await;
        let ask = async |email: &str, current: &str| {
            it.put("/api/v1/me/email", json!({ "email": email, "current_password": current }), &john).await
        };
        assert_eq!(ask("j@home.example", OTHER_PASSWORD).await.fields(), [("current_password".into(), "wrong".into())]);
        assert_eq!(ask("home", PASSWORD).await.fields(), [("email".into(), "invalid".into())]);
        assert_eq!(ask("john@example.org", PASSWORD).await.fields(), [("email".into(), "unchanged".into())]);
        assert!(it.mails().await.is_empty());
        assert_eq!(ask("J@home.example", PASSWORD).await.status, 202);
        let mails = it.mails().await;
        let new = mails.iter().find(|mail| mail.to == "J@home.example").expect("a mail to the new address");
        let old = mails.iter().find(|mail| mail.to == "john@example.org").expect("a mail to the present one");
        assert_eq!(
            (mails.len(), new.kind, old.kind),
            (2, AccountMailKind::ChangeEmail, AccountMailKind::EmailChangeAsked)
        );
        assert!(!old.text.contains("token=") && !new.text.contains("john"), "{}", old.text);
        assert_eq!(it.get("/api/v1/me", &john).await.json()["email"], "john@example.org", "not yet");
        let token = json!({ "token": token_in(&new.text) });
        assert_eq!(it.post("/api/v1/accounts/verify", token.clone()).await.status, 422, "for one purpose");
        let confirmed = if by_code {
            let body = json!({ "code": code_in(&new.text) });
            it.post_with("/api/v1/me/email/confirmation", body, &john).await
        } else {
            it.post("/api/v1/accounts/email", token.clone()).await
        };
        assert_eq!(confirmed.status, if by_code { 200 } else { 204 }, "{}", confirmed.text);
        assert_eq!(it.post("/api/v1/accounts/email", token).await.problem().1, "invalid_token", "once");
        assert_eq!(it.get("/api/v1/me", &john).await.json()["email"], "J@home.example", "sessions stay");
        let changed = AccountMailKind::EmailChanged;
        assert_eq!(it.kinds().await, [mail("J@home.example", changed), mail("john@example.org", changed)]);
        assert_eq!(it.log_in("john@example.org").await.status, 401);
        assert_eq!(it.log_in("j@home.example").await.status, 200);
    }
}

#[tokio::test]
async fn whether_a_new_address_is_taken_nobody_learns() {
    let it = Harness::new().await;
    it.customer("mary@example.org").await;
    let john = it.john().await;
    let ask = async |email: &str| {
        it.put("/api/v1/me/email", json!({ "email": email, "current_password": PASSWORD }), &john).await
    };
    let (taken, free) = (ask("mary@example.org").await, ask("free@example.org").await);
    assert_eq!((taken.status, &taken.text), (free.status, &free.text));
    assert_eq!(
        it.kinds().await,
        [
            mail("free@example.org", AccountMailKind::ChangeEmail),
            mail("john@example.org", AccountMailKind::EmailChangeAsked),
            mail("john@example.org", AccountMailKind::EmailChangeAsked),
            mail("mary@example.org", AccountMailKind::AddressWanted),
        ]
    );
    // Somebody else confirms it while the link is under way.
    assert_eq!(ask("late@example.org").await.status, 202);
    let mails = it.mails().await;
    let late = token_in(&mails.iter().find(|mail| mail.to == "late@example.org").expect("a mail").text);
    it.customer("late@example.org").await;
    assert_eq!(it.post("/api/v1/accounts/email", json!({ "token": late })).await.problem().1, "invalid_token");
    let refused = ask("more@example.org").await;
    assert_eq!((refused.problem(), refused.header("retry-after")), ((429, "too_many_requests".into()), "3601"));
}

#[tokio::test]
async fn name_and_postal_addresses_are_one_s_own_to_change() {
    const PATH: &str = "/api/v1/me/postal-addresses";
    let it = Harness::new().await;
    let john = it.john().await;
    let named = it.patch("/api/v1/me", json!({ "name": " Johnny Miller " }), &john).await;
    assert_eq!(named.json()["name"], "Johnny Miller");
    assert_eq!(
        it.patch("/api/v1/me", json!({ "name": "" }), &john).await.fields(),
        [("name".into(), "missing".into())]
    );
    for field in ["role", "email", "id", "enabled"] {
        let body = json!({ field: "admin" });
        assert_eq!(it.patch("/api/v1/me", body, &john).await.fields(), [(field.into(), "unknown_field".into())]);
    }
    assert_eq!(it.get(PATH, &john).await.json(), json!({ "postal_addresses": [] }));
    let home =
        json!({ "lines": ["12 Mill Lane", "Flat 3"], "postcode": "AB1 2CD", "town": "Millbrook", "country": "GB" });
    let set = async |addresses: Value| it.put(PATH, json!({ "postal_addresses": addresses }), &john).await;
    assert_eq!(set(json!([home])).await.json()["postal_addresses"], json!([home]));
    let with = |field: &str, value: Value| {
        let mut address = home.clone();
        address[field] = value;
        address
    };
    for (wrong, code) in [
        (json!([with("town", json!(" "))]), "missing"),
        (json!([with("country", json!("Britain"))]), "invalid"),
        (json!([with("lines", json!([]))]), "invalid"),
        (json!([with("lines", json!(["a\nb"]))]), "control_character"),
        (json!([with("postcode", json!("1".repeat(21)))]), "too_long"),
        (json!([home, home, home, home, home, home]), "too_many"),
    ] {
        assert_eq!(set(wrong).await.fields(), [("postal_addresses".into(), code.into())]);
    }
    assert_eq!(it.get(PATH, &john).await.json()["postal_addresses"], json!([home]), "nothing is half done");
    assert_eq!(it.get(PATH, &With::default()).await.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_from_afar() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    it.customer("mary@example.org").await;
    let marys = With::cookie(&it.log_in("mary@example.org").await.cookie());
    let desk = With::cookie(&it.logs_in_by("john@example.org", PASSWORD, &by(FIREFOX)).await.cookie());
    it.clock.advance(TimeDelta::minutes(5));
    let from = With { from: Some("198.51.100.9"), ..by(PHONE) };
    let phone = With::cookie(&it.logs_in_by("john@example.org", PASSWORD, &from).await.cookie());
    let listed = it.get("/api/v1/me/sessions", &desk).await.json();
    let items = listed["items"].as_array().expect("items");
    let shown = |at: usize| [&items[at]["device"], &items[at]["address"], &items[at]["current"]].map(Value::to_string);
    assert_eq!(shown(0), ["\"Safari on iOS\"", "\"198.51.100.9\"", "false"]);
    assert_eq!(shown(1), ["\"Firefox on Linux\"", "\"203.0.113.5\"", "true"]);
    let path = format!("/api/v1/me/sessions/{}", items[0]["id"].as_str().expect("an id"));
    assert_eq!(it.delete(&path, &marys).await.status, 404, "another's is none");
    for odd in ["x", "%00", &"z".repeat(64), &"0".repeat(64), &"é".repeat(32)] {
        let odd = percent_encoding::utf8_percent_encode(odd, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(it.delete(&format!("/api/v1/me/sessions/{odd}"), &desk).await.status, 404, "{odd}");
    }
    assert_eq!(it.get("/api/v1/me", &phone).await.status, 200);
    assert_eq!(it.delete(&path, &desk).await.status, 204);
    assert_eq!(it.delete(&path, &desk).await.status, 404);
    assert_eq!(it.get("/api/v1/me", &phone).await.status, 401);
    for _ in 0..3 {
        it.log_in("john@example.org").await;
    }
    assert_eq!(it.delete("/api/v1/me/sessions", &desk).await.json(), json!({ "ended": 3 }));
    assert_eq!(it.get("/api/v1/me/sessions", &desk).await.json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(it.get("/api/v1/me", &marys).await.status, 200);

    let first = it.get("/api/v1/me/log-ins?limit=4", &desk).await.json();
    let next = first["next"].as_str().expect("there are five");
    let rest = it.get(&format!("/api/v1/me/log-ins?limit=4&cursor={next}"), &desk).await.json();
    assert_eq!((first["items"].as_array().map(Vec::len), rest["items"].as_array().map(Vec::len)), (Some(4), Some(1)));
    assert_eq!(
        (&rest["items"][0]["device"], &rest["items"][0]["door"]),
        (&json!("Firefox on Linux"), &json!("password"))
    );
    assert_eq!((&rest["next"], &rest["items"][0]["at"]), (&Value::Null, &json!("2026-03-02T09:00:00Z")));
    assert_eq!(it.get("/api/v1/me/log-ins?cursor=x", &desk).await.status, 400);
}

#[tokio::test]
async fn a_log_in_from_a_new_device_is_told_its_owner() {
    let it = Harness::new().await;
    it.customer("john@example.org").await;
    let first = it.logs_in_by("john@example.org", PASSWORD, &by(FIREFOX)).await;
    assert!(it.mails().await.is_empty(), "the first log-in of all");
    let cookies: Vec<&str> =
        first.headers.get_all("set-cookie").iter().map(|set| set.to_str().expect("ASCII")).collect();
    assert!(cookies.len() == 2 && cookies[1].starts_with("browser=") && cookies[1].contains("HttpOnly"), "{cookies:?}");
    assert!(cookies[1].contains("Max-Age=31536000") && cookies[1].contains("SameSite=Lax"), "{cookies:?}");
    let browser = cookies[1].split(';').next().expect("a pair").to_owned();
    assert_eq!(it.get("/api/v1/me", &With::cookie(&browser)).await.status, 401, "it opens nothing");

    it.logs_in_by("john@example.org", PASSWORD, &by(FIREFOX)).await;
    assert!(it.mails().await.is_empty(), "the same program in the same network");
    let travelling = With { from: Some("198.51.100.1"), ..With::cookie(&browser) };
    let again = it.logs_in_by("john@example.org", PASSWORD, &travelling).await;
    assert_eq!((again.status.as_u16(), again.headers.get_all("set-cookie").iter().count()), (200, 1));
    assert!(it.mails().await.is_empty(), "the same browser elsewhere");

    let evil = With { from: Some("198.51.100.2"), ..by("<b>WIN A PRIZE</b> evil.example") };
    assert_eq!(it.logs_in_by("john@example.org", OTHER_PASSWORD, &evil).await.status, 401);
    assert!(it.mails().await.is_empty(), "who did not come in is not told of");
    it.logs_in_by("john@example.org", PASSWORD, &evil).await;
    let told = it.mails().await;
    assert_eq!((told.len(), told[0].kind), (1, AccountMailKind::NewDevice));
    let all = format!("{}{}{}", told[0].subject, told[0].text, told[0].html);
    assert!(all.contains("an unknown program, from the network address 198.51.100.2") && !all.contains("WIN"), "{all}");
    it.logs_in_by("john@example.org", PASSWORD, &evil).await;
    assert!(it.mails().await.is_empty(), "it is known now");
    let program = With { from: Some("198.51.100.3"), ..With::default() };
    let body = json!({ "email": "john@example.org", "password": PASSWORD });
    assert_eq!(it.post_with("/api/v1/tokens", body, &program).await.status, 201);
    assert_eq!(it.kinds().await, [mail("john@example.org", AccountMailKind::NewDevice)], "programs too");
}

#[tokio::test]
async fn customers_log_in_by_a_mailed_code_or_link_and_staff_do_not() {
    let house = House::new().await;
    let it = &house.it;
    it.mails().await;
    let ask = async |email: &str| it.post("/api/v1/sessions/code", json!({ "email": email })).await;
    for held_by in ["code", "token"] {
        assert_eq!(ask("JOHN@example.org").await.status, 202);
        let mails = it.mails().await;
        assert_eq!((mails.len(), mails[0].kind), (1, AccountMailKind::LogIn));
        assert!(mails[0].text.contains("http://127.0.0.1:8080/login/link?token="), "{}", mails[0].text);
        let body = match held_by {
            "code" => json!({ "email": "john@example.org", "code": code_in(&mails[0].text) }),
            _ => json!({ "token": token_in(&mails[0].text) }),
        };
        let opened = it.post("/api/v1/sessions/mailed", body.clone()).await;
        assert_eq!(opened.status, 200, "{}", opened.text);
        let cookie = With::cookie(&opened.cookie());
        assert_eq!(it.get("/api/v1/me", &cookie).await.json()["email"], "john@example.org");
        assert_eq!(it.get("/api/v1/me/log-ins", &cookie).await.json()["items"][0]["door"], "code");
        assert_eq!(it.post("/api/v1/sessions/mailed", body).await.status, 422, "once");
    }
    assert_eq!(ask("john@example.org").await.status, 202);
    let mails = it.mails().await;
    it.clock.advance(TimeDelta::minutes(10));
    let (code, token) = (code_in(&mails[0].text), token_in(&mails[0].text));
    let late = json!({ "email": "john@example.org", "code": code });
    assert_eq!(it.post("/api/v1/sessions/mailed", late).await.fields(), [("code".into(), "not_good".into())]);
    assert_eq!(it.post("/api/v1/sessions/mailed", json!({ "token": token })).await.problem().1, "invalid_token");
    let known = ask("jane@example.org").await;
    it.mails().await;
    for email in ["sarah@example.org", "ada@example.org", "nobody@example.org"] {
        let answer = ask(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
    }
    assert!(it.mails().await.is_empty(), "a mailbox alone lets no staff in");
}

#[tokio::test]
async fn a_wish_to_be_deleted_is_noted_shown_to_admins_and_taken_back() {
    const PATH: &str = "/api/v1/me/deletion";
    let house = House::new().await;
    let it = &house.it;
    it.mails().await;
    let wish = |password: &str| json!({ "current_password": password });
    assert_eq!(it.put(PATH, wish(PASSWORD), &house.sarah).await.problem(), (403, "forbidden".into()));
    let refused = it.put(PATH, wish(OTHER_PASSWORD), &house.john).await;
    assert_eq!(refused.fields(), [("current_password".into(), "wrong".into())]);
    assert_eq!(it.get(PATH, &house.john).await.json(), json!({ "asked_at": null }));
    let asked = json!({ "asked_at": "2026-03-02T09:00:00Z" });
    assert_eq!(it.put(PATH, wish(PASSWORD), &house.john).await.json(), asked);
    it.clock.advance(TimeDelta::minutes(1));
    assert_eq!(it.put(PATH, wish(PASSWORD), &house.john).await.json(), asked, "the first time stands");
    assert_eq!(it.kinds().await, [mail("john@example.org", AccountMailKind::DeletionAsked)], "told once");
    let shown = async || {
        let users = house.read("/api/v1/users?role=customer", &house.admin).await;
        let users = users["items"].as_array().expect("items").clone();
        users.iter().map(|user| user["deletion_asked_at"].clone()).filter(|at| !at.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [asked["asked_at"].clone()]);
    assert_eq!(it.get("/api/v1/me", &house.john).await.status, 200, "nothing else changes");
    assert_eq!(it.delete(PATH, &house.john).await.json(), json!({ "asked_at": null }));
    assert!(shown().await.is_empty());
}

#[tokio::test]
async fn an_admin_changes_roles_of_staff_but_not_their_own_nor_a_customer_s() {
    let house = House::new().await;
    let it = &house.it;
    let id = async |who: &With| house.read("/api/v1/me", who).await["id"].as_str().expect("an id").to_owned();
    let (ada, sarah, john) = (id(&house.admin).await, id(&house.sarah).await, id(&house.john).await);
    let change = async |id: &str, role: &str| {
        it.patch(&format!("/api/v1/users/{id}"), json!({ "role": role }), &house.admin).await
    };
    assert_eq!(change(&ada, "auditor").await.problem(), (403, "not_yourself".into()));
    for (id, role) in [(&john, "admin"), (&john, "agent"), (&sarah, "customer")] {
        assert_eq!(change(id, role).await.fields(), [("role".into(), "invalid".into())], "{role}");
    }
    for who in [&house.sarah, &house.john, &house.omar] {
        let refused = it.patch(&format!("/api/v1/users/{sarah}"), json!({ "role": "admin" }), who).await;
        assert_eq!(refused.status, 403);
    }
    let complaint = house.complaint().await;
    assert_eq!(house.read(&complaint, &house.admin).await["handler"]["id"], json!(sarah));
    let changed = change(&sarah, "auditor").await;
    assert_eq!((changed.status.as_u16(), &changed.json()["role"]), (200, &json!("auditor")), "{}", changed.text);
    assert_eq!(it.get("/api/v1/me", &house.sarah).await.status, 401, "logged out at once");
    assert_ne!(house.read(&complaint, &house.admin).await["handler"]["id"], json!(sarah), "it went to others");
    let auditor = With::bearer(&it.token("sarah@example.org").await);
    assert_eq!(it.get("/api/v1/users", &auditor).await.status, 200);
    // Back among the agents, at the level she had.
    assert_eq!(change(&sarah, "agent").await.status, 200);
    let agents = house.read("/api/v1/agents", &house.admin).await;
    let again = agents["items"].as_array().expect("items").iter().find(|agent| agent["id"] == json!(sarah));
    assert_eq!(again.map(|agent| (&agent["enabled"], &agent["level"])), Some((&json!(true), &json!(1))), "{agents}");
    let sarah = With::bearer(&it.token("sarah@example.org").await);
    assert_eq!(it.get("/api/v1/complaints", &sarah).await.status, 200);
}

#[tokio::test]
async fn an_admin_who_was_none_before_is_an_agent_too_and_the_last_admin_stays() {
    let house = House::new().await;
    let it = &house.it;
    let made = it
        .post_with(
            "/api/v1/users",
            json!({ "name": "Otto", "email": "otto@example.org", "role": "admin", "password": PASSWORD }),
            &house.admin,
        )
        .await;
    let otto = With::bearer(&it.token("otto@example.org").await);
    let ada = house.read("/api/v1/me", &house.admin).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/users/{ada}");
    assert_eq!(it.patch(&path, json!({ "role": "agent" }), &otto).await.status, 200);
    let ada = With::bearer(&it.token("ada@example.org").await);
    assert_eq!(it.get("/api/v1/complaints", &ada).await.status, 200, "enrolled as an agent");
    let otto_path = format!("/api/v1/users/{}", made.json()["id"].as_str().expect("an id"));
    assert_eq!(it.patch(&otto_path, json!({ "role": "auditor" }), &ada).await.status, 403, "an agent changes nobody");
    let accounts = &it.server.state().accounts;
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let alone =
        reference_server::auth::AccountChange { role: Some(reference_server::auth::Role::Agent), ..Default::default() };
    let refused = accounts.change(&id, alone).await;
    assert!(matches!(refused, Err(reference_server::auth::AuthError::LastAdmin)), "{refused:?}");
}

#[tokio::test]
async fn an_invitation_is_sent_again_by_an_admin_until_it_is_accepted() {
    let house = House::new().await;
    let it = &house.it;
    it.mails().await;
    let body = json!({ "name": "Otto", "email": "otto@example.org", "role": "auditor" });
    let made = it.post_with("/api/v1/users", body, &house.admin).await;
    let first = it.mailed_token().await;
    let path = format!("/api/v1/users/{}/invitation", made.json()["id"].as_str().expect("an id"));
    let send = async |path: &str, who: &With| it.send(Method::POST, path, None, Vec::new(), who).await;
    for who in [&house.sarah, &house.john, &With::default()] {
        assert!([401, 403].contains(&send(&path, who).await.status.as_u16()));
    }
    assert_eq!(send(&path, &house.admin).await.status, 202);
    let second = it.mailed_token().await;
    let accept = async |token: &str| {
        it.post("/api/v1/invitations/accept", json!({ "token": token, "password": PASSWORD })).await.status.as_u16()
    };
    assert_eq!((accept(&second).await, accept(&first).await), (200, 422));
    assert_eq!(send(&path, &house.admin).await.problem(), (409, "not_invited".into()));
    let john = house.read("/api/v1/me", &house.john).await["id"].as_str().expect("an id").to_owned();
    let customer = send(&format!("/api/v1/users/{john}/invitation"), &house.admin).await;
    assert_eq!(customer.problem(), (409, "not_invited".into()));
    assert_eq!(send("/api/v1/users/u_nobody/invitation", &house.admin).await.status, 404);
    assert!(it.mails().await.is_empty());
}
