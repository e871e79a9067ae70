//! What changes, as it changes: from every commit of the desk to whoever watches.

use std::sync::Arc;

use complaint_core::desk::Observer;
use complaint_core::id::{ComplaintId, CustomerId, Version};
use complaint_core::lifecycle::Status;
use complaint_core::reference::Reference;
use complaint_core::store::Change;
use tokio::sync::{Semaphore, broadcast, watch};

/// How many changes a watcher may be behind before it is told that it missed some.
const BEHIND_MAX: usize = 256;

/// How many streams may be open at once in this process.
const STREAMS_MAX: usize = 2000;

/// Told of every commit; hands it to streams and wakes the courier.
#[derive(Debug, Clone)]
pub struct Live {
    changes: broadcast::Sender<Changed>,
    committed: watch::Sender<()>,
    /// A place for each open stream.
    pub(crate) places: Arc<Semaphore>,
}

/// That a complaint changed: facts enough to see whether it can concern a watcher. What it looks like now, a stream reads anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub complaint: ComplaintId,
    /// The number people quote.
    pub reference: Reference,
    /// The version it has now.
    pub version: Version,
    /// Where the work is now.
    pub status: Status,
    /// Whose; never changes.
    pub customer: CustomerId,
    /// Whether the customer may know of it.
    pub public: bool,
}

impl Live {
    /// Nobody watches yet.
    pub fn new() -> Self {
        Self {
            changes: broadcast::Sender::new(BEHIND_MAX),
            committed: watch::Sender::new(()),
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// Every change from now on. A receiver that is too slow learns that it lagged, not what it missed.
    pub fn watch(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    /// Changes whenever something was committed, for those who only want to be woken.
    pub fn commits(&self) -> watch::Receiver<()> {
        self.committed.subscribe()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Live {
    fn committed(&self, change: &Change) {
        for part in change.parts() {
            let after = part.after();
            // Nobody watching is fine.
            let _ = self.changes.send(Changed {
                complaint: after.id,
                reference: after.reference,
                version: after.version,
                status: after.status,
                customer: after.customer.clone(),
                public: after.public_change == after.version,
            });
        }
        self.committed.send_replace(());
    }
}
