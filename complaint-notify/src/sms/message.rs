//! A finished text message: one that fits into one.

use super::phone::PhoneNumber;

/// How much fits into one message of the default alphabet, in septets (3GPP TS 23.038).
const SEPTETS_MAX: usize = 160;
/// How much fits into one message of other characters, in UTF-16 units.
const UNITS_MAX: usize = 70;

/// The default alphabet of GSM (3GPP TS 23.038, 6.2.1), but for the escape to the extension.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension (6.2.1.1): each takes the room of two.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// A text message that fits into one: 160 characters of the GSM alphabet, where `^{}\[~]|€` count twice, or 70 of any other
/// (UTF-16 units, so most emoji count twice).
///
/// ```
/// use complaint_notify::TextMessage;
///
/// let to = "+44 7700 900123".parse()?;
/// let message = TextMessage::new("n-1", to, "Your complaint C7KQ-2M9X-B is decided.")?;
/// assert_eq!(message.to().as_str(), "+447700900123");
/// assert!(TextMessage::new("n-2", message.to().clone(), &"a".repeat(161)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMessage {
    id: String,
    to: PhoneNumber,
    text: String,
}

impl TextMessage {
    /// A message. `id` stays the same when it is sent again, so that a gateway can tell a repetition.
    pub fn new(id: impl Into<String>, to: PhoneNumber, text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        if fits(&text) { Ok(Self { id: id.into(), to, text }) } else { Err(TooLong) }
    }

    /// Stable over repeated deliveries.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// To whom.
    pub fn to(&self) -> &PhoneNumber {
        &self.to
    }

    /// The words.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A text that would become several messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text does not fit into one message")]
pub struct TooLong;

/// Whether a text fits into one message.
pub(crate) fn fits(text: &str) -> bool {
    match septets(text) {
        Some(septets) => septets <= SEPTETS_MAX,
        None => text.encode_utf16().count() <= UNITS_MAX,
    }
}

/// How long a text is in the default alphabet; none if it has a character that is not in it.
fn septets(text: &str) -> Option<usize> {
    text.chars().map(|c| if ALPHABET.contains(c) { Some(1) } else { EXTENSION.contains(c).then_some(2) }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_whole() {
        // 128 places less the escape, and the ten of the extension.
        assert_eq!((ALPHABET.chars().count(), EXTENSION.chars().count()), (127, 10));
        let mut all: Vec<char> = ALPHABET.chars().chain(EXTENSION.chars()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 137);
    }

    #[test]
    fn length_is_counted_as_networks_count() {
        for (text, fits_in) in [
            ("a".repeat(160), true),
            ("a".repeat(161), false),
            ("ü".repeat(160), true),
            (format!("{}€", "a".repeat(158)), true),
            (format!("{}€", "a".repeat(159)), false),
            ("[".repeat(80), true),
            ("[".repeat(81), false),
            // One character outside of the alphabet, and all of them cost more.
            (format!("{}ł", "a".repeat(69)), true),
            (format!("{}ł", "a".repeat(70)), false),
            ("`".repeat(70), true),
            ("`".repeat(71), false),
            ("ç".repeat(71), false),
            ("😀".repeat(35), true),
            ("😀".repeat(36), false),
            (String::new(), true),
        ] {
            assert_eq!(fits(&text), fits_in, "{} × {:?}", text.chars().count(), text.chars().next());
        }
    }
}
