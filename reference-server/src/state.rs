//! What every handler, page and worker can reach.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use crate::auth::{AccountMail, AccountService, PolicyVersions};
use crate::clock::{Clock, MovableClock};
use crate::config::Config;

/// The server's shared parts. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Accounts, sessions and tokens.
    pub accounts: AccountService,
    /// Every version of the policy.
    pub policies: Arc<dyn PolicyVersions>,
    /// The time everything goes by.
    pub clock: Arc<dyn Clock>,
    /// The same clock, if it may be pushed forward.
    pub movable_clock: Option<Arc<MovableClock>>,
    /// What the operator said.
    pub config: Arc<Config>,
    /// Where mail about accounts leaves.
    pub mail: Arc<dyn AccountMail>,
    /// Workers subscribe here; see [`AppState::poke`].
    pub poked: watch::Sender<()>,
    /// True once the server is stopping: streams end themselves then.
    pub stopping: watch::Receiver<bool>,
    /// What `/metrics` renders.
    pub metrics: PrometheusHandle,
}

impl AppState {
    /// Wakes the workers before their time.
    pub fn poke(&self) {
        self.poked.send_replace(());
    }
}
