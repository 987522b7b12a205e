// Package hadoop provides the groups of a home with datasets in HDFS: those of the
// cluster, from its NameNode, unless the home has a file of groups.
package hadoop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tkit/access"
	"tkit/internal/hdfs"
)

// Groups are the groups of a home: if it has access/groups.yaml, those in it for all
// datasets; otherwise those of the NameNode for datasets in HDFS, and those of the
// operating system for everything else. Its methods may be called concurrently.
type Groups struct {
	access.HomeGroups

	mu      sync.Mutex
	clients map[string]*hdfs.Client // by cluster
	closed  bool
}

var _ access.ClusterGroups = (*Groups)(nil)

// New returns the groups of a home. An [access.Authority] that is opened with them
// closes them.
func New(home string) *Groups {
	return &Groups{HomeGroups: access.HomeGroups(home), clients: make(map[string]*hdfs.Client)}
}

// A NameNode that does not answer within these times counts as failing: callers wait
// for their groups.
const (
	callTimeout = 3 * time.Second
	budget      = 3 * time.Second
)

// OfCluster asks the NameNode.
func (g *Groups) OfCluster(ctx context.Context, cluster string, p access.Principal) ([]access.Principal, error) {
	_, err := os.Lstat(filepath.Join(string(g.HomeGroups), "access", "groups.yaml"))
	if err == nil {
		return nil, access.ErrNoClusterGroups
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("groups: %w", err)
	}
	c, err := g.client(ctx, cluster)
	if errors.Is(err, hdfs.ErrNoNameNode) {
		return nil, access.ErrNoClusterGroups
	}
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", p, err)
	}
	names, err := c.Groups(ctx, p.Name())
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", p, err)
	}
	var all []access.Principal
	for _, name := range names {
		if group, err := access.ParsePrincipal(string(access.Group(name))); err == nil {
			all = append(all, group) // no grant can name any other
		}
	}
	return all, nil
}

// client returns the client of a cluster, which is connected once.
func (g *Groups) client(ctx context.Context, cluster string) (*hdfs.Client, error) {
	g.mu.Lock()
	c := g.clients[cluster]
	g.mu.Unlock()
	if c != nil {
		return c, nil
	}
	native, err := hdfs.Config{}.NativeAuthority(cluster)
	if err != nil {
		return nil, err
	}
	if c, err = hdfs.Open(ctx, hdfs.Config{Authority: native, CallTimeout: callTimeout, Budget: budget}); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if other := g.clients[cluster]; other != nil || g.closed {
		err = c.Close()
		if g.closed {
			err = errors.Join(err, fs.ErrClosed)
		}
		return other, err
	}
	g.clients[cluster] = c
	return c, nil
}

// Close ends the connections.
func (g *Groups) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	var errs []error
	for _, c := range g.clients {
		errs = append(errs, c.Close())
	}
	clear(g.clients)
	return errors.Join(errs...)
}
