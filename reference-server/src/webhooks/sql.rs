//! Webhooks in SQL, once for every engine, as accounts are in `auth/sql.rs`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::complaint::EventName;
use complaint_core::id::EndpointId;
use sqlx::Row as _;

use super::sql::{Turn, instant, micros, optional_instant};
use super::{Kept, Row, fault};
use crate::auth::AccountsError;
use crate::webhooks::kept::{Delivery, Endpoints, Try, Webhook};

const COUNT: &str = "SELECT count(*) FROM server_webhooks";
const INSERT: &str =
    "INSERT INTO server_webhooks (id, name, url, events, made_at, made_by) VALUES ($1, $2, $3, $4, $5, $6)";
const ALL: &str = "SELECT id, name, url, events, made_at, made_by, disabled_at, disabled_why, failing_since, gone_at
    FROM server_webhooks ORDER BY made_at, id";
const ONE: &str = "SELECT id, name, url, events, made_at, made_by, disabled_at, disabled_why, failing_since, gone_at
    FROM server_webhooks WHERE id = $1";
const UPDATE: &str = "UPDATE server_webhooks SET name = $2, url = $3, events = $4, disabled_at = $5, disabled_why = $6,
    failing_since = $7, gone_at = $8 WHERE id = $1";
const REMOVE: &str = "DELETE FROM server_webhooks WHERE id = $1";
const INSERT_SECRET: &str = "INSERT INTO server_webhook_secrets (webhook_id, secret, made_at) VALUES ($1, $2, $3)";
const SECRETS: &str =
    "SELECT secret FROM server_webhook_secrets WHERE webhook_id = $1 AND (retires_at IS NULL OR retires_at > $2)
    ORDER BY place DESC";
const END_RETIRING: &str = "DELETE FROM server_webhook_secrets WHERE webhook_id = $1 AND retires_at IS NOT NULL";
const RETIRE: &str = "UPDATE server_webhook_secrets SET retires_at = $2 WHERE webhook_id = $1";
const NOTE: &str =
    "UPDATE server_webhooks SET failing_since = CASE WHEN $2 THEN NULL ELSE coalesce(failing_since, $3) END,
    gone_at = CASE WHEN $4 THEN coalesce(gone_at, $3) ELSE NULL END WHERE id = $1";
const KEEP: &str = "INSERT INTO server_webhook_deliveries
        (webhook_id, message, kind, reference, body, first_at, last_at, attempts, delivered, status, why)
    VALUES ($1, $2, $3, $4, $5, $6, $6, 1, $7, $8, $9)
    ON CONFLICT (webhook_id, message) DO UPDATE SET last_at = excluded.last_at,
        attempts = server_webhook_deliveries.attempts + 1, delivered = excluded.delivered, status = excluded.status, why = excluded.why";
const DELIVERIES: &str =
    "SELECT place, message, kind, reference, body, first_at, last_at, attempts, delivered, status, why
    FROM server_webhook_deliveries WHERE webhook_id = $1 AND place < $2 ORDER BY place DESC LIMIT $3";
const DELIVERY: &str =
    "SELECT place, message, kind, reference, body, first_at, last_at, attempts, delivered, status, why
    FROM server_webhook_deliveries WHERE webhook_id = $1 AND message = $2";
const PURGE_DELIVERIES: &str = "DELETE FROM server_webhook_deliveries WHERE last_at < $1";
const PURGE_SECRETS: &str = "DELETE FROM server_webhook_secrets WHERE retires_at <= $1";

#[async_trait]
impl Endpoints for Kept {
    async fn insert_webhook(&self, webhook: &Webhook, secret: &str, most: u32) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Policy).await?;
        let there: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *tx).await.map_err(fault)?;
        if there >= i64::from(most) {
            return Ok(false);
        }
        let id = webhook.id.to_string();
        let row = sqlx::query(INSERT).bind(&id).bind(&webhook.name).bind(&webhook.url).bind(written(&webhook.events));
        let row = row.bind(micros(webhook.made_at)).bind(&webhook.made_by);
        row.execute(&mut *tx).await.map_err(fault)?;
        let row = sqlx::query(INSERT_SECRET).bind(&id).bind(secret).bind(micros(webhook.made_at));
        row.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, AccountsError> {
        let rows = sqlx::query(ALL).fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        rows.iter().map(webhook).collect()
    }

    async fn webhook(&self, id: EndpointId) -> Result<Option<Webhook>, AccountsError> {
        let row = sqlx::query(ONE).bind(id.to_string()).fetch_optional(&mut *self.connection().await?).await;
        row.map_err(fault)?.as_ref().map(webhook).transpose()
    }

    async fn update_webhook(&self, webhook: &Webhook) -> Result<bool, AccountsError> {
        let row = sqlx::query(UPDATE)
            .bind(webhook.id.to_string())
            .bind(&webhook.name)
            .bind(&webhook.url)
            .bind(written(&webhook.events))
            .bind(webhook.disabled_at.map(micros))
            .bind(&webhook.disabled_why)
            .bind(webhook.failing_since.map(micros))
            .bind(webhook.gone_at.map(micros));
        let done = row.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(done.rows_affected() > 0)
    }

    async fn remove_webhook(&self, id: EndpointId) -> Result<bool, AccountsError> {
        let done = sqlx::query(REMOVE).bind(id.to_string()).execute(&mut *self.connection().await?).await;
        Ok(done.map_err(fault)?.rows_affected() > 0)
    }

    async fn webhook_secrets(&self, id: EndpointId, now: DateTime<Utc>) -> Result<Vec<String>, AccountsError> {
        let secrets = sqlx::query_scalar(SECRETS).bind(id.to_string()).bind(micros(now));
        secrets.fetch_all(&mut *self.connection().await?).await.map_err(fault)
    }

    async fn rotate_webhook_secret(
        &self,
        id: EndpointId,
        secret: &str,
        former_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Policy).await?;
        let id = id.to_string();
        if sqlx::query(ONE).bind(&id).fetch_optional(&mut *tx).await.map_err(fault)?.is_none() {
            return Ok(false);
        }
        sqlx::query(END_RETIRING).bind(&id).execute(&mut *tx).await.map_err(fault)?;
        sqlx::query(RETIRE).bind(&id).bind(micros(former_until)).execute(&mut *tx).await.map_err(fault)?;
        let row = sqlx::query(INSERT_SECRET).bind(&id).bind(secret).bind(micros(now));
        row.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }

    async fn keep_try(&self, id: EndpointId, made: &Try<'_>, now: DateTime<Utc>) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Free).await?;
        let id = id.to_string();
        let noted = sqlx::query(NOTE).bind(&id).bind(made.delivered).bind(micros(now)).bind(made.gone);
        if noted.execute(&mut *tx).await.map_err(fault)?.rows_affected() == 0 {
            return Ok(());
        }
        let row = sqlx::query(KEEP)
            .bind(&id)
            .bind(made.message)
            .bind(made.kind)
            .bind(&made.reference)
            .bind(made.body)
            .bind(micros(now))
            .bind(made.delivered)
            .bind(made.status.map(i64::from))
            .bind(&made.why);
        row.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)
    }

    async fn deliveries(&self, id: EndpointId, below: i64, limit: u32) -> Result<Vec<Delivery>, AccountsError> {
        let rows = sqlx::query(DELIVERIES).bind(id.to_string()).bind(below).bind(i64::from(limit));
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        rows.iter().map(delivery).collect()
    }

    async fn delivery(&self, id: EndpointId, message: &str) -> Result<Option<Delivery>, AccountsError> {
        let row = sqlx::query(DELIVERY).bind(id.to_string()).bind(message);
        let row = row.fetch_optional(&mut *self.connection().await?).await.map_err(fault)?;
        row.as_ref().map(delivery).transpose()
    }

    async fn purge_webhooks(&self, tried_before: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64, AccountsError> {
        let mut purged = 0;
        for (statement, before) in [(PURGE_DELIVERIES, tried_before), (PURGE_SECRETS, now)] {
            let done = sqlx::query(statement).bind(micros(before)).execute(&mut *self.connection().await?).await;
            purged += done.map_err(fault)?.rows_affected();
        }
        Ok(purged)
    }
}

fn written(events: &BTreeSet<EventName>) -> String {
    events.iter().map(|event| event.name()).collect::<Vec<_>>().join(" ")
}

fn webhook(row: &Row) -> Result<Webhook, AccountsError> {
    const TABLE: &str = "server_webhooks";
    let text = |column| row.try_get::<String, _>(column).map_err(fault);
    let corrupt = |column| AccountsError::Corrupt { table: TABLE, column };
    let events = text("events")?;
    let events: Result<BTreeSet<EventName>, _> = events.split_whitespace().map(str::parse).collect();
    Ok(Webhook {
        id: text("id")?.parse().map_err(|_| corrupt("id"))?,
        name: text("name")?,
        url: text("url")?,
        events: events.map_err(|_| corrupt("events"))?,
        made_at: instant(row, TABLE, "made_at")?,
        made_by: text("made_by")?,
        disabled_at: optional_instant(row, TABLE, "disabled_at")?,
        disabled_why: row.try_get("disabled_why").map_err(fault)?,
        failing_since: optional_instant(row, TABLE, "failing_since")?,
        gone_at: optional_instant(row, TABLE, "gone_at")?,
    })
}

fn delivery(row: &Row) -> Result<Delivery, AccountsError> {
    const TABLE: &str = "server_webhook_deliveries";
    let text = |column| row.try_get::<String, _>(column).map_err(fault);
    let corrupt = |column| AccountsError::Corrupt { table: TABLE, column };
    let status: Option<i64> = row.try_get("status").map_err(fault)?;
    let attempts: i64 = row.try_get("attempts").map_err(fault)?;
    Ok(Delivery {
        place: row.try_get("place").map_err(fault)?,
        message: text("message")?,
        kind: text("kind")?,
        reference: row.try_get("reference").map_err(fault)?,
        body: text("body")?,
        first_at: instant(row, TABLE, "first_at")?,
        last_at: instant(row, TABLE, "last_at")?,
        attempts: u32::try_from(attempts).map_err(|_| corrupt("attempts"))?,
        delivered: row.try_get("delivered").map_err(fault)?,
        status: status.map(u16::try_from).transpose().map_err(|_| corrupt("status"))?,
        why: row.try_get("why").map_err(fault)?,
    })
}
