-- How far each site's newest reading lies behind, and what has not arrived.
SELECT site, name, newest, behind_s, quiet_s, missing
FROM coldkeep.site_status
WHERE behind_s > 60 OR missing > 0
ORDER BY behind_s DESC NULLS FIRST
LIMIT 50
