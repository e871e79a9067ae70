//! Mail that comes in, in SQL, once for every engine, as accounts are in `auth/sql.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use uuid::Uuid;

use super::sql::{Turn, instant, micros, optional_instant};
use super::{Kept, Row, fault};
use crate::auth::AccountsError;
use crate::auth::secret::SecretHash;
use crate::intake::kept::{Came, Identity, InboundMail, Inbox, MailState, Question, QuestionHashes, Settled};

const TABLE: &str = "server_inbound_mail";

const KEEP_KEY: &str = "INSERT INTO server_keys (purpose, secret) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING";
const KEY: &str = "SELECT secret FROM server_keys WHERE purpose = $1";

const KEEP: &str = "INSERT INTO server_inbound_mail (id, raw, raw_hash, size, received_at, next_try_at, state, why, detail, settled_at, by_form, whole_size)
    VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (raw_hash) DO NOTHING";
const BY_BYTES: &str =
    "SELECT place, id, by_form, whole_size, received_at, size, sender, subject, state, why, detail, complaint, released, confirmed,
    attempts, settled_at, settled_by FROM server_inbound_mail WHERE raw_hash = $1";
const ONE: &str =
    "SELECT place, id, by_form, whole_size, received_at, size, sender, subject, state, why, detail, complaint, released, confirmed,
    attempts, settled_at, settled_by FROM server_inbound_mail WHERE id = $1";
const RAW: &str = "SELECT raw FROM server_inbound_mail WHERE id = $1";
const ALL: &str =
    "SELECT place, id, by_form, whole_size, received_at, size, sender, subject, state, why, detail, complaint, released, confirmed,
    attempts, settled_at, settled_by FROM server_inbound_mail WHERE place < $1 ORDER BY place DESC LIMIT $2";
const IN_STATE: &str = "SELECT place, id, by_form, whole_size, received_at, size, sender, subject, state, why, detail, complaint, released, confirmed,
    attempts, settled_at, settled_by FROM server_inbound_mail WHERE state = $3 AND place < $1 ORDER BY place DESC LIMIT $2";
const DUE: &str = "SELECT id FROM server_inbound_mail WHERE state = 'waiting' AND next_try_at <= $1
    AND (by_form OR NOT $3) ORDER BY next_try_at, place LIMIT $2";
const CLAIM: &str = "UPDATE server_inbound_mail SET next_try_at = $3, attempts = attempts + 1
    WHERE id = $1 AND state = 'waiting' AND next_try_at <= $2";
const SAME: &str =
    "SELECT id FROM server_inbound_mail WHERE (message_hash = $2 OR content_hash = $3) AND id <> $1 LIMIT 1";
const READ: &str = "UPDATE server_inbound_mail SET sender = $2, subject = $3 WHERE id = $1";
const IDENTIFY: &str = "UPDATE server_inbound_mail SET message_hash = $2, content_hash = $3 WHERE id = $1";
const SETTLE: &str =
    "UPDATE server_inbound_mail SET state = $3, why = $4, detail = $5, complaint = coalesce($6, complaint),
    settled_at = $7, settled_by = coalesce($8, settled_by) WHERE id = $1 AND state = $2";
const POSTPONE: &str = "UPDATE server_inbound_mail SET next_try_at = $2 WHERE id = $1 AND state = 'waiting'";
const RELEASE: &str = "UPDATE server_inbound_mail SET state = 'waiting', released = TRUE, why = NULL, detail = NULL, attempts = 0, next_try_at = $2, settled_by = $3
    WHERE id = $1 AND state = 'quarantined'";
const CONFIRM: &str = "UPDATE server_inbound_mail SET state = 'waiting', confirmed = TRUE, why = NULL, detail = NULL, attempts = 0, next_try_at = $3
    WHERE id = $1 AND sender = $2 AND state = 'unconfirmed'";
const UNCONFIRMED: &str = "SELECT place, id, by_form, whole_size, received_at, size, sender, subject, state, why, detail, complaint, released,
    confirmed, attempts, settled_at, settled_by FROM server_inbound_mail WHERE state = 'unconfirmed' AND sender = $1 ORDER BY place LIMIT $2";

const RECENT_QUESTION: &str = "SELECT count(*) FROM server_mail_confirmations WHERE address = $1 AND made_at > $2 AND coalesce(reference, '') = $3";
const ASK: &str = "INSERT INTO server_mail_confirmations (id, address, token_hash, made_at, expires_at, next_try_at, reference, code_hash)
    VALUES ($1, $2, $3, $4, $5, $4, $6, $7)";
const DUE_QUESTIONS: &str =
    "SELECT id, address, reference, code_hash IS NOT NULL AS with_code, attempts FROM server_mail_confirmations WHERE NOT done AND next_try_at <= $1
    ORDER BY next_try_at, id LIMIT $2";
const CLAIM_QUESTION: &str = "UPDATE server_mail_confirmations SET next_try_at = $3, attempts = attempts + 1
    WHERE id = $1 AND NOT done AND next_try_at <= $2";
const ASKED: &str = "UPDATE server_mail_confirmations SET done = TRUE, code_expires_at = $2 WHERE id = $1";
const TRY_CODE: &str =
    "UPDATE server_mail_confirmations SET tries = tries + CASE WHEN code_hash = $2 THEN 0 ELSE 1 END,
    code_hash = CASE WHEN code_hash = $2 THEN NULL ELSE code_hash END
    WHERE address = $1 AND code_hash IS NOT NULL AND code_expires_at > $3 AND tries < $4
    RETURNING id, code_hash IS NULL AS is_right";
const POSTPONE_QUESTION: &str = "UPDATE server_mail_confirmations SET next_try_at = $2 WHERE id = $1 AND NOT done";
const ADDRESS: &str =
    "SELECT address FROM server_mail_confirmations WHERE token_hash = $1 AND expires_at > $2 AND reference IS NULL";

const PURGE_SETTLED: &str =
    "DELETE FROM server_inbound_mail WHERE settled_at < $1 AND state NOT IN ('waiting', 'quarantined')";
const PURGE_QUARANTINED: &str = "DELETE FROM server_inbound_mail WHERE state = 'quarantined' AND received_at < $1";
const PURGE_QUESTIONS: &str = "DELETE FROM server_mail_confirmations WHERE expires_at <= $1";

#[async_trait]
impl Inbox for Kept {
    async fn key(&self, purpose: &str, offered: [u8; 32]) -> Result<[u8; 32], AccountsError> {
        let mut connection = self.connection().await?;
        let keep = sqlx::query(KEEP_KEY).bind(purpose).bind(offered.to_vec());
        keep.execute(&mut *connection).await.map_err(fault)?;
        let kept: Vec<u8> = sqlx::query_scalar(KEY).bind(purpose).fetch_one(&mut *connection).await.map_err(fault)?;
        kept.try_into().map_err(|_| AccountsError::Corrupt { table: "server_keys", column: "secret" })
    }

    async fn has_key(&self, purpose: &str) -> Result<bool, AccountsError> {
        let kept: Option<Vec<u8>> = sqlx::query_scalar(KEY)
            .bind(purpose)
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        Ok(kept.is_some())
    }

    async fn keep(
        &self,
        id: Uuid,
        raw: &[u8],
        came: Came,
        settled: Option<&Settled>,
        now: DateTime<Utc>,
    ) -> Result<InboundMail, AccountsError> {
        let hash = Sha256::digest(raw).to_vec();
        let mut connection = self.connection().await?;
        let size = i64::try_from(raw.len()).unwrap_or(i64::MAX);
        let row = sqlx::query(KEEP).bind(id.to_string()).bind(raw).bind(&hash).bind(size).bind(micros(now));
        let row = row
            .bind(settled.map_or(MailState::Waiting, |it| it.state).as_str())
            .bind(settled.and_then(|it| it.why))
            .bind(settled.and_then(|it| it.detail.as_deref()))
            .bind(settled.map(|_| micros(now)))
            .bind(came.by_form)
            .bind(came.whole_size.and_then(|size| i64::try_from(size).ok()));
        row.execute(&mut *connection).await.map_err(fault)?;
        mail(&sqlx::query(BY_BYTES).bind(&hash).fetch_one(&mut *connection).await.map_err(fault)?)
    }

    async fn mail(&self, id: Uuid) -> Result<Option<InboundMail>, AccountsError> {
        let row = sqlx::query(ONE).bind(id.to_string()).fetch_optional(&mut *self.connection().await?).await;
        row.map_err(fault)?.as_ref().map(mail).transpose()
    }

    async fn raw(&self, id: Uuid) -> Result<Option<Vec<u8>>, AccountsError> {
        let raw = sqlx::query_scalar(RAW).bind(id.to_string()).fetch_optional(&mut *self.connection().await?).await;
        raw.map_err(fault)
    }

    async fn mails(&self, state: Option<MailState>, below: i64, limit: u32) -> Result<Vec<InboundMail>, AccountsError> {
        let rows = match state {
            None => sqlx::query(ALL).bind(below).bind(i64::from(limit)),
            Some(state) => sqlx::query(IN_STATE).bind(below).bind(i64::from(limit)).bind(state.as_str()),
        };
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        rows.iter().map(mail).collect()
    }

    async fn due(&self, now: DateTime<Utc>, only_forms: bool, limit: u32) -> Result<Vec<Uuid>, AccountsError> {
        let rows = sqlx::query(DUE).bind(micros(now)).bind(i64::from(limit)).bind(only_forms);
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        rows.iter().map(|row| id_of(row, TABLE)).collect()
    }

    async fn claim(
        &self,
        id: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<InboundMail>, AccountsError> {
        let mut connection = self.connection().await?;
        let claim = sqlx::query(CLAIM).bind(id.to_string()).bind(micros(now)).bind(micros(until));
        if claim.execute(&mut *connection).await.map_err(fault)?.rows_affected() == 0 {
            return Ok(None);
        }
        let row = sqlx::query(ONE).bind(id.to_string()).fetch_optional(&mut *connection).await.map_err(fault)?;
        row.as_ref().map(mail).transpose()
    }

    async fn identify(&self, id: Uuid, identity: &Identity) -> Result<bool, AccountsError> {
        let (id, content) = (id.to_string(), identity.content.to_vec());
        let message = identity.message.map(|hash| hash.to_vec());
        let mut tx = self.begin(Turn::Mail).await?;
        let read = sqlx::query(READ).bind(&id).bind(&identity.sender).bind(&identity.subject);
        read.execute(&mut *tx).await.map_err(fault)?;
        let same = sqlx::query(SAME).bind(&id).bind(&message).bind(&content);
        let first = same.fetch_optional(&mut *tx).await.map_err(fault)?.is_none();
        if first {
            let known = sqlx::query(IDENTIFY).bind(&id).bind(&message).bind(&content);
            known.execute(&mut *tx).await.map_err(fault)?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(first)
    }

    async fn settle(
        &self,
        id: Uuid,
        from: MailState,
        settled: &Settled,
        by: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let row = sqlx::query(SETTLE)
            .bind(id.to_string())
            .bind(from.as_str())
            .bind(settled.state.as_str())
            .bind(settled.why)
            .bind(&settled.detail)
            .bind(&settled.complaint)
            .bind(micros(now))
            .bind(by);
        let done = row.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(done.rows_affected() > 0)
    }

    async fn postpone(&self, id: Uuid, until: DateTime<Utc>) -> Result<(), AccountsError> {
        let row = sqlx::query(POSTPONE).bind(id.to_string()).bind(micros(until));
        row.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn release(&self, id: Uuid, by: &str, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let row = sqlx::query(RELEASE).bind(id.to_string()).bind(micros(now)).bind(by);
        let done = row.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(done.rows_affected() > 0)
    }

    async fn confirm(&self, id: Uuid, sender: &str, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let row = sqlx::query(CONFIRM).bind(id.to_string()).bind(sender).bind(micros(now));
        let done = row.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(done.rows_affected() > 0)
    }

    async fn unconfirmed(&self, sender: &str, limit: u32) -> Result<Vec<InboundMail>, AccountsError> {
        let rows = sqlx::query(UNCONFIRMED).bind(sender).bind(i64::from(limit));
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        rows.iter().map(mail).collect()
    }

    async fn ask(
        &self,
        question: &Question,
        hashes: QuestionHashes,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Mail).await?;
        let recent = sqlx::query_scalar(RECENT_QUESTION).bind(&question.address).bind(micros(since));
        let recent = recent.bind(question.reference.as_deref().unwrap_or_default());
        let recent: i64 = recent.fetch_one(&mut *tx).await.map_err(fault)?;
        if recent > 0 {
            return Ok(false);
        }
        let row = sqlx::query(ASK).bind(question.id.to_string()).bind(&question.address).bind(hashes.token.to_vec());
        let row = row.bind(micros(now)).bind(micros(expires_at)).bind(&question.reference);
        let row = row.bind(hashes.code.map(|code| code.to_vec()));
        row.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }

    async fn claim_questions(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Question>, AccountsError> {
        let mut connection = self.connection().await?;
        let rows = sqlx::query(DUE_QUESTIONS).bind(micros(now)).bind(i64::from(limit));
        let mut claimed = Vec::new();
        for row in rows.fetch_all(&mut *connection).await.map_err(fault)? {
            let id = id_of(&row, "server_mail_confirmations")?;
            let claim = sqlx::query(CLAIM_QUESTION).bind(id.to_string()).bind(micros(now)).bind(micros(until));
            // Somebody else may have been faster.
            if claim.execute(&mut *connection).await.map_err(fault)?.rows_affected() > 0 {
                claimed.push(Question {
                    id,
                    address: row.try_get("address").map_err(fault)?,
                    reference: row.try_get("reference").map_err(fault)?,
                    with_code: row.try_get("with_code").map_err(fault)?,
                    attempts: count(&row, "server_mail_confirmations", "attempts")?,
                });
            }
        }
        Ok(claimed)
    }

    async fn asked(&self, id: Uuid, code_expires_at: DateTime<Utc>) -> Result<(), AccountsError> {
        let row = sqlx::query(ASKED).bind(id.to_string()).bind(micros(code_expires_at));
        row.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn postpone_question(&self, id: Uuid, until: DateTime<Utc>) -> Result<(), AccountsError> {
        let row = sqlx::query(POSTPONE_QUESTION).bind(id.to_string()).bind(micros(until));
        row.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn question_of_code(
        &self,
        address: &str,
        code: SecretHash,
        tries: u32,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, AccountsError> {
        let mut tx = self.begin(Turn::Mail).await?;
        let query = sqlx::query(TRY_CODE).bind(address).bind(code.to_vec()).bind(micros(now)).bind(i64::from(tries));
        let rows = query.fetch_all(&mut *tx).await.map_err(fault)?;
        // The try is written down either way.
        tx.commit().await.map_err(fault)?;
        for row in &rows {
            if row.try_get("is_right").map_err(fault)? {
                return id_of(row, "server_mail_confirmations").map(Some);
            }
        }
        Ok(None)
    }

    async fn address_of(&self, token: SecretHash, now: DateTime<Utc>) -> Result<Option<String>, AccountsError> {
        let address = sqlx::query_scalar(ADDRESS).bind(token.to_vec()).bind(micros(now));
        address.fetch_optional(&mut *self.connection().await?).await.map_err(fault)
    }

    async fn purge_mail(
        &self,
        settled_before: DateTime<Utc>,
        quarantined_before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64, AccountsError> {
        let mut purged = 0;
        for (statement, before) in
            [(PURGE_SETTLED, settled_before), (PURGE_QUARANTINED, quarantined_before), (PURGE_QUESTIONS, now)]
        {
            let done = sqlx::query(statement).bind(micros(before)).execute(&mut *self.connection().await?).await;
            purged += done.map_err(fault)?.rows_affected();
        }
        Ok(purged)
    }
}

fn mail(row: &Row) -> Result<InboundMail, AccountsError> {
    let text = |column| row.try_get::<Option<String>, _>(column).map_err(fault);
    let state: String = row.try_get("state").map_err(fault)?;
    Ok(InboundMail {
        place: row.try_get("place").map_err(fault)?,
        id: id_of(row, TABLE)?,
        by_form: row.try_get("by_form").map_err(fault)?,
        received_at: instant(row, TABLE, "received_at")?,
        size: count(row, TABLE, "size")?.into(),
        whole_size: row
            .try_get::<Option<i64>, _>("whole_size")
            .map_err(fault)?
            .and_then(|size| u64::try_from(size).ok()),
        sender: text("sender")?,
        subject: text("subject")?,
        state: MailState::from_name(&state).ok_or(AccountsError::Corrupt { table: TABLE, column: "state" })?,
        why: text("why")?,
        detail: text("detail")?,
        complaint: text("complaint")?,
        released: row.try_get("released").map_err(fault)?,
        confirmed: row.try_get("confirmed").map_err(fault)?,
        attempts: count(row, TABLE, "attempts")?,
        settled_at: optional_instant(row, TABLE, "settled_at")?,
        settled_by: text("settled_by")?,
    })
}

fn id_of(row: &Row, table: &'static str) -> Result<Uuid, AccountsError> {
    let id: String = row.try_get("id").map_err(fault)?;
    id.parse().map_err(|_| AccountsError::Corrupt { table, column: "id" })
}

fn count(row: &Row, table: &'static str, column: &'static str) -> Result<u32, AccountsError> {
    let count: i64 = row.try_get(column).map_err(fault)?;
    u32::try_from(count).map_err(|_| AccountsError::Corrupt { table, column })
}
