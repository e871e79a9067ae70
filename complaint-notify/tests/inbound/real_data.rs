//! Real mail that nobody on our side wrote.

use std::fs;

use complaint_notify::inbound::{Authentication, Facts, Intake, Kind, Sender, decide};
use mail_parser::{MessageParser, MimeHeaders as _, PartType};

use crate::{messages, read, real_mail};

/// What a message would lead to at its best: from a known customer, whom the receiving server vouches for.
fn at_its_best(raw: &[u8]) -> Intake {
    let facts = Facts { sender: Sender::Customer, authentication: Authentication::Passed, ..Facts::default() };
    decide(&read(raw), &facts)
}

#[test]
fn no_bounce_opens_a_complaint_or_is_answered() {
    let Some(folder) = real_mail() else { return };
    let bounces = messages(&folder.join("bounces"));
    assert!(bounces.len() >= 300);
    let taken: Vec<&str> = bounces
        .iter()
        .filter(|(_, raw)| !matches!(at_its_best(raw), Intake::Ignore(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    let count = |kind| bounces.iter().filter(|(_, raw)| read(raw).kind() == kind).count();
    let kinds = [Kind::Bounce, Kind::AbuseReport, Kind::Vacation, Kind::Automatic, Kind::List, Kind::Loop, Kind::Own];
    println!(
        "{} messages: {:?}; taken for a person's: {taken:?}",
        bounces.len(),
        kinds.map(|kind| (kind, count(kind)))
    );
    assert!(taken.is_empty(), "{taken:?}");
}

/// Every word that another reader finds in a message stands in what we read or in what is enclosed.
#[test]
fn malformed_messages_lose_no_text() {
    let Some(folder) = real_mail() else { return };
    let mut malformed = messages(&folder.join("dovecot-malformed"));
    malformed.extend(messages(&folder.join("dovecot-thirdparty")));
    assert!(malformed.len() >= 43);
    let mut words = 0;
    for (name, raw) in &malformed {
        let mail = read(raw);
        let mut ours = [mail.text(), mail.signature(), mail.quoted()].join("\n");
        for file in mail.attachments() {
            ours.push('\n');
            ours.push_str(&String::from_utf8_lossy(&file.bytes()));
        }
        let theirs = MessageParser::default().parse(raw.as_slice()).map(|message| texts(&message)).unwrap_or_default();
        for word in theirs.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2) {
            words += 1;
            assert!(ours.contains(word), "{name} lost {word:?} of {theirs:?}; read {ours:?}");
        }
    }
    println!("{} malformed messages, {words} words, none lost", malformed.len());
    assert!(words > 300);
}

/// The text of a message as another reader has it.
fn texts(message: &mail_parser::Message<'_>) -> String {
    let mut all = String::new();
    for part in &message.text_body {
        if let Some(part) = message.parts.get(*part as usize)
            && part.content_transfer_encoding().is_none_or(|it| !it.eq_ignore_ascii_case("base64"))
            && let PartType::Text(text) = &part.body
        {
            all.push('\n');
            all.push_str(text);
        }
    }
    all
}

#[test]
fn quoted_replies_are_stripped_as_the_files_say() {
    let Some(folder) = real_mail() else { return };
    let collapsed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut right = 0;
    let mut wrong = Vec::new();
    let standard = folder.join("replies/standard");
    for (name, raw) in messages(&standard) {
        // Where the file says what stays: with its signature, which is told apart here as well.
        let said = standard.join(name.replace(".eml", "_reply_text"));
        let expected = fs::read_to_string(said).unwrap_or_else(|_| "Hello".to_owned());
        let mail = read(&raw);
        let kept = format!("{}\n{}", mail.text(), mail.signature());
        if collapsed(&kept) == collapsed(&expected) {
            right += 1;
        } else {
            wrong.push((name, kept));
        }
        assert_eq!(collapsed(mail.text()), "Hello", "without its signature");
    }
    for file in fs::read_dir(folder.join("replies/html")).unwrap() {
        let file = file.unwrap().path();
        let raw = [
            b"From: a@example.org\r\nContent-Type: text/html; charset=utf-8\r\n\r\n".to_vec(),
            fs::read(&file).unwrap(),
        ]
        .concat();
        let mail = read(&raw);
        let kept = format!("{}\n{}", mail.text(), mail.signature());
        if collapsed(&kept) == "Hi. I am fine. Thanks, Alex" && collapsed(mail.quoted()).contains("How are you?") {
            right += 1;
        } else {
            wrong.push((file.display().to_string(), kept));
        }
    }
    println!("{right} of {} quoted replies are stripped as the files say; not so: {wrong:?}", right + wrong.len());
    assert!(right >= 21 && wrong.is_empty(), "{wrong:?}");
}
