//! Where somebody sets up a second factor, has other recovery codes drawn, and takes it away.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde::Deserialize;

use super::account::{faults_of, second_factor_field};
use super::form::{Fault, Field, Summary, Typed, filled};
use super::myself::current_password;
use super::words::When;
use super::{Answer, EnrollingPerson, Me, Person, page, see};
use crate::auth::AuthError;
use crate::auth::second_factor::{Offer, drawn_as_svg};
use crate::auth::secret::RecoveryCode;
use crate::auth::viewer::{ClientAddress, kept_open};
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::mail::organisation;
use crate::state::AppState;

/// `/account/second-factor` and what is below it.
pub fn routes() -> Router<AppState> {
    let back = || async { see("/account/second-factor") };
    Router::new()
        .route("/account/second-factor", get(show).post(offer))
        .route("/account/second-factor/confirm", get(back).post(confirm))
        .route("/account/second-factor/recovery-codes", get(back).post(renew))
        .route("/account/second-factor/remove", get(back).post(remove))
}

#[derive(Template)]
#[template(path = "public/second_factor.html")]
struct SecondFactorPage {
    me: Me,
    /// Whether they can do nothing else before it is set up.
    required: bool,
    removed: bool,
    summary: Summary,
    shown: Shown,
}

/// What there is to do.
enum Shown {
    /// There is none.
    Nothing,
    /// A secret to be put into a device, and confirmed.
    Offered {
        /// In groups of four letters.
        secret: String,
        uri: String,
        /// Made by us of digits and letters.
        drawing: String,
        fields: Vec<Field>,
    },
    /// There is one.
    Guarded { since: When, left: u32, renewing: Vec<Field>, removing: Vec<Field> },
}

/// The recovery codes, this once.
#[derive(Template)]
#[template(path = "public/recovery_codes.html")]
struct RecoveryCodesPage {
    me: Me,
    codes: Vec<RecoveryCode>,
}

#[derive(Deserialize)]
struct DoneQuery {
    #[serde(default)]
    removed: String,
}

/// The forms on the page of whoever has one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Renewing,
    Removing,
}

async fn show(
    State(state): State<AppState>,
    EnrollingPerson(person): EnrollingPerson,
    ApiQuery(query): ApiQuery<DoneQuery>,
) -> Answer {
    guarded_page(&state, &person, StatusCode::OK, query.removed == "true", Form::Renewing, &[]).await
}

async fn offer(State(state): State<AppState>, EnrollingPerson(person): EnrollingPerson, typed: Typed) -> Answer {
    typed.exactly(&[])?;
    match state.accounts.offer_second_factor(&person.0.id, organisation(&state.desk.policy())).await {
        Ok(offer) => offered_page(&state, &person, StatusCode::OK, &offer, &[]).await,
        Err(AuthError::SecondFactorThere) => Ok(see("/account/second-factor")),
        Err(error) => Err(error.into()),
    }
}

async fn confirm(
    State(state): State<AppState>,
    EnrollingPerson(person): EnrollingPerson,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    typed: Typed,
) -> Answer {
    typed.exactly(&["current_password", "code"])?;
    let kept = kept_open(&headers, &state.config)?.ok_or_else(Problem::not_logged_in)?;
    let (current, code) = (typed.raw("current_password"), typed.raw("code"));
    match state.accounts.confirm_second_factor(&person.0.id, current, code, kept, address).await {
        Ok(codes) => {
            tracing::info!(account = %person.0.id, "a second factor was set up");
            state.poke();
            codes_page(&state, &person, codes).await
        }
        Err(AuthError::Invalid(faults)) => {
            match state.accounts.offered_second_factor(&person.0.id, organisation(&state.desk.policy())).await? {
                Some(offer) => {
                    offered_page(&state, &person, StatusCode::UNPROCESSABLE_ENTITY, &offer, &faults_of(faults)).await
                }
                None => Ok(see("/account/second-factor")),
            }
        }
        // It was set up elsewhere meanwhile, or the secret is too old: the page says which.
        Err(AuthError::SecondFactorThere | AuthError::NoSecondFactor) => Ok(see("/account/second-factor")),
        Err(error) => Err(error.into()),
    }
}

async fn renew(
    State(state): State<AppState>,
    EnrollingPerson(person): EnrollingPerson,
    ClientAddress(address): ClientAddress,
    typed: Typed,
) -> Answer {
    typed.exactly(&["current_password", "second_factor"])?;
    let (current, second_factor) = (typed.raw("current_password"), typed.raw("second_factor"));
    match state.accounts.renew_recovery_codes(&person.0.id, current, second_factor, address).await {
        Ok(codes) => {
            tracing::info!(account = %person.0.id, "recovery codes were drawn anew");
            state.poke();
            codes_page(&state, &person, codes).await
        }
        Err(error) => again(&state, &person, Form::Renewing, error).await,
    }
}

async fn remove(
    State(state): State<AppState>,
    EnrollingPerson(person): EnrollingPerson,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    typed: Typed,
) -> Answer {
    typed.exactly(&["current_password", "second_factor"])?;
    let kept = kept_open(&headers, &state.config)?.ok_or_else(Problem::not_logged_in)?;
    let (current, second_factor) = (typed.raw("current_password"), typed.raw("second_factor"));
    match state.accounts.remove_second_factor(&person.0.id, current, second_factor, kept, address).await {
        Ok(()) => {
            tracing::info!(account = %person.0.id, "a second factor was removed");
            state.poke();
            Ok(see("/account/second-factor?removed=true"))
        }
        Err(error) => again(&state, &person, Form::Removing, error).await,
    }
}

/// The page once more, with what was wrong in one of its forms.
async fn again(state: &AppState, person: &Person, form: Form, error: AuthError) -> Answer {
    match error {
        AuthError::Invalid(faults) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            guarded_page(state, person, status, false, form, &faults_of(faults)).await
        }
        AuthError::NoSecondFactor => Ok(see("/account/second-factor")),
        error => Err(error.into()),
    }
}

async fn guarded_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    removed: bool,
    form: Form,
    faults: &[Fault],
) -> Answer {
    let account = state.accounts.account(&person.0.id).await?;
    let guarded = state.accounts.guarded(&account).await?;
    let (summary, shown) = match (account.second_factor_at, guarded) {
        (Some(since), Some(guarded)) => {
            let fields = |name: &str, of: Form| {
                let fields = [current_password(), second_factor_field()].map(|field| field.within(name));
                filled(fields.into(), None, if form == of { faults } else { &[] })
            };
            let (renewing, removing) = (fields("renewing", Form::Renewing), fields("removing", Form::Removing));
            let summary = Summary::of(faults, if form == Form::Renewing { &renewing } else { &removing });
            let left = guarded.recovery_codes_left;
            (summary, Shown::Guarded { since: When(since), left, renewing, removing })
        }
        _ => (Summary::default(), Shown::Nothing),
    };
    let required = person.0.must_enrol;
    page(status, &SecondFactorPage { me: me(state, person).await, required, removed, summary, shown })
}

async fn offered_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    offer: &Offer,
    faults: &[Fault],
) -> Answer {
    let code = Field::line("code", "Code from your device").hint("The six digits that it shows now.").required();
    let code = code.autocomplete("one-time-code").max(40);
    let fields = filled(vec![code, current_password()], None, faults);
    let letters: Vec<char> = offer.secret.chars().collect();
    let shown = SecondFactorPage {
        me: me(state, person).await,
        required: person.0.must_enrol,
        removed: false,
        summary: Summary::of(faults, &fields),
        shown: Shown::Offered {
            secret: letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" "),
            uri: offer.uri.clone(),
            drawing: drawn_as_svg(&offer.uri).unwrap_or_default(),
            fields,
        },
    };
    page(status, &shown)
}

async fn codes_page(state: &AppState, person: &Person, codes: Vec<RecoveryCode>) -> Answer {
    page(StatusCode::OK, &RecoveryCodesPage { me: me(state, person).await, codes })
}

async fn me(state: &AppState, person: &Person) -> Me {
    Me::of(&person.0, state, "").await
}
