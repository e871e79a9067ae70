-- Keeps an agent; a new one with what they hold already. A function and not one statement, for the reason that `complaint_commit` is
-- one: whoever changes what an agent holds has this lock, and only a step that begins behind it sees what they committed.
CREATE FUNCTION complaint_save_agent(wanted_lock bigint, whose text, written_codec bigint, document text)
    RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(wanted_lock);
    INSERT INTO complaint_agents (id, workload, codec, agent)
    VALUES (whose, (SELECT coalesce(sum(s.weight), 0) FROM complaint_state s WHERE s.handler = whose AND s.is_open), written_codec,
        document)
    ON CONFLICT (id) DO UPDATE SET codec = excluded.codec, agent = excluded.agent;
END $$;
