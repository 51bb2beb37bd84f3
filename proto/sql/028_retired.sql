-- A vehicle that is retired leaves nothing open: its cases are cleared, and say so.
ALTER TABLE alert DROP CONSTRAINT alert_reason_check;
ALTER TABLE alert ADD CONSTRAINT alert_reason_check CHECK (reason IN ('', 'ended', 'person', 'corrected', 'expired', 'retired'));
CREATE INDEX vehicle_retired ON vehicle (vin) WHERE status = 'retired';
