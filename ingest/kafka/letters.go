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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest/deadletter"
	"tkit/ingest/failure"
)

// LettersOptions say where dead letters are.
type LettersOptions struct {
	Cluster
	Topic string
	// Group remembers which letters were replayed.
	Group    string
	MaxBytes int32 // of a letter with its headers
	// Folder keeps the letters that the topic refuses, because they are too large.
	Folder string
	Log    *slog.Logger
}

// Letters are dead letters in a topic: the value of a record is the image, and its
// headers describe the letter. A replay reads them as a consumer group, so that those
// that are delivered are not read again; a letter that fails again is a new record.
// Letters that the topic refuses are in a folder, and replayed too.
type Letters struct {
	options  LettersOptions
	producer *Producer

	mu       sync.Mutex
	replayed map[string]*Record // letters of the topic that are being replayed, by their IDs
	attempts map[string]int     // of those, before the replay
	kept     map[string]int     // the attempts of letters of the folder that are being replayed
	folder   *deadletter.Store  // nil before the first letter that the topic refuses
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
	return &Letters{options: o, producer: p, replayed: make(map[string]*Record), attempts: make(map[string]int), kept: make(map[string]int)}, nil
}

// Check returns an error if the cluster refuses the client, or if the topic does not
// exist. A cluster that does not answer is no error.
func (l *Letters) Check(ctx context.Context) error {
	err := ping(ctx, l.producer.client)
	if err == nil {
		var topics kadm.TopicDetails
		if topics, err = kadm.NewClient(l.producer.client).ListTopics(ctx, l.options.Topic); err == nil {
			err = topics.Error()
		}
	}
	if err == nil || !Refused(err) {
		return nil
	}
	return fmt.Errorf("dead letters: topic %s: %w", l.options.Topic, err)
}

// Put writes a letter and returns when all replicas in sync have it, or when it is in
// the folder because the topic refuses it. The attempts before a replay are added.
func (l *Letters) Put(ctx context.Context, letter deadletter.Letter, image []byte) error {
	letter.Identify(image)
	l.mu.Lock()
	letter.Attempts += l.attempts[letter.ID]
	inFolder := l.kept[letter.ID]
	l.mu.Unlock()
	record := letter
	record.Attempts += inFolder
	r, err := l.recordOf(record, image)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	err = l.producer.Write(ctx, r)
	if failure.KindOf(err) == failure.Lasting {
		return l.keep(ctx, letter, image, err)
	}
	if err != nil {
		return fmt.Errorf("dead letters: topic %s: %w", l.options.Topic, err)
	}
	return nil
}

// recordOf returns the record of a letter.
func (l *Letters) recordOf(letter deadletter.Letter, image []byte) (*kgo.Record, error) {
	metadata, err := json.Marshal(letter.Metadata)
	if err != nil {
		return nil, err
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
	return r, nil
}

// Replay iterates over the letters that exist when it is called and were not removed. It
// comes to those of the folder when those of the topic are removed.
func (l *Letters) Replay(ctx context.Context) iter.Seq2[deadletter.Letter, error] {
	kept := l.replayKept(ctx)
	return func(yield func(deadletter.Letter, error) bool) {
		if l.replayTopic(ctx, yield) {
			kept(yield)
		}
	}
}

// replayTopic iterates over the letters of the topic, and reports whether that may go on.
func (l *Letters) replayTopic(ctx context.Context, yield func(deadletter.Letter, error) bool) bool {
	c, err := OpenConsumer(ctx, ConsumerOptions{
		Cluster: l.options.Cluster, Topics: []string{l.options.Topic}, Group: l.options.Group, Once: true, Session: replaySession, Log: l.options.Log,
	})
	if err != nil {
		return yield(deadletter.Letter{}, fmt.Errorf("dead letters: %w", err))
	}
	defer c.Close()
	for {
		r, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return yield(deadletter.Letter{}, fmt.Errorf("dead letters: %w", err))
		}
		letter := letterOf(r.Record)
		l.begin(letter, r)
		if !yield(letter, nil) {
			return false
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
func (l *Letters) Image(ctx context.Context, letter deadletter.Letter) ([]byte, error) {
	l.mu.Lock()
	r := l.replayed[letter.ID]
	_, kept := l.kept[letter.ID]
	l.mu.Unlock()
	switch {
	case r != nil:
		return r.Value, nil
	case kept:
		return deadletter.OpenToRead(l.options.Folder).Image(ctx, letter)
	}
	return nil, fmt.Errorf("dead letter %s is not being replayed", letter.ID)
}

// Remove says that a letter that is being replayed was delivered, or put again.
func (l *Letters) Remove(ctx context.Context, letter deadletter.Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.replayed[letter.ID]; r != nil {
		r.Delivered()
		delete(l.replayed, letter.ID)
		delete(l.attempts, letter.ID)
		return nil
	}
	return l.removeKept(ctx, letter)
}

// Forget removes the letter of a file that was delivered after all if it is in the
// folder. The topic keeps those that it has.
func (l *Letters) Forget(source, file string) error {
	return deadletter.OpenToRead(l.options.Folder).Forget(source, file)
}

// Close ends the use of the letters.
func (l *Letters) Close() error { return errors.Join(l.producer.Close(), l.closeKept()) }
