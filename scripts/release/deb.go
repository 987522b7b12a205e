package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// installed returns the files of an installed product: the program and libtensorflow
// together, below /usr/lib, and everything else in the usual folders.
func installed(p product) tree {
	t := tree{}
	for path, f := range p.files {
		if strings.HasPrefix(path, "share/") {
			t["usr/"+path] = f
		} else {
			t["usr/lib/tkit/"+path] = f
		}
	}
	t.link("usr/bin/tkit", "../lib/tkit/bin/tkit")
	t["usr/"+doc+"copyright"] = p.files[doc+"LICENSE"]
	return t
}

// writeDeb writes a package for Debian and Ubuntu. It creates no user and
// starts no service.
func writeDeb(_ context.Context, o options, p product, path string) (err error) {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: o.product, Arch: "amd64", Version: o.debianVersion(), VersionSchema: "none",
		Section: "science", Priority: "optional", License: "Apache-2.0",
		Maintainer: "The tkit authors <tkit@localhost>",
		Description: `fine-tune image models on your own photographs, and serve them
Trains classifiers on pretrained TensorFlow models, keeps every version, and
serves the right one. Contains libtensorflow.`,
		MTime: o.time, DisableGlobbing: true,
	})
	// Programs linked on Debian 12 need glibc 2.34; libtensorflow needs the rest.
	info.Depends = []string{"libc6 (>= 2.34)", "libgcc-s1", "libstdc++6"}
	if o.product != "tkit" {
		info.Provides, info.Conflicts, info.Replaces = []string{"tkit"}, []string{"tkit"}, []string{"tkit"}
	}
	info.Recommends = []string{"ca-certificates"}
	info.Deb.Compression = "zstd"
	work, err := os.MkdirTemp("", "tkit-deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	t := installed(p)
	for _, name := range t.paths() {
		f, known := t[name]
		if !known {
			continue
		}
		c, err := content(f, name, work, o)
		if err != nil {
			return err
		}
		info.Contents = append(info.Contents, c)
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return deb.Default.Package(info, out)
}

// content describes a file to nfpm, which reads content only from files: content in
// memory is first written to work.
func content(f file, name, work string, o options) (*files.Content, error) {
	c := &files.Content{Destination: "/" + name, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: o.time}}
	switch {
	case f.link != "":
		c.Type, c.Source = files.TypeSymlink, f.link
		return c, nil
	case f.source != "":
		c.Source = f.source
		return c, nil
	}
	c.Source = filepath.Join(work, strings.ReplaceAll(name, "/", "_"))
	if err := os.WriteFile(c.Source, f.text, 0o600); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}
