//! Query parameters: strictly, and naming the one at fault.
//!
//! Which parameters a door has, its description says: what is not described is refused before the door is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use crate::error::Problem;

/// The names of the parameters of every door, by method and path.
pub(crate) type Known = Arc<BTreeMap<(Method, String), BTreeSet<String>>>;

/// What the description says of parameters.
pub(crate) fn described(document: &OpenApi) -> Known {
    let names = |operation: &Operation| -> BTreeSet<String> {
        let parameters = operation.parameters.iter().flatten();
        let asked = parameters.filter_map(|parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
            _ => None,
        });
        asked.collect()
    };
    let mut known = BTreeMap::new();
    for (path, item) in &document.paths.paths {
        for (method, operation) in [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ] {
            if let Some(operation) = operation {
                known.insert((method, path.clone()), names(operation));
            }
        }
    }
    Arc::new(known)
}

/// Refuses parameters that the door does not have: passed over, a filter with a typing error would show everything.
pub(crate) async fn only_described(State(known): State<Known>, request: Request, next: Next) -> Response {
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    // Who watches over a server adds what they like to its addresses.
    if path.starts_with("/api/v1/")
        && let Some(known) = known.get(&(method, path))
    {
        let query = request.uri().query().unwrap_or_default();
        let mut unknown = None;
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(name.as_ref()) {
                Problem::add(&mut unknown, wrong(&name, "unknown_field", "There is no such parameter."));
            }
        }
        if let Some(unknown) = unknown {
            // Where nothing is done by asking, the door says what else is wrong with the parameters.
            let door = if request.method().is_safe() { Some(next.run(request).await) } else { None };
            let also = door.and_then(|mut answer| answer.extensions_mut().remove::<Problem>());
            return unknown.and_more(also.filter(|also| &*also.code == INVALID_QUERY)).into_response();
        }
    }
    next.run(request).await
}

/// Has every parameter of a query read, in their order; those left empty are left out, because a form sends its empty fields too. Each
/// may be given once, but for `repeatable` ones.
///
/// # Errors
/// 400 naming all that are at fault.
pub(crate) fn parameters(
    query: Option<&str>,
    repeatable: &[&str],
    mut read: impl FnMut(&str, &str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut faults = None;
    let mut seen = BTreeSet::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let value = value.trim();
        let read = if !repeatable.contains(&name.as_ref()) && !seen.insert(name.clone()) {
            Err(wrong(&name, "duplicate", "This parameter is given twice."))
        } else if value.chars().any(char::is_control) {
            Err(wrong(&name, "control_character", "The text contains control characters."))
        } else if value.contains(char::REPLACEMENT_CHARACTER) {
            Err(wrong(&name, "invalid", "The text is not UTF-8."))
        } else if value.is_empty() {
            Ok(())
        } else {
            read(&name, value)
        };
        if let Err(fault) = read {
            Problem::add(&mut faults, fault);
        }
    }
    faults.map_or(Ok(()), Err)
}

/// Which page of a list is wanted.
pub(super) struct PageQuery<C> {
    pub(super) limit: u16,
    pub(super) cursor: Option<C>,
}

/// Reads `limit` (left out: `usual`) and `cursor`, which `place` knows to read; `other` says whether it knows any other parameter, which
/// it then keeps.
pub(super) fn page<C>(
    query: Option<&str>,
    usual: u16,
    most: u16,
    place: impl Fn(&str) -> Result<C, Problem>,
    mut other: impl FnMut(&str, &str) -> Result<bool, Problem>,
) -> Result<PageQuery<C>, Problem> {
    let mut page = PageQuery { limit: usual, cursor: None };
    parameters(query, &[], |name, value| {
        match name {
            "limit" => page.limit = limit(value, most)?,
            "cursor" => page.cursor = Some(place(value)?),
            name if other(name, value)? => {}
            name => return Err(wrong(name, "unknown_field", "There is no such parameter.")),
        }
        Ok(())
    })?;
    Ok(page)
}

/// A page size of 1 to `most`.
pub(super) fn limit(value: &str, most: u16) -> Result<u16, Problem> {
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    let limit = value.parse().ok().filter(|limit| is_number && (1..=most).contains(limit));
    limit.ok_or_else(|| wrong("limit", "out_of_range", &format!("A whole number from 1 to {most}.")))
}

/// A cursor as clients see it: opaque, so that nobody builds upon what is in it.
pub(super) fn encoded(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// What is in a cursor.
///
/// # Errors
/// 400 for what no page can have given.
pub(super) fn cursor<T>(value: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
    let place = URL_SAFE_NO_PAD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    place.and_then(|place| read(&place)).ok_or_else(|| wrong("cursor", "invalid", "The next of an earlier page."))
}

const INVALID_QUERY: &str = "invalid_query";

/// 400 naming a parameter.
pub(crate) fn wrong(parameter: &str, code: &str, message: &str) -> Problem {
    Problem::malformed(INVALID_QUERY, format!("{parameter}: {message}")).field(parameter, code, message)
}
/// Whether the caller has this version: its quoted tag is among those of `If-None-Match`.
pub(super) fn is_known(headers: &HeaderMap, current: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        // Weak comparison (RFC 9110, section 13.1.2): caches may have weakened it.
        .any(|tag| tag.trim().trim_start_matches("W/") == current || tag.trim() == "*")
}
