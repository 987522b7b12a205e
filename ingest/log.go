package ingest

import (
	"context"
	"log/slog"
	"strings"

	"tkit/ingest/components"
)

// engineLog passes on the engine's warnings and errors. Its other messages describe
// its own parts. That an output has refused an image that has failed before is left out:
// the delivery says of each such image what failed and what follows.
type engineLog struct{ slog.Handler }

func (l engineLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && l.Handler.Enabled(ctx, level)
}

func (l engineLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, components.Rejection) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

func (l engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return engineLog{l.Handler.WithAttrs(attrs)}
}
func (l engineLog) WithGroup(name string) slog.Handler { return engineLog{l.Handler.WithGroup(name)} }
