//! What the server keeps about accounts, and the promises a place to keep it must hold.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::documents::{Acceptance, DocumentKind};
use super::second_factor::kept::SecondFactors;
use super::secret::SecretHash;
use super::values::{EmailAddress, FullName, Phone, Role};

/// One account, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The server's own key; also the customer's, agent's or staff key in the core.
    pub id: String,
    /// Full name as the person writes it.
    pub name: String,
    /// As typed; mail goes here.
    pub email: String,
    /// Of staff as an admin typed it, or, in international form, as its owner confirmed it: what text messages go to.
    pub phone: Option<String>,
    /// What it may be used for.
    pub role: Role,
    /// Since when we know that the address is theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Since when it may not be used.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when its owner wants it deleted.
    pub deletion_asked_at: Option<DateTime<Utc>>,
    /// Since when log-ins need a second factor.
    pub second_factor_at: Option<DateTime<Utc>>,
}

/// An account with what is compared at login.
#[derive(Clone)]
pub struct Credentials {
    /// Whose.
    pub account: Account,
    /// argon2id PHC string; none until an invited person has chosen a password.
    pub password_hash: Option<String>,
}

impl Credentials {
    /// Whether it is a guest's: a customer whose address is known to be theirs, and who has chosen no password.
    pub fn is_guest(&self) -> bool {
        let known = &self.account;
        let is_open = known.role == Role::Customer && known.disabled_at.is_none() && known.email_verified_at.is_some();
        is_open && self.password_hash.is_none()
    }
}

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// From [`super::secret::draw_account_id`].
    pub id: String,
    /// Full name.
    pub name: FullName,
    /// Unique among accounts in its normalised form.
    pub email: EmailAddress,
    /// For staff.
    pub phone: Option<Phone>,
    /// argon2id PHC string.
    pub password_hash: Option<String>,
    /// What it may be used for.
    pub role: Role,
    /// Whether the address counts as theirs from the start.
    pub email_verified: bool,
}

/// What can be changed about an account from outside; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// New full name.
    pub name: Option<FullName>,
    /// New phone number; `Some(None)` takes it away.
    pub phone: Option<Option<Phone>>,
    /// New role; ends every session and API token, because they were opened under another one.
    pub role: Option<Role>,
    /// Disable (ends every session and API token) or enable.
    pub disabled: Option<bool>,
    /// Ends every session and API token whatever else changes: they were opened with rights that are no longer the same.
    pub ends_access: bool,
}

/// Which accounts to list, by id, at most `limit` after `after`.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Only this role.
    pub role: Option<Role>,
    /// Continue after this id.
    pub after: Option<String>,
    /// 1 to 101.
    pub limit: u32,
}

/// What a one-time token is for. A token of one purpose is nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPurpose {
    /// Confirms an e-mail address.
    VerifyEmail,
    /// Lets an invited person choose a password.
    Invitation,
    /// Lets somebody who forgot their password choose another.
    ResetPassword,
    /// Makes another e-mail address the account's.
    ChangeEmail,
    /// Logs a customer in.
    LogIn,
    /// Stands for the password while the second factor is asked for.
    SecondStep,
    /// Makes the first admin.
    SetupAdmin,
}

impl TokenPurpose {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::Invitation => "invitation",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::LogIn => "log_in",
            Self::SecondStep => "second_step",
            Self::SetupAdmin => "setup_admin",
        }
    }
}

/// A one-time token of an account, about to be mailed.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Of the token in the link.
    pub hash: SecretHash,
    /// What it is for.
    pub purpose: TokenPurpose,
    /// Whose.
    pub account_id: String,
    /// Where it is sent, if not to the account's own address.
    pub sent_to: Option<String>,
    /// Until when the link works.
    pub expires_at: DateTime<Utc>,
    /// The code that can be typed in instead of the link, if there is one.
    pub code: Option<NewCode>,
}

/// The code beside a link.
#[derive(Debug, Clone, Copy)]
pub struct NewCode {
    /// Of the code; see [`super::secret::Code::hash`].
    pub hash: SecretHash,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

/// A mail that somebody asks for who says an address and is not known: whether there is such an account, nobody learns.
#[derive(Debug, Clone, Copy)]
pub struct AskedMail<'a> {
    /// Which mail.
    pub kind: AccountMailKind,
    /// To the enabled account that has this address and confirmed it, if there is one.
    pub email: &'a EmailAddress,
    /// Only if it has this role.
    pub role: Option<Role>,
    /// The most of this kind to an account within the window.
    pub most: u32,
    /// How far back they count.
    pub window: TimeDelta,
}

/// How somebody showed who they are when they logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// By their password.
    Password,
    /// By a link or code that was mailed.
    Code,
    /// By an OpenID Connect provider.
    Provider,
    /// A program got an API token by their password.
    ApiToken,
}

impl Door {
    /// All doors.
    pub const ALL: [Self; 4] = [Self::Password, Self::Code, Self::Provider, Self::ApiToken];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Provider => "provider",
            Self::ApiToken => "api_token",
        }
    }
}

/// From where, and with what, somebody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// A kind of program and of machine, as in "Firefox on Linux"; empty: unknown. Never as it calls itself: that is anybody's text.
    pub device: String,
    /// The network address.
    pub address: String,
    /// Of the cookie by which a browser is known again, if it brought one or was given one.
    pub browser: Option<SecretHash>,
}

/// A log-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    /// Counts up.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// How.
    pub door: Door,
    /// See [`Origin::device`].
    pub device: String,
    /// The network address.
    pub address: String,
}

/// A session of somebody, for the list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Of the cookie value: opens nothing, so it does for a name.
    pub hash: SecretHash,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last used, as far as written down.
    pub last_seen_at: DateTime<Utc>,
    /// Ends at this instant whatever happens.
    pub expires_at: DateTime<Utc>,
    /// See [`Origin::device`].
    pub device: String,
    /// The network address it was opened from.
    pub address: String,
}

/// What keeps open when everything else of an account is shut: what the request was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptOpen {
    /// The session with this hash.
    Session(SecretHash),
    /// The API token with this hash.
    ApiToken(SecretHash),
}

/// What asking for another e-mail address did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailAsked {
    /// Mail is on its way, whether the address can be had or not.
    Asked,
    /// So many were asked for lately; not before this instant.
    Refused {
        /// When the oldest that counts leaves the window.
        until: DateTime<Utc>,
    },
}

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Of the cookie value.
    pub hash: SecretHash,
    /// Whose.
    pub account_id: String,
    /// Ends at this instant if not used before.
    pub idle_expires_at: DateTime<Utc>,
    /// Ends at this instant whatever happens.
    pub expires_at: DateTime<Utc>,
    /// How it is opened.
    pub door: Door,
    /// From where.
    pub origin: Origin,
}

/// An open session, with the account as it is now.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Whose.
    pub account: Account,
    /// When it was last used, as far as written down.
    pub last_seen_at: DateTime<Utc>,
    /// Ends at this instant whatever happens.
    pub expires_at: DateTime<Utc>,
}

/// Which limit a try counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptKind {
    /// A password was tried.
    LogIn,
    /// An account was asked for.
    SignUp,
    /// A code was tried by whoever had given the password.
    SecondFactor,
}

impl AttemptKind {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::SignUp => "sign_up",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// How many tries are let through within a window.
#[derive(Debug, Clone, Copy)]
pub struct AttemptLimits {
    /// Per subject (an e-mail address) from one network address; none: no such limit.
    pub per_subject_and_address: Option<u32>,
    /// Per subject from everywhere; none: no such limit.
    pub per_subject: Option<u32>,
    /// Per network address.
    pub per_address: u32,
    /// How far back tries count.
    pub window: TimeDelta,
}

/// Whether a try may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, and counts as failed until [`Accounts::forgive_attempt`].
    Admitted {
        /// For [`Accounts::forgive_attempt`].
        attempt: i64,
    },
    /// Not before this instant.
    Refused {
        /// When the oldest counting try leaves the window.
        until: DateTime<Utc>,
    },
}

/// Which mail an account gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountMailKind {
    /// Confirm this address.
    VerifyEmail,
    /// Somebody tried to sign up with your address.
    AlreadyRegistered,
    /// Choose name and password: you were a guest so far.
    GuestSignUp,
    /// Choose a password for the account made for you.
    Invitation,
    /// Choose another password.
    ResetPassword,
    /// Your password is another one now.
    PasswordChanged,
    /// Confirm that this is your new address; goes there.
    ChangeEmail,
    /// Somebody asked for your address to be theirs.
    AddressWanted,
    /// Somebody asked for another address; goes to the present one.
    EmailChangeAsked,
    /// Your address is another one now; goes to both.
    EmailChanged,
    /// Log in with this link or code.
    LogIn,
    /// Somebody logged in from where nobody had before.
    NewDevice,
    /// You asked to have your account deleted.
    DeletionAsked,
    /// Log-ins need a code from now on.
    SecondFactorAdded,
    /// They need none any more, since you said so.
    SecondFactorRemoved,
    /// They need none any more, since an administrator said so.
    SecondFactorReset,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// An account at a provider was linked to yours, or is no longer.
    IdentityChanged,
}

impl AccountMailKind {
    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::VerifyEmail,
        Self::AlreadyRegistered,
        Self::GuestSignUp,
        Self::Invitation,
        Self::ResetPassword,
        Self::PasswordChanged,
        Self::ChangeEmail,
        Self::AddressWanted,
        Self::EmailChangeAsked,
        Self::EmailChanged,
        Self::LogIn,
        Self::NewDevice,
        Self::DeletionAsked,
        Self::SecondFactorAdded,
        Self::SecondFactorRemoved,
        Self::SecondFactorReset,
        Self::RecoveryCodeUsed,
        Self::IdentityChanged,
    ];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyRegistered => "already_registered",
            Self::GuestSignUp => "guest_sign_up",
            Self::Invitation => "invitation",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::ChangeEmail => "change_email",
            Self::AddressWanted => "address_wanted",
            Self::EmailChangeAsked => "email_change_asked",
            Self::EmailChanged => "email_changed",
            Self::LogIn => "log_in",
            Self::NewDevice => "new_device",
            Self::DeletionAsked => "deletion_asked",
            Self::SecondFactorAdded => "second_factor_added",
            Self::SecondFactorRemoved => "second_factor_removed",
            Self::SecondFactorReset => "second_factor_reset",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::IdentityChanged => "identity_changed",
        }
    }
}

/// A mail that is due and now held by one courier.
#[derive(Debug, Clone)]
pub struct MailJob {
    /// Stable over all tries.
    pub id: Uuid,
    /// To whom.
    pub account: Account,
    /// Which mail.
    pub kind: AccountMailKind,
    /// Where to, if not to the account's own address.
    pub sent_to: Option<String>,
    /// What it says beside its kind, in words of ours.
    pub about: Option<String>,
    /// Tries before this one.
    pub attempts: u32,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
}

/// What became of a [`MailJob`].
#[derive(Debug, Clone)]
pub enum MailOutcome {
    /// The relay took it, or it is no longer needed.
    Done,
    /// Try again later.
    Retry {
        /// Not before.
        at: DateTime<Utc>,
        /// For the operator.
        error: String,
    },
    /// Never try again.
    GivenUp {
        /// For the operator.
        error: String,
    },
}

/// What asking for an account did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignUp {
    /// A new account waits for its confirmation.
    Made,
    /// An unconfirmed one was there; see [`Accounts::sign_up_again`].
    Unconfirmed {
        /// Its id.
        id: String,
    },
    /// A confirmed one was there; its owner is told.
    Known,
}

/// What a confirmation link must come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: there was one sign-up.
    Nothing,
    /// Name and password: there were sign-ups with different passwords, or it is a guest's.
    NameAndPassword,
}

/// What somebody chose together with a confirmation link.
#[derive(Clone)]
pub struct Chosen {
    /// Full name.
    pub name: FullName,
    /// argon2id PHC string.
    pub password_hash: String,
}

/// What a confirmation link did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The address is confirmed.
    Done(Account),
    /// Name and password must come with it; the link still works.
    Asks,
    /// It is unknown, used or expired.
    NotGood,
}

/// A code on its way to a telephone.
#[derive(Debug, Clone)]
pub struct PhoneCode {
    /// Whose it shall be.
    pub account_id: String,
    /// In international form.
    pub phone: String,
    /// Of the code.
    pub hash: SecretHash,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

/// How many codes are sent, and how often one may be guessed at.
#[derive(Debug, Clone, Copy)]
pub struct PhoneLimits {
    /// Codes within the window, for one account, and to one number.
    pub codes: u32,
    /// How far back they count.
    pub window: TimeDelta,
    /// Wrong tries at a code.
    pub tries: u32,
}

/// Why the place that keeps accounts could not do it, by what the caller can do.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// Try again later; nothing is known to have happened.
    #[error("the account database cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Trying again does not help; an operator must look.
    #[error("the account database failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value cannot be read.
    #[error("a value in {table}.{column} cannot be read")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Where in it.
        column: &'static str,
    },
    /// PostgreSQL keeps no text with the character NUL.
    #[error("a text holds the character NUL, which the database cannot keep")]
    Unstorable,
    /// Another account has this e-mail address.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// There would be nobody left to run the installation.
    #[error("this is the last admin")]
    LastAdmin,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Somebody else wrote a newer version first.
    #[error("version {current} is already there")]
    Conflict {
        /// The newest version now.
        current: u64,
    },
}

/// Keeps accounts and everything that hangs on them.
///
/// Each method is all or nothing and durable when it returns. `now` is always the caller's clock.
#[async_trait]
pub trait Accounts: SecondFactors {
    /// Answers when the database does.
    async fn ping(&self) -> Result<(), AccountsError>;

    /// Makes an account and, if asked, puts a mail to it into the outbox in the same transaction.
    async fn insert(
        &self,
        new: NewAccount,
        mail: Option<AccountMailKind>,
        now: DateTime<Utc>,
    ) -> Result<Account, AccountsError>;
    /// Makes an account for a stranger and queues the confirmation; if the address is taken by a confirmed account, queues
    /// [`AccountMailKind::AlreadyRegistered`] instead, or [`AccountMailKind::GuestSignUp`] where its customer has no password yet, each at
    /// most once a day; if by an unconfirmed one, does nothing.
    async fn sign_up(&self, new: NewAccount, now: DateTime<Utc>) -> Result<SignUp, AccountsError>;
    /// A second sign-up for an unconfirmed account, or a wish for its mail. `other_password` is the hash of a password that is not the
    /// former one: from then on the links, those sent before too, stand for none of the sign-ups, see [`Accounts::confirm_email`].
    /// Queues a confirmation unless one was queued for it within a day, as for a guest [`AccountMailKind::GuestSignUp`].
    /// Does nothing if the account has a password and is confirmed, or is disabled, or is not a customer's.
    async fn sign_up_again(
        &self,
        id: &str,
        other_password: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError>;

    /// The account of somebody who has shown that an address is theirs without signing up. There was none: this one is made, without a
    /// password. An unconfirmed one is theirs from now on, and what strangers may have chosen for it, name and password, is forgotten;
    /// somebody wanted to log in, so [`AccountMailKind::GuestSignUp`] is queued. Any other account is returned as it is.
    async fn account_of_owner(&self, new: NewAccount, now: DateTime<Utc>) -> Result<Account, AccountsError>;

    /// The account with this id.
    async fn by_id(&self, id: &str) -> Result<Option<Account>, AccountsError>;
    /// The account with this id, and the hash of its password.
    async fn credentials(&self, id: &str) -> Result<Option<Credentials>, AccountsError>;
    /// The account with this address, in whatever case.
    async fn by_email(&self, email: &EmailAddress) -> Result<Option<Credentials>, AccountsError>;
    /// Accounts in order of their ids.
    async fn list(&self, filter: AccountFilter) -> Result<Vec<Account>, AccountsError>;
    /// Changes an account; refuses to take away the last enabled admin. See [`AccountChange`] for what ends its sessions.
    async fn change(&self, id: &str, change: AccountChange, now: DateTime<Utc>) -> Result<Account, AccountsError>;
    /// Stores a hash of the same password with newer settings, if the stored one is still `old`.
    async fn renew_password_hash(&self, id: &str, old: &str, new: &str) -> Result<(), AccountsError>;
    /// Queues another invitation for an enabled member of staff who has not accepted one; otherwise [`AccountsError::NoSuchAccount`].
    async fn invite_again(&self, id: &str, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Whether an account has an identity at a provider.
    async fn has_identity(&self, id: &str) -> Result<bool, AccountsError>;
    /// Whether an enabled admin exists.
    async fn has_admin(&self) -> Result<bool, AccountsError>;

    /// Keeps a one-time token for an account, and the code beside it.
    async fn add_token(&self, new: &NewToken, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// The hash of the token whose code this is, if both work now. A wrong code counts against every code of the account for this
    /// purpose, and after `tries` of them a code works no longer, also among many at once. The token is not used up.
    async fn token_of_code(
        &self,
        account_id: &str,
        purpose: TokenPurpose,
        code: SecretHash,
        tries: u32,
        now: DateTime<Utc>,
    ) -> Result<Option<SecretHash>, AccountsError>;
    /// Whose token this is, if it is good now: looked at before a password is hashed.
    async fn token_is_good(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError>;
    /// What [`Accounts::confirm_email`] would ask for now; `None` if the token is not good.
    async fn confirmation(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Asked>, AccountsError>;
    /// Uses up a token and confirms its account's address, with the name and password `chosen` with it if there are any. Of any number of
    /// simultaneous calls exactly one gets the account. Without any where [`Accounts::confirmation`] asks for them, nothing happens.
    async fn confirm_email(
        &self,
        hash: SecretHash,
        chosen: Option<&Chosen>,
        now: DateTime<Utc>,
    ) -> Result<Confirmation, AccountsError>;
    /// Uses up a token, stores the password, confirms the address (the link was mailed there) and ends everything that opens the account:
    /// sessions, API tokens, other links and codes.
    async fn set_password(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError>;
    /// Uses up a token that does nothing but show who holds it.
    async fn take_token(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError>;
    /// Stores another password and ends everything that opens the account but what is `kept`: sessions, API tokens, links and codes. Its
    /// owner is told.
    async fn replace_password(
        &self,
        id: &str,
        password_hash: &str,
        kept: KeptOpen,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Queues a link and a code to `email`, and a word of it to the present address; links and codes for other addresses end. If somebody
    /// else has confirmed `email`, they are told in its place by [`AccountMailKind::AddressWanted`], at most once a day. At most `most`
    /// within the window.
    async fn ask_for_email(
        &self,
        id: &str,
        email: &EmailAddress,
        most: u32,
        window: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<EmailAsked, AccountsError>;
    /// Uses up a token, makes the address it was sent to the account's and ends its other links and codes; both addresses are told.
    /// [`AccountsError::EmailTaken`] if somebody else has it by now.
    async fn change_email(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Account>, AccountsError>;
    /// The postal addresses of an account, as JSON.
    async fn postal_addresses(&self, id: &str) -> Result<String, AccountsError>;
    /// Keeps the postal addresses of an account.
    async fn set_postal_addresses(&self, id: &str, json: &str) -> Result<(), AccountsError>;

    /// What somebody accepted, in the order of acceptance.
    async fn acceptances(&self, id: &str) -> Result<Vec<Acceptance>, AccountsError>;
    /// Notes that somebody accepts a document; of the same version the first time stands.
    async fn accept(
        &self,
        id: &str,
        kind: DocumentKind,
        version: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Notes that its owner wants an account deleted, and mails them so; asked again, the first time stands.
    async fn ask_for_deletion(&self, id: &str, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Takes that back.
    async fn withdraw_deletion(&self, id: &str) -> Result<(), AccountsError>;

    /// Replaces every earlier set-up token by this one.
    async fn replace_setup_token(
        &self,
        hash: SecretHash,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Whether [`Accounts::set_up`] would succeed now.
    async fn setup_token_is_good(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<bool, AccountsError>;
    /// Uses up the set-up token and makes the first admin; `None` if the token is not good or there is an admin already.
    async fn set_up(
        &self,
        hash: SecretHash,
        new: NewAccount,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError>;

    /// Opens a session and closes the one it replaces; notes the log-in, and tells the owner if neither browser nor device with network
    /// were seen at a former one.
    async fn open_session(
        &self,
        new: NewSession,
        replaces: Option<SecretHash>,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// The open session with this hash; expired sessions and those of disabled accounts do not exist.
    async fn session(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<SessionView>, AccountsError>;
    /// Notes that a session was used.
    async fn touch_session(
        &self,
        hash: SecretHash,
        now: DateTime<Utc>,
        idle_expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Closes a session; closing one that is not open is fine.
    async fn close_session(&self, hash: SecretHash) -> Result<(), AccountsError>;
    /// The open sessions of an account, the one last used first.
    async fn sessions_of(&self, account_id: &str, now: DateTime<Utc>) -> Result<Vec<OpenSession>, AccountsError>;
    /// Closes a session of this account; whether there was one.
    async fn close_session_of(&self, account_id: &str, hash: SecretHash) -> Result<bool, AccountsError>;
    /// Closes every session of an account but one; how many there were.
    async fn close_other_sessions(&self, account_id: &str, kept: Option<SecretHash>) -> Result<u64, AccountsError>;
    /// Whether whoever has this address was logged in from a network address after an instant.
    async fn logged_in_from(
        &self,
        email: &EmailAddress,
        address: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, AccountsError>;
    /// The latest log-ins of an account before the one with this id, newest first.
    async fn log_ins_of(&self, account_id: &str, before: Option<i64>, limit: u32) -> Result<Vec<LogIn>, AccountsError>;

    /// Keeps an API token; the log-in is noted as that of a session is.
    async fn add_api_token(
        &self,
        hash: SecretHash,
        account_id: &str,
        origin: &Origin,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Whose API token this is; expired and revoked ones and those of disabled accounts are nobody's.
    async fn api_token(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Account>, AccountsError>;
    /// Revokes an API token.
    async fn revoke_api_token(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<(), AccountsError>;

    /// Counts a try, or refuses it; counting and refusing are one step, so parallel tries cannot slip through. A mail that is asked for
    /// with it is queued in the same step, by the same statements and with the same wait for the disk whether anybody gets it or not.
    async fn admit_attempt(
        &self,
        kind: AttemptKind,
        subject: SecretHash,
        address: &str,
        limits: AttemptLimits,
        mail: Option<AskedMail<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Admission, AccountsError>;
    /// Takes a counted try back: no guess was made, or it was right.
    async fn forgive_attempt(&self, attempt: i64) -> Result<(), AccountsError>;

    /// Keeps a code that is about to be sent to a telephone; former ones of the account work no longer. Refused once the account, or the
    /// number, had as many as there may be. Counting and keeping are one step.
    async fn add_phone_code(
        &self,
        code: &PhoneCode,
        limits: PhoneLimits,
        now: DateTime<Utc>,
    ) -> Result<Admission, AccountsError>;
    /// Uses up the account's code, if this is it, and gives the account the number it was sent to; `None` if it is not, has expired,
    /// or was guessed at too often. A wrong try counts, also among many at once.
    async fn confirm_phone(
        &self,
        account_id: &str,
        hash: SecretHash,
        limits: PhoneLimits,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError>;

    /// Hands out due mail, oldest first, at most `limit`, each to one caller until `lease` has passed.
    async fn claim_mail(&self, now: DateTime<Utc>, lease: TimeDelta, limit: u32)
    -> Result<Vec<MailJob>, AccountsError>;
    /// Notes what became of a claimed mail.
    async fn settle_mail(&self, id: Uuid, outcome: MailOutcome, now: DateTime<Utc>) -> Result<(), AccountsError>;
    /// Holds a key of an account: whoever wants to hold it at another server waits, until what is returned here is dropped. This
    /// server's own have to take turns by themselves.
    async fn hold_key(&self, account_id: &str, key: &str) -> Result<HeldKey, AccountsError>;
    /// What an account made under a key, with the fingerprint of the request.
    async fn made_under_key(&self, account_id: &str, key: &str) -> Result<Option<(String, Made)>, AccountsError>;
    /// Keeps what an account made under a key that is not used yet.
    async fn keep_made(
        &self,
        account_id: &str,
        key: &str,
        fingerprint: &str,
        made: &Made,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError>;
    /// Removes what has expired and can no longer be asked for; returns how many rows.
    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, AccountsError>;
}

/// A key that is held until this is dropped.
pub type HeldKey = Box<dyn Send>;

/// Something that was made on request, as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its address.
    pub location: String,
    /// The JSON body of the answer.
    pub body: String,
}

/// One stored version of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// 1, 2, 3 …
    pub version: u64,
    /// The policy as TOML.
    pub toml: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// The account that made it, or `system`.
    pub made_by: String,
}

/// Keeps every version of the policy; versions are only ever added.
#[async_trait]
pub trait PolicyVersions: Send + Sync {
    /// The number of the newest version, 0 if there is none: cheap enough to ask every second.
    async fn newest(&self) -> Result<u64, AccountsError>;
    /// The newest version, if there is any.
    async fn latest(&self) -> Result<Option<PolicyVersion>, AccountsError>;
    /// Adds a version after `expected` (0 for the first), or [`AccountsError::Conflict`] with the newest one there is.
    async fn append(
        &self,
        expected: u64,
        toml: &str,
        made_by: &str,
        now: DateTime<Utc>,
    ) -> Result<PolicyVersion, AccountsError>;
}
