//! What can be reported: the catalogue.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use complaint_core::id::CategoryKey;
use complaint_core::policy::{Category, Policy};

use super::BELOW;
use super::answer::{Format, Node, answer};
use super::asked::{Asked, Named};
use crate::error::Problem;
use crate::state::AppState;

/// Where this is, and in which formats. It changes as the catalogue does, which every version of the policy may change.
pub(super) async fn discovery(
    State(state): State<AppState>,
    format: Format,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let base_url = state.config.base_url();
    let base_url = base_url.as_str().trim_end_matches('/');
    // Sortable as text, as it must be.
    let changeset = || Node::Text(format!("{:010}", state.desk.policy().version));
    let formats = ["text/xml", "application/json"].map(Node::text).to_vec();
    let endpoint = Node::Fields(vec![
        ("specification", Node::text("http://wiki.open311.org/GeoReport_v2")),
        ("url", Node::Text(format!("{base_url}{BELOW}"))),
        ("changeset", changeset()),
        ("type", Node::text(if state.config.movable_clock { "test" } else { "production" })),
        ("formats", Node::List("format", formats)),
    ]);
    let found = Node::Fields(vec![
        ("changeset", changeset()),
        ("contact", Node::Text(format!("{base_url}/"))),
        (
            "key_service",
            Node::Text(format!(
                "Sign up at {base_url}/signup; the key is a token that POST {base_url}/api/v1/tokens makes."
            )),
        ),
        ("endpoints", Node::List("endpoint", vec![endpoint])),
    ]);
    answer(format, StatusCode::OK, "discovery", found)
}

/// The categories that can be chosen.
pub(super) async fn list(
    State(state): State<AppState>,
    format: Format,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let policy = state.desk.policy();
    let services = policy.categories.iter().filter(|category| category.active).map(|category| {
        Node::Fields(vec![
            ("service_code", Node::text(&category.key)),
            ("service_name", Node::text(&category.name)),
            ("description", Node::text(&category.description)),
            ("metadata", Node::Flag(!category.questions.is_empty())),
            // The number is known as soon as it is in.
            ("type", Node::text("realtime")),
            ("keywords", Node::Nothing),
            ("group", Node::maybe(category.groups.first())),
        ])
    });
    answer(format, StatusCode::OK, "services", Node::List("service", services.collect()))
}

/// The questions of a category, as texts; one without questions has no attributes.
pub(super) async fn definition(
    State(state): State<AppState>,
    format: Format,
    Named(code): Named,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Asked::read(query.as_deref(), &[])?;
    let policy = state.desk.policy();
    let category = service(&policy, &code).filter(|category| category.active).ok_or_else(no_service)?;
    let attributes = (1_u32..).zip(&category.questions).map(|(order, question)| {
        Node::Fields(vec![
            ("variable", Node::Flag(true)),
            ("code", Node::text(&question.key)),
            ("datatype", Node::text("text")),
            ("required", Node::Flag(question.required)),
            ("datatype_description", Node::Nothing),
            ("order", Node::Number(order.into())),
            ("description", Node::text(&question.label)),
        ])
    });
    let definition = Node::Fields(vec![
        ("service_code", Node::text(&category.key)),
        ("attributes", Node::List("attribute", attributes.collect())),
    ]);
    answer(format, StatusCode::OK, "service_definition", definition)
}

/// The category of a code, also one that is no longer in use: its complaints can be found.
pub(super) fn service<'p>(policy: &'p Policy, code: &str) -> Option<&'p Category> {
    let key = CategoryKey::new(code).ok().filter(|key| key.as_str() == code)?;
    policy.category(&key)
}

/// 404, as the specification has it for codes in parameters too.
pub(super) fn no_service() -> Problem {
    Problem::not_found().field("service_code", "unknown_category", "There is no such service; GET services lists them.")
}
