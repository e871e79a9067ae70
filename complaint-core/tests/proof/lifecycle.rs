//! Every status, command and kind of actor against an oracle that reads the table's data and the complaint's facts.
//!
//! Each command is given as it should be, then with each guard spoiled in every way, then with every two of them at once. The
//! [oracle](crate::oracle) knows nothing of `decide`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{NaiveDate, TimeDelta};
use complaint_core::complaint::{Entry, Event, Outcome, Remedy};
use complaint_core::deadline::{ClockKind, due_commands};
use complaint_core::id::{Area, CauseKey, Version};
use complaint_core::lifecycle::{
    Command, CommandName as C, Context, Guard, Input, LevelChange, Refusal, ReplayError, Status, To, decide, evolve,
    replay, rule,
};
use complaint_core::policy::{Category, Cause};
use complaint_core::routing::{Need, route};
use complaint_core::{Actor, Complaint, Policy};

use crate::house::{
    World, admin, agent, agent_id, by_hand_of, customer, decision, file, input, level, policy, replacement, roster,
};
use crate::oracle::{Case, Crew, Due, Fault, Verdict, due, verdict};
use crate::spoilings::{spoiled, well_given};
use crate::stages::{Stage, actors, stages};

fn policies() -> Vec<(&'static str, Policy)> {
    let cause = |name: &str, active| Cause { key: CauseKey::new(name).unwrap(), name: name.into(), active };
    let standard = || policy().with_category(Category { active: false, ..Category::named("Old matters").unwrap() });
    let mut strict = standard();
    strict.agents_may_take = false;
    strict.four_eyes = true;
    let mut free = standard();
    free.agents_may_dismiss = true;
    free.third_party_pauses = true;
    free.causes = vec![cause("Old cause", false), cause("Carelessness", true)];
    vec![("standard", standard()), ("strict", strict), ("free", free)]
}

/// What was tried, and what it showed.
#[derive(Default)]
pub(crate) struct Tally {
    cases: u32,
    accepted: BTreeMap<C, u32>,
    /// How often a guard of a command failed, alone, and how often it held in a command that was accepted.
    rows: BTreeMap<(C, Guard), [u32; 2]>,
    /// How often two guards of a command failed together, and were both named.
    pairs: BTreeMap<(C, Guard, Guard), u32>,
    seen: BTreeSet<(Status, u8)>,
    /// How often the clocks asked for a command.
    due: BTreeMap<C, u32>,
}

impl Tally {
    pub(crate) fn count(&mut self, name: C, verdict: &Verdict) {
        self.cases += 1;
        if verdict.accepts() {
            *self.accepted.entry(name).or_default() += 1;
            for guard in &verdict.asked {
                self.rows.entry((name, *guard)).or_default()[1] += 1;
            }
        }
        let failing: Vec<Guard> = verdict.failing().collect();
        if let ([only], true) = (failing.as_slice(), verdict.before.is_empty()) {
            self.rows.entry((name, *only)).or_default()[0] += 1;
        }
        for (at, one) in failing.iter().enumerate() {
            for two in &failing[at + 1..] {
                *self.pairs.entry((name, *one.min(two), *one.max(two))).or_default() += 1;
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for (name, many) in other.accepted {
            *self.accepted.entry(name).or_default() += many;
        }
        for (row, [failed, held]) in other.rows {
            let sum = self.rows.entry(row).or_default();
            *sum = [sum[0] + failed, sum[1] + held];
        }
        for (pair, many) in other.pairs {
            *self.pairs.entry(pair).or_default() += many;
        }
        self.seen.extend(other.seen);
        for (name, many) in other.due {
            *self.due.entry(name).or_default() += many;
        }
    }

    /// Every guard of these commands was seen failing alone and holding, and every two that can fail together did.
    pub(crate) fn proves(&self, names: &[C]) {
        let mut missing = Vec::new();
        let mut apart = BTreeSet::new();
        for rule in names.iter().map(|name| rule(*name)) {
            for permit in rule.permits {
                let guards: Vec<Guard> = permit.guards.iter().chain(rule.guards).copied().collect();
                for (at, one) in guards.iter().enumerate() {
                    let [failed, held] = self.rows.get(&(rule.command, *one)).copied().unwrap_or_default();
                    if failed == 0 || held == 0 {
                        missing.push(format!("{}: {} failed alone {failed}, held {held}", rule.command, one.name()));
                    }
                    for two in &guards[at + 1..] {
                        let pair = (rule.command, *one.min(two), *one.max(two));
                        if !self.pairs.contains_key(&pair) {
                            apart.insert(pair);
                        }
                    }
                }
            }
        }
        let guards: BTreeSet<Guard> = self.rows.keys().map(|(_, guard)| *guard).collect();
        println!("{} cases; accepted: {:?}", self.cases, self.accepted);
        println!("{} guards of {} rows: failed alone, held: {:?}", guards.len(), self.rows.len(), self.rows);
        println!("{} pairs failed together: {:?}", self.pairs.len(), self.pairs);
        let unaccepted: Vec<&C> = names.iter().filter(|name| !self.accepted.contains_key(name)).collect();
        assert!(unaccepted.is_empty(), "never accepted, so never proven: {unaccepted:?}");
        assert!(missing.is_empty(), "{missing:#?}");
        let never = NEVER_TOGETHER.iter().copied().filter(|(name, ..)| names.contains(name)).collect();
        assert_eq!(apart, never, "two guards that never failed together, or that did although they cannot");
    }
}

/// Two guards of one command of which at least one always holds: nothing is contested to the first level, and what was joined has no
/// window of its own.
const NEVER_TOGETHER: &[(C, Guard, Guard)] = &[
    (C::HandBack, Guard::AboveFirstLevel, Guard::NotContestedTo),
    (C::FollowUp, Guard::GoesOnNowhere, Guard::ContestNotPossible),
];

#[test]
fn every_status_command_and_actor_agrees_with_the_table() {
    let mut tally = Tally::default();
    for (policy_name, policy) in policies() {
        let stages = stages(&policy);
        let shares: Vec<Tally> = std::thread::scope(|scope| {
            let share = |of: usize| {
                let stages = &stages;
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    stages.iter().skip(of).step_by(2).for_each(|stage| everybody_on(stage, policy_name, &mut tally));
                    tally
                })
            };
            [share(0), share(1)].map(|share| share.join().unwrap()).into()
        });
        for share in shares {
            tally.add(share);
        }
    }
    println!("due: {:?}", tally.due);
    assert_eq!(tally.due.len(), 5, "some command of the clocks was never due: {:?}", tally.due);
    let names: Vec<C> = C::ALL.iter().copied().filter(|name| *name != C::Submit).collect();
    tally.proves(&names);
    assert!(tally.cases >= 10_000, "only {} cases", tally.cases);
    for status in Status::ALL {
        for at in 1..=3 {
            assert!(tally.seen.contains(&(status, at)), "{status} at level {at} was not tried");
        }
    }
}

fn everybody_on(stage: &Stage, policy_name: &str, tally: &mut Tally) {
    tally.seen.insert((stage.complaint.status, stage.complaint.level.get()));
    for name in the_clocks_ask_for_what_is_due(stage) {
        *tally.due.entry(name).or_default() += 1;
    }
    for (who, actor) in actors(&stage.complaint) {
        let offered = offers(stage, &actor);
        for name in C::ALL.iter().copied().filter(|name| *name != C::Submit) {
            let case = well_given(stage, &actor, name);
            let label = format!("[{policy_name}] {}: {name} by {who}", stage.name);
            let (verdict, is_accepted) = tried(&case, tally, &label);
            match offered.get(&name) {
                Some(allowed) => assert_eq!(*allowed, is_accepted, "{label}: offered, {verdict:?}"),
                None => assert!(verdict.is_foreign(), "{label}: neither offered nor foreign"),
            }
            // What is nobody's business here is refused for that, whatever else is wrong; and one policy is enough for every way.
            let (fits, is_standard) = (verdict.before.is_empty(), policy_name == "standard");
            if fits || (stage.plain && is_standard && !verdict.is_foreign()) {
                let ways = if stage.plain && is_standard && fits { usize::MAX } else { 1 };
                with_everything_wrong(&case, &verdict, ways, tally, &label);
            }
        }
    }
}

/// Each guard spoiled in so many ways, and each two of them at once.
fn with_everything_wrong(case: &Case<'_>, well: &Verdict, ways: usize, tally: &mut Tally, label: &str) {
    for (at, one) in well.asked.iter().enumerate() {
        for (way, single) in spoiled(case, *one, ways).iter().enumerate() {
            let label = format!("{label}, {} spoiled ({way})", one.name());
            tried(single, tally, &label);
            // Elsewhere it is the time or the log that fails beside it.
            for two in well.asked[at + 1..].iter().filter(|_| case.stage.plain) {
                if let Some(both) = spoiled(single, *two, 1).first() {
                    tried(both, tally, &format!("{label} and {}", two.name()));
                }
            }
        }
    }
}

/// The rules and the oracle on one case: accepted by both, or refused for the very same reasons.
fn tried(case: &Case<'_>, tally: &mut Tally, label: &str) -> (Verdict, bool) {
    let name = case.command.name();
    let verdict = verdict(case);
    tally.count(name, &verdict);
    let result = ruled(case);
    let says = || format!("{label}: the table says {verdict:?}, decide says {result:?}");
    assert_eq!(result.is_ok(), verdict.accepts(), "{}", says());
    match &result {
        Ok(entries) => follows_the_rule(case.stage, name, entries, label),
        Err(refusal) => {
            let named: BTreeSet<Fault> =
                refusal.failed.iter().map(|failed| (failed.code, failed.field.clone().unwrap_or_default())).collect();
            let wanted: BTreeSet<Fault> =
                verdict.guards.iter().flat_map(|(_, faults)| faults).chain(&verdict.before).cloned().collect();
            assert_eq!(named, wanted, "{}", says());
            for failed in &refusal.failed {
                assert!(!failed.message.is_empty() && !failed.remedy.is_empty(), "{label}");
            }
        }
    }
    let is_accepted = result.is_ok();
    (verdict, is_accepted)
}

pub(crate) fn ruled(case: &Case<'_>) -> Result<Vec<Entry>, Refusal> {
    let (world, complaint, command) = (&case.stage.world, &case.stage.complaint, &case.command);
    let mut context = context(case.stage).open_complaints(case.open_complaints).somebody_below(case.somebody_below);
    if let Some(other) = &case.other {
        context = context.other(other);
    }
    let routing = matches!(command.name(), C::Assign | C::Reassign).then(|| {
        let mut roster = roster();
        for member in &mut roster.members {
            member.workload = if case.crew == Crew::Full { member.agent.capacity } else { 0 };
            member.agent.enabled = case.crew != Crew::Away;
        }
        match &command.input().agent {
            Some(agent) => by_hand_of(&roster, complaint, agent, world.now),
            None => route(&Need::of(complaint), &roster, world.now),
        }
    });
    if let Some(routing) = &routing {
        context = context.routed(routing);
    }
    decide(complaint, command, case.actor, &context)
}

fn context(stage: &Stage) -> Context<'_> {
    Context::new(&stage.world.policy, stage.world.now).handler_available(stage.world.handler_available)
}

fn the_clocks_ask_for_what_is_due(stage: &Stage) -> Vec<C> {
    let asked = due_commands(&stage.complaint, &stage.world.policy, stage.world.now);
    let mut asked: Vec<Due> =
        asked.iter().map(|command| (command.name(), command.input().clocks.clone(), command.input().percent)).collect();
    asked.sort();
    let due = due(&stage.complaint, stage.world.now);
    assert_eq!(asked, due, "{}: the clocks ask for something else", stage.name);
    due.into_iter().map(|(name, ..)| name).collect()
}

fn offers(stage: &Stage, actor: &Actor) -> BTreeMap<C, bool> {
    let offers = stage.complaint.available_commands(actor, &context(stage));
    // What depends on other complaints or on the roster is offered, and may still be refused with its reason.
    let knowable = |name: C| !matches!(name, C::Assign | C::Merge | C::Unmerge);
    offers
        .into_iter()
        .map(|offer| {
            let unknown = offer.allowed && !knowable(offer.command);
            let allowed =
                if unknown { verdict(&well_given(stage, actor, offer.command)).accepts() } else { offer.allowed };
            (offer.command, allowed)
        })
        .collect()
}

fn follows_the_rule(stage: &Stage, name: C, entries: &[complaint_core::complaint::Entry], case: &str) {
    let before = &stage.complaint;
    let rule = rule(name);
    if matches!(name, C::Submit | C::FollowUp) {
        assert!(entries.is_empty(), "{case}: the old one is untouched");
        return;
    }
    let own: Vec<_> = entries.iter().filter(|entry| entry.complaint == before.id).collect();
    assert!(!own.is_empty(), "{case}: accepted and nothing happened");
    let after = own.iter().fold(before.clone(), |state, entry| evolve(state, entry));
    let fits = rule.to.iter().any(|to| match to {
        To::Same => after.status == before.status,
        To::Status(status) => after.status == *status,
        To::New(_) => false,
    });
    assert!(fits, "{case}: led to {}", after.status);
    let (was, is) = (before.level.get(), after.level.get());
    match rule.level {
        LevelChange::Kept => assert_eq!(was, is, "{case}"),
        LevelChange::Up => assert_eq!(is, (was + 1).min(3), "{case}"),
        LevelChange::Down => assert_eq!(is, was - 1, "{case}"),
    }
    assert_eq!(after.version, before.version.next(), "{case}: one change, one version");
    assert_eq!(after.entries as usize, before.entries as usize + own.len(), "{case}");
    match after.status {
        Status::Queued => assert_eq!(after.handler, None, "{case}"),
        Status::Assigned
        | Status::InProgress
        | Status::AwaitingCustomer
        | Status::AwaitingThirdParty
        | Status::PendingApproval
        | Status::Resolved => assert!(after.handler.is_some(), "{case}"),
        _ => {}
    }
    if name != C::Assign && name != C::Reassign && name != C::ResolveAtSource && after.handler.is_some() {
        assert_eq!(after.handler, before.handler, "{case}: nobody else becomes the handler");
    }
}

/// From everywhere, staff and time alone can bring a complaint to an end without the customer taking it back.
#[test]
fn an_end_can_be_reached_from_everywhere() {
    let policy = policy();
    let mut tried = 0;
    for stage in stages(&policy).into_iter().filter(|stage| stage.plain) {
        let mut known = BTreeSet::new();
        let mut open = VecDeque::from([(stage.world.clone(), stage.complaint.clone(), 0)]);
        let mut reached = stage.complaint.status.is_end();
        'search: while let Some((world, complaint, steps)) = open.pop_front().filter(|_| !reached) {
            if steps > 8 || !known.insert((complaint.status, complaint.level, complaint.handler.clone())) {
                continue;
            }
            let stage = Stage { name: String::new(), plain: true, world, complaint, other: stage.other.clone() };
            for (_, actor) in actors(&stage.complaint) {
                for name in C::ALL.iter().copied() {
                    let quick_exit = matches!(name, C::Withdraw | C::Merge | C::Refer | C::Dismiss);
                    if quick_exit || matches!(name, C::Submit | C::FollowUp | C::Rebase) {
                        continue;
                    }
                    tried += 1;
                    if let Ok(entries) = ruled(&well_given(&stage, &actor, name)) {
                        let after = entries.iter().fold(stage.complaint.clone(), evolve);
                        if after.status.is_end() {
                            reached = true;
                            break 'search;
                        }
                        open.push_back((stage.world.clone(), after, steps + 1));
                    }
                }
            }
        }
        assert!(reached, "{}: no way to an end", stage.name);
    }
    assert!(tried > 500, "the search tried only {tried} commands");
}

#[test]
fn a_refusal_names_every_fault() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let context = Context::new(&world.policy, world.now).seen(Some(complaint_core::id::Version::new(1)));
    let codes = |command: &Command, by: &Actor| -> Vec<&'static str> {
        decide(&begun, command, by, &context).unwrap_err().failed.iter().map(|failed| failed.code).collect()
    };
    let every = ["stale_version", "not_the_handler", "wrong_status", "missing"];
    assert_eq!(codes(&Command::plain(C::SendBack), &agent("ben")), every);
    assert_eq!(codes(&Command::plain(C::SendBack), &customer("jane")), ["not_permitted"]);
    assert_eq!(codes(&Command::plain(C::Answer), &customer("jane")), ["not_permitted"]);

    let bad = Input {
        outcome: Some(Outcome::NotUpheld),
        explanation: Some("\0".into()),
        next_steps: Some("x".repeat(70_000)),
        remedies: vec![
            Remedy::refund("500.00 EUR").unwrap(),
            Remedy::of(complaint_core::complaint::RemedyKind::Refund),
        ],
        ..Input::default()
    };
    let refusal = world.decide(&begun, &agent("sarah"), &input(C::Resolve, bad), None).unwrap_err();
    for code in ["over_authority", "control_character", "too_long", "contradiction", "missing"] {
        assert!(refusal.has(code), "{code} is not among {refusal:?}");
    }
    assert!(!refusal.has("wrong_status"));
    let fields: Vec<&str> = refusal.failed.iter().filter_map(|failed| failed.field.as_deref()).collect();
    assert_eq!(fields, ["explanation", "next_steps", "remedies", "remedies.1.amount"]);
}

#[test]
fn optional_texts_are_bounded_too() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let long = || Some("x".repeat(70_000));
    let withdraw = input(C::Withdraw, Input { reason: long(), ..Input::default() });
    assert!(world.decide(&begun, &customer("john"), &withdraw, None).unwrap_err().has("too_long"));
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let resume = input(C::Resume, Input { reason: long(), ..Input::default() });
    let refusal = world.decide(&asked, &agent("sarah"), &resume, None).unwrap_err();
    assert_eq!(refusal.failed.len(), 1, "one fault is named once: {refusal:?}");
    let reassign = Input { agent: Some(agent_id("ben")), reason: long(), ..Input::default() };
    let refusal = world.decide(&begun, &agent("mia"), &input(C::Reassign, reassign), None).unwrap_err();
    assert_eq!(refusal.failed.len(), 1, "one fault is named once: {refusal:?}");
}

#[test]
fn a_decider_of_a_contested_complaint_has_nothing_but_notes_left() {
    let mut world = World::new(policy());
    let begun = world.begun_at(2);
    let resolved = world.resolved(&begun, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    assert_eq!(contested.level, level(3));
    // Maria became a manager meanwhile and sees it again.
    let mut promoted = crate::house::agents().into_iter().find(|agent| agent.id.as_str() == "maria").unwrap();
    promoted.level = level(3);
    let maria = Actor::agent(&promoted);
    for command in [
        input(C::ResolveAtSource, Input { explanation: Some("Settled.".into()), ..Input::default() }),
        input(C::Dismiss, Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() }),
    ] {
        let refusal = world.decide(&contested, &maria, &command, None).unwrap_err();
        assert_eq!(refusal.code(), "excluded", "{refusal}");
    }
    let given = world.given(&contested, "omar");
    let begun = world.plain(&given, &agent("omar"), C::Begin);
    let proposed = world.act(&begun, &agent("omar"), &decision(C::Propose, Vec::new()));
    let refusal = world.decide(&proposed, &maria, &Command::plain(C::Approve), None).unwrap_err();
    assert_eq!(refusal.code(), "excluded");
}

/// At the last level nobody above keeps whoever decided from ending the contest: only the rule does.
#[test]
fn the_last_levels_decider_neither_ends_nor_steers_nor_speaks_on_what_is_contested() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let resolved = world.resolved(&begun, Vec::new());
    let evidence = Input { reason: Some("No.".into()), new_evidence: Some("A film.".into()), ..Input::default() };
    let contested = world.act(&resolved, &customer("john"), &input(C::Contest, evidence));
    let context = Context::new(&world.policy, world.now);
    let offers = contested.available_commands(&agent("omar"), &context);
    let allowed: Vec<C> = offers.iter().filter(|offer| offer.allowed).map(|offer| offer.command).collect();
    assert_eq!(allowed, [C::Note]);
    let refer = Input { body: Some("The city".into()), text: Some("Theirs.".into()), ..Input::default() };
    let refusal = world.decide(&contested, &agent("omar"), &input(C::Refer, refer), None).unwrap_err();
    assert_eq!(refusal.code(), "excluded");
}

#[test]
fn whoever_dismissed_it_counts_as_a_decider_even_after_it_was_reopened() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let ground = Input { reason: Some("spam".into()), text: Some("No.".into()), ..Input::default() };
    let dismissed = world.act(&begun, &agent("maria"), &input(C::Dismiss, ground));
    let direct = world.reason(&dismissed, &customer("john"), C::Contest);
    assert_eq!((direct.status, direct.level), (Status::Queued, level(2)));
    assert!(direct.is_barred(&agent_id("maria")), "contested at once");
    assert_eq!(direct.dismissal, None);

    let reopened = world.reason(&dismissed, &agent("mia"), C::Reopen);
    let given = world.given(&reopened, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    let resolved = world.resolved(&again, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    for decider in ["maria", "ben"] {
        assert!(contested.is_barred(&agent_id(decider)), "{decider}");
    }
    let event = world.log.last().unwrap().event.clone();
    assert!(matches!(event, Event::Contested { excluded, .. } if excluded.len() == 2));
}

#[test]
fn what_is_about_something_else_belongs_where_that_does() {
    let mut policy = policy();
    let area = |name: &str| Area::new(name).unwrap();
    policy.categories[1].area = Some(area("south"));
    let keys = [0, 1].map(|at: usize| policy.categories[at].key.clone());
    let mut world = World::new(policy);
    let about = |world: &mut World, complaint: &Complaint, at: usize| {
        let given = Input { category: Some(keys[at].clone()), ..Input::default() };
        world.act(complaint, &agent("maria"), &input(C::Triage, given))
    };
    let fresh = world.submitted();
    let moved = about(&mut world, &fresh, 1);
    assert_eq!((fresh.area, moved.area.clone()), (None, Some(area("south"))));
    assert_eq!(about(&mut world, &moved, 0).area, None, "nothing of the category it had stays");
    let own = Complaint { area: Some(area("north")), ..moved };
    assert_eq!(about(&mut world, &own, 0).area, Some(area("north")), "where the customer is stays");
}

#[test]
fn the_last_level_has_final_authority_unless_new_evidence_is_brought() {
    let mut world = World::new(policy());
    let begun = world.begun_at(3);
    let without = Command::with_reason(C::Contest, "Still broken.");
    let early = world.decide(&begun, &customer("john"), &without, None).unwrap_err();
    assert_eq!(early.failed.iter().map(|it| it.code).collect::<Vec<_>>(), ["wrong_status"], "nobody has decided");
    let resolved = world.resolved(&begun, Vec::new());
    let refusal = world.decide(&resolved, &customer("john"), &without, None).unwrap_err();
    assert_eq!(refusal.code(), "final_authority_reached");
    assert!(refusal.failed[0].message.contains("ombudsman"));
    let with = |evidence: &str| {
        let (reason, new_evidence) = (Some("Still broken.".to_owned()), Some(evidence.to_owned()));
        input(C::Contest, Input { reason, new_evidence, ..Input::default() })
    };
    let hollow = world.decide(&resolved, &customer("john"), &with(" "), None).unwrap_err();
    assert_eq!((hollow.code(), hollow.failed[0].field.as_deref()), ("missing", Some("new_evidence")));
    let with = with("A film.");
    let contested = world.act(&resolved, &customer("john"), &with);
    assert_eq!((contested.status, contested.level), (Status::Queued, level(3)));
}

#[test]
fn the_systems_own_fields_are_not_for_hosts() {
    let clocks = Input { clocks: vec![(ClockKind::Level, 1)], ..Input::default() };
    assert_eq!(Command::new(C::Escalate, clocks).unwrap_err().field, "clocks");
    let percent = Input { percent: 90, ..Input::default() };
    assert_eq!(Command::new(C::Warn, percent).unwrap_err().field, "percent");
    let files = || Input { attachments: vec![file(1)], ..Input::default() };
    for name in C::ALL {
        let takes = matches!(name, C::Attach | C::Answer | C::Post);
        assert_eq!(Command::new(*name, files()).is_ok(), takes, "{name}");
        assert_eq!(name.takes_files(), takes, "{name}");
    }
    assert_eq!(Command::new(C::Note, files()).unwrap_err().field, "attachments");
    let known = Input { files: vec![file(1).id], ..Input::default() };
    assert_eq!(Command::new(C::Attach, known).unwrap_err().field, "files");
    let until = Input { until: NaiveDate::from_ymd_opt(2026, 12, 1), ..Input::default() };
    assert_eq!(Command::new(C::Begin, until).unwrap_err().field, "until");
}

#[test]
fn a_choice_brought_from_outside_cannot_put_the_subject_or_a_decider_in_charge() {
    use complaint_core::routing::Routing;
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let contested = world.reason(&resolved, &customer("john"), C::Contest);
    for chosen in ["zoe", "sarah"] {
        let routing = Routing { chosen: Some(agent_id(chosen)), by_hand: true, ..Routing::default() };
        let context = Context::new(&world.policy, world.now).routed(&routing);
        let refusal = decide(&contested, &Command::plain(C::Assign), &admin(), &context).unwrap_err();
        assert_eq!(refusal.code(), "not_eligible", "{chosen}");
    }
}

#[test]
fn a_question_that_outlived_its_handler_is_resumed_over_with_a_reason() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let asked = world.text(&begun, &agent("sarah"), C::Ask);
    let released = world.reason(&asked, &agent("mia"), C::Release);
    let given = world.given(&released, "ben");
    let again = world.plain(&given, &agent("ben"), C::Begin);
    assert!(again.question.is_some(), "the question to the customer stays open");
    let until = Some(world.now.date_naive() + TimeDelta::days(2));
    let hold = Input { party: Some("The courier".into()), until, ..Input::default() };
    let waiting = world.act(&again, &agent("ben"), &input(C::Hold, hold));
    let refusal = world.decide(&waiting, &agent("ben"), &Command::plain(C::Resume), None).unwrap_err();
    assert_eq!((refusal.code(), refusal.failed.len()), ("missing", 1), "{refusal}");
    let resumed = world.reason(&waiting, &agent("ben"), C::Resume);
    assert_eq!(resumed.question, None);
}

#[test]
fn a_missed_acknowledgement_lets_the_customer_escalate() {
    let mut world = World::new(policy());
    let fresh = world.submitted();
    let given = world.given(&fresh, "sarah");
    let begun = world.plain(&given, &agent("sarah"), C::Begin);
    let escalate = Command::with_reason(C::Escalate, "Nobody told me anything.");
    world.later(TimeDelta::hours(23));
    let refusal = world.decide(&begun, &customer("john"), &escalate, None).unwrap_err();
    assert_eq!(refusal.code(), "no_deadline_missed");
    // Eight working hours are over on the next morning; the first response has another day.
    world.later(TimeDelta::hours(2));
    assert!(begun.deadline(ClockKind::FirstResponse).unwrap().due_at.unwrap() > world.now);
    assert!(world.decide(&begun, &customer("john"), &escalate, None).is_ok());
}

/// What people read has the words that people read: those of their pages, which differ between customers and staff.
#[test]
fn refusals_are_worded_for_whoever_reads_them() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let proposed = world.act(&begun, &agent("sarah"), &decision(C::Propose, Vec::new()));
    let refused =
        |actor: &Actor, name| world.decide(&proposed, actor, &Command::with_text(name, "Yes."), None).unwrap_err();
    let said = |refusal: &complaint_core::lifecycle::Refusal| {
        (refusal.failed[0].message.clone(), refusal.failed[0].remedy.clone())
    };
    let wanted = ("it is “Pending approval”".to_owned(), "it must be: “Resolved”".to_owned());
    assert_eq!(said(&refused(&agent("mia"), C::Accept)), wanted);
    // That a second person looks at it is internal, in words and in the status alike.
    let to_john = refused(&customer("john"), C::Accept);
    let wanted = ("it is “In progress”".to_owned(), "it must be: “Resolved”".to_owned());
    assert_eq!((said(&to_john), to_john.status), (wanted, Some(Status::InProgress)));
    let foreign = refused(&customer("john"), C::Note);
    assert_eq!(foreign.failed[0].message, "“Add a note” is for: agents");
    for actor in [customer("john"), agent("mia"), agent("sarah"), admin()] {
        for name in C::ALL.iter().filter(|name| **name != C::Submit) {
            let Err(refusal) = world.decide(&proposed, &actor, &Command::plain(*name), None) else { continue };
            for failed in &refusal.failed {
                let raw = Status::ALL.iter().map(|status| status.name()).chain(C::ALL.iter().map(|name| name.name()));
                let mut raw = raw.filter(|name| name.contains('_'));
                let found = raw.find(|name| failed.message.contains(name) || failed.remedy.contains(name));
                assert_eq!(found, None, "{failed:?}");
            }
        }
    }
}

#[test]
fn a_finished_complaint_says_what_is_still_open_to_its_customer() {
    let mut world = World::new(policy());
    let mut complaint = world.begun("sarah");
    let mut remedy = |status, actor: &Actor| {
        complaint.status = status;
        let refused = world.decide(&complaint, actor, &Command::plain(C::Accept), None).unwrap_err();
        assert_eq!(refused.failed[0].code, "wrong_status");
        refused.failed[0].remedy.clone()
    };
    let contested = "a finished complaint can be contested in time, or followed up";
    let followed = "a finished complaint can be followed up";
    for (status, says) in [
        (Status::Closed, contested),
        (Status::Dismissed, contested),
        (Status::Withdrawn, followed),
        (Status::Referred, followed),
        (Status::Merged, "turn to the complaint that it was joined to"),
        (Status::Assigned, "it must be: “Resolved”"),
    ] {
        assert_eq!(remedy(status, &customer("john")), says, "{status}");
        assert_eq!(remedy(status, &agent("mia")), "it must be: “Resolved”", "{status}");
    }
}

#[test]
fn a_customer_is_asked_to_confirm_until_they_agreed() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    assert_eq!(begun.status_for_customer(None, None), "In progress");
    let resolved = world.resolved(&begun, replacement());
    assert_eq!(resolved.status_for_customer(None, None), "Resolved: please confirm");
    let agreed = world.plain(&resolved, &customer("john"), C::Accept);
    assert_eq!((agreed.status, agreed.status_for_customer(None, None)), (Status::Resolved, "Resolved".to_owned()));
}

#[test]
fn a_complaint_weighs_from_one_to_a_thousand() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    for (weight, fits) in [(0, false), (1, true), (1000, true), (1001, false)] {
        let triage = input(C::Triage, Input { weight: Some(weight), ..Input::default() });
        let faults = world.decide(&begun, &agent("sarah"), &triage, None).map_err(|refusal| refusal.code());
        assert_eq!(faults.err(), (!fits).then_some("out_of_range"), "{weight}");
    }
}

#[test]
fn each_command_is_read_by_its_name() {
    for &name in C::ALL {
        assert_eq!(name.name().parse(), Ok(name));
        assert_eq!(name.to_string(), name.name());
    }
    assert!("Resolve".parse::<C>().is_err() && "".parse::<C>().is_err());
}

/// A sentence about a field begins with its name; one about the state of things names none.
#[test]
fn refusals_read_as_sentences() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let resolved = world.resolved(&begun, Vec::new());
    let evidence = || Some("Parcel 17".to_owned());
    let fulfil = |remedy, on| input(C::FulfilRemedy, Input { evidence: evidence(), remedy, on, ..Input::default() });
    let refusal = world.decide(&resolved, &agent("sarah"), &fulfil(None, None), None).unwrap_err();
    assert_eq!(refusal.to_string(), "“Record a remedy as fulfilled” is refused: no remedy is outstanding");
    let resolved = world.resolved(&begun, replacement());
    let tomorrow = Some(world.now.date_naive() + TimeDelta::days(3));
    let refusal = world.decide(&resolved, &agent("sarah"), &fulfil(Some(9), tomorrow), None).unwrap_err();
    let expected =
        "“Record a remedy as fulfilled” is refused: “remedy” must be one of these: 1; “on” must not be in the future";
    assert_eq!(refusal.to_string(), expected);
    let body = serde_json::json!({ "colour": "red" });
    for (name, reads) in [(C::Begin, "nothing"), (C::Ask, "text"), (C::Hold, "party, until")] {
        let refused = Command::from_json(name, &body).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("it reads: {reads}")), "{refused}");
    }
}

/// The entries of two complaints, two beginnings, versions that nobody committed: none of it is the log of a complaint.
#[test]
fn what_is_no_log_of_one_complaint_is_not_replayed() {
    let mut world = World::new(policy());
    let begun = world.begun("sarah");
    let log = std::mem::take(&mut world.log);
    assert_eq!(replay(&log), Ok(begun));
    let other = world.begun("ben");
    let mixed = log[..2].iter().chain(&world.log[2..]);
    assert_eq!(replay(mixed), Err(ReplayError::Foreign { seq: 3, complaint: other.id }));
    let again = Entry { seq: 3, version: Version::new(3), ..log[0].clone() };
    let twice = log[..2].iter().chain([&again]);
    assert_eq!(replay(twice), Err(ReplayError::SubmittedAgain { seq: 3 }));
    assert_eq!(replay(&log[..0]), Err(ReplayError::NoBeginning));

    let with = |versions: [u64; 4]| {
        let numbered = log.iter().zip(versions).map(|(entry, version)| (entry.clone(), Version::new(version)));
        replay(&numbered.map(|(entry, version)| Entry { version, ..entry }).collect::<Vec<_>>())
    };
    for versions in [[1, 2, 3, 4], [1, 1, 1, 2], [1, 1, 1, 1], [1, 2, 2, 3]] {
        assert!(with(versions).is_ok(), "the entries of a change share its version: {versions:?}");
    }
    for (versions, seq) in
        [([0, 1, 2, 3], 1), ([2, 3, 4, 5], 1), ([1, 2, 1, 2], 3), ([1, 2, 4, 5], 3), ([1, 2, 2, 4], 4)]
    {
        let at = seq as usize - 1;
        let before = Version::new(at.checked_sub(1).map_or(0, |before| versions[before]));
        let found = Version::new(versions[at]);
        assert_eq!(with(versions), Err(ReplayError::Version { seq, before, found }), "{versions:?}");
    }
    let message = with([1, 2, 4, 5]).unwrap_err().to_string();
    assert_eq!(message, "entry 3 has version 4 after version 2");
}
