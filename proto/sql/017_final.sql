-- A final trip (its samples are gone) whose score changes because an event came late or was withdrawn is closed until it has
-- its score: only what is closed is scored.
CREATE OR REPLACE FUNCTION score_again() RETURNS trigger LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE segment SET score = NULL, score_terms = NULL, state = CASE state WHEN 'final' THEN 'closed' ELSE state END
        WHERE vin = NEW.vin AND kind = 'trip' AND state <> 'superseded'
        AND start_at <= NEW.occurred_at AND end_at >= NEW.occurred_at AND score_terms IS NOT NULL;
    RETURN NULL;
END
$$;
