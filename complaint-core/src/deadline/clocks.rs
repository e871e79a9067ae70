//! Which clocks a complaint wants, and what follows when one runs out.

use chrono::{DateTime, Utc};

use super::{ClockKind, Deadline};
use crate::complaint::Complaint;

/// When the clocks want the next look at a complaint: the earliest warning not yet given or end not yet noticed.
pub fn next_action_at(complaint: &Complaint) -> Option<DateTime<Utc>> {
    complaint.deadlines.iter().filter_map(Deadline::next_action_at).min()
}

impl Deadline {
    /// When it wants the next look: the next warning or the end, while it runs.
    pub(crate) fn next_action_at(&self) -> Option<DateTime<Utc>> {
        // The end of the contest window is asked about when somebody contests; nothing happens by itself.
        if self.ended.is_some() || self.missed_at.is_some() || self.clock == ClockKind::ContestWindow {
            return None;
        }
        let due_at = self.due_at?;
        let warning = self.warn_at.and_then(|[early, late]| match self.warned {
            0 => Some(early),
            75 => Some(late),
            _ => None,
        });
        Some(warning.map_or(due_at, |at| at.min(due_at)))
    }
}
