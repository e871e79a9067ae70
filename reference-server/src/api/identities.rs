//! `/api/v1/identity-providers` and `/api/v1/me/identities`: with what customers log in beside a password. Coming in with a provider is for
//! browsers: it begins at the address that the list of providers names.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Viewer;
use crate::error::Problem;
use crate::extract::ApiPath;
use crate::pages::identities::take_away;
use crate::state::AppState;

/// The providers that customers can log in with.
#[derive(Serialize, ToSchema)]
pub(super) struct IdentityProviders {
    items: Vec<IdentityProvider>,
}

/// A provider that customers can log in with.
#[derive(Serialize, ToSchema)]
pub(super) struct IdentityProvider {
    #[schema(example = "google")]
    key: String,
    #[schema(example = "Google")]
    name: String,
    /// Where a browser begins; with `?next=` and an address of this site it goes on there.
    #[schema(example = "/login/with/google")]
    location: String,
}

/// What is linked to an account.
#[derive(Serialize, ToSchema)]
pub(super) struct LinkedIdentities {
    items: Vec<LinkedIdentity>,
}

/// An account at a provider that is linked to one here.
#[derive(Serialize, ToSchema)]
pub(super) struct LinkedIdentity {
    /// To take it away by; opens nothing.
    #[schema(example = "01900000-0000-7000-8000-000000000007")]
    id: String,
    /// The key of the provider; null: there is no such provider any more.
    #[schema(example = "google")]
    provider: Option<String>,
    /// The address the provider vouched for when it was linked.
    #[schema(example = "john@example.org")]
    email: String,
    linked_at: DateTime<Utc>,
}

/// The providers that customers can log in with, for everybody.
#[utoipa::path(get, path = "/api/v1/identity-providers", tag = "accounts", responses(
    (status = 200, body = IdentityProviders),
))]
pub(super) async fn providers(State(state): State<AppState>) -> Json<IdentityProviders> {
    let items = state.providers.all().iter().map(|provider| IdentityProvider {
        key: provider.config().key.clone(),
        name: provider.config().name.clone(),
        location: format!("/login/with/{}", provider.config().key),
    });
    Json(IdentityProviders { items: items.collect() })
}

/// What is linked to the caller's account, the oldest first.
#[utoipa::path(get, path = "/api/v1/me/identities", tag = "accounts", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = LinkedIdentities),
))]
pub(super) async fn list(State(state): State<AppState>, viewer: Viewer) -> Result<Json<LinkedIdentities>, Problem> {
    let linked = state.identities.of_account(&viewer.id).await?;
    let items = linked.into_iter().map(|identity| LinkedIdentity {
        provider: state.providers.issuing(&identity.issuer).map(|provider| provider.config().key.clone()),
        id: identity.id,
        email: identity.email,
        linked_at: identity.linked_at,
    });
    Ok(Json(LinkedIdentities { items: items.collect() }))
}

/// Take one away: nobody logs in with it any more. The owner is told by mail.
#[utoipa::path(delete, path = "/api/v1/me/identities/{id}", tag = "accounts", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 204),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`last_way_in`: there is no password, and no other"),
))]
pub(super) async fn remove(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    take_away(&state, &viewer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
