//! Complaining without an account: handing in, and following a complaint by a signed link.
//!
//! What is handed in waits as mail does, and the page behind the question whether it is one's own is the same: [`super::mail`].

use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, RequestExt as _, Router};
use complaint_core::actor::Actor;
use complaint_core::reference::Reference;
use complaint_core::{DeskError, complaint::Submission};
use serde::Deserialize;

use super::account::{Below, DonePage, FormPage, code_field, email_field, faults_of, home_page};
use super::customer::{category, choose_anew, choose_page, is_field, label_of, new_page, submission};
use super::form::{Fault, Field, Summary, Typed, filled};
use super::words::fault_of;
use super::{Answer, Me, Person, complaint, page, see};
use crate::api::{attachments, streams};
use crate::auth::service::FieldFault;
use crate::auth::values::{EmailAddress, FullName};
use crate::auth::viewer::{ClientAddress, by_link};
use crate::auth::{AuthError, MaybeViewer, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, ApiQuery};
use crate::intake::{IntakeError, ONE_LINK_IN};
use crate::state::AppState;

/// The longest key of a form that is taken: those of our pages are shorter.
const KEY_MAX: usize = 100;

const NO_REFERENCE: &str = "No reference looks like this. Please compare it with the message we sent you.";
const ENDED: &str = "This link does not work any more: it has ended, or its complaint belongs to an account by now. Log in if you have \
an account; if not, have a new link sent.";

/// `/guest`, `/guest/new`, `/track` and what is below it.
pub fn routes(state: &AppState) -> Router<AppState> {
    let by_link = complaint::routes_below("/track")
        .route("/track/{reference}/attachments/{aid}", get(download))
        .route("/track/{reference}/live", get(live))
        .route_layer(from_fn_with_state(state.clone(), let_in));
    Router::new()
        .route("/guest", get(choose))
        .route("/guest/new", get(show_new).post(hand_in))
        .route("/guest/code", get(|| async { see("/guest") }).post(open_by_code))
        .route("/track", get(track).post(send_link))
        .merge(by_link)
}

#[derive(Deserialize)]
struct NewQuery {
    #[serde(default)]
    category: String,
}

#[derive(Deserialize)]
struct TrackQuery {
    #[serde(default)]
    reference: String,
}

async fn choose(State(state): State<AppState>) -> Answer {
    choose_page(&state, None, String::new())
}

async fn show_new(State(state): State<AppState>, ApiQuery(query): ApiQuery<NewQuery>) -> Answer {
    let policy = state.desk.policy();
    match category(&policy, &query.category) {
        Some(category) => new_page(&state, None, StatusCode::OK, Some(category), "", None, &[], false),
        None => choose_page(&state, None, String::new()),
    }
}

async fn hand_in(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    let policy = state.desk.policy();
    let Some(category) = category(&policy, typed.raw("category")) else {
        typed.only(|name| (is_field(name) && name != "follows") || name.starts_with("answers."))?;
        return choose_anew(&state, None, &policy, "", &typed, false);
    };
    typed.only(|name| {
        let question = |key| category.questions.iter().any(|question| question.key == key);
        (is_field(name) && name != "follows") || name.strip_prefix("answers.").is_some_and(question)
    })?;
    let again = |faults: &[Fault]| {
        new_page(&state, None, StatusCode::UNPROCESSABLE_ENTITY, Some(category), "", Some(&typed), faults, false)
    };
    let key = typed.get("key").filter(|key| key.len() <= KEY_MAX);
    let key = key.map_or_else(|| state.desk.draw_id().to_string(), str::to_owned);
    let (submission, mut faults) = submission(category, &typed);
    let person = person(typed.raw("contact.name"), typed.raw("contact.email"));
    if let Err(AuthError::Invalid(wrong)) = &person {
        faults.extend(wrong.iter().map(|wrong| Fault::of(format!("contact.{}", wrong.field), &wrong.fault.message)));
    }
    match refused(&state, &submission).await? {
        Some(DeskError::Refused(refusal)) => {
            let known = |fault: &Fault| faults.iter().any(|other| other.field == fault.field);
            let refused = refusal.failed.iter().map(|failed| fault_of(failed, |field| label_of(category, field)));
            let fresh: Vec<Fault> = refused.filter(|fault| !known(fault)).collect();
            faults.extend(fresh);
        }
        Some(error) => return Err(error.into()),
        None => {}
    }
    let Ok((name, email)) = person else { return again(&faults) };
    if !faults.is_empty() {
        return again(&faults);
    }
    state.accounts.admit_visitor(&email, address).await?;
    state.intake.hand_in(&state, &name, &email, &key, submission).await?;
    state.poke();
    code_page(&state, StatusCode::OK, email.as_str(), &[])
}

/// Where the code is typed that stands beside the link in the mail to this address.
fn code_page(state: &AppState, status: StatusCode, email: &str, faults: &[Fault]) -> Answer {
    let fields = filled(vec![code_field()], None, faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "Please look at your mail",
            intro: "One step is left. A mail is on its way to you; if you had one from us today already, use that. Open the link in it, or \
type in its code here, and say that this is yours: then your complaint counts, and you get a reference. The code works for ten minutes, \
the link for seven days.",
            action: "/guest/code",
            button: "Go on",
            hidden: &[("email", email)],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

/// A code leads where the link beside it does.
async fn open_by_code(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["email", "code"])?;
    let email = typed.raw("email");
    match state.intake.token_of_code(&state, email, typed.raw("code"), address).await {
        Ok(token) => Ok(see(&format!("/mail/confirm?token={token}"))),
        Err(IntakeError::Accounts(AuthError::Invalid(faults))) => {
            code_page(&state, StatusCode::UNPROCESSABLE_ENTITY, email, &faults_of(faults))
        }
        Err(error) => Err(error.into()),
    }
}

/// Who hands something in, with every fault.
pub(crate) fn person(name: &str, email: &str) -> Result<(FullName, EmailAddress), AuthError> {
    match (FullName::parse(name), EmailAddress::parse(email)) {
        (Ok(name), Ok(email)) => Ok((name, email)),
        (name, email) => {
            let name = name.err().map(|fault| FieldFault { field: "name", fault });
            let email = email.err().map(|fault| FieldFault { field: "email", fault });
            Err(AuthError::Invalid(name.into_iter().chain(email).collect()))
        }
    }
}

/// Why a submission could not be handed in by anybody.
pub(crate) async fn refused(state: &AppState, submission: &Submission) -> Result<Option<DeskError>, Problem> {
    let anybody = Actor::customer("guest").map_err(|error| Problem::internal(&error))?;
    let refusal = state.desk.acting_as(anybody).would_refuse_submission(submission).await?;
    Ok(refusal.map(DeskError::from))
}

/// Leads to the complaint whoever is logged in; asks anybody else for their address. Whether there is one, only its page says.
async fn track(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    ApiQuery(query): ApiQuery<TrackQuery>,
) -> Answer {
    match query.reference.parse::<Reference>() {
        Ok(reference) if viewer.is_some() => Ok(see(&format!("/complaints/{reference}"))),
        Ok(reference) => {
            let typed = Typed::default().with("reference", reference);
            link_page(&state, StatusCode::OK, LINK_INTRO, &typed, &[])
        }
        Err(_) if viewer.is_none() && query.reference.is_empty() => {
            link_page(&state, StatusCode::OK, LINK_INTRO, &Typed::default(), &[])
        }
        Err(_) if viewer.is_some() => Err(Problem::not_found().detail(NO_REFERENCE)),
        Err(_) => {
            let fault = Fault::of("reference", NO_REFERENCE);
            home_page(&state, StatusCode::UNPROCESSABLE_ENTITY, &query.reference, &[fault])
        }
    }
}

const LINK_INTRO: &str = "If you complained without an account, we mail you a link with which you see how it stands. If you have an \
account, log in instead.";

fn link_page(state: &AppState, status: StatusCode, intro: &str, typed: &Typed, faults: &[Fault]) -> Answer {
    let reference = Field::line("reference", "Reference").hint("It looks like C7KQ-2M9X-B.").required().max(40);
    let fields = filled(vec![reference, email_field()], Some(typed), faults);
    page(
        status,
        &FormPage {
            me: Me::nobody(state),
            title: "See how your complaint stands",
            intro,
            action: "/track",
            button: "Send me the link",
            hidden: &[],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::LogIn,
        },
    )
}

async fn send_link(State(state): State<AppState>, ClientAddress(address): ClientAddress, typed: Typed) -> Answer {
    typed.exactly(&["reference", "email"])?;
    let reference = typed.raw("reference").parse::<Reference>();
    let email = EmailAddress::parse(typed.raw("email"));
    let (Ok(reference), Ok(email)) = (&reference, &email) else {
        let mut faults = Vec::new();
        if reference.is_err() {
            faults.push(Fault::of("reference", NO_REFERENCE));
        }
        let wrong = email.err().map(|fault| FieldFault { field: "email", fault });
        faults.extend(faults_of(wrong.into_iter().collect()));
        return link_page(&state, StatusCode::UNPROCESSABLE_ENTITY, LINK_INTRO, &typed, &faults);
    };
    state.accounts.admit_visitor(email, address).await?;
    state.intake.send_link(&state, *reference, email).await?;
    state.poke();
    let minutes = ONE_LINK_IN.num_minutes();
    page(
        StatusCode::OK,
        &DonePage {
            me: Me::nobody(&state),
            title: "Please look at your mail",
            text: &format!(
                "If you complained without an account under this reference and address, the link is on its way to you. It is sent once in \
{minutes} minutes."
            ),
            below: Below::LogIn,
        },
    )
}

/// Before every page below `/track/{reference}`: whoever brings a key that is good for this complaint is its customer here, and nowhere
/// else. Sessions do not count, so that the link shows the same to whoever opens it.
async fn let_in(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match guest_of(&state, &mut request).await {
        Ok(Ok(guest)) => {
            request.extensions_mut().insert(Person(guest));
            next.run(request).await
        }
        Ok(Err(reference)) => {
            let typed = Typed::default().with("reference", reference);
            let fault = [Fault::of("", ENDED)];
            link_page(&state, StatusCode::UNPROCESSABLE_ENTITY, "", &typed, &fault)
                .unwrap_or_else(IntoResponse::into_response)
        }
        Err(problem) => problem.into_response(),
    }
}

/// Whose link it is, or else the reference it was opened with.
async fn guest_of(state: &AppState, request: &mut Request) -> Result<Result<Viewer, Reference>, Problem> {
    let path: RawPathParams = request.extract_parts().await.map_err(|_| Problem::not_found())?;
    let reference = path.iter().find(|(name, _)| *name == "reference").and_then(|(_, value)| value.parse().ok());
    let reference: Reference = reference.ok_or_else(Problem::not_found)?;
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let key = url::form_urlencoded::parse(query).find(|(name, _)| name == "key").map(|(_, key)| key.into_owned());
    let key = key.unwrap_or_default();
    let opened = by_link(&key, state).await?.filter(|(complaint, _)| complaint.reference == reference);
    Ok(opened.map(|(_, guest)| guest).ok_or(reference))
}

/// The complaint as it changes, as long as the link opens it.
async fn live(
    State(state): State<AppState>,
    Extension(Person(guest)): Extension<Person>,
    ApiPath(reference): ApiPath<String>,
) -> Result<Response, Problem> {
    streams::one_of(state, &guest, &reference, HeaderMap::new()).await
}

/// A file of the complaint.
async fn download(
    State(state): State<AppState>,
    Extension(Person(guest)): Extension<Person>,
    ApiPath(file): ApiPath<(String, String)>,
) -> Result<Response, Problem> {
    attachments::download(State(state), guest, ApiPath(file)).await
}
