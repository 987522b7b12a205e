package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tkit"
)

// sdk is the folder of a project with tkit's SDK.
const sdk = "sdk"

// sdkModules are the modules that the SDK's packages need, in tkit's own
// versions.
var sdkModules = []string{
	"github.com/fatih/color",
	"github.com/golang/protobuf",
	"github.com/hashicorp/go-hclog",
	"github.com/hashicorp/go-plugin",
	"github.com/hashicorp/yamux",
	"github.com/mattn/go-colorable",
	"github.com/mattn/go-isatty",
	"github.com/oklog/run",
	"github.com/santhosh-tekuri/jsonschema/v6",
	"golang.org/x/net",
	"golang.org/x/sys",
	"golang.org/x/text",
	"google.golang.org/genproto/googleapis/rpc",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
	"gopkg.in/yaml.v3",
}

// writeSDK writes the packages of module tkit, and the go.mod and go.sum of a
// project that uses them.
func writeSDK(folder, name string) error {
	err := fs.WalkDir(tkit.SDK, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := tkit.SDK.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, sdk, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
	if err != nil {
		return err
	}
	own, err := tkit.SDK.ReadFile("go.mod")
	if err != nil {
		return err
	}
	m := parseModule(own)
	var direct, indirect bytes.Buffer
	for _, path := range sdkModules {
		r := m.requires[path]
		if r.version == "" {
			return fmt.Errorf("tkit's go.mod does not name %s", path)
		}
		direct.WriteString(r.line)
		fmt.Fprintf(&indirect, "\t%s %s // indirect\n", path, r.version)
	}
	sums, err := m.sums()
	if err != nil {
		return err
	}
	for file, text := range map[string][]byte{
		filepath.Join(sdk, "go.mod"): fmt.Appendf(nil, "module tkit\n\ngo %s\n\nrequire (\n%s)\n", m.language, direct.Bytes()),
		"go.mod": fmt.Appendf(nil, "module example.com/%s\n\ngo %s\n\nrequire tkit v0.0.0\n\nrequire (\n%s)\n\nreplace tkit => ./%s\n",
			name, m.language, indirect.Bytes(), sdk),
		"go.sum": sums,
	} {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// module is the relevant part of tkit's go.mod.
type module struct {
	language string // the Go version
	requires map[string]require
}

// require is one line of it.
type require struct{ version, line string }

// parseModule parses a go.mod as written by the go command.
func parseModule(text []byte) module {
	m := module{requires: map[string]require{}}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "go":
			m.language = fields[1]
		case len(fields) >= 2 && strings.HasPrefix(line, "\t"):
			m.requires[fields[0]] = require{fields[1], line}
		}
	}
	return m
}

// sums returns the lines of tkit's go.sum for the SDK's modules.
func (m module) sums() ([]byte, error) {
	all, err := tkit.SDK.ReadFile("go.sum")
	if err != nil {
		return nil, err
	}
	want := map[string]bool{}
	for _, path := range sdkModules {
		of := path + " " + m.requires[path].version
		want[of], want[of+"/go.mod"] = true, true
	}
	var sums bytes.Buffer
	for line := range strings.Lines(string(all)) {
		if i := strings.LastIndex(line, " "); i > 0 && want[line[:i]] {
			sums.WriteString(line)
		}
	}
	return sums.Bytes(), nil
}
