//! The two things a pure library cannot make itself: the time and fresh identifiers.
//!
//! Both are arguments. [`Desk`](crate::desk::Desk) holds them and nothing else in the core reads them, so that a test
//! moves a clock instead of waiting.
//!
//! Examples: [`Clock`], [`RandomIds`].

use chrono::{DateTime, SubsecRound, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use crate::reference::Reference;

/// Tells the time.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use complaint_core::clock::{Clock, to_micros};
///
/// /// Shows when the message came in, however late it is read.
/// struct Postmark(DateTime<Utc>);
///
/// impl Clock for Postmark {
///     fn now(&self) -> DateTime<Utc> {
///         to_micros(self.0)
///     }
/// }
///
/// assert_eq!(Postmark(DateTime::UNIX_EPOCH).now(), DateTime::UNIX_EPOCH);
/// ```
pub trait Clock: Send + Sync {
    /// The present instant. Correct implementations truncate to microseconds ([`to_micros`]), because that is what
    /// every supported database keeps, and never run backwards by more than the host can bear: a deadline is judged by it.
    fn now(&self) -> DateTime<Utc>;
}

/// Draws fresh identifiers.
///
/// Example: [`RandomIds`].
pub trait IdSource: Send + Sync {
    /// A UUID never returned before, by this or any other source; version 7 (RFC 9562) made from `now`.
    fn next_id(&self, now: DateTime<Utc>) -> Uuid;

    /// A reference drawn at random. It may repeat one drawn before: the store refuses it and the desk draws again.
    fn next_reference(&self) -> Reference;
}

/// Cuts an instant to whole microseconds. The one door through which time enters the domain.
///
/// ```
/// use chrono::DateTime;
/// use complaint_core::clock::to_micros;
///
/// let fine = DateTime::from_timestamp_nanos(123_456_789);
/// assert_eq!(to_micros(fine), DateTime::from_timestamp_nanos(123_456_000));
/// ```
pub fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// The machine's clock.
///
/// ```
/// use chrono::DateTime;
/// use complaint_core::clock::{Clock, SystemClock, to_micros};
///
/// let now = SystemClock.now();
/// assert!(now > DateTime::UNIX_EPOCH);
/// assert_eq!(now, to_micros(now));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}

/// Identifiers from the operating system's random generator.
///
/// ```
/// use chrono::DateTime;
/// use complaint_core::clock::{IdSource, RandomIds};
///
/// let now = DateTime::UNIX_EPOCH;
/// assert_ne!(RandomIds.next_id(now), RandomIds.next_id(now));
/// assert_eq!(RandomIds.next_id(now).get_version_num(), 7);
/// assert_eq!(RandomIds.next_reference().to_string().len(), "C7KQ-2M9X-B".len());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws random identifiers")]
    fn next_id(&self, now: DateTime<Utc>) -> Uuid {
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws random references")]
    fn next_reference(&self) -> Reference {
        Reference::from_entropy(Uuid::new_v4().as_u128())
    }
}
