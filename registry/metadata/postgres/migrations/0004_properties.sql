-- What may change about a model or a version: its description, its state, its tags.
CREATE TABLE properties (
	model   name    NOT NULL REFERENCES models (name),
	version INTEGER NOT NULL, -- 0: the model
	name    name    NOT NULL,
	value   TEXT    NOT NULL CHECK (value <> ''),
	PRIMARY KEY (model, version, name)
);

ALTER TABLE events ADD COLUMN detail TEXT NOT NULL DEFAULT ''; -- change: of what
