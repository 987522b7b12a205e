package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// addSnapshot stores the content that data was found to have as a snapshot of the
// registered datasets at its place. The content of data above or below a
// dataset's own place is not that of the dataset.
func (a *Authority) addSnapshot(ctx context.Context, data []Data, found Snapshot) error {
	p, err := a.Policy(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, d := range data {
		at, ok := placeOf(d.URI)
		for i := range p.datasets {
			name := p.datasets[i].Name
			if ok && p.datasets[i].place == at && !slices.Contains(p.digests[found.Digest], Dataset(name)) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	found.At = now()
	err = a.store.Update(ctx, func(w Writer) error {
		r, err := w.Rules()
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, governed := r.Owners[Dataset(name)]; !governed {
				continue // was removed in the meantime
			}
			found.Dataset = name
			if err := w.AddSnapshot(found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("access: storing a snapshot: %w", err)
	}
	return nil
}

// Snapshots returns the contents that a registered dataset was found to have, the
// oldest first.
func (p *Policy) Snapshots(dataset string) []Snapshot {
	found := []Snapshot{}
	for _, s := range p.snapshots {
		if s.Dataset == dataset {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Snapshot) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Digest, b.Digest)) })
	return found
}

// Registered returns a registered dataset by its name.
func (p *Policy) Registered(name string) (Registered, error) {
	i, found := slices.BinarySearchFunc(p.datasets, name, func(d Registered, name string) int { return cmp.Compare(d.Name, name) })
	if !found {
		return Registered{}, p.governed(Dataset(name))
	}
	return p.datasets[i], nil
}

// Datasets returns all registered datasets by name. The caller must not change
// them.
func (p *Policy) Datasets() []Registered { return p.datasets }

// domain names a set of objects, "" an empty one.
func domain(objects []Object) string {
	if len(objects) == 0 {
		return ""
	}
	var b strings.Builder
	for _, o := range objects {
		b.WriteString(string(o) + "\n")
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:16])
}
