//! Why a clock runs out when it does.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::clocks::{after, length};
use super::{Calendar, Deadline, PauseCause};

/// The stretches that lead to the end of a clock, and what they add up to.
///
/// Example: [`Deadline::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// From the start on, in order and without gaps. As far as the limit allowed.
    pub stretches: Vec<Stretch>,
    /// How much of the promised time is used at `until`: the sum of the stretches that ran, where all are listed and the calendar
    /// is as it was.
    pub counted: Duration,
    /// The promised time.
    pub total: Duration,
    /// Where the explanation ends: when the clock ended; while it runs, when it runs out, or now where that is over;
    /// while it is paused, now.
    pub until: DateTime<Utc>,
    /// Whether the limit was reached, so that stretches are missing at the end.
    pub cut: bool,
}

/// One stretch of a clock, never empty, and as long as it can be.
///
/// Example: [`Deadline::explain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after it.
    pub to: DateTime<Utc>,
    /// What the clock did.
    pub kind: StretchKind,
}

/// What a clock did for a while, and why.
///
/// Example: [`Deadline::explain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StretchKind {
    /// It counted.
    Ran,
    /// It would have counted, but the office was closed.
    Closed,
    /// It paused; the cause is that for which the pause began, where it was recorded.
    Paused(Option<PauseCause>),
    /// The promised time was used up, and nobody had kept the promise yet.
    Over,
}

impl Deadline {
    /// Explains a clock in at most `at_most` stretches: what ran is split where the office was closed, and what came
    /// after the promised time was used up is told apart.
    ///
    /// The stretches that ran add up to the promised time exactly, as soon as it is used up; before that, to what is
    /// used. `calendar` is the one it is measured on, see [`Deadline::measured_on`], as it was when the clock was
    /// promised; a clock on wall time does not look at it.
    ///
    /// No calendar is kept as it was, and what is promised stands all the same: on one that was changed since, the explanation ends,
    /// and what is over begins, at [`Deadline::due_at`], where all of the time counts as used. The stretches on the way there are those
    /// of the changed calendar: with a holiday more they add up to less than was promised, with one fewer to more. What was used
    /// before a pause is measured on it likewise.
    ///
    /// ```
    /// use complaint_core::deadline::{Calendar, ClockKind, StretchKind};
    /// # use complaint_core::{Actor, Complaint, Policy, policy::Category};
    /// # use complaint_core::lifecycle::{Context, begin, submit};
    /// # use complaint_core::clock::{IdSource, RandomIds};
    /// # use complaint_core::id::ComplaintId;
    /// # let policy = Policy::standard().with_category(Category::named("Water")?);
    /// # let friday = "2026-11-20T16:00:00Z".parse::<chrono::DateTime<chrono::Utc>>()?;
    /// # let about = Complaint::about("Water", "No water", "Since noon.")?;
    /// # let id = ComplaintId::from_uuid(RandomIds.next_id(friday));
    /// # let john = Actor::customer("john")?;
    /// # let context = Context::new(&policy, friday);
    /// # let complaint = begin(&submit(id, RandomIds.next_reference(), &about, &john, &context)?).expect("begun");
    /// let deadline = complaint.deadline(ClockKind::Acknowledgement).expect("runs"); // eight working hours
    /// let explained = deadline.explain(&policy.working_calendar(), friday, 10);
    /// let kinds: Vec<StretchKind> = explained.stretches.iter().map(|stretch| stretch.kind).collect();
    /// assert_eq!(kinds, [StretchKind::Ran, StretchKind::Closed, StretchKind::Ran]); // over the weekend
    /// assert_eq!((explained.counted, Some(explained.until)), (explained.total, deadline.due_at));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, calendar: &Calendar, now: DateTime<Utc>, at_most: usize) -> Explanation {
        let calendar = self.calendar.as_ref().map(|_| calendar);
        let total = Duration::from_micros(self.total_micros);
        let mut drawn = Drawing { stretches: Vec::new(), at_most, cut: false };
        let mut left = total;
        let mut until = self.started_at;
        for (at, segment) in self.segments.iter().enumerate() {
            if !segment.ran {
                until = segment.to.unwrap_or(now).max(segment.from);
                drawn.add(segment.from, until, StretchKind::Paused(segment.cause));
                continue;
            }
            // What the clock was promised to end at belongs to the stretch that it runs in, or ran in last.
            let promised = self.due_at.filter(|_| at + 1 == self.segments.len());
            let used_up = promised.unwrap_or_else(|| after(calendar, segment.from, left)).max(segment.from);
            // One that lasts ends at the earliest when the time is used up.
            until = segment.to.unwrap_or_else(|| now.max(used_up)).max(segment.from);
            drawn.split(calendar, segment.from, used_up.min(until));
            drawn.add(used_up, until, StretchKind::Over);
            let ran = if used_up <= until { left } else { length(calendar, segment.from, until) };
            left = left.saturating_sub(ran);
        }
        Explanation { stretches: drawn.stretches, counted: total.saturating_sub(left), total, until, cut: drawn.cut }
    }
}

/// Takes stretches in order, as many as fit.
struct Drawing {
    stretches: Vec<Stretch>,
    at_most: usize,
    cut: bool,
}

impl Drawing {
    fn add(&mut self, from: DateTime<Utc>, to: DateTime<Utc>, kind: StretchKind) {
        if from >= to {
            return;
        }
        // What was asked and answered in one instant leaves no trace.
        if let Some(last) = self.stretches.last_mut()
            && (last.to, last.kind) == (from, kind)
        {
            last.to = to;
            return;
        }
        if self.cut || self.stretches.len() >= self.at_most {
            self.cut = true;
            return;
        }
        self.stretches.push(Stretch { from, to, kind });
    }

    fn split(&mut self, calendar: Option<&Calendar>, from: DateTime<Utc>, to: DateTime<Utc>) {
        let Some(calendar) = calendar else {
            return self.add(from, to, StretchKind::Ran);
        };
        // More than fits, so that what is missing is noticed even where the first goes on with the last.
        let room = self.at_most.saturating_add(2).saturating_sub(self.stretches.len());
        for (from, to, open) in calendar.segments(from, to, room) {
            self.add(from, to, if open { StretchKind::Ran } else { StretchKind::Closed });
        }
    }
}
