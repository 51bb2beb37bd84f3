-- A case whose facts came late moves in time and keeps its id, so that what people did with it stays; what was said of two cases
-- that turn out to be one stays as well.  When it was over each time tells what came back within ten minutes of that.
ALTER TABLE alert ADD COLUMN ends bigint[] NOT NULL DEFAULT '{}'; -- ms, newest last, at most 16
DROP INDEX alert_once; -- a case that moves may come to where one is that was corrected; ids are what is unique
CREATE POLICY ingest ON alert_comment TO vigie_ingest USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (alert_id) ON alert_comment TO vigie_ingest;
