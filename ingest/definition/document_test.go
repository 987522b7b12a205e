package definition

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The pipelines of the document have no mistakes.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(string(text), -1) {
		t.Setenv(name[1], "postgres://tkit@localhost/tkit")
	}
	found := 0
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		pipeline := block[1]
		if !strings.HasPrefix(pipeline, "name: ") { // a part of one
			pipeline = "name: part\ninput: {tkit_directory: {path: incoming}}\n" + pipeline
		}
		found++
		if findings, err := Check([]byte(pipeline)); err != nil || len(findings) > 0 {
			t.Errorf("%v, %v:\n%s", findings, err, pipeline)
		}
	}
	if found < 5 {
		t.Errorf("%d pipelines", found)
	}
}
