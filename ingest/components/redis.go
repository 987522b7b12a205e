package components

import (
	"github.com/redis/go-redis/v9/logging"

	// The cache redis.
	_ "github.com/warpstreamlabs/bento/public/components/redis"
)

// The client of Redis writes what fails to standard error. The delivery logs every
// attempt that fails, with its image.
func init() { logging.Disable() }
