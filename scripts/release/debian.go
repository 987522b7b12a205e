package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// runtimePackages are those of Debian that the image contains: what the .deb
// depends on, and certificates.
var runtimePackages = []string{"libc6", "libgcc-s1", "libstdc++6", "ca-certificates"}

// omitted are folders of Debian's packages that a container does not use.
var omitted = []string{"usr/share/lintian/", "usr/share/man/", "usr/share/bug/", "usr/sbin/", "usr/lib/x86_64-linux-gnu/audit/", "usr/share/gcc/"}

// debianRoot returns the files of runtimePackages as installed, from the
// machine's own archive of packages. Folder work receives the downloads.
func debianRoot(ctx context.Context, work string) (tree, error) {
	download := append([]string{"apt-get", "download", "--quiet"}, runtimePackages...)
	if _, err := commandWith(ctx, work, nil, download...); err != nil {
		// A new machine has no list of packages yet, or an old one.
		_, update := command(ctx, work, "apt-get", "update", "--quiet")
		if _, err = commandWith(ctx, work, nil, download...); err != nil {
			return nil, fmt.Errorf("the image takes its C library from Debian's packages, which apt-get cannot download: %w", errors.Join(update, err))
		}
	}
	t := tree{}
	for _, name := range runtimePackages {
		found, err := filepath.Glob(filepath.Join(work, name+"_*.deb"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("package %s: found %q: %w", name, found, err)
		}
		if err := unpack(ctx, t, name, found[0]); err != nil {
			return nil, fmt.Errorf("package %s: %w", name, err)
		}
	}
	return t, t.certificates()
}

// unpack adds the files of a package, and its description where scanners for
// vulnerabilities look for it in images without dpkg.
func unpack(ctx context.Context, t tree, name, path string) error {
	control, err := command(ctx, "/", "dpkg-deb", "--field", path)
	if err != nil {
		return err
	}
	t.add("var/lib/dpkg/status.d/"+name, control+"\n")
	content, err := command(ctx, "/", "dpkg-deb", "--fsys-tarfile", path)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(strings.NewReader(content)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := t.addDebian(h, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func (t tree) addDebian(h *tar.Header, content io.Reader) error {
	name := merged(strings.TrimPrefix(h.Name, "./"))
	for _, folder := range omitted {
		if strings.HasPrefix(name, folder) {
			return nil
		}
	}
	if strings.HasPrefix(name, "usr/share/doc/") && !strings.HasSuffix(name, "/copyright") && h.Typeflag != tar.TypeSymlink {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil // the files in it create it
	case tar.TypeSymlink:
		t.link(name, h.Linkname)
		return nil
	case tar.TypeLink:
		t[name] = t[merged(strings.TrimPrefix(h.Linkname, "./"))]
		return nil
	case tar.TypeReg:
		text, err := io.ReadAll(content)
		t[name] = file{mode: fs.FileMode(h.Mode) & fs.ModePerm, text: text}
		return err
	}
	return fmt.Errorf("unexpected type %q in a package", h.Typeflag)
}

// merged returns the path of a file in a root where /lib and /lib64 are links into
// /usr.
func merged(path string) string {
	if strings.HasPrefix(path, "lib/") || strings.HasPrefix(path, "lib64/") {
		return "usr/" + path
	}
	return path
}

// certificates adds the file that ca-certificates creates during its installation.
func (t tree) certificates() error {
	var all bytes.Buffer
	for _, path := range t.paths() {
		if f := t[path]; strings.HasPrefix(path, "usr/share/ca-certificates/") && strings.HasSuffix(path, ".crt") {
			all.Write(f.text)
		}
	}
	if all.Len() == 0 {
		return errors.New("ca-certificates has no certificates")
	}
	t["etc/ssl/certs/ca-certificates.crt"] = file{mode: 0o644, text: all.Bytes()}
	return nil
}

// system adds the files that every system has.
func (t tree) system() error {
	release, err := os.ReadFile("/usr/lib/os-release")
	if err != nil {
		return err
	}
	t.add("usr/lib/os-release", string(release))
	t.link("etc/os-release", "../usr/lib/os-release")
	t.link("lib", "usr/lib")
	t.link("lib64", "usr/lib64")
	t.add("etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\ntkit:x:%d:%[1]d:tkit:%s:/sbin/nologin\n", user, home))
	t.add("etc/group", fmt.Sprintf("root:x:0:\ntkit:x:%d:\n", user))
	t.add("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
	t.folder("tmp", file{mode: 0o777 | fs.ModeSticky})
	t.folder("root", file{mode: 0o700})
	t.folder(strings.TrimPrefix(home, "/"), file{mode: 0o700, owner: user})
	for _, mount := range []string{"dev", "proc", "sys", "run"} {
		t.folder(mount, file{mode: 0o755})
	}
	return nil
}
