-- Batches in storage that wait for a person's decision.
SELECT b.site, s.name AS site_name, b.unit, b.batch, b.lot, b.verdict, b.since, b.reasons, s.silent
FROM coldkeep.batches b JOIN coldkeep.site_status s USING (site)
WHERE b.flagged
ORDER BY b.since
