//! How values become columns and back, the same on every engine.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use complaint_core::complaint::{Complaint, Entry};
use complaint_core::id::ComplaintId;
use complaint_core::store::{StoreError, search_words};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the documents written now. All versions ever released are read.
pub(crate) const CODEC: i64 = 1;

/// Stands for "nothing is promised" where lists are ordered by the promised instant.
const NEVER: i64 = i64::MAX;

/// A place where a stored value was read, so that an operator finds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
}

/// Where states are documents.
pub(crate) const STATE: Place = Place { table: "complaint_state", column: "state" };
/// Where entries are documents.
pub(crate) const LOG_ENTRY: Place = Place { table: "complaint_log", column: "entry" };

/// What lists filter and sort by, repeated beside the document.
pub(crate) struct StateColumns {
    pub(crate) id: ComplaintId,
    pub(crate) reference: String,
    pub(crate) version: i64,
    pub(crate) customer: String,
    pub(crate) against: Option<String>,
    pub(crate) category: String,
    pub(crate) status: Cow<'static, str>,
    pub(crate) is_open: bool,
    pub(crate) level: i64,
    pub(crate) handler: Option<String>,
    pub(crate) weight: i64,
    pub(crate) received_at: i64,
    pub(crate) promised_at: i64,
    pub(crate) next_action_at: Option<i64>,
    pub(crate) has_missed_deadline: bool,
    pub(crate) ratings: String,
    pub(crate) words: String,
    pub(crate) words_hash: i64,
    pub(crate) state: String,
}

impl StateColumns {
    pub(crate) fn of(complaint: &Complaint, next_action_at: Option<DateTime<Utc>>) -> Result<Self, StoreError> {
        let words = indexed_words(complaint);
        let named = complaint.feedback.iter().filter(|given| !given.anonymous);
        Ok(Self {
            id: complaint.id,
            reference: complaint.reference.to_string(),
            version: number(complaint.version.get())?,
            customer: complaint.customer.as_str().to_owned(),
            against: complaint.against.as_ref().map(|id| id.as_str().to_owned()),
            category: complaint.category.as_str().to_owned(),
            status: Cow::Borrowed(complaint.status.name()),
            is_open: complaint.status.is_open(),
            level: i64::from(u8::from(complaint.level)),
            handler: complaint.handler.as_ref().map(|id| id.as_str().to_owned()),
            weight: i64::from(complaint.weight),
            received_at: complaint.received_at.timestamp_micros(),
            promised_at: complaint.promised_at().map_or(NEVER, |at| at.timestamp_micros()),
            next_action_at: next_action_at.map(|at| at.timestamp_micros()),
            has_missed_deadline: complaint.has_missed_deadline(),
            ratings: named.map(|given| given.score.to_string()).collect::<Vec<_>>().join(","),
            words_hash: fnv(&words),
            words,
            state: encode(complaint)?,
        })
    }
}

impl StateColumns {
    /// The first column beside the document in which two rows differ. The words are not kept as they are, only their
    /// hash is.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let same = [
            ("id", self.id == other.id),
            ("reference", self.reference == other.reference),
            ("version", self.version == other.version),
            ("customer", self.customer == other.customer),
            ("against", self.against == other.against),
            ("category", self.category == other.category),
            ("status", self.status == other.status),
            ("is_open", self.is_open == other.is_open),
            ("level", self.level == other.level),
            ("handler", self.handler == other.handler),
            ("weight", self.weight == other.weight),
            ("received_at", self.received_at == other.received_at),
            ("promised_at", self.promised_at == other.promised_at),
            ("next_action_at", self.next_action_at == other.next_action_at),
            ("has_missed_deadline", self.has_missed_deadline == other.has_missed_deadline),
            ("ratings", self.ratings == other.ratings),
            ("words_hash", self.words_hash == other.words_hash),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(column, _)| column)
    }
}

/// A number as databases keep it.
pub(crate) fn number(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Unusable(format!("{number} is more than a database can count")))
}

/// A document of the present version.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|fault| StoreError::Unusable(format!("a value cannot be written: {fault}")))
}

/// Reads a document back.
pub(crate) fn decode<T: DeserializeOwned>(codec: i64, document: &str, place: Place) -> Result<T, StoreError> {
    if codec != CODEC {
        return Err(place.corrupt(format!("unknown document version {codec}")));
    }
    serde_json::from_str(document).map_err(|fault| place.corrupt(fault))
}

/// Reads an entry back from its facts and its words.
pub(crate) fn decode_entry(codec: i64, facts: &str, words: Option<&str>, place: Place) -> Result<Entry, StoreError> {
    let mut entry: Entry = decode(codec, facts, place)?;
    if let Some(words) = words {
        entry.words = decode(codec, words, Place { column: "words", ..place })?;
    }
    Ok(entry)
}

/// Reads an instant back.
pub(crate) fn instant(micros: i64, place: Place) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| place.corrupt(format!("{micros} is no instant")))
}

impl Place {
    /// The error for a value that cannot be read.
    pub(crate) fn corrupt(self, fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Corrupt { table: self.table, column: self.column, source: fault.into() }
    }
}

/// Marks the words of a heading in the index: no word has it, and to no engine it is a space between words.
pub(crate) const HEADING: &str = "¶";

/// The words a search can find, cut by the core itself, so that index and filter cannot disagree: all of them, and those
/// of the heading once more with a mark.
pub(crate) fn indexed_words(complaint: &Complaint) -> String {
    let mut words = search_words(&complaint.searchable());
    words.extend(search_words(&complaint.heading()).iter().map(|word| format!("{HEADING}{word}")));
    words.join(" ")
}

/// FNV-1a. Stored, and agreed on between servers, so it must never change with the compiler, which the standard
/// library's hasher may.
pub(crate) fn fnv(text: &str) -> i64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_names_its_place() {
        let unread = [
            decode::<Complaint>(CODEC, "{}", STATE).unwrap_err(),
            decode::<Vec<u8>>(CODEC + 1, "[]", STATE).unwrap_err(),
            instant(i64::MAX, STATE).unwrap_err(),
        ];
        for error in unread {
            assert_eq!(error.to_string(), "complaint_state.state holds a value that cannot be read");
        }
    }

    #[test]
    fn the_stored_hash_is_the_published_one() {
        // FNV-1a, 64 bit, of "foobar" as its authors print it.
        assert_eq!(fnv("foobar").cast_unsigned(), 0x8594_4171_f739_67e8);
    }
}
