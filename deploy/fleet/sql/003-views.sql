-- What the dashboard, the alerts and people ask. Run after 002:
--
--	psql -1 -v ON_ERROR_STOP=1 -d coldkeep -f sql/003-views.sql

INSERT INTO coldkeep.migrations (name) VALUES ('003-views');

-- site_status has one line for every site that is waited for, also one that
-- was never heard. `silent` is by what is new in the record: a retained state
-- that comes again, or `online`, proves nothing.
CREATE VIEW coldkeep.site_status AS
SELECT s.id AS site, coalesce(s.name, s.id) AS name, s.since, r.heard, r.newest,
	now() - coalesce(r.heard, s.since) > s.silent_after AS silent,
	extract(epoch FROM now() - coalesce(r.heard, s.since)) AS quiet_s,
	-- How far the newest reading lies behind: a backlog that is being sent, or
	-- readings that have stopped while events still come.
	CASE WHEN r.newest IS NOT NULL THEN greatest(extract(epoch FROM now() - r.newest), 0) END AS behind_s,
	coalesce(r.missing, 0) AS missing,
	coalesce(n.nodes_offline, 0) AS nodes_offline,
	coalesce(u.units, 0) AS units,
	coalesce(u.out_of_range, 0) AS units_out_of_range,
	coalesce(u.no_probe, 0) AS units_without_probe,
	coalesce(b.flagged, 0) AS flagged_batches,
	s.silent_after
FROM coldkeep.sites s
LEFT JOIN (
	-- Places of the record that have not arrived. Those under way count too.
	SELECT site, max(heard) AS heard, max(newest) AS newest, sum(last_seq - first_seq + 1 - arrived)::bigint AS missing
	FROM coldkeep.records GROUP BY site
) r ON r.site = s.id
LEFT JOIN (SELECT site, count(*) FILTER (WHERE NOT online) AS nodes_offline FROM coldkeep.nodes GROUP BY site) n ON n.site = s.id
LEFT JOIN (
	SELECT site, count(*) AS units, count(*) FILTER (WHERE out_of_range) AS out_of_range, count(*) FILTER (WHERE NOT probe_ok) AS no_probe
	FROM coldkeep.units GROUP BY site
) u ON u.site = s.id
LEFT JOIN (SELECT site, count(*) FILTER (WHERE flagged) AS flagged FROM coldkeep.batches GROUP BY site) b ON b.site = s.id
WHERE NOT s.retired;

CREATE VIEW coldkeep.silent_sites AS
SELECT site, name, heard, quiet_s, silent_after FROM coldkeep.site_status WHERE silent;

-- unit_status says in one word how a unit stands. Unknown is not in range:
-- what a silent site said last is not shown as good. What was out of range
-- when its data stopped stays out of range.
CREATE VIEW coldkeep.unit_status AS
SELECT u.site, s.name AS site_name, u.node, u.unit, coalesce(u.name, u.unit) AS name,
	CASE WHEN u.out_of_range THEN 'out of range' WHEN s.silent OR NOT u.probe_ok THEN 'unknown' ELSE 'in range' END AS state,
	s.silent, u.millicelsius / 1000.0 AS temperature_celsius, u.time, u.batches, u.flagged_batches
FROM coldkeep.units u JOIN coldkeep.site_status s USING (site);

-- reading joins what readings keep as numbers, for people who look by hand.
CREATE VIEW coldkeep.reading AS
SELECT d.time, p.site, p.node, p.unit, p.probe, d.millicelsius / 1000.0 AS temperature_celsius, d.fault, d.clock_synchronized, r.record, d.seq
FROM coldkeep.readings d JOIN coldkeep.probes p ON p.id = d.probe JOIN coldkeep.records r ON r.id = d.record;

-- missing_places lists the places of the records that have not arrived, as
-- spans. It reads whole partitions: for looking into what `missing` counts. A
-- span that retention has dropped is listed too.
CREATE VIEW coldkeep.missing_places AS
SELECT r.site, r.node, r.record, x.seq + 1 AS from_seq, x.next - 1 AS to_seq
FROM (
	SELECT record, seq, lead(seq) OVER (PARTITION BY record ORDER BY seq) AS next
	FROM (SELECT record, seq FROM coldkeep.readings UNION ALL SELECT record, seq FROM coldkeep.events) AS both_kinds
) x JOIN coldkeep.records r ON r.id = x.record
WHERE x.next > x.seq + 1;

GRANT SELECT ON ALL TABLES IN SCHEMA coldkeep TO coldkeep_reader;
REVOKE ALL ON coldkeep.inbox, coldkeep.refused FROM coldkeep_reader;
-- The dashboard counts what was refused; the payloads are for the owner.
GRANT SELECT (id, told, topic, why) ON coldkeep.refused TO coldkeep_reader;
