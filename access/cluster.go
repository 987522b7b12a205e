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

// ErrNoClusterGroups: groups of this home do not come from the cluster. Those
// of [Groups] count there too.
var ErrNoClusterGroups = errors.New("no groups from the cluster")

// ClusterGroups is what Groups may be besides: it knows the groups that a
// cluster of datasets has users in, by the cluster's own mapping.
type ClusterGroups interface {
	// OfCluster returns a principal's groups in a cluster, such as
	// "hdfs://namenode:8020". No group at all may also mean that the cluster
	// could not find out. The error is ErrNoClusterGroups where the cluster is
	// not to be asked; any other means that nobody knows.
	OfCluster(ctx context.Context, cluster string, p Principal) ([]Principal, error)
}

// inCluster is an asker's membership in a cluster.
type inCluster struct {
	groups []Principal
	unsure bool // see Asker
	err    error
}

// clusterOf is the cluster that a URI's place is in, "" where that is none.
func clusterOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || stores[u.Scheme] != "hadoop" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// clustersOf says of each dataset in a cluster whose policy names a group which
// cluster that is.
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

// Clusters are those whose groups may decide about objects, each once.
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

// objects are those that a question is decided by.
func (p *Policy) objects(q Question) []Object {
	if len(q.Lineage) > 0 {
		return append(p.Restrictions(q.Lineage), q.Object)
	}
	return append(p.Restrictions(q.Behind), q.Object)
}

// In is an asker with its groups in clusters. Where nobody can tell them, what
// they decide is not allowed.
func (a *Authority) In(ctx context.Context, who Asker, clusters []string) Asker {
	if _, ok := a.groups.(ClusterGroups); !ok || who.Principal.Kind() != UserKind {
		return who
	}
	resolved := make(map[string]inCluster, len(clusters))
	for _, c := range clusters {
		groups, err := a.roster.of(ctx, member{who.Principal, c})
		in := inCluster{groups, len(groups) == 0, err}
		if errors.Is(err, ErrNoClusterGroups) {
			in = inCluster{who.Groups, who.unsure, nil}
		}
		resolved[c] = in
	}
	who.clusters = resolved
	return who
}

// Memberships is a text that is equal for equal groups, in clusters too.
func (a Asker) Memberships() string {
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

// groupsOn are the asker's groups that count for an object. Unsure, they may be
// all that could be found out, and not all there are.
func (p *Policy) groupsOn(who Asker, on Object) (groups []Principal, unsure bool, err error) {
	cluster := p.clusters[on]
	if cluster == "" || who.clusters == nil {
		return who.Groups, who.unsure, nil
	}
	in, asked := who.clusters[cluster]
	switch {
	case !asked: // the policy has changed since
		return nil, false, fmt.Errorf("%w: of %s in %s: not asked for yet; try again", ErrUnknownGroups, who.Principal, cluster)
	case in.err != nil:
		return nil, false, fmt.Errorf("in %s: %w", cluster, in.err)
	}
	return in.groups, in.unsure, nil
}

// deniesGroups says whether some group is denied a right for a purpose now.
func (p *Policy) deniesGroups(on Object, right Right, purpose string, now time.Time) bool {
	return slices.ContainsFunc(p.byObject[on], func(g Grant) bool {
		return g.Effect == Deny && g.Right == right && g.Principal.Kind() == GroupKind && live(g.Expires, now) && g.covers(purpose)
	})
}
