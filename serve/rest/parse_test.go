package rest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime/multipart"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/fuzztest"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

func TestParseAddress(t *testing.T) {
	for path, want := range map[string]address{
		"m":                            {ref: registry.Ref{Model: "m"}},
		"m:predict":                    {ref: registry.Ref{Model: "m"}, verb: "predict"},
		"m/versions/7":                 {ref: registry.Ref{Model: "m", Version: 7}},
		"m/versions/7:classify-image":  {ref: registry.Ref{Model: "m", Version: 7}, verb: "classify-image"},
		"m/labels/champion:predict":    {ref: registry.Ref{Model: "m", Alias: "champion"}, verb: "predict"},
		"m/metadata":                   {ref: registry.Ref{Model: "m"}, part: "metadata"},
		"m/versions/7/metadata":        {ref: registry.Ref{Model: "m", Version: 7}, part: "metadata"},
		"m/labels/production/metadata": {ref: registry.Ref{Model: "m", Alias: "production"}, part: "metadata"},
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
		if err == nil && (a.ref.Model == "" || a.ref.Version < 0 || a.ref.Version > 0 && a.ref.Alias != "") {
			t.Fatalf("%q was read as %+v", path, a)
		}
	})
}

// images is a signature of one float32 input, everything one with inputs of every
// kind.
var images = inference.Signature{Inputs: []inference.TensorInfo{{Name: "images", DataType: tensorflow.Float32}}}

func finder(s inference.Signature) func(string) (string, inference.Signature, error) {
	return func(name string) (string, inference.Signature, error) {
		return cmp.Or(name, inference.DefaultSignature), s, nil
	}
}

func parse(body string, s inference.Signature) (predictRequest, error) {
	return parsePredict([]byte(body), finder(s), func(int64) error { return nil })
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
		got, err := parse(test.body, images)
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		in := got.inputs[0]
		same := slices.EqualFunc(in.Float32(), test.data, func(a, b float32) bool { return a == b || a != a && b != b })
		if got.row != test.row || !slices.Equal(in.Shape, test.shape) || !same || got.signature != inference.DefaultSignature {
			t.Errorf("%s: %+v", test.body, got)
		}
	}
	for body, want := range map[string]string{
		``:                                       "expected an object",
		`[1]`:                                    "expected an object",
		`{}`:                                     "neither",
		`{"instances": []}`:                      "empty",
		`{"instances": 3}`:                       "must be a list",
		`{"instances": [1], "inputs": [1]}`:      "only one of them is allowed",
		`{"instances": [[1, 2], [3]]}`:           "others have 2",
		`{"instances": [[1], 2]}`:                "level",
		`{"instances": [1, [2]]}`:                "too deep",
		`{"instances": ["a"]}`:                   "is float32: expected",
		`{"instances": [{"b64": "AA=="}]}`:       ":classify-image",
		`{"instances": [{"other": [1]}]}`:        `no input "other"`,
		`{"instances": [{}]}`:                    "missing",
		`{"inputs": {"images": 1, "images": 2}}`: "twice",
		`{"inputs": [1e39]}`:                     "float32",
		`{"inputs": [true]}`:                     "not a number",
		`{"inputs": [01]}`:                       "not a number",
		`{"inputs": [0x1]}`:                      "not a number",
		`{"inputs": [1}`:                         "expected",
		`{"inputs": [1]} x`:                      "after the end",
		`{"inputs": [1], "signature_name": 3}`:   "expected a string",
		`{"signature_name": "a", "inputs": 1, "signature_name": "b"}`: "twice",
		`{"inputs": [1], "x": ` + strings.Repeat("[", 100000):         "nested deeper",
		`{"inputs": ` + strings.Repeat("[", 100000):                   "too deep",
		`{"inputs`:    "does not end",
		`{"inputs": `: "expected a number",
	} {
		if _, err := parse(body, images); err == nil || !strings.Contains(err.Error(), want) || inference.ReasonOf(err) != inference.BadRequest {
			t.Errorf("%.60s: %v, want %q", body, err, want)
		}
	}
}

func input(name string, dt inference.DataType) inference.TensorInfo {
	return inference.TensorInfo{Name: name, DataType: dt}
}

// TestParseTypes parses every type that JSON supports, with one or several
// inputs, by rows and by columns.
func TestParseTypes(t *testing.T) {
	text := inference.Signature{Inputs: []inference.TensorInfo{input("text", tensorflow.String)}}
	two := inference.Signature{Inputs: []inference.TensorInfo{input("id", tensorflow.Int64), input("on", tensorflow.Bool)}}
	one := func(dt inference.DataType) inference.Signature {
		return inference.Signature{Inputs: []inference.TensorInfo{input("x", dt)}}
	}
	for _, test := range []struct {
		body      string
		signature inference.Signature
		want      string // the tensors, printed
	}{
		{`{"instances": ["a", {"b64": "/wA="}, "\u00e9"]}`, text, `text [3] ["a" "\xff\x00" "é"]`},
		{`{"instances": [{"b64": "YQ=="}]}`, text, `text [1] ["a"]`},
		{`{"instances": [{"text": ["a", "b"]}, {"text": [{"b64": ""}, "c"]}]}`, text, `text [2 2] ["a" "b" "" "c"]`},
		{`{"inputs": {"b64": "YQ=="}}`, text, `text [] ["a"]`},
		{`{"inputs": [["a"], ["b"]]}`, text, `text [2 1] ["a" "b"]`},
		{`{"instances": [{"id": 9223372036854775807, "on": true}, {"on": false, "id": -1}]}`, two, `id [2] ffffffffffffff7fffffffffffffffff; on [2] 0100`},
		{`{"inputs": {"on": [], "id": 258}}`, two, `id [] 0201000000000000; on [0] `},
		{`{"inputs": [-128, 127]}`, one(tensorflow.Int8), `x [2] 807f`},
		{`{"inputs": 65535}`, one(tensorflow.Uint16), `x [] ffff`},
		{`{"inputs": 18446744073709551615}`, one(tensorflow.Uint64), `x [] ffffffffffffffff`},
		{`{"inputs": 1e300}`, one(tensorflow.Float64), `x [] 9c7500883ce4377e`},
		{`{"inputs": [1, -0.1, 65504, 65520, 1e-7, NaN]}`, one(tensorflow.Float16), `x [6] 003c66aeff7b007c0200007e`},
		{`{"inputs": [1, -0.1, 1e-40]}`, one(tensorflow.BFloat16), `x [3] 803fcdbd0100`},
	} {
		got, err := parse(test.body, test.signature)
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		var printed []string
		for _, in := range got.inputs {
			if err := in.Check(); err != nil {
				t.Errorf("%s: %v", test.body, err)
			}
			if in.Type == tensorflow.String {
				printed = append(printed, fmt.Sprintf("%s %v %q", in.Name, in.Shape, in.Strings))
			} else {
				printed = append(printed, fmt.Sprintf("%s %v %x", in.Name, in.Shape, in.Data))
			}
		}
		if got := strings.Join(printed, "; "); got != test.want {
			t.Errorf("%s: %s, want %s", test.body, got, test.want)
		}
	}
	for _, test := range []struct {
		body      string
		signature inference.Signature
		want      string
	}{
		{`{"instances": [1]}`, text, "expected a string"},
		{`{"instances": [{"b64": "a!"}]}`, text, "base64"},
		{`{"instances": [{"b64": "YQ==", "text": "a"}]}`, text, "beside"},
		{`{"instances": [[{"c64": "YQ=="}]]}`, text, `member "c64"`},
		{`{"instances": [[{}]]}`, text, "empty"},
		{`{"instances": [1, 2]}`, two, `inputs ["id" "on"]`},
		{`{"instances": [{"id": 1}]}`, two, `"on" is missing`},
		{`{"instances": [{"id": 1, "on": 1}]}`, two, "expected true or false"},
		{`{"instances": [{"id": 1.0, "on": true}]}`, two, "not an integer"},
		{`{"instances": [{"id": 9223372036854775808, "on": true}]}`, two, "does not fit in int64"},
		{`{"inputs": -1}`, one(tensorflow.Uint8), "does not fit in uint8"},
		{`{"inputs": 128}`, one(tensorflow.Int8), "does not fit in int8"},
		{`{"inputs": 1}`, one(tensorflow.Complex64), "use gRPC"},
	} {
		if _, err := parse(test.body, test.signature); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.body, err, test.want)
		}
	}
}

// TestParsePredictHolds checks that the memory of the parsed tensors is
// counted.
func TestParsePredictHolds(t *testing.T) {
	text := inference.Signature{Inputs: []inference.TensorInfo{input("text", tensorflow.String)}}
	full := &inference.Error{Reason: inference.Overloaded, Err: errors.New("full")}
	held := int64(0)
	hold := func(n int64) error {
		if held += n; held > 1<<20 {
			return full
		}
		return nil
	}
	body := `{"inputs": [` + strings.TrimSuffix(strings.Repeat(`"",`, 100_000), ",") + `]}`
	if _, err := parsePredict([]byte(body), finder(text), hold); !errors.Is(err, full) {
		t.Errorf("%v, with %d bytes held", err, held)
	}
}

func TestAppendOutputs(t *testing.T) {
	numbers := inference.Float32Tensor("y", []int64{2, 2}, []float32{0.1, 2, 1e-9, 3e20})
	words := inference.Tensor{Name: "word", Type: tensorflow.String, Shape: []int64{2}, Strings: [][]byte{[]byte(`a"<`), {0xff}}}
	raw := inference.Tensor{Name: "raw_bytes", Type: tensorflow.String, Shape: []int64{2}, Strings: [][]byte{[]byte("a"), nil}}
	ids := inference.Tensor{Name: "id", Type: tensorflow.Int64, Shape: []int64{2}, Data: []byte("\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff")}
	for _, test := range []struct {
		row     bool
		outputs []inference.Tensor
		want    string
	}{
		{false, []inference.Tensor{inference.Float32Tensor("y", []int64{}, []float32{1})}, `{"outputs":1.0}`},
		{false, []inference.Tensor{numbers}, `{"outputs":[[0.1,2.0],[1e-09,3e+20]]}`},
		{true, []inference.Tensor{numbers}, `{"predictions":[[0.1,2.0],[1e-09,3e+20]]}`},
		{false, []inference.Tensor{inference.Float32Tensor("y", []int64{3}, []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))})}, `{"outputs":[NaN,Infinity,-Infinity]}`},
		{false, []inference.Tensor{inference.Float32Tensor("y", []int64{2, 0}, nil)}, `{"outputs":[[],[]]}`},
		{true, []inference.Tensor{words, raw, ids}, `{"predictions":[{"word":"a\"\u003c","raw_bytes":{"b64":"YQ=="},"id":9223372036854775807},` +
			`{"word":{"b64":"/w=="},"raw_bytes":{"b64":""},"id":-1}]}`},
		{false, []inference.Tensor{words, raw}, `{"outputs":{"word":["a\"\u003c",{"b64":"/w=="}],"raw_bytes":[{"b64":"YQ=="},{"b64":""}]}}`},
		{false, []inference.Tensor{{Name: "u", Type: tensorflow.Uint8, Shape: []int64{2}, Data: []byte{0, 255}}}, `{"outputs":[0,255]}`},
		{false, []inference.Tensor{{Name: "i", Type: tensorflow.Int8, Shape: []int64{2}, Data: []byte{0x80, 1}}}, `{"outputs":[-128,1]}`},
		{false, []inference.Tensor{{Name: "b", Type: tensorflow.Bool, Shape: []int64{2}, Data: []byte{0, 1}}}, `{"outputs":[false,true]}`},
		{false, []inference.Tensor{{Name: "h", Type: tensorflow.Float16, Shape: []int64{4}, Data: []byte{0, 0x3c, 0x66, 0xae, 2, 0, 0, 0x7c}}}, `{"outputs":[1.0,-0.099975586,1.1920929e-07,Infinity]}`},
		{false, []inference.Tensor{{Name: "d", Type: tensorflow.Float64, Shape: []int64{}, Data: []byte{0x9c, 0x75, 0, 0x88, 0x3c, 0xe4, 0x37, 0x7e}}}, `{"outputs":1e+300}`},
	} {
		if got, err := appendOutputs(nil, test.row, test.outputs); err != nil || string(got) != test.want {
			t.Errorf("%v: %s, %v, want %s", test.outputs, got, err, test.want)
		}
	}
	scalar := inference.Float32Tensor("scalar", []int64{}, []float32{1})
	for _, outputs := range [][]inference.Tensor{{scalar}, {numbers, inference.Float32Tensor("y", []int64{1}, []float32{1})}, {{Name: "c", Type: tensorflow.Complex64, Shape: []int64{0}}}} {
		if got, err := appendOutputs(nil, true, outputs); inference.ReasonOf(err) != inference.BadRequest {
			t.Errorf("%v: %s, %v", outputs, got, err)
		}
	}
}

// TestShortFloats checks that numbers are rounded to the nearest float of 16
// bits.
func TestShortFloats(t *testing.T) {
	for _, dt := range []inference.DataType{tensorflow.Float16, tensorflow.BFloat16} {
		for b := range 1 << 16 {
			v := longFloat(uint16(b), dt)
			if got := shortFloat(v, dt); got != uint16(b) && v == v {
				t.Fatalf("%v %04x is %v, which becomes %04x", dt, b, v, got)
			}
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
		`{"instances": [{"b64": "AA=="}, "x"]}`,
		`{"inputs": [-1, 127]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		defer fuzztest.Watch(t, len(body))()
		for _, dt := range []inference.DataType{tensorflow.Float32, tensorflow.String, tensorflow.Int8} {
			s := inference.Signature{Inputs: []inference.TensorInfo{input("images", dt)}}
			r, err := parse(string(body), s)
			if err != nil {
				continue
			}
			in := r.inputs[0]
			if err := in.Check(); err != nil {
				t.Fatal(err)
			}
			// Written values are read back unchanged.
			text, err := appendOutputs(nil, false, r.inputs)
			if err != nil {
				t.Fatal(err)
			}
			again, err := parse(strings.Replace(string(text), "outputs", "inputs", 1), s)
			if err != nil || !slices.Equal(again.inputs[0].Shape, in.Shape) || !slices.EqualFunc(again.inputs[0].Strings, in.Strings, slices.Equal) {
				t.Fatalf("read back: %v, %v; was %v", again.inputs, err, in)
			}
			if dt == tensorflow.Float32 {
				same := func(a, b float32) bool { return a == b || a != a && b != b }
				if !slices.EqualFunc(in.Float32(), again.inputs[0].Float32(), same) {
					t.Fatalf("%v became %v", in.Float32(), again.inputs[0].Float32())
				}
			} else if !slices.Equal(again.inputs[0].Data, in.Data) {
				t.Fatalf("%v became %v", in.Data, again.inputs[0].Data)
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
		`{"image": {"b64": ""}, "instances": [{"b64": ""}]}`: "only one of them is allowed",
		`{"image": {"b64": ""}, "top": 3}`:                   "?top=N",
		"{\"image\": {\"b64\": \"\", \"name\": \"\xff\"}}":   "not UTF-8",
		`{"image": {"image": {"image": {}}}}`:                `without "b64"`,
		`{"instances": [{"b64":""},{"b64":""},{"b64":""}]}`:  "at most 2 images",
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
