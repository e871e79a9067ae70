//! Work nobody waits for: repeated on a timer and when poked, safe to repeat, on any number of replicas.

mod replicas;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use complaint_core::desk::Swept;
use complaint_store_sqlx::PostgresStore;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::chain;
use crate::state::AppState;

const MAIL_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(2);
const DELIVER_EVERY: Duration = Duration::from_secs(5);
const WEBHOOKS_EVERY: Duration = Duration::from_mins(1);
const INTAKE_EVERY: Duration = Duration::from_secs(5);
const FETCH_EVERY: Duration = Duration::from_mins(1);
const TIDY_EVERY: Duration = Duration::from_mins(10);
/// A worker that is down tries again after this long, if its own time is not sooner.
const UP_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The running workers.
pub struct Workers {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// Which workers are down: their last round panicked. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WorkersDown(Arc<Mutex<BTreeSet<&'static str>>>);

/// Starts every worker. `shared`: the store, where other servers may use it too.
pub fn start(state: &AppState, shared: Option<&PostgresStore>) -> Workers {
    let (stop, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    let worker =
        |name, every, wake| Worker { name, every, wake, stopping: stopping.clone(), down: state.workers.clone() };
    let poked = || Some(state.poked.subscribe());
    running.spawn(worker("account mail", MAIL_EVERY, poked()).over(state.clone(), deliver_account_mail));
    running.spawn(worker("sweep", SWEEP_EVERY, poked()).over(state.clone(), sweep));
    // Notices apart from the sweep: a slow relay must not hold up clocks.
    running.spawn(worker("courier", DELIVER_EVERY, Some(state.live.commits())).over(state.clone(), deliver_notices));
    running.spawn(worker("webhooks", WEBHOOKS_EVERY, None).over(state.clone(), tend_webhooks));
    running.spawn(worker("mail in", INTAKE_EVERY, None).over(state.clone(), take_in_mail));
    if state.config.intake.as_ref().is_some_and(|intake| intake.imap.is_some()) {
        running.spawn(worker("mailbox", FETCH_EVERY, None).over(state.clone(), fetch_mail));
    }
    running.spawn(worker("tidy", TIDY_EVERY, None).over(state.clone(), tidy));
    if let Some(store) = shared {
        running.spawn(replicas::listen(state.clone(), store.clone(), stopping.clone()));
    }
    Workers { running, stop }
}

impl Workers {
    /// Lets every worker finish what it is at, then returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

impl WorkersDown {
    /// Whether every worker works.
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// Says of a worker whether it is down.
    pub fn say(&self, worker: &'static str, down: bool) {
        let mut names = self.names();
        if down {
            names.insert(worker);
        } else {
            names.remove(worker);
        }
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a worker goes on: every so often, when woken, until it is to stop.
struct Worker {
    name: &'static str,
    every: Duration,
    wake: Option<watch::Receiver<()>>,
    stopping: watch::Receiver<bool>,
    down: WorkersDown,
}

impl Worker {
    async fn over<F: Future<Output = ()>>(self, state: AppState, round: impl Fn(AppState) -> F) {
        self.repeat(|| round(state.clone())).await;
    }

    /// A round that panics is told and made again: a worker never ends before it is to stop.
    async fn repeat<F: Future<Output = ()>>(mut self, round: impl Fn() -> F) {
        loop {
            if let Some(wake) = &mut self.wake {
                wake.mark_unchanged();
            }
            // What a round shares with others is behind locks that do not mind, and in the database.
            let panicked = AssertUnwindSafe(async { round().await }).catch_unwind().await.is_err();
            self.down.say(self.name, panicked);
            if panicked {
                tracing::error!(worker = self.name, "a worker panicked; it starts again");
            }
            let pause = pause_after(panicked, self.every);
            let woken = async {
                let woken = match &mut self.wake {
                    Some(wake) => wake.changed().await.is_ok(),
                    None => false,
                };
                if !woken {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                _ = self.stopping.wait_for(|stop| *stop) => return,
                () = woken => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn pause_after(panicked: bool, every: Duration) -> Duration {
    if panicked { every.min(UP_AGAIN_AFTER) } else { every }
}

async fn deliver_account_mail(state: AppState) {
    if let Err(error) = state.accounts.deliver_account_mail(state.clock.now(), state.mail.as_ref()).await {
        tracing::error!(error = %chain(&error), "mail about accounts could not be delivered");
    }
}

/// The policy, clocks, handlers who are gone, complaints that wait.
async fn sweep(state: AppState) {
    match state.sweep().await {
        Ok(swept) if swept != Swept::default() => tracing::info!(?swept, "swept"),
        Ok(_) => {}
        Err(error) => tracing::error!(error = %chain(&error), "a sweep could not be finished"),
    }
}

async fn deliver_notices(state: AppState) {
    match state.deliver().await {
        Ok(round) if round.dead > 0 => tracing::warn!(?round, "notices were given up"),
        Ok(_) => {}
        Err(error) => tracing::error!(error = %chain(&error), "notices could not be delivered"),
    }
}

async fn tend_webhooks(state: AppState) {
    if let Err(error) = state.tend_webhooks().await {
        tracing::error!(error = %chain(&error), "webhooks could not be tended");
    }
}

async fn fetch_mail(state: AppState) {
    match state.fetch_mail().await {
        Ok(0) => {}
        Ok(messages) => tracing::info!(messages, "fetched mail"),
        Err(error) => tracing::error!(error = %chain(&error), "mail could not be fetched"),
    }
}

async fn take_in_mail(state: AppState) {
    if let Err(error) = state.take_in_mail().await {
        tracing::error!(error = %chain(&error), "mail could not be looked into");
    }
}

async fn tidy(state: AppState) {
    match state.accounts.purge().await {
        Ok(rows) => tracing::debug!(rows, "removed what has expired"),
        Err(error) => tracing::error!(error = %chain(&error), "what has expired could not be removed"),
    }
    match state.intake.purge(state.clock.now()).await {
        Ok(rows) => tracing::debug!(rows, "removed mail that is done with"),
        Err(error) => tracing::error!(error = %chain(&error), "mail that is done with could not be removed"),
    }
    state.metrics.run_upkeep();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn after_a_panic_it_starts_again_soon() {
        assert_eq!(pause_after(true, Duration::from_hours(1)), Duration::from_secs(5));
        assert_eq!(pause_after(true, Duration::from_secs(2)), Duration::from_secs(2));
        assert_eq!(pause_after(false, Duration::from_hours(1)), Duration::from_hours(1));
    }

    #[tokio::test]
    async fn a_worker_that_panics_is_down_until_a_round_succeeds() {
        let (wake, woken) = watch::channel(());
        let (stop, stopping) = watch::channel(false);
        let (down, rounds) = (WorkersDown::default(), Arc::new(AtomicU32::new(0)));
        let every = Duration::from_hours(1);
        let worker = Worker { name: "frail", every, wake: Some(woken), stopping, down: down.clone() };
        let counted = Arc::clone(&rounds);
        let running = tokio::spawn(worker.repeat(move || {
            let round = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(round > 1, "the first two rounds panic") }
        }));
        for (round, is_down) in [(1, true), (2, true), (3, false)] {
            // A round is over when the next wait begins; only then it can be woken.
            let reached = async {
                while rounds.load(Ordering::SeqCst) < round || down.is_empty() == is_down {
                    assert!(!running.is_finished(), "it goes on");
                    tokio::task::yield_now().await;
                }
            };
            let patience = Duration::from_secs(10);
            tokio::time::timeout(patience, reached).await.expect("the round is told as it was");
            wake.send_replace(());
        }
        stop.send_replace(true);
        running.await.expect("stops when it is told to");
    }
}
