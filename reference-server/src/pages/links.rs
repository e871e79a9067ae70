//! The pages behind links that are mailed or printed: confirm an address, accept an invitation, make the first admin.
//!
//! Opening one changes nothing, because mail scanners open links too; the button on it does. Of a link that does not work any more the
//! page says so at once.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::account::{Below, DonePage, FormPage, email_field, faults_of};
use super::form::{Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, page};
use crate::auth::{Asked, AuthError};
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/verify`, `/invitation` and `/setup`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/verify", get(show_verify).post(verify))
        .route("/invitation", get(show_invitation).post(accept_invitation))
        .route("/setup", get(show_setup).post(set_up))
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn show_verify(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    match state.accounts.confirmation(&link.token).await {
        Ok(Asked::NameAndPassword) => choose_page(&state, StatusCode::OK, &link.token, None, &[]),
        Ok(Asked::Nothing) => verify_page(&state, &link.token),
        Err(error) => Err(error.into()),
    }
}

async fn verify(State(state): State<AppState>, typed: Typed) -> Answer {
    typed.exactly(&["token", "name?", "password?"])?;
    let token = typed.raw("token");
    match state.accounts.confirm_email(token, typed.sent("name"), typed.sent("password")).await {
        Ok(_) => done(&state, "Your e-mail address is confirmed"),
        Err(AuthError::Invalid(faults)) => {
            choose_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, Some(&typed), &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

async fn show_invitation(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    if !state.accounts.invitation_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    invitation_page(&state, StatusCode::OK, &link.token, &[])
}

async fn accept_invitation(State(state): State<AppState>, typed: Typed) -> Answer {
    typed.exactly(&["token", "password"])?;
    let token = typed.raw("token");
    match state.accounts.accept_invitation(token, typed.raw("password")).await {
        Ok(_) => done(&state, "Your password is set"),
        Err(AuthError::Invalid(faults)) => {
            invitation_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

async fn show_setup(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    if !state.accounts.setup_token_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    setup_page(&state, StatusCode::OK, &link.token, None, &[])
}

async fn set_up(State(state): State<AppState>, typed: Typed) -> Answer {
    typed.exactly(&["token", "name", "email", "password"])?;
    let [token, name, email, password] = ["token", "name", "email", "password"].map(|field| typed.raw(field));
    match state.accounts.set_up(token, name, email, password).await {
        Ok(_) => done(&state, "The first administrator is made"),
        Err(AuthError::Invalid(faults)) => {
            setup_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, Some(&typed), &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

fn verify_page(state: &AppState, token: &str) -> Answer {
    page(
        StatusCode::OK,
        &FormPage {
            me: Me::nobody(state),
            title: "Confirm your e-mail address",
            intro: "One press, and you can log in.",
            action: "/verify",
            button: "Confirm",
            hidden: &[("token", token)],
            summary: Summary::default(),
            fields: Vec::new(),
            below: Below::Nothing,
        },
    )
}

fn choose_page(state: &AppState, status: StatusCode, token: &str, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let fields = vec![Field::line("name", "Full name").required().autocomplete("name"), new_password()];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Confirm your e-mail address",
            intro: "Somebody, perhaps you, signed up with this address more than once and with different passwords. Say your name and the password that shall count; what was typed before is forgotten.",
            action: "/verify",
            button: "Confirm",
            hidden: &[("token", token)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::Nothing,
        },
    )
}

fn invitation_page(state: &AppState, status: StatusCode, token: &str, faults: &[Fault]) -> Answer {
    let fields = filled(vec![new_password()], None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Choose a password",
            intro: "An account was made for you. With a password of your own you can log in.",
            action: "/invitation",
            button: "Set password",
            hidden: &[("token", token)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::Nothing,
        },
    )
}

fn setup_page(state: &AppState, status: StatusCode, token: &str, typed: Option<&Typed>, faults: &[Fault]) -> Answer {
    let fields = vec![Field::line("name", "Full name").required().autocomplete("name"), email_field(), new_password()];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Make the first administrator",
            intro: "This link works once. The administrator makes categories, agents and all other accounts.",
            action: "/setup",
            button: "Make administrator",
            hidden: &[("token", token)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::Nothing,
        },
    )
}

fn new_password() -> Field {
    Field::password("Password", "new-password").hint("At least 15 characters; a few unrelated words do well.")
}

fn done(state: &AppState, title: &str) -> Answer {
    page(StatusCode::OK, &DonePage { me: Me::nobody(state), title, text: "You can log in now.", below: Below::Nothing })
}
