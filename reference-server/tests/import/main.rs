//! Imports through the real desk and store, and through the real program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use chrono::NaiveDate;
use complaint_core::complaint::{Channel, Complaint};
use complaint_core::lifecycle::Status;
use complaint_core::store::{Query, Scope};
use complaint_core::testing::ManualClock;
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use reference_server::config::DatabaseUrl;
use reference_server::import::mapping::Mapping;
use reference_server::import::{House, ImportError, Report, Survey};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn mappings(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name)
}

/// The real tables, where they lie beside the workspace; they are no part of it.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("COMPLAINT_SHARED_DATA").map_or(beside, PathBuf::from);
    let file = folder.join("complaints").join(name);
    file.is_file().then_some(file)
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn house(&self) -> House {
        let clock = ManualClock::at("2026-11-23T09:30:00Z".parse().unwrap());
        let database = DatabaseUrl::of(None, self.folder.path()).unwrap();
        House::open(&database, true, Arc::new(clock)).await.unwrap()
    }

    async fn import(&self, mapping: &Path, file: &Path) -> Result<Report, ImportError> {
        let text = std::fs::read_to_string(mapping).unwrap();
        let read = Mapping::from_toml(&text).unwrap();
        let files = [file.to_owned()];
        let mut report = Report::default();
        self.house().await.import(Survey::of(&read, mapping, &files)?, &mut report, &ProgressBar::hidden()).await?;
        Ok(report)
    }

    async fn all(&self) -> Vec<Complaint> {
        let house = self.house().await;
        let mut query = Query::within(Scope::All);
        query.limit = 100;
        let mut all = Vec::new();
        loop {
            let page = house.desk().store().search(&query).await.unwrap();
            all.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return all,
            }
        }
    }
}

fn reasons(report: &Report) -> Vec<(String, u64)> {
    report.skipped.iter().map(|(reason, skipped)| (reason.to_string(), skipped.count)).collect()
}

#[tokio::test]
async fn a_table_with_every_fault_twice() {
    let place = Place::new();
    let first = place.import(&data("shop.toml"), &data("shop.csv")).await.unwrap();
    assert_eq!((first.read, first.created), (31, 14), "{first}");
    assert_eq!(first.read, first.created + first.skipped_rows());
    let expected: Vec<(String, u64)> = [
        ("already imported", 1),
        ("already imported, and different now", 1),
        ("not as many columns as the header", 2),
        ("not UTF-8", 1),
        ("no key", 1),
        ("no category", 1),
        ("category: cannot be the name of one", 1),
        ("description: every template has a blank column", 1),
        ("purchase_date: not a day in any of the formats", 1),
        ("customer: blank", 1),
        ("left out by the mapping: finished in the shop", 2),
        ("contact.email: is not written as one", 1),
        ("description: must be at most 65536 bytes long", 1),
        ("description: must not contain control characters", 1),
        ("incident_date: must not be in the future", 1),
    ]
    .map(|(reason, count)| (reason.to_owned(), count))
    .into();
    assert_eq!(reasons(&first), expected);
    assert_eq!(first.categories, ["Damaged goods", "Late delivery", "Refund", "Street lighting"]);
    assert_eq!(first.agents, ["Petra Lindholm", "Aron Vass"]);
    // Two refunds fit Aron; nobody knows street lighting.
    assert_eq!((first.routed, first.created - first.routed), (10, 4), "{first}");

    let complaints = place.all().await;
    assert_eq!(complaints.len(), 14);
    let outbox = place.house().await;
    let now = "2026-11-23T09:30:00Z".parse().unwrap();
    let waiting = outbox.desk().store().claim(now, now, 1000).await.unwrap();
    assert_eq!(waiting, [], "what was before is no news");
    let bowl = complaints.iter().find(|it| it.subject == "Chipped bowl").unwrap();
    assert_eq!(bowl.description, "The large bowl has a chip on its rim.\nThe box was whole.");
    assert_eq!(bowl.channel, Channel::Import);
    assert_eq!(bowl.received_at, "2026-11-23T09:30:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    assert_eq!(bowl.incident_date, NaiveDate::from_ymd_opt(2023, 2, 1));
    assert_eq!(bowl.purchase_date, NaiveDate::from_ymd_opt(2023, 2, 1));
    assert_eq!(bowl.customer.as_str(), "c2@example.org");
    assert_eq!(bowl.order_number.as_deref(), Some("O-901"));
    let third = complaints.iter().find(|it| it.subject == "Two weeks late").unwrap();
    assert_eq!(third.order_number, None, "`n/a` stands for nothing");
    assert_eq!(third.category.as_str(), "late-delivery");
    let house = place.house().await;
    for complaint in &complaints {
        assert!(house.desk().replays(complaint.id).await.unwrap());
        assert!(matches!(complaint.status, Status::Queued | Status::Assigned));
    }

    let second = place.import(&data("shop.toml"), &data("shop.csv")).await.unwrap();
    assert_eq!((second.read, second.created), (31, 0), "{second}");
    assert_eq!(second.skipped.iter().next().unwrap().1.count, 15, "{second}");
    assert!(second.categories.is_empty() && second.agents.is_empty(), "{second}");
    assert_eq!(place.all().await, complaints, "nothing was changed");
}

#[tokio::test]
async fn the_real_tables_twice() {
    // Seven complaints are in both tables, written differently: one source, one key, one complaint.
    let files = [
        ("cfpb-mixed-products.toml", "cfpb-mixed-products-2023.csv.gz", 2066, 0),
        ("cfpb-payday.toml", "cfpb-payday-narratives-even-ids.csv.gz", 1405, 7),
    ];
    let found: Option<Vec<_>> = files.iter().map(|(_, file, ..)| shared(file)).collect();
    let Some(found) = found else {
        eprintln!("skipped: the real tables are not beside the workspace; COMPLAINT_SHARED_DATA may name their folder");
        return;
    };
    let place = Place::new();
    let mut total = 0;
    for ((mapping, _, rows, known), file) in files.into_iter().zip(found) {
        let first = place.import(&mappings(mapping), &file).await.unwrap();
        println!("{first}\n");
        let different = || ("already imported, and different now".to_owned(), known);
        assert_eq!((first.read, first.created), (rows, rows - known), "{first}");
        assert_eq!(reasons(&first), [different()].into_iter().filter(|_| known > 0).collect::<Vec<_>>());
        assert_eq!(first.routed, first.created, "{first}");
        total += first.created;
        let second = place.import(&mappings(mapping), &file).await.unwrap();
        println!("{second}\n");
        assert_eq!((second.read, second.created), (rows, 0), "{second}");
        let expected = [("already imported".to_owned(), rows - known), different()];
        assert_eq!(reasons(&second), expected.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>());
        assert_eq!(place.all().await.len() as u64, total);
    }
}

#[tokio::test]
async fn one_customer_may_bring_more_than_the_limit() {
    let place = Place::new();
    let table = place.folder.path().join("many.csv");
    let rows: Vec<String> = (0..60).map(|row| format!("{row},Refund,Row {row}")).collect();
    std::fs::write(&table, format!("No,Kind,Text\n{}\n", rows.join("\n"))).unwrap();
    let mapping = place.folder.path().join("many.toml");
    std::fs::write(&mapping, MANY).unwrap();
    let report = place.import(&mapping, &table).await.unwrap();
    assert_eq!(report.created, 60, "{report}");
    // The limit itself is untouched for everybody else.
    let toml = reference_server::auth::PolicyVersions::latest(
        &reference_server::auth::SqliteAccounts::open(
            &format!("sqlite://{}", place.folder.path().join("complaints.db").display()),
            true,
        )
        .await
        .unwrap(),
    )
    .await
    .unwrap()
    .unwrap()
    .toml;
    let kept = complaint_core::Policy::from_toml(&toml).unwrap();
    assert_eq!(kept.open_complaints_per_customer, complaint_core::Policy::standard().open_complaints_per_customer);
}

/// Rows are on their way together; still the first of a key is the one that is taken over, and the others are named as such.
#[tokio::test]
async fn of_rows_with_one_key_the_first_is_taken_over() {
    let place = Place::new();
    let table = place.folder.path().join("many.csv");
    let rows = (0..60).flat_map(|key| [0, 0, 1].map(|other| format!("{key},Refund,Row {key} {other}")));
    std::fs::write(&table, format!("No,Kind,Text\n{}\n", rows.collect::<Vec<_>>().join("\n"))).unwrap();
    let mapping = place.folder.path().join("many.toml");
    std::fs::write(&mapping, MANY).unwrap();
    let report = place.import(&mapping, &table).await.unwrap();
    assert_eq!((report.read, report.created), (180, 60), "{report}");
    // The header is row 1.
    let expected = [("already imported", 3), ("already imported, and different now", 4)];
    for ((reason, skipped), (told, first)) in report.skipped.iter().zip(expected) {
        let rows: Vec<u64> = skipped.first.iter().map(|(_, row)| *row).collect();
        assert_eq!((reason.to_string().as_str(), skipped.count), (told, 60), "{report}");
        assert_eq!(rows, [0, 3, 6, 9, 12].map(|row| first + row), "{report}");
    }
    for complaint in place.all().await {
        assert!(complaint.description.ends_with(" 0"), "{}", complaint.description);
    }
}

#[tokio::test]
async fn a_category_that_nobody_knows_is_not_made_unasked() {
    let place = Place::new();
    let mapping = place.folder.path().join("strict.toml");
    let text = std::fs::read_to_string(data("shop.toml")).unwrap().replace("create_categories = true", "");
    std::fs::write(&mapping, text).unwrap();
    let report = place.import(&mapping, &data("shop.csv")).await.unwrap();
    assert_eq!(report.created, 0);
    let counted = reasons(&report).into_iter().find(|(reason, _)| reason == "category: not in the policy");
    assert!(counted.is_some_and(|(_, count)| count > 14), "{report}");
}

fn program(place: &Place, mapping: &Path, file: &Path) -> Output {
    told(place, &["--create"], mapping, &[file])
}

fn told(place: &Place, arguments: &[&str], mapping: &Path, files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .arg("import")
        .args(arguments)
        .arg("--data")
        .arg(place.folder.path().join("data"))
        .arg("--mapping")
        .arg(mapping)
        .args(files)
        .output()
        .unwrap()
}

#[test]
fn the_program_says_how_it_went() {
    let place = Place::new();
    let done = program(&place, &data("shop.toml"), &data("shop.csv"));
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{told}");
    for part in [
        "Rows read        31",
        "Created          14",
        "waiting        4",
        "Skipped          17",
        "no key (shop.csv:18)",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let errors = String::from_utf8(done.stderr).unwrap();
    for words in ["There is no key", "nobody at all", "rings", "example.org"] {
        assert!(!told.contains(words) && !errors.contains(words), "{words} was repeated: {told}{errors}");
    }
}

/// Of rows that were handed in nothing is kept.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_table() {
    let text = "The basement is full of water. ".repeat(2_000);
    let peak = |rows: u32| {
        let place = Place::new();
        let table = place.folder.path().join("long.csv");
        let rows: Vec<String> = (0..rows).map(|row| format!("{row},Refund,{text}")).collect();
        std::fs::write(&table, format!("No,Kind,Text\n{}\n", rows.join("\n"))).unwrap();
        let mapping = place.folder.path().join("many.toml");
        std::fs::write(&mapping, MANY).unwrap();
        let done = program(&place, &mapping, &table);
        let told = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(0), "{told}");
        let peak = told.lines().find_map(|line| line.strip_prefix("Peak memory")).expect("a peak");
        peak.trim().trim_end_matches(" MiB").parse::<u64>().unwrap()
    };
    // Twenty-four megabytes more to read, of which whoever hands a row in has several copies; the engine's caches may fill.
    let (few, many) = (peak(50), peak(450));
    assert!(many < few + 16, "{few} MiB, then {many} MiB");
}

#[test]
fn what_a_file_holds_does_not_move_the_terminal() {
    let place = Place::new();
    let table = place.folder.path().join("odd.csv");
    std::fs::write(&table, "No,\u{1b}[2JKind,Te\u{7}xt\n1,Refund,Late\n").unwrap();
    let mapping = place.folder.path().join("many.toml");
    std::fs::write(&mapping, MANY).unwrap();
    let told = program(&place, &mapping, &table);
    assert_eq!(told.status.code(), Some(2));
    let errors = String::from_utf8(told.stderr).unwrap();
    assert!(errors.contains("\\u{1b}[2JKind") && errors.contains("Te\\u{7}xt"), "{errors}");
    assert!(!errors.contains(['\u{1b}', '\u{7}']), "{errors}");

    std::fs::write(&table, "No,Kind,Text\n1,Re\u{9b}fund,Late\n2,\u{1b}]0;x,Late\n").unwrap();
    let told = program(&place, &mapping, &table);
    let text = String::from_utf8([told.stdout, told.stderr].concat()).unwrap();
    assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text}");
}

#[test]
fn a_wrong_mapping_or_argument_stops_before_anything_is_made() {
    let place = Place::new();
    let wrong = place.folder.path().join("wrong.toml");
    let text = std::fs::read_to_string(data("shop.toml")).unwrap();
    std::fs::write(&wrong, text.replace("column = \"Bought\"", "column = \"Purchased\"")).unwrap();
    let told = program(&place, &wrong, &data("shop.csv"));
    let errors = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("there is no column \"Purchased\" in ") && errors.contains("shop.csv; it has: "),
        "{errors}"
    );
    assert!(!place.folder.path().join("data").exists(), "nothing was made");

    std::fs::write(&wrong, text.replace("blank =", "blanc =")).unwrap();
    let told = program(&place, &wrong, &data("shop.csv"));
    let errors = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(2), "{errors}");
    assert!(errors.contains("line 3: blanc: is not known here"), "{errors}");

    let fresh = Place::new();
    let told = program(&fresh, &data("shop.toml"), &data("no-such.csv"));
    assert_eq!(told.status.code(), Some(2));
    let folder = program(&fresh, &data("shop.toml"), fresh.folder.path());
    let errors = String::from_utf8(folder.stderr).unwrap();
    assert!(folder.status.code() == Some(2) && errors.contains("a folder, not a file"), "{errors}");
    let picture = fresh.folder.path().join("lid.csv");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let errors = String::from_utf8(program(&fresh, &data("shop.toml"), &picture).stderr).unwrap();
    assert!(errors.contains("lid.csv cannot be read") && errors.contains("no table in text"), "{errors}");
    let strange = fresh.folder.path().join("strange.csv");
    std::fs::write(&strange, format!("\u{1b}[2J{}\n1\n", "x".repeat(10_000))).unwrap();
    let errors = String::from_utf8(program(&fresh, &data("shop.toml"), &strange).stderr).unwrap();
    assert!(errors.contains("\\u{1b}") && !errors.contains('\u{1b}') && errors.len() < 3000, "{errors}");
    assert!(!fresh.folder.path().join("data").exists(), "nothing was made");
    let told = program(&fresh, &data("no-such.toml"), &data("shop.csv"));
    assert_eq!(told.status.code(), Some(2));
}

#[test]
fn of_several_files_the_one_at_fault_is_named() {
    let place = Place::new();
    let other = place.folder.path().join("other.csv");
    std::fs::write(&other, "No,Kind,Words\n1,Refund,Late\n").unwrap();
    let table = place.folder.path().join("many.csv");
    std::fs::write(&table, "No,Kind,Text\n1,Refund,Late\n").unwrap();
    let mapping = place.folder.path().join("many.toml");
    std::fs::write(&mapping, MANY).unwrap();
    let refused = told(&place, &["--create"], &mapping, &[&table, &other]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && errors.contains("other.csv; it has: No, Kind, Words"), "{errors}");
    assert!(!errors.contains("many.csv"), "{errors}");

    let plain = place.folder.path().join("plain.csv.gz");
    std::fs::copy(&table, &plain).unwrap();
    let refused = told(&place, &["--create"], &mapping, &[&table, &plain]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && errors.contains("plain.csv.gz cannot be read"), "{errors}");
    assert!(errors.contains("it is not gzipped"), "{errors}");
    assert!(!place.folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn an_import_goes_where_a_server_keeps_its_data() {
    let place = Place::new();
    let (mapping, table) = (data("shop.toml"), data("shop.csv"));
    let folder = place.folder.path().join("data");
    for made in [false, true] {
        if made {
            std::fs::create_dir(&folder).unwrap();
        }
        let refused = told(&place, &[], &mapping, &[&table]);
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{errors}");
        assert!(errors.contains("there is no database") && errors.contains("--create"), "{errors}");
        assert_eq!((folder.exists(), folder.join("complaints.db").exists()), (made, false), "nothing was made");
    }
    assert_eq!(told(&place, &["--create"], &mapping, &[&table]).status.code(), Some(0));
    assert_eq!(told(&place, &[], &mapping, &[&table]).status.code(), Some(0), "now there is one");
}

#[test]
fn a_file_that_breaks_off_is_a_failure() {
    let place = Place::new();
    let rows: Vec<String> = (0..4000).map(|row| format!("{row},Refund,Row {row} of many")).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(format!("No,Kind,Text\n{}\n", rows.join("\n")).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    let cut = place.folder.path().join("cut.csv.gz");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let mapping = place.folder.path().join("many.toml");
    std::fs::write(&mapping, MANY).unwrap();
    let told = program(&place, &mapping, &cut);
    let errors = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{errors}");
    let said = errors.split("cut.csv.gz cannot be read after ").nth(1).expect("how far it could be read");
    let rows: u64 = said.split(' ').next().and_then(|rows| rows.parse().ok()).expect("a number");
    assert!((1..4000).contains(&rows), "{errors}");
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("Nothing was taken over"), "{told}");
}

/// Sixty rows of one customer: more than anybody may have open.
const MANY: &str = r#"
source = "many"
key = "No"
create_categories = true
subject = "{Text}"
description = "{Text}"
category = { column = "Kind" }
customer = { per = "source" }
"#;
