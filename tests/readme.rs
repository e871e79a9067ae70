//! What the README shows is what the repository has.

use std::path::Path;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// The lines between two marks, without their common indentation.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let lines: Vec<&str> =
        text.lines().skip_while(|line| line.trim() != begin).skip(1).take_while(|line| line.trim() != end).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    lines.into_iter().map(|line| line.get(indent..).unwrap_or("")).collect()
}

#[test]
fn the_embedding_example_is_the_quickstart() {
    let (readme, quickstart) = (read("README.md"), read("examples/quickstart.rs"));
    let shown = between(&readme, "```rust", "```");
    let run = between(&quickstart, "// README: begin", "// README: end");
    assert!(!run.is_empty(), "the quickstart has lost its marks");
    assert_eq!(shown, run);
    assert!(run.iter().filter(|line| !line.trim().is_empty()).count() <= 25, "it promises twenty-five lines");
}

#[test]
fn the_two_commands_are_there() {
    let readme = read("README.md");
    for command in ["cargo run --release", "cargo run --release -- demo", "./tests/run"] {
        assert!(readme.contains(command), "README.md lacks {command}");
    }
}

#[test]
fn the_lifecycle_has_as_many_statuses_commands_and_clocks_as_the_documents_say() {
    use complaint_core::deadline::ClockKind;
    use complaint_core::lifecycle::{CommandName, Status};

    let lifecycle = format!("{} statuses and {} commands", Status::ALL.len(), CommandName::ALL.len());
    for document in ["README.md", "CHANGELOG.md"] {
        assert!(read(document).contains(&lifecycle), "{document} does not say {lifecycle}");
    }
    assert_eq!(ClockKind::ALL.len(), 11, "README.md says eleven clocks");
}

#[test]
fn every_file_that_the_documents_link_to_exists() {
    let mut followed = 0;
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = read(document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            followed += 1;
            assert!(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(),
                "{document} links to {path}, which is not there"
            );
        }
    }
    assert!(followed > 5, "only {followed} links were followed");
}
