//! What is kept of preferences and digests, and the promises a place to keep it must hold.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::notice::{Notice, Preferences};

use crate::auth::AccountsError;
use crate::auth::accounts::MailOutcome;

/// One letter that lists several notices to one person, now held by one courier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Stable over all tries.
    pub letter: String,
    /// To whom.
    pub account_id: String,
    /// What it lists, in the order in which it was planned.
    pub notices: Vec<Notice>,
    /// How often it was begun, this time included.
    pub attempt: u32,
}

/// A letter that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadDigest {
    /// The letter.
    pub digest: Digest,
    /// When it was given up.
    pub given_up_at: DateTime<Utc>,
    /// Why, for operators.
    pub why: String,
}

/// Keeps preferences, and notices until they are listed in a digest.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock.
#[async_trait]
pub trait KeptPreferences: Send + Sync {
    /// What somebody chose, with its version: 0 and the default for whoever never chose.
    async fn preferences(&self, account_id: &str) -> Result<(u64, Preferences), AccountsError>;
    /// Keeps what somebody chose after version `expected`, or whatever there is; returns the new version.
    ///
    /// # Errors
    /// [`AccountsError::Conflict`] with the version there is, if it is another one.
    async fn keep_preferences(
        &self,
        account_id: &str,
        expected: Option<u64>,
        preferences: &Preferences,
    ) -> Result<u64, AccountsError>;
    /// The key of this installation for a purpose: `fresh`, if there was none.
    async fn key(&self, purpose: &str, fresh: [u8; 32]) -> Result<[u8; 32], AccountsError>;

    /// Keeps a notice for the digest of an account that is due at an instant. One that is kept already stays as it is.
    async fn add_to_digest(
        &self,
        account_id: &str,
        notice: &Notice,
        due_at: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// A letter that is due, held until `until`. What is due of the same person is in one letter, at most `most` notices; a letter that was
    /// tried before has the notices that it had then.
    async fn claim_digest(
        &self,
        letter: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u32,
    ) -> Result<Option<Digest>, AccountsError>;
    /// Notes what became of a letter. One that is done is forgotten with what it listed.
    async fn settle_digest(&self, letter: &str, outcome: MailOutcome, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Letters that were given up, the latest first, at most `limit`.
    async fn dead_digests(&self, limit: u32) -> Result<Vec<DeadDigest>, AccountsError>;
    /// Has a letter that was given up wait again; returns whether it was given up.
    async fn revive_digest(&self, letter: &str, now: DateTime<Utc>) -> Result<bool, AccountsError>;
}
