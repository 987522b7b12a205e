package inference

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tkit/registry"
)

// route decides which version each label is routed to: the wanted one once it
// is available; until then the previous one while it is available. Labels that
// are no longer wanted lose their route.
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

// resolve finds the version for a reference among a model's routes and
// available versions. A reference without version and alias refers to the
// production label or, if the model has none because only versions of it are
// served, to the only available version.
func resolve(ref registry.Ref, routes map[string]int, available []int) (int, error) {
	switch {
	case ref.Version != 0:
		if slices.Contains(available, ref.Version) {
			return ref.Version, nil
		}
	case ref.Alias != "":
		if v, ok := routes[ref.Alias]; ok {
			return v, nil
		}
	default:
		if v, ok := routes[registry.Production]; ok {
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

// missing returns, as sorted refs, what an aspiration wants and is not available
// yet: labels without a route, and versions without a label.
func missing(a Aspiration, routes map[string]int, available func(version int) bool) []string {
	var refs []string
	labelled := map[int]bool{}
	for label, v := range a.Labels {
		labelled[v] = true
		if _, ok := routes[label]; !ok {
			refs = append(refs, registry.Ref{Model: a.Model, Alias: label}.String())
		}
	}
	for _, v := range a.Versions {
		if !labelled[v] && !available(v) {
			refs = append(refs, registry.Ref{Model: a.Model, Version: v}.String())
		}
	}
	slices.Sort(refs)
	return refs
}
