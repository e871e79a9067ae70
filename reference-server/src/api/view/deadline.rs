//! The clocks of a complaint.

use chrono::{DateTime, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::deadline::Deadline;
use serde::Serialize;
use utoipa::ToSchema;

use super::Lens;

/// One clock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadlineView {
    #[schema(example = "resolution")]
    clock: &'static str,
    label: &'static str,
    /// Which of its kind; of the clocks of remedies, the number of the remedy.
    instance: u32,
    #[schema(example = "20 working days")]
    target: String,
    calendar: Option<String>,
    started_at: DateTime<Utc>,
    /// When it runs out; none while it is paused.
    due_at: Option<DateTime<Utc>>,
    paused: bool,
    missed_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// `met`, `late` or `cancelled`.
    #[schema(value_type = Option<String>)]
    ending: Option<complaint_core::deadline::Ending>,
    /// Stretches of running and pausing, oldest first.
    segments: Vec<SegmentView>,
}

/// A stretch of a clock.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SegmentView {
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    ran: bool,
}

impl Lens {
    /// The clocks this viewer is told of.
    pub fn deadlines(&self, complaint: &Complaint) -> Vec<DeadlineView> {
        // A customer is given no date that nobody can keep; what was missed stays known.
        let untold = !self.audience.is_internal() && self.without_promise.contains(&complaint.id);
        let told = |it: &&Deadline| !untold || it.ended.is_some() || it.due_at <= Some(self.now);
        complaint.deadlines.iter().map(AsRef::as_ref).filter(told).map(deadline).collect()
    }
}

fn deadline(deadline: &Deadline) -> DeadlineView {
    DeadlineView {
        clock: deadline.clock.name(),
        label: deadline.clock.label(),
        instance: deadline.instance,
        target: deadline.target.to_string(),
        calendar: deadline.calendar.as_deref().map(str::to_owned),
        started_at: deadline.started_at,
        due_at: deadline.due_at,
        paused: deadline.ended.is_none() && deadline.due_at.is_none(),
        missed_at: deadline.missed_at,
        ended_at: deadline.ended.map(|ended| ended.at),
        ending: deadline.ended.map(|ended| ended.how),
        segments: deadline
            .segments
            .iter()
            .map(|segment| SegmentView { from: segment.from, to: segment.to, ran: segment.ran })
            .collect(),
    }
}
