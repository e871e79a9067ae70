//! Rows read back, the same on every engine.

use complaint_core::agent::Member;
use complaint_core::complaint::{Complaint, Entry};
use complaint_core::id::{ComplaintId, Version};
use complaint_core::notice::{DeadNotice, Notice};
use complaint_core::store::{Recalled, StoreError};
use sqlx::{ColumnIndex, Database, Decode, Row, Type};
use uuid::Uuid;

use crate::chain::EntryFacts;
use crate::codec::{LOG_ENTRY, Place, STATE, StateColumns, decode, decode_entry, instant};
use crate::verify::{StoredEntry, StoredState};

/// What can be read from a row as a `T`.
pub(crate) trait Get<'r, T> {
    fn column(&'r self, at: usize) -> Result<T, sqlx::Error>;
}

impl<'r, T, D, R> Get<'r, T> for R
where
    D: Database<Row = R>,
    R: Row<Database = D>,
    T: Decode<'r, D> + Type<D>,
    usize: ColumnIndex<R>,
{
    fn column(&'r self, at: usize) -> Result<T, sqlx::Error> {
        self.try_get(at)
    }
}

macro_rules! stored_row {
    ($($type:ty),+) => {
        /// A row of any engine that keeps values of all these types.
        pub(crate) trait StoredRow: $(for<'r> Get<'r, $type> +)+ {}

        impl<R: $(for<'r> Get<'r, $type> +)+> StoredRow for R {}
    };
}

stored_row!(i64, Option<i64>, bool, &'r str, Option<&'r str>, String, Option<String>, Uuid, Vec<u8>, Option<Vec<u8>>);

/// A column of a row.
pub(crate) fn get<'r, T, R: Get<'r, T>>(row: &'r R, at: usize, place: Place) -> Result<T, StoreError> {
    row.column(at).map_err(|fault| place.corrupt(fault))
}

/// A complaint from its `codec` and `state`, the first two columns.
pub(crate) fn complaint<R: StoredRow>(row: &R) -> Result<Complaint, StoreError> {
    decode(get(row, 0, state("codec"))?, get(row, 1, STATE)?, STATE)
}

/// An entry from its `codec`, its facts and its words.
pub(crate) fn entry<R: StoredRow>(row: &R) -> Result<Entry, StoreError> {
    decode_entry(get(row, 0, log("codec"))?, get(row, 1, LOG_ENTRY)?, get(row, 2, log("words"))?, LOG_ENTRY)
}

/// The id of a complaint, alone in its row.
pub(crate) fn complaint_id<R: StoredRow>(row: &R) -> Result<ComplaintId, StoreError> {
    get(row, 0, state("id")).map(ComplaintId::from_uuid)
}

/// What was committed under a key: fingerprint, complaint, version.
pub(crate) fn recalled<R: StoredRow>(row: &R) -> Result<Recalled, StoreError> {
    let place = |column| Place { table: "complaint_idempotency", column };
    Ok(Recalled {
        fingerprint: get(row, 0, place("fingerprint"))?,
        complaint: ComplaintId::from_uuid(get(row, 1, place("complaint"))?),
        version: version(get(row, 2, place("version"))?, place("version"))?,
    })
}

/// An agent with what they hold: workload, last assignment, `codec`, document.
pub(crate) fn member<R: StoredRow>(row: &R) -> Result<Member, StoreError> {
    let place = |column| Place { table: "complaint_agents", column };
    let workload: i64 = get(row, 0, place("workload"))?;
    let last_assigned_at: Option<i64> = get(row, 1, place("last_assigned_at"))?;
    Ok(Member {
        agent: decode(get(row, 2, place("codec"))?, get(row, 3, place("agent"))?, place("agent"))?,
        workload: u32::try_from(workload).map_err(|fault| place("workload").corrupt(fault))?,
        last_assigned_at: last_assigned_at.map(|at| instant(at, place("last_assigned_at"))).transpose()?,
    })
}

/// A notice from its `codec` and its document, which begin at a column.
pub(crate) fn notice<R: StoredRow>(row: &R, at: usize) -> Result<Notice, StoreError> {
    let place = |column| Place { table: "complaint_outbox", column };
    decode(get(row, at, place("codec"))?, get(row, at + 1, place("notice"))?, place("notice"))
}

/// A notice that was given up: id, attempts, when and why, `codec`, document.
pub(crate) fn dead_notice<R: StoredRow>(row: &R) -> Result<DeadNotice, StoreError> {
    let place = |column| Place { table: "complaint_outbox", column };
    let attempts: i64 = get(row, 1, place("attempts"))?;
    Ok(DeadNotice {
        notice: notice(row, 4)?,
        attempts: u32::try_from(attempts).map_err(|fault| place("attempts").corrupt(fault))?,
        given_up_at: instant(get(row, 2, place("settled_at"))?, place("settled_at"))?,
        why: get(row, 3, place("last_error"))?,
    })
}

/// A row of states as the walk along the chain wants it.
pub(crate) fn stored_state<R: StoredRow>(row: &R) -> Result<StoredState, StoreError> {
    let columns = StateColumns {
        id: ComplaintId::from_uuid(get(row, 0, state("id"))?),
        reference: get(row, 1, state("reference"))?,
        version: get(row, 2, state("version"))?,
        customer: get(row, 3, state("customer"))?,
        against: get(row, 4, state("against"))?,
        category: get(row, 5, state("category"))?,
        status: get::<String, R>(row, 6, state("status"))?.into(),
        is_open: get(row, 7, state("is_open"))?,
        level: get(row, 8, state("level"))?,
        handler: get(row, 9, state("handler"))?,
        weight: get(row, 10, state("weight"))?,
        received_at: get(row, 11, state("received_at"))?,
        promised_at: get(row, 12, state("promised_at"))?,
        next_action_at: get(row, 13, state("next_action_at"))?,
        has_missed_deadline: get(row, 14, state("has_missed_deadline"))?,
        ratings: get(row, 15, state("ratings"))?,
        words: String::new(),
        words_hash: get(row, 16, state("words_hash"))?,
        state: get(row, 18, STATE)?,
    };
    Ok(StoredState { columns, codec: get(row, 17, state("codec"))? })
}

/// A line of the log as the walk along the chain wants it.
pub(crate) fn stored_entry<R: StoredRow>(row: &R) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        facts: facts(row, 0)?,
        words: get(row, 6, log("words"))?,
        salt: get(row, 7, log("salt"))?,
        words_digest: get(row, 8, log("words_digest"))?,
        hash: get(row, 9, log("hash"))?,
    })
}

/// The facts of a line of the log, which begin at a column.
pub(crate) fn facts<R: StoredRow>(row: &R, at: usize) -> Result<EntryFacts, StoreError> {
    Ok(EntryFacts {
        complaint: get(row, at, log("complaint"))?,
        seq: get(row, at + 1, log("seq"))?,
        version: get(row, at + 2, log("version"))?,
        at: get(row, at + 3, log("at"))?,
        codec: get(row, at + 4, log("codec"))?,
        entry: get(row, at + 5, LOG_ENTRY)?,
    })
}

/// What a schema's bookkeeping has of a migration: version and hash.
pub(crate) fn applied_migration<R: StoredRow>(row: &R) -> Result<(i64, Vec<u8>), StoreError> {
    let place = |column| Place { table: "complaint_schema", column };
    Ok((get(row, 0, place("version"))?, get(row, 1, place("hash"))?))
}

/// A version as it was kept.
pub(crate) fn version(number: i64, place: Place) -> Result<Version, StoreError> {
    u64::try_from(number).map(Version::new).map_err(|fault| place.corrupt(fault))
}

fn state(column: &'static str) -> Place {
    Place { column, ..STATE }
}

fn log(column: &'static str) -> Place {
    Place { column, ..LOG_ENTRY }
}
