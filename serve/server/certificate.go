package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// ErrCertificate is wrapped by errors about a missing certificate or key.
var ErrCertificate = errors.New("a certificate and its key")

// certificate returns the TLS configuration, nil without TLS.
func (o Options) certificate() (*tls.Config, error) {
	if o.TLSCert == "" {
		return nil, nil
	}
	c := &certificate{cert: o.TLSCert, key: o.TLSKey}
	if _, err := c.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}, nil
}

// A certificate is read again when its files change.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	at     time.Time // of the file when it was loaded
}

// get returns the certificate for a connection. While a new one cannot be read, for
// instance during its renewal, the previous one stays in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.cert)
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.at) {
		return c.loaded, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	switch {
	case err == nil:
		c.loaded, c.at = &pair, info.ModTime()
	case c.loaded == nil:
		return nil, fmt.Errorf("serve: certificate: %w", err)
	}
	return c.loaded, nil
}
