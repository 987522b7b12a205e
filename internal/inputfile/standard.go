package inputfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ReadStandard returns the content of standard input, which is a file, a pipe or a
// socket, of up to limit bytes. It ends with the context.
func ReadStandard(ctx context.Context, limit int64) ([]byte, error) {
	const name = "standard input"
	info, err := os.Stdin.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if kind := info.Mode().Type(); kind != 0 && kind != fs.ModeNamedPipe && kind != fs.ModeSocket {
		return nil, fmt.Errorf("%s is neither a file nor a pipe", name)
	}
	ended, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ended.Close()
	stop := context.AfterFunc(ctx, func() { end.Close() })
	defer func() {
		if stop() {
			end.Close()
		}
	}()
	return readAll(&standard{ctx, ended}, name, limit)
}

// standard reads standard input once it has something. A read that waits cannot be
// interrupted, and the pipe of another user, as below sudo, cannot be opened again by
// its name in /proc.
type standard struct {
	ctx   context.Context
	ended *os.File // can be read when the context has ended
}

func (s *standard) Read(b []byte) (int, error) {
	ready := []unix.PollFd{{Fd: int32(os.Stdin.Fd()), Events: unix.POLLIN}, {Fd: int32(s.ended.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(ready, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case ready[1].Revents != 0:
			return 0, s.ctx.Err()
		}
		return os.Stdin.Read(b)
	}
}
