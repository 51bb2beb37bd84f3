-- A vehicle that sends events and no samples has no lags: two arrays of nothing add up to nothing, not to NULL.
CREATE OR REPLACE FUNCTION lag_add(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce(array_agg(coalesce(x, 0) + coalesce(y, 0) ORDER BY i), '{}') FROM unnest(a, b) WITH ORDINALITY AS t (x, y, i) $$;
