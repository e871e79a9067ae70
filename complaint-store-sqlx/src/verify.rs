//! Whether logs and states are as they were committed: a walk along the chain, the same on every engine.

mod heads;

use std::collections::VecDeque;
use std::fmt;

use complaint_core::complaint::{Complaint, Entry};
use complaint_core::deadline::next_action_at;
use complaint_core::id::ComplaintId;
use complaint_core::lifecycle::{begin, evolve};
use complaint_core::store::StoreError;
use uuid::Uuid;

use crate::chain::{BEGINNING, EntryFacts, Hash, link, words_digest};
use crate::codec::{LOG_ENTRY, STATE, StateColumns, decode, decode_entry};
use heads::Head;
pub use heads::Heads;

/// How many broken complaints are named; more are only counted.
const NAMED: usize = 100;

/// What a walk along the chain found.
///
/// The chain has no key, and references are drawn, not counted: who may write to the database *and* computes all hashes behind a
/// change anew, with the state that fits, makes another chain that holds. Nor does the database alone miss a complaint that is
/// gone altogether, log and state, or the end of a log whose state was put back to where it ends now. All three are found by
/// [heads](Heads) that were kept elsewhere, as far as those reach.
///
/// ```
/// # use complaint_store_sqlx::{SqliteStore, verify::Verified};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await?;
/// # store.migrate().await?;
/// let verified = store.verify_all().await?;
/// assert!(verified.is_intact());
/// assert_eq!(verified, Verified::default(), "nothing is stored yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Complaints looked at.
    pub complaints: u64,
    /// Entries looked at.
    pub entries: u64,
    /// Entries whose words were erased; their facts still stand in the chain.
    pub erased: u64,
    /// Complaints that are not as they were committed.
    pub broken: u64,
    /// The first 100 of them in the order of ids, each with its first bad entry.
    pub breaches: Vec<Breach>,
    /// Counts that are not what there is, at most 100; looked at with all complaints, not with one.
    pub miscounts: Vec<Miscount>,
}

/// A kind of complaint that is counted wrongly.
///
/// Example: [`Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscount {
    /// Whose complaints, or everybody's.
    pub handler: Option<String>,
    /// Their status.
    pub status: String,
    /// Their level.
    pub level: i64,
    /// Their category.
    pub category: String,
    /// Whether they are open and missed a deadline which still runs.
    pub missed: bool,
    /// How many are counted beyond those there are.
    pub complaints: i64,
    /// Likewise of the ratings of 1 to 5.
    pub ratings: [i64; 5],
}

/// The first bad entry of a complaint.
///
/// Example: [`Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Whose log.
    pub complaint: ComplaintId,
    /// Its place in the log, from 1; the last one where only the state is wrong.
    pub seq: i64,
    /// What is wrong with it.
    pub what: Tampering,
}

/// What is wrong with an entry.
///
/// Example: [`Verified`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tampering {
    /// No entry stands where the next one should: one is gone, or one has a number that was never given.
    Missing,
    /// Its facts, or the entries before it, are not those that were committed.
    Altered,
    /// Its words are not those that were committed.
    Words,
    /// It holds, but this library cannot read it.
    Unreadable,
    /// The state of the complaint is not what its log leads to; the column says where.
    State(&'static str),
    /// There is a log without a complaint.
    NoState,
    /// The log up to this entry holds, but it is not the one whose [head](Heads) was kept.
    NotKept,
    /// There is neither state nor log of a complaint whose [head](Heads) was kept.
    Gone,
}

impl Verified {
    /// Whether all is as it was committed.
    pub fn is_intact(&self) -> bool {
        self.broken == 0 && self.miscounts.is_empty()
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "complaint {}, entry {}: ", self.complaint, self.seq)?;
        match self.what {
            Tampering::Missing => f.write_str("an entry is missing here"),
            Tampering::Altered => f.write_str("not the entry that was committed here"),
            Tampering::Words => f.write_str("not the words that were committed here"),
            Tampering::Unreadable => f.write_str("cannot be read"),
            Tampering::State(column) => write!(f, "the log does not lead to what complaint_state.{column} holds"),
            Tampering::NoState => f.write_str("a log without a complaint"),
            Tampering::NotKept => f.write_str("the log up to here is not the one whose head was kept"),
            Tampering::Gone => f.write_str("gone with its state and all of its log, and its head was kept"),
        }
    }
}

impl fmt::Display for Miscount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handler, status, level, category, missed, complaints, ratings } = self;
        write!(
            f,
            "complaint_counts, handler {:?}, status {status}, level {level}, ",
            handler.as_deref().unwrap_or("")
        )?;
        write!(f, "category {category}, missed {missed}: {complaints:+} complaints and {ratings:+?} ratings beyond ")?;
        f.write_str("those there are")
    }
}

/// A line of the log as it was read.
pub(crate) struct StoredEntry {
    pub(crate) facts: EntryFacts,
    pub(crate) words: Option<String>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) words_digest: Option<Vec<u8>>,
    pub(crate) hash: Vec<u8>,
}

/// A row of states as it was read.
pub(crate) struct StoredState {
    pub(crate) columns: StateColumns,
    pub(crate) codec: i64,
}

/// Goes through complaints in the order of ids, and through the log of each.
pub(crate) struct Walk<'a> {
    heads: Heads<'a>,
    found: Verified,
    waiting: VecDeque<StoredState>,
    current: Option<Chain>,
}

struct Chain {
    complaint: Uuid,
    state: Option<StoredState>,
    seq: i64,
    head: Hash,
    replayed: Option<Complaint>,
    known: Option<Head>,
    broken: Option<(i64, Tampering)>,
}

impl<'a> Walk<'a> {
    pub(crate) fn with(mut heads: Heads<'a>) -> Result<Self, StoreError> {
        heads.begin()?;
        Ok(Self { heads, found: Verified::default(), waiting: VecDeque::new(), current: None })
    }

    /// The states of the next portion, in order. All entries of complaints up to the last of them must follow.
    pub(crate) fn states(&mut self, states: Vec<StoredState>) {
        self.waiting.extend(states);
    }

    /// The next entry, in the order of complaints and places.
    pub(crate) fn entry(&mut self, entry: &StoredEntry) -> Result<(), StoreError> {
        let complaint = entry.facts.complaint;
        if self.current.as_ref().is_none_or(|chain| chain.complaint != complaint) {
            self.close()?;
            while let Some(state) = self.waiting.pop_front_if(|state| state.columns.id.as_uuid() < complaint) {
                self.open(state.columns.id, Some(state))?;
                self.close()?;
            }
            let state = self.waiting.pop_front_if(|state| state.columns.id.as_uuid() == complaint);
            self.open(ComplaintId::from_uuid(complaint), state)?;
        }
        self.found.entries += 1;
        self.found.erased += u64::from(entry.words.is_none() && entry.words_digest.is_some());
        if let Some(chain) = &mut self.current {
            chain.follow(entry);
        }
        Ok(())
    }

    /// The portion ends.
    pub(crate) fn end_of_portion(&mut self) -> Result<(), StoreError> {
        self.close()?;
        while let Some(state) = self.waiting.pop_front() {
            self.open(state.columns.id, Some(state))?;
            self.close()?;
        }
        Ok(())
    }

    /// All portions were seen.
    pub(crate) fn result(mut self) -> Result<Verified, StoreError> {
        self.miss(None)?;
        self.heads.end()?;
        Ok(self.found)
    }

    fn open(&mut self, complaint: ComplaintId, state: Option<StoredState>) -> Result<(), StoreError> {
        self.miss(Some(complaint))?;
        let known = self.heads.of(complaint)?;
        self.current = Some(Chain {
            complaint: complaint.as_uuid(),
            state,
            seq: 0,
            head: BEGINNING,
            replayed: None,
            known,
            broken: None,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), StoreError> {
        let Some(chain) = self.current.take() else { return Ok(()) };
        let complaint = ComplaintId::from_uuid(chain.complaint);
        self.found.complaints += 1;
        let (known, now) = (chain.known, Head { complaint, entries: chain.seq, hash: chain.head });
        let broken = chain.end()?;
        // Of what is not as it was committed, only what was known before is worth keeping.
        if let Some(head) = if broken.is_some() { known } else { Some(now) } {
            self.heads.keep(head)?;
        }
        if let Some((seq, what)) = broken {
            self.name(Breach { complaint, seq, what });
        }
        Ok(())
    }

    /// Names the complaints below one that are known and were not come by.
    fn miss(&mut self, complaint: Option<ComplaintId>) -> Result<(), StoreError> {
        while let Some(head) = self.heads.below(complaint)? {
            self.heads.keep(head)?;
            self.name(Breach { complaint: head.complaint, seq: 1, what: Tampering::Gone });
        }
        Ok(())
    }

    fn name(&mut self, breach: Breach) {
        self.found.broken += 1;
        if self.found.breaches.len() < NAMED {
            self.found.breaches.push(breach);
        }
    }
}

impl Chain {
    fn follow(&mut self, stored: &StoredEntry) {
        if self.broken.is_some() {
            return;
        }
        self.seq += 1;
        match self.look_at(stored) {
            Ok(entry) => {
                self.replayed = match self.replayed.take() {
                    None => begin(&entry),
                    Some(complaint) => Some(evolve(complaint, &entry)),
                };
            }
            Err(what) => self.broken = Some((self.seq, what)),
        }
    }

    fn look_at(&mut self, stored: &StoredEntry) -> Result<Entry, Tampering> {
        if stored.facts.seq != self.seq {
            return Err(Tampering::Missing);
        }
        let sealed: Option<Hash> = match &stored.words_digest {
            Some(digest) => Some(digest.as_slice().try_into().map_err(|_| Tampering::Altered)?),
            None => None,
        };
        self.head = link(&self.head, &stored.facts.digest(sealed.as_ref()));
        if self.head[..] != stored.hash[..] {
            return Err(Tampering::Altered);
        }
        if self.known.is_some_and(|known| known.entries == self.seq && known.hash != self.head) {
            return Err(Tampering::NotKept);
        }
        match (&stored.words, &stored.salt, sealed) {
            (Some(words), Some(salt), Some(sealed)) if words_digest(salt, words) == sealed => {}
            // Never typed, or erased: then the salt must be gone as well.
            (None, None, _) => {}
            _ => return Err(Tampering::Words),
        }
        decode_entry(stored.facts.codec, &stored.facts.entry, stored.words.as_deref(), LOG_ENTRY)
            .map_err(|_| Tampering::Unreadable)
    }

    fn end(self) -> Result<Option<(i64, Tampering)>, StoreError> {
        let Some(stored) = self.state else {
            return Ok(Some((self.broken.map_or(self.seq, |(seq, _)| seq), Tampering::NoState)));
        };
        if self.broken.is_some() {
            return Ok(self.broken);
        }
        let cut = self.known.is_some_and(|known| known.entries > self.seq);
        let Some(replayed) = self.replayed.filter(|_| !cut) else {
            return Ok(Some((self.seq + 1, Tampering::Missing)));
        };
        let expected = StateColumns::of(&replayed, next_action_at(&replayed))?;
        let state = decode::<Complaint>(stored.codec, &stored.columns.state, STATE).ok();
        if state.as_ref().is_some_and(|state| i64::from(state.entries) > self.seq) {
            return Ok(Some((self.seq + 1, Tampering::Missing)));
        }
        let same = state.is_some_and(|state| state == replayed);
        let differs = if same { stored.columns.difference(&expected) } else { Some("state") };
        Ok(differs.map(|column| (self.seq, Tampering::State(column))))
    }
}
