//! What a visitor sees: the start, signing up, logging in and out.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use serde::Deserialize;

use super::form::{Control, Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, local_address, page, see, start_of};
use crate::auth::service::{Mailed, OpenedSession};
use crate::auth::viewer::{ClientAddress, log_in_cookies, mark_browser, no_session_cookie, session_cookie};
use crate::auth::{AccountService, AuthError, MaybeViewer, Visit};
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/`, `/signup`, `/login`, `/forgotten`, `/logout`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(home))
        .route("/signup", get(show_sign_up).post(sign_up))
        .route("/signup/again", post(send_again))
        .route("/login", get(show_log_in).post(log_in))
        .route("/login/second-step", get(|| async { see("/login") }).post(take_second_step))
        .route("/login/code", get(show_code).post(ask_for_code))
        .route("/login/link", get(show_link).post(log_in_by_mail))
        .route("/forgotten", get(show_forgotten).post(forgotten))
        .route("/logout", post(log_out))
}

#[derive(Template)]
#[template(path = "public/home.html")]
struct HomePage {
    me: Me,
    track: Field,
}

/// A page with one form and little else.
#[derive(Template)]
#[template(path = "public/form.html")]
pub(super) struct FormPage<'a> {
    pub(super) me: Me,
    pub(super) title: &'a str,
    pub(super) intro: &'a str,
    pub(super) action: &'a str,
    pub(super) button: &'a str,
    pub(super) hidden: &'a [(&'a str, &'a str)],
    pub(super) summary: Summary,
    pub(super) fields: Vec<Field>,
    pub(super) below: Below,
}

/// What stands below the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Nothing,
    LogIn,
    SignUp,
    /// How the mail that confirms is sent again, on the page where one logs in or on another.
    SendAgain {
        logs_in: bool,
    },
    Account,
}

/// A page with a form by which somebody comes in, and the providers with which they do so otherwise.
#[derive(Template)]
#[template(path = "public/door.html")]
struct DoorPage<'a> {
    me: Me,
    title: &'a str,
    intro: &'a str,
    action: &'a str,
    button: &'a str,
    hidden: &'a [(&'a str, &'a str)],
    summary: Summary,
    fields: Vec<Field>,
    below: Below,
    providers: Vec<ProviderLink>,
}

/// Where somebody logs in with a provider.
struct ProviderLink {
    name: String,
    address: String,
}

/// A page that says that something is done.
#[derive(Template)]
#[template(path = "public/done.html")]
pub(super) struct DonePage<'a> {
    pub(super) me: Me,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) below: Below,
}

#[derive(Deserialize)]
struct LogInQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
}

async fn home(State(state): State<AppState>, MaybeViewer(viewer): MaybeViewer) -> Answer {
    if let Some(viewer) = viewer {
        return Ok(see(start_of(viewer.role)));
    }
    home_page(&state, StatusCode::OK, "", &[])
}

pub(super) fn home_page(state: &AppState, status: StatusCode, typed: &str, faults: &[Fault]) -> Answer {
    let track = Field::line("reference", "Reference")
        .hint("It looks like C7KQ-2M9X-B and stands in every message we send you.")
        .required()
        .max(40)
        .filled(Some(&Typed::default().with("reference", typed)), faults);
    page(status, &HomePage { me: Me::nobody(state), track })
}

async fn show_sign_up(State(state): State<AppState>, MaybeViewer(viewer): MaybeViewer) -> Answer {
    match viewer {
        Some(viewer) => Ok(see(start_of(viewer.role))),
        None => sign_up_page(&state, StatusCode::OK, None, &[]),
    }
}

async fn sign_up(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["name", "email", "password", "password_again"])?;
    let (name, email, password) = (typed.raw("name"), typed.raw("email"), typed.raw("password"));
    if let Some(differs) = differs(&typed) {
        let others = AccountService::checked_person(name, email, password).err();
        let mut faults = match others {
            Some(AuthError::Invalid(faults)) => faults_of(faults),
            _ => Vec::new(),
        };
        faults.push(differs);
        return sign_up_page(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults);
    }
    match state.accounts.sign_up(name, email, password, address).await {
        Ok(()) => {
            state.poke();
            verify_code_page(&state, StatusCode::OK, email, &[])
        }
        Err(AuthError::Invalid(faults)) => {
            sign_up_page(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

async fn send_again(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["email"])?;
    match state.accounts.send_verification_again(typed.raw("email"), address).await {
        Ok(()) => {
            state.poke();
            page(
                StatusCode::OK,
                &DonePage {
                    me: Me::nobody(&state),
                    title: "Please look at your mail",
                    text: "If this address waits for its confirmation and got no mail from us within a day, one is on its way to it. The link in the last one works for a day.",
                    below: Below::LogIn,
                },
            )
        }
        Err(AuthError::Invalid(faults)) => {
            let faults = faults_of(faults);
            let fields = filled(vec![email_field()], Some(&typed), &faults);
            page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &FormPage {
                    me: Me::nobody(&state),
                    title: "Send the mail again",
                    intro: "",
                    action: "/signup/again",
                    button: "Send it again",
                    hidden: &[],
                    summary: Summary::of(&faults, &fields),
                    fields,
                    below: Below::LogIn,
                },
            )
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the code in the mail to this address is typed in, by which it is confirmed.
pub(super) fn verify_code_page(state: &AppState, status: StatusCode, email: &str, faults: &[Fault]) -> Answer {
    let fields = filled(vec![code_field()], None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Please look at your mail",
            intro: "If this address can be signed up, a mail is on its way to it. Open the link in it, or type in its code here; then you can log in.",
            action: "/verify",
            button: "Confirm",
            hidden: &[("email", email)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::SendAgain { logs_in: false },
        },
    )
}

async fn show_forgotten(State(state): State<AppState>) -> Answer {
    forgotten_page(&state, StatusCode::OK, None, &[])
}

async fn forgotten(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["email"])?;
    match state.accounts.forgot_password(typed.raw("email"), address).await {
        Ok(()) => {
            state.poke();
            reset_page(&state, StatusCode::OK, ByWhich::Code(typed.raw("email")), &[])
        }
        Err(AuthError::Invalid(faults)) => {
            forgotten_page(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

fn forgotten_page(state: &AppState, status: StatusCode, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let fields = filled(vec![email_field()], typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Forgotten your password?",
            intro: "We send a mail to your address, with which you choose another one.",
            action: "/forgotten",
            button: "Send the mail",
            hidden: &[],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

/// By what somebody shows that the mail came to them.
#[derive(Debug, Clone, Copy)]
pub(super) enum ByWhich<'a> {
    /// The token of its link.
    Link(&'a str),
    /// The address; its code is asked for.
    Code(&'a str),
}

/// Where another password is chosen.
pub(super) fn reset_page(state: &AppState, status: StatusCode, by: ByWhich<'_>, faults: &[Fault]) -> Answer {
    let (title, intro, hidden, asked) = match by {
        ByWhich::Link(token) => {
            ("Choose another password", "With it you are logged out everywhere.", ("token", token), None)
        }
        ByWhich::Code(email) => (
            "Please look at your mail",
            "If an account has confirmed this address, a mail is on its way to it. Open the link in it, or type in its code here with another password. With that you are logged out everywhere.",
            ("email", email),
            Some(code_field()),
        ),
    };
    let fields = filled(asked.into_iter().chain(new_passwords()).collect(), None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title,
            intro,
            action: "/reset",
            button: "Set password",
            hidden: &[hidden],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

async fn show_log_in(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<LogInQuery>,
) -> Answer {
    if let Some(viewer) = viewer {
        return Ok(see(local_address(&query.next).unwrap_or(start_of(viewer.role))));
    }
    let intro = waiting_to_be_linked(&state, &headers).map(|name| {
        format!("There is an account already with the e-mail address of your {name} account. Log in once as before; then you can link the two.")
    });
    let intro = intro.unwrap_or_default();
    log_in_page_saying(&state, StatusCode::OK, &intro, &query.next, None, &[], Below::SignUp)
}

/// The name of the provider whose account waits in this browser to be linked, if one does.
#[cfg(feature = "oidc")]
fn waiting_to_be_linked(state: &AppState, headers: &HeaderMap) -> Option<String> {
    super::identities::wish(state, headers).map(|(_, provider)| provider.config().name.clone())
}

#[cfg(not(feature = "oidc"))]
fn waiting_to_be_linked(_state: &AppState, _headers: &HeaderMap) -> Option<String> {
    None
}

async fn log_in(State(state): State<AppState>, mut visit: Visit, headers: HeaderMap, typed: Typed) -> Answer {
    typed.exactly(&["email", "password", "next?"])?;
    let before = session_cookie(&headers, &state.config);
    let next = typed.raw("next");
    let browser = mark_browser(&mut visit, &state.config);
    let (email, password) = (typed.raw("email"), typed.raw("password"));
    match state.accounts.log_in(email, password, None, &visit, before.as_deref()).await {
        Ok(opened) => Ok(logged_in(&state, &opened, browser, next)),
        Err(AuthError::SecondFactorNeeded { account_id }) => {
            let step = state.accounts.second_step(&account_id).await?;
            second_step_page(&state, StatusCode::OK, step.expose(), next, &[])
        }
        Err(AuthError::Invalid(faults)) => {
            log_in_page(&state, StatusCode::UNPROCESSABLE_ENTITY, next, Some(&typed), &faults_of(faults), Below::SignUp)
        }
        Err(AuthError::InvalidCredentials) => {
            let fault = Fault::of("email", "E-mail address or password is wrong.");
            log_in_page(&state, StatusCode::UNAUTHORIZED, next, Some(&typed), &[fault], Below::SignUp)
        }
        Err(AuthError::EmailUnverified) => {
            let fault =
                Fault::of("email", "Please confirm your e-mail address first: open the link in the mail we sent you.");
            log_in_page(&state, StatusCode::FORBIDDEN, next, Some(&typed), &[fault], Below::SendAgain { logs_in: true })
        }
        Err(AuthError::TooMany { retry_after_seconds }) => {
            let faults = [too_many(retry_after_seconds)];
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut answer = log_in_page(&state, status, next, Some(&typed), &faults, Below::Nothing)?;
            answer.headers_mut().insert(RETRY_AFTER, retry_after_seconds.into());
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

async fn take_second_step(State(state): State<AppState>, mut visit: Visit, headers: HeaderMap, typed: Typed) -> Answer {
    typed.exactly(&["token", "second_factor", "next?"])?;
    let before = session_cookie(&headers, &state.config);
    let (token, next) = (typed.raw("token"), typed.raw("next"));
    let browser = mark_browser(&mut visit, &state.config);
    let second_factor = typed.raw("second_factor");
    match state.accounts.log_in_by_second_step(token, second_factor, &visit, before.as_deref()).await {
        Ok(opened) => Ok(logged_in(&state, &opened, browser, next)),
        Err(AuthError::Invalid(faults)) => {
            second_step_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, next, &faults_of(faults))
        }
        Err(AuthError::InvalidToken) => {
            let fault = Fault::of("", "That took too long, or your password was changed. Please log in once more.");
            log_in_page(&state, StatusCode::UNAUTHORIZED, next, None, &[fault], Below::SignUp)
        }
        Err(AuthError::TooMany { retry_after_seconds }) => {
            let faults = [too_many(retry_after_seconds)];
            let mut answer = second_step_page(&state, StatusCode::TOO_MANY_REQUESTS, token, next, &faults)?;
            answer.headers_mut().insert(RETRY_AFTER, retry_after_seconds.into());
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

fn logged_in(state: &AppState, opened: &OpenedSession, browser: Option<Cookie<'static>>, next: &str) -> Response {
    state.poke();
    let to = local_address(next).unwrap_or(start_of(opened.account.role));
    (log_in_cookies(opened, browser, state), see(to)).into_response()
}

fn too_many(retry_after_seconds: u64) -> Fault {
    let minutes = retry_after_seconds.div_ceil(60);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    Fault::of("", format!("There were too many tries. Please wait {minutes} {unit} and try again."))
}

fn second_step_page(state: &AppState, status: StatusCode, token: &str, next: &str, faults: &[Fault]) -> Answer {
    let fields = filled(vec![second_factor_field()], None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "One more step",
            intro: "",
            action: "/login/second-step",
            button: "Log in",
            hidden: &[("token", token), ("next", next)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

async fn show_code(State(state): State<AppState>, MaybeViewer(viewer): MaybeViewer) -> Answer {
    match viewer {
        Some(viewer) => Ok(see(start_of(viewer.role))),
        None => code_asked_page(&state, StatusCode::OK, None, &[]),
    }
}

async fn ask_for_code(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["email"])?;
    match state.accounts.ask_to_log_in(typed.raw("email"), address).await {
        Ok(()) => {
            state.poke();
            mailed_page(&state, StatusCode::OK, ByWhich::Code(typed.raw("email")), &[])
        }
        Err(AuthError::Invalid(faults)) => {
            code_asked_page(&state, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

async fn show_link(State(state): State<AppState>, ApiQuery(link): ApiQuery<LinkQuery>) -> Answer {
    if !state.accounts.log_in_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    mailed_page(&state, StatusCode::OK, ByWhich::Link(&link.token), &[])
}

async fn log_in_by_mail(State(state): State<AppState>, mut visit: Visit, headers: HeaderMap, typed: Typed) -> Answer {
    typed.exactly(&["token?", "email?", "code?", "second_factor?"])?;
    let mailed = Mailed::of(typed.sent("token"), typed.sent("email"), typed.sent("code"))?;
    let before = session_cookie(&headers, &state.config);
    let browser = mark_browser(&mut visit, &state.config);
    let second_factor = typed.sent("second_factor");
    match state.accounts.log_in_by_mail(mailed, second_factor, &visit, before.as_deref()).await {
        Ok(opened) => {
            let next = waiting_to_be_linked(&state, &headers).map_or("", |_| "/account/identities");
            Ok(logged_in(&state, &opened, browser, next))
        }
        Err(AuthError::SecondFactorNeeded { .. }) => mailed_second_step_page(&state, StatusCode::OK, mailed, &[]),
        Err(AuthError::Invalid(faults)) if faults.iter().any(|wrong| wrong.field == "second_factor") => {
            mailed_second_step_page(&state, StatusCode::UNPROCESSABLE_ENTITY, mailed, &faults_of(faults))
        }
        Err(AuthError::Invalid(faults)) => {
            let by = ByWhich::Code(typed.raw("email"));
            mailed_page(&state, StatusCode::UNPROCESSABLE_ENTITY, by, &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

/// What was mailed is good until it has let somebody in, so it is sent along.
fn mailed_second_step_page(state: &AppState, status: StatusCode, mailed: Mailed<'_>, faults: &[Fault]) -> Answer {
    let fields = filled(vec![second_factor_field()], None, faults);
    let hidden = match mailed {
        Mailed::Link(token) => vec![("token", token)],
        Mailed::Code { email, code } => vec![("email", email), ("code", code)],
    };
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "One more step",
            intro: "",
            action: "/login/link",
            button: "Log in",
            hidden: &hidden,
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

fn code_asked_page(state: &AppState, status: StatusCode, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let fields = filled(vec![email_field()], typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Log in without a password",
            intro: "For customers: we send a link and a code to your address, with which you log in.",
            action: "/login/code",
            button: "Send the mail",
            hidden: &[],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

fn mailed_page(state: &AppState, status: StatusCode, by: ByWhich<'_>, faults: &[Fault]) -> Answer {
    let (title, intro, hidden, asked) = match by {
        ByWhich::Link(token) => ("Log in", "One press, and you are logged in.", ("token", token), None),
        ByWhich::Code(email) => (
            "Please look at your mail",
            "If a customer has confirmed this address, a mail is on its way to it. Open the link in it, or type in its code here.",
            ("email", email),
            Some(code_field()),
        ),
    };
    let fields = filled(asked.into_iter().collect(), None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title,
            intro,
            action: "/login/link",
            button: "Log in",
            hidden: &[hidden],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

async fn log_out(State(state): State<AppState>, headers: HeaderMap) -> Answer {
    if let Some(cookie) = session_cookie(&headers, &state.config) {
        state.accounts.log_out(&cookie).await?;
    }
    Ok((CookieJar::new().add(no_session_cookie(&state.config)), see("/")).into_response())
}

fn sign_up_page(state: &AppState, status: StatusCode, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let [password, again] = new_passwords();
    let fields = vec![Field::line("name", "Full name").required().autocomplete("name"), email_field(), password, again];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &DoorPage {
            me: Me::nobody(state),
            title: "Sign up",
            providers: provider_links(state, ""),
            intro: if state.config.documents.is_empty() {
                "With an account you hand in complaints, see at any time how they stand, and answer our questions."
            } else {
                "With an account you hand in complaints, see at any time how they stand, and answer our questions. After the first log-in we show you what applies here, to be accepted."
            },
            action: "/signup",
            button: "Sign up",
            hidden: &[],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

fn log_in_page(
    state: &AppState,
    status: StatusCode,
    next: &str,
    typed: Option<&Typed>,
    faults: &[Fault],
    below: Below,
) -> Answer {
    log_in_page_saying(state, status, "", next, typed, faults, below)
}

/// The same with an introduction.
pub(super) fn log_in_page_saying(
    state: &AppState,
    status: StatusCode,
    intro: &str,
    next: &str,
    typed: Option<&Typed>,
    faults: &[Fault],
    below: Below,
) -> Answer {
    let fields = filled(log_in_fields(), typed, faults);
    page(
        status,
        &DoorPage {
            me: Me::nobody(state),
            title: "Log in",
            providers: provider_links(state, next),
            intro,
            action: "/login",
            button: "Log in",
            hidden: &[("next", next)],
            summary: Summary::of(faults, &fields),
            fields,
            below,
        },
    )
}

#[cfg(feature = "oidc")]
fn provider_links(state: &AppState, next: &str) -> Vec<ProviderLink> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if local_address(next).is_some() {
        query.append_pair("next", next);
    }
    let query = query.finish();
    let link = |provider: &crate::oidc::Provider| ProviderLink {
        name: provider.config().name.clone(),
        address: format!("/login/with/{}?{query}", provider.config().key).trim_end_matches('?').to_owned(),
    };
    state.providers.all().iter().map(link).collect()
}

#[cfg(not(feature = "oidc"))]
fn provider_links(_state: &AppState, _next: &str) -> Vec<ProviderLink> {
    Vec::new()
}

/// What somebody logs in with.
pub(super) fn log_in_fields() -> Vec<Field> {
    vec![email_field(), Field::password("Password", "current-password")]
}

/// The address somebody logs in with.
pub(super) fn email_field() -> Field {
    Field::new("email", "E-mail address", Control::Line("email")).required().autocomplete("username").max(254)
}

/// The code that was mailed or sent as a text message.
pub(super) fn code_field() -> Field {
    Field::line("code", "Code")
        .hint("Eight digits. It works for ten minutes.")
        .required()
        .autocomplete("one-time-code")
        .max(20)
}

/// What guards an account beside its password.
pub(super) fn second_factor_field() -> Field {
    Field::line("second_factor", "Code from your device")
        .hint("Six digits; each code is taken once. If you have lost the device, type one of your recovery codes.")
        .required()
        .autocomplete("one-time-code")
        .max(40)
}

/// A password that is chosen, typed twice.
pub(super) fn new_passwords() -> [Field; 2] {
    let password =
        Field::password("Password", "new-password").hint("At least 15 characters; a few unrelated words do well.");
    let again = Field::new("password_again", "Password again", Control::Line("password"));
    [password, again.autocomplete("new-password").required().max(crate::auth::password::PASSWORD_MAX)]
}

/// Whether a password was mistyped, the first time or the second.
pub(super) fn differs(typed: &Typed) -> Option<Fault> {
    let same = typed.raw("password") == typed.raw("password_again");
    (!same).then(|| Fault::of("password_again", "The two passwords differ. Please type them again."))
}

/// What the account service found, as faults of a form.
pub(super) fn faults_of(faults: Vec<crate::auth::service::FieldFault>) -> Vec<Fault> {
    faults.into_iter().map(|wrong| Fault::of(wrong.field, wrong.fault.message)).collect()
}
