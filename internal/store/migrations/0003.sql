-- Files that belong to the record: a logger's read-out, a batch's papers. Each
-- is kept as it came, by its SHA-256.
CREATE TABLE files (
	sha256 TEXT PRIMARY KEY,   -- of bytes, in hex
	at     INTEGER NOT NULL,   -- when it came first
	bytes  BLOB NOT NULL
);
CREATE TRIGGER files_stand_update BEFORE UPDATE ON files
BEGIN SELECT RAISE(ABORT, 'a file of the record is never changed'); END;
CREATE TRIGGER files_stand_delete BEFORE DELETE ON files
BEGIN SELECT RAISE(ABORT, 'a file of the record is never deleted'); END;

-- What loggers had recorded, as it was imported: readings of long ago, which
-- therefore are in no sweep.
CREATE TABLE import (
	seq        INTEGER PRIMARY KEY, -- of its readings_imported in journal
	probe      TEXT NOT NULL,
	first_time INTEGER NOT NULL,
	last_time  INTEGER NOT NULL,
	data       BLOB NOT NULL        -- packed readings
);
CREATE INDEX import_probe ON import (probe, last_time);
CREATE TRIGGER import_stands_update BEFORE UPDATE ON import
BEGIN SELECT RAISE(ABORT, 'what was imported is never changed'); END;
CREATE TRIGGER import_stands_delete BEFORE DELETE ON import
BEGIN SELECT RAISE(ABORT, 'what was imported is never deleted'); END;
