-- The requests with a key that were carried out. A repeated one gets the same result.
CREATE TABLE requests (
	key    TEXT PRIMARY KEY,
	asked  TEXT NOT NULL, -- what it asked for, as JSON
	result TEXT NOT NULL  -- as JSON
);

CREATE TRIGGER requests_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON requests EXECUTE FUNCTION refuse();
