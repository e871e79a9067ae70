//! The instant the server works by.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

pub use complaint_core::clock::{Clock, SystemClock};

/// The furthest a movable clock can be ahead of the clock below it: ten years.
pub const FURTHEST_ADVANCE: TimeDelta = TimeDelta::days(3653);

/// A clock that runs with another one and can be pushed forward, never back.
///
/// Only for trying things out: `--movable-clock` puts it into the server.
pub struct MovableClock {
    below: Arc<dyn Clock>,
    ahead_micros: AtomicI64,
}

impl MovableClock {
    /// Runs with `below`, not yet ahead of it.
    pub fn over(below: Arc<dyn Clock>) -> Self {
        Self { below, ahead_micros: AtomicI64::new(0) }
    }

    /// Pushes the clock forward and returns the new instant.
    ///
    /// `None` when `by` is not positive or the clock would be more than [`FURTHEST_ADVANCE`] ahead; then nothing changed.
    pub fn advance(&self, by: TimeDelta) -> Option<DateTime<Utc>> {
        let step = by.num_microseconds().filter(|step| *step > 0)?;
        let furthest = FURTHEST_ADVANCE.num_microseconds()?;
        self.ahead_micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ahead| {
                ahead.checked_add(step).filter(|sum| *sum <= furthest)
            })
            .ok()?;
        Some(self.now())
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        self.below.now() + TimeDelta::microseconds(self.ahead_micros.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(DateTime<Utc>);
    impl Clock for Fixed {
        fn now(&self) -> DateTime<Utc> {
            self.0
        }
    }

    #[test]
    fn moves_forward_only_and_not_without_bound() {
        let start = DateTime::from_timestamp(1_000, 0).expect("in range");
        let clock = MovableClock::over(Arc::new(Fixed(start)));
        assert_eq!(clock.advance(TimeDelta::hours(2)), Some(start + TimeDelta::hours(2)));
        assert_eq!(clock.advance(TimeDelta::hours(1)), Some(start + TimeDelta::hours(3)));
        assert_eq!(clock.advance(TimeDelta::zero()), None);
        assert_eq!(clock.advance(TimeDelta::hours(-1)), None);
        assert_eq!(clock.advance(FURTHEST_ADVANCE), None);
        assert_eq!(clock.now(), start + TimeDelta::hours(3));
    }
}
