// Package docs_test runs what the documents show.
//
// A shell block is executed, in the order of its document and in one shell, so
// that a later block continues where an earlier one ended. A block that cannot
// be run by a test says so in the document, in its first line:
//
//	```sh no-test: needs a Kerberos realm
//
// The other languages are parsed. The Go and Python code of docs/plugins.md is
// compiled and run by the tests of plugins/scaffold, the Python code of
// plugins/python by its own tests.
package docs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tkit/internal/needs"
	"tkit/plugins/scaffold"
)

// untested lists the shell blocks that are not run, by document and reason.
var untested = []string{
	"README.md: they take minutes, and CI runs the last",
	"README.md: it downloads weights; the demo runs the same",
	"README.md: the test has built it",
	"docs/database.md: a PostgreSQL server is required",
	"docs/hdfs.md: an HDFS cluster is required",
	"docs/installing.md: a container engine is required",
	"docs/installing.md: the test of the release looks for both files",
	"docs/installing.md: the test of the release runs it in a bare Debian",
	"docs/installing.md: the test of the release runs it in a bare Debian",
	"plugins/python/README.md: pip downloads from the package index",
}

func TestBlocksAreParsed(t *testing.T) {
	var exempt []string
	languages := map[string]int{}
	for name, text := range documents(t) {
		for _, b := range blocks(t, name, text) {
			languages[b.language]++
			if reason, is := b.exempt(); is {
				exempt = append(exempt, name+": "+reason)
			}
			if err := b.parse(); err != nil {
				t.Errorf("%s:%d: %v", name, b.line, err)
			}
		}
	}
	for _, language := range []string{"sh", "go", "yaml", "toml", "python"} {
		if languages[language] == 0 {
			t.Errorf("no document has a block in %s; the languages are %v", language, languages)
		}
	}
	slices.Sort(exempt)
	if want := slices.Sorted(slices.Values(untested)); !slices.Equal(exempt, want) {
		t.Errorf("blocks that are not run:\n%s\nwant\n%s", strings.Join(exempt, "\n"), strings.Join(want, "\n"))
	}
}

func TestPythonBlocksAreParsed(t *testing.T) {
	python := needs.Python(t)
	for name, text := range documents(t) {
		for _, b := range blocks(t, name, text) {
			module, is := map[string]string{"python": "ast", "toml": "tomllib"}[b.language]
			if !is {
				continue
			}
			program := fmt.Sprintf("import sys, %s as m; getattr(m, 'parse', getattr(m, 'loads', None))(sys.stdin.read())", module)
			cmd := exec.CommandContext(t.Context(), python, "-c", program)
			cmd.Stdin = strings.NewReader(b.text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s:%d: %v\n%s", name, b.line, err, out)
			}
		}
	}
}

// TestShellBlocks runs the shell blocks of each document. Those of README.md
// come first; the others start with the home and the folder that they leave.
func TestShellBlocks(t *testing.T) {
	python := needs.Python(t)
	needs.Minutes(t)
	s := session{root: needs.Root(t), bin: t.TempDir(), folder: t.TempDir(), python: filepath.Dir(python), packages: pytest(t, python)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(s.bin, "tkit"), "./cmd/tkit")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, shared := range []string{"scripts", "plugins", ".deps"} { // as in a checkout
		if err := os.Symlink(filepath.Join(s.root, shared), filepath.Join(s.folder, shared)); err != nil {
			t.Fatal(err)
		}
	}
	all := documents(t)
	s.run(t, "README.md", all["README.md"], false)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range all {
			if name != "README.md" && !yield(name) {
				return
			}
		}
	}) {
		next := s
		next.folder = t.TempDir()
		if err := exec.CommandContext(t.Context(), "cp", "-a", s.folder+"/.", next.folder).Run(); err != nil {
			t.Fatal(err)
		}
		next.run(t, name, all[name], true)
	}
}

// documents returns the texts of all documents by their names: those of the
// tree, and those that `tkit plugins new` creates for an author.
func documents(t *testing.T) map[string]string {
	t.Helper()
	root := needs.Root(t)
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "plugins/python/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, path := range found {
			all[strings.TrimPrefix(path, root+"/")] = read(t, path)
		}
	}
	for language, write := range map[string]func(string) error{"Go": scaffold.Go, "Python": scaffold.Python} {
		folder := filepath.Join(t.TempDir(), "brighten")
		if err := write(folder); err != nil {
			t.Fatal(err)
		}
		all[language+" project: README.md"] = read(t, filepath.Join(folder, "README.md"))
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is a fenced block of a document.
type block struct {
	line           int // of its first line of text
	language, info string
	text           string
}

// blocks returns a document's fenced blocks. An indented one is an error, since
// it has no language.
func blocks(t *testing.T, name, text string) (all []block) {
	t.Helper()
	var open *block
	blank, list := true, false
	number := 0
	for line := range strings.Lines(text) {
		number++
		fence, is := strings.CutPrefix(strings.TrimSpace(line), "```")
		is = is && !strings.Contains(fence, "`") // else it is code within a line
		switch {
		case is && open == nil:
			language, info, _ := strings.Cut(fence, " ")
			open = &block{line: number + 1, language: language, info: info}
		case is:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line
		case blank && !list && strings.HasPrefix(line, "    "):
			t.Errorf("%s:%d: an indented block; fence it and name its language", name, number)
		}
		blank = strings.TrimSpace(line) == ""
		if !blank {
			list = strings.HasPrefix(line, "- ") || list && strings.HasPrefix(line, " ")
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block that does not end", name, open.line)
	}
	return all
}

// exempt returns why a shell block is not run, or "".
func (b block) exempt() (reason string, is bool) { return strings.CutPrefix(b.info, "no-test: ") }

var fileName = regexp.MustCompile(`^// ([a-z_]+\.go)\n`)

func (b block) parse() error {
	switch b.language {
	case "sh":
		if reason, is := b.exempt(); b.info != "" && (!is || reason == "") {
			return fmt.Errorf("%q is unknown; want no-test: REASON", b.info)
		}
		out, err := exec.Command("bash", "-n", "-c", b.text).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	case "go":
		if !fileName.MatchString(b.text) {
			return errors.New("Go without the name of its file in a first comment")
		}
		_, err := parser.ParseFile(token.NewFileSet(), "", b.text, parser.SkipObjectResolution)
		return err
	case "yaml":
		for d := yaml.NewDecoder(strings.NewReader(b.text)); ; {
			var v any
			if err := d.Decode(&v); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	case "json":
		if !json.Valid([]byte(b.text)) {
			return errors.New("no JSON")
		}
		return nil
	case "python", "toml", "text", "": // TestPythonBlocksAreParsed reads the first two
		return nil
	}
	return fmt.Errorf("nothing reads blocks in %q", b.language)
}

// session is the initial state of the shell of a document.
type session struct {
	root     string // of the repository
	bin      string // has tkit
	python   string // has python3
	packages string // has pytest, which pip would download
	folder   string // where it runs
}

// prelude makes commands suitable for a test: servers use free ports, and pip
// takes the packages of plugins from a folder.
const prelude = `set -euo pipefail
trap 'jobs -p | xargs -r kill; wait' EXIT
tkit() {
  case "${1-} ${2-}" in
    'serve '*) exec tkit "$@" --http "$HTTP" --grpc "$GRPC" ;;
    'plugins test' | 'plugins bench' | 'plugins install') command tkit "$@" --wheels "$PIP_FIND_LINKS" ;;
    *) command tkit "$@" ;;
  esac
}
`

// run runs the shell blocks of a document, in parallel with others if possible.
func (s session) run(t *testing.T, name, text string, beside bool) {
	t.Helper()
	var script strings.Builder
	script.WriteString(prelude)
	script.WriteString(begin(name))
	for _, b := range blocks(t, name, text) {
		if _, exempt := b.exempt(); b.language == "sh" && !exempt {
			fmt.Fprintf(&script, "printf '\\n== line %d\\n'\n%s", b.line, b.text)
		}
	}
	if !strings.Contains(script.String(), "== line") {
		return
	}
	t.Run(name, func(t *testing.T) {
		if beside {
			t.Parallel()
		}
		http, grpc := freeAddress(t), freeAddress(t)
		said, err := os.Create(filepath.Join(t.TempDir(), "said"))
		if err != nil {
			t.Fatal(err)
		}
		defer said.Close()
		cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(script.String(), "127.0.0.1:8501", http))
		cmd.Dir, cmd.Stdout, cmd.Stderr = s.folder, said, said
		cmd.Env = append(os.Environ(), "TKIT_HOME="+filepath.Join(s.folder, "home"), "PATH="+s.bin+":"+s.python+":"+os.Getenv("PATH"),
			"HTTP="+http, "GRPC="+grpc, "PYTHONPATH="+s.packages, "PIP_NO_INDEX=1", "PIP_NO_COMPILE=1", "PIP_FIND_LINKS="+filepath.Join(s.root, ".deps", "wheels"))
		if err := cmd.Run(); err != nil {
			t.Errorf("%v\n%s", err, read(t, said.Name()))
		}
	})
}

// begin does what an author has done before reading a project's README.
func begin(name string) string {
	switch name {
	case "Go project: README.md":
		return "tkit plugins new brighten\ncd brighten\n"
	case "Python project: README.md":
		return "tkit plugins new --lang python brighten\ncd brighten\n"
	}
	return ""
}

// pytest returns a folder that contains only pytest and its requirements from
// the project's Python.
func pytest(t *testing.T, python string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, pattern := range []string{"pytest", "_pytest", "pytest-*", "iniconfig*", "packaging*", "pluggy*", "py.py", "pygments*"} {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(python)), "lib", "python3*", "site-packages", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s of %s: %v, %v", pattern, python, found, err)
		}
		for _, path := range found {
			if err := os.Symlink(path, filepath.Join(folder, filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
