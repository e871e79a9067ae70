//! The pages behind links that are mailed or printed: confirm an address, accept an invitation, make the first admin.
//!
//! Opening one changes nothing, because mail scanners open links too; the button on it does.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth::AuthError;
use crate::auth::service::FieldFault;
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// `/verify`, `/invitation` and `/setup`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/verify", get(show_verify).post(verify))
        .route("/invitation", get(show_invitation).post(accept_invitation))
        .route("/setup", get(show_setup).post(set_up))
}

/// A form sent by a page of ours; what is not one is refused as a problem.
pub struct PageForm<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PageForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Form(form) = Form::from_request(request, state).await.map_err(|rejection| match rejection {
            FormRejection::InvalidFormContentType(_) => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "This kind of content is not accepted here.",
            ),
            other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
            }
            _ => Problem::malformed("malformed_form", "The form is not complete."),
        })?;
        Ok(Self(form))
    }
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyForm {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InvitationForm {
    token: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetupForm {
    token: String,
    name: String,
    email: String,
    password: String,
}

#[derive(Template)]
#[template(path = "auth/verify.html")]
struct VerifyPage<'a> {
    token: &'a str,
}

#[derive(Template)]
#[template(path = "auth/invitation.html")]
struct InvitationPage<'a> {
    token: &'a str,
    faults: &'a [FieldFault],
}

#[derive(Template)]
#[template(path = "auth/setup.html")]
struct SetupPage<'a> {
    token: &'a str,
    name: &'a str,
    email: &'a str,
    faults: &'a [FieldFault],
}

#[derive(Template)]
#[template(path = "auth/done.html")]
struct DonePage<'a> {
    title: &'a str,
    text: &'a str,
}

async fn show_verify(ApiQuery(link): ApiQuery<Link>) -> Result<Response, Problem> {
    page(StatusCode::OK, &VerifyPage { token: &link.token })
}

async fn verify(State(state): State<AppState>, PageForm(form): PageForm<VerifyForm>) -> Result<Response, Problem> {
    state.accounts.confirm_email(&form.token).await?;
    page(StatusCode::OK, &DonePage { title: "Your e-mail address is confirmed", text: "You can log in now." })
}

async fn show_invitation(ApiQuery(link): ApiQuery<Link>) -> Result<Response, Problem> {
    page(StatusCode::OK, &InvitationPage { token: &link.token, faults: &[] })
}

async fn accept_invitation(
    State(state): State<AppState>,
    PageForm(form): PageForm<InvitationForm>,
) -> Result<Response, Problem> {
    match state.accounts.accept_invitation(&form.token, &form.password).await {
        Ok(_) => page(StatusCode::OK, &DonePage { title: "Your password is set", text: "You can log in now." }),
        Err(AuthError::Invalid(faults)) => {
            page(StatusCode::UNPROCESSABLE_ENTITY, &InvitationPage { token: &form.token, faults: &faults })
        }
        Err(error) => Err(error.into()),
    }
}

async fn show_setup(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Result<Response, Problem> {
    if !state.accounts.setup_token_is_good(&link.token).await? {
        return Err(AuthError::InvalidToken.into());
    }
    page(StatusCode::OK, &SetupPage { token: &link.token, name: "", email: "", faults: &[] })
}

async fn set_up(State(state): State<AppState>, PageForm(form): PageForm<SetupForm>) -> Result<Response, Problem> {
    match state.accounts.set_up(&form.token, &form.name, &form.email, &form.password).await {
        Ok(_) => {
            page(StatusCode::OK, &DonePage { title: "The first administrator is made", text: "You can log in now." })
        }
        Err(AuthError::Invalid(faults)) => page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &SetupPage { token: &form.token, name: &form.name, email: &form.email, faults: &faults },
        ),
        Err(error) => Err(error.into()),
    }
}

fn page(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| Problem::internal(&error))?;
    Ok((status, Html(html)).into_response())
}
