//! Every fixed statement, by name. Lists are put together in `list.rs`.

macro_rules! statements {
    ($($name:ident = $sql:literal;)+) => {
        $(pub(super) const $name: &str = $sql;)+

        /// All of them, for the test that prepares each.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name),)+];
    };
}

statements! {
    LATER = "SELECT version FROM complaint_schema WHERE version > $1 ORDER BY version DESC LIMIT 1";

    // The same of whoever will write: in a file that is write-protected a transaction begins all the same, and this is refused.
    LATER_TO_WRITE = "UPDATE complaint_schema SET version = version WHERE version > $1 RETURNING version";

    LOAD = "SELECT codec, state FROM complaint_state WHERE id = $1";

    BY_REFERENCE = "SELECT codec, state FROM complaint_state WHERE reference = $1";

    STORED = "SELECT row, version, words_hash FROM complaint_state WHERE id = $1";

    INSERT_STATE = "INSERT INTO complaint_state (id, reference, version, customer, against, category, status, is_open, \
                    level, handler, weight, received_at, promised_at, next_action_at, has_missed_deadline, ratings, \
                    words_hash, codec, state) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
                    ON CONFLICT DO NOTHING RETURNING row";

    UPDATE_STATE = "UPDATE complaint_state SET reference = $2, version = $3, customer = $4, against = $5, \
                    category = $6, status = $7, is_open = $8, level = $9, handler = $10, weight = $11, \
                    received_at = $12, promised_at = $13, next_action_at = $14, has_missed_deadline = $15, \
                    ratings = $16, words_hash = $17, codec = $18, state = $19 \
                    WHERE id = $1 AND version = $20";

    INSERT_WORDS = "INSERT INTO complaint_search (rowid, words) VALUES ($1, $2)";

    DELETE_WORDS = "DELETE FROM complaint_search WHERE rowid = $1";

    HEAD = "SELECT hash FROM complaint_log WHERE complaint = $1 AND seq = $2";

    INSERT_ENTRY = "INSERT INTO complaint_log (row, complaint, seq, version, at, codec, entry, words, salt, \
                    words_digest, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

    INSERT_NOTICE = "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice) \
                     VALUES ($1, $2, 'waiting', $3, $3, $4, $5)";

    ADD_WORKLOAD = "UPDATE complaint_agents SET workload = workload + $2, \
                    last_assigned_at = coalesce($3, last_assigned_at) \
                    WHERE id = $1 AND ($4 IS NULL OR $2 <= 0 OR workload + $2 <= $4)";

    OPEN_BEYOND = "SELECT 1 FROM complaint_state WHERE customer = $1 AND is_open = 1 LIMIT 1 OFFSET $2";

    AGENT_EXISTS = "SELECT 1 FROM complaint_agents WHERE id = $1";

    INSERT_KEY = "INSERT INTO complaint_idempotency (owner, key, fingerprint, complaint, version, committed_at) \
                  VALUES ($1, $2, $3, $4, $5, $6)";

    RECALL = "SELECT fingerprint, complaint, version FROM complaint_idempotency WHERE owner = $1 AND key = $2";

    LOG = "SELECT codec, entry, words FROM complaint_log WHERE complaint = $1 AND seq > $2 ORDER BY seq LIMIT $3";

    DUE = "SELECT id FROM complaint_state WHERE next_action_at <= $1 ORDER BY next_action_at, id LIMIT $2";

    STATES_FROM = "SELECT id, reference, version, customer, against, category, status, is_open, level, handler, weight, \
                   received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state \
                   FROM complaint_state WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT $3";

    LOGS_BEHIND = "SELECT complaint, seq, version, at, codec, entry, words, salt, words_digest, hash \
                   FROM complaint_log WHERE (complaint, seq) > ($1, $2) AND complaint <= $3 \
                   ORDER BY complaint, seq LIMIT $4";

    SAVE_AGENT = "INSERT INTO complaint_agents (id, workload, codec, agent) \
                  VALUES ($1, (SELECT coalesce(sum(weight), 0) FROM complaint_state WHERE handler = $1 AND is_open = 1), \
                  $2, $3) \
                  ON CONFLICT (id) DO UPDATE SET codec = excluded.codec, agent = excluded.agent";

    FIND_AGENT = "SELECT workload, last_assigned_at, codec, agent FROM complaint_agents WHERE id = $1";

    ROSTER = "SELECT workload, last_assigned_at, codec, agent FROM complaint_agents ORDER BY id";

    ANY_WAITING = "SELECT 1 FROM complaint_outbox WHERE state = 'waiting' AND available_at <= $1 LIMIT 1";

    WAITING = "SELECT row, attempts, codec, notice FROM complaint_outbox \
               WHERE state = 'waiting' AND available_at <= $1 ORDER BY available_at, row LIMIT $2";

    WAITING_BEHIND = "SELECT codec, notice FROM complaint_outbox WHERE state = 'waiting' AND id > $1 ORDER BY id LIMIT $2";

    // Why the last try failed is over with this one, which says so itself: what is claimed is told by it from what waits for its next try.
    LEASE = "UPDATE complaint_outbox SET available_at = $2, attempts = attempts + 1, last_error = NULL WHERE row = $1";

    RELEASE_CLAIMS = "UPDATE complaint_outbox SET available_at = $1 \
                      WHERE state = 'waiting' AND available_at > $1 AND attempts > 0 AND last_error IS NULL";

    BURY_UNREADABLE = "UPDATE complaint_outbox SET state = 'dead', settled_at = $2, last_error = $3 WHERE row = $1";

    SETTLE_DELIVERED = "UPDATE complaint_outbox SET state = 'delivered', settled_at = $3, last_error = NULL, \
                        notice = json_set(notice, '$.subject', '', '$.text', NULL, '$.address', NULL) \
                        WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    SETTLE_RETRY = "UPDATE complaint_outbox SET available_at = $3, last_error = $4 \
                    WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    SETTLE_HELD = "UPDATE complaint_outbox SET available_at = $3, last_error = $4, attempts = max(attempts - 1, 0) \
                   WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    DEAD_BELOW = "SELECT id, attempts, settled_at, coalesce(last_error, ''), codec, notice FROM complaint_outbox \
                  WHERE state = 'dead' AND id < $1 ORDER BY id DESC LIMIT $2";

    DEAD = "SELECT id, attempts, settled_at, coalesce(last_error, ''), codec, notice FROM complaint_outbox \
            WHERE state = 'dead' AND id = $1";

    REVIVE = "UPDATE complaint_outbox SET state = 'waiting', available_at = $2, attempts = 0, settled_at = NULL, last_error = NULL \
              WHERE id = $1 AND state = 'dead'";

    BURY = "INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, attempts, settled_at, last_error, codec, notice) \
            VALUES ($1, $2, 'dead', $3, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";

    SETTLE_DEAD = "UPDATE complaint_outbox SET state = 'dead', settled_at = $3, last_error = $4 \
                   WHERE id = $1 AND state = 'waiting' AND available_at = $2";

    PURGE_DELIVERED = "DELETE FROM complaint_outbox WHERE row IN (SELECT row FROM complaint_outbox \
                       WHERE state = 'delivered' AND settled_at < $1 ORDER BY settled_at LIMIT $2)";

    PURGE_KEYS = "DELETE FROM complaint_idempotency WHERE (owner, key) IN (SELECT owner, key FROM complaint_idempotency \
                  WHERE committed_at < $1 ORDER BY committed_at LIMIT $2)";
}
