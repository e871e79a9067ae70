-- Letters are folded further than they were: ß is found by ss, ł by l, ø by o. Words are folded by the library: those of what is
-- stored are indexed anew by the code of this step. Until it ends nobody changes them.
LOCK TABLE complaint_state IN SHARE ROW EXCLUSIVE MODE;
