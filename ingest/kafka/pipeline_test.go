package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest"
	"tkit/ingest/deadletter"
	"tkit/ingest/kafkatest"
	"tkit/ingest/status"
)

// childPipeline is the variable with which the tests start their own program as a
// process that runs a pipeline.
const childPipeline = "TKIT_TEST_PIPELINE"

// runChild runs a pipeline until the process is interrupted.
func runChild(file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	options := runOptions(file, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	options.Once = false
	if _, err := ingest.Run(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// runOptions run a pipeline without models once, with a home beside its file.
func runOptions(file string, log *slog.Logger) ingest.Options {
	return ingest.Options{Home: filepath.Join(filepath.Dir(file), "home"), File: file, Once: true, Log: log}
}

// images are some images, of which every tenth is bad.
func images(n int) (records []*kgo.Record, bad int) {
	for i := range n {
		text := fmt.Sprintf("image %d", i)
		if i%10 == 0 {
			text = fmt.Sprintf("bad image %d", i)
			bad++
		}
		records = append(records, &kgo.Record{
			Key: fmt.Appendf(nil, "camera %d", i%7), Value: []byte(text), Headers: []kgo.RecordHeader{{Key: "tkit_label", Value: []byte("forged")}, {Key: "place", Value: []byte("gate")}},
		})
	}
	return records, bad
}

const pipeline = `
name: stream
input:
  tkit_kafka:
    brokers: [BROKER]
    topics: [IN]
    group: IN
    session: 2s
pipeline:
  processors:
    - sleep: {duration: 10ms}
    - mapping: root = if content().string().has_prefix("bad") { throw("it is bad") }
output:
  broker:
    outputs:
      - tkit_folder: {path: out}
      - tkit_kafka:
          brokers: [BROKER]
          images: OUT
          records: RECORDS
delivery:
  attempts: 2
`

type stream struct {
	broker           *kafkatest.Broker
	file             string
	in, out, records string // topics
}

func newStream(t *testing.T, text string) *stream {
	t.Helper()
	b := broker(t)
	s := &stream{
		broker: b, file: filepath.Join(t.TempDir(), "pipeline.yaml"),
		in: b.Topic(t, "in", 6), out: b.Topic(t, "out", 2), records: b.Topic(t, "records", 2),
	}
	text = strings.NewReplacer("BROKER", b.Address(), "IN", s.in, "OUT", s.out, "RECORDS", s.records).Replace(text)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// check checks that each good image is in each output once, and each bad one a dead
// letter.
func (s *stream) check(t *testing.T, good, bad int) {
	t.Helper()
	if n := s.written(t); n != good {
		t.Errorf("the folder has %d images, want %d", n, good)
	}
	for _, topic := range []string{s.out, s.records} {
		keys := make(map[string]bool)
		for _, r := range s.broker.Records(t, topic) {
			keys[string(r.Key)] = true
		}
		if len(keys) != good {
			t.Errorf("the topic %s has %d keys, want %d", topic, len(keys), good)
		}
	}
	n := 0
	for l, err := range s.letters(t) {
		n++
		if err != nil || !strings.Contains(l.Cause, "it is bad") || !strings.HasPrefix(l.Source, s.in+"/") || l.Metadata["place"] != "gate" {
			t.Errorf("letter %+v, %v", l, err)
		}
	}
	if n != bad {
		t.Errorf("%d dead letters, want %d", n, bad)
	}
}

// letters iterates over the dead letters.
func (s *stream) letters(t *testing.T) iter.Seq2[deadletter.Letter, error] {
	t.Helper()
	store, err := deadletter.Open(filepath.Join(filepath.Dir(s.file), "home/ingest/stream/dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store.Letters(t.Context())
}

// written is the number of records in the folder of the output.
func (s *stream) written(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.file), "out/*/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// A pipeline reads images from Kafka and writes them there, with their metadata.
func TestPipeline(t *testing.T) {
	s := newStream(t, pipeline)
	records, bad := images(50)
	s.broker.Put(t, s.in, records...)
	sum, err := ingest.Run(t.Context(), runOptions(s.file, slog.New(slog.DiscardHandler)))
	if err != nil || sum.Delivered != int64(len(records)-bad) || sum.Dead != int64(bad) {
		t.Fatalf("%+v, %v", sum, err)
	}
	s.check(t, len(records)-bad, bad)
	for _, r := range s.broker.Records(t, s.records) {
		var one struct {
			SHA256, Source string
			Size           int
			Metadata       map[string]any
		}
		if err := json.Unmarshal(r.Value, &one); err != nil {
			t.Fatal(err)
		}
		m := one.Metadata
		if one.SHA256 != string(r.Key) || !strings.HasPrefix(one.Source, s.in+"/") || one.Size == 0 ||
			m["place"] != "gate" || m["header_tkit_label"] != "forged" || !strings.HasPrefix(fmt.Sprint(m["kafka_key"]), "camera ") {
			t.Fatalf("the record of %s is %s", r.Key, r.Value)
		}
	}
	for _, r := range s.broker.Records(t, s.out) {
		headers := make(map[string]string)
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["tkit_sha256"] != string(r.Key) || headers["place"] != "gate" || headers["kafka_partition"] == "" || headers["tkit_label"] != "" {
			t.Fatalf("the headers of %s are %v", r.Key, headers)
		}
	}
	if n := s.broker.Committed(t, s.in, s.in); n != int64(len(records)) {
		t.Errorf("the group has committed %d records, want %d", n, len(records))
	}
}

// Three processes share the images of a topic while some are killed and others start.
func TestProcesses(t *testing.T) {
	s := newStream(t, pipeline)
	records, bad := images(900)
	processes := []*exec.Cmd{s.start(t), s.start(t), s.start(t)}
	eventually(t, func() bool { return s.processes(t) == 3 })
	s.broker.Put(t, s.in, records...)
	s.wait(t, 100)
	s.kill(t, processes[0])
	s.wait(t, 300)
	processes = append(processes, s.start(t))
	s.kill(t, processes[1])
	eventually(t, func() bool { return s.broker.Committed(t, s.in, s.in) == int64(len(records)) })
	for _, p := range processes[2:] {
		if err := p.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%v\n%s", err, p.Stderr)
		}
	}
	s.check(t, len(records)-bad, bad)
}

// processes is the number of processes in the status of the pipeline.
func (s *stream) processes(t *testing.T) int {
	t.Helper()
	table, err := status.List(t.Context(), filepath.Join(filepath.Dir(s.file), "home"))
	if err != nil {
		t.Fatal(err)
	}
	return len(table)
}

// A pipeline outlives a broker that is killed and comes back.
func TestBrokerDown(t *testing.T) {
	s := newStream(t, pipeline)
	records, bad := images(400)
	s.broker.Put(t, s.in, records...)
	ended := make(chan error, 1)
	go func() {
		_, err := ingest.Run(t.Context(), runOptions(s.file, slog.New(slog.DiscardHandler)))
		ended <- err
	}()
	s.wait(t, 50)
	if err := s.broker.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s.check(t, len(records)-bad, bad)
}

// What no repetition changes ends the run, and the images stay. The password is neither
// in the error nor in the log.
func TestMisconfigured(t *testing.T) {
	b := broker(t)
	t.Setenv("TEST_PASSWORD", "wrong-"+kafkatest.Password)
	secure := fmt.Sprintf("{brokers: ['%s'], tls: true, ca: '%s', user: %s, password: '${TEST_PASSWORD}', ", b.WithPassword(), b.CA(), kafkatest.User)
	for _, c := range []struct{ old, new, want string }{
		{"topics: [IN]", "topics: [missing]", "missing"},
		{"    group: IN", "    group: IN\n    tls: true\n    ca: missing.pem", "missing.pem"},
		{"          images: OUT", "          images: OUT\n          tls: true\n          ca: missing.pem", "missing.pem"},
		{"      - tkit_folder: {path: out}", "      - tkit_kafka: " + secure + "images: OUT}", "SASL_AUTHENTICATION_FAILED"},
		{"  attempts: 2", "  dead_letter_topic: " + secure + "topic: OUT}", "SASL_AUTHENTICATION_FAILED"},
		{"  attempts: 2", "  dead_letter_topic: {brokers: [BROKER], topic: missing}", "missing"},
	} {
		s := newStream(t, strings.Replace(pipeline, c.old, c.new, 1))
		s.broker.Put(t, s.in, &kgo.Record{Value: []byte("image")})
		var log bytes.Buffer
		options := runOptions(s.file, slog.New(slog.NewTextHandler(&log, nil)))
		options.Once = false
		_, err := ingest.Run(t.Context(), options)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.new, err)
		}
		if strings.Contains(fmt.Sprint(err)+log.String(), kafkatest.Password) {
			t.Errorf("the password is in the error or in the log: %v\n%s", err, &log)
		}
	}
}

// An image that Kafka refuses for its size becomes a dead letter; the others pass.
func TestTooLarge(t *testing.T) {
	s := newStream(t, strings.Replace(pipeline, "OUT\n", "OUT\n          max_bytes: 8388608\n", 1))
	// With its headers the record is larger than that which was read.
	large := &kgo.Record{Value: bytes.Repeat([]byte("x"), kafkatest.MaxMessage-200)}
	s.broker.Put(t, s.in, large, &kgo.Record{Value: []byte("small")})
	sum, err := ingest.Run(t.Context(), runOptions(s.file, slog.New(slog.DiscardHandler)))
	if err != nil || sum.Delivered != 1 || sum.Dead != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	for l, err := range s.letters(t) {
		if err != nil || l.Stage != "kafka" || !strings.Contains(l.Cause, "MESSAGE_TOO_LARGE") || l.Attempts != 1 || l.Size != int64(len(large.Value)) {
			t.Errorf("letter %+v, %v", l, err)
		}
	}
}

// Dead letters in a topic have their cause, and a replay delivers those whose cause is
// gone. The others are letters again, with the attempts of both.
func TestDeadLetterTopic(t *testing.T) {
	dead := broker(t).Topic(t, "dead", 2)
	text := pipeline + "  dead_letter_topic: {brokers: [BROKER], topic: " + dead + "}\n"
	s := newStream(t, text)
	records, bad := images(100)
	s.broker.Put(t, s.in, records...)
	options := runOptions(s.file, slog.New(slog.DiscardHandler))
	sum, err := ingest.Run(t.Context(), options)
	if err != nil || sum.Dead != int64(bad) || sum.DeadLetterTopic != dead || sum.DeadLetters != "" {
		t.Fatalf("%+v, %v", sum, err)
	}
	s.checkDeadTopic(t, dead, bad, "2")
	s.broker.Put(t, dead, &kgo.Record{Value: []byte("put by hand")})
	// Half of them are good now.
	s.replace(t, `has_prefix("bad")`, `re_match("^bad image [0-4]")`)
	stillBad := 0
	for i := range 100 {
		if i%10 == 0 && fmt.Sprint(i)[0] <= '4' {
			stillBad++
		}
	}
	options.Replay = true
	if sum, err = ingest.Run(t.Context(), options); err != nil || sum.Delivered != int64(bad-stillBad+1) || sum.Dead != int64(stillBad) {
		t.Fatalf("the replay: %+v, %v", sum, err)
	}
	s.checkDeadTopic(t, dead, stillBad, "4")
	s.replace(t, `"^bad image [0-4]"`, `"^worse"`)
	if sum, err = ingest.Run(t.Context(), options); err != nil || sum.Delivered != int64(stillBad) || sum.Dead != 0 {
		t.Fatalf("the second replay: %+v, %v", sum, err)
	}
	if sum, err = ingest.Run(t.Context(), options); err != nil || sum.Delivered+sum.Dead != 0 {
		t.Fatalf("a replay of nothing: %+v, %v", sum, err)
	}
	if n := s.written(t); n != len(records)+1 {
		t.Errorf("the folder has %d images, want %d", n, len(records)+1)
	}
}

// A dead letter that its topic refuses for its size is kept in the folder. A replay
// processes it too, and adds the attempts.
func TestDeadLetterTooLargeForItsTopic(t *testing.T) {
	dead := broker(t).Topic(t, "dead", 1)
	s := newStream(t, pipeline+"  dead_letters: kept\n  dead_letter_topic: {brokers: [BROKER], topic: "+dead+"}\n")
	// With the headers of a letter the record is larger than that which was read.
	large := append([]byte("bad image 0"), bytes.Repeat([]byte("x"), kafkatest.MaxMessage-500)...)
	s.broker.Put(t, s.in, &kgo.Record{Value: large, Headers: []kgo.RecordHeader{{Key: "place", Value: []byte("gate")}}},
		&kgo.Record{Value: []byte("bad image 1"), Headers: []kgo.RecordHeader{{Key: "place", Value: []byte("gate")}}}, &kgo.Record{Value: []byte("image 2")})
	var log bytes.Buffer
	options := runOptions(s.file, slog.New(slog.NewTextHandler(&log, nil)))
	check := func(delivered, dead int64) {
		t.Helper()
		if sum, err := ingest.Run(t.Context(), options); err != nil || sum.Delivered != delivered || sum.Dead != dead {
			t.Fatalf("%+v, %v; want %d delivered, %d dead", sum, err, delivered, dead)
		}
	}
	kept := filepath.Join(filepath.Dir(s.file), "kept")
	check(1, 2)
	s.checkDeadTopic(t, dead, 1, "2")
	s.checkKept(t, kept, large, 2)
	if !strings.Contains(log.String(), kept) || !strings.Contains(log.String(), "MESSAGE_TOO_LARGE") {
		t.Errorf("the log does not say where the letter is:\n%s", &log)
	}
	options.Replay = true
	check(0, 2)
	s.checkDeadTopic(t, dead, 1, "4")
	s.checkKept(t, kept, large, 4)
	s.replace(t, `"bad"`, `"worse"`)
	check(2, 0)
	check(0, 0)
	s.checkKept(t, kept, nil, 0)
	if n := s.written(t); n != 3 {
		t.Errorf("the folder has %d images, want 3", n)
	}
}

// checkKept checks that a folder of dead letters has one with an image and a number of
// attempts, or none if the image is nil.
func (s *stream) checkKept(t *testing.T, folder string, image []byte, attempts int) {
	t.Helper()
	store, n := deadletter.OpenToRead(folder), 0
	for l, err := range store.Letters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		content, err := store.Image(t.Context(), l)
		if err != nil || !bytes.Equal(content, image) || l.Attempts != attempts || !strings.Contains(l.Cause, "it is bad") ||
			!strings.HasPrefix(l.Source, s.in+"/") || l.Metadata["place"] != "gate" {
			t.Errorf("letter %+v, %v", l, err)
		}
	}
	if want := min(1, len(image)); n != want {
		t.Errorf("%d letters, want %d", n, want)
	}
}

// checkDeadTopic checks the number of letters with a number of attempts.
func (s *stream) checkDeadTopic(t *testing.T, topic string, want int, attempts string) {
	t.Helper()
	n := 0
	for _, r := range s.broker.Records(t, topic) {
		headers := make(map[string]string)
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["tkit_dead_attempts"] != attempts {
			continue
		}
		n++
		if headers["tkit_dead_stage"] == "" || !strings.Contains(headers["tkit_dead_cause"], "it is bad") ||
			!strings.HasPrefix(headers["tkit_dead_source"], s.in+"/") || !strings.Contains(headers["tkit_dead_metadata"], `"place":"gate"`) {
			t.Errorf("the headers of a letter are %v", headers)
		}
	}
	if n != want {
		t.Errorf("%d letters with %s attempts, want %d", n, attempts, want)
	}
}

// replace changes the text of the pipeline.
func (s *stream) replace(t *testing.T, old, new string) {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err == nil && !strings.Contains(string(text), old) {
		t.Fatalf("the pipeline has no %s", old)
	}
	if err == nil {
		err = os.WriteFile(s.file, []byte(strings.Replace(string(text), old, new, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a process that runs the pipeline.
func (s *stream) start(t *testing.T) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childPipeline+"="+s.file)
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func (s *stream) kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Log(err) // it has just ended
	}
	_ = cmd.Wait() // it was killed
}

// wait waits until the folder has a number of images.
func (s *stream) wait(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() bool { return s.written(t) >= n })
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
