package webhdfs_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tkit/internal/hdfs/webhdfs"
)

// openTLS opens a fake by HTTPS, trusting its certificate.
func openTLS(t *testing.T, f *fake) *webhdfs.Client {
	t.Helper()
	return openConfig(t, webhdfs.Config{Authority: f.Listener.Addr().String(), TLS: true, CAFile: certificate(t, f.Server),
		User: "alice", CallTimeout: 2 * time.Second, Budget: 3 * time.Second})
}

func certificate(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return file
}

// A redirect leads to a DataNode that has the bytes, with the same protection,
// and the request contains only what the NameNode wrote into the address.
func TestRedirects(t *testing.T) {
	const secret = "delegation=TOKEN"
	var location string
	f := &fake{answers: map[string]http.HandlerFunc{"OPEN": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}}}
	f.Server = httptest.NewTLSServer(f)
	defer f.Close()
	dataNode := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.URL.RawQuery != secret {
			t.Errorf("a DataNode gets %s and %v", r.URL, r.Header)
		}
		switch r.URL.Path {
		case "/webhdfs/v1/f":
			io.WriteString(w, content)
		case "/webhdfs/v1/further":
			http.Redirect(w, r, "/webhdfs/v1/f", http.StatusTemporaryRedirect)
		}
	}
	plain := httptest.NewServer(http.HandlerFunc(dataNode))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(dataNode)) // same certificate
	defer secure.Close()
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger gets %s", r.URL)
	}))
	defer stranger.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	f.answers["GET_BLOCK_LOCATIONS"] = func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"LocatedBlocks":{"locatedBlocks":[{"locations":[{"ipAddr":"127.0.0.1","infoPort":1,"infoSecurePort":%s}]}]}}`, port)
	}
	client := openTLS(t, f)
	for to, want := range map[string]string{
		secure.URL + "/webhdfs/v1/f?" + secret:           "",
		secure.URL + "/webhdfs/v1/further?" + secret:     "redirects again",
		stranger.URL + "/webhdfs/v1/f?" + secret:         "holds no part of the file",
		secure.URL + "/login?" + secret:                  "not an HDFS server",
		plain.URL + "/webhdfs/v1/f?" + secret:            "without TLS",
		"file:///webhdfs/v1/f?" + secret:                 "not an HDFS server",
		"https://alice:x@nowhere/webhdfs/v1/f?" + secret: "not an HDFS server",
		"/webhdfs/v1/f?" + secret:                        "not an HDFS server",
		"":                                               "not an HDFS server",
		"https://127.0.0.1:1/webhdfs/v1/f?" + secret:     "connection refused",
		"https://127.0.0.1:1/webhdfs/v1/%zz?" + secret:   "no address",
	} {
		location = to
		b, err := read(t.Context(), client, "/f", 0)
		switch {
		case want == "" && (err != nil || string(b) != content):
			t.Errorf("%s: %q, %v", to, b, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %q, %v", to, b, err)
		case want != "" && strings.Contains(err.Error(), "TOKEN"):
			t.Errorf("the error contains the token: %v", err)
		}
	}
}

// A server with an untrusted certificate, or one for another host, gets no
// request, and the error names the remedy.
func TestCertificates(t *testing.T) {
	f := &fake{}
	f.Server = httptest.NewTLSServer(f)
	defer f.Close()
	address := f.Listener.Addr().String()
	other := strings.Replace(address, "127.0.0.1", "localhost", 1) // not in the certificate
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	for name, c := range map[string]struct {
		config webhdfs.Config
		want   string
	}{
		"unknown":       {webhdfs.Config{Authority: address}, "TKIT_HDFS_CA"},
		"another's":     {webhdfs.Config{Authority: other, CAFile: certificate(t, f.Server)}, "localhost"},
		"no authority":  {webhdfs.Config{Authority: address, CAFile: empty}, "no certificate in PEM"},
		"missing":       {webhdfs.Config{Authority: address, CAFile: empty + "x"}, "no such file"},
		"no TLS at all": {webhdfs.Config{Authority: newFake(t, nil).Listener.Addr().String(), CallTimeout: time.Second}, "HTTP"},
	} {
		c.config.TLS = true
		if _, err := webhdfs.Open(t.Context(), c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
