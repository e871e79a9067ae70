//! Who wrote it, and what is to become of it.

use complaint_core::id::{ComplaintId, CustomerId};
use complaint_core::notice::Recipient;
use complaint_core::reference::Reference;
use complaint_notify::inbound::{
    Authentication, Facts, Ignored, Intake, Kind, Reply, ReplyAddress, Sender, Suspicion, decide,
};

use crate::{read, samples};

fn mail_with(fields: &str) -> Vec<u8> {
    format!("From: John <john@example.org>\r\nTo: help@example.org\r\n{fields}Message-ID: <1@example.org>\r\n\r\nNo water.\r\n").into_bytes()
}

fn reference() -> Reference {
    "C7KQ-2M9X-B".parse().unwrap()
}

#[test]
fn machines_are_told_from_people() {
    for (fields, kind) in [
        ("Subject: No water\r\n", Kind::Person),
        // RFC 3834, 5.2: that value says that it is not.
        ("Auto-Submitted: no\r\n", Kind::Person),
        ("Auto-Submitted: No (I wrote it)\r\n", Kind::Person),
        ("Auto-Submitted: auto-replied\r\n", Kind::Automatic),
        ("Auto-Submitted: AUTO-GENERATED; owner-email=\"x@y\"\r\n", Kind::Automatic),
        ("Auto-Submitted: auto-notified\r\n", Kind::Automatic),
        ("Precedence: bulk\r\n", Kind::List),
        ("Precedence: junk\r\n", Kind::List),
        ("Precedence: auto_reply\r\n", Kind::Automatic),
        ("Precedence: first-class\r\n", Kind::Person),
        ("List-Id: Cats <cats.example.org>\r\n", Kind::List),
        ("List-Unsubscribe: <mailto:x@example.org>\r\n", Kind::List),
        ("Return-Path: <>\r\n", Kind::Bounce),
        ("Return-Path: <john@example.org>\r\n", Kind::Person),
        ("X-Failed-Recipients: mary@example.org\r\n", Kind::Bounce),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", Kind::Bounce),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n", Kind::Bounce),
        ("Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n", Kind::AbuseReport),
        ("Subject: Undelivered Mail Returned to Sender\r\n", Kind::Bounce),
        ("Subject: Automatic reply: your letter\r\n", Kind::Vacation),
        ("Subject: =?utf-8?q?Automatische_Antwort=3A_Ihr_Brief?=\r\n", Kind::Vacation),
        // A person who writes about it.
        ("Subject: Your automatic reply: it does not help\r\n", Kind::Person),
        ("Subject: Re: Undelivered parcel\r\n", Kind::Person),
        ("Subject: Complaint about message from your agent\r\n", Kind::Person),
        ("X-Complaint-Reference: C7KQ-2M9X-B\r\n", Kind::Own),
    ] {
        assert_eq!(read(&mail_with(fields)).kind(), kind, "{fields}");
    }
    for (from, kind) in [
        ("MAILER-DAEMON@example.org (Mail Delivery System)", Kind::Bounce),
        ("\"Mail Delivery Subsystem\" <x@example.org>", Kind::Bounce),
        ("postmaster@example.org", Kind::Bounce),
        ("No Reply <no-reply@example.org>", Kind::Automatic),
        ("noreen@example.org", Kind::Person),
    ] {
        assert_eq!(read(format!("From: {from}\r\nSubject: x\r\n\r\nx").as_bytes()).kind(), kind, "{from}");
    }
    let hops = |number: usize| mail_with(&"Received: from a by b\r\n".repeat(number));
    assert_eq!(read(&hops(50)).kind(), Kind::Person);
    assert_eq!(read(&hops(51)).kind(), Kind::Loop);
}

#[test]
fn every_sample_is_what_its_name_says() {
    let samples = samples();
    assert!(samples.len() >= 8);
    for (name, raw) in &samples {
        let expected = match name.split('-').next().unwrap() {
            "person" => Kind::Person,
            "bounce" => Kind::Bounce,
            "vacation" => Kind::Vacation,
            "abuse" => Kind::AbuseReport,
            "list" => Kind::List,
            "automatic" => Kind::Automatic,
            other => panic!("{other} is no kind"),
        };
        assert_eq!(read(raw).kind(), expected, "{name}");
    }
}

/// Every combination of what can be known, against what must hold whatever else is true.
#[test]
fn what_becomes_of_a_message_in_every_case() {
    let person = mail_with("Subject: about C7KQ-2M9X-B\r\n");
    let machine = mail_with("Auto-Submitted: auto-replied\r\n");
    let nobody = b"Subject: x\r\n\r\nx".to_vec();
    let silent = b"From: john@example.org\r\n\r\n \r\n".to_vec();
    let senders = [Sender::Stranger, Sender::Customer, Sender::Staff, Sender::Disabled];
    let verdicts = [Authentication::Passed, Authentication::Failed, Authentication::Unknown];
    let other: Reference = "22222222-2".parse().unwrap_or_else(|_| Reference::from_entropy(0));
    let replies = [Reply::None, Reply::Genuine(other), Reply::OfAnother(other), Reply::Expired(other), Reply::Forged];
    let mut cases = 0;
    for raw in [&person, &machine, &nobody, &silent] {
        for sender in senders {
            for authentication in verdicts {
                for reply in replies {
                    for (seen, released, confirmed) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0)) {
                        let facts = Facts { seen, sender, authentication, reply, released, confirmed };
                        let looked_at = released || confirmed;
                        let found = decide(&read(raw), &facts);
                        let case = format!("{} {facts:?} {found:?}", String::from_utf8_lossy(raw));
                        cases += 1;
                        match found {
                            _ if seen => assert_eq!(found, Intake::Ignore(Ignored::Duplicate), "{case}"),
                            Intake::Append { complaint } => {
                                assert_eq!(reply, Reply::Genuine(complaint), "by its token alone: {case}");
                                assert_ne!(complaint, reference(), "not by the subject: {case}");
                                assert!(looked_at || authentication != Authentication::Failed, "{case}");
                            }
                            Intake::Open { confirmed: taken, mentions } => {
                                let proven = sender == Sender::Customer
                                    && (released || authentication == Authentication::Passed);
                                assert_eq!(
                                    taken,
                                    confirmed || proven,
                                    "an address that nobody proved is asked first: {case}"
                                );
                                assert!(mentions.is_none_or(|it| it == reference() || it == other), "{case}");
                            }
                            Intake::Ignore(why) => assert_eq!(why, Ignored::Automatic(Kind::Automatic), "{case}"),
                            Intake::Quarantine(_) => {}
                        }
                        if std::ptr::eq(raw, &raw const machine) && !looked_at {
                            assert!(matches!(found, Intake::Ignore(_)), "a machine is never answered: {case}");
                        }
                        if matches!(sender, Sender::Staff | Sender::Disabled) {
                            assert!(!matches!(found, Intake::Open { .. } | Intake::Append { .. }), "{case}");
                        }
                        if std::ptr::eq(raw, &raw const nobody) {
                            assert!(!matches!(found, Intake::Open { .. } | Intake::Append { .. }), "{case}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cases, 4 * 4 * 3 * 5 * 8);
}

#[test]
fn each_suspicion_is_named() {
    let raw = mail_with("Subject: hello\r\n");
    let known = Facts { sender: Sender::Customer, authentication: Authentication::Passed, ..Facts::default() };
    let judged = |facts: Facts| decide(&read(&raw), &facts);
    assert_eq!(judged(known), Intake::Open { confirmed: true, mentions: None });
    assert_eq!(
        judged(Facts { reply: Reply::Genuine(reference()), ..known }),
        Intake::Append { complaint: reference() }
    );
    assert_eq!(
        judged(Facts { reply: Reply::Expired(reference()), ..known }),
        Intake::Open { confirmed: true, mentions: Some(reference()) }
    );
    for (facts, suspicion) in [
        (Facts { authentication: Authentication::Failed, ..known }, Suspicion::ForgedSender),
        (Facts { sender: Sender::Staff, ..known }, Suspicion::FromStaff),
        (Facts { sender: Sender::Disabled, ..known }, Suspicion::FromDisabled),
        (Facts { reply: Reply::OfAnother(reference()), ..known }, Suspicion::TokenOfAnother(reference())),
        (Facts { reply: Reply::Forged, ..known }, Suspicion::ForgedToken),
    ] {
        assert_eq!(judged(facts), Intake::Quarantine(suspicion));
    }
    let nobody = b"From: a@example.org, b@example.org\r\n\r\nx";
    assert_eq!(decide(&read(nobody), &known), Intake::Quarantine(Suspicion::NoSender));
    assert_eq!(decide(&read(b"From: a@example.org\r\n\r\n"), &known), Intake::Quarantine(Suspicion::Empty));
}

/// What a message says of who should read along adds nobody: the same is decided with and without it.
#[test]
fn nobody_is_added_by_a_message() {
    let bare = mail_with("");
    let crowded = mail_with(
        "Cc: thief@evil.example\r\nBcc: thief@evil.example\r\nReply-To: thief@evil.example\r\nSender: thief@evil.example\r\n",
    );
    for reply in [Reply::None, Reply::Genuine(reference())] {
        let facts = Facts { reply, sender: Sender::Customer, ..Facts::default() };
        assert_eq!(decide(&read(&bare), &facts), decide(&read(&crowded), &facts));
    }
    assert_eq!(read(&crowded).sender(), Some("john@example.org"));
}

#[test]
fn a_token_is_found_in_whatever_field_the_server_wrote_the_address() {
    let replies = ReplyAddress::new("help@example.org", &[7; 32], 30).unwrap();
    let id = ComplaintId::from_uuid(uuid::Uuid::from_u128(1));
    let john = Recipient::Customer(CustomerId::new("john").unwrap());
    let address = replies.for_recipient(id, reference(), &john, "2026-11-02T10:00:00Z".parse().unwrap());
    for field in ["To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"] {
        let raw = format!("From: john@example.org\r\n{field}: <{address}>\r\n\r\nx");
        let mail = read(raw.as_bytes());
        assert_eq!(replies.tokens_in(mail.recipients().iter().map(String::as_str)).len(), 1, "{field}");
    }
    let quoted = format!("From: john@example.org\r\nSubject: {address}\r\nReply-To: {address}\r\n\r\n{address}");
    assert_eq!(read(quoted.as_bytes()).recipients().len(), 0, "where it was sent to, not what it talks about");
}
