//! Pages, by audience.

pub mod links;

use axum::Router;

use crate::state::AppState;

/// Every page.
pub fn routes() -> Router<AppState> {
    links::routes()
}
