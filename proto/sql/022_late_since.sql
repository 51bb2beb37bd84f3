-- When the first of what nobody looked at came too late: more that comes late does not put a look off for ever.
ALTER TABLE fact_state ADD COLUMN late_since timestamptz NOT NULL DEFAULT now();
