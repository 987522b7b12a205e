package kafkatest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A user of the broker's address with passwords, and the password.
const (
	User     = "tkit"
	Password = "let-me-in"
)

// listeners are the broker's addresses with TLS: for everybody, for those with a
// certificate, and for those with a password. It reads their files once.
const listeners = `listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,MUTUAL:SSL,PASSWORD:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=%[1]s
ssl.truststore.type=PEM
ssl.truststore.location=%[2]s
listener.name.mutual.ssl.client.auth=required
listener.name.password.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.password.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%[3]s="%[4]s";
listener.name.password.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
`

func (b *Broker) secure(i int) string { return "127.0.0.1:" + strconv.Itoa(b.ports.Base+1+i) }

// TLS is the broker's host:port for connections with TLS.
func (b *Broker) TLS() string { return b.secure(1) }

// Mutual is the broker's host:port for connections with TLS and a certificate of the
// client.
func (b *Broker) Mutual() string { return b.secure(2) }

// WithPassword is the broker's host:port for connections with TLS and the password of
// User, by PLAIN or SCRAM-SHA-512.
func (b *Broker) WithPassword() string { return b.secure(3) }

// CA is a file with the authority of the broker, which is that of its clients too.
func (b *Broker) CA() string { return filepath.Join(b.dir, "ca.pem") }

// Certificate is a file with a certificate of a client and its key.
func (b *Broker) Certificate() string { return filepath.Join(b.dir, "client.pem") }

// An authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// OtherAuthority writes a certificate and its key of an authority that the broker does
// not know, and the authority's, and returns their files.
func OtherAuthority(t testing.TB) (ca, certificate string) {
	t.Helper()
	dir := t.TempDir()
	ca, certificate = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "other.pem")
	a, err := newAuthority(ca)
	if err == nil {
		err = a.issue(certificate)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ca, certificate
}

// writeCertificates writes the files of the broker and its client.
func (b *Broker) writeCertificates() error {
	a, err := newAuthority(b.CA())
	for _, path := range []string{b.certificate(), b.Certificate()} {
		if err == nil {
			err = a.issue(path)
		}
	}
	return err
}

func (b *Broker) certificate() string { return filepath.Join(b.dir, "broker.pem") }

func newAuthority(path string) (a authority, err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return a, err
	}
	a.certificate = template(1)
	a.certificate.IsCA, a.certificate.BasicConstraintsValid, a.certificate.KeyUsage = true, true, x509.KeyUsageCertSign
	encoded, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, a.key.Public(), a.key)
	if err != nil {
		return a, err
	}
	return a, writePEM(path, &pem.Block{Type: "CERTIFICATE", Bytes: encoded})
}

// issue writes a certificate for this machine, and its key.
func (a authority) issue(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	one := template(2)
	one.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	one.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	certificate, err := x509.CreateCertificate(rand.Reader, one, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, &pem.Block{Type: "PRIVATE KEY", Bytes: private}, &pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

func template(serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("tkit ", serial)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func writePEM(path string, blocks ...*pem.Block) error {
	var text []byte
	for _, one := range blocks {
		text = append(text, pem.EncodeToMemory(one)...)
	}
	return os.WriteFile(path, text, 0o600)
}

// addUser gives User its password for SCRAM, which the broker keeps. That for PLAIN is in
// the configuration.
func (b *Broker) addUser() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	_, err = kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
		{User: User, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: Password},
	})
	return err
}
