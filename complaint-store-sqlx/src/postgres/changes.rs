//! What is committed by one server is told to the others.
//!
//! Not by the commit itself: PostgreSQL lets transactions that notify commit one after the other, and a server's
//! commits would no longer share their way to the disk. So a server tells what it committed right behind it, all that
//! came together in one statement. What could not be told is told as a gap as soon as anything can be; what is not told because a
//! server died in between is found by looking.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, mem};

use complaint_core::id::{ComplaintId, Version};
use complaint_core::store::StoreError;
use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use tokio::time::{Instant, timeout, timeout_at};

use super::{PostgresStore, fault};
use crate::rows::Rows;

/// How long to wait before what could not be told is told again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is told instead of a complaint and its version where some could not be told.
const GAP: &str = "gap";

pub(super) const TELL: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// What was heard of other servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A complaint was changed and is at this version, or a later one.
    Changed {
        /// Which.
        complaint: ComplaintId,
        /// The version.
        version: Version,
    },
    /// For a while nothing could be heard, or a server could not tell what it committed: whatever is shown must be looked at again.
    Gap,
}

/// Listens to what is committed, on a connection of its own.
///
/// It is a hint to look, not a log: a change may be told late, and after a server died not at all. Whoever relies on it
/// also looks from time to time. Behind a proxy that pools transactions it hears nothing: let it connect to the server.
///
/// ```no_run
/// # async fn f(store: complaint_store_sqlx::PostgresStore) -> Result<(), complaint_core::store::StoreError> {
/// use complaint_store_sqlx::postgres::Heard;
///
/// let mut changes = store.changes().await?;
/// loop {
///     match changes.next().await {
///         Ok(Heard::Changed { complaint, version }) => println!("{complaint} is at {version}"),
///         Ok(Heard::Gap) => println!("look at everything"),
///         Err(trouble) if trouble.is_transient() => println!("wait a moment, then ask again"),
///         Err(fatal) => return Err(fatal),
///     }
/// }
/// # }
/// ```
pub struct Changes {
    connect: PgConnectOptions,
    channel: String,
    listener: Option<PgListener>,
    /// When the server is asked whether it is still there, if nothing is heard until then: a network that lets nothing through any
    /// more says so to nobody who only listens.
    ask_at: Instant,
    /// How long nothing may be heard, and how long an answer may take.
    patience: Duration,
    /// Whose announcements are left out.
    own: Option<Arc<Announcer>>,
}

// The driver's options would show the password.
impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Listens from now on to what servers commit that were [told to announce it](super::PostgresOptions::announcing).
    /// What this store commits itself is left out, but not what its [host commits](Self::commit_in).
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        let mut changes = Changes {
            connect: (*self.pool.connect_options()).clone(),
            channel: channel(&self.schema),
            listener: None,
            ask_at: Instant::now(),
            patience: self.patience,
            own: self.announcer.clone(),
        };
        changes.listen().await?;
        Ok(changes)
    }
}

impl Changes {
    /// Waits for what is heard next. May be dropped and called again: nothing is lost by that but what a [gap](Heard::Gap) tells of.
    ///
    /// A server of which nothing is heard for as long as it may take for a statement, and two seconds more, is asked whether it is
    /// still there, and has as long again for its answer.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while the server cannot be reached. Called again it tries again, and tells the
    /// [gap](Heard::Gap).
    pub async fn next(&mut self) -> Result<Heard, StoreError> {
        loop {
            let Some(listener) = &mut self.listener else {
                self.listen().await?;
                return Ok(Heard::Gap);
            };
            let Ok(received) = timeout_at(self.ask_at, listener.try_recv()).await else {
                self.ask().await?;
                continue;
            };
            self.ask_at = Instant::now() + self.patience;
            match received {
                Ok(Some(told)) => {
                    if let Some(heard) = read(&told, self.own.as_deref()) {
                        return Ok(heard);
                    }
                }
                // The driver listens again already.
                Ok(None) => return Ok(Heard::Gap),
                Err(error) => {
                    self.listener = None;
                    return Err(fault::meaning(error));
                }
            }
        }
    }

    /// Whether the server is still there. Who drops this has no listener any more: half an answer is of no use.
    async fn ask(&mut self) -> Result<(), StoreError> {
        let Some(mut listener) = self.listener.take() else { return Ok(()) };
        let answered = timeout(self.patience, listener.execute("SELECT 1")).await;
        answered.unwrap_or_else(|_| Err(fault::no_answer())).map_err(fault::meaning)?;
        self.ask_at = Instant::now() + self.patience;
        self.listener = Some(listener);
        Ok(())
    }

    async fn listen(&mut self) -> Result<(), StoreError> {
        // One of its own each time: the driver takes leave on a connection that is given up, and on a silent one that never ends.
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(self.patience);
        let pool = pool.connect_lazy_with(self.connect.clone());
        let mut listener = PgListener::connect_with(&pool).await.map_err(fault::meaning)?;
        let listening = timeout(self.patience, listener.listen(&self.channel)).await;
        listening.unwrap_or_else(|_| Err(fault::no_answer())).map_err(fault::meaning)?;
        self.ask_at = Instant::now() + self.patience;
        self.listener = Some(listener);
        Ok(())
    }
}

/// Tells what was committed, behind the commits.
#[derive(Debug)]
pub(super) struct Announcer {
    /// Who tells: drawn at random.
    name: String,
    untold: Mutex<Untold>,
}

impl Default for Announcer {
    fn default() -> Self {
        Self { name: format!("{:016x}", rand::random::<u64>()), untold: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Untold {
    payloads: Vec<String>,
    /// Whether it is not known of some that they were told. Then a gap is told, which tells of all others as well.
    gap: bool,
    /// Whether somebody tells them.
    telling: bool,
}

impl Announcer {
    pub(super) fn tell(self: &Arc<Self>, store: &PostgresStore, rows: &Rows) {
        let mut untold = self.untold();
        untold.payloads.extend(payloads(rows).iter().map(|payload| self.signed(payload)));
        if !mem::replace(&mut untold.telling, true) {
            let telling = Telling { announcer: Arc::clone(self), ended: false };
            tokio::spawn(telling.until_all_is_told(store.clone()));
        }
    }

    fn signed(&self, payload: &str) -> String {
        format!("{payload} {}", self.name)
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        // Nothing panics while it is held.
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Telling {
    announcer: Arc<Announcer>,
    ended: bool,
}

impl Telling {
    async fn until_all_is_told(mut self, store: PostgresStore) {
        let channel = channel(&store.schema);
        let mut in_trouble = false;
        loop {
            let payloads = {
                let mut untold = self.announcer.untold();
                let mut payloads = mem::take(&mut untold.payloads);
                if untold.gap {
                    payloads = vec![self.announcer.signed(GAP)];
                }
                if payloads.is_empty() {
                    untold.telling = false;
                    self.ended = true;
                    return;
                }
                // Until they are told, and for good if this is dropped before.
                untold.gap = true;
                payloads
            };
            let Err(trouble) = store.write(sqlx::query(TELL).bind(&channel).bind(&payloads)).await else {
                self.announcer.untold().gap = false;
                in_trouble = false;
                continue;
            };
            if !mem::replace(&mut in_trouble, true) {
                tracing::warn!(error = &trouble as &dyn std::error::Error, "other servers are not told of changes");
            }
            let may_pass = matches!(trouble, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_));
            if !may_pass || store.pool.is_closed() {
                // The next commit, if there is one, begins with the gap.
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if !self.ended {
            // By the end of the runtime, or by what no waiting helps against: with the next commit, telling begins anew.
            self.announcer.untold().telling = false;
        }
    }
}

/// The channel of a schema.
pub(super) fn channel(schema: &str) -> String {
    format!("complaint_changed_{schema}")
}

/// What is told of a change.
pub(super) fn payloads(rows: &Rows) -> Vec<String> {
    rows.parts.iter().map(|part| format!("{} {}", part.id(), part.state.version)).collect()
}

/// The complaint and its version, or that there is a gap, and, unless it is a host's own transaction, who tells.
fn read(told: &PgNotification, own: Option<&Announcer>) -> Option<Heard> {
    let mut words = told.payload().split(' ');
    let heard = match words.next()? {
        GAP => Heard::Gap,
        complaint => {
            Heard::Changed { complaint: complaint.parse().ok()?, version: Version::new(words.next()?.parse().ok()?) }
        }
    };
    let is_own = own.zip(words.next()).is_some_and(|(own, name)| own.name == name);
    (!is_own).then_some(heard)
}
