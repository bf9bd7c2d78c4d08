-- Alarms and verdicts of the time shown, the newest first.
SELECT e.time, r.site, e.kind, e.unit, e.batch, e.severity, e.reason
FROM coldkeep.events e JOIN coldkeep.records r ON r.id = e.record
WHERE $__timeFilter(e.time)
	AND e.kind IN ('alarm_raised', 'alarm_cleared', 'alarm_acknowledged', 'batch_flagged', 'batch_quarantined', 'excursion_started', 'excursion_ended', 'probe_failed')
ORDER BY e.time DESC
LIMIT 200
