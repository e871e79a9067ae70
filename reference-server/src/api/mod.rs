//! The JSON API, a file per resource. Its description is made from the same annotations as the routes.

mod accounts;
pub(crate) mod agents;
mod answers;
pub(crate) mod attachments;
pub(crate) mod batch;
pub(crate) mod categories;
mod clock;
pub(crate) mod commands;
pub(crate) mod complaints;
pub(crate) mod dead_letters;
pub(crate) mod documents;
pub(crate) mod figures;
mod guest;
mod health;
#[cfg(feature = "oidc")]
mod identities;
pub(crate) mod intake;
mod invitations;
mod lifecycle;
mod making;
mod me;
pub(crate) mod myself;
mod preferences;
pub(crate) mod query;
pub(crate) mod reports;
mod second_factor;
mod sessions;
mod setup;
pub(crate) mod streams;
mod tokens;
pub(crate) mod users;
pub mod view;
pub(crate) mod webhooks;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

/// Every resource of the API, with its description.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    let mut routes = OpenApiRouter::new()
        .routes(routes!(accounts::sign_up))
        .routes(routes!(accounts::confirm))
        .routes(routes!(accounts::send_again))
        .routes(routes!(accounts::forgot_password))
        .routes(routes!(accounts::reset_password))
        .routes(routes!(accounts::judge_password))
        .routes(routes!(accounts::change_email))
        .routes(routes!(sessions::ask_for_code))
        .routes(routes!(sessions::log_in_by_mail))
        .routes(routes!(sessions::log_in))
        .routes(routes!(sessions::log_out))
        .routes(routes!(tokens::issue))
        .routes(routes!(tokens::revoke))
        .routes(routes!(me::show, me::change))
        .routes(routes!(myself::addresses, myself::set_addresses))
        .routes(routes!(myself::change_password))
        .routes(routes!(myself::ask_for_email))
        .routes(routes!(myself::confirm_email))
        .routes(routes!(myself::sessions, myself::end_other_sessions))
        .routes(routes!(myself::end_session))
        .routes(routes!(myself::log_ins))
        .routes(routes!(second_factor::show, second_factor::offer))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::renew))
        .routes(routes!(second_factor::remove))
        .routes(routes!(documents::list))
        .routes(routes!(documents::accepted, documents::accept))
        .routes(routes!(myself::deletion, myself::ask_for_deletion, myself::withdraw_deletion))
        .routes(routes!(me::ask_for_phone, me::forget_phone))
        .routes(routes!(me::confirm_phone))
        .routes(routes!(preferences::show, preferences::choose))
        .routes(routes!(setup::set_up))
        .routes(routes!(invitations::accept))
        .routes(routes!(categories::list, categories::add))
        .routes(routes!(categories::change))
        .routes(routes!(lifecycle::show))
        .routes(routes!(guest::hand_in))
        .routes(routes!(guest::send_link))
        .routes(routes!(complaints::list, complaints::submit))
        .routes(routes!(batch::submit))
        .routes(routes!(complaints::show))
        .routes(routes!(complaints::log))
        .routes(routes!(complaints::messages))
        .routes(routes!(complaints::deadlines))
        .routes(routes!(complaints::routing))
        .routes(routes!(commands::list))
        .routes(routes!(commands::give))
        .routes(routes!(attachments::add))
        .routes(routes!(attachments::download))
        .routes(routes!(streams::one))
        .routes(routes!(streams::all))
        .routes(routes!(agents::list, agents::add))
        .routes(routes!(agents::change))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::change))
        .routes(routes!(users::invite_again))
        .routes(routes!(users::reset_second_factor))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::show, webhooks::change, webhooks::remove))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::ping))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(intake::list, intake::hand_over))
        .routes(routes!(intake::show))
        .routes(routes!(intake::retry))
        .routes(routes!(intake::discard))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::redeliver))
        .routes(routes!(reports::summary))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics));
    #[cfg(feature = "oidc")]
    {
        routes = routes
            .routes(routes!(identities::providers))
            .routes(routes!(identities::list))
            .routes(routes!(identities::remove));
    }
    if state.movable_clock.is_some() {
        routes = routes.routes(routes!(clock::advance));
    }
    routes
}

/// The description without its paths.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The description with what the router answers at every door.
pub fn completed(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    answers::described(&mut document);
    document
}

/// Serves the finished description.
///
/// # Panics
///
/// Never: a description is made of strings and numbers, which serialise.
pub fn described_by(document: &utoipa::openapi::OpenApi) -> Router<AppState> {
    let json = document.to_json().expect("a description made of strings and numbers serialises");
    Router::new().route("/api/openapi.json", get(move || async move { ([(CONTENT_TYPE, "application/json")], json) }))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Complaints",
        description = "Complaint handling: sign up, complain, follow, answer, accept, rate. What reporting apps use at `/open311/v2` is described by its own specification, Open311 GeoReport v2, and not here. A refusal names everything that is wrong at once; of values that cannot be read, the first twenty."
    ),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of POST /api/v1/tokens."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let mail_server = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The token of COMPLAINT_INTAKE_TOKEN, for the mail server."))
            .build();
        components.add_security_scheme("mail_server", SecurityScheme::Http(mail_server));
        let cookie = ApiKeyValue::with_description("__Host-session", "Set by POST /api/v1/sessions.");
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}
