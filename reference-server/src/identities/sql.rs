//! Identities in SQL, once for every engine, as accounts are in `auth/sql.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use complaint_core::clock::{IdSource as _, RandomIds};
use sqlx::Row as _;

use super::sql::{Turn, account, insert_account, insert_mail_to, instant, may_be_id, micros};
use super::{Connection, Kept, fault};
use crate::auth::accounts::{Account, AccountMailKind, AccountsError, NewAccount};
use crate::auth::secret::SecretHash;
use crate::auth::values::{EmailAddress, Role};
use crate::identities::kept::{Identities, Identity, Linked, NewIdentity, Unlinked};

const ACCOUNT: &str =
    "SELECT id, name, email, phone, role, email_verified_at, disabled_at, created_at, deletion_asked_at, second_factor_at, password_hash
    FROM server_accounts WHERE id = $1";
const ACCOUNT_OF_IDENTITY: &str =
    "SELECT a.id, a.name, a.email, a.phone, a.role, a.email_verified_at, a.disabled_at, a.created_at, a.deletion_asked_at, a.second_factor_at
    FROM server_identities i JOIN server_accounts a ON a.id = i.account_id WHERE i.issuer = $1 AND i.subject = $2";
const IDENTITIES_OF: &str = "SELECT id, issuer, email, linked_at FROM server_identities WHERE account_id = $1
    ORDER BY linked_at, id";
const INSERT: &str = "INSERT INTO server_identities (id, account_id, issuer, subject, email, linked_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const REMOVE: &str = "DELETE FROM server_identities WHERE id = $1 AND account_id = $2";
const USE_ONCE: &str = "INSERT INTO server_used_passages (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const FORGET_USED: &str = "DELETE FROM server_used_passages WHERE expires_at <= $1";

#[async_trait]
impl Identities for Kept {
    async fn account_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<Account>, AccountsError> {
        let mut connection = self.connection().await?;
        account_of(&mut connection, issuer, subject).await
    }

    async fn identities_of(&self, account_id: &str) -> Result<Vec<Identity>, AccountsError> {
        let mut connection = self.connection().await?;
        identities_of(&mut connection, account_id).await
    }

    async fn account_with_identity(
        &self,
        new: NewAccount,
        identity: NewIdentity<'_>,
        now: DateTime<Utc>,
    ) -> Result<Account, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        if let Some(faster) = account_of(&mut tx, identity.issuer, identity.subject).await? {
            return Ok(faster);
        }
        let made = insert_account(&mut tx, &new, now).await?;
        insert(&mut tx, &made.id, identity, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(made)
    }

    async fn link(
        &self,
        account_id: &str,
        identity: NewIdentity<'_>,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Linked, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let row = sqlx::query(ACCOUNT).bind(account_id).fetch_optional(&mut *tx).await.map_err(fault)?;
        let open = |known: &Account| known.role == Role::Customer && known.disabled_at.is_none();
        let Some(known) = row.as_ref().map(account).transpose()?.filter(open) else { return Ok(Linked::Closed) };
        let normalised = |text: &str| EmailAddress::parse(text).ok().map(|email| email.normalised());
        let same = normalised(&known.email).is_some_and(|own| Some(own) == normalised(identity.email));
        if known.email_verified_at.is_none() || !same {
            return Ok(Linked::OtherEmail);
        }
        match account_of(&mut tx, identity.issuer, identity.subject).await? {
            Some(owner) if owner.id == account_id => return Ok(Linked::Done),
            Some(_) => return Ok(Linked::Taken),
            None => {}
        }
        insert(&mut tx, account_id, identity, now).await?;
        insert_mail_to(&mut tx, account_id, AccountMailKind::IdentityChanged, None, Some(about), now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(Linked::Done)
    }

    async fn unlink(
        &self,
        account_id: &str,
        id: &str,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Unlinked, AccountsError> {
        if !may_be_id(id) {
            return Ok(Unlinked::NotFound);
        }
        let mut tx = self.begin(Turn::Accounts).await?;
        let linked = identities_of(&mut tx, account_id).await?;
        if linked.iter().all(|identity| identity.id != id) {
            return Ok(Unlinked::NotFound);
        }
        let row = sqlx::query(ACCOUNT).bind(account_id).fetch_one(&mut *tx).await.map_err(fault)?;
        let password: Option<String> = row.try_get("password_hash").map_err(fault)?;
        if password.is_none() && linked.len() == 1 {
            return Ok(Unlinked::LastWayIn);
        }
        sqlx::query(REMOVE).bind(id).bind(account_id).execute(&mut *tx).await.map_err(fault)?;
        insert_mail_to(&mut tx, account_id, AccountMailKind::IdentityChanged, None, Some(about), now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(Unlinked::Done)
    }

    async fn use_once(
        &self,
        hash: SecretHash,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let mut tx = self.begin(Turn::Free).await?;
        sqlx::query(FORGET_USED).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        let used = sqlx::query(USE_ONCE).bind(hash.to_vec()).bind(micros(until));
        let used = used.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(used.rows_affected() == 1)
    }
}

async fn account_of(
    connection: &mut Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<Account>, AccountsError> {
    let row = sqlx::query(ACCOUNT_OF_IDENTITY).bind(issuer).bind(subject).fetch_optional(connection).await;
    row.map_err(fault)?.as_ref().map(account).transpose()
}

async fn identities_of(connection: &mut Connection, account_id: &str) -> Result<Vec<Identity>, AccountsError> {
    let rows = sqlx::query(IDENTITIES_OF).bind(account_id).fetch_all(connection).await.map_err(fault)?;
    let linked = rows.iter().map(|row| {
        Ok(Identity {
            id: row.try_get("id").map_err(fault)?,
            issuer: row.try_get("issuer").map_err(fault)?,
            email: row.try_get("email").map_err(fault)?,
            linked_at: instant(row, "server_identities", "linked_at")?,
        })
    });
    linked.collect()
}

async fn insert(
    tx: &mut Connection,
    account_id: &str,
    identity: NewIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    let id = RandomIds.next_id(now).to_string();
    let insert = sqlx::query(INSERT).bind(id).bind(account_id).bind(identity.issuer).bind(identity.subject);
    insert.bind(identity.email).bind(micros(now)).execute(tx).await.map(drop).map_err(fault)
}
