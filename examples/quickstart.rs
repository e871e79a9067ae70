//! From a complaint to a rating in twenty-five lines: embed the core, a SQLite file and a mail folder in any program.
//!
//! Run it with `cargo run --example quickstart`.
fn main() {}
