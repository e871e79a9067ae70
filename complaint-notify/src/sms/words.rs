//! What a text message says: where things stand and where to read on. Nothing that a person typed.

use chrono::{DateTime, Utc};
use complaint_core::deadline::ClockKind;
use complaint_core::notice::{Notice, NoticeKind, Recipient};

use super::message::fits;
use crate::settings::Settings;

/// The words for a notice: as much of them as fits into one message, the link before the date, the date before our name.
pub(crate) fn about(notice: &Notice, zone: Option<&str>, settings: &Settings) -> String {
    let (news, more) = match notice.recipient {
        Recipient::Customer(_) => to_customer(notice, zone),
        _ => to_staff(notice, zone),
    };
    let from = &settings.organisation;
    let link = format!("{}/complaints/{}", settings.base_url, notice.reference);
    let whole = more.map(|more| format!("{news} {more}"));
    let tries = [
        whole.as_ref().map(|whole| format!("{from}: {whole} {link}")),
        whole.map(|whole| format!("{whole} {link}")),
        Some(format!("{from}: {news} {link}")),
        Some(format!("{news} {link}")),
    ];
    // Without a link it still names the complaint.
    tries.into_iter().flatten().find(|text| fits(text)).unwrap_or(news)
}

/// The news, and what can be left out of it.
fn to_customer(notice: &Notice, zone: Option<&str>) -> (String, Option<String>) {
    let reference = notice.reference;
    let due = due(notice, zone);
    let by = |what: &str| due.as_ref().map(|due| format!("{what} {due}."));
    match notice.kind {
        NoticeKind::Received | NoticeKind::Acknowledged => {
            (format!("Your complaint {reference} has arrived."), by("We aim to decide it by"))
        }
        NoticeKind::Decision => {
            (format!("Your complaint {reference} is decided."), by("You can accept the decision, or contest it until"))
        }
        NoticeKind::FinalDecision => (format!("The final decision on your complaint {reference} is there."), None),
        _ => (format!("There is news about your complaint {reference}."), None),
    }
}

fn to_staff(notice: &Notice, zone: Option<&str>) -> (String, Option<String>) {
    let reference = notice.reference;
    let due = due(notice, zone);
    let by = |what: &str| due.as_ref().map(|due| format!("{what} {due}."));
    match notice.kind {
        NoticeKind::AssignedHandler => (format!("Complaint {reference} is yours now."), by("Please begin by")),
        NoticeKind::EscalatedHandler => {
            (format!("Complaint {reference} went up to level {} and is no longer yours.", notice.level), None)
        }
        NoticeKind::Missed(ClockKind::Silence) => {
            (format!("Complaint {reference}: the customer has not answered in time."), None)
        }
        NoticeKind::Missed(clock) => {
            (format!("Complaint {reference}: time ran out ({}).", clock.label().to_lowercase()), by("It was due by"))
        }
        _ => (format!("There is news about complaint {reference}."), None),
    }
}

/// The date that matters; where somebody named a day, the day.
fn due(notice: &Notice, zone: Option<&str>) -> Option<String> {
    let day = notice.due_on.map(|day| day.format("%-d %b").to_string());
    day.or_else(|| notice.due_at.map(|at| moment(at, zone)))
}

/// An instant in few characters: `23 Nov 17:00 UTC`, or in their zone if it is known.
fn moment(at: DateTime<Utc>, zone: Option<&str>) -> String {
    let local = zone.and_then(|zone| jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok()?.in_tz(zone).ok());
    match local {
        Some(local) => local.strftime("%-d %b %H:%M %Z").to_string(),
        None => at.format("%-d %b %H:%M UTC").to_string(),
    }
}
