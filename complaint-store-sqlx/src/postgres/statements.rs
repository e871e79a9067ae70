//! Every fixed statement, by name, in the schema of the store. Lists are put together in `list.rs`.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The statement in a schema. All names of ours begin with `complaint_` and nothing else in a statement does.
pub(super) fn within(schema: &str, sql: &str) -> String {
    sql.replace("complaint_", &format!("\"{schema}\".complaint_"))
}

macro_rules! statements {
    ($($name:ident = $sql:literal;)+) => {
        /// The statements of one store.
        #[derive(Debug)]
        pub(super) struct Statements {
            $(pub(super) $name: SqlStr,)+
        }

        impl Statements {
            pub(super) fn within(schema: &str) -> Self {
                Self { $($name: AssertSqlSafe(Arc::<str>::from(within(schema, $sql))).into_sql_str(),)+ }
            }

            /// All of them, for the tests that prepare and explain each.
            #[cfg(test)]
            pub(super) fn all(&self) -> Vec<(&'static str, SqlStr)> {
                vec![$((stringify!($name), self.$name.clone()),)+]
            }
        }
    };
}

statements! {
    load = "SELECT codec, state FROM complaint_state WHERE id = $1";

    by_reference = "SELECT codec, state FROM complaint_state WHERE reference = $1";

    later = "SELECT version FROM complaint_schema WHERE version > $1 ORDER BY version DESC LIMIT 1";

    // Not called at all under a schema that a later library has brought further: what it is called with depends on that.
    commit = "SELECT refusal, refused_complaint, current_version, refused_agent \
              FROM (SELECT max(version) AS newest FROM complaint_schema) AS applied \
              CROSS JOIN LATERAL complaint_commit(CASE WHEN newest <= $48 THEN $1::bigint[] END, $2, $3, $4, $5, \
              $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, \
              $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47) WHERE newest <= $48";

    recall = "SELECT fingerprint, complaint, version FROM complaint_idempotency WHERE owner = $1 AND key = $2";

    log = "SELECT codec, entry, words FROM complaint_log WHERE complaint = $1 AND seq > $2 ORDER BY seq LIMIT $3";

    // Nothing is claimed here, and no row locked: what is due is planned by the core, outside of any transaction, and committed against
    // the version it was planned for. Of several servers that sweep at once one commits, the others lose by the version and go on;
    // a lock would have to be held open for as long as they plan, and its skipped rows would be due still. `tests/store/sweepers.rs`
    // proves that each clock fires once.
    due = "SELECT id FROM complaint_state WHERE next_action_at <= $1 ORDER BY next_action_at, id LIMIT $2";

    states_from = "SELECT id, reference, version, customer, against, category, status, is_open, level, handler, weight, \
                   received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state \
                   FROM complaint_state WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT $3";

    logs_behind = "SELECT complaint, seq, version, at, codec, entry, words, salt, words_digest, hash \
                   FROM complaint_log WHERE (complaint, seq) > ($1, $2) AND complaint <= $3 \
                   ORDER BY complaint, seq LIMIT $4";

    save_agent = "SELECT complaint_save_agent($1, $2, $3, $4)";

    find_agent = "SELECT workload, last_assigned_at, codec, agent FROM complaint_agents WHERE id = $1";

    roster = "SELECT workload, last_assigned_at, codec, agent FROM complaint_agents ORDER BY id";

    claim = "WITH waiting AS (SELECT place, available_at FROM complaint_outbox WHERE state = 'waiting' AND available_at <= $1 \
             ORDER BY available_at, place LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE complaint_outbox AS o SET available_at = $2, attempts = o.attempts + 1 FROM waiting \
             WHERE o.place = waiting.place RETURNING waiting.available_at, o.place, o.attempts, o.codec, o.notice";

    waiting_behind = "SELECT codec, notice FROM complaint_outbox WHERE state = 'waiting' AND id > $1 ORDER BY id LIMIT $2";

    bury_unreadable = "UPDATE complaint_outbox SET state = 'dead', settled_at = $2, last_error = $3 WHERE place = $1";

    settle_delivered = "UPDATE complaint_outbox SET state = 'delivered', settled_at = $3, last_error = NULL, \
                        notice = CASE WHEN strpos(notice, '\\u0000') > 0 THEN '{}' \
                        ELSE (notice::jsonb || '{\"subject\": \"\", \"text\": null, \"address\": null}')::text END \
                        WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    settle_retry = "UPDATE complaint_outbox SET available_at = $3, last_error = $4 \
                    WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    settle_held = "UPDATE complaint_outbox SET available_at = $3, last_error = $4, attempts = greatest(attempts - 1, 0) \
                   WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    dead_below = "SELECT id, attempts, settled_at, coalesce(last_error, ''), codec, notice FROM complaint_outbox \
                  WHERE state = 'dead' AND id < $1 ORDER BY id DESC LIMIT $2";

    dead = "SELECT id, attempts, settled_at, coalesce(last_error, ''), codec, notice FROM complaint_outbox \
            WHERE state = 'dead' AND id = $1";

    revive = "UPDATE complaint_outbox SET state = 'waiting', available_at = $2, attempts = 0, settled_at = NULL, last_error = NULL \
              WHERE id = $1 AND state = 'dead' RETURNING id";

    bury = "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, attempts, settled_at, last_error, codec, notice) \
            VALUES ($1, $2, 'dead', $3, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING id";

    settle_dead = "UPDATE complaint_outbox SET state = 'dead', settled_at = $3, last_error = $4 \
                   WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    // What another server removes at that moment is left to it.
    purge_delivered = "WITH gone AS (DELETE FROM complaint_outbox WHERE place = ANY (ARRAY(SELECT place FROM complaint_outbox \
                       WHERE state = 'delivered' AND settled_at < $1 ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED)) \
                       RETURNING 1) SELECT count(*) FROM gone";

    purge_keys = "WITH gone AS (DELETE FROM complaint_idempotency WHERE ctid = ANY (ARRAY(SELECT ctid FROM complaint_idempotency \
                  WHERE committed_at < $1 ORDER BY committed_at LIMIT $2 FOR UPDATE SKIP LOCKED)) \
                  RETURNING 1) SELECT count(*) FROM gone";
}
