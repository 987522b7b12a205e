package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// listenLocal listens on an address of the loopback and refuses any other:
// without authentication whoever reaches the server may use it.
func listenLocal(ctx context.Context, address string) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("%s can be reached from other machines, and there is no authentication: use 127.0.0.1:%d", address, resolved.Port)
	}
	var c net.ListenConfig
	return c.Listen(ctx, "tcp", resolved.String())
}

// local keeps web pages from using the server through the browser of someone
// on this machine: requests must name the loopback as their host, which a name
// that was rebound to it does not, and must not come from another site.
func local(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMisdirectedRequest)
			fmt.Fprintf(w, "{\"error\": %q, \"reason\": \"bad request\"}\n",
				fmt.Sprintf("this server answers for localhost, not for %.100s", host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
