CREATE TABLE delivered (
	path     TEXT PRIMARY KEY,
	size     INTEGER NOT NULL,
	modified INTEGER NOT NULL, -- nanoseconds since 1970
	inode    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
