//! What the benches have in common: medians of many rounds, printed as lines `figure NAME VALUE UNIT`. Nothing is
//! asserted: a slow machine is not a fault.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::Instant;

use chrono::{DateTime, Utc};

/// Rounds of one measurement, unless it takes seconds.
pub(crate) const ROUNDS: usize = 51;

/// A Wednesday in November, 11:06:40 UTC.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("in range")
}

/// The middle one of these.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The seconds that a call takes.
pub(crate) fn seconds(call: impl FnOnce()) -> f64 {
    let started = Instant::now();
    call();
    started.elapsed().as_secs_f64()
}

/// The median time of one call in nanoseconds, over rounds of `times` calls each.
pub(crate) fn median_nanos(rounds: usize, times: u32, mut call: impl FnMut()) -> f64 {
    let round = |_| seconds(|| (0..times).for_each(|_| call())) * 1e9 / f64::from(times);
    median((0..rounds).map(round).collect())
}

/// One line of the result.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} {value:.3} {unit}");
}
