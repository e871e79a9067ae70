//! What a customer sees: their complaints, handing one in, the receipt.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::NaiveDate;
use complaint_core::DeskError;
use complaint_core::actor::Actor;
use complaint_core::complaint::{Complaint, Contact, Submission, Wish};
use complaint_core::deadline::ClockKind;
use complaint_core::desk::{Acting, Receipt};
use complaint_core::id::{CategoryKey, ComplaintId};
use complaint_core::lifecycle::{CommandName, Context, Field as FieldName, Refusal, Status};
use complaint_core::policy::{Category, Policy};
use complaint_core::routing::Roster;
use complaint_core::store::{Cursor, Page, Query, Scope, Sort, search_words};
use complaint_core::text::SUBJECT_MAX;
use serde::Deserialize;

use super::complaint::{agent_names, load};
use super::form::{Choice, Control, Fault, Field, Summary, Typed, and_more, filled};
use super::words::{Names, Tag, When, category_name, customer_status, fault_of, left, owed};
use super::{Answer, Me, Person, look_through, page, see, upload};
use crate::api::attachments::{Taken, attach};
use crate::api::view::submission::SAID;
use crate::auth::{Role, Viewer};
use crate::error::{Problem, chain};
use crate::extract::{ApiPath, ApiQuery};
use crate::files::to_its_end;
use crate::state::AppState;

/// How many of those that wait for the customer stand first; the rest in its turn.
const WAITING_MAX: usize = 25;

/// Whether the form for a new complaint has this field, the questions of the category apart.
pub(super) fn is_field(name: &str) -> bool {
    ["key", "follows"].contains(&name) || SAID.contains(&name)
}

/// `/complaints`, `/complaints/new`, `/complaints/{reference}/receipt`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/complaints", get(list))
        .route("/complaints/new", get(show_new).post(submit))
        .route("/complaints/{reference}/receipt", get(receipt))
}

struct Row {
    reference: String,
    subject: String,
    category: String,
    status: Tag,
    owed: Option<Tag>,
    received: When,
    promised: Option<(When, Tag)>,
    broken: Option<When>,
    waits_for_you: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "customer/list.html")]
struct ListPage {
    me: Me,
    text: String,
    /// Whether it has words to look for.
    searchable: bool,
    rows: Vec<Row>,
    next: Option<String>,
    waiting: Option<String>,
}

#[derive(Template)]
#[template(path = "customer/choose.html")]
struct ChoosePage {
    me: Me,
    /// The address of the form.
    form: &'static str,
    categories: Vec<(String, String, String)>,
    follows: String,
}

#[derive(Template)]
#[template(path = "customer/new.html")]
struct NewPage {
    me: Me,
    /// The address that mail goes to; none for a guest, who types one.
    account: Option<String>,
    /// The address of the form, and of where its category is chosen.
    form: &'static str,
    choice: &'static str,
    category: Option<Category>,
    follows: String,
    key: String,
    summary: Summary,
    about: Vec<Field>,
    questions: Vec<Field>,
    details: Vec<Field>,
    contact: Vec<Field>,
    /// Not for a guest: files of strangers are not kept before anybody has confirmed.
    files: Option<Field>,
    files_lost: bool,
}

#[derive(Template)]
#[template(path = "customer/receipt.html")]
struct ReceiptPage {
    me: Me,
    reference: String,
    subject: String,
    received: When,
    handler: Option<String>,
    files: usize,
    files_refused: bool,
    first_response: Option<When>,
    decision: Option<When>,
    statutory: Option<When>,
    email: String,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
struct NewQuery {
    #[serde(default)]
    category: String,
    #[serde(default)]
    follows: String,
}

#[derive(Deserialize)]
struct ReceiptQuery {
    #[serde(default)]
    files: String,
}

async fn list(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<ListQuery>) -> Answer {
    person.must_be(&[Role::Customer])?;
    let acting = state.acting(&person.0).await?;
    let text = query.q.trim().to_owned();
    let sort = if text.is_empty() { Sort::default() } else { Sort::Relevance };
    let after = match query.after.as_str() {
        "" => None,
        cursor => {
            let cursor = cursor.parse::<Cursor>().ok().filter(|cursor| cursor.sort == sort);
            Some(cursor.ok_or_else(Problem::not_found)?)
        }
    };
    let first = after.is_none() && text.is_empty();
    let searchable = text.is_empty() || !search_words(&text).is_empty();
    let wanted = Query { text: (!text.is_empty()).then(|| text.clone()), sort, after, ..Query::within(Scope::All) };
    let found = if searchable { acting.list(wanted).await? } else { Page { items: Vec::new(), next: None } };
    let (policy, now) = (state.desk.policy(), state.desk.now());
    let context = Context::new(&policy, now);
    let waits_for_you = |complaint: &Complaint| waits_for_customer(complaint, acting.actor(), &context);
    // What waits for the customer comes first, however old it is.
    let statuses = [&Status::OPEN[..], &[Status::Resolved]].concat();
    let asking = Query { statuses, ..Query::within(Scope::All) };
    let mut waiting = Vec::new();
    let mut waiting_count = None;
    if first {
        let found = look_through(&acting, asking, usize::MAX, |it| waits_for_you(it).is_some()).await?;
        waiting_count = Some(found.count(|_| true)).filter(|count| count != "0");
        waiting = found.items;
        waiting.truncate(WAITING_MAX);
    }
    let members = state.desk.store().roster().await.map_err(DeskError::from)?;
    let names = Names { agents: agent_names(&Roster { members, ..Roster::default() }), ..Names::default() };
    // What waits for the customer is in nobody's queue.
    let without_promise = acting.without_promise(&found.items).await?;
    let mut survivors = BTreeMap::new();
    for survivor in found.items.iter().filter_map(|complaint| complaint.merged_into) {
        if let Ok(complaint) = acting.read(survivor).await {
            survivors.insert(survivor, complaint.reference);
        }
    }
    let joined_to = |complaint: &Complaint| complaint.merged_into.and_then(|id| survivors.get(&id).copied());
    let row = |complaint: &Complaint| Row {
        reference: complaint.reference.to_string(),
        subject: complaint.subject.clone(),
        category: category_name(&policy, &complaint.category),
        status: customer_status(complaint, &names, joined_to(complaint)),
        owed: owed(complaint),
        received: When(complaint.received_at),
        promised: complaint
            .promised(now)
            .filter(|_| complaint.status.is_open() && !without_promise.contains(&complaint.id))
            .and_then(|deadline| deadline.due_at)
            .map(|at| (When(at), left(at, None, now))),
        broken: complaint
            .broken_promise(now)
            .filter(|_| complaint.status.is_open())
            .and_then(|deadline| deadline.due_at)
            .map(When),
        waits_for_you: waits_for_you(complaint),
    };
    let others = found.items.iter().filter(|complaint| waiting.iter().all(|known| known.id != complaint.id));
    let rows: Vec<Row> = waiting.iter().chain(others).map(row).collect();
    let me = Me::at(&person.0, acting.actor().level(), &state, "/complaints");
    let next = found.next.map(|cursor| cursor.to_string());
    page(StatusCode::OK, &ListPage { me, text, searchable, rows, next, waiting: waiting_count })
}

async fn show_new(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<NewQuery>) -> Answer {
    person.must_be(&[Role::Customer])?;
    let policy = state.desk.policy();
    let follows = followed(&query.follows);
    if let Some(category) = category(&policy, &query.category) {
        return new_page(&state, Some(&person.0), StatusCode::OK, Some(category), &follows, None, &[], false);
    }
    choose_page(&state, Some(&person.0), follows)
}

/// Where a category is chosen.
pub(super) fn choose_page(state: &AppState, viewer: Option<&Viewer>, follows: String) -> Answer {
    let policy = state.desk.policy();
    let categories = policy.categories.iter().filter(|category| category.active);
    let categories = categories
        .map(|category| (category.key.to_string(), category.name.clone(), category.description.clone()))
        .collect();
    let (me, form) = match viewer {
        Some(viewer) => (Me::at(viewer, None, state, "/complaints/new"), "/complaints/new"),
        None => (Me::nobody(state), "/guest/new"),
    };
    page(StatusCode::OK, &ChoosePage { me, form, categories, follows })
}

async fn submit(State(state): State<AppState>, person: Person, request: Request) -> Answer {
    person.must_be(&[Role::Customer])?;
    let sent = upload::read(&state, request).await?;
    let typed = &sent.typed;
    let policy = state.desk.policy();
    let follows = followed(typed.raw("follows"));
    let Some(category) = category(&policy, typed.raw("category")) else {
        typed.only(|name| is_field(name) || name.starts_with("answers."))?;
        let lost = !sent.files.is_empty() || !sent.faults.is_empty();
        return choose_anew(&state, Some(&person.0), &policy, &follows, typed, lost);
    };
    typed.only(|name| {
        let question = |key| category.questions.iter().any(|question| question.key == key);
        is_field(name) || name.strip_prefix("answers.").is_some_and(question)
    })?;
    let chosen = !sent.files.is_empty() || !sent.faults.is_empty();
    let again = |status, faults: &[Fault]| {
        new_page(&state, Some(&person.0), status, Some(category), &follows, Some(typed), faults, chosen)
    };
    let acting = state.acting(&person.0).await?;
    let (submission, mut faults) = submission(category, typed);
    faults.extend(sent.faults.iter().cloned());
    let in_words = |refusal: &Refusal| -> Vec<Fault> {
        refusal.failed.iter().map(|failed| fault_of(failed, |field| label_of(category, field))).collect()
    };
    let finished = if follows.is_empty() { None } else { Some(acting.find(&follows).await?.id) };
    if !faults.is_empty() {
        let refusal = match finished {
            None => acting.would_refuse_submission(&submission).await?,
            Some(finished) => acting.would_refuse_follow_up(finished, &submission, None).await?,
        };
        let more = refusal.as_ref().map(in_words).unwrap_or_default();
        return again(StatusCode::UNPROCESSABLE_ENTITY, &and_more(faults, more));
    }
    let repeatable = match typed.get("key") {
        Some(key) => acting.clone().under_key(key, typed.fingerprint()).map_err(DeskError::from)?,
        None => acting.clone(),
    };
    let handed_in = to_its_end(hand_in(acting, repeatable, finished, submission, sent.files)).await;
    let (receipt, files_refused) = match handed_in {
        Ok(done) => done,
        Err(DeskError::Refused(refusal)) => {
            return again(StatusCode::UNPROCESSABLE_ENTITY, &in_words(&refusal));
        }
        Err(DeskError::KeyReused) => {
            let said =
                "You have sent this form already, with other words. If you mean a second complaint, send it once more.";
            return again(StatusCode::CONFLICT, &[Fault::of("", said)]);
        }
        Err(error) => return Err(error.into()),
    };
    let refused = if files_refused { "?files=refused" } else { "" };
    let address = format!("/complaints/{}/receipt{refused}", receipt.reference());
    state.poke();
    Ok(see(&address).into_response())
}

/// The form again, to choose a category that is offered: one that went out of use takes no words along. Other categories ask other
/// questions, so the answers go where they stay, behind the description.
pub(super) fn choose_anew(
    state: &AppState,
    viewer: Option<&Viewer>,
    policy: &Policy,
    follows: &str,
    typed: &Typed,
    files_lost: bool,
) -> Answer {
    let chosen = CategoryKey::new(typed.raw("category")).ok();
    let gone = chosen.as_ref().and_then(|key| policy.category(key));
    let said = match gone {
        Some(gone) => {
            format!("“{}” is not offered any more. Choose another category; what you typed is still here.", gone.name)
        }
        None => "Choose a category that is offered.".to_owned(),
    };
    let answers = typed.fields().filter_map(|(name, answer)| {
        let key = name.strip_prefix("answers.").filter(|_| !answer.trim().is_empty())?;
        let question = gone.and_then(|gone| gone.questions.iter().find(|question| question.key == key));
        Some(format!("{}\n{answer}", question.map_or(key, |question| &question.label)))
    });
    let description =
        std::iter::once(typed.raw("description").to_owned()).chain(answers).collect::<Vec<_>>().join("\n\n");
    let typed = typed.clone().with("description", description).with("category", "");
    let faults = [Fault::of("category", said)];
    new_page(state, viewer, StatusCode::UNPROCESSABLE_ENTITY, None, follows, Some(&typed), &faults, files_lost)
}

/// Hands a complaint in, then its files: the complaint stands even if they cannot be added, which the second value says.
///
/// Whoever sends the form again because the answer got lost has their files added if that failed, or was never tried.
async fn hand_in(
    acting: Acting,
    repeatable: Acting,
    follows: Option<ComplaintId>,
    submission: Submission,
    files: Vec<Taken>,
) -> Result<(Receipt, bool), DeskError> {
    let receipt = match follows {
        None => repeatable.submit(submission).await?,
        Some(finished) => repeatable.follow_up(finished, submission).await?,
    };
    // A repetition answers with the complaint as it was at first.
    let has_files = receipt.is_repeated() && !acting.read(receipt.id()).await?.attachments.is_empty();
    if files.is_empty() || has_files {
        return Ok((receipt, false));
    }
    let attached = attach(acting, receipt.id(), files, None).await;
    if let Err(error) = &attached {
        tracing::warn!(complaint = %receipt.id(), error = %chain(error), "the files of a new complaint were not added");
    }
    Ok((receipt, attached.is_err()))
}

async fn receipt(
    State(state): State<AppState>,
    person: Person,
    ApiPath(reference): ApiPath<String>,
    ApiQuery(query): ApiQuery<ReceiptQuery>,
) -> Answer {
    person.must_be(&[Role::Customer])?;
    let loaded = load(&state, &person.0, &reference).await?;
    let complaint = &loaded.complaint;
    let kept = !loaded.without_promise;
    let due = |clock| complaint.deadline(clock).and_then(|it| it.due_at).filter(|_| kept).map(When);
    page(
        StatusCode::OK,
        &ReceiptPage {
            me: Me::at(&person.0, None, &state, "/complaints"),
            reference: complaint.reference.to_string(),
            subject: complaint.subject.clone(),
            received: When(complaint.received_at),
            handler: complaint.handler.as_ref().map(|agent| loaded.names.agent(agent)),
            files: complaint.attachments.len(),
            files_refused: query.files == "refused" && complaint.attachments.is_empty(),
            first_response: due(ClockKind::FirstResponse),
            decision: due(ClockKind::Resolution),
            statutory: due(ClockKind::Statutory),
            email: person.0.email.clone(),
        },
    )
}

/// What the customer should do next, if anything waits for them.
fn waits_for_customer(complaint: &Complaint, customer: &Actor, context: &Context<'_>) -> Option<&'static str> {
    if complaint.question.is_some() {
        return Some("Answer our question");
    }
    complaint.resolution().filter(|it| it.accepted_at.is_none())?;
    let available = complaint.available_commands(customer, context);
    // Nobody is invited to what takes evidence that nobody has seen.
    let offered = |command| {
        available.iter().any(|it| it.command == command && it.allowed && !it.required.contains(&FieldName::NewEvidence))
    };
    match (complaint.status, offered(CommandName::Accept), offered(CommandName::Contest)) {
        (Status::Resolved, true, true) => Some("Accept or contest the decision"),
        (Status::Resolved, true, false) => Some("Accept the decision"),
        _ => None,
    }
}

pub(super) fn category<'a>(policy: &'a Policy, key: &str) -> Option<&'a Category> {
    let key = CategoryKey::new(key).ok()?;
    policy.category(&key).filter(|category| category.active)
}

/// The reference of the finished complaint that this one follows, as people write it; nothing if it is none.
fn followed(typed: &str) -> String {
    let reference = typed.parse::<complaint_core::reference::Reference>();
    reference.map_or_else(|_| String::new(), |reference| reference.to_string())
}

#[expect(
    clippy::too_many_arguments,
    reason = "the form as it is shown first and as it comes back differ in all of them"
)]
pub(super) fn new_page(
    state: &AppState,
    viewer: Option<&Viewer>,
    status: StatusCode,
    category: Option<&Category>,
    follows: &str,
    typed: Option<&Typed>,
    faults: &[Fault],
    files_lost: bool,
) -> Answer {
    let policy = state.desk.policy();
    let choose = category.is_none().then(|| {
        let offered = policy.categories.iter().filter(|category| category.active);
        let offered = offered.map(|category| Choice::new(&category.key, &category.name, ""));
        let choices = std::iter::once(Choice::new("", "Choose …", "")).chain(offered).collect();
        Field::new("category", "Category", Control::Select(choices)).required()
    });
    let words = vec![
        Field::line("subject", "Subject (one line)")
            .hint("As in: The kettle arrived broken.")
            .required()
            .max(SUBJECT_MAX),
        Field::area("description", "What happened?")
            .hint("What you expected, what you got, and what you have tried already.")
            .required(),
    ];
    let about = choose.into_iter().chain(words).collect();
    let questions = category
        .map_or(&[][..], |category| &category.questions)
        .iter()
        .map(|question| {
            let field = Field::area(format!("answers.{}", question.key), question.label.clone());
            if question.required { field.required() } else { field }
        })
        .collect();
    let wishes = Wish::ALL.iter().map(|wish| Choice::new(wish.name(), wish.label(), ""));
    let wishes = std::iter::once(Choice::new("", "No wish yet", "")).chain(wishes).collect();
    let details = vec![
        Field::line("product", "Product or service"),
        Field::line("order_number", "Order, contract or booking number"),
        Field::date("purchase_date", "Bought on"),
        Field::date("incident_date", "When it went wrong"),
        Field::new("wish", "What would put it right?", Control::Select(wishes)),
    ];
    let name = Field::line("contact.name", "Name").autocomplete("name");
    let email = Field::new("contact.email", "E-mail address", Control::Line("email")).autocomplete("email").max(254);
    let (name, email) = match viewer {
        Some(viewer) => (
            name.value(&viewer.name),
            email
                .hint(
                    "For whoever deals with it. Our mails go to the address of your account, which you have confirmed.",
                )
                .value(&viewer.email),
        ),
        None => (
            name.required(),
            email
                .hint("A mail goes there with a link. We begin once you have opened it and said that it is you.")
                .required(),
        ),
    };
    let contact = vec![
        name,
        email,
        Field::new("contact.phone", "Phone", Control::Line("tel")).autocomplete("tel").max(200),
        Field::area("contact.address", "Postal address").autocomplete("street-address"),
    ];
    let files = upload::field("files", "Photos and documents");
    let fill = |fields| filled(fields, typed, faults);
    let (about, questions, details, contact) = (fill(about), fill(questions), fill(details), fill(contact));
    let files = viewer.map(|_| files.filled(typed, faults));
    let all: Vec<Field> = [&about[..], &questions, &details, &contact, files.as_slice()].concat();
    // Sending the same form twice makes one complaint; after a refusal for that very reason it gets a new key.
    let reused = status == StatusCode::CONFLICT;
    let key = typed.and_then(|typed| typed.get("key")).filter(|_| !reused).map(str::to_owned);
    let template = NewPage {
        me: viewer.map_or_else(|| Me::nobody(state), |viewer| Me::at(viewer, None, state, "/complaints/new")),
        account: viewer.map(|viewer| viewer.email.clone()),
        form: if viewer.is_some() { "/complaints/new" } else { "/guest/new" },
        choice: if viewer.is_some() { "/complaints/new" } else { "/guest" },
        category: category.cloned(),
        follows: follows.to_owned(),
        key: key.unwrap_or_else(|| state.desk.draw_id().to_string()),
        summary: Summary::of(faults, &all),
        about,
        questions,
        details,
        contact,
        files,
        files_lost,
    };
    page(status, &template)
}

pub(super) fn submission(category: &Category, typed: &Typed) -> (Submission, Vec<Fault>) {
    let mut faults = Vec::new();
    let given = |name: &str| typed.get(name).map(str::to_owned);
    let mut day = |name: &str| -> Option<NaiveDate> {
        let text = typed.get(name)?;
        let day = text.parse().ok();
        if day.is_none() {
            faults.push(Fault::of(name, format!("{} must be a day, as in 2026-11-30.", label_of(category, name))));
        }
        day
    };
    let (purchase_date, incident_date) = (day("purchase_date"), day("incident_date"));
    let wish = match typed.get("wish").map(str::parse::<Wish>) {
        Some(Err(_)) => {
            faults.push(Fault::of("wish", "Choose what would put it right from the list."));
            None
        }
        Some(Ok(wish)) => Some(wish),
        None => None,
    };
    let answers = category.questions.iter().filter_map(|question| {
        let answer = typed.get(&format!("answers.{}", question.key))?;
        Some((question.key.clone(), answer.to_owned()))
    });
    let submission = Submission {
        category: category.key.clone(),
        subject: typed.raw("subject").to_owned(),
        description: typed.raw("description").to_owned(),
        contact: Contact {
            name: given("contact.name"),
            email: given("contact.email"),
            phone: given("contact.phone"),
            address: given("contact.address"),
        },
        product: given("product"),
        order_number: given("order_number"),
        purchase_date,
        incident_date,
        wish,
        answers: answers.collect(),
        items: Vec::new(),
        against: None,
        area: None,
        language: None,
        channel: complaint_core::complaint::Channel::Web,
        customer: None,
    };
    (submission, faults)
}

pub(super) fn label_of(category: &Category, field: &str) -> String {
    if let Some(key) = field.strip_prefix("answers.") {
        let question = category.questions.iter().find(|question| question.key == key);
        return question.map_or_else(|| key.to_owned(), |question| format!("“{}”", question.label));
    }
    match field {
        "subject" => "The subject",
        "description" => "What happened",
        "purchase_date" => "The day of purchase",
        "incident_date" => "The day it went wrong",
        "order_number" => "The order number",
        "product" => "The product",
        "contact.name" => "The name",
        "contact.email" => "The e-mail address",
        "contact.phone" => "The phone number",
        "contact.address" => "The address",
        "category" => "The category",
        other => other,
    }
    .to_owned()
}
