-- What was given up is listed, newest first.
CREATE INDEX complaint_outbox_dead ON complaint_outbox (id) WHERE state = 'dead';
