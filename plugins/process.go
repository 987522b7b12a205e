package plugins

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/emptypb"

	"tkit/plugins/internal/contract"
	"tkit/plugins/internal/link"
	"tkit/plugins/internal/wire"
	"tkit/plugins/proto"
)

// serve implements the process side of go-plugin's protocol, which
// docs/plugins.md describes for other languages: it listens, announces its
// address, and answers until it is asked to end. Go-plugin's own Serve does not
// allow control of how the connection is read and written, which batches depend
// on.
func (s *server) serve() error {
	config, ours, err := mutualTLS(os.Getenv(contract.CertificateVariable))
	if err != nil {
		return err
	}
	folder := os.Getenv(contract.SocketVariable)
	if folder == "" {
		return fmt.Errorf("the host has not set %s", contract.SocketVariable)
	}
	listener, err := net.Listen("unix", filepath.Join(folder, contract.Name))
	if err != nil {
		return err
	}
	buffers := &wire.Buffers{}
	g := grpc.NewServer(
		grpc.Creds(link.Credentials(config)),
		grpc.ForceServerCodecV2(wire.NewCodec(buffers)), experimental.BufferPool(buffers),
		grpc.InitialWindowSize(contract.Window), grpc.InitialConnWindowSize(contract.Window),
		grpc.ReadBufferSize(0), grpc.WriteBufferSize(contract.Buffer), // the credentials read ahead
		grpc.MaxRecvMsgSize(contract.MaxMessage), grpc.MaxSendMsgSize(contract.MaxMessage),
	)
	proto.RegisterPreprocessorServer(g, s)
	alive := health.NewServer()
	alive.SetServingStatus(contract.HealthService, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(g, alive)
	g.RegisterService(&controller, g)
	if _, err := fmt.Printf("%d|%d|unix|%s|grpc|%s\n", contract.Core, contract.Version, listener.Addr(), ours); err != nil {
		return err
	}
	return g.Serve(listener)
}

// mutualTLS accepts only the host's certificate, and returns this side's
// certificate for the host.
func mutualTLS(theirs string) (*tls.Config, string, error) {
	hosts := x509.NewCertPool()
	if !hosts.AppendCertsFromPEM([]byte(theirs)) {
		return nil, "", fmt.Errorf("the host has set %s to an invalid certificate", contract.CertificateVariable)
	}
	own, err := link.Certificate()
	if err != nil {
		return nil, "", err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: hosts,
		MinVersion: tls.VersionTLS12,
	}, base64.RawStdEncoding.EncodeToString(own.Certificate[0]), nil
}

// controller implements go-plugin's call to end a plugin.
var controller = grpc.ServiceDesc{
	ServiceName: "plugin.GRPCController",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Shutdown",
		Handler: func(to any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			g, ok := to.(*grpc.Server)
			if !ok {
				return nil, errors.New("no server to end")
			}
			if err := read(&emptypb.Empty{}); err != nil {
				return nil, err
			}
			go g.GracefulStop() // after the response to this call
			return &emptypb.Empty{}, nil
		},
	}},
}
