//! What may stand in a header field, and how it is written there.
//!
//! Nothing is ever cleaned: a value that could end a header line, openly or inside an encoded word (RFC 2047), is refused,
//! because whoever wrote it did so on purpose and a silently changed value is a worse answer than none.

use std::fmt::Write;

use complaint_core::NotifyError;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::message::header::{Header, HeaderName, HeaderValue, To};

/// Longest value of one field, in characters. Well above a subject line (200) with everything put before it.
const VALUE_MAX: usize = 1000;
/// Longest address: RFC 5321, 4.5.3.1.3 less the angle brackets.
const ADDRESS_MAX: usize = 254;
/// Longest encoded word: RFC 2047, section 2.
const ENCODED_WORD_MAX: usize = 75;

/// Why a value may not stand in a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderFault {
    #[error("contains a control character or a line end")]
    Control,
    #[error("contains an encoded word that hides a control character")]
    HiddenControl,
    #[error("is longer than {VALUE_MAX} characters")]
    TooLong,
    #[error("is not an e-mail address")]
    NotAnAddress,
    #[error("is not a message id: letters, digits, dots, hyphens and underscores, at most 100")]
    NotAnId,
}

impl HeaderFault {
    /// The same fault, for the courier; trying again cannot help.
    pub(crate) fn of(self, field: &str) -> NotifyError {
        NotifyError::Never(format!("the {field} {self}"))
    }
}

/// Refuses a value that is not one line of text.
pub(crate) fn check(value: &str) -> Result<(), HeaderFault> {
    if value.chars().any(is_control) {
        return Err(HeaderFault::Control);
    }
    if value.chars().count() > VALUE_MAX {
        return Err(HeaderFault::TooLong);
    }
    if hides_control(value.as_bytes()) {
        return Err(HeaderFault::HiddenControl);
    }
    Ok(())
}

/// Reads an address. A domain of another script becomes its ASCII form (RFC 5891); the part before the `@` must be
/// ASCII, because few relays speak SMTPUTF8 and a copy that some hops cannot carry is lost silently.
pub(crate) fn address(text: &str) -> Result<Address, HeaderFault> {
    check(text)?;
    let (user, domain) = text.rsplit_once('@').ok_or(HeaderFault::NotAnAddress)?;
    let plain =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',' | b';' | b':' | b'"' | b'(' | b')' | b'\\');
    if text.len() > ADDRESS_MAX || !user.bytes().all(plain) || text.contains("=?") {
        return Err(HeaderFault::NotAnAddress);
    }
    let Ok(url::Host::Domain(ascii)) = url::Host::parse(domain) else {
        return Err(HeaderFault::NotAnAddress);
    };
    Address::new(user, ascii).map_err(|_| HeaderFault::NotAnAddress)
}

/// Refuses an id that cannot be the left-hand side of a `Message-ID` (dot-atom of RFC 5322) and a file name at once.
pub(crate) fn id(text: &str) -> Result<(), HeaderFault> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let dots = text.starts_with('.') || text.ends_with('.') || text.contains("..");
    if (1..=100).contains(&text.len()) && text.bytes().all(allowed) && !dots {
        Ok(())
    } else {
        Err(HeaderFault::NotAnId)
    }
}

/// A field of free text, encoded where needed so that every reader shows exactly `value`.
pub(crate) fn text(name: &'static str, value: &str) -> Result<HeaderValue, HeaderFault> {
    check(value)?;
    let name = HeaderName::new_from_ascii_str(name);
    Ok(if reads_as_encoded(value) {
        HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), encoded_words(value))
    } else {
        HeaderValue::new(name, value.to_owned())
    })
}

/// The `To` field.
pub(crate) fn to(name: Option<&str>, email: Address) -> Result<HeaderValue, HeaderFault> {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    if let Some(name) = name {
        check(name)?;
        if reads_as_encoded(name) {
            let encoded = format!("{}\r\n <{email}>", encoded_words(name));
            return Ok(HeaderValue::dangerous_new_pre_encoded(To::name(), format!("{name} <{email}>"), encoded));
        }
    }
    Ok(To::from(lettre::message::Mailboxes::from(Mailbox::new(name.map(str::to_owned), email))).display())
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// lettre leaves ASCII as it is; text that looks like an encoded word would then be decoded by the reader, and a run
/// without spaces would make a line longer than RFC 5322 allows.
fn reads_as_encoded(value: &str) -> bool {
    value.contains("=?") || value.split(' ').any(|word| word.len() > 60 && word.is_ascii())
}

/// The whole value as encoded words (`Q`, every byte in hex: no exceptions to get wrong), one per line.
fn encoded_words(value: &str) -> String {
    const START: &str = "=?utf-8?q?";
    const END: &str = "?=";
    let mut words = vec![String::from(START)];
    for c in value.chars() {
        let mut buffer = [0; 4];
        let mut hex = String::new();
        for byte in c.encode_utf8(&mut buffer).bytes() {
            // Writing into a string cannot fail.
            let _ = write!(hex, "={byte:02X}");
        }
        // A character must not be split over two words (RFC 2047, section 5).
        let full = words.last().is_some_and(|word| word.len() + hex.len() + END.len() > ENCODED_WORD_MAX - 10);
        if full {
            words.push(String::from(START));
        }
        if let Some(word) = words.last_mut() {
            word.push_str(&hex);
        }
    }
    for word in &mut words {
        word.push_str(END);
    }
    words.join("\r\n ")
}

/// Whether an encoded word, or one inside its decoded text, decodes to a control character. Reads leniently, as mail
/// programs do: missing padding and a missing end do not hide anything.
fn hides_control(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(at) = find(rest, b"=?") {
        rest = &rest[at + 2..];
        let mut parts = rest.splitn(3, |b| *b == b'?');
        let (Some(charset), Some(encoding), Some(tail)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let body = &tail[..find(tail, b"?=").unwrap_or(tail.len())];
        let decoded = match encoding.trim_ascii() {
            b"q" | b"Q" => from_q(body),
            b"b" | b"B" => from_base64(body),
            _ => continue,
        };
        let bytes = decoded.iter().any(|b| *b < 0x20 || *b == 0x7f);
        let characters = std::str::from_utf8(&decoded).is_ok_and(|text| text.chars().any(is_control));
        // UTF-7 writes a line end in visible ASCII; no honest sender uses it.
        let utf7 = charset.to_ascii_lowercase().windows(5).any(|w| w == b"utf-7");
        // Terminates: what is decoded is always shorter than what encoded it.
        if bytes || characters || utf7 || hides_control(&decoded) {
            return true;
        }
    }
    false
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn from_q(body: &[u8]) -> Vec<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut decoded = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let pair = (body.get(at + 1).and_then(digit), body.get(at + 2).and_then(digit));
        match (body[at], pair) {
            (b'=', (Some(high), Some(low))) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

fn from_base64(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_refused_openly_and_inside_encoded_words() {
        for bad in ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\0b", "a\u{85}b", "a\u{2028}b", "a\x7f"] {
            assert_eq!(check(bad), Err(HeaderFault::Control), "{bad:?}");
        }
        for bad in [
            "=?utf-8?q?=0d=0a?=",
            "=?utf-8?Q?a=0D=0ABcc:_x?= b",
            "x=?utf-8?q?=00?=",
            "=?utf-8?b?DQo=?=",
            "=?utf-8?B?DQo?=",
            "=?utf-8?b?DQ o=",
            "=?utf-8?q?=0a",
            "=?iso-8859-1?q?=0a?=",
            "=?utf-8*en?q?=0a?=",
            "=?utf-8?q?=C2=85?=",
            "=?utf-7?q?+AA0ACg-?=",
            "=?utf-8?q?fine?= =?utf-8?q?=0a?=",
            // An encoded word inside an encoded word.
            "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0d=3D0a=3F=3D?=",
        ] {
            assert_eq!(check(bad), Err(HeaderFault::HiddenControl), "{bad:?}");
        }
        for good in ["", "Straße", "=?utf-8?q?fine?=", "1 =? 2", "=?x?", "=?utf-8?x?=0a?=", "a=?b?q", "=?utf-8?q??="] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn addresses_are_exact() {
        assert_eq!(address("john.o'neil+x@example.org").unwrap().to_string(), "john.o'neil+x@example.org");
        assert_eq!(address("a@bücher.example").unwrap().to_string(), "a@xn--bcher-kva.example");
        for bad in [
            "",
            "john",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@example.org,b@example.org",
            "<a@example.org>",
            "a@example.org>\r\nRCPT TO:<b@example.org",
            "a@exa mple.org",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "ü@example.org",
            "=?utf-8?q?a?=@example.org",
            "a@b@example.org",
        ] {
            assert!(address(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(address(&format!("{}@example.org", "a".repeat(300))).is_err());
    }

    #[test]
    fn ids_are_safe_as_message_ids_and_file_names() {
        for good in ["a", "0199-x.1", "verify_7"] {
            assert_eq!(id(good), Ok(()));
        }
        for bad in ["", ".", "..", "a/b", "../x", "a b", "a@b", "a\n", "a..b", "a.", "ü", &"x".repeat(101)] {
            assert_eq!(id(bad), Err(HeaderFault::NotAnId), "{bad:?}");
        }
    }

    #[test]
    fn encoded_words_keep_to_the_line() {
        for line in encoded_words(&"=?ü漢🌎".repeat(60)).split("\r\n ") {
            assert!(line.len() <= ENCODED_WORD_MAX, "{line}");
        }
    }
}
