//! What a store was told to commit, kept outside of it, and whether the store holds that and nothing else.

use std::collections::BTreeMap;

use complaint_core::complaint::Entry;
use complaint_core::id::{AgentId, ComplaintId};
use complaint_core::lifecycle::replay;
use complaint_core::store::{Change, Store, StoreError};
use complaint_store_sqlx::SqliteStore;
use complaint_store_sqlx::verify::Verified;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// A store on either engine, and what the traits do not tell of it.
#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(SqliteStore),
    #[cfg(feature = "postgres")]
    Postgres(complaint_store_sqlx::PostgresStore),
}

impl Engine {
    pub(crate) fn store(&self) -> &dyn Store {
        match self {
            Self::Sqlite(store) => store,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store,
        }
    }

    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.migrate().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.migrate().await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.close().await,
        }
    }

    async fn verify_all(&self) -> Verified {
        match self {
            Self::Sqlite(store) => store.verify_all().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.verify_all().await,
        }
        .unwrap()
    }

    /// A column of identifiers, in order.
    pub(crate) async fn ids(&self, column: &str, table: &str) -> Vec<Uuid> {
        let mut ids: Vec<Uuid> = match self {
            Self::Sqlite(store) => {
                let sql = AssertSqlSafe(format!("SELECT {column} FROM {table}"));
                sqlx::query_scalar(sql).fetch_all(store.readers()).await.unwrap()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                let sql = AssertSqlSafe(format!("SELECT {column} FROM {}.{table}", store.schema()));
                sqlx::query_scalar(sql).fetch_all(store.pool()).await.unwrap()
            }
        };
        ids.sort_unstable();
        ids
    }

    /// The idempotency keys with their owners, in order.
    async fn keys(&self) -> Vec<(String, String)> {
        let mut keys: Vec<(String, String)> = match self {
            Self::Sqlite(store) => {
                let sql = "SELECT owner, key FROM complaint_idempotency";
                sqlx::query_as(sql).fetch_all(store.readers()).await.unwrap()
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => {
                let sql = AssertSqlSafe(format!("SELECT owner, key FROM {}.complaint_idempotency", store.schema()));
                sqlx::query_as(sql).fetch_all(store.pool()).await.unwrap()
            }
        };
        keys.sort_unstable();
        keys
    }
}

/// What a change leaves behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    parts: Vec<Part>,
    notices: Vec<Uuid>,
    key: Option<(String, String)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    complaint: ComplaintId,
    entries: Vec<Entry>,
}

impl Record {
    pub(crate) fn of(change: &Change) -> Self {
        let part = |part: &complaint_core::store::Part| Part { complaint: part.id(), entries: part.entries().to_vec() };
        Self {
            parts: change.parts().iter().map(part).collect(),
            notices: change.notices().iter().map(|notice| notice.id.as_uuid()).collect(),
            key: change.idempotency().map(|(key, _)| (key.owner().to_owned(), key.key().to_owned())),
        }
    }
}

/// What the store said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    /// It must have left nothing.
    Refused,
    /// All of it may be there, or nothing.
    Unknown,
}

impl Fate {
    pub(crate) fn told(result: &Result<(), StoreError>) -> Self {
        match result {
            Ok(()) => Self::Committed,
            Err(StoreError::OutcomeUnknown(_)) => Self::Unknown,
            Err(_) => Self::Refused,
        }
    }
}

/// Everything a store was told, with what it said of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    records: Vec<(Record, Fate)>,
}

impl Books {
    pub(crate) fn enter(&mut self, record: Record, fate: Fate) {
        self.records.push((record, fate));
    }

    /// Commits, and enters what was said.
    pub(crate) async fn commit(&mut self, engine: &Engine, change: &Change) -> Result<(), StoreError> {
        let result = engine.store().commit(change).await;
        self.enter(Record::of(change), Fate::told(&result));
        result
    }

    pub(crate) fn committed(&self) -> usize {
        self.records.iter().filter(|(_, fate)| *fate == Fate::Committed).count()
    }

    /// Nothing that was committed is lost or doubled, nothing is there that was not; state, log, workload, outbox and
    /// keys agree, and the chain holds. What was unknown is known from here on.
    pub(crate) async fn expect(&mut self, engine: &Engine) {
        self.find_out(engine.store()).await;
        let committed: Vec<&Record> =
            self.records.iter().filter(|(_, fate)| *fate == Fate::Committed).map(|(record, _)| record).collect();

        let mut logs: BTreeMap<ComplaintId, Vec<Entry>> = BTreeMap::new();
        for part in committed.iter().flat_map(|record| &record.parts) {
            logs.entry(part.complaint).or_default().extend(part.entries.iter().cloned());
        }
        let mut held: BTreeMap<AgentId, u32> = BTreeMap::new();
        for (complaint, log) in &mut logs {
            log.sort_by_key(|entry| entry.seq);
            assert_eq!(&engine.store().log(*complaint, 0, u32::MAX).await.unwrap(), log, "of {complaint}");
            let state = engine.store().load(*complaint).await.unwrap();
            assert_eq!(state.as_ref(), Some(&replay(log.iter()).unwrap()), "of {complaint}");
            if let Some((agent, weight)) = state.as_ref().and_then(|state| state.workload()) {
                *held.entry(agent.clone()).or_default() += weight;
            }
        }
        let complaints: Vec<Uuid> = logs.keys().map(ComplaintId::as_uuid).collect();
        assert_eq!(engine.ids("id", "complaint_state").await, complaints, "complaints");
        let mut entries: Vec<Uuid> = logs.values().flatten().map(|entry| entry.complaint.as_uuid()).collect();
        entries.sort_unstable();
        assert_eq!(engine.ids("complaint", "complaint_log").await, entries, "whose entries");
        let mut notices: Vec<Uuid> = committed.iter().flat_map(|record| record.notices.clone()).collect();
        notices.sort_unstable();
        assert_eq!(engine.ids("id", "complaint_outbox").await, notices, "notices");
        let mut keys: Vec<(String, String)> = committed.iter().filter_map(|record| record.key.clone()).collect();
        keys.sort_unstable();
        assert_eq!(engine.keys().await, keys, "idempotency keys");
        for member in engine.store().roster().await.unwrap() {
            let expected = held.remove(&member.agent.id).unwrap_or(0);
            assert_eq!(member.workload, expected, "the workload of {}", member.agent.id);
        }
        assert!(held.is_empty(), "held by nobody who is known: {held:?}");
        let verified = engine.verify_all().await;
        assert!(verified.is_intact(), "{verified:?}");
        assert_eq!((verified.complaints, verified.entries), (complaints.len() as u64, entries.len() as u64));
    }

    async fn find_out(&mut self, store: &dyn Store) {
        for (record, fate) in self.records.iter_mut().filter(|(_, fate)| *fate == Fate::Unknown) {
            let part = &record.parts[0];
            let before = part.entries[0].seq - 1;
            let many = u32::try_from(part.entries.len()).unwrap();
            let there = store.log(part.complaint, before, many).await.unwrap() == part.entries;
            *fate = if there { Fate::Committed } else { Fate::Refused };
        }
    }
}
