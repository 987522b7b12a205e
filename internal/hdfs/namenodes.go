package hdfs

import "sync"

// nameNodes remembers which NameNode answered last, so that a new session does
// not try a standby or dead one first.
type nameNodes struct {
	mu        sync.Mutex
	addresses []string
}

func (n *nameNodes) order() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.addresses...)
}

func (n *nameNodes) served(address string) { n.move(address, true) }
func (n *nameNodes) failed(address string) { n.move(address, false) }

func (n *nameNodes) move(address string, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.addresses) == 1 || first && n.addresses[0] == address {
		return
	}
	others := make([]string, 0, len(n.addresses))
	for _, a := range n.addresses {
		if a != address {
			others = append(others, a)
		}
	}
	switch {
	case len(others) == len(n.addresses):
	case first:
		n.addresses = append([]string{address}, others...)
	default:
		n.addresses = append(others, address)
	}
}
