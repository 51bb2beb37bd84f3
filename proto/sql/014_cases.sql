-- 014: cases of which nobody would find the end, because the rule, zone, plan or contract they are about is gone, are looked for
-- every few seconds.  Of the uncleared only these may be meant.
CREATE INDEX alert_about ON alert (type, vin)
    WHERE state <> 'cleared' AND ended_at IS NULL AND type IN ('rule', 'geofence_dwell', 'maintenance_due', 'contract_mileage');

-- How many rules a vehicle has is asked when one is made.
CREATE INDEX rule_vehicle ON rule (customer_id, vin);
