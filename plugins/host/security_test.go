package host_test

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of the security page's table names existing tests, in this folder
// unless it names another.
func TestSecurityPage(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "security-plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if table == "" {
		t.Fatal("the page has no table")
	}
	test := regexp.MustCompile("`(Test[A-Za-z]+)`(?: of `([a-z/]+)`)?")
	for line := range strings.Lines(table) {
		named := test.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test for %s", line)
		}
		for _, n := range named {
			folder := cmp.Or(n[2], "plugins/host")
			if !strings.Contains(tests(t, filepath.Join(root, folder)), "\nfunc "+n[1]+"(t *testing.T)") {
				t.Errorf("there is no %s in %s", n[1], folder)
			}
		}
	}
}

// tests returns the code of a folder's tests.
func tests(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
