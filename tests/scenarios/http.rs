//! The reference server as a world: everything people do and see goes through its router, as JSON.
//!
//! Time stands where the scenario puts it and no worker runs, so that a scenario says what happens when.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode};
use chrono::{DateTime, Utc};
use complaint_core::clock::{Clock, RandomIds};
use complaint_core::complaint::{Channel, Submission};
use complaint_core::deadline::ClockKind;
use complaint_core::id::{AgentId, ComplaintId, CustomerId};
use complaint_core::lifecycle::{Command, CommandName, Input};
use complaint_core::notice::{NoticeKind, Recipient};
use complaint_core::testing::{Answer, House, ManualClock, Person, Role, SeenClock, Sight, World, audit, take_notices};
use complaint_core::{Agent, Policy};
use complaint_notify::Transport;
use reference_server::auth::password::Passwords;
use reference_server::config::{Config, ServeArgs};
use reference_server::{AppState, Parts, build_with};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

const PASSWORD: &str = "copper lantern winds 7 rivers";
/// The first admin, who makes everybody else and reads what is expected.
const ROOT: &str = "root";
const BOUNDARY: &str = "scenario-boundary";

/// A server on a scratch folder, with an account for everybody of the house.
pub(crate) struct HttpWorld {
    folder: PathBuf,
    /// Where the complaints are; in a file of the folder where nothing is said.
    database: Option<String>,
    clock: ManualClock,
    open: Option<Open>,
    /// Account ids by the key of the house.
    accounts: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
}

struct Open {
    state: AppState,
    router: Router,
    // Dropping it would close the database.
    _server: reference_server::Server,
}

struct Reply {
    status: StatusCode,
    body: Value,
}

impl HttpWorld {
    pub(crate) fn new(folder: &Path, database: Option<String>) -> Self {
        Self {
            folder: folder.to_owned(),
            database,
            clock: ManualClock::at(DateTime::UNIX_EPOCH),
            open: None,
            accounts: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    async fn start(&mut self) -> Result<String, Answer> {
        let args = ServeArgs {
            listen: "127.0.0.1:8080".into(),
            data: self.folder.join("data"),
            not_durable: true,
            database: self.database.clone(),
            ..ServeArgs::default()
        };
        let config = Config::from_args(&args, None).map_err(broken)?;
        let parts = Parts {
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            ids: Arc::new(RandomIds),
            transport: Arc::new(Transport::from_config(None, self.folder.join("mail")).map_err(broken)?),
            account_mail: None,
            passwords: Passwords::cheap().map_err(broken)?,
        };
        let server = build_with(config, parts).await.map_err(broken)?;
        let link = server.setup_link().unwrap_or_default().to_owned();
        let token = link.split_once("token=").map(|(_, token)| token.to_owned());
        self.open = Some(Open { state: server.state().clone(), router: server.router(), _server: server });
        token.ok_or_else(|| Answer::Broken("the server has no set-up link".into()))
    }

    fn open(&self) -> &Open {
        self.open.as_ref().expect("founded first")
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>, token: Option<&str>) -> Reply {
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, "127.0.0.1:8080").header(CONTENT_TYPE, kind);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 5], 40_000))));
        let response = self.open().router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 8 << 20).await.expect("a body");
        Reply { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// In somebody's name. Tokens age with the clock: one that is no longer taken is replaced, once.
    async fn as_person(
        &mut self,
        key: &str,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, Answer> {
        for _ in 0..2 {
            let token = match self.tokens.get(key) {
                Some(token) => token.clone(),
                None => self.log_in(key).await?,
            };
            let reply = self.send(method.clone(), path, kind, body.clone(), Some(&token)).await;
            if reply.status == StatusCode::UNAUTHORIZED {
                self.tokens.remove(key);
                continue;
            }
            return reply.answer(path);
        }
        Err(Answer::Broken(format!("{key} cannot log in")))
    }

    async fn post(&mut self, key: &str, path: &str, body: &Value) -> Result<Value, Answer> {
        self.as_person(key, Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    async fn get(&mut self, key: &str, path: &str) -> Result<Value, Answer> {
        self.as_person(key, Method::GET, path, "application/json", Vec::new()).await
    }

    async fn log_in(&mut self, key: &str) -> Result<String, Answer> {
        let body = json!({"email": address(key), "password": PASSWORD}).to_string().into_bytes();
        let reply = self.send(Method::POST, "/api/v1/tokens", "application/json", body, None).await;
        let answer = reply.answer("/api/v1/tokens")?;
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        self.tokens.insert(key.to_owned(), token.clone());
        Ok(token)
    }

    fn account(&self, key: &str) -> Result<&str, Answer> {
        self.accounts.get(key).map(String::as_str).ok_or_else(|| Answer::Broken(format!("{key} has no account")))
    }

    /// The key of the house behind an account.
    fn key(&self, account: &str) -> String {
        let known = self.accounts.iter().find(|(_, id)| id.as_str() == account);
        known.map_or_else(|| account.to_owned(), |(key, _)| key.clone())
    }

    fn agent(&self, account: &str) -> Result<AgentId, Answer> {
        Ok(AgentId::new(self.key(account))?)
    }

    async fn make(&mut self, path: &str, key: &str, body: &Value) -> Result<(), Answer> {
        let made = self.post(ROOT, path, body).await?;
        self.accounts.insert(key.to_owned(), made["id"].as_str().unwrap_or_default().to_owned());
        Ok(())
    }

    /// An agent as the interface takes one.
    fn written(&self, agent: &Agent) -> Result<Value, Answer> {
        let superior = agent.reports_to.as_ref().map(|superior| self.account(superior.as_str())).transpose()?;
        Ok(json!({
            "level": agent.level, "skills": agent.skills, "areas": agent.areas, "languages": agent.languages,
            "capacity": agent.capacity, "reports_to": superior,
        }))
    }
}

#[async_trait]
impl World for HttpWorld {
    async fn found(&mut self, house: &House, now: DateTime<Utc>) -> Result<(), Answer> {
        self.clock.set(now);
        let token = self.start().await?;
        let root = json!({"token": token, "name": "Root", "email": address(ROOT), "password": PASSWORD});
        let reply =
            self.send(Method::POST, "/api/v1/setup", "application/json", root.to_string().into_bytes(), None).await;
        reply.answer("/api/v1/setup")?;
        // The rules come with the house; that they can be changed over HTTP is for other tests.
        let desk = &self.open().state.desk;
        let version = desk.policy().version + 1;
        desk.adopt(Policy { version, ..house.policy.clone() }).map_err(broken)?;
        let mut agents: Vec<&Agent> = house.agents.iter().collect();
        // Superiors first: an agent can only report to somebody there is.
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.level));
        for agent in agents {
            let mut body = self.written(agent)?;
            let key = agent.id.as_str();
            for (field, value) in [("name", agent.name.as_str()), ("email", &address(key)), ("password", PASSWORD)] {
                body[field] = json!(value);
            }
            self.make("/api/v1/agents", key, &body).await?;
        }
        for person in house.people.iter().filter(|person| person.role != Role::Agent) {
            let role = match person.role {
                Role::Admin => "admin",
                Role::Auditor => "auditor",
                _ => "customer",
            };
            let (name, email) = (person.name.as_str(), address(&person.key()));
            let body = json!({"name": name, "email": email, "role": role, "password": PASSWORD});
            self.make("/api/v1/users", &person.key(), &body).await?;
        }
        Ok(())
    }

    async fn set_clock(&mut self, now: DateTime<Utc>) -> Result<(), Answer> {
        self.clock.set(now);
        Ok(())
    }

    async fn change(&mut self, agent: &Agent) -> Result<(), Answer> {
        let mut body = self.written(agent)?;
        body["enabled"] = json!(agent.enabled);
        body["absence"] = json!(agent.absence.map(|away| json!({"from": away.from, "until": away.until})));
        let path = format!("/api/v1/agents/{}", self.account(agent.id.as_str())?);
        let body = body.to_string().into_bytes();
        self.as_person(ROOT, Method::PATCH, &path, "application/json", body).await?;
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Answer> {
        self.open().state.sweep().await?;
        Ok(())
    }

    async fn submit(
        &mut self,
        by: &Person,
        submission: &Submission,
        follows: Option<ComplaintId>,
    ) -> Result<ComplaintId, Answer> {
        let mut submission = submission.clone();
        if let Some(against) = &submission.against {
            submission.against = Some(AgentId::new(self.account(against.as_str())?)?);
        }
        if let Some(customer) = &submission.customer {
            submission.customer = Some(CustomerId::new(self.account(customer.as_str())?)?);
        }
        let mut body = given(&submission, &json!({}));
        if submission.channel == Channel::default() {
            // By which way a customer comes the server sees for itself.
            body.remove("channel");
        }
        let path = match follows {
            Some(finished) => format!("/api/v1/complaints/{finished}/commands/follow_up"),
            None => "/api/v1/complaints".to_owned(),
        };
        let made = self.post(&by.key(), &path, &Value::Object(body)).await?;
        made["id"].as_str().unwrap_or_default().parse().map_err(broken)
    }

    async fn give(&mut self, by: &Person, complaint: ComplaintId, command: &Command) -> Result<(), Answer> {
        let input = command.input();
        if command.name() == CommandName::Attach {
            let path = format!("/api/v1/complaints/{complaint}/attachments");
            let kind = format!("multipart/form-data; boundary={BOUNDARY}");
            let names = input.attachments.iter().map(|file| file.file_name.as_str());
            self.as_person(&by.key(), Method::POST, &path, &kind, form(names)).await?;
            return Ok(());
        }
        let blank = serde_json::to_value(Input::default()).map_err(broken)?;
        let mut body = given(input, &blank);
        if let Some(agent) = &input.agent {
            body.insert("agent".into(), json!(self.account(agent.as_str())?));
        }
        let path = format!("/api/v1/complaints/{complaint}/commands/{}", command.name());
        self.post(&by.key(), &path, &Value::Object(body)).await?;
        Ok(())
    }

    async fn see(&mut self, complaint: ComplaintId) -> Result<Sight, Answer> {
        let path = format!("/api/v1/complaints/{complaint}");
        let view = self.get(ROOT, &path).await?;
        let log = self.get(ROOT, &format!("{path}/log")).await?;
        let deadlines = self.get(ROOT, &format!("{path}/deadlines")).await?;
        let entries = items(&log);
        let mut clocks = BTreeMap::new();
        for deadline in items(&deadlines) {
            let clock: ClockKind = read(&deadline["clock"])?;
            let since: DateTime<Utc> = read(&deadline["started_at"])?;
            // Warnings are told in the log.
            let warned = entries.iter().filter(|entry| {
                entry["type"] == "warned"
                    && entry["facts"]["clock"] == deadline["clock"]
                    && read::<DateTime<Utc>>(&entry["at"]).is_ok_and(|at| at >= since)
            });
            let percents = warned.filter_map(|entry| entry["facts"]["percent"].as_u64());
            let seen = SeenClock {
                due_at: read(&deadline["due_at"])?,
                warned: percents.max().and_then(|percent| u8::try_from(percent).ok()).unwrap_or_default(),
                missed_at: read(&deadline["missed_at"])?,
                ended: read(&deadline["ending"])?,
            };
            clocks.insert(clock, seen);
        }
        Ok(Sight {
            status: read(&view["status"])?,
            level: read(&view["level"])?,
            handler: view["handler"]["id"].as_str().map(|id| self.agent(id)).transpose()?,
            clocks,
            log: entries.iter().map(|entry| entry["type"].as_str().unwrap_or_default().to_owned()).collect(),
        })
    }

    async fn see_as(&mut self, by: &Person, complaint: ComplaintId) -> Result<String, Answer> {
        let view = self.get(&by.key(), &format!("/api/v1/complaints/{complaint}")).await?;
        Ok(view["status_label"].as_str().unwrap_or_default().to_owned())
    }

    async fn workload(&mut self, agent: &AgentId) -> Result<u32, Answer> {
        let account = self.account(agent.as_str())?.to_owned();
        let agents = self.get(ROOT, "/api/v1/agents").await?;
        let found = items(&agents).iter().find(|agent| agent["id"] == account.as_str());
        read(&found.map_or(Value::Null, |agent| agent["workload"].clone()))
    }

    async fn notices(&mut self) -> Result<Vec<(Recipient, NoticeKind)>, Answer> {
        // Mails say the same in many words; the outbox says it in one.
        let desk = &self.open().state.desk;
        let taken = take_notices(desk.store(), desk.now()).await?;
        let keyed = |recipient: Recipient| -> Result<Recipient, Answer> {
            Ok(match recipient {
                Recipient::Customer(id) => Recipient::Customer(CustomerId::new(self.key(id.as_str()))?),
                Recipient::Agent(id) => Recipient::Agent(self.agent(id.as_str())?),
                other @ (Recipient::Level { .. } | Recipient::Admins | Recipient::Endpoint(_)) => other,
            })
        };
        taken.into_iter().map(|notice| Ok((keyed(notice.recipient)?, notice.kind))).collect()
    }

    async fn audit(&mut self) -> Result<(), Answer> {
        audit(&self.open().state.desk).await
    }
}

impl Reply {
    fn answer(self, path: &str) -> Result<Value, Answer> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        if self.status.is_server_error() || self.body["code"].is_null() {
            return Err(Answer::Broken(format!("{path}: {} {}", self.status, self.body)));
        }
        let errors = self.body["errors"].as_array().into_iter().flatten().map(|error| &error["code"]);
        let codes = errors.chain([&self.body["code"]]).filter_map(Value::as_str).map(str::to_owned).collect();
        let message = self.body["detail"].as_str().or(self.body["title"].as_str()).unwrap_or_default().to_owned();
        Err(Answer::Refused { codes, message })
    }
}

/// The fields of a value that say something: not null, not empty, not as in `blank`.
fn given(value: &impl serde::Serialize, blank: &Value) -> Map<String, Value> {
    let written = serde_json::to_value(value).unwrap_or_default();
    let says = |field: &str, value: &Value| {
        let is_empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
        !value.is_null() && !is_empty && blank.get(field) != Some(value)
    };
    let fields = written.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(field, value)| says(field, value)).collect()
}

/// A form of small files whose bytes are of the kind that their names promise.
fn form<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut form = Vec::new();
    for name in names {
        let bytes: &[u8] = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("pdf") => b"%PDF-1.7\n%%EOF\n",
            Some("txt") => b"Some words.\n",
            _ => b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0",
        };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(bytes);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn address(key: &str) -> String {
    format!("{key}@example.org")
}

fn items(body: &Value) -> &[Value] {
    body["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Answer> {
    serde_json::from_value(value.clone()).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Answer {
    Answer::Broken(error.to_string())
}
