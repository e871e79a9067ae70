//! Log-in with a provider that others wrote: `oidc-provider`, in the folder that `COMPLAINT_TEST_NODE` names.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reference_server::clock::{Clock as _, SystemClock};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::json;

use crate::support::{Harness, With};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/provider.mjs");
const REDIRECT: &str = "http://127.0.0.1:8080/login/with/foreign/back";

/// Ended when this is dropped.
struct Foreign(Child, String);

impl Foreign {
    fn start() -> Option<Self> {
        let Some(folder) = std::env::var_os("COMPLAINT_TEST_NODE") else {
            let why = "COMPLAINT_TEST_NODE names no folder in which npm has put oidc-provider; tests/run makes one";
            assert!(std::env::var("COMPLAINT_REQUIRE_NODE").as_deref() != Ok("1"), "{why}");
            eprintln!("skipped: {why}");
            return None;
        };
        let mut program = Command::new("node");
        program
            .arg(SCRIPT)
            .arg(folder)
            .arg(REDIRECT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = program.spawn().expect("node starts");
        let mut issuer = String::new();
        let read = BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut issuer);
        assert!(read.is_ok_and(|read| read > 0), "the provider tells its address");
        Some(Self(child, issuer.trim().to_owned()))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn location(answer: &Response) -> Option<String> {
    let to = answer.headers().get("location")?.to_str().ok()?;
    Some(answer.url().join(to).expect("an address").to_string())
}

/// Goes there as `who`, and through whatever it leads to, until it leads back to us.
async fn through(browser: &Client, asked: &str, who: &str) -> String {
    let mut address = format!("{asked}&login_hint={who}");
    for _ in 0..10 {
        let answer = browser.get(&address).send().await.expect("an answer");
        let status = answer.status();
        let Some(next) = location(&answer) else {
            panic!("{address} answers {status}: {}", answer.text().await.unwrap_or_default());
        };
        if next.starts_with(REDIRECT) {
            return next;
        }
        address = next;
    }
    panic!("it leads nowhere: {address}");
}

#[tokio::test]
async fn a_provider_that_others_wrote_logs_people_in() {
    let Some(foreign) = Foreign::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (file, secret) = (folder.path().join("providers.toml"), folder.path().join("secret"));
    std::fs::write(&secret, crate::provider::SECRET).expect("written");
    let described = format!(
        "[[provider]]\nkey = \"foreign\"\nname = \"Foreign\"\nissuer = {:?}\nclient_id = \"complaints\"\nsecret = {{ file = {secret:?} }}\nnetworks = \"127.0.0.0/8\"\n",
        foreign.1
    );
    std::fs::write(&file, described).expect("written");
    let it = Harness::with_args(|args| args.oidc = Some(file)).await;
    // It goes by the clock of the machine.
    it.clock.advance(SystemClock.now() - it.server.state().clock.now());
    let goes = async |who: &str| {
        let browser =
            Client::builder().redirect(Policy::none()).cookie_store(true).no_proxy().build().expect("a browser");
        let begun = it.get("/login/with/foreign", &With::default()).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let back = through(&browser, begun.header("location"), who).await;
        let with = With::cookie(&begun.cookie());
        let path = back.strip_prefix("http://127.0.0.1:8080").expect("ours").to_owned();
        (it.get(&path, &with).await, with, path)
    };
    let (back, with, path) = goes("jane").await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, "/complaints"), "{}", back.text);
    let all = back.headers.get_all("set-cookie").iter().filter_map(|set| set.to_str().ok());
    let session =
        all.filter_map(|set| set.split(';').next()).find(|pair| pair.starts_with("session=")).expect("a session");
    let me = it.get("/api/v1/me", &With::cookie(session)).await.json();
    assert_eq!((&me["email"], &me["name"]), (&json!("jane@example.org"), &json!("Jane Doe")));
    assert_eq!(it.get(&path, &with).await.problem(), (403, "not_begun_here".into()), "an answer counts once");
    let (back, ..) = goes("jane").await;
    assert_eq!(back.header("location"), "/complaints", "the same person comes to the same account: {}", back.text);
    let (back, ..) = goes("eve").await;
    assert_eq!(back.problem(), (403, "provider_email_unverified".into()));
    let (back, ..) = goes("nobody").await;
    assert_eq!(back.problem(), (403, "provider_declined".into()));
}
