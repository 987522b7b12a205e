package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/internal/needs"
	"tkit/internal/savedmodel/savedmodeltest"
)

// savedModels returns the folder of SavedModels of every kind.
func savedModels(t *testing.T) string {
	t.Helper()
	return savedmodeltest.Cached(t, "models", filepath.Join(needs.Root(t), "internal", "signatures", "testdata", "models.py"))
}

// serveFolder starts a server of a folder under the name "any".
func serveFolder(t *testing.T, dir string) *process {
	t.Helper()
	return spawnWith(t, map[string]any{"Home": t.TempDir(), "Folder": dir, "Name": "any", "Drain": 0, "Grace": time.Minute})
}

// TestTensorFlowServingClient drives a server of numbered folders with TensorFlow
// Serving's own client.
func TestTensorFlowServingClient(t *testing.T) {
	served := t.TempDir()
	if err := os.CopyFS(filepath.Join(served, "1"), os.DirFS(filepath.Join(savedModels(t), "types"))); err != nil {
		t.Fatal(err)
	}
	p := serveFolder(t, served)
	out := savedmodeltest.RunPython(t, "testdata/tfs_client.py", p.addresses.GRPC, "any", served, filepath.Join(savedModels(t), "text"))
	if strings.TrimSpace(out) != "ok" {
		t.Errorf("%s", out)
	}
}

// rest asks the process over HTTP.
func (p *process) rest(t *testing.T, path, body string) (int, string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.addresses.HTTP+"/v1/models/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text))
}

// An exchange is an HTTP request and the expected response: the whole body if it is
// JSON, and otherwise a part of it.
type exchange struct {
	path, body string
	status     int
	want       string
}

func (p *process) check(t *testing.T, all []exchange) {
	t.Helper()
	for _, e := range all {
		status, text := p.rest(t, e.path, e.body)
		same := text == e.want
		if !strings.HasPrefix(e.want, "{") {
			same = strings.Contains(text, e.want)
		}
		if status != e.status || !same {
			t.Errorf("%s %s: %d %s; want %d %s", e.path, e.body, status, text, e.status, e.want)
		}
	}
}

func TestTypesOverREST(t *testing.T) {
	p := serveFolder(t, filepath.Join(savedModels(t), "types"))
	const several = `"numbers": [[1, 2, 3], [4, 5, 9007199254740993]], "mask": [true, false, true], "scale": -2`
	p.check(t, []exchange{
		{"any:predict", `{"inputs": {` + several + `}}`, 200, `{"outputs":{"any":true,"flipped":[false,true,false],"sums":[-8,-18014398509481994]}}`},
		{"any/versions/1:predict", `{"inputs": {` + several + `}, "signature_name": "serving_default"}`, 200, `{"outputs":{"any":true,"flipped":[false,true,false],"sums":[-8,-18014398509481994]}}`},
		{"any:predict", `{"instances": [{"numbers": [1, 2], "mask": true, "scale": 1}, {"numbers": [1, 2], "mask": true, "scale": 1}]}`, 400, `input \"scale\" has the shape [2]; want []`},
		{"any:predict", `{"inputs": {"numbers": [1, 2], "mask": [true], "scale": 1}}`, 400, `input \"numbers\" has the shape [2]; want [2 -1]`},
		{"any:predict", `{"inputs": {"numbers": [[1], [2]], "mask": [true]}}`, 400, `input \"scale\" is missing`},
		{"any:predict", `{"inputs": {"numbers": [[1.5], [2]], "mask": [true], "scale": 1}}`, 400, `not an integer`},
		{"any:predict", `{"inputs": {"numbers": [[1], [2]], "mask": [1], "scale": 1}}`, 400, `expected true or false`},
		{"any:predict", `{"inputs": {"numbers": [[1, 2], [3, 4]], "mask": [true, true, true], "scale": 1}}`, 400, `INVALID_ARGUMENT`},
		{"any:predict", `{"inputs": {"other": 1}}`, 400, `no input \"other\"`},
		{"any:predict", `{"signature_name": "echo", "inputs": 1}`, 400, `expected an object`},
		{"any:predict", `{"signature_name": "nothing", "inputs": 1}`, 400, `no signature \"nothing\"; it has [\"echo\" \"serving_default\"]`},
		{"any:classify-image", `{"image": {"b64": "AAAA"}}`, 400, "takes tensors"},
		{"any/versions/2:predict", `{"inputs": 1}`, 404, "any@2"},
		{"other:predict", `{"inputs": 1}`, 404, "not served here"},
		{"any", "", 200, `{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`},
	})
	status, text := p.rest(t, "any/metadata", "")
	var metadata struct {
		Spec     map[string]string `json:"model_spec"`
		Metadata struct {
			Def struct {
				Def map[string]struct {
					Inputs map[string]struct {
						Type  string `json:"dtype"`
						Shape struct {
							Dim []struct{ Size string }
						} `json:"tensor_shape"`
						Name string
					}
				} `json:"signature_def"`
			} `json:"signature_def"`
		}
	}
	if err := json.Unmarshal([]byte(text), &metadata); err != nil || status != 200 {
		t.Fatalf("%d %v: %s", status, err, text)
	}
	in := metadata.Metadata.Def.Def["serving_default"].Inputs["numbers"]
	if metadata.Spec["name"] != "any" || metadata.Spec["version"] != "1" || in.Type != "DT_INT64" || in.Name != "serving_default_numbers:0" ||
		len(in.Shape.Dim) != 2 || in.Shape.Dim[1].Size != "-1" {
		t.Errorf("%s", text)
	}
}

func TestTextOverREST(t *testing.T) {
	p := serveFolder(t, filepath.Join(savedModels(t), "text"))
	p.check(t, []exchange{
		{"any:predict", `{"signature_name": "shout", "inputs": {"one": "a\u00e9"}}`, 200, `{"outputs":{"loud":"Aé","same":"aé"}}`},
		{"any:predict", `{"signature_name": "shout", "inputs": {"b64": "/w=="}}`, 200, `{"outputs":{"loud":{"b64":"/w=="},"same":{"b64":"/w=="}}}`},
		{"any:predict", `{"signature_name": "shout", "instances": ["a"]}`, 400, `input \"one\" has the shape [1]; want []`},
		{"any:predict", `{"instances": [1]}`, 400, "expected a string"},
	})
	for _, body := range []string{`{"instances": ["the cat", {"b64": "ZG9n"}]}`, `{"instances": [{"text": "the cat"}, {"text": "dog"}]}`} {
		status, text := p.rest(t, "any:predict", body)
		var answer struct {
			Predictions []struct {
				Label  string
				Length int
				Scores []float64
				Tokens []int
			}
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Predictions) != 2 {
			t.Fatalf("%d %v: %s", status, err, text)
		}
		if one := answer.Predictions[1]; one.Length != 3 || len(one.Scores) != 3 || one.Tokens[0] != 3 || one.Tokens[1] != -1 || one.Label == "" {
			t.Errorf("%s", text)
		}
	}
}

// TestFlowOverREST checks that refused signatures are named, that failed
// assertions are errors of the request, and that encoded images are strings.
func TestFlowOverREST(t *testing.T) {
	p := serveFolder(t, filepath.Join(savedModels(t), "flow"))
	p.check(t, []exchange{
		{"any:predict", `{"instances": [[1, 2, 1000]]}`, 400, "x must be below 100"},
		{"any:predict", `{"signature_name": "counts", "instances": [[1, 2, 3]]}`, 400, "changes variable"},
		{"any:predict", `{"signature_name": "file", "inputs": "/etc/passwd"}`, 400, "reads or writes files"},
		{"any:predict", `{"signature_name": "anyrank", "inputs": [[[[-1, 2]]]]}`, 200, `{"outputs":[[[[0.0,4.0]]]]}`},
		{"any:predict", `{"signature_name": "anyrank", "inputs": NaN}`, 200, `{"outputs":NaN}`},
	})
}
