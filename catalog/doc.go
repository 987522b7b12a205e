// Package catalog has every operation on datasets, models, versions, aliases,
// tokens and grants: who asks, decided, done and recorded, once, for every
// caller.
package catalog
