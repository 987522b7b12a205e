-- Pretrained networks that are stored under a name.
CREATE TABLE bases (
	name     TEXT PRIMARY KEY,
	digest   TEXT NOT NULL, -- of the manifest's text
	manifest TEXT NOT NULL, -- canonical JSON
	network  TEXT NOT NULL  -- the digest of the network's blob
) STRICT, WITHOUT ROWID;

CREATE TRIGGER bases_stay BEFORE UPDATE ON bases
BEGIN SELECT raise(ABORT, 'a base is immutable'); END;
