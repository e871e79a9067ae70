//! Who used how much of the time that a level had.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::clocks::length;
use super::{Calendar, ClockChange, ClockKind, Deadline, Span, SpanUnit};
use crate::complaint::Entry;
use crate::id::{AgentId, Level};
use crate::policy::Policy;

/// The time that one stay at a level used, of the time it had. Prints as `level 1 used 6 of 8 working hours`; where the target is
/// in other units, as `level 1 used 80 h of 40 h (5 working days)`.
///
/// Example: [`usage()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelUsage {
    /// Which level.
    pub level: Level,
    /// Which stay: the instance of its level clock, from 1.
    pub stay: u32,
    /// Since when it was there.
    pub from: DateTime<Utc>,
    /// Until when; `None` while it is there.
    pub to: Option<DateTime<Utc>>,
    /// How much time the level had.
    pub target: Span,
    /// The same in counted time: opening time, or wall time where the target is.
    pub total: Duration,
    /// How much it used, in counted time; pauses do not count. May be more than it had.
    pub used: Duration,
    /// The same by holder, in the order in which they first held it; `None` while it waited for somebody.
    pub holders: Vec<HolderUsage>,
}

/// The time that one holder used.
///
/// Example: [`usage()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderUsage {
    /// Who; `None` for the queue.
    pub holder: Option<AgentId>,
    /// How much counted time passed while they held it.
    pub used: Duration,
}

/// What each stay at a level used of its time, and who held the complaint meanwhile, from its whole log.
///
/// A stay is what one level clock measures: it begins when the level is entered and ends when it is left or the
/// complaint is settled. What pauses the clock counts for nobody. Clocks are measured on the calendars of `policy`.
///
/// ```
/// use chrono::TimeDelta;
/// use complaint_core::deadline::usage;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let log = desk.whole_log(receipt.id()).await?;
/// let stays = usage(&log, &desk.policy(), receipt.complaint().received_at + TimeDelta::days(14));
/// assert_eq!(stays[0].to_string(), "level 1 used 80 h of 40 h (5 working days)");
/// assert!(stays[0].used > stays[0].total);
/// assert_eq!(stays[0].holders.last().map(|it| it.holder.as_ref()), Some(Some(&asha.id)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn usage(log: &[Entry], policy: &Policy, now: DateTime<Utc>) -> Vec<LevelUsage> {
    let mut clocks: BTreeMap<u32, (Level, Deadline)> = BTreeMap::new();
    for entry in log {
        for change in entry.clocks.iter().filter(|change| change.key().0 == ClockKind::Level) {
            let (_, stay) = change.key();
            match change {
                ClockChange::Started { deadline } => {
                    clocks.insert(stay, (entry.place.level, Deadline::clone(deadline)));
                }
                _ => {
                    if let Some((_, deadline)) = clocks.get_mut(&stay) {
                        deadline.apply(change, entry.at);
                    }
                }
            }
        }
    }
    let holders = holders(log, now);
    let measured = |(stay, (level, clock)): (u32, (Level, Deadline))| {
        let calendar = clock.measured_on(policy);
        let ran = || clock.segments.iter().filter(|segment| segment.ran);
        let mut shares: Vec<HolderUsage> = Vec::new();
        let end = clock.ended.map_or(now, |ended| ended.at);
        for (holder, from, to) in &holders {
            if *from >= end || *to <= clock.started_at {
                continue;
            }
            let used = ran().map(|segment| overlap(calendar, (segment.from, segment.to.unwrap_or(now)), (*from, *to)));
            let used: Duration = used.sum();
            match shares.iter_mut().find(|share| share.holder.as_ref() == *holder) {
                Some(share) => share.used += used,
                None => shares.push(HolderUsage { holder: holder.cloned(), used }),
            }
        }
        LevelUsage {
            level,
            stay,
            from: clock.started_at,
            to: clock.ended.map(|ended| ended.at),
            target: clock.target,
            total: Duration::from_micros(clock.total_micros),
            used: ran().map(|segment| length(calendar, segment.from, segment.to.unwrap_or(now))).sum(),
            holders: shares,
        }
    };
    clocks.into_iter().map(measured).collect()
}

impl fmt::Display for LevelUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_hours = matches!(self.target.unit(), SpanUnit::WorkingHours | SpanUnit::Hours);
        let used = hours(self.used);
        if in_hours {
            // Whole hours have their unit from the target.
            let used = used.strip_suffix(" h").unwrap_or(&used);
            write!(f, "level {} used {used} of {}", self.level, self.target)
        } else {
            write!(f, "level {} used {used} of {} ({})", self.level, hours(self.total), self.target)
        }
    }
}

fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{hours} h"),
        (0, rest) => format!("{rest} min"),
        (hours, rest) => format!("{hours} h {rest} min"),
    }
}

/// Who held it, from when until when, without gaps; entries of one instant leave no trace but the last.
fn holders(log: &[Entry], now: DateTime<Utc>) -> Vec<(Option<&AgentId>, DateTime<Utc>, DateTime<Utc>)> {
    let ends = log.iter().skip(1).map(|entry| entry.at).chain([now]);
    let stretches = log.iter().zip(ends).map(|(entry, end)| (entry.place.handler.as_ref(), entry.at, end));
    stretches.filter(|(_, from, to)| from < to).collect()
}

fn overlap(
    calendar: Option<&Calendar>,
    a: (DateTime<Utc>, DateTime<Utc>),
    b: (DateTime<Utc>, DateTime<Utc>),
) -> Duration {
    let (from, to) = (a.0.max(b.0), a.1.min(b.1));
    if from < to { length(calendar, from, to) } else { Duration::ZERO }
}
