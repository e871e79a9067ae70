//! Reading a policy from text: every fault at once, each with its place.
//!
//! A reader of types stops at the first fault. So a fault is noted, its value is replaced by one that can be read (or
//! taken away), and the text is read again until nothing is left. What stands for a faulty value is in no text and
//! is never reported itself. Considered and not taken: a reader of our own for every field; it would be a second
//! description of the policy, and wrong on the day a field is added.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::Policy;
use super::finding::{Code, Finding, Severity, TextPlace, nearest};
use crate::deadline::{Calendar, CalendarProblem, CalendarSpec};

/// The longest text, in bytes.
const TEXT_MAX: usize = 256 * 1024;
/// The most faults that are looked for.
const FAULTS_MAX: usize = 50;

/// The longest list in which the one item at fault is looked for.
const ITEMS_MAX: usize = 100;

/// What a text says: the policy, if it can be read as one, and everything that was found.
pub(super) struct Reading {
    pub(super) policy: Option<Policy>,
    pub(super) findings: Vec<Finding>,
}

/// Reads a text and checks what it says with `lint`.
pub(super) fn read(text: &str, lint: impl Fn(&Policy) -> Vec<Finding>) -> Reading {
    if text.len() > TEXT_MAX {
        let message = format!("the text has {} bytes", text.len());
        let finding = Finding::new(Code::OutOfBounds, "", message, format!("write at most {TEXT_MAX}"));
        return Reading { policy: None, findings: vec![finding] };
    }
    let (root, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        // What follows a broken line is guesswork: its other faults would mislead.
        let findings = broken.iter().take(FAULTS_MAX).map(|error| syntax(text, error)).collect();
        return Reading { policy: None, findings: sorted(findings) };
    }
    let span = root.span();
    let source = Source { text, root: Spanned::new(span, DeValue::Table(root.into_inner())) };
    let (policy, mut findings) = source.policy();
    let readable = findings.is_empty();
    if let Some(policy) = &policy {
        let linted = lint(policy).into_iter().map(|finding| Finding { place: source.place(&finding.path), ..finding });
        if readable {
            findings.extend(linted);
        } else {
            // Where a value stands in for a faulty one, comparisons say nothing; what is wrong by itself, does.
            let faulty: Vec<String> = findings.iter().map(|finding| finding.path.clone()).collect();
            let sure = linted.filter(|it| {
                it.severity() == Severity::Error
                    && !faulty.iter().any(|path| it.path.starts_with(path.as_str()) || path.starts_with(&it.path))
            });
            findings.extend(sure);
        }
    }
    Reading { policy: policy.filter(|_| readable), findings: sorted(findings) }
}

fn syntax(text: &str, error: &Error) -> Finding {
    let place = place(text, error.span().unwrap_or_default().start);
    let (code, remedy) = match error.message() {
        "duplicate key" => (Code::DuplicateKey, "give it once"),
        _ => (Code::Syntax, "write it as TOML"),
    };
    Finding { place: Some(place), ..Finding::new(code, "", error.message(), remedy) }
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| a.place.is_none().cmp(&b.place.is_none()).then(a.place.cmp(&b.place)));
    findings
}

fn place(text: &str, at: usize) -> TextPlace {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    TextPlace { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

struct Source<'t> {
    text: &'t str,
    root: Spanned<DeValue<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

/// What an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    path: Vec<Step>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The entry itself should not be there.
    Entry,
    /// It is not there.
    Missing,
    Value,
}

impl<'t> Source<'t> {
    fn policy(&self) -> (Option<Policy>, Vec<Finding>) {
        let mut draft = self.root.clone();
        let mut findings = Vec::new();
        let mut stand_ins = StandIns::default();
        // Stand-ins can ask for more stand-ins: a missing table for each of its fields.
        for _ in 0..FAULTS_MAX * 8 {
            let error = match parse(&draft) {
                Ok(policy) => return (Some(policy), findings),
                Err(error) => error,
            };
            let Some(spot) = locate(&draft, &error) else {
                findings.push(Finding::new(Code::WrongValue, "", error.message(), "correct it"));
                break;
            };
            let spot = narrowed(&draft, spot, &error);
            let real = error.span().is_some_and(|span| span.end <= self.text.len());
            if real {
                findings.extend(self.describe(&draft, &spot, &error));
            }
            if findings.len() >= FAULTS_MAX || !stand_ins.mend(&mut draft, &spot) {
                break;
            }
        }
        (None, findings)
    }

    fn describe(&self, draft: &Spanned<DeValue<'t>>, spot: &Spot, error: &Error) -> Vec<Finding> {
        let message = error.message();
        let item = node(draft, &spot.path).filter(|_| spot.kind == Kind::Value);
        let at = item.map(Spanned::span).or(error.span()).unwrap_or_default().start;
        let path = self.path_of(draft, spot);
        let known = quoted(message).skip(1);
        let (code, message, remedy) = match spot.kind {
            Kind::Entry => {
                let name = quoted(message).next().unwrap_or_default();
                let remedy = match nearest(name, known) {
                    Some(meant) => format!("write `{meant}`"),
                    None => "leave it out".to_owned(),
                };
                (Code::UnknownField, message.to_owned(), remedy)
            }
            Kind::Missing => (Code::MissingField, message.to_owned(), "add it".to_owned()),
            Kind::Value => {
                let faults = self.calendar_faults(draft, spot, &path);
                if !faults.is_empty() {
                    return faults;
                }
                let name = quoted(message).next().unwrap_or_default();
                let remedy = match nearest(name, known) {
                    Some(meant) => format!("write `{meant}`"),
                    None => "write what is expected".to_owned(),
                };
                (Code::WrongValue, message.to_owned(), remedy)
            }
        };
        vec![Finding { place: Some(place(self.text, at)), ..Finding::new(code, path, message, remedy) }]
    }

    /// A calendar is refused with all its faults; each has a place of its own.
    fn calendar_faults(&self, draft: &Spanned<DeValue<'t>>, spot: &Spot, path: &str) -> Vec<Finding> {
        let [Step::Key(calendars), Step::Key(_)] = spot.path.as_slice() else { return Vec::new() };
        let Some(node) = node(draft, &spot.path).filter(|_| calendars == "calendars") else { return Vec::new() };
        let spec = CalendarSpec::deserialize(ValueDeserializer::from(node.clone()));
        let Some(faults) = spec.ok().and_then(|spec| Calendar::new(&spec).err()) else { return Vec::new() };
        let mut findings = Vec::new();
        for fault in &faults {
            let field: String = fault.field.chars().filter(|c| *c != '"').collect();
            let (code, remedy) = match fault.problem {
                CalendarProblem::NoOpeningHours => (Code::CalendarWithoutHours, "add e.g. mon = [\"09:00-17:00\"]"),
                _ => (Code::CalendarFault, "correct it"),
            };
            let message = if fault.value.is_empty() {
                fault.problem.to_string()
            } else {
                format!("{:?}: {}", fault.value, fault.problem)
            };
            let mut path = format!("{path}.{field}");
            let items = self.find(&path).and_then(|node| node.get_ref().as_array().map(|items| items.iter()));
            let named = items.into_iter().flatten().position(|item| item.get_ref().as_str() == Some(&fault.value));
            if let Some(number) = named {
                path = format!("{path}.{number}");
            }
            findings.push(Finding { place: self.place(&path), ..Finding::new(code, path, message, remedy) });
        }
        findings
    }

    /// Where a path of the policy stands; the nearest table around what is not written down.
    fn place(&self, path: &str) -> Option<TextPlace> {
        let mut path = path;
        loop {
            if let Some(found) = self.find(path) {
                return Some(place(self.text, found.span().start));
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    fn find(&self, path: &str) -> Option<&Spanned<DeValue<'t>>> {
        fn descend<'a, 't>(value: &'a Spanned<DeValue<'t>>, path: &str) -> Option<&'a Spanned<DeValue<'t>>> {
            if path.is_empty() {
                return Some(value);
            }
            match value.get_ref() {
                // A key can have dots in it.
                DeValue::Table(table) => table.iter().find_map(|(key, value)| {
                    let rest = path.strip_prefix(key.get_ref().as_ref())?;
                    if rest.is_empty() { Some(value) } else { descend(value, rest.strip_prefix('.')?) }
                }),
                DeValue::Array(items) => {
                    let (number, rest) = path.split_once('.').unwrap_or((path, ""));
                    descend(items.get(number.parse::<usize>().ok()?)?, rest)
                }
                _ => None,
            }
        }
        descend(&self.root, path)
    }

    /// The path in the text as it was written: items that were taken away count.
    fn path_of(&self, draft: &Spanned<DeValue<'t>>, spot: &Spot) -> String {
        let mut written = Vec::new();
        let mut before = &self.root;
        let mut now = draft;
        for step in &spot.path {
            let found = match (step, before.get_ref(), now.get_ref()) {
                (Step::Key(key), DeValue::Table(before), DeValue::Table(now)) => {
                    written.push(key.clone());
                    entry(before, key).zip(entry(now, key))
                }
                (Step::Item(number), DeValue::Array(before), DeValue::Array(now)) => {
                    let same = now.get(*number).and_then(|item| {
                        let at = before.iter().position(|known| known.span() == item.span())?;
                        written.push(at.to_string());
                        Some((before.get(at)?, item))
                    });
                    if same.is_none() {
                        written.push(number.to_string());
                    }
                    same
                }
                _ => None,
            };
            match found {
                Some((next_before, next_now)) => (before, now) = (next_before, next_now),
                None => break,
            }
        }
        written.join(".")
    }
}

fn parse(draft: &Spanned<DeValue<'_>>) -> Result<Policy, Error> {
    Policy::deserialize(ValueDeserializer::from(draft.clone()))
}

/// The names in backticks of a message of serde: first the one at fault, then those that would do.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// Finds what an error is about by its span. Tables that are written together can share one: `[[levels]]` is the list
/// and its first item.
fn locate(draft: &Spanned<DeValue<'_>>, error: &Error) -> Option<Spot> {
    let span = error.span()?;
    let message = error.message();
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    collect(draft, &span, &mut Vec::new(), &mut keys, &mut values);
    let name = quoted(message).next().unwrap_or_default().to_owned();
    if message.starts_with("missing field") {
        let mut path = values.into_iter().rfind(|(_, is_table)| *is_table)?.0;
        path.push(Step::Key(name));
        return Some(Spot { path, kind: Kind::Missing });
    }
    let by_key = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let named = keys.iter().rev().find(|path| by_key && path.last() == Some(&Step::Key(name.clone())));
    if let Some(path) = named.or(keys.last().filter(|_| values.is_empty())) {
        return Some(Spot { path: path.clone(), kind: Kind::Entry });
    }
    values.pop().map(|(path, _)| Spot { path, kind: Kind::Value })
}

/// An item that cannot be read is reported as its list. Alone in the list, the one at fault gives the same error.
fn narrowed(draft: &Spanned<DeValue<'_>>, spot: Spot, error: &Error) -> Spot {
    let list = node(draft, &spot.path).and_then(|node| node.get_ref().as_array());
    let Some(items) = list.filter(|items| spot.kind == Kind::Value && items.len() <= ITEMS_MAX) else { return spot };
    let at_fault = (0..items.len()).find(|number| {
        let mut alone = draft.clone();
        if let Some(DeValue::Array(list)) = node_mut(&mut alone, &spot.path) {
            *list = items.iter().skip(*number).take(1).cloned().collect();
        }
        parse(&alone).is_err_and(|other| other.message() == error.message() && other.span() == error.span())
    });
    // Where there should be no list at all, no item is to blame.
    let no_list = ["invalid type: sequence", "wanted string or table"];
    let no_list = no_list.iter().any(|start| error.message().starts_with(start));
    let Some(number) = at_fault.filter(|_| !no_list) else { return spot };
    let path = spot.path.into_iter().chain([Step::Item(number)]).collect();
    Spot { path, ..spot }
}

/// Every key and value of exactly this span, outermost first.
fn collect(
    value: &Spanned<DeValue<'_>>,
    span: &Range<usize>,
    path: &mut Vec<Step>,
    keys: &mut Vec<Vec<Step>>,
    values: &mut Vec<(Vec<Step>, bool)>,
) {
    if value.span() == *span {
        values.push((path.clone(), value.get_ref().is_table()));
    }
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                path.push(Step::Key(key.get_ref().to_string()));
                if key.span() == *span {
                    keys.push(path.clone());
                }
                collect(value, span, path, keys, values);
                path.pop();
            }
        }
        DeValue::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                path.push(Step::Item(number));
                collect(item, span, path, keys, values);
                path.pop();
            }
        }
        _ => {}
    }
}

fn entry<'a, 't>(table: &'a DeTable<'t>, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
}

fn node<'a, 't>(root: &'a Spanned<DeValue<'t>>, path: &[Step]) -> Option<&'a Spanned<DeValue<'t>>> {
    path.iter().try_fold(root, |value, step| match (step, value.get_ref()) {
        (Step::Key(key), DeValue::Table(table)) => entry(table, key),
        (Step::Item(number), DeValue::Array(items)) => items.get(*number),
        _ => None,
    })
}

fn node_mut<'a, 't>(root: &'a mut Spanned<DeValue<'t>>, path: &[Step]) -> Option<&'a mut DeValue<'t>> {
    path.iter().try_fold(root.get_mut(), |value, step| match (step, value) {
        (Step::Key(key), DeValue::Table(table)) => {
            table.iter_mut().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value.get_mut())
        }
        (Step::Item(number), DeValue::Array(items)) => items.get_mut(*number).map(Spanned::get_mut),
        _ => None,
    })
}

/// Values that stand in for faulty ones. Each has a span of its own beyond any text.
#[derive(Default)]
struct StandIns {
    made: usize,
}

/// One of these can be read in nearly every place; where none can, the entry is taken away.
const STAND_INS: [&str; 9] = [
    "\"UTC\"",
    "\"1 day\"",
    "1",
    "false",
    "\"1.00 EUR\"",
    "[]",
    "{}",
    "{ zone = \"UTC\", hours = { mon = [\"09:00-17:00\"] } }",
    "[\"email\"]",
];

impl StandIns {
    /// Makes the draft readable at this spot. `false` if that cannot be done.
    fn mend(&mut self, draft: &mut Spanned<DeValue<'_>>, spot: &Spot) -> bool {
        // First one that is right in itself; then one that at least moves the fault inward or outward.
        for wholly in [true, false] {
            for text in STAND_INS.iter().filter(|_| spot.kind != Kind::Entry) {
                let Ok(value) = DeValue::parse(text) else { continue };
                let value = self.placed(value.into_inner());
                let mut tried = draft.clone();
                if put(&mut tried, &spot.path, value) && gets_on(&tried, &spot.path, wholly) {
                    *draft = tried;
                    return true;
                }
            }
        }
        take_away(draft, &spot.path)
    }

    fn placed(&mut self, value: DeValue<'static>) -> Spanned<DeValue<'static>> {
        let value = match value {
            DeValue::Table(table) => DeValue::Table(
                table
                    .into_iter()
                    .map(|(key, value)| (Spanned::new(self.span(), key.into_inner()), self.placed(value.into_inner())))
                    .collect(),
            ),
            DeValue::Array(items) => {
                DeValue::Array(items.into_iter().map(|item| self.placed(item.into_inner())).collect())
            }
            other => other,
        };
        Spanned::new(self.span(), value)
    }

    fn span(&mut self) -> Range<usize> {
        self.made += 1;
        let start = usize::MAX / 2 + self.made;
        start..start + 1
    }
}

/// Whether reading comes further than this spot.
fn gets_on(draft: &Spanned<DeValue<'_>>, path: &[Step], wholly: bool) -> bool {
    match parse(draft) {
        Ok(_) => true,
        Err(error) => locate(draft, &error).is_some_and(|next| {
            let related = next.path.starts_with(path) || path.starts_with(&next.path);
            if wholly { !related } else { next.path != path }
        }),
    }
}

fn put<'t>(draft: &mut Spanned<DeValue<'t>>, path: &[Step], value: Spanned<DeValue<'t>>) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    match (last, node_mut(draft, parents)) {
        (Step::Key(key), Some(DeValue::Table(table))) => {
            let span = value.span();
            table.insert(Spanned::new(span, key.clone().into()), value);
            true
        }
        (Step::Item(number), Some(DeValue::Array(items))) => match items.get_mut(*number) {
            Some(item) => {
                *item = value;
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn take_away(draft: &mut Spanned<DeValue<'_>>, path: &[Step]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    match (last, node_mut(draft, parents)) {
        (Step::Key(key), Some(DeValue::Table(table))) => {
            // Keys compare without their spans.
            table.remove(&Spanned::new(0..0, key.clone().into())).is_some()
        }
        (Step::Item(number), Some(DeValue::Array(items))) => {
            let kept: Vec<_> =
                items.iter().enumerate().filter(|(at, _)| at != number).map(|(_, it)| it.clone()).collect();
            *items = kept.into_iter().collect();
            true
        }
        _ => false,
    }
}
