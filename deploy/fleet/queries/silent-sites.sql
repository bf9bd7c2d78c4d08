-- Sites from which nothing new has come for longer than they may be quiet, and
-- those that were never heard.
SELECT site, name, heard, quiet_s, extract(epoch FROM silent_after) AS silent_after_s
FROM coldkeep.silent_sites
ORDER BY quiet_s DESC
