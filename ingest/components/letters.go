package components

import (
	"context"
	"iter"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/deadletter"
)

// LettersInput is the name of the input that RegisterReplay adds. It has no fields.
const LettersInput = "tkit_letters"

// A lettersInput reads the dead letters that exist when it begins, each once, with the
// metadata that they had at their input. A letter that is delivered is removed.
type lettersInput struct {
	run   *Run
	begun time.Time
	next  func() (deadletter.Letter, error, bool)
	stop  func()
	err   error // of the first letter that could not be read
}

func (l *lettersInput) Connect(context.Context) error {
	l.begun = time.Now()
	l.next, l.stop = iter.Pull2(l.run.Letters.Letters(context.Background()))
	return nil
}

func (l *lettersInput) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	for {
		letter, err, more := l.next()
		if !more {
			if l.err != nil {
				l.run.Fail(l.err)
			}
			return nil, nil, service.ErrEndOfInput
		}
		var image []byte
		if err == nil && letter.Time.After(l.begun) {
			continue // put by this replay, or by a run at the same time
		}
		if err == nil {
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

func (l *lettersInput) Close(context.Context) error {
	if l.stop != nil {
		l.stop()
	}
	return nil
}
