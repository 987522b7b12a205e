package components

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
)

// newProcessor returns a tkit_lookup with a configuration.
func newProcessor(t *testing.T, r *Run, config string) service.Processor {
	t.Helper()
	c, err := parseConfig("tkit_lookup", lookupSpec(), "tkit_lookup:\n  "+strings.ReplaceAll(config, "\n", "\n  "))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newLookup(c, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestLookup(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/cameras" && r.FormValue("id") == "a b":
			io.WriteString(w, `{"site": "north", "serial": 12345678901234567890}`)
		case status != http.StatusOK:
			w.WriteHeader(status)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	config := "into: camera\nhttp:\n  server: " + server.URL + "\n  path: if @id == null { null } else { \"/cameras?id=\" + @id.escape_url_query() }\n"
	const (
		left = iota
		added
		lasting
		outage
	)
	for _, c := range []struct {
		policy string
		id     any
		want   int
	}{
		{"missing: fail", "a b", added},
		{"missing: fail", "../x", lasting},
		{"missing: fail", nil, lasting},
		{"missing: skip", "x", left},
		{"missing: default\ndefault: {site: north, serial: 12345678901234567890}", "x", added},
		{"missing: wait", "x", outage},
	} {
		r := &Run{Metrics: NewMetrics("test", nil, &Counters{})}
		p := newProcessor(t, r, config+c.policy)
		m := service.NewMessage([]byte("image"))
		m.MetaSetMut("id", c.id)
		_, err := p.Process(t.Context(), m)
		value, has := m.MetaGetMut("camera")
		got := left
		switch {
		case has && strings.HasPrefix(fmt.Sprint(value), "map[serial:1234567890123456") && strings.HasSuffix(fmt.Sprint(value), " site:north]"):
			got = added
		case failure.KindOf(err) == failure.Outage:
			got = outage
		case failure.KindOf(err) == failure.Lasting:
			got = lasting
		}
		if got != c.want || (err != nil) != (c.want >= lasting) || has != (c.want == added) {
			t.Errorf("%s for %v: %v, %v", c.policy, c.id, value, err)
		}
		if n := testutil.ToFloat64(r.Metrics.missing); (n == 1) != (c.want == left) {
			t.Errorf("%s: %g are counted", c.policy, n)
		}
	}

	// The pipeline ends if the first request is refused, and waits later.
	var cause error
	p := newProcessor(t, &Run{Fail: func(err error) { cause = err }}, config)
	process := func(id string) error {
		m := service.NewMessage(nil)
		m.MetaSetMut("id", id)
		_, err := p.Process(t.Context(), m)
		return err
	}
	status = http.StatusForbidden
	if err := process("x"); err == nil || cause == nil {
		t.Errorf("refused: %v, and the run fails by %v", err, cause)
	}
	cause = nil
	if err := process("a b"); err != nil {
		t.Error(err)
	}
	if err := process("y"); failure.KindOf(err) != failure.Outage || cause != nil {
		t.Errorf("refused later: %v, and the run fails by %v", err, cause)
	}
}

func TestLookupConfig(t *testing.T) {
	for _, config := range []string{
		"into: a",
		"into: tkit_a, http: {server: 'http://a'}",
		"into: a, http: {server: 'http://a', path: '@a'}, sql: {driver: sqlite, path: a, query: SELECT 1}",
		"into: a, http: {server: 'ftp://a', path: '@a'}",
		"into: a, http: {server: 'http://a', path: ')'}",
		"into: a, http: {server: 'http://a', path: '@a'}, missing: default",
		"into: a, http: {server: 'http://a', path: '@a'}, default: 1",
		"into: a, http: {server: 'http://a', path: '@a'}, timeout: 0s",
		"into: a, http: {server: 'http://a', path: '@a'}, cache: {size: -1}",
		"into: a, sql: {query: SELECT 1}",
	} {
		if err := CheckConfig("processor", "tkit_lookup", "tkit_lookup: {"+config+"}"); err == nil {
			t.Errorf("%s is accepted", config)
		}
	}
}
