package hdfstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	krb "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// web uses WebHDFS and the NameNode's metrics pages, so that no JVM is started
// for a test's actions.
type web struct {
	cluster *Cluster
	http    *http.Client

	mu     sync.Mutex
	ticket *krb.Client // the superuser's, made on demand
}

func newWeb(c *Cluster) *web {
	return &web{cluster: c, http: &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Web does one operation of WebHDFS as the superuser, such as
//
//	c.Web(ctx, "PUT", "/images", "op", "SETPERMISSION", "permission", "750")
//
// and returns the answer's body. On a cluster without Kerberos the pair
// "user.name", NAME selects another user.
func (c *Cluster) Web(ctx context.Context, method, path string, pairs ...string) ([]byte, error) {
	return c.web.do(ctx, method, path, nil, pairs...)
}

// Put writes files by their absolute paths, several at a time. Missing folders
// are created. Pairs are further parameters of WebHDFS, such as "replication",
// "1".
func (c *Cluster) Put(ctx context.Context, files map[string][]byte, pairs ...string) error {
	return each(files, func(path string, content []byte) error {
		return again(func() error {
			_, err := c.web.do(ctx, "PUT", path, bytes.NewReader(content), append([]string{"op", "CREATE", "overwrite", "true"}, pairs...)...)
			return err
		})
	})
}

// again retries a failed call once: a DataNode notices that its NameNode was
// restarted only by a failure.
func again(f func() error) error {
	err := f()
	for range 3 {
		if err == nil {
			break
		}
		err = f()
	}
	return err
}

// each calls f for every file, sixteen at a time, and returns the first error.
func each(files map[string][]byte, f func(string, []byte) error) error {
	free := make(chan struct{}, 16)
	failed := make(chan error, len(files))
	for path, content := range files {
		free <- struct{}{}
		go func() {
			failed <- f(path, content)
			<-free
		}()
	}
	var first error
	for range files {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (w *web) do(ctx context.Context, method, path string, body io.Reader, pairs ...string) ([]byte, error) {
	query := url.Values{}
	if !w.cluster.config.Kerberos {
		query.Set("user.name", superuser())
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	var last error
	for i := range w.cluster.nameNodes() {
		u := url.URL{Scheme: "http", Host: w.cluster.NameNodeHTTP(i), Path: "/webhdfs/v1" + path, RawQuery: query.Encode()}
		b, err := w.request(ctx, method, u.String(), body)
		if err == nil {
			return b, nil
		}
		last = fmt.Errorf("hdfstest: %s %s %s: %w", method, query.Get("op"), path, err)
	}
	return nil, last
}

// request sends the body only to the redirect's target. The address carries the
// authorisation.
func (w *web) request(ctx context.Context, method, to string, body io.Reader) ([]byte, error) {
	for range 3 {
		r, err := http.NewRequestWithContext(ctx, method, to, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case r.URL.Query().Get("namenoderpcaddress") != "":
			if body != nil {
				r.Body = io.NopCloser(body) // chunked, whatever the length
			}
			r.Header.Set("Content-Type", "application/octet-stream")
		case w.cluster.config.Kerberos:
			if err := w.showTicket(r); err != nil {
				return nil, err
			}
		}
		answer, err := w.http.Do(r)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case err != nil:
			return nil, err
		case answer.StatusCode == http.StatusTemporaryRedirect:
			to = answer.Header.Get("Location")
		case answer.StatusCode >= 300:
			return nil, fmt.Errorf("%s: %s", answer.Status, b)
		default:
			return b, nil
		}
	}
	return nil, fmt.Errorf("too many redirects")
}

// showTicket authenticates as the superuser.
func (w *web) showTicket(r *http.Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ticket == nil {
		ticket, err := w.cluster.login(Superuser)
		if err != nil {
			return err
		}
		w.ticket = ticket
	}
	return spnego.SetSPNEGOHeader(w.ticket, r, webPrincipal)
}

// fsState returns Operational once a NameNode is out of safe mode.
func (w *web) fsState(ctx context.Context, i int) (string, error) {
	var s struct{ FSState string }
	err := w.bean(ctx, w.cluster.NameNodeHTTP(i), "NameNode", "FSNamesystemState", &s)
	return s.FSState, err
}

// state returns active or standby.
func (w *web) state(ctx context.Context, i int) (string, error) {
	var s struct{ State string }
	err := w.bean(ctx, w.cluster.NameNodeHTTP(i), "NameNode", "NameNodeStatus", &s)
	return s.State, err
}

// report is a DataNode's state at one NameNode.
type report struct {
	ActorState      string
	NamenodeHaState string
	LastBlockReport int `json:",string"` // seconds ago; very large if there was none
}

func (w *web) reports(ctx context.Context, i int) ([]report, error) {
	var info struct{ BPServiceActorInfo string }
	if err := w.bean(ctx, w.cluster.DataNodeHTTP(i), "DataNode", "DataNodeInfo", &info); err != nil {
		return nil, err
	}
	var all []report
	return all, json.Unmarshal([]byte(info.BPServiceActorInfo), &all)
}

// gateway checks that HttpFS serves.
func (w *web) gateway(ctx context.Context) error {
	query := url.Values{"op": {"GETFILESTATUS"}}
	if !w.cluster.config.Kerberos {
		query.Set("user.name", superuser())
	}
	_, err := w.request(ctx, "GET", "http://"+w.cluster.HttpFS()+"/webhdfs/v1/?"+query.Encode(), nil)
	return err
}

func (w *web) bean(ctx context.Context, address, service, name string, into any) error {
	b, err := w.request(ctx, "GET", "http://"+address+"/jmx?qry=Hadoop:service="+service+",name="+name, nil)
	if err != nil {
		return err
	}
	var answer struct{ Beans []json.RawMessage }
	if err := json.Unmarshal(b, &answer); err != nil {
		return err
	}
	if len(answer.Beans) != 1 {
		return fmt.Errorf("no bean %s", name)
	}
	return json.Unmarshal(answer.Beans[0], into)
}
