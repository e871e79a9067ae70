//! What everybody sees and changes of their own account.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde::Deserialize;

use super::account::{Below, FormPage, code_field, differs, faults_of, new_passwords};
use super::form::{Control, Fault, Field, Summary, Typed, filled, not_ours};
use super::words::When;
use super::{Answer, Me, Person, page, see};
use crate::api::agents::follow_account;
use crate::api::myself::{own_session, session_hash};
use crate::auth::accounts::Door;
use crate::auth::password::PASSWORD_MAX;
use crate::auth::values::{NAME_MAX, POSTAL_ADDRESSES_MAX, PostalAddress};
use crate::auth::viewer::{ClientAddress, kept_open};
use crate::auth::{AuthError, Role};
use crate::error::Problem;
use crate::extract::{ApiQuery, hex};
use crate::state::AppState;

/// `/account` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/account", get(show))
        .route("/account/profile", get(show_profile).post(change_profile))
        .route("/account/email", get(show_email).post(ask_for_email))
        .route("/account/email/code", get(|| async { see("/account/email") }).post(confirm_email))
        .route("/account/password", get(show_password).post(change_password))
        .route("/account/sessions", get(show_sessions))
        .route("/account/sessions/end", get(|| async { see("/account/sessions") }).post(end_session))
        .route("/account/sessions/end-others", get(|| async { see("/account/sessions") }).post(end_other_sessions))
        .route("/account/deletion", get(show_deletion).post(ask_for_deletion))
        .route("/account/deletion/withdraw", get(|| async { see("/account/deletion") }).post(withdraw_deletion))
        .route("/account/phone", get(back).post(ask_for_phone))
        .route("/account/phone/code", get(back).post(confirm_phone))
        .route("/account/phone/forget", get(back).post(forget_phone))
}

#[derive(Template)]
#[template(path = "public/myself.html")]
struct MyselfPage {
    me: Me,
    name: String,
    email: String,
    phone: Option<String>,
    /// Whether they can log in with a provider.
    identities: bool,
    /// What was just done, in words.
    done: &'static str,
    /// Whether text messages are sent at all.
    texts: bool,
    /// Whether a code is on its way.
    asked: bool,
    summary: Summary,
    number: Field,
    code: Field,
}

#[derive(Deserialize)]
struct AskedQuery {
    #[serde(default)]
    asked: String,
    #[serde(default)]
    done: String,
}

#[derive(Deserialize)]
struct EndedQuery {
    #[serde(default)]
    ended: String,
}

/// Where somebody is logged in, and was.
#[derive(Template)]
#[template(path = "public/sessions.html")]
struct SessionsPage {
    me: Me,
    ended: bool,
    sessions: Vec<SessionRow>,
    /// Whether there is another than this.
    others: bool,
    log_ins: Vec<LogInRow>,
}

struct SessionRow {
    id: String,
    device: String,
    address: String,
    current: bool,
    since: When,
    used: When,
}

struct LogInRow {
    at: When,
    device: String,
    address: String,
    door: &'static str,
}

async fn back() -> axum::response::Response {
    see("/account")
}

async fn show(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<AskedQuery>) -> Answer {
    let done = match query.done.as_str() {
        "profile" => "Your name and addresses are saved.",
        "email" => "Your e-mail address is changed. Log in with the new one from now on.",
        "deletion" => "An administrator has been asked to delete your account. Until then everything stays as it is.",
        "withdrawn" => "Your account stays.",
        "password" => "Your password is changed, and you are logged out everywhere else.",
        _ => "",
    };
    account_page(&state, &person, StatusCode::OK, query.asked == "true", done, None, &[]).await
}

async fn ask_for_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["phone"])?;
    let Some(texts) = &state.texts else { return Err(Problem::not_found()) };
    match state.accounts.ask_for_phone(&person.0.id, typed.raw("phone"), texts).await {
        Ok(()) => Ok(see("/account?asked=true")),
        Err(error) => again(&state, &person, false, &typed, error).await,
    }
}

async fn confirm_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["code"])?;
    match state.accounts.confirm_phone(&person.0.id, typed.raw("code")).await {
        Ok(_) => Ok(see("/account")),
        Err(error) => again(&state, &person, true, &typed, error).await,
    }
}

async fn forget_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    state.accounts.forget_phone(&person.0.id).await?;
    Ok(see("/account"))
}

async fn show_profile(State(state): State<AppState>, person: Person) -> Answer {
    profile_page(&state, &person, StatusCode::OK, None, &[]).await
}

async fn change_profile(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    let places: Vec<String> = (0..POSTAL_ADDRESSES_MAX).map(|at| format!("postal_addresses.{at}.")).collect();
    let parts = ["lines", "postcode", "town", "country"];
    typed.only(|name| {
        name == "name" || places.iter().any(|place| name.strip_prefix(place).is_some_and(|part| parts.contains(&part)))
    })?;
    // One that was emptied is taken away.
    let addresses = places.iter().filter_map(|place| {
        let [lines, postcode, town, country] = parts.map(|part| typed.raw(&format!("{place}{part}")).trim());
        let empty = [lines, postcode, town, country].iter().all(|part| part.is_empty());
        (!empty).then(|| PostalAddress {
            lines: lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            postcode: postcode.to_owned(),
            town: town.to_owned(),
            country: country.to_ascii_uppercase(),
        })
    });
    match state.accounts.change_profile(&person.0.id, Some(typed.raw("name")), Some(addresses.collect())).await {
        Ok(account) => {
            follow_account(&state, &account).await?;
            Ok(see("/account?done=profile"))
        }
        Err(AuthError::Invalid(faults)) => {
            let faults = faults_of(faults);
            profile_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn profile_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let known = state.accounts.postal_addresses(&person.0.id).await?;
    let mut fields =
        vec![Field::line("name", "Full name").required().autocomplete("name").max(NAME_MAX).value(&person.0.name)];
    // An empty one more, to be filled in.
    for at in 0..POSTAL_ADDRESSES_MAX.min(known.len() + 1) {
        let address = known.get(at);
        let part = |part: &str| format!("postal_addresses.{at}.{part}");
        let lines = address.map(|address| address.lines.join("\n")).unwrap_or_default();
        let of = |read: fn(&PostalAddress) -> &String| address.map(read).cloned().unwrap_or_default();
        let set = vec![
            Field::area(part("lines"), "Street and house").value(lines),
            Field::line(part("postcode"), "Postcode").max(20).value(of(|address| &address.postcode)),
            Field::line(part("town"), "Town").max(NAME_MAX).value(of(|address| &address.town)),
            Field::line(part("country"), "Country")
                .hint("Two letters, as in GB.")
                .max(2)
                .value(of(|address| &address.country)),
        ];
        let name = if at == 0 { "postal_addresses".to_owned() } else { format!("postal_addresses.{at}") };
        fields.push(Field::new(name, format!("Postal address {}", at + 1), Control::Set(set)));
    }
    let fields = filled(fields, typed, faults);
    let form = FormPage {
        me: Me::of(&person.0, state, "").await,
        title: "Name and postal addresses",
        intro: "An address whose fields are emptied is forgotten.",
        action: "/account/profile",
        button: "Save",
        hidden: &[],
        summary: Summary::of(faults, &fields),
        fields,
        below: Below::Account,
    };
    page(status, &form)
}

async fn show_email(State(state): State<AppState>, person: Person) -> Answer {
    email_page(&state, &person, StatusCode::OK, None, &[]).await
}

async fn ask_for_email(
    State(state): State<AppState>,
    person: Person,
    ClientAddress(address): ClientAddress,
    typed: Typed,
) -> Answer {
    typed.exactly(&["email", "current_password"])?;
    let (email, current) = (typed.raw("email"), typed.raw("current_password"));
    match state.accounts.ask_for_email(&person.0.id, email, current, address).await {
        Ok(()) => {
            state.poke();
            email_code_page(&state, &person, StatusCode::OK, &[]).await
        }
        Err(AuthError::Invalid(faults)) => {
            email_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, Some(&typed), &faults_of(faults)).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn confirm_email(
    State(state): State<AppState>,
    person: Person,
    ClientAddress(address): ClientAddress,
    typed: Typed,
) -> Answer {
    typed.exactly(&["code"])?;
    match state.accounts.change_email_by_code(&person.0.id, typed.raw("code"), address).await {
        Ok(account) => {
            tracing::info!(account = %account.id, "an e-mail address was changed");
            state.poke();
            Ok(see("/account?done=email"))
        }
        Err(AuthError::Invalid(faults)) => {
            email_code_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, &faults_of(faults)).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn email_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let email = Field::new("email", "New e-mail address", Control::Line("email"));
    let fields = filled(vec![email.required().autocomplete("email").max(254), current_password()], typed, faults);
    let form = FormPage {
        me: Me::of(&person.0, state, "").await,
        title: "E-mail address",
        intro: "We send a link and a code to the new address, and a word of it to the present one. Nothing changes before you confirm.",
        action: "/account/email",
        button: "Send the mail",
        hidden: &[],
        summary: Summary::of(faults, &fields),
        fields,
        below: Below::Account,
    };
    page(status, &form)
}

async fn email_code_page(state: &AppState, person: &Person, status: StatusCode, faults: &[Fault]) -> Answer {
    let fields = filled(vec![code_field()], None, faults);
    let form = FormPage {
        me: Me::of(&person.0, state, "").await,
        title: "Please look at your mail",
        intro: "If this address can be had, a mail is on its way to it. Open the link in it, or type in its code here.",
        action: "/account/email/code",
        button: "Confirm",
        hidden: &[],
        summary: Summary::of(faults, &fields),
        fields,
        below: Below::Account,
    };
    page(status, &form)
}

async fn show_password(State(state): State<AppState>, person: Person) -> Answer {
    password_page(&state, &person, StatusCode::OK, &[]).await
}

async fn change_password(
    State(state): State<AppState>,
    person: Person,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    typed: Typed,
) -> Answer {
    typed.exactly(&["current_password", "password", "password_again"])?;
    let again = StatusCode::UNPROCESSABLE_ENTITY;
    if let Some(differs) = differs(&typed) {
        return password_page(&state, &person, again, &[differs]).await;
    }
    let kept = kept_open(&headers, &state.config)?.ok_or_else(Problem::not_logged_in)?;
    let (current, password) = (typed.raw("current_password"), typed.raw("password"));
    match state.accounts.change_password(&person.0.id, current, password, kept, address).await {
        Ok(()) => {
            tracing::info!(account = %person.0.id, "a password was changed");
            state.poke();
            Ok(see("/account?done=password"))
        }
        Err(AuthError::Invalid(faults)) => password_page(&state, &person, again, &faults_of(faults)).await,
        Err(error) => Err(error.into()),
    }
}

async fn password_page(state: &AppState, person: &Person, status: StatusCode, faults: &[Fault]) -> Answer {
    let fields = std::iter::once(current_password()).chain(new_passwords()).collect();
    let fields = filled(fields, None, faults);
    let form = FormPage {
        me: Me::of(&person.0, state, "").await,
        title: "Password",
        intro: "With another password you are logged out everywhere else.",
        action: "/account/password",
        button: "Set password",
        hidden: &[],
        summary: Summary::of(faults, &fields),
        fields,
        below: Below::Account,
    };
    page(status, &form)
}

/// The password of whoever is logged in.
pub(super) fn current_password() -> Field {
    Field::new("current_password", "Present password", Control::Line("password"))
        .required()
        .autocomplete("current-password")
        .max(PASSWORD_MAX)
}

async fn show_deletion(State(state): State<AppState>, person: Person) -> Answer {
    deletion_page(&state, &person, StatusCode::OK, &[]).await
}

async fn ask_for_deletion(
    State(state): State<AppState>,
    person: Person,
    ClientAddress(address): ClientAddress,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Customer])?;
    typed.exactly(&["current_password"])?;
    match state.accounts.ask_for_deletion(&person.0.id, typed.raw("current_password"), address).await {
        Ok(account) => {
            tracing::info!(account = %account.id, "a customer asked to be deleted");
            state.poke();
            Ok(see("/account?done=deletion"))
        }
        Err(AuthError::Invalid(faults)) => {
            deletion_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, &faults_of(faults)).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn withdraw_deletion(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    state.accounts.withdraw_deletion(&person.0.id).await?;
    Ok(see("/account?done=withdrawn"))
}

async fn deletion_page(state: &AppState, person: &Person, status: StatusCode, faults: &[Fault]) -> Answer {
    person.must_be(&[Role::Customer])?;
    let asked = state.accounts.account(&person.0.id).await?.deletion_asked_at.is_some();
    let fields = if asked { Vec::new() } else { filled(vec![current_password()], None, faults) };
    let form = FormPage {
        me: Me::of(&person.0, state, "").await,
        title: "Delete my account",
        intro: if asked {
            "An administrator has been asked to delete your account. Until then everything stays as it is, and you can take it back."
        } else {
            "An administrator is asked to delete your account. Until then everything stays as it is."
        },
        action: if asked { "/account/deletion/withdraw" } else { "/account/deletion" },
        button: if asked { "Keep my account" } else { "Ask for it" },
        hidden: &[],
        summary: Summary::of(faults, &fields),
        fields,
        below: Below::Account,
    };
    page(status, &form)
}

async fn show_sessions(
    State(state): State<AppState>,
    person: Person,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<EndedQuery>,
) -> Answer {
    const LOG_INS: u32 = 25;
    let own = own_session(&headers, &state)?;
    let shown = |device: String| if device.is_empty() { "An unknown program".to_owned() } else { device };
    let sessions: Vec<SessionRow> = state
        .accounts
        .sessions_of(&person.0.id)
        .await?
        .into_iter()
        .map(|session| SessionRow {
            id: hex(&session.hash),
            device: shown(session.device),
            address: session.address,
            current: own == Some(session.hash),
            since: When(session.created_at),
            used: When(session.last_seen_at),
        })
        .collect();
    let log_ins = state.accounts.log_ins_of(&person.0.id, None, LOG_INS).await?.into_iter().map(|log_in| LogInRow {
        at: When(log_in.at),
        device: shown(log_in.device),
        address: log_in.address,
        door: match log_in.door {
            Door::Password => "Password",
            Door::Code => "Mailed code",
            Door::Provider => "Another account",
            Door::ApiToken => "Token for a program",
        },
    });
    let shown = SessionsPage {
        me: Me::of(&person.0, &state, "").await,
        ended: query.ended == "true",
        others: sessions.iter().any(|session| !session.current),
        sessions,
        log_ins: log_ins.collect(),
    };
    page(StatusCode::OK, &shown)
}

async fn end_session(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["session"])?;
    let hash = session_hash(typed.raw("session"))
        .ok_or_else(|| not_ours("session", "invalid", "is not what the page put there"))?;
    // Whether it was there or ended by itself meanwhile, it is logged out now.
    state.accounts.end_session(&person.0.id, hash).await?;
    Ok(see("/account/sessions?ended=true"))
}

async fn end_other_sessions(State(state): State<AppState>, person: Person, headers: HeaderMap, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    state.accounts.end_other_sessions(&person.0.id, own_session(&headers, &state)?).await?;
    Ok(see("/account/sessions?ended=true"))
}

/// The form once more, with what was wrong.
async fn again(state: &AppState, person: &Person, asked: bool, typed: &Typed, error: AuthError) -> Answer {
    match error {
        AuthError::Invalid(faults) => {
            account_page(state, person, StatusCode::UNPROCESSABLE_ENTITY, asked, "", Some(typed), &faults_of(faults))
                .await
        }
        other => Err(other.into()),
    }
}

async fn account_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    asked: bool,
    done: &'static str,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let number = Field::new("phone", "Telephone number", Control::Line("tel"))
        .hint("In international form, as in +44 7700 900123. We send a code there to see that it is yours.")
        .required()
        .autocomplete("tel")
        .max(40);
    let fields = filled(vec![number, code_field()], typed, faults);
    let summary = Summary::of(faults, &fields);
    let [number, code] = fields.try_into().unwrap_or_else(|_| unreachable!("two went in"));
    page(
        status,
        &MyselfPage {
            me: Me::of(&person.0, state, "").await,
            name: person.0.name.clone(),
            email: person.0.email.clone(),
            phone: person.0.phone.clone(),
            identities: person.0.role == Role::Customer && has_providers(state),
            done,
            texts: state.texts.is_some(),
            asked,
            summary,
            number,
            code,
        },
    )
}

#[cfg(feature = "oidc")]
fn has_providers(state: &AppState) -> bool {
    !state.providers.all().is_empty()
}

#[cfg(not(feature = "oidc"))]
fn has_providers(_state: &AppState) -> bool {
    false
}
