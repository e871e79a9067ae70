//! The link below letters that need not be sent (RFC 8058): opening it changes nothing, posting to it stops them, without a log-in.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use complaint_core::notice::NoticeGroup;
use serde::Deserialize;

use super::account::{Below, DonePage, FormPage};
use super::form::Summary;
use super::{Answer, Me, page};
use crate::auth::AuthError;
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::preferences::Unsubscription;
use crate::state::AppState;

/// The field that RFC 8058, 3.2 has mail programs send, and its value.
const FIELD: (&str, &str) = ("List-Unsubscribe", "One-Click");

/// `/unsubscribe`.
pub fn routes() -> Router<AppState> {
    Router::new().route("/unsubscribe", get(show).post(stop))
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn show(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    let stopped = signed(&state, &link.token)?;
    page(
        StatusCode::OK,
        &FormPage {
            me: Me::nobody(&state),
            title: "Stop these letters",
            intro: what(&stopped),
            action: &format!("/unsubscribe?token={}", link.token),
            button: "Stop them",
            hidden: &[FIELD],
            summary: Summary::default(),
            fields: Vec::new(),
            below: Below::Nothing,
        },
    )
}

/// Answers with a page, never with a redirect: mail programs follow none (RFC 8058, 3.1).
async fn stop(
    State(state): State<AppState>,
    ApiQuery(link): ApiQuery<Link>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let stopped = signed(&state, &link.token)?;
    if !is_one_click(&headers, &body) {
        return Err(Problem::malformed("not_one_click", "The body must be List-Unsubscribe=One-Click.").field(
            FIELD.0,
            "missing",
            "must be One-Click, as RFC 8058 has it",
        ));
    }
    state.preferences.unsubscribe(&stopped).await?;
    tracing::info!(account = %stopped.account_id, group = stopped.group.map(NoticeGroup::name), "letters were stopped by their link");
    page(
        StatusCode::OK,
        &DonePage {
            me: Me::nobody(&state),
            title: "You get these letters no more",
            text: "Decisions, dates and questions still reach you by mail. To have the others again, log in and choose them under your name, “My notices”.",
            below: Below::LogIn,
        },
    )
}

fn signed(state: &AppState, token: &str) -> Result<Unsubscription, Problem> {
    state.preferences.read_link(token).ok_or_else(|| AuthError::InvalidToken.into())
}

fn what(stopped: &Unsubscription) -> &'static str {
    match stopped.group {
        Some(NoticeGroup::Messages) => {
            "Letters that quote messages to you come no more. You read the messages on the page of the complaint."
        }
        Some(NoticeGroup::Handling) => {
            "Letters about who handles your complaint, and where it waits, come no more. The page of the complaint shows it."
        }
        Some(_) => {
            "Letters about what became of complaints that you hold or held come no more. The pages of the complaints show it."
        }
        None => "The letter of the day, and what is listed in it, comes no more. The pages of the complaints show it.",
    }
}

/// Whether the body is that of a mail program: the one field, as a form of either kind.
fn is_one_click(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        // One short field that is either there or not: nothing in it needs to be taken apart.
        let text = String::from_utf8_lossy(body);
        let (named, valued) = (format!("name=\"{}\"", FIELD.0), format!("\r\n\r\n{}\r\n", FIELD.1));
        text.contains(&named) && text.contains(&valued)
    } else {
        let mut pairs = url::form_urlencoded::parse(body);
        kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
            && pairs.any(|(name, value)| name == FIELD.0 && value == FIELD.1)
    }
}
