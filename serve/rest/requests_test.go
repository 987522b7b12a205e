package rest_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tkit/access"
	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/logtest"
	"tkit/registry"
	"tkit/serve"
	"tkit/serve/rest"
)

const classifyPath, predictPath = "/v1/models/digits:classify-image", "/v1/models/digits:predict"

// send sends a request with headers, and requires that an error is in JSON.
func (s *service) send(t *testing.T, method, path string, header map[string]string, body []byte) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode >= 300 && method != http.MethodHead {
		var failure struct {
			Error  string
			Reason inference.Reason
		}
		if err := json.Unmarshal(text, &failure); err != nil || failure.Error == "" || failure.Reason == "" || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s: no error in JSON: %v", method, path, answer.StatusCode, text, err)
		}
	}
	return answer.StatusCode, answer.Header, string(text)
}

func zip(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Bodies are decompressed as declared, within the limit of a request.
func TestContentEncoding(t *testing.T) {
	s := start(t, "digits")
	image := inferencetest.JPEG(t, 1)
	inJSON := []byte(`{"image": {"b64": "` + base64.StdEncoding.EncodeToString(image) + `"}}`)
	tensor := []byte(`{"instances": ` + nest(make([]float32, 32*32), 1, 32, 32, 1) + `}`)
	var form, deflated bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("image", "a.jpg")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(image)
	w.Close()
	z := zlib.NewWriter(&deflated)
	z.Write(inJSON)
	z.Close()
	packed := zip(t, inJSON)
	for _, test := range []struct {
		name, path, encoding, kind string
		body                       []byte
		status                     int
		text                       string
	}{
		{"JSON", classifyPath, "gzip", "application/json", packed, 200, "predictions"},
		{"an image", classifyPath, "GZIP", "image/jpeg", zip(t, image), 200, "predictions"},
		{"a form", classifyPath, "x-gzip", w.FormDataContentType(), zip(t, form.Bytes()), 200, `"name":"a.jpg"`},
		{"two parts of gzip", classifyPath, "gzip", "", append(zip(t, inJSON[:10]), zip(t, inJSON[10:])...), 200, "predictions"},
		{"tensors", predictPath, "gzip", "application/json", zip(t, tensor), 200, "predictions"},
		{"as it is", classifyPath, "identity", "", image, 200, "predictions"},
		{"deflate", classifyPath, "deflate", "", deflated.Bytes(), 415, "deflate"},
		{"brotli", predictPath, "br", "", tensor, 415, "send gzip"},
		{"packed twice", classifyPath, "gzip, gzip", "", zip(t, packed), 415, "gzip, gzip"},
		{"cut short", classifyPath, "gzip", "", packed[:len(packed)-9], 400, "incomplete"},
		{"damaged", classifyPath, "gzip", "", append([]byte{}, append(packed[:len(packed)-8:len(packed)-8], 0, 0, 0, 0, 0, 0, 0, 0)...), 400, "gzip"},
		{"not packed", classifyPath, "gzip", "", image, 400, "gzip"},
		{"empty", classifyPath, "gzip", "", nil, 400, ""},
		{"a bomb", classifyPath, "gzip", "", zip(t, make([]byte, 4<<20)), 413, "larger than"},
		{"a bomb of a form", classifyPath, "gzip", w.FormDataContentType(), zip(t, append(form.Bytes()[:300:300], make([]byte, 4<<20)...)), 413, "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, header, text := s.send(t, "POST", test.path, map[string]string{"Content-Encoding": test.encoding, "Content-Type": test.kind}, test.body)
			if status != test.status || !strings.Contains(text, test.text) {
				t.Errorf("%d %s, want %d and %q", status, text, test.status, test.text)
			}
			if status == 415 && header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("Accept-Encoding is %q", header.Get("Accept-Encoding"))
			}
		})
	}
	s.classify(t, classifyPath, "", image) // no memory is held any more
}

func TestRequestsThatSayWhatTheyAre(t *testing.T) {
	s := start(t, "digits")
	image := inferencetest.PNG(t, 1)
	b64 := func(e *base64.Encoding) string { return e.EncodeToString(image) }
	tensor := func(v string) string {
		return `{"inputs": ` + strings.Replace(nest(make([]float32, 32*32), 1, 32, 32, 1), "0", v, -1) + `}`
	}
	for _, test := range []struct {
		name, path, kind, body string
		status                 int
		text                   string
	}{
		{"a byte order mark", classifyPath, "application/json; charset=utf-8", "\xef\xbb\xbf" + `{"image": {"b64": "` + b64(base64.StdEncoding) + `"}}`, 200, "predictions"},
		{"a byte order mark, tensors", predictPath, "application/json", "\xef\xbb\xbf" + tensor("0"), 200, "outputs"},
		{"URL-safe", classifyPath, "", `{"image": {"b64": "` + b64(base64.URLEncoding) + `"}}`, 200, "predictions"},
		{"a data: URI", classifyPath, "", `{"image": {"b64": "data:image/png;base64,` + b64(base64.StdEncoding) + `"}}`, 200, "predictions"},
		{"an image that is called JSON", classifyPath, "application/json", string(image), 200, "predictions"},
		{"UTF-16", classifyPath, "application/json", "\xff\xfe{\x00}\x00", 415, "UTF-16"},
		{"UTF-16 by name", predictPath, "application/json; charset=utf-16", "{}", 415, "utf-16"},
		{"a data: URI as the body", classifyPath, "", "data:image/png;base64," + b64(base64.StdEncoding), 415, "data: URI"},
		{"base64 as the body", classifyPath, "text/plain", b64(base64.StdEncoding), 415, "base64"},
		{"another multipart", classifyPath, "multipart/mixed; boundary=x", "--x--", 415, "multipart/mixed"},
		{"a named type", classifyPath, "application/xml", "something", 415, "application/xml"},
		{"an image to :predict", predictPath, "image/png", string(image), 415, ":classify-image"},
		{"NaN", predictPath, "", tensor("NaN"), 400, "NaN"},
		{"infinity", predictPath, "", tensor("-Infinity"), 400, "-Inf"},
		{"an unknown parameter", classifyPath + "?topp=3", "", string(image), 400, "topp"},
		{"a parameter twice", classifyPath + "?top=3&top=4", "", string(image), 400, "twice"},
		{"a parameter of another method", predictPath + "?top=3", "", tensor("0"), 400, "top"},
		{"a malformed query", classifyPath + "?top=%zz", "", string(image), 400, "malformed"},
		{"two signatures", predictPath, "", `{"signature_name": "a", "signature_name": "serving_default", "inputs": [1]}`, 400, "twice"},
		{"a long name", "/v1/models/" + strings.Repeat("x", 40_000) + ":predict", "", tensor("0"), 404, "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, _, text := s.send(t, "POST", test.path, map[string]string{"Content-Type": test.kind}, []byte(test.body))
			if status != test.status || !strings.Contains(text, test.text) {
				t.Errorf("%d %.300s, want %d and %q", status, text, test.status, test.text)
			}
			if status != 200 && len(text) > 1200 {
				t.Errorf("an error of %d bytes", len(text))
			}
		})
	}
}

// Every route refuses an unknown parameter. Prometheus selects metrics by name[].
func TestUnknownParameters(t *testing.T) {
	s := start(t, "digits")
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/v1/models", "/v1/models/digits", "/v1/models/digits/versions/1", "/v1/models/digits/metadata"} {
		for query, want := range map[string]int{"": 200, "?": 200, "?x=1": 400, "?x": 400, "?top=1": 400, "?name=go_threads": 400} {
			if status, _, text := s.send(t, "GET", path+query, nil, nil); status != want || want == 400 && !strings.Contains(text, "is unknown") {
				t.Errorf("%s%s: %d %.200s", path, query, status, text)
			}
		}
	}
	_, _, text := s.send(t, "GET", "/metrics?name[]=go_goroutines&name%5B%5D=tkit_requests_total", nil, nil)
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "go_goroutines") && !strings.Contains(line, "tkit_requests_total") {
			t.Errorf("two metrics were asked for, and the answer has %s", line)
		}
	}
}

// All errors are in JSON, including those for unknown paths.
func TestErrorsAreJSON(t *testing.T) {
	s := start(t, "digits")
	for _, test := range []struct {
		method, path string
		header       map[string]string
		status       int
	}{
		{"GET", "/", nil, 404},
		{"GET", "//v1/models", nil, 404},
		{"GET", "/v1/models/", nil, 404},
		{"GET", "/v1/models/../models", nil, 404},
		{"GET", "/v1/models/digits/", nil, 404},
		{"OPTIONS", "/v1/models", nil, 405},
		{"PATCH", classifyPath, nil, 405},
		{"POST", "/livez", nil, 405},
		{"GET", "/readyz?complet", nil, 400},
		{"GET", "/v1/models/digits?x=1", nil, 400},
		{"GET", "/v1/models?x=1", nil, 400},
		{"GET", "/livez?x=1", nil, 400},
		{"POST", classifyPath, map[string]string{"Origin": "http://elsewhere.example"}, 403},
		{"POST", classifyPath, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"POST", classifyPath, map[string]string{"Origin": "null"}, 403},
	} {
		if status, _, text := s.send(t, test.method, test.path, test.header, nil); status != test.status {
			t.Errorf("%s %s %v: %d %s, want %d", test.method, test.path, test.header, status, text, test.status)
		}
	}
}

// Web pages of an allowed origin may send requests, after the preflight request
// of the browser.
func TestOrigins(t *testing.T) {
	s := start(t, "digits")
	image := inferencetest.JPEG(t, 1)
	from := map[string]string{"Origin": page, "Sec-Fetch-Site": "cross-site"}
	status, header, text := s.send(t, "POST", classifyPath, from, image)
	if status != 200 || header.Get("Access-Control-Allow-Origin") != page || header.Get("Vary") != "Origin" {
		t.Errorf("%d %v %s", status, header, text)
	}
	if status, header, _ := s.send(t, "POST", "/v1/models/flowers:predict", from, nil); status != 404 || header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("an error cannot be read by the page: %d %v", status, header)
	}
	preflight := func(origin string) (int, http.Header) {
		status, header, _ := s.send(t, "OPTIONS", classifyPath, map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}, nil)
		return status, header
	}
	if status, header := preflight(page); status != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != page ||
		!strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(header.Get("Access-Control-Allow-Headers"), "Authorization") ||
		header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", status, header)
	}
	for _, origin := range []string{"http://localhost:3001", "https://localhost:3000", page + "x", "null"} {
		if status, header := preflight(origin); status < 400 || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", origin, status, header)
		}
		if status, header, _ := s.send(t, "POST", classifyPath, map[string]string{"Origin": origin}, image); status != 403 || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", origin, status, header)
		}
	}
	if status, _, _ := s.send(t, "POST", classifyPath, map[string]string{"Origin": s.URL}, image); status != 200 {
		t.Errorf("the server's own origin: %d", status)
	}
	for origin, good := range map[string]bool{page: true, "https://lab.example.org": true, "*": false, "null": false, "lab.example.org": false, "https://lab.example.org/": false, "https://u@x": false, "https://*": false, "ftp://x": false, "": false} {
		if err := rest.CheckOrigin(origin); (err == nil) != good {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// The response to an internal error is like that to any other error; the cause
// is only in the log.
func TestPanic(t *testing.T) {
	home := inferencetest.New(t)
	running := home.Start(t)
	var log logtest.Buffer
	s := httptest.NewServer(rest.New(rest.Options{
		Service:  &serve.Service{Manager: running.Manager, Log: slog.New(slog.NewTextHandler(&log, nil))},
		Gatherer: running.Gatherer, Draining: func() bool { return false },
		Authenticate: func(context.Context, string) (access.Caller, error) { panic("/secret/path") },
	}))
	defer s.Close()
	status, _, text := (&service{Server: s}).send(t, "GET", "/v1/models", nil, nil)
	if status != 500 || strings.Contains(text, "secret") || !strings.Contains(log.String(), "/secret/path") {
		t.Errorf("%d %s\n%s", status, text, log.String())
	}
}

// The reason why a version does not load is only in the log, because it
// contains paths of the server.
func TestStatusHidesPaths(t *testing.T) {
	s := start(t, "digits")
	broken := func() registry.Content { return registry.FromReader(strings.NewReader("no network")) }
	bad := s.home.RegisterParts(t, "digits", broken(), broken())
	s.home.Promote(t, "digits", bad, registry.Production)
	s.manager.Until(t, "the load failed", func() bool { return len(s.manager.Readiness().Failing) > 0 })
	for path, want := range map[string]string{
		"/v1/models/digits": `{"model_version_status":[{"version":"2","state":`,
		"/v1/models":        "log says why",
		fmt.Sprintf("/v1/models/digits/versions/%d/metadata", bad): "log says why",
		"/readyz":  "digits@2",
		"/metrics": "tkit_failing_versions",
	} {
		_, _, text := s.ask(t, "GET", path, "", nil)
		if !strings.Contains(string(text), want) || strings.Contains(string(text), s.home.Path) || strings.Contains(string(text), "blobs") {
			t.Errorf("%s: %s, want %q", path, text, want)
		}
	}
}

// A server that cannot read the policy is not ready.
func TestReadinessOfThePolicy(t *testing.T) {
	home := inferencetest.New(t)
	running := home.Start(t)
	unreadable := error(nil)
	h := rest.New(rest.Options{
		Service:  &serve.Service{Manager: running.Manager, Log: slog.New(slog.DiscardHandler)},
		Gatherer: running.Gatherer, Draining: func() bool { return false },
		Policy: func() error { return unreadable },
	})
	ready := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code
	}
	if got := ready(); got != 200 {
		t.Errorf("with a policy: %d", got)
	}
	unreadable = access.ErrStale
	if got := ready(); got != 503 {
		t.Errorf("without a policy: %d", got)
	}
}
