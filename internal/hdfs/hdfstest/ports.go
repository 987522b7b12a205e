package hdfstest

import (
	"fmt"

	"tkit/internal/testserver"
)

type ports struct{ testserver.Ports }

// reserve allocates the ports of a cluster.
func reserve(dataNodes int) (ports, error) {
	if most := testserver.BlockSize/10 - 1; dataNodes > most {
		return ports{}, fmt.Errorf("%d DataNodes requested, the maximum is %d", dataNodes, most)
	}
	p, err := testserver.Reserve()
	return ports{p}, err
}

// nameNode is the RPC port of NameNode i; the next one is its HTTP port.
func (p ports) nameNode(i int) int { return p.Base + 2*i }

func (p ports) nameNodeTLS(i int) int { return p.Base + 6 + i }

func (p ports) kdc() int { return p.Base + 5 }

func (p ports) httpFS() int { return p.Base + 8 }

// dataNode is the data transfer port of DataNode i; RPC, HTTP and HTTPS follow.
func (p ports) dataNode(i int) int { return p.Base + 10*(i+1) }
