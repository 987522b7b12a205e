package hdfstest

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
	blockSize = 64
	blocks    = 190
)

type ports struct {
	base int
	held net.Listener
}

// reserve allocates a block with no port in use.
func reserve(dataNodes int) (ports, error) {
	if most := blockSize/10 - 1; dataNodes > most {
		return ports{}, fmt.Errorf("%d DataNodes requested, the maximum is %d", dataNodes, most)
	}
	for _, block := range rand.Perm(blocks) {
		base := firstPort + block*blockSize
		held, err := net.Listen("unix", fmt.Sprintf("@tkit-hdfstest-%d", base))
		if err != nil {
			continue
		}
		if free(base) {
			return ports{base, held}, nil
		}
		held.Close()
	}
	return ports{}, errors.New("no block of ports is free")
}

func free(base int) bool {
	for port := base; port < base+blockSize; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

func (p ports) release() {
	if p.held != nil {
		p.held.Close()
	}
}

// nameNode is the RPC port of NameNode i; the next one is its HTTP port.
func (p ports) nameNode(i int) int { return p.base + 2*i }

func (p ports) nameNodeTLS(i int) int { return p.base + 6 + i }

func (p ports) kdc() int { return p.base + 5 }

func (p ports) httpFS() int { return p.base + 8 }

// dataNode is the data transfer port of DataNode i; RPC, HTTP and HTTPS follow.
func (p ports) dataNode(i int) int { return p.base + 10*(i+1) }
