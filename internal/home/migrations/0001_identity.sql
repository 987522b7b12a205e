-- Which home this database belongs to. The file "identity" beside the database
-- names the same one.
CREATE TABLE home (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	id    TEXT    NOT NULL,
	noted INTEGER NOT NULL DEFAULT 0 -- 1 once the file was written
) STRICT;
INSERT INTO home (one, id) VALUES (1, lower(hex(randomblob(16))));
