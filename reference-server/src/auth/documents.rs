//! Documents that customers accept: the terms of service and the privacy notice, each with its version.
//!
//! They are asked for after the log-in and not at the sign-up: anybody can sign up with anybody's address, and what a stranger ticked its
//! owner has not accepted.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest version, in characters.
const VERSION_MAX: usize = 60;
/// The longest document, in bytes.
const DOCUMENT_MAX: usize = 256 * 1024;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// The terms of service.
    Terms,
    /// The privacy notice.
    Privacy,
}

impl DocumentKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Terms, Self::Privacy];

    /// The stored and published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Privacy => "privacy",
        }
    }

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Terms => "Terms of service",
            Self::Privacy => "Privacy notice",
        }
    }
}

/// A document in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which.
    pub kind: DocumentKind,
    /// As its first line says; another one is accepted anew.
    pub version: String,
    /// The rest, as plain text.
    pub text: String,
}

/// That somebody accepted a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Which.
    pub kind: DocumentKind,
    /// In which version.
    pub version: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Document {
    /// Reads a file whose first line is the version and whose rest is the text.
    ///
    /// # Errors
    /// What is wrong with it, in words for the operator.
    pub fn read(kind: DocumentKind, file: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
        if bytes.len() > DOCUMENT_MAX {
            return Err(format!("has more than {} KiB", DOCUMENT_MAX / 1024));
        }
        let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        if text.chars().any(|c| c.is_control() && !['\n', '\r', '\t'].contains(&c)) {
            return Err("contains control characters".to_owned());
        }
        let (version, text) = text.split_once('\n').unwrap_or((&text, ""));
        let (version, text) = (version.trim(), text.trim());
        if version.is_empty() || version.chars().count() > VERSION_MAX {
            return Err(format!("its first line must be its version, of 1 to {VERSION_MAX} characters"));
        }
        if text.is_empty() {
            return Err("has no text after the line with its version".to_owned());
        }
        Ok(Self { kind, version: version.to_owned(), text: text.replace("\r\n", "\n") })
    }
}

/// Those that are not accepted in the version that is in force.
pub fn missing<'d>(documents: &'d [Document], accepted: &[Acceptance]) -> Vec<&'d Document> {
    let is_accepted =
        |document: &&Document| accepted.iter().any(|it| it.kind == document.kind && it.version == document.version);
    documents.iter().filter(|document| !is_accepted(document)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_version_and_a_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("terms.txt");
        let read = |content: &[u8]| {
            std::fs::write(&file, content).expect("written");
            Document::read(DocumentKind::Terms, &file)
        };
        let terms = read("  1 December 2026 \r\n\r\nBe kind.\r\nPay.\n".as_bytes()).expect("fine");
        assert_eq!((terms.version.as_str(), terms.text.as_str()), ("1 December 2026", "Be kind.\nPay."));
        for (content, why) in [
            (&b"1 December 2026"[..], "has no text"),
            (b"\nBe kind.", "first line must be its version"),
            (b"1\n\xff", "is not UTF-8"),
            (b"1\na\0b", "control characters"),
        ] {
            assert!(read(content).expect_err("wrong").contains(why), "{why}");
        }
        let long = format!("1\n{}", "x".repeat(DOCUMENT_MAX));
        assert!(read(long.as_bytes()).expect_err("long").contains("256 KiB"));
        assert!(Document::read(DocumentKind::Terms, &folder.path().join("none")).is_err());
    }
}
