//! What people choose about the notices to them, and what nobody can choose away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveTime, Timelike, Utc};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

use super::{Notice, NoticeChannel, NoticeKind, Recipient};
use crate::deadline::ClockKind;
use crate::text::language;

/// Notices that are switched on and off together.
///
/// ```
/// use complaint_core::notice::{NoticeChannel, NoticeGroup, NoticeKind};
///
/// assert_eq!(NoticeKind::FinalDecision.group(), Some(NoticeGroup::Decisions));
/// assert!(NoticeKind::FinalDecision.passes_quiet_hours() && NoticeGroup::Decisions.is_mandatory());
/// assert!(!NoticeGroup::Decisions.can_be_switched_off(NoticeChannel::Email));
/// assert!(NoticeGroup::Messages.can_be_switched_off(NoticeChannel::Email));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeGroup {
    /// What somebody did, or what was recorded in their name, has arrived. ISO 10002, 7.3; for firms in the UK DISP 1.6.1.
    Receipts,
    /// How it ended, what is delivered of it, and what can be done about it. ISO 10002, 7.8; DISP 1.6.2.
    Decisions,
    /// What is due, what is late, and what is asked, for on that the clocks wait. ISO 10002, 7.4.
    Deadlines,
    /// To staff: there is something to do, or no longer.
    Work,
    /// To customers: who handles it, and where it waits.
    Handling,
    /// What the other side wrote.
    Messages,
    /// To staff: what became of what they hold or held, where there is nothing to do.
    News,
}

impl NoticeGroup {
    /// Every group, those that cannot be switched off first.
    pub const ALL: [Self; 7] =
        [Self::Receipts, Self::Decisions, Self::Deadlines, Self::Work, Self::Handling, Self::Messages, Self::News];

    /// The name in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receipts => "receipts",
            Self::Decisions => "decisions",
            Self::Deadlines => "deadlines",
            Self::Work => "work",
            Self::Handling => "handling",
            Self::Messages => "messages",
            Self::News => "news",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Receipts => "What you did has arrived",
            Self::Decisions => "Decisions and how it ends",
            Self::Deadlines => "Questions to you, dates and delays",
            Self::Work => "Work that is given to you",
            Self::Handling => "Who handles your complaint, and where it waits",
            Self::Messages => "Messages",
            Self::News => "What became of complaints that you hold or held",
        }
    }

    /// Whether everybody is told of it, whatever they chose.
    pub fn is_mandatory(self) -> bool {
        matches!(self, Self::Receipts | Self::Decisions | Self::Deadlines | Self::Work)
    }

    /// Whether its notices can be switched off on a channel. What is mandatory always comes by mail; the text message beside
    /// it says the same in short and is nobody's duty. Of the others there are no text messages.
    pub fn can_be_switched_off(self, channel: NoticeChannel) -> bool {
        match channel {
            NoticeChannel::Email => !self.is_mandatory(),
            NoticeChannel::Sms => self.is_mandatory(),
            NoticeChannel::Webhook => false,
        }
    }
}

impl fmt::Display for NoticeGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NoticeGroup {
    type Err = PreferencesProblem;

    fn from_str(name: &str) -> Result<Self, PreferencesProblem> {
        Self::ALL.into_iter().find(|group| group.name() == name).ok_or(PreferencesProblem::UnknownGroup)
    }
}

impl NoticeKind {
    /// With which others it is switched on and off. What is told to programs is in no group.
    pub fn group(self) -> Option<NoticeGroup> {
        Some(match self {
            Self::Received
            | Self::Acknowledged
            | Self::RecordedForCustomer
            | Self::RemedyDeclinedCustomer
            | Self::ContestedCustomer
            | Self::WithdrawnCustomer
            | Self::Reinstated
            | Self::MergedByConsent => NoticeGroup::Receipts,
            Self::Decision
            | Self::FinalDecision
            | Self::RemedyFulfilled
            | Self::RemedyFailedCustomer
            | Self::Reopened
            | Self::Closed
            | Self::Dismissed
            | Self::Merged
            | Self::EndedElsewhere
            | Self::Unmerged
            | Self::Referred
            | Self::ReferralReturned => NoticeGroup::Decisions,
            Self::Revised | Self::Question | Self::Warning(_) | Self::Missed(_) => NoticeGroup::Deadlines,
            Self::AssignedHandler
            | Self::TakenAway
            | Self::Unroutable
            | Self::EscalatedHandler
            | Self::ApprovalWanted
            | Self::SentBack
            | Self::RemedyAcceptedHandler
            | Self::RemedyFailedHandler => NoticeGroup::Work,
            Self::AssignedCustomer | Self::BackInQueue | Self::EscalatedCustomer | Self::OnHold => {
                NoticeGroup::Handling
            }
            Self::Answer | Self::Message => NoticeGroup::Messages,
            Self::Approved
            | Self::AcceptedHandler
            | Self::RemedyDeclinedHandler
            | Self::ContestedHandler
            | Self::WithdrawnHandler => NoticeGroup::News,
            Self::Happened => return None,
        })
    }

    /// Whether it is told at night, too: it is urgent (a clock ran out, a complaint was taken up a level), or the law wants it
    /// sent at once (receipts, final responses, what concerns the law's own deadline).
    pub fn passes_quiet_hours(self) -> bool {
        matches!(
            self,
            Self::Received
                | Self::Acknowledged
                | Self::ContestedCustomer
                | Self::EscalatedHandler
                | Self::Decision
                | Self::FinalDecision
                | Self::Dismissed
                | Self::EndedElsewhere
                | Self::Referred
                | Self::Warning(ClockKind::Statutory)
                | Self::Missed(_)
        )
    }
}

/// What one person chose about the notices to them. The default is all of them, at once.
///
/// Quiet hours and the digest are readings of the clock on the wall where the person is.
///
/// ```
/// use complaint_core::notice::{NoticeChannel, NoticeGroup, Preferences, PreferencesSpec, QuietHoursSpec};
///
/// let quiet = QuietHoursSpec { from: "22:00".into(), to: "07:00".into() };
/// let spec = PreferencesSpec { quiet_hours: Some(quiet), ..PreferencesSpec::default() };
/// let refused = Preferences::new(&spec).unwrap_err().to_string();
/// assert_eq!(refused, "zone \"\": is needed for quiet hours and for the digest");
///
/// let spec = PreferencesSpec { zone: Some("Europe/Berlin".into()), language: Some("de-at".into()), ..spec };
/// let preferences = Preferences::new(&spec)?;
/// let (evening, morning) = ("2026-11-20T22:30:00Z".parse()?, "2026-11-21T06:00:00Z".parse()?);
/// assert_eq!(preferences.quiet_until(evening), Some(morning));
/// assert_eq!(preferences.quiet_until(morning), None);
/// assert_eq!((preferences.zone(), preferences.language().as_deref()), (Some("Europe/Berlin"), Some("de-AT")));
/// assert!(!preferences.is_off(NoticeGroup::Messages, NoticeChannel::Email));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "PreferencesSpec", into = "PreferencesSpec")]
pub struct Preferences {
    off: BTreeMap<NoticeChannel, BTreeSet<NoticeGroup>>,
    digest_at: Option<Time>,
    quiet: Option<(Time, Time)>,
    zone: Option<TimeZone>,
    language: Option<LanguageIdentifier>,
}

/// [`Preferences`] as they are written. Times of day are `HH:MM`.
///
/// Example: [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreferencesSpec {
    /// The person's time zone, an IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The language they want letters in, a BCP 47 tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// When nothing comes that can wait until they are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHoursSpec>,
    /// When what is not mandatory comes as one letter a day; without it, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_at: Option<String>,
    /// What is switched off, by channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub off: BTreeMap<NoticeChannel, BTreeSet<NoticeGroup>>,
}

/// Quiet hours as they are written. From a later to an earlier time they run over midnight.
///
/// Example: [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHoursSpec {
    /// The first quiet minute.
    pub from: String,
    /// The first minute that is not quiet any more.
    pub to: String,
}

impl Preferences {
    /// Reads preferences from their written form and refuses it with **all** its faults.
    pub fn new(spec: &PreferencesSpec) -> Result<Self, PreferencesFaults> {
        let mut faults = Vec::new();
        let mut fault = |field: String, value: &str, problem| {
            faults.push(PreferencesFault { field, value: value.to_owned(), problem });
        };
        let mut time = |field: &str, text: &str| {
            let read = time_of_day(text);
            if read.is_none() {
                fault(field.to_owned(), text, PreferencesProblem::NotATime);
            }
            read
        };
        let quiet = spec.quiet_hours.as_ref();
        let quiet = quiet.and_then(|it| {
            let (from, to) = (time("quiet_hours.from", &it.from), time("quiet_hours.to", &it.to));
            Some((from?, to?))
        });
        let digest_at = spec.digest_at.as_deref().and_then(|text| time("digest_at", text));
        if let Some((from, to)) = quiet
            && from == to
        {
            fault("quiet_hours.to".to_owned(), &written(to), PreferencesProblem::QuietAllDay);
        }
        let zone = spec.zone.as_deref().and_then(|name| {
            let zone = TimeZoneDatabase::bundled().get(name).ok();
            if zone.is_none() {
                fault("zone".to_owned(), name, PreferencesProblem::UnknownZone);
            }
            zone
        });
        if spec.zone.is_none() && (spec.quiet_hours.is_some() || spec.digest_at.is_some()) {
            fault("zone".to_owned(), "", PreferencesProblem::NoZone);
        }
        let language = spec.language.as_deref().and_then(|tag| {
            let language = language(tag);
            if language.is_none() {
                fault("language".to_owned(), tag, PreferencesProblem::NotALanguage);
            }
            language
        });
        for (channel, groups) in &spec.off {
            for group in groups.iter().filter(|group| !group.can_be_switched_off(*channel)) {
                let mandatory = group.is_mandatory() && *channel == NoticeChannel::Email;
                let problem = if mandatory { PreferencesProblem::Mandatory } else { PreferencesProblem::NeverSent };
                fault(format!("off.{}", channel.name()), group.name(), problem);
            }
        }
        if !faults.is_empty() {
            return Err(PreferencesFaults(faults));
        }
        let off = spec.off.iter().filter(|(_, groups)| !groups.is_empty());
        let off = off.map(|(channel, groups)| (*channel, groups.clone())).collect();
        Ok(Self { off, digest_at, quiet, zone, language })
    }

    /// The language they want, a BCP 47 tag.
    pub fn language(&self) -> Option<String> {
        self.language.as_ref().map(ToString::to_string)
    }

    /// Their time zone, an IANA name.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_ref().and_then(TimeZone::iana_name)
    }

    /// Whether a group is switched off on a channel.
    pub fn is_off(&self, group: NoticeGroup, channel: NoticeChannel) -> bool {
        group.can_be_switched_off(channel) && self.off.get(&channel).is_some_and(|off| off.contains(&group))
    }

    /// Switches a group off on a channel. Without effect where that [cannot be done](NoticeGroup::can_be_switched_off).
    #[must_use]
    pub fn without(mut self, group: NoticeGroup, channel: NoticeChannel) -> Self {
        if group.can_be_switched_off(channel) {
            self.off.entry(channel).or_default().insert(group);
        }
        self
    }

    /// When a notice to this person is sent, asked at `now`, and why then.
    ///
    /// What goes to [several people](Recipient::Level) at once, or to a program, is nobody's to put off.
    ///
    /// ```
    /// use complaint_core::notice::{Because, NoticeChannel, NoticeGroup, Preferences, When};
    /// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
    /// # let john = desk.acting_as(Actor::customer("john")?);
    /// # john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
    /// # let told = desk.store().waiting(None, 100).await?;
    /// # let assigned = told.iter().find(|it| it.kind == complaint_core::notice::NoticeKind::AssignedCustomer).unwrap();
    ///
    /// let preferences = Preferences::default().without(NoticeGroup::Handling, NoticeChannel::Email);
    /// let timing = preferences.timing(assigned, desk.now());
    /// assert_eq!((timing.when, timing.because), (When::Never, Because::SwitchedOff));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timing(&self, notice: &Notice, now: DateTime<Utc>) -> Timing {
        let (Recipient::Customer(_) | Recipient::Agent(_), Some(group)) = (&notice.recipient, notice.kind.group())
        else {
            return Timing { when: When::Now, because: Because::ToSeveral };
        };
        if self.is_off(group, notice.channel) {
            return Timing { when: When::Never, because: Because::SwitchedOff };
        }
        // From when it was planned: whoever asks again, or late, gets the same answer.
        if let Some(at) = self.digest_of(notice, group) {
            return Timing { when: When::Digest(self.quiet_until(at).unwrap_or(at)), because: Because::Digest };
        }
        let quiet = self.quiet_until(now);
        match quiet {
            Some(_) if notice.kind.passes_quiet_hours() => Timing { when: When::Now, because: Because::CannotWait },
            Some(until) => Timing { when: When::At(until), because: Because::QuietHours },
            None if group.is_mandatory() => Timing { when: When::Now, because: Because::Mandatory },
            None => Timing { when: When::Now, because: Because::Wanted },
        }
    }

    /// Until when it is quiet, if it is at `now`: until the clock on the wall next reads the end of the quiet hours, or jumps over it.
    pub fn quiet_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (_, to) = self.quiet?;
        let mut until = now;
        while self.is_quiet(until) {
            let next = self.next(to, until)?;
            // At the end of time nothing is put off.
            if next <= until {
                return None;
            }
            until = next;
        }
        (until > now).then_some(until)
    }

    fn is_quiet(&self, at: DateTime<Utc>) -> bool {
        let (Some((from, to)), Some(zone), Ok(at)) = (self.quiet, &self.zone, stamp(at)) else { return false };
        let reading = zone.to_datetime(at).time();
        if from < to { (from..to).contains(&reading) } else { reading >= from || reading < to }
    }

    fn digest_of(&self, notice: &Notice, group: NoticeGroup) -> Option<DateTime<Utc>> {
        let collected = notice.channel == NoticeChannel::Email && !group.is_mandatory();
        self.next(self.digest_at.filter(|_| collected)?, notice.planned_at)
    }

    /// The first instant after another at which the clock on the wall reads a time. A reading that a clock change leaves out is
    /// reached at the change.
    fn next(&self, time: Time, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (zone, after) = (self.zone.as_ref()?, stamp(after).ok()?);
        let mut day = zone.to_datetime(after).date();
        // A day that a zone left out altogether is behind this one, at most.
        for _ in 0..4 {
            let reading = day.to_datetime(time);
            let readings = match zone.to_ambiguous_timestamp(reading).offset() {
                AmbiguousOffset::Unambiguous { offset } => vec![offset.to_timestamp(reading).ok()?],
                AmbiguousOffset::Gap { before, .. } => {
                    let behind = before.to_timestamp(reading).ok()? + jiff::SignedDuration::from_secs(1);
                    vec![zone.preceding(behind).next()?.timestamp()]
                }
                AmbiguousOffset::Fold { before, after } => {
                    vec![before.to_timestamp(reading).ok()?, after.to_timestamp(reading).ok()?]
                }
            };
            if let Some(found) = readings.into_iter().filter(|found| *found > after).min() {
                return DateTime::from_timestamp_micros(found.as_microsecond());
            }
            day = day.tomorrow().ok()?;
        }
        None
    }
}

impl TryFrom<PreferencesSpec> for Preferences {
    type Error = PreferencesFaults;

    fn try_from(spec: PreferencesSpec) -> Result<Self, PreferencesFaults> {
        Self::new(&spec)
    }
}

impl From<Preferences> for PreferencesSpec {
    fn from(preferences: Preferences) -> Self {
        Self {
            zone: preferences.zone().map(str::to_owned),
            language: preferences.language(),
            quiet_hours: preferences.quiet.map(|(from, to)| QuietHoursSpec { from: written(from), to: written(to) }),
            digest_at: preferences.digest_at.map(written),
            off: preferences.off,
        }
    }
}

/// When a notice is sent, and why then.
///
/// Example: [`Preferences::timing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// When.
    pub when: When,
    /// Why.
    pub because: Because,
}

/// When a notice is sent.
///
/// Example: [`Preferences::timing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// Not before this instant.
    At(DateTime<Utc>),
    /// With others in one letter, not before this instant.
    Digest(DateTime<Utc>),
    /// Not at all: it can be read on the page of the complaint.
    Never,
}

/// Why a notice is sent when it is.
///
/// Example: [`Preferences::timing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It is for several people, or for a program.
    ToSeveral,
    /// Nobody can switch it off.
    Mandatory,
    /// It is not switched off.
    Wanted,
    /// It is quiet, but it is urgent or wanted by law.
    CannotWait,
    /// It is quiet.
    QuietHours,
    /// What is not mandatory comes once a day.
    Digest,
    /// It is switched off.
    SwitchedOff,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToSeveral => "it is for several people or for a program",
            Self::Mandatory => "nobody can switch it off",
            Self::Wanted => "it is not switched off",
            Self::CannotWait => "it is quiet, but it is urgent or wanted by law",
            Self::QuietHours => "it is quiet",
            Self::Digest => "what is not mandatory comes once a day",
            Self::SwitchedOff => "it is switched off",
        })
    }
}

/// Everything that is wrong with written preferences.
///
/// Example: [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PreferencesFaults(Vec<PreferencesFault>);

impl PreferencesFaults {
    /// The faults one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, PreferencesFault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a PreferencesFaults {
    type Item = &'a PreferencesFault;
    type IntoIter = std::slice::Iter<'a, PreferencesFault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for PreferencesFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// One thing wrong with written preferences.
///
/// Example: [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {value:?}: {problem}")]
pub struct PreferencesFault {
    /// Where in the written form: `zone`, `quiet_hours.from`, `off.email`.
    pub field: String,
    /// The value at fault as it was written; empty where one is missing.
    pub value: String,
    /// What is wrong with it.
    pub problem: PreferencesProblem,
}

/// What can be wrong with a value of preferences.
///
/// Example: [`Preferences`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreferencesProblem {
    /// Not a zone of the bundled data.
    #[error("is not a known IANA time zone, such as Europe/London")]
    UnknownZone,
    /// Times of day without the place where they are read.
    #[error("is needed for quiet hours and for the digest")]
    NoZone,
    /// Not two digits, a colon, two digits.
    #[error("is not a time of day; write HH:MM, from 00:00 to 23:59")]
    NotATime,
    /// Start and end are the same.
    #[error("is also when they begin: nothing would ever be told")]
    QuietAllDay,
    /// Not a tag of BCP 47 (RFC 5646).
    #[error("is not a language tag (BCP 47), such as de or pt-BR")]
    NotALanguage,
    /// No group of notices.
    #[error("is not a group of notices")]
    UnknownGroup,
    /// A group that everybody is told of.
    #[error("cannot be switched off by mail: you must be able to act on it")]
    Mandatory,
    /// A group of which nothing travels on the channel.
    #[error("is never sent on this channel")]
    NeverSent,
}

impl PreferencesProblem {
    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownZone => "unknown_zone",
            Self::NoZone => "required",
            Self::NotATime => "not_a_time",
            Self::QuietAllDay => "quiet_all_day",
            Self::NotALanguage => "not_a_language",
            Self::UnknownGroup => "unknown_group",
            Self::Mandatory => "mandatory",
            Self::NeverSent => "never_sent",
        }
    }
}

fn stamp(at: DateTime<Utc>) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_microsecond(at.timestamp_micros())
}

/// Two digits, a colon, two digits.
fn time_of_day(text: &str) -> Option<Time> {
    let exact =
        text.len() == 5 && text.bytes().enumerate().all(|(at, b)| if at == 2 { b == b':' } else { b.is_ascii_digit() });
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| exact)?;
    Time::new(i8::try_from(time.hour()).ok()?, i8::try_from(time.minute()).ok()?, 0, 0).ok()
}

fn written(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, from: &str, to: &str) -> Preferences {
        let quiet_hours = Some(QuietHoursSpec { from: from.to_owned(), to: to.to_owned() });
        let spec = PreferencesSpec { zone: Some(zone.to_owned()), quiet_hours, ..PreferencesSpec::default() };
        Preferences::new(&spec).expect("preferences")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let both = BTreeSet::from([NoticeGroup::Decisions, NoticeGroup::Messages]);
        let spec = PreferencesSpec {
            zone: Some("Europe/Lundon".into()),
            language: Some("d".into()),
            quiet_hours: Some(QuietHoursSpec { from: "24:00".into(), to: "7:00".into() }),
            digest_at: Some("08:60".into()),
            off: BTreeMap::from([(NoticeChannel::Email, both.clone()), (NoticeChannel::Sms, both)]),
        };
        let faults = Preferences::new(&spec).expect_err("all of it is wrong");
        let named: Vec<(&str, &str)> = faults.iter().map(|it| (it.field.as_str(), it.problem.code())).collect();
        assert_eq!(
            named,
            [
                ("quiet_hours.from", "not_a_time"),
                ("quiet_hours.to", "not_a_time"),
                ("digest_at", "not_a_time"),
                ("zone", "unknown_zone"),
                ("language", "not_a_language"),
                ("off.email", "mandatory"),
                ("off.sms", "never_sent"),
            ]
        );
        let all_day = Some(QuietHoursSpec { from: "08:00".into(), to: "08:00".into() });
        let spec = PreferencesSpec { quiet_hours: all_day, zone: Some("UTC".into()), ..PreferencesSpec::default() };
        let faults = Preferences::new(&spec).expect_err("never told").to_string();
        assert!(faults.starts_with("quiet_hours.to \"08:00\": is also when they begin"), "{faults}");
    }

    #[test]
    fn what_is_read_is_written_again() {
        let text = r#"{"zone":"Europe/Berlin","language":"pt-BR","quiet_hours":{"from":"22:00","to":"07:00"},"digest_at":"08:30","off":{"email":["messages"],"sms":["receipts"]}}"#;
        let preferences: Preferences = serde_json::from_str(text).expect("preferences");
        assert_eq!(serde_json::to_string(&preferences).expect("JSON"), text);
        assert_eq!(serde_json::to_string(&Preferences::default()).expect("JSON"), "{}");
        for bad in [r#"{"zones":"UTC"}"#, r#"{"off":{"email":["spam"]}}"#, r#"{"off":{"email":["work"]}}"#] {
            assert!(serde_json::from_str::<Preferences>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nights_on_which_clocks_change_end_when_the_wall_says_so() {
        let berlin = read("Europe/Berlin", "22:00", "02:30");
        // 02:00 becomes 03:00: there is no 02:30.
        assert_eq!(berlin.quiet_until(at("2026-03-29T00:59:00Z")), Some(at("2026-03-29T01:00:00Z")));
        // 03:00 becomes 02:00: 02:30 comes twice, and from 02:00 to 02:30 it is quiet once more.
        assert_eq!(berlin.quiet_until(at("2026-10-24T23:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(berlin.quiet_until(at("2026-10-25T01:10:00Z")), Some(at("2026-10-25T01:30:00Z")));
        assert_eq!(berlin.quiet_until(at("2026-10-25T00:30:00Z")), None);
        // A day that was left out: after the 29th came the 31st.
        let apia = read("Pacific/Apia", "20:00", "06:00");
        assert_eq!(apia.quiet_until(at("2011-12-30T08:00:00Z")), Some(at("2011-12-30T16:00:00Z")));
        // Hours that begin and end on one day.
        let kolkata = read("Asia/Kolkata", "12:00", "14:00");
        assert_eq!(kolkata.quiet_until(at("2026-11-20T06:30:00Z")), Some(at("2026-11-20T08:30:00Z")));
        assert_eq!(kolkata.quiet_until(at("2026-11-20T06:29:59Z")), None);
    }

    #[test]
    fn a_summary_comes_at_its_time_or_when_the_clock_jumps_over_it() {
        let digest = |planned: &str| {
            let spec = PreferencesSpec {
                zone: Some("Europe/Berlin".into()),
                digest_at: Some("02:00".into()),
                ..PreferencesSpec::default()
            };
            Preferences::new(&spec).expect("preferences").next(Time::constant(2, 0, 0, 0), at(planned))
        };
        assert_eq!(digest("2026-11-20T12:00:00Z"), Some(at("2026-11-21T01:00:00Z")));
        // What comes up at that very time waits for the next one.
        assert_eq!(digest("2026-11-21T01:00:00Z"), Some(at("2026-11-22T01:00:00Z")));
        // 02:00 becomes 03:00: its first moment is the change itself.
        assert_eq!(digest("2026-03-29T00:00:00Z"), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn a_time_is_two_digits_a_colon_and_two_digits() {
        for (text, read) in [("07:05", true), ("12:0", false), ("7:05", false), (" 7:05", false), ("+7:05", false)] {
            assert_eq!(time_of_day(text).is_some(), read, "{text:?}");
        }
    }

    #[test]
    fn faults_are_gone_through_in_order() {
        let spec =
            PreferencesSpec { digest_at: Some("8".into()), language: Some("d".into()), ..PreferencesSpec::default() };
        let faults = Preferences::new(&spec).expect_err("two are wrong");
        let by_reference: Vec<&PreferencesFault> = (&faults).into_iter().collect();
        assert!(by_reference.len() >= 2 && by_reference.into_iter().eq(faults.iter()));
    }
}
