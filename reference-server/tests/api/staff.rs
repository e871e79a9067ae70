use chrono::TimeDelta;
use reference_server::auth::accounts::{AccountMailKind, AccountsError};
use reference_server::auth::{AccountChange, AccountFilter, AuthError, NewStaff, Role};
use reference_server::config::ServeArgs;
use serde_json::{Value, json};

use crate::house::House;
use crate::support::{Harness, OTHER_PASSWORD, PASSWORD, With, token_in};

fn sarah(password: Option<&str>) -> NewStaff<'_> {
    NewStaff {
        name: "Sarah Cole",
        email: "sarah@example.org",
        phone: Some("+44 20 7946 0018"),
        role: Role::Agent,
        password,
    }
}

#[tokio::test]
async fn the_set_up_link_makes_one_admin() {
    let it = Harness::new().await;
    let link = it.server.setup_link().expect("a link").to_owned();
    assert!(link.starts_with("http://127.0.0.1:8080/setup?token="));
    assert!(it.server.greeting().contains(&link));
    let body =
        |token: &str| json!({"token": token, "name": "Ada Root", "email": "ada@example.org", "password": PASSWORD});
    assert_eq!(it.post("/api/v1/setup", body("forged")).await.problem(), (422, "invalid_token".into()));
    let token = token_in(&link);
    let mut weak = body(&token);
    weak["password"] = json!("secret");
    assert_eq!(it.post("/api/v1/setup", weak).await.fields(), [("password".into(), "too_short".into())]);
    let made = it.post("/api/v1/setup", body(&token)).await;
    assert_eq!((made.status.as_u16(), made.json()["role"].as_str()), (201, Some("admin")));
    assert_eq!(it.log_in("ada@example.org").await.status, 200, "counts as confirmed");
    assert_eq!(it.post("/api/v1/setup", body(&token)).await.problem(), (409, "already_set_up".into()));
    assert!(it.server.state().accounts.setup_link().await.expect("asks").is_none());
    assert!(it.mails().await.is_empty());
}

#[tokio::test]
async fn a_new_start_kills_the_old_link_and_links_age() {
    let it = Harness::new().await;
    let accounts = &it.server.state().accounts;
    let old = token_in(it.server.setup_link().expect("a link"));
    let new = token_in(&accounts.setup_link().await.expect("asks").expect("a link"));
    assert!(!accounts.setup_token_is_good(&old).await.expect("asks"));
    assert!(accounts.setup_token_is_good(&new).await.expect("asks"));
    it.clock.advance(TimeDelta::hours(24));
    assert!(!accounts.setup_token_is_good(&new).await.expect("asks"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simultaneous_set_ups_make_one_admin() {
    let it = std::sync::Arc::new(Harness::new().await);
    let token = token_in(it.server.setup_link().expect("a link"));
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (it, token) = (std::sync::Arc::clone(&it), token.clone());
        tries.spawn(async move {
            let body =
                json!({"token": token, "name": "Ada", "email": format!("ada{n}@example.org"), "password": PASSWORD});
            it.post("/api/v1/setup", body).await.status.as_u16()
        });
    }
    let answers = tries.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
    let admins = it
        .server
        .state()
        .accounts
        .list(AccountFilter { role: Some(Role::Admin), after: None, limit: 100 })
        .await
        .expect("lists");
    assert_eq!(admins.len(), 1);
}

#[tokio::test]
async fn invited_staff_choose_a_password() {
    let it = Harness::new().await;
    let made = it.server.state().accounts.create_staff(sarah(None)).await.expect("makes");
    assert_eq!(
        (made.role, made.email_verified_at, made.phone.as_deref()),
        (Role::Agent, None, Some("+44 20 7946 0018"))
    );
    assert_eq!(it.log_in("sarah@example.org").await.problem(), (401, "invalid_credentials".into()), "no password yet");
    assert_eq!(it.sign_up("sarah@example.org").await.status, 202, "a stranger learns nothing and takes nothing over");
    let mails = it.mails().await;
    assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [AccountMailKind::Invitation]);
    assert!(mails[0].text.contains("http://127.0.0.1:8080/invitation?token=") && !mails[0].text.contains("Sarah"));
    let token = token_in(&mails[0].text);

    let accept = |token: &str, password: &str| json!({"token": token, "password": password});
    assert_eq!(
        it.post("/api/v1/accounts/verify", json!({"token": token})).await.status,
        422,
        "a token is for one purpose"
    );
    let weak = it.post("/api/v1/invitations/accept", accept(&token, "sarah cole sarah cole")).await;
    assert_eq!(weak.fields(), [("password".into(), "too_weak".into())]);
    let done = it.post("/api/v1/invitations/accept", accept(&token, PASSWORD)).await;
    assert_eq!((done.status.as_u16(), done.json()["role"].as_str()), (200, Some("agent")));
    assert_eq!(
        it.post("/api/v1/invitations/accept", accept(&token, OTHER_PASSWORD)).await.problem(),
        (422, "invalid_token".into())
    );
    assert_eq!(it.log_in("sarah@example.org").await.json()["id"], made.id);
}

#[tokio::test]
async fn invitations_age() {
    let it = Harness::new().await;
    it.server.state().accounts.create_staff(sarah(None)).await.expect("makes");
    let token = it.mailed_token().await;
    it.clock.advance(TimeDelta::days(7));
    let late = it.post("/api/v1/invitations/accept", json!({"token": token, "password": PASSWORD})).await;
    assert_eq!(late.problem(), (422, "invalid_token".into()));
}

#[tokio::test]
async fn an_invitation_can_be_sent_again_until_accepted() {
    let it = Harness::new().await;
    let accounts = &it.server.state().accounts;
    let made = accounts.create_staff(sarah(None)).await.expect("makes");
    let first = it.mailed_token().await;
    accounts.invite_again(&made.id).await.expect("invites");
    let second = it.mailed_token().await;
    let accept = async |token: &str| {
        let body = json!({"token": token, "password": PASSWORD});
        it.post("/api/v1/invitations/accept", body).await.status.as_u16()
    };
    assert_eq!(accept(&second).await, 200);
    assert_eq!(accept(&first).await, 422, "its sibling died with it");
    assert!(matches!(accounts.invite_again(&made.id).await, Err(AuthError::NoSuchAccount)));
    let customer = accounts.create_customer("John", "john@example.org", PASSWORD).await.expect("makes");
    assert!(matches!(accounts.invite_again(&customer.id).await, Err(AuthError::NoSuchAccount)));
    assert!(it.mails().await.is_empty());
    assert_eq!(it.log_in("john@example.org").await.json()["role"], "customer");
}

#[tokio::test]
async fn staff_with_a_password_start_at_once() {
    let it = Harness::new().await;
    let accounts = &it.server.state().accounts;
    accounts.create_staff(sarah(Some(PASSWORD))).await.expect("makes");
    assert!(it.mails().await.is_empty());
    assert_eq!(it.log_in("sarah@example.org").await.status, 200);
    assert!(matches!(accounts.create_staff(sarah(None)).await, Err(AuthError::EmailTaken)));
    let wrong =
        NewStaff { name: "", email: "x", phone: Some("call me"), role: Role::Customer, password: Some("short") };
    let Err(AuthError::Invalid(faults)) = accounts.create_staff(wrong).await else { panic!("made") };
    let mut fields: Vec<_> = faults.iter().map(|wrong| wrong.field).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["email", "name", "password", "phone", "role"]);
}

#[tokio::test]
async fn what_comes_for_a_disabled_agent_is_no_dead_letter() {
    let house = House::new().await;
    let complaint = house.complaint().await;
    house.it.letters().await;
    let handler =
        house.read(&complaint, &house.admin).await["handler"]["id"].as_str().expect("given to Sarah").to_owned();
    let path = format!("/api/v1/agents/{handler}");
    let gone = house.it.patch(&path, json!({"enabled": false}), &house.admin).await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let state = house.it.server.state();
    state.sweep().await.expect("sweeps");
    let delivered = state.deliver().await.expect("delivers");
    assert!(delivered.dead == 0 && delivered.unaddressed > 0, "{delivered:?}");
    let letters = house.it.letters().await;
    assert!(letters.iter().all(|(to, _)| to != "sarah@example.org"), "{letters:?}");
    assert_eq!(house.read(&complaint, &house.admin).await["handler"], json!(null), "it was taken from her");
}

#[tokio::test]
async fn the_last_admin_stays() {
    let it = Harness::new().await;
    it.admin().await;
    let accounts = &it.server.state().accounts;
    let filter = AccountFilter { role: Some(Role::Admin), after: None, limit: 10 };
    let ada = accounts.list(filter).await.expect("lists")[0].id.clone();
    let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
    let demote = AccountChange { role: Some(Role::Auditor), ..AccountChange::default() };
    assert!(matches!(accounts.change(&ada, disable.clone()).await, Err(AuthError::LastAdmin)));
    assert!(matches!(accounts.change(&ada, demote).await, Err(AuthError::LastAdmin)));
    let second = accounts.create_admin("Bo Root", "bo@example.org", PASSWORD).await.expect("makes");
    accounts.change(&ada, disable.clone()).await.expect("another one is there");
    assert!(matches!(accounts.change(&second.id, disable.clone()).await, Err(AuthError::LastAdmin)));
    assert!(matches!(accounts.change("u_nobody", disable).await, Err(AuthError::NoSuchAccount)));
}

#[tokio::test]
async fn lists_go_page_by_page() {
    let it = Harness::new().await;
    let accounts = &it.server.state().accounts;
    for n in 0..5 {
        let email = format!("s{n}@example.org");
        accounts.create_staff(NewStaff { email: &email, ..sarah(None) }).await.expect("makes");
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = accounts.list(AccountFilter { role: Some(Role::Agent), after, limit: 2 }).await.expect("lists");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|account| account.email));
    }
    seen.sort();
    assert_eq!(seen, ["s0@example.org", "s1@example.org", "s2@example.org", "s3@example.org", "s4@example.org"]);
}

#[tokio::test]
async fn only_an_admin_moves_the_clock() {
    let it = Harness::with_args(|args| args.movable_clock = true).await;
    assert!(it.server.greeting().contains("--movable-clock"));
    let admin = it.admin().await;
    it.customer("john@example.org").await;
    let john = it.token("john@example.org").await;
    let hour = json!({"advance_seconds": 3600});
    assert_eq!(it.post("/api/v1/clock", hour.clone()).await.problem(), (401, "not_logged_in".into()));
    assert_eq!(
        it.post_with("/api/v1/clock", hour.clone(), &With::bearer(&john)).await.problem(),
        (403, "forbidden".into())
    );
    let moved = it.post_with("/api/v1/clock", hour, &With::bearer(&admin)).await;
    assert_eq!((moved.status.as_u16(), moved.json()), (200, json!({"now": "2026-03-02T10:00:00Z", "done": true})));
    assert_eq!(it.server.state().clock.now().to_rfc3339(), "2026-03-02T10:00:00+00:00");
    for wrong in [0, -1, i64::MIN, i64::MAX, 400_000_000] {
        let answer = it.post_with("/api/v1/clock", json!({"advance_seconds": wrong}), &With::bearer(&admin)).await;
        assert_eq!(answer.fields(), [("advance_seconds".into(), "out_of_range".into())], "{wrong}");
    }
}

/// What was stored by then would lie in the future of a clock that begins anew.
#[tokio::test]
async fn a_clock_that_was_pushed_stays_ahead_over_the_same_data() {
    let pushed = |args: &mut ServeArgs| {
        std::fs::create_dir_all(&args.data).expect("a folder");
        std::fs::write(args.data.join("clock-ahead-micros"), "3600000000").expect("written");
    };
    let it = Harness::with_args(|args| {
        pushed(args);
        args.movable_clock = true;
    });
    let it = it.await;
    assert_eq!(it.server.state().clock.now().to_rfc3339(), "2026-03-02T10:00:00+00:00");
    let it = Harness::with_args(pushed).await;
    assert!(it.server.greeting().contains("WARNING      the clock was pushed forward"), "{}", it.server.greeting());
    assert!(!Harness::new().await.server.greeting().contains("pushed forward"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_data_folder_that_others_may_look_into_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let it = Harness::new().await;
    let data = it.folder.path().join("data");
    for (mode, warned) in [(0o700, false), (0o755, true), (0o750, true)] {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).expect("the mode");
        let greeting = it.server.greeting();
        let lines = greeting.lines().filter(|line| line.contains("may look into")).count();
        assert_eq!(lines, usize::from(warned), "{mode:o}: {greeting}");
    }
}

#[tokio::test]
async fn policy_versions_only_grow() {
    let it = Harness::new().await;
    let state = it.server.state();
    let now = state.clock.now();
    let first = state.policies.latest().await.expect("asks").expect("a new installation starts with one");
    assert_eq!((first.version, first.made_by.as_str()), (1, "system"));
    let second = state.policies.append(1, "a = 2", "u_x", now).await.expect("adds");
    assert!(matches!(state.policies.append(1, "a = 3", "u_y", now).await, Err(AccountsError::Conflict { current: 2 })));
    assert_eq!(state.policies.latest().await.expect("asks"), Some(second));
}

#[tokio::test]
async fn what_waits_with_nobody_eligible_is_singled_out() {
    let house = House::new().await;
    house.complaint().await;
    let summary = house.read("/api/v1/reports/summary", &house.admin).await;
    assert_eq!(summary["waiting"], json!({"count": 0, "most_pressing": []}), "Sarah has it");
    let id = house.read("/api/v1/me", &house.sarah).await["id"].as_str().expect("an id").to_owned();
    let full = house.it.patch(&format!("/api/v1/agents/{id}"), json!({"capacity": 1}), &house.admin).await;
    assert_eq!(full.status, 200, "{}", full.text);
    for _ in 0..6 {
        house.complaint().await;
        house.it.clock.advance(TimeDelta::seconds(1));
    }
    for who in [&house.admin, &house.maria] {
        let summary = house.read("/api/v1/reports/summary", who).await;
        let waiting = &summary["waiting"];
        assert_eq!(waiting["count"], 6);
        let pressing = waiting["most_pressing"].as_array().expect("complaints");
        assert_eq!((pressing.len(), pressing[0]["level"].as_u64()), (5, Some(1)));
        let all = house.read("/api/v1/complaints?status=queued&sort=deadline", who).await;
        assert_eq!((all["items"].as_array().map(Vec::len), &all["items"][0]["id"]), (Some(6), &pressing[0]["id"]));
        let routing = &pressing[0]["routing"];
        assert_eq!(routing["chosen"], json!(null));
        let reasons: Vec<&str> = routing["candidates"]
            .as_array()
            .expect("candidates")
            .iter()
            .map(|candidate| candidate["reasons"][0]["code"].as_str().expect("a code"))
            .collect();
        assert!(reasons.contains(&"no_capacity") && reasons.contains(&"lacks_skills"), "{reasons:?}");
    }
    let cookie = With::cookie(&house.it.log_in("ada@example.org").await.cookie());
    let page = house.it.get("/admin", &cookie).await.text;
    assert!(page.contains("6 complaints wait and nobody can be given them"), "{page}");
    assert!(page.contains("Sarah Cole holds 1 of 1") && page.contains("href=\"/search?status=queued\""), "{page}");
}

#[tokio::test]
async fn whoever_is_put_on_a_lower_level_decides_nothing_of_the_higher_one() {
    let house = House::new().await;
    let path = house.complaint().await;
    house.done(&path, "escalate", json!({"reason": "Beyond me."}), &house.sarah).await;
    let maria = house.read("/api/v1/me", &house.maria).await["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.read(&path, &house.maria).await["handler"]["name"], "Maria Sol");
    let change = house.it.patch(&format!("/api/v1/agents/{maria}"), json!({"level": 1}), &house.admin).await;
    assert_eq!(change.status, 200, "{}", change.text);
    let resolve = json!({"outcome": "upheld", "explanation": "It leaked."});
    // What she could do ends with her level, and she logs in anew.
    let demoted = With::bearer(&house.it.token("maria@example.org").await);
    let refused = house.command(&path, "resolve", resolve, &demoted).await;
    assert_eq!(refused.problem(), (404, "not_found".into()), "{}", refused.text);
    let seen = house.read(&path, &house.omar).await;
    assert_eq!((&seen["handler"], &seen["status"]), (&Value::Null, &json!("queued")), "nobody else works at level 2");
}
