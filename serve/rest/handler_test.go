package rest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/internal/preprocessing"
	"tkit/internal/preprocessing/jpegtest"
	"tkit/registry"
	"tkit/serve"
	"tkit/serve/rest"
)

// A service is a real HTTP server on real models.
type service struct {
	*httptest.Server
	home     *inferencetest.Home
	manager  inferencetest.Running
	draining atomic.Bool
}

// memory is for all requests together; page is the origin of web pages that may
// send requests.
const (
	memory = 2<<20 + 1<<19
	page   = "http://localhost:3000"
)

func start(t *testing.T, models ...string) *service {
	t.Helper()
	s := &service{home: inferencetest.New(t)}
	s.home.Serve(t, models...)
	s.manager = s.home.Start(t)
	s.Server = httptest.NewServer(rest.New(rest.Options{
		Service: &serve.Service{
			Manager: s.manager.Manager, Metrics: serve.NewMetrics(s.manager.Gatherer), Memory: serve.NewMemory(memory),
			Timeout: time.Minute, Log: slog.New(slog.DiscardHandler),
		},
		Gatherer: s.manager.Gatherer, Limits: rest.Limits{MaxBody: 1 << 20, MaxImages: inferencetest.MaxImages},
		Origins: []string{page}, Draining: s.draining.Load,
	}))
	t.Cleanup(s.Close)
	return s
}

// ask sends a request and returns the status, the header and the body.
func (s *service) ask(t *testing.T, method, path, kind string, body []byte) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, text
}

type classification struct {
	Model       string
	Version     int
	Predictions []struct {
		Name   string
		Labels []struct {
			Label       string
			Probability float64
		}
	}
	Timings map[string]float64 `json:"timings_ms"`
}

func (s *service) classify(t *testing.T, path, kind string, body []byte) classification {
	t.Helper()
	status, header, text := s.ask(t, "POST", path, kind, body)
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s", path, status, text)
	}
	var c classification
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClassifyImage(t *testing.T) {
	s := start(t, "digits")
	image, other := inferencetest.JPEG(t, 1), inferencetest.PNG(t, 2)
	whole := s.classify(t, "/v1/models/digits:classify-image?top=100", "image/jpeg", image)
	if whole.Model != "digits" || whole.Version != 1 || len(whole.Predictions) != 1 || len(whole.Predictions[0].Labels) != 10 {
		t.Fatalf("%+v", whole)
	}
	sum := 0.0
	for _, l := range whole.Predictions[0].Labels {
		sum += l.Probability
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("probabilities sum to %v", sum)
	}
	for _, name := range []string{"decode", "queue", "trunk", "head", "total"} {
		if v, ok := whole.Timings[name]; !ok || v < 0 || v > whole.Timings["total"] {
			t.Errorf("timing %s is %v of %v", name, v, whole.Timings["total"])
		}
	}
	best := whole.Predictions[0].Labels[0]

	b64 := base64.StdEncoding.EncodeToString(image)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, data := range map[string][]byte{"a.jpg": image, "b.png": other} {
		part, err := w.CreateFormFile("image", name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(data)
	}
	w.Close()
	for _, test := range []struct {
		name, path, kind string
		body             []byte
		images, labels   int
	}{
		{"raw", "/v1/models/digits:classify-image", "image/jpeg", image, 1, 5},
		{"top 1", "/v1/models/digits:classify-image?top=1", "image/jpeg", image, 1, 1},
		{"by version", "/v1/models/digits/versions/1:classify-image", "", image, 1, 5},
		{"by label", "/v1/models/digits/labels/production:classify-image", "", image, 1, 5},
		{"form", "/v1/models/digits:classify-image", w.FormDataContentType(), form.Bytes(), 2, 5},
		{"JSON image", "/v1/models/digits:classify-image", "application/json", []byte(`{"image": {"b64": "` + b64 + `"}}`), 1, 5},
		{"JSON instances", "/v1/models/digits:classify-image", "application/json", []byte(`{"instances": [{"b64": "` + b64 + `"}, {"b64": "` + b64 + `"}]}`), 2, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.classify(t, test.path, test.kind, test.body)
			if len(c.Predictions) != test.images || len(c.Predictions[0].Labels) != test.labels {
				t.Fatalf("%+v", c)
			}
			p := c.Predictions[0]
			if p.Name == "b.png" {
				p = c.Predictions[1]
			}
			if p.Labels[0].Label != best.Label || math.Abs(p.Labels[0].Probability-best.Probability) > 1e-5 {
				t.Errorf("%+v, want %+v first", p.Labels, best)
			}
		})
	}
}

// Every kind of bad request has its status and reason, and the server continues
// to serve.
func TestBadRequests(t *testing.T) {
	s := start(t, "digits")
	good := inferencetest.JPEG(t, 1)
	const classify, predict = "/v1/models/digits:classify-image", "/v1/models/digits:predict"
	for _, test := range []struct {
		name, method, path string
		body               []byte
		status             int
		reason             inference.Reason
	}{
		{"empty", "POST", classify, nil, 400, inference.EmptyImage},
		{"text", "POST", classify, []byte("not an image"), 415, inference.UnsupportedImage},
		{"PDF", "POST", classify, []byte("%PDF-1.7 and so on"), 415, inference.UnsupportedImage},
		{"truncated", "POST", classify, good[:len(good)/2], 400, inference.TruncatedImage},
		{"corrupt", "POST", classify, append(slices.Clone(good[:200]), bytes.Repeat([]byte{0xff, 0xd9}, 300)...), 400, ""},
		{"too many pixels", "POST", classify, []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x75\x30\x00\x00\x75\x30\x08\x02\x00\x00\x00\x00\x00\x00\x00"), 413, inference.TooManyPixels},
		{"too many scans", "POST", classify, jpegtest.Scans(8192, 6000), 413, inference.TooCostlyImage},
		{"too large", "POST", classify, make([]byte, 1<<20+1), 413, inference.TooLarge},
		{"broken JSON", "POST", classify, []byte(`{"image": `), 400, inference.BadRequest},
		{"top", "POST", classify + "?top=all", good, 400, inference.BadRequest},
		{"top without a number", "POST", classify + "?top=", good, 400, inference.BadRequest},
		{"unknown model", "POST", "/v1/models/flowers:classify-image", good, 404, inference.NotFound},
		{"unknown version", "POST", "/v1/models/digits/versions/9:classify-image", good, 404, inference.NotFound},
		{"unknown label", "POST", "/v1/models/digits/labels/canary:classify-image", good, 404, inference.NotFound},
		{"unknown verb", "POST", "/v1/models/digits:regress", good, 404, inference.NotFound},
		{"no verb", "POST", "/v1/models/digits", good, 405, inference.BadRequest},
		{"wrong method", "GET", classify, nil, 405, inference.BadRequest},
		{"a question to the metadata", "POST", "/v1/models/digits/metadata:predict", nil, 404, inference.NotFound},
		{"unknown path", "GET", "/v2/models", nil, 404, inference.NotFound},
		{"unknown status", "GET", "/v1/models/flowers", nil, 404, inference.NotFound},
		{"predict of the wrong shape", "POST", predict, []byte(`{"instances": [[1, 2]]}`), 400, inference.BadRequest},
		{"predict of bytes", "POST", predict, []byte(`{"instances": [{"b64": "AAAA"}]}`), 400, inference.BadRequest},
		{"predict of nothing", "POST", predict, []byte(`{}`), 400, inference.BadRequest},
		{"predict with another signature", "POST", predict, []byte(`{"signature_name": "train", "inputs": [1]}`), 400, inference.BadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, _, text := s.ask(t, test.method, test.path, "", test.body)
			var failure struct {
				Error  string
				Reason inference.Reason
			}
			if err := json.Unmarshal(text, &failure); err != nil || failure.Error == "" {
				t.Fatalf("%d %s: no JSON error: %v", status, text, err)
			}
			if status != test.status || test.reason != "" && failure.Reason != test.reason {
				t.Errorf("%d %s, want %d %q", status, text, test.status, test.reason)
			}
		})
	}
	s.classify(t, classify, "", good)
}

// The image at fault is named.
func TestBadImageIsNamed(t *testing.T) {
	s := start(t, "digits")
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, f := range []struct {
		name string
		data []byte
	}{{"good.jpg", inferencetest.JPEG(t, 1)}, {"bad.jpg", []byte("not an image")}} {
		part, err := w.CreateFormFile("image", f.name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(f.data)
	}
	w.Close()
	status, _, text := s.ask(t, "POST", "/v1/models/digits:classify-image", w.FormDataContentType(), form.Bytes())
	var failure struct {
		Error string
		Image int
	}
	if err := json.Unmarshal(text, &failure); err != nil {
		t.Fatal(err)
	}
	if status != 415 || failure.Image != 1 || !strings.Contains(failure.Error, "bad.jpg") {
		t.Errorf("%d %s", status, text)
	}
}

// :predict returns the same as :classify-image if its input is the preprocessed
// image.
func TestPredict(t *testing.T) {
	s := start(t, "digits")
	// A blank image: the preprocessing of the model makes it constant.
	blank := make([]float32, 32*32)
	nested := nest(blank, 32, 32, 1)
	for _, test := range []struct {
		body, key string
		images    int
	}{
		{`{"instances": [` + nested + `, ` + nested + `]}`, "predictions", 2},
		{`{"instances": [{"images": ` + nested + `}]}`, "predictions", 1},
		{`{"signature_name": "serving_default", "inputs": [` + nested + `]}`, "outputs", 1},
		{`{"inputs": {"images": [` + nested + `]}}`, "outputs", 1},
	} {
		status, _, text := s.ask(t, "POST", "/v1/models/digits:predict", "application/json", []byte(test.body))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		var rows, columns struct {
			Predictions []map[string][]float64
			Outputs     map[string][][]float64
		}
		target := any(&rows)
		if test.key == "outputs" {
			target = &columns
		}
		if err := json.Unmarshal(text, target); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(rows.Predictions) != test.images && len(columns.Outputs["probabilities"]) != test.images {
			t.Fatalf("%s", text)
		}
		for _, row := range rows.Predictions {
			checkSoftmax(t, row["logits"], row["probabilities"])
		}
		for i := range columns.Outputs["logits"] {
			checkSoftmax(t, columns.Outputs["logits"][i], columns.Outputs["probabilities"][i])
		}
	}
	many := strings.TrimSuffix(strings.Repeat(nested+",", inferencetest.MaxImages+1), ",")
	if status, _, text := s.ask(t, "POST", "/v1/models/digits:predict", "", []byte(`{"instances": [`+many+`]}`)); status != 413 {
		t.Errorf("too many rows: %d %s", status, text)
	}
}

func checkSoftmax(t *testing.T, logits, probabilities []float64) {
	t.Helper()
	if len(logits) != 10 || len(probabilities) != 10 {
		t.Fatalf("%d logits and %d probabilities", len(logits), len(probabilities))
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(v)
	}
	for i, v := range logits {
		if math.Abs(math.Exp(v)/sum-probabilities[i]) > 1e-4 {
			t.Errorf("class %d: probability %v, softmax %v", i, probabilities[i], math.Exp(v)/sum)
		}
	}
}

// nest writes values as nested lists.
func nest(values []float32, shape ...int) string {
	if len(shape) == 0 {
		return fmt.Sprint(values[0])
	}
	stride := len(values) / shape[0]
	var parts []string
	for i := range shape[0] {
		parts = append(parts, nest(values[i*stride:(i+1)*stride], shape[1:]...))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func TestDescriptions(t *testing.T) {
	s := start(t, "digits", "letters")
	for path, want := range map[string]string{
		"/v1/models/digits":                            `{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`,
		"/v1/models/digits/versions/1":                 `{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}`,
		"/v1/models/digits/labels/production/metadata": `"inputs":{"images":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"32","name":""},{"size":"32","name":""},{"size":"1","name":""}],"unknown_rank":false},"name":"images:0"}}`,
		"/v1/models/digits/metadata":                   `"method_name":"tensorflow/serving/predict"`,
		"/v1/models":                                   `"error_message":""}}],"labels":{"production":1}},{"name":"letters"`,
		"/livez":                                       `live`,
		"/readyz":                                      `ready`,
	} {
		status, _, text := s.ask(t, "GET", path, "", nil)
		if status != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %s\nwant %s", path, status, text, want)
		}
	}
	var metadata struct {
		Spec     map[string]string `json:"model_spec"`
		Metadata struct {
			Labels        []string
			Preprocessing preprocessing.Preprocessing
		}
	}
	_, _, text := s.ask(t, "GET", "/v1/models/digits/metadata", "", nil)
	if err := json.Unmarshal(text, &metadata); err != nil {
		t.Fatal(err)
	}
	if metadata.Spec["version"] != "1" || !slices.Equal(metadata.Metadata.Labels, s.home.Labels()) || metadata.Metadata.Preprocessing.Validate() != nil {
		t.Errorf("%s", text)
	}
}

func TestReadiness(t *testing.T) {
	s := start(t, "digits")
	s.home.Promote(t, "broken", s.home.RegisterParts(t, "broken", registry.FromReader(strings.NewReader("x")), registry.FromReader(strings.NewReader("y"))), registry.Production)
	s.manager.Until(t, "the broken model fails", func() bool { return len(s.manager.Readiness().Failing) > 0 })
	const behind = `"missing":["broken@production"],"failing":["broken@1"]`
	if status, _, text := s.ask(t, "GET", "/readyz", "", nil); status != http.StatusOK || !strings.Contains(string(text), behind) {
		t.Errorf("with a broken model that came later: %d %s", status, text)
	}
	if status, _, text := s.ask(t, "GET", "/readyz?complete", "", nil); status != http.StatusServiceUnavailable || !strings.Contains(string(text), behind) {
		t.Errorf("is it complete with a broken model: %d %s", status, text)
	}
	_, _, metrics := s.ask(t, "GET", "/metrics", "", nil)
	for _, want := range []string{`tkit_missing{model="broken"} 1`, `tkit_failing_versions{model="broken"} 1`, `tkit_failing_versions{model="digits"} 0`} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if status, _, text := s.ask(t, "POST", "/v1/models/broken:classify-image", "", inferencetest.JPEG(t, 1)); status != http.StatusServiceUnavailable {
		t.Errorf("the broken model: %d %s", status, text)
	}
	s.classify(t, "/v1/models/digits:classify-image", "", inferencetest.JPEG(t, 1))
	s.draining.Store(true)
	if status, _, text := s.ask(t, "GET", "/readyz", "", nil); status != http.StatusServiceUnavailable || !strings.Contains(string(text), "stopping") {
		t.Errorf("when stopping: %d %s", status, text)
	}
}

// The responses to a flood of requests are only 200 and 429, and the server
// serves requests afterwards.
func TestOverload(t *testing.T) {
	s := start(t, "digits")
	const clients, each = 32, 12
	var images [][]byte
	for i := range clients {
		images = append(images, inferencetest.PNG(t, uint64(i)))
	}
	var ok, refused atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for range each {
				status, header, text := s.ask(t, "POST", "/v1/models/digits:classify-image", "", images[c])
				switch {
				case status == http.StatusOK:
					ok.Add(1)
				case status == http.StatusTooManyRequests && header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("%d %v %s", status, header, text)
				}
			}
		})
	}
	wg.Wait()
	if ok.Load() == 0 {
		t.Error("nothing was answered")
	}
	s.classify(t, "/v1/models/digits:classify-image", "", images[0])
	_, _, metrics := s.ask(t, "GET", "/metrics", "", nil)
	for _, want := range []string{
		fmt.Sprintf(`tkit_requests_total{api="rest",method="classify-image",model="digits",outcome="ok",version="1"} %d`, ok.Load()+1),
		`tkit_queue_images{`, `tkit_batch_images_bucket{`, `tkit_servable_state{model="digits",state="AVAILABLE",version="1"} 1`,
	} {
		if !strings.Contains(string(metrics), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// The response to an unsupported method lists the supported ones.
func TestWrongMethods(t *testing.T) {
	s := start(t, "digits")
	for _, test := range []struct{ method, path, allow string }{
		{"GET", "/v1/models/digits:classify-image", "POST"},
		{"PUT", "/v1/models/digits/versions/1:predict", "POST"},
		{"POST", "/v1/models/digits", "GET, HEAD"},
		{"DELETE", "/v1/models/digits/metadata", "GET, HEAD"},
		{"POST", "/v1/models", "GET, HEAD"},
		{"POST", "/readyz", "GET, HEAD"},
		{"POST", "/metrics", "GET, HEAD"},
	} {
		status, header, text := s.ask(t, test.method, test.path, "", nil)
		if status != http.StatusMethodNotAllowed || header.Get("Allow") != test.allow || !strings.Contains(string(text), test.method) {
			t.Errorf("%s %s: %d, Allow %q, %s", test.method, test.path, status, header.Get("Allow"), text)
		}
	}
	if status, _, text := s.ask(t, "HEAD", "/v1/models/digits", "", nil); status != http.StatusOK || len(text) > 0 {
		t.Errorf("HEAD: %d %s", status, text)
	}
}

// begin sends the beginning of a classification and later the status of its
// response. It announces the length unless that is -1. end ends the request.
func (s *service) begin(t *testing.T, length int64, beginning []byte) (status <-chan int, end func()) {
	t.Helper()
	body, sender := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/v1/models/digits:classify-image", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = length
	answered := make(chan int, 1)
	go func() {
		defer close(answered)
		answer, err := s.Client().Do(r)
		if err != nil {
			return // the announced bytes did not arrive
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sender.Write(beginning) // as far as the server reads
	}()
	return answered, func() {
		sender.Close()
		<-sent
		for range answered {
		}
	}
}

// If requests together take too much memory, one is refused, and the memory is
// free when they have ended.
func TestTooManyBodies(t *testing.T) {
	s := start(t, "digits")
	var statuses []<-chan int
	var ends []func()
	for range 3 {
		status, end := s.begin(t, -1, make([]byte, 1<<20))
		statuses, ends = append(statuses, status), append(ends, end)
	}
	var first int // before any has ended
	select {
	case first = <-statuses[0]:
	case first = <-statuses[1]:
	case first = <-statuses[2]:
	}
	if first != http.StatusTooManyRequests {
		t.Errorf("the request that was answered before its end: %d", first)
	}
	for _, end := range ends {
		end()
	}
	s.classify(t, "/v1/models/digits:classify-image", "", inferencetest.JPEG(t, 1))
}

// Clients that announce much and send little do not block others.
func TestSlowBodies(t *testing.T) {
	s := start(t, "digits")
	for range 32 {
		_, end := s.begin(t, 1<<20, []byte("a beginning"))
		defer end()
	}
	for range 8 {
		s.classify(t, "/v1/models/digits:classify-image", "", inferencetest.JPEG(t, 1))
	}
}

// The client of a stuckWriter receives nothing until it is released.
type stuckWriter struct {
	*httptest.ResponseRecorder
	writing, let chan struct{}
}

func (w stuckWriter) Write(text []byte) (int, error) {
	close(w.writing)
	<-w.let
	return w.ResponseRecorder.Write(text)
}

// A client that does not receive its response keeps no version loaded.
func TestSlowReader(t *testing.T) {
	s := start(t, "digits")
	w := stuckWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		s.Config.Handler.ServeHTTP(w, httptest.NewRequest("POST", "/v1/models/digits:classify-image", bytes.NewReader(inferencetest.JPEG(t, 1))))
	}()
	<-w.writing
	s.home.Promote(t, "digits", s.home.Register(t, "digits", 2), registry.Production)
	s.manager.Until(t, "the old version is gone", func() bool {
		_, err := s.manager.Status(registry.Ref{Model: "digits", Version: 1})
		return err != nil
	})
	close(w.let)
	<-answered
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Models with the same trunk share batches: identical images sent to two models
// at the same time need fewer passes than requests.
func TestModelsShareATrunk(t *testing.T) {
	s := start(t, "digits", "letters")
	image := inferencetest.PNG(t, 1)
	var wg sync.WaitGroup
	for range 8 {
		for _, model := range []string{"digits", "letters"} {
			wg.Go(func() {
				for range 10 {
					if status, _, text := s.ask(t, "POST", "/v1/models/"+model+":classify-image", "", image); status != http.StatusOK {
						t.Errorf("%d %s", status, text)
					}
				}
			})
		}
	}
	wg.Wait()
	_, _, metrics := s.ask(t, "GET", "/metrics", "", nil)
	if n := strings.Count(string(metrics), "tkit_batch_images_count{"); n != 1 {
		t.Errorf("%d trunks are loaded for two models", n)
	}
}
