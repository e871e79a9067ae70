//! A server on a scratch folder, with a clock that stands still and a mailbox that can be read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::NotifyError;
use complaint_core::clock::RandomIds;
use complaint_notify::{Mail, MailTransport};
use reference_server::auth::password::Passwords;
use reference_server::auth::{AccountMail, AccountMailError, AccountMessage};
use reference_server::clock::Clock;
use reference_server::config::{Config, ServeArgs};
use reference_server::{Parts, Server, build_with};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::description::Description;
use crate::postgres::postgres;

pub(crate) const PASSWORD: &str = "copper lantern winds 7 rivers";
pub(crate) const OTHER_PASSWORD: &str = "velvet anchor counts 9 owls";

pub(crate) struct StillClock(Mutex<DateTime<Utc>>);

impl StillClock {
    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for StillClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what is sent; refuses while told to.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) sent: Mutex<Vec<AccountMessage>>,
    pub(crate) down: Mutex<bool>,
}

#[async_trait]
impl AccountMail for Mailbox {
    async fn send(&self, message: &AccountMessage) -> Result<(), AccountMailError> {
        if *self.down.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(AccountMailError::Later("connection refused".into()));
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(())
    }

    fn destination(&self) -> String {
        "memory".to_owned()
    }
}

/// Keeps letters about complaints: to whom, and what, as words and as they are; refuses them for good while told to.
#[derive(Default)]
pub(crate) struct Letters {
    sent: Mutex<Vec<(String, String)>>,
    raw: Mutex<Vec<(String, Vec<u8>)>>,
    pub(crate) refusing: Mutex<bool>,
}

#[async_trait]
impl MailTransport for Letters {
    async fn send(&self, mail: &Mail) -> Result<(), NotifyError> {
        if *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(NotifyError::Never("no such mailbox".to_owned()));
        }
        let letter = mail_parser::MessageParser::default().parse(mail.bytes()).expect("a letter");
        let text = format!("{}\n{}", letter.subject().expect("a subject"), letter.body_text(0).expect("a text"));
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push((mail.to().to_string(), text));
        self.raw.lock().unwrap_or_else(PoisonError::into_inner).push((mail.to().to_string(), mail.bytes().to_vec()));
        Ok(())
    }
}

impl Letters {
    /// All that were sent since it was asked last, as they are, with whom they are for.
    pub(crate) fn raw(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut *self.raw.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// To whom letters went, and the address for replies in each; in their order.
    pub(crate) fn replies(&self) -> Vec<(String, String)> {
        let replies = self.raw().into_iter().filter_map(|(to, raw)| {
            let letter = mail_parser::MessageParser::default().parse(&raw)?;
            Some((to, letter.reply_to()?.first()?.address()?.to_owned()))
        });
        replies.collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

pub(crate) struct Harness {
    pub(crate) server: Server,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) mail: Arc<Mailbox>,
    pub(crate) letters: Arc<Letters>,
    pub(crate) folder: TempDir,
    router: Router,
    /// What the API says of itself, once it was asked.
    described: OnceCell<Description>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// `(status, code)` of a problem, after checking that it is a proper one.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        let code = body["code"].as_str().expect("a code").to_owned();
        assert_eq!(body["type"], format!("urn:complaint:problem:{code}"));
        assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()));
        (self.status.as_u16(), code)
    }

    /// The fields a problem names, with their codes.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let body = self.json();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|e| (e["field"].as_str().expect("field").to_owned(), e["code"].as_str().expect("code").to_owned()))
            .collect()
    }

    /// `name=value` of the cookie that was set.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers.get(SET_COOKIE).expect("a cookie").to_str().expect("visible ASCII");
        set.split(';').next().expect("a pair").to_owned()
    }
}

/// What a request carries.
#[derive(Default, Clone)]
pub(crate) struct With {
    pub(crate) cookie: Option<String>,
    pub(crate) bearer: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) from: Option<&'static str>,
}

impl With {
    pub(crate) fn cookie(cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..Self::default() }
    }

    pub(crate) fn bearer(token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn from(address: &'static str) -> Self {
        Self { from: Some(address), ..Self::default() }
    }
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with_args(|_| {}).await
    }

    pub(crate) async fn with_args(change: impl FnOnce(&mut ServeArgs)) -> Self {
        Self::with(change, |config| config).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ServeArgs), configure: impl FnOnce(Config) -> Config) -> Self {
        Self::hashing(Passwords::cheap().expect("a hash"), change, configure).await
    }

    pub(crate) async fn hashing(
        passwords: Passwords,
        change: impl FnOnce(&mut ServeArgs),
        configure: impl FnOnce(Config) -> Config,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut args = ServeArgs {
            listen: "127.0.0.1:8080".into(),
            data: folder.path().join("data"),
            not_durable: true,
            database: on_postgres().then(|| postgres().expect("COMPLAINT_TEST_POSTGRES names a PostgreSQL")),
            ..ServeArgs::default()
        };
        change(&mut args);
        let config = configure(Config::from_args(&args, None).expect("a configuration"));
        let start = "2026-03-02T09:00:00Z".parse().expect("an instant");
        let (clock, mail) = (Arc::new(StillClock(Mutex::new(start))), Arc::new(Mailbox::default()));
        let letters = Arc::new(Letters::default());
        let parts = Parts {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(RandomIds),
            transport: Arc::clone(&letters) as Arc<dyn MailTransport>,
            account_mail: Some(Arc::clone(&mail) as Arc<dyn AccountMail>),
            passwords,
        };
        let server = build_with(config, parts).await.expect("a server");
        let router = server.router();
        Self { server, clock, mail, letters, folder, router, described: OnceCell::new() }
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().as_str().to_lowercase(), request.uri().path().to_owned());
        let (parts, body) = self.open(request).await.into_parts();
        let body = to_bytes(body, 8 << 20).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        if answer.header("content-type").ends_with("json") && !answer.text.is_empty() {
            let door = (method.as_str(), path.as_str(), answer.status);
            if let Err(why) = self.description().await.admits(door, answer.header("content-type"), &answer.json()) {
                panic!("{method} {path} is described otherwise: {why}\n{}", answer.text);
            }
        }
        answer
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
        with: &With,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8080");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(cookie) = &with.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(bearer) = &with.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        for (name, value) in &with.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        let peer: SocketAddr = format!("{}:40000", with.from.unwrap_or("203.0.113.5")).parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        self.raw(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_with(path, body, &With::default()).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: Value, with: &With) -> Answer {
        self.send(Method::POST, path, Some("application/json"), body.to_string().into_bytes(), with).await
    }

    pub(crate) async fn get(&self, path: &str, with: &With) -> Answer {
        self.send(Method::GET, path, None, Vec::new(), with).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value, with: &With) -> Answer {
        self.send(Method::PUT, path, Some("application/json"), body.to_string().into_bytes(), with).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value, with: &With) -> Answer {
        self.send(Method::PATCH, path, Some("application/json"), body.to_string().into_bytes(), with).await
    }

    /// Whatever is due now is done: clocks, routing, letters. Returns the letters about complaints.
    pub(crate) async fn letters(&self) -> Vec<(String, String)> {
        let state = self.server.state();
        state.sweep().await.expect("sweeps");
        state.deliver().await.expect("delivers");
        std::mem::take(&mut *self.letters.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer as it comes, for bodies that do not end.
    pub(crate) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        let (method, path) = (request.method().as_str().to_lowercase(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        self.must_describe(&method, &path, response.status()).await;
        response
    }

    /// Whatever a test sees the API answer, its description says of that door.
    async fn must_describe(&self, method: &str, path: &str, status: StatusCode) {
        if !path.starts_with("/api/v1/") {
            return;
        }
        if let Some((door, answers)) = self.description().await.answers(method, path) {
            assert!(answers.contains_key(status.as_str()), "{method} {door} answered {status}, which is not described");
        }
    }

    /// What the API says of itself.
    pub(crate) async fn description(&self) -> &Description {
        let served = async || {
            let request = Request::get("/api/openapi.json").body(Body::empty()).expect("a request");
            let response = self.router.clone().oneshot(request).await.expect("infallible");
            let body = to_bytes(response.into_body(), 8 << 20).await.expect("a body");
            Description::new(serde_json::from_slice(&body).expect("JSON"))
        };
        self.described.get_or_init(served).await
    }

    pub(crate) async fn delete(&self, path: &str, with: &With) -> Answer {
        self.send(Method::DELETE, path, None, Vec::new(), with).await
    }

    /// Sends what is due and returns it.
    pub(crate) async fn mails(&self) -> Vec<AccountMessage> {
        let state = self.server.state();
        state.accounts.deliver_account_mail(state.clock.now(), self.mail.as_ref()).await.expect("delivers");
        std::mem::take(&mut *self.mail.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The token in the link of the only mail that is due.
    pub(crate) async fn mailed_token(&self) -> String {
        let mails = self.mails().await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        token_in(&mails[0].text)
    }

    pub(crate) async fn sign_up(&self, email: &str) -> Answer {
        self.post("/api/v1/accounts", json!({"name": "John Miller", "email": email, "password": PASSWORD})).await
    }

    /// A confirmed customer.
    pub(crate) async fn customer(&self, email: &str) {
        assert_eq!(self.sign_up(email).await.status, 202);
        let token = self.mailed_token().await;
        assert_eq!(self.post("/api/v1/accounts/verify", json!({"token": token})).await.status, 200);
    }

    pub(crate) async fn log_in(&self, email: &str) -> Answer {
        self.post("/api/v1/sessions", json!({"email": email, "password": PASSWORD})).await
    }

    /// The first admin's bearer token.
    pub(crate) async fn admin(&self) -> String {
        let token = token_in(self.server.setup_link().expect("a set-up link"));
        let made = self
            .post(
                "/api/v1/setup",
                json!({"token": token, "name": "Ada Root", "email": "ada@example.org", "password": PASSWORD}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        self.token("ada@example.org").await
    }

    /// A bearer token.
    pub(crate) async fn token(&self, email: &str) -> String {
        let issued = self.post("/api/v1/tokens", json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(issued.status, 201, "{}", issued.text);
        issued.json()["token"].as_str().expect("a token").to_owned()
    }
}

/// Whether the whole API is to be tried on the other engine.
pub(crate) fn on_postgres() -> bool {
    std::env::var("COMPLAINT_TEST_ON").as_deref() == Ok("postgres")
}

pub(crate) fn token_in(text: &str) -> String {
    let token: String = text
        .split_once("?token=")
        .expect("a link")
        .1
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    assert_eq!(token.len(), 43, "256 bits");
    token
}

/// The code in a mail, as it stands there.
pub(crate) fn code_in(text: &str) -> String {
    let is_code = |line: &&str| line.len() == 9 && line.chars().all(|c| c.is_ascii_digit() || c == ' ');
    text.lines().find(is_code).expect("a code").to_owned()
}
