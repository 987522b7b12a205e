-- Times are RFC 3339 in UTC with microseconds, so that texts sort like their times. Names
-- sort by their bytes.
CREATE DOMAIN moment AS TEXT COLLATE "C"
	CHECK (VALUE ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$');
CREATE DOMAIN name AS TEXT COLLATE "C" CHECK (VALUE <> '');

CREATE TABLE models (
	name    name PRIMARY KEY,
	created moment NOT NULL
);

CREATE TABLE versions (
	model    name    NOT NULL REFERENCES models (name),
	version  INTEGER NOT NULL CHECK (version > 0),
	digest   TEXT    NOT NULL, -- of the manifest's text
	manifest TEXT    NOT NULL, -- canonical JSON
	PRIMARY KEY (model, version)
);

-- The blobs that each version refers to.
CREATE TABLE parts (
	model   name    NOT NULL,
	version INTEGER NOT NULL,
	name    TEXT    NOT NULL,
	digest  TEXT    NOT NULL,
	PRIMARY KEY (model, version, name),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

CREATE INDEX parts_by_digest ON parts (digest);

-- The number of the last event. A sequence would leave gaps where a transaction failed.
CREATE TABLE last_event (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	id  BIGINT  NOT NULL
);
INSERT INTO last_event VALUES (1, 0);

CREATE FUNCTION next_event() RETURNS BIGINT LANGUAGE sql VOLATILE
	AS $$ UPDATE last_event SET id = id + 1 RETURNING id $$;

-- All that was ever done, by number: the highest number is the registry's generation.
CREATE TABLE events (
	id       BIGINT  PRIMARY KEY DEFAULT next_event(),
	at       moment  NOT NULL,
	actor    TEXT    NOT NULL,
	action   TEXT    NOT NULL CHECK (action <> ''),
	model    name    NOT NULL REFERENCES models (name),
	version  INTEGER NOT NULL, -- 0: none
	alias    TEXT    NOT NULL, -- '': none
	previous INTEGER NOT NULL, -- the version the alias named before; 0: none
	reason   TEXT    NOT NULL,
	digest   TEXT    NOT NULL, -- register: of the manifest
	replaced BIGINT  REFERENCES events (id) -- promote: the promotion that this one replaced
);

CREATE INDEX events_by_model ON events (model, id);

CREATE TABLE aliases (
	model    name    NOT NULL,
	name     name    NOT NULL,
	version  INTEGER NOT NULL,
	promoted BIGINT  NOT NULL REFERENCES events (id), -- the promotion in force
	changed  BIGINT  NOT NULL REFERENCES events (id), -- the last change
	PRIMARY KEY (model, name),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

-- Pretrained networks that are stored under a name.
CREATE TABLE bases (
	name     name PRIMARY KEY,
	digest   TEXT NOT NULL, -- of the manifest's text
	manifest TEXT NOT NULL, -- canonical JSON
	network  TEXT NOT NULL  -- the digest of the network's blob
);

-- The deleted versions. Their rows remain; their blobs may be removed.
CREATE TABLE deletions (
	model   name    NOT NULL,
	version INTEGER NOT NULL,
	event   BIGINT  NOT NULL REFERENCES events (id),
	PRIMARY KEY (model, version),
	FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql
	AS $$ BEGIN RAISE EXCEPTION '% of % is refused: its rows stay as they are', TG_OP, TG_TABLE_NAME; END $$;

CREATE TRIGGER versions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON versions EXECUTE FUNCTION refuse();
CREATE TRIGGER parts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON parts EXECUTE FUNCTION refuse();
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON events EXECUTE FUNCTION refuse();
CREATE TRIGGER deletions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON deletions EXECUTE FUNCTION refuse();
CREATE TRIGGER bases_stay BEFORE UPDATE OR TRUNCATE ON bases EXECUTE FUNCTION refuse();

-- Servers are told when a transaction that changed something commits, once.
CREATE FUNCTION tell_registry() RETURNS TRIGGER LANGUAGE plpgsql
	AS $$ BEGIN PERFORM pg_notify('tkit_registry', ''); RETURN NULL; END $$;
CREATE TRIGGER versions_told AFTER INSERT ON versions EXECUTE FUNCTION tell_registry();
CREATE TRIGGER events_told AFTER INSERT ON events EXECUTE FUNCTION tell_registry();
CREATE TRIGGER aliases_told AFTER INSERT OR UPDATE OR DELETE ON aliases EXECUTE FUNCTION tell_registry();
CREATE TRIGGER deletions_told AFTER INSERT ON deletions EXECUTE FUNCTION tell_registry();
CREATE TRIGGER bases_told AFTER INSERT OR DELETE ON bases EXECUTE FUNCTION tell_registry();
