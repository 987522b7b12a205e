package hdfs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	source "tkit/datasets/hdfs"
	"tkit/ingest/hdfs"
	"tkit/ingest/sink"
	client "tkit/internal/hdfs"
	"tkit/internal/hdfs/hdfstest"
)

// cluster is a cluster with Kerberos, whose NameNode one test restarts.
var cluster = hdfstest.Shared(hdfstest.Config{Kerberos: true, DataNodes: 1})

func TestMain(m *testing.M) {
	if file := os.Getenv(childPipeline); file != "" {
		os.Exit(runChild(file))
	}
	os.Exit(hdfstest.Main(m))
}

// A place is a folder of alice for a sink, and her client.
type place struct {
	config source.Config
	client *client.Client
}

// newPlace makes the folder in which the sink creates its own.
func newPlace(t *testing.T) place {
	t.Helper()
	c := cluster(t)
	krb5 := filepath.Join(t.TempDir(), "krb5.conf")
	if err := c.WriteKerberosConfig(krb5, time.Hour); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HADOOP_CONF_DIR": c.ConfDir(), "KRB5_CONFIG": krb5, "KRB5_CLIENT_KTNAME": c.Keytab(), "TKIT_PRINCIPAL": "alice",
	} {
		t.Setenv(name, value)
	}
	web(t, "PUT", "/"+t.Name(), "op", "MKDIRS")
	web(t, "PUT", "/"+t.Name(), "op", "SETOWNER", "owner", "alice")
	config, err := source.ParseConfig("hdfs:///" + t.Name() + "/sink")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := client.Open(t.Context(), config.Client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return place{config, opened}
}

func (p place) path(name string) string { return path.Join(p.config.Root, name) }

func web(t *testing.T, method, path string, pairs ...string) {
	t.Helper()
	if _, err := cluster(t).Web(t.Context(), method, path, pairs...); err != nil {
		t.Fatal(err)
	}
}

func (p place) open(t *testing.T, partition string) *sink.Sink {
	t.Helper()
	files, err := hdfs.Open(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	template, err := sink.ParseTemplate(partition)
	if err != nil {
		t.Fatal(err)
	}
	s := sink.New(files, template)
	t.Cleanup(func() { s.Close() })
	return s
}

func (p place) put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := p.client.PutFile(t.Context(), p.path(name), p.path("other"), content); err != nil {
		t.Fatal(err)
	}
}

func (p place) stat(t *testing.T, name string) client.Info {
	t.Helper()
	info, err := p.client.Stat(t.Context(), p.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (p place) read(t *testing.T, name string) []byte {
	t.Helper()
	r, err := p.client.Open(t.Context(), p.path(name), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// names returns the names of what is in a folder of the sink.
func (p place) names(t *testing.T, folder string) (names []string) {
	t.Helper()
	for info, err := range p.client.ReadDir(t.Context(), p.path(folder)) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// writing is the folder of files that are being written.
const writing = ".tkit-writing"

// write writes an image into a sink.
func write(t *testing.T, s *sink.Sink, folder string, content, record []byte) error {
	sum := sha256.Sum256(content)
	return s.Write(t.Context(), folder, sink.Image{SHA256: hex.EncodeToString(sum[:]), Extension: ".jpg", Content: content, Record: record})
}

// nameOf returns the path of an image in the sink, without its extension.
func nameOf(image []byte) string {
	sum := sha256.Sum256(image)
	name := hex.EncodeToString(sum[:])
	return path.Join(name[:2], name)
}

func TestWrite(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, sink.DefaultTemplate)
	image := []byte("image")
	base := nameOf(image)
	p.put(t, base+".jpg", image[:2]) // another program has torn the image
	var all errgroup.Group
	for i := range 8 { // the same image at the same time
		all.Go(func() error { return write(t, s, path.Dir(base), image, fmt.Appendf(nil, `{"n": %d}`, i)) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	before := p.stat(t, base+".jpg")
	if err := write(t, s, path.Dir(base), image, []byte(`{"n": 99}`)); err != nil {
		t.Fatal(err)
	}
	if after := p.stat(t, base+".jpg"); after.ID != before.ID {
		t.Errorf("an image that is there is written again: %+v and %+v", before, after)
	}
	for suffix, want := range map[string]string{".jpg": "image", ".json": `{"n": 99}`} {
		if got := p.read(t, base+suffix); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s is %q", suffix, got)
		}
	}
	if here, left := p.names(t, path.Dir(base)), p.names(t, writing); len(here) != 2 || len(left) != 0 {
		t.Errorf("files %q, being written %q", here, left)
	}
	if info := p.stat(t, ""); info.Mode != 0o700 || info.Owner != "alice" {
		t.Errorf("the folder is %+v", info)
	}
}

// An image that gets another folder is only there.
func TestMoves(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, "label={label}")
	for _, label := range []string{"cat", "dog", "dog", "cat"} {
		if err := write(t, s, "label="+label, []byte("image"), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		base := "label=" + label + "/" + path.Base(nameOf([]byte("image")))
		if got, want := p.files(t), []string{base + ".jpg", base + ".json"}; !slices.Equal(got, want) {
			t.Errorf("files %q, want %q", got, want)
		}
	}
}

// What killed writers have left is removed once no writer can have it open.
func TestClean(t *testing.T) {
	p := newPlace(t)
	p.put(t, path.Join(writing, "old"), []byte("part of an image"))
	p.put(t, path.Join(writing, "new"), []byte("part of an image"))
	yesterday := fmt.Sprint(time.Now().Add(-25 * time.Hour).UnixMilli())
	web(t, "PUT", p.path(path.Join(writing, "old")), "op", "SETTIMES", "modificationtime", yesterday)
	p.open(t, sink.DefaultTemplate)
	if left := p.names(t, writing); !slices.Equal(left, []string{"new"}) {
		t.Errorf("%q are left", left)
	}
}

// Images wait for a NameNode that is down.
func TestNameNodeDown(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, sink.DefaultTemplate)
	c := cluster(t)
	if err := c.KillNameNode(0); err != nil {
		t.Fatal(err)
	}
	const images = 20
	var all errgroup.Group
	for i := range images {
		image := fmt.Appendf(nil, "image %d", i)
		all.Go(func() error { return write(t, s, path.Dir(nameOf(image)), image, []byte("{}")) })
	}
	if err := c.StartNameNode(0); err != nil {
		t.Fatal(err)
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range images {
		image := fmt.Appendf(nil, "image %d", i)
		if got := p.read(t, nameOf(image)+".jpg"); !bytes.Equal(got, image) {
			t.Errorf("image %d is %q", i, got)
		}
	}
}

func TestRefused(t *testing.T) {
	config := newPlace(t).config
	config.Root = "/sink" // alice may not create it
	if s, err := hdfs.Open(t.Context(), config); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("opened %v, %v", s, err)
	}
}
