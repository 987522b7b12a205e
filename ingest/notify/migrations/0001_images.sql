CREATE TABLE images (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	sha256      TEXT NOT NULL,
	source      TEXT NOT NULL,
	label       TEXT NOT NULL,
	probability REAL NOT NULL,
	arrived     INTEGER NOT NULL, -- milliseconds since 1970
	told        INTEGER,          -- when it was in a message, or was given up
	UNIQUE (sha256, source)
) STRICT;

CREATE INDEX images_by_told ON images (told);

CREATE TABLE messages (
	sent INTEGER NOT NULL -- milliseconds since 1970
) STRICT;
