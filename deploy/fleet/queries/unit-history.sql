-- One unit's probes over the time shown, in steps, with the lowest and the
-- highest of each: an excursion shorter than a pixel must not vanish. A fault
-- leaves a gap.
SELECT $__timeGroupAlias(d.time, $__interval), node || '/' || p.probe AS metric,
	min(d.millicelsius) / 1000.0 AS lowest, max(d.millicelsius) / 1000.0 AS highest
FROM coldkeep.probes p JOIN coldkeep.records r USING (site, node) JOIN coldkeep.readings d ON d.probe = p.id AND d.record = r.id
WHERE site = ${site:sqlstring} AND p.unit = ${unit:sqlstring} AND $__timeFilter(d.time)
GROUP BY 1, 2
ORDER BY 1
