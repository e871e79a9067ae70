//! Reading requests: strictly, and naming the field when something is wrong.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chrono::{DateTime, Utc};
use complaint_core::json::Described;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use serde_path_to_error::Segment;
use sha2::{Digest as _, Sha256};

use crate::error::{FieldError, Problem, is_within};

/// Largest JSON body, in bytes.
pub const JSON_MAX: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects in a JSON body.
pub const JSON_DEPTH_MAX: usize = 32;

/// A JSON object, read strictly.
///
/// Refused with a problem that names the field: unknown fields (give `T` `#[serde(deny_unknown_fields)]`), keys given twice, wrong
/// types, controls other than TAB, LF and CR in any text. Refused as a whole: other content types (415), more than [`JSON_MAX`] bytes (413),
/// deeper than [`JSON_DEPTH_MAX`], not UTF-8, not JSON, sent by `POST` under an `Idempotency-Key` (400).
#[derive(Debug, Clone, Copy, Default)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Sent::from_request(request, state).await?.whole().map(Self)
    }
}

/// A JSON object as [`ApiJson`] reads it, for doors whose rules have more to say of it. Where values cannot be read, others stand in for
/// them, so that the rules can say what is wrong with the rest.
#[derive(Debug)]
pub struct Sent<T> {
    /// As it was sent, but for what is wrong.
    pub body: T,
    /// Everything that is wrong so far.
    pub wrong: Option<Problem>,
}

impl<T> Sent<T> {
    /// The body, if nothing is wrong.
    pub fn whole(self) -> Result<T, Problem> {
        self.wrong.map_or(Ok(self.body), Err)
    }

    /// Whether a member is as it was sent: of one that another stands in for, no rule can say what it means for the rest.
    pub fn has(&self, member: &str) -> bool {
        self.wrong.as_ref().is_none_or(|wrong| wrong.errors.iter().all(|error| top_of(error) != member))
    }

    /// The body if nothing is wrong with it so far, or everything that is, here and by rules that read nothing else.
    pub fn under<R, E>(self, rules: impl FnOnce(T) -> Result<R, E>) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        match self.wrong {
            None => Ok(self.body),
            Some(wrong) => Err(wrong.and_of_rules(rules(self.body).err().map(Problem::from))),
        }
    }
}

impl Sent<Value> {
    /// Read further, as a whole body is read; `untold` are fields that no refusal names.
    pub fn read<T: DeserializeOwned>(self, untold: &[&str]) -> Result<Sent<T>, Problem> {
        of_value(self.body, self.wrong.map(|wrong| wrong.errors).unwrap_or_default(), untold)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.method() == Method::POST && request.headers().contains_key("idempotency-key") {
            return Err(not_repeatable());
        }
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        read(&whole_body(request, state).await?, &[])
    }
}

/// A request without an `Idempotency-Key`, where it needs no body: what it asks for is done as often as it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Unkeyed;

impl<S: Send + Sync> FromRequestParts<S> for Unkeyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.headers.contains_key("idempotency-key") { Err(not_repeatable()) } else { Ok(Self) }
    }
}

/// A JSON body that may be sent again under an `Idempotency-Key`. An empty body is an empty object.
#[derive(Debug, Clone)]
pub struct Repeatable {
    body: Bytes,
    /// The key with a fingerprint of method, path and body, if the caller gave one.
    pub key: Option<(String, String)>,
}

impl Repeatable {
    /// One of several that came in one body, each to be read as if it had come alone.
    pub fn one_of(value: &Value) -> Self {
        Self { body: value.to_string().into(), key: None }
    }

    /// Reads the body for doors whose rules have more to say of it, and for a caller who may not send some fields: a refusal does not
    /// name those as known.
    pub fn sent<T: DeserializeOwned>(&self, without: &[&str]) -> Result<Sent<T>, Problem> {
        read(self.bytes(), without)
    }

    fn bytes(&self) -> &[u8] {
        if self.body.is_empty() { b"{}" } else { &self.body }
    }
}

impl<S: Send + Sync> FromRequest<S> for Repeatable {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = is_json(request.headers());
        let key = idempotency_key(request.headers())?;
        let mut digest = Sha256::new();
        for part in [request.method().as_str(), request.uri().path()] {
            digest.update(part.as_bytes());
            digest.update(b"\n");
        }
        let body = whole_body(request, state).await?;
        // Of nothing it does not matter what kind it is said to be.
        if !kind && !body.is_empty() {
            return Err(not_json());
        }
        digest.update(&body);
        Ok(Self { body, key: key.map(|key| (key, hex(&digest.finalize()))) })
    }
}

/// Whoever sends a key relies on it: ignored, a repetition would pass for the first answer and be a second token. The first answer
/// is not kept either, since it holds a secret, or must not tell who has asked before.
fn not_repeatable() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_not_supported",
        "This request cannot be sent under an Idempotency-Key.",
    )
    .detail("No answer is kept here to be given again. Nothing was done; send the request without the key.")
}

/// The `Idempotency-Key` header, if it is there.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::malformed("invalid_idempotency_key", "Idempotency-Key is given twice."));
    }
    let key = value.to_str().map(str::trim).unwrap_or_default();
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::malformed(
            "invalid_idempotency_key",
            "Idempotency-Key must be 1 to 255 visible ASCII characters.",
        ));
    }
    Ok(Some(key.to_owned()))
}

/// The version a caller saw, from `If-Match: "version"`; none for `*` or without the header.
pub fn seen_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let value = value.to_str().map(str::trim).unwrap_or_default();
    let once = values.next().is_none();
    if value == "*" && once {
        return Ok(None);
    }
    let version = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|_| once);
    // Strong comparison (RFC 9110, section 13.1.1): a weak tag never matches, so it is a mistake of the caller; so is a list, whose
    // caller did not see one version but several.
    let version = version.and_then(|text| text.parse::<u64>().ok().filter(|version| version.to_string() == text));
    version.map(Some).ok_or_else(|| {
        Problem::malformed("invalid_if_match", "If-Match must be one version in double quotes, as in the ETag: \"7\".")
    })
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) async fn whole_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let body = Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Problem::malformed("incomplete_body", "The body ended early.")
        }
    })?;
    if body.len() > JSON_MAX { Err(too_large()) } else { Ok(body) }
}

fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "This kind of content is not accepted here.",
    )
    .detail("Send application/json, not compressed.")
}

/// Reads one JSON object as [`ApiJson`] does.
pub fn parse_strictly<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    read(body, &[])?.whole()
}

/// `untold` are fields of the object that no refusal names.
///
/// # Errors
/// What is wrong, where nothing can be read beside it.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], untold: &[&str]) -> Result<Sent<T>, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::malformed("malformed_json", "The body is not UTF-8."))?;
    let faults = inspect(text)?;
    let body = serde_json::from_str(text).map_err(|error| not_read(&error))?;
    of_value(body, faults, untold)
}

fn of_value<T: DeserializeOwned>(
    body: Value,
    mut faults: Vec<FieldError>,
    untold: &[&str],
) -> Result<Sent<T>, Problem> {
    let error = match serde_path_to_error::deserialize(Described(&body)) {
        Ok(body) => return Ok(Sent { body, wrong: (!faults.is_empty()).then(|| Problem::of_fields(faults)) }),
        Err(error) => error,
    };
    let first = field_fault(&dotted(error.path()), &error.inner().to_string(), untold);
    let left = READ_MAX / body.to_string().len();
    let mended = Mending { body, untold, left, stood_in: Vec::new() }.all(&mut faults, first);
    let wrong = Problem::of_fields(faults);
    match mended {
        Some(body) => Ok(Sent { body, wrong: Some(wrong) }),
        None => Err(wrong),
    }
}

/// How many bytes are read at most to name all faults of a body: each is found by reading it anew. Of a large body the first few are
/// named.
const READ_MAX: usize = 32 * 1024 * 1024;
/// The most faults that are named.
const FAULTS_MAX: usize = 20;

/// Each field is named once.
fn name(faults: &mut Vec<FieldError>, fault: FieldError) {
    if faults.len() < FAULTS_MAX && faults.iter().all(|known| known.field != fault.field) {
        faults.push(fault);
    }
}

/// A body of which every value at fault gives way to one that will do, as a reader stops at the first fault.
struct Mending<'a> {
    body: Value,
    untold: &'a [&'a str],
    /// How often it may be read.
    left: usize,
    /// The places where values of ours stand.
    stood_in: Vec<String>,
}

/// A value gave way.
struct Mended {
    /// What is wrong then, if anything is.
    next: Option<FieldError>,
}

impl Mending<'_> {
    /// Names what else is wrong; what is read in the end, if that is enough.
    fn all<T: DeserializeOwned>(mut self, faults: &mut Vec<FieldError>, first: FieldError) -> Option<T> {
        let mut fault = Some(first);
        // Values are looked at in another order than they were sent in: one that gave way too early comes again, and is not named again.
        for _ in 0..4 * FAULTS_MAX {
            let Some(at) = fault else { break };
            // What our own value lacks, nobody forgot.
            if !self.stood_in.iter().any(|place| at.field != *place && is_within(&at.field, place)) {
                name(faults, at.clone());
            }
            let top = top_of(&at).to_owned();
            if top.is_empty() || faults.len() == FAULTS_MAX {
                break;
            }
            let place: Vec<&str> = at.field.split('.').collect();
            fault = if at.code == "unknown_field" {
                if let Some((name, object)) = place.split_last()
                    && let Some(members) = below(&mut self.body, object).and_then(Value::as_object_mut)
                {
                    members.remove(*name);
                }
                self.fault::<T>()
            } else {
                // The value gives way, or, where none of ours will do there, all of the member that it is in. If nothing does, what
                // else is wrong stays unknown.
                let value = self.mended::<T>(&place, &at);
                value.or_else(|| self.mended::<T>(&[&top], &at)).and_then(|mended| mended.next)
            };
        }
        T::deserialize(Described(&self.body)).ok()
    }

    fn fault<T: DeserializeOwned>(&mut self) -> Option<FieldError> {
        self.left = self.left.checked_sub(1)?;
        let error = serde_path_to_error::deserialize::<_, T>(Described(&self.body)).err()?;
        Some(field_fault(&dotted(error.path()), &error.inner().to_string(), self.untold))
    }

    /// Puts a value of ours in a place, or says `None` if that place stays at fault whatever stands there.
    fn mended<T: DeserializeOwned>(&mut self, place: &[&str], at: &FieldError) -> Option<Mended> {
        let whole = place.join(".");
        let before = below(&mut self.body, place)?.clone();
        // Texts of ours differ, so that no two pass for the same.
        let mut mends = mends(at, &format!("a{}", self.stood_in.len()));
        let mut tried = 0;
        while let Some(mend) = mends.get(tried).cloned() {
            tried += 1;
            *below(&mut self.body, place)? = mend;
            let next = self.fault::<T>();
            match next {
                // Only now it says which names it knows.
                Some(next) if next.field == whole && next.code == "unknown_value" && at.code != "unknown_value" => {
                    let more: Vec<Value> = named(&next).filter(|name| !mends.contains(name)).collect();
                    mends.extend(more);
                }
                // A fault of what it is in is one of this place, too; one within it, where ours lacks something, is the next.
                Some(next) if is_within(&whole, &next.field) => {}
                next => {
                    self.stood_in.push(whole);
                    return Some(Mended { next });
                }
            }
        }
        *below(&mut self.body, place)? = before;
        None
    }
}

/// What is there in a document; a missing member of an object is made.
fn below<'a>(body: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(body, |at, step| match at {
        Value::Object(members) => Some(members.entry(*step).or_insert(Value::Null)),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn top_of(fault: &FieldError) -> &str {
    fault.field.split('.').next().unwrap_or_default()
}

/// Values of every kind a body has, with this text; where it must be one of a list, the refusal itself names some.
fn mends(fault: &FieldError, text: &str) -> Vec<Value> {
    let plain = [
        json!(null),
        json!(text),
        json!(1),
        json!(false),
        json!([]),
        json!({}),
        json!("2026-11-30"),
        // Before any other, so that no end is too early for it.
        json!("1970-01-01T00:00:00Z"),
    ];
    plain.into_iter().chain(named(fault)).collect()
}

/// The words of a refusal, among which are the names that it knows.
fn named(fault: &FieldError) -> impl Iterator<Item = Value> {
    fault.message.split([' ', ',', '.', ';']).filter(|word| !word.is_empty()).map(|word| json!(word))
}

/// Where in a document: `remedies.0.kind`, as rules and forms say it too.
fn dotted(path: &serde_path_to_error::Path) -> String {
    let steps = path.iter().filter_map(|step| match step {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    steps.collect::<Vec<_>>().join(".")
}

/// Parts of the path; something that cannot be one is simply not there.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        Ok(Self(value))
    }
}

/// Query parameters; give `T` `#[serde(deny_unknown_fields)]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut rest = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect::<Vec<(String, String)>>();
        let mut wrong = None;
        // A reader stops at the first fault; without that parameter it says what else is wrong.
        loop {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&rest).finish();
            let uri: Uri = format!("/?{query}")
                .parse()
                .map_err(|_| Problem::malformed("invalid_query", "The query cannot be read."))?;
            let fault = match Query::try_from_uri(&uri) {
                Ok(Query(value)) => return wrong.map_or(Ok(Self(value)), Err),
                Err(rejection) => fault_of_query(&rejection.body_text()),
            };
            let given = rest.len();
            rest.retain(|(name, _)| *name != fault.field);
            Problem::add(
                &mut wrong,
                Problem::malformed("invalid_query", format!("{}: {}", fault.field, fault.message)).field(
                    fault.field,
                    &fault.code,
                    fault.message,
                ),
            );
            if rest.len() == given {
                return Err(wrong.unwrap_or_else(Problem::invalid));
            }
        }
    }
}

fn fault_of_query(said: &str) -> FieldError {
    let reason = said.split_once(": ").map_or(said, |(_, reason)| reason);
    // "field: reason" when a value is wrong, only the reason when a field is unknown or missing.
    let (path, reason) = match reason.split_once(": ") {
        Some((path, reason)) if !path.contains([' ', '`']) => (path, reason),
        _ => ("", reason),
    };
    field_fault(path, reason, &[])
}

/// Whether it says that it is JSON as it stands: nothing here unpacks what is sent.
fn is_json(headers: &HeaderMap) -> bool {
    if headers.get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return false;
    }
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
        .detail(format!("At most {JSON_MAX} bytes of JSON."))
}

/// Makes a field error of what serde says; its wording is translated, so that no type name of ours gets out.
fn field_fault(path: &str, said: &str, untold: &[&str]) -> FieldError {
    let named = said.split('`').nth(1).unwrap_or_default();
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let (field, code, message) = if said.starts_with("unknown field") {
        let (field, known) = (below(named), expected(said));
        let untold = if field.contains('.') { &[][..] } else { untold };
        let known: Vec<&str> = known.split(", ").filter(|it| !it.is_empty() && !untold.contains(it)).collect();
        let known = if known.is_empty() { String::new() } else { format!(" Known are: {}.", known.join(", ")) };
        (field, "unknown_field", format!("There is no such field.{known}"))
    } else if said.starts_with("missing field") {
        (below(named), "missing", "This field is needed.".to_owned())
    } else if said.starts_with("duplicate field") {
        (below(named), "duplicate", "This field is given twice.".to_owned())
    } else if said.starts_with("unknown variant") {
        let known = expected(said);
        (path.to_owned(), "unknown_value", format!("This value is not known; expected {known}."))
    } else if said.starts_with("invalid type")
        || said.starts_with("invalid value")
        || said.starts_with("invalid length")
    {
        let wanted =
            said.split_once("expected ").map_or("", |(_, wanted)| wanted).split(" at line").next().unwrap_or_default();
        (path.to_owned(), "invalid_type", format!("Expected {}.", kind_of(wanted)))
    } else {
        (path.to_owned(), "invalid", reason_of(said.split(" at line").next().unwrap_or_default()))
    };
    FieldError { field, code: code.to_owned(), message, remedy: None }
}

/// What serde says is known: `a, b, c`.
fn expected(said: &str) -> String {
    let known = said.split_once("expected ").map_or("", |(_, known)| known);
    let known = known.split(" at line").next().unwrap_or_default();
    known.strip_prefix("one of ").unwrap_or(known).replace('`', "")
}

/// What kind of value is right, in words of ours where serde names a type of Rust.
fn kind_of(wanted: &str) -> &str {
    match wanted {
        "a string" | "a borrowed string" | "string" => "a text",
        "a sequence" => "a list",
        "a map" | "map" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0 and not too large",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number, not too large",
        "a formatted date string" => "a day, as in 2026-11-30",
        _ => "another kind of value",
    }
}

/// Why a value was refused. Our own types say what they must be and are let through; what a library's reader says of digits and
/// characters is put into words of ours.
fn reason_of(said: &str) -> String {
    const OF_NUMBERS: [&str; 5] = [
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
        "number too small to fit in target type",
        "number would be zero for non-zero type",
    ];
    const OF_TIMES: [&str; 5] = [
        "input contains invalid characters",
        "premature end of input",
        "trailing input",
        "input is out of range",
        "no possible date and time matching input",
    ];
    if said.contains(" must be ") {
        said.to_owned()
    } else if OF_NUMBERS.contains(&said) {
        "Expected a whole number, not too large.".to_owned()
    } else if OF_TIMES.contains(&said) {
        // Instants are read by `instant`.
        "Expected a day, as in 2026-11-30.".to_owned()
    } else if said == "provided string was not `true` or `false`" {
        "Expected true or false.".to_owned()
    } else {
        "This value cannot be read.".to_owned()
    }
}

/// Walks the whole document once before it means anything: depth, keys given twice, controls in texts.
fn inspect(text: &str) -> Result<Vec<FieldError>, Problem> {
    let walk = RefCell::new(Walk::default());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let walked = Strict { walk: &walk, depth: 0 }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    let walk = walk.into_inner();
    match walked {
        Ok(()) if walk.no_object => {
            let problem = Problem::invalid().detail("The body must be a JSON object.");
            Err(problem.field("", "invalid_type", "Expected an object."))
        }
        Ok(()) => Ok(walk.faults),
        Err(_) if walk.too_deep => {
            Err(Problem::malformed("too_deep", format!("The body is nested deeper than {JSON_DEPTH_MAX} levels.")))
        }
        Err(error) => Err(not_read(&error)),
    }
}

fn not_read(error: &serde_json::Error) -> Problem {
    let said = format!("The body is not JSON (line {}, column {}).", error.line(), error.column());
    Problem::malformed("malformed_json", said)
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    faults: Vec<FieldError>,
    no_object: bool,
    too_deep: bool,
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    walk: &'a RefCell<Walk>,
    depth: usize,
}

impl Strict<'_> {
    fn fault(self, code: &str, message: &str) {
        let mut walk = self.walk.borrow_mut();
        let fault =
            FieldError { field: walk.path.join("."), code: code.to_owned(), message: message.to_owned(), remedy: None };
        name(&mut walk.faults, fault);
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH_MAX {
            self.walk.borrow_mut().too_deep = true;
            return Err(E::custom("refused"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    /// Noted and not refused at once: what is no JSON at all is told that first.
    fn top_must_be_object(self) {
        self.walk.borrow_mut().no_object |= self.depth == 0;
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.top_must_be_object();
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.top_must_be_object();
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.top_must_be_object();
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.top_must_be_object();
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.top_must_be_object();
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.top_must_be_object();
        if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            self.fault("control_character", "The text contains control characters.");
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.top_must_be_object();
        let inner = self.deeper()?;
        for index in 0.. {
            self.walk.borrow_mut().path.push(index.to_string());
            let more = items.next_element_seed(inner)?;
            self.walk.borrow_mut().path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            self.walk.borrow_mut().path.push(key.clone());
            if !seen.insert(key) {
                self.fault("duplicate", "This field is given twice.");
            }
            members.next_value_seed(inner)?;
            self.walk.borrow_mut().path.pop();
        }
        Ok(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("not JSON"))
    }
}

/// For optional fields of changes, where leaving out and `null` differ: `#[serde(default, deserialize_with = "given")]`
/// makes a missing field `None` and `null` `Some(None)`.
pub fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some).map_err(D::Error::custom)
}

/// For fields that may be left out and are no `null`: `#[serde(default, deserialize_with = "unless_left_out")]`.
pub fn unless_left_out<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For instants, `#[serde(deserialize_with = "instant")]`: refused in words of ours.
pub fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("an instant must be written as in 2026-11-30T09:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Order {
        name: String,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        free: serde_json::Value,
        #[serde(default)]
        count: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Item {
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Refund,
        FreeRepair,
    }

    #[test]
    fn one_fault_hides_no_other() {
        let named = |body: &str| -> Vec<(String, String)> {
            let problem = parse_strictly::<Order>(body.as_bytes()).expect_err(body);
            problem.errors.into_iter().map(|error| (error.field, error.code)).collect()
        };
        let faults = |faults: &[(&str, &str)]| -> Vec<(String, String)> {
            faults.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect()
        };
        assert_eq!(
            named(r#"{"name":"a\u0000","free":{"x":1,"x":"\u0007"},"count":"b","nmae":1,"items":[{"kind":"gift"}]}"#),
            faults(&[
                ("name", "control_character"),
                ("free.x", "duplicate"),
                ("count", "invalid_type"),
                ("nmae", "unknown_field"),
                ("items.0.kind", "unknown_value"),
            ])
        );
        assert_eq!(
            named(r#"{"name":"a","name":"b","count":256}"#),
            faults(&[("name", "duplicate"), ("count", "invalid_type")])
        );
        // What is no JSON is told before what is wrong in it.
        assert_eq!(refused(r#"{"name":"a\u0000","free":[}"#), is(400, "", "malformed_json"));
    }

    #[test]
    fn every_parameter_at_fault_is_named() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only whether it can be read matters")]
        struct Wanted {
            only: Option<bool>,
            most: Option<u8>,
        }
        let read = |query: &str| {
            let (mut parts, ()) =
                axum::http::Request::get(format!("/?{query}")).body(()).expect("a request").into_parts();
            tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime")
                .block_on(ApiQuery::<Wanted>::from_request_parts(&mut parts, &()))
        };
        let problem = read("only=yes&most=x&color=red").expect_err("wrong");
        let named: Vec<&str> = problem.errors.iter().map(|error| &*error.field).collect();
        assert_eq!((problem.status.as_u16(), &*problem.code), (400, "invalid_query"));
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(["only", "most", "color"].iter().all(|field| named.contains(field)), "{named:?}");
        assert!(read("only=true&most=7").is_ok());
    }

    fn refused(body: &str) -> (u16, String, String) {
        let problem = parse_strictly::<Order>(body.as_bytes()).expect_err(body);
        let (field, code) = problem
            .errors
            .first()
            .map_or((String::new(), problem.code.to_string()), |e| (e.field.clone(), e.code.clone()));
        (problem.status.as_u16(), field, code)
    }

    fn is(status: u16, field: &str, code: &str) -> (u16, String, String) {
        (status, field.to_owned(), code.to_owned())
    }

    #[test]
    fn reads_what_is_right() {
        let order: Order = parse_strictly(br#"{"name":"a\n\tb","items":[{"kind":"refund"},{"kind":"free_repair"}],"free":{"a":[1,2.5,null,true,-3]}}"#).expect("right");
        assert_eq!(order.items.len(), 2);
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(refused(r#"{"name":"a","nmae":"b"}"#), is(422, "nmae", "unknown_field"));
        assert_eq!(refused(r"{}"), is(422, "name", "missing"));
        assert_eq!(refused(r#"{"name":5}"#), is(422, "name", "invalid_type"));
        assert_eq!(refused(r#"{"name":null}"#), is(422, "name", "invalid_type"));
        assert_eq!(refused(r#"{"name":["a"]}"#), is(422, "name", "invalid_type"));
        assert_eq!(refused(r#"{"name":"a","count":256}"#), is(422, "count", "invalid_type"));
        assert_eq!(refused(r#"{"name":"a","count":9007199254740993}"#), is(422, "count", "invalid_type"));
        assert_eq!(refused(r#"{"name":"a","name":"b"}"#), is(422, "name", "duplicate"));
        assert_eq!(refused(r#"{"name":"a","free":{"x":[{"y":1,"y":2}]}}"#), is(422, "free.x.0.y", "duplicate"));
        assert_eq!(refused(r#"{"name":"a\u0000"}"#), is(422, "name", "control_character"));
        assert_eq!(refused("{\"name\":\"a\u{85}\"}"), is(422, "name", "control_character"));
        assert_eq!(refused(r#"{"name":"a","items":[{"kind":"gift"}]}"#), is(422, "items.0.kind", "unknown_value"));
        assert_eq!(refused(r#"{"name":"a","items":[{}]}"#), is(422, "items.0.kind", "missing"));
        assert_eq!(refused(r#"{"name":"a","items":[{"kind":"refund","x":1}]}"#), is(422, "items.0.x", "unknown_field"));
        assert_eq!(refused(r#"{"name":"a","items":[["refund"]]}"#), is(422, "items.0", "invalid_type"));
        assert_eq!(
            refused(r#"{"name":"a","items":[{"kind":{"refund":null}}]}"#),
            is(422, "items.0.kind", "invalid_type")
        );
    }

    #[test]
    fn refuses_what_is_no_object() {
        for body in ["[]", r#"["a"]"#, "5", "-5", "1.5", r#""a""#, "null", "true"] {
            assert_eq!(refused(body), is(422, "", "invalid_type"), "{body}");
        }
        for body in [
            "",
            "{",
            r#"{"name":"a"}x"#,
            r#"{"name":"a",}"#,
            "{'name':'a'}",
            r#"{"name":"\ud800"}"#,
            "\u{feff}{}",
            r#"{"name":"a"}{"name":"b"}"#,
            "[",
            "[1,",
            r#"{"name":"a\u0000""#,
        ] {
            assert_eq!(refused(body), is(400, "", "malformed_json"), "{body}");
        }
        let problem = parse_strictly::<Order>(b"{\"name\":\"\xff\"}").expect_err("not UTF-8");
        assert_eq!((problem.status.as_u16(), &*problem.code), (400, "malformed_json"));
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!(r#"{{"name":"a","free":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(parse_strictly::<Order>(nested(JSON_DEPTH_MAX - 1).as_bytes()).is_ok());
        assert_eq!(refused(&nested(JSON_DEPTH_MAX)), is(400, "", "too_deep"));
        assert_eq!(refused(&nested(100_000)), is(400, "", "too_deep"));
        assert_eq!(refused(&"[".repeat(200_000)), is(400, "", "too_deep"));
    }

    #[test]
    fn what_readers_say_is_put_into_words_of_ours() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only whether it can be read matters")]
        struct Mixed {
            files: Option<Vec<complaint_core::id::AttachmentId>>,
            on: Option<chrono::NaiveDate>,
            absence: Option<Away>,
            number: Option<u8>,
            fraction: Option<f64>,
            open: Option<bool>,
            level: Option<complaint_core::id::Level>,
            text: Option<String>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only whether it can be read matters")]
        struct Away {
            #[serde(deserialize_with = "instant")]
            from: DateTime<Utc>,
        }
        let day = "Expected a day, as in 2026-11-30.";
        let instant = "an instant must be written as in 2026-11-30T09:00:00Z";
        for (body, field, message) in [
            (r#"{"files":["zzz"]}"#, "files.0", "attachment id must be a hyphenated UUID"),
            (r#"{"files":["00000000000000000000000000000007"]}"#, "files.0", "attachment id must be a hyphenated UUID"),
            (r#"{"files":[7]}"#, "files.0", "Expected a text."),
            (r#"{"files":"zzz"}"#, "files", "Expected a list."),
            (r#"{"on":"tomorrow"}"#, "on", day),
            (r#"{"on":"2026-02-30"}"#, "on", day),
            (r#"{"on":""}"#, "on", day),
            (r#"{"on":7}"#, "on", "Expected a day, as in 2026-11-30."),
            (r#"{"absence":{"from":"2026-11-30"}}"#, "absence.from", instant),
            (r#"{"absence":{"from":7}}"#, "absence.from", "Expected a text."),
            (r#"{"number":-1}"#, "number", "Expected a whole number, not below 0 and not too large."),
            (r#"{"number":1.5}"#, "number", "Expected a whole number, not below 0 and not too large."),
            (r#"{"fraction":"a"}"#, "fraction", "Expected a number."),
            (r#"{"open":"yes"}"#, "open", "Expected true or false."),
            (r#"{"level":10}"#, "level", "level must be a number from 1 to 9"),
            (r#"{"text":[]}"#, "text", "Expected a text."),
        ] {
            let problem = parse_strictly::<Mixed>(body.as_bytes()).expect_err(body);
            assert_eq!((&*problem.errors[0].field, &*problem.errors[0].message), (field, message), "{body}");
        }
    }

    #[test]
    fn type_names_of_ours_stay_inside() {
        let problem = parse_strictly::<Order>(br#"{"name":"a","items":[7]}"#).expect_err("wrong");
        let text = serde_json::to_string(&problem).expect("serialises");
        assert!(!text.contains("Item") && !text.contains("struct"), "{text}");
    }
}
