package host

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tkit/plugins"
	"tkit/plugins/internal/shared"
	"tkit/plugins/proto"
)

// A process that enlarges the shared memory, which costs it nothing, cannot
// make tkit allocate as much.
func TestExcessiveAnswersAreRefused(t *testing.T) {
	area, err := shared.New()
	if err != nil {
		t.Fatal(err)
	}
	defer area.Close()
	const size = 1 << 42
	if err := area.File().Truncate(size); err != nil {
		t.Fatal(err)
	}
	everything := &proto.Batch_Shared{Shared: &proto.Span{Length: size}}
	for gives, answer := range map[plugins.Kind]*proto.Batch{
		plugins.Encoded: {Kind: proto.Kind_KIND_ENCODED, Count: 1, Lengths: []uint64{size}, Data: everything},
		plugins.Uint8:   {Kind: proto.Kind_KIND_UINT8, Count: 1, Height: 1 << 16, Width: 1 << 16, Channels: 1 << 10, Data: everything},
		plugins.Float32: {Kind: proto.Kind_KIND_FLOAT32, Count: 1, Height: 1 << 16, Width: 1 << 16, Channels: 1 << 8, Data: everything},
	} {
		p := &process{area: area}
		p.description.Gives = plugins.Form{Kind: gives}
		if gives != plugins.Encoded {
			p.description.Gives.Shape = [3]int{plugins.Varies, plugins.Varies, plugins.Varies}
		}
		in := plugins.NewBatch(plugins.Uint8, 1, [3]int{1, 1, 1})
		if _, err := p.answer(answer, in); !errors.As(err, new(*Breach)) || !strings.Contains(err.Error(), "takes more than") {
			t.Errorf("%s: error %v, want a breach", gives, err)
		}
	}
}

// tooLarge is a process whose response gRPC rejects.
type tooLarge struct{ proto.PreprocessorClient }

func (tooLarge) Process(context.Context, *proto.ProcessRequest, ...grpc.CallOption) (*proto.ProcessResponse, error) {
	return nil, status.Error(codes.ResourceExhausted, "grpc: received message larger than max (3 vs. 2)")
}

func TestMessagesAreBounded(t *testing.T) {
	p := &process{rpc: tooLarge{}, config: Config{}.withDefaults(), child: &child{ended: make(chan struct{})}}
	_, fate, err := p.process(t.Context(), json.RawMessage(nil), plugins.NewBatch(plugins.Uint8, 1, [3]int{1, 1, 1}))
	if !errors.As(err, new(*Breach)) || fate != alive {
		t.Errorf("error %v, fate %d, want a breach of a process that lives", err, fate)
	}
}
