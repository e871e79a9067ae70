//! The real binary on a scratch folder.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use complaint_core::store::{PAGE_MAX, Query, Scope};
use complaint_core::{Desk, Policy};
use complaint_store_sqlx::SqliteStore;
use reference_server::config::DatabaseUrl;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kept::Kept;
use crate::mailbox::Mailbox;

/// A password that passes for a good one.
pub(crate) const PASSWORD: &str = "plum-kettle-orbit-saddle-91";

/// A running server. Stopped when dropped.
pub(crate) struct Server {
    child: Arc<Mutex<Child>>,
    /// Where it listens, without a slash at the end.
    pub(crate) url: String,
    /// The token of the set-up link it printed.
    pub(crate) setup_token: Option<String>,
    /// What it printed at the start.
    pub(crate) greeting: String,
    pub(crate) mail: Mailbox,
    client: Client,
    data: Arc<TempDir>,
    /// The PostgreSQL it runs on, if it does.
    database: Option<String>,
}

impl Server {
    /// Starts `serve` on a free port and an empty folder, with a clock that can be moved.
    pub(crate) fn start() -> Self {
        Self::start_on(None)
    }

    /// The same on a PostgreSQL, if one is named.
    pub(crate) fn start_on(database: Option<String>) -> Self {
        let data = Arc::new(tempfile::tempdir().expect("a scratch folder"));
        let mail = Mailbox::new(data.path().join("mail"));
        Self::starting(data, mail, database, None)
    }

    /// A second server on the same PostgreSQL, with the same attachments and a mail folder of its own: what both send is then seen twice.
    pub(crate) fn beside(&self) -> Self {
        let data = Arc::new(tempfile::tempdir().expect("a scratch folder"));
        let shared = self.data.path().join("attachments");
        std::os::unix::fs::symlink(shared, data.path().join("attachments")).expect("a link");
        let mail = self.mail.clone().and(data.path().join("mail"));
        Self::starting(data, mail, self.database.clone(), None)
    }

    /// Kills it and starts it again on the same data, with its mail to a relay on this machine.
    pub(crate) fn restart_mailing_to(&mut self, relay: u16) {
        end(&self.child);
        *self = Self::starting(Arc::clone(&self.data), self.mail.clone(), self.database.clone(), Some(relay));
    }

    /// The same without waiting until it is ready, for whoever is to kill it at the first right moment.
    pub(crate) fn begin_again_mailing_to(&mut self, relay: u16) -> Arc<Mutex<Child>> {
        end(&self.child);
        let begun = serve(&self.data, self.database.as_deref(), Some(relay)).stdout(Stdio::null()).spawn();
        self.child = Arc::new(Mutex::new(begun.expect("the server starts")));
        self.process()
    }

    /// Its process, for whoever is to kill it at the right moment.
    pub(crate) fn process(&self) -> Arc<Mutex<Child>> {
        Arc::clone(&self.child)
    }

    /// Whether other servers may use its database.
    pub(crate) fn may_have_company(&self) -> bool {
        self.database.is_some()
    }

    /// Its data file, which may be read beside it.
    pub(crate) fn data_file(&self) -> PathBuf {
        self.data.path().join("complaints.db")
    }

    /// Its outbox, which may be read beside it.
    pub(crate) fn kept(&self) -> Kept {
        self.database.clone().map_or_else(|| Kept::in_file(&self.data_file()), Kept::Postgres)
    }

    fn starting(data: Arc<TempDir>, mail: Mailbox, database: Option<String>, relay: Option<u16>) -> Self {
        let mut child =
            serve(&data, database.as_deref(), relay).stdout(Stdio::piped()).spawn().expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        let (mut url, mut setup_token) = (None, None);
        for line in output.lines().map_while(Result::ok) {
            let word =
                |prefix: &str| line.strip_prefix(prefix).map(|rest| rest.trim().trim_end_matches('/').to_owned());
            url = url.or(word("Address"));
            if let Some(link) = word("Set-up link") {
                setup_token = link.split_once("token=").map(|(_, token)| token.to_owned());
            }
            greeting.push_str(&line);
            greeting.push('\n');
            if line.contains("--movable-clock") {
                break;
            }
        }
        let url = url.unwrap_or_else(|| panic!("the server printed no address: {greeting}"));
        let child = Arc::new(Mutex::new(child));
        Self { child, url, setup_token, greeting, mail, client: Client::new(), data, database }
    }

    pub(crate) fn is_on_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// Every stored complaint is what replaying its log gives, bit for bit; read from the database beside the server.
    pub(crate) async fn replays(&self) {
        let desk = if let Some(url) = &self.database {
            let DatabaseUrl::Postgres(url) = DatabaseUrl::of(Some(url), self.data.path()).expect("a URL") else {
                panic!("no PostgreSQL")
            };
            let store = url.options.not_durable().open().await.expect("the database opens beside the server");
            Desk::new(store, Policy::standard())
        } else {
            let file = format!("sqlite:{}", self.data_file().display());
            let store = SqliteStore::open(&file).await.expect("the data file opens beside the server");
            Desk::new(store, Policy::standard())
        };
        let all =
            desk.store().search(&Query { limit: PAGE_MAX, ..Query::within(Scope::All) }).await.expect("a page").items;
        assert!(!all.is_empty(), "there is something to replay");
        for complaint in all {
            assert!(desk.replays(complaint.id).await.expect("a log"), "{} does not replay", complaint.reference);
        }
    }

    /// A request in somebody's name; `token` may be empty for nobody.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Posts JSON and expects success.
    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.try_post(path, token, body).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// Posts JSON and takes the answer as it is.
    pub(crate) async fn try_post(&self, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let response = self.request(Method::POST, path, token).json(&body).send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Gets JSON and expects success.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Value {
        let response = self.request(Method::GET, path, token).send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "GET {path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// A bearer token for an account.
    pub(crate) async fn token(&self, email: &str) -> String {
        let answer = self.post("/api/v1/tokens", "", json!({"email": email, "password": PASSWORD})).await;
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Pushes the server's clock forward; when it answers, all that fell due has been done.
    pub(crate) async fn advance(&self, admin: &str, hours: u64) {
        self.post("/api/v1/clock", admin, json!({"advance_seconds": hours * 3600})).await;
    }

    /// The organisation of the story: an admin through the set-up link, two categories, four members of staff.
    /// Returns the admin's token.
    pub(crate) async fn founded(&self) -> String {
        let setup = self.setup_token.as_deref().expect("a set-up link");
        let admin = json!({"token": setup, "name": "Ada Admin", "email": "ada@shop.example", "password": PASSWORD});
        self.post("/api/v1/setup", "", admin).await;
        let admin = self.token("ada@shop.example").await;
        for name in ["Damaged goods", "Late delivery"] {
            self.post("/api/v1/categories", &admin, json!({"name": name})).await;
        }
        let staff = [
            json!({"name": "Sarah Stone", "email": "sarah@shop.example", "skills": ["damaged goods"], "capacity": 5}),
            json!({"name": "Ben Brook", "email": "ben@shop.example", "skills": ["late delivery"]}),
            json!({"name": "Maria Marsh", "email": "maria@shop.example", "level": 2}),
            json!({"name": "Omar Oak", "email": "omar@shop.example", "level": 3}),
        ];
        for member in staff {
            let email = member["email"].as_str().expect("an address").to_owned();
            self.post("/api/v1/agents", &admin, member).await;
            // They choose their own password through the link that was mailed to them.
            let invitation = self.mail.wait_for(&email, "").await;
            let token = invitation.token().expect("a link in the invitation");
            self.post("/api/v1/invitations/accept", "", json!({"token": token, "password": PASSWORD})).await;
        }
        admin
    }

    /// John, signed up and confirmed. Returns his token.
    pub(crate) async fn john(&self) -> String {
        self.customer("John Field", "john@home.example").await
    }

    /// Somebody who signed up and confirmed. Returns their token.
    pub(crate) async fn customer(&self, name: &str, email: &str) -> String {
        let account = json!({"name": name, "email": email, "password": PASSWORD});
        self.post("/api/v1/accounts", "", account).await;
        let token = self.mail.wait_for(email, "").await.token().expect("a link");
        self.post("/api/v1/accounts/verify", "", json!({"token": token})).await;
        self.token(email).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// The command that serves on a free port.
fn serve(data: &TempDir, database: Option<&str>, relay: Option<u16>) -> Command {
    let mut serve = Command::new(binary());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--movable-clock", "--data"]).arg(data.path());
    if let Some(database) = database {
        // The one for tests may lose everything.
        serve.args(["--not-durable", "--database", database]);
    }
    if let Some(port) = relay {
        serve.args(["--smtp", &format!("smtp://127.0.0.1:{port}")]);
    }
    serve.stdin(Stdio::null()).stderr(Stdio::null());
    serve
}

/// `kill -9`, and waits for it.
pub(crate) fn end(process: &Mutex<Child>) {
    let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = process.kill();
    let _ = process.wait();
}

/// The server's binary, built with the settings of this test.
pub(crate) fn binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            // As the server's own tests have it, so that one run builds it once.
            let mut build = Command::new(env!("CARGO"));
            build.args(["test", "--no-run", "--quiet", "--locked", "--workspace", "--test", "program"]);
            if cfg!(feature = "postgres") {
                build.arg("--all-features");
            }
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
            assert!(status.success(), "the server does not build");
            // target/PROFILE/deps/this-test → target/PROFILE/reference-server
            let this = std::env::current_exe().expect("a path");
            this.parent().and_then(Path::parent).expect("a target folder").join("reference-server")
        })
        .clone()
}
