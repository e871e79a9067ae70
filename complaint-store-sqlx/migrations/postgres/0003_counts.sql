-- How many complaints of each kind there are, kept with every change. Counting them costs the same however many are closed: a
-- kind is one row, and there are only so many kinds.
--
-- A change adds rows of +1 and -1 to complaint_count_changes; it never touches a row of complaint_counts, for two changes of one kind
-- would wait for each other there until the first one is on disk. Every 256th of these rows folds the oldest into the counts. The
-- counts are both together: complaint_counted.
CREATE TABLE complaint_counts (
    handler    text    COLLATE "C" NOT NULL, -- who holds them or held them last; '': everybody's and nobody's
    status     text    NOT NULL,
    level      bigint  NOT NULL,
    category   text    NOT NULL,
    missed     boolean NOT NULL,        -- open, and a deadline was missed which still runs
    complaints bigint  NOT NULL,
    rated_1    bigint  NOT NULL,        -- ratings by score, but for the anonymous ones
    rated_2    bigint  NOT NULL,
    rated_3    bigint  NOT NULL,
    rated_4    bigint  NOT NULL,
    rated_5    bigint  NOT NULL,
    PRIMARY KEY (handler, status, level, category, missed)
) WITH (fillfactor = 50);

-- Rows come and go: what is gone must be cleared away before it is many times what is there.
CREATE TABLE complaint_count_changes (
    place      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler    text,
    status     text    NOT NULL,
    level      bigint  NOT NULL,
    category   text    NOT NULL,
    missed     boolean NOT NULL,
    complaints bigint  NOT NULL,
    ratings    text    NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What a complaint counts as.
CREATE VIEW complaint_countable (customer, against, handler, status, level, category, missed, complaints,
                                 rated_1, rated_2, rated_3, rated_4, rated_5) AS
SELECT customer, against, handler, status, level, category, is_open AND has_missed_deadline, 1::bigint,
       (length(ratings) - length(replace(ratings, '1', ''))),
       (length(ratings) - length(replace(ratings, '2', ''))),
       (length(ratings) - length(replace(ratings, '3', ''))),
       (length(ratings) - length(replace(ratings, '4', ''))),
       (length(ratings) - length(replace(ratings, '5', '')))
FROM complaint_state;

-- What was not folded yet, once for everybody and once for the handler.
CREATE VIEW complaint_counts_unfolded (place, handler, status, level, category, missed, complaints,
                                       rated_1, rated_2, rated_3, rated_4, rated_5) AS
SELECT c.place, whose.handler, c.status, c.level, c.category, c.missed, c.complaints,
       c.complaints * (length(c.ratings) - length(replace(c.ratings, '1', ''))),
       c.complaints * (length(c.ratings) - length(replace(c.ratings, '2', ''))),
       c.complaints * (length(c.ratings) - length(replace(c.ratings, '3', ''))),
       c.complaints * (length(c.ratings) - length(replace(c.ratings, '4', ''))),
       c.complaints * (length(c.ratings) - length(replace(c.ratings, '5', '')))
FROM complaint_count_changes AS c
CROSS JOIN LATERAL (SELECT '' UNION ALL SELECT c.handler WHERE c.handler IS NOT NULL) AS whose (handler);

CREATE VIEW complaint_counted AS
SELECT handler, status, level, category, missed, complaints, rated_1, rated_2, rated_3, rated_4, rated_5 FROM complaint_counts
UNION ALL
SELECT handler, status, level, category, missed, complaints, rated_1, rated_2, rated_3, rated_4, rated_5
FROM complaint_counts_unfolded;

-- Folds the oldest changes into the counts. One at a time, and nobody waits for it: who comes meanwhile leaves it to the next. It is
-- part of the commit it runs in, so a reader sees a change in one of the two places, never in both or in neither.
CREATE FUNCTION complaint_fold_counts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('complaint ' || current_schema() || ' counts', 0)) THEN
        RETURN NULL;
    END IF;
    -- More than come between two foldings, so that what was left to the next one is caught up with.
    WITH oldest AS (
        SELECT place FROM complaint_count_changes ORDER BY place LIMIT 1024
    ), taken AS (
        DELETE FROM complaint_count_changes AS c USING oldest WHERE c.place = oldest.place RETURNING c.place
    )
    INSERT INTO complaint_counts AS kept
    SELECT u.handler, u.status, u.level, u.category, u.missed, sum(u.complaints),
           sum(u.rated_1), sum(u.rated_2), sum(u.rated_3), sum(u.rated_4), sum(u.rated_5)
    FROM complaint_counts_unfolded AS u JOIN taken ON taken.place = u.place
    GROUP BY u.handler, u.status, u.level, u.category, u.missed
    ON CONFLICT (handler, status, level, category, missed) DO UPDATE SET
        complaints = kept.complaints + excluded.complaints, rated_1 = kept.rated_1 + excluded.rated_1,
        rated_2 = kept.rated_2 + excluded.rated_2, rated_3 = kept.rated_3 + excluded.rated_3,
        rated_4 = kept.rated_4 + excluded.rated_4, rated_5 = kept.rated_5 + excluded.rated_5;
    RETURN NULL;
END $$;

CREATE TRIGGER complaint_count_changes_fold AFTER INSERT ON complaint_count_changes
    FOR EACH ROW WHEN (NEW.place % 256 = 0) EXECUTE FUNCTION complaint_fold_counts();

CREATE FUNCTION complaint_count_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO complaint_count_changes (handler, status, level, category, missed, complaints, ratings)
        VALUES (OLD.handler, OLD.status, OLD.level, OLD.category, OLD.is_open AND OLD.has_missed_deadline, -1, OLD.ratings);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO complaint_count_changes (handler, status, level, category, missed, complaints, ratings)
        VALUES (NEW.handler, NEW.status, NEW.level, NEW.category, NEW.is_open AND NEW.has_missed_deadline, 1, NEW.ratings);
    END IF;
    RETURN NULL;
END $$;

-- What is stored already. Until this step ends nobody changes it.
LOCK TABLE complaint_state IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO complaint_counts
SELECT whose.handler, c.status, c.level, c.category, c.missed, count(*),
       sum(c.rated_1), sum(c.rated_2), sum(c.rated_3), sum(c.rated_4), sum(c.rated_5)
FROM complaint_countable AS c
CROSS JOIN LATERAL (SELECT '' UNION ALL SELECT c.handler WHERE c.handler IS NOT NULL) AS whose (handler)
GROUP BY whose.handler, c.status, c.level, c.category, c.missed;

CREATE TRIGGER complaint_state_count_added AFTER INSERT OR DELETE ON complaint_state
    FOR EACH ROW EXECUTE FUNCTION complaint_count_change();
CREATE TRIGGER complaint_state_count_updated AFTER UPDATE ON complaint_state
    FOR EACH ROW WHEN ((OLD.handler, OLD.status, OLD.level, OLD.category, OLD.is_open, OLD.has_missed_deadline, OLD.ratings)
        IS DISTINCT FROM (NEW.handler, NEW.status, NEW.level, NEW.category, NEW.is_open, NEW.has_missed_deadline, NEW.ratings))
    EXECUTE FUNCTION complaint_count_change();

-- An agent's counts are without what is against them, which is rare and counted anew each time.
CREATE INDEX complaint_state_by_against ON complaint_state (against) WHERE against IS NOT NULL;
-- What it was for is kept above.
DROP INDEX complaint_state_counts;
