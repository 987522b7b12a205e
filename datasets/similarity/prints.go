package similarity

// Prints is a list of prints that grows without copying. The zero value is
// empty.
type Prints struct {
	blocks [][]Print
	count  int
}

const blockPrints = 1 << 10

// Add appends a print.
func (p *Prints) Add(print Print) {
	if p.count%blockPrints == 0 {
		p.blocks = append(p.blocks, make([]Print, 0, min(blockPrints, 16+p.count)))
	}
	last := &p.blocks[len(p.blocks)-1]
	*last = append(*last, print)
	p.count++
}

// Len returns the number of prints.
func (p *Prints) Len() int { return p.count }

// At returns the i-th print. The pointer is valid as long as the list does not
// grow.
func (p *Prints) At(i int32) *Print { return &p.blocks[i/blockPrints][i%blockPrints] }
