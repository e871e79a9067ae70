//! Messages: a text, files, or both.

use chrono::TimeDelta;
use complaint_core::complaint::{Attachment, Entry, Event};
use complaint_core::deadline::ClockKind;
use complaint_core::id::AttachmentId;
use complaint_core::lifecycle::{Command, CommandName as C, FILE_SIZE_MAX, FILES_MAX, Input, Status, evolve};
use complaint_core::notice::{NoticeKind as K, Recipient, announce};
use complaint_core::text::TEXT_MAX;
use complaint_core::{Actor, Complaint};

use crate::house::{World, agent, agent_id, customer, decision, file, input, policy};

fn bringing(name: C, text: Option<&str>, files: Vec<Attachment>) -> Command {
    input(name, Input { text: text.map(str::to_owned), ..Input::default() }).carrying(files).unwrap()
}

fn naming(name: C, files: Vec<AttachmentId>) -> Command {
    input(name, Input { files, ..Input::default() })
}

fn asked(world: &mut World) -> Complaint {
    let begun = world.begun("sarah");
    world.text(&begun, &agent("sarah"), C::Ask)
}

fn runs(complaint: &Complaint, clock: ClockKind) -> bool {
    complaint.deadline(clock).is_some_and(|deadline| deadline.due_at.is_some())
}

fn told(world: &World, before: &Complaint, after: &Complaint, entries: &[Entry]) -> Vec<(Recipient, K)> {
    let notices = announce(Some(before), after, entries, &world.policy);
    notices.into_iter().map(|notice| (notice.recipient, notice.kind)).collect()
}

#[test]
fn files_alone_are_the_answer() {
    for name in [C::Answer, C::Post] {
        for by_id in [false, true] {
            let case = format!("{name}, {}", if by_id { "named" } else { "sent along" });
            let mut world = World::new(policy());
            let mut asked = asked(&mut world);
            assert!(!runs(&asked, ClockKind::Resolution) && runs(&asked, ClockKind::Silence));
            world.later(TimeDelta::hours(30));
            if by_id {
                asked = world.act(&asked, &customer("john"), &Command::attach(vec![file(1), file(2)]));
                assert_eq!(asked.status, Status::AwaitingCustomer, "{case}: to attach is not to answer");
                assert!(asked.question.is_some() && !runs(&asked, ClockKind::Resolution), "{case}");
            }
            let command = if by_id {
                naming(name, vec![file(1).id, file(2).id])
            } else {
                bringing(name, None, vec![file(1), file(2)])
            };
            let entries = world.decide(&asked, &customer("john"), &command, None).unwrap();
            let after = entries.iter().fold(asked.clone(), evolve);
            assert_eq!(after.status, Status::InProgress, "{case}");
            assert_eq!(after.question, None, "{case}");
            assert_eq!(after.unread_since, Some(world.now), "{case}");
            assert!(runs(&after, ClockKind::Resolution) && !runs(&after, ClockKind::Silence), "{case}");
            assert_eq!(after.attachments, [file(1), file(2)], "{case}: each file once, with its name");
            let [Entry { event: Event::Answered { attachments }, words, .. }] = &entries[..] else {
                panic!("{case}: {entries:?}")
            };
            assert_eq!(attachments.iter().map(|it| it.id).collect::<Vec<_>>(), [file(1).id, file(2).id], "{case}");
            assert!(attachments.iter().all(|it| it.file_name.is_empty()), "{case}: names are words");
            assert_eq!((words.get("text"), words.get("file.2")), (None, Some("photo-2.png")), "{case}");
            let handler = Recipient::Agent(asked.handler.clone().unwrap());
            assert_eq!(told(&world, &asked, &after, &entries), [(handler, K::Answer)], "{case}");
            let notices = announce(Some(&asked), &after, &entries, &world.policy);
            assert_eq!(notices[0].text.as_deref(), Some("Files: photo-1.png, photo-2.png"), "{case}");
        }
    }
}

/// A question outlives whoever asked it, and so does the answer to it.
#[test]
fn an_open_question_is_answered_wherever_the_complaint_is() {
    let mut world = World::new(policy());
    let asked = asked(&mut world);
    let to_ben = Input { agent: Some(agent_id("ben")), reason: Some("Because.".into()), ..Input::default() };
    let handed_on = world.act(&asked, &agent("mia"), &input(C::Reassign, to_ben));
    let queued = world.reason(&asked, &agent("mia"), C::Release);
    let given = world.given(&queued, "ben");
    let begun = world.plain(&given, &agent("ben"), C::Begin);
    let proposed = world.act(&begun, &agent("ben"), &decision(C::Propose, Vec::new()));
    let until = Some(world.now.date_naive() + TimeDelta::days(2));
    let pause = Input { party: Some("The courier".into()), until, ..Input::default() };
    let held = world.act(&begun, &agent("ben"), &input(C::Hold, pause));
    for (before, status) in [
        (&asked, Status::InProgress),
        (&handed_on, Status::InProgress),
        (&queued, Status::Queued),
        (&given, Status::Assigned),
        (&begun, Status::InProgress),
        (&proposed, Status::PendingApproval),
        (&held, Status::AwaitingThirdParty),
    ] {
        assert!(before.question.is_some(), "{status}");
        for (by, name) in [("john", C::Answer), ("john", C::Post), ("mia", C::Answer)] {
            let actor = if by == "john" { customer(by) } else { agent(by) };
            let case = format!("{} {name} by {by}", before.status);
            let answered = world.text(before, &actor, name);
            assert_eq!((answered.status, &answered.handler), (status, &before.handler), "{case}");
            assert_eq!((answered.question.as_ref(), answered.unread_since), (None, Some(world.now)), "{case}");
            assert!(!runs(&answered, ClockKind::Silence), "{case}: nothing is waited for any more");
            assert!(matches!(world.log.last().unwrap().event, Event::Answered { .. }), "{case}");
            let refused = world.decide(&answered, &actor, &Command::with_text(C::Answer, "Again."), None).unwrap_err();
            assert_eq!(refused.code(), "no_question_open", "{case}");
        }
    }
}

#[test]
fn a_message_may_show_old_and_new_files_and_a_text() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let attached = world.act(&begun, &customer("john"), &Command::attach(vec![file(1)]));
    let both = Input { text: Some("Both sides.\r\nOf it.".into()), files: vec![file(1).id], ..Input::default() };
    let command = input(C::Post, both).carrying(vec![file(2)]).unwrap();
    let entries = world.decide(&attached, &agent("sarah"), &command, None).unwrap();
    let after = entries.iter().fold(attached.clone(), evolve);
    assert_eq!(after.attachments, [file(1), file(2)]);
    assert_eq!(entries[0].event.attachments().len(), 2);
    assert_eq!(entries[0].words.get("text"), Some("Both sides.\nOf it."));
    let john = Recipient::Customer(after.customer.clone());
    assert_eq!(told(&world, &attached, &after, &entries), [(john, K::Message)]);
    let text = announce(Some(&attached), &after, &entries, &world.policy)[0].text.clone().unwrap();
    assert_eq!(text, "Both sides.\nOf it.\n\nFiles: photo-1.png, photo-2.png");
    assert!(after.first_response_at.is_some(), "a person wrote");
}

#[test]
fn a_message_without_text_and_files_is_refused_and_so_are_files_that_are_not_there() {
    let mut world = World::new(policy());
    let asked = asked(&mut world);
    let refused = |command: &Command| {
        let refusal = world.decide(&asked, &customer("john"), command, None).unwrap_err();
        let fault = |it: &complaint_core::lifecycle::FailedGuard| (it.code, it.field.clone().unwrap_or_default());
        refusal.failed.iter().map(fault).collect::<Vec<_>>()
    };
    let one = |code: &'static str, field: &str| vec![(code, field.to_owned())];
    for name in [C::Answer, C::Post] {
        assert_eq!(refused(&Command::plain(name)), one("missing", "text"));
        assert_eq!(refused(&Command::with_text(name, " \n")), one("missing", "text"));
        assert_eq!(refused(&naming(name, vec![file(1).id])), one("unknown_file", "files.0"));
        assert_eq!(refused(&naming(name, vec![file(1).id; FILES_MAX + 1])), one("too_many", "files"));
        let long = "x".repeat(TEXT_MAX + 1);
        assert_eq!(refused(&bringing(name, Some(&long), vec![file(1)])), one("too_long", "text"));
        let empty = Attachment { size: 0, ..file(1) };
        assert_eq!(refused(&bringing(name, Some("See."), vec![empty])), one("empty_file", "files.0"));
        let eleven = (0..=FILES_MAX as u128).map(file).collect();
        assert_eq!(refused(&bringing(name, None, eleven)), one("too_many", "files"));
    }
    let attached = world.act(&asked, &customer("john"), &Command::attach(vec![file(1)]));
    let twice = world.decide(&attached, &customer("john"), &naming(C::Answer, vec![file(1).id; 2]), None).unwrap_err();
    assert_eq!(twice.code(), "duplicate");
    let large = Attachment { size: FILE_SIZE_MAX + 1, ..file(1) };
    let refusal = world.decide(&asked, &customer("john"), &bringing(C::Post, None, vec![large]), None).unwrap_err();
    assert_eq!((refusal.failed[0].code, refusal.failed[0].message.as_str()), ("too_large", "is larger than 10 MB"));
    let largest = Attachment { size: FILE_SIZE_MAX, ..file(1) };
    assert!(world.decide(&asked, &customer("john"), &bringing(C::Post, None, vec![largest]), None).is_ok());
    assert!(Command::plain(C::Note).carrying(vec![file(1)]).is_err(), "a note takes no files");
}

#[test]
fn with_ten_files_a_text_can_still_be_written_and_the_ten_be_shown() {
    let mut world = World::new(policy());
    let asked = asked(&mut world);
    let ten: Vec<Attachment> = (0..FILES_MAX as u128).map(file).collect();
    let full = world.act(&asked, &customer("john"), &Command::attach(ten.clone()));
    assert!(world.decide(&full, &customer("john"), &Command::with_text(C::Post, "That is all."), None).is_ok());
    let shown = naming(C::Answer, ten.iter().map(|file| file.id).collect());
    assert_eq!(world.act(&full, &customer("john"), &shown).attachments, ten);
    let one_more = bringing(C::Answer, None, vec![file(99)]);
    assert_eq!(world.decide(&full, &customer("john"), &one_more, None).unwrap_err().code(), "too_many");
}

#[test]
fn neither_side_uses_up_the_files_of_the_other() {
    let mut world = World::new(policy());
    let asked = asked(&mut world);
    let ten = |from: u128| Command::attach((from..from + FILES_MAX as u128).map(file).collect());
    let refused = |world: &World, at: &Complaint, who: &Actor| {
        world.decide(at, who, &Command::attach(vec![file(99)]), None).unwrap_err().failed.remove(0).message
    };
    let full = world.act(&asked, &customer("john"), &ten(0));
    assert_eq!(full.files_by_customer as usize, FILES_MAX);
    let said = refused(&world, &full, &customer("john"));
    assert!(said.contains("10") && said.contains("you sent"), "{said}");
    // Shown again by staff, a file is still the customer's.
    let shown = world.act(&full, &agent("sarah"), &naming(C::Post, vec![file(0).id]));
    assert_eq!(shown.files_by_customer as usize, FILES_MAX);
    let both = world.act(&shown, &agent("sarah"), &ten(50));
    assert_eq!(both.attachments.len(), 2 * FILES_MAX);
    let said = refused(&world, &both, &agent("sarah"));
    assert!(said.contains("10") && said.contains("staff sent"), "{said}");
}

/// Fills the log up to what the policy allows and not an entry further.
fn full(world: &mut World, mut complaint: Complaint) -> Complaint {
    world.policy.log_entries_per_complaint = complaint.entries + 7;
    let note = Command::with_text(C::Note, "And another thing.");
    while world.decide(&complaint, &agent("mia"), &note, None).is_ok() {
        complaint = world.act(&complaint, &agent("mia"), &note);
    }
    assert_eq!(complaint.entries, world.policy.log_entries_per_complaint);
    complaint
}

#[test]
fn a_full_log_takes_no_more_talk_and_says_what_would_help() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let begun = full(&mut world, begun);
    let today = world.now.date_naive();
    let hold = Input { party: Some("The courier".into()), until: Some(today), ..Input::default() };
    let weigh = Input { weight: Some(2), ..Input::default() };
    let (sarah, john) = (agent("sarah"), customer("john"));
    for (actor, command, helps) in [
        (&sarah, Command::with_text(C::Note, "Hm."), "decide it"),
        (&sarah, Command::with_text(C::Ask, "Why?"), "decide it"),
        (&sarah, Command::with_text(C::Post, "Hello."), "decide it"),
        (&sarah, input(C::Hold, hold), "decide it"),
        (&sarah, input(C::Triage, weigh), "decide it"),
        (&sarah, Command::attach(vec![file(1)]), "decide it"),
        (&john, Command::attach(vec![file(1)]), "wait for the decision"),
        (&john, Command::with_text(C::Post, "Hello?"), "wait for the decision"),
        (&john, bringing(C::Post, None, vec![file(1)]), "wait for the decision"),
    ] {
        let refusal = world.decide(&begun, actor, &command, None).unwrap_err();
        assert_eq!((refusal.code(), refusal.failed.len()), ("log_full", 1), "{refusal}");
        let limit = world.policy.log_entries_per_complaint.to_string();
        assert!(refusal.failed[0].message.contains(&limit), "{refusal}");
        assert!(
            refusal.failed[0].remedy.contains(helps) && refusal.failed[0].remedy.contains("follow-up"),
            "{refusal}"
        );
        let context = complaint_core::lifecycle::Context::new(&world.policy, world.now);
        let offered = begun.available_commands(actor, &context);
        let offered = offered.iter().find(|it| it.command == command.name()).unwrap();
        assert!(!offered.allowed && offered.failed[0].code == "log_full", "{:?}", command.name());
    }
}

#[test]
fn a_full_log_never_stands_between_a_complaint_and_its_end() {
    let (sarah, john, mia) = (agent("sarah"), customer("john"), agent("mia"));
    for post in [C::Answer, C::Post] {
        let mut world = World::new(policy());
        let complaint = asked(&mut world);
        let complaint = full(&mut world, complaint);
        let by_staff = world.decide(&complaint, &sarah, &Command::with_text(C::Post, "Hello?"), None).unwrap_err();
        assert_eq!(by_staff.code(), "log_full");
        let complaint = world.act(&complaint, &john, &bringing(post, None, vec![file(1)]));
        assert_eq!(complaint.status, Status::InProgress, "the customer's {post}");
        let complaint = world.act(&complaint, &sarah, &decision(C::Propose, Vec::new()));
        let back = input(C::SendBack, Input { comment: Some("More.".into()), ..Input::default() });
        let complaint = world.act(&complaint, &mia, &back);
        let complaint = world.reason(&complaint, &sarah, C::Escalate);
        let complaint = world.given(&complaint, "maria");
        let complaint = world.plain(&complaint, &agent("maria"), C::Begin);
        let complaint = world.resolved(&complaint, Vec::new());
        let complaint = world.plain(&complaint, &john, C::Accept);
        assert_eq!(complaint.status, Status::Closed);
        let rate = |score| input(C::Rate, Input { score: Some(score), ..Input::default() });
        let complaint = world.act(&complaint, &john, &rate(2));
        let again = world.decide(&complaint, &john, &rate(5), None).unwrap_err();
        assert_eq!(again.code(), "log_full", "a rating can be given, not changed without end");
        let contested = world.reason(&complaint, &john, C::Contest);
        assert_eq!(contested.status, Status::Queued);
    }
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let begun = full(&mut world, begun);
    let withdrawn = world.plain(&begun, &john, C::Withdraw);
    let gone = world.decide(&withdrawn, &john, &Command::plain(C::Reinstate), None).unwrap_err();
    assert_eq!(
        (gone.code(), gone.failed[0].remedy.contains("wait")),
        ("log_full", false),
        "nothing is pending: {gone:?}"
    );
    assert!(world.decide(&withdrawn, &john, &Command::plain(C::FollowUp), None).is_ok());
    // Time goes on as ever.
    world.later(TimeDelta::days(400));
    assert!(world.tick(begun).escalations.len() == 1);
}
