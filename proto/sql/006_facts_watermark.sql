-- Facts are written once for all sites, so they have a watermark of their own: site ''.  What a site has stored until
-- now it had understood as well.
INSERT INTO watermark (site, vin, stream, upto, gaps, updated_at)
    SELECT DISTINCT ON (vin, stream) '', vin, stream, upto, gaps, updated_at FROM watermark
    ORDER BY vin, stream, upto DESC;
