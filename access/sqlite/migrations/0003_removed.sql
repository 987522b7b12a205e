-- An object that was removed keeps its row, with its grants and snapshots, and can be
-- registered again.
ALTER TABLE access_objects ADD COLUMN removed TEXT NOT NULL DEFAULT ''; -- when
ALTER TABLE access_objects ADD COLUMN remover TEXT NOT NULL DEFAULT '';
ALTER TABLE access_snapshots ADD COLUMN revoked TEXT NOT NULL DEFAULT ''; -- when
ALTER TABLE access_snapshots ADD COLUMN revoker TEXT NOT NULL DEFAULT '';

CREATE TRIGGER access_snapshots_changed AFTER UPDATE ON access_snapshots BEGIN UPDATE access_generation SET n = n + 1; END;

-- Nothing is added to an object that was removed since it was read.
CREATE TRIGGER access_grants_lost BEFORE INSERT ON access_grants
WHEN EXISTS (SELECT 1 FROM access_objects WHERE object = NEW.object AND removed <> '')
BEGIN SELECT raise(ABORT, 'the object was removed'); END;
CREATE TRIGGER access_exemptions_lost BEFORE INSERT ON access_exemptions
WHEN EXISTS (SELECT 1 FROM access_objects WHERE object = NEW.dataset AND removed <> '')
BEGIN SELECT raise(ABORT, 'the object was removed'); END;
CREATE TRIGGER access_snapshots_lost BEFORE INSERT ON access_snapshots
WHEN EXISTS (SELECT 1 FROM access_objects WHERE object = NEW.dataset AND removed <> '')
BEGIN SELECT raise(ABORT, 'the object was removed'); END;
