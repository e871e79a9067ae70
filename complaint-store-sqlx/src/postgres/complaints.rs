//! Complaints and their logs.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::complaint::{Complaint, Entry};
use complaint_core::id::{AgentId, ComplaintId};
use complaint_core::reference::Reference;
use complaint_core::store::{
    Change, ComplaintStore, IdempotencyKey, Page, Query, Recalled, Scope, StoreError, Summary,
};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Postgres, Transaction};

use super::changes::{TELL, channel, payloads};
use super::{PostgresStore, fault, migrate};
use crate::chain::{EntryColumns, SealedWords};
use crate::codec::{CODEC, Place, STATE, StateColumns, fnv};
use crate::read::{complaint, complaint_id, entry, get, recalled, version};
use crate::rows::Rows;
use crate::{counts, list};

/// How often a change is tried that a writer without locks got in the way of.
const TRIES: u32 = 3;

#[async_trait]
impl ComplaintStore for PostgresStore {
    async fn load(&self, id: ComplaintId) -> Result<Option<Complaint>, StoreError> {
        let rows = self.read(sqlx::query(self.sql.load.clone()).bind(id.as_uuid())).await?;
        rows.first().map(complaint).transpose()
    }

    async fn by_reference(&self, reference: Reference) -> Result<Option<Complaint>, StoreError> {
        let rows = self.read(sqlx::query(self.sql.by_reference.clone()).bind(reference.to_string())).await?;
        rows.first().map(complaint).transpose()
    }

    async fn commit(&self, change: &Change) -> Result<(), StoreError> {
        let rows = Rows::of(change)?;
        let mut tries = 1;
        loop {
            let mut connection = self.ready_connection().await?;
            match self.fetch_on(&mut connection, self.committing(&rows)).await {
                Ok(answer) => {
                    self.accepted(&mut connection, &rows, &answer).await?;
                    if let Some(announcer) = &self.announcer {
                        announcer.tell(self, &rows);
                    }
                    return Ok(());
                }
                Err(error) if tries < TRIES && fault::is_worth_another_try(&error) => tries += 1,
                Err(error) if fault::is_negative_workload(&error) => return Err(WORKLOAD.corrupt(error)),
                Err(error) => return Err(fault::commit_meaning(error)),
            }
        }
    }

    async fn log(&self, id: ComplaintId, after: u32, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let query = sqlx::query(self.sql.log.clone());
        let query = query.bind(id.as_uuid()).bind(i64::from(after)).bind(i64::from(limit));
        self.read(query).await?.iter().map(entry).collect()
    }

    async fn search(&self, query: &Query) -> Result<Page, StoreError> {
        list::search(self, query).await
    }

    async fn due(&self, at: DateTime<Utc>, limit: u32) -> Result<Vec<ComplaintId>, StoreError> {
        let mut connection = self.ready_connection().await?;
        // Asked regularly, also where nobody commits.
        self.look_for_later(&mut connection).await?;
        let query = sqlx::query(self.sql.due.clone()).bind(at.timestamp_micros()).bind(i64::from(limit));
        let rows = self.fetch_on(&mut connection, query).await.map_err(fault::meaning)?;
        rows.iter().map(complaint_id).collect()
    }

    async fn recall(&self, key: &IdempotencyKey) -> Result<Option<Recalled>, StoreError> {
        let rows = self.read(sqlx::query(self.sql.recall.clone()).bind(key.owner()).bind(key.key())).await?;
        rows.first().map(recalled).transpose()
    }

    async fn summary(&self, scope: &Scope) -> Result<Summary, StoreError> {
        counts::summary(self, scope).await
    }
}

impl PostgresStore {
    /// Commits a change inside the host's own transaction, which must be of the isolation `READ COMMITTED` and on the
    /// database of this store. It lasts once the host commits; until then nobody else changes the same complaints.
    ///
    /// One change never waits in a circle with others. Of two transactions that bring several each may wait for what the other holds, in
    /// whatever order the host brings them: a change holds its agents and its customer as well. The database ends one of them after a
    /// moment (its `deadlock_timeout`) with [`StoreError::Unavailable`], and the other goes on: roll that one back and begin it again,
    /// with changes of what is stored by then.
    ///
    /// # Errors
    /// As [`ComplaintStore::commit`]. Nothing of a refused change is in the transaction, and the host may go on with it.
    /// An error of the database itself ends the transaction, as it always does on PostgreSQL.
    pub async fn commit_in(&self, tx: &mut Transaction<'_, Postgres>, change: &Change) -> Result<(), StoreError> {
        let rows = Rows::of(change)?;
        let answer = self.fetch(tx, self.committing(&rows)).await.map_err(|error| {
            if fault::is_negative_workload(&error) { WORKLOAD.corrupt(error) } else { fault::meaning(error) }
        })?;
        self.accepted(tx, &rows, &answer).await?;
        if self.announcer.is_some() {
            // Here in the transaction, for only the host knows when it commits.
            let tell = sqlx::query(TELL).bind(channel(&self.schema)).bind(payloads(&rows));
            self.fetch(tx, tell).await.map_err(fault::meaning)?;
        }
        Ok(())
    }

    async fn accepted(&self, connection: &mut PgConnection, rows: &Rows, answer: &[PgRow]) -> Result<(), StoreError> {
        if answer.is_empty() {
            self.ready.store(false, Ordering::Release);
            self.look_at_schema(connection).await?;
        }
        accepted(rows, answer)
    }

    /// The one statement that commits a change.
    fn committing<'q>(&self, rows: &'q Rows) -> sqlx::query::Query<'q, Postgres, PgArguments> {
        let (key, limit) = (rows.key.as_ref(), rows.limit.as_ref());
        let states: Vec<&StateColumns> = rows.parts.iter().map(|part| &part.state).collect();
        let entries: Vec<&EntryColumns> = rows.parts.iter().flat_map(|part| &part.entries).collect();
        let sealed: Vec<Option<&SealedWords>> = entries.iter().map(|entry| entry.words.as_ref()).collect();
        sqlx::query(self.sql.commit.clone())
            .bind(self.locks(rows))
            .bind(CODEC)
            .bind(key.map(|key| &key.owner))
            .bind(key.map(|key| &key.key))
            .bind(key.map(|key| &key.fingerprint))
            .bind(key.map(|key| key.complaint))
            .bind(key.map(|key| key.version))
            .bind(key.map(|key| key.committed_at))
            .bind(limit.map(|limit| limit.customer.as_str()))
            .bind(limit.map(|limit| i64::from(limit.most)))
            .bind(each(&states, |state| state.id.as_uuid()))
            .bind(each(&rows.parts, |part| part.expected))
            .bind(each(&states, |state| state.reference.as_str()))
            .bind(each(&states, |state| state.version))
            .bind(each(&states, |state| state.customer.as_str()))
            .bind(each(&states, |state| state.against.as_deref()))
            .bind(each(&states, |state| state.category.as_str()))
            .bind(each(&states, |state| &*state.status))
            .bind(each(&states, |state| state.is_open))
            .bind(each(&states, |state| state.level))
            .bind(each(&states, |state| state.handler.as_deref()))
            .bind(each(&states, |state| state.weight))
            .bind(each(&states, |state| state.received_at))
            .bind(each(&states, |state| state.promised_at))
            .bind(each(&states, |state| state.next_action_at))
            .bind(each(&states, |state| state.has_missed_deadline))
            .bind(each(&states, |state| state.ratings.as_str()))
            .bind(each(&states, |state| state.words_hash))
            .bind(each(&states, |state| indexed_words(&state.words)))
            .bind(each(&states, |state| state.state.as_str()))
            .bind(each(&entries, |entry| entry.facts.complaint))
            .bind(each(&entries, |entry| entry.facts.seq))
            .bind(each(&entries, |entry| entry.facts.version))
            .bind(each(&entries, |entry| entry.facts.at))
            .bind(each(&entries, |entry| entry.facts.entry.as_str()))
            .bind(each(&sealed, |sealed| sealed.map(|sealed| sealed.words.as_str())))
            .bind(each(&sealed, |sealed| sealed.map(|sealed| &sealed.salt[..])))
            .bind(each(&sealed, |sealed| sealed.map(|sealed| &sealed.digest[..])))
            .bind(each(&entries, |entry| &entry.digest[..]))
            .bind(each(&rows.notices, |notice| notice.id))
            .bind(each(&rows.notices, |notice| notice.complaint))
            .bind(each(&rows.notices, |notice| notice.planned_at))
            .bind(each(&rows.notices, |notice| notice.notice.as_str()))
            .bind(each(&rows.workload, |delta| delta.agent.as_str()))
            .bind(each(&rows.workload, |delta| delta.delta))
            .bind(each(&rows.workload, |delta| delta.assigned_at.map(|at| at.timestamp_micros())))
            .bind(each(&rows.workload, |delta| delta.ceiling.map(i64::from)))
            .bind(migrate::known())
    }

    /// What a change must hold alone, in the order in which everybody takes it.
    fn locks(&self, rows: &Rows) -> Vec<i64> {
        let lock = |kind, what: &str| lock_key(&self.schema, kind, what);
        let mut locks = each(&rows.parts, |part| lock("complaint", &part.id().to_string()));
        let new = rows.parts.iter().filter(|part| part.expected == 0);
        locks.extend(new.map(|part| lock("reference", &part.state.reference)));
        locks.extend(rows.workload.iter().map(|delta| lock("agent", delta.agent.as_str())));
        locks.extend(rows.limit.iter().map(|limit| lock("customer", limit.customer.as_str())));
        locks.extend(rows.key.iter().map(|key| lock("key", &format!("{} {}", key.owner, key.key))));
        locks.sort_unstable();
        locks.dedup();
        locks
    }
}

const STATE_ID: Place = Place { column: "id", ..STATE };
const STATE_VERSION: Place = Place { column: "version", ..STATE };
const WORKLOAD: Place = Place { table: "complaint_agents", column: "workload" };

/// The number of a lock. Two things with one number only wait for each other more than they had to.
pub(super) fn lock_key(schema: &str, kind: &str, what: &str) -> i64 {
    fnv(&format!("complaint {schema} {kind} {what}"))
}

/// What the commit says: nothing, or what stands against the change.
fn accepted(rows: &Rows, answer: &[PgRow]) -> Result<(), StoreError> {
    let unusable = |why: String| StoreError::Unusable(format!("complaint_commit answers {why}"));
    let row = answer.first().ok_or_else(|| unusable("nothing".into()))?;
    let refusal: Option<&str> = get(row, 0, STATE)?;
    let agent = || {
        let id: String = get(row, 3, WORKLOAD)?;
        AgentId::new(id).map_err(|fault| WORKLOAD.corrupt(fault))
    };
    match refusal {
        None => Ok(()),
        Some("key") => Err(StoreError::KeyUsed),
        Some("version") => Err(StoreError::Conflict {
            complaint: ComplaintId::from_uuid(get(row, 1, STATE_ID)?),
            current: version(get(row, 2, STATE_VERSION)?, STATE_VERSION)?,
        }),
        Some("reference") => Err(StoreError::ReferenceTaken),
        Some("limit") => match &rows.limit {
            Some(limit) => Err(StoreError::OpenLimitReached { customer: limit.customer.clone() }),
            None => Err(unusable("that a limit is reached that was not asked for".into())),
        },
        Some("capacity") => Err(StoreError::CapacityExceeded { agent: agent()? }),
        Some("agent") => Err(StoreError::UnknownAgent { agent: agent()? }),
        Some(other) => Err(unusable(format!("{other:?}"))),
    }
}

fn each<'a, T, V>(rows: &'a [T], column: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(column).collect()
}

/// The words as the index keeps them.
pub(super) fn indexed_words(words: &str) -> String {
    words.split(' ').map(super::list::indexed).collect::<Vec<_>>().join(" ")
}
