//! Second factors in SQL, once for every engine, as accounts are in `auth/sql.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Row as _;

use super::sql::{Turn, end_access_but, insert_mail, insert_mail_to, instant, micros};
use super::{Connection, Kept, fault};
use crate::auth::accounts::{AccountMailKind, AccountsError, KeptOpen};
use crate::auth::second_factor::kept::{FactorSecret, KeptFactor, SecondFactors};
use crate::auth::secret::SecretHash;

const OFFER: &str = "INSERT INTO server_second_factors (account_id, secret, offered_at)
    SELECT id, $2, $3 FROM server_accounts WHERE id = $1 AND second_factor_at IS NULL
    ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret, offered_at = excluded.offered_at, last_step = 0";
const FACTOR: &str = "SELECT secret, offered_at FROM server_second_factors WHERE account_id = $1";
const CONFIRM: &str = "UPDATE server_accounts SET second_factor_at = $2 WHERE id = $1 AND second_factor_at IS NULL
    AND EXISTS (SELECT 1 FROM server_second_factors WHERE account_id = $1 AND secret = $3)";
const TAKE_STEP: &str = "UPDATE server_second_factors SET last_step = $2 WHERE account_id = $1 AND last_step < $2";
const TAKE_CODE: &str = "DELETE FROM server_recovery_codes WHERE account_id = $1 AND hash = $2";
const COUNT_CODES: &str = "SELECT count(*) FROM server_recovery_codes WHERE account_id = $1";
const REMOVE_CODES: &str = "DELETE FROM server_recovery_codes WHERE account_id = $1";
const INSERT_CODE: &str = "INSERT INTO server_recovery_codes (account_id, hash) VALUES ($1, $2)";
const REMOVE: &str =
    "UPDATE server_accounts SET second_factor_at = NULL WHERE id = $1 AND second_factor_at IS NOT NULL";
const REMOVE_SECRET: &str = "DELETE FROM server_second_factors WHERE account_id = $1";

#[async_trait]
impl SecondFactors for Kept {
    async fn offer_factor(&self, id: &str, secret: FactorSecret, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let offer = sqlx::query(OFFER).bind(id).bind(secret.to_vec()).bind(micros(now));
        let offered = offer.execute(&mut *tx).await.map_err(fault)?.rows_affected() > 0;
        tx.commit().await.map_err(fault)?;
        Ok(offered)
    }

    async fn factor_of(&self, id: &str) -> Result<Option<KeptFactor>, AccountsError> {
        let row = sqlx::query(FACTOR).bind(id).fetch_optional(&mut *self.connection().await?).await.map_err(fault)?;
        row.map(|row| {
            let secret: Vec<u8> = row.try_get("secret").map_err(fault)?;
            let corrupt = |_| AccountsError::Corrupt { table: "server_second_factors", column: "secret" };
            let offered_at = instant(&row, "server_second_factors", "offered_at")?;
            Ok(KeptFactor { secret: secret.try_into().map_err(corrupt)?, offered_at })
        })
        .transpose()
    }

    async fn confirm_factor(
        &self,
        id: &str,
        secret: FactorSecret,
        step: i64,
        recovery: &[SecretHash],
        kept: KeptOpen,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let confirm = sqlx::query(CONFIRM).bind(id).bind(micros(now)).bind(secret.to_vec());
        if confirm.execute(&mut *tx).await.map_err(fault)?.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(TAKE_STEP).bind(id).bind(step).execute(&mut *tx).await.map_err(fault)?;
        put_codes(&mut tx, id, recovery).await?;
        end_access_but(&mut tx, id, Some(kept), now).await?;
        insert_mail(&mut tx, id, AccountMailKind::SecondFactorAdded, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }

    async fn take_step(&self, id: &str, step: i64) -> Result<bool, AccountsError> {
        let take = sqlx::query(TAKE_STEP).bind(id).bind(step);
        let taken = take.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(taken.rows_affected() > 0)
    }

    async fn take_recovery_code(&self, id: &str, code: SecretHash, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let take = sqlx::query(TAKE_CODE).bind(id).bind(code.to_vec());
        if take.execute(&mut *tx).await.map_err(fault)?.rows_affected() == 0 {
            return Ok(false);
        }
        let left: i64 = sqlx::query_scalar(COUNT_CODES).bind(id).fetch_one(&mut *tx).await.map_err(fault)?;
        let about = left.to_string();
        insert_mail_to(&mut tx, id, AccountMailKind::RecoveryCodeUsed, None, Some(&about), now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }

    async fn recovery_codes_left(&self, id: &str) -> Result<u32, AccountsError> {
        let count = sqlx::query_scalar(COUNT_CODES).bind(id);
        let left: i64 = count.fetch_one(&mut *self.connection().await?).await.map_err(fault)?;
        u32::try_from(left).map_err(|_| AccountsError::Corrupt { table: "server_recovery_codes", column: "hash" })
    }

    async fn replace_recovery_codes(&self, id: &str, codes: &[SecretHash]) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        put_codes(&mut tx, id, codes).await?;
        tx.commit().await.map_err(fault)
    }

    async fn remove_factor(
        &self,
        id: &str,
        mail: AccountMailKind,
        kept: Option<KeptOpen>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        if sqlx::query(REMOVE).bind(id).execute(&mut *tx).await.map_err(fault)?.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(REMOVE_SECRET).bind(id).execute(&mut *tx).await.map_err(fault)?;
        put_codes(&mut tx, id, &[]).await?;
        end_access_but(&mut tx, id, kept, now).await?;
        insert_mail(&mut tx, id, mail, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(true)
    }
}

/// Gives an account these recovery codes and no others.
async fn put_codes(tx: &mut Connection, id: &str, codes: &[SecretHash]) -> Result<(), AccountsError> {
    sqlx::query(REMOVE_CODES).bind(id).execute(&mut *tx).await.map_err(fault)?;
    for code in codes {
        sqlx::query(INSERT_CODE).bind(id).bind(code.to_vec()).execute(&mut *tx).await.map_err(fault)?;
    }
    Ok(())
}
