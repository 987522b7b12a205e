package plugins

import (
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"tkit/plugins/internal/contract"
	"tkit/plugins/internal/wire"
)

// Serve makes the program a plugin: it answers tkit until tkit ends it, and does
// not return. It is the last call in main, before which nothing may be printed
// to standard output; what is printed later goes into tkit's log, as standard
// error does all along.
func Serve(p Preprocessor) {
	d := p.Describe()
	if err := d.Validate(); err != nil {
		exit(fmt.Errorf("its description: %w", err))
	}
	if os.Getenv(contract.Handshake.MagicCookieKey) != contract.Handshake.MagicCookieValue {
		exit(fmt.Errorf("%s is a plugin of tkit, which starts it: see `tkit plugins --help`", d))
	}
	s, err := newServer(p)
	if err != nil {
		exit(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: contract.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{
			contract.Version: {contract.Name: &service{server: s}},
		},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o,
				grpc.ForceServerCodecV2(wire.NewCodec()),
				grpc.InitialWindowSize(contract.Window), grpc.InitialConnWindowSize(contract.Window),
				grpc.ReadBufferSize(contract.Buffer), grpc.WriteBufferSize(contract.Buffer),
				grpc.MaxRecvMsgSize(contract.MaxMessage), grpc.MaxSendMsgSize(contract.MaxMessage),
			)...)
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
	os.Exit(0)
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "plugin:", err)
	os.Exit(1)
}
