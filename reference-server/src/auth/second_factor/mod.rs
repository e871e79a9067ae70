//! The second factor: codes that a device computes from a secret and the clock (RFC 6238), and recovery codes for whoever has lost it.
//!
//! [`kept`] says what is kept; what can be done is said here.

pub mod kept;

use std::fmt::Write as _;
use std::net::IpAddr;

use chrono::TimeDelta;
use qrcode::{Color, EcLevel, QrCode};
use rand::Rng as _;
use totp_rs::{Builder, Totp};

use super::accounts::{
    Account, AccountMailKind, AccountsError, Admission, AttemptKind, AttemptLimits, Door, KeptOpen, NewToken,
    TokenPurpose,
};
use super::secret::{RecoveryCode, Secret, SecretHash, hash_of};
use super::service::{AccountService, AuthError, FieldFault, OpenedSession, Visit, network_of, wait_until};
use super::values::Fault;
use kept::FactorSecret;

/// How long a secret that is offered can be confirmed.
pub const OFFER_FOR: TimeDelta = TimeDelta::hours(1);
/// How long whoever has given the password has for the second step, on the pages.
pub const SECOND_STEP_FOR: TimeDelta = TimeDelta::minutes(10);
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;

/// Whoever guesses here has the password already, and three of a million codes are right at any time.
const LIMITS: AttemptLimits = AttemptLimits {
    per_subject_and_address: Some(5),
    per_subject: Some(20),
    per_address: 50,
    window: TimeDelta::hours(1),
};

/// A secret to be put into a device.
#[derive(Clone)]
pub struct Offer {
    /// To be typed in, base32.
    pub secret: String,
    /// The same as an `otpauth:` address, which apps read as a QR code.
    pub uri: String,
}

/// How an account is guarded beside its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarded {
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
}

/// What somebody typed in as a second factor.
enum Typed {
    /// Six digits of a device.
    Digits(String),
    Recovery(RecoveryCode),
}

impl AccountService {
    /// Draws a secret for somebody's device; it counts once it is confirmed. `site` is what the device calls it.
    ///
    /// # Errors
    /// [`AuthError::SecondFactorThere`] if there is one that counts.
    pub async fn offer_second_factor(&self, id: &str, site: &str) -> Result<Offer, AuthError> {
        let account = self.account(id).await?;
        let mut secret: FactorSecret = [0; 20];
        rand::rng().fill_bytes(&mut secret);
        if self.accounts.offer_factor(id, secret, self.clock.now()).await? {
            offer_of(secret, site, &account.email)
        } else {
            Err(AuthError::SecondFactorThere)
        }
    }

    /// The secret that was offered last, to be shown once more; none if there is none that can still be confirmed.
    pub async fn offered_second_factor(&self, id: &str, site: &str) -> Result<Option<Offer>, AuthError> {
        let account = self.account(id).await?;
        match self.offered(&account).await? {
            Some(secret) => offer_of(secret, site, &account.email).map(Some),
            None => Ok(None),
        }
    }

    /// Makes log-ins need the secret that was offered, for somebody who says their present password and a code computed from it. What is
    /// `kept` stays open, everything else of the account ends, and its owner is told by mail. The recovery codes exist only here.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `current_password` or `code`; [`AuthError::TooMany`] as at the log-in;
    /// [`AuthError::SecondFactorThere`] if there is one that counts; [`AuthError::NoSecondFactor`] if none was offered lately.
    pub async fn confirm_second_factor(
        &self,
        id: &str,
        current: &str,
        code: &str,
        kept: KeptOpen,
        address: IpAddr,
    ) -> Result<Vec<RecoveryCode>, AuthError> {
        let account = self.account(id).await?;
        if account.second_factor_at.is_some() {
            return Err(AuthError::SecondFactorThere);
        }
        let Typed::Digits(code) = read(code, "code")? else {
            return Err(wrong("code", "invalid", "The device shows six digits."));
        };
        self.must_know(&account, current, address).await?;
        let secret = self.offered(&account).await?.ok_or(AuthError::NoSecondFactor)?;
        let attempt = self.admit_factor(&account, address).await?;
        let step = self.step_of(secret, &code)?.ok_or_else(|| not_good("code"))?;
        self.accounts.forgive_attempt(attempt).await?;
        let (codes, hashes) = drawn(id);
        if self.accounts.confirm_factor(id, secret, step, &hashes, kept, self.clock.now()).await? {
            Ok(codes)
        } else {
            Err(AuthError::SecondFactorThere)
        }
    }

    /// How somebody is guarded beside their password, if they are.
    pub async fn guarded(&self, account: &Account) -> Result<Option<Guarded>, AuthError> {
        if account.second_factor_at.is_none() {
            return Ok(None);
        }
        Ok(Some(Guarded { recovery_codes_left: self.accounts.recovery_codes_left(&account.id).await? }))
    }

    /// Draws other recovery codes in the place of those there are, for somebody who says password and code. They exist only here.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `current_password` or `second_factor`; [`AuthError::TooMany`] as at the log-in;
    /// [`AuthError::NoSecondFactor`].
    pub async fn renew_recovery_codes(
        &self,
        id: &str,
        current: &str,
        second_factor: &str,
        address: IpAddr,
    ) -> Result<Vec<RecoveryCode>, AuthError> {
        self.must_prove(id, current, second_factor, address).await?;
        let (codes, hashes) = drawn(id);
        self.accounts.replace_recovery_codes(id, &hashes).await?;
        Ok(codes)
    }

    /// Makes the password enough again, for somebody who says it, and a code. Their owner is told by mail.
    ///
    /// # Errors
    /// As [`AccountService::renew_recovery_codes`].
    pub async fn remove_second_factor(
        &self,
        id: &str,
        current: &str,
        second_factor: &str,
        kept: KeptOpen,
        address: IpAddr,
    ) -> Result<(), AuthError> {
        self.must_prove(id, current, second_factor, address).await?;
        let mail = AccountMailKind::SecondFactorRemoved;
        self.accounts.remove_factor(id, mail, Some(kept), self.clock.now()).await?;
        Ok(())
    }

    /// Takes the second factor of somebody away who cannot show it any more. They are logged out everywhere and told by mail. Who may do it
    /// to whom is the caller's matter.
    ///
    /// # Errors
    /// [`AuthError::NoSecondFactor`].
    pub async fn reset_second_factor(&self, id: &str) -> Result<(), AuthError> {
        let mail = AccountMailKind::SecondFactorReset;
        if self.accounts.remove_factor(id, mail, None, self.clock.now()).await? {
            Ok(())
        } else {
            Err(AuthError::NoSecondFactor)
        }
    }

    /// What stands for the password in the second step of a log-in on the pages, after [`AuthError::SecondFactorNeeded`].
    pub async fn second_step(&self, account_id: &str) -> Result<Secret, AuthError> {
        let (secret, now) = (Secret::draw(), self.clock.now());
        let token = NewToken {
            hash: secret.hash(),
            purpose: TokenPurpose::SecondStep,
            account_id: account_id.to_owned(),
            sent_to: None,
            expires_at: now + SECOND_STEP_FOR,
            code: None,
        };
        self.accounts.add_token(&token, now).await?;
        Ok(secret)
    }

    /// Takes the second step: opens a session for whoever holds what [`AccountService::second_step`] gave, and shows the second factor.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `second_factor`; [`AuthError::InvalidToken`] after ten minutes, or when the password was changed;
    /// [`AuthError::TooMany`] after five that were wrong.
    pub async fn log_in_by_second_step(
        &self,
        token: &str,
        second_factor: &str,
        visit: &Visit,
        replaces: Option<&str>,
    ) -> Result<OpenedSession, AuthError> {
        let (hash, purpose, now) = (hash_of(token), TokenPurpose::SecondStep, self.clock.now());
        let account = self.good_token(hash, purpose, now).await?;
        self.must_show(&account, Some(second_factor), visit.address).await?;
        let account = self.accounts.take_token(hash, purpose, now).await?.ok_or(AuthError::InvalidToken)?;
        self.open_session(account, Door::Password, visit, replaces).await
    }

    /// Asks whoever has shown that they are this account's owner for their second factor, if they have one. What is right is used up.
    ///
    /// # Errors
    /// [`AuthError::SecondFactorNeeded`] if none is given; [`AuthError::Invalid`] naming `second_factor` if it is wrong or was used;
    /// [`AuthError::TooMany`].
    pub(super) async fn must_show(
        &self,
        account: &Account,
        second_factor: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AuthError> {
        if account.second_factor_at.is_none() {
            return Ok(());
        }
        let Some(typed) = second_factor else {
            return Err(AuthError::SecondFactorNeeded { account_id: account.id.clone() });
        };
        let typed = read(typed, "second_factor")?;
        let attempt = self.admit_factor(account, address).await?;
        let taken = match typed {
            Typed::Recovery(code) => {
                self.accounts.take_recovery_code(&account.id, code.hash(&account.id), self.clock.now()).await?
            }
            Typed::Digits(code) => match self.accounts.factor_of(&account.id).await? {
                Some(factor) => match self.step_of(factor.secret, &code)? {
                    Some(step) => self.accounts.take_step(&account.id, step).await?,
                    None => false,
                },
                None => false,
            },
        };
        if !taken {
            return Err(not_good("second_factor"));
        }
        Ok(self.accounts.forgive_attempt(attempt).await?)
    }

    /// Asks somebody who is logged in, and has a second factor, for password and code.
    async fn must_prove(&self, id: &str, current: &str, second_factor: &str, address: IpAddr) -> Result<(), AuthError> {
        let account = self.account(id).await?;
        if account.second_factor_at.is_none() {
            return Err(AuthError::NoSecondFactor);
        }
        self.must_know(&account, current, address).await?;
        self.must_show(&account, Some(second_factor), address).await
    }

    /// The secret that was offered to an account and can still be confirmed.
    async fn offered(&self, account: &Account) -> Result<Option<FactorSecret>, AuthError> {
        let factor = self.accounts.factor_of(&account.id).await?;
        let is_open = account.second_factor_at.is_none();
        let since = self.clock.now() - OFFER_FOR;
        Ok(factor.filter(|factor| is_open && factor.offered_at > since).map(|factor| factor.secret))
    }

    /// The step whose code this is: the present one, the one before, since people type, or the next, since devices are ahead.
    fn step_of(&self, secret: FactorSecret, code: &str) -> Result<Option<i64>, AuthError> {
        let seconds = u64::try_from(self.clock.now().timestamp()).unwrap_or_default();
        let step = totp(secret, "", "")?.check(code, seconds);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    async fn admit_factor(&self, account: &Account, address: IpAddr) -> Result<i64, AuthError> {
        let (kind, subject, now) = (AttemptKind::SecondFactor, hash_of(&account.id), self.clock.now());
        match self.accounts.admit_attempt(kind, subject, &network_of(address), LIMITS, None, now).await? {
            Admission::Admitted { attempt } => Ok(attempt),
            Admission::Refused { until } => Err(wait_until(until, now)),
        }
    }
}

/// A QR code as a drawing for a page, where its secret also stands as text: black on white whatever the page's colours are, or no camera reads it.
pub fn drawn_as_svg(text: &str) -> Option<String> {
    /// Around the code, in its units, must be nothing.
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, _) in code.to_colors().iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
        let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"240\" height=\"240\" aria-hidden=\"true\" shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

/// What apps know to compute: SHA-1, six digits, thirty seconds. Many ignore it if something else is asked for.
fn totp(secret: FactorSecret, site: &str, email: &str) -> Result<Totp, AuthError> {
    // A colon parts the two in the address, so neither may have one.
    let site = Some(site.replace(':', " ")).filter(|site| !site.is_empty());
    let built = Builder::new().with_secret(secret).with_issuer(site).with_account_name(email).build();
    built.map_err(|error| AuthError::Accounts(AccountsError::Failed(Box::new(error))))
}

fn offer_of(secret: FactorSecret, site: &str, email: &str) -> Result<Offer, AuthError> {
    let totp = totp(secret, site, email)?;
    let uri = totp.to_url().map_err(|error| AuthError::Accounts(AccountsError::Failed(Box::new(error))))?;
    Ok(Offer { secret: totp.secret().to_base32(), uri })
}

fn drawn(id: &str) -> (Vec<RecoveryCode>, Vec<SecretHash>) {
    let codes: Vec<RecoveryCode> = std::iter::repeat_with(RecoveryCode::draw).take(RECOVERY_CODES).collect();
    let hashes = codes.iter().map(|code| code.hash(id)).collect();
    (codes, hashes)
}

fn read(typed: &str, field: &'static str) -> Result<Typed, AuthError> {
    // No more than any code has is looked at.
    let bare: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(40).collect();
    if bare.len() == 6 && bare.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Typed::Digits(bare));
    }
    RecoveryCode::parse(&bare).map(Typed::Recovery).ok_or_else(|| {
        wrong(field, "invalid", "Please type the six digits that your device shows, or one of your recovery codes.")
    })
}

/// The same for a code that is another one, that was used, and that is of another time.
fn not_good(field: &'static str) -> AuthError {
    wrong(field, "not_good", "This code is not right, or it was used already. Wait for the next one and try again.")
}

fn wrong(field: &'static str, code: &'static str, message: &str) -> AuthError {
    AuthError::Invalid(vec![FieldFault { field, fault: Fault::new(code, message) }])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits as RFC 4226 does.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(*b"12345678901234567890", "", "").expect("a secret of 160 bits");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp.generate(seconds).to_string(), code, "{seconds}");
            assert_eq!(totp.check(code, seconds), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn what_is_typed_is_one_of_two_kinds() {
        let recovery = RecoveryCode::draw();
        assert!(matches!(read("123 456", "x"), Ok(Typed::Digits(code)) if code == "123456"));
        let shouted = format!(" {} ", recovery.expose().to_uppercase());
        assert!(matches!(read(&shouted, "x"), Ok(Typed::Recovery(code)) if code.hash("a") == recovery.hash("a")));
        let long = "1".repeat(100_000);
        for wrong in ["", "12345", "1234567", "abc", "١٢٣٤٥٦", "12345a", "\0", long.as_str()] {
            assert!(matches!(read(wrong, "x"), Err(AuthError::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn an_offer_can_be_read_by_apps() {
        let offer = offer_of([7; 20], "City: Water & Sons", "o'hara+x@example.org").expect("an offer");
        assert_eq!(offer.secret.len(), 32);
        let read = Totp::from_url(&offer.uri).expect("an otpauth address");
        assert_eq!((read.secret().as_bytes(), read.account_name()), (&[7; 20][..], "o'hara+x@example.org"));
        assert_eq!(read.issuer(), Some("City  Water & Sons"));
    }

    #[test]
    fn a_drawing_is_square_and_holds_no_text_of_others() {
        let svg = drawn_as_svg("otpauth://totp/<script>").expect("a code");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>") && !svg.contains("script"), "{svg}");
        assert!(drawn_as_svg(&"x".repeat(5000)).is_none(), "longer than any code");
    }
}
