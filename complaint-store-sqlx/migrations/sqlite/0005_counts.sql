-- How many complaints of each kind there are, kept with every change by the triggers below. Counting them costs the same however
-- many are closed: a kind is one row, and there are only so many kinds.
CREATE TABLE complaint_counts (
    handler    TEXT    NOT NULL,        -- who holds them or held them last; '': everybody's and nobody's
    status     TEXT    NOT NULL,
    level      INTEGER NOT NULL,
    category   TEXT    NOT NULL,
    missed     INTEGER NOT NULL CHECK (missed IN (0, 1)), -- open, and a deadline was missed which still runs
    complaints INTEGER NOT NULL,
    rated_1    INTEGER NOT NULL,        -- ratings by score, but for the anonymous ones
    rated_2    INTEGER NOT NULL,
    rated_3    INTEGER NOT NULL,
    rated_4    INTEGER NOT NULL,
    rated_5    INTEGER NOT NULL,
    PRIMARY KEY (handler, status, level, category, missed)
) STRICT, WITHOUT ROWID;

-- What a complaint counts as. What is inserted here is added to the counts, `complaints` times.
CREATE VIEW complaint_countable (customer, against, handler, status, level, category, missed, complaints, ratings,
                                 rated_1, rated_2, rated_3, rated_4, rated_5) AS
SELECT customer, against, handler, status, level, category, is_open AND has_missed_deadline, 1, ratings,
       (length(ratings) - length(replace(ratings, '1', ''))),
       (length(ratings) - length(replace(ratings, '2', ''))),
       (length(ratings) - length(replace(ratings, '3', ''))),
       (length(ratings) - length(replace(ratings, '4', ''))),
       (length(ratings) - length(replace(ratings, '5', '')))
FROM complaint_state;

CREATE TRIGGER complaint_counts_add INSTEAD OF INSERT ON complaint_countable
BEGIN
    INSERT INTO complaint_counts
    SELECT whose.handler, NEW.status, NEW.level, NEW.category, NEW.missed, NEW.complaints,
           NEW.complaints * (length(NEW.ratings) - length(replace(NEW.ratings, '1', ''))),
           NEW.complaints * (length(NEW.ratings) - length(replace(NEW.ratings, '2', ''))),
           NEW.complaints * (length(NEW.ratings) - length(replace(NEW.ratings, '3', ''))),
           NEW.complaints * (length(NEW.ratings) - length(replace(NEW.ratings, '4', ''))),
           NEW.complaints * (length(NEW.ratings) - length(replace(NEW.ratings, '5', '')))
    FROM (SELECT '' AS handler UNION ALL SELECT NEW.handler WHERE NEW.handler IS NOT NULL) AS whose
    WHERE true -- or the engine takes what follows for the condition of a join
    ON CONFLICT DO UPDATE SET
        complaints = complaints + excluded.complaints, rated_1 = rated_1 + excluded.rated_1,
        rated_2 = rated_2 + excluded.rated_2, rated_3 = rated_3 + excluded.rated_3,
        rated_4 = rated_4 + excluded.rated_4, rated_5 = rated_5 + excluded.rated_5;
END;

-- What is stored already.
INSERT INTO complaint_countable (handler, status, level, category, missed, complaints, ratings)
SELECT handler, status, level, category, missed, count(*), ratings FROM complaint_countable
GROUP BY handler, status, level, category, missed, ratings;

CREATE TRIGGER complaint_state_count_inserted AFTER INSERT ON complaint_state
BEGIN
    INSERT INTO complaint_countable (handler, status, level, category, missed, complaints, ratings)
    VALUES (NEW.handler, NEW.status, NEW.level, NEW.category, NEW.is_open AND NEW.has_missed_deadline, 1, NEW.ratings);
END;

CREATE TRIGGER complaint_state_count_updated AFTER UPDATE ON complaint_state
WHEN (OLD.handler, OLD.status, OLD.level, OLD.category, OLD.is_open, OLD.has_missed_deadline, OLD.ratings)
    IS NOT (NEW.handler, NEW.status, NEW.level, NEW.category, NEW.is_open, NEW.has_missed_deadline, NEW.ratings)
BEGIN
    INSERT INTO complaint_countable (handler, status, level, category, missed, complaints, ratings)
    VALUES (OLD.handler, OLD.status, OLD.level, OLD.category, OLD.is_open AND OLD.has_missed_deadline, -1, OLD.ratings),
           (NEW.handler, NEW.status, NEW.level, NEW.category, NEW.is_open AND NEW.has_missed_deadline, 1, NEW.ratings);
END;

CREATE TRIGGER complaint_state_count_deleted AFTER DELETE ON complaint_state
BEGIN
    INSERT INTO complaint_countable (handler, status, level, category, missed, complaints, ratings)
    VALUES (OLD.handler, OLD.status, OLD.level, OLD.category, OLD.is_open AND OLD.has_missed_deadline, -1, OLD.ratings);
END;

-- An agent's counts are without what is against them, which is rare and counted anew each time.
CREATE INDEX complaint_state_by_against ON complaint_state (against) WHERE against IS NOT NULL;
-- What it was for is kept above.
DROP INDEX complaint_state_counts;
