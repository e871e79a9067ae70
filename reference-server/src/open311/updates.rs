//! Service request updates, both ways, as FixMyStreet exchanges them.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use complaint_core::Party;
use complaint_core::complaint::{Complaint, Entry, Event};
use complaint_core::desk::Acting;
use complaint_core::lifecycle::{Command, CommandName};
use complaint_core::store::{PAGE_MAX, Query, Sort};
use complaint_core::text::{FIELD_MAX, line};

use super::answer::{Format, Node, answer};
use super::asked::{Asked, Span, instant};
use super::key::holder;
use super::requests::{LISTED_MAX, missing, status, unknown};
use crate::error::Problem;
use crate::extract::idempotency_key;
use crate::pages::form::Typed;
use crate::state::AppState;

/// The most logs that are read for one list: nothing says from outside which of the open ones hold anything of a span.
const LOGS_MAX: usize = 5000;
/// The longest id of an update, which also is what it is known again by.
const ID_MAX: usize = 100;

/// Lists what the organisation wrote to customers in a span of time, and what opened or ended a complaint, the earliest first. What
/// came from the customer is theirs already and no update.
pub(super) async fn list(
    State(state): State<AppState>,
    format: Format,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Asked::read(query.as_deref(), &["start_date", "end_date"])?;
    let (_, acting) = holder(&state, &headers, asked.key()).await?;
    let span = asked.span(state.desk.now())?;
    let updates = gathered(&acting, span, LOGS_MAX).await?;
    answer(format, StatusCode::OK, "service_request_updates", Node::List("request_update", updates))
}

/// The updates of a span, the earliest first, out of at most so many logs.
async fn gathered(acting: &Acting, span: Span, logs_max: usize) -> Result<Vec<Node>, Problem> {
    let mut query = Query {
        received_before: Some(span.before),
        sort: Sort::Oldest,
        limit: PAGE_MAX,
        ..Query::within(acting.scope())
    };
    let mut updates: Vec<(DateTime<Utc>, Node)> = Vec::new();
    let mut logs = 0;
    loop {
        let page = acting.list(query.clone()).await?;
        for complaint in page.items.iter().filter(|complaint| may_have_changed(complaint, span)) {
            logs += 1;
            // Left out silently, an update would never be seen there.
            if logs > logs_max {
                let said = format!(
                    "More than {logs_max} service requests would have to be looked through; use a key that sees fewer."
                );
                return Err(Problem::malformed("too_many", said.clone()).field("api_key", "too_many", said));
            }
            let log = acting.log(complaint.id).await?;
            updates.extend(within(span, complaint, &log));
            if updates.len() > LISTED_MAX {
                let said = "There are more than 1000 updates in this span; ask for a shorter one.";
                return Err(Problem::malformed("too_many", said).field("end_date", "too_many", said));
            }
        }
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    updates.sort_by_key(|(at, _)| *at);
    Ok(updates.into_iter().map(|(_, update)| update).collect())
}

/// Takes an update as a message to whoever handles the complaint; as the answer, if a question is open. Sent again with the same
/// `update_id` it is answered again and not posted again.
///
/// The status said there moves nothing here: what the customer may decide has commands of its own. It stands below the message.
pub(super) async fn post(
    State(state): State<AppState>,
    format: Format,
    headers: HeaderMap,
    typed: Typed,
) -> Result<Response, Problem> {
    let (_, acting) = holder(&state, &headers, typed.get("api_key")).await?;
    let sent = Sent::read(&typed)?;
    let key = idempotency_key(&headers)?.unwrap_or_else(|| format!("open311-update-{}", sent.id));
    let acting = acting
        .under_key(&key, typed.fingerprint())
        .map_err(|invalid| Problem::malformed("invalid_idempotency_key", invalid.to_string()))?;
    let complaint = acting.find(sent.number).await.map_err(|error| unknown(error, "service_request_id"))?;
    let post = Command::with_text(CommandName::Post, sent.message);
    let posted = acting.perform(complaint.id, post).await.map_err(|error| in_their_words(error.into()))?;
    let update = vec![("update_id", Node::Text(format!("{}.from.{}", posted.reference, sent.id)))];
    let updates = Node::List("request_update", vec![Node::Fields(update)]);
    answer(format, StatusCode::CREATED, "service_request_updates", updates)
}

/// Whether its log can hold anything of the span: what is finished stays as it is until it is opened again.
fn may_have_changed(complaint: &Complaint, span: Span) -> bool {
    !complaint.status.is_end() || complaint.status_since >= span.from
}

fn within(span: Span, complaint: &Complaint, log: &[Entry]) -> Vec<(DateTime<Utc>, Node)> {
    let mut found = Vec::new();
    let mut was_open = true;
    for entry in log {
        let is_open = entry.place.status.is_open();
        let by_customer = matches!(entry.by, Party::Customer(_));
        let words = words_of(entry).filter(|_| !by_customer);
        if span.holds(entry.at) && (words.is_some() || is_open != was_open) {
            let update = Node::Fields(vec![
                ("update_id", Node::Text(format!("{}.{}", complaint.reference, entry.seq))),
                ("service_request_id", Node::text(complaint.reference)),
                ("status", status(entry.place.status)),
                ("updated_datetime", Node::instant(entry.at)),
                ("description", Node::maybe(words)),
                ("media_url", Node::Nothing),
            ]);
            found.push((entry.at, update));
        }
        was_open = is_open;
    }
    found
}

/// What the customer is told in words. Picked one by one: what is added to the log later stays inside until somebody decides otherwise.
fn words_of(entry: &Entry) -> Option<&str> {
    let word = match &entry.event {
        Event::Asked | Event::Posted { .. } | Event::Dismissed { .. } | Event::Referred => "text",
        Event::Resolved { .. } => "explanation",
        _ => return None,
    };
    entry.words.get(word).filter(|words| !words.is_empty())
}

/// An update as it was sent.
struct Sent<'t> {
    number: &'t str,
    id: &'t str,
    message: String,
}

impl<'t> Sent<'t> {
    fn read(typed: &'t Typed) -> Result<Self, Problem> {
        const KNOWN: [&str; 17] = [
            "jurisdiction_id",
            "api_key",
            "service_request_id",
            "service_request_id_ext",
            "update_id",
            "update_id_ext",
            "updated_datetime",
            "status",
            "description",
            "media_url",
            "email",
            "first_name",
            "last_name",
            "title",
            "phone",
            "account_id",
            "public_anonymity_required",
        ];
        typed.only(|name| KNOWN.contains(&name))?;
        let number =
            typed.get("service_request_id").ok_or_else(|| missing("service_request_id", "Which one is it about?"))?;
        let id = typed.get("update_id").or_else(|| typed.get("update_id_ext"));
        let id = id.ok_or_else(|| missing("update_id", "By it a repetition is known."))?;
        if id.len() > ID_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            let wanted = format!("1 to {ID_MAX} visible ASCII characters.");
            return Err(Problem::invalid().field("update_id", "invalid", wanted));
        }
        if let Some(at) = typed.get("updated_datetime") {
            instant("updated_datetime", at)?;
        }
        for name in ["status", "media_url", "first_name", "last_name"] {
            let fault = typed.get(name).and_then(|value| line(value, FIELD_MAX).err());
            if let Some(fault) = fault {
                return Err(Problem::invalid().field(name, fault.code(), fault.to_string()));
            }
        }
        let said = typed.get("description").ok_or_else(|| missing("description", "What is there to tell?"))?;
        Ok(Self { number, id, message: message(typed, said) })
    }
}

/// What was written, and below it what came along.
fn message(typed: &Typed, said: &str) -> String {
    let anonymous = typed.get("public_anonymity_required").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let name: Vec<&str> = ["first_name", "last_name"].into_iter().filter_map(|part| typed.get(part)).collect();
    let along = [
        (
            "Status said there",
            typed.get("status").filter(|status| !status.eq_ignore_ascii_case("open")).map(str::to_owned),
        ),
        ("File", typed.get("media_url").map(str::to_owned)),
        ("Written by", Some(name.join(" ")).filter(|name| !anonymous && !name.is_empty())),
    ];
    let along = along.into_iter().filter_map(|(label, value)| Some(format!("{label}: {}", value?)));
    let along = along.collect::<Vec<_>>().join("\n");
    if along.is_empty() { said.to_owned() } else { format!("{said}\n\n{along}") }
}

fn in_their_words(mut problem: Problem) -> Problem {
    for fault in problem.errors.iter_mut().filter(|fault| fault.field == "text") {
        "description".clone_into(&mut fault.field);
    }
    problem
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use complaint_core::policy::Category;
    use complaint_core::store::MemoryStore;
    use complaint_core::{Actor, Desk, Policy};

    use super::*;

    #[tokio::test]
    async fn so_many_logs_are_read_and_no_more() {
        let category = Category::named("Water").expect("a category");
        let desk = Desk::new(MemoryStore::default(), Policy::standard().with_category(category));
        let john = desk.acting_as(Actor::customer("john").expect("a customer"));
        for _ in 0..3 {
            let complaint = Complaint::about("water", "No water", "All of Canal Street.").expect("a complaint");
            john.submit(complaint).await.expect("submitted");
        }
        let now = desk.now();
        let span = Span { from: now - TimeDelta::days(1), before: now + TimeDelta::days(1) };
        assert!(gathered(&john, span, 3).await.is_ok());
        let refused = gathered(&john, span, 2).await.expect_err("too many");
        assert_eq!((&*refused.code, &*refused.errors[0].field), ("too_many", "api_key"));
    }
}
