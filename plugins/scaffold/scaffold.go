// Package scaffold creates projects for plugins, which build and pass their
// tests.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"tkit/plugins"
	"tkit/plugins/python"
)

//go:embed go python
var templates embed.FS

// Go creates a project for a plugin in Go in a new folder, whose name is the
// plugin's. The folder has everything needed to build the project except the
// modules in its go.mod.
func Go(folder string) error {
	return begin(folder, func(beside, name string) error {
		if err := fill(beside, "go", name); err != nil {
			return err
		}
		return writeSDK(beside, name)
	})
}

// Python creates a project for a plugin in Python like Go does; its packages
// are those of its lock.
func Python(folder string) error {
	return begin(folder, func(beside, name string) error {
		if err := fill(beside, "python", name); err != nil {
			return err
		}
		lock, err := python.SDK.ReadFile("requirements.txt")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(beside, "requirements.txt"), lock, 0o644); err != nil {
			return err
		}
		code, err := fs.Sub(python.SDK, "tkit_plugins")
		if err != nil {
			return err
		}
		return os.CopyFS(filepath.Join(beside, sdk, "tkit_plugins"), code)
	})
}

// Name returns the plugin name for a folder, or an error if it is not a valid
// name.
func Name(folder string) (string, error) {
	path, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	d := plugins.Description{Name: filepath.Base(path), Version: "0.1.0"}
	d.Takes.Kind, d.Gives.Kind = plugins.Encoded, plugins.Encoded
	return d.Name, d.Validate()
}

// begin fills a temporary folder by write, and renames it to its place.
func begin(folder string, write func(beside, name string) error) (err error) {
	name, err := Name(folder)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s already exists; choose a new folder", folder), err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(filepath.Clean(folder)), ".new-plugin-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	if err := write(beside, name); err != nil {
		return err
	}
	return errors.Join(os.Chmod(beside, 0o755), os.Rename(beside, folder))
}

// fill writes the files of a language's templates. Names that begin with a dot
// are stored without it.
func fill(folder, language, name string) error {
	root, err := fs.Sub(templates, language)
	if err != nil {
		return err
	}
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(folder, path), 0o755)
		}
		t, err := template.ParseFS(root, path)
		if err != nil {
			return err
		}
		file := strings.TrimSuffix(path, ".tmpl")
		if file == "gitignore" {
			file = ".gitignore"
		}
		var text strings.Builder
		if err := t.Execute(&text, struct{ Name string }{name}); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, filepath.FromSlash(file)), []byte(text.String()), 0o644)
	})
}
