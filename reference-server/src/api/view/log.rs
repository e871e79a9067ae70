//! What happened to a complaint, and what was written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use complaint_core::complaint::{Complaint, Entry, Event};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::complaint::{AttachmentView, attachment};
use super::{Doer, Lens, Person};

/// One line of a log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryView {
    /// From 1 without gaps, in what this viewer sees.
    seq: u32,
    /// The version of the complaint it belongs to; left out for customers, whom gaps would tell of internal work.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    at: DateTime<Utc>,
    actor: Doer,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "assigned")]
    kind: String,
    /// Its facts.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
    /// Where the work was afterwards.
    status: &'static str,
    level: u8,
    handler: Option<Person>,
    /// What was typed.
    words: BTreeMap<String, String>,
}

/// One message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageView {
    at: DateTime<Utc>,
    from: Doer,
    /// `question`, `answer`, `message`, `decision`, `files`.
    kind: &'static str,
    /// Of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "upheld")]
    outcome: Option<&'static str>,
    /// Left out for admins, and where only files were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentView>,
}

impl Lens {
    /// The log, already filtered by the core for whoever acts.
    pub fn entry(&self, entry: &Entry) -> EntryView {
        let (kind, facts) = self.facts(&entry.event);
        let status = entry.place.status;
        EntryView {
            seq: entry.seq,
            version: self.audience.is_internal().then(|| entry.version.get()),
            at: entry.at,
            actor: self.doer(&entry.by),
            kind,
            facts,
            status: if self.audience.is_internal() { status } else { status.for_customer() }.name(),
            level: entry.place.level.get(),
            handler: entry.place.handler.as_ref().map(|handler| self.person(handler)),
            words: entry.words.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        }
    }

    /// A message of the conversation, if this entry of the log as whoever acts may see it is one.
    pub fn message(&self, complaint: &Complaint, entry: &Entry) -> Option<MessageView> {
        let (kind, word) = message_of(entry)?;
        let shown = if self.audience.reads_content() { entry.event.attachments() } else { &[] };
        let attachments = complaint
            .attachments
            .iter()
            .filter(|known| shown.iter().any(|file| file.id == known.id))
            .map(|file| attachment(complaint, file))
            .collect();
        Some(MessageView {
            at: entry.at,
            from: self.doer(&entry.by),
            kind,
            outcome: match &entry.event {
                Event::Resolved { outcome, .. } => Some(outcome.name()),
                _ => None,
            },
            text: entry.words.get(word).map(str::to_owned),
            attachments,
        })
    }

    /// The name of an event and its facts. For customers the facts are picked one by one: what is added to an event later stays inside
    /// until somebody decides otherwise.
    fn facts(&self, event: &Event) -> (String, Map<String, Value>) {
        let mut facts = match serde_json::to_value(event) {
            Ok(Value::Object(facts)) => facts,
            _ => Map::new(),
        };
        let kind = facts.remove("type").and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        if let Event::Proposed { remedies, .. } | Event::Resolved { remedies, .. } = event {
            let shown = facts.get_mut("remedies").and_then(Value::as_array_mut).into_iter().flatten();
            for (shown, remedy) in shown.zip(remedies) {
                shown["kind_label"] = json!(remedy.kind.label());
            }
        }
        if self.audience.is_internal() {
            // What a file is called are words, and stands beside the facts.
            for file in facts.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(file) = file.as_object_mut() {
                    file.remove("file_name");
                }
            }
            return (kind, facts);
        }
        let handler = match event {
            Event::Assigned { agent: to, .. } | Event::Reassigned { to, .. } => Some(self.agent_name(to)),
            _ => None,
        };
        let public = [
            "category",
            "wish",
            "purchase_date",
            "incident_date",
            "channel",
            "until",
            "outcome",
            "remedies",
            "remedy",
            "on",
            "score",
            "anonymous",
            "new_evidence",
            "unanswered",
            "reason",
            "clock",
            "clocks",
        ];
        facts.retain(|name, _| public.contains(&name.as_str()));
        // Of other events the cause is kept among staff.
        if let Event::Closed { cause } = event {
            facts.insert("cause".to_owned(), json!(cause));
        }
        if let Event::EndedElsewhere { how } = event {
            facts.insert("how".to_owned(), json!(how));
        }
        if let Some(handler) = handler {
            facts.insert("handler".to_owned(), json!({ "name": handler }));
        }
        (kind, facts)
    }
}

/// What kind of message an entry is, and the name of its text; none if it is no message.
pub fn message_of(entry: &Entry) -> Option<(&'static str, &'static str)> {
    Some(match &entry.event {
        Event::Asked => ("question", "text"),
        Event::Answered { .. } => ("answer", "text"),
        Event::Posted { .. } => ("message", "text"),
        Event::Resolved { .. } => ("decision", "explanation"),
        Event::Attached { .. } => ("files", "text"),
        _ => return None,
    })
}
