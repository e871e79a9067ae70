-- What is done with is removed, oldest first, when the host says so.
CREATE INDEX complaint_outbox_delivered ON complaint_outbox (settled_at) WHERE state = 'delivered';
CREATE INDEX complaint_idempotency_by_age ON complaint_idempotency (committed_at);
