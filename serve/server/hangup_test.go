package server

import (
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"tkit/internal/logtest"
)

// SIGHUP does not end the process, and the log says so.
func TestHangup(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("nohup has this process ignore SIGHUP")
	}
	var log logtest.Buffer
	end := IgnoreHangups(slog.New(slog.NewTextHandler(&log, nil)))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "SIGHUP is ignored"); {
		if time.Now().After(deadline) {
			t.Fatalf("the log says %q", log.String())
		}
		time.Sleep(time.Millisecond)
	}
	end()
}
