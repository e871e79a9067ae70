//! `/api/v1/agents`: who handles complaints. An agent is an account and, under the same id, an agent of the core.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use complaint_core::agent::{Absence, Agent, Member};
use complaint_core::id::{AgentId, Area, Language, Level, Skill};
use complaint_core::{Actor, DeskError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::making::{made, once};
use super::query::page;
use super::users::{account_change, account_cursor};
use super::view::{AgentView, Audience, Lens};
use crate::auth::accounts::{AccountFilter, Made};
use crate::auth::{Account, AccountChange, AccountService, Admin, AuthError, NewStaff, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, Repeatable, Sent, given, instant};
use crate::state::AppState;

/// The largest capacity: more is a mistake.
const CAPACITY_MAX: u32 = 10_000;
/// The most skills, areas or languages of one agent.
const KEYS_MAX: usize = 200;

/// The most agents on a page.
const PAGE_MAX: u16 = 100;

/// A page of those who handle complaints.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agents {
    items: Vec<AgentView>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// A new agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAgent {
    #[schema(example = "Sarah Cole")]
    name: String,
    #[schema(example = "sarah@example.org")]
    email: String,
    /// 1 if left out.
    #[schema(minimum = 1, maximum = 9)]
    level: Option<u8>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["damaged goods"]))]
    skills: BTreeSet<Skill>,
    /// Where they serve; empty: everywhere.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    areas: BTreeSet<Area>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    languages: BTreeSet<Language>,
    /// The greatest workload they are given automatically; 10 if left out.
    #[schema(maximum = 10_000)]
    capacity: Option<u32>,
    /// The superior to whom their escalations go first.
    #[schema(value_type = Option<String>)]
    reports_to: Option<AgentId>,
    /// With one, no invitation is mailed.
    password: Option<String>,
    phone: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct AgentChange {
    name: Option<String>,
    /// Ends their sessions: rights change with it.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 9)]
    level: Option<Level>,
    #[schema(value_type = Option<Vec<String>>)]
    skills: Option<BTreeSet<Skill>>,
    #[schema(value_type = Option<Vec<String>>)]
    areas: Option<BTreeSet<Area>>,
    #[schema(value_type = Option<Vec<String>>)]
    languages: Option<BTreeSet<Language>>,
    #[schema(maximum = 10_000)]
    capacity: Option<u32>,
    /// `false` disables the account too, ends its sessions and gives its complaints to others.
    enabled: Option<bool>,
    /// `null`: back again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<NewAbsence>)]
    absence: Option<Option<NewAbsence>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    reports_to: Option<Option<AgentId>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
}

/// From when until when.
#[derive(Deserialize, Clone, Copy, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAbsence {
    /// First instant away.
    #[serde(deserialize_with = "instant")]
    from: DateTime<Utc>,
    /// First instant back.
    #[serde(deserialize_with = "instant")]
    until: DateTime<Utc>,
}

/// List agents with workload, capacity and availability, in order of their ids. Supervisors and above, admins, auditors.
#[utoipa::path(get, path = "/api/v1/agents", tag = "staff", security(("bearer" = []), ("cookie" = [])),
    params(("limit" = Option<u16>, Query, description = "1 to 100; 100 by default"), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Agents),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<Agents>, Problem> {
    oversees(state.acting(&viewer).await?.actor())?;
    let page = page(query.as_deref(), PAGE_MAX, PAGE_MAX, account_cursor, |_, _| Ok(false))?;
    let (after, most) = (page.cursor.unwrap_or_default(), page.limit);
    // The router has all of them in memory at once; only the answer is bounded here.
    let mut items = everybody(&state).await?;
    items.retain(|agent| agent.id > after);
    let more = items.len() > usize::from(most);
    items.truncate(most.into());
    let next = items.last().filter(|_| more).map(|agent| agent.id.clone());
    Ok(Json(Agents { items, next }))
}

/// Make an agent: an account, which gets an invitation unless a password is given, and its place in routing.
///
/// If an earlier try made the account and broke off before the agent, this finishes it: the account keeps its name, phone
/// number and password (or invitation).
#[utoipa::path(post, path = "/api/v1/agents", tag = "staff", request_body = NewAgent, security(("bearer" = []), ("cookie" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first answer again")), responses(
    (status = 201, body = AgentView, headers(("Location" = String))),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`email_taken`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named; `idempotency_key_reused`"),
    (status = 429, body = Problem, content_type = "application/problem+json", description = "Too many passwords at once; `Retry-After` says when"),
))]
pub(super) async fn add(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    request: Repeatable,
) -> Result<Response, Problem> {
    let sent = request.sent(&[])?;
    once(&state.clone(), &viewer.clone(), &request, Box::pin(async move { make(&state, &viewer, sent).await })).await
}

/// Makes an agent, for whichever door it was asked at.
pub(crate) async fn make(state: &AppState, viewer: &Viewer, sent: Sent<NewAgent>) -> Result<Made, Problem> {
    let Sent { body, wrong } = sent;
    // Everything about the agent is checked before the account is made: there is no half an agent.
    let checked = checked_new(state, &body).await;
    let mut agent = match wrong {
        None => checked?,
        Some(wrong) => return Err(wrong.and_of_rules(checked.err())),
    };
    let staff = staff_of(&body);
    let account = match state.accounts.create_staff(staff).await {
        Ok(account) => account,
        Err(AuthError::EmailTaken) => half_made(state, &body.email).await?,
        Err(error) => return Err(error.into()),
    };
    state.poke();
    agent.id = AgentId::new(account.id.as_str()).map_err(|error| Problem::internal(&error))?;
    agent.name.clone_from(&account.name);
    let agent = state.desk.enrol(agent).await?;
    tracing::info!(by = %viewer.id, agent = %agent.id, "an agent was made");
    made(format!("/api/v1/agents/{}", agent.id), &shown(state, &agent.id, &account).await?)
}

fn staff_of(body: &NewAgent) -> NewStaff<'_> {
    NewStaff {
        name: &body.name,
        email: &body.email,
        phone: body.phone.as_deref(),
        role: Role::Agent,
        password: body.password.as_deref(),
    }
}

/// The agent who is asked for, but for id and name, which are drawn and read with the account; or everything that is wrong.
async fn checked_new(state: &AppState, body: &NewAgent) -> Result<Agent, Problem> {
    let mut agent = Agent::named("new", "new").map_err(|error| Problem::internal(&error))?;
    let level = body.level.map(Level::new).transpose();
    agent.level = level.clone().ok().flatten().unwrap_or(agent.level);
    agent.skills.clone_from(&body.skills);
    agent.areas.clone_from(&body.areas);
    agent.languages.clone_from(&body.languages);
    agent.capacity = body.capacity.unwrap_or(agent.capacity);
    agent.reports_to.clone_from(&body.reports_to);
    all_of([
        AccountService::checked_staff(&staff_of(body)).err().map(Problem::from),
        level.err().map(|invalid| Problem::invalid().field("level", "invalid", invalid.to_string())),
        check(state, &agent).await.err(),
    ])?;
    Ok(agent)
}

/// Every fault as one problem.
fn all_of(wrong: impl IntoIterator<Item = Option<Problem>>) -> Result<(), Problem> {
    let all = wrong.into_iter().flatten().reduce(|all, more| all.and_more(Some(more)));
    all.map_or(Ok(()), Err)
}

/// Change an agent. Whoever is absent, disabled or at a lower level from now on loses the complaints that this keeps from them.
#[utoipa::path(patch, path = "/api/v1/agents/{id}", tag = "staff", request_body = AgentChange, security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = AgentView),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
    Sent { body, wrong }: Sent<AgentChange>,
) -> Result<Json<AgentView>, Problem> {
    if let Some(wrong) = wrong {
        return Err(wrong.and_of_rules(check_change(&state, &id, &body).await.err()));
    }
    let (account, id) = account_of(&state, &id).await?;
    let mut agent = stored(&state, &id, &account).await?;
    let level_before = agent.level;
    let account_change = checked_change(&state, &mut agent, &body).await?;
    let account_change = AccountChange { ends_access: agent.level != level_before, ..account_change };
    // Either half can fail after the other, and the same request then finishes it. Meanwhile nobody may get work who cannot log in:
    // out of the routing first, into it last.
    let account = if agent.enabled {
        let account = state.accounts.change(id.as_str(), account_change).await?;
        keep(&state, agent).await?;
        account
    } else {
        keep(&state, agent).await?;
        state.accounts.change(id.as_str(), account_change).await?
    };
    tracing::info!(by = %viewer.id, agent = %id, "an agent was changed");
    Ok(Json(shown(&state, &id, &account).await?))
}

/// Everything that is wrong with a change, which is not made.
async fn check_change(state: &AppState, id: &str, body: &AgentChange) -> Result<(), Problem> {
    let (account, id) = account_of(state, id).await?;
    let mut agent = stored(state, &id, &account).await?;
    checked_change(state, &mut agent, body).await.map(drop)
}

async fn account_of(state: &AppState, id: &str) -> Result<(Account, AgentId), Problem> {
    let account = state.accounts.account(id).await?;
    if account.role != Role::Agent {
        return Err(Problem::not_found());
    }
    let id = AgentId::new(id).map_err(|_| Problem::not_found())?;
    Ok((account, id))
}

/// The agent as changed, and what changes of the account; or everything that is wrong.
async fn checked_change(state: &AppState, agent: &mut Agent, body: &AgentChange) -> Result<AccountChange, Problem> {
    let account_change = account_change(body.name.as_deref(), body.phone.as_ref(), body.enabled);
    if let Ok(AccountChange { name: Some(name), .. }) = &account_change {
        name.as_str().clone_into(&mut agent.name);
    }
    agent.level = body.level.unwrap_or(agent.level);
    agent.capacity = body.capacity.unwrap_or(agent.capacity);
    agent.enabled = body.enabled.unwrap_or(agent.enabled);
    if let Some(skills) = &body.skills {
        agent.skills.clone_from(skills);
    }
    if let Some(areas) = &body.areas {
        agent.areas.clone_from(areas);
    }
    if let Some(languages) = &body.languages {
        agent.languages.clone_from(languages);
    }
    if let Some(superior) = &body.reports_to {
        agent.reports_to.clone_from(superior);
    }
    if let Some(absence) = body.absence {
        agent.absence = absence.map(|absence| Absence { from: absence.from, until: absence.until });
    }
    match (account_change, check(state, agent).await) {
        (Ok(account_change), Ok(())) => Ok(account_change),
        (account, agent) => Err(all_of([account.err(), agent.err()]).err().unwrap_or_else(Problem::invalid)),
    }
}

/// Whether somebody may look at the whole staff and its numbers.
pub(crate) fn oversees(actor: &Actor) -> Result<(), Problem> {
    let may = actor.is_supervisor() || matches!(actor.party().role(), "admin" | "auditor");
    let not_theirs =
        || Problem::forbidden().detail("This is for supervisors and those above them, admins and auditors.");
    if may { Ok(()) } else { Err(not_theirs()) }
}

/// Every agent with what they hold and how they are reached.
pub(crate) async fn everybody(state: &AppState) -> Result<Vec<AgentView>, Problem> {
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = state.accounts.list(AccountFilter { role: Some(Role::Agent), after, limit: 100 }).await?;
        after = page.last().map(|account| account.id.clone());
        let is_last = page.len() < 100;
        accounts.extend(page.into_iter().map(|account| (account.id.clone(), account)));
        if is_last {
            break;
        }
    }
    let lens = Lens::plain(state, Audience::Staff).await?;
    let roster = state.desk.store().roster().await.map_err(DeskError::from)?;
    let now = state.desk.now();
    let reached = |member: &Member| {
        let account = accounts.get(member.agent.id.as_str())?;
        Some((account.email.as_str(), account.phone.as_deref()))
    };
    Ok(roster.iter().map(|member| lens.agent(member, reached(member), now)).collect())
}

/// Brings the core in line with an account that was disabled or enabled, if it is an agent's.
pub(crate) async fn follow_account(state: &AppState, account: &Account) -> Result<(), Problem> {
    if account.role != Role::Agent {
        return Ok(());
    }
    let id = AgentId::new(account.id.as_str()).map_err(|error| Problem::internal(&error))?;
    let mut agent = stored(state, &id, account).await?;
    agent.enabled = account.disabled_at.is_none();
    agent.name.clone_from(&account.name);
    keep(state, agent).await
}

/// Takes an account out of the routing that is to be no agent's any more.
pub(crate) async fn leave(state: &AppState, account: &Account) -> Result<(), Problem> {
    let id = AgentId::new(account.id.as_str()).map_err(|error| Problem::internal(&error))?;
    let agent = stored(state, &id, account).await?;
    keep(state, Agent { enabled: false, ..agent }).await
}

/// Keeps an agent, gives them what waits for them and takes from them what they can no longer do.
async fn keep(state: &AppState, agent: Agent) -> Result<(), Problem> {
    state.desk.enrol(agent).await?;
    state.desk.release_from_absent().await?;
    Ok(())
}

/// The account of an agent that was never enrolled; if it is anybody else's, the address is taken.
async fn half_made(state: &AppState, email: &str) -> Result<Account, Problem> {
    let account = state.accounts.account_at(email).await?;
    let id = AgentId::new(account.id.as_str()).map_err(|error| Problem::internal(&error))?;
    let is_enrolled = state.desk.store().find(&id).await.map_err(DeskError::from)?.is_some();
    if account.role != Role::Agent || account.disabled_at.is_some() || is_enrolled {
        return Err(AuthError::EmailTaken.into());
    }
    Ok(account)
}

/// The agent behind an account; a fresh one where the account was made and the agent was not.
async fn stored(state: &AppState, id: &AgentId, account: &Account) -> Result<Agent, Problem> {
    match state.desk.store().find(id).await.map_err(DeskError::from)? {
        Some(member) => Ok(member.agent),
        None => Agent::named(id.as_str(), &account.name).map_err(|error| Problem::internal(&error)),
    }
}

async fn shown(state: &AppState, id: &AgentId, account: &Account) -> Result<AgentView, Problem> {
    let lens = Lens::plain(state, Audience::Staff).await?;
    let member = state.desk.store().find(id).await.map_err(DeskError::from)?.ok_or_else(Problem::not_found)?;
    Ok(lens.agent(&member, Some((&account.email, account.phone.as_deref())), state.desk.now()))
}

/// What cannot be an agent of this organisation; every fault is named.
async fn check(state: &AppState, agent: &Agent) -> Result<(), Problem> {
    let mut problem = Problem::invalid();
    let last = state.desk.policy().last_level();
    if agent.level > last {
        problem = problem.field("level", "out_of_range", format!("The ladder has {last} levels."));
    }
    if agent.capacity > CAPACITY_MAX {
        problem = problem.field("capacity", "out_of_range", format!("At most {CAPACITY_MAX}."));
    }
    for (field, count) in
        [("skills", agent.skills.len()), ("areas", agent.areas.len()), ("languages", agent.languages.len())]
    {
        if count > KEYS_MAX {
            problem = problem.field(field, "too_many", format!("At most {KEYS_MAX}."));
        }
    }
    // Each is kept once and in an order of its own: the place it was sent in is not known any more.
    for language in agent.languages.iter().filter(|language| !language.is_tag()) {
        let said = format!("“{language}” is no tag of a language, as en, de and pt-br are.");
        problem = problem.field("languages", "not_a_language", said);
    }
    if agent.absence.is_some_and(|absence| absence.until <= absence.from) {
        problem = problem.field("absence.until", "out_of_range", "Must be later than the beginning.");
    }
    if let Some(superior) = &agent.reports_to {
        let superior = state.desk.store().find(superior).await.map_err(DeskError::from)?;
        match superior {
            None => problem = problem.field("reports_to", "unknown_agent", "There is no such agent."),
            Some(superior) if superior.agent.level <= agent.level => {
                problem = problem.field("reports_to", "not_above", "A superior works at a higher level.");
            }
            Some(_) => {}
        }
    }
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}
