-- The way in: Telegraf copies topic and payload into coldkeep.inbox, and a
-- trigger reads the whole batch, once, in the same transaction. Run after 001:
--
--	psql -1 -v ON_ERROR_STOP=1 -d coldkeep -f sql/002-ingest.sql

INSERT INTO coldkeep.migrations (name) VALUES ('002-ingest');

-- The inbox is empty whenever a transaction ends, so nothing is lost by not
-- logging it; what it carries is logged where it is stored.
CREATE UNLOGGED TABLE coldkeep.inbox (
	time timestamptz NOT NULL, -- when Telegraf had it
	topic text NOT NULL,
	value text NOT NULL -- the payload; Telegraf has replaced what PostgreSQL takes for no text (telegraf.conf)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TYPE coldkeep.message AS (
	class text, -- reading, event, unit, batch, status; null: refused
	site text,
	node text,
	record text,
	seq bigint,
	time timestamptz,
	unit text,
	item text, -- probe, batch
	millicelsius integer,
	body jsonb,
	why text -- refused, and why
);

-- instant_of gives the time that stands in a payload as milliseconds.
CREATE FUNCTION coldkeep.instant_of(ms jsonb) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$ SELECT timestamptz 'epoch' + ms::bigint * interval '1 millisecond' $$;

-- understand reads one message. It never fails: whatever a clinic sends, the
-- others' messages in the same batch must get in.
CREATE FUNCTION coldkeep.understand(topic text, value text) RETURNS coldkeep.message
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	m coldkeep.message;
	part text[] := string_to_array(topic, '/');
	class text;
BEGIN
	IF part[1] <> 'coldkeep' OR part[2] = '' OR part[3] = '' THEN
		m.why := 'no topic of ours';
		RETURN m;
	END IF;
	m.site := part[2];
	m.node := part[3];
	class := CASE
		WHEN part[4] = 'probe' AND part[6] = 'reading' THEN 'reading'
		WHEN part[4] = 'unit' AND part[6] = 'state' THEN 'unit'
		WHEN part[4] = 'batch' AND part[6] = 'state' THEN 'batch'
		WHEN part[4] IN ('event', 'status') THEN part[4]
	END;
	m.item := part[5];
	IF class = 'status' THEN
		IF value IN ('online', 'offline') THEN
			m.class := class;
			m.body := jsonb_build_object('online', value = 'online');
		ELSE
			m.why := 'neither online nor offline';
		END IF;
		RETURN m;
	ELSIF class IN ('unit', 'batch') AND value = '' THEN
		m.class := class; -- cleared: it has left
		RETURN m;
	ELSIF class IS NULL THEN
		m.why := 'no topic of ours';
		RETURN m;
	END IF;

	m.body := value::jsonb;
	IF jsonb_typeof(m.body) IS DISTINCT FROM 'object' THEN
		RAISE 'no object';
	END IF;
	IF m.body ? 'time_unix_ms' THEN
		m.time := coldkeep.instant_of(m.body -> 'time_unix_ms');
	END IF;
	IF m.body ? 'temperature_celsius' THEN
		m.millicelsius := round((m.body ->> 'temperature_celsius')::numeric * 1000);
	END IF;
	m.unit := coalesce(m.body ->> 'unit', '');
	IF class IN ('reading', 'event') THEN
		m.record := m.body ->> 'record';
		m.seq := (m.body ->> 'seq')::bigint;
		IF m.record IS NULL OR m.record !~ '^[0-9a-f]{16}$' THEN RAISE 'no record'; END IF;
		IF m.seq IS NULL OR m.seq < 1 THEN RAISE 'no seq'; END IF;
		IF m.time IS NULL THEN RAISE 'no time_unix_ms'; END IF;
		IF class = 'event' AND m.body ->> 'kind' IS NULL THEN RAISE 'no kind'; END IF;
		IF class = 'reading' THEN
			IF (m.millicelsius IS NULL) = (m.body ->> 'fault' IS NULL) THEN RAISE 'neither temperature nor fault, or both'; END IF;
			PERFORM (m.body ->> 'clock_synchronized')::boolean;
		END IF;
	ELSIF class = 'unit' THEN
		PERFORM (m.body ->> 'out_of_range')::int, (m.body ->> 'probe_ok')::int, (m.body ->> 'batches')::int, (m.body ->> 'flagged_batches')::int;
		IF NOT m.body ?& '{out_of_range,probe_ok}' THEN RAISE 'no out_of_range or probe_ok'; END IF;
	ELSIF class = 'batch' THEN
		PERFORM (m.body ->> 'flagged')::int, (m.body ->> 'since')::timestamptz;
		IF NOT m.body ?& '{verdict,flagged}' THEN RAISE 'no verdict or flagged'; END IF;
	END IF;
	m.class := class;
	RETURN m;
EXCEPTION WHEN OTHERS THEN
	m.class := NULL;
	m.why := SQLERRM;
	RETURN m;
END $$;

-- accept stores a batch, set by set: a batch of thousands costs little more
-- than one message. Batches take turns: two collectors that bring the same
-- site's messages must not wait for each other for ever.
CREATE FUNCTION coldkeep.accept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('coldkeep.accept'));
	-- Emptied at each commit; a writer keeps its connection for days.
	CREATE TEMP TABLE IF NOT EXISTS come (told timestamptz, topic text, value text, m coldkeep.message) ON COMMIT DELETE ROWS;
	DELETE FROM pg_temp.come; -- a second statement in one transaction
	INSERT INTO pg_temp.come SELECT time, topic, value, coldkeep.understand(topic, value) FROM arrived;
	DELETE FROM coldkeep.inbox; -- only what this transaction sees: its own

	-- No partition is made here: a clock that is centuries wrong would make one.
	UPDATE pg_temp.come SET m.class = NULL, m.why = 'its time is outside what is kept: ' || (m).time
		FROM coldkeep.bounds b
		WHERE b.parent = (m).class || 's' AND ((m).time < b.kept_from OR (m).time >= b.made_until);
	INSERT INTO coldkeep.refused (told, topic, value, why) SELECT told, topic, value, (m).why FROM pg_temp.come WHERE (m).class IS NULL;

	INSERT INTO coldkeep.sites (id)
		SELECT DISTINCT (m).site FROM pg_temp.come WHERE (m).class IS NOT NULL AND NOT EXISTS (SELECT FROM coldkeep.sites s WHERE s.id = (m).site) ORDER BY 1
		ON CONFLICT DO NOTHING;
	INSERT INTO coldkeep.records (site, node, record, first_seq, last_seq, arrived, heard)
		SELECT (m).site, (m).node, (m).record, min((m).seq), min((m).seq), 0, clock_timestamp() FROM pg_temp.come
		WHERE (m).class IN ('reading', 'event')
			AND NOT EXISTS (SELECT FROM coldkeep.records r WHERE r.site = (m).site AND r.node = (m).node AND r.record = (m).record)
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
		ON CONFLICT DO NOTHING;
	INSERT INTO coldkeep.probes (site, node, unit, probe)
		SELECT DISTINCT (m).site, (m).node, (m).unit, (m).item FROM pg_temp.come
		WHERE (m).class = 'reading'
			AND NOT EXISTS (SELECT FROM coldkeep.probes p WHERE p.site = (m).site AND p.node = (m).node AND p.unit = (m).unit AND p.probe = (m).item)
		ORDER BY 1, 2, 3, 4
		ON CONFLICT DO NOTHING;

	WITH readings AS (
		INSERT INTO coldkeep.readings (time, seq, record, probe, millicelsius, clock_synchronized, fault)
		SELECT (m).time, (m).seq, r.id, p.id, (m).millicelsius, coalesce(((m).body ->> 'clock_synchronized')::boolean, false), (m).body ->> 'fault'
		FROM pg_temp.come
			JOIN coldkeep.records r ON r.site = (m).site AND r.node = (m).node AND r.record = (m).record
			JOIN coldkeep.probes p ON p.site = (m).site AND p.node = (m).node AND p.unit = (m).unit AND p.probe = (m).item
		WHERE (m).class = 'reading'
		ORDER BY p.id, r.id, (m).time
		ON CONFLICT DO NOTHING
		RETURNING record, seq, time
	), events AS (
		INSERT INTO coldkeep.events (time, seq, record, kind, unit, batch, severity, reason, body)
		SELECT (m).time, (m).seq, r.id, (m).body ->> 'kind', nullif((m).unit, ''), (m).body ->> 'batch', (m).body ->> 'severity', (m).body ->> 'reason', (m).body
		FROM pg_temp.come JOIN coldkeep.records r ON r.site = (m).site AND r.node = (m).node AND r.record = (m).record
		WHERE (m).class = 'event'
		ORDER BY r.id, (m).time
		ON CONFLICT DO NOTHING
		RETURNING record, seq, NULL::timestamptz AS time
	), added AS (
		SELECT record, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS n, max(time) AS newest
		FROM (SELECT * FROM readings UNION ALL SELECT * FROM events) AS both_kinds
		GROUP BY record
	)
	UPDATE coldkeep.records r SET
		first_seq = least(r.first_seq, added.first_seq), last_seq = greatest(r.last_seq, added.last_seq),
		arrived = r.arrived + added.n, newest = greatest(r.newest, added.newest), heard = clock_timestamp()
	FROM added WHERE r.id = added.record;

	INSERT INTO coldkeep.nodes (site, node, online, told)
		SELECT DISTINCT ON (1, 2) (m).site, (m).node, ((m).body ->> 'online')::boolean, told FROM pg_temp.come
		WHERE (m).class = 'status' ORDER BY 1, 2, told DESC
		ON CONFLICT (site, node) DO UPDATE SET online = excluded.online, told = excluded.told WHERE excluded.told >= nodes.told;

	INSERT INTO coldkeep.units (site, node, unit, name, time, millicelsius, out_of_range, probe_ok, batches, flagged_batches, told)
		SELECT x.site, x.node, x.item, x.body ->> 'name', x.time, x.millicelsius, (x.body ->> 'out_of_range')::int <> 0, (x.body ->> 'probe_ok')::int <> 0,
			coalesce((x.body ->> 'batches')::int, 0), coalesce((x.body ->> 'flagged_batches')::int, 0), x.told
		FROM (SELECT DISTINCT ON ((m).site, (m).node, (m).item) (m).*, told FROM pg_temp.come WHERE (m).class = 'unit' ORDER BY (m).site, (m).node, (m).item, told DESC) x
		WHERE x.body IS NOT NULL
		ON CONFLICT (site, node, unit) DO UPDATE SET name = excluded.name, time = excluded.time, millicelsius = excluded.millicelsius,
			out_of_range = excluded.out_of_range, probe_ok = excluded.probe_ok, batches = excluded.batches, flagged_batches = excluded.flagged_batches, told = excluded.told
			WHERE excluded.told >= units.told;
	INSERT INTO coldkeep.batches (site, node, batch, unit, verdict, flagged, since, lot, reasons, told)
		SELECT x.site, x.node, x.item, x.unit, x.body ->> 'verdict', (x.body ->> 'flagged')::int <> 0, (x.body ->> 'since')::timestamptz, x.body ->> 'lot', x.body ->> 'reasons', x.told
		FROM (SELECT DISTINCT ON ((m).site, (m).node, (m).item) (m).*, told FROM pg_temp.come WHERE (m).class = 'batch' ORDER BY (m).site, (m).node, (m).item, told DESC) x
		WHERE x.body IS NOT NULL
		ON CONFLICT (site, node, batch) DO UPDATE SET unit = excluded.unit, verdict = excluded.verdict, flagged = excluded.flagged,
			since = excluded.since, lot = excluded.lot, reasons = excluded.reasons, told = excluded.told
			WHERE excluded.told >= batches.told;
	-- What was cleared last has left; what was told again after it has come back.
	DELETE FROM coldkeep.units u USING (SELECT DISTINCT ON ((m).site, (m).node, (m).item) (m).*, told FROM pg_temp.come WHERE (m).class = 'unit' ORDER BY (m).site, (m).node, (m).item, told DESC) x
		WHERE x.body IS NULL AND u.site = x.site AND u.node = x.node AND u.unit = x.item AND u.told <= x.told;
	DELETE FROM coldkeep.batches b USING (SELECT DISTINCT ON ((m).site, (m).node, (m).item) (m).*, told FROM pg_temp.come WHERE (m).class = 'batch' ORDER BY (m).site, (m).node, (m).item, told DESC) x
		WHERE x.body IS NULL AND b.site = x.site AND b.node = x.node AND b.batch = x.item AND b.told <= x.told;
	RETURN NULL;
END $$;

CREATE TRIGGER accept AFTER INSERT ON coldkeep.inbox
	REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION coldkeep.accept();

-- retry sends what was refused through the trigger again: after partitions
-- were made for it, or this file was corrected. What is still refused comes back.
CREATE FUNCTION coldkeep.retry() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	WITH gone AS (DELETE FROM coldkeep.refused RETURNING told, topic, value)
	INSERT INTO coldkeep.inbox SELECT told, topic, value FROM gone;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA coldkeep FROM PUBLIC;
GRANT USAGE ON SCHEMA coldkeep TO coldkeep_writer, coldkeep_reader;
-- The writer can fill the inbox, and see nothing of what is stored.
GRANT INSERT ON coldkeep.inbox TO coldkeep_writer;
-- accept runs with the owner's rights on a table of the session's own making:
-- nobody else may put one of that name there before.
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;
