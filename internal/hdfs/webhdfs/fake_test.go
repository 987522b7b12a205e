package webhdfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tkit/internal/hdfs"
	"tkit/internal/hdfs/webhdfs"
)

// A fake is a WebHDFS server with one file, /f, with the content "0123456789".
// answers replaces its handlers by operation, for faults that a real server
// does not show on demand.
type fake struct {
	*httptest.Server
	answers map[string]http.HandlerFunc
}

const content = "0123456789"

func newFake(t *testing.T, answers map[string]http.HandlerFunc) *fake {
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, path := r.URL.Query().Get("op"), strings.TrimPrefix(r.URL.Path, "/webhdfs/v1")
	if answer := f.answers[op]; answer != nil && path != "/" {
		answer(w, r)
		return
	}
	switch {
	case op == "GETFILESTATUS" && path == "/":
		io.WriteString(w, `{"FileStatus":{"type":"DIRECTORY","permission":"755"}}`)
	case op == "GETFILESTATUS":
		io.WriteString(w, status(len(content), 1))
	case op == "GET_BLOCK_LOCATIONS":
		io.WriteString(w, `{"LocatedBlocks":{"isUnderConstruction":false}}`)
	case op == "OPEN":
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		io.WriteString(w, content[offset:])
	case op == "GETHOMEDIRECTORY":
		io.WriteString(w, `{"Path":"/user/alice"}`)
	case op == "CHECKACCESS":
	default:
		refuse(w, http.StatusBadRequest, "IllegalArgumentException", "Invalid value for webhdfs parameter \"op\"")
	}
}

func status(length, modified int) string {
	return fmt.Sprintf(`{"FileStatus":{"type":"FILE","permission":"644","length":%d,"modificationTime":%d,"fileId":7}}`, length, modified)
}

func refuse(w http.ResponseWriter, code int, exception, message string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"RemoteException":{"exception":%q,"javaClassName":"x.%s","message":%q}}`, exception, exception, message)
}

// abort breaks the connection in the middle of an answer.
func abort(w http.ResponseWriter) {
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func (f *fake) open(t *testing.T) *webhdfs.Client {
	t.Helper()
	return openConfig(t, webhdfs.Config{
		Authority: f.Listener.Addr().String(), User: "alice", CallTimeout: 2 * time.Second, Budget: 3 * time.Second})
}

func openConfig(t *testing.T, config webhdfs.Config) *webhdfs.Client {
	t.Helper()
	c, err := webhdfs.Open(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// once answers the first request with the given handler and the others with the
// fake's own.
func (f *fake) once(op string, first http.HandlerFunc) {
	var seen atomic.Bool
	f.answers = map[string]http.HandlerFunc{op: func(w http.ResponseWriter, r *http.Request) {
		if seen.CompareAndSwap(false, true) {
			first(w, r)
			return
		}
		(&fake{}).ServeHTTP(w, r)
	}}
}

// A broken answer is requested again until it is complete.
func TestBrokenAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		op    string
		first http.HandlerFunc
	}{
		"status cut": {"GETFILESTATUS", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"FileStatus":{"ty`)
			abort(w)
		}},
		"blocks of a gateway": {"GET_BLOCK_LOCATIONS", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }},
		"standby": {"GETFILESTATUS", func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusForbidden, "StandbyException", "Operation category READ is not supported in state standby")
		}},
		"bytes cut": {"OPEN", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "0123")
			abort(w)
		}},
		"bytes cut without a length": {"OPEN", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "0123")
			abort(w)
		}},
		"bytes cut as if complete": {"OPEN", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "0123")
			w.(http.Flusher).Flush()
		}},
		"bytes cut as if complete, with a length": {"OPEN", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "0123") }},
		"no bytes": {"OPEN", func(w http.ResponseWriter, r *http.Request) {}},
		"bytes that hang": {"OPEN", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "01")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, nil)
			f.once(c.op, c.first)
			if b, err := read(t.Context(), f.open(t), "/f", 0); err != nil || string(b) != content {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// A file that was replaced during an interruption, or that has too many bytes,
// is not read to the end.
func TestReplaced(t *testing.T) {
	for name, open := range map[string]http.HandlerFunc{
		"longer": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, content+content) },
		"longer, without a length": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, content)
			w.(http.Flusher).Flush()
			io.WriteString(w, content)
		},
		"broken": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "01234")
			abort(w)
		},
	} {
		var opened atomic.Bool
		f := newFake(t, map[string]http.HandlerFunc{
			"OPEN": func(w http.ResponseWriter, r *http.Request) {
				opened.Store(true)
				open(w, r)
			},
			"GETFILESTATUS": func(w http.ResponseWriter, r *http.Request) {
				if opened.Load() {
					io.WriteString(w, status(len(content), 2))
				} else {
					io.WriteString(w, status(len(content), 1))
				}
			},
		})
		if b, err := read(t.Context(), f.open(t), "/f", 0); !errors.Is(err, hdfs.ErrReplaced) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// An unreachable server exhausts the budget; the process continues.
func TestUnavailable(t *testing.T) {
	f := newFake(t, nil)
	c := f.open(t)
	f.Close()
	if _, err := c.Stat(t.Context(), "/f"); !errors.Is(err, hdfs.ErrUnavailable) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Stat(ctx, "/f"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, hdfs.ErrUnavailable) {
		t.Error(err)
	}
	_, err := webhdfs.Open(t.Context(), webhdfs.Config{Authority: f.Listener.Addr().String(), CallTimeout: time.Second})
	if !errors.Is(err, hdfs.ErrUnavailable) || !strings.Contains(err.Error(), "check the address") {
		t.Error(err)
	}
}

// An answer that is not WebHDFS is an error at once, never content.
func TestNonsense(t *testing.T) {
	login := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>Please log in</html>") }
	endless := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"x":"`)
		for block := strings.Repeat("x", 1<<20); ; {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
	one := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }
	}
	for name, answers := range map[string]map[string]http.HandlerFunc{
		"a page":            {"GETFILESTATUS": login},
		"an endless answer": {"GETFILESTATUS": endless},
		"an empty object":   {"GETFILESTATUS": one("{}")},
		"a negative length": {"GETFILESTATUS": one(status(-1, 1))},
		"a strange type":    {"GETFILESTATUS": one(`{"FileStatus":{"type":"SOCKET","permission":"0"}}`)},
		"a strange mode":    {"GETFILESTATUS": one(`{"FileStatus":{"type":"FILE","permission":"rwx"}}`)},
		"no blocks":         {"GET_BLOCK_LOCATIONS": one("{}")},
		"no API":            {"GETFILESTATUS": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) }},
	} {
		if b, err := read(t.Context(), newFake(t, answers).open(t), "/f", 0); err == nil || errors.Is(err, hdfs.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func listing(remaining int, names ...string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"pathSuffix":%q,"type":"FILE","permission":"644"}`, name)
	}
	return fmt.Sprintf(`{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[%s]}},"remainingEntries":%d}}`, &b, remaining)
}

// A listing is ordered, contains only names below the directory, and ends.
func TestListings(t *testing.T) {
	for name, c := range map[string]struct {
		batches []string
		want    string // the names, or what the error says
	}{
		"two batches":     {[]string{listing(1, "a", "b"), listing(0, "c")}, "a b c"},
		"none":            {[]string{listing(0)}, ""},
		"signed order":    {[]string{listing(0, "é", "a")}, "é a"},
		"again":           {[]string{listing(1, "a"), listing(1, "a")}, "listed after"},
		"backwards":       {[]string{listing(0, "b", "a")}, "listed after"},
		"up":              {[]string{listing(0, "..")}, "invalid name"},
		"below":           {[]string{listing(0, "a/b")}, "invalid name"},
		"empty name":      {[]string{listing(0, "", "a")}, "invalid name"},
		"empty batch":     {[]string{listing(5)}, "empty batch"},
		"a file":          {[]string{listing(0, "")}, "not a directory"},
		"nothing of it":   {[]string{`{}`}, "no DirectoryListing"},
		"nothing of them": {[]string{`{"DirectoryListing":{}}`}, "no FileStatuses"},
	} {
		var n atomic.Int32
		f := newFake(t, map[string]http.HandlerFunc{"LISTSTATUS_BATCH": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, c.batches[n.Add(1)-1])
		}})
		var names []string
		got := ""
		for info, err := range f.open(t).ReadDir(t.Context(), "/d") {
			if err != nil {
				got = err.Error()
				break
			}
			names = append(names, info.Name)
			got = strings.Join(names, " ")
		}
		if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Servers before Hadoop 3 list in one answer and do not return block locations.
func TestOldServer(t *testing.T) {
	unknown := func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusBadRequest, "IllegalArgumentException", "No enum constant")
	}
	f := newFake(t, map[string]http.HandlerFunc{
		"GET_BLOCK_LOCATIONS": unknown,
		"LISTSTATUS": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"FileStatuses":{"FileStatus":[{"pathSuffix":"a","type":"FILE","permission":"644"}]}}`)
		},
		"GETFILECHECKSUM": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"FileChecksum":{}}`) },
	})
	c := f.open(t)
	n := 0
	for info, err := range c.ReadDir(t.Context(), "/d") {
		must(t, err)
		if n++; info.Name != "a" {
			t.Errorf("%+v is listed", info)
		}
	}
	if b, err := read(t.Context(), c, "/f", 3); n != 1 || err != nil || string(b) != content[3:] {
		t.Errorf("%d listed; %q, %v", n, b, err)
	}
	f.answers["GETFILECHECKSUM"] = func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusForbidden, "IOException", "Fail to get checksum, since file /f is under construction.")
	}
	if b, err := read(t.Context(), c, "/f", 0); !errors.Is(err, hdfs.ErrRefused) {
		t.Errorf("a file that is being written: %q, %v", b, err)
	}
}
