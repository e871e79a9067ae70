//! Proof of the core against its specification: exhaustive, random, and by name of each fault it must never have.

mod announcements;
mod charts;
mod clocks;
mod deadlines;
mod documentation;
mod ends;
mod extremes;
mod faults;
mod figures;
mod flow;
mod golden;
mod house;
mod invariants;
mod ladder;
mod lifecycle;
mod lint;
mod lists;
mod messages;
#[cfg(feature = "mock")]
mod mock;
mod notices;
mod oracle;
mod orders;
mod preferences;
mod redress;
mod refusals;
mod routing;
mod specification;
mod spoilings;
mod stages;
mod submitting;
mod triage;
mod triage_on_real_data;
mod visibility;
