package inference

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tkit/registry"
)

// Production is the label of the version that answers when a request names
// none.
const Production = registry.Production

// Ref names a servable as a request does: a model, and either a version, or a
// label, or neither.
type Ref struct {
	Model   string
	Version int    // 0: not given
	Label   string // "": not given
}

// String writes the ref as MODEL, MODEL@7 or MODEL@label.
func (r Ref) String() string {
	switch {
	case r.Version != 0:
		return r.Model + "@" + strconv.Itoa(r.Version)
	case r.Label != "":
		return r.Model + "@" + r.Label
	}
	return r.Model
}

// route decides which version answers for each label: the wanted one once it
// is available; until then the one that answered before, as long as it still
// can. Labels that are no longer wanted lose their route.
func route(wanted, previous map[string]int, available func(version int) bool) map[string]int {
	routes := make(map[string]int, len(wanted))
	for label, v := range wanted {
		if available(v) {
			routes[label] = v
		} else if old, ok := previous[label]; ok && available(old) {
			routes[label] = old
		}
	}
	return routes
}

// resolve finds the version that answers a ref among a model's routes and
// available versions. Without version and label the production label answers;
// where a model has none (it was asked for by version only) its only available
// version does.
func resolve(ref Ref, routes map[string]int, available []int) (int, error) {
	switch {
	case ref.Version != 0:
		if slices.Contains(available, ref.Version) {
			return ref.Version, nil
		}
	case ref.Label != "":
		if v, ok := routes[ref.Label]; ok {
			return v, nil
		}
	default:
		if v, ok := routes[Production]; ok {
			return v, nil
		}
		if len(available) == 1 {
			return available[0], nil
		}
	}
	return 0, &Error{Reason: NotFound, Err: fmt.Errorf("%s is not served here; %s has %s",
		ref, ref.Model, describeLoaded(routes, available))}
}

func describeLoaded(routes map[string]int, available []int) string {
	if len(available) == 0 {
		return "no version loaded"
	}
	var b strings.Builder
	b.WriteString("versions")
	for _, v := range available {
		fmt.Fprintf(&b, " %d", v)
	}
	if len(routes) > 0 {
		b.WriteString(", labels")
		for _, label := range slices.Sorted(maps.Keys(routes)) {
			b.WriteString(" " + label)
		}
	}
	return b.String()
}

// missing returns, as sorted refs, what an aspiration wants and nothing answers
// yet: labels without a route, and versions without a label that are not available.
func missing(a Aspiration, routes map[string]int, available func(version int) bool) []string {
	var refs []string
	labelled := map[int]bool{}
	for label, v := range a.Labels {
		labelled[v] = true
		if _, ok := routes[label]; !ok {
			refs = append(refs, Ref{Model: a.Model, Label: label}.String())
		}
	}
	for _, v := range a.Versions {
		if !labelled[v] && !available(v) {
			refs = append(refs, Ref{Model: a.Model, Version: v}.String())
		}
	}
	slices.Sort(refs)
	return refs
}
