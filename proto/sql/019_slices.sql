-- Cases whose subject may be gone are looked at a slice at a time, by this index alone.
DROP INDEX alert_about;
CREATE INDEX alert_about ON alert (vin, type, subject)
    WHERE state <> 'cleared' AND ended_at IS NULL AND type IN ('rule', 'geofence_dwell', 'maintenance_due', 'contract_mileage');
