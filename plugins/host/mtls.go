package host

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"

	"tkit/plugins/internal/link"
)

// mutualTLS makes the certificate of one connection, and its text for the
// plugin: go-plugin's AutoMTLS, with a key that every language supports.
func mutualTLS() (*tls.Config, string, error) {
	own, err := link.Certificate()
	if err != nil {
		return nil, "", err
	}
	// Go-plugin adds the plugin's certificate as the only trusted one.
	config := &tls.Config{
		Certificates: []tls.Certificate{own},
		RootCAs:      x509.NewCertPool(),
		ServerName:   link.Host,
		MinVersion:   tls.VersionTLS12,
	}
	return config, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})), nil
}
