package access_test

import (
	"tkit/access"
	"tkit/access/sqlite"
)

func init() { access.TestStore = sqlite.Open }
