//! Heads of chains, kept where whoever has the database cannot change them.

use std::fmt;
use std::io::{BufRead, Lines, Write};

use complaint_core::id::ComplaintId;
use complaint_core::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::chain::Hash;

/// The version of the lines. Fields may come, none goes or changes its meaning within a version.
const VERSION: u32 = 1;

/// Heads of chains for a walk: those that were kept earlier, to be looked for, and where to keep those of now.
///
/// The head of a complaint's chain is the hash of its last entry. It stands for the whole log up to there, and says nothing of
/// what is in it. Kept elsewhere, it shows what no look at the database alone can: that a complaint is gone with all that
/// belonged to it, that the end of a log was cut off and the state put back to match, or that a log was told anew under hashes
/// that hold. What was committed later than the heads were kept is on its own until they are kept again.
///
/// They are JSON Lines: `{"kind":"heads","version":1}`, in the order of ids a line
/// `{"kind":"head","complaint":…,"entries":…,"hash":…}` for each complaint, and `{"kind":"end","heads":…}` with how many there
/// were, without which they are cut off.
///
/// ```
/// use complaint_store_sqlx::verify::Heads;
/// # use complaint_store_sqlx::SqliteStore;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await?;
/// # store.migrate().await?;
/// let mut kept = Vec::new();
/// assert!(store.verify_with(Heads::default().kept_in(&mut kept)).await?.is_intact());
/// // Later, or of a copy:
/// assert!(store.verify_with(Heads::default().known_from(kept.as_slice())).await?.is_intact());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Heads<'a> {
    known: Option<Known<'a>>,
    kept: Option<Kept<'a>>,
}

/// Where a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) complaint: ComplaintId,
    pub(super) entries: i64,
    pub(super) hash: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Heads { version: u32 },
    Head { complaint: ComplaintId, entries: i64, hash: String },
    End { heads: u64 },
}

struct Known<'a> {
    lines: Lines<Box<dyn BufRead + Send + 'a>>,
    /// The number of the line that was read last.
    at: u64,
    heads: u64,
    last: Option<ComplaintId>,
    next: Option<Head>,
}

struct Kept<'a> {
    to: Box<dyn Write + Send + 'a>,
    heads: u64,
}

impl<'a> Heads<'a> {
    /// Looks for these: of each the entry must still be there, with its hash.
    pub fn known_from(self, lines: impl BufRead + Send + 'a) -> Self {
        let lines = (Box::new(lines) as Box<dyn BufRead + Send + 'a>).lines();
        Self { known: Some(Known { lines, at: 0, heads: 0, last: None, next: None }), ..self }
    }

    /// Keeps those of now. A known one that is not found is kept as it was known, so that it is missed the next time as well.
    pub fn kept_in(self, to: impl Write + Send + 'a) -> Self {
        Self { kept: Some(Kept { to: Box::new(to), heads: 0 }), ..self }
    }

    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        if let Some(known) = &mut self.known {
            match known.line()? {
                Line::Heads { version: VERSION } => {}
                Line::Heads { version } => {
                    return Err(known.unusable(&format!("they are of version {version}, this library reads {VERSION}")));
                }
                _ => return Err(known.unusable("the first line of heads is of the kind \"heads\"")),
            }
            known.move_on()?;
        }
        if let Some(kept) = &mut self.kept {
            kept.write(&Line::Heads { version: VERSION })?;
        }
        Ok(())
    }

    /// The next known head below a complaint, or of all that are left.
    pub(super) fn below(&mut self, complaint: Option<ComplaintId>) -> Result<Option<Head>, StoreError> {
        self.next_if(|head| complaint.is_none_or(|complaint| head.complaint < complaint))
    }

    /// The known head of a complaint, once those below it are taken.
    pub(super) fn of(&mut self, complaint: ComplaintId) -> Result<Option<Head>, StoreError> {
        self.next_if(|head| head.complaint == complaint)
    }

    fn next_if(&mut self, fits: impl Fn(&Head) -> bool) -> Result<Option<Head>, StoreError> {
        let Some(known) = &mut self.known else { return Ok(None) };
        let next = known.next.filter(fits);
        if next.is_some() {
            known.move_on()?;
        }
        Ok(next)
    }

    pub(super) fn keep(&mut self, head: Head) -> Result<(), StoreError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.heads += 1;
        let hash = head.hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        kept.write(&Line::Head { complaint: head.complaint, entries: head.entries, hash })
    }

    pub(super) fn end(self) -> Result<(), StoreError> {
        let Some(mut kept) = self.kept else { return Ok(()) };
        kept.write(&Line::End { heads: kept.heads })?;
        kept.to.flush().map_err(|fault| cannot_keep(&fault))
    }
}

impl Known<'_> {
    /// Reads the next head, if there is one.
    fn move_on(&mut self) -> Result<(), StoreError> {
        self.next = match self.line()? {
            Line::Head { complaint, entries, hash } => {
                let hash = hash_of(&hash).ok_or_else(|| self.unusable("the hash is not 64 hexadecimal digits"))?;
                if self.last.replace(complaint).is_some_and(|last| last >= complaint) {
                    return Err(self.unusable("the heads are not in the order of ids"));
                }
                if entries < 1 {
                    return Err(self.unusable("a log has at least one entry"));
                }
                self.heads += 1;
                Some(Head { complaint, entries, hash })
            }
            Line::End { heads } if heads == self.heads => None,
            Line::End { heads } => {
                return Err(self.unusable(&format!("{heads} heads were kept, and {} are here", self.heads)));
            }
            Line::Heads { .. } => return Err(self.unusable("the heads begin anew")),
        };
        Ok(())
    }

    fn line(&mut self) -> Result<Line, StoreError> {
        self.at += 1;
        match self.lines.next() {
            None => Err(self.unusable("they are cut off: the last line is of the kind \"end\"")),
            Some(Err(fault)) => Err(self.unusable(&fault.to_string())),
            Some(Ok(line)) => serde_json::from_str(&line).map_err(|fault| self.unusable(&fault.to_string())),
        }
    }

    fn unusable(&self, why: &str) -> StoreError {
        StoreError::Unusable(format!("the heads that were kept cannot be used, line {}: {why}", self.at))
    }
}

impl Kept<'_> {
    fn write(&mut self, line: &Line) -> Result<(), StoreError> {
        serde_json::to_writer(&mut self.to, line).map_err(|fault| cannot_keep(&fault.into()))?;
        self.to.write_all(b"\n").map_err(|fault| cannot_keep(&fault))
    }
}

fn cannot_keep(fault: &std::io::Error) -> StoreError {
    StoreError::Unusable(format!("the heads cannot be kept: {fault}"))
}

fn hash_of(digits: &str) -> Option<Hash> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

impl fmt::Debug for Heads<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads")
            .field("known", &self.known.is_some())
            .field("kept", &self.kept.is_some())
            .finish_non_exhaustive()
    }
}
