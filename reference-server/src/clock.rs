//! The instant the server works by.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

pub use complaint_core::clock::{Clock, SystemClock};

/// The file that says by how many microseconds a movable clock is ahead.
const AHEAD: &str = "clock-ahead-micros";

/// The furthest a movable clock can be ahead of the clock below it: ten years.
pub const FURTHEST_ADVANCE: TimeDelta = TimeDelta::days(3653);

/// A clock that runs with another one and can be pushed forward, never back.
///
/// Only for trying things out: `--movable-clock` puts it into the server. How far it is ahead is kept beside the data, because what was
/// stored under it would lie in the future of a clock that begins anew.
pub struct MovableClock {
    below: Arc<dyn Clock>,
    ahead_micros: AtomicI64,
    /// Holds how far ahead it is; locked by whoever pushes.
    kept_in: Mutex<PathBuf>,
}

impl MovableClock {
    /// Runs with `below`, as far ahead of it as the clock was that was last kept in this folder.
    ///
    /// # Errors
    /// When what is kept there cannot be read.
    pub fn over(below: Arc<dyn Clock>, folder: &Path) -> io::Result<Self> {
        let file = folder.join(AHEAD);
        let ahead = match std::fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { below, ahead_micros: AtomicI64::new(ahead), kept_in: Mutex::new(file) })
    }

    /// Whether a clock was pushed forward over what is in this folder.
    pub fn was_pushed(folder: &Path) -> bool {
        folder.join(AHEAD).exists()
    }

    /// Pushes the clock forward and returns the new instant.
    ///
    /// `None` when `by` is not positive or the clock would be more than [`FURTHEST_ADVANCE`] ahead; then nothing changed.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing changed either.
    pub fn advance(&self, by: TimeDelta) -> io::Result<Option<DateTime<Utc>>> {
        let file = self.kept_in.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = TimeDelta::microseconds(self.ahead_micros.load(Ordering::SeqCst)).checked_add(&by);
        let ahead = ahead.filter(|ahead| by > TimeDelta::zero() && *ahead <= FURTHEST_ADVANCE);
        let Some(micros) = ahead.and_then(|ahead| ahead.num_microseconds()) else { return Ok(None) };
        // Aside, then to its place: cut off in between, the file would not be read again.
        let aside = file.with_extension("new");
        std::fs::write(&aside, format!("{micros}\n"))?;
        std::fs::rename(&aside, &*file)?;
        self.ahead_micros.store(micros, Ordering::SeqCst);
        Ok(Some(self.now()))
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
        let folder = tempfile::tempdir().expect("a folder");
        let clock = || MovableClock::over(Arc::new(Fixed(start)), folder.path()).expect("a clock");
        assert!(!MovableClock::was_pushed(folder.path()));
        let first = clock();
        let advance = |by| first.advance(by).expect("kept");
        assert_eq!(advance(TimeDelta::hours(2)), Some(start + TimeDelta::hours(2)));
        assert_eq!(advance(TimeDelta::hours(1)), Some(start + TimeDelta::hours(3)));
        assert_eq!(advance(TimeDelta::zero()), None);
        assert_eq!(advance(TimeDelta::hours(-1)), None);
        assert_eq!(advance(FURTHEST_ADVANCE), None);
        assert_eq!(first.now(), start + TimeDelta::hours(3));
        assert!(MovableClock::was_pushed(folder.path()));
        assert_eq!(clock().now(), start + TimeDelta::hours(3), "after a restart");
    }

    #[test]
    fn what_cannot_be_kept_moves_nothing_and_what_cannot_be_read_is_no_clock() {
        let start = DateTime::from_timestamp(1_000, 0).expect("in range");
        let folder = tempfile::tempdir().expect("a folder");
        let clock = MovableClock::over(Arc::new(Fixed(start)), &folder.path().join("gone")).expect("a clock");
        assert!(clock.advance(TimeDelta::hours(1)).is_err() && clock.now() == start);
        std::fs::write(folder.path().join(AHEAD), "an hour").expect("writes");
        assert!(MovableClock::over(Arc::new(Fixed(start)), folder.path()).is_err());
    }
}
