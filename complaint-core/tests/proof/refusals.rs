//! What whoever is refused reads: the reason, the way on, and what kind of thing is wrong.

use chrono::TimeDelta;
use complaint_core::complaint::{Remedy, RemedyKind};
use complaint_core::deadline::{ClockKind as K, due_commands};
use complaint_core::lifecycle::{
    Command, CommandName as C, Context, FailedGuard, Field, Input, REMEDIES_MAX, RefusalCategory, Status,
};
use complaint_core::text::TEXT_MAX;
use complaint_core::{Actor, Complaint};

use crate::house::{World, agent, agent_id, customer, decision, input, policy, replacement, submission};

fn refused(world: &World, complaint: &Complaint, actor: &Actor, command: &Command) -> Vec<FailedGuard> {
    world.decide(complaint, actor, command, None).err().map(|refusal| refusal.failed).unwrap_or_default()
}

fn codes(failed: &[FailedGuard]) -> Vec<&'static str> {
    failed.iter().map(|it| it.code).collect()
}

#[test]
fn whoever_may_not_is_told_who_may() {
    let mut world = World::new(policy());
    let assigned = world.assigned("sarah");
    let remedy = |name, who: &str| refused(&world, &assigned, &agent(who), &Command::plain(name))[0].remedy.clone();
    assert_eq!(remedy(C::Begin, "ben"), "the handler must do it");
    assert_eq!(remedy(C::Approve, "ben"), "one of them must do it");
    assert_eq!(remedy(C::Warn, "ben"), "it happens by itself when it is time");
    for name in [C::Escalate, C::Post, C::Attach, C::Read, C::SendBack] {
        assert_eq!(remedy(name, "ben"), "one of them must do it", "{name}: not the handler alone");
    }
    for actor in [agent("sarah"), agent("mia"), customer("john")] {
        assert_eq!(refused(&world, &assigned, &actor, &Command::with_text(C::Post, "Tomorrow.")), []);
    }
}

fn because(name: C) -> Command {
    Command::with_reason(name, "Because.")
}

fn hand_back() -> Command {
    input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() })
}

fn send_back() -> Command {
    input(C::SendBack, Input { comment: Some("Offer less.".into()), ..Input::default() })
}

/// What somebody is told to do instead, and that those who are meant may do it.
fn advised(world: &World, complaint: &Complaint, who: &Actor, command: &Command, way: &str, then: &[(Actor, Command)]) {
    let told = refused(world, complaint, who, command);
    assert_eq!(told.iter().map(|it| it.remedy.as_str()).collect::<Vec<_>>(), [way], "{told:?}");
    for (actor, command) in then {
        assert_eq!(refused(world, complaint, actor, command), [], "{way}: {}", command.name());
    }
}

#[test]
fn what_cannot_be_handed_back_can_go_the_ways_that_are_named() {
    let mut world = World::new(policy());
    let (sarah, mia, omar) = (agent("sarah"), agent("mia"), agent("omar"));
    let begun = world.begun("sarah");
    let to_ben = Input { agent: Some(agent_id("ben")), reason: Some("Because.".into()), ..Input::default() };
    let ways = [
        (sarah.clone(), decision(C::Resolve, Vec::new())),
        (sarah.clone(), because(C::Escalate)),
        (mia.clone(), because(C::Release)),
        (mia, input(C::Reassign, to_ben)),
    ];
    let way = "decide it here, escalate it, or ask a supervisor to release or reassign it";
    advised(&world, &begun, &sarah, &hand_back(), way, &ways);
    assert_eq!(codes(&refused(&world, &begun, &sarah, &because(C::Release))), ["not_permitted"]);

    let below = world.begun_at(2);
    let resolved = world.resolved(&below, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    let given = world.given(&contested, "omar");
    let last = world.plain(&given, &omar, C::Begin);
    let ways = [(omar.clone(), decision(C::Resolve, Vec::new()))];
    advised(&world, &last, &omar, &hand_back(), "decide it here", &ways);
    assert_eq!(codes(&refused(&world, &last, &omar, &because(C::Escalate))), ["last_level"]);
}

#[test]
fn what_is_over_somebody_s_authority_can_go_the_ways_that_are_named() {
    let of = |name, money: &str| decision(name, vec![Remedy::refund(money).unwrap()]);
    let (sarah, mia, omar, ora) = (agent("sarah"), agent("mia"), agent("omar"), agent("ora"));
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let much = of(C::Resolve, "5000.00 EUR");
    let ways = [(sarah.clone(), of(C::Propose, "5000.00 EUR")), (sarah.clone(), because(C::Escalate))];
    advised(&world, &begun, &sarah, &much, "propose the resolution to a second person, or escalate", &ways);
    let proposed = world.act(&begun, &sarah, &of(C::Propose, "5000.00 EUR"));
    let ways = [(ora.clone(), Command::plain(C::Approve)), (mia.clone(), send_back())];
    let way = "somebody with more authority must approve it, or send it back";
    advised(&world, &proposed, &mia, &Command::plain(C::Approve), way, &ways);

    let mut world = World::new(policy());
    world.policy.levels[2].authority = Some(vec!["10000.00 EUR".parse().unwrap()]);
    let begun = world.begun_at(3);
    let more = of(C::Resolve, "10000.01 EUR");
    let ways = [(omar.clone(), of(C::Resolve, "10000.00 EUR"))];
    let way = "offer what is within the limits of the policy, or have them raised";
    advised(&world, &begun, &omar, &more, way, &ways);
    assert_eq!(codes(&refused(&world, &begun, &omar, &because(C::Escalate))), ["last_level"]);
    let proposed = world.act(&begun, &omar, &of(C::Propose, "10000.01 EUR"));
    let approve = Command::plain(C::Approve);
    let way = "send it back, to be proposed within the limits of the policy, or have them raised";
    advised(&world, &proposed, &ora, &approve, way, &[(ora.clone(), send_back())]);
    world.policy.levels[2].authority = None;
    assert_eq!(refused(&world, &begun, &omar, &more), [], "raised");
    assert_eq!(refused(&world, &proposed, &ora, &approve), [], "raised");
}

/// Each thing that it waits for is named, and keeps it from being closed; without any it can be.
#[test]
fn what_was_accepted_says_what_it_waits_for() {
    let mut world = World::new(policy());
    let (john, sarah, mia) = (customer("john"), agent("sarah"), agent("mia"));
    let begun = world.begun("sarah");
    let close = [(mia.clone(), Command::plain(C::Close))];
    let again = because(C::Accept);
    let (delivered, read, silent) = (
        "the outstanding remedies are delivered or declined",
        "the customer's message is read",
        "the customer's time to object to what staff recorded is over",
    );
    let once = |until: &str| format!("it can be closed once {until}");

    let resolved = world.resolved(&begun, Vec::new());
    let noted = world.reason(&resolved, &sarah, C::Accept);
    advised(&world, &noted, &sarah, &again, &once(silent), &[]);
    assert_eq!(codes(&refused(&world, &noted, &mia, &close[0].1)), ["can_be_contradicted"]);
    let mut later = world.clone();
    later.now = noted.deadline(K::AutoClose).unwrap().due_at.unwrap();
    advised(&later, &noted, &sarah, &again, "nothing more is needed", &close);

    let written = world.text(&resolved, &john, C::Post);
    let unread = world.plain(&written, &john, C::Accept);
    advised(&world, &unread, &sarah, &again, &once(read), &[]);
    advised(&world, &unread, &john, &Command::plain(C::Accept), "nothing more is needed", &[]);
    assert_eq!(codes(&refused(&world, &unread, &mia, &close[0].1)), ["unread_message"]);
    let seen = world.plain(&unread, &sarah, C::Read);
    advised(&world, &seen, &sarah, &again, "nothing more is needed", &close);

    let resolved = world.resolved(&begun, replacement());
    let owing = world.plain(&resolved, &john, C::Accept);
    advised(&world, &owing, &sarah, &again, &once(delivered), &[]);
    advised(&world, &owing, &john, &Command::plain(C::Accept), "wait for the outstanding remedies", &[]);
    let parcel = input(C::FulfilRemedy, Input { evidence: Some("Parcel 17".into()), ..Input::default() });
    assert_eq!(world.act(&owing, &sarah, &parcel).status, Status::Closed);

    let noted = world.reason(&resolved, &sarah, C::Accept);
    let all = world.text(&noted, &john, C::Post);
    advised(&world, &all, &sarah, &again, &once(&[delivered, read, silent].join(", and ")), &[]);
}

#[test]
fn an_agent_out_of_whose_sight_it_is_is_told_so() {
    let mut world = World::new(policy());
    let assigned = world.assigned("sarah");
    let note = Command::with_text(C::Note, "Third lid this week.");
    let told = refused(&world, &assigned, &agent("ben"), &note);
    assert_eq!((codes(&told), told[0].category()), (vec!["out_of_sight"], RefusalCategory::Forbidden));
    assert_eq!(told[0].message, "the complaint is not yours to see, as its handler or by your level");
    assert_eq!(told[0].remedy, "somebody who may see it must do it: agents");
    for who in ["sarah", "mia", "ora"] {
        assert_eq!(refused(&world, &assigned, &agent(who), &note), [], "{who} sees it");
    }
    let offers = assigned.available_commands(&agent("ben"), &Context::new(&world.policy, world.now));
    assert!(offers.iter().all(|offer| offer.command != C::Note), "nor is it offered");

    let above = world.begun_at(3);
    let post = Command::with_text(C::Post, "Tomorrow.");
    let told = |who: &str, command: &Command| codes(&refused(&world, &above, &agent(who), command));
    assert_eq!((told("mia", &post), told("mia", &because(C::Release))), (vec!["out_of_sight"], vec!["out_of_sight"]));
    assert_eq!(told("ben", &post), ["not_the_handler"], "not for the likes of them wherever it is");
    assert_eq!(told("ben", &because(C::Release)), ["not_permitted"]);
    assert_eq!((told("ora", &post), told("ora", &because(C::Release))), (vec![], vec![]));
}

/// Who may not act may still leave a note, where they see it.
#[test]
fn whoever_is_excluded_is_told_of_notes_only_where_they_can_leave_one() {
    let mut world = World::new(policy());
    let note = Command::with_text(C::Note, "They were told in May.");
    let evidence = Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
    for (at, who, way, can) in [
        (1, "sarah", "somebody else must act", vec!["out_of_sight"]),
        (3, "omar", "somebody else must act; what you know can be left as a note", vec![]),
    ] {
        let begun = world.begun_at(at);
        let resolved = world.resolved(&begun, Vec::new());
        let contested = world.act(&resolved, &customer("john"), &input(C::Contest, evidence.clone()));
        advised(&world, &contested, &agent(who), &because(C::Escalate), way, &[]);
        assert_eq!(codes(&refused(&world, &contested, &agent(who), &note)), can, "{who}");
    }
}

#[test]
fn a_customer_escalates_from_a_level_once_and_is_told_so() {
    let mut world = World::new(policy());
    let john = customer("john");
    let begun = world.begun("sarah");
    world.later(TimeDelta::days(60));
    let up = world.reason(&begun, &john, C::Escalate);
    let given = world.given(&up, "maria");
    let above = world.plain(&given, &agent("maria"), C::Begin);
    let back = world.act(&above, &agent("maria"), &hand_back());
    world.later(TimeDelta::days(60));
    let ways = [(john.clone(), Command::with_text(C::Post, "You promised."))];
    advised(&world, &back, &john, &because(C::Escalate), "write a message", &ways);
    let told = refused(&world, &back, &john, &because(C::Escalate));
    assert_eq!(told[0].message, "you have escalated it from this level before");
}

/// By the clock it happens without the words that people owe.
#[test]
fn the_system_needs_no_reason_where_its_event_names_the_cause() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let needs = |world: &World, actor: &Actor, name| {
        let context = Context::new(&world.policy, world.now).handler_available(false);
        let offers = begun.available_commands(actor, &context);
        let offer = offers.into_iter().find(|offer| offer.command == name).unwrap();
        (offer.allowed, offer.required)
    };
    world.now = begun.deadline(K::Level).unwrap().due_at.unwrap();
    for name in [C::Release, C::Escalate] {
        assert_eq!(needs(&world, &Actor::system(), name), (true, vec![]), "{name}");
        assert_eq!(needs(&world, &agent("mia"), name), (true, vec![Field::Reason]), "{name}");
    }
    let due = due_commands(&begun, &world.policy, world.now);
    let escalate = due.iter().find(|command| command.name() == C::Escalate).unwrap();
    assert_eq!(refused(&world, &begun, &Actor::system(), escalate), []);
    world.handler_available = false;
    assert_eq!(refused(&world, &begun, &Actor::system(), &Command::plain(C::Release)), []);
}

#[test]
fn what_is_wrong_with_the_input_is_told_apart_from_how_things_stand() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let kind = |actor: &Actor, command: &Command| world.decide(&begun, actor, command, None).unwrap_err().category();
    assert_eq!(kind(&customer("john"), &Command::with_text(C::Post, " ")), RefusalCategory::Input);
    assert_eq!(kind(&customer("john"), &Command::with_text(C::Answer, " ")), RefusalCategory::State, "and no question");
    assert_eq!(kind(&agent("ben"), &Command::with_text(C::Ask, " ")), RefusalCategory::Forbidden, "before all else");
}

#[test]
fn a_message_may_be_empty_with_a_file_and_is_told_so_only_where_it_is_empty() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let told = |text: &str| refused(&world, &begun, &customer("john"), &Command::with_text(C::Post, text))[0].clone();
    let (empty, long) = (told(" "), told(&"x".repeat(TEXT_MAX + 1)));
    assert_eq!((empty.code, empty.message.as_str()), ("missing", "must not be empty where no file is sent"));
    assert_eq!(long.code, "too_long");
    assert!(!long.message.contains("file") && long.remedy == "shorten it", "{long:?}");
}

#[test]
fn a_comment_that_need_not_be_given_is_bounded_where_it_is() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let rate =
        |comment: &str| input(C::Rate, Input { score: Some(4), comment: Some(comment.into()), ..Input::default() });
    let long = refused(&world, &resolved, &customer("john"), &rate(&"x".repeat(TEXT_MAX + 1)));
    assert_eq!((codes(&long), long[0].field.as_deref()), (vec!["too_long"], Some("comment")));
    assert_eq!(refused(&world, &resolved, &customer("john"), &rate(" ")), []);
}

#[test]
fn as_many_remedies_as_allowed_can_be_promised_and_not_one_more() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let remedies = |count| decision(C::Resolve, vec![Remedy::of(RemedyKind::Replacement); count]);
    assert_eq!(refused(&world, &begun, &agent("sarah"), &remedies(REMEDIES_MAX)), []);
    assert_eq!(codes(&refused(&world, &begun, &agent("sarah"), &remedies(REMEDIES_MAX + 1))), ["too_many"]);
}

#[test]
fn a_third_party_may_be_waited_for_until_today_where_the_house_is() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let hold = |days: i64| {
        let until = Some(world.now.date_naive() + TimeDelta::days(days));
        input(C::Hold, Input { party: Some("The courier".into()), until, ..Input::default() })
    };
    assert_eq!(refused(&world, &begun, &agent("sarah"), &hold(0)), []);
    assert_eq!(codes(&refused(&world, &begun, &agent("sarah"), &hold(-1))), ["in_the_past"]);
}

#[test]
fn what_cannot_fail_says_why() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let owing = world.resolved(&begun, replacement());
    let fails = input(C::FailRemedy, Input { remedy: Some(1), reason: Some("Lost.".into()), ..Input::default() });
    let failed = world.act(&owing, &agent("sarah"), &fails);
    let told = refused(&world, &failed, &agent("sarah"), &fails);
    assert_eq!(told[0].message, "no remedy is outstanding that has not failed already, or delivered");
}

#[test]
fn a_customer_who_let_it_be_joined_is_told_the_way_apart() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    for (joined_by_consent, way) in
        [(true, "take it apart to have it handled on its own"), (false, "turn to the complaint that it was joined to")]
    {
        let merged = Complaint { status: Status::Merged, joined_by_consent, ..begun.clone() };
        let failed = refused(&world, &merged, &customer("john"), &Command::with_text(C::Post, "And now?"));
        assert!(failed[0].remedy.starts_with(way), "{failed:?}");
    }
}

#[test]
fn the_system_is_told_which_clock_asks_for_nothing() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let available = begun.available_commands(&Actor::system(), &Context::new(&world.policy, world.now));
    let told = |name| codes(&available.iter().find(|it| it.command == name).unwrap().failed);
    assert_eq!(told(C::Warn), ["warning_not_due"]);
    assert_eq!(told(C::Alarm), ["clock_not_run_out"]);
}

#[test]
fn a_warning_comes_neither_twice_nor_after_the_end() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.now = begun.deadline(K::Level).unwrap().warn_at.unwrap()[0];
    let mut asked = due_commands(&begun, &world.policy, world.now).into_iter();
    let warn = asked.find(|it| it.name() == C::Warn && it.input().clocks.iter().any(|(clock, _)| *clock == K::Level));
    let warn = warn.unwrap();
    let warned = world.act(&begun, &Actor::system(), &warn);
    assert_eq!(codes(&refused(&world, &warned, &Actor::system(), &warn)), ["warning_not_due"], "given");
    let escalated = world.reason(&begun, &agent("sarah"), C::Escalate);
    assert_eq!(codes(&refused(&world, &escalated, &Actor::system(), &warn)), ["warning_not_due"], "over");
}

#[test]
fn what_a_command_asks_for_depends_on_the_policy_and_on_what_is_open() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let requires = |it: &Complaint, name, field, policy: &_| it.requires(name, field, &agent("sarah"), policy);
    assert!(requires(&asked, C::Resume, Field::OptionalReason, &world.policy), "a question is open");
    assert!(!requires(&begun, C::Resume, Field::OptionalReason, &world.policy));
    let mut strict = policy();
    strict.cause_required = true;
    assert!(requires(&begun, C::Resolve, Field::Cause, &strict));
    assert!(!requires(&begun, C::Resolve, Field::Cause, &world.policy));
    for (field, is_required) in [(Field::Reason, true), (Field::OptionalReason, false), (Field::OptionalFiles, false)] {
        assert_eq!(field.is_required(), is_required, "{}", field.label());
    }
}

#[test]
fn a_customer_reads_which_complaint_theirs_was_joined_to_unless_it_is_somebody_else_s() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let survivor = Some(begun.reference);
    for (joined_by_consent, words) in
        [(false, format!("Joined to {}", begun.reference)), (true, "Joined to another complaint".to_owned())]
    {
        let merged = Complaint { status: Status::Merged, joined_by_consent, ..begun.clone() };
        assert_eq!(merged.status_for_customer(None, survivor), words);
    }
}

#[test]
fn an_answer_of_blanks_is_none() {
    let mut world = World::new(policy());
    let mut about = submission();
    about.description = "The lid.".into();
    let mut asks = world.policy.categories[0].clone();
    asks.questions = ["serial", "shop"]
        .map(|key| complaint_core::policy::CategoryQuestion { key: key.into(), label: key.into(), required: false })
        .into();
    world.policy.categories[0] = asks;
    about.answers = [("serial", "K-17"), ("shop", " ")].map(|(key, it)| (key.to_owned(), it.to_owned())).into();
    world.submitted_with(&about);
    let words = &world.log[0].words;
    assert_eq!((words.get("answer.serial"), words.get("answer.shop")), (Some("K-17"), None));
}

/// A file may be as large as allowed, and not by one byte larger.
#[test]
fn a_file_of_the_largest_size_is_taken() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let most = 10 * 1024 * 1024;
    for (size, wrong) in [(most, None), (most + 1, Some("too_large"))] {
        let large = complaint_core::complaint::Attachment { size, ..crate::house::file(1) };
        let found = codes(&refused(&world, &begun, &customer("john"), &Command::attach(vec![large])));
        assert_eq!(found, wrong.into_iter().collect::<Vec<_>>(), "{size}");
    }
}

/// Why it was closed is what the clock did, or a person.
#[test]
fn whoever_closes_it_is_the_cause() {
    use complaint_core::complaint::{CloseCause, Event};
    use complaint_core::lifecycle::evolve;
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let over = resolved.deadline(K::AutoClose).unwrap().due_at.unwrap();
    for (wait, actor, cause, missed) in [
        (TimeDelta::zero(), Actor::system(), CloseCause::AcceptanceWindowOver, Some(over)),
        (TimeDelta::days(3), Actor::system(), CloseCause::AcceptanceWindowOver, Some(over + TimeDelta::days(3))),
    ] {
        world.now = over + wait;
        let entries = world.decide(&resolved, &actor, &Command::plain(C::Close), None).unwrap();
        assert!(matches!(&entries[0].event, Event::Closed { cause: found } if *found == cause), "{entries:?}");
        let closed = entries.iter().fold(resolved.clone(), evolve);
        let ran_out = closed.deadlines.iter().rev().find(|it| it.clock == K::AutoClose).unwrap();
        assert_eq!(ran_out.missed_at, missed, "that nobody answered in time is on record");
    }
}

/// A person's step up answers for every promise broken until then: no clock moves it on from the next level for the same.
#[test]
fn a_step_up_by_a_person_answers_for_broken_promises() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.now = begun.promised_at().unwrap() + TimeDelta::days(60);
    let up = world.act(&begun, &agent("sarah"), &Command::with_reason(C::Escalate, "Too big for me."));
    assert_eq!(up.deadline(K::FirstResponse).unwrap().missed_at, Some(world.now));
    let due = due_commands(&up, &world.policy, world.now);
    assert!(due.iter().all(|command| command.name() != C::Escalate), "{due:?}");
}

/// A clock that moved it up from here before does not do so again, whoever says so.
#[test]
fn a_clock_moves_a_complaint_up_from_a_level_once() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let answered = world.text(&begun, &agent("sarah"), C::Post);
    world.now = answered.deadline(K::Level).unwrap().due_at.unwrap();
    let moves = due_commands(&answered, &world.policy, world.now).remove(0);
    let up = world.act(&answered, &Actor::system(), &moves);
    let given = world.given(&up, "maria");
    let above = world.plain(&given, &agent("maria"), C::Begin);
    let back = input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() });
    let queued = world.act(&above, &agent("maria"), &back);
    let given = world.given(&queued, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    world.now = again.deadline(K::Level).unwrap().due_at.unwrap();
    assert_eq!(codes(&refused(&world, &again, &Actor::system(), &moves)), ["clock_not_run_out"]);
}

/// What is decided is counted, also where it is not taken up.
#[test]
fn each_decision_is_counted() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let dismissed = world.act(&begun, &agent("mia"), &input(C::Dismiss, ground));
    assert_eq!((begun.decisions, dismissed.decisions), (0, 1));
}

/// What somebody withdraws lets go of those whose customers let them be joined to it, and of no other.
#[test]
fn only_what_was_joined_by_consent_is_let_go() {
    use complaint_core::complaint::Event;
    use complaint_core::lifecycle::decide;
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let other = world.submitted();
    let consented = |it: &Complaint| {
        let mut it = it.clone();
        it.consents.insert(other.id, other.customer.clone());
        it
    };
    let joined = Complaint { merged_into: Some(begun.id), ..other.clone() };
    for (survivor, there, let_go) in [
        (consented(&begun), &joined, true),
        (begun.clone(), &joined, false),
        (consented(&begun), &other, false),
        (begun.clone(), &other, false),
    ] {
        let context = Context::new(&world.policy, world.now).joined(std::slice::from_ref(there));
        let withdraw = Command::plain(C::Withdraw);
        let entries = decide(&survivor, &withdraw, &customer("john"), &context).unwrap();
        let separated = entries.iter().any(|entry| matches!(entry.event, Event::Separated { .. }));
        assert_eq!(separated, let_go);
    }
}
