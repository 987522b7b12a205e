-- Times are RFC 3339 in UTC with microseconds; '' is never.

-- What somebody owns, and so is closed to everybody else.
CREATE TABLE access_objects (
	object  TEXT PRIMARY KEY, -- 'dataset:scans' or 'model:flowers'
	owner   TEXT NOT NULL,
	uri     TEXT NOT NULL,    -- where a dataset lies; '' for a model
	by      TEXT NOT NULL,
	created TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access_grants (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	object    TEXT NOT NULL REFERENCES access_objects (object),
	effect    TEXT NOT NULL CHECK (effect IN ('allow', 'deny')),
	principal TEXT NOT NULL,
	right     TEXT NOT NULL,
	purpose   TEXT NOT NULL, -- '': any
	expires   TEXT NOT NULL,
	reason    TEXT NOT NULL,
	by        TEXT NOT NULL,
	at        TEXT NOT NULL,
	revoked   TEXT NOT NULL DEFAULT '', -- when
	revoker   TEXT NOT NULL DEFAULT ''
) STRICT;

-- Declassifications.
CREATE TABLE access_exemptions (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	version TEXT NOT NULL, -- 'flowers@7'
	dataset TEXT NOT NULL REFERENCES access_objects (object),
	right   TEXT NOT NULL,
	expires TEXT NOT NULL CHECK (expires <> ''),
	reason  TEXT NOT NULL CHECK (reason <> ''),
	by      TEXT NOT NULL,
	at      TEXT NOT NULL,
	revoked TEXT NOT NULL DEFAULT '',
	revoker TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE access_tokens (
	id        TEXT PRIMARY KEY,
	hash      TEXT NOT NULL UNIQUE, -- SHA-256 of the secret; the secret is not kept
	principal TEXT NOT NULL,
	purpose   TEXT NOT NULL,
	note      TEXT NOT NULL,
	by        TEXT NOT NULL,
	created   TEXT NOT NULL,
	expires   TEXT NOT NULL CHECK (expires <> ''),
	revoked   TEXT NOT NULL DEFAULT '',
	revoker   TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The contents that registered datasets were found to have.
CREATE TABLE access_snapshots (
	dataset TEXT    NOT NULL REFERENCES access_objects (object),
	digest  TEXT    NOT NULL,
	entries INTEGER NOT NULL,
	by      TEXT    NOT NULL,
	at      TEXT    NOT NULL,
	PRIMARY KEY (dataset, digest)
) STRICT, WITHOUT ROWID;

-- The last record of the audit log, by which its end cannot be cut off unseen.
CREATE TABLE access_audit (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	sequence INTEGER NOT NULL,
	hash     TEXT    NOT NULL
) STRICT;
INSERT INTO access_audit VALUES (1, 0, '');

-- Grows with every change of what decides.
CREATE TABLE access_generation (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   INTEGER NOT NULL
) STRICT;
INSERT INTO access_generation VALUES (1, 0);

CREATE TRIGGER access_objects_added AFTER INSERT ON access_objects BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_objects_changed AFTER UPDATE ON access_objects BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_objects_removed AFTER DELETE ON access_objects BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_grants_added AFTER INSERT ON access_grants BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_grants_changed AFTER UPDATE ON access_grants BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_grants_removed AFTER DELETE ON access_grants BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_exemptions_added AFTER INSERT ON access_exemptions BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_exemptions_changed AFTER UPDATE ON access_exemptions BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_exemptions_removed AFTER DELETE ON access_exemptions BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_tokens_added AFTER INSERT ON access_tokens BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_tokens_changed AFTER UPDATE ON access_tokens BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_tokens_removed AFTER DELETE ON access_tokens BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_snapshots_added AFTER INSERT ON access_snapshots BEGIN UPDATE access_generation SET n = n + 1; END;
CREATE TRIGGER access_snapshots_removed AFTER DELETE ON access_snapshots BEGIN UPDATE access_generation SET n = n + 1; END;
