-- What is against an agent is counted from the index alone, without a look at each complaint.
DROP INDEX complaint_state_by_against;
CREATE INDEX complaint_state_by_against ON complaint_state
    (against, handler, status, level, category, is_open, has_missed_deadline, ratings) WHERE against IS NOT NULL;
