package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest/failure"
	"tkit/ingest/kafka"
	"tkit/ingest/kafkatest"
)

var broker = kafkatest.Shared()

func TestMain(m *testing.M) {
	if file := os.Getenv(childPipeline); file != "" {
		os.Exit(runChild(file))
	}
	os.Exit(kafkatest.Main(m))
}

func fill(t *testing.T, b *kafkatest.Broker, n int, partitions int32) (topic string) {
	t.Helper()
	topic = b.Topic(t, "images", partitions)
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Value: fmt.Appendf(nil, "%d", i)}
	}
	b.Put(t, topic, records...)
	return topic
}

func open(t *testing.T, b *kafkatest.Broker, group string, topics ...string) *kafka.Consumer {
	t.Helper()
	c, err := kafka.OpenConsumer(t.Context(), consuming(t, kafka.Cluster{Brokers: []string{b.Address()}}, group, topics...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func consuming(t *testing.T, cluster kafka.Cluster, group string, topics ...string) kafka.ConsumerOptions {
	t.Helper()
	return kafka.ConsumerOptions{
		Cluster: cluster, Topics: topics, Group: group, Once: true, Session: 6 * time.Second, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func next(t *testing.T, c *kafka.Consumer) *kafka.Record {
	t.Helper()
	r, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The offset of the group does not pass a record that was not delivered, whatever was
// delivered after it.
func TestOffsets(t *testing.T) {
	b := broker(t)
	topic := fill(t, b, 5, 1)
	group := topic
	c := open(t, b, group, topic)
	var records []*kafka.Record
	for range 5 {
		records = append(records, next(t, c))
	}
	records[0].Delivered()
	for _, r := range records[2:] {
		r.Delivered()
	}
	records[1].Release()
	if again := next(t, c); again != records[1] || string(again.Value) != "1" {
		t.Fatalf("after a release comes %q", again.Value)
	}
	c.Close()
	if n := b.Committed(t, group, topic); n != 1 {
		t.Errorf("the offset is %d, want 1", n)
	}
	c = open(t, b, group, topic)
	defer c.Close()
	for i := 1; i < 5; i++ {
		r := next(t, c)
		if string(r.Value) != fmt.Sprint(i) {
			t.Errorf("record %d is %q", i, r.Value)
		}
		r.Delivered()
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if n := b.Committed(t, group, topic); n != 5 {
		t.Errorf("the offset is %d, want 5", n)
	}
}

// A second member gets partitions of the first one, which keeps what it has in work
// until it is delivered.
func TestRebalance(t *testing.T) {
	b := broker(t)
	const n = 200
	topic := fill(t, b, n, 4)
	delivered := make(chan string, 2*n)
	read := func(c *kafka.Consumer) {
		defer c.Close()
		for {
			r, err := c.Next(t.Context())
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			delivered <- string(r.Value)
			r.Delivered()
		}
	}
	first := open(t, b, topic, topic)
	held := next(t, first)
	second := open(t, b, topic, topic)
	secondEnded := make(chan struct{})
	go func() { defer close(secondEnded); read(second) }()
	delivered <- string(held.Value)
	held.Delivered()
	read(first)
	<-secondEnded
	close(delivered)
	seen := make(map[string]bool)
	for v := range delivered {
		if seen[v] {
			t.Errorf("%s came twice", v)
		}
		seen[v] = true
	}
	if len(seen) != n {
		t.Errorf("%d records were delivered, want %d", len(seen), n)
	}
}

// A consumer without records says whether the cluster answers.
func TestAnswered(t *testing.T) {
	b := broker(t)
	topic := b.Topic(t, "images", 1)
	o := consuming(t, kafka.Cluster{Brokers: []string{b.Address()}}, topic, topic)
	o.Once = false
	answers := make(chan error, 100)
	o.Answered = func(err error) { answers <- err }
	c, err := kafka.OpenConsumer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.Kill()
	read := make(chan string, 1)
	go func() {
		if r, err := c.Next(t.Context()); err == nil {
			read <- string(r.Value)
			r.Delivered()
		}
		close(read)
	}()
	if err := <-answers; err == nil {
		t.Error("a broker that was killed answers")
	}
	if err := b.Up(); err != nil {
		t.Fatal(err)
	}
	b.Put(t, topic, &kgo.Record{Value: []byte("image")})
	if value := <-read; value != "image" {
		t.Errorf("the record is %q", value)
	}
	for err := range answers {
		if err == nil {
			break
		}
	}
}

func TestRefused(t *testing.T) {
	b := broker(t)
	topic := b.Topic(t, "images", 1)
	p, err := kafka.OpenProducer(t.Context(), kafka.Cluster{Brokers: []string{b.Address()}}, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, c := range []struct {
		name, topic string
		size        int
		kind        failure.Kind
	}{
		{"more than the broker takes", topic, kafkatest.MaxMessage + 1, failure.Lasting},
		{"more than the producer takes", topic, 65 << 20, failure.Lasting},
		{"a topic that does not exist", "missing", 1, failure.Outage},
	} {
		err := p.Write(t.Context(), &kgo.Record{Topic: c.topic, Value: make([]byte, c.size)})
		if err == nil || failure.KindOf(err) != c.kind {
			t.Errorf("%s: %v, of kind %d", c.name, err, failure.KindOf(err))
		}
	}
	if err := p.Write(t.Context(), &kgo.Record{Topic: topic, Value: []byte("good")}); err != nil {
		t.Error(err)
	}
}

func TestNoBroker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kafka.OpenProducer(ctx, kafka.Cluster{Brokers: []string{"127.0.0.1:1"}}, 1<<20); err == nil {
		t.Error("a producer without a broker")
	}
	if _, err := kafka.OpenProducer(t.Context(), kafka.Cluster{}, 1<<20); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
		t.Errorf("no brokers: %v", err)
	}
	unknown := kafka.Cluster{Brokers: []string{"127.0.0.1:1"}, User: "u", Password: "secret", Mechanism: "NTLM"}
	if _, err := kafka.OpenProducer(t.Context(), unknown, 1<<20); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an unknown authentication: %v", err)
	}
}
