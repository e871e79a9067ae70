//! Preferences and digests in SQL, once for every engine, as accounts are in `auth/sql.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::notice::{Notice, Preferences};
use sqlx::Row as _;

use super::sql::{Turn, instant, micros};
use super::{Kept, Row, fault};
use crate::auth::AccountsError;
use crate::auth::accounts::MailOutcome;
use crate::preferences::kept::{DeadDigest, Digest, KeptPreferences};

const PREFERENCES: &str = "SELECT version, preferences FROM server_preferences WHERE account_id = $1";
const KEEP: &str = "INSERT INTO server_preferences (account_id, version, preferences) VALUES ($1, $2, $3)
    ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, preferences = excluded.preferences";
const KEEP_KEY: &str = "INSERT INTO server_keys (purpose, secret) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING";
const KEY: &str = "SELECT secret FROM server_keys WHERE purpose = $1";
const ADD: &str = "INSERT INTO server_digest_notices (notice_id, account_id, notice, planned_at, next_try_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (notice_id) DO NOTHING";
const DUE: &str = "SELECT account_id, letter FROM server_digest_notices
    WHERE given_up_at IS NULL AND next_try_at <= $1 ORDER BY next_try_at, notice_id LIMIT 1";
const GATHER: &str = "UPDATE server_digest_notices SET letter = $2 WHERE notice_id IN (
        SELECT notice_id FROM server_digest_notices WHERE account_id = $1 AND letter IS NULL AND next_try_at <= $3
        ORDER BY planned_at, notice_id LIMIT $4)";
const HOLD: &str = "UPDATE server_digest_notices SET next_try_at = $2, attempts = attempts + 1 WHERE letter = $1";
const OF_LETTER: &str = "SELECT account_id, notice, attempts FROM server_digest_notices WHERE letter = $1
    ORDER BY planned_at, notice_id";
const DONE: &str = "DELETE FROM server_digest_notices WHERE letter = $1";
const AGAIN: &str = "UPDATE server_digest_notices SET next_try_at = $2, last_error = $3
    WHERE letter = $1 AND given_up_at IS NULL";
const GIVE_UP: &str = "UPDATE server_digest_notices SET given_up_at = $2, last_error = $3
    WHERE letter = $1 AND given_up_at IS NULL";
const DEAD: &str = "SELECT letter, max(given_up_at) AS given_up_at, max(coalesce(last_error, '')) AS why
    FROM server_digest_notices WHERE given_up_at IS NOT NULL GROUP BY letter ORDER BY 2 DESC, letter LIMIT $1";
const REVIVE: &str =
    "UPDATE server_digest_notices SET given_up_at = NULL, attempts = 0, next_try_at = $2, last_error = NULL
    WHERE letter = $1 AND given_up_at IS NOT NULL";

#[async_trait]
impl KeptPreferences for Kept {
    async fn preferences(&self, account_id: &str) -> Result<(u64, Preferences), AccountsError> {
        let row = sqlx::query(PREFERENCES).bind(account_id).fetch_optional(&mut *self.connection().await?).await;
        row.map_err(fault)?.as_ref().map_or_else(|| Ok((0, Preferences::default())), preferences)
    }

    async fn keep_preferences(
        &self,
        account_id: &str,
        expected: Option<u64>,
        chosen: &Preferences,
    ) -> Result<u64, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let row = sqlx::query(PREFERENCES).bind(account_id).fetch_optional(&mut *tx).await.map_err(fault)?;
        let current = row.as_ref().map(preferences).transpose()?.map_or(0, |(version, _)| version);
        if expected.is_some_and(|expected| expected != current) {
            return Err(AccountsError::Conflict { current });
        }
        let version = current + 1;
        let text = serde_json::to_string(chosen).map_err(|error| AccountsError::Failed(Box::new(error)))?;
        let row = sqlx::query(KEEP).bind(account_id).bind(i64::try_from(version).unwrap_or(i64::MAX)).bind(text);
        row.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(version)
    }

    async fn key(&self, purpose: &str, fresh: [u8; 32]) -> Result<[u8; 32], AccountsError> {
        let mut connection = self.connection().await?;
        sqlx::query(KEEP_KEY).bind(purpose).bind(&fresh[..]).execute(&mut *connection).await.map_err(fault)?;
        let key: Vec<u8> = sqlx::query_scalar(KEY).bind(purpose).fetch_one(&mut *connection).await.map_err(fault)?;
        key.try_into().map_err(|_| AccountsError::Corrupt { table: "server_keys", column: "secret" })
    }

    async fn add_to_digest(
        &self,
        account_id: &str,
        notice: &Notice,
        due_at: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let text = serde_json::to_string(notice).map_err(|error| AccountsError::Failed(Box::new(error)))?;
        let row = sqlx::query(ADD).bind(notice.id.to_string()).bind(account_id).bind(text);
        let row = row.bind(micros(notice.planned_at)).bind(micros(due_at));
        row.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(())
    }

    async fn claim_digest(
        &self,
        letter: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        most: u32,
    ) -> Result<Option<Digest>, AccountsError> {
        // Asked often and mostly in vain: that must not cost writers a turn.
        let due = sqlx::query(DUE).bind(micros(now)).fetch_optional(&mut *self.connection().await?).await;
        if due.map_err(fault)?.is_none() {
            return Ok(None);
        }
        let mut tx = self.begin(Turn::Accounts).await?;
        let due = sqlx::query(DUE).bind(micros(now)).fetch_optional(&mut *tx).await.map_err(fault)?;
        let Some(due) = due else { return Ok(None) };
        let account: String = due.try_get("account_id").map_err(fault)?;
        let begun: Option<String> = due.try_get("letter").map_err(fault)?;
        let letter = if let Some(begun) = begun {
            begun
        } else {
            let gather = sqlx::query(GATHER).bind(&account).bind(letter).bind(micros(now)).bind(i64::from(most));
            gather.execute(&mut *tx).await.map_err(fault)?;
            letter.to_owned()
        };
        sqlx::query(HOLD).bind(&letter).bind(micros(until)).execute(&mut *tx).await.map_err(fault)?;
        let rows = sqlx::query(OF_LETTER).bind(&letter).fetch_all(&mut *tx).await.map_err(fault)?;
        let digest = digest(letter, &rows)?;
        tx.commit().await.map_err(fault)?;
        Ok(Some(digest))
    }

    async fn settle_digest(&self, letter: &str, outcome: MailOutcome, now: DateTime<Utc>) -> Result<(), AccountsError> {
        let settle = match outcome {
            MailOutcome::Done => sqlx::query(DONE).bind(letter),
            MailOutcome::Retry { at, error } => sqlx::query(AGAIN).bind(letter).bind(micros(at)).bind(error),
            MailOutcome::GivenUp { error } => sqlx::query(GIVE_UP).bind(letter).bind(micros(now)).bind(error),
        };
        settle.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(())
    }

    async fn dead_digests(&self, limit: u32) -> Result<Vec<DeadDigest>, AccountsError> {
        let mut connection = self.connection().await?;
        let dead = sqlx::query(DEAD).bind(i64::from(limit)).fetch_all(&mut *connection).await.map_err(fault)?;
        let mut found = Vec::with_capacity(dead.len());
        for row in &dead {
            let letter: String = row.try_get("letter").map_err(fault)?;
            let rows = sqlx::query(OF_LETTER).bind(&letter).fetch_all(&mut *connection).await.map_err(fault)?;
            found.push(DeadDigest {
                digest: digest(letter, &rows)?,
                given_up_at: instant(row, "server_digest_notices", "given_up_at")?,
                why: row.try_get("why").map_err(fault)?,
            });
        }
        Ok(found)
    }

    async fn revive_digest(&self, letter: &str, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let revive = sqlx::query(REVIVE).bind(letter).bind(micros(now));
        let done = revive.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(done.rows_affected() > 0)
    }
}

fn preferences(row: &Row) -> Result<(u64, Preferences), AccountsError> {
    let corrupt = |column| AccountsError::Corrupt { table: "server_preferences", column };
    let version: i64 = row.try_get("version").map_err(fault)?;
    let text: String = row.try_get("preferences").map_err(fault)?;
    let version = u64::try_from(version).map_err(|_| corrupt("version"))?;
    Ok((version, serde_json::from_str(&text).map_err(|_| corrupt("preferences"))?))
}

fn digest(letter: String, rows: &[Row]) -> Result<Digest, AccountsError> {
    let corrupt = |column| AccountsError::Corrupt { table: "server_digest_notices", column };
    let first = rows.first().ok_or_else(|| corrupt("letter"))?;
    let attempts: i64 = first.try_get("attempts").map_err(fault)?;
    let mut notices = Vec::with_capacity(rows.len());
    for row in rows {
        let text: String = row.try_get("notice").map_err(fault)?;
        // One that cannot be read must not hold up the others.
        match serde_json::from_str::<Notice>(&text) {
            Ok(notice) => notices.push(notice),
            Err(error) => tracing::error!(letter, %error, "a notice of a digest cannot be read"),
        }
    }
    Ok(Digest {
        letter,
        account_id: first.try_get("account_id").map_err(fault)?,
        notices,
        attempt: u32::try_from(attempts).map_err(|_| corrupt("attempts"))?,
    })
}
