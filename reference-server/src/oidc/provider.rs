//! One provider: how it describes itself, its keys, and what is believed of its answers.
//!
//! What it says of itself is kept for an hour. After a failure it rests for 30 seconds, so that one that is down
//! costs nobody else anything, and what it said before counts for up to a day. A token that names an unknown key has
//! the keys fetched anew, once a minute at most.
//!
//! An ID token is believed that is signed with a key of the provider (asymmetric algorithms alone), by the issuer as
//! configured, for us and nobody else, for this nonce and for now. Addresses that the provider names are looked at as
//! those of webhooks are: public, or in a network that its description names. No redirect is followed; length and
//! time of an answer are limited.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use complaint_notify::outgoing::{self, InvalidAddress};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use openidconnect::core::{
    CoreClient, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
    CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthUrl, ClaimsVerificationError, ClientId, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, RedirectUrl, SignatureVerificationError, SubjectIdentifier, TokenResponse as _,
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::OidcError;
use super::config::ProviderConfig;
use super::passage::Passage;
use crate::auth::values::EmailAddress;
use crate::identities::Vouched;

/// The most of an answer; Google's keys have two thousand bytes.
const ANSWER_MAX: usize = 256 * 1024;
/// How long what a provider says of itself is taken as it was.
const FOUND_FOR: TimeDelta = TimeDelta::hours(1);
/// How long it does where the provider does not say it anew: no key that it took back counts longer.
const FOUND_AT_MOST: TimeDelta = TimeDelta::hours(24);
/// A provider that gave no good answer is not asked again before.
const REST: TimeDelta = TimeDelta::seconds(30);
/// Keys are fetched no more often for tokens that name others.
const KEYS_EVERY: TimeDelta = TimeDelta::minutes(1);
/// How far the clocks of two machines may differ.
const LEEWAY: TimeDelta = TimeDelta::minutes(2);
/// OpenID Connect Core 1.0, 2.
const SUBJECT_MAX: usize = 255;
/// With keys that we can only check with, never those that we could have signed with ourselves.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet>;

/// A provider that customers log in with.
pub struct Provider {
    config: ProviderConfig,
    http: reqwest::Client,
    known: Mutex<Known>,
}

/// What is known of a provider. Held while it is asked: many who log in at once ask once.
#[derive(Default)]
struct Known {
    found: Option<Arc<Found>>,
    failed_at: Option<DateTime<Utc>>,
}

/// What a provider says of itself.
#[derive(Clone)]
pub(super) struct Found {
    described: Described,
    keys: CoreJsonWebKeySet,
    at: DateTime<Utc>,
    keys_at: DateTime<Utc>,
}

/// The part that matters here of OpenID Connect Discovery 1.0, 3.
#[derive(Debug, Clone, Deserialize)]
struct Described {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What the library leaves to us in the claims of a token.
#[derive(Deserialize)]
struct MoreClaims {
    azp: Option<String>,
    nbf: Option<f64>,
}

/// The part that matters here of what a provider says elsewhere (OpenID Connect Core 1.0, 5.3.2).
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    email: Option<String>,
    email_verified: Option<bool>,
    name: Option<String>,
}

/// Why a request brought nothing that could be read.
#[derive(Debug, thiserror::Error)]
enum HttpFault {
    #[error("{0}")]
    Away(String),
    #[error("its address {0}")]
    Address(#[from] InvalidAddress),
    #[error("it leads elsewhere (status {0}), which is not followed")]
    Redirect(u16),
    #[error("its answer is longer than {ANSWER_MAX} bytes")]
    TooLong,
    #[error("it answered {0}")]
    Status(u16),
    #[error("its answer is not JSON, but {0:?}")]
    Kind(String),
    #[error("its answer cannot be read: {0}")]
    Unreadable(String),
}

impl From<HttpFault> for OidcError {
    fn from(fault: HttpFault) -> Self {
        match fault {
            HttpFault::Away(why) => Self::Away(why),
            HttpFault::Status(status) if status >= 500 => Self::Away(HttpFault::Status(status).to_string()),
            HttpFault::Address(_) | HttpFault::Redirect(_) => {
                Self::distrusted("It leads to an address that is not followed.", fault)
            }
            HttpFault::TooLong => Self::distrusted("Its answer is too long.", fault),
            HttpFault::Status(_) | HttpFault::Kind(_) | HttpFault::Unreadable(_) => {
                Self::distrusted("Its answer cannot be read.", fault)
            }
        }
    }
}

impl Provider {
    pub(super) fn new(config: ProviderConfig) -> Result<Self, reqwest::Error> {
        let http = outgoing::client(&config.networks, config.timeout)?;
        Ok(Self { config, http, known: Mutex::default() })
    }

    /// As the operator said.
    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// How it describes itself, asked anew from time to time.
    pub(super) async fn found(&self, now: DateTime<Utc>) -> Result<Arc<Found>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.found.as_ref().filter(|found| now - found.at < FOUND_FOR) {
            return Ok(Arc::clone(found));
        }
        let rests = known.failed_at.is_some_and(|at| now - at < REST);
        let asked =
            if rests { Err(OidcError::Away("it gave no good answer lately".to_owned())) } else { self.ask(now).await };
        match asked {
            Ok(found) => {
                let found = Arc::new(found);
                *known = Known { found: Some(Arc::clone(&found)), failed_at: None };
                Ok(found)
            }
            Err(error) => {
                if !rests {
                    known.failed_at = Some(now);
                }
                let before = known.found.as_ref().filter(|found| now - found.at < FOUND_AT_MOST).map(Arc::clone);
                before.ok_or(error)
            }
        }
    }

    async fn ask(&self, now: DateTime<Utc>) -> Result<Found, OidcError> {
        let described: Described = self.read(&self.config.discovery().map_err(HttpFault::from)?).await?;
        if described.issuer != self.config.issuer {
            return Err(OidcError::distrusted("It calls itself otherwise.", described.issuer));
        }
        for endpoint in [&described.authorization_endpoint, &described.token_endpoint, &described.jwks_uri] {
            self.address(endpoint)?;
        }
        let keys = self.read(&self.address(&described.jwks_uri)?).await?;
        Ok(Found { described, keys, at: now, keys_at: now })
    }

    /// The keys once more, for a token that names one we do not know.
    async fn with_new_keys(&self, now: DateTime<Utc>) -> Result<Option<Arc<Found>>, OidcError> {
        let mut known = self.known.lock().await;
        let Some(before) = known.found.as_ref().filter(|found| now - found.keys_at >= KEYS_EVERY) else {
            return Ok(None);
        };
        let mut found = Found::clone(before);
        found.keys_at = now;
        let keys = self.read(&self.address(&found.described.jwks_uri)?).await;
        // Those who come next do not ask at once again, whatever came of it.
        let keys = keys.map(|keys| found.keys = keys);
        let found = Arc::new(found);
        known.found = Some(Arc::clone(&found));
        keys.map(|()| Some(found)).map_err(OidcError::from)
    }

    /// Where a browser asks for a code.
    pub(super) fn client(&self, found: &Found, redirect: Url) -> Result<Client, OidcError> {
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(unusable)?;
        let authorize = AuthUrl::new(found.described.authorization_endpoint.clone()).map_err(unusable)?;
        let client = CoreClient::new(ClientId::new(self.config.client_id.clone()), issuer, found.keys.clone());
        Ok(client.set_redirect_uri(RedirectUrl::from_url(redirect)).set_auth_uri(authorize))
    }

    /// What tokens are looked at with. As for a client without a secret: our own is no key of the provider's.
    fn verifier(&self, found: &Found) -> Result<CoreIdTokenVerifier<'static>, OidcError> {
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(unusable)?;
        let client = ClientId::new(self.config.client_id.clone());
        Ok(CoreIdTokenVerifier::new_public_client(client, issuer, found.keys.clone()))
    }

    /// Exchanges a code, and believes of what comes what can be believed.
    pub(super) async fn vouched(
        &self,
        found: Arc<Found>,
        redirect: &Url,
        passage: &Passage,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Vouched, OidcError> {
        let answer = self.send(self.exchange(&found, redirect, passage, code)?).await?;
        if answer.status() != StatusCode::OK {
            return Err(OidcError::distrusted("It did not take the code.", answer.status()));
        }
        let tokens: CoreTokenResponse = json_of(&answer)?;
        let token = tokens.id_token().ok_or_else(|| OidcError::distrusted("It says nothing of you.", "no ID token"))?;
        let nonce = Nonce::new(passage.nonce.clone());
        let mut verifier = self.verifier(&found)?;
        let claims = match believed(token, &verifier, &nonce, now) {
            Ok(claims) => claims,
            Err(Disbelief::UnknownKey) => {
                let unknown =
                    || OidcError::distrusted("It is signed with a key that is not the provider's.", "unknown");
                let renewed = self.with_new_keys(now).await?.ok_or_else(unknown)?;
                verifier = self.verifier(&renewed)?;
                believed(token, &verifier, &nonce, now).map_err(|wrong| wrong.told(unknown))?
            }
            Err(Disbelief::Told(error)) => return Err(error),
        };
        self.for_us(token)?;
        not_before(token, now)?;
        same_access(token, claims, tokens.access_token(), &verifier)?;
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > SUBJECT_MAX || subject.chars().any(char::is_control) {
            return Err(OidcError::distrusted("It does not say who you are.", "the subject cannot be used"));
        }
        let said = Said {
            email: claims.email().map(|email| email.as_str().to_owned()),
            verified: claims.email_verified(),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()),
        };
        let said = match &found.described.userinfo_endpoint {
            Some(endpoint) if said.email.is_none() => {
                self.asked_of(endpoint, tokens.access_token(), claims.subject()).await?
            }
            _ => said,
        };
        let email = said.email.filter(|_| said.verified == Some(true));
        Ok(Vouched {
            issuer: self.config.issuer.clone(),
            subject: subject.to_owned(),
            email: email.and_then(|email| EmailAddress::parse(&email).ok()),
            name: said.name,
        })
    }

    /// The request that exchanges a code (RFC 6749, 4.1.3; RFC 7636, 4.5), with our secret in its head unless the provider takes it in the body
    /// alone.
    fn exchange(
        &self,
        found: &Found,
        redirect: &Url,
        passage: &Passage,
        code: &str,
    ) -> Result<http::Request<Vec<u8>>, OidcError> {
        let methods = found.described.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let offers = |method: &str| methods.iter().any(|offered| offered == method);
        let in_body = !offers("client_secret_basic") && offers("client_secret_post");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code").append_pair("code", code);
        form.append_pair("redirect_uri", redirect.as_str()).append_pair("code_verifier", &passage.verifier);
        let mut request = http::Request::post(found.described.token_endpoint.as_str())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match &self.config.secret {
            Some(secret) if !in_body => {
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.config.client_id), encoded(secret.expose_secret()));
                request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
            }
            secret => {
                form.append_pair("client_id", &self.config.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose_secret());
                }
            }
        }
        request.body(form.finish().into_bytes()).map_err(|error| OidcError::distrusted("It cannot be asked.", error))
    }

    /// What it says of somebody elsewhere, where the token does not say it.
    async fn asked_of(
        &self,
        endpoint: &str,
        access: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Said, OidcError> {
        let request = http::Request::get(endpoint)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", access.secret()))
            .body(Vec::new());
        let request = request.map_err(|error| OidcError::distrusted("It cannot be asked.", error))?;
        let said: UserInfo = json_of(&self.send(request).await?)?;
        if said.sub != subject.as_str() {
            return Err(OidcError::distrusted("It speaks of somebody else.", "another subject"));
        }
        Ok(Said { email: said.email, verified: said.email_verified, name: said.name })
    }

    /// Issued to us: the library does not look at who asked for a token, only at whom it is for.
    fn for_us(&self, token: &CoreIdToken) -> Result<(), OidcError> {
        match more(token)?.azp {
            Some(party) if party != self.config.client_id => {
                Err(OidcError::distrusted("It was issued for another program.", format!("azp {party:?}")))
            }
            _ => Ok(()),
        }
    }

    fn address(&self, text: &str) -> Result<Url, HttpFault> {
        Ok(outgoing::address(text, &self.config.networks)?)
    }

    async fn read<T: DeserializeOwned>(&self, url: &Url) -> Result<T, HttpFault> {
        let request = http::Request::get(url.as_str()).header(ACCEPT, "application/json").body(Vec::new());
        let answer = self.send(request.map_err(|error| HttpFault::Unreadable(error.to_string()))?).await?;
        json_of(&answer)
    }

    /// Asks once: no redirect is followed, and no more is read than may be.
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpFault> {
        let away = |error: reqwest::Error| HttpFault::Away(outgoing::in_words(error));
        self.address(&request.uri().to_string())?;
        let mut answer = self.http.execute(request.try_into().map_err(away)?).await.map_err(away)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(HttpFault::Redirect(status.as_u16()));
        }
        if status.is_server_error() {
            return Err(HttpFault::Status(status.as_u16()));
        }
        let mut read = http::Response::new(Vec::new());
        *read.status_mut() = status;
        *read.headers_mut() = answer.headers().clone();
        while let Some(part) = answer.chunk().await.map_err(away)? {
            if read.body().len() + part.len() > ANSWER_MAX {
                return Err(HttpFault::TooLong);
            }
            read.body_mut().extend_from_slice(&part);
        }
        Ok(read)
    }
}

impl Found {
    /// Whether an answer is this provider's, where it says whose it is (RFC 9207); where it promised to say so, it must.
    pub(super) fn answers_as(&self, issuer: Option<&str>) -> Result<(), OidcError> {
        match issuer {
            Some(issuer) if issuer == self.described.issuer => Ok(()),
            None if !self.described.authorization_response_iss_parameter_supported => Ok(()),
            other => Err(OidcError::distrusted("The answer is another provider's.", format!("iss {other:?}"))),
        }
    }
}

/// What an answer says, if it is a good one, and of the kind that was asked for.
fn json_of<T: DeserializeOwned>(answer: &http::Response<Vec<u8>>) -> Result<T, HttpFault> {
    if answer.status() != StatusCode::OK {
        return Err(HttpFault::Status(answer.status().as_u16()));
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["application/json", "application/jwk-set+json"].contains(&essence.as_str()) {
        return Err(HttpFault::Kind(essence.chars().take(100).collect()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| HttpFault::Unreadable(error.to_string()))
}

/// What a provider says of somebody.
struct Said {
    email: Option<String>,
    verified: Option<bool>,
    name: Option<String>,
}

/// Why a token is not believed.
enum Disbelief {
    /// It names a key that we do not know; the provider may have a new one.
    UnknownKey,
    /// For good.
    Told(OidcError),
}

impl Disbelief {
    fn told(self, unknown: impl FnOnce() -> OidcError) -> OidcError {
        match self {
            Self::UnknownKey => unknown(),
            Self::Told(error) => error,
        }
    }
}

fn unusable(error: url::ParseError) -> OidcError {
    OidcError::distrusted("It has no usable address.", error)
}

/// The claims of a token that is signed by the provider, for us, for this log-in and for now.
fn believed<'t>(
    token: &'t CoreIdToken,
    verifier: &CoreIdTokenVerifier<'_>,
    nonce: &Nonce,
    now: DateTime<Utc>,
) -> Result<&'t CoreIdTokenClaims, Disbelief> {
    let issued =
        move |at: DateTime<Utc>| if at > now + LEEWAY { Err("issued in the future".to_owned()) } else { Ok(()) };
    let verifier = verifier
        .clone()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || now - LEEWAY)
        .set_issue_time_verifier_fn(issued);
    token.claims(&verifier, nonce).map_err(|error| {
        let said = match &error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                return Disbelief::UnknownKey;
            }
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::CryptoError(_)) => {
                "Its signature is wrong."
            }
            ClaimsVerificationError::SignatureVerification(_) => "It is not signed as it must be.",
            ClaimsVerificationError::Expired(_) => "It is not for now.",
            ClaimsVerificationError::InvalidAudience(_) => "It was issued for another program.",
            ClaimsVerificationError::InvalidIssuer(_) => "It was issued by somebody else.",
            ClaimsVerificationError::InvalidNonce(_) => "It was issued for another log-in.",
            _ => "It cannot be understood.",
        };
        Disbelief::Told(OidcError::distrusted(said, crate::error::chain(&error)))
    })
}

/// The claims that the library leaves to us, of a token whose signature was looked at.
fn more(token: &CoreIdToken) -> Result<MoreClaims, OidcError> {
    let text = token.to_string();
    let claims = text.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok()).unwrap_or_default();
    serde_json::from_slice(&claims).map_err(|error| OidcError::distrusted("It cannot be understood.", error))
}

fn not_before(token: &CoreIdToken, now: DateTime<Utc>) -> Result<(), OidcError> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 have room in it")]
    let latest = (now + LEEWAY).timestamp() as f64;
    match more(token)?.nbf {
        Some(from) if from > latest => Err(OidcError::distrusted("It is not for now.", format!("nbf {from}"))),
        _ => Ok(()),
    }
}

/// Whether token and access token belong together, where the token says so (OpenID Connect Core 1.0, 3.1.3.8).
fn same_access(
    token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    access: &AccessToken,
    verifier: &CoreIdTokenVerifier<'_>,
) -> Result<(), OidcError> {
    let Some(expected) = claims.access_token_hash() else { return Ok(()) };
    let wrong = |why: String| OidcError::distrusted("Its answer does not belong together.", why);
    let algorithm = token.signing_alg().map_err(|error| wrong(error.to_string()))?;
    let key = token.signing_key(verifier).map_err(|error| wrong(error.to_string()))?;
    let actual = AccessTokenHash::from_token(access, algorithm, key).map_err(|error| wrong(error.to_string()))?;
    if actual == *expected { Ok(()) } else { Err(wrong("at_hash is another".to_owned())) }
}
