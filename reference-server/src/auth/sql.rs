//! Accounts in SQL, once for every engine: each engine's module holds this one as its child and gives it its own types,
//! transactions and meaning of errors. Generic over the engine it would need a page of bounds for every function.
//!
//! What a statement here says, every engine understands alike; where they differ, the text stands with the engine.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::clock::{IdSource as _, RandomIds};
use sqlx::Row as _;
use uuid::Uuid;

use super::{CLAIM_MAIL, Connection, Kept, Row, fault};
use crate::auth::accounts::{
    Account, AccountChange, AccountFilter, AccountMailKind, Accounts, AccountsError, Admission, Asked, AskedMail,
    AttemptKind, AttemptLimits, Chosen, Confirmation, Credentials, Door, EmailAsked, HeldKey, KeptOpen, LogIn, Made,
    MailJob, MailOutcome, NewAccount, NewSession, NewToken, OpenSession, Origin, PhoneCode, PhoneLimits, PolicyVersion,
    PolicyVersions, SessionView, SignUp, TokenPurpose,
};
use crate::auth::documents::{Acceptance, DocumentKind};
use crate::auth::secret::SecretHash;
use crate::auth::values::{EmailAddress, Phone, Role};

/// The most accounts at once: a page of 100, and one more to see whether there is another.
const ACCOUNTS_MAX: u32 = 101;
const ONE_DAY: TimeDelta = TimeDelta::days(1);
/// How long log-ins are listed, and a device is known by them.
const LOG_INS_KEPT: TimeDelta = TimeDelta::days(365);
/// How long a mail that is done stays for the operator to look up.
const MAIL_KEPT: TimeDelta = TimeDelta::days(30);

const ACCOUNT: &str = "SELECT id, name, email, phone, role, email_verified_at, disabled_at, created_at, deletion_asked_at, second_factor_at, password_hash FROM server_accounts WHERE id = $1";
const ACCOUNT_BY_EMAIL: &str = "SELECT id, name, email, phone, role, email_verified_at, disabled_at, created_at, deletion_asked_at, second_factor_at, password_hash FROM server_accounts WHERE email_normalised = $1";
const ACCOUNTS_AFTER: &str =
    "SELECT id, name, email, phone, role, email_verified_at, disabled_at, created_at, deletion_asked_at, second_factor_at FROM server_accounts
    WHERE id > $1 AND ($2 IS NULL OR role = $2) ORDER BY id LIMIT $3";
const INSERT_ACCOUNT: &str = "INSERT INTO server_accounts (id, name, email, email_normalised, phone, password_hash, role, email_verified_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const UPDATE_ACCOUNT: &str =
    "UPDATE server_accounts SET name = $2, phone = $3, role = $4, disabled_at = $5 WHERE id = $1";
const SIGN_UPS_DIFFER: &str = "UPDATE server_accounts SET password_hash = $2, sign_ups_differ = TRUE WHERE id = $1";
const REPLACE_PASSWORD: &str = "UPDATE server_accounts SET password_hash = $2 WHERE id = $1";
const CHANGE_EMAIL: &str =
    "UPDATE server_accounts SET email = $2, email_normalised = $3, email_verified_at = $4 WHERE id = $1";
const TOKEN_SENT_TO: &str = "SELECT sent_to FROM server_one_time_tokens WHERE hash = $1";
const POSTAL_ADDRESSES: &str = "SELECT postal_addresses FROM server_accounts WHERE id = $1";
const SET_POSTAL_ADDRESSES: &str = "UPDATE server_accounts SET postal_addresses = $2 WHERE id = $1";
const ACCEPTANCES: &str =
    "SELECT document, version, at FROM server_acceptances WHERE account_id = $1 ORDER BY at, document, version";
const ACCEPT: &str =
    "INSERT INTO server_acceptances (account_id, document, version, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const ASK_FOR_DELETION: &str =
    "UPDATE server_accounts SET deletion_asked_at = $2 WHERE id = $1 AND deletion_asked_at IS NULL";
const WITHDRAW_DELETION: &str = "UPDATE server_accounts SET deletion_asked_at = NULL WHERE id = $1";
const RENEW_HASH: &str = "UPDATE server_accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
const SET_PASSWORD: &str =
    "UPDATE server_accounts SET password_hash = $2, email_verified_at = coalesce(email_verified_at, $3) WHERE id = $1";
const CONFIRM_EMAIL: &str =
    "UPDATE server_accounts SET email_verified_at = coalesce(email_verified_at, $2), sign_ups_differ = FALSE,
    name = coalesce($3, name), password_hash = coalesce($4, password_hash) WHERE id = $1";
const TAKE_OVER: &str =
    "UPDATE server_accounts SET email_verified_at = $2, sign_ups_differ = FALSE, name = $3, password_hash = NULL
    WHERE id = $1";
const CONFIRMATION: &str = "SELECT a.sign_ups_differ OR a.password_hash IS NULL FROM server_one_time_tokens t JOIN server_accounts a ON a.id = t.account_id
    WHERE t.hash = $1 AND t.purpose = 'verify_email' AND t.used_at IS NULL AND t.expires_at > $2 AND a.disabled_at IS NULL";
const HAS_IDENTITY: &str = "SELECT EXISTS (SELECT 1 FROM server_identities WHERE account_id = $1)";
const COUNT_ADMINS: &str = "SELECT count(*) FROM server_accounts WHERE role = 'admin' AND disabled_at IS NULL";

const INSERT_TOKEN: &str =
    "INSERT INTO server_one_time_tokens (hash, purpose, account_id, created_at, expires_at, code_hash, code_expires_at, sent_to)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_SETUP_TOKEN: &str =
    "INSERT INTO server_one_time_tokens (hash, purpose, created_at, expires_at) VALUES ($1, 'setup_admin', $2, $3)";
const TRY_CODE: &str =
    "UPDATE server_one_time_tokens SET tries = tries + CASE WHEN code_hash = $3 THEN 0 ELSE 1 END
    WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $4 AND code_expires_at > $4 AND tries < $5
    RETURNING hash, code_hash";
const GOOD_TOKEN: &str =
    "SELECT a.id, a.name, a.email, a.phone, a.role, a.email_verified_at, a.disabled_at, a.created_at, a.deletion_asked_at, a.second_factor_at
    FROM server_one_time_tokens t JOIN server_accounts a ON a.id = t.account_id
    WHERE t.hash = $1 AND t.purpose = $2 AND t.used_at IS NULL AND t.expires_at > $3 AND a.disabled_at IS NULL";
const USE_TOKEN: &str = "UPDATE server_one_time_tokens SET used_at = $3 WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 RETURNING account_id";
const END_TOKENS: &str =
    "UPDATE server_one_time_tokens SET used_at = $3 WHERE account_id = $1 AND purpose = $2 AND used_at IS NULL";
const END_TOKENS_OF: &str = "UPDATE server_one_time_tokens SET used_at = $2 WHERE account_id = $1 AND used_at IS NULL";
const END_SETUP_TOKENS: &str = "DELETE FROM server_one_time_tokens WHERE purpose = 'setup_admin'";
const GOOD_SETUP_TOKEN: &str = "SELECT count(*) FROM server_one_time_tokens WHERE hash = $1 AND purpose = 'setup_admin' AND used_at IS NULL AND expires_at > $2";

const INSERT_SESSION: &str = "INSERT INTO server_sessions (hash, account_id, created_at, last_seen_at, idle_expires_at, expires_at, device, address) VALUES ($1, $2, $3, $3, $4, $5, $6, $7)";
const SESSIONS_OF: &str = "SELECT hash, created_at, last_seen_at, expires_at, device, address FROM server_sessions
    WHERE account_id = $1 AND idle_expires_at > $2 AND expires_at > $2 ORDER BY last_seen_at DESC, created_at DESC, hash LIMIT 100";
const CLOSE_SESSION_OF: &str = "DELETE FROM server_sessions WHERE account_id = $1 AND hash = $2";
const CLOSE_OTHER_SESSIONS: &str = "DELETE FROM server_sessions WHERE account_id = $1 AND ($2 IS NULL OR hash <> $2)";

const INSERT_LOG_IN: &str =
    "INSERT INTO server_log_ins (account_id, at, door, device, address, browser) VALUES ($1, $2, $3, $4, $5, $6)";
// The first log-in of all is from nowhere new.
const KNOWN_DEVICE: &str = "SELECT NOT EXISTS (SELECT 1 FROM server_log_ins WHERE account_id = $1)
    OR EXISTS (SELECT 1 FROM server_log_ins WHERE account_id = $1 AND (browser = $2 OR (device = $3 AND address = $4)))";
const LOGGED_IN_FROM: &str =
    "SELECT EXISTS (SELECT 1 FROM server_log_ins l JOIN server_accounts a ON a.id = l.account_id
    WHERE a.email_normalised = $1 AND l.address = $2 AND l.at > $3)";
const LOG_INS_OF: &str = "SELECT id, at, door, device, address FROM server_log_ins
    WHERE account_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
const PURGE_LOG_INS: &str = "DELETE FROM server_log_ins WHERE at <= $1";
const SESSION: &str = "SELECT a.id, a.name, a.email, a.phone, a.role, a.email_verified_at, a.disabled_at, a.created_at, a.deletion_asked_at, a.second_factor_at, s.last_seen_at, s.expires_at
    FROM server_sessions s JOIN server_accounts a ON a.id = s.account_id
    WHERE s.hash = $1 AND s.idle_expires_at > $2 AND s.expires_at > $2 AND a.disabled_at IS NULL";
const TOUCH_SESSION: &str = "UPDATE server_sessions SET last_seen_at = $2, idle_expires_at = CASE WHEN $3 < expires_at THEN $3 ELSE expires_at END WHERE hash = $1 AND last_seen_at < $2";
const CLOSE_SESSION: &str = "DELETE FROM server_sessions WHERE hash = $1";
const CLOSE_SESSIONS_OF: &str = "DELETE FROM server_sessions WHERE account_id = $1";

const INSERT_API_TOKEN: &str =
    "INSERT INTO server_api_tokens (hash, account_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
const API_TOKEN: &str =
    "SELECT a.id, a.name, a.email, a.phone, a.role, a.email_verified_at, a.disabled_at, a.created_at, a.deletion_asked_at, a.second_factor_at
    FROM server_api_tokens t JOIN server_accounts a ON a.id = t.account_id
    WHERE t.hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 AND a.disabled_at IS NULL";
const REVOKE_API_TOKEN: &str = "UPDATE server_api_tokens SET revoked_at = $2 WHERE hash = $1 AND revoked_at IS NULL";
const REVOKE_API_TOKENS_OF: &str =
    "UPDATE server_api_tokens SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL";
const REVOKE_OTHER_API_TOKENS: &str = "UPDATE server_api_tokens SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL AND ($3 IS NULL OR hash <> $3)";

// The n-th newest try within the window decides: while it is inside, the limit is used up, and it says until when.
const LIMITING_BY_SUBJECT: &str =
    "SELECT at FROM server_attempts WHERE kind = $1 AND subject = $2 AND at > $3 ORDER BY at DESC LIMIT 1 OFFSET $4";
const LIMITING_BY_BOTH: &str = "SELECT at FROM server_attempts WHERE kind = $1 AND subject = $2 AND address = $3 AND at > $4 ORDER BY at DESC LIMIT 1 OFFSET $5";
const LIMITING_BY_ADDRESS: &str =
    "SELECT at FROM server_attempts WHERE kind = $1 AND address = $2 AND at > $3 ORDER BY at DESC LIMIT 1 OFFSET $4";
const INSERT_ATTEMPT: &str =
    "INSERT INTO server_attempts (kind, subject, address, at) VALUES ($1, $2, $3, $4) RETURNING id";
const FORGIVE_ATTEMPT: &str = "DELETE FROM server_attempts WHERE id = $1";

const LIMITING_CODE_OF_ACCOUNT: &str = "SELECT made_at FROM server_phone_codes WHERE account_id = $1 AND made_at > $2 ORDER BY made_at DESC LIMIT 1 OFFSET $3";
const LIMITING_CODE_TO_PHONE: &str =
    "SELECT made_at FROM server_phone_codes WHERE phone = $1 AND made_at > $2 ORDER BY made_at DESC LIMIT 1 OFFSET $3";
const END_PHONE_CODES: &str = "UPDATE server_phone_codes SET ended = TRUE WHERE account_id = $1";
const INSERT_PHONE_CODE: &str = "INSERT INTO server_phone_codes (account_id, phone, hash, made_at, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
const TRY_PHONE_CODE: &str = "UPDATE server_phone_codes SET tries = tries + 1
    WHERE account_id = $1 AND NOT ended AND expires_at > $2 AND tries < $3 RETURNING phone, hash";
const SET_PHONE: &str = "UPDATE server_accounts SET phone = $2 WHERE id = $1";

const INSERT_MAIL: &str = "INSERT INTO server_mail_outbox (id, account_id, kind, created_at, next_try_at, sent_to, about) VALUES ($1, $2, $3, $4, $4, $5, $6)";
const LIMITING_MAIL: &str = "SELECT created_at FROM server_mail_outbox WHERE account_id = $1 AND kind = $2 AND created_at > $3 ORDER BY created_at DESC LIMIT 1 OFFSET $4";
// One statement, whether there is such an account or not: the time it takes must not tell.
const ASK_FOR_MAIL: &str = "INSERT INTO server_mail_outbox (id, account_id, kind, created_at, next_try_at)
    SELECT $1, a.id, $3, $4, $4 FROM server_accounts a
    WHERE a.email_normalised = $2 AND a.disabled_at IS NULL AND a.email_verified_at IS NOT NULL
    AND ($7 IS NULL OR a.role = $7) AND $6 > (SELECT count(*) FROM server_mail_outbox m WHERE m.account_id = a.id AND m.kind = $3 AND m.created_at > $5)";
const RECENT_MAIL: &str =
    "SELECT count(*) FROM server_mail_outbox WHERE account_id = $1 AND kind = $2 AND created_at > $3";
const MAIL_DONE: &str = "UPDATE server_mail_outbox SET sent_at = $2, attempts = attempts + 1, last_error = NULL WHERE id = $1 AND sent_at IS NULL";
const MAIL_RETRY: &str = "UPDATE server_mail_outbox SET next_try_at = $2, attempts = attempts + 1, last_error = $3 WHERE id = $1 AND sent_at IS NULL";
const MAIL_GIVEN_UP: &str = "UPDATE server_mail_outbox SET given_up_at = $2, attempts = attempts + 1, last_error = $3 WHERE id = $1 AND sent_at IS NULL";

const PURGE_SESSIONS: &str = "DELETE FROM server_sessions WHERE expires_at <= $1 OR idle_expires_at <= $1";
const PURGE_TOKENS: &str = "DELETE FROM server_one_time_tokens WHERE expires_at <= $1";
const PURGE_API_TOKENS: &str = "DELETE FROM server_api_tokens WHERE expires_at <= $1";
const PURGE_ATTEMPTS: &str = "DELETE FROM server_attempts WHERE at <= $1";
const PURGE_PHONE_CODES: &str = "DELETE FROM server_phone_codes WHERE made_at <= $1";
const PURGE_MAIL: &str =
    "DELETE FROM server_mail_outbox WHERE (sent_at IS NOT NULL OR given_up_at IS NOT NULL) AND created_at <= $1";

const MADE_UNDER_KEY: &str =
    "SELECT fingerprint, location, body FROM server_made_under_keys WHERE account_id = $1 AND key = $2";
const KEEP_MADE: &str = "INSERT INTO server_made_under_keys (account_id, key, fingerprint, location, body, made_at) VALUES ($1, $2, $3, $4, $5, $6)";

const NEWEST_POLICY: &str = "SELECT max(version) FROM server_policy_versions";
const LATEST_POLICY: &str =
    "SELECT version, toml, made_at, made_by FROM server_policy_versions ORDER BY version DESC LIMIT 1";
const INSERT_POLICY: &str =
    "INSERT INTO server_policy_versions (version, toml, made_at, made_by) VALUES ($1, $2, $3, $4)";

/// What a transaction reads before it writes: two of a kind come one after the other, whoever begins them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// Accounts and what opens them.
    Accounts,
    /// Tries that count against a limit.
    Attempts,
    /// Versions of the policy.
    Policy,
    /// Mail that comes in.
    Mail,
    /// It reads nothing first, or locks what it reads.
    Free,
}

#[async_trait]
impl Accounts for Kept {
    async fn ping(&self) -> Result<(), AccountsError> {
        sqlx::query(COUNT_ADMINS).fetch_one(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn insert(
        &self,
        new: NewAccount,
        mail: Option<AccountMailKind>,
        now: DateTime<Utc>,
    ) -> Result<Account, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let account = insert_account(&mut tx, &new, now).await?;
        if let Some(kind) = mail {
            insert_mail(&mut tx, &account.id, kind, now).await?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(account)
    }

    async fn sign_up(&self, new: NewAccount, now: DateTime<Utc>) -> Result<SignUp, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let found =
            sqlx::query(ACCOUNT_BY_EMAIL).bind(new.email.normalised()).fetch_optional(&mut *tx).await.map_err(fault)?;
        let outcome = match found.as_ref().map(account).transpose()? {
            None => {
                let account = insert_account(&mut tx, &new, now).await?;
                insert_mail(&mut tx, &account.id, AccountMailKind::VerifyEmail, now).await?;
                SignUp::Made
            }
            Some(account) if is_unconfirmed_customer(&account) => SignUp::Unconfirmed { id: account.id },
            Some(account) => {
                if account.disabled_at.is_none() && account.email_verified_at.is_some() {
                    // A guest has only complained so far; whoever reads their mail may choose a password.
                    let is_guest = found.as_ref().map(credentials).transpose()?.is_some_and(|known| known.is_guest());
                    let kind = if is_guest { AccountMailKind::GuestSignUp } else { AccountMailKind::AlreadyRegistered };
                    insert_mail_once_a_day(&mut tx, &account.id, kind, now).await?;
                }
                SignUp::Known
            }
        };
        tx.commit().await.map_err(fault)?;
        Ok(outcome)
    }

    async fn sign_up_again(
        &self,
        id: &str,
        other_password: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let found = sqlx::query(ACCOUNT).bind(id).fetch_optional(&mut *tx).await.map_err(fault)?;
        let Some(row) = &found else { return Ok(()) };
        let known = account(row)?;
        let kind = if is_unconfirmed_customer(&known) {
            if let Some(hash) = other_password {
                sqlx::query(SIGN_UPS_DIFFER).bind(&known.id).bind(hash).execute(&mut *tx).await.map_err(fault)?;
            }
            AccountMailKind::VerifyEmail
        } else if credentials(row)?.is_guest() {
            AccountMailKind::GuestSignUp
        } else {
            return Ok(());
        };
        insert_mail_once_a_day(&mut tx, &known.id, kind, now).await?;
        tx.commit().await.map_err(fault)
    }

    async fn account_of_owner(&self, new: NewAccount, now: DateTime<Utc>) -> Result<Account, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let found =
            sqlx::query(ACCOUNT_BY_EMAIL).bind(new.email.normalised()).fetch_optional(&mut *tx).await.map_err(fault)?;
        let owned = match found.as_ref().map(account).transpose()? {
            None => {
                let made = insert_account(&mut tx, &new, now).await?;
                tx.commit().await.map_err(fault)?;
                return Ok(made);
            }
            Some(known) if is_unconfirmed_customer(&known) => {
                let taken = sqlx::query(TAKE_OVER).bind(&known.id).bind(micros(now)).bind(new.name.as_str());
                taken.execute(&mut *tx).await.map_err(fault)?;
                end_tokens(&mut tx, &known.id, TokenPurpose::VerifyEmail, now).await?;
                let name = new.name.as_str().to_owned();
                Account { name, email_verified_at: Some(whole_micros(now)), ..known }
            }
            Some(known) => return Ok(known),
        };
        insert_mail(&mut tx, &owned.id, AccountMailKind::GuestSignUp, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(owned)
    }

    async fn by_id(&self, id: &str) -> Result<Option<Account>, AccountsError> {
        Ok(self.credentials(id).await?.map(|known| known.account))
    }

    async fn credentials(&self, id: &str) -> Result<Option<Credentials>, AccountsError> {
        if !may_be_id(id) {
            return Ok(None);
        }
        let row = sqlx::query(ACCOUNT).bind(id).fetch_optional(&mut *self.connection().await?).await.map_err(fault)?;
        row.as_ref().map(credentials).transpose()
    }

    async fn by_email(&self, email: &EmailAddress) -> Result<Option<Credentials>, AccountsError> {
        let row = sqlx::query(ACCOUNT_BY_EMAIL)
            .bind(email.normalised())
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        row.as_ref().map(credentials).transpose()
    }

    async fn list(&self, filter: AccountFilter) -> Result<Vec<Account>, AccountsError> {
        let rows = sqlx::query(ACCOUNTS_AFTER)
            .bind(filter.after.unwrap_or_default())
            .bind(filter.role.map(Role::as_str))
            .bind(i64::from(filter.limit.clamp(1, ACCOUNTS_MAX)))
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        rows.iter().map(account).collect()
    }

    async fn change(&self, id: &str, change: AccountChange, now: DateTime<Utc>) -> Result<Account, AccountsError> {
        if !may_be_id(id) {
            return Err(AccountsError::NoSuchAccount);
        }
        let mut tx = self.begin(Turn::Accounts).await?;
        let found = sqlx::query(ACCOUNT).bind(id).fetch_optional(&mut *tx).await.map_err(fault)?;
        let before = found.as_ref().map(account).transpose()?.ok_or(AccountsError::NoSuchAccount)?;
        let mut after = before.clone();
        if let Some(name) = change.name {
            name.as_str().clone_into(&mut after.name);
        }
        if let Some(phone) = change.phone {
            after.phone = phone.map(|phone| phone.as_str().to_owned());
        }
        if let Some(role) = change.role {
            after.role = role;
        }
        if let Some(disabled) = change.disabled {
            after.disabled_at = if disabled { before.disabled_at.or(Some(now)) } else { None };
        }
        let runs = |account: &Account| account.role == Role::Admin && account.disabled_at.is_none();
        if runs(&before) && !runs(&after) && count_admins(&mut tx).await? <= 1 {
            return Err(AccountsError::LastAdmin);
        }
        sqlx::query(UPDATE_ACCOUNT)
            .bind(id)
            .bind(&after.name)
            .bind(&after.phone)
            .bind(after.role.as_str())
            .bind(after.disabled_at.map(micros))
            .execute(&mut *tx)
            .await
            .map_err(fault)?;
        if change.ends_access
            || before.role != after.role
            || (before.disabled_at.is_none() && after.disabled_at.is_some())
        {
            end_access(&mut tx, id, now).await?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(after)
    }

    async fn renew_password_hash(&self, id: &str, old: &str, new: &str) -> Result<(), AccountsError> {
        sqlx::query(RENEW_HASH)
            .bind(id)
            .bind(old)
            .bind(new)
            .execute(&mut *self.connection().await?)
            .await
            .map(drop)
            .map_err(fault)
    }

    async fn invite_again(&self, id: &str, now: DateTime<Utc>) -> Result<(), AccountsError> {
        if !may_be_id(id) {
            return Err(AccountsError::NoSuchAccount);
        }
        let mut tx = self.begin(Turn::Accounts).await?;
        let found = sqlx::query(ACCOUNT).bind(id).fetch_optional(&mut *tx).await.map_err(fault)?;
        let account = found.as_ref().map(account).transpose()?.ok_or(AccountsError::NoSuchAccount)?;
        if !account.role.is_staff() || account.email_verified_at.is_some() || account.disabled_at.is_some() {
            return Err(AccountsError::NoSuchAccount);
        }
        insert_mail(&mut tx, id, AccountMailKind::Invitation, now).await?;
        tx.commit().await.map_err(fault)
    }

    async fn has_identity(&self, id: &str) -> Result<bool, AccountsError> {
        let has = sqlx::query(HAS_IDENTITY).bind(id).fetch_one(&mut *self.connection().await?).await.map_err(fault)?;
        has.try_get(0).map_err(fault)
    }

    async fn has_admin(&self) -> Result<bool, AccountsError> {
        let mut connection = self.connection().await?;
        Ok(count_admins(&mut connection).await? > 0)
    }

    async fn add_token(&self, new: &NewToken, now: DateTime<Utc>) -> Result<(), AccountsError> {
        let insert = sqlx::query(INSERT_TOKEN)
            .bind(new.hash.to_vec())
            .bind(new.purpose.as_str())
            .bind(&new.account_id)
            .bind(micros(now))
            .bind(micros(new.expires_at))
            .bind(new.code.map(|code| code.hash.to_vec()))
            .bind(new.code.map(|code| micros(code.expires_at)))
            .bind(&new.sent_to);
        insert.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn token_of_code(
        &self,
        account_id: &str,
        purpose: TokenPurpose,
        code: SecretHash,
        tries: u32,
        now: DateTime<Utc>,
    ) -> Result<Option<SecretHash>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let attempt = sqlx::query(TRY_CODE)
            .bind(account_id)
            .bind(purpose.as_str())
            .bind(code.to_vec())
            .bind(micros(now))
            .bind(i64::from(tries));
        let rows = attempt.fetch_all(&mut *tx).await.map_err(fault)?;
        // The try is written down either way.
        tx.commit().await.map_err(fault)?;
        let bytes = |row: &Row, column| row.try_get::<Vec<u8>, _>(column).map_err(fault);
        for row in &rows {
            if bytes(row, "code_hash")? == code {
                let hash = bytes(row, "hash")?.try_into();
                return hash
                    .map(Some)
                    .map_err(|_| AccountsError::Corrupt { table: "server_one_time_tokens", column: "hash" });
            }
        }
        Ok(None)
    }

    async fn token_is_good(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError> {
        let row = sqlx::query(GOOD_TOKEN)
            .bind(hash.to_vec())
            .bind(purpose.as_str())
            .bind(micros(now))
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        row.as_ref().map(account).transpose()
    }

    async fn confirmation(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Asked>, AccountsError> {
        let mut connection = self.connection().await?;
        asked(&mut connection, hash, now).await
    }

    async fn confirm_email(
        &self,
        hash: SecretHash,
        chosen: Option<&Chosen>,
        now: DateTime<Utc>,
    ) -> Result<Confirmation, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        // Looked at again under the lock: another sign-up may have come since the page was shown.
        match asked(&mut tx, hash, now).await? {
            None => return Ok(Confirmation::NotGood),
            Some(Asked::NameAndPassword) if chosen.is_none() => return Ok(Confirmation::Asks),
            Some(_) => {}
        }
        let Some(mut account) = use_token(&mut tx, hash, TokenPurpose::VerifyEmail, now).await? else {
            return Ok(Confirmation::NotGood);
        };
        sqlx::query(CONFIRM_EMAIL)
            .bind(&account.id)
            .bind(micros(now))
            .bind(chosen.map(|chosen| chosen.name.as_str()))
            .bind(chosen.map(|chosen| chosen.password_hash.as_str()))
            .execute(&mut *tx)
            .await
            .map_err(fault)?;
        if let Some(chosen) = chosen {
            chosen.name.as_str().clone_into(&mut account.name);
            // By none of them another password is chosen over this one.
            sqlx::query(END_TOKENS_OF).bind(&account.id).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(Confirmation::Done(account))
    }

    async fn set_password(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let Some(account) = use_token(&mut tx, hash, purpose, now).await? else {
            return Ok(None);
        };
        sqlx::query(SET_PASSWORD)
            .bind(&account.id)
            .bind(password_hash)
            .bind(micros(now))
            .execute(&mut *tx)
            .await
            .map_err(fault)?;
        end_access(&mut tx, &account.id, now).await?;
        sqlx::query(END_TOKENS_OF).bind(&account.id).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        if purpose == TokenPurpose::ResetPassword {
            insert_mail(&mut tx, &account.id, AccountMailKind::PasswordChanged, now).await?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(Some(account))
    }

    async fn take_token(
        &self,
        hash: SecretHash,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let taken = use_token(&mut tx, hash, purpose, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(taken)
    }

    async fn replace_password(
        &self,
        id: &str,
        password_hash: &str,
        kept: KeptOpen,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        sqlx::query(REPLACE_PASSWORD).bind(id).bind(password_hash).execute(&mut *tx).await.map_err(fault)?;
        end_access_but(&mut tx, id, Some(kept), now).await?;
        sqlx::query(END_TOKENS_OF).bind(id).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        insert_mail(&mut tx, id, AccountMailKind::PasswordChanged, now).await?;
        tx.commit().await.map_err(fault)
    }

    async fn ask_for_email(
        &self,
        id: &str,
        email: &EmailAddress,
        most: u32,
        window: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<EmailAsked, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        // Counted by what the present address is told: that happens each time.
        let limiting = sqlx::query(LIMITING_MAIL)
            .bind(id)
            .bind(AccountMailKind::EmailChangeAsked.as_str())
            .bind(micros(now - window))
            .bind(i64::from(most.saturating_sub(1)));
        if let Some(row) = limiting.fetch_optional(&mut *tx).await.map_err(fault)? {
            let until = instant(&row, "server_mail_outbox", "created_at")? + window;
            return Ok(EmailAsked::Refused { until });
        }
        end_tokens(&mut tx, id, TokenPurpose::ChangeEmail, now).await?;
        let found =
            sqlx::query(ACCOUNT_BY_EMAIL).bind(email.normalised()).fetch_optional(&mut *tx).await.map_err(fault)?;
        let other = found.as_ref().map(account).transpose()?.filter(|other| other.id != id);
        match other {
            Some(other) if other.disabled_at.is_none() && other.email_verified_at.is_some() => {
                insert_mail_once_a_day(&mut tx, &other.id, AccountMailKind::AddressWanted, now).await?;
            }
            // Disabled, or not confirmed: nobody is there to be told.
            Some(_) => {}
            None => insert_mail_to(&mut tx, id, AccountMailKind::ChangeEmail, Some(email.as_str()), None, now).await?,
        }
        insert_mail(&mut tx, id, AccountMailKind::EmailChangeAsked, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(EmailAsked::Asked)
    }

    async fn change_email(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Account>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let sent = sqlx::query(TOKEN_SENT_TO).bind(hash.to_vec()).fetch_optional(&mut *tx).await.map_err(fault)?;
        let sent_to = sent.map(|row| row.try_get::<Option<String>, _>("sent_to")).transpose().map_err(fault)?.flatten();
        let Some(before) = use_token(&mut tx, hash, TokenPurpose::ChangeEmail, now).await? else { return Ok(None) };
        let corrupt = || AccountsError::Corrupt { table: "server_one_time_tokens", column: "sent_to" };
        let email = EmailAddress::parse(&sent_to.ok_or_else(corrupt)?).map_err(|_| corrupt())?;
        let found =
            sqlx::query(ACCOUNT_BY_EMAIL).bind(email.normalised()).fetch_optional(&mut *tx).await.map_err(fault)?;
        if found.as_ref().map(account).transpose()?.is_some_and(|other| other.id != before.id) {
            return Err(AccountsError::EmailTaken);
        }
        let change = sqlx::query(CHANGE_EMAIL).bind(&before.id).bind(email.as_str()).bind(email.normalised());
        change.bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        sqlx::query(END_TOKENS_OF).bind(&before.id).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        let kind = AccountMailKind::EmailChanged;
        insert_mail_to(&mut tx, &before.id, kind, Some(&before.email), None, now).await?;
        insert_mail(&mut tx, &before.id, kind, now).await?;
        tx.commit().await.map_err(fault)?;
        let email_verified_at = Some(whole_micros(now));
        Ok(Some(Account { email: email.as_str().to_owned(), email_verified_at, ..before }))
    }

    async fn postal_addresses(&self, id: &str) -> Result<String, AccountsError> {
        let row = sqlx::query(POSTAL_ADDRESSES).bind(id).fetch_optional(&mut *self.connection().await?).await;
        row.map_err(fault)?.ok_or(AccountsError::NoSuchAccount)?.try_get(0).map_err(fault)
    }

    async fn set_postal_addresses(&self, id: &str, json: &str) -> Result<(), AccountsError> {
        let set = sqlx::query(SET_POSTAL_ADDRESSES).bind(id).bind(json);
        set.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn acceptances(&self, id: &str) -> Result<Vec<Acceptance>, AccountsError> {
        let rows = sqlx::query(ACCEPTANCES).bind(id).fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        let accepted = rows.iter().map(|row| {
            let kind: String = row.try_get("document").map_err(fault)?;
            let kind = DocumentKind::ALL.into_iter().find(|known| known.as_str() == kind);
            Ok(Acceptance {
                kind: kind.ok_or(AccountsError::Corrupt { table: "server_acceptances", column: "document" })?,
                version: row.try_get("version").map_err(fault)?,
                at: instant(row, "server_acceptances", "at")?,
            })
        });
        accepted.collect()
    }

    async fn accept(
        &self,
        id: &str,
        kind: DocumentKind,
        version: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let accept = sqlx::query(ACCEPT).bind(id).bind(kind.as_str()).bind(version).bind(micros(now));
        accept.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn ask_for_deletion(&self, id: &str, now: DateTime<Utc>) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let asked = sqlx::query(ASK_FOR_DELETION).bind(id).bind(micros(now)).execute(&mut *tx).await.map_err(fault)?;
        if asked.rows_affected() > 0 {
            insert_mail(&mut tx, id, AccountMailKind::DeletionAsked, now).await?;
        }
        tx.commit().await.map_err(fault)
    }

    async fn withdraw_deletion(&self, id: &str) -> Result<(), AccountsError> {
        let withdraw = sqlx::query(WITHDRAW_DELETION).bind(id);
        withdraw.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn replace_setup_token(
        &self,
        hash: SecretHash,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        sqlx::query(END_SETUP_TOKENS).execute(&mut *tx).await.map_err(fault)?;
        let insert = sqlx::query(INSERT_SETUP_TOKEN).bind(hash.to_vec()).bind(micros(now)).bind(micros(expires_at));
        insert.execute(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)
    }

    async fn setup_token_is_good(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<bool, AccountsError> {
        let row = sqlx::query(GOOD_SETUP_TOKEN)
            .bind(hash.to_vec())
            .bind(micros(now))
            .fetch_one(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        Ok(row.try_get::<i64, _>(0).map_err(fault)? > 0 && !self.has_admin().await?)
    }

    async fn set_up(
        &self,
        hash: SecretHash,
        new: NewAccount,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let used = sqlx::query(USE_TOKEN).bind(hash.to_vec()).bind(TokenPurpose::SetupAdmin.as_str()).bind(micros(now));
        if used.fetch_optional(&mut *tx).await.map_err(fault)?.is_none() || count_admins(&mut tx).await? > 0 {
            return Ok(None);
        }
        let account = insert_account(&mut tx, &new, now).await?;
        tx.commit().await.map_err(fault)?;
        Ok(Some(account))
    }

    async fn open_session(
        &self,
        new: NewSession,
        replaces: Option<SecretHash>,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Free).await?;
        if let Some(old) = replaces {
            sqlx::query(CLOSE_SESSION).bind(old.to_vec()).execute(&mut *tx).await.map_err(fault)?;
        }
        let insert = sqlx::query(INSERT_SESSION).bind(new.hash.to_vec()).bind(&new.account_id).bind(micros(now));
        let insert = insert.bind(micros(new.idle_expires_at)).bind(micros(new.expires_at));
        let insert = insert.bind(&new.origin.device).bind(&new.origin.address);
        insert.execute(&mut *tx).await.map_err(fault)?;
        note_log_in(&mut tx, &new.account_id, new.door, &new.origin, now).await?;
        tx.commit().await.map_err(fault)
    }

    async fn session(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<SessionView>, AccountsError> {
        let row = sqlx::query(SESSION)
            .bind(hash.to_vec())
            .bind(micros(now))
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        row.map(|row| {
            Ok(SessionView {
                account: account(&row)?,
                last_seen_at: instant(&row, "server_sessions", "last_seen_at")?,
                expires_at: instant(&row, "server_sessions", "expires_at")?,
            })
        })
        .transpose()
    }

    async fn touch_session(
        &self,
        hash: SecretHash,
        now: DateTime<Utc>,
        idle_expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let touch = sqlx::query(TOUCH_SESSION).bind(hash.to_vec()).bind(micros(now)).bind(micros(idle_expires_at));
        touch.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn close_session(&self, hash: SecretHash) -> Result<(), AccountsError> {
        sqlx::query(CLOSE_SESSION)
            .bind(hash.to_vec())
            .execute(&mut *self.connection().await?)
            .await
            .map(drop)
            .map_err(fault)
    }

    async fn sessions_of(&self, account_id: &str, now: DateTime<Utc>) -> Result<Vec<OpenSession>, AccountsError> {
        let rows = sqlx::query(SESSIONS_OF).bind(account_id).bind(micros(now));
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        let open = rows.iter().map(|row| {
            let at = |column| instant(row, "server_sessions", column);
            let hash: Vec<u8> = row.try_get("hash").map_err(fault)?;
            Ok(OpenSession {
                hash: hash
                    .try_into()
                    .map_err(|_| AccountsError::Corrupt { table: "server_sessions", column: "hash" })?,
                created_at: at("created_at")?,
                last_seen_at: at("last_seen_at")?,
                expires_at: at("expires_at")?,
                device: row.try_get("device").map_err(fault)?,
                address: row.try_get("address").map_err(fault)?,
            })
        });
        open.collect()
    }

    async fn close_session_of(&self, account_id: &str, hash: SecretHash) -> Result<bool, AccountsError> {
        let close = sqlx::query(CLOSE_SESSION_OF).bind(account_id).bind(hash.to_vec());
        let closed = close.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(closed.rows_affected() > 0)
    }

    async fn close_other_sessions(&self, account_id: &str, kept: Option<SecretHash>) -> Result<u64, AccountsError> {
        let close = sqlx::query(CLOSE_OTHER_SESSIONS).bind(account_id).bind(kept.map(|hash| hash.to_vec()));
        let closed = close.execute(&mut *self.connection().await?).await.map_err(fault)?;
        Ok(closed.rows_affected())
    }

    async fn logged_in_from(
        &self,
        email: &EmailAddress,
        address: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, AccountsError> {
        let seen = sqlx::query(LOGGED_IN_FROM).bind(email.normalised()).bind(address).bind(micros(since));
        let seen = seen.fetch_one(&mut *self.connection().await?).await.map_err(fault)?;
        seen.try_get(0).map_err(fault)
    }

    async fn log_ins_of(&self, account_id: &str, before: Option<i64>, limit: u32) -> Result<Vec<LogIn>, AccountsError> {
        let rows = sqlx::query(LOG_INS_OF).bind(account_id).bind(before).bind(i64::from(limit));
        let rows = rows.fetch_all(&mut *self.connection().await?).await.map_err(fault)?;
        let listed = rows.iter().map(|row| {
            let door: String = row.try_get("door").map_err(fault)?;
            let door = Door::ALL.into_iter().find(|known| known.as_str() == door);
            Ok(LogIn {
                id: row.try_get("id").map_err(fault)?,
                at: instant(row, "server_log_ins", "at")?,
                door: door.ok_or(AccountsError::Corrupt { table: "server_log_ins", column: "door" })?,
                device: row.try_get("device").map_err(fault)?,
                address: row.try_get("address").map_err(fault)?,
            })
        });
        listed.collect()
    }

    async fn add_api_token(
        &self,
        hash: SecretHash,
        account_id: &str,
        origin: &Origin,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin(Turn::Free).await?;
        let insert = sqlx::query(INSERT_API_TOKEN)
            .bind(hash.to_vec())
            .bind(account_id)
            .bind(micros(now))
            .bind(micros(expires_at));
        insert.execute(&mut *tx).await.map_err(fault)?;
        note_log_in(&mut tx, account_id, Door::ApiToken, origin, now).await?;
        tx.commit().await.map_err(fault)
    }

    async fn api_token(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Account>, AccountsError> {
        let row = sqlx::query(API_TOKEN)
            .bind(hash.to_vec())
            .bind(micros(now))
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(fault)?;
        row.as_ref().map(account).transpose()
    }

    async fn revoke_api_token(&self, hash: SecretHash, now: DateTime<Utc>) -> Result<(), AccountsError> {
        sqlx::query(REVOKE_API_TOKEN)
            .bind(hash.to_vec())
            .bind(micros(now))
            .execute(&mut *self.connection().await?)
            .await
            .map(drop)
            .map_err(fault)
    }

    async fn admit_attempt(
        &self,
        kind: AttemptKind,
        subject: SecretHash,
        address: &str,
        limits: AttemptLimits,
        mail: Option<AskedMail<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Admission, AccountsError> {
        let since = micros(now - limits.window);
        let mut tx = self.begin(Turn::Attempts).await?;
        let mut limiting = Vec::new();
        if let Some(most) = limits.per_subject_and_address {
            let query = sqlx::query(LIMITING_BY_BOTH)
                .bind(kind.as_str())
                .bind(subject.to_vec())
                .bind(address)
                .bind(since)
                .bind(i64::from(most.saturating_sub(1)));
            limiting.extend(query.fetch_optional(&mut *tx).await.map_err(fault)?);
        }
        if let Some(most) = limits.per_subject {
            let query = sqlx::query(LIMITING_BY_SUBJECT)
                .bind(kind.as_str())
                .bind(subject.to_vec())
                .bind(since)
                .bind(i64::from(most.saturating_sub(1)));
            limiting.extend(query.fetch_optional(&mut *tx).await.map_err(fault)?);
        }
        let query = sqlx::query(LIMITING_BY_ADDRESS)
            .bind(kind.as_str())
            .bind(address)
            .bind(since)
            .bind(i64::from(limits.per_address.saturating_sub(1)));
        limiting.extend(query.fetch_optional(&mut *tx).await.map_err(fault)?);
        let mut until = None;
        for row in &limiting {
            until = until.max(Some(instant(row, "server_attempts", "at")? + limits.window));
        }
        if let Some(until) = until {
            return Ok(Admission::Refused { until });
        }
        let insert =
            sqlx::query(INSERT_ATTEMPT).bind(kind.as_str()).bind(subject.to_vec()).bind(address).bind(micros(now));
        let attempt = insert.fetch_one(&mut *tx).await.map_err(fault)?.try_get(0).map_err(fault)?;
        if let Some(mail) = mail {
            sqlx::query(ASK_FOR_MAIL)
                .bind(RandomIds.next_id(now).to_string())
                .bind(mail.email.normalised())
                .bind(mail.kind.as_str())
                .bind(micros(now))
                .bind(micros(now - mail.window))
                .bind(i64::from(mail.most))
                .bind(mail.role.map(Role::as_str))
                .execute(&mut *tx)
                .await
                .map_err(fault)?;
        }
        tx.commit().await.map_err(fault)?;
        Ok(Admission::Admitted { attempt })
    }

    async fn forgive_attempt(&self, attempt: i64) -> Result<(), AccountsError> {
        sqlx::query(FORGIVE_ATTEMPT)
            .bind(attempt)
            .execute(&mut *self.connection().await?)
            .await
            .map(drop)
            .map_err(fault)
    }

    async fn add_phone_code(
        &self,
        code: &PhoneCode,
        limits: PhoneLimits,
        now: DateTime<Utc>,
    ) -> Result<Admission, AccountsError> {
        let mut tx = self.begin(Turn::Attempts).await?;
        let since = micros(now - limits.window);
        let last = i64::from(limits.codes.saturating_sub(1));
        for (limiting, of) in [(LIMITING_CODE_OF_ACCOUNT, &code.account_id), (LIMITING_CODE_TO_PHONE, &code.phone)] {
            let row = sqlx::query(limiting).bind(of).bind(since).bind(last).fetch_optional(&mut *tx).await;
            if let Some(row) = row.map_err(fault)? {
                let until = instant(&row, "server_phone_codes", "made_at")? + limits.window;
                return Ok(Admission::Refused { until });
            }
        }
        sqlx::query(END_PHONE_CODES).bind(&code.account_id).execute(&mut *tx).await.map_err(fault)?;
        let kept = sqlx::query(INSERT_PHONE_CODE).bind(&code.account_id).bind(&code.phone).bind(&code.hash[..]);
        let row = kept.bind(micros(now)).bind(micros(code.expires_at)).fetch_one(&mut *tx).await.map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(Admission::Admitted { attempt: row.try_get("id").map_err(fault)? })
    }

    async fn confirm_phone(
        &self,
        account_id: &str,
        hash: SecretHash,
        limits: PhoneLimits,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, AccountsError> {
        let mut tx = self.begin(Turn::Accounts).await?;
        let tried = sqlx::query(TRY_PHONE_CODE).bind(account_id).bind(micros(now)).bind(i64::from(limits.tries));
        let sent = match tried.fetch_optional(&mut *tx).await.map_err(fault)? {
            Some(row) if row.try_get::<Vec<u8>, _>("hash").map_err(fault)? == hash => {
                Some(row.try_get::<String, _>("phone").map_err(fault)?)
            }
            _ => None,
        };
        let mut confirmed = None;
        if let Some(phone) = sent {
            sqlx::query(END_PHONE_CODES).bind(account_id).execute(&mut *tx).await.map_err(fault)?;
            sqlx::query(SET_PHONE).bind(account_id).bind(phone).execute(&mut *tx).await.map_err(fault)?;
            let row = sqlx::query(ACCOUNT).bind(account_id).fetch_optional(&mut *tx).await.map_err(fault)?;
            confirmed = row.as_ref().map(account).transpose()?;
        }
        // The try is written down either way.
        tx.commit().await.map_err(fault)?;
        Ok(confirmed)
    }

    async fn claim_mail(
        &self,
        now: DateTime<Utc>,
        lease: TimeDelta,
        limit: u32,
    ) -> Result<Vec<MailJob>, AccountsError> {
        let mut tx = self.begin(Turn::Free).await?;
        let claim = sqlx::query(CLAIM_MAIL).bind(micros(now)).bind(micros(now + lease)).bind(i64::from(limit));
        let mut rows = claim.fetch_all(&mut *tx).await.map_err(fault)?;
        rows.sort_by_key(|row| row.try_get::<i64, _>("created_at").unwrap_or_default());
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            let owner: String = row.try_get("account_id").map_err(fault)?;
            let owner = sqlx::query(ACCOUNT).bind(owner).fetch_one(&mut *tx).await.map_err(fault)?;
            let kind: String = row.try_get("kind").map_err(fault)?;
            let id: String = row.try_get("id").map_err(fault)?;
            jobs.push(MailJob {
                id: id.parse().map_err(|_| AccountsError::Corrupt { table: "server_mail_outbox", column: "id" })?,
                account: account(&owner)?,
                kind: AccountMailKind::ALL
                    .into_iter()
                    .find(|known| known.as_str() == kind)
                    .ok_or(AccountsError::Corrupt { table: "server_mail_outbox", column: "kind" })?,
                sent_to: row.try_get("sent_to").map_err(fault)?,
                about: row.try_get("about").map_err(fault)?,
                attempts: u32::try_from(row.try_get::<i64, _>("attempts").map_err(fault)?)
                    .map_err(|_| AccountsError::Corrupt { table: "server_mail_outbox", column: "attempts" })?,
                asked_at: instant(row, "server_mail_outbox", "created_at")?,
            });
        }
        tx.commit().await.map_err(fault)?;
        Ok(jobs)
    }

    async fn settle_mail(&self, id: Uuid, outcome: MailOutcome, now: DateTime<Utc>) -> Result<(), AccountsError> {
        let id = id.to_string();
        let settle = match outcome {
            MailOutcome::Done => sqlx::query(MAIL_DONE).bind(id).bind(micros(now)),
            MailOutcome::Retry { at, error } => sqlx::query(MAIL_RETRY).bind(id).bind(micros(at)).bind(error),
            MailOutcome::GivenUp { error } => sqlx::query(MAIL_GIVEN_UP).bind(id).bind(micros(now)).bind(error),
        };
        settle.execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn made_under_key(&self, account_id: &str, key: &str) -> Result<Option<(String, Made)>, AccountsError> {
        let row =
            sqlx::query(MADE_UNDER_KEY).bind(account_id).bind(key).fetch_optional(&mut *self.connection().await?).await;
        let Some(row) = row.map_err(fault)? else { return Ok(None) };
        let text = |column| row.try_get::<String, _>(column).map_err(fault);
        Ok(Some((text("fingerprint")?, Made { location: text("location")?, body: text("body")? })))
    }

    async fn keep_made(
        &self,
        account_id: &str,
        key: &str,
        fingerprint: &str,
        made: &Made,
        now: DateTime<Utc>,
    ) -> Result<(), AccountsError> {
        let keep = sqlx::query(KEEP_MADE).bind(account_id).bind(key).bind(fingerprint).bind(&made.location);
        keep.bind(&made.body).bind(micros(now)).execute(&mut *self.connection().await?).await.map(drop).map_err(fault)
    }

    async fn hold_key(&self, account_id: &str, key: &str) -> Result<HeldKey, AccountsError> {
        self.hold(account_id, key).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, AccountsError> {
        let mut purged = 0;
        for (statement, before) in [
            (PURGE_SESSIONS, now),
            (PURGE_TOKENS, now),
            (PURGE_API_TOKENS, now),
            (PURGE_ATTEMPTS, now - ONE_DAY),
            (PURGE_PHONE_CODES, now - ONE_DAY),
            (PURGE_LOG_INS, now - LOG_INS_KEPT),
            (PURGE_MAIL, now - MAIL_KEPT),
        ] {
            purged += sqlx::query(statement)
                .bind(micros(before))
                .execute(&mut *self.connection().await?)
                .await
                .map_err(fault)?
                .rows_affected();
        }
        Ok(purged)
    }
}

#[async_trait]
impl PolicyVersions for Kept {
    async fn newest(&self) -> Result<u64, AccountsError> {
        let newest: Option<i64> =
            sqlx::query_scalar(NEWEST_POLICY).fetch_one(&mut *self.connection().await?).await.map_err(fault)?;
        u64::try_from(newest.unwrap_or_default())
            .map_err(|_| AccountsError::Corrupt { table: "server_policy_versions", column: "version" })
    }

    async fn latest(&self) -> Result<Option<PolicyVersion>, AccountsError> {
        let row = sqlx::query(LATEST_POLICY).fetch_optional(&mut *self.connection().await?).await.map_err(fault)?;
        row.as_ref().map(policy_version).transpose()
    }

    async fn append(
        &self,
        expected: u64,
        toml: &str,
        made_by: &str,
        now: DateTime<Utc>,
    ) -> Result<PolicyVersion, AccountsError> {
        let mut tx = self.begin(Turn::Policy).await?;
        let row = sqlx::query(LATEST_POLICY).fetch_optional(&mut *tx).await.map_err(fault)?;
        let current = row.as_ref().map(policy_version).transpose()?.map_or(0, |latest| latest.version);
        if current != expected {
            return Err(AccountsError::Conflict { current });
        }
        let made = PolicyVersion {
            version: current + 1,
            toml: toml.to_owned(),
            made_at: whole_micros(now),
            made_by: made_by.to_owned(),
        };
        let version = i64::try_from(made.version)
            .map_err(|_| AccountsError::Corrupt { table: "server_policy_versions", column: "version" })?;
        sqlx::query(INSERT_POLICY)
            .bind(version)
            .bind(&made.toml)
            .bind(micros(now))
            .bind(&made.made_by)
            .execute(&mut *tx)
            .await
            .map_err(fault)?;
        tx.commit().await.map_err(fault)?;
        Ok(made)
    }
}

pub(super) async fn insert_account(
    tx: &mut Connection,
    new: &NewAccount,
    now: DateTime<Utc>,
) -> Result<Account, AccountsError> {
    let verified_at = new.email_verified.then_some(now);
    sqlx::query(INSERT_ACCOUNT)
        .bind(&new.id)
        .bind(new.name.as_str())
        .bind(new.email.as_str())
        .bind(new.email.normalised())
        .bind(new.phone.as_ref().map(Phone::as_str))
        .bind(&new.password_hash)
        .bind(new.role.as_str())
        .bind(verified_at.map(micros))
        .bind(micros(now))
        .execute(tx)
        .await
        .map_err(|error| match error.as_database_error() {
            Some(database) if database.is_unique_violation() && database.message().contains("email_normalised") => {
                AccountsError::EmailTaken
            }
            _ => fault(error),
        })?;
    Ok(Account {
        id: new.id.clone(),
        name: new.name.as_str().to_owned(),
        email: new.email.as_str().to_owned(),
        phone: new.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        role: new.role,
        email_verified_at: verified_at.map(whole_micros),
        disabled_at: None,
        created_at: whole_micros(now),
        deletion_asked_at: None,
        second_factor_at: None,
    })
}

pub(super) async fn insert_mail(
    tx: &mut Connection,
    account_id: &str,
    kind: AccountMailKind,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    insert_mail_to(tx, account_id, kind, None, None, now).await
}

/// Queues a mail to another address than the account's, or that says something beside its kind.
pub(super) async fn insert_mail_to(
    tx: &mut Connection,
    account_id: &str,
    kind: AccountMailKind,
    sent_to: Option<&str>,
    about: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    let id = RandomIds.next_id(now).to_string();
    sqlx::query(INSERT_MAIL)
        .bind(id)
        .bind(account_id)
        .bind(kind.as_str())
        .bind(micros(now))
        .bind(sent_to)
        .bind(about)
        .execute(tx)
        .await
        .map(drop)
        .map_err(fault)
}

async fn insert_mail_once_a_day(
    tx: &mut Connection,
    account_id: &str,
    kind: AccountMailKind,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    let recent = sqlx::query(RECENT_MAIL).bind(account_id).bind(kind.as_str()).bind(micros(now - ONE_DAY));
    let recent: i64 = recent.fetch_one(&mut *tx).await.map_err(fault)?.try_get(0).map_err(fault)?;
    if recent == 0 { insert_mail(tx, account_id, kind, now).await } else { Ok(()) }
}

async fn asked(
    connection: &mut Connection,
    hash: SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<Asked>, AccountsError> {
    let row = sqlx::query(CONFIRMATION).bind(hash.to_vec()).bind(micros(now));
    let row = row.fetch_optional(connection).await.map_err(fault)?;
    row.map(|row| {
        let nothing_counts: bool = row.try_get(0).map_err(fault)?;
        Ok(if nothing_counts { Asked::NameAndPassword } else { Asked::Nothing })
    })
    .transpose()
}

async fn use_token(
    tx: &mut Connection,
    hash: SecretHash,
    purpose: TokenPurpose,
    now: DateTime<Utc>,
) -> Result<Option<Account>, AccountsError> {
    let row = sqlx::query(GOOD_TOKEN)
        .bind(hash.to_vec())
        .bind(purpose.as_str())
        .bind(micros(now))
        .fetch_optional(&mut *tx)
        .await
        .map_err(fault)?;
    let Some(mut account) = row.as_ref().map(account).transpose()? else {
        return Ok(None);
    };
    // Its siblings (a mail sent twice) end with it.
    end_tokens(tx, &account.id, purpose, now).await?;
    account.email_verified_at = account.email_verified_at.or(Some(whole_micros(now)));
    Ok(Some(account))
}

async fn end_tokens(
    tx: &mut Connection,
    account_id: &str,
    purpose: TokenPurpose,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    sqlx::query(END_TOKENS)
        .bind(account_id)
        .bind(purpose.as_str())
        .bind(micros(now))
        .execute(tx)
        .await
        .map(drop)
        .map_err(fault)
}

async fn end_access(tx: &mut Connection, account_id: &str, now: DateTime<Utc>) -> Result<(), AccountsError> {
    sqlx::query(CLOSE_SESSIONS_OF).bind(account_id).execute(&mut *tx).await.map_err(fault)?;
    sqlx::query(REVOKE_API_TOKENS_OF).bind(account_id).bind(micros(now)).execute(tx).await.map(drop).map_err(fault)
}

/// As [`end_access`], but for what is `kept`.
pub(super) async fn end_access_but(
    tx: &mut Connection,
    account_id: &str,
    kept: Option<KeptOpen>,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    let (session, token) = match kept {
        Some(KeptOpen::Session(hash)) => (Some(hash.to_vec()), None),
        Some(KeptOpen::ApiToken(hash)) => (None, Some(hash.to_vec())),
        None => (None, None),
    };
    sqlx::query(CLOSE_OTHER_SESSIONS).bind(account_id).bind(session).execute(&mut *tx).await.map_err(fault)?;
    let revoke = sqlx::query(REVOKE_OTHER_API_TOKENS).bind(account_id).bind(micros(now)).bind(token);
    revoke.execute(tx).await.map(drop).map_err(fault)
}

/// Notes a log-in, and tells the owner if it is from nowhere known.
async fn note_log_in(
    tx: &mut Connection,
    account_id: &str,
    door: Door,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<(), AccountsError> {
    let browser = origin.browser.map(|hash| hash.to_vec());
    let known = sqlx::query(KNOWN_DEVICE).bind(account_id).bind(&browser).bind(&origin.device).bind(&origin.address);
    let known: bool = known.fetch_one(&mut *tx).await.map_err(fault)?.try_get(0).map_err(fault)?;
    let note = sqlx::query(INSERT_LOG_IN).bind(account_id).bind(micros(now)).bind(door.as_str());
    let note = note.bind(&origin.device).bind(&origin.address).bind(browser);
    note.execute(&mut *tx).await.map_err(fault)?;
    if known {
        return Ok(());
    }
    let device = if origin.device.is_empty() { "an unknown program" } else { &origin.device };
    let about = format!("{device}, from the network address {}", origin.address);
    insert_mail_to(tx, account_id, AccountMailKind::NewDevice, None, Some(&about), now).await
}

async fn count_admins(connection: &mut Connection) -> Result<i64, AccountsError> {
    sqlx::query(COUNT_ADMINS).fetch_one(connection).await.map_err(fault)?.try_get(0).map_err(fault)
}

/// Nobody has an id that cannot be kept; PostgreSQL would refuse the question.
pub(super) fn may_be_id(id: &str) -> bool {
    !id.contains('\0')
}

fn is_unconfirmed_customer(account: &Account) -> bool {
    account.role == Role::Customer && account.email_verified_at.is_none() && account.disabled_at.is_none()
}

fn credentials(row: &Row) -> Result<Credentials, AccountsError> {
    Ok(Credentials { account: account(row)?, password_hash: row.try_get("password_hash").map_err(fault)? })
}

pub(super) fn account(row: &Row) -> Result<Account, AccountsError> {
    let role: String = row.try_get("role").map_err(fault)?;
    Ok(Account {
        id: row.try_get("id").map_err(fault)?,
        name: row.try_get("name").map_err(fault)?,
        email: row.try_get("email").map_err(fault)?,
        phone: row.try_get("phone").map_err(fault)?,
        role: Role::from_name(&role).ok_or(AccountsError::Corrupt { table: "server_accounts", column: "role" })?,
        email_verified_at: optional_instant(row, "server_accounts", "email_verified_at")?,
        disabled_at: optional_instant(row, "server_accounts", "disabled_at")?,
        created_at: instant(row, "server_accounts", "created_at")?,
        deletion_asked_at: optional_instant(row, "server_accounts", "deletion_asked_at")?,
        second_factor_at: optional_instant(row, "server_accounts", "second_factor_at")?,
    })
}

fn policy_version(row: &Row) -> Result<PolicyVersion, AccountsError> {
    let version: i64 = row.try_get("version").map_err(fault)?;
    Ok(PolicyVersion {
        version: u64::try_from(version)
            .map_err(|_| AccountsError::Corrupt { table: "server_policy_versions", column: "version" })?,
        toml: row.try_get("toml").map_err(fault)?,
        made_at: instant(row, "server_policy_versions", "made_at")?,
        made_by: row.try_get("made_by").map_err(fault)?,
    })
}

pub(super) fn instant(row: &Row, table: &'static str, column: &'static str) -> Result<DateTime<Utc>, AccountsError> {
    optional_instant(row, table, column)?.ok_or(AccountsError::Corrupt { table, column })
}

pub(super) fn optional_instant(
    row: &Row,
    table: &'static str,
    column: &'static str,
) -> Result<Option<DateTime<Utc>>, AccountsError> {
    let stored: Option<i64> = row.try_get(column).map_err(fault)?;
    stored
        .map(|micros| DateTime::from_timestamp_micros(micros).ok_or(AccountsError::Corrupt { table, column }))
        .transpose()
}

pub(super) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
