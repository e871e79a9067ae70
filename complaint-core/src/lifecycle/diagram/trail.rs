//! Where one complaint has been, and for how long.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::complaint::{Entry, Place};
use crate::id::{AgentId, Level};
use crate::lifecycle::{LevelChange, Status};

/// The places a complaint has been in, oldest first, without gaps. For staff: it names levels and handlers.
///
/// ```
/// use complaint_core::lifecycle::Trail;
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
///
/// let trail = Trail::of(&desk.whole_log(receipt.id()).await?, desk.now());
/// let stays = trail.visits.iter().map(|visit| (visit.status.name(), visit.handler.as_ref()));
/// assert!(stays.eq([("queued", None), ("assigned", Some(&asha.id))]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// Each stay.
    pub visits: Vec<Visit>,
}

/// One stay at a status and level, with one handler.
///
/// Example: [`Trail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visit {
    /// The status.
    pub status: Status,
    /// The level.
    pub level: Level,
    /// Who held it, if anybody did.
    pub handler: Option<AgentId>,
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after it; `None` while it lasts.
    pub until: Option<DateTime<Utc>>,
    /// How long, in whole seconds of wall time; a stay that lasts is counted until `now`.
    pub seconds: u64,
}

impl Trail {
    /// Reads a trail from a log in order. A stay in an end status is counted until `now` as any other.
    pub fn of(log: &[Entry], now: DateTime<Utc>) -> Self {
        let mut stays: Vec<(&Place, DateTime<Utc>)> = Vec::new();
        for entry in log {
            if stays.last().is_none_or(|(place, _)| **place != entry.place) {
                stays.push((&entry.place, entry.at));
            }
        }
        let ends = stays.iter().skip(1).map(|(_, from)| Some(*from)).chain([None]);
        let visits = stays.iter().zip(ends).map(|((place, from), until)| Visit {
            status: place.status,
            level: place.level,
            handler: place.handler.clone(),
            from: *from,
            until,
            seconds: u64::try_from((until.unwrap_or(now) - *from).num_seconds()).unwrap_or(0),
        });
        Self { visits: visits.collect() }
    }

    /// As JSON: `visits`, each with `status`, `level`, `handler`, `from`, `until` and `seconds`.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Where the complaint is now.
    pub(super) fn last(&self) -> Option<Status> {
        self.visits.last().map(|visit| visit.status)
    }

    /// For each status: which visits were there, counted from 1, and how long in all.
    pub(super) fn stays(&self) -> BTreeMap<Status, (Vec<usize>, u64)> {
        let mut stays: BTreeMap<Status, (Vec<usize>, u64)> = BTreeMap::new();
        for (number, visit) in (1..).zip(&self.visits) {
            let stay = stays.entry(visit.status).or_default();
            stay.0.push(number);
            stay.1 = stay.1.saturating_add(visit.seconds);
        }
        stays
    }

    /// Every change of status it made, and what it did to the level.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Status, Status, LevelChange)> {
        self.visits.windows(2).filter(|pair| pair[0].status != pair[1].status).map(|pair| {
            let step = match pair[1].level.cmp(&pair[0].level) {
                Ordering::Less => LevelChange::Down,
                Ordering::Equal => LevelChange::Kept,
                Ordering::Greater => LevelChange::Up,
            };
            (pair[0].status, pair[1].status, step)
        })
    }
}

/// A length of time in its two largest units, e.g. `3 d 4 h`.
pub(super) fn length(seconds: u64) -> String {
    let delta = TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX);
    let (days, hours, minutes) = (delta.num_days(), delta.num_hours() % 24, delta.num_minutes() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "under 1 min".to_owned(),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn a_length_is_told_in_its_two_largest_units() {
        let minutes = |minutes: u64| length(minutes * 60);
        assert_eq!((length(0), length(59)), ("under 1 min".to_owned(), "under 1 min".to_owned()));
        assert_eq!([1, 59].map(minutes), ["1 min", "59 min"]);
        assert_eq!([60, 61, 23 * 60 + 59].map(minutes), ["1 h", "1 h 1 min", "23 h 59 min"]);
        assert_eq!([24 * 60, 24 * 60 + 59, 76 * 60].map(minutes), ["1 d", "1 d", "3 d 4 h"]);
        assert!(length(u64::MAX).ends_with(" h"), "{}", length(u64::MAX));
    }
}
