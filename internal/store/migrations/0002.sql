-- What the part that calls people remembers: a cache of what the journal says
-- up to seq, in the words of package alert.
CREATE TABLE desk (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, data BLOB NOT NULL);
