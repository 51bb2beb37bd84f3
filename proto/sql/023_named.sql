-- The cases of one name, looked for by their whole key whatever is known of the table: no other index on it is of this collation,
-- so a plan that was made while it was empty, where all that begin with the VIN cost the same, takes none of the others.
CREATE INDEX alert_named ON alert (vin COLLATE "C", type COLLATE "C", subject COLLATE "C", occurred_at DESC);
