//! Work nobody waits for: repeated on a timer and when poked, safe to repeat, on any number of replicas.

use std::time::Duration;

use complaint_core::desk::Swept;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::chain;
use crate::state::AppState;

const MAIL_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(2);
const DELIVER_EVERY: Duration = Duration::from_secs(5);
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// The running workers.
pub struct Workers {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// Starts every worker.
pub fn start(state: &AppState) -> Workers {
    let (stop, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    running.spawn(deliver_account_mail(state.clone(), stopping.clone()));
    running.spawn(sweep(state.clone(), stopping.clone()));
    running.spawn(courier(state.clone(), stopping.clone()));
    running.spawn(tidy(state.clone(), stopping));
    Workers { running, stop }
}

impl Workers {
    /// Lets every worker finish what it is at, then returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

async fn deliver_account_mail(state: AppState, mut stopping: watch::Receiver<bool>) {
    let mut poked = state.poked.subscribe();
    loop {
        poked.mark_unchanged();
        if let Err(error) = state.accounts.deliver_account_mail(state.clock.now(), state.mail.as_ref()).await {
            tracing::error!(error = %chain(&error), "mail about accounts could not be delivered");
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = poked.changed() => {}
            () = tokio::time::sleep(MAIL_EVERY) => {}
        }
    }
}

/// Clocks, handlers who are gone, complaints that wait.
async fn sweep(state: AppState, mut stopping: watch::Receiver<bool>) {
    let mut poked = state.poked.subscribe();
    loop {
        poked.mark_unchanged();
        match state.sweep().await {
            Ok(swept) if swept != Swept::default() => tracing::info!(?swept, "swept"),
            Ok(_) => {}
            Err(error) => tracing::error!(error = %chain(&error), "a sweep could not be finished"),
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = poked.changed() => {}
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Notices, apart from the sweep: a slow relay must not hold up clocks.
async fn courier(state: AppState, mut stopping: watch::Receiver<bool>) {
    let mut commits = state.live.commits();
    loop {
        commits.mark_unchanged();
        match state.deliver().await {
            Ok(round) if round.dead > 0 => tracing::warn!(?round, "notices were given up"),
            Ok(_) => {}
            Err(error) => tracing::error!(error = %chain(&error), "notices could not be delivered"),
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = commits.changed() => {}
            () = tokio::time::sleep(DELIVER_EVERY) => {}
        }
    }
}

async fn tidy(state: AppState, mut stopping: watch::Receiver<bool>) {
    loop {
        match state.accounts.purge().await {
            Ok(rows) => tracing::debug!(rows, "removed what has expired"),
            Err(error) => {
                tracing::error!(error = %chain(&error), "what has expired could not be removed");
            }
        }
        state.metrics.run_upkeep();
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
    }
}
