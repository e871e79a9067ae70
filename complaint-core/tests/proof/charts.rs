//! The printed lifecycle against what complaints really do, and the picture in the README against the code.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use chrono::TimeDelta;
use complaint_core::complaint::Remedy;
use complaint_core::deadline::due_commands;
use complaint_core::lifecycle::{Command, CommandName as C, Input, Lifecycle, Status, SvgOptions, Trail, evolve};
use complaint_core::{Actor, Complaint, Policy};

use crate::house::{World, admin, agent, agent_id, customer, decision, file, input, policy, replacement};

/// Every input that leads somewhere.
fn commands(name: C, other: &Complaint, world: &World) -> Vec<Command> {
    let given = || Input {
        reason: Some("Because.".into()),
        text: Some("Some words.".into()),
        comment: Some("Some words.".into()),
        explanation: Some("It was us.".into()),
        instruction: Some("Ask again.".into()),
        evidence: Some("Receipt 7.".into()),
        party: Some("The carrier".into()),
        body: Some("The city".into()),
        until: Some(world.now.date_naive() + TimeDelta::days(3)),
        into: Some(other.reference.to_string()),
        consent: (other.customer.as_str() != "john").then(|| "On the phone.".to_owned()),
        score: Some(5),
        new_evidence: Some("A photograph.".into()),
        ..Input::default()
    };
    match name {
        C::Submit | C::FollowUp => Vec::new(),
        C::Attach => vec![Command::attach(vec![file(1)])],
        C::Propose | C::Resolve => vec![
            decision(name, Vec::new()),
            decision(name, replacement()),
            decision(name, vec![Remedy::refund("500.00 EUR").unwrap()]),
        ],
        C::Assign | C::Reassign => ["sarah", "ben", "maria", "max"]
            .into_iter()
            .map(|id| input(name, Input { agent: Some(agent_id(id)), reason: given().reason, ..Input::default() }))
            .collect(),
        C::Dismiss => {
            vec![input(name, Input { reason: Some("spam".into()), text: given().text, ..Input::default() })]
        }
        _ => {
            let mut body = serde_json::to_value(given()).unwrap();
            let known: BTreeSet<&str> = name.fields().iter().map(|field| field.name()).collect();
            body.as_object_mut().unwrap().retain(|field, _| known.contains(field.as_str()));
            vec![Command::from_json(name, &body).unwrap()]
        }
    }
}

type Seen = (BTreeSet<(String, Status, Status)>, BTreeMap<String, BTreeSet<Status>>);

/// What matters to where a complaint can go next.
fn kind(world: &World, complaint: &Complaint) -> String {
    let facts = (
        (complaint.status, complaint.level, complaint.handler.is_some(), complaint.question.is_some()),
        complaint.joined_by_consent,
        (
            complaint.outstanding_remedies().count().min(1),
            complaint.has_failed_remedy(),
            complaint.resolutions.len().min(1),
            complaint.remedies.iter().any(|promise| promise.fulfilled.is_some()),
        ),
        complaint.proposal.as_ref().map(|proposal| proposal.remedies.len()),
        complaint.resolution().map(|it| (it.accepted_at.is_some(), it.recorded_by.is_some())),
        world.handler_available,
        !due_commands(complaint, &world.policy, world.now).is_empty(),
    );
    format!("{facts:?}")
}

/// Walks from a submitted complaint through everything that anybody can do, and notes every change of status and the
/// statuses in which each clock was seen to run.
fn walked(policy: &Policy) -> Seen {
    let mut start = World::new(policy.clone());
    let other = start.submitted();
    let first = start.submitted();
    let theirs = Complaint { customer: "jane".parse().unwrap(), ..start.submitted() };
    start.log.clear();
    let staff: Vec<Actor> = ["ben", "max", "olga"].into_iter().take(policy.levels.len()).map(agent).collect();
    let (mut changes, mut clocks) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<Status>>::new());
    let mut known = BTreeSet::from([kind(&start, &first)]);
    let mut open = VecDeque::from([(start, first)]);
    while let Some((world, complaint)) = open.pop_front() {
        // That the law waits for the end of somebody else's complaint is nothing of the way that this one takes.
        let running = complaint.deadlines.iter().filter(|it| it.ended.is_none() && it.due_at.is_some());
        for deadline in running.filter(|_| !complaint.joined_by_consent) {
            clocks.entry(deadline.clock.name().to_owned()).or_default().insert(complaint.status);
        }
        let due = due_commands(&complaint, policy, world.now).into_iter();
        let mut attempts: Vec<(Actor, Command, &Complaint)> =
            due.map(|command| (Actor::system(), command, &other)).collect();
        let handler = complaint.handler.as_ref().map(|id| agent(id.as_str()));
        let actors: Vec<Actor> = [customer("john"), admin()].into_iter().chain(staff.clone()).chain(handler).collect();
        for name in C::ALL {
            let others = [&other, &theirs].into_iter().take(if is_of_two(*name) { 2 } else { 1 });
            for (other, command) in
                others.flat_map(|other| commands(*name, other, &world).into_iter().map(move |it| (other, it)))
            {
                attempts.extend(actors.iter().map(|actor| (actor.clone(), command.clone(), other)));
            }
        }
        for (actor, command, other) in attempts {
            let joins = is_of_two(command.name()).then_some(other);
            let Ok(entries) = world.decide(&complaint, &actor, &command, joins) else { continue };
            let own = entries.iter().filter(|entry| entry.complaint == complaint.id);
            let next = own.fold(complaint.clone(), evolve);
            if next.status != complaint.status {
                changes.insert((command.name().to_string(), complaint.status, next.status));
            }
            if known.insert(kind(&world, &next)) {
                open.push_back((world.clone(), next));
            }
        }
        let mut found = Vec::new();
        for hours in [9, 30 * 24] {
            let mut later = world.clone();
            later.later(TimeDelta::hours(hours));
            found.push((later, complaint.clone()));
        }
        found.push((World { handler_available: false, ..world }, complaint));
        open.extend(found.into_iter().filter(|(world, complaint)| known.insert(kind(world, complaint))));
    }
    println!("{} levels: {} kinds of complaint, {} changes of status", policy.levels.len(), known.len(), changes.len());
    (changes, clocks)
}

fn is_of_two(name: C) -> bool {
    matches!(name, C::Merge | C::Unmerge)
}

fn drawn(policy: &Policy) -> Seen {
    let json = Lifecycle::of(policy).to_json();
    let status = |value: &serde_json::Value| value.as_str().unwrap().parse::<Status>().unwrap();
    let changes = json["changes"].as_array().unwrap().iter();
    let changes =
        changes.map(|it| (it["command"].as_str().unwrap().to_owned(), status(&it["from"]), status(&it["to"])));
    let clocks = json["clocks"].as_array().unwrap().iter();
    let clocks = clocks.map(|it| {
        (it["name"].as_str().unwrap().to_owned(), it["runs_in"].as_array().unwrap().iter().map(status).collect())
    });
    (changes.collect(), clocks.collect())
}

#[test]
fn what_is_drawn_is_what_happens() {
    let of = |levels: usize, four_eyes: bool| {
        let mut policy = Policy { four_eyes, ..policy() };
        policy.levels.truncate(levels);
        policy
    };
    for policy in [of(1, false), of(2, false), of(2, true)] {
        let ((happened, ran), (drawn, runs)) = (walked(&policy), drawn(&policy));
        // In a ladder of one there is nobody who releases but a desk, from a handler who is gone.
        let by_desk = |change: &&(String, Status, Status)| policy.levels.len() == 1 && change.0 == "release";
        let invented: Vec<_> = drawn.difference(&happened).filter(|change| !by_desk(change)).collect();
        let missing: Vec<_> = happened.difference(&drawn).collect();
        assert!(invented.is_empty() && missing.is_empty(), "drawn only {invented:?}, not drawn {missing:?}");
        for (clock, seen) in ran {
            assert!(seen.is_subset(&runs[&clock]), "{clock} runs in {seen:?}");
        }
    }
}

#[test]
fn mermaid_and_dot_draw_the_same_changes() {
    for policy in [policy(), Policy { four_eyes: true, ..policy() }] {
        let lifecycle = Lifecycle::of(&policy);
        let (changes, _) = drawn(&policy);
        for (arrow, text) in [(" --> ", lifecycle.to_mermaid()), (" -> ", lifecycle.to_dot())] {
            for (command, from, to) in &changes {
                let start = format!("{from}{arrow}{to} ");
                let line = text.lines().find(|line| line.trim().starts_with(&start));
                assert!(line.is_some_and(|line| line.contains(command.as_str())), "{start} lacks {command}");
            }
            let edges: BTreeSet<_> = changes.iter().map(|(_, from, to)| (from, to)).collect();
            let lines = text.lines().filter(|line| {
                let mut ends = line.trim().split(arrow);
                let is = |name: Option<&str>| {
                    name.and_then(|it| it.split(' ').next()).is_some_and(|it| it.parse::<Status>().is_ok())
                };
                is(ends.next()) && is(ends.next())
            });
            assert_eq!(lines.count(), edges.len());
            assert!(text.contains("contest (within 30 days)") && text.contains("urgent 1 working day"));
        }
    }
}

/// `COMPLAINT_GOLDEN=write` draws it anew.
#[test]
fn the_picture_of_the_standard_policy_is_the_code_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lifecycle.svg");
    let standard = Policy::standard();
    let now = Lifecycle::of(&standard).to_svg(&SvgOptions::default());
    if std::env::var("COMPLAINT_GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == now, "{} is not what the code draws; COMPLAINT_GOLDEN=write draws it anew", path.display());
}

#[test]
fn the_way_of_a_complaint_has_order_and_time() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    world.later(TimeDelta::hours(5));
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    world.later(TimeDelta::days(2));
    let answered = world.text(&asked, &customer("john"), C::Answer);
    world.later(TimeDelta::minutes(90));
    let resolved = world.resolved(&answered, Vec::new());
    world.later(TimeDelta::days(1));
    assert_eq!(resolved.status, Status::Resolved);

    let trail = Trail::of(&world.log, world.now);
    let stays: Vec<(Status, u64)> = trail.visits.iter().map(|visit| (visit.status, visit.seconds)).collect();
    assert_eq!(
        stays,
        [
            (Status::Queued, 0),
            (Status::Assigned, 0),
            (Status::InProgress, 5 * 3600),
            (Status::AwaitingCustomer, 2 * 86_400),
            (Status::InProgress, 5400),
            (Status::Resolved, 86_400),
        ]
    );
    assert!(trail.visits.windows(2).all(|pair| pair[0].until == Some(pair[1].from)), "without gaps");
    assert_eq!(trail.visits.last().unwrap().until, None);
    let json = trail.to_json();
    assert_eq!(json["visits"][2]["handler"], "sarah");
    assert_eq!(json["visits"][3]["seconds"], 172_800);

    let policy = policy();
    let svg = Lifecycle::of(&policy).to_svg(&SvgOptions::default().walking(&trail));
    let stay = |name: &str| {
        let group = svg.split(&format!("id=\"status-{name}\"")).nth(1).unwrap();
        group.split("</g>").next().unwrap().to_owned()
    };
    assert!(stay("in_progress").contains(">6 h 30 min<") && stay("in_progress").contains(">3 5<"));
    assert!(stay("awaiting_customer").contains(">2 d<") && stay("awaiting_customer").contains(">4<"));
    assert!(!stay("closed").contains("chart-trail"));
    assert_eq!(svg.matches("url(#lifecycle-trail-head)").count(), 5, "each change it made, once");

    // In progress to Queued, by the way that leads up.
    let mut world = World::new(policy.clone());
    world.begun_at(2);
    let trail = Trail::of(&world.log, world.now);
    let svg = Lifecycle::of(&policy).to_svg(&SvgOptions::default().walking(&trail));
    let walked = |commands: &str| {
        let group = svg.split(&format!("data-commands=\"{commands}\"")).nth(1).unwrap();
        group.split("</g>").next().unwrap().contains("url(#lifecycle-trail-head)")
    };
    assert!(walked("escalate") && walked("assign") && walked("begin"));
    assert!(!walked("release hand_back") && !walked("decline release"));
}

fn list(value: &serde_json::Value) -> Vec<serde_json::Value> {
    value.as_array().unwrap().clone()
}

#[test]
fn the_json_lists_the_whole_table_and_what_the_policy_makes_of_it() {
    let policy = policy();
    let json = Lifecycle::of(&policy).to_json();
    let statuses: Vec<_> = list(&json["statuses"])
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["open"] == true, it["end"] == true))
        .collect();
    let expected: Vec<_> = Status::ALL.map(|it| (it.name().to_owned(), it.is_open(), it.is_end())).into();
    assert_eq!(statuses, expected);

    // A row of the specification: a step up, a step down, and none.
    let commands = list(&json["commands"]);
    assert_eq!(commands.len(), complaint_core::lifecycle::TABLE.len());
    let command = |name: C| commands.iter().find(|it| it["name"] == name.name()).unwrap();
    for (name, level) in [(C::Escalate, 1), (C::Contest, 1), (C::HandBack, -1), (C::Reopen, 0)] {
        assert_eq!(command(name)["level"], level, "{name}");
        let mut changes = list(&json["changes"]).into_iter().filter(|it| it["command"] == name.name());
        assert!(changes.all(|it| it["level"] == level), "{name}");
    }
    assert_eq!(command(C::Begin)["from"], serde_json::json!(["assigned"]));
    assert_eq!(
        (&command(C::FollowUp)["new_complaint"], &command(C::Begin)["new_complaint"]),
        (&true.into(), &false.into())
    );

    let levels: Vec<_> = list(&json["levels"]).iter().map(|it| (it["level"].clone(), it["name"].clone())).collect();
    let names = ["Representative", "Supervisor", "Manager"];
    assert_eq!(levels, (1..).zip(names).map(|(at, name)| (at.into(), name.into())).collect::<Vec<(_, _)>>());
    let clocks: Vec<_> = list(&json["clocks"]).iter().map(|it| (it["name"].clone(), it["asks_for"].clone())).collect();
    assert_eq!(clocks.len(), complaint_core::deadline::ClockKind::ALL.len());
    for (clock, asks_for) in [("level", Some("escalate")), ("auto_close", Some("close")), ("contest_window", None)] {
        assert!(clocks.contains(&(clock.into(), asks_for.into())), "{clock}: {clocks:?}");
    }
}

/// What nobody can do under a policy is drawn nowhere, and listed with the reason.
#[test]
fn what_a_policy_closes_is_listed_with_who_is_barred_by_what() {
    let mut policy = policy();
    assert_eq!(Lifecycle::of(&policy).to_json()["closed"], serde_json::json!([]));
    policy.levels.truncate(1);
    policy.four_eyes = true;
    let json = Lifecycle::of(&policy).to_json();
    let closed = list(&json["closed"]);
    let of = |name: C| closed.iter().find(|it| it["command"] == name.name());
    let resolve = of(C::Resolve).unwrap();
    assert_eq!((&resolve["from"], &resolve["to"]), (&"in_progress".into(), &"resolved".into()));
    assert_eq!(resolve["barred"][0]["guard"], "no_second_person_needed");
    assert!(of(C::Escalate).is_some() && of(C::HandBack).is_some(), "{closed:?}");
    assert!(of(C::Begin).is_none());
    assert!(list(&json["changes"]).iter().all(|it| it["command"] != "escalate" && it["command"] != "resolve"));
}

#[test]
fn the_graph_groups_the_statuses_and_climbs_the_ladder_step_by_step() {
    let policy = policy();
    let dot = Lifecycle::of(&policy).to_dot();
    let mut groups = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    let mut group = "";
    for line in dot.lines() {
        if let Some(rest) = line.trim().strip_prefix("subgraph cluster_") {
            group = rest.split(' ').next().unwrap();
        } else if line.starts_with("        ") && !line.contains("->") {
            groups.entry(group).or_default().push(line.trim().split(' ').next().unwrap());
        }
    }
    let of = |is: fn(&Status) -> bool| Status::ALL.into_iter().filter(is).map(Status::name).collect::<Vec<_>>();
    assert_eq!(groups["open"], of(|it| it.is_open()));
    assert_eq!(groups["finished"], of(|it| it.is_end()));
    assert_eq!(groups["settled"], ["resolved"]);
    assert_eq!(groups["levels"], ["level_1", "level_2", "level_3"]);
    for text in [dot.replace("->", "-->"), Lifecycle::of(&policy).to_mermaid()] {
        let steps: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| {
                let (from, to) = line.trim().strip_prefix("level_")?.split_once(" --> level_")?;
                Some((from, &to[..1]))
            })
            .collect();
        assert_eq!(steps, [("1", "2"), ("2", "1"), ("2", "3"), ("3", "2")], "{text}");
        assert!(text.contains("hand_back") && text.contains("5 working days"), "{text}");
    }
}

/// A limit is the policy's: with others, other ones stand beside the same arrows.
#[test]
fn each_arrow_says_the_limit_that_the_policy_sets() {
    let limits = |policy: &Policy, command: C| -> BTreeSet<String> {
        let json = Lifecycle::of(policy).to_json();
        let of_it = |it: &serde_json::Value| it["command"] == command.name();
        let changes = list(&json["changes"]).into_iter().filter(of_it);
        changes.filter_map(|it| it["limit"].as_str().map(str::to_owned)).collect()
    };
    let standard = policy();
    let mut other = Policy { four_eyes: true, third_party_pauses: true, ..policy() };
    other.levels.truncate(1);
    let mut two = policy();
    two.levels.truncate(2);
    for (command, [usual, changed, of_two]) in [
        (C::Release, ["when not begun in 8 working hours", "", "when not begun in 8 working hours"]),
        (C::Hold, ["clocks run on", "clocks pause", "clocks run on"]),
        (C::Propose, ["over own authority", "always: four eyes", "over own authority"]),
        (C::Contest, ["within 30 days", "within 30 days, with new evidence", "within 30 days"]),
        (C::Escalate, ["to level 3 at most", "", "to level 2 at most"]),
        (C::Ask, ["clocks pause"; 3]),
        (C::Reinstate, ["within 30 days"; 3]),
    ] {
        for (policy, wanted) in [(&standard, usual), (&other, changed), (&two, of_two)] {
            let found: Vec<String> = limits(policy, command).into_iter().collect();
            let wanted = Some(wanted).filter(|it| !it.is_empty());
            assert_eq!(found, wanted.into_iter().collect::<Vec<_>>(), "{command}");
        }
    }
}

/// A picture with all that can be on one: what is far from the usual is pinned to the pixel. Read the picture before it is
/// drawn anew by `COMPLAINT_GOLDEN=write`.
#[test]
fn the_picture_of_a_long_way_is_as_it_was_looked_at() {
    let mut policy = Policy { four_eyes: true, third_party_pauses: true, ..policy() };
    policy.levels.truncate(1);
    let day =
        |days: i64| "2026-11-23T09:30:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() + TimeDelta::days(days);
    let statuses = [
        Status::Queued,
        Status::InProgress,
        Status::AwaitingCustomer,
        Status::InProgress,
        Status::AwaitingCustomer,
        Status::InProgress,
        Status::AwaitingThirdParty,
        Status::InProgress,
        Status::AwaitingCustomer,
        Status::InProgress,
        Status::AwaitingCustomer,
        Status::InProgress,
        Status::PendingApproval,
        Status::Resolved,
        // Contested where there is no level above.
        Status::Queued,
    ];
    let visits = (0..).zip(statuses).map(|(at, status)| complaint_core::lifecycle::Visit {
        status,
        level: complaint_core::id::Level::FIRST,
        handler: None,
        from: day(at),
        until: Some(day(at + 1)),
        seconds: 86_400,
    });
    let trail = Trail { visits: visits.collect() };
    let counts = BTreeMap::from([(Status::Queued, 12_345), (Status::Closed, 7)]);
    let options = SvgOptions::default().counting(&counts).linking("/list?a=1&status={status}").walking(&trail);
    let now = Lifecycle::of(&policy).to_svg(&options);
    // In progress six times: the first and the last. Waiting four times: all of them.
    assert!(now.contains(">2 … 12<") && now.contains(">3 5 9 11<"), "{now}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/pictures/long-way.svg");
    if std::env::var("COMPLAINT_GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == now, "{} is not what the code draws; COMPLAINT_GOLDEN=write draws it anew", path.display());
}

/// A name from elsewhere cannot break the picture: a control character has no place in XML.
#[test]
fn no_control_character_gets_into_a_picture() {
    let mut policy = policy();
    policy.levels[0].name = "First\u{1}line\u{8}".to_owned();
    let svg = Lifecycle::of(&policy).to_svg(&SvgOptions::default());
    assert!(svg.contains("First line "), "{svg}");
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "{svg}");
}

/// What the policy keeps agents from is open to the others alone.
#[test]
fn who_can_take_is_what_the_policy_says() {
    let who = |policy: &Policy, command: C| -> BTreeSet<String> {
        let json = Lifecycle::of(policy).to_json();
        let changes = list(&json["changes"]).into_iter().filter(|it| it["command"] == command.name());
        changes.flat_map(|it| list(&it["who"])).map(|who| who.as_str().unwrap().to_owned()).collect()
    };
    let of = |may: bool| Policy { agents_may_take: may, agents_may_dismiss: may, ..policy() };
    for command in [C::Assign, C::Dismiss] {
        let (some, all) = (who(&of(false), command), who(&of(true), command));
        assert!(some.is_subset(&all) && some.len() < all.len(), "{command}: {some:?} of {all:?}");
    }
}
