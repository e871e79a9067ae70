//! Log-in with Google and any other provider of OpenID Connect (<https://openid.net/specs/openid-connect-core-1_0.html>): the code flow with
//! PKCE (RFC 7636), as RFC 9700 wants it.
//!
//! What a provider sends is believed only as far as it is signed with a key of the provider, meant for us, for this browser and for now.
//! Who that is here, [`crate::identities`] says.
//!
//! One log-in:
//!
//! 1. `GET /login/with/{key}` asks the provider how it describes itself, draws state, nonce and PKCE verifier, and
//!    gives all of it to the browser as one signed cookie for ten minutes. Nothing of it is kept here: whoever presses
//!    the button a million times fills no table.
//! 2. `GET /login/with/{key}/back` counts as a try to log in until it succeeds. The cookie must be ours, for this
//!    provider, for this state and in time. The state is then used up, in the database, before the code is exchanged:
//!    of any number of copies, at any number of servers, one goes on.
//! 3. `provider` exchanges the code and looks at the ID token.
//! 4. `IdentityService::log_in` finds whose it is. An open account of a customer: a session, as with a password.
//!    Nobody's yet, with an address that nobody has here, it makes an account. Where somebody has the address, the
//!    browser gets a signed question for ten minutes, which whoever is logged in to that account answers by a form.

pub mod config;
mod passage;
mod provider;

use std::sync::Arc;

use openidconnect::core::CoreResponseType;
use openidconnect::{AuthenticationFlow, CsrfToken, Nonce, PkceCodeChallenge, Scope};
use thiserror::Error;
use url::Url;

use crate::auth::secret::{Seal, Secret};
use crate::clock::Clock;
use crate::identities::{PASSAGE_FOR, Vouched};
use config::ProviderConfig;
pub use passage::{Passage, Wish};
pub use provider::Provider;

/// The purpose of the key that signs what browsers bring back.
pub const PURPOSE: &str = "log-in with providers";

/// Why a provider logs nobody in.
#[derive(Debug, Error)]
pub enum OidcError {
    /// It cannot be asked at the moment.
    #[error("the provider cannot be asked: {0}")]
    Away(String),
    /// It says so itself.
    #[error("the provider declined: {0}")]
    Declined(Declined),
    /// What it says cannot be believed; why, in words for people, and more of it for operators.
    #[error("the provider is not believed: {said} ({why})")]
    Distrusted {
        /// A sentence of ours.
        said: &'static str,
        /// For the log.
        why: String,
    },
}

/// What a provider says when it logs nobody in (RFC 6749, 4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Declined {
    /// Whoever was asked did not agree.
    #[error("not agreed to")]
    NotAgreed,
    /// It cannot do it now.
    #[error("not at the moment")]
    NotNow,
    /// Anything else: mostly that it was not told of us as we are.
    #[error("for another reason")]
    Otherwise,
}

impl OidcError {
    #[expect(clippy::needless_pass_by_value, reason = "it is often made on the spot")]
    fn distrusted(said: &'static str, why: impl ToString) -> Self {
        Self::Distrusted { said, why: why.to_string() }
    }
}

/// What a provider's answer brought to our page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Back<'a> {
    /// To be exchanged.
    pub code: Option<&'a str>,
    /// In place of a code.
    pub error: Option<&'a str>,
    /// Who answers (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// The providers that customers log in with. Cheap to clone.
#[derive(Clone)]
pub struct Providers {
    all: Arc<[Provider]>,
    passages: Seal,
    wishes: Seal,
    base_url: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl Providers {
    /// Nothing is asked of them before somebody wants to log in: a provider that is down stops nobody else.
    ///
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn new(
        configs: &[ProviderConfig],
        key: [u8; 32],
        base_url: &Url,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let all = configs.iter().cloned().map(Provider::new).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            all: all.into(),
            passages: Seal::new(key, "passage"),
            wishes: Seal::new(key, "wish"),
            base_url: base_url.as_str().trim_end_matches('/').into(),
            clock,
        })
    }

    /// All of them, as they were given.
    pub fn all(&self) -> &[Provider] {
        &self.all
    }

    /// The one with this key.
    pub fn keyed(&self, key: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.config().key == key)
    }

    /// The one with this issuer.
    pub fn issuing(&self, issuer: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.config().issuer == issuer)
    }

    /// Where a browser is sent to log in, and what it brings back from there, signed. `account` is whoever is logged in here.
    ///
    /// # Errors
    /// [`OidcError::Away`], [`OidcError::Distrusted`]: how it describes itself.
    pub async fn begin(
        &self,
        provider: &Provider,
        next: &str,
        account: Option<&str>,
    ) -> Result<(Url, String), OidcError> {
        let now = self.clock.now();
        let found = provider.found(now).await?;
        let client = provider.client(&found, self.redirect(provider)?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let passage = Passage {
            provider: provider.config().key.clone(),
            state: Secret::draw().expose().to_owned(),
            nonce: Secret::draw().expose().to_owned(),
            verifier: verifier.secret().clone(),
            next: next.to_owned(),
            account: account.map(str::to_owned),
            until: (now + PASSAGE_FOR).timestamp(),
        };
        let (state, nonce) = (CsrfToken::new(passage.state.clone()), Nonce::new(passage.nonce.clone()));
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let scopes = provider.config().scopes.iter().cloned().map(Scope::new);
        let asked =
            client.authorize_url(flow, move || state, move || nonce).add_scopes(scopes).set_pkce_challenge(challenge);
        let (address, ..) = asked.url();
        Ok((address, passage.sealed(&self.passages)))
    }

    /// What a browser brought back, if we gave it lately to that browser for this provider and this answer.
    pub fn passage(&self, sealed: &str, provider: &Provider, state: &str) -> Option<Passage> {
        let passage = Passage::read(sealed, &self.passages, self.clock.now())?;
        (passage.provider == provider.config().key && passage.state == state).then_some(passage)
    }

    /// Whom the provider vouches for in its answer.
    ///
    /// # Errors
    /// Each of [`OidcError`].
    pub async fn finish(&self, provider: &Provider, passage: &Passage, back: Back<'_>) -> Result<Vouched, OidcError> {
        let found = provider.found(self.clock.now()).await?;
        found.answers_as(back.issuer)?;
        if let Some(error) = back.error {
            return Err(OidcError::Declined(match error {
                "access_denied" => Declined::NotAgreed,
                "temporarily_unavailable" | "server_error" => Declined::NotNow,
                _ => Declined::Otherwise,
            }));
        }
        let code = back.code.ok_or_else(|| OidcError::distrusted("It brought no code.", "no code"))?;
        provider.vouched(found, &self.redirect(provider)?, passage, code, self.clock.now()).await
    }

    /// A question whether to link, as a browser keeps it until it is answered.
    pub fn sealed_wish(&self, vouched: &Vouched) -> Option<String> {
        let email = vouched.email.as_ref()?.as_str().to_owned();
        let wish = Wish {
            id: Secret::draw().expose().to_owned(),
            issuer: vouched.issuer.clone(),
            subject: vouched.subject.clone(),
            email,
            until: (self.clock.now() + PASSAGE_FOR).timestamp(),
        };
        Some(wish.sealed(&self.wishes))
    }

    /// The question that a browser keeps, if it is not too old, and which provider it is about.
    pub fn wish(&self, sealed: &str) -> Option<(Wish, &Provider)> {
        let wish = Wish::read(sealed, &self.wishes, self.clock.now())?;
        let provider = self.issuing(&wish.issuer)?;
        Some((wish, provider))
    }

    /// Where the provider sends browsers back to: made from the base URL alone, and another for each, so that no provider's answer can be
    /// taken for another's.
    fn redirect(&self, provider: &Provider) -> Result<Url, OidcError> {
        let address = format!("{}/login/with/{}/back", self.base_url, provider.config().key);
        Url::parse(&address).map_err(|error| OidcError::distrusted("It cannot send you back.", error))
    }
}
