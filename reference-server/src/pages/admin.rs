//! x
use axum::Router;
use crate::state::AppState;
/// x
pub fn routes() -> Router<AppState> { Router::new() }
