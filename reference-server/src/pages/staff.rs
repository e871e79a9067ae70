//! What agents and those who lead them see: their work, their team, all complaints.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use chrono::{DateTime, Utc};
use complaint_core::DeskError;
use complaint_core::actor::Actor;
use complaint_core::agent::{Agent, Member};
use complaint_core::complaint::{Complaint, Priority};
use complaint_core::desk::Acting;
use complaint_core::id::{AgentId, Level};
use complaint_core::lifecycle::{CommandName, Context, Status};
use complaint_core::policy::Policy;
use complaint_core::routing::{Need, Roster, route};
use complaint_core::store::{Cursor, Page, Query, Reach, Scope, Sort, Summary, search_words};
use serde::Deserialize;

use super::commands::{CommandForm, Scene, confirmation, list};
use super::complaint::agent_names;
use super::form::{Choice, Control, Field};
use super::words::{
    Names, Tag, When, category_name, deadline_name, is_promise, nearest, staff_status, time_left, unfit,
};
use super::{Answer, Found, Me, Person, look_through, page, see};
use crate::api::figures::FiguresView;
use crate::api::reports::covers;
use crate::auth::{Role, Viewer};
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// How many rows of each list a page shows; the rest is behind a link.
const ROWS_MAX: usize = 50;
/// How many rows a page of a search has.
const SEARCH_ROWS: u16 = 50;

/// `/work`, `/team`, `/search`.
pub fn routes() -> Router<AppState> {
    Router::new().route("/work", get(work)).route("/team", get(team)).route("/search", get(search))
}

/// A complaint in a list for staff.
struct Row {
    reference: String,
    subject: String,
    category: String,
    status: Tag,
    priority: Option<Tag>,
    level: String,
    /// As in `held by Asha`; of what has ended, who held it last.
    held: String,
    unread: bool,
    due: Option<Due>,
    received: When,
}

struct Due {
    label: String,
    at: When,
    left: Tag,
}

/// As much of a list as fits on a page.
struct Rows<T> {
    items: Vec<T>,
    /// Leads to the whole list, if this is not it.
    more: Option<String>,
}

impl Rows<Waiting> {
    /// Whether the viewer may take one of those that are shown.
    fn can_take(&self) -> bool {
        self.items.iter().any(|it| it.take.is_some())
    }
}

/// A complaint that waits for a handler.
struct Waiting {
    row: Row,
    take: Option<CommandForm>,
    why_not: String,
}

/// What an agent holds.
pub(super) struct Load {
    pub(super) name: String,
    pub(super) level: String,
    pub(super) skills: String,
    pub(super) workload: u32,
    pub(super) capacity: u32,
    pub(super) state: Tag,
    pub(super) tone: &'static str,
    /// The length of the bar, of 100.
    pub(super) share: u32,
}

#[derive(Template)]
#[template(path = "staff/work.html")]
struct WorkPage {
    me: Me,
    done: Option<(&'static str, String)>,
    open: u64,
    late: String,
    /// Of those that are decided.
    owed_late: String,
    soon: String,
    unread: String,
    queued: u64,
    rows: Rows<Row>,
    settled: Rows<Row>,
    queue: Rows<Waiting>,
    may_take: bool,
}

#[derive(Template)]
#[template(path = "staff/team.html")]
struct TeamPage {
    me: Me,
    /// What the figures are about.
    covers: String,
    figures: FiguresView,
    load: Vec<Load>,
    approvals: Rows<Row>,
    pressing: Rows<Row>,
    /// Decided, with a message that waits for somebody who is not there.
    unread: Rows<Row>,
    queue: Rows<Waiting>,
}

#[derive(Template)]
#[template(path = "staff/search.html")]
struct SearchPage {
    me: Me,
    content: bool,
    filters: Vec<Field>,
    filtered: bool,
    /// Why nothing can be found by what was typed.
    fault: Option<&'static str>,
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct WorkQuery {
    #[serde(default)]
    done: String,
    #[serde(default)]
    reference: String,
}

#[derive(Deserialize)]
struct SearchQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    level: String,
    #[serde(default)]
    handler: String,
    #[serde(default)]
    missed: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    after: String,
}

impl SearchQuery {
    /// What the filters ask for; words only where they may be searched.
    fn wanted(&self, roster: &Roster, content: bool) -> Result<Query, Problem> {
        let given = |text: &'static str, what: &str| -> Problem {
            Problem::malformed("invalid_query", format!("{text}: There is no such {text}."))
                .field(text, "invalid", what)
        };
        let missed = match self.missed.as_str() {
            "" => false,
            "true" => true,
            _ => return Err(given("missed", "Expected true.")),
        };
        let sort: Sort = match self.sort.as_str() {
            // Without words these are the newest.
            "" => Sort::Relevance,
            name => name.parse().map_err(|_| given("sort", "Expected relevance, newest, oldest or deadline."))?,
        };
        let level = match self.level.as_str() {
            "" => None,
            number => {
                let level = number.parse::<u8>().ok().and_then(|level| Level::new(level).ok());
                Some(level.ok_or_else(|| given("level", "Expected the number of a level."))?)
            }
        };
        let handler = match self.handler.as_str() {
            "" => None,
            id => {
                let known = AgentId::new(id).ok().filter(|id| roster.member(id).is_some());
                Some(known.ok_or_else(|| given("handler", "Expected the id of an agent."))?)
            }
        };
        Ok(Query {
            text: Some(self.q.trim()).filter(|text| content && !text.is_empty()).map(str::to_owned),
            statuses: match self.status.as_str() {
                "" => Vec::new(),
                "open" => Status::OPEN.to_vec(),
                name => vec![name.parse::<Status>().map_err(|_| given("status", "Expected the name of a status."))?],
            },
            level,
            handlers: handler.into_iter().collect(),
            missed,
            limit: SEARCH_ROWS,
            sort,
            // A cursor belongs to its order; another order begins anew.
            after: self.after.parse::<Cursor>().ok().filter(|cursor| cursor.sort == sort),
            ..Query::within(Scope::All)
        })
    }
}

/// What every list of this file needs.
struct Floor {
    acting: Acting,
    reader: Viewer,
    roster: Roster,
    names: Names,
    policy: std::sync::Arc<Policy>,
    now: DateTime<Utc>,
}

async fn floor(state: &AppState, person: &Person) -> Result<Floor, Problem> {
    let acting = state.acting(&person.0).await?;
    let members = state.desk.store().roster().await.map_err(DeskError::from)?;
    let roster = Roster::of(members, &state.desk.policy());
    let names = Names { agents: agent_names(&roster), ..Names::default() };
    Ok(Floor { acting, reader: person.0.clone(), roster, names, policy: state.desk.policy(), now: state.desk.now() })
}

impl Floor {
    fn me(&self) -> Option<&AgentId> {
        self.acting.actor().agent_id()
    }

    /// Those of a list that are wanted, the nearest promise first.
    async fn look(&self, query: Query, wanted: impl Fn(&Complaint) -> bool) -> Result<Found, Problem> {
        look_through(&self.acting, Query { sort: Sort::Deadline, ..query }, usize::MAX, wanted).await
    }

    /// How things stand with the promise that ends first.
    fn nearest(&self, complaint: &Complaint) -> Option<Tag> {
        nearest(complaint).map(|deadline| time_left(deadline, self.now))
    }

    fn is_late(&self, complaint: &Complaint) -> bool {
        self.nearest(complaint).is_some_and(|left| left.tone == "bad")
    }

    fn is_soon(&self, complaint: &Complaint) -> bool {
        self.nearest(complaint).is_some_and(|left| left.word.starts_with("Soon"))
    }

    fn row(&self, complaint: &Complaint) -> Row {
        Row {
            reference: complaint.reference.to_string(),
            subject: complaint.subject.clone(),
            category: category_name(&self.policy, &complaint.category),
            status: staff_status(complaint),
            priority: match complaint.priority {
                Priority::Urgent => Some(Tag::new("bad", "Urgent")),
                Priority::High => Some(Tag::new("wait", "High")),
                Priority::Normal | Priority::Low => None,
            },
            level: self.policy.level_name(complaint.level).to_owned(),
            held: match &complaint.handler {
                Some(agent) if complaint.status.is_end() => format!("last held by {}", self.names.agent(agent)),
                Some(agent) => format!("held by {}", self.names.agent(agent)),
                None => "held by nobody".to_owned(),
            },
            unread: complaint.unread_since.is_some(),
            due: nearest(complaint).and_then(|deadline| {
                Some(Due {
                    label: deadline_name(complaint, deadline),
                    at: When(deadline.due_at?),
                    left: time_left(deadline, self.now),
                })
            }),
            received: When(complaint.received_at),
        }
    }

    /// The rows, the nearest deadline of any kind first. `whole` leads to the whole list.
    fn rows(&self, found: &Found, whole: &str) -> Rows<Row> {
        cut(found, whole, |complaint| self.row(complaint))
    }

    fn queue(&self, found: &Found, whole: &str) -> Rows<Waiting> {
        cut(found, whole, |complaint| self.waiting(complaint))
    }

    fn waiting(&self, complaint: &Complaint) -> Waiting {
        let need = Need::of(complaint);
        let actor = self.acting.actor();
        let context = Context::new(&self.policy, self.now);
        let allowed = complaint
            .available_commands(actor, &context)
            .iter()
            .any(|available| available.command == CommandName::Assign && available.allowed);
        let reasons: Vec<String> = match self.me().filter(|_| !actor.is_supervisor()) {
            Some(me) => self.roster.member(me).map_or_else(Vec::new, |member| {
                let reasons = self.roster.eligibility(&need, member, self.now);
                reasons.iter().map(|it| format!("{} {}", member.agent.name, unfit(it))).collect()
            }),
            None => nobody_because(&need, &self.roster, &self.names, self.now),
        };
        let take = allowed && (actor.is_supervisor() || reasons.is_empty());
        Waiting {
            row: self.row(complaint),
            take: take.then(|| self.assign_form(complaint, actor)),
            why_not: reasons.join(if actor.is_supervisor() { "; " } else { ", " }),
        }
    }

    fn assign_form(&self, complaint: &Complaint, actor: &Actor) -> CommandForm {
        let scene = Scene {
            complaint,
            policy: &self.policy,
            actor,
            reader: &self.reader,
            roster: &self.roster,
            names: &self.names,
            now: self.now,
            attempt: None,
            // It says which version was looked at.
            page: None,
        };
        let form = scene.form(CommandName::Assign);
        let own = format!("assign-{}", complaint.reference);
        // One press for an agent who takes it; a supervisor says to whom.
        let plain = !actor.is_supervisor();
        let fields = if plain { Vec::new() } else { form.fields.into_iter().map(|field| field.within(&own)).collect() };
        CommandForm { fields, folded: !plain, intro: String::new(), ..form }
    }
}

fn cut<T>(found: &Found, whole: &str, row: impl Fn(&Complaint) -> T) -> Rows<T> {
    let mut complaints: Vec<&Complaint> = found.items.iter().collect();
    complaints.sort_by_key(|complaint| {
        let due = nearest(complaint).and_then(|deadline| deadline.due_at);
        (due.is_none(), due, complaint.received_at)
    });
    let cut = complaints.len() > ROWS_MAX || found.next.is_some();
    let items = complaints.into_iter().take(ROWS_MAX).map(row).collect();
    Rows { items, more: cut.then(|| format!("/search?sort=deadline&{whole}")) }
}

async fn work(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<WorkQuery>) -> Answer {
    match person.0.role {
        Role::Agent => {}
        Role::Customer => return Err(Problem::forbidden()),
        Role::Admin | Role::Auditor => return Ok(see("/admin")),
    }
    let floor = floor(&state, &person).await?;
    let me = floor.me().ok_or_else(Problem::forbidden)?;
    let mine = Query { handlers: vec![me.clone()], ..Query::within(Scope::All) };
    let open = floor.look(Query { statuses: Status::OPEN.to_vec(), ..mine.clone() }, |_| true).await?;
    let owed =
        |complaint: &Complaint| complaint.outstanding_remedies().next().is_some() || complaint.unread_since.is_some();
    let settled = floor.look(Query { statuses: vec![Status::Resolved], ..mine }, owed).await?;
    let level = floor.acting.actor().level().unwrap_or(Level::FIRST);
    let waiting = Query { statuses: vec![Status::Queued], level: Some(level), ..Query::within(Scope::All) };
    let queue = floor.look(waiting, |_| true).await?;
    let may_take = floor.policy.agents_may_take || floor.acting.actor().is_supervisor();
    let counted = |reach| {
        let (scope, store) = (Scope::Agent { id: me.clone(), reach }, state.desk.store());
        async move { store.summary(&scope).await.map_err(|error| Problem::from(DeskError::from(error))) }
    };
    let held = counted(Reach::Own).await?;
    let in_queue = if may_take { counted(Reach::Queue(level)).await? } else { Summary::default() };
    let at_hand =
        Found { items: open.items.iter().chain(&settled.items).cloned().collect(), next: open.next.or(settled.next) };
    let by_handler = |status: &str| {
        let id: String = url::form_urlencoded::byte_serialize(me.as_str().as_bytes()).collect();
        format!("handler={id}&status={status}")
    };
    let command = query.done.parse::<CommandName>().ok();
    let reference = query.reference.parse::<complaint_core::reference::Reference>().ok();
    page(
        StatusCode::OK,
        &WorkPage {
            me: Me::at(&person.0, floor.acting.actor().level(), &state, "/work"),
            done: command.zip(reference).map(|(command, it)| (confirmation(command, false), it.to_string())),
            open: held.open(),
            late: open.count(|complaint| floor.is_late(complaint)),
            owed_late: settled.count(|complaint| floor.is_late(complaint)),
            soon: at_hand.count(|complaint| floor.is_soon(complaint)),
            unread: at_hand.count(|complaint| complaint.unread_since.is_some()),
            queued: in_queue.by_status.get(&Status::Queued).copied().unwrap_or_default(),
            rows: floor.rows(&open, &by_handler("open")),
            settled: floor.rows(&settled, &by_handler("resolved")),
            queue: floor.queue(&queue, &format!("status=queued&level={level}")),
            may_take,
        },
    )
}

async fn team(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Agent])?;
    let floor = floor(&state, &person).await?;
    if !floor.acting.actor().is_supervisor() {
        return Err(Problem::forbidden());
    }
    let of = |statuses: &[Status]| Query { statuses: statuses.to_vec(), ..Query::within(Scope::All) };
    let presses = |complaint: &Complaint| {
        complaint.deadlines.iter().filter(|deadline| deadline.ended.is_none() && is_promise(deadline)).any(|deadline| {
            let left = time_left(deadline, floor.now);
            deadline.due_at.is_some() && matches!(left.tone, "bad" | "wait")
        })
    };
    let total = floor.acting.summary().await?.total();
    let figures = state.figures.of(&floor.acting, total, state.live.commits(), floor.now).await?;
    let approvals = floor.look(of(&[Status::PendingApproval]), |_| true).await?;
    let queue = floor.look(of(&[Status::Queued]), |_| true).await?;
    // What was promised with a decision is a promise too.
    let settled = floor.look(of(&[Status::Resolved]), presses).await?;
    // Nobody else is told of what comes to these: what is decided stays with whoever decided it.
    let away = floor.roster.members.iter().filter(|member| !member.agent.is_available(floor.now));
    let away: Vec<AgentId> = away.map(|member| member.agent.id.clone()).collect();
    let unread = if away.is_empty() {
        Found { items: Vec::new(), next: None }
    } else {
        let theirs = Query { handlers: away, ..of(&[Status::Resolved]) };
        floor.look(theirs, |complaint| complaint.unread_since.is_some()).await?
    };
    let mut pressing = floor.look(of(&Status::OPEN), presses).await?;
    pressing.next = pressing.next.or(settled.next);
    pressing.items.extend(settled.items);
    page(
        StatusCode::OK,
        &TeamPage {
            me: Me::at(&person.0, floor.acting.actor().level(), &state, "/team"),
            covers: covers(&floor.acting.scope(), &floor.policy),
            figures: FiguresView::of(&figures, &floor.policy, |agent| floor.names.agent(agent)),
            load: loads(&floor.roster, &floor.policy, floor.now),
            approvals: floor.rows(&approvals, "status=pending_approval"),
            pressing: floor.rows(&pressing, ""),
            unread: floor.rows(&unread, "status=resolved"),
            queue: floor.queue(&queue, "status=queued"),
        },
    )
}

async fn search(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<SearchQuery>) -> Answer {
    if person.0.role == Role::Customer {
        return Err(Problem::forbidden());
    }
    let floor = floor(&state, &person).await?;
    // What people wrote is not for admins, so they cannot search it either; a reference is nobody's words.
    let content = person.0.role != Role::Admin;
    let text = query.q.trim();
    if let Ok(reference) = text.parse::<complaint_core::reference::Reference>()
        && floor.acting.find(text).await.is_ok()
    {
        return Ok(see(&format!("/complaints/{reference}")));
    }
    let wanted = query.wanted(&floor.roster, content)?;
    let sort = wanted.sort;
    let fault = fruitless(text, content);
    let found = match fault {
        Some(_) => Page { items: Vec::new(), next: None },
        None => floor.acting.list(wanted).await?,
    };
    let any = || Choice::new("", "Any", "");
    let statuses = [any(), Choice::new("open", "All open", "")]
        .into_iter()
        .chain(Status::ALL.into_iter().map(|status| Choice::new(status.name(), status.label(), "")));
    let levels = std::iter::once(any())
        .chain(floor.policy.levels.iter().enumerate().map(|(at, level)| Choice::new(at + 1, &level.name, "")));
    let handlers = std::iter::once(any())
        .chain(floor.roster.members.iter().map(|it| Choice::new(&it.agent.id, &it.agent.name, "")));
    let sorts = [
        Choice::new("relevance", "Best match, then newest first", ""),
        Choice::new("newest", "Newest first", ""),
        Choice::new("oldest", "Oldest first", ""),
        Choice::new("deadline", "Nearest promise first", ""),
    ];
    let words = if content { "Words or reference" } else { "Reference" };
    let filters = vec![
        Field::new("q", words, Control::Line("search")).max(200).value(text),
        Field::new("status", "Status", Control::Select(statuses.collect())).value(&query.status),
        Field::new("level", "Level", Control::Select(levels.collect())).value(&query.level),
        Field::new("handler", "Handler", Control::Select(handlers.collect())).value(&query.handler),
        Field::new("missed", "Only with a missed deadline", Control::Tick(false)).value(&query.missed),
        Field::new("sort", "Order", Control::Select(sorts.into())).value(sort.name()).required(),
    ];
    let filtered = filters.iter().any(|field| field.name != "sort" && !field.value.is_empty());
    let next = found.next.map(|cursor| {
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        for field in &filters {
            address.append_pair(&field.name, &field.value);
        }
        address.append_pair("after", &cursor.to_string());
        format!("/search?{}", address.finish())
    });
    page(
        StatusCode::OK,
        &SearchPage {
            me: Me::at(&person.0, floor.acting.actor().level(), &state, "/search"),
            content,
            filters,
            filtered,
            fault,
            rows: found.items.iter().map(|complaint| floor.row(complaint)).collect(),
            next,
        },
    )
}

/// Why nothing can be found by what was typed and is no reference.
fn fruitless(text: &str, content: bool) -> Option<&'static str> {
    match (text, content) {
        ("", _) => None,
        (_, false) => Some("There is no complaint with this reference."),
        (text, true) => search_words(text).is_empty().then_some("A search needs letters or digits."),
    }
}

/// Why the router finds nobody, agent by agent; nothing if it finds somebody.
pub(super) fn nobody_because(need: &Need, roster: &Roster, names: &Names, now: DateTime<Utc>) -> Vec<String> {
    let routing = route(need, roster, now);
    if routing.chosen.is_some() {
        return Vec::new();
    }
    if routing.candidates.is_empty() {
        return vec!["no agent works at this level".to_owned()];
    }
    let mut alike: Vec<(String, Vec<String>)> = Vec::new();
    for candidate in &routing.candidates {
        let why = candidate.reasons.iter().map(unfit).collect::<Vec<_>>().join(", ");
        let name = names.agent(&candidate.agent);
        match alike.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, who)) => who.push(name),
            None => alike.push((why, vec![name])),
        }
    }
    alike.into_iter().map(|(why, who)| all_of_them(&who, &why)).collect()
}

/// What is so of several people, without a wall of names.
fn all_of_them(who: &[String], why: &str) -> String {
    match who {
        [] => String::new(),
        [one] => format!("{one} {why}"),
        [one, other] => format!("{one} {why}, like {other}"),
        [one, others @ ..] => format!("{one} {why}, like {} others", others.len()),
    }
}

/// What every agent holds, by level and name.
pub(super) fn loads(roster: &Roster, policy: &Policy, now: DateTime<Utc>) -> Vec<Load> {
    let mut members: Vec<&Member> = roster.members.iter().collect();
    members.sort_by(|a, b| (a.agent.level, &a.agent.name).cmp(&(b.agent.level, &b.agent.name)));
    members.into_iter().map(|member| load_of(member, policy, now)).collect()
}

/// What an agent knows, as the router takes it: above the first level, who has no skills in particular has all.
pub(super) fn skills_of(agent: &Agent) -> String {
    if agent.skills.is_empty() && agent.level > Level::FIRST { "all".to_owned() } else { list(agent.skills.iter()) }
}

pub(super) fn load_of(member: &Member, policy: &Policy, now: DateTime<Utc>) -> Load {
    let agent = &member.agent;
    let (workload, capacity) = (member.workload, agent.capacity);
    let (tone, state) = if !agent.enabled {
        ("", Tag::new("end", "Disabled"))
    } else if !agent.is_available(now) {
        ("", Tag::new("end", "Away"))
    } else if workload > capacity {
        ("over", Tag::new("bad", "Over capacity"))
    } else if workload == capacity {
        ("full", Tag::new("wait", "Full"))
    } else {
        ("", Tag::new("done", "Has room"))
    };
    let share = u64::from(workload) * 100 / u64::from(capacity.max(1));
    Load {
        name: agent.name.clone(),
        level: policy.level_name(agent.level).to_owned(),
        skills: skills_of(agent),
        workload,
        capacity,
        state,
        tone,
        share: u32::try_from(share.min(100)).unwrap_or(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_alike_are_told_together() {
        let names = ["Ann", "Ben", "Cy", "Di"].map(str::to_owned);
        assert_eq!(all_of_them(&names[..1], "lacks noise"), "Ann lacks noise");
        assert_eq!(all_of_them(&names[..2], "lacks noise"), "Ann lacks noise, like Ben");
        assert_eq!(all_of_them(&names, "lacks noise"), "Ann lacks noise, like 3 others");
    }
}
