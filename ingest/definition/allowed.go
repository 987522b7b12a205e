package definition

import "tkit/ingest/components"

// rootFields are the fields of a pipeline's file. The engine's others are refused: a
// buffer acknowledges images before they are delivered, error_handling is tkit's, and
// the rest belongs to the process.
var rootFields = []string{"name", "input", "pipeline", "output", "delivery", "cache_resources", "rate_limit_resources"}

// stock are the engine's components that keep the guarantees of a pipeline, by kind:
// nothing is lost, nothing that failed is written, one image never stops the others, and
// no program is executed. Kafka is read and written by tkit_kafka instead of kafka_franz
// and kafka: kafka_franz sorts records that it has fetched before a partition is taken
// away under a new checkpoint, and can so commit them before earlier ones are delivered;
// it takes headers for its own metadata; with auto_replay_nacks off it commits what has
// failed; and it does not end. kafka needs a second client library, and its producer is
// not idempotent by default. The outputs for Redis take every error for a lost connection:
// an image that Redis refuses is tried for ever, and disturbs the others; redis_list and
// redis_streams add it again with each delivery, and redis_pubsub keeps nothing.
// opensearch makes dead letters of images while the servers are down.
var stock = map[string][]string{
	"input": {"broker"},
	"processor": {
		"branch", "cache", "cached", "catch", "for_each", "http", "json_schema", "log", "mapping", "metric", "mutation", "parallel",
		"rate_limit", "sleep", "switch", "try",
	},
	"output":     {"broker", "drop", "fallback", "http_client", switchOutput},
	"cache":      {"file", "lru", "memory", "multilevel", "noop", "redis", "ttlru"},
	"rate_limit": {"local"},
}

// allowed returns the names of the components of a kind that pipelines may use, tkit's
// own first. It is empty for kinds that are not checked.
func allowed(kind string) []string { return append(components.Names(kind), stock[kind]...) }
