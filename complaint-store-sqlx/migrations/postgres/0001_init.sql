-- Run with the chosen schema as the only one in the search path. Instants are whole microseconds since 1970 (UTC), documents are
-- JSON of the version in `codec`, as text: kept byte by byte, because the chain is taken over them.
-- Columns beside a document repeat what lists filter and sort by; the document is what is true.

CREATE TABLE complaint_state (
    id             uuid    NOT NULL PRIMARY KEY,
    reference      text    NOT NULL UNIQUE,
    version        bigint  NOT NULL,
    customer       text    NOT NULL,
    against        text,
    category       text    NOT NULL,
    status         text    NOT NULL,
    is_open        boolean NOT NULL,
    level          bigint  NOT NULL,
    handler        text,
    weight         bigint  NOT NULL,
    received_at    bigint  NOT NULL,
    promised_at    bigint  NOT NULL,    -- 9223372036854775807: nothing is promised; those sort last
    next_action_at bigint,
    has_missed_deadline boolean NOT NULL,
    ratings        text    NOT NULL,    -- scores joined by commas
    words_hash     bigint  NOT NULL,    -- of the words in complaint_search, to index them again only when they change
    codec          bigint  NOT NULL,
    state          text    NOT NULL
);

CREATE INDEX complaint_state_by_receipt ON complaint_state (received_at DESC, id);
CREATE INDEX complaint_state_by_promise ON complaint_state (promised_at, id);
CREATE INDEX complaint_state_by_customer ON complaint_state (customer, received_at DESC, id);
CREATE INDEX complaint_state_by_handler ON complaint_state (handler, received_at DESC, id) WHERE handler IS NOT NULL;
CREATE INDEX complaint_state_by_category ON complaint_state (category, received_at DESC, id);
-- Those of daily work hold open complaints only, so they do not grow with the closed ones.
CREATE INDEX complaint_state_open_by_receipt ON complaint_state (received_at DESC, id) WHERE is_open;
CREATE INDEX complaint_state_open_by_promise ON complaint_state (promised_at, id) WHERE is_open;
CREATE INDEX complaint_state_open_by_handler ON complaint_state (handler, promised_at, id) WHERE is_open;
CREATE INDEX complaint_state_open_by_handler_receipt ON complaint_state (handler, received_at DESC, id) WHERE is_open;
-- A submission counts what its customer has open; the finished ones must not be read for that.
CREATE INDEX complaint_state_open_by_customer ON complaint_state (customer, received_at DESC, id) WHERE is_open;
CREATE INDEX complaint_state_queue ON complaint_state (level, promised_at, id) WHERE status = 'queued';
CREATE INDEX complaint_state_queue_by_receipt ON complaint_state (level, received_at DESC, id) WHERE status = 'queued';
CREATE INDEX complaint_state_due ON complaint_state (next_action_at, id) WHERE next_action_at IS NOT NULL;
CREATE INDEX complaint_state_counts
    ON complaint_state (status, level, category, has_missed_deadline, ratings, handler, against);

-- Apart from the states, because a state is written anew with every change and its words hardly ever are.
CREATE TABLE complaint_search (
    complaint uuid     NOT NULL PRIMARY KEY REFERENCES complaint_state (id),
    words     tsvector NOT NULL         -- words that were cut and lowered outside; no parser of the engine touches them
);

CREATE INDEX complaint_search_words ON complaint_search USING gin (words);

CREATE TABLE complaint_log (
    complaint    uuid   NOT NULL REFERENCES complaint_state (id),
    seq          bigint NOT NULL,
    version      bigint NOT NULL,
    at           bigint NOT NULL,
    codec        bigint NOT NULL,
    entry        text   NOT NULL,       -- the facts, without the words
    words        text,                  -- what was typed, if anything was
    salt         bytea,                 -- keeps words that were erased from being guessed by their digest
    words_digest bytea  CHECK (length(words_digest) = 32),
    hash         bytea  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (complaint, seq)
);

CREATE FUNCTION complaint_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'complaint_log is append-only';
END $$;

CREATE TRIGGER complaint_log_no_change BEFORE UPDATE OR DELETE ON complaint_log
    FOR EACH ROW EXECUTE FUNCTION complaint_log_refuse();
CREATE TRIGGER complaint_log_no_truncate BEFORE TRUNCATE ON complaint_log
    FOR EACH STATEMENT EXECUTE FUNCTION complaint_log_refuse();

CREATE TABLE complaint_agents (
    id               text   COLLATE "C" NOT NULL PRIMARY KEY,
    workload         bigint NOT NULL CONSTRAINT complaint_agents_workload CHECK (workload >= 0),
    last_assigned_at bigint,
    codec            bigint NOT NULL,
    agent            text   NOT NULL
);

CREATE TABLE complaint_outbox (
    place        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid   NOT NULL UNIQUE,
    complaint    uuid   NOT NULL,
    state        text   NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    planned_at   bigint NOT NULL,
    available_at bigint NOT NULL,       -- when it may be claimed: planned, end of the lease, or the next attempt
    attempts     bigint NOT NULL DEFAULT 0,
    settled_at   bigint,
    last_error   text,
    codec        bigint NOT NULL,
    notice       text   NOT NULL        -- without its words once it was delivered
);

CREATE INDEX complaint_outbox_waiting ON complaint_outbox (available_at, place) WHERE state = 'waiting';

CREATE TABLE complaint_idempotency (
    owner        text   NOT NULL,
    key          text   NOT NULL,
    fingerprint  text   NOT NULL,
    complaint    uuid   NOT NULL,
    version      bigint NOT NULL,
    committed_at bigint NOT NULL,
    PRIMARY KEY (owner, key)
);

-- Commits a change in one round trip: checks everything, then writes everything, or says what stands against it and writes nothing.
--
-- A function and not one statement: a statement sees what was committed when it began, also after it has waited for a lock. It
-- could count neither the open complaints that others submitted while it waited, nor tell a loser the version that won. Here each
-- step sees what is committed when the step begins.
--
-- Whoever changes a complaint, takes a reference, counts a customer's complaints, uses a key or an agent's workload holds a lock
-- on that until the transaction ends. `locks` are in ascending order, so no two changes wait for each other.
CREATE FUNCTION complaint_commit(
    locks bigint[], written_codec bigint,
    key_owner text, key_name text, key_fingerprint text, key_complaint uuid, key_version bigint, key_committed_at bigint,
    limit_customer text, limit_most bigint,
    ids uuid[], expecteds bigint[], refs text[], versions bigint[], customers text[], againsts text[], categories text[],
    statuses text[], opens boolean[], levels bigint[], handlers text[], weights bigint[], receipts bigint[], promises bigint[],
    next_actions bigint[], misses boolean[], scores text[], word_hashes bigint[], word_lists text[], states text[],
    entry_complaints uuid[], entry_seqs bigint[], entry_versions bigint[], entry_ats bigint[], entry_facts text[],
    entry_words text[], entry_salts bytea[], entry_words_digests bytea[], entry_digests bytea[],
    notice_ids uuid[], notice_complaints uuid[], notice_plans bigint[], notices text[],
    agents text[], deltas bigint[], assignments bigint[], ceilings bigint[],
    OUT refusal text, OUT refused_complaint uuid, OUT current_version bigint, OUT refused_agent text
) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    wanted_lock bigint;
    counted bigint;
    known_hash bigint;
    head bytea;
    headed uuid;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a change is committed under READ COMMITTED: in a fixed snapshot it could not count what others committed'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    FOREACH wanted_lock IN ARRAY locks LOOP
        PERFORM pg_advisory_xact_lock(wanted_lock);
    END LOOP;

    -- First of all: a repeated request is also out of date, and must be told the former.
    IF key_owner IS NOT NULL AND EXISTS (SELECT FROM complaint_idempotency i WHERE i.owner = key_owner AND i.key = key_name) THEN
        refusal := 'key';
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(ids) LOOP
        SELECT s.version INTO current_version FROM complaint_state s WHERE s.id = ids[i];
        current_version := coalesce(current_version, 0);
        IF current_version <> expecteds[i] THEN
            refusal := 'version';
            refused_complaint := ids[i];
            RETURN;
        END IF;
        IF expecteds[i] = 0 AND (EXISTS (SELECT FROM complaint_state s WHERE s.reference = refs[i]) OR refs[i] = ANY (refs[:i - 1])) THEN
            refusal := 'reference';
            RETURN;
        END IF;
    END LOOP;
    IF limit_most IS NOT NULL THEN
        SELECT count(*) INTO counted FROM (
            SELECT FROM complaint_state s WHERE s.customer = limit_customer AND s.is_open AND s.id <> ALL (ids) LIMIT limit_most + 1
        ) AS others;
        SELECT counted + count(*) INTO counted FROM unnest(customers, opens) AS mine (customer, is_open)
            WHERE mine.customer = limit_customer AND mine.is_open;
        IF counted > limit_most THEN
            refusal := 'limit';
            RETURN;
        END IF;
    END IF;
    FOR i IN 1 .. cardinality(agents) LOOP
        SELECT a.workload INTO counted FROM complaint_agents a WHERE a.id = agents[i];
        IF deltas[i] > 0 AND (NOT FOUND OR counted + deltas[i] > ceilings[i]) THEN
            refusal := CASE WHEN FOUND THEN 'capacity' ELSE 'agent' END;
            refused_agent := agents[i];
            RETURN;
        END IF;
    END LOOP;

    FOR i IN 1 .. cardinality(ids) LOOP
        IF expecteds[i] = 0 THEN
            INSERT INTO complaint_state (id, reference, version, customer, against, category, status, is_open, level, handler,
                weight, received_at, promised_at, next_action_at, has_missed_deadline, ratings, words_hash, codec, state)
            VALUES (ids[i], refs[i], versions[i], customers[i], againsts[i], categories[i], statuses[i], opens[i], levels[i],
                handlers[i], weights[i], receipts[i], promises[i], next_actions[i], misses[i], scores[i], word_hashes[i],
                written_codec, states[i]);
            INSERT INTO complaint_search (complaint, words)
            VALUES (ids[i], array_to_tsvector(string_to_array(word_lists[i], ' ')));
        ELSE
            SELECT s.words_hash INTO known_hash FROM complaint_state s WHERE s.id = ids[i];
            UPDATE complaint_state s SET reference = refs[i], version = versions[i], customer = customers[i],
                against = againsts[i], category = categories[i], status = statuses[i], is_open = opens[i], level = levels[i],
                handler = handlers[i], weight = weights[i], received_at = receipts[i], promised_at = promises[i],
                next_action_at = next_actions[i], has_missed_deadline = misses[i], ratings = scores[i],
                words_hash = word_hashes[i], codec = written_codec, state = states[i]
            WHERE s.id = ids[i] AND s.version = expecteds[i];
            IF NOT FOUND THEN
                RAISE EXCEPTION 'complaint % was changed by something that does not take locks', ids[i]
                    USING ERRCODE = 'serialization_failure';
            END IF;
            IF known_hash <> word_hashes[i] THEN
                UPDATE complaint_search w SET words = array_to_tsvector(string_to_array(word_lists[i], ' '))
                WHERE w.complaint = ids[i];
            END IF;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(entry_seqs) LOOP
        IF headed IS DISTINCT FROM entry_complaints[i] THEN
            headed := entry_complaints[i];
            head := NULL;
            IF entry_seqs[i] > 1 THEN
                SELECT l.hash INTO head FROM complaint_log l WHERE l.complaint = headed AND l.seq = entry_seqs[i] - 1;
            END IF;
            head := coalesce(head, decode(repeat('00', 32), 'hex'));
        END IF;
        head := sha256(head || entry_digests[i]);
        INSERT INTO complaint_log (complaint, seq, version, at, codec, entry, words, salt, words_digest, hash)
        VALUES (headed, entry_seqs[i], entry_versions[i], entry_ats[i], written_codec, entry_facts[i], entry_words[i],
            entry_salts[i], entry_words_digests[i], head);
    END LOOP;
    FOR i IN 1 .. cardinality(agents) LOOP
        UPDATE complaint_agents a
        SET workload = a.workload + deltas[i], last_assigned_at = coalesce(assignments[i], a.last_assigned_at)
        WHERE a.id = agents[i];
    END LOOP;
    FOR i IN 1 .. cardinality(notice_ids) LOOP
        INSERT INTO complaint_outbox (id, complaint, state, planned_at, available_at, codec, notice)
        VALUES (notice_ids[i], notice_complaints[i], 'waiting', notice_plans[i], notice_plans[i], written_codec, notices[i]);
    END LOOP;
    IF key_owner IS NOT NULL THEN
        INSERT INTO complaint_idempotency (owner, key, fingerprint, complaint, version, committed_at)
        VALUES (key_owner, key_name, key_fingerprint, key_complaint, key_version, key_committed_at);
    END IF;
    current_version := NULL;
END $$;
