//! The chain of a log, the same on every engine.
//!
//! The hash of an entry is SHA-256 over the hash of the entry before it (32 zero bytes before the first) and the digest
//! of the entry. The digest is taken over the bytes as they are stored, never over a value read back, so that a later
//! version of the documents leaves it as it is. Words enter it by a salted digest of their own: they can be erased, and
//! then neither read nor guessed, while the chain holds.

use complaint_core::complaint::Entry;
use complaint_core::store::StoreError;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::codec::{CODEC, encode, number};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// What stands before the first entry of a log.
pub(crate) const BEGINNING: Hash = [0; 32];

/// A line of the log as it is written.
pub(crate) struct EntryColumns {
    pub(crate) facts: EntryFacts,
    pub(crate) words: Option<SealedWords>,
    pub(crate) digest: Hash,
}

/// What is never erased of a line of the log.
pub(crate) struct EntryFacts {
    pub(crate) complaint: Uuid,
    pub(crate) seq: i64,
    pub(crate) version: i64,
    pub(crate) at: i64,
    pub(crate) codec: i64,
    pub(crate) entry: String,
}

/// Words with what ties them to their entry.
pub(crate) struct SealedWords {
    pub(crate) words: String,
    pub(crate) salt: [u8; 16],
    pub(crate) digest: Hash,
}

impl EntryColumns {
    pub(crate) fn of(entry: &Entry) -> Result<Self, StoreError> {
        let mut facts = entry.clone();
        let words = std::mem::take(&mut facts.words);
        let words = if words.is_empty() { None } else { Some(encode(&words)?) };
        let facts = EntryFacts {
            complaint: entry.complaint.as_uuid(),
            seq: i64::from(entry.seq),
            version: number(entry.version.get())?,
            at: entry.at.timestamp_micros(),
            codec: CODEC,
            entry: encode(&facts)?,
        };
        Ok(Self::new(facts, words))
    }

    pub(crate) fn new(facts: EntryFacts, words: Option<String>) -> Self {
        let words = words.map(SealedWords::new);
        Self { digest: facts.digest(words.as_ref().map(|words| &words.digest)), facts, words }
    }
}

impl EntryFacts {
    /// The digest of an entry with these facts and words of this digest.
    pub(crate) fn digest(&self, words: Option<&Hash>) -> Hash {
        let mut sha = Sha256::new_with_prefix("complaint entry 1\0");
        sha.update(self.complaint.as_bytes());
        for number in [self.seq, self.version, self.at, self.codec] {
            sha.update(number.to_be_bytes());
        }
        // With its length, so that no byte of it can be taken for one of the words' digest.
        sha.update((self.entry.len() as u64).to_be_bytes());
        sha.update(&self.entry);
        sha.update(words.map_or(&[][..], |digest| digest));
        sha.finalize().into()
    }
}

impl SealedWords {
    fn new(words: String) -> Self {
        // It decides nothing, so no test has to foresee it; that nobody can is the point.
        let salt: [u8; 16] = rand::random();
        Self { digest: words_digest(&salt, &words), words, salt }
    }
}

/// The digest under which words can be erased.
pub(crate) fn words_digest(salt: &[u8], words: &str) -> Hash {
    let mut sha = Sha256::new_with_prefix("complaint words 1\0");
    sha.update(salt);
    sha.update(words);
    sha.finalize().into()
}

/// The hash of an entry behind another.
pub(crate) fn link(before: &Hash, digest: &Hash) -> Hash {
    let mut sha = Sha256::new_with_prefix(before);
    sha.update(digest);
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> EntryFacts {
        EntryFacts {
            complaint: Uuid::from_u128(7),
            seq: 1,
            version: 1,
            at: 1_772_442_000_123_456,
            codec: 1,
            entry: r#"{"event":"noted"}"#.into(),
        }
    }

    /// What was stored once must be computed for ever; these values were worked out by another program.
    #[test]
    fn the_hashes_are_those_of_the_format() {
        let words = words_digest(&[1; 16], r#"{"text":"Called back."}"#);
        let alone = facts().digest(None);
        let with_words = facts().digest(Some(&words));
        let second = link(&link(&BEGINNING, &alone), &with_words);
        for (found, expected) in [
            (words, "5511cbd89916d9e4add0763b6220058bf60448b3bbc15203944ce9325964ffe2"),
            (alone, "1859ebc33aff0d4bef92ecea5817f08df50e1080731c1e74ce29188093a03692"),
            (with_words, "e294ee6c6a537648f8854fd75fbaeb242f40d3e9273d19d3319c288487d1f11e"),
            (second, "74300b157a6c09a4769fece148e36e0d7a634102918a7e9d7bfa0fbdba905a34"),
        ] {
            assert_eq!(found.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")), expected);
        }
    }

    #[test]
    fn every_column_is_in_the_digest() {
        let changed = [
            EntryFacts { complaint: Uuid::from_u128(8), ..facts() },
            EntryFacts { seq: 2, ..facts() },
            EntryFacts { version: 2, ..facts() },
            EntryFacts { at: 1_772_442_000_123_457, ..facts() },
            EntryFacts { codec: 2, ..facts() },
            EntryFacts { entry: r#"{"event":"posted"}"#.into(), ..facts() },
        ];
        for changed in changed {
            assert_ne!(changed.digest(None), facts().digest(None));
        }
        assert_ne!(facts().digest(Some(&BEGINNING)), facts().digest(None));
    }

    #[test]
    fn the_same_words_have_another_digest_each_time() {
        let seal = || SealedWords::new("{\"text\":\"No.\"}".into());
        assert_ne!(seal().digest, seal().digest);
    }
}
