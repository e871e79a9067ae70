//! What every handler, page and worker can reach.

use std::sync::Arc;

use complaint_core::desk::{Acting, Delivered, Swept};
use complaint_core::id::{AgentId, InvalidId, StaffId};
use complaint_core::store::StoreError;
use complaint_core::{Actor, Desk, DeskError};
use complaint_notify::{EmailNotifier, Mailer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Mutex, watch};

use crate::auth::{AccountMail, AccountService, PolicyVersions, Role, Viewer};
use crate::catalogue;
use crate::clock::{Clock, MovableClock};
use crate::config::Config;
use crate::error::{Problem, chain};
use crate::figures::KeptFigures;
use crate::files::Attachments;
use crate::identities::IdentityService;
use crate::intake::imap::ImapError;
use crate::intake::{IntakeError, MailIntake};
use crate::links::ComplaintLinks;
use crate::live::Live;
#[cfg(feature = "oidc")]
use crate::oidc::Providers;
use crate::preferences::PreferencesService;
use crate::texts::Texts;
use crate::webhooks::{Webhooks, WebhooksError};
use crate::workers::WorkersDown;

/// The server's shared parts. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Complaints.
    pub desk: Desk,
    /// What changes, as it changes.
    pub live: Live,
    /// The bytes of attachments.
    pub attachments: Attachments,
    /// Accounts, sessions and tokens.
    pub accounts: AccountService,
    /// Who customers are at providers.
    pub identities: IdentityService,
    /// Providers that customers can log in with.
    #[cfg(feature = "oidc")]
    pub providers: Providers,
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
    /// Where text messages leave, if they do.
    pub texts: Option<Texts>,
    /// Other programs that are told what happens.
    pub webhooks: Webhooks,
    /// Mail that comes in.
    pub intake: MailIntake,
    /// Links with which customers without a password see their complaints.
    pub links: Arc<ComplaintLinks>,
    /// What people chose about the notices to them.
    pub preferences: PreferencesService,
    /// Where letters about complaints leave.
    pub email: EmailNotifier,
    /// Where letters to staff about the installation leave.
    pub mailer: Mailer,
    /// Workers subscribe here; see [`AppState::poke`].
    pub poked: watch::Sender<()>,
    /// True once the server is stopping: streams end themselves then.
    pub stopping: watch::Receiver<bool>,
    /// What `/metrics` renders.
    pub metrics: PrometheusHandle,
    /// Which workers are down.
    pub workers: WorkersDown,
    /// Held by whoever makes something under an `Idempotency-Key`: of two at once the second finds what the first made.
    pub(crate) making: Arc<Mutex<()>>,
    /// Held by whoever works through a round, so that a round that has ended has really done everything.
    pub(crate) rounds: Arc<Rounds>,
    /// What reports counted lately.
    pub(crate) figures: Arc<KeptFigures>,
}

/// One round of each kind at a time in this process.
#[derive(Default)]
pub(crate) struct Rounds {
    sweeping: Mutex<()>,
    delivering: Mutex<()>,
}

impl AppState {
    /// Wakes the workers before their time.
    pub fn poke(&self) {
        self.poked.send_replace(());
    }

    /// The desk in this viewer's hands. The rights are those of now: an agent's level is read anew.
    ///
    /// # Errors
    /// 403 for a member of staff who is no agent (any more) in the core.
    pub async fn acting(&self, viewer: &Viewer) -> Result<Acting, Problem> {
        Ok(self.desk.acting_as(self.actor(viewer).await?))
    }

    async fn actor(&self, viewer: &Viewer) -> Result<Actor, Problem> {
        let own = |error: InvalidId| Problem::internal(&error);
        Ok(match viewer.role {
            Role::Customer => Actor::customer(viewer.id.as_str()).map_err(own)?,
            Role::Admin => Actor::admin(StaffId::new(viewer.id.as_str()).map_err(own)?),
            Role::Auditor => Actor::auditor(StaffId::new(viewer.id.as_str()).map_err(own)?),
            Role::Agent => {
                let id = AgentId::new(viewer.id.as_str()).map_err(own)?;
                let member = self.desk.store().find(&id).await.map_err(DeskError::from)?;
                let agent = member.map(|member| member.agent).filter(|agent| agent.enabled);
                Actor::agent(&agent.ok_or_else(|| {
                    Problem::forbidden().detail("Your account is not enrolled as an agent; ask an administrator.")
                })?)
            }
        })
    }

    /// Puts a newer policy into force, lets clocks act, takes complaints from those who are gone, gives waiting ones away. Delivers nothing.
    pub async fn sweep(&self) -> Result<Swept, DeskError> {
        let _round = self.rounds.sweeping.lock().await;
        // Clocks must act even under yesterday's policy.
        if let Err(error) = catalogue::catch_up(self.policies.as_ref(), &self.desk).await {
            tracing::error!(error = %chain(&error), "a newer policy could not be put into force");
        }
        self.desk.sweep_complaints().await
    }

    /// Delivers the notices that wait. When it returns, none is under way any more.
    pub async fn deliver(&self) -> Result<Delivered, DeskError> {
        let _round = self.rounds.delivering.lock().await;
        let delivered = self.desk.deliver().await?;
        match self.preferences.deliver_digests(&self.email).await {
            Ok((sent, dead)) => {
                Ok(Delivered { delivered: delivered.delivered + sent, dead: delivered.dead + dead, ..delivered })
            }
            Err(error) => Err(DeskError::Store(StoreError::Unavailable(Box::new(error)))),
        }
    }

    /// Puts webhooks out of use that have failed for days, and tells the admins.
    pub async fn tend_webhooks(&self) -> Result<(), WebhooksError> {
        let base_url = self.config.base_url();
        let base_url = base_url.as_str().trim_end_matches('/');
        self.webhooks.tend(&self.desk, &self.accounts, &self.mailer, base_url).await
    }

    /// Fetches mail from the mailbox, if there is one; returns how many messages were kept.
    pub async fn fetch_mail(&self) -> Result<usize, ImapError> {
        self.intake.fetch(self).await
    }

    /// Looks into mail that waits, and sends the questions whether it is theirs.
    pub async fn take_in_mail(&self) -> Result<(), IntakeError> {
        self.intake.round(self).await
    }
}
