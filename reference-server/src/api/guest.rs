//! `/api/v1/guest`: complaining without an account. Whoever has the address confirms by the link that is mailed there, and follows the
//! complaint on a page.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use complaint_core::reference::Reference;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::complaints::{Read, of_customer};
use super::view::SubmissionBody;
use crate::auth::AuthError;
use crate::auth::service::FieldFault;
use crate::auth::values::EmailAddress;
use crate::auth::viewer::ClientAddress;
use crate::error::Problem;
use crate::extract::{Repeatable, Sent, Unkeyed};
use crate::pages::guest::{person, refused};
use crate::state::AppState;

/// What happens next; the same for known and unknown addresses.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckTheMail {
    message: &'static str,
}

/// Which link is wanted, and where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkWanted {
    #[schema(example = "C7KQ-2M9X-B")]
    reference: String,
    #[schema(example = "mary@example.org", max_length = 254)]
    email: String,
}

/// Hand in a complaint without an account.
///
/// `contact.name` and `contact.email` are needed. A mail with a link goes to that address, at most once a day; the complaint counts, and
/// gets its reference, once whoever reads it has said there that it is theirs, within seven days. What is sent again word by word
/// before that is the same complaint.
#[utoipa::path(post, path = "/api/v1/guest/complaints", tag = "guests",
    request_body(content = SubmissionBody, description = "Without `channel` and `customer`", example = json!({"category": "Damaged goods", "subject": "Broken kettle", "description": "The lid is cracked.", "contact": {"name": "Mary Poe", "email": "mary@example.org"}})),
    responses(
    (status = 202, body = CheckTheMail),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: the same words are the same complaint"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn hand_in(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    _unkeyed: Unkeyed,
    request: Repeatable,
) -> Result<(StatusCode, Json<CheckTheMail>), Problem> {
    let Read { submission, wrong, .. } = of_customer(&state, &request)?;
    let contact = &submission.contact;
    let person = person(contact.name.as_deref().unwrap_or_default(), contact.email.as_deref().unwrap_or_default());
    let person = person.map_err(|error| match error {
        AuthError::Invalid(faults) => {
            let detail = faults.first().map(|first| first.fault.message.as_str().into());
            let problem = faults.into_iter().fold(Problem::invalid(), |problem, wrong| {
                problem.field(format!("contact.{}", wrong.field), wrong.fault.code, wrong.fault.message)
            });
            Problem { detail, ..problem }
        }
        error => error.into(),
    });
    let refused = refused(&state, &submission).await?.map(Problem::from);
    let (name, email) = match (person, wrong, refused) {
        (Ok(person), None, None) => person,
        // All name their faults.
        (person, wrong, refused) => {
            let rules = person.err().into_iter().chain(refused).reduce(|all, more| all.and_more(Some(more)));
            return Err(match wrong {
                Some(wrong) => wrong.and_of_rules(rules),
                None => rules.unwrap_or_else(Problem::invalid),
            });
        }
    };
    state.accounts.admit_visitor(&email, address).await?;
    state.intake.hand_in(&state, &name, &email, "", submission).await?;
    state.poke();
    let message = "One step is left: open the link in the mail that is on its way, or that came today, and say that this is yours.";
    Ok((StatusCode::ACCEPTED, Json(CheckTheMail { message })))
}

/// Have a new link to a complaint mailed, to whoever complained without an account: at most one in an hour. The answer does not tell
/// whether there is such a complaint, and whose.
#[utoipa::path(post, path = "/api/v1/guest/links", tag = "guests", request_body = LinkWanted, responses(
    (status = 202, body = CheckTheMail),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 429, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn send_link(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    sent: Sent<LinkWanted>,
) -> Result<(StatusCode, Json<CheckTheMail>), Problem> {
    let body = sent.under(|body| whose(&body))?;
    let (reference, email) = whose(&body)?;
    state.accounts.admit_visitor(&email, address).await?;
    state.intake.send_link(&state, reference, &email).await?;
    state.poke();
    let message = "If this is the address and the reference of a complaint without an account, the link is on its way.";
    Ok((StatusCode::ACCEPTED, Json(CheckTheMail { message })))
}

/// Of which complaint the link is wanted, and where to.
fn whose(body: &LinkWanted) -> Result<(Reference, EmailAddress), Problem> {
    let reference = body.reference.parse().map_err(|_| {
        let said = "No reference looks like this.";
        Problem::invalid().detail(format!("reference: {said}")).field("reference", "invalid", said)
    });
    let email = EmailAddress::parse(&body.email)
        .map_err(|fault| Problem::from(AuthError::Invalid(vec![FieldFault { field: "email", fault }])));
    match (reference, email) {
        (Ok(reference), Ok(email)) => Ok((reference, email)),
        (Err(reference), email) => Err(reference.and_more(email.err())),
        (Ok(_), Err(email)) => Err(email),
    }
}
