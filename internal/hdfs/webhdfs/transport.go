package webhdfs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// connections is how many idle connections are kept to each server.
const connections = 32

// newTransport returns the transport for all servers of a cluster.
func newTransport(caFile string, timeout time.Duration) (*http.Transport, error) {
	t := &http.Transport{
		// A cluster's servers are accessed directly, whatever proxy the
		// environment sets.
		Proxy:               nil,
		DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout: timeout,
		// A hung server must not delay a file's first bytes for ever. The
		// Reader bounds the time between later ones.
		ResponseHeaderTimeout: timeout,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       timeout,
		// Lengths are compared with the files' sizes.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: certificates: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("webhdfs: %s contains no certificate in PEM: convert a Java key store with keytool -exportcert -rfc", caFile)
	}
	return t, nil
}
