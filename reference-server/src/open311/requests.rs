//! Service requests: complaints, listed, read and handed in.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use axum::response::Response;
use complaint_core::DeskError;
use complaint_core::complaint::{Channel, Complaint, Contact, Item, Submission};
use complaint_core::id::CategoryKey;
use complaint_core::lifecycle::Status;
use complaint_core::store::{PAGE_MAX, Query, Sort};
use complaint_core::text::SUBJECT_MAX;

use super::BELOW;
use super::answer::{Format, Node, answer};
use super::asked::{Asked, Named};
use super::key::{Reader, holder};
use super::services::{no_service, service};
use crate::api::complaints::known_customer;
use crate::api::query::wrong;
use crate::auth::{Role, Viewer};
use crate::error::Problem;
use crate::extract::idempotency_key;
use crate::pages::form::Typed;
use crate::state::AppState;

/// The most that one answer lists, as the specification has it.
pub(super) const LISTED_MAX: usize = 1000;
/// The most numbers that are asked for at once.
const NUMBERS_MAX: usize = 100;

/// Where it is, and what was sent along, is kept as things that a complaint concerns, under these names.
const PLACES: [&str; 4] = ["lat", "long", "address", "address_id"];
const MEDIA: &str = "media_url";

/// Lists complaints, the newest first: those with the numbers given, else those received in a span of time.
pub(super) async fn list(
    State(state): State<AppState>,
    format: Format,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let known = ["service_request_id*", "service_code*", "status*", "start_date", "end_date"];
    let asked = Asked::read(query.as_deref(), &known)?;
    let reader = Reader::of(&state, &headers, asked.key()).await?;
    let found = match asked.list("service_request_id") {
        [] => searched(&state, &reader, &asked).await?,
        numbers if numbers.len() > NUMBERS_MAX => {
            return Err(wrong("service_request_id", "too_many", "At most 100 at once."));
        }
        numbers => numbered(&reader, numbers).await?,
    };
    shown(&state, &reader, format, &found).await
}

/// Reads one complaint.
pub(super) async fn show(
    State(state): State<AppState>,
    format: Format,
    Named(number): Named,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Asked::read(query.as_deref(), &[])?;
    let reader = Reader::of(&state, &headers, asked.key()).await?;
    let complaint = reader.acting.find(&number).await.map_err(|error| unknown(error, "service_request_id"))?;
    shown(&state, &reader, format, &[complaint]).await
}

/// The number of a complaint by its id.
pub(super) async fn of_token(
    State(state): State<AppState>,
    format: Format,
    Named(token): Named,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let asked = Asked::read(query.as_deref(), &[])?;
    let reader = Reader::of(&state, &headers, asked.key()).await?;
    let complaint = reader.acting.find(&token).await.map_err(|error| unknown(error, "token"))?;
    let request = vec![("service_request_id", Node::text(complaint.reference)), ("token", Node::Text(token))];
    answer(format, StatusCode::OK, "service_requests", Node::List("request", vec![Node::Fields(request)]))
}

/// Hands in a complaint. Sent again under the same `Idempotency-Key`, it is answered again and not made again.
pub(super) async fn submit(
    State(state): State<AppState>,
    format: Format,
    headers: HeaderMap,
    typed: Typed,
) -> Result<Response, Problem> {
    let (viewer, acting) = holder(&state, &headers, typed.get("api_key")).await?;
    let submission = submission(&state, &viewer, &typed).await?;
    let acting = match idempotency_key(&headers)? {
        Some(key) => acting
            .under_key(&key, typed.fingerprint())
            .map_err(|invalid| Problem::malformed("invalid_idempotency_key", invalid.to_string()))?,
        None => acting,
    };
    let items = submission.items.clone();
    let receipt = acting.submit(submission).await.map_err(|error| in_their_words(error.into(), &items))?;
    let request = Node::Fields(vec![("service_request_id", Node::text(receipt.reference()))]);
    let mut response = answer(format, StatusCode::CREATED, "service_requests", Node::List("request", vec![request]))?;
    let ending = if format == Format::Json { "json" } else { "xml" };
    if let Ok(location) = HeaderValue::from_str(&format!("{BELOW}/requests/{}.{ending}", receipt.reference())) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// 404 naming the parameter.
pub(super) fn unknown(error: DeskError, parameter: &str) -> Problem {
    match error {
        DeskError::NotFound => Problem::not_found().field(parameter, "unknown", "There is no such service request."),
        error => error.into(),
    }
}

/// Whether it still has to be decided: what the specification calls open.
pub(super) fn status(status: Status) -> Node {
    Node::text(if status.is_open() { "open" } else { "closed" })
}

/// Those of the numbers that the reader may see.
async fn numbered(reader: &Reader, numbers: &[String]) -> Result<Vec<Complaint>, Problem> {
    let mut found: Vec<Complaint> = Vec::new();
    for number in numbers {
        match reader.acting.find(number).await {
            Ok(complaint) if found.iter().all(|known| known.id != complaint.id) => found.push(complaint),
            Ok(_) | Err(DeskError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

async fn searched(state: &AppState, reader: &Reader, asked: &Asked) -> Result<Vec<Complaint>, Problem> {
    let span = asked.span(state.desk.now())?;
    let mut statuses = Vec::new();
    for value in asked.list("status") {
        match value.as_str() {
            "open" => statuses.extend(Status::OPEN),
            "closed" => statuses.extend(Status::ALL.into_iter().filter(|status| !status.is_open())),
            _ => return Err(wrong("status", "unknown_value", "Either open or closed.")),
        }
    }
    let policy = state.desk.policy();
    let mut categories: BTreeSet<Option<CategoryKey>> = BTreeSet::new();
    for code in asked.list("service_code") {
        categories.insert(Some(service(&policy, code).ok_or_else(no_service)?.key.clone()));
    }
    if categories.is_empty() {
        categories.insert(None);
    }
    let mut found = Vec::new();
    for category in categories {
        let mut query = Query {
            statuses: statuses.clone(),
            category,
            received_from: Some(span.from),
            received_before: Some(span.before),
            sort: Sort::Newest,
            limit: PAGE_MAX,
            ..Query::within(reader.acting.scope())
        };
        let mut taken = 0;
        while taken < LISTED_MAX {
            let page = reader.acting.list(query.clone()).await?;
            taken += page.items.len();
            found.extend(page.items);
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
    }
    found.sort_by_key(|complaint: &Complaint| std::cmp::Reverse((complaint.received_at, complaint.id)));
    found.truncate(LISTED_MAX);
    Ok(found)
}

async fn shown(
    state: &AppState,
    reader: &Reader,
    format: Format,
    complaints: &[Complaint],
) -> Result<Response, Problem> {
    let without_promise = reader.acting.without_promise(complaints).await?;
    let (policy, now) = (state.desk.policy(), state.desk.now());
    let requests = complaints.iter().map(|complaint| {
        let service = policy.category(&complaint.category);
        let expected = complaint.promised(now).filter(|_| !without_promise.contains(&complaint.id));
        let theirs = |text: Option<&str>| Node::maybe(text.filter(|text| !reader.is_anybody && !text.is_empty()));
        let item = |kind: &str| complaint.items.iter().find(|item| item.kind == kind).map(|item| item.key.as_str());
        let degrees = |kind| match theirs(item(kind)) {
            Node::Text(text) => text.parse().map_or(Node::Nothing, Node::Number),
            node => node,
        };
        Node::Fields(vec![
            ("service_request_id", Node::text(complaint.reference)),
            ("status", status(complaint.status)),
            ("status_notes", Node::text(complaint.status.customer_label())),
            ("service_name", Node::maybe(service.map(|service| &service.name))),
            ("service_code", Node::text(&complaint.category)),
            ("description", theirs(Some(&complaint.description))),
            ("requested_datetime", Node::instant(complaint.received_at)),
            ("updated_datetime", Node::instant(complaint.public_status_since)),
            ("expected_datetime", expected.and_then(|deadline| deadline.due_at).map_or(Node::Nothing, Node::instant)),
            ("address", theirs(item("address"))),
            ("address_id", theirs(item("address_id"))),
            ("zipcode", Node::Nothing),
            ("lat", degrees("lat")),
            ("long", degrees("long")),
            ("media_url", theirs(item(MEDIA))),
        ])
    });
    answer(format, StatusCode::OK, "service_requests", Node::List("request", requests.collect()))
}

/// What is handed in. The specification has no subject: the first line of the description is also that.
async fn submission(state: &AppState, viewer: &Viewer, typed: &Typed) -> Result<Submission, Problem> {
    only_known(typed)?;
    let code = typed.get("service_code").ok_or_else(|| missing("service_code", "GET services lists them."))?;
    let policy = state.desk.policy();
    let category = service(&policy, code).filter(|category| category.active).ok_or_else(no_service)?;
    let description = typed.raw("description");
    let mut submission = Complaint::about(category.key.as_str(), subject_of(description), description)
        .map_err(|invalid| Problem::internal(&invalid))?;
    submission.channel = Channel::Open311;
    submission.items = place(typed)?;
    submission.items.extend(typed.get(MEDIA).map(|url| Item { kind: MEDIA.to_owned(), key: url.to_owned() }));
    let name: Vec<&str> = ["first_name", "last_name"].into_iter().filter_map(|part| typed.get(part)).collect();
    submission.contact = Contact {
        name: Some(name.join(" ")).filter(|name| !name.is_empty()),
        email: typed.get("email").map(str::to_owned),
        phone: typed.get("phone").map(str::to_owned),
        address: None,
    };
    let answers = typed.fields().filter_map(|(name, value)| Some((attribute(name)?.to_owned(), value.to_owned())));
    submission.answers = answers.filter(|(_, value)| !value.trim().is_empty()).collect();
    if viewer.role == Role::Agent {
        let email = typed.get("email").ok_or_else(|| missing("email", "Whose complaint an agent takes down."))?;
        let customer = known_customer(state, Some(email)).await;
        submission.customer = Some(customer.map_err(|problem| in_their_words(problem, &[]))?);
    }
    Ok(submission)
}

fn only_known(typed: &Typed) -> Result<(), Problem> {
    const KNOWN: [&str; 15] = [
        "jurisdiction_id",
        "api_key",
        "service_code",
        "lat",
        "long",
        "address_string",
        "address_id",
        "email",
        "device_id",
        "account_id",
        "first_name",
        "last_name",
        "phone",
        "description",
        MEDIA,
    ];
    typed.only(|name| KNOWN.contains(&name) || attribute(name).is_some())
}

/// The code in `attribute[code]`.
fn attribute(name: &str) -> Option<&str> {
    name.strip_prefix("attribute[")?.strip_suffix(']')
}

pub(super) fn missing(field: &str, message: &str) -> Problem {
    Problem::invalid().field(field, "missing", format!("This is needed. {message}"))
}

/// Where it is, by coordinates (WGS 84), an address or the id of one; one of them is needed.
fn place(typed: &Typed) -> Result<Vec<Item>, Problem> {
    let mut problem = Problem::invalid();
    for (name, most) in [("lat", 90.0), ("long", 180.0)] {
        let other = if name == "lat" { "long" } else { "lat" };
        let message = format!("A number of degrees from -{most} to {most}, as in 51.5074.");
        match typed.get(name) {
            // As JSON writes numbers, which is how it is answered.
            Some(value) if !is_degrees(value, most) => problem = problem.field(name, "invalid", message),
            None if typed.get(other).is_some() => {
                problem = problem.field(name, "missing", "Both lat and long are needed, or none.");
            }
            _ => {}
        }
    }
    let sent = ["lat", "long", "address_string", "address_id"].map(|name| typed.get(name));
    if sent.iter().all(Option::is_none) {
        problem = problem.field("lat", "missing", "Where is it? Give lat and long, address_string or address_id.");
    }
    if !problem.errors.is_empty() {
        return Err(problem);
    }
    let item = |(kind, key): (&str, Option<&str>)| Some(Item { kind: kind.to_owned(), key: key?.to_owned() });
    Ok(PLACES.into_iter().zip(sent).filter_map(item).collect())
}

fn is_degrees(value: &str, most: f64) -> bool {
    value.parse::<serde_json::Number>().ok().and_then(|number| number.as_f64()).is_some_and(|it| it.abs() <= most)
}

/// The first line with something on it, cut at a word.
fn subject_of(description: &str) -> String {
    let first = description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let first = first.replace('\t', " ");
    if first.chars().count() <= SUBJECT_MAX {
        return first;
    }
    let cut: String = first.chars().take(SUBJECT_MAX - 1).collect();
    let end = cut.rfind(' ').filter(|end| *end > 0).unwrap_or(cut.len());
    format!("{}…", &cut[..end])
}

/// A refusal by the names of their fields.
fn in_their_words(mut problem: Problem, items: &[Item]) -> Problem {
    // The subject is made of the description, and what is wrong with it is said of that.
    if problem.errors.iter().any(|fault| fault.field == "description") {
        problem.errors.retain(|fault| fault.field != "subject");
    }
    for fault in &mut problem.errors {
        let theirs = match fault.field.as_str() {
            "category" => "service_code".to_owned(),
            "subject" => "description".to_owned(),
            "customer" => "email".to_owned(),
            "contact.name" => "first_name".to_owned(),
            field => {
                match (field.strip_prefix("answers."), field.strip_prefix("items."), field.strip_prefix("contact.")) {
                    (Some(code), ..) => format!("attribute[{code}]"),
                    (_, Some(item), _) => {
                        let at = item.split('.').next().and_then(|at| at.parse::<usize>().ok());
                        match at.and_then(|at| items.get(at)).map(|item| item.kind.as_str()) {
                            Some("address") => "address_string".to_owned(),
                            Some(kind) => kind.to_owned(),
                            None => field.to_owned(),
                        }
                    }
                    (_, _, Some(field)) => field.to_owned(),
                    _ => continue,
                }
            }
        };
        fault.field = theirs;
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_first_line_cut_at_a_word() {
        assert_eq!(subject_of("\n  A pit \t in the road\nSince Monday."), "A pit   in the road");
        assert_eq!(subject_of(" \n"), "");
        let long = subject_of(&"wörd ".repeat(60));
        assert!(long.ends_with("wörd…") && long.chars().count() <= SUBJECT_MAX, "{long}");
        let one = subject_of(&"ö".repeat(500));
        assert_eq!((one.chars().count(), one.ends_with("ö…")), (SUBJECT_MAX, true));
    }
}
