//! Golden vectors worked out by hand, each also checked against an oracle that reads the wall clock minute by minute,
//! and properties on random calendars.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use proptest::prelude::*;

use super::{Calendar, CalendarFault, CalendarFaults, CalendarProblem, CalendarSpec, HoursSpec};

/// Names or dates, and what belongs to them.
type Lists = &'static [(&'static str, &'static [&'static str])];
/// Name, zone, hours, holidays, special days.
type Line = (&'static str, &'static str, Lists, &'static [&'static str], Lists);

#[rustfmt::skip]
const CALENDARS: &[Line] = &[
    // Monday to Friday, nothing else.
    ("utc", "UTC", &[("mon tue wed thu fri", &["09:00-17:00"])], &[], &[]),
    // A British office over Christmas and Easter 2026; half day on Christmas Eve; lunch break.
    (
        "london",
        "Europe/London",
        &[("mon tue wed thu fri", &["09:00-12:30", "13:30-17:00"])],
        &["2026-12-25", "2026-12-28", "2027-01-01", "2026-04-03", "2026-04-06"],
        &[("2026-12-24", &["09:00-12:00"])],
    ),
    // Night shifts every night.
    ("night-london", "Europe/London", &[("mon tue wed thu fri sat sun", &["22:00-06:00"])], &[], &[]),
    ("night-newyork", "America/New_York", &[("mon tue wed thu fri sat sun", &["22:00-06:00"])], &[], &[]),
    ("night-lordhowe", "Australia/Lord_Howe", &[("mon tue wed thu fri sat sun", &["22:00-06:00"])], &[], &[]),
    // Windows that begin or end within the hour that is skipped in spring and read twice in autumn.
    ("edge-london", "Europe/London", &[("mon tue wed thu fri sat sun", &["00:30-01:30", "01:45-03:00"])], &[], &[]),
    ("inside-newyork", "America/New_York", &[("sun", &["02:15-02:45"]), ("mon", &["09:00-10:00"])], &[], &[]),
    // Night shift on working days, with a holiday and a special day in the middle of the week.
    (
        "shift",
        "UTC",
        &[("mon tue wed thu fri", &["22:00-06:00"])],
        &["2026-06-10"],
        &[("2026-06-17", &["08:00-10:00", "20:00-04:00"])],
    ),
    // Open around the clock in a zone with summer time, but for one holiday.
    ("clock-london", "Europe/London", &[("mon tue wed thu fri sat sun", &["00:00-24:00"])], &["2026-12-25"], &[]),
    // The last window of the day falls into the skipped hour.
    ("gap-london", "Europe/London", &[("sun", &["00:15-00:30", "01:15-01:45"])], &[], &[]),
    // Clocks in Beirut go from midnight to one, on the last Sunday of March.
    ("gap-beirut", "Asia/Beirut", &[("sat", &["23:00-00:30"]), ("sun", &["01:00-03:00"])], &[], &[]),
    // Samoa had no 30 December 2011, a Friday.
    ("apia", "Pacific/Apia", &[("mon tue wed thu fri", &["09:00-17:00"])], &[], &[]),
];

/// (calendar, from, minutes, expected)
#[rustfmt::skip]
const ADD: &[(&str, &str, u64, &str)] = &[
    // Plain office hours.
    ("utc", "2026-11-20T16:40:00Z", 60, "2026-11-23T09:40:00Z"),
    ("utc", "2026-11-20T16:40:00Z", 0, "2026-11-20T16:40:00Z"),
    ("utc", "2026-11-20T16:40:00Z", 20, "2026-11-20T17:00:00Z"),
    ("utc", "2026-11-20T16:40:00Z", 21, "2026-11-23T09:01:00Z"),
    ("utc", "2026-11-21T12:00:00Z", 0, "2026-11-21T12:00:00Z"),
    ("utc", "2026-11-21T12:00:00Z", 1, "2026-11-23T09:01:00Z"),
    ("utc", "2026-11-20T17:00:00Z", 480, "2026-11-23T17:00:00Z"),
    ("utc", "2026-11-16T09:00:00Z", 2400, "2026-11-20T17:00:00Z"),
    ("utc", "2026-11-16T08:59:00Z", 2401, "2026-11-23T09:01:00Z"),
    ("utc", "2026-11-16T03:00:00Z", 480, "2026-11-16T17:00:00Z"),
    // Leap day 2028-02-29, a Tuesday; none in 2026 and 2027.
    ("utc", "2028-02-28T16:00:00Z", 120, "2028-02-29T10:00:00Z"),
    ("utc", "2028-02-29T16:00:00Z", 120, "2028-03-01T10:00:00Z"),
    ("utc", "2028-02-28T09:00:00Z", 1440, "2028-03-01T17:00:00Z"),
    ("utc", "2027-02-26T16:00:00Z", 120, "2027-03-01T10:00:00Z"),
    ("utc", "2026-12-31T16:30:00Z", 60, "2027-01-01T09:30:00Z"),
    // Lunch break; winter time.
    ("london", "2026-11-20T12:00:00Z", 30, "2026-11-20T12:30:00Z"),
    ("london", "2026-11-20T12:00:00Z", 31, "2026-11-20T13:31:00Z"),
    ("london", "2026-11-20T13:00:00Z", 210, "2026-11-20T17:00:00Z"),
    // Summer time: the office opens at 08:00Z.
    ("london", "2026-07-01T07:00:00Z", 60, "2026-07-01T09:00:00Z"),
    ("london", "2026-07-01T15:30:00Z", 60, "2026-07-02T08:30:00Z"),
    // Over the weekend on which the clock changes.
    ("london", "2026-03-27T16:30:00Z", 60, "2026-03-30T08:30:00Z"),
    ("london", "2026-10-23T15:30:00Z", 60, "2026-10-26T09:30:00Z"),
    // Easter: Good Friday 3 April, Monday 6 April.
    ("london", "2026-04-02T15:00:00Z", 60, "2026-04-02T16:00:00Z"),
    ("london", "2026-04-02T15:00:00Z", 61, "2026-04-07T08:01:00Z"),
    // Half day on Christmas Eve, then Friday 25, weekend, Monday 28 closed.
    ("london", "2026-12-23T16:00:00Z", 240, "2026-12-24T12:00:00Z"),
    ("london", "2026-12-23T16:00:00Z", 241, "2026-12-29T09:01:00Z"),
    ("london", "2026-12-24T11:30:00Z", 60, "2026-12-29T09:30:00Z"),
    ("london", "2026-12-24T13:45:00Z", 420, "2026-12-29T17:00:00Z"),
    ("london", "2026-12-25T10:00:00Z", 5, "2026-12-29T09:05:00Z"),
    ("london", "2026-12-31T16:59:00Z", 2, "2027-01-04T09:01:00Z"),
    // A night with a spring change has 7 hours, one with an autumn change 9; on Lord Howe 7 1/2 and 8 1/2.
    ("night-london", "2026-03-28T22:00:00Z", 420, "2026-03-29T05:00:00Z"),
    ("night-london", "2026-03-28T22:00:00Z", 180, "2026-03-29T01:00:00Z"),
    ("night-london", "2026-03-28T22:00:00Z", 421, "2026-03-29T21:01:00Z"),
    ("night-london", "2026-10-24T21:00:00Z", 540, "2026-10-25T06:00:00Z"),
    ("night-london", "2026-10-24T21:00:00Z", 541, "2026-10-25T22:01:00Z"),
    ("night-newyork", "2026-03-08T03:00:00Z", 420, "2026-03-08T10:00:00Z"),
    ("night-newyork", "2026-03-08T03:00:00Z", 480, "2026-03-09T03:00:00Z"),
    ("night-newyork", "2026-11-01T02:00:00Z", 540, "2026-11-01T11:00:00Z"),
    ("night-newyork", "2026-11-01T02:00:00Z", 600, "2026-11-02T04:00:00Z"),
    ("night-lordhowe", "2026-04-04T11:00:00Z", 510, "2026-04-04T19:30:00Z"),
    ("night-lordhowe", "2026-04-04T11:00:00Z", 540, "2026-04-05T12:00:00Z"),
    ("night-lordhowe", "2026-10-03T11:30:00Z", 450, "2026-10-03T19:00:00Z"),
    ("night-lordhowe", "2026-10-03T11:30:00Z", 451, "2026-10-04T11:01:00Z"),
    // 00:30 to 01:00, then the clock reads 02:00: the first window lost half, the second begins late.
    ("edge-london", "2026-03-29T00:00:00Z", 30, "2026-03-29T01:00:00Z"),
    ("edge-london", "2026-03-29T00:00:00Z", 90, "2026-03-29T02:00:00Z"),
    ("edge-london", "2026-03-29T00:00:00Z", 91, "2026-03-29T23:31:00Z"),
    // 00:30 to 01:30, 01:45 to 02:00 (summer), again 01:00 to 01:30 and 01:45 to 03:00 (winter).
    ("edge-london", "2026-10-24T23:00:00Z", 75, "2026-10-25T01:00:00Z"),
    ("edge-london", "2026-10-24T23:00:00Z", 105, "2026-10-25T01:30:00Z"),
    ("edge-london", "2026-10-24T23:00:00Z", 106, "2026-10-25T01:46:00Z"),
    ("edge-london", "2026-10-24T23:00:00Z", 180, "2026-10-25T03:00:00Z"),
    // A window wholly inside the skipped hour never opens that day.
    ("inside-newyork", "2026-03-08T05:00:00Z", 30, "2026-03-09T13:30:00Z"),
    ("inside-newyork", "2026-03-01T05:00:00Z", 30, "2026-03-01T07:45:00Z"),
    // Night shift: Friday's runs into Saturday, Sunday has none.
    ("shift", "2026-06-05T22:00:00Z", 480, "2026-06-06T06:00:00Z"),
    ("shift", "2026-06-05T22:00:00Z", 481, "2026-06-08T22:01:00Z"),
    ("shift", "2026-06-06T03:00:00Z", 240, "2026-06-08T23:00:00Z"),
    // Holiday on Wednesday 10: Tuesday's shift ends at midnight, and none begins until Thursday evening.
    ("shift", "2026-06-09T22:00:00Z", 120, "2026-06-10T00:00:00Z"),
    ("shift", "2026-06-09T22:00:00Z", 121, "2026-06-11T22:01:00Z"),
    // Special Wednesday 17: 8 to 10 and 20 to 4; Tuesday's shift ends at midnight.
    ("shift", "2026-06-16T22:00:00Z", 121, "2026-06-17T08:01:00Z"),
    ("shift", "2026-06-17T00:00:00Z", 600, "2026-06-18T04:00:00Z"),
    ("shift", "2026-06-17T00:00:00Z", 601, "2026-06-18T22:01:00Z"),
    // Around the clock, real time passes whatever the clock shows; the holiday is a real day.
    ("clock-london", "2026-03-28T12:00:00Z", 1440, "2026-03-29T12:00:00Z"),
    ("clock-london", "2026-10-24T12:00:00Z", 1440, "2026-10-25T12:00:00Z"),
    ("clock-london", "2026-12-24T23:00:00Z", 61, "2026-12-26T00:01:00Z"),
    // From Thursday 29 to Saturday 31 December 2011, then Monday: 09:00 at +14 is 19:00Z of the day before.
    ("apia", "2011-12-30T02:00:00Z", 60, "2011-12-30T03:00:00Z"),
    ("apia", "2011-12-30T02:00:00Z", 61, "2012-01-01T19:01:00Z"),
];

/// (calendar, from, business days, expected)
#[rustfmt::skip]
const ADD_DAYS: &[(&str, &str, u32, &str)] = &[
    ("utc", "2026-11-20T16:40:00Z", 1, "2026-11-23T17:00:00Z"),
    ("utc", "2026-11-20T23:59:00Z", 5, "2026-11-27T17:00:00Z"),
    ("utc", "2026-11-21T12:00:00Z", 1, "2026-11-23T17:00:00Z"),
    ("utc", "2026-11-20T08:00:00Z", 0, "2026-11-20T17:00:00Z"),
    ("utc", "2026-11-20T18:00:00Z", 0, "2026-11-20T18:00:00Z"),
    ("utc", "2026-11-21T12:00:00Z", 0, "2026-11-21T12:00:00Z"),
    ("utc", "2028-02-28T10:00:00Z", 2, "2028-03-01T17:00:00Z"),
    // Day zero is the date in the zone: 23:30Z is already Thursday in London's summer.
    ("london", "2026-07-01T23:30:00Z", 1, "2026-07-03T16:00:00Z"),
    ("london", "2026-07-01T22:30:00Z", 1, "2026-07-02T16:00:00Z"),
    ("london", "2026-12-23T10:00:00Z", 1, "2026-12-24T12:00:00Z"),
    ("london", "2026-12-23T10:00:00Z", 2, "2026-12-29T17:00:00Z"),
    ("london", "2026-12-23T10:00:00Z", 5, "2027-01-04T17:00:00Z"),
    ("london", "2026-04-02T10:00:00Z", 1, "2026-04-07T16:00:00Z"),
    // 15 business days, the limit for payment services (DISP 1.6.2A R).
    ("london", "2026-03-20T10:00:00Z", 15, "2026-04-14T16:00:00Z"),
    // A night shift is business of the day on which it begins; clock changes move its end.
    ("night-london", "2026-03-27T12:00:00Z", 1, "2026-03-29T05:00:00Z"),
    ("night-london", "2026-10-23T12:00:00Z", 1, "2026-10-25T06:00:00Z"),
    ("night-newyork", "2026-03-06T17:00:00Z", 1, "2026-03-08T10:00:00Z"),
    ("night-newyork", "2026-10-30T12:00:00Z", 1, "2026-11-01T11:00:00Z"),
    ("shift", "2026-06-08T12:00:00Z", 1, "2026-06-10T00:00:00Z"),
    ("shift", "2026-06-08T12:00:00Z", 2, "2026-06-12T06:00:00Z"),
    ("shift", "2026-06-05T12:00:00Z", 0, "2026-06-06T06:00:00Z"),
    ("shift", "2026-06-16T12:00:00Z", 1, "2026-06-18T04:00:00Z"),
    // The skipped window makes Sunday 8 March no business day.
    ("inside-newyork", "2026-03-07T17:00:00Z", 1, "2026-03-09T14:00:00Z"),
    ("inside-newyork", "2026-03-14T17:00:00Z", 1, "2026-03-15T06:45:00Z"),
    // The last window is skipped: the day ended with the one before it.
    ("gap-london", "2026-03-28T12:00:00Z", 1, "2026-03-29T00:30:00Z"),
    ("gap-london", "2026-03-29T12:00:00Z", 1, "2026-04-05T00:45:00Z"),
    // Saturday's window loses its part after midnight and ends where Sunday's begins.
    ("gap-beirut", "2026-03-27T12:00:00Z", 1, "2026-03-28T22:00:00Z"),
    ("gap-beirut", "2026-03-20T12:00:00Z", 1, "2026-03-21T22:30:00Z"),
    // The date line: Monday 2 January, 17:00 at +14, is the next business day after Thursday.
    ("apia", "2011-12-29T20:00:00Z", 1, "2012-01-02T03:00:00Z"),
    ("apia", "2011-12-28T20:00:00Z", 1, "2011-12-30T03:00:00Z"),
];

/// (calendar, a, b, minutes)
#[rustfmt::skip]
const BETWEEN: &[(&str, &str, &str, u64)] = &[
    ("utc", "2026-11-20T16:40:00Z", "2026-11-23T09:40:00Z", 60),
    ("utc", "2026-11-20T17:00:00Z", "2026-11-23T09:00:00Z", 0),
    ("utc", "2026-11-23T09:40:00Z", "2026-11-20T16:40:00Z", 0),
    ("utc", "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z", 260 * 480),
    ("london", "2026-12-21T00:00:00Z", "2027-01-04T00:00:00Z", 3 * 420 + 180 + 3 * 420),
    ("night-london", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 420),
    ("night-london", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 540),
    ("night-newyork", "2026-03-07T17:00:00Z", "2026-03-08T17:00:00Z", 420),
    ("night-newyork", "2026-10-31T17:00:00Z", "2026-11-01T17:00:00Z", 540),
    ("night-lordhowe", "2026-04-04T02:00:00Z", "2026-04-05T02:00:00Z", 510),
    ("night-lordhowe", "2026-10-03T02:00:00Z", "2026-10-04T02:00:00Z", 450),
    ("edge-london", "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z", 90),
    ("edge-london", "2026-10-24T23:00:00Z", "2026-10-25T12:00:00Z", 180),
    ("inside-newyork", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", 0),
    ("shift", "2026-06-08T00:00:00Z", "2026-06-15T00:00:00Z", 4 * 480 - 360),
    ("apia", "2011-12-25T10:00:00Z", "2012-01-01T10:00:00Z", 4 * 480),
];

#[test]
fn adding_open_time_gives_the_instants_worked_out_by_hand() {
    for &(name, from, minutes, expected) in ADD {
        let (calendar, oracle) = named(name);
        let from = at(from);
        assert_eq!(calendar.add(from, from_minutes(minutes)), at(expected), "{name}: {from} + {minutes} min");
        assert_eq!(oracle.add(from, minutes), at(expected), "oracle of {name}: {from} + {minutes} min");
    }
}

#[test]
fn business_days_end_at_the_instants_worked_out_by_hand() {
    for &(name, from, days, expected) in ADD_DAYS {
        let (calendar, oracle) = named(name);
        assert_eq!(calendar.add_days(at(from), days), at(expected), "{name}: {from} + {days} days");
        assert_eq!(oracle.add_days(at(from), days), at(expected), "oracle of {name}: {from} + {days} days");
    }
}

#[test]
fn open_time_between_two_instants_is_as_worked_out_by_hand() {
    for &(name, a, b, minutes) in BETWEEN {
        let (calendar, oracle) = named(name);
        assert_eq!(calendar.between(at(a), at(b)), from_minutes(minutes), "{name}: {a} to {b}");
        assert_eq!(oracle.between(at(a), at(b)), minutes, "oracle of {name}: {a} to {b}");
    }
}

#[test]
fn the_first_minute_of_a_window_is_open_and_the_closing_minute_is_not() {
    let office = Calendar::standard();
    for (instant, open) in [
        ("2026-11-20T08:59:59.999999Z", false),
        ("2026-11-20T09:00:00Z", true),
        ("2026-11-20T16:59:59.999999Z", true),
        ("2026-11-20T17:00:00Z", false),
        ("2026-11-21T12:00:00Z", false),
    ] {
        assert_eq!(office.is_open(at(instant)), open, "{instant}");
    }
}

#[test]
fn microseconds_are_exact() {
    let office = Calendar::standard();
    let due = office.add(at("2026-11-20T16:59:59.999999Z"), Duration::from_micros(2));
    assert_eq!(due, at("2026-11-23T09:00:00.000001Z"));
    assert_eq!(office.between(at("2026-11-20T16:59:59.999999Z"), due), Duration::from_micros(2));
}

#[test]
fn around_the_clock_business_time_is_wall_time() {
    let always = Calendar::always();
    let from = at("2026-11-21T03:04:05.000006Z");
    let span = Duration::from_micros(123_456_789_012_345);
    assert_eq!(always.add(from, span), from + span);
    assert_eq!(always.between(from, from + span), span);
    assert_eq!(always.segments(from, from + span, 10), [(from, from + span, true)]);
    assert_eq!(always.add_days(from, 1), at("2026-11-23T00:00:00Z"));
}

#[test]
fn segments_tell_open_from_closed_across_a_half_day_and_holidays() {
    let (london, _) = named("london");
    let segments = london.segments(at("2026-12-24T10:00:00Z"), at("2026-12-29T10:00:00Z"), 10);
    let expected = [
        ("2026-12-24T10:00:00Z", "2026-12-24T12:00:00Z", true),
        ("2026-12-24T12:00:00Z", "2026-12-29T09:00:00Z", false),
        ("2026-12-29T09:00:00Z", "2026-12-29T10:00:00Z", true),
    ];
    assert_eq!(segments, expected.map(|(a, b, open)| (at(a), at(b), open)));
    assert_eq!(london.segments(at("2026-12-24T10:00:00Z"), at("2026-12-29T10:00:00Z"), 2), segments[..2]);
    assert!(london.segments(at("2026-12-29T10:00:00Z"), at("2026-12-24T10:00:00Z"), 2).is_empty());
}

#[test]
fn segments_join_windows_that_touch_and_split_those_a_clock_change_splits() {
    let (shift, _) = named("shift");
    assert_eq!(
        shift.segments(at("2026-06-04T12:00:00Z"), at("2026-06-06T12:00:00Z"), 2)[1],
        (at("2026-06-04T22:00:00Z"), at("2026-06-05T06:00:00Z"), true)
    );
    let (edge, _) = named("edge-london");
    let open: Vec<_> = edge
        .segments(at("2026-10-24T22:00:00Z"), at("2026-10-25T12:00:00Z"), 20)
        .into_iter()
        .filter_map(|(a, b, open)| open.then_some((a, b)))
        .collect();
    let expected = [
        ("2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"),
        ("2026-10-25T01:45:00Z", "2026-10-25T03:00:00Z"),
    ];
    assert_eq!(open, expected.map(|(a, b)| (at(a), at(b))));
    let (clock, _) = named("clock-london");
    let year = clock.segments(at("2026-01-01T00:00:00Z"), at("2027-12-31T00:00:00Z"), 9);
    assert_eq!(year.len(), 3, "one holiday in two years: {year:?}");
    assert_eq!(year[1], (at("2026-12-25T00:00:00Z"), at("2026-12-26T00:00:00Z"), false));
}

#[test]
fn dates_end_with_midnight_by_the_clock_of_the_zone() {
    for (name, from, days, expected) in [
        ("london", "2026-07-01T22:59:00Z", 0, "2026-07-01T23:00:00Z"),
        ("london", "2026-07-01T23:00:00Z", 0, "2026-07-02T23:00:00Z"),
        // Eight weeks across the change to summer time.
        ("london", "2026-03-01T23:30:00Z", 56, "2026-04-26T23:00:00Z"),
        // Midnight is skipped: the day is over when the clock jumps from it.
        ("gap-beirut", "2026-03-28T12:00:00Z", 0, "2026-03-28T22:00:00Z"),
        // Midnight is read twice: the day is over the second time.
        ("gap-beirut", "2026-10-24T12:00:00Z", 0, "2026-10-24T22:00:00Z"),
        // There was no 30 December 2011: Thursday 29 and that day that was not end at one instant.
        ("apia", "2011-12-29T12:00:00Z", 0, "2011-12-30T10:00:00Z"),
        ("apia", "2011-12-29T12:00:00Z", 1, "2011-12-30T10:00:00Z"),
        ("apia", "2011-12-29T12:00:00Z", 2, "2011-12-31T10:00:00Z"),
    ] {
        let (calendar, oracle) = named(name);
        assert_eq!(calendar.add_dates(at(from), days), at(expected), "{name}: {from} + {days} dates");
        assert_eq!(oracle.add_dates(at(from), days), at(expected), "oracle of {name}: {from} + {days} dates");
    }
}

#[test]
fn a_calendar_that_in_practice_never_opens_is_refused() {
    let closed = |days: i64, hours: &str| {
        let first: Date = "2026-01-05".parse().expect("a date");
        let day = |n: i64| first.checked_add(jiff::Span::new().days(n)).expect("in range").to_string();
        let holidays: Vec<String> = (0..days).map(|n| format!("'{}'", day(n))).collect();
        let text = format!("zone = 'Europe/London'\nholidays = [{}]\n[hours]\n{hours}", holidays.join(", "));
        Calendar::new(&toml::from_str(&text).expect("a spec"))
    };
    let office = "mon = ['09:00-17:00']\ntue = ['09:00-17:00']";
    // From Tuesday evening until Monday a year later.
    assert!(closed(357, office).is_ok());
    // A year and a day to the minute, from Sunday noon to Wednesday noon, and one minute more.
    assert!(closed(366, "sun = ['09:00-12:00']\nwed = ['12:00-15:00']").is_ok());
    assert!(closed(366, "sun = ['09:00-12:00']\nwed = ['12:01-15:00']").is_err());
    let faults = closed(400, office).expect_err("closed for more than a year");
    let [fault] = faults.iter().collect::<Vec<_>>()[..] else { panic!("{faults}") };
    assert_eq!(fault.field, "holidays");
    let expected =
        CalendarProblem::ClosedTooLong { from: at("2025-12-30T17:00:00Z"), until: at("2027-02-09T09:00:00Z") };
    assert_eq!(fault.problem, expected);
    assert!(closed(400, "mon = ['22:00-06:00']").is_err());
    // An opening in between breaks the run, if only a short one.
    let text = "zone = 'UTC'\nhours.mon = ['09:00-17:00']\nspecial.'2026-07-05' = ['10:00-10:01']\nholidays = ";
    let mondays = |n: i64| -> String {
        let first: Date = "2026-01-05".parse().expect("a date");
        let day = |n: i64| format!("'{}'", first.checked_add(jiff::Span::new().days(n * 7)).expect("in range"));
        format!("{text}[{}]", (0..n).map(day).collect::<Vec<_>>().join(", "))
    };
    let read = |text: String| Calendar::new(&toml::from_str(&text).expect("a spec"));
    assert!(read(mondays(60)).is_ok());
    assert!(read(mondays(90)).is_err(), "but not the run after it");
    let many: Vec<String> = (0..6_001)
        .map(|n| {
            let date: Date = "2000-01-01".parse().expect("a date");
            format!("'{}'", date.checked_add(jiff::Span::new().days(n * 3)).expect("in range"))
        })
        .collect();
    let closed_on =
        |dates: &[String]| read(format!("zone = 'UTC'\nholidays = [{}]\n[hours]\n{office}", dates.join(", ")));
    assert!(closed_on(&many[1..]).is_ok());
    let faults = closed_on(&many).expect_err("too many");
    assert_eq!(faults.iter().next().map(|it| it.problem.clone()), Some(CalendarProblem::TooManyDates { count: 6_001 }));
}

#[test]
fn absurd_amounts_end_at_the_last_instant() {
    let far = [DateTime::<Utc>::MIN_UTC, at("1600-01-01T00:00:00Z"), at("2026-11-20T16:40:00Z"), Calendar::LAST];
    for (name, ..) in CALENDARS {
        let (calendar, _) = named(name);
        for from in far {
            assert_eq!(calendar.add(from, Duration::MAX), Calendar::LAST, "{name} from {from}");
            assert_eq!(calendar.add_days(from, u32::MAX), Calendar::LAST, "{name} from {from}");
            assert_eq!(calendar.add_dates(from, u32::MAX), Calendar::LAST, "{name} from {from}");
            assert!(calendar.next_opening(from) >= from, "{name} from {from}");
            assert!(calendar.between(from, DateTime::<Utc>::MAX_UTC) > Duration::ZERO, "{name} from {from}");
            let segments = calendar.segments(from, DateTime::<Utc>::MAX_UTC, 50);
            let has_end = *name == "clock-london";
            assert!(if has_end { segments.len() <= 3 } else { segments.len() == 50 }, "{name} from {from}");
        }
        let beyond = DateTime::<Utc>::MAX_UTC;
        assert_eq!(calendar.add(beyond, Duration::from_secs(1)), beyond);
        assert_eq!(calendar.add_days(beyond, 1), beyond);
        assert_eq!(calendar.between(DateTime::<Utc>::MIN_UTC, beyond), {
            let middle = at("2026-11-20T16:40:00Z");
            calendar.between(DateTime::<Utc>::MIN_UTC, middle) + calendar.between(middle, beyond)
        });
    }
    assert_eq!(Calendar::LAST, at("9999-12-31T23:59:59.999999Z"));
    // Until then the days count: the last one is a Friday.
    let office = Calendar::standard();
    assert_eq!(office.add_days(at("9999-12-30T10:00:00Z"), 1), at("9999-12-31T17:00:00Z"));
    assert_eq!(office.add_days(at("9999-12-31T10:00:00Z"), 1), Calendar::LAST);
}

#[test]
fn summer_time_is_projected_but_stands_still_after_2199() {
    let (london, _) = named("london");
    assert!(london.is_open(at("2199-07-01T08:30:00Z")), "09:30 by the summer clock");
    assert!(!london.is_open(at("2200-07-01T08:30:00Z")), "08:30 by the winter clock that stands");
    assert!(london.is_open(at("2200-07-01T09:30:00Z")));
}

#[test]
fn the_written_form_survives_reading_and_writing() {
    let text = r#"
        zone = "Europe/London"
        holidays = ["2026-12-25", "2026-12-28"]
        [hours]
        mon = ["09:00-12:30", "13:30-17:00"]
        tue = ["22:00-06:00"]
        wed = ["18:00-24:00"]
        [special]
        "2026-12-24" = ["09:00-12:00"]
    "#;
    let calendar: Calendar = toml::from_str(text).expect("valid");
    assert_eq!(calendar.zone(), "Europe/London");
    let written = toml::to_string(&calendar).expect("writable");
    assert_eq!(toml::from_str::<Calendar>(&written).expect("valid"), calendar);
    assert_eq!(toml::from_str::<toml::Table>(&written).expect("valid"), toml::from_str(text).expect("valid"));
    for calendar in [Calendar::standard(), Calendar::always()] {
        let written = serde_json::to_string(&calendar).expect("writable");
        assert_eq!(serde_json::from_str::<Calendar>(&written).expect("valid"), calendar);
    }
}

#[test]
fn equal_calendars_are_those_that_mean_the_same() {
    let spec = spec("london");
    let calendar = Calendar::new(&spec).expect("valid");
    let mut other = spec.clone();
    other.holidays.reverse();
    other.hours.mon.reverse();
    other.zone = "europe/london".to_owned();
    assert_eq!(Calendar::new(&other).expect("valid"), calendar);
    assert_eq!(Calendar::new(&other).expect("valid").zone(), "Europe/London");
    other.hours.mon.pop();
    assert_ne!(Calendar::new(&other).expect("valid"), calendar);
    assert_ne!(Calendar::standard(), Calendar::always());
}

#[test]
fn an_office_open_around_the_clock_is_open_until_the_next_date_of_its_own() {
    let (calendar, _) = named("clock-london");
    for from in ["2026-12-24T12:00:00Z", "2026-12-23T12:00:00Z", "2026-11-01T00:00:00Z"].map(at) {
        let ends: Vec<_> =
            calendar.segments(from, at("2026-12-27T00:00:00Z"), 9).into_iter().map(|it| (it.1, it.2)).collect();
        let (closes, opens, end) = (at("2026-12-25T00:00:00Z"), at("2026-12-26T00:00:00Z"), at("2026-12-27T00:00:00Z"));
        assert_eq!(ends, [(closes, true), (opens, false), (end, true)], "from {from}");
    }
}

#[test]
fn a_calendar_is_shown_as_it_is_written() {
    let shown = format!("{:?}", Calendar::new(&spec("shift")).expect("valid"));
    for part in ["zone: \"UTC\"", "mon: [\"22:00-06:00\"]", "holidays: [\"2026-06-10\"]", "\"20:00-04:00\""] {
        assert!(shown.starts_with("Calendar(CalendarSpec") && shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn calendars_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Calendar>();
    shared::<CalendarFaults>();
}

#[test]
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_fault_names_field_and_value() {
    use CalendarProblem as P;
    let overlaps = |field: &str, window: &str| P::OverlappingWindows {
        field: field.into(),
        window: window.into(),
    };
    let cases: &[(&str, &str, &str, P)] = &[
        (
            "zone = 'Europe/Atlantis'\n[hours]\nmon = ['09:00-17:00']",
            "zone",
            "Europe/Atlantis",
            P::UnknownZone,
        ),
        (
            "zone = ''\n[hours]\nmon = ['09:00-17:00']",
            "zone",
            "",
            P::UnknownZone,
        ),
        (
            "zone = 'Etc/Unknown'\n[hours]\nmon = ['09:00-17:00']",
            "zone",
            "Etc/Unknown",
            P::UnknownZone,
        ),
        ("zone = 'UTC'", "hours", "", P::NoOpeningHours),
        (
            "zone = 'UTC'\n[hours]\nmon = []",
            "hours",
            "",
            P::NoOpeningHours,
        ),
        (
            "zone = 'UTC'\n[special]\n'2026-12-24' = ['09:00-12:00']",
            "hours",
            "",
            P::NoOpeningHours,
        ),
        (
            "zone = 'UTC'\n[hours]\nmon = ['9:00-17:00']",
            "hours.mon",
            "9:00-17:00",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\ntue = ['09:00']",
            "hours.tue",
            "09:00",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nwed = ['09:60-17:00']",
            "hours.wed",
            "09:60-17:00",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nthu = ['09:00-24:01']",
            "hours.thu",
            "09:00-24:01",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nfri = ['24:00-06:00']",
            "hours.fri",
            "24:00-06:00",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nsat = ['+9:00-17:00']",
            "hours.sat",
            "+9:00-17:00",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nsun = ['']",
            "hours.sun",
            "",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nmon = ['09:00-09:00']",
            "hours.mon",
            "09:00-09:00",
            P::EmptyWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nmon = ['12:00-17:00', '09:00-12:01']",
            "hours.mon",
            "12:00-17:00",
            overlaps("hours.mon", "09:00-12:01"),
        ),
        (
            "zone = 'UTC'\n[hours]\nsun = ['22:00-06:00']\nmon = ['05:59-12:00']",
            "hours.mon",
            "05:59-12:00",
            overlaps("hours.sun", "22:00-06:00"),
        ),
        (
            "zone = 'UTC'\n[hours]\nfri = ['05:00-12:00']\n[special]\n'2026-12-24' = ['22:00-06:00']",
            "hours.fri",
            "05:00-12:00",
            overlaps("special.\"2026-12-24\"", "22:00-06:00"),
        ),
        (
            "zone = 'UTC'\n[hours]\nfri = ['05:00-12:00']\n[special]\n'2026-12-24' = ['1-2']",
            "special.\"2026-12-24\"",
            "1-2",
            P::UnreadableWindow,
        ),
        (
            "zone = 'UTC'\n[hours]\nfri = ['05:00-12:00']\n[special]\n'2026-12-24' = []",
            "special",
            "2026-12-24",
            P::NothingSpecial,
        ),
        (
            "zone = 'UTC'\n[hours]\nfri = ['05:00-12:00']\n[special]\n'Christmas' = ['09:00-10:00']",
            "special",
            "Christmas",
            P::UnreadableDate,
        ),
        (
            "zone = 'UTC'\nholidays = ['2026-12-24']\n[hours]\nfri = ['05:00-12:00']\n[special]\n'2026-12-24' = ['09:00-10:00']",
            "special",
            "2026-12-24",
            P::RepeatedDate,
        ),
        (
            "zone = 'UTC'\nholidays = ['2026-12-24', '2026-12-24']\n[hours]\nfri = ['05:00-12:00']",
            "holidays",
            "2026-12-24",
            P::RepeatedDate,
        ),
        (
            "zone = 'UTC'\nholidays = ['2027-02-29']\n[hours]\nfri = ['05:00-12:00']",
            "holidays",
            "2027-02-29",
            P::UnreadableDate,
        ),
        (
            "zone = 'UTC'\nholidays = ['20261224']\n[hours]\nfri = ['05:00-12:00']",
            "holidays",
            "20261224",
            P::UnreadableDate,
        ),
    ];
    for (text, field, value, problem) in cases {
        let spec: CalendarSpec = toml::from_str(text).expect("readable");
        let faults = Calendar::new(&spec).expect_err(text);
        let expected = CalendarFault {
            field: (*field).into(),
            value: (*value).into(),
            problem: problem.clone(),
        };
        assert_eq!(faults.iter().collect::<Vec<_>>(), [&expected], "{text}");
        let shown = toml::from_str::<Calendar>(text)
            .expect_err(text)
            .to_string();
        assert!(shown.contains(field) && shown.contains(value), "{shown}");
    }
}

#[test]
fn all_faults_are_named_at_once() {
    let text = "zone = 'Mars'\nholidays = ['soon']\n[hours]\nmon = ['1-2']\ntue = ['08:00-08:00']";
    let faults = Calendar::new(&toml::from_str(text).expect("readable")).expect_err("faulty");
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["zone", "holidays", "hours.mon", "hours.tue"]);
    assert_eq!(
        faults.to_string().split("; ").next(),
        Some("zone \"Mars\": not a known IANA time zone, such as Europe/London")
    );
}

#[test]
fn unknown_fields_and_weekdays_are_refused() {
    for (text, word) in [
        ("zone = 'UTC'\nholiday = []\n[hours]\nmon = ['09:00-17:00']", "holiday"),
        ("zone = 'UTC'\n[hours]\nmonday = ['09:00-17:00']", "monday"),
        ("[hours]\nmon = ['09:00-17:00']", "zone"),
        ("zone = 'UTC'\n[hours]\nmon = '09:00-17:00'", "sequence"),
    ] {
        let error = toml::from_str::<Calendar>(text).expect_err(text).to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn windows_that_touch_are_one_opening() {
    let calendar: Calendar = toml::from_str(
        "zone = 'UTC'\n[hours]\nmon = ['09:00-12:00', '12:00-17:00', '22:00-06:00']\ntue = ['06:00-07:00']",
    )
    .expect("valid");
    let segments = calendar.segments(at("2026-11-16T09:00:00Z"), at("2026-11-17T07:00:00Z"), 9);
    let expected = [
        ("2026-11-16T09:00:00Z", "2026-11-16T17:00:00Z", true),
        ("2026-11-16T17:00:00Z", "2026-11-16T22:00:00Z", false),
        ("2026-11-16T22:00:00Z", "2026-11-17T07:00:00Z", true),
    ];
    assert_eq!(segments, expected.map(|(a, b, open)| (at(a), at(b), open)));
}

#[test]
fn a_window_may_end_at_midnight_in_two_spellings() {
    let of = |window: &str| {
        let hours = HoursSpec { mon: vec![window.to_owned()], ..HoursSpec::default() };
        Calendar::new(&CalendarSpec { zone: "UTC".to_owned(), hours, ..CalendarSpec::default() }).expect("valid")
    };
    assert_eq!(of("18:00-24:00"), of("18:00-00:00"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Spans start near a clock change of the zone as often as not.
    #[test]
    fn agrees_with_the_oracle((spec, minute) in spec_and_minute(), length in 1_i64..60 * 24 * 9, share in 0_u64..=100) {
        let calendar = Calendar::new(&spec).expect("valid");
        let oracle = Oracle::of(spec);
        let (a, b) = (of_minute(minute), of_minute(minute + length));
        let open = oracle.between(a, b);
        prop_assert_eq!(calendar.between(a, b), from_minutes(open));
        prop_assert_eq!(calendar.is_open(a), oracle.is_open(a));
        let part = open * share / 100;
        prop_assert_eq!(calendar.add(a, from_minutes(part)), oracle.add(a, part));
        prop_assert_eq!(calendar.segments(a, b, usize::MAX), oracle.segments(a, b));
    }

    #[test]
    fn counts_dates_and_openings_as_the_oracle((spec, minute) in spec_and_minute(), days in 0_u32..6) {
        let from = of_minute(minute);
        let calendar = Calendar::new(&spec).expect("valid");
        let oracle = Oracle::of(spec);
        prop_assert_eq!(calendar.add_dates(from, days), oracle.add_dates(from, days));
        let opening = minutes(from, from + chrono::Duration::days(40)).find(|at| oracle.is_open(*at));
        prop_assert_eq!(opening, Some(calendar.next_opening(from)).filter(|_| opening.is_some()));
        prop_assert_eq!(calendar.date(from).to_string(), oracle.date(from).to_string());
    }

    #[test]
    fn counts_business_days_as_the_oracle((spec, minute) in spec_and_minute(), days in 0_u32..6) {
        let from = of_minute(minute);
        let calendar = Calendar::new(&spec).expect("valid");
        prop_assert_eq!(calendar.add_days(from, days), Oracle::of(spec).add_days(from, days));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn between_undoes_add((spec, minute) in spec_and_minute(), micros in 0_i64..60_000_000, working in 0_u64..3_000_000_000_000_000) {
        let calendar = Calendar::new(&spec).expect("valid");
        let from = of_minute(minute) + chrono::Duration::microseconds(micros);
        let working = Duration::from_micros(working);
        let due = calendar.add(from, working);
        // A minute a week takes centuries to add up: beyond the last instant it stops, as promised.
        prop_assume!(due < Calendar::LAST);
        prop_assert_eq!(calendar.between(from, due), working);
        // The first such instant: just before it, less has passed.
        if !working.is_zero() {
            let just_before = due - chrono::Duration::microseconds(1);
            prop_assert_eq!(calendar.between(from, just_before), working.saturating_sub(Duration::from_micros(1)));
        }
    }

    #[test]
    fn adding_is_monotone_and_can_be_done_in_parts(
        (spec, minute) in spec_and_minute(),
        first in 1_u64..500_000_000_000_000,
        second in 1_u64..500_000_000_000_000,
    ) {
        let calendar = Calendar::new(&spec).expect("valid");
        let from = of_minute(minute);
        let [first, second] = [first, second].map(Duration::from_micros);
        let part = calendar.add(from, first);
        let whole = calendar.add(from, first + second);
        // A minute a week takes centuries to add up: beyond the last instant it stops, as promised.
        prop_assume!(whole < Calendar::LAST);
        prop_assert!(from < part && part < whole);
        prop_assert_eq!(calendar.add(part, second), whole);
        let later = from + chrono::Duration::minutes(17);
        prop_assert!(calendar.add(later, first) >= part);
        prop_assert!(calendar.add_days(from, 3) <= calendar.add_days(later, 3));
        prop_assert!(calendar.add_days(from, 3) < calendar.add_days(from, 4));
    }

    #[test]
    fn segments_cover_the_span_alternate_and_add_up((spec, minute) in spec_and_minute(), length in 1_i64..60 * 24 * 400) {
        let calendar = Calendar::new(&spec).expect("valid");
        let (a, b) = (of_minute(minute), of_minute(minute + length));
        let segments = calendar.segments(a, b, usize::MAX);
        prop_assert_eq!(segments.first().map(|s| s.0), Some(a));
        prop_assert_eq!(segments.last().map(|s| s.1), Some(b));
        for pair in segments.windows(2) {
            prop_assert_eq!(pair[0].1, pair[1].0);
            prop_assert_ne!(pair[0].2, pair[1].2);
        }
        let open: Duration = segments.iter().filter(|s| s.2).map(|s| (s.1 - s.0).to_std().expect("forward")).sum();
        prop_assert_eq!(open, calendar.between(a, b));
    }

    #[test]
    fn never_panics_on_any_instant(a in any::<i64>(), b in any::<i64>(), amount in any::<u64>(), days in any::<u32>()) {
        for (name, ..) in CALENDARS {
            let (calendar, _) = named(name);
            let [a, b] = [a, b].map(|seconds| {
                DateTime::from_timestamp(seconds % 8_000_000_000_000, 0).expect("within chrono's range")
            });
            prop_assert!(calendar.add(a, Duration::from_micros(amount)) >= a);
            prop_assert!(calendar.add_days(a, days) >= a);
            prop_assert!(calendar.add_dates(a, days) >= a && calendar.next_opening(a) >= a);
            prop_assert!(calendar.between(a, b).is_zero() || a < b);
            prop_assert!(calendar.segments(a, b, 3).len() <= 3);
        }
    }
}

/// Reads the wall clock at every minute and asks the written form, with none of the code under test.
struct Oracle {
    spec: CalendarSpec,
    zone: TimeZone,
}

impl Oracle {
    fn of(spec: CalendarSpec) -> Self {
        let zone = TimeZone::get(&spec.zone).expect("known");
        Self { spec, zone }
    }

    fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.opened_by(at).is_some()
    }

    /// The date on which the window began that is open at `at`.
    fn opened_by(&self, at: DateTime<Utc>) -> Option<Date> {
        let wall = self.zone.to_datetime(Timestamp::from_second(at.timestamp()).expect("in range"));
        let time = format!("{:02}:{:02}", wall.hour(), wall.minute());
        let today = self.windows(wall.date()).iter().any(|window| {
            let (start, end) = window.split_once('-').expect("a window");
            start <= &*time && (&*time < end || end < start)
        });
        if today {
            return Some(wall.date());
        }
        let eve = wall.date().yesterday().expect("in range");
        let overnight = !self.is_named(wall.date())
            && self.windows(eve).iter().any(|window| {
                let (start, end) = window.split_once('-').expect("a window");
                end < start && &*time < end
            });
        overnight.then_some(eve)
    }

    fn between(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> u64 {
        minutes(a, b).filter(|at| self.is_open(*at)).map(|_| 1).sum()
    }

    fn add(&self, from: DateTime<Utc>, working: u64) -> DateTime<Utc> {
        let mut at = from;
        let mut passed = 0;
        while passed < working {
            passed += u64::from(self.is_open(at));
            at += chrono::Duration::minutes(1);
        }
        at
    }

    /// Business days are dates of which some window's minute really comes.
    fn add_days(&self, from: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        let today = self.zone.to_datetime(Timestamp::from_second(from.timestamp()).expect("in range")).date();
        let start = from - chrono::Duration::days(2);
        let mut seen = Vec::<Date>::new();
        let mut end = None;
        for at in minutes(start, from + chrono::Duration::days(60)) {
            let Some(date) = self.opened_by(at).filter(|date| if days == 0 { *date == today } else { *date > today })
            else {
                continue;
            };
            if !seen.contains(&date) {
                seen.push(date);
            }
            if seen.len() > days.max(1) as usize {
                break;
            }
            if seen.len() == days.max(1) as usize && seen.last() == Some(&date) {
                end = Some(at + chrono::Duration::minutes(1));
            }
        }
        end.map_or(from, |end| end.max(from))
    }

    fn date(&self, at: DateTime<Utc>) -> Date {
        self.zone.to_datetime(Timestamp::from_second(at.timestamp()).expect("in range")).date()
    }

    /// After the last minute of a date that is not later.
    fn add_dates(&self, from: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        let last = self.date(from).checked_add(jiff::Span::new().days(i64::from(days))).expect("in range");
        let near = from + chrono::Duration::days((i64::from(days) - 2).max(0));
        let until = minutes(near, near + chrono::Duration::days(5)).filter(|at| self.date(*at) <= last).last();
        until.map_or(near, |at| at + chrono::Duration::minutes(1))
    }

    fn segments(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>, bool)> {
        let mut segments: Vec<(DateTime<Utc>, DateTime<Utc>, bool)> = Vec::new();
        for at in minutes(a, b) {
            let (open, end) = (self.is_open(at), at + chrono::Duration::minutes(1));
            match segments.last_mut() {
                Some(last) if last.2 == open => last.1 = end,
                _ => segments.push((at, end, open)),
            }
        }
        segments
    }

    fn is_named(&self, date: Date) -> bool {
        let date = date.to_string();
        self.spec.holidays.contains(&date) || self.spec.special.contains_key(&date)
    }

    fn windows(&self, date: Date) -> &[String] {
        let hours = &self.spec.hours;
        if self.is_named(date) {
            return self.spec.special.get(&date.to_string()).map_or(&[], Vec::as_slice);
        }
        match date.weekday().to_monday_one_offset() {
            1 => &hours.mon,
            2 => &hours.tue,
            3 => &hours.wed,
            4 => &hours.thu,
            5 => &hours.fri,
            6 => &hours.sat,
            _ => &hours.sun,
        }
    }
}

fn minutes(a: DateTime<Utc>, b: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    std::iter::successors(Some(a), |at| Some(*at + chrono::Duration::minutes(1))).take_while(move |at| *at < b)
}

fn spec(name: &str) -> CalendarSpec {
    let (_, zone, hours, holidays, special) = CALENDARS.iter().find(|line| line.0 == name).expect("listed");
    let of = |day: &str| {
        let lists = hours.iter().filter(|(days, _)| days.split(' ').any(|listed| listed == day));
        lists.flat_map(|(_, windows)| windows.iter().map(ToString::to_string)).collect()
    };
    CalendarSpec {
        zone: (*zone).to_owned(),
        holidays: holidays.iter().map(ToString::to_string).collect(),
        hours: HoursSpec {
            mon: of("mon"),
            tue: of("tue"),
            wed: of("wed"),
            thu: of("thu"),
            fri: of("fri"),
            sat: of("sat"),
            sun: of("sun"),
        },
        special: special
            .iter()
            .map(|(date, windows)| ((*date).to_owned(), windows.iter().map(ToString::to_string).collect()))
            .collect(),
    }
}

fn named(name: &str) -> (Calendar, Oracle) {
    let spec = spec(name);
    (Calendar::new(&spec).expect("valid"), Oracle::of(spec))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn of_minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).expect("in range")
}

fn from_minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Clock changes of the zones below, and the days named, lie close to the minutes drawn.
fn spec_and_minute() -> impl Strategy<Value = (CalendarSpec, i64)> {
    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/London",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Asia/Beirut",
        "Pacific/Apia",
        "Africa/Casablanca",
    ];
    let zone_and_minute = (0..ZONES.len(), any::<bool>(), 0_usize..200, 0_i64..60 * 24 * 365 * 60).prop_map(
        |(zone, near, change, minute)| {
            let rules = TimeZone::get(ZONES[zone]).expect("known");
            let changes: Vec<_> = rules
                .following(Timestamp::from_second(0).expect("in range"))
                .take(change + 1)
                .filter(|change| change.timestamp().as_second() < 3_000_000_000)
                .collect();
            // From 1980 on, where no offset has seconds.
            let minute = 10 * 365 * 24 * 60 + minute;
            match changes.last() {
                Some(change) if near && change.timestamp().as_second() > 315_360_000 => {
                    (ZONES[zone], change.timestamp().as_second() / 60 - minute % (3 * 24 * 60))
                }
                _ => (ZONES[zone], minute),
            }
        },
    );
    let day = proptest::collection::vec(window(), 0..3);
    let week = proptest::collection::vec(proptest::collection::vec(window(), 0..3), 7);
    let special = proptest::collection::vec((-3_i64..12, day), 0..3);
    let holidays = proptest::collection::btree_set(-3_i64..12, 0..4);
    (zone_and_minute, week, window(), holidays, special).prop_map(
        |((zone, minute), mut week, one, holidays, special)| {
            week[0].push(one);
            let date = |offset: i64| {
                let day = Timestamp::from_second((minute / 1440 + offset) * 86_400).expect("in range");
                day.to_zoned(TimeZone::UTC).date().to_string()
            };
            let mut special: std::collections::BTreeMap<_, _> = special
                .into_iter()
                .filter(|(offset, windows)| !windows.is_empty() && !holidays.contains(offset))
                .map(|(offset, windows)| (date(offset), apart(windows, &[])))
                .collect();
            // What overlaps the evening before is left out; the first weekday settles against the last.
            let mut hours: Vec<Vec<String>> = Vec::new();
            for windows in week {
                let eve = hours.last().cloned().unwrap_or_default();
                hours.push(apart(windows, &eve));
            }
            if let Some(sunday) = hours.last_mut() {
                sunday.retain(|window| !is_overnight(window));
            }
            // A special night is over before anything else opens, whatever day follows it.
            let starts = hours.iter().chain(special.values()).flatten().map(|window| window[..5].to_owned());
            let earliest = starts.min().unwrap_or_default();
            for windows in special.values_mut() {
                windows.retain(|window| !is_overnight(window) || window[6..] <= *earliest);
            }
            special.retain(|_, windows| !windows.is_empty());
            let mut hours = hours.into_iter();
            let mut next = || hours.next().expect("seven");
            let hours =
                HoursSpec { mon: next(), tue: next(), wed: next(), thu: next(), fri: next(), sat: next(), sun: next() };
            let holidays = holidays.into_iter().map(date).collect();
            (CalendarSpec { zone: zone.to_owned(), holidays, hours, special }, minute)
        },
    )
}

/// Of any length up to a day, often around the hours at which clocks change.
fn window() -> impl Strategy<Value = (u16, u16)> {
    prop_oneof![
        (0_u16..1440, 1_u16..1440),
        (0_u16..240, 1_u16..120),
        (1200_u16..1440, 60_u16..720),
        Just((0_u16, 1440_u16)),
    ]
}

/// Those windows, written, that overlap neither an earlier one of the list nor the evening before.
fn apart(windows: Vec<(u16, u16)>, eve: &[String]) -> Vec<String> {
    let mut taken = [false; 2880];
    for window in eve.iter().filter(|window| is_overnight(window)) {
        let end = window[6..8].parse::<usize>().expect("hour") * 60 + window[9..].parse::<usize>().expect("minute");
        taken[..end].fill(true);
    }
    let mut texts = Vec::new();
    for (start, length) in windows {
        let span = usize::from(start)..usize::from(start + length);
        if taken[span.clone()].contains(&true) {
            continue;
        }
        taken[span].fill(true);
        let end = if start + length > 1440 { start + length - 1440 } else { start + length };
        texts.push(format!("{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60));
    }
    texts
}

fn is_overnight(window: &str) -> bool {
    window[6..] < window[..5]
}
