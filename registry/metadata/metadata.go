// Package metadata defines what a registry stores besides its blobs: models, their
// versions and aliases, and the history of all changes. The registry implements the
// rules; a [Store] stores rows. Package sqlite is the store of a home, package postgres
// one that several servers share, and metadatatest the test suite of stores.
package metadata

import (
	"context"
	"iter"
	"time"

	"tkit/registry/blobs"
)

// A Store stores the metadata of one registry. Its methods may be called
// concurrently, also by several processes that share the store.
type Store interface {
	// Find returns the version of a model with a number or, if number is 0, the
	// one that an alias names. A server calls it for every request, so a local
	// store must not take longer than some tens of microseconds.
	Find(ctx context.Context, model string, number int, alias string) (v Version, found bool, err error)

	// FindBound returns the version of a model that an application is bound to; found is
	// false if it has no binding. It takes as long as Find.
	FindBound(ctx context.Context, application, model string) (v Version, found bool, err error)

	// View calls f once. All its reads are from one state of the store.
	View(ctx context.Context, f func(Reader) error) error

	// Update calls f in the only transaction that may write at that time. When
	// Update returns nil, the writes of f are durable and visible to every Find and
	// View that begins afterwards. Otherwise nothing was written, unless the error says
	// that this is not known. A store that finds out only at the end that it cannot
	// commit what f wrote calls f again.
	Update(ctx context.Context, f func(Writer) error) error

	// Changes yields nil immediately, and then whenever the store may have been
	// written to since the last element. A store that is not told of changes looks for
	// them at the given intervals. An error means that the store cannot be read now;
	// Changes continues, and tries again after the interval. The sequence ends with
	// the context.
	Changes(ctx context.Context, every time.Duration) iter.Seq[error]

	// Check reads everything and returns the damage that the store itself
	// detects. An error means that it could not read.
	Check(ctx context.Context) ([]string, error)

	// Close closes the store once the calls in progress have returned.
	Close() error
}

// A Reader reads the rows of a store. It is valid until the function that it was
// passed to returns. If there is nothing to return, the result is empty and there is
// no error.
type Reader interface {
	// Models returns all models by name.
	Models() ([]Model, error)
	// Versions returns the versions of a model by number, or all by model and
	// number if model is "".
	Versions(model string) ([]Version, error)
	// Latest returns the highest number of a version of a model, 0 if there is none.
	Latest(model string) (int, error)
	// Version returns one version.
	Version(model string, number int) (v Version, found bool, err error)
	// Manifest returns the text of a version's manifest.
	Manifest(model string, number int) ([]byte, error)
	// Parts returns the digests of a version's blobs by their names.
	Parts(model string, number int) (map[string]blobs.Digest, error)
	// Aliases returns the aliases of a model by name, or all by model and name if
	// model is "".
	Aliases(model string) ([]Alias, error)
	// Alias returns one alias.
	Alias(model, name string) (a Alias, found bool, err error)
	// Bindings returns the bindings by application and model, only those of an
	// application or of a model unless that is "".
	Bindings(application, model string) ([]Binding, error)
	// Binding returns one binding.
	Binding(application, model string) (b Binding, found bool, err error)
	// Standing returns the standing of an alias, zero if there is no such alias.
	Standing(model, name string) (Standing, error)
	// Replaced returns the standing that the promotion with the given event
	// replaced; zero if it created the alias.
	Replaced(promotion int64) (Standing, error)
	// Events returns the events of a model after one by its ID, the oldest first;
	// those of all models where model is "".
	Events(model string, after int64) ([]Event, error)
	// Deletions returns the deletions of a model's versions by number, or all by
	// model and number if model is "".
	Deletions(model string) ([]Deletion, error)
	// LastTime returns the time of the last event, zero if there is none.
	LastTime() (time.Time, error)
	// LastEvent returns the highest ID ever assigned to an event, even if that
	// event is lost; 0 if there was none.
	LastEvent() (int64, error)
	// Bases returns all stored bases by name.
	Bases() ([]Base, error)
	// Properties returns the properties of a model and its versions by version and name.
	Properties(model string) ([]Property, error)
	// Property returns the value of one property, "" if there is none.
	Property(model string, version int, name string) (value string, err error)
	// Request returns the request with a key.
	Request(key string) (r Request, found bool, err error)
}

// A Writer reads and writes the rows of a store.
type Writer interface {
	Reader
	// AddVersion adds a version, and its model if that is missing. A version that
	// exists is an error: versions are immutable.
	AddVersion(NewVersion) error
	// DeleteVersion marks a version as deleted by an event. Its rows remain. A
	// version that is deleted already is an error: a deletion is final.
	DeleteVersion(model string, number int, event int64) error
	// AddEvent adds an event to the history and returns its ID, one more than the
	// last.
	AddEvent(Event) (id int64, err error)
	// SetAlias makes an alias name a version, with the event of the change.
	SetAlias(model, name string, s Standing, changed int64) error
	// RemoveAlias removes an alias.
	RemoveAlias(model, name string) error
	// SetBinding makes an application get what a binding says, with the event of the
	// change; its time and change are ignored.
	SetBinding(b Binding, changed int64) error
	// RemoveBinding removes a binding.
	RemoveBinding(application, model string) error
	// AddBase adds a base. A name that exists is an error: bases are immutable.
	AddBase(Base) error
	// RemoveBase removes a base.
	RemoveBase(name string) error
	// SetProperty sets a property, or removes it if its value is "".
	SetProperty(Property) error
	// AddRequest adds a request that was carried out. A key that exists is an error.
	AddRequest(Request) error
	// PolicyGeneration returns the generation of the home's access policy, which
	// does not change until the transaction ends.
	PolicyGeneration() (int64, error)
}

// A Model is a name with versions.
type Model struct {
	Name     string
	Created  time.Time
	Versions int // how many, with the deleted ones
	Latest   int // the highest number ever assigned
}

// A Version is a version without its manifest.
type Version struct {
	Model  string
	Number int
	Digest blobs.Digest // of the manifest's text
	// Deleted reports that the version was deleted: its rows remain, its blobs may
	// be missing.
	Deleted bool
}

// A Deletion says which version was deleted, when, by whom and why.
type Deletion struct {
	Model  string
	Number int
	At     time.Time
	Change
}

// A NewVersion is a version to add.
type NewVersion struct {
	Version
	Created  time.Time
	Manifest []byte
	Parts    map[string]blobs.Digest
}

// A Base is a pretrained network that is stored under a name.
type Base struct {
	Name     string
	Digest   blobs.Digest // of the manifest's text
	Manifest []byte
	Network  blobs.Digest // of the network's blob
}

// A Property is what may change about a model or a version.
type Property struct {
	Model   string
	Version int // 0: the model
	Name    string
	Value   string
}

// A Request is a request with a key that was carried out.
type Request struct {
	Key    string
	Asked  string // what it asked for, as JSON
	Result string // as JSON
}

// A Change says who changes the registry, and why.
type Change struct {
	// Actor is a user, service or job; never empty.
	Actor string `json:"actor"`
	// Reason is a sentence for readers of the history; may be empty.
	Reason string `json:"reason,omitempty"`
	// Key is chosen by the caller for this request, and by nobody for another one. If
	// the request was carried out before, it changes nothing and has the same result,
	// so that it can be repeated if its result is not known. "" means that it is
	// carried out each time. A store does not keep it with the change.
	Key string `json:"-"`
}

// An Alias is a movable name for a version of a model.
type Alias struct {
	Model   string `json:"model"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Since is the time since which it names this version, by this change.
	Since time.Time `json:"since"`
	Change
}

// A Binding says which version of a model an application gets.
type Binding struct {
	Application string `json:"application"`
	Model       string `json:"model"`
	// Alias is the alias whose version it gets, or "", and Version the version that
	// it gets whatever the aliases name, or 0.
	Alias   string `json:"alias,omitempty"`
	Version int    `json:"version,omitempty"`
	// Since is the time since which it is bound so, by this change.
	Since time.Time `json:"since"`
	Change
}

// A Standing is the version that an alias names, and the event of the promotion in
// force. The zero Standing means that there is no alias.
type Standing struct {
	Version   int
	Promotion int64
}

// An Action is what an event did.
type Action string

// The actions.
const (
	Registered   Action = "register"
	Promoted     Action = "promote"
	RolledBack   Action = "rollback"
	AliasRemoved Action = "remove-alias"
	Deleted      Action = "delete"
	Bound        Action = "bind"
	Unbound      Action = "unbind"
	Changed      Action = "change"
)

// An Event is an entry of the history.
type Event struct {
	// ID numbers the events of a registry, 1, 2, 3 …
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Action Action    `json:"action"`
	Model  string    `json:"model"`
	// Version is the registered or deleted version, the one that the alias names
	// from then on, or the one that the application is bound to; 0 for none.
	Version int `json:"version,omitempty"`
	// Application is the application that was bound or unbound.
	Application string `json:"application,omitempty"`
	// Alias is the alias that was moved or that the application is bound to, and
	// Previous the version that the alias named, or the application was bound to,
	// before, 0 if there was none.
	Alias    string `json:"alias,omitempty"`
	Previous int    `json:"previous,omitempty"`
	// Detail is what was changed about the version, or about the model if Version is
	// 0; only for Changed.
	Detail string `json:"detail,omitempty"`
	Change

	// Digest is the digest of the manifest; only for Registered.
	Digest blobs.Digest `json:"-"`
	// Replaced is the promotion that was in force before, 0 if there was none;
	// only for Promoted.
	Replaced int64 `json:"-"`
}
