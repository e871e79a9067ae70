//! What may not get into a header, and what must come out of it unchanged.

use complaint_core::notice::NoticeKind;
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{Addressee, PlainMail};
use mail_parser::MessageParser;

use crate::{Host, Tray, customer, notice, notifier, sarah};

const HOSTILE: [&str; 10] = [
    "x\r\nBcc: victim@example.net",
    "x\nBcc: victim@example.net",
    "x\rBcc: victim@example.net",
    "x\r\n\r\nwhole new body",
    "x\0y",
    "x\u{85}y",
    "=?utf-8?q?=0d=0a?=",
    "=?utf-8?b?DQpCY2M6IHZpY3RpbUBleGFtcGxlLm5ldA==?=",
    "=?utf-8?q?=00?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0d=3D0a=3F=3D?=",
];

fn plain() -> PlainMail {
    PlainMail {
        to: "john@example.org".to_owned(),
        name: Some("John Smith".to_owned()),
        subject: "Confirm your address".to_owned(),
        text: "Open the link.\n".to_owned(),
        html: Some("<p>Open the link.</p>".to_owned()),
        id: "verify-1".to_owned(),
    }
}

#[track_caller]
fn assert_never(result: &Result<(), NotifyError>, field: &str, value: &str) {
    match result {
        Err(NotifyError::Never(why)) => assert!(why.contains(field), "{value:?}: {why} does not name {field}"),
        other => panic!("{value:?} in the {field}: {other:?}"),
    }
}

#[tokio::test]
async fn injections_into_a_notice_are_refused() {
    let tray = Tray::default();
    for hostile in HOSTILE {
        let mut sample = notice(NoticeKind::Received, customer());
        sample.subject = hostile.to_owned();
        assert_never(&notifier(&tray, Host::usual()).deliver(&sample).await, "subject", hostile);

        let mut host = Host::usual();
        host.customer[0].name = Some(hostile.to_owned());
        let sample = notice(NoticeKind::Received, customer());
        assert_never(&notifier(&tray, host).deliver(&sample).await, "name", hostile);

        let mut host = Host::usual();
        host.customer[0].email = Some(format!("{hostile}@example.org"));
        assert_never(&notifier(&tray, host).deliver(&sample).await, "address", hostile);

        let mut sample = notice(NoticeKind::Received, customer());
        sample.address = Some(format!("john@example.org{hostile}"));
        assert_never(&notifier(&tray, Host::default()).deliver(&sample).await, "address", hostile);
    }
    assert!(tray.taken().is_empty());
}

#[tokio::test]
async fn injections_into_a_plain_mail_are_refused() {
    let tray = Tray::default();
    let notifier = notifier(&tray, Host::usual());
    for hostile in HOSTILE {
        let with = |change: fn(&mut PlainMail, String)| {
            let mut mail = plain();
            change(&mut mail, hostile.to_owned());
            mail
        };
        let tries = [
            ("subject", with(|mail, x| mail.subject = x)),
            ("name", with(|mail, x| mail.name = Some(x))),
            ("address", with(|mail, x| mail.to = x)),
            ("message id", with(|mail, x| mail.id = x)),
        ];
        for (field, mail) in tries {
            assert_never(&notifier.send_plain(&mail).await, field, hostile);
        }
    }
    for body in ["a\0b"] {
        assert_never(&notifier.send_plain(&PlainMail { text: body.to_owned(), ..plain() }).await, "text", body);
        assert_never(&notifier.send_plain(&PlainMail { html: Some(body.to_owned()), ..plain() }).await, "text", body);
    }
    assert!(tray.taken().is_empty());
    notifier.send_plain(&plain()).await.unwrap();
    assert_eq!(tray.taken().len(), 1);
}

#[tokio::test]
async fn a_plain_mail_is_a_whole_message() {
    let tray = Tray::default();
    let notifier = notifier(&tray, Host::usual());
    notifier.send_plain(&plain()).await.unwrap();
    notifier.send_plain(&PlainMail { html: None, name: None, ..plain() }).await.unwrap();
    let mails = tray.taken();
    let both = MessageParser::default().parse(mails[0].bytes()).unwrap();
    assert_eq!(both.message_id(), Some("verify-1@example.com"));
    assert_eq!(both.body_text(0).unwrap().trim(), "Open the link.");
    assert_eq!(both.body_html(0).unwrap().trim(), "<p>Open the link.</p>");
    assert!(both.header("References").is_none() && both.header("X-Complaint-Reference").is_none());
    assert_eq!(both.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));
    let text = MessageParser::default().parse(mails[1].bytes()).unwrap();
    assert_eq!(text.parts.len(), 1);
    assert_eq!(text.to().unwrap().first().unwrap().name(), None);
}

#[tokio::test]
async fn names_and_subjects_come_out_as_they_went_in() {
    let tray = Tray::default();
    let long_word = "x".repeat(200);
    let long_words = "Straße nach Köln ".repeat(11);
    let combining = format!("a{}", "\u{301}".repeat(150));
    let texts = [
        "Straße",
        "Zoë \"Zed\" O'Neil, Jr. (home) <x>",
        "back\\slash; colon: at@sign",
        "漢字かな交じり文",
        "🌎🔥 mixed with words 🌎",
        "لا يوجد ماء منذ يوم الاثنين",
        "plain =?utf-8?q?fine?= words",
        "=?utf-8?q?fine?=",
        "=?=?=?",
        "a =? b ü",
        long_word.as_str(),
        long_words.trim(),
        combining.as_str(),
        "İstanbul'da ılık",
    ];
    for text in texts {
        let mut host = Host::usual();
        host.customer = vec![Addressee::at("john@example.org").named(text)];
        let mut sample = notice(NoticeKind::Received, customer());
        sample.subject = text.to_owned();
        notifier(&tray, host).deliver(&sample).await.unwrap();
        let mails = tray.taken();
        assert!(mails[0].bytes().is_ascii(), "{text}");
        let raw = std::str::from_utf8(mails[0].bytes()).unwrap();
        assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{text}");
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        let subject = message.subject().unwrap().replace(['\u{2068}', '\u{2069}'], "");
        let expected = format!("[{}] We have received your complaint: {text}", sample.reference);
        assert_eq!(subject, expected);
        let to = message.to().unwrap().first().unwrap();
        assert_eq!((to.name(), to.address()), (Some(text), Some("john@example.org")), "{raw}");
        assert!(message.body_text(0).unwrap().contains(text), "{text}");
    }
}

#[tokio::test]
async fn text_from_right_to_left_stays_inert() {
    let tray = Tray::default();
    let mut sample = notice(NoticeKind::Answer, sarah());
    sample.subject = "لا ماء".to_owned();
    sample.text = Some("مرحبا\n<script>alert(1)</script>".to_owned());
    notifier(&tray, Host::usual()).deliver(&sample).await.unwrap();
    let mails = tray.taken();
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    let html = message.body_html(0).unwrap();
    assert!(html.contains("<blockquote dir=\"auto\""));
    assert!(html.contains("مرحبا<br>") && html.contains("&#60;script&#62;") && !html.contains("<script>"), "{html}");
    assert!(html.contains("“\u{2068}لا ماء\u{2069}”"), "{html}");
    assert!(
        message.body_text(0).unwrap().contains("> مرحبا\n> <script>alert(1)</script>")
            || message.body_text(0).unwrap().contains("> مرحبا\r\n> <script>alert(1)</script>")
    );
}

#[tokio::test]
async fn a_dot_on_a_line_and_a_forged_boundary_stay_in_the_body() {
    let tray = Tray::default();
    let text = "one\n.\nQUIT\n--part.1\nContent-Type: text/html\n\ntwo";
    notifier(&tray, Host::usual())
        .send_plain(&PlainMail { text: text.to_owned(), id: "fresh-4711".to_owned(), ..plain() })
        .await
        .unwrap();
    let mails = tray.taken();
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    assert_eq!(message.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), text);
    assert_eq!(message.text_body_count(), 1);
}

#[tokio::test]
async fn a_subject_without_spaces_is_folded_up_to_the_limit_and_refused_above() {
    let tray = Tray::default();
    let notifier = notifier(&tray, Host::usual());
    let longest = "x".repeat(1000);
    notifier.send_plain(&PlainMail { subject: longest.clone(), ..plain() }).await.unwrap();
    let mails = tray.taken();
    let raw = std::str::from_utf8(mails[0].bytes()).unwrap();
    assert!(raw.split("\r\n").all(|line| line.len() <= 998));
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    assert_eq!(message.subject(), Some(longest.as_str()));
    let above = format!("{longest}x");
    let refused = notifier.send_plain(&PlainMail { subject: above.clone(), ..plain() }).await;
    assert_never(&refused, "subject is longer than 1000", &above);
}

#[tokio::test]
async fn a_very_long_line_arrives_whole_in_short_lines() {
    let tray = Tray::default();
    let mut sample = notice(NoticeKind::Message, customer());
    for line in ["x".repeat(60_000), "漢".repeat(20_000), "word ".repeat(12_000).trim_end().to_owned()] {
        sample.text = Some(line.clone());
        notifier(&tray, Host::usual()).deliver(&sample).await.unwrap();
        let mails = tray.taken();
        let raw = std::str::from_utf8(mails[0].bytes()).unwrap();
        // RFC 5322, 2.1.1.
        assert!(raw.split("\r\n").all(|line| line.len() <= 998), "a line is too long for SMTP");
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        assert!(message.body_text(0).unwrap().contains(&format!("> {line}")));
        assert!(message.body_html(0).unwrap().contains(&line));
    }
}
