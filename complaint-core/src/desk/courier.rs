//! Delivery of notices: claimed under a lease, handed over, settled. At least once, never in a transaction.

use chrono::TimeDelta;

use super::{Desk, DeskError};
use crate::notice::Settlement;
use crate::notifier::NotifyError;

/// How many notices one claim takes.
const BATCH: u32 = 10;
/// How long a claim holds: longer than a batch of slow deliveries takes.
const LEASE: TimeDelta = TimeDelta::minutes(30);
/// After how long the n-th try is followed by the next, in seconds. After the last one the notice is dead.
const DELAYS: [i64; 7] = [30, 120, 600, 1800, 3600, 7200, LONGEST_DELAY];
const LONGEST_DELAY: i64 = 21_600;

/// What a delivery round did.
///
/// Example: [`Notifier`](crate::Notifier).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Handed over.
    pub delivered: u32,
    /// Settled without a delivery: nobody is there who could have it.
    pub unaddressed: u32,
    /// To be tried again later.
    pub postponed: u32,
    /// Held back for whoever wants them later.
    pub held: u32,
    /// Given up; kept to be seen.
    pub dead: u32,
}

impl Desk {
    /// Delivers the notices that wait, until none is left that may be tried now. Without a notifier they wait on.
    ///
    /// Example: [`Notifier`](crate::Notifier).
    pub async fn deliver(&self) -> Result<Delivered, DeskError> {
        let mut done = Delivered::default();
        let Some(notifier) = &self.notifier else { return Ok(done) };
        loop {
            let now = self.now();
            let batch = self.store.claim(now, now + LEASE, BATCH).await?;
            if batch.is_empty() {
                return Ok(done);
            }
            for claimed in batch {
                let id = claimed.notice.id;
                let answer = notifier.deliver(&claimed.notice).await;
                let nobody = matches!(answer, Err(NotifyError::Nobody(_)));
                let settlement = match answer {
                    Ok(()) | Err(NotifyError::Nobody(_)) => Settlement::Delivered,
                    Err(NotifyError::Never(why)) => Settlement::Dead { why },
                    Err(NotifyError::Held { until, why }) => Settlement::Held { until, why },
                    Err(error @ NotifyError::Later(_)) => {
                        postponed(claimed.attempt, self.now(), TimeDelta::zero(), &error)
                    }
                    Err(error @ NotifyError::NotBefore { wait, .. }) => {
                        postponed(claimed.attempt, self.now(), wait, &error)
                    }
                };
                match &settlement {
                    Settlement::Delivered if nobody => done.unaddressed += 1,
                    Settlement::Delivered => done.delivered += 1,
                    Settlement::Retry { .. } => done.postponed += 1,
                    Settlement::Held { .. } => done.held += 1,
                    Settlement::Dead { .. } => done.dead += 1,
                }
                self.store.settle(id, settlement, self.now()).await?;
            }
        }
    }
}

fn postponed(
    attempt: u32,
    now: chrono::DateTime<chrono::Utc>,
    asked_for: TimeDelta,
    error: &NotifyError,
) -> Settlement {
    let why = chain(error);
    match DELAYS.get(attempt.saturating_sub(1) as usize) {
        Some(seconds) => {
            // Whoever says "in a year" is not believed.
            let asked_for = asked_for.min(TimeDelta::seconds(LONGEST_DELAY));
            Settlement::Retry { at: now + TimeDelta::seconds(*seconds).max(asked_for), why }
        }
        None => Settlement::Dead { why },
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
