//! What is kept of identities, and the promises a place to keep it must hold.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::auth::accounts::{Account, AccountsError, NewAccount};
use crate::auth::secret::SecretHash;

/// Somebody at a provider, linked to an account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// To name it by; opens nothing.
    pub id: String,
    /// The provider.
    pub issuer: String,
    /// The address the provider vouched for when it was linked.
    pub email: String,
    /// Since when.
    pub linked_at: DateTime<Utc>,
}

/// An identity to be linked.
#[derive(Debug, Clone, Copy)]
pub struct NewIdentity<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Who they are there.
    pub subject: &'a str,
    /// The address the provider vouches for.
    pub email: &'a str,
}

/// What linking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// It is linked, by now or before.
    Done,
    /// Another account has it.
    Taken,
    /// The account is disabled, of staff, or not there.
    Closed,
    /// The account has another address, or has not confirmed it.
    OtherEmail,
}

/// What unlinking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// It is gone.
    Done,
    /// The account has no such identity.
    NotFound,
    /// The account has neither a password nor another identity.
    LastWayIn,
}

/// Keeps identities.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock; `about` says in a mail to the owner what
/// happened.
#[async_trait]
pub trait Identities: Send + Sync {
    /// The account an identity is linked to, open or not.
    async fn account_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<Account>, AccountsError>;
    /// What is linked to an account, the oldest first.
    async fn identities_of(&self, account_id: &str) -> Result<Vec<Identity>, AccountsError>;
    /// Makes an account with this identity; of two at once the second gets the account of the first. [`AccountsError::EmailTaken`] if the
    /// address is an account's, whatever its state.
    async fn account_with_identity(
        &self,
        new: NewAccount,
        identity: NewIdentity<'_>,
        now: DateTime<Utc>,
    ) -> Result<Account, AccountsError>;
    /// Links an identity to the enabled account of a customer that has confirmed the same address.
    async fn link(
        &self,
        account_id: &str,
        identity: NewIdentity<'_>,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Linked, AccountsError>;
    /// Takes an identity from an account, unless it is the last way in.
    async fn unlink(
        &self,
        account_id: &str,
        id: &str,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Unlinked, AccountsError>;
    /// Notes that something was used that nobody would take after `until` anyway; false if it was used before. Of any number of
    /// simultaneous calls exactly one gets true.
    async fn use_once(&self, hash: SecretHash, until: DateTime<Utc>, now: DateTime<Utc>)
    -> Result<bool, AccountsError>;
}
