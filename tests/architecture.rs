//! The crate graph of ARCHITECTURE.md holds: read from `cargo metadata`, not from good intentions.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each may use in its ordinary build.
const ARROWS: [(&str, &[&str]); 4] = [
    ("complaint-core", &[]),
    ("complaint-store-sqlx", &["complaint-core"]),
    ("complaint-notify", &["complaint-core"]),
    ("reference-server", &["complaint-core", "complaint-store-sqlx", "complaint-notify"]),
];

/// Crates that have no business in the pure core, however far down.
const IMPURE: [&str; 10] =
    ["tokio", "sqlx", "sqlx-core", "axum", "lettre", "reqwest", "hyper", "mio", "socket2", "libsqlite3-sys"];

fn metadata() -> Value {
    // Our own crates alone: a resolved graph names packages of other systems, which a build here never fetched.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// The names of the crates that each package uses in its ordinary build, optional ones included.
fn ordinary_dependencies(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().expect("dependencies");
            let names = uses
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
                .collect();
            (package["name"].as_str().expect("a name").to_owned(), names)
        })
        .collect()
}

#[test]
fn our_crates_use_only_those_the_picture_shows() {
    let uses = ordinary_dependencies(&metadata());
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ARROWS {
        for used in uses[name].iter().filter(|used| ours.contains(&used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
}

#[test]
fn the_core_stays_pure() {
    // The resolved graph, so that nothing comes in through the back door. Features of the tests do not count.
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "complaint-core", "--edges", "normal", "--prefix", "none", "--locked", "--offline"])
        .args(["--no-dedupe", "--features", "testing,conformance"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names are UTF-8");
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("chrono") && crates.contains("jiff"), "the tree was not read: {tree}");
    for impure in IMPURE {
        assert!(!crates.contains(impure), "complaint-core uses {impure}");
    }
}

#[test]
fn handlers_and_pages_name_no_adapter() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("reference-server/src");
    let mut read = 0;
    for folder in ["api", "pages"] {
        for file in files_under(&source.join(folder)) {
            let text = std::fs::read_to_string(&file).expect("readable");
            read += 1;
            for adapter in ["complaint_store_sqlx", "complaint_notify", "sqlx::", "lettre"] {
                assert!(!text.contains(adapter), "{} names {adapter}", file.display());
            }
        }
    }
    assert!(read > 10, "only {read} files were read");
}

fn files_under(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_under(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
