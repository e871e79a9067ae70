//! Whose telephone number is whose: text messages go only to a number whose owner typed in a code that was sent there, or that an admin
//! gave a colleague.

use chrono::TimeDelta;
use complaint_notify::PhoneNumber;

use super::accounts::{Account, AccountChange, Admission, PhoneCode, PhoneLimits};
use super::secret::Code;
use super::service::{AccountService, AuthError, FieldFault, wait_until};
use super::values::Fault;
use crate::texts::{Texts, TextsError};

/// How long a code works.
pub const PHONE_CODE_FOR: TimeDelta = TimeDelta::minutes(10);
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
        let code = Code::draw();
        let kept = PhoneCode {
            account_id: account_id.to_owned(),
            phone: phone.to_string(),
            hash: code.hash(account_id),
            expires_at: now + PHONE_CODE_FOR,
        };
        match self.accounts.add_phone_code(&kept, LIMITS, now).await? {
            Admission::Refused { until } => Err(wait_until(until, now)),
            Admission::Admitted { attempt } => {
                texts.send_code(&format!("code-{attempt}"), phone, code.expose()).await.map_err(|error| match error {
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
        let code = Code::parse(typed).map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "code", fault }]))?;
        let not_good = || wrong("code", "not_good", "This is not the code we sent last, or it works no longer.");
        let hash = code.hash(account_id);
        self.accounts.confirm_phone(account_id, hash, LIMITS, self.clock.now()).await?.ok_or_else(not_good)
    }

    /// Takes the number away: no text messages go there any more.
    pub async fn forget_phone(&self, account_id: &str) -> Result<Account, AuthError> {
        self.change(account_id, AccountChange { phone: Some(None), ..AccountChange::default() }).await
    }
}

fn wrong(field: &'static str, code: &'static str, message: &str) -> AuthError {
    AuthError::Invalid(vec![FieldFault { field, fault: Fault::new(code, message) }])
}
