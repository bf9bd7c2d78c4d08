-- The fleet's tables. Run as the database's owner, once, in one transaction:
--
--	psql -1 -v ON_ERROR_STOP=1 -d coldkeep -f sql/001-schema.sql
--
-- A clinic's own record is the truth; this is a copy to look at 200 of them.
-- What comes is identified by site, node, record and seq, as coldkeep says it:
-- the journal is never changed, so the same place in the same record always
-- has the same time and content, and a repeat can be dropped without looking.

CREATE SCHEMA coldkeep;

CREATE TABLE coldkeep.migrations (
	name text PRIMARY KEY, -- a second run of the same file stops here
	applied timestamptz NOT NULL DEFAULT now()
);
INSERT INTO coldkeep.migrations (name) VALUES ('001-schema');

-- Roles belong to the whole server; another database may have made them.
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'coldkeep_writer') THEN
		CREATE ROLE coldkeep_writer LOGIN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'coldkeep_reader') THEN
		CREATE ROLE coldkeep_reader LOGIN;
	END IF;
END $$;

-- Every clinic that should be heard. One that publishes without being here is
-- added; one that is here and never publishes is silent.
CREATE TABLE coldkeep.sites (
	id text PRIMARY KEY,
	name text,
	since timestamptz NOT NULL DEFAULT now(),
	silent_after interval NOT NULL DEFAULT '10 minutes',
	retired boolean NOT NULL DEFAULT false -- closed for good: nobody waits for it
);

-- One line for each record that a node has written: a restored copy has another.
CREATE TABLE coldkeep.records (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site text NOT NULL REFERENCES coldkeep.sites,
	node text NOT NULL,
	record text NOT NULL,
	first_seq bigint NOT NULL,
	last_seq bigint NOT NULL,
	arrived bigint NOT NULL, -- readings and events, repeats not counted
	newest timestamptz, -- time of the newest reading
	heard timestamptz NOT NULL, -- when something new came last, by this server's clock
	UNIQUE (site, node, record)
) WITH (fillfactor = 50); -- changed with every batch: room to do it in place

CREATE TABLE coldkeep.probes (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site text NOT NULL REFERENCES coldkeep.sites,
	node text NOT NULL,
	unit text NOT NULL, -- '' where the probe is in none; a probe that moves is a new line
	probe text NOT NULL,
	UNIQUE (site, node, unit, probe)
);

-- Every reading, in partitions of a month. One index serves both the drop of
-- repeats and the curves of a probe: probe and time follow from the place in
-- the record, so it is unique exactly when (record, seq) is. In this order of
-- columns it has no padding.
CREATE TABLE coldkeep.readings (
	time timestamptz NOT NULL,
	seq bigint NOT NULL,
	record integer NOT NULL, -- coldkeep.records; no foreign key: it is checked on the way in
	probe integer NOT NULL, -- coldkeep.probes
	millicelsius integer, -- null: a fault
	clock_synchronized boolean NOT NULL,
	fault text,
	PRIMARY KEY (probe, record, time, seq),
	CHECK ((millicelsius IS NULL) <> (fault IS NULL))
) PARTITION BY RANGE (time);

-- Every event of the journals.
CREATE TABLE coldkeep.events (
	time timestamptz NOT NULL,
	seq bigint NOT NULL,
	record integer NOT NULL,
	kind text NOT NULL,
	unit text,
	batch text,
	severity text,
	reason text,
	body jsonb NOT NULL, -- as it came
	PRIMARY KEY (record, time, seq)
) PARTITION BY RANGE (time);
CREATE INDEX ON coldkeep.events (kind, time);

-- How things stand, as last told. `told` is when the broker gave it to us, and
-- no proof that the clinic lives: what is retained comes again at any time.
CREATE TABLE coldkeep.units (
	site text NOT NULL REFERENCES coldkeep.sites,
	node text NOT NULL,
	unit text NOT NULL,
	name text,
	time timestamptz, -- of the temperature
	millicelsius integer,
	out_of_range boolean NOT NULL,
	probe_ok boolean NOT NULL,
	batches integer NOT NULL,
	flagged_batches integer NOT NULL,
	told timestamptz NOT NULL,
	PRIMARY KEY (site, node, unit)
) WITH (fillfactor = 50);

CREATE TABLE coldkeep.batches (
	site text NOT NULL REFERENCES coldkeep.sites,
	node text NOT NULL,
	batch text NOT NULL,
	unit text NOT NULL,
	verdict text NOT NULL,
	flagged boolean NOT NULL,
	since timestamptz,
	lot text,
	reasons text,
	told timestamptz NOT NULL,
	PRIMARY KEY (site, node, batch)
) WITH (fillfactor = 50);

CREATE TABLE coldkeep.nodes (
	site text NOT NULL REFERENCES coldkeep.sites,
	node text NOT NULL,
	online boolean NOT NULL,
	told timestamptz NOT NULL,
	PRIMARY KEY (site, node)
) WITH (fillfactor = 50);

-- What could not be read or has no partition: nothing is thrown away unseen.
CREATE TABLE coldkeep.refused (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	told timestamptz NOT NULL,
	topic text NOT NULL,
	value text NOT NULL,
	why text NOT NULL
);
CREATE INDEX ON coldkeep.refused (told);

-- How long to keep. Readings are the bulk (README: disk per year).
CREATE TABLE coldkeep.retention (
	parent text PRIMARY KEY,
	months integer NOT NULL CHECK (months > 0)
);
INSERT INTO coldkeep.retention VALUES ('readings', 3), ('events', 36);

-- The span for which there are partitions. What is outside is refused, not lost.
CREATE TABLE coldkeep.bounds (
	parent text PRIMARY KEY,
	kept_from timestamptz NOT NULL,
	made_until timestamptz NOT NULL
);

-- maintain makes the partitions up to two months ahead and drops those beyond
-- the retention. Daily, from cron or a systemd timer. A month is a month of UTC.
CREATE FUNCTION coldkeep.maintain(at timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
	r coldkeep.retention;
	this timestamptz := date_trunc('month', at);
	first timestamptz;
	m timestamptz;
	child text;
BEGIN
	FOR r IN SELECT * FROM coldkeep.retention LOOP
		first := this - make_interval(months => r.months);
		m := first;
		WHILE m < this + interval '3 months' LOOP
			child := r.parent || to_char(m, '_YYYY_MM');
			IF to_regclass('coldkeep.' || child) IS NULL THEN
				EXECUTE format('CREATE TABLE coldkeep.%I PARTITION OF coldkeep.%I FOR VALUES FROM (%L) TO (%L)', child, r.parent, m, m + interval '1 month');
			END IF;
			m := m + interval '1 month';
		END LOOP;
		INSERT INTO coldkeep.bounds VALUES (r.parent, first, m)
			ON CONFLICT (parent) DO UPDATE SET kept_from = excluded.kept_from, made_until = excluded.made_until;
		FOR child IN
			SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = ('coldkeep.' || r.parent)::regclass AND c.relname < r.parent || to_char(first, '_YYYY_MM')
		LOOP
			EXECUTE format('DROP TABLE coldkeep.%I', child);
		END LOOP;
	END LOOP;
	DELETE FROM coldkeep.refused WHERE told < at - interval '3 months';
END $$;
SELECT coldkeep.maintain();
