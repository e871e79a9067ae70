//! Log-in with a provider: what it opens, what it never opens, and forty ways in which a provider, or whoever stands between, goes wrong.

use std::path::Path;

use axum::http::Method;
use chrono::TimeDelta;
use reference_server::auth::accounts::{AccountChange, AccountMailKind};
use reference_server::auth::{NewStaff, Role};
use reference_server::config::ServeArgs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::provider::{Answers, Does, Signed, TestProvider};
use crate::support::{Answer, Harness, OTHER_PASSWORD, PASSWORD, With, token_in};

const KEY: &str = "example";

/// A server that knows a provider.
struct Doors {
    it: Harness,
    provider: TestProvider,
    _folder: TempDir,
}

/// A browser's cookies.
#[derive(Default, Clone)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn take(&mut self, answer: &Answer) {
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().expect("ASCII");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            self.0.retain(|(known, _)| known != name);
            if !set.contains("Max-Age=0") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn with(&self) -> With {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { With::default() } else { With::cookie(&pairs.join("; ")) }
    }
}

impl Doors {
    async fn new() -> Self {
        Self::with_described(|_| String::new()).await
    }

    /// With what else is to be said of providers.
    async fn with_described(more: impl FnOnce(&TestProvider) -> String) -> Self {
        Self::with(more, |_, _| {}).await
    }

    /// With that and other arguments, and a folder for them.
    async fn with(more: impl FnOnce(&TestProvider) -> String, change: impl FnOnce(&mut ServeArgs, &Path)) -> Self {
        let provider = TestProvider::start("2026-03-02T09:00:00Z".parse().expect("an instant")).await;
        let folder = tempfile::tempdir().expect("a folder");
        let (file, secret) = (folder.path().join("providers.toml"), folder.path().join("secret"));
        std::fs::write(&secret, crate::provider::SECRET).expect("written");
        let described = format!("{}{}", provider.described(KEY, "Example", &secret), more(&provider));
        std::fs::write(&file, described).expect("written");
        let args = |args: &mut ServeArgs| {
            args.oidc = Some(file);
            change(args, folder.path());
        };
        let it = Harness::with_args(args).await;
        Self { it, provider, _folder: folder }
    }

    /// Presses the button; where the browser is sent.
    async fn begins(&self, jar: &mut Jar, query: &str) -> String {
        let begun = self.it.get(&format!("/login/with/{KEY}{query}"), &jar.with()).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        jar.take(&begun);
        begun.header("location").to_owned()
    }

    /// Comes back from there.
    async fn returns(&self, jar: &mut Jar, back: &str) -> Answer {
        let path = back.strip_prefix("http://127.0.0.1:8080").unwrap_or_else(|| panic!("{back} is not ours"));
        let returned = self.it.get(path, &jar.with()).await;
        jar.take(&returned);
        returned
    }

    /// There and back.
    async fn goes(&self, jar: &mut Jar) -> Answer {
        let asked = self.begins(jar, "").await;
        let back = self.provider.agrees(&asked);
        self.returns(jar, &back).await
    }

    async fn presses(&self, jar: &mut Jar, path: &str, form: &str) -> Answer {
        let kind = Some("application/x-www-form-urlencoded");
        let with = jar.with().header("sec-fetch-site", "same-origin");
        let pressed = self.it.send(Method::POST, path, kind, form.as_bytes().to_vec(), &with).await;
        jar.take(&pressed);
        pressed
    }

    async fn logs_in(&self, jar: &mut Jar, email: &str) {
        let opened =
            self.it.post_with("/api/v1/sessions", json!({ "email": email, "password": PASSWORD }), &jar.with()).await;
        assert_eq!(opened.status, 200, "{}", opened.text);
        jar.take(&opened);
    }

    async fn me(&self, jar: &Jar) -> Value {
        self.it.get("/api/v1/me", &jar.with()).await.json()
    }

    async fn linked(&self, jar: &Jar) -> Vec<Value> {
        self.it.get("/api/v1/me/identities", &jar.with()).await.json()["items"].as_array().cloned().expect("items")
    }

    /// John, with a password and this provider's word for who he is.
    async fn john(&self) -> Jar {
        self.it.customer("john@example.org").await;
        let mut jar = Jar::default();
        self.logs_in(&mut jar, "john@example.org").await;
        self.says_john(|_| {});
        let back = self.goes(&mut jar).await;
        assert_eq!((back.status.as_u16(), back.header("location")), (303, "/account/identities"), "{}", back.text);
        let linked = self.presses(&mut jar, "/account/identities/link", "").await;
        assert_eq!(linked.header("location"), "/account/identities?done=linked", "{}", linked.text);
        self.it.mails().await;
        jar
    }

    fn says_john(&self, change: impl FnOnce(&mut Does)) {
        self.provider.does(|does| {
            does.claims = json!({ "sub": "john", "email": "john@example.org", "email_verified": true, "name": "J" });
            change(does);
        });
    }
}

#[tokio::test]
async fn the_first_time_an_account_is_made_and_from_then_on_the_same_person_comes_to_it() {
    let doors = Doors::new().await;
    let it = &doors.it;
    for page in ["/login", "/signup"] {
        let shown = it.get(page, &With::default().header("accept", "text/html")).await;
        assert!(shown.text.contains("Continue with Example"), "{}", shown.text);
        assert!(shown.text.contains("href=\"/login/with/example\""), "{}", shown.text);
    }
    let listed = it.get("/api/v1/identity-providers", &With::default()).await.json();
    assert_eq!(
        listed,
        json!({ "items": [{ "key": "example", "name": "Example", "location": "/login/with/example" }] })
    );
    let mut jar = Jar::default();
    let asked = doors.begins(&mut jar, "?next=%2Fcomplaints%2Fnew").await;
    assert!(asked.contains("scope=openid+email+profile"), "{asked}");
    assert!(asked.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Flogin%2Fwith%2Fexample%2Fback"), "{asked}");
    let back = doors.provider.agrees(&asked);
    let returned = doors.returns(&mut jar, &back).await;
    assert_eq!((returned.status.as_u16(), returned.header("location")), (303, "/complaints/new"), "{}", returned.text);
    assert!(jar.has("session") && jar.has("browser") && !jar.has("passage"));
    let me = doors.me(&jar).await;
    assert_eq!(
        (&me["name"], &me["email"], &me["role"]),
        (&json!("Jane Doe"), &json!("jane@example.org"), &json!("customer"))
    );
    let log_ins = it.get("/api/v1/me/log-ins", &jar.with()).await.json();
    assert_eq!(log_ins["items"][0]["door"], "provider");
    assert!(it.mails().await.is_empty(), "the first log-in of all");

    // Another address and name there: who they are is the same.
    doors.provider.does(|does| {
        does.claims = json!({ "sub": "248289761001", "email": "other@example.org", "email_verified": false });
    });
    let mut elsewhere = Jar::default();
    assert_eq!(doors.goes(&mut elsewhere).await.header("location"), "/complaints");
    assert_eq!(doors.me(&elsewhere).await["id"], me["id"]);

    // A new device is told of.
    let asked = doors.begins(&mut Jar::default(), "").await;
    let mut thief = Jar::default();
    let asked_again = doors.begins(&mut thief, "").await;
    assert_ne!(asked, asked_again);
    let back = doors.provider.agrees(&asked_again);
    let path = back.strip_prefix("http://127.0.0.1:8080").expect("ours");
    let from_afar = With { from: Some("198.51.100.9"), ..thief.with() };
    assert_eq!(it.get(path, &from_afar).await.status, 303);
    let told = it.mails().await;
    assert_eq!((told.len(), told[0].kind, told[0].to.as_str()), (1, AccountMailKind::NewDevice, "jane@example.org"));
}

#[tokio::test]
async fn terms_are_asked_for_as_after_every_log_in() {
    let with_terms = |args: &mut ServeArgs, folder: &Path| {
        let terms = folder.join("terms.txt");
        std::fs::write(&terms, "2026-1\nBe kind.\n").expect("written");
        args.terms = Some(terms);
    };
    let doors = Doors::with(|_| String::new(), with_terms).await;
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/complaints");
    let asked = doors.it.get("/complaints", &jar.with().header("accept", "text/html")).await;
    assert_eq!(asked.header("location"), "/accept?next=%2Fcomplaints", "{}", asked.text);
}

#[tokio::test]
async fn an_account_that_is_there_is_linked_by_whoever_is_logged_in_to_it_and_only_when_they_say_so() {
    let doors = Doors::new().await;
    let it = &doors.it;
    it.customer("john@example.org").await;
    doors.says_john(|_| {});
    let mut jar = Jar::default();
    let returned = doors.goes(&mut jar).await;
    assert_eq!(returned.header("location"), "/login?next=%2Faccount%2Fidentities", "{}", returned.text);
    assert!(!jar.has("session"), "nobody is logged in by it");
    let page = it.get("/login?next=%2Faccount%2Fidentities", &jar.with().header("accept", "text/html")).await;
    assert!(page.text.contains("Log in once as before"), "{}", page.text);
    doors.logs_in(&mut jar, "john@example.org").await;
    assert!(doors.linked(&jar).await.is_empty(), "to log in is not to say so");
    let page = it.get("/account/identities", &jar.with().header("accept", "text/html")).await;
    assert!(
        page.text.contains("Link your Example account?") && page.text.contains("john@example.org"),
        "{}",
        page.text
    );
    let cross = jar.with().header("sec-fetch-site", "cross-site");
    let kind = Some("application/x-www-form-urlencoded");
    assert_eq!(it.send(Method::POST, "/account/identities/link", kind, Vec::new(), &cross).await.status, 403);
    let before = jar.clone();
    assert_eq!(
        doors.presses(&mut jar, "/account/identities/link", "").await.header("location"),
        "/account/identities?done=linked"
    );
    assert!(!jar.has("wish"));
    let told = it.mails().await;
    assert_eq!((told.len(), told[0].kind), (1, AccountMailKind::IdentityChanged));
    assert!(told[0].text.contains("Example was linked to it"), "{}", told[0].text);
    let linked = doors.linked(&jar).await;
    assert_eq!(
        (linked.len(), &linked[0]["provider"], &linked[0]["email"]),
        (1, &json!("example"), &json!("john@example.org"))
    );

    // What was confirmed does not count again, also once it was taken away.
    let path = format!("/api/v1/me/identities/{}", linked[0]["id"].as_str().expect("an id"));
    assert_eq!(it.delete(&path, &jar.with()).await.status, 204);
    assert_eq!(it.mails().await[0].kind, AccountMailKind::IdentityChanged);
    assert_eq!(it.delete(&path, &jar.with()).await.status, 404);
    let again = doors.presses(&mut before.clone(), "/account/identities/link", "").await;
    assert_eq!(again.problem(), (403, "not_begun_here".into()));
    assert!(doors.linked(&jar).await.is_empty());

    // Nor after ten minutes, nor for an account with another address.
    doors.goes(&mut jar).await;
    assert!(jar.has("wish"));
    it.clock.advance(TimeDelta::minutes(10));
    doors.provider.passes(TimeDelta::minutes(10));
    assert_eq!(doors.presses(&mut jar, "/account/identities/link", "").await.problem().1, "not_begun_here");
    it.customer("jill@example.org").await;
    let mut jill = Jar::default();
    doors.logs_in(&mut jill, "jill@example.org").await;
    doors.goes(&mut jill).await;
    let page = it.get("/account/identities", &jill.with().header("accept", "text/html")).await;
    assert!(
        page.text.contains("Only what has the same address") && !page.text.contains("identities/link"),
        "{}",
        page.text
    );
    assert_eq!(
        doors.presses(&mut jill, "/account/identities/link", "").await.problem(),
        (403, "identity_other_email".into())
    );

    // Without a form there is nothing to link.
    assert_eq!(doors.presses(&mut Jar(Vec::new()), "/account/identities/link", "").await.status, 401);
    assert!(doors.linked(&jill).await.is_empty() && doors.linked(&jar).await.is_empty());
}

#[tokio::test]
async fn who_is_linked_comes_in_and_comes_to_no_other_account() {
    let doors = Doors::new().await;
    let john = doors.john().await;
    let id = doors.me(&john).await["id"].clone();
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/complaints");
    assert_eq!(doors.me(&jar).await["id"], id);
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/account/identities?done=before");
    // Jane is logged in where John's account at the provider is: it stays his.
    doors.it.customer("jane@example.org").await;
    let mut jane = Jar::default();
    doors.logs_in(&mut jane, "jane@example.org").await;
    assert_eq!(doors.goes(&mut jane).await.problem(), (403, "identity_taken".into()));
    assert_eq!(doors.me(&jane).await["email"], "jane@example.org");
    // One who was logged out while away links nothing and makes no account.
    doors
        .provider
        .does(|does| does.claims = json!({ "sub": "new", "email": "new@example.org", "email_verified": true }));
    let asked = doors.begins(&mut jane, "").await;
    let back = doors.provider.agrees(&asked);
    jane.0.retain(|(name, _)| name == "passage");
    assert_eq!(doors.returns(&mut jane, &back).await.problem(), (401, "not_logged_in".into()));
    let accounts = &doors.it.server.state().accounts;
    assert!(accounts.account_at("new@example.org").await.is_err());
}

#[tokio::test]
async fn staff_disabled_and_unconfirmed_accounts_stay_shut() {
    let doors = Doors::new().await;
    let it = &doors.it;
    let accounts = &it.server.state().accounts;
    let john = doors.john().await;
    let id = doors.me(&john).await["id"].as_str().expect("an id").to_owned();
    let closed = (403, "provider_closed".to_owned());
    accounts.change(&id, AccountChange { disabled: Some(true), ..AccountChange::default() }).await.expect("changes");
    assert_eq!(doors.goes(&mut Jar::default()).await.problem(), closed);
    let staff = AccountChange { disabled: Some(false), role: Some(Role::Agent), ..AccountChange::default() };
    accounts.change(&id, staff).await.expect("changes");
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.problem(), closed, "what was linked opens no account of staff");
    assert!(!jar.has("session"));

    let sarah = NewStaff {
        name: "Sarah",
        email: "sarah@example.org",
        phone: None,
        role: Role::Agent,
        password: Some(PASSWORD),
    };
    accounts.create_staff(sarah).await.expect("an account");
    doors
        .provider
        .does(|does| does.claims = json!({ "sub": "sarah", "email": "sarah@example.org", "email_verified": true }));
    let mut jar = Jar::default();
    assert_eq!(
        doors.goes(&mut jar).await.header("location"),
        "/login?next=%2Faccount%2Fidentities",
        "as for everybody"
    );
    doors.logs_in(&mut jar, "sarah@example.org").await;
    assert_eq!(doors.presses(&mut jar, "/account/identities/link", "").await.problem(), closed);
    assert_eq!(it.get("/account/identities", &jar.with()).await.problem(), (403, "forbidden".into()));
    assert_eq!(it.get("/login/with/example", &jar.with()).await.problem(), closed);

    // Whoever signed up first with another's address has nothing of it: the owner is not let in before the address is confirmed, and then
    // by what they chose themselves.
    assert_eq!(it.sign_up("jim@example.org").await.status, 202);
    doors
        .provider
        .does(|does| does.claims = json!({ "sub": "jim", "email": "Jim@Example.org", "email_verified": true }));
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/login?next=%2Faccount%2Fidentities");
    assert!(!jar.has("session"));
}

#[tokio::test]
async fn the_last_way_in_stays_until_there_is_a_password() {
    let doors = Doors::new().await;
    let it = &doors.it;
    let mut jar = Jar::default();
    doors.goes(&mut jar).await;
    let id = doors.linked(&jar).await[0]["id"].as_str().expect("an id").to_owned();
    let page = it.get("/account/identities", &jar.with().header("accept", "text/html")).await;
    assert!(page.text.contains("your only way in") && !page.text.contains("identities/end"), "{}", page.text);
    let path = format!("/api/v1/me/identities/{id}");
    assert_eq!(it.delete(&path, &jar.with()).await.problem(), (409, "last_way_in".into()));
    let form = format!("identity={id}");
    assert_eq!(doors.presses(&mut jar, "/account/identities/end", &form).await.problem(), (409, "last_way_in".into()));
    let wish = it.put("/api/v1/me/deletion", json!({ "current_password": PASSWORD }), &jar.with()).await;
    assert_eq!(wish.fields(), [("current_password".into(), "no_password".into())]);

    assert_eq!(
        it.post("/api/v1/accounts/password/forgotten", json!({ "email": "jane@example.org" })).await.status,
        202
    );
    let token = token_in(&it.mails().await[0].text);
    let set = it.post("/api/v1/accounts/password", json!({ "token": token, "password": OTHER_PASSWORD })).await;
    assert_eq!(set.status, 204, "{}", set.text);
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.status, 303, "it is still linked");
    assert_eq!(doors.presses(&mut jar, "/account/identities/end", "identity=x").await.problem().0, 400);
    assert_eq!(
        doors.presses(&mut jar, "/account/identities/end", &form).await.header("location"),
        "/account/identities?done=ended"
    );
    assert!(doors.linked(&jar).await.is_empty());
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/login?next=%2Faccount%2Fidentities");
    // Others' are as those that are not there.
    it.mails().await;
    let john = doors.john().await;
    let id = doors.linked(&john).await[0]["id"].as_str().expect("an id").to_owned();
    let jane = it.post("/api/v1/tokens", json!({ "email": "jane@example.org", "password": OTHER_PASSWORD })).await;
    let jane = With::bearer(jane.json()["token"].as_str().expect("a token"));
    assert_eq!(it.delete(&format!("/api/v1/me/identities/{id}"), &jane).await.problem(), (404, "not_found".into()));
    for odd in ["x", "%00", "01900000-0000-7000-8000-000000000007"] {
        assert_eq!(it.delete(&format!("/api/v1/me/identities/{odd}"), &jane).await.status, 404, "{odd}");
    }
    assert_eq!(it.get("/api/v1/me/identities", &With::default()).await.status, 401);
    assert_eq!(doors.linked(&john).await.len(), 1);
}

#[tokio::test]
async fn an_answer_counts_once_in_the_browser_in_which_it_was_asked_for_and_for_ten_minutes() {
    let doors = Doors::with_described(|provider| {
        format!("[[provider]]\nkey = \"twin\"\nname = \"Twin\"\nissuer = \"{}/twin\"\nclient_id = \"x\"\nnetworks = \"127.0.0.0/8\"\n", provider.issuer())
    }).await;
    let it = &doors.it;
    let refused = (403, "not_begun_here".to_owned());
    let _john = doors.john().await;
    let mut jar = Jar::default();
    let asked = doors.begins(&mut jar, "").await;
    let back = doors.provider.agrees(&asked);
    assert_eq!(doors.returns(&mut Jar::default(), &back).await.problem(), refused, "another browser");
    let mut other = Jar::default();
    doors.begins(&mut other, "").await;
    assert_eq!(doors.returns(&mut other, &back).await.problem(), refused, "another browser with a log-in of its own");
    let mut forged = jar.clone();
    let (_, sealed) = &mut forged.0[0];
    let at = sealed.find('.').expect("two parts");
    sealed.replace_range(at - 1..at, if sealed.as_bytes()[at - 1] == b'A' { "B" } else { "A" });
    assert_eq!(doors.returns(&mut forged, &back).await.problem(), refused, "made up");
    assert_eq!(
        doors.returns(&mut jar.clone(), &back.replace("with/example", "with/twin")).await.problem(),
        refused,
        "another provider"
    );
    assert_eq!(
        doors.returns(&mut jar.clone(), back.split("&state").next().expect("a part")).await.problem(),
        refused,
        "no state"
    );
    let wish = Jar(vec![("wish".into(), jar.0[0].1.clone())]);
    assert!(
        !it.get("/login", &wish.with().header("accept", "text/html")).await.text.contains("Log in once as before"),
        "of another purpose"
    );
    let twice = format!("{back}&state=x");
    assert_eq!(doors.returns(&mut jar.clone(), &twice).await.problem(), (400, "invalid_query".into()));
    assert!(doors.provider.asked().iter().filter(|door| **door == "token").count() == 1, "none of these was exchanged");

    let kept = jar.clone();
    assert_eq!(doors.returns(&mut jar, &back).await.status, 303);
    assert!(jar.has("session"));
    assert_eq!(doors.returns(&mut kept.clone(), &back).await.problem(), refused, "replayed");
    let mut late = Jar::default();
    let asked = doors.begins(&mut late, "").await;
    let back = doors.provider.agrees(&asked);
    it.clock.advance(TimeDelta::minutes(10));
    assert_eq!(doors.returns(&mut late, &back).await.problem(), refused, "too late");
    // Of many at once one counts.
    let mut jar = Jar::default();
    let asked = doors.begins(&mut jar, "").await;
    let back = doors.provider.agrees(&asked);
    let path = back.strip_prefix("http://127.0.0.1:8080").expect("ours");
    let sent = jar.with();
    let all = futures_util::future::join_all((0..10).map(|_| it.get(path, &sent))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 403).count(), 9);
    assert_eq!(it.get("/login/with/nobody", &With::default()).await.status, 404);
    // Whoever tries too often waits.
    let mut last = 0;
    for _ in 0..60 {
        last = it.get("/login/with/example/back?state=x&code=y", &With::from("198.51.100.77")).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

/// A way to go wrong, and what is said of it.
struct Wrong {
    name: &'static str,
    does: fn(&mut Does),
    problem: (u16, &'static str),
    said: &'static str,
}

const NOT_BELIEVED: (u16, &str) = (424, "provider_not_believed");
const AWAY: (u16, &str) = (424, "provider_away");

fn wrong(name: &'static str, problem: (u16, &'static str), said: &'static str, does: fn(&mut Does)) -> Wrong {
    Wrong { name, does, problem, said }
}

/// Each would have logged somebody in as John, had it been believed.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of what can go wrong")]
async fn a_provider_that_goes_wrong_logs_nobody_in_as_john() {
    const UNVERIFIED: (u16, &str) = (403, "provider_email_unverified");
    let doors = Doors::new().await;
    let it = &doors.it;
    let _john = doors.john().await;
    let all = [
        wrong(
            "an address that is not confirmed, of somebody new",
            UNVERIFIED,
            "no e-mail address is confirmed",
            |does| {
                does.claims = json!({ "sub": "eve", "email": "john@example.org", "email_verified": false });
            },
        ),
        wrong("an address of which nothing is said", UNVERIFIED, "no e-mail address is confirmed", |does| {
            does.claims = json!({ "sub": "eve", "email": "john@example.org" });
        }),
        wrong(
            "no address, and elsewhere one that is not confirmed",
            UNVERIFIED,
            "no e-mail address is confirmed",
            |does| {
                does.claims = json!({ "sub": "eve" });
                does.userinfo = json!({ "sub": "eve", "email": "john@example.org", "email_verified": false });
            },
        ),
        wrong("an address that is none", UNVERIFIED, "no e-mail address is confirmed", |does| {
            does.claims = json!({ "sub": "eve", "email": "john@example.org, eve@example.org", "email_verified": true });
        }),
        wrong("elsewhere somebody else", NOT_BELIEVED, "speaks of somebody else", |does| {
            does.claims = json!({ "sub": "eve" });
            does.userinfo = json!({ "sub": "john", "email": "john@example.org", "email_verified": true });
        }),
        wrong("elsewhere nobody", NOT_BELIEVED, "cannot be read", |does| {
            does.claims = json!({ "sub": "eve" });
            does.userinfo = json!({ "email": "john@example.org", "email_verified": true });
        }),
        wrong("for another program", NOT_BELIEVED, "for another program", |does| does.claims["aud"] = json!("shop")),
        wrong("for us and another program", NOT_BELIEVED, "for another program", |does| {
            does.claims["aud"] = json!(["complaints", "shop"]);
        }),
        wrong("for nobody", NOT_BELIEVED, "for another program", |does| does.claims["aud"] = json!([])),
        wrong("for us, but asked for by another program", NOT_BELIEVED, "for another program", |does| {
            does.claims["azp"] = json!("shop");
        }),
        wrong("by another issuer", NOT_BELIEVED, "by somebody else", |does| {
            does.claims["iss"] = json!("https://accounts.google.com");
        }),
        wrong("by the issuer with a slash", NOT_BELIEVED, "by somebody else", |does| {
            does.claims["iss"] = json!("http://127.0.0.1/");
        }),
        wrong("another nonce", NOT_BELIEVED, "for another log-in", |does| does.claims["nonce"] = json!("another")),
        wrong("no nonce", NOT_BELIEVED, "for another log-in", |does| does.claims["nonce"] = Value::Null),
        wrong("not signed", NOT_BELIEVED, "not signed as it must be", |does| does.signed = Signed::Not),
        wrong("the signature cut off", NOT_BELIEVED, "signature is wrong", |does| does.signed = Signed::Cut),
        wrong("signed with our secret", NOT_BELIEVED, "not signed as it must be", |does| {
            does.signed = Signed::BySecret;
        }),
        wrong("signed with the public key as a secret", NOT_BELIEVED, "not signed as it must be", |does| {
            does.signed = Signed::ByPublicKey;
        }),
        wrong("signed by an unknown key", NOT_BELIEVED, "not the provider's", |does| does.signed = Signed::ByUnknown),
        wrong("signed by another key under the name of the first", NOT_BELIEVED, "signature is wrong", |does| {
            does.signed = Signed::BySwapped;
        }),
        wrong("expired", NOT_BELIEVED, "not for now", |does| does.times[0] = Some(-121)),
        wrong("never expiring", NOT_BELIEVED, "cannot be read", |does| does.times[0] = None),
        wrong("issued in the future", NOT_BELIEVED, "not for now", |does| does.times[1] = Some(121)),
        wrong("not yet valid", NOT_BELIEVED, "not for now", |does| does.times[2] = Some(121)),
        wrong("of nobody", NOT_BELIEVED, "cannot be read", |does| does.claims["sub"] = Value::Null),
        wrong("of an empty name", NOT_BELIEVED, "does not say who", |does| does.claims["sub"] = json!("")),
        wrong("of an endless name", NOT_BELIEVED, "does not say who", |does| {
            does.claims["sub"] = json!("j".repeat(256));
        }),
        wrong("of a name with controls", NOT_BELIEVED, "does not say who", |does| {
            does.claims["sub"] = json!("john\u{0}");
        }),
        wrong("of a list", NOT_BELIEVED, "cannot be read", |does| does.claims["sub"] = json!(["john"])),
        wrong("with another access token", NOT_BELIEVED, "does not belong together", |does| {
            does.claims["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ");
        }),
        wrong("no token of who it is", NOT_BELIEVED, "says nothing of you", |does| {
            does.tokens["id_token"] = Value::Null;
        }),
        wrong("nonsense in place of a token", NOT_BELIEVED, "cannot be read", |does| {
            does.tokens["id_token"] = json!("a.b.c");
        }),
        wrong("a token of five parts", NOT_BELIEVED, "cannot be read", |does| {
            does.tokens["id_token"] = json!("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d");
        }),
        wrong("an answer without end", NOT_BELIEVED, "too long", |does| {
            does.tokens["more"] = json!("x".repeat(300_000));
        }),
        wrong("another kind of answer", NOT_BELIEVED, "cannot be read", |does| {
            does.at_token = Answers::With(200, "text/html", "<html></html>".to_owned());
        }),
        wrong("the code is refused", NOT_BELIEVED, "did not take the code", |does| {
            does.at_token = Answers::With(400, "application/json", json!({ "error": "invalid_grant" }).to_string());
        }),
        wrong("a way to the inside", NOT_BELIEVED, "not followed", |does| {
            does.at_token = Answers::Elsewhere("http://169.254.169.254/latest/meta-data/".to_owned());
        }),
        wrong("no answer", AWAY, "try again in a minute", |does| does.at_token = Answers::Not),
        wrong("an answer that it is broken", AWAY, "try again in a minute", |does| {
            does.at_token = Answers::With(500, "text/plain", "oops".to_owned());
        }),
    ];
    assert!(all.len() >= 20);
    for Wrong { name, does, problem, said } in all {
        doors.says_john(does);
        let mut jar = Jar::default();
        let answer = doors.goes(&mut jar).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.to_owned()), "{name}: {}", answer.text);
        assert!(answer.text.contains(said), "{name}: {}", answer.text);
        assert!(!jar.has("session") && !jar.has("wish"), "{name}");
        assert!(!answer.text.contains("john@example.org"), "{name}");
        // Minutes pass, so that this is not about too many tries.
        it.clock.advance(TimeDelta::minutes(1));
        doors.provider.passes(TimeDelta::minutes(1));
    }
    // Somebody else with John's address, and the provider's word for it: they are asked to log in as John, and no more.
    doors.says_john(|does| does.claims["sub"] = json!("eve"));
    let mut jar = Jar::default();
    assert_eq!(doors.goes(&mut jar).await.header("location"), "/login?next=%2Faccount%2Fidentities");
    assert!(!jar.has("session"));
    // And all the while John himself comes in.
    doors.says_john(|_| {});
    assert_eq!(doors.goes(&mut Jar::default()).await.status, 303);
}

/// How it describes itself, which is asked anew after an hour.
#[tokio::test]
async fn a_provider_that_describes_itself_wrongly_is_not_gone_to() {
    type Case = (&'static str, (u16, &'static str), fn(&mut Does));
    let metadata = "http://169.254.169.254/latest/meta-data/";
    let all: [Case; 12] = [
        ("another name", NOT_BELIEVED, |does| does.described["issuer"] = json!("https://accounts.google.com")),
        ("tokens from inside", NOT_BELIEVED, |does| {
            does.described["token_endpoint"] = json!("http://169.254.169.254/x");
        }),
        ("keys from inside", NOT_BELIEVED, |does| does.described["jwks_uri"] = json!("http://10.0.0.1/keys")),
        ("keys in the clear", NOT_BELIEVED, |does| does.described["jwks_uri"] = json!("http://9.9.9.9/keys")),
        ("a script as its door", NOT_BELIEVED, |does| {
            does.described["authorization_endpoint"] = json!("javascript:alert(1)");
        }),
        ("no keys", NOT_BELIEVED, |does| does.described["jwks_uri"] = Value::Null),
        ("keys elsewhere", NOT_BELIEVED, |does| does.at_keys = Answers::Elsewhere("http://127.0.0.1:1/".to_owned())),
        ("keys without end", NOT_BELIEVED, |does| {
            does.at_keys =
                Answers::With(200, "application/json", format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300_000)));
        }),
        ("keys that are none", NOT_BELIEVED, |does| {
            does.at_keys = Answers::With(200, "application/json", "[]".to_owned());
        }),
        ("a page", NOT_BELIEVED, |does| does.at_discovery = Answers::With(200, "text/html", "{}".to_owned())),
        ("broken", AWAY, |does| does.at_discovery = Answers::With(503, "text/plain", String::new())),
        ("no answer", AWAY, |does| does.at_discovery = Answers::Not),
    ];
    assert!(metadata.starts_with("http://169.254."));
    let doors = Doors::new().await;
    let it = &doors.it;
    for (name, problem, does) in all {
        doors.provider.does(does);
        doors.provider.asked();
        let refused = it.get("/login/with/example", &With::default()).await;
        assert_eq!(refused.problem(), (problem.0, problem.1.to_owned()), "{name}: {}", refused.text);
        assert!(refused.headers.get("set-cookie").is_none(), "{name}");
        // It rests before it is asked again, whoever presses the button.
        let asked = doors.provider.asked();
        assert!((1..=2).contains(&asked.len()), "{name}: {asked:?}");
        assert_eq!(it.get("/login/with/example", &With::default()).await.problem().1, "provider_away", "{name}");
        assert!(doors.provider.asked().is_empty(), "{name}");
        assert_eq!(it.get("/login", &With::default()).await.status, 200, "everybody else logs in");
        it.clock.advance(TimeDelta::seconds(30));
    }
    doors.provider.does(|_| {});
    assert_eq!(it.get("/login/with/example", &With::default()).await.status, 303);
    // Found once, it may be away for a day.
    doors.provider.does(|does| does.at_discovery = Answers::With(503, "text/plain", String::new()));
    it.clock.advance(TimeDelta::hours(23));
    assert_eq!(it.get("/login/with/example", &With::default()).await.status, 303);
    it.clock.advance(TimeDelta::hours(1));
    assert_eq!(it.get("/login/with/example", &With::default()).await.problem().1, "provider_away");
}

#[tokio::test]
async fn keys_are_fetched_anew_for_a_token_that_names_another_but_not_for_each() {
    let doors = Doors::new().await;
    let it = &doors.it;
    let moves = |by: TimeDelta| {
        it.clock.advance(by);
        doors.provider.passes(by);
    };
    assert_eq!(doors.goes(&mut Jar::default()).await.status, 303);
    assert_eq!(doors.provider.asked(), ["discovery", "keys", "token"]);
    doors.provider.does(|does| does.signed = Signed::ByNewest);
    assert_eq!(doors.goes(&mut Jar::default()).await.problem().1, "provider_not_believed", "they are new");
    assert_eq!(doors.provider.asked(), ["token"]);
    moves(TimeDelta::minutes(1));
    assert_eq!(doors.goes(&mut Jar::default()).await.status, 303);
    assert_eq!(doors.provider.asked(), ["token", "keys"]);
    doors.provider.does(|does| does.signed = Signed::ByUnknown);
    moves(TimeDelta::minutes(1));
    for _ in 0..5 {
        assert_eq!(doors.goes(&mut Jar::default()).await.problem().1, "provider_not_believed");
    }
    assert_eq!(doors.provider.asked().iter().filter(|door| **door == "keys").count(), 1, "once a minute");
}

#[tokio::test]
async fn what_the_provider_answers_instead_of_a_code_is_said_in_plain_words() {
    let doors = Doors::new().await;
    for (error, said) in [
        ("access_denied", "did not agree"),
        ("temporarily_unavailable", "not do it at the moment"),
        ("%3Cscript%3Ealert(1)%3C/script%3E", "did not say why"),
    ] {
        let mut jar = Jar::default();
        let asked = doors.begins(&mut jar, "").await;
        let back = doors.provider.agrees(&asked);
        let state = back.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("one");
        let back = format!(
            "http://127.0.0.1:8080/login/with/example/back?error={error}&error_description=%3Cb%3Emallory&state={state}"
        );
        let refused = doors.returns(&mut jar, &back).await;
        assert_eq!(refused.problem(), (403, "provider_declined".into()));
        assert!(
            refused.text.contains(said) && !refused.text.contains("script") && !refused.text.contains("mallory"),
            "{}",
            refused.text
        );
    }
    let mut jar = Jar::default();
    let asked = doors.begins(&mut jar, "").await;
    let back = doors.provider.agrees(&asked).replace("code=", "kode=");
    assert_eq!(doors.returns(&mut jar, &back).await.problem().1, "provider_not_believed");
    // RFC 9207: an answer says whose it is; where that was promised, one that does not is another's.
    for (promised, issuer, fine) in [
        (false, None, true),
        (false, Some("https://evil.example".to_owned()), false),
        (true, None, false),
        (true, Some(doors.provider.issuer()), true),
    ] {
        doors.provider.does(|does| does.described["authorization_response_iss_parameter_supported"] = json!(promised));
        doors.it.clock.advance(TimeDelta::hours(1));
        doors.provider.passes(TimeDelta::hours(1));
        let mut jar = Jar::default();
        let asked = doors.begins(&mut jar, "").await;
        let issuer = issuer.map(|issuer| format!("&iss={issuer}")).unwrap_or_default();
        let back = format!("{}{issuer}", doors.provider.agrees(&asked));
        let returned = doors.returns(&mut jar, &back).await;
        assert_eq!(returned.status == 303, fine, "{promised} {issuer}: {}", returned.text);
        assert_eq!(jar.has("session"), fine);
    }
}

#[tokio::test]
async fn a_poisoned_host_changes_nothing_about_where_people_are_sent_back_to() {
    let doors = Doors::new().await;
    let request = axum::http::Request::get("/login/with/example").header("host", "evil.example");
    let request =
        request.header("x-forwarded-host", "evil.example").body(axum::body::Body::empty()).expect("a request");
    let begun = doors.it.raw(request).await;
    assert_eq!(begun.status, 303);
    assert!(!begun.header("location").contains("evil"), "{}", begun.header("location"));
    assert!(begun.header("location").contains("127.0.0.1%3A8080"), "{}", begun.header("location"));
    for evil in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let mut jar = Jar::default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("next", evil);
        let asked = doors.begins(&mut jar, &format!("?{}", query.finish())).await;
        let back = doors.provider.agrees(&asked);
        assert_eq!(doors.returns(&mut jar, &back).await.header("location"), "/complaints", "{evil}");
    }
}

#[tokio::test]
async fn over_https_what_a_browser_holds_is_bound_to_this_host() {
    let https = |args: &mut ServeArgs, _: &Path| args.base_url = Some("https://complaints.example".into());
    let doors = Doors::with(|_| String::new(), https).await;
    let begun = doors.it.get("/login/with/example", &With::default()).await;
    let set = begun.header("set-cookie");
    assert!(set.starts_with("__Host-passage=") && set.contains("; Secure") && set.contains("Max-Age=600"), "{set}");
}
