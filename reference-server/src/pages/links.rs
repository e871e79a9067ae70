//! The pages behind links that are mailed or printed: confirm an address, choose another password, accept an invitation, make the first admin.
//!
//! Opening one changes nothing, because mail scanners open links too; the button on it does. Of a link that does not work any more the
//! page says so at once.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use serde::Deserialize;

use super::account::{
    Below, ByWhich, DonePage, FormPage, differs, email_field, faults_of, new_passwords, reset_page, verify_code_page,
};
use super::form::{Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, page, see, start_of};
use crate::auth::service::Mailed;
use crate::auth::viewer::{ClientAddress, log_in_cookies, mark_browser, session_cookie};
use crate::auth::{Asked, AuthError, Visit};
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/verify`, `/reset`, `/email`, `/invitation` and `/setup`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/verify", get(show_verify).post(verify))
        .route("/reset", get(show_reset).post(reset))
        .route("/email", get(show_email).post(change_email))
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
        Ok(Asked::NameAndPassword) => choose_page(&state, StatusCode::OK, &[("token", &link.token)], None, &[]),
        Ok(Asked::Nothing) => verify_page(&state, &link.token),
        Err(error) => Err(error.into()),
    }
}

async fn verify(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["token?", "email?", "code?", "name?", "password?", "password_again?"])?;
    let again = StatusCode::UNPROCESSABLE_ENTITY;
    if let Some(differs) = differs(&typed) {
        return choose_page(&state, again, &held(&typed), Some(&typed), &[differs]);
    }
    let mailed = Mailed::of(typed.sent("token"), typed.sent("email"), typed.sent("code"))?;
    match state.accounts.confirm_email(mailed, typed.sent("name"), typed.sent("password"), address).await {
        Ok(_) => done(&state, "Your e-mail address is confirmed"),
        Err(AuthError::Invalid(faults)) if faults.iter().any(|wrong| ["email", "code"].contains(&wrong.field)) => {
            verify_code_page(&state, again, typed.raw("email"), &faults_of(faults))
        }
        Err(AuthError::Invalid(faults)) => choose_page(&state, again, &held(&typed), Some(&typed), &faults_of(faults)),
        Err(error) => Err(error.into()),
    }
}

/// What the page holds of a mail, to be sent again with what is asked for beside it.
fn held(typed: &Typed) -> Vec<(&'static str, &str)> {
    ["token", "email", "code"].into_iter().filter_map(|field| Some((field, typed.sent(field)?))).collect()
}

async fn show_reset(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    if !state.accounts.reset_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    reset_page(&state, StatusCode::OK, ByWhich::Link(&link.token), &[])
}

async fn reset(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["token?", "email?", "code?", "password", "password_again"])?;
    let by = typed.sent("token").map_or(ByWhich::Code(typed.raw("email")), ByWhich::Link);
    let again = StatusCode::UNPROCESSABLE_ENTITY;
    if let Some(differs) = differs(&typed) {
        return reset_page(&state, again, by, &[differs]);
    }
    let mailed = Mailed::of(typed.sent("token"), typed.sent("email"), typed.sent("code"))?;
    match state.accounts.reset_password(mailed, typed.raw("password"), address).await {
        Ok(account) => {
            tracing::info!(account = %account.id, "a password was reset");
            state.poke();
            done(&state, "Your password is set")
        }
        Err(AuthError::Invalid(faults)) => reset_page(&state, again, by, &faults_of(faults)),
        Err(error) => Err(error.into()),
    }
}

async fn show_email(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    if !state.accounts.email_change_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    let form = FormPage {
        me: Me::nobody(&state),
        title: "Confirm your new e-mail address",
        intro: "One press, and you log in with this address from now on.",
        action: "/email",
        button: "Confirm",
        hidden: &[("token", &link.token)],
        summary: Summary::default(),
        fields: Vec::new(),
        below: Below::Nothing,
    };
    page(StatusCode::OK, &form)
}

async fn change_email(State(state): State<AppState>, typed: Typed) -> Answer {
    typed.exactly(&["token"])?;
    let account = state.accounts.change_email(typed.raw("token")).await?;
    tracing::info!(account = %account.id, "an e-mail address was changed");
    state.poke();
    done(&state, "Your e-mail address is changed")
}

async fn show_invitation(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    if !state.accounts.invitation_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    invitation_page(&state, StatusCode::OK, &link.token, &[])
}

/// Whoever accepts is logged in with the password they have just chosen.
async fn accept_invitation(
    State(state): State<AppState>,
    mut visit: Visit,
    headers: HeaderMap,
    typed: Typed,
) -> Answer {
    typed.exactly(&["token", "password", "password_again"])?;
    let token = typed.raw("token");
    if let Some(differs) = differs(&typed) {
        return invitation_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, &[differs]);
    }
    match state.accounts.accept_invitation(token, typed.raw("password")).await {
        Ok(account) => {
            let before = session_cookie(&headers, &state.config);
            let browser = mark_browser(&mut visit, &state.config);
            match state.accounts.log_in(&account.email, typed.raw("password"), None, &visit, before.as_deref()).await {
                Ok(opened) => {
                    Ok((log_in_cookies(&opened, browser, &state), see(start_of(account.role))).into_response())
                }
                // The password is set all the same.
                Err(_) => done(&state, "Your password is set"),
            }
        }
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
    typed.exactly(&["token", "name", "email", "password", "password_again"])?;
    let [token, name, email, password] = ["token", "name", "email", "password"].map(|field| typed.raw(field));
    if let Some(differs) = differs(&typed) {
        return setup_page(&state, StatusCode::UNPROCESSABLE_ENTITY, token, Some(&typed), &[differs]);
    }
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

fn choose_page(
    state: &AppState,
    status: StatusCode,
    hidden: &[(&str, &str)],
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let [password, again] = new_passwords();
    let fields = vec![Field::line("name", "Full name").required().autocomplete("name"), password, again];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Confirm your e-mail address",
            intro: "Say your name and the password that shall count. What you or somebody else typed before to sign up with this address is forgotten.",
            action: "/verify",
            button: "Confirm",
            hidden,
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::Nothing,
        },
    )
}

fn invitation_page(state: &AppState, status: StatusCode, token: &str, faults: &[Fault]) -> Answer {
    let fields = filled(new_passwords().into(), None, faults);
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
    let [password, again] = new_passwords();
    let fields = vec![Field::line("name", "Full name").required().autocomplete("name"), email_field(), password, again];
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

fn done(state: &AppState, title: &str) -> Answer {
    page(StatusCode::OK, &DonePage { me: Me::nobody(state), title, text: "You can log in now.", below: Below::Nothing })
}
