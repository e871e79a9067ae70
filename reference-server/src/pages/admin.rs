//! What admins see: numbers, agents, categories, accounts, the policy in force.
//!
//! Changes go through the handlers of the API, so that both doors have the same rules.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use complaint_core::DeskError;
use complaint_core::agent::Agent;
use complaint_core::complaint::Priority;
use complaint_core::id::{AgentId, CategoryKey};
use complaint_core::lifecycle::{LevelChange, Lifecycle, Status, SvgOptions, TABLE, To};
use complaint_core::policy::{Category, Policy};
use complaint_core::routing::{Need, Roster};
use complaint_core::store::Scope;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::account::{Below, FormPage};
use super::commands::{list, listed};
use super::complaint::agent_names;
use super::form::{Choice, Control, Fault, Field, Summary, Typed, filled};
use super::staff::{Load, load_of, loads, nobody_because, skills_of};
use super::words::{Names, Tag, When, category_name, sentence};
use super::{Answer, Me, Person, page, see};
use crate::api::figures::FiguresView;
use crate::api::{agents, categories, reports, users};
use crate::auth::accounts::AccountFilter;
use crate::auth::{Account, Admin, Role};
use crate::error::{FieldError, Problem};
use crate::extract::{ApiPath, ApiQuery, Sent, read};
use crate::state::AppState;

/// How many questions a form of a category offers.
const QUESTIONS: usize = 6;
/// How many it reads, should more have been made through the API.
const QUESTIONS_MAX: usize = 100;
/// What the forms for a new and a known agent both ask.
const AGENT_FIELDS: &[&str] = &["name", "phone", "level", "skills", "capacity", "reports_to", "areas", "languages"];
const INSTANT: &str = "%Y-%m-%dT%H:%M";

/// `/admin` and what is below it.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin", get(dashboard))
        .route("/admin/agents", get(list_agents))
        .route("/admin/agents/new", get(new_agent).post(add_agent))
        .route("/admin/agents/{id}", get(show_agent).post(change_agent))
        .route("/admin/agents/{id}/enabled", get(back_from_switch).post(enable_agent))
        .route("/admin/categories", get(list_categories))
        .route("/admin/categories/new", get(new_category).post(add_category))
        .route("/admin/categories/{key}", get(show_category).post(change_category))
        .route("/admin/categories/{key}/active", get(back_from_switch).post(activate_category))
        .route("/admin/users", get(list_users))
        .route("/admin/users/new", get(new_user).post(add_user))
        .route("/admin/users/{id}/enabled", get(|| async { see("/admin/users") }).post(enable_user))
        .route("/admin/users/{id}/role", get(|| async { see("/admin/users") }).post(change_role))
        .route("/admin/users/{id}/second-factor", get(|| async { see("/admin/users") }).post(reset_second_factor))
        .route("/admin/users/{id}/invitation", get(|| async { see("/admin/users") }).post(invite_again))
        .route("/admin/policy", get(show_policy))
}

struct Count {
    label: String,
    name: String,
    complaints: u64,
}

#[derive(Template)]
#[template(path = "admin/dashboard.html")]
struct DashboardPage {
    me: Me,
    open: u64,
    total: u64,
    missed: u64,
    ratings: u64,
    satisfaction: String,
    figures: FiguresView,
    by_status: Vec<Count>,
    by_level: Vec<Count>,
    by_category: Vec<Count>,
    load: Vec<Load>,
    waiting: u64,
    most_pressing: Vec<Waits>,
    nothing_to_choose: bool,
}

/// A complaint that waits with nobody eligible.
struct Waits {
    reference: String,
    since: When,
    why: String,
}

struct AgentRow {
    id: String,
    name: String,
    level: String,
    skills: String,
    load: String,
    state: Tag,
}

#[derive(Template)]
#[template(path = "admin/agents.html")]
struct AgentsPage {
    me: Me,
    rows: Vec<AgentRow>,
}

/// A form to change something, with a second one that takes it out of use.
#[derive(Template)]
#[template(path = "admin/edit.html")]
struct EditPage {
    me: Me,
    title: String,
    back: (&'static str, &'static str),
    action: String,
    button: &'static str,
    saved: bool,
    summary: Summary,
    fields: Vec<Field>,
    switch: Option<Switch>,
}

/// A form that takes something out of use, or back into it.
struct Switch {
    action: String,
    name: &'static str,
    on: bool,
    label: &'static str,
    explained: &'static str,
}

struct CategoryRow {
    key: String,
    name: String,
    skills: String,
    priority: &'static str,
    weight: u32,
    questions: usize,
    state: Tag,
}

#[derive(Template)]
#[template(path = "admin/categories.html")]
struct CategoriesPage {
    me: Me,
    rows: Vec<CategoryRow>,
}

#[expect(clippy::struct_excessive_bools, reason = "each shows or hides a part of the row")]
struct UserRow {
    id: String,
    name: String,
    email: String,
    role: &'static str,
    state: Tag,
    since: When,
    myself: bool,
    enabled: bool,
    invited: bool,
    /// Whether it has a second factor.
    guarded: bool,
    /// For staff.
    roles: Option<Field>,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    me: Me,
    roles: Field,
    rows: Vec<UserRow>,
    next: Option<String>,
}

struct RuleRow {
    name: &'static str,
    label: &'static str,
    from: String,
    to: String,
    who: String,
    guards: Vec<&'static str>,
    effect: &'static str,
}

#[derive(Template)]
#[template(path = "admin/policy.html")]
struct PolicyPage {
    me: Me,
    name: String,
    version: u64,
    toml: String,
    rules: Vec<RuleRow>,
    /// Of the core, which escapes what it draws.
    chart: String,
}

#[derive(Deserialize)]
struct SavedQuery {
    #[serde(default)]
    saved: String,
}

#[derive(Deserialize)]
struct UsersQuery {
    #[serde(default)]
    role: String,
    #[serde(default)]
    after: String,
}

async fn dashboard(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin, Role::Auditor])?;
    let acting = state.acting(&person.0).await?;
    let summary = acting.summary().await?;
    let policy = state.desk.policy();
    let roster = Roster::of(state.desk.store().roster().await.map_err(DeskError::from)?, &policy);
    let names = Names { agents: agent_names(&roster), ..Names::default() };
    let now = state.desk.now();
    let pressing = reports::most_pressing(&acting).await?;
    let figures = state.figures.of(&acting, summary.total(), state.live.commits(), now).await?;
    let rated = figures.satisfaction.overall();
    page(
        StatusCode::OK,
        &DashboardPage {
            me: Me::at(&person.0, acting.actor().level(), &state, "/admin"),
            open: summary.open(),
            total: summary.total(),
            missed: summary.open_with_missed_deadline,
            ratings: rated.ratings(),
            satisfaction: rated
                .mean_hundredths()
                .map_or_else(|| "–".to_owned(), |mean| format!("{}.{:02}", mean / 100, mean % 100)),
            figures: FiguresView::of(&figures, &policy, |agent| names.agent(agent)),
            by_status: Status::ALL
                .into_iter()
                .map(|status| Count {
                    label: status.label().to_owned(),
                    name: status.name().to_owned(),
                    complaints: summary.by_status.get(&status).copied().unwrap_or_default(),
                })
                .collect(),
            by_level: policy
                .levels
                .iter()
                .zip(1_u8..)
                .map(|(level, number)| Count {
                    label: level.name.clone(),
                    name: number.to_string(),
                    complaints: summary
                        .open_by_level
                        .iter()
                        .find(|(it, _)| it.get() == number)
                        .map_or(0, |(_, it)| *it),
                })
                .collect(),
            by_category: summary
                .by_category
                .iter()
                .map(|(key, count)| Count {
                    label: category_name(&policy, key),
                    name: key.to_string(),
                    complaints: *count,
                })
                .collect(),
            load: loads(&roster, &policy, now),
            waiting: summary.by_status.get(&Status::Queued).copied().unwrap_or_default(),
            most_pressing: pressing
                .iter()
                .map(|complaint| Waits {
                    reference: complaint.reference.to_string(),
                    since: When(complaint.status_since),
                    why: nobody_because(&Need::of(complaint), &roster, &names, now).join("; "),
                })
                .collect(),
            nothing_to_choose: !policy.categories.iter().any(|category| category.active),
        },
    )
}

async fn list_agents(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    let members = state.desk.store().roster().await.map_err(DeskError::from)?;
    let (policy, now) = (state.desk.policy(), state.desk.now());
    let mut rows: Vec<(complaint_core::id::Level, AgentRow)> = members
        .iter()
        .map(|member| {
            let agent = &member.agent;
            let row = AgentRow {
                id: agent.id.to_string(),
                name: agent.name.clone(),
                level: policy.level_name(agent.level).to_owned(),
                skills: skills_of(agent),
                load: format!("{} of {}", member.workload, agent.capacity),
                state: load_of(member, &policy, now).state,
            };
            (agent.level, row)
        })
        .collect();
    rows.sort_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)));
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    page(StatusCode::OK, &AgentsPage { me: Me::of(&person.0, &state, "/admin/agents").await, rows })
}

async fn new_agent(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    agent_page(&state, &person, StatusCode::OK, None, None, &[], false).await
}

async fn add_agent(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.only(|name| AGENT_FIELDS.contains(&name) || ["email", "password"].contains(&name))?;
    let added = async { agents::make(&state, &person.0, sent(&agent_body(&typed, false))?).await };
    match added.await {
        Ok(_) => Ok(see("/admin/agents")),
        Err(problem) => {
            let (status, faults) = faults_of(problem, agent_label)?;
            agent_page(&state, &person, status, None, Some(&typed), &faults, false).await
        }
    }
}

async fn show_agent(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SavedQuery>,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    let agent = agent_of(&state, &id).await?;
    agent_page(&state, &person, StatusCode::OK, Some(agent), None, &[], !query.saved.is_empty()).await
}

async fn change_agent(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.only(|name| AGENT_FIELDS.contains(&name) || ["absence.from", "absence.until"].contains(&name))?;
    let changed = async {
        let (state, id) = (State(state.clone()), ApiPath(id.clone()));
        agents::change(state, Admin(person.0.clone()), id, sent(&agent_body(&typed, true))?).await
    };
    match changed.await {
        Ok(_) => Ok(see(&format!("/admin/agents/{id}?saved=1"))),
        Err(problem) => {
            let (status, faults) = faults_of(problem, agent_label)?;
            let agent = agent_of(&state, &id).await?;
            agent_page(&state, &person, status, Some(agent), Some(&typed), &faults, false).await
        }
    }
}

async fn enable_agent(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["enabled"])?;
    let body = sent(&json!({ "enabled": typed.machine::<bool>("enabled")? }))?;
    let _changed = agents::change(State(state), Admin(person.0), ApiPath(id.clone()), body).await?;
    Ok(see(&format!("/admin/agents/{id}?saved=1")))
}

/// Whoever opens the address of a switch comes to the page it stands on.
async fn back_from_switch(uri: Uri) -> Response {
    see(uri.path().rsplit_once('/').map_or("/admin", |(page, _)| page))
}

async fn list_categories(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    let policy = state.desk.policy();
    let rows = policy
        .categories
        .iter()
        .map(|category| CategoryRow {
            key: category.key.to_string(),
            name: category.name.clone(),
            skills: list(category.needed_skills().iter()),
            priority: category.priority.label(),
            weight: category.weight,
            questions: category.questions.len(),
            state: if category.active { Tag::new("done", "In use") } else { Tag::new("end", "Not in use") },
        })
        .collect();
    page(StatusCode::OK, &CategoriesPage { me: Me::of(&person.0, &state, "/admin/categories").await, rows })
}

async fn new_category(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    category_page(&state, &person, StatusCode::OK, None, None, &[], false).await
}

async fn add_category(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.only(is_of_category)?;
    let added = async { categories::make(&state, &person.0, sent(&category_body(&typed, None)?)?).await };
    match added.await {
        Ok(_) => Ok(see("/admin/categories")),
        Err(problem) => {
            let (status, faults) = faults_of(problem, category_label)?;
            category_page(&state, &person, status, None, Some(&typed), &faults, false).await
        }
    }
}

async fn show_category(
    State(state): State<AppState>,
    person: Person,
    ApiPath(key): ApiPath<String>,
    ApiQuery(query): ApiQuery<SavedQuery>,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    let category = category_of(&state.desk.policy(), &key)?;
    category_page(&state, &person, StatusCode::OK, Some(&category), None, &[], !query.saved.is_empty()).await
}

async fn change_category(
    State(state): State<AppState>,
    person: Person,
    ApiPath(key): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.only(is_of_category)?;
    let category = category_of(&state.desk.policy(), &key)?;
    let changed = async {
        let key = ApiPath(category.key.to_string());
        let sent = sent(&category_body(&typed, Some(&category))?)?;
        categories::change(State(state.clone()), Admin(person.0.clone()), key, sent).await
    };
    match changed.await {
        Ok(_) => Ok(see(&format!("{}?saved=1", address_of(&category.key)))),
        Err(problem) => {
            let (status, faults) = faults_of(problem, category_label)?;
            category_page(&state, &person, status, Some(&category), Some(&typed), &faults, false).await
        }
    }
}

async fn activate_category(
    State(state): State<AppState>,
    person: Person,
    ApiPath(key): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    let category = category_of(&state.desk.policy(), &key)?;
    typed.exactly(&["active"])?;
    let body = sent(&json!({ "active": typed.machine::<bool>("active")? }))?;
    let key = ApiPath(category.key.to_string());
    let _changed = categories::change(State(state), Admin(person.0), key, body).await?;
    Ok(see(&format!("{}?saved=1", address_of(&category.key))))
}

async fn list_users(State(state): State<AppState>, person: Person, ApiQuery(query): ApiQuery<UsersQuery>) -> Answer {
    const PAGE: u32 = 50;
    person.must_be(&[Role::Admin])?;
    let role = Role::from_name(&query.role);
    let after = (!query.after.is_empty()).then(|| query.after.clone());
    let mut accounts = state.accounts.list(AccountFilter { role, after, limit: PAGE + 1 }).await?;
    let more = accounts.len() > PAGE as usize;
    accounts.truncate(PAGE as usize);
    let next = accounts.last().filter(|_| more).map(|last| {
        let mut address = url::form_urlencoded::Serializer::new(String::new());
        address.append_pair("role", &query.role).append_pair("after", &last.id);
        format!("/admin/users?{}", address.finish())
    });
    let roles = [Role::Customer, Role::Agent, Role::Admin, Role::Auditor];
    let choices = std::iter::once(Choice::new("", "All", ""))
        .chain(roles.into_iter().map(|role| Choice::new(role.as_str(), role_name(role), "")));
    let roles = Field::new("role", "Role", Control::Select(choices.collect())).required().value(&query.role);
    let rows = accounts.into_iter().map(|account| user_row(account, &person.0.id)).collect();
    page(StatusCode::OK, &UsersPage { me: Me::of(&person.0, &state, "/admin/users").await, roles, rows, next })
}

async fn new_user(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin])?;
    user_page(&state, &person, StatusCode::OK, None, &[]).await
}

async fn add_user(State(state): State<AppState>, person: Person, typed: Typed) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["name", "email", "role", "password?"])?;
    let added = async {
        let mut body = texts(&typed, &["name", "email", "role", "password"]);
        for name in ["name", "email"] {
            body.entry(name).or_insert(json!(""));
        }
        let body = sent(&Value::Object(body))?;
        users::make(&state, &person.0, body).await.map(drop)
    };
    match added.await {
        Ok(()) => Ok(see(&format!("/admin/users?role={}", typed.raw("role")))),
        Err(problem) => {
            let (status, faults) = faults_of(problem, agent_label)?;
            user_page(&state, &person, status, Some(&typed), &faults).await
        }
    }
}

async fn enable_user(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["enabled"])?;
    let body = sent(&json!({ "enabled": typed.machine::<bool>("enabled")? }))?;
    let _changed = users::change(State(state), Admin(person.0), ApiPath(id), body).await?;
    Ok(see("/admin/users"))
}

async fn change_role(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&["role"])?;
    let body = sent(&json!({ "role": typed.raw("role") }))?;
    let _changed = users::change(State(state), Admin(person.0), ApiPath(id), body).await?;
    Ok(see("/admin/users"))
}

async fn reset_second_factor(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    let _reset = users::reset_second_factor(State(state), Admin(person.0), ApiPath(id)).await?;
    Ok(see("/admin/users"))
}

async fn invite_again(
    State(state): State<AppState>,
    person: Person,
    ApiPath(id): ApiPath<String>,
    typed: Typed,
) -> Answer {
    person.must_be(&[Role::Admin])?;
    typed.exactly(&[])?;
    let _sent = users::invite_again(State(state), Admin(person.0), ApiPath(id)).await?;
    Ok(see("/admin/users"))
}

async fn show_policy(State(state): State<AppState>, person: Person) -> Answer {
    person.must_be(&[Role::Admin, Role::Auditor])?;
    let policy = state.desk.policy();
    let counted = state.desk.store().summary(&Scope::All).await.map_err(DeskError::from)?;
    let shown = SvgOptions::default().embedded().counting(&counted.by_status).linking("/search?status={status}");
    let rules = TABLE
        .iter()
        .map(|rule| {
            let to = rule.to.iter().map(|to| match to {
                To::Same => "same".to_owned(),
                To::Status(status) => status.label().to_owned(),
                To::New(status) => format!("a new complaint: {}", status.label()),
            });
            let level = match rule.level {
                LevelChange::Kept => "",
                LevelChange::Up => ", one level up",
                LevelChange::Down => ", one level down",
            };
            let every = rule.from.len() == Status::ALL.len();
            RuleRow {
                name: rule.command.name(),
                label: rule.command.label(),
                from: if every { "any".to_owned() } else { labels(rule.from) },
                to: format!("{}{level}", list(to)),
                who: list(rule.permits.iter().map(|permit| permit.who.label())),
                guards: once(
                    rule.permits
                        .iter()
                        .flat_map(|permit| permit.guards)
                        .chain(rule.guards)
                        .map(|guard| guard.meaning()),
                ),
                effect: rule.effect,
            }
        })
        .collect();
    page(
        StatusCode::OK,
        &PolicyPage {
            me: Me::of(&person.0, &state, "/admin/policy").await,
            name: policy.name.clone(),
            version: policy.version,
            toml: policy.to_toml().map_err(|error| Problem::internal(&error))?,
            rules,
            chart: Lifecycle::of(&policy).to_svg(&shown),
        },
    )
}

/// Each of these the first time it comes: several roles can have a guard in common.
fn once(guards: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    guards.fold(Vec::new(), |mut said, guard| {
        if !said.contains(&guard) {
            said.push(guard);
        }
        said
    })
}

async fn agent_of(state: &AppState, id: &str) -> Result<Agent, Problem> {
    let id = AgentId::new(id).map_err(|_| Problem::not_found())?;
    let member = state.desk.store().find(&id).await.map_err(DeskError::from)?;
    member.map(|member| member.agent).ok_or_else(Problem::not_found)
}

#[expect(clippy::too_many_lines, reason = "one line or two per field, in the order of the form")]
async fn agent_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    agent: Option<Agent>,
    typed: Option<&Typed>,
    faults: &[Fault],
    saved: bool,
) -> Answer {
    let policy = state.desk.policy();
    let account = match &agent {
        Some(agent) => state.accounts.account(agent.id.as_str()).await.ok(),
        None => None,
    };
    let known = agent.as_ref();
    let levels = policy.levels.iter().zip(1_u8..).map(|(level, number)| Choice::new(number, &level.name, ""));
    let members = state.desk.store().roster().await.map_err(DeskError::from)?;
    let superiors = std::iter::once(Choice::new("", "Nobody in particular", "")).chain(
        members
            .iter()
            .filter(|member| member.agent.level.get() > 1 && known.is_none_or(|it| it.id != member.agent.id))
            .map(|member| Choice::new(&member.agent.id, &member.agent.name, "")),
    );
    let skills: Vec<&str> = policy.categories.iter().map(|category| category.key.as_str()).collect();
    let joined = |words: Option<Vec<String>>| words.unwrap_or_default().join(", ");
    let mut fields = vec![
        Field::line("name", "Full name").required().value(known.map_or("", |agent| agent.name.as_str())),
        Field::line("phone", "Phone")
            .hint(if state.texts.is_some() {
                "In international form, as in +44 7700 900123, it is sent text messages of what cannot wait."
            } else {
                "For administrators. This site sends no text messages; agents are told by mail."
            })
            .max(40)
            .value(account.and_then(|account| account.phone).unwrap_or_default()),
        Field::new("level", "Level", Control::Select(levels.collect()))
            .required()
            .value(known.map_or(1, |agent| agent.level.get())),
        Field::line("skills", "Skills")
            .hint(format!(
                "What they know, separated by commas. The categories in use ask for: {}. Above the first level, whoever has none is taken to know everything.",
                list(skills.iter())
            ))
            .max(2000)
            .value(joined(known.map(|agent| agent.skills.iter().map(ToString::to_string).collect()))),
        Field::new("capacity", "Capacity", Control::Line("number"))
            .hint("The greatest workload they are given automatically; an ordinary complaint weighs 1.")
            .required()
            .value(known.map_or(10, |agent| agent.capacity)),
        Field::new("reports_to", "Superior", Control::Select(superiors.collect()))
            .hint("Their escalations go here first.")
            .value(known.and_then(|agent| agent.reports_to.clone()).map_or_else(String::new, |id| id.to_string())),
        Field::line("areas", "Areas")
            .hint("Where they serve; empty: everywhere.")
            .max(2000)
            .value(joined(known.map(|agent| agent.areas.iter().map(ToString::to_string).collect()))),
        Field::line("languages", "Languages")
            .hint("Tags such as en, de, pt-br; empty: not recorded.")
            .max(2000)
            .value(joined(known.map(|agent| agent.languages.iter().map(ToString::to_string).collect()))),
    ];
    if let Some(agent) = known {
        let instant = |at: Option<chrono::DateTime<chrono::Utc>>| {
            at.map_or_else(String::new, |at| at.format(INSTANT).to_string())
        };
        let away = |name, label| Field::new(name, label, Control::Line("datetime-local"));
        fields.push(
            Field::new(
                "absence",
                "Absence",
                Control::Set(vec![
                    away("absence.from", "Away from (UTC)").value(instant(agent.absence.map(|it| it.from))),
                    away("absence.until", "Back from (UTC)").value(instant(agent.absence.map(|it| it.until))),
                ]),
            )
            .hint("While away they are given nothing. What they hold goes to others as soon as something of it falls due before they are back; what can wait, such as for a customer’s answer, waits. Leave both empty for none."),
        );
    } else {
        let email = Field::new("email", "E-mail address", Control::Line("email")).required().max(254);
        fields.insert(1, email);
        fields.push(
            Field::new("password", "Password", Control::Line("password"))
                .autocomplete("new-password")
                .hint("Leave it empty: then an invitation is mailed, and they choose their own."),
        );
    }
    let fields = filled(fields, typed, faults);
    let id = known.map(|agent| agent.id.to_string());
    page(
        status,
        &EditPage {
            me: Me::of(&person.0, state, "/admin/agents").await,
            title: known.map_or_else(|| "New agent".to_owned(), |agent| agent.name.clone()),
            back: ("/admin/agents", "Agents"),
            action: format!("/admin/agents/{}", id.as_deref().unwrap_or("new")),
            button: if id.is_some() { "Save" } else { "Make the agent" },
            saved,
            summary: Summary::of(faults, &fields),
            fields,
            switch: known.map(|agent| Switch {
                action: format!("/admin/agents/{}/enabled", agent.id),
                name: "enabled",
                on: agent.enabled,
                label: if agent.enabled { "Disable this agent" } else { "Enable this agent" },
                explained: if agent.enabled {
                    "They cannot log in any more, and what they hold goes to others at once."
                } else {
                    "They can log in again and are given complaints."
                },
            }),
        },
    )
}

fn agent_body(typed: &Typed, known: bool) -> Value {
    let mut body = texts(typed, &["name", "email", "password", "phone", "reports_to"]);
    // Empty ones are said too, so that what is missing is told with all else that is wrong.
    for name in ["name", "email"] {
        body.entry(name).or_insert(json!(""));
    }
    for name in ["skills", "areas", "languages"] {
        body.insert(name.to_owned(), json!(listed(typed.raw(name))));
    }
    for name in ["level", "capacity"] {
        if let Some(number) = typed.get(name) {
            body.insert(name.to_owned(), number.parse::<u32>().map_or_else(|_| json!(number), |number| json!(number)));
        }
    }
    if known {
        body.remove("email");
        body.remove("password");
        // What is empty now is taken away, not left.
        for name in ["phone", "reports_to"] {
            body.entry(name).or_insert(Value::Null);
        }
        // The browser's form of an instant has neither seconds nor zone.
        let instant =
            |name: &str| typed.get(name).map(|at| if at.len() == 16 { format!("{at}:00Z") } else { at.to_owned() });
        let absence = match (instant("absence.from"), instant("absence.until")) {
            (None, None) => Value::Null,
            (from, until) => Value::Object(
                [("from", from), ("until", until)]
                    .into_iter()
                    .filter_map(|(name, at)| Some((name.to_owned(), json!(at?))))
                    .collect(),
            ),
        };
        body.insert("absence".to_owned(), absence);
    }
    Value::Object(body)
}

fn agent_label(field: &str) -> &str {
    match field {
        "name" => "The name",
        "email" => "The e-mail address",
        "password" => "The password",
        "phone" => "The phone number",
        "level" => "The level",
        "skills" => "A skill",
        "areas" => "An area",
        "languages" => "A language",
        "capacity" => "The capacity",
        "reports_to" => "The superior",
        "absence" | "absence.from" => "The beginning of the absence",
        "absence.until" => "The end of the absence",
        "role" => "The role",
        other => other,
    }
}

fn category_of(policy: &Policy, key: &str) -> Result<Category, Problem> {
    let key = CategoryKey::new(key).map_err(|_| Problem::not_found())?;
    policy.category(&key).cloned().ok_or_else(Problem::not_found)
}

fn address_of(key: &CategoryKey) -> String {
    let key: String = url::form_urlencoded::byte_serialize(key.as_str().as_bytes()).collect();
    format!("/admin/categories/{key}")
}

async fn category_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    known: Option<&Category>,
    typed: Option<&Typed>,
    faults: &[Fault],
    saved: bool,
) -> Answer {
    let priorities = Priority::ALL.iter().map(|priority| Choice::new(priority.name(), priority.label(), ""));
    let skills = known.and_then(|category| category.skills.as_ref());
    let mut fields = vec![
        Field::line("name", "Name").hint("As customers read it.").required().value(known.map_or("", |it| &it.name)),
        Field::area("description", "Description")
            .hint("One or two sentences that help to choose it.")
            .value(known.map_or("", |it| &it.description)),
        Field::line("skills", "Skills a handler must have")
            .hint("Separated by commas. Empty: the category itself is the skill.")
            .max(2000)
            .value(
                skills.map_or_else(String::new, |it| it.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ),
        Field::new("any_agent", "Any agent will do, whatever they know", Control::Tick(false))
            .value(if skills.is_some_and(std::collections::BTreeSet::is_empty) { "true" } else { "" }),
        Field::new("priority", "Priority", Control::Select(priorities.collect()))
            .required()
            .value(known.map_or(Priority::Normal, |it| it.priority)),
        Field::new("weight", "Weight", Control::Line("number"))
            .hint("What one of its complaints adds to a workload.")
            .required()
            .value(known.map_or(1, |it| it.weight)),
        Field::line("area", "Area")
            .value(known.and_then(|it| it.area.as_ref()).map_or_else(String::new, ToString::to_string)),
        Field::line("targets.resolution", "Time until the decision, if it differs")
            .hint("As in 5 working days, 36 hours, 8 weeks.")
            .value(known.and_then(|it| it.targets.resolution).map_or_else(String::new, |it| it.to_string())),
        Field::line("targets.first_response", "Time until a person answers, if it differs")
            .value(known.and_then(|it| it.targets.first_response).map_or_else(String::new, |it| it.to_string())),
    ];
    for at in 0..QUESTIONS.max(known.map_or(0, |it| it.questions.len())) {
        let question = known.and_then(|it| it.questions.get(at));
        let name = |part: &str| format!("questions.{at}.{part}");
        fields.push(Field::new(
            format!("questions.{at}"),
            format!("Question {}", at + 1),
            Control::Set(vec![
                Field::line(name("label"), "What is asked").value(question.map_or("", |it| &it.label)),
                Field::new(name("required"), "Must be answered", Control::Tick(false))
                    .value(if question.is_some_and(|it| it.required) { "true" } else { "" }),
            ]),
        ));
    }
    let fields = filled(fields, typed, faults);
    page(
        status,
        &EditPage {
            me: Me::of(&person.0, state, "/admin/categories").await,
            title: known.map_or_else(|| "New category".to_owned(), |it| it.name.clone()),
            back: ("/admin/categories", "Categories"),
            action: known.map_or_else(|| "/admin/categories/new".to_owned(), |it| address_of(&it.key)),
            button: if known.is_some() { "Save" } else { "Make the category" },
            saved,
            summary: Summary::of(faults, &fields),
            fields,
            switch: known.map(|it| Switch {
                action: format!("{}/active", address_of(&it.key)),
                name: "active",
                on: it.active,
                label: if it.active { "Take it out of use" } else { "Put it back into use" },
                explained: if it.active {
                    "It cannot be chosen for new complaints any more; those there are go on."
                } else {
                    "It can be chosen for new complaints again."
                },
            }),
        },
    )
}

fn category_body(typed: &Typed, known: Option<&Category>) -> Result<Value, Problem> {
    let mut body = texts(typed, &["name", "priority"]);
    // Empty ones are said too: a change leaves what it does not name.
    body.entry("name").or_insert(json!(""));
    body.insert("description".to_owned(), json!(typed.raw("description").replace("\r\n", "\n")));
    let skills = listed(typed.raw("skills"));
    let skills = if skills.is_empty() && !typed.ticked("any_agent")? { Value::Null } else { json!(skills) };
    body.insert("skills".to_owned(), skills);
    body.insert("area".to_owned(), json!(typed.get("area")));
    if let Some(weight) = typed.get("weight") {
        body.insert("weight".to_owned(), weight.parse::<u32>().map_or_else(|_| json!(weight), |weight| json!(weight)));
    }
    let targets = ["resolution", "first_response"].into_iter().filter_map(|name| {
        let target = typed.get(&format!("targets.{name}"))?;
        Some((name.to_owned(), json!(target)))
    });
    body.insert("targets".to_owned(), Value::Object(targets.collect()));
    let mut questions = Vec::new();
    for at in 0..QUESTIONS_MAX {
        let required = typed.ticked(&format!("questions.{at}.required"))?;
        let Some(label) = typed.get(&format!("questions.{at}.label")) else { continue };
        // A question that is worded anew stays the same question: answers are kept under its key.
        let key = known.and_then(|it| it.questions.get(at)).map(|question| question.key.as_str());
        questions.push(json!({ "key": key, "label": label, "required": required }));
    }
    body.insert("questions".to_owned(), Value::Array(questions));
    Ok(Value::Object(body))
}

fn is_of_category(field: &str) -> bool {
    let question = |rest: &str| {
        let Some((at, part)) = rest.split_once('.') else { return false };
        at.parse::<usize>().is_ok_and(|number| number < QUESTIONS_MAX && number.to_string() == at)
            && ["label", "required"].contains(&part)
    };
    [
        "name",
        "description",
        "skills",
        "any_agent",
        "priority",
        "weight",
        "area",
        "targets.resolution",
        "targets.first_response",
    ]
    .contains(&field)
        || field.strip_prefix("questions.").is_some_and(question)
}

fn category_label(field: &str) -> &str {
    match field {
        "name" | "key" => "The name",
        "description" => "The description",
        "skills" => "A skill",
        "weight" => "The weight",
        "area" => "The area",
        "questions" => "The questions",
        "targets.first_response" => "The time until a person answers",
        field if field.starts_with("targets") => "The time until the decision",
        field if field.starts_with("questions") => "A question",
        other => other,
    }
}

async fn user_page(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    typed: Option<&Typed>,
    faults: &[Fault],
) -> Answer {
    let roles = [Role::Admin, Role::Auditor, Role::Customer];
    let roles = roles.into_iter().map(|role| Choice::new(role.as_str(), role_name(role), ""));
    let fields = vec![
        Field::line("name", "Full name").required(),
        Field::new("email", "E-mail address", Control::Line("email")).required().max(254),
        Field::new("role", "Role", Control::Select(roles.collect())).required(),
        Field::new("password", "Password", Control::Line("password"))
            .autocomplete("new-password")
            .hint("Staff: leave it empty, and an invitation is mailed. A customer made here needs one."),
    ];
    let fields = filled(fields, typed, faults);
    page(
        status,
        &FormPage {
            me: Me::of(&person.0, state, "/admin/users").await,
            title: "New account",
            intro: "For administrators, auditors and customers. Agents are made under Agents.",
            action: "/admin/users/new",
            button: "Make the account",
            hidden: &[],
            summary: Summary::of(faults, &fields),
            fields,
            below: Below::Nothing,
        },
    )
}

fn user_row(account: Account, me: &str) -> UserRow {
    let state = match (account.disabled_at, account.email_verified_at) {
        (Some(_), _) => Tag::new("end", "Disabled"),
        (None, _) if account.deletion_asked_at.is_some() => Tag::new("wait", "Asks to be deleted"),
        (None, None) if account.role.is_staff() => Tag::new("wait", "Invited"),
        (None, None) => Tag::new("wait", "Not confirmed"),
        (None, Some(_)) => Tag::new("done", "Active"),
    };
    let roles = [Role::Agent, Role::Admin, Role::Auditor];
    let choices = roles.into_iter().map(|role| Choice::new(role.as_str(), role_name(role), account.role.as_str()));
    let roles = Field::new("role", "Role", Control::Select(choices.collect())).required().within(&account.id);
    UserRow {
        myself: account.id == me,
        guarded: account.second_factor_at.is_some(),
        invited: account.role.is_staff() && account.email_verified_at.is_none() && account.disabled_at.is_none(),
        roles: account.role.is_staff().then_some(roles),
        enabled: account.disabled_at.is_none(),
        id: account.id,
        name: account.name,
        email: account.email,
        role: role_name(account.role),
        state,
        since: When(account.created_at),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Customer => "Customer",
        Role::Agent => "Agent",
        Role::Admin => "Administrator",
        Role::Auditor => "Auditor",
    }
}

/// The texts that were given, as members of a body.
fn texts(typed: &Typed, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), json!(typed.get(name)?)))).collect()
}

/// A body as the API would have read it.
fn sent<T: DeserializeOwned>(body: &Value) -> Result<Sent<T>, Problem> {
    read(body.to_string().as_bytes(), &[])
}

/// What is wrong with a value, behind the name of its field. What has a subject of its own, as `span of time must be …`, gets that name in
/// its place; what programs are told to expect, people are told that it must be.
fn said_of(label: &str, error: &FieldError) -> String {
    let message = &*error.message;
    if error.code == "missing" {
        return format!("{label} is missing.");
    }
    if let Some(wanted) = message.strip_prefix("Expected ").or_else(|| message.strip_prefix("Must be ")) {
        return format!("{label} must be {wanted}");
    }
    match message.split_once(" must be ") {
        Some((what, wanted))
            if !message.starts_with(char::is_uppercase) && !what.starts_with("is ") && what != "it" =>
        {
            sentence(&format!("{label} must be {wanted}"))
        }
        _ => match message.strip_prefix("it ").unwrap_or(message) {
            rest if ["must ", "is ", "has "].iter().any(|verb| rest.starts_with(verb)) => {
                sentence(&format!("{label} {rest}"))
            }
            rest => sentence(&format!("{label}: {rest}")),
        },
    }
}

/// What the API would have answered, as faults of the form; what is no fault of values stays a problem.
fn faults_of(problem: Problem, label: fn(&str) -> &str) -> Result<(StatusCode, Vec<Fault>), Problem> {
    if problem.errors.is_empty() {
        return Err(problem);
    }
    let faults = problem
        .errors
        .iter()
        .map(|error| {
            // A list is one line of the form.
            let listed =
                ["skills", "areas", "languages"].into_iter().find(|name| error.field.starts_with(&format!("{name}.")));
            let field = listed.map_or_else(|| error.field.clone(), str::to_owned);
            let message = if error.code == "taken" { error.message.clone() } else { said_of(label(&field), error) };
            Fault::of(field, message)
        })
        .collect();
    Ok((problem.status, faults))
}

fn labels(statuses: &[Status]) -> String {
    list(statuses.iter().map(|status| status.label()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_are_told_is_a_sentence_for_people() {
        for (code, message, said) in [
            ("invalid_type", "Expected a whole number.", "It all must be a whole number."),
            ("invalid", "Must be 1 to 64 letters.", "It all must be 1 to 64 letters."),
            ("invalid", "span of time must be an amount, e.g. 8 weeks", "It all must be an amount, e.g. 8 weeks."),
            (
                "too_long",
                "it has 3000 characters; write at most 2000",
                "It all has 3000 characters; write at most 2000.",
            ),
            (
                "weight",
                "a weight of 0 cannot be counted; make it 1 to 1000",
                "It all: a weight of 0 cannot be counted; make it 1 to 1000.",
            ),
            ("out_of_range", "At most 10000.", "It all: At most 10000."),
            ("missing", "Please give your full name.", "It all is missing."),
        ] {
            let error = FieldError { field: "all".into(), code: code.into(), message: message.into(), remedy: None };
            assert_eq!(said_of("It all", &error), said);
        }
    }
}
