// Command release packs tkit for users: as a relocatable tarball, as a Debian
// package and as a container image. `make release` runs it.
//
// It is a separate module, so that tkit does not depend on the libraries that write
// packages and images. The same commit gives the same bytes: all times are that of
// the commit, all files belong to root, and lists are sorted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// options are what to pack, and the destination.
type options struct {
	root    string    // the checkout
	out     string    // the folder for the artefacts
	version string    // of tkit, such as 0.2.0 or 0.2.0-5-g1a2b3c4
	commit  string    // of the checkout
	product string    // tkit, or tkit-gpu with a libtensorflow for GPUs
	time    time.Time // of the commit
	level   int       // of compression: 1, fast, to 9, small
	only    string    // one artefact: tarball, deb or image; "" for all
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.root, "root", "../..", "the checkout in `FOLDER`")
	flag.StringVar(&o.out, "out", "../../dist", "write to `FOLDER`")
	flag.StringVar(&o.version, "version", "", "the version, as `TEXT`; the default is that of git describe")
	flag.IntVar(&o.level, "level", 6, "the level of compression, 1 to 9")
	flag.StringVar(&o.only, "only", "", "write one `KIND` alone: tarball, deb or image")
	flag.Parse()
	if err := o.complete(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.out, ".release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	staged, err := stage(ctx, o, work)
	if err != nil {
		return err
	}
	for _, a := range []struct {
		kind, name string
		write      func(context.Context, options, product, string) error
	}{
		{"tarball", o.name() + ".tar.gz", writeTarball},
		{"deb", fmt.Sprintf("%s_%s_amd64.deb", o.product, o.debianVersion()), writeDeb},
		{"image", o.name() + ".image.tar", writeImage},
	} {
		if o.only != "" && o.only != a.kind {
			continue
		}
		if err := a.write(ctx, o, staged, filepath.Join(work, a.name)); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		file := filepath.Join(o.out, a.name)
		if err := os.Rename(filepath.Join(work, a.name), file); err != nil {
			return err
		}
		if err := printSize(file); err != nil {
			return err
		}
	}
	return nil
}

// complete checks the options and derives the others from the checkout.
func (o *options) complete(ctx context.Context) (err error) {
	if o.root, err = filepath.Abs(o.root); err != nil {
		return err
	}
	if o.out, err = filepath.Abs(o.out); err != nil {
		return err
	}
	if o.level < 1 || o.level > 9 {
		return fmt.Errorf("-level %d: want 1 to 9", o.level)
	}
	if o.commit, err = command(ctx, o.root, "git", "rev-parse", "HEAD"); err != nil {
		return err
	}
	if o.product, err = productName(filepath.Join(o.root, ".deps", "libtensorflow", "installed")); err != nil {
		return err
	}
	var seconds int64
	stamp, err := command(ctx, o.root, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	if _, err := fmt.Sscan(stamp, &seconds); err != nil {
		return fmt.Errorf("the time of the commit is %q: %w", stamp, err)
	}
	o.time = time.Unix(seconds, 0).UTC()
	if o.version == "" {
		if o.version, err = command(ctx, o.root, "git", "describe", "--tags", "--always", "--dirty"); err != nil {
			return err
		}
	}
	o.version = regexp.MustCompile(`^v(\d)`).ReplaceAllString(o.version, "$1")
	if !regexp.MustCompile(`^[0-9A-Za-z.+~-]+$`).MatchString(o.version) {
		return fmt.Errorf("the version is %q: want letters, digits and .+~-", o.version)
	}
	return nil
}

// productName tells from the stamp of scripts/install-libtensorflow, whose
// second word is the kind, which product its libtensorflow makes.
func productName(stamp string) (string, error) {
	text, err := os.ReadFile(stamp)
	if err != nil {
		return "", fmt.Errorf("libtensorflow is not installed (make deps): %w", err)
	}
	if words := strings.Fields(string(text)); len(words) > 1 && words[1] == "gpu" {
		return "tkit-gpu", nil
	}
	return "tkit", nil
}

func (o options) name() string { return o.product + "-" + o.version + "-linux-amd64" }

// debianVersion returns the version in a form that Debian sorts correctly: untagged
// commits before every release, and commits after a tag after its release.
func (o options) debianVersion() string {
	if !regexp.MustCompile(`^\d+\.`).MatchString(o.version) {
		return fmt.Sprintf("0~%s.%s", o.time.Format("20060102150405"), strings.ReplaceAll(o.version, "-", "."))
	}
	return strings.ReplaceAll(o.version, "-", "+")
}

// printSize prints a file, or all files below a folder, with its size.
func printSize(path string) error {
	var total int64
	err := filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		total += info.Size()
		return err
	})
	fmt.Printf("%8.1f MB  %s\n", float64(total)/1e6, path)
	return err
}
