//! Every public module, type, trait and function shows how it is used: by an example of its own, or by a line
//! `Example: …` that links to the one it is part of.
//!
//! Read from the sources: stable rustdoc does not count examples. Whether an example is true is tried by the doc tests,
//! whether a link leads anywhere by `cargo doc`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every source file below a folder, without those of unit tests.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
}

fn shows(doc: &str) -> bool {
    doc.contains("```") || doc.lines().any(|line| line.starts_with("Example: ") || line.starts_with("Examples: "))
}

/// The name of what a line declares, if everybody may use it. Methods are left out: the example of their type shows
/// those that need one. What a macro declares stands further in; functions there are methods.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.trim_start().strip_prefix("pub ")?.split([' ', '(', '<', '{', ';', ':']);
    let kind = words.find(|word| !["async", "const"].contains(word))?;
    let counts = ["struct", "enum", "trait"].contains(&kind) || (kind == "fn" && line.starts_with("pub "));
    words.next().filter(|_| counts)
}

/// Whether a line stands between an item and its documentation.
fn is_attribute(line: &str) -> bool {
    line.starts_with("#[") || line.starts_with("$(#[")
}

/// Every public item of a file with its documentation.
fn items(source: &str) -> Vec<(&str, String)> {
    let (mut found, mut doc) = (Vec::new(), String::new());
    for line in source.lines() {
        let code = line.trim_start();
        if let Some(text) = code.strip_prefix("///") {
            doc.push_str(text.strip_prefix(' ').unwrap_or(text));
            doc.push('\n');
        } else if !is_attribute(code) {
            let doc = std::mem::take(&mut doc);
            found.extend(declared(line).map(|name| (name, doc)));
        }
    }
    found
}

/// The names of the modules that a file declares for everybody.
fn modules(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
}

fn module_doc(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_public_shows_how_it_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    let (mut seen, mut lacking) = (0, Vec::new());
    for path in &files {
        let source = std::fs::read_to_string(path).expect("a source");
        let file = path.strip_prefix(&root).expect("below the root").display();
        for (name, doc) in items(&source) {
            seen += 1;
            if !shows(&doc) {
                lacking.push(format!("{file}: {name}"));
            }
        }
        let folder = if path.ends_with("lib.rs") { root.clone() } else { path.with_file_name("") };
        for module in modules(&source) {
            seen += 1;
            let places = [folder.join(format!("{module}.rs")), folder.join(module).join("mod.rs")];
            let inside = places.iter().find_map(|place| std::fs::read_to_string(place).ok()).expect("a module");
            if !shows(&module_doc(&inside)) {
                lacking.push(format!("{file}: module {module}"));
            }
        }
    }
    assert!(seen > 200, "only {seen} public items were found: the sources are not read as they are written");
    assert!(lacking.is_empty(), "without an example or a line `Example: …`:\n{}", lacking.join("\n"));
}

/// The words of code in the examples of a file.
fn example_words(source: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let lines = source.lines().filter_map(|line| {
        let code = line.trim_start();
        code.strip_prefix("///").or_else(|| code.strip_prefix("//!"))
    });
    let code = lines.filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        inside && !fence
    });
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
}

/// The name of a method that everybody may call.
fn method(line: &str) -> Option<&str> {
    let mut words = line.strip_prefix("    pub ")?.split([' ', '(', '<']);
    let kind = words.find(|word| !["async", "const"].contains(word))?;
    words.next().filter(|_| kind == "fn")
}

/// An example of its own for each getter would bury the text; in none at all it would be left to guess.
#[test]
fn every_public_method_is_called_in_some_example() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let sources: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).expect("a source")).collect();
    let shown: BTreeSet<&str> = sources.iter().flat_map(|source| example_words(source)).collect();
    let methods: BTreeSet<&str> = sources.iter().flat_map(|source| source.lines().filter_map(method)).collect();
    assert!(
        methods.len() > 300,
        "only {} methods were found: the sources are not read as they are written",
        methods.len()
    );
    let lacking: Vec<_> = methods.difference(&shown).collect();
    assert!(lacking.is_empty(), "in no example: {lacking:?}");
}
