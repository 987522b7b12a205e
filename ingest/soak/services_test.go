package soak_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"tkit/ingest/kafkatest"
	"tkit/ingest/notify"
	"tkit/ingest/opensearchtest"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/postgrestest"
	"tkit/internal/testserver"
	"tkit/serve/server"
)

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// serve serves the models of a home.
func serve(address, home string) error {
	o := server.Defaults()
	o.Home, o.HTTP, o.GRPC, o.Log = home, address, "", slog.New(slog.NewTextHandler(os.Stderr, nil))
	return server.Run(context.Background(), o)
}

// modelServer is a server of models in another process.
func modelServer(t *testing.T, s *site) part {
	t.Helper()
	ports, err := testserver.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ports.Release)
	address := fmt.Sprintf("127.0.0.1:%d", ports.Base)
	t.Setenv("SOAK_SERVER", "http://"+address)
	var process *testserver.Process
	up := func() error {
		process = s.child(t, childServer+"="+address)
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if r, err := http.Get("http://" + address + "/readyz"); err == nil {
				r.Body.Close()
				if r.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
		return errors.New("it is not ready")
	}
	down := func() error { process.Kill(); return nil }
	if err := up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { down() })
	return part{name: "the model server", down: down, up: up}
}

// folder is a local folder.
func folder(_ *testing.T, s *site) part {
	return part{
		name: "the folder", output: "tkit_folder: {path: out}",
		images: func(t *testing.T) map[string]int {
			files, err := filepath.Glob(filepath.Join(s.dir, "out", "*", "*"))
			if err != nil {
				t.Fatal(err)
			}
			return pairs(t, files)
		},
	}
}

// pairs returns how often there is an image and its record, by the names of the files.
func pairs(t *testing.T, files []string) map[string]int {
	t.Helper()
	images, records := make(map[string]int), make(map[string]int)
	for _, file := range files {
		name := path.Base(file)
		sum := strings.TrimSuffix(name, path.Ext(name))
		if path.Ext(name) == ".json" {
			records[sum]++
		} else {
			images[sum]++
		}
	}
	for sum, n := range images {
		if records[sum] != n {
			t.Errorf("%s: %d images and %d records", sum, n, records[sum])
		}
	}
	if len(records) > len(images) {
		t.Errorf("%d records of %d images", len(records), len(images))
	}
	return images
}

// postgres is a table of PostgreSQL.
func postgres(t *testing.T, _ *site) part {
	t.Helper()
	running := postgrestest.Start(t)
	dsn := running.Database(t)
	t.Setenv("SOAK_DSN", dsn)
	return part{
		name: "PostgreSQL", output: "tkit_sql: {driver: postgres, dsn: '${SOAK_DSN}', table: images, create: true}",
		down: func() error { running.Stop(t); return nil },
		up:   func() error { running.Restart(t); return nil },
		images: func(t *testing.T) map[string]int {
			db, err := sql.Open("pgx", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			rows, err := db.QueryContext(t.Context(), "SELECT sha256, count(*) FROM images WHERE label <> '' AND version = 1 GROUP BY sha256")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			all := make(map[string]int)
			for rows.Next() {
				var sum string
				var n int
				if err := rows.Scan(&sum, &n); err != nil {
					t.Fatal(err)
				}
				all[sum] = n
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return all
		},
	}
}

// kafka is a topic of Kafka. An image that is written again has the same key.
func kafka(t *testing.T, _ *site) part {
	t.Helper()
	broker, err := kafkatest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	topic := broker.Topic(t, "soak", 3)
	return part{
		name: "Kafka", output: fmt.Sprintf("tkit_kafka: {brokers: ['%s'], images: %s}", broker.Address(), topic),
		down: func() error { broker.Kill(); return nil },
		up:   broker.Up,
		images: func(t *testing.T) map[string]int {
			all := make(map[string]int)
			for _, r := range broker.Records(t, topic) {
				if sumOf(r.Value) != string(r.Key) {
					t.Errorf("the record %s has another content", r.Key)
				}
				all[string(r.Key)] = 1
			}
			return all
		},
	}
}

var cluster = hdfstest.Shared(hdfstest.Config{DataNodes: 1})

// hdfs is a folder of HDFS.
func hdfs(t *testing.T, _ *site) part {
	t.Helper()
	c := cluster(t)
	t.Setenv("HADOOP_CONF_DIR", c.ConfDir())
	return part{
		name: "HDFS", output: "tkit_hdfs: {path: 'hdfs:///soak'}",
		down: func() error { return errors.Join(c.KillNameNode(0), c.KillDataNode(0)) },
		up: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			return errors.Join(c.StartNameNode(0), c.StartDataNode(0), c.WaitReady(ctx))
		},
		images: func(t *testing.T) map[string]int {
			var files []string
			for _, folder := range list(t, c, "/soak") {
				if strings.HasPrefix(folder, ".") {
					continue
				}
				for _, name := range list(t, c, "/soak/"+folder) {
					files = append(files, path.Join(folder, name))
				}
			}
			return pairs(t, files)
		},
	}
}

// list returns the names in a folder of HDFS.
func list(t *testing.T, c *hdfstest.Cluster, folder string) (names []string) {
	t.Helper()
	text, err := c.Web(t.Context(), "GET", folder, "op", "LISTSTATUS")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		FileStatuses struct {
			FileStatus []struct{ PathSuffix string }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	for _, one := range answer.FileStatuses.FileStatus {
		names = append(names, one.PathSuffix)
	}
	return names
}

// opensearch is an index of OpenSearch.
func opensearch(t *testing.T, _ *site) part {
	t.Helper()
	running, err := opensearchtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Stop)
	t.Setenv("SOAK_SEARCH", running.URL())
	return part{
		name: "OpenSearch", output: "tkit_opensearch: {servers: ['${SOAK_SEARCH}'], index: soak, create: true}",
		down: func() error { running.Kill(); return nil },
		up:   running.Restart,
		images: func(t *testing.T) map[string]int {
			documents, err := running.Documents("soak")
			if err != nil {
				t.Fatal(err)
			}
			all := make(map[string]int)
			for _, d := range documents {
				all[d.ID]++
			}
			return all
		},
	}
}

// A messages counts the images of messages. One that comes again has the same id.
type messages struct {
	mu     sync.Mutex
	seen   map[string]bool
	images map[string]int // by their SHA-256, or by their sources
}

func (m *messages) add(id string, images []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen[id] {
		return
	}
	m.seen[id] = true
	for _, image := range images {
		m.images[image]++
	}
}

func newMessages() *messages {
	return &messages{seen: make(map[string]bool), images: make(map[string]int)}
}

// often are the fields of tkit_notify with which each image is named in some message.
const often = "digest: {period: 2s, count: 20, names: 100000}"

// webhook receives messages as JSON.
func webhook(t *testing.T, _ *site) part {
	t.Helper()
	got := newMessages()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var d notify.Digest
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil || d.ID == "" {
			http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
			return
		}
		var sums []string
		for _, i := range d.First {
			sums = append(sums, i.SHA256)
		}
		got.add(d.ID, sums)
	})
	var running *http.Server
	address, down, up := listening(t, func(l net.Listener) {
		running = &http.Server{Handler: handler}
		go running.Serve(l)
	}, func() error { return running.Close() })
	t.Setenv("SOAK_WEBHOOK", "http://"+address)
	return part{
		name: "the webhook", output: "tkit_notify: {name: webhook, webhook: {url: '${SOAK_WEBHOOK}'}, " + often + "}", down: down, up: up,
		images: func(*testing.T) map[string]int { return got.images },
	}
}

// smtpServer receives mails.
func smtpServer(t *testing.T, s *site) part {
	t.Helper()
	box := &mailbox{newMessages()}
	var running *smtp.Server
	address, down, up := listening(t, func(l net.Listener) {
		running = smtp.NewServer(box)
		running.ErrorLog = log.New(io.Discard, "", 0)
		go running.Serve(l)
	}, func() error { return running.Close() })
	return part{
		name: "the mail server", down: down, up: up,
		output: fmt.Sprintf("tkit_notify: {name: mail, smtp: {server: '%s', security: none, from: tkit@example.com, to: [a@example.com]}, %s}", address, often),
		images: func(*testing.T) map[string]int {
			all := make(map[string]int)
			for source, n := range box.images {
				sum, known := s.good[source]
				if !known {
					sum = source
				}
				all[sum] = n
			}
			return all
		},
	}
}

// listening starts a server of this process on a free port, and returns how to take it
// down and up again there. The test ends it.
func listening(t *testing.T, serve func(net.Listener), end func() error) (address string, down, up func() error) {
	t.Helper()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = first.Addr().String()
	serve(first)
	t.Cleanup(func() { end() })
	return address, end, func() error {
		l, err := net.Listen("tcp", address)
		if err == nil {
			serve(l)
		}
		return err
	}
}

// A mailbox is a mail server that counts the images that its mails name.
type mailbox struct{ *messages }

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (b *mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (b *mailbox) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (b *mailbox) Reset()                                      {}
func (b *mailbox) Logout() error                               { return nil }

func (b *mailbox) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	var sources []string
	for line := range strings.Lines(string(text)) {
		if source, _, found := strings.Cut(line, ".jpg: "); found {
			sources = append(sources, source+".jpg")
		}
	}
	b.add(m.Header.Get("Message-ID"), sources)
	return nil
}
