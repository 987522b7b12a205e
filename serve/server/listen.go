package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// listeners are the open ports.
type listeners struct {
	http, grpc net.Listener
	open       bool // whether other machines can reach one of them
}

func (l listeners) addresses() Addresses {
	var a Addresses
	if l.http != nil {
		a.HTTP = l.http.Addr().String()
	}
	if l.grpc != nil {
		a.GRPC = l.grpc.Addr().String()
	}
	return a
}

func (l listeners) close() error {
	var errs []error
	for _, one := range []net.Listener{l.http, l.grpc} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// listen opens all ports of the options, or none if one fails.
func listen(ctx context.Context, o Options) (l listeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	most, err := mostConnections()
	if err != nil {
		return l, err
	}
	all := newConnections(most)
	if o.HTTP != "" {
		if l.http, err = l.add(ctx, o.HTTP, o.TLSCert != ""); err != nil {
			return l, fmt.Errorf("serve HTTP: %w", err)
		}
		l.http = all.listen(l.http)
	}
	if o.GRPC != "" {
		if l.grpc, err = l.add(ctx, o.GRPC, o.TLSCert != ""); err != nil {
			return l, fmt.Errorf("serve gRPC: %w", err)
		}
		l.grpc = all.listen(l.grpc)
	}
	return l, nil
}

// add listens on an address. An address that is not a loopback address needs TLS, to
// protect the tokens.
func (l *listeners) add(ctx context.Context, address string, secured bool) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !resolved.IP.IsLoopback() {
		if !secured {
			return nil, fmt.Errorf("%s can be reached from other machines, and tokens must not be sent unencrypted: give %w, or use 127.0.0.1:%d", address, ErrCertificate, resolved.Port)
		}
		l.open = true
	}
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", resolved.String())
}

// local protects against DNS rebinding: requests must have a loopback host.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMisdirectedRequest)
			fmt.Fprintf(w, "{\"error\": %q, \"reason\": \"bad request\"}\n",
				fmt.Sprintf("this server is for localhost, not for %.100s", host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
