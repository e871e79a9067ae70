-- What is settled stands here kind by kind, written when the work ends; which kinds there are is known from complaint_counts. A
-- list that takes its page from each kind it is made of costs the same however many are settled, by whatever it is filtered.
-- Every level is above 0: who says so may take these two, and whose list is by handler must not, for they have much of others.
CREATE INDEX complaint_state_kinds_by_receipt ON complaint_state (level, category, status, received_at DESC, id, against)
    WHERE is_open = 0 AND level > 0;
CREATE INDEX complaint_state_kinds_by_promise ON complaint_state (level, category, status, promised_at, id, against)
    WHERE is_open = 0 AND level > 0;
CREATE INDEX complaint_state_kinds_of_handler_by_receipt
    ON complaint_state (handler, level, category, status, received_at DESC, id, against) WHERE is_open = 0;
CREATE INDEX complaint_state_kinds_of_handler_by_promise
    ON complaint_state (handler, level, category, status, promised_at, id, against) WHERE is_open = 0;
-- What is open is gone through in its order, and what else is asked of it seen here, without a look at each complaint.
DROP INDEX complaint_state_open_by_receipt;
DROP INDEX complaint_state_open_by_promise;
CREATE INDEX complaint_state_open_by_receipt
    ON complaint_state (received_at DESC, id, level, category, status, handler, against) WHERE is_open = 1;
CREATE INDEX complaint_state_open_by_promise
    ON complaint_state (promised_at, id, level, category, status, handler, against) WHERE is_open = 1;
-- What is still promised is few.
CREATE INDEX complaint_state_promised ON complaint_state (promised_at, id) WHERE promised_at < 9223372036854775807;
CREATE INDEX complaint_state_promised_by_receipt ON complaint_state (received_at DESC, id, promised_at)
    WHERE promised_at < 9223372036854775807;
-- What these were for. By promise everything is what is open, and kinds.
DROP INDEX complaint_state_by_promise;
DROP INDEX complaint_state_by_handler;
DROP INDEX complaint_state_by_category;
DROP INDEX complaint_state_settled_by_receipt;
DROP INDEX complaint_state_settled_by_promise;
DROP INDEX complaint_state_settled_by_handler;
