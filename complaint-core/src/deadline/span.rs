//! Promised amounts of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Calendar;
use crate::id::InvalidId;

/// A promised amount of time, written `8 working hours`, `10 working days`, `36 hours`, `8 weeks`, `60 calendar days`.
///
/// *Working* time counts only while the calendar is open; *n working days* end with the last closing time of the
/// n-th business day after the day it starts (the day of receipt is day zero). *Calendar* days and weeks are dates of
/// the calendar's zone, whatever is open: they end with the midnight after the n-th date after the day they start,
/// as laws count. The rest is wall time, counted from the very instant.
///
/// ```
/// use complaint_core::deadline::{Calendar, CalendarSpec, Span};
///
/// let london = Calendar::new(&toml::from_str::<CalendarSpec>(
///     "zone = 'Europe/London'\nhours.mon = ['09:00-17:00']\nhours.tue = ['09:00-17:00']",
/// )?)?;
/// let sunday_night = "2026-03-22T23:30:00Z".parse()?;
/// let due = |span: &str| span.parse::<Span>().map(|span| span.due(&london, sunday_night).to_rfc3339());
/// assert_eq!(due("2 working days")?, "2026-03-24T17:00:00+00:00");
/// assert_eq!(due("1 calendar week")?, "2026-03-29T23:00:00+00:00"); // midnight by the summer clock
/// assert_eq!(due("1 week")?, "2026-03-29T23:30:00+00:00"); // half an hour into the eighth day
/// assert!("2 working days".parse::<Span>()?.is_working() && !"1 week".parse::<Span>()?.is_working());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    amount: u32,
    unit: SpanUnit,
}

/// What a span is counted in.
///
/// ```
/// use complaint_core::deadline::{Span, SpanUnit};
///
/// let span: Span = "8 working hours".parse()?;
/// assert_eq!((span.amount(), span.unit()), (8, SpanUnit::WorkingHours));
/// assert_eq!(Span::new(60, SpanUnit::CalendarDays).to_string(), "60 calendar days");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanUnit {
    /// Minutes on the calendar.
    WorkingMinutes,
    /// Hours on the calendar.
    WorkingHours,
    /// Business days of the calendar.
    WorkingDays,
    /// Dates of the calendar's zone.
    CalendarDays,
    /// Seven dates of the calendar's zone.
    CalendarWeeks,
    /// Minutes of wall time.
    Minutes,
    /// Hours of wall time.
    Hours,
    /// Days of 24 hours.
    Days,
    /// Weeks of 168 hours.
    Weeks,
}

const UNITS: [(SpanUnit, &str); 9] = [
    (SpanUnit::WorkingMinutes, "working minute"),
    (SpanUnit::WorkingHours, "working hour"),
    (SpanUnit::WorkingDays, "working day"),
    (SpanUnit::CalendarDays, "calendar day"),
    (SpanUnit::CalendarWeeks, "calendar week"),
    (SpanUnit::Minutes, "minute"),
    (SpanUnit::Hours, "hour"),
    (SpanUnit::Days, "day"),
    (SpanUnit::Weeks, "week"),
];

/// Ten years of minutes: longer promises are mistakes.
const AMOUNT_MAX: u32 = 10 * 366 * 24 * 60;

impl Span {
    /// An amount of a unit.
    pub const fn new(amount: u32, unit: SpanUnit) -> Self {
        Self { amount, unit }
    }

    /// Whether it counts only while a calendar is open.
    pub fn is_working(self) -> bool {
        matches!(self.unit, SpanUnit::WorkingMinutes | SpanUnit::WorkingHours | SpanUnit::WorkingDays)
    }

    /// How many of its unit.
    pub fn amount(self) -> u32 {
        self.amount
    }

    /// What it is counted in.
    pub fn unit(self) -> SpanUnit {
        self.unit
    }

    /// The instant at which it is over when it counts from `start`. At most [`Calendar::LAST`], unless `start` is later.
    pub fn due(self, calendar: &Calendar, start: DateTime<Utc>) -> DateTime<Utc> {
        self.measure(calendar, start).1
    }

    /// The counted time from `start` until it is over, and the instant at which it is over.
    pub(crate) fn measure(self, calendar: &Calendar, start: DateTime<Utc>) -> (Duration, DateTime<Utc>) {
        let seconds = |each: u64| Duration::from_secs(u64::from(self.amount) * each);
        let dates = |each: u32| {
            let due = calendar.add_dates(start, self.amount.saturating_mul(each));
            ((due - start).to_std().unwrap_or_default(), due)
        };
        match self.unit {
            SpanUnit::WorkingDays => {
                let due = calendar.add_days(start, self.amount);
                (calendar.between(start, due), due)
            }
            SpanUnit::WorkingMinutes => (seconds(60), calendar.add(start, seconds(60))),
            SpanUnit::WorkingHours => (seconds(3600), calendar.add(start, seconds(3600))),
            SpanUnit::CalendarDays => dates(1),
            SpanUnit::CalendarWeeks => dates(7),
            SpanUnit::Minutes => (seconds(60), wall(start, seconds(60))),
            SpanUnit::Hours => (seconds(3600), wall(start, seconds(3600))),
            SpanUnit::Days => (seconds(86_400), wall(start, seconds(86_400))),
            SpanUnit::Weeks => (seconds(604_800), wall(start, seconds(604_800))),
        }
    }
}

/// So much later by the clock on the wall. At most [`Calendar::LAST`], unless `start` is later.
pub(crate) fn wall(start: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(length)
        .ok()
        .and_then(|delta| start.checked_add_signed(delta))
        .map_or(Calendar::LAST, |due| due.min(Calendar::LAST))
        .max(start)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = UNITS.iter().find(|(unit, _)| *unit == self.unit).map_or("", |(_, name)| name);
        let plural = if self.amount == 1 { "" } else { "s" };
        write!(f, "{} {name}{plural}", self.amount)
    }
}

impl FromStr for Span {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong =
            || InvalidId::new("span of time", "an amount and a unit, e.g. 8 working hours, 10 working days, 8 weeks");
        let (amount, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let amount: u32 = amount.parse().map_err(|_| wrong())?;
        let unit = unit.trim();
        UNITS
            .iter()
            .find(|(_, name)| unit == *name || unit.strip_suffix('s') == Some(name))
            .filter(|_| (1..=AMOUNT_MAX).contains(&amount))
            .map(|(unit, _)| Self::new(amount, *unit))
            .ok_or_else(wrong)
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "8 working hours",
            "1 working day",
            "36 hours",
            "8 weeks",
            "60 calendar days",
            "1 calendar week",
            "90 working minutes",
            "1 minute",
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.to_string(), text);
            assert!(text.starts_with(&format!("{} ", span.amount())));
        }
    }

    #[test]
    fn refuses_what_is_no_promise() {
        for bad in ["", "8", "0 days", "-1 days", "8 fortnights", "99999999 weeks", "8  ", "eight hours"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_largest_number_is_that_of_the_minutes_of_ten_years() {
        assert!("5270400 minutes".parse::<Span>().is_ok());
        assert!("5270401 minutes".parse::<Span>().is_err());
    }
}
