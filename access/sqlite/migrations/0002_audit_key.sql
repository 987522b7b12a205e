-- What the records of the audit log are sealed with. Records up to the number
-- "unsealed" may have been written before there was a key; one of them may not
-- have reached this table.
ALTER TABLE access_audit ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE access_audit ADD COLUMN unsealed INTEGER NOT NULL DEFAULT 0;
UPDATE access_audit SET key = lower(hex(randomblob(32))), unsealed = CASE WHEN sequence = 0 THEN 0 ELSE sequence + 1 END;
