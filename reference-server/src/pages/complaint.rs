//! The page of one complaint, for its customer and for staff, and everything that can be done from it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use complaint_core::actor::Party;
use complaint_core::complaint::{Attachment, Complaint, Entry, Event, RemedyPromise, RemedyState, RemedyStep};
use complaint_core::deadline::{ClockKind, Deadline, Ending};
use complaint_core::desk::Acting;
use complaint_core::id::{CauseKey, Version};
use complaint_core::lifecycle::{Availability, Command, CommandName, Context, FailedGuard, Status};
use complaint_core::policy::RightsMoment;
use complaint_core::reference::Reference;
use complaint_core::routing::{Need, Roster, Routing, route};
use complaint_core::{DeskError, Policy};
use serde::Deserialize;
use uuid::Uuid;

use super::commands::{Attempt, CommandForm, Scene, confirmation, kept_open, list, read, seen_version};
use super::form::{Fault, Kept, Typed, and_more};
use super::words::{
    CUSTOMER, Day, LogLine, Names, Tag, When, came_in, category_name, customer_status, deadline_name, left, log_line,
    outcome_tag, owed, sentence, staff_status, time_left, unfit,
};
use super::{Answer, Me, Person, complaint_address, ended, page, see, start_of, upload};
use crate::api::attachments::{Taken, attach as attach_files, send};
use crate::api::view::cause_name;
use crate::auth::viewer::ShownBy;
use crate::auth::{Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, ApiQuery};
use crate::state::AppState;

/// How many messages, and how many lines of the log, a page shows; the rest is behind a link.
const SHOWN_MAX: usize = 50;

/// `/complaints/{reference}` and what is posted from it.
pub fn routes() -> Router<AppState> {
    routes_below("/complaints")
}

/// The same below another root.
pub(super) fn routes_below(root: &str) -> Router<AppState> {
    Router::new()
        .route(&format!("{root}/{{reference}}"), get(show))
        .route(&format!("{root}/{{reference}}/commands/{{name}}"), get(back).post(command))
        .route(&format!("{root}/{{reference}}/attachments"), get(back_from_files).post(attach))
}

/// A complaint with everything its pages show.
pub(super) struct Loaded {
    pub(super) acting: Acting,
    reader: Viewer,
    pub(super) complaint: Complaint,
    pub(super) log: Vec<Entry>,
    pub(super) available: Vec<Availability>,
    pub(super) roster: Roster,
    pub(super) names: Names,
    pub(super) policy: std::sync::Arc<Policy>,
    pub(super) now: DateTime<Utc>,
    /// Whether nobody can keep a date.
    pub(super) without_promise: bool,
    places: Places,
    /// Tells this page from the same one opened again.
    page: Uuid,
}

/// Which part of the conversation and of the log is shown: what is before these entries, or the latest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Places {
    messages: Option<u32>,
    log: Option<u32>,
}

/// As much of something long as fits on a page.
struct Excerpt<T> {
    items: Vec<T>,
    /// Leads to what is before it, if there is more.
    earlier: Option<String>,
    /// Leads back to the latest, unless this is it.
    latest: Option<String>,
}

/// One step of the way from received to closed.
struct Step {
    label: &'static str,
    at: Option<When>,
    /// Reached more than once.
    again: bool,
    current: bool,
}

/// What was promised, and why.
struct Promise {
    what: &'static str,
    at: When,
    left: Tag,
    why: String,
}

/// What was promised and not kept.
struct Broken {
    what: &'static str,
    at: When,
    /// Where the customer can turn, once the law is broken.
    rights: String,
}

/// What was promised with the decision and should be there by now.
struct Overdue {
    /// What, with the day it was promised for, in place of an instant where there is one.
    remedies: Vec<(String, Option<Day>, When)>,
    /// Whether those who see to it were told.
    told: bool,
    may_decline: bool,
}

/// One message of the conversation.
struct Message {
    id: String,
    who: String,
    what: &'static str,
    at: When,
    own: bool,
    internal: bool,
    open: bool,
    texts: Vec<String>,
    files: Vec<File>,
}

/// A file.
struct File {
    name: String,
    href: String,
    kind: String,
    size: String,
}

/// A decision.
struct Decision {
    number: usize,
    /// `decided`, or `proposed`.
    how: &'static str,
    stands: bool,
    outcome: Tag,
    at: When,
    by: String,
    approved_by: Option<String>,
    level: String,
    explanation: String,
    apology: Option<String>,
    next_steps: Option<String>,
    accepted: Option<When>,
    contested: Option<When>,
    remedies: Vec<Remedy>,
    rating: Option<(u8, String, bool)>,
    cause: Option<String>,
}

/// A remedy of a decision.
struct Remedy {
    number: u32,
    what: String,
    instructions: String,
    state: Tag,
    due: Option<When>,
    /// The day it was promised for, in place of an instant.
    due_on: Option<Day>,
    delivered: Option<(Day, String)>,
    /// When the customer said that they want it.
    accepted: Option<When>,
    /// Why it was declined, or failed.
    why_not: Vec<String>,
}

/// One deadline with what explains it.
struct Clock {
    label: String,
    state: Tag,
    due: Option<When>,
    target: String,
    measured: String,
    started: When,
    stretches: Vec<Stretch>,
}

struct Stretch {
    what: &'static str,
    from: When,
    to: Option<When>,
}

/// One agent in the explanation of the routing.
struct Considered {
    name: String,
    /// As in `2. `; empty for those who do not fit.
    rank: String,
    load: String,
    chosen: bool,
    why: String,
}

/// A command that is not possible now.
struct Impossible {
    label: String,
    why: String,
}

/// What stands above everything after something was done or refused.
enum Banner {
    Nothing,
    Done(&'static str),
    /// Whether it can still be done.
    Stale(bool),
    Refused(String),
}

struct Fact {
    label: String,
    value: String,
}

#[derive(Template)]
#[template(path = "customer/complaint.html")]
#[expect(clippy::struct_excessive_bools, reason = "each switches another part of the template")]
struct CustomerPage {
    me: Me,
    /// Whether a signed link shows it, by which nothing else can be seen.
    guest: bool,
    /// Where it is told that it changed.
    live: String,
    reference: String,
    subject: String,
    description: String,
    status: Tag,
    owed: Option<Tag>,
    handler: Option<String>,
    banner: Banner,
    /// What was typed into a form that is gone.
    kept: Vec<Kept>,
    steps: Vec<Step>,
    promise: Option<Promise>,
    broken: Option<Broken>,
    /// Waits for a handler.
    queued: bool,
    overdue: Option<Overdue>,
    /// What failed, or did not arrive, and is still owed.
    failed: Vec<String>,
    paused: bool,
    until: Vec<(String, When)>,
    /// Why it is open although the customer agreed.
    still_open: Option<&'static str>,
    /// By when the customer is to answer, and whether that is over.
    answer_by: Option<(When, bool)>,
    facts: Vec<Fact>,
    talk: Excerpt<Message>,
    files: Vec<File>,
    decisions: Vec<Decision>,
    reply: Option<CommandForm>,
    upload: Option<CommandForm>,
    acts: Vec<CommandForm>,
    last_acts: Vec<CommandForm>,
    refused: Vec<Impossible>,
    follow_up: bool,
    ending: Option<(String, String)>,
    joined_to: Option<Reference>,
    log: Excerpt<LogLine>,
}

#[derive(Template)]
#[template(path = "staff/complaint.html")]
struct StaffPage {
    me: Me,
    reference: String,
    id: String,
    content: bool,
    subject: String,
    description: String,
    status: Tag,
    level: String,
    handler: Option<String>,
    ended: bool,
    joined_to: Option<Reference>,
    unread: Option<When>,
    late: Option<Tag>,
    banner: Banner,
    /// What was typed into a form that is gone.
    kept: Vec<Kept>,
    facts: Vec<Fact>,
    talk: Excerpt<Message>,
    files: Vec<File>,
    decisions: Vec<Decision>,
    proposal: Option<Decision>,
    reply: Option<CommandForm>,
    write: Vec<CommandForm>,
    at_once: Vec<CommandForm>,
    acts: Vec<CommandForm>,
    impossible: Vec<Impossible>,
    clocks: Vec<Clock>,
    ended_clocks: Vec<Clock>,
    considered: Vec<Considered>,
    others: u32,
    routing_intro: String,
    log: Excerpt<LogLine>,
}

#[derive(Deserialize)]
struct ShowQuery {
    #[serde(default)]
    done: String,
    messages_before: Option<u32>,
    log_before: Option<u32>,
}

async fn show(
    State(state): State<AppState>,
    person: Person,
    ApiPath(reference): ApiPath<String>,
    ApiQuery(query): ApiQuery<ShowQuery>,
) -> Answer {
    let mut loaded = load(&state, &person.0, &reference).await?;
    loaded.places = Places { messages: query.messages_before, log: query.log_before };
    let done = query.done.parse::<CommandName>().ok();
    render(&state, &person.0, &loaded, done, None)
}

/// Whoever reloads the answer to a refused form by typing its address gets the page it came from.
async fn back(guest: Option<Extension<Person>>, ApiPath((reference, _)): ApiPath<(String, String)>) -> Answer {
    let reference: Reference = reference.parse().map_err(|_| Problem::not_found())?;
    Ok(see(&match guest {
        Some(Extension(Person(guest))) => complaint_address(&guest, reference, "", &[]),
        None => format!("/complaints/{reference}"),
    }))
}

async fn back_from_files(guest: Option<Extension<Person>>, ApiPath(reference): ApiPath<String>) -> Answer {
    back(guest, ApiPath((reference, String::new()))).await
}

/// Every command of the lifecycle, by its name in the table.
async fn command(
    State(state): State<AppState>,
    person: Person,
    ApiPath((reference, name)): ApiPath<(String, String)>,
    request: Request,
) -> Answer {
    let name: CommandName = name.parse().map_err(|_| Problem::not_found())?;
    // These make a complaint or take files in; they have pages of their own.
    if matches!(name, CommandName::Submit | CommandName::FollowUp | CommandName::Attach) {
        return Err(Problem::not_found());
    }
    let loaded = match load(&state, &person.0, &reference).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            let (typed, _) = upload::words(&state, request).await;
            return ended::out_of_sight(&state, &person.0, &typed).await;
        }
        loaded => loaded?,
    };
    let upload::Sent { typed, files, faults } = upload::read(&state, request).await?;
    let seen = seen_version(name, &typed)?;
    let reading = read(name, &typed);
    let command = if name.takes_files() {
        reading.command.carrying(files.iter().map(Taken::facts).collect())?
    } else {
        reading.command
    };
    if !(reading.faults.is_empty() && faults.is_empty()) {
        let wrong =
            Wrong { command, seen, typed, rows: reading.rows, typed_faults: reading.faults, file_faults: faults };
        return told_at_once(&state, &person.0, &loaded, wrong).await;
    }
    let acting = once(&loaded.acting, &typed, &files)?;
    let done = if name.takes_files() {
        send(acting, loaded.complaint.id, command, files, seen).await
    } else {
        acting.perform_seeing(loaded.complaint.id, command, seen).await
    };
    answer(&state, &person.0, loaded, name, done, typed, &reading.rows).await
}

async fn attach(
    State(state): State<AppState>,
    person: Person,
    ApiPath(reference): ApiPath<String>,
    request: Request,
) -> Answer {
    let loaded = load(&state, &person.0, &reference).await?;
    let sent = upload::read(&state, request).await?;
    sent.typed.exactly(&["key?"])?;
    if !sent.faults.is_empty() {
        let wrong = Wrong {
            command: Command::attach(sent.files.iter().map(Taken::facts).collect()),
            seen: None,
            typed: Typed::default(),
            rows: Vec::new(),
            typed_faults: Vec::new(),
            file_faults: sent.faults,
        };
        return told_at_once(&state, &person.0, &loaded, wrong).await;
    }
    let acting = once(&loaded.acting, &sent.typed, &sent.files)?;
    let done = attach_files(acting, loaded.complaint.id, sent.files, None).await;
    answer(&state, &person.0, loaded, CommandName::Attach, done, Typed::default(), &[]).await
}

/// A form that cannot be done as it was filled in.
struct Wrong {
    /// What of it could be read.
    command: Command,
    seen: Option<Version>,
    typed: Typed,
    rows: Vec<usize>,
    typed_faults: Vec<Fault>,
    file_faults: Vec<Fault>,
}

/// The page with everything that is wrong with a form: what could not be read, and what the rules say of the rest.
async fn told_at_once(state: &AppState, viewer: &Viewer, loaded: &Loaded, wrong: Wrong) -> Answer {
    let Wrong { command, seen, typed, rows, typed_faults, file_faults } = wrong;
    let refusal = match loaded.acting.would_refuse(loaded.complaint.id, &command, seen).await {
        Err(DeskError::NotFound) => return ended::out_of_sight(state, viewer, &typed).await,
        refusal => refusal?,
    };
    let mut attempt = match refusal {
        None => Attempt {
            command: command.name(),
            typed,
            faults: Vec::new(),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            stale: false,
        },
        Some(mut refusal) => {
            // Whoever sent files that cannot be taken has not forgotten to write.
            let written = |failed: &FailedGuard| {
                failed.code != "missing" || !["text", "files"].map(Some).contains(&failed.field.as_deref())
            };
            refusal.failed.retain(|failed| file_faults.is_empty() || written(failed));
            loaded.scene(None).refused(&refusal, typed, &rows)
        }
    };
    attempt.faults = and_more(typed_faults.into_iter().chain(file_faults).collect(), attempt.faults);
    render(state, viewer, loaded, None, Some(&attempt))
}

/// Hands that do what a form asks for once, however often it is sent: a button that is pressed twice, or a form that is sent again because
/// the answer got lost.
fn once(acting: &Acting, typed: &Typed, files: &[Taken]) -> Result<Acting, Problem> {
    let acting = acting.clone();
    let Some(key) = typed.get("key") else { return Ok(acting) };
    let files = files.iter().map(|file| format!(" {}", file.facts().sha256));
    let fingerprint = std::iter::once(typed.fingerprint()).chain(files).collect::<String>();
    Ok(acting.under_key(key, fingerprint).map_err(DeskError::from)?)
}

/// The page after a command: where to go on, or why not.
async fn answer(
    state: &AppState,
    viewer: &Viewer,
    loaded: Loaded,
    name: CommandName,
    done: Result<Complaint, DeskError>,
    typed: Typed,
    rows: &[usize],
) -> Answer {
    match done {
        Ok(after) => {
            state.poke();
            let reference = after.reference;
            // Whoever gives it away may not see it any more.
            Ok(see(&if loaded.acting.scope().admits(&after) {
                complaint_address(viewer, reference, "", &[("done", name.name())])
            } else {
                format!("{}?done={name}&reference={reference}", start_of(viewer.role))
            }))
        }
        Err(DeskError::NotFound) => ended::out_of_sight(state, viewer, &typed).await,
        Err(DeskError::Refused(refusal)) => {
            // Shown as it is now, which is why it was refused.
            let loaded = load(state, viewer, &loaded.complaint.reference.to_string()).await?;
            let attempt = loaded.scene(None).refused(&refusal, typed, rows);
            render(state, viewer, &loaded, None, Some(&attempt))
        }
        Err(DeskError::Contended { .. }) => {
            let loaded = load(state, viewer, &loaded.complaint.reference.to_string()).await?;
            let attempt =
                Attempt { command: name, typed, faults: Vec::new(), status: StatusCode::CONFLICT, stale: true };
            render(state, viewer, &loaded, None, Some(&attempt))
        }
        Err(DeskError::KeyReused) => {
            let loaded = load(state, viewer, &loaded.complaint.reference.to_string()).await?;
            let said =
                "You have sent this form already, with other words. If you mean this as well, send it once more.";
            let (faults, status) = (vec![Fault::of("", said)], StatusCode::CONFLICT);
            render(state, viewer, &loaded, None, Some(&Attempt { command: name, typed, faults, status, stale: false }))
        }
        Err(error) => Err(error.into()),
    }
}

/// A complaint that the viewer may see; any other is not there.
pub(super) async fn load(state: &AppState, viewer: &Viewer, reference: &str) -> Result<Loaded, Problem> {
    let acting = state.acting(viewer).await?;
    let complaint = acting.find(reference).await?;
    let log = acting.log(complaint.id).await?;
    let available = acting.available_commands(complaint.id).await?;
    let members = state.desk.store().roster().await.map_err(DeskError::from)?;
    let roster = Roster::of(members, &state.desk.policy());
    let mut names =
        Names { agents: agent_names(&roster), reader: Some(acting.actor().party().clone()), ..Names::default() };
    // By the account, never by the contact: what somebody typed there could be the name of one of our own.
    names.customer = match state.accounts.account(complaint.customer.as_str()).await {
        // Who people are is not for those who run the system; neither is what they wrote.
        Ok(account) if viewer.role != Role::Admin => account.name,
        // Without an account here, e.g. one brought over by an import.
        Ok(_) | Err(crate::auth::AuthError::NoSuchAccount) => CUSTOMER.to_owned(),
        Err(error) => return Err(error.into()),
    };
    for entry in &log {
        if let Party::Admin(id) | Party::Auditor(id) = &entry.by
            && !names.staff.contains_key(id.as_str())
            && let Ok(account) = state.accounts.account(id.as_str()).await
        {
            names.staff.insert(id.to_string(), account.name);
        }
    }
    let joined_to = match complaint.merged_into {
        // One that the viewer may not see stays unnamed.
        Some(survivor) => acting.read(survivor).await.ok().map(|survivor| survivor.reference),
        None => None,
    };
    names.joined_to = joined_to;
    let policy = state.desk.policy();
    let now = state.desk.now();
    let without_promise = !acting.without_promise(std::slice::from_ref(&complaint)).await?.is_empty();
    let places = Places::default();
    let page = state.desk.draw_id();
    let reader = viewer.clone();
    Ok(Loaded { acting, reader, complaint, log, available, roster, names, policy, now, without_promise, places, page })
}

/// What every agent is called.
pub(super) fn agent_names(roster: &Roster) -> BTreeMap<complaint_core::id::AgentId, String> {
    roster.members.iter().map(|member| (member.agent.id.clone(), member.agent.name.clone())).collect()
}

impl Loaded {
    fn scene<'a>(&'a self, attempt: Option<&'a Attempt>) -> Scene<'a> {
        Scene {
            complaint: &self.complaint,
            policy: &self.policy,
            actor: self.acting.actor(),
            reader: &self.reader,
            roster: &self.roster,
            names: &self.names,
            now: self.now,
            attempt,
            page: Some(self.page),
        }
    }

    fn allows(&self, command: CommandName) -> bool {
        self.available.iter().any(|available| available.command == command && available.allowed)
    }

    fn steps(&self) -> Vec<Step> {
        let complaint = &self.complaint;
        let finished = match complaint.status {
            Status::Withdrawn => "Withdrawn",
            Status::Dismissed => "Not taken up",
            Status::Merged => "Joined",
            Status::Referred => "Passed on",
            _ => "Closed",
        };
        let current = match complaint.status {
            Status::Queued if complaint.acknowledged_at.is_some() => 1,
            Status::Queued => 0,
            Status::Assigned => 2,
            Status::Resolved => 4,
            status if status.is_open() => 3,
            _ => 5,
        };
        // The last time counts: what a release or a contested decision undid is no longer so.
        let last = |wanted: fn(&Entry) -> bool| {
            let mut times = self.log.iter().rev().filter(|entry| wanted(entry)).map(|entry| When(entry.at));
            (times.next(), times.next().is_some())
        };
        let once = |at: Option<DateTime<Utc>>| (at.map(When), false);
        let dates = [
            once(Some(complaint.received_at)),
            once(complaint.acknowledged_at),
            last(|entry| match entry.event {
                Event::Assigned { .. } => true,
                Event::Reassigned { .. } => entry.place.status == Status::Assigned,
                _ => false,
            }),
            last(|entry| matches!(entry.event, Event::Begun)),
            last(|entry| matches!(entry.event, Event::Resolved { .. })),
            once(complaint.status.is_end().then_some(complaint.status_since)),
        ];
        ["Received", "Acknowledged", "Assigned", "In progress", "Resolved", finished]
            .into_iter()
            .zip(dates)
            .enumerate()
            .map(|(place, (label, (at, again)))| {
                let reached = place <= current;
                Step { label, at: at.filter(|_| reached), again: again && reached, current: place == current }
            })
            .collect()
    }

    fn promise(&self) -> Option<Promise> {
        let deadline = self.complaint.promised(self.now).filter(|_| !self.without_promise)?;
        let at = deadline.due_at?;
        let since = deadline.started_at.format("%-d %b %Y");
        let (what, why) = match deadline.clock {
            ClockKind::Statutory => (
                "You get a final answer by",
                format!("Counted from {since}, it takes {} at the longest.", deadline.target),
            ),
            ClockKind::FirstResponse => (
                "A person writes to you by",
                format!("We promise a first answer within {} of {since}.", deadline.target),
            ),
            _ => ("You get our decision by", format!("We promise a decision within {} of {since}.", deadline.target)),
        };
        let why = if deadline.segments.iter().any(|segment| !segment.ran) {
            format!("{why} Time in which we waited for you or a partner does not count.")
        } else {
            why
        };
        let warn = deadline.warn_at.map(|[early, _]| early);
        Some(Promise { what, at: When(at), left: left(at, warn, self.now), why })
    }

    /// What the customer still waits for although its date is over.
    fn broken(&self) -> Option<Broken> {
        let deadline = self.complaint.broken_promise(self.now)?;
        let law = deadline.clock == ClockKind::Statutory;
        let what = match deadline.clock {
            ClockKind::FirstResponse => "write to you",
            ClockKind::Statutory => "give you a final answer",
            _ => "give you our decision",
        };
        let rights = self.policy.rights.text(RightsMoment::Missed).filter(|_| law).unwrap_or_default();
        Some(Broken { what, at: When(deadline.due_at?), rights })
    }

    /// What was promised with the decision and is not there although its day is over.
    fn overdue(&self) -> Option<Overdue> {
        let complaint = &self.complaint;
        let owed = || complaint.outstanding_remedies().filter(|promise| promise.failed.is_none());
        let late = owed().filter_map(|promise| {
            let due = self.due(promise).filter(|due| *due <= self.now)?;
            Some((promise.numbered(), promise.remedy.due_on.map(Day), When(due)))
        });
        let remedies: Vec<_> = late.collect();
        (!remedies.is_empty()).then(|| Overdue {
            remedies,
            told: owed().any(|promise| complaint.is_late(promise)),
            may_decline: self.allows(CommandName::DeclineRemedy),
        })
    }

    /// When the time for a remedy that is owed runs out.
    fn due(&self, promise: &RemedyPromise) -> Option<DateTime<Utc>> {
        let clock = self.complaint.deadlines.iter().find(|clock| {
            clock.clock == ClockKind::Remedy && clock.instance == promise.number && clock.ended.is_none()
        });
        clock.and_then(|clock| clock.due_at)
    }

    /// By when the customer is to answer, while a question is open.
    fn answer_by(&self) -> Option<(When, bool)> {
        self.complaint.question.as_ref()?;
        let due = self.complaint.deadline(ClockKind::Silence)?.due_at?;
        Some((When(due), due <= self.now))
    }

    /// Instants the customer must know after a decision.
    fn until(&self) -> Vec<(String, When)> {
        let due =
            |clock| self.complaint.deadline(clock).and_then(|it| it.due_at).filter(|due| *due > self.now).map(When);
        let mut decision = self.complaint.resolution().into_iter();
        let accepted = decision.any(|it| it.accepted_at.is_some() && it.recorded_by.is_none());
        let mut until = Vec::new();
        if self.complaint.status == Status::Resolved && !accepted {
            until.extend(
                due(ClockKind::AutoClose).map(|at| ("If we hear nothing from you, it closes on".to_owned(), at)),
            );
        } else if self.complaint.status == Status::Resolved {
            let end = due(ClockKind::AutoClose);
            until.extend(end.map(|at| ("You have accepted our decision. The complaint closes on".to_owned(), at)));
        }
        if self.allows(CommandName::Contest) {
            let last = self.complaint.level >= self.policy.last_level();
            let context = Context::new(&self.policy, self.now);
            let words = if self.complaint.offers_contest(self.acting.actor(), &context) {
                "You were not satisfied: you can contest the decision, so that somebody else looks at it, until"
            } else if last && !self.complaint.has_failed_remedy() {
                "This decision is final. With evidence that nobody has seen yet you can contest it until"
            } else {
                "You can contest the decision until"
            };
            until.extend(due(ClockKind::ContestWindow).map(|at| (words.to_owned(), at)));
        }
        until
    }

    fn talk(&self, staff: bool) -> Excerpt<Message> {
        let before = self.before(self.places.messages);
        let found = before.filter_map(|entry| Some((entry.seq, self.message(entry, staff)?)));
        self.excerpt(found, "talk", |seq| Places { messages: seq, ..self.places })
    }

    fn history(&self) -> Excerpt<LogLine> {
        let found = self.before(self.places.log).map(|entry| {
            let line = log_line(entry, &self.names, &self.policy);
            let words = if self.repeats_comment(entry) { Vec::new() } else { line.words };
            (entry.seq, LogLine { words, ..line })
        });
        self.excerpt(found, "log", |seq| Places { log: seq, ..self.places })
    }

    /// The log from its end, or from before a place, back to its start.
    fn before(&self, place: Option<u32>) -> impl Iterator<Item = &Entry> {
        self.log.iter().rev().filter(move |entry| place.is_none_or(|place| entry.seq < place))
    }

    /// The first [`SHOWN_MAX`] of what is found from the end on, in the order in which it happened.
    fn excerpt<T>(
        &self,
        found: impl Iterator<Item = (u32, T)>,
        name: &str,
        places: impl Fn(Option<u32>) -> Places,
    ) -> Excerpt<T> {
        let mut found: Vec<(u32, T)> = found.take(SHOWN_MAX + 1).collect();
        let more = found.len() > SHOWN_MAX;
        found.truncate(SHOWN_MAX);
        found.reverse();
        let link = |places: Places| {
            let places = [("messages_before", places.messages), ("log_before", places.log)];
            let places = places.map(|(name, place)| (name, place.map(|place| place.to_string())));
            let query: Vec<_> = places.iter().filter_map(|(name, place)| Some((*name, place.as_deref()?))).collect();
            format!("{}#{name}", complaint_address(&self.reader, self.complaint.reference, "", &query))
        };
        let first = found.first().map(|(seq, _)| *seq);
        let is_latest = places(None) == self.places;
        Excerpt {
            items: found.into_iter().map(|(_, item)| item).collect(),
            earlier: first.filter(|_| more).map(|first| link(places(Some(first)))),
            latest: (!is_latest).then(|| link(places(None))),
        }
    }

    fn message(&self, entry: &Entry, staff: bool) -> Option<Message> {
        let open = self.complaint.question.as_ref().map(|question| question.asked_at);
        let words = |names: &[&str]| -> Vec<String> {
            names.iter().filter_map(|name| entry.words.get(name)).map(str::to_owned).collect()
        };
        let (what, internal, texts) = match &entry.event {
            Event::Asked => ("question", false, words(&["text"])),
            Event::Answered { .. } => ("answer", false, words(&["text"])),
            Event::Posted { .. } => ("message", false, words(&["text"])),
            Event::Resolved { outcome, .. } => {
                let said = [format!("{}.", outcome.label())];
                ("decision", false, said.into_iter().chain(words(&["explanation"])).collect())
            }
            Event::Contested { .. } => ("why the decision is contested", false, words(&["reason", "new_evidence"])),
            Event::Withdrawn => ("why it is withdrawn", false, words(&["reason"])),
            Event::Dismissed { .. } => ("why it is not taken up", false, words(&["text"])),
            Event::Referred => ("passed on to", false, words(&["body", "text"])),
            Event::Held { until } => {
                let said = entry
                    .words
                    .get("party")
                    .map(|party| format!("We wait for {party}, until {}.", Day(*until).shown()));
                ("waiting", false, said.into_iter().collect())
            }
            Event::RemedyFulfilled { .. } => ("delivery", false, words(&["evidence"])),
            Event::RemedyFailed { .. } if matches!(entry.by, Party::Customer(_)) => {
                ("what did not arrive", false, words(&["reason"]))
            }
            Event::RemedyFailed { .. } => ("why a remedy failed", false, words(&["reason"])),
            Event::Accepted { .. } => ("why the decision is accepted", false, words(&["reason"])),
            Event::Merged { by_consent: true, .. } => ("consent to go on together", false, words(&["consent"])),
            Event::RemedyAccepted { .. } => ("why a remedy is accepted", false, words(&["reason"])),
            Event::RemedyDeclined { .. } => ("why a remedy is declined", false, words(&["reason"])),
            // Whoever changes the score alone says nothing anew.
            Event::Rated { .. } if self.repeats_comment(entry) => return None,
            Event::Rated { .. } => ("rating", false, words(&["comment"])),
            Event::Attached { .. } => ("files", false, Vec::new()),
            Event::Escalated { .. } => {
                ("why it is escalated", !matches!(entry.by, Party::Customer(_)), words(&["reason"]))
            }
            Event::Noted => ("note", true, words(&["text"])),
            Event::HandedBack { .. } => ("why it is handed back", true, words(&["instruction"])),
            Event::SentBack => ("why the proposal is sent back", true, words(&["comment"])),
            Event::Declined { .. } => ("why it is declined", true, words(&["reason"])),
            _ => return None,
        };
        let shown = entry.event.attachments();
        let files = self.complaint.attachments.iter().filter(|known| shown.iter().any(|it| it.id == known.id));
        let files: Vec<File> = files.map(|file| self.file(file)).collect();
        if (texts.is_empty() && files.is_empty()) || (internal && !staff) {
            return None;
        }
        Some(Message {
            id: format!("entry-{}", entry.seq),
            who: self.names.party(&entry.by),
            what,
            at: When(entry.at),
            own: self.names.reader.as_ref() == Some(&entry.by),
            internal,
            open: matches!(entry.event, Event::Asked) && open == Some(entry.at),
            texts,
            files,
        })
    }

    /// Whether a rating has the comment of the one that it changes.
    fn repeats_comment(&self, entry: &Entry) -> bool {
        let Event::Rated { resolution, .. } = entry.event else { return false };
        let former = self.log.iter().rev().find(|it| {
            it.seq < entry.seq && matches!(it.event, Event::Rated { resolution: of, .. } if of == resolution)
        });
        former.is_some_and(|former| former.words.get("comment") == entry.words.get("comment"))
    }

    fn files(&self) -> Vec<File> {
        self.complaint.attachments.iter().map(|file| self.file(file)).collect()
    }

    fn file(&self, file: &Attachment) -> File {
        File {
            name: file.file_name.clone(),
            href: match self.reader.shown_by {
                ShownBy::Link(_) => {
                    complaint_address(&self.reader, self.complaint.reference, &format!("/attachments/{}", file.id), &[])
                }
                _ => format!("/api/v1/complaints/{}/attachments/{}", self.complaint.id, file.id),
            },
            kind: file.media_type.clone(),
            size: match file.size {
                small if small < 1024 => format!("{small} bytes"),
                middle if middle < 1024 * 1024 => format!("{} KB", middle.div_ceil(1024)),
                large => format!("{}.{} MB", large >> 20, (large % (1 << 20)) * 10 / (1 << 20)),
            },
        }
    }

    fn decisions(&self) -> Vec<Decision> {
        let complaint = &self.complaint;
        let count = complaint.resolutions.len();
        // What was opened again or withdrawn has no decision until there is another one.
        let in_force = matches!(complaint.status, Status::Resolved | Status::Closed);
        let stands = |at: usize| in_force && at + 1 == count && complaint.resolutions[at].contested_at.is_none();
        let decisions = complaint.resolutions.iter().enumerate().map(|(at, resolution)| Decision {
            number: at + 1,
            how: "decided",
            stands: stands(at),
            outcome: outcome_tag(resolution.outcome, stands(at)),
            at: When(resolution.at),
            by: self.names.agent(&resolution.by),
            approved_by: resolution.approved_by.as_ref().map(|agent| self.names.agent(agent)),
            level: self.policy.level_name(resolution.level).to_owned(),
            explanation: resolution.explanation.clone(),
            apology: resolution.apology.clone(),
            next_steps: resolution.next_steps.clone(),
            accepted: resolution.accepted_at.map(When),
            contested: resolution.contested_at.map(When),
            remedies: complaint
                .remedies
                .iter()
                .filter(|promise| promise.resolution as usize == at + 1)
                .map(|promise| self.remedy(promise))
                .collect(),
            rating: complaint
                .feedback
                .iter()
                .find(|feedback| feedback.resolution as usize == at + 1)
                .map(|it| (it.score, it.comment.clone().unwrap_or_default(), it.anonymous)),
            cause: self.cause(resolution.cause.as_ref()),
        });
        decisions.rev().collect()
    }

    /// What waits for a second person.
    fn proposal(&self) -> Option<Decision> {
        let proposal = self.complaint.proposal.as_ref()?;
        let remedies = (1..).zip(&proposal.remedies).map(|(number, remedy)| Remedy {
            number,
            what: remedy.in_words(),
            instructions: remedy.instructions.clone().unwrap_or_default(),
            state: Tag::new("wait", "Proposed"),
            due: None,
            due_on: None,
            delivered: None,
            accepted: None,
            why_not: Vec::new(),
        });
        Some(Decision {
            number: self.complaint.resolutions.len() + 1,
            how: "proposed",
            stands: true,
            outcome: outcome_tag(proposal.outcome, true),
            at: When(proposal.at),
            by: self.names.agent(&proposal.by),
            approved_by: None,
            level: self.policy.level_name(self.complaint.level).to_owned(),
            explanation: proposal.explanation.clone(),
            apology: proposal.apology.clone(),
            next_steps: proposal.next_steps.clone(),
            accepted: None,
            contested: None,
            remedies: remedies.collect(),
            rating: None,
            cause: self.cause(proposal.cause.as_ref()),
        })
    }

    /// What the cause of a decision is called; of what a customer reads the core has taken it out.
    fn cause(&self, key: Option<&CauseKey>) -> Option<String> {
        key.map(|key| cause_name(&self.policy, key))
    }

    fn remedy(&self, promise: &RemedyPromise) -> Remedy {
        let complaint = &self.complaint;
        let due = self.due(promise);
        let is_owed = complaint.outstanding_remedies().any(|owed| owed.number == promise.number);
        let state = complaint.remedy_state(promise);
        let state = match state {
            RemedyState::Fulfilled => Tag::new("done", state.label()),
            RemedyState::Declined | RemedyState::Lapsed => Tag::new("end", state.label()),
            RemedyState::Failed if is_owed && never_came(promise.failed.as_ref()) => {
                Tag::new("bad", "Did not arrive, still owed")
            }
            RemedyState::Failed if is_owed => Tag::new("bad", "Failed, still owed"),
            RemedyState::Failed => Tag::new("end", state.label()),
            _ if due.is_some_and(|due| due <= self.now) => Tag::new("bad", "Late"),
            RemedyState::Offered | RemedyState::Accepted => Tag::new("wait", "Outstanding"),
        };
        let failure = if never_came(promise.failed.as_ref()) { "It did not arrive" } else { "It failed" };
        let why = |what: &str, step: &Option<RemedyStep>| {
            let text = step.as_ref()?.text.as_ref()?;
            Some(format!("{what}: {text}"))
        };
        Remedy {
            number: promise.number,
            what: promise.remedy.in_words(),
            instructions: promise.remedy.instructions.clone().unwrap_or_default(),
            state,
            due: due.map(When),
            due_on: promise.remedy.due_on.filter(|_| due.is_some()).map(Day),
            delivered: promise.fulfilled_on.map(|on| {
                let evidence = promise.fulfilled.as_ref().and_then(|step| step.text.clone());
                (Day(on), evidence.unwrap_or_default())
            }),
            accepted: promise.accepted.as_ref().map(|step| When(step.at)),
            why_not: [why(failure, &promise.failed), why("Declined", &promise.declined)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let complaint = &self.complaint;
        let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.format("%-d %b %Y").to_string());
        let mut facts = vec![
            Some(("About".to_owned(), category_name(&self.policy, &complaint.category))),
            complaint.product.clone().map(|it| ("Product or service".to_owned(), it)),
            complaint.order_number.clone().map(|it| ("Order number".to_owned(), it)),
            day(complaint.purchase_date).map(|it| ("Bought on".to_owned(), it)),
            day(complaint.incident_date).map(|it| ("Happened on".to_owned(), it)),
            complaint.wish.map(|wish| ("Wish".to_owned(), wish.label().to_owned())),
        ];
        let category = self.policy.category(&complaint.category);
        for (key, answer) in &complaint.answers {
            let question = category.and_then(|category| category.questions.iter().find(|it| it.key == *key));
            facts.push(Some((question.map_or_else(|| key.clone(), |it| it.label.clone()), answer.clone())));
        }
        let contact = &complaint.contact;
        facts.extend([
            contact.name.clone().map(|it| ("Contact name".to_owned(), it)),
            contact.email.clone().map(|it| ("E-mail".to_owned(), it)),
            contact.phone.clone().map(|it| ("Phone".to_owned(), it)),
            contact.address.clone().map(|it| ("Address".to_owned(), it)),
        ]);
        facts.into_iter().flatten().map(|(label, value)| Fact { label, value }).collect()
    }

    fn banner(&self, done: Option<CommandName>, attempt: Option<&Attempt>) -> Banner {
        match (attempt, done) {
            (Some(attempt), _) if attempt.stale => Banner::Stale(self.allows(attempt.command)),
            // A fault of a field stands at its form; one of the whole command stands here too, should its form be gone.
            (Some(attempt), _) if !self.allows(attempt.command) => {
                let said: Vec<&str> = attempt.faults.iter().map(|fault| fault.message.as_str()).collect();
                Banner::Refused(said.join(" "))
            }
            (None, Some(done)) => Banner::Done(confirmation(done, self.acting.actor().customer_id().is_some())),
            _ => Banner::Nothing,
        }
    }

    /// What was typed, where none of the forms on the page takes it any more.
    fn kept<'f>(&self, attempt: Option<&Attempt>, mut forms: impl Iterator<Item = &'f CommandForm>) -> Vec<Kept> {
        let gone = attempt.filter(|attempt| !forms.any(|form| form.name == attempt.command.name()));
        gone.map(|attempt| self.scene(Some(attempt)).kept(attempt)).unwrap_or_default()
    }

    fn clocks(&self, ended: bool) -> Vec<Clock> {
        let all = self.complaint.deadlines.iter().map(AsRef::as_ref);
        let mut clocks: Vec<&Deadline> = all.filter(|deadline| deadline.ended.is_some() == ended).collect();
        clocks.sort_by_key(|deadline| (deadline.due_at.is_none(), deadline.due_at));
        clocks
            .into_iter()
            .map(|deadline| Clock {
                label: deadline_name(&self.complaint, deadline),
                state: match (deadline.missed_at, deadline.ended.map(|ended| ended.how)) {
                    (Some(_), Some(Ending::Cancelled)) => Tag::new("bad", "Missed"),
                    _ => time_left(deadline, self.now),
                },
                due: deadline.due_at.map(When),
                target: deadline.target.to_string(),
                measured: match &deadline.calendar {
                    Some(calendar) => format!("on the calendar “{calendar}”"),
                    None => "by the clock on the wall".to_owned(),
                },
                started: When(deadline.started_at),
                stretches: deadline
                    .segments
                    .iter()
                    .map(|segment| Stretch {
                        what: if segment.ran { "ran" } else { "paused" },
                        from: When(segment.from),
                        to: segment.to.map(When),
                    })
                    .collect(),
            })
            .collect()
    }

    fn considered(&self, routing: &Routing) -> Vec<Considered> {
        routing
            .candidates
            .iter()
            .map(|candidate| {
                let mut why: Vec<String> = candidate.reasons.iter().map(unfit).collect();
                if candidate.preferred {
                    why.push("is the superior it was escalated to".to_owned());
                }
                if let (true, Some(at)) = (candidate.reasons.is_empty(), candidate.last_assigned_at) {
                    why.push(format!("last given one on {}", When(at).shown()));
                }
                Considered {
                    name: self.names.agent(&candidate.agent),
                    rank: candidate.rank.map_or_else(String::new, |rank| format!("{rank}. ")),
                    load: format!("{} of {}", candidate.workload, candidate.capacity),
                    chosen: routing.chosen.as_ref() == Some(&candidate.agent),
                    why: why.join(", "),
                }
            })
            .collect()
    }

    fn forms(&self, attempt: Option<&Attempt>, wanted: impl Fn(CommandName) -> bool) -> Vec<CommandForm> {
        let scene = self.scene(attempt);
        self.available
            .iter()
            .filter(|available| available.allowed && wanted(available.command))
            .map(|available| scene.form(available.command))
            .collect()
    }

    fn impossible(&self, wanted: impl Fn(CommandName) -> bool) -> Vec<Impossible> {
        let scene = self.scene(None);
        self.available
            .iter()
            .filter(|available| !available.allowed && wanted(available.command))
            .map(|available| {
                let reasons: Vec<&str> = available.failed.iter().map(|failed| failed.message.as_str()).collect();
                Impossible { label: scene.label(available.command), why: reasons.join("; ") }
            })
            .collect()
    }
}

/// Whether the customer themself said that it did not reach them: it was recorded as delivered then.
fn never_came(failed: Option<&RemedyStep>) -> bool {
    failed.is_some_and(|step| matches!(step.by, Party::Customer(_)))
}

fn render(
    state: &AppState,
    viewer: &Viewer,
    loaded: &Loaded,
    done: Option<CommandName>,
    attempt: Option<&Attempt>,
) -> Answer {
    let status = attempt.map_or(StatusCode::OK, |attempt| attempt.status);
    if viewer.role == Role::Customer {
        page(status, &customer_page(state, viewer, loaded, done, attempt))
    } else {
        page(status, &staff_page(state, viewer, loaded, done, attempt))
    }
}

fn customer_page(
    state: &AppState,
    viewer: &Viewer,
    loaded: &Loaded,
    done: Option<CommandName>,
    attempt: Option<&Attempt>,
) -> CustomerPage {
    let complaint = &loaded.complaint;
    // While a question is open, the answer is what is written next.
    let reply = if loaded.allows(CommandName::Answer) { CommandName::Answer } else { CommandName::Post };
    let unfolded = |command: CommandName| {
        loaded.allows(command).then(|| CommandForm { folded: false, ..loaded.scene(attempt).form(command) })
    };
    let apart = [CommandName::Answer, CommandName::Post, CommandName::Attach, CommandName::FollowUp];
    let mut acts = loaded.forms(attempt, |command| !apart.contains(&command) && command != CommandName::Withdraw);
    // What is usually wanted comes first; what ends everything stands below the conversation.
    acts.sort_by_key(|form| {
        let order = ["accept", "rate", "contest", "escalate", "reinstate"];
        order.iter().position(|name| *name == form.name).unwrap_or(order.len())
    });
    let decided = matches!(complaint.status, Status::Resolved | Status::Closed | Status::Dismissed);
    // What the law promised runs on where it goes on with somebody else's.
    let waits = complaint.status.is_open() || (complaint.joined_by_consent && complaint.ended_elsewhere.is_none());
    let (reply, mut upload) = (unfolded(reply), unfolded(CommandName::Attach));
    // What files may be is said beside the first field for them.
    if reply.is_some() {
        for field in upload.iter_mut().flat_map(|form| &mut form.fields) {
            field.hint.clear();
        }
    }
    let last_acts = loaded.forms(attempt, |command| command == CommandName::Withdraw);
    let agreed = complaint.status == Status::Resolved
        && complaint.resolution().is_some_and(|it| it.accepted_at.is_some() && it.recorded_by.is_none());
    CustomerPage {
        me: Me::at(viewer, loaded.acting.actor().level(), state, "/complaints"),
        guest: matches!(viewer.shown_by, ShownBy::Link(_)),
        live: match viewer.shown_by {
            ShownBy::Link(_) => complaint_address(viewer, complaint.reference, "/live", &[]),
            ShownBy::Session | ShownBy::ApiToken => format!("/api/v1/complaints/{}/live", complaint.id),
        },
        reference: complaint.reference.to_string(),
        subject: complaint.subject.clone(),
        description: complaint.description.clone(),
        status: customer_status(complaint, &loaded.names, loaded.names.joined_to),
        owed: owed(complaint),
        handler: complaint.handler.as_ref().filter(|_| complaint.status.is_open()).map(|it| loaded.names.agent(it)),
        banner: loaded.banner(done, attempt),
        steps: loaded.steps(),
        promise: loaded.promise().filter(|_| waits),
        broken: loaded.broken().filter(|_| waits),
        queued: complaint.status == Status::Queued,
        overdue: loaded.overdue(),
        failed: complaint
            .outstanding_remedies()
            .filter(|promise| promise.failed.is_some())
            .map(RemedyPromise::numbered)
            .collect(),
        paused: complaint.deadline(ClockKind::Resolution).is_some_and(|deadline| deadline.due_at.is_none()),
        until: loaded.until(),
        still_open: kept_open(complaint).filter(|_| agreed),
        answer_by: loaded.answer_by().filter(|_| loaded.allows(CommandName::Answer)),
        facts: loaded.facts(),
        talk: loaded.talk(false),
        files: loaded.files(),
        decisions: loaded.decisions(),
        kept: loaded.kept(attempt, reply.iter().chain(&upload).chain(&acts).chain(&last_acts)),
        reply,
        upload,
        acts,
        last_acts,
        refused: loaded.impossible(|command| command == CommandName::Contest && decided),
        follow_up: loaded.allows(CommandName::FollowUp),
        ending: match (&complaint.dismissal, &complaint.referred_to) {
            (Some(dismissal), _) if complaint.status == Status::Dismissed => Some((
                format!("We have not taken it up: {}", dismissal.reason.label().to_lowercase()),
                dismissal.text.clone(),
            )),
            (_, Some(body)) if complaint.status == Status::Referred => {
                Some((format!("{body} is responsible and has got your complaint"), String::new()))
            }
            _ if complaint.status == Status::Merged => complaint.ended_elsewhere.map(|how| {
                let how = how.label().to_lowercase();
                (format!("The complaint of somebody else that yours goes on with has ended: {how}"), String::new())
            }),
            _ => None,
        },
        joined_to: loaded.names.joined_to,
        log: loaded.history(),
    }
}

fn staff_page(
    state: &AppState,
    viewer: &Viewer,
    loaded: &Loaded,
    done: Option<CommandName>,
    attempt: Option<&Attempt>,
) -> StaffPage {
    let complaint = &loaded.complaint;
    // An admin runs the system; what people wrote is read by those who handle it.
    let content = viewer.role != Role::Admin;
    let written = [CommandName::Ask, CommandName::Note, CommandName::Attach];
    let reply = loaded.allows(CommandName::Post);
    let at_once = [CommandName::Begin, CommandName::Read, CommandName::Acknowledge];
    let mut acts = loaded.forms(attempt, |command| {
        command != CommandName::Post && !written.contains(&command) && !at_once.contains(&command)
    });
    // What a complaint waits for comes first, what ends or gives it away last.
    acts.sort_by_key(|form| {
        (form.danger, !["approve", "send_back", "assign", "resolve", "propose"].contains(&form.name))
    });
    let reply = reply.then(|| CommandForm { folded: false, ..loaded.scene(attempt).form(CommandName::Post) });
    let write = loaded.forms(attempt, |command| written.contains(&command));
    let at_once = loaded.forms(attempt, |command| at_once.contains(&command));
    let waiting = complaint.status == Status::Queued;
    let routing = if waiting {
        Some(route(&Need::of(complaint), &loaded.roster, loaded.now))
    } else {
        complaint.routing.as_deref().cloned()
    };
    let routing_intro = match (&routing, waiting) {
        (None, _) => "Nobody was considered yet.".to_owned(),
        (Some(routing), true) if routing.chosen.is_none() => {
            "Nobody fits at the moment; it is given to the first who does. Who was looked at:".to_owned()
        }
        (Some(_), true) => "How the router ranks the agents of this level now:".to_owned(),
        (Some(routing), false) if routing.by_hand => "Chosen by hand. How it stood then:".to_owned(),
        (Some(_), false) => "Chosen by the router: of those who know the subject, whoever is left with the smallest share of their capacity after taking it; among equals, whoever has waited longest.".to_owned(),
    };
    let mut facts = vec![
        Fact { label: "Priority".to_owned(), value: complaint.priority.label().to_owned() },
        Fact { label: "Weight".to_owned(), value: complaint.weight.to_string() },
        Fact { label: "Skills needed".to_owned(), value: list(complaint.skills.iter()) },
        Fact {
            label: "Came in".to_owned(),
            value: sentence(came_in(complaint.channel)).trim_end_matches('.').to_owned(),
        },
    ];
    if content {
        facts.splice(0..0, loaded.facts());
    } else {
        let about = category_name(&loaded.policy, &complaint.category);
        facts.insert(0, Fact { label: "About".to_owned(), value: about });
    }
    StaffPage {
        me: Me::at(
            viewer,
            loaded.acting.actor().level(),
            state,
            if viewer.role == Role::Agent { "/work" } else { "/search" },
        ),
        reference: complaint.reference.to_string(),
        id: complaint.id.to_string(),
        content,
        subject: complaint.subject.clone(),
        description: complaint.description.clone(),
        status: staff_status(complaint),
        level: loaded.policy.level_name(complaint.level).to_owned(),
        handler: complaint.handler.as_ref().map(|agent| loaded.names.agent(agent)),
        ended: complaint.status.is_end(),
        joined_to: loaded.names.joined_to,
        unread: complaint.unread_since.map(When),
        late: super::words::nearest(complaint).map(|deadline| {
            let tag = time_left(deadline, loaded.now);
            Tag::new(tag.tone, format!("{}: {}", deadline_name(complaint, deadline), tag.word.to_lowercase()))
        }),
        banner: loaded.banner(done, attempt),
        facts,
        talk: loaded.talk(true),
        files: if content { loaded.files() } else { Vec::new() },
        decisions: if content { loaded.decisions() } else { Vec::new() },
        proposal: loaded.proposal().filter(|_| content),
        kept: loaded.kept(attempt, reply.iter().chain(&write).chain(&at_once).chain(&acts)),
        reply,
        write,
        at_once,
        acts,
        impossible: loaded.impossible(|_| true),
        clocks: loaded.clocks(false),
        ended_clocks: loaded.clocks(true),
        considered: routing.as_ref().map(|routing| loaded.considered(routing)).unwrap_or_default(),
        others: routing.as_ref().map_or(0, |routing| routing.others),
        routing_intro,
        log: loaded.history(),
    }
}
