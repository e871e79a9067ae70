//! Signatures of the Standard Webhooks specification, scheme `v1`: HMAC-SHA256 over id, time and body.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// As many bytes as the specification asks for.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;

/// What an endpoint and we share: `whsec_` and 24 to 64 bytes in base64.
///
/// ```
/// use complaint_notify::WebhookSecret;
///
/// let secret = WebhookSecret::from_bytes([7; 32]);
/// assert_eq!(secret.expose().parse::<WebhookSecret>()?, secret);
/// assert!(!format!("{secret:?}").contains(secret.expose()));
/// assert!("whsec_c2hvcnQ=".parse::<WebhookSecret>().is_err());
/// # Ok::<(), complaint_notify::InvalidSecret>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    shown: String,
    key: Vec<u8>,
}

impl WebhookSecret {
    /// Of bytes that were drawn at random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { shown: format!("{PREFIX}{}", STANDARD.encode(bytes)), key: bytes.to_vec() }
    }

    /// The value itself, for those who share it.
    pub fn expose(&self) -> &str {
        &self.shown
    }

    /// The signature of a message sent at an instant, in seconds since 1970.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        // Keys of any length are good for HMAC; longer ones than a block are hashed (RFC 2104).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(hidden)")
    }
}

/// No secret of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no webhook secret: whsec_ and 24 to 64 bytes in base64")]
pub struct InvalidSecret;

impl FromStr for WebhookSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let key = text.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok()).ok_or(InvalidSecret)?;
        if (BYTES_MIN..=BYTES_MAX).contains(&key.len()) {
            Ok(Self { shown: text.to_owned(), key })
        } else {
            Err(InvalidSecret)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one that the specification's own libraries are tried with.
    #[test]
    fn the_vector_of_the_specification_comes_out() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_have_the_length_that_is_asked_for() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![1; length])).parse::<WebhookSecret>();
        assert!(of(24).is_ok() && of(64).is_ok());
        assert!(of(23).is_err() && of(65).is_err() && of(0).is_err());
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all, is it?"] {
            assert_eq!(wrong.parse::<WebhookSecret>(), Err(InvalidSecret), "{wrong}");
        }
    }
}
