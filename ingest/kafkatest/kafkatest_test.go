package kafkatest_test

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest/kafkatest"
)

var broker = kafkatest.Shared()

func TestMain(m *testing.M) { os.Exit(kafkatest.Main(m)) }

// A broker keeps its records over a restart.
func TestBroker(t *testing.T) {
	b := broker(t)
	topic := b.Topic(t, "images", 2)
	b.Put(t, topic, &kgo.Record{Value: []byte("one")}, &kgo.Record{Value: []byte("two")})
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	if records := b.Records(t, topic); len(records) != 2 {
		t.Errorf("%d records, want 2", len(records))
	}
	if n := b.Committed(t, "nobody", topic); n != 0 {
		t.Errorf("a group that does not exist has committed %d", n)
	}
}
