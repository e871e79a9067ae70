//! Who asks: extractors for handlers.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use chrono::{DateTime, Utc};
use complaint_core::DeskError;
use complaint_core::complaint::Complaint;

use super::accounts::{Account, KeptOpen};
use super::secret::{Secret, hash_of};
use super::service::{OpenedSession, Visit};
use super::values::Role;
use crate::config::Config;
use crate::error::Problem;
use crate::state::AppState;

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownBy {
    /// A browser's session cookie.
    Session,
    /// A program's bearer token.
    ApiToken,
    /// The key of a signed link, which is for one complaint and no session; see [`crate::links`].
    Link(String),
}

/// Somebody logged in. Refuses with 401 otherwise.
///
/// The account is read anew for every request: a changed role or a disabled account counts at once.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The account's key.
    pub id: String,
    /// What they may be.
    pub role: Role,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number, if there is one.
    pub phone: Option<String>,
    /// By what we know.
    pub shown_by: ShownBy,
    /// Whether they can do nothing before they have set up a second factor. Only [`Enrolling`] and [`AnyViewer`] let them in.
    pub must_enrol: bool,
}

/// [`Viewer`], or nobody. A bearer token that is not good is refused all the same: its sender believes to be somebody.
#[derive(Debug, Clone)]
pub struct MaybeViewer(pub Option<Viewer>);

/// [`MaybeViewer`], or somebody who must set up a second factor first, whom that one takes for nobody.
#[derive(Debug, Clone)]
pub struct AnyViewer(pub Option<Viewer>);

/// [`Viewer`], or somebody who must set up a second factor first: for what they need to do so.
#[derive(Debug, Clone)]
pub struct Enrolling(pub Viewer);

/// A member of staff; 403 for customers.
#[derive(Debug, Clone)]
pub struct Staff(pub Viewer);

/// An admin; 403 for everybody else.
#[derive(Debug, Clone)]
pub struct Admin(pub Viewer);

/// The network address a request came from; a proxy's word counts only if the proxy is listed.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<AppState> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let browser = CookieJar::from_headers(&parts.headers)
            .get(browser_cookie_name(&state.config))
            .map(|cookie| hash_of(cookie.value()));
        Ok(Self { address, device: device_of(&parts.headers), browser })
    }
}

/// The cookies of a session that was just opened; the one of the browser is there only if it is new.
pub fn log_in_cookies(
    opened: &OpenedSession,
    browser: Option<Cookie<'static>>,
    state: &AppState,
) -> (CookieJar, CookieJar) {
    let session = new_session_cookie(&opened.secret, opened.expires_at, state.clock.now(), &state.config);
    // In jars of their own, because a jar has no order and the session comes first.
    (CookieJar::new().add(session), browser.map_or_else(CookieJar::new, |cookie| CookieJar::new().add(cookie)))
}

/// What the browser is known by when its owner logs in again; of itself it opens nothing. Given with the first log-in, for a year.
pub fn mark_browser(visit: &mut Visit, config: &Config) -> Option<Cookie<'static>> {
    if visit.browser.is_some() {
        return None;
    }
    let secret = Secret::draw();
    visit.browser = Some(secret.hash());
    let mut cookie = bare_cookie(browser_cookie_name(config), secret.expose().to_owned(), config);
    keep_for(&mut cookie, BROWSER_KNOWN_FOR);
    Some(cookie)
}

/// The kind of program and machine, from a closed list: what a program calls itself is anybody's text. Empty: unknown.
fn device_of(headers: &HeaderMap) -> &'static str {
    let name = headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
    // Each browser names those before it as well, and phones name the system of desks.
    let first = |marks: [&str; 6]| marks.iter().position(|mark| name.contains(mark));
    let browser = first(["Edg", "OPR/", "Firefox/", "Chrome/", "CriOS/", "Safari/"]);
    let system = first(["Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux"]);
    let system = match system {
        Some(0) => 0,
        Some(1 | 2) => 1,
        Some(3) => 2,
        Some(4) => 3,
        Some(_) => 4,
        None => 5,
    };
    let row = match browser {
        Some(0) => ["Edge on Android", "Edge on iOS", "Edge on Windows", "Edge on macOS", "Edge on Linux", "Edge"],
        Some(1) => {
            ["Opera on Android", "Opera on iOS", "Opera on Windows", "Opera on macOS", "Opera on Linux", "Opera"]
        }
        Some(2) => [
            "Firefox on Android",
            "Firefox on iOS",
            "Firefox on Windows",
            "Firefox on macOS",
            "Firefox on Linux",
            "Firefox",
        ],
        Some(3 | 4) => {
            ["Chrome on Android", "Chrome on iOS", "Chrome on Windows", "Chrome on macOS", "Chrome on Linux", "Chrome"]
        }
        Some(_) => [
            "A browser on Android",
            "Safari on iOS",
            "A browser on Windows",
            "Safari on macOS",
            "A browser on Linux",
            "A browser",
        ],
        None => ["", "", "", "", "", ""],
    };
    row[system]
}

impl Viewer {
    fn of(account: Account, shown_by: ShownBy, config: &Config) -> Self {
        let Account { id, role, name, email, phone, second_factor_at, .. } = account;
        let must_enrol = config.staff_second_factor && role.is_staff() && second_factor_at.is_none();
        Self { id, role, name, email, phone, shown_by, must_enrol }
    }
}

/// Somebody logged in, whose request is made by a program of ours and not by them: it does not count as use of their session.
#[derive(Debug, Clone)]
pub struct Onlooker(pub Viewer);

/// How long a browser is known again by its cookie.
const BROWSER_KNOWN_FOR: Duration = Duration::from_hours(365 * 24);

/// What a page's script sends along when it reads by itself; see [`Onlooker`].
const BACKGROUND: HeaderName = HeaderName::from_static("x-background");

/// Whose API token this is, if it still counts.
pub async fn by_token(token: &str, state: &AppState) -> Result<Option<Viewer>, Problem> {
    Ok(any_by_token(token, state).await?.filter(|viewer| !viewer.must_enrol))
}

async fn any_by_token(token: &str, state: &AppState) -> Result<Option<Viewer>, Problem> {
    let account = state.accounts.by_bearer(token).await?;
    Ok(account.map(|account| Viewer::of(account, ShownBy::ApiToken, &state.config)))
}

/// The complaint that the key of a signed link opens now, and its customer, as long as they are a guest.
pub async fn by_link(key: &str, state: &AppState) -> Result<Option<(Complaint, Viewer)>, Problem> {
    let Some(id) = state.links.read(key, state.clock.now()) else { return Ok(None) };
    let Some(complaint) = state.desk.store().load(id).await.map_err(DeskError::from)? else { return Ok(None) };
    let guest = state.accounts.guest(complaint.customer.as_str()).await?;
    Ok(guest.map(|guest| (complaint, Viewer::of(guest, ShownBy::Link(key.to_owned()), &state.config))))
}

/// Who sent these headers, looked at again: for a stream that lives on after its request. Does not count as use of a session.
pub async fn look_again(headers: &HeaderMap, state: &AppState) -> Result<Option<Viewer>, Problem> {
    Ok(look(headers, state).await?.filter(|viewer| !viewer.must_enrol))
}

async fn look(headers: &HeaderMap, state: &AppState) -> Result<Option<Viewer>, Problem> {
    if let Some(token) = bearer(headers)? {
        return any_by_token(token, state).await;
    }
    let Some(cookie) = session_cookie(headers, &state.config) else {
        return Ok(None);
    };
    let account = state.accounts.look_at_cookie(&cookie).await?;
    Ok(account.map(|account| Viewer::of(account, ShownBy::Session, &state.config)))
}

impl FromRequestParts<AppState> for AnyViewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Some(cookie) = used_cookie(&parts.headers, state)? else {
            let viewer = look(&parts.headers, state).await?;
            return match viewer {
                None if parts.headers.contains_key(AUTHORIZATION) => {
                    Err(Problem::not_logged_in().detail("The bearer token is unknown, revoked or expired."))
                }
                viewer => Ok(Self(viewer)),
            };
        };
        let account = state.accounts.by_cookie(&cookie).await?;
        Ok(Self(account.map(|account| Viewer::of(account, ShownBy::Session, &state.config))))
    }
}

impl FromRequestParts<AppState> for MaybeViewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match AnyViewer::from_request_parts(parts, state).await?.0 {
            Some(viewer) if viewer.must_enrol && parts.headers.contains_key(AUTHORIZATION) => {
                Err(Problem::second_factor_required())
            }
            viewer => Ok(Self(viewer.filter(|viewer| !viewer.must_enrol))),
        }
    }
}

impl FromRequestParts<AppState> for Enrolling {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        AnyViewer::from_request_parts(parts, state).await?.0.map(Self).ok_or_else(Problem::not_logged_in)
    }
}

impl FromRequestParts<AppState> for Onlooker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        look_again(&parts.headers, state).await?.map(Self).ok_or_else(Problem::not_logged_in)
    }
}

impl FromRequestParts<AppState> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Enrolling(viewer) = Enrolling::from_request_parts(parts, state).await?;
        if viewer.must_enrol { Err(Problem::second_factor_required()) } else { Ok(viewer) }
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let viewer = Viewer::from_request_parts(parts, state).await?;
        if viewer.role.is_staff() { Ok(Self(viewer)) } else { Err(Problem::forbidden().detail("This is for staff.")) }
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let viewer = Viewer::from_request_parts(parts, state).await?;
        if viewer.role == Role::Admin {
            Ok(Self(viewer))
        } else {
            Err(Problem::forbidden().detail("This is for admins."))
        }
    }
}

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip().to_canonical());
        Ok(Self(client_behind(peer, &parts.headers, &state.config.trusted_proxies)))
    }
}

/// What this request was made with, which stays open when all else of its account is shut; none without either.
pub fn kept_open(headers: &HeaderMap, config: &Config) -> Result<Option<KeptOpen>, Problem> {
    if let Some(token) = bearer(headers)? {
        return Ok(Some(KeptOpen::ApiToken(hash_of(token))));
    }
    Ok(session_cookie(headers, config).map(|cookie| KeptOpen::Session(hash_of(&cookie))))
}

/// The token of `Authorization: Bearer`, if that header is there.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Of two, nobody could say who asks.
    let alone = Some(value).filter(|_| values.next().is_none());
    let token = alone
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) if !token.trim().is_empty() => Ok(Some(token.trim())),
        _ => Err(Problem::not_logged_in().detail("There must be one Authorization header: Bearer <token>.")),
    }
}

/// The session that this request uses: none with a bearer token, and none if a script of ours reads without being asked to.
fn used_cookie(headers: &HeaderMap, state: &AppState) -> Result<Option<String>, Problem> {
    let is_unused = bearer(headers)?.is_some() || headers.contains_key(BACKGROUND);
    Ok(session_cookie(headers, &state.config).filter(|_| !is_unused))
}

/// The value of the session cookie, if the browser sent one.
pub fn session_cookie(headers: &HeaderMap, config: &Config) -> Option<String> {
    CookieJar::from_headers(headers).get(cookie_name(config)).map(|cookie| cookie.value().to_owned())
}

/// The cookie that carries a session. Over https its name makes the browser insist on `Secure`, this host and path `/`.
pub fn new_session_cookie(
    secret: &Secret,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
    config: &Config,
) -> Cookie<'static> {
    let mut cookie = bare_cookie(cookie_name(config), secret.expose().to_owned(), config);
    // Max-Age, not Expires: a clock moved for a demonstration must not make browsers drop it.
    keep_for(&mut cookie, (expires_at - now).to_std().unwrap_or_default());
    cookie
}

/// The cookie that makes the browser forget its session.
pub fn no_session_cookie(config: &Config) -> Cookie<'static> {
    let mut cookie = bare_cookie(cookie_name(config), String::new(), config);
    keep_for(&mut cookie, Duration::ZERO);
    cookie
}

/// The cookie's own duration type is reached through its default: one dependency less to name.
fn keep_for(cookie: &mut Cookie<'static>, duration: Duration) {
    let mut age = cookie.max_age().unwrap_or_default();
    age += Duration::from_secs(duration.as_secs());
    cookie.set_max_age(age);
}

/// A cookie of this name for a while, or with no time at all the one that makes the browser forget it.
pub fn passing_cookie(name: &str, value: String, lasts: Duration, config: &Config) -> Cookie<'static> {
    let mut cookie = bare_cookie(passing_name(name, config), value, config);
    keep_for(&mut cookie, lasts);
    cookie
}

/// The value of such a cookie, if the browser sent one.
pub fn passing(headers: &HeaderMap, name: &str, config: &Config) -> Option<String> {
    CookieJar::from_headers(headers).get(&passing_name(name, config)).map(|cookie| cookie.value().to_owned())
}

fn passing_name(name: &str, config: &Config) -> String {
    if config.is_https() { format!("__Host-{name}") } else { name.to_owned() }
}

fn bare_cookie(name: impl Into<Cow<'static, str>>, value: String, config: &Config) -> Cookie<'static> {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(config.is_https());
    cookie
}

fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-session" } else { "session" }
}

fn browser_cookie_name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-browser" } else { "browser" }
}

/// Reads `X-Forwarded-For` from the right, past listed proxies: what stands further left anybody could have written.
fn client_behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&peer) {
        return peer;
    }
    let mut client = peer;
    let listed: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in listed.into_iter().rev() {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        client = hop.to_canonical();
        if !trusted.contains(&client) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_from_a_closed_list() {
        for (name, device) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
                "Chrome on iOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", ""),
            ("<script>alert(1)</script> WIN A PRIZE", ""),
        ] {
            let headers = HeaderMap::from_iter([(USER_AGENT, name.parse().expect("a value"))]);
            assert_eq!(device_of(&headers), device, "{name}");
        }
        assert_eq!(device_of(&HeaderMap::new()), "");
    }

    #[test]
    fn only_listed_proxies_are_believed() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6, 198.51.100.9".parse().expect("a value"));
        headers.append("x-forwarded-for", "10.0.0.2".parse().expect("a value"));
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(client_behind(ip("203.0.113.5"), &headers, &proxies), ip("203.0.113.5"));
        assert_eq!(client_behind(ip("10.0.0.1"), &headers, &proxies), ip("198.51.100.9"));
        assert_eq!(client_behind(ip("10.0.0.1"), &headers, &[]), ip("10.0.0.1"));
        assert_eq!(client_behind(ip("10.0.0.1"), &HeaderMap::new(), &proxies), ip("10.0.0.1"));
    }
}
