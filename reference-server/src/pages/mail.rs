//! Mail that came in: what admins and auditors see of it, and where whoever has an address says whether mail is theirs.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use complaint_core::DeskError;
use serde::Deserialize;
use uuid::Uuid;

use super::account::{Below, DonePage};
use super::form::Typed;
use super::words::{Tag, When};
use super::{Answer, Me, Person, page, see};
use crate::api::intake::mail_id;
use crate::auth::Role;
use crate::error::Problem;
use crate::extract::{ApiPath, ApiQuery};
use crate::intake::kept::{InboundMail, MailState};
use crate::intake::{CONFIRM_FOR, MailText, QUARANTINED_KEPT, SETTLED_KEPT};
use crate::state::AppState;

/// How many messages the list shows at once.
const SHOWN: u32 = 50;

/// `/admin/mail` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin/mail", get(list))
        .route("/admin/mail/{id}", get(show))
        .route("/admin/mail/{id}/retry", get(back).post(retry))
        .route("/admin/mail/{id}/discard", get(back).post(discard))
}

/// `/mail/confirm`, behind a link that is mailed. Opening it changes nothing, because mail scanners open links too.
pub fn links() -> Router<AppState> {
    Router::new()
        .route("/mail/confirm", get(show_unconfirmed).post(confirm))
        .route("/mail/disown", get(home).post(disown))
}

struct Row {
    id: Uuid,
    subject: String,
    sender: String,
    came: When,
    state: Tag,
    why: String,
}

#[derive(Template)]
#[template(path = "admin/mails.html")]
struct MailsPage {
    me: Me,
    /// Whether everything is shown, and not only what is in quarantine.
    all: bool,
    /// Whether mail is taken in at all.
    open: bool,
    rows: Vec<Row>,
    next: Option<String>,
    quarantined_days: i64,
    settled_days: i64,
}

#[derive(Template)]
#[template(path = "admin/mail.html")]
struct MailPage {
    me: Me,
    row: Row,
    complaint: Option<String>,
    detail: Option<String>,
    size: u64,
    /// KB of the whole message, where only its beginning is here.
    whole: Option<u64>,
    /// None where this reader may not read it.
    says: Option<MailText>,
    /// Whether something can be done with it by this reader.
    acts: bool,
}

struct Theirs {
    id: Uuid,
    subject: String,
    came: When,
    says: String,
}

#[derive(Template)]
#[template(path = "public/mail.html")]
struct UnconfirmedPage {
    me: Me,
    token: String,
    mails: Vec<Theirs>,
    days: i64,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    all: String,
    #[serde(default)]
    below: String,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn back(ApiPath(id): ApiPath<String>) -> Response {
    see(&format!("/admin/mail/{}", url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>()))
}

async fn home() -> Response {
    see("/")
}

async fn list(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<ListQuery>) -> Answer {
    person.must_be(&[Role::Admin, Role::Auditor])?;
    let all = query.all == "true";
    let only = if all { None } else { Some(MailState::Quarantined) };
    // One more than is shown tells whether there are others.
    let mut mails = state.intake.list(only, query.below.parse().ok(), SHOWN + 1).await?;
    let more = mails.len() > SHOWN as usize;
    mails.truncate(SHOWN as usize);
    let next = mails.last().filter(|_| more).map(|last| format!("/admin/mail?all={all}&below={}", last.place));
    page(
        StatusCode::OK,
        &MailsPage {
            me: Me::of(&person.0, &state, "/admin/mail").await,
            all,
            open: state.config.intake.is_some(),
            rows: mails.iter().map(|mail| row(mail, person.0.role)).collect(),
            next,
            quarantined_days: QUARANTINED_KEPT.num_days(),
            settled_days: SETTLED_KEPT.num_days(),
        },
    )
}

async fn show(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>) -> Answer {
    person.must_be(&[Role::Admin, Role::Auditor])?;
    let mail = state.intake.find(mail_id(&id)?).await?;
    let says = if mail.can_be_read_by(person.0.role) {
        tracing::info!(by = %person.0.id, mail = %mail.id, "mail was looked at");
        Some(state.intake.text(&mail).await?)
    } else {
        None
    };
    page(
        StatusCode::OK,
        &MailPage {
            me: Me::of(&person.0, &state, "/admin/mail").await,
            acts: person.0.role == Role::Admin && mail.state == MailState::Quarantined,
            row: row(&mail, person.0.role),
            complaint: mail.complaint,
            detail: mail.detail,
            size: mail.size.div_ceil(1024),
            whole: mail.whole_size.map(|size| size.div_ceil(1024)),
            says,
        },
    )
}

async fn retry(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    let mail = state.intake.retry(&state, &person.0.id, mail_id(&id)?).await?;
    tracing::info!(by = %person.0.id, mail = %mail.id, became = mail.state.as_str(), "mail was taken out of quarantine");
    Ok(see(&format!("/admin/mail/{}", mail.id)))
}

async fn discard(State(state): State<AppState>, person: Person, ApiPath(id): ApiPath<String>, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    let mail = state.intake.discard(&state, &person.0.id, mail_id(&id)?).await?;
    tracing::info!(by = %person.0.id, mail = %mail.id, "mail was discarded");
    Ok(see("/admin/mail"))
}

async fn show_unconfirmed(State(state): State<AppState>, ApiQuery(link): ApiQuery<Link>) -> Answer {
    let mut mails = Vec::new();
    for mail in state.intake.unconfirmed(&link.token, state.clock.now()).await? {
        let says = state.intake.text(&mail).await?;
        mails.push(Theirs {
            id: mail.id,
            subject: subject_of(&mail),
            came: When(mail.received_at),
            says: beginning(&says.text),
        });
    }
    let days = CONFIRM_FOR.num_days();
    page(StatusCode::OK, &UnconfirmedPage { me: Me::nobody(&state), token: link.token, mails, days })
}

#[derive(Template)]
#[template(path = "public/opened.html")]
struct OpenedPage {
    me: Me,
    reference: String,
    /// The page of the complaint, by a signed link for a guest.
    address: String,
    guest: bool,
    /// Whether we take answers to letters.
    answerable: bool,
}

async fn confirm(State(state): State<AppState>, typed: Typed) -> Answer {
    let mail = answer(&state, &typed, true).await?;
    let (title, text) = match (mail.state, mail.complaint) {
        (MailState::Opened, Some(reference)) => return opened(&state, reference).await,
        (MailState::Appended, Some(reference)) => {
            ("We have your message", format!("It belongs to your complaint {reference} now."))
        }
        (MailState::Discarded, _) => ("Nothing follows from it", "It was said before that it is not yours.".to_owned()),
        _ => ("We have your message", "Somebody will look at it before it becomes a complaint.".to_owned()),
    };
    done(&state, title, &text)
}

/// Whoever has no password goes on to their complaint at once: they have just shown whose it is.
async fn opened(state: &AppState, reference: String) -> Answer {
    let mut page_of = OpenedPage {
        me: Me::nobody(state),
        address: format!("/complaints/{reference}"),
        reference,
        guest: false,
        answerable: state.config.intake.is_some(),
    };
    let parsed = page_of.reference.parse().map_err(|error| Problem::internal(&error))?;
    let complaint = state.desk.store().by_reference(parsed).await.map_err(DeskError::from)?;
    if let Some(complaint) = complaint
        && state.accounts.guest(complaint.customer.as_str()).await?.is_some()
    {
        page_of.address = state.links.address(&complaint, state.clock.now());
        page_of.guest = true;
    }
    page(StatusCode::OK, &page_of)
}

async fn disown(State(state): State<AppState>, typed: Typed) -> Answer {
    match answer(&state, &typed, false).await?.state {
        MailState::Discarded => done(&state, "Nothing follows from it", "Thank you for telling us."),
        _ => done(
            &state,
            "It was confirmed before",
            "It is a complaint by now. If it is not yours, withdraw it by the link in its receipt.",
        ),
    }
}

async fn answer(state: &AppState, typed: &Typed, mine: bool) -> Result<InboundMail, Problem> {
    typed.exactly(&["token", "mail"])?;
    Ok(state.intake.answer(state, typed.raw("token"), typed.machine::<Uuid>("mail")?, mine).await?)
}

fn done(state: &AppState, title: &str, text: &str) -> Answer {
    page(StatusCode::OK, &DonePage { me: Me::nobody(state), title, text, below: Below::Nothing })
}

fn row(mail: &InboundMail, reader: Role) -> Row {
    let (tone, word) = match mail.state {
        MailState::Waiting => ("wait", "Waiting"),
        MailState::Appended => ("done", "Added to a complaint"),
        MailState::Opened => ("done", "A new complaint"),
        MailState::Unconfirmed => ("wait", "Sender is asked"),
        MailState::Ignored => ("end", "Nothing follows"),
        MailState::Quarantined => ("bad", "In quarantine"),
        MailState::Discarded => ("end", "Discarded"),
    };
    Row {
        id: mail.id,
        subject: if mail.can_be_read_by(reader) { subject_of(mail) } else { "A message".to_owned() },
        sender: mail.sender.clone().unwrap_or_else(|| "nobody that can be named".to_owned()),
        came: When(mail.received_at),
        state: Tag::new(tone, word),
        why: mail.why.as_deref().map(said).unwrap_or_default().to_owned(),
    }
}

fn subject_of(mail: &InboundMail) -> String {
    let subject = mail.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
    subject.unwrap_or("Without a subject").to_owned()
}

/// As much as one needs to know one's own words again.
fn beginning(text: &str) -> String {
    const BEGINNING: usize = 500;
    let mut beginning: String = text.chars().take(BEGINNING).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    beginning
}

fn said(why: &str) -> &str {
    match why {
        "duplicate" => "It came before.",
        "own" => "It is one of our own letters.",
        "bounce" => "A report that mail was not delivered.",
        "abuse_report" => "A report that mail of ours was unwanted.",
        "vacation" => "Somebody is away.",
        "automatic" => "A machine wrote it.",
        "list" => "It went to many.",
        "loop" => "It goes in circles.",
        "too_large" => "It is too large.",
        "unreadable" => "It cannot be read.",
        "no_sender" => "It does not say from whom it is, or from several people.",
        "forged_sender" => "The sender's mail server says that it is not from there.",
        "empty" => "There is nothing in it.",
        "token_of_another" => "It was sent to an address for replies that somebody else was given.",
        "forged_token" => "It was sent to an address for replies that nobody was given.",
        "from_staff" => "It is from somebody who works here: staff answer on their pages.",
        "from_disabled" => "The account of its sender is disabled.",
        "no_category" => "No category takes complaints by mail.",
        "refused" => "The rules refused it.",
        "failed" => "It could not be finished with.",
        "not_theirs" => "Whoever has the address says that it is not theirs.",
        other => other,
    }
}
