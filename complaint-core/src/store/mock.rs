//! One mock that is a whole store, so that a desk can be run on it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    AgentStore, Change, ComplaintStore, IdempotencyKey, Outbox, Page, Query, Recalled, Scope, StoreError, Summary,
};
use crate::agent::{Agent, Member};
use crate::complaint::{Complaint, Entry};
use crate::id::{AgentId, ComplaintId, NoticeId};
use crate::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use crate::reference::Reference;

mockall::mock! {
    /// A [`Store`](super::Store) of which a test says what each call answers; one that it does not expect panics.
    ///
    /// ```
    /// use complaint_core::store::{MockStore, StoreError};
    /// use complaint_core::{Actor, Desk, DeskError, Policy};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    ///
    /// let mut store = MockStore::new();
    /// store.expect_load().once().returning(|_| Err(StoreError::Unavailable("the disk is busy".into())));
    /// let desk = Desk::new(store, Policy::standard());
    ///
    /// let id = "01900000-0000-7000-8000-000000000007".parse()?;
    /// let failed = desk.acting_as(Actor::customer("john")?).read(id).await.unwrap_err();
    /// assert!(matches!(failed, DeskError::Store(StoreError::Unavailable(_))), "as it is told by the store");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub Store {}

    #[async_trait]
    impl ComplaintStore for Store {
        async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError>;
        async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError>;
        async fn commit(&self, change: &Change) -> Result<(), StoreError>;
        async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError>;
        async fn search(&self, query: &Query) -> Result<Page, StoreError>;
        async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError>;
        async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError>;
        async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError>;
    }

    #[async_trait]
    impl AgentStore for Store {
        async fn save(&self, agent: &Agent) -> Result<(), StoreError>;
        async fn find(&self, id: &AgentId) -> Result<Option<Member>, StoreError>;
        async fn roster(&self) -> Result<Vec<Member>, StoreError>;
    }

    #[async_trait]
    impl Outbox for Store {
        async fn claim(
            &self,
            now: DateTime<Utc>,
            until: DateTime<Utc>,
            limit: u32,
        ) -> Result<Vec<ClaimedNotice>, StoreError>;
        async fn settle(
            &self,
            claimed: &ClaimedNotice,
            settlement: Settlement,
            now: DateTime<Utc>,
        ) -> Result<(), StoreError>;
        async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError>;
        async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError>;
        async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError>;
        async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError>;
    }
}
