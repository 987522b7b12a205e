package access

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrNoClusterGroups means that the cluster provides no groups, so that those
// of [Groups] apply.
var ErrNoClusterGroups = errors.New("no groups from the cluster")

// ClusterGroups may be implemented by Groups. It knows the groups of users in a
// cluster that stores datasets, by the cluster's own mapping.
type ClusterGroups interface {
	// OfCluster returns a principal's groups in a cluster, such as
	// "hdfs://namenode:8020". An empty result may also mean that the cluster
	// failed to determine them. The error is ErrNoClusterGroups if the cluster
	// must not be asked; any other error means that the groups are unknown.
	OfCluster(ctx context.Context, cluster string, p Principal) ([]Principal, error)
}

// inCluster is a caller's membership in a cluster.
type inCluster struct {
	groups []Principal
	unsure bool // see Caller
	err    error
}

// clusterOf returns the cluster that contains a URI's place, "" if there is
// none.
func clusterOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || stores[u.Scheme] != "hadoop" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// clustersOf returns the cluster of each dataset in a cluster whose policy
// names a group.
func clustersOf(r Rules) map[Object]string {
	grouped := make(map[Object]bool)
	for object, owner := range r.Owners {
		grouped[object] = owner.Kind() == GroupKind
	}
	for _, g := range r.Grants {
		if g.Principal.Kind() == GroupKind {
			grouped[g.Object] = true
		}
	}
	found := make(map[Object]string)
	for _, d := range r.Datasets {
		if cluster := clusterOf(d.URI); cluster != "" && grouped[Dataset(d.Name)] {
			found[Dataset(d.Name)] = cluster
		}
	}
	return found
}

// Clusters returns the clusters whose groups may affect decisions about
// objects, each once.
func (p *Policy) Clusters(objects []Object) []string {
	var all []string
	for _, o := range objects {
		if cluster := p.clusters[o]; cluster != "" {
			all = append(all, cluster)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// objects returns the objects that decide a request.
func (p *Policy) objects(r Request) []Object {
	if len(r.Lineage) > 0 {
		return append(p.Restrictions(r.Lineage), r.Object)
	}
	return append(p.Restrictions(r.Behind), r.Object)
}

// ResolveIn returns a caller with its groups in clusters. If they cannot be
// determined, everything that depends on them is refused.
func (a *Authority) ResolveIn(ctx context.Context, who Caller, clusters []string) Caller {
	if _, ok := a.groups.(ClusterGroups); !ok || who.Principal.Kind() != UserKind {
		return who
	}
	resolved := make(map[string]inCluster, len(clusters))
	for _, c := range clusters {
		groups, err := a.cache.of(ctx, member{who.Principal, c})
		in := inCluster{groups, len(groups) == 0, err}
		if errors.Is(err, ErrNoClusterGroups) {
			in = inCluster{who.Groups, who.unsure, nil}
		}
		resolved[c] = in
	}
	who.clusters = resolved
	return who
}

// Memberships returns a text that is equal for equal groups, including those in
// clusters.
func (a Caller) Memberships() string {
	var b strings.Builder
	if a.unsure {
		b.WriteString("unsure,")
	}
	for _, g := range a.Groups {
		b.WriteString(string(g) + ",")
	}
	names := make([]string, 0, len(a.clusters))
	for name := range a.clusters {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, ";%s %t %t", name, a.clusters[name].err != nil, a.clusters[name].unsure)
		for _, g := range a.clusters[name].groups {
			b.WriteString("," + string(g))
		}
	}
	return b.String()
}

// groupsOn returns the caller's groups that apply to an object. If they are
// unsure, the caller may also be in others.
func (p *Policy) groupsOn(who Caller, on Object) (groups []Principal, unsure bool, err error) {
	cluster := p.clusters[on]
	if cluster == "" || who.clusters == nil {
		return who.Groups, who.unsure, nil
	}
	in, asked := who.clusters[cluster]
	switch {
	case !asked: // the policy has changed since
		return nil, false, fmt.Errorf("%w: of %s in %s: not looked up yet; try again", ErrUnknownGroups, who.Principal, cluster)
	case in.err != nil:
		return nil, false, fmt.Errorf("in %s: %w", cluster, in.err)
	}
	return in.groups, in.unsure, nil
}

// deniesGroups reports whether any group is currently denied a right for a
// purpose.
func (p *Policy) deniesGroups(on Object, right Right, purpose string, now time.Time) bool {
	return slices.ContainsFunc(p.byObject[on], func(g Grant) bool {
		return g.Effect == Deny && (g.Right == right || g.Right == right.general()) && g.Principal.Kind() == GroupKind && live(g.Expires, now) && g.covers(purpose)
	})
}
