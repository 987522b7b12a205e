-- The message that was begun and is not known to be sent. It is sent again with the same
-- id and about the same images.
CREATE TABLE sending (
	id   TEXT NOT NULL,
	last INTEGER NOT NULL -- the highest id of its images
) STRICT;
