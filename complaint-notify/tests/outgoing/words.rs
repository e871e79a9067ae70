//! The words of every text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use complaint_core::clock::SystemClock;
use complaint_core::deadline::ClockKind;
use complaint_core::id::Level;
use complaint_core::notice::{Notice, NoticeChannel, NoticeKind, Recipient};
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{Addressee, Settings, SmsNotifier, SmsTransport, TextMessage};

use crate::{Host, customer, instant, notice, sarah, settings};

#[derive(Clone, Default)]
struct Tray(Arc<Mutex<Vec<TextMessage>>>);

#[async_trait]
impl SmsTransport for Tray {
    async fn send(&self, message: &TextMessage) -> Result<(), NotifyError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(())
    }
}

async fn text(notice: &Notice, settings: Settings, zone: Option<&str>) -> String {
    let reached = Addressee {
        phone: Some("+447700900123".to_owned()),
        zone: zone.map(str::to_owned),
        ..Addressee::at("a@example.org")
    };
    let host = Host { customer: vec![reached.clone()], level: vec![reached], ..Host::default() };
    let tray = Tray::default();
    let notice = Notice { channel: NoticeChannel::Sms, ..notice.clone() };
    SmsNotifier::new(Arc::new(tray.clone()), Arc::new(host), settings, Arc::new(SystemClock))
        .deliver(&notice)
        .await
        .unwrap();
    let messages = std::mem::take(&mut *tray.0.lock().unwrap());
    assert_eq!((messages.len(), messages[0].id()), (1, messages[0].id()));
    messages[0].text().to_owned()
}

/// Every notice that the core plans for this channel; the others have one sentence for all.
fn samples() -> Vec<Notice> {
    use NoticeKind as K;
    let level = || Recipient::Level { level: Level::new(2).unwrap(), down_to: Level::FIRST, except: BTreeSet::new() };
    let to_customer = [K::Received, K::Acknowledged, K::Decision, K::FinalDecision, K::Closed];
    let to_staff = [K::AssignedHandler, K::EscalatedHandler, K::Answer];
    let missed = || ClockKind::ALL.into_iter().map(K::Missed);
    let mut all: Vec<Notice> = to_customer.into_iter().map(|kind| notice(kind, customer())).collect();
    all.extend(to_staff.into_iter().chain(missed()).map(|kind| notice(kind, sarah())));
    all.push(notice(K::Missed(ClockKind::Resolution), level()));
    all
}

#[tokio::test]
async fn each_text_reads_well_and_holds_nothing_that_was_typed() {
    let mut shown = String::new();
    for sample in samples() {
        for due_at in [sample.due_at, None] {
            let sample = Notice { due_at, ..sample.clone() };
            let text = text(&sample, settings(), Some("Europe/Berlin")).await;
            for typed in ["Toaster", "smokes", "First line", "quoted", "Sarah"] {
                assert!(!text.contains(typed), "{text}");
            }
            assert!(text.contains(&sample.reference.to_string()), "{text}");
            let to = if matches!(sample.recipient, Recipient::Customer(_)) { "customer" } else { "staff" };
            writeln!(shown, "{:?} to {to}, {} characters:\n  {text}", sample.kind, text.chars().count()).unwrap();
        }
    }
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn what_does_not_fit_is_left_out_and_the_link_stays_longest() {
    let sample = Notice { due_at: Some(instant("2026-11-23T17:00:00Z")), ..notice(NoticeKind::Decision, customer()) };
    let reference = sample.reference.to_string();
    let named = |name: &str, base: &str| Settings::new("a@example.com", base, name).unwrap();
    let base = "https://help.example.com";
    let whole = text(&sample, named("City", base), None).await;
    assert!(whole.starts_with("City: ") && whole.contains("23 Nov 17:00 UTC") && whole.contains(base), "{whole}");
    let without_name = text(&sample, named(&"Long name ".repeat(10), base), None).await;
    assert_eq!(without_name, whole.strip_prefix("City: ").unwrap());
    // One character outside of the alphabet of telephones, and only 70 fit.
    let outside = text(&sample, named("Łódź", "https://a.example"), None).await;
    assert!(outside.is_ascii() && outside.contains("https://a.example/complaints/"), "{outside}");
    let long = format!("https://{}.example.com", "help-".repeat(11) + "desk");
    let without_date = text(&sample, named("City", &long), None).await;
    assert!(!without_date.contains("23 Nov") && without_date.contains(&long), "{without_date}");
    let endless = format!("https://{0}.{0}.{0}.example.com", "help-".repeat(11) + "desk");
    let without_link = text(&sample, named("City", &endless), None).await;
    assert_eq!(without_link, format!("Your complaint {reference} is decided."));
    let named_day = Notice { due_on: Some("2026-11-23".parse().unwrap()), ..sample.clone() };
    let named_day = text(&named_day, named("City", base), Some("Asia/Tokyo")).await;
    assert!(named_day.contains("until 23 Nov. "), "{named_day}");
    let far_away = text(&sample, settings(), Some("Asia/Tokyo")).await;
    assert!(far_away.contains("24 Nov 02:00 JST"), "{far_away}");
}
