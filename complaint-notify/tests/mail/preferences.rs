//! Letters in the language of their reader, and how those that need not be sent are stopped.

use std::sync::Arc;

use complaint_core::notice::{Notice, NoticeChannel, NoticeGroup, NoticeKind, Recipient};
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{Addressee, EmailNotifier, Letter, Letters, Settings, StopLinks};
use mail_parser::{HeaderValue, Message, MessageParser};

use crate::{Host, Still, Tray, customer, notice, notifier, sarah};

fn reading(language: &str) -> Host {
    let john = Addressee::at("john@example.org").named("John Smith");
    let john = Addressee { language: Some(language.to_owned()), zone: Some("Europe/Berlin".to_owned()), ..john };
    Host { customer: vec![john], ..Host::default() }
}

fn raw<'a>(message: &'a Message<'_>, name: &'static str) -> Option<&'a str> {
    match message.header(name)? {
        HeaderValue::Text(text) => Some(text),
        other => panic!("{name}: {other:?}"),
    }
}

fn shown(mail: &complaint_notify::Mail) -> String {
    let message = MessageParser::default().parse(mail.bytes()).unwrap();
    let text = message.body_text(0).unwrap().replace("\r\n", "\n");
    let html = message.body_html(0).unwrap().replace("\r\n", "\n");
    let language = match message.header("Content-Language").unwrap() {
        HeaderValue::Text(tag) => tag.to_string(),
        HeaderValue::TextList(tags) => tags.join(","),
        other => panic!("{other:?}"),
    };
    format!("Subject: {}\nContent-Language: {language}\n\n{text}\n\n{html}", message.subject().unwrap())
}

#[tokio::test]
async fn the_samples_read_well_in_german_and_in_arabic() {
    use NoticeKind as K;
    let kinds = [K::Received, K::Acknowledged, K::AssignedCustomer, K::Question, K::Message, K::Decision];
    for language in ["de-AT", "ar"] {
        let tray = Tray::default();
        let notifier = notifier(&tray, reading(language));
        for kind in kinds {
            notifier.deliver(&notice(kind, customer())).await.unwrap();
            let letter = shown(&tray.taken()[0]);
            let tag = &language[..2];
            let direction = if tag == "ar" { "rtl" } else { "ltr" };
            assert!(letter.contains(&format!("<html lang=\"{tag}\" dir=\"{direction}\">")), "{letter}");
            assert!(letter.contains(&format!("Content-Language: {tag}\n")), "{letter}");
            for english in ["Dear", "Kind regards", "complaint ", "Monday"] {
                assert!(!letter.contains(english), "{english} in\n{letter}");
            }
            insta::assert_snapshot!(format!("{tag}_{kind:?}"), letter);
        }
    }
}

#[tokio::test]
async fn what_there_is_no_letter_in_is_written_in_english_from_beginning_to_end() {
    for (language, kind) in [("ar", NoticeKind::Referred), ("de", NoticeKind::Closed), ("fr", NoticeKind::Received)] {
        let tray = Tray::default();
        notifier(&tray, reading(language)).deliver(&notice(kind, customer())).await.unwrap();
        let letter = shown(&tray.taken()[0]);
        assert!(
            letter.contains("Content-Language: en\n") && letter.contains("<html lang=\"en\" dir=\"ltr\">"),
            "{letter}"
        );
        assert!(letter.contains("Dear John Smith,") && letter.contains("Kind regards"), "{letter}");
    }
}

#[tokio::test]
async fn every_value_of_a_letter_from_right_to_left_is_fenced() {
    let tray = Tray::default();
    notifier(&tray, reading("ar")).deliver(&notice(NoticeKind::Received, customer())).await.unwrap();
    let letter = shown(&tray.taken()[0]);
    assert!(letter.contains("\u{2068}Toaster <smokes> & trips the fuse\u{2069}"), "{letter}");
}

/// Receipts as a host writes them.
struct Own;

impl Letters for Own {
    fn letter(&self, notice: &Notice, to: &Addressee, handler: Option<&str>) -> Option<Letter> {
        let letter = Letter::new("he", "התלונה שלך התקבלה").from_right_to_left();
        let letter = letter.paragraph(format!("{handler:?} {:?}", to.language)).quote("ציטוט").link("פתיחה");
        (notice.kind == NoticeKind::Received).then_some(letter)
    }
}

#[tokio::test]
async fn a_host_brings_its_own_words_where_it_has_them() {
    let tray = Tray::default();
    let notifier = notifier(&tray, reading("he")).with_letters(Own);
    notifier.deliver(&notice(NoticeKind::Received, customer())).await.unwrap();
    notifier.deliver(&notice(NoticeKind::Closed, customer())).await.unwrap();
    let mails = tray.taken();
    let (own, ours) = (shown(&mails[0]), shown(&mails[1]));
    assert!(own.contains("התלונה שלך התקבלה") && own.contains("<html lang=\"he\" dir=\"rtl\">"), "{own}");
    assert!(own.contains("Some(\"Sarah Lee\") Some(\"he\")") && own.contains("> First line <b>bold</b>"), "{own}");
    assert!(own.contains("&#60;b&#62;bold"), "what people wrote is escaped in their letters, too: {own}");
    assert!(ours.contains("<html lang=\"en\" dir=\"ltr\">"), "{ours}");
}

/// Links that say what they stop.
struct Links(&'static str);

impl StopLinks for Links {
    fn link(&self, recipient: &Recipient, group: Option<NoticeGroup>) -> Option<String> {
        let Recipient::Customer(id) = recipient else { return Some(format!("{}/staff", self.0)) };
        Some(format!("{}/stop/{id}/{}", self.0, group.map_or("all", NoticeGroup::name)))
    }
}

fn stoppable(tray: &Tray, base: &'static str) -> EmailNotifier {
    notifier(tray, Host::usual()).stopped_at(Arc::new(Links(base)))
}

#[tokio::test]
async fn what_need_not_be_sent_is_stopped_by_one_click_and_nothing_else_is() {
    let tray = Tray::default();
    let notifier = stoppable(&tray, "https://help.example.com");
    for (kind, to, link) in [
        (NoticeKind::Message, customer(), Some("https://help.example.com/stop/c-1/messages")),
        (NoticeKind::AssignedCustomer, customer(), Some("https://help.example.com/stop/c-1/handling")),
        (NoticeKind::Approved, sarah(), Some("https://help.example.com/staff")),
        (NoticeKind::Decision, customer(), None),
        (NoticeKind::Received, customer(), None),
        (NoticeKind::Question, customer(), None),
        (NoticeKind::AssignedHandler, sarah(), None),
        // Told in place of somebody who is away.
        (NoticeKind::Message, Recipient::Admins, None),
    ] {
        notifier.deliver(&notice(kind, to)).await.unwrap();
        let mails = tray.taken();
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        let source = String::from_utf8(mails[0].bytes().to_vec()).unwrap();
        let named = link.map(|link| format!("List-Unsubscribe: <{link}>\r\n"));
        assert_eq!(source.contains("List-Unsubscribe: "), link.is_some(), "{kind:?}");
        assert!(named.is_none_or(|named| source.contains(&named)), "{kind:?}: {source}");
        let click = raw(&message, "List-Unsubscribe-Post");
        assert_eq!(click, link.map(|_| "List-Unsubscribe=One-Click"), "{kind:?}");
        let text = message.body_text(0).unwrap();
        assert_eq!(text.contains("You need not get messages like this one"), link.is_some(), "{kind:?}");
        assert!(link.is_none_or(|link| text.contains(link) && message.body_html(0).unwrap().contains(link)));
    }
}

#[tokio::test]
async fn a_link_without_https_stands_in_the_letter_alone_and_one_that_would_end_a_line_is_refused() {
    let tray = Tray::default();
    stoppable(&tray, "http://localhost").deliver(&notice(NoticeKind::Message, customer())).await.unwrap();
    let source = String::from_utf8(tray.taken()[0].bytes().to_vec()).unwrap();
    assert!(source.contains("http://localhost/stop/c-1/messages") && !source.contains("List-Unsubscribe"), "{source}");
    let refused = stoppable(&tray, "https://x\r\nBcc: a@b.c")
        .deliver(&notice(NoticeKind::Message, customer()))
        .await
        .unwrap_err();
    assert!(matches!(refused, NotifyError::Never(why) if why.contains("link to stop letters")));
    assert!(tray.taken().is_empty());
}

#[tokio::test]
async fn a_digest_lists_what_it_stands_for_and_quotes_nobody() {
    for language in ["en", "de", "ar"] {
        let tray = Tray::default();
        let notifier = notifier(&tray, reading(language)).stopped_at(Arc::new(Links("https://help.example.com")));
        let mut second = notice(NoticeKind::AssignedCustomer, customer());
        second.subject = "No water".to_owned();
        let told = [notice(NoticeKind::Message, customer()), second];
        notifier.deliver_together("digest-1", &customer(), &told).await.unwrap();
        let mails = tray.taken();
        assert_eq!((mails.len(), mails[0].id()), (1, "digest-1"));
        let letter = shown(&mails[0]);
        assert!(!letter.contains("First line"), "words of people: {letter}");
        assert!(letter.contains("https://help.example.com/stop/c-1/all"), "{letter}");
        insta::assert_snapshot!(format!("digest_{language}"), letter);
    }
    let nobody = notifier(&Tray::default(), Host::default());
    let told = [notice(NoticeKind::Message, customer())];
    let answer = nobody.deliver_together("digest-2", &customer(), &told).await;
    assert!(matches!(answer, Err(NotifyError::Nobody(_))));
    assert_eq!(told[0].channel, NoticeChannel::Email);
}

#[tokio::test]
async fn a_digest_with_a_subject_that_would_end_a_line_is_refused() {
    let tray = Tray::default();
    let settings = Settings::new("complaints@example.com", "https://help.example.com/", "Example Ltd").unwrap();
    let notifier = EmailNotifier::new(tray.clone(), Host::usual(), settings, Arc::new(Still));
    let mut told = notice(NoticeKind::Message, customer());
    told.subject = "Toaster\r\nBcc: x@example.org".to_owned();
    let refused = notifier.deliver_together("digest-3", &customer(), &[told]).await.unwrap_err();
    assert!(matches!(refused, NotifyError::Never(_)) && tray.taken().is_empty());
}
