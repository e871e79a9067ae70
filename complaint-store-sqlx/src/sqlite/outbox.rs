//! Notices that wait for delivery.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::id::NoticeId;
use complaint_core::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use complaint_core::store::{Outbox, StoreError};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::{SqliteStore, fault, statements as sql};
use crate::codec::{CODEC, Place, encode};
use crate::read::{dead_notice, get, notice};

const ID: Place = Place { table: "complaint_outbox", column: "id" };

impl SqliteStore {
    /// Lets notices be claimed again that a courier had claimed when its process ended, where they would wait for the end of its lease;
    /// returns how many. For a host that has the file alone, before its own courier begins: of one that is at work others would take
    /// what it holds.
    ///
    /// ```
    /// # use chrono::{TimeDelta, Utc};
    /// # use complaint_core::{Actor, Complaint, Desk, Policy, policy::Category, store::Outbox as _};
    /// # use complaint_store_sqlx::SqliteStore;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let store = SqliteStore::open(&format!("sqlite:{}", folder.path().join("c.db").display())).await?;
    /// # store.migrate().await?;
    /// # let desk = Desk::new(store.clone(), Policy::standard().with_category(Category::named("Water supply")?));
    /// # let about = Complaint::about("Water supply", "No water", "Since Monday.")?;
    /// # desk.acting_as(Actor::customer("john")?).submit(about).await?;
    /// # let now = Utc::now();
    /// let claimed = store.claim(now, now + TimeDelta::minutes(30), 64).await?;
    /// // Whoever claimed them is killed here, and starts again.
    /// assert!(store.claim(now, now + TimeDelta::minutes(30), 64).await?.is_empty());
    /// assert_eq!(store.release_claims(now).await?, claimed.len() as u64);
    /// assert_eq!(store.claim(now, now + TimeDelta::minutes(30), 64).await?.len(), claimed.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn release_claims(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let release = sqlx::query(sql::RELEASE_CLAIMS).bind(now.timestamp_micros());
        let released = release.execute(&mut *tx).await.map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)?;
        Ok(released.rows_affected())
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        // Couriers ask often and mostly in vain: that must not cost the writer a turn.
        let any = sqlx::query(sql::ANY_WAITING)
            .bind(now.timestamp_micros())
            .fetch_optional(self.reading().await?)
            .await
            .map_err(fault::meaning)?;
        if any.is_none() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let waiting = sqlx::query(sql::WAITING)
            .bind(now.timestamp_micros())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(fault::meaning)?;
        let mut claimed = Vec::with_capacity(waiting.len());
        for row in &waiting {
            let place = |column| Place { table: "complaint_outbox", column };
            let at: i64 = get(row, 0, place("row"))?;
            let attempts: i64 = get(row, 1, place("attempts"))?;
            match notice(row, 2) {
                Ok(notice) => {
                    let attempt = u32::try_from(attempts + 1).map_err(|fault| place("attempts").corrupt(fault))?;
                    sqlx::query(sql::LEASE)
                        .bind(at)
                        .bind(until.timestamp_micros())
                        .execute(&mut *tx)
                        .await
                        .map_err(fault::meaning)?;
                    claimed.push(ClaimedNotice { notice, attempt, until });
                }
                // One that cannot be read must not hold up all that come after it.
                Err(unreadable) => {
                    tracing::error!(row = at, error = &unreadable as &dyn std::error::Error, "dead notice");
                    sqlx::query(sql::BURY_UNREADABLE)
                        .bind(at)
                        .bind(now.timestamp_micros())
                        .bind(unreadable.to_string())
                        .execute(&mut *tx)
                        .await
                        .map_err(fault::meaning)?;
                }
            }
        }
        tx.commit().await.map_err(fault::commit_meaning)?;
        Ok(claimed)
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.line.settle(self, Settled { id: claimed.notice.id, until: claimed.until, settlement, now }).await
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let rows = sqlx::query(sql::WAITING_BEHIND)
            .bind(behind.map_or(Uuid::nil(), |id| id.as_uuid()))
            .bind(i64::from(limit))
            .fetch_all(self.reading().await?)
            .await;
        rows.map_err(fault::meaning)?.iter().map(|row| notice(row, 0)).collect()
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        let mut dead = Vec::new();
        let mut below = below.map_or(Uuid::max(), |id| id.as_uuid());
        while dead.len() < limit as usize {
            let rows = sqlx::query(sql::DEAD_BELOW)
                .bind(below)
                .bind(i64::from(limit))
                .fetch_all(self.reading().await?)
                .await
                .map_err(fault::meaning)?;
            let Some(last) = rows.last() else { break };
            below = get(last, 0, ID)?;
            dead.extend(rows.iter().filter_map(readable));
        }
        dead.truncate(limit as usize);
        Ok(dead)
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let dead = sqlx::query(sql::DEAD).bind(id.as_uuid()).fetch_optional(self.reading().await?).await;
        let Some(row) = dead.map_err(fault::meaning)? else { return Ok(false) };
        dead_notice(&row)?;
        let mut tx = self.begin().await?;
        let revive = sqlx::query(sql::REVIVE).bind(id.as_uuid()).bind(now.timestamp_micros());
        let revived = revive.execute(&mut *tx).await.map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)?;
        Ok(revived.rows_affected() > 0)
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        let notice = encode(&dead.notice)?;
        let mut tx = self.begin().await?;
        let bury = sqlx::query(sql::BURY)
            .bind(dead.notice.id.as_uuid())
            .bind(dead.notice.complaint.as_uuid())
            .bind(dead.notice.planned_at.timestamp_micros())
            .bind(i64::from(dead.attempts))
            .bind(dead.given_up_at.timestamp_micros())
            .bind(&dead.why)
            .bind(CODEC)
            .bind(notice);
        let buried = bury.execute(&mut *tx).await.map_err(fault::meaning)?;
        tx.commit().await.map_err(fault::commit_meaning)?;
        Ok(buried.rows_affected() > 0)
    }
}

/// How a delivery ended, on its way to the disk.
pub(super) struct Settled {
    id: NoticeId,
    until: DateTime<Utc>,
    settlement: Settlement,
    now: DateTime<Utc>,
}

impl Settled {
    /// One statement: wholly done or not at all.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let (id, until, now) = (self.id.as_uuid(), self.until.timestamp_micros(), self.now.timestamp_micros());
        let settle = match &self.settlement {
            Settlement::Delivered => sqlx::query(sql::SETTLE_DELIVERED).bind(id).bind(until).bind(now),
            Settlement::Retry { at, why } => {
                sqlx::query(sql::SETTLE_RETRY).bind(id).bind(until).bind(at.timestamp_micros()).bind(why)
            }
            Settlement::Held { until: quiet, why } => {
                sqlx::query(sql::SETTLE_HELD).bind(id).bind(until).bind(quiet.timestamp_micros()).bind(why)
            }
            Settlement::Dead { why } => sqlx::query(sql::SETTLE_DEAD).bind(id).bind(until).bind(now).bind(why),
        };
        settle.execute(connection).await.map(drop).map_err(fault::meaning)
    }
}

/// One that cannot be read is told in the log and must not hide the others.
fn readable(row: &SqliteRow) -> Option<DeadNotice> {
    dead_notice(row).inspect_err(|why| tracing::error!(error = why as &dyn std::error::Error, "dead notice")).ok()
}
