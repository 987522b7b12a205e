package server

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// IgnoreHangups keeps SIGHUP, which ends a process by default, from ending
// requests. There is nothing to reload. The caller calls end when
// the server has stopped.
func IgnoreHangups(log *slog.Logger) (end func()) {
	if signal.Ignored(syscall.SIGHUP) { // by nohup
		return func() {}
	}
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			log.Info("SIGHUP is ignored: a renewed certificate, aliases, grants and tokens take effect without it")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
