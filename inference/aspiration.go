package inference

import "tkit/registry"

// Aspiration lists the versions and labels of one model that a source wants
// served.
type Aspiration struct {
	Model string
	// Versions are those to keep available, ascending, each once.
	Versions []int
	// Labels maps each label, such as production, to one of the versions.
	Labels map[string]int
}

// includes reports whether a reference can be served once everything wanted is
// loaded.
func (a Aspiration) includes(ref registry.Ref) bool {
	_, err := resolve(ref, a.Labels, a.Versions)
	return err == nil
}
