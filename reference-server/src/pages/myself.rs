//! What everybody sees and changes of their own account.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::account::{code_field, faults_of};
use super::form::{Control, Fault, Field, Summary, Typed, filled};
use super::{Answer, Me, Person, page, see};
use crate::auth::AuthError;
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/account` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/account", get(show))
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
}

async fn back() -> axum::response::Response {
    see("/account")
}

async fn show(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<AskedQuery>) -> Answer {
    account_page(&state, &person, StatusCode::OK, query.asked == "true", None, &[])
}

async fn ask_for_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["phone"])?;
    let Some(texts) = &state.texts else { return Err(Problem::not_found()) };
    match state.accounts.ask_for_phone(&person.0.id, typed.raw("phone"), texts).await {
        Ok(()) => Ok(see("/account?asked=true")),
        Err(error) => again(&state, &person, false, &typed, error),
    }
}

async fn confirm_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&["code"])?;
    match state.accounts.confirm_phone(&person.0.id, typed.raw("code")).await {
        Ok(_) => Ok(see("/account")),
        Err(error) => again(&state, &person, true, &typed, error),
    }
}

async fn forget_phone(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    state.accounts.forget_phone(&person.0.id).await?;
    Ok(see("/account"))
}

/// The form once more, with what was wrong.
fn again(state: &AppState, person: &Person, asked: bool, typed: &Typed, error: AuthError) -> Answer {
    match error {
        AuthError::Invalid(faults) => {
            account_page(state, person, StatusCode::UNPROCESSABLE_ENTITY, asked, Some(typed), &faults_of(faults))
        }
        other => Err(other.into()),
    }
}

fn account_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    asked: bool,
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
            me: Me::of(&person.0, None, state, ""),
            name: person.0.name.clone(),
            email: person.0.email.clone(),
            phone: person.0.phone.clone(),
            texts: state.texts.is_some(),
            asked,
            summary,
            number,
            code,
        },
    )
}
