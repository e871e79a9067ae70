//! Delivery of notices: claimed under a lease, handed over, settled. At least once, never in a transaction.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{Desk, DeskError};
use crate::notice::{ClaimedNotice, Recipient, Settlement};
use crate::notifier::{Notifier, NotifyError};
use crate::store::StoreError;

/// How many notices one claim takes.
const BATCH: u32 = 64;
/// When fewer than this are left to begin with, more are claimed, so that nobody waits for a claim.
const FEW: usize = 32;
/// The most that are claimed and not begun; as many wait for the lease to end when a courier is killed.
const CLAIMED: usize = 128;
/// How many recipients are served at once.
const AT_ONCE: usize = 4;
/// How many deliveries may be begun and not yet settled; as many go out again when a courier is killed. The relay is not
/// kept waiting for the disk, and those that end meanwhile can be settled by one way to it.
const UNSETTLED: usize = 32;
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
    /// Up to four recipients are served at once, each with one notice after the other, oldest first. Up to 32 deliveries
    /// are begun and not yet settled: that many go out again, with the same [`Notice::id`](crate::notice::Notice::id), after a crash or
    /// when this future is dropped, and up to 128 more that were claimed wait until their lease of 30 minutes ends.
    ///
    /// Example: [`Notifier`].
    pub async fn deliver(&self) -> Result<Delivered, DeskError> {
        match &self.notifier {
            Some(notifier) => Round::of(self, notifier.as_ref()).run().await,
            None => Ok(Delivered::default()),
        }
    }
}

/// A delivery round.
struct Round<'a> {
    desk: &'a Desk,
    notifier: &'a dyn Notifier,
    /// Claimed and not begun, oldest first.
    claimed: VecDeque<ClaimedNotice>,
    /// Who is being served.
    served: Vec<Recipient>,
    /// Deliveries and settlements, and at most one claim.
    under_way: FuturesUnordered<BoxFuture<'a, Step>>,
    claiming: bool,
    /// Whether the last claim took all that it may, so that more may wait.
    more: bool,
    /// When the first lease ends. Nothing is claimed after that before all is settled: it could be what is held here.
    lease: Option<DateTime<Utc>>,
    done: Delivered,
    fault: Option<StoreError>,
}

/// What came to its end.
enum Step {
    Claimed(Result<Vec<ClaimedNotice>, StoreError>),
    Answered(Box<ClaimedNotice>, Result<(), NotifyError>),
    Settled(Result<(), StoreError>),
}

impl<'a> Round<'a> {
    fn of(desk: &'a Desk, notifier: &'a dyn Notifier) -> Self {
        Self {
            desk,
            notifier,
            claimed: VecDeque::new(),
            served: Vec::new(),
            under_way: FuturesUnordered::new(),
            claiming: false,
            more: true,
            lease: None,
            done: Delivered::default(),
            fault: None,
        }
    }

    async fn run(mut self) -> Result<Delivered, DeskError> {
        let mut found = true;
        loop {
            // What is on its way is not dropped at a fault: the relay may have taken it.
            if self.fault.is_none() {
                self.begin();
                self.claim();
            }
            match self.under_way.next().await {
                Some(Step::Claimed(Ok(batch))) => {
                    self.claiming = false;
                    found = !batch.is_empty();
                    self.more = batch.len() >= BATCH as usize;
                    self.claimed.extend(batch);
                }
                Some(Step::Answered(claimed, answer)) => self.settle(claimed, answer),
                Some(Step::Settled(Ok(()))) => {}
                Some(Step::Claimed(Err(fault)) | Step::Settled(Err(fault))) => {
                    self.fault.get_or_insert(fault);
                }
                None => match self.fault {
                    Some(fault) => return Err(fault.into()),
                    None if !found => return Ok(self.done),
                    None => (self.more, self.lease) = (true, None),
                },
            }
        }
    }

    /// Begins deliveries, as long as the claim holds.
    fn begin(&mut self) {
        let now = self.desk.now();
        self.claimed.retain(|claimed| now < claimed.until);
        while self.served.len() < AT_ONCE && self.deliveries() < UNSETTLED {
            let next = self.claimed.iter().position(|claimed| self.is_free(claimed));
            let Some(claimed) = next.and_then(|next| self.claimed.remove(next)) else { return };
            self.served.push(claimed.notice.recipient.clone());
            let notifier = self.notifier;
            let deliver = async move {
                let answer = notifier.deliver(&claimed.notice).await;
                Step::Answered(Box::new(claimed), answer)
            };
            self.under_way.push(deliver.boxed());
        }
    }

    /// Claims more before those at hand run out. Those of somebody who takes long are not counted: the others would wait
    /// behind them.
    fn claim(&mut self) {
        let now = self.desk.now();
        let few = self.claimed.iter().filter(|claimed| self.is_free(claimed)).count() < FEW;
        let room = self.claimed.len() + BATCH as usize <= CLAIMED;
        if self.claiming || !self.more || !few || !room || self.lease.is_some_and(|end| now >= end) {
            return;
        }
        let (desk, until) = (self.desk, later(now, LEASE));
        self.lease.get_or_insert(until);
        self.claiming = true;
        self.under_way.push(async move { Step::Claimed(desk.store.claim(now, until, BATCH).await) }.boxed());
    }

    fn settle(&mut self, claimed: Box<ClaimedNotice>, answer: Result<(), NotifyError>) {
        self.served.retain(|recipient| *recipient != claimed.notice.recipient);
        let now = self.desk.now();
        let nobody = matches!(answer, Err(NotifyError::Nobody(_)));
        let settlement = match answer {
            Ok(()) | Err(NotifyError::Nobody(_)) => Settlement::Delivered,
            Err(NotifyError::Never(why)) => Settlement::Dead { why },
            Err(NotifyError::Held { until, why }) => Settlement::Held { until, why },
            Err(error @ NotifyError::Later(_)) => postponed(claimed.attempt, now, TimeDelta::zero(), &error),
            Err(error @ NotifyError::NotBefore { wait, .. }) => postponed(claimed.attempt, now, wait, &error),
        };
        let done = &mut self.done;
        *match &settlement {
            Settlement::Delivered if nobody => &mut done.unaddressed,
            Settlement::Delivered => &mut done.delivered,
            Settlement::Retry { .. } => &mut done.postponed,
            Settlement::Held { .. } => &mut done.held,
            Settlement::Dead { .. } => &mut done.dead,
        } += 1;
        let desk = self.desk;
        let settle = async move { Step::Settled(desk.store.settle(&claimed, settlement, now).await) };
        self.under_way.push(settle.boxed());
    }

    fn is_free(&self, claimed: &ClaimedNotice) -> bool {
        !self.served.contains(&claimed.notice.recipient)
    }

    /// How many are begun and not settled.
    fn deliveries(&self) -> usize {
        self.under_way.len() - usize::from(self.claiming)
    }
}

fn postponed(attempt: u32, now: DateTime<Utc>, asked_for: TimeDelta, error: &NotifyError) -> Settlement {
    let why = chain(error);
    match DELAYS.get(attempt.saturating_sub(1) as usize) {
        Some(seconds) => {
            // Whoever says "in a year" is not believed.
            let asked_for = asked_for.min(TimeDelta::seconds(LONGEST_DELAY));
            Settlement::Retry { at: later(now, TimeDelta::seconds(*seconds).max(asked_for)), why }
        }
        None => Settlement::Dead { why },
    }
}

/// So much later, or the end of time where that is nearer.
fn later(now: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
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
