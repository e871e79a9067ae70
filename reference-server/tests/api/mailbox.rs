//! Mail fetched from a mailbox: pymap's, which stands beside the interpreter that `COMPLAINT_TEST_PYTHON` names, and over TLS Dovecot's.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use async_imap::{Client, Session};
use futures_util::TryStreamExt as _;
use serde_json::json;
use tempfile::TempDir;
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

/// Dovecot with one mailbox, by TLS alone, and with a certificate that only the house knows. Ended when this is dropped.
struct Dovecot {
    program: Child,
    port: u16,
    folder: TempDir,
}

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../complaint-notify/tests/scripted/relay-cert.pem");
const SERVER: &str = "/usr/sbin/dovecot";

impl Dovecot {
    fn start() -> Option<Self> {
        if !Path::new(SERVER).exists() {
            let why = "there is no Dovecot: apt-get install dovecot-imapd";
            assert!(std::env::var("COMPLAINT_REQUIRE_DOVECOT").as_deref() != Ok("1"), "{why}");
            eprintln!("skipped: {why}");
            return None;
        }
        // It keeps nobody's mail as root: whoever runs the tests, or else nobody.
        let mut owner = [said("id", &["-un"]), said("id", &["-u"]), said("id", &["-gn"]), said("id", &["-g"])];
        let is_root = owner[1] == "0";
        if is_root {
            owner = [
                "nobody".into(),
                said("id", &["-u", "nobody"]),
                said("id", &["-gn", "nobody"]),
                said("id", &["-g", "nobody"]),
            ];
        }
        let [user, uid, group, gid] = owner;
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        for name in ["cur", "new", "tmp"] {
            fs::create_dir_all(here.join("mail").join(name)).expect("a mailbox");
        }
        fs::copy(CERTIFICATE, here.join("cert.pem")).expect("a certificate");
        fs::copy(CERTIFICATE.replace("cert.pem", "key.pem"), here.join("key.pem")).expect("a key");
        let text = format!(
            "protocols = imap\nbase_dir = {here}/run\nstate_dir = {here}/state\nlog_path = {here}/log\n\
            mail_location = maildir:{here}/mail\ndefault_internal_user = {user}\ndefault_internal_group = {group}\n\
            default_login_user = {user}\nfirst_valid_uid = 1\nssl = required\nssl_cert = <{here}/cert.pem\nssl_key = <{here}/key.pem\n\
            passdb {{\n driver = static\n args = password=hush\n}}\n\
            userdb {{\n driver = static\n args = uid={uid} gid={gid} home={here}/mail\n}}\n\
            service imap-login {{\n chroot =\n inet_listener imap {{\n port = 0\n }}\n inet_listener imaps {{\n address = 127.0.0.1\n port = {port}\n ssl = yes\n }}\n}}\n\
            service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
            here = here.display()
        );
        let settings = here.join("dovecot.conf");
        fs::write(&settings, text).expect("its settings");
        let mut program = if is_root {
            said("chown", &["-R", &format!("{uid}:{gid}"), &here.display().to_string()]);
            let mut program = Command::new("setpriv");
            program.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups", SERVER]);
            program
        } else {
            Command::new(SERVER)
        };
        program.args(["-F", "-c"]).arg(&settings);
        let mut program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Dovecot starts");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(program.try_wait().expect("asked").is_none(), "Dovecot ended");
            std::thread::yield_now();
        }
        Some(Self { program, port, folder })
    }

    /// A message that was delivered here and nobody has read.
    fn deliver(&self, name: &str, raw: &str) {
        let file = self.folder.path().join("mail/new").join(name);
        fs::write(&file, raw).expect("there");
        if said("id", &["-u"]) == "0" {
            said("chown", &["nobody", &file.display().to_string()]);
        }
    }

    /// The messages that are marked as read, as a maildir marks them.
    fn read(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path().join("mail/cur")).expect("a mailbox");
        let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
        let mut read: Vec<String> = names
            .filter_map(|name| {
                name.split_once(":2,").filter(|(_, flags)| flags.contains('S')).map(|it| it.0.to_owned())
            })
            .collect();
        read.sort();
        read
    }

    async fn house(&self, host: &str, password: &str, known: bool) -> House {
        let url = format!("imaps://user:{password}@{host}:{}/INBOX", self.port);
        let it = Harness::with_args(|args| {
            args.intake_address = Some(ADDRESS.to_owned());
            args.intake_imap = Some(url);
            args.ca_file = known.then(|| CERTIFICATE.into());
        });
        House::over(it.await).await
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // By a signal that it can hear: its own processes end with it.
        said("kill", &[&self.program.id().to_string()]);
        let _ = self.program.wait();
    }
}

/// What a small program says.
fn said(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().expect("it runs");
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_mailbox_over_tls_is_believed_if_an_authority_of_the_house_knows_it() {
    let Some(mailbox) = Dovecot::start() else { return };
    for (name, from) in [("1.a", "mary@elsewhere.example"), ("2.b", "paul@elsewhere.example")] {
        mailbox.deliver(
            name,
            &format!("From: {from}\r\nTo: {ADDRESS}\r\nSubject: No water {name}\r\n\r\nSince Monday.\r\n"),
        );
    }
    for (host, password, known, why) in [
        ("localhost", "hush", false, "an authority that nobody named"),
        ("127.0.0.1", "hush", true, "a certificate for another name"),
        ("localhost", "wrong-secret", true, "the wrong password"),
    ] {
        let house = mailbox.house(host, password, known).await;
        let refused = house.it.server.state().fetch_mail().await.expect_err(why);
        let said = reference_server::error::chain(&refused);
        assert!(!said.contains("hush") && !said.contains("wrong-secret"), "{said}");
    }
    assert!(mailbox.read().is_empty(), "nothing was touched");
    let house = mailbox.house("localhost", "hush", true).await;
    let state = house.it.server.state();
    assert_eq!(state.fetch_mail().await.expect("fetches"), 2);
    assert_eq!(state.fetch_mail().await.expect("fetches"), 0, "once");
    assert_eq!(mailbox.read(), ["1.a", "2.b"], "marked as read, and nothing is removed");
    state.take_in_mail().await.expect("looks into it");
    let mails = house.read("/api/v1/intake/mail", &house.admin).await;
    let senders: Vec<&str> =
        mails["items"].as_array().expect("items").iter().map(|it| it["sender"].as_str().expect("one")).collect();
    assert_eq!(senders, ["paul@elsewhere.example", "mary@elsewhere.example"], "in their order");
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
    let size = (head.len() + film.len()).to_string();
    assert!(said.contains(&size), "{said}");
    state.take_in_mail().await.expect("looks into the rest");
    assert_eq!(newest().await, mail, "nobody takes it for the whole");
    session.noop().await.expect("looks again");
    assert!(session.search("UNSEEN").await.expect("counts").is_empty(), "and it is marked");

    // Released by somebody who has looked at it, it says to everybody that it is not the whole.
    let id = mail["id"].as_str().expect("an id");
    let released = house.it.post_with(&format!("/api/v1/intake/mail/{id}/retry"), json!({}), &house.admin).await;
    assert_eq!((released.status.as_u16(), &released.json()["state"]), (200, &json!("opened")), "{}", released.text);
    let reference = newest().await["complaint"].as_str().expect("a complaint").to_owned();
    let made = house.read(&format!("/api/v1/complaints/{reference}"), &house.sarah).await;
    let said = made["description"].as_str().expect("a text");
    assert!(said.contains("Only the beginning of this message is here") && said.contains(&size), "{said}");
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
