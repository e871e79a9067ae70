//! What is answered, written as XML or as JSON.

use std::fmt::Display;
use std::io;

use axum::extract::FromRequestParts;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde_json::{Map, Value};

use crate::error::Problem;

/// How an answer is written: as the address ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Xml,
    Json,
}

impl Format {
    /// By the end of a path; XML, which the specification requires of everybody, where it says nothing.
    pub(crate) fn of(path: &str) -> Self {
        if path.rsplit('.').next() == Some("json") { Self::Json } else { Self::Xml }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts.uri.path()))
    }
}

/// A part of an answer, which both formats are made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Flag(bool),
    /// As it is written.
    Number(serde_json::Number),
    /// Known to be there in general, but not here.
    Nothing,
    Fields(Vec<(&'static str, Node)>),
    /// What each is called in XML, where JSON has no names.
    List(&'static str, Vec<Node>),
}

impl Node {
    pub(super) fn text(text: impl Display) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn maybe(text: Option<impl Display>) -> Self {
        text.map_or(Self::Nothing, Self::text)
    }

    /// An instant in whole seconds of UTC, as the W3C's note on dates has it.
    pub(super) fn instant(at: DateTime<Utc>) -> Self {
        Self::Text(at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    fn json(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text),
            Self::Flag(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Nothing => Value::Null,
            Self::Fields(fields) => {
                let fields = fields.into_iter().map(|(name, node)| (name.to_owned(), node.json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Self::List(_, items) => items.into_iter().map(Self::json).collect(),
        }
    }

    fn write(&self, name: &str, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let element = xml.create_element(name);
        match self {
            Self::Text(text) => element.write_text_content(BytesText::new(&writable(text)))?,
            Self::Flag(flag) => element.write_text_content(BytesText::new(if *flag { "true" } else { "false" }))?,
            Self::Number(number) => element.write_text_content(BytesText::new(&number.to_string()))?,
            Self::Nothing => element.write_empty()?,
            Self::Fields(fields) => {
                element.write_inner_content(|xml| fields.iter().try_for_each(|(name, node)| node.write(name, xml)))?
            }
            Self::List(item, items) => {
                element.write_inner_content(|xml| items.iter().try_for_each(|node| node.write(item, xml)))?
            }
        };
        Ok(())
    }
}

/// What XML 1.0 cannot hold at all, however it is escaped (section 2.2), is shown as missing: one such character would make the
/// whole list unreadable.
fn writable(text: &str) -> String {
    let fits = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if fits(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// A whole answer; in XML `root` is around it.
pub(super) fn answer(format: Format, status: StatusCode, root: &str, node: Node) -> Result<Response, Problem> {
    let (kind, body) = match format {
        Format::Json => ("application/json; charset=utf-8", node.json().to_string().into_bytes()),
        Format::Xml => {
            let mut xml = Writer::new(Vec::new());
            let written = xml
                .write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))
                .and_then(|()| node.write(root, &mut xml));
            written.map_err(|error| Problem::internal(&error))?;
            ("text/xml; charset=utf-8", xml.into_inner())
        }
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// A refusal in the form of the specification, which knows 400 for whatever is wrong with values and 403 for keys.
pub(crate) fn refused(format: Format, problem: &Problem) -> Response {
    let status = match problem.status {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        status => status,
    };
    let mut said: Vec<String> =
        problem
            .errors
            .iter()
            .map(|fault| {
                if fault.field.is_empty() {
                    fault.message.clone()
                } else {
                    format!("{}: {}", fault.field, fault.message)
                }
            })
            .collect();
    if said.is_empty() {
        said.push(problem.detail.as_deref().map_or_else(|| problem.title.to_string(), str::to_owned));
    }
    let error = |description| {
        Node::Fields(vec![("code", Node::Number(status.as_u16().into())), ("description", Node::Text(description))])
    };
    let errors = Node::List("error", said.into_iter().map(error).collect());
    answer(format, status, "errors", errors).unwrap_or_else(|_| status.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_stays_text_in_xml() {
        let mut xml = Writer::new(Vec::new());
        let typed = Node::text("<b>&amp;\u{ffff}\u{1f600} \"a\" ]]>\n\u{0}");
        typed.write("description", &mut xml).expect("written");
        let text = String::from_utf8(xml.into_inner()).expect("UTF-8");
        assert!(text.starts_with("<description>&lt;b&gt;&amp;amp;\u{fffd}\u{1f600} "), "{text}");
        assert!(text.ends_with("]]&gt;\n\u{fffd}</description>"), "{text}");
    }

    #[test]
    fn both_formats_say_the_same() {
        let list = Node::List("item", vec![Node::Fields(vec![("a", Node::Flag(true)), ("b", Node::Nothing)])]);
        let mut xml = Writer::new(Vec::new());
        list.write("items", &mut xml).expect("written");
        assert_eq!(xml.into_inner(), b"<items><item><a>true</a><b/></item></items>");
        assert_eq!(list.json(), serde_json::json!([{"a": true, "b": null}]));
    }
}
