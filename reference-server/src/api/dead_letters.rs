//! `/api/v1/dead-letters`: what could not be delivered, and sending it again.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use complaint_core::DeskError;
use complaint_core::id::NoticeId;
use complaint_core::notice::{DeadNotice, Recipient};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::{cursor, encoded, page};
use crate::auth::{Admin, Role, Viewer};
use crate::error::{Problem, printable};
use crate::extract::{ApiPath, Unkeyed};
use crate::preferences::kept::DeadDigest;
use crate::state::AppState;

const PAGE_MAX: u16 = 100;
const PAGE: u16 = 25;

/// A page of notices that were given up, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetters {
    items: Vec<DeadLetter>,
    /// Daily letters that were given up, the latest first, at most 100; on the first page alone.
    digests: Vec<DeadLetter>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// Something that could not be delivered: no words of people.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    #[schema(example = "01900000-0000-7000-8000-000000000007")]
    pub(crate) id: String,
    /// What it would have told, such as `decision`; `digest` for a daily letter.
    #[schema(example = "decision")]
    pub(crate) kind: String,
    /// `email`, `sms` or `webhook`.
    pub(crate) channel: String,
    /// `customer`, `agent`, `level`, `admins` or `endpoint`.
    pub(crate) to: String,
    /// Which customer, agent, level or endpoint.
    pub(crate) to_id: Option<String>,
    /// Which complaints it is about.
    #[schema(example = json!(["C7KQ-2M9X-B"]))]
    pub(crate) references: Vec<String>,
    pub(crate) attempts: u32,
    pub(crate) given_up_at: DateTime<Utc>,
    pub(crate) why: String,
}

/// List what could not be delivered. Admins and auditors.
#[utoipa::path(get, path = "/api/v1/dead-letters", tag = "dead letters", security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"), ("cursor" = Option<String>, Query)), responses(
    (status = 200, body = DeadLetters),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<DeadLetters>, Problem> {
    if !matches!(viewer.role, Role::Admin | Role::Auditor) {
        return Err(Problem::forbidden().detail("Dead letters are for admins and auditors."));
    }
    let place = |value: &str| cursor(value, |id| id.parse::<NoticeId>().ok());
    let page = page(query.as_deref(), PAGE, PAGE_MAX, place, |_, _| Ok(false))?;
    let below = page.cursor;
    let mut found = notices(&state, below, u32::from(page.limit) + 1).await?;
    let more = found.len() > usize::from(page.limit);
    found.truncate(page.limit.into());
    let next = found.last().filter(|_| more).map(|last| encoded(&last.notice.id.to_string()));
    let digests = if below.is_none() { state.preferences.dead().await? } else { Vec::new() };
    Ok(Json(DeadLetters {
        items: found.into_iter().map(DeadLetter::from).collect(),
        digests: digests.into_iter().map(DeadLetter::from).collect(),
        next,
    }))
}

/// Have it sent again, at the next round, with as many tries as at first. Admins.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/redeliver", tag = "dead letters", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 202, description = "It waits to be sent"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none: it was never given up, or waits again already"),
))]
pub(crate) async fn redeliver(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    _unkeyed: Unkeyed,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    revive(&state, &viewer, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Notices that were given up, newest first.
pub(crate) async fn notices(state: &AppState, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, Problem> {
    Ok(state.desk.store().dead(below, limit).await.map_err(DeskError::from)?)
}

/// Has a notice or a daily letter wait again.
pub(crate) async fn revive(state: &AppState, viewer: &Viewer, id: &str) -> Result<(), Problem> {
    let notice: NoticeId = id.parse().map_err(|_| Problem::not_found())?;
    let revived = state.desk.store().revive(notice, state.clock.now()).await.map_err(DeskError::from)?;
    if !revived && !state.preferences.revive(id).await? {
        return Err(Problem::not_found());
    }
    tracing::info!(by = %viewer.id, letter = id, "a dead letter is sent again");
    Ok(())
}

impl From<DeadNotice> for DeadLetter {
    fn from(dead: DeadNotice) -> Self {
        let DeadNotice { notice, attempts, given_up_at, why } = dead;
        let (to, to_id) = addressee(&notice.recipient);
        let kind = serde_json::to_value(notice.kind).ok();
        let kind = kind.and_then(|kind| kind.get("kind")?.as_str().map(str::to_owned));
        Self {
            id: notice.id.to_string(),
            kind: kind.unwrap_or_default(),
            channel: notice.channel.name().to_owned(),
            to,
            to_id,
            references: vec![notice.reference.to_string()],
            attempts,
            given_up_at,
            why: printable(&why),
        }
    }
}

impl From<DeadDigest> for DeadLetter {
    fn from(dead: DeadDigest) -> Self {
        let DeadDigest { digest, given_up_at, why } = dead;
        let to = digest.notices.first().map(|notice| addressee(&notice.recipient));
        let (to, _) = to.unwrap_or_default();
        let references: std::collections::BTreeSet<String> =
            digest.notices.iter().map(|notice| notice.reference.to_string()).collect();
        Self {
            id: digest.letter,
            kind: "digest".to_owned(),
            channel: "email".to_owned(),
            to,
            to_id: Some(digest.account_id),
            references: references.into_iter().collect(),
            attempts: digest.attempt,
            given_up_at,
            why,
        }
    }
}

fn addressee(recipient: &Recipient) -> (String, Option<String>) {
    let (role, id) = match recipient {
        Recipient::Customer(id) => ("customer", Some(id.to_string())),
        Recipient::Agent(id) => ("agent", Some(id.to_string())),
        Recipient::Level { level, .. } => ("level", Some(level.to_string())),
        Recipient::Admins => ("admins", None),
        Recipient::Endpoint(id) => ("endpoint", Some(id.to_string())),
    };
    (role.to_owned(), id)
}
