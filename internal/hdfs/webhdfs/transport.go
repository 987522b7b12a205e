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

// connections is how many are kept to each server for the next calls.
const connections = 32

// newTransport has the connections to all servers of a cluster.
func newTransport(caFile string, timeout time.Duration) (*http.Transport, error) {
	t := &http.Transport{
		// A cluster's servers are reached directly, whatever proxy the
		// environment has for the rest of the world.
		Proxy:               nil,
		DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout: timeout,
		// A hung server must not hold a file's first bytes back for ever; the
		// time between the next ones is watched by the Reader.
		ResponseHeaderTimeout: timeout,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       timeout,
		// Lengths are compared with files'.
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
		return nil, fmt.Errorf("webhdfs: %s has no certificate in PEM: convert a Java key store with keytool -exportcert -rfc", caFile)
	}
	return t, nil
}
