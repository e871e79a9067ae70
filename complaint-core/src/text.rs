//! What people type, checked once at the edge.
//!
//! Examples: [`text()`], [`line()`].

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
}

impl TextFault {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "missing",
            Self::TooLong { .. } => "too_long",
            Self::Control => "control_character",
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
    Ok(trimmed.to_owned())
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
        assert_eq!(line("a\nb", 10), Err(TextFault::LineEnd));
        assert!(line(&"ü".repeat(200), 200).is_ok());
        assert!(line(&"ü".repeat(201), 200).is_err());
    }
}
