//! A thin host for `complaint-core`: accounts, JSON API, pages, workers.
//!
//! [`build`] puts the parts together; the result serves a listener ([`Server::serve`]) or answers requests directly
//! ([`Server::router`]), which is how the tests drive it.
//!
//! | you want to know | look at |
//! |---|---|
//! | how the parts are put together, which engine keeps everything | this file, `database`, `router` for all addresses |
//! | what programs are answered | `api`, by resource; `open311` for reporting apps |
//! | what people see | `pages`, by audience; `live` for what changes while they look |
//! | who may come in | `auth`, with `auth::second_factor`; `identities` and `oidc` for log-in with a provider |
//! | how customers without a password follow one complaint | `links` |
//! | what becomes of mail and forms that come in | `intake` |
//! | who wants to be told what, and when | `preferences`; `webhooks` for other programs |
//! | what goes on by itself | `workers` |
//! | where attachments are | `files` |
//! | commands over everything there is | `bulk`, `backup`, `import` |

pub mod api;
pub mod auth;
pub mod backup;
pub mod bulk;
pub mod catalogue;
pub mod clock;
pub mod config;
mod connections;
pub mod database;
pub mod demo;
mod drain;
pub mod error;
pub mod extract;
mod figures;
pub mod files;
pub mod heads;
pub mod identities;
pub mod import;
pub mod intake;
pub mod links;
pub mod live;
pub mod mail;
#[cfg(feature = "oidc")]
pub mod oidc;
pub mod open311;
pub mod pages;
pub mod preferences;
pub mod router;
pub mod state;
pub mod texts;
pub mod webhooks;
pub mod workers;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::{BuildError as MetricsError, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

use complaint_core::Desk;
use complaint_core::clock::{IdSource, RandomIds};
use complaint_core::notice::NoticeChannel;
use complaint_notify::{
    ByChannel, EmailNotifier, MailTransport, Mailer, SmsNotifier, Transport, WebhookNotifier, WebhookSender,
};
use secrecy::ExposeSecret;

use crate::auth::password::{PasswordError, Passwords};
use crate::auth::{AccountMail, AccountService, AccountsError, AuthError};
use crate::catalogue::CatalogueError;
use crate::clock::{Clock, MovableClock, SystemClock};
use crate::config::{Config, DatabaseUrl};
use crate::database::{Database, DatabaseError};
use crate::files::{Attachments, FilesError};
use crate::identities::IdentityService;
use crate::intake::MailIntake;
use crate::links::ComplaintLinks;
use crate::live::Live;
use crate::mail::{AccountLetters, AccountsBook};
#[cfg(feature = "oidc")]
use crate::oidc::Providers;
use crate::preferences::{AsPreferred, PreferencesService};
pub use crate::state::AppState;
use crate::texts::Texts;
use crate::webhooks::Webhooks;
use crate::workers::WorkersDown;

/// How long open requests may take to finish once the server is told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Why the server could not be put together.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The data folder cannot be made.
    #[error("the data folder {folder} cannot be used")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another server works on the data folder.
    #[error(
        "another server is running on the data folder {}, or a restore; stop it first, or give --data another folder", .0.display()
    )]
    InUse(PathBuf),
    /// Another server works on the database file.
    #[error("another server is running on the database {}, or a restore; stop it first, or name another with --database", .0.display())]
    DatabaseInUse(PathBuf),
    /// The database cannot be opened or brought up to date.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The policy in force cannot be used.
    #[error("the policy in force cannot be used")]
    Policy(#[source] CatalogueError),
    /// How far the movable clock is ahead cannot be read.
    #[error("how far the movable clock is ahead cannot be read in the data folder")]
    Clock(#[source] io::Error),
    /// Attachments cannot be kept.
    #[error("attachments cannot be kept")]
    Attachments(#[source] FilesError),
    /// Something about accounts could not be prepared.
    #[error("accounts could not be prepared")]
    Accounts(#[source] AuthError),
    /// Hashing does not work on this machine.
    #[error("passwords cannot be hashed")]
    Passwords(#[source] PasswordError),
    /// Mail cannot be taken in.
    #[error("mail cannot be taken in")]
    Intake(#[source] AccountsError),
    /// Measurements cannot be recorded.
    #[error("measurements cannot be recorded")]
    Metrics(#[source] MetricsError),
    /// Webhooks cannot be sent, or the policy told of them.
    #[error("webhooks cannot be used")]
    Webhooks(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Providers cannot be asked.
    #[error("providers cannot be asked")]
    Providers(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Mail cannot be sent the way the operator asked for.
    #[error("mail cannot be sent as configured")]
    Mail(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The parts that differ between a real server and a tried one.
pub struct Parts {
    /// The clock below everything.
    pub clock: Arc<dyn Clock>,
    /// Where ids and references come from.
    pub ids: Arc<dyn IdSource>,
    /// Where all mail leaves.
    pub transport: Arc<dyn MailTransport>,
    /// Where mail about accounts leaves instead, if it is to leave elsewhere.
    pub account_mail: Option<Arc<dyn AccountMail>>,
    /// What passwords are hashed by.
    pub passwords: Passwords,
}

/// The server, ready to answer.
pub struct Server {
    state: AppState,
    stop: watch::Sender<bool>,
    setup_link: Option<String>,
    database: Database,
    /// Held as long as the server lives; the operating system lets go of it however the process ends.
    _lock: Lock,
}

/// Puts the server together with the machine's clock and the mail the configuration names.
pub async fn build(config: Config) -> Result<Server, BuildError> {
    let transport = Transport::from_config(config.smtp.as_ref().map(ExposeSecret::expose_secret), config.mail_folder())
        .and_then(|transport| match (transport, &config.authorities) {
            (Transport::Smtp(smtp), Some(authorities)) => smtp.trusting(authorities.pem()).map(Transport::Smtp),
            (transport, _) => Ok(transport),
        })
        .map_err(|error| BuildError::Mail(Box::new(error)))?;
    let made = FreshFolders::of(&config);
    if config.smtp.is_none() {
        // Letters hold links that open accounts.
        make_private_folder(&config.data)?;
        make_private_folder(&config.mail_folder())?;
    }
    let parts = Parts {
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        transport: Arc::new(transport),
        account_mail: None,
        passwords: Passwords::new().map_err(BuildError::Passwords)?,
    };
    let server = build_with(config, parts).await?;
    made.keep();
    Ok(server)
}

/// By which a server has its data folder for itself.
const LOCK: &str = "server.lock";

/// Folders that are not there before a start. One that is refused takes away again what it made of them, as far as nothing else is in them.
struct FreshFolders {
    /// Outer ones first.
    folders: Vec<PathBuf>,
    lock: PathBuf,
}

impl FreshFolders {
    fn of(config: &Config) -> Self {
        let outer: Vec<&Path> = config.data.ancestors().collect();
        let within = [config.mail_folder(), config.attachments_folder()];
        let all = outer.into_iter().rev().map(Path::to_owned).chain(within);
        let folders: Vec<PathBuf> = all.filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
        Self { lock: config.data.join(LOCK), folders }
    }

    fn keep(mut self) {
        self.folders.clear();
    }
}

impl Drop for FreshFolders {
    fn drop(&mut self) {
        if self.folders.iter().any(|folder| self.lock.starts_with(folder)) {
            let _ = std::fs::remove_file(&self.lock);
        }
        for folder in self.folders.iter().rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Puts the server together with parts of the caller's choice.
pub async fn build_with(config: Config, parts: Parts) -> Result<Server, BuildError> {
    make_private_folder(&config.data)?;
    let lock = lock(&config.data, &config.database, matches!(config.database, DatabaseUrl::Sqlite(_)))?;
    make_private_folder(&config.attachments_folder())?;
    let (clock, movable_clock): (Arc<dyn Clock>, _) = if config.movable_clock {
        let movable = MovableClock::over(parts.clock, &config.data).map_err(BuildError::Clock)?;
        let movable = Arc::new(movable);
        (Arc::clone(&movable) as Arc<dyn Clock>, Some(movable))
    } else {
        (parts.clock, None)
    };
    let database = Database::open(&config.database, config.durable).await?;
    database.release_claims(clock.now()).await.map_err(|why| DatabaseError::of(&config.database, why))?;
    let accounts =
        AccountService::new(Arc::clone(&database.accounts), parts.passwords, Arc::clone(&clock), &config.base_url());
    let setup_link = accounts.setup_link().await.map_err(BuildError::Accounts)?;

    let identities = IdentityService::new(Arc::clone(&database.identities), accounts.clone(), Arc::clone(&clock));
    #[cfg(feature = "oidc")]
    let providers = {
        let key = database.inbox.key(oidc::PURPOSE, rand::random()).await.map_err(BuildError::Intake)?;
        Providers::new(&config.providers, key, &config.base_url(), Arc::clone(&clock))
            .map_err(|error| BuildError::Providers(Box::new(error)))?
    };
    let policy = catalogue::load(database.policies.as_ref(), clock.as_ref()).await.map_err(BuildError::Policy)?;
    let store = Arc::clone(&database.store);
    let organisation = mail::organisation(&policy).to_owned();
    let intake = MailIntake::new(Arc::clone(&database.inbox), &config).await.map_err(BuildError::Intake)?;
    let settings =
        mail::settings(&config, &policy, intake.replies()).map_err(|error| BuildError::Mail(Box::new(error)))?;
    let mailer = Mailer::new(parts.transport, settings.clone(), Arc::clone(&clock));
    let preferences =
        PreferencesService::open(Arc::clone(&database.preferences), Arc::clone(&clock), &config.base_url()).await;
    let preferences = preferences.map_err(|error| BuildError::Accounts(error.into()))?;
    let book = Arc::new(AccountsBook::over(accounts.clone(), Arc::clone(&store), preferences.clone()));
    let email = EmailNotifier::with_mailer(mailer.clone(), book.clone());
    let key = database.inbox.key(links::PURPOSE, rand::random()).await.map_err(BuildError::Intake)?;
    let links = Arc::new(ComplaintLinks::new(key, &config.base_url()));
    let email = email.only_known_people().stopped_at(preferences.links()).letting_guests_in(links.clone());
    let mut notifier = ByChannel::new().carrying(NoticeChannel::Email, email.clone());
    if let Some(gateway) = &config.sms {
        notifier = notifier
            .carrying(NoticeChannel::Sms, SmsNotifier::new(gateway.clone(), book, settings, Arc::clone(&clock)));
    }
    let sender = WebhookSender::new(config.webhook_networks.clone(), webhooks::ANSWER_WITHIN);
    let sender = sender.map_err(|error| BuildError::Webhooks(Box::new(error)))?;
    let (kept, policies) = (Arc::clone(&database.webhooks), Arc::clone(&database.policies));
    let webhooks = Webhooks::new(kept, policies, sender.clone(), Arc::clone(&clock), Arc::clone(&parts.ids));
    let told = WebhookNotifier::new(sender, Arc::new(webhooks.clone()), Arc::clone(&clock));
    notifier = notifier.carrying(NoticeChannel::Webhook, told);
    let live = Live::new();
    let desk = Desk::over(store, policy)
        .with_clock(Arc::clone(&clock))
        .with_ids(parts.ids)
        .notifying(AsPreferred::over(notifier, preferences.clone()))
        .watched_by(Arc::new(live.clone()));
    let texted = config.sms.is_some();
    let carried = catalogue::carry(database.policies.as_ref(), &desk, "system", NoticeChannel::Sms, texted).await;
    carried.map_err(BuildError::Policy)?;
    let attachments = Attachments::open(&config.attachments_folder()).map_err(BuildError::Attachments)?;
    let attachments = if database.shared().is_some() { attachments.shared() } else { attachments };

    let (stop, stopping) = watch::channel(false);
    let destination = config.smtp_host().unwrap_or_else(|| config.mail_folder().display().to_string());
    let texts = config.sms.clone().map(|gateway| Texts::through(gateway, organisation.clone()));
    let state = AppState {
        desk,
        texts,
        webhooks,
        intake,
        links,
        preferences,
        email,
        mailer: mailer.clone(),
        live,
        attachments,
        accounts,
        identities,
        #[cfg(feature = "oidc")]
        providers,
        policies: Arc::clone(&database.policies),
        clock,
        movable_clock,
        config: Arc::new(config),
        mail: parts
            .account_mail
            .unwrap_or_else(|| Arc::new(AccountLetters::through(mailer, destination, organisation))),
        poked: watch::Sender::new(()),
        stopping,
        metrics: recorder().map_err(BuildError::Metrics)?,
        workers: WorkersDown::default(),
        making: Arc::default(),
        rounds: Arc::default(),
        figures: Arc::default(),
    };
    Ok(Server { state, stop, setup_link, database, _lock: lock })
}

impl Server {
    /// Every route with its layers.
    pub fn router(&self) -> Router {
        router::router(self.state.clone())
    }

    /// The shared parts.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The one-time link that makes the first admin, if there is none yet.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup_link.as_deref()
    }

    /// Closes the database under the running server: what a test does to see it fail closed.
    #[doc(hidden)]
    pub async fn break_database(&self) {
        self.database.close().await;
    }

    /// What to tell the operator at the start.
    pub fn greeting(&self) -> String {
        let config = &self.state.config;
        let mut lines = vec![
            format!("Address      {}", config.base_url()),
            match &config.database {
                DatabaseUrl::Sqlite(_) => format!("Data file    {}", config.database),
                DatabaseUrl::Postgres(_) => format!("Database     {}", config.database),
            },
            match config.smtp_host() {
                Some(host) => format!("Mail relay   {host}"),
                None => format!("Mail folder  {}", self.state.mail.destination()),
            },
        ];
        lines.extend(config.intake.iter().map(|intake| format!("Mail in      {}", intake.address)));
        lines.extend(config.sms.iter().map(|gateway| format!("SMS gateway  {}", gateway.host())));
        #[cfg(feature = "oidc")]
        lines.extend(config.providers.iter().map(|provider| format!("Log-in with  {}", provider.name)));
        lines.extend(
            self.setup_link.iter().map(|link| {
                format!("Set-up link  {link}\n             makes the first admin; works once, for 24 hours")
            }),
        );
        lines.extend(config.warnings().into_iter().map(|warning| format!("WARNING      {warning}")));
        if is_open_to_others(&config.data) {
            let data = config.data.display();
            lines.push(format!(
                "WARNING      others than its owner may look into {data}, which holds customers' data: chmod 700"
            ));
        }
        if self.state.movable_clock.is_none() && MovableClock::was_pushed(&config.data) {
            lines.push(
                "WARNING      the clock was pushed forward over this data, which now lies in the future; start with --movable-clock"
                    .to_owned(),
            );
        }
        lines.join("\n")
    }

    /// Answers on `listener` and runs the workers until `shutdown` completes; then finishes open requests within 15 seconds.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) {
        let workers = workers::start(&self.state, self.database.shared());
        let router = self.router();
        let stop = self.stop;
        let mut stopping = self.state.stopping.clone();
        let serving = connections::serve(listener, router, async move {
            shutdown.await;
            // Streams watch this; without it they would hold the server open.
            stop.send_replace(true);
        });
        let overtime = async move {
            let _ = stopping.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(STOP_WITHIN).await;
        };
        tokio::select! {
            () = serving => {}
            () = overtime => tracing::warn!("some requests did not finish in time and were cut"),
        }
        workers.stop().await;
    }
}

/// Makes the data folder, readable by its owner alone: it holds customers' data.
pub fn make_private_folder(folder: &Path) -> Result<(), BuildError> {
    let fault = |source| BuildError::Folder { folder: folder.to_owned(), source };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(fault)
}

/// Whether others than its owner may look into a folder: one that was there before keeps its mode.
fn is_open_to_others(folder: &Path) -> bool {
    #[cfg(unix)]
    let open = std::fs::metadata(folder)
        .is_ok_and(|known| std::os::unix::fs::PermissionsExt::mode(&known.permissions()) & 0o077 != 0);
    #[cfg(not(unix))]
    let open = false;
    open
}

/// What a server has for itself, until this is dropped or the process ends, however it ends.
pub(crate) struct Lock {
    _folder: File,
    /// Beside the file of an `SQLite` database, which may lie elsewhere.
    _database: Option<File>,
}

/// Takes the data folder, and a database that is a file, for this server alone: live updates, uploads and the policy in force are known to the
/// process that made them. Servers on one PostgreSQL tell each other and share the folder, but with none that has its database there.
/// `admin create` and `import` ask for no lock, since they only write to the database. `restore` takes it alone on either engine.
pub(crate) fn lock(folder: &Path, database: &DatabaseUrl, alone: bool) -> Result<Lock, BuildError> {
    let at = |path: PathBuf, taken: BuildError| {
        let fault = |source| BuildError::Folder { folder: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(fault)?;
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(taken),
            Err(TryLockError::Error(source)) => Err(fault(source)),
        }
    };
    let database = match database {
        DatabaseUrl::Sqlite(url) => Some(database::file_of(url)?),
        DatabaseUrl::Postgres(_) => None,
    };
    // Where it lies in no folder, opening it says so.
    let database = database.filter(|file| file.parent().is_none_or(|beside| beside == "" || beside.is_dir()));
    let beside = |file: PathBuf| {
        let mut name = file.clone().into_os_string();
        name.push(".lock");
        at(name.into(), BuildError::DatabaseInUse(file))
    };
    Ok(Lock {
        _folder: at(folder.join(LOCK), BuildError::InUse(folder.to_owned()))?,
        _database: database.map(beside).transpose()?,
    })
}

/// One recorder for the whole process: that is how the `metrics` macros find it.
fn recorder() -> Result<PrometheusHandle, MetricsError> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    let handle = PrometheusBuilder::new().set_buckets(&buckets)?.install_recorder()?;
    Ok(installed.insert(handle).clone())
}
