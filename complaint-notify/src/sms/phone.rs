//! Telephone numbers that a text message can be sent to.

use std::fmt;
use std::str::FromStr;

/// A telephone number in the international form of ITU-T E.164: a plus sign and 7 to 15 digits, the first of which is no zero.
///
/// ```
/// use complaint_notify::PhoneNumber;
///
/// let number: PhoneNumber = "+44 (0)7700 900-123".parse()?;
/// assert_eq!((number.as_str(), number.digits()), ("+447700900123", "447700900123"));
/// assert!("07700 900123".parse::<PhoneNumber>().is_err(), "of which country?");
/// # Ok::<(), complaint_notify::InvalidPhone>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// With the plus sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the plus sign, as some gateways want it.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// No number in international form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a phone number in international form, as in +44 7700 900123")]
pub struct InvalidPhone;

impl FromStr for PhoneNumber {
    type Err = InvalidPhone;

    /// Reads a number as people write it: blanks, hyphens, dots, slashes and brackets are passed over, and so is `(0)`, which is
    /// dialled within the country only.
    fn from_str(typed: &str) -> Result<Self, InvalidPhone> {
        let national = typed.trim().strip_prefix('+').ok_or(InvalidPhone)?.replace("(0)", "");
        let mut number = String::from("+");
        for c in national.chars() {
            match c {
                '0'..='9' => number.push(c),
                ' ' | '-' | '.' | '/' | '(' | ')' => {}
                _ => return Err(InvalidPhone),
            }
        }
        let fits = (7..=15).contains(&(number.len() - 1)) && !number.starts_with("+0");
        if fits { Ok(Self(number)) } else { Err(InvalidPhone) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (typed, read) in [
            ("+447700900123", "+447700900123"),
            (" +49 (0)30 / 1234-56 ", "+4930123456"),
            ("+1 (212) 555.0100", "+12125550100"),
            ("+123456789012345", "+123456789012345"),
            ("+2901234", "+2901234"),
        ] {
            assert_eq!(typed.parse::<PhoneNumber>().as_ref().map(PhoneNumber::as_str), Ok(read), "{typed}");
        }
        for wrong in [
            "",
            "+",
            "030 123456",
            "0049 30 123456",
            "+0493012345",
            "+123456",
            "+1234567890123456",
            "+44 7700 900123 x5",
            "++447700900123",
            "+44\u{0667}700900123",
            "+44\u{a0}7700900123",
            "+44 7700\r\n900123",
            "+447700900123,+447700900124",
        ] {
            assert_eq!(wrong.parse::<PhoneNumber>(), Err(InvalidPhone), "{wrong:?}");
        }
    }
}
