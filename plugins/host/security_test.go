package host_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every line of the security page's table names tests that there are.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/security-plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	_, table, _ := strings.Cut(string(page), "|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if table == "" {
		t.Fatal("the page has no table")
	}
	test := regexp.MustCompile("`(Test[A-Za-z]+)`")
	for line := range strings.Lines(table) {
		named := test.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test stands beside %s", line)
		}
		for _, n := range named {
			if !strings.Contains(tests.String(), "\nfunc "+n[1]+"(t *testing.T)") {
				t.Errorf("there is no %s", n[1])
			}
		}
	}
}
