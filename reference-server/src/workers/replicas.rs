//! What other servers on the same database commit, told to those who watch here.

use std::time::Duration;

use complaint_core::id::{ComplaintId, Version};
use complaint_core::store::StoreError;
use complaint_store_sqlx::PostgresStore;
use complaint_store_sqlx::postgres::{Changes, Heard};
use tokio::sync::watch;

use crate::error::chain;
use crate::live::{Changed, Told};
use crate::state::AppState;

/// How long to wait before a database that cannot be reached is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// More entries than one change makes, and the one before them.
const ENTRIES_OF_A_CHANGE: u32 = 50;

/// Listens until it is to stop.
pub(super) async fn listen(state: AppState, store: PostgresStore, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => {}
        () = follow(&state, &store) => {}
    }
}

async fn follow(state: &AppState, store: &PostgresStore) {
    let mut changes = None;
    let mut in_trouble = false;
    loop {
        match next(&mut changes, store).await {
            Ok(heard) => {
                if std::mem::take(&mut in_trouble) {
                    tracing::info!("other servers are heard again");
                }
                state.live.heard(told(state, heard).await);
            }
            Err(error) => {
                if !std::mem::replace(&mut in_trouble, true) {
                    tracing::warn!(error = %chain(&error), "other servers cannot be heard");
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

/// The beginning of listening is a gap as well: what was committed while the server started, nobody has heard.
async fn next(changes: &mut Option<Changes>, store: &PostgresStore) -> Result<Heard, StoreError> {
    if let Some(changes) = changes {
        return changes.next().await;
    }
    *changes = Some(store.changes().await?);
    Ok(Heard::Gap)
}

async fn told(state: &AppState, heard: Heard) -> Option<Told> {
    if !state.live.is_watched() {
        return None;
    }
    match heard {
        Heard::Gap => Some(Told::Missed),
        Heard::Changed { complaint, version } => match look_up(state, complaint, version).await {
            Ok(changed) => changed.map(Told::Changed),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a change of another server could not be looked up");
                Some(Told::Missed)
            }
        },
    }
}

/// What was changed, unless a later change has been committed meanwhile whose own announcement tells more.
async fn look_up(state: &AppState, id: ComplaintId, version: Version) -> Result<Option<Changed>, StoreError> {
    let store = state.desk.store();
    let Some(complaint) = store.load(id).await? else { return Ok(None) };
    let after = complaint.entries.saturating_sub(ENTRIES_OF_A_CHANGE);
    let log = store.log(id, after, ENTRIES_OF_A_CHANGE).await?;
    Ok(Some(Changed::heard(&complaint, version, &log)))
}
