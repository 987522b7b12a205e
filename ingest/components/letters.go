package components

import (
	"context"
	"iter"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/deadletter"
)

// Letters keep dead letters. Put and Remove may be called concurrently, also while a
// replay is iterated over.
type Letters interface {
	// Put keeps a letter and its image durably. A letter with a File has no image.
	Put(ctx context.Context, letter deadletter.Letter, image []byte) error
	// Replay iterates over the letters that exist when it is called.
	Replay(ctx context.Context) iter.Seq2[deadletter.Letter, error]
	// Image returns the image of a letter of the replay.
	Image(ctx context.Context, letter deadletter.Letter) ([]byte, error)
	// Remove removes a letter of the replay, unless it was put again meanwhile.
	Remove(ctx context.Context, letter deadletter.Letter) error
	// Forget removes the letter of a file that was delivered after all, if there is one
	// and the store can find it.
	Forget(source, file string) error
	Close() error
}

// LettersInput is the name of the input that RegisterReplay adds. It has no fields.
const LettersInput = "tkit_letters"

// A lettersInput reads the dead letters that exist when it begins, each once, with the
// metadata that they had at their input. A letter that is delivered is removed.
type lettersInput struct {
	run  *Run
	end  context.CancelFunc // of the iteration
	next func() (deadletter.Letter, error, bool)
	stop func()
	err  error // of the first letter that could not be read
}

func (l *lettersInput) Connect(context.Context) error {
	ctx, end := context.WithCancel(context.Background())
	l.end = end
	l.next, l.stop = iter.Pull2(l.run.Letters.Replay(ctx))
	return nil
}

func (l *lettersInput) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	defer context.AfterFunc(ctx, l.end)()
	for {
		letter, err, more := l.next()
		if !more {
			if l.err != nil {
				l.run.Fail(l.err)
			}
			return nil, nil, service.ErrEndOfInput
		}
		var image []byte
		if err == nil && letter.File != "" {
			if err = l.keep(ctx, letter); err == nil {
				continue
			}
		} else if err == nil {
			image, err = l.run.Letters.Image(ctx, letter)
		}
		if err != nil && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			l.run.Log.Error("a dead letter is left out", "error", err)
			if l.err == nil {
				l.err = err
			}
			continue
		}
		m := service.NewMessage(image)
		for key, value := range letter.Metadata {
			m.MetaSetMut(key, value)
		}
		return m, func(ctx context.Context, err error) error {
			if err != nil {
				return nil // the letter stays
			}
			return l.run.Letters.Remove(ctx, letter)
		}, nil
	}
}

// keep puts the letter of a file again: only a run of the pipeline can read the file.
func (l *lettersInput) keep(ctx context.Context, letter deadletter.Letter) error {
	l.run.Log.WarnContext(ctx, "a dead letter has no content and cannot be replayed: solve its cause, for example by a larger max_bytes, and run the pipeline",
		"file", letter.File, "cause", letter.Cause)
	again := letter
	again.Time, again.Attempts = time.Now().UTC(), 0 // the attempts of both are added
	if err := l.run.Letters.Put(ctx, again, nil); err != nil {
		return err
	}
	return l.run.Letters.Remove(ctx, letter)
}

func (l *lettersInput) Close(context.Context) error {
	if l.stop != nil {
		l.end()
		l.stop()
	}
	return nil
}
