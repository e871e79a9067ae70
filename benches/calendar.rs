//! How fast business time is counted: medians of many rounds, in one run.
//!
//! Run it with `cargo bench --bench calendar`. It ends with lines `figure NAME VALUE UNIT`. Nothing is asserted: a slow
//! machine is not a fault.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use complaint_core::clock::{IdSource, RandomIds};
use complaint_core::deadline::{Calendar, CalendarSpec, ClockKind, Span};
use complaint_core::id::ComplaintId;
use complaint_core::lifecycle::{Context, begin, submit};
use complaint_core::policy::Category;
use complaint_core::{Actor, Complaint, Policy};
use measure::{ROUNDS, figure, median_nanos, now};

mod measure;

fn main() {
    let plain = Calendar::standard();
    let london = london(30);
    // Of working time, some 250 days of eight hours.
    let year = Duration::from_hours(8 * 250);
    let later = london.add(now(), year);
    let measure = |name, times, call: &mut dyn FnMut()| figure(name, median_nanos(ROUNDS, times, call), "ns");

    measure("calendar_add_a_year", 1000, &mut || {
        black_box(plain.add(black_box(now()), year));
    });
    measure("calendar_add_a_year_with_300_named_dates", 1000, &mut || {
        black_box(london.add(black_box(now()), year));
    });
    measure("calendar_add_a_century_with_300_named_dates", 1000, &mut || {
        black_box(london.add(black_box(now()), year * 100));
    });
    measure("calendar_between_over_a_year", 1000, &mut || {
        black_box(london.between(black_box(now()), later));
    });
    measure("calendar_add_15_business_days", 1000, &mut || {
        black_box(london.add_days(black_box(now()), 15));
    });
    let weeks: Span = "8 calendar weeks".parse().expect("a span");
    measure("calendar_8_calendar_weeks", 1000, &mut || {
        black_box(weeks.due(&london, black_box(now())));
    });
    let spec = CalendarSpec::from(london.clone());
    measure("calendar_read_with_300_named_dates", 5, &mut || {
        black_box(Calendar::new(black_box(&spec))).expect("valid");
    });

    let mut policy = Policy::standard().with_category(Category::named("Damaged goods").expect("a name"));
    policy.calendars.insert("office".into(), london.clone());
    let context = Context::new(&policy, now());
    let about = Complaint::about("Damaged goods", "Broken kettle", "The lid is cracked.").expect("a key");
    let id = ComplaintId::from_uuid(RandomIds.next_id(now()));
    let john = Actor::customer("john").expect("a key");
    let complaint = begin(&submit(id, RandomIds.next_reference(), &about, &john, &context).expect("allowed"));
    let complaint = complaint.expect("a submission");
    let resolution = complaint.deadline(ClockKind::Resolution).expect("runs");
    measure("deadline_explain_20_working_days", 200, &mut || {
        black_box(resolution.explain(&london, black_box(now()), 1000));
    });
}

/// An office in London with a lunch break and ten named dates in each of so many years.
fn london(years: u32) -> Calendar {
    let mut text = String::from("zone = 'Europe/London'\nholidays = [");
    for year in 0..years {
        for month in 1..=9 {
            let _ = write!(text, "'{}-{month:02}-17', ", 2020 + year);
        }
    }
    text.push_str("]\n[hours]\n");
    for day in ["mon", "tue", "wed", "thu", "fri"] {
        let _ = writeln!(text, "{day} = ['09:00-12:30', '13:30-17:00']");
    }
    text.push_str("[special]\n");
    for year in 0..years {
        let _ = writeln!(text, "'{}-12-24' = ['09:00-12:00']", 2020 + year);
    }
    let spec: CalendarSpec = toml::from_str(&text).expect("a calendar");
    Calendar::new(&spec).expect("valid")
}
