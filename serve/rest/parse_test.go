package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"mime/multipart"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/fuzztest"
)

func TestParseAddress(t *testing.T) {
	for path, want := range map[string]address{
		"m":                            {ref: inference.Ref{Model: "m"}},
		"m:predict":                    {ref: inference.Ref{Model: "m"}, verb: "predict"},
		"m/versions/7":                 {ref: inference.Ref{Model: "m", Version: 7}},
		"m/versions/7:classify-image":  {ref: inference.Ref{Model: "m", Version: 7}, verb: "classify-image"},
		"m/labels/champion:predict":    {ref: inference.Ref{Model: "m", Label: "champion"}, verb: "predict"},
		"m/metadata":                   {ref: inference.Ref{Model: "m"}, part: "metadata"},
		"m/versions/7/metadata":        {ref: inference.Ref{Model: "m", Version: 7}, part: "metadata"},
		"m/labels/production/metadata": {ref: inference.Ref{Model: "m", Label: "production"}, part: "metadata"},
	} {
		if got, err := parseAddress(path); err != nil || got != want {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"", ":predict", "m/versions/x", "m/versions/0", "m/versions/-1", "m/versions/", "m/labels/", "m/elsewhere", "m/versions/1/labels/x", "m/"} {
		if got, err := parseAddress(path); err == nil {
			t.Errorf("%q was read as %+v", path, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"m/versions/7:predict", "m/labels/a/metadata", "m:classify-image", "//:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		defer fuzztest.Watch(t, len(path))()
		a, err := parseAddress(path)
		if err == nil && (a.ref.Model == "" || a.ref.Version < 0 || a.ref.Version > 0 && a.ref.Label != "") {
			t.Fatalf("%q was read as %+v", path, a)
		}
	})
}

func TestParsePredict(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		body  string
		row   bool
		shape []int64
		data  []float32
	}{
		{`{"instances": [1, 2.5, -3e1]}`, true, []int64{3}, []float32{1, 2.5, -30}},
		{`{"instances": [[[1, 2]], [[3, 4]]], "signature_name": "serving_default"}`, true, []int64{2, 1, 2}, []float32{1, 2, 3, 4}},
		{`{"instances": [{"images": [1, 2]}, {"images": [3, 4]}]}`, true, []int64{2, 2}, []float32{1, 2, 3, 4}},
		{`{"inputs": [[1], [2]]}`, false, []int64{2, 1}, []float32{1, 2}},
		{` { "inputs" : { "images" : [ [ 1 ] , [ 2 ] ] } } `, false, []int64{2, 1}, []float32{1, 2}},
		{`{"inputs": 7}`, false, nil, []float32{7}},
		{`{"inputs": [NaN, Infinity, -Infinity, 0.1]}`, false, []int64{4}, []float32{nan, inf, -inf, 0.1}},
		{`{"instances": [[], []]}`, true, []int64{2, 0}, nil},
		{`{"extra": {"a": [true, null, "x\"]"]}, "inputs": [1]}`, false, []int64{1}, []float32{1}},
	} {
		got, err := parsePredict([]byte(test.body), "images")
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		same := slices.EqualFunc(got.input.data, test.data, func(a, b float32) bool { return a == b || a != a && b != b })
		if got.row != test.row || !slices.Equal(got.input.shape, test.shape) || !same {
			t.Errorf("%s: %+v", test.body, got)
		}
	}
	for body, want := range map[string]string{
		``:                                       "expected an object",
		`[1]`:                                    "expected an object",
		`{}`:                                     "neither",
		`{"instances": []}`:                      "empty",
		`{"instances": 3}`:                       "must be a list",
		`{"instances": [1], "inputs": [1]}`:      "give one of them",
		`{"instances": [[1, 2], [3]]}`:           "others have 2",
		`{"instances": [[1], 2]}`:                "level",
		`{"instances": [1, [2]]}`:                "too deep",
		`{"instances": ["a"]}`:                   "expected a number",
		`{"instances": [{"b64": "AA=="}]}`:       ":classify-image",
		`{"instances": [{"other": [1]}]}`:        `no input "other"`,
		`{"instances": [{}]}`:                    "missing",
		`{"inputs": {"images": 1, "images": 2}}`: "twice",
		`{"inputs": [1e39]}`:                     "float32",
		`{"inputs": [01]}`:                       "not a number",
		`{"inputs": [0x1]}`:                      "not a number",
		`{"inputs": [1}`:                         "expected",
		`{"inputs": [1]} x`:                      "after the end",
		`{"inputs": [1], "signature_name": 3}`:   "expected a string",
		`{"inputs": [1], "x": ` + strings.Repeat("[", 100000): "nested deeper",
		`{"inputs": ` + strings.Repeat("[", 100000):           "too deep",
		`{"inputs`:    "does not end",
		`{"inputs": `: "expected a number",
	} {
		if _, err := parsePredict([]byte(body), "images"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", body, err, want)
		}
	}
}

func TestAppendArray(t *testing.T) {
	for _, test := range []struct {
		shape []int64
		data  []float32
		want  string
	}{
		{nil, []float32{1}, `1.0`},
		{[]int64{2, 2}, []float32{0.1, 2, 1e-9, 3e20}, `[[0.1,2.0],[1e-09,3e+20]]`},
		{[]int64{3}, []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}, `[NaN,Infinity,-Infinity]`},
		{[]int64{2, 0}, nil, `[[],[]]`},
	} {
		if got := string(appendArray(nil, test.shape, test.data)); got != test.want {
			t.Errorf("%v %v: %s, want %s", test.shape, test.data, got, test.want)
		}
	}
}

func TestIsNumber(t *testing.T) {
	for _, w := range []string{"0", "-0", "1", "10", "0.5", "-1.25e+3", "1E5", "1e-5", "1_0", "01", "+1", ".5", "1.", "1e", "1e+", "-", "0x1", "1e5.5", "e", "inf"} {
		if got := isNumber(w); got != json.Valid([]byte(w)) {
			t.Errorf("%q: %v", w, got)
		}
	}
}

func FuzzParsePredict(f *testing.F) {
	for _, seed := range []string{
		`{"signature_name": "s", "instances": [[1, 2], [3, -4.5e-3]]}`,
		`{"inputs": {"images": [[[NaN]], [[Infinity]]]}}`,
		`{"x": {"y": [null, "z\u0041"]}, "instances": [{"images": 1}]}`,
		`{"instances": [[], []]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		defer fuzztest.Watch(t, len(body))()
		r, err := parsePredict(body, "images")
		if err != nil {
			return
		}
		n := int64(1)
		for _, d := range r.input.shape {
			if d < 0 {
				t.Fatalf("shape %v", r.input.shape)
			}
			n *= d
		}
		if int64(len(r.input.data)) != n {
			t.Fatalf("%d numbers in shape %v", len(r.input.data), r.input.shape)
		}
		// What is written is read back as it was.
		again, err := parsePredict(fmt.Appendf(nil, `{"inputs": %s}`, appendArray(nil, r.input.shape, r.input.data)), "images")
		if err != nil || !slices.Equal(again.input.shape, r.input.shape) {
			t.Fatalf("read back: %v, %v; was %v", again.input.shape, err, r.input.shape)
		}
		for i, v := range r.input.data {
			if w := again.input.data[i]; w != v && (w == w || v == v) {
				t.Fatalf("number %d: %v became %v", i, v, w)
			}
		}
	})
}

func TestParseImages(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	one, two := []byte("first image."), []byte("2nd")
	for _, test := range []struct {
		body string
		want []image
	}{
		{`{"image": {"b64": "` + b64(one) + `"}}`, []image{{"", one}}},
		{`{"instances": [{"b64": "` + b64(one) + `"}, {"image": {"b64": "` + b64(two) + `"}}]}`, []image{{"", one}, {"", two}}},
		{`{"instances": [{"name": "a.png", "b64": "` + strings.TrimRight(b64([]byte("1234")), "=") + `"}], "session": 3}`, []image{{"a.png", []byte("1234")}}},
	} {
		got, err := parseImages([]byte(test.body), 2)
		if err != nil || !slices.EqualFunc(got, test.want, func(a, b image) bool { return a.name == b.name && bytes.Equal(a.data, b.data) }) {
			t.Errorf("%s: %q, %v", test.body, got, err)
		}
	}
	for body, want := range map[string]string{
		`{}`:                                "no image",
		`{"instances": []}`:                 "no image",
		`{"instances": [{}]}`:               `without "b64"`,
		`{"instances": [3]}`:                "expected '{'",
		`{"image": {"b64": "*"}}`:           "base64",
		`{"image": {"b64": 3}}`:             "expected a string",
		`{"image": {"b64": "", "b64": ""}}`: "once",
		`{"image": {"b64": "", "name": "a", "name": "b"}}`:   `"name" once`,
		`{"image": {"b64": ""}, "image": {"b64": ""}}`:       "once",
		`{"image": {"b64": ""}, "instances": [{"b64": ""}]}`: "give one of them",
		`{"image": {"b64": ""}, "top": 3}`:                   "?top=N",
		"{\"image\": {\"b64\": \"\", \"name\": \"\xff\"}}":   "not UTF-8",
		`{"image": {"image": {"image": {}}}}`:                `without "b64"`,
		`{"instances": [{"b64":""},{"b64":""},{"b64":""}]}`:  "may hold 2",
		`{"image": {"b64": ""}`:                              "expected",
	} {
		if _, err := parseImages([]byte(body), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func FuzzParseImages(f *testing.F) {
	f.Add([]byte(`{"image": {"b64": "AAAA"}}`))
	f.Add([]byte(`{"instances": [{"b64": "AA=="}, {"image": {"b64": "AAAA", "name": "x"}}], "other": [1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer fuzztest.Watch(t, len(body))()
		images, err := parseImages(body, 4)
		if err == nil && (len(images) == 0 || len(images) > 4) {
			t.Fatalf("%d images", len(images))
		}
	})
}

func TestReadImages(t *testing.T) {
	limits := Limits{MaxBody: 1000, MaxImages: 2}
	form := func(files ...string) (string, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i, f := range files {
			part, err := w.CreateFormFile("file", fmt.Sprintf("%d.png", i))
			if err != nil {
				t.Fatal(err)
			}
			part.Write([]byte(f))
		}
		w.WriteField("note", "not a file")
		w.Close()
		return w.FormDataContentType(), b.String()
	}
	two, twoBody := form("one", "two")
	three, threeBody := form("one", "two", "three")
	none, noneBody := form()
	large, largeBody := form(strings.Repeat("x", 1001))
	for _, test := range []struct {
		name, kind, body string
		want             []image
		reason           inference.Reason
	}{
		{"raw", "image/png", "png bytes", []image{{"", []byte("png bytes")}}, ""},
		{"what curl says of raw bytes", "application/x-www-form-urlencoded", "png bytes", []image{{"", []byte("png bytes")}}, ""},
		{"what curl says of JSON", "application/x-www-form-urlencoded", `{"image": {"b64": "AAAA"}}`, []image{{"", []byte{0, 0, 0}}}, ""},
		{"form", two, twoBody, []image{{"0.png", []byte("one")}, {"1.png", []byte("two")}}, ""},
		{"too many files", three, threeBody, nil, inference.TooLarge},
		{"no file", none, noneBody, nil, inference.BadRequest},
		{"broken form", two, "nothing", nil, inference.BadRequest},
		{"form without boundary", "multipart/form-data", "nothing", nil, inference.BadRequest},
		{"not JSON", "application/json", "nothing", nil, inference.BadRequest},
		{"too large", "image/png", strings.Repeat("x", 1001), nil, inference.TooLarge},
		{"form too large", large, largeBody, nil, inference.TooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.kind)
			got, err := readImages(httptest.NewRecorder(), r, limits)
			if err != nil && inference.ReasonOf(err) != test.reason || err == nil && test.reason != "" {
				t.Fatalf("%v, reason %q; want %q", err, inference.ReasonOf(err), test.reason)
			}
			if !slices.EqualFunc(got, test.want, func(a, b image) bool { return a.name == b.name && bytes.Equal(a.data, b.data) }) {
				t.Errorf("%q", got)
			}
		})
	}
}
