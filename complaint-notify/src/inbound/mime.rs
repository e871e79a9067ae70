//! The parts of a message, found in one pass over its lines.
//!
//! Fields and encodings are read by `mail-parser`. The tree is not: its own is as deep and as wide as whoever wrote the message
//! likes, and bytes are decoded before anybody can ask how many there are. Here nothing is decoded, nothing recurs, and each line
//! is looked at once.

use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};

use super::message::{Limits, Unreadable};

/// How the bytes of a part are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    AsIs,
    Base64,
    QuotedPrintable,
}

/// A part that is no container.
#[derive(Debug)]
pub(super) struct Leaf<'m> {
    /// `type/subtype`, lower case.
    pub(super) media_type: String,
    pub(super) charset: Option<String>,
    pub(super) name: Option<String>,
    /// Whether the sender says that it is enclosed, not read.
    pub(super) enclosed: bool,
    /// RFC 3676: a space at the end of a line says that it goes on.
    pub(super) flowed: bool,
    pub(super) encoding: Encoding,
    pub(super) body: &'m [u8],
    /// The outermost `multipart/alternative` that it is a version of.
    pub(super) alternative: Option<usize>,
}

/// A message taken apart.
#[derive(Debug)]
pub(super) struct Parts<'m> {
    /// The bytes of the message's own fields.
    pub(super) head: &'m [u8],
    /// The bytes after them.
    pub(super) body: &'m [u8],
    pub(super) media_type: String,
    /// RFC 6522: what a `multipart/report` reports.
    pub(super) report_type: Option<String>,
    /// In the order of the message. What stands before the first part of a container or after its last is a part of its own: it
    /// should say nothing, but in a broken message it holds what somebody wrote.
    pub(super) leaves: Vec<Leaf<'m>>,
    /// Bytes looked at, a line again for each boundary that it was compared with.
    pub(super) work: usize,
}

/// An open container.
struct Container {
    boundary: Vec<u8>,
    digest: bool,
    alternative: Option<usize>,
}

/// Takes a message apart.
pub(super) fn parts<'m>(raw: &'m [u8], limits: &Limits) -> Result<Parts<'m>, Unreadable> {
    let mut walk = Walk { raw, limits, open: Vec::new(), leaves: Vec::new(), count: 0, header_bytes: 0, work: 0 };
    let after = walk.header_end(0)?;
    let head = &raw[..after];
    let fields = Fields::of(head);
    let media_type = fields.media_type(false);
    let report_type = fields.attribute("report-type").map(str::to_ascii_lowercase);
    walk.run(after, &fields)?;
    Ok(Parts { head, body: &raw[after..], media_type, report_type, leaves: walk.leaves, work: walk.work })
}

/// The fields of one part.
pub(super) struct Fields<'m>(Option<Message<'m>>);

impl<'m> Fields<'m> {
    pub(super) fn of(head: &'m [u8]) -> Self {
        Self(MessageParser::default().parse_headers(head))
    }

    pub(super) fn message(&self) -> Option<&Message<'m>> {
        self.0.as_ref()
    }

    fn value(&self, name: HeaderName<'m>) -> Option<&HeaderValue<'m>> {
        self.0.as_ref()?.header(name)
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.value(HeaderName::ContentType)?.as_content_type()?.attribute(name)
    }

    fn media_type(&self, in_digest: bool) -> String {
        let content_type = self.value(HeaderName::ContentType).and_then(HeaderValue::as_content_type);
        match content_type.map(|it| (it.ctype(), it.subtype())) {
            Some((kind, Some(subtype))) if !kind.is_empty() => format!("{kind}/{subtype}").to_ascii_lowercase(),
            // RFC 2046, 5.1.5.
            None if in_digest => "message/rfc822".to_owned(),
            // RFC 2045, 5.2: what cannot be read as a type is text.
            _ => "text/plain".to_owned(),
        }
    }

    fn leaf(&self, media_type: String, body: &'m [u8], alternative: Option<usize>) -> Leaf<'m> {
        let disposition = self.value(HeaderName::ContentDisposition).and_then(HeaderValue::as_content_type);
        let encoding = self.value(HeaderName::ContentTransferEncoding).and_then(HeaderValue::as_text).map(str::trim);
        let name = disposition.and_then(|it| it.attribute("filename")).or_else(|| self.attribute("name"));
        Leaf {
            media_type,
            charset: self.attribute("charset").map(str::to_owned),
            name: name.map(str::to_owned),
            enclosed: disposition.is_some_and(|it| it.ctype().eq_ignore_ascii_case("attachment")),
            flowed: self.attribute("format").is_some_and(|it| it.eq_ignore_ascii_case("flowed")),
            encoding: match encoding {
                Some(it) if it.eq_ignore_ascii_case("base64") => Encoding::Base64,
                Some(it) if it.eq_ignore_ascii_case("quoted-printable") => Encoding::QuotedPrintable,
                _ => Encoding::AsIs,
            },
            body,
            alternative,
        }
    }
}

struct Walk<'m, 'l> {
    raw: &'m [u8],
    limits: &'l Limits,
    open: Vec<Container>,
    leaves: Vec<Leaf<'m>>,
    count: usize,
    header_bytes: usize,
    work: usize,
}

impl<'m> Walk<'m, '_> {
    fn run(&mut self, mut at: usize, fields: &Fields<'m>) -> Result<(), Unreadable> {
        let mut waiting = self.begin(fields, false)?;
        let mut start = at;
        while at < self.raw.len() {
            let line = line_at(self.raw, at);
            let Some((level, closes)) = self.boundary(line) else {
                at += line.len();
                continue;
            };
            self.end(waiting.take(), &self.raw[start..before_line_end(self.raw, start, at)]);
            self.open.truncate(if closes { level } else { level + 1 });
            at += line.len();
            start = at;
            if !closes {
                let in_digest = self.open.last().is_some_and(|container| container.digest);
                let after = self.header_end(at)?;
                // Borrowed from the message, not from the walk.
                let head: &'m [u8] = self.raw.get(at..after).unwrap_or_default();
                waiting = self.begin(&Fields::of(head), in_digest)?;
                at = after;
                start = after;
            }
        }
        let rest = self.raw.get(start..).unwrap_or_default();
        self.end(waiting, rest);
        Ok(())
    }

    /// Opens a part: a container, or a leaf that waits for its bytes.
    fn begin(&mut self, fields: &Fields<'m>, in_digest: bool) -> Result<Option<Leaf<'m>>, Unreadable> {
        self.count += 1;
        if self.count > self.limits.parts {
            return Err(Unreadable::TooManyParts { max: self.limits.parts });
        }
        let media_type = fields.media_type(in_digest);
        let above = self.open.last().and_then(|container| container.alternative);
        match (media_type.strip_prefix("multipart/"), fields.attribute("boundary")) {
            (Some(subtype), Some(boundary)) if !boundary.is_empty() => {
                if self.open.len() >= self.limits.depth {
                    return Err(Unreadable::TooDeep { max: self.limits.depth });
                }
                self.open.push(Container {
                    boundary: boundary.trim_end().as_bytes().to_vec(),
                    digest: subtype == "digest",
                    alternative: above.or_else(|| (subtype == "alternative").then_some(self.count)),
                });
                Ok(None)
            }
            // A container that does not say where its parts end holds one text.
            (Some(_), _) => Ok(Some(fields.leaf("text/plain".to_owned(), &[], above))),
            (None, _) => Ok(Some(fields.leaf(media_type, &[], above))),
        }
    }

    fn end(&mut self, waiting: Option<Leaf<'m>>, body: &'m [u8]) {
        if let Some(leaf) = waiting {
            self.leaves.push(Leaf { body, ..leaf });
        } else if says_something(body) {
            self.leaves.push(Leaf {
                media_type: "text/plain".to_owned(),
                charset: None,
                name: None,
                enclosed: false,
                flowed: false,
                encoding: Encoding::AsIs,
                body,
                alternative: None,
            });
        }
    }

    /// Which open container a line is a boundary of, the innermost first, and whether it ends it. RFC 2046, 5.1.1.
    fn boundary(&mut self, line: &[u8]) -> Option<(usize, bool)> {
        self.work += line.len();
        let mark = line.trim_ascii_end().strip_prefix(b"--")?;
        for (level, container) in self.open.iter().enumerate().rev() {
            self.work += mark.len();
            if let Some(rest) = mark.strip_prefix(container.boundary.as_slice())
                && matches!(rest, b"" | b"--")
            {
                return Some((level, rest == b"--"));
            }
        }
        None
    }

    /// Where the body begins whose fields begin at `from`: after the empty line, or at the first line that is none of a header.
    fn header_end(&mut self, from: usize) -> Result<usize, Unreadable> {
        let mut at = from;
        while at < self.raw.len() {
            let line = line_at(self.raw, at);
            if matches!(line, b"\n" | b"\r\n") {
                at += line.len();
                break;
            }
            let first = at == from;
            // A mailbox file puts a line of its own before each message.
            let of_mailbox = first && from == 0 && (line.starts_with(b"From ") || line.starts_with(b">From "));
            let goes_on = !first && matches!(line.first(), Some(b' ' | b'\t'));
            if self.boundary(line).is_some() || !(of_mailbox || goes_on || is_field(line)) {
                break;
            }
            at += line.len();
            if at - from > self.limits.headers {
                return Err(Unreadable::HeadersTooLong { max: self.limits.headers });
            }
        }
        if from > 0 {
            self.header_bytes += at - from;
            if self.header_bytes > self.limits.headers {
                return Err(Unreadable::HeadersTooLong { max: self.limits.headers });
            }
        }
        Ok(at)
    }
}

/// RFC 5322, 2.2: visible ASCII and a colon. Some write a space before the colon.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let name = line[..colon].trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// Whether what stands between parts may be more than the customary remark for programs that know no MIME.
fn says_something(between: &[u8]) -> bool {
    let remark = |line: &[u8]| line.windows(4).any(|window| window.eq_ignore_ascii_case(b"MIME"));
    between.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).any(|line| !line.is_empty() && !remark(line))
}

/// A line with its end.
fn line_at(raw: &[u8], at: usize) -> &[u8] {
    let rest = raw.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
    &rest[..end]
}

/// The line end before a boundary belongs to the boundary.
fn before_line_end(raw: &[u8], start: usize, at: usize) -> usize {
    let body = &raw[start..at];
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    start + body.strip_suffix(b"\r").unwrap_or(body).len()
}
