//! `/api/v1/lifecycle`: the table everything is derived from.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use complaint_core::deadline::ClockKind;
use complaint_core::lifecycle::{CommandName, Lifecycle, Status};
use serde::Deserialize;
use serde_json::{Value, json};

use super::view::field_view;
use crate::auth::{Role, Viewer};
use crate::error::Problem;
use crate::extract::ApiQuery;
use crate::state::AppState;

/// How the table calls whose complaint it is.
const CUSTOMER: &str = "customer";

/// In which form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    format: Option<Format>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Mermaid,
}

/// Read the lifecycle: statuses, commands with guards and fields, levels, clocks. With `format=mermaid`, or asked for as text/plain, a
/// Mermaid state diagram.
///
/// Customers get what concerns them: what they may do and how long, and the clocks whose dates they are told. The limits, authority
/// and clocks by which levels work among themselves are the organisation's own; so is the diagram, which draws them.
#[utoipa::path(get, path = "/api/v1/lifecycle", tag = "catalogue", security(("bearer" = []), ("cookie" = [])),
    params(("format" = Option<String>, Query, description = "`json` (default) or `mermaid`")),
    responses((status = 200, body = Object), (status = 403, body = Problem, content_type = "application/problem+json", description = "The diagram, to customers"), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn show(
    State(state): State<AppState>,
    viewer: Viewer,
    ApiQuery(wanted): ApiQuery<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let policy = state.desk.policy();
    let lifecycle = Lifecycle::of(&policy);
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let as_text = wanted.format.map_or(accepted.trim().starts_with("text/plain"), |format| format == Format::Mermaid);
    let is_customer = viewer.role == Role::Customer;
    if as_text && is_customer {
        return Err(Problem::forbidden());
    }
    if as_text {
        return Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], lifecycle.to_mermaid()).into_response());
    }
    let mut table = lifecycle.to_json();
    for command in list(&mut table, "commands") {
        let name = command["name"].as_str().and_then(|name| name.parse::<CommandName>().ok());
        let fields = name.map_or(&[][..], CommandName::fields);
        command["fields"] =
            json!(fields.iter().map(|field| field_view(*field, field.is_required(), &policy)).collect::<Vec<_>>());
    }
    Ok(Json(if is_customer { for_customer(table) } else { table }).into_response())
}

/// The table without what is the organisation's own.
fn for_customer(mut table: Value) -> Value {
    list(&mut table, "statuses").retain_mut(|it| {
        let Some(status) = status(&it["name"]) else { return false };
        it["label"] = status.customer_label().into();
        status.for_customer() == status
    });
    list(&mut table, "commands").retain_mut(|it| {
        list(it, "who").retain(|who| who["role"] == CUSTOMER);
        seen(it, "from");
        seen(it, "to");
        !list(it, "who").is_empty()
    });
    for level in list(&mut table, "levels") {
        only(level, &["level", "name"]);
    }
    list(&mut table, "clocks").retain_mut(|it| {
        only(it, &["name", "label", "target", "categories", "runs_in"]);
        seen(it, "runs_in");
        ClockKind::ALL.into_iter().any(|clock| it["name"] == clock.name() && clock.concerns_customer())
    });
    list(&mut table, "changes").retain_mut(|it| {
        list(it, "who").retain(|who| who == CUSTOMER);
        for end in ["from", "to"] {
            it[end] = status(&it[end]).map(|status| status.for_customer().name()).into();
        }
        !list(it, "who").is_empty()
    });
    let mut known = BTreeSet::new();
    list(&mut table, "changes").retain(|it| known.insert(it.to_string()));
    only(&mut table, &["policy", "statuses", "commands", "levels", "clocks", "windows", "statutory", "changes"]);
    table
}

/// Statuses as the customer sees them, each once.
fn seen(of: &mut Value, name: &str) {
    let statuses = list(of, name);
    for it in statuses.iter_mut() {
        // `same` is no status.
        if let Some(status) = status(it) {
            *it = status.for_customer().name().into();
        }
    }
    statuses.dedup();
}

fn status(name: &Value) -> Option<Status> {
    name.as_str()?.parse().ok()
}

fn only(of: &mut Value, members: &[&str]) {
    if let Some(object) = of.as_object_mut() {
        object.retain(|name, _| members.contains(&name.as_str()));
    }
}

/// A list of the table; one that is not there is empty.
fn list<'a>(of: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    if !of[name].is_array() {
        of[name] = json!([]);
    }
    match &mut of[name] {
        Value::Array(items) => items,
        _ => unreachable!("it was made one"),
    }
}
