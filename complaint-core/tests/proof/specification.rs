//! The table of the code against the table of the specification, which is read from a page and not written as the code is.

use std::collections::{BTreeMap, BTreeSet};

use complaint_core::lifecycle::{CommandName, Guard, LevelChange, Rule, Status, TABLE, To, Who, rule};

use crate::house::policy;
use crate::lifecycle::ruled;
use crate::spoilings::well_given;
use crate::stages::{actors, of, stages};

const PAGE: &str = include_str!("specification.md");

/// What a row says of a command, in no order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    from: BTreeSet<Status>,
    to: BTreeSet<String>,
    level: LevelChange,
    who: BTreeSet<Who>,
}

/// Guards by name or in words, each with whom it holds for; `None`: for everybody.
type Guards = BTreeSet<(Option<Who>, String)>;

/// Supervisors are agents.
fn everybody(mut who: BTreeSet<Who>) -> BTreeSet<Who> {
    if who.contains(&Who::Agent) {
        who.remove(&Who::Supervisor);
    }
    who
}

fn of_code(rule: &Rule) -> Row {
    let to = rule.to.iter().map(|to| match to {
        To::Same => "same".to_owned(),
        To::Status(status) => format!("{status:?}"),
        To::New(_) => "new".to_owned(),
    });
    let who = everybody(rule.permits.iter().map(|permit| permit.who).collect());
    Row { from: rule.from.iter().copied().collect(), to: to.collect(), level: rule.level, who }
}

fn guards_of_code(rule: &Rule) -> Guards {
    let named =
        |who: Option<Who>, guards: &'static [Guard]| guards.iter().map(move |guard| (who, guard.name().to_owned()));
    let own = rule.permits.iter().flat_map(|permit| named(Some(permit.who), permit.guards));
    named(None, rule.guards).chain(own).collect()
}

fn statuses(text: &str) -> BTreeSet<Status> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '*');
    let of_word = |word: &str| -> Vec<Status> {
        match word {
            "open" => Status::OPEN.to_vec(),
            "any" => Status::ALL.to_vec(),
            "Awaiting*" => vec![Status::AwaitingCustomer, Status::AwaitingThirdParty],
            name => Status::ALL.into_iter().filter(|status| format!("{status:?}") == name).collect(),
        }
    };
    words.flat_map(of_word).collect()
}

/// `from → to`, in one way or, after a semicolon, another.
fn moves(cell: &str) -> (BTreeSet<Status>, BTreeSet<String>, LevelChange) {
    let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
    for way in cell.split(';') {
        let (before, after) = way.split_once('→').expect("from → to");
        from.extend(statuses(before));
        if after.trim() == "new" || before.trim() == "–" {
            to.insert("new".to_owned());
            continue;
        }
        to.extend(statuses(after).iter().map(|status| format!("{status:?}")));
        if after.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "same") {
            to.insert("same".to_owned());
        }
    }
    let level = match cell {
        up if up.contains("level + 1") => LevelChange::Up,
        down if down.contains("level − 1") => LevelChange::Down,
        _ => LevelChange::Kept,
    };
    (from, to, level)
}

fn role(word: &str) -> Who {
    match word.trim() {
        "customer" => Who::Customer,
        "handler" => Who::Handler,
        "agent" => Who::Agent,
        "supervisor+" => Who::Supervisor,
        "proposer" => Who::Proposer,
        "admin" => Who::Admin,
        "system" => Who::System,
        other => panic!("nobody is called {other}"),
    }
}

fn people(cell: &str) -> BTreeSet<Who> {
    everybody(cell.split([';', ',']).map(role).collect())
}

/// One guard, and the same again for each of those before the colon.
fn guard(text: &str) -> Vec<(Option<Who>, String)> {
    let (who, guard) = match text.split_once(": ") {
        Some((who, guard)) => (who.split(',').map(|word| Some(role(word))).collect(), guard),
        None => (vec![None], text),
    };
    let guard = guard.trim_matches([' ', '`']);
    who.into_iter().map(|who| (who, guard.to_owned())).collect()
}

fn guards(cell: &str) -> Guards {
    cell.split(';').filter(|text| text.trim() != "–").flat_map(guard).collect()
}

fn lines(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let section = PAGE.split_once(heading).expect("a heading of the page").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect())
}

/// The rows under a heading, by command; with their guards where these have a column.
fn rows(heading: &str) -> BTreeMap<String, (Row, Guards)> {
    let mut rows = BTreeMap::new();
    for cells in lines(heading) {
        let [_, names, moved, who, ref guarded @ ..] = cells[..] else { panic!("four columns at least: {cells:?}") };
        let names: Vec<&str> = names.split('/').map(|name| name.trim_matches([' ', '`'])).collect();
        let each = |cell: &'static str| if names.len() > 1 { cell.split(" / ").collect() } else { vec![cell] };
        let ways = each(moved);
        let guarded = guarded.first().map_or_else(|| vec!["–"; names.len()], |cell| each(cell));
        assert_eq!((names.len(), names.len()), (ways.len(), guarded.len()), "{cells:?}");
        for ((name, way), guarded) in names.iter().zip(ways).zip(guarded) {
            let (from, to, level) = moves(way);
            let row = Row { from, to, level, who: people(who) };
            assert!(!row.to.is_empty() && !row.who.is_empty(), "{cells:?}");
            assert!(rows.insert((*name).to_owned(), (row, guards(guarded))).is_none(), "twice: {name}");
        }
    }
    rows
}

#[test]
fn the_table_says_what_the_specification_says() {
    let (specified, differing, beside) =
        (rows("as it was specified"), rows("Rows that differ"), rows("Rows beside it"));
    assert_eq!((specified.len(), differing.len() + beside.len()), (36, 13), "not every row was read");
    for (name, (row, _)) in &differing {
        assert_ne!(
            Some(row),
            specified.get(name).map(|(row, _)| row),
            "{name} does not differ, or is specified nowhere"
        );
    }
    let known: BTreeSet<&String> = specified.keys().chain(beside.keys()).collect();
    let names: BTreeSet<String> = CommandName::ALL.iter().map(|name| name.name().to_owned()).collect();
    assert_eq!(known, names.iter().collect());
    for rule in TABLE {
        let name = rule.command.name();
        let row = differing.get(name).or_else(|| specified.get(name)).or_else(|| beside.get(name));
        assert_eq!(row.map(|(row, _)| row), Some(&of_code(rule)), "{name}");
    }
}

#[test]
fn the_guards_are_those_of_the_specification_but_for_what_is_named() {
    let mut guarded: BTreeMap<String, Guards> = rows("as it was specified")
        .into_iter()
        .chain(rows("Rows beside it"))
        .map(|(name, (_, guards))| (name, guards))
        .collect();
    let mut departures = 0;
    for cells in lines("Guards that differ") {
        let [_, names, changes] = cells[..] else { panic!("three columns: {cells:?}") };
        for name in names.split(',').map(|name| name.trim_matches([' ', '`'])) {
            let guards = guarded.get_mut(name).unwrap_or_else(|| panic!("no command is called {name}"));
            for change in changes.split(';').map(str::trim) {
                let (mark, text) = change.split_once(' ').expect("a mark and a guard");
                for guard in guard(text) {
                    let differs = match mark {
                        "+" => guards.insert(guard),
                        "−" => guards.remove(&guard),
                        other => panic!("{other} is no mark"),
                    };
                    assert!(differs, "{name} does not differ in {text}");
                    departures += 1;
                }
            }
        }
    }
    assert_eq!(departures, 41, "not every departure was read");
    for rule in TABLE {
        let name = rule.command.name();
        assert_eq!(guarded.get(name), Some(&guards_of_code(rule)), "{name}");
    }
}

/// A row says where a command leads, whoever gives it. By trying: what it never leads to when it is given by some of those who may.
#[test]
fn where_a_command_leads_depends_on_who_acts_only_where_that_is_named() {
    let mut led: BTreeMap<&str, BTreeMap<&str, BTreeSet<String>>> = BTreeMap::new();
    for stage in stages(&policy()).iter().filter(|stage| stage.plain) {
        for (_, actor) in actors(&stage.complaint) {
            for name in CommandName::ALL.iter().filter(|name| **name != CommandName::Submit) {
                let Ok(entries) = ruled(&well_given(stage, &actor, *name)) else { continue };
                let (before, after) = (stage.complaint.status, of(&stage.complaint, &entries).status);
                let stays = after == before && rule(*name).to.contains(&To::Same);
                let end = if stays { "same".to_owned() } else { format!("{after:?}") };
                led.entry(name.name()).or_default().entry(actor.party().role()).or_default().insert(end);
            }
        }
    }
    let mut never = BTreeSet::new();
    for (name, by) in &led {
        let ends: BTreeSet<&String> = by.values().flatten().collect();
        for (who, theirs) in by {
            never.extend(ends.iter().filter(|end| !theirs.contains(**end)).map(|end| (*name, *who, end.as_str())));
        }
    }
    let mut named = BTreeSet::new();
    for cells in lines("Ends that differ by who acts") {
        let [_, commands, who, end] = cells[..] else { panic!("four columns: {cells:?}") };
        named.extend(commands.split(',').map(|name| (name.trim_matches([' ', '`']), who, end)));
    }
    assert_eq!(never, named);
}
