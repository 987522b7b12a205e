package kafka

import (
	"context"
	"iter"

	"tkit/ingest/deadletter"
)

// keep puts a letter that the topic refuses into the folder. The folder adds the
// attempts of a letter that is there already.
func (l *Letters) keep(ctx context.Context, letter deadletter.Letter, image []byte, refusal error) error {
	folder, err := l.open()
	if err == nil {
		err = folder.Put(ctx, letter, image)
	}
	if err != nil {
		return err
	}
	l.options.Log.WarnContext(ctx, "a dead letter is kept in a folder because its topic refuses it: if it is too large, raise max_bytes of the pipeline and max.message.bytes of the topic",
		"source", letter.Source, "topic", l.options.Topic, "folder", l.options.Folder, "bytes", len(image), "error", refusal)
	return nil
}

// open opens the folder, once.
func (l *Letters) open() (*deadletter.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.folder != nil {
		return l.folder, nil
	}
	s, err := deadletter.Open(l.options.Folder)
	if err == nil {
		l.folder = s
	}
	return s, err
}

// replayKept iterates over the letters of the folder.
func (l *Letters) replayKept(ctx context.Context) iter.Seq2[deadletter.Letter, error] {
	letters := deadletter.OpenToRead(l.options.Folder).Replay(ctx)
	return func(yield func(deadletter.Letter, error) bool) {
		for letter, err := range letters {
			if err == nil {
				l.mu.Lock()
				l.kept[letter.ID] = letter.Attempts
				l.mu.Unlock()
			}
			if !yield(letter, err) {
				return
			}
		}
	}
}

// removeKept removes a letter from the folder, unless it was put there again. The caller
// holds the lock.
func (l *Letters) removeKept(ctx context.Context, letter deadletter.Letter) error {
	if _, replayed := l.kept[letter.ID]; !replayed {
		return nil
	}
	delete(l.kept, letter.ID)
	return deadletter.OpenToRead(l.options.Folder).Remove(ctx, letter)
}

// closeKept ends the use of the folder.
func (l *Letters) closeKept() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.folder == nil {
		return nil
	}
	return l.folder.Close()
}
