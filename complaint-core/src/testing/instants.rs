//! Instants as people write them: a civil date and time in a zone.
//!
//! Zones are read by jiff itself and not through [`Calendar`](crate::deadline::Calendar), so that what a scenario
//! expects of a deadline does not come from the code it tries.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// Whether a word can only be a zone: `Europe/London`, `UTC`, `Z`, `+01:00`.
pub(super) fn is_zone(word: &str) -> bool {
    let is_name = word.contains('/') && word.starts_with(|c: char| c.is_ascii_uppercase());
    let is_offset = word.starts_with(['+', '-']) && word[1..].starts_with(|c: char| c.is_ascii_digit());
    is_name || is_offset || matches!(word, "UTC" | "Z")
}

/// The instant at which a clock in the zone reads this.
///
/// A reading that the zone has twice or never is refused: an offset in place of the zone says which is meant.
pub(super) fn instant(date: NaiveDate, time: NaiveTime, zone: &str) -> Result<DateTime<Utc>, String> {
    let written = format!("{date}T{time}");
    let civil: civil::DateTime = written.parse().map_err(|_| format!("`{written}` is out of range"))?;
    let ambiguous = named(zone)?.to_ambiguous_timestamp(civil);
    let at = ambiguous.unambiguous().map_err(|_| {
        format!("clocks in {zone} read {date} {time} twice or never: give an offset instead, e.g. {date} {time} +01:00")
    })?;
    DateTime::from_timestamp_micros(at.as_microsecond()).ok_or_else(|| format!("`{written}` is out of range"))
}

/// An instant as a scenario writes it: `Mon 2026-11-09 17:00 Europe/London`, with seconds only where there are any.
pub(super) fn show(at: DateTime<Utc>, zone: &str) -> String {
    let local = Timestamp::from_microsecond(at.timestamp_micros()).ok().zip(named(zone).ok());
    let Some((stamp, zone_rules)) = local else { return at.to_rfc3339() };
    let shown = stamp.to_zoned(zone_rules).strftime("%a %Y-%m-%d %H:%M:%S").to_string();
    let fraction = at.timestamp_subsec_micros();
    let shown = if fraction > 0 { format!("{shown}.{fraction:06}") } else { shown };
    format!("{} {zone}", shown.strip_suffix(":00").unwrap_or(&shown))
}

fn named(zone: &str) -> Result<TimeZone, String> {
    if matches!(zone, "UTC" | "Z") {
        return Ok(TimeZone::UTC);
    }
    if let Some(offset) = offset(zone) {
        return Ok(offset.to_time_zone());
    }
    TimeZoneDatabase::bundled().get(zone).map_err(|_| format!("`{zone}` is no zone: write e.g. Europe/London"))
}

fn offset(zone: &str) -> Option<Offset> {
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Result<String, String> {
        let (date, time) = text.split_once(' ').unwrap();
        instant(date.parse().unwrap(), time.parse().unwrap(), zone).map(|at| at.to_rfc3339())
    }

    #[test]
    fn summer_and_winter_are_told_apart() {
        assert_eq!(at("2026-07-01 12:00:00", "Europe/London").unwrap(), "2026-07-01T11:00:00+00:00");
        assert_eq!(at("2026-12-01 12:00:00", "Europe/London").unwrap(), "2026-12-01T12:00:00+00:00");
        assert_eq!(at("2026-12-01 12:00:00", "-03:30").unwrap(), "2026-12-01T15:30:00+00:00");
    }

    #[test]
    fn a_reading_that_is_there_twice_or_never_is_refused() {
        assert!(at("2026-03-29 01:30:00", "Europe/London").unwrap_err().contains("twice or never"));
        assert!(at("2026-10-25 01:30:00", "Europe/London").unwrap_err().contains("twice or never"));
        assert_eq!(at("2026-10-25 01:30:00", "+01:00").unwrap(), "2026-10-25T00:30:00+00:00");
        assert!(at("2026-10-25 12:00:00", "Europe/Nowhere").is_err());
    }

    #[test]
    fn what_is_shown_reads_back() {
        let shown = show("2026-11-09T17:00:00Z".parse().unwrap(), "Europe/London");
        assert_eq!(shown, "Mon 2026-11-09 17:00 Europe/London");
        let second_later = show("2026-11-09T17:00:01Z".parse().unwrap(), "America/New_York");
        assert_eq!(second_later, "Mon 2026-11-09 12:00:01 America/New_York");
    }
}
