-- The case of a key that goes on, looked for among those that do: of a key a car may have had thousands. Its collation is that of no
-- other index, for the reason of alert_named.
CREATE INDEX alert_going ON alert (vin COLLATE "POSIX", type COLLATE "POSIX", subject COLLATE "POSIX", occurred_at DESC)
    WHERE state <> 'cleared';
