-- Times are RFC 3339 in UTC with microseconds.

CREATE TABLE models (
	name    TEXT PRIMARY KEY,
	created TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
	model    TEXT    NOT NULL REFERENCES models (name),
	version  INTEGER NOT NULL CHECK (version > 0),
	digest   TEXT    NOT NULL, -- of the manifest's text
	manifest TEXT    NOT NULL, -- canonical JSON
	PRIMARY KEY (model, version)
) STRICT;

-- The blobs that each version refers to.
CREATE TABLE parts (
	model   TEXT    NOT NULL,
	version INTEGER NOT NULL,
	name    TEXT    NOT NULL,
	digest  TEXT    NOT NULL,
	PRIMARY KEY (model, version, name),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX parts_by_digest ON parts (digest);

-- All that was ever done, by number: the highest number is the registry's
-- generation.
CREATE TABLE events (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	at       TEXT    NOT NULL,
	actor    TEXT    NOT NULL,
	action   TEXT    NOT NULL CHECK (action IN ('register', 'promote', 'rollback', 'remove-alias')),
	model    TEXT    NOT NULL REFERENCES models (name),
	version  INTEGER NOT NULL, -- 0: none
	alias    TEXT    NOT NULL, -- '': none
	previous INTEGER NOT NULL, -- the version the alias named before; 0: none
	reason   TEXT    NOT NULL,
	digest   TEXT    NOT NULL, -- register: of the manifest
	replaced INTEGER REFERENCES events (id) -- promote: the promotion that this one replaced
) STRICT;

CREATE INDEX events_by_model ON events (model, id);

CREATE TABLE aliases (
	model    TEXT    NOT NULL,
	name     TEXT    NOT NULL,
	version  INTEGER NOT NULL,
	promoted INTEGER NOT NULL REFERENCES events (id), -- the promotion in force
	changed  INTEGER NOT NULL REFERENCES events (id), -- the last change
	PRIMARY KEY (model, name),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER versions_stay BEFORE UPDATE ON versions
BEGIN SELECT raise(ABORT, 'a version is immutable'); END;
CREATE TRIGGER versions_remain BEFORE DELETE ON versions
BEGIN SELECT raise(ABORT, 'a version is immutable'); END;
CREATE TRIGGER parts_stay BEFORE UPDATE ON parts
BEGIN SELECT raise(ABORT, 'a version is immutable'); END;
CREATE TRIGGER parts_remain BEFORE DELETE ON parts
BEGIN SELECT raise(ABORT, 'a version is immutable'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'the history is append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'the history is append-only'); END;
