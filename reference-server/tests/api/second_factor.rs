//! The second factor: set up, asked for, used up, lost, taken away; and staff who need one.

use std::process::Command;
use std::sync::Arc;

use chrono::TimeDelta;
use reference_server::auth::accounts::AccountMailKind;
use reference_server::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::house::House;
use crate::support::{Answer, Harness, OTHER_PASSWORD, PASSWORD, With, code_in, on_postgres};

const JOHN: &str = "john@example.org";

/// What shows codes.
struct Device(Totp);

impl Device {
    /// The code of the present step, or of one so many steps away.
    fn shows(&self, it: &Harness, steps: i64) -> String {
        let seconds = it.server.state().clock.now().timestamp() + 30 * steps;
        self.0.generate(u64::try_from(seconds).expect("after 1970")).to_string()
    }

    fn wrong(&self, it: &Harness) -> String {
        let near: Vec<String> = (-3..=3).map(|steps| self.shows(it, steps)).collect();
        (0..10).map(|n| format!("00000{n}")).find(|code| !near.contains(code)).expect("one of ten")
    }
}

impl Harness {
    async fn offered(&self, who: &With) -> Device {
        let offer = self.send(axum::http::Method::POST, "/api/v1/me/second-factor", None, Vec::new(), who).await;
        assert_eq!(offer.status, 201, "{}", offer.text);
        let offer = offer.json();
        let uri = offer["uri"].as_str().expect("an address");
        assert!(uri.contains(offer["secret"].as_str().expect("a secret")), "{uri}");
        Device(Totp::from_url(uri).expect("an otpauth address"))
    }

    async fn confirm(&self, code: &str, who: &With) -> Answer {
        let body = json!({ "current_password": PASSWORD, "code": code });
        self.post_with("/api/v1/me/second-factor/confirmation", body, who).await
    }

    /// Somebody sets up a second factor; its device and the recovery codes. The code of the present step is used up.
    async fn guarded(&self, who: &With) -> (Device, Vec<String>) {
        let device = self.offered(who).await;
        let confirmed = self.confirm(&device.shows(self, 0), who).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let codes = confirmed.json()["recovery_codes"].as_array().expect("codes").clone();
        (device, codes.iter().map(|code| code.as_str().expect("text").to_owned()).collect())
    }

    /// A try to log in, at a network address where nobody has guessed.
    async fn enters(&self, email: &str, second_factor: Option<&str>) -> Answer {
        let mut body = json!({ "email": email, "password": PASSWORD });
        if let Some(code) = second_factor {
            body["second_factor"] = json!(code);
        }
        self.post("/api/v1/sessions", body).await
    }

    async fn john_here(&self) -> With {
        self.customer(JOHN).await;
        With::cookie(&self.log_in(JOHN).await.cookie())
    }

    async fn kinds_of_mail(&self) -> Vec<AccountMailKind> {
        self.mails().await.into_iter().map(|mail| mail.kind).collect()
    }

    fn later(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }
}

fn not_good() -> [(String, String); 1] {
    [("second_factor".to_owned(), "not_good".to_owned())]
}

#[tokio::test]
async fn it_counts_once_it_is_confirmed_and_everything_else_ends() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let other = With::cookie(&it.log_in(JOHN).await.cookie());
    let program = With::bearer(&it.token(JOHN).await);
    it.mails().await;
    let none = it.get("/api/v1/me/second-factor", &john).await.json();
    assert_eq!(none, json!({ "enrolled_at": null, "recovery_codes_left": 0, "required": false }));
    assert_eq!(it.confirm("123456", &john).await.problem(), (409, "no_second_factor".into()), "none was offered");

    let first = it.offered(&john).await;
    let device = it.offered(&john).await;
    assert_eq!(it.log_in(JOHN).await.status, 200, "an offer asks for nothing");
    let code = device.shows(&it, 0);
    assert_eq!(it.confirm(&first.shows(&it, 0), &john).await.fields(), [("code".into(), "not_good".into())]);
    for wrong in ["", "12345", "abcdef", "1234567", "abcd-efgh-ijkm-npqr-stuv-wxyz"] {
        assert_eq!(it.confirm(wrong, &john).await.fields(), [("code".into(), "invalid".into())], "{wrong}");
    }
    let wrong_password = json!({ "current_password": OTHER_PASSWORD, "code": code });
    let refused = it.post_with("/api/v1/me/second-factor/confirmation", wrong_password, &john).await;
    assert_eq!(refused.fields(), [("current_password".into(), "wrong".into())]);
    let unknown = json!({ "current_password": PASSWORD, "code": code, "x": 1 });
    let refused = it.post_with("/api/v1/me/second-factor/confirmation", unknown, &john).await;
    assert_eq!(refused.fields(), [("x".into(), "unknown_field".into())]);
    assert!(it.mails().await.is_empty(), "nothing has happened");

    let confirmed = it.confirm(&format!("{} {}", &code[..3], &code[3..]), &john).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes: Vec<Value> = confirmed.json()["recovery_codes"].as_array().expect("codes").clone();
    assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 10, "{codes:?}");
    assert_eq!(it.get("/api/v1/me", &john).await.status, 200, "this one stays");
    assert_eq!(it.get("/api/v1/me", &other).await.status, 401);
    assert_eq!(it.get("/api/v1/me", &program).await.status, 401);
    assert_eq!(it.kinds_of_mail().await, [AccountMailKind::SecondFactorAdded]);
    let there = it.get("/api/v1/me/second-factor", &john).await.json();
    assert_eq!((&there["enrolled_at"], &there["recovery_codes_left"]), (&json!("2026-03-02T09:00:00Z"), &json!(10)));
    let again = it.send(axum::http::Method::POST, "/api/v1/me/second-factor", None, Vec::new(), &john).await;
    assert_eq!(again.problem(), (409, "second_factor_there".into()));
    assert_eq!(it.confirm(&code, &john).await.problem(), (409, "second_factor_there".into()));
    for nobody in [With::default(), With::bearer("cpl_no")] {
        assert_eq!(it.get("/api/v1/me/second-factor", &nobody).await.status, 401);
    }
}

#[tokio::test]
async fn an_offer_is_forgotten_after_an_hour() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let device = it.offered(&john).await;
    it.later(3600);
    assert_eq!(it.confirm(&device.shows(&it, 0), &john).await.problem(), (409, "no_second_factor".into()));
}

#[tokio::test]
async fn whoever_has_one_needs_it_at_every_door_and_nobody_learns_it_by_a_wrong_password() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let (device, _) = it.guarded(&john).await;
    let wrong = json!({ "email": JOHN, "password": OTHER_PASSWORD });
    let unknown = json!({ "email": "nobody@example.org", "password": OTHER_PASSWORD });
    for path in ["/api/v1/sessions", "/api/v1/tokens"] {
        let right = json!({ "email": JOHN, "password": PASSWORD });
        let needed = it.post(path, right.clone()).await;
        assert_eq!(needed.problem(), (401, "second_factor_needed".into()), "{path}");
        assert!(needed.headers.get("set-cookie").is_none());
        let answer = it.post(path, wrong.clone()).await;
        assert_eq!(answer.problem(), (401, "invalid_credentials".into()));
        assert_eq!(answer.text, it.post(path, unknown.clone()).await.text, "the same as for nobody");
        let mut with_code = wrong.clone();
        it.later(30);
        with_code["second_factor"] = json!(device.shows(&it, 0));
        let answer = it.post(path, with_code.clone()).await;
        assert_eq!(answer.problem(), (401, "invalid_credentials".into()), "whatever the code is");
        with_code["password"] = json!(PASSWORD);
        assert!(it.post(path, with_code).await.status.is_success(), "and it was not used up by that");
    }
    it.later(30);
    assert_eq!(it.enters(JOHN, Some("12345")).await.fields(), [("second_factor".into(), "invalid".into())]);
    let null = json!({ "email": JOHN, "password": PASSWORD, "second_factor": null });
    assert_eq!(it.post("/api/v1/sessions", null).await.fields(), [("second_factor".into(), "invalid_type".into())]);

    // By mail as well; what was mailed is good until it has let somebody in.
    it.mails().await;
    it.post("/api/v1/sessions/code", json!({ "email": JOHN })).await;
    let code = code_in(&it.mails().await[0].text);
    let mailed = json!({ "email": JOHN, "code": code });
    assert_eq!(it.post("/api/v1/sessions/mailed", mailed.clone()).await.problem().1, "second_factor_needed");
    let mut both = mailed;
    both["second_factor"] = json!(device.wrong(&it));
    assert_eq!(it.post("/api/v1/sessions/mailed", both.clone()).await.fields(), not_good());
    both["second_factor"] = json!(device.shows(&it, 0));
    assert_eq!(it.post("/api/v1/sessions/mailed", both).await.status, 200);
}

#[tokio::test]
async fn a_code_is_taken_once_and_one_step_early_or_late() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let (device, _) = it.guarded(&john).await;
    let used = device.shows(&it, 0);
    assert_eq!(it.enters(JOHN, Some(&used)).await.fields(), not_good(), "the one it was confirmed with");
    it.later(300);
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, -2))).await.fields(), not_good(), "two steps late");
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 2))).await.fields(), not_good(), "two steps early");
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, -1))).await.status, 200, "one late");
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 1))).await.status, 200, "one early");
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 1))).await.fields(), not_good(), "again");
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 0))).await.fields(), not_good(), "nor one before a taken one");
    // Five were wrong by now.
    it.later(3600);
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 0))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_uses_of_one_code_one_counts() {
    let it = Arc::new(Harness::new().await);
    let john = it.john_here().await;
    let (device, codes) = it.guarded(&john).await;
    it.later(30);
    for code in [device.shows(&it, 0), codes[0].clone()] {
        let mut uses = tokio::task::JoinSet::new();
        for n in 0..50_u8 {
            let (it, code) = (Arc::clone(&it), code.clone());
            // From many places, so that it is not the limit that keeps them out.
            let from: &'static str = Box::leak(format!("198.51.100.{n}").into_boxed_str());
            uses.spawn(async move {
                let body = json!({ "email": JOHN, "password": PASSWORD, "second_factor": code });
                loop {
                    let answer = it.post_with("/api/v1/sessions", body.clone(), &With::from(from)).await;
                    // All places for hashing are taken: it was not looked at.
                    if answer.header("retry-after") != "1" {
                        return answer.status.as_u16();
                    }
                }
            });
        }
        let answers = uses.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 422, 429].contains(status)), "{answers:?}");
        it.later(3600);
    }
}

#[tokio::test]
async fn five_wrong_codes_lock_where_they_were_tried() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let (device, codes) = it.guarded(&john).await;
    it.later(30);
    for _ in 0..5 {
        assert_eq!(it.enters(JOHN, Some(&device.wrong(&it))).await.fields(), not_good());
    }
    let right = device.shows(&it, 0);
    let locked = it.enters(JOHN, Some(&right)).await;
    assert_eq!((locked.problem(), locked.header("retry-after")), ((429, "too_many_requests".into()), "3601"));
    assert_eq!(it.enters(JOHN, Some(&codes[0])).await.status, 429, "recovery codes as well");
    let proof = json!({ "current_password": PASSWORD, "second_factor": right });
    assert_eq!(it.post_with("/api/v1/me/second-factor/removal", proof, &john).await.status, 429, "by any door");
    let body = json!({ "email": JOHN, "password": PASSWORD, "second_factor": right });
    let elsewhere = it.post_with("/api/v1/sessions", body, &With::from("198.51.100.1")).await;
    assert_eq!(elsewhere.status, 200, "{}", elsewhere.text);
    it.later(3601);
    assert_eq!(it.enters(JOHN, Some(&device.shows(&it, 0))).await.status, 200);
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_is_told() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let (device, codes) = it.guarded(&john).await;
    it.mails().await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(it.enters(JOHN, Some(&typed)).await.status, 200);
    let told = it.mails().await;
    assert_eq!(told.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [AccountMailKind::RecoveryCodeUsed]);
    assert!(told[0].text.contains("left are 9"), "{}", told[0].text);
    assert_eq!(it.enters(JOHN, Some(&codes[3])).await.fields(), not_good());
    let left = it.get("/api/v1/me/second-factor", &john).await.json();
    assert_eq!(left["recovery_codes_left"], 9);

    it.later(30);
    let renew = |second_factor: String| json!({ "current_password": PASSWORD, "second_factor": second_factor });
    let path = "/api/v1/me/second-factor/recovery-codes";
    assert_eq!(it.post_with(path, renew(device.wrong(&it)), &john).await.fields(), not_good());
    let renewed = it.post_with(path, renew(device.shows(&it, 0)), &john).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    assert_eq!(it.enters(JOHN, Some(&codes[0])).await.fields(), not_good(), "those before work no longer");
    let fresh = renewed.json()["recovery_codes"][0].as_str().expect("a code").to_owned();
    assert_eq!(it.enters(JOHN, Some(&fresh)).await.status, 200);

    // Another's code is another one.
    it.mails().await;
    it.customer("jane@example.org").await;
    let jane = With::cookie(&it.log_in("jane@example.org").await.cookie());
    it.guarded(&jane).await;
    let fresh = renewed.json()["recovery_codes"][1].as_str().expect("a code").to_owned();
    assert_eq!(it.enters("jane@example.org", Some(&fresh)).await.fields(), not_good());
}

#[tokio::test]
async fn it_is_taken_away_with_password_and_code() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let path = "/api/v1/me/second-factor/removal";
    let proof = |password: &str, code: &str| json!({ "current_password": password, "second_factor": code });
    assert_eq!(it.post_with(path, proof(PASSWORD, "123456"), &john).await.problem(), (409, "no_second_factor".into()));
    let (device, _) = it.guarded(&john).await;
    it.later(30);
    let code = device.shows(&it, 0);
    let refused = it.post_with(path, proof(OTHER_PASSWORD, &code), &john).await;
    assert_eq!(refused.fields(), [("current_password".into(), "wrong".into())]);
    assert_eq!(it.post_with(path, proof(PASSWORD, &device.wrong(&it)), &john).await.fields(), not_good());
    let other = With::cookie(&it.enters(JOHN, Some(&code)).await.cookie());
    it.later(30);
    it.mails().await;
    let removed = it.post_with(path, proof(PASSWORD, &device.shows(&it, 0)), &john).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    assert_eq!(it.get("/api/v1/me", &john).await.status, 200);
    assert_eq!(it.get("/api/v1/me", &other).await.status, 401, "logged out everywhere else");
    assert_eq!(it.kinds_of_mail().await, [AccountMailKind::SecondFactorRemoved]);
    assert_eq!(it.log_in(JOHN).await.status, 200, "the password is enough");
    it.guarded(&john).await;
}

#[tokio::test]
async fn another_password_leaves_it_and_a_disabled_account_gets_nowhere() {
    let it = Harness::new().await;
    let john = it.john_here().await;
    let (device, _) = it.guarded(&john).await;
    it.mails().await;
    it.post("/api/v1/accounts/password/forgotten", json!({ "email": JOHN })).await;
    let code = code_in(&it.mails().await[0].text);
    let body = json!({ "email": JOHN, "code": code, "password": OTHER_PASSWORD });
    let reset = it.post("/api/v1/accounts/password", body).await;
    assert!(reset.status.is_success(), "{}", reset.text);
    let body = json!({ "email": JOHN, "password": OTHER_PASSWORD });
    assert_eq!(it.post("/api/v1/sessions", body).await.problem(), (401, "second_factor_needed".into()));

    let accounts = &it.server.state().accounts;
    let id = accounts.account_at(JOHN).await.expect("John").id;
    let step = accounts.second_step(&id).await.expect("a step");
    let disable = reference_server::auth::AccountChange { disabled: Some(true), ..Default::default() };
    accounts.change(&id, disable).await.expect("disables");
    it.later(30);
    let code = device.shows(&it, 0);
    let body = json!({ "email": JOHN, "password": OTHER_PASSWORD, "second_factor": code });
    assert_eq!(it.post("/api/v1/sessions", body).await.problem(), (401, "invalid_credentials".into()));
    let visit = reference_server::auth::Visit {
        address: "203.0.113.5".parse().expect("an address"),
        device: "",
        browser: None,
    };
    let half_way = accounts.log_in_by_second_step(step.expose(), &code, &visit, None).await;
    assert!(matches!(half_way, Err(reference_server::auth::AuthError::InvalidToken)), "between the two steps");
}

#[tokio::test]
async fn an_admin_takes_it_from_others_and_not_from_themselves() {
    let house = House::new().await;
    let it = &house.it;
    let sarah = With::cookie(&it.log_in("sarah@example.org").await.cookie());
    it.guarded(&sarah).await;
    it.mails().await;
    let users = house.read("/api/v1/users?role=agent", &house.admin).await;
    let row = users["items"].as_array().expect("users").iter().find(|user| user["email"] == "sarah@example.org");
    let row = row.expect("Sarah");
    assert_eq!(row["second_factor_at"], "2026-03-02T09:00:00Z");
    let path = format!("/api/v1/users/{}/second-factor", row["id"].as_str().expect("an id"));
    for who in [&house.maria, &house.john, &sarah] {
        let refused = it.delete(&path, who).await;
        assert_eq!(refused.problem(), (403, "forbidden".into()));
    }
    assert_eq!(it.delete(&path, &With::default()).await.status, 401);
    assert_eq!(it.delete("/api/v1/users/u_nobody/second-factor", &house.admin).await.status, 404);
    let reset = it.delete(&path, &house.admin).await;
    assert_eq!(reset.status, 204, "{}", reset.text);
    assert_eq!(it.get("/api/v1/me", &sarah).await.status, 401, "she is logged out");
    assert_eq!(it.kinds_of_mail().await, [AccountMailKind::SecondFactorReset]);
    assert_eq!(it.delete(&path, &house.admin).await.problem(), (409, "no_second_factor".into()));
    assert_eq!(it.log_in("sarah@example.org").await.status, 200);

    let me = house.read("/api/v1/me", &house.admin).await["id"].as_str().expect("an id").to_owned();
    it.guarded(&house.admin).await;
    let own = it.delete(&format!("/api/v1/users/{me}/second-factor"), &house.admin).await;
    assert_eq!(own.problem(), (403, "not_yourself".into()));
}

#[tokio::test]
async fn staff_who_need_one_can_do_nothing_but_set_it_up() {
    let it = Harness::with_args(|args| args.staff_second_factor = true).await;
    let admin = With::bearer(&it.admin().await);
    it.customer(JOHN).await;
    assert_eq!(it.log_in(JOHN).await.json()["second_factor_required"], false, "customers need none");
    let here = it.log_in("ada@example.org").await;
    assert_eq!(here.json()["second_factor_required"], true);
    let cookie = With::cookie(&here.cookie());
    for who in [&admin, &cookie] {
        assert_eq!(it.get("/api/v1/me", who).await.json()["second_factor_required"], true);
        let factor = it.get("/api/v1/me/second-factor", who).await.json();
        assert_eq!(factor["required"], true);
        for path in
            ["/api/v1/users", "/api/v1/complaints", "/api/v1/me/sessions", "/api/v1/webhooks", "/api/v1/me/log-ins"]
        {
            assert_eq!(it.get(path, who).await.problem(), (403, "second_factor_required".into()), "{path}");
        }
        let made = it.post_with("/api/v1/categories", json!({ "name": "Noise" }), who).await;
        assert_eq!(made.problem(), (403, "second_factor_required".into()));
        assert_eq!(it.get("/api/v1/live", who).await.status, 401, "nothing is told");
    }
    let (device, _) = it.guarded(&cookie).await;
    assert_eq!(it.get("/api/v1/users", &cookie).await.status, 200, "everything else opens");
    assert_eq!(it.get("/api/v1/users", &admin).await.status, 401, "what was opened without it has ended");
    it.later(30);
    let again = it.enters("ada@example.org", Some(&device.shows(&it, 0))).await;
    assert_eq!((again.status.as_u16(), &again.json()["second_factor_required"]), (200, &json!(false)));
}

#[tokio::test]
async fn the_command_line_is_the_way_back() {
    if on_postgres() {
        return;
    }
    let it = Harness::new().await;
    let admin = With::bearer(&it.admin().await);
    it.guarded(&admin).await;
    it.mails().await;
    let reset = |data: &std::path::Path, email: &str| {
        let program = env!("CARGO_BIN_EXE_reference-server");
        let arguments = ["admin", "reset-second-factor", "--email", email, "--data"];
        let output = Command::new(program).args(arguments).arg(data).output().expect("runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("a code"), String::from_utf8(said).expect("UTF-8"))
    };
    let data = it.folder.path().join("data");
    let (code, said) = reset(&data, "nobody@example.org");
    assert!(code == 1 && said.contains("there is no such account"), "{said}");
    let nowhere = it.folder.path().join("nowhere");
    assert_eq!(reset(&nowhere, "ada@example.org").0, 1);
    assert!(!nowhere.exists(), "nothing is made");
    let (code, said) = reset(&data, "ada@example.org");
    assert!(code == 0 && said.contains("logs in with the password alone"), "{said}");
    assert_eq!(it.get("/api/v1/me", &admin).await.status, 401);
    assert_eq!(it.log_in("ada@example.org").await.status, 200);
    // The program went by the clock of the machine, which is ahead of the clock here.
    it.clock.advance(SystemClock.now() - it.server.state().clock.now() + TimeDelta::minutes(1));
    assert_eq!(it.kinds_of_mail().await, [AccountMailKind::SecondFactorReset]);
    let (code, said) = reset(&data, "ada@example.org");
    assert!(code == 1 && said.contains("there is no second factor"), "{said}");
}
