//! Work nobody waits for: repeated on a timer and when poked, safe to repeat, on any number of replicas.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::chain;
use crate::state::AppState;

const MAIL_EVERY: Duration = Duration::from_secs(5);
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
