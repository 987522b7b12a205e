-- Times are RFC 3339 in UTC with microseconds; '' is never. They are texts, so that what
-- is not a time closes its object, as in every store.

-- What somebody owns, and so is closed to everybody else.
CREATE TABLE access_objects (
	object  TEXT PRIMARY KEY, -- 'dataset:scans' or 'model:flowers'
	owner   TEXT NOT NULL,
	uri     TEXT NOT NULL,    -- where a dataset lies; '' for a model
	by      TEXT NOT NULL,
	created TEXT NOT NULL,
	removed TEXT NOT NULL DEFAULT '', -- when
	remover TEXT NOT NULL DEFAULT ''
);

CREATE TABLE access_grants (
	id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	object    TEXT NOT NULL REFERENCES access_objects (object),
	effect    TEXT NOT NULL CHECK (effect IN ('allow', 'deny')),
	principal TEXT NOT NULL,
	"right"   TEXT NOT NULL,
	purpose   TEXT NOT NULL, -- '': any
	expires   TEXT NOT NULL,
	reason    TEXT NOT NULL,
	by        TEXT NOT NULL,
	at        TEXT NOT NULL,
	revoked   TEXT NOT NULL DEFAULT '', -- when
	revoker   TEXT NOT NULL DEFAULT ''
);

-- Declassifications.
CREATE TABLE access_exemptions (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	version TEXT NOT NULL, -- 'flowers@7'
	dataset TEXT NOT NULL REFERENCES access_objects (object),
	"right" TEXT NOT NULL,
	expires TEXT NOT NULL CHECK (expires <> ''),
	reason  TEXT NOT NULL CHECK (reason <> ''),
	by      TEXT NOT NULL,
	at      TEXT NOT NULL,
	revoked TEXT NOT NULL DEFAULT '',
	revoker TEXT NOT NULL DEFAULT ''
);

CREATE TABLE access_tokens (
	id        TEXT COLLATE "C" PRIMARY KEY,
	hash      TEXT NOT NULL UNIQUE, -- SHA-256 of the secret; the secret is not kept
	principal TEXT NOT NULL,
	purpose   TEXT NOT NULL,
	note      TEXT NOT NULL,
	by        TEXT NOT NULL,
	created   TEXT COLLATE "C" NOT NULL,
	expires   TEXT NOT NULL CHECK (expires <> ''),
	revoked   TEXT NOT NULL DEFAULT '',
	revoker   TEXT NOT NULL DEFAULT ''
);

-- The contents that registered datasets were found to have.
CREATE TABLE access_snapshots (
	dataset TEXT   COLLATE "C" NOT NULL REFERENCES access_objects (object),
	digest  TEXT   COLLATE "C" NOT NULL,
	entries BIGINT NOT NULL,
	by      TEXT   NOT NULL,
	at      TEXT   NOT NULL,
	revoked TEXT   NOT NULL DEFAULT '', -- when
	revoker TEXT   NOT NULL DEFAULT '',
	PRIMARY KEY (dataset, digest)
);

-- The records of the audit log.
CREATE TABLE access_log (
	sequence BIGINT PRIMARY KEY CHECK (sequence > 0),
	line     TEXT   NOT NULL
);

-- The last record of the audit log, by which its end cannot be cut off unseen, and what
-- its records are sealed with.
CREATE TABLE access_audit (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	sequence BIGINT  NOT NULL,
	hash     TEXT    NOT NULL,
	key      TEXT    NOT NULL
);
INSERT INTO access_audit VALUES (1, 0, '', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- Grows with every change of what decides.
CREATE TABLE access_generation (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   BIGINT  NOT NULL
);
INSERT INTO access_generation VALUES (1, 0);

CREATE FUNCTION access_changed() RETURNS TRIGGER LANGUAGE plpgsql
	AS $$ BEGIN UPDATE access_generation SET n = n + 1; RETURN NULL; END $$;

CREATE TRIGGER access_objects_changed AFTER INSERT OR UPDATE OR DELETE ON access_objects FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_grants_changed AFTER INSERT OR UPDATE OR DELETE ON access_grants FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_exemptions_changed AFTER INSERT OR UPDATE OR DELETE ON access_exemptions FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_tokens_changed AFTER INSERT OR UPDATE OR DELETE ON access_tokens FOR EACH ROW EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_snapshots_changed AFTER INSERT OR UPDATE OR DELETE ON access_snapshots FOR EACH ROW EXECUTE FUNCTION access_changed();

-- Nothing is added to an object that was removed since it was read.
CREATE FUNCTION access_lost() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
	lost TEXT := CASE WHEN TG_TABLE_NAME = 'access_grants' THEN to_jsonb(NEW) ->> 'object' ELSE to_jsonb(NEW) ->> 'dataset' END;
BEGIN
	IF EXISTS (SELECT 1 FROM access_objects WHERE object = lost AND removed <> '') THEN
		RAISE EXCEPTION 'the object was removed';
	END IF;
	RETURN NEW;
END $$;

CREATE TRIGGER access_grants_lost BEFORE INSERT ON access_grants FOR EACH ROW EXECUTE FUNCTION access_lost();
CREATE TRIGGER access_exemptions_lost BEFORE INSERT ON access_exemptions FOR EACH ROW EXECUTE FUNCTION access_lost();
CREATE TRIGGER access_snapshots_lost BEFORE INSERT ON access_snapshots FOR EACH ROW EXECUTE FUNCTION access_lost();

CREATE FUNCTION access_log_stays() RETURNS TRIGGER LANGUAGE plpgsql
	AS $$ BEGIN RAISE EXCEPTION '% of the audit log is refused: its records stay as they are', TG_OP; END $$;
CREATE TRIGGER access_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON access_log EXECUTE FUNCTION access_log_stays();
