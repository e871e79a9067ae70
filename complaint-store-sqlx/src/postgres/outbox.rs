//! Notices that wait for delivery.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::id::NoticeId;
use complaint_core::notice::{ClaimedNotice, DeadNotice, Notice, Settlement};
use complaint_core::store::{Outbox, StoreError};
use sqlx::SqlStr;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use crate::codec::{CODEC, Place, encode};
use crate::read::{dead_notice, get, notice};

const ID: Place = Place { table: "complaint_outbox", column: "id" };

#[async_trait]
impl Outbox for PostgresStore {
    async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<ClaimedNotice>, StoreError> {
        let place = |column| Place { table: "complaint_outbox", column };
        let claim = sqlx::query(self.sql.claim.clone())
            .bind(now.timestamp_micros())
            .bind(until.timestamp_micros())
            .bind(i64::from(limit));
        let mut waited = Vec::new();
        for row in self.write(claim).await? {
            let order: (i64, i64) = (get(&row, 0, place("available_at"))?, get(&row, 1, place("place"))?);
            waited.push((order, row));
        }
        // What an update returns is in no order.
        waited.sort_unstable_by_key(|(order, _)| *order);
        let mut claimed = Vec::with_capacity(waited.len());
        for ((_, at), row) in &waited {
            let attempts: i64 = get(row, 2, place("attempts"))?;
            match notice(row, 3) {
                Ok(notice) => {
                    let attempt = u32::try_from(attempts).map_err(|fault| place("attempts").corrupt(fault))?;
                    claimed.push(ClaimedNotice { notice, attempt, until });
                }
                // One that cannot be read must not hold up all that come after it.
                Err(unreadable) => {
                    tracing::error!(place = at, error = &unreadable as &dyn std::error::Error, "dead notice");
                    let bury = sqlx::query(self.sql.bury_unreadable.clone())
                        .bind(at)
                        .bind(now.timestamp_micros())
                        .bind(unreadable.to_string());
                    self.write(bury).await?;
                }
            }
        }
        Ok(claimed)
    }

    async fn settle(
        &self,
        claimed: &ClaimedNotice,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let now = now.timestamp_micros();
        let of_lease = |sql: &SqlStr| {
            sqlx::query(sql.clone()).bind(claimed.notice.id.as_uuid()).bind(claimed.until.timestamp_micros())
        };
        let settle = match settlement {
            Settlement::Delivered => of_lease(&self.sql.settle_delivered).bind(now),
            Settlement::Retry { at, why } => {
                of_lease(&self.sql.settle_retry).bind(at.timestamp_micros()).bind(kept(&why))
            }
            Settlement::Held { until, why } => {
                of_lease(&self.sql.settle_held).bind(until.timestamp_micros()).bind(kept(&why))
            }
            Settlement::Dead { why } => of_lease(&self.sql.settle_dead).bind(now).bind(kept(&why)),
        };
        self.write(settle).await.map(drop)
    }

    async fn waiting(&self, behind: Option<NoticeId>, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let query = sqlx::query(self.sql.waiting_behind.clone());
        let query = query.bind(behind.map_or(Uuid::nil(), |id| id.as_uuid())).bind(i64::from(limit));
        self.read(query).await?.iter().map(|row| notice(row, 0)).collect()
    }

    async fn dead(&self, below: Option<NoticeId>, limit: u32) -> Result<Vec<DeadNotice>, StoreError> {
        let mut dead = Vec::new();
        let mut below = below.map_or(Uuid::max(), |id| id.as_uuid());
        while dead.len() < limit as usize {
            let query = sqlx::query(self.sql.dead_below.clone()).bind(below).bind(i64::from(limit));
            let rows = self.read(query).await?;
            let Some(last) = rows.last() else { break };
            below = get(last, 0, ID)?;
            dead.extend(rows.iter().filter_map(readable));
        }
        dead.truncate(limit as usize);
        Ok(dead)
    }

    async fn revive(&self, id: NoticeId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let dead = self.read(sqlx::query(self.sql.dead.clone()).bind(id.as_uuid())).await?;
        let Some(row) = dead.first() else { return Ok(false) };
        dead_notice(row)?;
        let revive = sqlx::query(self.sql.revive.clone()).bind(id.as_uuid()).bind(now.timestamp_micros());
        Ok(!self.write(revive).await?.is_empty())
    }

    async fn bury(&self, dead: &DeadNotice) -> Result<bool, StoreError> {
        let bury = sqlx::query(self.sql.bury.clone())
            .bind(dead.notice.id.as_uuid())
            .bind(dead.notice.complaint.as_uuid())
            .bind(dead.notice.planned_at.timestamp_micros())
            .bind(i64::from(dead.attempts))
            .bind(dead.given_up_at.timestamp_micros())
            .bind(kept(&dead.why))
            .bind(CODEC)
            .bind(encode(&dead.notice)?);
        Ok(!self.write(bury).await?.is_empty())
    }
}

/// What a relay said may hold a NUL, which no text here can: unsettled for that, a notice would be sent for ever.
fn kept(why: &str) -> String {
    why.replace('\0', "\u{FFFD}")
}

/// One that cannot be read is told in the log and must not hide the others.
fn readable(row: &PgRow) -> Option<DeadNotice> {
    dead_notice(row).inspect_err(|why| tracing::error!(error = why as &dyn std::error::Error, "dead notice")).ok()
}
