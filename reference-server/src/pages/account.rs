//! What a visitor sees: the start, signing up, logging in and out.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::form::{Control, Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, local_address, page, see, start_of};
use crate::auth::viewer::{ClientAddress, new_session_cookie, no_session_cookie, session_cookie};
use crate::auth::{AuthError, MaybeViewer};
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/`, `/signup`, `/login`, `/logout`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(home))
        .route("/signup", get(show_sign_up).post(sign_up))
        .route("/signup/again", post(send_again))
        .route("/login", get(show_log_in).post(log_in))
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
    SendAgain,
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
    typed.exactly(&["name", "email", "password"])?;
    let (name, email, password) = (typed.raw("name"), typed.raw("email"), typed.raw("password"));
    match state.accounts.sign_up(name, email, password, address).await {
        Ok(()) => {
            state.poke();
            page(
                StatusCode::OK,
                &DonePage {
                    me: Me::nobody(&state),
                    title: "Please look at your mail",
                    text: "If this address can be signed up, a mail is on its way to it. Open the link in it and press the button there; then you can log in.",
                    below: Below::SendAgain,
                },
            )
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

async fn show_log_in(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    ApiQuery(query): ApiQuery<LogInQuery>,
) -> Answer {
    match viewer {
        Some(viewer) => Ok(see(local_address(&query.next).unwrap_or(start_of(viewer.role)))),
        None => log_in_page(&state, StatusCode::OK, &query.next, None, &[], Below::SignUp),
    }
}

async fn log_in(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    typed: Typed,
) -> Answer {
    typed.exactly(&["email", "password", "next?"])?;
    let before = session_cookie(&headers, &state.config);
    let next = typed.raw("next");
    match state.accounts.log_in(typed.raw("email"), typed.raw("password"), address, before.as_deref()).await {
        Ok(opened) => {
            let cookie = new_session_cookie(&opened.secret, opened.expires_at, state.clock.now(), &state.config);
            let to = local_address(next).unwrap_or(start_of(opened.account.role));
            Ok((CookieJar::new().add(cookie), see(to)).into_response())
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
            log_in_page(&state, StatusCode::FORBIDDEN, next, Some(&typed), &[fault], Below::SendAgain)
        }
        Err(error) => Err(error.into()),
    }
}

async fn log_out(State(state): State<AppState>, headers: HeaderMap) -> Answer {
    if let Some(cookie) = session_cookie(&headers, &state.config) {
        state.accounts.log_out(&cookie).await?;
    }
    Ok((CookieJar::new().add(no_session_cookie(&state.config)), see("/")).into_response())
}

fn sign_up_page(state: &AppState, status: StatusCode, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let fields = vec![
        Field::line("name", "Full name").required().autocomplete("name"),
        email_field(),
        Field::password("Password", "new-password").hint("At least 15 characters; a few unrelated words do well."),
    ];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Sign up",
            intro: "With an account you hand in complaints, see at any time how they stand, and answer our questions.",
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
    let fields = filled(log_in_fields(), typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Log in",
            intro: "",
            action: "/login",
            button: "Log in",
            hidden: &[("next", next)],
            summary: Summary::of(faults, &fields),
            fields,
            below,
        },
    )
}

/// What somebody logs in with.
pub(super) fn log_in_fields() -> Vec<Field> {
    vec![email_field(), Field::password("Password", "current-password")]
}

/// The address somebody logs in with.
pub(super) fn email_field() -> Field {
    Field::new("email", "E-mail address", Control::Line("email")).required().autocomplete("username").max(254)
}

/// What the account service found, as faults of a form.
pub(super) fn faults_of(faults: Vec<crate::auth::service::FieldFault>) -> Vec<Fault> {
    faults.into_iter().map(|wrong| Fault::of(wrong.field, wrong.fault.message)).collect()
}
