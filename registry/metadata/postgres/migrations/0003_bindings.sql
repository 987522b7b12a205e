-- Which version of a model an application gets: the one that an alias names, or a number.
CREATE TABLE bindings (
	application name    NOT NULL,
	model       name    NOT NULL REFERENCES models (name),
	alias       TEXT    NOT NULL, -- '': the version
	version     INTEGER NOT NULL, -- 0: the one that the alias names
	changed     BIGINT  NOT NULL REFERENCES events (id), -- the last change
	PRIMARY KEY (application, model),
	CHECK ((alias = '') <> (version = 0))
);

CREATE INDEX bindings_by_model ON bindings (model);
CREATE TRIGGER bindings_told AFTER INSERT OR UPDATE OR DELETE ON bindings EXECUTE FUNCTION tell_registry();

ALTER TABLE events ADD COLUMN application TEXT NOT NULL DEFAULT ''; -- bind, unbind
