//! All of a store at once: written out as lines, or carried over to another store.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::change::{Change, Part, WorkloadDelta};
use super::{PAGE_MAX, Query, Scope, Sort, Store, StoreError};
use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{AgentId, ComplaintId, Version};
use crate::lifecycle::replay;
use crate::notice::{DeadNotice, Notice};

/// The version of what [`export`] writes. Fields may come, none goes or changes its meaning within a version.
pub const EXPORT_VERSION: u32 = 1;

/// How many rows are read at a time.
const PORTION: u32 = 500;

/// How many entries are carried over in one change; a log that has more goes alone.
const ENTRIES_TOGETHER: usize = 500;

/// How many differences are named; more are only counted.
const NAMED: usize = 100;

/// What [`export`] wrote.
///
/// Example: [`export`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    /// Agents.
    pub agents: u64,
    /// Complaints.
    pub complaints: u64,
    /// Entries of their logs.
    pub entries: u64,
    /// Notices that wait.
    pub notices: u64,
    /// Notices that were given up.
    pub given_up: u64,
}

/// Why not everything was exported.
///
/// Example: [`export`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store could not be read.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// A line could not be written.
    #[error("a line could not be written")]
    Write(#[from] io::Error),
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Export { version: u32, at: DateTime<Utc> },
    Agent { agent: &'a Agent, workload: u32, last_assigned_at: Option<DateTime<Utc>> },
    Complaint { complaint: &'a Complaint },
    Entry { entry: &'a Entry },
    Notice { notice: &'a Notice },
    GivenUp { notice: &'a Notice, attempts: u32, given_up_at: DateTime<Utc>, why: &'a str },
    End(Exported),
}

/// Writes what a store keeps as JSON Lines: a line with the version, the agents, each complaint with the entries of its log
/// behind it, the notices that wait, those that were given up, and a line with how many of each there were. Without that last
/// line an export is cut off. Notices that were delivered are not in it, which are in the log of whoever delivered them, nor
/// what was asked under which key, which is over once it was answered.
///
/// It goes on beside writers: each complaint is of one moment, all of them together are not. `told` hears of it after each
/// page.
///
/// # Errors
/// [`ExportError`]; what was written before is of no use without the rest.
///
/// ```
/// use complaint_core::store::{Exported, export};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let mut lines = Vec::new();
/// let exported = export(desk.store(), desk.now(), &mut lines, |_| ()).await?;
/// assert_eq!((exported.agents, exported.complaints, exported.entries), (1, 1, 3));
/// assert!(lines.starts_with(br#"{"kind":"export","version":1,"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn export<S: Store + ?Sized>(
    store: &S,
    at: DateTime<Utc>,
    to: &mut (dyn io::Write + Send),
    mut told: impl FnMut(&Exported),
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    write(to, &Line::Export { version: EXPORT_VERSION, at })?;
    for Member { agent, workload, last_assigned_at } in &store.roster().await? {
        write(to, &Line::Agent { agent, workload: *workload, last_assigned_at: *last_assigned_at })?;
        exported.agents += 1;
    }
    let mut pages = Pages::default();
    while let Some(page) = pages.next(store).await? {
        for complaint in &page {
            write(to, &Line::Complaint { complaint })?;
            exported.complaints += 1;
            for entry in &log_of(store, complaint).await? {
                write(to, &Line::Entry { entry })?;
                exported.entries += 1;
            }
        }
        told(&exported);
    }
    let mut behind = None;
    loop {
        let waiting = store.waiting(behind, PORTION).await?;
        let Some(last) = waiting.last() else { break };
        behind = Some(last.id);
        for notice in &waiting {
            write(to, &Line::Notice { notice })?;
            exported.notices += 1;
        }
    }
    let mut below = None;
    loop {
        let dead = store.dead(below, PORTION).await?;
        let Some(last) = dead.last() else { break };
        below = Some(last.notice.id);
        for DeadNotice { notice, attempts, given_up_at, why } in &dead {
            write(to, &Line::GivenUp { notice, attempts: *attempts, given_up_at: *given_up_at, why })?;
            exported.given_up += 1;
        }
    }
    write(to, &Line::End(exported))?;
    to.flush()?;
    Ok(exported)
}

fn write(to: &mut (dyn io::Write + Send), line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// What [`copy`] did, and what it found.
///
/// Example: [`copy`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Complaints of the source that were looked at.
    pub seen: u64,
    /// Complaints that were carried over.
    pub complaints: u64,
    /// Entries of their logs.
    pub entries: u64,
    /// Notices that wait for them.
    pub notices: u64,
    /// Notices about complaints of the source that were given up.
    pub given_up: u64,
    /// Agents that were carried over.
    pub agents: u64,
    /// Complaints that were there already, with the same log.
    pub there: u64,
    /// What is not the same in both.
    pub differing: u64,
    /// The first 100 of that.
    pub differences: Vec<Difference>,
}

/// Where two stores differ.
///
/// Example: [`copy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The target has another log of this complaint, from this entry on.
    Log {
        /// Which complaint.
        complaint: ComplaintId,
        /// The first entry that is not the same; one more than the shorter log has, where that ends.
        seq: u32,
    },
    /// The log at the source does not lead to the state there: it was tampered with, and is not carried over.
    Broken {
        /// Which complaint.
        complaint: ComplaintId,
    },
    /// The target has another complaint with this reference.
    Reference {
        /// Which complaint of the source.
        complaint: ComplaintId,
    },
    /// The target knows this agent otherwise.
    Agent {
        /// Who.
        agent: AgentId,
    },
    /// The counts of all complaints are not the same: the target has complaints that the source has not, or something was
    /// changed meanwhile.
    Counts,
}

impl Copied {
    /// Whether the target has now what the source has: equal logs, agents and counts, and what waits or was given up of those
    /// complaints.
    pub fn is_whole(&self) -> bool {
        self.differing == 0
    }

    fn differ(&mut self, difference: Difference) {
        self.differing += 1;
        if self.differences.len() < NAMED {
            self.differences.push(difference);
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { complaint, seq } => write!(f, "complaint {complaint}: another log from entry {seq} on"),
            Self::Broken { complaint } => {
                write!(f, "complaint {complaint}: its log does not lead to its state at the source")
            }
            Self::Reference { complaint } => {
                write!(f, "complaint {complaint}: another complaint has its reference at the target")
            }
            Self::Agent { agent } => write!(f, "agent {agent}: known otherwise at the target"),
            Self::Counts => f.write_str("the counts of all complaints are not the same at source and target"),
        }
    }
}

/// Carries agents, complaints with their logs, and notices that wait or were given up over to another store, whichever engine
/// keeps either.
///
/// May be given up and begun again: what the target has already with the same log is passed over, and what it has otherwise
/// is named and left as it is. Nobody should write to the source meanwhile: what changes there behind the copy's back is a
/// difference the next time. From then on only one of the two may deliver, or people are told twice. Idempotency keys and
/// notices that were delivered are not carried over. `told` hears of it after each page.
///
/// # Errors
/// [`StoreError`] of either store. What was carried over before is at the target whole, complaint by complaint.
///
/// ```
/// use complaint_core::store::{Copied, MemoryStore, copy};
/// # use complaint_core::{Actor, Agent, Complaint, Desk, Policy, policy::Category, store::ComplaintStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let desk = Desk::new(MemoryStore::new(), Policy::standard().with_category(Category::named("Water supply")?));
/// # let asha = desk.enrol(Agent::named("asha", "Asha Rao")?.skilled_in(["water supply"])).await?;
/// # let john = desk.acting_as(Actor::customer("john")?);
/// # let receipt = john.submit(Complaint::about("Water supply", "No water", "Since Monday.")?).await?;
/// let other = MemoryStore::new();
/// let copied = copy(desk.store(), &other, |_| ()).await?;
/// assert!(copied.is_whole());
/// assert_eq!((copied.agents, copied.complaints, copied.there), (1, 1, 0));
/// assert_eq!(other.log(receipt.id(), 0, 100).await?, desk.whole_log(receipt.id()).await?);
///
/// let again = copy(desk.store(), &other, |_| ()).await?;
/// assert_eq!((again.complaints, again.there), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn copy<S: Store + ?Sized, T: Store + ?Sized>(
    from: &S,
    to: &T,
    mut told: impl FnMut(&Copied),
) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let roster = from.roster().await?;
    for member in &roster {
        copy_agent(&member.agent, to, &mut copied).await?;
    }
    let assigned_at: BTreeMap<_, _> = roster.into_iter().map(|it| (it.agent.id, it.last_assigned_at)).collect();
    let mut notices = waiting_by_complaint(from).await?;
    let mut pages = Pages::default();
    while let Some(page) = pages.next(from).await? {
        let mut load = Load::default();
        for complaint in page {
            copied.seen += 1;
            let log = log_of(from, &complaint).await?;
            if !replay(&log).is_ok_and(|replayed| replayed == complaint) {
                copied.differ(Difference::Broken { complaint: complaint.id });
                continue;
            }
            match first_difference(&log, to, complaint.id).await? {
                Standing::Absent => {}
                Standing::Same => {
                    copied.there += 1;
                    continue;
                }
                Standing::Other(seq) => {
                    copied.differ(Difference::Log { complaint: complaint.id, seq });
                    continue;
                }
            }
            if load.entries + log.len() > ENTRIES_TOGETHER {
                std::mem::take(&mut load).commit(to, &assigned_at, &mut copied).await?;
            }
            let notices = notices.remove(&complaint.id).unwrap_or_default();
            load.add(Part::new(Version::NONE, complaint, log), notices);
        }
        load.commit(to, &assigned_at, &mut copied).await?;
        told(&copied);
    }
    copy_given_up(from, to, &mut copied).await?;
    keep_turns(to, assigned_at).await?;
    if from.summary(&Scope::All).await? != to.summary(&Scope::All).await? {
        copied.differ(Difference::Counts);
    }
    Ok(copied)
}

async fn copy_agent<T: Store + ?Sized>(agent: &Agent, to: &T, copied: &mut Copied) -> Result<(), StoreError> {
    match to.find(&agent.id).await? {
        None => {
            to.save(agent).await?;
            copied.agents += 1;
        }
        Some(member) if member.agent == *agent => {}
        Some(_) => copied.differ(Difference::Agent { agent: agent.id.clone() }),
    }
    Ok(())
}

async fn copy_given_up<S: Store + ?Sized, T: Store + ?Sized>(
    from: &S,
    to: &T,
    copied: &mut Copied,
) -> Result<(), StoreError> {
    let mut below = None;
    loop {
        let dead = from.dead(below, PORTION).await?;
        let Some(last) = dead.last() else { return Ok(()) };
        below = Some(last.notice.id);
        for dead in &dead {
            // Of a complaint that was not carried over, nothing is.
            let is_there = !to.log(dead.notice.complaint, 0, 1).await?.is_empty();
            if is_there && to.bury(dead).await? {
                copied.given_up += 1;
            }
        }
    }
}

/// Who was given the last complaint longest ago is given the next one: that holds at the target as well, for those who hold
/// nothing now, too.
async fn keep_turns<T: Store + ?Sized>(
    to: &T,
    assigned_at: BTreeMap<AgentId, Option<DateTime<Utc>>>,
) -> Result<(), StoreError> {
    for member in to.roster().await? {
        let at = assigned_at.get(&member.agent.id).copied().flatten();
        if at > member.last_assigned_at {
            let turn = WorkloadDelta { agent: member.agent.id, delta: 0, ceiling: None, assigned_at: at };
            to.commit(&Change::new(Vec::new(), Vec::new(), vec![turn])).await?;
        }
    }
    Ok(())
}

/// Complaints that go over in one change.
#[derive(Default)]
struct Load {
    parts: Vec<(Part, Vec<Notice>)>,
    entries: usize,
}

impl Load {
    fn add(&mut self, part: Part, notices: Vec<Notice>) {
        self.entries += part.entries().len();
        self.parts.push((part, notices));
    }

    async fn commit<T: Store + ?Sized>(
        self,
        to: &T,
        assigned_at: &BTreeMap<AgentId, Option<DateTime<Utc>>>,
        copied: &mut Copied,
    ) -> Result<(), StoreError> {
        if self.parts.is_empty() {
            return Ok(());
        }
        match to.commit(&change(&self.parts, assigned_at)).await {
            Ok(()) => self.parts.iter().for_each(|one| copied.count(one)),
            // One of them is in the way of all: each by itself, to know which.
            Err(StoreError::ReferenceTaken) => {
                for one in &self.parts {
                    match to.commit(&change(std::slice::from_ref(one), assigned_at)).await {
                        Ok(()) => copied.count(one),
                        Err(StoreError::ReferenceTaken) => {
                            copied.differ(Difference::Reference { complaint: one.0.id() });
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Copied {
    fn count(&mut self, (part, notices): &(Part, Vec<Notice>)) {
        self.complaints += 1;
        self.entries += part.entries().len() as u64;
        self.notices += notices.len() as u64;
    }
}

fn change(parts: &[(Part, Vec<Notice>)], assigned_at: &BTreeMap<AgentId, Option<DateTime<Utc>>>) -> Change {
    let mut workload: BTreeMap<&AgentId, i64> = BTreeMap::new();
    for (agent, weight) in parts.iter().filter_map(|(part, _)| part.after().workload()) {
        *workload.entry(agent).or_default() += i64::from(weight);
    }
    let workload = workload.into_iter().map(|(agent, delta)| WorkloadDelta {
        agent: agent.clone(),
        delta,
        // They hold it already, whatever their capacity is now.
        ceiling: None,
        assigned_at: assigned_at.get(agent).copied().flatten(),
    });
    let (entries, notices): (Vec<Part>, Vec<Vec<Notice>>) = parts.iter().cloned().unzip();
    Change::new(entries, notices.into_iter().flatten().collect(), workload.collect())
}

/// What the target has of a complaint.
enum Standing {
    Absent,
    Same,
    /// Another log from this entry on.
    Other(u32),
}

async fn first_difference<T: Store + ?Sized>(log: &[Entry], to: &T, id: ComplaintId) -> Result<Standing, StoreError> {
    let there = whole_log(to, id, u32::MAX).await?;
    if there.is_empty() {
        return Ok(Standing::Absent);
    }
    let same = log.iter().zip(&there).take_while(|(ours, theirs)| ours == theirs).count();
    if same == log.len() && same == there.len() {
        return Ok(Standing::Same);
    }
    Ok(Standing::Other(u32::try_from(same + 1).unwrap_or(u32::MAX)))
}

async fn waiting_by_complaint<S: Store + ?Sized>(from: &S) -> Result<BTreeMap<ComplaintId, Vec<Notice>>, StoreError> {
    let mut found: BTreeMap<ComplaintId, Vec<Notice>> = BTreeMap::new();
    let mut behind = None;
    loop {
        let waiting = from.waiting(behind, PORTION).await?;
        let Some(last) = waiting.last() else { return Ok(found) };
        behind = Some(last.id);
        for notice in waiting {
            found.entry(notice.complaint).or_default().push(notice);
        }
    }
}

/// The log that leads to a state: what came after it was loaded is left out.
async fn log_of<S: Store + ?Sized>(store: &S, complaint: &Complaint) -> Result<Vec<Entry>, StoreError> {
    whole_log(store, complaint.id, complaint.entries).await
}

async fn whole_log<S: Store + ?Sized>(store: &S, id: ComplaintId, most: u32) -> Result<Vec<Entry>, StoreError> {
    let mut log: Vec<Entry> = Vec::new();
    while (log.len() as u64) < u64::from(most) {
        let read = u32::try_from(log.len()).unwrap_or(u32::MAX);
        let mut portion = store.log(id, read, PORTION.min(most - read)).await?;
        let ended = portion.len() < PORTION as usize;
        log.append(&mut portion);
        if ended {
            break;
        }
    }
    Ok(log)
}

/// All complaints, page by page, oldest receipt first: that never changes, so none is passed over while others write.
#[derive(Default)]
struct Pages {
    query: Option<Query>,
    ended: bool,
}

impl Pages {
    async fn next<S: Store + ?Sized>(&mut self, store: &S) -> Result<Option<Vec<Complaint>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let query = self.query.get_or_insert_with(|| Query {
            sort: Sort::Oldest,
            limit: PAGE_MAX,
            ..Query::within(Scope::All)
        });
        let page = store.search(query).await?;
        self.ended = page.next.is_none();
        query.after = page.next;
        Ok(Some(page.items))
    }
}
