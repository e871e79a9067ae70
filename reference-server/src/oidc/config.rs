//! Which providers there are, as the operator says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use complaint_notify::{Networks, outgoing};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// The most providers: each is a button.
const PROVIDERS_MAX: usize = 10;
const TIMEOUT_SECONDS_MAX: u64 = 20;

/// A provider that customers log in with.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Stands in addresses.
    pub key: String,
    /// What people read on the button.
    pub name: String,
    /// As it calls itself, to the letter.
    pub issuer: String,
    /// As it calls us.
    pub client_id: String,
    /// What we show it; none: it asks for none.
    pub secret: Option<SecretString>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Networks of the house that it may be in.
    pub networks: Networks,
    /// How long the whole of an answer may take.
    pub timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(default)]
    provider: Vec<DescribedProvider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedProvider {
    key: String,
    name: String,
    issuer: String,
    client_id: String,
    secret: Option<SecretSource>,
    #[serde(default = "scopes")]
    scopes: Vec<String>,
    #[serde(default)]
    networks: String,
    #[serde(default = "timeout_seconds")]
    timeout_seconds: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SecretSource {
    File(PathBuf),
    Env(String),
}

/// Reads the providers from a file.
///
/// # Errors
/// Every fault, each with its setting; no value of a secret is in it.
pub fn read(file: &Path) -> Result<Vec<ProviderConfig>, Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|error| vec![error.to_string()])?;
    from_toml(&text)
}

fn from_toml(text: &str) -> Result<Vec<ProviderConfig>, Vec<String>> {
    let described: Described = toml::from_str(text).map_err(|error| vec![error.message().to_owned()])?;
    let mut faults = Vec::new();
    let count = described.provider.len();
    if !(1..=PROVIDERS_MAX).contains(&count) {
        faults.push(format!("there must be 1 to {PROVIDERS_MAX} tables [[provider]]"));
    }
    let mut providers: Vec<ProviderConfig> = Vec::new();
    for (number, described) in (1..).zip(described.provider) {
        let (provider, wrong) = checked(described);
        faults.extend(wrong.into_iter().map(|fault| format!("provider {number}: {fault}")));
        if providers.iter().any(|known| known.key == provider.key) {
            faults.push(format!("provider {number}: key {:?} is there twice", provider.key));
        }
        // An identity is known by its issuer: which client it was shown to must be clear.
        if providers.iter().any(|known| known.issuer == provider.issuer) {
            faults.push(format!("provider {number}: issuer {:?} is there twice", provider.issuer));
        }
        providers.push(provider);
    }
    if faults.is_empty() { Ok(providers) } else { Err(faults) }
}

fn checked(described: DescribedProvider) -> (ProviderConfig, Vec<String>) {
    let mut faults = Vec::new();
    let DescribedProvider { key, name, issuer, client_id, secret, scopes, networks, timeout_seconds } = described;
    let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=32).contains(&key.len()) || !key.bytes().all(is_key) {
        faults.push("key must be 1 to 32 small letters, digits and hyphens".to_owned());
    }
    let one_line = |text: &str, most: usize| {
        !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
    };
    if !one_line(&name, 40) {
        faults.push("name must be one line of at most 40 characters".to_owned());
    }
    if !one_line(&client_id, 500) {
        faults.push("client_id must be one line of at most 500 characters".to_owned());
    }
    let networks = networks.parse::<Networks>().map_err(|wrong| faults.push(format!("networks: {wrong}")));
    let networks = networks.unwrap_or_default();
    match outgoing::address(&issuer, &networks) {
        Ok(url) if url.query().is_some() => faults.push("issuer must not have a part behind ?".to_owned()),
        Ok(_) => {}
        Err(wrong) => faults.push(format!("issuer {wrong}")),
    }
    let secret = secret.map(SecretSource::read).transpose().map_err(|wrong| faults.push(format!("secret {wrong}")));
    // RFC 6749, 3.3.
    let is_scope =
        |scope: &String| !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if !scopes.iter().all(is_scope) {
        faults.push("scopes must be words of ASCII".to_owned());
    }
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&timeout_seconds) {
        faults.push(format!("timeout_seconds must be 1 to {TIMEOUT_SECONDS_MAX}"));
    }
    let timeout = Duration::from_secs(timeout_seconds);
    let secret = secret.ok().flatten();
    (ProviderConfig { key, name, issuer, client_id, secret, scopes, networks, timeout }, faults)
}

impl ProviderConfig {
    /// Where it describes itself (OpenID Connect Discovery 1.0, 4).
    ///
    /// # Errors
    /// The issuer is no address that may be asked.
    pub(super) fn discovery(&self) -> Result<Url, outgoing::InvalidAddress> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        outgoing::address(&address, &self.networks)
    }
}

impl SecretSource {
    fn read(self) -> Result<SecretString, String> {
        let (read, source) = match self {
            Self::File(path) => {
                let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
                (read, format!("the file {}", path.display()))
            }
            Self::Env(name) => {
                (std::env::var(&name).map_err(|error| error.to_string()), format!("the variable {name}"))
            }
        };
        let read = read.map_err(|error| format!("cannot be read from {source}: {error}"))?;
        match read.trim_end_matches(['\r', '\n']) {
            "" => Err(format!("cannot be used: {source} is empty")),
            secret => Ok(secret.into()),
        }
    }
}

fn scopes() -> Vec<String> {
    vec!["email".to_owned(), "profile".to_owned()]
}

fn timeout_seconds() -> u64 {
    10
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const GOOGLE: &str = "[[provider]]\nkey = \"google\"\nname = \"Google\"\nissuer = \"https://accounts.google.com\"\nclient_id = \"c\"\n";

    #[test]
    fn a_provider_is_read_with_its_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "hush\n").expect("written");
        let [google] = &from_toml(&format!("{GOOGLE}secret = {{ file = {file:?} }}\n")).expect("fine")[..] else {
            panic!("one");
        };
        assert_eq!(google.secret.as_ref().map(ExposeSecret::expose_secret), Some("hush"));
        assert_eq!((google.scopes.join(" ").as_str(), google.timeout.as_secs()), ("email profile", 10));
        let discovery = google.discovery().expect("an address");
        assert_eq!(discovery.as_str(), "https://accounts.google.com/.well-known/openid-configuration");
        assert!(!format!("{google:?}").contains("hush"));
    }

    #[test]
    fn every_fault_is_named() {
        let faults = from_toml(
            "[[provider]]\nkey = \"Google!\"\nname = \"\"\nissuer = \"http://accounts.google.com\"\nclient_id = \"\"\nsecret = { env = \"COMPLAINT_NO_SUCH_VARIABLE\" }\nscopes = [\"a b\"]\nnetworks = \"x\"\ntimeout_seconds = 0\n",
        );
        let faults = faults.expect_err("wrong");
        for named in [
            "key",
            "name",
            "client_id",
            "networks",
            "issuer must begin with https",
            "secret",
            "scopes",
            "timeout_seconds",
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with("provider 1: ") && fault.contains(named)),
                "{named}: {faults:?}"
            );
        }
        let twice = from_toml(&format!("{GOOGLE}{GOOGLE}")).expect_err("twice").join("; ");
        assert!(twice.contains("key \"google\" is there twice") && twice.contains("issuer"), "{twice}");
        assert!(from_toml("").expect_err("none").join("").contains("[[provider]]"));
        let unknown = from_toml(&format!("{GOOGLE}sceret = 1\n")).expect_err("unknown").join("");
        assert!(unknown.contains("sceret"), "{unknown}");
        let inside = GOOGLE.replace("https://accounts.google.com", "http://127.0.0.1:9");
        assert!(from_toml(&inside).expect_err("inside").join("").contains("not public"));
        assert!(from_toml(&format!("{inside}networks = \"127.0.0.0/8\"\n")).is_ok());
    }
}
