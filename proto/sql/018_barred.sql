-- A car that was revoked or retired is cut off by the broker, its last will with it: that it is offline is ours to say.
CREATE POLICY dispatch ON vehicle_state TO vigie_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (vin, presence), UPDATE (presence) ON vehicle_state TO vigie_dispatch;
