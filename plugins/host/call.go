package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tkit/internal/printable"
	"tkit/plugins"
	"tkit/plugins/internal/wire"
	"tkit/plugins/proto"
)

// fate is the state of a process after a call.
type fate int

const (
	alive   fate = iota
	busy         // with an abandoned batch
	crashed      // it ended
	hung         // it must be killed
)

// process sends a batch to the process. The result is a copy, checked against
// the plugin's description.
func (p *process) process(ctx context.Context, config json.RawMessage, in plugins.Batch) (plugins.Batch, fate, error) {
	request, err := p.request(config, in)
	if err != nil {
		return plugins.Batch{}, hung, err
	}
	call, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	began := time.Now()
	answer, err := p.rpc.Process(call, request)
	// The process never sees a deadline expire early: gRPC sends it the
	// remaining time, rounded up, which starts when it receives it. But its
	// error may arrive before this side's timer fires.
	if at, _ := call.Deadline(); err != nil && !time.Now().Before(at) {
		<-call.Done()
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return plugins.Batch{}, busy, ctx.Err()
	case time.Since(began) >= p.config.Timeout:
		return plugins.Batch{}, hung, &TimeoutError{p.config.Timeout}
	case status.Code(err) == codes.Unknown || status.Code(err) == codes.InvalidArgument || status.Code(err) == codes.Internal && !p.child.gone():
		return plugins.Batch{}, alive, &ProcessError{printable.Line(status.Convert(err).Message(), longestMessage)}
	case status.Code(err) == codes.ResourceExhausted && !p.child.gone(): // before it is read
		return plugins.Batch{}, alive, &Breach{"its response is larger than a batch may be: " + printable.Line(status.Convert(err).Message(), longestMessage)}
	default:
		return plugins.Batch{}, crashed, err
	}
	if fault := answer.GetFault(); fault != nil {
		if int(fault.GetImage()) >= in.Count {
			return plugins.Batch{}, alive, &Breach{fmt.Sprintf("it reports an error of image %d of %d", fault.GetImage()+1, in.Count)}
		}
		return plugins.Batch{}, alive, &plugins.ImageError{Image: int(fault.GetImage()), Reason: printable.Line(fault.GetReason(), longestMessage)}
	}
	out, err := p.answer(answer.GetBatch(), in)
	return out, alive, err
}

// request writes the batch to the shared memory or the message.
func (p *process) request(config json.RawMessage, in plugins.Batch) (*proto.ProcessRequest, error) {
	r := &proto.ProcessRequest{Config: config}
	if p.area == nil {
		r.Batch = wire.Inline(in)
		return r, nil
	}
	size, room := wire.Align(wire.Size(in)), wire.Align(p.room(in))
	if err := p.area.Reserve(size + room); err != nil {
		return nil, err
	}
	memory, err := p.area.Bytes(0, uint64(size))
	if err != nil {
		return nil, err
	}
	r.Batch = wire.Shared(in, memory, 0)
	r.Room = &proto.Span{Offset: uint64(size), Length: uint64(room)}
	return r, nil
}

// room returns the expected size of the result for in, in bytes.
func (p *process) room(in plugins.Batch) int {
	gives := p.description.Gives
	if gives.Kind == plugins.Encoded {
		return wire.Size(in)
	}
	n := in.Count
	for i, side := range gives.Shape {
		if side <= 0 {
			side = max(1, in.Shape[i])
		}
		n *= side
	}
	if gives.Kind == plugins.Float32 {
		n *= 4
	}
	return min(max(n, 0), maxRoom)
}

// maxRoom bounds the memory reserved for a result; a larger one is sent by
// gRPC.
const maxRoom = 1 << 30

func (p *process) answer(m *proto.Batch, in plugins.Batch) (plugins.Batch, error) {
	out, err := wire.Batch(m, p.area)
	if err == nil {
		err = p.description.Gives.Answers(in, out)
	}
	if err != nil {
		return plugins.Batch{}, &Breach{err.Error()}
	}
	if m.GetShared() != nil {
		out = clone(out) // before it is checked: the process may still write to its memory
	}
	if image, ok := out.Finite(); !ok {
		return plugins.Batch{}, &Breach{fmt.Sprintf("image %d of its result has a value that is not finite", image+1)}
	}
	return out, nil
}

func clone(b plugins.Batch) plugins.Batch {
	b.Uint8, b.Float32 = slices.Clone(b.Uint8), slices.Clone(b.Float32)
	if b.Encoded != nil {
		files := make([][]byte, len(b.Encoded))
		for i, file := range b.Encoded {
			files[i] = slices.Clone(file)
		}
		b.Encoded = files
	}
	return b
}

// over reports whether the process has ended.
func (p *child) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// gone waits briefly for a process that seems to have ended, and reports
// whether it has.
func (p *child) gone() bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

// how returns how the process ended, such as "exit status 2" or "signal:
// killed".
func (p *child) how() string {
	select {
	case <-p.ended:
	case <-time.After(time.Second):
		return "it has not ended"
	}
	if p.endErr == nil {
		return "exit status 0"
	}
	return p.endErr.Error()
}

// crash returns the error about the end of a process during a batch.
func (p *process) crash(err error) error {
	p.child.kill()
	p.child.release()
	how := p.child.how()
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unavailable {
		how += ", " + printable.Line(s.Message(), longestMessage)
	}
	return &CrashError{how, p.child.said()}
}

// blamesImage reports whether an error is about an image and not the plugin.
func blamesImage(err error) bool {
	return errors.As(err, new(*plugins.ImageError))
}
