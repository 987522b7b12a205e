package ingest

import (
	"context"
	"log/slog"
)

// engineLog passes on the engine's warnings and errors. Its other messages describe
// its own parts.
type engineLog struct{ slog.Handler }

func (l engineLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && l.Handler.Enabled(ctx, level)
}

func (l engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return engineLog{l.Handler.WithAttrs(attrs)}
}
func (l engineLog) WithGroup(name string) slog.Handler { return engineLog{l.Handler.WithGroup(name)} }
