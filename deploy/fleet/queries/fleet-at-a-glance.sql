-- One line for the whole fleet.
SELECT count(*) AS sites,
	count(*) FILTER (WHERE silent) AS silent_sites,
	coalesce(sum(units_out_of_range), 0) AS units_out_of_range,
	coalesce(sum(flagged_batches), 0) AS flagged_batches,
	count(*) FILTER (WHERE NOT silent AND behind_s > 1800) AS sites_behind
FROM coldkeep.site_status
