-- Every site that is waited for, the worst first. A silent site's numbers are
-- the last that it told.
SELECT site, name,
	CASE WHEN heard IS NULL THEN 'NEVER HEARD' WHEN silent THEN 'SILENT' WHEN behind_s > 1800 THEN 'BEHIND' ELSE 'heard' END AS state,
	heard, quiet_s, units, units_out_of_range, units_without_probe, flagged_batches, missing
FROM coldkeep.site_status
ORDER BY silent DESC, units_out_of_range DESC, flagged_batches DESC, behind_s DESC NULLS FIRST, site
