package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest/deadletter"
)

// LettersOptions say where dead letters are.
type LettersOptions struct {
	Cluster
	Topic string
	// Group remembers which letters were replayed.
	Group    string
	MaxBytes int32 // of a letter with its headers
	Log      *slog.Logger
}

// Letters are dead letters in a topic: the value of a record is the image, and its
// headers describe the letter. A replay reads them as a consumer group, so that those
// that are delivered are not read again; a letter that fails again is a new record.
type Letters struct {
	options  LettersOptions
	producer *Producer

	mu       sync.Mutex
	replayed map[string]*Record // letters that are being replayed, by their IDs
	attempts map[string]int     // of those, before the replay
}

// The headers of a letter.
const (
	headerSource   = "tkit_dead_source"
	headerStage    = "tkit_dead_stage"
	headerCause    = "tkit_dead_cause"
	headerAttempts = "tkit_dead_attempts"
	headerTime     = "tkit_dead_time"
	headerMetadata = "tkit_dead_metadata" // as JSON
	headerFile     = "tkit_dead_file"     // of a letter without an image
	headerSize     = "tkit_dead_size"     // of that file
)

// replaySession is after what silence another replay continues one that was killed.
const replaySession = 10 * time.Second

// OpenLetters returns the letters of a topic. The cluster need not answer yet. The caller
// closes them.
func OpenLetters(o LettersOptions) (*Letters, error) {
	p, err := newProducer(o.Cluster, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	return &Letters{options: o, producer: p, replayed: make(map[string]*Record), attempts: make(map[string]int)}, nil
}

// Put writes a letter and returns when all replicas in sync have it. The attempts before
// a replay are added.
func (l *Letters) Put(ctx context.Context, letter deadletter.Letter, image []byte) error {
	letter.Identify(image)
	l.mu.Lock()
	letter.Attempts += l.attempts[letter.ID]
	l.mu.Unlock()
	metadata, err := json.Marshal(letter.Metadata)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	r := &kgo.Record{Topic: l.options.Topic, Key: []byte(letter.ID), Value: image}
	for _, h := range [][2]string{
		{headerSource, letter.Source}, {headerStage, letter.Stage}, {headerCause, letter.Cause}, {headerAttempts, strconv.Itoa(letter.Attempts)},
		{headerTime, letter.Time.Format(time.RFC3339Nano)}, {headerMetadata, string(metadata)},
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if letter.File != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerFile, Value: []byte(letter.File)},
			kgo.RecordHeader{Key: headerSize, Value: strconv.AppendInt(nil, letter.Size, 10)})
	}
	if err := l.producer.Write(ctx, r); err != nil {
		return fmt.Errorf("dead letters: topic %s: %w", l.options.Topic, err)
	}
	return nil
}

// Replay iterates over the letters that exist when it begins and were not removed. It
// ends when all are removed.
func (l *Letters) Replay(ctx context.Context) iter.Seq2[deadletter.Letter, error] {
	return func(yield func(deadletter.Letter, error) bool) {
		c, err := OpenConsumer(ctx, ConsumerOptions{
			Cluster: l.options.Cluster, Topics: []string{l.options.Topic}, Group: l.options.Group, Once: true, Session: replaySession, Log: l.options.Log,
		})
		if err != nil {
			yield(deadletter.Letter{}, fmt.Errorf("dead letters: %w", err))
			return
		}
		defer c.Close()
		for {
			r, err := c.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(deadletter.Letter{}, fmt.Errorf("dead letters: %w", err))
				return
			}
			letter := letterOf(r.Record)
			l.begin(letter, r)
			if !yield(letter, nil) {
				return
			}
		}
	}
}

// begin remembers a letter that is being replayed. Of several equal ones, each repeats
// what the earlier ones have said, and the last one has all attempts.
func (l *Letters) begin(letter deadletter.Letter, r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if earlier := l.replayed[letter.ID]; earlier != nil {
		earlier.Delivered()
	}
	l.replayed[letter.ID], l.attempts[letter.ID] = r, letter.Attempts
}

// letterOf returns the letter of a record. Any record is one, so that none is left
// behind: what its headers do not say is empty, and headers that are not those of a
// letter are metadata.
func letterOf(r *kgo.Record) deadletter.Letter {
	l := deadletter.Letter{Time: r.Timestamp.UTC(), Source: fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset), Metadata: make(map[string]any)}
	for _, h := range r.Headers {
		value, err := string(h.Value), error(nil)
		switch h.Key {
		case headerSource:
			l.Source = value
		case headerStage:
			l.Stage = value
		case headerCause:
			l.Cause = value
		case headerAttempts:
			l.Attempts, err = strconv.Atoi(value)
		case headerFile:
			l.File = value
		case headerSize:
			l.Size, err = strconv.ParseInt(value, 10, 64)
		case headerTime:
			var t time.Time
			if t, err = time.Parse(time.RFC3339Nano, value); err == nil {
				l.Time = t
			}
		case headerMetadata:
			var all map[string]any
			if err = json.Unmarshal(h.Value, &all); err == nil {
				maps.Copy(l.Metadata, all)
			}
		default:
			l.Metadata[h.Key] = value
		}
		if err != nil {
			l.Metadata[h.Key] = value
		}
	}
	l.Identify(r.Value)
	return l
}

// Image returns the image of a letter that is being replayed.
func (l *Letters) Image(_ context.Context, letter deadletter.Letter) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.replayed[letter.ID]
	if r == nil {
		return nil, fmt.Errorf("dead letter %s is not being replayed", letter.ID)
	}
	return r.Value, nil
}

// Remove says that a letter that is being replayed was delivered, or put again.
func (l *Letters) Remove(_ context.Context, letter deadletter.Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.replayed[letter.ID]; r != nil {
		r.Delivered()
		delete(l.replayed, letter.ID)
		delete(l.attempts, letter.ID)
	}
	return nil
}

// Forget does nothing: the topic keeps letters of files that were delivered after all.
func (l *Letters) Forget(string, string) error { return nil }

// Close ends the use of the letters.
func (l *Letters) Close() error { return l.producer.Close() }
