//! What changes, as it changes: from every commit of the desk to whoever watches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use complaint_core::complaint::{Complaint, Entry, Event};
use complaint_core::desk::Observer;
use complaint_core::id::{AgentId, ComplaintId, CustomerId, Level, Version};
use complaint_core::lifecycle::Status;
use complaint_core::notice::Recipient;
use complaint_core::reference::Reference;
use complaint_core::store::Change;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

/// How many changes a watcher may be behind before it is told that it missed some.
const BEHIND_MAX: usize = 256;

/// How many streams may be open at once in this process.
const STREAMS_MAX: usize = 2000;

/// How many of them one person may have open: pages in many tabs, not a program that forgets to close.
pub const STREAMS_OF_ONE_MAX: usize = 20;

/// Told of every commit; hands it to streams and wakes the courier.
#[derive(Debug, Clone)]
pub struct Live {
    changes: broadcast::Sender<Told>,
    committed: watch::Sender<()>,
    /// A place for each open stream.
    places: Arc<Semaphore>,
    /// How many of them each account has.
    of_each: Arc<Mutex<HashMap<String, usize>>>,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A complaint changed.
    Changed(Changed),
    /// Changes of another server may not have been heard: whatever is shown must be looked at again.
    Missed,
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
    /// The agents who acted, or are told: among them is whoever had it before.
    pub concerned: Vec<AgentId>,
    /// The level from whose queue it was taken, if it was.
    pub taken_at: Option<Level>,
}

impl Live {
    /// Nobody watches yet.
    pub fn new() -> Self {
        Self {
            changes: broadcast::Sender::new(BEHIND_MAX),
            committed: watch::Sender::new(()),
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
            of_each: Arc::default(),
        }
    }

    /// Every change from now on. A receiver that is too slow learns that it lagged, not what it missed.
    pub fn watch(&self) -> broadcast::Receiver<Told> {
        self.changes.subscribe()
    }

    /// Changes whenever something was committed, for those who only want to be woken.
    pub fn commits(&self) -> watch::Receiver<()> {
        self.committed.subscribe()
    }

    /// Another server committed something; `told` says what, if it is known and anybody watches.
    pub(crate) fn heard(&self, told: Option<Told>) {
        // Nobody watching is fine.
        let _ = told.map(|told| self.changes.send(told));
        self.committed.send_replace(());
    }

    /// Whether anybody watches: if not, nothing need be looked up to be told.
    pub(crate) fn is_watched(&self) -> bool {
        self.changes.receiver_count() > 0
    }
}

impl Changed {
    /// What another server committed as a version of a complaint that is now as `after` says: what an observer there was told, as far as
    /// the log says. `log` holds at least the entries of that version and the one before them.
    pub(crate) fn heard(after: &Complaint, version: Version, log: &[Entry]) -> Self {
        let earlier = log.iter().rfind(|entry| entry.version < version);
        let entries: Vec<&Entry> = log.iter().filter(|entry| entry.version == version).collect();
        // Whoever had it before is told with every change that takes it away.
        let handlers =
            earlier.into_iter().chain(entries.iter().copied()).filter_map(|entry| entry.place.handler.as_ref());
        Self {
            complaint: after.id,
            reference: after.reference,
            version,
            status: after.status,
            customer: after.customer.clone(),
            // Read anew, a later public change is shown with it.
            public: after.public_change >= version,
            concerned: handlers.chain(entries.iter().filter_map(|entry| entry.by.agent())).cloned().collect(),
            taken_at: taken_at(entries.iter().copied()),
        }
    }
}

fn taken_at<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Option<Level> {
    entries.into_iter().find(|entry| matches!(entry.event, Event::Assigned { .. })).map(|entry| entry.place.level)
}

impl Live {
    /// A place for one more stream of an account, as long as it is held.
    ///
    /// # Errors
    /// If the account, or this process, has as many as it may have.
    pub fn place(&self, account: &str) -> Result<Place, NoPlace> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| NoPlace::AtAll)?;
        let mut of_each = self.of_each.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of_each.entry(account.to_owned()).or_default();
        if *count >= STREAMS_OF_ONE_MAX {
            return Err(NoPlace::ForThisAccount);
        }
        *count += 1;
        Ok(Place { account: account.to_owned(), of_each: Arc::clone(&self.of_each), _permit: permit })
    }
}

/// Why no further stream can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The account has as many as one may have.
    ForThisAccount,
    /// The process has as many as it can have.
    AtAll,
}

/// The place of an open stream.
#[derive(Debug)]
pub struct Place {
    account: String,
    of_each: Arc<Mutex<HashMap<String, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_each = self.of_each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of_each.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                of_each.remove(&self.account);
            }
        }
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
            let notices = change.notices().iter().filter(|notice| notice.complaint == after.id);
            let told = notices.filter_map(|notice| match &notice.recipient {
                Recipient::Agent(agent) => Some(agent),
                _ => None,
            });
            // Nobody watching is fine.
            let _ = self.changes.send(Told::Changed(Changed {
                complaint: after.id,
                reference: after.reference,
                version: after.version,
                status: after.status,
                customer: after.customer.clone(),
                public: after.public_change == after.version,
                concerned: told
                    .clone()
                    .chain(part.entries().iter().filter_map(|entry| entry.by.agent()))
                    .cloned()
                    .collect(),
                taken_at: taken_at(part.entries()),
            }));
        }
        self.committed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use complaint_core::lifecycle::{Command, CommandName, Input};
    use complaint_core::policy::Category;
    use complaint_core::store::MemoryStore;
    use complaint_core::{Actor, Agent, Desk, Policy};

    use super::*;

    #[tokio::test]
    async fn what_is_heard_of_another_server_is_what_is_told_there() {
        let category = Category::named("Water").expect("a category");
        let live = Live::new();
        let desk = Desk::new(MemoryStore::default(), Policy::standard().with_category(category));
        let desk = desk.watched_by(Arc::new(live.clone()));
        let agent = |id: &str| Agent::named(id, id).expect("an agent").skilled_in(["water"]);
        let sarah = desk.enrol(agent("sarah")).await.expect("enrolled");
        let maria = agent("maria").at_level(Level::new(2).expect("a level"));
        let maria = desk.acting_as(Actor::agent(&desk.enrol(maria).await.expect("enrolled")));
        let mut told = live.watch();
        let john = desk.acting_as(Actor::customer("john").expect("a customer"));
        let complaint = Complaint::about("water", "No water", "All of Canal Street.").expect("a complaint");
        let id = john.submit(complaint).await.expect("submitted").id();
        let ben = desk.enrol(agent("ben")).await.expect("enrolled").id;

        let mut heard = async || {
            let Ok(Told::Changed(told)) = told.try_recv() else { panic!("nothing was told") };
            let after = desk.store().load(id).await.expect("reads").expect("there");
            let log = desk.store().log(id, 0, 50).await.expect("reads");
            let heard = Changed::heard(&after, told.version, &log);
            assert_eq!(Changed { concerned: told.concerned.clone(), ..heard.clone() }, told);
            (heard.concerned, told.concerned)
        };
        heard().await;
        desk.acting_as(Actor::agent(&sarah)).begin(id).await.expect("begun");
        heard().await;
        // Whoever loses it is the one who must hear of it, though somebody else took it away.
        let input = Input { agent: Some(ben), reason: Some("Sarah is away.".into()), ..Input::default() };
        let reassign = Command::new(CommandName::Reassign, input).expect("a command");
        maria.perform(id, reassign).await.expect("reassigned");
        for concerned in <[_; 2]>::from(heard().await) {
            assert!(concerned.contains(&sarah.id), "{concerned:?}");
        }
    }
}
