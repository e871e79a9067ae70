//! What is kept of second factors, and the promises a place to keep it must hold.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::auth::accounts::{AccountMailKind, AccountsError, KeptOpen};
use crate::auth::secret::SecretHash;

/// From what the codes of an account are computed: 160 bits, as RFC 4226 recommends.
pub type FactorSecret = [u8; 20];

/// A secret that is kept for an account.
#[derive(Clone)]
pub struct KeptFactor {
    /// From what its codes are computed.
    pub secret: FactorSecret,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
}

/// Keeps second factors. [`super::super::Account::second_factor_at`] says whose counts.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// Keeps a secret that counts once it is confirmed, in the place of one that was not; false if the account's counts already.
    async fn offer_factor(&self, id: &str, secret: FactorSecret, now: DateTime<Utc>) -> Result<bool, AccountsError>;
    /// The secret of an account, confirmed or not.
    async fn factor_of(&self, id: &str) -> Result<Option<KeptFactor>, AccountsError>;
    /// From now on log-ins need the secret that was offered. The step of the code that showed it counts as taken, these recovery codes are
    /// the account's, everything else that opens it ends but what is `kept`, and its owner is told. False if it counts already, or the
    /// secret is another one by now; of any number of simultaneous calls one is true.
    async fn confirm_factor(
        &self,
        id: &str,
        secret: FactorSecret,
        step: i64,
        recovery: &[SecretHash],
        kept: KeptOpen,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
    /// Takes the code of a step; false if that or a later one was taken. Of any number of simultaneous calls one is true.
    async fn take_step(&self, id: &str, step: i64) -> Result<bool, AccountsError>;
    /// Uses up a recovery code and tells its owner; false if there is none. Of any number of simultaneous calls one is true.
    async fn take_recovery_code(&self, id: &str, code: SecretHash, now: DateTime<Utc>) -> Result<bool, AccountsError>;
    /// How many recovery codes are left.
    async fn recovery_codes_left(&self, id: &str) -> Result<u32, AccountsError>;
    /// Gives an account these recovery codes in the place of those it has.
    async fn replace_recovery_codes(&self, id: &str, codes: &[SecretHash]) -> Result<(), AccountsError>;
    /// Takes secret and recovery codes away, and tells the owner by this mail; false if there was none that counted. What opens the account
    /// ends but what is `kept`: without one, everything does.
    async fn remove_factor(
        &self,
        id: &str,
        mail: AccountMailKind,
        kept: Option<KeptOpen>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
}
