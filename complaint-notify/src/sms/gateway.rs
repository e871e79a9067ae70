//! A gateway that takes text messages by HTTP, described by configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use complaint_core::NotifyError;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::SmsTransport;
use super::message::TextMessage;
use crate::outgoing::{self, Networks};

/// How long a gateway may take, if nothing is said.
const TIMEOUT_SECONDS: u64 = 30;
const TIMEOUT_SECONDS_MAX: u64 = 120;

/// What is wrong with the description of a gateway; every fault names its setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidGateway(pub Vec<String>);

/// Sends text messages through an HTTP gateway.
///
/// A gateway is described in TOML:
///
/// ```
/// ///
/// use complaint_core::clock::SystemClock;
/// use complaint_notify::Gateway;
///
/// # let key = tempfile::NamedTempFile::new()?;
/// # std::fs::write(key.path(), "a key")?;
/// # let description = |path: &std::path::Path| format!(r#"
/// url = "https://api.gateway.example/2010/messages"
/// method = "POST"                      # the default; GET and PUT are the others
/// secret = {{ file = {path:?} }}         # or {{ env = "COMPLAINT_SMS_KEY" }}
/// user = "AC0123456789"                # with it, the secret is the password of HTTP's basic authentication
/// timeout_seconds = 20                 # 1 to 120, for the whole answer; 30 without it
///
/// [headers]                            # may hold {{secret}} and {{id}}
/// X-Request-Id = "{{id}}"                # the same when a message is sent again
///
/// [form]                               # or [json], which may hold lists and tables; [query] goes into the address
/// From = "Example"
/// To = "{{to}}"                          # +447700900123; {{digits}} is the same without the plus sign
/// Body = "{{text}}"
///
/// [success]                            # without it, every status from 200 to 299 is success
/// statuses = [201]
/// contains = "queued"                  # the answer must contain this
/// json = {{ at = "/status", is = ["queued", "sent"] }}   # RFC 6901; numbers and words alike
/// # "#);
/// # let description = description(key.path());
///
/// let gateway = Gateway::from_toml(&description)?;
/// assert_eq!(gateway.host(), "api.gateway.example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Values are put in where they belong: a text cannot end a JSON string or begin another field of a form. `{{` and `}}` stand for
/// single braces. A gateway that is not on the internet is named with its network, `networks = "192.168.7.0/24"`, and may then be
/// reached by plain `http`, too; see [`Networks`]. Redirects are not followed.
///
/// What an answer means:
///
/// | answer | then |
/// |---|---|
/// | success, as described | delivered |
/// | no connection, TLS refused, time-out, cut | later |
/// | 1xx, 3xx, 5xx, 408, 425, 429 | later, not before `Retry-After` |
/// | 401, 402, 403, 404, 405, 407 | later: it is about us, and an operator can mend it |
/// | every other 4xx; 2xx without what success must have | never: to send it again could send it twice |
pub struct Gateway {
    client: Client,
    url: Url,
    method: Method,
    secret: Option<SecretString>,
    user: Option<String>,
    headers: Vec<(HeaderName, Template)>,
    query: Vec<(String, Template)>,
    body: Option<Body>,
    success: Success,
}

impl Gateway {
    /// Reads a description, and the secret from where it says.
    ///
    /// # Errors
    /// Every fault, each with its setting; no value of a secret is in it.
    pub fn from_toml(text: &str) -> Result<Self, InvalidGateway> {
        let described: Described =
            toml::from_str(text).map_err(|error| InvalidGateway(vec![error.message().to_owned()]))?;
        let mut faults = Faults::default();
        let own = faults.take("networks", described.networks.as_deref().unwrap_or_default().parse::<Networks>());
        let own = own.unwrap_or_default();
        let url = faults.take("url", outgoing::address(&described.url, &own));
        let secret = described.secret.and_then(|source| faults.take("secret", source.read()));
        let headers = described.headers.iter().filter_map(|(name, value)| {
            let setting = format!("headers.{name}");
            let template = faults.take(&setting, Template::parse(value))?;
            if template.0.iter().any(|part| matches!(part, Part::To | Part::Digits | Part::Text)) {
                faults.add(&setting, "may hold {secret} and {id} only");
            }
            let filled = template.filled(&Values { message: None, secret: secret.as_ref() });
            if HeaderValue::from_str(&filled).is_err() {
                faults.add(&setting, "is no header: it must be visible characters in one line");
            }
            Some((faults.take(&setting, HeaderName::try_from(name))?, template))
        });
        let headers = headers.collect::<Vec<_>>();
        let query = faults.templates("query", &described.query);
        let body = match (described.form, described.json) {
            (Some(_), Some(_)) => {
                faults.add("form", "and json: a request has one body");
                None
            }
            (Some(form), None) => Some(Body::Form(faults.templates("form", &form))),
            (None, Some(json)) => faults.take("json", JsonTemplate::parse(&json)).map(Body::Json),
            (None, None) => None,
        };
        let holds = |wanted: fn(&Part) -> bool| {
            headers.iter().any(|(_, it)| it.holds(wanted))
                || query.iter().any(|(_, it)| it.holds(wanted))
                || body.as_ref().is_some_and(|body| body.holds(wanted))
        };
        let uses_secret = holds(|part| matches!(part, Part::Secret)) || described.user.is_some();
        if !holds(|part| matches!(part, Part::To | Part::Digits)) {
            faults.add("query, form or json", "must hold {to} or {digits}");
        }
        if !holds(|part| matches!(part, Part::Text)) {
            faults.add("query, form or json", "must hold {text}");
        }
        match (&secret, uses_secret) {
            (Some(_), false) => faults.add("secret", "is used nowhere: put {secret} where it belongs, or give user"),
            (None, true) if faults.0.is_empty() => faults.add("secret", "is wanted, but none is given"),
            _ => {}
        }
        let success = faults.take("success", described.success.checked());
        let seconds = described.timeout_seconds;
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
            faults.add("timeout_seconds", format!("must be 1 to {TIMEOUT_SECONDS_MAX}"));
        }
        let client = outgoing::client(&own, Duration::from_secs(seconds)).map_err(outgoing::in_words);
        let client = faults.take("url", client);
        match (url, success, client) {
            (Some(url), Some(success), Some(client)) if faults.0.is_empty() => {
                let method = described.method.into();
                Ok(Self { client, url, method, secret, user: described.user, headers, query, body, success })
            }
            _ => Err(InvalidGateway(faults.0)),
        }
    }

    /// Where it is, for operators.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    fn request(&self, message: &TextMessage) -> reqwest::RequestBuilder {
        let values = Values { message: Some(message), secret: self.secret.as_ref() };
        let mut url = self.url.clone();
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query.iter().map(|(name, value)| (name, value.filled(&values))));
        }
        let mut request = self.client.request(self.method.clone(), url);
        for (name, value) in &self.headers {
            // Checked when it was read; an id is visible ASCII.
            if let Ok(mut filled) = HeaderValue::from_str(&value.filled(&values)) {
                filled.set_sensitive(true);
                request = request.header(name, filled);
            }
        }
        if let Some(user) = &self.user {
            request = request.basic_auth(user, self.secret.as_ref().map(ExposeSecret::expose_secret));
        }
        let (kind, body) = match &self.body {
            Some(Body::Form(fields)) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields.iter().map(|(name, value)| (name, value.filled(&values))));
                ("application/x-www-form-urlencoded", form.finish())
            }
            Some(Body::Json(json)) => ("application/json", json.filled(&values).to_string()),
            None => return request,
        };
        // A description may know better, such as a media type of the gateway's own.
        if self.headers.iter().all(|(name, _)| *name != CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, kind);
        }
        request.body(body)
    }
}

#[async_trait]
impl SmsTransport for Gateway {
    async fn send(&self, message: &TextMessage) -> Result<(), NotifyError> {
        let later =
            |error| NotifyError::Later(format!("the gateway cannot be used: {}", outgoing::in_words(error)).into());
        let answer = self.request(message).send().await.map_err(later)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let met = if self.success.wants(status) {
            let body = outgoing::beginning(answer).await.map_err(later)?;
            self.success.is_met(&body)
        } else {
            false
        };
        if met {
            return Ok(());
        }
        if status.is_success() {
            return Err(NotifyError::Never(format!("the gateway answered {status} without what success must have")));
        }
        let why = format!("the gateway answered {status}");
        match status.as_u16() {
            401..=405 | 407 | 408 | 425 | 429 | 100..=399 | 500.. => {
                let why = why.into();
                Err(match outgoing::retry_after(&headers) {
                    Some(wait) => NotifyError::NotBefore { wait, why },
                    None => NotifyError::Later(why),
                })
            }
            _ => Err(NotifyError::Never(why)),
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("host", &self.host()).finish_non_exhaustive()
    }
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    url: String,
    #[serde(default)]
    method: Verb,
    networks: Option<String>,
    secret: Option<SecretSource>,
    user: Option<String>,
    #[serde(default = "timeout_seconds")]
    timeout_seconds: u64,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    form: Option<BTreeMap<String, String>>,
    json: Option<Value>,
    #[serde(default)]
    success: Success,
}

fn timeout_seconds() -> u64 {
    TIMEOUT_SECONDS
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Post,
    Get,
    Put,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Post => Self::POST,
            Verb::Get => Self::GET,
            Verb::Put => Self::PUT,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SecretSource {
    File(PathBuf),
    Env(String),
}

impl SecretSource {
    fn read(self) -> Result<SecretString, String> {
        let (read, source) = match self {
            Self::File(path) => {
                let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
                (read, format!("the file {}", path.display()))
            }
            Self::Env(name) => {
                (std::env::var(&name).map_err(|error| error.to_string()), format!("the variable {name}"))
            }
        };
        let read = read.map_err(|error| format!("cannot be read from {source}: {error}"))?;
        match read.trim_end_matches(['\r', '\n']) {
            "" => Err(format!("{source} is empty")),
            secret => Ok(secret.into()),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Success {
    #[serde(default)]
    statuses: Vec<u16>,
    contains: Option<String>,
    json: Option<JsonRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRule {
    at: String,
    is: Vec<String>,
}

impl Success {
    fn checked(self) -> Result<Self, String> {
        if let Some(status) = self.statuses.iter().find(|status| !(200..=299).contains(*status)) {
            return Err(format!("statuses: {status} is not between 200 and 299"));
        }
        match &self.json {
            Some(rule) if !rule.at.is_empty() && !rule.at.starts_with('/') => {
                Err(format!("json.at: {:?} is no path of RFC 6901, as in /status", rule.at))
            }
            Some(rule) if rule.is.is_empty() => Err("json.is: name at least one value".to_owned()),
            _ => Ok(self),
        }
    }

    fn wants(&self, status: StatusCode) -> bool {
        if self.statuses.is_empty() { status.is_success() } else { self.statuses.contains(&status.as_u16()) }
    }

    fn is_met(&self, body: &[u8]) -> bool {
        let contains = |wanted: &String| body.windows(wanted.len().max(1)).any(|it| it == wanted.as_bytes());
        let says = |rule: &JsonRule| {
            let body: Option<Value> = serde_json::from_slice(body).ok();
            match body.as_ref().and_then(|body| body.pointer(&rule.at)) {
                Some(Value::String(said)) => rule.is.contains(said),
                Some(said) => rule.is.contains(&said.to_string()),
                None => false,
            }
        };
        self.contains.as_ref().is_none_or(contains) && self.json.as_ref().is_none_or(says)
    }
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, setting: &str, fault: impl fmt::Display) {
        self.0.push(format!("{setting} {fault}"));
    }

    fn take<T, E: fmt::Display>(&mut self, setting: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|fault| self.add(setting, fault)).ok()
    }

    fn templates(&mut self, setting: &str, values: &BTreeMap<String, String>) -> Vec<(String, Template)> {
        let read = values.iter().filter_map(|(name, value)| {
            Some((name.clone(), self.take(&format!("{setting}.{name}"), Template::parse(value))?))
        });
        read.collect()
    }
}

enum Body {
    Form(Vec<(String, Template)>),
    Json(JsonTemplate),
}

impl Body {
    fn holds(&self, wanted: fn(&Part) -> bool) -> bool {
        match self {
            Self::Form(fields) => fields.iter().any(|(_, it)| it.holds(wanted)),
            Self::Json(json) => json.holds(wanted),
        }
    }
}

/// What stands in for the placeholders.
struct Values<'a> {
    /// None while a description is read.
    message: Option<&'a TextMessage>,
    secret: Option<&'a SecretString>,
}

/// Words with places for values.
struct Template(Vec<Part>);

enum Part {
    Words(String),
    To,
    Digits,
    Text,
    Id,
    Secret,
}

impl Template {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut words = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            words.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{").or(rest.strip_prefix("}}")) {
                words.push_str(&rest[..1]);
                rest = after;
                continue;
            }
            let (name, after) = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .ok_or("has a single brace; write {{ or }} for one that is meant as such")?;
            let part = match name {
                "to" => Part::To,
                "digits" => Part::Digits,
                "text" => Part::Text,
                "id" => Part::Id,
                "secret" => Part::Secret,
                _ => {
                    return Err(format!(
                        "has {{{name}}}; there are {{to}}, {{digits}}, {{text}}, {{id}} and {{secret}}"
                    ));
                }
            };
            parts.extend([Part::Words(std::mem::take(&mut words)), part]);
            rest = after;
        }
        words.push_str(rest);
        parts.push(Part::Words(words));
        Ok(Self(parts))
    }

    fn holds(&self, wanted: fn(&Part) -> bool) -> bool {
        self.0.iter().any(wanted)
    }

    fn filled(&self, values: &Values<'_>) -> String {
        let of = |value: fn(&TextMessage) -> &str| values.message.map(value).unwrap_or_default();
        let value = |part: &'_ Part| match part {
            Part::Words(words) => words.clone(),
            Part::To => of(|message| message.to().as_str()).to_owned(),
            Part::Digits => of(|message| message.to().digits()).to_owned(),
            Part::Text => of(TextMessage::text).to_owned(),
            Part::Id => of(TextMessage::id).to_owned(),
            Part::Secret => values.secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default(),
        };
        self.0.iter().map(value).collect()
    }
}

/// A JSON document whose texts are templates.
enum JsonTemplate {
    Fixed(Value),
    Text(Template),
    List(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    fn parse(json: &Value) -> Result<Self, String> {
        Ok(match json {
            Value::String(text) => Self::Text(Template::parse(text)?),
            Value::Array(items) => Self::List(items.iter().map(Self::parse).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), Self::parse(value)?)));
                Self::Object(fields.collect::<Result<_, String>>()?)
            }
            other => Self::Fixed(other.clone()),
        })
    }

    fn holds(&self, wanted: fn(&Part) -> bool) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Text(template) => template.holds(wanted),
            Self::List(items) => items.iter().any(|it| it.holds(wanted)),
            Self::Object(fields) => fields.iter().any(|(_, it)| it.holds(wanted)),
        }
    }

    fn filled(&self, values: &Values<'_>) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(template) => Value::String(template.filled(values)),
            Self::List(items) => items.iter().map(|it| it.filled(values)).collect(),
            Self::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it.filled(values))).collect(),
        }
    }
}
