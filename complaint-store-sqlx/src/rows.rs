//! What a change writes, put into words before any lock is taken.

use complaint_core::id::ComplaintId;
use complaint_core::store::{Change, OpenLimit, Part, StoreError, WorkloadDelta};
use uuid::Uuid;

use crate::chain::EntryColumns;
use crate::codec::{StateColumns, encode, number};

/// All that a change writes and must keep, each in the order of the change.
pub(crate) struct Rows {
    pub(crate) parts: Vec<PartRows>,
    pub(crate) notices: Vec<NoticeColumns>,
    pub(crate) workload: Vec<WorkloadDelta>,
    pub(crate) limit: Option<OpenLimit>,
    pub(crate) key: Option<KeyColumns>,
}

/// What changes of one complaint.
pub(crate) struct PartRows {
    /// The version that must be stored; 0 for a new complaint.
    pub(crate) expected: i64,
    pub(crate) state: StateColumns,
    pub(crate) entries: Vec<EntryColumns>,
}

/// A notice that waits from the beginning.
pub(crate) struct NoticeColumns {
    pub(crate) id: Uuid,
    pub(crate) complaint: Uuid,
    pub(crate) planned_at: i64,
    pub(crate) notice: String,
}

/// An idempotency record.
pub(crate) struct KeyColumns {
    pub(crate) owner: String,
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) complaint: Uuid,
    pub(crate) version: i64,
    pub(crate) committed_at: i64,
}

impl Rows {
    pub(crate) fn of(change: &Change) -> Result<Self, StoreError> {
        let notice = |notice: &complaint_core::notice::Notice| {
            Ok(NoticeColumns {
                id: notice.id.as_uuid(),
                complaint: notice.complaint.as_uuid(),
                planned_at: notice.planned_at.timestamp_micros(),
                notice: encode(notice)?,
            })
        };
        Ok(Self {
            parts: change.parts().iter().map(PartRows::of).collect::<Result<_, _>>()?,
            notices: change.notices().iter().map(notice).collect::<Result<_, StoreError>>()?,
            workload: change.workload().to_vec(),
            limit: change.open_limit().cloned(),
            key: KeyColumns::of(change)?,
        })
    }
}

impl PartRows {
    fn of(part: &Part) -> Result<Self, StoreError> {
        Ok(Self {
            expected: number(part.expected().get())?,
            state: StateColumns::of(part.after(), part.next_action_at())?,
            entries: part.entries().iter().map(EntryColumns::of).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn id(&self) -> ComplaintId {
        self.state.id
    }
}

impl KeyColumns {
    fn of(change: &Change) -> Result<Option<Self>, StoreError> {
        let Some((key, recalled)) = change.idempotency() else { return Ok(None) };
        let committed_at = change.parts().first().and_then(|part| part.entries().last()).map(|entry| entry.at);
        Ok(Some(Self {
            owner: key.owner().to_owned(),
            key: key.key().to_owned(),
            fingerprint: recalled.fingerprint,
            complaint: recalled.complaint.as_uuid(),
            version: number(recalled.version.get())?,
            committed_at: committed_at.map_or(0, |at| at.timestamp_micros()),
        }))
    }
}
