//! For the tests of whoever embeds us: a clock that is moved by hand, and identifiers that are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::{Clock, IdSource, to_micros};
use crate::reference::Reference;

/// A clock that stands still until it is moved. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl ManualClock {
    /// A clock that shows this instant.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Arc::new(Mutex::new(to_micros(now))) }
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = to_micros(*now + by);
    }

    /// Moves it to an instant.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to_micros(to);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Identifiers that count up, spread so that they look like drawn ones: the same run gives the same ids.
#[derive(Debug, Default)]
pub struct CountedIds {
    drawn: AtomicU64,
}

impl CountedIds {
    /// Counts from this number, so that two sources do not meet.
    pub fn from(seed: u64) -> Self {
        Self { drawn: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        // An odd multiplier visits every value once; the golden ratio spreads neighbours.
        self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl IdSource for CountedIds {
    fn next_id(&self, now: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0).to_be_bytes();
        let drawn = self.next().to_be_bytes();
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x70;
        bytes[8..].copy_from_slice(&drawn);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid::from_bytes(bytes)
    }

    fn next_reference(&self) -> Reference {
        Reference::from_entropy(u128::from(self.next()))
    }
}
