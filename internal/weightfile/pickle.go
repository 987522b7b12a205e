package weightfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// What a pickle may cost. A state dictionary of 65,536 tensors takes less.
const (
	maxPickle  = 64 << 20 // bytes
	maxObjects = 1 << 22  // on the stack and in the memo
	maxText    = 1 << 16  // bytes of one string
)

// The values of a pickle are nil, bool, int64, float64, string, and these. Lists and
// dictionaries are shared by all that name them, as in Python.
type (
	tuple []any
	list  struct{ items []any }
	dict  struct {
		keys   []any
		values []any
	}
	// global is what a pickle names of Python's modules. Nothing is imported: only
	// the names that a state dictionary needs have a meaning here.
	global struct{ module, name string }
	// mark is where a sequence begins on the stack.
	mark struct{}
	// long is an integer of more than 64 bits, little-endian.
	long string
)

// A persistent turns a persistent id, such as that of a storage, into a value.
type persistent func(id any) (any, error)

// A machine executes the instructions of a pickle: those of protocol 2 and of
// later ones that make plain values. It calls nothing but what reduce knows.
// The instructions are those of Python's pickletools.
type machine struct {
	in         *bufio.Reader
	read       int64
	stack      []any
	memo       map[uint32]any
	persistent persistent
}

// unpickle reads one pickle from a reader, and nothing behind it.
func unpickle(in *bufio.Reader, p persistent) (any, error) {
	m := &machine{in: in, memo: map[uint32]any{}, persistent: p}
	for {
		op, err := m.byte()
		if err != nil {
			return nil, fmt.Errorf("pickle: %w", err)
		}
		if op == '.' { // STOP
			value, err := m.pop()
			if err == nil && len(m.stack) > 0 {
				err = errors.New("it ends with more than one value")
			}
			if err != nil {
				return nil, fmt.Errorf("pickle: %w", err)
			}
			return value, nil
		}
		if err := m.do(op); err != nil {
			return nil, fmt.Errorf("pickle, at byte %d: %w", m.read, err)
		}
		if len(m.stack)+len(m.memo) > maxObjects {
			return nil, fmt.Errorf("pickle: more than %d values", maxObjects)
		}
	}
}

// do executes one instruction.
func (m *machine) do(op byte) error {
	if handled, err := m.plain(op); handled {
		return err
	}
	switch op {
	case 0x80: // PROTO
		version, err := m.byte()
		if err == nil && version > 5 {
			err = fmt.Errorf("protocol %d is not supported", version)
		}
		return err
	case 0x95: // FRAME
		_, err := m.uint(8)
		return err
	case 'c': // GLOBAL
		return m.global()
	case 0x93: // STACK_GLOBAL
		name, module, err := m.pop2()
		if err != nil {
			return err
		}
		return m.name(module, name)
	case 'q', 'r', 0x94: // BINPUT, LONG_BINPUT, MEMOIZE
		return m.keep(op)
	case 'h', 'j': // BINGET, LONG_BINGET
		return m.get(map[byte]int{'h': 1, 'j': 4}[op])
	case 'Q': // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		return m.pushed(m.persistent(id))
	case 'R': // REDUCE
		arguments, callable, err := m.pop2()
		if err != nil {
			return err
		}
		return m.pushed(reduce(callable, arguments))
	case 'b': // BUILD: the attributes of an OrderedDict, which are not its items
		_, object, err := m.pop2()
		if err != nil {
			return err
		}
		if _, ok := object.(*dict); !ok {
			return fmt.Errorf("a %T has no attributes", object)
		}
		return m.push(object)
	}
	return fmt.Errorf("the instruction %#x is not one of a state dictionary", op)
}

// plain executes the instructions that make plain values and collections.
func (m *machine) plain(op byte) (handled bool, err error) {
	switch op {
	case 'N': // NONE
		err = m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		err = m.push(op == 0x88)
	case 'K', 'M', 'J', 0x8a: // BININT1, BININT2, BININT, LONG1
		err = m.integer(op)
	case 'G': // BINFLOAT, big-endian
		var b [8]byte
		if _, err = io.ReadFull(m, b[:]); err == nil {
			err = m.push(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
		}
	case 'X', 0x8c, 'U', 'T': // BINUNICODE, SHORT_BINUNICODE, SHORT_BINSTRING, BINSTRING
		err = m.text(map[byte]int{'X': 4, 'T': 4, 0x8c: 1, 'U': 1}[op])
	case '(': // MARK
		err = m.push(mark{})
	case ')': // EMPTY_TUPLE
		err = m.push(tuple{})
	case ']': // EMPTY_LIST
		err = m.push(&list{})
	case '}': // EMPTY_DICT
		err = m.push(&dict{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		err = m.tuple(int(op) - 0x84)
	case 't': // TUPLE
		var items []any
		if items, err = m.sinceMark(); err == nil {
			err = m.push(tuple(items))
		}
	case 'a', 'e', 's', 'u': // APPEND, APPENDS, SETITEM, SETITEMS
		err = m.fill(op)
	default:
		return false, nil
	}
	return true, err
}

func (m *machine) integer(op byte) error {
	if op == 0x8a {
		n, err := m.byte()
		if err != nil {
			return err
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(m, b); err != nil {
			return err
		}
		if n > 8 {
			return m.push(long(b))
		}
		var v int64
		for i := len(b) - 1; i >= 0; i-- {
			v = v<<8 | int64(b[i])
		}
		if n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			v -= 1 << (8 * n)
		}
		return m.push(v)
	}
	v, err := m.uint(map[byte]int{'K': 1, 'M': 2, 'J': 4}[op])
	if op == 'J' {
		v = uint64(int64(int32(v)))
	}
	return errors.Join(err, m.push(int64(v)))
}

// text reads a string whose length stands before it.
func (m *machine) text(width int) error {
	n, err := m.uint(width)
	if err != nil {
		return err
	}
	if n > maxText {
		return fmt.Errorf("a string of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(m, b); err != nil {
		return err
	}
	return m.push(string(b))
}

func (m *machine) tuple(n int) error {
	if len(m.stack) < n {
		return errors.New("the stack is empty")
	}
	items := make(tuple, n)
	copy(items, m.stack[len(m.stack)-n:])
	m.stack = m.stack[:len(m.stack)-n]
	return m.push(items)
}

// fill adds to the list or the dictionary below one value, or below a mark.
func (m *machine) fill(op byte) (err error) {
	var items []any
	switch op {
	case 'a':
		items = make([]any, 1)
	case 's':
		items = make([]any, 2)
	default:
		items, err = m.sinceMark()
	}
	if err != nil {
		return err
	}
	if op == 'a' || op == 's' {
		for i := len(items) - 1; i >= 0; i-- {
			if items[i], err = m.pop(); err != nil {
				return err
			}
		}
	}
	if len(m.stack) == 0 {
		return errors.New("the stack is empty")
	}
	switch to := m.stack[len(m.stack)-1].(type) {
	case *list:
		if op == 'a' || op == 'e' {
			to.items = append(to.items, items...)
			return nil
		}
	case *dict:
		if (op == 's' || op == 'u') && len(items)%2 == 0 {
			for i := 0; i < len(items); i += 2 {
				to.keys, to.values = append(to.keys, items[i]), append(to.values, items[i+1])
			}
			return nil
		}
	}
	return fmt.Errorf("items for a %T", m.stack[len(m.stack)-1])
}

// sinceMark takes the values above the last mark off the stack, and the mark.
func (m *machine) sinceMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errors.New("there is no mark on the stack")
}

// keep stores the top of the stack in the memo.
func (m *machine) keep(op byte) error {
	at := uint64(len(m.memo))
	if op != 0x94 {
		var err error
		if at, err = m.uint(map[byte]int{'q': 1, 'r': 4}[op]); err != nil {
			return err
		}
	}
	if len(m.stack) == 0 {
		return errors.New("the stack is empty")
	}
	m.memo[uint32(at)] = m.stack[len(m.stack)-1]
	return nil
}

func (m *machine) get(width int) error {
	at, err := m.uint(width)
	if err != nil {
		return err
	}
	value, ok := m.memo[uint32(at)]
	if !ok {
		return fmt.Errorf("nothing is stored as %d", at)
	}
	return m.push(value)
}

// global reads two lines, a module and a name in it.
func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.name(module, name)
}

func (m *machine) name(module, name any) error {
	g := global{}
	var ok bool
	if g.module, ok = module.(string); ok {
		g.name, ok = name.(string)
	}
	if !ok {
		return errors.New("a global without a name")
	}
	if !g.known() {
		return fmt.Errorf("it names %s, which weights do not need, and which is not executed: write torch.save(model.state_dict(), FILE)",
			strconv.QuoteToASCII(g.module+"."+g.name))
	}
	return m.push(g)
}

func (m *machine) line() (string, error) {
	var b []byte
	for {
		c, err := m.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(b), nil
		}
		if b = append(b, c); len(b) > maxText {
			return "", errors.New("a line without an end")
		}
	}
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pushed(v any, err error) error {
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("the stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errors.New("a mark where a value is needed")
	}
	return v, nil
}

// pop2 takes two values off the stack, the top first.
func (m *machine) pop2() (top, below any, err error) {
	if top, err = m.pop(); err == nil {
		below, err = m.pop()
	}
	return top, below, err
}

// Read reads what belongs to the pickle, and counts it.
func (m *machine) Read(b []byte) (int, error) {
	if m.read > maxPickle {
		return 0, fmt.Errorf("more than %d bytes", maxPickle)
	}
	n, err := m.in.Read(b)
	m.read += int64(n)
	return n, err
}

func (m *machine) byte() (byte, error) {
	v, err := m.uint(1)
	return byte(v), err
}

// uint reads a little-endian number of so many bytes.
func (m *machine) uint(width int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(m, b[:width]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
