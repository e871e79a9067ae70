//! What a browser holds of a log-in that is under way: readable for it, made by us alone, and for minutes.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::auth::secret::Seal;

/// A log-in that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The key of the provider.
    pub provider: String,
    /// Comes back with the answer.
    pub state: String,
    /// Stands in the token.
    pub nonce: String,
    /// Shows that whoever exchanges the code has asked for it.
    pub verifier: String,
    /// Where to go on.
    pub next: String,
    /// Who was logged in when it was begun.
    pub account: Option<String>,
    /// In seconds since 1970.
    pub until: i64,
}

/// A question whether an identity is to be linked to the account with its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Each is answered once.
    pub id: String,
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// The address the provider vouches for.
    pub email: String,
    /// In seconds since 1970.
    pub until: i64,
}

impl Passage {
    pub(super) fn sealed(&self, seal: &Seal) -> String {
        seal.token(&written(self))
    }

    pub(super) fn read(sealed: &str, seal: &Seal, now: DateTime<Utc>) -> Option<Self> {
        read(sealed, seal).filter(|passage: &Self| now.timestamp() < passage.until)
    }
}

impl Wish {
    pub(super) fn sealed(&self, seal: &Seal) -> String {
        seal.token(&written(self))
    }

    pub(super) fn read(sealed: &str, seal: &Seal, now: DateTime<Utc>) -> Option<Self> {
        read(sealed, seal).filter(|wish: &Self| now.timestamp() < wish.until)
    }
}

fn written(what: &impl Serialize) -> String {
    // Strings and a number serialise.
    serde_json::to_string(what).unwrap_or_default()
}

fn read<T: DeserializeOwned>(sealed: &str, seal: &Seal) -> Option<T> {
    serde_json::from_str(&seal.read(sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_read_by_the_seal_that_made_it_until_it_ends() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("in range");
        let wish = Wish { id: "1".into(), issuer: "i".into(), subject: "s".into(), email: "e".into(), until: 1_000 };
        let (seal, other) = (Seal::new([1; 32], "wish"), Seal::new([1; 32], "passage"));
        let sealed = wish.sealed(&seal);
        assert_eq!(Wish::read(&sealed, &seal, at(999)), Some(wish));
        assert_eq!(Wish::read(&sealed, &seal, at(1_000)), None);
        assert_eq!(Wish::read(&sealed, &other, at(999)), None);
        assert_eq!(Wish::read(&format!("x{sealed}"), &seal, at(999)), None);
    }
}
