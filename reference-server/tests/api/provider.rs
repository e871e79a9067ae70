//! A provider of OpenID Connect that does as it is told: well, unless a test wants otherwise.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use url::Url;

pub(crate) const CLIENT: &str = "complaints";
pub(crate) const SECRET: &str = "a secret that both of them know";
const ACCESS: &str = "an access token";

/// A door of the provider that answers in its own way.
#[derive(Clone)]
pub(crate) enum Answers {
    /// As it should.
    Well,
    /// This, whatever is asked.
    With(u16, &'static str, String),
    /// Go there.
    Elsewhere(String),
    /// Never.
    Not,
}

/// How a token is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// With the provider's key, under its name.
    Well,
    /// With another key, under a name that nobody knows.
    ByUnknown,
    /// With another key, under the name of the provider's.
    BySwapped,
    /// With a key that the provider has only now, under its name.
    ByNewest,
    /// Not at all, and it says so.
    Not,
    /// Not at all, but it says otherwise.
    Cut,
    /// As if the client's secret were the provider's key.
    BySecret,
    /// As if the provider's public key were a secret.
    ByPublicKey,
}

/// What the provider does.
#[derive(Clone)]
pub(crate) struct Does {
    /// Who logs in, in claims; those that are null are left out.
    pub(crate) claims: Value,
    /// What it says of them elsewhere.
    pub(crate) userinfo: Value,
    /// In how many seconds from now it ends, was issued, and begins to count.
    pub(crate) times: [Option<i64>; 3],
    pub(crate) signed: Signed,
    /// Laid over how it describes itself; null takes out.
    pub(crate) described: Value,
    /// Laid over its answer to a code; null takes out.
    pub(crate) tokens: Value,
    pub(crate) at_discovery: Answers,
    pub(crate) at_keys: Answers,
    pub(crate) at_token: Answers,
}

impl Default for Does {
    fn default() -> Self {
        Self {
            claims: json!({ "sub": "248289761001", "email": "jane@example.org", "email_verified": true, "name": "Jane Doe" }),
            userinfo: Value::Null,
            times: [Some(300), Some(0), None],
            signed: Signed::Well,
            described: json!({}),
            tokens: json!({}),
            at_discovery: Answers::Well,
            at_keys: Answers::Well,
            at_token: Answers::Well,
        }
    }
}

/// A code that was given out, and what it was asked for with.
struct Code {
    text: String,
    challenge: String,
    redirect: String,
    nonce: Option<String>,
}

struct Inner {
    issuer: String,
    now: DateTime<Utc>,
    does: Does,
    codes: Vec<Code>,
    /// Which doors were asked, in order.
    asked: Vec<&'static str>,
    keys: [CoreEdDsaPrivateSigningKey; 3],
    newest_is_shown: bool,
}

/// Listens until the test ends.
#[derive(Clone)]
pub(crate) struct TestProvider(Arc<Mutex<Inner>>);

impl TestProvider {
    pub(crate) async fn start(now: DateTime<Utc>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("its address"));
        let keys = ["one", "two", "three"].map(key);
        let inner = Inner {
            issuer,
            now,
            does: Does::default(),
            codes: Vec::new(),
            asked: Vec::new(),
            keys,
            newest_is_shown: false,
        };
        let provider = Self(Arc::new(Mutex::new(inner)));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys_of))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn issuer(&self) -> String {
        self.inner().issuer.clone()
    }

    /// From now on it does this.
    pub(crate) fn does(&self, change: impl FnOnce(&mut Does)) {
        let mut does = Does::default();
        change(&mut does);
        self.inner().does = does;
    }

    /// Which doors were asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.inner().asked)
    }

    pub(crate) fn passes(&self, time: chrono::TimeDelta) {
        self.inner().now += time;
    }

    /// What the operator writes down of it.
    pub(crate) fn described(&self, key: &str, name: &str, secret: &std::path::Path) -> String {
        format!(
            "[[provider]]\nkey = {key:?}\nname = {name:?}\nissuer = {:?}\nclient_id = {CLIENT:?}\nsecret = {{ file = \"{}\" }}\nnetworks = \"127.0.0.0/8\"\ntimeout_seconds = 1\n",
            self.issuer(),
            secret.display()
        )
    }

    /// Somebody whom a browser brings agrees: where they are sent back to.
    pub(crate) fn agrees(&self, asked: &str) -> String {
        let asked = Url::parse(asked).expect("an address");
        let value =
            |name: &str| asked.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        let mut inner = self.inner();
        assert!(asked.as_str().starts_with(&format!("{}/authorize?", inner.issuer)), "{asked}");
        assert_eq!(value("response_type").as_deref(), Some("code"));
        assert_eq!(value("client_id").as_deref(), Some(CLIENT));
        assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
        assert!(value("scope").is_some_and(|scope| scope.split(' ').any(|word| word == "openid")), "{asked}");
        let (redirect, state) = (value("redirect_uri").expect("one"), value("state").expect("one"));
        let code = format!("code-{}", inner.codes.len());
        let back = format!("{redirect}?code={code}&state={state}&scope=openid");
        let challenge = value("code_challenge").expect("one");
        inner.codes.push(Code { text: code, challenge, redirect, nonce: value("nonce") });
        back
    }
}

fn key(name: &str) -> CoreEdDsaPrivateSigningKey {
    // RFC 8410, 7: what stands before the 32 bytes of a key.
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend_from_slice(&rand::random::<[u8; 32]>());
    let (begin, end) = (["-----BEGIN", "PRIVATE KEY-----"].join(" "), ["-----END", "PRIVATE KEY-----"].join(" "));
    let pem = format!("{begin}\n{}\n{end}\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(name.to_owned()))).expect("a key")
}

fn laid_over(mut below: Value, above: &Value) -> Value {
    for (name, value) in above.as_object().expect("members") {
        below[name] = value.clone();
    }
    below.as_object_mut().expect("members").retain(|_, value| !value.is_null());
    below
}

async fn answered(answers: Answers, well: impl FnOnce() -> Response) -> Response {
    match answers {
        Answers::Well => well(),
        Answers::With(status, kind, body) => {
            (StatusCode::from_u16(status).expect("a status"), [(CONTENT_TYPE, kind)], body).into_response()
        }
        Answers::Elsewhere(address) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, address)]).into_response(),
        Answers::Not => pending().await,
    }
}

fn json_of(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn discovery(State(it): State<TestProvider>) -> Response {
    let (answers, described) = {
        let mut inner = it.inner();
        inner.asked.push("discovery");
        let at = |path: &str| format!("{}{path}", inner.issuer);
        let well = json!({
            "issuer": inner.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/userinfo"),
            "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        });
        (inner.does.at_discovery.clone(), laid_over(well, &inner.does.described))
    };
    answered(answers, || json_of(&described)).await
}

async fn keys_of(State(it): State<TestProvider>) -> Response {
    let (answers, keys) = {
        let mut inner = it.inner();
        inner.asked.push("keys");
        let shown = if inner.newest_is_shown { vec![&inner.keys[0], &inner.keys[2]] } else { vec![&inner.keys[0]] };
        let shown: Vec<Value> =
            shown.iter().map(|key| serde_json::to_value(key.as_verification_key()).expect("a key")).collect();
        (inner.does.at_keys.clone(), json!({ "keys": shown }))
    };
    answered(answers, || json_of(&keys)).await
}

async fn userinfo(State(it): State<TestProvider>, headers: HeaderMap) -> Response {
    let mut inner = it.inner();
    inner.asked.push("userinfo");
    assert_eq!(headers[AUTHORIZATION], format!("Bearer {ACCESS}").as_str());
    json_of(&inner.does.userinfo)
}

async fn token(State(it): State<TestProvider>, headers: HeaderMap, body: Bytes) -> Response {
    let (answers, tokens) = {
        let mut inner = it.inner();
        inner.asked.push("token");
        (inner.does.at_token.clone(), tokens(&mut inner, &headers, &body))
    };
    answered(answers, move || tokens).await
}

/// What it answers to a code, if that is its own, unused, and comes from whoever asked for it.
fn tokens(inner: &mut Inner, headers: &HeaderMap, body: &[u8]) -> Response {
    let refused = |why: &str| {
        (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], json!({ "error": why }).to_string())
            .into_response()
    };
    let login = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", SECRET.replace(' ', "+"))));
    if headers.get(AUTHORIZATION).and_then(|said| said.to_str().ok()) != Some(&login) {
        return refused("invalid_client");
    }
    let value = |name: &str| {
        url::form_urlencoded::parse(body).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    let Some(at) = inner.codes.iter().position(|known| Some(&known.text) == value("code").as_ref()) else {
        return refused("invalid_grant");
    };
    let code = inner.codes.remove(at);
    let verifier = value("code_verifier").unwrap_or_default();
    let challenged = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    if challenged != code.challenge || value("redirect_uri").as_ref() != Some(&code.redirect) {
        return refused("invalid_grant");
    }
    let [ends, issued, begins] = inner.does.times.map(|in_seconds| in_seconds.map(|it| inner.now.timestamp() + it));
    let well = json!({
        "iss": inner.issuer, "aud": CLIENT, "exp": ends, "iat": issued, "nbf": begins, "nonce": code.nonce,
    });
    let claims = laid_over(well, &inner.does.claims);
    let token = signed(inner, &claims);
    let well = json!({ "access_token": ACCESS, "token_type": "Bearer", "expires_in": 300, "id_token": token });
    json_of(&laid_over(well, &inner.does.tokens))
}

fn signed(inner: &mut Inner, claims: &Value) -> String {
    let how = inner.does.signed;
    inner.newest_is_shown |= how == Signed::ByNewest;
    let (algorithm, named, by) = match how {
        Signed::Well | Signed::Cut => ("EdDSA", "one", 0),
        Signed::BySwapped => ("EdDSA", "one", 1),
        Signed::ByUnknown => ("EdDSA", "two", 1),
        Signed::ByNewest => ("EdDSA", "three", 2),
        Signed::Not => ("none", "one", 0),
        Signed::BySecret | Signed::ByPublicKey => ("HS256", "one", 0),
    };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": algorithm, "kid": named, "typ": "JWT" })), part(claims));
    let mac = |key: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let signature = match how {
        Signed::Not | Signed::Cut => Vec::new(),
        Signed::BySecret => mac(SECRET.as_bytes()),
        Signed::ByPublicKey => {
            let public = serde_json::to_value(inner.keys[0].as_verification_key()).expect("a key");
            mac(&URL_SAFE_NO_PAD.decode(public["x"].as_str().expect("its bytes")).expect("base64"))
        }
        _ => inner.keys[by].sign(&CoreJwsSigningAlgorithm::EdDsa, text.as_bytes()).expect("signs"),
    };
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
