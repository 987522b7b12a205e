package testserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are below the kernel's range for outgoing connections, allocated in
// blocks. A block is locked by a socket in the abstract name space, which
// disappears with the process, so that concurrent test binaries do not collide
// before their servers bind.
const (
	firstPort = 20000
	blocks    = 190
)

// BlockSize is the number of ports in Ports.
const BlockSize = 64

// Ports are BlockSize consecutive ports of the loopback interface.
type Ports struct {
	Base int
	held net.Listener
}

// Reserve reserves ports of which none is in use, until Release or the end of the
// process.
func Reserve() (Ports, error) {
	for _, block := range rand.Perm(blocks) {
		base := firstPort + block*BlockSize
		held, err := net.Listen("unix", fmt.Sprintf("@tkit-testserver-%d", base))
		if err != nil {
			continue
		}
		if free(base) {
			return Ports{base, held}, nil
		}
		held.Close()
	}
	return Ports{}, errors.New("no block of ports is free")
}

func free(base int) bool {
	for port := base; port < base+BlockSize; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// Release gives the ports back. The zero Ports need not be released.
func (p Ports) Release() {
	if p.held != nil {
		p.held.Close()
	}
}
