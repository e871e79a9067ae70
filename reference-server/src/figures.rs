//! Figures over all complaints of a viewer, counted when something has changed, and at most once a minute where there is
//! much to count.
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
use tokio::sync::{Mutex, watch};

/// So many complaints are counted anew at every change: that takes no longer than the page around it.
const FEW: u64 = 1000;

/// How long figures over more are shown before they are counted again.
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
pub(crate) struct KeptFigures(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    scope: Scope,
    counted: Arc<Counted>,
    /// Tells of every commit since.
    commits: watch::Receiver<()>,
}

impl KeptFigures {
    /// The figures over what this actor may see: `total` complaints. `commits` tells of every commit from now on.
    ///
    /// # Errors
    /// As the store fails.
    pub(crate) async fn of(
        &self,
        acting: &Acting,
        total: u64,
        commits: watch::Receiver<()>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Counted>, DeskError> {
        let scope = acting.scope();
        let mut kept = self.0.lock().await;
        kept.retain(|it| now - it.counted.at < KEPT_FOR);
        let good = |it: &&Kept| it.scope == scope && (total > FEW || it.commits.has_changed().is_ok_and(|it| !it));
        if let Some(it) = kept.iter().find(good) {
            return Ok(Arc::clone(&it.counted));
        }
        let (ledger, satisfaction) = acting.figures().await?;
        let counted = Arc::new(Counted { ledger, satisfaction, at: now });
        kept.retain(|it| it.scope != scope);
        kept.push(Kept { scope, counted: Arc::clone(&counted), commits });
        Ok(counted)
    }
}
