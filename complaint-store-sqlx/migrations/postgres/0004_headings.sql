-- The words of a heading stand in complaint_search once more with a mark, so that those which have what is looked for in their
-- heading come first. Words are cut by the library: those of what is stored are indexed anew by the code of this step. Until it
-- ends nobody changes them.
LOCK TABLE complaint_state IN SHARE ROW EXCLUSIVE MODE;
