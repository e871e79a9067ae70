//! Coming in with a provider, and which accounts there are linked to one's own.
//!
//! To begin and to come back are both GET, as the protocol wants it. To begin changes nothing here; to come back counts once, and only in the
//! browser in which it was begun. An account that is there already is linked by a form, never by coming back.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use chrono::DateTime;
use serde::Deserialize;

use super::form::{Typed, not_ours};
use super::words::When;
use super::{Answer, Me, Person, local_address, page, see, start_of};
use crate::auth::secret::hash_of;
use crate::auth::values::EmailAddress;
use crate::auth::viewer::{log_in_cookies, mark_browser, passing, passing_cookie, session_cookie};
use crate::auth::{MaybeViewer, Role, Viewer, Visit};
use crate::error::Problem;
use crate::extract::{ApiPath, ApiQuery};
use crate::identities::kept::NewIdentity;
use crate::identities::{Arrival, IdentityError, PASSAGE_FOR, Vouched};
use crate::oidc::{Back, OidcError, Passage, Provider, Wish};
use crate::state::AppState;

/// Holds what was begun; see [`Passage`].
const PASSAGE: &str = "passage";
/// Holds what waits to be linked; see [`Wish`].
const WISH: &str = "wish";

/// `/login/with/…`, for everybody.
pub fn doors() -> Router<AppState> {
    Router::new().route("/login/with/{provider}", get(begin)).route("/login/with/{provider}/back", get(come_back))
}

/// `/account/identities` and what is below it.
pub fn routes() -> Router<AppState> {
    let back = || async { see("/account/identities") };
    Router::new()
        .route("/account/identities", get(show))
        .route("/account/identities/link", get(back).post(link))
        .route("/account/identities/forget", get(back).post(forget))
        .route("/account/identities/end", get(back).post(end))
}

#[derive(Deserialize)]
struct BeginQuery {
    #[serde(default)]
    next: String,
}

/// What a provider adds to our address; whatever else it adds does not matter.
#[derive(Deserialize)]
struct BackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

#[derive(Deserialize)]
struct DoneQuery {
    #[serde(default)]
    done: String,
}

/// What is linked to one's account, and what can be.
#[derive(Template)]
#[template(path = "public/identities.html")]
struct IdentitiesPage {
    me: Me,
    done: &'static str,
    email: String,
    wish: Option<WishRow>,
    linked: Vec<IdentityRow>,
    /// Whether there is one, and no password.
    last_way_in: bool,
    providers: Vec<ProviderRow>,
}

struct WishRow {
    name: String,
    email: String,
    /// Whether it has the address of the account.
    fits: bool,
}

struct IdentityRow {
    id: String,
    name: String,
    email: String,
    since: When,
}

struct ProviderRow {
    key: String,
    name: String,
}

/// What waits in this browser to be linked, and the provider it came from.
pub(super) fn wish<'a>(state: &'a AppState, headers: &HeaderMap) -> Option<(Wish, &'a Provider)> {
    state.providers.wish(&passing(headers, WISH, &state.config)?)
}

async fn begin(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    ApiPath(key): ApiPath<String>,
    ApiQuery(query): ApiQuery<BeginQuery>,
) -> Answer {
    let provider = state.providers.keyed(&key).ok_or_else(Problem::not_found)?;
    if viewer.as_ref().is_some_and(|viewer| viewer.role != Role::Customer) {
        return Err(IdentityError::Closed.into());
    }
    let next = local_address(&query.next).unwrap_or_default();
    let account = viewer.as_ref().map(|viewer| viewer.id.as_str());
    let (address, passage) =
        state.providers.begin(provider, next, account).await.map_err(|error| told(provider, error))?;
    let lasts = PASSAGE_FOR.to_std().unwrap_or_default();
    let cookie = passing_cookie(PASSAGE, passage, lasts, &state.config);
    Ok((CookieJar::new().add(cookie), see(address.as_str())).into_response())
}

async fn come_back(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    visit: Visit,
    ApiPath(key): ApiPath<String>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<BackQuery>,
) -> Answer {
    let provider = state.providers.keyed(&key).ok_or_else(Problem::not_found)?;
    let attempt = state.accounts.admit_passage(visit.address).await?;
    let passage = passing(&headers, PASSAGE, &state.config)
        .and_then(|sealed| state.providers.passage(&sealed, provider, &query.state))
        .ok_or_else(not_begun_here)?;
    let until = DateTime::from_timestamp(passage.until, 0).ok_or_else(not_begun_here)?;
    if !state.identities.use_once(hash_of(&passage.state), until).await? {
        return Err(not_begun_here());
    }
    let back = Back { code: query.code.as_deref(), error: query.error.as_deref(), issuer: query.iss.as_deref() };
    let vouched = state.providers.finish(provider, &passage, back).await.map_err(|error| told(provider, error))?;
    let answer = match viewer {
        Some(viewer) => arrived_at(&state, &viewer, &passage, &vouched).await?,
        None => arrived(&state, visit, &headers, &passage, &vouched).await?,
    };
    state.accounts.forgive(attempt).await?;
    Ok((CookieJar::new().add(forgotten(PASSAGE, &state)), answer).into_response())
}

/// Somebody whom nobody is logged in as, in this browser.
async fn arrived(
    state: &AppState,
    mut visit: Visit,
    headers: &HeaderMap,
    passage: &Passage,
    vouched: &Vouched,
) -> Answer {
    if passage.account.is_some() {
        return Err(Problem::not_logged_in().detail("You have been logged out meanwhile. Nothing was linked."));
    }
    let before = session_cookie(headers, &state.config);
    let browser = mark_browser(&mut visit, &state.config);
    match state.identities.log_in(vouched, &visit, before.as_deref()).await? {
        Arrival::LoggedIn(opened) => {
            state.poke();
            let to = local_address(&passage.next).unwrap_or(start_of(opened.account.role));
            Ok((log_in_cookies(&opened, browser, state), see(to)).into_response())
        }
        Arrival::MustConfirm => asked_to_link(state, vouched, "/login?next=%2Faccount%2Fidentities"),
    }
}

/// Somebody who is logged in already: nothing is linked before they say so.
async fn arrived_at(state: &AppState, viewer: &Viewer, passage: &Passage, vouched: &Vouched) -> Answer {
    if passage.account.as_ref().is_some_and(|account| *account != viewer.id) {
        return Err(not_begun_here());
    }
    if viewer.role != Role::Customer {
        return Err(IdentityError::Closed.into());
    }
    match state.identities.account_of(&vouched.issuer, &vouched.subject).await? {
        Some(owner) if owner.id == viewer.id => Ok(see("/account/identities?done=before")),
        Some(_) => Err(IdentityError::Taken.into()),
        None => asked_to_link(state, vouched, "/account/identities"),
    }
}

fn asked_to_link(state: &AppState, vouched: &Vouched, page: &str) -> Answer {
    let wish = state.providers.sealed_wish(vouched).ok_or(IdentityError::EmailUnverified)?;
    let lasts = PASSAGE_FOR.to_std().unwrap_or_default();
    Ok((CookieJar::new().add(passing_cookie(WISH, wish, lasts, &state.config)), see(page)).into_response())
}

async fn show(
    State(state): State<AppState>,
    person: Person,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<DoneQuery>,
) -> Answer {
    person.must_be(&[Role::Customer])?;
    let linked = state.identities.of_account(&person.0.id).await?;
    let email = EmailAddress::parse(&person.0.email).map_err(|_| Problem::not_found())?;
    let wish = wish(&state, &headers).map(|(wish, provider)| WishRow {
        name: provider.config().name.clone(),
        fits: EmailAddress::parse(&wish.email).is_ok_and(|other| other.normalised() == email.normalised()),
        email: wish.email,
    });
    let shown = IdentitiesPage {
        me: Me::of(&person.0, &state, "").await,
        done: match query.done.as_str() {
            "linked" => "It is linked. You can log in with it from now on.",
            "before" => "It is linked to your account already.",
            "ended" => "It is taken away. You cannot log in with it any more.",
            "forgotten" => "It is not linked.",
            _ => "",
        },
        email: person.0.email.clone(),
        wish,
        last_way_in: linked.len() == 1 && !state.accounts.has_password(&person.0.id).await?,
        linked: linked
            .iter()
            .map(|identity| IdentityRow {
                id: identity.id.clone(),
                name: name_of(&state, &identity.issuer).to_owned(),
                email: identity.email.clone(),
                since: When(identity.linked_at),
            })
            .collect(),
        providers: state
            .providers
            .all()
            .iter()
            .map(|provider| ProviderRow { key: provider.config().key.clone(), name: provider.config().name.clone() })
            .collect(),
    };
    page(StatusCode::OK, &shown)
}

async fn link(State(state): State<AppState>, person: Person, headers: HeaderMap, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    let (wish, provider) = wish(&state, &headers).ok_or_else(not_begun_here)?;
    let until = DateTime::from_timestamp(wish.until, 0).ok_or_else(not_begun_here)?;
    if !state.identities.use_once(hash_of(&wish.id), until).await? {
        return Err(not_begun_here());
    }
    let identity = NewIdentity { issuer: &wish.issuer, subject: &wish.subject, email: &wish.email };
    state.identities.link(&person.0.id, identity, &provider.config().name).await?;
    tracing::info!(account = %person.0.id, provider = %provider.config().key, "an identity was linked");
    state.poke();
    Ok(without_wish(&state, see("/account/identities?done=linked")))
}

async fn forget(State(state): State<AppState>, _person: Person, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    Ok(without_wish(&state, see("/account/identities?done=forgotten")))
}

async fn end(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["identity"])?;
    let id = typed.raw("identity");
    match take_away(&state, &person.0, id).await {
        // Whether it was there or went by itself meanwhile, it is gone now.
        Ok(()) | Err(IdentityError::NotFound) if is_id(id) => Ok(see("/account/identities?done=ended")),
        Ok(()) | Err(IdentityError::NotFound) => Err(not_ours("identity", "invalid", "is not what the page put there")),
        Err(error) => Err(error.into()),
    }
}

/// Takes an identity from somebody's account.
pub(crate) async fn take_away(state: &AppState, owner: &Viewer, id: &str) -> Result<(), IdentityError> {
    let linked = state.identities.of_account(&owner.id).await?;
    let issuer = linked.iter().find(|identity| identity.id == id).map(|identity| identity.issuer.as_str());
    let issuer = issuer.ok_or(IdentityError::NotFound)?;
    state.identities.unlink(&owner.id, id, name_of(state, issuer)).await?;
    tracing::info!(account = %owner.id, issuer, "an identity was taken away");
    state.poke();
    Ok(())
}

/// What a provider is called; one that is not there any more is called as it calls itself.
fn name_of<'a>(state: &'a AppState, issuer: &'a str) -> &'a str {
    state.providers.issuing(issuer).map_or(issuer, |provider| provider.config().name.as_str())
}

fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}

fn without_wish(state: &AppState, answer: Response) -> Response {
    (CookieJar::new().add(forgotten(WISH, state)), answer).into_response()
}

fn forgotten(name: &str, state: &AppState) -> axum_extra::extract::cookie::Cookie<'static> {
    passing_cookie(name, String::new(), Duration::ZERO, &state.config)
}

/// The same for what is of another browser, too old, used, or made up.
fn not_begun_here() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_begun_here", "This was not begun in this browser, or it is over.")
        .detail("It counts once, for ten minutes, and only where it was begun. Begin again at the log-in.")
}

/// What went wrong with a provider, which operators want to know as well.
fn told(provider: &Provider, error: OidcError) -> Problem {
    tracing::warn!(provider = %provider.config().key, %error, "a provider logged nobody in");
    error.into()
}
