//! Each kind of finding, shown by the smallest policy or machine that has it, with its place in the text; and that
//! the policies we ship have none.

use std::collections::{BTreeMap, BTreeSet};

use complaint_core::agent::Member;
use complaint_core::id::Area;
use complaint_core::policy::{Category, Code, Finding, Machine, MachineClock, Move, PolicyError, Severity};
use complaint_core::routing::Roster;
use complaint_core::{Agent, Policy};

use crate::house::{House, agent_id, agents, level, policy, roster};

const STANDARD: &str = include_str!("../../src/policy/standard.toml");
const DEMO: &str = include_str!("../../../reference-server/src/demo/policy.toml");

/// The standard policy with some of its text replaced, and more behind it.
fn standard(changes: &[(&str, &str)], more: &str) -> String {
    let mut text = STANDARD.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in the standard policy");
        text = text.replacen(from, to, 1);
    }
    text + more
}

/// What a finding shows: the text at its place.
fn at(text: &str, finding: &Finding) -> String {
    let place = finding.place.unwrap_or_else(|| panic!("no place: {finding}"));
    let line = text.lines().nth(place.line - 1).unwrap();
    line.chars().skip(place.column - 1).collect()
}

fn shown(findings: &[Finding]) -> Vec<(Code, &str)> {
    findings.iter().map(|finding| (finding.code, finding.path.as_str())).collect()
}

const WATER: &str = "[[categories]]\nkey = \"water\"\nname = \"Water\"\n";
const PACKAGING: &str = "[[causes]]\nkey = \"packaging\"\nname = \"Packaging\"\n";
const ONE_LEVEL: &str = "[[levels]]\nname = \"Clerk\"\ntarget = \"5 working days\"\n";

/// A policy of one level, with lines of its own at the top.
fn one_level(top: &str) -> String {
    let ladder = STANDARD.find("[[levels]]").unwrap();
    format!("{top}\n{}{ONE_LEVEL}", &STANDARD[..ladder])
}

/// One text for each finding that a text can have: the code, the path, and how the place in the text begins.
#[expect(clippy::too_many_lines, reason = "one row per finding")]
fn texts() -> Vec<(Code, &'static str, &'static str, String)> {
    let of = standard;
    vec![
        (Code::Syntax, "", "= 1", of(&[], "x = = 1\n")),
        (Code::DuplicateKey, "", "name = \"Twice\"", of(&[("calendar =", "name = \"Twice\"\ncalendar =")], "")),
        (Code::UnknownField, "clendar", "clendar = 1", format!("clendar = 1\n{STANDARD}")),
        (Code::MissingField, "targets.remedy", "[targets]", of(&[("remedy = \"14 days\"\n", "")], "")),
        (
            Code::WrongValue,
            "levels.1.target",
            "5",
            of(&[("Supervisor\"\ntarget = \"5 working days\"", "Supervisor\"\ntarget = 5")], ""),
        ),
        (
            Code::CalendarFault,
            "calendars.office.hours.tue.0",
            "\"9-17\"",
            of(&[("tue = [\"09:00-17:00\"]", "tue = [\"9-17\"]")], ""),
        ),
        (
            Code::CalendarWithoutHours,
            "calendars.night.hours",
            "[calendars.night.hours]",
            of(&[], "\n[calendars.night]\nzone = \"UTC\"\n[calendars.night.hours]\nmon = []\n"),
        ),
        (Code::MissingText, "levels.2.name", "\"\"", of(&[("\"Manager\"", "\"\"")], "")),
        (
            Code::BadKey,
            "categories.0.questions.0.key",
            "\"\"",
            of(&[], &format!("{WATER}questions = [{{ key = \"\", label = \"Where?\" }}]\n")),
        ),
        (Code::TooLong, "levels.2.name", "\"MMM", of(&[("\"Manager\"", &format!("\"{}\"", "M".repeat(201)))], "")),
        (Code::NotOneLine, "levels.2.name", "\"A\\nB\"", of(&[("\"Manager\"", "\"A\\nB\"")], "")),
        (Code::ControlCharacters, "levels.2.name", "\"A\\u0007\"", of(&[("\"Manager\"", "\"A\\u0007\"")], "")),
        (
            Code::StatutoryFault,
            "statutory.final-response.label",
            "\"\"",
            of(&[("label = \"Final response\"", "label = \"\"")], ""),
        ),
        (Code::OutOfBounds, "log_entries_per_complaint", "19", of(&[("complaint = 1000", "complaint = 19")], "")),
        (Code::OutOfBounds, "open_complaints_per_customer", "0", of(&[("customer = 50", "customer = 0")], "")),
        (Code::UnknownCalendar, "calendar", "\"ofice\"", of(&[("calendar = \"office\"", "calendar = \"ofice\"")], "")),
        (Code::LevelWithoutExit, "levels.0", "[[levels]]", one_level("four_eyes = true")),
        (Code::UnreachableStatus, "levels", "[[levels]]", one_level("")),
        (Code::RoleNeverActs, "levels", "[[levels]]", one_level("")),
        (
            Code::RivalTargets,
            "categories.0.targets.resolution",
            "\"9 days\"",
            of(&[], &format!("{WATER}targets = {{ resolution = \"9 days\" }}\n")),
        ),
        (
            Code::ClockNeverCounts,
            "levels.1.priorities.urgent",
            "\"1 working hour\"",
            of(
                &[(
                    "1000.00 CHF\"]\npriorities = { urgent = \"1 working day\"",
                    "1000.00 CHF\"]\npriorities = { urgent = \"1 working hour\"",
                )],
                "",
            ),
        ),
        (
            Code::InvertedLimits,
            "targets.resolution",
            "\"12 weeks\"",
            of(&[("resolution = \"20 working days\"", "resolution = \"12 weeks\"")], ""),
        ),
        (
            Code::UrgentSlower,
            "priorities.urgent.resolution",
            "\"15 working days\"",
            of(&[("resolution = \"5 working days\"", "resolution = \"15 working days\"")], ""),
        ),
        (Code::AuthorityFalls, "levels.1.authority", "[\"99.00 EUR\"", of(&[("\"1000.00 EUR\"", "\"99.00 EUR\"")], "")),
        (
            Code::AuthorityEnds,
            "levels.2.authority",
            "[\"5000.00 EUR\"",
            of(
                &[(
                    "target = \"10 working days\"",
                    "target = \"10 working days\"\nauthority = [\"5000.00 EUR\", \"1000.00 USD\", \"1000.00 GBP\", \"1000.00 CHF\"]",
                )],
                "",
            ),
        ),
        (
            Code::WindowsContradict,
            "targets.contest_window",
            "\"7 days\"",
            of(&[("contest_window = \"30 days\"", "contest_window = \"7 days\"")], ""),
        ),
        (
            Code::DuplicateName,
            "levels.1.name",
            "\"representative\"",
            of(&[("\"Supervisor\"", "\"representative\"")], ""),
        ),
        (
            Code::NoCauseToChoose,
            "cause_required",
            "true",
            of(&[("low_rating = 2", "cause_required = true")], &format!("{PACKAGING}active = false\n")),
        ),
        (Code::NothingToChoose, "categories", "[[categories]]", of(&[], &format!("{WATER}active = false\n"))),
    ]
}

/// More places that have the same kinds of fault.
#[expect(clippy::too_many_lines, reason = "one row per place")]
fn more_texts() -> Vec<(Code, &'static str, &'static str, String)> {
    let of = standard;
    let category = "[[categories]]\nkey = \"late-delivery\"\nname = \"Late delivery\"\n";
    let promise = "[statutory.answer]\nlabel = \"Answer\"\nwithin = \"15 days\"\nsource = \"A law\"\n";
    let urgent = "[priorities.urgent]\nfirst_response = \"2 working hours\"";
    let first_level = "100.00 CHF\"]\npriorities = { urgent = \"1 working day\"";
    vec![
        (
            Code::LikelyTypo,
            "statutory.answer.except",
            "[\"late-delivry\"]",
            of(&[], &format!("{category}{promise}except = [\"late-delivry\"]\n")),
        ),
        (
            Code::WindowBeyondRetention,
            "targets.contest_window",
            "\"30 days\"",
            of(&[("reinstate_window = \"30 days\"", "reinstate_window = \"21 days\"\nretention = \"21 days\"")], ""),
        ),
        (Code::WindowsContradict, "rating_window", "\"40 days\"", of(&[("\"24 hours\"", "\"40 days\"")], "")),
        (
            Code::WindowsContradict,
            "reinstate_window",
            "\"90 days\"",
            of(&[("reinstate_window = \"30 days\"", "reinstate_window = \"90 days\"")], ""),
        ),
        (
            Code::InvertedLimits,
            "targets.acknowledgement",
            "\"9 working days\"",
            of(
                &[
                    ("acknowledge_at_once = true", "acknowledge_at_once = false"),
                    ("acknowledgement = \"8 working hours\"", "acknowledgement = \"9 working days\""),
                ],
                "",
            ),
        ),
        (
            Code::InvertedLimits,
            "priorities.urgent.first_response",
            "\"6 working days\"",
            of(&[(urgent, "[priorities.urgent]\nfirst_response = \"6 working days\"")], ""),
        ),
        (
            Code::InvertedLimits,
            "categories.0.targets.resolution",
            "\"12 weeks\"",
            of(&[], &format!("{WATER}targets = {{ resolution = \"12 weeks\" }}\n")),
        ),
        (
            Code::ClockNeverCounts,
            "targets.acceptance",
            "\"30 working days\"",
            of(&[("acceptance = \"8 working hours\"", "acceptance = \"30 working days\"")], ""),
        ),
        (
            Code::ClockNeverCounts,
            "levels.0.target",
            "\"4 working hours\"",
            of(
                &[("Representative\"\ntarget = \"5 working days\"", "Representative\"\ntarget = \"4 working hours\"")],
                "",
            ),
        ),
        (
            Code::UrgentSlower,
            "levels.0.priorities.urgent",
            "\"9 working days\"",
            of(&[(first_level, "100.00 CHF\"]\npriorities = { urgent = \"9 working days\"")], ""),
        ),
        (
            Code::UrgentSlower,
            "priorities.low.resolution",
            "\"11 working days\"",
            of(
                &[("[priorities.urgent]", "[priorities.low]\nresolution = \"11 working days\"\n\n[priorities.urgent]")],
                "",
            ),
        ),
        (Code::AuthorityFalls, "levels.1.authority", "[\"1000.00 EUR\"", of(&[(", \"1000.00 CHF\"", "")], "")),
        (
            Code::AuthorityFalls,
            "levels.1.authority",
            "[\"1000.00 EUR\"",
            of(&[("authority = [\"100.00 EUR\", \"100.00 USD\", \"100.00 GBP\", \"100.00 CHF\"]", "")], ""),
        ),
        (
            Code::DuplicateKey,
            "levels.0.authority",
            "[\"100.00 EUR\"",
            of(&[("\"100.00 USD\"", "\"200.00 EUR\", \"100.00 USD\"")], ""),
        ),
        (
            Code::RivalTargets,
            "statutory.final-response.within",
            "\"8 weeks\"",
            of(
                &[],
                "\n[statutory.answer]\nlabel = \"Answer\"\nwithin = \"6 weeks\"\nkept_by = \"resolution\"\nsource = \"Act\"\n",
            ),
        ),
        (
            Code::ClockNeverCounts,
            "targets.approval",
            "\"90 working days\"",
            of(&[("approval = \"8 working hours\"", "approval = \"90 working days\"")], ""),
        ),
        (
            Code::ClockNeverCounts,
            "levels.0.target",
            "\"50 working days\"",
            of(
                &[("Representative\"\ntarget = \"5 working days\"", "Representative\"\ntarget = \"50 working days\"")],
                "",
            ),
        ),
        (
            Code::ClockNeverCounts,
            "levels.0.priorities.urgent",
            "\"6 working days\"",
            of(&[(first_level, "100.00 CHF\"]\npriorities = { urgent = \"6 working days\"")], ""),
        ),
        (Code::OutOfBounds, "channels", "[]", format!("channels = []\n{STANDARD}")),
        (Code::OutOfBounds, "categories.0.weight", "1001", of(&[], &format!("{WATER}weight = 1001\n"))),
        (Code::OutOfBounds, "levels", "[[levels]]", of(&[], &ONE_LEVEL.repeat(7))),
        (Code::DuplicateKey, "categories.1.key", "\"water\"", of(&[], &WATER.repeat(2))),
        (Code::DuplicateKey, "causes.1.key", "\"packaging\"", of(&[], &PACKAGING.repeat(2))),
        (
            Code::DuplicateName,
            "causes.1.name",
            "\"packaging\"",
            of(&[], &format!("{PACKAGING}[[causes]]\nkey = \"boxes\"\nname = \"packaging\"\n")),
        ),
        (Code::MissingText, "causes.0.name", "\"\"", of(&[], "[[causes]]\nkey = \"a\"\nname = \"\"\n")),
        (Code::OutOfBounds, "low_rating", "6", of(&[("low_rating = 2", "low_rating = 6")], "")),
        (Code::NoCauseToChoose, "cause_required", "true", of(&[("low_rating = 2", "cause_required = true")], "")),
        (
            Code::DuplicateKey,
            "categories.0.questions.1.key",
            "\"a\"",
            of(
                &[],
                &format!(
                    "{WATER}questions = [{{ key = \"a\", label = \"Where?\" }}, {{ key = \"a\", label = \"When?\" }}]\n"
                ),
            ),
        ),
        (
            Code::TooLong,
            "categories.0.description",
            "\"xxx",
            of(&[], &format!("{WATER}description = \"{}\"\n", "x".repeat(2001))),
        ),
    ]
}

/// One machine for each finding of a shape that our own table cannot have, after systems that do.
fn machines() -> Vec<(Code, &'static str, Machine)> {
    vec![
        // Issue trackers with global transitions: "any status to In progress" starts from Done as well, so that
        // what is finished comes back without anybody saying that it was reopened.
        (
            Code::TerminalWithExits,
            "statuses.done",
            Machine::starting_at("to do")
                .with_end("done")
                .with_move(Move::named("finish", ["to do"], "done").by(["agent"]))
                .with_move(Move::named("drag", ["done", "to do"], "to do").by(["anybody"])),
        ),
        // Help desks that kept a status of an older edition: rows still hold it, menus still offer it as a filter,
        // and no transition leads there.
        (
            Code::UnreachableStatus,
            "statuses.resolved",
            Machine::starting_at("open")
                .with_state("resolved")
                .with_end("closed")
                .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
                .with_move(Move::named("confirm", ["resolved"], "closed").by(["agent"])),
        ),
        // Workflow engines where a condition names a group that was emptied: the transition is there, nobody has it.
        (
            Code::RoleNeverActs,
            "roles.approver",
            Machine::starting_at("open")
                .with_end("closed")
                .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
                .with_move(Move::named("approve", ["open"], "closed").barred("approver", "the group is empty")),
        ),
        // Help desks with "waiting for customer": only the customer's answer leads out, and customers do not answer.
        (
            Code::DeadEnd,
            "statuses.waiting",
            Machine::starting_at("open")
                .with_state("waiting")
                .with_end("closed")
                .with_move(Move::named("ask", ["open"], "waiting").by(["agent"]))
                .with_move(Move::named("answer", ["waiting"], "open").by(["customer"]).by_goodwill())
                .with_move(Move::named("close", ["open"], "closed").by(["agent"])),
        ),
        // Service desks whose "time to resolution" stops on the field "resolution", which one of the two ways to
        // close does not set: finished work keeps running out.
        (
            Code::ClockNeverStops,
            "clocks.time to resolution",
            Machine::starting_at("open")
                .with_end("closed")
                .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
                .with_move(Move::named("set resolution", ["open"], "open").barred("agent", "no form has the field"))
                .with_clock(MachineClock {
                    name: "time to resolution".into(),
                    runs_in: vec!["open".into(), "closed".into()],
                    stopped_by: vec!["set resolution".into()],
                    makes: None,
                    is_window: false,
                }),
        ),
        // Whatever is written down by hand: a letter too many, and nothing leads there or stops the clock.
        (
            Code::UnknownName,
            "moves.park",
            Machine::starting_at("open")
                .with_end("closed")
                .with_move(Move::named("park", ["open"], "parkt").by(["agent"]))
                .with_move(Move::named("close", ["open"], "closed").by(["agent"])),
        ),
        (
            Code::UnknownName,
            "clocks.patience",
            Machine::starting_at("open")
                .with_end("closed")
                .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
                .with_clock(MachineClock {
                    name: "patience".into(),
                    runs_in: vec!["open".into()],
                    stopped_by: vec!["cloze".into()],
                    makes: None,
                    is_window: false,
                }),
        ),
        // Help desks with automations beside each other: one closes after a week of silence, one takes it as
        // withdrawn after two; which of the two happens depends on the order of a list.
        (Code::RivalClocks, "clocks.two weeks", {
            let clock = |name: &str, makes: &str| MachineClock {
                name: name.into(),
                runs_in: vec!["pending".into()],
                stopped_by: Vec::new(),
                makes: Some(makes.into()),
                is_window: false,
            };
            Machine::starting_at("pending")
                .with_end("closed")
                .with_end("withdrawn")
                .with_move(Move::named("auto-close", ["pending"], "closed").by(["system"]))
                .with_move(Move::named("auto-withdraw", ["pending"], "withdrawn").by(["system"]))
                .with_clock(clock("one week", "auto-close"))
                .with_clock(clock("two weeks", "auto-withdraw"))
        }),
    ]
}

/// Each bound belongs to what is allowed.
#[test]
fn what_stands_at_its_bound_is_no_fault() {
    for (text, fault) in [
        (standard(&[("complaint = 1000", "complaint = 20")], ""), None),
        (standard(&[("low_rating = 2", "low_rating = 5")], ""), None),
        (standard(&[], &format!("{WATER}weight = 1000\n")), None),
        // As much as the level below.
        (standard(&[("\"1000.00 EUR\"", "\"100.00 EUR\"")], ""), None),
        (standard(&[("\"1000.00 EUR\"", "\"99.99 EUR\"")], ""), Some(Code::AuthorityFalls)),
        (format!("{STANDARD}\n# {}", "x".repeat(256 * 1024 - STANDARD.len() - 3)), None),
        (format!("{STANDARD}\n# {}", "x".repeat(256 * 1024 - STANDARD.len() - 2)), Some(Code::OutOfBounds)),
    ] {
        let found = Policy::check(&text);
        let wrong = [Code::OutOfBounds, Code::AuthorityFalls];
        let codes: Vec<Code> = found.iter().map(|it| it.code).filter(|code| wrong.contains(code)).collect();
        assert_eq!(codes, fault.into_iter().collect::<Vec<_>>(), "{found:?}");
    }
}

#[test]
fn a_level_that_may_decide_less_than_the_one_below_is_told_how_much() {
    let told = |limits: &str| -> String {
        let below = ("authority = [\"100.00 EUR\", \"100.00 USD\", \"100.00 GBP\", \"100.00 CHF\"]\n", "");
        let text = standard(&[below], "");
        let above = "authority = [\"1000.00 EUR\", \"1000.00 USD\", \"1000.00 GBP\", \"1000.00 CHF\"]";
        let found = Policy::check(&text.replace(above, limits));
        found.into_iter().find(|it| it.code == Code::AuthorityFalls).map(|it| it.message).unwrap_or_default()
    };
    let some = told("authority = [\"5.00 EUR\", \"6.00 USD\"]");
    assert!(some.contains("up to 5.00 EUR, 6.00 USD, and the level below any amount"), "{some}");
    let none = told("authority = []");
    assert!(none.contains("no money, and the level below any amount"), "{none}");
}

/// Whoever reads a finding about a shape is told which move or status is at fault.
#[test]
fn a_finding_about_a_machine_names_what_is_in_the_way() {
    let message = |code: Code, machine: &Machine| {
        machine.check().into_iter().find(|it| it.code == code).map(|it| it.message).unwrap_or_default()
    };
    let lost = |change: Option<Move>| {
        let machine = Machine::starting_at("open")
            .with_state("lost")
            .with_end("closed")
            .with_move(Move::named("close", ["open", "lost"], "closed").by(["agent"]));
        let machine = change.into_iter().fold(machine, Machine::with_move);
        message(Code::UnreachableStatus, &machine)
    };
    let into = || Move::named("lose", ["open"], "lost");
    for (change, why) in [
        (None, "no move leads there"),
        (Some(into().barred("courier", "there is none")), "`lose` is closed to `courier`, since there is none"),
        (Some(into()), "nobody may `lose`"),
        (Some(Move::named("lose", ["lost"], "lost").by(["agent"])), "`lose` starts where nobody can get"),
        // Who else is kept from it is not what is in the way.
        (
            Some(Move::named("lose", ["lost"], "lost").by(["agent"]).barred("courier", "there is none")),
            "`lose` starts where nobody can get",
        ),
    ] {
        let message = lost(change);
        assert!(message.ends_with(why), "{message}");
    }

    let never = Machine::starting_at("open")
        .with_end("closed")
        .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
        .with_move(Move::named("approve", ["open"], "closed").barred("approver", "the group is empty"))
        .with_move(Move::named("check", ["open"], "closed").barred("clerk", "the desk is closed"));
    let acts_not = message(Code::RoleNeverActs, &never);
    assert_eq!(acts_not, "`approver` can never act: the group is empty");

    let clock = |name: &str, runs_in: &[&str]| MachineClock {
        name: name.into(),
        runs_in: runs_in.iter().map(|it| (*it).to_owned()).collect(),
        stopped_by: vec!["stop".into()],
        makes: None,
        is_window: false,
    };
    let runs = |machine: Machine| message(Code::ClockNeverStops, &machine);
    let closing = Machine::starting_at("open")
        .with_end("closed")
        .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
        .with_clock(clock("target", &["open", "closed"]));
    assert!(runs(closing.clone()).starts_with("`target` runs in `closed`, `open` and nothing"), "{}", runs(closing));
    // A move elsewhere that has its name stops nothing, and one from here of another name neither.
    let elsewhere = Machine::starting_at("open")
        .with_state("away")
        .with_end("closed")
        .with_move(Move::named("leave", ["open"], "away").by(["agent"]))
        .with_move(Move::named("close", ["open"], "closed").by(["agent"]))
        .with_move(Move::named("stop", ["away"], "closed").by(["agent"]))
        .with_clock(clock("target", &["closed"]));
    assert!(runs(elsewhere).starts_with("`target` runs in `closed` and nothing"));
}

/// Clocks are rivals where both run: one that could lead on from a status where it does not run rivals nobody there.
#[test]
fn clocks_are_rivals_only_where_both_run() {
    let clock = |name: &str, runs_in: &str, makes: &str| MachineClock {
        name: name.into(),
        runs_in: BTreeSet::from([runs_in.to_owned()]).into_iter().collect(),
        stopped_by: Vec::new(),
        makes: Some(makes.into()),
        is_window: false,
    };
    let of = |second: &str| {
        Machine::starting_at("open")
            .with_state("checked")
            .with_end("closed")
            .with_end("dropped")
            .with_move(Move::named("check", ["open"], "checked").by(["agent"]))
            .with_move(Move::named("close", ["open", "checked"], "closed").by(["agent"]))
            .with_move(Move::named("drop", ["open", "checked"], "dropped").by(["agent"]))
            .with_clock(clock("silence", "open", "drop"))
            .with_clock(clock("target", second, "close"))
    };
    assert_eq!(shown(&of("checked").check()), []);
    assert_eq!(shown(&of("open").check()), [(Code::RivalClocks, "clocks.target")]);
}

/// Seen from a level below the last, the level above is an end; from the last one there is none above.
#[test]
fn each_level_is_left_upward_unless_it_is_the_last() {
    let policy = policy();
    for at in [None, Some(level(1)), Some(level(2)), Some(level(3))] {
        let found = Machine::of(&policy, at).check();
        assert!(found.iter().all(|it| it.code != Code::UnreachableStatus), "{at:?}: {found:?}");
    }
}

#[test]
fn a_level_without_a_way_out_is_told_what_is_closed() {
    let found = Policy::check(&one_level("four_eyes = true"));
    let told =
        found.iter().find(|it| it.code == Code::LevelWithoutExit).map(|it| it.message.clone()).unwrap_or_default();
    assert!(told.contains("`resolve` is closed, since never `no_second_person_needed`"), "{told}");
    assert!(told.contains("`escalate` is closed"), "{told}");
}

/// What is not waited for, or is not said of this category, is no order that could be wrong.
#[test]
fn limits_contradict_each_other_only_where_both_count() {
    let codes = |text: &str, path: &str| -> Vec<Code> {
        Policy::check(text).into_iter().filter(|it| it.path == path).map(|it| it.code).collect()
    };
    let slow = ("acknowledgement = \"8 working hours\"", "acknowledgement = \"4 working days\"");
    let first = "targets.acknowledgement";
    assert_eq!(codes(&standard(&[slow], ""), first), [], "it is acknowledged at once");
    let later = ("acknowledge_at_once = true", "acknowledge_at_once = false");
    assert_eq!(codes(&standard(&[slow, later], ""), first), [Code::InvertedLimits]);
    // Said of a category alone, beside what holds for all.
    for (said, field) in
        [("acceptance = \"90 working days\"", "acceptance"), ("resolution = \"1 working hour\"", "acceptance")]
    {
        let text = standard(&[], &format!("{WATER}[categories.targets]\n{said}\n"));
        let found = codes(&text, &format!("categories.0.targets.{field}"));
        assert!(found.contains(&Code::ClockNeverCounts), "{said}: {:?}", Policy::check(&text));
    }
}

/// The final response is the promise that is kept by a decision, always, and in every category.
#[test]
fn the_final_response_is_what_the_law_promises_everybody() {
    let promise = |key: &str, days: u8, more: &str| {
        format!("\n[statutory.{key}]\nlabel = \"{key}\"\nwithin = \"{days} calendar days\"\nsource = \"Act\"\n{more}\n")
    };
    let others = [
        promise("aa", 71, "kept_by = \"first_response\""),
        promise("ab", 72, "kept_by = \"resolution\"\nlapses = true"),
        promise("ac", 73, "kept_by = \"resolution\"\ncategories = [\"water\"]"),
        promise("ad", 74, "kept_by = \"first_response\"\nlapses = true"),
        promise("ae", 75, "kept_by = \"first_response\"\ncategories = [\"water\"]"),
    ]
    .concat();
    let start = STANDARD.find("[statutory.").unwrap();
    let end = start + STANDARD[start..].find("\n[").unwrap();
    let without = format!("{}{}", &STANDARD[..start], &STANDARD[end..]);
    assert!(!without.contains("[statutory."), "{without}");
    let limit = |more: &str| {
        let policy = Policy::from_toml(&format!("{without}\n{WATER}{more}")).unwrap();
        let json = complaint_core::lifecycle::Lifecycle::of(&policy).to_json();
        let resolve = json["changes"].as_array().unwrap().iter().find(|it| it["command"] == "resolve");
        resolve.unwrap()["limit"].as_str().unwrap().to_owned()
    };
    assert_eq!(limit(&others), "within 20 working days");
    let all = limit(&(others + &promise("zz", 76, "kept_by = \"resolution\"")));
    assert_eq!(all, "within 20 working days, by law 76 calendar days");
    // A promise for one day of receipt is one.
    let day = promise("ba", 60, "kept_by = \"resolution\"\nfrom = \"2027-01-01\"\nuntil = \"2027-01-01\"");
    assert!(limit(&day).ends_with("by law 60 calendar days"));
}

/// Two promises are rivals where one complaint can have both; two laws are not, each is kept for itself.
#[test]
fn promises_are_rivals_only_where_one_complaint_has_both() {
    let water = "categories = [\"water\"]\n";
    let found = |weeks: u8, first: &str, second: &str| -> Vec<String> {
        let promise = |key: &str, weeks: u8, more: &str| {
            format!(
                "[statutory.{key}]\nlabel = \"{key}\"\nwithin = \"{weeks} weeks\"\nkept_by = \"resolution\"\nsource = \"Act\"\n{more}"
            )
        };
        let group = "[[categories]]\nkey = \"taps\"\nname = \"Taps\"\ngroups = [\"water\"]\n";
        let both = promise("aa", 6, first) + &promise("zz", weeks, second);
        let start = STANDARD.find("[statutory.").unwrap();
        let end = start + STANDARD[start..].find("\n[").unwrap();
        let found = Policy::check(&format!("{}{}\n{group}{both}", &STANDARD[..start], &STANDARD[end..]));
        found.into_iter().filter(|it| it.code == Code::RivalTargets).map(|it| it.path).collect()
    };
    let (first, second) = ("statutory.aa.within", "statutory.zz.within");
    for (weeks, said, more, expected) in [
        (8, "", "", Some(second)),
        (5, "", "", Some(first)),
        (6, "", "", Some(first)),
        (8, "lapses = true\n", "", None),
        (8, water, "", Some(second)),
        (8, water, water, Some(second)),
        (8, water, "except = [\"water\"]\n", None),
        (8, water, "categories = [\"gas\"]\n", None),
        (8, water, "categories = [\"taps\"]\n", Some(second)),
        (8, "until = \"2026-06-30\"\n", "from = \"2026-07-01\"\n", None),
        (8, "until = \"2026-07-01\"\n", "from = \"2026-07-01\"\n", Some(second)),
        (8, "pack = \"one\"\n", "pack = \"two\"\n", None),
        (8, "pack = \"one\"\n", "pack = \"one\"\n", Some(second)),
        (8, "pack = \"one\"\n", "", Some(second)),
    ] {
        assert_eq!(found(weeks, said, more), expected.into_iter().collect::<Vec<_>>(), "{weeks} {said:?} {more:?}");
    }
}

/// With four eyes, whoever proposes needs somebody else of their level or above it, and nobody of the first.
#[test]
fn a_second_person_is_missed_only_where_somebody_proposes() {
    let found = |who: &[(&str, u8)]| -> Vec<String> {
        let members = who.iter().map(|(id, at)| {
            let mut agent = agents().into_iter().find(|agent| agent.id.as_str() == *id).unwrap();
            agent.level = level(*at);
            Member { agent, workload: 0, last_assigned_at: None }
        });
        let roster = Roster { members: members.collect(), ..Roster::default() };
        let findings = Policy { four_eyes: true, ..policy() }.lint_with(&roster);
        findings.into_iter().filter(|it| it.code == Code::NobodyApproves).map(|it| it.path).collect()
    };
    assert_eq!(found(&[("sarah", 1), ("ben", 1)]), ["levels.0"], "those of the first level approve nothing");
    assert_eq!(found(&[("sarah", 1), ("max", 2)]), ["levels.1"], "one above is enough for the first level");
    assert_eq!(found(&[("sarah", 1), ("max", 2), ("omar", 3)]), ["levels.2"]);
    assert_eq!(found(&[("sarah", 1), ("max", 3), ("omar", 3)]), [] as [&str; 0], "nobody proposes at level 2");
}

/// A superior has to be there and of the level above; of what is at the last level, nothing goes further.
#[test]
fn a_superior_is_looked_at_where_something_goes_up_to_them() {
    let told = |of: &str, to: &str, change: &dyn Fn(&mut Agent)| -> Vec<String> {
        let members = agents().into_iter().map(|mut agent| {
            agent.reports_to = (agent.id.as_str() == of).then(|| agent_id(to));
            change(&mut agent);
            Member { agent, workload: 0, last_assigned_at: None }
        });
        let roster = Roster { members: members.collect(), ..Roster::default() };
        let findings = policy().lint_with(&roster);
        findings.into_iter().filter(|it| it.code == Code::SuperiorOutOfReach).map(|it| it.message).collect()
    };
    assert_eq!(told("sarah", "max", &|_| ()), [] as [&str; 0]);
    assert_eq!(told("omar", "max", &|_| ()), [] as [&str; 0]);
    let off = told("sarah", "max", &|agent| agent.enabled = agent.id.as_str() != "max");
    assert!(off.len() == 1 && off[0].ends_with("`max` is disabled"), "{off:?}");
    let far = told("sarah", "omar", &|_| ());
    assert!(far.len() == 1 && far[0].ends_with("`omar` is of level 3, not 2"), "{far:?}");
}

/// Whoever works in one area takes nothing of another, however free they are.
#[test]
fn a_category_of_an_area_needs_somebody_of_it() {
    let mut harbour = Category::named("Moorings").unwrap();
    harbour.skills = Some(BTreeSet::new());
    harbour.area = Some(Area::new("harbour").unwrap());
    let policy = policy().with_category(harbour);
    let of = |area: &str| {
        let members = agents().into_iter().map(|mut agent| {
            agent.areas = BTreeSet::from([Area::new(area).unwrap()]);
            Member { agent, workload: 0, last_assigned_at: None }
        });
        policy.lint_with(&Roster { members: members.collect(), ..Roster::default() })
    };
    assert_eq!(of("harbour"), []);
    assert!(shown(&of("city")).iter().any(|(code, _)| *code == Code::CategoryUnskilled), "{:?}", of("city"));
}

/// One roster for each finding about the staff, beside the policy of the house.
fn staffs() -> Vec<(Code, &'static str, Policy, Roster)> {
    let with = |change: &dyn Fn(&mut Agent)| {
        let members = agents().into_iter().map(|mut agent| {
            change(&mut agent);
            Member { agent, workload: 0, last_assigned_at: None }
        });
        Roster { members: members.collect(), ..Roster::default() }
    };
    let skilled = |skill: &str| {
        let mut category = Category::named("Leaks").unwrap();
        category.skills = Some(BTreeSet::from([skill.parse().unwrap()]));
        policy().with_category(category)
    };
    let mut local = Category::named("Late delivery").unwrap();
    local.area = Some(Area::new("north-sid").unwrap());
    let mut heavy = Category::named("Late delivery").unwrap();
    heavy.weight = 51;
    vec![
        (Code::LevelUnstaffed, "levels.2", policy(), with(&|agent| agent.enabled = agent.level != level(3))),
        (
            Code::NobodyApproves,
            "levels.2",
            Policy { four_eyes: true, ..policy() },
            with(&|agent| agent.enabled = agent.level != level(3) || agent.id.as_str() == "omar"),
        ),
        (Code::CategoryUnskilled, "categories.2", skilled("plumbing"), roster()),
        (Code::CategoryUnskilled, "categories.1", policy().with_category(heavy), roster()),
        (Code::LikelyTypo, "categories.2.skills", skilled("late-delivry"), roster()),
        (
            Code::LikelyTypo,
            "categories.1.area",
            policy().with_category(local),
            with(&|agent| agent.areas = BTreeSet::from([Area::new("north side").unwrap()])),
        ),
        (
            Code::SuperiorOutOfReach,
            "agents.sarah.reports_to",
            policy(),
            with(&|agent| agent.reports_to = (agent.id.as_str() == "sarah").then(|| agent_id("omar"))),
        ),
        (
            Code::SuperiorOutOfReach,
            "agents.ben.reports_to",
            policy(),
            with(&|agent| agent.reports_to = (agent.id.as_str() == "ben").then(|| agent_id("nobody"))),
        ),
        (
            Code::SuperiorOutOfReach,
            "agents.sue.reports_to",
            policy(),
            with(&|agent| {
                agent.enabled = agent.id.as_str() != "max";
                agent.reports_to = (agent.id.as_str() == "sue").then(|| agent_id("max"));
            }),
        ),
        (
            Code::CalendarUnused,
            "calendars.night",
            at_night(),
            with(&|agent| agent.shift = (agent.id.as_str() == "sarah").then(|| "office".to_owned())),
        ),
        (
            Code::AgentBeyondLadder,
            "agents.ora.level",
            policy(),
            with(&|agent| {
                if agent.id.as_str() == "ora" {
                    agent.level = level(4);
                }
            }),
        ),
    ]
}

/// The policy of the house with a calendar more.
fn at_night() -> Policy {
    let mut policy = policy();
    policy.calendars.insert("night".into(), policy.working_calendar());
    policy
}

#[test]
fn a_calendar_is_used_by_the_shift_of_an_agent() {
    let members = agents().into_iter().map(|mut agent| {
        agent.shift = (agent.id.as_str() == "sarah").then(|| "night".to_owned());
        Member { agent, workload: 0, last_assigned_at: None }
    });
    assert_eq!(at_night().lint_with(&Roster { members: members.collect(), ..Roster::default() }), []);
}

#[test]
fn each_finding_is_shown_and_has_its_place() {
    let mut seen: BTreeMap<Code, usize> = BTreeMap::new();
    for (code, path, place, text) in texts().into_iter().chain(more_texts()) {
        let findings = Policy::check(&text);
        let found = findings.iter().find(|finding| finding.code == code && finding.path == path);
        let found = found.unwrap_or_else(|| panic!("no {code} at {path:?}: {findings:#?}"));
        assert!(at(&text, found).starts_with(place), "{code} is placed at {:?}", at(&text, found));
        let usable = Policy::from_toml(&text).is_ok();
        assert_eq!(usable, findings.iter().all(|it| it.severity() == Severity::Warning), "{code}: {findings:#?}");
        *seen.entry(code).or_default() += 1;
    }
    for (code, path, machine) in machines() {
        assert_eq!(shown(&machine.check()), [(code, path)], "{machine:?}");
        *seen.entry(code).or_default() += 1;
    }
    for (code, path, policy, roster) in staffs() {
        assert_eq!(policy.lint(), []);
        assert_eq!(shown(&policy.lint_with(&roster)), [(code, path)]);
        *seen.entry(code).or_default() += 1;
    }
    let missing: Vec<Code> = Code::ALL.iter().copied().filter(|code| !seen.contains_key(code)).collect();
    assert!(missing.is_empty(), "nothing shows {missing:?}");
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len(), "each has a name of its own");
}

#[test]
fn the_policies_we_ship_have_none() {
    assert_eq!(Policy::check(STANDARD), []);
    assert_eq!(Policy::check(DEMO), []);
    assert_eq!(policy().lint_with(&roster()), []);
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_text() {
    let text = r#"name = "Ours"
calendar = "office"
agents_may_tke = true
channels = ["email", "pigeon"]

[calendars.office]
zone = "Mars/Base"
[calendars.office.hours]
mon = ["09:00-17:00"]
tue = ["9-17", "18:00-19:00"]

[targets]
acknowledgement = "8 working hours"
first_response = "2 working fortnights"
resolution = 20
acceptance = "8 working hours"
approval = "8 working hours"
silence = "14 days"
auto_close = "14 days"
contest_window = "30 days"

[priorities.urgnt]
resolution = "1 day"

[[levels]]
name = "Representative"
target = "soon"
authority = ["100.00 EUR", "1.005 EUR"]

[[levels]]
name = ""

[[categories]]
key = "water"
name = "Water"
priority = "hgh"
questions = [{ label = "Where?" }]
"#;
    let findings = Policy::check(text);
    let told: Vec<(usize, Code, &str)> =
        findings.iter().map(|finding| (finding.place.unwrap().line, finding.code, finding.path.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, Code::UnknownField, "agents_may_tke"),
            (4, Code::WrongValue, "channels.1"),
            (7, Code::CalendarFault, "calendars.office.zone"),
            (10, Code::CalendarFault, "calendars.office.hours.tue.0"),
            (12, Code::MissingField, "targets.remedy"),
            (14, Code::WrongValue, "targets.first_response"),
            (15, Code::WrongValue, "targets.resolution"),
            (22, Code::UnknownField, "priorities.urgnt"),
            (27, Code::WrongValue, "levels.0.target"),
            (28, Code::WrongValue, "levels.0.authority.1"),
            (30, Code::MissingField, "levels.1.target"),
            (31, Code::MissingText, "levels.1.name"),
            (36, Code::WrongValue, "categories.0.priority"),
            (37, Code::MissingField, "categories.0.questions.0.key"),
        ]
    );
    let remedies: Vec<&str> = findings.iter().map(|finding| finding.remedy.as_str()).collect();
    assert_eq!(remedies[0], "write `agents_may_take`");
    assert_eq!(remedies[7], "write `urgent`");
    assert_eq!(remedies[12], "write `high`");
    assert!(findings[5].message.contains("8 working hours"), "it says what is expected: {}", findings[5]);
    assert_eq!(
        findings[14 - 1].to_string().split(';').next().unwrap(),
        "line 37, column 14: categories.0.questions.0.key: missing field `key`"
    );
    let error = Policy::from_toml(text).unwrap_err();
    assert!(matches!(&error, PolicyError::Unreadable(told) if *told == findings), "{error}");
}

#[test]
fn every_broken_line_is_told() {
    let findings = Policy::check("name = \"a\"\nx = = 5\n\nname = \"b\"\ny = [1,\n");
    let told: Vec<(usize, Code)> = findings.iter().map(|it| (it.place.unwrap().line, it.code)).collect();
    for wanted in [(2, Code::Syntax), (4, Code::DuplicateKey)] {
        assert!(told.contains(&wanted), "{wanted:?} is not among {told:?}");
    }
}

#[test]
fn each_value_of_the_standard_policy_can_be_spoilt_and_is_found_where_it_stands() {
    let mut spoilt = 0;
    for (number, line) in STANDARD.lines().enumerate() {
        let Some((field, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
        // A name is a text like any other; so spoil it by its type.
        for at in [number, number + 1] {
            let wrong = ["[[]]", "{ no = 1 }", "3.5", "\"\\u0000\""][at % 4];
            let text: Vec<String> = STANDARD
                .lines()
                .enumerate()
                .map(|(at, line)| if at == number { format!("{field} = {wrong}") } else { line.to_owned() })
                .collect();
            let text = text.join("\n");
            let findings = Policy::check(&text);
            assert!(Policy::from_toml(&text).is_err(), "{field} = {wrong} instead of {value} was taken");
            assert!(
                findings.iter().all(|finding| finding.place.unwrap().line == number + 1),
                "{field} = {wrong}: {findings:#?}"
            );
            spoilt += 1;
        }
    }
    assert!(spoilt >= 70, "{spoilt}");
}

#[test]
fn a_huge_text_and_endless_faults_are_bounded() {
    let huge = format!("# {}\n{STANDARD}", "x".repeat(300 * 1024));
    assert_eq!(shown(&Policy::check(&huge)), [(Code::OutOfBounds, "")]);
    let levels = "[[levels]]\nname = 1\ntarget = 1\n".repeat(500);
    let findings = Policy::check(&levels);
    assert!((50..=60).contains(&findings.len()), "{}", findings.len());
}

#[test]
fn warnings_do_not_keep_a_policy_from_being_used() {
    let text = standard(&[("contest_window = \"30 days\"", "contest_window = \"7 days\"")], "");
    let policy = Policy::from_toml(&text).unwrap();
    assert_eq!(shown(&policy.lint()), [(Code::WindowsContradict, "targets.contest_window")]);
    assert_eq!(policy.faults(), []);
}

#[test]
fn a_span_of_no_time_is_found_though_no_text_can_say_it() {
    let mut policy = policy();
    policy.levels[1].target = complaint_core::deadline::Span::new(0, complaint_core::deadline::SpanUnit::Hours);
    let shown = shown(&policy.faults()).into_iter().map(|(code, path)| (code, path.to_owned())).collect::<Vec<_>>();
    assert_eq!(shown, [(Code::OutOfBounds, "levels.1.target".to_owned())]);
}

#[test]
fn known_systems_faults_in_a_policy_of_ours() {
    // Help desks with a time limit per category and another per priority: two match one complaint, and which of them
    // counts is written nowhere.
    let mut category = Category::named("Late delivery").unwrap();
    category.targets.resolution = Some("30 working days".parse().unwrap());
    let rival = policy().with_category(category);
    let findings = rival.lint();
    assert_eq!(shown(&findings), [(Code::RivalTargets, "categories.1.targets.resolution")]);
    assert!(findings[0].message.contains("10 working days for high, 5 working days for urgent"), "{}", findings[0]);
    // Our own lifecycle, on ladders of any length, has none of the faults of a shape.
    for length in 2..=9 {
        let mut policy = policy();
        policy.levels = (0..length).map(|at| policy.levels[at % 2].clone()).collect();
        for (at, level) in policy.levels.iter_mut().enumerate() {
            level.name = format!("Level {at}");
            level.authority = None;
        }
        assert_eq!(policy.lint(), [], "{length} levels");
    }
}

#[tokio::test]
async fn of_two_policies_the_later_stays_and_a_faulty_one_is_refused() {
    let house = House::new(policy()).await;
    let adopt = |version, takes, levels| {
        let mut other = policy();
        other.version = version;
        other.agents_may_take = takes;
        other.levels.truncate(levels);
        let adopted = house.desk.adopt(other).is_ok();
        let in_force = house.desk.policy();
        (adopted, in_force.version, in_force.agents_may_take)
    };
    assert_eq!(adopt(7, true, 3), (true, 7, true));
    assert_eq!(adopt(6, false, 3), (true, 7, true), "made earlier, came later");
    assert_eq!(adopt(7, false, 3), (true, 7, false));
    assert_eq!(adopt(8, true, 0), (false, 7, false), "without a level nobody could decide");
}
