//! The number people quote.
//!
//! Example: [`Reference`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

// No 0/O, 1/I/L: they are confused on paper and on the phone. Thirty-one symbols, a prime, so that the weighted sum
// below finds every single wrong character and every swap of two neighbours.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const DRAWN: usize = 8;

/// The acknowledgement number of a complaint: eight random characters and a check character, e.g. `C7KQ-2M9X-B`.
///
/// Read back leniently: case, spaces and hyphens do not matter. The check character is the weighted sum of the others
/// modulo 31, so one mistyped character or two swapped neighbours are always found.
///
/// ```
/// use complaint_core::reference::Reference;
///
/// let reference: Reference = "C7KQ-2M9X-B".parse()?;
/// assert_eq!("c7kq 2m9x b".parse(), Ok(reference), "as people read it out");
/// assert_eq!(reference.to_string(), "C7KQ-2M9X-B");
/// assert!("C7QK-2M9X-B".parse::<Reference>().is_err(), "two characters are swapped");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference([u8; DRAWN]);

impl Reference {
    /// Makes a reference from at least 40 random bits (the low bits of `entropy`).
    pub fn from_entropy(mut entropy: u128) -> Self {
        let mut drawn = [0_u8; DRAWN];
        for symbol in &mut drawn {
            *symbol = ALPHABET[(entropy % 31) as usize];
            entropy /= 31;
        }
        Self(drawn)
    }

    fn check(drawn: [u8; DRAWN]) -> u8 {
        let sum: usize = drawn.iter().enumerate().map(|(at, symbol)| (at + 1) * value(*symbol).unwrap_or(0)).sum();
        ALPHABET[sum % 31]
    }
}

fn value(symbol: u8) -> Option<usize> {
    ALPHABET.iter().position(|known| *known == symbol)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, symbol) in self.0.iter().enumerate() {
            if at == 4 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*symbol))?;
        }
        write!(f, "-{}", char::from(Self::check(self.0)))
    }
}

impl FromStr for Reference {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = || InvalidId::new("reference", "a reference such as C7KQ-2M9X-B");
        if text.len() > 32 {
            return Err(wrong());
        }
        let symbols: Vec<u8> =
            text.bytes().filter(|b| !matches!(b, b' ' | b'-')).map(|b| b.to_ascii_uppercase()).collect();
        if symbols.len() != DRAWN + 1 || symbols.iter().any(|s| value(*s).is_none()) {
            return Err(wrong());
        }
        let drawn: [u8; DRAWN] = symbols[..DRAWN].try_into().map_err(|_| wrong())?;
        if Self::check(drawn) == symbols[DRAWN] { Ok(Self(drawn)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_people_write() {
        let reference = Reference::from_entropy(0x0123_4567_89ab_cdef_0011_2233);
        let printed = reference.to_string();
        assert_eq!(printed.len(), 11);
        for written in [printed.clone(), printed.to_lowercase(), printed.replace('-', " "), printed.replace('-', "")] {
            assert_eq!(written.parse(), Ok(reference), "{written}");
        }
    }

    #[test]
    fn finds_every_wrong_character_and_every_swap_of_neighbours() {
        let printed = Reference::from_entropy(0xfeed_beef_1234_5678_9abc).to_string().replace('-', "");
        let mut tried = 0;
        for at in 0..printed.len() {
            for symbol in ALPHABET {
                let mut wrong = printed.clone().into_bytes();
                if wrong[at] == *symbol {
                    continue;
                }
                wrong[at] = *symbol;
                assert!(String::from_utf8(wrong).unwrap().parse::<Reference>().is_err());
                tried += 1;
            }
        }
        for at in 0..DRAWN - 1 {
            let mut swapped = printed.clone().into_bytes();
            if swapped[at] == swapped[at + 1] {
                continue;
            }
            swapped.swap(at, at + 1);
            assert!(String::from_utf8(swapped).unwrap().parse::<Reference>().is_err());
            tried += 1;
        }
        assert!(tried > 270, "only {tried} faults were tried");
    }
}
