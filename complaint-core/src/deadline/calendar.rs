//! Business-time arithmetic: when an office is open, and how much open time lies between two instants.
//!
//! # How it is computed
//!
//! Opening hours are a statement about the clock on the wall, so they are counted there, where every day has 24 hours
//! and every week is alike but for the named dates. Open wall time before any reading is whole weeks times the weekly
//! total, plus the part of the week, corrected by a running sum over the named dates (`Tally`, binary search). Zone
//! rules enter once: between two clock changes the wall clock and real time differ by a constant, so open *real* time
//! is the same count plus one constant per stretch (`Stretch`, binary search). Nothing steps through time, neither
//! minutes nor days, and clock changes of any size, at any hour, need no special case.
//!
//! Considered and not taken: a table of sums per civil day (fast too, but large, of limited range, and it still needs
//! a rule for windows cut by a clock change), and resolving each window's two ends to instants (needs a choice for
//! readings that occur twice or never, and the choice shows as time counted twice or lost).

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

/// When an office is open: a zone, opening windows per weekday, holidays and special days.
///
/// An instant is **open** when the wall clock in the zone then reads a time inside a window of that date; a window
/// holds its first minute and not its closing minute. Windows may run over midnight (`"22:00-06:00"`); such a window
/// belongs to the day on which it begins. A date named as a holiday or special day is open exactly as listed there:
/// none of its weekday's windows begin, and a window of the evening before ends at midnight.
///
/// All durations are real elapsed time. A window that contains a spring clock change is shorter that day and one that
/// contains an autumn change is longer; a window that begins or ends within the hour that is read twice is open at
/// both readings.
///
/// Zone rules come from the IANA data bundled with the library, so every replica agrees whatever its host has
/// installed. Clock changes are known from 1970 and projected by the rules in force today until the end of 2199;
/// outside that, the nearest offset stands still. Results never lie after [`Calendar::LAST`].
///
/// A calendar that exists is valid: reading one refuses every fault by name ([`CalendarFaults`]). Clones share their
/// tables, and the arithmetic takes time logarithmic in the number of named dates and clock changes, however long the
/// span.
///
/// ```
/// use std::time::Duration;
/// use complaint_core::deadline::Calendar;
///
/// let office = Calendar::standard();
/// let friday = "2026-11-20T16:40:00Z".parse()?;
/// let due = office.add(friday, Duration::from_secs(3600));
/// assert_eq!(due.to_rfc3339(), "2026-11-23T09:40:00+00:00");
/// assert_eq!(office.between(friday, due), Duration::from_secs(3600));
/// assert_eq!(Calendar::always().add(friday, Duration::from_secs(3600)).to_rfc3339(), "2026-11-20T17:40:00+00:00");
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "CalendarSpec", into = "CalendarSpec")]
pub struct Calendar {
    tables: Arc<Tables>,
}

impl Calendar {
    /// The last instant any method answers with, the end of the year 9999 UTC: later years have no RFC 3339 form.
    pub const LAST: DateTime<Utc> = match DateTime::from_timestamp_micros(LAST_MICROS) {
        Some(last) => last,
        None => DateTime::<Utc>::MAX_UTC,
    };

    /// Reads a calendar from its written form and refuses it with **all** its faults.
    pub fn new(spec: &CalendarSpec) -> Result<Self, CalendarFaults> {
        let (plan, zone) = Plan::read(spec)?;
        let calendar = Self::of(plan, &zone);
        match calendar.tables.closed_too_long() {
            Some(fault) => Err(CalendarFaults(vec![fault])),
            None => Ok(calendar),
        }
    }

    /// Monday to Friday, 09:00 to 17:00 UTC, no holidays.
    pub fn standard() -> Self {
        Self::in_utc(|weekday| match weekday {
            Weekday::Saturday | Weekday::Sunday => Vec::new(),
            _ => vec![Window { start: 9 * 60, end: 17 * 60 }],
        })
    }

    /// Open around the clock (`"00:00-24:00"` every day, UTC): business time is wall time.
    pub fn always() -> Self {
        Self::in_utc(|_| vec![Window { start: 0, end: MINUTES_PER_DAY }])
    }

    /// The IANA name of the zone, in its usual spelling.
    pub fn zone(&self) -> &str {
        &self.tables.plan.zone
    }

    /// Whether the office is open at `at`. Closed at the very instant of closing.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.tables.is_open(at.timestamp_micros())
    }

    /// The first instant at which `working` open time has passed since `from`.
    ///
    /// Adding nothing returns `from` itself, open or not. A result that falls on closing time stays there instead of
    /// moving to the next opening. `working` counts in whole microseconds. What lies beyond [`Calendar::LAST`] is
    /// answered with `LAST`, or with `from` where that is later still; never a panic.
    pub fn add(&self, from: DateTime<Utc>, working: Duration) -> DateTime<Utc> {
        let target = i64::try_from(working.as_micros())
            .ok()
            .and_then(|working| self.tables.opened(from.timestamp_micros()).checked_add(working))
            .filter(|target| *target <= self.tables.opened(LAST_MICROS));
        let reached = target.map_or(Self::LAST, |target| instant(self.tables.reach(target)));
        // Adding nothing reaches the last closing where `from` is closed.
        reached.max(from)
    }

    /// Open time in `[a, b)`; zero when `b` is not after `a`.
    ///
    /// The inverse of [`Calendar::add`]: `between(a, add(a, d)) == d` for whole microseconds short of
    /// [`Calendar::LAST`].
    pub fn between(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> Duration {
        if b <= a {
            return Duration::ZERO;
        }
        let [before, after] = [a, b].map(|at| self.tables.opened(at.timestamp_micros()));
        Duration::from_micros(after.abs_diff(before))
    }

    /// The end of the `days`-th business day after the day of `from`.
    ///
    /// The day of `from`, as the zone's civil calendar has it, is day zero: regulators count from the day after receipt
    /// (for the United Kingdom FCA DISP 1.6, for the Union Regulation (EEC, Euratom) No 1182/71 Article 3). A business
    /// day is a date on which a window begins; it ends when its last window closes, which may be after midnight. With
    /// zero days the answer is the end of the day of `from` itself, or `from` where that has passed or the day is no
    /// business day. Beyond [`Calendar::LAST`] as for [`Calendar::add`].
    ///
    /// ```
    /// use complaint_core::deadline::Calendar;
    ///
    /// let friday = "2026-11-20T16:40:00Z".parse()?;
    /// let end = Calendar::standard().add_days(friday, 2);
    /// assert_eq!(end.to_rfc3339(), "2026-11-24T17:00:00+00:00"); // Monday is the first day
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_days(&self, from: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        self.tables.day_end(from.timestamp_micros(), days).map_or(Self::LAST, instant).max(from)
    }

    /// The end of the `days`-th date after the date of `from` in the zone, open or not: the first instant at which it is
    /// over. Where a clock change skips a midnight, that is the first instant of the day after. Beyond
    /// [`Calendar::LAST`] as for [`Calendar::add`].
    ///
    /// ```
    /// use complaint_core::deadline::Calendar;
    ///
    /// let friday = "2026-11-20T16:40:00Z".parse()?;
    /// let end = Calendar::standard().add_dates(friday, 2);
    /// assert_eq!(end.to_rfc3339(), "2026-11-23T00:00:00+00:00"); // Sunday is over
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_dates(&self, from: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        let (today, _) = self.tables.reading(from.timestamp_micros());
        self.over(today + i64::from(days)).max(from)
    }

    /// The first instant at which a date is over in the zone.
    pub(crate) fn end_of(&self, date: NaiveDate) -> DateTime<Utc> {
        self.over((date - DateTime::UNIX_EPOCH.date_naive()).num_days())
    }

    /// The first instant at which a numbered day is over.
    fn over(&self, day: i64) -> DateTime<Utc> {
        let midnight = (day + 1).saturating_mul(MICROS_PER_DAY);
        instant(self.tables.last_before(midnight).min(LAST_MICROS))
    }

    /// The first instant from `from` on at which the office is open: `from` itself where it is. Beyond
    /// [`Calendar::LAST`] as for [`Calendar::add`].
    ///
    /// ```
    /// use complaint_core::deadline::Calendar;
    ///
    /// let saturday = "2026-11-21T12:00:00Z".parse()?;
    /// let monday = Calendar::standard().next_opening(saturday);
    /// assert_eq!(monday.to_rfc3339(), "2026-11-23T09:00:00+00:00");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_opening(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        let micros = from.timestamp_micros();
        if self.tables.is_open(micros) {
            return from;
        }
        instant(self.tables.next_opening(micros).min(LAST_MICROS)).max(from)
    }

    /// The date that it is in the zone at `at`.
    pub(crate) fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        let (day, _) = self.tables.reading(at.timestamp_micros());
        DateTime::from_timestamp(day.saturating_mul(24 * 60 * 60), 0).map_or(at.date_naive(), |day| day.date_naive())
    }

    /// The open (`true`) and closed stretches of `[a, b)` in order, at most `at_most` of them, each as long as it can
    /// be. Where the limit cut the list, the last stretch ends before `b`. Empty when `b` is not after `a`.
    ///
    /// ```
    /// use complaint_core::deadline::Calendar;
    ///
    /// let (friday, monday) = ("2026-11-20T16:00:00Z".parse()?, "2026-11-23T10:00:00Z".parse()?);
    /// let stretches = Calendar::standard().segments(friday, monday, 10);
    /// let open: Vec<bool> = stretches.iter().map(|(_, _, open)| *open).collect();
    /// assert_eq!(open, [true, false, true]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn segments(
        &self,
        a: DateTime<Utc>,
        b: DateTime<Utc>,
        at_most: usize,
    ) -> Vec<(DateTime<Utc>, DateTime<Utc>, bool)> {
        let mut segments = Vec::new();
        let mut start = a;
        while start < b && segments.len() < at_most {
            let micros = start.timestamp_micros();
            let open = self.tables.is_open(micros);
            let change = if open { self.tables.next_closing(micros) } else { self.tables.next_opening(micros) };
            let end = instant(change).min(b);
            segments.push((start, end, open));
            start = end;
        }
        segments
    }

    fn in_utc(windows: impl Fn(Weekday) -> Vec<Window>) -> Self {
        let plan = Plan { zone: "UTC".to_owned(), week: WEEK.map(windows), named: BTreeMap::new() };
        Self::of(plan, &TimeZone::UTC)
    }

    fn of(plan: Plan, zone: &TimeZone) -> Self {
        Self { tables: Arc::new(Tables::of(plan, zone)) }
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.tables.plan.write()).finish()
    }
}

/// Equal when zone, windows and named dates are; the order in which they were written does not matter.
impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tables, &other.tables) || self.tables.plan == other.tables.plan
    }
}

impl Eq for Calendar {}

impl TryFrom<CalendarSpec> for Calendar {
    type Error = CalendarFaults;

    fn try_from(spec: CalendarSpec) -> Result<Self, CalendarFaults> {
        Self::new(&spec)
    }
}

impl From<Calendar> for CalendarSpec {
    fn from(calendar: Calendar) -> Self {
        calendar.tables.plan.write()
    }
}

/// The written form of a [`Calendar`], as it stands in a policy file; not yet checked.
///
/// ```toml
/// zone = "Europe/London"
/// holidays = ["2026-12-25", "2026-12-28"]
///
/// [hours]
/// mon = ["09:00-12:30", "13:30-17:00"]
/// tue = ["22:00-06:00"]           # until Wednesday morning
///
/// [special]
/// "2026-12-24" = ["09:00-12:00"]  # the whole of that day's opening
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpec {
    /// IANA zone name.
    pub zone: String,
    /// Dates (`YYYY-MM-DD`) on which nothing is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// Windows of an ordinary week. At least one is needed.
    #[serde(default)]
    pub hours: HoursSpec,
    /// Dates with windows of their own, instead of their weekday's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub special: BTreeMap<String, Vec<String>>,
}

/// Windows per weekday, each `"HH:MM-HH:MM"`. The end may be `24:00`, and earlier than the start: then it is of the
/// next day. Windows that touch are one opening, windows that overlap are refused.
///
/// ```
/// use complaint_core::deadline::{Calendar, CalendarSpec, HoursSpec};
///
/// let hours = HoursSpec { mon: vec!["09:00-12:30".into(), "13:30-17:00".into()], ..HoursSpec::default() };
/// let office = Calendar::new(&CalendarSpec { zone: "UTC".into(), hours, ..CalendarSpec::default() })?;
/// assert!(!office.is_open("2026-11-23T13:00:00Z".parse()?), "closed over noon");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursSpec {
    /// Monday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mon: Vec<String>,
    /// Tuesday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tue: Vec<String>,
    /// Wednesday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wed: Vec<String>,
    /// Thursday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thu: Vec<String>,
    /// Friday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fri: Vec<String>,
    /// Saturday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sat: Vec<String>,
    /// Sunday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sun: Vec<String>,
}

/// Everything wrong with a calendar, at least one fault, in the order of the written form.
///
/// ```
/// use complaint_core::deadline::{Calendar, CalendarProblem, CalendarSpec};
///
/// let zone = "Europe/Lundon".to_owned();
/// let spec = CalendarSpec { zone, holidays: vec!["Easter".into()], ..CalendarSpec::default() };
/// let faults = Calendar::new(&spec).unwrap_err();
/// let named: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
/// assert_eq!(named, ["zone", "holidays", "hours"]);
/// assert_eq!(faults.iter().next().map(|fault| &fault.problem), Some(&CalendarProblem::UnknownZone));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CalendarFaults(Vec<CalendarFault>);

impl CalendarFaults {
    /// The faults one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, CalendarFault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a CalendarFaults {
    type Item = &'a CalendarFault;
    type IntoIter = std::slice::Iter<'a, CalendarFault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for CalendarFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// One thing wrong with a calendar.
///
/// Example: [`CalendarFaults`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {value:?}: {problem}")]
pub struct CalendarFault {
    /// Where in the written form: `zone`, `holidays`, `hours`, `hours.mon`, `special`, `special."2026-12-24"`.
    pub field: String,
    /// The value at fault as it was written; empty where one is missing.
    pub value: String,
    /// What is wrong with it.
    pub problem: CalendarProblem,
}

/// What can be wrong with a value of a calendar.
///
/// Example: [`CalendarFaults`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarProblem {
    /// Not a zone of the bundled data.
    #[error("not a known IANA time zone, such as Europe/London")]
    UnknownZone,
    /// Not two times of day.
    #[error("not an opening window; write HH:MM-HH:MM, with 24:00 as the latest end")]
    UnreadableWindow,
    /// Start and end are the same.
    #[error("opens and closes at the same time; write 00:00-24:00 for a whole day")]
    EmptyWindow,
    /// Two windows claim the same time.
    #[error("overlaps {window} of {field}")]
    OverlappingWindows {
        /// Where the other window is written.
        field: String,
        /// The other window.
        window: String,
    },
    /// Not a date.
    #[error("not a date; write YYYY-MM-DD")]
    UnreadableDate,
    /// A date that was named before, among holidays or special days.
    #[error("this date is named twice")]
    RepeatedDate,
    /// A special day that lists nothing.
    #[error("a special day without windows; list it among the holidays")]
    NothingSpecial,
    /// Not one window in the ordinary week: no deadline would ever fall due.
    #[error("no opening hours on any weekday, so no deadline could ever fall due")]
    NoOpeningHours,
    /// There are hours, but the named dates leave none of them for more than a year on end.
    #[error("closed on end from {from} until {until}: in practice it never opens; a year is the most")]
    ClosedTooLong {
        /// The first instant of the closed stretch.
        from: DateTime<Utc>,
        /// The next opening.
        until: DateTime<Utc>,
    },
    /// More dates are named than any calendar needs.
    #[error("{count} dates are named; {} are the most", DATES_MAX)]
    TooManyDates {
        /// How many there are.
        count: usize,
    },
}

const MINUTES_PER_DAY: u16 = 24 * 60;
const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;
/// 9999-12-31T23:59:59.999999Z.
const LAST_MICROS: i64 = 253_402_300_799_999_999;
/// 2200-01-01T00:00:00Z: clock changes are projected until here. Some 460 of them for a zone with summer time.
const PROJECTED_UNTIL: i64 = 7_258_118_400;
/// The most dates one calendar may name: fifty years of which every third day is special.
const DATES_MAX: usize = 6_000;
/// The longest an office may be closed on end: a year and a day.
const CLOSED_MAX: i64 = 367 * MICROS_PER_DAY;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// In the order of `Tally::week`, of which Monday is the first.
const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Days since the epoch.
fn day_number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

/// 0 for Monday. The epoch was a Thursday.
fn weekday(day: i64) -> usize {
    usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
}

/// One opening, in minutes from the midnight before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    start: u16,
    /// After `start`, less than a day after it, so possibly on the next day.
    end: u16,
}

impl FromStr for Window {
    type Err = CalendarProblem;

    fn from_str(text: &str) -> Result<Self, CalendarProblem> {
        let (start, end) = text
            .split_once('-')
            .and_then(|(start, end)| Some((minute_of_day(start)?, minute_of_day(end)?)))
            .filter(|(start, _)| *start < MINUTES_PER_DAY)
            .ok_or(CalendarProblem::UnreadableWindow)?;
        match start.cmp(&end) {
            std::cmp::Ordering::Less => Ok(Self { start, end }),
            std::cmp::Ordering::Equal => Err(CalendarProblem::EmptyWindow),
            std::cmp::Ordering::Greater => Ok(Self { start, end: end + MINUTES_PER_DAY }),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.end > MINUTES_PER_DAY { self.end - MINUTES_PER_DAY } else { self.end };
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.start / 60, self.start % 60, end / 60, end % 60)
    }
}

/// `HH:MM` up to `24:00`, two digits each.
fn minute_of_day(text: &str) -> Option<u16> {
    let &[h1, h2, b':', m1, m2] = text.as_bytes() else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
    };
    let (hour, minute) = (two(h1, h2)?, two(m1, m2)?);
    (minute < 60 && hour * 60 + minute <= MINUTES_PER_DAY).then_some(hour * 60 + minute)
}

/// What was written, read and found valid. Two plans that mean the same but for touching windows are equal.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    zone: String,
    /// Sorted windows that begin on each weekday.
    week: [Vec<Window>; 7],
    /// Sorted windows that begin on each named date; none on a holiday.
    named: BTreeMap<Date, Vec<Window>>,
}

impl Plan {
    fn read(spec: &CalendarSpec) -> Result<(Self, TimeZone), CalendarFaults> {
        let mut faults = Faults::default();
        // Not `TimeZone::get`: another crate could switch on the host's zone data for it. "Etc/Unknown" is a name
        // that stands for having none.
        let zone = TimeZoneDatabase::bundled().get(&spec.zone).ok().filter(|zone| !zone.is_unknown());
        if zone.is_none() {
            faults.add("zone", &spec.zone, CalendarProblem::UnknownZone);
        }

        let mut named = BTreeMap::new();
        for text in &spec.holidays {
            if let Some(date) = faults.date("holidays", text)
                && named.insert(date, Vec::new()).is_some()
            {
                faults.add("holidays", text, CalendarProblem::RepeatedDate);
            }
        }

        let hours = &spec.hours;
        let week = [&hours.mon, &hours.tue, &hours.wed, &hours.thu, &hours.fri, &hours.sat, &hours.sun];
        if week.iter().all(|windows| windows.is_empty()) {
            faults.add("hours", "", CalendarProblem::NoOpeningHours);
        }
        let mut day = 0..;
        let week = week.map(|windows| faults.windows(&weekday_field(day.next().unwrap_or(0)), windows));
        for (day, windows) in week.iter().enumerate() {
            let tomorrow = (day + 1) % 7;
            faults.overnight(&weekday_field(day), windows, &weekday_field(tomorrow), &week[tomorrow]);
        }

        for (text, windows) in &spec.special {
            let Some(date) = faults.date("special", text) else {
                continue;
            };
            if windows.is_empty() {
                faults.add("special", text, CalendarProblem::NothingSpecial);
            }
            let windows = faults.windows(&special_field(date), windows);
            if named.insert(date, windows).is_some() {
                faults.add("special", text, CalendarProblem::RepeatedDate);
            }
        }
        if named.len() > DATES_MAX {
            faults.add("holidays", "", CalendarProblem::TooManyDates { count: named.len() });
        }
        for (date, windows) in &named {
            if let Ok(tomorrow) = date.tomorrow()
                && !named.contains_key(&tomorrow)
            {
                let weekday = weekday(day_number(tomorrow));
                faults.overnight(&special_field(*date), windows, &weekday_field(weekday), &week[weekday]);
            }
        }

        match zone {
            Some(zone) if faults.0.is_empty() => {
                let name = zone.iana_name().unwrap_or(&spec.zone).to_owned();
                Ok((Self { zone: name, week, named }, zone))
            }
            _ => Err(CalendarFaults(faults.0)),
        }
    }

    fn write(&self) -> CalendarSpec {
        let text = |windows: &Vec<Window>| windows.iter().map(Window::to_string).collect::<Vec<_>>();
        let [mon, tue, wed, thu, fri, sat, sun] = self.week.each_ref().map(text);
        let (holidays, special): (Vec<_>, Vec<_>) = self.named.iter().partition(|(_, windows)| windows.is_empty());
        CalendarSpec {
            zone: self.zone.clone(),
            holidays: holidays.into_iter().map(|(date, _)| date.to_string()).collect(),
            hours: HoursSpec { mon, tue, wed, thu, fri, sat, sun },
            special: special.into_iter().map(|(date, windows)| (date.to_string(), text(windows))).collect(),
        }
    }
}

fn weekday_field(day: usize) -> String {
    format!("hours.{}", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day])
}

fn special_field(date: Date) -> String {
    format!("special.\"{date}\"")
}

#[derive(Default)]
struct Faults(Vec<CalendarFault>);

impl Faults {
    fn add(&mut self, field: &str, value: &str, problem: CalendarProblem) {
        self.0.push(CalendarFault { field: field.to_owned(), value: value.to_owned(), problem });
    }

    fn date(&mut self, field: &str, text: &str) -> Option<Date> {
        // The parser takes other ISO 8601 forms as well; one form only keeps a date from being named twice unnoticed.
        let date = text.parse().ok().filter(|date: &Date| date.to_string() == text);
        if date.is_none() {
            self.add(field, text, CalendarProblem::UnreadableDate);
        }
        date
    }

    fn windows(&mut self, field: &str, texts: &[String]) -> Vec<Window> {
        let mut windows = Vec::with_capacity(texts.len());
        for text in texts {
            match text.parse::<Window>() {
                Ok(window) => windows.push(window),
                Err(problem) => self.add(field, text, problem),
            }
        }
        windows.sort_unstable();
        for pair in windows.windows(2) {
            if pair[0].end > pair[1].start {
                self.overlap(field, pair[1], field, pair[0]);
            }
        }
        windows
    }

    /// Windows of one day against those of the next.
    fn overnight(&mut self, field: &str, windows: &[Window], next_field: &str, next: &[Window]) {
        for window in windows {
            for later in next {
                if window.end > later.start + MINUTES_PER_DAY {
                    self.overlap(next_field, *later, field, *window);
                }
            }
        }
    }

    fn overlap(&mut self, field: &str, window: Window, other_field: &str, other: Window) {
        let problem = CalendarProblem::OverlappingWindows { field: other_field.to_owned(), window: other.to_string() };
        self.add(field, &window.to_string(), problem);
    }
}

/// One civil date's opening, in microseconds from its midnight by the wall clock.
#[derive(Debug, Clone)]
struct Day {
    /// Open stretches of the date itself, sorted, apart from each other, within 24 hours.
    open: Vec<(i64, i64)>,
    /// When the first window that begins on this date opens and the last one closes, perhaps after midnight;
    /// `None` on a day that is no business day.
    business: Option<(i64, i64)>,
}

impl Day {
    /// `eve`: windows of the day before, of which the part after midnight counts.
    fn of(windows: &[Window], eve: &[Window]) -> Self {
        let micros = |minute: u16| i64::from(minute) * MICROS_PER_MINUTE;
        let overnight = eve.iter().filter(|window| window.end > MINUTES_PER_DAY);
        let mut open: Vec<(i64, i64)> = Vec::with_capacity(windows.len() + 1);
        for (start, end) in overnight
            .map(|window| (0, window.end - MINUTES_PER_DAY))
            .chain(windows.iter().map(|window| (window.start, window.end.min(MINUTES_PER_DAY))))
        {
            match open.last_mut() {
                Some(last) if last.1 == micros(start) => last.1 = micros(end),
                _ => open.push((micros(start), micros(end))),
            }
        }
        let business = windows.first().zip(windows.last()).map(|(first, last)| (micros(first.start), micros(last.end)));
        Self { open, business }
    }

    /// Open time of the date before `within`.
    fn opened(&self, within: i64) -> i64 {
        self.open.iter().map(|(start, end)| (within.min(*end) - start).max(0)).sum()
    }

    fn total(&self) -> i64 {
        self.opened(MICROS_PER_DAY)
    }

    /// The first reading before which the date was open for `amount`, of 1 up to `total()`.
    fn reach(&self, mut amount: i64) -> i64 {
        for (start, end) in &self.open {
            if amount <= end - start {
                return start + amount;
            }
            amount -= end - start;
        }
        MICROS_PER_DAY
    }

    /// The end of the open stretch that holds `within`, if one does.
    fn closing(&self, within: i64) -> Option<i64> {
        self.open.iter().find(|(start, end)| (*start..*end).contains(&within)).map(|(_, end)| *end)
    }
}

/// A running sum of one amount per civil day: weekly, but for some days.
#[derive(Debug)]
struct Tally {
    /// Sum over a week's days before each weekday, then over all seven.
    week: [i64; 8],
    marks: Vec<Mark>,
}

/// A day whose amount is not that of its weekday.
#[derive(Debug)]
struct Mark {
    day: i64,
    amount: i64,
    /// The sum of all days before this one.
    before: i64,
}

impl Tally {
    /// `exceptions` in order of their days.
    fn of(weekly: [i64; 7], exceptions: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut week = [0; 8];
        for (day, amount) in weekly.into_iter().enumerate() {
            week[day + 1] = week[day] + amount;
        }
        let mut tally = Self { week, marks: Vec::new() };
        for (day, amount) in exceptions {
            let before = tally.before(day);
            tally.marks.push(Mark { day, amount, before });
        }
        tally
    }

    /// The sum of all days before `day`, counted from an arbitrary but fixed day.
    fn before(&self, day: i64) -> i64 {
        match self.marks[..self.marks.partition_point(|mark| mark.day < day)].last() {
            Some(mark) => mark.before + mark.amount + self.regular(day) - self.regular(mark.day + 1),
            None => self.regular(day),
        }
    }

    /// The day on which the sum reaches `target`, and how much of `target` that day itself contributes: at least 1.
    fn reach(&self, target: i64) -> (i64, i64) {
        let regular = match self.marks[..self.marks.partition_point(|mark| mark.before < target)].last() {
            Some(mark) if target <= mark.before + mark.amount => {
                return (mark.day, target - mark.before);
            }
            Some(mark) => target - mark.before - mark.amount + self.regular(mark.day + 1),
            None => target,
        };
        let weekly = self.week[7];
        let weeks = (regular - 1).div_euclid(weekly);
        let rest = regular - weeks * weekly;
        let weekday = self.week[1..7].partition_point(|before| *before < rest);
        let day = weeks * 7 - 3 + i64::try_from(weekday).unwrap_or(0);
        (day, rest - self.week[weekday])
    }

    /// As `before`, without the exceptions.
    fn regular(&self, day: i64) -> i64 {
        (day + 3).div_euclid(7) * self.week[7] + self.week[weekday(day)]
    }
}

/// A stretch of time during which the wall clock and UTC differ by a constant.
#[derive(Debug)]
struct Stretch {
    /// Its first instant, in microseconds since the epoch. The first stretch reaches back for ever.
    start: i64,
    offset: i64,
    /// Open real time before `start`, counted from an arbitrary but fixed instant.
    opened: i64,
    /// Add to the open wall time before a reading of this stretch to get open real time.
    correction: i64,
}

#[derive(Debug)]
struct Tables {
    plan: Plan,
    week: [Day; 7],
    /// Dates that are not like their weekday, by day number: named ones, those after a named one where the night
    /// before matters, those whose whole opening a clock change skips.
    exceptions: Vec<(i64, Day)>,
    /// Open wall time.
    open: Tally,
    /// One for each business day.
    business: Tally,
    stretches: Vec<Stretch>,
}

impl Tables {
    fn of(plan: Plan, zone: &TimeZone) -> Self {
        let changes = clock_changes(zone);
        let week = std::array::from_fn(|day| Day::of(&plan.week[day], &plan.week[(day + 6) % 7]));
        let exceptions = exceptions(&plan, &week, &changes);

        let open =
            Tally::of(week.each_ref().map(Day::total), exceptions.iter().map(|(number, day)| (*number, day.total())));
        let business = Tally::of(
            week.each_ref().map(|day| i64::from(day.business.is_some())),
            exceptions.iter().map(|(number, day)| (*number, i64::from(day.business.is_some()))),
        );
        let mut tables = Self { plan, week, exceptions, open, business, stretches: Vec::with_capacity(changes.len()) };
        let mut correction = 0;
        for (start, offset) in changes {
            let opened = match tables.stretches.last() {
                None => i64::MIN,
                Some(last) => {
                    let opened = correction + tables.wall_opened(start + last.offset);
                    correction = opened - tables.wall_opened(start + offset);
                    opened
                }
            };
            tables.stretches.push(Stretch { start, offset, opened, correction });
        }
        tables
    }

    /// The first stretch for which named dates keep it closed longer than any office is.
    fn closed_too_long(&self) -> Option<CalendarFault> {
        // Windows of the ordinary week recur every week; only a run of exceptions can keep them away.
        for (number, _) in &self.exceptions {
            let at = self.last_before(number * MICROS_PER_DAY);
            let (closing, opening) = (self.reach(self.opened(at)), self.next_opening(at));
            if opening - closing > CLOSED_MAX {
                let problem = CalendarProblem::ClosedTooLong { from: instant(closing), until: instant(opening) };
                return Some(CalendarFault { field: "holidays".to_owned(), value: String::new(), problem });
            }
        }
        None
    }

    fn is_open(&self, at: i64) -> bool {
        let (day, within) = self.reading(at);
        self.day(day).closing(within).is_some()
    }

    /// Open real time before `at`.
    fn opened(&self, at: i64) -> i64 {
        let stretch = &self.stretches[self.stretch_at(at)];
        stretch.correction + self.wall_opened(at + stretch.offset)
    }

    /// The first instant before which `target` was open.
    fn reach(&self, target: i64) -> i64 {
        let after = self.stretches.partition_point(|stretch| stretch.opened < target);
        let stretch = &self.stretches[after.saturating_sub(1)];
        let (number, amount) = self.open.reach(target - stretch.correction);
        number * MICROS_PER_DAY + self.day(number).reach(amount) - stretch.offset
    }

    /// The end of the `days`-th business day after that of `from`; `None` beyond the last supported instant.
    fn day_end(&self, from: i64, days: u32) -> Option<i64> {
        let (today, _) = self.reading(from);
        let number =
            if days == 0 { today } else { self.business.reach(self.business.before(today + 1) + i64::from(days)).0 };
        if number > LAST_MICROS / MICROS_PER_DAY {
            return None;
        }
        let Some((_, closing)) = self.day(number).business else {
            return Some(from);
        };
        // A window of this day ends at midnight where the next date has hours of its own.
        let closing = if self.is_named(number + 1) { closing.min(MICROS_PER_DAY) } else { closing };
        // Where a clock change skips the reading, the office closed earlier: at the first instant with as much opened.
        let end = self.reach(self.opened(self.last_before(number * MICROS_PER_DAY + closing)));
        (end <= LAST_MICROS).then_some(end)
    }

    fn next_opening(&self, closed_at: i64) -> i64 {
        self.reach(self.opened(closed_at) + 1) - 1
    }

    fn next_closing(&self, open_at: i64) -> i64 {
        let mut at = open_at;
        for (i, stretch) in self.stretches.iter().enumerate().skip(self.stretch_at(open_at)) {
            let closing = self.wall_closing(at + stretch.offset).saturating_sub(stretch.offset);
            match self.stretches.get(i + 1) {
                Some(next) if closing >= next.start => at = next.start,
                _ => return closing,
            }
        }
        at
    }

    /// The reading at which the opening that holds the reading `wall` ends: `wall` itself where it is closed,
    /// `i64::MAX` for never.
    fn wall_closing(&self, wall: i64) -> i64 {
        let (mut number, mut within) = (wall.div_euclid(MICROS_PER_DAY), wall.rem_euclid(MICROS_PER_DAY));
        let never_closes = self.open.week[7] == 7 * MICROS_PER_DAY;
        loop {
            match self.day(number).closing(within) {
                Some(MICROS_PER_DAY) => number += 1,
                closing => return number * MICROS_PER_DAY + closing.unwrap_or(within),
            }
            within = 0;
            if never_closes {
                // Only an exception can end it; do not walk there day by day.
                match self.exceptions.get(self.exceptions.partition_point(|(day, _)| *day < number)) {
                    Some((day, _)) => number = *day,
                    None => return i64::MAX,
                }
            }
        }
    }

    /// Open wall time before the reading `wall`.
    fn wall_opened(&self, wall: i64) -> i64 {
        let number = wall.div_euclid(MICROS_PER_DAY);
        self.open.before(number) + self.day(number).opened(wall.rem_euclid(MICROS_PER_DAY))
    }

    /// The first instant from which on the wall clock never again reads less than `wall`.
    fn last_before(&self, wall: i64) -> i64 {
        // No zone is a day from UTC, so the stretch in question is this one or an earlier one.
        let mut i = self.stretch_at(wall.saturating_add(MICROS_PER_DAY));
        while i > 0 && self.stretches[i].start + self.stretches[i].offset >= wall {
            i -= 1;
        }
        let end = self.stretches.get(i + 1).map_or(i64::MAX, |next| next.start);
        wall.saturating_sub(self.stretches[i].offset).min(end)
    }

    /// What calendar and clock on the wall show: day number and microseconds since midnight.
    fn reading(&self, at: i64) -> (i64, i64) {
        let wall = at + self.stretches[self.stretch_at(at)].offset;
        (wall.div_euclid(MICROS_PER_DAY), wall.rem_euclid(MICROS_PER_DAY))
    }

    fn stretch_at(&self, at: i64) -> usize {
        self.stretches.partition_point(|stretch| stretch.start <= at).saturating_sub(1)
    }

    fn day(&self, number: i64) -> &Day {
        self.exception(number).unwrap_or(&self.week[weekday(number)])
    }

    fn exception(&self, number: i64) -> Option<&Day> {
        let found = self.exceptions.binary_search_by_key(&number, |(day, _)| *day);
        found.ok().map(|i| &self.exceptions[i].1)
    }

    fn is_named(&self, number: i64) -> bool {
        i32::try_from(number)
            .ok()
            .and_then(|days| EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok())
            .is_some_and(|date| self.plan.named.contains_key(&date))
    }
}

/// From when on which offset holds, in microseconds; the first from ever.
fn clock_changes(zone: &TimeZone) -> Vec<(i64, i64)> {
    let micros = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1_000_000;
    let mut changes = vec![(i64::MIN, micros(zone.to_offset(Timestamp::UNIX_EPOCH)))];
    for change in zone.following(Timestamp::UNIX_EPOCH) {
        if change.timestamp().as_second() >= PROJECTED_UNTIL {
            break;
        }
        // Some changes are of the name or of the meaning only.
        let offset = micros(change.offset());
        if changes.last().is_none_or(|(_, last)| *last != offset) {
            changes.push((change.timestamp().as_microsecond(), offset));
        }
    }
    changes
}

fn exceptions(plan: &Plan, week: &[Day; 7], changes: &[(i64, i64)]) -> Vec<(i64, Day)> {
    let mut days = BTreeMap::new();
    for (date, windows) in &plan.named {
        let number = day_number(*date);
        days.insert(number, Day::of(windows, &[]));
        if date.tomorrow().is_ok_and(|tomorrow| !plan.named.contains_key(&tomorrow)) {
            days.insert(number + 1, Day::of(&plan.week[weekday(number + 1)], windows));
        }
    }
    // A date whose windows are all skipped by a clock change is no business day: when Samoa crossed the date line it
    // had no 30 December 2011 at all.
    for pair in changes.windows(2) {
        let (start, end) = (pair[1].0 + pair[0].1, pair[1].0 + pair[1].1);
        for number in start.div_euclid(MICROS_PER_DAY)..=end.div_euclid(MICROS_PER_DAY) {
            let day = days.get(&number).unwrap_or(&week[weekday(number)]);
            let midnight = number * MICROS_PER_DAY;
            if let Some((opening, closing)) = day.business
                && start <= midnight + opening
                && midnight + closing <= end
            {
                let skipped = Day { business: None, ..day.clone() };
                days.insert(number, skipped);
            }
        }
    }
    days.into_iter().collect()
}

#[cfg(test)]
mod tests;
