//! Requests to addresses that somebody typed: where they may go, and how long they may take.
//!
//! A name is resolved once, all it resolves to is looked at, and the connection goes to what was looked at. Redirects are not
//! followed, proxies of the environment are not used.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::{Host, Url};

/// The most of an answer that is read.
const ANSWER_MAX: usize = 64 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long somebody who gave no answer is left alone.
pub(crate) const REST: TimeDelta = TimeDelta::seconds(30);
const REST_MAX: TimeDelta = TimeDelta::hours(1);

/// Networks that are not public and may be reached all the same: those of the house, named by whoever runs it.
///
/// ```
/// use complaint_notify::Networks;
///
/// let own: Networks = "10.1.0.0/16, fd00::/8, 127.0.0.1".parse()?;
/// assert!(own.may_reach("10.1.200.3".parse()?) && !own.may_reach("10.2.0.1".parse()?));
/// assert!(own.may_reach("9.9.9.9".parse()?), "what is public needs no mention");
/// assert!("10.1.0.0/33".parse::<Networks>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    /// Whether a request may go to an address: it is public, or in one of these networks.
    ///
    /// Not public are loopback, private and unique-local networks, link-local ones (where clouds answer with their metadata),
    /// shared, reserved, documentation and multicast ranges, as the IANA special-purpose address registries (RFC 6890) list them.
    /// An IPv4 address in the form of an IPv6 one counts as itself.
    pub fn may_reach(&self, address: IpAddr) -> bool {
        let address = plain(address);
        is_public(address) || self.0.iter().any(|(network, bits)| is_within(address, *network, *bits))
    }
}

impl FromStr for Networks {
    type Err = InvalidNetwork;

    /// Reads addresses with or without the length of a prefix, separated by commas.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// A network that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network, as in 10.0.0.0/8 or fd00::/8")]
pub struct InvalidNetwork(String);

/// An address of the web that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// No URL.
    #[error("is not a web address, as in https://example.org/path")]
    NotAnAddress,
    /// Something else than the web.
    #[error("must begin with https://")]
    NotHttps,
    /// A name and password in it would be shown wherever the address is.
    #[error("must not hold a user or password")]
    Credentials,
    /// What stands behind `#` is never sent.
    #[error("must not have a part behind #")]
    Fragment,
    /// A network of the house or of nobody.
    #[error("leads to an address that is not public")]
    NotPublic,
    /// TLS cannot be set up on this machine.
    #[error("cannot be reached: TLS cannot be set up")]
    NoTls,
}

/// Where a name leads is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to an address that is not public")]
struct NotPublic;

/// Reads an address that requests are to go to; with [`client`], and as a host does for its own requests, too. Plain `http` only to a network of the house: there is no way from one machine to
/// another on the internet where nobody reads along.
pub fn address(text: &str, own: &Networks) -> Result<Url, InvalidAddress> {
    let url = Url::parse(text).map_err(|_| InvalidAddress::NotAnAddress)?;
    let host = url.host().ok_or(InvalidAddress::NotAnAddress)?;
    let literal = match host {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    };
    match url.scheme() {
        "https" => {}
        "http" if literal.is_some_and(|address| !is_public(plain(address))) => {}
        _ => return Err(InvalidAddress::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidAddress::Credentials);
    }
    if url.fragment().is_some() {
        return Err(InvalidAddress::Fragment);
    }
    if literal.is_some_and(|address| !own.may_reach(address)) {
        return Err(InvalidAddress::NotPublic);
    }
    Ok(url)
}

/// What sends requests, to public addresses and those of `own`, and waits no longer than this for the whole of an answer.
pub fn client(own: &Networks, timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("complaint/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(LookingFirst(own.clone()))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN.min(timeout))
        .timeout(timeout)
        .build()
}

/// The beginning of an answer's body; what is cut off does not matter to anybody.
pub(crate) async fn beginning(mut answer: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut read = Vec::new();
    while read.len() < ANSWER_MAX {
        let Some(part) = answer.chunk().await? else { break };
        let room = ANSWER_MAX - read.len();
        read.extend_from_slice(&part[..part.len().min(room)]);
    }
    Ok(read)
}

/// What went wrong with a request, in words that hold no address: there may be a secret in it.
pub fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "took too long".to_owned();
    }
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// How long to wait, as the answer says (RFC 9110, 10.2.3): seconds, or an instant, which is measured from the answer's own `Date`:
/// what their clock shows is theirs.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<TimeDelta> {
    let said = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let instant = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    let until = said(RETRY_AFTER)?;
    let wait = match until.parse::<u32>() {
        Ok(seconds) => TimeDelta::seconds(seconds.into()),
        Err(_) => instant(until)?.signed_duration_since(said(DATE).and_then(instant)?),
    };
    Some(wait.max(TimeDelta::zero()))
}

/// Who is left alone for a while: one that does not answer, or asks to be left alone, must not hold up what is for others.
#[derive(Debug)]
pub(crate) struct Resting<K>(Mutex<BTreeMap<K, DateTime<Utc>>>);

impl<K> Default for Resting<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord> Resting<K> {
    /// How long somebody is still to be left alone.
    pub(crate) fn left(&self, who: &K, now: DateTime<Utc>) -> Option<TimeDelta> {
        let resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        resting.get(who).map(|until| *until - now).filter(|left| *left > TimeDelta::zero())
    }

    /// From now on for so long; of no time at all: no longer. No longer than an hour, whoever asks for it: they may be well again.
    pub(crate) fn rest(&self, who: K, wait: TimeDelta, now: DateTime<Utc>) {
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        resting.insert(who, now + wait.min(REST_MAX));
        resting.retain(|_, until| *until > now);
    }
}

/// Resolves names, and refuses those that lead where requests may not go.
struct LookingFirst(Networks);

impl Resolve for LookingFirst {
    fn resolve(&self, name: Name) -> Resolving {
        let own = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One that is not public among others is no accident.
            if found.iter().any(|it| !own.may_reach(it.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl fmt::Debug for LookingFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LookingFirst").field(&self.0).finish()
    }
}

fn network(text: &str) -> Result<(IpAddr, u8), InvalidNetwork> {
    let wrong = || InvalidNetwork(text.to_owned());
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    if bits > all { Err(wrong()) } else { Ok((address, bits)) }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

/// An IPv4 address inside an IPv6 one (mapped, RFC 4291; behind the well-known prefix of NAT64, RFC 6052) as itself.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    if is_within(address, IpAddr::V6(nat64), 96) {
        let [.., a, b, c, d] = v6.octets();
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    address.to_canonical()
}

/// Special-purpose ranges of IPv4 that are not reachable from everywhere, with multicast and what is reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Those within the one range of IPv6 that is given out, `2000::/3`: protocol assignments with Teredo, documentation, `6to4`.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !NOT_PUBLIC_V4.iter().any(|(network, bits)| is_within(address, IpAddr::V4(*network), *bits)),
        IpAddr::V6(_) => {
            let given_out = IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0));
            is_within(address, given_out, 3)
                && !NOT_PUBLIC_V6.iter().any(|(network, bits)| is_within(address, IpAddr::V6(*network), *bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_reached() {
        for public in [
            "9.9.9.9",
            "172.15.255.255",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:9.9.9.9",
            "64:ff9b::909:909",
        ] {
            assert!(Networks::default().may_reach(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!Networks::default().may_reach(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn networks_of_the_house_are_named_exactly() {
        let own: Networks = "127.0.0.0/8 , fd00:1::/32,192.168.7.9".parse().unwrap();
        for reached in ["127.9.9.9", "::ffff:127.0.0.1", "fd00:1:2::3", "192.168.7.9"] {
            assert!(own.may_reach(reached.parse().unwrap()), "{reached}");
        }
        for other in ["192.168.7.8", "10.0.0.1", "fd00:2::1", "::1"] {
            assert!(!own.may_reach(other.parse().unwrap()), "{other}");
        }
        let everything: Networks = "0.0.0.0/0".parse().unwrap();
        assert!(everything.may_reach("127.0.0.1".parse().unwrap()));
        assert_eq!("".parse(), Ok(Networks::default()));
        for wrong in ["127.0.0.1/33", "fd00::/129", "127.0.0/8", "localhost", "10.0.0.0/x", "10.0.0.0/"] {
            assert!(wrong.parse::<Networks>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_https_and_lead_outside() {
        let own: Networks = "127.0.0.1".parse().unwrap();
        for good in
            ["https://hooks.example.org/a?b=c", "https://9.9.9.9/", "http://127.0.0.1:8099/x", "https://127.0.0.1/"]
        {
            assert!(address(good, &own).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("hooks.example.org", InvalidAddress::NotAnAddress),
            ("https://", InvalidAddress::NotAnAddress),
            ("ftp://hooks.example.org", InvalidAddress::NotHttps),
            ("http://hooks.example.org", InvalidAddress::NotHttps),
            ("http://9.9.9.9", InvalidAddress::NotHttps),
            ("https://u:p@hooks.example.org", InvalidAddress::Credentials),
            ("https://hooks.example.org/#a", InvalidAddress::Fragment),
            ("https://169.254.169.254/latest", InvalidAddress::NotPublic),
            ("https://0x7f.2/", InvalidAddress::NotPublic),
            ("https://2130706434/", InvalidAddress::NotPublic),
            ("https://[::ffff:10.0.0.1]/", InvalidAddress::NotPublic),
            ("http://10.0.0.1/", InvalidAddress::NotPublic),
        ] {
            assert_eq!(address(bad, &own).map(|url| url.to_string()), Err(fault), "{bad}");
        }
    }

    #[test]
    fn whoever_rests_is_left_alone_for_so_long_and_not_for_ever() {
        let now: DateTime<Utc> = "2026-11-21T09:30:05Z".parse().unwrap();
        let resting = Resting::default();
        assert_eq!(resting.left(&1, now), None);
        resting.rest(1, REST, now);
        let later = now + TimeDelta::seconds(20);
        assert_eq!((resting.left(&1, later), resting.left(&2, later)), (Some(TimeDelta::seconds(10)), None));
        assert_eq!(resting.left(&1, now + REST), None);
        resting.rest(1, TimeDelta::days(9), now);
        assert_eq!(resting.left(&1, now), Some(REST_MAX));
        resting.rest(1, TimeDelta::zero(), now);
        assert_eq!(resting.left(&1, now), None);
    }

    #[test]
    fn how_long_to_wait_is_read_in_both_forms() {
        let wait = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, said.parse().unwrap());
            let without_date = retry_after(&headers);
            headers.insert(DATE, "Sat, 21 Nov 2026 09:30:05 GMT".parse().unwrap());
            assert!(without_date.is_none() || without_date == retry_after(&headers));
            retry_after(&headers)
        };
        assert_eq!(wait("120"), Some(TimeDelta::seconds(120)));
        assert_eq!(wait("Sat, 21 Nov 2026 09:31:05 GMT"), Some(TimeDelta::seconds(60)));
        assert_eq!(wait("Sat, 21 Nov 2026 09:29:05 GMT"), Some(TimeDelta::zero()), "it is over");
        for nonsense in ["soon", "-5", "1e9", "99999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
