//! What people type, checked once at the edge.
//!
//! Examples: [`text()`], [`line()`], [`turns_direction()`], [`is_phone()`].

use unic_langid::LanguageIdentifier;

/// Longest subject line, in characters.
pub const SUBJECT_MAX: usize = 200;
/// Longest description, message, reason or explanation, in bytes of UTF-8.
pub const TEXT_MAX: usize = 64 * 1024;
/// Longest short field (a name, an order number, a telephone number), in characters.
pub const FIELD_MAX: usize = 200;

/// Why a text was refused.
///
/// Example: [`line()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Nothing that can be seen.
    #[error("must not be empty")]
    Empty,
    /// Longer than allowed.
    #[error("must be at most {max} {unit} long")]
    TooLong {
        /// The most that is allowed.
        max: usize,
        /// `characters` or `bytes`.
        unit: &'static str,
    },
    /// A character that is neither text nor a tab nor a line end.
    #[error("must not contain control characters")]
    Control,
    /// A line end where one line is expected.
    #[error("must be one line")]
    LineEnd,
    /// A character that [turns the direction](turns_direction) of what is beside it.
    #[error("must not contain characters that turn the direction of writing")]
    Direction,
}

impl TextFault {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "missing",
            Self::TooLong { .. } => "too_long",
            Self::Control | Self::Direction => "control_character",
            Self::LineEnd => "not_one_line",
        }
    }
}

/// A text of several lines, at most [`TEXT_MAX`] bytes. Line ends become LF; all else is kept exactly.
///
/// ```
/// use complaint_core::text::{TextFault, text};
///
/// assert_eq!(text("No water.\r\nSince Monday."), Ok("No water.\nSince Monday.".into()));
/// assert_eq!(text(" \n"), Err(TextFault::Empty));
/// ```
pub fn text(input: &str) -> Result<String, TextFault> {
    let unified = if input.contains('\r') { input.replace("\r\n", "\n").replace('\r', "\n") } else { input.to_owned() };
    if is_blank(&unified) {
        return Err(TextFault::Empty);
    }
    if unified.len() > TEXT_MAX {
        return Err(TextFault::TooLong { max: TEXT_MAX, unit: "bytes" });
    }
    if unified.chars().any(|c| c.is_control() && c != '\t' && c != '\n') {
        return Err(TextFault::Control);
    }
    Ok(unified)
}

/// A text of one line, at most `max` characters; white space around it is dropped.
///
/// ```
/// use complaint_core::text::{FIELD_MAX, TextFault, line};
///
/// assert_eq!(line("  Asha Rao ", FIELD_MAX), Ok("Asha Rao".into()));
/// let too_long = line("Asha Rao", 4).unwrap_err();
/// assert_eq!(too_long, TextFault::TooLong { max: 4, unit: "characters" });
/// assert_eq!((too_long.code(), too_long.to_string().as_str()), ("too_long", "must be at most 4 characters long"));
/// ```
pub fn line(input: &str, max: usize) -> Result<String, TextFault> {
    let trimmed = input.trim();
    if is_blank(trimmed) {
        return Err(TextFault::Empty);
    }
    if trimmed.chars().count() > max {
        return Err(TextFault::TooLong { max, unit: "characters" });
    }
    if trimmed.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(TextFault::LineEnd);
    }
    if trimmed.chars().any(char::is_control) {
        return Err(TextFault::Control);
    }
    if trimmed.chars().any(turns_direction) {
        return Err(TextFault::Direction);
    }
    Ok(trimmed.to_owned())
}

/// Whether a character overrides, embeds or isolates a direction of writing (UAX #9, 2.1 to 2.5): with it a name or a subject can show
/// what it does not say, and turn what stands behind it on a page. Scripts that are written from right to left need none of them, and
/// the marks that they do use (U+200E, U+200F, U+061C) are not among them.
///
/// ```
/// use complaint_core::text::turns_direction;
///
/// assert!("gpj.\u{202e}exe".chars().any(turns_direction));
/// assert!(!"\u{200f}שלום".chars().any(turns_direction));
/// ```
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether it is a telephone number as people write it, national or international, with an extension or without: 3 to 40 digits, blanks
/// and `+ ( ) - . /`, white space around it aside. Nobody can tell whether somebody answers there: this keeps out what cannot be dialled.
///
/// ```
/// use complaint_core::text::is_phone;
///
/// assert!(is_phone("+44 (0)20 7946-0000 ext. 12"));
/// assert!(!is_phone("after six"));
/// ```
pub fn is_phone(input: &str) -> bool {
    let number = input.trim();
    let (dialled, extension) = match number.find(|c: char| c.is_alphabetic() || c == '#') {
        Some(at) => number.split_at(at),
        None => (number, ""),
    };
    let written = extension.to_lowercase();
    let inner = ["extension", "ext", "x", "#"].iter().find_map(|mark| written.strip_prefix(mark));
    let inner = inner.map(|inner| inner.trim_start_matches(['.', ':', ' ']));
    let is_inner = |inner: &str| !inner.is_empty() && inner.chars().all(char::is_numeric);
    let is_extended = extension.is_empty() || inner.is_some_and(is_inner);
    let digits = dialled.chars().filter(|c| c.is_numeric()).count();
    let is_dialled = digits >= 3 && dialled.chars().all(|c| c.is_numeric() || " +()-./".contains(c));
    number.chars().count() <= 40 && is_dialled && is_extended
}

/// A tag of at most 35 characters, which RFC 5646 (4.4.1) wants room for, in its canonical writing.
pub(crate) fn language(tag: &str) -> Option<LanguageIdentifier> {
    let fits = tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    tag.parse::<LanguageIdentifier>().ok().filter(|read| fits && !read.language.is_empty())
}

/// Whether nothing of it can be seen: white space, and characters that only steer or join others. A subject of these would
/// be a link without anything to click.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180E}'
                | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_or_refused_with_the_reason() {
        assert_eq!(text("a\r\nb\tc\rd"), Ok("a\nb\tc\nd".to_owned()));
        assert_eq!(text("  \n "), Err(TextFault::Empty));
        assert_eq!(text("\u{200b}\u{feff} \u{2800}"), Err(TextFault::Empty));
        assert_eq!(line("\u{3164}", 9), Err(TextFault::Empty));
        assert_eq!(line("\u{200f}\u{5d0}", 9), Ok("\u{200f}\u{5d0}".to_owned()));
        assert_eq!(text("a\0"), Err(TextFault::Control));
        assert_eq!(text("a\u{85}"), Err(TextFault::Control));
        assert!(text(&"x".repeat(TEXT_MAX)).is_ok());
        assert!(matches!(text(&"x".repeat(TEXT_MAX + 1)), Err(TextFault::TooLong { .. })));
        assert_eq!(line(" a ", 1), Ok("a".to_owned()));
        for turned in ["a\u{202a}b", "a\u{202e}b", "\u{2066}a\u{2069}", "a\u{2067}"] {
            assert_eq!(line(turned, 9), Err(TextFault::Direction), "{turned:?}");
            assert!(text(turned).is_ok(), "a text has lines of its own: {turned:?}");
        }
        for right_to_left in ["שלום", "مرحبا\u{200f}!", "\u{61c}12", "a\u{200e}b"] {
            assert_eq!(line(right_to_left, 9), Ok(right_to_left.to_owned()));
        }
        assert_eq!(line("a\nb", 10), Err(TextFault::LineEnd));
        assert!(line(&"ü".repeat(200), 200).is_ok());
        assert!(line(&"ü".repeat(201), 200).is_err());
    }

    #[test]
    fn numbers_can_be_dialled() {
        for good in ["112", " +49 (0)30 / 1234-56 ", "020 7946 0000 x12", "555-0100 EXT: 7", "0800.1234#9", "٠٢٠ ٧٩٤٦"]
        {
            assert!(is_phone(good), "{good}");
        }
        for bad in [
            "",
            "12",
            "call me",
            "+++---",
            "555 0100 ext.",
            "555 0100 or 0101",
            "x12",
            "<b>112</b>",
            "112\n113",
            &"1".repeat(41),
        ] {
            assert!(!is_phone(bad), "{bad}");
        }
    }
}
