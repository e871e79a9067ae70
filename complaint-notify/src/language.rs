//! The languages that letters are written in.
//!
//! English is complete. German and Arabic are samples: they have some of the letters to customers and prove that language, dates and
//! direction hold; what they lack is written in English.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// A language in which there are letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
    Arabic,
}

impl Language {
    /// The language of a BCP 47 tag, whatever its region and script; English for one in which there are no letters.
    pub(crate) fn of(tag: Option<&str>) -> Self {
        match tag.and_then(|tag| tag.split('-').next()).map(str::to_ascii_lowercase).as_deref() {
            Some("de") => Self::German,
            Some("ar") => Self::Arabic,
            _ => Self::English,
        }
    }

    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Arabic => "ar",
        }
    }

    pub(crate) fn runs_from_right_to_left(self) -> bool {
        self == Self::Arabic
    }

    pub(crate) fn phrases(self) -> Phrases {
        let [dear, hello, comma, regards, reference, automatic, stop] = match self {
            Self::English => [
                "Dear",
                "Hello",
                ",",
                "Kind regards",
                "Reference",
                "This message was sent automatically. Replies to it are not read; please write on the page of the complaint.",
                "You need not get messages like this one. To stop them",
            ],
            Self::German => [
                "Guten Tag",
                "Guten Tag",
                ",",
                "Mit freundlichen Grüßen",
                "Vorgangsnummer",
                "Diese Nachricht wurde automatisch verschickt. Antworten darauf liest niemand; bitte schreiben Sie auf der Seite der Beschwerde.",
                "Nachrichten wie diese können Sie abbestellen",
            ],
            Self::Arabic => [
                "مرحبًا",
                "مرحبًا",
                "،",
                "مع أطيب التحيات",
                "رقم المرجع",
                "أُرسلت هذه الرسالة تلقائيًا. لا تُقرأ الردود عليها؛ يُرجى الكتابة في صفحة الشكوى.",
                "يمكنك إيقاف الرسائل من هذا النوع",
            ],
        };
        let own = |text: &str| text.to_owned();
        Phrases {
            dear: own(dear),
            hello: own(hello),
            comma: own(comma),
            regards: own(regards),
            reference: own(reference),
            automatic: own(automatic),
            stop: own(stop),
        }
    }

    /// An instant as people read it: `Monday 23 November 2026, 17:00 UTC`, or in their zone if it is known.
    pub(crate) fn instant(self, at: DateTime<Utc>, zone: Option<&str>) -> String {
        let local =
            zone.and_then(|zone| jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok()?.in_tz(zone).ok());
        let (date, time) = match local {
            Some(local) => {
                let date = local.date();
                let month = u32::from(date.month().unsigned_abs());
                let day = u32::from(date.day().unsigned_abs());
                let date = NaiveDate::from_ymd_opt(i32::from(date.year()), month, day);
                (date.unwrap_or_else(|| at.date_naive()), local.strftime("%H:%M %Z").to_string())
            }
            None => (at.date_naive(), at.format("%H:%M UTC").to_string()),
        };
        let comma = if self == Self::Arabic { "،" } else { "," };
        format!("{}{comma} {time}", self.day(date))
    }

    /// A day that somebody named: the same in every zone.
    pub(crate) fn day(self, date: NaiveDate) -> String {
        let weekday = date.weekday().num_days_from_monday() as usize;
        let (day, month, year) = (date.day(), date.month0() as usize, date.year());
        match self {
            Self::English => date.format("%A %-d %B %Y").to_string(),
            Self::German => format!("{}, {day}. {} {year}", GERMAN_DAYS[weekday], GERMAN_MONTHS[month]),
            Self::Arabic => format!("{} {day} {} {year}", ARABIC_DAYS[weekday], ARABIC_MONTHS[month]),
        }
    }
}

/// What stands around the words of every letter.
///
/// Example: [`Letter`](crate::Letter).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrases {
    /// Before a name: `Dear`.
    pub dear: String,
    /// Without a name: `Hello`.
    pub hello: String,
    /// Behind either.
    pub comma: String,
    /// Before the organisation's name: `Kind regards`.
    pub regards: String,
    /// Before the complaint's reference.
    pub reference: String,
    /// That nobody reads what is answered.
    pub automatic: String,
    /// Before the link with which such letters are stopped.
    pub stop: String,
}

const GERMAN_DAYS: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const ARABIC_DAYS: [&str; 7] = ["الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"];
const ARABIC_MONTHS: [&str; 12] =
    ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_well_in_every_zone_and_language() {
        let at = "2026-11-23T23:30:00Z".parse().unwrap();
        let english = Language::English;
        assert_eq!(english.instant(at, None), "Monday 23 November 2026, 23:30 UTC");
        assert_eq!(english.instant(at, Some("Europe/Berlin")), "Tuesday 24 November 2026, 00:30 CET");
        assert_eq!(english.instant(at, Some("No/Such")), "Monday 23 November 2026, 23:30 UTC");
        assert_eq!(Language::German.instant(at, Some("Europe/Berlin")), "Dienstag, 24. November 2026, 00:30 CET");
        assert_eq!(Language::Arabic.instant(at, None), "الاثنين 23 نوفمبر 2026، 23:30 UTC");
    }

    #[test]
    fn a_tag_is_known_by_its_language_alone() {
        for (tag, language) in [
            (Some("de-AT"), Language::German),
            (Some("DE"), Language::German),
            (Some("ar-EG"), Language::Arabic),
            (Some("den"), Language::English),
            (Some("fr"), Language::English),
            (None, Language::English),
        ] {
            assert_eq!(Language::of(tag), language, "{tag:?}");
        }
    }
}
