package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A product is the content of every artefact.
type product struct {
	files   tree // bin, lib and share
	runtime tree // the C++ runtime, in lib, for machines that lack it
}

// stage builds and collects the product in work.
func stage(ctx context.Context, o options, work string) (p product, err error) {
	p = product{files: tree{}, runtime: tree{}}
	for _, folder := range []string{"bin", "lib", "man"} {
		if err := os.Mkdir(filepath.Join(work, folder), 0o755); err != nil {
			return p, err
		}
	}
	if err := p.documents(o); err != nil {
		return p, err
	}
	if err := p.licences(ctx, o); err != nil {
		return p, err
	}
	if err := p.libraries(ctx, o, work); err != nil {
		return p, err
	}
	binary := filepath.Join(work, "bin", "tkit")
	if err := build(ctx, o, binary); err != nil {
		return p, err
	}
	if err := p.files.addMode("bin/tkit", binary, 0o755); err != nil {
		return p, err
	}
	if err := p.fromBinary(ctx, binary, filepath.Join(work, "man")); err != nil {
		return p, err
	}
	fmt.Printf("%8.1f MB  bin/tkit, stripped\n", size(binary))
	return p, nil
}

// build builds tkit so that it finds its libraries relative to itself, after its
// folder was moved, too.
func build(ctx context.Context, o options, binary string) error {
	tensorflow := filepath.Join(o.root, ".deps", "libtensorflow")
	_, err := commandWith(ctx, o.root, []string{
		"CGO_ENABLED=1",
		"CGO_CFLAGS=-O2 -I" + filepath.Join(tensorflow, "include"),
		"CGO_LDFLAGS=-L" + filepath.Join(tensorflow, "link") + " -Wl,-rpath,$ORIGIN/../lib -ltensorflow_framework",
	}, "go", "build", "-trimpath", "-buildvcs=auto", "-tags", "launcher", "-ldflags", "-s -w -X main.version="+o.version, "-o", binary, "./cmd/tkit")
	return err
}

// libraries strips libtensorflow and the C++ runtime into the product.
func (p product) libraries(ctx context.Context, o options, work string) error {
	for _, name := range []string{"libtensorflow_cc.so.2", "libtensorflow_framework.so.2"} {
		if err := strip(ctx, p.files, filepath.Join(o.root, ".deps", "libtensorflow", "lib", name), work); err != nil {
			return err
		}
	}
	for _, name := range []string{"libstdc++.so.6", "libgcc_s.so.1"} {
		path, err := command(ctx, o.root, "cc", "-print-file-name="+name)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(path) {
			return fmt.Errorf("the C compiler has no %s", name)
		}
		if err := strip(ctx, p.runtime, path, work); err != nil {
			return err
		}
	}
	return nil
}

func strip(ctx context.Context, t tree, library, work string) error {
	stripped := filepath.Join(work, "lib", filepath.Base(library))
	if _, err := command(ctx, work, "strip", "--strip-unneeded", "-o", stripped, library); err != nil {
		return err
	}
	fmt.Printf("%8.1f MB  lib/%s, stripped from %.1f MB\n", size(stripped), filepath.Base(library), size(library))
	return t.addMode("lib/"+filepath.Base(library), stripped, 0o644)
}

// size returns the size of a file in MB, or 0 if it does not exist.
func size(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size()) / 1e6
}

// fromBinary adds the files that tkit itself generates: completions and manual pages.
func (p product) fromBinary(ctx context.Context, binary, man string) error {
	for shell, path := range map[string]string{
		"bash": "share/bash-completion/completions/tkit",
		"zsh":  "share/zsh/vendor-completions/_tkit",
		"fish": "share/fish/vendor_completions.d/tkit.fish",
	} {
		script, err := command(ctx, man, binary, "completion", shell)
		if err != nil {
			return err
		}
		p.files.add(path, script+"\n")
	}
	if _, err := command(ctx, man, binary, "man", man); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(man, "*.1"))
	if err != nil || len(pages) == 0 {
		return fmt.Errorf("tkit wrote no manual pages: %w", err)
	}
	for _, page := range pages {
		if err := p.files.copy("share/man/man1/"+filepath.Base(page), page); err != nil {
			return err
		}
	}
	return nil
}

// doc is the folder of the documents.
const doc = "share/doc/tkit/"

func (p product) documents(o options) error {
	for _, pattern := range []string{"*.md", "LICENSE", "docs/*.md", "docs/*.svg", "docs/*.png"} {
		found, err := filepath.Glob(filepath.Join(o.root, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := p.files.copy(doc+strings.TrimPrefix(path, o.root+"/"), path); err != nil {
				return err
			}
		}
	}
	return nil
}
