package definition

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tkit/internal/fuzztest"
	"tkit/registry"
)

const valid = `name: flowers
input:
  broker:
    inputs:
      - tkit_directory: {path: in}
      - tkit_directory:
          path: more
          settle: 5s
pipeline:
  processors:
    - tkit_classify:
        models: [flowers, herbs@2]
    - branch:
        processors:
          - tkit_classify:
              models: [flowers]
output:
  broker:
    outputs:
      - tkit_folder: {path: out}
        processors:
          - mutation: meta kind = "plant"
      - fallback:
          - http_client: {url: "http://localhost:1"}
          - drop: {}
`

func TestValid(t *testing.T) {
	findings, err := Check([]byte(valid))
	if err != nil || len(findings) > 0 {
		t.Fatal(findings, err)
	}
	d, err := parse([]byte(valid), "")
	if err != nil {
		t.Fatal(err)
	}
	flowers, herbs := registry.Ref{Model: "flowers", Alias: registry.Production}, registry.Ref{Model: "herbs", Version: 2}
	if !slices.Equal(d.Models, []registry.Ref{flowers, herbs}) || d.Name != "flowers" || d.Attempts != 5 || d.InFlight != 64 || d.DeadLetters != "" {
		t.Errorf("%+v", d)
	}
	for _, want := range []string{
		"tkit_delivery:", "tkit_fan_out: outputs:", "threads: 16", "reject_errored: tkit_folder: {path: out}", "reject_errored: http_client", "reject_errored: drop",
	} {
		if !strings.Contains(strings.Join(strings.Fields(d.Engine), " "), want) {
			t.Errorf("the engine's configuration has no %q:\n%s", want, d.Engine)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Setenv("TKIT_TEST_SET", "in")
	for _, c := range []struct {
		old, new string
		line     int
		want     string
		suggests string
	}{
		{"settle: 5s", "settel: 5s", 8, `no field "settel"`, `"settle"`},
		{"settle: 5s", "settle: 5 s", 6, "unknown unit", ""},
		{"settle: 5s", "settle: -5s", 6, "must be positive", ""},
		{"settle: 5s", "after: archive", 6, "archive is missing", ""},
		{"name: flowers", "name: flowers\ndelivery: {attempts: 0}", 2, "at least 1", ""},
		{"path: more", "pathh: more", 7, `no field "pathh"`, `"path"`},
		{"- tkit_classify:\n        models", "- tkit_clasify:\n        models", 11, `no component "tkit_clasify"`, `"tkit_classify"`},
		{"pipeline:", "pipelines:", 9, `no field "pipelines"`, `"pipeline"`},
		{"name: flowers", "name: Flowers", 1, "lower-case", ""},
		{"name: flowers\n", "", 1, "name is missing", ""},
		{"herbs@2", "herbs@02", 11, "numbered", ""},
		{"[flowers, herbs@2]", "[]", 11, "name a model", ""},
		{"drop: {}", "stdout: {}", 25, "output stdout is not available", ""},
		{"mutation: meta", "command: {name: ls}  #", 22, "processor command is not available", ""},
		{"mutation: meta kind", "mutation: meta = kind", 22, "expected", ""},
		{"name: flowers", "name: flowers\nbuffer: {memory: {}}", 2, `no field "buffer"`, ""},
		{"name: flowers", "name: flowers\nerror_handling: {strategy: none}", 2, `no field "error_handling"`, ""},
		{"name: flowers", "name: flowers\ndelivery: {atempts: 2}", 2, `no field "atempts"`, `"attempts"`},
		{"name: flowers", "# BENTO LINT DISABLE\nname: flowers\ndelivery: {atempts: 2}", 3, `no field "atempts"`, `"attempts"`},
		{"path: more", "path: ${TKIT_TEST_UNSET}", 1, "TKIT_TEST_UNSET", ""},
		{"path: more", "path: ${TKIT_TEST_SET}", 0, "", ""},
		{"[flowers, herbs@2]", "[flowers]\n        server: http://localhost:1\n        token: tkit_x", 14, "the field token has a secret in clear text", ""},
		{"name: flowers", "name: flowers\ndelivery: {dead_letter_topic: {brokers: ['k:9092'], topic: dead, user: u, password: p}}", 2, "the field password has a secret in clear text", ""},
		{"name: flowers", "name: flowers\ndelivery: {dead_letter_topic: {brokers: ['k:9092'], topic: dead, user: u}}", 2, "belong together", ""},
		{"name: flowers", "name: flowers\ndelivery: {dead_letter_topic: {brokers: ['k:9092'], topic: dead, user: u, password: '${TKIT_TEST_SET}', mechanism: PLAIN}}", 2, "readable on the network", ""},
		{"name: flowers", "name: flowers\ndelivery: {dead_letter_topic: {brokers: ['k:9092'], topics: dead}}", 2, `no field "topics"`, `"topic"`},
		{"name: flowers", "name: flowers\ndelivery: {ordered_by: '@camera ='}", 2, "expected", ""},
		{"[flowers, herbs@2]", "[flowers]\n        server: http://localhost:1\n        token: ${TKIT_TEST_SET}", 0, "", ""},
		{"[flowers, herbs@2]", "[flowers]\n        server: http://models:1\n        token: ${TKIT_TEST_SET}", 11, "use an https:// URL", ""},
		{"[flowers, herbs@2]", "[flowers]\n        token: ${TKIT_TEST_SET}", 11, "name it in the field server", ""},
		{"drop: {}", "http_client: {url: 'http://me:secret@host'}", 25, "a URL has a secret", ""},
		{"drop: {}", "http_client: {url: 'http://me:${TKIT_TEST_SET}@host'}", 0, "", ""},
		{"drop: {}", "http_client: {url: 'http://me:${TKIT_TEST_SET:secret}@host'}", 25, "a URL has a secret", ""},
		{"drop: {}", "http_client: {url: 'http://host', basic_auth: {password: '${TKIT_TEST_UNSET:secret}'}}", 25, "the field password", ""},
		{"drop: {}", "http_client: {url: 'http://host', headers: {Authorization: Bearer x}}", 25, "the header Authorization", ""},
		{"drop: {}", "http_client: {url: 'http://host', basic_auth: {password: x}}", 25, "the field password", ""},
		{"output:\n  broker:", "output:\n  broker:\n    copies: 2", 19, "has no copies", ""},
		{"drop: {}", "switch: {cases: [{check: 'false', output: {drop: {}}}, {output: {drop: {}}}]}", 0, "", ""},
		{"drop: {}", "switch: {strict_mode: false, cases: [{check: 'false', output: {drop: {}}}, {output: {drop: {}}}]}", 25, "would lose the images", ""},
		{"drop: {}", "switch: {retry_until_success: true, cases: [{check: 'false', output: {drop: {}}}, {output: {drop: {}}}]}", 25, "would hold back", ""},
		{"drop: {}", "tkit_hdfs: {path: 'hdfs:///out', partition: 'date={date}/{label}'}", 0, "", ""},
		{"drop: {}", "tkit_hdfs: {path: 'hdfs:///out', partition: '{labl}'}", 25, "there is no {labl}", ""},
		{"drop: {}", "tkit_opensearch: {servers: ['https://search:9200'], index: images, user: tkit, password: x}", 25, "the field password has a secret", ""},
		{"drop: {}", "tkit_opensearch: {servers: ['https://search:9200'], index: images, user: tkit, password: '${TKIT_TEST_SET}'}", 0, "", ""},
		{"drop: {}", "tkit_opensearch: {servers: ['http://search:9200'], index: images, user: tkit, password: '${TKIT_TEST_SET}'}", 25, "use an https:// URL", ""},
		{"drop: {}", "tkit_opensearch: {servers: ['https://search:9200'], index: images, document: '@a ='}", 25, "the mapping of the document", ""},
		{"drop: {}", "tkit_opensearch: {servers: ['https://search:9200'], indx: images}", 25, `no field "indx"`, `"index"`},
		{"drop: {}", "redis_hash: {url: 'redis://cache:6379', key: a, walk_metadata: true}", 25, "output redis_hash is not available", ""},
		{"name: flowers", "name: flowers\ncache_resources: [{label: a, redis: {url: 'redis://:secret@cache:6379/1'}}]", 2, "a URL has a secret", ""},
		{"name: flowers", "name: flowers\ncache_resources: [{label: a, redis: {url: 'rediss://cache:6379,rediss://me:secret@cache:6379'}}]", 2, "a URL has a secret", ""},
		{"name: flowers", "name: flowers\ncache_resources: [{label: a, redis: {url: 'redis://:${TKIT_TEST_SET}@cache:6379/1'}}]", 0, "", ""},
		{"drop: {}", "tkit_hdfs: {path: /out}", 25, "the scheme is not hdfs", ""},
		{"tkit_directory: {path: in}", "tkit_hdfs: {path: 'hdfs:///in', after: archive, archive: done}", 5, "an absolute path", ""},
		{"tkit_directory: {path: in}", "tkit_hdfs: {path: 'hdfs:///in', setle: 1s}", 5, `no field "setle"`, `"settle"`},
		{"input:", "input: [", 0, "YAML", ""},
	} {
		text := strings.Replace(valid, c.old, c.new, 1)
		if text == valid {
			t.Fatalf("%q is not in the pipeline", c.old)
		}
		findings, err := Check([]byte(text))
		switch {
		case err != nil:
			t.Errorf("%q: %v", c.new, err)
		case c.want == "":
			if len(findings) > 0 {
				t.Errorf("%q: %v", c.new, findings)
			}
		case len(findings) == 0 || !strings.Contains(findings[0].Problem, c.want) || findings[0].Suggestion != c.suggests || c.line > 0 && findings[0].Line != c.line:
			t.Errorf("%q: %+v, want line %d, %q, suggestion %q", c.new, findings, c.line, c.want, c.suggests)
		}
	}
	for _, text := range []string{"", "- a\n", "3"} {
		if findings, err := Check([]byte(text)); err != nil || len(findings) != 1 {
			t.Errorf("%q: %v, %v", text, findings, err)
		}
	}
}

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipeline.yaml")
	if _, err := Read(t.Context(), file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(file, []byte("nme: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), file); err == nil || !strings.Contains(err.Error(), `did you mean "name"?`) {
		t.Errorf("a misspelt field: %v", err)
	}
	r, err := Lint(t.Context(), file)
	var text strings.Builder
	if err := errors.Join(err, r.WriteText(&text)); err != nil || r.Err() == nil {
		t.Fatal(err, r)
	}
	if want := file + `:1: a pipeline has no field "nme"; did you mean "name"?` + "\n"; text.String() != want {
		t.Errorf("wrote %q, want %q", text.String(), want)
	}
}

// Variables are replaced in tkit's part of the file, too.
func TestVariables(t *testing.T) {
	const password = `it's-"a"`
	t.Setenv("TKIT_TEST_ATTEMPTS", "7")
	t.Setenv("TKIT_TEST_PASSWORD", password)
	text := valid + `
delivery:
  attempts: ${TKIT_TEST_ATTEMPTS}
  in_flight: ${TKIT_TEST_UNSET:9}
  dead_letter_topic:
    brokers: ["${TKIT_TEST_UNSET:kafka:9092}"]
    topic: dead
    user: tkit
    password: ${TKIT_TEST_PASSWORD}
`
	if findings, err := Check([]byte(text)); err != nil || len(findings) > 0 {
		t.Fatal(findings, err)
	}
	d, err := parse([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	topic := d.DeadLetterTopic
	if d.Attempts != 7 || d.InFlight != 9 || topic == nil || !slices.Equal(topic.Brokers, []string{"kafka:9092"}) || topic.Password != password {
		t.Errorf("%+v, topic %+v", d.Delivery, topic)
	}
}

// FuzzCheck checks that a text without findings can be run.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte("name: a\ninput: {tkit_directory: {path: in}}\noutput: {drop: {}}\n"))
	f.Add([]byte("name: a\ninput: &i {broker: {inputs: [*i]}}\noutput: {drop: {}}\n"))
	f.Add([]byte("name: &a b\ninput: *a\noutput: [1]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer fuzztest.Watch(t, len(text))()
		findings, err := Check(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) > 0 {
			return
		}
		if _, err := parse(text, ""); err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
	})
}
