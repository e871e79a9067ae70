//! What a `POST` makes, once: asked for again under the same `Idempotency-Key`, it is answered again and not made again.

use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use complaint_core::DeskError;
use serde::Serialize;

use crate::auth::Viewer;
use crate::auth::accounts::Made;
use crate::auth::service::Recalled;
use crate::error::Problem;
use crate::extract::Repeatable;
use crate::files::to_its_end;
use crate::state::AppState;

/// Something new, at an address.
pub(super) fn made(location: String, shown: &impl Serialize) -> Result<Made, Problem> {
    let body = serde_json::to_string(shown).map_err(|error| Problem::internal(&error))?;
    Ok(Made { location, body })
}

/// Makes something, unless it was made under the key of this request before: then the first answer is given again.
///
/// Requests with a key come one after another, those with the same key at other servers too, so two at once make one thing. Should the process die between what is made and what
/// is kept of it, the repetition finds the address or name taken: it makes nothing twice either.
///
/// # Errors
/// 422 `idempotency_key_reused` if the key was used with another request; whatever `making` refuses, and then the key is still free.
pub(super) async fn once(
    state: &AppState,
    viewer: &Viewer,
    request: &Repeatable,
    making: impl Future<Output = Result<Made, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let Some((key, fingerprint)) = request.key.clone() else {
        return making.await.map(answer);
    };
    let (state, owner) = (state.clone(), viewer.id.clone());
    // To its end: given up between making and keeping, the repetition would not know.
    to_its_end(async move {
        let _one_at_a_time = state.making.lock().await;
        let _here_alone = state.accounts.hold_key(&owner, &key).await?;
        match state.accounts.recall_made(&owner, &key, &fingerprint).await? {
            Recalled::Same(made) => Ok(answer(made)),
            Recalled::Other => Err(DeskError::KeyReused.into()),
            Recalled::Nothing { fingerprint } => {
                let made = making.await?;
                state.accounts.keep_made(&owner, &key, &fingerprint, &made).await?;
                Ok(answer(made))
            }
        }
    })
    .await
}

fn answer(made: Made) -> Response {
    let mut response = (StatusCode::CREATED, made.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::from_str(&made.location) {
        headers.insert(LOCATION, location);
    }
    response
}
