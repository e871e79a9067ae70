//! What can be done with accounts. JSON handlers, pages and the command line all call these same functions.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use url::Url;

use super::accounts::{
    Account, AccountChange, AccountFilter, AccountMailKind, Accounts, AccountsError, Admission, Asked, AskedMail,
    AttemptKind, AttemptLimits, Chosen, Confirmation, Credentials, Door, EmailAsked, HeldKey, KeptOpen, LogIn, Made,
    MailJob, MailOutcome, NewAccount, NewCode, NewSession, NewToken, OpenSession, Origin, SignUp as SignUpOutcome,
    TokenPurpose,
};
use super::documents::{Acceptance, DocumentKind};
use super::mail::{AccountMail, AccountMailError, Occasion, compose};
use super::password::{Comparison, PASSWORD_MAX, PasswordError, Passwords, judge};
use super::secret::{Code, Secret, SecretHash, draw_account_id, hash_of};
use super::values::{EmailAddress, Fault, FullName, Phone, PostalAddress, Role};
use crate::clock::Clock;
use crate::error::{chain, printable};
use crate::texts::TextsError;

/// How long a confirmation link works, from the moment its mail is sent.
pub const VERIFY_EMAIL_FOR: TimeDelta = TimeDelta::hours(24);
/// How long an invitation works, from the moment its mail is sent.
pub const INVITATION_FOR: TimeDelta = TimeDelta::days(7);
/// How long a link to choose another password works, from the moment its mail is sent.
pub const RESET_PASSWORD_FOR: TimeDelta = TimeDelta::minutes(30);
/// How long a code works, from the moment its mail is sent.
pub const CODE_FOR: TimeDelta = TimeDelta::minutes(10);
/// After so many wrong codes an account's codes work no longer; the links beside them do.
pub const CODE_TRIES: u32 = 5;
/// How long a set-up link works; every start without an admin prints a new one.
pub const SETUP_FOR: TimeDelta = TimeDelta::hours(24);
/// How long an API token works.
pub const API_TOKEN_FOR: TimeDelta = TimeDelta::days(30);
/// Tries per mail before it is given up.
pub const MAIL_TRIES: u32 = 8;

/// How long it counts from where somebody logged in.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// Whoever guesses is slowed down where they are, and everybody who was never let in before when guesses come from many places. The
/// owner goes on where they have logged in before: that strangers keep somebody out by ten wrong passwords would be an attack, too.
const LOGIN_LIMITS: AttemptLimits = AttemptLimits {
    per_subject_and_address: Some(10),
    per_subject: Some(50),
    per_address: 50,
    window: TimeDelta::minutes(15),
};
/// Generous: a whole company may sit behind one address; the outbox has its own limit per mailbox.
const SIGN_UP_LIMITS: AttemptLimits = AttemptLimits {
    per_subject_and_address: None,
    per_subject: None,
    per_address: 200,
    window: TimeDelta::minutes(15),
};
/// A session's use is written down at most this often: reading a page must not cost a write each time.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);
/// The most mails with a link or code that a confirmed account gets within [`ASKED_WITHIN`], whoever asks for them.
const ASKED_MOST: u32 = 3;
const ASKED_WITHIN: TimeDelta = TimeDelta::hours(1);
const MAIL_LEASE: TimeDelta = TimeDelta::minutes(5);
const MAIL_BATCH: u32 = 20;
const MAIL_ERROR_MAX: usize = 500;

/// A typed value and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's name in the request and in the form.
    pub field: &'static str,
    /// What is wrong.
    pub fault: Fault,
}

/// What is known of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// It was not used yet; what is to be kept of the request.
    Nothing {
        /// An argon2id PHC string.
        fingerprint: String,
    },
    /// The same request made this.
    Same(Made),
    /// It was used with another request.
    Other,
}

/// What somebody holds of a mail that was sent to them.
#[derive(Debug, Clone, Copy)]
pub enum Mailed<'a> {
    /// The token of its link.
    Link(&'a str),
    /// The address it was sent to, and its code.
    Code {
        /// As typed.
        email: &'a str,
        /// As typed.
        code: &'a str,
    },
}

impl<'a> Mailed<'a> {
    /// What came in three fields: a token, or address and code.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming what is missing or too much.
    pub fn of(token: Option<&'a str>, email: Option<&'a str>, code: Option<&'a str>) -> Result<Self, AuthError> {
        let wrong =
            |field, code, message| AuthError::Invalid(vec![FieldFault { field, fault: Fault::new(code, message) }]);
        match (token, email, code) {
            (Some(token), None, None) => Ok(Self::Link(token)),
            (None, Some(email), Some(code)) => Ok(Self::Code { email, code }),
            (None, None, None) => {
                Err(wrong("token", "missing", "Give the token of the link, or e-mail address and code."))
            }
            (None, Some(_), None) => Err(wrong("code", "missing", "Please give the code that was mailed.")),
            (None, None, Some(_)) => Err(wrong("email", "missing", "Please give the address the code was mailed to.")),
            (Some(_), ..) => Err(wrong("code", "unknown_field", "With a token neither address nor code is needed.")),
        }
    }
}

/// Why something about an account was not done.
#[derive(Debug, Error)]
pub enum AuthError {
    /// Typed values must be mended; all of them are named.
    #[error("some values cannot be accepted")]
    Invalid(Vec<FieldFault>),
    /// Unknown address, wrong password or disabled account: nobody learns which.
    #[error("e-mail address or password is wrong")]
    InvalidCredentials,
    /// The password was right, the address is not confirmed.
    #[error("the e-mail address is not confirmed yet")]
    EmailUnverified,
    /// Password, or what was mailed, was right; this account's log-ins need a code as well.
    #[error("a second factor is needed")]
    SecondFactorNeeded {
        /// Whose; never told.
        account_id: String,
    },
    /// There is a second factor already.
    #[error("there is a second factor already")]
    SecondFactorThere,
    /// There is none, or none that was offered lately.
    #[error("there is no second factor")]
    NoSecondFactor,
    /// The link's token is unknown, used or expired.
    #[error("this link does not work any more")]
    InvalidToken,
    /// There is an admin already.
    #[error("the installation is already set up")]
    AlreadySetUp,
    /// Too many tries; not before this many seconds have passed.
    #[error("too many tries")]
    TooMany {
        /// At least 1.
        retry_after_seconds: u64,
    },
    /// Told to staff only: strangers never learn it.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// There would be nobody left to run the installation.
    #[error("the last admin must stay")]
    LastAdmin,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// A text message could not be handed on now.
    #[error("a text message could not be sent")]
    TextsAway(#[source] TextsError),
    /// The place that keeps accounts failed.
    #[error("accounts could not be read or written")]
    Accounts(#[source] AccountsError),
    /// A password could not be hashed.
    #[error("a password could not be processed")]
    Password(#[source] PasswordError),
}

impl AuthError {
    /// The same for a code that is another one, that works no longer, and for an address nobody has.
    pub(crate) fn wrong_code() -> Self {
        let fault = Fault::new("not_good", "This is not the code we sent to this address, or it works no longer.");
        Self::Invalid(vec![FieldFault { field: "code", fault }])
    }
}

impl From<AccountsError> for AuthError {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::EmailTaken => Self::EmailTaken,
            AccountsError::LastAdmin => Self::LastAdmin,
            AccountsError::NoSuchAccount => Self::NoSuchAccount,
            other => Self::Accounts(other),
        }
    }
}

impl From<PasswordError> for AuthError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::TooMany { retry_after_seconds: 1 },
            other => Self::Password(other),
        }
    }
}

/// A session just opened: the cookie's value exists only here.
#[derive(Debug)]
pub struct OpenedSession {
    /// For the cookie.
    pub secret: Secret,
    /// Who logged in.
    pub account: Account,
    /// Ends at this instant whatever happens.
    pub expires_at: DateTime<Utc>,
}

/// Where somebody comes from who logs in.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The network address.
    pub address: IpAddr,
    /// See [`Origin::device`].
    pub device: &'static str,
    /// See [`Origin::browser`].
    pub browser: Option<SecretHash>,
}

impl Visit {
    fn origin(&self) -> Origin {
        Origin { device: self.device.to_owned(), address: network_of(self.address), browser: self.browser }
    }
}

/// An API token just made: its value exists only here.
#[derive(Debug)]
pub struct IssuedToken {
    /// For `Authorization: Bearer`.
    pub secret: Secret,
    /// Ends at this instant.
    pub expires_at: DateTime<Utc>,
}

/// What an admin says about a new member of staff.
#[derive(Debug, Clone)]
pub struct NewStaff<'a> {
    /// Full name.
    pub name: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// Phone number.
    pub phone: Option<&'a str>,
    /// Any role but customer.
    pub role: Role,
    /// With one, no invitation is mailed and the address counts as confirmed.
    pub password: Option<&'a str>,
}

/// How much mail [`AccountService::deliver_account_mail`] handled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Handed to the relay.
    pub sent: usize,
    /// No longer needed.
    pub dropped: usize,
    /// To be tried again.
    pub postponed: usize,
    /// Given up.
    pub given_up: usize,
}

/// Accounts with their rules. Cheap to clone.
#[derive(Clone)]
pub struct AccountService {
    pub(super) accounts: Arc<dyn Accounts>,
    passwords: Passwords,
    pub(super) clock: Arc<dyn Clock>,
    base_url: Arc<str>,
}

impl AccountService {
    /// Puts the parts together. Links are made from `base_url` alone, never from what a request says.
    pub fn new(accounts: Arc<dyn Accounts>, passwords: Passwords, clock: Arc<dyn Clock>, base_url: &Url) -> Self {
        Self { accounts, passwords, clock, base_url: base_url.as_str().trim_end_matches('/').into() }
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), AuthError> {
        Ok(self.accounts.ping().await?)
    }

    /// Asks for a customer's account. Succeeds alike for known and unknown addresses, after the same work.
    ///
    /// Anybody can sign up with anybody's address, before its owner or after. What proves the owner is the link, and there is at most
    /// one mail in 24 hours to an unconfirmed address, so it cannot belong to one of several sign-ups:
    ///
    /// - If it confirmed the sign-up it was mailed for, an owner who signs up after a stranger and gets no second mail that day would
    ///   let the stranger in by the only link they have.
    /// - If the last sign-up killed the links before, a stranger could keep the owner out, a day for each sign-up.
    ///
    /// So links stay alive, and once passwords differ a link stands for none of the sign-ups: whoever holds it says name and password
    /// with it, and what was said before is forgotten. No password counts that the owner of the mailbox did not confirm or choose. With
    /// the same password nothing changes: pressing the button twice is one sign-up.
    pub async fn sign_up(&self, name: &str, email: &str, password: &str, address: IpAddr) -> Result<(), AuthError> {
        let (name, email) = checked_person(name, email, Some(password))?;
        let now = self.clock.now();
        self.admit(AttemptKind::SignUp, &email, address, SIGN_UP_LIMITS, now).await?;
        let password_hash = self.passwords.hash(password).await?;
        let known = self.accounts.by_email(&email).await?;
        let same = self.is_of(password, known.as_ref()).await?;
        let new = NewAccount {
            id: draw_account_id(),
            name,
            email: email.clone(),
            phone: None,
            password_hash: Some(password_hash.clone()),
            role: Role::Customer,
            email_verified: false,
        };
        if let SignUpOutcome::Unconfirmed { id } = self.accounts.sign_up(new, now).await? {
            // One that came between looking and writing, as when a button is pressed twice, is compared now.
            let same = if known.is_some() {
                same
            } else {
                self.is_of(password, self.accounts.by_email(&email).await?.as_ref()).await?
            };
            let other_password = (!same).then_some(password_hash.as_str());
            self.accounts.sign_up_again(&id, other_password, now).await?;
        }
        Ok(())
    }

    /// Whether a password is that of an account; for none, the same work is done.
    async fn is_of(&self, password: &str, known: Option<&Credentials>) -> Result<bool, AuthError> {
        let stored = known.and_then(|known| known.password_hash.as_deref());
        Ok(self.passwords.compare(password, stored).await? != Comparison::Wrong)
    }

    /// Sends the confirmation once more, unless it was sent within 24 hours. Succeeds alike whoever the address belongs to.
    pub async fn send_verification_again(&self, email: &str, address: IpAddr) -> Result<(), AuthError> {
        let email = Self::checked_email(email)?;
        let now = self.clock.now();
        self.admit(AttemptKind::SignUp, &email, address, SIGN_UP_LIMITS, now).await?;
        if let Some(known) = self.accounts.by_email(&email).await? {
            self.accounts.sign_up_again(&known.account.id, None, now).await?;
        }
        Ok(())
    }

    /// Who has this address, confirmed or not.
    pub async fn by_email(&self, email: &EmailAddress) -> Result<Option<Account>, AuthError> {
        Ok(self.accounts.by_email(email).await?.map(|known| known.account))
    }

    /// The account of whoever has shown that an address is theirs by a link that was mailed there, made if need be; see
    /// [`Accounts::account_of_owner`]. Without a password of their own they are a [guest](AccountService::guest), until they sign up.
    /// What does for a name is taken, else the address before its `@`.
    pub async fn account_of_owner(&self, email: &EmailAddress, name: Option<&str>) -> Result<Account, AuthError> {
        let local = email.as_str().split('@').next().unwrap_or_default();
        let name = name.and_then(|name| FullName::parse(name).ok()).map_or_else(|| FullName::parse(local), Ok);
        let name = name.map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "name", fault }]))?;
        let new = NewAccount {
            id: draw_account_id(),
            name,
            email: email.clone(),
            phone: None,
            password_hash: None,
            role: Role::Customer,
            email_verified: true,
        };
        Ok(self.accounts.account_of_owner(new, self.clock.now()).await?)
    }

    /// The hash of the token behind what somebody holds, looked at before a password is hashed: that is work which strangers must not
    /// cause. A code counts as a try to log in until it was right.
    async fn token_of(
        &self,
        mailed: Mailed<'_>,
        purpose: TokenPurpose,
        address: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<(SecretHash, Account), AuthError> {
        let hash = match mailed {
            Mailed::Link(token) => hash_of(token),
            Mailed::Code { email, code } => {
                let (email, code, attempt) = self.admit_code(email, code, address).await?;
                let known = self.accounts.by_email(&email).await?;
                // Nobody has the empty id: the same is asked of the database for an unknown address.
                let id = known.map(|known| known.account.id).unwrap_or_default();
                let found = self.accounts.token_of_code(&id, purpose, code.hash(&id), CODE_TRIES, now).await?;
                let Some(hash) = found else { return Err(AuthError::wrong_code()) };
                self.forgive_code(attempt).await?;
                hash
            }
        };
        let account = self.good_token(hash, purpose, now).await?;
        Ok((hash, account))
    }

    /// Reads a code that somebody typed, and counts it as a try to log in, which is to be forgiven if it is right; or refuses it.
    pub(crate) async fn admit_code(
        &self,
        email: &str,
        code: &str,
        address: IpAddr,
    ) -> Result<(EmailAddress, Code, i64), AuthError> {
        let (email, code) = checked_code(email, code)?;
        let attempt = self.admit(AttemptKind::LogIn, &email, address, LOGIN_LIMITS, self.clock.now()).await?;
        Ok((email, code, attempt))
    }

    /// A code was right.
    pub(crate) async fn forgive_code(&self, attempt: i64) -> Result<(), AuthError> {
        Ok(self.accounts.forgive_attempt(attempt).await?)
    }

    pub(super) async fn good_token(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Account, AuthError> {
        self.accounts.token_is_good(hash, purpose, now).await?.ok_or(AuthError::InvalidToken)
    }

    /// What must be given with the token of a confirmation link.
    pub async fn confirmation(&self, token: &str) -> Result<Asked, AuthError> {
        self.accounts.confirmation(hash_of(token), self.clock.now()).await?.ok_or(AuthError::InvalidToken)
    }

    /// Uses up a confirmation link or its code. Name and password, given together, take the place of what was said at sign-up; after
    /// sign-ups with different passwords they must be given, see [`AccountService::sign_up`].
    pub async fn confirm_email(
        &self,
        mailed: Mailed<'_>,
        name: Option<&str>,
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<Account, AuthError> {
        let now = self.clock.now();
        let (hash, account) = self.token_of(mailed, TokenPurpose::VerifyEmail, address, now).await?;
        let chosen = match (name, password) {
            (None, None) => None,
            (Some(name), Some(password)) => {
                let (name, _) = checked_person(name, &account.email, Some(password))?;
                Some(Chosen { name, password_hash: self.passwords.hash(password).await? })
            }
            (name, _) => {
                let lacking = if name.is_none() { "name" } else { "password" };
                return Err(AuthError::Invalid(vec![needed(lacking)]));
            }
        };
        match self.accounts.confirm_email(hash, chosen.as_ref(), now).await? {
            Confirmation::Done(account) => Ok(account),
            Confirmation::Asks => Err(AuthError::Invalid(["name", "password"].map(needed).into())),
            Confirmation::NotGood => Err(AuthError::InvalidToken),
        }
    }

    /// Mails a link and a code to choose another password, to whoever has confirmed this address: customers and staff alike. Succeeds alike
    /// for known and unknown addresses, after the same work; three mails an hour at most.
    pub async fn forgot_password(&self, email: &str, address: IpAddr) -> Result<(), AuthError> {
        let email = Self::checked_email(email)?;
        self.ask_for_mail(AccountMailKind::ResetPassword, &email, None, address).await
    }

    /// Whether [`AccountService::reset_password`] would take this token now.
    pub async fn reset_is_good(&self, token: &str) -> Result<bool, AuthError> {
        let found = self.accounts.token_is_good(hash_of(token), TokenPurpose::ResetPassword, self.clock.now()).await?;
        Ok(found.is_some())
    }

    /// Uses up a link or code and sets the password. Sessions, API tokens and every other link and code of the account end; its owner is
    /// told by mail.
    pub async fn reset_password(
        &self,
        mailed: Mailed<'_>,
        password: &str,
        address: IpAddr,
    ) -> Result<Account, AuthError> {
        let purpose = TokenPurpose::ResetPassword;
        let (hash, account) = self.token_of(mailed, purpose, address, self.clock.now()).await?;
        self.choose_password(hash, &account, purpose, password).await
    }

    async fn choose_password(
        &self,
        hash: SecretHash,
        account: &Account,
        purpose: TokenPurpose,
        password: &str,
    ) -> Result<Account, AuthError> {
        judge(password, &account.name, &account.email)
            .map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "password", fault }]))?;
        let password_hash = self.passwords.hash(password).await?;
        let set = self.accounts.set_password(hash, purpose, &password_hash, self.clock.now()).await?;
        set.ok_or(AuthError::InvalidToken)
    }

    /// Opens a session; `replaces` is the cookie the browser came with, which ends.
    ///
    /// # Errors
    /// [`AuthError::SecondFactorNeeded`] if the account has a second factor and none is given.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        second_factor: Option<&str>,
        visit: &Visit,
        replaces: Option<&str>,
    ) -> Result<OpenedSession, AuthError> {
        let account = self.authenticate(email, password, visit.address).await?;
        self.must_show(&account, second_factor, visit.address).await?;
        self.open_session(account, Door::Password, visit, replaces).await
    }

    /// Mails a link and a code to log in with to the customer who has confirmed this address. Succeeds alike for known and unknown
    /// addresses, and for staff, whose mailbox alone must not let anybody in; three mails an hour at most.
    pub async fn ask_to_log_in(&self, email: &str, address: IpAddr) -> Result<(), AuthError> {
        let email = Self::checked_email(email)?;
        self.ask_for_mail(AccountMailKind::LogIn, &email, Some(Role::Customer), address).await
    }

    /// Whether [`AccountService::log_in_by_mail`] would take this token now.
    pub async fn log_in_is_good(&self, token: &str) -> Result<bool, AuthError> {
        let found = self.accounts.token_is_good(hash_of(token), TokenPurpose::LogIn, self.clock.now()).await?;
        Ok(found.is_some())
    }

    /// Uses up a link or code of [`AccountService::ask_to_log_in`] and opens a session. It is good still while the second factor is missing.
    pub async fn log_in_by_mail(
        &self,
        mailed: Mailed<'_>,
        second_factor: Option<&str>,
        visit: &Visit,
        replaces: Option<&str>,
    ) -> Result<OpenedSession, AuthError> {
        let (purpose, now) = (TokenPurpose::LogIn, self.clock.now());
        let (hash, account) = self.token_of(mailed, purpose, visit.address, now).await?;
        self.must_show(&account, second_factor, visit.address).await?;
        let account = self.accounts.take_token(hash, purpose, now).await?.ok_or(AuthError::InvalidToken)?;
        self.open_session(account, Door::Code, visit, replaces).await
    }

    /// Opens a session for somebody who has shown by a door who they are.
    pub(crate) async fn open_session(
        &self,
        account: Account,
        door: Door,
        visit: &Visit,
        replaces: Option<&str>,
    ) -> Result<OpenedSession, AuthError> {
        let now = self.clock.now();
        let (idle, absolute) = session_lengths(account.role);
        let secret = Secret::draw();
        let new = NewSession {
            hash: secret.hash(),
            account_id: account.id.clone(),
            idle_expires_at: now + idle,
            expires_at: now + absolute,
            door,
            origin: visit.origin(),
        };
        self.accounts.open_session(new, replaces.map(hash_of), now).await?;
        Ok(OpenedSession { secret, account, expires_at: now + absolute })
    }

    /// Ends the session of this cookie.
    pub async fn log_out(&self, cookie: &str) -> Result<(), AuthError> {
        Ok(self.accounts.close_session(hash_of(cookie)).await?)
    }

    /// Whose session this cookie opens.
    pub async fn by_cookie(&self, cookie: &str) -> Result<Option<Account>, AuthError> {
        let now = self.clock.now();
        let hash = hash_of(cookie);
        let Some(session) = self.accounts.session(hash, now).await? else {
            return Ok(None);
        };
        if now - session.last_seen_at >= TOUCH_EVERY {
            let (idle, _) = session_lengths(session.account.role);
            self.accounts.touch_session(hash, now, now + idle).await?;
        }
        Ok(Some(session.account))
    }

    /// Whose session this cookie opens, without counting as use: what a program does by itself must not keep a person logged in.
    pub async fn look_at_cookie(&self, cookie: &str) -> Result<Option<Account>, AuthError> {
        let session = self.accounts.session(hash_of(cookie), self.clock.now()).await?;
        Ok(session.map(|session| session.account))
    }

    /// Makes an API token for a program.
    ///
    /// # Errors
    /// As [`AccountService::log_in`].
    pub async fn issue_api_token(
        &self,
        email: &str,
        password: &str,
        second_factor: Option<&str>,
        visit: &Visit,
    ) -> Result<IssuedToken, AuthError> {
        let account = self.authenticate(email, password, visit.address).await?;
        self.must_show(&account, second_factor, visit.address).await?;
        let now = self.clock.now();
        let (secret, expires_at) = (Secret::draw_with_prefix("cpl_"), now + API_TOKEN_FOR);
        self.accounts.add_api_token(secret.hash(), &account.id, &visit.origin(), now, expires_at).await?;
        Ok(IssuedToken { secret, expires_at })
    }

    /// Whose API token this is.
    pub async fn by_bearer(&self, token: &str) -> Result<Option<Account>, AuthError> {
        Ok(self.accounts.api_token(hash_of(token), self.clock.now()).await?)
    }

    /// Ends an API token.
    pub async fn revoke_api_token(&self, token: &str) -> Result<(), AuthError> {
        Ok(self.accounts.revoke_api_token(hash_of(token), self.clock.now()).await?)
    }

    /// A new one-time link for making the first admin, or `None` if there is one. Links given before are dead.
    pub async fn setup_link(&self) -> Result<Option<String>, AuthError> {
        if self.accounts.has_admin().await? {
            return Ok(None);
        }
        let secret = Secret::draw();
        let now = self.clock.now();
        self.accounts.replace_setup_token(secret.hash(), now, now + SETUP_FOR).await?;
        Ok(Some(self.link("setup", &secret)))
    }

    /// Whether [`AccountService::set_up`] would take this token now.
    pub async fn setup_token_is_good(&self, token: &str) -> Result<bool, AuthError> {
        Ok(self.accounts.setup_token_is_good(hash_of(token), self.clock.now()).await?)
    }

    /// Makes the first admin by the set-up link.
    pub async fn set_up(&self, token: &str, name: &str, email: &str, password: &str) -> Result<Account, AuthError> {
        let now = self.clock.now();
        let hash = hash_of(token);
        // The token first: hashing is work that strangers must not cause.
        if !self.accounts.setup_token_is_good(hash, now).await? {
            return Err(if self.accounts.has_admin().await? {
                AuthError::AlreadySetUp
            } else {
                AuthError::InvalidToken
            });
        }
        let (name, email) = checked_person(name, email, Some(password))?;
        let password_hash = self.passwords.hash(password).await?;
        let new = admin(name, email, password_hash);
        self.accounts.set_up(hash, new, now).await?.ok_or(AuthError::AlreadySetUp)
    }

    /// Makes an admin without a link: for the command line, whose user owns the data anyway.
    pub async fn create_admin(&self, name: &str, email: &str, password: &str) -> Result<Account, AuthError> {
        let (name, email) = checked_person(name, email, Some(password))?;
        let password_hash = self.passwords.hash(password).await?;
        Ok(self.accounts.insert(admin(name, email, password_hash), None, self.clock.now()).await?)
    }

    /// Makes an account for a member of staff and mails an invitation, unless a password is given.
    pub async fn create_staff(&self, staff: NewStaff<'_>) -> Result<Account, AuthError> {
        let (name, email, phone) = Self::checked_staff(&staff)?;
        let password_hash = match staff.password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let mail = password_hash.is_none().then_some(AccountMailKind::Invitation);
        let new = NewAccount {
            id: draw_account_id(),
            name,
            email,
            phone,
            email_verified: password_hash.is_some(),
            password_hash,
            role: staff.role,
        };
        Ok(self.accounts.insert(new, mail, self.clock.now()).await?)
    }

    /// Whether an account can be made of this.
    ///
    /// # Errors
    /// Every fault that needs no look at other accounts.
    pub fn checked_person(name: &str, email: &str, password: &str) -> Result<(), AuthError> {
        checked_person(name, email, Some(password)).map(|_| ())
    }

    /// Whether an address is one that mail can be sent to.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `email`.
    pub fn checked_email(email: &str) -> Result<EmailAddress, AuthError> {
        EmailAddress::parse(email).map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "email", fault }]))
    }

    /// Whether somebody may try to log in with these.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming every fault.
    pub fn checked_log_in(email: &str, password: &str) -> Result<EmailAddress, AuthError> {
        let email = EmailAddress::parse(email).map_err(|fault| FieldFault { field: "email", fault });
        let wrong = match password.chars().count() {
            0 => Some(Fault::new("missing", "The password is needed.")),
            count if count > PASSWORD_MAX => {
                Some(Fault::new("too_long", format!("The password may have at most {PASSWORD_MAX} characters.")))
            }
            _ => None,
        };
        let wrong = wrong.map(|fault| FieldFault { field: "password", fault });
        match (email, wrong) {
            (Ok(email), None) => Ok(email),
            (email, wrong) => Err(AuthError::Invalid(email.err().into_iter().chain(wrong).collect())),
        }
    }

    /// Whether a password may be chosen by somebody of whom nothing is known.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `password`.
    pub fn checked_password(password: &str) -> Result<(), AuthError> {
        judge(password, "", "").map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "password", fault }]))
    }

    /// What an account of staff is made of.
    ///
    /// # Errors
    /// Every fault that needs no look at other accounts.
    pub fn checked_staff(staff: &NewStaff<'_>) -> Result<(FullName, EmailAddress, Option<Phone>), AuthError> {
        let person = checked_person(staff.name, staff.email, staff.password);
        let phone = staff.phone.map(Phone::parse).transpose();
        let mut faults = Vec::new();
        if staff.role == Role::Customer {
            faults.push(FieldFault { field: "role", fault: Fault::new("invalid", "Customers sign up themselves.") });
        }
        match (person, phone) {
            (Ok((name, email)), Ok(phone)) if faults.is_empty() => Ok((name, email, phone)),
            (person, phone) => {
                if let Err(AuthError::Invalid(more)) = person {
                    faults.extend(more);
                }
                faults.extend(phone.err().map(|fault| FieldFault { field: "phone", fault }));
                Err(AuthError::Invalid(faults))
            }
        }
    }

    /// Sets another password for somebody who says their present one. What is `kept` stays open, everything else of the account ends, and
    /// its owner is told by mail.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `current_password` or `password`; [`AuthError::TooMany`] as at the log-in.
    pub async fn change_password(
        &self,
        id: &str,
        current: &str,
        password: &str,
        kept: KeptOpen,
        address: IpAddr,
    ) -> Result<(), AuthError> {
        let account = self.account(id).await?;
        judge(password, &account.name, &account.email)
            .map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "password", fault }]))?;
        self.must_know(&account, current, address).await?;
        let password_hash = self.passwords.hash(password).await?;
        Ok(self.accounts.replace_password(id, &password_hash, kept, self.clock.now()).await?)
    }

    /// Mails a link and a code to an address that shall be the account's, and tells the present one. Nothing changes before the new one
    /// is confirmed; whether somebody else has it, nobody learns.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `current_password` or `email`; [`AuthError::TooMany`] as at the log-in, and after three in an hour.
    pub async fn ask_for_email(&self, id: &str, email: &str, current: &str, address: IpAddr) -> Result<(), AuthError> {
        let wrong = |fault| AuthError::Invalid(vec![FieldFault { field: "email", fault }]);
        let email = EmailAddress::parse(email).map_err(wrong)?;
        let account = self.account(id).await?;
        if account.email == email.as_str() {
            return Err(wrong(Fault::new("unchanged", "This is your e-mail address already.")));
        }
        self.must_know(&account, current, address).await?;
        let now = self.clock.now();
        match self.accounts.ask_for_email(id, &email, ASKED_MOST, ASKED_WITHIN, now).await? {
            EmailAsked::Asked => Ok(()),
            EmailAsked::Refused { until } => Err(wait_until(until, now)),
        }
    }

    /// Whether [`AccountService::change_email`] would take this token now.
    pub async fn email_change_is_good(&self, token: &str) -> Result<bool, AuthError> {
        let found = self.accounts.token_is_good(hash_of(token), TokenPurpose::ChangeEmail, self.clock.now()).await?;
        Ok(found.is_some())
    }

    /// Makes the address that a link was mailed to the account's. Sessions stay; other links and codes end; both addresses are told.
    pub async fn change_email(&self, token: &str) -> Result<Account, AuthError> {
        self.changed_email(hash_of(token)).await
    }

    /// As [`AccountService::change_email`], for somebody logged in who types the code.
    pub async fn change_email_by_code(&self, id: &str, code: &str, address: IpAddr) -> Result<Account, AuthError> {
        let account = self.account(id).await?;
        let purpose = TokenPurpose::ChangeEmail;
        let mailed = Mailed::Code { email: &account.email, code };
        let (hash, _) = self.token_of(mailed, purpose, address, self.clock.now()).await?;
        self.changed_email(hash).await
    }

    async fn changed_email(&self, hash: SecretHash) -> Result<Account, AuthError> {
        match self.accounts.change_email(hash, self.clock.now()).await {
            Ok(Some(account)) => Ok(account),
            // Somebody else confirmed it meanwhile, which is nobody's business here.
            Ok(None) | Err(AccountsError::EmailTaken) => Err(AuthError::InvalidToken),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for the password of somebody who is logged in already: a session that was left open must not be enough.
    pub(super) async fn must_know(&self, account: &Account, current: &str, address: IpAddr) -> Result<(), AuthError> {
        match self.authenticate(&account.email, current, address).await {
            Ok(_) => Ok(()),
            Err(AuthError::InvalidCredentials) => {
                let fault = if self.has_password(&account.id).await? {
                    Fault::new("wrong", "This is not your present password.")
                } else {
                    Fault::new(
                        "no_password",
                        "You have no password yet. Choose one by “Forgotten your password?” first.",
                    )
                };
                Err(AuthError::Invalid(vec![FieldFault { field: "current_password", fault }]))
            }
            Err(AuthError::Invalid(faults)) => {
                let own = faults.into_iter().map(|wrong| FieldFault { field: "current_password", ..wrong });
                Err(AuthError::Invalid(own.collect()))
            }
            Err(error) => Err(error),
        }
    }

    /// What somebody accepted, in the order of acceptance.
    pub async fn acceptances(&self, id: &str) -> Result<Vec<Acceptance>, AuthError> {
        Ok(self.accounts.acceptances(id).await?)
    }

    /// Notes that somebody accepts a document; of the same version the first time stands.
    pub async fn accept(&self, id: &str, kind: DocumentKind, version: &str) -> Result<(), AuthError> {
        Ok(self.accounts.accept(id, kind, version, self.clock.now()).await?)
    }

    /// Notes that a customer wants their account deleted. Nothing is deleted by it: admins see the wish.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming `current_password`; [`AuthError::TooMany`] as at the log-in.
    pub async fn ask_for_deletion(&self, id: &str, current: &str, address: IpAddr) -> Result<Account, AuthError> {
        let account = self.account(id).await?;
        self.must_know(&account, current, address).await?;
        self.accounts.ask_for_deletion(id, self.clock.now()).await?;
        self.account(id).await
    }

    /// Takes the wish back.
    pub async fn withdraw_deletion(&self, id: &str) -> Result<Account, AuthError> {
        self.accounts.withdraw_deletion(id).await?;
        self.account(id).await
    }

    /// Where somebody lives.
    pub async fn postal_addresses(&self, id: &str) -> Result<Vec<PostalAddress>, AuthError> {
        let json = self.accounts.postal_addresses(id).await?;
        let corrupt = |_| AccountsError::Corrupt { table: "server_accounts", column: "postal_addresses" };
        Ok(serde_json::from_str(&json).map_err(corrupt)?)
    }

    /// What somebody may change of their own account.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming every fault.
    pub fn checked_profile(
        name: Option<&str>,
        addresses: Option<Vec<PostalAddress>>,
    ) -> Result<(Option<FullName>, Option<Vec<PostalAddress>>), AuthError> {
        let name = name.map(FullName::parse).transpose();
        let addresses = addresses.map(PostalAddress::checked).transpose();
        match (name, addresses) {
            (Ok(name), Ok(addresses)) => Ok((name, addresses)),
            (name, addresses) => {
                let faults = [("name", name.err()), ("postal_addresses", addresses.err())];
                let faults = faults.into_iter().filter_map(|(field, fault)| Some(FieldFault { field, fault: fault? }));
                Err(AuthError::Invalid(faults.collect()))
            }
        }
    }

    /// Changes name or postal addresses; what is none stays.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] naming every fault.
    pub async fn change_profile(
        &self,
        id: &str,
        name: Option<&str>,
        addresses: Option<Vec<PostalAddress>>,
    ) -> Result<Account, AuthError> {
        let (name, addresses) = Self::checked_profile(name, addresses)?;
        if let Some(addresses) = addresses {
            let corrupt = |_| AccountsError::Corrupt { table: "server_accounts", column: "postal_addresses" };
            let json = serde_json::to_string(&addresses).map_err(corrupt)?;
            self.accounts.set_postal_addresses(id, &json).await?;
        }
        self.change(id, AccountChange { name, ..AccountChange::default() }).await
    }

    /// The open sessions of an account, the one last used first.
    pub async fn sessions_of(&self, id: &str) -> Result<Vec<OpenSession>, AuthError> {
        Ok(self.accounts.sessions_of(id, self.clock.now()).await?)
    }

    /// Ends a session of an account, by the hash it is listed under; whether there was one.
    pub async fn end_session(&self, id: &str, hash: SecretHash) -> Result<bool, AuthError> {
        Ok(self.accounts.close_session_of(id, hash).await?)
    }

    /// Ends every session of an account but one; how many there were.
    pub async fn end_other_sessions(&self, id: &str, kept: Option<SecretHash>) -> Result<u64, AuthError> {
        Ok(self.accounts.close_other_sessions(id, kept).await?)
    }

    /// The latest log-ins of an account before the one with this id, newest first.
    pub async fn log_ins_of(&self, id: &str, before: Option<i64>, limit: u32) -> Result<Vec<LogIn>, AuthError> {
        Ok(self.accounts.log_ins_of(id, before, limit).await?)
    }

    /// The account under an address.
    pub async fn account_at(&self, email: &str) -> Result<Account, AuthError> {
        let email = EmailAddress::parse(email).map_err(|_| AuthError::NoSuchAccount)?;
        let known = self.accounts.by_email(&email).await?;
        known.map(|known| known.account).ok_or(AuthError::NoSuchAccount)
    }

    /// Mails another invitation to a member of staff who has not accepted one yet; the former link works until one is used.
    pub async fn invite_again(&self, id: &str) -> Result<(), AuthError> {
        Ok(self.accounts.invite_again(id, self.clock.now()).await?)
    }

    /// Makes a customer's account whose address counts as confirmed: for demonstrations and for whoever owns the data anyway.
    /// No request of a stranger may end here.
    pub async fn create_customer(&self, name: &str, email: &str, password: &str) -> Result<Account, AuthError> {
        let (name, email) = checked_person(name, email, Some(password))?;
        let password_hash = self.passwords.hash(password).await?;
        let new = NewAccount { role: Role::Customer, ..admin(name, email, password_hash) };
        Ok(self.accounts.insert(new, None, self.clock.now()).await?)
    }

    /// Holds a key of an account before other servers, until what is returned is dropped.
    pub async fn hold_key(&self, account_id: &str, key: &str) -> Result<HeldKey, AuthError> {
        Ok(self.accounts.hold_key(account_id, key).await?)
    }

    /// What an account made before under this key. The fingerprint of the request is kept as passwords are, because there may have
    /// been one in the request.
    pub async fn recall_made(&self, account_id: &str, key: &str, fingerprint: &str) -> Result<Recalled, AuthError> {
        let Some((stored, made)) = self.accounts.made_under_key(account_id, key).await? else {
            return Ok(Recalled::Nothing { fingerprint: self.passwords.hash(fingerprint).await? });
        };
        Ok(match self.passwords.compare(fingerprint, Some(&stored)).await? {
            Comparison::Wrong => Recalled::Other,
            Comparison::Right | Comparison::RightRehashed(_) => Recalled::Same(made),
        })
    }

    /// Keeps what an account made under a key, with the fingerprint of [`Recalled::Nothing`], to answer with when it is asked for again.
    pub async fn keep_made(
        &self,
        account_id: &str,
        key: &str,
        fingerprint: &str,
        made: &Made,
    ) -> Result<(), AuthError> {
        Ok(self.accounts.keep_made(account_id, key, fingerprint, made, self.clock.now()).await?)
    }

    /// Whether [`AccountService::accept_invitation`] would take this token now.
    pub async fn invitation_is_good(&self, token: &str) -> Result<bool, AuthError> {
        let found = self.accounts.token_is_good(hash_of(token), TokenPurpose::Invitation, self.clock.now()).await?;
        Ok(found.is_some())
    }

    /// Uses up the token of an invitation and sets the password.
    pub async fn accept_invitation(&self, token: &str, password: &str) -> Result<Account, AuthError> {
        let (hash, purpose) = (hash_of(token), TokenPurpose::Invitation);
        let account = self.good_token(hash, purpose, self.clock.now()).await?;
        self.choose_password(hash, &account, purpose, password).await
    }

    /// The account with this id.
    pub async fn account(&self, id: &str) -> Result<Account, AuthError> {
        self.accounts.by_id(id).await?.ok_or(AuthError::NoSuchAccount)
    }

    /// Whether an account has a password.
    pub(crate) async fn has_password(&self, id: &str) -> Result<bool, AuthError> {
        let account = self.account(id).await?;
        let Ok(email) = EmailAddress::parse(&account.email) else { return Ok(false) };
        let known = self.accounts.by_email(&email).await?;
        Ok(known.is_some_and(|known| known.password_hash.is_some()))
    }

    /// The account with this id, if it is a guest's: a customer whose address is known to be theirs, and who has chosen no password
    /// and logs in with no provider.
    pub async fn guest(&self, id: &str) -> Result<Option<Account>, AuthError> {
        let guest = self.accounts.credentials(id).await?.filter(Credentials::is_guest);
        if guest.is_some() && self.accounts.has_identity(id).await? {
            return Ok(None);
        }
        Ok(guest.map(|known| known.account))
    }

    /// Counts a visitor's wish for mail to an address as a sign-up, or refuses it.
    pub async fn admit_visitor(&self, email: &EmailAddress, address: IpAddr) -> Result<(), AuthError> {
        self.admit(AttemptKind::SignUp, email, address, SIGN_UP_LIMITS, self.clock.now()).await.map(drop)
    }

    /// Accounts in order of their ids, at most 100.
    pub async fn list(&self, filter: AccountFilter) -> Result<Vec<Account>, AuthError> {
        Ok(self.accounts.list(filter).await?)
    }

    /// Changes an account. Who may do it to whom is the caller's matter; that an admin remains is looked after here.
    pub async fn change(&self, id: &str, change: AccountChange) -> Result<Account, AuthError> {
        Ok(self.accounts.change(id, change, self.clock.now()).await?)
    }

    /// Sends what is due, once. Call it from a timer and when poked, on any number of replicas.
    ///
    /// A mail that cannot be handed on is tried again after 1, 4, 16 … minutes (at most 12 hours), [`MAIL_TRIES`] times in all.
    pub async fn deliver_account_mail(
        &self,
        now: DateTime<Utc>,
        mail: &dyn AccountMail,
    ) -> Result<Delivered, AuthError> {
        let mut delivered = Delivered::default();
        loop {
            let jobs = self.accounts.claim_mail(now, MAIL_LEASE, MAIL_BATCH).await?;
            if jobs.is_empty() {
                return Ok(delivered);
            }
            for job in jobs {
                self.deliver(&job, now, mail, &mut delivered).await?;
            }
        }
    }

    /// Removes expired sessions, tokens and tries.
    pub async fn purge(&self) -> Result<u64, AuthError> {
        Ok(self.accounts.purge(self.clock.now()).await?)
    }

    async fn deliver(
        &self,
        job: &MailJob,
        now: DateTime<Utc>,
        mail: &dyn AccountMail,
        delivered: &mut Delivered,
    ) -> Result<(), AuthError> {
        if !is_still_needed(job) {
            delivered.dropped += 1;
            return Ok(self.accounts.settle_mail(job.id, MailOutcome::Done, now).await?);
        }
        // Link and code are drawn only now: between asking and sending no secret lies in the database.
        let (link, code) = match way_in(job.kind) {
            Some(way) => {
                let (secret, code) = (Secret::draw(), way.with_code.then(Code::draw));
                let token = NewToken {
                    hash: secret.hash(),
                    purpose: way.purpose,
                    account_id: job.account.id.clone(),
                    sent_to: job.sent_to.clone(),
                    expires_at: now + way.valid_for,
                    code: code
                        .as_ref()
                        .map(|code| NewCode { hash: code.hash(&job.account.id), expires_at: now + CODE_FOR }),
                };
                self.accounts.add_token(&token, now).await?;
                (Some(self.link(way.page, &secret)), code)
            }
            None => (None, None),
        };
        let message = compose(&Occasion {
            id: job.id,
            to: job.sent_to.as_deref().unwrap_or(&job.account.email),
            kind: job.kind,
            base_url: &self.base_url,
            link: link.as_deref(),
            code: code.as_ref(),
            about: job.about.as_deref(),
            asked_at: job.asked_at,
        });
        let outcome = match mail.send(&message).await {
            Ok(()) => {
                delivered.sent += 1;
                MailOutcome::Done
            }
            Err(AccountMailError::Later(error)) if job.attempts + 1 < MAIL_TRIES => {
                delivered.postponed += 1;
                MailOutcome::Retry { at: now + pause_after(job.attempts), error: for_operator(error.as_ref()) }
            }
            Err(AccountMailError::Later(error) | AccountMailError::Never(error)) => {
                delivered.given_up += 1;
                let error = for_operator(error.as_ref());
                tracing::error!(mail = %job.id, kind = job.kind.as_str(), %error, "gave up sending a mail about an account");
                MailOutcome::GivenUp { error }
            }
        };
        Ok(self.accounts.settle_mail(job.id, outcome, now).await?)
    }

    /// Compares a password, with the same answer and the same work whether the account is unknown, disabled or the password is wrong.
    async fn authenticate(&self, email: &str, password: &str, address: IpAddr) -> Result<Account, AuthError> {
        let email = Self::checked_log_in(email, password)?;
        let now = self.clock.now();
        let is_known_here = self.accounts.logged_in_from(&email, &network_of(address), now - KNOWN_FOR).await?;
        let per_subject = LOGIN_LIMITS.per_subject.filter(|_| !is_known_here);
        let limits = AttemptLimits { per_subject, ..LOGIN_LIMITS };
        let attempt = self.admit(AttemptKind::LogIn, &email, address, limits, now).await?;
        let known = self.accounts.by_email(&email).await?;
        let stored = known.as_ref().and_then(|known| known.password_hash.as_deref());
        let comparison = match self.passwords.compare(password, stored).await {
            Ok(comparison) => comparison,
            Err(error) => {
                // No guess was made: it must not count as one.
                self.accounts.forgive_attempt(attempt).await?;
                return Err(error.into());
            }
        };
        let Some(known) = known.filter(|known| comparison != Comparison::Wrong && known.account.disabled_at.is_none())
        else {
            return Err(AuthError::InvalidCredentials);
        };
        self.accounts.forgive_attempt(attempt).await?;
        if known.account.email_verified_at.is_none() {
            return Err(AuthError::EmailUnverified);
        }
        if let (Comparison::RightRehashed(renewed), Some(old)) = (comparison, &known.password_hash) {
            self.accounts.renew_password_hash(&known.account.id, old, &renewed).await?;
        }
        Ok(known.account)
    }

    async fn admit(
        &self,
        kind: AttemptKind,
        email: &EmailAddress,
        address: IpAddr,
        limits: AttemptLimits,
        now: DateTime<Utc>,
    ) -> Result<i64, AuthError> {
        let subject: SecretHash = hash_of(&email.normalised());
        match self.accounts.admit_attempt(kind, subject, &network_of(address), limits, None, now).await? {
            Admission::Admitted { attempt } => Ok(attempt),
            Admission::Refused { until } => Err(wait_until(until, now)),
        }
    }

    /// Counts what comes back from a provider as a try to log in until it was one that succeeded; many come from one network address only
    /// where somebody guesses.
    #[cfg(feature = "oidc")]
    pub(crate) async fn admit_passage(&self, address: IpAddr) -> Result<i64, AuthError> {
        let now = self.clock.now();
        let limits = AttemptLimits { per_subject_and_address: None, per_subject: None, ..LOGIN_LIMITS };
        let subject = hash_of("a passage from a provider");
        match self.accounts.admit_attempt(AttemptKind::LogIn, subject, &network_of(address), limits, None, now).await? {
            Admission::Admitted { attempt } => Ok(attempt),
            Admission::Refused { until } => Err(wait_until(until, now)),
        }
    }

    /// Takes a counted try back.
    #[cfg(feature = "oidc")]
    pub(crate) async fn forgive(&self, attempt: i64) -> Result<(), AuthError> {
        Ok(self.accounts.forgive_attempt(attempt).await?)
    }

    /// Queues a mail for whoever has confirmed this address, without a word on whether anybody has.
    async fn ask_for_mail(
        &self,
        kind: AccountMailKind,
        email: &EmailAddress,
        role: Option<Role>,
        address: IpAddr,
    ) -> Result<(), AuthError> {
        let (now, subject) = (self.clock.now(), hash_of(&email.normalised()));
        let mail = AskedMail { kind, email, role, most: ASKED_MOST, window: ASKED_WITHIN };
        let network = network_of(address);
        let asked =
            self.accounts.admit_attempt(AttemptKind::SignUp, subject, &network, SIGN_UP_LIMITS, Some(mail), now);
        match asked.await? {
            Admission::Admitted { .. } => Ok(()),
            Admission::Refused { until } => Err(wait_until(until, now)),
        }
    }

    fn link(&self, page: &str, secret: &Secret) -> String {
        format!("{}/{page}?token={}", self.base_url, secret.expose())
    }
}

/// Idle and absolute length of a session: staff half an hour and twelve hours, customers a day and thirty days.
fn session_lengths(role: Role) -> (TimeDelta, TimeDelta) {
    if role.is_staff() {
        (TimeDelta::minutes(30), TimeDelta::hours(12))
    } else {
        (TimeDelta::hours(24), TimeDelta::days(30))
    }
}

fn checked_person(name: &str, email: &str, password: Option<&str>) -> Result<(FullName, EmailAddress), AuthError> {
    let mut faults = Vec::new();
    let parsed_name = FullName::parse(name).map_err(|fault| {
        faults.push(FieldFault { field: "name", fault });
    });
    let parsed_email = EmailAddress::parse(email).map_err(|fault| {
        faults.push(FieldFault { field: "email", fault });
    });
    if let Some(password) = password {
        // Hints only from values that passed: zxcvbn's cost grows with them.
        let name_hint = parsed_name.as_ref().map_or("", FullName::as_str);
        let email_hint = parsed_email.as_ref().map_or("", EmailAddress::as_str);
        if let Err(fault) = judge(password, name_hint, email_hint) {
            faults.push(FieldFault { field: "password", fault });
        }
    }
    match (parsed_name, parsed_email) {
        (Ok(name), Ok(email)) if faults.is_empty() => Ok((name, email)),
        _ => Err(AuthError::Invalid(faults)),
    }
}

fn checked_code(email: &str, code: &str) -> Result<(EmailAddress, Code), AuthError> {
    match (EmailAddress::parse(email), Code::parse(code)) {
        (Ok(email), Ok(code)) => Ok((email, code)),
        (email, code) => {
            let faults = [("email", email.err()), ("code", code.err())];
            let faults = faults.into_iter().filter_map(|(field, fault)| Some(FieldFault { field, fault: fault? }));
            Err(AuthError::Invalid(faults.collect()))
        }
    }
}

/// What a mail lets its reader do.
struct WayIn {
    page: &'static str,
    purpose: TokenPurpose,
    /// The link; a code beside it works for [`CODE_FOR`].
    valid_for: TimeDelta,
    with_code: bool,
}

fn way_in(kind: AccountMailKind) -> Option<WayIn> {
    let way = |page, purpose, valid_for, with_code| Some(WayIn { page, purpose, valid_for, with_code });
    match kind {
        AccountMailKind::VerifyEmail | AccountMailKind::GuestSignUp => {
            way("verify", TokenPurpose::VerifyEmail, VERIFY_EMAIL_FOR, true)
        }
        AccountMailKind::Invitation => way("invitation", TokenPurpose::Invitation, INVITATION_FOR, false),
        AccountMailKind::ResetPassword => way("reset", TokenPurpose::ResetPassword, RESET_PASSWORD_FOR, true),
        AccountMailKind::ChangeEmail => way("email", TokenPurpose::ChangeEmail, VERIFY_EMAIL_FOR, true),
        AccountMailKind::LogIn => way("login/link", TokenPurpose::LogIn, CODE_FOR, true),
        AccountMailKind::AlreadyRegistered
        | AccountMailKind::PasswordChanged
        | AccountMailKind::AddressWanted
        | AccountMailKind::EmailChangeAsked
        | AccountMailKind::EmailChanged
        | AccountMailKind::NewDevice
        | AccountMailKind::DeletionAsked
        | AccountMailKind::SecondFactorAdded
        | AccountMailKind::SecondFactorRemoved
        | AccountMailKind::SecondFactorReset
        | AccountMailKind::RecoveryCodeUsed
        | AccountMailKind::IdentityChanged => None,
    }
}

fn needed(field: &'static str) -> FieldFault {
    let message = "Name and password must come with this link or code.";
    FieldFault { field, fault: Fault::new("missing", message) }
}

fn admin(name: FullName, email: EmailAddress, password_hash: String) -> NewAccount {
    NewAccount {
        id: draw_account_id(),
        name,
        email,
        phone: None,
        password_hash: Some(password_hash),
        role: Role::Admin,
        email_verified: true,
    }
}

/// Told to come back then.
pub(super) fn wait_until(until: DateTime<Utc>, now: DateTime<Utc>) -> AuthError {
    let wait = u64::try_from((until - now).num_seconds()).unwrap_or_default();
    AuthError::TooMany { retry_after_seconds: wait + 1 }
}

fn is_still_needed(job: &MailJob) -> bool {
    job.account.disabled_at.is_none()
        && match job.kind {
            AccountMailKind::VerifyEmail => job.account.email_verified_at.is_none(),
            // An older version invited customers, too, who had shown already whose address it is.
            AccountMailKind::Invitation => job.account.email_verified_at.is_none() || !job.account.role.is_staff(),
            _ => true,
        }
}

fn pause_after(attempts: u32) -> TimeDelta {
    TimeDelta::minutes(4_i64.saturating_pow(attempts).min(12 * 60))
}

/// One IPv6 customer owns a whole /64; one IPv4 address is one customer (or one company).
pub(super) fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// What the relay said, short enough to be kept.
fn for_operator(error: &(dyn std::error::Error + 'static)) -> String {
    printable(&chain(error)).chars().take(MAIL_ERROR_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_limited_by_who_owns_them() {
        let network = |text: &str| network_of(text.parse().expect("an address"));
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }

    #[test]
    fn what_a_relay_said_can_be_kept_anywhere() {
        let said = for_operator(&std::io::Error::other("550 no\0such user"));
        assert!(said.contains("such user") && !said.contains('\0'), "{said}");
    }

    #[test]
    fn pauses_grow_and_end() {
        let minutes: Vec<i64> = (0..7).map(|attempts| pause_after(attempts).num_minutes()).collect();
        assert_eq!(minutes, [1, 4, 16, 64, 256, 720, 720]);
        assert_eq!(pause_after(u32::MAX).num_minutes(), 720);
    }
}
