//! Random values that open something, and what is kept of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::{Digest, Sha256};

use super::values::Fault;

/// SHA-256 of a secret: all the database ever sees of it.
///
/// A plain hash is enough because the secrets hashed here are drawn at random with 256 bits, or are codes that work for minutes;
/// passwords go through argon2id.
pub type SecretHash = [u8; 32];

/// A random value handed out once: a cookie, a bearer token, the token of a link.
///
/// It has no `Display` and its `Debug` hides it, so it cannot slip into a log line.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Draws 256 bits from the operating system's generator.
    pub fn draw() -> Self {
        Self::draw_with_prefix("")
    }

    /// As [`Secret::draw`], with a prefix by which leak scanners can recognise it.
    pub fn draw_with_prefix(prefix: &str) -> Self {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The value itself, for the one who may have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn hash(&self) -> SecretHash {
        hash_of(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Digits of a code: 26 bits.
const DIGITS: usize = 8;

/// A code that is short enough to be typed in. It works for minutes and for few tries, since it could be guessed else.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// Draws one of 10⁸ from the operating system's generator.
    pub fn draw() -> Self {
        Self::of(rand::random())
    }

    /// The code of a secret that nobody else can make: the same each time.
    pub fn made_of(secret: [u8; 32]) -> Self {
        Self::of(secret.iter().take(8).fold(0, |drawn, byte| drawn << 8 | u64::from(*byte)))
    }

    fn of(drawn: u64) -> Self {
        Self(format!("{:0DIGITS$}", drawn % 10_u64.pow(8)))
    }

    /// What somebody typed, blanks apart.
    ///
    /// # Errors
    /// It is not eight digits.
    pub fn parse(typed: &str) -> Result<Self, Fault> {
        let code: String = typed.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect();
        if code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(code))
        } else {
            Err(Fault::new("invalid", "The code has eight digits."))
        }
    }

    /// The digits, for the one who may have them.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored. Of one account: another's code with the same digits is another one.
    pub fn hash(&self, account_id: &str) -> SecretHash {
        hash_of(&format!("{account_id} {}", self.0))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(hidden)")
    }
}

/// Letters of a recovery code; none of them is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Of a recovery code: 120 bits, so that a plain hash is enough.
const RECOVERY_LETTERS: usize = 24;

/// A code that opens an account once when the device is lost that computes the others.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// Draws 120 bits from the operating system's generator.
    pub fn draw() -> Self {
        let mut bytes = [0_u8; RECOVERY_LETTERS];
        rand::rng().fill_bytes(&mut bytes);
        let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
        Self(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
    }

    /// What somebody typed, without blanks and dashes; `None` if it is no recovery code.
    pub fn parse(bare: &str) -> Option<Self> {
        let bare = bare.to_ascii_lowercase();
        let whole = bare.len() == RECOVERY_LETTERS && bare.bytes().all(|byte| LETTERS.contains(&byte));
        let letters: Vec<char> = bare.chars().collect();
        whole.then(|| Self(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")))
    }

    /// The letters in groups of four, for the one who may have them.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored, of one account.
    pub fn hash(&self, account_id: &str) -> SecretHash {
        hash_of(&format!("{account_id} {}", self.0))
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(hidden)")
    }
}

/// The stored form of a value somebody presents.
///
/// Looking it up by its hash needs no constant-time comparison: whoever could use the timing would have to know the hash's preimage.
pub fn hash_of(presented: &str) -> SecretHash {
    Sha256::digest(presented.as_bytes()).into()
}

/// Signs what links say, for one purpose: what was signed for another is nothing here.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
    purpose: &'static str,
}

impl Seal {
    /// A seal with a key of this installation.
    pub fn new(key: [u8; 32], purpose: &'static str) -> Self {
        Self { key, purpose }
    }

    /// What is said, readable for everybody, with its signature; made of letters that links may hold.
    pub fn token(&self, said: &str) -> String {
        let signature = self.signed(said).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, if we signed it for this purpose.
    pub fn read(&self, token: &str) -> Option<String> {
        let (said, signature) = token.split_once('.')?;
        let said = String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
        self.signed(&said).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        Some(said)
    }

    fn signed(&self, said: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(self.purpose.as_bytes());
        mac.update(b" ");
        mac.update(said.as_bytes());
        mac
    }
}

/// A new account key: `u_` and 20 lower-case base32 characters (100 bits), valid as a customer's, agent's and staff key.
pub fn draw_account_id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0_u8; 20];
    rand::rng().fill_bytes(&mut bytes);
    let mut id = String::with_capacity(22);
    id.push_str("u_");
    id.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_hide() {
        let (one, two) = (Secret::draw(), Secret::draw());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(one.expose().len(), 43);
        assert_eq!(one.hash(), hash_of(one.expose()));
        assert!(!format!("{one:?}").contains(one.expose()));
        assert!(Secret::draw_with_prefix("cpl_").expose().starts_with("cpl_"));
    }

    #[test]
    fn account_ids_are_short_visible_ascii() {
        let id = draw_account_id();
        assert_eq!(id.len(), 22);
        assert!(
            id.strip_prefix("u_")
                .expect("prefix")
                .bytes()
                .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
        );
        assert_ne!(id, draw_account_id());
    }
}
