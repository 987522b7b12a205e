package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// In the image, tkit runs as a user without privileges, whose home is a volume.
const (
	user = 65532
	home = "/var/lib/tkit"
)

// writeImage writes an image as an archive that `docker load`, `podman load`
// and skopeo read: an OCI layout with the list that Docker's own archives have.
func writeImage(ctx context.Context, o options, p product, path string) error {
	work, err := os.MkdirTemp(filepath.Dir(path), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	system, err := debianRoot(ctx, work)
	if err != nil {
		return err
	}
	if err := system.system(); err != nil {
		return err
	}
	image, err := newImage(o, work, system, installed(p))
	if err != nil {
		return err
	}
	folder := filepath.Join(work, "layout")
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	name := o.product + ":" + o.version
	if err := l.AppendImage(image, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": o.version, "io.containerd.image.name": "docker.io/library/" + name,
	})); err != nil {
		return err
	}
	if err := readBack(folder); err != nil {
		return err
	}
	if err := writeDockerManifest(folder, name, image); err != nil {
		return err
	}
	return archive(folder, path, o)
}

// newImage returns an image with a layer for each tree. The first one changes rarely.
func newImage(o options, work string, trees ...tree) (v1.Image, error) {
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	for i, t := range trees {
		file := filepath.Join(work, fmt.Sprintf("layer-%d.tar.gz", i))
		if err := writeLayer(file, t, o); err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromFile(file, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
			Created: v1.Time{Time: o.time}, CreatedBy: "make release", Comment: []string{"Debian packages", "tkit " + o.version}[i],
		}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", "amd64", v1.Time{Time: o.time}
	config.Config = v1.Config{
		Entrypoint: []string{"/usr/bin/tkit"},
		Cmd:        []string{"--help"},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TKIT_HOME=" + home},
		User:       fmt.Sprintf("%d:%[1]d", user),
		WorkingDir: home,
		Volumes:    map[string]struct{}{home: {}},
		ExposedPorts: map[string]struct{}{
			"8500/tcp": {}, "8501/tcp": {},
		},
		Labels: map[string]string{
			"org.opencontainers.image.title": "tkit", "org.opencontainers.image.version": o.version,
			"org.opencontainers.image.revision": o.commit, "org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

func writeLayer(path string, t tree, o options) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := compress(out, t, o.level, o.time); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// readBack checks every digest, size and media type of a layout.
func readBack(folder string) error {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return fmt.Errorf("the image that was written is not valid: %w", err)
	}
	return nil
}

// writeDockerManifest adds the list of images by which Docker before version 25
// reads an archive.
func writeDockerManifest(folder, name string, image v1.Image) error {
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	m := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: blob(config), RepoTags: []string{name}}
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, blob(digest))
	}
	text, err := json.Marshal([]any{m})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "manifest.json"), text, 0o644)
}

func blob(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// archive writes a folder as a tar archive, without compression: the layers are
// compressed.
func archive(folder, path string, o options) error {
	t := tree{}
	err := filepath.WalkDir(folder, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		return t.addMode(filepath.ToSlash(relative), name, 0o644)
	})
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := t.writeTar(out, o.time); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
