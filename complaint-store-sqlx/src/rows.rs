//! What a change writes, put into words before any lock is taken.

use complaint_core::store::{Change, Part, StoreError};

use crate::chain::EntryColumns;
use crate::codec::{StateColumns, encode};

/// The rows of a change; those of a kind stand in the order of the change.
pub(crate) struct Rows {
    pub(crate) states: Vec<StateColumns>,
    pub(crate) entries: Vec<EntryColumns>,
    pub(crate) notices: Vec<String>,
}

impl Rows {
    pub(crate) fn of(change: &Change) -> Result<Self, StoreError> {
        let state = |part: &Part| StateColumns::of(part.after(), part.next_action_at());
        Ok(Self {
            states: change.parts().iter().map(state).collect::<Result<_, _>>()?,
            entries: change.parts().iter().flat_map(Part::entries).map(EntryColumns::of).collect::<Result<_, _>>()?,
            notices: change.notices().iter().map(encode).collect::<Result<_, _>>()?,
        })
    }
}
