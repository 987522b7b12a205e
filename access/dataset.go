package access

import "time"

// A Registered dataset has a name, a place and an owner.
type Registered struct {
	Name string `json:"name"`
	// URI is its place, in the form of Locate: everything at and below it
	// belongs to this dataset, whatever name is used for it.
	URI     string    `json:"uri"`
	Owner   Principal `json:"owner"`
	By      Principal `json:"by"` // who registered it
	Created time.Time `json:"created"`

	place Place
}

// A Snapshot is the content of a registered dataset as found by a run.
type Snapshot struct {
	Dataset string    `json:"dataset"`
	Digest  string    `json:"digest"`
	Entries int       `json:"entries"`
	By      Principal `json:"by"` // who took it
	At      time.Time `json:"at"` // when it was first found
}
