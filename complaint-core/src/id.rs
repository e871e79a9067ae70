//! Identifiers, each its own type, so that one can never be passed for another.
//!
//! Some the library draws ([`ComplaintId`], [`NoticeId`], [`AttachmentId`]); some are the host's own, taken as they are
//! ([`CustomerId`], [`AgentId`], [`StaffId`]); some are keys of the catalogue, of which every spelling is one
//! ([`CategoryKey`], [`Skill`], [`Area`], …). The number that people quote is a
//! [`Reference`](crate::reference::Reference).
//!
//! ```
//! use complaint_core::id::{CategoryKey, CustomerId};
//!
//! assert_eq!(CategoryKey::new("Damaged goods")?, CategoryKey::new("damaged-goods")?);
//! assert_ne!(CustomerId::new("John")?, CustomerId::new("john")?);
//! # Ok::<(), complaint_core::id::InvalidId>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An identifier that could not be read.
///
/// ```
/// use complaint_core::id::Level;
///
/// let wrong = Level::new(10).unwrap_err();
/// assert_eq!(wrong.to_string(), "level must be a number from 1 to 9");
/// assert_eq!((wrong.what(), wrong.expected()), ("level", "a number from 1 to 9"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidId {
    what: &'static str,
    expected: &'static str,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, expected: &'static str) -> Self {
        Self { what, expected }
    }

    /// Which identifier was being read, e.g. `customer id`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The form that would have been accepted.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

macro_rules! own_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use complaint_core::id::", stringify!($name), ";")]
        ///
        #[doc = concat!("let id: ", stringify!($name), " = \"01900000-0000-7000-8000-000000000007\".parse()?;")]
        #[doc = concat!("assert_eq!(", stringify!($name), "::from_uuid(id.as_uuid()), id);")]
        /// assert_eq!(id.to_string(), "01900000-0000-7000-8000-000000000007");
        #[doc = concat!("assert!(\"7\".parse::<", stringify!($name), ">().is_err());")]
        /// # Ok::<(), complaint_core::id::InvalidId>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID, normally one drawn from an [`IdSource`](crate::clock::IdSource).
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, for storage.
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the hyphenated form: one spelling per id, so that addresses compare as text.
                if text.len() != 36 {
                    return Err(InvalidId::new($what, "a hyphenated UUID"));
                }
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| InvalidId::new($what, "a hyphenated UUID"))
            }
        }

        // Read by the same words and in the same one spelling as everywhere; not by those of the UUID library.
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

own_id!(
    /// A complaint. A version 7 UUID (RFC 9562), so ids sort by the instant of receipt.
    ComplaintId,
    "complaint id"
);
own_id!(
    /// A notice; also the local part of the `Message-ID` of the mail it becomes.
    NoticeId,
    "notice id"
);
own_id!(
    /// An attachment of a complaint.
    AttachmentId,
    "attachment id"
);
own_id!(
    /// Where another program is told what happens.
    EndpointId,
    "endpoint id"
);

/// What every key that is a text has in common: printed as it is, read by its own `new`, and shared instead of copied,
/// because each decision works on a copy of the complaint.
macro_rules! reads_and_writes_as_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(key: String) -> Result<Self, InvalidId> {
                Self::new(key)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> String {
                String::from(&*key.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(key: &str) -> Result<Self, InvalidId> {
                Self::new(key)
            }
        }
    };
}

macro_rules! host_key {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// The host's own key: opaque, 1 to 64 visible ASCII characters, compared byte by byte.
        ///
        /// ```
        #[doc = concat!("use complaint_core::id::", stringify!($name), ";")]
        ///
        #[doc = concat!("let id = ", stringify!($name), "::new(\"7@example.org\")?;")]
        /// assert_eq!(id.as_str(), "7@example.org");
        #[doc = concat!("assert!(", stringify!($name), "::new(\"two words\").is_err());")]
        /// # Ok::<(), complaint_core::id::InvalidId>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a host key.
            pub fn new(key: impl Into<String>) -> Result<Self, InvalidId> {
                let key = key.into();
                let visible = key.bytes().all(|b| (0x21..=0x7e).contains(&b));
                if key.is_empty() || key.len() > 64 || !visible {
                    return Err(InvalidId::new($what, "1 to 64 visible ASCII characters"));
                }
                Ok(Self(key.into()))
            }

            /// The key as the host gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        reads_and_writes_as_text!($name);
    };
}

host_key!(
    /// Who complains, or for whom someone complains.
    CustomerId,
    "customer id"
);
host_key!(
    /// A member of staff who can hold a complaint.
    AgentId,
    "agent id"
);
host_key!(
    /// A member of staff who does not hold complaints: an admin or an auditor.
    StaffId,
    "staff id"
);

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident, $what:literal, $written:literal is $kept:literal) => {
        $(#[$doc])*
        ///
        /// Kept as lower-case words joined by `-`, so that `Damaged goods` and `damaged-goods` are one.
        /// 1 to 64 letters, digits and hyphens; letters of any script.
        ///
        /// ```
        #[doc = concat!("use complaint_core::id::", stringify!($name), ";")]
        ///
        #[doc = concat!("let key = ", stringify!($name), "::new(\"", $written, "\")?;")]
        #[doc = concat!("assert_eq!(key.as_str(), \"", $kept, "\");")]
        #[doc = concat!("assert!(", stringify!($name), "::new(\"<script>\").is_err());")]
        /// # Ok::<(), complaint_core::id::InvalidId>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads and normalises a key.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                slugged(text.as_ref())
                    .map(|key| Self(key.into()))
                    .ok_or(InvalidId::new($what, "1 to 64 letters, digits, spaces or any of - _ & / , . ' ( ) : ; with a letter or digit among them"))
            }

            /// The normalised key.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        reads_and_writes_as_text!($name);
    };
}

slug!(
    /// What a complaint is about, as a key of the catalogue.
    CategoryKey,
    "category",
    "Damaged goods" is "damaged-goods"
);
slug!(
    /// Why things went wrong, as a key of the policy.
    CauseKey,
    "cause",
    "Wrong picking list" is "wrong-picking-list"
);
slug!(
    /// One promise of the law, as a key of the policy.
    PromiseKey,
    "statutory promise",
    "Final response" is "final-response"
);
slug!(
    /// One thing an agent knows and a complaint may need.
    Skill,
    "skill",
    "Water supply" is "water-supply"
);
slug!(
    /// A place or part of the organisation that an agent serves and a complaint may concern.
    Area,
    "area",
    "North bank" is "north-bank"
);
slug!(
    /// A language that an agent speaks and a customer may need: a BCP 47 tag in lower case, e.g. `de`, `pt-br`.
    Language,
    "language",
    "pt-BR" is "pt-br"
);

impl Language {
    /// Whether it is written as BCP 47 wants it. Those stored before this was asked of new ones are read all the same.
    ///
    /// ```
    /// use complaint_core::id::Language;
    ///
    /// assert!(Language::new("pt-BR")?.is_tag());
    /// assert!(!Language::new("Plattdüütsch")?.is_tag());
    /// # Ok::<(), complaint_core::id::InvalidId>(())
    /// ```
    pub fn is_tag(&self) -> bool {
        crate::text::language(self.as_str()).is_some()
    }
}

fn slugged(text: &str) -> Option<String> {
    let mut slug = String::with_capacity(text.len());
    for c in text.trim().chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if c == ' ' || c == '-' || c == '_' {
            if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        } else if c.is_control() || !matches!(c, '&' | '/' | ',' | '.' | '\'' | '(' | ')' | ':' | ';') {
            return None;
        }
    }
    while slug.ends_with('-') {
        slug.pop();
    }
    let length = slug.chars().count();
    (1..=64).contains(&length).then_some(slug)
}

/// How often a complaint has been changed: 1 after submission, one more for each committed change.
///
/// ```
/// use complaint_core::id::Version;
///
/// let submitted = Version::NONE.next();
/// assert_eq!(submitted, Version::new(1));
/// assert_eq!(submitted.next().to_string(), "2");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// Before the first change: nothing is stored.
    pub const NONE: Version = Version(0);

    /// A version as stored or quoted by a caller.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The version that the next change makes; no number follows the greatest.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A step of the ladder: 1 handles first, the last has final authority.
///
/// ```
/// use complaint_core::id::Level;
///
/// let supervisor = Level::FIRST.above();
/// assert_eq!(supervisor, Level::new(2)?);
/// assert_eq!((supervisor.get(), supervisor.below()), (2, Level::FIRST));
/// assert_eq!(Level::FIRST.below(), Level::FIRST);
///
/// let bound = Level::new(9)?.above();
/// assert!(bound > Level::new(9)? && Level::try_from(bound.get()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Level(u8);

impl Level {
    /// Where every complaint starts.
    pub const FIRST: Level = Level(1);

    /// Reads a level: 1 to 9.
    pub fn new(number: u8) -> Result<Self, InvalidId> {
        if (1..=9).contains(&number) { Ok(Self(number)) } else { Err(InvalidId::new("level", "a number from 1 to 9")) }
    }

    /// The number, from 1.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The level above. Of the ninth it is a bound that no ladder reaches: to compare with and never to be stored, as it could
    /// not be read again. The commands that move a complaint up stop at the last level of the policy.
    pub fn above(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The level below, or the first.
    pub fn below(self) -> Self {
        Self(self.0.saturating_sub(1).max(1))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u8> for Level {
    type Error = InvalidId;

    fn try_from(number: u8) -> Result<Self, InvalidId> {
        Self::new(number)
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        for spelling in ["Damaged goods", "damaged-goods", "  DAMAGED  goods ", "damaged_goods"] {
            assert_eq!(CategoryKey::new(spelling).unwrap().as_str(), "damaged-goods");
        }
        assert_eq!(Skill::new("Credit reporting, repair").unwrap().as_str(), "credit-reporting-repair");
    }

    #[test]
    fn keys_refuse_what_is_empty_too_long_or_controls() {
        for bad in ["", " - ", "a\0b", "<script>", &"x".repeat(65)] {
            assert!(CategoryKey::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn nothing_follows_the_greatest_number() {
        assert_eq!(Version::new(u64::MAX).next(), Version::new(u64::MAX));
        let beyond = (0..300).fold(Level::FIRST, |level, _| level.above());
        assert!(beyond > Level::new(9).unwrap() && Level::new(beyond.get()).is_err());
    }

    #[test]
    fn host_keys_are_visible_ascii() {
        assert!(CustomerId::new("john@example.org").is_ok());
        for bad in ["", "a b", "a\n", "ü", &"x".repeat(65)] {
            assert!(CustomerId::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn only_the_hyphenated_form_of_a_uuid_is_an_id() {
        let id = ComplaintId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<ComplaintId>(), Ok(id));
        assert!("00000000000000000000000000000007".parse::<ComplaintId>().is_err());
    }
}
