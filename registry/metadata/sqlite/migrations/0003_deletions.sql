-- The history also has actions that this list did not allow, and package metadata knows
-- them all: the table is made again without the list. Its rows, their numbers and the
-- last number stay.

CREATE TABLE kept_aliases AS SELECT * FROM aliases;
DROP TABLE aliases; -- refers to events

CREATE TABLE new_events (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	at       TEXT    NOT NULL,
	actor    TEXT    NOT NULL,
	action   TEXT    NOT NULL CHECK (action <> ''),
	model    TEXT    NOT NULL REFERENCES models (name),
	version  INTEGER NOT NULL, -- 0: none
	alias    TEXT    NOT NULL, -- '': none
	previous INTEGER NOT NULL, -- the version the alias named before; 0: none
	reason   TEXT    NOT NULL,
	digest   TEXT    NOT NULL, -- register: of the manifest
	replaced INTEGER REFERENCES new_events (id) -- promote: the promotion that this one replaced
) STRICT;

INSERT INTO new_events SELECT id, at, actor, action, model, version, alias, previous, reason, digest, replaced FROM events ORDER BY id;
DELETE FROM sqlite_sequence WHERE name = 'new_events';
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_events', seq FROM sqlite_sequence WHERE name = 'events';
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;

CREATE INDEX events_by_model ON events (model, id);

CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'the history is append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'the history is append-only'); END;

CREATE TABLE aliases (
	model    TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	version  INTEGER NOT NULL,
	promoted INTEGER NOT NULL REFERENCES events (id), -- the promotion in force
	changed  INTEGER NOT NULL REFERENCES events (id), -- the last change
	PRIMARY KEY (model, name),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;

INSERT INTO aliases SELECT model, name, version, promoted, changed FROM kept_aliases;
DROP TABLE kept_aliases;

-- The deleted versions. Their rows remain; their blobs may be removed.
CREATE TABLE deletions (
	model   TEXT    NOT NULL,
	version INTEGER NOT NULL,
	event   INTEGER NOT NULL REFERENCES events (id),
	PRIMARY KEY (model, version),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER deletions_stay BEFORE UPDATE ON deletions
BEGIN SELECT raise(ABORT, 'a deletion is immutable'); END;
CREATE TRIGGER deletions_remain BEFORE DELETE ON deletions
BEGIN SELECT raise(ABORT, 'a deletion is immutable'); END;
