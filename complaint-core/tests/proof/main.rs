//! Proof of the core against its specification: exhaustive, random, and by name of each fault it must never have.

mod announcements;
mod clocks;
mod faults;
mod golden;
mod house;
mod invariants;
mod lifecycle;
mod triage;
mod triage_on_real_data;
mod visibility;
