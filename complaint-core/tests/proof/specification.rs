//! The table of the code against the table of the specification, which is read from a page and not written as the code is.

use std::collections::{BTreeMap, BTreeSet};

use complaint_core::lifecycle::{CommandName, LevelChange, Rule, Status, TABLE, To, Who};

const PAGE: &str = include_str!("specification.md");

/// What a row says of a command, in no order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    from: BTreeSet<Status>,
    to: BTreeSet<String>,
    level: LevelChange,
    who: BTreeSet<Who>,
}

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

fn people(cell: &str) -> BTreeSet<Who> {
    let role = |word: &str| match word.trim() {
        "customer" => Who::Customer,
        "handler" => Who::Handler,
        "agent" => Who::Agent,
        "supervisor+" => Who::Supervisor,
        "proposer" => Who::Proposer,
        "admin" => Who::Admin,
        "system" => Who::System,
        other => panic!("nobody is called {other}"),
    };
    everybody(cell.split([';', ',']).map(role).collect())
}

/// The rows under a heading, by command.
fn rows(heading: &str) -> BTreeMap<String, Row> {
    let section = PAGE.split_once(heading).expect("a heading of the page").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for line in section.lines().filter(|line| line.contains('`')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect();
        let [_, names, moved, who] = cells[..] else { panic!("four columns: {line}") };
        let names: Vec<&str> = names.split('/').map(|name| name.trim_matches([' ', '`'])).collect();
        let ways: Vec<&str> = if names.len() > 1 { moved.split(" / ").collect() } else { vec![moved] };
        assert_eq!(names.len(), ways.len(), "{line}");
        for (name, way) in names.into_iter().zip(ways) {
            let (from, to, level) = moves(way);
            let row = Row { from, to, level, who: people(who) };
            assert!(!row.to.is_empty() && !row.who.is_empty(), "{line}");
            assert_eq!(rows.insert(name.to_owned(), row), None, "twice: {name}");
        }
    }
    rows
}

#[test]
fn the_table_says_what_the_specification_says() {
    let (specified, differing, beside) =
        (rows("as it was specified"), rows("Rows that differ"), rows("Rows beside it"));
    assert_eq!((specified.len(), differing.len() + beside.len()), (36, 13), "not every row was read");
    for (name, row) in &differing {
        assert_ne!(Some(row), specified.get(name), "{name} does not differ, or is specified nowhere");
    }
    let known: BTreeSet<&String> = specified.keys().chain(beside.keys()).collect();
    let names: BTreeSet<String> = CommandName::ALL.iter().map(|name| name.name().to_owned()).collect();
    assert_eq!(known, names.iter().collect());
    for rule in TABLE {
        let name = rule.command.name();
        let row = differing.get(name).or_else(|| specified.get(name)).or_else(|| beside.get(name));
        assert_eq!(row, Some(&of_code(rule)), "{name}");
    }
}
