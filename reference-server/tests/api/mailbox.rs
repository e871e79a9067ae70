//! Mail fetched from a mailbox. The mailbox is pymap's, which stands beside the interpreter that `COMPLAINT_TEST_PYTHON` names.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use async_imap::{Client, Session};
use futures_util::TryStreamExt as _;
use serde_json::json;
use tokio::net::TcpStream as Stream;

use crate::house::House;
use crate::intake::ADDRESS;
use crate::support::Harness;

/// A mail server with one mailbox, which is ended when this is dropped.
struct Pymap(Child, u16);

impl Pymap {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("COMPLAINT_TEST_PYTHON").map(PathBuf::from) else {
            let why = "COMPLAINT_TEST_PYTHON names no interpreter with pymap beside it; tests/run makes one";
            assert!(std::env::var("COMPLAINT_REQUIRE_PYTHON").as_deref() != Ok("1"), "{why}");
            eprintln!("skipped: {why}");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let mut program = Command::new(python.with_file_name("pymap"));
        program.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--no-tls", "dict"]);
        program.args(["--demo-data", "--demo-user", "user", "--demo-password", "hush"]);
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pymap starts");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("asked").is_none(), "pymap ended");
            std::thread::yield_now();
        }
        Some(Self(child, port))
    }

    fn url(&self, password: &str) -> String {
        format!("imap://user:{password}@127.0.0.1:{}/INBOX", self.1)
    }

    async fn session(&self) -> Session<Stream> {
        let mut client = Client::new(Stream::connect(("127.0.0.1", self.1)).await.expect("connects"));
        client.read_response().await.expect("a greeting");
        let mut session = client.login("user", "hush").await.map_err(|(wrong, _)| wrong).expect("logs in");
        session.select("INBOX").await.expect("a folder");
        session
    }
}

impl Drop for Pymap {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn house(mailbox: &Pymap, password: &str) -> House {
    let url = mailbox.url(password);
    let it = Harness::with_args(|args| {
        args.intake_address = Some(ADDRESS.to_owned());
        args.intake_imap = Some(url);
    });
    House::over(it.await).await
}

#[tokio::test]
async fn what_is_unread_is_fetched_once_and_nothing_is_removed() {
    let Some(mailbox) = Pymap::start() else { return };
    let house = house(&mailbox, "hush").await;
    let state = house.it.server.state();
    // What the mailbox comes with.
    state.fetch_mail().await.expect("fetches");
    state.take_in_mail().await.expect("looks into it");
    let before = house.read("/api/v1/intake/mail", &house.admin).await["items"].as_array().expect("items").len();
    let mut session = mailbox.session().await;
    let there = session.search("ALL").await.expect("counts").len();
    for (from, subject) in [("mary@elsewhere.example", "No water"), ("paul@elsewhere.example", "No light")] {
        let raw = format!("From: {from}\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\n\r\nSince Monday.\r\n");
        session.append("INBOX", None, None, raw).await.expect("there");
    }
    session.append("INBOX", None, None, "\r\n\r\n").await.expect("there");
    assert_eq!(state.fetch_mail().await.expect("fetches"), 2, "what is empty is passed over");
    assert_eq!(state.fetch_mail().await.expect("fetches"), 0, "once");
    state.take_in_mail().await.expect("looks into it");
    let mails = house.read("/api/v1/intake/mail", &house.admin).await;
    let items = mails["items"].as_array().expect("items");
    assert_eq!(items.len(), before + 2);
    for (at, sender) in ["paul@elsewhere.example", "mary@elsewhere.example"].into_iter().enumerate() {
        assert_eq!(
            (&items[at]["sender"], &items[at]["state"]),
            (&json!(sender), &json!("unconfirmed")),
            "in their order"
        );
    }
    session.noop().await.expect("looks again");
    assert_eq!(session.search("ALL").await.expect("counts").len(), there + 3, "nothing is removed");
    assert!(session.search("UNSEEN").await.expect("counts").is_empty(), "all are marked");

    // Marked as unread by somebody, it is the message that is here already.
    let again: Vec<_> = session
        .store(format!("{}:*", there + 1), "-FLAGS (\\Seen)")
        .await
        .expect("marks")
        .try_collect()
        .await
        .expect("marks");
    assert!(!again.is_empty());
    state.fetch_mail().await.expect("fetches");
    state.take_in_mail().await.expect("looks into it");
    let mails = house.read("/api/v1/intake/mail", &house.admin).await;
    assert_eq!(mails["items"].as_array().expect("items").len(), before + 2);
}

#[tokio::test]
async fn of_what_is_too_large_the_beginning_waits_for_staff() {
    let Some(mailbox) = Pymap::start() else { return };
    let house = house(&mailbox, "hush").await;
    let state = house.it.server.state();
    state.fetch_mail().await.expect("fetches what the mailbox comes with");
    let head = format!("From: john@example.org\r\nTo: {ADDRESS}\r\nSubject: A film\r\n\r\n");
    let film = "A line of it.\r\n".repeat(reference_server::intake::MAIL_MAX / 15 + 1);
    let mut session = mailbox.session().await;
    session.append("INBOX", None, None, format!("{head}{film}")).await.expect("there");
    assert_eq!(state.fetch_mail().await.expect("fetches"), 1);
    let newest = async || house.read("/api/v1/intake/mail", &house.admin).await["items"][0].clone();
    let mail = newest().await;
    assert_eq!((&mail["state"], &mail["why"]), (&json!("quarantined"), &json!("too_large")), "{mail}");
    assert_eq!(mail["size"], 64 << 10, "its beginning");
    let said = mail["detail"].as_str().expect("a detail");
    assert!(said.contains(&(head.len() + film.len()).to_string()), "{said}");
    state.take_in_mail().await.expect("looks into the rest");
    assert_eq!(newest().await, mail, "nobody takes it for the whole");
    session.noop().await.expect("looks again");
    assert!(session.search("UNSEEN").await.expect("counts").is_empty(), "and it is marked");
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_used_is_told_without_its_password() {
    let Some(mailbox) = Pymap::start() else { return };
    let state = async |password: &str| house(&mailbox, password).await.it.server.state().clone();
    let refused = state("wrong-secret").await.fetch_mail().await.expect_err("the password is wrong");
    let said = reference_server::error::chain(&refused);
    assert!(said.contains("refused") && !said.contains("wrong-secret"), "{said}");
    let state = state("hush").await;
    drop(mailbox);
    let refused = state.fetch_mail().await.expect_err("nobody is there");
    assert!(refused.to_string().contains("cannot be reached"), "{refused}");
}
