//! Delivery of notices: claimed under a lease, handed over, settled. At least once, never in a transaction.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{Desk, DeskError};
use crate::notice::{ClaimedNotice, Settlement};
use crate::notifier::{Notifier, NotifyError};

/// How many notices one claim takes: as many wait for the lease to end when a courier is killed.
const BATCH: u32 = 10;
/// How many recipients are served at once.
const AT_ONCE: usize = 4;
/// How long a claim holds. No delivery begins after that: somebody else may be at it.
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
    /// Up to four recipients are served at once, each with one notice after the other, oldest first.
    ///
    /// Example: [`Notifier`](crate::Notifier).
    pub async fn deliver(&self) -> Result<Delivered, DeskError> {
        let mut done = Delivered::default();
        let Some(notifier) = &self.notifier else { return Ok(done) };
        loop {
            let now = self.now();
            let until = now + LEASE;
            let batch = self.store.claim(now, until, BATCH).await?;
            if batch.is_empty() {
                return Ok(done);
            }
            let mut waiting = by_recipient(batch).into_iter();
            let serve = |notices| self.serve(notifier.as_ref(), notices, until);
            let mut served: FuturesUnordered<_> = waiting.by_ref().take(AT_ONCE).map(serve).collect();
            let mut fault = None;
            while let Some(one) = served.next().await {
                match one {
                    Ok(one) => done.add(one),
                    // What is on its way is not dropped: the relay may have taken it.
                    Err(error) => fault = fault.or(Some(error)),
                }
                if fault.is_none() {
                    served.extend(waiting.next().map(serve));
                }
            }
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
    }

    /// Hands one recipient their notices, as long as the claim holds.
    async fn serve(
        &self,
        notifier: &dyn Notifier,
        notices: Vec<ClaimedNotice>,
        until: DateTime<Utc>,
    ) -> Result<Delivered, DeskError> {
        let mut done = Delivered::default();
        for claimed in notices {
            if self.now() >= until {
                break;
            }
            let answer = notifier.deliver(&claimed.notice).await;
            let nobody = matches!(answer, Err(NotifyError::Nobody(_)));
            let settlement = match answer {
                Ok(()) | Err(NotifyError::Nobody(_)) => Settlement::Delivered,
                Err(NotifyError::Never(why)) => Settlement::Dead { why },
                Err(NotifyError::Held { until, why }) => Settlement::Held { until, why },
                Err(error @ NotifyError::Later(_)) => postponed(claimed.attempt, self.now(), TimeDelta::zero(), &error),
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
            self.store.settle(claimed.notice.id, settlement, self.now()).await?;
        }
        Ok(done)
    }
}

impl Delivered {
    fn add(&mut self, more: Self) {
        self.delivered += more.delivered;
        self.unaddressed += more.unaddressed;
        self.postponed += more.postponed;
        self.held += more.held;
        self.dead += more.dead;
    }
}

/// The notices of each recipient together; in the order of the first of each.
fn by_recipient(batch: Vec<ClaimedNotice>) -> Vec<Vec<ClaimedNotice>> {
    let mut all: Vec<Vec<ClaimedNotice>> = Vec::new();
    for claimed in batch {
        match all.iter_mut().find(|one| one[0].notice.recipient == claimed.notice.recipient) {
            Some(one) => one.push(claimed),
            None => all.push(vec![claimed]),
        }
    }
    all
}

fn postponed(attempt: u32, now: DateTime<Utc>, asked_for: TimeDelta, error: &NotifyError) -> Settlement {
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
