-- A status that ends the work is one among many closed complaints; those of one stand together here, written when the work ends.
CREATE INDEX complaint_state_settled_by_receipt ON complaint_state (status, received_at DESC, id) WHERE is_open = 0;
CREATE INDEX complaint_state_settled_by_promise ON complaint_state (status, promised_at, id) WHERE is_open = 0;
-- What missed a deadline that still runs is rare.
CREATE INDEX complaint_state_missed_by_receipt ON complaint_state (received_at DESC, id) WHERE has_missed_deadline = 1;
CREATE INDEX complaint_state_missed_by_promise ON complaint_state (promised_at, id) WHERE has_missed_deadline = 1;
-- Likewise of one handler, who may have held many.
CREATE INDEX complaint_state_settled_by_handler ON complaint_state (handler, status, promised_at, id) WHERE is_open = 0;
CREATE INDEX complaint_state_missed_by_handler ON complaint_state (handler, promised_at, id) WHERE has_missed_deadline = 1;
