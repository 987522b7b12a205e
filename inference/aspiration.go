package inference

import "tkit/registry"

// Aspiration is what a source wants served of one model.
type Aspiration struct {
	Model string
	// Versions are those to keep available, ascending, each once.
	Versions []int
	// Labels say which of them answers for a label, such as production.
	Labels map[string]int
}

// includes says whether a reference would be answered once all that is wanted has
// been loaded.
func (a Aspiration) includes(ref registry.Ref) bool {
	_, err := resolve(ref, a.Labels, a.Versions)
	return err == nil
}
