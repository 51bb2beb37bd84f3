-- What a row of the proof counts: "rows", "values" (of samples in InfluxDB) or "places" (rows whose place was made coarse).
-- Since then, too, a row for each vehicle whose samples a customer did not want any longer (kind "samples of vehicle VIN").
ALTER TABLE purge_proof ADD COLUMN unit text;
