//! A desk on the mock: what a test of an embedder says of the store is what the desk meets.

use std::sync::Arc;

use complaint_core::agent::Member;
use complaint_core::lifecycle::Status;
use complaint_core::notice::{NoticeKind, Recipient};
use complaint_core::store::{Change, MockStore, StoreError, Summary};
use complaint_core::testing::{CountedIds, ManualClock};
use complaint_core::{Desk, DeskError};

use crate::house::{agent_id, agents, customer, john, monday, policy, submission};

fn desk(store: MockStore) -> Desk {
    Desk::new(store, policy()).with_clock(Arc::new(ManualClock::at(monday()))).with_ids(Arc::new(CountedIds::default()))
}

/// Everything but the commit.
fn answering() -> MockStore {
    let mut store = MockStore::new();
    store.expect_summary().returning(|_| Ok(Summary::default()));
    store.expect_find().withf(|id| *id == agent_id("zoe")).returning(|_| {
        let zoe = agents().into_iter().find(|agent| agent.id == agent_id("zoe"));
        Ok(zoe.map(|agent| Member { agent, workload: 0, last_assigned_at: None }))
    });
    store.expect_roster().returning(|| {
        let free = |agent| Member { agent, workload: 0, last_assigned_at: None };
        Ok(agents().into_iter().map(free).collect())
    });
    store
}

#[tokio::test]
async fn a_desk_asks_a_mock_to_commit_one_whole_change() {
    let mut store = answering();
    let is_whole = |change: &Change| {
        let after = change.parts()[0].after();
        let to_john = Recipient::Customer(john());
        let mut told = change.notices().iter().filter(|notice| notice.recipient == to_john);
        change.parts().len() == 1
            && after.status == Status::Assigned
            && change.workload().iter().all(|delta| Some(&delta.agent) == after.handler.as_ref())
            && told.any(|notice| notice.kind == NoticeKind::Acknowledged)
    };
    store.expect_commit().once().withf(is_whole).returning(|_| Ok(()));
    let receipt = desk(store).acting_as(customer("john")).submit(submission()).await.unwrap();
    assert_eq!(receipt.complaint().handler, Some(agent_id("ben")));
}

#[tokio::test]
async fn what_a_mock_cannot_do_is_told() {
    let mut store = answering();
    // The expectations of one call are met in the order in which they are given.
    store.expect_commit().once().returning(|_| Err(StoreError::Unusable("read-only".into())));
    store.expect_commit().once().returning(|_| Ok(()));
    let john = desk(store).acting_as(customer("john"));
    let failed = john.submit(submission()).await.unwrap_err();
    assert!(matches!(&failed, DeskError::Store(StoreError::Unusable(why)) if why == "read-only"), "{failed:?}");
    john.submit(submission()).await.unwrap();
}
