-- The requests with a key that were carried out. A repeated one gets the same result.
CREATE TABLE requests (
	key    TEXT PRIMARY KEY,
	asked  TEXT NOT NULL, -- what it asked for, as JSON
	result TEXT NOT NULL  -- as JSON
) STRICT, WITHOUT ROWID;

CREATE TRIGGER requests_stay BEFORE UPDATE ON requests
BEGIN SELECT raise(ABORT, 'a request is immutable'); END;
CREATE TRIGGER requests_remain BEFORE DELETE ON requests
BEGIN SELECT raise(ABORT, 'a request is immutable'); END;
