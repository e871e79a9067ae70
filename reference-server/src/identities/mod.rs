//! Who customers are at OpenID Connect providers, and what that opens here.
//!
//! An identity is the pair of issuer and subject, never an address: addresses change hands. An address leads to an account only where
//! there is none yet, or as a question to whoever is logged in to it. Staff have no identities: what opens the work of others must not
//! depend on somebody else's log-in; what was linked before they came to work here opens nothing either.

pub mod kept;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use crate::auth::accounts::{Account, AccountsError, Door, NewAccount};
use crate::auth::secret::{SecretHash, draw_account_id};
use crate::auth::service::OpenedSession;
use crate::auth::values::{EmailAddress, FullName};
use crate::auth::{AccountService, AuthError, Role, Visit};
use crate::clock::Clock;
use kept::{Identities, Identity, Linked, NewIdentity, Unlinked};

/// How long somebody may stay away at a provider, and then has to confirm that an identity is linked.
pub const PASSAGE_FOR: TimeDelta = TimeDelta::minutes(10);

/// What a provider says of somebody, verified to be said by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Which provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// The address, if the provider has seen that it is theirs.
    pub email: Option<EmailAddress>,
    /// What they are called.
    pub name: Option<String>,
}

/// What an identity leads to.
#[derive(Debug)]
pub enum Arrival {
    /// Into an account.
    LoggedIn(OpenedSession),
    /// To an account with the same address: whoever is logged in there may link the two.
    MustConfirm,
}

/// Why an identity opens nothing.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The provider does not say whose address it is.
    #[error("the provider vouches for no e-mail address")]
    EmailUnverified,
    /// The account is disabled, or one of staff.
    #[error("the account cannot be opened by a provider")]
    Closed,
    /// Another account has it.
    #[error("the identity is linked to another account")]
    Taken,
    /// Its address is not that of the account, or that of the account is not confirmed.
    #[error("the identity has another address than the account")]
    OtherEmail,
    /// Without a password and without another identity nobody could log in.
    #[error("it is the last way in")]
    LastWayIn,
    /// There is no such identity, or the question was answered already.
    #[error("there is no such identity")]
    NotFound,
    /// Something about the account.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl From<AccountsError> for IdentityError {
    fn from(error: AccountsError) -> Self {
        Self::Auth(error.into())
    }
}

/// Identities with their rules. Cheap to clone.
#[derive(Clone)]
pub struct IdentityService {
    kept: Arc<dyn Identities>,
    accounts: AccountService,
    clock: Arc<dyn Clock>,
}

impl IdentityService {
    /// Puts the parts together.
    pub fn new(kept: Arc<dyn Identities>, accounts: AccountService, clock: Arc<dyn Clock>) -> Self {
        Self { kept, accounts, clock }
    }

    /// Opens a session for whoever a provider vouches for. The first time, an account of a customer is made, unless one has the address.
    ///
    /// # Errors
    /// [`IdentityError::EmailUnverified`], [`IdentityError::Closed`].
    pub async fn log_in(
        &self,
        vouched: &Vouched,
        visit: &Visit,
        replaces: Option<&str>,
    ) -> Result<Arrival, IdentityError> {
        let account = match self.kept.account_of_identity(&vouched.issuer, &vouched.subject).await? {
            Some(account) => account,
            None => match self.made(vouched).await? {
                Some(account) => account,
                None => return Ok(Arrival::MustConfirm),
            },
        };
        if account.role != Role::Customer || account.disabled_at.is_some() {
            return Err(IdentityError::Closed);
        }
        Ok(Arrival::LoggedIn(self.accounts.open_session(account, Door::Provider, visit, replaces).await?))
    }

    /// An account made for somebody new; none if one has their address.
    async fn made(&self, vouched: &Vouched) -> Result<Option<Account>, IdentityError> {
        let email = vouched.email.as_ref().ok_or(IdentityError::EmailUnverified)?;
        if self.accounts.by_email(email).await?.is_some() {
            return Ok(None);
        }
        let local = email.as_str().split('@').next().unwrap_or_default();
        let name = vouched.name.as_deref().and_then(|name| FullName::parse(name).ok());
        let name = match name {
            Some(name) => name,
            None => FullName::parse(local)
                .or_else(|_| FullName::parse("Customer"))
                .map_err(|fault| AuthError::Invalid(vec![crate::auth::service::FieldFault { field: "name", fault }]))?,
        };
        let new = NewAccount {
            id: draw_account_id(),
            name,
            email: email.clone(),
            phone: None,
            password_hash: None,
            role: Role::Customer,
            email_verified: true,
        };
        let identity = NewIdentity { issuer: &vouched.issuer, subject: &vouched.subject, email: email.as_str() };
        match self.kept.account_with_identity(new, identity, self.clock.now()).await {
            Ok(account) => Ok(Some(account)),
            Err(AccountsError::EmailTaken) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose identity this is; none: nobody's yet.
    pub async fn account_of(&self, issuer: &str, subject: &str) -> Result<Option<Account>, IdentityError> {
        Ok(self.kept.account_of_identity(issuer, subject).await?)
    }

    /// What is linked to an account, the oldest first.
    pub async fn of_account(&self, account_id: &str) -> Result<Vec<Identity>, IdentityError> {
        Ok(self.kept.identities_of(account_id).await?)
    }

    /// Links an identity to the account of whoever is logged in and said so. Both addresses must be confirmed and the same; its owner is
    /// told by mail, in which the provider is called `name`.
    ///
    /// # Errors
    /// [`IdentityError::OtherEmail`], [`IdentityError::Closed`], [`IdentityError::Taken`].
    pub async fn link(&self, account_id: &str, identity: NewIdentity<'_>, name: &str) -> Result<(), IdentityError> {
        let about = format!("{name} was linked to it, so that you can log in with it");
        match self.kept.link(account_id, identity, &about, self.clock.now()).await? {
            Linked::Done => Ok(()),
            Linked::Taken => Err(IdentityError::Taken),
            Linked::Closed => Err(IdentityError::Closed),
            Linked::OtherEmail => Err(IdentityError::OtherEmail),
        }
    }

    /// Takes an identity from an account; its owner is told by mail, in which the provider is called `name`.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], [`IdentityError::LastWayIn`].
    pub async fn unlink(&self, account_id: &str, id: &str, name: &str) -> Result<(), IdentityError> {
        let about = format!("{name} is no longer linked to it");
        match self.kept.unlink(account_id, id, &about, self.clock.now()).await? {
            Unlinked::Done => Ok(()),
            Unlinked::NotFound => Err(IdentityError::NotFound),
            Unlinked::LastWayIn => Err(IdentityError::LastWayIn),
        }
    }

    /// Uses up what counts once; whether it was not used before, also among many at once.
    pub async fn use_once(&self, hash: SecretHash, until: DateTime<Utc>) -> Result<bool, IdentityError> {
        Ok(self.kept.use_once(hash, until, self.clock.now()).await?)
    }
}
