package shards

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tkit/datasets/files"
)

// Shard is one of the files, with its status when it was listed.
type Shard struct {
	files.Info
	stray bool   // it is not a shard
	side  string // the side of the split in its name
}

// shards finds the shards, in the order of the keys that begin with their
// names.
func (s *Source) shards(ctx context.Context) ([]*Shard, error) {
	if wanted := s.config.File; wanted != "" {
		info, err := s.tree.Stat(ctx, wanted)
		if err == nil && info.Directory {
			err = errors.New("it is a folder")
		}
		if err == nil {
			err = info.Refused
		}
		if err != nil {
			return nil, fmt.Errorf("shard %s: %w", wanted, err)
		}
		return []*Shard{{Info: info}}, nil
	}
	var found []*Shard
	for info, err := range s.tree.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		shard, err := s.judge(info)
		if err != nil {
			return nil, err
		}
		if shard != nil {
			found = append(found, shard)
		}
	}
	if pattern := s.config.Files; len(found) == 0 && pattern != "" {
		return nil, fmt.Errorf("no file has a name like %q: %w", pattern, fs.ErrNotExist)
	}
	if err := s.byContent(ctx, found); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *Shard) int { return strings.Compare(a.Path+"!", b.Path+"!") })
	return found, complete(found)
}

// judge returns a file in the root as a shard, or nil.
func (s *Source) judge(info files.Info) (*Shard, error) {
	name := info.Path
	if pattern := s.config.Files; pattern != "" {
		matches, err := path.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		if !matches || info.Directory {
			return nil, nil
		}
	} else if files.LeftBehind(name) || Companion(name) {
		return nil, nil
	} else if info.Directory || !s.format.Named(Unpacked(name)) {
		return &Shard{Info: info, stray: true}, nil
	}
	if info.Refused != nil {
		return nil, fmt.Errorf("shard %s: %w", name, info.Refused)
	}
	return &Shard{Info: info}, nil
}

// Companion reports whether the writers of shards create a file of this name
// with them.
func Companion(name string) bool {
	switch name {
	case "_SUCCESS", "dataset_info.json", "features.json", "labels.txt":
		return true
	}
	return strings.HasSuffix(name, ".labels.txt") || strings.HasSuffix(name, ".idx") || strings.HasSuffix(name, ".crc")
}

// numbered is the name of a shard in a set of known size: the parts before and
// after, its number and the size.
var numbered = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})(.*)$`)

// complete checks that no shard of a set is missing, and that there are no two
// sets of different size.
func complete(found []*Shard) error {
	type set struct{ before, behind string }
	type part struct {
		set
		of string
	}
	sizes := make(map[set]string)
	have := make(map[part]map[int]bool)
	var parts []part
	for _, s := range found {
		m := numbered.FindStringSubmatch(s.Path)
		if m == nil || s.stray {
			continue
		}
		p := part{set{m[1], m[4]}, m[3]}
		if other, ok := sizes[p.set]; ok && other != p.of {
			return fmt.Errorf("there are shards %[1]s-*-of-%[2]s%[4]s and %[1]s-*-of-%[3]s%[4]s, possibly the same dataset twice; select one by files=%[1]s-*-of-%[3]s%[4]s", p.before, other, p.of, p.behind)
		}
		sizes[p.set] = p.of
		if have[p] == nil {
			have[p] = make(map[int]bool)
			parts = append(parts, p)
		}
		n, err := strconv.Atoi(m[2])
		if size, _ := strconv.Atoi(p.of); err != nil || n >= size { // of digits only
			return fmt.Errorf("shard %s is numbered beyond the size of its set", s.Path)
		}
		have[p][n] = true
	}
	for _, p := range parts {
		size, _ := strconv.Atoi(p.of)
		for n := range size {
			if !have[p][n] {
				return fmt.Errorf("of the %d shards %s-*-of-%s%s, %d exist and %s-%05d-of-%s%s is missing", size, p.before, p.of, p.behind, len(have[p]), p.before, n, p.of, p.behind)
			}
		}
	}
	return nil
}
