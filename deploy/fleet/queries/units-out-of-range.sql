-- Units that are not known to be in range, those out of range first.
SELECT site, site_name, node, unit, name, upper(state) AS state, temperature_celsius, time, batches, flagged_batches, silent
FROM coldkeep.unit_status
WHERE state <> 'in range'
ORDER BY state = 'out of range' DESC, time
