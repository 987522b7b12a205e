package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenceFile matches the names of files with a licence or a required notice.
var licenceFile = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents|third_party)`)

// licences adds the licences of everything in the product.
func (p product) licences(ctx context.Context, o options) error {
	modules, err := p.goLicences(ctx, o)
	if err != nil {
		return err
	}
	tensorflow := filepath.Join(o.root, ".deps", "libtensorflow", "licences")
	if err := addLicences(p.files, doc+"licences/libtensorflow", tensorflow); err != nil {
		return fmt.Errorf("libtensorflow: %w", err)
	}
	// GCC's runtime may be shipped with any program: see its runtime library exception.
	const runtime = "/usr/share/doc/libgcc-s1/copyright"
	if err := p.runtime.copy(doc+"licences/gcc-runtime/copyright", runtime); err != nil {
		return fmt.Errorf("the C++ runtime's licence, of Debian's package libgcc-s1: %w", err)
	}
	p.files.add(doc+"licences/README", `tkit is licensed under the Apache License 2.0: see LICENSE one folder up. This folder has the licences
and notices of what it contains: of Go and the modules below, of libtensorflow and what that contains, and,
where lib has libstdc++ and libgcc_s, of GCC's runtime. The digits that tkit carries are from the UCI Machine
Learning Repository: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49, CC BY 4.0.

`+strings.Join(modules, "\n")+"\n")
	return nil
}

// A goPackage is what `go list` says about a package.
type goPackage struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// goLicences adds the licences of Go and of every module with a package in the
// program, and returns the modules.
func (p product) goLicences(ctx context.Context, o options) ([]string, error) {
	list, err := command(ctx, o.root, "go", "list", "-deps", "-tags", "launcher", "-json=Dir,Standard,Module", "./cmd/tkit", "./plugins/internal/launch/launcher")
	if err != nil {
		return nil, err
	}
	goroot, err := command(ctx, o.root, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	if err := addLicences(p.files, doc+"licences/go", goroot); err != nil {
		return nil, err
	}
	modules := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(list)); ; {
		var pkg goPackage
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			return slices.Sorted(maps.Keys(modules)), nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if pkg.Standard || pkg.Module == nil || pkg.Module.Main {
			continue
		}
		m := pkg.Module
		name := m.Path + "@" + m.Version
		if !modules[name] {
			modules[name] = true
			if err := addLicences(p.files, doc+"licences/"+name, m.Dir); err != nil {
				return nil, fmt.Errorf("module %s: %w", name, err)
			}
		}
		// A package may have its own licence, such as code taken from elsewhere.
		for folder := pkg.Dir; folder != m.Dir; folder = filepath.Dir(folder) {
			target := doc + "licences/" + name + strings.TrimPrefix(folder, m.Dir)
			if err := addLicences(p.files, target, folder); err != nil && !errors.Is(err, errNoLicence) {
				return nil, err
			}
		}
	}
}

var errNoLicence = errors.New("no licence found")

// addLicences adds the licence files of a folder, which must have at least one.
func addLicences(t tree, target, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	found := false
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		if err := t.addMode(target+"/"+e.Name(), filepath.Join(folder, e.Name()), 0o644); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("%w in %s", errNoLicence, folder)
	}
	return nil
}
