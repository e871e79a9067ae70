//! Values of accounts, checked once at the edge and trusted afterwards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest accepted full name, in characters.
pub const NAME_MAX: usize = 200;
/// Longest accepted e-mail address, in bytes (RFC 5321 §4.5.3.1.3 leaves 254 after the angle brackets).
pub const EMAIL_MAX: usize = 254;

/// Why a typed value was refused: a stable code and a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable, for programs.
    pub code: &'static str,
    /// For people; may be shown as it is.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A person's full name as they write it: 1 to 200 characters, no control characters, not only blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// Checks `typed`; blanks around it are dropped, everything else is kept as it is.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        if typed.chars().any(is_hidden) {
            return Err(Fault::new("control_character", "The name contains characters that cannot be shown."));
        }
        let name = typed.trim();
        if name.is_empty() {
            return Err(Fault::new("missing", "Please give your full name."));
        }
        if name.chars().count() > NAME_MAX {
            return Err(Fault::new("too_long", format!("The name may have at most {NAME_MAX} characters.")));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address of a form every relay accepts; kept as typed, compared in lower case.
///
/// Deliberately stricter than RFC 5321: no quoted local parts, no comments, no address literals, no bare host names.
/// Such addresses are legal and practically always typing errors or attacks on mail software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Checks `typed`; blanks around it are dropped.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        let email = typed.trim_matches(' ');
        if email.is_empty() {
            return Err(Fault::new("missing", "Please give your e-mail address."));
        }
        if email.len() > EMAIL_MAX {
            return Err(Fault::new("too_long", format!("The e-mail address may have at most {EMAIL_MAX} characters.")));
        }
        let wrong = || Fault::new("invalid", "This is not an e-mail address we can write to.");
        let (local, domain) = email.rsplit_once('@').ok_or_else(wrong)?;
        if is_local_part(local) && is_domain(domain) { Ok(Self(email.to_owned())) } else { Err(wrong()) }
    }

    /// As typed: mail goes here.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is unique among accounts. ASCII lower case only: both parts are ASCII, so no language's rule interferes.
    pub fn normalised(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// A phone number as typed: what [`complaint_core::text::is_phone`] takes for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Checks `typed`; blanks around it are dropped.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        let wrong =
            "This is not a phone number: use 3 to 40 digits, blanks and + ( ) - . /, and an extension as in ext. 12.";
        let phone = typed.trim();
        if complaint_core::text::is_phone(phone) {
            Ok(Self(phone.to_owned()))
        } else {
            Err(Fault::new("invalid", wrong))
        }
    }

    /// The number as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The most postal addresses of an account.
pub const POSTAL_ADDRESSES_MAX: usize = 5;

/// Where somebody gets parcels and letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostalAddress {
    /// Street, house, floor, as they stand on a letter: 1 to 5 lines of at most 200 characters.
    #[schema(example = json!(["12 Mill Lane"]), min_items = 1, max_items = 5)]
    pub lines: Vec<String>,
    /// At most 20 characters; may be empty, since not every country has them.
    #[serde(default)]
    #[schema(example = "AB1 2CD", max_length = 20)]
    pub postcode: String,
    /// 1 to 200 characters.
    #[schema(example = "Millbrook", min_length = 1, max_length = 200)]
    pub town: String,
    /// Two capital letters of ISO 3166-1.
    #[schema(example = "GB", min_length = 2, max_length = 2)]
    pub country: String,
}

impl PostalAddress {
    /// These addresses without blanks around their parts.
    ///
    /// # Errors
    /// The first fault, naming the address by its place in the list.
    pub fn checked(addresses: Vec<Self>) -> Result<Vec<Self>, Fault> {
        if addresses.len() > POSTAL_ADDRESSES_MAX {
            return Err(Fault::new("too_many", format!("At most {POSTAL_ADDRESSES_MAX} postal addresses.")));
        }
        addresses.into_iter().zip(1..).map(|(address, at)| address.check(at)).collect()
    }

    fn check(self, at: usize) -> Result<Self, Fault> {
        let line = |text: &str, what: &str, most: usize| {
            let text = text.trim();
            if text.chars().any(is_hidden) {
                let message = format!("{what} of postal address {at} contains characters that cannot be shown.");
                return Err(Fault::new("control_character", message));
            }
            if text.chars().count() > most {
                return Err(Fault::new(
                    "too_long",
                    format!("{what} of postal address {at} may have at most {most} characters."),
                ));
            }
            Ok(text.to_owned())
        };
        let lines = self.lines.iter().map(|text| line(text, "A line", NAME_MAX)).collect::<Result<Vec<_>, _>>()?;
        if !(1..=5).contains(&lines.len()) || lines.iter().any(String::is_empty) {
            return Err(Fault::new(
                "invalid",
                format!("Postal address {at} needs one to five lines, none of them empty."),
            ));
        }
        let postcode = line(&self.postcode, "The postcode", 20)?;
        let town = line(&self.town, "The town", NAME_MAX)?;
        if town.is_empty() {
            return Err(Fault::new("missing", format!("Postal address {at} needs a town.")));
        }
        let country = self.country.trim().to_owned();
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            let message = format!("The country of postal address {at} is given by two capital letters, as in GB.");
            return Err(Fault::new("invalid", message));
        }
        Ok(Self { lines, postcode, town, country })
    }
}

/// What an account may be used for. How high an agent stands in the ladder is the core's matter, not the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Complains.
    Customer,
    /// Handles complaints, at any level of the ladder.
    Agent,
    /// Runs the installation.
    Admin,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// The stored and published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Customer, Self::Agent, Self::Admin, Self::Auditor].into_iter().find(|role| role.as_str() == name)
    }

    /// Everybody but customers.
    pub fn is_staff(self) -> bool {
        self != Self::Customer
    }
}

/// Controls, and characters that reorder or hide text: a name carrying them can pass for another one. The marks of scripts from right to
/// left (U+200E, U+200F) are none of them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

fn is_local_part(local: &str) -> bool {
    (1..=64).contains(&local.len())
        && local.split('.').all(|atom| {
            !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

fn is_domain(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    labels.len() >= 2
        && domain.len() <= 253
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
        // An all-digit last label is an IP address in disguise.
        && !labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_addresses_people_have() {
        for good in [
            "john@example.org",
            "j.o'hara+news@mail.example.co.uk",
            "JOHN@Example.ORG",
            "a@b.io",
            " john@example.org ",
            "x_1@xn--bcher-kva.example",
        ] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        assert_eq!(EmailAddress::parse("JOHN@Example.ORG").expect("fine").normalised(), "john@example.org");
    }

    #[test]
    fn refuses_what_is_none() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b.".repeat(130));
        for bad in [
            "",
            " ",
            "john",
            "@example.org",
            "john@",
            "john@localhost",
            "john@@example.org",
            "a@b@example.org",
            "jo hn@example.org",
            "john@exa mple.org",
            ".john@example.org",
            "john.@example.org",
            "jo..hn@example.org",
            "john@-example.org",
            "john@example-.org",
            "john@.org",
            "john@example..org",
            "john@example.org\r\nBcc: x@y.org",
            "john@example.org\n",
            "john\0@example.org",
            "\"john\"@example.org",
            "john@[127.0.0.1]",
            "john@127.0.0.1",
            "John <john@example.org>",
            "jöhn@example.org",
            "john@exämple.org",
            "a,b@example.org",
            "a;b@example.org",
            "john@example.org.",
            &long_local,
            &long,
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_kept_as_written() {
        assert_eq!(FullName::parse("  Zoë van der Berg-O'Neill ").expect("fine").as_str(), "Zoë van der Berg-O'Neill");
        assert_eq!(FullName::parse("שרה \u{200f}כהן").expect("fine").as_str(), "שרה \u{200f}כהן");
        assert!(FullName::parse(&"ß".repeat(NAME_MAX)).is_ok());
        assert_eq!(FullName::parse(&"ß".repeat(NAME_MAX + 1)).expect_err("long").code, "too_long");
        assert_eq!(FullName::parse("   ").expect_err("blank").code, "missing");
        for bad in ["a\0b", "a\nb", "a\u{9f}b", "a\u{202e}b", "a\u{200b}b", "a\u{2066}b"] {
            assert_eq!(FullName::parse(bad).expect_err("hidden").code, "control_character", "{bad:?}");
        }
    }

    #[test]
    fn phones_are_what_the_core_takes_for_numbers() {
        assert_eq!(Phone::parse(" +49 (0)30 / 1234-56 ").expect("fine").as_str(), "+49 (0)30 / 1234-56");
        for bad in ["", "12", "call me", "1234567\0"] {
            assert_eq!(Phone::parse(bad).expect_err("none").code, "invalid", "{bad:?}");
        }
    }

    #[test]
    fn roles_have_one_name() {
        for role in [Role::Customer, Role::Agent, Role::Admin, Role::Auditor] {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).expect("serialises"), role.as_str());
        }
        assert_eq!(Role::from_name("Admin"), None);
        assert!(!Role::Customer.is_staff() && Role::Auditor.is_staff());
    }
}
