// Package peer runs the other side of a benchmark in a persistent process that
// answers line by line.
package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// Peer is such a process. It is not safe for concurrent use.
type Peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts a command as a peer; the caller must close it.
func Start(cmd *exec.Cmd) (*Peer, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &Peer{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

// Ask sends a line and returns the response line, including its line end.
func (p *Peer) Ask(line string) ([]byte, error) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return nil, err
	}
	answer, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("it ended: %w", err)
	}
	return answer, nil
}

// Close ends the process by closing its standard input, and waits for it.
func (p *Peer) Close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
