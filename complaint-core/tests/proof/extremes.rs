//! Whatever the clock says and a damaged store gives: the rules answer or refuse, and nothing panics.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use complaint_core::agent::Member;
use complaint_core::complaint::Submission;
use complaint_core::deadline::{Calendar, due_commands, next_action_at};
use complaint_core::id::{ComplaintId, Level, Version};
use complaint_core::lifecycle::{Command, CommandName as C, Context, Input, decide, submit};
use complaint_core::notice::announce;
use complaint_core::reference::Reference;
use complaint_core::routing::{Need, Roster, route, route_batch};
use complaint_core::testing::KeptNotices;
use complaint_core::{Actor, Agent, Complaint, Remedy};

use crate::house::{House, agent_id, customer, decision, input, policy, submission, uuid};
use crate::spoilings::well_given;
use crate::stages::{Stage, actors, of, stages};

/// Both ends of time, the end of the calendar, and one from which a year fits in and five do not.
fn instants() -> [DateTime<Utc>; 4] {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    [first, Calendar::LAST, last - TimeDelta::days(400), last]
}

/// Every command as it should be given, and those that name a day with the farthest there is.
fn commands(stage: &Stage, actor: &Actor) -> Vec<(Command, Option<Complaint>)> {
    let names = C::ALL.iter().filter(|name| **name != C::Submit);
    let given = names.map(|name| well_given(stage, actor, *name)).map(|case| (case.command, case.other));
    let far = || vec![Remedy::replacement().due_on(NaiveDate::MAX)];
    let until = Some(NaiveDate::MAX);
    let hold = input(C::Hold, Input { party: Some("The carrier".into()), until, ..Input::default() });
    let far = [decision(C::Resolve, far()), decision(C::Propose, far()), hold];
    given.chain(far.map(|command| (command, None))).collect()
}

/// Lists what everybody may do and tries all of it, and goes on with what comes of it.
fn try_everything(stage: &Stage, complaint: &Complaint, now: DateTime<Utc>) {
    let mut world = stage.world.clone();
    world.now = now;
    let context = Context::new(&world.policy, now);
    let roles = ["customer", "handler", "supervisor", "admin", "system"];
    for (_, actor) in actors(complaint).into_iter().filter(|(role, _)| roles.contains(role)) {
        complaint.available_commands(&actor, &context);
        for (command, other) in commands(stage, &actor) {
            if let Ok(entries) = world.decide(complaint, &actor, &command, other.as_ref()) {
                announce(Some(complaint), &of(complaint, &entries), &entries, &world.policy);
            }
        }
    }
    for command in due_commands(complaint, &world.policy, now) {
        if let Ok(entries) = decide(complaint, &command, &Actor::system(), &context) {
            announce(Some(complaint), &of(complaint, &entries), &entries, &world.policy);
        }
    }
    next_action_at(complaint);
    route(&Need::as_of(complaint, now), &Roster::default(), now);
}

fn of_the_first_level() -> Vec<Stage> {
    stages(&policy()).into_iter().filter(|stage| stage.plain && stage.name.ends_with("at 1")).collect()
}

#[test]
fn no_instant_makes_the_rules_panic() {
    let stages = of_the_first_level();
    assert!(stages.len() > 20, "{}", stages.len());
    for now in instants() {
        for stage in &stages {
            try_everything(stage, &stage.complaint, now);
        }
        let rules = policy();
        let hand_in = |submission: &Submission| {
            let (id, reference) = (ComplaintId::from_uuid(uuid(7)), Reference::from_entropy(7));
            submit(id, reference, submission, &customer("john"), &Context::new(&rules, now))
        };
        let bought = |on: NaiveDate| Submission { purchase_date: Some(on), ..submission() };
        assert!(hand_in(&submission()).is_ok(), "at {now}");
        let ahead = now.date_naive().checked_add_days(Days::new(2)).map(|day| hand_in(&bought(day)).unwrap_err());
        assert!(ahead.is_none_or(|refusal| refusal.has("in_the_future")), "at {now}");
    }
}

/// With every number that is stored at its end, each by itself and all together.
#[test]
fn no_damaged_state_makes_the_rules_panic() {
    let damages: [fn(&mut Complaint); 8] = [
        |it| it.entries = u32::MAX,
        |it| {
            it.version = Version::new(u64::MAX);
            it.public_version = Version::new(u64::MAX);
        },
        |it| it.files_by_customer = u32::MAX,
        |it| {
            for number in
                [&mut it.level_entries, &mut it.assignments, &mut it.questions, &mut it.proposals, &mut it.decisions]
            {
                *number = u32::MAX;
            }
        },
        |it| {
            for promise in &mut it.remedies {
                promise.failed_again = u32::MAX;
            }
        },
        |it| {
            for deadline in it.deadlines.iter_mut().map(Arc::make_mut) {
                deadline.instance = u32::MAX;
                deadline.total_micros = u64::MAX;
                deadline.left_micros = deadline.left_micros.map(|_| u64::MAX);
            }
        },
        |it| {
            for deadline in it.deadlines.iter_mut().map(Arc::make_mut) {
                deadline.due_at = deadline.due_at.map(|_| DateTime::<Utc>::MIN_UTC);
            }
        },
        |it| it.weight = u32::MAX,
    ];
    for stage in of_the_first_level() {
        let mut whole = stage.complaint.clone();
        for damage in damages {
            let mut one = stage.complaint.clone();
            damage(&mut one);
            damage(&mut whole);
            try_everything(&stage, &one, stage.world.now);
        }
        try_everything(&stage, &whole, stage.world.now);
    }
}

/// Nobody has room for what cannot be counted, whatever they are said to have room for.
#[test]
fn no_weight_is_more_than_can_be_counted() {
    let member = |workload| {
        let agent = Agent::named("asha", "Asha").unwrap().with_capacity(u32::MAX);
        Roster { members: vec![Member { agent, workload, last_assigned_at: None }], ..Roster::default() }
    };
    let need = |weight| Need { weight, urgency: 8, ..Need::at(Level::FIRST) };
    let asha = agent_id("asha");
    for (workload, weights, given) in [
        (u32::MAX - 4, vec![5], 0),
        (u32::MAX - 5, vec![5], 1),
        (0, vec![u32::MAX, u32::MAX], 1),
        (7, vec![3_000_000_000, 2_000_000_000, 1_000_000_000, 5], 3),
    ] {
        let (roster, needs) = (member(workload), weights.iter().copied().map(need).collect::<Vec<_>>());
        let batch = route_batch(&needs, &roster, DateTime::UNIX_EPOCH);
        assert_eq!(needs.len() - batch.waiting(), given, "{workload} and {weights:?}");
        let one = route(&needs[0], &roster, DateTime::UNIX_EPOCH);
        assert_eq!(one.chosen.as_ref() == Some(&asha), workload.checked_add(weights[0]).is_some(), "{workload}");
    }
}

#[tokio::test]
async fn notices_go_out_until_the_end_of_time() {
    let house = House::new(policy()).await;
    house.clock.set(DateTime::<Utc>::MAX_UTC - TimeDelta::minutes(1));
    house.submit().await;
    let delivered = house.desk.clone().notifying(KeptNotices::new()).deliver().await.unwrap();
    assert!(delivered.delivered > 0, "{delivered:?}");
}
