-- A submission counts what its customer has open; the finished ones must not be read for that.
CREATE INDEX complaint_state_open_by_customer ON complaint_state (customer, received_at DESC, id) WHERE is_open = 1;
