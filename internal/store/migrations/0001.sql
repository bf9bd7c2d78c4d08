-- Times are Unix ms, temperatures milli-degrees Celsius. See the package's
-- documentation for the two packed columns.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The numbers that inbox knows probes by.
CREATE TABLE probe (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- One row per sweep, in the order in which they were recorded.
CREATE TABLE inbox (
	seq  INTEGER PRIMARY KEY,  -- of the sweep's first reading
	slot INTEGER NOT NULL,
	data BLOB NOT NULL         -- packed sweep
);

-- Sweeps that were folded out of the inbox, by the thousand.
CREATE TABLE chunk (
	id         INTEGER PRIMARY KEY,
	first_seq  INTEGER NOT NULL,
	last_seq   INTEGER NOT NULL,
	first_time INTEGER NOT NULL,
	last_time  INTEGER NOT NULL,
	sweeps     BLOB NOT NULL   -- packed: slot, boot, monotonic, clock
);
CREATE INDEX chunk_seq ON chunk (last_seq);
CREATE INDEX chunk_time ON chunk (last_time);

-- What one probe said within a chunk.
CREATE TABLE series (
	chunk INTEGER NOT NULL REFERENCES chunk (id),
	probe TEXT NOT NULL,
	data  BLOB NOT NULL,       -- packed readings
	PRIMARY KEY (chunk, probe)
) WITHOUT ROWID;

CREATE TABLE journal (
	seq     INTEGER PRIMARY KEY,
	time    INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	unit    TEXT,
	batch   TEXT,
	command TEXT,              -- the id its sender gave the command
	version INTEGER NOT NULL,  -- of body
	body    TEXT NOT NULL      -- the event as JSON
);
CREATE INDEX journal_kind ON journal (kind, seq);
CREATE INDEX journal_batch ON journal (batch, seq) WHERE batch IS NOT NULL;
CREATE UNIQUE INDEX journal_command ON journal (command) WHERE command IS NOT NULL;

CREATE TRIGGER journal_stands_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'what the journal says is never changed'); END;
CREATE TRIGGER journal_stands_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'what the journal says is never deleted'); END;

CREATE TABLE cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE checkpoint (at INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data BLOB NOT NULL);

-- What the journal says of batches, for whoever asks with SQL.
CREATE TABLE batch (
	id       TEXT PRIMARY KEY,
	profile  TEXT NOT NULL,
	lot      TEXT NOT NULL,
	vials    INTEGER NOT NULL,
	expiry   TEXT NOT NULL,
	received INTEGER NOT NULL,
	ended    INTEGER,
	how      TEXT              -- used, discarded
) WITHOUT ROWID;
CREATE TABLE placement (
	batch TEXT NOT NULL,
	since INTEGER NOT NULL,
	unit  TEXT NOT NULL,
	until INTEGER,
	PRIMARY KEY (batch, since)
) WITHOUT ROWID;
