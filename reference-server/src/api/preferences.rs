//! `/api/v1/me/preferences`: which notices reach me, when, and in which language.

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use complaint_core::notice::{NoticeChannel, Preferences, PreferencesSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::is_known;
use crate::auth::Viewer;
use crate::error::Problem;
use crate::extract::{Sent, seen_version};
use crate::preferences::{Typed, Wrong, read};
use crate::state::AppState;

/// What somebody chose about the notices to them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreferencesView {
    /// Their time zone, an IANA name. Quiet hours and the daily letter need it; letters give dates in it.
    #[schema(example = "Europe/Berlin")]
    #[serde(default)]
    zone: Option<String>,
    /// The language they want letters in, a BCP 47 tag. What there is no letter in comes in English.
    #[schema(example = "de")]
    #[serde(default)]
    language: Option<String>,
    /// When nothing comes that can wait until they are over. What is urgent or wanted by law comes all the same.
    #[serde(default)]
    quiet_hours: Option<QuietHours>,
    /// When what can be switched off by mail comes as one letter a day, `HH:MM`; null: at once.
    #[schema(example = "08:00")]
    #[serde(default)]
    digest_at: Option<String>,
    /// What is switched off.
    #[serde(default)]
    off: Off,
}

/// From a later to an earlier time they run over midnight.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuietHours {
    /// The first quiet minute, `HH:MM`.
    #[schema(example = "22:00")]
    from: String,
    /// The first minute that is not quiet any more, `HH:MM`.
    #[schema(example = "07:00")]
    to: String,
}

/// Groups of notices, by channel.
#[derive(Serialize, Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Off {
    /// `handling`, `messages` and `news`. All else always comes by mail: receipts, decisions, deadlines and work.
    #[schema(example = json!(["messages"]))]
    #[serde(default)]
    email: Vec<String>,
    /// `receipts`, `decisions`, `deadlines` and `work`: text messages that come beside the mail.
    #[schema(example = json!(["receipts"]))]
    #[serde(default)]
    sms: Vec<String>,
}

/// Read which notices reach the caller.
#[utoipa::path(get, path = "/api/v1/me/preferences", tag = "accounts", security(("bearer" = []), ("cookie" = [])),
    params(("If-None-Match" = Option<String>, Header)), responses(
    (status = 200, body = PreferencesView, headers(("ETag" = String, description = "The version, quoted; \"0\" for whoever never chose"))),
    (status = 304, description = "Still the version the caller has"),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (version, preferences) = state.preferences.of(&viewer.id).await?;
    if is_known(&headers, &etag(version)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag(version))]).into_response());
    }
    Ok(present(version, preferences))
}

/// Choose which notices reach the caller. What is left out is as if it was never chosen. Fine to repeat.
#[utoipa::path(put, path = "/api/v1/me/preferences", tag = "accounts", request_body = PreferencesView, security(("bearer" = []), ("cookie" = [])),
    params(("If-Match" = Option<String>, Header, description = "The version the caller saw; refused with 409 if it is another by now")), responses(
    (status = 200, body = PreferencesView, headers(("ETag" = String, description = "The new version, quoted"))),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`stale_version`: changed meanwhile; `current_version` and `ETag` say which it is"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named: `unknown_zone`, `required` (a zone), `not_a_time`, `quiet_all_day`, `not_a_language`, `unknown_group`, `mandatory` (cannot be switched off by mail), `never_sent` (not on this channel)"),
))]
pub(super) async fn choose(
    State(state): State<AppState>,
    viewer: Viewer,
    headers: HeaderMap,
    sent: Sent<PreferencesView>,
) -> Result<Response, Problem> {
    let seen = seen_version(&headers)?;
    let body = sent.under(|body| chosen(&body))?;
    let preferences = chosen(&body)?;
    let version = state.preferences.keep(&viewer.id, seen, &preferences).await?;
    tracing::info!(account = %viewer.id, version, "somebody chose which notices reach them");
    Ok(present(version, preferences))
}

fn chosen(body: &PreferencesView) -> Result<Preferences, Problem> {
    let off = |channel, names: &'_ [String]| -> Vec<(NoticeChannel, String)> {
        names.iter().map(|name| (channel, name.clone())).collect()
    };
    let off = [off(NoticeChannel::Email, &body.off.email), off(NoticeChannel::Sms, &body.off.sms)].concat();
    let typed = Typed {
        zone: body.zone.as_deref(),
        language: body.language.as_deref(),
        quiet_hours: body.quiet_hours.as_ref().map(|it| (it.from.as_str(), it.to.as_str())),
        digest_at: body.digest_at.as_deref(),
        off: off.iter().map(|(channel, name)| (*channel, name.as_str())).collect(),
    };
    read(&typed).map_err(refused)
}

fn refused(wrong: Vec<Wrong>) -> Problem {
    let detail = wrong.first().map(|(field, _, message)| format!("{field}: {message}")).unwrap_or_default();
    wrong
        .into_iter()
        .fold(Problem::invalid().detail(detail), |problem, (field, code, message)| problem.field(field, code, message))
}

fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

fn present(version: u64, preferences: Preferences) -> Response {
    let PreferencesSpec { zone, language, quiet_hours, digest_at, off } = preferences.into();
    let names = |channel| -> Vec<String> {
        off.get(&channel).into_iter().flatten().map(|group| group.name().to_owned()).collect()
    };
    let view = PreferencesView {
        zone,
        language,
        quiet_hours: quiet_hours.map(|it| QuietHours { from: it.from, to: it.to }),
        digest_at,
        off: Off { email: names(NoticeChannel::Email), sms: names(NoticeChannel::Sms) },
    };
    ([(ETAG, etag(version))], Json(view)).into_response()
}
