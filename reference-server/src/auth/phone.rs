//! Whose telephone number is whose: text messages go only to a number whose owner typed in a code that was sent there, or that an admin
//! gave a colleague.

use chrono::TimeDelta;
use complaint_notify::PhoneNumber;

use super::accounts::{Account, AccountChange, Admission, PhoneCode, PhoneLimits};
use super::secret::{SecretHash, hash_of};
use super::service::{AccountService, AuthError, FieldFault, wait_until};
use super::values::Fault;
use crate::texts::{Texts, TextsError};

/// How long a code works.
pub const PHONE_CODE_FOR: TimeDelta = TimeDelta::minutes(10);
/// Digits of a code: 26 bits.
const DIGITS: usize = 8;
/// Few: each costs money, and to make others get texts must be no sport.
const LIMITS: PhoneLimits = PhoneLimits { codes: 3, window: TimeDelta::days(1), tries: 5 };

impl AccountService {
    /// Sends a code to a number that somebody says is theirs. A former code works no longer.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for what is no number in international form; [`AuthError::TooMany`] after three codes in a day, counted by
    /// account and by number; [`AuthError::TextsAway`] if it could not be sent now.
    pub async fn ask_for_phone(&self, account_id: &str, typed: &str, texts: &Texts) -> Result<(), AuthError> {
        let phone: PhoneNumber = typed.parse().map_err(|_| {
            wrong("phone", "invalid", "Please give the number in international form, as in +44 7700 900123.")
        })?;
        let now = self.clock.now();
        let drawn = rand::random::<u64>() % 10_u64.pow(8);
        let code = format!("{drawn:0DIGITS$}");
        let kept = PhoneCode {
            account_id: account_id.to_owned(),
            phone: phone.to_string(),
            hash: kept_of(account_id, &code),
            expires_at: now + PHONE_CODE_FOR,
        };
        match self.accounts.add_phone_code(&kept, LIMITS, now).await? {
            Admission::Refused { until } => Err(wait_until(until, now)),
            Admission::Admitted { attempt } => {
                texts.send_code(&format!("code-{attempt}"), phone, &code).await.map_err(|error| match error {
                    TextsError::Later(_) => AuthError::TextsAway(error),
                    TextsError::Never(_) => {
                        tracing::warn!(error = %crate::error::chain(&error), "a code could not be sent to a phone");
                        wrong("phone", "invalid", "No text message can be sent to this number.")
                    }
                })
            }
        }
    }

    /// Gives an account the number that its code was sent to.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if this is not the code, or it works no longer: after ten minutes, five wrong tries, or another code.
    pub async fn confirm_phone(&self, account_id: &str, typed: &str) -> Result<Account, AuthError> {
        let code: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let not_good = || wrong("code", "not_good", "This is not the code we sent last, or it works no longer.");
        if code.len() != DIGITS || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("code", "invalid", "The code has eight digits."));
        }
        let hash = kept_of(account_id, &code);
        self.accounts.confirm_phone(account_id, hash, LIMITS, self.clock.now()).await?.ok_or_else(not_good)
    }

    /// Takes the number away: no text messages go there any more.
    pub async fn forget_phone(&self, account_id: &str) -> Result<Account, AuthError> {
        self.change(account_id, AccountChange { phone: Some(None), ..AccountChange::default() }).await
    }
}

/// Of one account: another's code with the same digits is another one.
fn kept_of(account_id: &str, code: &str) -> SecretHash {
    hash_of(&format!("{account_id} {code}"))
}

fn wrong(field: &'static str, code: &'static str, message: &str) -> AuthError {
    AuthError::Invalid(vec![FieldFault { field, fault: Fault::new(code, message) }])
}
