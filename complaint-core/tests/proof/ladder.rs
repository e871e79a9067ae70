//! Ladders of one, two, five and nine levels, each through the whole lifecycle: who gets what goes up, how long it
//! may stay, and who has the last word.

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::agent::Absence;
use complaint_core::complaint::{EscalationCause, Event, Outcome, Priority, Remedy};
use complaint_core::deadline::ClockKind;
use complaint_core::desk::Acting;
use complaint_core::id::{AgentId, ComplaintId};
use complaint_core::lifecycle::{Command, CommandName as C, Field, Input, Status};
use complaint_core::notice::{NoticeKind, Recipient};
use complaint_core::policy::Category;
use complaint_core::{Actor, Agent, Complaint, DeskError, Policy};

use crate::house::{House, agent, agent_id, customer, decision, input, level, policy, submission, tag};

const LENGTHS: [u8; 4] = [1, 2, 5, 9];

/// A ladder whose levels have names and limits of their own: level n may keep a complaint n days, an urgent one n hours.
fn ladder(length: u8, priority: Priority) -> Policy {
    let mut category = Category::named("Damaged goods").unwrap();
    category.priority = priority;
    let mut policy = Policy::standard().with_category(category);
    let model = policy.levels[0].clone();
    policy.levels.clear();
    for number in 1..=length {
        let mut step = model.clone();
        step.name = format!("Office {number}");
        step.target = format!("{number} days").parse().unwrap();
        step.priorities = [(Priority::Urgent, format!("{number} hours").parse().unwrap())].into();
        step.authority = (number < length).then(|| vec![format!("{number}00.00 EUR").parse().unwrap()]);
        policy.levels.push(step);
    }
    // Only the levels' own limits move anything.
    for (target, span) in
        [(&mut policy.targets.first_response, "90 weeks"), (&mut policy.targets.resolution, "90 weeks")]
    {
        *target = span.parse().unwrap();
    }
    policy.targets.acceptance = "90 weeks".parse().unwrap();
    policy.statutory.clear();
    policy.priorities.clear();
    policy
}

/// Three agents of each level: the router, all else equal, takes `a`; the superior is `c` of the level above.
fn staff(length: u8) -> Vec<Agent> {
    let mut agents = Vec::new();
    for number in 1..=length {
        for name in ["a", "b", "c"] {
            let agent = Agent::named(format!("{name}{number}"), name).unwrap().skilled_in(["damaged goods"]);
            let agent = agent.at_level(level(number)).with_capacity(50);
            agents.push(if number < length {
                agent.reporting_to(agent_id(&format!("c{}", number + 1)))
            } else {
                agent
            });
        }
    }
    agents
}

async fn house(length: u8, priority: Priority) -> House {
    House::with(ladder(length, priority), staff(length)).await
}

async fn submitted(house: &House) -> ComplaintId {
    let mut submission = submission();
    submission.against = None;
    house.as_actor(customer("john")).submit(submission).await.unwrap().id()
}

async fn acting(house: &House, id: &str) -> Acting {
    let member = house.desk.store().find(&agent_id(id)).await.unwrap().unwrap();
    house.as_actor(Actor::agent(&member.agent))
}

async fn holder(house: &House, id: ComplaintId) -> (String, Acting) {
    let handler = house.state(id).await.handler.unwrap();
    (handler.to_string(), acting(house, handler.as_str()).await)
}

fn because(name: C) -> Command {
    Command::with_reason(name, "Because.")
}

fn refused(result: Result<Complaint, DeskError>) -> Vec<&'static str> {
    match result {
        Err(DeskError::Refused(refusal)) => refusal.failed.iter().map(|failed| failed.code).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn resolved() -> Command {
    decision(C::Resolve, Vec::new())
}

#[tokio::test]
async fn every_handler_can_send_it_up_to_the_superior_until_the_last_decides() {
    for length in LENGTHS {
        let house = house(length, Priority::Normal).await;
        assert_eq!(house.desk.policy().faults(), []);
        let id = submitted(&house).await;
        for number in 1..=length {
            let (name, handler) = holder(&house, id).await;
            // The reporting line goes before the router's own choice, which would be `a`.
            assert_eq!(name, if number == 1 { "a1".to_owned() } else { format!("c{number}") }, "of {length}");
            assert_eq!(house.state(id).await.level, level(number));
            assert_eq!(house.desk.policy().level_name(level(number)), format!("Office {number}"));
            handler.begin(id).await.unwrap();
            if number < length {
                handler.perform(id, because(C::Escalate)).await.unwrap();
            } else {
                assert_eq!(refused(handler.perform(id, because(C::Escalate)).await), ["last_level"]);
                let much = decision(C::Resolve, vec![Remedy::refund("1000000 EUR").unwrap()]);
                handler.perform(id, much).await.unwrap();
            }
        }
        let complaint = house.state(id).await;
        assert_eq!((complaint.status, complaint.escalations.len()), (Status::Resolved, usize::from(length) - 1));
        assert!(house.desk.replays(id).await.unwrap());
        house.workloads_add_up().await;
    }
}

#[tokio::test]
async fn contesting_climbs_the_ladder_and_ends_with_final_authority() {
    for length in LENGTHS {
        let house = house(length, Priority::Normal).await;
        let john = house.as_actor(customer("john"));
        let id = submitted(&house).await;
        let mut deciders = Vec::new();
        for number in 1..=length {
            let (name, handler) = holder(&house, id).await;
            deciders.push(name);
            handler.begin(id).await.unwrap();
            handler.perform(id, resolved()).await.unwrap();
            if number < length {
                let contested = john.perform(id, because(C::Contest)).await.unwrap();
                assert_eq!(contested.level, level(number + 1));
            }
        }
        assert_eq!(refused(john.perform(id, because(C::Contest)).await), ["final_authority_reached"]);
        // New evidence is heard even there, by somebody who did not decide.
        let news = Input {
            reason: Some("A photograph.".into()),
            new_evidence: Some("A photograph.".into()),
            ..Input::default()
        };
        let heard = john.perform(id, input(C::Contest, news)).await.unwrap();
        assert_eq!((heard.level, heard.status), (level(length), Status::Assigned));
        let (name, handler) = holder(&house, id).await;
        assert!(!deciders.contains(&name), "{name} decided before");
        handler.begin(id).await.unwrap();
        handler.perform(id, resolved()).await.unwrap();
        john.accept(id).await.unwrap();
        assert_eq!(house.state(id).await.status, Status::Closed);
        assert!(house.desk.replays(id).await.unwrap());
    }
}

#[tokio::test]
async fn each_level_s_limit_by_priority_sends_it_up_one_level() {
    for length in LENGTHS {
        for (priority, unit) in [(Priority::Normal, TimeDelta::days(1)), (Priority::Urgent, TimeDelta::hours(1))] {
            let house = house(length, priority).await;
            let id = submitted(&house).await;
            let mut since: DateTime<Utc> = house.desk.now();
            for number in 1..=length {
                let due = house.state(id).await.deadline(ClockKind::Level).unwrap().due_at.unwrap();
                assert_eq!(due - since, unit * i32::from(number), "{priority} at level {number} of {length}");
                house.clock.set(due - TimeDelta::seconds(1));
                house.desk.sweep().await.unwrap();
                assert_eq!(house.state(id).await.level, level(number), "not a second too early");
                house.clock.set(due);
                house.desk.sweep().await.unwrap();
                let complaint = house.state(id).await;
                assert_eq!(complaint.level, level(number.saturating_add(1).min(length)), "one level, and never beyond");
                since = due;
            }
            let complaint = house.state(id).await;
            let causes: Vec<_> = complaint.escalations.iter().map(|it| (it.from, it.causes.clone())).collect();
            let wanted: Vec<_> =
                (1..length).map(|from| (level(from), vec![EscalationCause::Clock(ClockKind::Level)])).collect();
            assert_eq!(causes, wanted);
            // The last level's limit is told, once.
            for _ in 0..3 {
                house.clock.advance(TimeDelta::days(3));
                house.desk.sweep().await.unwrap();
            }
            let log = house.desk.store().log(id, 0, 1000).await.unwrap();
            let alarms = log.iter().filter(|it| it.event == Event::Alarmed { clock: ClockKind::Level });
            assert_eq!(alarms.count(), 1, "{priority}, {length} levels");
        }
    }
}

#[tokio::test]
async fn supervisors_and_disappointed_customers_can_send_it_up() {
    for length in [2, 5, 9] {
        let house = house(length, Priority::Normal).await;
        let john = house.as_actor(customer("john"));
        let id = submitted(&house).await;
        assert!(refused(john.perform(id, because(C::Escalate)).await).contains(&"no_deadline_missed"));
        let up = acting(&house, "b2").await.perform(id, because(C::Escalate)).await.unwrap();
        assert_eq!(up.level, level(2));
        if length > 2 {
            let due = up.deadline(ClockKind::Level).unwrap().due_at.unwrap();
            // Late, and no sweep has come by yet.
            house.clock.set(due + TimeDelta::seconds(1));
            let up = john.perform(id, because(C::Escalate)).await.unwrap();
            assert_eq!(up.level, level(3));
            assert_eq!(up.escalations.last().unwrap().causes, [EscalationCause::Customer]);
        }
    }
}

#[tokio::test]
async fn a_superior_who_cannot_take_it_is_passed_over() {
    let house = house(5, Priority::Normal).await;
    let id = submitted(&house).await;
    let (_, handler) = holder(&house, id).await;
    let mut superior = house.desk.store().find(&agent_id("c2")).await.unwrap().unwrap().agent;
    superior.enabled = false;
    house.desk.enrol(superior).await.unwrap();
    handler.begin(id).await.unwrap();
    handler.perform(id, because(C::Escalate)).await.unwrap();
    assert_eq!(holder(&house, id).await.0, "a2", "the router chooses from the level");
}

#[tokio::test]
async fn the_reporting_line_holds_until_the_morning_and_ends_when_it_is_contested() {
    let mut policy = ladder(2, Priority::Normal);
    policy.levels[0].target = "11 hours".parse().unwrap();
    let shift = policy.calendar.clone();
    let above =
        |id: &str, room| Agent::named(id, id).unwrap().at_level(level(2)).with_capacity(room).on_shift(shift.clone());
    let asha = Agent::named("asha", "asha").unwrap().skilled_in(["damaged goods"]).reporting_to(agent_id("boss"));
    let house = House::with(policy, vec![asha, above("boss", 10), above("aaa", 100)]).await;
    let (by_hand, by_clock) = (house.submit().await.id, house.submit().await.id);
    // Level 2 has gone home.
    house.clock.set("2026-11-23T20:30:00Z".parse().unwrap());
    let asha = acting(&house, "asha").await;
    asha.perform(by_hand, because(C::Escalate)).await.unwrap();
    house.desk.sweep().await.unwrap();
    let boss = acting(&house, "boss").await;
    for id in [by_hand, by_clock] {
        let complaint = house.state(id).await;
        assert_eq!((complaint.status, complaint.level), (Status::Queued, level(2)));
        let explained = boss.routing(id).await.unwrap().unwrap();
        let preferred: Vec<_> = explained.candidates.iter().filter(|it| it.preferred).map(|it| &it.agent).collect();
        assert_eq!((preferred, explained.chosen), (vec![&agent_id("boss")], None));
    }
    house.clock.set("2026-11-24T09:30:00Z".parse().unwrap());
    house.desk.sweep().await.unwrap();
    for id in [by_hand, by_clock] {
        assert_eq!(holder(&house, id).await.0, "boss", "who has far less room than the other one");
    }
    // Back to whoever knows it, and up again by the customer: the superior of whoever decided is one of all.
    boss.begin(by_hand).await.unwrap();
    let instruction = Input { instruction: Some("Ask again.".into()), ..Input::default() };
    boss.perform(by_hand, input(C::HandBack, instruction)).await.unwrap();
    asha.begin(by_hand).await.unwrap();
    asha.perform(by_hand, resolved()).await.unwrap();
    house.as_actor(customer("john")).perform(by_hand, because(C::Contest)).await.unwrap();
    let contested = house.state(by_hand).await;
    assert_eq!((contested.level, contested.escalations.last().unwrap().to), (level(2), level(2)));
    assert_eq!(holder(&house, by_hand).await.0, "aaa");
}

#[tokio::test]
async fn money_goes_up_to_who_may_decide_it() {
    for length in [2, 5, 9] {
        let house = house(length, Priority::Normal).await;
        let id = submitted(&house).await;
        let (_, handler) = holder(&house, id).await;
        handler.begin(id).await.unwrap();
        let refund = |name| decision(name, vec![Remedy::refund("150.00 EUR").unwrap()]);
        assert_eq!(refused(handler.perform(id, refund(C::Resolve)).await), ["over_authority"]);
        handler.perform(id, refund(C::Propose)).await.unwrap();
        let approved = acting(&house, "b2").await.perform(id, Command::plain(C::Approve)).await.unwrap();
        assert_eq!(approved.resolution().unwrap().outcome, Outcome::Upheld);
    }
}

#[tokio::test]
async fn in_a_ladder_of_one_a_handler_who_is_gone_gives_it_back() {
    let house = house(1, Priority::Normal).await;
    let id = submitted(&house).await;
    let (name, _) = holder(&house, id).await;
    let mut gone = house.desk.store().find(&agent_id(&name)).await.unwrap().unwrap().agent;
    gone.enabled = false;
    house.desk.enrol(gone).await.unwrap();
    house.desk.sweep().await.unwrap();
    let log = house.desk.store().log(id, 0, 1000).await.unwrap();
    assert!(log.iter().any(|entry| tag(&entry.event) == "released"));
    assert_ne!(holder(&house, id).await.0, name);
}

/// Whom a change tells that nobody can take it, and what it says.
fn unroutable(house: &House) -> Vec<(Recipient, String, Option<String>)> {
    let changes = house.changes.0.lock().unwrap().clone();
    let notices = changes.iter().flat_map(complaint_core::store::Change::notices);
    notices
        .filter(|notice| notice.kind == NoticeKind::Unroutable)
        .map(|notice| (notice.recipient.clone(), notice.subject.clone(), notice.text.clone()))
        .collect()
}

async fn staffed(ids: &[&str]) -> House {
    let staff = crate::house::agents().into_iter().filter(|it| ids.contains(&it.id.as_str())).collect();
    House::with(policy(), staff).await
}

fn with_evidence() -> Command {
    let words = || Some("A photograph.".to_owned());
    input(C::Contest, Input { reason: words(), new_evidence: words(), ..Input::default() })
}

#[tokio::test]
async fn when_the_only_one_of_the_last_level_has_decided_those_who_can_help_are_told_at_once_and_once() {
    let house = staffed(&["sarah", "mia", "omar"]).await;
    let john = house.as_actor(customer("john"));
    let id = house.submit().await.id;
    for _ in 0..2 {
        house.handler(id).await.begin(id).await.unwrap();
        house.handler(id).await.escalate(id, "Too big.").await.unwrap();
    }
    house.handler(id).await.begin(id).await.unwrap();
    house.handler(id).await.perform(id, decision(C::Resolve, Vec::new())).await.unwrap();
    assert_eq!(unroutable(&house), []);
    let contested = john.perform(id, with_evidence()).await.unwrap();
    assert_eq!((contested.status, contested.level), (Status::Queued, level(3)));
    // The clocks have nobody to send it to: the customer is given no date that nobody can keep.
    let letters = house.changes.0.lock().unwrap().last().unwrap().notices().to_vec();
    let letter = letters.iter().find(|it| it.kind == NoticeKind::ContestedCustomer).unwrap();
    assert_eq!(letter.due_at, None);
    let without = john.without_promise(std::slice::from_ref(&contested)).await.unwrap();
    assert!(without.contains(&id) && contested.promised(house.desk.now()).is_some(), "nor anywhere else");
    let told = unroutable(&house);
    let why = Some("omar held or decided it before it was contested.".to_owned());
    // Not those whom it is against, who held it on its way or decided it: they can do nothing about it.
    let except = ["sarah", "mia", "omar", "zoe"].map(agent_id).into();
    let last = Recipient::Level { level: level(3), down_to: level(3), except };
    let reference = contested.reference.to_string();
    // An admin reads nothing that people wrote.
    assert_eq!(told, [(last, contested.subject.clone(), why.clone()), (Recipient::Admins, reference, why)]);
    for _ in 0..3 {
        house.clock.advance(TimeDelta::hours(5));
        house.desk.sweep().await.unwrap();
    }
    // What is missed meanwhile names no next date either.
    house.clock.advance(TimeDelta::days(70));
    house.desk.sweep().await.unwrap();
    let late = house.changes.0.lock().unwrap().iter().flat_map(|it| it.notices().to_vec()).collect::<Vec<_>>();
    let to_john = |it: &&complaint_core::notice::Notice| matches!(it.recipient, Recipient::Customer(_));
    let missed: Vec<_> = late.iter().filter(to_john).filter(|it| matches!(it.kind, NoticeKind::Missed(_))).collect();
    assert!(!missed.is_empty() && missed.iter().all(|it| it.due_at.is_some() && it.next_at.is_none()), "{missed:?}");
    house.as_actor(agent("omar")).perform(id, Command::with_text(C::Note, "Not me.")).await.unwrap();
    assert_eq!(unroutable(&house).len(), 2, "once for the time it is in this queue");
    let ids: std::collections::BTreeSet<_> =
        house.changes.0.lock().unwrap().iter().flat_map(|it| it.notices().to_vec()).map(|it| it.id).collect();
    let count: usize = house.changes.0.lock().unwrap().iter().map(|it| it.notices().len()).sum();
    assert_eq!(ids.len(), count, "each notice has an id of its own");
    house.desk.enrol(crate::house::agents().into_iter().find(|it| it.id.as_str() == "olga").unwrap()).await.unwrap();
    assert!(john.without_promise(&[contested]).await.unwrap().is_empty(), "somebody came");
}

/// Where the clocks bring it to somebody the dates hold; up a ladder on which nobody is they do not.
#[tokio::test]
async fn a_date_is_given_wherever_somebody_above_can_keep_it_and_nowhere_else() {
    for (staff, keeps) in [(["omar"].as_slice(), true), (&[], false)] {
        let house = staffed(staff).await;
        let john = house.as_actor(customer("john"));
        let submitted = house.submit().await;
        assert_eq!((submitted.status, submitted.level), (Status::Queued, level(1)));
        let without = async |complaint: &Complaint| {
            let without = john.without_promise(std::slice::from_ref(complaint)).await.unwrap();
            without.contains(&complaint.id)
        };
        assert_eq!(without(&submitted).await, !keeps);
        while house.state(submitted.id).await.level < level(3) {
            house.clock.advance(TimeDelta::days(1));
            house.desk.sweep().await.unwrap();
        }
        let it = house.state(submitted.id).await;
        assert_eq!((it.handler.is_some(), without(&it).await), (keeps, !keeps), "by the clocks alone");
        let letters: Vec<_> = house.changes.0.lock().unwrap().iter().flat_map(|it| it.notices().to_vec()).collect();
        let to_john = |it: &&complaint_core::notice::Notice| matches!(it.recipient, Recipient::Customer(_));
        for letter in letters.iter().filter(to_john).filter(|it| !matches!(it.kind, NoticeKind::Missed(_))) {
            assert_eq!(letter.due_at.is_some(), keeps, "{:?}", letter.kind);
        }
    }
}

#[tokio::test]
async fn who_is_off_shift_or_full_is_waited_for_in_silence_and_who_is_away_is_not() {
    let full = crate::house::agents().into_iter().filter(|it| it.id.as_str() == "sarah");
    let house = House::with(policy(), full.map(|agent| agent.with_capacity(1)).collect()).await;
    house.submit().await;
    assert_eq!(house.submit().await.status, Status::Queued);
    assert_eq!(unroutable(&house), [], "she is full, and others will be finished");
    let mut sarah = house.desk.store().find(&agent_id("sarah")).await.unwrap().unwrap().agent;
    sarah.absence = Some(Absence { from: house.desk.now(), until: house.desk.now() + TimeDelta::days(20) });
    house.desk.enrol(sarah).await.unwrap();
    house.submit().await;
    let told = unroutable(&house);
    assert_eq!(told.len(), 2);
    assert!(matches!(told[0].0, Recipient::Level { level: above, .. } if above == level(2)), "{told:?}");
    assert!(told[0].2.as_deref().unwrap().starts_with("sarah is absent until 2026-12-13"), "{told:?}");
    let nobody = House::with(policy(), Vec::new()).await;
    nobody.submit().await;
    assert_eq!(unroutable(&nobody)[1].2.as_deref(), Some("Nobody works at the level Representative."));
}

fn back() -> Command {
    input(C::HandBack, Input { instruction: Some("Ask again.".into()), ..Input::default() })
}

#[tokio::test]
async fn contested_it_never_comes_back_to_whoever_held_or_decided_it() {
    let house = staffed(&["sarah", "ben", "maria", "mia", "omar"]).await;
    let john = house.as_actor(customer("john"));
    let id = house.submit().await.id;
    let (sarah, handler) = holder(&house, id).await;
    handler.begin(id).await.unwrap();
    handler.escalate(id, "More than I can decide.").await.unwrap();
    let (maria, handler) = holder(&house, id).await;
    handler.begin(id).await.unwrap();
    handler.perform(id, resolved()).await.unwrap();
    john.contest(id, "Still broken.").await.unwrap();
    assert_eq!(house.state(id).await.level, level(3));
    let (omar, handler) = holder(&house, id).await;
    handler.begin(id).await.unwrap();
    // The customer was told who looks at it: not somebody below.
    let offered = handler.available_commands(id).await.unwrap();
    let offered = offered.iter().find(|it| it.command == C::HandBack).unwrap();
    assert_eq!(offered.failed.iter().map(|it| it.code).collect::<Vec<_>>(), ["contested_to_this_level"]);
    assert_eq!(refused(handler.perform(id, back()).await), ["contested_to_this_level"]);
    // Nor does it find its way to those who have risen since.
    for name in [&sarah, &maria] {
        let mut risen = house.desk.store().find(&agent_id(name)).await.unwrap().unwrap().agent;
        risen.level = level(3);
        house.desk.enrol(risen).await.unwrap();
        let given = Input { agent: Some(agent_id(name)), reason: Some("They know it.".into()), ..Input::default() };
        assert_eq!(refused(handler.perform(id, input(C::Reassign, given)).await), ["not_eligible"], "{name}");
    }
    handler.perform(id, resolved()).await.unwrap();
    assert_eq!(house.state(id).await.deciders.last().map(AgentId::as_str), Some(&*omar));
}

#[tokio::test]
async fn it_is_not_handed_back_to_where_nobody_could_ever_take_it() {
    let house = staffed(&["sarah", "mia"]).await;
    let id = house.submit().await.id;
    house.handler(id).await.perform(id, because(C::Decline)).await.unwrap();
    let mia = house.as_actor(agent("mia"));
    mia.escalate(id, "Nobody is left below.").await.unwrap();
    mia.begin(id).await.unwrap();
    let offered = mia.available_commands(id).await.unwrap();
    let offered = offered.iter().find(|it| it.command == C::HandBack).unwrap();
    assert_eq!(offered.failed.iter().map(|it| it.code).collect::<Vec<_>>(), ["nobody_below"]);
    assert_eq!(refused(mia.perform(id, back()).await), ["nobody_below"]);
    // Somebody who is away comes back: it goes there, and those who can help are told.
    let mut ben = crate::house::agents().into_iter().find(|it| it.id.as_str() == "ben").unwrap();
    ben.absence = Some(Absence { from: house.desk.now(), until: house.desk.now() + TimeDelta::days(2) });
    house.desk.enrol(ben).await.unwrap();
    let handed = mia.perform(id, back()).await.unwrap();
    assert_eq!((handed.status, handed.level), (Status::Queued, level(1)));
    let told = unroutable(&house);
    let why = told.last().and_then(|it| it.2.as_deref()).unwrap();
    assert_eq!(why, "ben is absent until 2026-11-25 09:30 UTC.\nsarah declined it at this level.");
    house.clock.advance(TimeDelta::days(2));
    house.desk.sweep().await.unwrap();
    assert_eq!(holder(&house, id).await.0, "ben");
}

#[tokio::test]
async fn the_last_level_s_decision_names_until_when_new_evidence_is_heard_and_the_command_asks_for_it() {
    for length in [1, 3] {
        let house = house(length, Priority::Normal).await;
        let john = house.as_actor(customer("john"));
        let id = submitted(&house).await;
        for number in 1..=length {
            let (_, handler) = holder(&house, id).await;
            handler.begin(id).await.unwrap();
            let decided = handler.perform(id, resolved()).await.unwrap();
            let last = number == length;
            let notices = house.changes.0.lock().unwrap().last().unwrap().notices().to_vec();
            let notice = notices.iter().find(|it| matches!(it.recipient, Recipient::Customer(_))).unwrap();
            let kind = if last { NoticeKind::FinalDecision } else { NoticeKind::Decision };
            let until = decided.deadline(ClockKind::ContestWindow).unwrap().due_at;
            assert_eq!((notice.kind, notice.due_at), (kind, until), "level {number} of {length}");
            let offers = john.available_commands(id).await.unwrap();
            let contest = offers.iter().find(|it| it.command == C::Contest).unwrap();
            let mut wanted = vec![Field::Reason];
            wanted.extend(last.then_some(Field::NewEvidence));
            assert_eq!((contest.allowed, &contest.required), (true, &wanted), "level {number} of {length}");
            if !last {
                john.perform(id, because(C::Contest)).await.unwrap();
            }
        }
        assert_eq!(refused(john.perform(id, because(C::Contest)).await), ["final_authority_reached"]);
    }
}
