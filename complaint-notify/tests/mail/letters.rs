//! The words of every kind, and the headers around them.

use complaint_core::Notifier;
use complaint_core::deadline::ClockKind;
use complaint_core::notice::{Notice, NoticeKind, Recipient};
use mail_parser::{HeaderValue, Message, MessageParser};

use crate::{Host, Tray, customer, notice, notifier, sarah};

/// Every kind with whom it goes to. The count in the first test proves that none is missing.
fn samples() -> Vec<Notice> {
    use NoticeKind as K;
    let to_customer = [
        K::Received,
        K::Acknowledged,
        K::Revised,
        K::AssignedCustomer,
        K::BackInQueue,
        K::Question,
        K::Message,
        K::EscalatedCustomer,
        K::OnHold,
        K::Decision,
        K::FinalDecision,
        K::RecordedForCustomer,
        K::RemedyDeclinedCustomer,
        K::RemedyFulfilled,
        K::RemedyFailedCustomer,
        K::ContestedCustomer,
        K::Reopened,
        K::Closed,
        K::WithdrawnCustomer,
        K::Reinstated,
        K::Dismissed,
        K::Merged,
        K::MergedByConsent,
        K::EndedElsewhere,
        K::Unmerged,
        K::Referred,
        K::ReferralReturned,
    ];
    let to_staff = [
        K::AssignedHandler,
        K::TakenAway,
        K::Unroutable,
        K::Answer,
        K::Message,
        K::EscalatedHandler,
        K::ApprovalWanted,
        K::Approved,
        K::SentBack,
        K::AcceptedHandler,
        K::RemedyAcceptedHandler,
        K::RemedyDeclinedHandler,
        K::RemedyFailedHandler,
        K::ContestedHandler,
        K::WithdrawnHandler,
    ];
    let clocks = ClockKind::ALL.into_iter().flat_map(|clock| [K::Warning(clock), K::Missed(clock)]);
    let mut all: Vec<Notice> = to_customer.into_iter().map(|kind| notice(kind, customer())).collect();
    all.extend(to_staff.into_iter().map(|kind| notice(kind, sarah())));
    for kind in clocks {
        all.push(notice(kind, customer()));
        all.push(notice(kind, sarah()));
    }
    all
}

/// A name for a kind; a kind added to the core does not compile here until it has one.
fn kind_name(kind: NoticeKind) -> String {
    use NoticeKind as K;
    match kind {
        K::Received
        | K::Acknowledged
        | K::Revised
        | K::AssignedCustomer
        | K::BackInQueue
        | K::AssignedHandler
        | K::TakenAway
        | K::Unroutable
        | K::Question
        | K::Answer
        | K::Message
        | K::EscalatedCustomer
        | K::EscalatedHandler
        | K::OnHold
        | K::ApprovalWanted
        | K::Approved
        | K::SentBack
        | K::Decision
        | K::FinalDecision
        | K::RecordedForCustomer
        | K::AcceptedHandler
        | K::RemedyAcceptedHandler
        | K::RemedyDeclinedCustomer
        | K::RemedyDeclinedHandler
        | K::RemedyFulfilled
        | K::RemedyFailedCustomer
        | K::RemedyFailedHandler
        | K::ContestedCustomer
        | K::ContestedHandler
        | K::Reopened
        | K::Closed
        | K::WithdrawnCustomer
        | K::WithdrawnHandler
        | K::Reinstated
        | K::Dismissed
        | K::Merged
        | K::MergedByConsent
        | K::EndedElsewhere
        | K::Unmerged
        | K::Referred
        | K::ReferralReturned
        | K::Happened => {
            format!("{kind:?}")
        }
        K::Warning(clock) => format!("Warning_{clock:?}"),
        K::Missed(clock) => format!("Missed_{clock:?}"),
    }
}

fn audience(notice: &Notice) -> &'static str {
    if matches!(notice.recipient, Recipient::Customer(_)) { "customer" } else { "staff" }
}

fn header<'a>(message: &'a Message<'_>, name: &'static str) -> &'a str {
    match message.header(name) {
        Some(HeaderValue::Text(text)) => text,
        Some(HeaderValue::TextList(list)) if list.len() == 1 => &list[0],
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn every_kind_has_its_letter() {
    let tray = Tray::default();
    let notifier = notifier(&tray, Host::usual());
    let mut kinds = std::collections::BTreeSet::new();
    for sample in samples() {
        kinds.insert(kind_name(sample.kind));
        notifier.deliver(&sample).await.unwrap();
        let mails = tray.taken();
        assert_eq!(mails.len(), 1);
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        let text = message.body_text(0).unwrap().replace("\r\n", "\n");
        let html = message.body_html(0).unwrap().replace("\r\n", "\n");
        let name = format!("{}_{}", kind_name(sample.kind), audience(&sample));
        let subject = message.subject().unwrap();
        insta::assert_snapshot!(name, format!("Subject: {subject}\n\n{text}\n\n{html}"));
    }
    assert_eq!(kinds.len(), 41 + 2 * ClockKind::ALL.len());
}

#[tokio::test]
async fn every_letter_reads_well_with_nothing_to_say() {
    let tray = Tray::default();
    let notifier = notifier(
        &tray,
        Host { customer: vec![complaint_notify::Addressee::at("john@example.org")], ..Host::default() },
    );
    for mut sample in samples() {
        (sample.text, sample.due_at, sample.handler, sample.next_at) = (None, None, None, None);
        sample.deniable_until = None;
        sample.owed = false;
        notifier.deliver(&sample).await.unwrap();
        let mails = tray.taken();
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        let text = message.body_text(0).unwrap().replace("\r\n", "\n");
        let kind = kind_name(sample.kind);
        let greeted = if audience(&sample) == "customer" { "Hello,\n\n" } else { "Dear Sarah Lee,\n\n" };
        assert!(text.starts_with(greeted), "{kind}: {text}");
        for trace in ["None", "Some(", "\n> ", "  ", " .", " ,", "\u{1}", "\u{2}", "\n\n\n"] {
            assert!(!text.replace("-- \n", "").contains(trace), "{kind} contains {trace:?}:\n{text}");
        }
        assert!(!message.body_html(0).unwrap().contains("<blockquote"), "{kind}");
    }
}

#[tokio::test]
async fn headers_tell_who_when_and_what() {
    let tray = Tray::default();
    let notifier = notifier(&tray, Host::usual());
    let received = notice(NoticeKind::Received, customer());
    let mut decision = notice(NoticeKind::Decision, customer());
    decision.id = complaint_core::id::NoticeId::from_uuid(uuid::Uuid::from_u128(2));
    notifier.deliver(&received).await.unwrap();
    notifier.deliver(&decision).await.unwrap();
    let mails = tray.taken();
    let [first, second] = [0, 1].map(|at: usize| MessageParser::default().parse(mails[at].bytes()).unwrap());

    let reference = received.reference.to_string();
    assert_eq!(
        first.subject(),
        Some(format!("[{reference}] We have received your complaint: Toaster <smokes> & trips the fuse").as_str())
    );
    assert_eq!(first.message_id(), Some(format!("{}@example.com", received.id).as_str()));
    assert_eq!(second.message_id(), Some(format!("{}@example.com", decision.id).as_str()));
    assert_eq!(first.date().unwrap().to_rfc3339(), "2026-11-21T09:30:05Z");
    assert_eq!(header(&first, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&first, "X-Complaint-Reference"), reference);
    let language = first.headers().iter().find(|h| h.name().eq_ignore_ascii_case("Content-Language")).unwrap();
    assert_eq!(language.value().as_text_list().unwrap(), ["en"]);
    let from = first.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Example Ltd"), Some("complaints@example.com")));
    let to = first.to().unwrap().first().unwrap();
    assert_eq!((to.name(), to.address()), (Some("John Smith"), Some("john@example.org")));
    assert!(first.cc().is_none() && first.bcc().is_none());

    // One conversation.
    let root = format!("complaint.{}@example.com", received.complaint);
    for message in [&first, &second] {
        assert_eq!(header(message, "References"), root);
        assert_eq!(header(message, "In-Reply-To"), root);
    }
    assert_eq!((first.text_body_count(), first.html_body_count()), (1, 1));
    assert!(first.header("Content-Type").unwrap().as_content_type().unwrap().subtype() == Some("alternative"));
}

#[tokio::test]
async fn the_decision_says_what_why_and_until_when() {
    let tray = Tray::default();
    let decision = notice(NoticeKind::Decision, customer());
    notifier(&tray, Host::usual()).deliver(&decision).await.unwrap();
    let mails = tray.taken();
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    let text = message.body_text(0).unwrap();
    let link = format!("https://help.example.com/complaints/{}", decision.reference);
    for needed in ["Dear John Smith,", "> First line <b>bold</b> & more.", "Monday 23 November 2026, 17:00 UTC", &link]
    {
        assert!(text.contains(needed), "{needed} is missing in {text}");
    }
    let html = message.body_html(0).unwrap();
    assert!(html.contains("First line &#60;b&#62;bold&#60;/b&#62; &#38; more."), "{html}");
    assert!(html.contains("Toaster &#60;smokes&#62; &#38; trips the fuse"), "{html}");
    assert!(!html.contains("<b>bold"));
    assert!(html.contains(&format!("href=\"{link}\"")));
}

#[tokio::test]
async fn the_letter_about_rights_says_what_is_true_of_the_work() {
    use complaint_core::lifecycle::Status;
    let letter = async |status| {
        let tray = Tray::default();
        let missed = Notice { status, ..notice(NoticeKind::Missed(ClockKind::Statutory), customer()) };
        notifier(&tray, Host::usual()).deliver(&missed).await.unwrap();
        let mails = tray.taken();
        MessageParser::default().parse(mails[0].bytes()).unwrap().body_text(0).unwrap().into_owned()
    };
    for status in Status::OPEN {
        let text = letter(status).await;
        let works = matches!(status, Status::InProgress | Status::PendingApproval);
        assert_eq!(text.contains("We keep working on your complaint"), works, "{status}: {text}");
        assert_eq!(
            text.contains("we need your answer to our question"),
            status == Status::AwaitingCustomer,
            "{status}"
        );
        assert!(text.contains("still owe you a final answer"), "{status}: {text}");
        assert_eq!(text.contains("Nobody is working on it right now"), status == Status::Queued, "{status}: {text}");
        assert_eq!(text.contains("Sarah Lee has it and is to begin"), status == Status::Assigned, "{status}: {text}");
        assert!(text.contains("You hear from us by Thursday 24 December 2026"), "{status}: {text}");
    }
    let joined = letter(Status::Merged).await;
    assert!(
        joined.contains("goes on together with another complaint") && !joined.contains("We keep working"),
        "{joined}"
    );
}

async fn text_of(notice: &Notice) -> String {
    let tray = Tray::default();
    notifier(&tray, Host::usual()).deliver(notice).await.unwrap();
    let mails = tray.taken();
    MessageParser::default().parse(mails[0].bytes()).unwrap().body_text(0).unwrap().replace("\r\n", "\n")
}

#[tokio::test]
async fn a_decision_that_promises_says_what_contesting_costs_and_one_that_does_not_is_silent() {
    for kind in [NoticeKind::Decision, NoticeKind::FinalDecision] {
        for owed in [true, false] {
            let text = text_of(&Notice { owed, ..notice(kind, customer()) }).await;
            for said in ["What this decision promised you falls with it", "what we promised you", "please accept"] {
                assert_eq!(text.contains(said), owed, "{kind:?}, {said}: {text}");
            }
            assert!(text.contains("“Contest the decision”"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_letter_asks_for_no_second_rating_and_thanks_for_nothing_that_is_still_owed() {
    for rated in [true, false] {
        let mail = text_of(&Notice { rated, ..notice(NoticeKind::Closed, customer()) }).await;
        for said in ["How did we do?", "Rate how we handled it"] {
            assert_eq!(mail.contains(said), !rated, "{said}: {mail}");
        }
    }
    for owed in [true, false] {
        let mail = text_of(&Notice { owed, due_at: None, ..notice(NoticeKind::AcceptedHandler, sarah()) }).await;
        assert_eq!(mail.contains("still to be delivered; please record"), owed, "{mail}");
        assert_eq!(mail.contains("Thank you for settling it"), !owed, "{mail}");
    }
}

#[tokio::test]
async fn a_day_that_somebody_named_is_written_as_that_day() {
    // The end of that day in New York; whoever reads it elsewhere reads of the same day.
    let (due_at, due_on) = (Some(crate::instant("2027-03-26T04:00:00Z")), "2027-03-25".parse().ok());
    for kind in [
        NoticeKind::OnHold,
        NoticeKind::AcceptedHandler,
        NoticeKind::Warning(ClockKind::Remedy),
        NoticeKind::Missed(ClockKind::Remedy),
    ] {
        let to = if kind == NoticeKind::OnHold { customer() } else { sarah() };
        let text = text_of(&Notice { due_at, due_on, ..notice(kind, to) }).await;
        assert!(text.contains("by Thursday 25 March 2027") && !text.contains("00:00"), "{kind:?}: {text}");
    }
}

/// Whoever is above can take it up, an admin can staff the level; at the last level neither is so.
#[tokio::test]
async fn that_nobody_can_take_it_asks_each_for_what_they_can_do() {
    use complaint_core::id::Level;
    let level = |number| Recipient::Level {
        level: Level::new(number).unwrap(),
        down_to: Level::FIRST,
        except: std::collections::BTreeSet::new(),
    };
    let cases = [(level(3), true, true), (level(2), false, true), (Recipient::Admins, false, false)];
    for (to, escalate, correct) in cases {
        let text = text_of(&notice(NoticeKind::Unroutable, to.clone())).await;
        assert_eq!(text.contains("escalate it"), escalate, "{to:?}: {text}");
        assert_eq!(text.contains("correct what it asks for"), correct, "{to:?}: {text}");
    }
}

#[tokio::test]
async fn the_final_decision_names_until_when_new_evidence_is_heard() {
    let tray = Tray::default();
    notifier(&tray, Host::usual()).deliver(&notice(NoticeKind::FinalDecision, customer())).await.unwrap();
    let mails = tray.taken();
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    let text = message.body_text(0).unwrap();
    for needed in [
        "decided finally",
        "evidence that nobody has seen yet can you contest it, until Monday 23 November 2026, 17:00 UTC",
    ] {
        assert!(text.contains(needed), "{needed} is missing in {text}");
    }
}

#[tokio::test]
async fn dates_are_written_in_the_zone_of_the_reader() {
    let tray = Tray::default();
    let mut host = Host::usual();
    host.customer[0].zone = Some("Asia/Kolkata".to_owned());
    notifier(&tray, host).deliver(&notice(NoticeKind::Question, customer())).await.unwrap();
    let mails = tray.taken();
    let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
    assert!(message.body_text(0).unwrap().contains("Monday 23 November 2026, 22:30 IST"));
}

/// Whoever decided below the level where it is now gets no further than the letter.
#[tokio::test]
async fn a_note_is_offered_to_those_alone_who_can_leave_one() {
    for out_of_sight in [true, false] {
        let text = text_of(&Notice { out_of_sight, ..notice(NoticeKind::ContestedHandler, sarah()) }).await;
        assert_eq!(text.contains("can be left as a note"), !out_of_sight, "{text}");
    }
}

#[tokio::test]
async fn what_staff_recorded_names_who_did_and_until_when_to_object() {
    let text = text_of(&notice(NoticeKind::RecordedForCustomer, customer())).await;
    for needed in
        ["Sarah Lee, who works for us, has recorded this in your name", "by Monday 23 November 2026, 17:00 UTC"]
    {
        assert!(text.contains(needed), "{needed} is missing in {text}");
    }
}

/// In one change with the letter that says who has it.
#[tokio::test]
async fn a_letter_looks_for_somebody_only_while_nobody_has_it() {
    use NoticeKind as K;
    use complaint_core::lifecycle::Status;
    let kinds = [
        K::Received,
        K::Acknowledged,
        K::EscalatedCustomer,
        K::ContestedCustomer,
        K::Reopened,
        K::Reinstated,
        K::ReferralReturned,
    ];
    for kind in kinds {
        for (status, handler) in [(Status::Queued, None), (Status::Assigned, notice(kind, sarah()).handler)] {
            let queued = handler.is_none();
            let letter = Notice { status, handler, due_at: None, ..notice(kind, customer()) };
            let text = text_of(&letter).await;
            let looks = ["look for", "looking for", "as soon as somebody has it"].iter().any(|it| text.contains(it));
            assert_eq!(looks, queued, "{kind:?}: {text}");
            assert_eq!(text.contains("Sarah Lee has it now."), !queued, "{kind:?}: {text}");
        }
    }
}

/// Where nobody can keep a date none is given, and no page is named for one either.
#[tokio::test]
async fn a_letter_without_a_date_sends_nobody_to_look_for_one() {
    let status = complaint_core::lifecycle::Status::Queued;
    for sample in samples().into_iter().filter(|it| audience(it) == "customer") {
        let letter = Notice { due_at: None, due_on: None, next_at: None, deniable_until: None, status, ..sample };
        let text = text_of(&letter).await;
        let kind = letter.kind;
        for said in ["hear from us by", "You hear from us", "dates that apply", "The next you hear"] {
            assert!(!text.contains(said), "{kind:?}: {text}");
        }
    }
}

#[tokio::test]
async fn what_goes_to_admins_gives_the_reference_once_in_its_subject_and_once_in_its_first_sentence() {
    for staff in samples().into_iter().filter(|sample| audience(sample) == "staff") {
        let kind = staff.kind;
        let tray = Tray::default();
        let subject = notice(kind, sarah()).reference.to_string();
        let letter = Notice { subject: subject.clone(), text: None, ..notice(kind, Recipient::Admins) };
        notifier(&tray, Host::usual()).deliver(&letter).await.unwrap();
        let mails = tray.taken();
        let message = MessageParser::default().parse(mails[0].bytes()).unwrap();
        assert_eq!(message.subject().unwrap().matches(&subject).count(), 1, "{kind:?}: {:?}", message.subject());
        let text = message.body_text(0).unwrap();
        // Beside it the last line and, where there is one, the link.
        let linked = usize::from(text.contains("/complaints/"));
        assert_eq!(text.matches(&subject).count(), 2 + linked, "{kind:?}: {text}");
        assert!(!text.contains('“'), "{kind:?}: {text}");
    }
}

#[tokio::test]
async fn the_closing_letter_says_until_when_to_tell_that_nothing_arrived() {
    for until in [Some(crate::instant("2026-12-21T17:00:00Z")), None] {
        let text = text_of(&Notice { deniable_until: until, ..notice(NoticeKind::Closed, customer()) }).await;
        let said = "please tell us until Monday 21 December 2026, 17:00 UTC: choose “I did not receive it”";
        assert_eq!(text.contains(said), until.is_some(), "{text}");
    }
}

#[tokio::test]
async fn a_new_handler_reads_who_had_proposed_what_fell() {
    for handler in [notice(NoticeKind::AssignedHandler, sarah()).handler, None] {
        let proposed = handler.is_some();
        let text = text_of(&Notice { handler, ..notice(NoticeKind::AssignedHandler, sarah()) }).await;
        assert_eq!(text.contains("Sarah Lee had proposed the decision that fell."), proposed, "{text}");
    }
}
