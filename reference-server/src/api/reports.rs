//! `/api/v1/reports`: numbers for those who oversee.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use complaint_core::DeskError;
use complaint_core::complaint::Complaint;
use complaint_core::desk::Acting;
use complaint_core::lifecycle::Status;
use complaint_core::policy::Policy;
use complaint_core::routing::{Need, Roster, route};
use complaint_core::store::{Query, Reach, Scope, Sort};
use serde::Serialize;
use utoipa::ToSchema;

use super::agents::{everybody, oversees};
use super::figures::FiguresView;
use super::view::{AgentView, Audience, Lens, RoutingView};
use crate::auth::Viewer;
use crate::error::Problem;
use crate::state::AppState;

/// Counts over the complaints the caller may see.
#[derive(Serialize, ToSchema)]
pub(super) struct Summary {
    /// Which complaints are counted: those that the caller may see.
    #[schema(example = "All complaints.")]
    covers: String,
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
    figures: FiguresView,
    waiting: Waiting,
    agents: Vec<AgentView>,
}

/// Complaints in a queue. The router tries at every change and every few seconds, so nobody is eligible for these.
#[derive(Serialize, ToSchema)]
pub(super) struct Waiting {
    count: u64,
    /// The most pressing of them, at most 5; all are at `/api/v1/complaints?status=queued&sort=deadline`.
    most_pressing: Vec<WaitingComplaint>,
}

/// A complaint that waits.
#[derive(Serialize, ToSchema)]
pub(super) struct WaitingComplaint {
    id: String,
    #[schema(example = "C7KQ-2M9X-B")]
    reference: String,
    level: u8,
    since: DateTime<Utc>,
    /// Who was considered, and why they do not fit.
    routing: RoutingView,
}

/// How many of the complaints that wait are told one by one.
const MOST_PRESSING: u16 = 5;

/// The most pressing complaints that wait in a queue: one short page, however many there are.
pub(crate) async fn most_pressing(acting: &Acting) -> Result<Vec<Complaint>, DeskError> {
    let query = Query {
        statuses: vec![Status::Queued],
        sort: Sort::Deadline,
        limit: MOST_PRESSING,
        ..Query::within(acting.scope())
    };
    Ok(acting.list(query).await?.items)
}

/// Which complaints somebody's figures are about.
pub(crate) fn covers(scope: &Scope, policy: &Policy) -> String {
    let Scope::Agent { reach, .. } = scope else {
        return "All complaints.".to_owned();
    };
    let seen = match reach {
        Reach::Own => "What you hold or held last".to_owned(),
        Reach::Queue(level) => {
            format!("What you hold or held last, and the queue of the level “{}”", policy.level_name(*level))
        }
        Reach::UpTo(level) => {
            format!("What stands at the level “{}” or below, and what you hold or held last", policy.level_name(*level))
        }
        Reach::Everything => "All complaints".to_owned(),
    };
    format!("{seen}; none that is about you.")
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

/// What customers say of how they were treated. Anonymous ratings come in in fives.
#[derive(Serialize, ToSchema)]
pub(super) struct Satisfaction {
    /// How many ratings there are.
    count: u64,
    /// Their mean, 1 to 5, rounded to hundredths; null without any.
    average: Option<f64>,
    /// How many gave each score, by the score.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"5": 3}))]
    by_score: BTreeMap<u8, u64>,
}

/// Read counts by status, level and category, missed deadlines, satisfaction, remedies and causes, what waits and why, and what each agent holds.
#[utoipa::path(get, path = "/api/v1/reports/summary", tag = "staff", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = Summary),
    (status = 403, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn summary(State(state): State<AppState>, viewer: Viewer) -> Result<Json<Summary>, Problem> {
    let acting = state.acting(&viewer).await?;
    oversees(acting.actor())?;
    let counted = acting.summary().await?;
    let pressing = most_pressing(&acting).await?;
    let roster = Roster::of(state.desk.store().roster().await.map_err(DeskError::from)?, &state.desk.policy());
    let lens = Lens::plain(&state, Audience::Staff).await?;
    let (policy, now) = (state.desk.policy(), state.desk.now());
    let figures = state.figures.of(&acting, counted.total(), state.live.commits(), now).await?;
    let rated = figures.satisfaction.overall();
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
        covers: covers(&acting.scope(), &policy),
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
            count: rated.ratings(),
            // At most 500.
            average: rated
                .mean_hundredths()
                .and_then(|mean| u32::try_from(mean).ok())
                .map(|mean| f64::from(mean) / 100.0),
            by_score: (1..).zip(rated.by_score).filter(|(_, count)| *count > 0).collect(),
        },
        figures: FiguresView::of(&figures, &policy, |agent| lens.agent_name(agent)),
        waiting: Waiting {
            count: counted.by_status.get(&Status::Queued).copied().unwrap_or_default(),
            most_pressing: pressing
                .iter()
                .map(|complaint| WaitingComplaint {
                    id: complaint.id.to_string(),
                    reference: complaint.reference.to_string(),
                    level: complaint.level.get(),
                    since: complaint.status_since,
                    routing: lens.routing(&route(&Need::of(complaint), &roster, now)),
                })
                .collect(),
        },
        agents: everybody(&state).await?,
    }))
}
