//! Figures over all complaints of a viewer, counted at most once a minute.
//!
//! The core counts them by reading every complaint. That is nothing for a report, and too much for each look at a page
//! that renews itself.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::DeskError;
use complaint_core::desk::Acting;
use complaint_core::redress::Ledger;
use complaint_core::satisfaction::Satisfaction;
use complaint_core::store::Scope;
use tokio::sync::Mutex;

/// How long figures are shown before they are counted again.
const KEPT_FOR: TimeDelta = TimeDelta::minutes(1);

/// What was counted for one scope.
#[derive(Debug)]
pub(crate) struct Counted {
    /// What was promised and what became of it.
    pub(crate) ledger: Ledger,
    /// What customers say.
    pub(crate) satisfaction: Satisfaction,
    /// When it was counted.
    pub(crate) at: DateTime<Utc>,
}

/// The figures of whoever asked lately. Who asks while they are counted waits for the same count.
#[derive(Debug, Default)]
pub(crate) struct KeptFigures(Mutex<Vec<(Scope, Arc<Counted>)>>);

impl KeptFigures {
    /// The figures over what this actor may see.
    ///
    /// # Errors
    /// As the store fails.
    pub(crate) async fn of(&self, acting: &Acting, now: DateTime<Utc>) -> Result<Arc<Counted>, DeskError> {
        let scope = acting.scope();
        let mut kept = self.0.lock().await;
        kept.retain(|(_, counted)| now - counted.at < KEPT_FOR);
        if let Some((_, counted)) = kept.iter().find(|(known, _)| *known == scope) {
            return Ok(Arc::clone(counted));
        }
        let (ledger, satisfaction) = acting.figures().await?;
        let counted = Arc::new(Counted { ledger, satisfaction, at: now });
        kept.push((scope, Arc::clone(&counted)));
        Ok(counted)
    }
}
