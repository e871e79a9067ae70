//! `/api/v1/users`: accounts of every role.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::agents::{follow_account, leave};
use super::making::{made, once};
use super::query::{page, wrong};
use crate::auth::accounts::{AccountFilter, Made};
use crate::auth::service::FieldFault;
use crate::auth::values::{FullName, Phone};
use crate::auth::{Account, AccountChange, AccountService, Admin, AuthError, NewStaff, Role, Viewer};
use crate::error::Problem;
use crate::extract::{ApiPath, Repeatable, Sent, given};
use crate::state::AppState;

/// The most accounts on a page.
const PAGE_MAX: u16 = 100;
const PAGE: u16 = 25;

/// A page of accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct Users {
    items: Vec<User>,
    /// Give it as `cursor` to get the next page; null on the last.
    next: Option<String>,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    id: String,
    name: String,
    email: String,
    phone: Option<String>,
    role: Role,
    enabled: bool,
    email_verified: bool,
    created_at: DateTime<Utc>,
    /// Since when its owner wants it deleted.
    deletion_asked_at: Option<DateTime<Utc>>,
    /// Since when its log-ins need a second factor.
    second_factor_at: Option<DateTime<Utc>>,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    name: String,
    email: String,
    /// `admin`, `auditor` or `customer`; agents are made by `POST /api/v1/agents`.
    role: Role,
    /// Staff without one get an invitation; a customer needs one.
    password: Option<String>,
    phone: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct UserChange {
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    /// Of staff, another role of staff: it ends their sessions. A new agent starts at the first level; the complaints of who is no
    /// agent any more go to others.
    role: Option<Role>,
    /// `false` ends their sessions; an agent's complaints go to others.
    enabled: Option<bool>,
}

/// List accounts, in order of their ids. Admins and auditors.
#[utoipa::path(get, path = "/api/v1/users", tag = "staff", security(("bearer" = []), ("cookie" = [])),
    params(("role" = Option<String>, Query), ("limit" = Option<u16>, Query, description = "1 to 100; 25 by default"), ("cursor" = Option<String>, Query)),
    responses(
        (status = 200, body = Users),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(state): State<AppState>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
) -> Result<Json<Users>, Problem> {
    if !matches!(viewer.role, Role::Admin | Role::Auditor) {
        return Err(Problem::forbidden().detail("Accounts are for admins and auditors."));
    }
    let mut role = None;
    let page = page(query.as_deref(), PAGE, PAGE_MAX, account_cursor, |name, value| {
        if name == "role" {
            let unknown = || wrong(name, "unknown_value", "One of customer, agent, admin, auditor.");
            role = Some(Role::from_name(value).ok_or_else(unknown)?);
        }
        Ok(name == "role")
    })?;
    let (after, most) = (page.cursor, page.limit);
    // One more than asked for tells whether there is a next page.
    let filter = AccountFilter { role, after, limit: u32::from(most) + 1 };
    let mut accounts = state.accounts.list(filter).await?;
    let more = accounts.len() > usize::from(most);
    accounts.truncate(most.into());
    let next = accounts.last().filter(|_| more).map(|account| account.id.clone());
    Ok(Json(Users { items: accounts.into_iter().map(User::from).collect(), next }))
}

/// Make an admin's, auditor's or customer's account. A customer made here counts as confirmed.
#[utoipa::path(post, path = "/api/v1/users", tag = "staff", request_body = NewUser, security(("bearer" = []), ("cookie" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first answer again")), responses(
    (status = 201, body = User, headers(("Location" = String))),
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
    once(&state.clone(), &viewer.clone(), &request, async move { make(&state, &viewer, sent).await }).await
}

/// Makes an account, for whichever door it was asked at.
pub(crate) async fn make(state: &AppState, viewer: &Viewer, sent: Sent<NewUser>) -> Result<Made, Problem> {
    let role_is_known = sent.has("role");
    let body = sent.under(|body| check_new(&body, role_is_known))?;
    check_new(&body, role_is_known)?;
    let account = match (body.role, &body.password) {
        (Role::Customer, Some(password)) => state.accounts.create_customer(&body.name, &body.email, password).await?,
        _ => state.accounts.create_staff(staff_of(&body)).await?,
    };
    tracing::info!(by = %viewer.id, account = %account.id, role = account.role.as_str(), "an account was made");
    state.poke();
    made(format!("/api/v1/users/{}", account.id), &User::from(account))
}

fn staff_of(body: &NewUser) -> NewStaff<'_> {
    NewStaff {
        name: &body.name,
        email: &body.email,
        phone: body.phone.as_deref(),
        role: body.role,
        password: body.password.as_deref(),
    }
}

/// Everything that is wrong with an account that is asked for; it is not made. Another role says nothing of what the one that was sent
/// needs.
fn check_new(body: &NewUser, role_is_known: bool) -> Result<(), Problem> {
    let of_role = match body.role {
        _ if !role_is_known => None,
        Role::Agent => Some(("role", "invalid", "Agents are made by POST /api/v1/agents.")),
        Role::Customer if body.phone.is_some() => {
            Some(("phone", "unknown_field", "Only staff have a phone number here."))
        }
        Role::Customer if body.password.is_none() => Some(("password", "missing", "A customer needs a password.")),
        _ => None,
    };
    let of_role = of_role
        .map(|(field, code, said)| Problem::invalid().detail(format!("{field}: {said}")).field(field, code, said));
    // Who is made at which door is said above; all else is the same for everybody.
    let person = AccountService::checked_staff(&NewStaff { role: Role::Admin, ..staff_of(body) }).err();
    let wrong = of_role.into_iter().chain(person.map(Problem::from));
    wrong.reduce(|all, more| all.and_more(Some(more))).map_or(Ok(()), Err)
}

/// Change, disable or enable an account, or give it another role; never one's own. The last admin stays.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "staff", request_body = UserChange, security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 200, body = User),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "`not_yourself`"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`last_admin`"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
    sent: Sent<UserChange>,
) -> Result<Json<User>, Problem> {
    if id == viewer.id {
        return Err(not_yourself());
    }
    let before = state.accounts.account(&id).await?;
    let body = sent.under(|body| checked_change(&body, before.role))?;
    let change = checked_change(&body, before.role)?;
    // Out of the routing first, into it last: nobody may get work who is no agent. Either half can fail, and the same request then
    // finishes it.
    if before.role == Role::Agent && body.role.is_some_and(|role| role != Role::Agent) {
        leave(&state, &before).await?;
    }
    let account = state.accounts.change(&id, change).await?;
    follow_account(&state, &account).await?;
    tracing::info!(by = %viewer.id, account = %account.id, "an account was changed");
    Ok(Json(User::from(account)))
}

/// Mail another invitation to a member of staff who has not accepted one yet. The former link works until one is used.
#[utoipa::path(post, path = "/api/v1/users/{id}/invitation", tag = "staff", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 202, description = "It is on its way"),
    (status = 400, body = Problem, content_type = "application/problem+json", description = "`idempotency_key_not_supported`: an `Idempotency-Key` is refused, because no answer is kept to be given again"),
    (status = 403, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`not_invited`: a customer, disabled, or it was accepted"),
))]
pub(crate) async fn invite_again(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    let account = state.accounts.account(&id).await?;
    state.accounts.invite_again(&account.id).await.map_err(|error| match error {
        AuthError::NoSuchAccount => {
            Problem::new(StatusCode::CONFLICT, "not_invited", "This account does not wait for an invitation.")
        }
        error => error.into(),
    })?;
    state.poke();
    tracing::info!(by = %viewer.id, account = %account.id, "an invitation was sent again");
    Ok(StatusCode::ACCEPTED)
}

/// Take the second factor of somebody away who has lost device and recovery codes; never one's own. They are logged out everywhere and
/// told by mail.
#[utoipa::path(delete, path = "/api/v1/users/{id}/second-factor", tag = "staff", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path)), responses(
    (status = 204),
    (status = 403, body = Problem, content_type = "application/problem+json", description = "`not_yourself`"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "`no_second_factor`"),
))]
pub(crate) async fn reset_second_factor(
    State(state): State<AppState>,
    Admin(viewer): Admin,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    if id == viewer.id {
        return Err(not_yourself());
    }
    let account = state.accounts.account(&id).await?;
    state.accounts.reset_second_factor(&account.id).await?;
    tracing::info!(by = %viewer.id, account = %account.id, "a second factor was reset");
    state.poke();
    Ok(StatusCode::NO_CONTENT)
}

/// What is to change about an account of this role; every fault is named.
fn checked_change(body: &UserChange, before: Role) -> Result<AccountChange, Problem> {
    let change = account_change(body.name.as_deref(), body.phone.as_ref(), body.enabled);
    match body.role.map_or(Ok(()), |role| fits(before, role)) {
        Ok(()) => Ok(AccountChange { role: body.role, ..change? }),
        Err(role) => Err(match change {
            Ok(_) => role,
            Err(change) => change.and_more(Some(role)),
        }),
    }
}

fn not_yourself() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not_yourself", "Somebody else must change your account.")
}

/// Customers stay customers, and staff staff: what they did stands under what they were.
fn fits(before: Role, role: Role) -> Result<(), Problem> {
    if before.is_staff() && role.is_staff() || before == role {
        return Ok(());
    }
    let message = "Customers and staff have accounts of their own; make another one.";
    Err(Problem::invalid().field("role", "invalid", message))
}

/// What is to change about an account; every fault is named.
pub(super) fn account_change(
    name: Option<&str>,
    phone: Option<&Option<String>>,
    enabled: Option<bool>,
) -> Result<AccountChange, Problem> {
    let name = name.map(FullName::parse).transpose();
    let phone = phone.map(|phone| phone.as_deref().map(Phone::parse).transpose()).transpose();
    match (name, phone) {
        (Ok(name), Ok(phone)) => {
            Ok(AccountChange { name, phone, disabled: enabled.map(|enabled| !enabled), ..AccountChange::default() })
        }
        (name, phone) => {
            let faults = [("name", name.err()), ("phone", phone.err())];
            let faults = faults.into_iter().filter_map(|(field, fault)| Some(FieldFault { field, fault: fault? }));
            Err(AuthError::Invalid(faults.collect()).into())
        }
    }
}

/// A place in a list of accounts: the id of one.
pub(super) fn account_cursor(value: &str) -> Result<String, Problem> {
    let is_id = value.starts_with("u_") && value.len() <= 64 && value.bytes().all(|b| b.is_ascii_graphic());
    if is_id { Ok(value.to_owned()) } else { Err(wrong("cursor", "invalid", "The next of an earlier page.")) }
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            email: account.email,
            phone: account.phone,
            role: account.role,
            enabled: account.disabled_at.is_none(),
            email_verified: account.email_verified_at.is_some(),
            created_at: account.created_at,
            deletion_asked_at: account.deletion_asked_at,
            second_factor_at: account.second_factor_at,
        }
    }
}
