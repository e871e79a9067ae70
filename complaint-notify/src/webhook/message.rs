//! What a program is told: facts of an event, never words.

use chrono::{DateTime, SecondsFormat, Utc};
use complaint_core::NotifyError;
use complaint_core::id::{AgentId, CategoryKey, ComplaintId, Level, Version};
use complaint_core::lifecycle::Status;
use complaint_core::notice::Notice;
use complaint_core::reference::Reference;
use serde::Serialize;
use uuid::Uuid;

/// A message to an endpoint. Sent again it is the same, byte for byte, under the same id; only time and signature are new.
///
/// ```
/// use complaint_notify::WebhookMessage;
///
/// let message = WebhookMessage::ping(uuid::Uuid::nil(), "2026-11-21T09:30:00Z".parse()?);
/// assert_eq!(message.id(), "msg_00000000000000000000000000000000");
/// assert_eq!(message.body(), r#"{"type":"ping","timestamp":"2026-11-21T09:30:00.000000Z","data":{}}"#);
/// assert_eq!(WebhookMessage::again(message.id(), message.body()), message);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookMessage {
    id: String,
    body: String,
}

impl WebhookMessage {
    /// What a notice to an endpoint says:
    ///
    /// | field | |
    /// |---|---|
    /// | `type` | `complaint.` and the name of the [event](complaint_core::complaint::EventName) |
    /// | `timestamp` | when it happened, RFC 3339 in UTC |
    /// | `data.complaint`, `data.reference` | which complaint |
    /// | `data.seq`, `data.version` | place in its log, and its version: they put messages in order |
    /// | `data.status`, `data.level`, `data.handler` | where the work is since then; the id of whoever holds it, or null |
    /// | `data.category` | what it is about |
    /// | `data.by` | in which role somebody did it |
    ///
    /// # Errors
    /// [`NotifyError::Never`] for a notice that tells of no event.
    pub fn about(notice: &Notice) -> Result<Self, NotifyError> {
        let Some(it) = &notice.happening else {
            return Err(NotifyError::Never("the notice tells of no event".to_owned()));
        };
        let facts = Facts {
            complaint: notice.complaint,
            reference: notice.reference,
            seq: it.seq,
            version: it.version,
            status: notice.status,
            level: notice.level,
            handler: notice.handler.as_ref(),
            category: &it.category,
            by: &it.by,
        };
        Ok(Self::of(notice.id.as_uuid(), &format!("complaint.{}", it.event), notice.planned_at, facts))
    }

    /// One that says nothing, to see whether an endpoint answers.
    pub fn ping(id: Uuid, at: DateTime<Utc>) -> Self {
        Self::of(id, "ping", at, Nothing {})
    }

    /// One that was kept, to be sent once more.
    pub fn again(id: impl Into<String>, body: impl Into<String>) -> Self {
        Self { id: id.into(), body: body.into() }
    }

    /// Its id, the same whenever it is sent: `msg_` and 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it says, as JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    fn of(id: Uuid, kind: &str, at: DateTime<Utc>, data: impl Serialize) -> Self {
        let body = Body { kind, timestamp: at.to_rfc3339_opts(SecondsFormat::Micros, true), data };
        // Texts and numbers under fixed names: nothing that could fail.
        Self { id: format!("msg_{}", id.simple()), body: serde_json::to_string(&body).unwrap_or_default() }
    }
}

/// In an order of its own, whatever order JSON objects have elsewhere.
#[derive(Serialize)]
struct Body<'a, D> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: D,
}

#[derive(Serialize)]
struct Facts<'a> {
    complaint: ComplaintId,
    reference: Reference,
    seq: u32,
    version: Version,
    status: Status,
    level: Level,
    handler: Option<&'a AgentId>,
    category: &'a CategoryKey,
    by: &'a str,
}

#[derive(Serialize)]
struct Nothing {}
