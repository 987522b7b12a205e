package rest

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"tkit/inference"
	"tkit/internal/fuzztest"
	"tkit/serve"
)

func TestDecodeBase64(t *testing.T) {
	want := []byte{0xfb, 0xff, 0xfe, 0, 1, 2, 3} // has the characters in which the alphabets differ
	text := base64.StdEncoding.EncodeToString(want)
	for name, given := range map[string]string{
		"standard":          text,
		"without padding":   strings.TrimRight(text, "="),
		"URL-safe":          base64.URLEncoding.EncodeToString(want),
		"URL-safe, bare":    base64.RawURLEncoding.EncodeToString(want),
		"with line breaks":  text[:4] + "\r\n" + text[4:8] + "\n" + text[8:] + "\n",
		"a data: URI":       "data:image/png;base64," + text,
		"with parameters":   "DATA:image/png;name=a.png;BASE64," + text,
		"URL-safe data URI": "data:;base64," + base64.URLEncoding.EncodeToString(want),
	} {
		if got, err := decodeBase64(given); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for given, want := range map[string]string{
		"ab+c-def":          "mixes two alphabets",
		"AAAA*AAA":          `"*" at byte 4`,
		"AAAAA":             "incomplete",
		"AA AA":             `" " at byte 2`,
		"data:image/png,AA": "not in base64",
		"data:":             "not in base64",
	} {
		if _, err := decodeBase64(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", given, err, want)
		}
	}
}

func FuzzDecodeBase64(f *testing.F) {
	f.Add("data:image/png;base64,AAAA")
	f.Add("_-8=")
	f.Add("AAA\nA")
	f.Fuzz(func(t *testing.T, text string) {
		defer fuzztest.Watch(t, len(text))()
		data, err := decodeBase64(text)
		if err == nil && len(data) > len(text) {
			t.Fatalf("%d bytes of %d", len(data), len(text))
		}
	})
}

func TestJSONText(t *testing.T) {
	utf8 := media{kind: "application/json", parameters: map[string]string{"charset": "UTF-8"}}
	for _, m := range []media{{}, utf8} {
		for _, body := range []string{"{}", "\xef\xbb\xbf{}"} {
			if got, err := jsonText([]byte(body), m); err != nil || string(got) != "{}" {
				t.Errorf("%q: %q, %v", body, got, err)
			}
		}
	}
	for body, m := range map[string]media{
		"\xff\xfe{\x00}\x00": utf8,
		"\xfe\xff\x00{\x00}": utf8,
		"{\x00}\x00":         utf8,
		"{}":                 {kind: "application/json", parameters: map[string]string{"charset": "utf-16le"}},
	} {
		if _, err := jsonText([]byte(body), m); inference.ReasonOf(err) != serve.UnsupportedMedia || !strings.Contains(strings.ToUpper(err.Error()), "UTF-16") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// The error for a body that is not an image says what the body is.
func TestNotAnImage(t *testing.T) {
	for body, want := range map[string]string{
		"data:image/png;base64,iVBORw0KGgo": "data: URI",
		"iVBORw0KGgoAAAANSUhEUg":            "base64",
		"/9j/4AAQSkZJRg":                    "base64",
		"https://example.org/a.jpg":         "does not fetch",
		" <!DOCTYPE html>":                  "HTML",
		"<svg xmlns=":                       "SVG",
		"image=%FF%D8":                      "x-www-form-urlencoded",
		"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n": "multipart/form-data",
		`[{"b64": ""}]`:        "not an object",
		"\x1f\x8b\x08\x00\x00": "gzip",
	} {
		if err := notAnImage([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
	for _, body := range []string{"", "\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n", "GIF89a", "BM\x00\x00", "RIFF\x00\x00\x00\x00WEBP"} {
		if err := notAnImage([]byte(body)); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
}
