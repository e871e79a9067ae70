//! Learned triage on real data that was written by nobody on our side, split by time: learned on the earlier part, tried
//! on the later. Runs when `COMPLAINT_SHARED_DATA` names the folder, and prints its figures (`--nocapture`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime};
use complaint_core::id::CategoryKey;
use complaint_core::triage::{Classifier, Clues, LearnedClassifier, Suggestion};

/// A table with its columns by name.
struct Table {
    columns: BTreeMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn read(folder: &Path, file: &str) -> Self {
        let file = File::open(folder.join(file)).unwrap();
        let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
        let columns = reader.headers().unwrap().iter().map(str::to_owned).zip(0..).collect();
        Self { columns, rows: reader.into_records().map(Result::unwrap).collect() }
    }

    fn get<'a>(&self, row: &'a csv::StringRecord, column: &str) -> &'a str {
        &row[self.columns[column]]
    }
}

/// What is to be predicted, and what is known when it comes in.
struct Case {
    truth: CategoryKey,
    text: String,
    fields: Vec<(&'static str, String)>,
    /// What simple baselines count by, the finest last.
    path: Vec<String>,
    humans: Option<CategoryKey>,
}

impl Case {
    fn clues(&self) -> Clues<'_> {
        let clues = Clues::new().text(&self.text);
        self.fields.iter().fold(clues, |clues, (name, value)| clues.field(name, value))
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("COMPLAINT_SHARED_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: COMPLAINT_SHARED_DATA does not name the folder of real data");
    }
    folder
}

fn category(text: &str) -> CategoryKey {
    CategoryKey::new(text.chars().take(64).collect::<String>()).unwrap()
}

/// The share of right answers, and the mean over the categories of the later part of the harmonic mean of precision
/// and recall.
#[derive(Clone, Copy)]
struct Score {
    accuracy: f64,
    macro_f1: f64,
}

fn score(cases: &[Case], predicted: &[Option<CategoryKey>]) -> Score {
    let mut counts: BTreeMap<&CategoryKey, [u32; 3]> = cases.iter().map(|case| (&case.truth, [0; 3])).collect();
    let mut right = 0;
    for (case, predicted) in cases.iter().zip(predicted) {
        let of_truth = counts.get_mut(&case.truth).unwrap();
        of_truth[1] += 1;
        if predicted.as_ref() == Some(&case.truth) {
            of_truth[0] += 1;
            right += 1;
        }
        if let Some(of_predicted) = predicted.as_ref().and_then(|predicted| counts.get_mut(predicted)) {
            of_predicted[2] += 1;
        }
    }
    let f1 = |[hits, are, said]: &[u32; 3]| f64::from(2 * hits) / f64::from((are + said).max(1));
    let (classes, total) = (u32::try_from(counts.len()).unwrap(), u32::try_from(cases.len()).unwrap());
    Score {
        accuracy: f64::from(right) / f64::from(total),
        macro_f1: counts.values().map(f1).sum::<f64>() / f64::from(classes),
    }
}

/// The commonest truth of the earlier part among those with the same path, or with as much of it as was ever seen.
fn majority(earlier: &[Case], later: &[Case], depth: usize) -> Vec<Option<CategoryKey>> {
    let mut seen: BTreeMap<&[String], BTreeMap<&CategoryKey, u32>> = BTreeMap::new();
    for case in earlier {
        for depth in 0..=depth.min(case.path.len()) {
            *seen.entry(&case.path[..depth]).or_default().entry(&case.truth).or_default() += 1;
        }
    }
    let guess = |case: &Case| {
        let counts = (0..=depth.min(case.path.len())).rev().find_map(|depth| seen.get(&case.path[..depth]))?;
        counts.iter().max_by_key(|(key, count)| (**count, std::cmp::Reverse(**key))).map(|(key, _)| (*key).clone())
    };
    later.iter().map(guess).collect()
}

fn learned(earlier: &[Case]) -> LearnedClassifier {
    let mut model = LearnedClassifier::new();
    for case in earlier {
        model.learn(&case.clues(), &case.truth).unwrap();
    }
    model
}

/// The first suggestion for each.
fn ours(model: &LearnedClassifier, later: &[Case]) -> Vec<Option<Suggestion>> {
    later.iter().map(|case| model.classify(&case.clues()).into_iter().next()).collect()
}

fn categories(suggestions: &[Option<Suggestion>]) -> Vec<Option<CategoryKey>> {
    suggestions.iter().map(|it| it.as_ref().map(|suggestion| suggestion.category.clone())).collect()
}

/// Of the suggestions with at least so many thousandths of confidence: how many there are, and the share that is right.
fn trusted(suggestions: &[Option<Suggestion>], later: &[Case], at_least: u16) -> (usize, f64) {
    let answers: Vec<bool> = suggestions
        .iter()
        .zip(later)
        .filter_map(|(suggestion, case)| Some((suggestion.as_ref()?, case)))
        .filter(|(suggestion, _)| suggestion.confidence.thousandths() >= at_least)
        .map(|(suggestion, case)| suggestion.category == case.truth)
        .collect();
    let right = u32::try_from(answers.iter().filter(|right| **right).count()).unwrap();
    (answers.len(), f64::from(right) / f64::from(u32::try_from(answers.len().max(1)).unwrap()))
}

fn report(
    title: &str,
    earlier: &[Case],
    later: &[Case],
    lines: &[(&str, Score)],
    suggestions: &[Option<Suggestion>],
) -> String {
    let mut report = format!("{title}: learned on {}, tried on {}\n", earlier.len(), later.len());
    for (name, score) in lines {
        let _ = writeln!(report, "  {name:<44} accuracy {:.3}  macro-F1 {:.3}", score.accuracy, score.macro_f1);
    }
    for at_least in [500, 700, 800] {
        let (count, right) = trusted(suggestions, later, at_least);
        let _ =
            writeln!(report, "  ours, confidence {} % or more: {count} suggestions, {right:.3} right", at_least / 10);
    }
    report
}

// --- incidents: the group that finally resolves, from what is known at opening --------------------------------------

/// The columns of the first event that are known at opening; that one is empty (`?`) is known as well. Left out: what is
/// stamped with its final value on every row (`closed_code`, `resolved_by`, `resolved_at`, `closed_at`, `problem_id`,
/// `rfc`, `vendor`, `caused_by`), what tells of the course (`knowledge`, `made_sla`, `u_priority_confirmation`,
/// `incident_state`, counters), and the humans' own first choice (`assignment_group`, `assigned_to`).
const AT_OPENING: [&str; 11] = [
    "category",
    "subcategory",
    "u_symptom",
    "location",
    "caller_id",
    "opened_by",
    "contact_type",
    "impact",
    "urgency",
    "priority",
    "cmdb_ci",
];
/// Who made the record. Never changes and is known at opening, but is so near to who does the work that the figures
/// with and without it are told apart.
const CREATOR: &str = "sys_created_by";

struct Incident {
    opened: NaiveDateTime,
    resolved: NaiveDateTime,
    case: Case,
}

fn incidents(folder: &Path) -> Vec<Incident> {
    let at = |text: &str| NaiveDateTime::parse_from_str(text, "%d/%m/%Y %H:%M").unwrap();
    let table = Table::read(folder, "incidents/uci-498-incident-events-to-2016-04-10.csv.gz");
    let mut logs: BTreeMap<&str, Vec<&csv::StringRecord>> = BTreeMap::new();
    for row in &table.rows {
        logs.entry(table.get(row, "number")).or_default().push(row);
    }
    let group =
        |row: &csv::StringRecord| Some(table.get(row, "assignment_group")).filter(|group| *group != "?").map(category);
    let mut incidents: Vec<Incident> = logs
        .into_values()
        .filter_map(|log| {
            // A log that does not begin with its first event does not tell what was known at opening.
            let first = log.first().filter(|row| table.get(row, "sys_mod_count") == "0")?;
            let resolving = log.iter().rev().find(|row| table.get(row, "incident_state") == "Resolved");
            let last = resolving.or(log.last())?;
            let field = |name: &'static str| (name, table.get(first, name).to_owned());
            let case = Case {
                truth: group(last)?,
                text: String::new(),
                fields: AT_OPENING.into_iter().chain([CREATOR]).map(field).collect(),
                path: vec![field("category").1, field("subcategory").1],
                humans: log.iter().find_map(|row| group(row)),
            };
            let (opened, resolved) = (table.get(first, "opened_at"), table.get(last, "sys_updated_at"));
            Some(Incident { opened: at(opened), resolved: at(resolved), case })
        })
        .collect();
    incidents.sort_by_key(|incident| incident.opened);
    incidents
}

/// What was resolved before an instant, in the order of resolution; and what was opened after it.
fn split(incidents: Vec<Incident>) -> (Vec<Case>, Vec<Case>) {
    let cut = incidents[incidents.len() * 7 / 10].opened;
    let (earlier, later): (Vec<Incident>, Vec<Incident>) = incidents.into_iter().partition(|it| it.opened <= cut);
    let mut earlier: Vec<Incident> = earlier.into_iter().filter(|it| it.resolved <= cut).collect();
    earlier.sort_by_key(|incident| incident.resolved);
    (earlier.into_iter().map(|it| it.case).collect(), later.into_iter().map(|it| it.case).collect())
}

fn without_fields(cases: &mut [Case], unwanted: &[&str]) {
    for case in cases {
        case.fields.retain(|(name, _)| !unwanted.contains(name));
    }
}

#[test]
fn incidents_go_to_the_group_that_resolves_them() {
    let Some(folder) = folder() else { return };
    let (mut earlier, mut later) = split(incidents(&folder));
    let most = score(&later, &majority(&earlier, &later, 0));
    let simple = score(&later, &majority(&earlier, &later, 2));
    let humans = score(&later, &later.iter().map(|case| case.humans.clone()).collect::<Vec<_>>());
    let told_the_creator = score(&later, &categories(&ours(&learned(&earlier), &later)));
    without_fields(&mut earlier, &[CREATOR]);
    without_fields(&mut later, &[CREATOR]);
    let suggestions = ours(&learned(&earlier), &later);
    let found = score(&later, &categories(&suggestions));
    let lines = [
        ("majority group", most),
        ("category + subcategory majority", simple),
        ("ours", found),
        ("ours, told who made the record as well", told_the_creator),
        ("the humans' first assignment", humans),
    ];
    let report = report("incidents, finally resolving group", &earlier, &later, &lines, &suggestions);
    print!("{report}");
    assert!(found.accuracy > most.accuracy + 0.05, "{report}");
    assert!(found.accuracy >= simple.accuracy && found.macro_f1 >= simple.macro_f1, "{report}");
    let (count, right) = trusted(&suggestions, &later, 700);
    assert!(count > later.len() / 10 && right > 0.6, "confidence must mean what it says\n{report}");
}

// --- complaints: the product from the narrative ----------------------------------------------------------------------

const MIXED: &str = "complaints/cfpb-mixed-products-2023.csv.gz";
const PAYDAY: &str = "complaints/cfpb-payday-narratives-even-ids.csv.gz";
const TOLD: [&str; 2] = ["Issue", "Sub-issue"];

/// Complaints with a narrative in the order of receipt.
fn narratives(folder: &Path, file: &str, truth: &str) -> Vec<(NaiveDate, Case)> {
    let day = |text: &str| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(text, "%m/%d/%y")).unwrap()
    };
    let table = Table::read(folder, file);
    let get = |row, column| table.get(row, column);
    let mut rows: Vec<&csv::StringRecord> = table.rows.iter().collect();
    rows.retain(|row| !matches!(get(row, "Consumer complaint narrative").trim(), "" | "None"));
    rows.sort_by_key(|row| (day(get(row, "Date received")), get(row, "Complaint ID")));
    let case = |row| Case {
        truth: category(get(row, truth)),
        text: get(row, "Consumer complaint narrative").to_owned(),
        fields: TOLD.into_iter().map(|name| (name, get(row, name).to_owned())).collect(),
        path: TOLD.into_iter().map(|name| get(row, name).to_owned()).collect(),
        humans: None,
    };
    rows.into_iter().map(|row| (day(get(row, "Date received")), case(row))).collect()
}

/// Each file is split at its own seven tenths; the parts are put together in the order of time.
fn split_narratives(folder: &Path, files: &[&str], truth: &str) -> (Vec<Case>, Vec<Case>) {
    let (mut earlier, mut later) = (Vec::new(), Vec::new());
    for file in files {
        let mut cases = narratives(folder, file, truth);
        later.extend(cases.split_off(cases.len() * 7 / 10));
        earlier.extend(cases);
    }
    earlier.sort_by_key(|(day, _)| *day);
    (earlier.into_iter().map(|(_, case)| case).collect(), later.into_iter().map(|(_, case)| case).collect())
}

/// The customers chose the product themselves, so there is no first assignment by anybody else to compare with.
#[test]
fn narratives_tell_the_product() {
    let Some(folder) = folder() else { return };
    let tasks: [(&str, &[&str], &str); 3] = [
        ("complaints of mixed products, product", &[MIXED], "Product"),
        ("complaints of both files, product", &[MIXED, PAYDAY], "Product"),
        ("complaints about payday loans, sub-product", &[PAYDAY], "Sub-product"),
    ];
    let mut reports = String::new();
    let mut faults = Vec::new();
    for (title, files, truth) in tasks {
        let (mut earlier, mut later) = split_narratives(&folder, files, truth);
        let most = score(&later, &majority(&earlier, &later, 0));
        let simple = score(&later, &majority(&earlier, &later, 2));
        let told_all = score(&later, &categories(&ours(&learned(&earlier), &later)));
        without_fields(&mut earlier, &TOLD);
        without_fields(&mut later, &TOLD);
        let suggestions = ours(&learned(&earlier), &later);
        let found = score(&later, &categories(&suggestions));
        let lines = [
            ("majority", most),
            ("issue + sub-issue majority", simple),
            ("ours, from the narrative alone", found),
            ("ours, from narrative, issue and sub-issue", told_all),
        ];
        reports += &report(title, &earlier, &later, &lines, &suggestions);
        if found.accuracy < most.accuracy + 0.05 || found.macro_f1 < 1.5 * most.macro_f1 {
            faults.push(format!("{title}: no better than the majority"));
        }
        // Issue and sub-issue belong to a product by the form's own making: nearly a table of the truth.
        if told_all.accuracy < simple.accuracy - 0.03 || told_all.macro_f1 < simple.macro_f1 - 0.05 {
            faults.push(format!("{title}: worse than issue and sub-issue alone"));
        }
    }
    print!("{reports}");
    assert!(faults.is_empty(), "{faults:?}\n{reports}");
}
