//! `/api/v1/categories`: what can be complained about.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use complaint_core::complaint::Priority;
use complaint_core::id::{Area, CategoryKey, Skill};
use complaint_core::policy::{Category, CategoryQuestion, Policy, PolicyError, TargetOverrides};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::making::{made, once};
use super::view::{self, CategoryView};
use crate::auth::accounts::Made;
use crate::auth::{Admin, MaybeViewer, Role, Viewer};
use crate::catalogue::{self, CatalogueError};
use crate::error::Problem;
use crate::extract::{ApiPath, Repeatable, Sent, given};
use crate::state::AppState;

/// The longest key a question can have.
const KEY_MAX: usize = 64;

/// What can be complained about.
#[derive(Serialize, ToSchema)]
pub(crate) struct Categories {
    items: Vec<CategoryView>,
}

/// A question to be asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewQuestion {
    /// Made from the label if left out.
    key: Option<String>,
    label: String,
    #[serde(default)]
    required: bool,
}

/// A new category.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCategory {
    #[schema(example = "Damaged goods", max_length = 64)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 2000)]
    description: String,
    /// What a handler must know; left out: the category itself; empty: nothing.
    #[schema(value_type = Option<Vec<String>>)]
    skills: Option<BTreeSet<Skill>>,
    #[schema(value_type = Option<String>, example = "normal")]
    priority: Option<Priority>,
    /// 1 to 1000; 1 if left out.
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<u32>,
    #[schema(value_type = Option<String>)]
    area: Option<Area>,
    #[serde(default)]
    questions: Vec<NewQuestion>,
    /// Target times that differ, e.g. `{"resolution": "5 working days"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    targets: TargetOverrides,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct CategoryChange {
    #[schema(max_length = 200)]
    name: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// `null`: the category itself again.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    skills: Option<Option<BTreeSet<Skill>>>,
    #[schema(value_type = Option<String>)]
    priority: Option<Priority>,
    #[schema(minimum = 1, maximum = 1000)]
    weight: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    area: Option<Option<Area>>,
    questions: Option<Vec<NewQuestion>>,
    #[schema(value_type = Option<Object>)]
    targets: Option<TargetOverrides>,
    /// Whether it can be chosen for new complaints.
    active: Option<bool>,
}

/// List what can be complained about, with the questions of each. Staff also see rules and categories that are no longer active.
#[utoipa::path(get, path = "/api/v1/categories", tag = "catalogue", responses((status = 200, body = Categories)))]
pub(crate) async fn list(State(state): State<AppState>, MaybeViewer(viewer): MaybeViewer) -> Json<Categories> {
    let is_staff = viewer.is_some_and(|viewer| viewer.role != Role::Customer);
    let policy = state.desk.policy();
    let shown = policy.categories.iter().filter(|category| is_staff || category.active);
    Json(Categories { items: shown.map(|category| view::category(category, is_staff)).collect() })
}

/// Add a category. Admins only; makes a new version of the policy.
#[utoipa::path(post, path = "/api/v1/categories", tag = "catalogue", request_body = NewCategory, security(("bearer" = []), ("cookie" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first answer again")), responses(
    (status = 201, body = CategoryView, headers(("Location" = String))),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`category_exists`"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "Every fault is named; `idempotency_key_reused`"),
))]
pub(super) async fn add(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    request: Repeatable,
) -> Result<Response, Problem> {
    let sent = request.sent(&[])?;
    once(&state.clone(), &viewer.clone(), &request, async move { make(&state, &viewer, sent).await }).await
}

/// Makes a category, for whichever door it was asked at.
pub(crate) async fn make(state: &AppState, viewer: &Viewer, sent: Sent<NewCategory>) -> Result<Made, Problem> {
    let body = sent.under(|body| check_new(state, body))?;
    let category = category_of(body, &state.desk.policy())?;
    let category = catalogue::change(state.policies.as_ref(), &state.desk, &viewer.id, |policy| {
        checked(policy, category.clone(), true)
    })
    .await?;
    let location = format!(
        "/api/v1/categories/{}",
        url::form_urlencoded::byte_serialize(category.key.as_str().as_bytes()).collect::<String>()
    );
    made(location, &view::category(&category, true))
}

/// Everything that is wrong with a category that is asked for; it is not made.
fn check_new(state: &AppState, body: NewCategory) -> Result<(), Problem> {
    let policy = state.desk.policy();
    let category = category_of(body, &policy)?;
    checked(Policy::clone(&policy), category, true).map(drop)
}

fn category_of(body: NewCategory, policy: &Policy) -> Result<Category, Problem> {
    let named = Category::named(&body.name).map_err(|_| {
        let wanted = "Must be 1 to 64 letters, digits, spaces or any of - _ & / , . ' ( ) : ; with a letter or digit among them.";
        let code = match body.name.trim().chars().count() {
            0 => "missing",
            65.. => "too_long",
            _ => "invalid",
        };
        Problem::invalid().detail(format!("name: {wanted}")).field("name", code, wanted)
    });
    // What else is wrong does not depend on the name: under any other it is told together with it.
    let (mut category, unnamed) = match named {
        Ok(category) => (category, None),
        Err(problem) => (Category::named("new").map_err(|error| Problem::internal(&error))?, Some(problem)),
    };
    body.description.trim().clone_into(&mut category.description);
    category.skills = body.skills;
    category.priority = body.priority.unwrap_or(category.priority);
    category.weight = body.weight.unwrap_or(category.weight);
    category.area = body.area;
    category.questions = questions(body.questions);
    category.targets = body.targets;
    match unnamed {
        None => Ok(category),
        Some(unnamed) => Err(unnamed.and_more(checked(policy.clone(), category, false).err())),
    }
}

/// Change a category. Admins only; makes a new version of the policy. Its key stays.
#[utoipa::path(patch, path = "/api/v1/categories/{key}", tag = "catalogue", request_body = CategoryChange, security(("bearer" = []), ("cookie" = [])),
    params(("key" = String, Path)), responses(
    (status = 200, body = CategoryView),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`category_exists`"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(key): ApiPath<String>,
    sent: Sent<CategoryChange>,
) -> Result<Json<CategoryView>, Problem> {
    let key = CategoryKey::new(&key).map_err(|_| Problem::not_found())?;
    let mut body = sent.under(|body| check_change(&state, &key, body))?;
    let asked = body.questions.take().map(questions);
    let changed = catalogue::change(state.policies.as_ref(), &state.desk, &viewer.id, |policy| {
        let category = changed(policy.category(&key).ok_or_else(Problem::not_found)?, &body, asked.as_ref());
        checked(policy, category, false)
    })
    .await?;
    Ok(Json(view::category(&changed, true)))
}

fn taken(by: &Category) -> Problem {
    let why = format!("There is such a category already: “{}” ({}).", by.name, by.key);
    Problem::new(StatusCode::CONFLICT, "category_exists", "There is such a category already.")
        .detail(why.clone())
        .field("name", "taken", why)
}

/// Everything that is wrong with a change, which is not made.
fn check_change(state: &AppState, key: &CategoryKey, mut body: CategoryChange) -> Result<(), Problem> {
    let policy = state.desk.policy();
    let asked = body.questions.take().map(questions);
    let category = changed(policy.category(key).ok_or_else(Problem::not_found)?, &body, asked.as_ref());
    checked(Policy::clone(&policy), category, false).map(drop)
}

fn changed(known: &Category, body: &CategoryChange, asked: Option<&Vec<CategoryQuestion>>) -> Category {
    let mut category = known.clone();
    if let Some(name) = &body.name {
        name.trim().clone_into(&mut category.name);
    }
    if let Some(description) = &body.description {
        description.trim().clone_into(&mut category.description);
    }
    if let Some(skills) = &body.skills {
        category.skills.clone_from(skills);
    }
    if let Some(area) = &body.area {
        category.area.clone_from(area);
    }
    if let Some(questions) = asked {
        category.questions.clone_from(questions);
    }
    if let Some(targets) = &body.targets {
        category.targets = targets.clone();
    }
    category.priority = body.priority.unwrap_or(category.priority);
    category.weight = body.weight.unwrap_or(category.weight);
    category.active = body.active.unwrap_or(category.active);
    category
}

/// The policy with the category, or everything that is wrong, as fields of the request: that another one has its name, and its faults.
fn checked(policy: Policy, category: Category, is_new: bool) -> Result<(Policy, Category), Problem> {
    let words = |name: &str| name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    // Whoever chooses sees names; two that are the same are one to them.
    let is_taken = |known: &&Category| {
        if known.key == category.key { is_new } else { words(&known.name) == words(&category.name) }
    };
    let taken = policy.categories.iter().find(is_taken).map(taken);
    let policy = policy.with_category(category.clone());
    let at = policy.categories.iter().position(|known| known.key == category.key).unwrap_or_default();
    let prefix = format!("categories.{at}.");
    let mut findings = policy.faults();
    for finding in &mut findings {
        if let Some(field) = finding.path.strip_prefix(&prefix) {
            finding.path = field.to_owned();
        }
    }
    let faulty = (!findings.is_empty()).then(|| Problem::from(CatalogueError::from(PolicyError::Faulty(findings))));
    match (taken, faulty) {
        (None, None) => Ok((policy, category)),
        (Some(taken), faulty) => Err(taken.and_more(faulty)),
        (None, Some(faulty)) => Err(faulty),
    }
}

fn questions(asked: Vec<NewQuestion>) -> Vec<CategoryQuestion> {
    let question = |(at, question): (usize, NewQuestion)| CategoryQuestion {
        key: question.key.unwrap_or_else(|| key_of(&question.label, at)),
        label: question.label.trim().to_owned(),
        required: question.required,
    };
    asked.into_iter().enumerate().map(question).collect()
}

/// A key from a label; where no letters of it can stand in a key, its number.
fn key_of(label: &str, at: usize) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let key = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if key.is_empty() { format!("q{}", at + 1) } else { key.chars().take(KEY_MAX).collect() }
}
