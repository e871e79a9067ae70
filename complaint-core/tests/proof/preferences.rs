//! What people chose is kept, and what nobody can choose away comes all the same, at the latest when their night ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::clock::Clock as _;
use complaint_core::deadline::ClockKind;
use complaint_core::id::{AgentId, CustomerId, Level};
use complaint_core::notice::{
    Because, Notice, NoticeChannel, NoticeGroup, NoticeKind, Preferences, PreferencesSpec, QuietHoursSpec, Recipient,
    When,
};
use complaint_core::store::MemoryStore;
use complaint_core::testing::{KeptNotices, ManualClock, samples};
use complaint_core::{Actor, Desk, Notifier, NotifyError};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
];
/// Instants of clock changes in these zones, one of which left a day out.
const CHANGES: [&str; 8] = [
    "2026-03-29T01:00:00Z",
    "2026-10-25T01:00:00Z",
    "2026-03-08T07:00:00Z",
    "2026-11-01T06:00:00Z",
    "2026-04-04T15:00:00Z",
    "2026-10-03T15:30:00Z",
    "2026-03-08T05:30:00Z",
    "2011-12-30T10:00:00Z",
];

fn kinds() -> Vec<NoticeKind> {
    let plain = "received acknowledged revised assigned_customer back_in_queue assigned_handler taken_away unroutable question answer \
        message escalated_customer escalated_handler on_hold approval_wanted approved sent_back decision final_decision \
        recorded_for_customer accepted_handler remedy_accepted_handler remedy_declined_customer remedy_declined_handler \
        remedy_fulfilled remedy_failed_customer remedy_failed_handler contested_customer contested_handler reopened closed \
        withdrawn_customer withdrawn_handler reinstated dismissed merged merged_by_consent ended_elsewhere unmerged referred \
        referral_returned";
    let plain = plain.split_whitespace().map(|kind| serde_json::from_value(json!({ "kind": kind })).unwrap());
    let clocks = ClockKind::ALL.into_iter().flat_map(|clock| [NoticeKind::Warning(clock), NoticeKind::Missed(clock)]);
    plain.chain(clocks).collect()
}

fn notice(kind: NoticeKind, channel: NoticeChannel, planned_at: DateTime<Utc>) -> Notice {
    let id = "01900000-0000-7000-8000-000000000007";
    serde_json::from_value(json!({
        "id": id, "recipient": { "role": "customer", "id": "john" }, "channel": channel, "kind": kind, "complaint": id,
        "reference": "C7KQ-2M9X-B", "subject": "No water", "status": "queued", "level": 1, "handler": null, "text": null,
        "address": null, "due_at": null, "planned_at": planned_at,
    }))
    .unwrap()
}

fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn specs() -> impl Strategy<Value = PreferencesSpec> {
    let minute = || 0..1_440_u16;
    let quiet = (minute(), 1..1_440_u16)
        .prop_map(|(from, long)| QuietHoursSpec { from: time(from), to: time((from + long) % 1_440) });
    let off = |channel: NoticeChannel| {
        let groups = NoticeGroup::ALL.into_iter().filter(move |group| group.can_be_switched_off(channel));
        proptest::sample::subsequence(groups.collect::<Vec<_>>(), 0..=3)
            .prop_map(move |groups| (channel, groups.into_iter().collect::<BTreeSet<_>>()))
    };
    let zone = proptest::sample::select(ZONES.to_vec());
    (
        zone,
        proptest::option::of(quiet),
        proptest::option::of(minute()),
        off(NoticeChannel::Email),
        off(NoticeChannel::Sms),
    )
        .prop_map(|(zone, quiet_hours, digest, by_mail, by_text)| PreferencesSpec {
            zone: Some(zone.to_owned()),
            language: None,
            quiet_hours,
            digest_at: digest.map(time),
            off: BTreeMap::from([by_mail, by_text]),
        })
}

/// Any minute of a year, or one around a clock change.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let any = (0..527_040_i64).prop_map(move |minute| start + TimeDelta::minutes(minute));
    let near = (proptest::sample::select(CHANGES.to_vec()), -2_200..1_000_i64)
        .prop_map(|(change, minute)| change.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute));
    prop_oneof![any, near]
}

fn reading(at: DateTime<Utc>, zone: &TimeZone) -> Time {
    zone.to_datetime(Timestamp::from_second(at.timestamp()).unwrap()).time()
}

/// Whether it is quiet, read off the wall.
fn is_quiet(at: DateTime<Utc>, spec: &PreferencesSpec, zone: &TimeZone) -> bool {
    let Some(quiet) = &spec.quiet_hours else { return false };
    let now = reading(at, zone).strftime("%H:%M").to_string();
    if quiet.from < quiet.to { quiet.from <= now && now < quiet.to } else { quiet.from <= now || now < quiet.to }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_mandatory_always_comes_and_nothing_waits_longer_than_it_is_quiet(
        spec in specs(), now in instants(), late in 0..3_000_i64,
    ) {
        let preferences = Preferences::new(&spec).unwrap();
        let zone = TimeZone::get(spec.zone.as_deref().unwrap()).unwrap();
        for kind in kinds() {
            let group = kind.group().unwrap();
            for channel in [NoticeChannel::Email, NoticeChannel::Sms] {
                let timing = preferences.timing(&notice(kind, channel, now), now);
                let off = spec.off.get(&channel).is_some_and(|off| off.contains(&group));
                prop_assert_eq!(timing.when == When::Never, off, "{:?} by {:?}", kind, channel);
                if group.is_mandatory() && channel == NoticeChannel::Email {
                    prop_assert!(matches!(timing.when, When::Now | When::At(_)), "{:?}: {:?}", kind, timing);
                }
                let quiet = is_quiet(now, &spec, &zone);
                match timing.when {
                    When::At(until) => {
                        prop_assert!(quiet && !kind.passes_quiet_hours() && timing.because == Because::QuietHours);
                        prop_assert!(now < until && until - now <= TimeDelta::hours(25), "{} to {}", now, until);
                        let again = preferences.timing(&notice(kind, channel, now), until);
                        prop_assert_eq!(again.when, When::Now, "held back a second time");
                    }
                    When::Now => prop_assert!(!quiet || kind.passes_quiet_hours(), "{:?} at night", kind),
                    When::Digest(at) => {
                        prop_assert!(!group.is_mandatory() && channel == NoticeChannel::Email);
                        prop_assert!(now < at && at - now <= TimeDelta::hours(50), "{} to {}", now, at);
                        prop_assert!(!is_quiet(at, &spec, &zone), "a digest at night");
                        let asked_late = preferences.timing(&notice(kind, channel, now), now + TimeDelta::minutes(late));
                        prop_assert_eq!(asked_late, timing, "another digest for whoever asks late");
                    }
                    When::Never => {}
                }
            }
        }
    }

    #[test]
    fn a_night_ends_when_the_wall_first_says_so(spec in specs(), now in instants()) {
        let preferences = Preferences::new(&spec).unwrap();
        let zone = TimeZone::get(spec.zone.as_deref().unwrap()).unwrap();
        prop_assert_eq!(preferences.quiet_until(now).is_some(), is_quiet(now, &spec, &zone));
        if let (Some(until), Some(quiet)) = (preferences.quiet_until(now), &spec.quiet_hours) {
            prop_assert!(!is_quiet(until, &spec, &zone));
            let mut at = now + TimeDelta::minutes(1);
            while at < until {
                let reads_the_end = reading(at, &zone).strftime("%H:%M").to_string() == quiet.to;
                prop_assert!(!reads_the_end, "it was over at {}, not at {}", at, until);
                at += TimeDelta::minutes(1);
            }
        }
    }
}

/// Sleeps until an instant, then takes everything.
struct Sleeper {
    clock: ManualClock,
    kept: KeptNotices,
    until: DateTime<Utc>,
}

#[async_trait]
impl Notifier for Sleeper {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        if self.clock.now() < self.until {
            let until = self.clock.now() + TimeDelta::hours(8);
            return Err(NotifyError::Held { until, why: Because::QuietHours.to_string() });
        }
        self.kept.deliver(notice).await
    }
}

#[tokio::test]
async fn what_is_held_back_for_twenty_nights_is_no_dead_letter() {
    let clock = ManualClock::at("2026-11-20T22:00:00Z".parse().unwrap());
    let until = clock.now() + TimeDelta::days(20);
    let kept = KeptNotices::new();
    let sleeper = Sleeper { clock: clock.clone(), kept: kept.clone(), until };
    let desk = Desk::new(MemoryStore::new(), samples::policy()).with_clock(Arc::new(clock.clone())).notifying(sleeper);
    desk.acting_as(Actor::customer("john").unwrap()).submit(samples::broken_kettle()).await.unwrap();
    let planned = desk.store().waiting(None, 100).await.unwrap().len();
    while clock.now() < until {
        let done = desk.deliver().await.unwrap();
        assert_eq!((done.held as usize, done.dead, done.postponed, done.delivered), (planned, 0, 0, 0));
        assert_eq!(desk.deliver().await.unwrap().held, 0, "looked at before its time");
        clock.advance(TimeDelta::hours(8));
    }
    assert_eq!(desk.deliver().await.unwrap().delivered as usize, planned);
    assert_eq!(kept.all().len(), planned);
}

#[test]
fn what_cannot_wait_is_mandatory() {
    for kind in kinds().into_iter().filter(|kind| kind.passes_quiet_hours()) {
        assert!(kind.group().unwrap().is_mandatory(), "{kind:?} is urgent and can be switched off");
    }
    let statutory = NoticeKind::Warning(ClockKind::Statutory);
    assert!(statutory.passes_quiet_hours() && NoticeKind::Missed(ClockKind::Statutory).passes_quiet_hours());
    assert_eq!(NoticeKind::Happened.group(), None);
}

#[test]
fn what_several_are_told_is_nobodys_to_put_off() {
    let quiet_hours = Some(QuietHoursSpec { from: "00:00".into(), to: "23:59".into() });
    let spec = PreferencesSpec { zone: Some("UTC".into()), quiet_hours, ..PreferencesSpec::default() };
    let preferences = Preferences::new(&spec).unwrap();
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let mut told = notice(NoticeKind::ApprovalWanted, NoticeChannel::Email, now);
    let level = Level::new(2).unwrap();
    for (recipient, expected) in [
        (Recipient::Customer(CustomerId::new("john").unwrap()), Because::QuietHours),
        (Recipient::Agent(AgentId::new("mia").unwrap()), Because::QuietHours),
        (Recipient::Level { level, down_to: level, except: BTreeSet::new() }, Because::ToSeveral),
        (Recipient::Admins, Because::ToSeveral),
    ] {
        told.recipient = recipient;
        assert_eq!(preferences.timing(&told, now).because, expected, "{:?}", told.recipient);
    }
}

#[test]
fn the_same_letters_reach_whoever_chose_nothing() {
    let now = "2026-11-20T03:00:00Z".parse().unwrap();
    for kind in kinds() {
        let timing = Preferences::default().timing(&notice(kind, NoticeChannel::Email, now), now);
        assert_eq!(timing.when, When::Now, "{kind:?}");
    }
}

#[test]
fn each_group_of_notices_has_a_name_that_is_read_back_and_words() {
    let mut words = BTreeSet::new();
    for group in NoticeGroup::ALL {
        assert_eq!(group.name().parse::<NoticeGroup>().unwrap(), group);
        assert_eq!(group.to_string(), group.name());
        assert!(!group.label().is_empty() && words.insert(group.label()), "{group}");
    }
    assert_eq!(NoticeGroup::Handling.name(), "handling");
    assert!("nonsense".parse::<NoticeGroup>().is_err());
}

#[test]
fn what_can_be_switched_off_is_off_for_that_group_and_channel_alone() {
    let less = Preferences::default().without(NoticeGroup::Handling, NoticeChannel::Email);
    for group in NoticeGroup::ALL {
        for channel in [NoticeChannel::Email, NoticeChannel::Sms] {
            let off = group == NoticeGroup::Handling && channel == NoticeChannel::Email;
            assert_eq!(less.is_off(group, channel), off, "{group} by {}", channel.label());
        }
    }
}

#[test]
fn whoever_is_told_can_be_told_why_now() {
    let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
    let all = Preferences::default();
    for (kind, because, words) in [
        (NoticeKind::Decision, Because::Mandatory, "nobody can switch it off"),
        (NoticeKind::AssignedCustomer, Because::Wanted, "it is not switched off"),
    ] {
        let timing = all.timing(&notice(kind, NoticeChannel::Email, now), now);
        assert_eq!((timing.when, timing.because), (When::Now, because), "{kind:?}");
        assert_eq!(timing.because.to_string(), words);
    }
    // Once a day comes by mail what nobody has to have at once.
    let spec =
        PreferencesSpec { zone: Some("UTC".into()), digest_at: Some("18:00".into()), ..PreferencesSpec::default() };
    let daily = Preferences::new(&spec).unwrap();
    let when = |kind| daily.timing(&notice(kind, NoticeChannel::Email, now), now).when;
    assert_eq!(when(NoticeKind::Decision), When::Now);
    assert_eq!(when(NoticeKind::AssignedCustomer), When::Digest(now + TimeDelta::hours(6)));
}
