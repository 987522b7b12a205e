package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"tkit/datasets/digits"
	"tkit/internal/commandline"
	"tkit/internal/printable"
)

// hostile is text from an attacker: it clears the screen, forges a line, and reverses
// the direction of the text after it.
const hostile = "\x1b[2Jred\u202e"

// TestNothingSteersTheTerminal prints hostile names and reasons with every kind of
// command, and fails for any control character.
func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	home, data := t.TempDir(), hostileImages(t)
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		a := app()
		a.Writer, a.ErrWriter = &out, &out // not filtered: each message must hold by itself
		if err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", home}, args...)); err != nil {
			out.WriteString(printable.Text(err.Error()))
		}
		got := out.String()
		if strings.ContainsFunc(got, func(r rune) bool {
			return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}) {
			t.Errorf("tkit %s prints %q", strings.Join(args, " "), got)
		}
		return got
	}
	run("datasets", "check", data)
	run("train", "--architecture", "lenet5", "--data", data, "--name", "m", "--epochs", "1", "--look-alikes", "ignore", "--promote")
	run("registry", "show", "m@1")
	run("registry", "promote", "--alias", "x", "--reason", hostile+"\nforged\tline", "m@1")
	if got := run("registry", "history"); strings.Contains(got, "\nforged") || !strings.Contains(got, `red\u202e\nforged\tline`) {
		t.Errorf("the reason is not shown as one escaped field: %q", got)
	}
	images, err := filepath.Glob(filepath.Join(data, "*", "*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	run("predict", "--model", "m", "--top", "10", images[0])
	run("datasets", "add", "--owner", "user:olga", "scans", data)
	run("access", "token", "create", "--note", hostile, "--expires", "1d", "service:x")
	run("access", "token", "list")
	run("datasets", "audit")
}

// hostileImages returns a folder of digits with hostile names of classes and files.
func hostileImages(t *testing.T) string {
	t.Helper()
	plain, folder := t.TempDir(), t.TempDir()
	if err := digits.Write(t.Context(), plain, []int{0, 1, 2}, "folder"); err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"0", "1", "2"} {
		files, err := filepath.Glob(filepath.Join(plain, class, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(folder, hostile+class)
		if err := os.Mkdir(to, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range files[:20] {
			if err := os.Rename(file, filepath.Join(to, "\x1b[31m"+filepath.Base(file))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(to, "bad\x1b]0;title\x07.png"), []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
