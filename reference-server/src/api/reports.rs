//! `/api/v1/reports`: numbers for those who oversee.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use complaint_core::lifecycle::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::agents::{everybody, oversees};
use super::view::AgentView;
use crate::auth::Viewer;
use crate::error::Problem;
use crate::state::AppState;

/// Counts over the complaints the caller may see.
#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    total: u64,
    open: u64,
    /// Every status, those without complaints too.
    #[schema(example = json!({"queued": 0, "assigned": 3}))]
    by_status: BTreeMap<&'static str, u64>,
    open_by_level: Vec<LevelCount>,
    by_category: Vec<CategoryCount>,
    /// Open complaints that missed a deadline which still runs.
    breaches: u64,
    satisfaction: Satisfaction,
    agents: Vec<AgentView>,
}

/// Open complaints at a level.
#[derive(Serialize, ToSchema)]
pub(super) struct LevelCount {
    level: u8,
    name: String,
    open: u64,
}

/// Complaints of a category.
#[derive(Serialize, ToSchema)]
pub(super) struct CategoryCount {
    key: String,
    name: String,
    total: u64,
}

/// What customers say of how they were treated.
#[derive(Serialize, ToSchema)]
pub(super) struct Satisfaction {
    /// How many ratings there are.
    count: u64,
    /// Their mean, 1 to 5, cut to hundredths; null without any.
    average: Option<f64>,
    /// How many gave each score.
    by_score: BTreeMap<u8, u64>,
}

/// Read counts by status, level and category, missed deadlines, satisfaction, and what each agent holds.
#[utoipa::path(get, path = "/api/v1/reports/summary", tag = "staff", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Summary),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn summary(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Summary>, Problem> {
    let acting = state.acting(&viewer).await?;
    oversees(acting.actor())?;
    let counted = acting.summary().await?;
    let policy = state.desk.policy();
    let (count, hundredths) = counted.satisfaction();
    let levels = (1..).zip(&policy.levels).map(|(number, level)| LevelCount {
        level: number,
        name: level.name.clone(),
        open: counted.open_by_level.iter().find(|(level, _)| level.get() == number).map_or(0, |(_, open)| *open),
    });
    let categories = counted.by_category.iter().map(|(key, total)| CategoryCount {
        key: key.to_string(),
        name: policy.category(key).map_or_else(|| key.to_string(), |category| category.name.clone()),
        total: *total,
    });
    Ok(Json(Summary {
        total: counted.total(),
        open: counted.open(),
        by_status: Status::ALL
            .into_iter()
            .map(|status| (status.name(), counted.by_status.get(&status).copied().unwrap_or_default()))
            .collect(),
        open_by_level: levels.collect(),
        by_category: categories.collect(),
        breaches: counted.open_with_missed_deadline,
        satisfaction: Satisfaction {
            count,
            // At most 500.
            average: hundredths.and_then(|mean| u32::try_from(mean).ok()).map(|mean| f64::from(mean) / 100.0),
            by_score: counted.ratings.clone(),
        },
        agents: everybody(&state).await?,
    }))
}
