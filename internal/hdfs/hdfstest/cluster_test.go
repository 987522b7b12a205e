package hdfstest_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"tkit/internal/hdfs/hdfstest"
)

var (
	plain    = hdfstest.Shared(hdfstest.Config{HttpFS: true})
	kerberos = hdfstest.Shared(hdfstest.Config{Kerberos: true, HttpFS: true})
)

func TestMain(m *testing.M) { os.Exit(hdfstest.Main(m)) }

func TestPut(t *testing.T)         { testPut(t, plain(t)) }
func TestPutKerberos(t *testing.T) { testPut(t, kerberos(t)) }

func testPut(t *testing.T, c *hdfstest.Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	files := map[string][]byte{"/put/a": []byte("one"), "/put/b/ü c": []byte("two")}
	if err := c.Put(ctx, files); err != nil {
		t.Fatal(err)
	}
	b, err := c.Web(ctx, "GET", "/put/b/ü c", "op", "GETFILESTATUS")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		FileStatus struct{ Length, Replication int }
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.FileStatus.Length != 3 || answer.FileStatus.Replication != 3 {
		t.Errorf("it became %s", b)
	}
}
