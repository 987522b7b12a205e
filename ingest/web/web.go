// Package web makes the HTTP clients of pipelines.
package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
)

// connections is the number of idle connections to keep to a host: as many images are
// processed at a time.
const connections = 64

// NewClient returns a client that follows no redirect, because that would send secrets
// to another address. ca is a file with the certificates of authorities in PEM; "" means
// those of the system. The caller closes idle connections at the end.
func NewClient(ca string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	if ca != "" {
		var err error
		if transport.TLSClientConfig, err = Trusting(ca); err != nil {
			return nil, err
		}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// ParseServer parses the URL of a server, which has a scheme, a host and an optional
// path. The error does not quote it.
func ParseServer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("the server's URL must be http:// or https:// with a host and an optional path")
	}
	return u, nil
}

// IsLocal reports whether a host is this machine.
func IsLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Trusting returns a TLS configuration that trusts the authorities of a file.
func Trusting(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificates of the server's authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
