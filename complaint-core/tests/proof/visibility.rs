//! What a customer sees of a log: nothing internal, not even in a count.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use complaint_core::complaint::{EndElsewhere, Event, Item, Outcome, Priority, ReleaseCause, Remedy};
use complaint_core::deadline::ClockKind;
use complaint_core::desk::Acting;
use complaint_core::id::{CategoryKey, ComplaintId, CustomerId};
use complaint_core::lifecycle::{Command, CommandName as C, Input, Status};
use complaint_core::notice::{NoticeKind, Recipient};
use complaint_core::store::{Change, Query};
use complaint_core::{Actor, DeskError, Resolution};

use crate::house::{
    House, World, admin, agent, agent_id, agents, auditor, customer, decision, input, policy, submission, tag,
};

#[tokio::test]
async fn a_customer_reads_the_public_story_and_nothing_else() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let mia = house.as_actor(agent("mia"));
    let secret = "SECRET";
    let first = house.handler(id).await;
    first.perform(id, Command::with_text(C::Note, secret)).await.unwrap();
    first.perform(id, Command::with_reason(C::Decline, secret)).await.unwrap();
    mia.perform(id, Command::with_reason(C::Release, secret)).await.unwrap();
    let triage = Input { weight: Some(2), reason: Some(secret.into()), ..Input::default() };
    mia.perform(id, input(C::Triage, triage)).await.unwrap();
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    handler.ask(id, "Which colour?").await.unwrap();
    house.as_actor(customer("john")).answer(id, "Blue.").await.unwrap();
    handler.perform(id, Command::plain(C::Read)).await.unwrap();
    handler.escalate(id, secret).await.unwrap();
    let above = house.handler(id).await;
    above.begin(id).await.unwrap();
    above.perform(id, crate::house::decision(C::Propose, Vec::new())).await.unwrap();
    let approver = if above.actor().agent_id() == Some(&agent_id("mia")) { "max" } else { "mia" };
    let approve = input(C::Approve, Input { comment: Some(secret.into()), ..Input::default() });
    house.as_actor(agent(approver)).perform(id, approve).await.unwrap();
    let rate = input(C::Rate, Input { score: Some(2), comment: Some("Slow.".into()), ..Input::default() });
    house.as_actor(customer("john")).perform(id, rate).await.unwrap();

    let whole = house.desk.whole_log(id).await.unwrap();
    assert!(serde_json::to_string(&whole).unwrap().matches(secret).count() >= 6);
    let seen = house.as_actor(customer("john")).log(id).await.unwrap();
    let text = serde_json::to_string(&seen).unwrap();
    assert!(!text.contains(secret), "{text}");
    for hidden in ["candidates\":[{", "noted", "triaged", "proposed", "declined", "warned", "read\""] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    for shown in ["Which colour?", "Blue.", "It left us broken.", "We are sorry.", "Slow."] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
    for (at, entry) in seen.iter().enumerate() {
        assert_eq!(entry.seq as usize, at + 1, "a gap tells of what is hidden");
        assert!(entry.clocks.is_empty());
    }
    assert!(seen.len() < whole.len());
    let kinds: Vec<String> = seen.iter().map(|entry| tag(&entry.event)).collect();
    assert_eq!(kinds.first().map(String::as_str), Some("submitted"));
    // Whether it was declined or taken away is kept among staff; that nobody held it is not.
    let causes = seen.iter().filter_map(|it| match it.event {
        Event::Released { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(causes.collect::<Vec<_>>(), [ReleaseCause::ByHand; 2]);
    assert!(matches!(seen.iter().find(|it| tag(&it.event) == "resolved").unwrap().event, Event::Resolved { .. }));
    assert!(matches!(house.as_actor(customer("jane")).log(id).await, Err(DeskError::NotFound)));
}

const THEIRS: [&str; 38] = [
    "id",
    "reference",
    "version",
    "public_version",
    "public_change",
    "customer",
    "channel",
    "received_at",
    "policy_version",
    "category",
    "language",
    "items",
    "subject",
    "description",
    "contact",
    "product",
    "order_number",
    "purchase_date",
    "incident_date",
    "wish",
    "answers",
    "status",
    "status_since",
    "public_status_since",
    "level",
    "handler",
    "acknowledged_at",
    "first_response_at",
    "awaited",
    "decisions",
    "remedies",
    "feedback",
    "dismissal",
    "merged_into",
    "follows",
    "referred_to",
    "attachments",
    "files_by_customer",
];
const IN_PART: [&str; 6] = ["routing", "escalations", "question", "questions", "resolutions", "deadlines"];
const OF_THE_HOUSE: [&str; 17] = [
    "entries",
    "recorded_by",
    "priority",
    "skills",
    "area",
    "weight",
    "against",
    "level_entries",
    "contested_to",
    "assignments",
    "exclusions",
    "first_action_at",
    "unread_since",
    "proposals",
    "proposal",
    "deciders",
    "absorbed",
];

/// Every field of a complaint is one or the other; whoever adds one decides here.
#[tokio::test]
async fn a_customer_is_given_of_a_complaint_what_is_theirs_to_see() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let first = house.handler(id).await;
    first.perform(id, Command::with_reason(C::Decline, "No.")).await.unwrap();
    let triage =
        Input { priority: Some(Priority::High), weight: Some(2), reason: Some("No.".into()), ..Input::default() };
    house.as_actor(agent("mia")).perform(id, input(C::Triage, triage)).await.unwrap();
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    handler.ask(id, "Which colour?").await.unwrap();
    house.as_actor(customer("john")).answer(id, "Blue.").await.unwrap();
    handler.escalate(id, "No.").await.unwrap();
    let above = house.handler(id).await;
    above.begin(id).await.unwrap();
    above.perform(id, decision(C::Propose, Vec::new())).await.unwrap();

    let fields = |complaint: &complaint_core::Complaint| match serde_json::to_value(complaint).unwrap() {
        serde_json::Value::Object(fields) => fields,
        other => panic!("{other}"),
    };
    let (stored, seen) = (house.state(id).await, house.as_actor(customer("john")).read(id).await.unwrap());
    let (whole, given) = (fields(&stored), fields(&seen));
    for (name, value) in &whole {
        let (theirs, in_part) = (THEIRS.contains(&name.as_str()), IN_PART.contains(&name.as_str()));
        let internal = OF_THE_HOUSE.contains(&name.as_str());
        assert_eq!(u8::from(theirs) + u8::from(in_part) + u8::from(internal), 1, "whose is `{name}`?");
        if internal && !["recorded_by", "area", "absorbed", "deciders"].contains(&name.as_str()) {
            assert_ne!(given[name], *value, "`{name}` is of the house, or the story does not fill it");
        }
    }
    assert_eq!((stored.status, seen.status), (Status::PendingApproval, Status::InProgress));
    assert_eq!((seen.version, seen.status_since), (stored.public_version, stored.public_status_since));
    assert!(seen.version < stored.version);
    let text = serde_json::to_string(&seen).unwrap();
    for hidden in ["No.", "candidates\":[{", "\"clock\":\"level\"", "\"clock\":\"approval\""] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert_eq!(seen.escalations.len(), 1);
    // Whatever way it is read.
    let john = house.as_actor(customer("john"));
    assert_eq!(john.find(&stored.reference.to_string()).await.unwrap(), seen);
    assert_eq!(
        john.list(complaint_core::store::Query::within(john.scope())).await.unwrap().items,
        std::slice::from_ref(&seen)
    );
    let after = john.post(id, "Any news?").await.unwrap();
    assert_eq!(after.proposal, None);
    above.escalate(id, "No.").await.unwrap();
    let (stored, seen) = (house.state(id).await, john.read(id).await.unwrap());
    let fell = |complaint: &complaint_core::Complaint| complaint.escalations[1].proposed;
    assert!(fell(&stored).is_some() && fell(&seen).is_none(), "what was proposed among staff fell among staff");
}

#[tokio::test]
async fn an_admin_is_given_no_word_that_people_typed() {
    let house = House::new(policy()).await;
    let john = house.as_actor(customer("john"));
    let mut typed = submission();
    typed.items = vec![Item { kind: "my neighbour Bob".into(), key: "5 Elm Street".into() }];
    let id = john.submit(typed).await.unwrap().id();
    let handler = house.handler(id).await;
    handler.begin(id).await.unwrap();
    let told = Remedy { instructions: Some("Ring twice.".into()), ..Remedy::replacement() };
    handler.perform(id, decision(C::Resolve, vec![told])).await.unwrap();
    let rate = input(C::Rate, Input { score: Some(2), comment: Some("Slow.".into()), ..Input::default() });
    john.perform(id, rate).await.unwrap();
    handler.perform(id, Command::with_reason(C::FailRemedy, "He moved away.")).await.unwrap();
    let admin = house.as_actor(admin());
    let whole = serde_json::to_string(&(house.state(id).await, house.desk.whole_log(id).await.unwrap())).unwrap();
    let seen = serde_json::to_string(&(admin.read(id).await.unwrap(), admin.log(id).await.unwrap())).unwrap();
    for typed in [
        "Broken kettle",
        "The lid is cracked.",
        "john@example.org",
        "It left us broken.",
        "We are sorry.",
        "Slow.",
        "my neighbour Bob",
        "5 Elm Street",
        "Ring twice.",
        "He moved away.",
    ] {
        assert!(whole.contains(typed), "{typed} is nowhere");
        assert!(!seen.contains(typed), "an admin reads {typed}");
    }
}

#[tokio::test]
async fn a_customer_learns_who_was_chosen_and_not_who_was_considered() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let for_agent = house.handler(id).await.routing(id).await.unwrap().unwrap();
    assert!(!for_agent.candidates.is_empty());
    let for_customer = house.as_actor(customer("john")).routing(id).await.unwrap().unwrap();
    assert_eq!(for_customer.chosen, for_agent.chosen);
    let chosen = for_customer.chosen.clone();
    let only_who = complaint_core::routing::Routing { chosen, ..Default::default() };
    assert_eq!(for_customer, only_who, "neither who else was considered nor how many");
}

#[tokio::test]
async fn an_admin_reads_that_it_happened_and_an_auditor_what() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let by_admin = house.as_actor(admin()).log(id).await.unwrap();
    assert!(by_admin.iter().all(|entry| entry.words.is_empty()));
    assert_eq!(by_admin.len(), house.desk.whole_log(id).await.unwrap().len());
    let by_auditor = house.as_actor(auditor()).log(id).await.unwrap();
    assert!(by_auditor[0].words.get("description").is_some());
    let refused = house.as_actor(auditor()).perform(id, Command::with_text(C::Note, "I saw it.")).await;
    assert!(matches!(refused, Err(DeskError::Refused(_))), "an auditor writes nothing");
}

#[tokio::test]
async fn the_subject_neither_reads_nor_finds_nor_lists_it() {
    let house = House::new(policy()).await;
    let complaint = house.submit().await;
    let zoe = house.as_actor(agent("zoe"));
    assert!(matches!(zoe.read(complaint.id).await, Err(DeskError::NotFound)));
    assert!(matches!(zoe.find(&complaint.reference.to_string()).await, Err(DeskError::NotFound)));
    assert!(matches!(zoe.log(complaint.id).await, Err(DeskError::NotFound)));
    assert_eq!(zoe.summary().await.unwrap().total(), 0);
    let scope = zoe.scope();
    let page = zoe.list(complaint_core::store::Query::within(scope)).await.unwrap();
    assert!(page.items.is_empty());
}

#[tokio::test]
async fn a_former_handler_reads_it_no_more() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let first = house.handler(id).await;
    let reassign = Input {
        agent: Some(agent_id(if first.actor().agent_id() == Some(&agent_id("ben")) { "sue" } else { "ben" })),
        reason: Some("Holiday.".into()),
        ..Input::default()
    };
    house.as_actor(agent("mia")).perform(id, input(C::Reassign, reassign)).await.unwrap();
    assert!(matches!(first.read(id).await, Err(DeskError::NotFound)));
    let now = house.handler(id).await;
    now.begin(id).await.unwrap();
    now.resolve(id, Resolution::new(Outcome::NotUpheld, "It works.")).await.unwrap();
    assert_eq!(now.read(id).await.unwrap().status, Status::Resolved, "who decided still reads it");
}

/// Whoever asks whether anything changed is not told "no" while the page shows another handler.
#[tokio::test]
async fn what_a_customer_sees_changes_their_version_and_nothing_else_does() {
    let staff = agents().into_iter().filter(|it| ["sarah", "mia"].contains(&it.id.as_str()));
    let house = House::with(policy(), staff.collect()).await;
    let id = house.submit().await.id;
    let first = house.handler(id).await;
    let mia = house.as_actor(agent("mia"));
    let seen = async || {
        let complaint = house.state(id).await;
        (complaint.public_version.get(), complaint.handler.clone(), complaint.status.for_customer())
    };
    let start = seen().await;
    first.perform(id, Command::with_text(C::Note, "Hm.")).await.unwrap();
    assert_eq!(seen().await, start, "a note");
    mia.perform(id, Command::with_reason(C::Release, "Holiday.")).await.unwrap();
    let released = seen().await;
    assert_eq!((released.0, released.1, released.2), (start.0 + 1, None, Status::Queued), "nobody holds it");
    house.desk.route_waiting().await.unwrap();
    let now = house.handler(id).await;
    now.begin(id).await.unwrap();
    let begun = seen().await;
    now.perform(id, crate::house::decision(C::Propose, Vec::new())).await.unwrap();
    let back = input(C::SendBack, Input { comment: Some("More.".into()), ..Input::default() });
    mia.perform(id, back).await.unwrap();
    assert_eq!(seen().await, begun, "a proposal is internal, there and back");
}

#[test]
fn what_a_customer_sees_differ_is_another_version_and_nothing_else_is() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let john = customer("john");
    let triaged = |world: &mut World, changes: Input| world.act(&begun, &agent("mia"), &input(C::Triage, changes));
    let heavier = triaged(&mut world, Input { weight: Some(2), ..Input::default() });
    assert_eq!(heavier.version_for(&john), begun.version_for(&john), "how much work it is, is internal");
    let urgent = triaged(&mut world, Input { priority: Some(Priority::Urgent), ..Input::default() });
    assert_ne!(urgent.promised_at(), begun.promised_at());
    assert!(urgent.version_for(&john) > begun.version_for(&john), "another date is promised");
    let other = CategoryKey::new("late delivery").unwrap();
    let other = triaged(&mut world, Input { category: Some(other), ..Input::default() });
    assert!(other.version_for(&john) > begun.version_for(&john), "it is about something else");
}

#[tokio::test]
async fn a_customer_reads_that_the_category_or_the_date_is_another_and_not_why() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let (mia, john) = (house.as_actor(agent("mia")), house.as_actor(customer("john")));
    let late = CategoryKey::new("late delivery").unwrap();
    let given = Input {
        category: Some(late.clone()),
        priority: Some(Priority::Urgent),
        weight: Some(7),
        reason: Some("SECRET".into()),
        ..Input::default()
    };
    let before = john.log(id).await.unwrap().len();
    let triaged = mia.perform(id, input(C::Triage, given)).await.unwrap();
    let seen = john.log(id).await.unwrap();
    let Event::Revised { category, clocks } = &seen[before].event else { panic!("{:?}", seen[before]) };
    assert_eq!((seen.len(), category), (before + 1, &Some(late)));
    assert_eq!(clocks, &[ClockKind::FirstResponse, ClockKind::Resolution]);
    let text = serde_json::to_string(&seen[before]).unwrap();
    assert!(!text.contains("SECRET") && !text.contains("urgent") && !text.contains("weight"), "{text}");
    let changes = house.changes.0.lock().unwrap().clone();
    let notices: Vec<_> = changes.last().unwrap().notices().iter().collect();
    let [notice] = notices[..] else { panic!("{notices:?}") };
    assert_eq!((notice.kind, notice.due_at), (NoticeKind::Revised, triaged.promised_at()));
    let said = notice.text.as_deref().unwrap();
    assert!(said.contains("“Late delivery”") && said.contains("Other dates apply"), "{said}");
    // What is internal stays so.
    mia.perform(id, input(C::Triage, Input { weight: Some(9), ..Input::default() })).await.unwrap();
    assert_eq!(john.log(id).await.unwrap().len(), before + 1);
    assert_eq!(house.changes.0.lock().unwrap().last().unwrap().notices(), []);
    // A date that is past already is not promised.
    house.clock.set(triaged.promised_at().unwrap() + chrono::TimeDelta::seconds(1));
    let again = Input { priority: Some(Priority::Low), ..Input::default() };
    let low = mia.perform(id, input(C::Triage, again)).await.unwrap();
    let due = house.changes.0.lock().unwrap().last().unwrap().notices()[0].due_at.unwrap();
    assert!(due > house.desk.now(), "{due}");
    assert!(house.desk.replays(low.id).await.unwrap());
}

#[test]
fn what_happens_among_staff_moves_no_date_that_the_customer_sees() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.later(chrono::TimeDelta::hours(1));
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    let john = customer("john");
    assert_eq!(proposed.status_since_for(&agent("sarah")), world.now);
    assert_eq!(proposed.status_since_for(&john), begun.status_since);
    world.later(chrono::TimeDelta::hours(1));
    let approved = world.plain(&proposed, &agent("mia"), C::Approve);
    assert_eq!(approved.status_since_for(&john), world.now);
}

#[tokio::test]
async fn whoever_handles_the_survivor_reads_what_was_joined_to_it_and_nobody_else_keeps_it() {
    let house = House::new(policy()).await;
    let (one, other) = (house.submit().await, house.submit().await);
    let (survivor, joined) = (house.state(one.id).await, house.state(other.id).await);
    let [holds, held] = [&survivor, &joined].map(|it| it.handler.clone().unwrap());
    assert_ne!(holds, held);
    let john = house.as_actor(customer("john"));
    john.perform(joined.id, Command::with_text(C::Post, "The lid, too.")).await.unwrap();
    let unread = house.state(joined.id).await.unread_since;
    let into = input(C::Merge, Input { into: Some(survivor.reference.to_string()), ..Input::default() });
    house.as_actor(agent("mia")).perform(joined.id, into).await.unwrap();
    let (holds, held) = (house.as_actor(agent(holds.as_str())), house.as_actor(agent(held.as_str())));
    for by in [joined.id.to_string(), joined.reference.to_string()] {
        assert_eq!(holds.find(&by).await.unwrap().id, joined.id);
        assert!(matches!(held.find(&by).await, Err(DeskError::NotFound)), "it is not theirs any more");
    }
    assert!(!holds.log(joined.id).await.unwrap().is_empty());
    assert!(matches!(house.as_actor(customer("jane")).read(joined.id).await, Err(DeskError::NotFound)));
    assert!(
        matches!(house.as_actor(agent("zoe")).read(joined.id).await, Err(DeskError::NotFound)),
        "it is against her"
    );
    assert_eq!(john.read(joined.id).await.unwrap().id, joined.id);
    // What was unread of it is to be read here, before anything closes.
    assert!(unread.is_some() && house.state(survivor.id).await.unread_since == unread);
    assert_eq!(house.state(joined.id).await.unread_since, None);
}

#[tokio::test]
async fn what_is_listed_may_be_read_also_where_it_was_joined_to_another() {
    let house = House::new(policy()).await;
    let (one, other) = (house.submit().await, house.submit().await);
    let mia = house.as_actor(agent("mia"));
    let into = input(C::Merge, Input { into: Some(one.reference.to_string()), ..Input::default() });
    mia.perform(other.id, into).await.unwrap();
    let former = house.handler(one.id).await;
    let listed = async |acting: &Acting| -> BTreeSet<_> {
        let page = acting.list(Query::within(acting.scope())).await.unwrap();
        page.items.iter().map(|complaint| complaint.id).collect()
    };
    assert_eq!(listed(&former).await, [one.id, other.id].into());
    // To another handler, and out of the sight of their supervisors.
    let next = if former.actor().agent_id() == Some(&agent_id("sarah")) { "ben" } else { "sarah" };
    let away = Input { agent: Some(agent_id(next)), reason: Some("For them.".into()), ..Input::default() };
    mia.perform(one.id, input(C::Reassign, away)).await.unwrap();
    assert_eq!(listed(&former).await, [].into());
    assert_eq!(listed(&mia).await, [one.id, other.id].into());
    let john = house.as_actor(customer("john"));
    for level in 1..=3 {
        for agent in agents() {
            let acting = house.as_actor(Actor::agent(&agent));
            for id in listed(&acting).await {
                assert!(
                    acting.read(id).await.is_ok(),
                    "level {level}: {} sees in a list what is none of theirs",
                    agent.id
                );
            }
        }
        assert_eq!(listed(&john).await, [one.id, other.id].into());
        if level < 3 {
            let handler = house.handler(one.id).await;
            handler.escalate(one.id, "For the next level.").await.unwrap();
        }
    }
    assert_eq!(listed(&mia).await, [].into(), "it is beyond her level");
}

/// What one customer sees of everything that is theirs, letters too, as one text.
async fn seen_by(house: &House, customer_id: &str) -> String {
    let acting = house.as_actor(customer(customer_id));
    let all = acting.list(complaint_core::store::Query::within(acting.scope())).await.unwrap().items;
    let mut text = serde_json::to_string(&all).unwrap();
    for complaint in &all {
        text += &serde_json::to_string(&acting.log(complaint.id).await.unwrap()).unwrap();
        write!(text, "{:?}", acting.available_commands(complaint.id).await.unwrap()).unwrap();
    }
    for notice in house.changes.0.lock().unwrap().iter().flat_map(Change::notices) {
        if notice.recipient == Recipient::Customer(CustomerId::new(customer_id).unwrap()) {
            text += &serde_json::to_string(notice).unwrap();
        }
    }
    text
}

/// The complaint of John, joined to that of Jane, which Sarah or whoever handles it goes on with.
async fn joined_by_consent(house: &House) -> (ComplaintId, ComplaintId) {
    let john = house.submit().await;
    house.clock.advance(chrono::TimeDelta::days(3));
    let mut about = submission();
    (about.subject, about.description) = ("A dented kettle".into(), "Dented as it came.".into());
    about.contact.email = Some("jane@example.org".into());
    let jane = house.as_actor(customer("jane")).submit(about).await.unwrap().complaint().clone();
    house.as_actor(customer("john")).post(john.id, "The lid, too.").await.unwrap();
    let into = |consent: Option<&str>| {
        let (into, reason) = (Some(jane.reference.to_string()), Some("One delivery, see Jane's.".into()));
        input(C::Merge, Input { into, reason, consent: consent.map(str::to_owned), ..Input::default() })
    };
    let mia = house.as_actor(agent("mia"));
    let Err(DeskError::Refused(refusal)) = mia.perform(john.id, into(None)).await else { panic!("without consent") };
    let fault = refusal.failed.iter().find(|it| it.code == "other_customer").unwrap();
    assert_eq!(fault.field.as_deref(), Some("into"));
    assert!(fault.remedy.contains("record the consent"), "{fault:?}");
    mia.perform(john.id, into(Some("On the phone on Thursday: together is fine."))).await.unwrap();
    (john.id, jane.id)
}

#[tokio::test]
async fn customers_whose_complaints_go_on_together_learn_nothing_of_each_other() {
    let house = House::new(policy()).await;
    let (john, jane) = joined_by_consent(&house).await;
    let before = house.state(jane).await;
    assert_eq!((before.absorbed.as_slice(), before.consents.len()), ([john].as_slice(), 1));
    let holder = house.handler(jane).await;
    assert_eq!(holder.read(john).await.unwrap().id, john, "whoever goes on with both reads both");
    assert!(before.unread_since.is_some(), "what is unread of it is read with the survivor");
    holder.begin(jane).await.unwrap();
    holder.resolve(jane, Resolution::upheld("Jane, we replace it.").apologising()).await.unwrap();
    house.desk.sweep().await.unwrap();
    let refused = house.as_actor(customer("john")).post(john, "And now?").await.unwrap_err();
    let (his, hers) = (seen_by(&house, "john").await + &format!("{refused:?}"), seen_by(&house, "jane").await);
    let [one, other] = [house.state(john).await, house.state(jane).await];
    let names = |it: &complaint_core::Complaint| {
        [it.id.to_string(), it.reference.to_string(), it.subject.clone(), it.description.clone()]
    };
    for name in names(&other).iter().map(String::as_str).chain(["jane", "Jane", "One delivery"]) {
        assert!(!his.contains(name), "John learns {name}: {his}");
    }
    for name in names(&one).iter().map(String::as_str).chain(["john", "The lid, too.", "On the phone"]) {
        assert!(!hers.contains(name), "Jane learns {name}: {hers}");
    }
    for name in ["On the phone on Thursday", "merged_by_consent", "ended_elsewhere", "upheld"] {
        assert!(his.contains(name), "John is not told {name}: {his}");
    }
    for id in [other.id.to_string(), other.reference.to_string()] {
        assert!(matches!(house.as_actor(customer("john")).find(&id).await, Err(DeskError::NotFound)));
    }
    // An earlier receipt than her own would tell Jane that there is another one, in her dates, lists and filters.
    assert!(one.received_at < other.received_at && other.receipts.is_empty());
    let seen = house.as_actor(customer("jane")).read(jane).await.unwrap();
    assert!(seen.deadlines.iter().all(|deadline| deadline.started_at >= other.received_at));
    let received = complaint_core::store::Query {
        received_before: Some(other.received_at),
        ..complaint_core::store::Query::within(house.as_actor(customer("jane")).scope())
    };
    assert!(house.as_actor(customer("jane")).list(received).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_was_joined_by_consent_outlives_the_withdrawal_of_somebody_else() {
    let house = House::new(policy()).await;
    let (john, jane) = joined_by_consent(&house).await;
    house.as_actor(customer("jane")).perform(jane, Command::plain(C::Withdraw)).await.unwrap();
    let [apart, withdrawn] = [house.state(john).await, house.state(jane).await];
    assert_eq!((apart.status, apart.merged_into, apart.joined_by_consent), (Status::Assigned, None, false));
    assert_eq!((withdrawn.status, withdrawn.absorbed.len(), withdrawn.consents.len()), (Status::Withdrawn, 0, 0));
    house.workloads_add_up().await;
    let changes = house.changes.0.lock().unwrap();
    let told = changes.last().unwrap().notices().iter().filter(|notice| notice.complaint == john);
    let told: Vec<_> = told.map(|notice| (notice.recipient.clone(), notice.kind)).collect();
    let of_john = |kind| (Recipient::Customer(CustomerId::new("john").unwrap()), kind);
    assert!(told.contains(&of_john(NoticeKind::Unmerged)) && told.contains(&of_john(NoticeKind::AssignedCustomer)));
}

/// What comes back together is given out as if one came after the other: who got the first has it in hand.
#[tokio::test]
async fn what_comes_back_together_is_given_to_different_hands() {
    let house = House::new(policy()).await;
    let (john, jane) = joined_by_consent(&house).await;
    let ruth = house.as_actor(customer("ruth")).submit(submission()).await.unwrap().id();
    let (into, consent) = (Some(house.state(jane).await.reference.to_string()), Some("On the phone.".into()));
    let together = input(C::Merge, Input { into, reason: Some("One delivery.".into()), consent, ..Input::default() });
    house.as_actor(agent("mia")).perform(ruth, together).await.unwrap();
    house.as_actor(customer("jane")).perform(jane, Command::plain(C::Withdraw)).await.unwrap();
    let [one, other] = [house.state(john).await.handler, house.state(ruth).await.handler];
    assert!(one.is_some() && other.is_some() && one != other, "{one:?} {other:?}");
    house.workloads_add_up().await;
}

#[tokio::test]
async fn consent_can_be_taken_back_and_what_ended_elsewhere_can_be_followed_up() {
    let house = House::new(policy()).await;
    let (john, jane) = joined_by_consent(&house).await;
    let him = house.as_actor(customer("john"));
    let Err(DeskError::Refused(refusal)) = him.follow_up(john, submission()).await else { panic!("it goes on") };
    assert!(refusal.has("goes_on_elsewhere"), "{refusal}");
    let apart = him.perform(john, Command::plain(C::Unmerge)).await.unwrap();
    assert!(apart.status.is_open() && house.state(jane).await.consents.is_empty());

    let (john, jane) = joined_by_consent(&house).await;
    // They agreed to go on with this one, and with no other.
    let third = house.as_actor(customer("jane")).submit(submission()).await.unwrap();
    let into = input(C::Merge, Input { into: Some(third.reference().to_string()), ..Input::default() });
    let Err(DeskError::Refused(refusal)) = house.as_actor(agent("mia")).perform(jane, into).await else { panic!() };
    assert!(refusal.has("holds_by_consent"), "{refusal}");
    let ground = Input { reason: Some("out_of_scope".into()), text: Some("Not ours.".into()), ..Input::default() };
    house.as_actor(agent("mia")).perform(jane, input(C::Dismiss, ground)).await.unwrap();
    assert_eq!(house.state(john).await.ended_elsewhere, Some(EndElsewhere::Dismissed));
    let Err(DeskError::Refused(refusal)) = him.perform(john, Command::plain(C::Unmerge)).await else { panic!() };
    assert_eq!((refusal.code(), refusal.failed[0].remedy.as_ref()), ("survivor_finished", "file a follow-up"));
    let again = him.follow_up(john, submission()).await.unwrap();
    assert_eq!(again.complaint().follows, Some(john));
}

#[tokio::test]
async fn what_was_joined_to_what_was_joined_is_read_by_whoever_handles_the_last() {
    let house = House::new(policy()).await;
    let mut chain = Vec::new();
    for _ in 0..3 {
        let id = house.submit().await.id;
        chain.push(house.state(id).await);
    }
    let [first, middle, last] = [0, 1, 2].map(|at| house.as_actor(agent(chain[at].handler.as_ref().unwrap().as_str())));
    for pair in chain.windows(2) {
        let into = input(C::Merge, Input { into: Some(pair[1].reference.to_string()), ..Input::default() });
        house.as_actor(agent("mia")).perform(pair[0].id, into).await.unwrap();
    }
    for joined in &chain[..2] {
        assert_eq!(last.read(joined.id).await.unwrap().id, joined.id);
        for former in [&first, &middle] {
            assert!(matches!(former.read(joined.id).await, Err(DeskError::NotFound)), "{:?}", former.actor());
        }
    }
}

/// Whatever a query says it looks at, whoever asks sees what is theirs.
#[tokio::test]
async fn nobody_sees_more_by_asking_for_everything() {
    let house = House::new(policy()).await;
    let id = house.submit().await.id;
    let handler = house.state(id).await.handler.unwrap();
    let everything = || complaint_core::store::Query::within(complaint_core::store::Scope::All);
    for (actor, sees) in [
        (customer("john"), true),
        (customer("jane"), false),
        (agent(handler.as_str()), true),
        (agent("omar"), true),
        // It is against her.
        (agent("zoe"), false),
        (auditor(), true),
    ] {
        let page = house.as_actor(actor.clone()).list(everything()).await.unwrap();
        assert_eq!(!page.items.is_empty(), sees, "{:?}", actor.party());
    }
}

/// Staff read what was joined with what it was joined to. The customer whose complaint goes on with both is no staff.
#[tokio::test]
async fn what_was_joined_to_somebody_s_complaint_is_read_by_whoever_goes_on_with_it_alone() {
    let house = House::new(policy()).await;
    let (john, jane) = joined_by_consent(&house).await;
    let holder = house.handler(jane).await;
    assert!(holder.read(john).await.is_ok() && house.as_actor(customer("john")).read(john).await.is_ok());
    // It is against her, as the other one is.
    for actor in [customer("jane"), agent("zoe"), agent("sue")] {
        if holder.actor() != &actor {
            let read = house.as_actor(actor.clone()).read(john).await;
            assert!(matches!(read, Err(DeskError::NotFound)), "{:?}", actor.party());
        }
    }
}
