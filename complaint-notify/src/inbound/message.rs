//! One message, read.

use std::borrow::Cow;
use std::fmt;

use complaint_core::reference::Reference;
use complaint_core::text::turns_direction;
use mail_parser::HeaderName;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use sha2::{Digest, Sha256};

use super::authentication::Authentication;
use super::html;
use super::kind::Kind;
use super::mime::{self, Encoding, Fields, Leaf};
use super::quote;
use crate::header;

/// How much of a message is read. The defaults are meant for mail from anybody.
///
/// Reading takes time in proportion to the size of the message, and at most about 8 MiB beside the message itself: files are not
/// decoded before somebody [asks for their bytes](Attachment::bytes).
///
/// ```
/// use complaint_notify::inbound::{Inbound, Limits, Unreadable};
///
/// let limits = Limits { size: 40, ..Limits::default() };
/// let long = format!("From: a@example.org\n\n{}", "x".repeat(40));
/// assert_eq!(Inbound::read(long.as_bytes(), &limits).unwrap_err(), Unreadable::TooLarge { max: 40 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message.
    pub size: usize,
    /// Bytes of the message's own fields, and of those of all its parts together.
    pub headers: usize,
    /// Containers inside each other.
    pub depth: usize,
    /// Parts, containers included.
    pub parts: usize,
    /// Bytes of a part that is read as text, as they stand in the message; a longer one is a file.
    pub text: usize,
}

impl Default for Limits {
    /// 25 MiB, 64 KiB, 20, 200 and 512 KiB.
    fn default() -> Self {
        Self { size: 25 << 20, headers: 64 << 10, depth: 20, parts: 200, text: 512 << 10 }
    }
}

/// Why a message is not read; example: [`Limits`]. Its bytes are as good as they were: keep them for a person to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing.
    #[error("the message is empty")]
    Empty,
    /// [`Limits::size`].
    #[error("the message is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// [`Limits::headers`].
    #[error("the fields of the message, or those of its parts together, are longer than {max} bytes")]
    HeadersTooLong {
        /// The limit.
        max: usize,
    },
    /// [`Limits::depth`].
    #[error("the parts of the message are nested more than {max} deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// [`Limits::parts`].
    #[error("the message has more than {max} parts")]
    TooManyParts {
        /// The limit.
        max: usize,
    },
}

/// A file that came with a message.
///
/// ```
/// use complaint_notify::inbound::{Inbound, Limits};
///
/// let raw = b"From: a@example.org\nContent-Type: text/csv; name=\"../a.csv\"\nContent-Transfer-Encoding: base64\n\nYSxiCg==\n";
/// let mail = Inbound::read(raw, &Limits::default())?;
/// let [file] = mail.attachments() else { panic!("one") };
/// assert_eq!((file.name(), file.media_type(), &*file.bytes()), ("a.csv", "text/csv", &b"a,b\n"[..]));
/// # Ok::<(), complaint_notify::inbound::Unreadable>(())
/// ```
#[derive(Clone)]
pub struct Attachment<'m> {
    name: String,
    media_type: String,
    encoding: Encoding,
    body: &'m [u8],
}

impl<'m> Attachment<'m> {
    /// Its name, as given, without folders and control characters; one of ours where none is given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the sender says it is, `type/subtype` in lower case. Believe the bytes.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Its bytes, decoded. What cannot be decoded is given as it stands in the message.
    pub fn bytes(&self) -> Cow<'m, [u8]> {
        decoded(self.encoding, self.body)
    }
}

impl fmt::Debug for Attachment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .finish_non_exhaustive()
    }
}

/// A message, read. Borrows the bytes.
///
/// Example: [the module](super).
#[derive(Debug)]
pub struct Inbound<'m> {
    pub(super) fields: Vec<(String, String)>,
    pub(super) media_type: String,
    pub(super) report_type: Option<String>,
    /// The types of what is in it.
    pub(super) part_types: Vec<String>,
    message_id: Option<String>,
    senders: Vec<String>,
    sender_name: Option<String>,
    recipients: Vec<String>,
    subject: String,
    text: String,
    signature: String,
    quoted: String,
    attachments: Vec<Attachment<'m>>,
    content_hash: [u8; 32],
    work: usize,
}

impl<'m> Inbound<'m> {
    /// Reads one message.
    ///
    /// Whatever is wrong with it, no text in it is lost: what cannot be understood as what it says it is, is taken for text or for a
    /// file. Bytes that are no text in the character set they name are read in one that knows every byte (Windows-1252).
    ///
    /// # Errors
    /// [`Unreadable`] beyond a limit.
    pub fn read(raw: &'m [u8], limits: &Limits) -> Result<Self, Unreadable> {
        if raw.trim_ascii().is_empty() {
            return Err(Unreadable::Empty);
        }
        if raw.len() > limits.size {
            return Err(Unreadable::TooLarge { max: limits.size });
        }
        let parts = mime::parts(raw, limits)?;
        let part_types = parts.leaves.iter().map(|leaf| leaf.media_type.clone()).collect();
        let (written, attachments) = Self::contents(parts.leaves, limits);
        let quote::Folded { text, signature, quoted } = quote::fold(&written);

        let head = Fields::of(parts.head);
        let head = head.message();
        let all = |name: HeaderName<'m>| -> Vec<(Option<String>, String)> {
            let values = head.into_iter().flat_map(|head| head.header_values(name.clone()));
            let addresses = values.filter_map(|value| value.as_address()).flat_map(|list| list.iter());
            let named = addresses.filter_map(|it| Some((it.name().map(str::to_owned), address(it.address()?)?)));
            named.collect()
        };
        let from = all(HeaderName::From);
        let fields = fields(parts.head, head);
        let mut recipients: Vec<String> =
            all(HeaderName::To).into_iter().chain(all(HeaderName::Cc)).map(|(_, address)| address).collect();
        for name in ["delivered-to", "x-original-to", "envelope-to"] {
            let values = fields.iter().filter(|(field, _)| field == name);
            recipients.extend(values.filter_map(|(_, value)| address(value.trim_matches(['<', '>']))));
        }
        let subject = head.and_then(|head| head.subject()).map(one_line).unwrap_or_default();
        let mut hash = Sha256::new();
        for (name, value) in &fields {
            if matches!(name.as_str(), "from" | "date" | "subject" | "message-id") {
                hash.update(name.as_bytes());
                hash.update([0]);
                hash.update(value.as_bytes());
                hash.update([0]);
            }
        }
        hash.update(parts.body);
        Ok(Self {
            media_type: parts.media_type,
            report_type: parts.report_type,
            part_types,
            message_id: head
                .and_then(|head| head.message_id())
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(one_line),
            // Two fields of the name, or two people in one: nobody can say who it was.
            sender_name: from
                .first()
                .and_then(|(name, _)| name.as_deref())
                .map(one_line)
                .filter(|name| !name.is_empty()),
            senders: from.into_iter().map(|(_, address)| address).collect(),
            recipients,
            subject,
            text,
            signature,
            quoted,
            attachments,
            content_hash: hash.finalize().into(),
            work: parts.work,
            fields,
        })
    }

    /// `Message-ID` without its brackets, as the sender chose it.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    /// The address in `From`, in lower case, if there is exactly one that mail can be sent to. That it is true is for
    /// [`Inbound::authentication`] to say. `Reply-To` and `Sender` say nothing about who wrote.
    pub fn sender(&self) -> Option<&str> {
        match self.senders.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The name in `From`.
    pub fn sender_name(&self) -> Option<&str> {
        self.sender_name.as_deref()
    }

    /// Whom it was sent to, in lower case: good for finding our own addresses, and for nothing else.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// The subject, in one line; may be empty.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The reference in the subject, if it names one. Anybody can type one.
    pub fn mentions(&self) -> Option<Reference> {
        let words = self.subject.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.filter(|word| (9..=11).contains(&word.len())).find_map(|word| word.parse().ok())
    }

    /// What the sender wrote this time. Line ends are LF; there is no control character but those and TAB.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stood below it as a signature.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// What of an earlier message it repeats.
    pub fn quoted(&self) -> &str {
        &self.quoted
    }

    /// What came with it, in its order.
    pub fn attachments(&self) -> &[Attachment<'m>] {
        &self.attachments
    }

    /// What kind of message it is.
    pub fn kind(&self) -> Kind {
        Kind::of(self)
    }

    /// What the receiving mail server of this name (`authserv-id`, RFC 8601) found out about the sender: in its topmost
    /// `Authentication-Results` only, because everything below may come from the sender.
    pub fn authentication(&self, host: &str) -> Authentication {
        let results = self.values("authentication-results");
        Authentication::of(results, host, self.sender())
    }

    /// SHA-256 over what two copies of one message have in common on whatever way they came: sender, date, subject, id, body.
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// Bytes looked at to take the message apart, a line again for each boundary that it was compared with. At most
    /// `size × (2 + depth)`, for almost all messages little more than their size.
    pub fn work(&self) -> usize {
        self.work
    }

    /// The values of a field of the message, top to bottom, each in one line. `name` is in lower case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    pub(super) fn senders_as_given(&self) -> Option<&str> {
        self.value("from")
    }

    /// What is read and what is enclosed.
    fn contents(leaves: Vec<Leaf<'m>>, limits: &Limits) -> (String, Vec<Attachment<'m>>) {
        let mut read: Vec<(Option<usize>, bool, String)> = Vec::new();
        let mut attachments = Vec::new();
        for leaf in leaves {
            let subtype = leaf.media_type.strip_prefix("text/");
            let is_data =
                matches!(subtype, None | Some("calendar" | "csv" | "vcard" | "x-vcard" | "directory" | "rtf"));
            if is_data || leaf.enclosed || leaf.name.is_some() || leaf.body.len() > limits.text {
                if !leaf.body.trim_ascii().is_empty() {
                    attachments.push(enclosed(leaf, attachments.len() + 1));
                }
                continue;
            }
            let text = characters(&decoded(leaf.encoding, leaf.body), leaf.charset.as_deref());
            let is_html = subtype == Some("html");
            let text = match (is_html, leaf.flowed) {
                // Cleaned again: an entity can stand for what cannot be shown.
                (true, _) => clean(&html::to_text(&clean(&text))),
                (false, true) => unflowed(&clean(&text)),
                (false, false) => clean(&text),
            };
            if !text.trim().is_empty() {
                read.push((leaf.alternative, is_html, text));
            }
        }
        let plain: Vec<usize> = read.iter().filter(|(_, html, _)| !html).filter_map(|(of, ..)| *of).collect();
        let chosen = read.iter().filter(|(of, html, _)| !(*html && of.is_some_and(|of| plain.contains(&of))));
        let texts: Vec<&str> = chosen.map(|(_, _, text)| text.trim_matches(['\n', ' '])).collect();
        (texts.join("\n\n"), attachments)
    }
}

fn enclosed(leaf: Leaf<'_>, number: usize) -> Attachment<'_> {
    let given = leaf.name.as_deref().and_then(|name| name.rsplit(['/', '\\']).next()).map(one_line);
    let name = given.filter(|name| !name.trim_matches(['.', ' ']).is_empty()).unwrap_or_else(|| {
        let end = match leaf.media_type.as_str() {
            "message/rfc822" | "message/global" => "eml",
            "text/html" => "html",
            "text/calendar" => "ics",
            "text/csv" => "csv",
            "image/jpeg" => "jpg",
            "image/png" => "png",
            "image/gif" => "gif",
            "application/pdf" => "pdf",
            media_type if media_type.starts_with("text/") => "txt",
            _ => "bin",
        };
        format!("attachment-{number}.{end}")
    });
    Attachment { name, media_type: leaf.media_type, encoding: leaf.encoding, body: leaf.body }
}

fn decoded(encoding: Encoding, body: &[u8]) -> Cow<'_, [u8]> {
    let decoded = match encoding {
        Encoding::AsIs => None,
        Encoding::Base64 => base64_decode(body),
        Encoding::QuotedPrintable => quoted_printable_decode(body),
    };
    decoded.map_or(Cow::Borrowed(body), Cow::Owned)
}

/// Bytes as characters, none left out.
fn characters(bytes: &[u8], charset: Option<&str>) -> String {
    let charset = charset.map(|charset| charset.trim().to_ascii_lowercase()).unwrap_or_default();
    let named = match charset.as_str() {
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" => None,
        other => charset_decoder(other.as_bytes()),
    };
    if let Some(decode) = named {
        return decode(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => match charset_decoder(b"windows-1252") {
            Some(decode) => decode(bytes),
            None => String::from_utf8_lossy(bytes).into_owned(),
        },
    }
}

/// Line ends become LF; other control characters are shown as what nobody can read.
fn clean(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let unified = unified.trim_start_matches('\u{feff}');
    unified.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// RFC 3676, 4.2: a line that ends with a space goes on in the next one of the same quotation, but for the mark of a signature.
fn unflowed(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut flows_at = None;
    for line in text.lines() {
        let words = line.trim_start_matches('>');
        let depth = line.len() - words.len();
        // A space that only keeps a line from being taken for a quotation.
        let words = words.strip_prefix(' ').unwrap_or(words);
        match lines.last_mut() {
            Some(last) if flows_at == Some(depth) && words != "-- " => last.push_str(words),
            _ => lines.push(format!("{}{}{words}", &line[..depth], if depth > 0 { " " } else { "" })),
        }
        flows_at = (words.ends_with(' ') && words != "-- ").then_some(depth);
    }
    lines.join("\n")
}

/// A value of a header in one line, without what cannot be shown and what turns the direction of the rest.
fn one_line(text: &str) -> String {
    let straight = text.chars().filter(|c| !turns_direction(*c));
    let spaced: String = straight.map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address that mail can be sent to, in lower case.
fn address(text: &str) -> Option<String> {
    header::address(text.trim()).ok().map(|address| address.to_string().to_ascii_lowercase())
}

/// Every field: its name in lower case, and its value as it stands there, in one line.
fn fields(head: &[u8], parsed: Option<&mail_parser::Message<'_>>) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for header in parsed.into_iter().flat_map(mail_parser::Message::headers) {
        let (start, end) = (header.offset_start() as usize, header.offset_end() as usize);
        let value = String::from_utf8_lossy(head.get(start..end).unwrap_or_default());
        fields.push((header.name().to_ascii_lowercase(), one_line(&value)));
    }
    fields
}
