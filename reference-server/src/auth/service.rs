//! What can be done with accounts. JSON handlers, pages and the command line all call these same functions.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;
use url::Url;

use super::accounts::{
    Account, AccountChange, AccountFilter, AccountMailKind, Accounts, AccountsError, Admission, Asked, AttemptKind,
    AttemptLimits, Chosen, Confirmation, HeldKey, Made, MailJob, MailOutcome, NewAccount, NewSession,
    SignUp as SignUpOutcome, TokenPurpose,
};
use super::mail::{AccountMail, AccountMailError, compose};
use super::password::{Comparison, PASSWORD_MAX, PasswordError, Passwords, judge};
use super::secret::{Secret, SecretHash, draw_account_id, hash_of};
use super::values::{EmailAddress, Fault, FullName, Phone, Role};
use crate::clock::Clock;
use crate::error::{chain, printable};
use crate::texts::TextsError;

/// How long a confirmation link works, from the moment its mail is sent.
pub const VERIFY_EMAIL_FOR: TimeDelta = TimeDelta::hours(24);
/// How long an invitation works, from the moment its mail is sent.
pub const INVITATION_FOR: TimeDelta = TimeDelta::days(7);
/// How long a set-up link works; every start without an admin prints a new one.
pub const SETUP_FOR: TimeDelta = TimeDelta::hours(24);
/// How long an API token works.
pub const API_TOKEN_FOR: TimeDelta = TimeDelta::days(30);
/// Tries per mail before it is given up.
pub const MAIL_TRIES: u32 = 8;

const LOGIN_LIMITS: AttemptLimits =
    AttemptLimits { per_subject: Some(10), per_address: 50, window: TimeDelta::minutes(15) };
/// Generous: a whole company may sit behind one address; the outbox has its own limit per mailbox.
const SIGN_UP_LIMITS: AttemptLimits =
    AttemptLimits { per_subject: None, per_address: 200, window: TimeDelta::minutes(15) };
/// A session's use is written down at most this often: reading a page must not cost a write each time.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);
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
        let stored = known.as_ref().and_then(|known| known.password_hash.as_deref());
        let same = self.passwords.compare(password, stored).await? != Comparison::Wrong;
        let new = NewAccount {
            id: draw_account_id(),
            name,
            email,
            phone: None,
            password_hash: Some(password_hash.clone()),
            role: Role::Customer,
            email_verified: false,
        };
        // One that came between looking and writing counts as one with another password: nobody has compared them.
        if let SignUpOutcome::Unconfirmed { id } = self.accounts.sign_up(new, now).await? {
            let other_password = (!same).then_some(password_hash.as_str());
            self.accounts.sign_up_again(&id, other_password, now).await?;
        }
        Ok(())
    }

    /// Sends the confirmation once more, unless it was sent within 24 hours. Succeeds alike whoever the address belongs to.
    pub async fn send_verification_again(&self, email: &str, address: IpAddr) -> Result<(), AuthError> {
        let email = EmailAddress::parse(email)
            .map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "email", fault }]))?;
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

    /// What must be given with the token of a confirmation link.
    pub async fn confirmation(&self, token: &str) -> Result<Asked, AuthError> {
        self.accounts.confirmation(hash_of(token), self.clock.now()).await?.ok_or(AuthError::InvalidToken)
    }

    /// Uses up the token of a confirmation link. Name and password, given together, take the place of what was said at sign-up; after
    /// sign-ups with different passwords they must be given, see [`AccountService::sign_up`].
    pub async fn confirm_email(
        &self,
        token: &str,
        name: Option<&str>,
        password: Option<&str>,
    ) -> Result<Account, AuthError> {
        let (hash, now) = (hash_of(token), self.clock.now());
        // The token first: hashing is work that strangers must not cause.
        let account =
            self.accounts.token_is_good(hash, TokenPurpose::VerifyEmail, now).await?.ok_or(AuthError::InvalidToken)?;
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

    /// Opens a session; `replaces` is the cookie the browser came with, which ends.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        address: IpAddr,
        replaces: Option<&str>,
    ) -> Result<OpenedSession, AuthError> {
        let account = self.authenticate(email, password, address).await?;
        let now = self.clock.now();
        let (idle, absolute) = session_lengths(account.role);
        let secret = Secret::draw();
        let new = NewSession {
            hash: secret.hash(),
            account_id: account.id.clone(),
            idle_expires_at: now + idle,
            expires_at: now + absolute,
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
    pub async fn issue_api_token(
        &self,
        email: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<IssuedToken, AuthError> {
        let account = self.authenticate(email, password, address).await?;
        let now = self.clock.now();
        let (secret, expires_at) = (Secret::draw_with_prefix("cpl_"), now + API_TOKEN_FOR);
        self.accounts.add_api_token(secret.hash(), &account.id, now, expires_at).await?;
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

    /// Whether an admin can be made of this.
    ///
    /// # Errors
    /// Every fault that needs no look at other accounts.
    pub fn checked_admin(name: &str, email: &str, password: &str) -> Result<(), AuthError> {
        checked_person(name, email, Some(password)).map(|_| ())
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
        let now = self.clock.now();
        let hash = hash_of(token);
        let account =
            self.accounts.token_is_good(hash, TokenPurpose::Invitation, now).await?.ok_or(AuthError::InvalidToken)?;
        judge(password, &account.name, &account.email)
            .map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "password", fault }]))?;
        let password_hash = self.passwords.hash(password).await?;
        self.accounts.accept_invitation(hash, &password_hash, now).await?.ok_or(AuthError::InvalidToken)
    }

    /// The account with this id.
    pub async fn account(&self, id: &str) -> Result<Account, AuthError> {
        self.accounts.by_id(id).await?.ok_or(AuthError::NoSuchAccount)
    }

    /// The account with this id, if it is a guest's: a customer whose address is known to be theirs, and who has chosen no password.
    pub async fn guest(&self, id: &str) -> Result<Option<Account>, AuthError> {
        let Some(account) = self.accounts.by_id(id).await?.filter(is_open_customer) else { return Ok(None) };
        let Ok(email) = EmailAddress::parse(&account.email) else { return Ok(None) };
        let known = self.accounts.by_email(&email).await?;
        let known = known.filter(|known| known.account.id == account.id && known.password_hash.is_none());
        Ok(known.map(|known| known.account))
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
        // The token is drawn only now: between asking and sending no secret lies in the database.
        let link = match job.kind {
            AccountMailKind::VerifyEmail => Some(("verify", TokenPurpose::VerifyEmail, VERIFY_EMAIL_FOR)),
            AccountMailKind::Invitation => Some(("invitation", TokenPurpose::Invitation, INVITATION_FOR)),
            AccountMailKind::AlreadyRegistered => None,
        };
        let link = match link {
            Some((page, purpose, valid_for)) => {
                let secret = Secret::draw();
                self.accounts.add_token(secret.hash(), purpose, &job.account.id, now, now + valid_for).await?;
                Some(self.link(page, &secret))
            }
            None => None,
        };
        let message = compose(job.id, &job.account.email, job.kind, &self.base_url, link.as_deref(), job.asked_at);
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
        if password.chars().count() > PASSWORD_MAX {
            let fault = Fault::new("too_long", format!("The password may have at most {PASSWORD_MAX} characters."));
            return Err(AuthError::Invalid(vec![FieldFault { field: "password", fault }]));
        }
        let email = EmailAddress::parse(email)
            .map_err(|fault| AuthError::Invalid(vec![FieldFault { field: "email", fault }]))?;
        let now = self.clock.now();
        let attempt = self.admit(AttemptKind::LogIn, &email, address, LOGIN_LIMITS, now).await?;
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
        match self.accounts.admit_attempt(kind, subject, &network_of(address), limits, now).await? {
            Admission::Admitted { attempt } => Ok(attempt),
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

fn is_open_customer(account: &Account) -> bool {
    account.role == Role::Customer && account.disabled_at.is_none() && account.email_verified_at.is_some()
}

fn needed(field: &'static str) -> FieldFault {
    let message = "There was more than one sign-up with this address: name and password must come with the link.";
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
            // A customer who is invited has shown already whose address it is.
            AccountMailKind::Invitation => job.account.email_verified_at.is_none() || !job.account.role.is_staff(),
            AccountMailKind::AlreadyRegistered => true,
        }
}

fn pause_after(attempts: u32) -> TimeDelta {
    TimeDelta::minutes(4_i64.saturating_pow(attempts).min(12 * 60))
}

/// One IPv6 customer owns a whole /64; one IPv4 address is one customer (or one company).
fn network_of(address: IpAddr) -> String {
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
